//! A DICOM segmentation: binary, fractional or label map frames to labelled voxels.
//!
//! Bits of binary frames are one stream over all frames (PS3.5 section 8.1.1), so that a frame may
//! start within a byte. A fractional segment, whether its values are probabilities or shares,
//! holds a voxel from half of the largest value on. Frames that hold nothing may be left out, so
//! the volume reaches from the first stored slice to the last, and what lies beyond is background:
//! such a segmentation fits into any volume on the same grid ([`Segmentation::is_open`]).
//!
//! Frames on a slide are put into its total matrix, with the spacing that is stated and without a
//! position. Frames without any position were drawn on one plane image and lie in that plane.
//!
//! Every segment becomes one mask, no larger than the box that holds it: frames are looked through
//! twice, for the boxes and for the voxels.
//!
//! Specification: PS3.3 section C.8.20.
//!
//! From: `dataset`, `functional`, `pixel`.
//! To: [`Segmentation`].

use std::collections::{BTreeMap, BTreeSet};

use dicom_dictionary_std::tags;

use super::dataset::Dataset;
use super::functional::{Frames, Place, declared, frames};
use super::grid::{Grid, bounded};
use super::pixel::{Layout, stored};
use crate::geometry::Geometry;
use crate::limit::Limits;
use crate::mask::{Mask, Region};
use crate::orient::Plan;
use crate::refusal::{Reason, Refusal};
use crate::segmentation::{Segmentation, Voxels};

/// How pixels say that they belong to a segment.
#[derive(Clone, Copy)]
enum Content {
    Bits,
    /// From `least` on, of at most `most`.
    Fractions {
        least: u8,
        most: u8,
    },
    /// All but this value.
    Labels {
        background: u16,
    },
}

/// Reads a segmentation.
///
/// # Errors
/// `malformed`, `truncated`, `too-large`, `incomplete-series`, `no-geometry`, `dimensions`,
/// `transfer-syntax`.
pub(super) fn segmentation(
    dataset: &Dataset<'_>,
    limits: &Limits,
) -> Result<Segmentation, Refusal> {
    let layout = Layout::of(dataset, limits)?;
    let content = content(dataset, &layout)?;
    let mut frames = frames(dataset, layout.frames)?;
    if matches!(content, Content::Labels { .. }) {
        // Its pixels name segments, whatever its frames do.
        frames
            .each
            .iter_mut()
            .for_each(|frame| frame.segment = None);
    } else {
        described(dataset, &frames)?;
    }
    let volume = Volume::of(dataset, &layout, &frames, limits)?;
    volume.once_each(&frames)?;
    let bytes = stored(dataset, &layout)?;
    // A byte of padding makes lengths even; more means that frames are not packed as stated.
    if bytes.len() > layout.bytes() + 1 {
        let why = format!(
            "{} bytes of pixels where {} are declared",
            bytes.len(),
            layout.bytes()
        );
        return Err(Refusal::new(Reason::Malformed, why));
    }
    if let Content::Fractions { most, .. } = content
        && bytes.iter().take(layout.bytes()).any(|value| *value > most)
    {
        let why = format!("a fraction above {most}, the largest that is declared");
        return Err(Refusal::new(Reason::Malformed, why));
    }
    let pixels = Stored {
        bytes: &bytes,
        content,
        layout,
    };
    let segments = volume.segments(&frames, &pixels, limits)?;
    Ok(Segmentation {
        is_open: volume.is_open,
        geometry: volume.canonical,
        voxels: Voxels::Segments(segments),
    })
}

fn content(dataset: &Dataset<'_>, layout: &Layout) -> Result<Content, Refusal> {
    let malformed = |why: String| Refusal::new(Reason::Malformed, why);
    if layout.signed || layout.used != layout.allocated {
        return Err(malformed(
            "a segmentation of signed or partial words".to_owned(),
        ));
    }
    let kind = dataset.text(tags::SEGMENTATION_TYPE).unwrap_or_default();
    match (kind.as_str(), layout.allocated) {
        ("BINARY", 1) => Ok(Content::Bits),
        ("FRACTIONAL", 8) => {
            let most = dataset.object.whole(tags::MAXIMUM_FRACTIONAL_VALUE);
            let most = most.and_then(|most| u8::try_from(most).ok());
            let most = most.filter(|most| *most > 0);
            let most = most.ok_or_else(|| malformed("no largest fractional value".to_owned()))?;
            Ok(Content::Fractions {
                least: most.div_ceil(2),
                most,
            })
        }
        ("LABELMAP", 8 | 16) => {
            let background = dataset.object.whole(tags::PIXEL_PADDING_VALUE).unwrap_or(0);
            let background = u16::try_from(background);
            let background = background.map_err(|_| malformed("no background value".to_owned()))?;
            // Label 0 is background everywhere else.
            if background != 0 && declared(dataset)?.contains(&0) {
                let why = "a label map whose segment 0 is not background";
                return Err(Refusal::new(Reason::NotLabels, why));
            }
            Ok(Content::Labels { background })
        }
        (kind @ ("BINARY" | "FRACTIONAL" | "LABELMAP"), bits) => Err(malformed(format!(
            "a segmentation of type {kind} with {bits} bits"
        ))),
        _ => Err(malformed("a segmentation of no known type".to_owned())),
    }
}

/// Refuses frames of segments that the object does not describe, or of none.
fn described(dataset: &Dataset<'_>, frames: &Frames) -> Result<(), Refusal> {
    let known: BTreeSet<u16> = declared(dataset)?.into_iter().collect();
    for frame in &frames.each {
        let segment = frame
            .segment
            .ok_or_else(|| Refusal::new(Reason::Malformed, "a frame names no segment"))?;
        if !known.contains(&segment) {
            let why = format!("a frame of segment {segment}, which is not described");
            return Err(Refusal::new(Reason::Malformed, why));
        }
    }
    Ok(())
}

/// Where frames lie in a volume.
struct Volume {
    /// As frames are stored: columns, rows, slices.
    shape: [usize; 3],
    /// The voxel of each frame's first pixel.
    corner: Vec<[usize; 3]>,
    /// Columns and rows of a frame.
    size: [usize; 2],
    plan: Plan,
    canonical: Geometry,
    is_open: bool,
}

impl Volume {
    fn of(
        dataset: &Dataset<'_>,
        layout: &Layout,
        frames: &Frames,
        limits: &Limits,
    ) -> Result<Self, Refusal> {
        let size = [layout.columns, layout.rows];
        let planes = frames.each.iter().map(|frame| match frame.place {
            Place::Patient(plane) => Some(plane),
            Place::Slide(_) | Place::Plane => None,
        });
        let tiles = frames.each.iter().map(|frame| match frame.place {
            Place::Slide([column, row]) => Some([column, row, 0]),
            Place::Patient(_) | Place::Plane => None,
        });
        if let Some(planes) = planes.collect::<Option<Vec<_>>>() {
            let grid = Grid::of(&planes, size, true, limits)?;
            let corner = grid.slice.iter().map(|slice| [0, 0, *slice]).collect();
            return Ok(Self::new(grid.geometry, corner, size, true));
        }
        if let Some(corner) = tiles.collect::<Option<Vec<_>>>() {
            let total = |tag| dataset.size(tag).filter(|size| *size > 0);
            let columns = total(tags::TOTAL_PIXEL_MATRIX_COLUMNS);
            let rows = total(tags::TOTAL_PIXEL_MATRIX_ROWS);
            let (Some(columns), Some(rows)) = (columns, rows) else {
                let why = "frames on a slide whose size is not given";
                return Err(Refusal::new(Reason::NoGeometry, why));
            };
            let outside = |[column, row, _]: &[usize; 3]| *column >= columns || *row >= rows;
            if corner.iter().any(outside) {
                let why = "a frame outside its slide";
                return Err(Refusal::new(Reason::Malformed, why));
            }
            let geometry = flat([columns, rows, 1], frames.spacing, limits)?;
            return Ok(Self::new(geometry, corner, size, false));
        }
        if frames
            .each
            .iter()
            .any(|frame| !matches!(frame.place, Place::Plane))
        {
            let why = "some frames have a position and some have none";
            return Err(Refusal::new(Reason::NoGeometry, why));
        }
        let geometry = flat([size[0], size[1], 1], frames.spacing, limits)?;
        let corner = vec![[0; 3]; frames.each.len()];
        Ok(Self::new(geometry, corner, size, false))
    }

    fn new(geometry: Geometry, corner: Vec<[usize; 3]>, size: [usize; 2], is_open: bool) -> Self {
        let plan = Plan::of(&geometry);
        Self {
            shape: geometry.shape,
            corner,
            size,
            canonical: plan.geometry(&geometry),
            plan,
            is_open,
        }
    }

    /// Refuses two frames of one segment in one place: they differ in something that is not read
    /// here, such as time, and their union would be a mask that nobody drew.
    fn once_each(&self, frames: &Frames) -> Result<(), Refusal> {
        let mut seen = BTreeSet::new();
        for (frame, corner) in frames.each.iter().zip(&self.corner) {
            if seen.insert((frame.segment, *corner)) {
                continue;
            }
            return Err(match frame.place {
                Place::Patient(_) | Place::Slide(_) => Refusal::new(
                    Reason::Dimensions,
                    "several frames of one segment lie in one place",
                ),
                Place::Plane => Refusal::new(
                    Reason::NoGeometry,
                    "several frames of one segment have no position",
                ),
            });
        }
        Ok(())
    }

    /// One mask for each segment that holds a voxel.
    fn segments(
        &self,
        frames: &Frames,
        pixels: &Stored<'_>,
        limits: &Limits,
    ) -> Result<BTreeMap<u16, Mask>, Refusal> {
        let mut boxes = vec![Extent::NOTHING; usize::from(u16::MAX) + 1];
        for at in 0..frames.each.len() {
            self.visit(frames, pixels, at, |voxel, label| {
                boxes[usize::from(label)].hold(voxel);
            });
        }
        let regions: BTreeMap<u16, Region> = (0..=u16::MAX)
            .zip(boxes)
            .filter_map(|(label, extent)| Some((label, extent.region()?)))
            .collect();
        if regions.len() > limits.labels {
            let why = format!("{} segments, at most {}", regions.len(), limits.labels);
            return Err(Refusal::new(Reason::TooLarge, why));
        }
        // All masks together take no more memory than a label map of the largest volume.
        let bytes: u64 = regions.values().map(|region| bytes_of(*region)).sum();
        if bytes > limits.voxels.saturating_mul(2) {
            let why = format!("segments of {bytes} bytes");
            return Err(Refusal::new(Reason::TooLarge, why));
        }
        let mut masks = vec![None; usize::from(u16::MAX) + 1];
        for (label, region) in regions {
            masks[usize::from(label)] = Some(Mask::empty(region));
        }
        for at in 0..frames.each.len() {
            self.visit(frames, pixels, at, |voxel, label| {
                if let Some(mask) = &mut masks[usize::from(label)] {
                    let origin = mask.region().origin;
                    mask.insert(std::array::from_fn(|axis| voxel[axis] - origin[axis]));
                }
            });
        }
        let each = (0..=u16::MAX).zip(masks);
        Ok(each
            .filter_map(|(label, mask)| Some((label, mask?)))
            .collect())
    }

    /// Calls `each` with every voxel that a frame sets, in canonical order, and its label.
    fn visit(
        &self,
        frames: &Frames,
        pixels: &Stored<'_>,
        frame: usize,
        mut each: impl FnMut([usize; 3], u16),
    ) {
        let [columns, _] = self.size;
        let corner = self.corner.get(frame).copied().unwrap_or_default();
        let segment = frames.each.get(frame).and_then(|frame| frame.segment);
        pixels.set(frame, |pixel, value| {
            let (column, row) = (pixel % columns, pixel / columns);
            let voxel = [corner[0] + column, corner[1] + row, corner[2]];
            // Tiles at the end of a slide may reach beyond it.
            if (0..3).all(|axis| voxel[axis] < self.shape[axis]) {
                each(self.plan.place(voxel, self.shape), segment.unwrap_or(value));
            }
        });
    }
}

/// A plane without a position.
fn flat(shape: [usize; 3], spacing: [f64; 3], limits: &Limits) -> Result<Geometry, Refusal> {
    bounded(shape, limits)?;
    Geometry {
        shape,
        spacing,
        affine: None,
    }
    .checked()
}

/// The box that some voxels reach.
#[derive(Clone, Copy)]
struct Extent {
    low: [usize; 3],
    high: [usize; 3],
}

impl Extent {
    const NOTHING: Self = Self {
        low: [usize::MAX; 3],
        high: [0; 3],
    };

    fn hold(&mut self, voxel: [usize; 3]) {
        for (axis, place) in voxel.into_iter().enumerate() {
            self.low[axis] = self.low[axis].min(place);
            self.high[axis] = self.high[axis].max(place);
        }
    }

    fn region(self) -> Option<Region> {
        (self.low[0] <= self.high[0]).then(|| Region {
            origin: self.low,
            shape: std::array::from_fn(|axis| self.high[axis] - self.low[axis] + 1),
        })
    }
}

/// Bytes of a mask over a region, whose rows start on words of 64 bits.
fn bytes_of(region: Region) -> u64 {
    let [width, height, depth] = region.shape.map(|size| size as u64);
    width.div_ceil(64) * 8 * height * depth
}

/// The pixels of all frames.
struct Stored<'a> {
    bytes: &'a [u8],
    content: Content,
    layout: Layout,
}

impl Stored<'_> {
    /// Calls `each` with every pixel of a frame that is set, and its value.
    fn set(&self, frame: usize, mut each: impl FnMut(usize, u16)) {
        let plane = self.layout.plane();
        let first = frame * plane;
        match self.content {
            Content::Bits => bits(self.bytes, first, plane, |pixel| each(pixel, 1)),
            Content::Fractions { least, .. } => {
                let values = self.bytes.iter().skip(first).take(plane).enumerate();
                values
                    .filter(|(_, value)| **value >= least)
                    .for_each(|(pixel, value)| each(pixel, u16::from(*value)));
            }
            Content::Labels { background } => {
                let size = self.layout.allocated as usize / 8;
                let words = self.bytes.chunks_exact(size).skip(first).take(plane);
                let values = words.map(|word| match word {
                    [low, high] => u16::from_le_bytes([*low, *high]),
                    [low, ..] => u16::from(*low),
                    [] => 0,
                });
                values
                    .enumerate()
                    .filter(|(_, value)| *value != background && *value != 0)
                    .for_each(|(pixel, value)| each(pixel, value));
            }
        }
    }
}

/// Calls `each` with the place, from `first` on, of every bit that is set among `count` bits; the
/// first bit of a byte is its lowest.
fn bits(bytes: &[u8], first: usize, count: usize, mut each: impl FnMut(usize)) {
    let end = first + count;
    let whole = bytes.iter().enumerate().skip(first / 8);
    for (at, byte) in whole.take(end.div_ceil(8) - first / 8) {
        let mut rest = *byte;
        while rest != 0 {
            let bit = at * 8 + rest.trailing_zeros() as usize;
            if (first..end).contains(&bit) {
                each(bit - first);
            }
            rest &= rest - 1;
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn bits_are_one_stream() {
        let bytes = [0b1000_0001, 0b0000_0011, 0b1111_1111];
        let found = |first, count| {
            let mut found = Vec::new();
            bits(&bytes, first, count, |bit| found.push(bit));
            found
        };
        assert_eq!(found(0, 8), [0, 7]);
        assert_eq!(found(7, 3), [0, 1, 2]);
        assert_eq!(found(5, 5), [2, 3, 4]);
        assert_eq!(found(10, 6), [0; 0]);
        assert_eq!(found(15, 3), [1, 2]);
        assert_eq!(found(0, 0), [0; 0]);
    }
}
