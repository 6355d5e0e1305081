//! How long one release takes to measure and review: `cargo run --release -p shared --example
//! measure -- 1000000`. Rows are made up; two models, 128 bins, five axes.
//!
//! From: the bundled protocol.
//! To: a line on standard error.

#![allow(
    clippy::disallowed_methods,
    reason = "an example may look at the clock; the library may not"
)]

use std::time::Instant;

use shared::disclosure::policy::{OPEN_DATA, Policy};
use shared::disclosure::{Axes, review};
use shared::statistic::Cases;
use shared::statistic::cases::{Column, Intake, Tally};
use shared::statistic::measure::measure;
use shared::study::{plan, source, validate};

const STUDY: &str = include_str!("../../configs/examples/heart/study.toml");

fn main() -> Result<(), Box<dyn std::error::Error>> {
    let rows: u32 = std::env::args()
        .nth(1)
        .map_or(Ok(1_000_000), |text| text.parse())?;
    let protocol = validate::expand(&source::parse(STUDY)?);
    let policy = Policy::parse(OPEN_DATA)?;
    let spread =
        |row: u32, factor: u32| f64::from(row.wrapping_mul(factor) >> 8) / f64::from(1 << 24);
    let event = |row: u32| spread(row, 2_654_435_761) < 0.3;
    let score = |factor: u32| -> Vec<Option<f64>> {
        let lift = |row| if event(row) { 0.2 } else { 0.0 };
        (0..rows)
            .map(|row| Some(0.8 * spread(row, factor) + lift(row)))
            .collect()
    };
    let levels = |axis: usize| if axis == 0 { 4 } else { 2 };
    let cases = Cases {
        masks: Vec::new(),
        earlier: std::sync::Arc::default(),
        patient: (0..rows).collect(),
        patients: rows,
        outcome: vec![(0..rows).map(|row| Some(event(row))).collect()],
        score: vec![score(2_246_822_519), score(3_266_489_917)],
        level: (0..protocol.subgroup.len())
            .map(|axis| {
                (0..rows as usize)
                    .map(|row| (row / (axis + 1) % levels(axis)) as u16)
                    .collect()
            })
            .collect(),
        column: protocol.field.iter().map(|_| Column::Withheld).collect(),
        intake: Intake {
            records: Tally {
                rows: rows.into(),
                patients: rows.into(),
            },
            excluded: Vec::new(),
            left: Vec::new(),
        },
    };
    let start = Instant::now();
    let statistics = measure(&protocol, &cases, &plan::kinds(&protocol));
    let measured = start.elapsed();
    let reviewed = review(&policy, &protocol, statistics, (false, Axes::BY_RULE));
    let all = start.elapsed();
    eprintln!(
        "{rows} rows: measured in {measured:.1?}, with review {all:.1?}, {} items",
        reviewed.items.len()
    );
    Ok(())
}
