//! The patient bootstrap of a statistic without a closed interval: which plan is drawn, and what
//! its intervals become in an estimate.
//!
//! From: `discrimination`, `lesion`, `detection`.
//! To: `estimate`.

use super::analysis_set::LEVEL;
use super::estimate::{Found, IntervalMethod};
use super::stage::Undefined;
use crate::numeric::bootstrap::{self, Bootstrap, BootstrapStatus};
use crate::numeric::sum::{mean, sum_iter};
use crate::study::BootstrapPlan;

/// Patients above which the linearised interval takes the bootstrap's place: there both agree,
/// and resampling a million rows takes minutes.
pub(super) const BOOTSTRAP_PATIENTS: u32 = 5000;

/// Resamples and jackknife of `K` statistics, functions of one weight per patient, whose values
/// on the patients themselves are `values`; `None` where there are too many patients.
pub(super) fn of_patients<const K: usize>(
    patients: u32,
    plan: &BootstrapPlan,
    values: [Option<f64>; K],
    statistics: impl Fn(&[u32]) -> [Option<f64>; K],
) -> [Option<Bootstrap>; K] {
    if patients > BOOTSTRAP_PATIENTS {
        return [None; K];
    }
    let numbers = 0..plan.resamples;
    let replicates = bootstrap::replicate(patients, plan.seed, numbers, &statistics);
    let leavings = bootstrap::jackknife(patients, &statistics);
    let mut place = 0;
    values.map(|value| {
        let column = place;
        place += 1;
        Some(Bootstrap::of(
            value,
            &replicates[column],
            &leavings[column],
            LEVEL,
        ))
    })
}

/// Standard errors of `K` statistics of so many patients that none are resampled, by the jackknife
/// over groups of patients (Efron and Tibshirani 1993, doi:10.1201/9780429246593, 11.5); `None`
/// where one of its values does not exist.
pub(super) fn spread_without_bootstrap<const K: usize>(
    patients: u32,
    statistics: impl Fn(&[u32]) -> [Option<f64>; K],
) -> [Option<f64>; K] {
    bootstrap::jackknife(patients, statistics).map(|leavings| {
        let values = leavings.into_iter().collect::<Option<Vec<f64>>>()?;
        let groups = u32::try_from(values.len()).ok().filter(|one| *one > 1)?;
        let centre = mean(&values)?;
        let squares = sum_iter(values.iter().map(|one| (one - centre) * (one - centre)));
        Some((f64::from(groups - 1) / f64::from(groups) * squares).sqrt())
    })
}

/// The bootstrap's interval and its method, with no value and no variance yet.
pub(super) fn interval(found: &Bootstrap, plan: &BootstrapPlan) -> Found {
    let (resamples, seed) = (plan.resamples, plan.seed);
    let why = match found.status {
        BootstrapStatus::NoEstimate => Undefined::OneClass,
        BootstrapStatus::NoSpread => Undefined::Boundary,
        BootstrapStatus::Degenerate
        | BootstrapStatus::TooFewResamples
        | BootstrapStatus::Estimated => Undefined::NoVariance,
    };
    let method = match (found.bca, found.percentile) {
        (Some(_), _) => IntervalMethod::Bca { resamples, seed },
        (None, Some(_)) => IntervalMethod::Bootstrap { resamples, seed },
        (None, None) => IntervalMethod::None,
    };
    Found {
        interval: found.bca.or(found.percentile).ok_or(why),
        method,
        ..Found::undefined(why)
    }
}
