//! Differential privacy, where a site's policy asks for it: which noise, how much, and what is
//! said of it in a release. Only the score histogram of each class leaves then, with noise on
//! every count; nothing exact leaves beside it.
//!
//! Neighbours are tables that differ by all rows of one patient. A patient adds at most
//! `rows_per_patient` to one count of each histogram. With `h` histograms the counts together
//! change by at most `rows_per_patient * h` (sum of absolute changes), so discrete Laplace noise of
//! scale `rows_per_patient * h / epsilon` on each count is `epsilon`-private for the release
//! (Ghosh, Roughgarden and Sundararajan 2012, doi:10.1137/09076828X). Discrete Gaussian noise of
//! parameter `sigma` is `s^2 / (2 sigma^2)`-concentrated for Euclidean change `s` (Canonne, Kamath
//! and Steinke 2020, arXiv:2004.00010, theorem 14), and `rho`-concentrated implies
//! `(rho + 2 sqrt(rho ln(1 / delta)), delta)` (Bun and Steinke 2016, arXiv:1605.02065,
//! proposition 1.3).
//!
//! From: `policy`.
//! To: `review`, `document`, `pool::noisy`; `node::noise` draws.

mod amount;
mod counts;

use schemars::JsonSchema;
use serde::{Deserialize, Serialize};

pub use amount::{Amount, InvalidAmount, Scale};
pub use counts::{Counted, Noisy, NoisyHistogram, groups, histograms};

use crate::numeric::noise::{Spread, gaussian, laplace};

/// Parts of one into which the parameter of the discrete Gaussian is rounded up.
const SIGMA_PARTS: f64 = 1024.0;

/// How noise is distributed over the integers.
#[derive(Clone, Copy, Debug, Eq, PartialEq, Serialize, Deserialize, JsonSchema)]
#[serde(rename_all = "kebab-case")]
pub enum Mechanism {
    /// Two-sided geometric: pure differential privacy.
    DiscreteLaplace,
    /// Discrete Gaussian: approximate differential privacy, with a delta.
    DiscreteGaussian,
}

impl Mechanism {
    /// The word in policies and reports.
    pub fn as_str(self) -> &'static str {
        match self {
            Self::DiscreteLaplace => "discrete-laplace",
            Self::DiscreteGaussian => "discrete-gaussian",
        }
    }
}

/// The section `[differential_privacy]` of a policy file.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct NoisePlan {
    /// The distribution.
    pub mechanism: Mechanism,
    /// What one release spends of the budget.
    pub epsilon_per_release: Amount,
    /// What may ever be spent on a patient.
    #[serde(default = "three")]
    pub epsilon_budget: Amount,
    /// The delta of one release, of the discrete Gaussian only.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub delta: Option<Amount>,
    /// Rows of one patient that are counted; further ones are left out.
    #[serde(default = "one")]
    pub rows_per_patient: u32,
    /// Blocks of the prediction grid that are counted, beside the thresholds of the protocol.
    #[serde(default = "blocks")]
    pub blocks: u32,
}

/// Most that one release may spend.
pub const MOST_PER_RELEASE: Amount = Amount::ONE;
/// Most that a budget may be.
const MOST_BUDGET: u64 = 10;
/// Largest delta of one release: a smaller one than one patient in a million.
const MOST_DELTA: u64 = 1_000_000;

fn three() -> Amount {
    Amount::of_units(3 * Amount::ONE.units())
}

fn one() -> u32 {
    1
}

fn blocks() -> u32 {
    32
}

impl NoisePlan {
    /// The key that is out of its range, its value, and the range.
    ///
    /// # Errors
    /// The first such key.
    pub fn check(&self) -> Result<(), (&'static str, String, &'static str)> {
        let epsilon = self.epsilon_per_release;
        if epsilon == Amount::ZERO || epsilon > MOST_PER_RELEASE {
            let rule = "it must lie above 0 and not above 1";
            return Err(("epsilon_per_release", epsilon.to_string(), rule));
        }
        let most = Amount::of_units(MOST_BUDGET * Amount::ONE.units());
        if self.epsilon_budget < epsilon || self.epsilon_budget > most {
            let rule = "it must lie between epsilon_per_release and 10";
            return Err(("epsilon_budget", self.epsilon_budget.to_string(), rule));
        }
        let largest = Amount::of_units(MOST_DELTA);
        match (self.mechanism, self.delta) {
            (Mechanism::DiscreteLaplace, None) => {}
            (Mechanism::DiscreteLaplace, Some(delta)) => {
                let rule = "only discrete-gaussian has one";
                return Err(("delta", delta.to_string(), rule));
            }
            (Mechanism::DiscreteGaussian, Some(delta))
                if delta > Amount::ZERO && delta <= largest => {}
            (Mechanism::DiscreteGaussian, delta) => {
                let given = delta.map_or_else(|| "absent".to_owned(), |delta| delta.to_string());
                let rule = "discrete-gaussian needs one above 0 and not above 0.000001";
                return Err(("delta", given, rule));
            }
        }
        if !(1..=100).contains(&self.rows_per_patient) {
            let given = self.rows_per_patient.to_string();
            return Err(("rows_per_patient", given, "it must lie between 1 and 100"));
        }
        if !(2..=256).contains(&self.blocks) {
            let given = self.blocks.to_string();
            return Err(("blocks", given, "it must lie between 2 and 256"));
        }
        Ok(())
    }

    /// The noise of a release with so many histograms; `None` for none, or for more than make sense.
    pub fn stamp(&self, histograms: u64) -> Option<NoiseStamp> {
        if !(1..=1000).contains(&histograms) {
            return None;
        }
        let rows = u64::from(self.rows_per_patient);
        let scale = match self.mechanism {
            Mechanism::DiscreteLaplace => {
                let change = rows.checked_mul(histograms)?;
                let units = change.checked_mul(Amount::ONE.units())?;
                Scale::of(units, self.epsilon_per_release.units())?
            }
            Mechanism::DiscreteGaussian => self.sigma(rows, histograms)?,
        };
        Some(NoiseStamp {
            mechanism: self.mechanism,
            epsilon: self.epsilon_per_release,
            delta: self.delta,
            scale,
            rows_per_patient: self.rows_per_patient,
            blocks: self.blocks,
        })
    }

    /// The parameter of the discrete Gaussian, rounded up.
    #[allow(
        clippy::cast_precision_loss,
        clippy::cast_possible_truncation,
        clippy::cast_sign_loss,
        reason = "positive and far below 2^53; rounded up by more than its error"
    )]
    fn sigma(&self, rows: u64, histograms: u64) -> Option<Scale> {
        let log = -libm::log(self.delta?.to_f64());
        let epsilon = self.epsilon_per_release.to_f64();
        // The root of rho, from rho + 2 sqrt(rho log) = epsilon, without cancellation.
        let root = epsilon / (libm::sqrt(log + epsilon) + libm::sqrt(log));
        let change = rows as f64 * libm::sqrt(histograms as f64);
        let sigma = change / (std::f64::consts::SQRT_2 * root);
        if !(sigma.is_finite() && sigma < 1e9) {
            return None;
        }
        let parts = libm::floor(sigma * SIGMA_PARTS) as u64 + 1;
        Scale::of(parts, SIGMA_PARTS as u64)
    }
}

/// What a release says of its noise. Everything here follows from policy and protocol, nothing
/// from data.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields)]
pub struct NoiseStamp {
    /// The distribution.
    pub mechanism: Mechanism,
    /// What the release spent: neighbours are tables that differ by one patient.
    pub epsilon: Amount,
    /// The delta of the discrete Gaussian.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub delta: Option<Amount>,
    /// Scale of the discrete Laplace (noise x has weight exp(-|x| / scale)), or sigma of the
    /// discrete Gaussian (exp(-x^2 / (2 sigma^2))), of every count.
    pub scale: Scale,
    /// Rows of one patient that are counted.
    pub rows_per_patient: u32,
    /// Blocks of the grid, beside the protocol's thresholds.
    pub blocks: u32,
}

impl NoiseStamp {
    /// Variance and expected absolute value of the noise of one count.
    pub fn spread(&self) -> Spread {
        let scale = self.scale.to_f64();
        match self.mechanism {
            Mechanism::DiscreteLaplace => laplace(scale),
            Mechanism::DiscreteGaussian => gaussian(scale),
        }
    }

    /// One line for people: `discrete-laplace noise of scale 2, epsilon 1`.
    pub fn words(&self) -> String {
        let delta = self
            .delta
            .map_or_else(String::new, |delta| format!(", delta {delta}"));
        format!(
            "{} noise of scale {}, epsilon {}{delta}",
            self.mechanism.as_str(),
            self.scale,
            self.epsilon
        )
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn plan() -> NoisePlan {
        NoisePlan {
            mechanism: Mechanism::DiscreteLaplace,
            epsilon_per_release: "0.5".parse().unwrap(),
            epsilon_budget: "3".parse().unwrap(),
            delta: None,
            rows_per_patient: 1,
            blocks: 32,
        }
    }

    #[test]
    fn scales_follow_what_a_patient_can_change() {
        // Two histograms: a patient stands in one count of each.
        assert_eq!(plan().stamp(2).unwrap().scale.to_string(), "4");
        let thrice = NoisePlan {
            rows_per_patient: 3,
            epsilon_per_release: "0.9".parse().unwrap(),
            ..plan()
        };
        assert_eq!(thrice.stamp(2).unwrap().scale.to_string(), "20/3");
        assert_eq!(plan().stamp(0), None);
        let normal = NoisePlan {
            mechanism: Mechanism::DiscreteGaussian,
            epsilon_per_release: "1".parse().unwrap(),
            delta: Some("0.000001".parse().unwrap()),
            ..plan()
        };
        let stamp = normal.stamp(1).unwrap();
        // The loss that follows from sigma is the policy's or a little less.
        let (sigma, log) = (stamp.scale.to_f64(), -libm::log(1e-6));
        let rho = 0.5 / (sigma * sigma);
        let epsilon = rho + 2.0 * libm::sqrt(rho * log);
        assert!(epsilon <= 1.0 && epsilon > 0.999, "{epsilon}");
        // Four histograms change the Euclidean length by two.
        let four = normal.stamp(4).unwrap().scale.to_f64();
        assert!((four / sigma - 2.0).abs() < 1e-3);
    }

    #[test]
    fn plans_out_of_range_are_refused() {
        assert_eq!(plan().check(), Ok(()));
        let amount = |text: &str| text.parse::<Amount>().unwrap();
        let gaussian = |delta: Option<&str>| NoisePlan {
            mechanism: Mechanism::DiscreteGaussian,
            delta: delta.map(amount),
            ..plan()
        };
        assert_eq!(gaussian(Some("0.000001")).check(), Ok(()));
        for (bad, key) in [
            (
                NoisePlan {
                    epsilon_per_release: Amount::ZERO,
                    ..plan()
                },
                "epsilon_per_release",
            ),
            (
                NoisePlan {
                    epsilon_per_release: amount("1.000000000001"),
                    ..plan()
                },
                "epsilon_per_release",
            ),
            (
                NoisePlan {
                    epsilon_budget: amount("0.4"),
                    ..plan()
                },
                "epsilon_budget",
            ),
            (
                NoisePlan {
                    epsilon_budget: amount("11"),
                    ..plan()
                },
                "epsilon_budget",
            ),
            (
                NoisePlan {
                    delta: Some(amount("0.000001")),
                    ..plan()
                },
                "delta",
            ),
            (gaussian(None), "delta"),
            (gaussian(Some("0")), "delta"),
            (gaussian(Some("0.00001")), "delta"),
            (
                NoisePlan {
                    rows_per_patient: 0,
                    ..plan()
                },
                "rows_per_patient",
            ),
            (
                NoisePlan {
                    blocks: 1,
                    ..plan()
                },
                "blocks",
            ),
        ] {
            assert_eq!(bad.check().map_err(|found| found.0), Err(key));
        }
    }
}
