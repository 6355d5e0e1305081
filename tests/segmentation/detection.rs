//! Candidates score as the formulas of LUNA16, nnDetection, COCO and PASCAL VOC score them, from
//! lists in files to the estimates of a release.

use std::fmt::Write as _;
use std::fs;

use harness::recipe::Made;
use serde_json::{Value, json};
use toml::Table;

use crate::recipes::{self, labelled};
use crate::study::{Release, Study, fixtures};

/// Lists of many scans, told apart by their column `scan`.
const LISTS: [&str; 4] = [
    "--map",
    "truth=lesions.csv#scan={patient}",
    "--map",
    "candidates=candidates.csv#scan={patient}",
];

fn reference() -> Value {
    let text = fs::read_to_string(fixtures().join("segmentation.json")).unwrap();
    let whole: Value = serde_json::from_str(&text).unwrap();
    whole["detection"].clone()
}

/// Lesions 100 mm apart along x, each a ball of 5 mm, by name.
fn place(lesion: &str) -> f64 {
    100.0 * f64::from(lesion.bytes().next().unwrap() - b'a')
}

/// Writes the reference's scans as two lists and a table; returns the scores, rising.
fn write(study: &Study, recipe: &Value) -> Vec<f64> {
    let mut rows = Vec::new();
    let mut lesions = "scan,x,y,z,diameter_mm\n".to_owned();
    for (scan, names) in recipe["truth"].as_object().unwrap() {
        rows.push([scan.clone(), String::new(), String::new()]);
        for name in names.as_array().unwrap() {
            let x = place(name.as_str().unwrap());
            writeln!(lesions, "{scan},{x},-20,30,10").unwrap();
        }
    }
    let mut candidates = "scan,x,y,z,score\n".to_owned();
    let mut scores = Vec::new();
    for one in recipe["detections"].as_array().unwrap() {
        let (scan, score) = (one[0].as_str().unwrap(), one[1].as_f64().unwrap());
        // On the lesion's edge, or far from all.
        let (x, y) = one[2]
            .as_str()
            .map_or((0.0, 500.0), |name| (place(name) + 3.0, -24.0));
        writeln!(candidates, "{scan},{x},{y},30,{score}").unwrap();
        scores.push(score);
    }
    fs::write(study.folder().join("lesions.csv"), lesions).unwrap();
    fs::write(study.folder().join("candidates.csv"), candidates).unwrap();
    study.table(&rows);
    scores.sort_by(f64::total_cmp);
    scores.dedup();
    scores
}

fn near(found: f64, wanted: &Value, what: &str) {
    let wanted = wanted.as_f64().unwrap();
    assert!(
        (found - wanted).abs() < 1e-11,
        "{what}: {found} against {wanted}"
    );
}

fn scored(recipe: &Value, conventions: &str) -> Release {
    let scratch = Study::of_detection("");
    let grid = write(&scratch, recipe);
    let text =
        format!("hit = \"radius\"\ncoordinates = \"lps\"\nscore_edges = {grid:?}\n{conventions}");
    let study = Study::of_detection(&text);
    write(&study, recipe);
    study.published(&LISTS).1
}

#[test]
fn candidates_score_as_with_the_reference_formulas() {
    let reference = reference();
    let rules = [
        ("ignored", "duplicates_ignored_luna16"),
        (
            "false-positives",
            "duplicates_are_false_positives_nndetection_coco",
        ),
    ];
    for (duplicates, key) in rules {
        let values = &reference["values"][key];
        for between in ["linear", "step"] {
            let text = format!("duplicates = \"{duplicates}\"\nbetween = \"{between}\"");
            let release = scored(&reference["recipe"], &text);
            let wanted = values[format!("sensitivity_at_points_{between}")]
                .as_array()
                .unwrap();
            let found = release.sensitivities("lesion");
            assert_eq!(found.len(), 7);
            for (found, wanted) in found.iter().zip(wanted) {
                near(*found, wanted, key);
            }
            let cpm = &values[format!("cpm_mean_of_seven_{between}")];
            near(release.estimates("lesion")["cpm"], cpm, key);
        }
        for (average, name) in [
            ("points", "ap_area_no_envelope"),
            ("envelope", "ap_area_under_envelope_voc2010"),
            ("recalls-101", "ap_101_point_envelope"),
            ("recalls-11", "ap_11_point_envelope"),
        ] {
            let text = format!("duplicates = \"{duplicates}\"\naverage_precision = \"{average}\"");
            let release = scored(&reference["recipe"], &text);
            let found = release.estimates("lesion")["detection-average-precision"];
            near(found, &values[name], name);
        }
    }
}

#[test]
fn counts_at_each_score_are_the_references() {
    let reference = reference();
    let release = scored(&reference["recipe"], "duplicates = \"ignored\"");
    let counts = release.statistic("lesion", "called");
    assert_eq!(
        (number(&counts["scans"]), number(&counts["lesions"])),
        (6, 9)
    );
    let wanted = &reference["values"]["duplicates_ignored_luna16"]["counts_by_score_desc"];
    for row in wanted.as_array().unwrap() {
        let mut all = counts["called"].as_array().unwrap().iter();
        let at = all.find(|at| at["score"] == row[0]).unwrap();
        let found = [&at["detected"], &at["false_positives"]].map(number);
        assert_eq!(
            found.map(Value::from),
            [row[1].clone(), row[2].clone()],
            "{row}"
        );
    }
}

/// A mask with a lesion of 125 voxels and one of 27, written as `file`, 1 x 1 x 2 mm.
fn two_lesions(study: &Study, file: &str) {
    let recipe = json!({
        "shape": [40, 40, 20],
        "spacing": [1.0, 1.0, 2.0],
        "truth": [["+", "box", [20, 20, 10], [5, 5, 5]], ["+", "box", [60, 60, 30], [3, 3, 3]]],
        "prediction": [],
    });
    let made = Made::of(&recipe, 1.0);
    let mask = labelled(&made, &made.truth);
    recipes::write(&study.folder().join(file), &mask, "truth");
}

/// Lesions, then detected and false at each score.
fn counts(release: &Release) -> (u64, Vec<[u64; 2]>) {
    let counts = release.statistic("lesion", "called");
    let called = counts["called"].as_array().unwrap().iter();
    let pair = |at: &Value| [&at["detected"], &at["false_positives"]].map(number);
    (number(&counts["lesions"]), called.map(pair).collect())
}

fn number(cell: &Value) -> u64 {
    match cell["state"].as_str() {
        Some("zero") => 0,
        Some(_) | None => cell["value"].as_u64().unwrap(),
    }
}

#[test]
fn candidates_find_the_parts_of_a_mask_in_the_coordinates_of_either_world() {
    // Twice in the large lesion, once in the small one, once in neither.
    let ras = [
        [10, 10, 10, 9],
        [11, 9, 12, 8],
        [30, 30, 30, 7],
        [1, 2, 3, 6],
    ];
    for (file, coordinates, sign) in [
        ("truth.nii.gz", "ras", 1),
        ("truth.nii.gz", "lps", -1),
        ("truth.dcm", "lps", -1),
    ] {
        for (duplicates, smallest, wanted) in [
            ("ignored", 100.0, [[1, 1], [1, 0], [1, 0]]),
            ("false-positives", 100.0, [[1, 2], [1, 1], [1, 0]]),
            ("ignored", 0.0, [[2, 1], [1, 0], [1, 0]]),
        ] {
            let study = Study::of_detection(&format!(
                "hit = \"inside\"\nconnectivity = 26\nduplicates = \"{duplicates}\"\n\
                 coordinates = \"{coordinates}\"\nmin_volume_mm3 = {smallest:?}\n\
                 score_edges = [0.6, 0.8, 0.9]"
            ))
            .with(masks_for_truth);
            two_lesions(&study, file);
            let mut list = "x,y,z,score\n".to_owned();
            for [x, y, z, score] in ras {
                writeln!(list, "{},{},{z},0.{score}", sign * x, sign * y).unwrap();
            }
            fs::write(study.folder().join("list.csv"), list).unwrap();
            study.table(&[["p1".to_owned(), file.to_owned(), "list.csv".to_owned()]]);
            let (_study, release) = study.published(&["--map", "candidates=prediction"]);
            let found = counts(&release);
            let lesions = if smallest > 0.0 { 1 } else { 2 };
            let what = format!("{file} {coordinates} {duplicates} {smallest}");
            assert_eq!(found, (lesions, wanted.to_vec()), "{what}");
        }
    }
}

fn masks_for_truth(protocol: &mut Table) {
    let structure = protocol["endpoint"][0]["structure"].as_table_mut().unwrap();
    structure.insert("labels".to_owned(), vec![1].into());
    let fields = protocol["field"].as_array_mut().unwrap();
    let truth = fields
        .iter_mut()
        .find(|one| one["name"].as_str() == Some("truth"));
    let truth = truth.unwrap().as_table_mut().unwrap();
    truth.insert("kind".to_owned(), "mask".into());
}

#[test]
fn boxes_hit_by_their_intersection_over_union() {
    // 10 x 10 x 10 against itself moved by 5: 500 of 1500.
    for (iou, detected) in [(0.3, 1), (0.34, 0)] {
        let study = Study::of_detection(&format!(
            "hit = \"iou\"\niou = {iou}\nduplicates = \"false-positives\"\n\
             coordinates = \"voxel\"\nscore_edges = [0.5]"
        ));
        let corners = "x_min,y_min,z_min,x_max,y_max,z_max";
        let truth = format!("{corners}\n0,0,0,10,10,10\n");
        let list = format!("{corners},score\n5,0,0,15,10,10,0.5\n");
        fs::write(study.folder().join("truth.csv"), truth).unwrap();
        fs::write(study.folder().join("list.csv"), list).unwrap();
        study.table(&[[
            "p1".to_owned(),
            "truth.csv".to_owned(),
            "list.csv".to_owned(),
        ]]);
        let (_study, release) = study.published(&["--map", "candidates=prediction"]);
        assert_eq!(counts(&release), (1, vec![[detected, 1 - detected]]));
    }
}

/// Under `standard`, patients with the stated lesions, of whom the last `missed` have none found;
/// one false alarm each.
fn protected(lesions: &[usize], missed: usize) -> Release {
    let study = Study::of_detection(
        "hit = \"inside\"\nduplicates = \"ignored\"\ncoordinates = \"lps\"\n\
         score_edges = [0.5]\nfalse_positives_per_scan = [1.0]",
    );
    let mut truth = "scan,x,y,z,radius\n".to_owned();
    let mut list = "scan,x,y,z,score\n".to_owned();
    let mut rows = Vec::new();
    for patient in 0..lesions.len() {
        rows.push([format!("p{patient}"), String::new(), String::new()]);
        writeln!(list, "p{patient},-50,0,0,0.7").unwrap();
    }
    let found = lesions.len() - missed;
    for (patient, lesions) in lesions.iter().enumerate() {
        for lesion in 0..*lesions {
            let x = 100 * lesion;
            writeln!(truth, "p{patient},{x},0,0,5").unwrap();
            if patient < found {
                writeln!(list, "p{patient},{x},0,0,0.9").unwrap();
            }
        }
    }
    fs::write(study.folder().join("lesions.csv"), truth).unwrap();
    fs::write(study.folder().join("candidates.csv"), list).unwrap();
    study.table(&rows);
    study.measure("standard", &LISTS).expect(0);
    let text = fs::read_to_string(study.folder().join("release.json")).unwrap();
    Release::read(&text)
}

#[test]
fn no_mean_tells_what_its_one_point_may_not() {
    let all = ["cpm", "detection-average-precision", "froc-sensitivity"];
    let told = |release: &Release| -> Vec<&str> {
        let found = release.estimates("lesion");
        all.into_iter()
            .filter(|name| found.contains_key(*name))
            .collect()
    };
    let even = protected(&[1; 60], 20);
    assert_eq!(told(&even), all);
    assert_eq!(
        even.statistic("lesion", "called")["lesions"]["state"],
        "suppressed"
    );
    // Three patients without a found lesion, then one patient with most lesions.
    assert_eq!(told(&protected(&[1; 60], 3)), [""; 0]);
    let mut uneven = [1; 60];
    uneven[0] = 80;
    assert_eq!(told(&protected(&uneven, 20)), [""; 0]);
}

#[test]
fn a_bad_list_costs_its_case_and_a_wrong_column_says_so() {
    let scratch = Study::of_detection(
        "hit = \"inside\"\nduplicates = \"ignored\"\ncoordinates = \"lps\"\nscore_edges = [0.5]",
    );
    let mut rows = Vec::new();
    for patient in 0..60 {
        let name = format!("canary-{patient}");
        let score = if patient == 7 { "secret" } else { "0.5" };
        let truth = scratch.folder().join(format!("{name}.truth.csv"));
        fs::write(truth, "x,y,z,radius\n0,0,0,5\n").unwrap();
        let list = scratch.folder().join(format!("{name}.csv"));
        fs::write(list, format!("x,y,z,score\n0,0,0,{score}\n")).unwrap();
        rows.push([name, String::new(), String::new()]);
    }
    scratch.table(&rows);
    let apart = [
        "--map",
        "truth={patient}.truth.csv",
        "--map",
        "candidates={patient}.csv",
    ];
    let answer = scratch.measure("standard", &apart).expect(0);
    let findings = answer.data()["findings"].clone();
    let findings = findings.as_array().unwrap();
    assert_eq!(findings.len(), 1, "{findings:?}");
    assert_eq!(findings[0]["rows"], 1);
    let hint = findings[0]["hint"].as_str().unwrap();
    assert!(
        hint.contains("canary-7.csv: line 2: a score that is no number"),
        "{hint}"
    );
    let release = fs::read_to_string(scratch.folder().join("release.json")).unwrap();
    assert!(!release.contains("canary") && !release.contains("secret"));

    fs::write(
        scratch.folder().join("all.csv"),
        "scan,x,y,z,score\n1,0,0,0,0.5\n",
    )
    .unwrap();
    let together = [
        "--map",
        apart[1],
        "--map",
        "candidates=all.csv#scan={patient}",
    ];
    let answer = scratch.measure("standard", &together);
    assert_ne!(answer.code, Some(0));
    assert!(
        answer.out.contains("has no row of any case"),
        "{}",
        answer.out
    );
}
