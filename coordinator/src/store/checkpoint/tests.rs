use rusqlite::Connection;
use shared::identity::{
    CountingEntropy, Digest, KeyCertificate, KeyPurpose, KeyStatement, Serial, SigningKey,
};

use super::super::tests::{at, enrolled, open, site};
use super::*;

/// A trail to which anything may happen, and one site that watches it.
struct Scene {
    dir: tempfile::TempDir,
    store: Store,
    va: SiteSlug,
    /// The ledger's entries.
    ledger: Vec<Vec<u8>>,
}

fn ca() -> SigningKey {
    SigningKey::from_seed(&[1; 32])
}

fn sign(checkpoint: AuditCheckpoint) -> Result<Vec<u8>, Fault> {
    let key = SigningKey::from_seed(&[2; 32]);
    let statement = KeyStatement {
        purpose: KeyPurpose::Receipt,
        key: key.public(),
        consortium: "test".to_owned(),
        not_before: at(0),
        not_after: at(100_000),
        serial: Serial::from_bytes([7; 16]),
    };
    let certificate = KeyCertificate::issue(statement, &ca()).unwrap();
    Ok(checkpoint.sign(&key, certificate).unwrap())
}

/// The key of the certificate that `enrolled` makes of this seed.
fn key(seed: u64) -> SigningKey {
    let mut entropy = CountingEntropy::new(seed);
    Serial::generate(&mut entropy).unwrap();
    SigningKey::generate(&mut entropy).unwrap()
}

fn tree_of(ledger: &[Vec<u8>]) -> Tree {
    Tree::of(ledger.iter().map(Vec::as_slice))
}

impl Scene {
    fn new() -> Self {
        let dir = tempfile::tempdir().unwrap();
        let store = open(&dir);
        let va = site("va");
        enrolled(&store, &va, 4);
        let mut scene = Self {
            dir,
            store,
            va,
            ledger: Vec::new(),
        };
        for number in 0..6 {
            scene.grow(number);
        }
        scene
    }

    /// The trail and the ledger get an entry.
    fn grow(&mut self, number: u8) {
        let entry = AuditEntry::new(at(10), "something was done");
        self.store.note(&entry.object(&number)).unwrap();
        self.ledger.push(vec![number; 9]);
    }

    fn give(&self, held: Option<&[u8]>) -> Given {
        let tree = held.map_or_else(TreeHead::empty, |held| opened(held).tree);
        let shown = Shown {
            tree,
            document: held,
        };
        let ca = ca().public();
        self.store
            .give_checkpoint(&self.va, shown, &ca, &sign, at(20))
            .unwrap()
    }

    /// What the node of a ledger would say after `given`, with its proof.
    fn say(&self, ledger: &[Vec<u8>], given: &AuditCheckpoint) -> Result<(), Refusal> {
        let tree = tree_of(ledger);
        let checkpoint = LedgerCheckpoint {
            site: self.va.clone(),
            tree: tree.head(),
            head: Digest::of(ledger.last().map_or(&[], Vec::as_slice)),
            seen: given.tree,
            at: at(21),
        };
        let document = checkpoint.clone().sign(&key(4)).unwrap();
        let from = given.seen.size;
        let proof = tree.since(from).unwrap_or_default();
        self.store
            .take_checkpoint((&checkpoint, &document), (from, &proof), at(22))
            .unwrap()
    }

    fn verify(&self) -> Result<Checkpoints, ProofFault> {
        self.store.verify_checkpoints(&ca().public()).unwrap()
    }

    fn whats(&self, what: &str) -> usize {
        let entries = self.store.audit().unwrap();
        entries.iter().filter(|entry| entry.what == what).count()
    }

    /// What somebody who may write the database does to the trail: the chain fits again.
    fn rewrite(&self, change: impl Fn(&mut Vec<String>)) {
        let sql = Connection::open(self.dir.path().join("fedval.db")).unwrap();
        sql.execute_batch(
            "DROP TRIGGER IF EXISTS audit_no_update; DROP TRIGGER IF EXISTS audit_no_delete;",
        )
        .unwrap();
        let mut bodies: Vec<String> = sql
            .prepare("SELECT body FROM audit ORDER BY seq")
            .unwrap()
            .query_map([], |row| row.get(0))
            .unwrap()
            .collect::<Result<_, _>>()
            .unwrap();
        change(&mut bodies);
        sql.execute("DELETE FROM audit", []).unwrap();
        let mut prev = Digest::of(b"").to_string();
        for (seq, body) in (1_i64..).zip(&bodies) {
            let hash = super::super::audit::chain(seq, &prev, body).to_string();
            sql.execute(
                "INSERT INTO audit (seq, prev, hash, body) VALUES (?1, ?2, ?3, ?4)",
                params![seq, prev, hash, body],
            )
            .unwrap();
            prev = hash;
        }
        assert!(self.store.verify_audit().unwrap().is_ok());
    }
}

fn opened(document: &[u8]) -> AuditCheckpoint {
    AuditCheckpoint::open(document, &ca().public()).unwrap()
}

fn altered(bodies: &mut [String], at: usize) {
    bodies[at] = bodies[at].replace("something", "nothing");
}

type Forgery = (&'static str, fn(&mut Vec<String>), &'static str);

/// Of a trail of ten entries, of which seven were signed first.
const FORGERIES: &[Forgery] = &[
    ("altered", |all| altered(all, 7), "entry 8"),
    (
        "altered early",
        |all| altered(all, 5),
        "one of the entries 1 to 7",
    ),
    (
        "dropped",
        |all| drop(all.remove(4)),
        "one of the entries 1 to 7",
    ),
    (
        "reordered",
        |all| all.swap(4, 5),
        "one of the entries 1 to 7",
    ),
    ("put in", |all| all.insert(7, all[4].clone()), "entry 8"),
    ("cut", |all| all.truncate(7), "entry 8"),
    (
        "another end",
        |all| {
            all.truncate(3);
            all.resize(30, all[0].clone());
        },
        "one of the entries 1 to 7",
    ),
];

#[test]
fn both_records_grow_under_each_others_eyes() {
    let mut scene = Scene::new();
    let mut held: Option<Vec<u8>> = None;
    for number in 6..30 {
        let given = scene.give(held.as_deref());
        let now = opened(&given.document);
        assert!(!given.contradicted);
        let before = held.map_or_else(TreeHead::empty, |held| opened(&held).tree);
        assert!(now.tree.extends(&before, &given.proof));
        assert_eq!(scene.say(&scene.ledger, &now), Ok(()));
        let answer = opened(&scene.give(Some(&given.document)).document);
        assert_eq!(answer.seen, tree_of(&scene.ledger).head());
        held = Some(given.document);
        if number % 3 > 0 {
            scene.grow(number);
        }
    }
    let found = scene.verify().unwrap();
    let newest = held.as_deref().map(|held| opened(held).tree.size);
    assert_eq!((found.sites, Some(found.seen)), (1, newest));
    scene.give(held.as_deref());
    let found = scene.verify().unwrap();
    // Nothing new: nothing more is signed.
    scene.give(held.as_deref());
    assert_eq!(scene.verify().unwrap().given, found.given);
}

#[test]
fn a_trail_that_was_written_anew_is_found_by_either_side() {
    for (what, forge, named) in FORGERIES {
        let mut scene = Scene::new();
        scene.rewrite(|all| all.truncate(7));
        let seven = scene.give(None).document;
        assert_eq!(opened(&seven).tree.size, 7);
        scene.say(&scene.ledger, &opened(&seven)).unwrap();
        scene.grow(6);
        let eight = scene.give(Some(&seven)).document;
        scene.say(&scene.ledger, &opened(&eight)).unwrap();
        for number in 7..9 {
            scene.grow(number);
        }
        let kept = scene.give(Some(&eight)).document;
        assert_eq!(opened(&kept).tree.size, 10);
        assert!(scene.verify().is_ok());

        scene.rewrite(forge);
        let fault = scene.verify().unwrap_err();
        assert_eq!(fault.what, format!("audit trail: {named}"), "{what}");

        // What the coordinator signed is taken from its own database as well: the site still has it.
        let sql = Connection::open(scene.dir.path().join("fedval.db")).unwrap();
        sql.execute_batch("DROP TRIGGER IF EXISTS checkpoint_no_delete; DELETE FROM checkpoint;")
            .unwrap();
        assert!(scene.verify().is_ok(), "{what}: nothing is left that tells");
        let given = scene.give(Some(&kept));
        assert!(given.contradicted, "{what}");
        let now = opened(&given.document).tree;
        assert!(!now.extends(&opened(&kept).tree, &given.proof), "{what}");
        scene.give(Some(&kept));
        assert_eq!(scene.whats("audit trail contradicted"), 1, "{what}");
        let fault = scene.verify().unwrap_err();
        assert!(fault.what.starts_with("audit trail: "), "{what}: {fault:?}");
        assert!(fault.why.starts_with("va keeps"), "{what}: {fault:?}");

        // A person explains it; the trail keeps that, and the site goes on from what it is now.
        assert_eq!(scene.store.rebaseline_trail("restored", at(30)).unwrap(), 1);
        assert!(scene.verify().is_ok(), "{what}");
        assert!(scene.store.rebaseline_trail("restored", at(30)).is_err());
        assert!(!scene.give(None).contradicted);
        assert_eq!(scene.whats("audit trail re-baselined"), 1);
    }
}

type Rewriting = (&'static str, fn(&mut Vec<Vec<u8>>));

#[test]
fn a_ledger_that_does_not_extend_what_its_site_signed_is_refused_and_kept() {
    let forgeries: [Rewriting; 6] = [
        ("altered", |ledger| ledger[2][0] ^= 1),
        ("dropped", |ledger| drop(ledger.remove(0))),
        ("reordered", |ledger| ledger.swap(3, 4)),
        ("put in", |ledger| ledger.insert(1, vec![7])),
        ("cut", |ledger| ledger.truncate(4)),
        ("emptied", Vec::clear),
    ];
    for (what, forge) in forgeries {
        let mut scene = Scene::new();
        let given = scene.give(None);
        scene.say(&scene.ledger, &opened(&given.document)).unwrap();
        scene.grow(6);
        let mut forged = scene.ledger.clone();
        forge(&mut forged);
        let now = opened(&scene.give(Some(&given.document)).document);
        assert!(!scene.store.contested(&scene.va).unwrap());
        let said = scene.say(&forged, &now);
        assert_eq!(said, Err(Refusal::LedgerAltered), "{what}");
        assert!(scene.store.contested(&scene.va).unwrap(), "{what}");
        // Not even its true ledger is taken before a person has looked, nor is anything kept twice.
        let said = scene.say(&scene.ledger, &now);
        assert_eq!(said, Err(Refusal::LedgerAltered), "{what}");
        assert_eq!(scene.whats("ledger contradicted"), 1, "{what}");
        assert_eq!(scene.verify().unwrap_err().what, "ledger of va", "{what}");

        scene.store.rebaseline(&scene.va, "disk", at(40)).unwrap();
        assert!(!scene.store.contested(&scene.va).unwrap());
        let now = opened(&scene.give(Some(&given.document)).document);
        assert_eq!(now.seen, TreeHead::empty());
        assert_eq!(scene.say(&forged, &now), Ok(()), "{what}");
        assert!(scene.verify().is_ok(), "{what}");
    }
}

#[test]
fn what_arrives_late_or_was_never_shown_accuses_nobody() {
    let mut scene = Scene::new();
    let first = opened(&scene.give(None).document);
    scene.say(&scene.ledger[..3], &first).unwrap();
    let second = opened(&scene.give(None).document);
    scene.say(&scene.ledger, &second).unwrap();
    // Sent over a connection that was lost meanwhile.
    assert_eq!(scene.say(&scene.ledger[..3], &first), Err(Refusal::Busy));
    assert_eq!(scene.say(&scene.ledger, &second), Err(Refusal::Busy));
    let mut made_up = opened(&scene.give(None).document);
    made_up.tree.root = Digest::of(b"made up");
    scene.grow(6);
    let said = scene.say(&scene.ledger, &made_up);
    assert_eq!(said, Err(Refusal::NotAllowed));
    assert!(!scene.store.contested(&scene.va).unwrap());
    assert!(scene.verify().is_ok());
}

#[test]
fn a_checkpoint_put_into_the_database_proves_nothing() {
    let scene = Scene::new();
    let given = scene.give(None).document;
    scene.say(&scene.ledger, &opened(&given)).unwrap();
    let tree = tree_of(&scene.ledger);
    let forged = LedgerCheckpoint {
        site: scene.va.clone(),
        tree: tree.head(),
        head: Digest::of(b"head"),
        seen: opened(&given).tree,
        at: at(50),
    };
    let forged = forged.sign(&key(99)).unwrap();
    let sql = Connection::open(scene.dir.path().join("fedval.db")).unwrap();
    let put = |kind: &str, document: &[u8]| {
        sql.execute(
            "INSERT INTO checkpoint (site, kind, document, at) VALUES ('va', ?1, ?2, 0)",
            params![kind, document],
        )
        .unwrap();
        let why = scene.verify().unwrap_err().why;
        sql.execute_batch(
            "DROP TRIGGER IF EXISTS checkpoint_no_delete;
             DELETE FROM checkpoint WHERE id = (SELECT max(id) FROM checkpoint);",
        )
        .unwrap();
        why
    };
    assert_eq!(put("held", &forged), "no key of the site signed it");
    assert_eq!(put("given", &forged), "the coordinator did not sign it");
    assert_eq!(
        put("contradicted", b"{}"),
        "the coordinator did not sign it"
    );
    assert!(scene.verify().is_ok());
}

/// The hash of an entry tells nothing to whoever guesses what the entry says.
#[test]
fn two_entries_with_the_same_content_have_different_hashes() {
    let scene = Scene::new();
    let entry = AuditEntry::new(at(10), "the same");
    scene.store.note(&entry).unwrap();
    scene.store.note(&entry).unwrap();
    let sql = Connection::open(scene.dir.path().join("fedval.db")).unwrap();
    let mut bodies: Vec<String> = sql
        .prepare("SELECT body FROM audit WHERE body LIKE '%the same%'")
        .unwrap()
        .query_map([], |row| row.get(0))
        .unwrap()
        .collect::<Result<_, _>>()
        .unwrap();
    bodies.dedup();
    assert_eq!(bodies.len(), 2);
    assert_eq!(
        scene
            .store
            .audit()
            .unwrap()
            .iter()
            .filter(|one| **one == entry)
            .count(),
        2
    );
}
