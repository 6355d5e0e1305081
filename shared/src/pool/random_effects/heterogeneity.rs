//! The Q-profile: which between-site variances the spread of the estimates is compatible with.
//!
//! From: `random_effects`.
//! To: `random_effects`.

use super::model::Model;
use crate::numeric::Interval;
use crate::numeric::distribution::bisect;

/// The set of `tau2` for which the generalised Q lies between the chi-squared quantiles of
/// `k - 1` degrees of freedom; `[0, 0]` where it is empty. `None` for an unusable level or
/// where no finite upper limit exists.
pub(super) fn q_profile(
    model: &Model<'_>,
    level: f64,
    quantile: impl Fn(f64) -> Option<f64>,
) -> Option<Interval> {
    let tail = 0.5 - level / 2.0;
    let lower = solve(model, quantile(1.0 - tail)?)?;
    let upper = solve(model, quantile(tail)?)?;
    Interval::new(lower, upper)
}

/// Where the generalised Q, which falls as `tau2` rises, meets `target`; 0 if it starts below.
pub(super) fn solve(model: &Model<'_>, target: f64) -> Option<f64> {
    let above = |tau2: f64| model.at(tau2).q > target;
    if !above(0.0) {
        return Some(0.0);
    }
    let mut high = model.vi.iter().copied().fold(0.0, f64::max);
    while above(high) {
        high *= 2.0;
        if !high.is_finite() {
            return None;
        }
    }
    Some(bisect(0.0, high, above))
}
