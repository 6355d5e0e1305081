//! Writes a label map as NIfTI-1, packed where the name ends in `.gz`: the same bytes for the same
//! voxels, with no time and no name in them.
//!
//! From: [`Segmentation`].
//! To: the simulator's hospitals, tests.

use std::io::Write;
use std::path::Path;

use crate::geometry::Geometry;
use crate::segmentation::{Segmentation, Voxels};

/// Bytes before the voxels.
const OFFSET: usize = 352;

/// Writes the label map; segments that overlap have no such form.
///
/// # Errors
/// What the file system says; `InvalidInput` for overlapping segments and for shapes beyond
/// what NIfTI-1 can state.
pub fn write(path: &Path, segmentation: &Segmentation) -> std::io::Result<()> {
    let Voxels::Labels(labels) = &segmentation.voxels else {
        return Err(invalid("segments that may overlap are no label map"));
    };
    let large = labels.iter().any(|label| *label > 255);
    let mut bytes = header(&segmentation.geometry, large)?;
    if large {
        bytes.extend(labels.iter().flat_map(|label| label.to_le_bytes()));
    } else {
        bytes.extend(labels.iter().map(|label| label.to_le_bytes()[0]));
    }
    let file = std::fs::File::create(path)?;
    let packed = path.extension().is_some_and(|ending| ending == "gz");
    if packed {
        let mut packed = flate2::GzBuilder::new()
            .mtime(0)
            .write(file, flate2::Compression::fast());
        packed.write_all(&bytes)?;
        return packed.finish()?.sync_all();
    }
    let mut file = file;
    file.write_all(&bytes)?;
    file.sync_all()
}

fn invalid(why: &str) -> std::io::Error {
    std::io::Error::new(std::io::ErrorKind::InvalidInput, why)
}

fn header(geometry: &Geometry, large: bool) -> std::io::Result<Vec<u8>> {
    let mut bytes = vec![0; OFFSET];
    let mut put = |at: usize, value: &[u8]| bytes[at..at + value.len()].copy_from_slice(value);
    let short = |value: usize| {
        let value = i16::try_from(value).map_err(|_| invalid("more voxels than NIfTI-1 states"))?;
        Ok::<_, std::io::Error>(value.to_le_bytes())
    };
    #[allow(
        clippy::cast_possible_truncation,
        reason = "the format holds lengths in single precision"
    )]
    let single = |value: f64| (value as f32).to_le_bytes();
    put(0, &348_i32.to_le_bytes());
    put(40, &short(3)?);
    for axis in 0..3 {
        put(42 + 2 * axis, &short(geometry.shape[axis])?);
        put(80 + 4 * axis, &single(geometry.spacing[axis]));
    }
    for axis in 3..7 {
        put(42 + 2 * axis, &short(1)?);
    }
    put(70, &if large { 512_i16 } else { 2 }.to_le_bytes());
    put(72, &if large { 16_i16 } else { 8 }.to_le_bytes());
    put(76, &single(1.0));
    put(108, &single(352.0));
    put(123, &[2]);
    if let Some(affine) = &geometry.affine {
        put(254, &1_i16.to_le_bytes());
        for (row, values) in affine.iter().enumerate() {
            for (column, value) in values.iter().enumerate() {
                put(280 + 16 * row + 4 * column, &single(*value));
            }
        }
    }
    put(344, b"n+1\0");
    Ok(bytes)
}
