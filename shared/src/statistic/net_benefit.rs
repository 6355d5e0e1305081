//! Net benefit at the thresholds of the decision curve: of treating by the model, of treating
//! everybody, their difference, needless treatments avoided, the standardised form, and the
//! difference between two models.
//!
//! Net benefit is the mean utility of a patient, 1 for a treated event and `-t / (1 - t)` for a
//! treated non-event (Vickers and Elkin 2006, doi 10.1177/0272989X06295361; standardised after
//! Kerr et al. 2016, doi 10.1200/JCO.2015.65.5654). Differences are means of paired utilities,
//! so they carry the covariance. At a declared prevalence the classes are weighted to it; with
//! sampling by outcome at known fractions each case stands for those not sampled, and without
//! the fractions only the declared forms exist (decision C3).
//!
//! Merge class T: pooled by random effects without transformation, since net benefit depends on
//! each hospital's prevalence (Wynants et al. 2018, doi 10.1002/sim.7653); the 2x2 counts behind
//! it are class S. The interval is normal; the variance is the sum of squared influence values,
//! by patient where patients repeat. One class: no value at a declared prevalence, no
//! standardised value without events. Nobody differs from the mean: no interval.
//!
//! From: `cases`.
//! To: report pages "utility" and "comparison".

use super::analysis_set::{AnalysisSet, clustered_variance, dominance};
use super::auc::Areas;
use super::estimate::{Estimate, EstimateKey, Found};
use super::metric::{Metric, Scale};
use super::sampling::Weights;
use super::stage::{Basis, Exact, ExactCount, Undefined};
use crate::numeric::dominance::{Dominance, Top};
use crate::numeric::net_benefit::{
    BothDecided, Cell, Decided, Linearised, Prevalence, Question, mean,
};
use crate::numeric::sum::count as real;
use crate::study::{ModelId, SamplingDesign};

const QUESTIONS: [(Metric, Question); 5] = [
    (Metric::NetBenefit, Question::NetBenefit),
    (Metric::TreatAll, Question::TreatAll),
    (Metric::OverTreatAll, Question::OverTreatAll),
    (Metric::InterventionsAvoided, Question::Avoided),
    (Metric::StandardisedNetBenefit, Question::Standardised),
];

/// Every question at every threshold of the model with index `model`, at the observed and at
/// each declared prevalence.
pub(crate) fn measure(set: &AnalysisSet<'_>, areas: &Areas, model: usize) -> Vec<Estimate<Exact>> {
    let (Some(declared), Some(score)) = (set.protocol.model.get(model), set.score.get(model))
    else {
        return Vec::new();
    };
    let whole = Whole::of(set);
    let mut found = Vec::new();
    let thresholds = set.protocol.curve_thresholds(&declared.id, &set.endpoint);
    let tables = Decided::at_each(&set.outcome, score, &thresholds);
    for (threshold, table) in thresholds.into_iter().zip(tables) {
        let place = |row: usize| Decided::place(set.outcome[row], score[row] >= threshold);
        let smallest = if set.clustered() {
            let counts = set.counts(4, place).into_iter();
            counts.map(|count| count.patients).min().unwrap_or(0)
        } else {
            table.smallest()
        };
        let groups = Basis::of(smallest).and(areas.beside(model));
        for (metric, question) in QUESTIONS {
            let Some(cells) = table.cells(question, threshold) else {
                continue;
            };
            let basis = groups.dominated(largest_shares(set, &cells, place));
            for prevalence in whole.prevalences(set) {
                let answer = table.answer(question, threshold, prevalence);
                let result = whole.found(set, prevalence, answer, &cells, place);
                let key = key(set, metric, &declared.id, threshold, prevalence);
                found.push(whole.estimate(key, result, basis));
            }
        }
    }
    found
}

/// Net benefit of `model` minus that of `comparator`, both cut at each threshold of the curve.
/// The eight groups by outcome and both decisions are what the numbers speak about.
pub(crate) fn differences(
    set: &AnalysisSet<'_>,
    model: usize,
    comparator: usize,
) -> Vec<Estimate<Exact>> {
    let declared = |place: usize| Some((set.protocol.model.get(place)?, set.score.get(place)?));
    let (Some((one, first)), Some((other, second))) = (declared(model), declared(comparator))
    else {
        return Vec::new();
    };
    let whole = Whole::of(set);
    let mut found = Vec::new();
    for threshold in set.protocol.curve_thresholds(&one.id, &set.endpoint) {
        let place =
            |row: usize| crossed(set, row, first[row] >= threshold, second[row] >= threshold);
        let counts = set.counts(8, place);
        let Some(cells) = both_decided(&counts).cells(threshold) else {
            continue;
        };
        let smallest = counts.iter().map(|count| count.patients).min();
        let share = largest_shares(set, &cells, place);
        let basis = Basis::of(smallest.unwrap_or(0)).dominated(share);
        for prevalence in whole.prevalences(set) {
            let answer = mean(&cells, prevalence);
            let result = whole.found(set, prevalence, answer, &cells, place);
            let metric = Metric::NetBenefitDifference;
            let key = key(set, metric, &one.id, threshold, prevalence).against(other.id.clone());
            found.push(whole.estimate(key, result, basis));
        }
    }
    found
}

/// Index of a case among the eight groups: events first.
pub(super) fn crossed(set: &AnalysisSet<'_>, row: usize, first: bool, second: bool) -> usize {
    BothDecided::place(first, second) + if set.outcome[row] { 0 } else { 4 }
}

/// Rows of the eight groups.
pub(super) fn both_decided(counts: &[ExactCount]) -> BothDecided {
    let rows = |cell: usize| counts.get(cell).map_or(0, |count| count.rows);
    BothDecided {
        events: [rows(0), rows(1), rows(2), rows(3)],
        non_events: [rows(4), rows(5), rows(6), rows(7)],
    }
}

fn key(
    set: &AnalysisSet<'_>,
    metric: Metric,
    model: &ModelId,
    threshold: f64,
    prevalence: Prevalence,
) -> EstimateKey {
    let key = EstimateKey::whole(metric, model.clone(), set.endpoint.clone()).at(threshold);
    EstimateKey {
        prevalence: match prevalence {
            Prevalence::Observed | Prevalence::Sampled { .. } => None,
            Prevalence::Declared(share) => Some(share),
        },
        ..key
    }
}

/// Largest shares of patients in the sum of the absolute values.
pub(super) fn largest_shares(
    set: &AnalysisSet<'_>,
    cells: &[Cell],
    place: impl Fn(usize) -> usize,
) -> Dominance {
    if set.clustered() {
        let utility = |row: usize| cells.get(place(row)).map_or(0.0, |cell| cell.utility);
        return dominance((0..set.len()).map(|row| (set.patient[row], utility(row))));
    }
    let inhabited = cells.iter().filter(|cell| cell.count > 0);
    let (mut sum, mut top) = (0.0, Top::default());
    for cell in inhabited {
        sum += real(cell.count) * cell.utility.abs();
        (0..cell.count.min(2)).for_each(|_| top.add(cell.utility.abs()));
    }
    top.of(sum)
}

/// Variance of an answer: by patient where patients repeat.
pub(super) fn variance_of(
    set: &AnalysisSet<'_>,
    answer: &Linearised,
    cells: &[Cell],
    place: impl Fn(usize) -> usize,
) -> Result<f64, Undefined> {
    let variance = if set.clustered() {
        let influence = |row: usize| answer.influence.get(place(row)).copied().unwrap_or(0.0);
        let values: Vec<f64> = (0..set.len()).map(influence).collect();
        clustered_variance(&values, &set.patient)
    } else {
        Some(answer.variance(cells))
    };
    variance
        .filter(|variance| *variance > 0.0)
        .ok_or(Undefined::NoVariance)
}

/// All analysed cases, counted once.
pub(super) struct Whole {
    n: (u64, u64),
    events: (u64, u64),
    by_outcome: bool,
}

impl Whole {
    pub(super) fn of(set: &AnalysisSet<'_>) -> Self {
        let pair = |count: ExactCount| (count.rows, count.patients);
        Self {
            n: pair(set.count(|_| true)),
            events: pair(set.count(|row| set.outcome[row])),
            by_outcome: set.protocol.sampling.design == SamplingDesign::OutcomeDependent,
        }
    }

    pub(super) fn estimate(&self, key: EstimateKey, found: Found, basis: Basis) -> Estimate<Exact> {
        let count = |(rows, patients)| ExactCount::new(rows, patients);
        Estimate::new(key, count(self.n), count(self.events), found, basis)
    }

    fn prevalences(&self, set: &AnalysisSet<'_>) -> Vec<Prevalence> {
        let declared = set.protocol.target_prevalences(&set.endpoint);
        let sampled = Weights::of(set).ok().filter(|weights| !weights.is_plain());
        let observed = sampled.map_or(Prevalence::Observed, |weights| Prevalence::Sampled {
            event: weights.event,
            non_event: weights.non_event,
        });
        let mut all = vec![observed];
        all.extend(declared.into_iter().map(Prevalence::Declared));
        all
    }

    fn found(
        &self,
        set: &AnalysisSet<'_>,
        prevalence: Prevalence,
        answer: Option<Linearised>,
        cells: &[Cell],
        place: impl Fn(usize) -> usize,
    ) -> Found {
        if self.by_outcome && prevalence == Prevalence::Observed {
            return Found::undefined(Undefined::DesignForbids);
        }
        match answer {
            Some(answer) => {
                let variance = variance_of(set, &answer, cells, place);
                Found::normal(Scale::Identity, Ok(answer.value), variance)
            }
            None if set.is_empty() => Found::undefined(Undefined::NoCases),
            None => Found::undefined(Undefined::OneClass),
        }
    }
}
