//! Placements of rows, and their sums per patient.
//!
//! From: `delong`.
//! To: `delong`; the disclosure gate reads `Placements`.

use super::{DelongFault, Sizes};
use crate::numeric::sum::{Neumaier, count};

/// Rows from which integer placements could overflow 64 bits (products of class sizes).
pub(super) const LIMIT: u64 = 1 << 31;

/// One row's placement.
#[derive(Clone, Copy, Debug, PartialEq)]
pub struct Placement {
    /// The row, from 0, in the order given.
    pub row: usize,
    /// The placement, in `[0, 1]`.
    pub value: f64,
}

/// The placements of one score.
#[derive(Clone, Debug, Default, PartialEq)]
pub struct Placements {
    /// One per event, in row order: the share of non-events below it, ties half (V10).
    /// Empty if there is no non-event.
    pub events: Vec<Placement>,
    /// One per non-event, in row order: the share of events above it, ties half (V01).
    /// Empty if there is no event.
    pub non_events: Vec<Placement>,
    /// Twice the number of concordant pairs plus the number of tied ones.
    doubled_wins: u64,
}

impl Placements {
    /// Placements of every row, in `O(n log n)`.
    ///
    /// # Errors
    /// Columns of different lengths, a NaN score, 2^31 rows or more.
    pub fn of(outcome: &[bool], score: &[f64]) -> Result<Self, DelongFault> {
        if outcome.len() != score.len() {
            return Err(DelongFault::Length);
        }
        if outcome.len() as u64 >= LIMIT {
            return Err(DelongFault::TooMany);
        }
        if score.iter().any(|s| s.is_nan()) {
            return Err(DelongFault::NotANumber);
        }
        let class = |event: bool| {
            let mut scores: Vec<f64> = outcome
                .iter()
                .zip(score)
                .filter(|(y, _)| **y == event)
                .map(|(_, s)| *s)
                .collect();
            scores.sort_by(f64::total_cmp);
            scores
        };
        let (events, non_events) = (class(true), class(false));
        if events.is_empty() || non_events.is_empty() {
            return Ok(Self::default());
        }
        let mut placements = Self::default();
        for (row, (event, value)) in outcome.iter().zip(score).enumerate() {
            if *event {
                let twice = twice_below(&non_events, *value);
                placements.doubled_wins += twice;
                let value = count(twice) / (2.0 * count(non_events.len() as u64));
                placements.events.push(Placement { row, value });
            } else {
                let all = 2 * events.len() as u64;
                let twice = all - twice_below(&events, *value);
                placements.non_events.push(Placement {
                    row,
                    value: count(twice) / count(all),
                });
            }
        }
        Ok(placements)
    }

    /// The area, from the integer count of wins; `None` for one class.
    pub fn area(&self) -> Option<f64> {
        let pairs = self.events.len() as u64 * self.non_events.len() as u64;
        (pairs > 0).then(|| count(self.doubled_wins) / (2.0 * count(pairs)))
    }
}

/// Twice the number of sorted scores below `value`, plus the number equal to it. Zero and
/// minus zero are equal, and the total order puts them side by side.
fn twice_below(sorted: &[f64], value: f64) -> u64 {
    let below = sorted.partition_point(|s| *s < value);
    let not_above = sorted.partition_point(|s| *s <= value);
    (below + not_above) as u64
}

/// Which patient each row belongs to, numbered from 0 in order of the numbers given.
pub(super) struct Patients {
    of_row: Vec<usize>,
    pub(super) sizes: Sizes,
}

/// Deviations of placements from the area, summed per patient.
pub(super) struct Deviations {
    pub(super) event: Vec<f64>,
    pub(super) non_event: Vec<f64>,
}

impl Patients {
    pub(super) fn of(outcome: &[bool], patient: &[u32]) -> Self {
        let mut names = patient.to_vec();
        names.sort_unstable();
        names.dedup();
        let of_row: Vec<usize> = if names.len() == patient.len() {
            // Every row has a patient of its own: any numbering will do.
            (0..patient.len()).collect()
        } else {
            let place = |name: &u32| names.partition_point(|known| known < name);
            patient.iter().map(place).collect()
        };
        // Which classes each patient has a row in: (event, non-event).
        let mut seen = vec![(false, false); names.len()];
        let mut sizes = Sizes::default();
        for (event, place) in outcome.iter().zip(&of_row) {
            let Some(classes) = seen.get_mut(*place) else {
                continue;
            };
            if *event {
                sizes.events += 1;
                classes.0 = true;
            } else {
                sizes.non_events += 1;
                classes.1 = true;
            }
        }
        sizes.patients = seen.len() as u64;
        sizes.event_patients = seen.iter().filter(|c| c.0).count() as u64;
        sizes.non_event_patients = seen.iter().filter(|c| c.1).count() as u64;
        Self { of_row, sizes }
    }

    pub(super) fn deviations(&self, placements: &Placements, area: f64) -> Deviations {
        let patients = usize::try_from(self.sizes.patients).unwrap_or(0);
        let total = |rows: &[Placement]| {
            let mut sums = vec![Neumaier::default(); patients];
            for placement in rows {
                if let Some(sum) = self
                    .of_row
                    .get(placement.row)
                    .and_then(|p| sums.get_mut(*p))
                {
                    sum.add(placement.value - area);
                }
            }
            sums.into_iter().map(Neumaier::total).collect()
        };
        Deviations {
            event: total(&placements.events),
            non_event: total(&placements.non_events),
        }
    }
}
