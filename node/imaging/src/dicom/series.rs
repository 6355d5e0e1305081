//! Plain DICOM images whose pixels are labels: one image, or a folder with one series of slices.
//!
//! From: `dataset`.
//! To: [`Segmentation`].

use std::path::{Path, PathBuf};

use dicom_dictionary_std::tags;
use dicom_object::OpenFileOptions;
use dicom_pixeldata::PixelDecoder as _;

use super::bytes_of;
use super::dataset::{Dataset, chain, reals};
use super::functional::{Plane, between, cross, dot, plane, triple};
use super::seg::affine;
use crate::geometry::Geometry;
use crate::limit::Limits;
use crate::orient::canonical;
use crate::refusal::{Reason, Refusal};
use crate::segmentation::{Segmentation, Voxels};

/// How far a pixel may be from a whole number after rescaling.
const WHOLE: f32 = 1e-3;

/// One slice: where it lies, and its labels.
struct Slice {
    plane: Option<Plane>,
    size: [usize; 2],
    labels: Vec<u16>,
}

/// One image as a mask.
///
/// # Errors
/// `not-labels`, `transfer-syntax`, `dimensions`, `malformed`, `too-large`.
pub(super) fn single(dataset: &Dataset<'_>, limits: &Limits) -> Result<Segmentation, Refusal> {
    volume(vec![slice(dataset, limits)?], limits)
}

/// A folder with one series of slices as a mask.
///
/// # Errors
/// `incomplete-series` for several series or uneven slices; what one file is refused for.
pub fn read_series(folder: &Path, limits: &Limits) -> Result<Segmentation, Refusal> {
    let mut slices = Vec::new();
    let mut series: Option<String> = None;
    let mut pixels = 0_u64;
    for path in files(folder, limits)? {
        let bytes = bytes_of(&path, limits)?;
        let dataset = Dataset::of(&bytes, limits)?;
        let own = dataset.text(tags::SERIES_INSTANCE_UID).unwrap_or_default();
        if series.as_ref().is_some_and(|known| *known != own) {
            let why = "the folder holds more than one series";
            return Err(Refusal::new(Reason::IncompleteSeries, why));
        }
        series = Some(own);
        let one = slice(&dataset, limits)?;
        pixels += one.labels.len() as u64;
        if pixels > limits.voxels {
            return Err(Refusal::new(Reason::TooLarge, format!("{pixels} voxels")));
        }
        slices.push(one);
    }
    if slices.is_empty() {
        return Err(Refusal::new(Reason::Missing, "the folder holds no files"));
    }
    volume(slices, limits)
}

fn files(folder: &Path, limits: &Limits) -> Result<Vec<PathBuf>, Refusal> {
    let unreadable = |error: std::io::Error| crate::nifti::unreadable(&error);
    let mut found = Vec::new();
    for entry in std::fs::read_dir(folder).map_err(unreadable)? {
        let entry = entry.map_err(unreadable)?;
        // Links are not followed: they may lead in circles or out of the folder.
        let is_file = entry.file_type().map_err(unreadable)?.is_file();
        if is_file && entry.file_name() != "DICOMDIR" {
            found.push(entry.path());
        }
        if found.len() > limits.files {
            let why = format!("more than {} files", limits.files);
            return Err(Refusal::new(Reason::TooLarge, why));
        }
    }
    found.sort();
    Ok(found)
}

/// Pixels of a compressed data set as stored values, little endian.
pub(super) fn decompressed(dataset: &Dataset<'_>) -> Result<Vec<u8>, Refusal> {
    let decoded = decoded(dataset)?;
    Ok(decoded.data().to_vec())
}

fn decoded(dataset: &Dataset<'_>) -> Result<dicom_pixeldata::DecodedPixelData<'static>, Refusal> {
    let object = OpenFileOptions::new()
        .from_reader(dataset.file())
        .map_err(|fault| Refusal::new(Reason::Malformed, chain(&fault)))?;
    let decoded = object.decode_pixel_data().map_err(|fault| {
        let why = chain(&fault);
        let unknown = why.contains("nsupported") || why.contains("transfer syntax");
        let reason = if unknown || dataset.is_compressed() {
            Reason::TransferSyntax
        } else {
            Reason::Malformed
        };
        Refusal::new(reason, format!("{}: {why}", dataset.syntax))
    })?;
    Ok(decoded.to_owned())
}

fn slice(dataset: &Dataset<'_>, limits: &Limits) -> Result<Slice, Refusal> {
    let size = |tag| dataset.whole(tag).map(|value| value as usize);
    let (rows, columns) = (size(tags::ROWS), size(tags::COLUMNS));
    let (Some(rows), Some(columns)) = (rows, columns) else {
        return Err(Refusal::new(
            Reason::WrongObject,
            "the object has no rows or columns",
        ));
    };
    if (rows as u64) * (columns as u64) > limits.voxels || rows * columns == 0 {
        return Err(Refusal::new(
            Reason::TooLarge,
            format!("{columns} x {rows} pixels"),
        ));
    }
    let frames = dataset.text(tags::NUMBER_OF_FRAMES);
    if frames.is_some_and(|frames| frames != "1") {
        let why = "an image of several frames that is no segmentation";
        return Err(Refusal::new(Reason::Dimensions, why));
    }
    if dataset.whole(tags::SAMPLES_PER_PIXEL).unwrap_or(1) != 1 {
        return Err(Refusal::new(Reason::NotLabels, "pixels are colours"));
    }
    let values: Vec<f32> = decoded(dataset)?
        .to_vec()
        .map_err(|fault| Refusal::new(Reason::Malformed, chain(&fault)))?;
    let mut labels = Vec::with_capacity(values.len());
    for value in values {
        let whole = value.round();
        let inside = (0.0..=65_535.0).contains(&whole) && (value - whole).abs() <= WHOLE;
        if !inside {
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
    if labels.len() != rows * columns {
        let why = format!("{} pixels for {columns} x {rows}", labels.len());
        return Err(Refusal::new(Reason::Malformed, why));
    }
    Ok(Slice {
        plane: plane_of(dataset),
        size: [columns, rows],
        labels,
    })
}

fn plane_of(dataset: &Dataset<'_>) -> Option<Plane> {
    let header = &dataset.header;
    let position = triple(&reals(header, tags::IMAGE_POSITION_PATIENT)?)?;
    let directions = reals(header, tags::IMAGE_ORIENTATION_PATIENT)?;
    let spacing = reals(header, tags::PIXEL_SPACING)?;
    plane(position, &directions, &spacing, between(header))
}

/// Slices in their order as one volume.
fn volume(mut slices: Vec<Slice>, limits: &Limits) -> Result<Segmentation, Refusal> {
    let incomplete = |why: &str| Refusal::new(Reason::IncompleteSeries, why);
    let Some(size) = slices.first().map(|slice| slice.size) else {
        return Err(incomplete("no slices"));
    };
    if slices.iter().any(|slice| slice.size != size) {
        return Err(incomplete("slices differ in size"));
    }
    let count = slices.len();
    let shape = [size[0], size[1], count];
    let Some(first) = slices.first().and_then(|slice| slice.plane) else {
        if count > 1 {
            return Err(incomplete("slices have no position"));
        }
        let geometry = Geometry {
            shape,
            spacing: [1.0; 3],
            affine: None,
        };
        return Ok(labelled(geometry, slices));
    };
    let normal = cross(first.along_row, first.along_column);
    let depth = |slice: &Slice| {
        slice
            .plane
            .map_or(f64::NAN, |plane| dot(plane.position, normal))
    };
    slices.sort_by(|a, b| depth(a).total_cmp(&depth(b)));
    let gaps: Vec<f64> = slices
        .windows(2)
        .map(|pair| depth(&pair[1]) - depth(&pair[0]))
        .collect();
    let step = gaps.first().copied().or(first.between).unwrap_or(1.0);
    let even = gaps
        .iter()
        .all(|gap| (gap - step).abs() <= 0.05 * step && *gap > 1e-3);
    let parallel = slices.iter().all(|slice| {
        slice.plane.is_some_and(|plane| {
            plane.along_row == first.along_row
                && plane.along_column == first.along_column
                && plane.spacing == first.spacing
        })
    });
    if !(even && parallel) {
        return Err(incomplete("slices are not parallel and evenly spaced"));
    }
    let origin = slices
        .first()
        .and_then(|slice| slice.plane)
        .unwrap_or(first)
        .position;
    let geometry = Geometry {
        shape,
        spacing: [first.spacing[0], first.spacing[1], step],
        affine: Some(affine(&first, normal, step, origin)),
    };
    if geometry.voxels() as u64 > limits.voxels {
        return Err(Refusal::new(Reason::TooLarge, format!("{shape:?} voxels")));
    }
    Ok(labelled(geometry, slices))
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
