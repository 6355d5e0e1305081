//! A stop in the middle of many images: what was finished is not measured again, the release is
//! the same byte by byte, and the node's limits for readers hold.

use std::fs;
use std::path::PathBuf;

use harness::{Answer, KILL_AT};

use crate::study::{Study, fixtures};

const CASES: usize = 60;

/// Cases whose files are all different, at a node with a state directory of its own.
fn at_a_node(cases: usize, imaging: &str) -> Study {
    let study = Study::new(&[vec![1]], "tolerance_mm = [2.0]");
    let sources = ["organ64", "touchingborder40", "singlevoxel24", "speckle64"];
    let mut rows = Vec::new();
    for case in 0..cases {
        let source = sources[case % sources.len()];
        let mut row = [format!("P{case}"), String::new(), String::new()];
        for (which, cell) in ["truth", "prediction"].iter().zip(&mut row[1..]) {
            let from = fixtures().join(format!("synthetic/{source}_{which}.nii.gz"));
            let mut bytes = fs::read(from).unwrap();
            // When it was packed stands in a gzip file, and nowhere in what it holds.
            bytes[4] = u8::try_from(case).unwrap();
            *cell = format!("{which}-{case}.nii.gz");
            fs::write(study.folder().join(&*cell), bytes).unwrap();
        }
        rows.push(row);
    }
    study.table(&rows);
    let config = format!(
        "config_version = 1\n[site]\nslug = \"site-a\"\n[storage]\ndir = \"state\"\n{imaging}"
    );
    fs::write(study.folder().join("node.toml"), config).unwrap();
    study
}

fn journals(study: &Study) -> Vec<PathBuf> {
    let Ok(entries) = fs::read_dir(study.folder().join("state/reading")) else {
        return Vec::new();
    };
    entries.map(|entry| entry.unwrap().path()).collect()
}

fn release(study: &Study) -> Vec<u8> {
    fs::read(study.folder().join("release.json")).unwrap()
}

#[test]
fn a_stop_repeats_no_finished_case_and_changes_no_byte() {
    let study = at_a_node(CASES, "");
    let measuring = || study.measuring("standard", "node.toml", &[]);
    let quiet = Answer::of(&mut measuring()).expect(0);
    assert!(!quiet.err.contains("before the last stop"), "{}", quiet.err);
    assert_eq!(journals(&study).len(), 0, "nothing stays once it is done");
    let undisturbed = release(&study);
    fs::remove_file(study.folder().join("release.json")).unwrap();

    let killed = Answer::of(measuring().env(KILL_AT, "node.image.kept#25"));
    assert_eq!(killed.code, None, "{}", killed.err);
    let [journal] = journals(&study).try_into().unwrap();
    let text = fs::read_to_string(&journal).unwrap();
    assert_eq!(text.lines().count(), 25);
    assert!(!text.contains("nii") && !text.contains("P1"), "no names");
    // What a second stop cuts short is measured again.
    fs::write(&journal, &text[..text.len() - 40]).unwrap();

    let again = Answer::of(&mut measuring()).expect(0);
    let told = "images: 60 of 60 cases, 24 of them from before the last stop";
    assert!(again.err.contains(told), "{}", again.err);
    assert!(release(&study) == undisturbed);
    assert_eq!(journals(&study).len(), 0);
}

#[test]
fn what_was_kept_under_other_conventions_or_of_other_files_is_not_used() {
    let study = at_a_node(CASES, "");
    let kill = "node.image.kept#30";
    Answer::of(
        study
            .measuring("standard", "node.toml", &[])
            .env(KILL_AT, kill),
    );
    assert_eq!(journals(&study).len(), 1);
    let study = study.with(|protocol| {
        let plan: toml::Table = "tolerance_mm = [3.0]".parse().unwrap();
        protocol.insert("segmentation".to_owned(), plan.into());
    });
    let other = Answer::of(&mut study.measuring("standard", "node.toml", &[])).expect(0);
    assert!(!other.err.contains("before the last stop"), "{}", other.err);
    assert_eq!(journals(&study).len(), 1, "the first journal still waits");

    let study = study.with(|protocol| {
        let plan: toml::Table = "tolerance_mm = [2.0]".parse().unwrap();
        protocol.insert("segmentation".to_owned(), plan.into());
    });
    // Every prediction becomes its truth: no case is what it was.
    for case in 0..CASES {
        let path = |which: &str| study.folder().join(format!("{which}-{case}.nii.gz"));
        fs::copy(path("truth"), path("prediction")).unwrap();
    }
    let changed = Answer::of(&mut study.measuring("standard", "node.toml", &[])).expect(0);
    assert!(
        !changed.err.contains("before the last stop"),
        "{}",
        changed.err
    );
}

#[test]
fn readers_keep_to_the_sites_limits() {
    // 64^3 voxels are one too many; half of the cases are of that size.
    let study = at_a_node(104, "[imaging]\nreaders = 1\nmax_voxels = 262143\n");
    let answer = Answer::of(&mut study.measuring("standard", "node.toml", &[])).expect(0);
    let findings = answer.data()["findings"].clone();
    let first = &findings[0];
    assert_eq!(first["what"], "larger than this site's limit");
    assert_eq!(first["rows"], 52);

    let wrong = "config_version = 1\n[site]\nslug = \"site-a\"\n[imaging]\nmemory_mb = 10\n";
    fs::write(study.folder().join("node.toml"), wrong).unwrap();
    let answer = Answer::of(&mut study.measuring("standard", "node.toml", &[])).expect(78);
    assert!(
        answer.out.contains("[imaging] memory_mb is 10"),
        "{}",
        answer.out
    );
}
