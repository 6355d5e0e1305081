use rusqlite::Connection;

use super::super::tests::{at, launched};

/// Whoever reads meanwhile keeps the log, and with it what was sealed with the old key.
#[test]
fn a_log_that_somebody_reads_is_not_called_wiped() {
    let dir = tempfile::tempdir().unwrap();
    let store = launched(&dir);
    assert!(store.rotate_key(true, at(11)).unwrap().wiped);
    let reader = Connection::open(dir.path().join("fedval.db")).unwrap();
    reader
        .execute_batch("BEGIN; SELECT count(*) FROM audit;")
        .unwrap();
    assert!(!store.rotate_key(true, at(12)).unwrap().wiped);
    reader.execute_batch("COMMIT").unwrap();
    assert!(store.rotate_key(true, at(13)).unwrap().wiped);
    let log = std::fs::metadata(dir.path().join("fedval.db-wal")).unwrap();
    assert!(log.len() < 40_000, "{}", log.len());
}
