//! Contingency tables: outcome by subgroup, error by subgroup, completeness of inputs by
//! outcome, each with Pearson's chi-squared and Cramer's V, and the parts from which the
//! Cochran-Mantel-Haenszel statistic over sites is summed.
//!
//! Merge class S. Tests are computed on exact rows at the site (rulings C14). Cochran (1954,
//! doi 10.2307/3001616), Mantel and Haenszel (1959, doi 10.1093/jnci/22.4.719); the
//! generalised form after Landis, Heyman, Koch (1978, doi 10.2307/1402373).
//!
//! From: `cases`.
//! To: report page "subgroups and fairness".

use schemars::JsonSchema;
use serde::{Deserialize, Serialize};

use super::stage::Stage;
use crate::study::{AxisId, EndpointId, ModelId};

/// One table of levels (rows) by columns.
#[derive_where::derive_where(Clone, Debug, PartialEq; S::Count, S::Real)]
#[derive(Serialize, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields)]
#[serde(bound(
    serialize = "S::Count: Serialize, S::Real: Serialize",
    deserialize = "S::Count: Deserialize<'de>, S::Real: Deserialize<'de>"
))]
#[schemars(bound = "S::Count: JsonSchema, S::Real: JsonSchema")]
pub struct Contingency<S: Stage> {
    /// What is crossed.
    pub kind: ContingencyKind,
    /// The endpoint.
    pub endpoint: EndpointId,
    /// The model and its threshold, for errors.
    pub model: Option<ModelId>,
    /// The model's threshold, for errors.
    pub threshold: Option<f64>,
    /// The axis of the rows.
    pub axis: AxisId,
    /// Column headings.
    pub columns: Vec<String>,
    /// The rows, in the order of the axis' levels.
    pub rows: Vec<ContingencyRow<S>>,
    /// Pearson's chi-squared over non-empty rows and columns.
    pub chi_squared: S::Real,
    /// Its degrees of freedom.
    pub degrees_of_freedom: u32,
    /// Its p value.
    pub p_value: S::Real,
    /// Cramer's V, in [0, 1].
    pub cramers_v: S::Real,
    /// The site's contribution to the Cochran-Mantel-Haenszel statistic.
    pub stratum: Stratum<S>,
}

/// One row of a contingency table.
#[derive_where::derive_where(Clone, Debug, PartialEq; S::Count, S::Real)]
#[derive(Serialize, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields)]
#[serde(bound(
    serialize = "S::Count: Serialize, S::Real: Serialize",
    deserialize = "S::Count: Deserialize<'de>, S::Real: Deserialize<'de>"
))]
#[schemars(bound = "S::Count: JsonSchema, S::Real: JsonSchema")]
pub struct ContingencyRow<S: Stage> {
    /// The level.
    pub level: String,
    /// Counts by column.
    pub cells: Vec<S::Count>,
}

/// A site's part of the generalised Cochran-Mantel-Haenszel statistic: differences of observed
/// and expected counts over all rows but the last and all columns but the last (row by row),
/// and the covariance matrix of that vector, flattened by row.
#[derive_where::derive_where(Clone, Debug, PartialEq; S::Count, S::Real)]
#[derive(Serialize, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields)]
#[serde(bound(
    serialize = "S::Count: Serialize, S::Real: Serialize",
    deserialize = "S::Count: Deserialize<'de>, S::Real: Deserialize<'de>"
))]
#[schemars(bound = "S::Count: JsonSchema, S::Real: JsonSchema")]
pub struct Stratum<S: Stage> {
    /// Observed minus expected, length `(r - 1)(c - 1)`.
    pub difference: Vec<S::Real>,
    /// Covariance, length `((r - 1)(c - 1))^2`.
    pub covariance: Vec<S::Real>,
}

/// What a contingency table crosses.
#[derive(
    Clone, Copy, Debug, Eq, PartialEq, Ord, PartialOrd, Serialize, Deserialize, JsonSchema,
)]
#[serde(rename_all = "kebab-case")]
pub enum ContingencyKind {
    /// Level by outcome.
    OutcomeBySubgroup,
    /// Level by right or wrong at the threshold.
    ErrorBySubgroup,
    /// Availability of a modality by outcome.
    CompletenessByOutcome,
}
