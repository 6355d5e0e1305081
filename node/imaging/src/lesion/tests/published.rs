//! Lesions against the values of the programs that the rules are named after.
//!
//! From: `tests/fixtures/imaging/segmentation.json`.
//! To: nothing but assertions.

use serde_json::Value;

use super::*;

const REFERENCE: &str = include_str!(concat!(
    env!("CARGO_MANIFEST_DIR"),
    "/../../tests/fixtures/imaging/segmentation.json"
));

fn reference() -> Value {
    serde_json::from_str(REFERENCE).unwrap()
}

fn triple(value: &Value) -> [i64; 3] {
    [0, 1, 2].map(|axis| value[axis].as_i64().unwrap())
}

/// A label map of solids, later ones over earlier ones; positions and radii in half voxels.
fn labels(recipe: &Value, which: &str) -> (Region, Vec<([usize; 3], u8)>) {
    let shape = triple(&recipe["shape"]).map(|n| n as usize);
    let mut labels = Vec::new();
    for z in 0..shape[2] {
        for y in 0..shape[1] {
            for x in 0..shape[0] {
                labels.push(([x, y, z], 0));
            }
        }
    }
    for solid in recipe[which].as_array().unwrap() {
        assert_eq!(solid[1], "ellipsoid");
        let (centre, radii) = (triple(&solid[2]), triple(&solid[3]));
        let label = solid[0].as_u64().unwrap() as u8;
        let product: i64 = radii.iter().product();
        for (voxel, at) in &mut labels {
            let square = |axis: usize| {
                let offset = 2 * voxel[axis] as i64 - centre[axis];
                (offset * (product / radii[axis])).pow(2)
            };
            if (0..3).map(square).sum::<i64>() <= product.pow(2) {
                *at = label;
            }
        }
    }
    (Region::whole(shape), labels)
}

/// The voxels with some labels.
fn structure((region, labels): &(Region, Vec<([usize; 3], u8)>), values: &[u8]) -> Mask {
    let chosen = labels.iter().filter(|(_, label)| values.contains(label));
    let chosen: Body = chosen.map(|(voxel, _)| *voxel).collect();
    mask_of(*region, &chosen)
}

/// Both masks of every case, with its values.
fn cases(values: &[u8], mut visit: impl FnMut(&str, &Value, &Mask, &Mask)) {
    let reference = reference();
    let mut seen = 0;
    for (name, recipe) in reference["lesionwise"]["label_recipes"]
        .as_object()
        .unwrap()
    {
        let truth = structure(&labels(recipe, "truth"), values);
        let predicted = structure(&labels(recipe, "prediction"), values);
        assert_eq!(recipe["spacing"], serde_json::json!([1.0, 1.0, 1.0]));
        visit(
            name,
            &reference["lesionwise"]["values"][name],
            &truth,
            &predicted,
        );
        seen += 1;
    }
    assert_eq!(seen, 3);
}

fn near(got: f64, value: &Value, what: &str) {
    let value = value.as_f64().unwrap();
    assert!(
        (got - value).abs() <= 1e-11 * value.abs().max(1.0),
        "{what}: {got} against {value}"
    );
}

fn dice(one: &Mask, two: &Mask) -> f64 {
    2.0 * one.overlap(two) as f64 / (one.count() + two.count()) as f64
}

#[test]
fn parts_are_those_of_cc3d() {
    cases(&[1, 2, 3], |name, values, truth, predicted| {
        for (which, mask) in [("truth", truth), ("prediction", predicted)] {
            let values = &values["components"][which];
            for connectivity in Connectivity::ALL {
                let key = format!("components_{}", connectivity.neighbours());
                let found = Components::of(mask, connectivity).unwrap();
                assert_eq!(values[&key], found.len(), "{name} {which} {key}");
            }
            assert_eq!(values["voxels"], mask.count());
        }
    });
    for label in 1..=3 {
        cases(&[label], |name, values, truth, predicted| {
            for (which, mask) in [("truth", truth), ("prediction", predicted)] {
                let voxels = &values["components"][which]["voxels_per_label"][label.to_string()];
                assert_eq!(voxels, mask.count(), "{name} {which} {label}");
            }
        });
    }
}

#[test]
fn dilation_gives_the_lesion_wise_values_of_brats_2023() {
    // Lesions of at most 50 or 2 voxels of 1 mm^3 are dropped there.
    let challenges = [("BraTS-GLI", 3, 51.0), ("BraTS-MET", 1, 3.0)];
    let regions: [(&str, &[u8]); 3] = [("WT", &[1, 2, 3]), ("TC", &[1, 3]), ("ET", &[3])];
    for (structure, labels) in regions {
        cases(labels, |name, values, truth, predicted| {
            for (challenge, iterations, min_volume_mm3) in challenges {
                let values = &values["brats2023"][challenge][structure];
                let what = format!("{name} {challenge} {structure}");
                let rule = Rule {
                    matching: MatchRule::BratsDilation { iterations },
                    connectivity: Connectivity::Corners,
                    min_volume_mm3,
                };
                let found = compare(truth, predicted, [1.0; 3], &rule, None).unwrap();
                near(found.found as f64, &values["Num_TP"], &what);
                near(found.wrong.len() as f64, &values["Num_FP"], &what);
                near(found.missed() as f64, &values["Num_FN"], &what);
                let mean = found.lesion_wise_dice().unwrap();
                near(mean, &values["LesionWise_Score_Dice"], &what);
                near(dice(truth, predicted), &values["Legacy_Dice"], &what);
                near(truth.count() as f64, &values["GT_Complete_Volume"], &what);
                if found.found == 0 {
                    let mean = found.lesion_wise_distance(374.0).unwrap();
                    near(mean, &values["LesionWise_Score_HD95"], &what);
                }
            }
        });
    }
}

#[test]
fn overlap_gives_the_volumes_of_autopet() {
    let rule = Rule {
        matching: MatchRule::Overlap,
        connectivity: Connectivity::Edges,
        min_volume_mm3: 0.0,
    };
    cases(&[1, 2, 3], |name, values, truth, predicted| {
        let values = &values["autopet_conn18"];
        let found = compare(truth, predicted, [1.0; 3], &rule, None).unwrap();
        near(
            found.false_positive_ml(),
            &values["false_positive_volume_ml"],
            name,
        );
        near(
            found.false_negative_ml(),
            &values["false_negative_volume_ml"],
            name,
        );
        near(dice(truth, predicted), &values["dice"], name);
    });
}

/// Mean and population standard deviation.
fn spread(values: &[f64]) -> (f64, f64) {
    let n = values.len() as f64;
    let mean = values.iter().sum::<f64>() / n;
    let square = values
        .iter()
        .map(|value| (value - mean).powi(2))
        .sum::<f64>()
        / n;
    (mean, square.sqrt())
}

#[test]
fn one_to_one_gives_the_values_of_panoptica() {
    cases(&[1, 2, 3], |name, values, truth, predicted| {
        for threshold in [0.5, 0.1] {
            let values = &values["panoptica"][format!("iou_{threshold}")];
            let rule = Rule {
                matching: MatchRule::IouOneToOne { threshold },
                connectivity: Connectivity::Corners,
                min_volume_mm3: 0.0,
            };
            let all = compare(truth, predicted, [1.0; 3], &rule, None).unwrap();
            assert_eq!(values["n_ref_instances"], all.each.len());
            assert_eq!(values["n_pred_instances"], all.findings);
            let tp = all.found as f64;
            let (fp, missed) = (all.wrong.len() as f64, all.missed() as f64);
            near(tp, &values["tp"], name);
            near(fp, &values["fp"], name);
            near(missed, &values["fn"], name);
            assert_eq!(all.right, all.found);
            let quality = |sum: f64| sum / (tp + fp / 2.0 + missed / 2.0);
            near(quality(tp), &values["rq"], name);
            near(quality(all.iou_sum), &values["pq"], name);
            near(quality(all.dice_sum), &values["pq_dsc"], name);
            assert_eq!(values["global_bin_volume_ref"], truth.count());
            assert_eq!(values["global_bin_volume_pred"], predicted.count());
            if all.found == 0 {
                continue;
            }
            let found: Vec<&Lesion> = all.each.iter().filter(|one| one.is_found()).collect();
            let of = |value: &dyn Fn(&Lesion) -> f64| {
                spread(&found.iter().map(|one| value(one)).collect::<Vec<_>>())
            };
            let voxels = |lesion: &Lesion| lesion.voxels as f64;
            let error = |lesion: &Lesion| lesion.finding_voxels as f64 / voxels(lesion) - 1.0;
            for (key, (mean, deviation)) in [
                ("sq", of(&Lesion::iou)),
                ("sq_dsc", of(&Lesion::dice)),
                ("sq_rvd", of(&error)),
            ] {
                near(mean, &values[key], name);
                near(deviation, &values[format!("{key}_std")], name);
            }
            // Written with twelve digits.
            let volume = values["instance_volume_ref"].as_f64().unwrap();
            assert!((of(&voxels).0 - volume).abs() < 1e-7);
        }
    });
}

/// The voxels of a mask with a face neighbour outside of it.
fn border(mask: &Mask) -> Body {
    let mut border = voxels(mask);
    border.retain(|voxel| {
        !(0..3).all(|axis| {
            let (mut low, mut high) = (*voxel, *voxel);
            low[axis] = low[axis].wrapping_sub(1);
            high[axis] += 1;
            mask.contains(low) && mask.contains(high)
        })
    });
    border
}

/// The 95th percentile (between ranks, as numpy's) of the distances from one border to another.
fn directed(from: &Body, to: &Body) -> f64 {
    let near = |a: &[usize; 3]| {
        let square = |b: &[usize; 3]| (0..3).map(|i| a[i].abs_diff(b[i]).pow(2)).sum::<usize>();
        (to.iter().map(square).min().unwrap() as f64).sqrt()
    };
    let mut distances: Vec<f64> = from.iter().map(near).collect();
    distances.sort_by(f64::total_cmp);
    let place = 0.95 * (distances.len() - 1) as f64;
    let (low, high) = (
        distances[place.floor() as usize],
        distances[place.ceil() as usize],
    );
    low + (high - low) * place.fract()
}

#[test]
fn a_distance_is_asked_of_each_found_lesion_in_its_own_box() {
    let mut hd95 = |truth: &Mask, predicted: &Mask| {
        assert_eq!(truth.region(), predicted.region());
        let both = truth.extent().unwrap().union(predicted.extent().unwrap());
        assert_eq!(truth.region(), both);
        let (one, two) = (border(truth), border(predicted));
        Some(directed(&one, &two).max(directed(&two, &one)))
    };
    cases(&[1, 2, 3], |name, _, truth, predicted| {
        let rule = Rule {
            matching: MatchRule::BratsDilation { iterations: 3 },
            connectivity: Connectivity::Corners,
            min_volume_mm3: 51.0,
        };
        let found = compare(truth, predicted, [1.0; 3], &rule, Some(&mut hd95)).unwrap();
        let by_definition = expected(truth, predicted, [1.0; 3], &rule);
        let mut sum = found.wrong.len() as f64 * 374.0;
        for (lesion, body) in by_definition.lesions.iter().enumerate() {
            if body.len() <= 50 {
                continue;
            }
            let of_it = by_definition.matches.iter().filter(|pair| pair.0 == lesion);
            let all: Body = of_it
                .flat_map(|pair| by_definition.findings[pair.1].clone())
                .collect();
            let region = Region::whole([120; 3]);
            let (one, two) = (mask_of(region, body), mask_of(region, &all));
            sum += if all.is_empty() {
                374.0
            } else {
                let (one, two) = (border(&one), border(&two));
                directed(&one, &two).max(directed(&two, &one))
            };
        }
        let mean = sum / (found.each.len() + found.wrong.len()) as f64;
        let got = found.lesion_wise_distance(374.0).unwrap();
        println!("{name}: {got}");
        assert!((got - mean).abs() < 1e-12, "{name}: {got} against {mean}");
    });
}
