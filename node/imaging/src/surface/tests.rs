//! Reference values of eight tools, and definitions by brute force.

use std::path::Path;

use serde_json::Value;

use super::*;
use crate::mask::Region;

fn reference() -> Value {
    let file = "../../tests/fixtures/imaging/segmentation.json";
    let path = Path::new(env!("CARGO_MANIFEST_DIR")).join(file);
    serde_json::from_str(&std::fs::read_to_string(path).unwrap()).unwrap()
}

fn numbers(value: &Value) -> Vec<f64> {
    value
        .as_array()
        .unwrap()
        .iter()
        .map(|v| v.as_f64().unwrap())
        .collect()
}

/// A splitmix64 word, as the recipes' speckles use it.
fn mixed(seed: u64) -> u64 {
    let mut z = seed.wrapping_add(0x9E37_79B9_7F4A_7C15);
    z = (z ^ (z >> 30)).wrapping_mul(0xBF58_476D_1CE4_E5B9);
    z = (z ^ (z >> 27)).wrapping_mul(0x94D0_49BB_1331_11EB);
    z ^ (z >> 31)
}

/// Builds one mask of a recipe; solids are given in half voxels.
fn solid(recipe: &Value, which: &str) -> (Mask, [f64; 3], bool) {
    let mut shape: Vec<usize> = numbers(&recipe["shape"])
        .iter()
        .map(|n| *n as usize)
        .collect();
    let mut spacing = numbers(
        recipe
            .get("spacing")
            .unwrap_or(&serde_json::json!([0.4, 0.4, 0.4])),
    );
    let plane = shape.len() == 2;
    if plane {
        shape.push(1);
        spacing.push(1.0);
    }
    let shape = [shape[0], shape[1], shape[2]];
    let mut mask = Mask::empty(Region::whole(shape));
    for solid in recipe[which].as_array().unwrap() {
        let set = solid[0] == "+";
        let ellipsoid = solid[1] == "ellipsoid";
        let (centre, radius) = (numbers(&solid[2]), numbers(&solid[3]));
        let axes = centre.len();
        let product: f64 = radius.iter().product();
        for z in 0..shape[2] {
            for y in 0..shape[1] {
                for x in 0..shape[0] {
                    let at = [x, y, z];
                    let off = |a: usize| 2.0 * at[a] as f64 - centre[a];
                    let inside = if ellipsoid {
                        let part = |a: usize| off(a) * product / radius[a];
                        (0..axes).map(|a| part(a) * part(a)).sum::<f64>() <= product * product
                    } else {
                        (0..axes).all(|a| off(a).abs() <= radius[a])
                    };
                    if inside {
                        let word = &mut mask.row_mut(y, z)[x / 64];
                        if set {
                            *word |= 1 << (x % 64);
                        } else {
                            *word &= !(1 << (x % 64));
                        }
                    }
                }
            }
        }
    }
    if which == "prediction"
        && let Some(speckle) = recipe.get("speckle_prediction")
    {
        speckled(&mut mask, speckle, shape);
    }
    (mask, [spacing[0], spacing[1], spacing[2]], plane)
}

fn speckled(mask: &mut Mask, speckle: &Value, [width, height, depth]: [usize; 3]) {
    let word = |key: &str| speckle[key].as_u64().unwrap();
    let (seed, modulus) = (word("seed"), word("modulus"));
    for x in 0..width {
        for y in 0..height {
            for z in 0..depth {
                // The last axis is fastest in the recipes.
                let linear = ((x * height + y) * depth + z) as u64;
                if mixed(linear.wrapping_add(seed)).is_multiple_of(modulus) {
                    mask.insert([x, y, z]);
                }
            }
        }
    }
}

fn compared(case: &Value, tolerance: f64) -> (Overlap, Option<Surface>) {
    let (truth, spacing, plane) = solid(&case["recipe"], "truth");
    let (prediction, ..) = solid(&case["recipe"], "prediction");
    let overlap = Overlap::of(&truth, &prediction);
    (
        overlap,
        compare(&truth, &prediction, spacing, plane, &[tolerance]),
    )
}

fn named(name: &str, overlap: Overlap, surface: &Surface) -> Option<f64> {
    let nsd = surface.nsd[0];
    Some(match name {
        "tp" => overlap.both as f64,
        "fp" => (overlap.prediction - overlap.both) as f64,
        "fn" => (overlap.truth - overlap.both) as f64,
        "voxels_truth" => overlap.truth as f64,
        "voxels_pred" => overlap.prediction as f64,
        "dice" => overlap.dice()?,
        "iou" => overlap.iou()?,
        "volume_similarity_taha" => overlap.volume_similarity()?,
        "relative_volume_error" | "relative_volume_difference" => {
            overlap.relative_volume_error()?
        }
        "absolute_volume_difference_ratio" => overlap.relative_volume_error()?.abs(),
        "centre_of_mass_distance" => surface.centre,
        "border_voxels_truth" => surface.border[0] as f64,
        "border_voxels_pred" => surface.border[1] as f64,
        "hd" => surface.hd,
        "hd100" => surface.hd_of_area,
        "hd95_max_of_directed" => surface.hd95.max_of_directed,
        "hd95_pooled" => surface.hd95.pooled,
        "hd95_mean_of_directed" => surface.hd95.mean_of_directed,
        "hd95_area_weighted_max_of_directed" => surface.hd95.of_area,
        "assd_pooled" => surface.assd,
        "masd_mean_of_directed" | "assd_mean_of_directed" => surface.masd,
        "assd_area_weighted_pooled" => surface.assd_of_area,
        "assd_area_weighted_mean_of_directed" => surface.masd_of_area,
        "surface_area_truth_mm" => surface.area[0],
        "surface_area_pred_mm" => surface.area[1],
        "nsd_2mm_voxel_count" => nsd.voxel,
        "nsd_2mm_area_weighted" => nsd.of_area,
        "nsd_2mm_gandlf_form" => nsd.mean_of_directed,
        _ => return None,
    })
}

/// Tools whose conventions are ours; the others measure to other borders.
const TOOLS: [&str; 7] = [
    "plain_scipy",
    "metricsreloaded",
    "panoptica",
    "medpy",
    "surface_distance",
    "monai",
    "monai_subvoxel",
];

#[test]
fn every_convention_equals_the_tool_it_is_named_after() {
    let reference = reference();
    let mut compared_values = 0;
    for (name, case) in reference["cases"].as_object().unwrap() {
        // The two largest are compared by the release build.
        if cfg!(debug_assertions) && (name == "ct512x512x300" || name == "organ256") {
            continue;
        }
        let (overlap, surface) = compared(case, 2.0);
        let surface = surface.unwrap();
        for tool in TOOLS {
            let tolerance = reference["relative_tolerance_per_tool"][tool]
                .as_f64()
                .unwrap();
            let Some(values) = case["values"][tool].as_object() else {
                continue;
            };
            for (value, expected) in values {
                let (Some(got), Some(expected)) =
                    (named(value, overlap, &surface), expected.as_f64())
                else {
                    continue;
                };
                // There the tool subtracts unsigned counts, and a smaller prediction wraps.
                if value == "absolute_volume_difference_ratio" && expected > 1e6 {
                    continue;
                }
                // Values are given to twelve digits.
                let close = (got - expected).abs() <= tolerance * expected.abs() + 1e-12;
                assert!(close, "{name}, {tool}, {value}: {got} is not {expected}");
                compared_values += 1;
            }
        }
    }
    assert!(compared_values > 350, "{compared_values} values");
}

#[test]
fn a_tie_at_the_tolerance_is_within_it() {
    let reference = reference();
    let case = &reference["tie_at_tolerance"];
    let (truth, _, _) = solid(&case["recipe"], "truth");
    let (prediction, _, _) = solid(&case["recipe"], "prediction");
    let header = crate::geometry::from_single(0.4_f32);
    for spacing in [0.4, header, f64::from(0.4_f32)] {
        let found = compare(&truth, &prediction, [spacing; 3], false, &[2.0]).unwrap();
        assert_eq!(found.nsd[0].voxel, 1.0);
    }
}

#[test]
fn an_empty_mask_has_no_distance() {
    let region = Region::whole([12, 12, 12]);
    let mut cube = Mask::empty(region);
    for z in 3..8 {
        for y in 3..8 {
            for x in 3..8 {
                cube.insert([x, y, z]);
            }
        }
    }
    let none = Mask::empty(region);
    for (truth, prediction) in [(&none, &none), (&cube, &none), (&none, &cube)] {
        assert_eq!(compare(truth, prediction, [1.0; 3], false, &[2.0]), None);
    }
    let neither = Overlap::of(&none, &none);
    assert_eq!(
        (neither.dice(), neither.iou(), neither.volume_similarity()),
        (None, None, None)
    );
    assert_eq!(Overlap::of(&none, &cube).relative_volume_error(), None);
    assert_eq!(Overlap::of(&cube, &none).dice(), Some(0.0));
}

/// Border voxels and distances by their definitions, on thousands of small random masks.
#[test]
fn distances_are_those_of_all_pairs() {
    let mut seed = 1_u64;
    let mut next = |below: u64| {
        seed = seed.wrapping_add(1);
        mixed(seed) % below
    };
    for round in 0..3000 {
        let plane = round % 3 == 0;
        let depth = if plane { 1 } else { 1 + next(5) as usize };
        let wide = if round % 50 == 0 { 140 } else { 7 };
        let shape = [1 + next(wide) as usize, 1 + next(6) as usize, depth];
        let spacing = [0.3, 0.7, 2.5].map(|s| s * (1.0 + next(3) as f64));
        let mut filled = |share: u64| {
            let mut mask = Mask::empty(Region::whole(shape));
            for z in 0..shape[2] {
                for y in 0..shape[1] {
                    for x in 0..shape[0] {
                        if next(10) < share {
                            mask.insert([x, y, z]);
                        }
                    }
                }
            }
            mask
        };
        let (truth, prediction) = (filled(2 + round % 7), filled(1 + round % 8));
        let Some(found) = compare(&truth, &prediction, spacing, plane, &[1.0]) else {
            assert!(truth.is_empty() || prediction.is_empty());
            continue;
        };
        let (there, back) = by_pairs(&truth, &prediction, spacing, plane);
        let close = |what: &str, got: f64, expected: f64| {
            assert!(
                (got - expected).abs() < 1e-12 * expected.max(1.0),
                "{round} {what}: {got} {expected}"
            );
        };
        let sum = |one: &[f64]| one.iter().sum::<f64>();
        close(
            "hd",
            found.hd,
            there.iter().chain(&back).copied().fold(0.0, f64::max),
        );
        close(
            "assd",
            found.assd,
            (sum(&there) + sum(&back)) / (there.len() + back.len()) as f64,
        );
        let near = there
            .iter()
            .chain(&back)
            .filter(|d| **d <= 1.0 + 1e-6)
            .count();
        close(
            "nsd",
            found.nsd[0].voxel,
            near as f64 / (there.len() + back.len()) as f64,
        );
    }
}

/// Directed distances of border voxels, each against each.
fn by_pairs(a: &Mask, b: &Mask, spacing: [f64; 3], plane: bool) -> (Vec<f64>, Vec<f64>) {
    let edge = |mask: &Mask| {
        let mut found = Vec::new();
        mask.each(|[x, y, z]| {
            let outside = |dx: i64, dy: i64, dz: i64| {
                let at = [x as i64 + dx, y as i64 + dy, z as i64 + dz];
                at.iter().any(|p| *p < 0)
                    || !mask.contains([at[0] as usize, at[1] as usize, at[2] as usize])
            };
            let mut open =
                outside(1, 0, 0) || outside(-1, 0, 0) || outside(0, 1, 0) || outside(0, -1, 0);
            if !plane {
                open = open || outside(0, 0, 1) || outside(0, 0, -1);
            }
            if open {
                found.push([x, y, z]);
            }
        });
        found
    };
    let (a, b) = (edge(a), edge(b));
    let nearest = |from: &[[usize; 3]], to: &[[usize; 3]]| -> Vec<f64> {
        let distance = |p: &[usize; 3], q: &[usize; 3]| {
            let part = |i: usize| p[i].abs_diff(q[i]) as f64 * spacing[i];
            (part(0) * part(0) + part(1) * part(1) + part(2) * part(2)).sqrt()
        };
        from.iter()
            .map(|p| {
                to.iter()
                    .map(|q| distance(p, q))
                    .fold(f64::INFINITY, f64::min)
            })
            .collect()
    };
    (nearest(&a, &b), nearest(&b, &a))
}
