//! Partial verification: sensitivity and specificity where not every case got the reference
//! standard.
//!
//! If who is verified depends on the model's call only, the share of events among the verified
//! of a call holds for all of that call. With `q` the share called positive among all cases, and
//! `p1`, `p2` the shares of events among the verified positives and negatives, sensitivity is
//! `q p1 / (q p1 + (1 - q) p2)` (Begg and Greenes 1983, doi:10.2307/2530820). The variance is by
//! the influence of each case on `q`, `p1` and `p2`, summed by patient: without repeats their
//! delta-method variance, up to `n / (n - 1)`.
//!
//! With the protocol's verification fractions instead, each verified case stands for `1 / f` of
//! its call. If verification depends on more than the call, both are biased; the bounds
//! (`verification-lowest`, `verification-highest`) are not.
//!
//! From: `sensitivity`.
//! To: estimates.

use super::super::analysis_set::{AnalysisSet, LEVEL, clustered_variance};
use super::super::estimate::{Found, IntervalMethod};
use super::super::metric::{Metric, Scale};
use super::super::stage::{Basis, Undefined};
use super::Measured;
use crate::numeric::proportion::logit_interval;
use crate::numeric::sum::sum_iter;

/// One case with a prediction.
#[derive(Clone, Copy)]
struct Case {
    patient: u32,
    positive: bool,
    /// `None` where there is no reference standard.
    event: Option<bool>,
}

/// Corrected sensitivity and specificity at a threshold; `unverified` are patient and call of
/// each case without a reference standard.
pub(super) fn corrected(
    set: &AnalysisSet<'_>,
    model: usize,
    threshold: f64,
    unverified: &[(u32, bool)],
    by_fraction: bool,
) -> Vec<Measured> {
    let score = &set.score[model];
    let mut cases: Vec<Case> = (0..set.len())
        .map(|row| Case {
            patient: set.patient[row],
            positive: score[row] >= threshold,
            event: Some(set.outcome[row]),
        })
        .collect();
    cases.extend(unverified.iter().map(|(patient, positive)| Case {
        patient: *patient,
        positive: *positive,
        event: None,
    }));
    let basis = basis(&cases);
    let verification = &set.protocol.verification;
    let fractions = [
        verification.fraction_model_negative,
        verification.fraction_model_positive,
    ];
    [(Metric::Sensitivity, true), (Metric::Specificity, false)]
        .into_iter()
        .map(|(metric, event)| {
            let (value, influence) = if by_fraction {
                by_weights(&cases, event, fractions)
            } else {
                by_call(&cases, event)
            };
            (metric, found(metric, &cases, value, &influence), basis)
        })
        .collect()
}

/// Patients in the smallest group that the numbers speak about; nobody unverified is no group.
fn basis(cases: &[Case]) -> Basis {
    let mut smallest = u64::MAX;
    for event in [Some(true), Some(false), None] {
        for positive in [true, false] {
            let group = cases
                .iter()
                .filter(|case| case.event == event && case.positive == positive);
            let mut owners: Vec<u32> = group.map(|case| case.patient).collect();
            owners.sort_unstable();
            owners.dedup();
            if event.is_some() || !owners.is_empty() {
                smallest = smallest.min(owners.len() as u64);
            }
        }
    }
    Basis::of(smallest)
}

fn one(holds: bool) -> f64 {
    f64::from(u8::from(holds))
}

/// Share of `event` in the call that agrees with it, after Begg and Greenes, and the influence of
/// each case; the value is `None` where nobody of a call was verified.
fn by_call(cases: &[Case], event: bool) -> (Option<f64>, Vec<f64>) {
    let none = (None, Vec::new());
    let agrees = |case: &Case| case.positive == event;
    let total = sum_iter(cases.iter().map(|_| 1.0));
    let verified = |call: bool| {
        let inside = cases
            .iter()
            .filter(move |case| agrees(case) == call && case.event.is_some());
        sum_iter(inside.map(|_| 1.0))
    };
    let hits = |call: bool| {
        let inside = cases
            .iter()
            .filter(move |case| agrees(case) == call && case.event == Some(event));
        sum_iter(inside.map(|_| 1.0))
    };
    let (agreeing, against) = (verified(true), verified(false));
    let share = sum_iter(cases.iter().map(|case| one(agrees(case)))) / total;
    // A call that nobody has needs no verified case.
    if total <= 0.0 || (agreeing <= 0.0 && share > 0.0) || (against <= 0.0 && share < 1.0) {
        return none;
    }
    let p_agreeing = if share > 0.0 {
        hits(true) / agreeing
    } else {
        0.0
    };
    let p_against = if share < 1.0 {
        hits(false) / against
    } else {
        0.0
    };
    let (a, b) = (share * p_agreeing, (1.0 - share) * p_against);
    if a + b <= 0.0 {
        return none;
    }
    let square = (a + b) * (a + b);
    let influence = cases
        .iter()
        .map(|case| {
            let of_share = (one(agrees(case)) - share) / total;
            let (mut da, mut db) = (p_agreeing * of_share, -p_against * of_share);
            if let Some(found) = case.event {
                if agrees(case) {
                    da += share * (one(found == event) - p_agreeing) / agreeing;
                } else {
                    db += (1.0 - share) * (one(found == event) - p_against) / against;
                }
            }
            (b * da - a * db) / square
        })
        .collect();
    (Some(a / (a + b)), influence)
}

/// The same with each verified case standing for one over the fraction of its call (negative,
/// positive).
fn by_weights(cases: &[Case], event: bool, fractions: [f64; 2]) -> (Option<f64>, Vec<f64>) {
    let weight = |case: &Case| {
        if case.event == Some(event) {
            1.0 / fractions[usize::from(case.positive)]
        } else {
            0.0
        }
    };
    let total = sum_iter(cases.iter().map(weight));
    if !(total > 0.0 && total.is_finite()) {
        return (None, Vec::new());
    }
    let hits = cases.iter().filter(|case| case.positive == event);
    let value = sum_iter(hits.map(weight)) / total;
    let influence = cases
        .iter()
        .map(|case| weight(case) * (one(case.positive == event) - value) / total)
        .collect();
    (Some(value), influence)
}

fn found(metric: Metric, cases: &[Case], value: Option<f64>, influence: &[f64]) -> Found {
    let Some(value) = value else {
        return Found::undefined(Undefined::NoCases);
    };
    let patients: Vec<u32> = cases.iter().map(|case| case.patient).collect();
    let slope = value * (1.0 - value);
    if slope <= 0.0 {
        return Found::bare(Ok(value), Undefined::Boundary);
    }
    let variance = clustered_variance(influence, &patients)
        .filter(|variance| *variance > 0.0)
        .ok_or(Undefined::NoVariance);
    let interval = variance.and_then(|variance| {
        logit_interval(value, variance.sqrt(), LEVEL).ok_or(Undefined::NotFinite)
    });
    let on_scale = variance.map(|variance| match metric.entry().scale {
        Scale::Identity => variance,
        Scale::Logit => variance / (slope * slope),
        Scale::Log => variance / (value * value),
    });
    let method = match metric.entry().scale {
        Scale::Logit => IntervalMethod::Normal,
        Scale::Identity | Scale::Log => IntervalMethod::Logit,
    };
    Found {
        value: Ok(value),
        interval,
        variance: on_scale,
        method,
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    /// Cases of one patient each.
    fn cases(counts: [(bool, Option<bool>, u32); 6]) -> Vec<Case> {
        let mut all = Vec::new();
        for (positive, event, count) in counts {
            for _ in 0..count {
                all.push(Case {
                    patient: u32::try_from(all.len()).unwrap(),
                    positive,
                    event,
                });
            }
        }
        all
    }

    /// The hepatic scintigraphy study that Begg and Greenes correct (Drum and Christacopoulos
    /// 1972): sensitivity 0.895 and specificity 0.628 among the verified, 0.836 and 0.738
    /// corrected.
    fn scintigraphy() -> Vec<Case> {
        cases([
            (true, Some(true), 231),
            (true, Some(false), 32),
            (false, Some(true), 27),
            (false, Some(false), 54),
            (true, None, 166),
            (false, None, 140),
        ])
    }

    #[test]
    fn the_published_correction_is_found() {
        let all = scintigraphy();
        let sensitivity = by_call(&all, true).0.unwrap();
        let specificity = by_call(&all, false).0.unwrap();
        assert!((sensitivity - 0.836).abs() < 5e-4, "{sensitivity}");
        assert!((specificity - 0.738).abs() < 5e-4, "{specificity}");
    }

    #[test]
    fn the_variance_is_begg_and_greenes() {
        let all = scintigraphy();
        let owners: Vec<u32> = all.iter().map(|case| case.patient).collect();
        let (n, q) = (650.0, 429.0 / 650.0);
        let (p1, v1, p2, v2) = (231.0 / 263.0, 263.0, 27.0 / 81.0, 81.0);
        let logit = |a: f64, b: f64| 1.0 / (n * q * (1.0 - q)) + a / v1 + b / v2;
        for (event, expected) in [
            (true, logit((1.0 - p1) / p1, (1.0 - p2) / p2)),
            (false, logit(p1 / (1.0 - p1), p2 / (1.0 - p2))),
        ] {
            let (value, influence) = by_call(&all, event);
            let slope = value.unwrap() * (1.0 - value.unwrap());
            let got = clustered_variance(&influence, &owners).unwrap() / (slope * slope);
            assert!(
                (got / expected - n / (n - 1.0)).abs() < 1e-9,
                "{got} {expected}"
            );
        }
    }

    #[test]
    fn the_observed_fractions_as_weights_are_the_same_correction() {
        let all = scintigraphy();
        let fractions = [81.0 / 221.0, 263.0 / 429.0];
        for event in [true, false] {
            let one = by_call(&all, event).0.unwrap();
            let two = by_weights(&all, event, fractions).0.unwrap();
            assert!((one - two).abs() < 1e-12);
        }
    }

    #[test]
    fn full_verification_corrects_nothing_and_none_gives_nothing() {
        let all = cases([
            (true, Some(true), 40),
            (true, Some(false), 10),
            (false, Some(true), 10),
            (false, Some(false), 60),
            (true, None, 0),
            (false, None, 0),
        ]);
        let (value, influence) = by_call(&all, true);
        assert!((value.unwrap() - 0.8).abs() < 1e-12);
        let owners: Vec<u32> = all.iter().map(|case| case.patient).collect();
        let variance = clustered_variance(&influence, &owners).unwrap();
        assert!((variance - 0.8 * 0.2 / 50.0 * 120.0 / 119.0).abs() < 1e-12);
        let nobody = cases([
            (true, Some(true), 40),
            (true, Some(false), 10),
            (false, Some(true), 0),
            (false, Some(false), 0),
            (true, None, 0),
            (false, None, 30),
        ]);
        assert_eq!(by_call(&nobody, true).0, None);
    }
}
