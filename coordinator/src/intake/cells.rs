//! Every released number is one: finite, inside its own bounds, small enough to be exact.
//!
//! From: a received release.
//! To: findings.

use shared::disclosure::document::ReceivedRelease;
use shared::statistic::Cell;
use shared::statistic::listing::{AnyCell, cells};

use super::finding::Finding;
use super::keys::place;

/// Largest count that a double holds exactly, 2^53.
const COUNT_MAX: u64 = 1 << 53;

/// How many cells show a number other than zero.
pub(super) fn numbers(release: &ReceivedRelease) -> usize {
    release
        .statistics
        .iter()
        .flat_map(cells)
        .filter(|cell| match cell {
            AnyCell::Count(_, cell) => cell.number().is_some_and(|number| number > 0),
            AnyCell::Real(_, cell) => cell.number().is_some_and(|number| number != 0.0),
        })
        .count()
}

/// Checks every cell on its own.
pub(super) fn check(release: &ReceivedRelease, findings: &mut Vec<Finding>) {
    let rounding = release.header.policy.rounding;
    for statistic in &release.statistics {
        let at = place(statistic);
        for cell in cells(statistic) {
            let (name, wrong) = match &cell {
                AnyCell::Count(name, cell) => (name, count_wrong(cell, rounding)),
                AnyCell::Real(name, cell) => (name, real_wrong(cell)),
            };
            if let Some(what) = wrong {
                findings.push(Finding::new("cell", format!("{at}: {name}"), what));
            }
        }
    }
}

/// A rounded count may lie outside its bounds by less than the rounding base: the bounds also
/// say that the true count passed the policy's minimum.
fn count_wrong(cell: &Cell<u64>, rounding: u64) -> Option<&'static str> {
    let (lo, hi) = cell.bounds()?;
    if hi > COUNT_MAX {
        return Some("the count is larger than any hospital");
    }
    if lo > hi {
        return Some("its bounds are reversed");
    }
    let outside = |number: u64| {
        number.saturating_add(rounding) <= lo || hi.saturating_add(rounding) <= number
    };
    if cell.number().is_some_and(outside) {
        return Some("the number lies outside its bounds");
    }
    None
}

fn real_wrong(cell: &Cell<f64>) -> Option<&'static str> {
    let (lo, hi) = cell.bounds()?;
    let values = [Some(lo), Some(hi), cell.number()];
    if values.iter().flatten().any(|value| !value.is_finite()) {
        return Some("it is not a finite number");
    }
    let negative_zero = |value: f64| value == 0.0 && value.is_sign_negative();
    if values.iter().flatten().any(|value| negative_zero(*value)) {
        return Some("it is a negative zero");
    }
    if lo > hi {
        return Some("its bounds are reversed");
    }
    if cell
        .number()
        .is_some_and(|number| number < lo || number > hi)
    {
        return Some("the number lies outside its bounds");
    }
    None
}
