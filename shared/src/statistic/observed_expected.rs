//! Calibration in the large as a ratio: observed events over the sum of predictions.
//!
//! Variance of log(O:E) after metamisc: (1 - O/n) / O (Debray et al. 2017, doi
//! 10.1136/bmj.i6460). Predictions are not clipped (rulings C11). Merge class T: pooled by
//! random effects on the log scale.
//!
//! From: `cases`.
//! To: report page "calibration".

use schemars::JsonSchema;
use serde::{Deserialize, Serialize};

use super::stage::Stage;
use crate::study::{EndpointId, ModelId};

/// O:E of one model at one site.
#[derive_where::derive_where(Clone, Debug, PartialEq; S::Count, S::Real)]
#[derive(Serialize, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields)]
#[serde(bound(
    serialize = "S::Count: Serialize, S::Real: Serialize",
    deserialize = "S::Count: Deserialize<'de>, S::Real: Deserialize<'de>"
))]
#[schemars(bound = "S::Count: JsonSchema, S::Real: JsonSchema")]
pub struct ObservedExpected<S: Stage> {
    /// The model.
    pub model: ModelId,
    /// The endpoint.
    pub endpoint: EndpointId,
    /// Cases.
    pub n: S::Count,
    /// Observed events.
    pub observed: S::Count,
    /// Mean prediction, in [0, 1]; expected events are `n` times this.
    pub mean_prediction: S::Real,
    /// Observed over expected.
    pub ratio: S::Real,
    /// Variance of the logarithm of the ratio.
    pub log_variance: S::Real,
}
