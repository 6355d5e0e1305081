//! Calibration in the large as a ratio: observed events over the sum of predictions.
//!
//! Variance of log(O:E) after metamisc: (1 - O/n) / O (Debray et al. 2017, doi
//! 10.1136/bmj.i6460). Predictions are not clipped (decision C11). Merge class T: pooled by
//! random effects on the log scale.
//!
//! From: `cases`.
//! To: report page "calibration".

use schemars::JsonSchema;
use serde::{Deserialize, Serialize};

use super::analysis_set::{AnalysisSet, clustered_variance, dominance};
use super::auc::Areas;
use super::level_totals::LevelTotals;
use super::sampling::Weights;
use super::stage::{Basis, Exact, ExactCount, ExactReal, Form, Stage, Undefined};
use crate::numeric::dominance::Dominance;
use crate::numeric::sum::{count, sum_iter};
use crate::study::{EndpointId, ModelId};

/// O:E of one model at one site.
#[derive_where::derive_where(Clone, Debug, PartialEq; S::Count, S::Real)]
#[derive(Serialize, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields)]
#[serde(bound(
    serialize = "S::Count: Serialize, S::Real: Serialize",
    deserialize = "S::Count: Deserialize<'de>, S::Real: Deserialize<'de>"
))]
#[schemars(bound = "S::Count: JsonSchema, S::Real: JsonSchema")]
pub struct ObservedExpected<S: Stage> {
    /// The model.
    pub model: ModelId,
    /// The endpoint.
    pub endpoint: EndpointId,
    /// Cases.
    pub n: S::Count,
    /// Observed events.
    pub observed: S::Count,
    /// Mean prediction, in [0, 1]; expected events are `n` times this.
    pub mean_prediction: S::Real,
    /// Observed over expected.
    pub ratio: S::Real,
    /// Variance of the logarithm of the ratio.
    pub log_variance: S::Real,
}

/// O:E of the cases with indices `rows`, and the variance of its logarithm.
pub(crate) struct Ratio {
    pub(crate) mean_prediction: Result<f64, Undefined>,
    pub(crate) ratio: Result<f64, Undefined>,
    pub(crate) log_variance: Result<f64, Undefined>,
    pub(crate) basis: Basis,
}

/// The sum of the predictions of some cases, weighted by the sampling design, and the largest
/// shares of patients in it.
#[derive(Clone, Copy)]
pub(crate) struct Expected {
    sum: f64,
    share: Dominance,
}

impl Expected {
    pub(crate) fn of(
        set: &AnalysisSet<'_>,
        score: &[f64],
        rows: impl Iterator<Item = usize> + Clone,
    ) -> Self {
        let weights = Weights::of(set).unwrap_or(Weights::PLAIN);
        let weighted = |row: usize| weights.of_row(set, row) * score[row];
        Self {
            sum: sum_iter(rows.clone().map(weighted)),
            share: dominance(rows.map(|row| (set.patient[row], weighted(row)))),
        }
    }
}

/// What is expected at each level of an axis and of the others, where every patient has one case.
pub(crate) struct ExpectedByLevel(LevelTotals);

impl ExpectedByLevel {
    /// By `level`, one per case; the levels are those below `levels`.
    pub(crate) fn of(set: &AnalysisSet<'_>, score: &[f64], level: &[u16], levels: usize) -> Self {
        let weights = Weights::of(set).unwrap_or(Weights::PLAIN);
        let weighted = |row: usize| weights.of_row(set, row) * score[row];
        Self(LevelTotals::without_spread(level, levels, weighted))
    }

    /// Of the level, or of what is not of it.
    pub(crate) fn of_level(&self, level: usize, inside: bool) -> Expected {
        let total = self.0.of_level(level, inside);
        Expected {
            sum: total.sum(),
            share: total.dominance(),
        }
    }
}

/// O:E of the cases of `set` for which `holds`.
pub(crate) fn ratio_of(
    set: &AnalysisSet<'_>,
    score: &[f64],
    holds: impl Fn(usize) -> bool + Copy,
) -> Ratio {
    let observed = set.count(|row| holds(row) && set.outcome[row]);
    let others = set.count(|row| holds(row) && !set.outcome[row]);
    let expected = Expected::of(set, score, (0..set.len()).filter(|row| holds(*row)));
    ratio_from(set, expected, [observed, others], holds)
}

/// O:E from the predictions of the cases for which `holds` and their counts of events and of
/// non-events; `holds` is asked only where patients repeat.
pub(crate) fn ratio_from(
    set: &AnalysisSet<'_>,
    expected: Expected,
    [observed, others]: [ExactCount; 2],
    holds: impl Fn(usize) -> bool + Copy,
) -> Ratio {
    let basis = Basis::of(observed.patients.min(others.patients)).dominated(expected.share);
    let weights = match Weights::of(set) {
        Ok(weights) => weights,
        Err(reason) => {
            return Ratio {
                mean_prediction: Err(reason),
                ratio: Err(reason),
                log_variance: Err(reason),
                basis,
            };
        }
    };
    let events = weights.event * count(observed.rows);
    let n = events + weights.non_event * count(others.rows);
    let expected = expected.sum;
    let rows = (0..set.len()).filter(|row| holds(*row));
    let mean_prediction = if n > 0.0 {
        Ok(expected / n)
    } else {
        Err(Undefined::NoCases)
    };
    let ratio = if expected > 0.0 {
        Ok(events / expected)
    } else {
        Err(Undefined::NoCases)
    };
    Ratio {
        mean_prediction,
        ratio,
        log_variance: log_variance(set, weights, rows, events, n),
        basis,
    }
}

/// `(1 - O/n) / O`; with repeated patients or weights the same quantity summed by patient. Undefined at
/// O = 0 (infinite logarithm) and O = n (zero variance): both are reported as such.
fn log_variance(
    set: &AnalysisSet<'_>,
    weights: Weights,
    rows: impl Iterator<Item = usize> + Clone,
    events: f64,
    n: f64,
) -> Result<f64, Undefined> {
    if events <= 0.0 {
        return Err(Undefined::Boundary);
    }
    if events >= n {
        return Err(Undefined::NoVariance);
    }
    if !set.clustered() && weights.is_plain() {
        return Ok((1.0 - events / n) / events);
    }
    let mean = events / n;
    let influence: Vec<f64> = rows
        .clone()
        .map(|row| {
            let event = f64::from(u8::from(set.outcome[row]));
            weights.of_row(set, row) * (event - mean) / events
        })
        .collect();
    let owners: Vec<u32> = rows.map(|row| set.patient[row]).collect();
    clustered_variance(&influence, &owners).ok_or(Undefined::NoVariance)
}

impl ObservedExpected<Exact> {
    /// O:E of the model with index `model`.
    pub(crate) fn measure(set: &AnalysisSet<'_>, areas: &Areas, model: usize) -> Option<Self> {
        let id = set.protocol.model.get(model)?.id.clone();
        let found = ratio_of(set, set.score.get(model)?, |_| true);
        let basis = found.basis.and(areas.beside(model));
        Some(Self {
            model: id,
            endpoint: set.endpoint.clone(),
            n: set.count(|_| true),
            observed: set.count(|row| set.outcome[row]),
            mean_prediction: ExactReal::new(found.mean_prediction, Form::AREA, basis),
            ratio: ExactReal::new(found.ratio, Form::RATIO, basis),
            log_variance: ExactReal::new(found.log_variance, Form::SPREAD, basis),
        })
    }
}
