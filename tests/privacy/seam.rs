//! Seams between two statements of one release, each built by hand: what both say is safe
//! alone, and their difference is a few patients.
//!
//! From: `harness::random`.
//! To: nothing.

use harness::path;
use harness::random::{self, Row};
use shared::disclosure::policy::{NETWORK, OPEN_DATA, Policy};
use shared::statistic::metric::Leaves;
use shared::statistic::{Disclosed, Metric, Statistic};

/// Patients of both classes at these levels, with spread scores.
fn patients(rows: &mut Vec<Row>, count: usize, event: bool, level: &[usize]) {
    for _ in 0..count {
        let place = rows.len() as u32;
        let spread = f64::from(place * 37 % 100) / 100.0;
        rows.push(Row {
            patient: place,
            outcome: Some(event),
            score: [Some(0.005 + 0.99 * spread), Some(0.995 - 0.99 * spread)],
            level: level.to_vec(),
            number: Some(50.0 + spread),
        });
    }
}

fn statistics(rows: &[Row], levels: &[usize]) -> Vec<Statistic<Disclosed>> {
    let protocol = random::protocol(levels, &[0.5]);
    let cases = random::cases(&protocol, rows);
    let release = path::release(&protocol, &cases, &path::standard(), "a");
    release.unwrap().statistics
}

/// Characteristics could hide one partner of a small level and the subgroup table another one.
#[test]
fn tables_of_one_axis_hide_the_same_levels() {
    let mut rows = Vec::new();
    // Level 0 has 5 patients; level 1 is its partner by size; level 2 has too few events.
    for (level, events, others) in [(0, 2, 3), (1, 60, 60), (2, 8, 200), (3, 150, 150)] {
        patients(&mut rows, events, true, &[level]);
        patients(&mut rows, others, false, &[level]);
    }
    let mut masks = Vec::new();
    for statistic in statistics(&rows, &[4]) {
        if let Statistic::Characteristics(one) = statistic {
            masks.push(
                one.axes[0]
                    .levels
                    .iter()
                    .map(|row| row.n.number().is_some())
                    .collect(),
            );
        } else if let Statistic::SubgroupTable(one) = statistic {
            let mask: Vec<bool> = one
                .rows
                .iter()
                .map(|row| row.n.number().is_some())
                .collect();
            masks.push(mask);
        }
    }
    let [cases, classes] = masks.as_slice() else {
        panic!("two tables")
    };
    assert!(!cases[0] && !classes[0]);
    for (cases, classes) in cases.iter().zip(classes) {
        assert!(*cases || !*classes, "{masks:?}");
    }
}

/// Two axes that differ for three patients tell about these three (decision P5, L2).
#[test]
fn nearly_equal_axes_are_not_both_shown() {
    let mut rows = Vec::new();
    for event in [true, false] {
        patients(&mut rows, 80, event, &[0, 0]);
        patients(&mut rows, 80, event, &[1, 1]);
    }
    let shown = |rows: &[Row]| -> Vec<bool> {
        let tables = statistics(rows, &[2, 2])
            .into_iter()
            .filter_map(|one| match one {
                Statistic::SubgroupTable(one) => Some(one.rows[0].n.number().is_some()),
                _ => None,
            });
        tables.collect()
    };
    assert_eq!(shown(&rows), [true, true], "equal axes tell nothing apart");
    for row in rows.iter_mut().take(3) {
        row.level[1] = 1;
    }
    assert_eq!(shown(&rows), [true, false]);
    for row in rows.iter_mut().skip(3).take(20) {
        row.level[1] = 1;
    }
    for row in rows.iter_mut().skip(160).take(20) {
        row.level[1] = 1;
    }
    assert_eq!(shown(&rows), [true, true], "enough patients differ");
}

/// A second score that differs for one patient only is a question about this patient (decision P3).
#[test]
fn a_score_that_differs_for_one_patient_has_no_area() {
    let mut rows = Vec::new();
    patients(&mut rows, 80, true, &[0]);
    patients(&mut rows, 80, false, &[0]);
    rows.iter_mut().for_each(|row| row.score[1] = row.score[0]);
    let areas = |rows: &[Row]| -> Vec<(String, bool)> {
        let found = statistics(rows, &[2])
            .into_iter()
            .filter_map(|one| match one {
                Statistic::Auc(one) => Some((one.model.to_string(), one.auc.number().is_some())),
                Statistic::Estimate(one) if one.key.comparator.is_some() => {
                    assert_eq!(one.value.number(), None, "nobody is told apart: {one:?}");
                    None
                }
                // How many predictions were clipped speaks about the clipped ones, and these
                // are nobody here.
                Statistic::Estimate(one)
                    if one.key.is_whole()
                        && one.key.metric != Metric::ClippedShare
                        && one.key.metric.entry().leaves == Leaves::Whole =>
                {
                    Some((
                        format!("{} {:?}", one.key.model, one.key.metric),
                        one.value.number().is_some(),
                    ))
                }
                Statistic::ObservedExpected(one) => {
                    Some((one.model.to_string(), one.ratio.number().is_some()))
                }
                _ => None,
            });
        found.collect()
    };
    let hidden: Vec<_> = areas(&rows)
        .into_iter()
        .filter(|(_, shown)| !shown)
        .collect();
    assert_eq!(hidden, [], "one score twice is no question");
    rows[0].score[1] = Some(0.999);
    for (what, shown) in areas(&rows) {
        assert_eq!(shown, what.starts_with("p_b"), "{what}");
    }
}

/// The number of patients without a value follows from a moment's n.
#[test]
fn a_few_missing_values_hide_the_moment() {
    let mut rows = Vec::new();
    patients(&mut rows, 80, true, &[0]);
    patients(&mut rows, 80, false, &[0]);
    let moment = |rows: &[Row]| {
        let found = statistics(rows, &[2])
            .into_iter()
            .find_map(|one| match one {
                Statistic::Characteristics(one) => Some(one.moments[0].clone()),
                _ => None,
            });
        let found = found.unwrap();
        [
            found.n.number().is_some(),
            found.mean.number().is_some(),
            found.sd.number().is_some(),
        ]
    };
    assert_eq!(moment(&rows), [true; 3]);
    rows.iter_mut().take(4).for_each(|row| row.number = None);
    assert_eq!(moment(&rows), [false; 3]);
    rows.iter_mut().take(30).for_each(|row| row.number = None);
    assert_eq!(moment(&rows), [true; 3]);
    rows.iter_mut().for_each(|row| row.number = Some(63.0));
    assert_eq!(
        moment(&rows),
        [true, false, false],
        "everybody has the mean"
    );
}

/// No event between two thresholds: the block there would be a released zero.
#[test]
fn no_block_is_empty() {
    let mut rows = Vec::new();
    patients(&mut rows, 100, true, &[0]);
    patients(&mut rows, 100, false, &[0]);
    for row in &mut rows {
        let score = row.score(0);
        if row.event() && (0.5..0.8).contains(&score) {
            row.score[0] = Some(0.45);
        }
    }
    let protocol = random::protocol(&[2], &[0.5, 0.8]);
    let cases = random::cases(&protocol, &rows);
    let release = path::release(&protocol, &cases, &path::standard(), "a").unwrap();
    let mut shown = 0;
    for statistic in release.statistics {
        if let Statistic::Confusion(one) = statistic {
            shown += usize::from(one.true_positive.number().is_some());
        } else if let Statistic::Histogram(one) = statistic {
            for block in one.events.iter().chain(&one.non_events) {
                let (lo, hi) = block.count.bounds().unwrap();
                assert!(10 <= lo && lo <= hi, "{block:?}");
            }
        }
    }
    assert!(shown >= 2, "both thresholds are shown");
}

/// Under `network` a level may be shown with five events and five others; a line through ten
/// patients may not (D14).
#[test]
fn a_line_through_few_patients_stays_where_its_counts_leave() {
    let mut rows = Vec::new();
    for (level, events, others) in [(0, 7, 7), (1, 60, 60), (2, 70, 70)] {
        patients(&mut rows, events, true, &[level]);
        patients(&mut rows, others, false, &[level]);
    }
    let protocol = random::protocol(&[3], &[0.5]);
    let cases = random::cases(&protocol, &rows);
    let policy = Policy::parse(NETWORK).unwrap();
    let release = path::release(&protocol, &cases, &policy, "a").unwrap();
    let shown = |metric: Metric| -> Vec<(bool, bool)> {
        let estimates = release.statistics.iter().filter_map(|one| match one {
            Statistic::Estimate(one) => Some(one),
            _ => None,
        });
        let levels = estimates.filter(|one| one.key.metric == metric && one.key.level.is_some());
        levels
            .map(|one| (one.n.number().is_some(), one.value.number().is_some()))
            .take(3)
            .collect()
    };
    let line = [(true, false), (true, true), (true, true)];
    assert_eq!(shown(Metric::CalibrationSlope), line);
    assert_eq!(shown(Metric::Citl), [(true, true); 3]);
}

/// Order statistics, the largest error over bins and the like are one patient's value, or nearly so
/// (D10): they leave where the data are public and nowhere else.
#[test]
fn what_is_for_public_data_only_stays_at_a_protecting_site() {
    let mut rows = Vec::new();
    patients(&mut rows, 150, true, &[0]);
    patients(&mut rows, 150, false, &[1]);
    let protocol = random::protocol(&[2], &[0.5]);
    let cases = random::cases(&protocol, &rows);
    let shown = |policy: &Policy| -> Vec<Metric> {
        let release = path::release(&protocol, &cases, policy, "a").unwrap();
        let estimates = release.statistics.into_iter().filter_map(|one| match one {
            Statistic::Estimate(one) => Some(one),
            _ => None,
        });
        let for_public = |one: &Metric| one.entry().leaves == Leaves::Unprotected;
        estimates
            .filter(|one| one.value.number().is_some())
            .map(|one| one.key.metric)
            .filter(for_public)
            .collect()
    };
    let open = shown(&Policy::parse(OPEN_DATA).unwrap());
    for metric in [Metric::E50, Metric::E90, Metric::Mce] {
        assert!(open.contains(&metric), "{metric:?}");
    }
    assert_eq!(shown(&path::standard()), []);
}
