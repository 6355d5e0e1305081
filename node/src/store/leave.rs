//! Studies that people of this site have left: nothing more of them is computed, approved or sent.
//! A study is taken up again by taking it off the site's list and listing it anew.
//!
//! From: `release::decide`, the daemon when it starts.
//! To: `daemon` (offers, work, steps), `cli::status`.

use std::collections::BTreeMap;

use rusqlite::{Transaction, params};
use serde::{Deserialize, Serialize};
use shared::fault::Fault;
use shared::study::{SiteState, StudySlug, Timestamp};
use shared::wire::Refusal;

use super::change::{Subject, append, append_for, decline, set_state};
use super::{JOB_COLUMNS, Store, StoredJob, WriteFault, job_row};
use crate::approval;
use crate::config::ReleaseMode;
use crate::ledger::Event;

/// Who left a study, when and why.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
pub struct Left {
    /// Who.
    pub by: String,
    /// When.
    pub at: Timestamp,
    /// Why; stays here.
    pub reason: String,
    /// Whether the node has run without the study on its list since: listed again, it is back.
    #[serde(default)]
    pub unlisted: bool,
}

fn key(study: &StudySlug) -> String {
    format!("left/{study}")
}

impl Store {
    /// Every study that was left and not taken up again.
    ///
    /// # Errors
    /// `FV-INT-001`.
    pub fn left(&self) -> Result<BTreeMap<StudySlug, Left>, Fault> {
        let rows: Vec<(String, Vec<u8>)> = self.read(|sql| {
            sql.prepare("SELECT substr(key, 6), value FROM meta WHERE key LIKE 'left/%'")?
                .query_map([], |row| Ok((row.get(0)?, row.get(1)?)))?
                .collect()
        })?;
        let broken = || Fault::internal("what is stored of a study that was left");
        rows.into_iter()
            .map(|(study, value)| {
                let left = serde_json::from_slice(&value).map_err(|_| broken())?;
                Ok((study.parse().map_err(|_| broken())?, left))
            })
            .collect()
    }

    /// Leaves a study: whatever waits of it is declined, what was approved and not confirmed is
    /// dropped, and what was released stays in the ledger. A study that was left stays so, and
    /// nothing is recorded again. With `withdraw` the coordinator is asked to drop what was
    /// released in rounds that are still open; also of a study that was left before.
    ///
    /// # Errors
    /// `FV-INT-001`.
    pub fn leave(&self, study: &StudySlug, left: &Left, withdraw: bool) -> Result<(), Fault> {
        let value = stored(left)?;
        self.write(|sql| {
            let added = sql.execute(
                "INSERT OR IGNORE INTO meta (key, value) VALUES (?1, ?2)",
                params![key(study), value],
            )?;
            if added == 0 && !withdraw {
                return Ok(());
            }
            if added > 0 {
                let event = Event::Left {
                    by: left.by.clone(),
                    reason: left.reason.clone(),
                };
                append(sql, left.at, of(study), event)?;
            }
            let jobs: Vec<StoredJob> = sql
                .prepare(&format!(
                    "{JOB_COLUMNS} WHERE study = ?1 ORDER BY offered_at"
                ))?
                .query_map(params![study.as_str()], job_row)?
                .collect::<rusqlite::Result<_>>()?;
            for job in jobs
                .iter()
                .filter(|job| withdraw && job.state == SiteState::Delivered)
            {
                take_back(sql, job, left)?;
            }
            for job in jobs.iter().filter(|job| !job.state.is_terminal()) {
                if job.state == SiteState::Sending {
                    // It may have arrived although nobody confirmed it.
                    let refusal = if withdraw {
                        Refusal::Withdrawn
                    } else {
                        Refusal::NotReleased
                    };
                    drop_release(sql, job, refusal, left)?;
                } else {
                    let reason = Some(left.reason.clone());
                    decline(sql, job, left.at, Refusal::NotReleased, &left.by, reason)?;
                }
            }
            Ok(())
        })
    }

    /// Notes which modes of standing approval end, since the site's file no longer names them.
    ///
    /// # Errors
    /// `FV-LEDGER-001`, `FV-INT-001`.
    pub fn end_modes(&self, mode: ReleaseMode, now: Timestamp) -> Result<(), Fault> {
        for (study, mode) in approval::ended_modes(&self.entries()?, mode) {
            self.write(|sql| append(sql, now, of(&study), Event::ModeEnded { mode }))?;
        }
        Ok(())
    }

    /// Compares what was left with the site's list when the node starts: off the list it is noted,
    /// listed anew it is taken up again.
    ///
    /// # Errors
    /// `FV-INT-001`.
    pub fn take_up_again(&self, listed: &[StudySlug], now: Timestamp) -> Result<(), Fault> {
        for (study, mut left) in self.left()? {
            let is_listed = listed.contains(&study);
            if is_listed && left.unlisted {
                self.write(|sql| {
                    sql.execute("DELETE FROM meta WHERE key = ?1", params![key(&study)])?;
                    append(sql, now, of(&study), Event::Returned {})
                })?;
            } else if !is_listed && !left.unlisted {
                left.unlisted = true;
                let value = stored(&left)?;
                self.write(|sql| {
                    sql.execute(
                        "UPDATE meta SET value = ?2 WHERE key = ?1",
                        params![key(&study), value],
                    )?;
                    Ok(())
                })?;
            }
        }
        Ok(())
    }
}

fn stored(left: &Left) -> Result<Vec<u8>, Fault> {
    serde_json::to_vec(left).map_err(|fault| Fault::internal(format!("a study's end: {fault}")))
}

fn of(study: &StudySlug) -> Subject {
    Subject {
        study: Some(study.clone()),
        ..Subject::default()
    }
}

/// Asks the coordinator to drop a release that it has confirmed. It was made, so the patients it
/// speaks about stay spoken about. Asked once.
fn take_back(sql: &Transaction<'_>, job: &StoredJob, left: &Left) -> Result<(), WriteFault> {
    let refusal = Refusal::Withdrawn;
    let asked = sql.execute(
        "UPDATE job SET refusal = ?2, local_why = ?3, told = 0
         WHERE digest = ?1 AND refusal IS NULL",
        params![job.digest.to_string(), refusal.as_str(), left.reason],
    )?;
    if asked > 0 {
        let event = Event::declined(refusal, &left.by, Some(left.reason.clone()));
        append_for(sql, job, left.at, event)?;
    }
    Ok(())
}

/// Approved bytes that were not confirmed: they are not sent any more. Whether they arrived nobody
/// knows here, so the patients they speak about stay spoken about.
fn drop_release(
    sql: &Transaction<'_>,
    job: &StoredJob,
    refusal: Refusal,
    left: &Left,
) -> Result<(), WriteFault> {
    let id = job.digest.to_string();
    sql.execute(
        "UPDATE outbox SET refused = ?2 WHERE job = ?1 AND receipt IS NULL",
        params![id, refusal.as_str()],
    )?;
    sql.execute(
        "UPDATE job SET refusal = ?2, local_why = ?3, told = 0 WHERE digest = ?1",
        params![id, refusal.as_str(), left.reason],
    )?;
    let event = Event::declined(refusal, &left.by, Some(left.reason.clone()));
    append_for(sql, job, left.at, event)?;
    set_state(sql, job.digest, SiteState::RejectedBySite)
}
