use std::sync::atomic::{AtomicI64, Ordering};

use shared::identity::{CountingEntropy, InvitationSecret, KeyPurpose, SigningKey};
use shared::identity::{Signed, enrolment_words};
use shared::study::lock::Signoff;
use shared::study::source;

use super::*;
use crate::desk::{self, Wish};
use crate::intake::tests as example;
use crate::roster::Invitation;
use crate::round::RoundState;
use shared::identity::TreeHead;
use shared::wire::{AuditCheckpoint, LedgerCheckpoint, RECEIPT_SCHEMA};

const START: i64 = 1_800_000_000;

/// A consortium with every site of the bundled study enrolled.
struct Fixture {
    dir: tempfile::TempDir,
    store: Arc<Store>,
    consortium: Arc<Consortium>,
    dispatch: Arc<Dispatch>,
    now: Arc<AtomicI64>,
}

fn head(entries: u64) -> LedgerHead {
    LedgerHead {
        entries,
        hash: Digest::of(if entries == 0 { b"" } else { b"head" }),
    }
}

/// A certificate request as a node would make it, with its words.
fn request(seed: u64) -> (Vec<u8>, String) {
    let key = SigningKey::generate(&mut CountingEntropy::new(seed)).unwrap();
    let pair = rcgen::KeyPair::try_from(key.to_pkcs8().as_slice()).unwrap();
    let csr = rcgen::CertificateParams::new(Vec::new())
        .unwrap()
        .serialize_request(&pair)
        .unwrap();
    (csr.der().to_vec(), enrolment_words(&key.public()))
}

impl Fixture {
    fn new() -> Self {
        let dir = tempfile::tempdir().unwrap();
        let at = Timestamp::from_unix(START).unwrap();
        let consortium = Consortium::create("test", at, &mut CountingEntropy::new(1)).unwrap();
        let store = Arc::new(
            Store::open(
                &dir.path().join("fedval.db"),
                &dir.path().join("storage.keys"),
            )
            .unwrap(),
        );
        let consortium = Arc::new(consortium);
        let now = Arc::new(AtomicI64::new(START));
        let clock = {
            let now = Arc::clone(&now);
            Arc::new(move || Timestamp::from_unix(now.load(Ordering::SeqCst)).unwrap())
        };
        let dispatch = Dispatch::with_clock(Arc::clone(&store), Arc::clone(&consortium), clock);
        Self {
            dir,
            store,
            consortium,
            dispatch: Arc::new(dispatch),
            now,
        }
    }

    fn time(&self) -> Timestamp {
        Timestamp::from_unix(self.now.load(Ordering::SeqCst)).unwrap()
    }

    /// Invites, joins, approves and collects; the peer as the link would see it.
    async fn enrol(&self, name: &str, seed: u64) -> Peer {
        let site: SiteSlug = name.parse().unwrap();
        let invitation = Invitation {
            site: &site,
            address: &"localhost:4433".parse().unwrap(),
            contact: None,
            hours: 72,
        };
        let mut entropy = CountingEntropy::new(seed);
        let (token, _) = roster::invite(
            &self.store,
            &self.consortium,
            invitation,
            self.time(),
            &mut entropy,
        )
        .unwrap();
        let (csr, words) = request(seed);
        let enrol = JoinRequest::Enrol {
            site: site.clone(),
            secret: token.secret.as_bytes().to_vec(),
            csr,
        };
        assert_eq!(self.join(enrol).await, JoinReply::Pending);
        let wrong = roster::approve(
            &self.store,
            &self.consortium,
            &site,
            "not these words",
            self.time(),
            &mut entropy,
        );
        assert_eq!(wrong.unwrap_err().code, shared::fault::Code::WordsDiffer);
        let certificate = roster::approve(
            &self.store,
            &self.consortium,
            &site,
            &words,
            self.time(),
            &mut entropy,
        )
        .unwrap();
        let collect = JoinRequest::Collect {
            site: site.clone(),
            secret: token.secret.as_bytes().to_vec(),
        };
        let JoinReply::Issued { signers, .. } = self.join(collect).await else {
            panic!("not issued");
        };
        assert_eq!(signers.len(), 2);
        Peer {
            site,
            serial: certificate.serial,
            remote: "127.0.0.1:1".parse().unwrap(),
        }
    }

    async fn join(&self, request: JoinRequest) -> JoinReply {
        self.dispatch
            .join("127.0.0.1:1".parse().unwrap(), request)
            .await
    }

    async fn say(&self, peer: &Peer, request: NodeRequest) -> NodeReply {
        self.dispatch.node(peer, request).await
    }

    async fn hello(&self, peer: &Peer, entries: u64) -> NodeReply {
        let hello = NodeRequest::Hello {
            version_min: 1,
            version_max: 1,
            software: "test".into(),
            ledger: head(entries),
        };
        self.say(peer, hello).await
    }

    fn launch(&self) {
        let text = include_str!("../../configs/examples/heart/study.toml");
        let protocol = source::parse(text).unwrap();
        let signoffs = protocol.signoff.required.iter().map(|role| Signoff {
            role: role.clone(),
            name: "A. Name".into(),
        });
        let signoffs: Vec<Signoff> = signoffs.collect();
        let locked =
            desk::lock_study(&self.consortium, &protocol, &signoffs, "s", self.time()).unwrap();
        let wish = Wish {
            locked: &locked,
            round: None,
            without: &["cleveland".parse().unwrap(), "switzerland".parse().unwrap()],
            dry_run: false,
        };
        desk::launch(&self.store, &self.consortium, wish, self.time()).unwrap();
    }
}

#[tokio::test]
#[expect(clippy::too_many_lines, reason = "one story, told in order")]
async fn a_node_joins_fetches_delivers_and_keeps_its_receipt() {
    let fixture = Fixture::new();
    let va = fixture.enrol("va", 10).await;
    let hungarian = fixture.enrol("hungarian", 20).await;
    assert!(fixture.dispatch.may_connect(&va.site, &va.serial).is_ok());
    assert!(
        fixture
            .dispatch
            .may_connect(&va.site, &hungarian.serial)
            .is_err()
    );
    assert!(matches!(
        fixture.hello(&va, 0).await,
        NodeReply::HelloAck { version: 1, .. }
    ));

    fixture.launch();
    let poll = NodeRequest::Poll {
        wait_ms: 0,
        known: vec![],
    };
    let NodeReply::Jobs(jobs) = fixture.say(&va, poll).await else {
        panic!("no jobs");
    };
    let [offer] = jobs.as_slice() else {
        panic!("not one job");
    };
    let ca = fixture.consortium.ca.public();
    let job = Job::open(&offer.document, &ca, None, fixture.time()).unwrap();
    let fetch = NodeRequest::FetchProtocol {
        protocol: job.protocol,
    };
    assert!(matches!(
        fixture.say(&va, fetch).await,
        NodeReply::Protocol(_)
    ));

    let open = include_str!("../../configs/policy.open-data.toml");
    let document = example::delivered(&job, offer.job, open).unwrap();
    let release = shared::disclosure::ReceivedRelease::read(&document)
        .unwrap()
        .id;
    let deliver = NodeRequest::Deliver {
        job: offer.job,
        release,
        document,
        ledger: head(5),
    };
    let refused = fixture.say(&hungarian, deliver.clone()).await;
    assert_eq!(refused, NodeReply::Refused(Refusal::WrongSite));
    let first = fixture.say(&va, deliver.clone()).await;
    let NodeReply::Receipt { receipt, .. } = &first else {
        panic!("{first:?}");
    };
    let signed = Signed::<Receipt>::open(
        receipt,
        RECEIPT_SCHEMA,
        KeyPurpose::Receipt,
        &ca,
        None,
        fixture.time(),
    )
    .unwrap();
    assert_eq!(
        (signed.body.release, signed.body.ledger),
        (release, head(5))
    );
    fixture.now.fetch_add(60, Ordering::SeqCst);
    assert_eq!(
        fixture.say(&va, deliver.clone()).await,
        first,
        "the same receipt again"
    );
    assert!(matches!(
        fixture.hello(&va, 5).await,
        NodeReply::HelloAck { .. }
    ));
    let behind = NodeReply::Refused(Refusal::LedgerBehind);
    assert_eq!(fixture.hello(&va, 4).await, behind);

    desk::close(&fixture.store, &job.round, fixture.time()).unwrap();
    assert_eq!(
        fixture.say(&va, deliver).await,
        first,
        "also after the close"
    );
    let decline = NodeRequest::Decline {
        job: fixture.store.jobs(&job.round).unwrap()[0].digest,
        refusal: Refusal::NotReleased,
    };
    let late = fixture.say(&hungarian, decline).await;
    assert_eq!(late, NodeReply::Refused(Refusal::RoundClosed));
    let row = fixture.store.round(&job.round).unwrap().unwrap();
    assert!(matches!(row.state, RoundState::Closed { .. }));
    assert!(fixture.store.verify_audit().unwrap().is_ok());
    receipts_prove_what_is_stored(&fixture);
}

/// Each way to alter what was received is found, and what it concerns is named.
fn receipts_prove_what_is_stored(fixture: &Fixture) {
    let ca = fixture.consortium.ca.public();
    assert_eq!(fixture.store.verify_receipts(&ca).unwrap(), Ok(1));
    let stranger = SigningKey::generate(&mut CountingEntropy::new(77)).unwrap();
    assert!(
        fixture
            .store
            .verify_receipts(&stranger.public())
            .unwrap()
            .is_err()
    );
    let dir = fixture.dir.path();
    let source = rusqlite::Connection::open(dir.join("fedval.db")).unwrap();
    for (change, named) in [
        ("UPDATE inbox SET bytes = substr(bytes, 2)", "of va"),
        ("UPDATE inbox SET site = 'hungarian'", "of hungarian"),
        ("UPDATE receipt SET bytes = substr(bytes, 2)", "of va"),
        ("DELETE FROM receipt", "of va"),
        ("DELETE FROM receipt; DELETE FROM inbox", "document sha256:"),
        (
            "UPDATE ledger SET entries = entries + 1",
            "ledger head of va",
        ),
    ] {
        let copy = dir.join("copy.db");
        source
            .execute("VACUUM INTO ?1", [copy.display().to_string()])
            .unwrap();
        let altered = rusqlite::Connection::open(&copy).unwrap();
        altered.execute_batch("PRAGMA foreign_keys = off").unwrap();
        altered.execute_batch(change).unwrap();
        drop(altered);
        let found = Store::open(&copy, &dir.join("storage.keys"))
            .unwrap()
            .verify_receipts(&ca)
            .unwrap();
        let found = found.expect_err(change);
        assert!(found.what.contains(named), "{change}: {found:?}");
        std::fs::remove_file(&copy).unwrap();
    }
}

/// A ledger of `size` entries, signed with the key that `enrol` made of `seed`.
fn said(site: &SiteSlug, seed: u64, size: u64, root: &[u8]) -> NodeRequest {
    let checkpoint = LedgerCheckpoint {
        site: site.clone(),
        tree: TreeHead {
            size,
            root: Digest::of(root),
        },
        head: Digest::of(root),
        seen: TreeHead::empty(),
        at: Timestamp::from_unix(START).unwrap(),
    };
    let key = SigningKey::generate(&mut CountingEntropy::new(seed)).unwrap();
    NodeRequest::Checkpoint {
        document: checkpoint.sign(&key).unwrap(),
        from: 0,
        proof: Vec::new(),
    }
}

#[tokio::test]
async fn a_site_speaks_for_its_own_ledger_with_the_key_of_its_connection() {
    let fixture = Fixture::new();
    let va = fixture.enrol("va", 10).await;
    let hungarian = fixture.enrol("hungarian", 20).await;
    let refused = async |peer: &Peer, request, refusal| {
        let reply = fixture.say(peer, request).await;
        assert_eq!(reply, NodeReply::Refused(refusal));
    };
    let others = said(&hungarian.site, 20, 3, b"three");
    refused(&va, others, Refusal::WrongSite).await;
    let with_another_key = said(&va.site, 20, 3, b"three");
    refused(&va, with_another_key, Refusal::UnknownSigner).await;
    let nonsense = NodeRequest::Checkpoint {
        document: b"{}".to_vec(),
        from: 0,
        proof: Vec::new(),
    };
    refused(&va, nonsense, Refusal::UnknownForm).await;

    let ask = NodeRequest::FetchCheckpoint { held: Vec::new() };
    let NodeReply::Checkpoint { document, .. } = fixture.say(&hungarian, ask).await else {
        panic!("no checkpoint");
    };
    let ask = NodeRequest::FetchCheckpoint { held: document };
    refused(&va, ask, Refusal::WrongSite).await;
    let ask = NodeRequest::FetchCheckpoint {
        held: b"{}".to_vec(),
    };
    refused(&va, ask, Refusal::UnknownForm).await;

    let reply = fixture.say(&va, said(&va.site, 10, 3, b"three")).await;
    let NodeReply::Checkpoint { document, .. } = reply else {
        panic!("not taken: {reply:?}");
    };
    let ca = fixture.consortium.ca.public();
    let theirs = AuditCheckpoint::open(&document, &ca).unwrap();
    assert_eq!(theirs.seen.size, 3);
    assert_eq!(
        theirs.tree.size,
        fixture.store.audit().unwrap().len() as u64
    );

    // Whoever has shown a ledger cannot go back to a version that has nothing to show.
    let older = NodeReply::Refused(Refusal::VersionUnsupported);
    assert_eq!(fixture.hello(&va, 3).await, older);

    // Another ledger of the same length: from now on a person must look first.
    let NodeRequest::Checkpoint { document, .. } = said(&va.site, 10, 3, b"others") else {
        panic!("a checkpoint");
    };
    let forked = NodeRequest::Checkpoint {
        document,
        from: 3,
        proof: Vec::new(),
    };
    refused(&va, forked, Refusal::LedgerAltered).await;
    let newer = NodeReply::Refused(Refusal::LedgerAltered);
    let hello = |version_max| NodeRequest::Hello {
        version_min: 1,
        version_max,
        software: "fedval-node test".to_owned(),
        ledger: head(3),
    };
    assert_eq!(fixture.say(&va, hello(WIRE_VERSION_MAX)).await, newer);
    let older = NodeReply::Refused(Refusal::LedgerBehind);
    assert_eq!(fixture.say(&va, hello(2)).await, older);
    assert!(matches!(
        fixture.hello(&hungarian, 0).await,
        NodeReply::HelloAck { .. }
    ));
    let now = fixture.time();
    fixture.store.rebaseline(&va.site, "disk", now).unwrap();
    let reply = fixture.say(&va, hello(WIRE_VERSION_MAX)).await;
    assert!(matches!(reply, NodeReply::HelloAck { .. }));
}

#[tokio::test]
async fn a_waiting_poll_is_woken_by_another_process() {
    let fixture = Fixture::new();
    let va = fixture.enrol("va", 10).await;
    fixture.enrol("hungarian", 20).await;
    let dispatch = Arc::clone(&fixture.dispatch);
    let poll = NodeRequest::Poll {
        wait_ms: 25_000,
        known: vec![],
    };
    let waiting = tokio::spawn(async move { dispatch.node(&va, poll).await });
    tokio::task::yield_now().await;
    fixture.launch();
    fixture.dispatch.changed_elsewhere();
    let reply = tokio::time::timeout(Duration::from_secs(5), waiting).await;
    let NodeReply::Jobs(jobs) = reply.unwrap().unwrap() else {
        panic!("no jobs");
    };
    assert_eq!(jobs.len(), 1);
}

#[tokio::test]
async fn unknown_secrets_versions_and_protocols_are_refused() {
    let fixture = Fixture::new();
    let va = fixture.enrol("va", 10).await;
    let secret = InvitationSecret::generate(&mut CountingEntropy::new(99)).unwrap();
    for bytes in [secret.as_bytes().to_vec(), Vec::new()] {
        let collect = JoinRequest::Collect {
            site: va.site.clone(),
            secret: bytes,
        };
        let refused = JoinReply::Refused(Refusal::InvitationInvalid);
        assert_eq!(fixture.join(collect).await, refused);
    }
    let future = NodeRequest::Hello {
        version_min: 99,
        version_max: 100,
        software: "later".into(),
        ledger: head(0),
    };
    let refused = NodeReply::Refused(Refusal::VersionUnsupported);
    assert_eq!(fixture.say(&va, future).await, refused);
    let fetch = NodeRequest::FetchProtocol {
        protocol: Digest::of(b"secret study"),
    };
    let refused = NodeReply::Refused(Refusal::StudyNotListed);
    assert_eq!(fixture.say(&va, fetch).await, refused);
    let progress = NodeRequest::Progress {
        job: Digest::of(b"nothing"),
        state: SiteState::Delivered,
    };
    assert_eq!(
        fixture.say(&va, progress).await,
        NodeReply::Refused(Refusal::NotAllowed)
    );
}

#[tokio::test]
async fn a_renewal_is_answered_the_same_and_never_for_an_old_key() {
    let fixture = Fixture::new();
    let va = fixture.enrol("va", 10).await;
    let renew = |seed| NodeRequest::Renew {
        csr: request(seed).0,
    };
    let first = fixture.say(&va, renew(11)).await;
    assert!(matches!(first, NodeReply::Certificate(_)));
    assert_eq!(fixture.say(&va, renew(11)).await, first);
    let refused = NodeReply::Refused(Refusal::NotAllowed);
    assert_eq!(fixture.say(&va, renew(10)).await, refused);
    roster::revoke(&fixture.store, &va.site, fixture.time()).unwrap();
    assert!(fixture.dispatch.may_connect(&va.site, &va.serial).is_err());
}

#[test]
fn a_ledger_is_behind_when_shorter_or_rewritten() {
    let head = |entries, text: &str| LedgerHead {
        entries,
        hash: Digest::of(text.as_bytes()),
    };
    let last = head(3, "c");
    assert!(is_behind(&head(2, "b"), &last));
    assert!(is_behind(&head(3, "x"), &last));
    assert!(!is_behind(&head(3, "c"), &last));
    assert!(!is_behind(&head(4, "d"), &last));
    assert!(!is_behind(&head(0, ""), &head(0, "")));
}
