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

mod forest;
mod run;

use forest::{Forest, NO_TREE};
pub use run::Run;
use run::{each_run, fill, run_count, touching};

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
        forest.start_row(row.len());
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

#[cfg(test)]
pub(crate) mod tests;
