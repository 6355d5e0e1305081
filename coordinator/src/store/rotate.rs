//! A new storage key: everything that is sealed is sealed again, in one transaction.
//!
//! From: `fedval storage rotate-key`.
//! To: the database, the file of keys.

use std::time::Duration;

use rusqlite::{Transaction, params};
use shared::fault::Fault;
use shared::study::Timestamp;

use super::audit::{AuditEntry, append};
use super::{BUSY, Store, broken, inbox, steps};

/// What a rotation did.
#[derive(Clone, Debug, Eq, PartialEq)]
pub struct Rotated {
    /// Name of the key that is in use now.
    pub key: String,
    /// Texts that were sealed again.
    pub texts: usize,
    /// Old keys that were dropped from the file.
    pub dropped: usize,
    /// Whether what was sealed with the old key is overwritten on the disk by now.
    pub wiped: bool,
}

/// How long a rotation waits for others to have read what is in the log.
const WIPE_PATIENCE: Duration = Duration::from_secs(2);

impl Store {
    /// Makes a new key and seals everything with it. The old keys stay in the file, for backups of
    /// the database that were made before, unless `forget` drops them. The new key is on the disk
    /// before anything is sealed with it, and the old ones are dropped after nothing needs them:
    /// an end at any point leaves a database that opens, and the command can be given again.
    ///
    /// # Errors
    /// [`Fault`] when a text does not open, or the database or the file cannot be written.
    pub fn rotate_key(&self, forget: bool, now: Timestamp) -> Result<Rotated, Fault> {
        let (name, texts) = self.change(|transaction| {
            let name = self.vault.renew(transaction)?;
            let texts = self.reseal(transaction)?;
            append(
                transaction,
                &AuditEntry::new(now, "storage key rotated").object(&name),
            )?;
            Ok((name, texts))
        })?;
        let wiped = self.wipe_log()?;
        let dropped = if forget {
            self.change(|transaction| self.vault.keep_in_use(transaction))?
        } else {
            0
        };
        Ok(Rotated {
            key: name.to_string(),
            texts,
            dropped,
            wiped,
        })
    }

    /// Writes every page into the file and empties its log, so that pages that held the old texts
    /// are overwritten in both; `false` when another process read from the log all the while.
    fn wipe_log(&self) -> Result<bool, Fault> {
        self.read(|connection| {
            connection.busy_timeout(WIPE_PATIENCE)?;
            let busy: rusqlite::Result<i64> =
                connection.query_row("PRAGMA wal_checkpoint(TRUNCATE)", [], |row| row.get(0));
            connection.busy_timeout(BUSY)?;
            Ok(busy? == 0)
        })
    }

    fn reseal(&self, transaction: &Transaction<'_>) -> Result<usize, Fault> {
        let mut texts = 0;
        let items: Vec<inbox::SealedItem> = transaction
            .prepare("SELECT * FROM inbox")
            .and_then(|mut rows| rows.query_map([], inbox::sealed)?.collect())
            .map_err(|error| broken(&error))?;
        for item in items {
            inbox::write(transaction, &self.vault, &item.open(&self.vault)?)?;
            texts += 3;
        }
        let kept: Vec<steps::Kept> = transaction
            .prepare("SELECT * FROM step")
            .and_then(|mut rows| rows.query_map([], steps::kept)?.collect())
            .map_err(|error| broken(&error))?;
        for step in kept {
            let place = step.place();
            let place = place.each_ref().map(String::as_str);
            let plain = step.open(&self.vault)?;
            let sealed = self
                .vault
                .seal(transaction, &super::vault::Place(&place), &plain)?;
            transaction
                .execute(
                    "UPDATE step SET bytes = ?4 WHERE round = ?1 AND exchange = ?2 AND step = ?3",
                    params![step.round, step.exchange, step.step, sealed],
                )
                .map_err(|error| broken(&error))?;
            texts += 1;
        }
        Ok(texts)
    }
}

#[cfg(test)]
mod tests;
