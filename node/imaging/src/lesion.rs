//! Lesions of one structure in one case: which were found, which findings are false, and how
//! well each lesion was outlined. Lesions and findings are connected parts of the two masks.
//!
//! Four rules say which finding belongs to which lesion. They disagree, so a protocol names one:
//!
//! | rule | a lesion is | a finding belongs to it when | several findings on one lesion | one finding on several lesions |
//! |---|---|---|---|---|
//! | overlap (autoPET: 18 neighbours) | a part | they share a voxel | all are right | counts for each |
//! | IoU, one to one (panoptica: 26 neighbours, 0.5) | a part | of the pairs left, theirs has the largest IoU, and it reaches the threshold | one is right, the others are false | counts for one |
//! | dilation (BraTS 2023: 26 neighbours, 3 steps for glioma, 1 for metastases) | parts whose dilations touch, together | it touches the dilated lesion | all are right | counts for each, with all of its voxels |
//! | centre distance | a part | of the pairs left, theirs has the nearest centres, and these are near enough | one is right, the others are false | counts for one |
//!
//! Pairs that are equally good are taken in order of lesion, then of finding, both numbered by
//! their first voxel in raster order.
//!
//! Lesions smaller than [`Rule::min_volume_mm3`] are dropped: they count neither as found nor as
//! missed. A finding that belongs to dropped lesions only is neither right nor false. One-to-one
//! rules give findings to the lesions that count first. Findings are never dropped by size.
//!
//! From: `component`.
//! To: `node::imaging`, which adds counts over cases and sorts lesions by size.

use crate::component::{Components, Connectivity};
use crate::mask::Mask;
use crate::refusal::Refusal;

mod dilation;
mod matching;

use matching::Plan;

/// Which finding belongs to which lesion.
#[derive(Clone, Copy, Debug, PartialEq)]
pub enum MatchRule {
    /// Any shared voxel (autoPET challenge, Gatidis et al. 2022,
    /// doi:10.1038/s41597-022-01718-3).
    Overlap,
    /// One to one, by falling intersection over union, from a threshold in (0, 1] on; the
    /// matching of panoptic quality (Kirillov et al. 2019, doi:10.1109/CVPR.2019.00963).
    IouOneToOne {
        /// Smallest intersection over union of a pair.
        threshold: f64,
    },
    /// Any voxel of the dilated lesion (BraTS 2023 lesion-wise metrics). One step adds the 18
    /// neighbours by face or edge, 8 in a plane. A finding that touches two lesions counts for
    /// both, with all of its voxels, as in the challenge's program.
    BratsDilation {
        /// Steps of dilation: 3 for glioma, 1 for meningioma and metastases.
        iterations: u32,
    },
    /// One to one, by rising distance of the centres of mass in steps of 10^-6 mm, up to a
    /// distance that belongs to it (within 10^-6 of its value or of 1 mm).
    CentreDistance {
        /// Largest distance of a pair in mm.
        mm: f64,
    },
}

impl MatchRule {
    /// Whether a finding belongs to at most one lesion and a lesion has at most one finding.
    pub fn is_one_to_one(self) -> bool {
        match self {
            Self::Overlap | Self::BratsDilation { .. } => false,
            Self::IouOneToOne { .. } | Self::CentreDistance { .. } => true,
        }
    }
}

/// How lesions of one structure are told apart and matched.
#[derive(Clone, Copy, Debug, PartialEq)]
pub struct Rule {
    /// Which finding belongs to which lesion.
    pub matching: MatchRule,
    /// Neighbours within one part.
    pub connectivity: Connectivity,
    /// Lesions of a smaller volume are dropped, mm^3; 0 drops none. One volume in 10^9 below it
    /// still counts, so that the rounding of a spacing decides nothing.
    pub min_volume_mm3: f64,
}

/// One lesion that counts.
#[derive(Clone, Copy, Debug, PartialEq)]
pub struct Lesion {
    /// Its voxels.
    pub voxels: u64,
    /// Its volume in mm^3.
    pub volume_mm3: f64,
    /// Findings that belong to it; 0 for a missed one.
    pub findings: u64,
    /// Voxels of these findings.
    pub finding_voxels: u64,
    /// Voxels of these findings inside of the lesion.
    pub shared_voxels: u64,
    /// What the caller's distance says of lesion and findings; `None` for a missed lesion.
    pub distance_mm: Option<f64>,
}

impl Lesion {
    /// Whether a finding belongs to it.
    pub fn is_found(&self) -> bool {
        self.findings > 0
    }

    /// Dice of the lesion and all of its findings together, in `[0, 1]`; 0 for a missed one.
    pub fn dice(&self) -> f64 {
        2.0 * self.shared_voxels as f64 / (self.voxels + self.finding_voxels) as f64
    }

    /// Intersection over union of the same; 0 for a missed one.
    pub fn iou(&self) -> f64 {
        let union = self.voxels + self.finding_voxels - self.shared_voxels;
        self.shared_voxels as f64 / union as f64
    }
}

/// What a rule says of one structure in one case.
#[derive(Clone, Debug, PartialEq)]
pub struct Lesions {
    /// Every lesion that counts, in order of its first voxel.
    pub each: Vec<Lesion>,
    /// Those that are found: the true positives of a sensitivity.
    pub found: u64,
    /// Lesions dropped for their size.
    pub dropped: u64,
    /// All findings: right ones, false ones, and those of dropped lesions only.
    pub findings: u64,
    /// Findings that belong to a lesion that counts: the true positives of a precision.
    pub right: u64,
    /// Voxels of each false finding, in order of its first voxel.
    pub wrong: Vec<u64>,
    /// Sum of the Dice of lesions.
    pub dice_sum: f64,
    /// Sum of the intersections over union of lesions.
    pub iou_sum: f64,
    /// Volume of a voxel in mm^3.
    pub voxel_mm3: f64,
}

/// A distance of a lesion and its findings in mm, such as a 95th percentile; both masks lie in
/// the smallest box that holds them, and what lies outside of it is background.
pub type Distance<'a> = &'a mut dyn FnMut(&Mask, &Mask) -> Option<f64>;

/// Matches the lesions of `truth` with the findings of `predicted`, two masks of one volume, with
/// voxels of `spacing` mm. `distance` is asked once for each found lesion that counts.
///
/// # Errors
/// `too-large` when a mask falls into more parts than [`Components::of`] takes, or when more
/// than 2^24 pairs lie within a centre distance.
pub fn compare(
    truth: &Mask,
    predicted: &Mask,
    spacing: [f64; 3],
    rule: &Rule,
    distance: Option<Distance<'_>>,
) -> Result<Lesions, Refusal> {
    if truth.region() == predicted.region() {
        return compared(truth, predicted, spacing, rule, distance);
    }
    let region = truth.region().union(predicted.region());
    let (truth, predicted) = (truth.within(region), predicted.within(region));
    compared(&truth, &predicted, spacing, rule, distance)
}

fn compared(
    truth: &Mask,
    predicted: &Mask,
    spacing: [f64; 3],
    rule: &Rule,
    distance: Option<Distance<'_>>,
) -> Result<Lesions, Refusal> {
    let voxel_mm3 = spacing.iter().product();
    let findings = Components::of(predicted, rule.connectivity)?;
    let counts = |voxels: u64| counts(voxels, voxel_mm3, rule.min_volume_mm3);
    let plan = Plan::of(truth, &findings, spacing, rule, &counts)?;
    let mut found = plan.each(voxel_mm3, &findings);
    if let Some(distance) = distance {
        for (lesion, number) in found.iter_mut().zip(0..) {
            if lesion.is_found() && counts(lesion.voxels) {
                let (truth, predicted) = plan.masks(number, &findings);
                lesion.distance_mm = distance(&truth, &predicted);
            }
        }
    }
    let (each, dropped): (Vec<_>, Vec<_>) = found.into_iter().partition(|one| counts(one.voxels));
    let (mut right, mut wrong) = (0, Vec::new());
    for (place, finding) in plan.places(findings.len()).iter().zip(findings.each()) {
        match place {
            Place::Right => right += 1,
            Place::Dropped => {}
            Place::Wrong => wrong.push(finding.voxels),
        }
    }
    Ok(Lesions {
        found: each.iter().filter(|one| one.is_found()).count() as u64,
        dropped: dropped.len() as u64,
        findings: findings.len() as u64,
        right,
        wrong,
        dice_sum: each.iter().map(Lesion::dice).sum(),
        iou_sum: each.iter().map(Lesion::iou).sum(),
        voxel_mm3,
        each,
    })
}

/// Where a finding belongs.
#[derive(Clone, Copy, Debug, Eq, PartialEq)]
enum Place {
    /// To a lesion that counts.
    Right,
    /// To dropped lesions only.
    Dropped,
    /// To no lesion.
    Wrong,
}

/// Whether a lesion of so many voxels counts.
pub fn counts(voxels: u64, voxel_mm3: f64, min_volume_mm3: f64) -> bool {
    voxels as f64 * voxel_mm3 >= min_volume_mm3 * (1.0 - 1e-9)
}

/// `value <= limit`, with room for the rounding of lengths: 10^-6 of the limit or of 1.
pub(crate) fn at_most(value: f64, limit: f64) -> bool {
    value <= limit + 1e-6 * limit.max(1.0)
}

/// The distance of two points, in their unit.
pub(crate) fn distance(one: &[f64; 3], two: &[f64; 3]) -> f64 {
    let square = |axis: usize| (one[axis] - two[axis]) * (one[axis] - two[axis]);
    (square(0) + square(1) + square(2)).sqrt()
}

impl Lesions {
    /// Lesions that count and were not found.
    pub fn missed(&self) -> u64 {
        self.each.len() as u64 - self.found
    }

    /// Volume of the false findings in ml.
    pub fn false_positive_ml(&self) -> f64 {
        self.wrong.iter().sum::<u64>() as f64 * self.voxel_mm3 / 1000.0
    }

    /// Volume of the missed lesions in ml.
    pub fn false_negative_ml(&self) -> f64 {
        let missed = self.each.iter().filter(|one| !one.is_found());
        let voxels: u64 = missed.map(|one| one.voxels).sum();
        voxels as f64 * self.voxel_mm3 / 1000.0
    }

    /// The lesion-wise mean Dice of BraTS: over lesions that count and false findings, 0 for
    /// what is missed or false. `None` without any (where BraTS says 1).
    pub fn lesion_wise_dice(&self) -> Option<f64> {
        self.over_all(self.dice_sum)
    }

    /// The lesion-wise mean distance of BraTS in mm: over lesions that count and false findings,
    /// `cap_mm` (there 374) for what is missed, false or without a distance. `None` without any
    /// (where BraTS says 0).
    pub fn lesion_wise_distance(&self, cap_mm: f64) -> Option<f64> {
        let each = self.each.iter();
        let lesions: f64 = each.map(|one| one.distance_mm.unwrap_or(cap_mm)).sum();
        self.over_all(lesions + self.wrong.len() as f64 * cap_mm)
    }

    fn over_all(&self, sum: f64) -> Option<f64> {
        let all = self.each.len() + self.wrong.len();
        (all > 0).then(|| sum / all as f64)
    }
}

#[cfg(test)]
mod tests;
