//! What noise on counts will do, before anything is spent: the expected error of each count and of
//! the AUC of hospitals whose predictions are binormal and calibrated.
//!
//! With classes whose logits are normal and `d` standard deviations apart, calibrated at
//! prevalence `p`, logits have mean `logit(p) -+ d^2 / 2` and standard deviation `d`, where
//! `d = sqrt(2) Phi^-1(AUC)`. Expected counts by block follow, and from them the variance over
//! noise. A normal error of variance `v` has mean absolute value `sqrt(2 v / pi)`.
//!
//! From: `fedval study noise`.
//! To: plain numbers.

use super::super::distribution::{logit, normal_quantile, normal_sf};
use super::super::noise::{Classes, Estimate, Spread};
use super::share;

/// Hospitals of one size.
#[derive(Clone, Copy, Debug, PartialEq)]
pub struct Hospitals {
    /// How many.
    pub sites: f64,
    /// Patients of each.
    pub patients: f64,
    /// Share of events, in (0, 1).
    pub prevalence: f64,
    /// AUC, above 0.5 and below 1.
    pub auc: f64,
}

/// What noise is expected to do.
#[derive(Clone, Copy, Debug, PartialEq)]
pub struct Expected {
    /// Standard deviation of the noise of the total of a class at one hospital.
    pub total: f64,
    /// The AUC of one hospital; absent where a class would drown.
    pub site: Option<Estimate>,
    /// The AUC of all hospitals' counts added; absent likewise.
    pub merged: Option<Estimate>,
}

impl Hospitals {
    /// What noise of `spread` on every count does on a grid with these inner edges, ascending
    /// probabilities; `None` for guesses that have no answer.
    pub fn expected(&self, edges: &[f64], spread: Spread) -> Option<Expected> {
        let classes = self.classes(edges, spread.variance)?;
        let sum = |class: &[f64]| class.iter().map(|count| self.sites * count).collect();
        let merged = Classes {
            events: sum(&classes.events),
            non_events: sum(&classes.non_events),
            variance: self.sites * classes.variance,
        };
        Some(Expected {
            total: classes.total_noise(),
            site: classes.area(),
            merged: merged.area(),
        })
    }

    fn classes(&self, edges: &[f64], variance: f64) -> Option<Classes> {
        let (prevalence, auc) = (share(self.prevalence)?, share(self.auc)?);
        if auc <= 0.5 || !(self.patients >= 1.0 && self.sites >= 1.0) {
            return None;
        }
        let apart = std::f64::consts::SQRT_2 * normal_quantile(auc)?;
        let middle = logit(prevalence)?;
        let class = |mean: f64, cases: f64| -> Option<Vec<f64>> {
            let mut above = 1.0;
            let mut counts = Vec::with_capacity(edges.len() + 1);
            for edge in edges {
                let next = normal_sf((logit(*edge)? - mean) / apart)?;
                counts.push(cases * (above - next));
                above = next;
            }
            counts.push(cases * above);
            Some(counts)
        };
        let half = apart * apart / 2.0;
        Some(Classes {
            events: class(middle + half, self.patients * prevalence)?,
            non_events: class(middle - half, self.patients * (1.0 - prevalence))?,
            variance,
        })
    }
}

/// Mean absolute value of a normal error with this variance.
pub fn mean_absolute(variance: f64) -> f64 {
    libm::sqrt(2.0 * variance / std::f64::consts::PI)
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::numeric::distribution::inverse_logit;
    use crate::numeric::noise::laplace;

    fn grid(blocks: u32) -> Vec<f64> {
        let at = |place: u32| -8.0 + 16.0 * f64::from(place) / f64::from(blocks);
        (1..blocks)
            .filter_map(|place| inverse_logit(at(place)))
            .collect()
    }

    #[test]
    fn expected_counts_have_the_guessed_area_and_sizes() {
        let hospitals = Hospitals {
            sites: 5.0,
            patients: 1000.0,
            prevalence: 0.15,
            auc: 0.85,
        };
        let classes = hospitals.classes(&grid(256), 0.0).unwrap();
        let [events, others] = classes.totals();
        assert!((events - 150.0).abs() < 1e-6 && (others - 850.0).abs() < 1e-6);
        let area = classes.area().unwrap();
        assert!((area.value - 0.85).abs() < 1e-3, "{area:?}");
        let noisy = hospitals.expected(&grid(64), laplace(1.0)).unwrap();
        let (site, merged) = (noisy.site.unwrap(), noisy.merged.unwrap());
        assert!(merged.noise < site.noise / 3.0, "{noisy:?}");
        // More blocks, more noise; less epsilon, more noise.
        let finer = hospitals.expected(&grid(128), laplace(1.0)).unwrap();
        let louder = hospitals.expected(&grid(64), laplace(2.0)).unwrap();
        assert!(finer.site.unwrap().noise > site.noise);
        assert!(louder.site.unwrap().noise > 3.0 * site.noise);
    }

    #[test]
    fn guesses_without_an_answer_have_none() {
        let good = Hospitals {
            sites: 3.0,
            patients: 300.0,
            prevalence: 0.2,
            auc: 0.8,
        };
        for bad in [
            Hospitals {
                prevalence: 0.0,
                ..good
            },
            Hospitals { auc: 0.5, ..good },
            Hospitals { auc: 1.0, ..good },
            Hospitals { sites: 0.0, ..good },
            Hospitals {
                patients: f64::NAN,
                ..good
            },
        ] {
            assert_eq!(bad.expected(&grid(8), laplace(1.0)), None);
        }
        // A rare event at a small hospital drowns, and that is said.
        let small = Hospitals {
            patients: 100.0,
            prevalence: 0.05,
            ..good
        };
        let expected = small.expected(&grid(64), laplace(1.0)).unwrap();
        assert_eq!((expected.site, expected.merged), (None, None));
    }
}
