//! Checkpoints, for life: those this node signed of its ledger, and those the coordinator signed of
//! its audit trail. Rows are only added.
//!
//! From: `witness` (what was signed, what was checked), a person who re-baselines.
//! To: the same, `fedval-node ledger verify`.

use rusqlite::{Connection, OptionalExtension as _, params};
use shared::fault::{Code, Fault};
use shared::identity::{Digest, Tree, TreeHead};
use shared::study::Timestamp;
use shared::wire::LedgerHead;

use super::change::{Subject, append};
use super::{Store, head, ledger_rows};
use crate::ledger::Event;

/// What a stored checkpoint is.
#[derive(Clone, Copy, Debug, Eq, PartialEq)]
pub enum CheckpointKind {
    /// Of this ledger, signed here.
    Own,
    /// The coordinator's, checked to extend the one before.
    Held,
    /// The coordinator's, which contradicts what it signed before: evidence.
    Refused,
    /// No document: from here on the coordinator's record is taken as it is.
    GivenUp,
}

impl CheckpointKind {
    const ALL: [Self; 4] = [Self::Own, Self::Held, Self::Refused, Self::GivenUp];

    /// The word in storage.
    fn as_str(self) -> &'static str {
        match self {
            Self::Own => "own",
            Self::Held => "held",
            Self::Refused => "refused",
            Self::GivenUp => "given-up",
        }
    }
}

/// One stored checkpoint.
#[derive(Clone, Debug)]
pub struct StoredCheckpoint {
    /// What it is.
    pub kind: CheckpointKind,
    /// The signed document.
    pub document: Vec<u8>,
    /// The certificate of the key that signed an own one, DER.
    pub certificate: Vec<u8>,
}

impl Store {
    /// The ledger as a tree over the bytes of its entries, and its head as receipts name it; one
    /// moment's.
    ///
    /// # Errors
    /// `FV-INT-001`.
    pub fn tree(&self) -> Result<(Tree, LedgerHead), Fault> {
        self.read(|sql| {
            let rows = ledger_rows(sql)?;
            let tree = Tree::of(rows.iter().map(|(_, _, body)| body.as_slice()));
            Ok((tree, head(sql)?))
        })
    }

    /// The bytes of entry `number`, if there is one.
    ///
    /// # Errors
    /// `FV-INT-001`.
    pub fn entry(&self, number: u64) -> Result<Option<Vec<u8>>, Fault> {
        self.read(|sql| {
            sql.query_row(
                "SELECT body FROM ledger WHERE seq = ?1",
                params![i64::try_from(number).unwrap_or(i64::MAX)],
                |row| row.get(0),
            )
            .optional()
        })
    }

    /// Every checkpoint, in the order they were kept.
    ///
    /// # Errors
    /// `FV-INT-001`.
    pub fn checkpoints(&self) -> Result<Vec<StoredCheckpoint>, Fault> {
        self.read(|sql| {
            sql.prepare("SELECT kind, document, certificate FROM checkpoint ORDER BY id")?
                .query_map([], |row| {
                    let word: String = row.get(0)?;
                    let kind = CheckpointKind::ALL
                        .into_iter()
                        .find(|kind| kind.as_str() == word);
                    Ok(StoredCheckpoint {
                        kind: kind.ok_or_else(|| {
                            let kind = rusqlite::types::Type::Text;
                            rusqlite::Error::InvalidColumnType(0, "kind".into(), kind)
                        })?,
                        document: row.get(1)?,
                        certificate: row.get(2)?,
                    })
                })?
                .collect()
        })
    }

    /// The newest checkpoint of the coordinator's that it is held to.
    ///
    /// # Errors
    /// `FV-INT-001`.
    pub fn held_checkpoint(&self) -> Result<Option<Vec<u8>>, Fault> {
        let newest = self.read(|sql| newest(sql, CheckpointKind::Held))?;
        Ok(newest.filter(|document| !document.is_empty()))
    }

    /// The newest checkpoint that this node signed.
    ///
    /// # Errors
    /// `FV-INT-001`.
    pub fn own_checkpoint(&self) -> Result<Option<Vec<u8>>, Fault> {
        self.read(|sql| newest(sql, CheckpointKind::Own))
    }

    /// Keeps a checkpoint; the same document twice in a row once.
    ///
    /// # Errors
    /// `FV-INT-001`.
    pub fn keep_checkpoint(
        &self,
        kind: CheckpointKind,
        document: &[u8],
        certificate: &[u8],
    ) -> Result<(), Fault> {
        self.write(|sql| {
            if newest(sql, kind)?.as_deref() == Some(document) {
                return Ok(());
            }
            sql.execute(
                "INSERT INTO checkpoint (kind, document, certificate) VALUES (?1, ?2, ?3)",
                params![kind.as_str(), document, certificate],
            )?;
            Ok(())
        })
    }

    /// Takes the coordinator's record as it is now; `given_up` is what it was held to.
    ///
    /// # Errors
    /// `FV-LEDGER-003` when it is held to nothing, `FV-INT-001`.
    pub fn rebaseline(
        &self,
        by: &str,
        reason: String,
        given_up: TreeHead,
        now: Timestamp,
    ) -> Result<(), Fault> {
        if given_up == TreeHead::empty() {
            return Err(Fault::new(
                Code::UnknownEntry,
                "there is nothing to re-baseline",
                "this node keeps no checkpoint of the coordinator's record",
                "if this node's own ledger is behind, the coordinator re-baselines it: fedval site rebaseline",
            ));
        }
        self.write(|sql| {
            sql.execute(
                "INSERT INTO checkpoint (kind, document, certificate) VALUES (?1, x'', x'')",
                params![CheckpointKind::GivenUp.as_str()],
            )?;
            let event = Event::Rebaselined {
                by: by.to_owned(),
                reason,
                given_up,
            };
            append(sql, now, Subject::default(), event)
        })
    }

    /// Digest of each receipt that is stored, with the receipt.
    ///
    /// # Errors
    /// `FV-INT-001`.
    pub fn receipts(&self) -> Result<Vec<(Digest, Vec<u8>)>, Fault> {
        let receipts: Vec<Vec<u8>> = self.read(|sql| {
            sql.prepare(
                "SELECT receipt FROM outbox WHERE receipt IS NOT NULL
                 UNION ALL SELECT receipt FROM step WHERE receipt IS NOT NULL",
            )?
            .query_map([], |row| row.get(0))?
            .collect()
        })?;
        let named = receipts.into_iter().map(|one| (Digest::of(&one), one));
        Ok(named.collect())
    }
}

/// The newest document of a kind; the empty one where a held one was given up.
fn newest(sql: &Connection, kind: CheckpointKind) -> rusqlite::Result<Option<Vec<u8>>> {
    let or = if kind == CheckpointKind::Held {
        CheckpointKind::GivenUp
    } else {
        kind
    };
    sql.query_row(
        "SELECT document FROM checkpoint WHERE kind IN (?1, ?2) ORDER BY id DESC LIMIT 1",
        params![kind.as_str(), or.as_str()],
        |row| row.get(0),
    )
    .optional()
}
