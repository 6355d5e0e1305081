//! What is computed at a site: thresholds, the histogram's grid, missing values, sensitivity
//! analyses, and the primary analysis with its acceptance bound.
//!
//! From: `study.toml`.
//! To: `lock`, `plan`, and every reader of the analysis plan.

use schemars::JsonSchema;
use serde::{Deserialize, Serialize};

use crate::study::{EndpointId, FieldName, ModelId, Term};

/// A prespecified threshold: positive if and only if the prediction is at or above it.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields)]
pub struct Threshold {
    /// The model.
    pub model: ModelId,
    /// The endpoint.
    pub endpoint: EndpointId,
    /// Between 0 and 1, both excluded; on the histogram's grid or added to it.
    pub value: f64,
    /// Where it comes from.
    pub source: String,
}

/// Thresholds at which net benefit is computed, for every model and endpoint.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields)]
pub struct DecisionCurve {
    /// Strictly increasing in (0, 1), at most 50; edges of the histogram's grid or prespecified
    /// thresholds. A grid by rule gets them as edges when the protocol is locked.
    pub thresholds: Vec<f64>,
}

/// What is asked of comparisons beyond the usual.
#[derive(Clone, Copy, Debug, Default, PartialEq, Serialize, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields)]
pub struct ComparisonPlan {
    /// Whether net reclassification and integrated discrimination improvement are computed; they
    /// can rise with miscalibration alone and are reported with that warning.
    #[serde(default)]
    pub nri: bool,
}

/// The score histogram's grid, agreed before data are seen. Bin `j` holds `edges[j-1] <= p <
/// edges[j]`; the first bin starts at 0 and the last ends at 1, both included.
#[derive(Clone, Debug, Default, PartialEq, Serialize, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields)]
pub struct Grid {
    /// Spacing in TOML source, expanded to `edges` by the lock: `logit` over [-14, 14].
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub spacing: Option<Spacing>,
    /// Number of bins; 128 by default.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub bins: Option<usize>,
    /// The inner edges as numbers, strictly increasing in (0, 1); always present once locked.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub edges: Vec<f64>,
}

impl Grid {
    /// True when nothing is said.
    pub fn is_empty(&self) -> bool {
        *self == Self::default()
    }
}

/// How edges are spaced.
#[derive(Clone, Copy, Debug, Eq, PartialEq, Serialize, Deserialize, JsonSchema)]
#[serde(rename_all = "kebab-case")]
pub enum Spacing {
    /// Equal steps of the logit over [-14, 14].
    Logit,
    /// Equal steps of the probability.
    Probability,
}

/// Clipping before a logit (decision C11): no default.
#[derive(Clone, Copy, Debug, PartialEq, Serialize, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields)]
pub struct Clip {
    /// Probabilities are moved into [epsilon, 1 - epsilon] before a logit; O:E and Brier are not clipped.
    pub epsilon: f64,
}

/// What is done with missing values (decision C12).
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields)]
pub struct Missing {
    /// The primary analysis set.
    pub primary: MissingRule,
    /// The clinic's default action when there is no prediction, in words.
    pub default_action: String,
    /// The same as a call of the model; absent where it is neither.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub default_call: Option<Call>,
}

/// What a prediction leads to at a threshold.
#[derive(Clone, Copy, Debug, Eq, PartialEq, Serialize, Deserialize, JsonSchema)]
#[serde(rename_all = "kebab-case")]
pub enum Call {
    /// As a prediction at or above the threshold.
    Positive,
    /// As a prediction below it.
    Negative,
}

/// Rules for the primary analysis set.
#[derive(Clone, Copy, Debug, Eq, PartialEq, Serialize, Deserialize, JsonSchema)]
#[serde(rename_all = "kebab-case")]
pub enum MissingRule {
    /// Cases with a reference standard and a prediction of every model of the endpoint.
    CompleteCase,
}

/// A sensitivity analysis: the model under validation again, with one choice made otherwise.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields)]
pub struct SensitivityAnalysis {
    /// Id that keys its results: lower-case letters, digits and dashes.
    pub id: String,
    /// Name on the report.
    pub label: String,
    /// What is done otherwise.
    pub kind: SensitivityKind,
    /// With `exclude`: terms that lead to exclusion, on top of the eligibility's.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub exclude: Vec<Term>,
    /// With `threshold`: a declared threshold of the model under validation.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub threshold: Option<f64>,
}

/// What a sensitivity analysis does otherwise.
#[derive(Clone, Copy, Debug, Eq, PartialEq, Serialize, Deserialize, JsonSchema)]
#[serde(rename_all = "kebab-case")]
pub enum SensitivityKind {
    /// A case without a prediction counts as the clinic's default action.
    DefaultAction,
    /// A case without a prediction counts as badly as it can: events lowest, others highest.
    WorstCase,
    /// Further cases are excluded.
    Exclude,
    /// Another declared threshold is the operating point.
    Threshold,
    /// Sensitivity and specificity corrected for cases without a reference standard, by the
    /// share verified among those called positive and those called negative.
    BeggGreenes,
    /// The same with the protocol's verification fractions as weights.
    VerificationWeights,
    /// Cases without a reference standard are as bad for the model as they can be.
    VerificationLowest,
    /// Cases without a reference standard are as good for the model as they can be.
    VerificationHighest,
}

/// What errors are counted by.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields)]
pub struct FailureAnalysis {
    /// A declared category field, or a numeric one with bands.
    pub field: FieldName,
    /// Heading in the report.
    pub label: String,
}

/// Monte Carlo shuffles of the outcomes within each site.
#[derive(Clone, Copy, Debug, Eq, PartialEq, Serialize, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields)]
pub struct PermutationPlan {
    /// Number of shuffles, 99 to 100000.
    pub shuffles: u32,
    /// Seed of the random stream, recorded with the result.
    pub seed: u32,
}

/// The primary analysis.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields)]
pub struct Analysis {
    /// The primary analysis.
    pub primary: PrimaryAnalysis,
}

/// The primary metric with its acceptance bound.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields)]
pub struct PrimaryAnalysis {
    /// The metric.
    pub metric: PrimaryMetric,
    /// The model under validation.
    pub model: ModelId,
    /// The endpoint.
    pub endpoint: EndpointId,
    /// The acceptance bound (decision C6).
    pub acceptance: Acceptance,
}

/// Metrics that may be primary; of each, higher is better.
#[derive(Clone, Copy, Debug, Eq, PartialEq, Serialize, Deserialize, JsonSchema)]
#[serde(rename_all = "kebab-case")]
pub enum PrimaryMetric {
    /// Area under the ROC curve.
    Auc,
    /// Mean Dice overlap of a study of masks.
    Dice,
    /// Mean surface Dice at the first tolerance of a study of masks.
    Nsd,
    /// Share of true lesions found, of a study of masks.
    LesionSensitivity,
    /// Mean sensitivity at the stated false positives per scan, of a study of candidates.
    Cpm,
}

/// The acceptance bound: met when the interval's lower end is at or above it, refuted when the
/// upper end is below it, inconclusive otherwise.
#[derive(Clone, Copy, Debug, PartialEq, Serialize, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields)]
pub struct Acceptance {
    /// What the bound is about.
    pub estimand: Estimand,
    /// The bound on the metric's natural scale.
    pub at_least: f64,
}

/// What an acceptance bound is about.
#[derive(Clone, Copy, Debug, Eq, PartialEq, Serialize, Deserialize, JsonSchema)]
#[serde(rename_all = "kebab-case")]
pub enum Estimand {
    /// The mean over sites, with its confidence interval.
    Mean,
    /// The next exchangeable site, with the prediction interval (five sites or more).
    NextSite,
}
