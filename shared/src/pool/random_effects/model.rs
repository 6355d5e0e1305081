//! The weights, the weighted mean, and the estimators of the between-site variance.
//!
//! From: `random_effects`.
//! To: `random_effects`, `heterogeneity`.

use crate::numeric::distribution::bisect;
use crate::numeric::sum::{Neumaier, count, sum_iter};

/// How the between-site variance is estimated.
#[derive(Clone, Copy, Debug, Eq, PartialEq)]
pub enum Method {
    /// Restricted maximum likelihood; the default.
    Reml,
    /// DerSimonian and Laird's moment estimator.
    DerSimonianLaird,
}

/// Site estimates and their variances.
pub(super) struct Model<'a> {
    pub(super) yi: &'a [f64],
    pub(super) vi: &'a [f64],
}

/// The weighted mean at one between-site variance.
pub(super) struct Fit {
    /// The mean.
    pub(super) mu: f64,
    /// Sum of the weights.
    pub(super) weight: f64,
    /// Sum of weight times squared deviation from the mean.
    pub(super) q: f64,
}

/// What the restricted likelihood's derivatives are made of; `P` is the matrix that takes the
/// weighted mean off.
struct Score {
    /// `y' P P y`.
    quadratic: f64,
    /// Trace of `P`.
    trace: f64,
    /// Trace of `P P`.
    trace2: f64,
}

/// Fisher steps taken before the likelihood is scanned instead; a few dozen are usual.
const MOST_STEPS: usize = 1000;

/// Points of that scan, from a millionth of the smallest variance upward.
const SCAN_POINTS: i32 = 600;

impl Model<'_> {
    pub(super) fn df(&self) -> f64 {
        count(self.yi.len() as u64) - 1.0
    }

    fn weights(&self, tau2: f64) -> impl Iterator<Item = f64> {
        self.vi.iter().map(move |v| 1.0 / (v + tau2))
    }

    pub(super) fn at(&self, tau2: f64) -> Fit {
        let weight = sum_iter(self.weights(tau2));
        // Centred on the first estimate, so that near-equal estimates far from zero keep
        // their digits.
        let origin = self.yi.first().copied().unwrap_or(0.0);
        let shift = sum_iter(
            self.weights(tau2)
                .zip(self.yi)
                .map(|(w, y)| w * (y - origin)),
        ) / weight;
        let mu = origin + shift;
        let q = sum_iter(self.weights(tau2).zip(self.yi).map(|(w, y)| {
            let gap = y - origin - shift;
            w * gap * gap
        }));
        Fit { mu, weight, q }
    }

    pub(super) fn weights_percent(&self, tau2: f64) -> Vec<f64> {
        let total = sum_iter(self.weights(tau2));
        self.weights(tau2).map(|w| 100.0 * w / total).collect()
    }

    /// The typical sampling variance `(k - 1) sum w / ((sum w)^2 - sum w^2)`, `w = 1 / v`.
    pub(super) fn typical_variance(&self) -> f64 {
        self.df() / spread(self.weights(0.0))
    }

    /// The between-site variance; `None` if it does not settle or overflows.
    pub(super) fn tau2(&self, method: Method) -> Option<f64> {
        let tau2 = match method {
            Method::DerSimonianLaird => self.moment(),
            Method::Reml => self.restricted_likelihood(),
        };
        tau2.is_finite().then_some(tau2)
    }

    fn moment(&self) -> f64 {
        ((self.at(0.0).q - self.df()) / spread(self.weights(0.0))).max(0.0)
    }

    /// Fisher scoring from Hedges' estimate, as metafor takes it, then halving of the last
    /// bracket until the score changes sign between neighbouring doubles.
    fn restricted_likelihood(&self) -> f64 {
        let scale = self.vi.iter().copied().fold(f64::INFINITY, f64::min);
        let mut tau2 = self.hedges();
        let mut settled = false;
        for _ in 0..MOST_STEPS {
            let score = self.score(tau2);
            let mut step = (score.quadratic - score.trace) / score.trace2;
            if !step.is_finite() || score.trace2 <= 0.0 {
                break;
            }
            // A step below zero is halved rather than cut: a cut could jump over a root.
            while tau2 + step < 0.0 && step.abs() > 1e-16 * scale {
                step /= 2.0;
            }
            let next = (tau2 + step).max(0.0);
            let change = (next - tau2).abs();
            tau2 = next;
            if tau2 < 1e-13 * scale && self.slope(0.0) <= 0.0 {
                return 0.0;
            }
            // Below the second term a step is rounding of the score.
            if change <= 1e-12 * tau2 + 1e-14 * scale {
                settled = true;
                break;
            }
        }
        if !settled {
            return self.scan(scale);
        }
        // A local maximum below the likelihood at zero is not the estimate.
        if tau2 > 0.0 && self.log_likelihood(0.0) > self.log_likelihood(tau2) {
            return 0.0;
        }
        self.polish(tau2)
    }

    /// The highest maximum on a geometric grid, refined. Scoring oscillates where one site is
    /// a thousand times more precise than the rest, and its information can vanish in rounding;
    /// metafor stops with an error there.
    fn scan(&self, scale: f64) -> f64 {
        let origin = self.yi.first().copied().unwrap_or(0.0);
        let reach = self
            .yi
            .iter()
            .map(|y| (y - origin) * (y - origin))
            .fold(0.0, f64::max);
        let (lowest, highest) = (1e-6 * scale, 10.0 * reach + scale);
        let ratio = libm::log(highest / lowest) / f64::from(SCAN_POINTS);
        let point = |i: i32| {
            if i < 0 {
                0.0
            } else {
                lowest * libm::exp(ratio * f64::from(i))
            }
        };
        let mut best = (-1, self.log_likelihood(0.0));
        for i in 0..=SCAN_POINTS {
            let value = self.log_likelihood(point(i));
            if value > best.1 {
                best = (i, value);
            }
        }
        if best.0 < 0 && self.slope(0.0) <= 0.0 {
            return 0.0;
        }
        bisect(point(best.0 - 1), point(best.0 + 1), |t| {
            self.slope(t) > 0.0
        })
    }

    fn polish(&self, tau2: f64) -> f64 {
        let (low, high) = (tau2 * (1.0 - 1e-8), tau2 * (1.0 + 1e-8));
        if self.slope(low) > 0.0 && self.slope(high) < 0.0 {
            bisect(low, high, |t| self.slope(t) > 0.0)
        } else {
            tau2
        }
    }

    /// Hedges' estimate: sample variance of the estimates less the mean sampling variance.
    fn hedges(&self) -> f64 {
        let k = self.df() + 1.0;
        let mean = sum_iter(self.yi.iter().copied()) / k;
        let spread = sum_iter(self.yi.iter().map(|y| (y - mean) * (y - mean))) / self.df();
        (spread - sum_iter(self.vi.iter().copied()) / k).max(0.0)
    }

    fn score(&self, tau2: f64) -> Score {
        let fit = self.at(tau2);
        let w2 = sum_iter(self.weights(tau2).map(|w| w * w));
        let w3 = sum_iter(self.weights(tau2).map(|w| w * w * w));
        let quadratic = sum_iter(self.weights(tau2).zip(self.yi).map(|(w, y)| {
            let scaled = w * (y - fit.mu);
            scaled * scaled
        }));
        let share = w2 / fit.weight;
        Score {
            quadratic,
            trace: spread(self.weights(tau2)),
            trace2: w2 - 2.0 * w3 / fit.weight + share * share,
        }
    }

    /// Twice the derivative of the restricted log likelihood.
    fn slope(&self, tau2: f64) -> f64 {
        let score = self.score(tau2);
        score.quadratic - score.trace
    }

    /// Restricted log likelihood up to a constant.
    fn log_likelihood(&self, tau2: f64) -> f64 {
        let fit = self.at(tau2);
        let logs = sum_iter(self.vi.iter().map(|v| libm::log(v + tau2)));
        -0.5 * (logs + libm::log(fit.weight) + fit.q)
    }

    /// Large-sample standard error of `tau2` at its estimate.
    pub(super) fn tau2_standard_error(&self, tau2: f64, method: Method) -> Option<f64> {
        let variance = match method {
            Method::Reml => 2.0 / self.score(tau2).trace2,
            Method::DerSimonianLaird => {
                let score = self.score(0.0);
                let terms =
                    2.0 * self.df() + 4.0 * tau2 * score.trace + 2.0 * tau2 * tau2 * score.trace2;
                terms / (score.trace * score.trace)
            }
        };
        Some(variance.sqrt()).filter(|se| se.is_finite())
    }
}

/// `sum w - sum w^2 / sum w`, written as twice the sum of products of different weights over
/// their sum, so that one dominant weight does not cancel the rest.
fn spread(weights: impl Iterator<Item = f64>) -> f64 {
    let (mut products, mut total) = (Neumaier::default(), 0.0);
    for w in weights {
        products.add(w * total);
        total += w;
    }
    2.0 * products.total() / total
}
