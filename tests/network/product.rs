//! The real coordinator behind the real link, with one hospital's running node: what an honest
//! pair does, and what the node does when the coordinator's words are changed on their way.
//!
//! From: `coordinator::dispatch`, `node::daemon`.
//! To: the tests beside this file.

use std::collections::VecDeque;
use std::net::SocketAddr;
use std::path::{Path, PathBuf};
use std::sync::atomic::{AtomicUsize, Ordering};
use std::sync::{Arc, Mutex};
use std::time::Duration;

use coordinator::consortium::Consortium;
use coordinator::desk::{self, Wish};
use coordinator::dispatch::Dispatch;
use coordinator::link::{CheckedCsr, Handler, Limits, Peer, Server, SystemEntropy, system_now};
use coordinator::roster::{self, Invitation};
use coordinator::store::{CertificateRow, Store};
use node::config::NodeConfig;
use node::link::{Enrolment, IdentityDir};
use shared::identity::{Address, Serial};
use shared::study::lock::Signoff;
use shared::study::{SiteSlug, Timestamp, source};
use shared::wire::{JoinReply, JoinRequest, NodeReply, NodeRequest, Refusal};
use tokio::sync::oneshot;
use tokio::task::JoinHandle;

use crate::world::{key, serial};

pub(crate) const SITE: &str = "hungarian";

/// Changes a receipt on its way to the node.
pub(crate) type Forgery = fn(&Consortium, Vec<u8>) -> Vec<u8>;

/// The dispatcher, with replies to deliveries that a test may forge.
pub(crate) struct Counter {
    dispatch: Dispatch,
    consortium: Arc<Consortium>,
    pub(crate) forgeries: Mutex<VecDeque<Forgery>>,
    pub(crate) deliveries: AtomicUsize,
    pub(crate) renewals: AtomicUsize,
}

impl Handler for Counter {
    fn may_connect(&self, site: &SiteSlug, serial: &Serial) -> Result<(), Refusal> {
        self.dispatch.may_connect(site, serial)
    }

    async fn join(&self, remote: SocketAddr, request: JoinRequest) -> JoinReply {
        self.dispatch.join(remote, request).await
    }

    async fn node(&self, peer: &Peer, request: NodeRequest) -> NodeReply {
        if matches!(request, NodeRequest::Renew { .. }) {
            self.renewals.fetch_add(1, Ordering::SeqCst);
        }
        if matches!(request, NodeRequest::Deliver { .. }) {
            self.deliveries.fetch_add(1, Ordering::SeqCst);
        }
        match self.dispatch.node(peer, request).await {
            NodeReply::Receipt { release, receipt } => {
                let forge = self.forgeries.lock().unwrap().pop_front();
                let receipt = match forge {
                    Some(forge) => forge(&self.consortium, receipt),
                    None => receipt,
                };
                NodeReply::Receipt { release, receipt }
            }
            reply => reply,
        }
    }
}

/// A coordinator and the folder of one hospital.
pub(crate) struct Product {
    pub(crate) folder: tempfile::TempDir,
    pub(crate) store: Arc<Store>,
    pub(crate) consortium: Arc<Consortium>,
    pub(crate) counter: Arc<Counter>,
    address: Address,
    stop: oneshot::Sender<()>,
    serving: JoinHandle<()>,
}

impl Product {
    pub(crate) fn open() -> Self {
        let folder = tempfile::tempdir().unwrap();
        let now = system_now();
        let consortium = Consortium::create("test", now, &mut SystemEntropy).unwrap();
        let consortium = Arc::new(consortium);
        let store = Arc::new(
            Store::open(
                &folder.path().join("fedval.db"),
                &folder.path().join("storage.keys"),
            )
            .unwrap(),
        );
        let hosts = ["127.0.0.1".to_owned()];
        let identity = consortium.ca.server_identity(&hosts, key(), serial(), now);
        let listen: SocketAddr = "127.0.0.1:0".parse().unwrap();
        let ca = consortium.ca.certificate_der();
        let server = Server::bind(listen, &identity.unwrap(), ca, Limits::default()).unwrap();
        let port = server.local_addr().unwrap().port();
        let dispatch = Dispatch::new(store.clone(), consortium.clone());
        dispatch.attach(server.handle());
        let counter = Arc::new(Counter {
            dispatch,
            consortium: consortium.clone(),
            forgeries: Mutex::default(),
            deliveries: AtomicUsize::new(0),
            renewals: AtomicUsize::new(0),
        });
        let (stop, stopped) = oneshot::channel();
        let serving = tokio::spawn(server.serve(counter.clone(), async {
            let _ = stopped.await;
        }));
        Self {
            folder,
            store,
            consortium,
            counter,
            address: Address::new("127.0.0.1", port).unwrap(),
            stop,
            serving,
        }
    }

    pub(crate) fn address(&self) -> &Address {
        &self.address
    }

    pub(crate) async fn close(self) {
        self.stop.send(()).unwrap();
        self.serving.await.unwrap();
    }

    fn site() -> SiteSlug {
        SITE.parse().unwrap()
    }

    pub(crate) fn identity_dir(&self) -> IdentityDir {
        IdentityDir::new(self.folder.path().join("identity"))
    }

    pub(crate) fn identity_path(&self) -> PathBuf {
        self.folder.path().join("identity")
    }

    /// Enrols the hospital with a certificate of these dates.
    pub(crate) async fn enrol(&self, from: Timestamp, to: Timestamp) {
        let site = Self::site();
        let invitation = Invitation {
            site: &site,
            address: &self.address,
            contact: None,
            hours: 1,
        };
        let entropy = &mut SystemEntropy;
        let (token, _) = roster::invite(
            &self.store,
            &self.consortium,
            invitation,
            system_now(),
            entropy,
        )
        .unwrap();
        let dir = self.identity_dir();
        let entropy = &mut node::link::SystemEntropy;
        let enrolment = Enrolment::prepare(&dir, &token.to_string(), entropy).unwrap();
        enrolment.enrol().await.unwrap();
        let waiting = self.store.pending_enrolment(&site).unwrap().unwrap();
        let csr = CheckedCsr::open(&waiting.csr).unwrap();
        let ca = &self.consortium.ca;
        let issued = ca
            .issue_node_between(&site, &csr, serial(), from, to)
            .unwrap();
        let row = CertificateRow {
            serial: issued.serial,
            site,
            public_key: csr.public(),
            der: issued.der,
            issued_at: from,
            not_after: to,
            superseded_at: None,
            revoked_at: None,
        };
        self.store
            .approve(&waiting.secret, &row, system_now())
            .unwrap();
        enrolment.collect().await.unwrap().unwrap();
    }

    /// Launches the bundled study at this one hospital.
    pub(crate) fn launch(&self) {
        let example = Path::new(env!("CARGO_MANIFEST_DIR")).join("../configs/examples/heart");
        let text = std::fs::read_to_string(example.join("study.toml")).unwrap();
        let protocol = source::parse(&text).unwrap();
        let signoffs: Vec<Signoff> = protocol
            .signoff
            .required
            .iter()
            .map(|role| Signoff {
                role: role.clone(),
                name: "A. Person".to_owned(),
            })
            .collect();
        let now = system_now();
        let locked =
            desk::lock_study(&self.consortium, &protocol, &signoffs, "study.toml", now).unwrap();
        let without = ["cleveland", "switzerland", "va"].map(|site| site.parse().unwrap());
        let wish = Wish {
            locked: &locked,
            round: None,
            without: &without,
            dry_run: false,
        };
        desk::launch(&self.store, &self.consortium, wish, now).unwrap();
        let table = example.join("data").join(format!("{SITE}.csv"));
        std::fs::copy(table, self.folder.path().join("predictions.csv")).unwrap();
    }

    /// Starts the hospital's node; sending on the handle stops it.
    pub(crate) fn run(&self) -> RunningNode {
        let root = self.folder.path();
        let policy = Path::new(env!("CARGO_MANIFEST_DIR")).join("../configs/policy.open-data.toml");
        std::fs::copy(policy, root.join("policy.toml")).unwrap();
        let text = format!(
            "config_version = 1\n[site]\nslug = \"{SITE}\"\n\
             [coordinator]\naddress = \"{}\"\n\
             [identity]\ndir = \"identity\"\n[storage]\ndir = \"state\"\n\
             [access]\nstudies = [\"heart-disease\"]\n\
             [release]\nmode = \"automatic\"\n[disclosure]\npolicy = \"policy.toml\"\n\
             [study.heart-disease.table]\npath = \"predictions.csv\"\nkey = \"case_id\"\n",
            self.address
        );
        std::fs::write(root.join("node.toml"), text).unwrap();
        let config = NodeConfig::load(&root.join("node.toml")).unwrap();
        let (stop, stopped) = oneshot::channel();
        let task = tokio::spawn(node::daemon::run(config, async {
            let _ = stopped.await;
        }));
        RunningNode { stop, task }
    }

    /// The hospital's own store, read beside the running node.
    pub(crate) fn node_store(&self) -> Option<node::store::Store> {
        node::store::Store::open_read_only(&self.folder.path().join("state")).ok()
    }
}

/// A node that runs in this process.
pub(crate) struct RunningNode {
    stop: oneshot::Sender<()>,
    task: JoinHandle<Result<(), shared::fault::Fault>>,
}

impl RunningNode {
    pub(crate) async fn stop(self) {
        let _ = self.stop.send(());
        self.task.await.unwrap().unwrap();
    }
}

/// Looks every 20 ms until it is so; panics after a minute.
pub(crate) async fn until(what: &str, mut so: impl FnMut() -> bool) {
    let looks = async {
        while !so() {
            tokio::time::sleep(Duration::from_millis(20)).await;
        }
    };
    let limit = tokio::time::timeout(Duration::from_secs(60), looks);
    limit.await.unwrap_or_else(|_| panic!("never so: {what}"));
}
