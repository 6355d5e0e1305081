//! Which parts of the truth make a lesion, and which findings belong to it, by each rule.
//!
//! From: `component`, `dilation`.
//! To: `lesion`.

use super::dilation::dilate;
use super::{Lesion, MatchRule, Place, Rule, at_most, distance};
use crate::component::{Component, Components, Shared};
use crate::mask::{Mask, Region};
use crate::refusal::{Reason, Refusal};

/// The most pairs within a centre distance.
const MOST_PAIRS: usize = 1 << 24;

/// A finding that belongs to a lesion.
#[derive(Clone, Copy, Debug, Eq, PartialEq, Ord, PartialOrd)]
pub(super) struct Match {
    lesion: u32,
    finding: u32,
    /// Voxels they share; 0 where they only come near.
    shared: u64,
}

/// A lesion's size and place.
#[derive(Clone, Copy, Debug)]
struct Body {
    voxels: u64,
    extent: Region,
    counts: bool,
}

/// Lesions and what belongs to them.
pub(super) struct Plan {
    parts: Components,
    /// The lesion of each part.
    lesion: Vec<u32>,
    bodies: Vec<Body>,
    /// By lesion, then by finding.
    matches: Vec<Match>,
}

impl Plan {
    /// By a rule; `counts` says of a number of voxels whether a lesion of that size counts.
    pub(super) fn of(
        truth: &Mask,
        findings: &Components,
        spacing: [f64; 3],
        rule: &Rule,
        counts: &dyn Fn(u64) -> bool,
    ) -> Result<Self, Refusal> {
        let parts = Components::of(truth, rule.connectivity)?;
        let mut plan = Self {
            lesion: (0..parts.len() as u32).collect(),
            bodies: Vec::new(),
            matches: parts
                .shared(findings)
                .into_iter()
                .map(Match::from)
                .collect(),
            parts,
        };
        match rule.matching {
            MatchRule::Overlap => plan.lay(counts),
            MatchRule::IouOneToOne { threshold } => {
                plan.lay(counts);
                plan.by_iou(findings, threshold);
            }
            MatchRule::CentreDistance { mm } => {
                plan.lay(counts);
                plan.by_distance(findings, spacing, mm)?;
            }
            MatchRule::BratsDilation { iterations } => {
                let grown = Components::of(&dilate(truth, iterations), rule.connectivity)?;
                let owner = plan.merge(&grown);
                plan.lay(counts);
                plan.by_touch(&grown, &owner, findings);
            }
        }
        Ok(plan)
    }

    /// Adds up the parts of each lesion.
    fn lay(&mut self, counts: &dyn Fn(u64) -> bool) {
        for (part, lesion) in self.parts.each().iter().zip(&self.lesion) {
            match self.bodies.get_mut(*lesion as usize) {
                Some(body) => {
                    body.voxels += part.voxels;
                    body.extent = body.extent.union(part.extent);
                }
                // Lesions are numbered in order of their first parts.
                None => self.bodies.push(Body {
                    voxels: part.voxels,
                    extent: part.extent,
                    counts: true,
                }),
            }
        }
        for body in &mut self.bodies {
            body.counts = counts(body.voxels);
        }
    }

    /// Puts parts into one lesion whose dilations are one part of `grown`; returns the lesion of
    /// each part of `grown`.
    ///
    /// A part's dilation is connected, so it lies in one part of `grown`; the dilation of all
    /// parts of a lesion is therefore that part of `grown`, and need not be made again. Nothing is
    /// lost by dilating inside of the region only: a voxel beyond it, moved to the nearest voxel
    /// of the region, is no farther from any part along any axis, and neighbours stay neighbours,
    /// so dilations that meet outside also meet inside.
    fn merge(&mut self, grown: &Components) -> Vec<u32> {
        let mut owner = vec![u32::MAX; grown.len()];
        let mut lesions = 0;
        for (part, lesion) in self.parts.each().iter().zip(&mut self.lesion) {
            let Some(place) = grown.at(part.first) else {
                continue;
            };
            let owner = &mut owner[place as usize];
            if *owner == u32::MAX {
                *owner = lesions;
                lesions += 1;
            }
            *lesion = *owner;
        }
        owner
    }

    /// Every finding that touches the dilated lesion.
    fn by_touch(&mut self, grown: &Components, owner: &[u32], findings: &Components) {
        let mut shared: Vec<Match> = self.matches.clone();
        for one in &mut shared {
            one.lesion = self.lesion[one.lesion as usize];
        }
        shared.extend(grown.shared(findings).into_iter().map(|one| Match {
            lesion: owner[one.part as usize],
            finding: one.other,
            shared: 0,
        }));
        shared.sort_unstable();
        shared.dedup_by(|next, kept| {
            let same = (next.lesion, next.finding) == (kept.lesion, kept.finding);
            if same {
                kept.shared += next.shared;
            }
            same
        });
        self.matches = shared;
    }

    /// One to one by falling intersection over union.
    fn by_iou(&mut self, findings: &Components, threshold: f64) {
        let union = |one: &Match| {
            let lesion = self.bodies[one.lesion as usize].voxels;
            lesion + findings.each()[one.finding as usize].voxels - one.shared
        };
        let mut pairs = self.matches.clone();
        pairs.retain(|one| one.shared as f64 / union(one) as f64 >= threshold);
        // Fractions are compared as integers: equal ones are equal.
        let crossed = |a: &Match, b: &Match| u128::from(a.shared) * u128::from(union(b));
        pairs.sort_by(|a, b| crossed(b, a).cmp(&crossed(a, b)).then(a.cmp(b)));
        self.matches = self.one_to_one(&pairs, findings.len());
    }

    /// One to one by rising distance of centres.
    fn by_distance(
        &mut self,
        findings: &Components,
        spacing: [f64; 3],
        mm: f64,
    ) -> Result<(), Refusal> {
        let place = |one: &Component| [0, 1, 2].map(|axis| one.centre[axis] * spacing[axis]);
        let lesions: Vec<_> = self.parts.each().iter().map(place).collect();
        let centres: Vec<_> = findings.each().iter().map(place).collect();
        let mut near = within(&lesions, &centres, mm)?;
        near.sort_unstable();
        let pairs: Vec<Match> = near
            .iter()
            .map(|pair| self.pair(pair.one, pair.two))
            .collect();
        self.matches = self.one_to_one(&pairs, findings.len());
        Ok(())
    }

    /// A lesion and a finding with the voxels they share.
    fn pair(&self, lesion: u32, finding: u32) -> Match {
        let key = (lesion, finding);
        let place = self
            .matches
            .binary_search_by_key(&key, |one| (one.lesion, one.finding));
        Match {
            lesion,
            finding,
            shared: place.map_or(0, |place| self.matches[place].shared),
        }
    }

    /// Takes pairs in their order while both are free, pairs of lesions that count first.
    fn one_to_one(&self, pairs: &[Match], findings: usize) -> Vec<Match> {
        let mut lesion_taken = vec![false; self.bodies.len()];
        let mut finding_taken = vec![false; findings];
        let mut taken = Vec::new();
        for counts in [true, false] {
            for pair in pairs {
                let (lesion, finding) = (pair.lesion as usize, pair.finding as usize);
                let free = !lesion_taken[lesion] && !finding_taken[finding];
                if free && self.bodies[lesion].counts == counts {
                    (lesion_taken[lesion], finding_taken[finding]) = (true, true);
                    taken.push(*pair);
                }
            }
        }
        taken.sort_unstable();
        taken
    }

    /// The matches of one lesion.
    fn of_lesion(&self, lesion: u32) -> &[Match] {
        let start = self.matches.partition_point(|one| one.lesion < lesion);
        let end = self.matches.partition_point(|one| one.lesion <= lesion);
        &self.matches[start..end]
    }

    /// Every lesion, dropped ones too, without distances.
    pub(super) fn each(&self, voxel_mm3: f64, findings: &Components) -> Vec<Lesion> {
        let lesion = |(number, body): (u32, &Body)| {
            let matches = self.of_lesion(number);
            let voxels = |one: &Match| findings.each()[one.finding as usize].voxels;
            Lesion {
                voxels: body.voxels,
                volume_mm3: body.voxels as f64 * voxel_mm3,
                findings: matches.len() as u64,
                finding_voxels: matches.iter().map(voxels).sum(),
                shared_voxels: matches.iter().map(|one| one.shared).sum(),
                distance_mm: None,
            }
        };
        (0..).zip(&self.bodies).map(lesion).collect()
    }

    /// Where each finding belongs.
    pub(super) fn places(&self, findings: usize) -> Vec<Place> {
        let mut places = vec![Place::Wrong; findings];
        for one in &self.matches {
            let place = &mut places[one.finding as usize];
            *place = match (*place, self.bodies[one.lesion as usize].counts) {
                (_, true) | (Place::Right, false) => Place::Right,
                (Place::Wrong | Place::Dropped, false) => Place::Dropped,
            };
        }
        places
    }

    /// A lesion and its findings as masks over the smallest box that holds both.
    pub(super) fn masks(&self, lesion: u32, findings: &Components) -> (Mask, Mask) {
        let matches = self.of_lesion(lesion);
        let extents = matches
            .iter()
            .map(|one| findings.each()[one.finding as usize].extent);
        let region = extents.fold(self.bodies[lesion as usize].extent, Region::union);
        let truth = self
            .parts
            .mask(region, |part| self.lesion[part as usize] == lesion);
        let predicted = findings.mask(region, |finding| {
            matches
                .binary_search_by_key(&finding, |one| one.finding)
                .is_ok()
        });
        (truth, predicted)
    }
}

impl From<Shared> for Match {
    fn from(shared: Shared) -> Self {
        Self {
            lesion: shared.part,
            finding: shared.other,
            shared: shared.voxels,
        }
    }
}

/// Two points that are near each other; sorts by distance.
#[derive(Eq, PartialEq, Ord, PartialOrd)]
struct Near {
    /// In steps of 10^-6 mm, so that rounding does not decide between equal distances.
    distance: u64,
    one: u32,
    two: u32,
}

/// The pairs of points at most `mm` apart, by `one`; none unless `mm` is at least 0.
fn within(one: &[[f64; 3]], two: &[[f64; 3]], mm: f64) -> Result<Vec<Near>, Refusal> {
    let mut near = Vec::new();
    if mm.is_nan() || mm < 0.0 {
        return Ok(near);
    }
    // Points fall into cubes as wide as the distance, slowest axis first, so that those of a row
    // of three cubes stand together.
    let width = mm + 2e-6 * mm.max(1.0);
    let cube = |place: &[f64; 3]| {
        [2, 1, 0].map(|axis| (place[axis] / width).floor().clamp(-1e15, 1e15) as i64)
    };
    let mut sorted: Vec<([i64; 3], u32)> = (0..)
        .zip(two)
        .map(|(number, place)| (cube(place), number))
        .collect();
    sorted.sort_unstable();
    for (number, place) in (0..).zip(one) {
        let [z, y, x] = cube(place);
        let around = |middle: i64| middle - 1..=middle + 1;
        for (z, y) in around(z).flat_map(|z| around(y).map(move |y| (z, y))) {
            let start = sorted.partition_point(|(cube, _)| *cube < [z, y, x - 1]);
            let row = sorted[start..].iter();
            for (_, other) in row.take_while(|(cube, _)| *cube <= [z, y, x + 1]) {
                let distance = distance(place, &two[*other as usize]);
                if at_most(distance, mm) {
                    near.push(Near {
                        distance: (distance * 1e6).round() as u64,
                        one: number,
                        two: *other,
                    });
                }
            }
        }
        if near.len() > MOST_PAIRS {
            let detail = format!("more than {MOST_PAIRS} pairs of parts within {mm} mm");
            return Err(Refusal::new(Reason::TooLarge, detail));
        }
    }
    Ok(near)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_pair_at_the_limit_is_found_across_cubes() {
        for mm in [0.0_f64, 0.3, 1.0, 2.5, 4e6] {
            let room = 0.9e-6 * mm.max(1.0);
            for start in [
                -3.0 * mm - room / 2.0,
                -room / 2.0,
                0.0,
                7.0 * mm - room / 2.0,
            ] {
                for axis in 0..3 {
                    let (mut one, mut two) = ([0.5; 3], [0.5; 3]);
                    (one[axis], two[axis]) = (start, start + mm + room);
                    assert_eq!(within(&[one], &[two], mm).unwrap().len(), 1, "{mm} {start}");
                    assert_eq!(within(&[two], &[one], mm).unwrap().len(), 1);
                    two[axis] += room;
                    assert!(within(&[one], &[two], mm).unwrap().is_empty());
                }
            }
        }
    }
}
