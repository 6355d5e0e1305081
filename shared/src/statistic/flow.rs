//! Participant flow: from the rows of the site's table to the analysed cases (TRIPOD+AI 20a, STARD 19).
//!
//! Merge class S: counts add.
//!
//! From: `cases`.
//! To: report page "participant flow".

use schemars::JsonSchema;
use serde::{Deserialize, Serialize};

use super::stage::Stage;
use crate::study::EndpointId;

/// Participant flow of one endpoint, in cases.
#[derive_where::derive_where(Clone, Debug, PartialEq; S::Count, S::Real)]
#[derive(Serialize, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields)]
#[serde(bound(
    serialize = "S::Count: Serialize, S::Real: Serialize",
    deserialize = "S::Count: Deserialize<'de>, S::Real: Deserialize<'de>"
))]
#[schemars(bound = "S::Count: JsonSchema, S::Real: JsonSchema")]
pub struct Flow<S: Stage> {
    /// The endpoint.
    pub endpoint: EndpointId,
    /// Rows read.
    pub records: S::Count,
    /// Rows left out before eligibility, by reason, in the order the reasons apply.
    pub excluded: Vec<Excluded<S>>,
    /// Eligible cases.
    pub eligible: S::Count,
    /// Eligible cases without a reference standard.
    pub without_reference: S::Count,
    /// Eligible cases with a reference standard and without a prediction of every model.
    pub without_prediction: S::Count,
    /// Analysed cases.
    pub analysed: S::Count,
    /// Distinct patients among the analysed cases.
    pub patients: S::Count,
    /// Analysed cases with the event.
    pub events: S::Count,
    /// Analysed cases without the event.
    pub non_events: S::Count,
}

/// Rows left out for one reason.
#[derive_where::derive_where(Clone, Debug, PartialEq; S::Count, S::Real)]
#[derive(Serialize, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields)]
#[serde(bound(
    serialize = "S::Count: Serialize, S::Real: Serialize",
    deserialize = "S::Count: Deserialize<'de>, S::Real: Deserialize<'de>"
))]
#[schemars(bound = "S::Count: JsonSchema, S::Real: JsonSchema")]
pub struct Excluded<S: Stage> {
    /// The reason, in the protocol's words.
    pub reason: String,
    /// Rows.
    pub count: S::Count,
}
