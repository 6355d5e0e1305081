//! What one more row would change: the linearised standard errors of partial areas and of the
//! average precision.
//!
//! The influence of a row is the derivative of the statistic in the row's weight (the
//! infinitesimal jackknife of Efron 1982, doi:10.1137/1.9781611970319); rows of one step and
//! class share it. Summed per patient, squared and added, with the factor `I / (I - 1)`, it is
//! the cluster-robust variance. Over the full range the partial area's influences are
//! DeLong's placements less the area.
//!
//! From: `ranked`.
//! To: `statistic::discrimination`.

use super::roc::{Focus, Step};
use super::sum::{Neumaier, count};

/// The influence of one further row of a step, by class.
#[derive(Clone, Copy, Debug, Default, PartialEq)]
pub struct Influence {
    /// Of an event.
    pub event: f64,
    /// Of a non-event.
    pub non_event: f64,
}

fn totals(steps: &[Step]) -> Option<(f64, f64)> {
    let events: u64 = steps.iter().map(|step| step.events).sum();
    let non_events: u64 = steps.iter().map(|step| step.non_events).sum();
    (events > 0 && non_events > 0).then(|| (count(events), count(non_events)))
}

/// Influences on the average precision, one per step; `None` for one class.
///
/// With `T` and `F` the events and non-events called positive at a step and `e` its own
/// events, an event of step `h` adds `P_h - AP` and raises the precision of every step at or
/// below `h` by `F / (T + F)^2`; a non-event lowers them by `T / (T + F)^2`; all over the
/// number of events.
pub fn average_precision(steps: &[Step]) -> Option<Vec<Influence>> {
    let (events, _) = totals(steps)?;
    let (mut positive, mut false_positive) = (0.0, 0.0);
    let mut called = vec![(0.0, 0.0); steps.len()];
    let mut area = Neumaier::default();
    for (step, called) in steps.iter().zip(&mut called).rev() {
        positive += count(step.events);
        false_positive += count(step.non_events);
        *called = (positive, false_positive);
        if step.events > 0 {
            area.add(count(step.events) * positive / (positive + false_positive));
        }
    }
    let area = area.total() / events;
    let (mut raised, mut lowered) = (Neumaier::default(), Neumaier::default());
    let influence = |(step, (positive, false_positive)): (&Step, &(f64, f64))| {
        let all = positive + false_positive;
        if all == 0.0 {
            return Influence::default();
        }
        raised.add(count(step.events) * false_positive / (all * all));
        lowered.add(count(step.events) * positive / (all * all));
        Influence {
            event: (positive / all - area + raised.total()) / events,
            non_event: -lowered.total() / events,
        }
    };
    Some(steps.iter().zip(&called).map(influence).collect())
}

/// Influences on a partial area (uncorrected), one per step; `None` for one class or an empty
/// range. Where the range ends at a corner of the curve the area has two derivatives; the one
/// taken counts the corner in.
pub fn partial_area(
    steps: &[Step],
    focus: Focus,
    lowest: f64,
    highest: f64,
) -> Option<Vec<Influence>> {
    if !(lowest >= 0.0 && lowest < highest && highest <= 1.0) {
        return None;
    }
    match focus {
        Focus::Specificity => over_specificity(steps, (1.0 - highest, 1.0 - lowest)),
        Focus::Sensitivity => {
            // Seen from the non-events, calls turned: their share of "positives" is the
            // specificity, the events' is one minus the sensitivity.
            let turn = |step: &Step| Step {
                events: step.non_events,
                non_events: step.events,
            };
            let turned: Vec<Step> = steps.iter().rev().map(turn).collect();
            let mut found = over_specificity(&turned, (1.0 - highest, 1.0 - lowest))?;
            found.reverse();
            for one in &mut found {
                std::mem::swap(&mut one.event, &mut one.non_event);
            }
            Some(found)
        }
    }
}

/// One segment of the curve, from the step above to this one.
#[derive(Clone, Copy, Default)]
struct Segment {
    /// The part of it within the range: from and to, as fractions of the segment.
    part: (f64, f64),
    /// Its width and height.
    width: f64,
    height: f64,
    /// Length of the range that lies beyond its end.
    beyond: f64,
}

/// The segments, rising order of score, for false-positive rates in `range`.
fn segments(steps: &[Step], events: f64, non_events: f64, range: (f64, f64)) -> Vec<Segment> {
    let mut segments = vec![Segment::default(); steps.len()];
    let mut false_positive = 0;
    for (step, segment) in steps.iter().zip(&mut segments).rev() {
        let from = count(false_positive) / non_events;
        false_positive += step.non_events;
        let to = count(false_positive) / non_events;
        let (left, right) = (from.max(range.0), to.min(range.1));
        segment.width = count(step.non_events) / non_events;
        segment.height = count(step.events) / events;
        segment.beyond = (range.1 - to.max(range.0)).max(0.0);
        segment.part = if segment.width == 0.0 {
            let inside = range.0 <= from && from <= range.1;
            (0.0, f64::from(u8::from(inside)))
        } else if right > left {
            (
                (left - from) / segment.width,
                (right - from) / segment.width,
            )
        } else {
            (0.0, 0.0)
        };
    }
    segments
}

/// The area `A` is the mean over events of the length of the range in which the event is
/// called positive: an event's influence is its own length less the mean. A further non-event
/// of step `h` moves each point of the curve sideways, by `-x` before the step and `1 - x`
/// after it, over the number of non-events, and the area by minus that shift summed over the
/// curve's rise within the range.
fn over_specificity(steps: &[Step], range: (f64, f64)) -> Option<Vec<Influence>> {
    let (events, non_events) = totals(steps)?;
    let segments = segments(steps, events, non_events, range);
    let length = |segment: &Segment| {
        let (from, to) = segment.part;
        segment.beyond + segment.width * (to * to - from * from) / 2.0
    };
    let (mut area, mut shift) = (Neumaier::default(), Neumaier::default());
    let mut before = 1.0;
    for segment in &segments {
        area.add(segment.height * length(segment));
        // The segment's left end as a false-positive rate.
        before -= segment.width;
        let (from, to) = segment.part;
        let rise = segment.height * (to - from);
        shift.add(rise * (before + segment.width * (from + to) / 2.0));
    }
    let (area, shift) = (area.total(), shift.total());
    let mut after = Neumaier::default();
    let influence = |segment: &Segment| {
        let (from, to) = segment.part;
        let own = segment.height * (to * to - from * from) / 2.0;
        let moved = after.total() + own;
        after.add(segment.height * (to - from));
        Influence {
            event: (length(segment) - area) / events,
            non_event: (shift - moved) / non_events,
        }
    };
    Some(segments.iter().map(influence).collect())
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::numeric::roc;

    fn steps(scale: u64) -> Vec<Step> {
        let counts = [(1, 7), (0, 3), (4, 4), (2, 0), (3, 5), (0, 2), (6, 1)];
        let step = |(events, non_events): &(u64, u64)| Step {
            events: events * scale,
            non_events: non_events * scale,
        };
        counts.iter().map(step).collect()
    }

    /// One row more or less among a million times as many rows.
    fn compare(found: &[Influence], of: impl Fn(&[Step]) -> f64) {
        let scale = 1_000_000;
        let many = steps(scale);
        let step = scale / 1000;
        for place in 0..many.len() {
            for event in [true, false] {
                let moved = |sign: i64| {
                    let mut steps = many.clone();
                    let cell = if event {
                        &mut steps[place].events
                    } else {
                        &mut steps[place].non_events
                    };
                    *cell = cell.checked_add_signed(sign * step as i64)?;
                    Some(of(&steps))
                };
                let Some((up, down)) = moved(1).zip(moved(-1)) else {
                    continue;
                };
                let slope = (up - down) / 2e-3;
                let got = if event {
                    found[place].event
                } else {
                    found[place].non_event
                };
                assert!((got - slope).abs() < 1e-7, "{place} {event}: {got} {slope}");
            }
        }
    }

    #[test]
    fn influences_are_numerical_derivatives() {
        let found = average_precision(&steps(1)).unwrap();
        compare(&found, |s| roc::average_precision(s).unwrap());
        for focus in [Focus::Specificity, Focus::Sensitivity] {
            for (lowest, highest) in [(0.0, 1.0), (0.83, 0.97), (0.1, 0.55)] {
                let found = partial_area(&steps(1), focus, lowest, highest).unwrap();
                compare(&found, |s| {
                    roc::partial_area(s, focus, lowest, highest).unwrap().area
                });
            }
        }
    }

    #[test]
    fn influences_add_to_nothing() {
        let steps = steps(1);
        let total = |found: &[Influence]| {
            let each = found.iter().zip(&steps);
            each.map(|(i, s)| i.event * count(s.events) + i.non_event * count(s.non_events))
                .sum::<f64>()
        };
        assert!(total(&average_precision(&steps).unwrap()).abs() < 1e-15);
        let area = partial_area(&steps, Focus::Specificity, 0.9, 1.0).unwrap();
        assert!(total(&area).abs() < 1e-15);
        assert_eq!(average_precision(&[]), None);
        assert_eq!(partial_area(&steps, Focus::Specificity, 1.0, 0.9), None);
    }
}
