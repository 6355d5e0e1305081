//! The 2x2 table at a prespecified threshold, positive if and only if the prediction is at or
//! above it, and the rates that follow.
//!
//! Merge class S: the four counts add. Rates and their intervals are computed on exact rows at
//! the site (rulings C14): Wilson (1927, doi 10.1080/01621459.1927.10502953) when every patient
//! has one case, otherwise the logit interval of the ratio estimator linearised by patient.
//!
//! From: `cases`.
//! To: report page "operating point".

use schemars::JsonSchema;
use serde::{Deserialize, Serialize};

use super::stage::Stage;
use crate::study::{EndpointId, ModelId};

/// One 2x2 table.
#[derive_where::derive_where(Clone, Debug, PartialEq; S::Count, S::Real)]
#[derive(Serialize, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields)]
#[serde(bound(
    serialize = "S::Count: Serialize, S::Real: Serialize",
    deserialize = "S::Count: Deserialize<'de>, S::Real: Deserialize<'de>"
))]
#[schemars(bound = "S::Count: JsonSchema, S::Real: JsonSchema")]
pub struct Confusion<S: Stage> {
    /// The model.
    pub model: ModelId,
    /// The endpoint.
    pub endpoint: EndpointId,
    /// The threshold, in (0, 1).
    pub threshold: f64,
    /// Events predicted positive.
    pub true_positive: S::Count,
    /// Non-events predicted positive.
    pub false_positive: S::Count,
    /// Events predicted negative.
    pub false_negative: S::Count,
    /// Non-events predicted negative.
    pub true_negative: S::Count,
    /// Rates with 95 % intervals.
    pub rates: Vec<Rate<S>>,
}

/// One proportion with its interval.
#[derive_where::derive_where(Clone, Debug, PartialEq; S::Count, S::Real)]
#[derive(Serialize, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields)]
#[serde(bound(
    serialize = "S::Count: Serialize, S::Real: Serialize",
    deserialize = "S::Count: Deserialize<'de>, S::Real: Deserialize<'de>"
))]
#[schemars(bound = "S::Count: JsonSchema, S::Real: JsonSchema")]
pub struct Rate<S: Stage> {
    /// Which rate.
    pub measure: RateMeasure,
    /// The cases in the denominator.
    pub n: S::Count,
    /// The proportion, in [0, 1].
    pub value: S::Real,
    /// Lower end of the 95 % interval.
    pub low: S::Real,
    /// Upper end of the 95 % interval.
    pub high: S::Real,
}

/// Rates of a 2x2 table.
#[derive(
    Clone, Copy, Debug, Eq, PartialEq, Ord, PartialOrd, Serialize, Deserialize, JsonSchema,
)]
#[serde(rename_all = "kebab-case")]
pub enum RateMeasure {
    /// True positives among events.
    Sensitivity,
    /// True negatives among non-events.
    Specificity,
    /// Events among predicted positives.
    Ppv,
    /// Non-events among predicted negatives.
    Npv,
    /// Predicted positives among all.
    SelectionRate,
    /// Events among all.
    Prevalence,
}
