//! Runs of voxels along the rows of a mask.
//!
//! From: `mask`.
//! To: `component`.

use crate::mask::Mask;

/// Voxels in a row without a gap.
#[derive(Clone, Copy, Debug, Eq, PartialEq)]
pub struct Run {
    /// First voxel, relative to the region.
    pub start: u32,
    /// One past the last voxel.
    pub end: u32,
    /// Number of the part, from 0.
    pub part: u32,
}

impl Run {
    /// Voxels of the run.
    pub fn voxels(self) -> u64 {
        u64::from(self.end - self.start)
    }
}

/// Calls `visit` with the places of each pair of runs, of two rows, that come as near as
/// `reach`.
pub(super) fn touching(one: &[Run], two: &[Run], reach: u32, mut visit: impl FnMut(usize, usize)) {
    let (mut at, mut other) = (0, 0);
    while at < one.len() && other < two.len() {
        let (a, b) = (one[at], two[other]);
        if a.start < b.end + reach && b.start < a.end + reach {
            visit(at, other);
        }
        // Runs of a row have gaps, so nothing beyond the one that ends first meets it again.
        if b.end < a.end {
            other += 1;
        } else {
            at += 1;
        }
    }
}

/// Runs of a mask.
pub(super) fn run_count(mask: &Mask) -> u64 {
    let [_, height, depth] = mask.shape();
    let mut runs = 0;
    for (y, z) in (0..depth).flat_map(|z| (0..height).map(move |y| (y, z))) {
        let mut carry = 0;
        for word in mask.row(y, z) {
            runs += u64::from((word & !(word << 1 | carry)).count_ones());
            carry = word >> 63;
        }
    }
    runs
}

/// Calls `visit` with the ends of each run of a row of `width` voxels.
pub(super) fn each_run(words: &[u64], width: usize, mut visit: impl FnMut(u32, u32)) {
    let mut open = None;
    for (at, word) in words.iter().enumerate() {
        let base = at as u32 * 64;
        let mut bit = 0;
        loop {
            // The next voxel that ends the run or starts one.
            let turn = if open.is_some() { !word } else { *word };
            bit += (turn >> bit).trailing_zeros();
            if bit >= 64 {
                break;
            }
            match open.take() {
                Some(start) => visit(start, base + bit),
                None => open = Some(base + bit),
            }
        }
    }
    if let Some(start) = open {
        visit(start, width as u32);
    }
}

/// Sets the bits from `start` to before `end`, which must come after it.
pub(super) fn fill(words: &mut [u64], start: usize, end: usize) {
    let (first, last) = (start / 64, (end - 1) / 64);
    let from = u64::MAX << (start % 64);
    let to = u64::MAX >> (63 - (end - 1) % 64);
    if first == last {
        words[first] |= from & to;
        return;
    }
    words[first] |= from;
    words[last] |= to;
    words[first + 1..last].fill(u64::MAX);
}
