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

/// Distances between voxels that an image of a patient can have, in millimetres: from a nanometre
/// to a kilometre, so that squares and sums of them stay numbers.
const SPACING_MM: std::ops::RangeInclusive<f64> = 1e-6..=1e6;
/// The farthest position from the origin, in millimetres.
const FAR_MM: f64 = 1e9;

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
    /// The geometry, if an image of a patient can have it.
    ///
    /// # Errors
    /// `no-geometry`.
    pub fn checked(self) -> Result<Self, Refusal> {
        let refused = |why: String| Err(Refusal::new(Reason::NoGeometry, why));
        if !self.spacing.iter().all(|step| SPACING_MM.contains(step)) {
            return refused(format!("spacing {:?} mm", self.spacing));
        }
        let mut numbers = self.affine.iter().flatten().flatten();
        if let Some(far) = numbers.find(|number| number.is_nan() || number.abs() > FAR_MM) {
            return refused(format!("{far} mm stands in its position"));
        }
        Ok(self)
    }

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
            if !alike(*a, *b) {
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

impl Geometry {
    /// Voxels from this grid's first voxel to the other's, where both are parts of one grid.
    ///
    /// # Errors
    /// `geometry-mismatch` where spacing or directions differ, the other starts before this grid,
    /// or lies between its voxels.
    pub fn offset_of(&self, other: &Self) -> Result<[usize; 3], Refusal> {
        let steps = self.steps_to(other)?;
        let mut offset = [0; 3];
        for (offset, step) in offset.iter_mut().zip(steps) {
            *offset = usize::try_from(step).map_err(|_| {
                let why = "the segmentation starts before the other volume";
                Refusal::new(Reason::GeometryMismatch, why)
            })?;
        }
        Ok(offset)
    }

    /// The smallest grid that holds both parts of one grid.
    ///
    /// # Errors
    /// `geometry-mismatch`.
    pub fn joined(&self, other: &Self) -> Result<Self, Refusal> {
        let steps = self.steps_to(other)?;
        let mut joined = self.clone();
        for axis in 0..3 {
            let before = usize::try_from(-steps[axis]).unwrap_or(0);
            let after = usize::try_from(steps[axis]).unwrap_or(0);
            let own = before + self.shape[axis];
            joined.shape[axis] = own.max(after + other.shape[axis]);
            if let Some(affine) = &mut joined.affine {
                #[allow(
                    clippy::cast_precision_loss,
                    reason = "voxels along an axis stay far below 2^53"
                )]
                for row in affine {
                    row[3] -= row[axis] * before as f64;
                }
            }
        }
        Ok(joined)
    }

    fn steps_to(&self, other: &Self) -> Result<[i64; 3], Refusal> {
        let mismatch = |why: &str| Refusal::new(Reason::GeometryMismatch, why);
        let (Some(one), Some(two)) = (&self.affine, &other.affine) else {
            return Err(mismatch("one of the volumes has no position"));
        };
        for (a, b) in one.iter().zip(two) {
            if a[..3].iter().zip(&b[..3]).any(|(a, b)| !close(*a, *b)) {
                return Err(mismatch("spacing or directions differ"));
            }
        }
        let mut steps = [0; 3];
        for (axis, steps) in steps.iter_mut().enumerate() {
            // Directions are perpendicular, so that each axis has its own share of the way.
            let (mut along, mut length) = (0.0, 0.0);
            for (a, b) in one.iter().zip(two) {
                along += a[axis] * (b[3] - a[3]);
                length += a[axis] * a[axis];
            }
            let way = along / length;
            if !((way - way.round()).abs() <= ABSOLUTE_MM.max(0.01) && way.abs() < 1e9) {
                return Err(mismatch("the volumes lie between each other's voxels"));
            }
            #[allow(
                clippy::cast_possible_truncation,
                reason = "checked to be below a thousand million"
            )]
            let whole = way.round() as i64;
            *steps = whole;
        }
        Ok(steps)
    }
}

/// Whether two spacings are one. Pixels of a slide are smaller than what counts as rounding of a
/// position.
fn alike(a: f64, b: f64) -> bool {
    let most = a.abs().max(b.abs());
    (a - b).abs() <= ABSOLUTE_MM.min(0.01 * most).max(RELATIVE * most)
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
        let slide = |spacing| Geometry {
            shape: [4, 4, 1],
            spacing: [spacing, spacing, 1.0],
            affine: None,
        };
        assert!(slide(0.0005).agree(&slide(0.000_499)).is_ok());
        assert!(slide(0.0005).agree(&slide(0.000_25)).is_err());
    }
}
