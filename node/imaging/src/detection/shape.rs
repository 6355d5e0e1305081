//! Balls, boxes and points in the world, and the way from there to voxels.
//!
//! From: tables of lesions and candidates; `geometry`.
//! To: `detection`.

use crate::geometry::Geometry;

/// A lesion as a ball.
#[derive(Clone, Copy, Debug, PartialEq)]
pub struct Sphere {
    /// World position in mm: right, anterior, superior.
    pub centre: [f64; 3],
    /// Radius in mm.
    pub radius: f64,
}

/// A box along the world's axes, its faces included. A box of a plane is flat along one axis.
#[derive(Clone, Copy, Debug, PartialEq)]
pub struct Bounds {
    /// Lowest corner in mm.
    pub low: [f64; 3],
    /// Highest corner in mm.
    pub high: [f64; 3],
}

impl Bounds {
    pub(super) fn centre(&self) -> [f64; 3] {
        [0, 1, 2].map(|axis| self.low[axis] + (self.high[axis] - self.low[axis]) / 2.0)
    }

    pub(super) fn holds(&self, point: [f64; 3]) -> bool {
        (0..3).all(|axis| self.low[axis] <= point[axis] && point[axis] <= self.high[axis])
    }

    /// Intersection over union of two boxes, in `[0, 1]`. An axis along which both are flat at
    /// the same place is left out, so that boxes of one plane are compared by their areas.
    pub fn iou(&self, other: &Self) -> f64 {
        let (mut both, mut one, mut two) = (1.0, 1.0, 1.0);
        for axis in 0..3 {
            let widths = [self, other].map(|bounds| bounds.high[axis] - bounds.low[axis]);
            if widths == [0.0, 0.0] && self.low[axis] == other.low[axis] {
                continue;
            }
            let end = self.high[axis].min(other.high[axis]);
            both *= (end - self.low[axis].max(other.low[axis])).max(0.0);
            one *= widths[0];
            two *= widths[1];
        }
        let union = one + two - both;
        if union > 0.0 { both / union } else { 0.0 }
    }
}

/// Where a candidate lies.
#[derive(Clone, Copy, Debug, PartialEq)]
pub enum Place {
    /// At a world position in mm.
    Point([f64; 3]),
    /// Within a box.
    Box(Bounds),
}

impl Place {
    pub(super) fn centre(&self) -> [f64; 3] {
        match self {
            Self::Point(point) => *point,
            Self::Box(bounds) => bounds.centre(),
        }
    }
}

/// From world positions to voxels: `inverse * (p - origin)`.
pub(super) struct Inverse {
    rows: [[f64; 3]; 3],
    origin: [f64; 3],
}

impl Inverse {
    /// The inverse of a volume's position; spacing alone where the format has no position.
    pub(super) fn of(geometry: &Geometry) -> Option<Self> {
        let [sx, sy, sz] = geometry.spacing;
        let bare = [
            [sx, 0.0, 0.0, 0.0],
            [0.0, sy, 0.0, 0.0],
            [0.0, 0.0, sz, 0.0],
        ];
        let m = geometry.affine.unwrap_or(bare);
        // Rows of the inverse are cross products of the columns, over the determinant.
        let column = |at: usize| [m[0][at], m[1][at], m[2][at]];
        let cross = |a: [f64; 3], b: [f64; 3]| {
            [
                a[1] * b[2] - a[2] * b[1],
                a[2] * b[0] - a[0] * b[2],
                a[0] * b[1] - a[1] * b[0],
            ]
        };
        let rows = [
            cross(column(1), column(2)),
            cross(column(2), column(0)),
            cross(column(0), column(1)),
        ];
        let first = column(0);
        let determinant = rows[0][0] * first[0] + rows[0][1] * first[1] + rows[0][2] * first[2];
        let rows = rows.map(|row| row.map(|value| value / determinant));
        let usable = rows.iter().flatten().all(|value| value.is_finite());
        usable.then(|| Self {
            rows,
            origin: column(3),
        })
    }

    /// The voxel that holds a world position: the one whose centre is nearest; halves go up.
    pub(super) fn voxel(&self, point: [f64; 3]) -> Option<[usize; 3]> {
        let offset = [0, 1, 2].map(|axis| point[axis] - self.origin[axis]);
        let mut voxel = [0; 3];
        for (at, row) in voxel.iter_mut().zip(&self.rows) {
            let place = row[0] * offset[0] + row[1] * offset[1] + row[2] * offset[2];
            let place = (place + 0.5).floor();
            if !(place >= 0.0 && place < 2_f64.powi(32)) {
                return None;
            }
            *at = place as usize;
        }
        Some(voxel)
    }
}
