//! The audit trail: who did what, and who was shown what hospitals sent, when; each entry carries
//! the hash of the one before.
//!
//! From: every change, every command that shows or writes out results of sites.
//! To: `fedval ledger list`, `fedval check`, an auditor.

use rusqlite::{OptionalExtension, Transaction, params};
use serde::{Deserialize, Serialize};
use shared::fault::Fault;
use shared::identity::{Digest, Nonce, to_canonical};
use shared::study::{SiteSlug, Timestamp};

use super::{Store, broken, corrupt};
use crate::consortium::no_entropy;
use crate::link::SystemEntropy;
use crate::person::this_user;

/// One entry's content.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
pub struct AuditEntry {
    /// When.
    pub at: Timestamp,
    /// What was done, such as `site approved`.
    pub what: String,
    /// Who ran the process that did it: the server's user for what nodes ask, a person's for
    /// commands.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub by: Option<String>,
    /// The study concerned.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub study: Option<String>,
    /// The site concerned.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub site: Option<String>,
    /// The round concerned.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub round: Option<String>,
    /// A digest, serial or word that identifies the object.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub object: Option<String>,
    /// Why, where a person had to say so.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub reason: Option<String>,
    /// Sites whose results were shown or written out.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub shown: Vec<String>,
}

/// Where the chain breaks.
#[derive(Clone, Copy, Debug, Eq, PartialEq)]
pub struct AuditFault {
    /// Number of the first entry that does not follow from the one before.
    pub seq: i64,
}

impl AuditEntry {
    /// An entry without site, round and object.
    pub(crate) fn new(at: Timestamp, what: &str) -> Self {
        Self {
            at,
            what: what.to_owned(),
            by: Some(this_user()),
            study: None,
            site: None,
            round: None,
            object: None,
            reason: None,
            shown: Vec::new(),
        }
    }

    pub(crate) fn study(mut self, study: &impl ToString) -> Self {
        self.study = Some(study.to_string());
        self
    }

    /// The sites whose results the command shows.
    pub(crate) fn shown<'a>(mut self, sites: impl Iterator<Item = &'a SiteSlug>) -> Self {
        self.shown = sites.map(ToString::to_string).collect();
        self
    }

    pub(crate) fn site(mut self, site: &impl ToString) -> Self {
        self.site = Some(site.to_string());
        self
    }

    pub(crate) fn round(mut self, round: &impl ToString) -> Self {
        self.round = Some(round.to_string());
        self
    }

    pub(crate) fn reason(mut self, reason: &str) -> Self {
        self.reason = Some(reason.to_owned());
        self
    }

    pub(crate) fn object(mut self, object: &impl ToString) -> Self {
        self.object = Some(object.to_string());
        self
    }
}

/// An entry as it is stored: with a random part, so that hashes of entries, which nodes see in
/// proofs, tell nothing to whoever guesses an entry's content.
#[derive(Serialize)]
struct Salted<'a> {
    nonce: Nonce,
    #[serde(flatten)]
    entry: &'a AuditEntry,
}

pub(super) fn chain(seq: i64, prev: &str, body: &str) -> Digest {
    Digest::of_list(&[
        b"fedval.audit/1",
        &seq.to_be_bytes(),
        prev.as_bytes(),
        body.as_bytes(),
    ])
}

/// Appends inside a running transaction, so that no change goes without its entry.
pub(super) fn append(transaction: &Transaction<'_>, entry: &AuditEntry) -> Result<(), Fault> {
    let last: Option<(i64, String)> = transaction
        .query_row(
            "SELECT seq, hash FROM audit ORDER BY seq DESC LIMIT 1",
            [],
            |row| Ok((row.get(0)?, row.get(1)?)),
        )
        .optional()
        .map_err(|error| broken(&error))?;
    let (seq, prev) = last.map_or_else(
        || (1, Digest::of(b"").to_string()),
        |(seq, hash)| (seq + 1, hash),
    );
    let nonce = Nonce::generate(&mut SystemEntropy).map_err(no_entropy)?;
    let body = to_canonical(&Salted { nonce, entry }).map_err(|_| corrupt("audit entry"))?;
    let body = String::from_utf8(body).map_err(|_| corrupt("audit entry"))?;
    let hash = chain(seq, &prev, &body).to_string();
    transaction
        .execute(
            "INSERT INTO audit (seq, prev, hash, body) VALUES (?1, ?2, ?3, ?4)",
            params![seq, prev, hash, body],
        )
        .map(|_| ())
        .map_err(|error| broken(&error))
}

impl Store {
    /// Appends one entry on its own.
    ///
    /// # Errors
    /// [`Fault`] when the database fails.
    pub fn note(&self, entry: &AuditEntry) -> Result<(), Fault> {
        self.change(|transaction| append(transaction, entry))
    }

    /// Every entry, oldest first.
    ///
    /// # Errors
    /// [`Fault`] when the database fails.
    pub fn audit(&self) -> Result<Vec<AuditEntry>, Fault> {
        let bodies: Vec<String> = self.read(|connection| {
            connection
                .prepare("SELECT body FROM audit ORDER BY seq")?
                .query_map([], |row| row.get(0))?
                .collect()
        })?;
        bodies
            .iter()
            .map(|body| serde_json::from_str(body).map_err(|_| corrupt("audit entry")))
            .collect()
    }

    /// Recomputes the chain; the number of entries, or where it breaks.
    ///
    /// # Errors
    /// [`Fault`] when the database fails.
    pub fn verify_audit(&self) -> Result<Result<i64, AuditFault>, Fault> {
        let rows: Vec<(i64, String, String, String)> = self.read(|connection| {
            connection
                .prepare("SELECT seq, prev, hash, body FROM audit ORDER BY seq")?
                .query_map([], |row| {
                    Ok((row.get(0)?, row.get(1)?, row.get(2)?, row.get(3)?))
                })?
                .collect()
        })?;
        let mut expected = (1, Digest::of(b"").to_string());
        for (seq, prev, hash, body) in rows {
            let holds = seq == expected.0
                && prev == expected.1
                && hash == chain(seq, &prev, &body).to_string();
            if !holds {
                return Ok(Err(AuditFault { seq: expected.0 }));
            }
            expected = (seq + 1, hash);
        }
        Ok(Ok(expected.0 - 1))
    }
}
