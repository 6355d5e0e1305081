//! What `fedval-node data check` says of a table and its files that do not fit together.

use std::fs;
use std::process::Command;

use harness::Answer;
use serde_json::Value;

use crate::study::{Study, fixtures};

/// The data check of a study, at a node that maps its table.
fn checked(study: &Study) -> Value {
    study.measuring("standard", "none.toml", &[]);
    let config = "config_version = 1\n[site]\nslug = \"site-a\"\n[storage]\ndir = \"state\"\n\
        [study.masks.table]\npath = \"manifest.csv\"\nkey = \"case\"\ncluster = \"patient\"\n";
    let protocol = fs::read_to_string(study.folder().join("study.toml")).unwrap();
    let protocol: toml::Table = protocol.parse().unwrap();
    let slug = protocol["slug"].as_str().unwrap();
    let config = config.replace("masks", slug);
    fs::write(study.folder().join("node.toml"), config).unwrap();
    let mut command = Command::new(env!("CARGO_BIN_EXE_fedval-node-under-test"));
    command.current_dir(study.folder());
    command.args(["data", "check", slug, "--protocol", "study.toml"]);
    command.args(["--config", "node.toml", "--format", "json"]);
    Answer::of(&mut command).expect(0).data()
}

fn found(data: &Value) -> Vec<(String, u64)> {
    let findings = data["findings"].as_array().unwrap().iter();
    let one = |one: &Value| {
        let what = one["what"].as_str().unwrap().to_owned();
        (what, one["rows"].as_u64().unwrap())
    };
    findings.map(one).collect()
}

#[test]
fn table_files_and_identifiers_are_reconciled() {
    let study = Study::new(&[vec![1]], "tolerance_mm = [2.0]");
    let folder = study.folder().to_owned();
    fs::create_dir(folder.join("masks")).unwrap();
    let mut rows = "case,patient,truth,prediction,image\n".to_owned();
    for case in 0..14 {
        for which in ["truth", "prediction"] {
            let from = fixtures().join(format!("synthetic/speckle64_{which}.nii.gz"));
            let mut bytes = fs::read(from).unwrap();
            bytes[4] = case;
            fs::write(
                folder.join(format!("masks/{which}-{case:02}.nii.gz")),
                bytes,
            )
            .unwrap();
        }
        // Two masks stand in no row.
        if case >= 12 {
            continue;
        }
        let image = |file: &str| fixtures().join(file).display().to_string();
        let image = match case {
            // One scan under two patients, and an own one for the second of them.
            0 | 1 => image("pydicom/CT_small.dcm"),
            2 => image("pydicom/MR_small.dcm"),
            _ => String::new(),
        };
        let patient = if case == 2 { 1 } else { case };
        rows.push_str(&format!(
            "C{case:02},P{patient},masks/truth-{case:02}.nii.gz,masks/prediction-{case:02}.nii.gz,{image}\n"
        ));
    }
    fs::write(folder.join("manifest.csv"), rows).unwrap();
    let data = checked(&study);
    assert_eq!((&data["rows"], &data["cases"]), (&12.into(), &12.into()));
    assert_eq!(data["patients"], 11);
    let truth = &data["files"][0];
    assert_eq!(
        (&truth["named"], &truth["usable"]),
        (&12.into(), &12.into())
    );
    let found = found(&data);
    for expected in [
        (
            "images of one patient stand under several patients of the table",
            2,
        ),
        ("one patient of the table has images of several patients", 2),
        ("the same series as an earlier row's", 1),
        ("files beside the named ones that no row names", 2),
    ] {
        let expected = (expected.0.to_owned(), expected.1);
        assert!(found.contains(&expected), "{expected:?} in {found:?}");
    }
    let hint = data.to_string();
    assert!(hint.contains("masks/truth-12.nii.gz, "), "{hint}");
    // The check is kept for the job that follows.
    assert_eq!(
        fs::read_dir(folder.join("state/reading")).unwrap().count(),
        1
    );
}

#[test]
fn a_patient_under_two_levels_and_a_compression_are_named() {
    let study = Study::new(&[vec![1]], "tolerance_mm = [2.0]").with(|protocol| {
        let field: toml::Table =
            "name = \"sex\"\nkind = \"category\"\nlevels = [\"female\", \"male\"]"
                .parse()
                .unwrap();
        let fields = protocol["field"].as_array_mut().unwrap();
        fields.push(field.into());
    });
    let folder = study.folder().to_owned();
    let compressed = fixtures().join("pydicom/JPEG-lossy.dcm");
    let mut rows = "case,patient,truth,prediction,image,sex\n".to_owned();
    for case in 0..12 {
        let path = |which: &str| fixtures().join(format!("synthetic/speckle64_{which}.nii.gz"));
        let prediction = if case == 7 {
            compressed.clone()
        } else {
            path("prediction")
        };
        let sex = if case == 1 { "male" } else { "female" };
        rows.push_str(&format!(
            "C{case},P{},{},{},,{sex}\n",
            case / 2,
            path("truth").display(),
            prediction.display()
        ));
    }
    fs::write(folder.join("manifest.csv"), rows).unwrap();
    let data = checked(&study);
    let found = found(&data);
    assert!(
        found.contains(&("rows of patients with two levels".to_owned(), 2)),
        "{found:?}"
    );
    let refused = "stored with a compression that is not read here".to_owned();
    assert!(found.contains(&(refused, 1)), "{found:?}");
    assert!(data.to_string().contains("1.2.840.10008.1.2.4"), "{data}");
    let prediction = &data["files"][1];
    assert_eq!(
        (&prediction["named"], &prediction["usable"]),
        (&12.into(), &11.into())
    );
}
