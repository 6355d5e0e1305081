//! Connected components of a mask, kept as runs along the rows: memory follows the structure's
//! surface, not the volume.
//!
//! From: `mask`.
//! To: `lesion`, `detection`.

use std::collections::BTreeMap;

use crate::mask::Mask;

/// Which voxels are neighbours.
#[derive(Clone, Copy, Debug, Eq, PartialEq)]
pub enum Connectivity {
    /// Those that share a face, 6.
    Faces,
    /// Or an edge, 18.
    Edges,
    /// Or a corner, 26.
    Corners,
}

impl Connectivity {
    /// From the number of neighbours: 6, 18 or 26.
    pub fn of(neighbours: u8) -> Option<Self> {
        match neighbours {
            6 => Some(Self::Faces),
            18 => Some(Self::Edges),
            26 => Some(Self::Corners),
            _ => None,
        }
    }

    /// Earlier rows that hold neighbours of a row, as steps in y and z, each with how far a
    /// neighbour may lie to the side.
    fn earlier_rows(self) -> &'static [(isize, isize, u32)] {
        match self {
            Self::Faces => &[(-1, 0, 0), (0, -1, 0)],
            Self::Edges => &[(-1, 0, 1), (0, -1, 1), (-1, -1, 0), (1, -1, 0)],
            Self::Corners => &[(-1, 0, 1), (0, -1, 1), (-1, -1, 1), (1, -1, 1)],
        }
    }
}

/// Voxels `start..end` of a row, all of one component.
#[derive(Clone, Copy, Debug)]
struct Run {
    start: u32,
    end: u32,
    component: u32,
}

/// The components of one mask.
#[derive(Clone, Debug)]
pub struct Components {
    /// Rows along the second axis; a row's number is `z * height + y`.
    height: usize,
    runs: Vec<Run>,
    /// Where each row's runs start, and at the end how many there are.
    row: Vec<usize>,
    voxels: Vec<u64>,
}

impl Components {
    /// Finds the components; they are numbered by their first voxel, first axis fastest.
    pub fn of(mask: &Mask, connectivity: Connectivity) -> Self {
        let [_, height, depth] = mask.shape();
        let mut found = Self {
            height,
            runs: Vec::new(),
            row: vec![0],
            voxels: Vec::new(),
        };
        let mut root: Vec<u32> = Vec::new();
        for z in 0..depth {
            for y in 0..height {
                let first = found.runs.len();
                runs_of(mask.row(y, z), &mut found.runs);
                root.extend(
                    (root.len()..)
                        .zip(&found.runs[first..])
                        .map(|(at, _)| index(at)),
                );
                for (dy, dz, slack) in connectivity.earlier_rows() {
                    let row = y.checked_add_signed(*dy).zip(z.checked_add_signed(*dz));
                    let Some((y, z)) = row.filter(|(y, _)| *y < height) else {
                        continue;
                    };
                    let earlier = found.runs_in(z * height + y);
                    join(&found.runs, earlier, first, *slack, &mut root);
                }
                found.row.push(found.runs.len());
            }
        }
        found.number(&mut root);
        found
    }

    /// Replaces each run's root by its component's number.
    fn number(&mut self, root: &mut [u32]) {
        let mut number = vec![u32::MAX; root.len()];
        for at in 0..self.runs.len() {
            let top = top(root, index(at)) as usize;
            if number[top] == u32::MAX {
                number[top] = index(self.voxels.len());
                self.voxels.push(0);
            }
            let run = &mut self.runs[at];
            run.component = number[top];
            self.voxels[number[top] as usize] += u64::from(run.end - run.start);
        }
    }

    /// How many there are.
    pub fn count(&self) -> usize {
        self.voxels.len()
    }

    /// Voxels of each.
    pub fn voxels(&self) -> &[u64] {
        &self.voxels
    }

    fn runs_in(&self, row: usize) -> std::ops::Range<usize> {
        self.row[row]..self.row[row + 1]
    }

    /// Centre of mass of each, in voxels of the region.
    #[allow(
        clippy::cast_precision_loss,
        reason = "places and counts of voxels stay far below 2^53"
    )]
    pub fn centres(&self) -> Vec<[f64; 3]> {
        let mut centre = vec![[0.0; 3]; self.count()];
        for row in 0..self.row.len() - 1 {
            for run in &self.runs[self.runs_in(row)] {
                let length = f64::from(run.end - run.start);
                let middle = f64::from(run.start + run.end - 1) / 2.0;
                let place = [
                    middle,
                    (row % self.height) as f64,
                    (row / self.height) as f64,
                ];
                for (sum, place) in centre[run.component as usize].iter_mut().zip(place) {
                    *sum += length * place;
                }
            }
        }
        for (centre, voxels) in centre.iter_mut().zip(&self.voxels) {
            for sum in centre {
                *sum /= *voxels as f64;
            }
        }
        centre
    }

    /// Voxels that a component of this mask shares with one of another mask over the same
    /// region, for each pair that shares any.
    pub fn shared(&self, other: &Self) -> BTreeMap<(usize, usize), u64> {
        let mut shared = BTreeMap::new();
        for row in 0..self.row.len() - 1 {
            let mut theirs = other.runs[other.runs_in(row)].iter().peekable();
            for run in &self.runs[self.runs_in(row)] {
                while let Some(their) = theirs.peek() {
                    let (start, end) = (run.start.max(their.start), run.end.min(their.end));
                    if start < end {
                        let pair = (run.component as usize, their.component as usize);
                        *shared.entry(pair).or_insert(0) += u64::from(end - start);
                    }
                    if their.end > run.end {
                        break;
                    }
                    theirs.next();
                }
            }
        }
        shared
    }

    /// Calls `visit` with each voxel of the region that is in a component, and its number.
    pub fn each(&self, mut visit: impl FnMut([usize; 3], usize)) {
        for row in 0..self.row.len() - 1 {
            for run in &self.runs[self.runs_in(row)] {
                for x in run.start..run.end {
                    let voxel = [x as usize, row % self.height, row / self.height];
                    visit(voxel, run.component as usize);
                }
            }
        }
    }
}

#[allow(
    clippy::cast_possible_truncation,
    reason = "a volume has at most 2^28 voxels, so no more runs than that"
)]
fn index(at: usize) -> u32 {
    at as u32
}

/// Appends the runs of set bits of one row.
fn runs_of(words: &[u64], runs: &mut Vec<Run>) {
    let mut open: Option<u32> = None;
    for (at, word) in words.iter().enumerate() {
        let base = index(at * 64);
        let mut place = 0;
        while place < 64 {
            let rest = word >> place;
            if open.is_none() {
                if rest == 0 {
                    break;
                }
                place += rest.trailing_zeros();
                open = Some(base + place);
            } else {
                let ones = rest.trailing_ones().min(64 - place);
                place += ones;
                if place < 64 {
                    runs.extend(open.take().map(|start| Run {
                        start,
                        end: base + place,
                        component: 0,
                    }));
                }
            }
        }
    }
    runs.extend(open.map(|start| Run {
        start,
        end: index(words.len() * 64),
        component: 0,
    }));
}

/// Joins the runs from `first` on with the earlier ones they touch.
fn join(runs: &[Run], earlier: std::ops::Range<usize>, first: usize, slack: u32, root: &mut [u32]) {
    let mut at = earlier.start;
    for current in first..runs.len() {
        let run = runs[current];
        while at < earlier.end && runs[at].start < run.end + slack {
            if run.start < runs[at].end + slack {
                let (a, b) = (top(root, index(at)), top(root, index(current)));
                root[a.max(b) as usize] = a.min(b);
            }
            if runs[at].end + slack > run.end {
                break;
            }
            at += 1;
        }
    }
}

/// The first run of the set that `at` belongs to; paths are halved on the way.
fn top(root: &mut [u32], mut at: u32) -> u32 {
    while root[at as usize] != at {
        root[at as usize] = root[root[at as usize] as usize];
        at = root[at as usize];
    }
    at
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::mask::Region;

    /// The same by flood filling, voxel by voxel.
    fn flooded(mask: &Mask, connectivity: Connectivity) -> BTreeMap<[usize; 3], usize> {
        let reach = match connectivity {
            Connectivity::Faces => 1,
            Connectivity::Edges => 2,
            Connectivity::Corners => 3,
        };
        let mut number = BTreeMap::new();
        let mut count = 0;
        mask.each(|seed| {
            if number.contains_key(&seed) {
                return;
            }
            let mut open = vec![seed];
            while let Some(voxel) = open.pop() {
                if number.insert(voxel, count).is_some() {
                    continue;
                }
                for step in 0..27_usize {
                    let step = [step % 3, step / 3 % 3, step / 9];
                    let far: usize = step.iter().map(|s| usize::from(*s != 1)).sum();
                    let next = [0, 1, 2].map(|i| (voxel[i] + step[i]).wrapping_sub(1));
                    if far <= reach && mask.contains(next) && !number.contains_key(&next) {
                        open.push(next);
                    }
                }
            }
            count += 1;
        });
        number
    }

    #[test]
    fn runs_find_what_flood_filling_finds() {
        let mut seed = 3_u64;
        for density in [10, 30, 60] {
            let mut mask = Mask::empty(Region::whole([131, 9, 7]));
            for z in 0..7 {
                for y in 0..9 {
                    for x in 0..131 {
                        seed = seed.wrapping_mul(6_364_136_223_846_793_005).wrapping_add(1);
                        if (seed >> 33) % 100 < density {
                            mask.insert([x, y, z]);
                        }
                    }
                }
            }
            for neighbours in [6, 18, 26] {
                let connectivity = Connectivity::of(neighbours).unwrap();
                let expected = flooded(&mask, connectivity);
                let found = Components::of(&mask, connectivity);
                let mut seen = BTreeMap::new();
                found.each(|voxel, component| {
                    seen.insert(voxel, component);
                });
                assert_eq!(seen, expected, "{density} % with {neighbours}");
                assert_eq!(found.voxels().iter().sum::<u64>(), mask.count());
                let own = found.shared(&found);
                assert_eq!(own.len(), found.count(), "a component meets itself alone");
            }
        }
    }
}
