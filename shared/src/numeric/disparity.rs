//! How far the levels of a subgroup axis lie apart: the largest minus the smallest value,
//! what that range would be if all levels were equal, and an interval that is honest about
//! having looked for the extremes.
//!
//! The range of several estimates is never 0, so its naive interval excludes 0 although
//! nothing differs (decision C10). Here the interval is built from intervals of all levels
//! that hold together (Sidak 1967, doi:10.1080/01621459.1967.10482935): whatever the levels'
//! true values within them, the range lies between the gap of the extreme intervals and their
//! outer distance. It covers at least the level, and more where levels are many.
//!
//! From: `statistic::disparity` (levels of one site), `pool` (levels over sites).
//! To: the report's table of disparities.

use super::distribution::{normal_critical, normal_sf};
use super::interval::{Interval, Test};
use super::sum::{Neumaier, count, sum_iter};

/// Terms of a binomial law smaller than this are not summed.
const NEGLIGIBLE: f64 = 1e-20;

/// Largest minus smallest value, at least 0; `None` below two values.
pub fn range(values: &[f64]) -> Option<f64> {
    let (low, high) = extremes(values)?;
    Some(high - low).filter(|range| range.is_finite())
}

/// Smallest over largest value, in `[0, 1]` for values at least 0; `None` below two values or
/// if the largest is 0.
pub fn ratio(values: &[f64]) -> Option<f64> {
    let (low, high) = extremes(values)?;
    (low >= 0.0 && high > 0.0)
        .then(|| low / high)
        .filter(|ratio| ratio.is_finite())
}

fn extremes(values: &[f64]) -> Option<(f64, f64)> {
    if values.len() < 2 {
        return None;
    }
    let low = values.iter().copied().reduce(f64::min)?;
    let high = values.iter().copied().reduce(f64::max)?;
    Some((low, high))
}

/// The confidence level each of `levels` intervals must have so that all hold together with
/// `level`, if the groups are independent.
pub fn each_level(level: f64, levels: usize) -> Option<f64> {
    (levels > 0 && level > 0.0 && level < 1.0).then(|| libm::pow(level, 1.0 / count(levels as u64)))
}

/// The interval of the range of true values, from intervals that hold together (each at
/// [`each_level`]); its lower end is 0 if one value lies in all of them. `None` below two.
pub fn range_interval(together: &[Interval]) -> Option<Interval> {
    let lowers: Vec<f64> = together.iter().map(|i| i.lower).collect();
    let uppers: Vec<f64> = together.iter().map(|i| i.upper).collect();
    let ((lowest, highest_lower), (lowest_upper, highest)) =
        (extremes(&lowers)?, extremes(&uppers)?);
    Interval::new((highest_lower - lowest_upper).max(0.0), highest - lowest)
}

/// The expected range of the shares of independent groups of `sizes` cases that all have the
/// event with probability `share`: exact, from the groups' binomial laws. Groups of nobody
/// are passed over. `None` below two groups or for a share outside `[0, 1]`.
pub fn expected_range_of_shares(sizes: &[u64], share: f64) -> Option<f64> {
    let sizes: Vec<u64> = sizes.iter().copied().filter(|n| *n > 0).collect();
    if sizes.len() < 2 || !(0.0..=1.0).contains(&share) {
        return None;
    }
    // Where each group's distribution function jumps, and by how much.
    let mut jumps: Vec<(f64, usize, f64)> = Vec::new();
    for (group, n) in sizes.iter().enumerate() {
        let law = binomial_law(*n, share);
        jumps.extend(
            law.into_iter()
                .map(|(k, p)| (count(k) / count(*n), group, p)),
        );
    }
    jumps.sort_by(|a, b| a.0.total_cmp(&b.0).then(a.1.cmp(&b.1)));
    let mut below = vec![0.0_f64; sizes.len()];
    let mut area = Neumaier::default();
    for pair in jumps.windows(2) {
        let (at, group, step) = pair[0];
        below[group] += step;
        let width = pair[1].0 - at;
        if width > 0.0 {
            area.add(width * not_on_one_side(&below));
        }
    }
    Some(area.total().clamp(0.0, 1.0))
}

/// Chance that neither all groups lie below a point nor all above it.
fn not_on_one_side(below: &[f64]) -> f64 {
    let all_below: f64 = below.iter().map(|f| f.min(1.0)).product();
    let all_above: f64 = below.iter().map(|f| (1.0 - f).max(0.0)).product();
    (1.0 - all_below - all_above).max(0.0)
}

/// Probabilities of `n` trials that are not negligible, by ratio recurrence from the mode.
fn binomial_law(n: u64, share: f64) -> Vec<(u64, f64)> {
    if share <= 0.0 {
        return vec![(0, 1.0)];
    }
    if share >= 1.0 {
        return vec![(n, 1.0)];
    }
    let odds = share / (1.0 - share);
    #[expect(
        clippy::cast_possible_truncation,
        clippy::cast_sign_loss,
        reason = "between 0 and n"
    )]
    let mode = (libm::floor(share * (count(n) + 1.0)) as u64).min(n);
    let mut weights = vec![(mode, 1.0)];
    let mut weight = 1.0;
    for k in (1..=mode).rev() {
        weight *= count(k) / (count(n - k + 1) * odds);
        if weight < NEGLIGIBLE {
            break;
        }
        weights.push((k - 1, weight));
    }
    weights.reverse();
    weight = 1.0;
    for k in mode + 1..=n {
        weight *= count(n - k + 1) * odds / count(k);
        if weight < NEGLIGIBLE {
            break;
        }
        weights.push((k, weight));
    }
    let total = sum_iter(weights.iter().map(|w| w.1));
    weights.into_iter().map(|(k, w)| (k, w / total)).collect()
}

/// The expected range of independent normal estimates with these standard errors around one
/// value: what an AUC or log O:E by level would show under equality. To 8 digits. `None`
/// below two groups or for a standard error that is not positive.
pub fn expected_range_of_estimates(standard_errors: &[f64]) -> Option<f64> {
    if standard_errors.len() < 2 || !standard_errors.iter().all(|s| *s > 0.0 && s.is_finite()) {
        return None;
    }
    let widest = standard_errors.iter().copied().fold(0.0, f64::max);
    let narrowest = standard_errors.iter().copied().fold(f64::MAX, f64::min);
    // A product of normal laws is smooth on the scale of the smallest standard error over the
    // root of their number; the trapezoid rule over the whole line then converges faster than
    // any power of its step.
    let smooth = 0.5 * narrowest / count(standard_errors.len() as u64).sqrt();
    let steps = (9.0 * widest / smooth).clamp(45.0, 20_000.0);
    let step = 9.0 * widest / libm::ceil(steps);
    #[expect(
        clippy::cast_possible_truncation,
        clippy::cast_sign_loss,
        reason = "between 45 and 20000"
    )]
    let half = libm::ceil(steps) as u32;
    let value = |x: f64| {
        let below: Vec<f64> = standard_errors
            .iter()
            .map(|s| normal_sf(-x / s).unwrap_or(0.0))
            .collect();
        not_on_one_side(&below)
    };
    // Symmetric around 0.
    let sides = sum_iter((1..=half).map(|i| 2.0 * value(f64::from(i) * step)));
    Some((value(0.0) + sides) * step).filter(|range| range.is_finite())
}

/// Cochran's test (1954, doi:10.2307/3001666) that independent estimates have one mean:
/// `sum (y - mean)^2 / v` with the inverse-variance mean, `k - 1` degrees of freedom. `None`
/// below two estimates or for a variance that is not positive.
pub fn homogeneity_of_estimates(estimates: &[(f64, f64)]) -> Option<Test> {
    if estimates.len() < 2 || !estimates.iter().all(|(y, v)| y.is_finite() && *v > 0.0) {
        return None;
    }
    let weight = sum_iter(estimates.iter().map(|(_, v)| 1.0 / v));
    let mean = sum_iter(estimates.iter().map(|(y, v)| y / v)) / weight;
    let statistic = sum_iter(estimates.iter().map(|(y, v)| (y - mean) * (y - mean) / v));
    Test::chi2(statistic, u32::try_from(estimates.len() - 1).ok()?)
}

/// Normal intervals of independent estimates that hold together with `level`.
pub fn together(estimates: &[(f64, f64)], level: f64) -> Option<Vec<Interval>> {
    let critical = normal_critical(each_level(level, estimates.len())?)?;
    estimates
        .iter()
        .map(|(y, v)| Interval::around(*y, critical * v.sqrt()))
        .collect()
}

/// The four counts of one group at a threshold.
#[derive(Clone, Copy, Debug, Default, Eq, PartialEq)]
pub struct GroupCounts {
    /// Events predicted positive.
    pub true_positive: u64,
    /// Non-events predicted positive.
    pub false_positive: u64,
    /// Events predicted negative.
    pub false_negative: u64,
    /// Non-events predicted negative.
    pub true_negative: u64,
}

/// The usual fairness criteria at one threshold, over all groups that have the rate.
#[derive(Clone, Copy, Debug, PartialEq)]
pub struct Fairness {
    /// Range of the selection rates.
    pub demographic_parity_difference: Option<f64>,
    /// Smallest over largest selection rate.
    pub demographic_parity_ratio: Option<f64>,
    /// Range of the true positive rates.
    pub equal_opportunity_difference: Option<f64>,
    /// The larger of the ranges of true and of false positive rates.
    pub equalised_odds_difference: Option<f64>,
    /// The mean of the two ranges.
    pub equalised_odds_difference_mean: Option<f64>,
    /// The smaller of the ratios of true and of false positive rates.
    pub equalised_odds_ratio: Option<f64>,
}

impl Fairness {
    /// The criteria of Hardt, Price and Srebro (2016, arXiv:1610.02413) and demographic
    /// parity, as fairlearn defines them. A group without events has no true positive rate
    /// and is passed over there, likewise for the others.
    pub fn of(groups: &[GroupCounts]) -> Self {
        let shares = |part: fn(&GroupCounts) -> (u64, u64)| -> Vec<f64> {
            let each = groups.iter().map(part).filter(|(_, n)| *n > 0);
            each.map(|(k, n)| count(k) / count(n)).collect()
        };
        let selection = shares(|g| {
            let positive = g.true_positive + g.false_positive;
            (positive, positive + g.false_negative + g.true_negative)
        });
        let tpr = shares(|g| (g.true_positive, g.true_positive + g.false_negative));
        let fpr = shares(|g| (g.false_positive, g.false_positive + g.true_negative));
        let odds = range(&tpr).zip(range(&fpr));
        Self {
            demographic_parity_difference: range(&selection),
            demographic_parity_ratio: ratio(&selection),
            equal_opportunity_difference: range(&tpr),
            equalised_odds_difference: odds.map(|(a, b)| a.max(b)),
            equalised_odds_difference_mean: odds.map(|(a, b)| f64::midpoint(a, b)),
            equalised_odds_ratio: ratio(&tpr).zip(ratio(&fpr)).map(|(a, b)| a.min(b)),
        }
    }
}

#[cfg(test)]
mod tests;
