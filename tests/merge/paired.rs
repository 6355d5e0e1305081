//! Both models' decisions crossed, decision curves and label permutation: what the pool adds
//! over random splits equals the rows put together, or, where a test is stratified, the sum of
//! what brute force finds in each hospital.
//!
//! From: `harness::random`.
//! To: nothing.

use harness::random::Row;
use shared::pool::result::{McNemar, PooledStudy};
use shared::statistic::stage::Cell;

use crate::sums::{pooled, split};
use crate::value::release;

const SEEDS: std::ops::Range<u64> = 500..505;

fn study(parts: &[(String, Vec<Row>)]) -> PooledStudy {
    // Arrival in another order than the protocol's.
    let mut releases: Vec<_> = parts
        .iter()
        .map(|(name, rows)| release(rows, name))
        .collect();
    releases.reverse();
    pooled(&releases)
}

fn complete(rows: &[Row]) -> Vec<&Row> {
    rows.iter().filter(|row| row.complete()).collect()
}

#[track_caller]
fn close(what: &str, got: f64, expected: f64) {
    assert!(
        (got - expected).abs() <= 1e-12 * expected.abs().max(1.0),
        "{what}: {got:e} is not {expected:e}"
    );
}

#[test]
fn crossed_decisions_add() {
    for seed in SEEDS {
        let (rows, parts) = split(seed, 0.0);
        let study = study(&parts);
        assert!(!study.crossed.is_empty());
        for one in &study.crossed {
            let call = |row: &Row| {
                (
                    row.score(0) >= one.threshold,
                    row.score(1) >= one.comparator_threshold,
                )
            };
            let direct = |event: bool| {
                [(true, true), (true, false), (false, true), (false, false)].map(|calls| {
                    let rows = complete(&rows);
                    let found = rows
                        .iter()
                        .filter(|row| row.event() == event && call(row) == calls);
                    found.count() as u64
                })
            };
            let exact = |cells: [Cell<u64>; 4]| cells.map(|cell| cell.exact().unwrap());
            assert_eq!(exact(one.events), direct(true));
            assert_eq!(exact(one.non_events), direct(false));
            let McNemar::Computed {
                model_right,
                comparator_right,
                chi_squared,
                ..
            } = &one.event_test
            else {
                continue;
            };
            let [_, only_model, only_comparator, _] = direct(true);
            assert_eq!(
                (*model_right, *comparator_right),
                (only_model, only_comparator)
            );
            let (b, c) = (only_model as f64, only_comparator as f64);
            close("chi-squared", *chi_squared, (b - c) * (b - c) / (b + c));
        }
    }
}

#[test]
fn decision_curves_add() {
    for seed in SEEDS {
        let (rows, parts) = split(seed, 0.0);
        let rows = complete(&rows);
        let n = rows.len() as f64;
        let events = rows.iter().filter(|row| row.event()).count() as f64;
        let study = study(&parts);
        let own = study.benefit.iter().filter(|one| one.prevalence.is_none());
        let mut compared = 0;
        for curve in own {
            let model = usize::from(curve.model.as_str() == "p_a");
            for point in &curve.points {
                let odds = point.threshold / (1.0 - point.threshold);
                let called = |event: bool| {
                    let positive = rows
                        .iter()
                        .filter(|row| row.event() == event && row.score(model) >= point.threshold);
                    positive.count() as f64
                };
                let benefit = (called(true) - odds * called(false)) / n;
                let all = (events - odds * (n - events)) / n;
                close("net benefit", point.net_benefit, benefit);
                close("treat all", point.treat_all, all);
                close("avoided", point.avoided, (benefit - all) / odds);
                compared += 1;
            }
        }
        assert!(compared >= 4, "seed {seed}: {compared} points");
    }
}

/// Rank sum of the events less its expectation, and its variance with ties, by counting.
fn rank_sum(rows: &[&Row], model: usize) -> (f64, f64) {
    let score = |row: &Row| row.score(model);
    let n = rows.len() as f64;
    let events = rows.iter().filter(|row| row.event()).count() as f64;
    let rank = |row: &Row| {
        let below = rows
            .iter()
            .filter(|other| score(other) < score(row))
            .count() as f64;
        let equal = rows
            .iter()
            .filter(|other| score(other) == score(row))
            .count() as f64;
        below + (equal + 1.0) / 2.0
    };
    let ranks: Vec<f64> = rows.iter().map(|row| rank(row)).collect();
    let own = rows.iter().zip(&ranks).filter(|(row, _)| row.event());
    let deviation = own.map(|(_, rank)| rank).sum::<f64>() - events * (n + 1.0) / 2.0;
    let spread: f64 = ranks
        .iter()
        .map(|rank| (rank - (n + 1.0) / 2.0) * (rank - (n + 1.0) / 2.0))
        .sum();
    (deviation, events * (n - events) / (n * (n - 1.0)) * spread)
}

#[test]
fn permutation_moments_add() {
    for seed in SEEDS {
        let (_, parts) = split(seed, 0.0);
        let study = study(&parts);
        for pooled in &study.permutation {
            let model = usize::from(pooled.model.as_str() == "p_a");
            let (mut deviation, mut variance) = (0.0, 0.0);
            for (name, rows) in &parts {
                let rows = complete(rows);
                let events = rows.iter().filter(|row| row.event()).count();
                let site = pooled.sites.iter().find(|site| site.site.as_str() == name);
                if events == 0 || events == rows.len() {
                    let told = site.and_then(|site| site.variance.number());
                    assert!(told.is_none_or(|variance| variance == 0.0));
                    continue;
                }
                let (own, spread) = rank_sum(&rows, model);
                let site = site.unwrap();
                close("deviation", site.deviation.number().unwrap(), own);
                close("variance", site.variance.number().unwrap(), spread);
                deviation += own;
                variance += spread;
            }
            match pooled.z {
                Some(z) => close("z", z, deviation / variance.sqrt()),
                None => assert!(variance == 0.0, "seed {seed}"),
            }
        }
    }
}
