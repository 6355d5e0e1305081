//! The same table as CSV and as Parquet gives the same cases; damaged Parquet is refused.
//!
//! From: `node::cohort`.
//! To: the test run.

use std::fs::File;
use std::path::Path;
use std::sync::Arc;

use arrow_array::types::Int8Type;
use arrow_array::{
    ArrayRef, BooleanArray, DictionaryArray, Float32Array, Float64Array, Int32Array, Int64Array,
    RecordBatch, StringArray,
};
use harness::load;
use node::cohort::{Caps, TableSource};
use parquet::arrow::ArrowWriter;
use shared::fault::Code;

use super::{assert_faults, print, study};

struct Person {
    id: i64,
    age: Option<i32>,
    sex: Option<&'static str>,
    ca: Option<bool>,
    y: Option<f64>,
    p_a: Option<f64>,
    p_b: f64,
}

fn people() -> Vec<Person> {
    (0..3000_i32)
        .map(|row| Person {
            id: 9_007_199_254_740_993 + i64::from(row),
            age: (row % 11 != 0).then_some(18 + row % 100),
            sex: [Some("female"), Some("male"), None][row as usize % 3],
            ca: (row % 5 != 0).then_some(row % 2 == 0),
            y: (row % 7 != 0).then_some(f64::from(row % 4 / 3)),
            p_a: (row % 13 != 0).then_some(f64::from(row) / 2999.0),
            p_b: 1.0 / (1.0 + f64::from(row).sqrt()),
        })
        .collect()
}

fn write_csv(path: &Path, people: &[Person]) {
    fn cell<T: ToString>(value: Option<T>) -> String {
        value.map(|value| value.to_string()).unwrap_or_default()
    }
    let mut text = "case_id,age,sex,has_ca,y,p_a,p_b,unused\n".to_owned();
    for person in people {
        text += &format!(
            "{},{},{},{},{},{},{},x\n",
            person.id,
            cell(person.age),
            cell(person.sex),
            cell(person.ca.map(u8::from)),
            cell(person.y),
            cell(person.p_a),
            person.p_b
        );
    }
    std::fs::write(path, text).unwrap();
}

fn write_parquet(path: &Path, people: &[Person]) {
    let sex: DictionaryArray<Int8Type> = people.iter().map(|one| one.sex).collect();
    let column = |values: Vec<Option<f64>>| Arc::new(Float64Array::from(values)) as ArrayRef;
    let batch = RecordBatch::try_from_iter_with_nullable([
        (
            "case_id",
            Arc::new(people.iter().map(|one| one.id).collect::<Int64Array>()) as ArrayRef,
            false,
        ),
        (
            "age",
            Arc::new(people.iter().map(|one| one.age).collect::<Int32Array>()) as ArrayRef,
            true,
        ),
        ("sex", Arc::new(sex) as ArrayRef, true),
        (
            "has_ca",
            Arc::new(people.iter().map(|one| one.ca).collect::<BooleanArray>()) as ArrayRef,
            true,
        ),
        // pandas writes an absent label as not-a-number.
        (
            "y",
            column(
                people
                    .iter()
                    .map(|one| Some(one.y.unwrap_or(f64::NAN)))
                    .collect(),
            ),
            true,
        ),
        (
            "p_a",
            column(people.iter().map(|one| one.p_a).collect()),
            true,
        ),
        (
            "p_b",
            column(people.iter().map(|one| Some(one.p_b)).collect()),
            true,
        ),
        (
            "unused",
            Arc::new(people.iter().map(|_| Some("x")).collect::<StringArray>()) as ArrayRef,
            true,
        ),
    ])
    .unwrap();
    write_batches(path, &[batch.slice(0, 1000), batch.slice(1000, 2000)]);
}

fn write_batches(path: &Path, batches: &[RecordBatch]) {
    let file = File::create(path).unwrap();
    let mut writer = ArrowWriter::try_new(file, batches[0].schema(), None).unwrap();
    for batch in batches {
        writer.write(batch).unwrap();
        writer.flush().unwrap();
    }
    writer.close().unwrap();
}

#[test]
fn csv_and_parquet_give_the_same_cases() {
    let folder = tempfile::tempdir().unwrap();
    let (csv, parquet) = (folder.path().join("t.csv"), folder.path().join("t.parquet"));
    write_csv(&csv, &people());
    write_parquet(&parquet, &people());
    let [left, right] = [csv, parquet].map(|path| {
        load(&study(), &TableSource::new(path)).unwrap_or_else(|all| panic!("{all:?}"))
    });
    assert_eq!(
        left.cases.patients, 2727,
        "rows without an age are not included"
    );
    assert!(print(&left.cases) == print(&right.cases), "cases differ");
    assert_eq!(left.findings, right.findings);
    assert_ne!(left.fingerprint, right.fingerprint);
}

#[test]
fn limits_hold_for_parquet() {
    let folder = tempfile::tempdir().unwrap();
    let path = folder.path().join("t.parquet");
    write_parquet(&path, &people());
    let caps = Caps::default();
    for small in [Caps { rows: 2999, ..caps }, Caps { columns: 7, ..caps }] {
        let source = TableSource {
            caps: small,
            ..TableSource::new(&path)
        };
        assert_faults(load(&study(), &source), Code::TableTooLarge);
    }
}

#[test]
fn bad_values_in_parquet_have_the_codes_of_csv() {
    let folder = tempfile::tempdir().unwrap();
    let path = folder.path().join("t.parquet");
    let text = |cell: &str| Arc::new(StringArray::from(vec![cell; 4])) as ArrayRef;
    let good = || -> Vec<(&str, ArrayRef)> {
        vec![
            (
                "case_id",
                Arc::new(StringArray::from(vec!["a", "b", "c", "d"])),
            ),
            ("age", Arc::new(Int32Array::from(vec![50; 4]))),
            ("sex", text("male")),
            ("has_ca", Arc::new(Int32Array::from(vec![1; 4]))),
            ("y", Arc::new(Int32Array::from(vec![0, 1, 0, 1]))),
            (
                "p_a",
                Arc::new(Float64Array::from(vec![0.1, 0.2, 0.3, 0.4])),
            ),
            (
                "p_b",
                Arc::new(Float32Array::from(vec![0.1, 0.2, 0.3, 0.4])),
            ),
        ]
    };
    let check = |column: usize, values: ArrayRef, code: Code| {
        let mut columns = good();
        columns[column].1 = values;
        write_batches(&path, &[RecordBatch::try_from_iter(columns).unwrap()]);
        assert_faults(load(&study(), &TableSource::new(&path)), code);
    };
    let numbers = |values: [f64; 4]| Arc::new(Float64Array::from(values.to_vec())) as ArrayRef;
    check(
        6,
        numbers([f64::INFINITY, 0.1, 0.2, 0.3]),
        Code::ValueNotNumber,
    );
    check(6, numbers([-4.0, 5.0, 0.2, 0.3]), Code::LogitsSuspected);
    check(4, numbers([1.0, 2.0, 1.0, 2.0]), Code::LabelInvalid);
    check(2, text("2021-03-04"), Code::LevelUnknown);
    check(0, text("a"), Code::OutcomeConflict);
    write_batches(&path, &[RecordBatch::try_from_iter(good()).unwrap()]);
    assert!(load(&study(), &TableSource::new(&path)).is_ok());
}

#[test]
fn damaged_parquet_is_refused_without_panic() {
    let folder = tempfile::tempdir().unwrap();
    let path = folder.path().join("t.parquet");
    write_parquet(&path, &people());
    let whole = std::fs::read(&path).unwrap();
    let mut refused = 0;
    for step in 0..400 {
        let mut bytes = whole.clone();
        let at = step * whole.len() / 400;
        if step % 2 == 0 {
            bytes.truncate(at);
        } else {
            bytes[at] ^= 0xff;
        }
        std::fs::write(&path, &bytes).unwrap();
        refused += usize::from(load(&study(), &TableSource::new(&path)).is_err());
    }
    assert!(refused >= 200, "every cut file is refused, got {refused}");
}
