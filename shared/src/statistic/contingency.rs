//! Contingency tables: outcome by subgroup, error by subgroup, completeness of inputs by
//! outcome, each with Pearson's chi-squared (Yates' correction, G2, Fisher's exact test,
//! Cramer's V, trend where the levels are ordered), and the parts from which the statistics
//! over sites are summed: Cochran-Mantel-Haenszel, generalised and ordinal, and the common
//! odds ratio of two levels.
//!
//! Merge class S. Tests are computed on exact rows at the site (decision C14); they take every
//! case for a patient of its own, so that where patients repeat there is none (decision C2).
//! Cochran (1954, doi 10.2307/3001616), Mantel and Haenszel (1959, doi 10.1093/jnci/22.4.719);
//! the generalised form after Landis, Heyman, Koch (1978, doi 10.2307/1402373).
//!
//! From: `cases`.
//! To: report page "subgroups and fairness".

use schemars::JsonSchema;
use serde::{Deserialize, Serialize};

use super::analysis_set::{AnalysisSet, LEVEL};
use super::stage::{Basis, Exact, ExactReal, Form, Stage, Undefined};
use crate::numeric::conditional::ConditionalFault;
use crate::numeric::fisher::fisher_exact_table;
use crate::numeric::generalised::{GeneralAssociation, LinearAssociation};
use crate::numeric::stratified::MantelHaenszel;
use crate::numeric::trend::cochran_armitage;
use crate::numeric::{Test, table};
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
    /// Chi-squared with Yates' correction, where two rows and two columns hold anybody.
    pub yates: S::Real,
    /// Its p value.
    pub yates_p: S::Real,
    /// Likelihood-ratio chi-squared, with the degrees of freedom above.
    pub g2: S::Real,
    /// Its p value.
    pub g2_p: S::Real,
    /// Two-sided p value of Fisher's exact test.
    pub fisher_p: S::Real,
    /// The site's contribution to the Cochran-Mantel-Haenszel statistic.
    pub stratum: Stratum<S>,
    /// Trend over the levels, where they are ordered.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub trend: Option<Trend<S>>,
    /// Parts of the common odds ratio, where the axis has two recorded levels and the table two
    /// columns.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub two_levels: Option<TwoLevels<S>>,
}

/// Trend of the response over ordered levels, scored 1, 2, ...; cases that are not recorded do
/// not count. The response is any column but the first.
#[derive_where::derive_where(Clone, Debug, PartialEq; S::Count, S::Real)]
#[derive(Serialize, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields)]
#[serde(bound(
    serialize = "S::Count: Serialize, S::Real: Serialize",
    deserialize = "S::Count: Deserialize<'de>, S::Real: Deserialize<'de>"
))]
#[schemars(bound = "S::Count: JsonSchema, S::Real: JsonSchema")]
pub struct Trend<S: Stage> {
    /// The Cochran-Armitage statistic, 1 degree of freedom.
    pub chi_squared: S::Real,
    /// Its p value.
    pub p_value: S::Real,
    /// Sum of scores of cases with the response, minus its expectation given the margins.
    pub deviation: S::Real,
    /// Variance of that sum; both add over sites (Mantel 1963,
    /// doi:10.1080/01621459.1963.10500879).
    pub variance: S::Real,
}

/// A site's parts of the Mantel-Haenszel statistics of the first two levels; they add over
/// sites. See `numeric::stratified::MantelHaenszel`.
#[derive_where::derive_where(Clone, Debug, PartialEq; S::Count, S::Real)]
#[derive(Serialize, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields)]
#[serde(bound(
    serialize = "S::Count: Serialize, S::Real: Serialize",
    deserialize = "S::Count: Deserialize<'de>, S::Real: Deserialize<'de>"
))]
#[schemars(bound = "S::Count: JsonSchema, S::Real: JsonSchema")]
pub struct TwoLevels<S: Stage> {
    /// First cell minus its expectation.
    pub deviation: S::Real,
    /// Its conditional variance.
    pub variance: S::Real,
    /// `R = a d / n`.
    pub r: S::Real,
    /// `S = b c / n`.
    pub s: S::Real,
    /// `P R`, `P = (a + d) / n`.
    pub p_r: S::Real,
    /// `P S + Q R`, `Q = (b + c) / n`.
    pub p_s_q_r: S::Real,
    /// `Q S`.
    pub q_s: S::Real,
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
            AxisRule::Pair => return None,
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
        // Tests over sites of a pair's many levels would need thousands of numbers, and say
        // less than the subgroup table does.
        if declared.rule == AxisRule::Pair {
            return None;
        }
        let field = set.protocol.find_field(&declared.field)?;
        let (levels, ordered) = (declared.levels(field), declared.ordered_levels(field));
        let level = set.level.get(axis)?;
        let group = |row: usize| usize::from(level[row]) * columns.len() + column(row);
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
        let tests = Tests::of(&rows, set.clustered());
        let (model, threshold) = model.unzip();
        Some(Self {
            kind,
            endpoint: set.endpoint.clone(),
            model,
            threshold,
            axis: declared.id.clone(),
            columns: columns.iter().map(|text| (*text).to_owned()).collect(),
            chi_squared: tests.real(tests.chi2.map(|test| test.statistic), Form::STATISTIC),
            degrees_of_freedom: tests.chi2.map_or(0, |test| test.df),
            p_value: tests.real(tests.chi2.map(|test| test.p), Form::P_VALUE),
            cramers_v: tests.real(tests.cramers_v, Form::AREA),
            yates: tests.real(tests.yates.map(|test| test.statistic), Form::STATISTIC),
            yates_p: tests.real(tests.yates.map(|test| test.p), Form::P_VALUE),
            g2: tests.real(tests.g2.map(|test| test.statistic), Form::STATISTIC),
            g2_p: tests.real(tests.g2.map(|test| test.p), Form::P_VALUE),
            fisher_p: tests.real(tests.fisher(), Form::P_VALUE),
            stratum: tests.stratum(),
            trend: tests.trend(ordered),
            two_levels: tests.two_levels(),
            rows,
        })
    }
}

/// The tests of one table.
struct Tests {
    table: Vec<Vec<u64>>,
    numbers: Vec<Vec<f64>>,
    basis: Basis,
    clustered: bool,
    chi2: Result<Test, Undefined>,
    yates: Result<Test, Undefined>,
    g2: Result<Test, Undefined>,
    cramers_v: Result<f64, Undefined>,
}

impl Tests {
    fn of(rows: &[ContingencyRow<Exact>], clustered: bool) -> Self {
        let cells = |row: &ContingencyRow<Exact>| row.cells.iter().map(|cell| cell.rows).collect();
        let table: Vec<Vec<u64>> = rows.iter().map(cells).collect();
        #[allow(
            clippy::cast_precision_loss,
            reason = "counts of cases stay far below 2^53"
        )]
        let number = |row: &Vec<u64>| row.iter().map(|cell| *cell as f64).collect();
        let numbers: Vec<Vec<f64>> = table.iter().map(number).collect();
        // Tests speak about every row that holds anybody.
        let smallest = rows
            .iter()
            .filter(|row| row.cells.iter().any(|cell| cell.patients > 0))
            .flat_map(|row| row.cells.iter().map(|cell| cell.patients))
            .min()
            .unwrap_or(0);
        let found = table::association(&numbers);
        let valid = |test: Option<Test>, why: Undefined| match (clustered, test) {
            (true, _) => Err(Undefined::Clustered),
            (false, test) => test.ok_or(why),
        };
        let yates = match found.chi2 {
            Some(_) => valid(found.yates, Undefined::NotTwoByTwo),
            None => valid(None, Undefined::OneClass),
        };
        Self {
            table,
            numbers,
            basis: Basis::of(smallest),
            clustered,
            chi2: valid(found.chi2, Undefined::OneClass),
            yates,
            g2: valid(found.g2, Undefined::OneClass),
            cramers_v: found.cramers_v.ok_or(Undefined::OneClass),
        }
    }

    fn real(&self, value: Result<f64, Undefined>, form: Form) -> ExactReal {
        ExactReal::new(value, form, self.basis)
    }

    /// A part of a statistic over sites: nothing where patients repeat.
    fn part(&self, value: f64) -> ExactReal {
        let value = if self.clustered {
            Err(Undefined::Clustered)
        } else {
            Ok(value)
        };
        self.real(value, Form::FREE)
    }

    fn fisher(&self) -> Result<f64, Undefined> {
        if self.clustered {
            return Err(Undefined::Clustered);
        }
        let people = |row: &&Vec<u64>| row.iter().any(|cell| *cell > 0);
        let used: Vec<&Vec<u64>> = self.table.iter().filter(people).collect();
        let found = match used.as_slice() {
            [top, bottom] if top.len() == 2 => {
                table::fisher_exact([[top[0], top[1]], [bottom[0], bottom[1]]], LEVEL)
                    .map(|found| found.two_sided)
            }
            _ => fisher_exact_table(&self.table),
        };
        found.map_err(|fault| match fault {
            ConditionalFault::TooLarge => Undefined::TooLarge,
            ConditionalFault::NoFreedom | ConditionalFault::Level => Undefined::OneClass,
        })
    }

    fn stratum(&self) -> Stratum<Exact> {
        GeneralAssociation::of(&self.numbers).map_or_else(
            |_| Stratum {
                difference: Vec::new(),
                covariance: Vec::new(),
            },
            |parts| Stratum {
                difference: parts.deviation.iter().map(|one| self.part(*one)).collect(),
                covariance: parts.covariance.iter().map(|one| self.part(*one)).collect(),
            },
        )
    }

    fn trend(&self, ordered: usize) -> Option<Trend<Exact>> {
        let rows = self.numbers.get(..ordered).filter(|rows| rows.len() > 1)?;
        let scores: Vec<f64> = scores(ordered);
        let response: Vec<[f64; 2]> = rows
            .iter()
            .map(|row| {
                [
                    row.iter().skip(1).sum(),
                    row.first().copied().unwrap_or(0.0),
                ]
            })
            .collect();
        let test = match cochran_armitage(&response, &scores) {
            _ if self.clustered => Err(Undefined::Clustered),
            found => found.ok_or(Undefined::OneClass),
        };
        let table: Vec<Vec<f64>> = response.iter().map(|pair| pair.to_vec()).collect();
        let parts = LinearAssociation::of(&table, &scores, &[1.0, 0.0]).unwrap_or_default();
        Some(Trend {
            chi_squared: self.real(test.map(|test| test.statistic), Form::STATISTIC),
            p_value: self.real(test.map(|test| test.p), Form::P_VALUE),
            deviation: self.part(parts.observed - parts.expected),
            variance: self.part(parts.variance),
        })
    }

    fn two_levels(&self) -> Option<TwoLevels<Exact>> {
        let [first, second, _] = self.table.as_slice() else {
            return None;
        };
        let ([a, b], [c, d]) = (first.as_slice(), second.as_slice()) else {
            return None;
        };
        let parts = MantelHaenszel::of([[*a, *b], [*c, *d]]);
        Some(TwoLevels {
            deviation: self.part(parts.observed - parts.expected),
            variance: self.part(parts.variance),
            r: self.part(parts.r),
            s: self.part(parts.s),
            p_r: self.part(parts.p_r),
            p_s_q_r: self.part(parts.p_s_q_r),
            q_s: self.part(parts.q_s),
        })
    }
}

/// Scores of ordered levels: 1, 2, ...
fn scores(levels: usize) -> Vec<f64> {
    (1..=levels)
        .map(|level| f64::from(u32::try_from(level).unwrap_or(u32::MAX)))
        .collect()
}
