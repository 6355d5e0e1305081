//! The node's durable state: SQLite in WAL mode with full synchronisation, one writer.
//! Every change of a job's state, its outbox row and its ledger entry is one transaction, so
//! that a crash at any point leaves nothing half done.
//!
//! From: the daemon (writes), the command line (reads).
//! To: `outbox`, `ledger`, `release`.

mod change;
mod checkpoint;
mod leave;
mod masked;
mod pause;
mod privacy;
mod spoken;
mod steps;

use std::path::{Path, PathBuf};
use std::sync::{Mutex, MutexGuard, PoisonError};

use rusqlite::{Connection, OpenFlags, OptionalExtension, Row, Transaction, params};
use serde::Serialize;
use shared::disclosure::ReleasedBytes;
use shared::fault::{Code, Fault};
use shared::identity::Digest;
use shared::study::job::Job;
use shared::study::{SiteState, StudySlug, Timestamp};
use shared::wire::{LedgerHead, Refusal};

pub use change::{Change, Eyes};
use change::{Subject, append, apply};
pub use checkpoint::{CheckpointKind, StoredCheckpoint};
pub use leave::Left;
pub use masked::KeptPart;
pub use pause::Pause;
pub use privacy::Spent;
pub(crate) use privacy::{Asked, Claim};
pub use steps::{ExchangeEnd, StepKey, StoredStep};

use crate::ledger::{self, Entry, Event};
use crate::spoken::Spoken;

/// Migrations in order; a landed file is never edited.
const MIGRATIONS: &[&str] = &[
    include_str!("0001_begin.sql"),
    include_str!("0002_refused.sql"),
    include_str!("0003_steps.sql"),
    include_str!("0004_spoken.sql"),
    include_str!("0005_endorsed.sql"),
    include_str!("0006_masked.sql"),
    include_str!("0007_privacy.sql"),
    include_str!("0008_checkpoints.sql"),
];
/// Marks the file as ours: "FVND".
const APPLICATION_ID: i64 = 0x4656_4e44;

/// The node's database.
pub struct Store {
    connection: Mutex<Connection>,
    path: PathBuf,
}

/// One job as stored.
#[derive(Clone, Debug, Serialize)]
pub struct StoredJob {
    /// Its id.
    pub digest: Digest,
    /// The round.
    pub round: String,
    /// The study.
    pub study: StudySlug,
    /// The protocol it names.
    pub protocol: Digest,
    /// The signed document.
    #[serde(skip)]
    pub bytes: Vec<u8>,
    /// Where it stands.
    pub state: SiteState,
    /// When it was offered.
    pub offered_at: Timestamp,
    /// Why nothing is released.
    pub refusal: Option<String>,
    /// What staff are told; stays here.
    pub local_why: Option<String>,
}

/// What waits for approval.
pub struct StoredPreview {
    /// The bytes that would be sent.
    pub bytes: Vec<u8>,
    /// Their digest.
    pub digest: Digest,
    /// Items with verdicts, JSON.
    pub items: String,
    /// Findings of the data check, JSON.
    pub findings: String,
}

/// One approved release that the coordinator has not confirmed.
pub struct OutboxRow {
    /// The job.
    pub job: Digest,
    /// Whether it answers a step; else it is the job's first exchange.
    pub step: bool,
    /// The approved bytes, checked against the ledger.
    pub bytes: ReleasedBytes,
}

/// What becomes of an offered job.
#[derive(Clone, Copy, Debug, Eq, PartialEq)]
pub enum Offered {
    /// Stored now.
    New,
    /// Stored before.
    Known,
    /// Another job of the same round is stored: a round asks a site once.
    SecondOfRound,
}

impl Store {
    /// Opens the database for the one process that writes.
    ///
    /// # Errors
    /// `FV-CONF-003` when the folder cannot be used, `FV-INT-001` when the database is damaged.
    pub fn open(dir: &Path) -> Result<Self, Fault> {
        std::fs::create_dir_all(dir).map_err(|fault| unusable(dir, &fault.to_string()))?;
        let path = dir.join("node.db");
        let connection = Connection::open(&path).map_err(|fault| failed(&path, &fault))?;
        let store = Self {
            connection: Mutex::new(connection),
            path,
        };
        store.prepare()?;
        Ok(store)
    }

    /// Opens the database for reading only, beside a running daemon.
    ///
    /// # Errors
    /// `FV-CONF-003` when there is none yet.
    pub fn open_read_only(dir: &Path) -> Result<Self, Fault> {
        let path = dir.join("node.db");
        let flags = OpenFlags::SQLITE_OPEN_READ_ONLY | OpenFlags::SQLITE_OPEN_NO_MUTEX;
        let connection = Connection::open_with_flags(&path, flags)
            .map_err(|fault| unusable(dir, &format!("no database there yet: {fault}")))?;
        connection
            .busy_timeout(std::time::Duration::from_secs(10))
            .map_err(|fault| failed(&path, &fault))?;
        Ok(Self {
            connection: Mutex::new(connection),
            path,
        })
    }

    fn prepare(&self) -> Result<(), Fault> {
        let connection = self.lock();
        let result = (|| -> rusqlite::Result<()> {
            connection.busy_timeout(std::time::Duration::from_secs(10))?;
            connection.pragma_update(None, "journal_mode", "WAL")?;
            connection.pragma_update(None, "synchronous", "FULL")?;
            connection.pragma_update(None, "foreign_keys", true)?;
            let version: u32 =
                connection.pragma_query_value(None, "user_version", |row| row.get(0))?;
            for (index, sql) in MIGRATIONS.iter().enumerate().skip(version as usize) {
                connection.execute_batch(&format!(
                    "BEGIN IMMEDIATE; {sql}; PRAGMA user_version = {}; PRAGMA application_id = \
                     {APPLICATION_ID}; COMMIT;",
                    index + 1
                ))?;
            }
            let sound: String =
                connection.pragma_query_value(None, "integrity_check", |row| row.get(0))?;
            if sound == "ok" {
                Ok(())
            } else {
                Err(rusqlite::Error::InvalidQuery)
            }
        })();
        result.map_err(|fault| failed(&self.path, &fault))
    }

    fn lock(&self) -> MutexGuard<'_, Connection> {
        // A panic while the lock was held has rolled its transaction back.
        self.connection
            .lock()
            .unwrap_or_else(PoisonError::into_inner)
    }

    fn read<T>(&self, query: impl FnOnce(&Connection) -> rusqlite::Result<T>) -> Result<T, Fault> {
        query(&self.lock()).map_err(|fault| failed(&self.path, &fault))
    }

    fn write<T>(
        &self,
        change: impl FnOnce(&Transaction<'_>) -> Result<T, WriteFault>,
    ) -> Result<T, Fault> {
        let mut connection = self.lock();
        let done = (|| {
            let behaviour = rusqlite::TransactionBehavior::Immediate;
            let transaction = connection.transaction_with_behavior(behaviour)?;
            let value = change(&transaction)?;
            transaction.commit()?;
            Ok(value)
        })();
        done.map_err(|fault| match fault {
            WriteFault::Sql(fault) => failed(&self.path, &fault),
            WriteFault::Person(fault) => *fault,
        })
    }

    /// The site's secret salt, made by `fresh` on first use.
    ///
    /// # Errors
    /// `FV-INT-001`.
    pub fn salt(&self, fresh: [u8; 32]) -> Result<Vec<u8>, Fault> {
        self.write(|sql| {
            sql.execute(
                "INSERT OR IGNORE INTO meta (key, value) VALUES ('salt', ?1)",
                params![fresh.as_slice()],
            )?;
            Ok(
                sql.query_row("SELECT value FROM meta WHERE key = 'salt'", [], |row| {
                    row.get(0)
                })?,
            )
        })
    }

    /// Keeps a locked protocol.
    ///
    /// # Errors
    /// `FV-INT-001`.
    pub fn keep_protocol(&self, digest: Digest, bytes: &[u8]) -> Result<(), Fault> {
        self.write(|sql| {
            sql.execute(
                "INSERT OR IGNORE INTO protocol (digest, bytes) VALUES (?1, ?2)",
                params![digest.to_string(), bytes],
            )?;
            Ok(())
        })
    }

    /// A locked protocol kept earlier.
    ///
    /// # Errors
    /// `FV-INT-001`.
    pub fn protocol(&self, digest: Digest) -> Result<Option<Vec<u8>>, Fault> {
        self.read(|sql| {
            sql.query_row(
                "SELECT bytes FROM protocol WHERE digest = ?1",
                params![digest.to_string()],
                |row| row.get(0),
            )
            .optional()
        })
    }

    /// Every locked protocol this node has met.
    ///
    /// # Errors
    /// `FV-INT-001`.
    pub fn protocols(&self) -> Result<Vec<Vec<u8>>, Fault> {
        self.read(|sql| {
            sql.prepare("SELECT bytes FROM protocol ORDER BY digest")?
                .query_map([], |row| row.get(0))?
                .collect()
        })
    }

    /// Records an offered job; an offer seen before changes nothing.
    ///
    /// # Errors
    /// `FV-INT-001`.
    pub fn offer(
        &self,
        digest: Digest,
        job: &Job,
        bytes: &[u8],
        now: Timestamp,
    ) -> Result<Offered, Fault> {
        self.write(|sql| {
            let other = sql
                .prepare("SELECT 1 FROM job WHERE round = ?1 AND digest <> ?2")?
                .exists(params![job.round.as_str(), digest.to_string()])?;
            if other {
                return Ok(Offered::SecondOfRound);
            }
            let added = sql.execute(
                "INSERT OR IGNORE INTO job (digest, round, study, protocol, bytes, state, offered_at)
                 VALUES (?1, ?2, ?3, ?4, ?5, ?6, ?7)",
                params![
                    digest.to_string(),
                    job.round.as_str(),
                    job.study.as_str(),
                    job.protocol.to_string(),
                    bytes,
                    SiteState::JobOffered.as_str(),
                    now.to_string()
                ],
            )?;
            Ok(if added == 1 {
                Offered::New
            } else {
                Offered::Known
            })
        })
    }

    /// Records that an offered job was refused before anything of it was believed: once per job
    /// in the ledger, however often it is offered. `job` is what was signed, where that much
    /// could be read.
    ///
    /// # Errors
    /// `FV-INT-001`.
    pub fn refuse(
        &self,
        digest: Digest,
        job: Option<&Job>,
        refusal: Refusal,
        now: Timestamp,
    ) -> Result<(), Fault> {
        self.write(|sql| {
            let added = sql.execute(
                "INSERT OR IGNORE INTO refused (job, refusal, at) VALUES (?1, ?2, ?3)",
                params![digest.to_string(), refusal.as_str(), now.to_string()],
            )?;
            if added == 0 {
                return Ok(());
            }
            let subject = Subject {
                study: job.map(|job| job.study.clone()),
                protocol: job.map(|job| job.protocol),
                round: job.map(|job| job.round.clone()),
                job: Some(digest),
            };
            append(
                sql,
                now,
                subject,
                Event::declined(refusal, "admission", None),
            )
        })
    }

    /// Every job, oldest first.
    ///
    /// # Errors
    /// `FV-INT-001`.
    pub fn jobs(&self) -> Result<Vec<StoredJob>, Fault> {
        self.read(|sql| {
            sql.prepare(&format!("{JOB_COLUMNS} ORDER BY offered_at, digest"))?
                .query_map([], job_row)?
                .collect()
        })
    }

    /// One job.
    ///
    /// # Errors
    /// `FV-INT-001`.
    pub fn job(&self, digest: Digest) -> Result<Option<StoredJob>, Fault> {
        self.read(|sql| find_job(sql, digest))
    }

    /// Declined jobs whose refusal the coordinator has not acknowledged.
    ///
    /// # Errors
    /// `FV-INT-001`.
    pub fn untold(&self) -> Result<Vec<(Digest, Refusal)>, Fault> {
        let rows: Vec<(String, String)> = self.read(|sql| {
            sql.prepare(
                "SELECT digest, refusal FROM job
                 WHERE refusal IS NOT NULL AND told = 0 ORDER BY digest",
            )?
            .query_map([], |row| Ok((row.get(0)?, row.get(1)?)))?
            .collect()
        })?;
        Ok(rows
            .into_iter()
            .filter_map(|(digest, text)| Some((digest.parse().ok()?, Refusal::parse(&text)?)))
            .collect())
    }

    /// The coordinator has acknowledged a refusal.
    ///
    /// # Errors
    /// `FV-INT-001`.
    pub fn told(&self, job: Digest) -> Result<(), Fault> {
        self.write(|sql| {
            sql.execute(
                "UPDATE job SET told = 1 WHERE digest = ?1",
                params![job.to_string()],
            )?;
            Ok(())
        })
    }

    /// What waits for approval.
    ///
    /// # Errors
    /// `FV-INT-001`.
    pub fn preview(&self, job: Digest) -> Result<Option<StoredPreview>, Fault> {
        self.read(|sql| {
            sql.query_row(
                "SELECT bytes, digest, items, findings FROM preview WHERE job = ?1",
                params![job.to_string()],
                |row| {
                    Ok(StoredPreview {
                        bytes: row.get(0)?,
                        digest: digest_column(row, 1)?,
                        items: row.get(2)?,
                        findings: row.get(3)?,
                    })
                },
            )
            .optional()
        })
    }

    /// Applies one change to a job, in one transaction.
    ///
    /// # Errors
    /// `FV-POL-006` when the job's state does not allow the change, `FV-INT-001`.
    pub fn change(&self, job: Digest, now: Timestamp, change: Change<'_>) -> Result<(), Fault> {
        self.write(|sql| {
            let stored = find_job(sql, job)?.ok_or_else(|| unknown_job(job))?;
            apply(sql, &stored, now, change)
        })
    }

    /// Records a release file that is about to be written without a coordinator, and what it speaks
    /// about.
    ///
    /// # Errors
    /// `FV-INT-001`.
    pub fn record(
        &self,
        study: &StudySlug,
        protocol: Digest,
        now: Timestamp,
        (bytes, policy, spoken): (&ReleasedBytes, Digest, &Spoken),
    ) -> Result<(), Fault> {
        let subject = Subject {
            study: Some(study.clone()),
            protocol: Some(protocol),
            round: None,
            job: None,
        };
        self.write(|sql| {
            spoken::keep(sql, bytes.digest(), spoken)?;
            let event = Event::Measured {
                release: bytes.id(),
                digest: bytes.digest(),
                policy,
                groups: spoken::release(sql, bytes.digest())?,
            };
            append(sql, now, subject, event)
        })
    }

    /// Approved releases that the coordinator has not confirmed.
    ///
    /// # Errors
    /// `FV-LEDGER-001` when a row's bytes are not those the ledger names.
    pub fn outbox(&self) -> Result<Vec<OutboxRow>, Fault> {
        let rows: Vec<(Digest, Vec<u8>, bool)> = self.read(|sql| {
            sql.prepare(
                "SELECT job, bytes, 0 AS stepped, 0 AS step FROM outbox
                 WHERE receipt IS NULL AND refused IS NULL
                 UNION ALL
                 SELECT step.job, step.bytes, 1, step.step FROM step
                 WHERE step.bytes IS NOT NULL AND step.receipt IS NULL AND NOT EXISTS (
                     SELECT 1 FROM exchange_end
                     WHERE exchange_end.job = step.job AND exchange_end.exchange = step.exchange)
                 ORDER BY job, step",
            )?
            .query_map([], |row| {
                Ok((digest_column(row, 0)?, row.get(1)?, row.get(2)?))
            })?
            .collect()
        })?;
        let entries = self.entries()?;
        rows.into_iter()
            .map(|(job, bytes, step)| {
                let actual = Digest::of(&bytes);
                let approved = entries.iter().rev().find_map(|entry| match &entry.event {
                    Event::Approved { digest, .. } if entry.job == Some(job) && !step => {
                        Some(*digest)
                    }
                    Event::Step { digest, .. } if entry.job == Some(job) && step => {
                        Some(*digest).filter(|digest| *digest == actual)
                    }
                    Event::Approved { .. }
                    | Event::Delivered { .. }
                    | Event::Declined { .. }
                    | Event::Measured { .. }
                    | Event::Endorsed { .. }
                    | Event::Step { .. }
                    | Event::StepDeclined { .. }
                    | Event::Paused { .. }
                    | Event::Resumed { .. }
                    | Event::Left { .. }
                    | Event::Spent { .. }
                    | Event::Drawn { .. }
                    | Event::Returned {}
                    | Event::ModeEnded { .. }
                    | Event::Rebaselined { .. } => None,
                });
                let bytes = approved
                    .and_then(|digest| ReleasedBytes::reload(bytes, digest).ok())
                    .ok_or_else(|| {
                        Fault::new(
                            Code::LedgerBroken,
                            format!("the outbox holds bytes for job {job} that nobody approved"),
                            "they differ from what the ledger recorded at approval",
                            "nothing is sent; keep the state directory and ask your security team",
                        )
                    })?;
                Ok(OutboxRow { job, step, bytes })
            })
            .collect()
    }

    /// Every document that may have left, with its digest.
    ///
    /// # Errors
    /// `FV-INT-001`.
    pub fn released(&self) -> Result<Vec<(Digest, Vec<u8>)>, Fault> {
        self.read(|sql| {
            sql.prepare(
                "SELECT digest, bytes FROM outbox
                 UNION ALL SELECT digest, bytes FROM step WHERE bytes IS NOT NULL
                 ORDER BY digest",
            )?
            .query_map([], |row| Ok((digest_column(row, 0)?, row.get(1)?)))?
            .collect()
        })
    }

    /// The ledger's entries, verified.
    ///
    /// # Errors
    /// `FV-LEDGER-001` naming the first bad entry.
    pub fn entries(&self) -> Result<Vec<Entry>, Fault> {
        verified(&self.read(ledger_rows)?)
    }

    /// Length and head of the ledger.
    ///
    /// # Errors
    /// `FV-INT-001`.
    pub fn head(&self) -> Result<LedgerHead, Fault> {
        self.read(head)
    }

    /// Hash of entry `seq`, if there is one.
    ///
    /// # Errors
    /// `FV-INT-001`.
    pub fn hash_at(&self, seq: u64) -> Result<Option<Digest>, Fault> {
        if seq == 0 {
            return Ok(Some(ledger::empty().hash));
        }
        self.read(|sql| {
            sql.query_row(
                "SELECT hash FROM ledger WHERE seq = ?1",
                params![i64::try_from(seq).unwrap_or(i64::MAX)],
                |row| digest_column(row, 0),
            )
            .optional()
        })
    }
}

/// The ledger as stored: number, hash, bytes.
type LedgerRow = (u64, Digest, Vec<u8>);

fn ledger_rows(sql: &Connection) -> rusqlite::Result<Vec<LedgerRow>> {
    sql.prepare("SELECT seq, hash, body FROM ledger ORDER BY seq")?
        .query_map([], |row| {
            let seq: i64 = row.get(0)?;
            Ok((seq.unsigned_abs(), digest_column(row, 1)?, row.get(2)?))
        })?
        .collect()
}

/// The entries of a chain that fits.
fn verified(rows: &[LedgerRow]) -> Result<Vec<Entry>, Fault> {
    ledger::verify(rows).map_err(|seq| {
        Fault::new(
            Code::LedgerBroken,
            format!("ledger entry {seq} does not fit the chain"),
            "an entry was altered, removed or put in another order, or an approver's signature is not \
             over what it says",
            "this node sends nothing until it is explained; restore the state directory from its \
             backup",
        )
    })
}

/// A fault inside a transaction.
enum WriteFault {
    Sql(rusqlite::Error),
    Person(Box<Fault>),
}

impl From<rusqlite::Error> for WriteFault {
    fn from(fault: rusqlite::Error) -> Self {
        Self::Sql(fault)
    }
}

impl From<Fault> for WriteFault {
    fn from(fault: Fault) -> Self {
        Self::Person(Box::new(fault))
    }
}

const JOB_COLUMNS: &str = "SELECT digest, round, study, protocol, bytes, state, offered_at, \
                           refusal, local_why FROM job";

fn job_row(row: &Row<'_>) -> rusqlite::Result<StoredJob> {
    let text = |index: usize| row.get::<_, String>(index);
    let bad = |index: usize| {
        rusqlite::Error::InvalidColumnType(index, "job".into(), rusqlite::types::Type::Text)
    };
    Ok(StoredJob {
        digest: digest_column(row, 0)?,
        round: text(1)?,
        study: text(2)?.parse().map_err(|_| bad(2))?,
        protocol: digest_column(row, 3)?,
        bytes: row.get(4)?,
        state: SiteState::parse(&text(5)?).ok_or_else(|| bad(5))?,
        offered_at: Timestamp::try_from(text(6)?).map_err(|_| bad(6))?,
        refusal: row.get(7)?,
        local_why: row.get(8)?,
    })
}

fn digest_column(row: &Row<'_>, index: usize) -> rusqlite::Result<Digest> {
    let text: String = row.get(index)?;
    text.parse().map_err(|_| {
        rusqlite::Error::InvalidColumnType(index, "digest".into(), rusqlite::types::Type::Text)
    })
}

fn find_job(sql: &Connection, digest: Digest) -> rusqlite::Result<Option<StoredJob>> {
    sql.query_row(
        &format!("{JOB_COLUMNS} WHERE digest = ?1"),
        params![digest.to_string()],
        job_row,
    )
    .optional()
}

fn head(sql: &Connection) -> rusqlite::Result<LedgerHead> {
    let last = sql
        .query_row(
            "SELECT seq, hash FROM ledger ORDER BY seq DESC LIMIT 1",
            [],
            |row| {
                let seq: i64 = row.get(0)?;
                Ok(LedgerHead {
                    entries: seq.unsigned_abs(),
                    hash: digest_column(row, 1)?,
                })
            },
        )
        .optional()?;
    Ok(last.unwrap_or_else(ledger::empty))
}

fn failed(path: &Path, fault: &rusqlite::Error) -> Fault {
    Fault::new(
        Code::StoreFailed,
        format!("the database {} failed", path.display()),
        fault.to_string(),
        "check free space and permissions of the state directory; nothing was sent",
    )
}

fn unusable(dir: &Path, why: &str) -> Fault {
    Fault::new(
        Code::StateDirUnusable,
        format!("the state directory {} cannot be used", dir.display()),
        why,
        "name a folder that this user may write in [storage] dir",
    )
}

/// The fault for a job that is not here.
pub fn unknown_job(job: impl std::fmt::Display) -> Fault {
    Fault::new(
        Code::UnknownJob,
        format!("there is no job {job} here"),
        "the coordinator has not offered it, or the name is mistyped",
        "list the jobs: fedval-node job list",
    )
}

fn not_waiting(job: &StoredJob) -> Fault {
    Fault::new(
        Code::NotWaiting,
        format!("job {} of round {} is {}", job.digest, job.round, job.state),
        job.state.meaning(),
        "list the jobs: fedval-node job list",
    )
}
