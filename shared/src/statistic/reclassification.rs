//! Net reclassification improvement and integrated discrimination improvement of the model over
//! a comparator, on request of the protocol only.
//!
//! All three are the mean of a change among events minus its mean among non-events: of the risk
//! (IDI), of its sign (category-free NRI), of the category that the model's declared thresholds
//! cut (categorical NRI). Pencina et al. (2008, doi 10.1002/sim.2929; 2011, doi
//! 10.1002/sim.4085). They can rise by miscalibration and by noise (Hilden and Gerds 2014, doi
//! 10.1002/sim.5804); every table that shows them says so, and they are never pooled.
//!
//! Merge class T, described per site. Interval: normal; the classes are independent samples, by
//! patient where patients repeat. One class: undefined. Nobody moves: no interval.
//!
//! From: `cases`.
//! To: report page "comparison".

use super::analysis_set::{AnalysisSet, clustered_variance, dominance};
use super::auc::Areas;
use super::estimate::{Estimate, EstimateKey, Found};
use super::histogram::bin_of;
use super::metric::{Metric, Scale};
use super::net_benefit::Whole;
use super::stage::{Basis, Exact, Undefined};
use crate::numeric::reclassification::{Improvement, Moves, influence};
use crate::numeric::sum::Moments;

/// NRI, categorical NRI and IDI of the model with index `model` over `comparator`.
pub(crate) fn measure(
    set: &AnalysisSet<'_>,
    areas: &Areas,
    model: usize,
    comparator: usize,
) -> Vec<Estimate<Exact>> {
    let declared = |place: usize| Some((set.protocol.model.get(place)?, set.score.get(place)?));
    let (Some((one, new)), Some((other, old))) = (declared(model), declared(comparator)) else {
        return Vec::new();
    };
    let whole = Whole::of(set);
    let thresholds = set.protocol.thresholds(&one.id, &set.endpoint);
    let category = |score: f64| bin_of(&thresholds, score);
    let rows = || 0..set.len();
    let risk: Vec<f64> = rows().map(|row| new[row] - old[row]).collect();
    let sign = |up: bool, down: bool| f64::from(u8::from(up)) - f64::from(u8::from(down));
    let signs: Vec<f64> = risk.iter().map(|d| sign(*d > 0.0, *d < 0.0)).collect();
    let steps: Vec<f64> = rows()
        .map(|row| {
            let (to, from) = (category(new[row]), category(old[row]));
            sign(to > from, to < from)
        })
        .collect();
    let alike = areas.beside(comparator);
    let mut found = Vec::new();
    let mut push = |metric, change: &[f64]| {
        let key = EstimateKey::whole(metric, one.id.clone(), set.endpoint.clone());
        let basis = people(set, change).and(alike);
        let result = improvement(set, metric, change);
        found.push(whole.estimate(key.against(other.id.clone()), result, basis));
    };
    push(Metric::Nri, &signs);
    if !thresholds.is_empty() {
        push(Metric::NriCategorical, &steps);
    }
    push(Metric::Idi, &risk);
    found
}

/// The smallest group that moves one way within a class, and the largest share of one patient.
fn people(set: &AnalysisSet<'_>, change: &[f64]) -> Basis {
    let mut basis = Basis::of(u64::MAX);
    for class in [true, false] {
        let group = |holds: fn(f64) -> bool| {
            set.patients(|row| set.outcome[row] == class && holds(change[row]))
        };
        let smallest = group(|d| d > 0.0).min(group(|d| d < 0.0));
        let rows = (0..set.len()).filter(|row| set.outcome[*row] == class);
        let share = dominance(rows.map(|row| (set.patient[row], change[row])));
        basis = basis.and(Basis::of(smallest).dominated(share));
    }
    basis
}

fn improvement(set: &AnalysisSet<'_>, metric: Metric, change: &[f64]) -> Found {
    let class = |event: bool| {
        let rows = (0..set.len()).filter(move |row| set.outcome[*row] == event);
        rows.map(|row| change[row])
    };
    let found = if metric == Metric::Idi {
        let moments = |event| Moments::of(&class(event).collect::<Vec<f64>>());
        moments(true)
            .zip(moments(false))
            .and_then(|(events, rest)| Improvement::idi(events, rest))
    } else {
        let moves = |event| Moves::of(class(event).map(|d| (0.0, d)));
        Improvement::nri(moves(true), moves(false))
    };
    let Some(found) = found else {
        return Found::undefined(Undefined::OneClass);
    };
    let variance = if set.clustered() {
        influence(&set.outcome, change).and_then(|psi| clustered_variance(&psi, &set.patient))
    } else {
        Some(found.variance)
    };
    let variance = variance
        .filter(|variance| *variance > 0.0)
        .ok_or(Undefined::NoVariance);
    Found::normal(Scale::Identity, Ok(found.total), variance)
}
