//! What a study of masks says must add up: the four counts to the analysed cases, the bins to
//! the cases with both masks, found and missed lesions to all of them, and rates and means to
//! these counts.
//!
//! From: a received release.
//! To: the list of findings.

use shared::disclosure::ReceivedRelease;
use shared::statistic::flow::Flow;
use shared::statistic::lesion::Lesions;
use shared::statistic::segmentation::{Segmentation, edges};
use shared::statistic::{Cell, Disclosed, Estimate, EstimateKey, Metric, Statistic};
use shared::study::{EndpointId, ModelId, StudyProtocol};

use super::finding::{Finding, Span, slack_of, sums_to};

/// Checks every statistic of masks.
pub(super) fn check(
    release: &ReceivedRelease,
    protocol: &StudyProtocol,
    findings: &mut Vec<Finding>,
) {
    if !protocol.is_segmentation() {
        return;
    }
    for statistic in &release.statistics {
        if let Some(one) = statistic.segmentation() {
            segmentation(one, flow_of(release, &one.endpoint), findings);
            means(one, release, findings);
        } else if let Some(one) = statistic.lesions() {
            lesions(one, findings);
            rates(one, release, findings);
        } else if let Some(one) = statistic.estimate() {
            iou(one, release, findings);
        }
    }
}

/// The IoU is `D / (2 - D)` in each case, convex in the Dice `D` and never above it: a mean IoU is
/// at least that of the mean Dice over the same cases (Jensen), and at most the mean Dice.
fn iou(one: &Estimate<Disclosed>, release: &ReceivedRelease, findings: &mut Vec<Finding>) {
    if one.key.metric != Metric::IouPresent {
        return;
    }
    let key = EstimateKey {
        metric: Metric::DicePresent,
        ..one.key.clone()
    };
    let mut all = release.statistics.iter().filter_map(Statistic::estimate);
    let Some(dice) = all.find(|other| other.key == key) else {
        return;
    };
    let slack = slack_of(&release.header.policy.profile);
    let (Some(iou), Some(dice)) = (
        Span::real(&one.value, slack),
        Span::real(&dice.value, slack),
    ) else {
        return;
    };
    if iou.hi < dice.lo / (2.0 - dice.lo) || iou.lo > dice.hi {
        findings.push(Finding::new(
            "iou-follows",
            format!("iou-present {} {}", one.key.model, one.key.endpoint),
            "no cases have this mean Dice and this mean IoU",
        ));
    }
}

fn flow_of<'a>(release: &'a ReceivedRelease, endpoint: &EndpointId) -> Option<&'a Flow<Disclosed>> {
    let mut flows = release.statistics.iter().filter_map(Statistic::flow);
    flows.find(|flow| flow.endpoint == *endpoint)
}

fn segmentation(
    one: &Segmentation<Disclosed>,
    flow: Option<&Flow<Disclosed>>,
    findings: &mut Vec<Finding>,
) {
    let at = format!("segmentation {} {}", one.model, one.endpoint);
    let (both, missed) = (&one.both, &one.missed);
    let (alarm, neither) = (&one.false_alarm, &one.neither);
    if let Some(flow) = flow {
        let all = [both, missed, alarm, neither].into_iter();
        sums_to(findings, "masks-analysed", &at, all, &flow.analysed);
        let present = [both, missed].into_iter();
        sums_to(findings, "masks-present", &at, present, &flow.events);
        let absent = [alarm, neither].into_iter();
        sums_to(findings, "masks-absent", &at, absent, &flow.non_events);
        let sizes = Span::sum(one.sizes.iter().map(|row| &row.n));
        let present = Span::count(&flow.events);
        if let (Some(sizes), Some(present)) = (sizes, present)
            && sizes.lo > present.hi
        {
            findings.push(Finding::new(
                "masks-sizes",
                &at,
                "more cases stand in size bins than have the structure",
            ));
        }
    }
    for part in one
        .distributions
        .iter()
        .filter(|part| !part.blocks.is_empty())
    {
        let at = format!("{at}, {}", part.quantity.words());
        let counts = part.blocks.iter().map(|block| &block.count);
        sums_to(findings, "distribution-sum", &at, counts, both);
        let bins = u32::try_from(edges(part.quantity).len()).unwrap_or(u32::MAX);
        let first = part.blocks.first().map(|block| block.first);
        let last = part.blocks.last().map(|block| block.last);
        let whole = first == Some(0) && last == Some(bins);
        let joined = part
            .blocks
            .windows(2)
            .all(|pair| pair[0].last.checked_add(1) == Some(pair[1].first));
        let forward = part.blocks.iter().all(|block| block.first <= block.last);
        if !(whole && joined && forward) {
            findings.push(Finding::new(
                "distribution-blocks",
                &at,
                "the blocks do not cover the fixed bins once, in order",
            ));
        }
    }
}

fn estimate(
    release: &ReceivedRelease,
    metric: Metric,
    model: &ModelId,
    endpoint: &EndpointId,
) -> Option<Cell<f64>> {
    let mut all = release.statistics.iter().filter_map(Statistic::estimate);
    all.find(|one| {
        let key = &one.key;
        key.metric == metric && key.model == *model && key.endpoint == *endpoint && key.is_whole()
    })
    .map(|one| one.value)
}

/// The headline counts a miss and a false alarm as 0, so it follows from the mean over cases with
/// both masks and the counts, where cases without the structure are left out.
fn means(one: &Segmentation<Disclosed>, release: &ReceivedRelease, findings: &mut Vec<Finding>) {
    let find = |metric| estimate(release, metric, &one.model, &one.endpoint);
    let at = format!("segmentation {} {}", one.model, one.endpoint);
    let (Some(headline), Some(present)) = (find(Metric::Dice), find(Metric::DicePresent)) else {
        return;
    };
    // With either convention for empty masks the headline lies between these two.
    let slack = 1e-9;
    let counts = (
        Span::count(&one.both),
        Span::sum([&one.missed, &one.false_alarm].into_iter()),
        Span::count(&one.neither),
    );
    let (Some(both), Some(punished), Some(neither)) = counts else {
        return;
    };
    let (Some(headline), Some(present)) =
        (Span::real(&headline, slack), Span::real(&present, slack))
    else {
        return;
    };
    let share = |both: f64, others: f64| {
        if both + others > 0.0 {
            both / (both + others)
        } else {
            0.0
        }
    };
    let lowest = present.lo * share(both.lo, punished.hi + neither.hi);
    let perfect = 1.0 - share(both.lo, punished.hi);
    let highest = (present.hi * share(both.hi, punished.lo))
        .max(1.0 - (1.0 - present.hi) * share(both.lo, neither.hi))
        .max(perfect * f64::from(u8::from(neither.hi > 0.0)));
    if headline.lo > highest + slack || headline.hi < lowest - slack {
        findings.push(Finding::new(
            "headline-follows",
            &at,
            "the headline Dice does not follow from the mean over pairs and the counts",
        ));
    }
}

fn lesions(one: &Lesions<Disclosed>, findings: &mut Vec<Finding>) {
    let at = format!("lesions {} {}", one.model, one.endpoint);
    let parts = [&one.found, &one.not_found].into_iter();
    sums_to(findings, "lesions-truth", &at, parts, &one.truth);
    let sizes = Span::sum(
        one.sizes
            .iter()
            .flat_map(|row| [&row.found, &row.not_found]),
    );
    if let (Some(sizes), Some(truth)) = (sizes, Span::count(&one.truth))
        && sizes.lo > truth.hi
    {
        findings.push(Finding::new(
            "lesions-sizes",
            &at,
            "more lesions stand in size bins than there are",
        ));
    }
}

/// Sensitivity, precision and false positives per scan follow from exact counts.
fn rates(one: &Lesions<Disclosed>, release: &ReceivedRelease, findings: &mut Vec<Finding>) {
    let counts = [
        &one.found,
        &one.not_found,
        &one.hits,
        &one.false_positives,
        &one.scans,
    ];
    let exact: Option<Vec<f64>> = counts
        .into_iter()
        .map(|cell| cell.exact().and_then(|count| u32::try_from(count).ok()))
        .map(|count| count.map(f64::from))
        .collect();
    let Some([found, not_found, hits, alarms, scans]) =
        exact.and_then(|counts| <[f64; 5]>::try_from(counts).ok())
    else {
        return;
    };
    for (metric, numerator, denominator) in [
        (Metric::LesionSensitivity, found, found + not_found),
        (Metric::LesionPrecision, hits, hits + alarms),
        (Metric::FalsePositivesPerScan, alarms, scans),
    ] {
        let value = estimate(release, metric, &one.model, &one.endpoint);
        let Some(span) = value.and_then(|cell| Span::real(&cell, 1e-9)) else {
            continue;
        };
        let expected = numerator / denominator;
        if denominator > 0.0 && !(span.lo..=span.hi).contains(&expected) {
            findings.push(Finding::new(
                "lesion-rate",
                format!("{} {} {}", metric.entry().slug, one.model, one.endpoint),
                "the rate does not follow from the counts",
            ));
        }
    }
}
