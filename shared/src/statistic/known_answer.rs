//! A small table with a known answer. Every node measures it with the code that measures its
//! patients, and the coordinator with its own: a program that computes otherwise, by a defect of its
//! build, its machine or its version, is noticed before its numbers are pooled.
//!
//! The table is made of whole numbers here, is the same everywhere, and is of nobody.
//!
//! From: nothing of the site's.
//! To: the header of each release, the coordinator's intake.

use crate::numeric::calibration::Sums;
use crate::numeric::distribution::{chi2_sf, t_quantile};
use crate::numeric::fisher::fisher_exact_table;
use crate::numeric::logistic::{ClippedLogits, Coefficients, Free, fit};
use crate::numeric::permutation::exact_p;
use crate::numeric::proportion::{clopper_pearson, wilson};
use crate::numeric::{delong, net_benefit};

const CASES: u32 = 40;
/// Predictions are cut here before their logit is taken; none of the table is near.
const EPSILON: f64 = 1e-6;

/// Largest difference between two programs that compute alike, relative to the number.
pub const TOLERANCE: f64 = 1e-12;

/// What each number of the answer is, in order.
pub const NAMES: [&str; 12] = [
    "area under the curve",
    "its variance",
    "observed to expected",
    "Brier score",
    "calibration intercept",
    "calibration slope",
    "variance of the slope",
    "exact permutation p value",
    "Wilson limit",
    "Clopper-Pearson limit",
    "Fisher's exact p value",
    "quantiles and tails",
];

/// Outcomes and predictions.
fn table() -> (Vec<bool>, Vec<f64>) {
    let case = |number: u32| {
        let prediction = f64::from(1 + (number * 37) % 101) / 103.0;
        let drawn = f64::from((number * 29 + 7) % 11) / 11.0;
        (drawn < prediction, prediction)
    };
    (0..CASES).map(case).unzip()
}

/// The answer, as [`NAMES`] lists it; 0 for what this program cannot compute.
pub fn answer() -> Vec<f64> {
    let (outcome, score) = table();
    let patient: Vec<u32> = (0..CASES).collect();
    let area = delong::auc(&outcome, &score, &patient).ok();
    let sums = Sums::of(&score, &outcome);
    let line = ClippedLogits::of(&score, EPSILON)
        .and_then(|logits| fit(&logits.lp, &outcome, Free::Both, Coefficients::START).ok());
    let decided = net_benefit::Decided::at_each(&outcome, &score, &[0.5]);
    let decided = decided.first().copied().unwrap_or_default();
    let (hits, events) = (
        decided.true_positive,
        decided.true_positive + decided.false_negative,
    );
    let cells = vec![
        vec![decided.true_positive, decided.false_positive],
        vec![decided.false_negative, decided.true_negative],
    ];
    let tails = t_quantile(0.975, 7.5).zip(chi2_sf(3.7, 2.5));
    let numbers = [
        area.as_ref().and_then(|area| area.auc),
        area.as_ref().and_then(|area| area.variance),
        sums.observed_expected(),
        sums.brier(),
        line.map(|line| line.coefficients.intercept),
        line.map(|line| line.coefficients.slope),
        line.map(|line| line.covariance[2]),
        exact_p(&outcome, &score).ok(),
        wilson(hits, events, 0.95).map(|interval| interval.lower),
        clopper_pearson(hits, events, 0.95).map(|interval| interval.upper),
        fisher_exact_table(&cells).ok(),
        tails.map(|(quantile, tail)| quantile + tail),
    ];
    numbers.map(Option::unwrap_or_default).to_vec()
}

/// The first number of an answer that is not the one computed here, by name.
pub fn differs(told: &[f64]) -> Option<&'static str> {
    let own = answer();
    let alike = |told: f64, own: f64| (told - own).abs() <= TOLERANCE * own.abs();
    if told.len() != own.len() {
        return Some("the number of numbers");
    }
    let mut all = NAMES.iter().zip(told.iter().zip(&own));
    all.find(|(_, (told, own))| !alike(**told, **own))
        .map(|(name, _)| *name)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_answer_is_that_of_the_definitions() {
        let (outcome, score) = table();
        let of = |event: bool| {
            let own = outcome
                .iter()
                .zip(&score)
                .filter(move |(one, _)| **one == event);
            own.map(|(_, score)| *score).collect::<Vec<f64>>()
        };
        let (events, others) = (of(true), of(false));
        assert!(events.len() > 10 && others.len() > 10);
        let mut wins = 0.0;
        for event in &events {
            for other in &others {
                wins += f64::from(u8::from(event > other));
                wins += 0.5 * f64::from(u8::from(event.total_cmp(other).is_eq()));
            }
        }
        let count = |list: &[f64]| f64::from(u32::try_from(list.len()).unwrap());
        let answer = answer();
        let close = |at: usize, expected: f64| {
            let got = answer[at];
            assert!(
                (got - expected).abs() < 1e-12,
                "{}: {got} {expected}",
                NAMES[at]
            );
        };
        close(0, wins / (count(&events) * count(&others)));
        close(2, count(&events) / score.iter().sum::<f64>());
        let square = |(event, score): (&bool, &f64)| {
            let off = f64::from(u8::from(*event)) - score;
            off * off
        };
        let brier: f64 = outcome.iter().zip(&score).map(square).sum();
        close(3, brier / f64::from(CASES));
        // At the maximum the residuals sum to nothing, also by the linear predictor.
        let residual = |weight: fn(f64) -> f64| -> f64 {
            let each = outcome.iter().zip(&score).map(|(event, score)| {
                let lp = libm::log(score / (1.0 - score));
                let at = answer[4] + answer[5] * lp;
                let fitted = 1.0 / (1.0 + libm::exp(-at));
                weight(lp) * (f64::from(u8::from(*event)) - fitted)
            });
            each.sum()
        };
        assert!(residual(|_| 1.0).abs() < 1e-9 && residual(|lp| lp).abs() < 1e-9);
        assert!(
            answer
                .iter()
                .all(|number| number.is_finite() && *number != 0.0)
        );
        assert_eq!(differs(&answer), None);
    }

    #[test]
    fn any_number_that_is_off_by_more_than_the_last_digits_is_named() {
        let own = answer();
        for (at, name) in NAMES.iter().enumerate() {
            let mut told = own.clone();
            told[at] *= 1.0 + 1e-14;
            assert_eq!(differs(&told), None);
            told[at] = own[at] * (1.0 + 1e-11);
            assert_eq!(differs(&told), Some(*name));
            told[at] = f64::NAN;
            assert_eq!(differs(&told), Some(*name));
        }
        assert!(differs(&own[1..]).is_some() && differs(&[]).is_some());
    }
}
