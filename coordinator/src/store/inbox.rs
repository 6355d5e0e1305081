//! Releases as they arrived, byte for byte, with what the checks found, and their receipts.
//! One release per job and step: the same bytes again are answered with the same receipt; other bytes
//! put both aside for a person.
//!
//! From: `intake`.
//! To: `bundle` (accepted releases), `round status` (what is set aside).

use data_encoding::BASE64;
use rusqlite::{Connection, OptionalExtension, Row, Transaction, params};
use serde::{Deserialize, Serialize};
use shared::fault::Fault;
use shared::identity::Digest;
use shared::study::job::MEASURE;
use shared::study::masked::EXCHANGE;
use shared::study::{ExchangeId, RoundId, SiteSlug, SiteState, Timestamp};
use shared::wire::{LedgerHead, Refusal};

use super::audit::{AuditEntry, append};
use super::rounds::{advance, own_job, set_job};
use super::sites::ledger_head;
use super::vault::{Place, Unopened, Vault};
use super::{Store, broken, corrupt, moment, parsed, steps, unreadable};
use crate::intake::{Finding, Sketch};
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

    /// The status called `text`.
    pub(super) fn parse(text: &str) -> Option<Self> {
        let all = [Self::Accepted, Self::Quarantined];
        all.into_iter().find(|status| status.as_str() == text)
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
    /// Its numbers of several digits, to find most of one result under two names.
    pub sketch: Sketch,
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

/// A row whose texts are still sealed.
pub(super) struct SealedItem {
    /// Everything else; its bytes are the sealed ones, its findings empty.
    item: InboxItem,
    findings: String,
    sketch: Vec<u8>,
}

pub(super) fn sealed(row: &Row<'_>) -> rusqlite::Result<SealedItem> {
    let status: String = row.get("status")?;
    Ok(SealedItem {
        findings: row.get("findings")?,
        sketch: row.get("sketch")?,
        item: InboxItem {
            release: parsed(row, "release")?,
            digest: parsed(row, "digest")?,
            job: parsed(row, "job")?,
            exchange: parsed(row, "exchange")?,
            step: row.get("step")?,
            site: parsed(row, "site")?,
            bytes: row.get("bytes")?,
            // Sealed with the sketch.
            fingerprint: Digest::of(b""),
            sketch: Sketch::default(),
            received_at: moment(row, "received_at")?,
            status: InboxStatus::parse(&status).ok_or_else(|| unreadable("status"))?,
            findings: Vec::new(),
        },
    })
}

impl SealedItem {
    /// The row with its texts.
    pub(super) fn open(self, vault: &Vault) -> Result<InboxItem, Fault> {
        let what = format!("the release {} of {}", self.item.release, self.item.site);
        self.try_open(vault).map_err(|why| why.into_fault(&what))
    }

    /// The same, or why not.
    pub(super) fn try_open(self, vault: &Vault) -> Result<InboxItem, Unopened> {
        let (fingerprint, sketch) = self.try_sketch(vault)?;
        let mut item = self.item;
        (item.fingerprint, item.sketch) = (fingerprint, sketch);
        let [bytes, findings, _] = places(&item);
        let sealed = BASE64.decode(self.findings.as_bytes());
        let sealed = sealed.map_err(|_| Unopened::Altered)?;
        let text = with(&findings, |place| vault.unseal(place, &sealed))?;
        item.bytes = with(&bytes, |place| vault.unseal(place, &item.bytes))?;
        item.findings = serde_json::from_slice(&text).map_err(|_| Unopened::Altered)?;
        Ok(item)
    }

    /// What it is compared with others by: the digest of its statistics, and its sketch.
    fn sketch(&self, vault: &Vault) -> Result<(Digest, Sketch), Fault> {
        let what = format!("the release {} of {}", self.item.release, self.item.site);
        self.try_sketch(vault).map_err(|why| why.into_fault(&what))
    }

    fn try_sketch(&self, vault: &Vault) -> Result<(Digest, Sketch), Unopened> {
        let [_, _, at] = places(&self.item);
        let bytes = with(&at, |place| vault.unseal(place, &self.sketch))?;
        let (fingerprint, sketch) = bytes.split_first_chunk().ok_or(Unopened::Altered)?;
        let sketch = Sketch::from_bytes(sketch).ok_or(Unopened::Altered)?;
        Ok((Digest::from_bytes(*fingerprint), sketch))
    }

    /// Id and site, for words about a row that does not open.
    pub(super) fn named(&self) -> (Digest, SiteSlug) {
        (self.item.release, self.item.site.clone())
    }
}

/// The identities that the three texts of a row are sealed with. The status goes with the findings,
/// so that nobody turns a release that was set aside into an accepted one by its status alone. A
/// whole row put back as it once was does open; the audit trail knows better (`proof`).
fn places(item: &InboxItem) -> [Vec<String>; 3] {
    let row = |column: &str| {
        vec![
            "inbox".to_owned(),
            column.to_owned(),
            item.job.to_string(),
            item.exchange.to_string(),
            item.step.to_string(),
            item.site.to_string(),
            item.release.to_string(),
            item.digest.to_string(),
        ]
    };
    let mut findings = row("findings");
    findings.push(item.status.as_str().to_owned());
    [row("bytes"), findings, row("sketch")]
}

fn with<T>(place: &[String], body: impl FnOnce(&Place<'_>) -> T) -> T {
    let words: Vec<&str> = place.iter().map(String::as_str).collect();
    body(&Place(&words))
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
                    conflict((transaction, &self.vault), delivery, &job.round, now)?;
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
            let delivery = &with_twins((transaction, &self.vault), delivery, &job.round, now)?;
            insert(transaction, &self.vault, delivery)?;
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
        let rows: Vec<SealedItem> = self.read(|connection| {
            connection
                .prepare(
                    "SELECT inbox.* FROM inbox JOIN job ON job.digest = inbox.job
                     WHERE job.round = ?1 AND inbox.exchange = 'measure'
                     ORDER BY inbox.site, inbox.received_at, inbox.digest",
                )?
                .query_map([round.as_str()], sealed)?
                .collect()
        })?;
        rows.into_iter().map(|row| row.open(&self.vault)).collect()
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

fn insert(transaction: &Transaction<'_>, vault: &Vault, item: &InboxItem) -> Result<(), Fault> {
    let added = transaction
        .execute(
            "INSERT INTO inbox
             (release, digest, job, site, bytes, fingerprint, received_at, status, findings,
              exchange, step)
             VALUES (?1, ?2, ?3, ?4, x'', '', ?5, ?6, '', ?7, ?8) ON CONFLICT DO NOTHING",
            params![
                item.release.to_string(),
                item.digest.to_string(),
                item.job.to_string(),
                item.site.as_str(),
                item.received_at.unix(),
                item.status.as_str(),
                item.exchange.as_str(),
                item.step
            ],
        )
        .map_err(|error| broken(&error))?;
    if added == 0 {
        return Ok(());
    }
    write(transaction, vault, item)
}

/// Writes what may change in a row, and its texts sealed with the key in use.
pub(super) fn write(
    transaction: &Transaction<'_>,
    vault: &Vault,
    item: &InboxItem,
) -> Result<(), Fault> {
    let findings = serde_json::to_vec(&item.findings).map_err(|_| corrupt("finding"))?;
    let [at_bytes, at_findings, at_sketch] = places(item);
    let bytes = with(&at_bytes, |place| {
        vault.seal(transaction, place, &item.bytes)
    })?;
    let findings = with(&at_findings, |place| {
        vault.seal(transaction, place, &findings)
    })?;
    // The digest of the statistics is not in the clear: with it, whoever guesses them could see that
    // the guess is right.
    let mut compared = item.fingerprint.as_bytes().to_vec();
    compared.append(&mut item.sketch.to_bytes());
    let sketch = with(&at_sketch, |place| {
        vault.seal(transaction, place, &compared)
    })?;
    transaction
        .execute(
            "UPDATE inbox SET status = ?3, bytes = ?4, findings = ?5, sketch = ?6
             WHERE release = ?1 AND digest = ?2",
            params![
                item.release.to_string(),
                item.digest.to_string(),
                item.status.as_str(),
                bytes,
                BASE64.encode(&findings),
                sketch
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
    (transaction, vault): (&Transaction<'_>, &Vault),
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
    insert(transaction, vault, &second)?;
    quarantine_job(
        (transaction, vault),
        (&delivery.job, &delivery.exchange),
        &finding,
        (round, now),
    )?;
    let entry = AuditEntry::new(now, "release conflict").site(&delivery.site);
    append(transaction, &entry.round(round).object(&delivery.digest))
}

/// A site takes back what it released for a job. What it said in masked sums stays readable, so that
/// nobody else is blamed for a sum that no longer comes out; the sum is not told.
pub(super) fn take_back(
    (transaction, vault): (&Transaction<'_>, &Vault),
    job: &Digest,
    round: &RoundId,
    now: Timestamp,
) -> Result<(), Fault> {
    let finding = Finding::new(
        "withdrawn",
        "release",
        "the site left the study and took its release back",
    );
    let exchanges: Vec<ExchangeId> = transaction
        .prepare("SELECT DISTINCT exchange FROM inbox WHERE job = ?1 AND exchange != ?2")
        .and_then(|mut statement| {
            let key = [job.to_string(), EXCHANGE.to_owned()];
            statement
                .query_map(key, |row| parsed(row, "exchange"))?
                .collect()
        })
        .map_err(|error| broken(&error))?;
    for exchange in exchanges {
        let place = (job, &exchange);
        quarantine_job((transaction, vault), place, &finding, (round, now))?;
    }
    Ok(())
}

/// Adds `finding` to every release of a job's exchange and sets it aside; the trail names each that
/// was accepted until then.
fn quarantine_job(
    (transaction, vault): (&Transaction<'_>, &Vault),
    (job, exchange): (&Digest, &ExchangeId),
    finding: &Finding,
    (round, now): (&RoundId, Timestamp),
) -> Result<(), Fault> {
    let items: Vec<SealedItem> = transaction
        .prepare("SELECT * FROM inbox WHERE job = ?1 AND exchange = ?2")
        .and_then(|mut statement| {
            let key = [job.to_string(), exchange.to_string()];
            statement.query_map(key, sealed)?.collect()
        })
        .map_err(|error| broken(&error))?;
    for item in items {
        let mut item = item.open(vault)?;
        if !item.findings.contains(finding) {
            item.findings.push(finding.clone());
        }
        if item.status == InboxStatus::Accepted {
            let entry = AuditEntry::new(now, "release set aside").site(&item.site);
            append(transaction, &entry.round(round).object(&item.digest))?;
        }
        item.status = InboxStatus::Quarantined;
        write(transaction, vault, &item)?;
    }
    Ok(())
}

/// The same statistics, or most of their numbers, under two sites' names: a copied release or one
/// data set counted twice. Both are set aside; the other one's only while its round is this one,
/// since the report of a closed round stands.
fn with_twins(
    (transaction, vault): (&Transaction<'_>, &Vault),
    delivery: &InboxItem,
    round: &RoundId,
    now: Timestamp,
) -> Result<InboxItem, Fault> {
    let mut delivery = delivery.clone();
    for (other, in_round) in others(transaction, &delivery, round)? {
        let elsewhere = in_round != *round;
        let (fingerprint, sketch) = other.sketch(vault)?;
        let finding = if fingerprint == delivery.fingerprint {
            let when = if elsewhere {
                format!(" in round {in_round}")
            } else {
                String::new()
            };
            let what = format!(
                "{} released exactly the same statistics as {}{when}",
                other.item.site, delivery.site
            );
            Some(Finding::new("fingerprint-unique", "statistics", what))
        } else {
            let sites = [&delivery.site, &other.item.site];
            delivery.sketch.shared_with(&sketch, sites)
        };
        let Some(finding) = finding else { continue };
        delivery.status = InboxStatus::Quarantined;
        delivery.findings.push(finding.clone());
        if !elsewhere {
            let other = other.item;
            let job = (&other.job, &other.exchange);
            quarantine_job((transaction, vault), job, &finding, (round, now))?;
        }
    }
    Ok(delivery)
}

/// What other sites sent for the same step of the same study, with the round it came in.
fn others(
    transaction: &Transaction<'_>,
    delivery: &InboxItem,
    round: &RoundId,
) -> Result<Vec<(SealedItem, RoundId)>, Fault> {
    transaction
        .prepare(
            "SELECT inbox.*, job.round AS round FROM inbox
             JOIN job ON job.digest = inbox.job
             JOIN round ON round.id = job.round
             WHERE round.study = (SELECT study FROM round WHERE id = ?1)
             AND inbox.site <> ?2 AND inbox.exchange = ?3 AND inbox.step = ?4
             ORDER BY inbox.received_at, inbox.site, inbox.digest",
        )
        .and_then(|mut statement| {
            let key = params![
                round.as_str(),
                delivery.site.as_str(),
                delivery.exchange.as_str(),
                delivery.step
            ];
            statement
                .query_map(key, |row| Ok((sealed(row)?, parsed(row, "round")?)))?
                .collect()
        })
        .map_err(|error| broken(&error))
}
