//! NIfTI-1 and NIfTI-2 masks: one file or a header and image pair, packed by gzip or not, in either
//! byte order, with any scalar datatype.
//!
//! Specification: NIfTI-1.1 (nifti1.h) and NIfTI-2 (nifti2.h), nifti.nimh.nih.gov. Sizes are
//! checked against [`Limits`] before memory is taken, and a packed file is unpacked only as far as
//! its own header says. Voxels become labels as they come: there is no second copy of the volume.
//! The position is the sform where it is set, else the qform, else none but the spacing; where both
//! are set and disagree, the file is refused, since nobody can say which is meant. Single-precision
//! lengths are read through their shortest decimal ([`from_single`]).
//!
//! From: files of one hospital.
//! To: `orient`, [`Segmentation`].

use std::io::Read;
use std::path::{Path, PathBuf};

use crate::geometry::{Geometry, from_single};
use crate::limit::Limits;
use crate::orient::canonical;
use crate::refusal::{Reason, Refusal};
use crate::segmentation::{Segmentation, Voxels};

mod header;
mod voxel;
mod write;

pub use write::write;

use header::Header;

/// The largest header that is read: 540 bytes, and what lies before the voxels.
const BEFORE_VOXELS_MAX: u64 = 1 << 24;

/// Reads a mask: `.nii`, `.nii.gz`, or either file of a `.hdr` and `.img` pair.
///
/// # Errors
/// A [`Refusal`] that says why the file holds no mask that can be measured.
pub fn read(path: &Path, limits: &Limits) -> Result<Segmentation, Refusal> {
    let file = crate::file::open(path, limits)?;
    let mut stream = unpacked(file)?;
    let header = Header::read(&mut stream)?;
    if header.is_pair {
        let image = partner(path).ok_or_else(|| {
            Refusal::new(Reason::Missing, "the header's image file (.img) is missing")
        })?;
        let mut voxels = unpacked(crate::file::open(&image, limits)?)?;
        return segmentation(&header, &mut voxels, 0, limits);
    }
    segmentation(&header, &mut stream, header.size, limits)
}

/// Reads a mask in one file from its bytes.
///
/// # Errors
/// As [`read`]; a header without its image is `malformed`.
pub fn read_bytes(bytes: &[u8], limits: &Limits) -> Result<Segmentation, Refusal> {
    if bytes.len() as u64 > limits.file_bytes {
        return Err(Refusal::new(Reason::TooLarge, "more bytes than allowed"));
    }
    let mut stream = unpacked(bytes)?;
    let header = Header::read(&mut stream)?;
    if header.is_pair {
        let why = "a header of a pair, without its image";
        return Err(Refusal::new(Reason::Malformed, why));
    }
    segmentation(&header, &mut stream, header.size, limits)
}

/// Whether the first bytes, unpacked, are those of a NIfTI header in either byte order.
pub fn is_nifti(first: &[u8]) -> bool {
    header::magic(first).is_some()
}

/// The image file of a header of a pair: the same name, packed or not.
fn partner(path: &Path) -> Option<PathBuf> {
    let name = path.file_name()?.to_str()?;
    let stem = name
        .strip_suffix(".hdr.gz")
        .or_else(|| name.strip_suffix(".hdr"))
        .or_else(|| name.strip_suffix(".img.gz"))
        .or_else(|| name.strip_suffix(".img"))?;
    let candidates =
        [".img", ".img.gz"].map(|ending| path.with_file_name(format!("{stem}{ending}")));
    candidates.into_iter().find(|one| one.is_file())
}

/// The header file of a pair whose image was named.
pub(crate) fn header_of_image(path: &Path) -> Option<PathBuf> {
    let name = path.file_name()?.to_str()?;
    let stem = name
        .strip_suffix(".img.gz")
        .or_else(|| name.strip_suffix(".img"))?;
    let candidates =
        [".hdr", ".hdr.gz"].map(|ending| path.with_file_name(format!("{stem}{ending}")));
    candidates.into_iter().find(|one| one.is_file())
}

/// The other file of a pair of which one is named.
pub(crate) fn other_of_pair(path: &Path) -> Option<PathBuf> {
    let other = header_of_image(path).or_else(|| partner(path));
    other.filter(|other| other != path)
}

/// The stream, unpacked if it starts as gzip does.
fn unpacked<'a>(stream: impl Read + 'a) -> Result<Box<dyn Read + 'a>, Refusal> {
    let mut stream = std::io::BufReader::with_capacity(1 << 16, stream);
    let start = std::io::BufRead::fill_buf(&mut stream).map_err(|error| unreadable(&error))?;
    if start.starts_with(&[0x1f, 0x8b]) {
        return Ok(Box::new(flate2::bufread::MultiGzDecoder::new(stream)));
    }
    Ok(Box::new(stream))
}

pub(crate) fn unreadable(error: &std::io::Error) -> Refusal {
    use std::io::ErrorKind::{InvalidData, InvalidInput, NotFound, UnexpectedEof};
    let kind = error.kind();
    let reason = if kind == NotFound {
        Reason::Missing
    } else if kind == UnexpectedEof {
        Reason::Truncated
    } else if matches!(kind, InvalidData | InvalidInput) {
        Reason::Malformed
    } else {
        Reason::Unreadable
    };
    Refusal::new(reason, error.to_string())
}

/// The volume behind a header; `already` bytes of the stream were read.
fn segmentation(
    header: &Header,
    stream: &mut dyn Read,
    already: u64,
    limits: &Limits,
) -> Result<Segmentation, Refusal> {
    let geometry = geometry(header, limits)?;
    let skipped = header
        .before_voxels
        .checked_sub(already)
        .ok_or_else(|| Refusal::new(Reason::Malformed, "vox_offset lies within the header"))?;
    if skipped > BEFORE_VOXELS_MAX {
        let why = format!("vox_offset is {}", header.before_voxels);
        return Err(Refusal::new(Reason::Malformed, why));
    }
    let passed = std::io::copy(&mut Read::take(&mut *stream, skipped), &mut std::io::sink());
    if passed.map_err(|error| unreadable(&error))? < skipped {
        return Err(Refusal::new(
            Reason::Truncated,
            "the file ends before its voxels",
        ));
    }
    let labels = voxel::labels(header, stream, geometry.voxels())?;
    let (geometry, labels) = canonical(geometry, labels);
    Ok(Segmentation {
        is_open: false,
        geometry,
        voxels: Voxels::Labels(labels),
    })
}

fn geometry(header: &Header, limits: &Limits) -> Result<Geometry, Refusal> {
    let shape = header.shape()?;
    let voxels = shape
        .iter()
        .try_fold(1_u64, |product, axis| product.checked_mul(*axis as u64))
        .filter(|voxels| *voxels <= limits.voxels)
        .ok_or_else(|| {
            let why = format!("{shape:?} voxels, at most {} are allowed", limits.voxels);
            Refusal::new(Reason::TooLarge, why)
        })?;
    if voxels == 0 {
        return Err(Refusal::new(Reason::Malformed, "no voxels"));
    }
    let (affine, spacing) = header.position()?;
    Geometry {
        shape,
        spacing,
        affine,
    }
    .checked()
}

/// A length or a position of the header as its writer meant it.
fn meant(value: f64, single: bool) -> f64 {
    if single {
        #[allow(
            clippy::cast_possible_truncation,
            reason = "the value was a single before it was widened"
        )]
        return from_single(value as f32);
    }
    value
}

#[cfg(test)]
mod tests;
