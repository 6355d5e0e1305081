//! A site's numbers against direct computation on its rows.
//!
//! From: `harness::random`.
//! To: nothing.

use harness::path;
use harness::random::{self, Draw, Row, Shape, area, tally};
use shared::disclosure::ReceivedRelease;
use shared::statistic::stage::Cell;
use shared::statistic::subgroup::{Measure, SubgroupRow};
use shared::statistic::{Disclosed, Statistic};

pub const LEVELS: [usize; 2] = [2, 4];
pub const THRESHOLD: f64 = 0.5;

pub fn site(seed: u64, patients: usize, repeats: f64) -> Vec<Row> {
    let mut draw = Draw(seed);
    let shape = Shape {
        patients,
        prevalence: 0.1 + 0.5 * draw.unit(),
        repeats,
        missing: 0.1,
    };
    random::rows(&mut draw, &LEVELS, shape)
}

pub fn release(rows: &[Row], site: &str) -> ReceivedRelease {
    let protocol = random::protocol(&LEVELS, &[THRESHOLD, 0.8]);
    let cases = random::cases(&protocol, rows);
    path::release(&protocol, &cases, &path::open_data(), site).unwrap()
}

fn close(what: &str, got: Cell<f64>, expected: Option<f64>) {
    match (got.exact(), expected) {
        (Some(got), Some(expected)) => {
            assert!(
                (got - expected).abs() <= 1e-12 * expected.abs() + 1e-14,
                "{what}: got {got:e}, expected {expected:e}"
            );
        }
        (None, None) => {}
        (got, expected) => panic!("{what}: got {got:?}, expected {expected:?}"),
    }
}

#[test]
fn an_area_is_the_share_of_concordant_pairs() {
    for seed in 0..20 {
        let rows = site(seed, 80, if seed % 2 == 0 { 0.0 } else { 0.3 });
        let analysed: Vec<&Row> = rows.iter().filter(|row| row.complete()).collect();
        for statistic in release(&rows, "a").statistics {
            if let Statistic::Auc(one) = statistic {
                let model = usize::from(one.model.as_str() == "p_a");
                close("AUC", one.auc, area(&analysed, model));
            } else if let Statistic::PairedAuc(one) = statistic {
                let (index, other) = (area(&analysed, 0), area(&analysed, 1));
                close(
                    "difference",
                    one.difference,
                    index.zip(other).map(|(a, b)| a - b),
                );
            }
        }
    }
}

#[test]
fn subgroup_measures_are_those_of_the_rows() {
    for seed in 100..115 {
        let rows = site(seed, 90, if seed % 2 == 0 { 0.0 } else { 0.3 });
        for statistic in release(&rows, "a").statistics {
            let Statistic::SubgroupTable(table) = statistic else {
                continue;
            };
            let axis = if table.axis.as_str() == "axis_0" {
                0
            } else {
                1
            };
            for (level, row) in table.rows.iter().enumerate() {
                subgroup(&rows, axis, level, row);
            }
        }
    }
}

pub fn subgroup(rows: &[Row], axis: usize, level: usize, row: &SubgroupRow<Disclosed>) {
    let inside = |row: &&Row| row.complete() && row.level[axis] == level;
    let outside = |row: &&Row| row.complete() && row.level[axis] != level;
    let own: Vec<&Row> = rows.iter().filter(inside).collect();
    let rest: Vec<&Row> = rows.iter().filter(outside).collect();
    assert_eq!(row.n.exact(), Some(own.len() as u64));
    for measure in &row.measures {
        let name = format!("{:?} of {}", measure.measure, row.level);
        let (value, other) = if measure.measure == Measure::Xauc {
            (crossed(&own, &rest), crossed(&rest, &own))
        } else {
            (
                direct(&own, measure.measure),
                direct(&rest, measure.measure),
            )
        };
        close(&name, measure.value, value);
        let gap = value.zip(other).and_then(|(a, b)| match measure.measure {
            Measure::ObservedExpected => (a > 0.0 && b > 0.0).then(|| (a / b).ln()),
            Measure::SelectionRate
            | Measure::Tpr
            | Measure::Fpr
            | Measure::Ppv
            | Measure::Npv
            | Measure::Auc
            | Measure::Brier
            | Measure::Xauc => Some(a - b),
        });
        close(&format!("{name}, gap"), measure.gap, gap);
        for end in [measure.low, measure.high, measure.gap_low, measure.gap_high] {
            assert!(!end.is_suppressed(), "{name}");
        }
    }
}

/// Events of one group against non-events of another.
fn crossed(events: &[&Row], others: &[&Row]) -> Option<f64> {
    let events = events.iter().filter(|row| row.event());
    let others = others.iter().filter(|row| !row.event());
    area(&events.chain(others).copied().collect::<Vec<_>>(), 0)
}

/// Ranges over the recorded levels with at least ten cases.
#[test]
fn ranges_are_those_of_the_levels() {
    let mut compared = 0;
    for seed in 300..315 {
        let rows = site(seed, 200, if seed % 3 == 0 { 0.3 } else { 0.0 });
        for statistic in release(&rows, "a").statistics {
            let Statistic::SubgroupTable(table) = statistic else {
                continue;
            };
            let recorded = table.rows.iter().filter(|row| {
                row.level != "not recorded" && row.n.exact().is_some_and(|n| n >= 10)
            });
            let recorded: Vec<&SubgroupRow<Disclosed>> = recorded.collect();
            for one in table
                .disparities
                .iter()
                .filter(|one| one.measure != Measure::Xauc)
            {
                let values = recorded.iter().filter_map(|row| {
                    let found = row.measures.iter().find(|m| m.measure == one.measure)?;
                    found.value.exact()
                });
                let log = one.measure == Measure::ObservedExpected;
                let values: Vec<f64> = values.map(|v| if log { v.ln() } else { v }).collect();
                let largest = values.iter().copied().fold(f64::MIN, f64::max);
                let smallest = values.iter().copied().fold(f64::MAX, f64::min);
                let range = (values.len() > 1).then_some(largest - smallest);
                close(&format!("{:?}", one.measure), one.range, range);
                if let (Some(low), Some(high)) = (one.low.exact(), one.high.exact()) {
                    assert!(low <= largest - smallest && largest - smallest <= high);
                    compared += 1;
                }
            }
        }
    }
    assert!(compared > 100, "only {compared} intervals");
}

/// The rank sum by counting pairs, one site at a time.
#[test]
fn a_rank_sum_is_its_pairs() {
    for seed in 400..410 {
        let rows = site(seed, 60, 0.0);
        let analysed: Vec<&Row> = rows.iter().filter(|row| row.complete()).collect();
        let events = analysed.iter().filter(|row| row.event()).count() as f64;
        let others = analysed.len() as f64 - events;
        for statistic in release(&rows, "a").statistics {
            if let Statistic::Permutation(one) = statistic {
                let model = usize::from(one.model.as_str() == "p_a");
                let deviation = area(&analysed, model).map(|a| events * others * (a - 0.5));
                let got = one.deviation.exact();
                let gap = got.zip(deviation).map(|(a, b)| (a - b).abs());
                assert!(gap.is_none_or(|gap| gap < 1e-9), "{got:?} {deviation:?}");
                assert_eq!(got.is_some(), deviation.is_some());
            }
        }
    }
}

fn direct(rows: &[&Row], measure: Measure) -> Option<f64> {
    let positive = |row: &Row| row.score(0) >= THRESHOLD;
    let share = |of: &dyn Fn(&Row) -> bool, hit: &dyn Fn(&Row) -> bool| {
        let all = rows.iter().filter(|row| of(row)).count();
        let hits = rows.iter().filter(|row| of(row) && hit(row)).count();
        (all > 0).then(|| hits as f64 / all as f64)
    };
    match measure {
        Measure::SelectionRate => share(&|_| true, &positive),
        Measure::Tpr => share(&|row| row.event(), &positive),
        Measure::Fpr => share(&|row| !row.event(), &positive),
        Measure::Ppv => share(&positive, &|row| row.event()),
        Measure::Npv => share(&|row| !positive(row), &|row| !row.event()),
        Measure::Brier => (!rows.is_empty()).then(|| {
            let loss = |row: &&Row| (row.score(0) - f64::from(u8::from(row.event()))).powi(2);
            rows.iter().map(loss).sum::<f64>() / rows.len() as f64
        }),
        Measure::Auc => area(rows, 0),
        Measure::Xauc => None,
        Measure::ObservedExpected => {
            let expected: f64 = rows.iter().map(|row| row.score(0)).sum();
            let events = rows.iter().filter(|row| row.event()).count();
            (expected > 0.0).then(|| events as f64 / expected)
        }
    }
}

/// With one case per patient the interval is Wilson's; where patients repeat it is another one,
/// and wider than Wilson's at some rate.
#[test]
fn repeated_patients_get_clustered_intervals() {
    let mut rows = site(7, 120, 0.0);
    rows.iter_mut().for_each(|row| {
        row.outcome = row.outcome.or(Some(false));
        row.score = row.score.map(|score| score.or(Some(0.5)));
    });
    let once = release(&rows, "a");
    assert!(!once.header.clustered);
    // Every patient three times over: the same rates, a third of the information.
    let thrice: Vec<Row> = rows.iter().flat_map(|row| vec![row.clone(); 3]).collect();
    let again = release(&thrice, "a");
    assert!(again.header.clustered);
    let rates = |release: &ReceivedRelease| {
        let table = release.statistics.iter().find_map(|one| match one {
            Statistic::Confusion(one) => Some(one.rates.clone()),
            _ => None,
        });
        table.unwrap()
    };
    for (a, b) in rates(&once).iter().zip(&rates(&again)) {
        assert_eq!(a.value, b.value);
        let (n, p) = (a.n.exact().unwrap(), a.value.exact().unwrap());
        let hits = (p * n as f64).round() as u64;
        let wilson = shared::numeric::proportion::wilson(hits, n, 0.95).unwrap();
        assert_eq!(a.low.exact(), Some(wilson.lower));
        let (low, high) = (b.low.exact().unwrap(), b.high.exact().unwrap());
        let naive = shared::numeric::proportion::wilson(3 * hits, 3 * n, 0.95).unwrap();
        assert!(
            high - low > 1.3 * (naive.upper - naive.lower),
            "{:?}",
            b.measure
        );
    }
    let patients = tally(&thrice, |row| row.complete()).1;
    assert_eq!(patients, 120);
}
