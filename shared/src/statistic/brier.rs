//! Brier score: mean squared difference of prediction and outcome (Brier 1950, doi
//! 10.1175/1520-0493(1950)078<0001:VOFEIT>2.0.CO;2), and its scaled form
//! `1 - B / (pi (1 - pi))`.
//!
//! Merge class T here; predictions are not clipped (rulings C11). The standard error is that of
//! a mean, summed by patient where patients repeat.
//!
//! From: `cases`.
//! To: report page "calibration".

use schemars::JsonSchema;
use serde::{Deserialize, Serialize};

use super::stage::Stage;
use crate::study::{EndpointId, ModelId};

/// Brier score of one model at one site.
#[derive_where::derive_where(Clone, Debug, PartialEq; S::Count, S::Real)]
#[derive(Serialize, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields)]
#[serde(bound(
    serialize = "S::Count: Serialize, S::Real: Serialize",
    deserialize = "S::Count: Deserialize<'de>, S::Real: Deserialize<'de>"
))]
#[schemars(bound = "S::Count: JsonSchema, S::Real: JsonSchema")]
pub struct Brier<S: Stage> {
    /// The model.
    pub model: ModelId,
    /// The endpoint.
    pub endpoint: EndpointId,
    /// Cases.
    pub n: S::Count,
    /// The score, in [0, 1]; lower is better.
    pub brier: S::Real,
    /// Its standard error.
    pub se: S::Real,
    /// Scaled Brier score, at most 1; 0 is a model that always predicts the prevalence.
    pub scaled: S::Real,
}
