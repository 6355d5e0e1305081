//! How a new model moves patients against an old one: net reclassification improvement (NRI)
//! and integrated discrimination improvement (IDI).
//!
//! Both are the mean of a change among events minus its mean among non-events: for the NRI the
//! change is up (1), down (-1) or none (0), by risk category or, category-free, by the sign of
//! the change in risk; for the IDI it is the change in risk itself. Pencina, D'Agostino,
//! D'Agostino and Vasan (2008, doi:10.1002/sim.2929); category-free NRI after Pencina,
//! D'Agostino and Steyerberg (2011, doi:10.1002/sim.4085). Standard errors treat the classes
//! as independent samples.
//!
//! Both can improve by adding noise or by miscalibration and are offered only with that
//! warning (Hilden and Gerds 2014, doi:10.1002/sim.5804; Pepe et al. 2015,
//! doi:10.1007/s12561-014-9118-0).
//!
//! From: `statistic::reclassification`.
//! To: `report`.

use super::Interval;
use super::distribution::{normal_critical, normal_two_sided};
use super::sum::{Moments, count};

/// Patients of one class by the way they move from the old model to the new one.
#[derive(Clone, Copy, Debug, Default, Eq, PartialEq)]
pub struct Moves {
    /// To a higher category or risk.
    pub up: u64,
    /// To a lower one.
    pub down: u64,
    /// All patients of the class, those who stay included.
    pub total: u64,
}

impl Moves {
    /// The moves from old to new values, one pair per patient.
    pub fn of<T: PartialOrd>(pairs: impl Iterator<Item = (T, T)>) -> Self {
        let mut moves = Self::default();
        for (old, new) in pairs {
            moves.total += 1;
            moves.up += u64::from(new > old);
            moves.down += u64::from(new < old);
        }
        moves
    }

    /// The moves of two sites together.
    #[must_use]
    pub fn merge(self, other: Self) -> Self {
        Self {
            up: self.up + other.up,
            down: self.down + other.down,
            total: self.total + other.total,
        }
    }

    /// Share moved up minus share moved down; `None` without patients.
    pub fn net(self) -> Option<f64> {
        (self.total > 0).then(|| (count(self.up) - count(self.down)) / count(self.total))
    }

    /// Variance of [`Moves::net`] with divisor `n`; `None` without patients.
    pub fn variance(self) -> Option<f64> {
        let net = self.net()?;
        let n = count(self.total);
        Some(((count(self.up) + count(self.down)) / n - net * net).max(0.0) / n)
    }
}

/// A difference of two class means with its standard error.
#[derive(Clone, Copy, Debug, PartialEq)]
pub struct Improvement {
    /// The part of the events; above 0 is better.
    pub event: f64,
    /// The part of the non-events; above 0 is better.
    pub non_event: f64,
    /// Their sum.
    pub total: f64,
    /// Variance of the sum, at least 0.
    pub variance: f64,
}

impl Improvement {
    /// The NRI from the moves of both classes; `None` if a class is empty.
    pub fn nri(events: Moves, non_events: Moves) -> Option<Self> {
        let variance = events.variance()? + non_events.variance()?;
        Self::of(events.net()?, non_events.net()?, variance)
    }

    /// The IDI from the moments of the change in risk in both classes; `None` with fewer than
    /// two patients in a class.
    pub fn idi(events: Moments, non_events: Moments) -> Option<Self> {
        let spread = |class: Moments| Some(class.variance()? / count(class.n));
        let variance = spread(events)? + spread(non_events)?;
        Self::of(events.mean, non_events.mean, variance)
    }

    fn of(event: f64, non_event: f64, variance: f64) -> Option<Self> {
        let total = event - non_event;
        (total.is_finite() && variance.is_finite()).then_some(Self {
            event,
            non_event: -non_event,
            total,
            variance,
        })
    }

    /// The sum over its standard error; `None` if the variance is 0.
    pub fn z(self) -> Option<f64> {
        (self.variance > 0.0).then(|| self.total / self.variance.sqrt())
    }

    /// Two-sided normal p value; `None` if the variance is 0.
    pub fn p(self) -> Option<f64> {
        normal_two_sided(self.z()?)
    }

    /// Symmetric normal interval of the sum; `None` if the variance is 0.
    pub fn interval(self, level: f64) -> Option<Interval> {
        let half_width = normal_critical(level)? * self.variance.sqrt();
        (self.variance > 0.0)
            .then(|| Interval::around(self.total, half_width))
            .flatten()
    }
}

/// Influence values of the mean of `change` among events minus its mean among non-events, row
/// by row: for standard errors clustered by patient. `None` if the columns differ in length or
/// a class is empty.
pub fn influence(outcome: &[bool], change: &[f64]) -> Option<Vec<f64>> {
    (outcome.len() == change.len()).then_some(())?;
    let class = |event: bool| {
        let rows = outcome.iter().zip(change);
        let values: Vec<f64> = rows
            .filter(|(is_event, _)| **is_event == event)
            .map(|(_, value)| *value)
            .collect();
        Moments::of(&values).filter(|moments| moments.n > 0)
    };
    let (events, non_events) = (class(true)?, class(false)?);
    let rows = outcome.iter().zip(change);
    Some(
        rows.map(|(event, value)| {
            if *event {
                (value - events.mean) / count(events.n)
            } else {
                (non_events.mean - value) / count(non_events.n)
            }
        })
        .collect(),
    )
}

#[cfg(test)]
mod tests {
    use super::*;

    fn close(got: f64, expected: f64) {
        assert!((got - expected).abs() <= 1e-12, "{got} is not {expected}");
    }

    #[test]
    fn a_categorical_nri_by_hand() {
        let events = Moves::of([(0, 1), (1, 1), (1, 0), (0, 2)].into_iter());
        assert_eq!((events.up, events.down, events.total), (2, 1, 4));
        let non_events = Moves {
            up: 1,
            down: 3,
            total: 10,
        };
        let nri = Improvement::nri(events, non_events).unwrap();
        close(nri.event, 0.25);
        close(nri.non_event, 0.2);
        close(nri.total, 0.45);
        close(nri.variance, (0.75 - 0.0625) / 4.0 + (0.4 - 0.04) / 10.0);
        assert!(nri.interval(0.95).unwrap().contains(0.45));
    }

    #[test]
    fn influence_values_give_the_variance() {
        let outcome = [true, true, true, false, false, false, false];
        let change = [1.0, -1.0, 1.0, -1.0, 0.0, -1.0, 1.0];
        let psi = influence(&outcome, &change).unwrap();
        let squares: f64 = psi.iter().map(|value| value * value).sum();
        let moves = |class: bool| {
            let rows = outcome.iter().zip(change).filter(|(y, _)| **y == class);
            Moves::of(rows.map(|(_, change)| (0.0, change)))
        };
        let nri = Improvement::nri(moves(true), moves(false)).unwrap();
        close(squares, nri.variance);
        close(psi.iter().sum::<f64>(), 0.0);
    }

    #[test]
    fn what_is_not_defined_is_none() {
        let some = Moves {
            up: 1,
            down: 0,
            total: 1,
        };
        assert_eq!(Improvement::nri(Moves::default(), some), None);
        let single = Moments::of(&[0.1]).unwrap();
        assert_eq!(Improvement::idi(single, single), None);
        assert_eq!(influence(&[true, true], &[0.0, 1.0]), None);
        assert_eq!(influence(&[true, false], &[0.0]), None);
        let same = Improvement::nri(some, some).unwrap();
        assert_eq!((same.total, same.z(), same.p()), (0.0, None, None));
    }
}
