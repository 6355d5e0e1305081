//! Plain DICOM images whose pixels are labels: one image, or a folder with one series of slices.
//!
//! Labels are the stored values after the linear rescale (PS3.3 section C.11.1), and must be
//! whole and not negative. Whether an image is shown with black or white for zero (MONOCHROME1 or
//! MONOCHROME2) is a matter of display and changes no label; windows and presentation tables are
//! not applied.
//!
//! From: `dataset`, `pixel`.
//! To: [`Segmentation`].

use std::collections::BTreeMap;
use std::path::{Path, PathBuf};

use dicom_dictionary_std::tags;

use super::dataset::{Dataset, File};
use super::grid::{Grid, Plane};
use super::kind::Kind;
use super::pixel::{Layout, stored};
use super::{bytes_of, head_of};
use crate::geometry::Geometry;
use crate::limit::Limits;
use crate::orient::canonical;
use crate::refusal::{Reason, Refusal};
use crate::segmentation::{Segmentation, Voxels};

/// How far a pixel may be from a whole number after rescaling.
const WHOLE: f64 = 1e-6;

/// One slice: where it lies, and its labels.
struct Slice {
    plane: Option<Plane>,
    /// Millimetres between columns and rows, where there is no position.
    spacing: [f64; 2],
    size: [usize; 2],
    labels: Vec<u16>,
}

/// One image as a mask.
///
/// # Errors
/// `not-labels`, `transfer-syntax`, `dimensions`, `malformed`, `truncated`, `too-large`.
pub(super) fn single(dataset: &Dataset<'_>, limits: &Limits) -> Result<Segmentation, Refusal> {
    volume(vec![slice(dataset, limits)?], limits)
}

/// A folder with one series of slices as a mask, or with one segmentation. Hidden files and a
/// directory of the files (DICOMDIR) are passed over; links are not followed.
///
/// # Errors
/// `missing` for an empty folder, `incomplete-series` for several series or slices that make no
/// volume; what one file is refused for.
pub fn read_series(folder: &Path, limits: &Limits) -> Result<Segmentation, Refusal> {
    let paths = files(folder, limits)?;
    if let [path] = paths.as_slice() {
        return super::read(path, limits);
    }
    one_series(&paths, limits)?;
    let mut slices = Vec::new();
    let mut pixels = 0_u64;
    for path in paths {
        let bytes = bytes_of(&path, limits)?;
        let file = File::of(&bytes, limits)?;
        let one = slice(&file.dataset()?, limits)?;
        pixels += one.labels.len() as u64;
        if pixels > limits.voxels {
            return Err(Refusal::new(Reason::TooLarge, format!("{pixels} voxels")));
        }
        slices.push(one);
    }
    volume(slices, limits)
}

/// Refuses files of several series, before any pixel is read.
fn one_series(paths: &[PathBuf], limits: &Limits) -> Result<(), Refusal> {
    let mut series: BTreeMap<String, usize> = BTreeMap::new();
    for path in paths {
        let own = head_of(path, limits, |dataset| {
            dataset.kind().refuse_other()?;
            if dataset.kind() == Kind::Segmentation {
                let why = "a segmentation among other files: name its file, not the folder";
                return Err(Refusal::new(Reason::WrongObject, why));
            }
            Ok(dataset.text(tags::SERIES_INSTANCE_UID).unwrap_or_default())
        })?;
        *series.entry(own).or_default() += 1;
    }
    if series.len() > 1 {
        let counts: Vec<String> = series.values().map(usize::to_string).collect();
        let why = format!(
            "the folder holds {} series, of {} files",
            series.len(),
            counts.join(", ")
        );
        return Err(Refusal::new(Reason::IncompleteSeries, why));
    }
    Ok(())
}

/// The files of a folder that may be slices, in the order of their names.
///
/// # Errors
/// `missing`, `unreadable`, `too-large`.
pub(crate) fn files(folder: &Path, limits: &Limits) -> Result<Vec<PathBuf>, Refusal> {
    let unreadable = |error: std::io::Error| crate::nifti::unreadable(&error);
    let mut found = Vec::new();
    for (count, entry) in std::fs::read_dir(folder).map_err(unreadable)?.enumerate() {
        if count >= limits.files {
            let why = format!("more than {} files", limits.files);
            return Err(Refusal::new(Reason::TooLarge, why));
        }
        let entry = entry.map_err(unreadable)?;
        // Links may lead in circles or out of the folder.
        let is_file = entry.file_type().map_err(unreadable)?.is_file();
        let name = entry.file_name();
        let hidden = name.as_encoded_bytes().first() == Some(&b'.');
        if is_file && !hidden && name != "DICOMDIR" {
            found.push(entry.path());
        }
    }
    if found.is_empty() {
        return Err(Refusal::new(Reason::Missing, "the folder holds no files"));
    }
    found.sort();
    Ok(found)
}

fn slice(dataset: &Dataset<'_>, limits: &Limits) -> Result<Slice, Refusal> {
    let layout = Layout::of(dataset, limits)?;
    if layout.frames != 1 {
        let why = "an image of several frames that is no segmentation";
        return Err(Refusal::new(Reason::Dimensions, why));
    }
    let shown = dataset.text(tags::PHOTOMETRIC_INTERPRETATION);
    let shown = shown.unwrap_or_default();
    if !matches!(shown.as_str(), "" | "MONOCHROME1" | "MONOCHROME2") {
        return Err(Refusal::new(Reason::NotLabels, "pixels are colours"));
    }
    if dataset.object.has(tags::MODALITY_LUT_SEQUENCE) {
        let why = "pixels that a table turns into measurements";
        return Err(Refusal::new(Reason::NotLabels, why));
    }
    let rescale = |tag, or| match dataset.object.reals(tag) {
        Some(values) => values.first().copied().unwrap_or(or),
        None => or,
    };
    let (slope, intercept) = (
        rescale(tags::RESCALE_SLOPE, 1.0),
        rescale(tags::RESCALE_INTERCEPT, 0.0),
    );
    let bytes = stored(dataset, &layout)?;
    let count = layout.plane();
    let mut labels = Vec::with_capacity(count);
    for pixel in 0..count {
        let value = f64::from(value(&bytes, &layout, pixel)) * slope + intercept;
        let whole = value.round();
        if !((0.0..=65_535.0).contains(&whole) && (value - whole).abs() <= WHOLE) {
            let why = format!("a pixel is {value} after rescaling");
            return Err(Refusal::new(Reason::NotLabels, why));
        }
        #[allow(
            clippy::cast_possible_truncation,
            clippy::cast_sign_loss,
            reason = "checked to be a whole number of 16 bits"
        )]
        labels.push(whole as u16);
    }
    Ok(Slice {
        plane: plane(dataset),
        spacing: spacing(dataset),
        size: [layout.columns, layout.rows],
        labels,
    })
}

/// A pixel's stored value: its used bits, with their sign.
fn value(bytes: &[u8], layout: &Layout, pixel: usize) -> i32 {
    let byte = |at: usize| u32::from(bytes.get(at).copied().unwrap_or(0));
    let word = match layout.allocated {
        1 => byte(pixel / 8) >> (pixel % 8) & 1,
        8 => byte(pixel),
        16 => byte(2 * pixel) | byte(2 * pixel + 1) << 8,
        _ => (0..4).map(|at| byte(4 * pixel + at) << (8 * at)).sum(),
    };
    // Bits above the used ones may hold overlays.
    let shift = 32 - layout.used;
    if layout.signed {
        (word << shift).cast_signed() >> shift
    } else {
        i32::try_from(word << shift >> shift).unwrap_or(i32::MAX)
    }
}

fn plane(dataset: &Dataset<'_>) -> Option<Plane> {
    let object = &dataset.object;
    let plane = Plane::of(
        &object.reals(tags::IMAGE_POSITION_PATIENT)?,
        &object.reals(tags::IMAGE_ORIENTATION_PATIENT)?,
        &object.reals(tags::PIXEL_SPACING)?,
    )?;
    Some(Plane {
        between: object.length(tags::SPACING_BETWEEN_SLICES),
        thickness: object.length(tags::SLICE_THICKNESS),
        ..plane
    })
}

/// The spacing of a projection: in the patient where it is calibrated, else at the detector; 1
/// where neither is stated.
fn spacing(dataset: &Dataset<'_>) -> [f64; 2] {
    let stated = |tag| {
        let values = dataset.object.reals(tag)?;
        let (rows, columns) = (*values.first()?, *values.get(1)?);
        (rows > 0.0 && columns > 0.0).then_some([columns, rows])
    };
    stated(tags::PIXEL_SPACING)
        .or_else(|| stated(tags::IMAGER_PIXEL_SPACING))
        .unwrap_or([1.0; 2])
}

/// Slices in their order as one volume.
fn volume(slices: Vec<Slice>, limits: &Limits) -> Result<Segmentation, Refusal> {
    let Some(first) = slices.first() else {
        return Err(Refusal::new(Reason::IncompleteSeries, "no slices"));
    };
    let size = first.size;
    if slices.iter().any(|slice| slice.size != size) {
        return Err(Refusal::new(
            Reason::IncompleteSeries,
            "slices differ in size",
        ));
    }
    let planes: Option<Vec<Plane>> = slices.iter().map(|slice| slice.plane).collect();
    let Some(planes) = planes else {
        if slices.len() > 1 {
            let why = format!("{} slices, not all of which have a position", slices.len());
            return Err(Refusal::new(Reason::NoGeometry, why));
        }
        let geometry = Geometry {
            shape: [size[0], size[1], 1],
            spacing: [first.spacing[0], first.spacing[1], 1.0],
            affine: None,
        }
        .checked()?;
        return Ok(labelled(geometry, slices));
    };
    let grid = Grid::of(&planes, size, false, limits)?;
    let mut placed: Vec<(usize, Slice)> = grid.slice.into_iter().zip(slices).collect();
    placed.sort_by_key(|(place, _)| *place);
    let slices = placed.into_iter().map(|(_, slice)| slice).collect();
    Ok(labelled(grid.geometry, slices))
}

fn labelled(geometry: Geometry, slices: Vec<Slice>) -> Segmentation {
    let labels = slices.into_iter().flat_map(|slice| slice.labels).collect();
    let (geometry, labels) = canonical(geometry, labels);
    Segmentation {
        is_open: false,
        geometry,
        voxels: Voxels::Labels(labels),
    }
}
