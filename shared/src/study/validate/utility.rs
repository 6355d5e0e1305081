//! Whether decision curve, target prevalences and comparison can be computed as declared.
//!
//! From: `validate`.
//! To: its list of problems.

use super::{CURVE_MAX, Found, StudyProtocol};

pub(super) fn check(protocol: &StudyProtocol, found: &mut Found) {
    curve(protocol, found);
    let nri = protocol.comparison.is_some_and(|plan| plan.nri);
    found.unless(
        !nri || protocol.comparators().next().is_some(),
        "comparison.nri",
        "there is no comparator to reclassify against",
        "declare a model with role = \"comparator\", or remove nri",
    );
}

fn curve(protocol: &StudyProtocol, found: &mut Found) {
    let Some(curve) = &protocol.decision_curve else {
        return;
    };
    let place = "decision_curve.thresholds";
    let values = &curve.thresholds;
    found.unless(
        (1..=CURVE_MAX).contains(&values.len()),
        place,
        "there is none, or more than 50",
        "give 1 to 50 thresholds, or remove [decision_curve]",
    );
    let inside = values.iter().all(|value| *value > 0.0 && *value < 1.0);
    let ascending = values.windows(2).all(|pair| pair[0] < pair[1]);
    found.unless(
        inside && ascending,
        place,
        "they are not increasing numbers strictly between 0 and 1",
        "at 0 and 1 there is no harm to weigh: write for example [0.05, 0.1, 0.2]",
    );
    let grid = &protocol.histogram.edges;
    let same = |a: f64, b: f64| a.to_bits() == b.to_bits();
    for value in values {
        let edge = grid.is_empty() || grid.iter().any(|edge| same(*edge, *value));
        let mut declared = protocol.threshold.iter();
        found.unless(
            edge || declared.any(|entry| same(entry.value, *value)),
            place,
            &format!("{value} is neither an edge of the histogram's grid nor a declared threshold"),
            "add it to histogram.edges, or give the grid by spacing and bins: the lock then adds it",
        );
    }
}
