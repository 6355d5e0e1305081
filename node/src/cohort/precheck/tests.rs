//! What a row may hold.
//!
//! From: `precheck`.
//! To: the test run.

use super::*;
use crate::cohort::fixture;

fn run(text: &str) -> (Result<Typed, Vec<Code>>, Vec<Finding>) {
    run_with(text, &TableSource::new("t"), &fixture::study())
}

fn run_with(
    text: &str,
    source: &TableSource,
    study: &StudyProtocol,
) -> (Result<Typed, Vec<Code>>, Vec<Finding>) {
    let (table, selection) = fixture::table(text, source, study);
    let mut findings = Vec::new();
    let typed = check(study, source, &table, &selection, &mut findings)
        .map_err(|faults| faults.into_iter().map(|fault| fault.code).collect());
    (typed, findings)
}

fn codes(text: &str) -> Vec<Code> {
    run(text).0.err().unwrap_or_default()
}

const HEAD: &str = "patient,age,sex,ca,y,p_a,p_b\n";

#[test]
fn a_clean_table_passes_and_repeats_are_marked() {
    let (typed, findings) = run(&format!(
        "{HEAD}a,60,female,1,1,0.5,0.6\nb,61,male,,0,0.4,0.3\na,60,female,1,1,0.50,0.6\n"
    ));
    let typed = typed.unwrap();
    assert_eq!(typed.patient, [0, 1, 0]);
    assert_eq!(typed.duplicate, [false, false, true]);
    let what: Vec<_> = findings
        .iter()
        .map(|one| (one.what.as_str(), one.rows))
        .collect();
    assert_eq!(
        what,
        [
            ("no value", 1),
            ("rows repeat an earlier row word for word", 1)
        ]
    );
}

#[test]
fn every_kind_of_bad_value_has_its_code() {
    for (row, code) in [
        ("a,sixty,female,1,1,0.5,0.6", Code::ValueNotNumber),
        ("a,60.5,female,1,1,0.5,0.6", Code::ValueNotNumber),
        ("a,600,female,1,1,0.5,0.6", Code::ValueOutOfRange),
        ("a,60,unknown,1,1,0.5,0.6", Code::LevelUnknown),
        ("a,60,female,2,1,0.5,0.6", Code::LabelInvalid),
        ("a,60,female,1,yes,0.5,0.6", Code::LabelInvalid),
        ("a,60,female,1,1,1e400,0.6", Code::ValueNotNumber),
        (",60,female,1,1,0.5,0.6", Code::IdentifierInvalid),
    ] {
        let text = format!("{HEAD}z,50,male,0,0,0.1,0.2\n{row}\n");
        assert_eq!(codes(&text), [code], "{row}");
    }
}

#[test]
fn logits_percentages_and_single_slips_are_told_apart() {
    let table = |scores: &[&str]| {
        let mut text = HEAD.to_owned();
        for (row, score) in scores.iter().enumerate() {
            text += &format!("p{row},60,male,1,{},{score},0.5\n", row % 2);
        }
        text
    };
    assert_eq!(
        codes(&table(&["-4.1", "5.7", "0.3"])),
        [Code::LogitsSuspected]
    );
    assert_eq!(
        codes(&table(&["12", "97.5", "0.3"])),
        [Code::ValueOutOfRange]
    );
    let mut slip = vec!["0.5"; 20];
    slip.push("1.2");
    assert_eq!(codes(&table(&slip)), [Code::ValueOutOfRange]);
}

#[test]
fn contradictions_are_faults() {
    let first = "a,60,female,1,1,0.5,0.6";
    for (second, code) in [
        ("a,60,female,1,0,0.5,0.6", Code::OutcomeConflict),
        ("a,61,female,1,1,0.5,0.6", Code::CaseConflict),
        ("a,60,female,1,,0.5,0.6", Code::CaseConflict),
        ("A,60,female,1,1,0.5,0.6", Code::IdentifierInvalid),
    ] {
        assert_eq!(
            codes(&format!("{HEAD}{first}\n{second}\n")),
            [code],
            "{second}"
        );
    }
}

#[test]
fn several_cases_of_a_patient_share_the_truth_only_when_the_unit_is_the_patient() {
    let text =
        "case,patient,age,sex,ca,y,p_a,p_b\n1,a,60,female,1,1,0.5,0.6\n2,a,60,female,1,0,0.2,0.1\n";
    let mut source = TableSource::new("t");
    source.key = Some("case".to_owned());
    let mut study = fixture::study();
    let codes = run_with(text, &source, &study).0.err().unwrap();
    assert_eq!(codes, [Code::OutcomeConflict]);
    study.eligibility.unit = "lesion".to_owned();
    let typed = run_with(text, &source, &study).0.unwrap();
    assert_eq!((typed.patients, typed.duplicate), (1, vec![false, false]));
}
