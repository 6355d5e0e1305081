//! A person takes a release that was set aside after all. Only one whose fault is another site's:
//! whoever sends a hospital's published numbers under a second name has the hospital's own release
//! set aside, and cannot keep it out for ever. What contradicts itself, or was answered twice, stays
//! aside.
//!
//! From: `fedval round accept`.
//! To: the inbox, the audit trail.

use rusqlite::Transaction;
use shared::fault::{Code, Fault};
use shared::identity::Digest;
use shared::study::{RoundId, SiteSlug, Timestamp};

use super::audit::{AuditEntry, append};
use super::inbox::{self, SealedItem};
use super::rounds::advance;
use super::{InboxItem, InboxStatus, Store, broken};
use crate::round::RoundEvent;

/// What the audit trail calls it.
pub(super) const ACCEPTED: &str = "release accepted by a person";

/// Findings about two sites at once.
const BETWEEN_SITES: [&str; 2] = ["fingerprint-unique", "numbers-unique"];

impl Store {
    /// Takes what `site` released in a round that is still open and that was set aside for being
    /// another site's too; the digests of the documents.
    ///
    /// # Errors
    /// [`Code::RoundState`] when the round is closed or nothing is set aside, [`Code::CheckFailed`]
    /// when a finding is about the release itself.
    pub fn accept(
        &self,
        round: &RoundId,
        site: &SiteSlug,
        reason: &str,
        now: Timestamp,
    ) -> Result<Vec<Digest>, Fault> {
        self.change(|transaction| {
            if advance(transaction, round, &RoundEvent::Hear).is_err() {
                return Err(not_now(
                    format!("round {round} takes nothing more"),
                    "its report stands as it was pooled",
                    "launch a new round",
                ));
            }
            let aside = self.set_aside(transaction, round, site)?;
            if aside.is_empty() {
                return Err(not_now(
                    format!("nothing of {site} is set aside in round {round}"),
                    "every release of it is accepted, or there is none",
                    "look: fedval round status ROUND",
                ));
            }
            let own = |item: &&InboxItem| {
                let rules = item.findings.iter().map(|finding| finding.rule.as_str());
                rules.clone().any(|rule| !BETWEEN_SITES.contains(&rule))
            };
            if let Some(item) = aside.iter().find(own) {
                return Err(Fault::new(
                    Code::CheckFailed,
                    format!("the release {} of {site} cannot be accepted", item.release),
                    "a check found it to contradict itself, or the job was answered twice",
                    "ask the hospital; when it is mended, launch a new round",
                ));
            }
            for item in &aside {
                let mut item = item.clone();
                item.status = InboxStatus::Accepted;
                inbox::write(transaction, &self.vault, &item)?;
                let entry = AuditEntry::new(now, ACCEPTED).site(site).round(round);
                append(transaction, &entry.object(&item.digest).reason(reason))?;
            }
            Ok(aside.iter().map(|item| item.digest).collect())
        })
    }

    fn set_aside(
        &self,
        transaction: &Transaction<'_>,
        round: &RoundId,
        site: &SiteSlug,
    ) -> Result<Vec<InboxItem>, Fault> {
        let rows: Vec<SealedItem> = transaction
            .prepare(
                "SELECT inbox.* FROM inbox JOIN job ON job.digest = inbox.job
                 WHERE job.round = ?1 AND inbox.site = ?2 AND inbox.status = 'quarantined'
                 ORDER BY inbox.received_at, inbox.digest",
            )
            .and_then(|mut statement| {
                let key = [round.as_str(), site.as_str()];
                statement.query_map(key, inbox::sealed)?.collect()
            })
            .map_err(|error| broken(&error))?;
        rows.into_iter().map(|row| row.open(&self.vault)).collect()
    }
}

fn not_now(what: String, why: &str, fix: &str) -> Fault {
    Fault::new(Code::RoundState, what, why, fix)
}

#[cfg(test)]
mod tests;
