//! What a study of candidates says must follow from itself: nobody calls less at a lower score,
//! nothing is detected beyond all lesions, sensitivities rise with the false positives allowed,
//! and curve, CPM and average precision are those of the counts.
//!
//! From: a received release.
//! To: the list of findings.

use shared::disclosure::ReceivedRelease;
use shared::numeric::froc::{Called, Curve};
use shared::statistic::detection::Detection;
use shared::statistic::flow::Flow;
use shared::statistic::{Cell, Disclosed, Estimate, Metric, Statistic};
use shared::study::{CandidatePlan, StudyProtocol};

use super::finding::{Finding, Span, at_most, equal, near, slack_of};

/// Checks every statistic of candidates.
pub(super) fn check(
    release: &ReceivedRelease,
    protocol: &StudyProtocol,
    findings: &mut Vec<Finding>,
) {
    for one in release.statistics.iter().filter_map(Statistic::detection) {
        let structure = protocol.find_endpoint(&one.endpoint);
        let structure = structure.and_then(|endpoint| endpoint.structure.as_ref());
        let Some(plan) = structure.and_then(|structure| structure.candidates.as_ref()) else {
            // `declared` has said so.
            continue;
        };
        let at = format!("detection {} {}", one.model, one.endpoint);
        let flow = flow_of(release, one);
        counts(one, flow, &at, findings);
        for found in estimates(one, release) {
            same_scans(one, flow, found, findings);
        }
        sensitivities(one, plan, release, &at, findings);
        follows(one, plan, release, &at, findings);
    }
}

fn flow_of<'a>(
    release: &'a ReceivedRelease,
    one: &Detection<Disclosed>,
) -> Option<&'a Flow<Disclosed>> {
    let mut flows = release.statistics.iter().filter_map(Statistic::flow);
    flows.find(|flow| flow.endpoint == one.endpoint)
}

fn counts(
    one: &Detection<Disclosed>,
    flow: Option<&Flow<Disclosed>>,
    at: &str,
    findings: &mut Vec<Finding>,
) {
    if let Some(flow) = flow {
        at_most(findings, "detection-scans", at, &one.scans, &flow.analysed);
    }
    for pair in one.called.windows(2) {
        let at = format!("{at} at {}", pair[1].score);
        let (lower, higher) = (&pair[0], &pair[1]);
        at_most(
            findings,
            "detection-nested",
            &at,
            &higher.detected,
            &lower.detected,
        );
        at_most(
            findings,
            "detection-nested",
            &at,
            &higher.false_positives,
            &lower.false_positives,
        );
    }
    if let Some(lowest) = one.called.first() {
        at_most(
            findings,
            "detection-lesions",
            at,
            &lowest.detected,
            &one.lesions,
        );
    }
}

/// Every estimate of the curve over all cases.
fn estimates<'a>(
    one: &'a Detection<Disclosed>,
    release: &'a ReceivedRelease,
) -> impl Iterator<Item = &'a Estimate<Disclosed>> {
    let all = release.statistics.iter().filter_map(Statistic::estimate);
    all.filter(|found| {
        let key = &found.key;
        let of_curve = [
            Metric::FrocSensitivity,
            Metric::Cpm,
            Metric::DetectionAveragePrecision,
        ];
        of_curve.contains(&key.metric)
            && key.model == one.model
            && key.endpoint == one.endpoint
            && key.is_whole()
    })
}

/// An estimate of the curve is about the curve's scans, and about the cases of the flow that have
/// the structure.
fn same_scans(
    one: &Detection<Disclosed>,
    flow: Option<&Flow<Disclosed>>,
    found: &Estimate<Disclosed>,
    findings: &mut Vec<Finding>,
) {
    let metric = found.key.metric.entry().slug;
    let at = format!("{metric} {} {}", one.model, one.endpoint);
    equal(findings, "detection-scans", &at, &found.n, &one.scans);
    if let Some(flow) = flow {
        equal(findings, "events-agree", &at, &found.events, &flow.events);
    }
}

/// The estimate of a metric over all cases, at a point where it has one.
fn estimate<'a>(
    one: &Detection<Disclosed>,
    metric: Metric,
    point: Option<f64>,
    release: &'a ReceivedRelease,
) -> Option<&'a Estimate<Disclosed>> {
    let mut all = release.statistics.iter().filter_map(Statistic::estimate);
    all.find(|found| {
        let key = &found.key;
        key.metric == metric
            && key.model == one.model
            && key.endpoint == one.endpoint
            && key.false_positives_per_scan == point
            && key.is_whole()
    })
}

/// Sensitivities come all or none, rise from point to point, and have the CPM as their mean.
fn sensitivities(
    one: &Detection<Disclosed>,
    plan: &CandidatePlan,
    release: &ReceivedRelease,
    at: &str,
    findings: &mut Vec<Finding>,
) {
    let slack = slack_of(&release.header.policy.profile);
    let points = plan.false_positives_per_scan.iter();
    let cells: Vec<Option<Cell<f64>>> = points
        .map(|point| {
            estimate(one, Metric::FrocSensitivity, Some(*point), release).map(|found| found.value)
        })
        .collect();
    let hidden = cells.iter().flatten().filter(|cell| cell.is_suppressed());
    if ![0, cells.len()].contains(&hidden.count()) || cells.contains(&None) {
        findings.push(Finding::new(
            "detection-points",
            at,
            "some of the sensitivities of one curve are missing; they leave together",
        ));
    }
    let spans: Option<Vec<Span>> = cells
        .iter()
        .map(|cell| Span::real(&cell.filter(|cell| cell.number().is_some())?, slack))
        .collect();
    let Some(spans) = spans.filter(|spans| !spans.is_empty()) else {
        return;
    };
    if spans.windows(2).any(|pair| pair[0].lo > pair[1].hi) {
        findings.push(Finding::new(
            "detection-rises",
            at,
            "the sensitivity falls where more false positives are allowed",
        ));
    }
    let cpm = estimate(one, Metric::Cpm, None, release).filter(|cpm| cpm.value.number().is_some());
    if let Some(cpm) = cpm.and_then(|cpm| Span::real(&cpm.value, slack)) {
        let number = f64::from(u32::try_from(spans.len()).unwrap_or(u32::MAX));
        let sum = spans.iter().copied().fold(Span::ZERO, Span::plus);
        let mean = Span {
            lo: sum.lo / number,
            hi: sum.hi / number,
        };
        if mean.excludes(cpm) {
            findings.push(Finding::new(
                "detection-mean",
                at,
                "the CPM is not the mean of the sensitivities",
            ));
        }
    }
}

/// Where every count is exact, the estimates are those of the curve.
fn follows(
    one: &Detection<Disclosed>,
    plan: &CandidatePlan,
    release: &ReceivedRelease,
    at: &str,
    findings: &mut Vec<Finding>,
) {
    let Some(curve) = exact_curve(one) else {
        return;
    };
    let reading = plan.between.reading();
    let rule = "detection-curve";
    for point in &plan.false_positives_per_scan {
        if let Some(found) = estimate(one, Metric::FrocSensitivity, Some(*point), release) {
            let at = format!("{at}, {point} false positives per scan");
            let expected = curve.sensitivity_at(*point, reading);
            near(findings, rule, &at, &found.value, expected);
        }
    }
    if let Some(found) = estimate(one, Metric::Cpm, None, release) {
        let expected = curve.mean_sensitivity(&plan.false_positives_per_scan, reading);
        near(findings, rule, at, &found.value, expected);
    }
    if let Some(found) = estimate(one, Metric::DetectionAveragePrecision, None, release) {
        let expected = curve.average_precision(plan.average_precision.average());
        near(findings, rule, at, &found.value, Some(expected));
    }
}

fn exact_curve(one: &Detection<Disclosed>) -> Option<Curve> {
    let called = one.called.iter().map(|at| {
        Some(Called {
            detected: at.detected.exact()?,
            false_positives: at.false_positives.exact()?,
        })
    });
    let called = called.collect::<Option<Vec<_>>>()?;
    Curve::of(one.scans.exact()?, one.lesions.exact()?, &called)
}
