use super::*;
use crate::component::tests::{Draws, flood, noise, region, voxels};
use crate::mask::Region;

mod published;

/// A lesion or a finding as the list of its voxels, by definition.
type Body = Vec<[usize; 3]>;

/// The parts of a mask, as lists of voxels.
fn bodies(mask: &Mask, connectivity: Connectivity) -> Vec<Body> {
    let mut bodies: Vec<Body> = Vec::new();
    for (voxel, part) in flood(mask, connectivity) {
        bodies.resize(bodies.len().max(part as usize + 1), Vec::new());
        bodies[part as usize].push(voxel);
    }
    bodies
}

fn shared(one: &Body, two: &Body) -> u64 {
    one.iter().filter(|voxel| two.contains(voxel)).count() as u64
}

fn mask_of(region: Region, body: &[[usize; 3]]) -> Mask {
    let mut mask = Mask::empty(region);
    body.iter().for_each(|voxel| mask.insert(*voxel));
    mask
}

/// One step of dilation, voxel by voxel.
fn grown(mask: &Mask) -> Mask {
    let region = mask.region();
    let mut wider = mask.clone();
    for voxel in voxels(mask) {
        for offset in 0..27 {
            let step = [offset % 3, offset / 3 % 3, offset / 9];
            if step.iter().filter(|step| **step != 1).count() > 2 {
                continue;
            }
            let place = [0, 1, 2].map(|axis| (voxel[axis] + step[axis]).wrapping_sub(1));
            if (0..3).all(|axis| place[axis] < region.shape[axis]) {
                wider.insert(place);
            }
        }
    }
    wider
}

/// The same voxels with room for dilations on every side; planes stay planes.
fn padded(mask: &Mask, room: usize) -> Mask {
    let shape = mask.shape();
    let room = [room, room, if shape[2] == 1 { 0 } else { room }];
    let shape = [0, 1, 2].map(|axis| shape[axis] + 2 * room[axis]);
    let moved = |voxel: [usize; 3]| [0, 1, 2].map(|axis| voxel[axis] + room[axis]);
    let moved: Body = voxels(mask).into_iter().map(moved).collect();
    mask_of(Region::whole(shape), &moved)
}

/// Lesions and the findings of each, by the words of the rule.
struct Expected {
    lesions: Vec<Body>,
    findings: Vec<Body>,
    matches: Vec<(usize, usize)>,
}

fn expected(truth: &Mask, predicted: &Mask, spacing: [f64; 3], rule: &Rule) -> Expected {
    let room = match rule.matching {
        MatchRule::BratsDilation { iterations } => iterations as usize + 1,
        MatchRule::Overlap | MatchRule::IouOneToOne { .. } | MatchRule::CentreDistance { .. } => 0,
    };
    let (truth, predicted) = (padded(truth, room), padded(predicted, room));
    let mut found = Expected {
        lesions: bodies(&truth, rule.connectivity),
        findings: bodies(&predicted, rule.connectivity),
        matches: Vec::new(),
    };
    let voxel = spacing.iter().product();
    let counts = |body: &Body| counts(body.len() as u64, voxel, rule.min_volume_mm3);
    match rule.matching {
        MatchRule::Overlap => found.matches = found.touching(Body::clone),
        MatchRule::BratsDilation { iterations } => {
            let region = truth.region();
            let dilated = |mask: &Mask| (0..iterations).fold(mask.clone(), |m, _| grown(&m));
            let all = voxels(&truth);
            let within = |whole: &Body| all.iter().filter(|v| whole.contains(v)).copied().collect();
            let wholes = bodies(&dilated(&truth), rule.connectivity);
            found.lesions = wholes.iter().map(within).collect();
            let first = |lesion: &Body| lesion.iter().map(|v| [v[2], v[1], v[0]]).min();
            found.lesions.sort_by_key(first);
            found.matches = found.touching(|body| voxels(&dilated(&mask_of(region, body))));
        }
        MatchRule::IouOneToOne { threshold } => {
            let iou = |lesion: &Body, finding: &Body| {
                let both = shared(lesion, finding);
                (both, (lesion.len() + finding.len()) as u64 - both)
            };
            let fits = |(both, either)| both > 0 && both as f64 / either as f64 >= threshold;
            let better = |a: (u64, u64), b: (u64, u64)| a.0 * b.1 > b.0 * a.1;
            found.matches = found.greedy(counts, iou, fits, better);
        }
        MatchRule::CentreDistance { mm } => {
            let distance = |lesion: &Body, finding: &Body| {
                let (a, b) = (centre(lesion, spacing), centre(finding, spacing));
                let square = |axis: usize| (a[axis] - b[axis]).powi(2);
                (0..3).map(square).sum::<f64>().sqrt()
            };
            let fits = |distance| distance <= mm + 1e-6 * mm.max(1.0);
            let better = |a: f64, b: f64| (a * 1e6).round() < (b * 1e6).round();
            found.matches = found.greedy(counts, distance, fits, better);
        }
    }
    found
}

/// The mean position of a body in mm.
fn centre(body: &Body, spacing: [f64; 3]) -> [f64; 3] {
    [0, 1, 2].map(|axis| {
        let sum: usize = body.iter().map(|voxel| voxel[axis]).sum();
        sum as f64 / body.len() as f64 * spacing[axis]
    })
}

impl Expected {
    /// Every pair of a finding and a lesion that shares voxels with it once `widened`.
    fn touching(&self, widened: impl Fn(&Body) -> Body) -> Vec<(usize, usize)> {
        let mut pairs = Vec::new();
        for (lesion, one) in self.lesions.iter().enumerate() {
            let one = widened(one);
            for (finding, two) in self.findings.iter().enumerate() {
                if shared(&one, two) > 0 {
                    pairs.push((lesion, finding));
                }
            }
        }
        pairs
    }

    /// The best of the free pairs, again and again; lesions that count first.
    fn greedy<T: Copy>(
        &self,
        counts: impl Fn(&Body) -> bool,
        value: impl Fn(&Body, &Body) -> T,
        fits: impl Fn(T) -> bool,
        better: impl Fn(T, T) -> bool,
    ) -> Vec<(usize, usize)> {
        let mut taken: Vec<(usize, usize)> = Vec::new();
        for wanted in [true, false] {
            loop {
                let mut best: Option<((usize, usize), T)> = None;
                for (lesion, one) in self.lesions.iter().enumerate() {
                    for (finding, two) in self.findings.iter().enumerate() {
                        let free = !taken
                            .iter()
                            .any(|pair| pair.0 == lesion || pair.1 == finding);
                        if !free || counts(one) != wanted {
                            continue;
                        }
                        let new = value(one, two);
                        if fits(new) && best.is_none_or(|(_, old)| better(new, old)) {
                            best = Some(((lesion, finding), new));
                        }
                    }
                }
                let Some((pair, _)) = best else { break };
                taken.push(pair);
            }
        }
        taken
    }
}

fn check(truth: &Mask, predicted: &Mask, spacing: [f64; 3], rule: &Rule) {
    let by_definition = expected(truth, predicted, spacing, rule);
    let voxel: f64 = spacing.iter().product();
    let keeps = |lesion: usize| {
        counts(
            by_definition.lesions[lesion].len() as u64,
            voxel,
            rule.min_volume_mm3,
        )
    };
    let mut asked = Vec::new();
    let mut distance = |lesion: &Mask, findings: &Mask| {
        asked.push((lesion.count(), findings.count(), lesion.overlap(findings)));
        Some(asked.len() as f64)
    };
    let found = compare(truth, predicted, spacing, rule, Some(&mut distance)).unwrap();
    let mut each = found.each.iter();
    let mut asked = asked.into_iter();
    let (mut dice_sum, mut iou_sum, mut dropped) = (0.0, 0.0, 0);
    for (lesion, body) in by_definition.lesions.iter().enumerate() {
        if !keeps(lesion) {
            dropped += 1;
            continue;
        }
        let got = each.next().unwrap();
        let of_it = by_definition.matches.iter().filter(|pair| pair.0 == lesion);
        let findings: Vec<&Body> = of_it.map(|pair| &by_definition.findings[pair.1]).collect();
        let all: Body = findings
            .iter()
            .flat_map(|one| one.iter().copied())
            .collect();
        let both = shared(body, &all);
        assert_eq!(got.voxels, body.len() as u64);
        assert_eq!(got.volume_mm3, body.len() as f64 * voxel);
        assert_eq!(got.findings, findings.len() as u64, "{rule:?}");
        assert_eq!(got.finding_voxels, all.len() as u64);
        assert_eq!(got.shared_voxels, both);
        assert_eq!(got.is_found(), got.distance_mm.is_some());
        if got.is_found() {
            let sizes = (body.len() as u64, all.len() as u64, both);
            assert_eq!(asked.next(), Some(sizes));
        }
        dice_sum += 2.0 * both as f64 / (body.len() + all.len()) as f64;
        iou_sum += both as f64 / ((body.len() + all.len()) as f64 - both as f64);
    }
    assert_eq!((each.next(), asked.next()), (None, None));
    assert_eq!(found.dropped, dropped);
    assert!((found.dice_sum - dice_sum).abs() < 1e-12);
    assert!((found.iou_sum - iou_sum).abs() < 1e-12);
    let owners = |finding: usize| {
        by_definition
            .matches
            .iter()
            .filter(move |one| one.1 == finding)
    };
    let numbers = 0..by_definition.findings.len();
    let right = numbers
        .clone()
        .filter(|one| owners(*one).any(|pair| keeps(pair.0)));
    assert_eq!(found.right, right.count() as u64);
    let wrong = numbers.filter(|one| owners(*one).next().is_none());
    let wrong: Vec<u64> = wrong
        .map(|one| by_definition.findings[one].len() as u64)
        .collect();
    assert_eq!(found.wrong, wrong);
    assert_eq!(found.findings, by_definition.findings.len() as u64);
}

#[test]
fn every_rule_is_its_definition() {
    let mut draws = Draws(11);
    for round in 0..700 {
        let region = region([9, 7, 5], &mut draws);
        let percent = [4, 9, 16, 30][round % 4];
        let truth = noise(region, percent, &mut draws);
        // Half of the time the findings resemble the truth.
        let mut predicted = noise(region, percent / 2, &mut draws);
        if round % 2 == 0 {
            for voxel in voxels(&truth).into_iter().filter(|_| draws.below(4) > 0) {
                predicted.insert(voxel);
            }
        }
        let spacing = [[1.0, 1.0, 1.0], [0.5, 0.75, 2.0]][round / 2 % 2];
        let min_volume_mm3 = [0.0, 2.0, 1.5][round % 3];
        let rules = [
            MatchRule::Overlap,
            MatchRule::IouOneToOne { threshold: 0.5 },
            MatchRule::IouOneToOne { threshold: 0.1 },
            MatchRule::BratsDilation { iterations: 0 },
            MatchRule::BratsDilation { iterations: 1 },
            MatchRule::BratsDilation { iterations: 2 },
            MatchRule::CentreDistance { mm: 1.0 },
            MatchRule::CentreDistance { mm: 2.5 },
        ];
        for matching in rules {
            let rule = Rule {
                matching,
                connectivity: Connectivity::ALL[round % 3],
                min_volume_mm3,
            };
            check(&truth, &predicted, spacing, &rule);
        }
    }
}

#[test]
fn masks_over_different_boxes_are_compared_in_the_box_of_both() {
    let mut draws = Draws(12);
    let rule = Rule {
        matching: MatchRule::BratsDilation { iterations: 1 },
        connectivity: Connectivity::Corners,
        min_volume_mm3: 0.0,
    };
    for _ in 0..200 {
        let (one, two) = (region([9, 5, 5], &mut draws), region([9, 5, 5], &mut draws));
        let (truth, predicted) = (noise(one, 15, &mut draws), noise(two, 15, &mut draws));
        let both = one.union(two);
        let (wide, other) = (truth.within(both), predicted.within(both));
        let found = compare(&truth, &predicted, [1.0; 3], &rule, None).unwrap();
        assert_eq!(
            found,
            compare(&wide, &other, [1.0; 3], &rule, None).unwrap()
        );
    }
}

#[test]
fn dilation_crosses_words_and_stays_in_its_row() {
    let mut draws = Draws(13);
    for round in 0..100 {
        let shape = [60 + draws.below(80), 1 + draws.below(3), 1 + draws.below(3)];
        let mask = noise(Region::whole(shape), 2, &mut draws);
        let steps = round % 4;
        let slow = (0..steps).fold(mask.clone(), |mask, _| grown(&mask));
        assert_eq!(dilation::dilate(&mask, steps), slow);
    }
    // Steps beyond the size of the volume end early.
    let mut mask = Mask::empty(Region::whole([70, 3, 2]));
    mask.insert([0, 0, 0]);
    assert_eq!(dilation::dilate(&mask, u32::MAX).count(), 420);
}

#[test]
fn a_dropped_lesion_takes_no_finding_from_one_that_counts() {
    // One finding of three voxels over a lesion of one voxel and a lesion of four.
    let row = |at: &[usize]| {
        let mut mask = Mask::empty(Region::whole([8, 1, 1]));
        at.iter().for_each(|x| mask.insert([*x, 0, 0]));
        mask
    };
    let (truth, predicted) = (row(&[0, 2, 3, 4, 5]), row(&[0, 1, 2]));
    let rule = |threshold, min_volume_mm3| Rule {
        matching: MatchRule::IouOneToOne { threshold },
        connectivity: Connectivity::Faces,
        min_volume_mm3,
    };
    let all = rule(0.1, 0.0);
    let all = compare(&truth, &predicted, [1.0; 3], &all, None).unwrap();
    assert_eq!(
        (all.found, all.each[0].findings, all.each[1].findings),
        (1, 1, 0)
    );
    let large = rule(0.1, 2.0);
    let large = compare(&truth, &predicted, [1.0; 3], &large, None).unwrap();
    assert_eq!((large.found, large.right, large.dropped), (1, 1, 1));
    assert_eq!(large.iou_sum, 1.0 / 6.0);
    // Only the dropped lesion reaches the threshold: the finding is neither right nor false.
    let small = rule(0.3, 2.0);
    let small = compare(&truth, &predicted, [1.0; 3], &small, None).unwrap();
    assert_eq!((small.found, small.right, small.wrong.len()), (0, 0, 0));
    assert_eq!((small.findings, small.missed()), (1, 1));
}

#[test]
fn a_volume_on_the_limit_counts() {
    assert!(!counts(50, 1.0, 51.0));
    assert!(counts(51, 1.0, 51.0));
    // A tenth as a single is a rounding below 0.1, and 30 of them below 3.
    assert!(counts(30, 0.1 - 1e-12, 3.0));
    assert!(!counts(29, 0.1, 3.0));
}

#[test]
fn distances_that_are_no_numbers_match_nothing() {
    let mut mask = Mask::empty(Region::whole([3, 1, 1]));
    mask.insert([1, 0, 0]);
    for (mm, found) in [(f64::NAN, 0), (-1.0, 0), (0.0, 1), (f64::INFINITY, 1)] {
        let rule = Rule {
            matching: MatchRule::CentreDistance { mm },
            connectivity: Connectivity::Faces,
            min_volume_mm3: 0.0,
        };
        let got = compare(&mask, &mask, [1.0; 3], &rule, None).unwrap();
        assert_eq!(got.found, found, "{mm}");
    }
    // So many pairs that they are not worth a case.
    let mut dots = Mask::empty(Region::whole([256, 66, 2]));
    for y in (0..66).step_by(2) {
        dots.row_mut(y, 0).fill(0x5555_5555_5555_5555);
    }
    let rule = Rule {
        matching: MatchRule::CentreDistance { mm: 1e9 },
        connectivity: Connectivity::Faces,
        min_volume_mm3: 0.0,
    };
    let refusal = compare(&dots, &dots, [1.0; 3], &rule, None).unwrap_err();
    assert_eq!(refusal.reason, crate::refusal::Reason::TooLarge);
}
