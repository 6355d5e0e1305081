//! How far each point of one set lies from another set, exactly.
//!
//! Most points of two surfaces lie close together, and the rows around a point tell ([`Around`]).
//! What is left open is searched for in a pyramid ([`Pyramid`]), point by point, which is quick for
//! few points; many share the sweeps of a distance map over some columns ([`Sweep`]). So the cost
//! grows with the points, and stays below twice that of a distance map.
//!
//! From: `border`.
//! To: `tally`.

use super::rows::{BITS, Rows, each_bit};

mod around;
mod pyramid;
mod sweep;

use around::Around;
use pyramid::Pyramid;
use sweep::Sweep;

/// Steps of a sweep that cost as much as half a look into the pyramid: searching stops when it has
/// cost half of what sweeping costs.
const STEPS: usize = 6;

/// Squared lengths of whole steps along each axis, square millimetres.
pub(super) struct Squares([Vec<f64>; 3]);

impl Squares {
    /// For a lattice of `shape` whose neighbours lie `spacing` millimetres apart.
    pub(super) fn new(shape: [usize; 3], spacing: [f64; 3]) -> Self {
        Self([0, 1, 2].map(|axis| {
            let lengths = (0..shape[axis]).map(|steps| real(steps) * spacing[axis]);
            lengths.map(|length| length * length).collect()
        }))
    }

    /// Of `steps` along `axis`, less than there are points along it.
    #[inline]
    fn of(&self, axis: usize, steps: usize) -> f64 {
        self.0[axis][steps]
    }

    /// Of a step that goes so far along each axis.
    fn sum(&self, [x, y, z]: [usize; 3]) -> f64 {
        self.of(0, x) + (self.of(1, y) + self.of(2, z))
    }
}

#[allow(
    clippy::cast_precision_loss,
    reason = "steps within one volume stay far below 2^53"
)]
fn real(steps: usize) -> f64 {
    steps as f64
}

/// Calls `visit` with each point of `from`, in no promised order, and the steps along each axis
/// to the point of `to` nearest to it. Both lattices have one shape; without a point in `to`
/// nothing is visited.
pub(super) fn each_nearest(
    from: &Rows,
    to: &Rows,
    spacing: [f64; 3],
    mut visit: impl FnMut([usize; 3], [usize; 3]),
) {
    let squares = Squares::new(to.shape, spacing);
    let mut around = Around::new(to, &squares, spacing);
    let mut open = Rows::empty(from.shape);
    let mut is_open = false;
    from.each(|at| {
        if let Some(steps) = around.nearest(at) {
            visit(at, steps);
        } else {
            is_open = true;
            open.row_mut(at[1], at[2])[at[0] / BITS] |= 1 << (at[0] % BITS);
        }
    });
    if is_open {
        finish(&mut open, to, (&squares, spacing), &mut visit);
    }
}

/// Visits the points that are open. No one knows beforehand how long a search takes, so each 64
/// columns are searched until half the cost of a sweep is spent, and swept for the rest.
fn finish(
    open: &mut Rows,
    to: &Rows,
    (squares, spacing): (&Squares, [f64; 3]),
    visit: &mut impl FnMut([usize; 3], [usize; 3]),
) {
    let [width, height, depth] = open.shape;
    let mut pyramid = Pyramid::new(to, squares);
    let sweep = Sweep::new(to, squares, spacing);
    for column in 0..width.div_ceil(BITS) {
        let last = pyramid.looks() + sweep.steps(&lines(open, column)) / STEPS;
        let all = (0..depth).flat_map(|z| (0..height).map(move |y| (y, z)));
        for (y, z) in all {
            if pyramid.looks() > last {
                sweep.column(open, column, visit);
                break;
            }
            let word = std::mem::take(&mut open.row_mut(y, z)[column]);
            each_bit(word, |bit| {
                let at = [column * BITS + bit, y, z];
                if let Some(steps) = pyramid.nearest(at) {
                    visit(at, steps);
                }
            });
        }
    }
}

/// For each y the columns in which a point of any plane is open.
fn lines(open: &Rows, column: usize) -> Vec<u64> {
    let mut lines = vec![0; open.shape[1]];
    for z in 0..open.shape[2] {
        for (y, line) in lines.iter_mut().enumerate() {
            *line |= open.row(y, z)[column];
        }
    }
    lines
}

#[cfg(test)]
mod tests;
