//! What both databases say, read directly and independently of the code under test: one accepted
//! release per site, each approved in its site's ledger before it was received, and at most one
//! accepted answer to each step, likewise.
//!
//! From: `federation`.
//! To: tests.

use std::collections::BTreeMap;
use std::time::{Duration, Instant};

use rusqlite::{Connection, OpenFlags};
use serde_json::Value;
use shared::identity::Digest;

use crate::Federation;

/// The databases of a consortium.
pub struct Truth {
    inbox: Vec<(String, String, String)>,
    steps: Vec<(String, u32, String, String)>,
    heads: BTreeMap<String, i64>,
    nodes: BTreeMap<String, Node>,
}

struct Node {
    ledger: Vec<Value>,
    outbox: Vec<(String, bool)>,
    /// Step, digest of the answer, whether it was confirmed.
    answers: Vec<(u32, String, bool)>,
}

fn open(path: &std::path::Path) -> Option<Connection> {
    // Read and write, since only that recovers the log of a killed writer.
    Connection::open_with_flags(path, OpenFlags::SQLITE_OPEN_READ_WRITE).ok()
}

fn rows<T>(
    connection: &Connection,
    sql: &str,
    read: impl FnMut(&rusqlite::Row<'_>) -> rusqlite::Result<T>,
) -> Vec<T> {
    connection
        .busy_timeout(std::time::Duration::from_secs(10))
        .unwrap();
    let Ok(mut statement) = connection.prepare(sql) else {
        return Vec::new();
    };
    let found = statement.query_map([], read).unwrap();
    found.collect::<Result<_, _>>().unwrap()
}

fn node(path: &std::path::Path) -> Option<Node> {
    let connection = open(path)?;
    let entries = rows(
        &connection,
        "SELECT hash, body FROM ledger ORDER BY seq",
        |row| Ok((row.get::<_, String>(0)?, row.get::<_, Vec<u8>>(1)?)),
    );
    let mut previous = Digest::of(b"").to_string();
    let mut ledger = Vec::new();
    for (index, (hash, body)) in entries.into_iter().enumerate() {
        let entry: Value = serde_json::from_slice(&body).unwrap();
        assert_eq!(Digest::of(&body).to_string(), hash);
        assert_eq!(entry["previous"], previous.as_str());
        assert_eq!(entry["seq"], index + 1);
        previous = hash;
        ledger.push(entry);
    }
    let outbox = rows(
        &connection,
        "SELECT digest, receipt IS NOT NULL FROM outbox",
        |row| Ok((row.get(0)?, row.get(1)?)),
    );
    let answers = rows(
        &connection,
        "SELECT step, digest, receipt IS NOT NULL FROM step WHERE digest IS NOT NULL ORDER BY step",
        |row| Ok((row.get(0)?, row.get(1)?, row.get(2)?)),
    );
    Some(Node {
        ledger,
        outbox,
        answers,
    })
}

impl Truth {
    /// The same once every node has its receipts: a round is over at the coordinator a moment
    /// before the last receipt is written at the site. After 30 s as it is.
    pub fn settled(federation: &Federation) -> Self {
        let until = Instant::now() + Duration::from_secs(30);
        loop {
            let truth = Self::of(federation);
            let done = truth.nodes.values().all(|node| {
                let answers = node.answers.iter().all(|(_, _, receipt)| *receipt);
                answers && node.outbox.iter().all(|(_, receipt)| *receipt)
            });
            if done || Instant::now() > until {
                return truth;
            }
            std::thread::sleep(Duration::from_millis(20));
        }
    }

    /// Reads every database. Each node's chain of hashes is verified here, by its own bytes.
    pub fn of(federation: &Federation) -> Self {
        let coordinator = open(&federation.path("coordinator/fedval.db")).unwrap();
        let inbox = rows(
            &coordinator,
            "SELECT site, digest, status FROM inbox WHERE exchange = 'measure'
             ORDER BY site, digest",
            |row| Ok((row.get(0)?, row.get(1)?, row.get(2)?)),
        );
        let steps = rows(
            &coordinator,
            "SELECT site, step, digest, status FROM inbox WHERE exchange <> 'measure'
             ORDER BY site, step, digest",
            |row| Ok((row.get(0)?, row.get(1)?, row.get(2)?, row.get(3)?)),
        );
        let heads = rows(&coordinator, "SELECT site, entries FROM ledger", |row| {
            Ok((row.get(0)?, row.get(1)?))
        });
        let nodes = federation
            .slugs()
            .into_iter()
            .filter_map(|site| {
                let path = federation.path(&site).join("state/node.db");
                Some((site, node(&path)?))
            })
            .collect();
        Self {
            inbox,
            steps,
            heads: heads.into_iter().collect(),
            nodes,
        }
    }

    fn approved(&self, site: &str) -> Vec<&str> {
        self.noted(site, "approved")
    }

    /// Digests in the ledger's entries of one kind.
    fn noted(&self, site: &str, word: &str) -> Vec<&str> {
        let ledger = self.nodes.get(site).map(|node| node.ledger.as_slice());
        ledger
            .unwrap_or_default()
            .iter()
            .filter(|entry| entry["event"]["event"] == word)
            .filter_map(|entry| entry["event"]["digest"].as_str())
            .collect()
    }

    /// Holds at every moment, also between a crash and the restart: whatever the coordinator
    /// has was approved in its site's ledger, and no ledger is shorter than the coordinator's
    /// last receipt says.
    #[track_caller]
    pub fn assert_never_ahead(&self) {
        for (site, digest, _) in &self.inbox {
            assert!(
                self.approved(site).contains(&digest.as_str()),
                "{site}: received and not in its ledger"
            );
        }
        for (site, step, digest, _) in &self.steps {
            assert!(
                self.noted(site, "step").contains(&digest.as_str()),
                "{site}: step {step} received and not in its ledger"
            );
        }
        for (site, entries) in &self.heads {
            let have = self.nodes[site].ledger.len();
            assert!(have as i64 >= *entries, "{site}: the ledger is behind");
        }
    }

    /// After a round: each of `released` has exactly one accepted release, with the bytes its
    /// ledger approved, once, and confirmed, once; the others have none.
    #[track_caller]
    pub fn assert_exactly_once(&self, released: &[&str]) {
        self.assert_never_ahead();
        let accepted: Vec<&str> = self.inbox.iter().map(|(site, ..)| site.as_str()).collect();
        assert_eq!(accepted, released, "{:?}", self.inbox);
        for (site, digest, status) in &self.inbox {
            assert_eq!(status, "accepted", "{site}");
            assert_eq!(self.approved(site), [digest], "{site}");
            let node = &self.nodes[site];
            let events = |word: &str| {
                let same = |entry: &&Value| entry["event"]["event"] == word;
                node.ledger.iter().filter(same).count()
            };
            let answered: Vec<(u32, String, bool)> = self
                .steps
                .iter()
                .filter(|(name, ..)| name == site)
                .inspect(|(_, _, _, status)| assert_eq!(status, "accepted", "{site}"))
                .map(|(_, step, digest, _)| (*step, digest.clone(), true))
                .collect();
            assert_eq!(node.answers, answered, "{site}");
            let steps = answered.len();
            assert_eq!(events("step"), steps, "{site}");
            assert_eq!(
                (events("approved"), events("delivered")),
                (1, 1 + steps),
                "{site}"
            );
            assert_eq!(node.outbox, [(digest.clone(), true)], "{site}");
        }
        for (site, node) in &self.nodes {
            if !released.contains(&site.as_str()) {
                assert!(node.outbox.is_empty(), "{site} has released");
            }
        }
    }

    /// A site's ledger entries.
    pub fn ledger(&self, site: &str) -> &[Value] {
        self.nodes.get(site).map_or(&[], |node| &node.ledger)
    }

    /// What the coordinator received: site, digest of the bytes, status.
    pub fn inbox(&self) -> &[(String, String, String)] {
        &self.inbox
    }
}
