//! Rates of a sample drawn by outcome at known rates: those of the source population follow from
//! the counts with the design's weights.
//!
//! From: `performance`.
//! To: findings.

use shared::statistic::confusion::{Confusion, RateMeasure};
use shared::statistic::sampling::Weights;
use shared::statistic::{Cell, Disclosed};
use shared::study::StudyProtocol;

use super::finding::{Finding, Span, ordered};
use super::performance::rate_follows;

pub(super) fn rates(
    it: &Confusion<Disclosed>,
    protocol: &StudyProtocol,
    at: &str,
    slack: f64,
    findings: &mut Vec<Finding>,
) {
    let Ok(weights) = Weights::of_design(protocol) else {
        return;
    };
    let span = |cell: &Cell<u64>, weight: f64| {
        let found = Span::count(cell)?;
        Some(Span {
            lo: found.lo * weight,
            hi: found.hi * weight,
        })
    };
    let cells = [
        span(&it.true_positive, weights.event),
        span(&it.false_positive, weights.non_event),
        span(&it.false_negative, weights.event),
        span(&it.true_negative, weights.non_event),
    ];
    let sum = |places: &[usize]| {
        places
            .iter()
            .try_fold(Span { lo: 0.0, hi: 0.0 }, |sum, place| {
                let cell = cells[*place]?;
                Some(Span {
                    lo: sum.lo + cell.lo,
                    hi: sum.hi + cell.hi,
                })
            })
    };
    for rate in &it.rates {
        let place = format!("{at}: {:?}", rate.measure);
        let (part, whole): (&[usize], &[usize]) = match rate.measure {
            RateMeasure::Sensitivity => (&[0], &[0, 2]),
            RateMeasure::Specificity => (&[3], &[1, 3]),
            RateMeasure::Ppv => (&[0], &[0, 1]),
            RateMeasure::Npv => (&[3], &[2, 3]),
            RateMeasure::SelectionRate => (&[0, 1], &[0, 1, 2, 3]),
            RateMeasure::Prevalence => (&[0, 2], &[0, 1, 2, 3]),
        };
        rate_follows(&rate.value, sum(part), sum(whole), &place, slack, findings);
        ordered(findings, &place, &rate.low, &rate.value, &rate.high, slack);
    }
}
