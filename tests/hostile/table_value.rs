//! Bad values, keys, labels and subgroups.
//!
//! From: `node::cohort`.
//! To: the test run.

use harness::load;
use node::cohort::{TableSource, Transform};
use shared::fault::Code;
use shared::statistic::cases::Exclusion;

use super::{
    HEAD, assert_faults, excluded, loaded, read, refused, rows, study, text, with_cell,
    with_column, with_row, write,
};

#[test]
fn formulas() {
    for cell in [
        "=cmd()",
        "=1+1",
        "@SUM(decision A1)",
        "\"=HYPERLINK(\"\"x\"\",\"\"y\"\")\"",
    ] {
        let said = refused(with_cell("p_b", cell), Code::ValueNotNumber);
        assert!(said.contains("line 7"), "{said}");
        refused(with_cell("case_id", cell), Code::IdentifierInvalid);
        refused(with_cell("sex", cell), Code::LevelUnknown);
        refused(with_cell("y", cell), Code::LabelInvalid);
    }
}

#[test]
fn decimal_comma_and_thousands() {
    let said = refused(with_cell("p_b", "\"0,5\""), Code::ValueNotNumber);
    assert!(said.contains("decimal comma"), "{said}");
    refused(with_cell("p_b", "\"1,234.5\""), Code::ValueNotNumber);
    refused(with_cell("age", "1 234"), Code::ValueNotNumber);
    // Unquoted, the comma makes two cells.
    refused(with_cell("p_b", "0,5"), Code::TableMalformed);
}

#[test]
fn numbers_that_are_none() {
    for cell in [
        "1e400",
        "-1e400",
        "inf",
        "-Infinity",
        "0x1F",
        "1_0",
        "five",
        "\u{2212}0.5",
        "٠.٥",
    ] {
        let said = refused(with_cell("p_b", cell), Code::ValueNotNumber);
        assert!(said.contains("line 7"), "{said}");
    }
    refused(with_cell("age", "63.5"), Code::ValueNotNumber);
}

#[test]
fn nan_and_none_are_missing_and_minus_zero_is_zero() {
    for cell in ["nan", "NaN", "None", "NA", "", "  ", "?", "."] {
        let loaded = loaded(&with_cell("p_b", cell));
        assert_eq!(loaded.cases.score[0][5], None, "{cell:?}");
        assert_eq!(loaded.cases.patient.len(), 40, "missing data are kept");
        let told = loaded.findings.iter().any(|finding| {
            finding.rows == 1
                && finding
                    .field
                    .as_ref()
                    .is_some_and(|name| name.as_str() == "p_b")
        });
        assert!(told, "{cell:?}");
    }
    let loaded = loaded(&with_cell("p_b", "-0"));
    assert_eq!(loaded.cases.score[0][5].map(f64::to_bits), Some(0));
    let strict = read(with_cell("p_b", "nan").as_bytes(), |source| {
        source.missing.clear()
    });
    assert_faults(strict, Code::ValueNotNumber);
}

#[test]
fn missing_outcomes_stay_missing() {
    let loaded = loaded(&with_cell("y", ""));
    assert_eq!(loaded.cases.outcome[0][5], None);
    assert_eq!(loaded.cases.patient.len(), 40);
}

#[test]
fn scores_outside_the_unit_interval() {
    for cell in ["-0.1", "1.0000001", "1.2"] {
        refused(with_cell("p_b", cell), Code::ValueOutOfRange);
    }
    let percent = with_column("p_b", |row| format!("{}", row * 2));
    let said = refused(&percent, Code::ValueOutOfRange);
    assert!(said.contains("percent"), "{said}");
    let name: shared::study::FieldName = "p_b".parse().unwrap();
    let mended = read(percent.as_bytes(), |source| {
        source.transform.insert(name.clone(), Transform::Percent);
    });
    assert_eq!(
        mended
            .unwrap_or_else(|faults| panic!("{faults:?}"))
            .cases
            .score[0][1],
        Some(0.02)
    );
}

#[test]
fn logits_instead_of_probabilities() {
    let logits = with_column("p_b", |row| format!("{}", (row as f64 - 20.0) / 4.0));
    let said = refused(&logits, Code::LogitsSuspected);
    assert!(
        said.contains("logistic") && said.contains("-5 .. 4.75"),
        "{said}"
    );
    let name: shared::study::FieldName = "p_b".parse().unwrap();
    let mended = read(logits.as_bytes(), |source| {
        source.transform.insert(name.clone(), Transform::Logistic);
    });
    let loaded = mended.unwrap_or_else(|faults| panic!("{faults:?}"));
    assert_eq!(loaded.cases.score[0][20], Some(0.5));
}

#[test]
fn all_scores_equal() {
    refused(
        with_column("p_b", |_| "0.5".to_owned()),
        Code::ScoresConstant,
    );
    refused(with_column("p_a", |_| "0".to_owned()), Code::ScoresConstant);
    refused(with_column("p_b", |_| String::new()), Code::NoCases);
}

#[test]
fn all_one_class() {
    for label in ["0", "1", ""] {
        refused(with_column("y", |_| label.to_owned()), Code::OneClass);
    }
}

#[test]
fn labels_one_and_two() {
    let labels = with_column("y", |row| (1 + row % 2).to_string());
    let said = refused(&labels, Code::LabelInvalid);
    assert!(said.contains("codes"), "{said}");
    let name: shared::study::FieldName = "y".parse().unwrap();
    let mended = read(labels.as_bytes(), |source| {
        let codes =
            [("1", "2"), ("0", "1")].map(|(level, code)| (level.to_owned(), vec![code.to_owned()]));
        source.codes.insert(name.clone(), codes.into());
    });
    let loaded = mended.unwrap_or_else(|faults| panic!("{faults:?}"));
    assert_eq!(
        loaded.cases.outcome[0][..3],
        [Some(false), Some(true), Some(false)]
    );
}

#[test]
fn labels_of_several_classes() {
    for cell in ["malignant|benign", "0;1", "1 0", "positive", "2.0", "0.5"] {
        refused(with_cell("y", cell), Code::LabelInvalid);
    }
}

#[test]
fn no_row_and_one_row() {
    let said = refused(format!("{HEAD}\n"), Code::NoCases);
    assert!(said.contains("no rows"), "{said}");
    refused(format!("{HEAD}\np1,50,male,1,1,0.5,0.6\n"), Code::OneClass);
}

#[test]
fn repeated_rows_are_counted_and_left_out() {
    let mut repeated = rows();
    let again = repeated[5].clone();
    repeated.push(again.clone());
    repeated.push(again);
    let loaded = loaded(&text(&repeated));
    assert_eq!(excluded(&loaded, Exclusion::Duplicate), (2, 1));
    assert_eq!(loaded.cases.intake.records.rows, 42);
    assert_eq!(loaded.cases.intake.records.patients, 40);
    assert_eq!(loaded.cases.patient.len(), 40);
}

#[test]
fn one_patient_with_two_labels() {
    let said = refused(
        with_row("p005,35,male,0,1,0.135,0.875"),
        Code::OutcomeConflict,
    );
    assert!(said.contains("line 42: \"p005\""), "{said}");
    refused(with_row("p005,36,male,0,0,0.135,0.875"), Code::CaseConflict);
}

#[test]
fn identifiers_that_differ_by_white_space_or_case() {
    for variant in [
        "p005 ",
        " p005",
        "P005",
        "p\u{a0}005",
        "p005\u{200b}",
        "\"p005\t\"",
    ] {
        refused(
            with_row(&format!("{variant},35,male,0,0,0.135,0.875")),
            Code::IdentifierInvalid,
        );
    }
    refused(with_cell("case_id", ""), Code::IdentifierInvalid);
    refused(with_cell("case_id", "NA"), Code::IdentifierInvalid);
}

#[test]
fn several_cases_of_one_patient() {
    let mut study = study();
    study.eligibility.unit = "lesion".to_owned();
    let mut text = format!("{HEAD},lesion\n");
    for (index, row) in rows().into_iter().enumerate() {
        let mut row = row;
        row[0] = format!("p{}", index / 4);
        text += &format!("{},l{index}\n", row.join(","));
    }
    let table = write(text.as_bytes());
    let mut source = TableSource::new(&table.path);
    let unkeyed = load(&study, &source);
    assert_faults(unkeyed, Code::FieldUnmapped);
    source.key = Some("lesion".to_owned());
    let loaded = load(&study, &source).unwrap_or_else(|faults| panic!("{faults:?}"));
    assert_eq!(
        (loaded.cases.patient.len(), loaded.cases.patients),
        (40, 10)
    );
    assert_eq!(loaded.cases.patient[..5], [0, 0, 0, 0, 1]);
}

#[test]
fn missing_subgroup_is_a_level_of_its_own() {
    let loaded = loaded(&with_cell("sex", ""));
    assert_eq!(loaded.cases.level[1][5], 2, "not recorded is last");
    let hidden = read(
        text(&rows()).replacen("sex", "gender", 1).as_bytes(),
        |_| (),
    );
    assert_faults(hidden, Code::FieldUnmapped);
}

#[test]
fn unknown_levels_even_ten_thousand() {
    let said = refused(with_cell("sex", "F"), Code::LevelUnknown);
    assert!(said.contains("female, male"), "{said}");
    let mut many = format!("{HEAD}\n");
    for row in 0..10_000 {
        many += &format!("p{row},50,level{row},1,{},0.{row}1,0.{row}2\n", row % 2);
    }
    let said = refused(many, Code::LevelUnknown);
    assert!(said.contains("10000 values") && said.len() < 1000, "{said}");
}

#[test]
fn dates_as_subgroups() {
    refused(with_cell("sex", "2021-03-04"), Code::LevelUnknown);
    for cell in ["2021-03-04", "4.3.2021", "03/04/2021"] {
        let said = refused(with_cell("age", cell), Code::ValueNotNumber);
        assert!(said.contains("dates"), "{said}");
    }
}

#[test]
fn ineligible_rows_are_counted() {
    let loaded = loaded(&with_cell("age", "17"));
    assert_eq!(excluded(&loaded, Exclusion::NotIncluded(0)), (1, 1));
    assert_eq!(loaded.cases.patient.len(), 39);
    let said = refused(with_column("age", |_| "17".to_owned()), Code::NoCases);
    assert!(
        said.contains("inclusion term 1 on \"age\" not met: 40 rows"),
        "{said}"
    );
    refused(with_cell("age", "121"), Code::ValueOutOfRange);
}

#[test]
fn messages_cannot_steer_a_terminal() {
    let said = refused(with_cell("sex", "\u{1b}[2J\u{202e}x"), Code::LevelUnknown);
    assert!(!said.contains(['\u{1b}', '\u{202e}']), "{said:?}");
}
