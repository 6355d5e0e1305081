//! One structure as a set of voxels, one bit each, within a box of the volume.
//!
//! From: `segmentation`.
//! To: `surface`, `component`, `lesion`.

/// A box of voxels: where it starts, and how far it reaches.
#[derive(Clone, Copy, Debug, Eq, PartialEq)]
pub struct Region {
    /// First voxel.
    pub origin: [usize; 3],
    /// Voxels along each axis; none of them 0.
    pub shape: [usize; 3],
}

impl Region {
    /// The whole of a volume of `shape`.
    pub fn whole(shape: [usize; 3]) -> Self {
        Self {
            origin: [0; 3],
            shape,
        }
    }

    /// The smallest box that holds both.
    #[must_use]
    pub fn union(self, other: Self) -> Self {
        let mut both = self;
        for axis in 0..3 {
            let end =
                (self.origin[axis] + self.shape[axis]).max(other.origin[axis] + other.shape[axis]);
            both.origin[axis] = self.origin[axis].min(other.origin[axis]);
            both.shape[axis] = end - both.origin[axis];
        }
        both
    }
}

/// A set of voxels within a region, one bit each; rows along the first axis start on a word.
#[derive(Clone, Debug, Eq, PartialEq)]
pub struct Mask {
    region: Region,
    words_per_row: usize,
    words: Vec<u64>,
}

impl Mask {
    /// The empty set within `region`.
    pub fn empty(region: Region) -> Self {
        let words_per_row = region.shape[0].div_ceil(64);
        let rows = region.shape[1] * region.shape[2];
        Self {
            region,
            words_per_row,
            words: vec![0; words_per_row * rows],
        }
    }

    /// The region; positions of the methods below are relative to its origin.
    pub fn region(&self) -> Region {
        self.region
    }

    /// Voxels of the region along each axis.
    pub fn shape(&self) -> [usize; 3] {
        self.region.shape
    }

    /// The row at (y, z): bit `x % 64` of word `x / 64`; bits beyond the row are 0.
    pub fn row(&self, y: usize, z: usize) -> &[u64] {
        let start = (z * self.region.shape[1] + y) * self.words_per_row;
        &self.words[start..start + self.words_per_row]
    }

    /// The same, to be written. Bits beyond the row must stay 0.
    pub fn row_mut(&mut self, y: usize, z: usize) -> &mut [u64] {
        let start = (z * self.region.shape[1] + y) * self.words_per_row;
        &mut self.words[start..start + self.words_per_row]
    }

    /// Whether the voxel is in the set; outside the region nothing is.
    pub fn contains(&self, [x, y, z]: [usize; 3]) -> bool {
        let [width, height, depth] = self.region.shape;
        x < width && y < height && z < depth && self.row(y, z)[x / 64] >> (x % 64) & 1 == 1
    }

    /// Adds a voxel of the region.
    pub fn insert(&mut self, [x, y, z]: [usize; 3]) {
        self.row_mut(y, z)[x / 64] |= 1 << (x % 64);
    }

    /// Voxels in the set.
    pub fn count(&self) -> u64 {
        self.words
            .iter()
            .map(|word| u64::from(word.count_ones()))
            .sum()
    }

    /// True without any voxel.
    pub fn is_empty(&self) -> bool {
        self.words.iter().all(|word| *word == 0)
    }

    /// Voxels in both sets, of masks over the same region.
    pub fn overlap(&self, other: &Self) -> u64 {
        let pairs = self.words.iter().zip(&other.words);
        pairs.map(|(a, b)| u64::from((a & b).count_ones())).sum()
    }

    /// Adds every voxel of a mask over the same region.
    pub fn unite(&mut self, other: &Self) {
        for (a, b) in self.words.iter_mut().zip(&other.words) {
            *a |= b;
        }
    }

    /// Calls `visit` with each voxel in order, first axis fastest.
    pub fn each(&self, mut visit: impl FnMut([usize; 3])) {
        let [_, height, depth] = self.region.shape;
        for z in 0..depth {
            for y in 0..height {
                for (at, word) in self.row(y, z).iter().enumerate() {
                    let mut rest = *word;
                    while rest != 0 {
                        visit([at * 64 + rest.trailing_zeros() as usize, y, z]);
                        rest &= rest - 1;
                    }
                }
            }
        }
    }

    /// The smallest box of the volume that holds the set, if it holds anything.
    pub fn extent(&self) -> Option<Region> {
        let mut low = [usize::MAX; 3];
        let mut high = [0; 3];
        self.each(|voxel| {
            for axis in 0..3 {
                low[axis] = low[axis].min(voxel[axis]);
                high[axis] = high[axis].max(voxel[axis] + 1);
            }
        });
        (low[0] != usize::MAX).then(|| Region {
            origin: [0, 1, 2].map(|axis| self.region.origin[axis] + low[axis]),
            shape: [0, 1, 2].map(|axis| high[axis] - low[axis]),
        })
    }

    /// Moves the region, and the set with it.
    pub fn shift(&mut self, by: [usize; 3]) {
        for (origin, by) in self.region.origin.iter_mut().zip(by) {
            *origin += by;
        }
    }

    /// The same set within `region`, which must hold every voxel of it that is wanted.
    #[must_use]
    pub fn within(&self, region: Region) -> Self {
        let mut cut = Self::empty(region);
        self.each(|voxel| {
            let at = [0, 1, 2].map(|axis| {
                (self.region.origin[axis] + voxel[axis]).wrapping_sub(region.origin[axis])
            });
            if (0..3).all(|axis| at[axis] < region.shape[axis]) {
                cut.insert(at);
            }
        });
        cut
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn voxels_are_where_they_were_put() {
        let mut mask = Mask::empty(Region::whole([130, 3, 2]));
        let voxels = [[0, 0, 0], [63, 0, 0], [64, 2, 1], [129, 1, 1]];
        for voxel in voxels {
            mask.insert(voxel);
        }
        assert_eq!(mask.count(), 4);
        let mut seen = Vec::new();
        mask.each(|voxel| seen.push(voxel));
        assert_eq!(seen, [[0, 0, 0], [63, 0, 0], [129, 1, 1], [64, 2, 1]]);
        let region = mask.extent().unwrap();
        assert_eq!((region.origin, region.shape), ([0; 3], [130, 3, 2]));
        let cut = mask.within(Region {
            origin: [60, 1, 1],
            shape: [70, 2, 1],
        });
        assert!(cut.contains([4, 1, 0]) && cut.contains([69, 0, 0]));
        assert_eq!(cut.count(), 2);
    }
}
