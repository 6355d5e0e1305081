//! Bins of predictions, whose sums add: expected calibration error, and the Brier score taken
//! apart.
//!
//! From: `statistic::calibration`, `pool` (added bins).
//! To: plain numbers.

use crate::numeric::sum::{Neumaier, count, sum_iter};

/// The sums of the rows whose prediction falls into one bin.
#[derive(Clone, Copy, Debug, Default, PartialEq)]
pub struct Bin {
    /// Rows.
    pub n: u64,
    /// Rows with the event.
    pub events: u64,
    /// Sum of predictions.
    pub p: f64,
    /// Sum of squared predictions.
    pub p2: f64,
    /// Sum of predictions of events.
    pub py: f64,
}

impl Bin {
    /// Both bins' rows.
    #[must_use]
    pub fn merge(self, other: Self) -> Self {
        Self {
            n: self.n.saturating_add(other.n),
            events: self.events.saturating_add(other.events),
            p: self.p + other.p,
            p2: self.p2 + other.p2,
            py: self.py + other.py,
        }
    }

    /// Mean prediction less the share of events; `None` for an empty bin.
    pub fn gap(&self) -> Option<f64> {
        (self.n > 0).then(|| (self.p - count(self.events)) / count(self.n))
    }
}

/// The place of `p`, in `[0, 1]`, among `bins` bins of equal width: `floor(p bins)`, with 1 in
/// the last.
#[expect(
    clippy::cast_possible_truncation,
    clippy::cast_sign_loss,
    reason = "a place between 0 and the number of bins"
)]
pub fn equal_width(p: f64, bins: usize) -> usize {
    let place = (p * count(bins as u64)).floor().max(0.0);
    (place as usize).min(bins.saturating_sub(1))
}

/// The sums per bin; `place` names a prediction's bin, predictions beyond `bins` are left out.
pub fn collect(
    predictions: &[f64],
    outcome: &[bool],
    bins: usize,
    place: impl Fn(f64) -> usize,
) -> Vec<Bin> {
    let mut sums = vec![([Neumaier::default(); 3], 0_u64, 0_u64); bins];
    for (p, event) in predictions.iter().zip(outcome) {
        let Some((parts, n, events)) = sums.get_mut(place(*p)) else {
            continue;
        };
        let py = if *event { *p } else { 0.0 };
        for (sum, term) in parts.iter_mut().zip([*p, p * p, py]) {
            sum.add(term);
        }
        *n += 1;
        *events += u64::from(*event);
    }
    let bin = |([p, p2, py], n, events): ([Neumaier; 3], u64, u64)| Bin {
        n,
        events,
        p: p.total(),
        p2: p2.total(),
        py: py.total(),
    };
    sums.into_iter().map(bin).collect()
}

/// Calibration error over bins.
#[derive(Clone, Copy, Debug, PartialEq)]
pub struct CalibrationError {
    /// Expected calibration error: mean absolute gap, bins weighted by their rows.
    pub expected: f64,
    /// Largest absolute gap of a bin.
    pub largest: f64,
}

/// Expected and largest calibration error (Pakdaman Naeini, Cooper and Hauskrecht 2015,
/// doi:10.1609/aaai.v29i1.9602); `None` without rows. Both are biased upward in small samples:
/// chance alone makes gaps.
pub fn calibration_error(bins: &[Bin]) -> Option<CalibrationError> {
    let n: u64 = bins.iter().map(|bin| bin.n).sum();
    let gaps = || {
        bins.iter()
            .filter_map(|bin| Some((bin.n, bin.gap()?.abs())))
    };
    (n > 0).then(|| CalibrationError {
        expected: sum_iter(gaps().map(|(n, gap)| count(n) * gap)) / count(n),
        largest: gaps().map(|(_, gap)| gap).fold(0.0, f64::max),
    })
}

/// The Brier score as reliability - resolution + uncertainty + variance within bins - covariance
/// within bins (Stephenson, Coelho and Jolliffe 2008, doi:10.1175/2007WAF2006116.1). The first
/// three alone are the Brier score of binned predictions, not of the predictions.
#[derive(Clone, Copy, Debug, PartialEq)]
pub struct Decomposition {
    /// Mean squared gap between mean prediction and share of events of a bin; 0 is best.
    pub reliability: f64,
    /// Mean squared gap between a bin's share of events and all; larger is better.
    pub resolution: f64,
    /// Variance of the outcome, `pi (1 - pi)`.
    pub uncertainty: f64,
    /// Mean variance of the predictions within bins.
    pub within_variance: f64,
    /// Twice the mean covariance of prediction and outcome within bins.
    pub within_covariance: f64,
}

impl Decomposition {
    /// The Brier score the parts add to.
    pub fn brier(&self) -> f64 {
        self.reliability - self.resolution + self.uncertainty + self.within_variance
            - self.within_covariance
    }

    /// The parts from bins; `None` without rows.
    pub fn of(bins: &[Bin]) -> Option<Self> {
        let n: u64 = bins.iter().map(|bin| bin.n).sum();
        if n == 0 {
            return None;
        }
        let events: u64 = bins.iter().map(|bin| bin.events).sum();
        let (all, share) = (count(n), count(events) / count(n));
        let over = |term: &dyn Fn(&Bin, f64, f64) -> f64| {
            let used = bins.iter().filter(|bin| bin.n > 0);
            sum_iter(used.map(|bin| term(bin, count(bin.n), count(bin.events)))) / all
        };
        let square = |x: f64| x * x;
        Some(Self {
            reliability: over(&|bin, n, y| square(bin.p - y) / n),
            resolution: over(&|_, n, y| n * square(y / n - share)),
            uncertainty: share * (1.0 - share),
            within_variance: over(&|bin, n, _| (bin.p2 - bin.p * bin.p / n).max(0.0)),
            within_covariance: over(&|bin, n, y| 2.0 * (bin.py - bin.p * y / n)),
        })
    }
}
