//! What the coordinator remembers, in one SQLite file: sites, certificates, rounds, jobs, the
//! inbox of releases with their receipts, and an append-only audit trail. What hospitals sent, and
//! the steps made of it, are sealed (`vault`).
//!
//! WAL with `synchronous = FULL`: what was acknowledged survives a power cut. Several processes
//! (`fedval serve` and the command line) may have it open; each change is one transaction.
//!
//! From: `roster`, `round`, `dispatch`, `intake`.
//! To: the same, after any restart.

mod accept;
mod audit;
mod checkpoint;
mod inbox;
mod migrate;
mod proof;
mod rotate;
mod rounds;
mod sites;
mod steps;
mod vault;

use std::path::{Path, PathBuf};
use std::sync::{Mutex, MutexGuard};
use std::time::Duration;

use rusqlite::{Connection, Transaction, TransactionBehavior};
use shared::fault::{Code, Fault};
use shared::study::Timestamp;

pub use audit::{AuditEntry, AuditFault};
pub use checkpoint::{Checkpoints, Given, Shown, Sign};
pub use inbox::{InboxItem, InboxStatus, Stored};
pub use proof::ProofFault;
pub use rotate::Rotated;
pub(crate) use rounds::unknown_round;
pub use rounds::{JobRow, Launch, NewJob, RoundRow};
pub use sites::{CertificateRow, Enrolled, Enrolment, Presence, SiteRow, Standing};
pub use steps::StepDeclined;
use vault::Vault;

/// Marks our files: "FVco" in ASCII.
const APPLICATION_ID: i64 = 0x4656_636f;
const BUSY: Duration = Duration::from_secs(10);

/// The coordinator's database.
pub struct Store {
    connection: Mutex<Connection>,
    path: PathBuf,
    vault: Vault,
}

/// A failure of the database as a fault.
pub(crate) fn broken(error: &rusqlite::Error) -> Fault {
    Fault::new(
        Code::StoreFailed,
        "the coordinator's database did not do what was asked",
        error.to_string(),
        "check free space and permissions of the state directory, then try again; nothing is half done",
    )
}

/// A row that holds what this program never wrote.
pub(crate) fn corrupt(what: &str) -> Fault {
    Fault::new(
        Code::StoreFailed,
        format!("the coordinator's database holds an unreadable {what}"),
        "the file was damaged or changed by another program",
        "restore the last backup of the state directory",
    )
}

impl Store {
    /// Opens the database at `path` with the storage keys at `keys`, makes either when absent, and
    /// brings the database to the newest form.
    ///
    /// # Errors
    /// [`Fault`] when the file cannot be used, belongs to another program, or is newer than
    /// this program; [`Code::StorageKeyMissing`] when `keys` does not hold the database's key.
    pub fn open(path: &Path, keys: &Path) -> Result<Self, Fault> {
        let connection = Connection::open(path).map_err(|error| {
            Fault::new(
                Code::StateDirUnusable,
                format!("{} cannot be opened", path.display()),
                error.to_string(),
                "check that the directory exists and that you may write to it",
            )
        })?;
        Self::prepare(connection, path, keys)
    }

    fn prepare(mut connection: Connection, path: &Path, keys: &Path) -> Result<Self, Fault> {
        connection
            .busy_timeout(BUSY)
            .map_err(|error| broken(&error))?;
        connection
            .pragma_update(None, "journal_mode", "WAL")
            .and_then(|()| connection.pragma_update(None, "synchronous", "FULL"))
            .and_then(|()| connection.pragma_update(None, "foreign_keys", "ON"))
            // What was sealed with an old key is overwritten, not left in unused pages.
            .and_then(|()| connection.pragma_update(None, "secure_delete", "ON"))
            .map_err(|error| broken(&error))?;
        migrate::run(&mut connection, APPLICATION_ID)?;
        let vault = Vault::open(&mut connection, keys)?;
        Ok(Self {
            connection: Mutex::new(connection),
            path: path.to_owned(),
            vault,
        })
    }

    /// Where the file is.
    pub fn path(&self) -> &Path {
        &self.path
    }

    /// A number that changes whenever another process or another `Store` commits.
    ///
    /// # Errors
    /// [`Fault`] when the database fails.
    pub fn data_version(&self) -> Result<i64, Fault> {
        self.lock()
            .pragma_query_value(None, "data_version", |row| row.get(0))
            .map_err(|error| broken(&error))
    }

    /// Notes that a server runs on this file; says whether the last one ended cleanly. After an
    /// unclean end the whole file is checked first.
    ///
    /// # Errors
    /// [`Fault`] when the check finds damage.
    pub fn begin_service(&self) -> Result<bool, Fault> {
        let running: Option<String> = self.read(|connection| {
            use rusqlite::OptionalExtension;
            connection
                .query_row("SELECT value FROM meta WHERE key = 'service'", [], |row| {
                    row.get(0)
                })
                .optional()
        })?;
        let clean = running.as_deref() != Some("running");
        if !clean {
            self.check_integrity()?;
        }
        self.set_meta("service", "running")?;
        Ok(clean)
    }

    /// Notes that the server ended cleanly.
    ///
    /// # Errors
    /// [`Fault`] when the database fails.
    pub fn end_service(&self) -> Result<(), Fault> {
        self.set_meta("service", "stopped")
    }

    /// Checks every page and every reference of the file.
    ///
    /// # Errors
    /// [`Fault`] names the first damage.
    pub fn check_integrity(&self) -> Result<(), Fault> {
        let verdict: String = self.read(|connection| {
            connection.query_row("PRAGMA integrity_check(1)", [], |row| row.get(0))
        })?;
        if verdict == "ok" {
            return Ok(());
        }
        Err(Fault::new(
            Code::StoreFailed,
            "the coordinator's database is damaged",
            verdict,
            "restore the last backup of the state directory; sites keep what they sent",
        ))
    }

    /// The secret by which a restarted server recognises its earlier connections, made of
    /// `fresh` on first use.
    ///
    /// # Errors
    /// [`Fault`] when the database fails.
    pub fn reset_secret(&self, fresh: [u8; 32]) -> Result<[u8; 32], Fault> {
        use data_encoding::HEXLOWER;
        let text: String = self.change(|transaction| {
            transaction
                .execute(
                    "INSERT INTO meta (key, value) VALUES ('quic-reset', ?1)
                     ON CONFLICT (key) DO NOTHING",
                    [HEXLOWER.encode(&fresh)],
                )
                .and_then(|_| {
                    let sql = "SELECT value FROM meta WHERE key = 'quic-reset'";
                    transaction.query_row(sql, [], |row| row.get(0))
                })
                .map_err(|error| broken(&error))
        })?;
        let bytes = HEXLOWER.decode(text.as_bytes()).ok();
        bytes
            .and_then(|bytes| bytes.try_into().ok())
            .ok_or_else(|| corrupt("secret"))
    }

    fn set_meta(&self, key: &str, value: &str) -> Result<(), Fault> {
        self.read(|connection| {
            connection
                .execute(
                    "INSERT INTO meta (key, value) VALUES (?1, ?2)
                     ON CONFLICT (key) DO UPDATE SET value = excluded.value",
                    [key, value],
                )
                .map(|_| ())
        })
    }

    fn lock(&self) -> MutexGuard<'_, Connection> {
        // A panic while the lock was held rolled its transaction back; the connection is sound.
        self.connection
            .lock()
            .unwrap_or_else(std::sync::PoisonError::into_inner)
    }

    /// One statement or a few reads.
    fn read<T>(&self, body: impl FnOnce(&Connection) -> rusqlite::Result<T>) -> Result<T, Fault> {
        body(&self.lock()).map_err(|error| broken(&error))
    }

    /// One change: everything in `body` or nothing.
    fn change<T>(
        &self,
        body: impl FnOnce(&Transaction<'_>) -> Result<T, Fault>,
    ) -> Result<T, Fault> {
        let mut connection = self.lock();
        let transaction = connection
            .transaction_with_behavior(TransactionBehavior::Immediate)
            .map_err(|error| broken(&error))?;
        let value = body(&transaction)?;
        transaction.commit().map_err(|error| broken(&error))?;
        Ok(value)
    }
}

/// A moment from a column.
fn moment(row: &rusqlite::Row<'_>, column: &str) -> rusqlite::Result<Timestamp> {
    let seconds: i64 = row.get(column)?;
    Timestamp::from_unix(seconds).ok_or_else(|| unreadable(column))
}

/// The error for a column that holds what this program never wrote.
fn unreadable(column: &str) -> rusqlite::Error {
    rusqlite::Error::InvalidColumnType(0, column.to_owned(), rusqlite::types::Type::Text)
}

/// An optional moment from a column.
fn maybe_moment(row: &rusqlite::Row<'_>, column: &str) -> rusqlite::Result<Option<Timestamp>> {
    let seconds: Option<i64> = row.get(column)?;
    Ok(seconds.and_then(Timestamp::from_unix))
}

/// Text from a column, read as a type of ours.
fn parsed<T: std::str::FromStr>(row: &rusqlite::Row<'_>, column: &str) -> rusqlite::Result<T> {
    let text: String = row.get(column)?;
    text.parse().map_err(|_| unreadable(column))
}

#[cfg(test)]
mod tests;
