//! What an outsider can work out from released counts: interval propagation over sums, and where
//! that leaves a hidden count wide enough, linear programming over all sums together, which finds
//! everything that follows from them but for whole numbers. Every released table states its sums
//! here; a hidden small count whose feasible interval becomes too narrow is a violation, and the
//! table is withheld. What the solver cannot solve counts as a violation too.
//!
//! From: `review` (cells as they would be released).
//! To: `review` (withhold or not).

use std::panic::{AssertUnwindSafe, catch_unwind};

use microlp::{ComparisonOp, Error, LinearExpr, OptimizationDirection, Problem, Variable};

/// How far a bound found by the solver is trusted: its own tolerance is a tenth of this.
const TOLERANCE: f64 = 1e-6;
/// Above this a bound says nothing, and the solver is told that there is none.
const OPEN: u64 = 1 << 32;

/// Index of a cell in the audit.
#[derive(Clone, Copy, Debug, Eq, PartialEq)]
pub struct CellIndex(usize);

/// Counts known up to intervals, and sums among them.
#[derive(Default)]
pub struct Audit {
    cells: Vec<Known>,
    sums: Vec<(CellIndex, Vec<CellIndex>)>,
}

struct Known {
    lo: u64,
    hi: u64,
    hidden: bool,
}

impl Audit {
    /// A cell that outsiders see as `[lo, hi]`; `hidden` when it must stay protected.
    pub fn cell(&mut self, lo: u64, hi: u64, hidden: bool) -> CellIndex {
        self.cells.push(Known { lo, hi, hidden });
        CellIndex(self.cells.len() - 1)
    }

    /// `whole` is the sum of `parts`.
    pub fn sum(&mut self, whole: CellIndex, parts: Vec<CellIndex>) {
        self.sums.push((whole, parts));
    }

    /// Narrows every interval as far as sums allow, and returns how many hidden cells end with
    /// fewer than `width` feasible steps or with more than half of `1..k` excluded.
    pub fn violations(mut self, k: u64, width: u64) -> usize {
        self.propagate();
        let hidden = (0..self.cells.len()).filter(|cell| self.cells[*cell].hidden);
        hidden
            .filter(|cell| {
                let known = &self.cells[*cell];
                if is_narrow((known.lo, known.hi), k, width) {
                    return true;
                }
                // A solver that fails has not shown that the cell is safe.
                let solved = self.solve(*cell);
                solved.is_none_or(|bounds| is_narrow(bounds, k, width))
            })
            .count()
    }

    /// The least and the greatest value that a cell may have under all sums together.
    fn solve(&self, cell: usize) -> Option<(u64, u64)> {
        let known = &self.cells[cell];
        let least = self.extreme(cell, OptimizationDirection::Minimize)?;
        let most = self.extreme(cell, OptimizationDirection::Maximize)?;
        Some((
            whole(least.ceil()).max(known.lo),
            whole(most.floor()).min(known.hi),
        ))
    }

    /// One of a cell's bounds, moved outwards by the tolerance; infinite where nothing bounds it.
    fn extreme(&self, cell: usize, direction: OptimizationDirection) -> Option<f64> {
        let mut problem = Problem::new(direction);
        let variables: Vec<Variable> = self
            .cells
            .iter()
            .enumerate()
            .map(|(index, known)| {
                let wanted = if index == cell { 1.0 } else { 0.0 };
                problem.add_var(wanted, (number(known.lo), number(known.hi)))
            })
            .collect();
        for (whole, parts) in &self.sums {
            let mut sum = LinearExpr::empty();
            sum.add(variables[whole.0], -1.0);
            for part in parts {
                sum.add(variables[part.0], 1.0);
            }
            problem.add_constraint(sum, ComparisonOp::Eq, 0.0);
        }
        let outwards = match direction {
            OptimizationDirection::Minimize => -TOLERANCE,
            OptimizationDirection::Maximize => TOLERANCE,
        };
        match catch_unwind(AssertUnwindSafe(|| problem.solve())).ok()? {
            Ok(outcome) => Some(outcome.into_solution().ok()?.objective() + outwards),
            Err(Error::Unbounded) if direction == OptimizationDirection::Maximize => {
                Some(f64::INFINITY)
            }
            Err(_) => None,
        }
    }

    fn propagate(&mut self) {
        // Each pass narrows some interval or ends; intervals are integers, and the bound keeps
        // even a contradictory table finite.
        for _ in 0..1000 {
            let mut changed = false;
            for (whole, parts) in &self.sums {
                let lo: u64 = parts.iter().map(|part| self.cells[part.0].lo).sum();
                let hi = parts
                    .iter()
                    .fold(0_u64, |sum, part| sum.saturating_add(self.cells[part.0].hi));
                changed |= narrow(&mut self.cells[whole.0], lo, hi);
                let (total_lo, total_hi) = (self.cells[whole.0].lo, self.cells[whole.0].hi);
                for part in parts {
                    let (own_lo, own_hi) = (self.cells[part.0].lo, self.cells[part.0].hi);
                    let least = total_lo.saturating_sub(hi.saturating_sub(own_hi));
                    let most = total_hi.saturating_sub(lo - own_lo);
                    changed |= narrow(&mut self.cells[part.0], least, most);
                }
            }
            if !changed {
                break;
            }
        }
    }
}

/// Whether what is left of a hidden cell says too much.
fn is_narrow((lo, hi): (u64, u64), k: u64, width: u64) -> bool {
    let feasible = hi.min(k - 1).saturating_sub(lo.max(1)) + 1;
    let possible = lo < k && hi >= 1;
    hi.saturating_sub(lo) < width || !possible || feasible * 2 < k - 1
}

#[allow(
    clippy::cast_precision_loss,
    reason = "bounds above 2^32 become infinite, others are exact"
)]
fn number(bound: u64) -> f64 {
    if bound >= OPEN {
        f64::INFINITY
    } else {
        bound as f64
    }
}

#[allow(
    clippy::cast_possible_truncation,
    clippy::cast_sign_loss,
    reason = "kept within the range of what a count can be"
)]
fn whole(value: f64) -> u64 {
    if value >= number(OPEN - 1) {
        u64::MAX
    } else {
        value.max(0.0) as u64
    }
}

fn narrow(cell: &mut Known, lo: u64, hi: u64) -> bool {
    let (before_lo, before_hi) = (cell.lo, cell.hi);
    cell.lo = cell.lo.max(lo);
    cell.hi = cell.hi.min(hi).max(cell.lo);
    (cell.lo, cell.hi) != (before_lo, before_hi)
}

#[cfg(test)]
mod tests {
    use super::super::review::MANY;
    use super::*;

    #[test]
    fn an_exact_margin_gives_a_hidden_cell_away() {
        let mut audit = Audit::default();
        let total = audit.cell(100, 100, false);
        let shown = audit.cell(97, 97, false);
        let hidden = audit.cell(0, 9, true);
        audit.sum(total, vec![shown, hidden]);
        assert_eq!(audit.violations(10, 5), 1);
    }

    #[test]
    fn sums_that_only_together_give_a_cell_away_are_found() {
        // Each pair of three hidden counts adds up to ten, so each is five: no sum alone says so.
        let mut audit = Audit::default();
        let cells = [(); 3].map(|()| audit.cell(0, 9, true));
        for (one, two) in [(0, 1), (1, 2), (0, 2)] {
            let whole = audit.cell(10, 10, false);
            audit.sum(whole, vec![cells[one], cells[two]]);
        }
        let mut only_by_sums = audit.cells.len();
        audit.propagate();
        only_by_sums -= audit
            .cells
            .iter()
            .filter(|cell| cell.hi - cell.lo > 5)
            .count();
        assert_eq!(only_by_sums, 3, "the wholes, and none of the hidden");
        assert_eq!(audit.violations(10, 5), 3);
    }

    #[test]
    fn sums_that_contradict_each_other_are_not_safe() {
        let mut audit = Audit::default();
        let (first, second) = (audit.cell(0, MANY, true), audit.cell(0, MANY, false));
        let (one, two) = (audit.cell(30, 30, false), audit.cell(40, 40, false));
        audit.sum(one, vec![first, second]);
        audit.sum(two, vec![first, second]);
        assert_eq!(audit.violations(10, 5), 1);
    }

    #[test]
    fn a_cell_without_any_bound_is_safe() {
        let mut audit = Audit::default();
        let (first, second) = (audit.cell(0, MANY, true), audit.cell(0, MANY, false));
        let whole = audit.cell(0, MANY, false);
        audit.sum(whole, vec![first, second]);
        assert_eq!(audit.violations(10, 5), 0);
    }

    #[test]
    fn two_hidden_cells_protect_each_other() {
        let mut audit = Audit::default();
        let total = audit.cell(100, 100, false);
        let shown = audit.cell(85, 85, false);
        let first = audit.cell(0, 9, true);
        let second = audit.cell(0, 100, false);
        audit.sum(total, vec![shown, first, second]);
        assert_eq!(audit.violations(10, 5), 0);
    }
}
