//! Difference of the AUCs of two models on the same cases, with the paired variance.
//!
//! DeLong et al. (1988, doi 10.2307/2531595); with repeated patients after Obuchowski (1997,
//! doi 10.2307/2533958). Merge class T: the difference is pooled by random effects.
//!
//! From: `cases`.
//! To: report page "comparators".

use schemars::JsonSchema;
use serde::{Deserialize, Serialize};

use super::auc::VarianceMethod;
use super::stage::Stage;
use crate::study::{EndpointId, ModelId};

/// Paired comparison of the index model with a comparator at one site.
#[derive_where::derive_where(Clone, Debug, PartialEq; S::Count, S::Real)]
#[derive(Serialize, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields)]
#[serde(bound(
    serialize = "S::Count: Serialize, S::Real: Serialize",
    deserialize = "S::Count: Deserialize<'de>, S::Real: Deserialize<'de>"
))]
#[schemars(bound = "S::Count: JsonSchema, S::Real: JsonSchema")]
pub struct PairedAuc<S: Stage> {
    /// The model under validation.
    pub model: ModelId,
    /// What it is compared with.
    pub comparator: ModelId,
    /// The endpoint.
    pub endpoint: EndpointId,
    /// Events.
    pub events: S::Count,
    /// Non-events.
    pub non_events: S::Count,
    /// AUC of the model minus AUC of the comparator, in [-1, 1].
    pub difference: S::Real,
    /// Variance of the difference.
    pub variance: S::Real,
    /// How the variance was computed.
    pub method: VarianceMethod,
}
