//! The definitions, row by row and pair by pair.
//!
//! From: rows.
//! To: the comparisons of this target.

/// Whether the event occurred, and the score.
pub type Case = (bool, f64);

fn share(part: usize, whole: usize) -> Option<f64> {
    (whole > 0).then(|| part as f64 / whole as f64)
}

fn classes(cases: &[Case]) -> (Vec<f64>, Vec<f64>) {
    let of = |event: bool| {
        let same = cases.iter().filter(|case| case.0 == event);
        same.map(|case| case.1).collect()
    };
    (of(true), of(false))
}

/// Pairs of an event and a non-event that are in order, ties half.
pub fn area(cases: &[Case]) -> Option<f64> {
    let (events, others) = classes(cases);
    let mut won = 0.0;
    for event in &events {
        for other in &others {
            won += f64::from(u8::from(event > other)) + 0.5 * f64::from(u8::from(event == other));
        }
    }
    share(1, events.len() * others.len()).map(|one| won * one)
}

/// The mean over events of the precision at the event's own score.
pub fn average_precision(cases: &[Case]) -> Option<f64> {
    let (events, others) = classes(cases);
    if others.is_empty() {
        return None;
    }
    let precision = |cut: &f64| {
        let called = cases.iter().filter(|case| case.1 >= *cut);
        let right = called.clone().filter(|case| case.0).count();
        right as f64 / called.count() as f64
    };
    let total: f64 = events.iter().map(precision).sum();
    share(1, events.len()).map(|one| total * one)
}

/// The cuts: each score, and none positive.
fn cuts(cases: &[Case]) -> Vec<f64> {
    let mut cuts: Vec<f64> = cases.iter().map(|case| case.1).collect();
    cuts.push(f64::INFINITY);
    cuts
}

/// False-positive rate and sensitivity at a cut.
fn point(cases: &[Case], cut: f64) -> Option<(f64, f64)> {
    let (events, others) = classes(cases);
    let above = |class: &[f64]| class.iter().filter(|score| **score >= cut).count();
    Some((
        share(above(&others), others.len())?,
        share(above(&events), events.len())?,
    ))
}

/// The largest sensitivity plus specificity minus 1 over the given cuts.
pub fn youden(cases: &[Case], cuts: &[f64]) -> Option<f64> {
    let index = |cut: &f64| point(cases, *cut).map(|(x, y)| y - x);
    let found: Option<Vec<f64>> = cuts.iter().map(index).collect();
    found?.into_iter().reduce(f64::max)
}

/// The same over every cut.
pub fn youden_everywhere(cases: &[Case]) -> Option<f64> {
    youden(cases, &cuts(cases))
}

/// The height of the polygon through the points at `x`, taking the end of a vertical segment
/// that the interval next to it belongs to.
fn height(points: &[(f64, f64)], x: f64, middle: f64) -> f64 {
    for pair in points.windows(2) {
        let ((x0, y0), (x1, y1)) = (pair[0], pair[1]);
        if x0 < x1 && x0 <= middle && middle <= x1 {
            return y0 + (y1 - y0) * (x - x0) / (x1 - x0);
        }
    }
    f64::NAN
}

/// The area of the polygon over false-positive rates from `low` to `high`, corner by corner.
fn under(points: &[(f64, f64)], low: f64, high: f64) -> f64 {
    let mut corners: Vec<f64> = points.iter().map(|point| point.0).collect();
    corners.extend([low, high]);
    corners.retain(|x| (low..=high).contains(x));
    corners.sort_by(f64::total_cmp);
    corners.dedup();
    let part = |pair: &[f64]| {
        let middle = (pair[0] + pair[1]) / 2.0;
        let ends = height(points, pair[0], middle) + height(points, pair[1], middle);
        (pair[1] - pair[0]) * ends / 2.0
    };
    corners.windows(2).map(part).sum()
}

/// The plain partial area over specificities.
pub fn over_specificity(cases: &[Case], lowest: f64, highest: f64) -> Option<f64> {
    let mut points: Vec<(f64, f64)> = cuts(cases)
        .into_iter()
        .map(|cut| point(cases, cut))
        .collect::<Option<_>>()?;
    points.sort_by(|a, b| a.0.total_cmp(&b.0).then(a.1.total_cmp(&b.1)));
    points.dedup();
    Some(under(&points, 1.0 - highest, 1.0 - lowest))
}

/// The plain partial area over sensitivities.
pub fn over_sensitivity(cases: &[Case], lowest: f64, highest: f64) -> Option<f64> {
    // Seen from the non-events with the score turned, sensitivity is what specificity was.
    let turned: Vec<Case> = cases.iter().map(|(y, s)| (!y, -s)).collect();
    over_specificity(&turned, lowest, highest)
}

/// McClish's correction of a plain partial area.
pub fn corrected(area: f64, lowest: f64, highest: f64) -> f64 {
    let diagonal = (highest - lowest) * ((1.0 - highest) + (1.0 - lowest)) / 2.0;
    0.5 * (1.0 + (area - diagonal) / (highest - lowest - diagonal))
}
