//! Which cases count: endpoints with their reference standard, sampling, verification,
//! eligibility.
//!
//! From: `study.toml`.
//! To: `lock`, `plan`, and every reader of the analysis plan.

use schemars::JsonSchema;
use serde::{Deserialize, Serialize};

use super::Structure;
use crate::study::{EndpointId, FieldName, Term};

/// One endpoint with its reference standard.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields)]
pub struct Endpoint {
    /// Id that keys every statistic.
    pub id: EndpointId,
    /// Name for people.
    pub label: String,
    /// The declared binary column; in a study of masks, the column with the truth's masks.
    pub field: FieldName,
    /// What counts as an event, in words; of masks, what the structure is.
    pub event: String,
    /// In a study of masks: which voxels the endpoint is about.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub structure: Option<Structure>,
    /// How the truth was established.
    pub reference_standard: ReferenceStandard,
}

/// How the truth was established (STARD 10, TRIPOD+AI 8).
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields)]
pub struct ReferenceStandard {
    /// Definition.
    pub definition: String,
    /// Why this one.
    pub rationale: String,
    /// Number of readers; 0 when not read by people.
    pub readers: u32,
    /// How readers agree: `majority`, `adjudicated`, `soft`, `single`, `none`.
    pub reader_rule: String,
    /// Whether assessors were blind to the model.
    pub blinded_to_model: bool,
}

/// How cases were sampled (decision C3).
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields)]
pub struct Sampling {
    /// The design.
    pub design: SamplingDesign,
    /// With outcome-dependent sampling: fraction of events and of non-events that were sampled.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub fractions: Option<SamplingFractions>,
}

/// Sampling designs.
#[derive(Clone, Copy, Debug, Eq, PartialEq, Serialize, Deserialize, JsonSchema)]
#[serde(rename_all = "kebab-case")]
pub enum SamplingDesign {
    /// All eligible cases in order.
    Consecutive,
    /// A random sample.
    Random,
    /// Events and non-events were sampled at different rates.
    OutcomeDependent,
}

/// Sampling fractions by outcome, each in (0, 1].
#[derive(Clone, Copy, Debug, PartialEq, Serialize, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields)]
pub struct SamplingFractions {
    /// Fraction of events sampled.
    pub events: f64,
    /// Fraction of non-events sampled.
    pub non_events: f64,
}

/// Verification of the reference standard (decision C3).
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields)]
pub struct Verification {
    /// Methods used.
    pub methods: Vec<String>,
    /// Fraction of model-positive cases verified, in [0, 1].
    pub fraction_model_positive: f64,
    /// Fraction of model-negative cases verified, in [0, 1].
    pub fraction_model_negative: f64,
}

/// Who is eligible.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields)]
pub struct Eligibility {
    /// In words, for the report.
    pub description: String,
    /// Every term must hold.
    #[serde(default)]
    pub include: Vec<Term>,
    /// No term may hold.
    #[serde(default)]
    pub exclude: Vec<Term>,
    /// Unit of analysis: `patient`, `study`, `lesion`.
    pub unit: String,
    /// The identifier field whose distinct values are patients, the clusters of all standard errors.
    pub cluster: FieldName,
}
