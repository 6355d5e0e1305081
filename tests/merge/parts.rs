//! Parts that merge in the mathematics below the statistics: sites' parts, put together in any
//! order, are the parts of the rows together, counts exactly and sums to 1e-12.
//!
//! From: `harness::random`.
//! To: nothing.

use harness::random::{Draw, Row, tally};
use shared::numeric::calibration::Sums;
use shared::numeric::calibration::bins::{self, Bin};
use shared::numeric::delong;
use shared::numeric::generalised::{GeneralAssociation, LinearAssociation};
use shared::numeric::logistic::{ClippedLogits, Coefficients, NewtonBlock};
use shared::numeric::stratified::MantelHaenszel;
use shared::numeric::sum::{Moments, Neumaier, sum};
use shared::statistic::Statistic;

use crate::sums::{pooled, split};
use crate::value::{LEVELS, release};

const SEEDS: std::ops::Range<u64> = 200..260;

#[track_caller]
fn close(what: &str, got: f64, expected: f64, size: f64) {
    assert!(
        (got - expected).abs() <= 1e-12 * expected.abs().max(size),
        "{what}: {got:e} is not {expected:e}"
    );
}

/// The same parts in another order.
fn shuffled<T: Clone>(parts: &[T], draw: &mut Draw) -> Vec<T> {
    let mut parts = parts.to_vec();
    for place in (1..parts.len()).rev() {
        parts.swap(place, draw.within(0, place + 1));
    }
    parts
}

fn columns(rows: &[Row]) -> (Vec<bool>, Vec<f64>) {
    let complete = rows.iter().filter(|row| row.complete());
    complete.map(|row| (row.event(), row.score(0))).unzip()
}

#[test]
fn moments_and_sums_merge() {
    for seed in SEEDS {
        let (rows, parts) = split(seed, 0.2);
        // Far from zero, where raw sums of squares would cancel.
        let values = |rows: &[Row]| -> Vec<f64> {
            let far = |row: &Row| row.number.map(|number| 1e6 + number / 7.0);
            rows.iter().filter_map(far).collect()
        };
        let whole = Moments::of(&values(&rows)).unwrap();
        let mut draw = Draw(seed);
        for _ in 0..3 {
            let parts = shuffled(&parts, &mut draw);
            let merged = parts
                .iter()
                .map(|(_, rows)| Moments::of(&values(rows)).unwrap())
                .fold(Moments::default(), Moments::merge);
            assert_eq!(merged.n, whole.n);
            close("mean", merged.mean, whole.mean, 0.0);
            // The deviations carry the rounding of values of a million.
            close("m2", merged.m2, whole.m2, whole.n as f64 * 1e6 * 1e-3);
            let mut total = Neumaier::default();
            for (_, rows) in &parts {
                let mut part = Neumaier::default();
                values(rows).into_iter().for_each(|value| part.add(value));
                total.merge(part);
            }
            close("sum", total.total(), sum(&values(&rows)), 0.0);
        }
    }
}

/// Levels crossed with outcome at each site: the parts of Cochran-Mantel-Haenszel tests add over
/// sites, whatever their order and however sites are grouped before.
#[test]
fn strata_merge() {
    for seed in SEEDS {
        let (_, parts) = split(seed, 0.0);
        let tables: Vec<Vec<Vec<u64>>> = parts
            .iter()
            .map(|(_, rows)| {
                let cell = |level: usize, event: bool| {
                    let holds =
                        |row: &Row| row.complete() && row.level[1] == level && row.event() == event;
                    tally(rows, holds).0
                };
                (0..=LEVELS[1])
                    .map(|level| vec![cell(level, false), cell(level, true)])
                    .collect()
            })
            .collect();
        let reals = |table: &[Vec<u64>]| -> Vec<Vec<f64>> {
            let row = |row: &Vec<u64>| row.iter().map(|cell| *cell as f64).collect();
            table.iter().map(row).collect()
        };
        let two = |table: &[Vec<u64>]| [[table[0][0], table[0][1]], [table[1][0], table[1][1]]];
        let scores: Vec<f64> = (0..=LEVELS[1]).map(|level| level as f64).collect();
        let linear = |table: &Vec<Vec<u64>>| {
            LinearAssociation::of(&reals(table), &scores, &[0.0, 1.0]).unwrap()
        };
        let general = |table: &Vec<Vec<u64>>| GeneralAssociation::of(&reals(table)).unwrap();
        let empty = || GeneralAssociation::empty(LEVELS[1] + 1, 2).unwrap();
        let in_order = MantelHaenszel::over(&tables.iter().map(|t| two(t)).collect::<Vec<_>>());
        let whole = tables
            .iter()
            .map(linear)
            .fold(LinearAssociation::default(), LinearAssociation::merge);
        let all = tables
            .iter()
            .map(general)
            .fold(empty(), |sum, one| sum.merge(&one).unwrap());
        let mut draw = Draw(seed);
        for _ in 0..3 {
            let tables = shuffled(&tables, &mut draw);
            let cut = draw.within(0, tables.len() + 1);
            let (left, right) = tables.split_at(cut);
            let half = |tables: &[Vec<Vec<u64>>]| {
                MantelHaenszel::over(&tables.iter().map(|t| two(t)).collect::<Vec<_>>())
            };
            let merged = half(left).merge(half(right));
            assert_eq!(
                (merged.strata, merged.skipped),
                (in_order.strata, in_order.skipped)
            );
            close("observed", merged.observed, in_order.observed, 0.0);
            close("expected", merged.expected, in_order.expected, 0.0);
            close("variance", merged.variance, in_order.variance, 0.0);
            close("r", merged.r, in_order.r, 0.0);
            close("s", merged.s, in_order.s, 0.0);
            let line = |tables: &[Vec<Vec<u64>>]| {
                let parts = tables.iter().map(linear);
                parts.fold(LinearAssociation::default(), LinearAssociation::merge)
            };
            let merged = line(left).merge(line(right));
            close(
                "trend",
                merged.observed - merged.expected,
                whole.observed - whole.expected,
                whole.observed,
            );
            close("trend's variance", merged.variance, whole.variance, 0.0);
            let parts = |tables: &[Vec<Vec<u64>>]| {
                let parts = tables.iter().map(general);
                parts.fold(empty(), |sum, one| sum.merge(&one).unwrap())
            };
            let merged = parts(left).merge(&parts(right)).unwrap();
            for (got, expected) in merged.deviation.iter().zip(&all.deviation) {
                close("deviation", *got, *expected, 100.0);
            }
            for (got, expected) in merged.covariance.iter().zip(&all.covariance) {
                close("covariance", *got, *expected, 10.0);
            }
        }
    }
}

/// Sums, bins and Newton blocks of calibration, whose rows only the site has.
#[test]
fn calibration_merges() {
    const BINS: usize = 10;
    for seed in SEEDS {
        let (rows, parts) = split(seed, 0.2);
        let at = Coefficients {
            intercept: 0.3,
            slope: 0.8,
        };
        let block = |rows: &[Row]| {
            let (outcome, score) = columns(rows);
            let logits = ClippedLogits::of(&score, 1e-6).unwrap();
            NewtonBlock::of(&logits.lp, &outcome, at)
        };
        let sums = |rows: &[Row]| {
            let (outcome, score) = columns(rows);
            Sums::of(&score, &outcome)
        };
        let bins = |rows: &[Row]| {
            let (outcome, score) = columns(rows);
            bins::collect(&score, &outcome, BINS, |p| bins::equal_width(p, BINS))
        };
        let (all_block, all_sums, all_bins) = (block(&rows), sums(&rows), bins(&rows));
        let n = all_block.n as f64;
        let mut draw = Draw(seed);
        for _ in 0..3 {
            let parts = shuffled(&parts, &mut draw);
            let merged = parts.iter().map(|(_, rows)| block(rows));
            let merged = merged.reduce(NewtonBlock::merge).unwrap();
            assert_eq!((merged.n, merged.events), (all_block.n, all_block.events));
            close("loglik", merged.loglik, all_block.loglik, 0.0);
            for (got, expected) in merged.score.iter().zip(all_block.score) {
                close("score", *got, expected, n);
            }
            for (got, expected) in merged.information.iter().zip(all_block.information) {
                close("information", *got, expected, n);
            }
            let merged = parts.iter().map(|(_, rows)| sums(rows));
            let merged = merged.fold(Sums::default(), Sums::merge);
            assert_eq!((merged.n, merged.events), (all_sums.n, all_sums.events));
            let numbers = |sums: &Sums| {
                [
                    sums.p,
                    sums.p2,
                    sums.py,
                    sums.square,
                    sums.spread,
                    sums.denominator,
                ]
            };
            for (got, expected) in numbers(&merged).into_iter().zip(numbers(&all_sums)) {
                close("sum", got, expected, 0.0);
            }
            close("numerator", merged.numerator, all_sums.numerator, n);
            let mut merged = vec![Bin::default(); BINS];
            for (_, rows) in &parts {
                for (sum, part) in merged.iter_mut().zip(bins(rows)) {
                    *sum = sum.merge(part);
                }
            }
            for (got, expected) in merged.iter().zip(&all_bins) {
                assert_eq!((got.n, got.events), (expected.n, expected.events));
                close("bin", got.p, expected.p, 0.0);
                close("bin", got.p2, expected.p2, 0.0);
                close("bin", got.py, expected.py, 0.0);
            }
        }
    }
}

/// The merged curve is that of the rows together, and its area and variance are those of the
/// binned score row by row.
#[test]
fn histograms_merge_to_the_curve_of_all_rows() {
    for seed in 300..312 {
        let (rows, parts) = split(seed, 0.0);
        let releases: Vec<_> = parts
            .iter()
            .map(|(name, rows)| release(rows, name))
            .collect();
        let study = pooled(&releases);
        let alone = pooled(&[release(&rows, "all")]);
        for model in ["p_a", "p_b"] {
            let curve = |study: &shared::pool::result::PooledStudy, site: bool| {
                let curves = study.merged.iter();
                let mut found =
                    curves.filter(|one| one.model.as_str() == model && one.site.is_some() == site);
                found.next().cloned()
            };
            let (Some(merged), Some(alone)) = (curve(&study, false), curve(&alone, true)) else {
                // One site has no merged curve; its own is the same thing.
                assert_eq!(parts.len(), 1);
                continue;
            };
            assert_eq!(merged.points, alone.points);
            assert_eq!(merged.auc.to_bits(), alone.auc.to_bits());
            assert_eq!(merged.variance, alone.variance);
        }
        let edges = &study.protocol.histogram.edges;
        let (outcome, score) = columns(&rows);
        let bin = |score: &f64| edges.partition_point(|edge| edge <= score) as f64;
        let binned: Vec<f64> = score.iter().map(bin).collect();
        let own: Vec<u32> = (0..binned.len() as u32).collect();
        let direct = delong::auc(&outcome, &binned, &own).unwrap();
        let curve = alone.merged.iter().find(|one| one.model.as_str() == "p_b");
        let curve = curve.unwrap();
        assert_eq!(Some(curve.auc), direct.auc);
        close(
            "variance",
            curve.variance.unwrap(),
            direct.variance.unwrap(),
            0.0,
        );
    }
}

/// Characteristics: levels add, and mean and standard deviation of the rows together follow from
/// the sites' n, mean and sd.
#[test]
fn characteristics_merge() {
    for seed in 330..345 {
        let (rows, parts) = split(seed, 0.2);
        let mut merged = Moments::default();
        let mut levels = vec![0; LEVELS[1] + 1];
        for (name, rows) in &parts {
            for one in release(rows, name).statistics {
                let Statistic::Characteristics(one) = one else {
                    continue;
                };
                for (sum, level) in levels.iter_mut().zip(&one.axes[1].levels) {
                    *sum += level.n.exact().unwrap();
                }
                let age = &one.moments[0];
                let n = age.n.exact().unwrap();
                if let Some(mean) = age.mean.exact() {
                    let sd = age.sd.exact().unwrap_or(0.0);
                    let m2 = sd * sd * (n.max(1) - 1) as f64;
                    merged = merged.merge(Moments { n, mean, m2 });
                }
            }
        }
        let complete = rows.iter().filter(|row| row.complete());
        let values: Vec<f64> = complete.clone().filter_map(|row| row.number).collect();
        let whole = Moments::of(&values).unwrap();
        assert_eq!(merged.n, whole.n);
        close("mean", merged.mean, whole.mean, 0.0);
        close(
            "sd",
            merged.standard_deviation().unwrap(),
            whole.standard_deviation().unwrap(),
            0.0,
        );
        for (level, sum) in levels.into_iter().enumerate() {
            let direct = complete.clone().filter(|row| row.level[1] == level).count();
            assert_eq!(sum, direct as u64);
        }
    }
}
