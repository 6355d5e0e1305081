//! Subgroup bias table: one model, one axis, one threshold. Each level is compared with the
//! rest of the same site (rulings C10), so that differences between hospitals do not pose as
//! differences between patients.
//!
//! Differences of proportions: Newcombe's hybrid score interval (1998, doi
//! 10.1002/(SICI)1097-0258(19980430)17:8<873::AID-SIM779>3.0.CO;2-I); of AUCs: independent
//! groups; of O:E: difference of logarithms. Merge class T: gaps are pooled by random effects.
//!
//! From: `cases`.
//! To: report page "subgroups and fairness".

use schemars::JsonSchema;
use serde::{Deserialize, Serialize};

use super::stage::Stage;
use crate::study::{AxisId, EndpointId, ModelId};

/// Subgroup results of one model on one axis.
#[derive_where::derive_where(Clone, Debug, PartialEq; S::Count, S::Real)]
#[derive(Serialize, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields)]
#[serde(bound(
    serialize = "S::Count: Serialize, S::Real: Serialize",
    deserialize = "S::Count: Deserialize<'de>, S::Real: Deserialize<'de>"
))]
#[schemars(bound = "S::Count: JsonSchema, S::Real: JsonSchema")]
pub struct SubgroupTable<S: Stage> {
    /// The model.
    pub model: ModelId,
    /// The endpoint.
    pub endpoint: EndpointId,
    /// The axis.
    pub axis: AxisId,
    /// The threshold behind rates; the protocol's first for this model.
    pub threshold: f64,
    /// One row per level, `not recorded` last.
    pub rows: Vec<SubgroupRow<S>>,
}

/// Results at one level.
#[derive_where::derive_where(Clone, Debug, PartialEq; S::Count, S::Real)]
#[derive(Serialize, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields)]
#[serde(bound(
    serialize = "S::Count: Serialize, S::Real: Serialize",
    deserialize = "S::Count: Deserialize<'de>, S::Real: Deserialize<'de>"
))]
#[schemars(bound = "S::Count: JsonSchema, S::Real: JsonSchema")]
pub struct SubgroupRow<S: Stage> {
    /// The level.
    pub level: String,
    /// Cases.
    pub n: S::Count,
    /// Events.
    pub events: S::Count,
    /// Non-events.
    pub non_events: S::Count,
    /// The measures, in the order of [`Measure::ALL`].
    pub measures: Vec<SubgroupMeasure<S>>,
}

/// One measure at one level, and its gap to the rest of the site.
#[derive_where::derive_where(Clone, Debug, PartialEq; S::Count, S::Real)]
#[derive(Serialize, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields)]
#[serde(bound(
    serialize = "S::Count: Serialize, S::Real: Serialize",
    deserialize = "S::Count: Deserialize<'de>, S::Real: Deserialize<'de>"
))]
#[schemars(bound = "S::Count: JsonSchema, S::Real: JsonSchema")]
pub struct SubgroupMeasure<S: Stage> {
    /// Which measure.
    pub measure: Measure,
    /// Estimate on its natural scale.
    pub value: S::Real,
    /// Lower end of the 95 % interval.
    pub low: S::Real,
    /// Upper end of the 95 % interval.
    pub high: S::Real,
    /// Level minus rest of the site; for O:E the difference of logarithms.
    pub gap: S::Real,
    /// Lower end of the gap's 95 % interval.
    pub gap_low: S::Real,
    /// Upper end of the gap's 95 % interval.
    pub gap_high: S::Real,
    /// Variance of the gap, for pooling.
    pub gap_variance: S::Real,
}

/// Measures of the subgroup table.
#[derive(
    Clone, Copy, Debug, Eq, PartialEq, Ord, PartialOrd, Serialize, Deserialize, JsonSchema,
)]
#[serde(rename_all = "kebab-case")]
pub enum Measure {
    /// Predicted positives among all.
    SelectionRate,
    /// True positive rate (sensitivity).
    Tpr,
    /// False positive rate.
    Fpr,
    /// Positive predictive value.
    Ppv,
    /// Area under the ROC curve.
    Auc,
    /// Observed over expected.
    ObservedExpected,
}

impl Measure {
    /// Every measure, in the order of the table.
    pub const ALL: &'static [Self] = &[
        Self::SelectionRate,
        Self::Tpr,
        Self::Fpr,
        Self::Ppv,
        Self::Auc,
        Self::ObservedExpected,
    ];
}
