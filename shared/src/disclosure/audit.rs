//! What an outsider can work out from released counts: interval propagation over sums.
//! Every released table states its sums here; a hidden small count whose feasible interval
//! becomes too narrow is a violation, and the table is withheld.
//!
//! From: `review` (cells as they would be released).
//! To: `review` (withhold or not). The audit by linear programming over all releases builds on it.

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
        self.cells
            .iter()
            .filter(|cell| cell.hidden)
            .filter(|cell| {
                let feasible = cell.hi.min(k - 1).saturating_sub(cell.lo.max(1)) + 1;
                let possible = cell.lo < k && cell.hi >= 1;
                let narrow = cell.hi.saturating_sub(cell.lo) < width;
                narrow || !possible || feasible * 2 < k - 1
            })
            .count()
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

fn narrow(cell: &mut Known, lo: u64, hi: u64) -> bool {
    let (before_lo, before_hi) = (cell.lo, cell.hi);
    cell.lo = cell.lo.max(lo);
    cell.hi = cell.hi.min(hi).max(cell.lo);
    (cell.lo, cell.hi) != (before_lo, before_hi)
}

#[cfg(test)]
mod tests {
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
