//! DICOM: segmentations, images whose pixels are labels, and what images say of their acquisition.
//!
//! Objects are read by dicom-rs from bytes that the module `dataset` has looked through before: how
//! deep sequences nest, whether lengths stay within the file, how large a deflated data set becomes.
//! Bits of binary segmentations are unpacked here, as one stream over all frames (PS3.5 section
//! 8.1.1): dicom-pixeldata 0.10.1 starts every frame on a byte, and silently gives other voxels
//! where a frame's pixels are no multiple of eight.
//!
//! World axes of DICOM point left, posterior, superior; positions are turned to right, anterior,
//! superior when they are read.
//!
//! From: files of one hospital.
//! To: [`Segmentation`], `node::imaging` (attributes).

use std::path::Path;

use crate::limit::Limits;
use crate::refusal::{Reason, Refusal};
use crate::segmentation::Segmentation;

pub mod attribute;
mod dataset;
mod functional;
mod seg;
mod series;
mod write;

pub use series::read_series;
pub use write::{Uids, write};

use dataset::Dataset;

const SEGMENTATION: &str = "1.2.840.10008.5.1.4.1.1.66.4";
const LABEL_MAP: &str = "1.2.840.10008.5.1.4.1.1.66.7";
const RT_STRUCTURE_SET: &str = "1.2.840.10008.5.1.4.1.1.481.3";

/// Reads a mask from one file: a segmentation, or one image whose pixels are labels.
///
/// # Errors
/// A [`Refusal`] that says why it holds no mask.
pub fn read(path: &Path, limits: &Limits) -> Result<Segmentation, Refusal> {
    let bytes = bytes_of(path, limits)?;
    read_bytes(&bytes, limits)
}

/// The same from bytes.
///
/// # Errors
/// As [`read`].
pub fn read_bytes(bytes: &[u8], limits: &Limits) -> Result<Segmentation, Refusal> {
    let dataset = Dataset::of(bytes, limits)?;
    match dataset.sop_class().as_str() {
        SEGMENTATION | LABEL_MAP => seg::segmentation(&dataset, limits),
        RT_STRUCTURE_SET => Err(Refusal::new(
            Reason::WrongObject,
            "contours (RTSTRUCT) are not voxels, and tools fill them differently; export the \
             structure as a DICOM segmentation or as NIfTI",
        )),
        _ if dataset.has_pixels() => series::single(&dataset, limits),
        class => Err(Refusal::new(
            Reason::WrongObject,
            format!("an object of class {class} has no pixels"),
        )),
    }
}

fn bytes_of(path: &Path, limits: &Limits) -> Result<Vec<u8>, Refusal> {
    use std::io::Read as _;
    let mut bytes = Vec::new();
    let file = crate::file::open(path, limits)?;
    file.take(limits.file_bytes.saturating_add(1))
        .read_to_end(&mut bytes)
        .map_err(|error| crate::nifti::unreadable(&error))?;
    if bytes.len() as u64 > limits.file_bytes {
        return Err(Refusal::new(
            Reason::TooLarge,
            "the file grew while it was read",
        ));
    }
    Ok(bytes)
}

#[cfg(test)]
mod tests;
