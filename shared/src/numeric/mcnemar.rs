//! Whether two decisions on the same patients are right equally often: McNemar's tests on the
//! pairs in which only one of the two is right.
//!
//! Under equality each discordant pair falls to either side with probability one half, in every
//! site, so numbers of discordant pairs add over sites and the sum is tested: that is the
//! stratified test. McNemar (1947, doi:10.1007/BF02295996); continuity correction after Edwards
//! (1948, doi:10.1007/BF02289261); the exact test is binomial; mid-p after Fagerland, Lydersen
//! and Laake (2013, doi:10.1186/1471-2288-13-91), who recommend it. A patient with several rows
//! breaks the binomial law: no test is then offered, and the caller says so.
//!
//! From: `statistic::discordance` (pairs at a site), `pool` (their sums).
//! To: `report`.

use super::Test;
use super::distribution::binomial_cdf;
use super::sum::count;

/// Pairs of decisions of which exactly one is right.
#[derive(Clone, Copy, Debug, Default, Eq, PartialEq)]
pub struct Discordant {
    /// Only the first is right.
    pub first: u64,
    /// Only the second is right.
    pub second: u64,
}

impl Discordant {
    /// The pairs of two sites together.
    #[must_use]
    pub fn merge(self, other: Self) -> Self {
        Self {
            first: self.first + other.first,
            second: self.second + other.second,
        }
    }

    /// The number of discordant pairs.
    pub fn total(self) -> u64 {
        self.first + self.second
    }

    /// `(b - c)^2 / (b + c)` on one degree of freedom; `None` without a discordant pair.
    pub fn chi2(self) -> Option<Test> {
        self.test(0.0)
    }

    /// The same with the distance `|b - c|` less 1, not below 0.
    pub fn chi2_corrected(self) -> Option<Test> {
        self.test(1.0)
    }

    fn test(self, correction: f64) -> Option<Test> {
        let pairs = count(self.total());
        let distance = (count(self.first.abs_diff(self.second)) - correction).max(0.0);
        (pairs > 0.0)
            .then(|| Test::chi2(distance * distance / pairs, 1))
            .flatten()
    }

    /// Two-sided exact binomial p value, at most 1; `None` without a discordant pair.
    pub fn exact_p(self) -> Option<f64> {
        let tail = self.tail(self.first.min(self.second))?;
        Some((2.0 * tail).min(1.0))
    }

    /// The exact p value less half the probability of what was seen on either side: `P(X <= m)
    /// + P(X < m)` with `m` the smaller number. `None` without a discordant pair.
    pub fn mid_p(self) -> Option<f64> {
        let smaller = self.first.min(self.second);
        let below = match smaller.checked_sub(1) {
            Some(k) => self.tail(k)?,
            None => 0.0,
        };
        Some((self.tail(smaller)? + below).min(1.0))
    }

    fn tail(self, k: u64) -> Option<f64> {
        (self.total() > 0)
            .then(|| binomial_cdf(k, self.total(), 0.5))
            .flatten()
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn close(got: Option<f64>, expected: f64) {
        let got = got.unwrap();
        assert!(
            (got - expected).abs() <= 1e-12 + 1e-9 * expected.abs(),
            "{got} is not {expected}"
        );
    }

    #[test]
    fn small_tables_by_hand() {
        let pairs = Discordant {
            first: 1,
            second: 5,
        };
        close(pairs.chi2().map(|test| test.statistic), 16.0 / 6.0);
        close(pairs.chi2_corrected().map(|test| test.statistic), 1.5);
        // (1 + 6) / 64 in each tail.
        close(pairs.exact_p(), 14.0 / 64.0);
        close(pairs.mid_p(), 8.0 / 64.0);
        let even = Discordant {
            first: 3,
            second: 3,
        };
        close(even.chi2_corrected().map(|test| test.p), 1.0);
        close(even.exact_p(), 1.0);
        close(even.mid_p(), 1.0);
        let one_sided = Discordant {
            first: 0,
            second: 10,
        };
        close(one_sided.exact_p(), 2.0 / 1024.0);
        close(one_sided.mid_p(), 1.0 / 1024.0);
    }

    #[test]
    fn without_a_discordant_pair_there_is_no_test() {
        let none = Discordant::default();
        assert_eq!(none.chi2(), None);
        assert_eq!(none.chi2_corrected(), None);
        assert_eq!(none.exact_p(), None);
        assert_eq!(none.mid_p(), None);
    }

    #[test]
    fn the_order_of_the_models_does_not_matter() {
        for (first, second) in [(0, 4), (7, 2), (120, 60), (3, 3)] {
            let (a, b) = (
                Discordant { first, second },
                Discordant {
                    first: second,
                    second: first,
                },
            );
            assert_eq!(a.chi2(), b.chi2());
            assert_eq!(a.mid_p(), b.mid_p());
            assert_eq!(a.merge(b).first, a.merge(b).second);
        }
    }
}
