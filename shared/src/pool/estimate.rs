//! From released statistics to one site's row in a forest plot: estimate, interval, and the
//! pair (yi, vi) on the pooling scale, all computed from what was released.
//!
//! From: `statistic` (disclosed).
//! To: `analysis`.

use super::result::{Correction, Excluded, Metric, Scale, SiteEstimate, SiteResult};
use crate::numeric::proportion::logit_with_correction;
use crate::numeric::sum::count;
use crate::numeric::{delong, distribution};
use crate::statistic::analysis_set::LEVEL;
use crate::statistic::confusion::{Confusion, RateMeasure};
use crate::statistic::stage::{Cell, Disclosed, Undefined};
use crate::statistic::subgroup::{Measure, SubgroupRow};
use crate::statistic::{Estimate, auc, observed_expected, paired_auc};
use crate::study::SiteRole;

/// Fewer cases than this on either side of a gap: the site does not enter the gap's pool.
pub use crate::statistic::disparity::MIN_GROUP;

/// What one statistic says about one site.
pub(super) struct Reading {
    pub(super) n: Cell<u64>,
    pub(super) events: Cell<u64>,
    pub(super) estimate: Cell<f64>,
    pub(super) interval: Band,
    /// Estimate and variance on the pooling scale.
    pub(super) point: Result<(f64, f64), Excluded>,
    /// The same where patients repeat at the site; absent where `point` holds for both.
    pub(super) clustered: Option<Result<(f64, f64), Excluded>>,
    /// What `point` needed at the end of its scale.
    pub(super) correction: Option<Correction>,
    /// Exact events and cases of a proportion.
    pub(super) counts: Option<[u64; 2]>,
}

impl Reading {
    /// A reading whose point needed nothing.
    fn plain(
        (n, events): (Cell<u64>, Cell<u64>),
        estimate: Cell<f64>,
        interval: Band,
        point: Result<(f64, f64), Excluded>,
    ) -> Self {
        Self {
            n,
            events,
            estimate,
            interval,
            point,
            clustered: None,
            correction: None,
            counts: None,
        }
    }
}

/// Where the interval comes from.
pub(super) enum Band {
    /// Computed here from the point and its variance.
    FromPoint,
    /// Computed by the site on its rows.
    Given(Cell<f64>, Cell<f64>),
}

impl Reading {
    /// The site's row at confidence `level` on `scale`.
    pub(super) fn row(self, site: &SiteResult, scale: Scale, level: f64) -> SiteEstimate {
        let clustered = self.clustered.filter(|_| site.clustered);
        let point = clustered.unwrap_or(self.point);
        let (low, high) = match self.interval {
            Band::Given(low, high) => (low, high),
            Band::FromPoint if self.correction.is_some() => {
                band(self.estimate, Err(Excluded::NoVariance), scale, level)
            }
            Band::FromPoint => band(self.estimate, point, scale, level),
        };
        let excluded = if site.role == SiteRole::External {
            point.err()
        } else {
            Some(Excluded::NotExternal)
        };
        SiteEstimate {
            site: site.site.clone(),
            role: site.role,
            n: self.n,
            events: self.events,
            estimate: self.estimate,
            low,
            high,
            yi: point.ok().map(|point| point.0),
            vi: point.ok().map(|point| point.1),
            weight: None,
            excluded,
            correction: self
                .correction
                .filter(|_| clustered.is_none() && point.is_ok()),
            counts: self.counts.filter(|_| !site.clustered),
        }
    }
}

/// A normal interval on the pooling scale, back-transformed.
fn band(
    estimate: Cell<f64>,
    point: Result<(f64, f64), Excluded>,
    scale: Scale,
    level: f64,
) -> (Cell<f64>, Cell<f64>) {
    let critical = distribution::normal_critical(level);
    if let (Ok((yi, vi)), Some(critical)) = (point, critical) {
        let half = critical * libm::sqrt(vi);
        let low = scale.natural(yi - half).map(|value| Cell::Value { value });
        let high = scale.natural(yi + half).map(|value| Cell::Value { value });
        if let (Some(low), Some(high)) = (low, high) {
            return (low, high);
        }
    }
    let none = match estimate {
        Cell::Suppressed { lo, hi } => Cell::Suppressed { lo, hi },
        Cell::NotComputed { reason } => Cell::NotComputed { reason },
        Cell::Value { .. } | Cell::Rounded { .. } | Cell::Zero => Cell::NotComputed {
            reason: Undefined::NoVariance,
        },
    };
    (none, none)
}

/// The released number, or why the site cannot enter a pool.
fn number(cell: &Cell<f64>) -> Result<f64, Excluded> {
    match cell {
        Cell::Value { value } | Cell::Rounded { value, .. } => Ok(*value),
        Cell::Zero => Ok(0.0),
        Cell::Suppressed { .. } => Err(Excluded::Suppressed),
        Cell::NotComputed { .. } => Err(Excluded::NotEstimable),
    }
}

fn variance(cell: &Cell<f64>) -> Result<f64, Excluded> {
    match cell {
        Cell::NotComputed { .. } | Cell::Zero => Err(Excluded::NoVariance),
        Cell::Value { .. } | Cell::Rounded { .. } | Cell::Suppressed { .. } => number(cell)
            .and_then(|value| {
                if value > 0.0 {
                    Ok(value)
                } else {
                    Err(Excluded::NoVariance)
                }
            }),
    }
}

/// Logit AUC with `var(A) / (A (1 - A))^2`. An area at the end of its scale, or of a single
/// event or non-event, has a correction instead of a variance of its own (decision C1).
pub(super) fn area(one: &auc::Auc<Disclosed>) -> Reading {
    let logit = |area: f64, spread: f64| {
        let yi = distribution::logit(area).ok_or(Excluded::NotEstimable)?;
        let slope = area * (1.0 - area);
        Ok((yi, spread / (slope * slope)))
    };
    let own = number(&one.auc).and_then(|area| logit(area, variance(&one.variance)?));
    let counts = one.events.number().zip(one.non_events.number());
    let corrected = number(&one.auc)
        .ok()
        .zip(counts)
        .filter(|_| own.is_err() && !one.variance.is_suppressed())
        .and_then(|(area, (events, non_events))| corrected(area, events, non_events));
    let mut reading = Reading::plain(
        (one.events.plus(one.non_events), one.events),
        one.auc,
        Band::FromPoint,
        own,
    );
    if let Some((area, spread, how)) = corrected {
        reading.point = logit(area, spread);
        // The correction counts patients; where they repeat there is none.
        reading.clustered = Some(Err(Excluded::NoVariance));
        reading.correction = Some(how);
    }
    reading
}

/// An area and a variance where the site's own are at the end of the scale.
///
/// At 0 or 1, one event and one non-event are added that tie with everybody: the area moves in
/// by about half the sum of one over each class's size, and DeLong's variance of the enlarged
/// table has a closed form, since all placements but the added ones are alike. With a single
/// event or non-event there is no variance within that class, and Hanley and McNeil's (1982,
/// doi:10.1148/radiology.143.1.7063747) takes its place.
fn corrected(area: f64, events: u64, non_events: u64) -> Option<(f64, f64, Correction)> {
    let (m, n) = (count(events), count(non_events));
    if m == 0.0 || n == 0.0 {
        return None;
    }
    if area > 0.0 && area < 1.0 {
        let single = events == 1 || non_events == 1;
        let spread = delong::hanley_mcneil_variance(area, events, non_events)?;
        return (single && spread > 0.0).then_some((area, spread, Correction::HanleyMcNeil));
    }
    let moved = (m * n * area + (m + n + 1.0) / 2.0) / ((m + 1.0) * (n + 1.0));
    let part = |own: f64, other: f64| {
        let gap = other / (2.0 * (other + 1.0));
        gap * gap / ((own + 1.0) * (own + 1.0))
    };
    Some((moved, part(m, n) + part(n, m), Correction::TiedPairAdded))
}

/// The paired difference as it is.
pub(super) fn difference(one: &paired_auc::PairedAuc<Disclosed>) -> Reading {
    let point = number(&one.difference).and_then(|value| Ok((value, variance(&one.variance)?)));
    Reading::plain(
        (one.events.plus(one.non_events), one.events),
        one.difference,
        Band::FromPoint,
        point,
    )
}

/// log(O:E) with the site's variance.
pub(super) fn ratio(one: &observed_expected::ObservedExpected<Disclosed>) -> Reading {
    let point = number(&one.ratio).and_then(|value| {
        if value > 0.0 {
            Ok((libm::log(value), variance(&one.log_variance)?))
        } else {
            Err(Excluded::NotEstimable)
        }
    });
    Reading::plain((one.n, one.observed), one.ratio, Band::FromPoint, point)
}

/// An estimate with the interval its site computed; on the metric's scale it has the variance
/// that came with it.
pub(super) fn released(one: &Estimate<Disclosed>) -> Reading {
    let scale = one.key.metric.entry().scale;
    let point = number(&one.value).and_then(|value| {
        let yi = scale.forward(value).ok_or(Excluded::NotEstimable)?;
        Ok((yi, variance(&one.variance)?))
    });
    Reading::plain(
        (one.n, one.events),
        one.value,
        Band::Given(one.low, one.high),
        point,
    )
}

/// A rate at a threshold, with the interval the site computed; on the logit scale from its
/// counts, or from that interval where patients repeat.
pub(super) fn rate(one: &Confusion<Disclosed>, measure: RateMeasure) -> Option<Reading> {
    let rate = one.rates.iter().find(|rate| rate.measure == measure)?;
    let [hits, misses] = hits(one, measure);
    let counts = hits.exact().zip(misses.exact());
    let near = hits.number().zip(misses.number());
    let point = number(&rate.value).and_then(|share| {
        let (hits, misses) = near.ok_or(Excluded::Suppressed)?;
        let (yi, vi) = logit_with_correction(hits, hits + misses).ok_or(Excluded::NotEstimable)?;
        // Counts may be rounded; the share was computed on exact rows.
        Ok((distribution::logit(share).unwrap_or(yi), vi))
    });
    let at_end = near.is_some_and(|(hits, misses)| hits == 0 || misses == 0);
    let mut reading = Reading::plain(
        (rate.n, one.true_positive.plus(one.false_negative)),
        rate.value,
        Band::Given(rate.low, rate.high),
        point,
    );
    reading.clustered = Some(from_interval(&rate.value, &rate.low, &rate.high));
    reading.correction = (at_end && point.is_ok()).then_some(Correction::HalfAdded);
    reading.counts = counts.map(|(hits, misses)| [hits, hits + misses]);
    Some(reading)
}

/// A share with the variance that its 95 % interval, symmetric on the logit scale, says.
fn from_interval(
    share: &Cell<f64>,
    low: &Cell<f64>,
    high: &Cell<f64>,
) -> Result<(f64, f64), Excluded> {
    let logit = |cell: &Cell<f64>| {
        number(cell).and_then(|value| distribution::logit(value).ok_or(Excluded::NoVariance))
    };
    let width = logit(high)? - logit(low)?;
    let critical = distribution::normal_critical(LEVEL).ok_or(Excluded::NoVariance)?;
    let spread = width / (2.0 * critical);
    if spread > 0.0 {
        Ok((logit(share)?, spread * spread))
    } else {
        Err(Excluded::NoVariance)
    }
}

/// The cells of a rate that count for it and against it.
fn hits(one: &Confusion<Disclosed>, measure: RateMeasure) -> [Cell<u64>; 2] {
    let sum = |a: &Cell<u64>, b: &Cell<u64>| a.plus(*b);
    let (tp, fp) = (&one.true_positive, &one.false_positive);
    let (fn_, tn) = (&one.false_negative, &one.true_negative);
    match measure {
        RateMeasure::Sensitivity => [*tp, *fn_],
        RateMeasure::Specificity => [*tn, *fp],
        RateMeasure::Ppv => [*tp, *fp],
        RateMeasure::Npv => [*tn, *fn_],
        RateMeasure::SelectionRate => [sum(tp, fp), sum(fn_, tn)],
        RateMeasure::Prevalence => [sum(tp, fn_), sum(fp, tn)],
    }
}

/// A level's gap to the rest of the same site; `total` is the number of cases at the site.
pub(super) fn gap(
    row: &SubgroupRow<Disclosed>,
    measure: Measure,
    total: Cell<u64>,
) -> Option<Reading> {
    let one = row.measures.iter().find(|one| one.measure == measure)?;
    let log = measure == Measure::ObservedExpected;
    let level = row.n.number().unwrap_or(0);
    let rest = total.number().unwrap_or(0).saturating_sub(level);
    let point = if row.n.number().is_some() && (level < MIN_GROUP || rest < MIN_GROUP) {
        Err(Excluded::SmallGroup)
    } else {
        number(&one.gap).and_then(|value| Ok((value, variance(&one.gap_variance)?)))
    };
    let shown = |cell: Cell<f64>| if log { exponential(cell) } else { cell };
    Some(Reading::plain(
        (row.n, row.events),
        shown(one.gap),
        Band::Given(shown(one.gap_low), shown(one.gap_high)),
        point,
    ))
}

/// A log ratio on its natural scale.
fn exponential(cell: Cell<f64>) -> Cell<f64> {
    let finite = |value: f64| if value.is_finite() { value } else { f64::MAX };
    match cell {
        Cell::Value { value } => Cell::Value {
            value: libm::exp(value),
        },
        Cell::Zero => Cell::Value { value: 1.0 },
        Cell::Rounded { value, lo, hi } => Cell::Rounded {
            value: libm::exp(value),
            lo: libm::exp(lo),
            hi: finite(libm::exp(hi)),
        },
        Cell::Suppressed { .. } => Cell::Suppressed {
            lo: 0.0,
            hi: f64::MAX,
        },
        Cell::NotComputed { reason } => Cell::NotComputed { reason },
    }
}

/// The metric of a rate.
pub(super) fn rate_metric(measure: RateMeasure) -> Metric {
    match measure {
        RateMeasure::Sensitivity => Metric::Sensitivity,
        RateMeasure::Specificity => Metric::Specificity,
        RateMeasure::Ppv => Metric::Ppv,
        RateMeasure::Npv => Metric::Npv,
        RateMeasure::SelectionRate => Metric::SelectionRate,
        RateMeasure::Prevalence => Metric::Prevalence,
    }
}

/// The gap metric of a subgroup measure.
pub(super) fn gap_metric(measure: Measure) -> Metric {
    match measure {
        Measure::SelectionRate => Metric::GapSelectionRate,
        Measure::Tpr => Metric::GapTpr,
        Measure::Fpr => Metric::GapFpr,
        Measure::Ppv => Metric::GapPpv,
        Measure::Auc => Metric::GapAuc,
        Measure::ObservedExpected => Metric::GapObservedExpected,
        Measure::Npv => Metric::GapNpv,
        Measure::Brier => Metric::GapBrier,
        Measure::Xauc => Metric::GapXauc,
    }
}

#[cfg(test)]
mod tests;
