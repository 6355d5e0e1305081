//! A DICOM segmentation: binary, fractional or label map frames to one mask per segment.
//!
//! Specification: PS3.3 section C.8.20. Frames that hold nothing may be left out, so the volume
//! reaches from the first stored slice to the last, and what lies beyond is background: such a
//! segmentation fits into any volume on the same grid ([`Segmentation::is_open`]). A fractional
//! segment holds a voxel from half of the largest value on.
//!
//! From: `dataset`, `functional`.
//! To: [`Segmentation`].

use std::collections::BTreeMap;

use dicom_dictionary_std::tags;

use super::dataset::Dataset;
use super::functional::{Frame, Place, Plane, cross, dot, frames};
use crate::geometry::Geometry;
use crate::limit::Limits;
use crate::mask::{Mask, Region};
use crate::orient::Plan;
use crate::refusal::{Reason, Refusal};
use crate::segmentation::{Segmentation, Voxels};

/// How far a slice may be from its place on the grid, in slices.
const OFF_GRID: f64 = 0.05;
/// How far planes may be from parallel and from one column of slices.
const NOT_ALIGNED: f64 = 1e-2;

/// How pixels say that they belong to a segment.
enum Content {
    Bits,
    Fractions { half: f64 },
    Labels { bytes: usize },
}

/// Reads a segmentation.
///
/// # Errors
/// `malformed`, `truncated`, `too-large`, `incomplete-series`, `transfer-syntax`.
pub(super) fn segmentation(
    dataset: &Dataset<'_>,
    limits: &Limits,
) -> Result<Segmentation, Refusal> {
    let malformed = |why: &str| Refusal::new(Reason::Malformed, why);
    let size = |tag| dataset.whole(tag).map(|value| value as usize);
    let rows = size(tags::ROWS).filter(|rows| *rows > 0);
    let columns = size(tags::COLUMNS).filter(|columns| *columns > 0);
    let (Some(rows), Some(columns)) = (rows, columns) else {
        return Err(malformed("no rows or columns"));
    };
    let count = match dataset.text(tags::NUMBER_OF_FRAMES) {
        None => 1,
        Some(text) => text
            .parse::<usize>()
            .map_err(|_| malformed("NumberOfFrames is no number"))?,
    };
    let pixels = (rows as u64)
        .checked_mul(columns as u64)
        .and_then(|plane| plane.checked_mul(count as u64))
        .filter(|pixels| *pixels > 0 && *pixels <= limits.voxels)
        .ok_or_else(|| {
            let why = format!("{count} frames of {columns} x {rows} pixels");
            Refusal::new(Reason::TooLarge, why)
        })?;
    let content = content(dataset)?;
    let frames = frames(dataset, count)?;
    let grid = Grid::of(&frames, [columns, rows], dataset, limits)?;
    let bytes = stored(dataset, &content)?;
    let needed = match content {
        Content::Bits => pixels.div_ceil(8),
        Content::Fractions { .. } => pixels,
        Content::Labels { bytes } => pixels * bytes as u64,
    };
    if (bytes.len() as u64) < needed {
        let why = format!(
            "{} bytes of pixels where {needed} are declared",
            bytes.len()
        );
        return Err(Refusal::new(Reason::Truncated, why));
    }
    let mut filled = Filled {
        grid: &grid,
        segments: BTreeMap::new(),
        most: limits.labels,
    };
    for (at, frame) in frames.iter().enumerate() {
        filled.frame(at, frame, &bytes, &content, [columns, rows])?;
    }
    Ok(Segmentation {
        is_open: grid.is_open,
        geometry: grid.canonical.clone(),
        voxels: Voxels::Segments(filled.segments),
    })
}

fn content(dataset: &Dataset<'_>) -> Result<Content, Refusal> {
    let bits = dataset.whole(tags::BITS_ALLOCATED);
    let kind = dataset.text(tags::SEGMENTATION_TYPE).unwrap_or_default();
    match (kind.as_str(), bits) {
        ("BINARY", Some(1)) => Ok(Content::Bits),
        ("FRACTIONAL", Some(8)) => {
            let most = dataset.whole(tags::MAXIMUM_FRACTIONAL_VALUE).unwrap_or(255);
            Ok(Content::Fractions {
                half: f64::from(most) / 2.0,
            })
        }
        ("LABELMAP", Some(8)) => Ok(Content::Labels { bytes: 1 }),
        ("LABELMAP", Some(16)) => Ok(Content::Labels { bytes: 2 }),
        (kind, bits) => Err(Refusal::new(
            Reason::Malformed,
            format!("a segmentation of type {kind:?} with {bits:?} bits"),
        )),
    }
}

/// The pixel bytes; words of a label map little endian.
fn stored(dataset: &Dataset<'_>, content: &Content) -> Result<Vec<u8>, Refusal> {
    if dataset.is_compressed() {
        return match content {
            Content::Bits => Err(Refusal::new(Reason::TransferSyntax, dataset.syntax.clone())),
            Content::Fractions { .. } | Content::Labels { .. } => {
                super::series::decompressed(dataset)
            }
        };
    }
    let mut bytes = dataset.native()?.to_vec();
    let words = match content {
        // Packed bits and bytes are stored as words (OW), whose bytes are swapped.
        Content::Bits | Content::Fractions { .. } => {
            dataset.is_big_endian() && dataset.pixels_are_words()
        }
        Content::Labels { bytes } => {
            dataset.is_big_endian() && (*bytes == 2 || dataset.pixels_are_words())
        }
    };
    if words {
        bytes.chunks_exact_mut(2).for_each(|pair| pair.swap(0, 1));
    }
    Ok(bytes)
}

/// The grid that frames lie on.
struct Grid {
    /// As frames are stored: columns, rows, slices.
    shape: [usize; 3],
    plan: Plan,
    canonical: Geometry,
    is_open: bool,
    /// First slice and distance of slices along the normal.
    start: f64,
    step: f64,
    normal: [f64; 3],
}

impl Grid {
    fn of(
        frames: &[Frame],
        size: [usize; 2],
        dataset: &Dataset<'_>,
        limits: &Limits,
    ) -> Result<Self, Refusal> {
        let planes: Vec<Plane> = frames
            .iter()
            .filter_map(|frame| match frame.place {
                Place::Patient(plane) => Some(plane),
                Place::Slide(_) | Place::Unknown => None,
            })
            .collect();
        if planes.len() == frames.len() {
            return Self::of_planes(&planes, size, limits);
        }
        if !planes.is_empty() {
            let why = "some frames have a position and some have none";
            return Err(Refusal::new(Reason::NoGeometry, why));
        }
        let total = |tag| dataset.whole(tag).map(|value| value as usize);
        let slide = frames
            .iter()
            .any(|frame| matches!(frame.place, Place::Slide(_)));
        let matrix = [
            total(tags::TOTAL_PIXEL_MATRIX_COLUMNS),
            total(tags::TOTAL_PIXEL_MATRIX_ROWS),
        ];
        let shape = match (slide, matrix) {
            (true, [Some(columns), Some(rows)]) => [columns, rows, 1],
            (true, _) => {
                let why = "frames on a slide whose size is not given";
                return Err(Refusal::new(Reason::NoGeometry, why));
            }
            (false, _) => [size[0], size[1], 1],
        };
        if shape.iter().product::<usize>() as u64 > limits.voxels {
            let why = format!("{shape:?} pixels");
            return Err(Refusal::new(Reason::TooLarge, why));
        }
        let geometry = Geometry {
            shape,
            spacing: [1.0; 3],
            affine: None,
        };
        Ok(Self {
            shape,
            plan: Plan::of(&geometry),
            canonical: geometry,
            is_open: false,
            start: 0.0,
            step: 1.0,
            normal: [0.0, 0.0, 1.0],
        })
    }

    fn of_planes(
        planes: &[Plane],
        [columns, rows]: [usize; 2],
        limits: &Limits,
    ) -> Result<Self, Refusal> {
        let incomplete = |why: String| Refusal::new(Reason::IncompleteSeries, why);
        let Some(first) = planes.first() else {
            return Err(incomplete("no frames".to_owned()));
        };
        let normal = cross(first.along_row, first.along_column);
        let mut depths = Vec::with_capacity(planes.len());
        for plane in planes {
            let same = |a: [f64; 3], b: [f64; 3]| (0..3).all(|i| (a[i] - b[i]).abs() < NOT_ALIGNED);
            let parallel = same(plane.along_row, first.along_row)
                && same(plane.along_column, first.along_column);
            let equal = (0..2).all(|i| (plane.spacing[i] - first.spacing[i]).abs() < 1e-4);
            let depth = dot(plane.position, normal);
            // The first pixels of all slices lie on one line along the normal.
            let base = dot(first.position, normal);
            let line = (0..3).all(|i| {
                let expected = first.position[i] + (depth - base) * normal[i];
                (plane.position[i] - expected).abs() < NOT_ALIGNED * first.spacing[0].max(1.0)
            });
            if !(parallel && equal && line) {
                return Err(incomplete(
                    "frames are not parallel slices of one volume".to_owned(),
                ));
            }
            depths.push(depth);
        }
        depths.sort_unstable_by(f64::total_cmp);
        depths.dedup_by(|a, b| (*a - *b).abs() < 1e-3);
        let gaps = depths.windows(2).map(|pair| pair[1] - pair[0]);
        let smallest = gaps.fold(f64::INFINITY, f64::min);
        let step = first
            .between
            .filter(|step| *step <= smallest * (1.0 + OFF_GRID));
        let step = step.unwrap_or(if smallest.is_finite() { smallest } else { 1.0 });
        let start = depths.first().copied().unwrap_or(0.0);
        let mut last = 0.0_f64;
        for depth in &depths {
            let place = (depth - start) / step;
            if (place - place.round()).abs() > OFF_GRID {
                return Err(incomplete(format!("slices are not {step} mm apart")));
            }
            last = last.max(place.round());
        }
        let shape = within([columns, rows], last, limits)?;
        let base = dot(first.position, normal);
        let origin: [f64; 3] =
            std::array::from_fn(|i| first.position[i] + (start - base) * normal[i]);
        let geometry = Geometry {
            shape,
            spacing: [first.spacing[0], first.spacing[1], step],
            affine: Some(affine(first, normal, step, origin)),
        };
        let plan = Plan::of(&geometry);
        Ok(Self {
            shape,
            canonical: plan.geometry(&geometry),
            plan,
            is_open: true,
            start,
            step,
            normal,
        })
    }

    /// The voxel of a frame's first pixel.
    fn first_voxel(&self, frame: &Frame) -> [usize; 3] {
        match frame.place {
            Place::Patient(plane) => {
                let place = (dot(plane.position, self.normal) - self.start) / self.step;
                #[allow(
                    clippy::cast_possible_truncation,
                    clippy::cast_sign_loss,
                    reason = "the grid was made to hold every frame"
                )]
                let slice = place.round().max(0.0) as usize;
                [0, 0, slice]
            }
            Place::Slide([column, row]) => [column, row, 0],
            Place::Unknown => [0; 3],
        }
    }
}

/// Columns, rows and slices, the last of which is `last`, if they may be unpacked.
fn within([columns, rows]: [usize; 2], last: f64, limits: &Limits) -> Result<[usize; 3], Refusal> {
    #[allow(
        clippy::cast_possible_truncation,
        clippy::cast_sign_loss,
        reason = "not negative, and compared with the largest number of slices first"
    )]
    let slices = if last < 1e6 {
        last as usize + 1
    } else {
        usize::MAX
    };
    let shape = [columns, rows, slices];
    let voxels = shape
        .iter()
        .try_fold(1_u64, |all, one| all.checked_mul(*one as u64));
    if voxels.is_none_or(|voxels| voxels > limits.voxels) {
        return Err(Refusal::new(Reason::TooLarge, format!("{shape:?} voxels")));
    }
    Ok(shape)
}

/// Right, anterior, superior from left, posterior, superior.
pub(super) fn affine(
    plane: &Plane,
    normal: [f64; 3],
    step: f64,
    origin: [f64; 3],
) -> [[f64; 4]; 3] {
    std::array::from_fn(|row| {
        let turn = if row < 2 { -1.0 } else { 1.0 };
        [
            turn * plane.along_row[row] * plane.spacing[0],
            turn * plane.along_column[row] * plane.spacing[1],
            turn * normal[row] * step,
            turn * origin[row],
        ]
    })
}

/// Masks as they fill.
struct Filled<'a> {
    grid: &'a Grid,
    segments: BTreeMap<u16, Mask>,
    most: usize,
}

impl Filled<'_> {
    fn frame(
        &mut self,
        at: usize,
        frame: &Frame,
        bytes: &[u8],
        content: &Content,
        [columns, rows]: [usize; 2],
    ) -> Result<(), Refusal> {
        let first = at * columns * rows;
        let corner = self.grid.first_voxel(frame);
        let own = match (content, frame.segment) {
            (Content::Labels { .. }, _) => None,
            (Content::Bits | Content::Fractions { .. }, Some(segment)) => Some(segment),
            (Content::Bits | Content::Fractions { .. }, None) => {
                return Err(Refusal::new(Reason::Malformed, "a frame names no segment"));
            }
        };
        for row in 0..rows {
            for column in 0..columns {
                let pixel = first + row * columns + column;
                let label = match content {
                    Content::Bits => own.filter(|_| bytes[pixel / 8] >> (pixel % 8) & 1 == 1),
                    Content::Fractions { half } => own.filter(|_| f64::from(bytes[pixel]) >= *half),
                    Content::Labels { bytes: 1 } => Some(u16::from(bytes[pixel])),
                    Content::Labels { .. } => {
                        Some(u16::from_le_bytes([bytes[2 * pixel], bytes[2 * pixel + 1]]))
                    }
                };
                if let Some(label) = label.filter(|label| *label > 0) {
                    self.add(label, [corner[0] + column, corner[1] + row, corner[2]])?;
                }
            }
        }
        Ok(())
    }

    fn add(&mut self, label: u16, voxel: [usize; 3]) -> Result<(), Refusal> {
        let shape = self.grid.shape;
        // Tiles at the end of a slide may reach beyond it.
        if (0..3).any(|axis| voxel[axis] >= shape[axis]) {
            return Ok(());
        }
        if !self.segments.contains_key(&label) {
            if self.segments.len() >= self.most {
                let why = format!("more than {} labels", self.most);
                return Err(Refusal::new(Reason::TooLarge, why));
            }
            let region = Region::whole(self.grid.canonical.shape);
            self.segments.insert(label, Mask::empty(region));
        }
        if let Some(mask) = self.segments.get_mut(&label) {
            mask.insert(self.grid.plan.place(voxel, shape));
        }
        Ok(())
    }
}
