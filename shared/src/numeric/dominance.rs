//! How much of a sum single patients carry: what the rules of dominance ask before a mean, or a
//! number that is one, may leave.
//!
//! From: per-patient sums.
//! To: the people behind a number (`statistic::stage::Basis`).

use super::sum::Chunked;

/// The shares of one patient and of two in a sum of absolute values, the largest there are.
#[derive(Clone, Copy, Debug, PartialEq)]
pub struct Dominance {
    /// Of the patient who carries most.
    pub largest: f64,
    /// Of this one and the next together.
    pub two: f64,
}

impl Dominance {
    /// Nobody carries anything: nothing is summed.
    pub const NONE: Self = Self {
        largest: 0.0,
        two: 0.0,
    };
    /// One patient carries all.
    pub const WHOLE: Self = Self {
        largest: 1.0,
        two: 1.0,
    };

    /// Nobody carries more than `share`.
    pub fn at_most(share: f64) -> Self {
        Self {
            largest: share,
            two: 2.0 * share,
        }
    }

    /// The larger shares of two sums.
    #[must_use]
    pub fn and(self, other: Self) -> Self {
        Self {
            largest: self.largest.max(other.largest),
            two: self.two.max(other.two),
        }
    }
}

/// A running sum of absolute values that remembers the two largest.
#[derive(Clone, Copy, Debug, Default, PartialEq)]
pub struct Contributions {
    sum: Chunked,
    top: Top,
}

/// The two largest of some values, none below 0.
#[derive(Clone, Copy, Debug, Default, PartialEq)]
pub struct Top {
    first: f64,
    second: f64,
}

impl Top {
    /// Adds one value.
    pub fn add(&mut self, value: f64) {
        if value > self.first {
            self.second = std::mem::replace(&mut self.first, value);
        } else if value > self.second {
            self.second = value;
        }
    }

    /// The two largest of both.
    #[must_use]
    pub fn and(mut self, other: Self) -> Self {
        self.add(other.first);
        self.add(other.second);
        self
    }

    /// Their shares in `sum`; all of it where it is 0.
    pub fn of(self, sum: f64) -> Dominance {
        if sum > 0.0 {
            Dominance {
                largest: self.first / sum,
                two: (self.first + self.second) / sum,
            }
        } else {
            Dominance::WHOLE
        }
    }
}

impl Contributions {
    /// Adds what one patient contributes.
    pub fn add(&mut self, value: f64) {
        self.sum.add(value.abs());
        self.top.add(value.abs());
    }

    /// The shares; one patient carries all of a sum of 0.
    pub fn dominance(self) -> Dominance {
        self.top.of(self.sum.total())
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_two_largest_are_found_wherever_they_stand() {
        for order in [
            [1.0, -5.0, 2.0, 2.0],
            [-5.0, 2.0, 2.0, 1.0],
            [2.0, 1.0, 2.0, -5.0],
        ] {
            let mut all = Contributions::default();
            order.into_iter().for_each(|value| all.add(value));
            let found = all.dominance();
            assert_eq!(
                found,
                Dominance {
                    largest: 0.5,
                    two: 0.7
                }
            );
        }
        assert_eq!(Contributions::default().dominance(), Dominance::WHOLE);
        let mut one = Contributions::default();
        one.add(3.0);
        assert_eq!(one.dominance(), Dominance::WHOLE);
    }

    #[test]
    fn both_sums_together_keep_the_larger_shares() {
        let (one, two) = (
            Dominance::at_most(0.2),
            Dominance {
                largest: 0.1,
                two: 0.5,
            },
        );
        assert_eq!(
            one.and(two),
            Dominance {
                largest: 0.2,
                two: 0.5
            }
        );
    }
}
