//! From released statistics to one site's row in a forest plot: estimate, interval, and the
//! pair (yi, vi) on the pooling scale, all computed from what was released.
//!
//! From: `statistic` (disclosed).
//! To: `analysis`.

use super::result::{Excluded, Metric, Scale, SiteEstimate, SiteResult};
use crate::numeric::distribution;
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
        let (low, high) = match self.interval {
            Band::Given(low, high) => (low, high),
            Band::FromPoint => band(self.estimate, self.point, scale, level),
        };
        let point = self.point.ok();
        let excluded = if site.role == SiteRole::External {
            self.point.err()
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
            yi: point.map(|point| point.0),
            vi: point.map(|point| point.1),
            weight: None,
            excluded,
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

/// Logit AUC with `var(A) / (A (1 - A))^2`.
pub(super) fn area(one: &auc::Auc<Disclosed>) -> Reading {
    let point = number(&one.auc).and_then(|area| {
        let spread = variance(&one.variance)?;
        let yi = distribution::logit(area).ok_or(Excluded::NotEstimable)?;
        let slope = area * (1.0 - area);
        Ok((yi, spread / (slope * slope)))
    });
    Reading {
        n: one.events.plus(one.non_events),
        events: one.events,
        estimate: one.auc,
        interval: Band::FromPoint,
        point,
    }
}

/// The paired difference as it is.
pub(super) fn difference(one: &paired_auc::PairedAuc<Disclosed>) -> Reading {
    let point = number(&one.difference).and_then(|value| Ok((value, variance(&one.variance)?)));
    Reading {
        n: one.events.plus(one.non_events),
        events: one.events,
        estimate: one.difference,
        interval: Band::FromPoint,
        point,
    }
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
    Reading {
        n: one.n,
        events: one.observed,
        estimate: one.ratio,
        interval: Band::FromPoint,
        point,
    }
}

/// An estimate with the interval its site computed; on the metric's scale it has the variance
/// that came with it.
pub(super) fn released(one: &Estimate<Disclosed>) -> Reading {
    let scale = one.key.metric.entry().scale;
    let point = number(&one.value).and_then(|value| {
        let yi = scale.forward(value).ok_or(Excluded::NotEstimable)?;
        Ok((yi, variance(&one.variance)?))
    });
    Reading {
        n: one.n,
        events: one.events,
        estimate: one.value,
        interval: Band::Given(one.low, one.high),
        point,
    }
}

/// A rate at a threshold, with the interval the site computed.
pub(super) fn rate(one: &Confusion<Disclosed>, measure: RateMeasure) -> Option<Reading> {
    let rate = one.rates.iter().find(|rate| rate.measure == measure)?;
    Some(Reading {
        n: rate.n,
        events: one.true_positive.plus(one.false_negative),
        estimate: rate.value,
        interval: Band::Given(rate.low, rate.high),
        point: Err(Excluded::NotEstimable),
    })
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
    Some(Reading {
        n: row.n,
        events: row.events,
        estimate: shown(one.gap),
        interval: Band::Given(shown(one.gap_low), shown(one.gap_high)),
        point,
    })
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
