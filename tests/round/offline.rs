//! Files without a server: the same numbers as the round, and a changed study fits nothing.

use std::process::Command;

use harness::{Answer, Federation};
use serde_json::Value;

use crate::consortium;

const EXTERNAL: [&str; 3] = ["hungarian", "switzerland", "va"];

fn measure(federation: &Federation, site: &str, study: &str) -> Answer {
    measure_as(federation, (site, "none.toml"), "open-data", study)
}

fn measure_as(
    federation: &Federation,
    (site, config): (&str, &str),
    policy: &str,
    study: &str,
) -> Answer {
    let home = federation.path(site);
    let mut command = Command::new(harness::programs!().node);
    command.current_dir(&home);
    command.arg("--config").arg(home.join(config));
    command.args(["measure", "--policy", policy, "--site", site, "--study"]);
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

/// On a node that takes part in the study: nothing leaves as a file that would not leave as an
/// answer to a job.
#[test]
fn a_file_of_a_study_that_the_node_takes_part_in_is_a_release_like_any_other() {
    let mut federation = consortium(|_| {});
    let try_ = |federation: &Federation, policy: &str| {
        measure_as(federation, ("va", "node.toml"), policy, "study.locked.json")
    };
    let refused = |federation: &Federation, policy: &str, code: &str| {
        let answer = try_(federation, policy).expect(7);
        assert_eq!(answer.json()["error"]["code"], code, "{}", answer.out);
        assert!(!federation.path("va.release.json").exists());
    };
    // Under the site's own policy only, whoever names a file that asks for less.
    refused(&federation, "standard", "FV-POL-003");
    // Of whoever may decide.
    federation.change_site("va", |site| {
        site.approvers = vec!["nobody-here".to_owned()];
    });
    refused(&federation, "policy.toml", "FV-POL-005");
    // Not what two people must approve, nor what somebody must sign.
    federation.change_site("va", |site| {
        *site = site.clone().standard();
        site.approvers = Vec::new();
        site.four_eyes = "first";
    });
    refused(&federation, "policy.toml", "FV-POL-008");
    let key = shared::identity::SigningKey::from_seed(&[3; 32]).public();
    federation.change_site("va", |site| {
        site.four_eyes = "never";
        site.more = format!("[access.keys]\nanna = \"{key}\"\n");
    });
    refused(&federation, "policy.toml", "FV-POL-010");
    federation.change_site("va", |site| site.more = String::new());
    try_(&federation, "policy.toml").expect(0);
    std::fs::remove_file(federation.path("va.release.json")).unwrap();
    // Not after the study was left.
    let leave = ["leave", "heart-disease", "--reason", "the agreement ended"];
    federation.node("va", &leave).expect(0);
    refused(&federation, "policy.toml", "FV-POL-003");
    let entries = federation.node("va", &["ledger", "list"]).expect(0).data();
    let entries = entries.as_array().unwrap().iter();
    let events: Vec<&str> = entries
        .map(|entry| entry["event"]["event"].as_str().unwrap())
        .collect();
    assert_eq!(events, ["measured", "left"]);
}
