//! A job's changes of state: what each demands, and what it writes. Each runs inside one
//! transaction of the store, so that state, outbox row and ledger entry change together.
//!
//! From: `Store::change`.
//! To: the database.

use rusqlite::{OptionalExtension, Transaction, params};
use shared::disclosure::ReleasedBytes;
use shared::fault::{Code, Fault};
use shared::identity::{Digest, Nonce};
use shared::study::{RoundId, SiteState, StudySlug, Timestamp};
use shared::wire::Refusal;

use super::{
    StoredJob, WriteFault, digest_column, head, ledger_rows, not_waiting, spoken, verified,
};
use crate::approval::{self, Endorsement};
use crate::config::AccessSection;
use crate::ledger::{self, Approval, Entry, Event};
use crate::link::SystemEntropy;
use crate::spoken::Spoken;
use crate::waypoint;

/// How many people an approval needs, and which.
pub struct Eyes<'a> {
    /// How many different ones.
    pub people: usize,
    /// Who may, and with which keys.
    pub access: &'a AccessSection,
}

/// A job's change of state with what belongs to it. Each fits some states only, looked up in the
/// same transaction: a person may have decided since the caller looked.
pub enum Change<'a> {
    /// An offered job may be computed.
    Admitted,
    /// A failed check or an unapproved preview is computed again.
    Again,
    /// The data check failed: what staff read.
    PrecheckFailed(&'a str),
    /// Reviewed: what waits for approval.
    Preview {
        /// The bytes.
        bytes: &'a ReleasedBytes,
        /// Items, JSON.
        items: &'a str,
        /// Findings, JSON.
        findings: &'a str,
        /// The groups of patients they speak about.
        spoken: &'a Spoken,
        /// Approved in the same step, by an approval that stands for it, so that no crash leaves it
        /// waiting for nobody.
        standing: Option<Approval>,
    },
    /// Approved: into the outbox and the ledger.
    Approved {
        /// By whom and how.
        approval: Approval,
        /// Digest of the bytes the approver has seen.
        seen: Digest,
        /// How many people must, and who.
        eyes: Eyes<'a>,
    },
    /// Confirmed by the coordinator.
    Delivered {
        /// The signed receipt.
        receipt: &'a [u8],
    },
    /// The coordinator will never take the approved bytes: the round is over.
    Undeliverable {
        /// What the coordinator said.
        refusal: Refusal,
    },
    /// Nothing is released.
    Declined {
        /// What the coordinator is told.
        refusal: Refusal,
        /// Who decided.
        by: &'a str,
        /// Why; stays here.
        reason: Option<String>,
    },
}

pub(super) fn set_state(
    sql: &Transaction<'_>,
    job: Digest,
    state: SiteState,
) -> Result<(), WriteFault> {
    sql.execute(
        "UPDATE job SET state = ?2 WHERE digest = ?1",
        params![job.to_string(), state.as_str()],
    )?;
    Ok(())
}

/// Demands that a job stands in one of `states`.
fn standing(job: &StoredJob, states: &[SiteState]) -> Result<(), WriteFault> {
    if states.contains(&job.state) {
        Ok(())
    } else {
        Err(not_waiting(job).into())
    }
}

pub(super) fn apply(
    sql: &Transaction<'_>,
    stored: &StoredJob,
    now: Timestamp,
    change: Change<'_>,
) -> Result<(), WriteFault> {
    let job = stored.digest;
    match change {
        Change::Admitted => {
            standing(stored, &[SiteState::JobOffered])?;
            set_state(sql, job, SiteState::Computing)
        }
        Change::Again => {
            standing(
                stored,
                &[SiteState::PrecheckFailed, SiteState::WaitingApproval],
            )?;
            forget(sql, job)?;
            sql.execute(
                "DELETE FROM preview WHERE job = ?1",
                params![job.to_string()],
            )?;
            set_state(sql, job, SiteState::Computing)
        }
        Change::PrecheckFailed(why) => {
            standing(stored, &[SiteState::Computing])?;
            sql.execute(
                "UPDATE job SET local_why = ?2 WHERE digest = ?1",
                params![job.to_string(), why],
            )?;
            set_state(sql, job, SiteState::PrecheckFailed)
        }
        Change::Preview {
            bytes,
            items,
            findings,
            spoken,
            standing,
        } => {
            let shown = (items, findings);
            preview(sql, stored, now, (bytes, spoken), shown, standing)
        }
        Change::Approved {
            mut approval,
            seen,
            eyes,
        } => {
            standing(stored, &[SiteState::WaitingApproval])?;
            if eyes.people > 1 {
                let Some(all) = endorse(sql, stored, now, &approval, seen, &eyes)? else {
                    return Ok(());
                };
                let names: Vec<&str> = all.iter().map(|one| one.approver.as_str()).collect();
                approval.approver = names.join(ledger::AND);
                approval.signatures = all.into_iter().filter_map(|one| one.signature).collect();
            }
            approve(sql, stored, now, approval, seen)
        }
        Change::Delivered { receipt } => deliver(sql, stored, now, receipt),
        Change::Undeliverable { refusal } => give_up(sql, stored, now, refusal),
        Change::Declined {
            refusal,
            by,
            reason,
        } => decline(sql, stored, now, refusal, by, reason),
    }
}

/// What a preview would have spoken about, if there is one, is not spoken about.
fn forget(sql: &Transaction<'_>, job: Digest) -> Result<(), WriteFault> {
    let previewed = sql
        .query_row(
            "SELECT digest FROM preview WHERE job = ?1",
            params![job.to_string()],
            |row| digest_column(row, 0),
        )
        .optional()?;
    previewed.map_or(Ok(()), |digest| spoken::forget(sql, digest))
}

/// Stores a reviewed preview, and approves it in the same transaction where the site's own
/// configuration says so.
fn preview(
    sql: &Transaction<'_>,
    stored: &StoredJob,
    now: Timestamp,
    (bytes, spoken): (&ReleasedBytes, &Spoken),
    (items, findings): (&str, &str),
    approval: Option<Approval>,
) -> Result<(), WriteFault> {
    standing(stored, &[SiteState::Computing])?;
    keep_preview(sql, stored.digest, bytes, items, findings)?;
    spoken::keep(sql, bytes.digest(), spoken)?;
    set_state(sql, stored.digest, SiteState::WaitingApproval)?;
    let Some(approval) = approval else {
        return Ok(());
    };
    waypoint::pass("node.preview.inside");
    approve(sql, stored, now, approval, bytes.digest())
}

fn keep_preview(
    sql: &Transaction<'_>,
    job: Digest,
    bytes: &ReleasedBytes,
    items: &str,
    findings: &str,
) -> Result<(), WriteFault> {
    sql.execute(
        "INSERT OR REPLACE INTO preview (job, id, digest, bytes, items, findings)
         VALUES (?1, ?2, ?3, ?4, ?5, ?6)",
        params![
            job.to_string(),
            bytes.id().to_string(),
            bytes.digest().to_string(),
            bytes.bytes(),
            items,
            findings
        ],
    )?;
    sql.execute(
        "UPDATE job SET local_why = NULL WHERE digest = ?1",
        params![job.to_string()],
    )?;
    Ok(())
}

/// One of several people approves these bytes; all their approvals once they are enough. Who has approved so far stands in the ledger.
fn endorse(
    sql: &Transaction<'_>,
    job: &StoredJob,
    now: Timestamp,
    approval: &Approval,
    seen: Digest,
    eyes: &Eyes<'_>,
) -> Result<Option<Vec<Endorsement>>, WriteFault> {
    let digest: Digest = sql.query_row(
        "SELECT digest FROM preview WHERE job = ?1",
        params![job.digest.to_string()],
        |row| digest_column(row, 0),
    )?;
    if digest != seen {
        return Err(computed_again(job).into());
    }
    let entries = verified(&ledger_rows(sql)?)?;
    let mut all = approval::so_far(&entries, job.digest, seen, approval.standing);
    all.retain(|one| one.counts(eyes.access));
    if all.iter().any(|one| one.approver == approval.approver) {
        return Err(Fault::new(
            Code::SecondApprover,
            format!("{} has approved this release already", approval.approver),
            format!("{} different people must", eyes.people),
            "ask another of the approvers to look and approve; a site that has one approver only \
             writes four_eyes = \"never\" in [release] of node.toml",
        )
        .into());
    }
    let event = Event::Endorsed {
        digest: seen,
        approver: approval.approver.clone(),
        note: approval.note.clone(),
        standing: approval.standing,
        signature: approval.signatures.first().cloned(),
    };
    append_for(sql, job, now, event)?;
    all.push(Endorsement {
        approver: approval.approver.clone(),
        signature: approval.signatures.first().cloned(),
    });
    Ok(approval::suffice(eyes.access, eyes.people, &all).then_some(all))
}

fn computed_again(job: &StoredJob) -> Fault {
    Fault::new(
        Code::NotWaiting,
        format!(
            "job {} no longer offers the bytes you have seen",
            job.digest
        ),
        "it was computed again after the preview",
        format!("look again: fedval-node job preview {}", job.round),
    )
}

fn approve(
    sql: &Transaction<'_>,
    job: &StoredJob,
    now: Timestamp,
    approval: Approval,
    seen: Digest,
) -> Result<(), WriteFault> {
    let (bytes, digest): (Vec<u8>, Digest) = sql.query_row(
        "SELECT bytes, digest FROM preview WHERE job = ?1",
        params![job.digest.to_string()],
        |row| Ok((row.get(0)?, digest_column(row, 1)?)),
    )?;
    let bytes = ReleasedBytes::reload(bytes, seen)
        .ok()
        .filter(|_| digest == seen);
    let bytes = bytes.ok_or_else(|| WriteFault::from(computed_again(job)))?;
    sql.execute(
        "INSERT INTO outbox (id, job, digest, bytes) VALUES (?1, ?2, ?3, ?4)",
        params![
            bytes.id().to_string(),
            job.digest.to_string(),
            bytes.digest().to_string(),
            bytes.bytes()
        ],
    )?;
    waypoint::pass("node.approve.inside");
    let groups = spoken::release(sql, bytes.digest())?;
    let event = Event::approved(&bytes, approval, groups);
    append_for(sql, job, now, event)?;
    set_state(sql, job.digest, SiteState::Sending)
}

fn deliver(
    sql: &Transaction<'_>,
    job: &StoredJob,
    now: Timestamp,
    receipt: &[u8],
) -> Result<(), WriteFault> {
    let (release, known): (Digest, Option<Vec<u8>>) = sql.query_row(
        "SELECT id, receipt FROM outbox WHERE job = ?1",
        params![job.digest.to_string()],
        |row| Ok((digest_column(row, 0)?, row.get(1)?)),
    )?;
    if known.is_some() {
        return Ok(());
    }
    sql.execute(
        "UPDATE outbox SET receipt = ?2 WHERE job = ?1",
        params![job.digest.to_string(), receipt],
    )?;
    let event = Event::Delivered {
        release,
        receipt: Digest::of(receipt),
    };
    append_for(sql, job, now, event)?;
    set_state(sql, job.digest, SiteState::Delivered)
}

/// Approved bytes that the coordinator will never take.
fn give_up(
    sql: &Transaction<'_>,
    job: &StoredJob,
    now: Timestamp,
    refusal: Refusal,
) -> Result<(), WriteFault> {
    standing(job, &[SiteState::Sending])?;
    sql.execute(
        "UPDATE outbox SET refused = ?2 WHERE job = ?1",
        params![job.digest.to_string(), refusal.as_str()],
    )?;
    let event = Event::declined(refusal, "coordinator", None);
    append_for(sql, job, now, event)?;
    set_state(sql, job.digest, SiteState::RejectedBySite)
}

pub(super) fn decline(
    sql: &Transaction<'_>,
    job: &StoredJob,
    now: Timestamp,
    refusal: Refusal,
    by: &str,
    reason: Option<String>,
) -> Result<(), WriteFault> {
    if job.state.is_terminal() || job.state == SiteState::Sending {
        return Err(not_waiting(job).into());
    }
    sql.execute(
        "UPDATE job SET refusal = ?2, local_why = ?3, told = 0 WHERE digest = ?1",
        params![job.digest.to_string(), refusal.as_str(), reason],
    )?;
    forget(sql, job.digest)?;
    append_for(sql, job, now, Event::declined(refusal, by, reason))?;
    set_state(sql, job.digest, SiteState::RejectedBySite)
}

pub(super) fn append_for(
    sql: &Transaction<'_>,
    job: &StoredJob,
    now: Timestamp,
    event: Event,
) -> Result<(), WriteFault> {
    let subject = Subject {
        study: Some(job.study.clone()),
        protocol: Some(job.protocol),
        round: job.round.parse().ok(),
        job: Some(job.digest),
    };
    append(sql, now, subject, event)
}

/// What a ledger entry is about.
#[derive(Default)]
pub(super) struct Subject {
    pub(super) study: Option<StudySlug>,
    pub(super) protocol: Option<Digest>,
    pub(super) round: Option<RoundId>,
    pub(super) job: Option<Digest>,
}

pub(super) fn append(
    sql: &Transaction<'_>,
    now: Timestamp,
    subject: Subject,
    event: Event,
) -> Result<(), WriteFault> {
    let head = head(sql)?;
    let nonce = Nonce::generate(&mut SystemEntropy)
        .map_err(|_| Fault::internal("the system gave no randomness"))?;
    let entry = Entry {
        schema: ledger::SCHEMA.to_owned(),
        seq: head.entries + 1,
        previous: head.hash,
        nonce: Some(nonce),
        at: now,
        study: subject.study,
        protocol: subject.protocol,
        round: subject.round,
        job: subject.job,
        event,
    };
    let (hash, bytes) =
        ledger::seal(&entry).map_err(|fault| Fault::internal(format!("ledger entry: {fault}")))?;
    sql.execute(
        "INSERT INTO ledger (seq, hash, body) VALUES (?1, ?2, ?3)",
        params![
            i64::try_from(entry.seq).unwrap_or(i64::MAX),
            hash.to_string(),
            bytes
        ],
    )?;
    Ok(())
}
