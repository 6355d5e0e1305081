use std::time::Instant;

use super::*;

/// Numbers that are the same on every machine (the finaliser of splitmix64).
pub(crate) struct Draws(pub(crate) u64);

impl Draws {
    pub(crate) fn next(&mut self) -> u64 {
        self.0 = self.0.wrapping_add(0x9e37_79b9_7f4a_7c15);
        let mut z = self.0;
        z = (z ^ z >> 30).wrapping_mul(0xbf58_476d_1ce4_e5b9);
        z = (z ^ z >> 27).wrapping_mul(0x94d0_49bb_1331_11eb);
        z ^ z >> 31
    }

    pub(crate) fn below(&mut self, n: usize) -> usize {
        (self.next() % n as u64) as usize
    }
}

/// A mask in which each voxel is set with a chance of `percent`.
pub(crate) fn noise(region: Region, percent: usize, draws: &mut Draws) -> Mask {
    let mut mask = Mask::empty(region);
    let [width, height, depth] = region.shape;
    for z in 0..depth {
        for y in 0..height {
            for x in 0..width {
                if draws.below(100) < percent {
                    mask.insert([x, y, z]);
                }
            }
        }
    }
    mask
}

/// A region of up to `most` voxels along each axis, sometimes a plane.
pub(crate) fn region(most: [usize; 3], draws: &mut Draws) -> Region {
    let mut shape = most.map(|most| 1 + draws.below(most));
    if draws.below(5) == 0 {
        shape[2] = 1;
    }
    Region {
        origin: [0; 3].map(|_: usize| draws.below(9)),
        shape,
    }
}

pub(crate) fn voxels(mask: &Mask) -> Vec<[usize; 3]> {
    let mut all = Vec::new();
    mask.each(|voxel| all.push(voxel));
    all
}

/// The number of the part of each voxel, by walking from neighbour to neighbour.
pub(crate) fn flood(mask: &Mask, connectivity: Connectivity) -> Vec<([usize; 3], u32)> {
    let all = voxels(mask);
    let most = match connectivity {
        Connectivity::Faces => 1,
        Connectivity::Edges => 2,
        Connectivity::Corners => 3,
    };
    let adjacent = |a: [usize; 3], b: [usize; 3]| {
        let steps = [0, 1, 2].map(|axis| a[axis].abs_diff(b[axis]));
        steps.iter().all(|step| *step <= 1) && steps.iter().sum::<usize>() <= most
    };
    let mut part = vec![u32::MAX; all.len()];
    let mut parts = 0;
    for seed in 0..all.len() {
        if part[seed] != u32::MAX {
            continue;
        }
        part[seed] = parts;
        let mut open = vec![seed];
        while let Some(at) = open.pop() {
            for other in 0..all.len() {
                if part[other] == u32::MAX && adjacent(all[at], all[other]) {
                    part[other] = parts;
                    open.push(other);
                }
            }
        }
        parts += 1;
    }
    all.into_iter().zip(part).collect()
}

fn check(mask: &Mask, connectivity: Connectivity) {
    let found = Components::of(mask, connectivity).unwrap();
    let region = mask.region();
    let expected = flood(mask, connectivity);
    let parts = expected
        .iter()
        .map(|(_, part)| *part + 1)
        .max()
        .unwrap_or(0);
    assert_eq!(found.len(), parts as usize);
    assert_eq!(found.is_empty(), parts == 0);
    for (voxel, part) in &expected {
        let place = [0, 1, 2].map(|axis| voxel[axis] + region.origin[axis]);
        assert_eq!(found.at(place), Some(*part));
    }
    let runs: u64 = found.runs.iter().map(|run| run.voxels()).sum();
    assert_eq!(runs, mask.count());
    for (part, one) in (0..).zip(found.each()) {
        let members: Vec<[usize; 3]> = expected
            .iter()
            .filter(|(_, other)| *other == part)
            .map(|(voxel, _)| [0, 1, 2].map(|axis| voxel[axis] + region.origin[axis]))
            .collect();
        assert_eq!(one.voxels, members.len() as u64);
        assert_eq!(one.first, members[0]);
        let alone = found.mask(region, |other| other == part);
        assert_eq!(Some(one.extent), alone.extent());
        assert_eq!(alone.count(), one.voxels);
        for axis in 0..3 {
            let sum: usize = members.iter().map(|voxel| voxel[axis]).sum();
            let mean = sum as f64 / members.len() as f64;
            assert!((one.centre[axis] - mean).abs() < 1e-12 * (1.0 + mean));
        }
    }
    assert_eq!(found.mask(region, |_| true), *mask);
}

#[test]
fn parts_are_those_of_a_walk_from_neighbour_to_neighbour() {
    let mut draws = Draws(1);
    for round in 0..1500 {
        let region = region([9, 6, 5], &mut draws);
        let mask = noise(region, [8, 20, 35, 60, 95][round % 5], &mut draws);
        for connectivity in Connectivity::ALL {
            check(&mask, connectivity);
        }
    }
}

#[test]
fn runs_across_words_are_not_torn() {
    let mut draws = Draws(2);
    for round in 0..60 {
        let region = Region {
            origin: [draws.below(4), 0, 3],
            shape: [60 + draws.below(80), 2, 2],
        };
        let mask = noise(region, [50, 90, 99, 100][round % 4], &mut draws);
        for connectivity in Connectivity::ALL {
            check(&mask, connectivity);
        }
    }
    let mut row = Mask::empty(Region::whole([128, 1, 1]));
    (0..128).for_each(|x| row.insert([x, 0, 0]));
    let found = Components::of(&row, Connectivity::Faces).unwrap();
    let whole = Run {
        start: 0,
        end: 128,
        part: 0,
    };
    assert_eq!(found.row(0, 0), [whole]);
}

#[test]
fn a_comb_joins_late_and_keeps_its_first_number() {
    // Two teeth that meet in the last row only, and one voxel between them.
    let mut mask = Mask::empty(Region::whole([5, 4, 1]));
    for y in 0..4 {
        mask.insert([0, y, 0]);
        mask.insert([4, y, 0]);
    }
    (0..5).for_each(|x| mask.insert([x, 3, 0]));
    mask.insert([2, 1, 0]);
    let found = Components::of(&mask, Connectivity::Corners).unwrap();
    let sizes: Vec<u64> = found.each().iter().map(|one| one.voxels).collect();
    assert_eq!(sizes, [11, 1]);
    assert_eq!(found.at([4, 0, 0]), Some(0));
    assert_eq!(found.at([2, 1, 0]), Some(1));
    assert_eq!((found.at([2, 0, 0]), found.at([9, 0, 0])), (None, None));
}

#[test]
fn shared_voxels_are_counted_by_pair() {
    let mut draws = Draws(3);
    for round in 0..600 {
        let region = region([70, 4, 3], &mut draws);
        let percent = [10, 30, 60][round % 3];
        let (one, two) = (
            noise(region, percent, &mut draws),
            noise(region, percent, &mut draws),
        );
        let parts = (
            Components::of(&one, Connectivity::Faces).unwrap(),
            Components::of(&two, Connectivity::Corners).unwrap(),
        );
        let mut expected = std::collections::BTreeMap::new();
        for voxel in voxels(&one) {
            let place = [0, 1, 2].map(|axis| voxel[axis] + region.origin[axis]);
            if let Some(pair) = parts.0.at(place).zip(parts.1.at(place)) {
                *expected.entry(pair).or_insert(0_u64) += 1;
            }
        }
        let found = parts.0.shared(&parts.1);
        let found: Vec<_> = found
            .iter()
            .map(|one| ((one.part, one.other), one.voxels))
            .collect();
        assert_eq!(found, expected.into_iter().collect::<Vec<_>>());
    }
}

#[test]
fn a_cut_of_some_parts_is_the_cut_of_their_voxels() {
    let mut draws = Draws(4);
    for _ in 0..400 {
        let whole = region([150, 5, 4], &mut draws);
        let mask = noise(whole, 40, &mut draws);
        let parts = Components::of(&mask, Connectivity::Faces).unwrap();
        let cut = region([150, 9, 8], &mut draws);
        let got = parts.mask(cut, |part| part.is_multiple_of(2));
        let mut expected = Mask::empty(cut);
        for voxel in voxels(&mask) {
            let place = [0, 1, 2].map(|axis| voxel[axis] + whole.origin[axis]);
            let inside = [0, 1, 2].map(|axis| place[axis].wrapping_sub(cut.origin[axis]));
            let even = parts.at(place).unwrap().is_multiple_of(2);
            if even && (0..3).all(|axis| inside[axis] < cut.shape[axis]) {
                expected.insert(inside);
            }
        }
        assert_eq!(got, expected);
    }
}

#[test]
fn noise_of_a_whole_scan_is_refused() {
    // Every other voxel of every other row: each a part of its own.
    let mut mask = Mask::empty(Region::whole([256, 256, 256]));
    for z in (0..256).step_by(2) {
        for y in (0..256).step_by(2) {
            mask.row_mut(y, z).fill(0x5555_5555_5555_5555);
        }
    }
    let parts = |mask: &Mask| {
        let found = Components::of(mask, Connectivity::Corners);
        found.map(|found| found.len()).map_err(|why| why.reason)
    };
    assert_eq!(parts(&mask), Err(Reason::TooLarge));
    // Planes of the same stripes are few parts of many runs.
    for z in 0..256 {
        for y in 0..256 {
            mask.row_mut(y, z).fill(0x5555_5555_5555_5555);
        }
    }
    assert_eq!(run_count(&mask), MOST_RUNS);
    assert_eq!(parts(&mask), Ok(128));
    let mut wider = mask.within(Region::whole([258, 256, 256]));
    wider.insert([257, 0, 0]);
    assert_eq!(parts(&wider), Err(Reason::TooLarge));
}

/// Organs and lesions of a whole-body scan: well below 0.3 s, with room for a busy machine.
#[test]
fn a_whole_scan_takes_a_moment() {
    let mut mask = Mask::empty(Region::whole([512, 512, 300]));
    let mut draws = Draws(5);
    let mut ball = |centre: [usize; 3], radius: usize| {
        for z in centre[2].saturating_sub(radius)..(centre[2] + radius).min(300) {
            for y in centre[1].saturating_sub(radius)..(centre[1] + radius).min(512) {
                let square = centre[2].abs_diff(z).pow(2) + centre[1].abs_diff(y).pow(2);
                let half = (radius * radius).saturating_sub(square).isqrt();
                let start = centre[0].saturating_sub(half);
                let end = (centre[0] + half).min(512);
                if start < end {
                    fill(mask.row_mut(y, z), start, end);
                }
            }
        }
    };
    ball([200, 256, 150], 120);
    for _ in 0..2000 {
        let centre = [draws.below(512), draws.below(512), draws.below(300)];
        ball(centre, 2 + draws.below(6));
    }
    for connectivity in Connectivity::ALL {
        let start = Instant::now();
        let found = Components::of(&mask, connectivity).unwrap();
        let taken = start.elapsed();
        println!(
            "{connectivity:?}: {} parts, {} runs, {taken:?}",
            found.len(),
            found.runs.len()
        );
        assert!(taken.as_secs_f64() < 3.0);
        let voxels: u64 = found.each().iter().map(|one| one.voxels).sum();
        assert_eq!(voxels, mask.count());
    }
}
