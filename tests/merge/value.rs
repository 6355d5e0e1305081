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

fn subgroup(rows: &[Row], axis: usize, level: usize, row: &SubgroupRow<Disclosed>) {
    let inside = |row: &&Row| row.complete() && row.level[axis] == level;
    let outside = |row: &&Row| row.complete() && row.level[axis] != level;
    let own: Vec<&Row> = rows.iter().filter(inside).collect();
    let rest: Vec<&Row> = rows.iter().filter(outside).collect();
    assert_eq!(row.n.exact(), Some(own.len() as u64));
    for measure in &row.measures {
        let name = format!("{:?} of {}", measure.measure, row.level);
        let (value, other) = (
            direct(&own, measure.measure),
            direct(&rest, measure.measure),
        );
        close(&name, measure.value, value);
        let gap = value.zip(other).and_then(|(a, b)| match measure.measure {
            Measure::ObservedExpected => (a > 0.0 && b > 0.0).then(|| (a / b).ln()),
            Measure::SelectionRate | Measure::Tpr | Measure::Fpr | Measure::Ppv | Measure::Auc => {
                Some(a - b)
            }
        });
        close(&format!("{name}, gap"), measure.gap, gap);
        for end in [measure.low, measure.high, measure.gap_low, measure.gap_high] {
            assert!(!end.is_suppressed(), "{name}");
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
        Measure::Auc => area(rows, 0),
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
