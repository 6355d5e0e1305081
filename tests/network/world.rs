//! A consortium on loopback: its CA, a listener, a roster that remembers what it was asked.
//!
//! From: `coordinator::link`.
//! To: the tests beside this file.

use std::collections::{BTreeMap, BTreeSet};
use std::net::SocketAddr;
use std::sync::atomic::{AtomicUsize, Ordering};
use std::sync::{Arc, Mutex};

use coordinator::link::{
    CheckedCsr, ConsortiumCa, Handler, Limits, NodeCertificate, Peer, Server, ServerHandle,
    SystemEntropy, system_now,
};
use node::link::{Dialer, IdentityDir, NodeIdentity};
use shared::identity::{
    Address, Digest, InvitationSecret, JoinToken, KeyPurpose, PublicKey, Serial, SigningKey,
    to_canonical,
};
use shared::study::{SiteSlug, SiteState, Timestamp};
use shared::wire::message::LedgerHead;
use shared::wire::{JoinReply, JoinRequest, NodeReply, NodeRequest, Refusal};
use tokio::sync::{Notify, oneshot};
use tokio::task::JoinHandle;

pub(crate) fn serial() -> Serial {
    Serial::generate(&mut SystemEntropy).unwrap()
}

pub(crate) fn key() -> SigningKey {
    SigningKey::generate(&mut SystemEntropy).unwrap()
}

pub(crate) fn empty_ledger() -> LedgerHead {
    LedgerHead {
        entries: 0,
        hash: Digest::of(b""),
    }
}

pub(crate) fn hello() -> NodeRequest {
    NodeRequest::Hello {
        version_min: 1,
        version_max: 1,
        software: "test".to_owned(),
        ledger: empty_ledger(),
    }
}

pub(crate) fn beat() -> NodeRequest {
    NodeRequest::Beat {
        state: SiteState::Idle,
    }
}

/// One invitation as the roster keeps it.
struct Invitation {
    site: SiteSlug,
    csr: Option<Vec<u8>>,
    issued: Option<NodeCertificate>,
}

/// The roster of these tests; counts what reaches it.
pub(crate) struct Roster {
    pub(crate) ca: ConsortiumCa,
    pub(crate) signer: SigningKey,
    invitations: Mutex<BTreeMap<Digest, Invitation>>,
    pub(crate) revoked: Mutex<BTreeSet<Serial>>,
    pub(crate) node_requests: AtomicUsize,
    pub(crate) join_requests: AtomicUsize,
    /// A poll with one known job waits here.
    pub(crate) gate: Notify,
    /// Tells that a poll waits at the gate.
    pub(crate) waiting: Notify,
    pub(crate) greeting: Mutex<Option<Refusal>>,
}

impl Roster {
    pub(crate) fn invite(&self, site: &str, address: Address) -> JoinToken {
        let site: SiteSlug = site.parse().unwrap();
        let secret = InvitationSecret::generate(&mut SystemEntropy).unwrap();
        let invitation = Invitation {
            site: site.clone(),
            csr: None,
            issued: None,
        };
        let mut invitations = self.invitations.lock().unwrap();
        invitations.insert(secret.digest(), invitation);
        JoinToken {
            address,
            site,
            ca: self.ca.fingerprint(),
            secret,
        }
    }

    /// The words of the request that waits for a site.
    pub(crate) fn words(&self, site: &str) -> Option<String> {
        let invitations = self.invitations.lock().unwrap();
        let mut found = invitations.values().filter(|i| i.site.as_str() == site);
        let csr = found.next()?.csr.clone()?;
        Some(CheckedCsr::open(&csr).unwrap().words())
    }

    pub(crate) fn approve(&self, site: &str) -> Serial {
        let mut invitations = self.invitations.lock().unwrap();
        let invitation = invitations
            .values_mut()
            .find(|invitation| invitation.site.as_str() == site)
            .unwrap();
        let csr = CheckedCsr::open(invitation.csr.as_ref().unwrap()).unwrap();
        let issued = self
            .ca
            .issue_node(&invitation.site, &csr, serial(), system_now())
            .unwrap();
        let serial = issued.serial;
        invitation.issued = Some(issued);
        serial
    }

    fn signers(&self) -> Vec<Vec<u8>> {
        let certificate = self
            .ca
            .certify_key(
                KeyPurpose::StudySigning,
                self.signer.public(),
                serial(),
                system_now(),
            )
            .unwrap();
        vec![to_canonical(&certificate).unwrap()]
    }

    fn answer_join(&self, request: JoinRequest) -> Result<JoinReply, Refusal> {
        let (site, secret, new_csr) = match request {
            JoinRequest::Enrol { site, secret, csr } => (site, secret, Some(csr)),
            JoinRequest::Collect { site, secret } => (site, secret, None),
        };
        let secret = InvitationSecret::from_bytes(&secret).ok_or(Refusal::InvitationInvalid)?;
        let mut invitations = self.invitations.lock().unwrap();
        let invitation = invitations
            .get_mut(&secret.digest())
            .filter(|invitation| invitation.site == site)
            .ok_or(Refusal::InvitationInvalid)?;
        if let Some(csr) = new_csr {
            let asked = CheckedCsr::open(&csr)?.public();
            if let Some(held) = &invitation.csr {
                if CheckedCsr::open(held)?.public() != asked {
                    return Err(Refusal::InvitationInvalid);
                }
            }
            invitation.csr = Some(csr);
        }
        Ok(match &invitation.issued {
            Some(issued) => JoinReply::Issued {
                certificate: issued.der.clone(),
                ca: self.ca.certificate_der().to_vec(),
                signers: self.signers(),
            },
            None => JoinReply::Pending,
        })
    }
}

impl Handler for Roster {
    fn may_connect(&self, _site: &SiteSlug, serial: &Serial) -> Result<(), Refusal> {
        if self.revoked.lock().unwrap().contains(serial) {
            Err(Refusal::CertificateInvalid)
        } else {
            Ok(())
        }
    }

    async fn join(&self, _remote: SocketAddr, request: JoinRequest) -> JoinReply {
        self.join_requests.fetch_add(1, Ordering::SeqCst);
        self.answer_join(request).unwrap_or_else(JoinReply::Refused)
    }

    async fn node(&self, _peer: &Peer, request: NodeRequest) -> NodeReply {
        self.node_requests.fetch_add(1, Ordering::SeqCst);
        match request {
            NodeRequest::Hello { .. } => match *self.greeting.lock().unwrap() {
                Some(refusal) => NodeReply::Refused(refusal),
                None => NodeReply::HelloAck {
                    version: 1,
                    now: system_now(),
                    last_receipt: empty_ledger(),
                },
            },
            NodeRequest::Poll { known, .. } if known.len() == 1 => {
                self.waiting.notify_one();
                self.gate.notified().await;
                NodeReply::Jobs(Vec::new())
            }
            NodeRequest::FetchProtocol { .. } => NodeReply::Protocol(vec![b' '; 1 << 20]),
            NodeRequest::Deliver { release, .. } => NodeReply::Receipt {
                release,
                receipt: b"{}".to_vec(),
            },
            _ => NodeReply::Ack,
        }
    }
}

/// A consortium whose coordinator listens on loopback.
pub(crate) struct World {
    pub(crate) roster: Arc<Roster>,
    pub(crate) address: Address,
    pub(crate) socket: SocketAddr,
    pub(crate) handle: ServerHandle,
    stop: Option<oneshot::Sender<()>>,
    serving: JoinHandle<()>,
}

impl World {
    pub(crate) fn open() -> Self {
        Self::open_at(system_now(), Limits::default())
    }

    /// With a server certificate made at another time, or other limits.
    pub(crate) fn open_at(made: Timestamp, limits: Limits) -> Self {
        let ca = ConsortiumCa::create("Test consortium", key(), serial(), made).unwrap();
        let hosts = ["127.0.0.1".to_owned(), "localhost".to_owned()];
        let identity = ca.server_identity(&hosts, key(), serial(), made).unwrap();
        let listen: SocketAddr = "127.0.0.1:0".parse().unwrap();
        let server = Server::bind(listen, &identity, ca.certificate_der(), limits).unwrap();
        let socket = server.local_addr().unwrap();
        let roster = Arc::new(Roster {
            ca,
            signer: key(),
            invitations: Mutex::default(),
            revoked: Mutex::default(),
            node_requests: AtomicUsize::new(0),
            join_requests: AtomicUsize::new(0),
            gate: Notify::new(),
            waiting: Notify::new(),
            greeting: Mutex::default(),
        });
        let (stop, stopped) = oneshot::channel();
        let handle = server.handle();
        let serving = tokio::spawn(server.serve(roster.clone(), async {
            let _ = stopped.await;
        }));
        Self {
            roster,
            address: Address::new("127.0.0.1", socket.port()).unwrap(),
            socket,
            handle,
            stop: Some(stop),
            serving,
        }
    }

    pub(crate) async fn stop(mut self) {
        self.stop.take().unwrap().send(()).unwrap();
        self.serving.await.unwrap();
    }

    /// Enrols a site the whole way and returns its identity.
    pub(crate) async fn enrol(&self, site: &str) -> (tempfile::TempDir, NodeIdentity) {
        let folder = tempfile::tempdir().unwrap();
        let dir = IdentityDir::new(folder.path().join("identity"));
        let token = self.roster.invite(site, self.address.clone()).to_string();
        let entropy = &mut node::link::SystemEntropy;
        let enrolment = node::link::Enrolment::prepare(&dir, &token, entropy).unwrap();
        enrolment.enrol().await.unwrap();
        self.roster.approve(site);
        let identity = enrolment.collect().await.unwrap().unwrap();
        (folder, identity)
    }

    pub(crate) async fn dialer(&self, site: &str) -> Dialer {
        let (_folder, identity) = self.enrol(site).await;
        Dialer::new(self.address.clone(), Arc::new(identity))
    }

    /// How many node requests have reached the roster.
    pub(crate) fn node_requests(&self) -> usize {
        self.roster.node_requests.load(Ordering::SeqCst)
    }

    /// A node's certificate by this consortium's CA, with dates of one's choosing.
    pub(crate) fn certificate(
        &self,
        site: &str,
        key: &SigningKey,
        from: Timestamp,
        to: Timestamp,
    ) -> NodeCertificate {
        let csr = CheckedCsr::open(&request_for(key)).unwrap();
        let site: SiteSlug = site.parse().unwrap();
        self.roster
            .ca
            .issue_node_between(&site, &csr, serial(), from, to)
            .unwrap()
    }
}

/// A certificate request for `key`.
pub(crate) fn request_for(key: &SigningKey) -> Vec<u8> {
    let request = rcgen::CertificateParams::default()
        .serialize_request(&rcgen_key(key))
        .unwrap();
    request.der().to_vec()
}

pub(crate) fn rcgen_key(key: &SigningKey) -> rcgen::KeyPair {
    let der = rustls::pki_types::PrivatePkcs8KeyDer::from(key.to_pkcs8());
    rcgen::KeyPair::from_pkcs8_der_and_sign_algo(&der, &rcgen::PKCS_ED25519).unwrap()
}

pub(crate) fn pinned(identity: &NodeIdentity) -> Vec<PublicKey> {
    identity.signer_keys(KeyPurpose::StudySigning)
}
