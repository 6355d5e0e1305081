//! What kind of file a mask is in, by its first bytes, and whether it may be opened at all.
//!
//! From: paths of a manifest.
//! To: `nifti`, `png`, `dicom`.

use std::fs::File;
use std::io::Read;
use std::path::{Path, PathBuf};

use crate::limit::Limits;
use crate::nifti;
use crate::refusal::{Reason, Refusal};
use crate::segmentation::Segmentation;

/// Opens a regular file within the limits; devices, pipes and folders are none.
///
/// # Errors
/// `missing`, `unreadable`, `too-large`.
pub(crate) fn open(path: &Path, limits: &Limits) -> Result<File, Refusal> {
    let known = std::fs::metadata(path).map_err(|error| nifti::unreadable(&error))?;
    if !known.is_file() {
        return Err(Refusal::new(Reason::Unreadable, "not a regular file"));
    }
    if known.len() > limits.file_bytes {
        let why = format!(
            "{} bytes, at most {} are allowed",
            known.len(),
            limits.file_bytes
        );
        return Err(Refusal::new(Reason::TooLarge, why));
    }
    File::open(path).map_err(|error| nifti::unreadable(&error))
}

/// The files that hold what a path names, in the order of their names: the file itself, both files
/// of a NIfTI pair, or those of a folder that are read as its series. `None` of a folder that is
/// none.
pub fn stored_in(path: &Path, limits: &Limits) -> Option<Vec<PathBuf>> {
    if path.is_dir() {
        return crate::dicom::files(path, limits).ok();
    }
    let mut files = vec![path.to_owned()];
    files.extend(nifti::other_of_pair(path));
    files.sort();
    Some(files)
}

/// Reads the mask at `path`: NIfTI, PNG, a DICOM segmentation, or a folder with a DICOM series.
///
/// # Errors
/// A [`Refusal`] that says why there is no mask that can be measured.
pub fn read_mask(path: &Path, limits: &Limits) -> Result<Segmentation, Refusal> {
    let mask = read_any(path, limits)?;
    let labels = mask.labels().len();
    if labels > limits.labels {
        let why = format!("{labels} different values: an image, not a mask");
        return Err(Refusal::new(Reason::NotLabels, why));
    }
    Ok(mask)
}

fn read_any(path: &Path, limits: &Limits) -> Result<Segmentation, Refusal> {
    if path.is_dir() {
        return crate::dicom::read_series(path, limits);
    }
    let mut start = [0; 132];
    let mut length = 0;
    {
        let mut file = open(path, limits)?;
        while length < start.len() {
            match file.read(&mut start[length..]) {
                Ok(0) => break,
                Ok(more) => length += more,
                Err(error) => return Err(nifti::unreadable(&error)),
            }
        }
    }
    let start = &start[..length];
    if start.is_empty() {
        return Err(Refusal::new(Reason::Truncated, "the file is empty"));
    }
    if start.starts_with(b"\x89PNG\r\n\x1a\n") {
        return crate::png::read(path, limits);
    }
    if start.get(128..132) == Some(b"DICM") {
        return crate::dicom::read(path, limits);
    }
    // The image of a pair has no header of its own.
    if let Some(header) = nifti::header_of_image(path) {
        return nifti::read(&header, limits);
    }
    if nifti::is_nifti(start) || start.starts_with(&[0x1f, 0x8b]) {
        return nifti::read(path, limits);
    }
    crate::dicom::read(path, limits)
}
