//! Ranks, areas and their variances.
//!
//! From: `numeric::delong`, `numeric::rank`.
//! To: nothing.

use harness::random::Draw;
use shared::numeric::delong::{self, AucStatus};
use shared::numeric::rank;

fn own(rows: usize) -> Vec<u32> {
    (0..rows as u32).collect()
}

/// pROC issue 19: the product of class sizes overflowed 32 bits at 145,000 rows, and the interval
/// became 1 to 1. Here the value, the variance and a score of few values known in closed form.
#[test]
fn products_of_class_sizes_do_not_overflow() {
    const ROWS: usize = 145_000;
    let half = ROWS as u64 / 2;
    assert!(half * half > u64::from(u32::MAX));
    // Events: 0, 1, 2 in the shares 1:2:3; non-events 3:2:1.
    let outcome: Vec<bool> = (0..ROWS).map(|row| row % 2 == 0).collect();
    let score: Vec<f64> = (0..ROWS)
        .map(|row| {
            let sixth = (row / 2) % 6;
            let level = [0, 1, 1, 2, 2, 2][sixth];
            f64::from(if row % 2 == 0 { level } else { 2 - level })
        })
        .collect();
    let found = delong::auc(&outcome, &score, &own(ROWS)).unwrap();
    let count = |event: bool, at: f64| {
        let rows = outcome.iter().zip(&score);
        rows.filter(|(y, s)| **y == event && **s == at).count() as u128
    };
    let mut twice = 0;
    for a in [0.0, 1.0, 2.0] {
        for b in [0.0, 1.0, 2.0] {
            let pairs = count(true, a) * count(false, b);
            twice += pairs * (u128::from(a > b) * 2 + u128::from(a == b));
        }
    }
    let exact = twice as f64 / (2 * u128::from(half) * u128::from(half)) as f64;
    let area = found.auc.unwrap();
    assert!((area - exact).abs() < 1e-15, "{area} {exact}");
    let placement = |value: f64, event: bool| {
        let levels = [0.0, 1.0, 2.0].into_iter();
        let wins: f64 = levels
            .map(|other| {
                let won = if event { value > other } else { value < other };
                let share = f64::from(u8::from(won)) + 0.5 * f64::from(u8::from(value == other));
                share * count(!event, other) as f64
            })
            .sum();
        wins / half as f64
    };
    let spread = |event: bool| {
        let squares: f64 = [0.0, 1.0, 2.0]
            .into_iter()
            .map(|value| {
                let apart = placement(value, event) - exact;
                count(event, value) as f64 * apart * apart
            })
            .sum();
        squares / (half - 1) as f64 / half as f64
    };
    let variance = spread(true) + spread(false);
    let got = found.variance.unwrap();
    assert!(
        (got - variance).abs() < 1e-12 * variance,
        "{got} {variance}"
    );
    let interval = found.logit_interval(0.95).unwrap();
    assert!(interval.lower < area && area < interval.upper && interval.upper < 1.0);
}

/// confidenceinterval issue 15: in single precision an AUC exceeded 1.
#[test]
fn areas_stay_within_zero_and_one() {
    const ROWS: usize = 200_001;
    let mut draw = Draw(15);
    let outcome: Vec<bool> = (0..ROWS).map(|row| row % 1000 == 0).collect();
    let apart: Vec<f64> = outcome
        .iter()
        .map(|event| if *event { 0.7 } else { 0.6 } * draw.unit().max(1e-9) + f64::from(u8::from(*event)))
        .collect();
    let found = delong::auc(&outcome, &apart, &own(ROWS)).unwrap();
    assert_eq!((found.status, found.auc), (AucStatus::Perfect, Some(1.0)));
    // One non-event in the way of one event: as near to 1 as these classes allow.
    let mut nearly = apart;
    nearly[1] = nearly[0] + f64::EPSILON;
    let area = delong::auc(&outcome, &nearly, &own(ROWS)).unwrap();
    assert!(area.auc.unwrap() < 1.0);
    let interval = area.wald_interval(0.95).unwrap();
    assert!(interval.upper <= 1.0);
}

/// pROC issue 35: ties were sought among recomputed averages of ranks. Values that differ in the
/// last place are no ties, equal ones are, zero and minus zero are one value; and nothing but the
/// order matters.
#[test]
fn ties_are_equal_values() {
    let third = 0.1 + 0.2;
    assert!(third > 0.3);
    let outcome = [true, false, true, false];
    let area = |score: [f64; 4]| delong::auc(&outcome, &score, &own(4)).unwrap().auc.unwrap();
    assert_eq!(area([third, 0.3, 0.0, 1.0]), 0.25);
    assert_eq!(area([0.3, 0.3, 0.0, 1.0]), 0.125);
    assert_eq!(area([0.0, -0.0, 0.0, 1.0]), 0.25);
    assert_eq!(area([-0.0, 0.0, -0.0, 1.0]), 0.25);
    assert_eq!(
        rank::midranks(&[third, 0.3, 0.0, -0.0]),
        Some(vec![4.0, 3.0, 1.5, 1.5])
    );

    let mut draw = Draw(35);
    let outcome: Vec<bool> = (0..5000).map(|_| draw.unit() < 0.3).collect();
    let score: Vec<f64> = (0..5000)
        .map(|_| (draw.unit() * 40.0).floor() / 7.0)
        .collect();
    let carried: Vec<f64> = score.iter().map(|s| libm::exp(s * 9.0) - 1e3).collect();
    let one = delong::auc(&outcome, &score, &own(5000)).unwrap();
    let two = delong::auc(&outcome, &carried, &own(5000)).unwrap();
    assert_eq!(one, two);
}

/// pROC issues 22 and 61: a score that ranks backwards was turned round, which makes a bad model
/// a good one.
#[test]
fn a_backward_score_keeps_its_area() {
    let mut draw = Draw(61);
    let outcome: Vec<bool> = (0..400).map(|_| draw.unit() < 0.4).collect();
    let forward: Vec<f64> = outcome
        .iter()
        .map(|event| draw.unit() + if *event { 0.5 } else { 0.0 })
        .collect();
    let backward: Vec<f64> = forward.iter().map(|score| -score).collect();
    let good = delong::auc(&outcome, &forward, &own(400)).unwrap();
    let bad = delong::auc(&outcome, &backward, &own(400)).unwrap();
    assert!(good.auc.unwrap() > 0.8);
    assert!((good.auc.unwrap() + bad.auc.unwrap() - 1.0).abs() < 1e-15);
    let interval = bad.logit_interval(0.95).unwrap();
    assert!(interval.upper < 0.5, "{interval:?}");
    let both = delong::Comparison::of(&outcome, &[&forward, &backward], &own(400)).unwrap();
    let difference = both.difference(0, 1, 0.95).unwrap();
    assert!(difference.difference > 0.6 && difference.p.unwrap() < 1e-12);
}
