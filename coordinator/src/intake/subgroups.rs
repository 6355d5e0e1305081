//! Subgroup tables: the declared levels, sums over levels, measures in their ranges.
//!
//! From: a received release.
//! To: findings.

use shared::disclosure::document::ReceivedRelease;
use shared::statistic::confusion::Confusion;
use shared::statistic::subgroup::{Measure, SubgroupMeasure, SubgroupRow, SubgroupTable};
use shared::statistic::{Cell, Disclosed, Estimate, Statistic};
use shared::study::StudyProtocol;

use super::consistency::flow;
use super::disparity;
use super::finding::{Finding, equal, ordered, slack_of, sums_to, within};
use super::keys::{levels, place};
use super::recomputed;

/// Checks every subgroup and contingency table.
pub(super) fn check(
    release: &ReceivedRelease,
    protocol: &StudyProtocol,
    findings: &mut Vec<Finding>,
) {
    let slack = slack_of(&release.header.policy.profile);
    for statistic in &release.statistics {
        let at = place(statistic);
        if let Statistic::SubgroupTable(it) = statistic {
            subgroup(it, release, protocol, &at, slack, findings);
        }
        if let Statistic::Estimate(it) = statistic {
            estimate(it, release, &at, findings);
        }
    }
}

/// An estimate at a level is about the cases of that level.
fn estimate(
    it: &Estimate<Disclosed>,
    release: &ReceivedRelease,
    at: &str,
    findings: &mut Vec<Finding>,
) {
    let key = &it.key;
    let (Some(axis), Some(level), None) = (&key.axis, &key.level, &key.sensitivity) else {
        return;
    };
    let mut tables = release
        .statistics
        .iter()
        .filter_map(Statistic::subgroup_table);
    let table = tables.find(|table| table.axis == *axis && table.endpoint == key.endpoint);
    let row = table.and_then(|table| table.rows.iter().find(|row| row.level == *level));
    if let Some(row) = row {
        equal(findings, "level-agrees", at, &it.n, &row.n);
        equal(findings, "level-agrees", at, &it.events, &row.events);
    }
}

fn subgroup(
    it: &SubgroupTable<Disclosed>,
    release: &ReceivedRelease,
    protocol: &StudyProtocol,
    at: &str,
    slack: f64,
    findings: &mut Vec<Finding>,
) {
    let given = it.rows.iter().map(|row| &row.level);
    if !given.eq(levels(protocol, &it.axis).iter()) {
        findings.push(Finding::new(
            "levels",
            at,
            "the levels are not the declared ones",
        ));
    }
    if let Some(flow) = flow(release, &it.endpoint) {
        let n = it.rows.iter().map(|row| &row.n);
        sums_to(findings, "levels-sum", at, n, &flow.analysed);
        let events = it.rows.iter().map(|row| &row.events);
        sums_to(findings, "levels-sum", at, events, &flow.events);
        let rest = it.rows.iter().map(|row| &row.non_events);
        sums_to(findings, "levels-sum", at, rest, &flow.non_events);
    }
    whole_table_agrees(it, release, at, findings);
    disparity::check(it, release.header.clustered, at, slack, findings);
    for row in &it.rows {
        let place = format!("{at}: {}", row.level);
        let classes = [&row.events, &row.non_events];
        sums_to(
            findings,
            "level-classes",
            &place,
            classes.into_iter(),
            &row.n,
        );
        axis_count_agrees(release, it, row, &place, findings);
        let known = row.measures.iter().map(|measure| measure.measure);
        if !known.eq(Measure::ALL.iter().copied()) {
            findings.push(Finding::new(
                "measures",
                &place,
                "the measures are not those known",
            ));
        }
        let events = [&row.true_positive, &row.false_negative];
        sums_to(
            findings,
            "level-classes",
            &place,
            events.into_iter(),
            &row.events,
        );
        let rest = [&row.false_positive, &row.true_negative];
        sums_to(
            findings,
            "level-classes",
            &place,
            rest.into_iter(),
            &row.non_events,
        );
        for entry in &row.measures {
            measure(entry, &place, slack, findings);
        }
        if !release.header.clustered {
            recomputed::check(it, row, protocol.intervals.proportion, &place, findings);
        }
    }
}

/// The level has as many cases as the characteristics say.
fn axis_count_agrees(
    release: &ReceivedRelease,
    it: &SubgroupTable<Disclosed>,
    row: &SubgroupRow<Disclosed>,
    place: &str,
    findings: &mut Vec<Finding>,
) {
    for statistic in &release.statistics {
        let Statistic::Characteristics(all) = statistic else {
            continue;
        };
        if all.endpoint != it.endpoint {
            continue;
        }
        let axes = all.axes.iter().filter(|axis| axis.axis == it.axis);
        for level in axes.flat_map(|axis| &axis.levels) {
            if level.level == row.level {
                equal(findings, "level-agrees", place, &row.n, &level.n);
            }
        }
    }
}

fn measure(it: &SubgroupMeasure<Disclosed>, place: &str, slack: f64, findings: &mut Vec<Finding>) {
    let place = format!("{place}: {:?}", it.measure);
    let ratio = it.measure == Measure::ObservedExpected;
    let (top, gap) = if ratio {
        (f64::MAX, f64::MAX)
    } else {
        (1.0, 1.0)
    };
    for cell in [&it.value, &it.low, &it.high] {
        within(findings, "measure-range", &place, cell, 0.0, top);
    }
    for cell in [&it.gap, &it.gap_low, &it.gap_high] {
        within(findings, "gap-range", &place, cell, -gap, gap);
    }
    within(
        findings,
        "variance-range",
        &place,
        &it.gap_variance,
        0.0,
        f64::MAX,
    );
    ordered(findings, &place, &it.low, &it.value, &it.high, slack);
    ordered(findings, &place, &it.gap_low, &it.gap, &it.gap_high, slack);
}

/// Over all levels, the 2x2 tables sum to the site's at the same threshold.
fn whole_table_agrees(
    it: &SubgroupTable<Disclosed>,
    release: &ReceivedRelease,
    at: &str,
    findings: &mut Vec<Finding>,
) {
    let whole = release.statistics.iter().find_map(|statistic| {
        let Statistic::Confusion(table) = statistic else {
            return None;
        };
        let same = table.model == it.model
            && table.endpoint == it.endpoint
            && table.threshold.to_bits() == it.threshold.to_bits();
        same.then_some(table)
    });
    let Some(whole) = whole else {
        return;
    };
    type Of = fn(&SubgroupRow<Disclosed>) -> &Cell<u64>;
    type In = fn(&Confusion<Disclosed>) -> &Cell<u64>;
    let pairs: [(Of, In); 4] = [
        (|row| &row.true_positive, |table| &table.true_positive),
        (|row| &row.false_positive, |table| &table.false_positive),
        (|row| &row.false_negative, |table| &table.false_negative),
        (|row| &row.true_negative, |table| &table.true_negative),
    ];
    for (of, within) in pairs {
        sums_to(
            findings,
            "levels-sum",
            at,
            it.rows.iter().map(of),
            within(whole),
        );
    }
}
