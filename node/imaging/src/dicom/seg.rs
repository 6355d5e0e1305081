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
//! Binary and fractional segments become one mask each, of no more slices than they have frames
//! in; a label map, whose labels exclude each other, becomes one label for each voxel.
//!
//! Specification: PS3.3 section C.8.20.
//!
//! From: `dataset`, `functional`, `pixel`.
//! To: [`Segmentation`].

use std::collections::{BTreeMap, BTreeSet};

use dicom_dictionary_std::tags;

use super::dataset::Dataset;
use super::functional::{Frame, Frames, Place, declared, frames};
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
    let voxels = match content {
        Content::Bits | Content::Fractions { .. } => {
            Voxels::Segments(volume.segments(&frames, &pixels, limits)?)
        }
        Content::Labels { background } => {
            Voxels::Labels(volume.labels(&frames, &pixels, background))
        }
    };
    Ok(Segmentation {
        is_open: volume.is_open,
        geometry: volume.canonical,
        voxels,
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

    /// The box of the volume that the frames of one segment reach, as voxels are stored.
    fn reach(&self, frames: &[usize]) -> Option<([usize; 3], [usize; 3])> {
        let ends = |at: &usize| {
            let corner = *self.corner.get(*at)?;
            let mut end = [
                corner[0] + self.size[0],
                corner[1] + self.size[1],
                corner[2] + 1,
            ];
            for (end, most) in end.iter_mut().zip(self.shape) {
                *end = (*end).min(most);
            }
            Some((corner, end))
        };
        let both = |a: ([usize; 3], [usize; 3]), b: ([usize; 3], [usize; 3])| {
            (
                std::array::from_fn(|axis| a.0[axis].min(b.0[axis])),
                std::array::from_fn(|axis| a.1[axis].max(b.1[axis])),
            )
        };
        frames.iter().filter_map(ends).reduce(both)
    }

    /// The same box in canonical order.
    fn region(&self, (start, end): ([usize; 3], [usize; 3])) -> Region {
        let a = self.plan.place(start, self.shape);
        let b = self
            .plan
            .place(end.map(|end| end.saturating_sub(1)), self.shape);
        Region {
            origin: std::array::from_fn(|axis| a[axis].min(b[axis])),
            shape: std::array::from_fn(|axis| a[axis].abs_diff(b[axis]) + 1),
        }
    }

    /// One mask for each segment that holds a voxel.
    fn segments(
        &self,
        frames: &Frames,
        pixels: &Stored<'_>,
        limits: &Limits,
    ) -> Result<BTreeMap<u16, Mask>, Refusal> {
        let mut of_segment: BTreeMap<u16, Vec<usize>> = BTreeMap::new();
        for (at, frame) in frames.each.iter().enumerate() {
            if let Frame {
                segment: Some(segment),
                ..
            } = frame
            {
                of_segment.entry(*segment).or_default().push(at);
            }
        }
        let mut segments = BTreeMap::new();
        let mut kept = 0;
        for (segment, frames) in of_segment {
            let Some(reach) = self.reach(&frames) else {
                continue;
            };
            let region = self.region(reach);
            // All masks together take no more memory than a label map of the largest volume.
            if kept + bytes_of(region) > limits.voxels.saturating_mul(2) {
                let why = format!("segments of more than {} bytes", limits.voxels * 2);
                return Err(Refusal::new(Reason::TooLarge, why));
            }
            let mut mask = Mask::empty(region);
            for at in frames {
                self.visit(pixels, at, |voxel, _| {
                    mask.insert(std::array::from_fn(|axis| {
                        voxel[axis] - region.origin[axis]
                    }));
                });
            }
            let Some(extent) = mask.extent() else {
                continue;
            };
            if segments.len() >= limits.labels {
                let why = format!("more than {} segments", limits.labels);
                return Err(Refusal::new(Reason::TooLarge, why));
            }
            kept += bytes_of(extent);
            segments.insert(segment, mask.within(extent));
        }
        Ok(segments)
    }

    /// The label of every voxel.
    fn labels(&self, frames: &Frames, pixels: &Stored<'_>, background: u16) -> Vec<u16> {
        let [width, height, _] = self.canonical.shape;
        let mut labels = vec![0; self.canonical.voxels()];
        for at in 0..frames.each.len() {
            self.visit(pixels, at, |[x, y, z], label| {
                if label != background {
                    labels[(z * height + y) * width + x] = label;
                }
            });
        }
        labels
    }

    /// Calls `each` with every voxel that a frame sets, in canonical order, and its value.
    fn visit(&self, pixels: &Stored<'_>, frame: usize, mut each: impl FnMut([usize; 3], u16)) {
        let [columns, _] = self.size;
        let corner = self.corner.get(frame).copied().unwrap_or_default();
        pixels.set(frame, |pixel, value| {
            let (column, row) = (pixel % columns, pixel / columns);
            let voxel = [corner[0] + column, corner[1] + row, corner[2]];
            // Tiles at the end of a slide may reach beyond it.
            if (0..3).all(|axis| voxel[axis] < self.shape[axis]) {
                each(self.plan.place(voxel, self.shape), value);
            }
        });
    }
}

/// A plane without a position.
fn flat(shape: [usize; 3], spacing: [f64; 3], limits: &Limits) -> Result<Geometry, Refusal> {
    bounded(shape, limits)?;
    Ok(Geometry {
        shape,
        spacing,
        affine: None,
    })
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
            Content::Labels { .. } if self.layout.allocated == 8 => {
                let values = self.bytes.iter().skip(first).take(plane).enumerate();
                values.for_each(|(pixel, value)| each(pixel, u16::from(*value)));
            }
            Content::Labels { .. } => {
                let words = self.bytes.chunks_exact(2).skip(first).take(plane);
                words
                    .map(|word| u16::from_le_bytes([word[0], word[1]]))
                    .enumerate()
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
