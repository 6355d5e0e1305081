//! Sums over the cases of each level of an axis and over the others, where every patient has one
//! case: two passes for all levels, since what a level is not is what the other levels are.
//!
//! From: `analysis_set`.
//! To: `subgroup`, `calibration`.

use crate::numeric::dominance::{Dominance, Top};
use crate::numeric::sum::{Moments, Neumaier, count};

/// Values of some cases, none below 0.
#[derive(Clone, Copy, Debug, Default, PartialEq)]
pub(crate) struct Total {
    /// Number, mean and spread of the values.
    pub(crate) moments: Moments,
    sum: Neumaier,
    top: Top,
}

impl Total {
    /// The sum of the values.
    pub(crate) fn sum(&self) -> f64 {
        self.sum.total()
    }

    /// The largest values' shares of the sum; all of it when that is 0.
    pub(crate) fn dominance(&self) -> Dominance {
        self.top.of(self.sum())
    }

    fn and(mut self, other: &Self) -> Self {
        self.sum.merge(other.sum);
        Self {
            moments: self.moments.merge(other.moments),
            sum: self.sum,
            top: self.top.and(other.top),
        }
    }
}

/// The totals of each level, and of the cases that are not of it.
pub(crate) struct LevelTotals {
    own: Vec<Total>,
    rest: Vec<Total>,
}

impl LevelTotals {
    /// The totals of `value` by `level`, one of each per case; the levels are those below
    /// `levels`.
    pub(crate) fn of(level: &[u16], levels: usize, value: impl Fn(usize) -> f64) -> Self {
        let mut own = sums(level, levels, &value);
        let place = |level: &u16| usize::from(*level).min(levels);
        let means: Vec<f64> = own.iter().map(|total| total.moments.mean).collect();
        let mut squares = vec![Neumaier::default(); levels + 1];
        for (row, level) in level.iter().enumerate() {
            let gap = value(row) - means[place(level)];
            squares[place(level)].add(gap * gap);
        }
        for (total, squares) in own.iter_mut().zip(squares) {
            total.moments.m2 = squares.total();
        }
        Self::with_rests(own, levels)
    }

    /// The same without the spread, which stays 0: one pass.
    pub(crate) fn without_spread(
        level: &[u16],
        levels: usize,
        value: impl Fn(usize) -> f64,
    ) -> Self {
        Self::with_rests(sums(level, levels, value), levels)
    }

    fn with_rests(mut own: Vec<Total>, levels: usize) -> Self {
        let rest = (0..levels).map(|level| {
            let others = own.iter().enumerate().filter(|(one, _)| *one != level);
            others.fold(Total::default(), |sum, (_, other)| sum.and(other))
        });
        let rest = rest.collect();
        own.truncate(levels);
        Self { own, rest }
    }

    /// Of the level, or of what is not of it.
    pub(crate) fn of_level(&self, level: usize, inside: bool) -> Total {
        let totals = if inside { &self.own } else { &self.rest };
        totals.get(level).copied().unwrap_or_default()
    }
}

/// Numbers, sums, means and largest values by level; whoever is of no level comes last, as they are
/// in every rest.
fn sums(level: &[u16], levels: usize, value: impl Fn(usize) -> f64) -> Vec<Total> {
    let mut own = vec![Total::default(); levels + 1];
    for (row, level) in level.iter().enumerate() {
        let value = value(row);
        let total = &mut own[usize::from(*level).min(levels)];
        total.moments.n += 1;
        total.sum.add(value);
        total.top.add(value);
    }
    for total in own.iter_mut().filter(|total| total.moments.n > 0) {
        total.moments.mean = total.sum() / count(total.moments.n);
    }
    own
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn levels_and_rests_total_their_own_cases() {
        let level: Vec<u16> = (0..500_u16).map(|row| row % 7 % 4).collect();
        let value: Vec<f64> = (0..500)
            .map(|row| f64::from(row * row % 101) / 7.0)
            .collect();
        // Level 3 is of none.
        let found = LevelTotals::of(&level, 3, |row| value[row]);
        let plain = LevelTotals::without_spread(&level, 3, |row| value[row]);
        for one in 0..3_u16 {
            for inside in [true, false] {
                let rows = level.iter().zip(&value);
                let chosen: Vec<f64> = rows
                    .filter(|(level, _)| (**level == one) == inside)
                    .map(|(_, value)| *value)
                    .collect();
                let (total, expected) = (
                    found.of_level(usize::from(one), inside),
                    Moments::of(&chosen).unwrap(),
                );
                assert_eq!(total.moments.n, expected.n);
                let sums = plain.of_level(usize::from(one), inside);
                assert_eq!(sums.sum().to_bits(), total.sum().to_bits());
                assert_eq!(sums.dominance(), total.dominance());
                assert!((total.moments.mean - expected.mean).abs() < 1e-13);
                assert!((total.moments.m2 - expected.m2).abs() < 1e-10 * expected.m2);
                let mut falling = chosen.clone();
                falling.sort_by(|a, b| b.total_cmp(a));
                let sum = chosen.iter().sum::<f64>();
                let shares = total.dominance();
                assert!((shares.largest - falling[0] / sum).abs() < 1e-13);
                assert!((shares.two - (falling[0] + falling[1]) / sum).abs() < 1e-13);
            }
        }
        let nobody = LevelTotals::of(&[], 1, |_| 0.0);
        assert_eq!(nobody.of_level(0, true).dominance(), Dominance::WHOLE);
        assert_eq!(nobody.of_level(0, false).moments.n, 0);
    }
}
