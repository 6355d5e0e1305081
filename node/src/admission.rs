//! Station 3, admission: may this job run here? Signatures, expiry, the site's own list. The
//! answer depends on nothing but the job, the protocol, the configuration and the clock.
//!
//! From: `link` (offers).
//! To: the daemon, which computes or declines.

use shared::identity::{Digest, DocumentFault, KeyPurpose, PublicKey};
use shared::masking::step::MaskedStep;
use shared::study::job::Job;
use shared::study::lock::{self, LockedProtocol};
use shared::study::plan::StatisticKind;
use shared::study::step::Step;
use shared::study::{SiteSlug, Timestamp};
use shared::wire::Refusal;

use crate::config::NodeConfig;
use crate::link::NodeIdentity;

/// What a node accepts from.
pub struct Gatekeeper {
    site: SiteSlug,
    ca: PublicKey,
    pinned: Vec<PublicKey>,
    studies: Vec<shared::study::StudySlug>,
}

impl Gatekeeper {
    /// The site's own rules: its identity, the signers pinned at join, its list of studies.
    /// When the configuration names signers, only pinned keys among them count.
    pub fn new(config: &NodeConfig, identity: &NodeIdentity) -> Self {
        let named = &config.access.protocol_signers;
        let pinned = identity
            .signer_keys(KeyPurpose::StudySigning)
            .into_iter()
            .filter(|key| named.is_empty() || named.contains(&key.fingerprint()))
            .collect();
        Self {
            site: identity.site.clone(),
            ca: identity.ca_key,
            pinned,
            studies: config.access.studies.clone(),
        }
    }

    /// Reads an offered job: its id is the digest of its bytes, its signer is pinned, its study
    /// is on the site's list.
    ///
    /// # Errors
    /// The [`Refusal`] that the coordinator is told.
    pub fn read_job(&self, id: Digest, bytes: &[u8], now: Timestamp) -> Result<Job, Refusal> {
        if Digest::of(bytes) != id {
            return Err(Refusal::BadSignature);
        }
        let job = Job::open(bytes, &self.ca, Some(&self.pinned), now).map_err(refusal)?;
        if job.site != self.site {
            return Err(Refusal::WrongSite);
        }
        if !self.studies.contains(&job.study) {
            return Err(Refusal::StudyNotListed);
        }
        Ok(job)
    }

    /// Reads the protocol a job names: exactly the bytes whose digest it signs.
    ///
    /// # Errors
    /// The [`Refusal`] that the coordinator is told.
    pub fn read_protocol(
        &self,
        job: &Job,
        bytes: &[u8],
        now: Timestamp,
    ) -> Result<LockedProtocol, Refusal> {
        let (locked, digest) =
            lock::open(bytes, &self.ca, Some(&self.pinned), now).map_err(refusal)?;
        if digest == job.protocol {
            Ok(locked)
        } else {
            Err(Refusal::BadSignature)
        }
    }

    /// Reads a step: signed by a pinned key. Whether it fits its job is `exchange::check`.
    ///
    /// # Errors
    /// The [`Refusal`] that the coordinator is told.
    pub fn read_step(&self, bytes: &[u8], now: Timestamp) -> Result<Step, Refusal> {
        Step::open(bytes, &self.ca, Some(&self.pinned), now).map_err(refusal)
    }

    /// Reads a step of a masked sum, likewise; `masked::check` tells whether it fits.
    ///
    /// # Errors
    /// The [`Refusal`] that the coordinator is told.
    pub fn read_masked_step(&self, bytes: &[u8], now: Timestamp) -> Result<MaskedStep, Refusal> {
        MaskedStep::open(bytes, &self.ca, Some(&self.pinned), now).map_err(refusal)
    }

    /// Whether the job may run under its protocol, and what it asks for.
    ///
    /// # Errors
    /// The [`Refusal`] that the coordinator is told.
    pub fn admit(
        &self,
        job: &Job,
        locked: &LockedProtocol,
        now: Timestamp,
    ) -> Result<Vec<StatisticKind>, Refusal> {
        job.admit(&locked.protocol, &self.site, now)
    }
}

fn refusal(fault: DocumentFault) -> Refusal {
    fault.into()
}
