//! The header: 348 bytes of NIfTI-1 or 540 of NIfTI-2, in either byte order.
//!
//! From: the first bytes of a file.
//! To: `nifti`, `voxel`.

use std::io::Read;

use super::{meant, unreadable};
use crate::refusal::{Reason, Refusal};

/// Largest disagreement of sform and qform: a millimetre, or one part in a thousand.
const FORMS_DIFFER: (f64, f64) = (1.0, 1e-3);

/// What a header says of the voxels.
pub(super) struct Header {
    /// Bytes of the header.
    pub(super) size: u64,
    /// Whether voxels stand in another file.
    pub(super) is_pair: bool,
    /// Bytes before the voxels of one file.
    pub(super) before_voxels: u64,
    /// Code of the datatype.
    pub(super) datatype: i16,
    /// Whether numbers are stored with the largest byte first.
    pub(super) big_endian: bool,
    /// Factor and constant of stored values; `None` for stored values as they are.
    pub(super) scaling: Option<(f64, f64)>,
    dim: [i64; 8],
    pixdim: [f64; 8],
    /// Whether lengths were single precision.
    single: bool,
    qform: i32,
    sform: i32,
    quaternion: [f64; 6],
    rows: [[f64; 4]; 3],
}

/// Version and byte order of a header by its first four bytes: (NIfTI-2, big endian).
pub(super) fn magic(first: &[u8]) -> Option<(bool, bool)> {
    let word: [u8; 4] = first.get(..4)?.try_into().ok()?;
    match (i32::from_le_bytes(word), i32::from_be_bytes(word)) {
        (348, _) => Some((false, false)),
        (_, 348) => Some((false, true)),
        (540, _) => Some((true, false)),
        (_, 540) => Some((true, true)),
        (_, _) => None,
    }
}

/// Numbers at their places, in the header's byte order.
struct Fields {
    bytes: Vec<u8>,
    big_endian: bool,
}

impl Fields {
    fn take<const N: usize>(&self, at: usize) -> [u8; N] {
        let mut bytes = [0; N];
        if let Some(found) = self.bytes.get(at..at + N) {
            bytes.copy_from_slice(found);
        }
        if self.big_endian {
            bytes.reverse();
        }
        bytes
    }

    fn short(&self, at: usize) -> i16 {
        i16::from_le_bytes(self.take(at))
    }

    fn int(&self, at: usize) -> i32 {
        i32::from_le_bytes(self.take(at))
    }

    fn long(&self, at: usize) -> i64 {
        i64::from_le_bytes(self.take(at))
    }

    fn single(&self, at: usize) -> f64 {
        f64::from(f32::from_le_bytes(self.take(at)))
    }

    fn double(&self, at: usize) -> f64 {
        f64::from_le_bytes(self.take(at))
    }
}

impl Header {
    pub(super) fn read(stream: &mut dyn Read) -> Result<Self, Refusal> {
        let mut bytes = vec![0; 4];
        exact(stream, &mut bytes)?;
        let (second, big_endian) = magic(&bytes)
            .ok_or_else(|| Refusal::new(Reason::UnknownFormat, "not a NIfTI header"))?;
        bytes.resize(if second { 540 } else { 348 }, 0);
        exact(stream, &mut bytes[4..])?;
        let fields = Fields { bytes, big_endian };
        if second {
            Self::second(&fields)
        } else {
            Self::first(&fields)
        }
    }

    fn first(fields: &Fields) -> Result<Self, Refusal> {
        let word = fields.bytes.get(344..348).unwrap_or_default();
        let is_pair = match word {
            b"n+1\0" => false,
            b"ni1\0" => true,
            // Analyze 7.5 has no word here and no orientation: it is not read.
            _ => {
                let why = "the header has no NIfTI-1 word";
                return Err(Refusal::new(Reason::UnknownFormat, why));
            }
        };
        let offset = fields.single(108);
        if !(offset.is_finite() && (0.0..1e9).contains(&offset)) {
            return Err(Refusal::new(
                Reason::Malformed,
                "vox_offset is no place in a file",
            ));
        }
        #[allow(
            clippy::cast_possible_truncation,
            clippy::cast_sign_loss,
            reason = "checked to lie in [0, 1e9)"
        )]
        let offset = offset as u64;
        Ok(Self {
            size: 348,
            is_pair,
            before_voxels: if is_pair { 0 } else { offset.max(352) },
            datatype: fields.short(70),
            big_endian: fields.big_endian,
            scaling: scaling(fields.single(112), fields.single(116)),
            dim: std::array::from_fn(|i| i64::from(fields.short(40 + 2 * i))),
            pixdim: std::array::from_fn(|i| fields.single(76 + 4 * i)),
            single: true,
            qform: i32::from(fields.short(252)),
            sform: i32::from(fields.short(254)),
            quaternion: std::array::from_fn(|i| fields.single(256 + 4 * i)),
            rows: std::array::from_fn(|r| {
                std::array::from_fn(|c| fields.single(280 + 16 * r + 4 * c))
            }),
        })
    }

    fn second(fields: &Fields) -> Result<Self, Refusal> {
        let word = fields.bytes.get(4..12).unwrap_or_default();
        let is_pair = match word {
            b"n+2\0\r\n\x1a\n" => false,
            b"ni2\0\r\n\x1a\n" => true,
            _ => {
                let why = "the header has no NIfTI-2 word";
                return Err(Refusal::new(Reason::UnknownFormat, why));
            }
        };
        let offset = u64::try_from(fields.long(168))
            .map_err(|_| Refusal::new(Reason::Malformed, "vox_offset is no place in a file"))?;
        Ok(Self {
            size: 540,
            is_pair,
            before_voxels: if is_pair { 0 } else { offset.max(544) },
            datatype: fields.short(12),
            big_endian: fields.big_endian,
            scaling: scaling(fields.double(176), fields.double(184)),
            dim: std::array::from_fn(|i| fields.long(16 + 8 * i)),
            pixdim: std::array::from_fn(|i| fields.double(104 + 8 * i)),
            single: false,
            qform: fields.int(344),
            sform: fields.int(348),
            quaternion: std::array::from_fn(|i| fields.double(352 + 8 * i)),
            rows: std::array::from_fn(|r| {
                std::array::from_fn(|c| fields.double(400 + 32 * r + 8 * c))
            }),
        })
    }

    /// Voxels along three axes; further axes must have one voxel.
    pub(super) fn shape(&self) -> Result<[usize; 3], Refusal> {
        let malformed = |why: String| Refusal::new(Reason::Malformed, why);
        let axes = usize::try_from(self.dim[0])
            .ok()
            .filter(|axes| (1..=7).contains(axes))
            .ok_or_else(|| malformed(format!("dim[0] is {}", self.dim[0])))?;
        let mut shape = [1; 3];
        for (axis, dim) in self.dim.iter().enumerate().skip(1).take(axes) {
            let size = usize::try_from(*dim)
                .ok()
                .filter(|size| *size > 0)
                .ok_or_else(|| malformed(format!("dim[{axis}] is {dim}")))?;
            if let Some(shape) = shape.get_mut(axis - 1) {
                *shape = size;
            } else if size > 1 {
                let why = format!("{size} volumes along axis {axis}");
                return Err(Refusal::new(Reason::Dimensions, why));
            }
        }
        Ok(shape)
    }

    /// Where the voxels lie, and their spacing.
    #[allow(
        clippy::type_complexity,
        reason = "position and spacing are read together"
    )]
    pub(super) fn position(&self) -> Result<(Option<[[f64; 4]; 3]>, [f64; 3]), Refusal> {
        let mut spacing = [1, 2, 3].map(|axis| meant(self.pixdim[axis].abs(), self.single));
        let sform =
            (self.sform > 0).then(|| self.rows.map(|row| row.map(|v| meant(v, self.single))));
        let qform = (self.qform > 0).then(|| self.rotation(spacing));
        if let (Some(one), Some(other)) = (&sform, &qform) {
            let pairs = one.iter().flatten().zip(other.iter().flatten());
            let (absolute, relative) = FORMS_DIFFER;
            let far = |(a, b): (&f64, &f64)| {
                (a - b).abs() > absolute.max(relative * a.abs().max(b.abs()))
            };
            if pairs.into_iter().any(far) {
                let why = "sform and qform place the volume differently";
                return Err(Refusal::new(Reason::NoGeometry, why));
            }
        }
        let affine = sform.or(qform);
        if let Some(affine) = sform {
            // The sform's own lengths are the distances between its voxels.
            for axis in 0..3 {
                let length = (0..3)
                    .map(|row| affine[row][axis] * affine[row][axis])
                    .sum::<f64>()
                    .sqrt();
                if (length - spacing[axis]).abs() > 1e-3 * length {
                    spacing[axis] = length;
                }
            }
        }
        Ok((affine, spacing))
    }

    /// The qform as a matrix.
    fn rotation(&self, spacing: [f64; 3]) -> [[f64; 4]; 3] {
        let [b, c, d, x, y, z] = self.quaternion;
        let a = (1.0 - (b * b + c * c + d * d)).max(0.0).sqrt();
        let turn = [
            [
                a * a + b * b - c * c - d * d,
                2.0 * (b * c - a * d),
                2.0 * (b * d + a * c),
            ],
            [
                2.0 * (b * c + a * d),
                a * a + c * c - b * b - d * d,
                2.0 * (c * d - a * b),
            ],
            [
                2.0 * (b * d - a * c),
                2.0 * (c * d + a * b),
                a * a + d * d - b * b - c * c,
            ],
        ];
        let handed = if self.pixdim[0] < 0.0 { -1.0 } else { 1.0 };
        let offsets = [x, y, z].map(|value| meant(value, self.single));
        std::array::from_fn(|row| {
            [
                turn[row][0] * spacing[0],
                turn[row][1] * spacing[1],
                turn[row][2] * spacing[2] * handed,
                offsets[row],
            ]
        })
    }
}

/// A factor of 0 or one that is no number means none.
fn scaling(slope: f64, intercept: f64) -> Option<(f64, f64)> {
    let intercept = if intercept.is_finite() {
        intercept
    } else {
        0.0
    };
    (slope.is_finite() && slope != 0.0 && (slope, intercept) != (1.0, 0.0))
        .then_some((slope, intercept))
}

fn exact(stream: &mut dyn Read, bytes: &mut [u8]) -> Result<(), Refusal> {
    stream.read_exact(bytes).map_err(|error| unreadable(&error))
}
