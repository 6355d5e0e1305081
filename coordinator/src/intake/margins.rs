//! Margins: whatever a statistic tells about cases, events and levels is what the flow and the
//! subgroup table tell. Rounded and hidden counts take part with their bounds.
//!
//! From: a received release.
//! To: findings.

use shared::disclosure::document::ReceivedRelease;
use shared::statistic::calibration_bins::CalibrationBins;
use shared::statistic::confusion::Confusion;
use shared::statistic::discordance::Discordance;
use shared::statistic::flow::Flow;
use shared::statistic::histogram::Histogram;
use shared::statistic::metric::Topic;
use shared::statistic::missing::Missing;
use shared::statistic::observed_expected::ObservedExpected;
use shared::statistic::subgroup::{SubgroupRow, SubgroupTable};
use shared::statistic::{Cell, Disclosed, Estimate, EstimateKey, Statistic};
use shared::study::EndpointId;
use shared::study::plan::StatisticKind;

use super::consistency::flow;
use super::finding::{Finding, at_most, equal, sums_to};

/// Cases and events are the flow's, wherever they are told.
pub(super) fn check(
    statistic: &Statistic<Disclosed>,
    release: &ReceivedRelease,
    at: &str,
    findings: &mut Vec<Finding>,
) {
    let flow_of = |endpoint: &EndpointId| flow(release, endpoint);
    match statistic {
        Statistic::Flow(_)
        | Statistic::SubgroupTable(_)
        | Statistic::Contingency(_)
        | Statistic::Segmentation(_)
        | Statistic::Lesions(_)
        | Statistic::Detection(_)
        | Statistic::CalibrationBlock(_) => {}
        Statistic::Characteristics(it) => {
            if let Some(flow) = flow_of(&it.endpoint) {
                equal(findings, "analysed-agrees", at, &it.n, &flow.analysed);
            }
        }
        Statistic::Confusion(it) => confusion(it, flow_of(&it.endpoint), at, findings),
        Statistic::Auc(it) => {
            let classes = [&it.events, &it.non_events];
            classes_agree(classes, flow_of(&it.endpoint), at, findings);
        }
        Statistic::PairedAuc(it) => {
            let classes = [&it.events, &it.non_events];
            classes_agree(classes, flow_of(&it.endpoint), at, findings);
        }
        Statistic::Permutation(it) => {
            let classes = [&it.events, &it.non_events];
            classes_agree(classes, flow_of(&it.endpoint), at, findings);
        }
        Statistic::Histogram(it) => histogram(it, flow_of(&it.endpoint), at, findings),
        Statistic::CalibrationBins(it) => bins(it, flow_of(&it.endpoint), at, findings),
        Statistic::ObservedExpected(it) => {
            observed_expected(it, flow_of(&it.endpoint), at, findings);
        }
        Statistic::Discordance(it) => discordance(it, flow_of(&it.endpoint), at, findings),
        Statistic::Missing(it) => missing(it, flow_of(&it.endpoint), at, findings),
        Statistic::Estimate(it) => {
            estimate(it, flow_of(&it.key.endpoint), at, findings);
            inside_flow(it, flow_of(&it.key.endpoint), at, findings);
            level_agrees(it, release, at, findings);
            analysis_agrees(it, release, at, findings);
        }
    }
}

fn classes_agree(
    [events, non_events]: [&Cell<u64>; 2],
    flow: Option<&Flow<Disclosed>>,
    at: &str,
    findings: &mut Vec<Finding>,
) {
    let Some(flow) = flow else {
        return;
    };
    equal(findings, "events-agree", at, events, &flow.events);
    let rule = "non-events-agree";
    equal(findings, rule, at, non_events, &flow.non_events);
}

/// Cells of the events, and of the rest, each add to their class.
fn classes_sum<'a>(
    events: impl Iterator<Item = &'a Cell<u64>>,
    rest: impl Iterator<Item = &'a Cell<u64>>,
    flow: &Flow<Disclosed>,
    at: &str,
    findings: &mut Vec<Finding>,
) {
    sums_to(findings, "events-agree", at, events, &flow.events);
    sums_to(findings, "non-events-agree", at, rest, &flow.non_events);
}

fn confusion(
    it: &Confusion<Disclosed>,
    flow: Option<&Flow<Disclosed>>,
    at: &str,
    findings: &mut Vec<Finding>,
) {
    if let Some(flow) = flow {
        let events = [&it.true_positive, &it.false_negative];
        let rest = [&it.false_positive, &it.true_negative];
        classes_sum(events.into_iter(), rest.into_iter(), flow, at, findings);
    }
}

fn discordance(
    it: &Discordance<Disclosed>,
    flow: Option<&Flow<Disclosed>>,
    at: &str,
    findings: &mut Vec<Finding>,
) {
    if let Some(flow) = flow {
        let (events, rest) = (it.events.counts(), it.non_events.counts());
        classes_sum(events.into_iter(), rest.into_iter(), flow, at, findings);
    }
}

fn histogram(
    it: &Histogram<Disclosed>,
    flow: Option<&Flow<Disclosed>>,
    at: &str,
    findings: &mut Vec<Finding>,
) {
    let Some(flow) = flow else {
        return;
    };
    let events = it.events.iter().map(|block| &block.count);
    sums_to(findings, "histogram-events", at, events, &flow.events);
    let rest = it.non_events.iter().map(|block| &block.count);
    sums_to(findings, "histogram-non-events", at, rest, &flow.non_events);
}

fn bins(
    it: &CalibrationBins<Disclosed>,
    flow: Option<&Flow<Disclosed>>,
    at: &str,
    findings: &mut Vec<Finding>,
) {
    for bins in [&it.grid, &it.tenths] {
        if let Some(flow) = flow.filter(|_| !bins.is_empty()) {
            let n = bins.iter().map(|bin| &bin.n);
            sums_to(findings, "bins-analysed", at, n, &flow.analysed);
            let events = bins.iter().map(|bin| &bin.events);
            sums_to(findings, "bins-events", at, events, &flow.events);
        }
    }
}

fn observed_expected(
    it: &ObservedExpected<Disclosed>,
    flow: Option<&Flow<Disclosed>>,
    at: &str,
    findings: &mut Vec<Finding>,
) {
    if let Some(flow) = flow {
        equal(findings, "analysed-agrees", at, &it.n, &flow.analysed);
        equal(findings, "events-agree", at, &it.observed, &flow.events);
    }
}

/// An estimate about the whole table counts what the flow counts.
fn estimate(
    it: &Estimate<Disclosed>,
    flow: Option<&Flow<Disclosed>>,
    at: &str,
    findings: &mut Vec<Finding>,
) {
    let clip = it.key.is_clip_sensitivity() && it.key.axis.is_none();
    if let Some(flow) = flow.filter(|_| it.key.is_whole() || clip) {
        if counts_masks(&it.key) {
            at_most(findings, "analysed-agrees", at, &it.n, &flow.analysed);
            return;
        }
        equal(findings, "analysed-agrees", at, &it.n, &flow.analysed);
        equal(findings, "events-agree", at, &it.events, &flow.events);
    }
}

/// No estimate, of whatever level or analysis, is about more cases than are eligible, nor about more
/// events than cases. Means over masks name the cases with the structure beside those of a level.
fn inside_flow(
    it: &Estimate<Disclosed>,
    flow: Option<&Flow<Disclosed>>,
    at: &str,
    findings: &mut Vec<Finding>,
) {
    let of_masks = [
        StatisticKind::Segmentation,
        StatisticKind::Lesions,
        StatisticKind::Detection,
    ];
    if of_masks.contains(&it.key.metric.entry().kind) {
        return;
    }
    at_most(findings, "events-inside", at, &it.events, &it.n);
    if let Some(flow) = flow {
        at_most(findings, "cases-inside", at, &it.n, &flow.eligible);
    }
}

/// Every estimate of one sensitivity analysis speaks about the same cases.
fn analysis_agrees(
    it: &Estimate<Disclosed>,
    release: &ReceivedRelease,
    at: &str,
    findings: &mut Vec<Finding>,
) {
    let key = &it.key;
    if key.sensitivity.is_none() || key.is_clip_sensitivity() {
        return;
    }
    let mut estimates = release.statistics.iter().filter_map(Statistic::estimate);
    let first = estimates.find(|other| {
        let one = &other.key;
        (&one.model, &one.endpoint, &one.sensitivity)
            == (&key.model, &key.endpoint, &key.sensitivity)
            && one.comparator == key.comparator
            && one.axis == key.axis
            && one.level == key.level
    });
    if let Some(first) = first {
        equal(findings, "analysis-agrees", at, &it.n, &first.n);
        equal(findings, "analysis-agrees", at, &it.events, &first.events);
    }
}

/// Means over masks leave cases out by a convention; their counts stand in the four counts.
fn counts_masks(key: &EstimateKey) -> bool {
    let topic = key.metric.entry().topic;
    [Topic::Segmentation, Topic::Lesions, Topic::Detection].contains(&topic)
}

/// An estimate about a whole level counts what the subgroup table counts there.
fn level_agrees(
    it: &Estimate<Disclosed>,
    release: &ReceivedRelease,
    at: &str,
    findings: &mut Vec<Finding>,
) {
    let is_plain = !counts_masks(&it.key);
    if let Some(row) = level_row(release, &it.key).filter(|_| is_plain) {
        equal(findings, "level-agrees", at, &it.n, &row.n);
        equal(findings, "level-events-agree", at, &it.events, &row.events);
    }
}

/// What has no reference standard is the flow's; what lacks one model's prediction is a part of
/// what lacks a prediction.
fn missing(
    it: &Missing<Disclosed>,
    flow: Option<&Flow<Disclosed>>,
    at: &str,
    findings: &mut Vec<Finding>,
) {
    let Some(flow) = flow else {
        return;
    };
    let bands = it.no_reference.iter().map(|band| &band.count);
    let absent = bands.chain(std::iter::once(&it.neither));
    sums_to(
        findings,
        "missing-agrees",
        at,
        absent,
        &flow.without_reference,
    );
    let unpredicted = it.no_prediction_events.plus(it.no_prediction_non_events);
    at_most(
        findings,
        "missing-agrees",
        at,
        &unpredicted,
        &flow.without_prediction,
    );
}

/// The subgroup table's row of a level that an estimate speaks about as a whole.
fn level_row<'a>(
    release: &'a ReceivedRelease,
    key: &EstimateKey,
) -> Option<&'a SubgroupRow<Disclosed>> {
    let whole = key.threshold.is_none() && key.sensitivity.is_none();
    let mut tables = release
        .statistics
        .iter()
        .filter_map(Statistic::subgroup_table);
    let of = |table: &&SubgroupTable<Disclosed>| {
        Some(&table.axis) == key.axis.as_ref() && table.endpoint == key.endpoint
    };
    let table = tables.find(of).filter(|_| whole)?;
    table
        .rows
        .iter()
        .find(|row| Some(&row.level) == key.level.as_ref())
}
