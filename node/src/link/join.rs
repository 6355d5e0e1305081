//! The first contact. The invitation carries the fingerprint of the consortium's root and
//! nothing else about it: the coordinator sends the root along, and it must have that
//! fingerprint before its server certificate is checked by it. The private key is made here and
//! stays here; what leaves is a request that says which public key to certify.
//!
//! From: an invitation's text.
//! To: `identity`, and six words for the telephone.

use std::path::PathBuf;
use std::time::{Duration, Instant};

use rcgen::{CertificateParams, DistinguishedName, KeyPair, PKCS_ED25519};
use rustls::pki_types::PrivatePkcs8KeyDer;
use shared::fault::{Code, Fault};
use shared::identity::{
    Address, Digest, Entropy, JoinToken, KeyCertificate, SigningKey, enrolment_words,
};
use shared::study::SiteSlug;
use shared::wire::{ALPN_JOIN, JoinReply, JoinRequest, Refusal};

use super::backoff::Backoff;
use super::fault::LinkFault;
use super::identity::{IdentityDir, NodeIdentity};
use super::stream::dial;
use super::tls::{Root, Verifier};
use super::{SystemEntropy, system_now};

/// The coordinator gets this long to answer.
const PATIENCE: Duration = Duration::from_secs(30);
/// Between two looks whether the coordinator has approved.
const LOOK_FIRST: Duration = Duration::from_millis(500);
const LOOK_MOST: Duration = Duration::from_secs(10);

/// A join that has begun: the key exists, the certificate does not yet.
pub struct Enrolment {
    dir: IdentityDir,
    token: JoinToken,
    key: SigningKey,
    csr: Vec<u8>,
    words: String,
}

impl Enrolment {
    /// Reads the invitation and makes the key at the site. Repeating it before the certificate
    /// is issued goes on with the same key and the same words.
    ///
    /// # Errors
    /// [`Code::TokenInvalid`], [`Code::AlreadyJoined`], [`Code::StateDirUnusable`].
    pub fn prepare(
        dir: &IdentityDir,
        token: &str,
        entropy: &mut dyn Entropy,
    ) -> Result<Self, Fault> {
        let token: JoinToken = token.parse().map_err(|error| {
            Fault::new(
                Code::TokenInvalid,
                "the invitation cannot be read",
                format!("{error}"),
                "paste the whole text that the coordinator sent, from fvj1. to its end",
            )
        })?;
        let key = dir.key_for_joining(entropy)?;
        let csr = certificate_request(&key)?;
        Ok(Self {
            dir: dir.clone(),
            words: enrolment_words(&key.public()),
            token,
            key,
            csr,
        })
    }

    /// The six words to compare by telephone.
    pub fn words(&self) -> &str {
        &self.words
    }

    /// The site named in the invitation.
    pub fn site(&self) -> &SiteSlug {
        &self.token.site
    }

    /// The coordinator's address in the invitation.
    pub fn address(&self) -> &Address {
        &self.token.address
    }

    /// The root's fingerprint in the invitation.
    pub fn ca(&self) -> Digest {
        self.token.ca
    }

    /// Where the private key was written.
    pub fn key_path(&self) -> PathBuf {
        self.dir.key_path()
    }

    /// Presents the invitation and the certificate request. Returns when the coordinator has
    /// stored both; people compare words then.
    ///
    /// # Errors
    /// The four-part error of [`LinkFault::to_fault`]; [`Code::TokenInvalid`] when the
    /// invitation is not accepted.
    pub async fn enrol(&self) -> Result<(), Fault> {
        let request = JoinRequest::Enrol {
            site: self.token.site.clone(),
            secret: self.token.secret.as_bytes().to_vec(),
            csr: self.csr.clone(),
        };
        match self.ask(&request).await {
            Ok((JoinReply::Pending | JoinReply::Issued { .. }, _)) => Ok(()),
            Ok((JoinReply::Refused(refusal), _)) => Err(self.fault(&LinkFault::Refused(refusal))),
            Err(fault) => Err(self.fault(&fault)),
        }
    }

    /// Looks once whether the certificate has been issued; if so, checks it and keeps it.
    ///
    /// # Errors
    /// As [`Enrolment::enrol`]; [`Code::PeerMisbehaved`] when what was issued does not fit.
    pub async fn collect(&self) -> Result<Option<NodeIdentity>, Fault> {
        self.look().await.map_err(|fault| self.fault(&fault))?
    }

    /// Looks until the certificate is there or `timeout` has passed.
    ///
    /// # Errors
    /// As [`Enrolment::collect`]; [`Code::ApprovalPending`] when the time is up.
    pub async fn wait(&self, timeout: Duration) -> Result<NodeIdentity, Fault> {
        let started = Instant::now();
        let mut backoff = Backoff::new(LOOK_FIRST, LOOK_MOST);
        loop {
            match self.look().await {
                Ok(Ok(Some(identity))) => return Ok(identity),
                Ok(Ok(None)) => {}
                Ok(Err(fault)) => return Err(fault),
                Err(fault) if fault.is_transient() => {}
                Err(fault) => return Err(self.fault(&fault)),
            }
            let wait = backoff.next_wait(&mut SystemEntropy);
            if started.elapsed().saturating_add(wait) >= timeout {
                return Err(self.pending());
            }
            tokio::time::sleep(wait).await;
        }
    }

    fn pending(&self) -> Fault {
        Fault::new(
            Code::ApprovalPending,
            "the coordinator has not approved this node yet",
            format!("the words to compare by telephone are: {}", self.words),
            "call the coordinator on a number you already had, then repeat the same command",
        )
    }

    fn fault(&self, fault: &LinkFault) -> Fault {
        fault.to_fault(&self.token.address)
    }

    /// The outer error is the network's, the inner one ours.
    async fn look(&self) -> Result<Result<Option<NodeIdentity>, Fault>, LinkFault> {
        let request = JoinRequest::Collect {
            site: self.token.site.clone(),
            secret: self.token.secret.as_bytes().to_vec(),
        };
        match self.ask(&request).await? {
            (JoinReply::Pending, _) => Ok(Ok(None)),
            (JoinReply::Refused(Refusal::Busy), _) => Err(LinkFault::Busy),
            (JoinReply::Refused(refusal), _) => Err(LinkFault::Refused(refusal)),
            (
                JoinReply::Issued {
                    certificate,
                    ca,
                    signers,
                },
                root,
            ) => {
                if ca != root {
                    return Ok(Err(self.misfit("the root sent is not the root pinned")));
                }
                Ok(self.keep(certificate, ca, &signers).map(Some))
            }
        }
    }

    /// One request on a connection of its own; also the root that the server was checked by.
    async fn ask(&self, request: &JoinRequest) -> Result<(JoinReply, Vec<u8>), LinkFault> {
        let verifier = Verifier::new(Root::Fingerprint(self.token.ca));
        let line = dial(&self.token.address, ALPN_JOIN, &verifier, None).await?;
        let reply = line.ask(request, PATIENCE).await;
        line.hang_up().await;
        Ok((reply?, verifier.root().unwrap_or_default()))
    }

    fn misfit(&self, why: &str) -> Fault {
        Fault::new(
            Code::PeerMisbehaved,
            "the certificate that the coordinator issued does not fit",
            why,
            "nothing was kept; tell the coordinator, who can revoke it and invite again",
        )
    }

    /// Checks all that was issued before any of it is written.
    fn keep(
        &self,
        certificate: Vec<u8>,
        ca: Vec<u8>,
        signers: &[Vec<u8>],
    ) -> Result<NodeIdentity, Fault> {
        let root = super::identity::root_key(&ca).ok_or_else(|| self.misfit("no Ed25519 root"))?;
        let pinned: Vec<KeyCertificate> = signers
            .iter()
            .map(|bytes| KeyCertificate::open(bytes, &root, system_now()))
            .collect::<Result<_, _>>()
            .map_err(|fault| self.misfit(&format!("a study signer: {fault}")))?;
        let identity = NodeIdentity::assemble(self.key.clone(), certificate, ca, pinned)
            .map_err(|why| self.misfit(why))?;
        if identity.site != self.token.site {
            return Err(self.misfit("it names another site"));
        }
        self.dir.keep(&identity, signers)?;
        Ok(identity)
    }
}

/// A certificate request (PKCS#10) that says nothing but the public key: the CA ignores the rest.
pub(super) fn certificate_request(key: &SigningKey) -> Result<Vec<u8>, Fault> {
    let defect = |error: rcgen::Error| {
        Fault::internal(format!("a certificate request could not be made: {error}"))
    };
    let der = PrivatePkcs8KeyDer::from(key.to_pkcs8());
    let pair = KeyPair::from_pkcs8_der_and_sign_algo(&der, &PKCS_ED25519).map_err(defect)?;
    let mut params = CertificateParams::default();
    params.distinguished_name = DistinguishedName::new();
    let request = params.serialize_request(&pair).map_err(defect)?;
    Ok(request.der().to_vec())
}
