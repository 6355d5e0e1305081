//! Sample size for the external validation of a model with a binary outcome in one population,
//! after Riley, Debray, Collins et al. (2021, doi:10.1002/sim.9025).
//!
//! Each criterion asks for the number of patients at which the interval of one measure is as
//! narrow as wished; the largest of them is the sample size. Widths are those of the whole
//! interval, from end to end.
//!
//! The slope needs the distribution of the linear predictor. Where only prevalence and AUC are
//! guessed, the calibrated binormal one is taken: the linear predictor of events and non-events
//! is normal with the same variance, so that `AUC = Phi(sd / sqrt 2)`, and its log odds are
//! true.
//!
//! From: `fedval study power`.
//! To: numbers of patients.

use super::super::Interval;
use super::super::distribution::{inverse_logit, logit, normal_critical, normal_quantile};
use super::super::sum::{Neumaier, count};
use super::{PATIENTS_MAX, patients, share, smallest};

/// Points of the numerical integral over the linear predictor; with this step the sum is exact
/// to the last digits, as the integrand and all its derivatives vanish at both ends.
const POINTS: u32 = 20_000;
/// The integral runs over this many standard deviations to each side.
const SPAN: f64 = 8.0;

/// Standard error of `log(O:E)` with `n` patients: `sqrt((1 - prevalence) / (prevalence n))`.
pub fn log_oe_standard_error(n: u64, prevalence: f64) -> Option<f64> {
    let prevalence = share(prevalence)?;
    (n > 0).then(|| ((1.0 - prevalence) / (prevalence * count(n))).sqrt())
}

/// The interval of O:E to expect from `n` patients of a calibrated model.
pub fn oe_interval(n: u64, prevalence: f64, level: f64) -> Option<Interval> {
    let standard_error = log_oe_standard_error(n, prevalence)?;
    Interval::around(0.0, normal_critical(level)? * standard_error)?.map(libm::exp)
}

/// Patients for an interval of `log(O:E)` that is `width` wide.
pub fn oe_size(prevalence: f64, width: f64, level: f64) -> Option<u64> {
    let standard_error = standard_error(width, level)?;
    let prevalence = share(prevalence)?;
    patients((1.0 - prevalence) / (prevalence * standard_error * standard_error))
}

/// Standard error of an AUC with `n` patients, after Newcombe (2006, method 4,
/// doi:10.1002/sim.2324), as Riley uses it.
pub fn auc_standard_error(n: u64, prevalence: f64, auc: f64) -> Option<f64> {
    let (prevalence, auc, n) = (share(prevalence)?, share(auc)?, count(n));
    let half = n / 2.0 - 1.0;
    let spread = 1.0 + half * (1.0 - auc) / (2.0 - auc) + half * auc / (1.0 + auc);
    let variance = auc * (1.0 - auc) * spread / (n * n * prevalence * (1.0 - prevalence));
    (n >= 2.0 && variance > 0.0).then(|| variance.sqrt())
}

/// Patients for an interval of the AUC that is `width` wide.
pub fn auc_size(prevalence: f64, auc: f64, width: f64, level: f64) -> Option<u64> {
    let wished = standard_error(width, level)?;
    smallest(2, PATIENTS_MAX, |n| {
        auc_standard_error(n, prevalence, auc).is_some_and(|found| found <= wished)
    })
}

/// A guess at the distribution of the linear predictor.
#[derive(Clone, Copy, Debug, PartialEq)]
pub enum Predictor {
    /// Normal over all patients.
    Normal {
        /// Mean, on the log odds.
        mean: f64,
        /// Standard deviation, positive.
        sd: f64,
    },
    /// Calibrated, normal with equal variance in events and in non-events.
    Binormal {
        /// Share of events, in (0, 1).
        prevalence: f64,
        /// AUC, in (0.5, 1).
        auc: f64,
    },
}

/// Fisher's information of one patient about intercept and slope of the calibration model, at
/// intercept 0 and slope 1.
#[derive(Clone, Copy, Debug, PartialEq)]
pub struct UnitInformation {
    /// Mean of `p (1 - p)`.
    pub intercept: f64,
    /// Mean of `p (1 - p) lp`.
    pub cross: f64,
    /// Mean of `p (1 - p) lp^2`.
    pub slope: f64,
}

impl Predictor {
    /// Its information; `None` if a parameter is out of range.
    pub fn unit_information(self) -> Option<UnitInformation> {
        match self {
            Self::Normal { mean, sd } => normal_information(mean, sd),
            Self::Binormal { prevalence, auc } => {
                let prevalence = share(prevalence)?;
                if !(auc > 0.5 && auc < 1.0) {
                    return None;
                }
                let sd = core::f64::consts::SQRT_2 * normal_quantile(auc)?;
                let (centre, step) = (logit(prevalence)?, sd * sd / 2.0);
                let events = normal_information(centre + step, sd)?;
                let others = normal_information(centre - step, sd)?;
                let mix = |a: f64, b: f64| prevalence * a + (1.0 - prevalence) * b;
                Some(UnitInformation {
                    intercept: mix(events.intercept, others.intercept),
                    cross: mix(events.cross, others.cross),
                    slope: mix(events.slope, others.slope),
                })
            }
        }
    }
}

fn normal_information(mean: f64, sd: f64) -> Option<UnitInformation> {
    if !(mean.is_finite() && sd > 0.0 && sd.is_finite()) {
        return None;
    }
    let step = 2.0 * SPAN / f64::from(POINTS);
    let mut sums = [Neumaier::default(); 4];
    for point in 0..=POINTS {
        let z = -SPAN + step * f64::from(point);
        let weight = libm::exp(-z * z / 2.0);
        let predictor = mean + sd * z;
        let p = inverse_logit(predictor)?;
        let v = weight * p * (1.0 - p);
        let terms = [weight, v, v * predictor, v * predictor * predictor];
        for (sum, term) in sums.iter_mut().zip(terms) {
            sum.add(term);
        }
    }
    let [all, intercept, cross, slope] = sums.map(Neumaier::total);
    Some(UnitInformation {
        intercept: intercept / all,
        cross: cross / all,
        slope: slope / all,
    })
}

impl UnitInformation {
    /// Variance of the slope from one patient; `None` if the information is singular.
    fn slope_variance(self) -> Option<f64> {
        let determinant = self.intercept * self.slope - self.cross * self.cross;
        (determinant > 0.0).then(|| self.intercept / determinant)
    }

    /// Standard error of the calibration slope with `n` patients.
    pub fn slope_standard_error(self, n: u64) -> Option<f64> {
        let variance = self.slope_variance()? / count(n);
        (n > 0).then(|| variance.sqrt())
    }

    /// Patients for an interval of the calibration slope that is `width` wide.
    pub fn slope_size(self, width: f64, level: f64) -> Option<u64> {
        let standard_error = standard_error(width, level)?;
        patients(self.slope_variance()? / (standard_error * standard_error))
    }
}

/// What a threshold is expected to do.
#[derive(Clone, Copy, Debug, PartialEq)]
pub struct Operating {
    /// Share of events, in (0, 1).
    pub prevalence: f64,
    /// The threshold, in (0, 1).
    pub threshold: f64,
    /// Expected sensitivity, in [0, 1].
    pub sensitivity: f64,
    /// Expected specificity, in [0, 1].
    pub specificity: f64,
}

impl Operating {
    /// The operating point of the calibrated binormal model with this AUC.
    pub fn binormal(prevalence: f64, auc: f64, threshold: f64) -> Option<Self> {
        let (prior, wished) = (logit(prevalence)?, logit(threshold)?);
        if !(auc > 0.5 && auc < 1.0) {
            return None;
        }
        let sd = core::f64::consts::SQRT_2 * normal_quantile(auc)?;
        let beyond = |mean: f64| super::super::distribution::normal_sf((wished - mean) / sd);
        Some(Self {
            prevalence,
            threshold,
            sensitivity: beyond(prior + sd * sd / 2.0)?,
            specificity: 1.0 - beyond(prior - sd * sd / 2.0)?,
        })
    }

    /// Net benefit over prevalence, `sensitivity - (1 - specificity) w`, where `w` is the odds
    /// of the threshold over those of the prevalence.
    pub fn standardised_net_benefit(self) -> Option<f64> {
        Some(self.sensitivity - (1.0 - self.specificity) * self.weight()?)
    }

    fn weight(self) -> Option<f64> {
        let (prevalence, threshold) = (share(self.prevalence)?, share(self.threshold)?);
        let range = 0.0..=1.0;
        if !(range.contains(&self.sensitivity) && range.contains(&self.specificity)) {
            return None;
        }
        Some((1.0 - prevalence) / prevalence * threshold / (1.0 - threshold))
    }

    /// Variance of the standardised net benefit from one patient.
    fn variance(self) -> Option<f64> {
        let w = self.weight()?;
        let (events, miss) = (self.prevalence, 1.0 - self.specificity);
        let others = 1.0 - events;
        Some(
            self.sensitivity * (1.0 - self.sensitivity) / events
                + w * w * self.specificity * miss / others
                + w * w * miss * miss / (events * others),
        )
    }

    /// Standard error of the standardised net benefit with `n` patients.
    pub fn net_benefit_standard_error(self, n: u64) -> Option<f64> {
        let variance = self.variance()? / count(n);
        (n > 0).then(|| variance.sqrt())
    }

    /// Patients for an interval of the standardised net benefit that is `width` wide.
    pub fn net_benefit_size(self, width: f64, level: f64) -> Option<u64> {
        let standard_error = standard_error(width, level)?;
        patients(self.variance()? / (standard_error * standard_error))
    }
}

/// The standard error of an interval that is `width` wide from end to end.
fn standard_error(width: f64, level: f64) -> Option<f64> {
    let critical = normal_critical(level)?;
    (width > 0.0 && width.is_finite()).then(|| width / (2.0 * critical))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_three_sizes_of_the_reference() {
        assert_eq!(oe_size(0.43, 0.2, 0.95), Some(510));
        assert_eq!(auc_size(0.43, 0.8, 0.1, 0.95), Some(308));
        let predictor = Predictor::Normal {
            mean: -0.32,
            sd: 1.25,
        };
        let information = predictor.unit_information().unwrap();
        assert!((information.intercept - 0.188_793_619_231_587_94).abs() < 1e-12);
        assert_eq!(information.slope_size(0.2, 0.95), Some(2141));
    }

    #[test]
    fn net_benefit_follows_its_delta_method() {
        // The variance by differentiating sens - (1 - spec) odds (1 - pi) / pi numerically.
        let point = Operating {
            prevalence: 0.2,
            threshold: 0.1,
            sensitivity: 0.9,
            specificity: 0.6,
        };
        let at = |prevalence: f64, sensitivity: f64, specificity: f64| {
            Operating {
                prevalence,
                sensitivity,
                specificity,
                ..point
            }
            .standardised_net_benefit()
            .unwrap()
        };
        let h = 1e-6;
        let d_prevalence = (at(0.2 + h, 0.9, 0.6) - at(0.2 - h, 0.9, 0.6)) / (2.0 * h);
        let d_specificity = (at(0.2, 0.9, 0.6 + h) - at(0.2, 0.9, 0.6 - h)) / (2.0 * h);
        let expected = 0.9 * 0.1 / 0.2
            + d_specificity * d_specificity * 0.6 * 0.4 / 0.8
            + d_prevalence * d_prevalence * 0.2 * 0.8;
        let got = point.net_benefit_standard_error(100).unwrap();
        assert!((got * got * 100.0 - expected).abs() < 1e-6 * expected);
        let n = point.net_benefit_size(0.2, 0.95).unwrap();
        let width = |n: u64| 2.0 * 1.96 * point.net_benefit_standard_error(n).unwrap();
        assert!(width(n) <= 0.2001 && width(n - 2) > 0.2);
    }

    #[test]
    fn the_binormal_guess_is_calibrated() {
        // Half the thresholds' odds: at a threshold t the next patient above it has risk t,
        // so d(sens) prevalence / d(1 - spec) (1 - prevalence) equals the odds of t.
        let at = |t: f64| Operating::binormal(0.3, 0.8, t).unwrap();
        let (low, high) = (at(0.399_99), at(0.400_01));
        let events = 0.3 * (low.sensitivity - high.sensitivity);
        let others = 0.7 * (high.specificity - low.specificity);
        assert!((events / (events + others) - 0.4).abs() < 1e-6);
    }

    #[test]
    fn nonsense_gives_nothing() {
        assert_eq!(oe_size(0.0, 0.2, 0.95), None);
        assert_eq!(oe_size(0.4, 0.0, 0.95), None);
        assert_eq!(oe_size(0.4, 0.2, 1.0), None);
        assert_eq!(auc_size(0.4, 1.0, 0.1, 0.95), None);
        assert_eq!(auc_size(0.4, 0.8, f64::NAN, 0.95), None);
        assert_eq!(auc_size(0.4, 0.8, 1e-9, 0.95), None, "beyond every study");
        let flat = Predictor::Normal { mean: 0.0, sd: 0.0 };
        assert_eq!(flat.unit_information(), None);
        assert_eq!(Operating::binormal(0.3, 0.5, 0.2), None);
        assert_eq!(log_oe_standard_error(0, 0.3), None);
    }
}
