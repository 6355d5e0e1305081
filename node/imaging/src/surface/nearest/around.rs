//! The nearest point among the rows around: rows in the order of their distance, each seen through
//! a window of 63 points, until no row can hold anything nearer.
//!
//! From: `nearest`.
//! To: `nearest`.

use super::{Squares, real};
use crate::surface::rows::{BITS, Rows};

/// About how many rows are looked at before a point is left open.
const ROWS: f64 = 300.0;
/// Rows that share the memory of the last answer.
const SHARED: usize = 8;
/// The most searches that are skipped after one in vain.
const SKIPPED: u8 = 64;

/// A row near another: steps in y and in z, and the squared distance.
struct Row {
    y: isize,
    z: isize,
    squared: f64,
}

/// What is known near a place.
#[derive(Clone, Copy)]
enum Known {
    /// The last point found.
    Point([usize; 3]),
    /// Nothing was seen: so many searches are skipped now, and so many after the next in vain.
    Nothing { skip: u8, next: u8 },
}

/// A set of points, and what the last search found in each part of it.
pub(super) struct Around<'a> {
    set: &'a Rows,
    squares: &'a Squares,
    /// Every row within `reach` of a row, nearest first.
    rows: Vec<Row>,
    /// Squared distance up to which rows and windows show whatever is there.
    reach: f64,
    columns: usize,
    known: Vec<Known>,
}

impl<'a> Around<'a> {
    /// The points of `set`.
    pub(super) fn new(set: &'a Rows, squares: &'a Squares, spacing: [f64; 3]) -> Self {
        let (rows, reach) = rows_around(set.shape, spacing);
        let columns = set.shape[0].div_ceil(BITS);
        Self {
            set,
            squares,
            rows,
            reach,
            columns,
            known: vec![
                Known::Nothing { skip: 0, next: 1 };
                columns * set.shape[1].div_ceil(SHARED)
            ],
        }
    }

    /// Steps along each axis from `at` to the nearest point; `None` where that is too far to see.
    pub(super) fn nearest(&mut self, at: [usize; 3]) -> Option<[usize; 3]> {
        let slot = at[1] / SHARED * self.columns + at[0] / BITS;
        let mut best = (f64::INFINITY, [0; 3]);
        let mut skipped = 1;
        match self.known.get_mut(slot)? {
            Known::Point(point) => {
                let steps = [0, 1, 2].map(|axis| point[axis].abs_diff(at[axis]));
                best = (self.squares.sum(steps), steps);
            }
            Known::Nothing { skip: 0, next } => skipped = *next,
            // Where nothing was seen just now there is most likely nothing again.
            Known::Nothing { skip, .. } => {
                *skip -= 1;
                return None;
            }
        }
        let found = self.look(at, &mut best);
        let is_seen = best.0 <= self.reach;
        if let Some(slot) = self.known.get_mut(slot) {
            match found {
                _ if !is_seen => {
                    *slot = Known::Nothing {
                        skip: skipped,
                        next: (2 * skipped).min(SKIPPED),
                    };
                }
                Some([y, z]) => {
                    let right = at[0] + best.1[0];
                    let is_right = right < self.set.shape[0] && self.set.contains([right, y, z]);
                    let x = if is_right { right } else { at[0] - best.1[0] };
                    *slot = Known::Point([x, y, z]);
                }
                None => {}
            }
        }
        is_seen.then_some(best.1)
    }

    /// Betters `best`, a squared distance and its steps, by the rows around `at`; the row of the
    /// point if there is a better one.
    fn look(&self, at: [usize; 3], best: &mut (f64, [usize; 3])) -> Option<[usize; 2]> {
        let [_, height, depth] = self.set.shape;
        let mut found = None;
        for row in &self.rows {
            if row.squared >= best.0 {
                break;
            }
            let y = at[1].wrapping_add_signed(row.y);
            let z = at[2].wrapping_add_signed(row.z);
            if y >= height || z >= depth {
                continue;
            }
            if let Some(steps) = self.set.beside(at[0], y, z) {
                let squared = self.squares.of(0, steps) + row.squared;
                if squared < best.0 {
                    *best = (squared, [steps, row.y.unsigned_abs(), row.z.unsigned_abs()]);
                    found = Some([y, z]);
                }
            }
        }
        found
    }
}

/// Rows around a row, nearest first, and the squared distance within which they are complete.
fn rows_around([_, height, depth]: [usize; 3], [sx, sy, sz]: [f64; 3]) -> (Vec<Row>, f64) {
    // A disc of so many rows; in a plane a line of them, and no longer line anywhere. A window
    // shows 31 steps to each side.
    let line = ROWS / 2.0 * if depth == 1 { sy } else { sy.min(sz) };
    let disc = (ROWS * sy * sz / std::f64::consts::PI).sqrt();
    let radius = if depth == 1 { line } else { line.min(disc) };
    let reach = radius.min(real(BITS / 2 - 1) * sx);
    let last = |spacing: f64, extent: usize| {
        let beyond = (1..extent).find(|steps| real(*steps) * spacing > reach);
        isize::try_from(beyond.unwrap_or(extent) - 1).unwrap_or(isize::MAX)
    };
    let (last_y, last_z) = (last(sy, height), last(sz, depth));
    let mut rows = Vec::new();
    for z in -last_z..=last_z {
        for y in -last_y..=last_y {
            let dy = real(y.unsigned_abs()) * sy;
            let dz = real(z.unsigned_abs()) * sz;
            let squared = dy * dy + dz * dz;
            if squared <= reach * reach {
                rows.push(Row { y, z, squared });
            }
        }
    }
    rows.sort_by(|a, b| a.squared.total_cmp(&b.squared));
    (rows, reach * reach)
}
