//! Where a volume lies: shape, spacing and position, and whether two volumes lie in the same
//! place. Nothing is resampled: what does not agree is refused.
//!
//! Directions follow NIfTI: world axes point right, anterior, superior, in millimetres. DICOM's
//! (left, posterior, superior) is turned by its reader.
//!
//! From: `nifti`, `png`, `dicom`.
//! To: `segmentation`, `surface`.

use crate::refusal::{Reason, Refusal};

/// Largest disagreement of two positions: 0.001 mm, or one part in 10,000 of the value.
const ABSOLUTE_MM: f64 = 1e-3;
const RELATIVE: f64 = 1e-4;

/// Shape and position of a volume whose voxels are stored first axis fastest.
#[derive(Clone, Debug, PartialEq)]
pub struct Geometry {
    /// Voxels along each axis; the last is 1 for a plane.
    pub shape: [usize; 3],
    /// Millimetres between voxel centres along each axis.
    pub spacing: [f64; 3],
    /// World position of the voxel (i, j, k): `affine * (i, j, k, 1)`, rows right, anterior,
    /// superior. `None` where the format has none (PNG, untagged planes).
    pub affine: Option<[[f64; 4]; 3]>,
}

impl Geometry {
    /// Voxels of the volume.
    pub fn voxels(&self) -> usize {
        self.shape.iter().product()
    }

    /// True when the volume is a plane: its surface is then a contour in that plane.
    pub fn is_plane(&self) -> bool {
        self.shape[2] == 1
    }

    /// Refuses a volume that does not lie where this one does.
    ///
    /// # Errors
    /// `geometry-mismatch`, saying what differs and by how much.
    pub fn agree(&self, other: &Self) -> Result<(), Refusal> {
        let mismatch = |detail: String| Err(Refusal::new(Reason::GeometryMismatch, detail));
        if self.shape != other.shape {
            return mismatch(format!("{:?} against {:?} voxels", self.shape, other.shape));
        }
        for (axis, (a, b)) in self.spacing.iter().zip(&other.spacing).enumerate() {
            if !close(*a, *b) {
                return mismatch(format!("spacing {a} against {b} mm along axis {axis}"));
            }
        }
        let (Some(one), Some(two)) = (&self.affine, &other.affine) else {
            // Formats without a position are compared by their shape alone.
            return Ok(());
        };
        for (row, (a, b)) in one.iter().zip(two).enumerate() {
            for (column, (a, b)) in a.iter().zip(b).enumerate() {
                if !close(*a, *b) {
                    return mismatch(format!(
                        "row {row}, column {column} of the position: {a} against {b}"
                    ));
                }
            }
        }
        Ok(())
    }
}

fn close(a: f64, b: f64) -> bool {
    (a - b).abs() <= ABSOLUTE_MM.max(RELATIVE * a.abs().max(b.abs()))
}

/// A single-precision length of a header as its writer meant it: through the shortest decimal
/// that reads back to the same single, so that 0.4 is 0.4 and not 0.4000000059604645. Without
/// this a distance of five voxels would exceed a tolerance of 2 mm.
pub fn from_single(value: f32) -> f64 {
    value.to_string().parse().unwrap_or(f64::NAN)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn singles_go_through_their_shortest_decimal() {
        assert_eq!(from_single(0.4), 0.4);
        assert_eq!(from_single(0.585_94), 0.585_94);
        assert_eq!(from_single(3.3), 3.3);
        assert!(from_single(f32::NAN).is_nan());
    }

    #[test]
    fn other_places_are_refused_and_rounding_is_not() {
        let here = Geometry {
            shape: [4, 4, 2],
            spacing: [0.75, 0.75, 2.5],
            affine: Some([
                [0.75, 0.0, 0.0, -96.0],
                [0.0, 0.75, 0.0, -96.0],
                [0.0, 0.0, 2.5, 10.0],
            ]),
        };
        let mut other = here.clone();
        other.affine.as_mut().unwrap()[0][3] += 5e-4;
        assert_eq!(here.agree(&other), Ok(()));
        other.affine.as_mut().unwrap()[0][3] += 1.0;
        let refusal = here.agree(&other).unwrap_err();
        assert_eq!(refusal.reason, Reason::GeometryMismatch);
        other.affine = None;
        assert_eq!(here.agree(&other), Ok(()));
        other.shape = [4, 2, 4];
        assert!(here.agree(&other).is_err());
    }
}
