//! Each side is the other's witness: whoever may write one side's database, triggers and checkpoints
//! included, and makes the chain fit again, is noticed by the other side.

use std::path::{Path, PathBuf};
use std::time::{Duration, Instant};

use harness::Federation;
use node::ledger::{self, Entry, Event};
use rusqlite::{Connection, params};
use serde_json::Value;
use shared::identity::Digest;

use crate::consortium;

const SITE: &str = "va";

fn verified(federation: &Federation) -> Value {
    federation
        .node(SITE, &["ledger", "verify"])
        .expect(0)
        .data()
}

/// Waits until the coordinator has signed to have seen the whole ledger; its number of entries.
fn seen_all(federation: &Federation) -> u64 {
    let until = Instant::now() + Duration::from_secs(30);
    loop {
        // A node that has just been started may have no database yet.
        let answer = federation.node(SITE, &["ledger", "verify"]);
        let data = answer.data();
        let seen = data["witnessed"]["seen"].as_u64();
        if let Some(entries) = data["entries"].as_u64()
            && seen == Some(entries)
            && data["witnessed"]["own"].as_u64() > Some(0)
        {
            return entries;
        }
        assert!(Instant::now() < until, "{}", answer.out);
        std::thread::sleep(Duration::from_millis(50));
    }
}

fn writable(path: &Path) -> Connection {
    let sql = Connection::open(path).unwrap();
    sql.busy_timeout(Duration::from_secs(10)).unwrap();
    let triggers: Vec<String> = sql
        .prepare("SELECT name FROM sqlite_master WHERE type = 'trigger'")
        .unwrap()
        .query_map([], |row| row.get(0))
        .unwrap()
        .collect::<Result<_, _>>()
        .unwrap();
    for trigger in triggers {
        sql.execute_batch(&format!("DROP TRIGGER {trigger}"))
            .unwrap();
    }
    sql
}

fn forget_checkpoints(path: &Path) {
    writable(path)
        .execute("DELETE FROM checkpoint", [])
        .unwrap();
}

/// Writes the coordinator's audit trail anew, chain and all.
fn rewrite_trail(path: &Path, change: impl Fn(&mut Vec<String>)) {
    let sql = writable(path);
    let mut bodies: Vec<String> = sql
        .prepare("SELECT body FROM audit ORDER BY seq")
        .unwrap()
        .query_map([], |row| row.get(0))
        .unwrap()
        .collect::<Result<_, _>>()
        .unwrap();
    change(&mut bodies);
    sql.execute("DELETE FROM audit", []).unwrap();
    let mut previous = Digest::of(b"").to_string();
    for (seq, body) in (1_i64..).zip(&bodies) {
        let hash = Digest::of_list(&[
            b"fedval.audit/1",
            &seq.to_be_bytes(),
            previous.as_bytes(),
            body.as_bytes(),
        ]);
        sql.execute(
            "INSERT INTO audit (seq, prev, hash, body) VALUES (?1, ?2, ?3, ?4)",
            params![seq, previous, hash.to_string(), body],
        )
        .unwrap();
        previous = hash.to_string();
    }
}

/// Writes a node's ledger anew, chain and all.
fn rewrite_ledger(path: &Path, change: impl Fn(&mut Vec<Entry>)) {
    let sql = writable(path);
    let bodies: Vec<Vec<u8>> = sql
        .prepare("SELECT body FROM ledger ORDER BY seq")
        .unwrap()
        .query_map([], |row| row.get(0))
        .unwrap()
        .collect::<Result<_, _>>()
        .unwrap();
    let mut entries: Vec<Entry> = bodies
        .iter()
        .map(|body| serde_json::from_slice(body).unwrap())
        .collect();
    change(&mut entries);
    sql.execute("DELETE FROM ledger", []).unwrap();
    let mut previous = ledger::empty().hash;
    for (seq, mut entry) in (1_u64..).zip(entries) {
        (entry.seq, entry.previous) = (seq, previous);
        let (hash, body) = ledger::seal(&entry).unwrap();
        let seq = i64::try_from(seq).unwrap();
        sql.execute(
            "INSERT INTO ledger (seq, hash, body) VALUES (?1, ?2, ?3)",
            params![seq, hash.to_string(), body],
        )
        .unwrap();
        previous = hash;
    }
}

#[test]
fn after_a_round_each_side_holds_the_others_word() {
    let mut federation = consortium(|_| {});
    federation.start();
    federation.launch();
    federation.wait();
    federation.wait_state(SITE, "delivered");
    let entries = seen_all(&federation);
    assert_eq!(entries, 2);
    let data = verified(&federation);
    assert_eq!(data["witnessed"]["receipts"], 1);
    assert!(data["witnessed"]["trail"].as_u64().unwrap() > 4, "{data}");
    let theirs = federation.fedval(&["ledger", "verify"]).expect(0).data();
    assert_eq!(theirs["checkpoints"]["sites"], 4, "{theirs}");
    assert!(
        theirs["checkpoints"]["held"].as_u64().unwrap() >= 8,
        "{theirs}"
    );
    // One entry is shown, and no other.
    let out = federation.path("entry.json");
    let file = out.to_str().unwrap();
    let prove = |number: &str| federation.node(SITE, &["ledger", "prove", number, "--out", file]);
    prove("3").expect(1);
    prove("1").expect(0);
    prove("1").expect(78);
    let shown = federation
        .fedval(&["ledger", "entry", file])
        .expect(0)
        .data();
    assert_eq!(
        (&shown["site"], &shown["entry"]["seq"]),
        (&SITE.into(), &1.into())
    );
    assert_eq!(shown["entry"]["event"]["event"], "approved");
    let text = std::fs::read_to_string(&out).unwrap();
    assert!(!text.contains("delivered"), "{text}");
    std::fs::write(&out, text.replacen("automatic", "by anna  ", 1)).unwrap();
    federation.fedval(&["ledger", "entry", file]).expect(1);
    // Nothing of an entry travelled: what the coordinator keeps of the ledger are hashes.
    let sql = Connection::open(federation.path("coordinator/fedval.db")).unwrap();
    let kept: Vec<Vec<u8>> = sql
        .prepare("SELECT document FROM checkpoint WHERE kind = 'held'")
        .unwrap()
        .query_map([], |row| row.get(0))
        .unwrap()
        .collect::<Result<_, _>>()
        .unwrap();
    for document in kept {
        let text = String::from_utf8(document).unwrap();
        assert!(
            !text.contains("approved") && !text.contains("automatic"),
            "{text}"
        );
    }
}

type Forgery<T> = (&'static str, fn(&mut Vec<T>));

const TRAILS: &[Forgery<String>] = &[
    ("altered", |all| {
        all[1] = all[1].replacen("\"what\":\"", "\"what\":\"not ", 1)
    }),
    ("dropped", |all| drop(all.remove(0))),
    ("reordered", |all| all.swap(0, 1)),
    ("cut", |all| drop(all.pop())),
];

#[test]
fn a_coordinator_whose_record_was_written_anew_gets_nothing_more() {
    let mut federation = consortium(|_| {});
    let database = federation.path("coordinator/fedval.db");
    federation.start_serve(None);
    federation.start_node(SITE, None);
    for (what, forge) in TRAILS {
        seen_all(&federation);
        federation.take_serve().stop();
        rewrite_trail(&database, forge);
        forget_checkpoints(&database);
        // Its own people see nothing wrong by themselves.
        federation.fedval(&["ledger", "verify"]).expect(0);
        federation.start_serve(None);
        let mut node = federation.take_node(SITE);
        let status = node.wait_end(Duration::from_secs(30));
        let words = node.words();
        assert!(words.contains("FV-LEDGER-004"), "{what}: {words}");
        assert_eq!(status.and_then(|status| status.code()), Some(7), "{what}");

        let said = federation.node(SITE, &["ledger", "verify"]).expect(7);
        assert_eq!(said.json()["error"]["code"], "FV-LEDGER-004", "{what}");
        let said = federation.fedval(&["ledger", "verify"]).expect(1).json();
        let error = said["error"]["what"].as_str().unwrap();
        assert!(error.starts_with("audit trail: "), "{what}: {error}");
        assert!(
            said["error"]["why"]
                .as_str()
                .unwrap()
                .starts_with("va keeps"),
            "{said}"
        );

        // Both sides' people have looked; that stands in both records.
        let words = ["ledger", "rebaseline", "--reason", what];
        federation.fedval(&words).expect(0);
        federation.fedval(&["ledger", "verify"]).expect(0);
        federation.node(SITE, &words).expect(0);
        std::fs::remove_file(federation.path("va.log")).unwrap();
        federation.start_node(SITE, None);
    }
    seen_all(&federation);
    let entries = federation.node(SITE, &["ledger", "list"]).expect(0).data();
    let entries = entries.as_array().unwrap();
    assert_eq!(entries.len(), TRAILS.len());
    for (entry, (what, _)) in entries.iter().zip(TRAILS) {
        assert_eq!(entry["event"]["event"], "rebaselined");
        assert_eq!(entry["event"]["reason"], *what);
        assert!(entry["event"]["given_up"]["size"].as_u64().unwrap() > 0);
    }
}

/// Of the last two entries, a pause and its end, each signed as it came.
const LEDGERS: &[(Forgery<Entry>, &str)] = &[
    (
        ("altered", |all| {
            let last = all.len() - 2;
            if let Event::Paused { reason, .. } = &mut all[last].event {
                *reason = "nothing was wrong".to_owned();
            }
        }),
        "FV-LEDGER-001",
    ),
    (
        ("reordered", |all| {
            let last = all.len() - 1;
            all.swap(last - 1, last);
        }),
        "FV-LEDGER-001",
    ),
    (
        ("dropped", |all| drop(all.remove(all.len() - 2))),
        "FV-LEDGER-002",
    ),
    (("cut", |all| all.truncate(all.len() - 2)), "FV-LEDGER-002"),
];

#[test]
fn a_ledger_that_was_written_anew_is_told_by_what_the_coordinator_signed() {
    let mut federation = consortium(|_| {});
    federation.start_serve(None);
    federation.start_node(SITE, None);
    seen_all(&federation);
    federation
        .node(SITE, &["pause", "--reason", "we found something"])
        .expect(0);
    let pause = seen_all(&federation);
    federation.node(SITE, &["resume"]).expect(0);
    seen_all(&federation);
    let (_, status) = federation.take_node(SITE).stop();
    assert!(status.success());
    let database: PathBuf = federation.path("va/state/node.db");
    let sql = writable(&database);
    sql.query_row("PRAGMA wal_checkpoint(TRUNCATE)", [], |_| Ok(()))
        .unwrap();
    drop(sql);
    let honest = std::fs::read(&database).unwrap();
    for ((what, forge), code) in LEDGERS {
        rewrite_ledger(&database, forge);
        let said = federation.node(SITE, &["ledger", "verify"]).expect(1);
        let error = &said.json()["error"];
        assert_eq!(error["code"], "FV-LEDGER-001", "{what}");
        let named = format!("ledger: entry {pause} is not what was signed");
        assert_eq!(error["what"], named.as_str(), "{what}");

        // Without what this side signed only the coordinator remembers.
        forget_checkpoints(&database);
        federation.node(SITE, &["ledger", "verify"]).expect(0);
        std::fs::remove_file(federation.path("va.log")).unwrap();
        federation.start_node(SITE, None);
        let mut node = federation.take_node(SITE);
        let status = node.wait_end(Duration::from_secs(30));
        assert_eq!(status.map(|status| status.success()), Some(false), "{what}");
        assert!(node.words().contains(code), "{what}: {}", node.words());
        for end in ["", "-wal", "-shm"] {
            let _ = std::fs::remove_file(database.with_file_name(format!("node.db{end}")));
        }
        std::fs::write(&database, &honest).unwrap();
    }
    // The honest one goes on as if nothing had been.
    federation.start_node(SITE, None);
    federation.launch();
    federation.wait_state(SITE, "delivered");
    seen_all(&federation);
    federation.fedval(&["ledger", "verify"]).expect(0);
}
