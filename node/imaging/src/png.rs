//! PNG masks: one plane, grey values or palette indices as labels.
//!
//! Rows run from the top, columns from the left; there is no position, and voxels count one
//! millimetre: physical pixel sizes in PNG files are resolutions of printers as often as they are
//! of patients, so they are not trusted. Colours and transparency are refused: they are pictures
//! of masks, not masks.
//!
//! From: files of one hospital.
//! To: [`Segmentation`].

use std::io::{BufRead, BufReader, Cursor, Seek};
use std::path::Path;

use png::{BitDepth, ColorType, Decoder, Transformations};

use crate::geometry::Geometry;
use crate::limit::Limits;
use crate::refusal::{Reason, Refusal};
use crate::segmentation::{Segmentation, Voxels};

/// Memory that the decoder may take beside the plane itself.
const DECODER_BYTES: usize = 64 << 20;

/// Reads a mask from a file.
///
/// # Errors
/// A [`Refusal`] that says why it holds no labels.
pub fn read(path: &Path, limits: &Limits) -> Result<Segmentation, Refusal> {
    decode(BufReader::new(crate::file::open(path, limits)?), limits)
}

/// Reads a mask from bytes.
///
/// # Errors
/// As [`read`].
pub fn read_bytes(bytes: &[u8], limits: &Limits) -> Result<Segmentation, Refusal> {
    decode(Cursor::new(bytes), limits)
}

fn refused(fault: &png::DecodingError) -> Refusal {
    let reason = match fault {
        png::DecodingError::IoError(error) => return crate::nifti::unreadable(error),
        png::DecodingError::Format(_) | png::DecodingError::Parameter(_) => Reason::Malformed,
        png::DecodingError::LimitsExceeded => Reason::TooLarge,
    };
    Refusal::new(reason, fault.to_string())
}

fn decode(stream: impl BufRead + Seek, limits: &Limits) -> Result<Segmentation, Refusal> {
    let mut decoder = Decoder::new(stream);
    decoder.set_limits(png::Limits {
        bytes: DECODER_BYTES,
    });
    decoder.set_transformations(Transformations::IDENTITY);
    let mut reader = decoder.read_info().map_err(|fault| refused(&fault))?;
    let info = reader.info();
    let (width, height) = (info.width, info.height);
    if u64::from(width) * u64::from(height) > limits.voxels {
        let why = format!("{width} x {height} pixels");
        return Err(Refusal::new(Reason::TooLarge, why));
    }
    let (colour, depth) = (info.color_type, info.bit_depth);
    match colour {
        ColorType::Grayscale | ColorType::Indexed => {}
        ColorType::Rgb | ColorType::Rgba | ColorType::GrayscaleAlpha => {
            let why = "a picture with colours or transparency; export labels as grey values";
            return Err(Refusal::new(Reason::NotLabels, why));
        }
    }
    let size = reader.output_buffer_size();
    let size = size.ok_or_else(|| Refusal::new(Reason::TooLarge, "more bytes than memory has"))?;
    let mut bytes = vec![0; size];
    let frame = reader
        .next_frame(&mut bytes)
        .map_err(|fault| refused(&fault))?;
    let rows = bytes.chunks(frame.line_size.max(1)).take(height as usize);
    let labels = rows.flat_map(|row| pixels(row, depth, width as usize));
    Ok(Segmentation {
        is_open: false,
        geometry: Geometry {
            shape: [width as usize, height as usize, 1],
            spacing: [1.0; 3],
            affine: None,
        },
        voxels: Voxels::Labels(labels.collect()),
    })
}

/// The pixels of one row, several to a byte or two bytes each.
fn pixels(row: &[u8], depth: BitDepth, width: usize) -> Vec<u16> {
    if depth == BitDepth::Sixteen {
        let pairs = row.chunks_exact(2).take(width);
        return pairs
            .map(|pair| u16::from_be_bytes([pair[0], pair[1]]))
            .collect();
    }
    let bits = depth as usize;
    let mask = (1_u16 << bits) - 1;
    let pixel = |at: usize| {
        let byte = row.get(at * bits / 8).copied().unwrap_or(0);
        u16::from(byte) >> (8 - bits - at * bits % 8) & mask
    };
    (0..width).map(pixel).collect()
}

#[cfg(test)]
mod tests {
    use super::*;

    fn written(colour: ColorType, depth: BitDepth, size: (u32, u32), bytes: &[u8]) -> Vec<u8> {
        let mut file = Vec::new();
        let mut encoder = png::Encoder::new(&mut file, size.0, size.1);
        encoder.set_color(colour);
        encoder.set_depth(depth);
        if colour == ColorType::Indexed {
            encoder.set_palette(vec![0, 0, 0, 255, 0, 0, 0, 255, 0]);
        }
        encoder
            .write_header()
            .unwrap()
            .write_image_data(bytes)
            .unwrap();
        file
    }

    fn labels(file: &[u8]) -> Result<Vec<u16>, Reason> {
        match read_bytes(file, &Limits::default()) {
            Ok(Segmentation {
                voxels: Voxels::Labels(labels),
                ..
            }) => Ok(labels),
            Ok(_) => unreachable!("a PNG is a label map"),
            Err(refusal) => Err(refusal.reason),
        }
    }

    #[test]
    fn grey_values_and_indices_are_labels_and_colours_are_not() {
        let grey = written(
            ColorType::Grayscale,
            BitDepth::Eight,
            (3, 2),
            &[0, 1, 2, 3, 4, 255],
        );
        assert_eq!(labels(&grey).unwrap(), [0, 1, 2, 3, 4, 255]);
        let deep = written(
            ColorType::Grayscale,
            BitDepth::Sixteen,
            (2, 1),
            &[1, 0, 0, 7],
        );
        assert_eq!(labels(&deep).unwrap(), [256, 7]);
        let bits = written(
            ColorType::Grayscale,
            BitDepth::One,
            (10, 1),
            &[0b1010_0000, 0b0100_0000],
        );
        assert_eq!(labels(&bits).unwrap(), [1, 0, 1, 0, 0, 0, 0, 0, 0, 1]);
        let palette = written(ColorType::Indexed, BitDepth::Two, (4, 1), &[0b0001_1000]);
        assert_eq!(labels(&palette).unwrap(), [0, 1, 2, 0]);
        let colours = written(ColorType::Rgb, BitDepth::Eight, (1, 1), &[1, 2, 3]);
        assert_eq!(labels(&colours), Err(Reason::NotLabels));
    }

    #[test]
    fn damaged_and_large_files_are_refused() {
        let grey = written(ColorType::Grayscale, BitDepth::Eight, (30, 20), &[1; 600]);
        // Once every pixel is there, what the file still lacks changes none of them.
        let data = grey.windows(4).position(|name| name == b"IDAT").unwrap();
        for length in 0..grey.len() {
            let read = labels(&grey[..length]);
            let is_whole = length > data && read == Ok(vec![1; 600]);
            assert!(is_whole || read.is_err(), "{length} bytes");
        }
        assert!(labels(&grey[..data + 8]).is_err());
        let few = Limits {
            voxels: 599,
            ..Limits::default()
        };
        assert_eq!(
            read_bytes(&grey, &few).unwrap_err().reason,
            Reason::TooLarge
        );
    }
}
