//! Rows that leave a statistic nothing to say: it answers with the right reason, never with a
//! number that is none.
//!
//! From: `harness::random`.
//! To: nothing.

use harness::random::Row;
use shared::statistic::stage::{Cell, Undefined};
use shared::statistic::subgroup::{Measure, SubgroupMeasure};
use shared::statistic::{Disclosed, Metric, Statistic};

use crate::value::{release, site};

fn row(patient: u32, event: bool, score: f64) -> Row {
    Row {
        patient,
        outcome: Some(event),
        score: [Some(score), Some(score / 2.0)],
        level: vec![0, 0],
        number: Some(50.0),
    }
}

fn reason(cell: Cell<f64>) -> Undefined {
    match cell {
        Cell::NotComputed { reason } => reason,
        other => panic!("{other:?} is computed"),
    }
}

fn statistics(rows: &[Row]) -> Vec<Statistic<Disclosed>> {
    // Reading already refuses anything that canonical JSON cannot say.
    release(rows, "a").statistics
}

fn auc(rows: &[Row]) -> (Cell<f64>, Cell<f64>) {
    let found = statistics(rows).into_iter().find_map(|one| match one {
        Statistic::Auc(one) => Some((one.auc, one.variance)),
        _ => None,
    });
    found.unwrap()
}

#[test]
fn one_class_has_no_area_and_no_scaled_brier() {
    for event in [true, false] {
        let rows: Vec<Row> = (0..30)
            .map(|i| row(i, event, f64::from(i) / 40.0))
            .collect();
        let (area, variance) = auc(&rows);
        assert_eq!(reason(area), Undefined::OneClass);
        assert_eq!(reason(variance), Undefined::OneClass);
        for one in statistics(&rows) {
            if let Statistic::Estimate(one) = one {
                if one.key.metric == Metric::ScaledBrier {
                    assert_eq!(reason(one.value), Undefined::OneClass);
                }
            } else if let Statistic::ObservedExpected(one) = one {
                let expected = if event {
                    Undefined::NoVariance
                } else {
                    Undefined::Boundary
                };
                assert_eq!(reason(one.log_variance), expected);
            } else if let Statistic::Contingency(one) = one {
                assert!(one.p_value.number().is_none());
            }
        }
    }
}

#[test]
fn classes_apart_are_on_the_boundary() {
    let rows: Vec<Row> = (0..40)
        .map(|i| row(i, i >= 20, f64::from(i) / 40.0))
        .collect();
    let (area, variance) = auc(&rows);
    assert_eq!(area, Cell::Value { value: 1.0 });
    assert_eq!(reason(variance), Undefined::Boundary);
}

#[test]
fn ties_throughout_are_a_half_without_variance() {
    let rows: Vec<Row> = (0..40).map(|i| row(i, i % 2 == 0, 0.3)).collect();
    let (area, variance) = auc(&rows);
    assert_eq!(area, Cell::Value { value: 0.5 });
    assert_eq!(reason(variance), Undefined::NoVariance);
}

#[test]
fn a_single_event_has_an_area_and_no_variance() {
    let rows: Vec<Row> = (0..40)
        .map(|i| row(i, i == 7, f64::from(i % 13) / 20.0))
        .collect();
    let (area, variance) = auc(&rows);
    assert!(area.exact().is_some());
    assert_eq!(reason(variance), Undefined::NoVariance);
}

#[test]
fn empty_levels_have_no_cases() {
    let rows: Vec<Row> = (0..40)
        .map(|i| row(i, i % 2 == 0, f64::from(i) / 50.0))
        .collect();
    for one in statistics(&rows) {
        if let Statistic::SubgroupTable(table) = one {
            let (full, empty) = (&table.rows[0], &table.rows[1]);
            assert_eq!(empty.n, Cell::Zero);
            for measure in &empty.measures {
                assert!(matches!(
                    reason(measure.value),
                    Undefined::NoCases | Undefined::OneClass
                ));
                assert!(measure.gap.number().is_none());
            }
            // Nobody is left to be ranked against.
            let compared = |one: &&SubgroupMeasure<Disclosed>| one.measure != Measure::Xauc;
            for measure in full.measures.iter().filter(compared) {
                assert!(measure.value.number().is_some(), "{:?}", measure.measure);
                assert_eq!(
                    reason(measure.gap),
                    Undefined::NoRest,
                    "{:?}",
                    measure.measure
                );
            }
        }
    }
}

#[test]
fn no_case_and_one_case_are_answered() {
    for rows in [
        Vec::new(),
        vec![row(0, true, 0.4)],
        vec![row(0, false, 0.0)],
    ] {
        let (area, _) = auc(&rows);
        assert_eq!(reason(area), Undefined::OneClass);
        assert!(statistics(&rows).len() > 10);
    }
}

/// Where patients repeat, an interval from summed counts would be too narrow.
#[test]
fn histograms_of_repeated_patients_have_no_variance() {
    let rows: Vec<Row> = (0..80)
        .map(|i| row(i / 2, i % 3 == 0, f64::from(i % 17) / 20.0))
        .collect();
    let study = harness::path::pooled(
        &{
            let mut protocol = harness::random::protocol(&crate::value::LEVELS, &[0.5, 0.8]);
            protocol.site.retain(|site| site.slug.as_str() == "va");
            protocol
        },
        &[release(&rows, "va")],
    );
    assert!(!study.merged.is_empty());
    for curve in &study.merged {
        assert_eq!(curve.variance, None);
    }
    let once: Vec<Row> = site(3, 100, 0.0);
    let again = release(&once, "va");
    assert!(!again.header.clustered);
}
