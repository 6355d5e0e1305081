//! Cochran-Mantel-Haenszel inference for two-by-two tables in strata, from parts that add.
//!
//! Each stratum (a hospital, or a band within one) contributes ten numbers; parts of several
//! strata add, so a site sends its own sum and the coordinator adds sites in site order. The
//! result equals that of all strata in one place. The exact test needs the tables themselves:
//! `conditional`.
//!
//! From: `statistic::contingency`.
//! To: the report's contingency tables. Larger tables: `generalised`.

use super::distribution::normal_critical;
use super::interval::{Interval, Test};
use super::sum::count;
use super::table::TwoByTwo;

/// The additive parts of one or more two-by-two strata `[[a, b], [c, d]]` with total `n`.
#[derive(Clone, Copy, Debug, Default, PartialEq)]
pub struct MantelHaenszel {
    /// Strata that entered.
    pub strata: u64,
    /// Strata passed over: fewer than two cases.
    pub skipped: u64,
    /// Sum of `a`.
    pub observed: f64,
    /// Sum of its conditional expectations `(a + b)(a + c) / n`.
    pub expected: f64,
    /// Sum of its conditional variances
    /// `(a + b)(c + d)(a + c)(b + d) / (n^2 (n - 1))`.
    pub variance: f64,
    /// Sum of `R = a d / n`.
    pub r: f64,
    /// Sum of `S = b c / n`.
    pub s: f64,
    /// Sum of `P R`, `P = (a + d) / n`.
    pub p_r: f64,
    /// Sum of `P S + Q R`, `Q = (b + c) / n`.
    pub p_s_q_r: f64,
    /// Sum of `Q S`.
    pub q_s: f64,
}

impl MantelHaenszel {
    /// The parts of one stratum. A stratum of fewer than two cases is counted as skipped and
    /// adds nothing.
    pub fn of(table: TwoByTwo) -> Self {
        let [[a, b], [c, d]] = table.map(|row| row.map(count));
        let n = a + b + c + d;
        if n < 2.0 {
            return Self {
                skipped: 1,
                ..Self::default()
            };
        }
        let (r, s) = (a * d / n, b * c / n);
        let (p, q) = ((a + d) / n, (b + c) / n);
        Self {
            strata: 1,
            skipped: 0,
            observed: a,
            expected: (a + b) * (a + c) / n,
            variance: (a + b) / n * (c + d) / n * (a + c) * (b + d) / (n - 1.0),
            r,
            s,
            p_r: p * r,
            p_s_q_r: p * s + q * r,
            q_s: q * s,
        }
    }

    /// The parts of both sets of strata together.
    #[must_use]
    pub fn merge(self, other: Self) -> Self {
        Self {
            strata: self.strata + other.strata,
            skipped: self.skipped + other.skipped,
            observed: self.observed + other.observed,
            expected: self.expected + other.expected,
            variance: self.variance + other.variance,
            r: self.r + other.r,
            s: self.s + other.s,
            p_r: self.p_r + other.p_r,
            p_s_q_r: self.p_s_q_r + other.p_s_q_r,
            q_s: self.q_s + other.q_s,
        }
    }

    /// The parts of several strata, added in the order given.
    pub fn over(strata: &[TwoByTwo]) -> Self {
        strata
            .iter()
            .fold(Self::default(), |sum, table| sum.merge(Self::of(*table)))
    }

    /// Test of no association within strata, without correction (Mantel and Haenszel 1959,
    /// doi:10.1093/jnci/22.4.719); 1 degree of freedom. `None` if the margins of every
    /// stratum leave no freedom.
    pub fn chi2(&self) -> Option<Test> {
        self.corrected_by(0.0)
    }

    /// The same with the continuity correction of one half, dropped where the deviation is
    /// smaller than it, as R does.
    pub fn chi2_corrected(&self) -> Option<Test> {
        self.corrected_by(0.5)
    }

    fn corrected_by(&self, correction: f64) -> Option<Test> {
        if self.variance.is_nan() || self.variance <= 0.0 {
            return None;
        }
        let gap = (self.observed - self.expected).abs();
        let gap = if gap >= correction {
            gap - correction
        } else {
            gap
        };
        Test::chi2(gap * gap / self.variance, 1)
    }

    /// The common odds ratio `sum R / sum S` with the interval of Robins, Breslow and
    /// Greenland (1986, doi:10.2307/2531052) on the log scale.
    pub fn odds_ratio(&self, level: f64) -> CommonOddsRatio {
        let estimate = (self.s > 0.0)
            .then(|| self.r / self.s)
            .filter(|r| r.is_finite());
        let log_standard_error = (self.r > 0.0 && self.s > 0.0).then(|| {
            (self.p_r / (2.0 * self.r * self.r)
                + self.p_s_q_r / (2.0 * self.r * self.s)
                + self.q_s / (2.0 * self.s * self.s))
                .sqrt()
        });
        let interval = estimate.zip(log_standard_error).and_then(|(ratio, error)| {
            Interval::around(libm::log(ratio), normal_critical(level)? * error)?.map(libm::exp)
        });
        CommonOddsRatio {
            estimate,
            log_standard_error,
            interval,
        }
    }
}

/// A common ratio over strata: of odds or of risks.
#[derive(Clone, Copy, Debug, PartialEq)]
pub struct CommonOddsRatio {
    /// The estimate; 0 if every `R` is 0; `None` if every `S` is 0.
    pub estimate: Option<f64>,
    /// Standard error of its logarithm; `None` if every `R` or every `S` is 0.
    pub log_standard_error: Option<f64>,
    /// Its interval; `None` where the standard error is.
    pub interval: Option<Interval>,
}

/// The additive parts of the Mantel-Haenszel risk ratio and risk difference: the risk of a row
/// is the share of its first column.
#[derive(Clone, Copy, Debug, Default, PartialEq)]
pub struct RiskParts {
    /// Sum of `a (c + d) / n`.
    pub first: f64,
    /// Sum of `c (a + b) / n`.
    pub second: f64,
    /// Sum of `((a + b)(c + d)(a + c) - a c n) / n^2`.
    pub log_ratio: f64,
    /// Sum of `(a + b)(c + d) / n`.
    pub weight: f64,
    /// Sum of `(a b (c + d)^3 + c d (a + b)^3) / ((a + b)(c + d) n^2)`.
    pub spread: f64,
}

impl RiskParts {
    /// The parts of one stratum; a stratum with an empty row adds nothing.
    pub fn of(table: TwoByTwo) -> Self {
        let [[a, b], [c, d]] = table.map(|row| row.map(count));
        let (top, bottom, n) = (a + b, c + d, a + b + c + d);
        if top == 0.0 || bottom == 0.0 {
            return Self::default();
        }
        Self {
            first: a * bottom / n,
            second: c * top / n,
            log_ratio: (top * bottom * (a + c) - a * c * n) / (n * n),
            weight: top * bottom / n,
            spread: (a * b * bottom * bottom / top + c * d * top * top / bottom) / (n * n),
        }
    }

    /// The parts of both sets of strata together.
    #[must_use]
    pub fn merge(self, other: Self) -> Self {
        Self {
            first: self.first + other.first,
            second: self.second + other.second,
            log_ratio: self.log_ratio + other.log_ratio,
            weight: self.weight + other.weight,
            spread: self.spread + other.spread,
        }
    }

    /// The common risk ratio with its interval on the log scale (Greenland and Robins 1985,
    /// doi:10.2307/2530643).
    pub fn ratio(&self, level: f64) -> CommonOddsRatio {
        let estimate = (self.second > 0.0)
            .then(|| self.first / self.second)
            .filter(|r| r.is_finite());
        let log_standard_error = (self.first > 0.0 && self.second > 0.0).then(|| {
            (self.log_ratio / (self.first * self.second))
                .max(0.0)
                .sqrt()
        });
        let interval = estimate.zip(log_standard_error).and_then(|(ratio, error)| {
            Interval::around(libm::log(ratio), normal_critical(level)? * error)?.map(libm::exp)
        });
        CommonOddsRatio {
            estimate,
            log_standard_error,
            interval,
        }
    }

    /// The common risk difference, first row minus second, and its interval (as `ratio`);
    /// `None` without strata, the interval also where the variance is 0.
    pub fn difference(&self, level: f64) -> Option<(f64, Option<Interval>)> {
        if self.weight.is_nan() || self.weight <= 0.0 {
            return None;
        }
        let estimate = (self.first - self.second) / self.weight;
        let error = self.spread.sqrt() / self.weight;
        let interval = normal_critical(level)
            .filter(|_| error > 0.0)
            .and_then(|z| Interval::around(estimate, z * error));
        Some((estimate, interval))
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::numeric::table::odds_ratio;

    const STRATA: [TwoByTwo; 3] = [[[12, 5], [7, 20]], [[3, 9], [2, 14]], [[30, 10], [22, 21]]];

    #[test]
    fn merged_sites_equal_all_strata_at_once() {
        let all = MantelHaenszel::over(&STRATA);
        let split = MantelHaenszel::over(&STRATA[..1]).merge(MantelHaenszel::over(&STRATA[1..]));
        assert_eq!(all, split);
        assert_eq!(all.strata, 3);
    }

    #[test]
    fn one_stratum_gives_the_sample_odds_ratio_and_woolfs_error() {
        let one = MantelHaenszel::of(STRATA[0]).odds_ratio(0.95);
        let sample = odds_ratio(STRATA[0], 0.95);
        assert!((one.estimate.unwrap() - sample.estimate.unwrap()).abs() < 1e-12);
        assert!(
            (one.log_standard_error.unwrap() - sample.log_standard_error.unwrap()).abs() < 1e-12
        );
    }

    #[test]
    fn one_stratum_gives_the_plain_risk_ratio_and_difference() {
        let [[a, b], [c, d]] = STRATA[0].map(|row| row.map(|cell| cell as f64));
        let parts = RiskParts::of(STRATA[0]).merge(RiskParts::of([[0, 0], [3, 4]]));
        let (p, q) = (a / (a + b), c / (c + d));
        let ratio = parts.ratio(0.95);
        assert!((ratio.estimate.unwrap() - p / q).abs() < 1e-12);
        let log_variance = b / (a * (a + b)) + d / (c * (c + d));
        assert!((ratio.log_standard_error.unwrap() - log_variance.sqrt()).abs() < 1e-12);
        let (difference, interval) = parts.difference(0.95).unwrap();
        assert!((difference - (p - q)).abs() < 1e-12);
        let error = (p * (1.0 - p) / (a + b) + q * (1.0 - q) / (c + d)).sqrt();
        let half = (interval.unwrap().upper - interval.unwrap().lower) / 2.0;
        assert!((half / error - 1.959_963_984_540_054).abs() < 1e-12);
        assert_eq!(RiskParts::default().difference(0.95), None);
        assert_eq!(RiskParts::of([[4, 0], [0, 0]]).ratio(0.95).estimate, None);
    }

    #[test]
    fn degenerate_strata_have_no_number() {
        let empty = MantelHaenszel::over(&[]);
        assert_eq!(
            (empty.chi2(), empty.odds_ratio(0.95).estimate),
            (None, None)
        );
        let lone = MantelHaenszel::over(&[[[0, 0], [0, 0]], [[1, 0], [0, 0]]]);
        assert_eq!((lone.strata, lone.skipped), (0, 2));
        let fixed = MantelHaenszel::of([[5, 0], [7, 0]]);
        assert_eq!(
            (fixed.chi2(), fixed.odds_ratio(0.95).interval),
            (None, None)
        );
        let zero = MantelHaenszel::of([[0, 4], [5, 6]]).odds_ratio(0.95);
        assert_eq!((zero.estimate, zero.interval), (Some(0.0), None));
    }
}
