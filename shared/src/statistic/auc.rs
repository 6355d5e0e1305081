//! Area under the ROC curve: the probability that a random event is scored above a random
//! non-event, ties counted half. A higher score always means more suspicion; direction is never
//! flipped.
//!
//! Variance after DeLong, DeLong, Clarke-Pearson (1988, doi 10.2307/2531595); with repeated
//! patients after Obuchowski (1997, doi 10.2307/2533958).
//!
//! Merge class T: pooled by random effects on the logit scale (rulings C7).
//!
//! From: `cases`.
//! To: report page "discrimination".

use schemars::JsonSchema;
use serde::{Deserialize, Serialize};

use super::stage::Stage;
use crate::study::{EndpointId, ModelId};

/// AUC of one model at one site.
#[derive_where::derive_where(Clone, Debug, PartialEq; S::Count, S::Real)]
#[derive(Serialize, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields)]
#[serde(bound(
    serialize = "S::Count: Serialize, S::Real: Serialize",
    deserialize = "S::Count: Deserialize<'de>, S::Real: Deserialize<'de>"
))]
#[schemars(bound = "S::Count: JsonSchema, S::Real: JsonSchema")]
pub struct Auc<S: Stage> {
    /// The model.
    pub model: ModelId,
    /// The endpoint.
    pub endpoint: EndpointId,
    /// Events.
    pub events: S::Count,
    /// Non-events.
    pub non_events: S::Count,
    /// The AUC, in [0, 1].
    pub auc: S::Real,
    /// Its variance.
    pub variance: S::Real,
    /// How the variance was computed.
    pub method: VarianceMethod,
}

/// Estimators of an AUC's variance.
#[derive(Clone, Copy, Debug, Eq, PartialEq, Serialize, Deserialize, JsonSchema)]
#[serde(rename_all = "kebab-case")]
pub enum VarianceMethod {
    /// DeLong 1988: every patient has one case.
    Delong,
    /// Obuchowski 1997: patients repeat.
    Obuchowski,
}
