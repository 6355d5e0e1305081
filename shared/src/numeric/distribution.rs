//! Quantiles and tails of the laws the estimators refer to; the only file that names statrs.
//!
//! Tails come from survival functions, never from one minus a distribution function, so that
//! they keep their digits far out. Quantiles are refused outside `[1e-4, 1 - 1e-4]`: there
//! statrs 0.19 is wrong by orders of magnitude for some laws (Student with 1 degree of
//! freedom, chi-squared with 1), and no interval of ours needs them.
//!
//! From: every estimator with an interval or a p value.
//! To: statrs, libm.

use statrs::distribution::{
    Beta, Binomial, ChiSquared, ContinuousCDF, DiscreteCDF, Normal, StudentsT,
};

/// The smallest tail for which a quantile is given.
pub const SMALLEST_TAIL: f64 = 1e-4;

/// `log(p / (1 - p))`; `None` unless `0 < p < 1`.
pub fn logit(p: f64) -> Option<f64> {
    (p > 0.0 && p < 1.0).then(|| libm::log(p) - libm::log1p(-p))
}

/// `1 / (1 + exp(-x))`, in `[0, 1]`, without overflow at either end; `None` for NaN.
pub fn inverse_logit(x: f64) -> Option<f64> {
    if x.is_nan() {
        return None;
    }
    Some(if x >= 0.0 {
        1.0 / (1.0 + libm::exp(-x))
    } else {
        let odds = libm::exp(x);
        odds / (1.0 + odds)
    })
}

/// The quantile of the standard normal law at `p`; `None` outside `[1e-4, 1 - 1e-4]`.
pub fn normal_quantile(p: f64) -> Option<f64> {
    quantile_allowed(p).then(|| Normal::standard().inverse_cdf(p))
}

/// The upper tail of the standard normal law; `None` for NaN.
///
/// By libm's complementary error function, relative error near 1e-15 (statrs keeps 11
/// digits here).
pub fn normal_sf(x: f64) -> Option<f64> {
    (!x.is_nan()).then(|| 0.5 * libm::erfc(x * core::f64::consts::FRAC_1_SQRT_2))
}

/// Twice the upper tail of the standard normal law at `|z|`; `None` for NaN.
pub fn normal_two_sided(z: f64) -> Option<f64> {
    normal_sf(z.abs()).map(|tail| (2.0 * tail).min(1.0))
}

/// The two-sided critical value of the standard normal law: 1.95996 for `level` 0.95.
/// `None` unless the level leaves a tail of `[1e-4, 0.5)` on each side.
pub fn normal_critical(level: f64) -> Option<f64> {
    normal_quantile(upper(level)?)
}

/// The quantile of Student's law with `df` degrees of freedom; `None` outside
/// `[1e-4, 1 - 1e-4]` or if `df` is not a positive finite number.
pub fn t_quantile(p: f64, df: f64) -> Option<f64> {
    if !quantile_allowed(p) {
        return None;
    }
    let law = StudentsT::new(0.0, 1.0, positive(df)?).ok()?;
    finite(law.inverse_cdf(p))
}

/// The upper tail of Student's law with `df` degrees of freedom.
pub fn t_sf(x: f64, df: f64) -> Option<f64> {
    if x.is_nan() {
        return None;
    }
    let law = StudentsT::new(0.0, 1.0, positive(df)?).ok()?;
    probability(law.sf(x))
}

/// Twice the upper tail of Student's law at `|t|`.
pub fn t_two_sided(t: f64, df: f64) -> Option<f64> {
    t_sf(t.abs(), df).map(|tail| (2.0 * tail).min(1.0))
}

/// The two-sided critical value of Student's law at a confidence level.
pub fn t_critical(level: f64, df: f64) -> Option<f64> {
    t_quantile(upper(level)?, df)
}

/// The upper tail of chi-squared with `df` degrees of freedom; `None` for a negative or
/// undefined `x`.
pub fn chi2_sf(x: f64, df: f64) -> Option<f64> {
    let df = positive(df)?;
    if !(x >= 0.0 && x.is_finite()) {
        return None;
    }
    if df == 1.0 {
        return probability(libm::erfc((x / 2.0).sqrt()));
    }
    probability(ChiSquared::new(df).ok()?.sf(x))
}

/// The quantile of chi-squared; `None` outside `[1e-4, 1 - 1e-4]`.
///
/// By bisection on the survival function: statrs' own quantile is wrong for small `p` at one
/// degree of freedom and keeps 9 digits elsewhere.
pub fn chi2_quantile(p: f64, df: f64) -> Option<f64> {
    if !quantile_allowed(p) {
        return None;
    }
    let mut high = positive(df)?;
    while chi2_sf(high, df)? > 1.0 - p {
        high *= 2.0;
        if !high.is_finite() {
            return None;
        }
    }
    Some(bisect(0.0, high, |x| {
        chi2_sf(x, df).is_some_and(|tail| tail > 1.0 - p)
    }))
}

/// The upper tail of Fisher's F law with `df1` and `df2` degrees of freedom; `None` for a
/// negative or undefined `x`.
pub fn f_sf(x: f64, df1: f64, df2: f64) -> Option<f64> {
    let (df1, df2) = (positive(df1)?, positive(df2)?);
    if !(x >= 0.0 && x.is_finite()) {
        return None;
    }
    // As a beta law of the share that the denominator has, so that a far tail keeps its digits.
    let share = df2 / (df2 + df1 * x);
    let law = Beta::new(df2 / 2.0, df1 / 2.0).ok()?;
    probability(law.cdf(share))
}

/// The quantile of the beta law with shapes `a` and `b`; `None` outside `[1e-4, 1 - 1e-4]`
/// or for shapes that are not positive.
///
/// statrs' value is kept if the distribution function takes it back to `p`; else bisection.
pub fn beta_quantile(p: f64, a: f64, b: f64) -> Option<f64> {
    if !quantile_allowed(p) {
        return None;
    }
    let law = Beta::new(positive(a)?, positive(b)?).ok()?;
    let direct = law.inverse_cdf(p);
    if (0.0..=1.0).contains(&direct) && (law.cdf(direct) - p).abs() <= 1e-12 * p {
        return Some(direct);
    }
    Some(bisect(0.0, 1.0, |x| law.cdf(x) < p))
}

/// `P(X <= k)` for `X` binomial with `n` trials of probability `p`; `None` if `p` is not in
/// `[0, 1]`.
pub fn binomial_cdf(k: u64, n: u64, p: f64) -> Option<f64> {
    probability(Binomial::new(p, n).ok()?.cdf(k))
}

/// `P(X > k)`.
pub fn binomial_sf(k: u64, n: u64, p: f64) -> Option<f64> {
    probability(Binomial::new(p, n).ok()?.sf(k))
}

/// The point where `below` turns from true to false, to the last bit: at most 2100 halvings,
/// as there are that many binades.
pub(crate) fn bisect(mut low: f64, mut high: f64, below: impl Fn(f64) -> bool) -> f64 {
    for _ in 0..2100 {
        let middle = low + (high - low) / 2.0;
        if middle <= low || middle >= high {
            break;
        }
        if below(middle) {
            low = middle;
        } else {
            high = middle;
        }
    }
    high
}

fn upper(level: f64) -> Option<f64> {
    (level > 0.0 && level < 1.0).then_some(0.5 + level / 2.0)
}

fn quantile_allowed(p: f64) -> bool {
    (SMALLEST_TAIL..=1.0 - SMALLEST_TAIL).contains(&p)
}

fn positive(value: f64) -> Option<f64> {
    (value > 0.0 && value.is_finite()).then_some(value)
}

fn finite(value: f64) -> Option<f64> {
    value.is_finite().then_some(value)
}

fn probability(value: f64) -> Option<f64> {
    (!value.is_nan()).then(|| value.clamp(0.0, 1.0))
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
    fn quantiles_equal_r() {
        close(normal_critical(0.95), 1.959_963_984_540_054, 1e-15);
        close(t_critical(0.95, 1.0), 12.706_204_736_174_69, 1e-12);
        close(t_critical(0.95, 2.0), 4.302_652_729_749_464, 1e-12);
        close(t_critical(0.95, 3.0), 3.182_446_305_283_71, 1e-12);
        close(chi2_quantile(0.95, 1.0), 3.841_458_820_694_124, 1e-13);
        close(chi2_quantile(0.95, 2.0), 5.991_464_547_107_979, 1e-13);
        close(chi2_quantile(0.025, 3.0), 0.215_795_282_623_897_7, 1e-12);
        close(
            beta_quantile(0.975, 1.0, 10.0),
            0.308_497_107_818_760_8,
            1e-12,
        );
    }

    #[test]
    fn the_tail_of_f_equals_r() {
        close(
            f_sf(3.657_299_548_581_5, 1.0, 17.0),
            0.072_825_215_763_915,
            1e-9,
        );
        close(f_sf(4.5, 2.0, 9.0), 0.044_194_173_824_159_216, 1e-12);
        close(f_sf(0.0, 2.0, 9.0), 1.0, 0.0);
        assert_eq!(f_sf(f64::NAN, 1.0, 1.0), None);
    }

    #[test]
    fn tails_keep_their_digits() {
        close(normal_sf(10.0), 7.619_853_024_160_527e-24, 1e-13);
        close(
            chi2_sf(86.869_822_350_583_6, 1.0),
            1.159_044_985_631_27e-20,
            1e-12,
        );
        close(
            chi2_sf(157.381_413_099_648, 3.0),
            6.733_034_218_106_43e-34,
            1e-11,
        );
        close(t_two_sided(12.706_204_736_174_69, 1.0), 0.05, 1e-12);
        close(
            binomial_cdf(12, 35, 0.5).map(|tail| 2.0 * tail),
            0.089_531_078_934_669_7,
            1e-12,
        );
        close(
            binomial_sf(22, 35, 0.5).map(|tail| 2.0 * tail),
            0.089_531_078_934_669_7,
            1e-12,
        );
    }

    #[test]
    fn extremes_and_nonsense_are_refused() {
        assert_eq!(normal_quantile(1e-10), None);
        assert_eq!(t_quantile(0.99999, 1.0), None);
        assert_eq!(chi2_quantile(1e-6, 1.0), None);
        assert_eq!(t_sf(1.0, 0.0), None);
        assert_eq!(chi2_sf(-1.0, 1.0), None);
        assert_eq!(chi2_sf(f64::NAN, 1.0), None);
        assert_eq!(beta_quantile(0.5, 0.0, 1.0), None);
        assert_eq!(binomial_cdf(1, 2, 1.5), None);
        assert_eq!(normal_critical(1.0), None);
        assert_eq!(logit(0.0), None);
        assert_eq!(inverse_logit(f64::NAN), None);
    }

    #[test]
    fn logit_and_its_inverse_agree_at_both_ends() {
        for x in [-700.0, -40.0, -1.0, 0.0, 1.0, 30.0] {
            let p = inverse_logit(x).unwrap();
            close(logit(p), x, 2e-3);
        }
        assert_eq!(inverse_logit(-1e9), Some(0.0));
        assert_eq!(inverse_logit(1e9), Some(1.0));
        close(logit(0.75), libm::log(3.0), 1e-15);
    }

    #[test]
    fn beta_quantile_holds_for_large_shapes() {
        close(beta_quantile(0.025, 1e5, 1e6), 0.090_367_1, 1e-4);
        let x = beta_quantile(0.025, 1e5, 1e6).unwrap();
        let back = Beta::new(1e5, 1e6).unwrap().cdf(x);
        assert!((back - 0.025).abs() < 1e-10);
    }
}
