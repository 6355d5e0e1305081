//! An area from the rows of one class and the other, counted by rising score.
//!
//! From: rows that are sorted already, split by subgroup.
//! To: `statistic::subgroup`.

use super::{Auc, Comparison, Sizes};
use crate::numeric::sum::{Chunked, Neumaier, count};

/// Rows with one score, each a patient of its own.
#[derive(Clone, Copy, Debug, Default, Eq, PartialEq)]
pub struct Run {
    /// Rows with the event.
    pub events: u32,
    /// Rows without it.
    pub non_events: u32,
}

/// What runs by rising score say.
#[derive(Clone, Copy, Debug, PartialEq)]
pub struct RunArea {
    /// Area and DeLong variance, bit for bit those of the rows sorted by score.
    pub auc: Auc,
    /// The largest share that one row has in a class's sum of absolute deviations of placements
    /// from their mean; 1 where that sum is 0.
    pub dominance: f64,
}

/// Deviations of one class's placements.
#[derive(Default)]
struct Deviations {
    squares: Neumaier,
    absolute: Chunked,
    largest: f64,
}

impl Deviations {
    fn add(&mut self, value: f64, area: f64, mean: f64) {
        let from_area = value - area;
        self.squares.add(from_area * from_area);
        let from_mean = (value - mean).abs();
        self.absolute.add(from_mean);
        self.largest = self.largest.max(from_mean);
    }

    fn dominance(&self) -> f64 {
        let sum = self.absolute.total();
        if sum > 0.0 { self.largest / sum } else { 1.0 }
    }
}

/// The area of rows counted by rising score; the sums run over rows, so that a run of several
/// counts as often.
pub fn area_of_runs(runs: &[Run]) -> RunArea {
    let (n1, n0) = runs.iter().fold((0_u64, 0_u64), |(n1, n0), run| {
        (n1 + u64::from(run.events), n0 + u64::from(run.non_events))
    });
    let sizes = Sizes {
        events: n1,
        non_events: n0,
        patients: n1 + n0,
        event_patients: n1,
        non_event_patients: n0,
    };
    let mut found = Comparison {
        sizes,
        areas: None,
        covariance: None,
        placements: Vec::new(),
    };
    if n1 == 0 || n0 == 0 {
        return RunArea {
            auc: found.area(0),
            dominance: 1.0,
        };
    }
    let (mut wins, mut events, mut others) = (0, Neumaier::default(), Neumaier::default());
    walk(runs, n1, n0, |run, twice, of_event, of_other| {
        wins += u64::from(run.events) * twice;
        (0..run.events).for_each(|_| events.add(of_event));
        (0..run.non_events).for_each(|_| others.add(of_other));
    });
    let (all_events, all_others) = (count(n1), count(n0));
    let area = count(wins) / (2.0 * count(n1 * n0));
    let means = (events.total() / all_events, others.total() / all_others);
    let (mut events, mut others) = (Deviations::default(), Deviations::default());
    walk(runs, n1, n0, |run, _, of_event, of_other| {
        (0..run.events).for_each(|_| events.add(of_event, area, means.0));
        (0..run.non_events).for_each(|_| others.add(of_other, area, means.1));
    });
    found.areas = Some(vec![area]);
    if n1 >= 2 && n0 >= 2 {
        let spread = |clusters: u64| count(clusters) / count(clusters - 1);
        let s10 = spread(n1) * events.squares.total() / all_events;
        let s01 = spread(n0) * others.squares.total() / all_others;
        found.covariance = Some(vec![vec![(s10 / all_events + s01 / all_others).max(0.0)]]);
    }
    RunArea {
        auc: found.area(0),
        dominance: events.dominance().max(others.dominance()),
    }
}

/// Calls `each` with every run, twice the number of non-events below its events, and the
/// placements of its events and of its non-events.
fn walk(runs: &[Run], n1: u64, n0: u64, mut each: impl FnMut(&Run, u64, f64, f64)) {
    let (all_events, all_others) = (count(2 * n1), 2.0 * count(n0));
    let (mut below_events, mut below_others) = (0_u64, 0_u64);
    for run in runs {
        let (own, other) = (u64::from(run.events), u64::from(run.non_events));
        let twice = 2 * below_others + other;
        let above = 2 * (n1 - below_events) - own;
        each(
            run,
            twice,
            count(twice) / all_others,
            count(above) / all_events,
        );
        below_events += own;
        below_others += other;
    }
}
