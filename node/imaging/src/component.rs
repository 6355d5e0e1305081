//! Connected parts of a mask, exact, by runs of voxels along the rows.
//!
//! Rows are read once, in raster order; a run joins the runs it touches in the rows before it
//! (a union-find over runs, not over voxels). Parts are numbered by their first voxel in raster
//! order, first axis fastest, so that every machine numbers them alike.
//!
//! Memory: 12 bytes for each run, 104 for each part, 4 for each row. Masks of more
//! than [`MOST_RUNS`] runs or [`MOST_PARTS`] parts are refused: noise, not lesions.
//!
//! From: `mask`.
//! To: `lesion`, `detection`.

use crate::mask::{Mask, Region};
use crate::refusal::{Reason, Refusal};

/// The most runs of one mask: 96 MiB.
pub const MOST_RUNS: u64 = 1 << 23;

/// The most parts of one mask: 104 MiB.
pub const MOST_PARTS: usize = 1 << 20;

/// Which voxels are neighbours.
#[derive(Clone, Copy, Debug, Eq, PartialEq, Ord, PartialOrd)]
pub enum Connectivity {
    /// Those that share a face: 6 in a volume, 4 in a plane.
    Faces,
    /// Those that share a face or an edge: 18 in a volume, 8 in a plane.
    Edges,
    /// Those that share a face, an edge or a corner: 26 in a volume, 8 in a plane.
    Corners,
}

impl Connectivity {
    /// Every connectivity.
    pub const ALL: [Self; 3] = [Self::Faces, Self::Edges, Self::Corners];

    /// Neighbours of a voxel inside a volume: 6, 18 or 26.
    pub fn neighbours(self) -> u8 {
        match self {
            Self::Faces => 6,
            Self::Edges => 18,
            Self::Corners => 26,
        }
    }

    /// The connectivity with so many neighbours in a volume.
    pub fn parse(neighbours: u8) -> Option<Self> {
        let mut all = Self::ALL.into_iter();
        all.find(|one| one.neighbours() == neighbours)
    }

    /// How far along the first axis a voxel reaches into a row that is `steps` (1 or 2) away
    /// over the other two axes; `None` when that row holds no neighbour.
    fn reach(self, steps: u8) -> Option<u32> {
        match (self, steps) {
            (Self::Corners, _) | (Self::Edges, 1) => Some(1),
            (Self::Edges, _) | (Self::Faces, 1) => Some(0),
            (Self::Faces, _) => None,
        }
    }
}

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

/// One connected part.
#[derive(Clone, Copy, Debug, PartialEq)]
pub struct Component {
    /// Voxels; at least 1.
    pub voxels: u64,
    /// First voxel in raster order, a position in the volume.
    pub first: [usize; 3],
    /// Smallest box of the volume that holds it.
    pub extent: Region,
    /// Centre of mass: the mean position of its voxels in the volume, in voxels.
    pub centre: [f64; 3],
}

/// Voxels that a part of one mask shares with a part of another.
#[derive(Clone, Copy, Debug, Eq, PartialEq)]
pub struct Shared {
    /// Part of this mask.
    pub part: u32,
    /// Part of the other mask.
    pub other: u32,
    /// Voxels in both; at least 1.
    pub voxels: u64,
}

/// The connected parts of a mask.
#[derive(Clone, Debug, PartialEq)]
pub struct Components {
    region: Region,
    /// Place in `runs` of each row's first run, and one past the last.
    rows: Vec<u32>,
    runs: Vec<Run>,
    each: Vec<Component>,
}

impl Components {
    /// The parts of `mask`.
    ///
    /// # Errors
    /// `too-large` above [`MOST_RUNS`] runs or [`MOST_PARTS`] parts.
    pub fn of(mask: &Mask, connectivity: Connectivity) -> Result<Self, Refusal> {
        let runs = run_count(mask);
        if runs > MOST_RUNS {
            let detail = format!("{runs} runs of voxels in one structure, at most {MOST_RUNS}");
            return Err(Refusal::new(Reason::TooLarge, detail));
        }
        let mut found = Self {
            region: mask.region(),
            rows: vec![0],
            runs: Vec::with_capacity(runs as usize),
            each: Vec::new(),
        };
        let mut forest = Forest::default();
        let [_, height, depth] = mask.shape();
        for z in 0..depth {
            for y in 0..height {
                found.add_row(mask, [y, z], connectivity, &mut forest);
            }
        }
        let (numbers, parts) = forest.numbers();
        if parts > MOST_PARTS {
            let detail = format!("{parts} separate parts in one structure, at most {MOST_PARTS}");
            return Err(Refusal::new(Reason::TooLarge, detail));
        }
        for run in &mut found.runs {
            run.part = numbers[run.part as usize];
        }
        found.each = found.measure(parts);
        Ok(found)
    }

    /// The region of the mask.
    pub fn region(&self) -> Region {
        self.region
    }

    /// The parts in order of their first voxels.
    pub fn each(&self) -> &[Component] {
        &self.each
    }

    /// The number of parts.
    pub fn len(&self) -> usize {
        self.each.len()
    }

    /// True without any part.
    pub fn is_empty(&self) -> bool {
        self.each.is_empty()
    }

    /// The runs of the row at (y, z) of the region, rising.
    pub fn row(&self, y: usize, z: usize) -> &[Run] {
        let row = z * self.region.shape[1] + y;
        &self.runs[self.rows[row] as usize..self.rows[row + 1] as usize]
    }

    /// The part that holds a voxel of the volume, if one does.
    pub fn at(&self, voxel: [usize; 3]) -> Option<u32> {
        let [x, y, z] = [0, 1, 2].map(|axis| voxel[axis].wrapping_sub(self.region.origin[axis]));
        let [width, height, depth] = self.region.shape;
        if x >= width || y >= height || z >= depth {
            return None;
        }
        let row = self.row(y, z);
        let place = row.partition_point(|run| run.end as usize <= x);
        let run = row.get(place)?;
        (run.start as usize <= x).then_some(run.part)
    }

    /// Which parts of two masks over the same region share voxels, by part and then by the
    /// other's part.
    pub fn shared(&self, other: &Self) -> Vec<Shared> {
        let mut found: Vec<Shared> = Vec::new();
        let [_, height, depth] = self.region.shape;
        for (y, z) in (0..depth).flat_map(|z| (0..height).map(move |y| (y, z))) {
            let rows = (self.row(y, z), other.row(y, z));
            touching(rows.0, rows.1, 0, |at, opposite| {
                let (a, b) = (rows.0[at], rows.1[opposite]);
                let voxels = u64::from(a.end.min(b.end) - a.start.max(b.start));
                match found.last_mut() {
                    Some(last) if (last.part, last.other) == (a.part, b.part) => {
                        last.voxels += voxels;
                    }
                    _ => found.push(Shared {
                        part: a.part,
                        other: b.part,
                        voxels,
                    }),
                }
            });
        }
        found.sort_unstable_by_key(|one| (one.part, one.other));
        found.dedup_by(|next, kept| {
            let same = (next.part, next.other) == (kept.part, kept.other);
            if same {
                kept.voxels += next.voxels;
            }
            same
        });
        found
    }

    /// The voxels of the parts that `wanted` names, within `region`, a box of the volume.
    pub fn mask(&self, region: Region, wanted: impl Fn(u32) -> bool) -> Mask {
        let mut mask = Mask::empty(region);
        let whole = self.region;
        // Both ends of the common box along an axis, in the volume.
        let common = [0, 1, 2].map(|axis| {
            let end = |region: Region| region.origin[axis] + region.shape[axis];
            let low = whole.origin[axis].max(region.origin[axis]);
            low..end(whole).min(end(region)).max(low)
        });
        let [columns, rows, planes] = common;
        for (y, z) in planes.flat_map(|z| rows.clone().map(move |y| (y, z))) {
            let runs = self.row(y - whole.origin[1], z - whole.origin[2]);
            let target = mask.row_mut(y - region.origin[1], z - region.origin[2]);
            let first =
                runs.partition_point(|run| whole.origin[0] + run.end as usize <= columns.start);
            for run in &runs[first..] {
                let start = (whole.origin[0] + run.start as usize).max(columns.start);
                let end = (whole.origin[0] + run.end as usize).min(columns.end);
                if start >= end {
                    break;
                }
                if wanted(run.part) {
                    fill(target, start - region.origin[0], end - region.origin[0]);
                }
            }
        }
        mask
    }

    /// Appends the runs of a row, each with a tree of the forest in place of a part.
    fn add_row(
        &mut self,
        mask: &Mask,
        [y, z]: [usize; 2],
        connectivity: Connectivity,
        forest: &mut Forest,
    ) {
        let before = self.runs.len();
        each_run(mask.row(y, z), mask.shape()[0], |start, end| {
            let part = NO_TREE;
            self.runs.push(Run { start, end, part });
        });
        let (done, row) = self.runs.split_at_mut(before);
        forest.row.clear();
        forest.row.resize(row.len(), NO_TREE);
        let height = self.region.shape[1];
        let number = z * height + y;
        // Rows before this one in raster order, and how many steps away.
        let neighbours = [
            (y > 0, 1, 1),
            (z > 0 && y + 1 < height, height.wrapping_sub(1), 2),
            (z > 0, height, 1),
            (z > 0 && y > 0, height + 1, 2),
        ];
        for (exists, back, steps) in neighbours {
            let (true, Some(reach)) = (exists && !row.is_empty(), connectivity.reach(steps)) else {
                continue;
            };
            let other = number - back;
            let earlier = &done[self.rows[other] as usize..self.rows[other + 1] as usize];
            touching(row, earlier, reach, |at, other| {
                forest.join(at, earlier[other].part);
            });
        }
        for (at, run) in row.iter_mut().enumerate() {
            run.part = forest.tree(at);
        }
        self.rows.push(self.runs.len() as u32);
    }

    fn measure(&self, parts: usize) -> Vec<Component> {
        let mut sums = vec![Sum::default(); parts];
        let [_, height, depth] = self.region.shape;
        for (y, z) in (0..depth).flat_map(|z| (0..height).map(move |y| (y, z))) {
            for run in self.row(y, z) {
                sums[run.part as usize].add(*run, [y, z]);
            }
        }
        let origin = self.region.origin;
        sums.into_iter().map(|sum| sum.component(origin)).collect()
    }
}

/// A run that no tree holds yet.
const NO_TREE: u32 = u32::MAX;

/// Trees of runs that touch; a tree's root is its earliest member.
#[derive(Default)]
struct Forest {
    parent: Vec<u32>,
    /// The tree of each run of the row at hand.
    row: Vec<u32>,
}

impl Forest {
    fn root(&mut self, mut tree: u32) -> u32 {
        while self.parent[tree as usize] != tree {
            let above = self.parent[tree as usize];
            self.parent[tree as usize] = self.parent[above as usize];
            tree = self.parent[tree as usize];
        }
        tree
    }

    /// Puts run `at` of the row into the tree of an earlier run.
    fn join(&mut self, at: usize, earlier: u32) {
        let root = self.root(earlier);
        self.row[at] = if self.row[at] == NO_TREE {
            root
        } else {
            let own = self.root(self.row[at]);
            self.parent[own.max(root) as usize] = own.min(root);
            own.min(root)
        };
    }

    /// The tree of run `at` of the row; a new one when it touches nothing earlier.
    fn tree(&mut self, at: usize) -> u32 {
        if self.row[at] == NO_TREE {
            // No more trees than runs, so fewer than 2^32.
            self.row[at] = self.parent.len() as u32;
            self.parent.push(self.row[at]);
        }
        self.row[at]
    }

    /// The part of each tree, numbered by their roots, and how many there are.
    fn numbers(self) -> (Vec<u32>, usize) {
        let mut numbers = self.parent;
        let mut parts = 0_u32;
        for tree in 0..numbers.len() {
            // A parent stands before its child, so its number is already known.
            numbers[tree] = if numbers[tree] as usize == tree {
                parts += 1;
                parts - 1
            } else {
                numbers[numbers[tree] as usize]
            };
        }
        (numbers, parts as usize)
    }
}

/// Calls `visit` with the places of each pair of runs, of two rows, that come as near as
/// `reach`.
fn touching(one: &[Run], two: &[Run], reach: u32, mut visit: impl FnMut(usize, usize)) {
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

/// What a part's runs add up to, relative to the region.
#[derive(Clone, Copy, Default)]
struct Sum {
    voxels: u64,
    first: [usize; 3],
    low: [usize; 3],
    high: [usize; 3],
    positions: [u64; 3],
}

impl Sum {
    fn add(&mut self, run: Run, [y, z]: [usize; 2]) {
        let start = [run.start as usize, y, z];
        let end = [run.end as usize, y + 1, z + 1];
        if self.voxels == 0 {
            (self.first, self.low) = (start, start);
        }
        for axis in 0..3 {
            self.low[axis] = self.low[axis].min(start[axis]);
            self.high[axis] = self.high[axis].max(end[axis]);
        }
        let voxels = run.voxels();
        self.voxels += voxels;
        // The first to the last position along the row: their mean, so many times.
        self.positions[0] += (u64::from(run.start) + u64::from(run.end) - 1) * voxels / 2;
        self.positions[1] += y as u64 * voxels;
        self.positions[2] += z as u64 * voxels;
    }

    fn component(self, origin: [usize; 3]) -> Component {
        let shifted = |place: [usize; 3]| [0, 1, 2].map(|axis| origin[axis] + place[axis]);
        Component {
            voxels: self.voxels,
            first: shifted(self.first),
            extent: Region {
                origin: shifted(self.low),
                shape: [0, 1, 2].map(|axis| self.high[axis] - self.low[axis]),
            },
            centre: [0, 1, 2]
                .map(|axis| origin[axis] as f64 + self.positions[axis] as f64 / self.voxels as f64),
        }
    }
}

/// Runs of a mask.
fn run_count(mask: &Mask) -> u64 {
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
fn each_run(words: &[u64], width: usize, mut visit: impl FnMut(u32, u32)) {
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
fn fill(words: &mut [u64], start: usize, end: usize) {
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

#[cfg(test)]
pub(crate) mod tests;
