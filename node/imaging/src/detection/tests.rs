use serde_json::Value;

use super::*;
use crate::component::Connectivity;
use crate::component::tests::{Draws, noise, voxels};
use crate::mask::{Mask, Region};

const BOTH: [Duplicates; 2] = [Duplicates::Ignored, Duplicates::FalsePositives];

fn point(score: f64, x: f64) -> Candidate {
    Candidate {
        score,
        place: Place::Point([x, 0.0, 0.0]),
    }
}

fn sphere(x: f64, radius: f64) -> Sphere {
    Sphere {
        centre: [x, 0.0, 0.0],
        radius,
    }
}

fn radius(duplicates: Duplicates) -> Rule {
    Rule {
        hit: HitRule::Radius,
        duplicates,
    }
}

#[test]
fn scans_add_to_the_published_counts() {
    let file = include_str!(concat!(
        env!("CARGO_MANIFEST_DIR"),
        "/../../tests/fixtures/imaging/segmentation.json"
    ));
    let reference: Value = serde_json::from_str(file).unwrap();
    let (recipe, values) = (
        &reference["detection"]["recipe"],
        &reference["detection"]["values"],
    );
    let detections = recipe["detections"].as_array().unwrap();
    let mut grid: Vec<f64> = detections
        .iter()
        .map(|one| one[1].as_f64().unwrap())
        .collect();
    grid.sort_by(f64::total_cmp);
    grid.dedup();
    for duplicates in BOTH {
        let key = match duplicates {
            Duplicates::Ignored => "duplicates_ignored_luna16",
            Duplicates::FalsePositives => "duplicates_are_false_positives_nndetection_coco",
        };
        let mut sum = (0, vec![0; grid.len()], vec![0; grid.len()]);
        for (scan, names) in recipe["truth"].as_object().unwrap() {
            // Lesions stand 100 mm apart; a candidate without a lesion stands between two.
            let names = names.as_array().unwrap();
            let place = |name: &Value| match names.iter().position(|one| one == name) {
                Some(at) => 100.0 * at as f64,
                None => -50.0,
            };
            let lesions: Vec<_> = names.iter().map(|name| sphere(place(name), 5.0)).collect();
            let own = detections.iter().filter(|one| one[0] == *scan);
            let own: Vec<_> = own
                .map(|one| point(one[1].as_f64().unwrap(), place(&one[2])))
                .collect();
            let got = detect(
                Shapes::Spheres(&lesions),
                &[],
                &own,
                radius(duplicates),
                &grid,
            )
            .unwrap();
            sum.0 += got.lesions;
            for at in 0..grid.len() {
                sum.1[at] += got.detected[at];
                sum.2[at] += got.false_positives[at];
            }
        }
        assert_eq!(values["lesions"], sum.0);
        assert_eq!(values["detected"], sum.1[0]);
        let counts = values[key]["counts_by_score_desc"].as_array().unwrap();
        assert!(counts.len() >= 17);
        for count in counts {
            let at = grid.iter().position(|score| count[0] == *score).unwrap();
            assert_eq!(
                (&count[1], &count[2]),
                (&sum.1[at].into(), &sum.2[at].into())
            );
        }
    }
}

/// The candidates that reach a threshold, counted by the words of the rule.
fn by_definition(
    spheres: &[Sphere],
    dropped: &[bool],
    candidates: &[Candidate],
    duplicates: Duplicates,
    threshold: f64,
) -> (u64, u64) {
    let mut left: Vec<&Candidate> = candidates.iter().filter(|c| c.score >= threshold).collect();
    let gap = |candidate: &Candidate, sphere: &Sphere| {
        let (a, b) = (candidate.place.centre(), sphere.centre);
        let gap = (0..3)
            .map(|axis| (a[axis] - b[axis]).powi(2))
            .sum::<f64>()
            .sqrt();
        (gap <= sphere.radius).then_some(gap)
    };
    let lesions: Vec<(usize, &Sphere)> = spheres.iter().enumerate().collect();
    let counted = |at: &usize| !dropped[*at];
    if duplicates == Duplicates::Ignored {
        let is_hit = |sphere: &Sphere| left.iter().any(|one| gap(one, sphere).is_some());
        let detected = lesions
            .iter()
            .filter(|(at, one)| counted(at) && is_hit(one))
            .count();
        let wrong = left
            .iter()
            .filter(|one| !spheres.iter().any(|s| gap(one, s).is_some()));
        return (detected as u64, wrong.count() as u64);
    }
    let mut free: Vec<&Sphere> = lesions
        .iter()
        .filter(|(at, _)| counted(at))
        .map(|(_, one)| *one)
        .collect();
    let (all, mut wrong) = (free.len(), 0);
    while !left.is_empty() {
        let most = left.iter().map(|one| one.score).fold(f64::MIN, f64::max);
        // The closest pair among the candidates that tie for the highest score.
        let mut best: Option<(f64, usize, usize)> = None;
        for (lesion, sphere) in free.iter().enumerate() {
            for (place, one) in left.iter().enumerate().filter(|(_, one)| one.score == most) {
                let gap = gap(one, sphere).filter(|gap| best.is_none_or(|best| *gap < best.0));
                best = gap.map(|gap| (gap, lesion, place)).or(best);
            }
        }
        if let Some((_, lesion, place)) = best {
            free.remove(lesion);
            left.remove(place);
            continue;
        }
        let hits_dropped = |one: &Candidate| {
            let mut hit = lesions.iter().filter(|(at, _)| !counted(at));
            hit.any(|(_, sphere)| gap(one, sphere).is_some())
        };
        let tied = left.iter().filter(|one| one.score == most);
        wrong += tied.filter(|one| !hits_dropped(one)).count() as u64;
        left.retain(|one| one.score < most);
    }
    ((all - free.len()) as u64, wrong)
}

#[test]
fn every_threshold_is_counted_as_if_lower_scores_were_not_there() {
    let mut draws = Draws(21);
    let grid = [-0.5, 0.0, 1.0, 2.0, 2.5, 4.0, 9.0];
    for _ in 0..3000 {
        let mut place = || [0; 3].map(|_: i32| draws.below(1000) as f64 / 100.0);
        let centres: Vec<_> = (0..5).map(|_| place()).collect();
        let places: Vec<_> = (0..9).map(|_| place()).collect();
        let lesions = draws.below(6);
        let sphere = |centre: &[f64; 3]| Sphere {
            centre: *centre,
            radius: 1.0 + draws.below(400) as f64 / 100.0,
        };
        let spheres: Vec<_> = centres[..lesions].iter().map(sphere).collect();
        let dropped: Vec<bool> = (0..lesions).map(|_| draws.below(5) == 0).collect();
        let candidate = |place: &[f64; 3]| Candidate {
            score: draws.below(6) as f64 - 1.0,
            place: Place::Point(*place),
        };
        let candidates: Vec<_> = places.iter().map(candidate).collect();
        for duplicates in BOTH {
            let shapes = Shapes::Spheres(&spheres);
            let got = detect(shapes, &dropped, &candidates, radius(duplicates), &grid).unwrap();
            let counted = dropped.iter().filter(|dropped| !**dropped).count();
            assert_eq!(got.lesions, counted as u64);
            for (at, threshold) in grid.into_iter().enumerate() {
                let (detected, wrong) =
                    by_definition(&spheres, &dropped, &candidates, duplicates, threshold);
                assert_eq!(got.detected[at], detected, "{duplicates:?}");
                assert_eq!(got.false_positives[at], wrong, "{duplicates:?}");
            }
        }
    }
}

#[test]
fn the_order_of_the_file_decides_nothing() {
    let mut draws = Draws(22);
    for _ in 0..500 {
        let lesions: Vec<_> = (0..4)
            .map(|_| sphere(draws.below(90) as f64, 15.0))
            .collect();
        let candidate = |_| point(draws.below(3) as f64, draws.below(9999) as f64 / 101.0);
        let mut candidates: Vec<_> = (0..8).map(candidate).collect();
        for duplicates in BOTH {
            let count = |candidates: &[Candidate]| {
                let shapes = Shapes::Spheres(&lesions);
                detect(
                    shapes,
                    &[],
                    candidates,
                    radius(duplicates),
                    &[0.0, 1.0, 2.0],
                )
                .unwrap()
            };
            let first = count(&candidates);
            candidates.reverse();
            assert_eq!(count(&candidates), first);
        }
    }
}

fn bounds(low: [f64; 3], high: [f64; 3]) -> Bounds {
    Bounds { low, high }
}

#[test]
fn boxes_are_compared_by_volume_and_flat_ones_by_area() {
    let unit = bounds([0.0; 3], [1.0; 3]);
    let half = bounds([0.5, 0.0, 0.0], [1.5, 1.0, 1.0]);
    assert_eq!(unit.iou(&half), 1.0 / 3.0);
    assert_eq!(unit.iou(&unit), 1.0);
    assert_eq!(unit.iou(&bounds([1.0; 3], [2.0; 3])), 0.0);
    let flat = |x: f64, z: f64| bounds([x, 0.0, z], [x + 2.0, 2.0, z]);
    assert_eq!(flat(0.0, 3.0).iou(&flat(1.0, 3.0)), 1.0 / 3.0);
    assert_eq!(flat(0.0, 3.0).iou(&flat(1.0, 4.0)), 0.0);
    let lesions = [unit, bounds([4.0; 3], [5.0; 3])];
    let count = |hit, candidates: &[Candidate]| {
        let rule = Rule {
            hit,
            duplicates: Duplicates::FalsePositives,
        };
        detect(Shapes::Boxes(&lesions), &[], candidates, rule, &[0.0])
    };
    let boxed = |score, bounds| Candidate {
        score,
        place: Place::Box(bounds),
    };
    let candidates = [
        boxed(1.0, half),
        boxed(2.0, unit),
        boxed(3.0, flat(9.0, 9.0)),
    ];
    let third = HitRule::Iou {
        threshold: 1.0 / 3.0,
    };
    let found = |detected, false_positives| {
        Ok(Detections {
            lesions: 2,
            detected: vec![detected],
            false_positives: vec![false_positives],
        })
    };
    assert_eq!(count(third, &candidates), found(1, 2));
    assert_eq!(count(third, &candidates[..1]), found(1, 0));
    let most = HitRule::Iou { threshold: 0.34 };
    assert_eq!(count(most, &candidates[..1]), found(0, 1));
    // The centre of a box is on the face of the lesion's box, which belongs to it.
    assert_eq!(count(HitRule::Inside, &candidates[..1]), found(1, 0));
    assert_eq!(count(HitRule::Inside, &[point(1.0, 1.01)]), found(0, 1));
    assert_eq!(
        count(third, &[point(1.0, 0.5)]),
        Err(DetectionFault::Shapes)
    );
}

#[test]
fn points_are_found_in_the_voxels_of_a_turned_volume() {
    let mut draws = Draws(23);
    let region = Region {
        origin: [2, 0, 1],
        shape: [8, 6, 5],
    };
    let mask = noise(region, 30, &mut draws);
    let parts = Components::of(&mask, Connectivity::Faces).unwrap();
    // The first axis runs back, the second down and to the right, the third left.
    let affine = [
        [0.0, 0.3, -2.5, 40.0],
        [-0.7, 0.0, 0.0, -12.0],
        [0.1, -0.6, 0.0, 7.5],
    ];
    let mut geometry = Geometry {
        shape: [12, 8, 8],
        spacing: [0.7, 0.6, 2.5],
        affine: Some(affine),
    };
    let rule = Rule {
        hit: HitRule::Inside,
        duplicates: Duplicates::Ignored,
    };
    let found = |geometry: &Geometry, place: [f64; 3]| {
        let one = [Candidate {
            score: 1.0,
            place: Place::Point(place),
        }];
        let shapes = Shapes::Parts(&parts, geometry);
        detect(shapes, &[], &one, rule, &[1.0]).map(|got| (got.detected[0], got.false_positives[0]))
    };
    let set = voxels(&mask);
    for x in 0..12 {
        for (y, z) in (0..8).flat_map(|y| (0..8).map(move |z| (y, z))) {
            let near = [0, 1, 2].map(|_| draws.below(98) as f64 / 100.0 - 0.49);
            let place = [x as f64 + near[0], y as f64 + near[1], z as f64 + near[2]];
            let world = affine
                .map(|row| row[0] * place[0] + row[1] * place[1] + row[2] * place[2] + row[3]);
            let inside = [x, y, z]
                .iter()
                .zip(region.origin)
                .all(|(at, low)| *at >= low)
                && set.contains(&[x - region.origin[0].min(x), y, z - region.origin[2].min(z)]);
            let expected = if inside { (1, 0) } else { (0, 1) };
            assert_eq!(found(&geometry, world), Ok(expected));
        }
    }
    geometry.affine = None;
    let [x, y, z] = [0, 1, 2].map(|axis| (set[0][axis] + region.origin[axis]) as f64);
    assert_eq!(found(&geometry, [0.7 * x, 0.6 * y, 2.5 * z]), Ok((1, 0)));
    assert_eq!(found(&geometry, [-0.4, 0.0, 0.0]), Ok((0, 1)));
    assert_eq!(found(&geometry, [f64::NAN, 0.0, 0.0]), Ok((0, 1)));
    geometry.affine = Some([[0.0; 4]; 3]);
    assert_eq!(found(&geometry, [0.0; 3]), Err(DetectionFault::Position));
}

#[test]
fn what_cannot_be_counted_is_refused() {
    let lesions = [sphere(0.0, 1.0)];
    let count = |candidates: &[Candidate], hit, grid: &[f64]| {
        let rule = Rule {
            hit,
            duplicates: Duplicates::Ignored,
        };
        detect(Shapes::Spheres(&lesions), &[], candidates, rule, grid)
    };
    let one = [point(1.0, 0.0)];
    let nan = [point(f64::NAN, 0.0)];
    let grid = [0.5];
    assert_eq!(
        count(&nan, HitRule::Radius, &grid),
        Err(DetectionFault::Score)
    );
    assert_eq!(
        count(&one, HitRule::Radius, &[0.5, 0.5]),
        Err(DetectionFault::Grid)
    );
    assert_eq!(
        count(&one, HitRule::Radius, &[f64::NAN]),
        Err(DetectionFault::Grid)
    );
    let iou = HitRule::Iou { threshold: 0.5 };
    assert_eq!(count(&one, iou, &grid), Err(DetectionFault::Shapes));
    let mask = Mask::empty(Region::whole([2, 2, 1]));
    let parts = Components::of(&mask, Connectivity::Faces).unwrap();
    let geometry = Geometry {
        shape: [2, 2, 1],
        spacing: [1.0; 3],
        affine: None,
    };
    let parts = Shapes::Parts(&parts, &geometry);
    for rule in BOTH.map(radius) {
        assert_eq!(
            detect(parts, &[], &one, rule, &grid),
            Err(DetectionFault::Shapes)
        );
        let boxes = Shapes::Boxes(&[]);
        assert_eq!(
            detect(boxes, &[], &one, rule, &grid),
            Err(DetectionFault::Shapes)
        );
    }
    let crowd = vec![sphere(0.0, 1.0); 1 << 13];
    let many = vec![point(1.0, 0.0); (1 << 11) + 1];
    let count_crowd = |candidates: &[Candidate]| {
        let shapes = Shapes::Spheres(&crowd);
        detect(shapes, &[], candidates, radius(Duplicates::Ignored), &grid).map(|got| got.detected)
    };
    assert_eq!(count_crowd(&many), Err(DetectionFault::TooMany));
    assert_eq!(count_crowd(&many[..9]), Ok(vec![1 << 13]));
    // A scan without candidates or thresholds is counted.
    let empty = count(&[], HitRule::Radius, &[]).unwrap();
    assert_eq!((empty.lesions, empty.detected.len()), (1, 0));
    // Minus zero and zero are one score, so the closest pair comes first and both are detected.
    let zeros = [point(0.0, 0.5), point(-0.0, -0.1)];
    let rule = radius(Duplicates::FalsePositives);
    let two = [sphere(0.0, 1.0), sphere(1.5, 1.2)];
    let got = detect(Shapes::Spheres(&two), &[], &zeros, rule, &[0.0]).unwrap();
    assert_eq!((got.detected, got.false_positives), (vec![2], vec![0]));
    // Scores below the grid are not counted, unbounded ones are.
    let all = [
        point(f64::NEG_INFINITY, 9.0),
        point(f64::INFINITY, 9.0),
        point(0.4, 0.0),
    ];
    let got = count(&all, HitRule::Radius, &grid).unwrap();
    assert_eq!((got.detected, got.false_positives), (vec![0], vec![1]));
}
