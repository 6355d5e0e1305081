//! Measures of the 2x2 table at a prespecified threshold beyond its plain rates: accuracy,
//! balanced accuracy, F1, MCC, kappa, Youden's index, likelihood ratios, diagnostic odds ratio,
//! and predictive values at the protocol's target prevalences.
//!
//! Merge class T. Intervals: accuracy as the protocol chooses for proportions; balanced
//! accuracy and Youden's index after Newcombe (1998, doi
//! 10.1002/(SICI)1097-0258(19980430)17:8<873::AID-SIM779>3.0.CO;2-I), as a difference of two
//! proportions; likelihood ratios after Simel (1991, doi 10.1016/0895-4356(91)90128-V);
//! predictive values after Mercaldo (2007, doi 10.1002/sim.2677); the others normal on their
//! scale. Where patients repeat every interval is normal from the patient-summed linearised
//! variance. A ratio with an empty cell has 0.5 added to each cell and says so; what depends on
//! the prevalence does not exist in a sample drawn by outcome (decision C3).
//!
//! From: `cases`.
//! To: report page "operating point".

use super::analysis_set::{AnalysisSet, LEVEL};
use super::auc::Areas;
use super::crossed::{Crossed, Place};
use super::estimate::{Estimate, EstimateKey, Found, IntervalMethod};
use super::metric::Metric;
use super::stage::{Basis, Exact, Undefined};
use crate::numeric::accuracy::{AccuracyFault, AccuracyMeasure, Calls, Measured};
use crate::study::{ProportionInterval, SamplingDesign};

/// The measures without a prevalence of their own, in the order of a release.
pub const MEASURES: [(Metric, AccuracyMeasure); 9] = [
    (Metric::Accuracy, AccuracyMeasure::Accuracy),
    (Metric::BalancedAccuracy, AccuracyMeasure::BalancedAccuracy),
    (Metric::F1, AccuracyMeasure::F1),
    (Metric::Mcc, AccuracyMeasure::Mcc),
    (Metric::Kappa, AccuracyMeasure::Kappa),
    (Metric::YoudenIndex, AccuracyMeasure::YoudenIndex),
    (
        Metric::LikelihoodRatioPositive,
        AccuracyMeasure::LikelihoodRatioPositive,
    ),
    (
        Metric::LikelihoodRatioNegative,
        AccuracyMeasure::LikelihoodRatioNegative,
    ),
    (
        Metric::DiagnosticOddsRatio,
        AccuracyMeasure::DiagnosticOddsRatio,
    ),
];

/// Every measure of the model with index `model` at `threshold`.
pub(crate) fn measure(
    set: &AnalysisSet<'_>,
    areas: &Areas,
    model: usize,
    threshold: f64,
) -> Option<Vec<Estimate<Exact>>> {
    let id = set.protocol.model.get(model)?.id.clone();
    let score = set.score.get(model)?;
    let called: Vec<bool> = score.iter().map(|score| *score >= threshold).collect();
    let calls = Calls::of_rows(&called, &set.outcome, &set.patient);
    let crossed = Crossed::of_all(set, score, threshold);
    let cell = |call: bool, event: bool| {
        let cell = |place: Place| place.positive == call && place.event == event;
        crossed.count(cell).patients
    };
    let smallest = [(true, true), (true, false), (false, true), (false, false)]
        .into_iter()
        .map(|(call, event)| cell(call, event))
        .fold(u64::MAX, u64::min);
    let basis = Basis::of(smallest).and(areas.beside(model));
    let key = |metric| EstimateKey::whole(metric, id.clone(), set.endpoint.clone()).at(threshold);
    let interval = set.protocol.intervals.proportion;
    let mut estimates: Vec<Estimate<Exact>> = MEASURES
        .iter()
        .map(|(metric, which)| {
            let found = if needs_prevalence(*which) && outcome_dependent(set) {
                Found::undefined(Undefined::DesignForbids)
            } else {
                found(*metric, calls.measure(*which, LEVEL), &calls, interval)
            };
            Estimate::whole(set, key(*metric), found, basis)
        })
        .collect();
    for prevalence in set.protocol.target_prevalences(&set.endpoint) {
        for (metric, positive) in [
            (Metric::PpvAtPrevalence, true),
            (Metric::NpvAtPrevalence, false),
        ] {
            let value = calls.predictive_value(positive, prevalence);
            let key = EstimateKey {
                prevalence: Some(prevalence),
                ..key(metric)
            };
            let found = found(metric, value, &calls, interval);
            estimates.push(Estimate::whole(set, key, found, basis));
        }
    }
    Some(estimates)
}

fn outcome_dependent(set: &AnalysisSet<'_>) -> bool {
    set.protocol.sampling.design == SamplingDesign::OutcomeDependent
}

/// Whether a sample drawn by outcome says nothing about the measure.
fn needs_prevalence(measure: AccuracyMeasure) -> bool {
    match measure {
        AccuracyMeasure::Accuracy
        | AccuracyMeasure::F1
        | AccuracyMeasure::Mcc
        | AccuracyMeasure::Kappa => true,
        AccuracyMeasure::BalancedAccuracy
        | AccuracyMeasure::YoudenIndex
        | AccuracyMeasure::LikelihoodRatioPositive
        | AccuracyMeasure::LikelihoodRatioNegative
        | AccuracyMeasure::DiagnosticOddsRatio => false,
    }
}

fn reason(fault: AccuracyFault) -> Undefined {
    match fault {
        AccuracyFault::Empty | AccuracyFault::Undefined => Undefined::NoCases,
        AccuracyFault::OneClass => Undefined::OneClass,
        AccuracyFault::OneCall => Undefined::NoVariance,
    }
}

fn found(
    metric: Metric,
    value: Result<Measured, AccuracyFault>,
    calls: &Calls,
    proportion: ProportionInterval,
) -> Found {
    let measured = match value {
        Ok(measured) => measured,
        Err(fault) => return Found::undefined(reason(fault)),
    };
    // Added halves belong to no patient; otherwise only a boundary has no variance.
    let none = if measured.corrected && calls.clustered() {
        Undefined::Clustered
    } else {
        Undefined::Boundary
    };
    let normal = measured.interval(LEVEL).ok_or(none);
    let is_ratio = matches!(
        metric,
        Metric::LikelihoodRatioPositive | Metric::LikelihoodRatioNegative
    );
    let (interval, method) = if metric == Metric::Accuracy && !calls.clustered() {
        let [tp, fp, fn_, tn] = calls.counts();
        let found = proportion.of(tp + tn, tp + fp + fn_ + tn, LEVEL);
        let method = match proportion {
            ProportionInterval::Wilson => IntervalMethod::Wilson,
            ProportionInterval::ClopperPearson => IntervalMethod::ClopperPearson,
        };
        (found.ok_or(Undefined::NotFinite), method)
    } else if measured.newcombe.is_some() {
        (normal, IntervalMethod::Newcombe)
    } else if measured.corrected {
        (normal, IntervalMethod::Corrected)
    } else if is_ratio && !calls.clustered() {
        (normal, IntervalMethod::Simel)
    } else {
        (normal, IntervalMethod::Normal)
    };
    Found {
        value: Ok(measured.value),
        variance: measured.variance.ok_or(none),
        method: if interval.is_ok() {
            method
        } else {
            IntervalMethod::None
        },
        interval,
    }
}
