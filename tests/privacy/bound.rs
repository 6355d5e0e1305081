//! The one-sided bound of a rate whose misses are too few to be shown (decision C1): it holds, and
//! it says nothing but that they are fewer than k.
//!
//! From: `harness::random`.
//! To: nothing.

use harness::path;
use harness::random::{self, Row};
use shared::statistic::confusion::{Confusion, RateMeasure};
use shared::statistic::{Cell, Disclosed, Statistic};

/// 100 events of which `missed` score below 0.5, and 200 others of which 60 score above.
fn site(missed: u32) -> Vec<Row> {
    let row = |place: u32, event: bool, score: f64| Row {
        patient: place,
        outcome: Some(event),
        score: [Some(score), Some(0.5 + 0.4 * (score - 0.5))],
        level: vec![0],
        number: Some(50.0),
    };
    let spread = |place: u32| f64::from(place * 37 % 100) / 250.0;
    let events = (0..100).map(|place| {
        let score = if place < missed { 0.05 } else { 0.55 };
        row(place, true, score + spread(place))
    });
    let others = (100..300).map(|place| {
        let score = if place < 160 { 0.55 } else { 0.05 };
        row(place, false, score + spread(place))
    });
    events.chain(others).collect()
}

fn table(missed: u32) -> Confusion<Disclosed> {
    let protocol = random::protocol(&[1], &[0.5]);
    let cases = random::cases(&protocol, &site(missed));
    let release = path::release(&protocol, &cases, &path::standard(), "a").unwrap();
    let mut tables = release.statistics.into_iter();
    tables
        .find_map(|one| match one {
            Statistic::Confusion(one) if one.model.as_str() == "p_b" => Some(one),
            _ => None,
        })
        .unwrap()
}

fn sensitivity(table: &Confusion<Disclosed>) -> Cell<f64> {
    let mut rates = table.rates.iter();
    let found = rates.find(|rate| rate.measure == RateMeasure::Sensitivity);
    found.unwrap().value
}

#[test]
fn few_misses_give_a_bound_that_holds_and_says_no_more() {
    let none = table(0);
    let Cell::Suppressed { lo, hi } = sensitivity(&none) else {
        panic!("{:?}", sensitivity(&none));
    };
    // 9 of at least 98 events, which is what the rounded total of 100 says.
    assert_eq!((lo, hi), (1.0 - 9.0 / 98.0, 1.0));
    assert_eq!(none.false_negative, Cell::Suppressed { lo: 0, hi: 9 });
    for missed in 1..10 {
        let table = table(missed);
        assert!(lo <= 1.0 - f64::from(missed) / 100.0);
        assert_eq!(table, none, "{missed} misses look like none");
    }
    let shown = table(10);
    assert!(
        sensitivity(&shown).number().is_some(),
        "ten misses are shown"
    );
}
