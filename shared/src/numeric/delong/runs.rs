//! How much of an area one row carries, from rows counted by rising score.
//!
//! From: rows that are sorted already, split by subgroup.
//! To: `statistic::subgroup`.

use crate::numeric::dominance::{Contributions, Dominance};
use crate::numeric::sum::{Neumaier, count};

/// Rows with one score, each a patient of its own.
#[derive(Clone, Copy, Debug, Default, Eq, PartialEq)]
pub struct Run {
    /// Rows with the event.
    pub events: u32,
    /// Rows without it.
    pub non_events: u32,
}

/// The largest shares that rows have in a class's sum of absolute deviations of placements from
/// their mean; all of it where that sum is 0, and without one of the classes. The sums run over rows, so
/// that a run of several counts as often.
pub fn dominance_of_runs(runs: &[Run]) -> Dominance {
    let (n1, n0) = runs.iter().fold((0_u64, 0_u64), |(n1, n0), run| {
        (n1 + u64::from(run.events), n0 + u64::from(run.non_events))
    });
    if n1 == 0 || n0 == 0 {
        return Dominance::WHOLE;
    }
    let (mut events, mut others) = (Neumaier::default(), Neumaier::default());
    walk(runs, n1, n0, |run, of_event, of_other| {
        (0..run.events).for_each(|_| events.add(of_event));
        (0..run.non_events).for_each(|_| others.add(of_other));
    });
    let means = (events.total() / count(n1), others.total() / count(n0));
    let (mut events, mut others) = (Contributions::default(), Contributions::default());
    walk(runs, n1, n0, |run, of_event, of_other| {
        (0..run.events).for_each(|_| events.add(of_event - means.0));
        (0..run.non_events).for_each(|_| others.add(of_other - means.1));
    });
    events.dominance().and(others.dominance())
}

/// Calls `each` with every run and the placements of its events and of its non-events.
fn walk(runs: &[Run], n1: u64, n0: u64, mut each: impl FnMut(&Run, f64, f64)) {
    let (all_events, all_others) = (count(2 * n1), 2.0 * count(n0));
    let (mut below_events, mut below_others) = (0_u64, 0_u64);
    for run in runs {
        let (own, other) = (u64::from(run.events), u64::from(run.non_events));
        let twice = 2 * below_others + other;
        let above = 2 * (n1 - below_events) - own;
        each(run, count(twice) / all_others, count(above) / all_events);
        below_events += own;
        below_others += other;
    }
}
