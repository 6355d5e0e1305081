//! Contingency tables: outcome by subgroup, error by subgroup, completeness of inputs by
//! outcome, each with Pearson's chi-squared and Cramer's V, and the parts from which the
//! Cochran-Mantel-Haenszel statistic over sites is summed.
//!
//! Merge class S. Tests are computed on exact rows at the site (decision C14). Cochran (1954,
//! doi 10.2307/3001616), Mantel and Haenszel (1959, doi 10.1093/jnci/22.4.719); the
//! generalised form after Landis, Heyman, Koch (1978, doi 10.2307/1402373).
//!
//! From: `cases`.
//! To: report page "subgroups and fairness".

use schemars::JsonSchema;
use serde::{Deserialize, Serialize};

use super::analysis_set::AnalysisSet;
use super::stage::{Basis, Exact, ExactReal, Form, Stage, Undefined};
use crate::numeric::generalised::GeneralAssociation;
use crate::numeric::table;
use crate::study::{AxisId, AxisRule, EndpointId, ModelId};

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
/// and expected counts over all rows but the last and all columns but the last (column by column),
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

impl ContingencyKind {
    /// The kind in words.
    pub fn words(self) -> &'static str {
        match self {
            Self::OutcomeBySubgroup => "outcome",
            Self::ErrorBySubgroup => "errors",
            Self::CompletenessByOutcome => "availability and outcome",
        }
    }
}

/// Headings of the outcome columns.
pub const OUTCOME_COLUMNS: [&str; 2] = ["no event", "event"];
/// Headings of the error columns.
pub const ERROR_COLUMNS: [&str; 3] = ["correct", "false positive", "false negative"];

impl Contingency<Exact> {
    /// Outcome by level of the axis with index `axis`; for an availability axis this is
    /// completeness of inputs by outcome.
    pub fn outcome(set: &AnalysisSet<'_>, axis: usize) -> Option<Self> {
        let kind = match set.protocol.subgroup.get(axis)?.rule {
            AxisRule::Level | AxisRule::Band => ContingencyKind::OutcomeBySubgroup,
            AxisRule::Availability => ContingencyKind::CompletenessByOutcome,
        };
        let column = |row: usize| usize::from(set.outcome[row]);
        Self::cross(set, axis, kind, None, &OUTCOME_COLUMNS, column)
    }

    /// Errors at `threshold` of the model with index `model`, by level of the axis.
    pub fn errors(
        set: &AnalysisSet<'_>,
        axis: usize,
        model: usize,
        threshold: f64,
    ) -> Option<Self> {
        let score = set.score.get(model)?;
        let id = set.protocol.model.get(model)?.id.clone();
        let column = |row: usize| match (score[row] >= threshold, set.outcome[row]) {
            (true, true) | (false, false) => 0,
            (true, false) => 1,
            (false, true) => 2,
        };
        let kind = ContingencyKind::ErrorBySubgroup;
        Self::cross(
            set,
            axis,
            kind,
            Some((id, threshold)),
            &ERROR_COLUMNS,
            column,
        )
    }

    fn cross(
        set: &AnalysisSet<'_>,
        axis: usize,
        kind: ContingencyKind,
        model: Option<(ModelId, f64)>,
        columns: &[&str],
        column: impl Fn(usize) -> usize,
    ) -> Option<Self> {
        let declared = set.protocol.subgroup.get(axis)?;
        let levels = declared.levels(set.protocol.find_field(&declared.field)?);
        let level = set.level.get(axis)?;
        let group = |row: usize| level[row] * columns.len() + column(row);
        let mut counts = set.counts(levels.len() * columns.len(), group).into_iter();
        let rows: Vec<ContingencyRow<Exact>> = levels
            .into_iter()
            .zip(set.nearest(axis).iter().copied())
            .map(|(level, near)| {
                let cells = counts.by_ref().take(columns.len());
                ContingencyRow {
                    level,
                    cells: cells.map(|cell| cell.beside(near)).collect(),
                }
            })
            .collect();
        let tests = Tests::of(&rows);
        let (model, threshold) = model.unzip();
        Some(Self {
            kind,
            endpoint: set.endpoint.clone(),
            model,
            threshold,
            axis: declared.id.clone(),
            columns: columns.iter().map(|text| (*text).to_owned()).collect(),
            rows,
            chi_squared: tests.chi_squared,
            degrees_of_freedom: tests.degrees_of_freedom,
            p_value: tests.p_value,
            cramers_v: tests.cramers_v,
            stratum: tests.stratum,
        })
    }
}

struct Tests {
    chi_squared: ExactReal,
    degrees_of_freedom: u32,
    p_value: ExactReal,
    cramers_v: ExactReal,
    stratum: Stratum<Exact>,
}

impl Tests {
    fn of(rows: &[ContingencyRow<Exact>]) -> Self {
        #[allow(
            clippy::cast_precision_loss,
            reason = "counts of cases stay far below 2^53"
        )]
        let table: Vec<Vec<f64>> = rows
            .iter()
            .map(|row| row.cells.iter().map(|cell| cell.rows as f64).collect())
            .collect();
        // Tests speak about every row that holds anybody.
        let smallest = rows
            .iter()
            .filter(|row| row.cells.iter().any(|cell| cell.patients > 0))
            .flat_map(|row| row.cells.iter().map(|cell| cell.patients))
            .min()
            .unwrap_or(0);
        let basis = Basis::of(smallest);
        let found = table::association(&table);
        let test = found.chi2.ok_or(Undefined::OneClass);
        let real = |value: Result<f64, Undefined>, form| ExactReal::new(value, form, basis);
        Self {
            chi_squared: real(test.map(|test| test.statistic), Form::STATISTIC),
            degrees_of_freedom: test.map_or(0, |test| test.df),
            p_value: real(test.map(|test| test.p), Form::P_VALUE),
            cramers_v: real(found.cramers_v.ok_or(Undefined::OneClass), Form::AREA),
            stratum: stratum(&table, basis),
        }
    }
}

fn stratum(table: &[Vec<f64>], basis: Basis) -> Stratum<Exact> {
    let real = |value: &f64| ExactReal::new(Ok(*value), Form::FREE, basis);
    GeneralAssociation::of(table).map_or_else(
        |_| Stratum {
            difference: Vec::new(),
            covariance: Vec::new(),
        },
        |parts| Stratum {
            difference: parts.deviation.iter().map(real).collect(),
            covariance: parts.covariance.iter().map(real).collect(),
        },
    )
}
