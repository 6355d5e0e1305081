//! Masks made from the reference file's recipes, written as hospitals store them: every size and
//! shape of the reference, the tie at the tolerance, and masks without the structure.

use std::path::Path;

use harness::recipe::Made;
use imaging::dicom::Uids;
use imaging::geometry::Geometry;
use imaging::segmentation::{Segmentation, Voxels};
use serde_json::{Value, json};

use crate::scores::{CONVENTIONS, reference};
use crate::study::{Release, Study};

/// What agrees with the reference: its values have twelve digits.
const RELATIVE: f64 = 1e-10;

pub(crate) fn labelled(made: &Made, voxels: &[bool]) -> Segmentation {
    let [x, y, z] = made.spacing;
    Segmentation {
        is_open: false,
        geometry: Geometry {
            shape: made.shape,
            spacing: made.spacing,
            affine: Some([[x, 0.0, 0.0, 0.0], [0.0, y, 0.0, 0.0], [0.0, 0.0, z, 0.0]]),
        },
        voxels: Voxels::Labels(voxels.iter().map(|voxel| u16::from(*voxel)).collect()),
    }
}

/// Writes the pair into the study's folder, and a table of one patient.
fn stored(study: &Study, made: &Made, format: &str) {
    for (name, voxels) in [("truth", &made.truth), ("prediction", &made.prediction)] {
        let path = study.folder().join(format!("{name}.{format}"));
        write(&path, &labelled(made, voxels), name);
    }
    let file = |name: &str| format!("{name}.{format}");
    study.table(&[["p1".to_owned(), file("truth"), file("prediction")]]);
}

pub(crate) fn write(path: &Path, mask: &Segmentation, name: &str) {
    if path.extension().is_some_and(|ending| ending == "dcm") {
        let object = if name == "truth" {
            "2.25.11"
        } else {
            "2.25.12"
        };
        let uids = Uids {
            study: "2.25.1",
            series: "2.25.2",
            object,
            frame_of_reference: "2.25.3",
        };
        imaging::dicom::write(path, mask, &uids).unwrap();
    } else {
        imaging::nifti::write(path, mask).unwrap();
    }
}

#[test]
fn every_recipe_scores_as_with_the_reference_tools() {
    let reference = reference();
    let mut compared = 0;
    for (case, entry) in reference["cases"].as_object().unwrap() {
        let made = Made::of(&entry["recipe"], 1.0);
        for (conventions, metrics) in CONVENTIONS {
            let study = Study::new(&[vec![1]], conventions);
            stored(&study, &made, "nii");
            let (_study, release) = study.published(&[]);
            let found = release.estimates("label-1");
            let tools = &entry["values"];
            for (metric, wanted) in metrics {
                let by_tool =
                    ["plain_scipy", "surface_distance"].map(|tool| tools[tool][wanted].as_f64());
                let wanted = by_tool.into_iter().flatten().next().unwrap();
                close(case, metric, found[*metric], wanted, RELATIVE);
                compared += 1;
            }
            // Of the tools only these say the distance of centres, in voxels.
            let centre = tools["metricsreloaded"]["centre_of_mass_distance"]
                .as_f64()
                .unwrap();
            if made.spacing == [1.0; 3] {
                close(
                    case,
                    "centre-distance",
                    found["centre-distance"],
                    centre,
                    RELATIVE,
                );
                compared += 1;
            }
        }
    }
    assert_eq!(compared, 11 * 14 + 5 * 3);
}

fn close(case: &str, metric: &str, value: f64, wanted: f64, relative: f64) {
    let apart = (value - wanted).abs();
    assert!(
        apart <= relative * wanted.abs().max(1.0),
        "{case} {metric}: {value} against {wanted}"
    );
}

#[test]
fn a_segmentation_object_scores_as_the_label_map_does() {
    let reference = reference();
    for case in ["organ64", "touchingborder40"] {
        let made = Made::of(&reference["cases"][case]["recipe"], 1.0);
        let score = |format: &str| {
            let study = Study::new(&[vec![1]], "tolerance_mm = [1.0, 2.0]");
            stored(&study, &made, format);
            let (_study, release) = study.published(&[]);
            release.estimates("label-1")
        };
        let map = score("nii.gz");
        assert!(map.len() > 10, "{map:?}");
        assert_eq!(map, score("dcm"), "{case}");
    }
}

#[test]
fn distances_of_the_tolerance_are_within_it() {
    let tie = &reference()["tie_at_tolerance"];
    // The header holds 0.4 in single precision, which is a little more.
    let made = Made::of(&tie["recipe"], 0.4);
    let study = Study::new(&[vec![1]], "tolerance_mm = [2.0]");
    stored(&study, &made, "nii");
    let (_study, release) = study.published(&[]);
    assert_eq!(release.estimates("label-1")["nsd-present"], 1.0);
}

/// Four patients: both masks have the structure, neither, only the truth, only the prediction.
fn with_empty_masks(convention: &str) -> Release {
    let cube = json!([["+", "box", [10, 10, 10], [5, 5, 5]]]);
    let larger = json!([["+", "box", [10, 10, 10], [5, 5, 7]]]);
    let none = json!([]);
    let study = Study::new(&[vec![1]], convention);
    let mut rows = Vec::new();
    let cases: [(&Value, &Value); 4] = [
        (&cube, &larger),
        (&none, &none),
        (&cube, &none),
        (&none, &cube),
    ];
    for (at, (truth, prediction)) in cases.into_iter().enumerate() {
        let recipe = json!({ "shape": [12, 12, 12], "truth": truth, "prediction": prediction });
        let made = Made::of(&recipe, 1.0);
        let file = |name: &str| format!("{name}-{at}.nii");
        for (name, voxels) in [("truth", &made.truth), ("prediction", &made.prediction)] {
            let path = study.folder().join(file(name));
            write(&path, &labelled(&made, voxels), name);
        }
        rows.push([format!("p{at}"), file("truth"), file("prediction")]);
    }
    study.table(&rows);
    let (_study, release) = study.published(&[]);
    release
}

#[test]
fn masks_without_the_structure_are_counted_and_imputed_by_the_protocol_only() {
    // 5 x 5 x 5 voxels in 5 x 5 x 7.
    let dice = 250.0 / 300.0;
    let by_convention = [
        ("both_empty = \"skip\"", dice / 3.0),
        ("both_empty = \"one\"", (dice + 1.0) / 4.0),
        ("both_empty = \"zero\"", dice / 4.0),
    ];
    for (convention, headline) in by_convention {
        let release = with_empty_masks(convention);
        let counts = release.statistic("label-1", "false_alarm");
        for count in ["both", "neither", "missed", "false_alarm"] {
            assert_eq!(counts[count]["value"], 1, "{convention} {count}");
        }
        let found = release.estimates("label-1");
        close(convention, "dice", found["dice"], headline, 1e-12);
        close(
            convention,
            "dice-present",
            found["dice-present"],
            dice,
            1e-12,
        );
        // A face of the longer box lies one voxel further on either side.
        assert_eq!(found["hausdorff"], 1.0);
    }
    let capped = with_empty_masks("both_empty = \"skip\"\ndistance_cap_mm = 30.0");
    let found = capped.estimates("label-1");
    close(
        "cap",
        "hd95-capped",
        found["hd95-capped"],
        61.0 / 3.0,
        1e-12,
    );
}
