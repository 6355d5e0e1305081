//! Renewal: a new key made here, a certificate for it over the connection that the old one
//! opened. The coordinator ends the old certificate when the new one is first used, so a crash
//! at any point leaves one that works.
//!
//! From: `identity`, the connected coordinator.
//! To: the daemon, which connects anew.

use shared::fault::Fault;
use shared::identity::{Entropy, SigningKey};
use shared::study::Timestamp;
use shared::wire::NodeRequest;

use super::identity::{IdentityDir, NodeIdentity};
use super::join::certificate_request;

/// A renewal that has begun: the new key is on disk, its certificate is not.
pub struct Renewal {
    dir: IdentityDir,
    key: SigningKey,
    csr: Vec<u8>,
}

impl Renewal {
    /// Makes the new key, or goes on with the one of an unfinished renewal: the coordinator
    /// answers a repeated request for it with the certificate it has already issued.
    ///
    /// # Errors
    /// [`shared::fault::Code::StateDirUnusable`] when the folder cannot be written.
    pub fn prepare(dir: &IdentityDir, entropy: &mut dyn Entropy) -> Result<Self, Fault> {
        let key = dir.key_for_renewal(entropy)?;
        let csr = certificate_request(&key)?;
        Ok(Self {
            dir: dir.clone(),
            key,
            csr,
        })
    }

    /// What the coordinator is asked.
    pub fn request(&self) -> NodeRequest {
        NodeRequest::Renew {
            csr: self.csr.clone(),
        }
    }

    /// Checks what was issued, writes it and switches to it in one step.
    ///
    /// # Errors
    /// [`RenewalFault::Misfit`] when the certificate is not a newer one for this site and key;
    /// nothing is written then. [`RenewalFault::Disk`] when it cannot be written; the old
    /// identity stays.
    pub fn keep(
        &self,
        current: &NodeIdentity,
        certificate: Vec<u8>,
        now: Timestamp,
    ) -> Result<NodeIdentity, RenewalFault> {
        let renewed = NodeIdentity::assemble(
            self.key.clone(),
            certificate,
            current.ca_der.clone(),
            current.signers.clone(),
        )
        .map_err(RenewalFault::Misfit)?;
        if renewed.site != current.site {
            return Err(RenewalFault::Misfit(
                "the new certificate names another site",
            ));
        }
        if renewed.not_after <= now {
            return Err(RenewalFault::Misfit("the new certificate has expired"));
        }
        self.dir
            .keep_renewed(current, &renewed)
            .map_err(RenewalFault::Disk)?;
        Ok(renewed)
    }

    /// Forgets the new key, which the coordinator will not certify.
    ///
    /// # Errors
    /// [`shared::fault::Code::StateDirUnusable`] when it cannot be removed.
    pub fn discard(self) -> Result<(), Fault> {
        self.dir.forget_renewal()
    }
}

/// Why there is no new certificate.
#[derive(Clone, Debug, Eq, PartialEq)]
pub enum RenewalFault {
    /// What the coordinator issued does not fit.
    Misfit(&'static str),
    /// It cannot be written.
    Disk(Fault),
}
