//! The area under the ROC curve, its variance after DeLong, the covariance of several scores
//! on the same cases, and the same for patients who appear more than once.
//!
//! A placement of an event is the share of non-events its score exceeds, ties counting half;
//! of a non-event, the share of events that exceed it. Placements are computed as integers
//! over one sort of each class, `O(n log n)`, in 64 bits: products of class sizes overflow
//! 32. High scores mean event; a score that ranks backwards keeps its area below one half,
//! it is never turned.
//!
//! The variance follows DeLong, DeLong and Clarke-Pearson (1988, doi:10.2307/2531595): the
//! sample variances (divisor `n - 1`) of the two kinds of placements over their numbers.
//! With patients in several rows it follows Obuchowski (1997, doi:10.2307/2533958): the
//! placements' deviations are summed per patient first,
//! `S10 / n1 + S01 / n0 + 2 S11 / (n1 n0)` with
//! `S10 = I10 / ((I10 - 1) n1) sum T10^2`, `S01` alike, `S11 = I / (I - 1) sum T10 T01`, where
//! `n1`, `n0` count rows, `I10`, `I01`, `I` the patients with an event row, with a non-event
//! row, and with any. With one row per patient this is DeLong's variance term by term.
//!
//! From: `statistic::roc` (rows at a site), `pool` (summed histograms).
//! To: the disclosure gate (placements), `pool::random_effects` (logit area and variance).

use super::distribution::{inverse_logit, logit, normal_critical, normal_two_sided};
use super::interval::Interval;
use super::sum::{count, sum_iter};

mod levels;
mod placement;
mod runs;

pub use levels::{BoundedArea, ByScore, LevelAreas, areas_by_level};
pub use placement::{Placement, Placements};
pub use runs::{Run, dominance_of_runs};

/// Input that is not a table of scores.
#[derive(Clone, Copy, Debug, Eq, PartialEq, thiserror::Error)]
pub enum DelongFault {
    /// The columns differ in length, or two histograms do.
    #[error("columns differ in length")]
    Length,
    /// A score is NaN; the caller decides what a missing score means.
    #[error("a score is not a number")]
    NotANumber,
    /// More rows than 2^31: integer placements would overflow.
    #[error("too many rows")]
    TooMany,
}

/// Whether an area and its variance can be used.
#[derive(Clone, Copy, Debug, Eq, PartialEq)]
pub enum AucStatus {
    /// Area and variance are both defined and the variance is positive.
    Estimated,
    /// There is no event or no non-event: nothing is defined.
    OneClass,
    /// One patient holds all events: the area is defined, its variance is not.
    SingleEvent,
    /// One patient holds all non-events: the area is defined, its variance is not.
    SingleNonEvent,
    /// The classes do not overlap: the area is exactly 1 (or 0), its variance 0, its logit
    /// infinite.
    Perfect,
    /// The variance is 0 although the classes overlap, as for a constant score.
    ZeroVariance,
}

/// Who went into an area.
#[derive(Clone, Copy, Debug, Default, Eq, PartialEq)]
pub struct Sizes {
    /// Rows with the event.
    pub events: u64,
    /// Rows without it.
    pub non_events: u64,
    /// Distinct patients.
    pub patients: u64,
    /// Distinct patients with at least one event row.
    pub event_patients: u64,
    /// Distinct patients with at least one non-event row.
    pub non_event_patients: u64,
}

impl Sizes {
    /// Whether a patient appears in more than one row, so that the variance is Obuchowski's.
    pub fn clustered(self) -> bool {
        self.patients < self.events + self.non_events
    }
}

/// One area with its variance.
#[derive(Clone, Copy, Debug, PartialEq)]
pub struct Auc {
    /// What may be done with the numbers below.
    pub status: AucStatus,
    /// The area, in `[0, 1]`; `None` for one class.
    pub auc: Option<f64>,
    /// Its variance, at least 0; `None` for one class or one patient in a class.
    pub variance: Option<f64>,
    /// Rows and patients.
    pub sizes: Sizes,
}

impl Auc {
    /// The square root of the variance.
    pub fn standard_error(&self) -> Option<f64> {
        self.variance.map(f64::sqrt)
    }

    /// Logit of the area and the variance of that logit, `variance / (A (1 - A))^2`: what
    /// enters a random-effects pool. `None` unless the status is `Estimated`.
    pub fn logit(&self) -> Option<(f64, f64)> {
        if self.status != AucStatus::Estimated {
            return None;
        }
        let (area, variance) = (self.auc?, self.variance?);
        let slope = area * (1.0 - area);
        let on_logit = variance / (slope * slope);
        Some((logit(area)?, on_logit)).filter(|(_, v)| v.is_finite() && *v > 0.0)
    }

    /// The interval on the logit scale carried back to the area; preferred. `None` unless
    /// the status is `Estimated`.
    pub fn logit_interval(&self, level: f64) -> Option<Interval> {
        let (centre, variance) = self.logit()?;
        Interval::around(centre, normal_critical(level)? * variance.sqrt())?
            .map(|x| inverse_logit(x).unwrap_or(f64::NAN))
    }

    /// The symmetric interval cut to `[0, 1]`, as pROC prints it; of width 0 where the
    /// variance is 0, hence for comparison only.
    pub fn wald_interval(&self, level: f64) -> Option<Interval> {
        let half_width = normal_critical(level)? * self.standard_error()?;
        Some(Interval::around(self.auc?, half_width)?.clamp(0.0, 1.0))
    }
}

/// The area of one score over rows with `outcome` (true: event), with DeLong's variance, or
/// Obuchowski's where a number in `patient` repeats.
///
/// # Errors
/// Columns of different lengths, a NaN score, 2^31 rows or more.
pub fn auc(outcome: &[bool], score: &[f64], patient: &[u32]) -> Result<Auc, DelongFault> {
    Ok(Comparison::of(outcome, &[score], patient)?.area(0))
}

/// Several scores on the same rows: areas, their covariance, and the placements behind them.
#[derive(Clone, Debug, PartialEq)]
pub struct Comparison {
    /// Rows and patients.
    pub sizes: Sizes,
    /// One area per score, in the order given; `None` for one class.
    pub areas: Option<Vec<f64>>,
    /// Covariance of the areas, scores by scores, symmetric; `None` for one class or one
    /// patient in a class.
    pub covariance: Option<Vec<Vec<f64>>>,
    /// The placements of each score, needed by the disclosure gate's dominance rule.
    pub placements: Vec<Placements>,
}

impl Comparison {
    /// Computes areas, covariance and placements of every score.
    ///
    /// # Errors
    /// As [`auc`].
    pub fn of(outcome: &[bool], scores: &[&[f64]], patient: &[u32]) -> Result<Self, DelongFault> {
        if patient.len() != outcome.len() || scores.iter().any(|s| s.len() != outcome.len()) {
            return Err(DelongFault::Length);
        }
        let placements = scores
            .iter()
            .map(|score| Placements::of(outcome, score))
            .collect::<Result<Vec<_>, _>>()?;
        let patients = placement::Patients::of(outcome, patient);
        let sizes = patients.sizes;
        let areas = placements
            .iter()
            .map(Placements::area)
            .collect::<Option<Vec<_>>>();
        let covariance = match &areas {
            Some(areas) if sizes.event_patients >= 2 && sizes.non_event_patients >= 2 => {
                Some(covariance(&placements, areas, &patients))
            }
            Some(_) | None => None,
        };
        Ok(Self {
            sizes,
            areas,
            covariance,
            placements,
        })
    }

    /// One of the areas. An index beyond the scores gives the status `OneClass` and no number.
    pub fn area(&self, score: usize) -> Auc {
        let area = self.areas.as_ref().and_then(|a| a.get(score)).copied();
        let variance = self
            .covariance
            .as_ref()
            .and_then(|c| c.get(score)?.get(score))
            .copied();
        let status = match (area, variance) {
            (None, _) => AucStatus::OneClass,
            (Some(_), None) if self.sizes.event_patients < 2 => AucStatus::SingleEvent,
            (Some(_), None) => AucStatus::SingleNonEvent,
            (Some(a), Some(_)) if a == 0.0 || a == 1.0 => AucStatus::Perfect,
            (Some(_), Some(v)) if v > 0.0 => AucStatus::Estimated,
            (Some(_), Some(_)) => AucStatus::ZeroVariance,
        };
        Auc {
            status,
            auc: area,
            variance,
            sizes: self.sizes,
        }
    }

    /// Area of `first` minus area of `second`, with its paired standard error, interval and
    /// two-sided test. `None` if a covariance is missing or an index is beyond the scores;
    /// test and interval are `None` where the difference has no variance.
    pub fn difference(&self, first: usize, second: usize, level: f64) -> Option<AucDifference> {
        let areas = self.areas.as_ref()?;
        let entry = |r: usize, s: usize| self.covariance.as_ref()?.get(r)?.get(s).copied();
        let difference = areas.get(first)? - areas.get(second)?;
        let variance = entry(first, first)? + entry(second, second)? - 2.0 * entry(first, second)?;
        AucDifference::of(difference, variance.max(0.0), level)
    }
}

/// A difference of two areas on the scale of the area.
#[derive(Clone, Copy, Debug, PartialEq)]
pub struct AucDifference {
    /// First area minus second, in `[-1, 1]`.
    pub difference: f64,
    /// Its variance, at least 0.
    pub variance: f64,
    /// Its standard error.
    pub standard_error: f64,
    /// Symmetric normal interval; `None` if the variance is 0.
    pub interval: Option<Interval>,
    /// Difference over standard error; `None` if the variance is 0.
    pub z: Option<f64>,
    /// Two-sided normal p value; `None` if the variance is 0.
    pub p: Option<f64>,
}

impl AucDifference {
    /// From a difference and its variance: paired (covariance already taken off) or of two
    /// independent samples (variances added).
    pub fn of(difference: f64, variance: f64, level: f64) -> Option<Self> {
        if !(difference.is_finite() && variance.is_finite() && variance >= 0.0) {
            return None;
        }
        let standard_error = variance.sqrt();
        let usable = standard_error > 0.0;
        let z = usable
            .then(|| difference / standard_error)
            .filter(|z| z.is_finite());
        let half_width = usable
            .then_some(())
            .and(normal_critical(level))
            .map(|c| c * standard_error);
        Some(Self {
            difference,
            variance,
            standard_error,
            interval: half_width.and_then(|h| Interval::around(difference, h)),
            z,
            p: z.and_then(normal_two_sided),
        })
    }
}

fn covariance(
    placements: &[Placements],
    areas: &[f64],
    patients: &placement::Patients,
) -> Vec<Vec<f64>> {
    let sums: Vec<_> = placements
        .iter()
        .zip(areas)
        .map(|(p, area)| patients.deviations(p, *area))
        .collect();
    let sizes = patients.sizes;
    let (n1, n0) = (count(sizes.events), count(sizes.non_events));
    let spread = |clusters: u64| count(clusters) / count(clusters - 1);
    let dot = |a: &[f64], b: &[f64]| sum_iter(a.iter().zip(b).map(|(x, y)| x * y));
    let entry = |r: usize, s: usize| {
        let (a, b) = (&sums[r], &sums[s]);
        let s10 = spread(sizes.event_patients) * dot(&a.event, &b.event) / n1;
        let s01 = spread(sizes.non_event_patients) * dot(&a.non_event, &b.non_event) / n0;
        let cross = if sizes.clustered() {
            dot(&a.event, &b.non_event) + dot(&b.event, &a.non_event)
        } else {
            0.0
        };
        let s11 = if cross == 0.0 {
            0.0
        } else {
            spread(sizes.patients) * cross
        };
        s10 / n1 + s01 / n0 + s11 / n1 / n0
    };
    // Obuchowski's estimator is not bound to be positive; a variance below 0 carries no
    // information and reads as 0, which no interval is built on.
    let value = |r: usize, s: usize| {
        if r == s {
            entry(r, s).max(0.0)
        } else {
            entry(r.max(s), r.min(s))
        }
    };
    (0..areas.len())
        .map(|r| (0..areas.len()).map(|s| value(r, s)).collect())
        .collect()
}

/// The variance of an area from the area and the class sizes alone, under an exponential
/// model of the scores (Hanley and McNeil 1982, doi:10.1148/radiology.143.1.7063747): for a
/// site that reports no standard error. `None` unless `0 <= auc <= 1` and both classes hold
/// a case.
pub fn hanley_mcneil_variance(auc: f64, events: u64, non_events: u64) -> Option<f64> {
    if !(0.0..=1.0).contains(&auc) || events == 0 || non_events == 0 {
        return None;
    }
    let (n1, n0) = (count(events), count(non_events));
    let q1 = auc / (2.0 - auc);
    let q2 = 2.0 * auc * auc / (1.0 + auc);
    let square = auc * auc;
    let total = auc * (1.0 - auc) + (n1 - 1.0) * (q1 - square) + (n0 - 1.0) * (q2 - square);
    Some((total / n1 / n0).max(0.0))
}

/// An area from the histograms of a score within each class.
#[derive(Clone, Copy, Debug, PartialEq)]
pub struct HistogramAuc {
    /// Area and DeLong variance of the binned score: exactly those of the rows after
    /// binning. Every count is taken as one patient.
    pub binned: Auc,
    /// Half the share of pairs that fall into one bin: the area of the unbinned score lies
    /// within this distance. `None` for one class.
    pub error_bound: Option<f64>,
    /// The area if every pair within a bin were misordered; `None` for one class.
    pub lowest: Option<f64>,
    /// The area if every pair within a bin were ordered rightly; `None` for one class.
    pub highest: Option<f64>,
}

/// Area, DeLong variance and error bound from counts per bin, bins in rising order of score.
///
/// # Errors
/// Histograms of different lengths; 2^31 rows or more in either.
pub fn from_histogram(events: &[u64], non_events: &[u64]) -> Result<HistogramAuc, DelongFault> {
    if events.len() != non_events.len() {
        return Err(DelongFault::Length);
    }
    let total = |counts: &[u64]| {
        counts
            .iter()
            .try_fold(0_u64, |sum, n| sum.checked_add(*n))
            .filter(|sum| *sum < placement::LIMIT)
            .ok_or(DelongFault::TooMany)
    };
    let (n1, n0) = (total(events)?, total(non_events)?);
    let sizes = Sizes {
        events: n1,
        non_events: n0,
        patients: n1 + n0,
        event_patients: n1,
        non_event_patients: n0,
    };
    let (mut below_events, mut below_non_events, mut ordered, mut tied) = (0, 0, 0, 0);
    let mut bins = Vec::with_capacity(events.len());
    for (e, n) in events.iter().zip(non_events) {
        bins.push((
            *e,
            2 * below_non_events + n,
            *n,
            2 * (n1 - below_events) - e,
        ));
        ordered += e * below_non_events;
        tied += e * n;
        below_events += e;
        below_non_events += n;
    }
    if n1 == 0 || n0 == 0 {
        let binned = Auc {
            status: AucStatus::OneClass,
            auc: None,
            variance: None,
            sizes,
        };
        return Ok(HistogramAuc {
            binned,
            error_bound: None,
            lowest: None,
            highest: None,
        });
    }
    let pairs = count(n1) * count(n0);
    let area = count(2 * ordered + tied) / (2.0 * pairs);
    let square = |twice: u64, n: u64| {
        let deviation = count(twice) / (2.0 * count(n)) - area;
        deviation * deviation
    };
    let variance = (n1 >= 2 && n0 >= 2).then(|| {
        let s10 = sum_iter(bins.iter().map(|(e, v, _, _)| count(*e) * square(*v, n0)));
        let s01 = sum_iter(bins.iter().map(|(_, _, n, v)| count(*n) * square(*v, n1)));
        s10 / count(n1 - 1) / count(n1) + s01 / count(n0 - 1) / count(n0)
    });
    let as_table = Comparison {
        sizes,
        areas: Some(vec![area]),
        covariance: variance.map(|v| vec![vec![v]]),
        placements: Vec::new(),
    };
    Ok(HistogramAuc {
        binned: as_table.area(0),
        error_bound: Some(count(tied) / (2.0 * pairs)),
        lowest: Some(count(ordered) / pairs),
        highest: Some(count(ordered + tied) / pairs),
    })
}

#[cfg(test)]
mod tests;
