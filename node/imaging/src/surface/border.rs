//! Where a mask ends: its border voxels, and the corners between voxels that its surface passes.
//!
//! From: [`Mask`].
//! To: `nearest`, `surface`.

use crate::mask::{Mask, Region};

/// Voxels of the mask with a face neighbour outside it; outside the region is outside. In a plane
/// only neighbours within the plane count.
pub(super) fn border(mask: &Mask, plane: bool) -> Mask {
    let [_, height, depth] = mask.shape();
    let mut border = Mask::empty(mask.region());
    let none = vec![0; mask.shape()[0].div_ceil(64)];
    let row = |y: Option<usize>, z: Option<usize>| match (y, z) {
        (Some(y), Some(z)) if y < height && z < depth => mask.row(y, z),
        (_, _) => none.as_slice(),
    };
    for z in 0..depth {
        for y in 0..height {
            let here = mask.row(y, z);
            if here.iter().all(|word| *word == 0) {
                continue;
            }
            let beside = [row(y.checked_sub(1), Some(z)), row(Some(y + 1), Some(z))];
            let across = [row(Some(y), z.checked_sub(1)), row(Some(y), Some(z + 1))];
            let target = border.row_mut(y, z);
            for (at, target) in target.iter_mut().enumerate() {
                let word = here[at];
                let before = at.checked_sub(1).map_or(0, |at| here[at] >> 63);
                let after = here.get(at + 1).map_or(0, |next| next << 63);
                let mut inner = (word << 1 | before) & (word >> 1 | after);
                inner &= beside[0][at] & beside[1][at];
                if !plane {
                    inner &= across[0][at] & across[1][at];
                }
                *target = word & !inner;
            }
        }
    }
    border
}

/// The corners of voxels that the surface passes, each with the pattern of its eight voxels (four
/// in a plane): not all inside, not all outside. Corner (i, j, k) is the lower end of voxel
/// (i, j, k); there is one more along each axis than there are voxels.
pub(super) struct Corners {
    /// The corners.
    pub(super) mask: Mask,
    /// Patterns in the order of [`Mask::each`]: bit `dx + 2 dy + 4 dz` is the voxel at
    /// (i - 1 + dx, j - 1 + dy, k - 1 + dz).
    pub(super) pattern: Vec<u8>,
}

/// The corners of a mask.
pub(super) fn corners(mask: &Mask, plane: bool) -> Corners {
    let [width, height, depth] = mask.shape();
    let deep = if plane { depth } else { depth + 1 };
    let mut found = Mask::empty(Region {
        origin: mask.region().origin,
        shape: [width + 1, height + 1, deep],
    });
    let none = vec![0; width.div_ceil(64)];
    let voxel_rows = |j: usize, k: usize| -> [&[u64]; 4] {
        let row = |y: Option<usize>, z: Option<usize>| match (y, z) {
            (Some(y), Some(z)) if y < height && z < depth => mask.row(y, z),
            (_, _) => none.as_slice(),
        };
        let (lower, upper) = if plane {
            (Some(k), Some(k))
        } else {
            (k.checked_sub(1), Some(k))
        };
        [
            row(j.checked_sub(1), lower),
            row(Some(j), lower),
            row(j.checked_sub(1), upper),
            row(Some(j), upper),
        ]
    };
    let mut pattern = Vec::new();
    for k in 0..deep {
        for j in 0..=height {
            let rows = voxel_rows(j, k);
            if rows.iter().all(|row| row.iter().all(|word| *word == 0)) {
                continue;
            }
            let target = found.row_mut(j, k);
            for (at, target) in target.iter_mut().enumerate() {
                let (mut any, mut all) = (0, u64::MAX);
                for row in rows {
                    let here = row.get(at).copied().unwrap_or(0);
                    let before = at.checked_sub(1).map_or(0, |at| row[at] >> 63);
                    let lower = here << 1 | before;
                    any |= lower | here;
                    all &= lower & here;
                }
                *target = any & !all;
                let mut rest = *target;
                while rest != 0 {
                    pattern.push(pattern_of(&rows, at * 64 + rest.trailing_zeros() as usize));
                    rest &= rest - 1;
                }
            }
        }
    }
    Corners {
        mask: found,
        pattern,
    }
}

fn pattern_of(rows: &[&[u64]; 4], corner: usize) -> u8 {
    let inside = |row: &[u64], voxel: Option<usize>| {
        voxel.is_some_and(|voxel| {
            row.get(voxel / 64)
                .is_some_and(|word| word >> (voxel % 64) & 1 == 1)
        })
    };
    let mut pattern = 0;
    for (place, row) in rows.iter().enumerate() {
        let lower = u8::from(inside(row, corner.checked_sub(1)));
        let upper = u8::from(inside(row, Some(corner)));
        pattern |= (lower | upper << 1) << (2 * place);
    }
    pattern
}
