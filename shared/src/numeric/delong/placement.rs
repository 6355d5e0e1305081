//! Placements of rows, and their sums per patient.
//!
//! From: `delong`.
//! To: `delong`; the disclosure gate reads `Placements`.

use super::{DelongFault, Sizes};
use crate::numeric::rank::{row_of, sorted, value_bits};
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
        let (events, non_events) = (ranked(outcome, score, true), ranked(outcome, score, false));
        if events.is_empty() || non_events.is_empty() {
            return Ok(Self::default());
        }
        let mut twice = vec![0; outcome.len()];
        set_twice_below(&events, &non_events, &mut twice);
        set_twice_below(&non_events, &events, &mut twice);
        let (all_events, all_others) = (2 * events.len() as u64, 2 * non_events.len() as u64);
        let mut placements = Self {
            events: Vec::with_capacity(events.len()),
            non_events: Vec::with_capacity(non_events.len()),
            doubled_wins: 0,
        };
        for (row, (event, below)) in outcome.iter().zip(twice).enumerate() {
            if *event {
                placements.doubled_wins += below;
                let value = count(below) / count(all_others);
                placements.events.push(Placement { row, value });
            } else {
                let value = count(all_events - below) / count(all_events);
                placements.non_events.push(Placement { row, value });
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

/// The rows of one class by rising score.
fn ranked(outcome: &[bool], score: &[f64], class: bool) -> Vec<u128> {
    let rows = outcome.iter().zip(score).enumerate();
    let class = rows.filter(|(_, (event, _))| **event == class);
    sorted(class.map(|(row, (_, score))| (row, *score)))
}

/// For each row of `class`, at its place in `twice`: twice the number of rows of `other` with a
/// lower score, plus the number with the same. One walk through both.
fn set_twice_below(class: &[u128], other: &[u128], twice: &mut [u64]) {
    let score = |packed: &u128| value_bits(*packed);
    let (mut below, mut not_above) = (0, 0);
    for packed in class {
        let own = score(packed);
        while other.get(below).is_some_and(|one| score(one) < own) {
            below += 1;
        }
        not_above = not_above.max(below);
        while other.get(not_above).is_some_and(|one| score(one) <= own) {
            not_above += 1;
        }
        if let Some(twice) = twice.get_mut(row_of(*packed) as usize) {
            *twice = (below + not_above) as u64;
        }
    }
}

/// Which patient each row belongs to, numbered from 0 in order of the numbers given; empty where
/// nobody repeats.
pub(super) struct Patients {
    of_row: Vec<usize>,
    pub(super) sizes: Sizes,
}

/// Deviations of placements from the area, summed per patient: one entry per patient, in the same
/// order for both classes, where patients repeat; else one per row of the class.
pub(super) struct Deviations {
    pub(super) event: Vec<f64>,
    pub(super) non_event: Vec<f64>,
}

impl Patients {
    pub(super) fn of(outcome: &[bool], patient: &[u32]) -> Self {
        let mut names = Vec::new();
        if !patient.is_sorted_by(|a, b| a < b) {
            names = patient.to_vec();
            names.sort_unstable();
            names.dedup();
        }
        if names.is_empty() || names.len() == patient.len() {
            return Self::each_once(outcome);
        }
        let place = |name: &u32| names.partition_point(|known| known < name);
        let of_row: Vec<usize> = patient.iter().map(place).collect();
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

    /// Every row has a patient of its own, so rows need no numbers of patients.
    fn each_once(outcome: &[bool]) -> Self {
        let events = outcome.iter().filter(|event| **event).count() as u64;
        let non_events = outcome.len() as u64 - events;
        Self {
            of_row: Vec::new(),
            sizes: Sizes {
                events,
                non_events,
                patients: events + non_events,
                event_patients: events,
                non_event_patients: non_events,
            },
        }
    }

    pub(super) fn deviations(&self, placements: &Placements, area: f64) -> Deviations {
        // Without repeats every row is a sum of its own, and nobody stands in both classes.
        let each = |rows: &[Placement]| rows.iter().map(|place| place.value - area).collect();
        if !self.sizes.clustered() {
            return Deviations {
                event: each(&placements.events),
                non_event: each(&placements.non_events),
            };
        }
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
