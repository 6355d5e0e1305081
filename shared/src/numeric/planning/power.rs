//! Power and sample size of five tests.
//!
//! * Two proportions by Cohen's arcsine effect (1988, ISBN 0-8058-0283-5), two-sided, both
//!   tails, as statsmodels' `NormalIndPower`.
//! * Two means by the noncentral t law, two-sided, as statsmodels' `TTestIndPower`.
//! * A goodness of fit over bins by the noncentral chi-squared law.
//! * An area that falls between two periods, by Newcombe's variances.
//! * One area under the ROC curve against a fixed value, by Obuchowski's variance under
//!   binormal scores (Obuchowski, Lieber and Powell 2000, doi:10.1016/S1076-6332(00)80389-8),
//!   as pROC's `power.roc.test`.
//!
//! Sizes are real numbers, so that they can be compared; a plan rounds them up.
//!
//! From: `fedval study power`.
//! To: plain numbers.

use super::super::distribution::{
    bisect, chi2_quantile, chi2_sf, normal_quantile, normal_sf, t_critical,
};
use super::super::sum::{Neumaier, count};
use super::external::auc_standard_error;
use super::{PATIENTS_MAX, share, smallest};

/// Logarithm below which a weight of an integral or a sum no longer counts.
const NEGLIGIBLE: f64 = -40.0;

/// Cohen's arcsine effect of two proportions in [0, 1]: `2 asin sqrt p1 - 2 asin sqrt p2`.
pub fn cohen_h(p1: f64, p2: f64) -> Option<f64> {
    let angle = |p: f64| (0.0..=1.0).contains(&p).then(|| 2.0 * libm::asin(p.sqrt()));
    Some(angle(p1)? - angle(p2)?)
}

/// Chance that a two-sided test at `alpha` tells two proportions apart, with `n` patients in
/// each of two groups.
pub fn two_proportions_power(p1: f64, p2: f64, n: f64, alpha: f64) -> Option<f64> {
    let shift = cohen_h(p1, p2)? * (positive(n)? / 2.0).sqrt();
    let critical = normal_quantile(1.0 - share(alpha)? / 2.0)?;
    Some(normal_sf(critical - shift)? + normal_sf(critical + shift)?)
}

/// Patients per group for that chance to be `power`; `None` where the proportions are equal.
pub fn two_proportions_size(p1: f64, p2: f64, alpha: f64, power: f64) -> Option<f64> {
    solve(alpha, power, |n| two_proportions_power(p1, p2, n, alpha))
}

/// Chance that a two-sided t test at `alpha` sees a difference of `d` standard deviations, with
/// `n` (at least 2, not necessarily whole) patients in each of two groups.
pub fn two_means_power(d: f64, n: f64, alpha: f64) -> Option<f64> {
    let df = positive(2.0 * n - 2.0)?;
    let critical = t_critical(1.0 - share(alpha)?, df)?;
    let shift = d * (n / 2.0).sqrt();
    Some(noncentral_t_sf(critical, df, shift)? + noncentral_t_sf(critical, df, -shift)?)
}

/// Patients per group for that chance to be `power`.
pub fn two_means_size(d: f64, alpha: f64, power: f64) -> Option<f64> {
    solve(alpha, power, |n| two_means_power(d, n, alpha))
}

/// Chance that a chi-squared test at `alpha` over `bins` bins sees a change of Cohen's
/// `w = sqrt(sum (q - p)^2 / p)`, with `n` patients.
pub fn goodness_of_fit_power(w: f64, bins: u32, n: f64, alpha: f64) -> Option<f64> {
    let df = f64::from(bins.checked_sub(1)?);
    let critical = chi2_quantile(1.0 - share(alpha)?, df)?;
    noncentral_chi2_sf(critical, df, positive(n)? * w * w)
}

/// Patients for that chance to be `power`.
pub fn goodness_of_fit_size(w: f64, bins: u32, alpha: f64, power: f64) -> Option<f64> {
    solve(alpha, power, |n| goodness_of_fit_power(w, bins, n, alpha))
}

/// Obuchowski's variance of an AUC times the number of events, with `ratio` non-events per
/// event.
fn binormal_variance(auc: f64, ratio: f64) -> Option<f64> {
    // 1.414, not the square root: the published formula's constant, which pROC keeps.
    let a = normal_quantile(auc)? * 1.414;
    let square = a * a;
    let spread = (5.0 * square + 8.0) + (square + 8.0) / positive(ratio)?;
    Some(0.0099 * libm::exp(-square / 2.0) * spread)
}

/// Events for a two-sided test at `alpha` to tell an AUC of `auc` from `null` with chance
/// `power`, given `ratio` non-events per event.
pub fn auc_events(auc: f64, null: f64, ratio: f64, alpha: f64, power: f64) -> Option<f64> {
    let (auc, null) = (share(auc)?, share(null)?);
    let (z_alpha, z_beta) = (
        normal_quantile(1.0 - share(alpha)? / 2.0)?,
        normal_quantile(share(power)?)?,
    );
    let (at_null, at_auc) = (
        binormal_variance(null, ratio)?,
        binormal_variance(auc, ratio)?,
    );
    let wished = z_alpha * at_null.sqrt() + z_beta * at_auc.sqrt();
    let distance = auc - null;
    let events = wished * wished / (distance * distance);
    (distance != 0.0 && events.is_finite()).then_some(events)
}

/// Chance that a two-sided test at `alpha` sees an AUC fall by `drop` between two periods of
/// `n` patients each, of whom the share `prevalence` has the event; other patients in each.
pub fn auc_drop_power(auc: f64, drop: f64, prevalence: f64, n: u64, alpha: f64) -> Option<f64> {
    let (before, after) = (
        auc_standard_error(n, prevalence, auc)?,
        auc_standard_error(n, prevalence, auc - drop)?,
    );
    let shift = drop / libm::hypot(before, after);
    let critical = normal_quantile(1.0 - share(alpha)? / 2.0)?;
    Some(normal_sf(critical - shift)? + normal_sf(critical + shift)?)
}

/// Patients per period for that chance to be `power`.
pub fn auc_drop_size(auc: f64, drop: f64, prevalence: f64, alpha: f64, power: f64) -> Option<u64> {
    let power = share(power).filter(|power| *power > alpha)?;
    smallest(2, PATIENTS_MAX, |n| {
        auc_drop_power(auc, drop, prevalence, n, alpha).is_some_and(|found| found >= power)
    })
}

/// `P((Z + shift) / S > x)` for `S^2 df` chi-squared with `df` degrees of freedom: the upper
/// tail of Student's law with a noncentrality.
///
/// The mean of the normal tail over `log S`: there the density and all its derivatives vanish
/// at both ends, so that equal steps converge beyond every power of the step.
pub fn noncentral_t_sf(x: f64, df: f64, shift: f64) -> Option<f64> {
    const STEPS: u32 = 1000;
    let df = positive(df)?;
    if !(x.is_finite() && shift.is_finite()) {
        return None;
    }
    let log_density = |u: f64| df * (u - libm::exp(2.0 * u) / 2.0 + 0.5);
    let low = bisect(NEGLIGIBLE / df - 1.0, 0.0, |u| log_density(u) < NEGLIGIBLE);
    let most = libm::log(2.0 - 2.0 * NEGLIGIBLE / df) + 1.0;
    let high = bisect(0.0, most, |u| log_density(u) > NEGLIGIBLE);
    let step = (high - low) / f64::from(STEPS);
    let (mut all, mut tail) = (Neumaier::default(), Neumaier::default());
    for index in 0..=STEPS {
        let u = low + step * f64::from(index);
        let weight = libm::exp(log_density(u));
        all.add(weight);
        tail.add(weight * normal_sf(x * libm::exp(u) - shift)?);
    }
    Some((tail.total() / all.total()).clamp(0.0, 1.0))
}

/// The upper tail of chi-squared with `df` degrees of freedom and noncentrality `shift`, at
/// least 0: a Poisson mixture of central ones.
pub fn noncentral_chi2_sf(x: f64, df: f64, shift: f64) -> Option<f64> {
    let df = positive(df)?;
    if !(0.0..=1e9).contains(&shift) {
        return None;
    }
    if shift == 0.0 {
        return chi2_sf(x, df);
    }
    let mean = shift / 2.0;
    let reach = 10.0 * mean.sqrt() + 40.0;
    let (mut all, mut tail) = (Neumaier::default(), Neumaier::default());
    let mut j = (mean - reach).max(0.0).floor();
    while j <= mean + reach {
        let weight = libm::exp(j * libm::log(mean) - mean - libm::lgamma(j + 1.0));
        all.add(weight);
        tail.add(weight * chi2_sf(x, df + 2.0 * j)?);
        j += 1.0;
    }
    Some((tail.total() / all.total()).clamp(0.0, 1.0))
}

/// The real size at which a growing `chance` reaches `power`; `None` if it is there without
/// patients (a wish at or below `alpha`) or beyond every study.
fn solve(alpha: f64, power: f64, chance: impl Fn(f64) -> Option<f64>) -> Option<f64> {
    let (alpha, power) = (share(alpha)?, share(power)?);
    if power <= alpha {
        return None;
    }
    let short = |n: f64| chance(n).is_none_or(|found| found < power);
    let mut most = 2.0;
    while short(most) {
        most *= 2.0;
        if most > count(PATIENTS_MAX) {
            return None;
        }
    }
    Some(bisect(1.0, most, short))
}

fn positive(value: f64) -> Option<f64> {
    (value > 0.0 && value.is_finite()).then_some(value)
}

#[cfg(test)]
mod tests {
    use super::*;

    fn close(got: Option<f64>, expected: f64, tolerance: f64) {
        let got = got.unwrap();
        assert!(
            (got - expected).abs() <= tolerance * expected.abs(),
            "{got} is not {expected}"
        );
    }

    #[test]
    fn sizes_equal_the_references() {
        close(
            two_proportions_size(0.3, 0.4, 0.05, 0.8),
            355.419_235_914_407_24,
            1e-8,
        );
        close(
            two_proportions_power(0.3, 0.4, 100.0, 0.05),
            0.318_064_376_844_621_2,
            1e-8,
        );
        close(two_means_size(0.3, 0.05, 0.9), 234.462_742_350_723_18, 1e-7);
        close(
            goodness_of_fit_size(0.2, 10, 0.05, 0.8),
            391.244_947_380_375_5,
            1e-7,
        );
        close(
            auc_events(0.75, 0.5, 4.0, 0.05, 0.9),
            16.229_221_824_358_5,
            1e-6,
        );
    }

    #[test]
    fn a_fall_of_the_area_needs_the_textbook_number_of_patients() {
        let n = auc_drop_size(0.85, 0.05, 0.3, 0.05, 0.9).unwrap();
        let at = |n| auc_drop_power(0.85, 0.05, 0.3, n, 0.05).unwrap();
        assert!(at(n) >= 0.9 && at(n - 1) < 0.9);
        // (z + z)^2 (v1 + v0) / d^2 with the variances of one patient.
        let unit = |auc| {
            let se = auc_standard_error(n, 0.3, auc).unwrap();
            se * se * n as f64
        };
        let z = 1.959_963_984_540_054 + 1.281_551_565_544_6;
        let expected = z * z * (unit(0.85) + unit(0.8)) / 0.0025;
        assert!((n as f64 - expected).abs() <= 1.0, "{n} {expected}");
        assert_eq!(auc_drop_size(0.85, 0.0, 0.3, 0.05, 0.9), None);
        assert_eq!(auc_drop_size(0.85, 0.9, 0.3, 0.05, 0.9), None);
    }

    #[test]
    fn noncentral_laws_without_shift_are_the_central_ones() {
        use super::super::super::distribution::t_sf;
        for df in [1.0, 2.0, 5.5, 40.0, 900.0] {
            close(noncentral_t_sf(1.3, df, 0.0), t_sf(1.3, df).unwrap(), 1e-10);
        }
        close(
            noncentral_chi2_sf(4.0, 3.0, 0.0),
            chi2_sf(4.0, 3.0).unwrap(),
            1e-15,
        );
        // chi-squared with one degree of freedom and noncentrality d^2 is (Z + d)^2.
        let d: f64 = 2.5;
        let both = normal_sf(2.0 - d).unwrap() + normal_sf(2.0 + d).unwrap();
        close(noncentral_chi2_sf(4.0, 1.0, d * d), both, 1e-12);
    }

    #[test]
    fn what_has_no_answer_gives_none() {
        assert_eq!(two_proportions_size(0.3, 0.3, 0.05, 0.8), None);
        assert_eq!(two_proportions_size(0.3, 0.4, 0.05, 0.01), None);
        assert_eq!(two_means_power(0.3, 1.0, 0.05), None);
        assert_eq!(goodness_of_fit_size(0.2, 0, 0.05, 0.8), None);
        assert_eq!(auc_events(0.5, 0.5, 1.0, 0.05, 0.8), None);
        assert_eq!(cohen_h(1.2, 0.5), None);
        assert_eq!(noncentral_t_sf(f64::NAN, 3.0, 0.0), None);
    }
}
