//! Files without a server: the same numbers as the round, and a changed study fits nothing.

use std::process::Command;

use harness::{Answer, Federation};
use serde_json::Value;

use crate::consortium;

const EXTERNAL: [&str; 3] = ["hungarian", "switzerland", "va"];

fn measure(federation: &Federation, site: &str, study: &str) -> Answer {
    let home = federation.path(site);
    let mut command = Command::new(harness::programs!().node);
    command.arg("--config").arg(home.join("none.toml"));
    command.args([
        "measure",
        "--policy",
        "open-data",
        "--site",
        site,
        "--study",
    ]);
    command
        .arg(federation.path(study))
        .arg("--data")
        .arg(home.join("predictions.csv"));
    command
        .arg("--out")
        .arg(federation.path(&format!("{site}.release.json")));
    Answer::of(command.args(["--format", "json"]))
}

fn pool(federation: &Federation, study: &str, out: &str) -> Answer {
    let mut command = Command::new(harness::programs!().fedval);
    command.arg("pool");
    for site in EXTERNAL {
        command.arg(federation.path(&format!("{site}.release.json")));
    }
    command.arg("--study").arg(federation.path(study));
    Answer::of(
        command
            .arg("--out")
            .arg(federation.path(out))
            .args(["--format", "json"]),
    )
}

/// The pooled numbers of a report, by name.
fn pooled(federation: &Federation, report: &str) -> (Value, Vec<Value>) {
    let text = std::fs::read(federation.path(report).join("report.json")).unwrap();
    let report: Value = serde_json::from_slice(&text).unwrap();
    let analyses = report["study"]["analyses"].as_array().unwrap().iter();
    let pools = analyses.map(|analysis| analysis["pool"].clone()).collect();
    (report["study"].clone(), pools)
}

#[test]
fn three_files_pool_to_the_numbers_of_the_round() {
    let mut federation = consortium(|_| {});
    federation.start();
    federation.launch();
    federation.wait();
    federation.close(0);
    federation.report("report");
    for site in EXTERNAL {
        measure(&federation, site, "study.locked.json").expect(0);
    }
    pool(&federation, "study.locked.json", "pooled").expect(0);
    let (round, by_round) = pooled(&federation, "report");
    let (files, by_files) = pooled(&federation, "pooled");
    assert!(
        by_round
            .iter()
            .filter(|pool| pool["outcome"] == "pooled")
            .count()
            > 3
    );
    assert!(by_round == by_files, "the pools differ");
    assert_eq!(
        (&round["signed"], &files["signed"]),
        (&Value::Bool(true), &Value::Bool(false))
    );
    let html = std::fs::read_to_string(federation.path("pooled/report.html")).unwrap();
    assert!(
        html.contains("nsigned"),
        "the report is not marked as unsigned"
    );
    let rows = |report: &str| -> Vec<String> {
        let text = std::fs::read_to_string(federation.path(report).join("meta_input.csv"));
        let rows = text.unwrap();
        let external = |row: &&str| row.contains(",external,");
        rows.lines().filter(external).map(str::to_owned).collect()
    };
    assert_eq!(rows("report"), rows("pooled"));

    // One byte of the locked study: the files no longer belong to it.
    let locked = std::fs::read_to_string(federation.path("study.locked.json")).unwrap();
    let changed = locked.replacen("Cleveland only", "Cleveland  nly", 1);
    assert_ne!(locked, changed);
    std::fs::write(federation.path("changed.json"), &changed).unwrap();
    pool(&federation, "changed.json", "never").expect(1);
    let path = federation.path("changed.json");
    let launch = federation.fedval(&["round", "launch", path.to_str().unwrap(), "--round", "x.r9"]);
    assert_ne!(launch.code, Some(0));
    assert_eq!(
        launch.json()["error"]["code"],
        "FV-STUDY-004",
        "{}",
        launch.out
    );
}
