//! The bins of a calibration curve against the grid, the histogram, and every estimate that
//! follows from them.
//!
//! From: a received release.
//! To: findings.

use shared::disclosure::document::ReceivedRelease;
use shared::numeric::calibration::bins::{Bin, Decomposition, calibration_error};
use shared::statistic::calibration::TENTHS;
use shared::statistic::calibration_bins::{CalibrationBins, PredictionBin};
use shared::statistic::{Disclosed, EstimateKey, Metric, Statistic};
use shared::study::StudyProtocol;

use super::finding::{Finding, near};
use super::keys::place;

/// Room for the rounding of sums.
const ROOM: f64 = 1e-9;

/// Checks every set of bins, and the estimates over bins.
pub(super) fn check(
    release: &ReceivedRelease,
    protocol: &StudyProtocol,
    findings: &mut Vec<Finding>,
) {
    let edges = &protocol.histogram.edges;
    for statistic in &release.statistics {
        let Some(it) = statistic.calibration_bins() else {
            continue;
        };
        let at = place(statistic);
        let open = release.header.policy.profile == "open-data";
        let (grid, tenths) = if open {
            (edges.len() + 1, TENTHS)
        } else {
            (0, 0)
        };
        if it.grid.len() != grid || it.tenths.len() != tenths {
            let what = "it has other bins than the protocol and the policy give";
            findings.push(Finding::new("bins", &at, what));
            continue;
        }
        let grid_edge = |place: usize| edge(edges, place);
        #[expect(clippy::cast_precision_loss, reason = "ten bins")]
        let tenth_edge = |place: usize| place as f64 / TENTHS as f64;
        let parts = [
            inside(&it.grid, grid_edge, &at, findings),
            inside(&it.tenths, tenth_edge, &at, findings),
        ];
        if let [Some(grid), Some(tenths)] = parts
            && open
        {
            agree(&grid, &tenths, &at, findings);
            histogram(it, release, &at, findings);
            follow(it, &tenths, release, findings);
        }
    }
}

/// The lower edge of bin `place` of the grid.
fn edge(edges: &[f64], place: usize) -> f64 {
    match place.checked_sub(1) {
        None => 0.0,
        Some(before) => edges.get(before).copied().unwrap_or(1.0),
    }
}

/// Each bin's means are those of cases inside it; the sums, if all are known.
fn inside(
    bins: &[PredictionBin<Disclosed>],
    edge: impl Fn(usize) -> f64,
    at: &str,
    findings: &mut Vec<Finding>,
) -> Option<Vec<Bin>> {
    let mut sums = Vec::with_capacity(bins.len());
    for (place, bin) in bins.iter().enumerate() {
        let (low, high) = (edge(place) - ROOM, edge(place + 1) + ROOM);
        let mut wrong = |what: &str| {
            findings.push(Finding::new("bin", format!("{at}: bin {place}"), what));
        };
        let Some(sum) = bin.sums() else {
            wrong("its counts and means are not all there");
            continue;
        };
        if sum.events > sum.n {
            wrong("it has more events than cases");
            continue;
        }
        let means = [(sum.n, &bin.mean), (sum.events, &bin.mean_of_events)];
        for (cases, mean) in means {
            if cases > 0
                && mean
                    .number()
                    .is_none_or(|mean| !(low..=high).contains(&mean))
            {
                wrong("a mean prediction lies outside the bin");
            }
        }
        if let (Some(mean), Some(square)) = (bin.mean.number(), bin.mean_square.number())
            && !(mean * mean - ROOM..=mean + ROOM).contains(&square)
        {
            wrong("no predictions have this mean and this mean square");
        }
        if sum.py > sum.p + ROOM {
            wrong("the events' predictions sum to more than all");
        }
        sums.push(sum);
    }
    (sums.len() == bins.len()).then_some(sums)
}

fn agree(grid: &[Bin], tenths: &[Bin], at: &str, findings: &mut Vec<Finding>) {
    let total = |bins: &[Bin]| bins.iter().copied().fold(Bin::default(), Bin::merge);
    let (a, b) = (total(grid), total(tenths));
    let far = |x: f64, y: f64| (x - y).abs() > ROOM * (1.0 + x.abs());
    if a.n != b.n || a.events != b.events || far(a.p, b.p) || far(a.p2, b.p2) || far(a.py, b.py) {
        let what = "the bins of the grid and the tenths speak about different cases";
        findings.push(Finding::new("bins-agree", at, what));
    }
}

/// The histogram counts the same cases in the same bins.
fn histogram(
    it: &CalibrationBins<Disclosed>,
    release: &ReceivedRelease,
    at: &str,
    findings: &mut Vec<Finding>,
) {
    let mut histograms = release.statistics.iter().filter_map(Statistic::histogram);
    let same = |one: &&_| -> bool {
        let one: &shared::statistic::histogram::Histogram<Disclosed> = one;
        one.model == it.model && one.endpoint == it.endpoint
    };
    let Some(found) = histograms.find(same) else {
        return;
    };
    for block in &found.events {
        let first = usize::try_from(block.first).ok();
        let bin = first.and_then(|first| it.grid.get(first));
        let (Some(bin), true) = (bin, block.first == block.last) else {
            continue;
        };
        if bin.events.exact() != block.count.exact() {
            let place = format!("{at}: bin {}", block.first);
            let what = "the histogram counts other events in it";
            findings.push(Finding::new("bins-in-histogram", place, what));
        }
    }
}

/// Calibration error, the Brier score and its parts, and O:E are recomputed.
fn follow(
    it: &CalibrationBins<Disclosed>,
    tenths: &[Bin],
    release: &ReceivedRelease,
    findings: &mut Vec<Finding>,
) {
    let (Some(error), Some(parts)) = (calibration_error(tenths), Decomposition::of(tenths)) else {
        return;
    };
    for (metric, expected) in [
        (Metric::Ece, error.expected),
        (Metric::Mce, error.largest),
        (Metric::Brier, parts.brier()),
        (Metric::BrierReliability, parts.reliability),
        (Metric::BrierResolution, parts.resolution),
        (Metric::BrierUncertainty, parts.uncertainty),
        (Metric::BrierWithinVariance, parts.within_variance),
        (Metric::BrierWithinCovariance, parts.within_covariance),
    ] {
        let key = EstimateKey::whole(metric, it.model.clone(), it.endpoint.clone());
        for statistic in &release.statistics {
            if let Some(one) = statistic.estimate().filter(|one| one.key == key) {
                near(
                    findings,
                    "follows-from-bins",
                    &place(statistic),
                    &one.value,
                    Some(expected),
                );
            }
        }
    }
}
