//! Estimates against the protocol and against their neighbours: the bootstrap is the planned
//! one, p values follow from their statistics, Youden's index from the histogram.
//!
//! From: a received release.
//! To: findings.

use shared::disclosure::document::ReceivedRelease;
use shared::numeric::distribution::{chi2_sf, normal_two_sided};
use shared::statistic::estimate::IntervalMethod;
use shared::statistic::histogram::{Block, Histogram};
use shared::statistic::{Disclosed, Estimate, EstimateKey, Metric, Statistic};
use shared::study::StudyProtocol;

use super::finding::{Finding, near};

/// Checks one estimate.
pub(super) fn check(
    it: &Estimate<Disclosed>,
    release: &ReceivedRelease,
    protocol: &StudyProtocol,
    at: &str,
    findings: &mut Vec<Finding>,
) {
    if let IntervalMethod::Bootstrap { resamples, seed } | IntervalMethod::Bca { resamples, seed } =
        it.interval
        && (resamples, seed) != (protocol.bootstrap.resamples, protocol.bootstrap.seed)
    {
        let what = "its resamples or its seed are not the protocol's";
        findings.push(Finding::new("bootstrap", at, what));
    }
    let other = |metric| neighbour(release, &it.key, metric);
    let of = |metric, p: fn(f64) -> Option<f64>| other(metric).and_then(p);
    let metric = it.key.metric;
    let expected = if metric == Metric::CalibrationTestP {
        of(Metric::CalibrationTest, |chi2| chi2_sf(chi2, 2.0))
    } else if metric == Metric::SpiegelhalterP {
        of(Metric::SpiegelhalterZ, normal_two_sided)
    } else if metric == Metric::YoudenMaximum {
        youden(it, release)
    } else {
        None
    };
    near(findings, "estimate-follows", at, &it.value, expected);
    let value = it.value.exact();
    if it.key.metric == Metric::E50
        && let (Some(median), Some(upper)) = (value, other(Metric::E90))
        && median > upper
    {
        findings.push(Finding::new("estimate-follows", at, "E50 is above E90"));
    }
    if it.key.metric == Metric::YoudenThreshold
        && let Some(value) = value
        && !protocol.histogram.edges.contains(&value)
    {
        findings.push(Finding::new(
            "estimate-follows",
            at,
            "it is no edge of the grid",
        ));
    }
}

/// The exact value of another metric of the same model, cases and threshold.
fn neighbour(release: &ReceivedRelease, key: &EstimateKey, metric: Metric) -> Option<f64> {
    let key = EstimateKey {
        metric,
        ..key.clone()
    };
    let mut estimates = release.statistics.iter().filter_map(Statistic::estimate);
    estimates.find(|one| one.key == key)?.value.exact()
}

/// Largest sensitivity plus specificity minus one over the grid's edges, from exact bins.
fn youden(it: &Estimate<Disclosed>, release: &ReceivedRelease) -> Option<f64> {
    let key = &it.key;
    let mut histograms = release.statistics.iter().filter_map(Statistic::histogram);
    let same = |one: &&Histogram<Disclosed>| {
        one.model == key.model && one.endpoint == key.endpoint && key.is_whole()
    };
    let found = histograms.find(same)?;
    let (events, others) = (counts(&found.events)?, counts(&found.non_events)?);
    let (all_events, all_others) = (events.iter().sum::<f64>(), others.iter().sum::<f64>());
    if all_events <= 0.0 || all_others <= 0.0 || events.len() != others.len() {
        return None;
    }
    let (mut above, mut false_alarms, mut best) = (all_events, all_others, f64::MIN);
    for (event, other) in events.iter().zip(&others).take(events.len() - 1) {
        above -= event;
        false_alarms -= other;
        best = best.max(above / all_events - false_alarms / all_others);
    }
    Some(best)
}

/// Cases per bin, when every bin stands alone and is exact.
fn counts(blocks: &[Block<Disclosed>]) -> Option<Vec<f64>> {
    let one = |block: &Block<Disclosed>| {
        #[expect(
            clippy::cast_precision_loss,
            reason = "counts above 2^53 are refused by `cells`"
        )]
        let count = block.count.exact()? as f64;
        (block.first == block.last).then_some(count)
    };
    blocks.iter().map(one).collect()
}
