//! How far the surfaces of two masks lie apart, under every convention in use, from one pass.
//!
//! Two programs' "HD95" differ by millimetres because they mean different things. Here every
//! meaning is computed from the same distances, and the protocol chooses one by name: between
//! border voxels or weighted by surface, the larger of two directed percentiles or one percentile
//! of both sets. Definitions between border voxels are those of Metrics Reloaded (Maier-Hein et
//! al. 2024, doi:10.1038/s41592-023-02151-z), weighted ones those of Nikolov et al. (2021,
//! doi:10.2196/26151).
//!
//! The border are the voxels of a mask with a face neighbour outside; what lies beyond the region
//! or the image is outside, so a structure that touches the edge ends there. A plane has a contour
//! instead of a surface. Percentiles between border voxels interpolate linearly, weighted ones do
//! not interpolate. A distance is within a tolerance tau up to `tau + 1e-6 max(1, tau)`.
//!
//! Distances are Euclidean, in millimetres between voxel centres (between voxel corners where
//! surface weighs), and exact. Empty masks have no distance, and none is made up.
//!
//! From: [`crate::segmentation`].
//! To: `node::imaging`.

use crate::mask::Mask;

mod area;
mod border;
mod nearest;
mod overlap;
mod rows;
mod tally;

pub use overlap::Overlap;

use area::Sizes;
use tally::Tally;

/// The percentile of the 95 % Hausdorff distance.
const SHARE: f64 = 0.95;

/// Distances of two surfaces, millimetres, by every convention.
#[derive(Clone, Debug, PartialEq)]
pub struct Surface {
    /// Border voxels of truth and prediction.
    pub border: [u64; 2],
    /// Surface area of truth and prediction in square millimetres; in a plane the length of the
    /// contour in millimetres.
    pub area: [f64; 2],
    /// Largest distance between border voxels: the Hausdorff distance.
    pub hd: f64,
    /// Largest distance between voxel corners on the surface.
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
/// millimetres apart; `plane` says that the volume is one plane. The region may be any box that
/// holds both masks: the smallest is the quickest. Spacings are positive and finite, tolerances
/// not negative. `None` when either mask is empty.
///
/// Time grows with the surfaces, and is at most twice that of distance maps over the region.
/// Memory is a few bits for each voxel of the region, and 24 bytes for each different distance.
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
    let masks = [truth, prediction];
    // One after the other, so that the distances of one are forgotten before the other's are made.
    let (surfaces, of_area) = {
        let both = between_surfaces(masks, spacing, plane);
        let directed = both.each_ref().map(|one| one.reached(SHARE));
        let figures = Figures::of(&both, tolerances_mm);
        (figures, directed[0].max(directed[1]))
    };
    let both = between_voxels(masks, spacing, plane);
    let directed = both.each_ref().map(|one| one.quantile(SHARE));
    let voxels = Figures::of(&both, tolerances_mm);
    let within = voxels.within.iter().zip(&surfaces.within);
    Some(Surface {
        border: both.each_ref().map(Tally::points),
        area: surfaces.total,
        hd: voxels.largest,
        hd_of_area: surfaces.largest,
        hd95: Hd95 {
            max_of_directed: directed[0].max(directed[1]),
            pooled: both[0].joined(&both[1]).quantile(SHARE),
            mean_of_directed: (directed[0] + directed[1]) / 2.0,
            of_area,
        },
        assd: voxels.mean.pooled,
        masd: voxels.mean.of_directed,
        assd_of_area: surfaces.mean.pooled,
        masd_of_area: surfaces.mean.of_directed,
        nsd: within
            .map(|(voxels, surfaces)| Nsd {
                voxel: voxels.pooled,
                of_area: surfaces.pooled,
                mean_of_directed: voxels.of_directed,
            })
            .collect(),
        centre: centre_distance(truth, prediction, spacing),
    })
}

/// A mean or a share of both directions.
struct Joint {
    /// Over the points, or the area, of both together.
    pooled: f64,
    /// The mean of the two directed ones.
    of_directed: f64,
}

impl Joint {
    fn of(sums: [f64; 2], totals: [f64; 2]) -> Self {
        Self {
            pooled: (sums[0] + sums[1]) / (totals[0] + totals[1]),
            of_directed: (sums[0] / totals[0] + sums[1] / totals[1]) / 2.0,
        }
    }
}

/// What the distances in both directions say, weighted by points or by area.
struct Figures {
    total: [f64; 2],
    largest: f64,
    mean: Joint,
    within: Vec<Joint>,
}

impl Figures {
    fn of(both: &[Tally; 2], tolerances_mm: &[f64]) -> Self {
        let total = both.each_ref().map(Tally::total);
        let within = tolerances_mm.iter().map(|tau| {
            let near = both.each_ref().map(|one| one.within(*tau));
            Joint::of(near, total)
        });
        Self {
            total,
            largest: both[0].largest().max(both[1].largest()),
            mean: Joint::of(both.each_ref().map(Tally::moment), total),
            within: within.collect(),
        }
    }
}

/// Distances of the truth's border voxels from the prediction's, and back.
fn between_voxels(masks: [&Mask; 2], spacing: [f64; 3], plane: bool) -> [Tally; 2] {
    let [one, other] = masks.map(|mask| border::voxels(mask, plane));
    [(&one, &other), (&other, &one)].map(|(from, to)| Tally::new(from, to, spacing, &[1.0], |_| 0))
}

/// Distances of the truth's surface from the prediction's, and back.
fn between_surfaces(masks: [&Mask; 2], spacing: [f64; 3], plane: bool) -> [Tally; 2] {
    let sizes = if plane {
        Sizes::lengths(spacing)
    } else {
        Sizes::areas(spacing)
    };
    let [one, other] = masks.map(|mask| border::corners(mask, plane));
    [(masks[0], &one, &other), (masks[1], &other, &one)].map(|(mask, from, to)| {
        let class = |corner| sizes.class(border::pattern(mask, plane, corner));
        Tally::new(from, to, spacing, sizes.distinct(), class)
    })
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

/// The mean position of a mask's voxels, in voxels of its region; its origin when it is empty.
#[allow(
    clippy::cast_precision_loss,
    reason = "sums of places are exact up to 2^53 and rounded once beyond"
)]
fn centre(mask: &Mask) -> [f64; 3] {
    let [_, height, depth] = mask.shape();
    let mut sums = [0_u64; 3];
    let mut count = 0_u64;
    for z in 0..depth {
        for y in 0..height {
            let (in_row, along) = row_sums(mask.row(y, z));
            count += in_row;
            sums[0] += along;
            sums[1] += in_row * y as u64;
            sums[2] += in_row * z as u64;
        }
    }
    sums.map(|sum| sum as f64 / count.max(1) as f64)
}

/// The set bits of a row, and the sum of their places.
fn row_sums(row: &[u64]) -> (u64, u64) {
    let (mut count, mut sum) = (0, 0);
    for (at, word) in row.iter().enumerate() {
        let in_word = u64::from(word.count_ones());
        count += in_word;
        sum += in_word * (at * rows::BITS) as u64;
        // The sum of places within a word, by the bits of the places.
        for (bit, chosen) in PLACES.iter().enumerate() {
            sum += u64::from((word & chosen).count_ones()) << bit;
        }
    }
    (count, sum)
}

/// The places within a word whose number has bit 0, bit 1, and so on.
const PLACES: [u64; 6] = [
    0xAAAA_AAAA_AAAA_AAAA,
    0xCCCC_CCCC_CCCC_CCCC,
    0xF0F0_F0F0_F0F0_F0F0,
    0xFF00_FF00_FF00_FF00,
    0xFFFF_0000_FFFF_0000,
    0xFFFF_FFFF_0000_0000,
];

#[cfg(test)]
mod tests;
