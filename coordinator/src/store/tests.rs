use shared::identity::{CountingEntropy, Digest, InvitationSecret, Serial, SigningKey};
use shared::study::{RoundId, SiteSlug, SiteState};
use shared::wire::{LedgerHead, Refusal};

use super::*;
use crate::intake::Finding;
use crate::round::{RoundEvent, RoundState};

pub(super) fn at(seconds: i64) -> Timestamp {
    Timestamp::from_unix(1_800_000_000 + seconds).unwrap()
}

pub(super) fn site(name: &str) -> SiteSlug {
    name.parse().unwrap()
}

pub(super) fn round() -> RoundId {
    "study.r1".parse().unwrap()
}

fn keys(dir: &tempfile::TempDir) -> PathBuf {
    dir.path().join("storage.keys")
}

pub(super) fn open(dir: &tempfile::TempDir) -> Store {
    Store::open(&dir.path().join("fedval.db"), &keys(dir)).unwrap()
}

pub(super) fn head(entries: u64) -> LedgerHead {
    LedgerHead {
        entries,
        hash: Digest::of(&entries.to_be_bytes()),
    }
}

fn launch() -> Launch {
    let jobs = ["a", "b"].map(|name| NewJob {
        site: site(name),
        digest: Digest::of(name.as_bytes()),
        bytes: name.as_bytes().to_vec(),
    });
    Launch {
        round: round(),
        study: "study".parse().unwrap(),
        version: "1".into(),
        protocol: Digest::of(b"protocol"),
        protocol_bytes: b"protocol".to_vec(),
        sites: vec![site("a"), site("b"), site("c")],
        jobs: jobs.to_vec(),
        left_out: vec![site("c")],
        launched_at: at(0),
        expires_at: at(1000),
    }
}

/// A store with sites `a` and `b` enrolled and a round launched.
pub(super) fn launched(dir: &tempfile::TempDir) -> Store {
    let store = open(dir);
    for (seed, name) in ["a", "b"].into_iter().enumerate() {
        enrolled(&store, &site(name), seed as u64);
    }
    store.launch(&launch()).unwrap();
    store
}

fn certificate(site: &SiteSlug, seed: u64, issued: i64) -> CertificateRow {
    let mut entropy = CountingEntropy::new(seed);
    CertificateRow {
        serial: Serial::generate(&mut entropy).unwrap(),
        site: site.clone(),
        public_key: SigningKey::generate(&mut entropy).unwrap().public(),
        der: vec![u8::try_from(seed).unwrap()],
        issued_at: at(issued),
        not_after: at(10_000),
        superseded_at: None,
        revoked_at: None,
    }
}

fn enrolment(seed: u64, csr: &[u8]) -> Enrolment {
    let secret = InvitationSecret::generate(&mut CountingEntropy::new(seed)).unwrap();
    Enrolment {
        secret: secret.digest(),
        csr: csr.to_vec(),
        words: "six words".into(),
        remote: "192.0.2.1".into(),
        requested_at: at(0),
    }
}

pub(super) fn enrolled(store: &Store, site: &SiteSlug, seed: u64) -> CertificateRow {
    let request = enrolment(seed, b"csr");
    store
        .add_invitation(site, None, &request.secret, at(0), at(100))
        .unwrap();
    store.enrol(site, &request, at(1)).unwrap();
    let certificate = certificate(site, seed, 2);
    store.approve(&request.secret, &certificate, at(2)).unwrap();
    certificate
}

fn delivery(name: &str, bytes: &[u8]) -> InboxItem {
    InboxItem {
        release: Digest::of(name.as_bytes()),
        digest: Digest::of(bytes),
        job: Digest::of(name.as_bytes()),
        exchange: "measure".parse().unwrap(),
        step: 1,
        site: site(name),
        bytes: bytes.to_vec(),
        fingerprint: Digest::of(bytes),
        sketch: crate::intake::tests::sketch(bytes),
        received_at: at(10),
        status: InboxStatus::Accepted,
        findings: Vec::new(),
    }
}

fn state(store: &Store, name: &str) -> SiteState {
    store
        .job(&Digest::of(name.as_bytes()))
        .unwrap()
        .unwrap()
        .state
}

#[test]
fn an_invitation_works_once_and_until_it_expires() {
    let dir = tempfile::tempdir().unwrap();
    let store = open(&dir);
    let a = site("a");
    let request = enrolment(1, b"csr");
    assert_eq!(store.enrol(&a, &request, at(1)).unwrap(), Enrolled::Invalid);
    store
        .add_invitation(&a, Some("it@a"), &request.secret, at(0), at(100))
        .unwrap();
    assert_eq!(
        store.enrol(&site("b"), &request, at(1)).unwrap(),
        Enrolled::Invalid
    );
    assert_eq!(
        store.enrol(&a, &request, at(100)).unwrap(),
        Enrolled::Invalid
    );
    assert_eq!(
        store.enrol(&a, &request, at(99)).unwrap(),
        Enrolled::Pending
    );
    assert_eq!(
        store.enrol(&a, &request, at(200)).unwrap(),
        Enrolled::Pending
    );
    let other_key = Enrolment {
        csr: b"other".to_vec(),
        ..request.clone()
    };
    assert_eq!(
        store.enrol(&a, &other_key, at(99)).unwrap(),
        Enrolled::Invalid
    );

    let issued = certificate(&a, 1, 101);
    store.approve(&request.secret, &issued, at(101)).unwrap();
    let got = store.collect(&a, &request.secret).unwrap();
    assert_eq!(got, Enrolled::Issued(issued.der.clone()));
    assert!(store.pending_enrolment(&a).unwrap().is_none());
    assert!(
        store
            .add_invitation(&a, None, &Digest::of(b"2"), at(0), at(9))
            .is_err()
    );
    store.withdraw(&a, Standing::Revoked, at(102)).unwrap();
    assert_eq!(
        store.collect(&a, &request.secret).unwrap(),
        Enrolled::Invalid
    );
}

#[test]
fn a_superseded_certificate_that_comes_back_suspends_the_site() {
    let dir = tempfile::tempdir().unwrap();
    let store = open(&dir);
    let a = site("a");
    let old = enrolled(&store, &a, 1);
    let admitted = |serial: &Serial, now| store.admit(&a, serial, at(now)).unwrap();
    assert_eq!(store.certificate_used(&a, &old.serial, at(3)).unwrap(), []);
    let new = certificate(&a, 2, 50);
    store.add_renewal(&new, at(50)).unwrap();
    // Until the new one is used, a crash at the node must not lock it out.
    assert_eq!(admitted(&old.serial, 60), Ok(()));
    assert_eq!(
        store.certificate_used(&a, &new.serial, at(61)).unwrap(),
        [old.serial]
    );
    assert_eq!(admitted(&new.serial, 62), Ok(()));
    assert_eq!(admitted(&old.serial, 62), Err(Refusal::CertificateInvalid));
    assert_eq!(
        admitted(&new.serial, 63),
        Ok(()),
        "a request under way is no theft"
    );
    assert_eq!(admitted(&old.serial, 200), Err(Refusal::CertificateInvalid));
    assert_eq!(admitted(&new.serial, 201), Err(Refusal::CertificateInvalid));
    assert_eq!(
        store.site(&a).unwrap().unwrap().standing,
        Standing::Suspended
    );
    assert_eq!(
        store.admit(&site("b"), &new.serial, at(1)).unwrap(),
        Err(Refusal::CertificateInvalid)
    );
}

#[test]
fn a_round_is_launched_once_and_offered_until_answered() {
    let dir = tempfile::tempdir().unwrap();
    let store = launched(&dir);
    let (a, job) = (site("a"), Digest::of(b"a"));
    assert_eq!(store.launch(&launch()).unwrap().launched_at, at(0));
    let mut other = launch();
    other.protocol = Digest::of(b"other");
    assert!(store.launch(&other).is_err());

    let offers = store.offers(&a, &[], 16, at(1)).unwrap();
    assert_eq!(offers.len(), 1);
    assert_eq!(
        (offers[0].job, offers[0].document.as_slice()),
        (job, b"a".as_slice())
    );
    assert_eq!(
        store.offers(&a, &[], 16, at(2)).unwrap().len(),
        1,
        "until answered"
    );
    assert!(
        store.offers(&a, &[job], 16, at(2)).unwrap().is_empty(),
        "known"
    );
    assert!(
        store.offers(&a, &[], 16, at(1000)).unwrap().is_empty(),
        "expired"
    );
    assert!(
        store.offers(&site("c"), &[], 16, at(2)).unwrap().is_empty(),
        "left out"
    );
    let row = store.round(&round()).unwrap().unwrap();
    assert_eq!(row.state, RoundState::Collecting { launched_at: at(0) });

    let told = |site: &SiteSlug, state| store.progress(site, &job, state, at(3)).unwrap();
    assert_eq!(told(&a, SiteState::Computing), Ok(()));
    assert_eq!(
        told(&site("b"), SiteState::Computing),
        Err(Refusal::WrongSite)
    );
    assert_eq!(
        store
            .decline(&a, &job, Refusal::NotReleased, at(4))
            .unwrap(),
        Ok(())
    );
    assert_eq!(
        store
            .decline(&a, &job, Refusal::NotReleased, at(5))
            .unwrap(),
        Ok(())
    );
    assert_eq!(
        told(&a, SiteState::Computing),
        Ok(()),
        "late words change nothing"
    );
    assert_eq!(state(&store, "a"), SiteState::RejectedBySite);
    assert!(store.offers(&a, &[], 16, at(6)).unwrap().is_empty());
    assert!(
        store
            .takes_part(&Digest::of(b"protocol"), &site("c"))
            .unwrap()
    );
    assert!(
        !store
            .takes_part(&Digest::of(b"protocol"), &site("d"))
            .unwrap()
    );
}

#[test]
fn a_release_is_stored_once_whatever_is_repeated() {
    let dir = tempfile::tempdir().unwrap();
    let store = launched(&dir);
    let item = delivery("a", b"bytes");
    let put = |store: &Store, item: &InboxItem, receipt: &[u8], entries| {
        store
            .deliver(item, receipt, &head(entries), at(10))
            .unwrap()
    };
    let first = Stored::Receipt(b"receipt".to_vec());
    assert_eq!(put(&store, &item, b"receipt", 3), first);
    drop(store);
    // The same bytes after a restart, whatever happened to the reply.
    let store = open(&dir);
    assert_eq!(put(&store, &item, b"another receipt", 4), first);
    assert_eq!(store.inbox(&round()).unwrap().len(), 1);
    assert_eq!(store.ledger_head(&site("a")).unwrap(), head(3));
    assert_eq!(state(&store, "a"), SiteState::Delivered);
    assert_eq!(
        store
            .decline(&site("a"), &item.job, Refusal::NotReleased, at(11))
            .unwrap(),
        Err(Refusal::Conflict)
    );

    let other = InboxItem {
        digest: Digest::of(b"other"),
        bytes: b"other".to_vec(),
        ..item.clone()
    };
    let refused = Stored::Refused(Refusal::Conflict);
    assert_eq!(put(&store, &other, b"r", 5), refused);
    assert_eq!(put(&store, &other, b"r", 5), refused);
    let kept = store.inbox(&round()).unwrap();
    assert_eq!(kept.len(), 2, "both are kept");
    for item in &kept {
        assert_eq!(item.status, InboxStatus::Quarantined);
        assert_eq!(item.findings.len(), 1);
    }
    assert_eq!(
        put(&store, &item, b"r", 5),
        first,
        "the first keeps its receipt"
    );
}

#[test]
fn late_behind_foreign_and_copied_releases_are_not_pooled() {
    let dir = tempfile::tempdir().unwrap();
    let store = launched(&dir);
    let mut foreign = delivery("a", b"x");
    foreign.site = site("b");
    let put =
        |item: &InboxItem, entries| store.deliver(item, b"r", &head(entries), at(10)).unwrap();
    assert_eq!(put(&foreign, 1), Stored::Refused(Refusal::WrongSite));
    let mut unknown = delivery("a", b"x");
    unknown.job = Digest::of(b"nothing");
    assert_eq!(put(&unknown, 1), Stored::Refused(Refusal::NotAllowed));

    assert!(matches!(
        put(&delivery("a", b"same"), 2),
        Stored::Receipt(_)
    ));
    let mut copy = delivery("b", b"same");
    copy.findings = vec![Finding::new("rule", "place", "what")];
    assert!(matches!(put(&copy, 2), Stored::Receipt(_)));
    for item in store.inbox(&round()).unwrap() {
        assert_eq!(item.status, InboxStatus::Quarantined);
        assert!(item.findings.iter().any(|f| f.rule == "fingerprint-unique"));
    }

    let dir = tempfile::tempdir().unwrap();
    let store = launched(&dir);
    store
        .advance(&round(), &RoundEvent::Close { at: at(20) }, at(20))
        .unwrap();
    let late = store
        .deliver(&delivery("a", b"x"), b"r", &head(1), at(21))
        .unwrap();
    assert_eq!(late, Stored::Refused(Refusal::RoundClosed));
    assert!(store.inbox(&round()).unwrap().is_empty());
}

/// Everything that the database has on the disk; ASCII text stays readable in it.
fn on_disk(dir: &tempfile::TempDir) -> String {
    let mut bytes = Vec::new();
    for name in ["fedval.db", "fedval.db-wal"] {
        bytes.extend(std::fs::read(dir.path().join(name)).unwrap_or_default());
    }
    String::from_utf8_lossy(&bytes).into_owned()
}

/// A delivered release of the bundled study, as `site`'s.
pub(super) fn real(name: &str, of: &str) -> InboxItem {
    let (_, _, bytes) = crate::intake::tests::open_data(of);
    let mut item = delivery(name, &bytes);
    item.findings = vec![Finding::new("rule", "place", "0.8128416 was released")];
    item
}

#[test]
fn no_text_of_a_result_is_on_the_disk_and_no_row_opens_in_another() {
    let dir = tempfile::tempdir().unwrap();
    let store = launched(&dir);
    let put = |item: &InboxItem| store.deliver(item, b"r", &head(1), at(10)).unwrap();
    for (name, of) in [("a", "va"), ("b", "hungarian")] {
        let mut item = real(name, of);
        item.fingerprint = Digest::of(of.as_bytes());
        assert!(matches!(put(&item), Stored::Receipt(_)));
    }
    let step: shared::study::ExchangeId = "calibration".parse().unwrap();
    let opened = b"sums over all sites";
    store.keep_step(&round(), &step, 1, opened, at(11)).unwrap();
    let found = on_disk(&dir);
    assert!(found.contains("release accepted"), "the search finds text");
    // Whoever guesses the statistics cannot see that the guess is right.
    assert!(!found.contains(&Digest::of(b"va").hex()));
    let sent = real("a", "va").bytes;
    let text = std::str::from_utf8(&sent).unwrap();
    for place in (0..text.len() - 24).step_by(1499) {
        let part = &text[place..place + 24];
        assert!(!found.contains(part), "{part}");
    }
    for text in ["0.8128416", "sums over all sites", "true_positive"] {
        assert!(!found.contains(text), "{text}");
    }
    let kept = store.inbox(&round()).unwrap();
    assert_eq!(kept[0].bytes, sent);
    assert_eq!(kept[0].findings.len(), 1);
    assert_eq!(store.step(&round(), &step, 1).unwrap().unwrap().1, opened);

    // The texts of two rows exchanged, or one altered: nothing opens, and the proof names it.
    let ca = SigningKey::generate(&mut CountingEntropy::new(5))
        .unwrap()
        .public();
    let raw = rusqlite::Connection::open(store.path()).unwrap();
    for column in ["bytes", "findings", "sketch"] {
        let swap = format!(
            "CREATE TEMP TABLE before AS SELECT site, {column} AS text FROM inbox;
             UPDATE inbox SET {column} =
                 (SELECT text FROM before WHERE before.site <> inbox.site);
             DROP TABLE before"
        );
        raw.execute_batch(&swap).unwrap();
        let fault = store.inbox(&round()).unwrap_err();
        assert_eq!(fault.code, Code::StoreFailed, "{fault}");
        let found = store.verify_receipts(&ca).unwrap().unwrap_err();
        assert!(found.why.contains("another row"), "{found:?}");
        raw.execute_batch(&swap).unwrap();
        assert_eq!(store.inbox(&round()).unwrap().len(), 2, "as before");
    }
    // Nobody makes an accepted release of one that was set aside.
    raw.execute_batch("UPDATE inbox SET status = 'quarantined'")
        .unwrap();
    assert!(store.inbox(&round()).is_err());
    raw.execute_batch("UPDATE inbox SET status = 'accepted'")
        .unwrap();
    raw.execute_batch("UPDATE step SET step = 2").unwrap();
    assert!(store.step(&round(), &step, 2).is_err());
}

/// Another rotation between one's commit and its end: its key is the one of all texts, and stays.
#[test]
fn old_keys_are_dropped_and_never_the_one_in_use() {
    let dir = tempfile::tempdir().unwrap();
    let store = launched(&dir);
    store
        .deliver(&real("a", "va"), b"r", &head(1), at(10))
        .unwrap();
    let other = open(&dir);
    store.rotate_key(false, at(11)).unwrap();
    let later = other.rotate_key(false, at(12)).unwrap();
    let dropped = store
        .change(|transaction| store.vault.keep_in_use(transaction))
        .unwrap();
    assert_eq!(dropped, 2);
    drop((store, other));
    let store = open(&dir);
    assert_eq!(store.inbox(&round()).unwrap().len(), 1);
    let again = store.rotate_key(true, at(13)).unwrap();
    assert_eq!(again.dropped, 1);
    assert_ne!(again.key, later.key);
    assert_eq!(store.inbox(&round()).unwrap().len(), 1);
}

/// Two processes that rotate at once and drop what is old leave a database that opens.
#[test]
fn rotations_at_once_leave_a_database_that_opens() {
    let dir = tempfile::tempdir().unwrap();
    let store = launched(&dir);
    store
        .deliver(&real("a", "va"), b"r", &head(1), at(10))
        .unwrap();
    let stores = [store, open(&dir)];
    std::thread::scope(|scope| {
        for store in &stores {
            scope.spawn(|| {
                for _ in 0..8 {
                    store.rotate_key(true, at(11)).unwrap();
                }
            });
        }
    });
    drop(stores);
    assert_eq!(open(&dir).inbox(&round()).unwrap().len(), 1);
}

#[test]
fn a_rotated_key_keeps_every_result_and_another_store_follows() {
    let dir = tempfile::tempdir().unwrap();
    let store = launched(&dir);
    let serving = open(&dir);
    let put = |store: &Store, name, of| {
        store
            .deliver(&real(name, of), b"r", &head(1), at(10))
            .unwrap()
    };
    put(&serving, "a", "va");
    let step: shared::study::ExchangeId = "calibration".parse().unwrap();
    store
        .keep_step(&round(), &step, 1, b"sums", at(11))
        .unwrap();
    let before = std::fs::read_to_string(keys(&dir)).unwrap();
    let backup = dir.path().join("backup.db");
    rusqlite::Connection::open(store.path())
        .unwrap()
        .execute("VACUUM INTO ?1", [backup.display().to_string()])
        .unwrap();

    let done = store.rotate_key(false, at(12)).unwrap();
    assert_eq!((done.texts, done.dropped), (4, 0));
    let after = std::fs::read_to_string(keys(&dir)).unwrap();
    assert_eq!(after.lines().count(), 3);
    assert_eq!(
        after.lines().nth(2),
        before.lines().nth(1),
        "the old one stays"
    );
    assert_ne!(
        after.lines().nth(1),
        before.lines().nth(1),
        "the new one is first"
    );
    // The other store knew the old key only: it reads, and writes with the new one.
    assert_eq!(
        serving.inbox(&round()).unwrap()[0].bytes,
        real("a", "va").bytes
    );
    put(&serving, "b", "hungarian");
    assert_eq!(
        serving.step(&round(), &step, 1).unwrap().unwrap().1,
        b"sums"
    );
    // A backup from before still opens: its key is kept.
    assert_eq!(
        Store::open(&backup, &keys(&dir))
            .unwrap()
            .inbox(&round())
            .unwrap()
            .len(),
        1
    );

    let done = store.rotate_key(true, at(13)).unwrap();
    assert_eq!((done.texts, done.dropped), (7, 2));
    assert_eq!(
        std::fs::read_to_string(keys(&dir)).unwrap().lines().count(),
        2
    );
    assert_eq!(serving.inbox(&round()).unwrap().len(), 2);
    drop((store, serving));
    let store = open(&dir);
    assert_eq!(store.inbox(&round()).unwrap().len(), 2);
    let rotations = store.audit().unwrap();
    let rotations = rotations
        .iter()
        .filter(|entry| entry.what == "storage key rotated");
    assert_eq!(rotations.count(), 2);
    let fault = Store::open(&backup, &keys(&dir)).err().unwrap();
    assert_eq!(fault.code, Code::StorageKeyMissing);
}

#[test]
fn a_lost_or_exchanged_key_is_told_as_that() {
    use std::os::unix::fs::PermissionsExt;
    let dir = tempfile::tempdir().unwrap();
    let store = launched(&dir);
    store
        .deliver(&real("a", "va"), b"r", &head(1), at(10))
        .unwrap();
    let path = store.path().to_owned();
    drop(store);
    let file = keys(&dir);
    let mode = std::fs::metadata(&file).unwrap().permissions().mode();
    assert_eq!(mode & 0o777, 0o600);
    let text = std::fs::read_to_string(&file).unwrap();
    let refused = || Store::open(&path, &file).err().map(|fault| fault.code);
    let missing = Some(Code::StorageKeyMissing);

    std::fs::remove_file(&file).unwrap();
    assert_eq!(refused(), missing);
    assert!(!file.exists(), "no new key takes its place");
    // Another consortium's key, a damaged one, one that others may read.
    let other = tempfile::tempdir().unwrap();
    drop(open(&other));
    std::fs::copy(keys(&other), &file).unwrap();
    assert_eq!(refused(), missing);
    std::fs::write(&file, "fedval.storage-keys/1\nno key\n").unwrap();
    assert_eq!(refused(), missing);
    std::fs::write(&file, &text).unwrap();
    std::fs::set_permissions(&file, std::fs::Permissions::from_mode(0o644)).unwrap();
    assert_eq!(refused(), missing);
    std::fs::set_permissions(&file, std::fs::Permissions::from_mode(0o600)).unwrap();
    assert_eq!(refused(), None);
}

/// The same numbers under another name in another round are found; the closed round's own release
/// stays as it was reported.
#[test]
fn a_copy_of_an_earlier_rounds_release_is_set_aside() {
    let dir = tempfile::tempdir().unwrap();
    let store = launched(&dir);
    let mut first = real("a", "va");
    first.findings.clear();
    store.deliver(&first, b"r", &head(1), at(10)).unwrap();
    store
        .advance(&round(), &RoundEvent::Close { at: at(20) }, at(20))
        .unwrap();
    let mut again = launch();
    again.round = "study.r2".parse().unwrap();
    for job in &mut again.jobs {
        job.digest = Digest::of(format!("{} again", job.site).as_bytes());
    }
    store.launch(&again).unwrap();
    // The same hospital says the same about the same question: no copy.
    let of = |item: &InboxItem, name: &str, release: &[u8]| {
        let mut item = item.clone();
        item.site = site(name);
        item.job = Digest::of(format!("{name} again").as_bytes());
        item.release = Digest::of(release);
        item
    };
    store
        .deliver(&of(&first, "a", b"1"), b"r", &head(2), at(21))
        .unwrap();
    store
        .deliver(&of(&first, "b", b"2"), b"r", &head(2), at(22))
        .unwrap();
    let second = store.inbox(&again.round).unwrap();
    assert_eq!(second.len(), 2);
    for item in &second {
        assert_eq!(item.status, InboxStatus::Quarantined, "{}", item.site);
        assert!(
            item.findings
                .iter()
                .all(|one| one.rule == "fingerprint-unique")
        );
    }
    let earlier = store.inbox(&round()).unwrap();
    assert_eq!(earlier[0].status, InboxStatus::Accepted);
    assert!(
        second[1]
            .findings
            .iter()
            .any(|one| one.what.contains("in round study.r1"))
    );
    let audit = store.audit().unwrap();
    let aside = audit
        .iter()
        .filter(|entry| entry.what == "release set aside");
    assert_eq!(aside.count(), 1);
    assert!(audit.iter().all(|entry| entry.by.is_some()));
}

/// The texts of a row from before it was set aside open in it, and the proof says what they are.
#[test]
fn a_row_put_back_as_it_was_before_it_was_set_aside_is_found() {
    let dir = tempfile::tempdir().unwrap();
    let store = launched(&dir);
    let mut first = real("a", "va");
    first.findings.clear();
    store.deliver(&first, b"r", &head(1), at(10)).unwrap();
    let raw = rusqlite::Connection::open(store.path()).unwrap();
    raw.execute_batch("CREATE TEMP TABLE before AS SELECT * FROM inbox")
        .unwrap();
    let copy = InboxItem {
        bytes: first.bytes.clone(),
        digest: Digest::of(b"copy"),
        ..delivery("b", &first.bytes)
    };
    store.deliver(&copy, b"r", &head(1), at(11)).unwrap();
    let of_a = |store: &Store| store.inbox(&round()).unwrap()[0].status;
    assert_eq!(of_a(&store), InboxStatus::Quarantined);
    let ca = SigningKey::generate(&mut CountingEntropy::new(5))
        .unwrap()
        .public();
    let why = || store.verify_receipts(&ca).unwrap().unwrap_err().why;
    assert!(!why().contains("set aside"), "{}", why());
    raw.execute_batch(
        "UPDATE inbox SET status = before.status, findings = before.findings
         FROM before WHERE before.site = inbox.site",
    )
    .unwrap();
    assert_eq!(of_a(&store), InboxStatus::Accepted, "it opens");
    assert!(why().contains("was set aside"), "{}", why());
}

/// One table under two names, rounded once more on the way: both are set aside, with the numbers
/// they share in the reason.
#[test]
fn a_rounded_copy_in_the_same_round_sets_both_aside() {
    let dir = tempfile::tempdir().unwrap();
    let store = launched(&dir);
    let (job, digest, bytes) = crate::intake::tests::open_data("va");
    let coarse = crate::intake::tests::guarded(&job, digest);
    let mut one = delivery("a", &bytes);
    one.fingerprint = Digest::of(b"1");
    let mut two = delivery("b", &coarse);
    two.fingerprint = Digest::of(b"2");
    for item in [&one, &two] {
        store.deliver(item, b"r", &head(1), at(10)).unwrap();
    }
    for item in store.inbox(&round()).unwrap() {
        assert_eq!(item.status, InboxStatus::Quarantined, "{}", item.site);
        assert!(item.findings.iter().any(|one| one.rule == "numbers-unique"));
    }
}

#[test]
fn a_change_that_did_not_commit_leaves_nothing() {
    let dir = tempfile::tempdir().unwrap();
    let store = launched(&dir);
    let before = store.verify_audit().unwrap().unwrap();
    let outcome: Result<(), Fault> = store.change(|transaction| {
        transaction
            .execute("UPDATE job SET state = 'delivered'", [])
            .map_err(|error| broken(&error))?;
        Err(Fault::internal("the process ends here"))
    });
    assert!(outcome.is_err());
    drop(store);
    let store = open(&dir);
    assert_eq!(state(&store, "a"), SiteState::JobOffered);
    assert_eq!(store.verify_audit().unwrap(), Ok(before));
}

#[test]
fn an_unclean_end_is_noticed_and_a_foreign_file_refused() {
    let dir = tempfile::tempdir().unwrap();
    let store = open(&dir);
    assert!(store.begin_service().unwrap());
    drop(store);
    let store = open(&dir);
    assert!(!store.begin_service().unwrap());
    store.end_service().unwrap();
    assert!(store.begin_service().unwrap());

    let version = store.data_version().unwrap();
    open(&dir)
        .note(&AuditEntry::new(at(1), "seen by the other"))
        .unwrap();
    assert_ne!(store.data_version().unwrap(), version);

    let path = dir.path().join("other.db");
    let other = rusqlite::Connection::open(&path).unwrap();
    other.pragma_update(None, "user_version", 1).unwrap();
    assert!(Store::open(&path, &keys(&dir)).is_err());
    other
        .pragma_update(None, "application_id", APPLICATION_ID)
        .unwrap();
    other.pragma_update(None, "user_version", 99).unwrap();
    assert!(Store::open(&path, &keys(&dir)).is_err());
}

#[test]
fn the_audit_trail_is_append_only_and_shows_tampering() {
    let dir = tempfile::tempdir().unwrap();
    let store = launched(&dir);
    let entries = store.verify_audit().unwrap().unwrap();
    assert!(entries >= 7, "{entries}");
    assert_eq!(
        store.audit().unwrap().len(),
        usize::try_from(entries).unwrap()
    );
    let raw = rusqlite::Connection::open(store.path()).unwrap();
    assert!(
        raw.execute("UPDATE audit SET body = '{}' WHERE seq = 3", [])
            .is_err()
    );
    assert!(raw.execute("DELETE FROM audit", []).is_err());
    raw.execute_batch("DROP TRIGGER audit_no_update").unwrap();
    raw.execute("UPDATE audit SET body = '{}' WHERE seq = 3", [])
        .unwrap();
    assert_eq!(store.verify_audit().unwrap(), Err(AuditFault { seq: 3 }));
}
