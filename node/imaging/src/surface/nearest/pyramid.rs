//! The nearest point of a set, however far: above its rows stand rows that join 2 x 2 of them, and
//! so on. A joined row with nothing near enough rules out all it joins. Along the rows the pyramid
//! is as fine as the set, so its bounds are tight.
//!
//! From: `nearest`.
//! To: `nearest`.

use super::Squares;
use crate::surface::rows::{BITS, Rows};

/// Rows that share the memory of the last answer.
const SHARED: usize = 8;

/// A set of points, and what the last search found in each part of it.
pub(super) struct Pyramid<'a> {
    set: &'a Rows,
    squares: &'a Squares,
    /// Rows joined, each time 2 x 2; the last has no more than that.
    joined: Vec<Rows>,
    columns: usize,
    known: Vec<Option<[usize; 3]>>,
    /// Rows of four looked at so far.
    looks: usize,
}

/// The best answer so far.
struct Best {
    squared: f64,
    /// Steps along each axis.
    steps: [usize; 3],
    /// The point's row, when it was found now.
    row: Option<[usize; 2]>,
    looks: usize,
}

impl<'a> Pyramid<'a> {
    /// The points of `set`.
    pub(super) fn new(set: &'a Rows, squares: &'a Squares) -> Self {
        let mut joined: Vec<Rows> = Vec::new();
        let mut top = set;
        while top.shape[1].max(top.shape[2]) > 2 {
            let above = top.joined();
            joined.push(above);
            top = joined.last().unwrap_or(set);
        }
        let columns = set.shape[0].div_ceil(BITS);
        Self {
            set,
            squares,
            joined,
            columns,
            known: vec![None; columns * set.shape[1].div_ceil(SHARED)],
            looks: 0,
        }
    }

    /// How often four rows were looked at so far: what searching has cost.
    pub(super) fn looks(&self) -> usize {
        self.looks
    }

    /// Steps along each axis from `at` to the nearest point, if there is any.
    pub(super) fn nearest(&mut self, at: [usize; 3]) -> Option<[usize; 3]> {
        let slot = at[1] / SHARED * self.columns + at[0] / BITS;
        let mut best = Best {
            squared: f64::INFINITY,
            steps: [0; 3],
            row: None,
            looks: 0,
        };
        if let Some(point) = *self.known.get(slot)? {
            best.steps = [0, 1, 2].map(|axis| point[axis].abs_diff(at[axis]));
            best.squared = self.squares.sum(best.steps);
        }
        self.descend(at, self.joined.len(), [0; 2], &mut best);
        self.looks += best.looks;
        if let (Some([y, z]), Some(known)) = (best.row, self.known.get_mut(slot)) {
            let right = at[0] + best.steps[0];
            let is_right = right < self.set.shape[0] && self.set.contains([right, y, z]);
            let x = if is_right {
                right
            } else {
                at[0] - best.steps[0]
            };
            *known = Some([x, y, z]);
        }
        (best.squared < f64::INFINITY).then_some(best.steps)
    }

    /// Looks at the rows of `level` that the row (y, z) above them joins.
    fn descend(&self, at: [usize; 3], level: usize, [y, z]: [usize; 2], best: &mut Best) {
        let rows = level
            .checked_sub(1)
            .map_or(self.set, |above| &self.joined[above]);
        best.looks += 1;
        let mut open = [(0.0, [0; 2]); 4];
        let mut count = 0;
        for z in 2 * z..(2 * z + 2).min(rows.shape[2]) {
            let apart_z = self.squares.of(2, gap(at[2], z, level));
            for y in 2 * y..(2 * y + 2).min(rows.shape[1]) {
                let apart = self.squares.of(1, gap(at[1], y, level)) + apart_z;
                if apart >= best.squared {
                    continue;
                }
                let Some(steps) = rows.along(at[0], y, z) else {
                    continue;
                };
                let squared = self.squares.of(0, steps) + apart;
                if squared >= best.squared {
                    continue;
                }
                if level == 0 {
                    best.squared = squared;
                    best.steps = [steps, at[1].abs_diff(y), at[2].abs_diff(z)];
                    best.row = Some([y, z]);
                } else {
                    open[count] = (squared, [y, z]);
                    count += 1;
                }
            }
        }
        // The nearest is looked into first: it may rule out the others.
        let open = &mut open[..count];
        open.sort_unstable_by(|a, b| a.0.total_cmp(&b.0));
        for (least, row) in open {
            if *least < best.squared {
                self.descend(at, level - 1, *row, best);
            }
        }
    }
}

/// Steps from `at` to the nearest row of those that row `joined` of a level stands for.
fn gap(at: usize, joined: usize, level: usize) -> usize {
    let first = joined << level;
    let last = first + (1 << level) - 1;
    first.saturating_sub(at) + at.saturating_sub(last)
}
