//! Releases as they arrived, byte for byte, with what the checks found, and their receipts.
//! One release per job and step: the same bytes again are answered with the same receipt; other bytes
//! put both aside for a person.
//!
//! From: `intake`.
//! To: `bundle` (accepted releases), `round status` (what is set aside).

use rusqlite::{Connection, OptionalExtension, Row, Transaction, params};
use serde::{Deserialize, Serialize};
use shared::fault::Fault;
use shared::identity::Digest;
use shared::study::job::MEASURE;
use shared::study::{ExchangeId, RoundId, SiteSlug, SiteState, Timestamp};
use shared::wire::{LedgerHead, Refusal};

use super::audit::{AuditEntry, append};
use super::rounds::{advance, own_job, set_job};
use super::sites::ledger_head;
use super::{Store, broken, corrupt, moment, parsed, steps, unreadable};
use crate::intake::Finding;
use crate::round::RoundEvent;
use crate::waypoint;

/// Whether a release may be pooled.
#[derive(Clone, Copy, Debug, Eq, PartialEq, Serialize, Deserialize)]
#[serde(rename_all = "kebab-case")]
pub enum InboxStatus {
    /// Every check passed.
    Accepted,
    /// Set aside for a person, with reasons.
    Quarantined,
}

impl InboxStatus {
    /// The word in storage.
    pub fn as_str(self) -> &'static str {
        match self {
            Self::Accepted => "accepted",
            Self::Quarantined => "quarantined",
        }
    }
}

/// One release as it arrived.
#[derive(Clone, Debug)]
pub struct InboxItem {
    /// The release's content-derived id.
    pub release: Digest,
    /// Digest of its bytes.
    pub digest: Digest,
    /// The job it answers.
    pub job: Digest,
    /// The exchange of that job.
    pub exchange: ExchangeId,
    /// The step of that exchange.
    pub step: u32,
    /// The site.
    pub site: SiteSlug,
    /// The bytes.
    pub bytes: Vec<u8>,
    /// Digest of its statistics alone, to find one result under two names.
    pub fingerprint: Digest,
    /// When it arrived.
    pub received_at: Timestamp,
    /// Whether it may be pooled.
    pub status: InboxStatus,
    /// Why not.
    pub findings: Vec<Finding>,
}

/// What became of a delivery.
#[derive(Clone, Debug, Eq, PartialEq)]
pub enum Stored {
    /// It is stored, now or before; its receipt.
    Receipt(Vec<u8>),
    /// Not taken.
    Refused(Refusal),
}

pub(super) fn item(row: &Row<'_>) -> rusqlite::Result<InboxItem> {
    let status: String = row.get("status")?;
    let findings: String = row.get("findings")?;
    Ok(InboxItem {
        release: parsed(row, "release")?,
        digest: parsed(row, "digest")?,
        job: parsed(row, "job")?,
        exchange: parsed(row, "exchange")?,
        step: row.get("step")?,
        site: parsed(row, "site")?,
        bytes: row.get("bytes")?,
        fingerprint: parsed(row, "fingerprint")?,
        received_at: moment(row, "received_at")?,
        status: match status.as_str() {
            "accepted" => InboxStatus::Accepted,
            "quarantined" => InboxStatus::Quarantined,
            _ => return Err(unreadable("status")),
        },
        findings: serde_json::from_str(&findings).map_err(|_| unreadable("findings"))?,
    })
}

impl Store {
    /// Stores a delivery, its receipt, the site's ledger head and the job's end at once.
    /// `receipt` is made beforehand; when the same bytes were stored before, that first receipt
    /// is returned and nothing changes.
    ///
    /// # Errors
    /// [`Fault`] when the database fails.
    pub fn deliver(
        &self,
        delivery: &InboxItem,
        receipt: &[u8],
        ledger: &LedgerHead,
        now: Timestamp,
    ) -> Result<Stored, Fault> {
        self.change(|transaction| {
            if let Some(before) = stored_receipt(transaction, delivery)? {
                return Ok(Stored::Receipt(before));
            }
            let job = match own_job(transaction, &delivery.site, &delivery.job)? {
                Ok(job) => job,
                Err(refusal) => return Ok(Stored::Refused(refusal)),
            };
            let measured = delivery.exchange.as_str() == MEASURE;
            let objection = if !measured {
                steps::objection(transaction, delivery, job.state)?
            } else if matches!(job.state, SiteState::Delivered | SiteState::RejectedBySite) {
                Some(Refusal::Conflict)
            } else {
                None
            };
            if let Some(refusal) = objection {
                if refusal == Refusal::Conflict && job.state == SiteState::Delivered {
                    conflict(transaction, delivery, &job.round, now)?;
                }
                return Ok(Stored::Refused(refusal));
            }
            let last = ledger_head(transaction, &delivery.site).map_err(|error| broken(&error))?;
            if ledger.entries < last.entries {
                return Ok(Stored::Refused(Refusal::LedgerBehind));
            }
            if advance(transaction, &job.round, &RoundEvent::Hear).is_err() {
                return Ok(Stored::Refused(Refusal::RoundClosed));
            }
            let delivery = &with_twins(transaction, delivery, &job.round)?;
            insert(transaction, delivery)?;
            insert_receipt(transaction, delivery, receipt)
                .and_then(|()| set_ledger(transaction, &delivery.site, ledger, now))
                .map_err(|error| broken(&error))?;
            if measured {
                set_job(transaction, &delivery.job, SiteState::Delivered, None, now)?;
            }
            waypoint::pass("coordinator.deliver.inside");
            let what = format!("release {}", delivery.status.as_str());
            let entry = AuditEntry::new(now, &what).site(&delivery.site);
            append(
                transaction,
                &entry.round(&job.round).object(&delivery.digest),
            )?;
            Ok(Stored::Receipt(receipt.to_vec()))
        })
    }

    /// Everything that arrived for a round's first exchange, by site.
    ///
    /// # Errors
    /// [`Fault`] when the database fails.
    pub fn inbox(&self, round: &RoundId) -> Result<Vec<InboxItem>, Fault> {
        self.read(|connection| {
            connection
                .prepare(
                    "SELECT inbox.* FROM inbox JOIN job ON job.digest = inbox.job
                     WHERE job.round = ?1 AND inbox.exchange = 'measure'
                     ORDER BY inbox.site, inbox.received_at, inbox.digest",
                )?
                .query_map([round.as_str()], item)?
                .collect()
        })
    }

    /// The receipt of a release, when it is stored.
    ///
    /// # Errors
    /// [`Fault`] when the database fails.
    pub fn receipt(&self, release: &Digest, digest: &Digest) -> Result<Option<Vec<u8>>, Fault> {
        self.read(|connection| find_receipt(connection, release, digest))
    }
}

fn find_receipt(
    connection: &Connection,
    release: &Digest,
    digest: &Digest,
) -> rusqlite::Result<Option<Vec<u8>>> {
    connection
        .query_row(
            "SELECT bytes FROM receipt WHERE release = ?1 AND digest = ?2",
            [release.to_string(), digest.to_string()],
            |row| row.get(0),
        )
        .optional()
}

fn stored_receipt(
    transaction: &Transaction<'_>,
    delivery: &InboxItem,
) -> Result<Option<Vec<u8>>, Fault> {
    find_receipt(transaction, &delivery.release, &delivery.digest).map_err(|error| broken(&error))
}

fn insert(transaction: &Transaction<'_>, item: &InboxItem) -> Result<(), Fault> {
    let findings = serde_json::to_string(&item.findings).map_err(|_| corrupt("finding"))?;
    transaction
        .execute(
            "INSERT INTO inbox
             (release, digest, job, site, bytes, fingerprint, received_at, status, findings,
              exchange, step)
             VALUES (?1, ?2, ?3, ?4, ?5, ?6, ?7, ?8, ?9, ?10, ?11) ON CONFLICT DO NOTHING",
            params![
                item.release.to_string(),
                item.digest.to_string(),
                item.job.to_string(),
                item.site.as_str(),
                item.bytes,
                item.fingerprint.to_string(),
                item.received_at.unix(),
                item.status.as_str(),
                findings,
                item.exchange.as_str(),
                item.step
            ],
        )
        .map(|_| ())
        .map_err(|error| broken(&error))
}

fn insert_receipt(
    transaction: &Transaction<'_>,
    item: &InboxItem,
    receipt: &[u8],
) -> rusqlite::Result<()> {
    transaction
        .execute(
            "INSERT INTO receipt (release, digest, bytes) VALUES (?1, ?2, ?3)",
            params![item.release.to_string(), item.digest.to_string(), receipt],
        )
        .map(|_| ())
}

fn set_ledger(
    transaction: &Transaction<'_>,
    site: &SiteSlug,
    ledger: &LedgerHead,
    now: Timestamp,
) -> rusqlite::Result<()> {
    let entries = i64::try_from(ledger.entries).unwrap_or(i64::MAX);
    transaction
        .execute(
            "INSERT INTO ledger (site, entries, hash, changed_at) VALUES (?1, ?2, ?3, ?4)
             ON CONFLICT (site) DO UPDATE SET entries = excluded.entries,
             hash = excluded.hash, changed_at = excluded.changed_at",
            params![site.as_str(), entries, ledger.hash.to_string(), now.unix()],
        )
        .map(|_| ())
}

/// Two answers to one job: both are kept, neither is pooled.
fn conflict(
    transaction: &Transaction<'_>,
    delivery: &InboxItem,
    round: &RoundId,
    now: Timestamp,
) -> Result<(), Fault> {
    let finding = Finding::new(
        "one-release-per-job",
        "release",
        "this job was answered twice with different bytes",
    );
    let mut second = delivery.clone();
    second.status = InboxStatus::Quarantined;
    second.findings.push(finding.clone());
    insert(transaction, &second)?;
    quarantine_job(transaction, &delivery.job, &delivery.exchange, &finding)?;
    let entry = AuditEntry::new(now, "release conflict").site(&delivery.site);
    append(transaction, &entry.round(round).object(&delivery.digest))
}

/// Adds `finding` to every release of a job's exchange and sets it aside.
fn quarantine_job(
    transaction: &Transaction<'_>,
    job: &Digest,
    exchange: &ExchangeId,
    finding: &Finding,
) -> Result<(), Fault> {
    let items: Vec<InboxItem> = transaction
        .prepare("SELECT * FROM inbox WHERE job = ?1 AND exchange = ?2")
        .and_then(|mut statement| {
            let key = [job.to_string(), exchange.to_string()];
            statement.query_map(key, item)?.collect()
        })
        .map_err(|error| broken(&error))?;
    for mut item in items {
        if !item.findings.contains(finding) {
            item.findings.push(finding.clone());
        }
        let findings = serde_json::to_string(&item.findings).map_err(|_| corrupt("finding"))?;
        transaction
            .execute(
                "UPDATE inbox SET status = 'quarantined', findings = ?3
                 WHERE release = ?1 AND digest = ?2",
                [item.release.to_string(), item.digest.to_string(), findings],
            )
            .map_err(|error| broken(&error))?;
    }
    Ok(())
}

/// The same statistics under two sites' names: a copied release or one data set counted twice.
/// Both are set aside.
fn with_twins(
    transaction: &Transaction<'_>,
    delivery: &InboxItem,
    round: &RoundId,
) -> Result<InboxItem, Fault> {
    let twins: Vec<(Digest, SiteSlug)> = transaction
        .prepare(
            "SELECT inbox.job, inbox.site FROM inbox JOIN job ON job.digest = inbox.job
             WHERE job.round = ?1 AND inbox.fingerprint = ?2 AND inbox.site <> ?3
             AND inbox.exchange = ?4",
        )
        .and_then(|mut statement| {
            let fingerprint = delivery.fingerprint.to_string();
            statement
                .query_map(
                    [
                        round.as_str(),
                        &fingerprint,
                        delivery.site.as_str(),
                        delivery.exchange.as_str(),
                    ],
                    |row| Ok((parsed(row, "job")?, parsed(row, "site")?)),
                )?
                .collect()
        })
        .map_err(|error| broken(&error))?;
    let mut delivery = delivery.clone();
    for (job, site) in twins {
        let what = format!(
            "{site} released exactly the same statistics as {}",
            delivery.site
        );
        let finding = Finding::new("fingerprint-unique", "statistics", what);
        quarantine_job(transaction, &job, &delivery.exchange, &finding)?;
        delivery.status = InboxStatus::Quarantined;
        delivery.findings.push(finding);
    }
    Ok(delivery)
}
