//! Random rows split among one to forty sites: what the pool adds equals the rows together,
//! whatever the order of arrival.
//!
//! From: `harness::random`.
//! To: nothing.

use harness::path;
use harness::random::{self, Draw, Row, tally};
use shared::disclosure::ReceivedRelease;
use shared::numeric::generalised::GeneralAssociation;
use shared::pool::result::{Cmh, PooledStudy};
use shared::statistic::contingency::ContingencyKind;
use shared::statistic::stage::Cell;
use shared::statistic::{Disclosed, Statistic};
use shared::study::{SiteRole, StudySite};

use crate::value::{LEVELS, THRESHOLD, release, site};

pub fn split(seed: u64, repeats: f64) -> (Vec<Row>, Vec<(String, Vec<Row>)>) {
    let mut draw = Draw(seed ^ 0xABCD);
    let rows = site(seed, 150 + draw.within(0, 150), repeats);
    let count = draw.within(1, 41);
    let mut parts: Vec<(String, Vec<Row>)> = (0..count)
        .map(|place| (format!("site-{place:02}"), Vec::new()))
        .collect();
    // A patient belongs to one hospital.
    let patients = rows.iter().map(|row| row.patient as usize).max().unwrap() + 1;
    let home: Vec<usize> = (0..patients).map(|_| draw.within(0, count)).collect();
    for row in &rows {
        parts[home[row.patient as usize]].1.push(row.clone());
    }
    (rows, parts)
}

pub fn pooled(releases: &[ReceivedRelease]) -> PooledStudy {
    let mut protocol = random::protocol(&LEVELS, &[THRESHOLD, 0.8]);
    let mut names: Vec<_> = releases.iter().map(|one| one.header.site.clone()).collect();
    names.sort();
    protocol.site = names
        .into_iter()
        .map(|slug| StudySite {
            moderators: Default::default(),
            display_name: slug.to_string(),
            slug,
            role: SiteRole::External,
        })
        .collect();
    protocol.pooling.min_sites = 2;
    path::pooled(&protocol, releases)
}

fn add(
    releases: &[ReceivedRelease],
    pick: impl Fn(&Statistic<Disclosed>) -> Option<Cell<u64>>,
) -> u64 {
    releases
        .iter()
        .map(|release| release.statistics.iter().find_map(&pick).unwrap())
        .fold(Cell::Zero, Cell::plus)
        .exact()
        .unwrap()
}

#[test]
fn flows_and_tables_add() {
    for seed in 0..12 {
        let (rows, parts) = split(seed, if seed % 3 == 0 { 0.3 } else { 0.0 });
        let releases: Vec<ReceivedRelease> = parts
            .iter()
            .map(|(name, rows)| release(rows, name))
            .collect();
        let count = |holds: &dyn Fn(&Row) -> bool| tally(&rows, holds).0;
        let analysed = |row: &Row| row.complete();
        let flow = |pick: fn(&shared::statistic::flow::Flow<Disclosed>) -> Cell<u64>| {
            add(&releases, |one| match one {
                Statistic::Flow(flow) => Some(pick(flow)),
                _ => None,
            })
        };
        assert_eq!(flow(|one| one.records), rows.len() as u64);
        assert_eq!(flow(|one| one.eligible), rows.len() as u64);
        assert_eq!(flow(|one| one.analysed), count(&analysed));
        assert_eq!(flow(|one| one.patients), tally(&rows, analysed).1);
        assert_eq!(
            flow(|one| one.events),
            count(&|row| row.complete() && row.event())
        );
        assert_eq!(
            flow(|one| one.without_reference),
            count(&|row| row.outcome.is_none())
        );
        assert_eq!(
            flow(|one| one.without_prediction),
            count(&|row| row.outcome.is_some() && !row.complete())
        );
        confusions(&rows, &releases);
        histograms(&rows, &releases);
    }
}

fn confusions(rows: &[Row], releases: &[ReceivedRelease]) {
    for (model, name) in ["p_b", "p_a"].into_iter().enumerate() {
        for threshold in [THRESHOLD, 0.8] {
            for (positive, event) in [(true, true), (true, false), (false, true), (false, false)] {
                let sum = add(releases, |one| match one {
                    Statistic::Confusion(one)
                        if one.model.as_str() == name && one.threshold == threshold =>
                    {
                        Some(match (positive, event) {
                            (true, true) => one.true_positive,
                            (true, false) => one.false_positive,
                            (false, true) => one.false_negative,
                            (false, false) => one.true_negative,
                        })
                    }
                    _ => None,
                });
                let direct = tally(rows, |row| {
                    row.complete()
                        && (row.score(model) >= threshold) == positive
                        && row.event() == event
                });
                assert_eq!(sum, direct.0);
            }
        }
    }
}

fn histograms(rows: &[Row], releases: &[ReceivedRelease]) {
    let edges = random::protocol(&LEVELS, &[THRESHOLD, 0.8]).histogram.edges;
    for (model, name) in ["p_b", "p_a"].into_iter().enumerate() {
        for bin in 0..=edges.len() {
            let (low, high) = (
                bin.checked_sub(1).map_or(0.0, |edge| edges[edge]),
                edges.get(bin).copied().unwrap_or(f64::INFINITY),
            );
            for event in [true, false] {
                let sum = add(releases, |one| match one {
                    Statistic::Histogram(one) if one.model.as_str() == name => {
                        let blocks = if event { &one.events } else { &one.non_events };
                        let block = &blocks[bin];
                        assert_eq!((block.first as usize, block.last as usize), (bin, bin));
                        Some(block.count)
                    }
                    _ => None,
                });
                let direct = tally(rows, |row| {
                    row.complete()
                        && row.event() == event
                        && (low..high).contains(&row.score(model))
                });
                assert_eq!(sum, direct.0, "{name} bin {bin}");
            }
        }
    }
}

fn crossed(rows: &[Row], axis: usize) -> Vec<Vec<f64>> {
    (0..=LEVELS[axis])
        .map(|level| {
            [false, true]
                .map(|event| {
                    let holds = |row: &Row| {
                        row.complete() && row.level[axis] == level && row.event() == event
                    };
                    tally(rows, holds).0 as f64
                })
                .to_vec()
        })
        .collect()
}

#[test]
fn contingency_tables_and_their_tests_add() {
    for seed in 50..62 {
        let (rows, parts) = split(seed, 0.0);
        let releases: Vec<ReceivedRelease> = parts
            .iter()
            .map(|(name, rows)| release(rows, name))
            .collect();
        let study = pooled(&releases);
        for (axis, levels) in LEVELS.iter().enumerate() {
            let name = format!("axis_{axis}");
            let table = study
                .tables
                .iter()
                .find(|one| {
                    one.kind == ContingencyKind::OutcomeBySubgroup && one.axis.as_str() == name
                })
                .unwrap();
            let direct = crossed(&rows, axis);
            for (row, expected) in table.total.iter().zip(&direct) {
                for (cell, expected) in row.iter().zip(expected) {
                    assert_eq!(cell.exact().map(|count| count as f64), Some(*expected));
                }
            }
            let mut sum = GeneralAssociation::empty(*levels + 1, 2).unwrap();
            for (_, rows) in &parts {
                if let Ok(part) = GeneralAssociation::of(&crossed(rows, axis)) {
                    sum = sum.merge(&part).unwrap();
                }
            }
            match (&table.cmh, sum.test()) {
                (Cmh::Computed { statistic, .. }, Some(test)) => {
                    let error = (statistic - test.statistic).abs();
                    assert!(error <= 1e-9 * test.statistic.max(1e-3), "{statistic}");
                }
                (Cmh::NotComputed { .. }, None) => {}
                (found, test) => panic!("{found:?} against {test:?}"),
            }
        }
    }
}

/// Observed events add; expected events follow from each site's ratio.
#[test]
fn observed_and_expected_events_add() {
    for seed in 80..90 {
        let (rows, parts) = split(seed, 0.2);
        let releases: Vec<ReceivedRelease> = parts
            .iter()
            .map(|(name, rows)| release(rows, name))
            .collect();
        let (mut observed, mut expected) = (0.0, 0.0);
        for release in &releases {
            let one = release.statistics.iter().find_map(|one| match one {
                Statistic::ObservedExpected(one) if one.model.as_str() == "p_b" => Some(one),
                _ => None,
            });
            let one = one.unwrap();
            observed += one.observed.exact().unwrap() as f64;
            if let (Some(n), Some(mean)) = (one.n.exact(), one.mean_prediction.exact()) {
                expected += n as f64 * mean;
            }
        }
        let complete = || rows.iter().filter(|row| row.complete());
        assert_eq!(
            observed,
            complete().filter(|row| row.event()).count() as f64
        );
        let direct: f64 = complete().map(|row| row.score(0)).sum();
        assert!(
            (expected - direct).abs() <= 1e-10 * direct,
            "{expected} {direct}"
        );
    }
}

#[test]
fn the_order_of_arrival_and_of_rows_changes_nothing() {
    for seed in 30..34 {
        let (_, parts) = split(seed, 0.2);
        let mut releases: Vec<ReceivedRelease> = parts
            .iter()
            .map(|(name, rows)| release(rows, name))
            .collect();
        let first = pooled(&releases);
        let mut draw = Draw(seed);
        for _ in 0..3 {
            let mut places: Vec<u64> = (0..releases.len()).map(|_| draw.next()).collect();
            releases.sort_by_key(|_| places.pop());
            assert!(pooled(&releases) == first, "arrival order matters");
        }
        let (name, rows) = &parts[0];
        let mut turned = rows.clone();
        turned.reverse();
        let (a, b) = (release(rows, name), release(&turned, name));
        assert_eq!(a.statistics.len(), b.statistics.len());
        for (a, b) in a.statistics.iter().zip(&b.statistics) {
            if let (
                Statistic::Flow(_)
                | Statistic::Confusion(_)
                | Statistic::Histogram(_)
                | Statistic::Contingency(_)
                | Statistic::Discordance(_)
                | Statistic::Missing(_),
                _,
            ) = (a, b)
            {
                assert_eq!(a, b, "row order matters");
            }
        }
    }
}
