//! Both models' decisions crossed, within events and within non-events, each model at its own
//! threshold: what McNemar's tests and the paired differences of sensitivity and specificity
//! are made of.
//!
//! Within events the discordant pairs say which model finds more, within non-events which one
//! alarms less; together they would let one hide the other, so no overall test is made at the
//! site. Tests: McNemar (1947, doi 10.1007/BF02296995), mid-p after Fagerland et al. (2013, doi
//! 10.1186/1471-2288-13-91). Differences: the mean of the paired change, normal interval.
//!
//! Merge class S: the eight counts add, and with them the stratified test over sites (under
//! equality each discordant pair falls to either side by a fair coin, whatever the site). The
//! differences are class T. Without a discordant pair there is no test; where patients repeat
//! the pairs are no independent coins, and no test is made, while the differences keep a
//! variance by patient.
//!
//! From: `cases`.
//! To: report page "comparison".

use schemars::JsonSchema;
use serde::{Deserialize, Serialize};

use super::analysis_set::{AnalysisSet, clustered_variance};
use super::estimate::{Estimate, EstimateKey, Found};
use super::metric::{Metric, Scale};
use super::net_benefit::{Whole, crossed, largest_shares};
use super::overlap::nearest_earlier_part;
use super::stage::{Basis, Exact, ExactCount, ExactReal, Form, Stage, Undefined};
use crate::numeric::dominance::Dominance;
use crate::numeric::mcnemar::Discordant;
use crate::numeric::net_benefit::{Cell, Prevalence, mean};
use crate::study::{EndpointId, ModelId};

/// Crossed decisions of one pair of models at one pair of thresholds.
#[derive_where::derive_where(Clone, Debug, PartialEq; S::Count, S::Real)]
#[derive(Serialize, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields)]
#[serde(bound(
    serialize = "S::Count: Serialize, S::Real: Serialize",
    deserialize = "S::Count: Deserialize<'de>, S::Real: Deserialize<'de>"
))]
#[schemars(bound = "S::Count: JsonSchema, S::Real: JsonSchema")]
pub struct Discordance<S: Stage> {
    /// The model under validation.
    pub model: ModelId,
    /// What it is compared with.
    pub comparator: ModelId,
    /// The endpoint.
    pub endpoint: EndpointId,
    /// The model's threshold.
    pub threshold: f64,
    /// The comparator's threshold.
    pub comparator_threshold: f64,
    /// Cases with the event.
    pub events: Crossed<S>,
    /// Cases without it.
    pub non_events: Crossed<S>,
}

/// Cases of one outcome class by both decisions.
#[derive_where::derive_where(Clone, Debug, PartialEq; S::Count, S::Real)]
#[derive(Serialize, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields)]
#[serde(bound(
    serialize = "S::Count: Serialize, S::Real: Serialize",
    deserialize = "S::Count: Deserialize<'de>, S::Real: Deserialize<'de>"
))]
#[schemars(bound = "S::Count: JsonSchema, S::Real: JsonSchema")]
pub struct Crossed<S: Stage> {
    /// Both call them positive.
    pub both: S::Count,
    /// Only the model does.
    pub model_only: S::Count,
    /// Only the comparator does.
    pub comparator_only: S::Count,
    /// Neither does.
    pub neither: S::Count,
    /// McNemar's chi-squared on one degree of freedom, without correction.
    pub chi_squared: S::Real,
    /// McNemar's two-sided mid-p value.
    pub mid_p: S::Real,
}

impl<S: Stage> Crossed<S> {
    /// The four counts: both, only the model, only the comparator, neither.
    pub fn counts(&self) -> [&S::Count; 4] {
        [
            &self.both,
            &self.model_only,
            &self.comparator_only,
            &self.neither,
        ]
    }
}

impl<S: Stage> Discordance<S> {
    /// The eight counts, events first.
    pub fn counts(&self) -> [&S::Count; 8] {
        let ([a, b, c, d], [e, f, g, h]) = (self.events.counts(), self.non_events.counts());
        [a, b, c, d, e, f, g, h]
    }
}

impl Discordance<Exact> {
    /// The tables of the models with indices `model` and `comparator` at every pair of their
    /// thresholds, each with the differences of sensitivity and specificity.
    pub(crate) fn measure(
        set: &AnalysisSet<'_>,
        model: usize,
        comparator: usize,
    ) -> Vec<(Self, [Estimate<Exact>; 2])> {
        let models = &set.protocol.model;
        let (Some(one), Some(other)) = (models.get(model), models.get(comparator)) else {
            return Vec::new();
        };
        let pairs = set
            .protocol
            .paired_thresholds(&one.id, &other.id, &set.endpoint);
        let whole = Whole::of(set);
        pairs
            .into_iter()
            .filter_map(|thresholds| at(set, &whole, [model, comparator], thresholds))
            .collect()
    }
}

fn at(
    set: &AnalysisSet<'_>,
    whole: &Whole,
    [model, comparator]: [usize; 2],
    (threshold, other): (f64, f64),
) -> Option<(Discordance<Exact>, [Estimate<Exact>; 2])> {
    let (first, second) = (set.score.get(model)?, set.score.get(comparator)?);
    let place = |row: usize| crossed(set, row, first[row] >= threshold, second[row] >= other);
    let mut events = set.counts(8, place);
    let smallest = events.iter().map(|count| count.patients).min().unwrap_or(0);
    let non_events = events.split_off(4);
    let ids = (
        set.protocol.model.get(model)?.id.clone(),
        set.protocol.model.get(comparator)?.id.clone(),
    );
    let estimate = |metric, event: bool, counts: &[ExactCount]| {
        let (found, share) = difference(set, event, counts, place);
        let key = EstimateKey::whole(metric, ids.0.clone(), set.endpoint.clone());
        let key = key.at(threshold).against(ids.1.clone());
        whole.estimate(key, found, Basis::of(smallest).dominated(share))
    };
    let estimates = [
        estimate(Metric::SensitivityDifference, true, &events),
        estimate(Metric::SpecificityDifference, false, &non_events),
    ];
    let near = |event: bool| {
        let class = |row: usize| set.outcome[row] == event;
        let positive = |row: usize| (first[row] >= threshold, second[row] >= other);
        let of = |wanted| nearest_earlier_part(set, class, |row| positive(row) == wanted);
        let each = [(true, true), (true, false), (false, true), (false, false)].map(of);
        each.into_iter().min().unwrap_or(u64::MAX)
    };
    let table = Discordance {
        endpoint: set.endpoint.clone(),
        threshold,
        comparator_threshold: other,
        events: class(set, events, true, (smallest, near(true)))?,
        non_events: class(set, non_events, false, (smallest, near(false)))?,
        model: ids.0,
        comparator: ids.1,
    };
    Some((table, estimates))
}

/// The class with its tests; among events a positive decision is right, else a negative one.
fn class(
    set: &AnalysisSet<'_>,
    counts: Vec<ExactCount>,
    event: bool,
    (smallest, near): (u64, u64),
) -> Option<Crossed<Exact>> {
    let counts = <[ExactCount; 4]>::try_from(counts).ok()?;
    let [both, model_only, comparator_only, neither] = counts.map(|one| one.beside(near));
    let (up, down) = (model_only.rows, comparator_only.rows);
    let (first, second) = if event { (up, down) } else { (down, up) };
    let pairs = Discordant { first, second };
    let basis = Basis::of(smallest);
    let test = |value: Option<f64>, form| {
        let value = value.ok_or(Undefined::NoVariance);
        let value = if set.clustered() {
            Err(Undefined::Clustered)
        } else {
            value
        };
        ExactReal::new(value, form, basis)
    };
    Some(Crossed {
        chi_squared: test(pairs.chi2().map(|found| found.statistic), Form::STATISTIC),
        mid_p: test(pairs.mid_p(), Form::P_VALUE),
        both,
        model_only,
        comparator_only,
        neither,
    })
}

/// Share of the class that the model calls rightly minus that of the comparator, and the
/// largest share of one patient in what changes.
fn difference(
    set: &AnalysisSet<'_>,
    event: bool,
    counts: &[ExactCount],
    place: impl Fn(usize) -> usize,
) -> (Found, Dominance) {
    let right = if event { 1.0 } else { -1.0 };
    let (offset, change) = (if event { 0 } else { 4 }, [0.0, right, -right, 0.0]);
    let cells: Vec<Cell> = counts
        .iter()
        .zip(change)
        .map(|(count, utility)| Cell {
            event,
            count: count.rows,
            utility,
        })
        .collect();
    let of = |row: usize| place(row).checked_sub(offset).unwrap_or(usize::MAX);
    let share = largest_shares(set, &cells, of);
    let Some(answer) = mean(&cells, Prevalence::Observed) else {
        return (Found::undefined(Undefined::NoCases), share);
    };
    let variance = if set.clustered() {
        let rows: Vec<usize> = (0..set.len())
            .filter(|row| set.outcome[*row] == event)
            .collect();
        let influence = |row: &usize| answer.influence.get(of(*row)).copied().unwrap_or(0.0);
        let values: Vec<f64> = rows.iter().map(influence).collect();
        let patients: Vec<u32> = rows.iter().map(|row| set.patient[*row]).collect();
        clustered_variance(&values, &patients)
    } else {
        Some(answer.variance(&cells))
    };
    let variance = variance
        .filter(|variance| *variance > 0.0)
        .ok_or(Undefined::NoVariance);
    let found = Found::normal(Scale::Identity, Ok(answer.value), variance);
    (found, share)
}
