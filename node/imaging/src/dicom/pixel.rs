//! Pixels as stored values, whatever the file stores them in: native in either byte order, run
//! lengths, lossless JPEG. Lossy compression is not read, since it changes labels.
//!
//! Run lengths are decoded here: the decoder of dicom-transfer-syntax-registry 0.10.1 ends the
//! process where a fragment is shorter than its own table says.
//!
//! Specification: PS3.5 sections 8.1.1 (native), 8.2 and A.4 (encapsulated), annex G (run lengths).
//!
//! From: `dataset`.
//! To: `seg`, `series`.

use std::borrow::Cow;

use dicom_dictionary_std::tags;

use super::dataset::{Dataset, Pixels, Syntax};
use super::jpeg;
use crate::limit::Limits;
use crate::refusal::{Reason, Refusal};

/// Most frames of one object.
const FRAMES_MAX: usize = 1 << 20;

/// The sizes of pixels.
#[derive(Clone, Copy, Debug)]
pub(super) struct Layout {
    pub(super) rows: usize,
    pub(super) columns: usize,
    pub(super) frames: usize,
    /// Bits of one pixel as stored: 1, 8, 16 or 32.
    pub(super) allocated: u32,
    /// Bits that are used, the lowest ones.
    pub(super) used: u32,
    pub(super) signed: bool,
}

impl Layout {
    /// The sizes that an object states, all of which may be unpacked.
    ///
    /// # Errors
    /// `malformed`, `wrong-object` without rows and columns, `not-labels` for colours, `too-large`.
    pub(super) fn of(dataset: &Dataset<'_>, limits: &Limits) -> Result<Self, Refusal> {
        let malformed = |why: String| Refusal::new(Reason::Malformed, why);
        let (Some(rows), Some(columns)) = (dataset.size(tags::ROWS), dataset.size(tags::COLUMNS))
        else {
            let why = "the object has no rows or columns";
            return Err(Refusal::new(Reason::WrongObject, why));
        };
        let frames = match dataset.text(tags::NUMBER_OF_FRAMES) {
            None => 1,
            Some(text) => text
                .parse::<usize>()
                .map_err(|_| malformed("NumberOfFrames is no whole number".to_owned()))?,
        };
        let pixels = (rows as u64)
            .checked_mul(columns as u64)
            .and_then(|plane| plane.checked_mul(frames as u64));
        if pixels == Some(0) {
            return Err(malformed(format!(
                "{frames} frames of {columns} x {rows} pixels"
            )));
        }
        if frames > FRAMES_MAX || pixels.is_none_or(|pixels| pixels > limits.voxels) {
            let why = format!("{frames} frames of {columns} x {rows} pixels");
            return Err(Refusal::new(Reason::TooLarge, why));
        }
        if dataset.size(tags::SAMPLES_PER_PIXEL).unwrap_or(1) != 1 {
            return Err(Refusal::new(Reason::NotLabels, "pixels are colours"));
        }
        let bits = |tag| dataset.object.whole(tag);
        let allocated = bits(tags::BITS_ALLOCATED)
            .filter(|bits| [1, 8, 16, 32].contains(bits))
            .ok_or_else(|| malformed("pixels of neither 1, 8, 16 nor 32 bits".to_owned()))?;
        let used = bits(tags::BITS_STORED).unwrap_or(allocated);
        let high = bits(tags::HIGH_BIT).unwrap_or(used.wrapping_sub(1));
        if used == 0 || used > allocated || high != used - 1 {
            let why = format!("{used} bits up to bit {high} of {allocated}");
            return Err(malformed(why));
        }
        Ok(Self {
            rows,
            columns,
            frames,
            allocated,
            used,
            signed: bits(tags::PIXEL_REPRESENTATION) == Some(1),
        })
    }

    /// Pixels of one frame.
    pub(super) fn plane(&self) -> usize {
        self.rows * self.columns
    }

    /// Bytes of all frames, one after the other without a gap even between bits.
    pub(super) fn bytes(&self) -> usize {
        // Pixels are at most the voxels of a volume, so their bits fit into 64.
        let bits = (self.plane() * self.frames) as u64 * u64::from(self.allocated);
        usize::try_from(bits.div_ceil(8)).unwrap_or(usize::MAX)
    }
}

/// The bytes of all frames, words little endian; at least [`Layout::bytes`] of them.
///
/// # Errors
/// `truncated` for fewer, `transfer-syntax`, `malformed`, `too-large`.
pub(super) fn stored<'a>(dataset: &Dataset<'a>, layout: &Layout) -> Result<Cow<'a, [u8]>, Refusal> {
    let needed = layout.bytes();
    match dataset.pixels()? {
        Pixels::Native { bytes, words } => {
            if bytes.len() < needed {
                let why = format!(
                    "{} bytes of pixels where {needed} are declared",
                    bytes.len()
                );
                return Err(Refusal::new(Reason::Truncated, why));
            }
            // Packed bits and single bytes are swapped where they are written as words.
            let word = match layout.allocated {
                32 => 4,
                16 => 2,
                _ if words => 2,
                _ => 1,
            };
            if dataset.syntax != Syntax::ExplicitBig || word == 1 {
                return Ok(Cow::Borrowed(bytes));
            }
            let mut bytes = bytes.to_vec();
            bytes.chunks_exact_mut(word).for_each(<[u8]>::reverse);
            Ok(Cow::Owned(bytes))
        }
        Pixels::Fragments(fragments) => {
            if !matches!(layout.allocated, 8 | 16) {
                return Err(dataset.unread());
            }
            let frames = framed(&fragments, layout.frames)?;
            let mut pixels = Vec::new();
            for frame in frames {
                let frame = match dataset.syntax {
                    Syntax::RunLength => run_lengths(&frame, layout)?,
                    Syntax::JpegLossless => jpeg::decoded(&frame, layout)?,
                    Syntax::ImplicitLittle
                    | Syntax::ExplicitLittle
                    | Syntax::ExplicitBig
                    | Syntax::Deflated
                    | Syntax::Unread => return Err(dataset.unread()),
                };
                pixels.extend_from_slice(&frame);
            }
            Ok(Cow::Owned(pixels))
        }
    }
}

/// The compressed bytes of each frame. A frame is one fragment, or the fragments between two
/// places of the table of offsets.
fn framed<'a>(fragments: &[&'a [u8]], frames: usize) -> Result<Vec<Cow<'a, [u8]>>, Refusal> {
    let malformed = |why: String| Refusal::new(Reason::Malformed, why);
    let Some((table, fragments)) = fragments.split_first() else {
        return Err(malformed(
            "compressed pixels without a table of offsets".to_owned(),
        ));
    };
    if fragments.len() == frames {
        return Ok(fragments.iter().map(|one| Cow::Borrowed(*one)).collect());
    }
    if frames == 1 && !fragments.is_empty() {
        return Ok(vec![Cow::Owned(fragments.concat())]);
    }
    let offsets: Vec<u64> = table
        .chunks_exact(4)
        .map(|word| u64::from(u32::from_le_bytes([word[0], word[1], word[2], word[3]])))
        .collect();
    let why = || {
        malformed(format!(
            "{} fragments and {} offsets for {frames} frames",
            fragments.len(),
            offsets.len()
        ))
    };
    if offsets.len() != frames {
        return Err(why());
    }
    let mut joined: Vec<Vec<u8>> = Vec::with_capacity(frames);
    let mut at = 0;
    for fragment in fragments {
        if offsets.get(joined.len()) == Some(&at) {
            joined.push(Vec::new());
        }
        let frame = joined.last_mut().ok_or_else(why)?;
        frame.extend_from_slice(fragment);
        at += fragment.len() as u64 + 8;
    }
    if joined.len() != frames {
        return Err(why());
    }
    Ok(joined.into_iter().map(Cow::Owned).collect())
}

/// One frame of run lengths (PS3.5 annex G): a table of segments, then for each byte of a pixel,
/// the highest first, the bytes of all pixels.
fn run_lengths(frame: &[u8], layout: &Layout) -> Result<Vec<u8>, Refusal> {
    let malformed = |why: &str| Refusal::new(Reason::Malformed, why);
    let head = frame
        .get(..64)
        .ok_or_else(|| malformed("run lengths without their table"))?;
    let words: Vec<usize> = head
        .chunks_exact(4)
        .map(|word| u32::from_le_bytes([word[0], word[1], word[2], word[3]]) as usize)
        .collect();
    let size = layout.allocated as usize / 8;
    if words.first() != Some(&size) {
        return Err(malformed("run lengths for pixels of another size"));
    }
    // Two bytes stand for at most 128, so that a short frame cannot ask for much memory.
    if layout.plane() * size > frame.len().saturating_mul(64) {
        return Err(Refusal::new(
            Reason::Truncated,
            "run lengths end before the frame",
        ));
    }
    let mut pixels = vec![0; layout.plane() * size];
    for segment in 0..size {
        let start = words.get(segment + 1).copied().unwrap_or(0);
        let end = if segment + 1 < size {
            words.get(segment + 2).copied().unwrap_or(0)
        } else {
            frame.len()
        };
        let bytes = frame.get(start..end).filter(|_| start >= 64);
        let bytes = bytes.ok_or_else(|| malformed("a segment of run lengths out of its place"))?;
        let place = size - 1 - segment;
        let mut targets = pixels.iter_mut().skip(place).step_by(size);
        unpack(bytes, &mut targets)
            .ok_or_else(|| Refusal::new(Reason::Truncated, "run lengths end before the frame"))?;
    }
    Ok(pixels)
}

/// Fills every target; `None` where the runs do not suffice. What follows is padding.
fn unpack<'a>(bytes: &[u8], targets: &mut impl Iterator<Item = &'a mut u8>) -> Option<()> {
    let mut targets = targets.peekable();
    let mut rest = bytes.iter();
    while targets.peek().is_some() {
        let head = *rest.next()?;
        match head {
            0..=127 => {
                for _ in 0..=head {
                    let value = *rest.next()?;
                    if let Some(target) = targets.next() {
                        *target = value;
                    }
                }
            }
            128 => {}
            129.. => {
                let value = *rest.next()?;
                let run = 257 - usize::from(head);
                targets
                    .by_ref()
                    .take(run)
                    .for_each(|target| *target = value);
            }
        }
    }
    Some(())
}

#[cfg(test)]
mod tests {
    use super::*;

    fn layout(columns: usize, allocated: u32) -> Layout {
        Layout {
            rows: 1,
            columns,
            frames: 1,
            allocated,
            used: allocated,
            signed: false,
        }
    }

    fn coded(segments: &[&[u8]]) -> Vec<u8> {
        let mut head = [0_u32; 16];
        head[0] = u32::try_from(segments.len()).unwrap();
        let mut place = 64;
        for (at, segment) in segments.iter().enumerate() {
            head[at + 1] = place;
            place += u32::try_from(segment.len()).unwrap();
        }
        let mut bytes: Vec<u8> = head.iter().flat_map(|word| word.to_le_bytes()).collect();
        segments.iter().for_each(|segment| bytes.extend(*segment));
        bytes
    }

    #[test]
    fn runs_and_literals_are_unpacked() {
        // Four times 7, the three bytes 1 2 3, nothing, twice 9, padding.
        let bytes = coded(&[&[253, 7, 2, 1, 2, 3, 128, 255, 9, 0]]);
        let pixels = run_lengths(&bytes, &layout(9, 8)).unwrap();
        assert_eq!(pixels, [7, 7, 7, 7, 1, 2, 3, 9, 9]);
        // The high bytes come first.
        let bytes = coded(&[&[1, 0x12, 0x34], &[1, 0x56, 0x78]]);
        let pixels = run_lengths(&bytes, &layout(2, 16)).unwrap();
        assert_eq!(pixels, [0x56, 0x12, 0x78, 0x34]);
    }

    #[test]
    fn run_lengths_that_lie_are_refused() {
        let good = coded(&[&[253, 7, 2, 1, 2, 3]]);
        for cut in 0..good.len() {
            assert!(run_lengths(&good[..cut], &layout(7, 8)).is_err(), "{cut}");
        }
        assert!(run_lengths(&good, &layout(7, 8)).is_ok());
        assert!(run_lengths(&good, &layout(7, 16)).is_err());
        assert!(run_lengths(&good, &layout(8, 8)).is_err());
        for offset in [0_u32, 63, 1000, u32::MAX] {
            let mut bytes = good.clone();
            bytes[4..8].copy_from_slice(&offset.to_le_bytes());
            assert!(run_lengths(&bytes, &layout(7, 8)).is_err(), "{offset}");
        }
        let mut bytes = good;
        bytes[..4].copy_from_slice(&u32::MAX.to_le_bytes());
        assert!(run_lengths(&bytes, &layout(7, 8)).is_err());
    }

    #[test]
    fn fragments_are_joined_where_the_table_says() {
        let table = |offsets: &[u32]| -> Vec<u8> {
            offsets.iter().flat_map(|one| one.to_le_bytes()).collect()
        };
        let joined = |offsets: &[u32], frames| {
            let table = table(offsets);
            let fragments: [&[u8]; 4] = [&table, &[1, 1], &[2, 2, 2, 2], &[3, 3]];
            let framed = framed(&fragments, frames);
            framed.map(|all| all.iter().map(|one| one.to_vec()).collect::<Vec<_>>())
        };
        let one_each = [vec![1, 1], vec![2, 2, 2, 2], vec![3, 3]];
        assert_eq!(joined(&[], 3).unwrap(), one_each);
        assert_eq!(joined(&[], 1).unwrap(), [[1, 1, 2, 2, 2, 2, 3, 3]]);
        let two = [vec![1, 1, 2, 2, 2, 2], vec![3, 3]];
        assert_eq!(joined(&[0, 22], 2).unwrap(), two);
        for lie in [&[0, 21][..], &[1, 22], &[0, 9999], &[22, 0], &[0, 0], &[0]] {
            assert!(joined(lie, 2).is_err(), "{lie:?}");
        }
        assert!(joined(&[0, 10, 22, 40], 4).is_err());
        assert!(framed(&[], 1).is_err() && framed(&[&[]], 1).is_err());
    }
}
