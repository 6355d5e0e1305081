//! Rules that two programs can understand differently, through the public path: what is positive,
//! which bin a score belongs to, what is missing, and in which order things are added.
//!
//! From: `harness::random`.
//! To: nothing.

use harness::path;
use harness::random::{self, Row};
use shared::disclosure::ReceivedRelease;
use shared::numeric::calibration::bins::equal_width;
use shared::numeric::sum;
use shared::pool::random_effects::RandomEffects;
use shared::statistic::Statistic;
use shared::statistic::histogram::bin_of;
use shared::statistic::stage::{Cell, Undefined};

fn rows(scores: &[(f64, bool)]) -> Vec<Row> {
    let row = |(place, (score, event)): (usize, &(f64, bool))| Row {
        patient: place as u32,
        outcome: Some(*event),
        score: [Some(*score), Some(1.0 - score)],
        level: Vec::new(),
        number: None,
    };
    scores.iter().enumerate().map(row).collect()
}

fn release(rows: &[Row], threshold: f64) -> ReceivedRelease {
    let protocol = random::protocol(&[], &[threshold]);
    let cases = random::cases(&protocol, rows);
    path::release(&protocol, &cases, &path::open_data(), "a").unwrap()
}

/// A prediction at the threshold is positive: `>=`, not `>`.
#[test]
fn the_threshold_itself_is_positive() {
    let below = 0.3 - f64::EPSILON / 4.0;
    assert!(below < 0.3);
    let table = rows(&[
        (0.3, true),
        (below, true),
        (0.3, false),
        (0.9, false),
        (0.1, false),
    ]);
    let found = release(&table, 0.3);
    let confusion = found
        .statistics
        .iter()
        .find_map(Statistic::confusion)
        .unwrap();
    let cells = [
        confusion.true_positive,
        confusion.false_negative,
        confusion.false_positive,
        confusion.true_negative,
    ];
    assert_eq!(cells.map(|cell| cell.exact()), [1, 1, 2, 1].map(Some));
}

/// A score on an inner edge belongs to the bin above it; 0 to the first bin and 1 to the last,
/// so that `floor(p K)` is capped for equal bins.
#[test]
fn an_edge_belongs_to_the_bin_above() {
    let edges: Vec<f64> = (1..10).map(|edge| f64::from(edge) / 10.0).collect();
    assert_eq!(bin_of(&edges, 0.0), 0);
    assert_eq!(bin_of(&edges, 1.0), 9);
    for (bin, edge) in edges.iter().enumerate() {
        assert_eq!(bin_of(&edges, *edge), bin + 1);
        assert_eq!(bin_of(&edges, edge - f64::EPSILON), bin);
    }
    // The edge is a number of the protocol: a score that only rounds to it is not on it.
    assert_eq!(bin_of(&edges, 0.1 + 0.2), 3);
    assert_eq!(bin_of(&edges, 0.299_999_999_999_999_93), 2);

    let table = rows(&[
        (0.0, true),
        (1.0, true),
        (0.0, false),
        (1.0, false),
        (0.5, false),
    ]);
    let found = release(&table, 0.3);
    let histogram = found
        .statistics
        .iter()
        .find_map(Statistic::histogram)
        .unwrap();
    let total: u64 = histogram
        .non_events
        .iter()
        .filter_map(|one| one.count.exact())
        .sum();
    assert_eq!(total, 3);
    assert_eq!(histogram.non_events.first().unwrap().count.exact(), Some(1));
    assert_eq!(histogram.non_events.last().unwrap().count.exact(), Some(1));
}

/// The bins of the calibration error are `floor(p K)`, and 1 is in the last one. A product that
/// rounds up is in the bin it rounds to, on every machine the same.
#[test]
fn bins_of_equal_width_are_capped() {
    assert_eq!(equal_width(0.0, 10), 0);
    assert_eq!(equal_width(1.0, 10), 9);
    assert_eq!(equal_width(0.1, 10), 1);
    assert_eq!(equal_width(0.1 - f64::EPSILON, 10), 0);
    assert_eq!(equal_width(0.3, 10), 3);
    assert_eq!(equal_width(0.7, 10), 7);
    assert_eq!(equal_width(1.0 - f64::EPSILON, 10), 9);
    assert_eq!(equal_width(0.29, 100), 28);
}

/// A model without any prediction at a site (a marker that is missing for everybody) has no area,
/// with a reason; the flow says how many cases that leaves out.
#[test]
fn predictions_missing_for_everybody_leave_a_reason() {
    let mut table = rows(&[(0.2, true), (0.4, false), (0.6, true), (0.8, false)]);
    table.iter_mut().for_each(|row| row.score[1] = None);
    let found = release(&table, 0.3);
    let flow = found.statistics.iter().find_map(Statistic::flow).unwrap();
    assert_eq!(flow.without_prediction.exact(), Some(4));
    assert_eq!(flow.analysed.exact(), Some(0));
    for area in found.statistics.iter().filter_map(Statistic::auc) {
        assert_eq!(
            area.auc,
            Cell::NotComputed {
                reason: Undefined::OneClass
            }
        );
    }
}

/// Sums over sites run in the order of sites, and lose nothing that a plain sum would.
#[test]
fn addition_does_not_lose_the_small_terms() {
    let numbers = [1e17, 1.0, -1e17, 3.0, 1e17, -1e17, 0.5];
    for turn in 0..numbers.len() {
        let mut turned = numbers;
        turned.rotate_left(turn);
        assert_eq!(sum::sum(&turned), 4.5);
        turned.reverse();
        assert_eq!(sum::sum(&turned), 4.5);
    }
    let naive: f64 = numbers.iter().sum();
    assert!(naive != 4.5);
}

/// Five sites that agree by chance: without the guard the interval is eighteen times narrower
/// than the patients allow.
#[test]
fn agreement_by_chance_is_no_certainty() {
    let fit = RandomEffects::fit(
        &[1.00, 1.01, 0.99, 1.005, 0.995],
        &[0.03, 0.04, 0.035, 0.03, 0.04],
        0.95,
    )
    .unwrap();
    assert_eq!(fit.tau2, 0.0);
    assert!(fit.mean_unguarded.standard_error < fit.fixed.standard_error / 10.0);
    assert!(fit.mean.standard_error >= fit.fixed.standard_error);
    let (guarded, fixed) = (fit.mean.interval.unwrap(), fit.fixed.interval.unwrap());
    assert!(guarded.lower < fixed.lower && fixed.upper < guarded.upper);
}
