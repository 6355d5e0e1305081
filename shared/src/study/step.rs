//! One step of an exchange of several: what every site of the roster has sent before, as sums,
//! and where the next block is evaluated. A site recomputes the place from the sums and refuses
//! any other (decision P4). The same signed bytes go to every site of a round.
//!
//! From: `coordinator::exchange`.
//! To: `node::exchange`, which answers with a release whose header names these bytes.

use schemars::JsonSchema;
use serde::{Deserialize, Serialize};

use super::{EndpointId, ExchangeId, ModelId, RoundId, SiteSlug, StudySlug, Timestamp};
use crate::identity::{
    CanonicalError, Digest, DocumentFault, KeyCertificate, KeyPurpose, PublicKey, Signed,
    SigningKey,
};

/// Name and version of the document; also the signature's domain.
pub const SCHEMA: &str = "fedval.step/1";

/// The name of the exchange of Newton blocks for the one-stage calibration.
pub const CALIBRATION: &str = "calibration";

/// One step's input.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields)]
pub struct Step {
    /// The study.
    pub study: StudySlug,
    /// Digest of the locked protocol.
    pub protocol: Digest,
    /// The round.
    pub round: RoundId,
    /// The exchange.
    pub exchange: ExchangeId,
    /// The step, from 1.
    pub step: u32,
    /// Sites whose blocks are summed, in the protocol's order; the same in every step.
    pub roster: Vec<SiteSlug>,
    /// Where the blocks of this step are evaluated, by endpoint and model.
    pub at: Vec<Point>,
    /// The sums of every step before, oldest first.
    pub opened: Vec<Vec<Sum>>,
}

/// Where a block is evaluated. A site's own intercept is known to that site alone.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields)]
pub struct Point {
    /// The model.
    pub model: ModelId,
    /// The endpoint.
    pub endpoint: EndpointId,
    /// Intercept over all rows.
    pub intercept: f64,
    /// Slope over all rows.
    pub slope: f64,
    /// Slope common to sites with intercepts of their own.
    pub common_slope: f64,
}

/// The roster's blocks of one model and endpoint, added in the roster's order.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields)]
pub struct Sum {
    /// The model.
    pub model: ModelId,
    /// The endpoint.
    pub endpoint: EndpointId,
    /// Rows.
    pub n: u64,
    /// Rows with the event.
    pub events: u64,
    /// Log-likelihood.
    pub loglik: f64,
    /// Derivatives by intercept and by slope.
    pub score: [f64; 2],
    /// Information: intercept-intercept, intercept-slope, slope-slope.
    pub information: [f64; 3],
    /// Of the model with site intercepts; absent where a site's block has no information on
    /// its intercept.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub reduced: Option<ReducedSum>,
}

/// Blocks with each site's intercept eliminated, added.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields)]
pub struct ReducedSum {
    /// Log-likelihood.
    pub loglik: f64,
    /// Derivative by the common slope.
    pub score: f64,
    /// Its information.
    pub information: f64,
    /// Squared scores of the intercepts over their information: 0 at their maximum.
    pub decrement: f64,
}

impl Step {
    /// Signs the step. Without a moment in it, the same state gives the same bytes.
    ///
    /// # Errors
    /// [`CanonicalError`] when the step has no canonical form, which is a defect.
    pub fn sign(
        self,
        key: &SigningKey,
        certificate: KeyCertificate,
    ) -> Result<Vec<u8>, CanonicalError> {
        Signed::sign(SCHEMA, self, key, certificate)?.to_bytes()
    }

    /// Reads a signed step.
    ///
    /// # Errors
    /// [`DocumentFault`] when signature, signer or form are wrong.
    pub fn open(
        bytes: &[u8],
        ca: &PublicKey,
        pinned: Option<&[PublicKey]>,
        now: Timestamp,
    ) -> Result<Self, DocumentFault> {
        Signed::<Self>::open(bytes, SCHEMA, KeyPurpose::StudySigning, ca, pinned, now)
            .map(|signed| signed.body)
    }
}
