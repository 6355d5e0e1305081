//! What several hospitals can show: each has its own true AUC, so patients alone never make
//! the pooled interval narrow.
//!
//! The logits of the true AUCs are normal around their mean with standard deviation `spread`
//! (tau); hospital estimates scatter around them with Newcombe's variance. With `k` hospitals of
//! equal size the standard error of the mean is `sqrt((tau^2 + v) / k)`; its interval uses
//! `t(k - 1)` and the prediction interval `t(k - 2)` (decision C5), as the report does.
//!
//! The standard error is estimated from the `k` estimates, so its square is taken as
//! chi-squared with `k - 1` degrees of freedom over `k - 1`; the chance that a limit passes a
//! bound is then a tail of the noncentral t law. That is exact for the unguarded HKSJ interval
//! of hospitals of equal size and, as a test by simulation shows, close for the guarded one
//! unless the hospitals are alike (then the true chance is lower). The expected limits printed
//! are those at the true standard error.
//!
//! From: `fedval study power`.
//! To: plain numbers.

use super::super::Interval;
use super::super::distribution::{inverse_logit, logit, normal_critical, t_critical};
use super::super::sum::count;
use super::external::auc_standard_error;
use super::power::noncentral_t_sf;
use super::{PATIENTS_MAX, share, smallest};

/// Most hospitals that a search considers.
pub const SITES_MAX: u64 = 1000;

/// What an answer is about.
#[derive(Clone, Copy, Debug, Eq, PartialEq)]
pub enum Aim {
    /// The mean over hospitals, by its confidence interval.
    Mean,
    /// The next hospital, by the prediction interval.
    NextSite,
}

/// A guess at a study of several hospitals.
#[derive(Clone, Copy, Debug, PartialEq)]
pub struct Network {
    /// AUC of the typical hospital, in (0, 1).
    pub auc: f64,
    /// Standard deviation of the true logit AUC between hospitals, at least 0.
    pub spread: f64,
    /// Share of events, in (0, 1).
    pub prevalence: f64,
    /// Hospitals, at least 1.
    pub sites: u64,
    /// Patients of each hospital, at least 2.
    pub patients: u64,
    /// Confidence level of every interval.
    pub level: f64,
}

/// The intervals such a study can be expected to print, on the scale of the AUC.
#[derive(Clone, Copy, Debug, PartialEq)]
pub struct Expected {
    /// Where the true AUC of the share `level` of all hospitals lies.
    pub hospitals: Interval,
    /// One hospital's own interval.
    pub site: Interval,
    /// The interval of the mean; `None` for a single hospital.
    pub mean: Option<Interval>,
    /// The prediction interval for the next hospital; `None` below three.
    pub next_site: Option<Interval>,
}

/// A standard deviation of the AUC itself as one of its logit, by the slope of the logit.
pub fn spread_on_logit(auc: f64, spread: f64) -> Option<f64> {
    let auc = share(auc)?;
    (spread >= 0.0 && spread.is_finite()).then(|| spread / (auc * (1.0 - auc)))
}

impl Network {
    /// Logit of the AUC, variance of one hospital's estimate of its own logit, and variance of
    /// an estimate around the mean of hospitals.
    fn scales(&self) -> Option<(f64, f64, f64)> {
        let centre = logit(self.auc)?;
        if !(self.spread >= 0.0 && self.spread.is_finite()) || self.sites == 0 {
            return None;
        }
        let slope = self.auc * (1.0 - self.auc);
        let within = auc_standard_error(self.patients, self.prevalence, self.auc)? / slope;
        let within = within * within;
        Some((centre, within, within + self.spread * self.spread))
    }

    fn df(&self, lost: u64) -> Option<f64> {
        self.sites.checked_sub(lost).filter(|df| *df > 0).map(count)
    }

    /// The intervals to expect; `None` if a guess is out of range.
    pub fn expected(&self) -> Option<Expected> {
        let (centre, within, total) = self.scales()?;
        let normal = normal_critical(self.level)?;
        let around = |half_width: f64| {
            Interval::around(centre, half_width)?.map(|x| inverse_logit(x).unwrap_or(f64::NAN))
        };
        let mean_variance = total / count(self.sites);
        let predicted = (self.spread * self.spread + mean_variance).sqrt();
        let critical = |lost| t_critical(self.level, self.df(lost)?);
        Some(Expected {
            hospitals: around(normal * self.spread)?,
            site: around(normal * within.sqrt())?,
            mean: critical(1).and_then(|t| around(t * mean_variance.sqrt())),
            next_site: critical(2).and_then(|t| around(t * predicted)),
        })
    }

    /// Chance that the lower limit of the interval that `aim` names lies at or above `bound`.
    pub fn chance(&self, bound: f64, aim: Aim) -> Option<f64> {
        let (centre, _, total) = self.scales()?;
        let standard_error = (total / count(self.sites)).sqrt();
        let distance = (centre - logit(bound)?) / standard_error;
        let reach = match aim {
            Aim::Mean => t_critical(self.level, self.df(1)?)?,
            Aim::NextSite => {
                let square = self.spread * self.spread + standard_error * standard_error;
                t_critical(self.level, self.df(2)?)? * square.sqrt() / standard_error
            }
        };
        noncentral_t_sf(reach, self.df(1)?, distance)
    }

    /// Hospitals of this size for the chance to reach `wished`; `None` if no number does.
    pub fn sites_for_chance(&self, bound: f64, aim: Aim, wished: f64) -> Option<u64> {
        let fewest = match aim {
            Aim::Mean => 2,
            Aim::NextSite => 3,
        };
        smallest(fewest, SITES_MAX, |sites| {
            let chance = Self { sites, ..*self }.chance(bound, aim);
            chance.is_some_and(|found| found >= wished)
        })
    }

    /// Patients per hospital for the chance to reach `wished`; `None` where the spread alone
    /// forbids it.
    pub fn patients_for_chance(&self, bound: f64, aim: Aim, wished: f64) -> Option<u64> {
        smallest(2, PATIENTS_MAX, |patients| {
            let chance = Self { patients, ..*self }.chance(bound, aim);
            chance.is_some_and(|found| found >= wished)
        })
    }

    /// Hospitals of this size for an interval of the mean at most `width` wide on the scale of
    /// the AUC; `None` if no number is enough.
    pub fn sites_for_width(&self, width: f64) -> Option<u64> {
        smallest(2, SITES_MAX, |sites| {
            let mean = Self { sites, ..*self }.expected().and_then(|e| e.mean);
            mean.is_some_and(|interval| interval.upper - interval.lower <= width)
        })
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn network() -> Network {
        Network {
            auc: 0.82,
            spread: 0.3,
            prevalence: 0.3,
            sites: 6,
            patients: 300,
            level: 0.95,
        }
    }

    #[test]
    fn more_patients_cannot_replace_hospitals() {
        let few = network();
        let many = Network {
            patients: 1_000_000,
            ..few
        };
        let half = |n: Network| {
            let mean = n.expected().unwrap().mean.unwrap();
            (logit(mean.upper).unwrap() - logit(mean.lower).unwrap()) / 2.0
        };
        let floor = t_critical(0.95, 5.0).unwrap() * 0.3 / 6.0_f64.sqrt();
        assert!(half(few) > half(many));
        assert!((half(many) - floor).abs() < 1e-4);
        assert_eq!(
            few.patients_for_chance(0.79, Aim::Mean, 0.9),
            None,
            "the spread forbids it"
        );
        assert!(few.sites_for_chance(0.79, Aim::Mean, 0.9).is_some());
    }

    #[test]
    fn the_answers_to_inverse_questions_are_the_smallest() {
        let plan = network();
        for aim in [Aim::Mean, Aim::NextSite] {
            let sites = plan.sites_for_chance(0.6, aim, 0.8).unwrap();
            let at = |sites| Network { sites, ..plan }.chance(0.6, aim);
            assert!(at(sites).unwrap() >= 0.8);
            assert!(at(sites - 1).is_none_or(|chance| chance < 0.8), "{aim:?}");
        }
        let patients = plan.patients_for_chance(0.74, Aim::Mean, 0.8).unwrap();
        let at = |patients| Network { patients, ..plan }.chance(0.74, Aim::Mean);
        assert!(at(patients).unwrap() >= 0.8 && at(patients - 1).unwrap() < 0.8);
        let sites = plan.sites_for_width(0.1).unwrap();
        let width = |sites| {
            let mean = Network { sites, ..plan }.expected().unwrap().mean.unwrap();
            mean.upper - mean.lower
        };
        assert!(width(sites) <= 0.1 && width(sites - 1) > 0.1);
    }

    #[test]
    fn one_hospital_has_no_mean_and_two_no_prediction() {
        let of = |sites| Network { sites, ..network() }.expected().unwrap();
        assert!(of(1).mean.is_none() && of(1).next_site.is_none());
        assert!(of(2).mean.is_some() && of(2).next_site.is_none());
        assert!(of(3).next_site.is_some());
        assert_eq!(
            Network {
                sites: 1,
                ..network()
            }
            .chance(0.7, Aim::Mean),
            None
        );
    }

    #[test]
    fn nonsense_gives_nothing() {
        for bad in [
            Network {
                auc: 1.0,
                ..network()
            },
            Network {
                spread: -1.0,
                ..network()
            },
            Network {
                sites: 0,
                ..network()
            },
            Network {
                patients: 1,
                ..network()
            },
            Network {
                prevalence: 0.0,
                ..network()
            },
            Network {
                level: 1.0,
                ..network()
            },
        ] {
            assert_eq!(bad.expected(), None, "{bad:?}");
        }
        assert_eq!(network().chance(1.0, Aim::Mean), None);
        assert_eq!(spread_on_logit(0.8, -0.1), None);
    }
}
