//! Exchanges of several steps at the site: what came, what was answered, where an exchange
//! ended. Each change with its ledger entry is one transaction.
//!
//! From: the daemon.
//! To: `outbox`, `ledger`, the same after any restart.

use rusqlite::{OptionalExtension, Transaction, params};
use serde::Serialize;
use shared::disclosure::ReleasedBytes;
use shared::fault::Fault;
use shared::identity::Digest;
use shared::study::{ExchangeId, Timestamp};
use shared::wire::Refusal;

use super::change::append_for;
use super::{Store, StoredJob, WriteFault, digest_column, find_job, unknown_job};
use crate::ledger::{Event, Masked};
use crate::waypoint;

/// One step as it came.
#[derive(Clone, Debug)]
pub struct StoredStep {
    /// Its number, from 1.
    pub step: u32,
    /// Digest of the coordinator's document.
    pub input: Digest,
    /// The signed document.
    pub document: Vec<u8>,
    /// Whether it is answered: its release is approved.
    pub answered: bool,
    /// Whether the coordinator has confirmed the answer.
    pub delivered: bool,
}

/// Where an exchange ended.
#[derive(Clone, Debug, Serialize)]
pub struct ExchangeEnd {
    /// The exchange.
    pub exchange: String,
    /// The step that was not answered.
    pub step: u32,
    /// What the coordinator is told; absent when it said that the exchange is over.
    pub refusal: Option<String>,
    /// What staff are told; stays here.
    pub local_why: Option<String>,
}

/// One step of one exchange of one job.
#[derive(Clone, Copy, Debug)]
pub struct StepKey<'a> {
    /// The job.
    pub job: &'a StoredJob,
    /// The exchange.
    pub exchange: &'a ExchangeId,
    /// The step.
    pub step: u32,
}

impl Store {
    /// Every step of an exchange that came, in order.
    ///
    /// # Errors
    /// `FV-INT-001`.
    pub fn steps(&self, job: Digest, exchange: &ExchangeId) -> Result<Vec<StoredStep>, Fault> {
        self.read(|sql| {
            sql.prepare(
                "SELECT step, input, document, bytes IS NOT NULL, receipt IS NOT NULL FROM step
                 WHERE job = ?1 AND exchange = ?2 ORDER BY step",
            )?
            .query_map(params![job.to_string(), exchange.as_str()], |row| {
                Ok(StoredStep {
                    step: row.get(0)?,
                    input: digest_column(row, 1)?,
                    document: row.get(2)?,
                    answered: row.get(3)?,
                    delivered: row.get(4)?,
                })
            })?
            .collect()
        })
    }

    /// Where an exchange ended; `None` while it goes on.
    ///
    /// # Errors
    /// `FV-INT-001`.
    pub fn exchange_end(
        &self,
        job: Digest,
        exchange: &ExchangeId,
    ) -> Result<Option<ExchangeEnd>, Fault> {
        self.read(|sql| {
            sql.query_row(
                "SELECT step, refusal, local_why FROM exchange_end
                 WHERE job = ?1 AND exchange = ?2",
                params![job.to_string(), exchange.as_str()],
                |row| {
                    Ok(ExchangeEnd {
                        exchange: exchange.to_string(),
                        step: row.get(0)?,
                        refusal: row.get(1)?,
                        local_why: row.get(2)?,
                    })
                },
            )
            .optional()
        })
    }

    /// Keeps a step as it came. The first document of a step counts.
    ///
    /// # Errors
    /// `FV-INT-001`.
    pub fn keep_step(&self, key: StepKey<'_>, document: &[u8]) -> Result<(), Fault> {
        self.write(|sql| {
            sql.execute(
                "INSERT OR IGNORE INTO step (job, exchange, step, input, document)
                 VALUES (?1, ?2, ?3, ?4, ?5)",
                params![
                    key.job.digest.to_string(),
                    key.exchange.as_str(),
                    key.step,
                    Digest::of(document).to_string(),
                    document
                ],
            )?;
            Ok(())
        })
    }

    /// The reviewed answer to a step, into the outbox and the ledger at once; an answer once
    /// given stays. `approver` approved the job with its declared steps.
    ///
    /// # Errors
    /// `FV-INT-001`.
    pub fn answer_step(
        &self,
        key: StepKey<'_>,
        bytes: &ReleasedBytes,
        by: (Digest, &str),
        now: Timestamp,
    ) -> Result<(), Fault> {
        self.write(|sql| answer(sql, key, bytes, (by, None), now))
    }

    /// The coordinator has confirmed the answer to a step.
    ///
    /// # Errors
    /// `FV-INT-001`.
    pub fn step_delivered(
        &self,
        job: Digest,
        release: Digest,
        receipt: &[u8],
        now: Timestamp,
    ) -> Result<(), Fault> {
        self.write(|sql| {
            let stored = find_job(sql, job)?.ok_or_else(|| unknown_job(job))?;
            let added = sql.execute(
                "UPDATE step SET receipt = ?3 WHERE job = ?1 AND id = ?2 AND receipt IS NULL",
                params![job.to_string(), release.to_string(), receipt],
            )?;
            if added == 0 {
                return Ok(());
            }
            let event = Event::Delivered {
                release,
                receipt: Digest::of(receipt),
            };
            append_for(sql, &stored, now, event)
        })
    }

    /// Ends an exchange at this site: by its own word, which the coordinator is told and the
    /// ledger keeps, or because the coordinator said that it is over. The first end counts.
    ///
    /// # Errors
    /// `FV-INT-001`.
    pub fn end_exchange(
        &self,
        key: StepKey<'_>,
        declined: Option<(Refusal, &str, String)>,
        now: Timestamp,
    ) -> Result<(), Fault> {
        self.write(|sql| {
            let (refusal, why) = match &declined {
                Some((refusal, _, why)) => (Some(refusal.as_str()), Some(why.as_str())),
                None => (None, None),
            };
            let added = sql.execute(
                "INSERT OR IGNORE INTO exchange_end (job, exchange, step, refusal, told, local_why)
                 VALUES (?1, ?2, ?3, ?4, ?5, ?6)",
                params![
                    key.job.digest.to_string(),
                    key.exchange.as_str(),
                    key.step,
                    refusal,
                    i64::from(declined.is_none()),
                    why
                ],
            )?;
            let Some((refusal, by, why)) = declined else {
                return Ok(());
            };
            if added == 0 {
                return Ok(());
            }
            let event = Event::StepDeclined {
                exchange: key.exchange.clone(),
                step: key.step,
                refusal: refusal.as_str().to_owned(),
                by: by.to_owned(),
                reason: Some(why),
            };
            append_for(sql, key.job, now, event)
        })
    }

    /// Ended exchanges whose refusal the coordinator has not acknowledged.
    ///
    /// # Errors
    /// `FV-INT-001`.
    pub fn untold_ends(&self) -> Result<Vec<(Digest, ExchangeId, u32, Refusal)>, Fault> {
        let rows: Vec<(Digest, String, u32, String)> = self.read(|sql| {
            sql.prepare(
                "SELECT job, exchange, step, refusal FROM exchange_end
                 WHERE refusal IS NOT NULL AND told = 0 ORDER BY job",
            )?
            .query_map([], |row| {
                Ok((
                    digest_column(row, 0)?,
                    row.get(1)?,
                    row.get(2)?,
                    row.get(3)?,
                ))
            })?
            .collect()
        })?;
        Ok(rows
            .into_iter()
            .filter_map(|(job, exchange, step, word)| {
                Some((job, exchange.parse().ok()?, step, Refusal::parse(&word)?))
            })
            .collect())
    }

    /// The coordinator has acknowledged the end of an exchange.
    ///
    /// # Errors
    /// `FV-INT-001`.
    pub fn end_told(&self, job: Digest, exchange: &ExchangeId) -> Result<(), Fault> {
        self.write(|sql| {
            sql.execute(
                "UPDATE exchange_end SET told = 1 WHERE job = ?1 AND exchange = ?2",
                params![job.to_string(), exchange.as_str()],
            )?;
            Ok(())
        })
    }

    /// The approved bytes of a job's first exchange, delivered or not.
    ///
    /// # Errors
    /// `FV-INT-001`.
    pub fn approved_bytes(&self, job: Digest) -> Result<Option<Vec<u8>>, Fault> {
        self.read(|sql| {
            sql.query_row(
                "SELECT bytes FROM outbox WHERE job = ?1",
                params![job.to_string()],
                |row| row.get(0),
            )
            .optional()
        })
    }
}

/// The answer to a step inside a running transaction, with its ledger entry; an answer once
/// given stays.
pub(super) fn answer(
    sql: &Transaction<'_>,
    key: StepKey<'_>,
    bytes: &ReleasedBytes,
    ((policy, approver), masked): ((Digest, &str), Option<Masked>),
    now: Timestamp,
) -> Result<(), WriteFault> {
    let place = (key.job.digest.to_string(), key.exchange.as_str(), key.step);
    let added = sql.execute(
        "UPDATE step SET id = ?4, digest = ?5, bytes = ?6
         WHERE job = ?1 AND exchange = ?2 AND step = ?3 AND bytes IS NULL",
        params![
            place.0,
            place.1,
            place.2,
            bytes.id().to_string(),
            bytes.digest().to_string(),
            bytes.bytes()
        ],
    )?;
    if added == 0 {
        return Ok(());
    }
    waypoint::pass("node.step.inside");
    let input = sql.query_row(
        "SELECT input FROM step WHERE job = ?1 AND exchange = ?2 AND step = ?3",
        params![place.0, place.1, place.2],
        |row| digest_column(row, 0),
    )?;
    let event = Event::Step {
        exchange: key.exchange.clone(),
        step: key.step,
        input,
        release: bytes.id(),
        digest: bytes.digest(),
        size: bytes.bytes().len() as u64,
        policy,
        approver: approver.to_owned(),
        masked,
    };
    append_for(sql, key.job, now, event)
}
