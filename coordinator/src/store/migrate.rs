//! Numbered changes of the database's form, each applied once, each in its own transaction.
//!
//! From: a file of any earlier version.
//! To: `Store`, which knows the newest form only.

use rusqlite::{Connection, TransactionBehavior};
use shared::fault::{Code, Fault};

use super::broken;

/// In order; the version of a file is the number of migrations it has seen.
const MIGRATIONS: &[&str] = &[
    include_str!("migrations/0001_start.sql"),
    include_str!("migrations/0002_steps.sql"),
    include_str!("migrations/0003_sketch.sql"),
    include_str!("migrations/0004_checkpoints.sql"),
];

/// Brings the file to the newest form.
///
/// # Errors
/// [`Fault`] when the file belongs to another program or a newer version of this one.
pub(super) fn run(connection: &mut Connection, application: i64) -> Result<(), Fault> {
    let transaction = connection
        .transaction_with_behavior(TransactionBehavior::Immediate)
        .map_err(|error| broken(&error))?;
    let read = |name: &str| {
        transaction
            .pragma_query_value(None, name, |row| row.get::<_, i64>(0))
            .map_err(|error| broken(&error))
    };
    let (id, version) = (read("application_id")?, read("user_version")?);
    let known = i64::try_from(MIGRATIONS.len()).unwrap_or(i64::MAX);
    if (version > 0 && id != application) || version > known {
        return Err(Fault::new(
            Code::StateDirUnusable,
            "the database is not one this program can use",
            format!(
                "it has form {version} of application {id:#x}; this program knows form {known}"
            ),
            "use the program version that wrote it, or another --dir",
        ));
    }
    let done = usize::try_from(version).unwrap_or(0);
    if done == MIGRATIONS.len() {
        return Ok(());
    }
    for migration in &MIGRATIONS[done..] {
        transaction
            .execute_batch(migration)
            .map_err(|error| broken(&error))?;
    }
    transaction
        .pragma_update(None, "application_id", application)
        .and_then(|()| transaction.pragma_update(None, "user_version", known))
        .map_err(|error| broken(&error))?;
    transaction.commit().map_err(|error| broken(&error))
}
