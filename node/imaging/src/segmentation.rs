//! A segmentation of one case: which voxels carry which label. Labels exclude each other in a
//! label map and may overlap in a DICOM segmentation; both answer the same questions.
//!
//! From: `nifti`, `png`, `dicom`.
//! To: `surface`, `component`, by way of one [`Mask`] per structure.

use std::borrow::Cow;
use std::collections::BTreeMap;

use crate::geometry::Geometry;
use crate::mask::{Mask, Region};
use crate::orient::Plan;
use crate::refusal::{Reason, Refusal};

/// Labelled voxels in canonical orientation; 0 is background.
#[derive(Clone, Debug, PartialEq)]
pub struct Segmentation {
    /// Whether what lies beyond the volume along its slices is background, not unknown: a DICOM
    /// segmentation leaves empty slices out.
    pub is_open: bool,
    /// Shape, spacing, position.
    pub geometry: Geometry,
    /// The labels.
    pub voxels: Voxels,
}

/// How labels are stored.
#[derive(Clone, Debug, PartialEq)]
pub enum Voxels {
    /// One label for each voxel, first axis fastest.
    Labels(Vec<u16>),
    /// One mask for each label, over the whole volume or a part of it; they may overlap.
    Segments(BTreeMap<u16, Mask>),
}

impl Segmentation {
    /// Truth and prediction in one space, or why they are in none. An open segmentation is placed
    /// on the other's grid where its slices fit onto it.
    ///
    /// # Errors
    /// `geometry-mismatch`.
    pub fn in_one_space<'a>(
        truth: &'a Self,
        prediction: &'a Self,
    ) -> Result<(Cow<'a, Self>, Cow<'a, Self>), Refusal> {
        if truth.geometry.agree(&prediction.geometry).is_ok()
            || !(truth.is_open || prediction.is_open)
        {
            truth.geometry.agree(&prediction.geometry)?;
            return Ok((Cow::Borrowed(truth), Cow::Borrowed(prediction)));
        }
        let (truth, prediction) = (truth.beside(prediction), prediction.beside(truth));
        let grid = match (truth.is_open, prediction.is_open) {
            (true, true) => truth.geometry.joined(&prediction.geometry)?,
            (true, false) => prediction.geometry.clone(),
            (false, _) => truth.geometry.clone(),
        };
        Ok((
            Cow::Owned(truth.placed(&grid)?),
            Cow::Owned(prediction.placed(&grid)?),
        ))
    }

    /// One slice of an open segmentation lies as a plane does; beside a volume its axes are put as
    /// that volume's are, so that a sagittal slice is found in it.
    fn beside(&self, other: &Self) -> Cow<'_, Self> {
        let plan = Plan::of_volume(&self.geometry);
        let part = self.is_open && self.geometry.is_plane() && !other.geometry.is_plane();
        match &self.voxels {
            Voxels::Segments(segments) if part && !plan.is_idle() => {
                let shape = self.geometry.shape;
                let each = segments.iter();
                let moved = each.map(|(label, mask)| (*label, plan.mask(mask, shape)));
                Cow::Owned(Self {
                    is_open: true,
                    geometry: plan.geometry(&self.geometry),
                    voxels: Voxels::Segments(moved.collect()),
                })
            }
            Voxels::Segments(_) | Voxels::Labels(_) => Cow::Borrowed(self),
        }
    }

    /// The same on a grid that holds it.
    fn placed(&self, grid: &Geometry) -> Result<Self, Refusal> {
        let offset = grid.offset_of(&self.geometry)?;
        if (0..3).any(|axis| offset[axis] + self.geometry.shape[axis] > grid.shape[axis]) {
            let why = "the segmentation reaches beyond the other volume";
            return Err(Refusal::new(Reason::GeometryMismatch, why));
        }
        let mut placed = self.clone();
        if let Voxels::Segments(segments) = &mut placed.voxels {
            for mask in segments.values_mut() {
                mask.shift(offset);
            }
        } else if offset != [0; 3] || self.geometry.shape != grid.shape {
            let why = "a label map does not cover the other volume";
            return Err(Refusal::new(Reason::GeometryMismatch, why));
        }
        placed.geometry = grid.clone();
        Ok(placed)
    }

    /// The labels that occur, each with its voxels, ascending; background left out.
    pub fn labels(&self) -> BTreeMap<u16, u64> {
        match &self.voxels {
            Voxels::Labels(labels) => {
                let mut counts = vec![0_u64; usize::from(u16::MAX) + 1];
                for label in labels {
                    counts[usize::from(*label)] += 1;
                }
                let each = (0..=u16::MAX).zip(counts).skip(1);
                each.filter(|(_, count)| *count > 0).collect()
            }
            Voxels::Segments(segments) => {
                let each = segments.iter().map(|(label, mask)| (*label, mask.count()));
                each.filter(|(_, count)| *count > 0).collect()
            }
        }
    }

    /// The smallest box that holds the union of `values`; `None` when it is empty.
    pub fn extent(&self, values: &[u16]) -> Option<Region> {
        match &self.voxels {
            Voxels::Labels(labels) => extent(labels, self.geometry.shape, values),
            Voxels::Segments(segments) => values
                .iter()
                .filter_map(|value| segments.get(value)?.extent())
                .reduce(Region::union),
        }
    }

    /// The union of `values` within `region`.
    pub fn structure(&self, values: &[u16], region: Region) -> Mask {
        match &self.voxels {
            Voxels::Labels(labels) => pack(labels, self.geometry.shape, values, region),
            Voxels::Segments(segments) => {
                let mut mask = Mask::empty(region);
                for segment in values.iter().filter_map(|value| segments.get(value)) {
                    mask.unite(&segment.within(region));
                }
                mask
            }
        }
    }
}

/// Which of the 65,536 labels are wanted.
fn wanted(values: &[u16]) -> Vec<bool> {
    let mut table = vec![false; usize::from(u16::MAX) + 1];
    for value in values {
        table[usize::from(*value)] = true;
    }
    table
}

fn extent(labels: &[u16], [width, height, _]: [usize; 3], values: &[u16]) -> Option<Region> {
    let wanted = wanted(values);
    let mut low = [usize::MAX; 3];
    let mut high = [0; 3];
    for (row, labels) in labels.chunks_exact(width).enumerate() {
        let is_wanted = |label: &u16| wanted[usize::from(*label)];
        let Some(first) = labels.iter().position(is_wanted) else {
            continue;
        };
        let last = labels.iter().rposition(is_wanted).unwrap_or(first);
        for (axis, (start, end)) in [
            (first, last),
            (row % height, row % height),
            (row / height, row / height),
        ]
        .into_iter()
        .enumerate()
        {
            low[axis] = low[axis].min(start);
            high[axis] = high[axis].max(end + 1);
        }
    }
    (low[0] != usize::MAX).then(|| Region {
        origin: low,
        shape: [0, 1, 2].map(|axis| high[axis] - low[axis]),
    })
}

fn pack(labels: &[u16], [width, height, _]: [usize; 3], values: &[u16], region: Region) -> Mask {
    let wanted = wanted(values);
    let mut mask = Mask::empty(region);
    for z in 0..region.shape[2] {
        for y in 0..region.shape[1] {
            let row = (region.origin[2] + z) * height + region.origin[1] + y;
            let start = row * width + region.origin[0];
            let source = &labels[start..start + region.shape[0]];
            let target = mask.row_mut(y, z);
            for (word, labels) in target.iter_mut().zip(source.chunks(64)) {
                for (bit, label) in labels.iter().enumerate() {
                    *word |= u64::from(wanted[usize::from(*label)]) << bit;
                }
            }
        }
    }
    mask
}

#[cfg(test)]
mod tests {
    use super::*;

    fn labelled() -> Segmentation {
        let mut labels = vec![0_u16; 70 * 4 * 3];
        labels[70 + 5] = 7;
        labels[(2 * 4 + 1) * 70 + 69] = 7;
        labels[(2 * 4 + 1) * 70 + 68] = 300;
        Segmentation {
            is_open: false,
            geometry: Geometry {
                shape: [70, 4, 3],
                spacing: [1.0; 3],
                affine: None,
            },
            voxels: Voxels::Labels(labels),
        }
    }

    #[test]
    fn a_label_map_and_its_segments_answer_alike() {
        let map = labelled();
        let whole = Region::whole(map.geometry.shape);
        let segments = Segmentation {
            is_open: false,
            geometry: map.geometry.clone(),
            voxels: Voxels::Segments(
                [7, 300]
                    .map(|value| (value, map.structure(&[value], whole)))
                    .into(),
            ),
        };
        assert_eq!(map.labels(), BTreeMap::from([(7, 2), (300, 1)]));
        assert_eq!(map.labels(), segments.labels());
        for values in [&[7][..], &[300], &[7, 300], &[1]] {
            assert_eq!(map.extent(values), segments.extent(values));
            let region = map.extent(values).unwrap_or(whole);
            assert_eq!(
                map.structure(values, region),
                segments.structure(values, region)
            );
        }
    }
}
