//! Characteristics of the analysed cases: counts by level or band, mean and standard deviation
//! of numbers (TRIPOD+AI 20b).
//!
//! Merge class S for counts, M for moments (Chan, Golub, LeVeque 1979).
//!
//! From: `cases`.
//! To: report page "sites and data".

use schemars::JsonSchema;
use serde::{Deserialize, Serialize};

use super::analysis_set::{AnalysisSet, dominance};
use super::cases::{Cases, Column};
use super::stage::{Basis, Exact, ExactCount, ExactReal, Form, Stage, Undefined};
use crate::numeric::sum::Moments;
use crate::numeric::table::goodness_of_fit;
use crate::study::{Axis, AxisId, EndpointId, FieldKind, FieldName};

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
    /// The declared target population beside it.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub target: Option<Representation<S>>,
}

/// Whether the recorded levels have the shares of the declared target population (Pearson 1900,
/// goodness of fit); one patient with several cases counts several times, so that there is no
/// test where patients repeat.
#[derive_where::derive_where(Clone, Debug, PartialEq; S::Count, S::Real)]
#[derive(Serialize, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields)]
#[serde(bound(
    serialize = "S::Count: Serialize, S::Real: Serialize",
    deserialize = "S::Count: Deserialize<'de>, S::Real: Deserialize<'de>"
))]
#[schemars(bound = "S::Count: JsonSchema, S::Real: JsonSchema")]
pub struct Representation<S: Stage> {
    /// The protocol's share of each recorded level, in the order of the levels.
    pub shares: Vec<f64>,
    /// Chi-squared against these shares.
    pub chi_squared: S::Real,
    /// Its degrees of freedom: recorded levels less one.
    pub degrees_of_freedom: u32,
    /// Its p value.
    pub p_value: S::Real,
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

impl Characteristics<Exact> {
    /// The characteristics of one analysis set.
    pub fn measure(set: &AnalysisSet<'_>, cases: &Cases) -> Self {
        let protocol = set.protocol;
        let mut axes = Vec::new();
        for (index, axis) in protocol.subgroup.iter().enumerate() {
            let Some(field) = protocol.find_field(&axis.field) else {
                continue;
            };
            let levels = axis.levels(field);
            let near = set.nearest(index).iter().copied();
            let counts = set.counts(levels.len(), |row| usize::from(set.level[index][row]));
            axes.push(AxisCounts {
                target: representation(axis, &levels, &counts, set.clustered()),
                axis: axis.id.clone(),
                levels: levels
                    .into_iter()
                    .zip(counts.into_iter().zip(near))
                    .map(|(level, (n, near))| LevelCount {
                        level,
                        n: n.beside(near),
                    })
                    .collect(),
            });
        }
        let moments = protocol
            .field
            .iter()
            .zip(&cases.column)
            .filter(|(field, _)| {
                matches!(field.kind, FieldKind::Integer | FieldKind::Number)
                    && field.range.is_some()
            })
            .filter_map(|(field, column)| field_moments(set, field.name.clone(), column))
            .collect();
        Self {
            endpoint: set.endpoint.clone(),
            n: set.count(|_| true),
            axes,
            moments,
        }
    }
}

fn representation(
    axis: &Axis,
    levels: &[String],
    counts: &[ExactCount],
    clustered: bool,
) -> Option<Representation<Exact>> {
    let share = |level: &String| axis.target.get(level).copied();
    let shares: Vec<f64> = levels.iter().filter_map(share).collect();
    if shares.is_empty() {
        return None;
    }
    let named = || {
        levels
            .iter()
            .zip(counts)
            .filter(|(level, _)| share(level).is_some())
    };
    #[allow(
        clippy::cast_precision_loss,
        reason = "counts of cases stay far below 2^53"
    )]
    let observed: Vec<f64> = named().map(|(_, count)| count.rows as f64).collect();
    let basis = Basis::of(named().map(|(_, count)| count.patients).min().unwrap_or(0));
    let test = match goodness_of_fit(&observed, &shares) {
        _ if clustered => Err(Undefined::Clustered),
        found => found.ok_or(Undefined::NoCases),
    };
    Some(Representation {
        shares,
        chi_squared: ExactReal::new(test.map(|test| test.statistic), Form::STATISTIC, basis),
        degrees_of_freedom: test.map_or(0, |test| test.df),
        p_value: ExactReal::new(test.map(|test| test.p), Form::P_VALUE, basis),
    })
}

fn field_moments(
    set: &AnalysisSet<'_>,
    field: FieldName,
    column: &Column,
) -> Option<FieldMoments<Exact>> {
    let Column::Number(column) = column else {
        return None;
    };
    let at = |row: usize| column[set.row[row]];
    let values: Vec<f64> = (0..set.len()).filter_map(at).collect();
    let n = set.count(|row| at(row).is_some());
    let share = dominance((0..set.len()).filter_map(|row| Some((set.patient[row], at(row)?))));
    let basis = Basis::of(n.patients).dominated(share);
    let moments = Moments::of(&values);
    let mean = moments
        .map(|moments| moments.mean)
        .ok_or(Undefined::NoCases);
    let sd = moments
        .and_then(Moments::standard_deviation)
        .filter(|sd| *sd > 0.0)
        .ok_or(Undefined::NoVariance);
    Some(FieldMoments {
        field,
        n,
        mean: ExactReal::new(mean, Form::FREE, basis),
        sd: ExactReal::new(sd, Form::SPREAD, basis),
    })
}
