//! Intervals for proportions and their differences; with patients in several rows, from
//! patient sums.
//!
//! A Wald interval is not offered: it has width 0 at both ends.
//!
//! From: `statistic::confusion` and every rate of a report.
//! To: plain intervals on the scale of the proportion.

use std::collections::BTreeMap;

use super::distribution::{beta_quantile, inverse_logit, logit, normal_critical};
use super::interval::Interval;
use super::sum::{count, sum_iter};

/// Wilson's score interval (1927, doi:10.1080/01621459.1927.10502953) for `k` of `n`, every
/// count one patient; the default. `None` if `n` is 0, `k` exceeds `n`, or the level is not
/// usable.
pub fn wilson(k: u64, n: u64, level: f64) -> Option<Interval> {
    if n == 0 || k > n {
        return None;
    }
    let z = normal_critical(level)?;
    let (share, n_all) = (count(k) / count(n), count(n));
    let z2 = z * z;
    let centre = (share + z2 / (2.0 * n_all)) / (1.0 + z2 / n_all);
    let spread = share * (1.0 - share) / n_all + z2 / (4.0 * n_all * n_all);
    let half_width = z * spread.sqrt() / (1.0 + z2 / n_all);
    // At the ends the limit is 0 or 1 exactly; the formula only comes within a rounding.
    Interval::new(
        if k == 0 {
            0.0
        } else {
            (centre - half_width).max(0.0)
        },
        if k == n {
            1.0
        } else {
            (centre + half_width).min(1.0)
        },
    )
}

/// The exact interval of Clopper and Pearson (1934, doi:10.1093/biomet/26.4.404), where a
/// protocol asks for guaranteed coverage. `None` as [`wilson`].
pub fn clopper_pearson(k: u64, n: u64, level: f64) -> Option<Interval> {
    if n == 0 || k > n || !(level > 0.0 && level < 1.0) {
        return None;
    }
    let tail = 0.5 - level / 2.0;
    let lower = if k == 0 {
        0.0
    } else {
        beta_quantile(tail, count(k), count(n - k + 1))?
    };
    let upper = if k == n {
        1.0
    } else {
        beta_quantile(1.0 - tail, count(k + 1), count(n - k))?
    };
    Interval::new(lower, upper)
}

/// A difference of two proportions.
#[derive(Clone, Copy, Debug, PartialEq)]
pub struct Difference {
    /// First proportion minus second, in `[-1, 1]`.
    pub difference: f64,
    /// Its interval.
    pub interval: Interval,
}

/// Newcombe's hybrid score interval (1998, method 10,
/// doi:10.1002/(SICI)1097-0258(19980430)17:8<873::AID-SIM779>3.0.CO;2-I) for
/// `k1 / n1 - k2 / n2` of two independent samples. `None` as [`wilson`] for either sample.
pub fn newcombe_difference(k1: u64, n1: u64, k2: u64, n2: u64, level: f64) -> Option<Difference> {
    let (first, second) = (wilson(k1, n1, level)?, wilson(k2, n2, level)?);
    let (p1, p2) = (count(k1) / count(n1), count(k2) / count(n2));
    let difference = p1 - p2;
    let down = libm::hypot(p1 - first.lower, second.upper - p2);
    let up = libm::hypot(first.upper - p1, p2 - second.lower);
    let interval = Interval::new(difference - down, difference + up)?.clamp(-1.0, 1.0);
    Some(Difference {
        difference,
        interval,
    })
}

/// What can be said about a proportion whose rows repeat patients.
#[derive(Clone, Copy, Debug, Eq, PartialEq)]
pub enum ClusteredStatus {
    /// Estimate, standard error and interval are defined.
    Estimated,
    /// No row.
    Empty,
    /// All rows belong to one patient: no standard error.
    SinglePatient,
    /// The proportion is 0 or 1: the linearised standard error is 0 and gives no interval.
    AtBoundary,
    /// Residuals cancel within every patient: the standard error is 0 and gives no interval.
    ZeroVariance,
}

/// A proportion of rows with a standard error that takes patients as the sampled units.
#[derive(Clone, Copy, Debug, PartialEq)]
pub struct ClusteredProportion {
    /// What is defined.
    pub status: ClusteredStatus,
    /// Rows counted.
    pub hits: u64,
    /// All rows.
    pub rows: u64,
    /// Distinct patients among the rows.
    pub patients: u64,
    /// `hits / rows`; `None` without rows.
    pub estimate: Option<f64>,
    /// Linearised standard error; `None` below two patients.
    pub standard_error: Option<f64>,
    /// Interval on the logit scale carried back; `None` unless `Estimated`.
    pub interval: Option<Interval>,
}

/// A proportion of rows where patients repeat.
///
/// `hit` and `patient` have one entry per row of the denominator (for a sensitivity: per
/// event row). The estimator is the ratio of patient totals `sum y_i / sum m_i`; its variance
/// is that of the linearised ratio with patients as clusters,
/// `I / (I - 1) sum (y_i - p m_i)^2 / (sum m_i)^2` (Rao and Scott 1992,
/// doi:10.2307/2532311, without their rescaling of counts); the interval is normal on the
/// logit scale. With one row per patient the variance is `p (1 - p) / (n - 1)`.
///
/// Rows beyond the shorter of the two columns are not read.
pub fn clustered(hit: &[bool], patient: &[u32], level: f64) -> ClusteredProportion {
    let mut totals: BTreeMap<u32, (u64, u64)> = BTreeMap::new();
    for (hit, patient) in hit.iter().zip(patient) {
        let total = totals.entry(*patient).or_default();
        total.0 += u64::from(*hit);
        total.1 += 1;
    }
    let hits = totals.values().map(|t| t.0).sum();
    let rows = totals.values().map(|t| t.1).sum();
    let patients = totals.len() as u64;
    let mut result = ClusteredProportion {
        status: ClusteredStatus::Empty,
        hits,
        rows,
        patients,
        estimate: None,
        standard_error: None,
        interval: None,
    };
    if rows == 0 {
        return result;
    }
    let share = count(hits) / count(rows);
    result.estimate = Some(share);
    if patients < 2 {
        result.status = ClusteredStatus::SinglePatient;
        return result;
    }
    let squares = sum_iter(totals.values().map(|(y, m)| {
        let residual = count(*y) - share * count(*m);
        residual * residual
    }));
    let spread = count(patients) / count(patients - 1);
    let standard_error = (spread * squares).sqrt() / count(rows);
    result.standard_error = Some(standard_error);
    result.status = if hits == 0 || hits == rows {
        ClusteredStatus::AtBoundary
    } else if standard_error > 0.0 {
        ClusteredStatus::Estimated
    } else {
        ClusteredStatus::ZeroVariance
    };
    if result.status == ClusteredStatus::Estimated {
        result.interval = logit_interval(share, standard_error, level);
    }
    result
}

/// The normal interval of a proportion on the logit scale, carried back. `None` unless
/// `0 < estimate < 1`, the standard error is positive and the level usable.
pub fn logit_interval(estimate: f64, standard_error: f64, level: f64) -> Option<Interval> {
    if !(standard_error > 0.0 && standard_error.is_finite()) {
        return None;
    }
    let centre = logit(estimate)?;
    let half_width = normal_critical(level)? * standard_error / (estimate * (1.0 - estimate));
    Interval::around(centre, half_width)?.map(|x| inverse_logit(x).unwrap_or(f64::NAN))
}

/// The logit of `k` among `n` and its variance `1 / k + 1 / (n - k)`, for pooling. Where every
/// case or none counts, one half is added to both cells of this site alone (metafor's
/// `escalc(measure = "PLO", add = 0.5, to = "only0")`; Sweeting, Sutton and Lambert 2004,
/// doi:10.1002/sim.1761). `None` for `n = 0` or `k > n`.
pub fn logit_with_correction(k: u64, n: u64) -> Option<(f64, f64)> {
    let rest = n.checked_sub(k)?;
    if n == 0 {
        return None;
    }
    let extra = if k == 0 || rest == 0 { 0.5 } else { 0.0 };
    let (k, rest) = (count(k) + extra, count(rest) + extra);
    Some((libm::log(k / rest), 1.0 / k + 1.0 / rest))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn one_row_per_patient_is_the_textbook_variance() {
        let hit: Vec<bool> = (0..40).map(|i| i % 4 == 0).collect();
        let patient: Vec<u32> = (0..40).collect();
        let got = clustered(&hit, &patient, 0.95);
        let expected = (0.25 * 0.75 / 39.0_f64).sqrt();
        assert!((got.standard_error.unwrap() - expected).abs() < 1e-15);
        assert_eq!(got.status, ClusteredStatus::Estimated);
        assert!(got.interval.unwrap().contains(0.25));
    }

    #[test]
    fn repeated_rows_do_not_add_information() {
        let hit: Vec<bool> = (0..40).map(|i| i % 4 == 0).collect();
        let patient: Vec<u32> = (0..40).collect();
        let once = clustered(&hit, &patient, 0.95);
        let thrice = clustered(
            &[&hit[..], &hit, &hit].concat(),
            &[&patient[..], &patient, &patient].concat(),
            0.95,
        );
        assert!((once.standard_error.unwrap() - thrice.standard_error.unwrap()).abs() < 1e-15);
        assert_eq!(thrice.rows, 120);
    }

    #[test]
    fn degenerate_proportions_have_a_status() {
        let status = |hit: &[bool], patient: &[u32]| clustered(hit, patient, 0.95).status;
        assert_eq!(status(&[], &[]), ClusteredStatus::Empty);
        assert_eq!(
            status(&[true, false], &[7, 7]),
            ClusteredStatus::SinglePatient
        );
        assert_eq!(status(&[true, true], &[7, 8]), ClusteredStatus::AtBoundary);
        assert_eq!(
            status(&[true, false, true, false], &[7, 7, 8, 8]),
            ClusteredStatus::ZeroVariance
        );
        assert_eq!(wilson(0, 0, 0.95), None);
        assert_eq!(wilson(2, 1, 0.95), None);
        assert_eq!(clopper_pearson(1, 2, 1.0), None);
        assert_eq!(newcombe_difference(1, 2, 0, 0, 0.95), None);
    }

    #[test]
    fn exact_limits_have_the_tails_they_promise() {
        use crate::numeric::distribution::{binomial_cdf, binomial_sf};
        for (k, n) in [(1, 30), (8, 123), (500, 1000)] {
            let limits = clopper_pearson(k, n, 0.95).unwrap();
            assert!((binomial_sf(k - 1, n, limits.lower).unwrap() - 0.025).abs() < 1e-10);
            assert!((binomial_cdf(k, n, limits.upper).unwrap() - 0.025).abs() < 1e-10);
        }
    }
}
