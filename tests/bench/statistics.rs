//! The statistics of one site, beside the goals S1 to S7 of the performance page; the peers'
//! side is in `peers/`, and `bash tests/bench/run` runs both.
//!
//! From: `data`.
//! To: criterion's files, which `peers/compare.py` reads.

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

use std::hint::black_box;

use cpu::Cpu;
use criterion::{BenchmarkId, Criterion};
use shared::disclosure::policy::{Policy, STANDARD};
use shared::disclosure::{Axes, review};
use shared::numeric::calibration;
use shared::numeric::delong::{self, Placements};
use shared::numeric::logistic::ClippedLogits;
use shared::numeric::net_benefit::{Decided, Prevalence, Question};
use shared::numeric::ranked::Ranked;
use shared::pool::random_effects::RandomEffects;
use shared::statistic::cases::{Column, Intake, Tally};
use shared::statistic::measure::measure;
use shared::statistic::subgroup::SubgroupTable;
use shared::statistic::{AnalysisSet, Cases};
use shared::study::{StudyProtocol, plan, source, validate};

fn protocol() -> StudyProtocol {
    validate::expand(&source::parse(include_str!("study.toml")).unwrap())
}

fn cases(protocol: &StudyProtocol, rows: usize) -> Cases {
    let column = |values: Vec<f64>| values.into_iter().map(Some).collect();
    let all = Tally {
        rows: rows as u64,
        patients: rows as u64,
    };
    Cases {
        masks: Vec::new(),
        earlier: std::sync::Arc::default(),
        patient: (0..rows as u32).collect(),
        patients: rows as u32,
        outcome: vec![data::outcomes(rows).into_iter().map(Some).collect()],
        score: protocol
            .model
            .iter()
            .map(|model| column(data::scores(usize::from(model.id.as_str() == "p_a"), rows)))
            .collect(),
        level: (0..data::AXES)
            .map(|axis| (0..rows).map(|row| data::level(axis, row) as u16).collect())
            .collect(),
        column: protocol.field.iter().map(|_| Column::Withheld).collect(),
        intake: Intake {
            records: all,
            excluded: Vec::new(),
            left: Vec::new(),
        },
    }
}

/// S1, S2: the area alone, and with its variance.
fn areas(criterion: &mut Criterion<Cpu>) {
    let rows = data::rows(10_000_000);
    let (outcome, score) = (data::outcomes(rows), data::scores(0, rows));
    criterion.bench_function("S1 auc/10000000", |bench| {
        bench.iter(|| {
            Placements::of(black_box(&outcome), black_box(&score))
                .unwrap()
                .area()
        });
    });
    for size in [100_000, 1_000_000] {
        let rows = data::rows(size);
        let patient: Vec<u32> = (0..rows as u32).collect();
        let (outcome, score) = (&outcome[..rows], &score[..rows]);
        criterion.bench_with_input(
            BenchmarkId::new("S2 auc and variance", size),
            &size,
            |bench, _| {
                bench.iter(|| delong::auc(black_box(outcome), black_box(score), &patient).unwrap());
            },
        );
    }
}

/// S3: 2,000 resamples of an area, of a table that is ranked already.
fn resamples(criterion: &mut Criterion<Cpu>) {
    for size in [1000, 100_000] {
        let rows = data::rows(size);
        let patient: Vec<u32> = (0..rows as u32).collect();
        let (outcome, score) = (data::outcomes(rows), data::scores(0, rows));
        let ranked = Ranked::of(&outcome, &score, &patient).unwrap();
        let name = BenchmarkId::new("S3 bootstrap auc", size);
        criterion.bench_with_input(name, &size, |bench, _| {
            bench.iter(|| ranked.area_replicates(black_box(7), 0..2000).len());
        });
    }
}

/// S4: calibration line with its standard errors, from predictions.
fn lines(criterion: &mut Criterion<Cpu>) {
    for size in [100_000, 1_000_000] {
        let rows = data::rows(size);
        let (outcome, score) = (data::outcomes(rows), data::scores(0, rows));
        let name = BenchmarkId::new("S4 calibration line", size);
        criterion.bench_with_input(name, &size, |bench, _| {
            bench.iter(|| {
                let logits = ClippedLogits::of(black_box(&score), 1e-6).unwrap();
                calibration::line(&logits.lp, &outcome, None).unwrap()
            });
        });
    }
}

/// S5: net benefit with its variance at 99 thresholds.
fn benefits(criterion: &mut Criterion<Cpu>) {
    for size in [100_000, 1_000_000] {
        let rows = data::rows(size);
        let (outcome, score) = (data::outcomes(rows), data::scores(0, rows));
        let percent = (1..100).map(f64::from);
        let thresholds: Vec<f64> = percent.map(|percent| percent / 100.0).collect();
        let name = BenchmarkId::new("S5 net benefit", size);
        criterion.bench_with_input(name, &size, |bench, _| {
            bench.iter(|| {
                let tables = Decided::at_each(&outcome, black_box(&score), &thresholds);
                let answers = thresholds.iter().zip(tables).map(|(threshold, decided)| {
                    decided.estimate(Question::NetBenefit, *threshold, Prevalence::Observed)
                });
                assert_eq!(answers.flatten().count(), 99);
            });
        });
    }
}

/// S6: six axes of five levels. Ours has the whole table: six measures per level with intervals,
/// and the gap of each to the rest of the site with its own.
fn subgroups(criterion: &mut Criterion<Cpu>) {
    let protocol = protocol();
    for size in [100_000, 1_000_000] {
        let cases = cases(&protocol, data::rows(size));
        criterion.bench_with_input(BenchmarkId::new("S6 subgroups", size), &size, |bench, _| {
            bench.iter(|| {
                let set = AnalysisSet::of(&protocol, &cases, 0).unwrap();
                let tables = (0..data::AXES).map(|axis| SubgroupTable::measure(&set, 0, axis, 0.5));
                assert_eq!(tables.flatten().count(), data::AXES);
            });
        });
    }
}

/// S7: REML, guarded HKSJ, both prediction intervals, Q-profile; ours also has the pool without
/// each site in turn.
fn pools(criterion: &mut Criterion<Cpu>) {
    for k in [5, 30] {
        let yi: Vec<f64> = (0..k).map(|site| 1.4 + data::unit(7, site) - 0.5).collect();
        let vi: Vec<f64> = (0..k)
            .map(|site| 0.02 + 0.08 * data::unit(8, site))
            .collect();
        criterion.bench_with_input(BenchmarkId::new("S7 random effects", k), &k, |bench, _| {
            bench.iter(|| RandomEffects::fit(black_box(&yi), black_box(&vi), 0.95).unwrap());
        });
    }
}

/// Everything a protocol of two models and six axes asks of a site, with the disclosure review.
fn release(criterion: &mut Criterion<Cpu>) {
    let (protocol, policy) = (protocol(), Policy::parse(STANDARD).unwrap());
    let kinds = plan::kinds(&protocol);
    for size in [100_000, 1_000_000] {
        let cases = cases(&protocol, data::rows(size));
        criterion.bench_with_input(
            BenchmarkId::new("S10 measure and review", size),
            &size,
            |bench, _| {
                bench.iter(|| {
                    let exact = measure(&protocol, &cases, &kinds);
                    review(&policy, &protocol, exact, (false, Axes::BY_RULE))
                        .items
                        .len()
                });
            },
        );
    }
}

fn main() {
    let mut criterion = cpu::criterion();
    areas(&mut criterion);
    resamples(&mut criterion);
    lines(&mut criterion);
    benefits(&mut criterion);
    subgroups(&mut criterion);
    pools(&mut criterion);
    release(&mut criterion);
    criterion.final_summary();
}
