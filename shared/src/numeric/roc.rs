//! What follows from the counts of events and non-events at each score or in each bin: the
//! ROC and the precision-recall curve with pointwise bands, the partial area, the average
//! precision, and Youden's index.
//!
//! A [`Step`] holds the rows of one score (all that are tied) or of one bin; steps come in
//! rising order of score. A case counts as positive at a step if its score is in that step or
//! above it. High scores mean event; nothing is ever turned.
//!
//! From: `ranked` (rows of a site), `pool::curve` (summed histograms).
//! To: plain numbers and intervals.

use super::interval::Interval;
use super::sum::{Neumaier, count};

/// Rows at one score or in one bin.
#[derive(Clone, Copy, Debug, Default, Eq, PartialEq)]
pub struct Step {
    /// Rows with the event.
    pub events: u64,
    /// Rows without it.
    pub non_events: u64,
}

/// All events and all non-events; `None` unless both classes are present and below 2^31 each,
/// so that their product stays below 2^62.
fn totals(steps: &[Step]) -> Option<(u64, u64)> {
    let add = |of: fn(&Step) -> u64| {
        let sum = steps
            .iter()
            .try_fold(0_u64, |sum, step| sum.checked_add(of(step)));
        sum.filter(|sum| (1..1 << 31).contains(sum))
    };
    Some((add(|step| step.events)?, add(|step| step.non_events)?))
}

/// The axis on which a partial area is bounded.
#[derive(Clone, Copy, Debug, Eq, PartialEq)]
pub enum Focus {
    /// The mean sensitivity over a range of specificities.
    Specificity,
    /// The mean specificity over a range of sensitivities.
    Sensitivity,
}

/// An area under a part of the ROC curve.
#[derive(Clone, Copy, Debug, PartialEq)]
pub struct PartialArea {
    /// The area, in `[0, highest - lowest]`; the curve is the polygon through its points.
    pub area: f64,
    /// The area after McClish: 0.5 for a score that tells nothing, 1 for a perfect one, in
    /// `[0, 1]`.
    pub corrected: f64,
}

/// The area where the axis in `focus` runs from `lowest` to `highest`, and its correction
/// after McClish (1989, doi:10.1177/0272989X8900900307),
/// `(1 + (area - min) / (max - min)) / 2` with `min` the area of the diagonal in the range and
/// `max` its width. Over `[0, 1]` the area is the AUC. `None` for one class, and unless
/// `0 <= lowest < highest <= 1`.
pub fn partial_area(
    steps: &[Step],
    focus: Focus,
    lowest: f64,
    highest: f64,
) -> Option<PartialArea> {
    if !(lowest >= 0.0 && lowest < highest && highest <= 1.0) {
        return None;
    }
    let (events, non_events) = totals(steps)?;
    let (mut positive, mut false_positive) = (0, 0);
    let (mut from, mut area) = ((0.0, 0.0), Neumaier::default());
    for step in steps.iter().rev() {
        positive += step.events;
        false_positive += step.non_events;
        let to = (
            count(false_positive) / count(non_events),
            count(positive) / count(events),
        );
        area.add(match focus {
            Focus::Specificity => slice(from, to, (1.0 - highest, 1.0 - lowest)),
            Focus::Sensitivity => {
                let turn = |point: (f64, f64)| (point.1, 1.0 - point.0);
                slice(turn(from), turn(to), (lowest, highest))
            }
        });
        from = to;
    }
    let area = area.total();
    // Both foci lose the same strip of the diagonal's triangle: the side away from the corner
    // of a perfect score.
    let (near, far) = (1.0 - highest, 1.0 - lowest);
    let (least, most) = ((far * far - near * near) / 2.0, highest - lowest);
    let corrected = 0.5 * (1.0 + (area - least) / (most - least));
    corrected.is_finite().then(|| PartialArea {
        area,
        corrected: corrected.clamp(0.0, 1.0),
    })
}

/// The area under one segment of a polygon, its abscissa cut to `range`.
fn slice(from: (f64, f64), to: (f64, f64), range: (f64, f64)) -> f64 {
    let width = to.0 - from.0;
    let (left, right) = (from.0.max(range.0), to.0.min(range.1));
    if right <= left || width <= 0.0 {
        return 0.0;
    }
    let height = |x: f64| from.1 + (to.1 - from.1) * ((x - from.0) / width);
    (right - left) * (height(left) + height(right)) / 2.0
}

/// Average precision: `sum (R_k - R_(k-1)) P_k` over falling thresholds, without
/// interpolation, as scikit-learn defines it (Su, Yuan and Zhu 2015,
/// doi:10.1145/2808194.2809481). In `(0, 1]`; a score that tells nothing gets about the
/// prevalence. `None` for one class.
pub fn average_precision(steps: &[Step]) -> Option<f64> {
    let (events, _) = totals(steps)?;
    let (mut positive, mut called) = (0, 0);
    let mut sum = Neumaier::default();
    for step in steps.iter().rev() {
        positive += step.events;
        called += step.events + step.non_events;
        if step.events > 0 {
            sum.add(count(step.events) * (count(positive) / count(called)));
        }
    }
    Some((sum.total() / count(events)).min(1.0))
}

/// Where sensitivity plus specificity is largest.
#[derive(Clone, Copy, Debug, PartialEq)]
pub struct Youden {
    /// Youden's index (1950, doi:10.1002/1097-0142(1950)3:1<32::AID-CNCR2820030106>3.0.CO;2-3),
    /// sensitivity plus specificity minus 1, in `[0, 1]`: calling nobody positive has index 0.
    pub index: f64,
    /// Sensitivity there.
    pub sensitivity: f64,
    /// Specificity there.
    pub specificity: f64,
    /// Positive from this step on; the number of steps where nobody is called positive. Of
    /// equal indices the highest step, which calls the fewest positive.
    pub step: usize,
}

/// The largest Youden index over all cuts; `None` for one class. Indices are compared as
/// integers. A maximum over cuts is optimistic: it exceeds the index of any cut fixed ahead.
pub fn youden(steps: &[Step]) -> Option<Youden> {
    let (events, non_events) = totals(steps)?;
    let signed = |a: u64, b: u64| i128::from(a) * i128::from(b);
    let (mut best, mut at) = (0_i128, (0, 0, steps.len()));
    let (mut positive, mut false_positive) = (0, 0);
    for (step, one) in steps.iter().enumerate().rev() {
        positive += one.events;
        false_positive += one.non_events;
        let index = signed(positive, non_events) - signed(false_positive, events);
        if index > best {
            (best, at) = (index, (positive, false_positive, step));
        }
    }
    let sensitivity = count(at.0) / count(events);
    let pairs = count(events) * count(non_events);
    let numerator = u64::try_from(best).ok()?;
    Some(Youden {
        index: count(numerator) / pairs,
        sensitivity,
        specificity: count(non_events - at.1) / count(non_events),
        step: at.2,
    })
}

/// A point of both curves: positive from `step` on.
#[derive(Clone, Copy, Debug, PartialEq)]
pub struct Point {
    /// Positive from this step on.
    pub step: usize,
    /// Events called positive.
    pub true_positives: u64,
    /// Non-events called positive.
    pub false_positives: u64,
    /// True positives among events: sensitivity, recall.
    pub sensitivity: f64,
    /// False positives among non-events: 1 - specificity.
    pub false_positive_rate: f64,
    /// Events among those called positive; `None` where nobody is.
    pub precision: Option<f64>,
}

impl Point {
    /// Intervals of sensitivity, false-positive rate and precision at this point, every row one
    /// patient; `interval` is that of so many of so many (`proportion::wilson`). Pointwise: each
    /// covers its own value, not the whole curve.
    pub fn band(
        &self,
        steps: &[Step],
        interval: impl Fn(u64, u64) -> Option<Interval>,
    ) -> Option<Band> {
        let (events, non_events) = totals(steps)?;
        let called = self.true_positives + self.false_positives;
        Some(Band {
            sensitivity: interval(self.true_positives, events)?,
            false_positive_rate: interval(self.false_positives, non_events)?,
            precision: interval(self.true_positives, called).filter(|_| called > 0),
        })
    }
}

/// Pointwise intervals of a [`Point`].
#[derive(Clone, Copy, Debug, PartialEq)]
pub struct Band {
    /// Of the sensitivity.
    pub sensitivity: Interval,
    /// Of the false-positive rate.
    pub false_positive_rate: Interval,
    /// Of the precision; `None` where nobody is called positive.
    pub precision: Option<Interval>,
}

/// The points of the curves from nobody positive to everybody, empty steps left out; `None`
/// for one class.
pub fn points(steps: &[Step]) -> Option<Vec<Point>> {
    let (events, non_events) = totals(steps)?;
    let point = |step, positive: u64, false_positive: u64| Point {
        step,
        true_positives: positive,
        false_positives: false_positive,
        sensitivity: count(positive) / count(events),
        false_positive_rate: count(false_positive) / count(non_events),
        precision: (positive + false_positive > 0)
            .then(|| count(positive) / count(positive + false_positive)),
    };
    let mut points = vec![point(steps.len(), 0, 0)];
    let (mut positive, mut false_positive) = (0, 0);
    for (step, one) in steps.iter().enumerate().rev() {
        if *one == Step::default() {
            continue;
        }
        positive += one.events;
        false_positive += one.non_events;
        points.push(point(step, positive, false_positive));
    }
    Some(points)
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::numeric::proportion::wilson;

    fn steps(counts: &[(u64, u64)]) -> Vec<Step> {
        let step = |(events, non_events): &(u64, u64)| Step {
            events: *events,
            non_events: *non_events,
        };
        counts.iter().map(step).collect()
    }

    #[test]
    fn a_full_range_is_the_auc_and_an_empty_one_nothing() {
        let steps = steps(&[(1, 4), (0, 0), (3, 2), (5, 1)]);
        let area = (1.0 * 2.0 + 3.0 * (4.0 + 1.0) + 5.0 * (6.0 + 0.5)) / (9.0 * 7.0);
        for focus in [Focus::Specificity, Focus::Sensitivity] {
            let got = partial_area(&steps, focus, 0.0, 1.0).unwrap();
            assert!((got.area - area).abs() < 1e-15);
            assert!((got.corrected - area).abs() < 1e-15);
            let halves = partial_area(&steps, focus, 0.0, 0.4).unwrap().area
                + partial_area(&steps, focus, 0.4, 1.0).unwrap().area;
            assert!((halves - area).abs() < 1e-15);
            assert_eq!(partial_area(&steps, focus, 0.5, 0.5), None);
            assert_eq!(partial_area(&steps, focus, 0.9, 1.1), None);
            assert_eq!(partial_area(&steps, focus, f64::NAN, 1.0), None);
        }
    }

    #[test]
    fn perfect_and_useless_scores_have_the_corrected_values_of_mcclish() {
        let perfect = steps(&[(0, 5), (5, 0)]);
        let useless = steps(&[(4, 8)]);
        for focus in [Focus::Specificity, Focus::Sensitivity] {
            let corrected = |s: &[Step]| partial_area(s, focus, 0.8, 0.95).unwrap().corrected;
            assert!((corrected(&perfect) - 1.0).abs() < 1e-14);
            assert!((corrected(&useless) - 0.5).abs() < 1e-14);
        }
    }

    #[test]
    fn a_useless_score_has_the_prevalence_as_average_precision() {
        assert_eq!(average_precision(&steps(&[(3, 9)])), Some(0.25));
        assert_eq!(average_precision(&steps(&[(0, 9), (3, 0)])), Some(1.0));
        assert_eq!(average_precision(&steps(&[(3, 0)])), None);
        assert_eq!(average_precision(&[]), None);
    }

    #[test]
    fn of_equal_indices_the_highest_cut_is_kept() {
        let got = youden(&steps(&[(0, 2), (1, 1), (1, 0)])).unwrap();
        assert_eq!(
            (got.step, got.sensitivity, got.specificity),
            (1, 1.0, 2.0 / 3.0)
        );
        let tie = youden(&steps(&[(0, 1), (1, 1), (1, 0)])).unwrap();
        assert_eq!((tie.step, tie.index), (2, 0.5));
        // A score that ranks backwards calls nobody positive.
        let backwards = youden(&steps(&[(2, 0), (0, 2)])).unwrap();
        assert_eq!((backwards.step, backwards.index), (2, 0.0));
        assert_eq!(youden(&steps(&[(2, 0)])), None);
    }

    #[test]
    fn curves_run_from_nobody_to_everybody() {
        let steps = steps(&[(1, 4), (0, 0), (3, 2)]);
        let points = points(&steps).unwrap();
        let corners: Vec<_> = points
            .iter()
            .map(|p| (p.step, p.sensitivity, p.false_positive_rate, p.precision))
            .collect();
        let first = (2, 0.75, 2.0 / 6.0, Some(0.6));
        assert_eq!(
            corners,
            [(3, 0.0, 0.0, None), first, (0, 1.0, 1.0, Some(0.4))]
        );
        let band = points[1].band(&steps, |k, n| wilson(k, n, 0.95)).unwrap();
        assert_eq!(Some(band.sensitivity), wilson(3, 4, 0.95));
        assert_eq!(band.precision, wilson(3, 5, 0.95));
        assert_eq!(
            points[0]
                .band(&steps, |k, n| wilson(k, n, 0.95))
                .unwrap()
                .precision,
            None
        );
    }

    #[test]
    fn classes_too_large_for_exact_products_are_refused() {
        let large = [Step {
            events: 1 << 31,
            non_events: 1,
        }];
        assert_eq!(average_precision(&large), None);
        let most = [Step {
            events: u64::MAX,
            non_events: 1,
        }; 2];
        assert_eq!(youden(&most), None);
    }
}
