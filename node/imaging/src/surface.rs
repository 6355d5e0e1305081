//! How far the surfaces of two masks lie apart, under every convention in use, from one pass.
//!
//! Two tools' "HD95" differ by millimetres because they mean different things (imaging page of the
//! statistics reference). Here every meaning is computed from the same distances, and the protocol
//! chooses: between border voxels or weighted by surface area, the larger of two directed
//! percentiles or one of both sets together. Definitions are those of Metrics Reloaded
//! (Maier-Hein et al. 2024, doi:10.1038/s41592-023-02151-z) and, weighted by area, of Nikolov et
//! al. (2021, doi:10.2196/26151).
//!
//! The border is made of voxels of the structure with a face neighbour outside; what lies beyond
//! the region or the image is outside, so a structure that touches the edge ends there. A plane has
//! a contour instead of a surface. Percentiles between border voxels interpolate linearly between
//! order statistics; weighted ones do not interpolate. A distance is within a tolerance up to
//! `1e-6 max(1, tau)`, so that spacings stored in single precision decide no tie.
//!
//! Empty masks have no distance, and none is made up.
//!
//! From: [`crate::segmentation`].
//! To: `node::imaging`.

use crate::mask::Mask;

mod area;
mod border;
mod nearest;

use border::{Corners, border, corners};
use nearest::Points;

/// The percentile of the 95 % Hausdorff distance.
const PERCENTILE: f64 = 0.95;

/// Voxels of two masks over the same region.
#[derive(Clone, Copy, Debug, Eq, PartialEq)]
pub struct Overlap {
    /// Voxels of the truth.
    pub truth: u64,
    /// Voxels of the prediction.
    pub prediction: u64,
    /// Voxels of both.
    pub both: u64,
}

impl Overlap {
    /// Counts the voxels of two masks over the same region.
    pub fn of(truth: &Mask, prediction: &Mask) -> Self {
        Self {
            truth: truth.count(),
            prediction: prediction.count(),
            both: truth.overlap(prediction),
        }
    }

    /// `2 TP / (2 TP + FP + FN)`, in [0, 1]; `None` when both are empty.
    pub fn dice(self) -> Option<f64> {
        ratio(2 * self.both, self.truth + self.prediction)
    }

    /// `TP / (TP + FP + FN)`, in [0, 1]; `None` when both are empty.
    pub fn iou(self) -> Option<f64> {
        ratio(self.both, self.truth + self.prediction - self.both)
    }

    /// `1 - |P - G| / (P + G)`, in [0, 1] (Taha and Hanbury 2015, doi:10.1186/s12880-015-0068-x);
    /// `None` when both are empty.
    pub fn volume_similarity(self) -> Option<f64> {
        let apart = self.truth.abs_diff(self.prediction);
        ratio(apart, self.truth + self.prediction).map(|share| 1.0 - share)
    }

    /// `(P - G) / G`, at least -1; `None` without a truth.
    pub fn relative_volume_error(self) -> Option<f64> {
        let larger = ratio(self.prediction.abs_diff(self.truth), self.truth)?;
        Some(if self.prediction < self.truth {
            -larger
        } else {
            larger
        })
    }
}

#[allow(
    clippy::cast_precision_loss,
    reason = "counts of voxels stay far below 2^53"
)]
fn ratio(part: u64, whole: u64) -> Option<f64> {
    (whole > 0).then(|| part as f64 / whole as f64)
}

/// Distances of two surfaces, millimetres, by every convention.
#[derive(Clone, Debug, PartialEq)]
pub struct Surface {
    /// Border voxels of truth and prediction.
    pub border: [u64; 2],
    /// Surface area of truth and prediction in square millimetres; in a plane the length of the
    /// contour in millimetres.
    pub area: [f64; 2],
    /// Largest distance between border voxels.
    pub hd: f64,
    /// Largest distance between surface elements.
    pub hd_of_area: f64,
    /// 95th percentiles.
    pub hd95: Hd95,
    /// Both directions' distances together over both borders: ASSD.
    pub assd: f64,
    /// Mean of the two directed means between border voxels: MASD.
    pub masd: f64,
    /// As `assd`, weighted by surface area.
    pub assd_of_area: f64,
    /// As `masd`, weighted by surface area.
    pub masd_of_area: f64,
    /// Surface Dice at each tolerance, in their order.
    pub nsd: Vec<Nsd>,
    /// Distance of the centres of mass.
    pub centre: f64,
}

/// 95th percentiles of the distance, millimetres.
#[derive(Clone, Copy, Debug, PartialEq)]
pub struct Hd95 {
    /// The larger of the two directed ones, between border voxels.
    pub max_of_directed: f64,
    /// Of both directed sets together, between border voxels.
    pub pooled: f64,
    /// The mean of the two directed ones, between border voxels.
    pub mean_of_directed: f64,
    /// The larger of the two directed ones, weighted by surface area.
    pub of_area: f64,
}

/// Shares of the surfaces within a tolerance, in [0, 1].
#[derive(Clone, Copy, Debug, PartialEq)]
pub struct Nsd {
    /// Of both borders together, voxel by voxel.
    pub voxel: f64,
    /// Of both surfaces together, weighted by area.
    pub of_area: f64,
    /// The mean of the two directed shares between border voxels.
    pub mean_of_directed: f64,
}

/// Compares the surfaces of two masks over the same region whose voxels are `spacing`
/// millimetres apart; `plane` says that the volume is one plane. `None` when either is empty.
pub fn compare(
    truth: &Mask,
    prediction: &Mask,
    spacing: [f64; 3],
    plane: bool,
    tolerances_mm: &[f64],
) -> Option<Surface> {
    if truth.is_empty() || prediction.is_empty() {
        return None;
    }
    let voxels = Directed::between_borders(truth, prediction, spacing, plane);
    let elements = Elements::between_surfaces(truth, prediction, spacing, plane);
    let tolerances = tolerances_mm.iter().map(|tau| {
        let [(near, all), (near_back, all_back)] = voxels.within(*tau);
        let of_area = elements.within(*tau);
        Nsd {
            voxel: (near + near_back) / (all + all_back),
            of_area,
            mean_of_directed: (near / all + near_back / all_back) / 2.0,
        }
    });
    let [there, back] = [&voxels.there, &voxels.back];
    let directed = [percentile(there), percentile(back)];
    let (sums, counts) = (
        [there, back].map(|one| sum(one)),
        [there, back].map(|one| length(one)),
    );
    Some(Surface {
        border: [there.len() as u64, back.len() as u64],
        area: elements.area,
        hd: largest(there).max(largest(back)),
        hd_of_area: elements.hd,
        hd95: Hd95 {
            max_of_directed: directed[0].max(directed[1]),
            pooled: percentile(&merged(there, back)),
            mean_of_directed: (directed[0] + directed[1]) / 2.0,
            of_area: elements.hd95,
        },
        assd: (sums[0] + sums[1]) / (counts[0] + counts[1]),
        masd: (sums[0] / counts[0] + sums[1] / counts[1]) / 2.0,
        assd_of_area: elements.assd,
        masd_of_area: elements.masd,
        nsd: tolerances.collect(),
        centre: centre_distance(truth, prediction, spacing),
    })
}

fn is_within(distance: f64, tau: f64) -> bool {
    distance <= tau + 1e-6 * tau.max(1.0)
}

/// Distances between border voxels, ascending.
struct Directed {
    /// From the truth to the prediction.
    there: Vec<f64>,
    /// From the prediction to the truth.
    back: Vec<f64>,
}

impl Directed {
    fn between_borders(truth: &Mask, prediction: &Mask, spacing: [f64; 3], plane: bool) -> Self {
        let (of_truth, of_prediction) = (border(truth, plane), border(prediction, plane));
        let mut there = distances(&of_truth, &of_prediction, spacing);
        let mut back = distances(&of_prediction, &of_truth, spacing);
        there.sort_unstable_by(f64::total_cmp);
        back.sort_unstable_by(f64::total_cmp);
        Self { there, back }
    }

    /// Voxels within a tolerance, and all, in each direction.
    fn within(&self, tau: f64) -> [(f64, f64); 2] {
        [&self.there, &self.back].map(|one| {
            let near = one.partition_point(|distance| is_within(*distance, tau));
            (length(&one[..near]), length(one))
        })
    }
}

/// The distance of each point of one set from the other, in the order of the points.
fn distances(from: &Mask, to: &Mask, spacing: [f64; 3]) -> Vec<f64> {
    let points = Points::of(to, spacing);
    let mut found = Vec::new();
    // Where the last point of the same row was, and how far it had to go.
    let mut last: Option<([usize; 3], f64)> = None;
    from.each(|at| {
        let bound = last.filter(|(place, _)| place[1..] == at[1..]);
        let bound = bound.map_or(f64::INFINITY, |(place, distance)| {
            let step = length_of(at[0] - place[0]) * spacing[0];
            // A little more, so that rounding never excludes the nearest point.
            let reach = (distance + step) * (1.0 + 1e-12);
            reach * reach
        });
        let distance = points.squared(at, bound).sqrt();
        last = Some((at, distance));
        found.push(distance);
    });
    found
}

#[allow(
    clippy::cast_precision_loss,
    reason = "offsets within one volume stay far below 2^53"
)]
fn length_of(voxels: usize) -> f64 {
    voxels as f64
}

fn length(values: &[f64]) -> f64 {
    length_of(values.len())
}

fn largest(ascending: &[f64]) -> f64 {
    ascending.last().copied().unwrap_or(0.0)
}

/// A sum whose rounding does not grow with the number of terms (Neumaier 1974,
/// doi:10.1002/zamm.19740540106).
fn sum(values: &[f64]) -> f64 {
    let (mut total, mut lost) = (0.0_f64, 0.0_f64);
    for value in values {
        let next = total + value;
        lost += if total.abs() >= value.abs() {
            (total - next) + value
        } else {
            (value - next) + total
        };
        total = next;
    }
    total + lost
}

fn merged(a: &[f64], b: &[f64]) -> Vec<f64> {
    let mut all: Vec<f64> = a.iter().chain(b).copied().collect();
    all.sort_unstable_by(f64::total_cmp);
    all
}

/// The 95th percentile with linear interpolation between order statistics (type 7 of Hyndman and
/// Fan 1996, doi:10.1080/00031305.1996.10473566).
fn percentile(ascending: &[f64]) -> f64 {
    let Some(top) = ascending.len().checked_sub(1) else {
        return 0.0;
    };
    let place = PERCENTILE * length_of(top);
    #[allow(
        clippy::cast_possible_truncation,
        clippy::cast_sign_loss,
        reason = "between 0 and the number of values"
    )]
    let below = place.floor() as usize;
    let above = (below + 1).min(top);
    let (low, high) = (ascending[below], ascending[above]);
    let share = place - place.floor();
    // Interpolated from the nearer end, which is what keeps its digits.
    if share < 0.5 {
        low + (high - low) * share
    } else {
        high - (high - low) * (1.0 - share)
    }
}

/// What the surface elements of both masks say.
struct Elements {
    area: [f64; 2],
    hd: f64,
    hd95: f64,
    assd: f64,
    masd: f64,
    /// Distance and area of each element, ascending, from truth and from prediction.
    sorted: [Vec<(f64, f64)>; 2],
}

impl Elements {
    fn between_surfaces(truth: &Mask, prediction: &Mask, spacing: [f64; 3], plane: bool) -> Self {
        let sizes = if plane {
            area::lengths(spacing)
        } else {
            area::areas(spacing)
        };
        let (own, other) = (corners(truth, plane), corners(prediction, plane));
        let weigh = |from: &Corners, to: &Corners| {
            let distances = distances(&from.mask, &to.mask, spacing);
            let areas = from.pattern.iter().map(|code| sizes[usize::from(*code)]);
            let mut pairs: Vec<(f64, f64)> = distances.into_iter().zip(areas).collect();
            pairs.sort_unstable_by(|a, b| a.0.total_cmp(&b.0).then(a.1.total_cmp(&b.1)));
            pairs
        };
        let sorted = [weigh(&own, &other), weigh(&other, &own)];
        let total = |pairs: &Vec<(f64, f64)>| {
            let areas: Vec<f64> = pairs.iter().map(|pair| pair.1).collect();
            sum(&areas)
        };
        let moment = |pairs: &Vec<(f64, f64)>| {
            let moments: Vec<f64> = pairs.iter().map(|pair| pair.0 * pair.1).collect();
            sum(&moments)
        };
        let area = [total(&sorted[0]), total(&sorted[1])];
        let moments = [moment(&sorted[0]), moment(&sorted[1])];
        let far = |pairs: &Vec<(f64, f64)>| pairs.last().map_or(0.0, |pair| pair.0);
        Self {
            hd: far(&sorted[0]).max(far(&sorted[1])),
            hd95: weighted(&sorted[0], area[0]).max(weighted(&sorted[1], area[1])),
            assd: (moments[0] + moments[1]) / (area[0] + area[1]),
            masd: (moments[0] / area[0] + moments[1] / area[1]) / 2.0,
            area,
            sorted,
        }
    }

    fn within(&self, tau: f64) -> f64 {
        let near = self.sorted.iter().map(|pairs| {
            let near = pairs.iter().take_while(|pair| is_within(pair.0, tau));
            let areas: Vec<f64> = near.map(|pair| pair.1).collect();
            sum(&areas)
        });
        near.sum::<f64>() / (self.area[0] + self.area[1])
    }
}

/// The distance within which 95 % of the area lies, without interpolation.
fn weighted(ascending: &[(f64, f64)], total: f64) -> f64 {
    let mut reached = 0.0;
    for (distance, area) in ascending {
        reached += area;
        if reached / total >= PERCENTILE {
            return *distance;
        }
    }
    ascending.last().map_or(0.0, |pair| pair.0)
}

/// Distance of the centres of mass, millimetres.
fn centre_distance(truth: &Mask, prediction: &Mask, spacing: [f64; 3]) -> f64 {
    let (one, other) = (centre(truth), centre(prediction));
    let mut squares = 0.0;
    for axis in 0..3 {
        let apart = (one[axis] - other[axis]) * spacing[axis];
        squares += apart * apart;
    }
    squares.sqrt()
}

/// The mean position of a mask's voxels, in voxels of its region.
fn centre(mask: &Mask) -> [f64; 3] {
    let mut sums = [0_u64; 3];
    let mut count = 0_u64;
    mask.each(|voxel| {
        count += 1;
        for (sum, place) in sums.iter_mut().zip(voxel) {
            *sum += place as u64;
        }
    });
    sums.map(|sum| ratio(sum, count).unwrap_or(0.0))
}

#[cfg(test)]
mod tests;
