//! Released: what has passed the gate, and the bytes that may travel. Only `Reviewed::release`
//! makes one; it cannot be built by hand and has no `Deserialize`.
//!
//! From: `review`.
//! To: `wire::encode`, which alone turns it into [`ReleasedBytes`] for outbox and link.

use serde::Serialize;

use super::document::{Header, ReceiveFault, ReceivedRelease};
use super::noise::NoisyHistogram;
use super::policy::Policy;
use super::review::{Decision, Reviewed};
use crate::identity::{CanonicalError, Digest, to_canonical};
use crate::masking::step::Answer;
use crate::statistic::{Disclosed, Statistic};

/// A reviewed release.
pub struct Released {
    document: Document,
}

#[derive(Serialize)]
struct Document {
    header: Header,
    id: Digest,
    statistics: Vec<Statistic<Disclosed>>,
    #[serde(skip_serializing_if = "Option::is_none")]
    masked: Option<Answer>,
    #[serde(skip_serializing_if = "Vec::is_empty")]
    noisy: Vec<NoisyHistogram>,
}

impl Reviewed {
    /// The release under `header`, whose policy and clustering are those of the review; `None`
    /// when the decision is to withhold.
    pub fn release(self, mut header: Header) -> Option<Released> {
        if self.decision != Decision::Release {
            return None;
        }
        header.policy = self.policy.stamp();
        header.clustered = self.clustered;
        let id = header.id();
        let statistics = self.statistics;
        let noisy = match self.noisy {
            Some(noisy) => {
                header.policy.noise = Some(noisy.stamp);
                noisy.histograms
            }
            None => Vec::new(),
        };
        Some(Released {
            document: Document {
                header,
                id,
                statistics,
                masked: None,
                noisy,
            },
        })
    }
}

impl Released {
    /// One message of a masked sum, which the mask's own states made (`disclosure::masked`).
    pub(super) fn masked(policy: &Policy, mut header: Header, answer: Answer) -> Self {
        header.policy = policy.stamp();
        header.clustered = false;
        let id = header.id();
        Self {
            document: Document {
                header,
                id,
                statistics: Vec::new(),
                masked: Some(answer),
                noisy: Vec::new(),
            },
        }
    }

    /// The content-derived id.
    pub fn id(&self) -> Digest {
        self.document.id
    }

    pub(crate) fn encode(&self) -> Result<ReleasedBytes, CanonicalError> {
        let bytes = to_canonical(&self.document)?;
        Ok(ReleasedBytes {
            id: self.document.id,
            digest: Digest::of(&bytes),
            bytes,
        })
    }
}

/// The exact bytes that were reviewed: canonical JSON. What staff see, approve and keep in the
/// ledger is what is sent.
#[derive(Clone, Eq, PartialEq)]
pub struct ReleasedBytes {
    id: Digest,
    digest: Digest,
    bytes: Vec<u8>,
}

impl ReleasedBytes {
    /// The release's content-derived id.
    pub fn id(&self) -> Digest {
        self.id
    }

    /// Digest of the bytes.
    pub fn digest(&self) -> Digest {
        self.digest
    }

    /// The bytes.
    pub fn bytes(&self) -> &[u8] {
        &self.bytes
    }

    /// Bytes kept by the outbox across a restart. They are taken back only if they still have
    /// the digest that the ledger recorded at approval: a check at run time, since a type cannot
    /// vouch for a disk (decision A5).
    ///
    /// # Errors
    /// [`ReceiveFault`] when the bytes are not the release that the ledger names.
    pub fn reload(bytes: Vec<u8>, ledger: Digest) -> Result<Self, ReceiveFault> {
        let digest = Digest::of(&bytes);
        if digest != ledger {
            return Err(ReceiveFault::Id);
        }
        let id = ReceivedRelease::read(&bytes)?.id;
        Ok(Self { id, digest, bytes })
    }
}
