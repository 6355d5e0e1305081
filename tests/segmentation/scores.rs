//! Masks score as the reference tools score them, whatever the format they are stored in.

use std::fs;

use serde_json::Value;

use crate::study::{Study, fixtures, name};

/// By convention: the protocol's table, and each metric with the reference value's name.
pub(crate) const CONVENTIONS: [(&str, &[(&str, &str)]); 3] = [
    (
        "tolerance_mm = [2.0]",
        &[
            ("dice-present", "dice"),
            ("iou-present", "iou"),
            ("volume-similarity", "volume_similarity_taha"),
            ("relative-volume-error", "relative_volume_error"),
            ("hausdorff", "hd"),
            ("hd95", "hd95_max_of_directed"),
            ("assd", "assd_pooled"),
            ("masd", "masd_mean_of_directed"),
            ("nsd-present", "nsd_2mm_voxel_count"),
        ],
    ),
    (
        "tolerance_mm = [2.0]\nhd95 = \"pooled\"",
        &[("hd95", "hd95_pooled")],
    ),
    (
        "tolerance_mm = [2.0]\nhd95 = \"area-weighted\"\nborder = \"area-weighted\"",
        &[
            ("hd95", "hd95_area_weighted_max_of_directed"),
            ("assd", "assd_area_weighted_pooled"),
            ("masd", "assd_area_weighted_mean_of_directed"),
            ("nsd-present", "nsd_2mm_area_weighted"),
        ],
    ),
];

pub(crate) fn reference() -> Value {
    let text = fs::read_to_string(fixtures().join("segmentation.json")).unwrap();
    serde_json::from_str(&text).unwrap()
}

fn pair(truth: &str, prediction: &str) -> [String; 3] {
    let path = |file: &str| fixtures().join(file).display().to_string();
    ["p1".to_owned(), path(truth), path(prediction)]
}

#[test]
fn labels_of_real_scans_score_as_with_the_reference_tools() {
    let reference = reference();
    let (mut labels_compared, mut compared) = (0, 0);
    for (case, real) in reference["real_masks"].as_object().unwrap() {
        let text = |key: &str| real[key].as_str().unwrap();
        let labels: Vec<Vec<u16>> = real["labels"]
            .as_object()
            .unwrap()
            .iter()
            .map(|(label, _)| vec![label.parse().unwrap()])
            .collect();
        for (conventions, metrics) in CONVENTIONS {
            let study = Study::new(&labels, conventions);
            study.table(&[pair(text("truth"), text("prediction"))]);
            let (_study, release) = study.published(&[]);
            for label in &labels {
                let found = release.estimates(&name(label));
                let expected = &real["labels"][label[0].to_string()];
                if expected["one_empty"] == true {
                    let counts = release.statistic(&name(label), "missed");
                    assert_eq!(counts["missed"]["value"], 1, "{case} {label:?}");
                    assert!(!found.contains_key("hd95"), "{case} {label:?}");
                    continue;
                }
                labels_compared += 1;
                for (metric, wanted) in metrics {
                    let wanted_value = expected[wanted].as_f64().unwrap();
                    let value = found[*metric];
                    let apart = (value - wanted_value).abs();
                    // The reference took spacings of 0.7 mm as 0.699999988 mm.
                    assert!(
                        apart <= 1e-7 * wanted_value.abs().max(1.0),
                        "{case} {label:?} {metric}: {value} against {wanted_value}"
                    );
                    compared += 1;
                }
            }
        }
    }
    // 14 values of each of the 54 labels that are in both masks.
    assert_eq!((labels_compared, compared), (3 * 54, 14 * 54));
}

#[test]
fn made_masks_score_as_with_the_reference_tools() {
    let reference = reference();
    let files = [
        "organ64",
        "organ128aniso",
        "touchingborder40",
        "disjoint48",
        "singlevoxel24",
        "speckle64",
    ];
    for (conventions, metrics) in CONVENTIONS {
        for case in files {
            let study = Study::new(&[vec![1]], conventions);
            let file = |which: &str| format!("synthetic/{case}_{which}.nii.gz");
            study.table(&[pair(&file("truth"), &file("prediction"))]);
            let (_study, release) = study.published(&[]);
            let found = release.estimates("label-1");
            let expected = &reference["cases"][case]["values"];
            for (metric, wanted) in metrics {
                let by_tool =
                    ["plain_scipy", "surface_distance"].map(|tool| expected[tool][wanted].as_f64());
                let wanted_value = by_tool.into_iter().flatten().next().unwrap();
                let value = found[*metric];
                let apart = (value - wanted_value).abs();
                assert!(
                    apart <= 1e-10 * wanted_value.abs().max(1.0),
                    "{case} {metric}: {value} against {wanted_value}"
                );
            }
        }
    }
}

#[test]
fn orientation_type_and_format_do_not_change_a_score() {
    let variants = [
        "prediction.nii.gz",
        "prediction_float32_permuted.nii.gz",
        "prediction_int16_LPS.nii.gz",
        "prediction_nifti2_uint8.nii.gz",
    ];
    let mut first = None;
    for variant in variants {
        let study = Study::new(&[vec![1]], "tolerance_mm = [1.0, 2.0]");
        let file = format!("synthetic/organ128aniso_{variant}");
        study.table(&[pair("synthetic/organ128aniso_truth.nii.gz", &file)]);
        let (_study, release) = study.published(&[]);
        let found = release.estimates("label-1");
        assert!(found.len() > 10, "{found:?}");
        let first = first.get_or_insert_with(|| found.clone());
        assert_eq!(*first, found, "{variant}");
    }
    // A pair of files has its header in one of them, and is found by either.
    let study = Study::new(&[vec![1]], "tolerance_mm = [2.0]");
    let file = |end: &str| format!("synthetic/organ128aniso_prediction_pair.{end}");
    study.table(&[pair(&file("hdr"), &file("img"))]);
    let (_study, release) = study.published(&[]);
    assert_eq!(release.estimates("label-1")["dice"], 1.0);
}

#[test]
fn lesions_are_counted_under_the_rule_of_the_protocol() {
    // Whole tumour of the lesion map: lesions found, predicted ones that are hits, and others.
    let rules = [
        ("rule = \"iou-one-to-one\"\niou = 0.5", [1, 1, 3]),
        ("rule = \"iou-one-to-one\"\niou = 0.1", [3, 3, 1]),
        (
            "rule = \"brats-dilation\"\ndilations = 3\nmin_volume_mm3 = 51.0",
            [2, 2, 1],
        ),
    ];
    for (rule, expected) in rules {
        let study = Study::new(&[vec![1, 2, 3]], "").with(|protocol| {
            let plan: toml::Table = format!("connectivity = 26\n{rule}").parse().unwrap();
            let endpoint = &mut protocol["endpoint"].as_array_mut().unwrap()[0];
            let structure = endpoint["structure"].as_table_mut().unwrap();
            structure.insert("lesions".to_owned(), plan.into());
        });
        let file = |which: &str| format!("synthetic/lesions80_{which}.nii.gz");
        study.table(&[pair(&file("truth"), &file("prediction"))]);
        let (_study, release) = study.published(&[]);
        let counts = release.statistic("label-1-2-3", "false_positives");
        let count = |key: &str| counts[key]["value"].as_u64().unwrap_or(0);
        assert_eq!(
            ["found", "hits", "false_positives"].map(count),
            expected,
            "{rule}"
        );
    }
}
