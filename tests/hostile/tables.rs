//! Bad tables: each gives a four-part fault at the site or a counted exclusion; never a panic,
//! never a partial result. Good tables give the same cases whatever they are written in.
//!
//! From: `node::cohort`.
//! To: the test run.

use std::path::{Path, PathBuf};
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, Ordering};

use node::cohort::{Caps, Loaded, TableSource, Transform, load};
use proptest::prelude::*;
use shared::fault::{Code, Fault};
use shared::identity::Digest;
use shared::statistic::cases::{Cases, Column, Exclusion};
use shared::study::StudyProtocol;

mod parquet_table;

const HEAD: &str = "case_id,age,sex,has_ca,y,p_a,p_b";

pub(crate) fn study() -> StudyProtocol {
    toml::from_str(include_str!("../fixtures/heart_study.toml")).unwrap()
}

/// Forty good rows.
fn rows() -> Vec<Vec<String>> {
    (0..40_u32)
        .map(|row| {
            vec![
                format!("p{row:03}"),
                (30 + row).to_string(),
                if row % 2 == 0 { "female" } else { "male" }.to_owned(),
                (row % 3 % 2).to_string(),
                u32::from(row % 3 == 0).to_string(),
                format!("0.{}", 100 + row * 7),
                format!("0.{}", 900 - row * 5),
            ]
        })
        .collect()
}

fn text(rows: &[Vec<String>]) -> String {
    let mut text = format!("{HEAD}\n");
    for row in rows {
        text += &row.join(",");
        text.push('\n');
    }
    text
}

/// The good table with one column's cells replaced, row by row.
fn with_column(name: &str, cell: impl Fn(usize) -> String) -> String {
    let column = HEAD.split(',').position(|one| one == name).unwrap();
    let mut rows = rows();
    for (index, row) in rows.iter_mut().enumerate() {
        row[column] = cell(index);
    }
    text(&rows)
}

/// The good table with one cell replaced, in the row on line 7.
fn with_cell(name: &str, cell: &str) -> String {
    let column = HEAD.split(',').position(|one| one == name).unwrap();
    let mut rows = rows();
    rows[5][column] = cell.to_owned();
    text(&rows)
}

fn with_row(row: &str) -> String {
    format!("{}{row}\n", text(&rows()))
}

struct Table {
    _folder: tempfile::TempDir,
    path: PathBuf,
}

fn write(bytes: &[u8]) -> Table {
    let folder = tempfile::tempdir().unwrap();
    let path = folder.path().join("table.csv");
    std::fs::write(&path, bytes).unwrap();
    Table {
        _folder: folder,
        path,
    }
}

fn read(bytes: &[u8], adjust: impl Fn(&mut TableSource)) -> Result<Loaded, Vec<Fault>> {
    let table = write(bytes);
    let mut source = TableSource::new(&table.path);
    adjust(&mut source);
    load(&study(), &source)
}

fn loaded(text: &str) -> Loaded {
    read(text.as_bytes(), |_| ()).unwrap_or_else(|faults| panic!("{faults:?}"))
}

/// Every fault has four parts, and the first has `code`.
#[track_caller]
fn assert_faults(result: Result<Loaded, Vec<Fault>>, code: Code) -> Vec<Fault> {
    let faults = result.err().expect("the table is refused");
    assert_eq!(
        faults.first().map(|fault| fault.code),
        Some(code),
        "{faults:?}"
    );
    for fault in &faults {
        for part in [&fault.what, &fault.why, &fault.fix] {
            assert!(!part.trim().is_empty(), "{fault:?}");
            assert!(!part.chars().any(char::is_control), "{fault:?}");
        }
        assert!(fault.what.matches("line ").count() <= 5, "{fault:?}");
    }
    faults
}

#[track_caller]
fn refused(bytes: impl AsRef<[u8]>, code: Code) -> String {
    let faults = assert_faults(read(bytes.as_ref(), |_| ()), code);
    faults.iter().map(Fault::to_string).collect()
}

fn excluded(loaded: &Loaded, reason: Exclusion) -> (u64, u64) {
    let tally = loaded
        .cases
        .intake
        .excluded
        .iter()
        .find(|(one, _)| *one == reason)
        .map(|(_, tally)| *tally)
        .unwrap();
    (tally.rows, tally.patients)
}

/// Everything in the cases, bit by bit, as text that can be compared.
pub(crate) fn print(cases: &Cases) -> String {
    let numbers = |values: &[Option<f64>]| -> Vec<Option<u64>> {
        values.iter().map(|one| one.map(f64::to_bits)).collect()
    };
    let scores: Vec<_> = cases.score.iter().map(|one| numbers(one)).collect();
    let columns: Vec<_> = cases
        .column
        .iter()
        .map(|column| match column {
            Column::Number(values) => format!("{:?}", numbers(values)),
            Column::Category(levels) => format!("{levels:?}"),
            Column::Withheld => "withheld".to_owned(),
        })
        .collect();
    let intake: Vec<_> = cases
        .intake
        .excluded
        .iter()
        .map(|(reason, tally)| (*reason, tally.rows, tally.patients))
        .collect();
    format!(
        "{:?} {} {:?} {scores:?} {:?} {columns:?} {} {} {intake:?}",
        cases.patient,
        cases.patients,
        cases.outcome,
        cases.level,
        cases.intake.records.rows,
        cases.intake.records.patients,
    )
}

// ---- the file

#[test]
fn a_good_table_is_read_whole() {
    let loaded = loaded(&text(&rows()));
    assert_eq!(loaded.cases.patient, (0..40).collect::<Vec<_>>());
    assert_eq!(loaded.cases.patients, 40);
    let events = loaded.cases.outcome[0].iter().flatten();
    assert_eq!(events.filter(|event| **event).count(), 14);
    assert_eq!(loaded.fingerprint, Digest::of(text(&rows()).as_bytes()));
    assert_eq!(excluded(&loaded, Exclusion::Duplicate), (0, 0));
}

#[test]
fn no_header() {
    let body = text(&rows()).split_once('\n').unwrap().1.to_owned();
    let said = refused(&body, Code::TableMalformed);
    assert!(said.contains("column names"), "{said}");
    refused("\n\n\n", Code::TableMalformed);
}

#[test]
fn empty_file() {
    refused("", Code::TableMalformed);
}

#[test]
fn duplicate_columns() {
    let doubled = text(&rows()).replacen("p_a,p_b", "p_b,p_b", 1);
    refused(doubled, Code::ColumnDuplicate);
    let unused = text(&rows())
        .lines()
        .enumerate()
        .map(|(line, row)| row.to_owned() + if line == 0 { ",x,x\n" } else { ",1,2\n" })
        .collect::<String>();
    refused(unused, Code::ColumnDuplicate);
}

#[test]
fn missing_columns_and_wrong_names() {
    let renamed = text(&rows()).replacen("age", "Age", 1);
    let said = refused(&renamed, Code::FieldUnmapped);
    assert!(said.contains("did you mean \"Age\"?"), "{said}");
    let map = |argument: &'static str| {
        move |source: &mut TableSource| source.map_argument(argument).unwrap()
    };
    assert!(read(renamed.as_bytes(), map("age=Age")).is_ok());
    assert_faults(
        read(renamed.as_bytes(), map("age=Agee")),
        Code::ColumnMissing,
    );
    assert_faults(
        read(renamed.as_bytes(), map("agee=Age")),
        Code::FieldUnknown,
    );
    // Both outcome and patient are gone: both are told.
    let faults = assert_faults(read(b"a,b\n1,2\n", |_| ()), Code::FieldUnmapped);
    assert_eq!(faults.len(), 7);
}

#[test]
fn fields_said_to_be_absent_are_missing_data() {
    let renamed = text(&rows()).replacen("has_ca", "other", 1);
    let absent = read(renamed.as_bytes(), |source| {
        source.map_argument("has_ca=").unwrap();
    });
    let loaded = absent.unwrap_or_else(|faults| panic!("{faults:?}"));
    assert!(loaded.cases.level[2].iter().all(|level| *level == 2));
    let outcome = read(renamed.as_bytes(), |source| {
        source.map_argument("y=").unwrap();
    });
    assert_faults(outcome, Code::ConfigInvalid);
}

#[test]
fn predictions_read_from_the_outcome() {
    let leak = read(text(&rows()).as_bytes(), |source| {
        source.map_argument("p_b=y").unwrap();
    });
    assert_faults(leak, Code::ConfigInvalid);
}

#[test]
fn byte_order_mark_and_mixed_line_ends() {
    let plain = text(&rows());
    let expected = print(&loaded(&plain).cases);
    let mixed: String = plain
        .lines()
        .enumerate()
        .map(|(line, row)| row.to_owned() + ["\n", "\r\n", "\r\n\n"][line % 3])
        .collect();
    for variant in [
        format!("\u{feff}{plain}"),
        plain.replace('\n', "\r\n"),
        plain.replace('\n', "\r"),
        mixed,
        plain.trim_end().to_owned(),
    ] {
        assert_eq!(print(&loaded(&variant).cases), expected);
    }
}

#[test]
fn utf_16() {
    let plain = text(&rows());
    let little: Vec<u8> = plain.encode_utf16().flat_map(u16::to_le_bytes).collect();
    let big: Vec<u8> = plain.encode_utf16().flat_map(u16::to_be_bytes).collect();
    refused(
        [b"\xff\xfe", little.as_slice()].concat(),
        Code::EncodingUnsupported,
    );
    refused(
        [b"\xfe\xff", big.as_slice()].concat(),
        Code::EncodingUnsupported,
    );
    refused(little, Code::EncodingUnsupported);
}

#[test]
fn latin_1() {
    let mut bytes = with_cell("sex", "f#male").into_bytes();
    for byte in &mut bytes {
        if *byte == b'#' {
            *byte = 0xe9;
        }
    }
    let said = refused(bytes, Code::EncodingUnsupported);
    assert!(said.contains("line 7"), "{said}");
}

#[test]
fn quotes_and_line_breaks_in_fields() {
    let with_note = |note: &str| {
        text(&rows())
            .lines()
            .enumerate()
            .map(|(line, row)| format!("{row},{}\n", if line == 0 { "note" } else { note }))
            .collect::<String>()
    };
    let expected = print(&loaded(&text(&rows())).cases);
    for note in ["\"a,b\"", "\"a\nb\r\nc\"", "\"say \"\"no\"\"\"", "\"\""] {
        assert_eq!(print(&loaded(&with_note(note)).cases), expected, "{note}");
    }
    refused(with_cell("case_id", "\"a\nb\""), Code::IdentifierInvalid);
    let said = refused(with_cell("p_b", "\"0.5"), Code::TableMalformed);
    assert!(said.contains("quotation mark"), "{said}");
    refused(with_row("p900,50,male,1,1,0.5,\"0.5"), Code::TableMalformed);
}

#[test]
fn ragged_rows_and_files_cut_short() {
    let said = refused(with_row("p900,50,male"), Code::TableMalformed);
    assert!(said.contains("line 42 has 3"), "{said}");
    refused(
        with_row("p900,50,male,1,1,0.5,0.5,extra"),
        Code::TableMalformed,
    );
    let whole = text(&rows());
    let cut = &whole[..whole.len() - 12];
    refused(cut, Code::TableMalformed);
    // A cut inside the last number cannot be seen in the text, but the pinned hash shows it.
    let short = &whole[..whole.len() - 2];
    let pinned = Digest::of(whole.as_bytes());
    let result = read(short.as_bytes(), |source| source.sha256 = Some(pinned));
    assert_faults(result, Code::TableMismatch);
}

#[test]
fn hash_mismatch() {
    let whole = text(&rows());
    let result = read(whole.as_bytes(), |source| {
        source.sha256 = Some(Digest::of(b""))
    });
    assert_faults(result, Code::TableMismatch);
    let pinned = Digest::of(whole.as_bytes());
    assert!(read(whole.as_bytes(), |source| source.sha256 = Some(pinned)).is_ok());
}

#[test]
fn other_separators() {
    let said = refused(text(&rows()).replace(',', ";"), Code::TableMalformed);
    assert!(said.contains("write.csv2"), "{said}");
    refused(text(&rows()).replace(',', "\t"), Code::TableMalformed);
}

#[test]
fn packed_files() {
    // The start of a gzip member; what it would unpack to does not matter.
    let said = refused(
        b"\x1f\x8b\x08\x00\x00\x00\x00\x00\x00\x03",
        Code::TableUnreadable,
    );
    assert!(said.contains("gzip"), "{said}");
    refused(b"PK\x03\x04\x14\x00", Code::TableUnreadable);
    refused(b"\x28\xb5\x2f\xfd\x00", Code::TableUnreadable);
}

#[test]
fn what_is_no_file() {
    let folder = tempfile::tempdir().unwrap();
    for path in [
        folder.path().to_owned(),
        folder.path().join("absent.csv"),
        "/dev/null".into(),
    ] {
        let result = load(&study(), &TableSource::new(path));
        assert_faults(result, Code::TableUnreadable);
    }
}

#[test]
fn too_many_rows_columns_bytes() {
    let whole = text(&rows());
    let limited = |caps: Caps| read(whole.as_bytes(), |source| source.caps = caps);
    let caps = Caps::default();
    assert_faults(limited(Caps { rows: 39, ..caps }), Code::TableTooLarge);
    assert!(limited(Caps { rows: 40, ..caps }).is_ok());
    assert_faults(
        limited(Caps {
            file_bytes: 100,
            ..caps
        }),
        Code::TableTooLarge,
    );
    let wide: String = (0..100_000).map(|column| format!("c{column},")).collect();
    refused(format!("{wide}\n{wide}\n"), Code::TableTooLarge);
}

#[test]
fn endless_line() {
    let mut bytes = text(&rows()).into_bytes();
    bytes.resize(8 << 20, b'x');
    let result = read(&bytes, |source| source.caps.record_bytes = 1 << 20);
    assert_faults(result, Code::TableTooLarge);
    let mut open = with_row("\"").into_bytes();
    open.resize(8 << 20, b'\n');
    let result = read(&open, |source| source.caps.record_bytes = 1 << 20);
    assert_faults(result, Code::TableTooLarge);
    let long = with_cell("case_id", &"x".repeat(70_000));
    refused(long, Code::TableTooLarge);
}

#[test]
fn file_replaced_during_read() {
    let folder = tempfile::tempdir().unwrap();
    let path = folder.path().join("table.csv");
    let versions: Vec<String> = (0..2)
        .map(|version| {
            let row = |row: usize| {
                format!(
                    "p{row},50,male,1,{},0.{}1,0.3{}\n",
                    row % 2,
                    version + 1,
                    row % 7
                )
            };
            format!("{HEAD}\n") + &(0..20_000).map(row).collect::<String>()
        })
        .collect();
    let hashes: Vec<Digest> = versions
        .iter()
        .map(|one| Digest::of(one.as_bytes()))
        .collect();
    std::fs::write(&path, &versions[0]).unwrap();
    let stop = Arc::new(AtomicBool::new(false));
    let writer = std::thread::spawn({
        let (path, stop) = (path.clone(), Arc::clone(&stop));
        move || {
            let mut turn = 0;
            while !stop.load(Ordering::Relaxed) {
                turn += 1;
                if turn % 2 == 0 {
                    // In place, as careless exports do.
                    std::fs::write(&path, &versions[turn % 4 / 2]).unwrap();
                } else {
                    let other = path.with_extension("new");
                    std::fs::write(&other, &versions[turn % 4 / 2]).unwrap();
                    std::fs::rename(&other, &path).unwrap();
                }
            }
        }
    });
    let mut changed = 0;
    for turn in 0..2000 {
        if turn >= 10 && changed > 0 {
            break;
        }
        match load(&study(), &TableSource::new(&path)) {
            Ok(loaded) => {
                assert!(
                    hashes.contains(&loaded.fingerprint),
                    "a mixed state was used"
                );
                assert_eq!(loaded.cases.patient.len(), 20_000);
            }
            Err(faults) => {
                // A half-written file may also be malformed or empty before it is seen to change.
                changed += usize::from(faults[0].code == Code::TableChanged);
            }
        }
    }
    stop.store(true, Ordering::Relaxed);
    writer.join().unwrap();
    assert!(changed > 0, "the writer never met the reader");
}

// ---- values

#[test]
fn formulas() {
    for cell in [
        "=cmd()",
        "=1+1",
        "@SUM(A1)",
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

// ---- patients

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

// ---- subgroups and eligibility

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
    refused(with_column("age", |_| "17".to_owned()), Code::NoCases);
    refused(with_cell("age", "121"), Code::ValueOutOfRange);
}

#[test]
fn messages_cannot_steer_a_terminal() {
    let said = refused(with_cell("sex", "\u{1b}[2J\u{202e}x"), Code::LevelUnknown);
    assert!(!said.contains(['\u{1b}', '\u{202e}']), "{said:?}");
}

// ---- anything at all

proptest! {
    #![proptest_config(ProptestConfig { cases: 300, ..ProptestConfig::default() })]

    #[test]
    fn damaged_tables_never_panic(
        changes in prop::collection::vec((any::<prop::sample::Index>(), any::<u8>()), 1..8),
        cut in any::<prop::sample::Index>(),
        shorten in any::<bool>(),
    ) {
        let mut bytes = text(&rows()).into_bytes();
        for (at, byte) in changes {
            let at = at.index(bytes.len());
            bytes[at] = byte;
        }
        if shorten {
            bytes.truncate(cut.index(bytes.len()));
        }
        if let Err(faults) = read(&bytes, |_| ()) {
            prop_assert!(!faults.is_empty());
        }
    }

    #[test]
    fn row_order_changes_nothing_but_row_order(seed in any::<u64>()) {
        let mut shuffled = rows();
        let mut state = seed;
        for last in (1..shuffled.len()).rev() {
            state = state.wrapping_mul(6_364_136_223_846_793_005).wrapping_add(1);
            shuffled.swap(last, (state >> 33) as usize % (last + 1));
        }
        let by_row = |cases: &Cases| {
            let mut found: Vec<_> = (0..cases.patient.len())
                .map(|row| {
                    let score = cases.score.iter().map(|one| one[row].map(f64::to_bits)).collect::<Vec<_>>();
                    let level = cases.level.iter().map(|one| one[row]).collect::<Vec<_>>();
                    (score, cases.outcome[0][row], level)
                })
                .collect();
            found.sort();
            found
        };
        let (plain, mixed) = (loaded(&text(&rows())), loaded(&text(&shuffled)));
        prop_assert_eq!(by_row(&plain.cases), by_row(&mixed.cases));
        prop_assert_eq!(mixed.cases.patient, (0..40).collect::<Vec<u32>>());
    }
}

// ---- the bundled hospitals

#[test]
fn the_bundled_hospitals_are_clean() {
    let folder = Path::new(env!("CARGO_MANIFEST_DIR")).join("../configs/examples/heart/data");
    for (name, rows, events) in [
        ("cleveland", 303, 139),
        ("hungarian", 294, 106),
        ("switzerland", 123, 115),
        ("va", 200, 149),
    ] {
        let source = TableSource::new(folder.join(format!("{name}.csv")));
        let loaded = load(&study(), &source).unwrap_or_else(|faults| panic!("{name}: {faults:?}"));
        assert_eq!(loaded.cases.patients, rows, "{name}");
        let found = loaded.cases.outcome[0]
            .iter()
            .filter(|one| **one == Some(true));
        assert_eq!(found.count(), events, "{name}");
    }
}

/// A million rows; run with `--release -- --ignored` to see the time.
#[test]
#[ignore = "a measurement, not a check"]
fn a_million_rows() {
    let mut text = format!("{HEAD},a,b,c,d,e\n");
    for row in 0..1_000_000_u32 {
        let score = f64::from(row.wrapping_mul(2_654_435_761) >> 8) / f64::from(1 << 24);
        text += &format!(
            "patient-{row},{},male,1,{},{score},0.{row},1,2,3,4,5\n",
            20 + row % 90,
            row % 2
        );
    }
    let table = write(text.as_bytes());
    let start = std::time::Instant::now();
    let loaded = load(&study(), &TableSource::new(&table.path))
        .unwrap_or_else(|faults| panic!("{faults:?}"));
    println!(
        "{} rows, {} bytes: {:?}",
        loaded.cases.patient.len(),
        text.len(),
        start.elapsed()
    );
}
