//! A coordinator that lies to a real, enrolled node: it may send whatever it likes and closes
//! when it likes. All it ever gets is a greeting, beats, polls, requests for protocols, progress
//! and refusals from the closed list; the node's own ledger says what was asked and why not.
//!
//! From: `coordinator::link`, a node process that would release everything by itself.
//! To: nobody.

mod canary;
mod checkpoints;
mod early;
mod jobs;

use std::collections::BTreeMap;
use std::net::SocketAddr;
use std::path::PathBuf;
use std::process::Command;
use std::sync::{Arc, Mutex};
use std::time::Duration;

use coordinator::consortium::Consortium;
use coordinator::dispatch::Dispatch;
use coordinator::link::{Handler, Limits, Peer, Server, ServerHandle, SystemEntropy, system_now};
use coordinator::store::Store;
use coordinator::{desk, roster};
use harness::{Answer, Process};
use serde_json::Value;
use shared::identity::{Address, Digest, Serial, SigningKey};
use shared::study::lock::Signoff;
use shared::study::{SiteSlug, SiteState, StudyProtocol, Timestamp, lock, source};
use shared::wire::{JobOffer, JoinReply, JoinRequest, NodeReply, NodeRequest, Refusal};
use tempfile::TempDir;
use tokio::sync::oneshot;

const SITE: &str = "va";
const STUDY: &str = include_str!("../../configs/examples/heart/study.toml");
const TABLE: &[u8] = include_bytes!("../../configs/examples/heart/data/va.csv");

/// What the coordinator does with a delivery.
#[derive(Clone, Debug)]
enum Delivery {
    /// As an honest one.
    Take,
    /// Closes the connection.
    Drop,
    /// Refuses.
    Refuse(Refusal),
    /// Answers with these bytes as its receipts, one after the other; then as an honest one.
    Receipts(Vec<Vec<u8>>),
}

/// The coordinator under the test's control.
struct Hostile {
    inner: Dispatch,
    consortium: Arc<Consortium>,
    store: Arc<Store>,
    handle: Mutex<Option<ServerHandle>>,
    offers: Mutex<Vec<JobOffer>>,
    protocols: Mutex<BTreeMap<Digest, Vec<u8>>>,
    delivery: Mutex<Delivery>,
    /// What it says of its record, one after the other; then as an honest one.
    checkpoints: Mutex<Vec<NodeReply>>,
    /// Whether it says that it speaks version 2, once it has told all of these.
    older: Mutex<bool>,
    heard: Mutex<Vec<NodeRequest>>,
}

impl Handler for Hostile {
    fn may_connect(&self, _site: &SiteSlug, _serial: &Serial) -> Result<(), Refusal> {
        Ok(())
    }

    async fn join(&self, remote: SocketAddr, request: JoinRequest) -> JoinReply {
        self.inner.join(remote, request).await
    }

    async fn node(&self, peer: &Peer, request: NodeRequest) -> NodeReply {
        self.heard.lock().unwrap().push(request.clone());
        match &request {
            NodeRequest::Poll { known, .. } => {
                let mut offers = self.offers.lock().unwrap().clone();
                offers.retain(|offer| !known.contains(&offer.job));
                offers.truncate(16);
                NodeReply::Jobs(offers)
            }
            NodeRequest::FetchProtocol { protocol } => {
                let held = self.protocols.lock().unwrap().get(protocol).cloned();
                held.map_or(NodeReply::Refused(Refusal::NotAllowed), NodeReply::Protocol)
            }
            NodeRequest::Progress { .. } | NodeRequest::Beat { .. } => NodeReply::Ack,
            NodeRequest::Decline { job, .. } => {
                // Heard: not offered again.
                self.offers
                    .lock()
                    .unwrap()
                    .retain(|offer| offer.job != *job);
                NodeReply::Ack
            }
            NodeRequest::Deliver { release, .. } => match self.next_delivery() {
                Delivery::Take => self.inner.node(peer, request).await,
                Delivery::Drop => {
                    let handle = self.handle.lock().unwrap().clone().unwrap();
                    handle.close_site(&peer.site);
                    NodeReply::Ack
                }
                Delivery::Refuse(refusal) => NodeReply::Refused(refusal),
                Delivery::Receipts(mut receipts) => NodeReply::Receipt {
                    release: *release,
                    receipt: receipts.remove(0),
                },
            },
            NodeRequest::FetchCheckpoint { .. } | NodeRequest::Checkpoint { .. } => {
                match self.next_lie() {
                    Some(lie) => lie,
                    None => self.inner.node(peer, request).await,
                }
            }
            NodeRequest::Hello { .. } => {
                let reply = self.inner.node(peer, request).await;
                let told = self.checkpoints.lock().unwrap().is_empty();
                let older = told && *self.older.lock().unwrap();
                if older {
                    checkpoints::in_version_2(reply)
                } else {
                    reply
                }
            }
            NodeRequest::Renew { .. }
            | NodeRequest::NextStep { .. }
            | NodeRequest::DeclineStep { .. } => self.inner.node(peer, request).await,
        }
    }
}

impl Hostile {
    fn next_lie(&self) -> Option<NodeReply> {
        let mut lies = self.checkpoints.lock().unwrap();
        (!lies.is_empty()).then(|| lies.remove(0))
    }

    fn next_delivery(&self) -> Delivery {
        let mut delivery = self.delivery.lock().unwrap();
        let now = delivery.clone();
        if let Delivery::Receipts(receipts) = &mut *delivery {
            receipts.remove(0);
            if receipts.is_empty() {
                *delivery = Delivery::Take;
            }
        }
        now
    }
}

/// A lying coordinator and one enrolled node.
struct Lair {
    folder: TempDir,
    hostile: Arc<Hostile>,
    address: Address,
    node: Option<Process>,
    _stop: oneshot::Sender<()>,
}

fn entropy() -> SystemEntropy {
    SystemEntropy
}

fn key() -> SigningKey {
    SigningKey::generate(&mut entropy()).unwrap()
}

fn serial() -> Serial {
    Serial::generate(&mut entropy()).unwrap()
}

fn protocol() -> StudyProtocol {
    source::parse(STUDY).unwrap()
}

fn signoffs(protocol: &StudyProtocol) -> Vec<Signoff> {
    protocol
        .signoff
        .required
        .iter()
        .map(|role| Signoff {
            role: role.clone(),
            name: "A Person".to_owned(),
        })
        .collect()
}

/// The bundled study, locked by `consortium`.
fn locked(consortium: &Consortium, now: Timestamp) -> Vec<u8> {
    let (protocol, key) = (protocol(), &consortium.signing);
    let signoffs = signoffs(&protocol);
    lock::lock(&protocol, &signoffs, now, &key.key, key.certificate.clone()).unwrap()
}

impl Lair {
    /// Enrols a node that releases everything by itself under `open-data`.
    async fn open() -> Self {
        let folder = tempfile::Builder::new()
            .prefix("fv")
            .tempdir_in("/tmp")
            .unwrap();
        let home = folder.path().join("c");
        let now = system_now();
        let (home, consortium) = desk::initialise(&home, "Lair", "127.0.0.1:1", None, now).unwrap();
        let (store, consortium) = (Arc::new(home.store().unwrap()), Arc::new(consortium));
        let hosts = ["127.0.0.1".to_owned()];
        let ca = &consortium.ca;
        let identity = ca.server_identity(&hosts, key(), serial(), now).unwrap();
        let listen: SocketAddr = "127.0.0.1:0".parse().unwrap();
        let limits = Limits::default();
        let server = Server::bind(listen, &identity, ca.certificate_der(), limits).unwrap();
        let address = Address::new("127.0.0.1", server.local_addr().unwrap().port()).unwrap();
        let hostile = Arc::new(Hostile {
            inner: Dispatch::new(Arc::clone(&store), Arc::clone(&consortium)),
            consortium,
            store,
            handle: Mutex::new(Some(server.handle())),
            offers: Mutex::default(),
            protocols: Mutex::default(),
            delivery: Mutex::new(Delivery::Take),
            checkpoints: Mutex::default(),
            older: Mutex::default(),
            heard: Mutex::default(),
        });
        let (stop, stopped) = oneshot::channel();
        tokio::spawn(server.serve(Arc::clone(&hostile), async {
            let _ = stopped.await;
        }));
        let lair = Self {
            folder,
            hostile,
            address,
            node: None,
            _stop: stop,
        };
        lair.write_site(TABLE);
        lair.enrol().await;
        lair
    }

    fn path(&self, name: &str) -> PathBuf {
        self.folder.path().join(name)
    }

    fn write_site(&self, table: &[u8]) {
        let config = format!(
            "config_version = 1\n[site]\nslug = \"{SITE}\"\n[identity]\ndir = \"identity\"\n\
             [storage]\ndir = \"state\"\n[access]\nstudies = [\"heart-disease\"]\n\
             [release]\nmode = \"automatic\"\n[disclosure]\npolicy = \"policy.toml\"\n\
             [study.heart-disease.table]\npath = \"predictions.csv\"\nkey = \"case_id\"\n"
        );
        let policy = shared::disclosure::policy::OPEN_DATA;
        std::fs::write(self.path("node.toml"), config).unwrap();
        std::fs::write(self.path("policy.toml"), policy).unwrap();
        std::fs::write(self.path("predictions.csv"), table).unwrap();
    }

    fn command(&self) -> Command {
        let mut command = Command::new(harness::programs!().node);
        command.arg("--config").arg(self.path("node.toml"));
        command
    }

    async fn enrol(&self) {
        let site: SiteSlug = SITE.parse().unwrap();
        let (store, consortium) = (&self.hostile.store, &self.hostile.consortium);
        let invitation = roster::Invitation {
            site: &site,
            address: &self.address,
            contact: None,
            hours: 1,
        };
        let (token, _) =
            roster::invite(store, consortium, invitation, system_now(), &mut entropy()).unwrap();
        let mut command = self.command();
        command.args(["join", &token.to_string(), "--wait", "60"]);
        let log = self.path("join.log");
        let mut join = Process::start(&mut command, &log);
        let words = loop {
            if let Some(waiting) = store.pending_enrolment(&site).unwrap() {
                break waiting.words;
            }
            tokio::time::sleep(Duration::from_millis(10)).await;
        };
        roster::approve(
            store,
            consortium,
            &site,
            &words,
            system_now(),
            &mut entropy(),
        )
        .unwrap();
        while join.ended().is_none() {
            tokio::time::sleep(Duration::from_millis(10)).await;
        }
        assert!(join.ended().unwrap().success(), "{}", join.words());
    }

    fn start(&mut self) {
        let log = self.path("node.log");
        self.node = Some(Process::start(self.command().arg("run"), &log));
    }

    fn offer(&self, document: Vec<u8>) -> Digest {
        let job = Digest::of(&document);
        self.offer_as(job, document);
        job
    }

    fn offer_as(&self, job: Digest, document: Vec<u8>) {
        self.hostile
            .offers
            .lock()
            .unwrap()
            .push(JobOffer { job, document });
    }

    /// Gives `bytes` to whoever asks for the protocol `digest`.
    fn publish(&self, digest: Digest, bytes: Vec<u8>) {
        self.hostile.protocols.lock().unwrap().insert(digest, bytes);
    }

    fn heard(&self) -> Vec<NodeRequest> {
        self.hostile.heard.lock().unwrap().clone()
    }

    /// Waits until something was heard.
    async fn until(&mut self, what: &str, found: impl Fn(&[NodeRequest]) -> bool) {
        for _ in 0..6_000 {
            if found(&self.heard()) {
                return;
            }
            tokio::time::sleep(Duration::from_millis(10)).await;
        }
        let words = self.node.as_ref().map(Process::words).unwrap_or_default();
        panic!("never heard: {what}\n{:?}\n{words}", self.heard());
    }

    /// What the node's staff see, from a command of their own; nothing while the command fails,
    /// as it does before the node has made its database.
    fn staff(&self, words: &[&str]) -> Value {
        let mut command = self.command();
        let answer = Answer::of(command.args(words).args(["--format", "json"]));
        match answer.code {
            Some(0) => answer.data(),
            _ => Value::Null,
        }
    }

    /// Deliveries heard so far.
    fn deliveries(&self) -> Vec<Vec<u8>> {
        let documents = self
            .heard()
            .into_iter()
            .filter_map(|request| match request {
                NodeRequest::Deliver { document, .. } => Some(document),
                _ => None,
            });
        documents.collect()
    }
}

/// Refusals heard, by job.
fn refusals(heard: &[NodeRequest]) -> BTreeMap<Digest, Refusal> {
    let declined = heard.iter().filter_map(|request| match request {
        NodeRequest::Decline { job, refusal } => Some((*job, *refusal)),
        _ => None,
    });
    declined.collect()
}

/// Everything but a release: no statistic can travel in these.
fn is_harmless(request: &NodeRequest) -> bool {
    match request {
        NodeRequest::Hello { software, .. } => software.starts_with("fedval-node "),
        NodeRequest::Beat { state } | NodeRequest::Progress { state, .. } => matches!(
            state,
            SiteState::Idle
                | SiteState::JobOffered
                | SiteState::Computing
                | SiteState::WaitingApproval
                | SiteState::Sending
        ),
        NodeRequest::Poll { .. }
        | NodeRequest::FetchProtocol { .. }
        | NodeRequest::NextStep { .. }
        | NodeRequest::DeclineStep { .. }
        | NodeRequest::FetchCheckpoint { .. }
        | NodeRequest::Checkpoint { .. }
        | NodeRequest::Decline { .. } => true,
        NodeRequest::Deliver { .. } | NodeRequest::Renew { .. } => false,
    }
}
