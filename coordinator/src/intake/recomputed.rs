//! Rates, ratios, gaps and intervals of a subgroup table that follow from exact cells are computed
//! again.
//!
//! From: `subgroups`.
//! To: findings.

use shared::numeric::{distribution, proportion};
use shared::statistic::subgroup::{Measure, SubgroupMeasure, SubgroupRow, SubgroupTable};
use shared::statistic::{Cell, Disclosed};
use shared::study::ProportionInterval;

use super::finding::{Finding, near};

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
pub(super) fn check(
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
