//! Bad tables: each gives a four-part fault at the site or a counted exclusion; never a panic,
//! never a partial result. Good tables give the same cases whatever they are written in.
//!
//! From: `node::cohort`.
//! To: the test run.

use std::path::{Path, PathBuf};

use harness::load;
use node::cohort::{Loaded, TableSource};
use proptest::prelude::*;
use shared::fault::{Code, Fault};
use shared::statistic::cases::{Cases, Column, Exclusion};
use shared::study::StudyProtocol;

mod parquet_table;
mod table_file;
mod table_value;

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
