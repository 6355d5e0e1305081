//! Lossless JPEG (ITU-T T.81 process 14), one component. The picture's own markers are looked
//! through before the decoder sees them: its size must be the object's, and there is one scan,
//! since the decoder takes time and memory for each scan that a picture announces.
//!
//! From: `pixel`.
//! To: `pixel`.

use jpeg_decoder::{Decoder, Error};

use super::pixel::Layout;
use crate::refusal::{Reason, Refusal};

const START: u8 = 0xD8;
const END: u8 = 0xD9;
const LOSSLESS_FRAME: u8 = 0xC3;
const SCAN: u8 = 0xDA;
const RESTART_INTERVAL: u8 = 0xDD;

/// One frame's pixels, words little endian.
///
/// # Errors
/// `malformed`, `truncated`, `transfer-syntax` for variants that are not decoded.
pub(super) fn decoded(frame: &[u8], layout: &Layout) -> Result<Vec<u8>, Refusal> {
    look_through(frame, layout)?;
    let mut pixels = Decoder::new(frame).decode().map_err(|fault| {
        let reason = match &fault {
            Error::Unsupported(_) => Reason::TransferSyntax,
            Error::Io(_) => Reason::Truncated,
            Error::Format(_) | Error::Internal(_) => Reason::Malformed,
        };
        Refusal::new(reason, format!("lossless JPEG: {fault}"))
    })?;
    if pixels.len() != layout.plane() * layout.allocated as usize / 8 {
        return Err(malformed(
            "a picture with another number of pixels than it says",
        ));
    }
    // The decoder gives words in the machine's order.
    if layout.allocated == 16 && cfg!(target_endian = "big") {
        pixels.chunks_exact_mut(2).for_each(<[u8]>::reverse);
    }
    Ok(pixels)
}

fn malformed(why: &str) -> Refusal {
    Refusal::new(Reason::Malformed, format!("lossless JPEG: {why}"))
}

/// Refuses a picture that is not one lossless scan of the object's size.
fn look_through(frame: &[u8], layout: &Layout) -> Result<(), Refusal> {
    let truncated = || {
        Refusal::new(
            Reason::Truncated,
            "lossless JPEG: the picture ends too early",
        )
    };
    if frame.get(..2) != Some(&[0xFF, START]) {
        return Err(malformed("no picture"));
    }
    // The shortest code of a pixel is one bit.
    if layout.plane() > frame.len().saturating_mul(8) {
        return Err(truncated());
    }
    let mut at = 2;
    let mut has_size = false;
    let mut restarts = false;
    loop {
        let marker = frame.get(at..at + 2).ok_or_else(truncated)?;
        let &[0xFF, marker] = marker else {
            return Err(malformed("something between markers"));
        };
        // Filling bytes before a marker.
        if marker == 0xFF {
            at += 1;
            continue;
        }
        let length = frame.get(at + 2..at + 4).ok_or_else(truncated)?;
        let length = usize::from(u16::from_be_bytes([length[0], length[1]]));
        let body = frame.get(at + 4..at + 2 + length).ok_or_else(truncated)?;
        match marker {
            LOSSLESS_FRAME if !has_size => {
                size(body, layout)?;
                has_size = true;
            }
            0xC0..=0xCF if marker != 0xC4 => {
                return Err(malformed("another frame than one lossless frame"));
            }
            RESTART_INTERVAL => restarts = body.iter().any(|byte| *byte != 0),
            SCAN if has_size => {
                scan(body, restarts)?;
                return one_scan(&frame[at + 2 + length..]);
            }
            0x00..=0xBF | 0xD0..=SCAN => return Err(malformed("a marker out of its place")),
            _ => {}
        }
        at += 2 + length;
    }
}

/// The frame's head: bits, rows, columns, and one component.
fn size(body: &[u8], layout: &Layout) -> Result<(), Refusal> {
    let &[
        bits,
        rows_high,
        rows_low,
        columns_high,
        columns_low,
        1,
        _,
        0x11,
        _,
    ] = body
    else {
        return Err(malformed("a picture of other than one component"));
    };
    let rows = usize::from(u16::from_be_bytes([rows_high, rows_low]));
    let columns = usize::from(u16::from_be_bytes([columns_high, columns_low]));
    let fits = match layout.allocated {
        8 => bits == 8,
        _ => (9..=16).contains(&bits),
    };
    if rows != layout.rows || columns != layout.columns || !fits {
        let why = format!(
            "{columns} x {rows} pixels of {bits} bits where the object says {} x {} of {}",
            layout.columns, layout.rows, layout.used
        );
        return Err(malformed(&why));
    }
    Ok(())
}

/// The scan's head: one component, a predictor, and no bits left out.
fn scan(body: &[u8], restarts: bool) -> Result<(), Refusal> {
    let &[1, _, _, predictor @ 1..=7, 0, 0] = body else {
        let why = "lossless JPEG: a scan with a predictor or point transform that is not decoded";
        return Err(Refusal::new(Reason::TransferSyntax, why));
    };
    // The decoder does not start anew after a restart where it predicts from the left.
    if restarts && predictor == 1 {
        let why = "lossless JPEG: restarts with the first predictor are not decoded";
        return Err(Refusal::new(Reason::TransferSyntax, why));
    }
    Ok(())
}

/// Refuses anything but restarts before the end of the picture.
fn one_scan(data: &[u8]) -> Result<(), Refusal> {
    let mut marked = false;
    for byte in data {
        match byte {
            0xFF => marked = true,
            0x00 | 0xD0..=0xD7 => marked = false,
            &END if marked => return Ok(()),
            _ if marked => return Err(malformed("more than one scan")),
            _ => {}
        }
    }
    Err(Refusal::new(
        Reason::Truncated,
        "lossless JPEG: the picture has no end",
    ))
}

#[cfg(test)]
mod tests {
    use super::*;

    /// A picture with first-predictor differences, each coded with its number of bits in four.
    fn coded(columns: u16, rows: u16, bits: u8, pixels: &[u16]) -> Vec<u8> {
        let mut bytes = vec![0xFF, START, 0xFF, LOSSLESS_FRAME, 0, 11, bits];
        bytes.extend(rows.to_be_bytes());
        bytes.extend(columns.to_be_bytes());
        bytes.extend([1, 1, 0x11, 0]);
        // Fifteen codes of four bits for 0 to 14, two of five bits for 15 and 16.
        bytes.extend([
            0xFF, 0xC4, 0, 36, 0, 0, 0, 0, 15, 2, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0,
        ]);
        bytes.extend(0..17);
        bytes.extend([0xFF, SCAN, 0, 8, 1, 1, 0, 1, 0, 0]);
        let mut stream = String::new();
        let width = usize::from(columns);
        for (at, pixel) in pixels.iter().enumerate() {
            let before = match at {
                0 => 1 << (bits - 1),
                _ if at % width == 0 => pixels[at - width],
                _ => pixels[at - 1],
            };
            let difference = i32::from(*pixel as i16).wrapping_sub(i32::from(before as i16)) as i16;
            let size = 16 - difference.unsigned_abs().leading_zeros();
            match size {
                0..=14 => stream += &format!("{size:04b}"),
                15 => stream += "11110",
                _ => stream += "11111",
            }
            if (1..16).contains(&size) {
                let low = if difference < 0 {
                    difference - 1
                } else {
                    difference
                };
                let low = low as u16 & ((1_u32 << size) - 1) as u16;
                stream += &format!("{low:0width$b}", width = size as usize);
            }
        }
        while !stream.len().is_multiple_of(8) {
            stream.push('1');
        }
        for at in (0..stream.len()).step_by(8) {
            let byte = u8::from_str_radix(&stream[at..at + 8], 2).unwrap();
            bytes.push(byte);
            if byte == 0xFF {
                bytes.push(0);
            }
        }
        bytes.extend([0xFF, END]);
        bytes
    }

    fn layout(columns: usize, rows: usize, allocated: u32) -> Layout {
        Layout {
            rows,
            columns,
            frames: 1,
            allocated,
            used: allocated,
            signed: false,
        }
    }

    fn noise(count: usize, most: u32) -> Vec<u16> {
        let mut seed = 3_u32;
        let next = |_| {
            seed = seed.wrapping_mul(1_664_525).wrapping_add(1_013_904_223);
            u16::try_from((seed >> 8) % (most + 1)).unwrap()
        };
        (0..count).map(next).collect()
    }

    #[test]
    fn pictures_decode_to_what_was_coded() {
        let pixels = noise(13 * 7, 255);
        let bytes = coded(13, 7, 8, &pixels);
        let found = decoded(&bytes, &layout(13, 7, 8)).unwrap();
        assert!(found.iter().map(|one| u16::from(*one)).eq(pixels));
        for (bits, most) in [(12, 4095), (16, 65_535)] {
            let pixels = noise(13 * 7, most);
            let found = decoded(&coded(13, 7, bits, &pixels), &layout(13, 7, 16)).unwrap();
            let words = found
                .chunks_exact(2)
                .map(|word| u16::from_le_bytes([word[0], word[1]]));
            assert!(words.eq(pixels), "{bits}");
        }
    }

    #[test]
    fn pictures_that_lie_are_refused() {
        let good = coded(13, 7, 8, &noise(13 * 7, 255));
        let wanted = layout(13, 7, 8);
        for cut in 0..good.len() {
            assert!(decoded(&good[..cut], &wanted).is_err(), "{cut}");
        }
        for other in [layout(7, 13, 8), layout(13, 8, 8), layout(13, 7, 16)] {
            assert_eq!(
                decoded(&good, &other).unwrap_err().reason,
                Reason::Malformed
            );
        }
        let large = layout(16_000, 16_000, 8);
        assert_eq!(
            decoded(&good, &large).unwrap_err().reason,
            Reason::Truncated
        );
        let changed = |at: usize, value: u8| {
            let mut bytes = good.clone();
            bytes[at] = value;
            decoded(&bytes, &wanted).unwrap_err().reason
        };
        // A baseline frame, a point transform, two components, a second frame.
        assert_eq!(changed(3, 0xC0), Reason::Malformed);
        let scan = good.windows(2).position(|two| two == [0xFF, SCAN]).unwrap();
        assert_eq!(changed(scan + 9, 9), Reason::TransferSyntax);
        assert_eq!(changed(scan + 7, 0), Reason::TransferSyntax);
        assert_eq!(changed(11, 2), Reason::Malformed);
        assert_eq!(changed(16, 0xC3), Reason::Malformed);
        // A second scan.
        let mut twice = good[..good.len() - 2].to_vec();
        twice.extend(&good[scan..]);
        assert_eq!(
            decoded(&twice, &wanted).unwrap_err().reason,
            Reason::Malformed
        );
    }
}
