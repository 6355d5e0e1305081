//! Attacks by several releases of one hospital, through the node's own program. What one release
//! alone may say, two or three of them together may not: cohorts a few patients apart, a table with
//! one patient more or one value changed, three groups of which a fourth follows. Without a state
//! directory the program remembers nothing, and each attack succeeds.
//!
//! From: `configs/examples/heart`.
//! To: nothing.

use std::fs;
use std::process::Command;

use harness::Answer;
use serde_json::Value;

const STUDY: &str = include_str!("../../configs/examples/heart/study.toml");
const TABLE: &str = include_str!("../../configs/examples/heart/data/cleveland.csv");

/// A hospital with its table, and whether it remembers what it released.
struct Hospital {
    folder: tempfile::TempDir,
    remembers: bool,
}

/// One row of the table, cell by cell.
type Row = Vec<String>;

fn table() -> Vec<Row> {
    let lines = TABLE.lines().skip(1);
    lines
        .map(|line| line.split(',').map(str::to_owned).collect())
        .collect()
}

fn age(row: &Row) -> u32 {
    row[1].parse().unwrap()
}

fn event(row: &Row) -> bool {
    row[6] == "1"
}

/// Copies of rows as new patients.
fn newcomers(rows: &[Row], holds: impl Fn(&Row) -> bool, count: usize) -> Vec<Row> {
    let chosen = rows.iter().filter(|row| holds(row)).take(count);
    let renamed = chosen.enumerate().map(|(index, row)| {
        let mut row = row.clone();
        row[0] = format!("new{index}{}", row[6]);
        row
    });
    renamed.collect()
}

/// The heart study, asked of patients from `from` to before `to` years.
fn aged(from: u32, to: u32) -> String {
    let term =
        |op: &str, value: u32| format!("{{ field = \"age\", op = \"{op}\", value = {value} }}");
    let include = format!("include = [{}, {}]", term("ge", from), term("lt", to));
    let bands = "bands = [0, 45, 55, 65, 120]";
    assert!(STUDY.contains(bands));
    // The constants of eligibility are edges of bands, which this requester therefore declares.
    let study = STUDY.replace(
        bands,
        "bands = [0, 45, 52, 55, 60, 62, 63, 65, 70, 71, 120]",
    );
    study.replace("include = []", &include)
}

impl Hospital {
    fn new(remembers: bool) -> Self {
        let folder = tempfile::tempdir().unwrap();
        let config =
            "config_version = 1\n[site]\nslug = \"cleveland\"\n[storage]\ndir = \"state\"\n";
        fs::write(folder.path().join("node.toml"), config).unwrap();
        Self { folder, remembers }
    }

    fn ask(&self, study: &str, rows: &[Row]) -> Answer {
        let head = TABLE.lines().next().unwrap();
        let rows = rows.iter().map(|row| row.join(","));
        let lines: Vec<String> = std::iter::once(head.to_owned()).chain(rows).collect();
        self.ask_lines(study, &lines)
    }

    fn ask_lines(&self, study: &str, lines: &[String]) -> Answer {
        let file = |name: &str| self.folder.path().join(name);
        fs::write(file("study.toml"), study).unwrap();
        fs::write(file("table.csv"), lines.join("\n") + "\n").unwrap();
        let config = if self.remembers {
            "node.toml"
        } else {
            "none.toml"
        };
        let mut command = Command::new(env!("CARGO_BIN_EXE_fedval-node-under-test"));
        command.current_dir(self.folder.path());
        command.args(["measure", "--study", "study.toml", "--data", "table.csv"]);
        command.args([
            "--site",
            "cleveland",
            "--policy",
            "standard",
            "--format",
            "json",
        ]);
        command.args(["--out", "release.json", "--config", config]);
        Answer::of(&mut command)
    }

    /// The release, which must be one.
    fn release(&self, study: &str, rows: &[Row]) -> Value {
        self.ask(study, rows).expect(0);
        let bytes = fs::read(self.folder.path().join("release.json")).unwrap();
        serde_json::from_slice(&bytes).unwrap()
    }

    /// Why there is none.
    fn refusal(&self, study: &str, rows: &[Row]) -> String {
        let answer = self.ask(study, rows).expect(7);
        let error = answer.json()["error"].clone();
        assert_eq!(error["code"], "FV-POL-003");
        error["why"].as_str().unwrap().to_owned()
    }
}

/// The area under the curve of the first model, as it was released.
fn auc(release: &Value) -> f64 {
    let all = release["statistics"].as_array().unwrap();
    let one = all.iter().find(|one| one["statistic"] == "auc").unwrap();
    one["auc"]["value"]
        .as_f64()
        .unwrap_or_else(|| panic!("{one}"))
}

#[test]
fn the_same_question_on_the_same_table_has_the_same_answer() {
    let hospital = Hospital::new(true);
    let rows = table();
    let first = hospital.release(STUDY, &rows);
    let mut turned = rows;
    turned.reverse();
    let again = hospital.release(STUDY, &turned);
    assert_eq!(first["statistics"], again["statistics"]);
}

#[test]
fn one_patient_more_is_not_told_by_a_difference() {
    let rows = table();
    let mut more = rows.clone();
    more.extend(newcomers(&rows, event, 1));
    // Without memory the two areas differ, and the difference is the newcomer's rank.
    let forgetful = Hospital::new(false);
    let areas = [&rows, &more].map(|rows| auc(&forgetful.release(STUDY, rows)));
    assert_ne!(areas[0], areas[1]);

    let hospital = Hospital::new(true);
    hospital.release(STUDY, &rows);
    let why = hospital.refusal(STUDY, &more);
    assert!(
        why.contains("an earlier release differ by 1 patients"),
        "{why}"
    );
    // One patient fewer is as bad.
    let why = hospital.refusal(STUDY, &rows[1..]);
    assert!(why.contains("differ by 1 patients"), "{why}");
    // Ten of one class are still none of the other; ten of each are enough.
    let mut one_class = rows.clone();
    one_class.extend(newcomers(&rows, event, 10));
    hospital.release(STUDY, &one_class);
    let mut both = one_class.clone();
    both.extend(newcomers(&rows, |row| !event(row), 12));
    hospital.release(STUDY, &both);
}

#[test]
fn stepping_the_age_limit_isolates_nobody_in_any_study() {
    let rows = table();
    let few = rows.iter().filter(|row| age(row) == 70).count();
    assert!((1..10).contains(&few), "{few}");
    let forgetful = Hospital::new(false);
    let areas = [70, 71].map(|to| auc(&forgetful.release(&aged(0, to), &rows)));
    assert_ne!(areas[0], areas[1]);

    let hospital = Hospital::new(true);
    hospital.release(&aged(0, 70), &rows);
    let why = hospital.refusal(&aged(0, 71), &rows);
    assert!(why.contains("an earlier release"), "{why}");
    // Another study, of another consortium, asks about the same patients.
    let other = aged(0, 71).replace("heart-disease", "another-study");
    let why = hospital.refusal(&other, &rows);
    assert!(why.contains("an earlier release"), "{why}");
    // A step that is wide enough is allowed.
    hospital.release(&aged(0, 60), &rows);
}

#[test]
fn a_few_changed_values_are_not_told_and_many_are() {
    let rows = table();
    let changed = |count: usize| {
        let mut rows = rows.clone();
        for row in rows.iter_mut().take(count) {
            let wrong = if event(row) { "0.01" } else { "0.99" };
            row[8..10].fill(wrong.to_owned());
        }
        rows
    };
    let forgetful = Hospital::new(false);
    let areas = [0, 1].map(|count| auc(&forgetful.release(STUDY, &changed(count))));
    assert_ne!(areas[0], areas[1]);

    let hospital = Hospital::new(true);
    hospital.release(STUDY, &rows);
    let why = hospital.refusal(STUDY, &changed(1));
    assert!(
        why.contains("rule L5") && why.contains(" 1 patient "),
        "{why}"
    );
    let why = hospital.refusal(STUDY, &changed(9));
    assert!(
        why.contains("rule L5") && why.contains(" patients than"),
        "{why}"
    );
    hospital.release(STUDY, &changed(40));
    // What was refused is not spoken about, what was released is: back to the first is 40 again.
    hospital.release(STUDY, &rows);
}

#[test]
fn another_list_of_bands_or_fields_hides_no_changed_value() {
    let rows = table();
    let mut changed = rows.clone();
    changed[0][8..10].fill("0.99".to_owned());
    // The same patients, asked with one more band, and by another study.
    let bands = "bands = [0, 45, 55, 65, 120]";
    let other = STUDY.replace(bands, "bands = [0, 45, 55, 65, 99, 120]");
    let other = other.replace("heart-disease", "another-study");
    let hospital = Hospital::new(true);
    hospital.release(STUDY, &rows);
    let why = hospital.refusal(&other, &changed);
    assert!(why.contains("rule L5"), "{why}");
    hospital.release(&other, &rows);
}

#[test]
fn a_sensitivity_analysis_is_compared_like_any_other_set() {
    // The set of those of 45 years and more, and that of 46 and more: between them are a few
    // patients.
    let with = |limit: u32| {
        let bands = "bands = [0, 45, 55, 65, 120]";
        let study = STUDY.replace(bands, "bands = [0, 45, 46, 55, 65, 120]");
        let old = "op = \"lt\", value = 45 }";
        assert!(study.contains(old), "{study}");
        study.replace(old, &format!("op = \"lt\", value = {limit} }}"))
    };
    let said = |release: &Value| {
        let all = release["statistics"].as_array().unwrap().iter();
        let of = all.filter(|one| one["key"]["sensitivity"].is_string());
        of.filter(|one| one["value"]["state"] == "rounded").count()
    };
    let rows = table();
    let forgetful = Hospital::new(false);
    let told = [45, 46].map(|limit| said(&forgetful.release(&with(limit), &rows)));
    assert!(told[0] > 0 && told[0] == told[1], "{told:?}");
    let hospital = Hospital::new(true);
    assert_eq!(said(&hospital.release(&with(45), &rows)), told[0]);
    assert!(said(&hospital.release(&with(46), &rows)) < told[0]);
}

#[test]
fn patients_with_several_cases_are_no_false_alarm() {
    // Every tenth patient has a second case of the other class.
    let study = STUDY
        .replace("unit = \"patient\"", "unit = \"case\"")
        .replace("cluster = \"case_id\"", "cluster = \"patient\"");
    let study = study.replace(
        "[[field]]\nname = \"case_id\"",
        "[[field]]\nname = \"patient\"\nkind = \"identifier\"\nrequired = true\n\n[[field]]\nname = \"case_id\"",
    );
    let hospital = Hospital::new(true);
    let rows = table();
    let mut lines = vec![format!("patient,{}", TABLE.lines().next().unwrap())];
    for (index, row) in rows.iter().enumerate() {
        lines.push(format!("p{index},{}", row.join(",")));
        if index % 60 == 0 {
            let mut second = row.clone();
            second[0] = format!("second{index}");
            second[6] = if event(row) { "0" } else { "1" }.to_owned();
            lines.push(format!("p{index},{}", second.join(",")));
        }
    }
    let answer = hospital.ask_lines(&study, &lines);
    answer.expect(0);
    // The same once more speaks about nobody new.
    hospital.ask_lines(&study, &lines).expect(0);
}

#[test]
fn three_cohorts_of_which_a_few_patients_follow_are_one_too_many() {
    let rows = table();
    // Everybody below 63, those below 52, and those from 52 to below 62: what is left are the
    // patients of 62 years, too few to be spoken about.
    let left = rows.iter().filter(|row| age(row) == 62).count();
    let few = |class: bool| {
        rows.iter()
            .filter(|row| age(row) == 62 && event(row) == class)
            .count()
    };
    assert!(few(true) < 10 && few(false) < 10 && left > 0, "{left}");
    // Who forgets tells all three.
    let forgetful = Hospital::new(false);
    for (from, to) in [(0, 52), (52, 62), (0, 63)] {
        forgetful.release(&aged(from, to), &rows);
    }
    let hospital = Hospital::new(true);
    hospital.release(&aged(0, 52), &rows);
    hospital.release(&aged(52, 62), &rows);
    let why = hospital.refusal(&aged(0, 63), &rows);
    assert!(why.contains("rule L3"), "{why}");
    // Each of them alone, and in pairs, is allowed.
    for pair in [[(0, 52), (0, 63)], [(52, 62), (0, 63)]] {
        let hospital = Hospital::new(true);
        for (from, to) in pair {
            hospital.release(&aged(from, to), &rows);
        }
    }
}

#[test]
fn what_was_removed_by_hand_is_missed() {
    let hospital = Hospital::new(true);
    let rows = table();
    hospital.release(STUDY, &rows);
    let verify = || {
        let mut command = Command::new(env!("CARGO_BIN_EXE_fedval-node-under-test"));
        command.current_dir(hospital.folder.path());
        Answer::of(command.args(["--config", "node.toml", "ledger", "verify"]))
    };
    verify().expect(0);
    for change in [
        "DELETE FROM spoken WHERE id = (SELECT min(id) FROM spoken)",
        "DELETE FROM spoken",
    ] {
        let database =
            rusqlite::Connection::open(hospital.folder.path().join("state/node.db")).unwrap();
        database.execute_batch(change).unwrap();
        drop(database);
        let answer = verify();
        assert_ne!(answer.code, Some(0));
        assert!(
            answer.err.contains("FV-LEDGER-001  what ledger entry 1"),
            "{}",
            answer.err
        );
        let mut more = rows.clone();
        more.extend(newcomers(&rows, event, 1));
        let answer = hospital.ask(STUDY, &more);
        assert!(answer.err.contains("FV-LEDGER-001"), "{}", answer.err);
    }
}
