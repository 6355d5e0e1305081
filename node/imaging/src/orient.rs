//! Canonical orientation: axes are permuted and turned so that the first runs to the right, the
//! second to anterior and the third to superior, as nearly as the volume allows. Truth and
//! prediction stored differently then have the same voxels in the same order; nothing is resampled.
//!
//! Each axis of the world goes to the voxel axis with the largest component along it, the largest
//! of all first; ties go to the earlier axis. A volume with one voxel along an axis is a plane:
//! that axis is put last, whatever it points to, so that a contour is measured within the plane.
//!
//! From: the readers.
//! To: `geometry`, `segmentation`.

use crate::geometry::Geometry;
use crate::mask::{Mask, Region};

/// Which voxel axis becomes each axis of the result, and whether it is turned.
#[derive(Clone, Copy, Debug, Eq, PartialEq)]
pub(crate) struct Plan {
    axis: [usize; 3],
    turned: [bool; 3],
}

/// A volume with its axes in canonical order; without a position only planes are put in order.
pub fn canonical(geometry: Geometry, labels: Vec<u16>) -> (Geometry, Vec<u16>) {
    let plan = Plan::of(&geometry);
    if plan.is_idle() {
        return (geometry, labels);
    }
    let moved = plan.labels(&geometry, &labels);
    (plan.geometry(&geometry), moved)
}

impl Plan {
    /// How a volume is brought into canonical order.
    pub(crate) fn of(geometry: &Geometry) -> Self {
        Self::of_volume(geometry).with_plane_last(geometry.shape)
    }

    /// The same for what is a part of a volume, and no plane even where it is thin.
    pub(crate) fn of_volume(geometry: &Geometry) -> Self {
        let mut plan = Self {
            axis: [0, 1, 2],
            turned: [false; 3],
        };
        if let Some(affine) = &geometry.affine {
            let mut world = [None; 3];
            let mut used = [false; 3];
            for _ in 0..3 {
                let mut best: Option<(f64, usize, usize)> = None;
                for (row, place) in world.iter().enumerate() {
                    for column in (0..3).filter(|column| place.is_none() && !used[*column]) {
                        let size = affine[row][column].abs() / geometry.spacing[column];
                        if best.is_none_or(|(known, ..)| size > known + 1e-9) {
                            best = Some((size, row, column));
                        }
                    }
                }
                if let Some((_, row, column)) = best {
                    world[row] = Some(column);
                    used[column] = true;
                }
            }
            for (row, column) in world.iter().enumerate() {
                let column = column.unwrap_or(row);
                plan.axis[row] = column;
                plan.turned[row] = affine[row][column] < 0.0;
            }
        }
        plan
    }

    /// Whether nothing moves.
    pub(crate) fn is_idle(self) -> bool {
        self.axis == [0, 1, 2] && self.turned == [false; 3]
    }

    /// The same set of voxels in canonical order.
    pub(crate) fn mask(self, mask: &Mask, shape: [usize; 3]) -> Mask {
        let region = mask.region();
        let end = std::array::from_fn(|axis| region.origin[axis] + region.shape[axis] - 1);
        let (a, b) = (self.place(region.origin, shape), self.place(end, shape));
        let mut moved = Mask::empty(Region {
            origin: std::array::from_fn(|axis| a[axis].min(b[axis])),
            shape: std::array::from_fn(|axis| a[axis].abs_diff(b[axis]) + 1),
        });
        let origin = moved.region().origin;
        mask.each(|voxel| {
            let voxel = std::array::from_fn(|axis| region.origin[axis] + voxel[axis]);
            let place = self.place(voxel, shape);
            moved.insert(std::array::from_fn(|axis| place[axis] - origin[axis]));
        });
        moved
    }

    fn with_plane_last(mut self, shape: [usize; 3]) -> Self {
        let thin = (0..3).rev().find(|place| shape[self.axis[*place]] == 1);
        if let Some(thin) = thin.filter(|place| *place < 2) {
            self.axis[thin..].rotate_left(1);
            self.turned[thin..].rotate_left(1);
        }
        self
    }

    /// Where a voxel of a volume of `shape` goes.
    pub(crate) fn place(self, voxel: [usize; 3], shape: [usize; 3]) -> [usize; 3] {
        std::array::from_fn(|place| {
            let axis = self.axis[place];
            if self.turned[place] {
                shape[axis] - 1 - voxel[axis]
            } else {
                voxel[axis]
            }
        })
    }

    /// The geometry in canonical order.
    pub(crate) fn geometry(self, old: &Geometry) -> Geometry {
        let pick = |from: [f64; 3]| self.axis.map(|axis| from[axis]);
        Geometry {
            shape: self.axis.map(|axis| old.shape[axis]),
            spacing: pick(old.spacing),
            affine: old.affine.map(|affine| {
                affine.map(|row| {
                    let mut moved = [0.0, 0.0, 0.0, row[3]];
                    for place in 0..3 {
                        let axis = self.axis[place];
                        let turn = if self.turned[place] { -1.0 } else { 1.0 };
                        moved[place] = turn * row[axis];
                        if self.turned[place] {
                            moved[3] += row[axis] * last(old.shape[axis]);
                        }
                    }
                    moved
                })
            }),
        }
    }

    fn labels(self, old: &Geometry, labels: &[u16]) -> Vec<u16> {
        let strides = [1, old.shape[0], old.shape[0] * old.shape[1]];
        let shape = self.axis.map(|axis| old.shape[axis]);
        let start = |place: usize, at: usize| {
            let axis = self.axis[place];
            let at = if self.turned[place] {
                shape[place] - 1 - at
            } else {
                at
            };
            at * strides[axis]
        };
        let along: Vec<usize> = (0..shape[0]).map(|x| start(0, x)).collect();
        let mut moved = Vec::with_capacity(labels.len());
        for z in 0..shape[2] {
            for y in 0..shape[1] {
                let row = start(2, z) + start(1, y);
                moved.extend(along.iter().map(|x| labels[row + x]));
            }
        }
        moved
    }
}

#[allow(
    clippy::cast_precision_loss,
    reason = "voxels along an axis stay far below 2^53"
)]
fn last(voxels: usize) -> f64 {
    (voxels - 1) as f64
}

#[cfg(test)]
mod tests {
    use super::*;

    fn volume(affine: [[f64; 4]; 3]) -> (Geometry, Vec<u16>) {
        let geometry = Geometry {
            shape: [2, 3, 4],
            spacing: [1.0, 2.0, 3.0],
            affine: Some(affine),
        };
        (geometry, (0..24).collect())
    }

    /// The world position of a label.
    fn place(geometry: &Geometry, labels: &[u16], label: u16) -> [f64; 3] {
        let at = labels.iter().position(|one| *one == label).unwrap();
        let [width, height, _] = geometry.shape;
        let voxel = [at % width, at / width % height, at / width / height].map(|n| n as f64);
        geometry
            .affine
            .unwrap()
            .map(|row| row[0] * voxel[0] + row[1] * voxel[1] + row[2] * voxel[2] + row[3])
    }

    #[test]
    fn every_label_stays_where_it_is_in_the_world() {
        let turned = [
            [-1.0, 0.0, 0.0, 5.0],
            [0.0, 0.0, 3.0, -7.0],
            [0.0, -2.0, 0.0, 11.0],
        ];
        let (old, labels) = volume(turned);
        let (new, moved) = canonical(old.clone(), labels.clone());
        assert_eq!((new.shape, new.spacing), ([2, 4, 3], [1.0, 3.0, 2.0]));
        for label in 0..24 {
            assert_eq!(place(&new, &moved, label), place(&old, &labels, label));
        }
        let affine = new.affine.unwrap();
        assert!((0..3).all(|axis| affine[axis][axis] > 0.0));
        assert_eq!(canonical(new.clone(), moved.clone()), (new, moved));
    }

    #[test]
    fn a_thin_axis_goes_last() {
        let geometry = Geometry {
            shape: [1, 3, 4],
            spacing: [5.0, 1.0, 2.0],
            affine: None,
        };
        let (new, moved) = canonical(geometry, (0..12).collect());
        assert_eq!((new.shape, new.spacing), ([3, 4, 1], [1.0, 2.0, 5.0]));
        assert_eq!(moved, (0..12).collect::<Vec<u16>>());
        assert!(new.is_plane());
    }
}
