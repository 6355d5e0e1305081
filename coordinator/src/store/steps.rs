//! Exchanges of several steps: the inputs that were sent, what came back, who will not go on.
//!
//! From: `exchange`, `dispatch`.
//! To: the same, after any restart.

use rusqlite::{OptionalExtension, Row, Transaction, params};
use shared::fault::Fault;
use shared::identity::Digest;
use shared::study::{ExchangeId, RoundId, SiteSlug, SiteState, Timestamp};
use shared::wire::Refusal;

use super::audit::{AuditEntry, append};
use super::inbox::{self, InboxItem, SealedItem};
use super::rounds::{advance, own_job};
use super::vault::{Place, Unopened, Vault};
use super::{Store, broken, parsed, unreadable};
use crate::round::RoundEvent;
use crate::waypoint;

/// The stored input of a step, still sealed: it holds sums over the sites.
pub(super) struct Kept {
    pub(super) round: String,
    pub(super) exchange: String,
    pub(super) step: u32,
    digest: Digest,
    sealed: Vec<u8>,
}

pub(super) fn kept(row: &Row<'_>) -> rusqlite::Result<Kept> {
    Ok(Kept {
        round: row.get("round")?,
        exchange: row.get("exchange")?,
        step: row.get("step")?,
        digest: parsed(row, "digest")?,
        sealed: row.get("bytes")?,
    })
}

/// The identity that a step is sealed with.
fn place(round: &str, exchange: &str, step: u32, digest: &Digest) -> [String; 6] {
    [
        "step".to_owned(),
        "bytes".to_owned(),
        round.to_owned(),
        exchange.to_owned(),
        step.to_string(),
        digest.to_string(),
    ]
}

impl Kept {
    /// The identity that it is sealed with.
    pub(super) fn place(&self) -> [String; 6] {
        place(&self.round, &self.exchange, self.step, &self.digest)
    }

    /// Its bytes.
    pub(super) fn open(&self, vault: &Vault) -> Result<Vec<u8>, Fault> {
        let what = format!("{} step {} of {}", self.exchange, self.step, self.round);
        self.try_open(vault).map_err(|why| why.into_fault(&what))
    }

    /// The same, or why not.
    pub(super) fn try_open(&self, vault: &Vault) -> Result<Vec<u8>, Unopened> {
        let place = self.place();
        vault.unseal(&Place(&place.each_ref().map(String::as_str)), &self.sealed)
    }

    /// Whether `bytes` are those that were kept.
    pub(super) fn is(&self, bytes: &[u8]) -> bool {
        Digest::of(bytes) == self.digest
    }
}

/// A site that will not go on with an exchange.
#[derive(Clone, Debug, Eq, PartialEq)]
pub struct StepDeclined {
    /// The site.
    pub site: SiteSlug,
    /// The step it did not answer.
    pub step: u32,
    /// The word it gave.
    pub refusal: Refusal,
}

impl Store {
    /// The input of a step with its digest, once it was made.
    ///
    /// # Errors
    /// [`Fault`] when the database fails.
    pub fn step(
        &self,
        round: &RoundId,
        exchange: &ExchangeId,
        step: u32,
    ) -> Result<Option<(Digest, Vec<u8>)>, Fault> {
        let found = self.read(|connection| {
            connection
                .prepare_cached(
                    "SELECT * FROM step WHERE round = ?1 AND exchange = ?2 AND step = ?3",
                )?
                .query_row(params![round.as_str(), exchange.as_str(), step], kept)
                .optional()
        })?;
        let Some(found) = found else { return Ok(None) };
        let bytes = found.open(&self.vault)?;
        Ok(Some((found.digest, bytes)))
    }

    /// The same with the moment it was made.
    ///
    /// # Errors
    /// [`Fault`] when the database fails.
    pub fn step_made(
        &self,
        round: &RoundId,
        exchange: &ExchangeId,
        step: u32,
    ) -> Result<Option<(Digest, Vec<u8>, Timestamp)>, Fault> {
        let Some((digest, bytes)) = self.step(round, exchange, step)? else {
            return Ok(None);
        };
        let made_at: i64 = self.read(|connection| {
            connection
                .prepare_cached(
                    "SELECT made_at FROM step WHERE round = ?1 AND exchange = ?2 AND step = ?3",
                )?
                .query_row(params![round.as_str(), exchange.as_str(), step], |row| {
                    row.get(0)
                })
        })?;
        let made_at = Timestamp::from_unix(made_at)
            .ok_or_else(|| Fault::internal("a step was made at no time"))?;
        Ok(Some((digest, bytes, made_at)))
    }

    /// Keeps the input of a step before any site sees it. An input once kept stays.
    ///
    /// # Errors
    /// [`Fault`] when the database fails or the round takes nothing more.
    pub fn keep_step(
        &self,
        round: &RoundId,
        exchange: &ExchangeId,
        step: u32,
        bytes: &[u8],
        now: Timestamp,
    ) -> Result<(), Fault> {
        let digest = Digest::of(bytes);
        self.change(|transaction| {
            advance(transaction, round, &RoundEvent::Hear)?;
            let place = place(round.as_str(), exchange.as_str(), step, &digest);
            let words = place.each_ref().map(String::as_str);
            let sealed = self.vault.seal(transaction, &Place(&words), bytes)?;
            let added = transaction
                .execute(
                    "INSERT INTO step (round, exchange, step, digest, bytes, made_at)
                     VALUES (?1, ?2, ?3, ?4, ?5, ?6) ON CONFLICT DO NOTHING",
                    params![
                        round.as_str(),
                        exchange.as_str(),
                        step,
                        digest.to_string(),
                        sealed,
                        now.unix()
                    ],
                )
                .map_err(|error| broken(&error))?;
            if added == 0 {
                return Ok(());
            }
            waypoint::pass("coordinator.step.inside");
            let entry = AuditEntry::new(now, &format!("{exchange} step {step}"));
            append(transaction, &entry.round(round).object(&digest))
        })
    }

    /// Everything that arrived for the steps of a round, by exchange, step and site.
    ///
    /// # Errors
    /// [`Fault`] when the database fails.
    pub fn step_inbox(&self, round: &RoundId) -> Result<Vec<InboxItem>, Fault> {
        let rows: Vec<SealedItem> = self.read(|connection| {
            connection
                .prepare_cached(
                    "SELECT inbox.* FROM inbox JOIN job ON job.digest = inbox.job
                     WHERE job.round = ?1 AND inbox.exchange <> 'measure'
                     ORDER BY inbox.exchange, inbox.step, inbox.site, inbox.digest",
                )?
                .query_map([round.as_str()], inbox::sealed)?
                .collect()
        })?;
        rows.into_iter().map(|row| row.open(&self.vault)).collect()
    }

    /// Sites that will not go on with an exchange of a round.
    ///
    /// # Errors
    /// [`Fault`] when the database fails.
    pub fn step_declined(
        &self,
        round: &RoundId,
        exchange: &ExchangeId,
    ) -> Result<Vec<StepDeclined>, Fault> {
        self.read(|connection| {
            connection
                .prepare_cached(
                    "SELECT job.site, step_declined.step, step_declined.refusal
                     FROM step_declined JOIN job ON job.digest = step_declined.job
                     WHERE job.round = ?1 AND step_declined.exchange = ?2 ORDER BY job.site",
                )?
                .query_map([round.as_str(), exchange.as_str()], |row| {
                    let refusal: String = row.get("refusal")?;
                    Ok(StepDeclined {
                        site: parsed(row, "site")?,
                        step: row.get("step")?,
                        refusal: Refusal::parse(&refusal).ok_or_else(|| unreadable("refusal"))?,
                    })
                })?
                .collect()
        })
    }

    /// Notes that a site will not go on with an exchange; its first word counts.
    ///
    /// # Errors
    /// [`Fault`] when the database fails.
    pub fn decline_step(
        &self,
        site: &SiteSlug,
        job: &Digest,
        exchange: &ExchangeId,
        (step, refusal): (u32, Refusal),
        now: Timestamp,
    ) -> Result<Result<(), Refusal>, Fault> {
        self.change(|transaction| {
            let row = match own_job(transaction, site, job)? {
                Ok(row) => row,
                Err(refusal) => return Ok(Err(refusal)),
            };
            let known = transaction
                .prepare_cached("SELECT 1 FROM step_declined WHERE job = ?1 AND exchange = ?2")
                .and_then(|mut found| found.exists([job.to_string(), exchange.to_string()]))
                .map_err(|error| broken(&error))?;
            if known {
                return Ok(Ok(()));
            }
            if advance(transaction, &row.round, &RoundEvent::Hear).is_err() {
                return Ok(Err(Refusal::RoundClosed));
            }
            transaction
                .execute(
                    "INSERT INTO step_declined (job, exchange, step, refusal, at)
                     VALUES (?1, ?2, ?3, ?4, ?5)",
                    params![
                        job.to_string(),
                        exchange.as_str(),
                        step,
                        refusal.as_str(),
                        now.unix()
                    ],
                )
                .map_err(|error| broken(&error))?;
            let entry = AuditEntry::new(now, &format!("{exchange} declined")).site(site);
            append(
                transaction,
                &entry.round(&row.round).object(&refusal.as_str()),
            )?;
            Ok(Ok(()))
        })
    }
}

/// Why a step's release is not taken now; a second answer to one step is a conflict.
pub(super) fn objection(
    transaction: &Transaction<'_>,
    delivery: &InboxItem,
    state: SiteState,
) -> Result<Option<Refusal>, Fault> {
    if state != SiteState::Delivered {
        return Ok(Some(Refusal::NotAllowed));
    }
    let twice = transaction
        .prepare_cached("SELECT 1 FROM inbox WHERE job = ?1 AND exchange = ?2 AND step = ?3")
        .and_then(|mut found| {
            found.exists(params![
                delivery.job.to_string(),
                delivery.exchange.as_str(),
                delivery.step
            ])
        })
        .map_err(|error| broken(&error))?;
    Ok(twice.then_some(Refusal::Conflict))
}
