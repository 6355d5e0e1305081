//! Characteristics of the analysed cases: counts by level or band, mean and standard deviation
//! of numbers (TRIPOD+AI 20b).
//!
//! Merge class S for counts, M for moments (Chan, Golub, LeVeque 1979).
//!
//! From: `cases`.
//! To: report page "sites and data".

use schemars::JsonSchema;
use serde::{Deserialize, Serialize};

use super::stage::Stage;
use crate::study::{AxisId, EndpointId, FieldName};

/// Characteristics of one endpoint's analysed cases.
#[derive_where::derive_where(Clone, Debug, PartialEq; S::Count, S::Real)]
#[derive(Serialize, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields)]
#[serde(bound(
    serialize = "S::Count: Serialize, S::Real: Serialize",
    deserialize = "S::Count: Deserialize<'de>, S::Real: Deserialize<'de>"
))]
#[schemars(bound = "S::Count: JsonSchema, S::Real: JsonSchema")]
pub struct Characteristics<S: Stage> {
    /// The endpoint.
    pub endpoint: EndpointId,
    /// Analysed cases.
    pub n: S::Count,
    /// Counts by level, one per subgroup axis of the protocol.
    pub axes: Vec<AxisCounts<S>>,
    /// Moments of numeric fields that have a declared range.
    pub moments: Vec<FieldMoments<S>>,
}

/// Counts by level of one axis.
#[derive_where::derive_where(Clone, Debug, PartialEq; S::Count, S::Real)]
#[derive(Serialize, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields)]
#[serde(bound(
    serialize = "S::Count: Serialize, S::Real: Serialize",
    deserialize = "S::Count: Deserialize<'de>, S::Real: Deserialize<'de>"
))]
#[schemars(bound = "S::Count: JsonSchema, S::Real: JsonSchema")]
pub struct AxisCounts<S: Stage> {
    /// The axis.
    pub axis: AxisId,
    /// Counts in the order of the axis' levels, `not recorded` last.
    pub levels: Vec<LevelCount<S>>,
}

/// Cases at one level.
#[derive_where::derive_where(Clone, Debug, PartialEq; S::Count, S::Real)]
#[derive(Serialize, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields)]
#[serde(bound(
    serialize = "S::Count: Serialize, S::Real: Serialize",
    deserialize = "S::Count: Deserialize<'de>, S::Real: Deserialize<'de>"
))]
#[schemars(bound = "S::Count: JsonSchema, S::Real: JsonSchema")]
pub struct LevelCount<S: Stage> {
    /// The level.
    pub level: String,
    /// Cases.
    pub n: S::Count,
}

/// Mean and standard deviation of one numeric field, in the field's unit.
#[derive_where::derive_where(Clone, Debug, PartialEq; S::Count, S::Real)]
#[derive(Serialize, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields)]
#[serde(bound(
    serialize = "S::Count: Serialize, S::Real: Serialize",
    deserialize = "S::Count: Deserialize<'de>, S::Real: Deserialize<'de>"
))]
#[schemars(bound = "S::Count: JsonSchema, S::Real: JsonSchema")]
pub struct FieldMoments<S: Stage> {
    /// The field.
    pub field: FieldName,
    /// Cases with a value.
    pub n: S::Count,
    /// Mean.
    pub mean: S::Real,
    /// Standard deviation, divisor n - 1.
    pub sd: S::Real,
}
