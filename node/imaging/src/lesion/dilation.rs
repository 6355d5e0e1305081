//! Dilation of a mask by faces and edges, a word of 64 voxels at a time.
//!
//! From: `mask`.
//! To: `matching`.

use crate::mask::Mask;

/// The voxels within so many steps of the mask, a step being one of the 18 neighbours by face or
/// edge (8 in a plane); only those inside of the region are kept.
pub(super) fn dilate(mask: &Mask, iterations: u32) -> Mask {
    let mut wide = mask.clone();
    for _ in 0..iterations {
        let wider = step(&wide);
        if wider == wide {
            break;
        }
        wide = wider;
    }
    wide
}

fn step(mask: &Mask) -> Mask {
    let mut wider = Mask::empty(mask.region());
    let [width, height, depth] = mask.shape();
    let words = width.div_ceil(64);
    // Rows whose voxels reach along the row too, and rows an edge away, which do not.
    let (mut faces, mut edges) = (vec![0; words], vec![0; words]);
    for z in 0..depth {
        for y in 0..height {
            faces.fill(0);
            edges.fill(0);
            for (dz, z) in around(z, depth) {
                for (dy, y) in around(y, height) {
                    let into = if dz && dy { &mut edges } else { &mut faces };
                    unite(into, mask.row(y, z));
                }
            }
            let row = wider.row_mut(y, z);
            spread(&faces, row);
            unite(row, &edges);
            if let (Some(last), true) = (row.last_mut(), width % 64 > 0) {
                *last &= (1 << (width % 64)) - 1;
            }
        }
    }
    wider
}

/// The places next to `at` below `end`, and itself; true for a place that is not `at`.
fn around(at: usize, end: usize) -> impl Iterator<Item = (bool, usize)> {
    let places = at.saturating_sub(1)..(at + 2).min(end);
    places.map(move |place| (place != at, place))
}

fn unite(into: &mut [u64], row: &[u64]) {
    for (into, word) in into.iter_mut().zip(row) {
        *into |= word;
    }
}

/// Each voxel of `row` and its two neighbours along the row.
fn spread(row: &[u64], into: &mut [u64]) {
    let mut before = 0;
    for (at, word) in row.iter().enumerate() {
        let after = row.get(at + 1).copied().unwrap_or(0);
        into[at] = word | word << 1 | before >> 63 | word >> 1 | after << 63;
        before = *word;
    }
}
