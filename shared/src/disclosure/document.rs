//! The release document: what a hospital previews, approves, signs into its ledger and sends,
//! as canonical JSON. Reading it back gives a [`ReceivedRelease`], which nobody can send.
//!
//! From: `released`.
//! To: `coordinator::intake`, `pool`, `fedval pool`.

use schemars::JsonSchema;
use serde::{Deserialize, Serialize};

use super::noise::{NoiseStamp, NoisyHistogram};
use crate::identity::{CanonicalError, Digest, check_canonical};
use crate::masking::step::Answer;
use crate::statistic::{Disclosed, Statistic};
use crate::study::{ExchangeId, RoundId, SiteSlug, StudySlug};

/// Name and version of the document.
pub const SCHEMA: &str = "fedval.release/1";

/// What a release is about.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields)]
pub struct Header {
    /// `fedval.release/1`.
    pub schema: String,
    /// The study.
    pub study: StudySlug,
    /// Version of its protocol.
    pub study_version: String,
    /// Digest of the locked protocol; of the canonical source when it is not locked.
    pub protocol: Digest,
    /// The round; absent for a release measured without a coordinator.
    pub round: Option<RoundId>,
    /// The job; absent for a release measured without a coordinator.
    pub job: Option<Digest>,
    /// The exchange within the job.
    pub exchange: ExchangeId,
    /// The step within the exchange, from 1.
    pub step: u32,
    /// Digest of the coordinator's document that this step answers; absent where an exchange
    /// has one step and no input.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub input: Option<Digest>,
    /// The site.
    pub site: SiteSlug,
    /// Commitment to the data set, salted with a secret of the site (decision P10).
    pub dataset: Digest,
    /// The policy that was applied.
    pub policy: PolicyStamp,
    /// Whether patients contribute several cases.
    pub clustered: bool,
    /// Name and version of the program.
    pub software: String,
    /// What it makes of the table whose answer is known ([`known_answer`](crate::statistic::known_answer)); none
    /// in releases of versions that had no such table.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub known_answer: Vec<f64>,
}

/// The policy that was applied to a release.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields)]
pub struct PolicyStamp {
    /// The profile's name.
    pub profile: String,
    /// Digest of the policy file.
    pub digest: Digest,
    /// Smallest number of distinct patients in a released cell.
    pub min_cell: u64,
    /// Rounding base of counts; 1 for none.
    pub rounding: u64,
    /// The noise of a release under differential privacy: then it holds nothing else.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub noise: Option<NoiseStamp>,
}

impl Header {
    /// The release's content-derived id: H(job, exchange, step, data, plan, policy, input)
    /// (decision A2).
    pub fn id(&self) -> Digest {
        let job = self.job.map(|job| job.to_string()).unwrap_or_default();
        let round = self
            .round
            .as_ref()
            .map(|round| round.as_str())
            .unwrap_or_default();
        let step = self.step.to_be_bytes();
        let mut parts: Vec<&[u8]> = vec![
            SCHEMA.as_bytes(),
            round.as_bytes(),
            job.as_bytes(),
            self.exchange.as_str().as_bytes(),
            &step,
            self.site.as_str().as_bytes(),
            self.dataset.as_bytes(),
            self.protocol.as_bytes(),
            self.policy.digest.as_bytes(),
        ];
        parts.extend(self.input.as_ref().map(|input| input.as_bytes().as_slice()));
        Digest::of_list(&parts)
    }
}

/// A release as read by whoever receives it.
#[derive(Clone, Debug, PartialEq, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields)]
pub struct ReceivedRelease {
    /// What it is about.
    pub header: Header,
    /// The content-derived id.
    pub id: Digest,
    /// The statistics.
    pub statistics: Vec<Statistic<Disclosed>>,
    /// The site's message of a step of a masked sum, which has no statistics.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub masked: Option<Answer>,
    /// Counts with noise, of a release under differential privacy; then `statistics` is empty.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub noisy: Vec<NoisyHistogram>,
}

/// Why bytes are no release.
#[derive(Debug, thiserror::Error)]
pub enum ReceiveFault {
    /// Not canonical JSON of the expected form.
    #[error(transparent)]
    Form(#[from] CanonicalError),
    /// The schema is another one.
    #[error("the document is not a {SCHEMA}")]
    Schema,
    /// The id does not follow from the header.
    #[error("the release's id does not follow from its header")]
    Id,
}

impl ReceivedRelease {
    /// Reads canonical bytes.
    ///
    /// # Errors
    /// [`ReceiveFault`] when form, schema or id are wrong.
    pub fn read(bytes: &[u8]) -> Result<Self, ReceiveFault> {
        check_canonical(bytes)?;
        let release: Self = serde_json::from_slice(bytes).map_err(CanonicalError::from)?;
        if release.header.schema != SCHEMA {
            return Err(ReceiveFault::Schema);
        }
        if release.header.id() != release.id {
            return Err(ReceiveFault::Id);
        }
        Ok(release)
    }
}
