//! Case mix: how widely the model's predictions spread at a site, and the c-statistic that they
//! would give if every prediction were the truth. A site whose patients resemble each other
//! cannot reach the AUC of a mixed one, whatever the model is worth.
//!
//! * Standard deviation of the linear predictor `logit p`, `p` clipped as the protocol says
//!   (Debray et al. 2015, doi:10.1016/j.jclinepi.2014.06.018).
//! * Model-based c-statistic (van Klaveren et al. 2016, doi:10.1002/sim.6997): over pairs of
//!   cases `sum p_i (1 - p_j) [p_i > p_j, ties one half] / sum p_i (1 - p_j)`, each unordered
//!   pair in both orders. It needs no outcome; predictions are not clipped.
//!
//! Merge class T: described per site; a c-statistic may be pooled on the logit scale. Variances
//! by the influence of each case, summed by patient; for the c-statistic that of its Hoeffding
//! projection. Cases sampled by outcome are weighted (see `sampling`).
//!
//! A constant prediction has standard deviation 0 and c-statistic one half, without an interval;
//! predictions of 0 or 1 only have the c-statistic 1 (boundary).
//!
//! From: `cases`.
//! To: report page "case mix".

use super::analysis_set::{AnalysisSet, clustered_variance, dominance};
use super::auc::Areas;
use super::estimate::{Estimate, EstimateKey, Found};
use super::metric::Metric;
use super::sampling::Weights;
use super::stage::{Basis, Exact, Undefined};
use crate::numeric::dominance::Dominance;
use crate::numeric::rank::Ascending;
use crate::numeric::sum::{Neumaier, sum, sum_iter};

/// Spread of the linear predictor and model-based c-statistic of the model with index `model`.
pub(crate) fn measure(
    set: &AnalysisSet<'_>,
    areas: &Areas,
    model: usize,
) -> Option<[Estimate<Exact>; 2]> {
    let id = set.protocol.model.get(model)?.id.clone();
    let (score, order) = (set.score.get(model)?, set.ascending(model)?);
    let everybody = Basis::of(set.patients(|_| true)).and(areas.beside(model));
    let (spread, share) = match Weights::of(set) {
        Ok(weights) => (
            spread(set, model, weights),
            concordance(set, order, score, weights),
        ),
        Err(reason) => (
            (Found::undefined(reason), Dominance::NONE),
            (Found::undefined(reason), Dominance::NONE),
        ),
    };
    let key = |metric| EstimateKey::whole(metric, id.clone(), set.endpoint.clone());
    let estimate = |metric, (found, carried): (Found, Dominance)| {
        Estimate::whole(set, key(metric), found, everybody.dominated(carried))
    };
    Some([
        estimate(Metric::PredictorSd, spread),
        estimate(Metric::ModelConcordance, share),
    ])
}

/// Largest shares of patients in the variance.
fn carried(set: &AnalysisSet<'_>, influence: &[f64]) -> Dominance {
    dominance(set.patient.iter().copied().zip(influence.iter().copied()))
}

fn spread(set: &AnalysisSet<'_>, model: usize, weights: Weights) -> (Found, Dominance) {
    let scale = Metric::PredictorSd.entry().scale;
    let Some(logits) = set.logits(model).filter(|_| set.len() >= 2) else {
        return (Found::undefined(Undefined::NoCases), Dominance::WHOLE);
    };
    let predictor = &logits.lp;
    let total = sum_iter((0..set.len()).map(|row| weights.of_row(set, row)));
    let mean = weighted(set, weights, |row| predictor[row]) / total;
    let square = |row: usize| (predictor[row] - mean) * (predictor[row] - mean);
    // The sample variance (divisor n - 1) where nothing is weighted.
    #[allow(
        clippy::cast_precision_loss,
        reason = "counts of cases stay far below 2^53"
    )]
    let n = set.len() as f64;
    let variance = weighted(set, weights, square) / total * n / (n - 1.0);
    let sd = variance.sqrt();
    if sd <= 0.0 {
        return (
            Found::bare(Ok(0.0), Undefined::NoVariance),
            Dominance::WHOLE,
        );
    }
    // d log sd = d var / (2 var).
    let influence: Vec<f64> = (0..set.len())
        .map(|row| weights.of_row(set, row) * (square(row) - variance) / (2.0 * variance * total))
        .collect();
    let term = |row: usize| weights.of_row(set, row) * square(row);
    let share = dominance((0..set.len()).map(|row| (set.patient[row], term(row))));
    let found = clustered_variance(&influence, &set.patient)
        .filter(|variance| *variance > 0.0)
        .ok_or(Undefined::NoVariance);
    (Found::normal(scale, Ok(sd), found), share)
}

fn weighted(set: &AnalysisSet<'_>, weights: Weights, value: impl Fn(usize) -> f64) -> f64 {
    sum_iter((0..set.len()).map(|row| weights.of_row(set, row) * value(row)))
}

/// For each case the weighted sum over the others of what its pair adds to the numerator and to
/// the denominator.
struct Pairs {
    numerator: Vec<f64>,
    denominator: Vec<f64>,
}

/// In one pass over the cases by ascending prediction. With itself a case forms no pair.
fn pairs(order: &Ascending, score: &[f64], weight: &[f64]) -> Pairs {
    let (events, others) = (
        |row: usize| weight[row] * score[row],
        |row: usize| weight[row] * (1.0 - score[row]),
    );
    let all_events = sum_iter((0..score.len()).map(events));
    let all_others = sum_iter((0..score.len()).map(others));
    let mut numerator = vec![0.0; score.len()];
    let mut denominator = vec![0.0; score.len()];
    let (mut below_events, mut below_others) = (Neumaier::default(), Neumaier::default());
    for run in order.runs() {
        let run = run.iter().map(|row| *row as usize);
        let tied_events = sum_iter(run.clone().map(events));
        let tied_others = sum_iter(run.clone().map(others));
        for row in run {
            let p = score[row];
            let (own_event, own_other) = (events(row), others(row));
            let above = all_events - below_events.total() - tied_events;
            numerator[row] = p * (below_others.total() + 0.5 * (tied_others - own_other))
                + (1.0 - p) * (above + 0.5 * (tied_events - own_event));
            denominator[row] = p * (all_others - own_other) + (1.0 - p) * (all_events - own_event);
        }
        below_events.add(tied_events);
        below_others.add(tied_others);
    }
    Pairs {
        numerator,
        denominator,
    }
}

fn concordance(
    set: &AnalysisSet<'_>,
    order: &Ascending,
    score: &[f64],
    weights: Weights,
) -> (Found, Dominance) {
    let weight: Vec<f64> = (0..set.len()).map(|row| weights.of_row(set, row)).collect();
    let Pairs {
        mut numerator,
        mut denominator,
    } = pairs(order, score, &weight);
    for values in [&mut numerator, &mut denominator] {
        let each = values.iter_mut().zip(&weight);
        each.for_each(|(value, weight)| *value *= weight);
    }
    drop(weight);
    // Each pair stands in the sums of both its cases.
    let total = sum(&denominator) / 2.0;
    if total <= 0.0 {
        return (Found::undefined(Undefined::NoCases), Dominance::WHOLE);
    }
    let value = (sum(&numerator) / 2.0 / total).clamp(0.0, 1.0);
    let mut influence = numerator;
    for (up, down) in influence.iter_mut().zip(&denominator) {
        *up = (*up - value * down) / total;
    }
    let share = carried(set, &denominator);
    let slope = value * (1.0 - value);
    if slope <= 0.0 {
        return (Found::bare(Ok(value), Undefined::Boundary), share);
    }
    let variance = clustered_variance(&influence, &set.patient)
        .map(|variance| variance / (slope * slope))
        .filter(|variance| *variance > 1e-18)
        .ok_or(Undefined::NoVariance);
    let scale = Metric::ModelConcordance.entry().scale;
    (Found::normal(scale, Ok(value), variance), share)
}

#[cfg(test)]
mod tests {
    use super::*;

    /// Every ordered pair of different cases.
    fn brute(score: &[f64], weight: &[f64]) -> (f64, f64) {
        let (mut up, mut down) = (0.0, 0.0);
        for i in 0..score.len() {
            for j in (0..score.len()).filter(|j| *j != i) {
                let mass = weight[i] * weight[j] * score[i] * (1.0 - score[j]);
                let order = if score[i] > score[j] {
                    1.0
                } else if score[i] == score[j] {
                    0.5
                } else {
                    0.0
                };
                up += mass * order;
                down += mass;
            }
        }
        (up, down)
    }

    #[test]
    fn pairs_equal_their_definition_with_ties_and_weights() {
        let mut state = 7_u64;
        let mut draw = || {
            state = state
                .wrapping_mul(6_364_136_223_846_793_005)
                .wrapping_add(1);
            f64::from((state >> 33) as u32 % 12) / 11.0
        };
        for n in 2..60 {
            let score: Vec<f64> = (0..n).map(|_| draw()).collect();
            let weight: Vec<f64> = (0..n).map(|_| 0.5 + draw()).collect();
            let found = pairs(&Ascending::of(&score), &score, &weight);
            let carry =
                |values: &[f64]| sum_iter(values.iter().zip(&weight).map(|(v, w)| v * w)) / 2.0;
            let (up, down) = brute(&score, &weight);
            assert!((carry(&found.numerator) - up).abs() <= 1e-12 * up.max(1.0));
            assert!((carry(&found.denominator) - down).abs() <= 1e-12 * down.max(1.0));
        }
    }

    #[test]
    fn calibrated_predictions_have_the_auc_they_imply() {
        // p = 0.2 and 0.6 in equal numbers: pairs across give (.6 * .8) / (.6 * .8 + .2 * .4).
        let score: Vec<f64> = (0..4000)
            .map(|i| if i % 2 == 0 { 0.2 } else { 0.6 })
            .collect();
        let found = pairs(&Ascending::of(&score), &score, &vec![1.0; score.len()]);
        let got = sum(&found.numerator) / sum(&found.denominator);
        let expected = (0.48 + 0.5 * 0.16 + 0.5 * 0.24) / (0.4 * 0.6 * 4.0);
        assert!((got - expected).abs() < 1e-3, "{got} {expected}");
    }
}
