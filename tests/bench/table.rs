//! Reading a site's table: the goals S8 and S9 of the performance page. The whole job of a
//! hospital in a process of its own (S10) is timed by `peers/compare.py`.
//!
//! From: `data`.
//! To: criterion's files.

#![allow(missing_docs, reason = "a program")]
#![allow(
    clippy::unwrap_used,
    clippy::cast_precision_loss,
    clippy::cast_possible_truncation,
    clippy::cast_sign_loss,
    reason = "a bench stops at the first fault, and its tables are small"
)]

mod cpu;
mod data;

use std::path::{Path, PathBuf};

use cpu::Cpu;
use criterion::Criterion;
use node::cohort::{Means, TableSource, load};
use shared::study::{StudyProtocol, source, validate};

fn protocol() -> StudyProtocol {
    validate::expand(&source::parse(include_str!("study.toml")).unwrap())
}

fn time(criterion: &mut Criterion<Cpu>, name: &str, path: &Path) {
    let protocol = protocol();
    criterion.bench_function(name, |bench| {
        bench.iter(|| {
            let Ok(table) = load(&protocol, &TableSource::new(path), &Means::default()) else {
                panic!("the table of the bench cannot be read");
            };
            table.cases.patients
        });
    });
}

#[cfg(feature = "parquet")]
fn parquet(folder: &Path, rows: usize) -> PathBuf {
    use std::sync::Arc;

    use arrow_array::{ArrayRef, Float64Array, Int32Array, RecordBatch, StringArray};
    let strings = |of: &dyn Fn(usize) -> String| -> ArrayRef {
        Arc::new(StringArray::from_iter_values((0..rows).map(of)))
    };
    let reals =
        |model: usize| -> ArrayRef { Arc::new(Float64Array::from(data::scores(model, rows))) };
    let whole = |of: &dyn Fn(usize) -> i32| -> ArrayRef {
        Arc::new(Int32Array::from_iter_values((0..rows).map(of)))
    };
    let mut columns = vec![
        ("case_id".to_owned(), strings(&|row| format!("id{row:08}"))),
        ("y".to_owned(), whole(&|row| i32::from(data::event(row)))),
        ("p_a".to_owned(), reals(1)),
        ("p_b".to_owned(), reals(0)),
        (
            "age".to_owned(),
            whole(&|row| 20 + (data::unit(200, row) * 70.0) as i32),
        ),
        ("note".to_owned(), strings(&|row| format!("n{}", row % 97))),
    ];
    for axis in 0..data::AXES {
        let name = |row: usize| ["a", "b", "c", "d", "e"][data::level(axis, row)].to_owned();
        columns.push((format!("axis_{axis}"), strings(&name)));
    }
    let batch = RecordBatch::try_from_iter(columns).unwrap();
    let path = folder.join("table.parquet");
    let file = std::fs::File::create(&path).unwrap();
    let settings = parquet::file::properties::WriterProperties::builder()
        .set_compression(parquet::basic::Compression::SNAPPY)
        .build();
    let mut writer =
        parquet::arrow::ArrowWriter::try_new(file, batch.schema(), Some(settings)).unwrap();
    writer.write(&batch).unwrap();
    writer.close().unwrap();
    path
}

fn main() {
    let rows = data::rows(1_000_000);
    let mut criterion = cpu::criterion();
    // With a folder given, the tables stay there for the peers.
    let kept = std::env::var_os("FEDVAL_BENCH_DATA").map(PathBuf::from);
    let folder = tempfile::tempdir().unwrap();
    let folder = kept.unwrap_or_else(|| folder.path().to_path_buf());
    std::fs::create_dir_all(&folder).unwrap();
    let path = folder.join("table.csv");
    std::fs::write(&path, data::csv(rows)).unwrap();
    time(&mut criterion, "S8 csv/1000000", &path);
    #[cfg(feature = "parquet")]
    time(
        &mut criterion,
        "S9 parquet/1000000",
        &parquet(&folder, rows),
    );
    criterion.final_summary();
}
