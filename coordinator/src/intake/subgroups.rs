//! Subgroup tables: the declared levels, sums over levels, measures in their ranges, rates, gaps
//! and intervals that follow from exact cells.
//!
//! From: a received release.
//! To: findings.

use shared::disclosure::document::ReceivedRelease;
use shared::numeric::{distribution, proportion};
use shared::statistic::confusion::Confusion;
use shared::statistic::subgroup::{Measure, SubgroupMeasure, SubgroupRow, SubgroupTable};
use shared::statistic::{Cell, Disclosed, Estimate, Statistic};
use shared::study::{ProportionInterval, StudyProtocol};

use super::consistency::flow;
use super::disparity;
use super::finding::{Finding, equal, near, ordered, slack_of, sums_to, within};
use super::keys::{levels, place};

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
            recomputed(it, row, protocol.intervals.proportion, &place, findings);
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

/// Exact 2x2 cells of a level, or of several.
#[derive(Clone, Copy, Default)]
struct Four {
    tp: u64,
    fp: u64,
    missed: u64,
    tn: u64,
}

impl Four {
    fn of(row: &SubgroupRow<Disclosed>) -> Option<Self> {
        Some(Self {
            tp: row.true_positive.exact()?,
            fp: row.false_positive.exact()?,
            missed: row.false_negative.exact()?,
            tn: row.true_negative.exact()?,
        })
    }

    fn plus(self, other: Self) -> Option<Self> {
        Some(Self {
            tp: self.tp.checked_add(other.tp)?,
            fp: self.fp.checked_add(other.fp)?,
            missed: self.missed.checked_add(other.missed)?,
            tn: self.tn.checked_add(other.tn)?,
        })
    }

    /// Numerator and denominator of a rate; `None` for what is no rate.
    fn rate(self, measure: Measure) -> Option<(u64, u64)> {
        let Self { tp, fp, missed, tn } = self;
        match measure {
            Measure::SelectionRate => Some((tp + fp, tp + fp + missed + tn)),
            Measure::Tpr => Some((tp, tp + missed)),
            Measure::Fpr => Some((fp, fp + tn)),
            Measure::Ppv => Some((tp, tp + fp)),
            Measure::Npv => Some((tn, tn + missed)),
            Measure::Auc | Measure::ObservedExpected | Measure::Brier | Measure::Xauc => None,
        }
    }

    /// Variance of log O:E, `(1 - O/n) / O`.
    #[expect(
        clippy::cast_precision_loss,
        reason = "counts above 2^53 are refused by `cells`"
    )]
    fn log_variance(self) -> Option<f64> {
        let events = (self.tp + self.missed) as f64;
        let n = events + (self.fp + self.tn) as f64;
        (events > 0.0 && events < n).then(|| (1.0 - events / n) / events)
    }
}

/// Confidence level of every interval a site sends.
const LEVEL: f64 = 0.95;

/// Whatever follows from exact cells is computed again.
fn recomputed(
    it: &SubgroupTable<Disclosed>,
    row: &SubgroupRow<Disclosed>,
    method: ProportionInterval,
    place: &str,
    findings: &mut Vec<Finding>,
) {
    let rest = it
        .rows
        .iter()
        .filter(|other| other.level != row.level)
        .try_fold(Four::default(), |sum, other| sum.plus(Four::of(other)?));
    let (Some(own), Some(rest)) = (Four::of(row), rest) else {
        return;
    };
    for entry in &row.measures {
        let place = format!("{place}: {:?}", entry.measure);
        if let (Some(one), Some(other)) = (own.rate(entry.measure), rest.rate(entry.measure)) {
            rate_recomputed(entry, method, one, other, &place, findings);
        } else {
            gap_interval_follows(entry, &place, findings);
        }
        if matches!(entry.measure, Measure::Auc | Measure::Xauc) {
            area_interval_centred(entry, &place, findings);
        }
        if entry.measure == Measure::ObservedExpected {
            ratio_recomputed(entry, own, rest, &place, findings);
        }
    }
}

#[expect(
    clippy::cast_precision_loss,
    reason = "counts above 2^53 are refused by `cells`"
)]
fn rate_recomputed(
    entry: &SubgroupMeasure<Disclosed>,
    method: ProportionInterval,
    (hits, n): (u64, u64),
    (other_hits, m): (u64, u64),
    place: &str,
    findings: &mut Vec<Finding>,
) {
    let rule = "rate-follows";
    let share = |hits: u64, n: u64| (n > 0).then(|| hits as f64 / n as f64);
    let (p, q) = (share(hits, n), share(other_hits, m));
    near(findings, rule, place, &entry.value, p);
    let interval = method.of(hits, n, LEVEL);
    near(
        findings,
        rule,
        place,
        &entry.low,
        interval.map(|interval| interval.lower),
    );
    near(
        findings,
        rule,
        place,
        &entry.high,
        interval.map(|interval| interval.upper),
    );
    let gap = proportion::newcombe_difference(hits, n, other_hits, m, LEVEL);
    near(
        findings,
        rule,
        place,
        &entry.gap,
        gap.map(|gap| gap.difference),
    );
    near(
        findings,
        rule,
        place,
        &entry.gap_low,
        gap.map(|gap| gap.interval.lower),
    );
    near(
        findings,
        rule,
        place,
        &entry.gap_high,
        gap.map(|gap| gap.interval.upper),
    );
    let variance = p
        .zip(q)
        .map(|(p, q)| p * (1.0 - p) / n as f64 + q * (1.0 - q) / m as f64);
    near(findings, rule, place, &entry.gap_variance, variance);
}

/// The gap's interval is the gap and its standard error, normal, inside the measure's range.
fn gap_interval_follows(
    entry: &SubgroupMeasure<Disclosed>,
    place: &str,
    findings: &mut Vec<Finding>,
) {
    let (Some(gap), Some(variance)) = (entry.gap.exact(), entry.gap_variance.exact()) else {
        return;
    };
    let Some(critical) = distribution::normal_critical(LEVEL).filter(|_| variance >= 0.0) else {
        return;
    };
    let reach = if entry.measure == Measure::ObservedExpected {
        f64::MAX
    } else {
        1.0
    };
    let half = critical * variance.sqrt();
    let ends = [(gap - half).max(-reach), (gap + half).min(reach)];
    near(
        findings,
        "gap-interval",
        place,
        &entry.gap_low,
        Some(ends[0]),
    );
    near(
        findings,
        "gap-interval",
        place,
        &entry.gap_high,
        Some(ends[1]),
    );
}

/// An AUC's interval is symmetric about it on the logit scale.
fn area_interval_centred(
    entry: &SubgroupMeasure<Disclosed>,
    place: &str,
    findings: &mut Vec<Finding>,
) {
    let logit = |cell: &Cell<f64>| cell.exact().and_then(distribution::logit);
    if let (Some(value), Some(low), Some(high)) =
        (logit(&entry.value), logit(&entry.low), logit(&entry.high))
        && (low + high - 2.0 * value).abs() > 1e-6 * (1.0 + low.abs() + high.abs())
    {
        findings.push(Finding::new(
            "interval-contains-value",
            place,
            "the interval is not centred on its value on the logit scale",
        ));
    }
}

fn ratio_recomputed(
    entry: &SubgroupMeasure<Disclosed>,
    own: Four,
    rest: Four,
    place: &str,
    findings: &mut Vec<Finding>,
) {
    let rule = "ratio-follows";
    let variance = own.log_variance();
    let sum = variance.zip(rest.log_variance()).map(|(a, b)| a + b);
    near(findings, rule, place, &entry.gap_variance, sum);
    let critical = distribution::normal_critical(LEVEL);
    let (Some(ratio), Some(variance), Some(critical)) = (entry.value.exact(), variance, critical)
    else {
        return;
    };
    let factor = (critical * variance.sqrt()).exp();
    near(findings, rule, place, &entry.low, Some(ratio / factor));
    near(findings, rule, place, &entry.high, Some(ratio * factor));
}
