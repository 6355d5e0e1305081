//! DICOM: segmentations, images whose pixels are labels, and what images say of their acquisition.
//!
//! Read in the order of a file: `dataset` (its head, how it is encoded), `element` (its elements
//! as places in its bytes), `kind` (what it holds), `functional` and `grid` (where its frames lie),
//! `pixel` and `jpeg` (stored values), `seg` and `series` (labels).
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
mod element;
mod functional;
mod grid;
mod jpeg;
mod kind;
pub mod origin;
mod pixel;
mod seg;
mod series;
mod write;

pub(crate) use series::files;
pub use series::read_series;
pub use write::{Uids, write};

use dataset::{Dataset, File};
use kind::Kind;

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
    let file = File::of(bytes, limits)?;
    let dataset = file.dataset()?;
    let kind = dataset.kind();
    kind.refuse_other()?;
    if !dataset.has_pixels() {
        return Err(Refusal::new(
            Reason::WrongObject,
            "an object without pixels",
        ));
    }
    if kind == Kind::Segmentation {
        seg::segmentation(&dataset, limits)
    } else {
        series::single(&dataset, limits)
    }
}

/// Bytes that are read of a file of which the pixels are not needed; four times as many where its
/// elements reach further.
const HEAD_BYTES: usize = 1 << 16;

/// What `read` makes of a file's elements, of which no more is read than it takes.
fn head_of<T>(
    path: &Path,
    limits: &Limits,
    read: impl Fn(&Dataset<'_>) -> Result<T, Refusal>,
) -> Result<T, Refusal> {
    use std::io::Read as _;
    let mut file = crate::file::open(path, limits)?;
    let mut bytes = Vec::new();
    let mut size = HEAD_BYTES;
    loop {
        let more = size.saturating_sub(bytes.len()) as u64;
        file.by_ref()
            .take(more)
            .read_to_end(&mut bytes)
            .map_err(|error| crate::nifti::unreadable(&error))?;
        let whole = bytes.len() < size || bytes.len() as u64 >= limits.file_bytes;
        let found = File::of(&bytes, limits).and_then(|file| {
            let dataset = file.dataset()?;
            // What was read may end between two elements.
            if !whole && !dataset.has_pixels() {
                return Err(Refusal::new(Reason::Truncated, "no pixels yet"));
            }
            read(&dataset)
        });
        match found {
            Err(refusal) if !whole && refusal.reason == Reason::Truncated => {
                size = size.saturating_mul(4);
            }
            found => return found,
        }
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
mod hostile_tests;
#[cfg(test)]
mod made_tests;
#[cfg(test)]
mod tests;
