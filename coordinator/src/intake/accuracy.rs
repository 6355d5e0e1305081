//! Measures at a threshold against the 2x2 table they follow from, where it is exact.
//!
//! From: a received release.
//! To: findings.

use shared::disclosure::document::ReceivedRelease;
use shared::numeric::accuracy::{Calls, Measured};
use shared::statistic::accuracy::MEASURES;
use shared::statistic::{Disclosed, Estimate, Metric, Statistic};
use shared::study::StudyProtocol;

use super::finding::{Finding, near};

const LEVEL: f64 = 0.95;

/// Value, and with one case per patient interval and variance, recomputed.
pub(super) fn check(
    it: &Estimate<Disclosed>,
    release: &ReceivedRelease,
    protocol: &StudyProtocol,
    at: &str,
    findings: &mut Vec<Finding>,
) {
    let Some(calls) = table(it, release) else {
        return;
    };
    let Some(found) = measured(it, &calls) else {
        return;
    };
    near(findings, "rate-follows", at, &it.value, Some(found.value));
    if release.header.clustered {
        return;
    }
    let interval = if it.key.metric == Metric::Accuracy {
        let [tp, fp, fn_, tn] = calls.counts();
        let method = protocol.intervals.proportion;
        method.of(tp + tn, tp + fp + fn_ + tn, LEVEL)
    } else {
        found.interval(LEVEL)
    };
    let rule = "interval-follows";
    near(findings, rule, at, &it.low, interval.map(|it| it.lower));
    near(findings, rule, at, &it.high, interval.map(|it| it.upper));
    near(findings, rule, at, &it.variance, found.variance);
}

/// The exact 2x2 table at an estimate's threshold.
fn table(it: &Estimate<Disclosed>, release: &ReceivedRelease) -> Option<Calls> {
    let key = &it.key;
    if !key.is_whole() {
        return None;
    }
    let mut tables = release.statistics.iter().filter_map(Statistic::confusion);
    let table = tables.find(|table| {
        table.model == key.model
            && table.endpoint == key.endpoint
            && key.threshold.map(f64::to_bits) == Some(table.threshold.to_bits())
    })?;
    Some(Calls::of_counts(
        table.true_positive.exact()?,
        table.false_positive.exact()?,
        table.false_negative.exact()?,
        table.true_negative.exact()?,
    ))
}

fn measured(it: &Estimate<Disclosed>, calls: &Calls) -> Option<Measured> {
    let metric = it.key.metric;
    // Other measures at a declared prevalence do not follow from a table by Bayes' rule.
    let predictive = [Metric::PpvAtPrevalence, Metric::NpvAtPrevalence].contains(&metric);
    if let Some(prevalence) = it.key.prevalence.filter(|_| predictive) {
        let positive = metric == Metric::PpvAtPrevalence;
        return calls.predictive_value(positive, prevalence).ok();
    }
    let (_, measure) = MEASURES.iter().find(|(of, _)| *of == metric)?;
    calls.measure(*measure, LEVEL).ok()
}
