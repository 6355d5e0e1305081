//! Whether people of this site have stopped the node: nothing is computed or sent until they
//! resume it, also after a restart.
//!
//! From: `release::decide`.
//! To: `daemon` (work, session), `cli::status`.

use rusqlite::{OptionalExtension as _, params};
use serde::{Deserialize, Serialize};
use shared::fault::Fault;
use shared::study::Timestamp;

use super::Store;
use super::change::{Subject, append};
use crate::ledger::Event;

/// Who stopped the node, when and why.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
pub struct Pause {
    /// Who.
    pub by: String,
    /// When.
    pub at: Timestamp,
    /// Why; stays here.
    pub reason: String,
}

impl Store {
    /// The pause that is in force, if one is.
    ///
    /// # Errors
    /// `FV-INT-001`.
    pub fn paused(&self) -> Result<Option<Pause>, Fault> {
        let text: Option<Vec<u8>> = self.read(|sql| {
            sql.query_row("SELECT value FROM meta WHERE key = 'pause'", [], |row| {
                row.get(0)
            })
            .optional()
        })?;
        text.map(|text| {
            serde_json::from_slice(&text)
                .map_err(|fault| Fault::internal(format!("the stored pause: {fault}")))
        })
        .transpose()
    }

    /// Stops the node; a node that is paused stays so, and nothing is recorded again.
    ///
    /// # Errors
    /// `FV-INT-001`.
    pub fn pause(&self, pause: &Pause) -> Result<(), Fault> {
        let value = serde_json::to_vec(pause)
            .map_err(|fault| Fault::internal(format!("a pause: {fault}")))?;
        self.write(|sql| {
            let added = sql.execute(
                "INSERT OR IGNORE INTO meta (key, value) VALUES ('pause', ?1)",
                params![value],
            )?;
            if added == 0 {
                return Ok(());
            }
            let event = Event::Paused {
                by: pause.by.clone(),
                reason: pause.reason.clone(),
            };
            append(sql, pause.at, Subject::default(), event)
        })
    }

    /// Lets the node go on.
    ///
    /// # Errors
    /// `FV-INT-001`.
    pub fn resume(&self, by: &str, now: Timestamp) -> Result<(), Fault> {
        self.write(|sql| {
            let removed = sql.execute("DELETE FROM meta WHERE key = 'pause'", [])?;
            if removed == 0 {
                return Ok(());
            }
            let event = Event::Resumed { by: by.to_owned() };
            append(sql, now, Subject::default(), event)
        })
    }
}
