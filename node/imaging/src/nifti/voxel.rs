//! Stored values to labels, as they come from the stream.
//!
//! A label is a whole number from 0 to 65,535. Values stored as reals count as labels when they
//! are within a millionth of a whole number, which is what a scaling may leave; 0.9999 is no label.
//!
//! From: the voxels of a file.
//! To: `nifti`.

use std::io::Read;

use super::header::Header;
use super::unreadable;
use crate::refusal::{Reason, Refusal};

/// Voxels converted at a time.
const CHUNK: usize = 1 << 15;
/// Voxels for which memory is taken before any has come.
const AHEAD: usize = 1 << 22;
/// How far a label may be from a whole number.
const WHOLE: f64 = 1e-6;

/// Reads `count` voxels.
pub(super) fn labels(
    header: &Header,
    stream: &mut dyn Read,
    count: usize,
) -> Result<Vec<u16>, Refusal> {
    macro_rules! read {
        ($kind:ty) => {
            convert(
                stream,
                count,
                size_of::<$kind>(),
                |bytes| {
                    let mut own = [0; size_of::<$kind>()];
                    own.copy_from_slice(bytes);
                    if header.big_endian {
                        own.reverse();
                    }
                    <$kind>::from_le_bytes(own)
                },
                header.scaling,
            )
        };
    }
    match header.datatype {
        2 => read!(u8),
        4 => read!(i16),
        8 => read!(i32),
        16 => read!(f32),
        64 => read!(f64),
        256 => read!(i8),
        512 => read!(u16),
        768 => read!(u32),
        1024 => read!(i64),
        1280 => read!(u64),
        1 => Err(refused("one bit per voxel")),
        32 | 1792 | 2048 => Err(refused("complex numbers")),
        128 | 2304 => Err(refused("colours")),
        1536 => Err(refused("numbers of 128 bits")),
        other => Err(Refusal::new(
            Reason::Malformed,
            format!("datatype {other} is none of the format's"),
        )),
    }
}

fn refused(what: &str) -> Refusal {
    Refusal::new(Reason::NotLabels, format!("voxels are {what}"))
}

/// A stored number as a label.
trait Stored: Copy {
    fn label(self) -> Option<u16>;
    fn real(self) -> f64;
}

macro_rules! whole {
    ($($kind:ty),*) => {$(
        impl Stored for $kind {
            fn label(self) -> Option<u16> {
                u16::try_from(self).ok()
            }

            #[allow(
                clippy::cast_precision_loss,
                clippy::cast_lossless,
                reason = "labels after scaling are small; larger values are refused"
            )]
            fn real(self) -> f64 {
                self as f64
            }
        }
    )*};
}

whole!(u8, i8, u16, i16, u32, i32, u64, i64);

impl Stored for f32 {
    fn label(self) -> Option<u16> {
        nearest(f64::from(self))
    }

    fn real(self) -> f64 {
        f64::from(self)
    }
}

impl Stored for f64 {
    fn label(self) -> Option<u16> {
        nearest(self)
    }

    fn real(self) -> f64 {
        self
    }
}

fn nearest(value: f64) -> Option<u16> {
    let whole = value.round();
    let inside = (0.0..=f64::from(u16::MAX)).contains(&whole) && (value - whole).abs() <= WHOLE;
    #[allow(
        clippy::cast_possible_truncation,
        clippy::cast_sign_loss,
        reason = "checked to be a whole number of 16 bits"
    )]
    inside.then_some(whole as u16)
}

fn convert<T: Stored>(
    stream: &mut dyn Read,
    count: usize,
    size: usize,
    number: impl Fn(&[u8]) -> T,
    scaling: Option<(f64, f64)>,
) -> Result<Vec<u16>, Refusal> {
    // A header may promise more than the file holds: memory follows what has come.
    let mut labels = Vec::with_capacity(count.min(AHEAD));
    let mut buffer = vec![0; CHUNK * size];
    while labels.len() < count {
        let voxels = (count - labels.len()).min(CHUNK);
        let bytes = &mut buffer[..voxels * size];
        stream
            .read_exact(bytes)
            .map_err(|error| unreadable(&error))?;
        for stored in bytes.chunks_exact(size) {
            let stored = number(stored);
            let label = match scaling {
                None => stored.label(),
                Some((slope, intercept)) => nearest(stored.real() * slope + intercept),
            };
            labels.push(label.ok_or_else(|| {
                Refusal::new(
                    Reason::NotLabels,
                    format!("voxel {} is {}", labels.len(), stored.real()),
                )
            })?);
        }
    }
    Ok(labels)
}
