//! `fedval sim`: real nodes and a coordinator, under both policies, with tables and with masks.

use std::collections::BTreeSet;
use std::path::{Path, PathBuf};
use std::process::Command;

use harness::{Answer, HOLD_AT, comparable, files, normalised};
use serde_json::Value;

struct Sim {
    _folder: tempfile::TempDir,
    state: PathBuf,
    out: PathBuf,
    answer: Answer,
}

fn simulate(policy: &str) -> Sim {
    simulated("binary", policy)
}

fn simulated(template: &str, policy: &str) -> Sim {
    let folder = tempfile::Builder::new()
        .prefix("fv")
        .tempdir_in("/tmp")
        .unwrap();
    let (state, out) = (folder.path().join("s"), folder.path().join("r"));
    let programs = harness::programs!();
    let mut sim = Command::new(&programs.fedval);
    sim.args(["sim", "--template", template, "--policy", policy]);
    sim.arg("--out").arg(&out);
    sim.arg("--node")
        .arg(&programs.node)
        .arg("--keep")
        .arg(&state);
    Sim {
        answer: Answer::of(&mut sim).expect(0),
        _folder: folder,
        state,
        out,
    }
}

fn fedval(state: &Path, words: &[&str]) -> Answer {
    let mut command = Command::new(harness::programs!().fedval);
    Answer::of(
        command
            .env("FEDVAL_DIR", state.join("coordinator"))
            .args(words),
    )
}

fn site<'a>(report: &'a Value, slug: &str) -> &'a Value {
    let sites = report["study"]["sites"].as_array().unwrap();
    sites.iter().find(|site| site["site"] == slug).unwrap()
}

#[test]
fn two_simulations_differ_in_nothing_but_when_and_under_which_ids() {
    let (one, two) = std::thread::scope(|scope| {
        let one = scope.spawn(|| simulate("open-data"));
        let two = simulate("open-data");
        (one.join().unwrap(), two)
    });
    assert!(comparable(&one.out) == comparable(&two.out));
    let (left, right) = (normalised(&one.out), normalised(&two.out));
    assert_eq!(
        left.keys().collect::<Vec<_>>(),
        right.keys().collect::<Vec<_>>()
    );
    for (name, text) in &left {
        let differs = text
            .lines()
            .zip(right[name].lines())
            .find(|(one, two)| one != two);
        assert_eq!(differs, None, "{name}");
        assert_eq!(text.len(), right[name].len(), "{name}");
    }
    let last = one.answer.err.lines().last().unwrap();
    assert!(last.contains("fedval sim --policy standard"), "{last}");
    assert!(one.answer.out.contains("report.html"));

    // Built twice: the same bytes, and `verify` says so.
    let again = one.state.join("again");
    let round = "heart-disease.r1";
    let out = again.to_str().unwrap();
    let built = fedval(&one.state, &["report", "build", round, "--out", out]);
    built.expect(0);
    assert!(
        files(&one.out) == files(&again),
        "a second build gives other bytes"
    );
    let verify = ["report", "verify", out, "--round", round];
    fedval(&one.state, &verify).expect(0);
    std::fs::write(again.join("counts.csv"), "x").unwrap();
    fedval(&one.state, &verify).expect(1);
}

#[test]
fn under_the_standard_policy_switzerland_withholds_and_there_is_no_pool() {
    let sim = simulate("standard");
    let report: Value =
        serde_json::from_slice(&std::fs::read(sim.out.join("report.json")).unwrap()).unwrap();
    assert_eq!(site(&report, "switzerland")["outcome"], "not-released");
    for released in ["cleveland", "hungarian", "va"] {
        assert_eq!(site(&report, released)["outcome"], "released");
    }
    let analyses = report["study"]["analyses"].as_array().unwrap();
    let primary = serde_json::json!({"outcome": "too-few-sites", "sites": 2, "minimum": 3});
    assert_eq!(analyses[0]["pool"], primary);
    assert!(
        analyses
            .iter()
            .all(|analysis| analysis["pool"]["outcome"] != "pooled")
    );
    let mut estimates = csv::Reader::from_path(sim.out.join("estimates.csv")).unwrap();
    let column = |name: &str| {
        let names = estimates.headers().unwrap().clone();
        names.iter().position(|column| column == name).unwrap()
    };
    let [scope, state, estimate] = ["scope", "state", "estimate"].map(column);
    let pooled: Vec<csv::StringRecord> = estimates
        .records()
        .map(Result::unwrap)
        .filter(|row| &row[scope] == "pooled")
        .collect();
    assert!(!pooled.is_empty());
    for row in pooled {
        assert_eq!((&row[state], &row[estimate]), ("not-computed", ""));
    }
    let html = std::fs::read_to_string(sim.out.join("report.html")).unwrap();
    assert!(html.contains("not released under its own policy"));
    assert!(html.contains("No pool: 2 external hospitals"));
    assert!(
        !html.contains("open-data</"),
        "no stamp of the other policy"
    );
    let switzerland = site(&report, "switzerland");
    assert!(
        switzerland["statistics"]
            .as_array()
            .is_none_or(Vec::is_empty)
    );
}

#[test]
fn a_round_on_masks_tells_nothing_of_a_case() {
    for policy in ["open-data", "standard"] {
        let sim = simulated("segmentation", policy);
        let text = std::fs::read_to_string(sim.out.join("report.json")).unwrap();
        let report: Value = serde_json::from_str(&text).unwrap();
        for slug in ["north", "south", "coast"] {
            let site = site(&report, slug);
            assert_eq!(site["outcome"], "released", "{policy} {slug}");
            if policy == "open-data" {
                // One prediction ends early, one lies elsewhere: two of 120 scans are not analysed.
                let all = site["statistics"].as_array().unwrap();
                let flow = all.iter().find(|one| one["statistic"] == "flow").unwrap();
                assert_eq!(flow["analysed"]["value"], 118, "{slug}");
                assert_eq!(flow["without_prediction"]["value"], 2, "{slug}");
            }
        }
        let pool = &report["study"]["analyses"][0]["pool"];
        assert_eq!(pool["outcome"], "pooled", "{policy}");
        let mean = pool["estimate"].as_f64().unwrap();
        assert!((0.7..0.95).contains(&mean), "{mean}");
        let analyses = report["study"]["analyses"].as_array().unwrap();
        let cpm = analyses
            .iter()
            .find(|one| one["key"]["metric"] == "cpm")
            .unwrap();
        assert_eq!(cpm["pool"]["outcome"], "pooled", "{policy}");
        // What a coordinator has, and what a researcher gets: no name of a file, a scan or a
        // patient, no candidate's place, no number of a single case.
        let names = [
            "truth-0",
            "prediction-0",
            "masks/",
            "S017",
            "P001",
            "2.25.3.",
        ];
        let mut numbers: Vec<Vec<u8>> = Vec::new();
        let listed = std::fs::read_to_string(sim.state.join("north/candidates.csv")).unwrap();
        let places = listed.lines().skip(1).map(|row| {
            let mut cells = row.split(',').skip(1);
            let place: Vec<&str> = cells.by_ref().take(3).collect();
            place.join(",").into_bytes()
        });
        numbers.extend(places);
        for number in of_single_cases(&sim.state.join("north")) {
            numbers.push(number.to_string().into_bytes());
            numbers.push(number.to_le_bytes().to_vec());
        }
        assert!(numbers.len() > 900, "{}", numbers.len());
        // Found by how they begin: there are too many to look for each.
        let starts: BTreeSet<&[u8]> = numbers.iter().map(|number| &number[..8]).collect();
        for folder in [sim.state.join("coordinator"), sim.out.clone()] {
            for (name, bytes) in everything(&folder) {
                for canary in names {
                    let mut windows = bytes.windows(canary.len());
                    let found = windows.any(|window| window == canary.as_bytes());
                    assert!(!found, "{policy}: {canary} stands in {name}");
                }
                let hits = bytes.windows(8).enumerate();
                for (at, _) in hits.filter(|(_, window)| starts.contains(window)) {
                    let mut all = numbers.iter();
                    let found = all.find(|number| bytes[at..].starts_with(number));
                    let found = found.map(|number| String::from_utf8_lossy(number));
                    assert_eq!(found, None, "{policy}: stands in {name}");
                }
            }
        }
    }
}

/// Measurements of the cases of a site that nobody could meet by chance, as the site's own data
/// check keeps them.
fn of_single_cases(site: &Path) -> Vec<f64> {
    let mut check = Command::new(harness::programs!().node);
    check.arg("--config").arg(site.join("node.toml"));
    Answer::of(check.args(["data", "check", "simulated-masks"])).expect(0);
    let mut numbers = Vec::new();
    for (_, bytes) in everything(site) {
        for line in bytes.split(|byte| *byte == b'\n') {
            let line: Value = serde_json::from_slice(line).unwrap_or_default();
            let cases = line["answer"]["case"].as_array().into_iter().flatten();
            for case in cases.flat_map(|models| models.as_array().unwrap()) {
                let both = case["both"].as_object().into_iter().flatten();
                numbers.extend(both.filter_map(|(_, value)| value.as_f64()));
            }
        }
    }
    numbers.retain(|number| number.to_string().len() > 12);
    numbers
}

/// Every file below a folder, by its path.
fn everything(folder: &Path) -> Vec<(String, Vec<u8>)> {
    let mut found = Vec::new();
    for entry in std::fs::read_dir(folder).unwrap() {
        let path = entry.unwrap().path();
        if path.is_dir() {
            found.extend(everything(&path));
        } else if path.is_file() {
            let bytes = std::fs::read(&path).unwrap();
            found.push((path.display().to_string(), bytes));
        }
    }
    assert!(!found.is_empty());
    found
}

#[test]
fn eight_hospitals_show_together_what_each_hides() {
    let sim = simulated("screening", "standard");
    let bytes = std::fs::read(sim.out.join("report.json")).unwrap();
    let report: Value = serde_json::from_slice(&bytes).unwrap();
    let masked = &report["study"]["masked"];
    assert_eq!(masked["outcome"], "opened", "{masked}");
    assert_eq!(masked["survivors"].as_array().unwrap().len(), 8);
    for table in masked["tables"].as_array().unwrap() {
        assert_eq!(table["true_positive"]["state"], "value", "{table}");
    }
    let tables = |site: &Value| {
        let statistics = site["statistics"].as_array().unwrap().clone();
        statistics
            .into_iter()
            .filter(|one| one["statistic"] == "confusion")
    };
    let sites = report["study"]["sites"].as_array().unwrap();
    let hidden = sites.iter().flat_map(tables);
    let hidden = hidden.filter(|one| one["true_positive"]["state"] == "suppressed");
    assert!(hidden.count() > 8, "hospitals show their tables alone");
    let merged = report["study"]["merged"].as_array().unwrap();
    assert!(merged.iter().all(|curve| curve["site"] != Value::Null));
    assert!(masked["curves"][0]["points"].as_array().unwrap().len() > 10);
    let html = std::fs::read_to_string(sim.out.join("report.html")).unwrap();
    assert!(html.contains("All hospitals together (masked sums)"));
    assert_eq!(html.matches("Source: the masked sum").count(), 4);
    assert!(html.contains("Simulated data"));
}

#[test]
fn a_site_sees_how_far_its_images_are_read() {
    let folder = tempfile::Builder::new()
        .prefix("fv")
        .tempdir_in("/tmp")
        .unwrap();
    let (state, go) = (folder.path().join("s"), folder.path().join("go"));
    let programs = harness::programs!();
    let mut sim = Command::new(&programs.fedval);
    sim.args(["sim", "--template", "segmentation", "--out"]);
    sim.arg(folder.path().join("r"))
        .arg("--node")
        .arg(&programs.node);
    sim.arg("--keep").arg(&state);
    sim.env(HOLD_AT, format!("node.image.read={}", go.display()));
    std::thread::scope(|scope| {
        let answer = scope.spawn(|| Answer::of(&mut sim));
        let node = |words: &[&str]| {
            let mut command = Command::new(&programs.node);
            command.arg("--config").arg(state.join("north/node.toml"));
            Answer::of(command.args(words))
        };
        let mut list = String::new();
        for _ in 0..3000 {
            if state.join("north/node.toml").exists() {
                list = node(&["job", "list"]).out;
            }
            if list.contains("images:") || answer.is_finished() {
                break;
            }
            std::thread::sleep(std::time::Duration::from_millis(20));
        }
        let status = node(&["status"]).out;
        std::fs::write(&go, "").unwrap();
        assert!(list.contains("images: 0 of 120 cases read"), "{list}");
        assert!(status.contains("0 of 120 cases read for"), "{status}");
        answer.join().unwrap().expect(0);
        let status = node(&["status", "--format", "json"]).expect(0).data();
        assert!(status["reading"].is_null(), "{status}");
    });
}
