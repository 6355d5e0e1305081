//! What cannot be measured costs its own case, is counted for the site, and is told to nobody
//! else.

use std::fs;

use crate::study::{Study, fixtures};

const CASES: usize = 60;

/// Sixty cases in the layout of nnU-Net: folders of truth and predictions, named by case.
fn many() -> Study {
    let study = Study::new(&[vec![1]], "tolerance_mm = [2.0]");
    for part in ["labelsTs", "predictions"] {
        fs::create_dir(study.folder().join(part)).unwrap();
    }
    let sources = ["organ64", "touchingborder40", "singlevoxel24", "speckle64"];
    let mut rows = Vec::new();
    for case in 0..CASES {
        let source = sources[case % sources.len()];
        let patient = format!("canary-{case}");
        for (part, which) in [("labelsTs", "truth"), ("predictions", "prediction")] {
            let from = fixtures().join(format!("synthetic/{source}_{which}.nii.gz"));
            let to = study.folder().join(format!("{part}/{patient}.nii.gz"));
            fs::copy(from, to).unwrap();
        }
        rows.push([patient, "unused".to_owned(), "unused".to_owned()]);
    }
    study.table(&rows);
    study
}

const PATTERNS: [&str; 4] = [
    "--map",
    "truth=labelsTs/{patient}.nii.gz",
    "--map",
    "prediction=predictions/{patient}.nii.gz",
];

#[test]
fn a_bad_file_costs_one_case_and_its_name_never_leaves() {
    let study = many();
    let file = |case: usize| {
        study
            .folder()
            .join(format!("predictions/canary-{case}.nii.gz"))
    };
    fs::remove_file(file(3)).unwrap();
    fs::write(file(4), b"no image at all").unwrap();
    let whole = fs::read(file(8)).unwrap();
    fs::write(file(8), &whole[..whole.len() / 2]).unwrap();
    // A header that promises two thousand million voxels, and none behind it.
    let mut header = vec![0_u8; 352];
    header[..4].copy_from_slice(&348_i32.to_le_bytes());
    for (at, value) in [
        (40, 3_i16),
        (42, 2000),
        (44, 1000),
        (46, 1000),
        (70, 2),
        (72, 8),
    ] {
        header[at..at + 2].copy_from_slice(&value.to_le_bytes());
    }
    header[108..112].copy_from_slice(&352_f32.to_le_bytes());
    header[344..348].copy_from_slice(b"n+1\0");
    fs::write(file(12), header).unwrap();
    // Another case's mask lies elsewhere.
    fs::copy(file(1), file(16)).unwrap();
    // A reference copied as a prediction.
    let truth = study.folder().join("labelsTs/canary-20.nii.gz");
    fs::copy(truth, file(20)).unwrap();

    let answer = study.measure("standard", &PATTERNS).expect(0);
    let findings = answer.data()["findings"].clone();
    let found: Vec<(&str, u64)> = findings
        .as_array()
        .unwrap()
        .iter()
        .map(|one| (one["what"].as_str().unwrap(), one["rows"].as_u64().unwrap()))
        .collect();
    assert_eq!(
        found,
        [
            ("the file is missing", 1),
            ("larger than this site's limit", 1),
            ("not a kind of file that is read here", 1),
            ("the file ends too early", 1),
            ("truth and prediction lie in different spaces", 1),
            // Four pairs of masks stand for all cases.
            ("the same file as an earlier case's", 56),
            ("the same file as an earlier case's", 50),
            ("the prediction is the reference's own file", 1),
        ]
    );
    let hint = findings[0]["hint"].as_str().unwrap();
    assert!(
        hint.contains("canary-3.nii.gz"),
        "the site sees which: {hint}"
    );
    let release = fs::read_to_string(study.folder().join("release.json")).unwrap();
    assert!(!release.contains("canary") && !release.contains(".nii"));
}

#[test]
fn a_pattern_needs_its_columns_and_two_sources() {
    let study = many();
    let wrong = [
        "--map",
        "truth=labelsTs/{pateint}.nii.gz",
        PATTERNS[2],
        PATTERNS[3],
    ];
    let answer = study.measure("standard", &wrong);
    assert_ne!(answer.code, Some(0));
    assert!(answer.out.contains("did you mean"), "{}", answer.out);
    let same = [
        "--map",
        "truth=a/{patient}.nii",
        "--map",
        "prediction=a/{patient}.nii",
    ];
    let answer = study.measure("standard", &same);
    assert!(
        answer.out.contains("compared with its own masks"),
        "{}",
        answer.out
    );
}

#[test]
fn no_comparable_mask_at_all_is_an_error_that_says_why() {
    let study = many();
    let nowhere = [
        "--map",
        "truth=nowhere/{patient}.nii.gz",
        PATTERNS[2],
        PATTERNS[3],
    ];
    let answer = study.measure("standard", &nowhere);
    assert_ne!(answer.code, Some(0));
    assert!(
        answer.out.contains("truth: the file is missing (60 rows)"),
        "{}",
        answer.out
    );
}

#[test]
fn the_fingerprint_covers_every_mask() {
    let mut digests = Vec::new();
    for change in [false, true] {
        let study = many();
        if change {
            // The truth in place of the prediction: another mask in the same space.
            let from = study.folder().join("labelsTs/canary-8.nii.gz");
            fs::copy(from, study.folder().join("predictions/canary-8.nii.gz")).unwrap();
        }
        let refused = study
            .with(|protocol| {
                protocol.insert("visibility".to_owned(), "public".into());
                let entry = format!(
                    "site = \"site-a\"\nlicence = \"CC0-1.0\"\nsha256 = \"{}\"",
                    "0".repeat(64)
                );
                let entry: toml::Table = entry.parse().unwrap();
                let list = vec![toml::Value::Table(entry)];
                protocol.insert("public_dataset".to_owned(), toml::Value::Array(list));
            })
            .measure("open-data", &PATTERNS);
        let (_, after) = refused.out.split_once("its digest is ").unwrap();
        digests.push(after[..64].to_owned());
    }
    assert_ne!(digests[0], digests[1]);
}
