//! Where a mask ends: its border voxels, and the corners of voxels that its surface passes.
//!
//! From: [`Mask`].
//! To: `nearest`, `tally`.

use super::rows::{BITS, Rows};
use crate::mask::Mask;

/// A row of the mask, or an empty one beyond its region.
struct Source<'a> {
    mask: &'a Mask,
    none: Vec<u64>,
}

impl<'a> Source<'a> {
    fn new(mask: &'a Mask) -> Self {
        let none = vec![0; mask.shape()[0].div_ceil(BITS)];
        Self { mask, none }
    }

    /// The row before (y, z) in both directions where `back` says so.
    fn row(&self, [y, z]: [usize; 2], back: [bool; 2]) -> &[u64] {
        let [_, height, depth] = self.mask.shape();
        let y = y.wrapping_sub(usize::from(back[0]));
        let z = z.wrapping_sub(usize::from(back[1]));
        if y < height && z < depth {
            self.mask.row(y, z)
        } else {
            &self.none
        }
    }
}

/// Bits one place on: bit x of the answer is bit x - 1 of the row.
fn before(row: &[u64], at: usize) -> u64 {
    let here = row.get(at).map_or(0, |word| word << 1);
    here | at.checked_sub(1).map_or(0, |at| row[at] >> (BITS - 1))
}

/// Bits one place back: bit x of the answer is bit x + 1 of the row.
fn after(row: &[u64], at: usize) -> u64 {
    row[at] >> 1 | row.get(at + 1).map_or(0, |word| word << (BITS - 1))
}

/// Voxels of the mask with a face neighbour outside it; outside the region is outside. In a plane
/// only neighbours within the plane count.
pub(super) fn voxels(mask: &Mask, plane: bool) -> Rows {
    let [_, height, depth] = mask.shape();
    let source = Source::new(mask);
    let mut border = Rows::empty(mask.shape());
    for z in 0..depth {
        for y in 0..height {
            let row = mask.row(y, z);
            let beside = [
                source.row([y, z], [true, false]),
                source.row([y + 1, z], [false, false]),
            ];
            let across = [
                source.row([y, z], [false, true]),
                source.row([y, z + 1], [false, false]),
            ];
            for (at, target) in border.row_mut(y, z).iter_mut().enumerate() {
                let word = row[at];
                if word == 0 {
                    continue;
                }
                let mut inner = before(row, at) & after(row, at) & beside[0][at] & beside[1][at];
                if !plane {
                    inner &= across[0][at] & across[1][at];
                }
                *target = word & !inner;
            }
        }
    }
    border
}

/// The corners of voxels that a mask's surface passes: of the eight voxels around them (four in a
/// plane) some belong to the mask and some do not. Corner (i, j, k) is the lower end of voxel
/// (i, j, k) along each axis, so there is one more along each axis than there are voxels; in a
/// plane there is one along the third.
pub(super) fn corners(mask: &Mask, plane: bool) -> Rows {
    let [width, height, depth] = mask.shape();
    let shape = [width + 1, height + 1, depth + usize::from(!plane)];
    let source = Source::new(mask);
    let mut corners = Rows::empty(shape);
    for z in 0..shape[2] {
        for y in 0..shape[1] {
            let rows = [
                source.row([y, z], [true, !plane]),
                source.row([y, z], [false, !plane]),
                source.row([y, z], [true, false]),
                source.row([y, z], [false, false]),
            ];
            for (at, target) in corners.row_mut(y, z).iter_mut().enumerate() {
                let (mut any, mut all) = (0, u64::MAX);
                for row in rows {
                    let (lower, upper) = (before(row, at), row.get(at).copied().unwrap_or(0));
                    any |= lower | upper;
                    all &= lower & upper;
                }
                *target = any & !all;
            }
        }
    }
    corners
}

/// Which voxels around a corner belong to the mask: bit `dx + 2 dy + 4 dz` for voxel
/// (x - 1 + dx, y - 1 + dy, z - 1 + dz); in a plane the same four voxels for either dz.
pub(super) fn pattern(mask: &Mask, plane: bool, [x, y, z]: [usize; 3]) -> u8 {
    let [width, height, depth] = mask.shape();
    let mut pattern = 0;
    for place in 0..4 {
        let y = (y + (place & 1)).wrapping_sub(1);
        let z = if plane {
            z
        } else {
            (z + (place >> 1)).wrapping_sub(1)
        };
        if y >= height || z >= depth {
            continue;
        }
        let row = mask.row(y, z);
        let is_inside = |x: usize| x < width && row[x / BITS] >> (x % BITS) & 1 == 1;
        let pair = u8::from(is_inside(x.wrapping_sub(1))) | u8::from(is_inside(x)) << 1;
        pattern |= pair << (2 * place);
    }
    pattern
}
