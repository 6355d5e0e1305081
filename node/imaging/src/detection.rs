//! Scored candidates of one scan against its lesions, counted on the protocol's grid of scores.
//!
//! At each threshold of the grid: how many lesions are detected by candidates that score at
//! least so much, and how many of these candidates are false. These are whole numbers, so sites
//! add them, and the curve of the sum is the curve of all patients at the grid's thresholds.
//!
//! Several candidates on one lesion: [`Duplicates`] says what the second one is. Equal scores are
//! never told apart by their order in the file: of pairs with the same score, the closest is
//! taken first, then the lower lesion, then the lower candidate.
//!
//! From: `component`, `geometry`; tables of candidates.
//! To: `node::imaging`, `shared::numeric::froc`.

use thiserror::Error;

use crate::component::Components;
use crate::geometry::Geometry;
use crate::lesion::{at_most, distance};

mod shape;

use shape::Inverse;
pub use shape::{Bounds, Place, Sphere};

/// The most pairs of a candidate and a lesion in one scan.
const MOST_PAIRS: usize = 1 << 24;

/// A finding with a score; high scores mean lesion.
#[derive(Clone, Copy, Debug, PartialEq)]
pub struct Candidate {
    /// The score; not NaN.
    pub score: f64,
    /// Where it lies.
    pub place: Place,
}

/// The lesions of a scan.
#[derive(Clone, Copy, Debug)]
pub enum Shapes<'a> {
    /// Balls.
    Spheres(&'a [Sphere]),
    /// Boxes.
    Boxes(&'a [Bounds]),
    /// Connected parts of a mask, and where its volume lies.
    Parts(&'a Components, &'a Geometry),
}

impl Shapes<'_> {
    fn len(&self) -> usize {
        match self {
            Self::Spheres(spheres) => spheres.len(),
            Self::Boxes(boxes) => boxes.len(),
            Self::Parts(parts, _) => parts.len(),
        }
    }

    /// Lesions that each candidate is compared with.
    fn pairs_each(&self) -> usize {
        match self {
            Self::Spheres(_) | Self::Boxes(_) => self.len(),
            Self::Parts(..) => 1,
        }
    }
}

/// What counts as a hit.
#[derive(Clone, Copy, Debug, PartialEq)]
pub enum HitRule {
    /// The candidate's centre is no farther from the lesion's than the lesion's radius, within
    /// 10^-6 of the radius or of 1 mm (LUNA16: Setio et al. 2017,
    /// doi:10.1016/j.media.2017.06.015; there the radius itself is a miss). For balls.
    Radius,
    /// The boxes' intersection over union reaches a threshold in (0, 1]: 0.1 in nnDetection
    /// (Baumgartner et al. 2021, doi:10.1007/978-3-030-87240-3_51), 0.5 in COCO. Boxes on both
    /// sides.
    Iou {
        /// Smallest intersection over union of a hit.
        threshold: f64,
    },
    /// The candidate's centre lies in the lesion: in the box, in the ball, or in the voxel of a
    /// part.
    Inside,
}

/// What a candidate is that hits a lesion which a higher score has taken.
#[derive(Clone, Copy, Debug, Eq, PartialEq)]
pub enum Duplicates {
    /// Nothing: a lesion has the highest score that hits it, a candidate that hits any lesion is
    /// never false, and one candidate may detect several lesions (LUNA16).
    Ignored,
    /// False: by falling score, each candidate takes the closest lesion that is still free
    /// (nnDetection, COCO).
    FalsePositives,
}

/// How candidates are compared with lesions.
#[derive(Clone, Copy, Debug, PartialEq)]
pub struct Rule {
    /// What counts as a hit.
    pub hit: HitRule,
    /// What a second hit is.
    pub duplicates: Duplicates,
}

/// Counts of one scan; both vectors have an entry for each threshold of the grid.
#[derive(Clone, Debug, Eq, PartialEq)]
pub struct Detections {
    /// Lesions that count.
    pub lesions: u64,
    /// Those detected by candidates that score at least the threshold.
    pub detected: Vec<u64>,
    /// False candidates that score at least the threshold.
    pub false_positives: Vec<u64>,
}

/// Why candidates cannot be counted.
#[derive(Clone, Copy, Debug, Eq, Error, PartialEq)]
pub enum DetectionFault {
    /// A hit rule on shapes that it is not made for.
    #[error("the hit rule does not fit these lesions and candidates")]
    Shapes,
    /// A score that is not a number.
    #[error("a candidate's score is not a number")]
    Score,
    /// Thresholds that do not rise or are not finite.
    #[error("the thresholds of the grid do not rise")]
    Grid,
    /// More than 2^24 pairs of a candidate and a lesion.
    #[error("too many candidates for so many lesions")]
    TooMany,
    /// A volume whose positions cannot be turned into voxels.
    #[error("the volume has no usable position in space")]
    Position,
}

/// Counts the candidates of one scan on a rising `grid` of thresholds. `dropped` is true for
/// lesions that count neither way (too small, or not what the study is about); those beyond it
/// count. A candidate that hits a dropped lesion and detects nothing is not counted, however many
/// there are of it.
///
/// # Errors
/// See [`DetectionFault`].
pub fn detect(
    shapes: Shapes<'_>,
    dropped: &[bool],
    candidates: &[Candidate],
    rule: Rule,
    grid: &[f64],
) -> Result<Detections, DetectionFault> {
    if candidates.iter().any(|one| one.score.is_nan()) {
        return Err(DetectionFault::Score);
    }
    let rising = grid.windows(2).all(|pair| pair[0] < pair[1]);
    if !rising || !grid.iter().all(|threshold| threshold.is_finite()) {
        return Err(DetectionFault::Grid);
    }
    if candidates.len().saturating_mul(shapes.pairs_each()) > MOST_PAIRS {
        return Err(DetectionFault::TooMany);
    }
    let hits = hits(shapes, candidates, rule.hit)?;
    let counts = |lesion: usize| !dropped.get(lesion).copied().unwrap_or(false);
    let scan = Scan {
        candidates,
        lesions: shapes.len(),
        counts: &counts,
    };
    let (detected, wrong) = match rule.duplicates {
        Duplicates::Ignored => scan.best_of_each(&hits),
        Duplicates::FalsePositives => scan.one_to_one(hits),
    };
    let lesions = (0..shapes.len()).filter(|lesion| counts(*lesion)).count() as u64;
    Ok(Detections {
        lesions,
        detected: at_least(&detected, grid),
        false_positives: at_least(&wrong, grid),
    })
}

/// A candidate that hits a lesion.
#[derive(Clone, Copy, Debug)]
struct Hit {
    candidate: usize,
    lesion: usize,
    /// How close, lower is closer; comparable within one scan.
    gap: f64,
}

/// Every hit, by candidate and then by lesion.
fn hits(
    shapes: Shapes<'_>,
    candidates: &[Candidate],
    rule: HitRule,
) -> Result<Vec<Hit>, DetectionFault> {
    let centres = candidates.iter().map(|one| one.place.centre()).enumerate();
    match (shapes, rule) {
        (Shapes::Spheres(spheres), HitRule::Radius | HitRule::Inside) => {
            Ok(each_hit(centres, spheres, |centre, sphere| {
                let gap = distance(centre, &sphere.centre);
                at_most(gap, sphere.radius).then_some(gap)
            }))
        }
        (Shapes::Boxes(boxes), HitRule::Inside) => {
            Ok(each_hit(centres, boxes, |centre, bounds| {
                let inside = bounds.holds(*centre);
                inside.then(|| distance(centre, &bounds.centre()))
            }))
        }
        (Shapes::Boxes(boxes), HitRule::Iou { threshold }) => {
            let own = candidates.iter().map(|one| match one.place {
                Place::Box(bounds) => Ok(bounds),
                Place::Point(_) => Err(DetectionFault::Shapes),
            });
            let own = own.collect::<Result<Vec<_>, _>>()?;
            Ok(each_hit(
                own.into_iter().enumerate(),
                boxes,
                |own, bounds| {
                    let iou = own.iou(bounds);
                    (iou > 0.0 && iou >= threshold).then_some(1.0 - iou)
                },
            ))
        }
        (Shapes::Parts(parts, geometry), HitRule::Inside) => {
            let inverse = Inverse::of(geometry).ok_or(DetectionFault::Position)?;
            let hit = |(candidate, centre)| {
                let lesion = parts.at(inverse.voxel(centre)?)? as usize;
                Some(Hit {
                    candidate,
                    lesion,
                    gap: 0.0,
                })
            };
            Ok(centres.filter_map(hit).collect())
        }
        (Shapes::Spheres(_), HitRule::Iou { .. })
        | (Shapes::Boxes(_), HitRule::Radius)
        | (Shapes::Parts(..), HitRule::Radius | HitRule::Iou { .. }) => Err(DetectionFault::Shapes),
    }
}

/// Compares every candidate with every lesion; `gap` is `None` without a hit.
fn each_hit<C, L>(
    candidates: impl Iterator<Item = (usize, C)>,
    lesions: &[L],
    gap: impl Fn(&C, &L) -> Option<f64>,
) -> Vec<Hit> {
    let mut hits = Vec::new();
    for (candidate, place) in candidates {
        for (lesion, shape) in lesions.iter().enumerate() {
            if let Some(gap) = gap(&place, shape) {
                hits.push(Hit {
                    candidate,
                    lesion,
                    gap,
                });
            }
        }
    }
    hits
}

struct Scan<'a> {
    candidates: &'a [Candidate],
    lesions: usize,
    counts: &'a dyn Fn(usize) -> bool,
}

impl Scan<'_> {
    fn score(&self, hit: &Hit) -> f64 {
        self.candidates[hit.candidate].score
    }

    /// Scores of detected lesions and of false candidates, a lesion having its highest hit.
    fn best_of_each(&self, hits: &[Hit]) -> (Vec<f64>, Vec<f64>) {
        let mut best = vec![f64::NEG_INFINITY; self.lesions];
        let mut hit_any = vec![false; self.lesions];
        let mut harmless = vec![false; self.candidates.len()];
        for hit in hits {
            hit_any[hit.lesion] = true;
            best[hit.lesion] = best[hit.lesion].max(self.score(hit));
            harmless[hit.candidate] = true;
        }
        let lesions = best.into_iter().zip(hit_any).enumerate();
        let detected = lesions.filter(|(lesion, (_, hit))| *hit && (self.counts)(*lesion));
        let detected = detected.map(|(_, (score, _))| score).collect();
        (detected, self.wrong(&harmless))
    }

    /// The same, each candidate taking one free lesion by falling score.
    fn one_to_one(&self, mut hits: Vec<Hit>) -> (Vec<f64>, Vec<f64>) {
        let mut harmless = vec![false; self.candidates.len()];
        let dropped = hits.iter().filter(|hit| !(self.counts)(hit.lesion));
        dropped.for_each(|hit| harmless[hit.candidate] = true);
        hits.retain(|hit| (self.counts)(hit.lesion));
        hits.sort_by(|a, b| {
            // Minus zero and zero are one score.
            let score = (self.score(b) + 0.0).total_cmp(&(self.score(a) + 0.0));
            let gap = || a.gap.total_cmp(&b.gap);
            let number = || (a.lesion, a.candidate).cmp(&(b.lesion, b.candidate));
            score.then_with(gap).then_with(number)
        });
        let mut taken = vec![false; self.lesions];
        let mut used = vec![false; self.candidates.len()];
        let mut detected = Vec::new();
        for hit in &hits {
            if !taken[hit.lesion] && !used[hit.candidate] {
                (taken[hit.lesion], used[hit.candidate]) = (true, true);
                harmless[hit.candidate] = true;
                detected.push(self.score(hit));
            }
        }
        (detected, self.wrong(&harmless))
    }

    fn wrong(&self, harmless: &[bool]) -> Vec<f64> {
        let each = self.candidates.iter().zip(harmless);
        let wrong = each.filter(|(_, harmless)| !**harmless);
        wrong.map(|(candidate, _)| candidate.score).collect()
    }
}

/// How many scores are at least each threshold of the grid.
fn at_least(scores: &[f64], grid: &[f64]) -> Vec<u64> {
    let mut counts = vec![0; grid.len()];
    for score in scores {
        let reached = grid.partition_point(|threshold| threshold <= score);
        if let Some(last) = reached.checked_sub(1) {
            counts[last] += 1;
        }
    }
    let mut above = 0;
    for count in counts.iter_mut().rev() {
        above += *count;
        *count = above;
    }
    counts
}

#[cfg(test)]
mod tests;
