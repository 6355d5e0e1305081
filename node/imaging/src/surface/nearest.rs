//! The nearest point of a set, exactly, without a distance for every voxel of the volume.
//!
//! The set is a [`Mask`]; above its rows stands a pyramid of boxes: one row, then 2 x 2 rows, 4 x 4
//! rows and so on, each with the first and last voxel along the rows. A search descends into the
//! boxes that may hold something nearer than what is known and leaves the others; neighbouring
//! queries start from what the last one found. The cost grows with the number of queries times
//! a few dozen boxes, whatever the volume and however far the sets lie apart.
//!
//! Distances are computed from integer offsets, `sqrt(sum (d_i s_i)^2)`, so that they agree with
//! other exact tools to the last digits.
//!
//! From: `border`.
//! To: `surface`.

use crate::mask::Mask;

/// First and last voxel of a box along the rows; empty when the first is behind the last.
#[derive(Clone, Copy)]
struct Extent {
    first: u32,
    last: u32,
}

const EMPTY: Extent = Extent {
    first: u32::MAX,
    last: 0,
};

impl Extent {
    fn is_empty(self) -> bool {
        self.first > self.last
    }

    fn join(self, other: Self) -> Self {
        Self {
            first: self.first.min(other.first),
            last: self.last.max(other.last),
        }
    }

    /// Voxels between `x` and the nearest voxel of the box.
    fn gap(self, x: u32) -> u32 {
        if x < self.first {
            self.first - x
        } else {
            x.saturating_sub(self.last)
        }
    }
}

/// One step of the pyramid.
struct Level {
    height: usize,
    depth: usize,
    boxes: Vec<Extent>,
}

/// A box still to be looked at.
#[derive(Clone, Copy)]
struct Open {
    level: usize,
    y: usize,
    z: usize,
    least: f64,
}

/// A set of points, ready to be searched.
pub(super) struct Points<'a> {
    mask: &'a Mask,
    spacing: [f64; 3],
    levels: Vec<Level>,
}

impl<'a> Points<'a> {
    /// The points of `mask`, `spacing` millimetres apart.
    pub(super) fn of(mask: &'a Mask, spacing: [f64; 3]) -> Self {
        let [_, height, depth] = mask.shape();
        let mut boxes = Vec::with_capacity(height * depth);
        for z in 0..depth {
            for y in 0..height {
                boxes.push(extent_of(mask.row(y, z)));
            }
        }
        let mut levels = vec![Level {
            height,
            depth,
            boxes,
        }];
        while let Some(below) = levels.last().filter(|level| level.boxes.len() > 1) {
            let above = below.above();
            levels.push(above);
        }
        Self {
            mask,
            spacing,
            levels,
        }
    }

    /// The squared distance from `at` to the nearest point, given that it is at most `bound`;
    /// `bound` itself where no point is nearer.
    pub(super) fn squared(&self, at: [usize; 3], bound: f64) -> f64 {
        let mut best = bound;
        let mut stack = [Open {
            level: self.levels.len() - 1,
            y: 0,
            z: 0,
            least: 0.0,
        }; 64];
        let mut open = 1;
        while open > 0 {
            open -= 1;
            let one = stack[open];
            if one.least >= best {
                continue;
            }
            if one.level == 0 {
                best = self.row(at, one, best);
                continue;
            }
            let mut children = [one; 4];
            let mut count = 0;
            let below = &self.levels[one.level - 1];
            for z in one.z * 2..(one.z * 2 + 2).min(below.depth) {
                for y in one.y * 2..(one.y * 2 + 2).min(below.height) {
                    let extent = below.boxes[z * below.height + y];
                    let child = Open {
                        level: one.level - 1,
                        y,
                        z,
                        least: self.least(at, (one.level - 1, y, z), extent),
                    };
                    if child.least < best {
                        children[count] = child;
                        count += 1;
                    }
                }
            }
            // The nearest child is looked at first, so it goes on top.
            children[..count].sort_unstable_by(|a, b| b.least.total_cmp(&a.least));
            stack[open..open + count].copy_from_slice(&children[..count]);
            open += count;
        }
        best
    }

    /// The least squared distance from `at` to anything in a box.
    fn least(&self, at: [usize; 3], (level, y, z): (usize, usize, usize), extent: Extent) -> f64 {
        if extent.is_empty() {
            return f64::INFINITY;
        }
        let size = 1_usize << level;
        let along = |at: usize, start: usize| {
            let end = start * size + size - 1;
            let start = start * size;
            if at < start {
                start - at
            } else {
                at.saturating_sub(end)
            }
        };
        let x = u32::try_from(at[0]).unwrap_or(u32::MAX);
        self.length(extent.gap(x) as usize, along(at[1], y), along(at[2], z))
    }

    fn length(&self, x: usize, y: usize, z: usize) -> f64 {
        let [x, y, z] = [x, y, z].map(offset);
        let [sx, sy, sz] = self.spacing;
        let (x, y, z) = (x * sx, y * sy, z * sz);
        x * x + y * y + z * z
    }

    fn row(&self, at: [usize; 3], one: Open, best: f64) -> f64 {
        let row = self.mask.row(one.y, one.z);
        let Some(gap) = nearest_bit(row, at[0]) else {
            return best;
        };
        best.min(self.length(gap, at[1].abs_diff(one.y), at[2].abs_diff(one.z)))
    }
}

#[allow(
    clippy::cast_precision_loss,
    reason = "offsets within one volume stay far below 2^53"
)]
fn offset(voxels: usize) -> f64 {
    voxels as f64
}

impl Level {
    /// Four boxes as one.
    fn above(&self) -> Self {
        let (height, depth) = (self.height.div_ceil(2), self.depth.div_ceil(2));
        let mut boxes = vec![EMPTY; height * depth];
        for (place, extent) in self.boxes.iter().enumerate() {
            let (y, z) = (place % self.height, place / self.height);
            let slot = &mut boxes[z / 2 * height + y / 2];
            *slot = slot.join(*extent);
        }
        Self {
            height,
            depth,
            boxes,
        }
    }
}

fn extent_of(row: &[u64]) -> Extent {
    let first = row.iter().position(|word| *word != 0);
    let last = row.iter().rposition(|word| *word != 0);
    let (Some(first), Some(last)) = (first, last) else {
        return EMPTY;
    };
    let place = |word: usize, bit: u32| u32::try_from(word * 64).unwrap_or(u32::MAX) + bit;
    Extent {
        first: place(first, row[first].trailing_zeros()),
        last: place(last, 63 - row[last].leading_zeros()),
    }
}

/// Voxels between `x` and the nearest set bit of a row.
fn nearest_bit(row: &[u64], x: usize) -> Option<usize> {
    let (word, bit) = (x / 64, x % 64);
    let here = row.get(word).copied().unwrap_or(0);
    let below = here & (u64::MAX >> (63 - bit));
    let above = here & (u64::MAX << bit);
    let left = if below != 0 {
        Some(x - (word * 64 + 63 - below.leading_zeros() as usize))
    } else {
        let before = row[..word.min(row.len())]
            .iter()
            .rposition(|word| *word != 0);
        before.map(|at| x - (at * 64 + 63 - row[at].leading_zeros() as usize))
    };
    if left == Some(0) {
        return left;
    }
    let right = if above != 0 {
        Some(word * 64 + above.trailing_zeros() as usize - x)
    } else {
        let mut after = row.iter().enumerate().skip(word + 1);
        after
            .find(|(_, word)| **word != 0)
            .map(|(at, word)| at * 64 + word.trailing_zeros() as usize - x)
    };
    match (left, right) {
        (Some(left), Some(right)) => Some(left.min(right)),
        (left, right) => left.or(right),
    }
}
