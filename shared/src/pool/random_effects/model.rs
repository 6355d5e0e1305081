//! The weights, the weighted mean, and the estimators of the between-site variance.
//!
//! From: `random_effects`.
//! To: `random_effects`, `heterogeneity`.

use crate::numeric::distribution::bisect;
use crate::numeric::sum::{Neumaier, count, sum_iter};

/// How the between-site variance is estimated.
#[derive(Clone, Copy, Debug, Eq, PartialEq)]
pub enum Method {
    /// None: one common value, `tau2 = 0`.
    Fixed,
    /// DerSimonian and Laird's moment estimator.
    DerSimonianLaird,
    /// Paule and Mandel: the value at which the generalised Q equals `k - 1`.
    PauleMandel,
    /// Maximum likelihood; biased downwards with few sites.
    MaximumLikelihood,
    /// Restricted maximum likelihood; the default.
    Reml,
    /// Sidik and Jonkman, from the crude variance of the estimates; positive unless the
    /// estimates are identical.
    SidikJonkman,
    /// Hedges' moment estimator with equal weights.
    Hedges,
    /// Empirical Bayes after Morris; its equation is that of Paule and Mandel.
    EmpiricalBayes,
}

impl Method {
    /// Every estimator, as a sensitivity table lists them.
    pub const ALL: [Self; 8] = [
        Self::Fixed,
        Self::DerSimonianLaird,
        Self::PauleMandel,
        Self::MaximumLikelihood,
        Self::Reml,
        Self::SidikJonkman,
        Self::Hedges,
        Self::EmpiricalBayes,
    ];

    /// The short name used by metafor and by the protocol.
    pub fn slug(self) -> &'static str {
        match self {
            Self::Fixed => "FE",
            Self::DerSimonianLaird => "DL",
            Self::PauleMandel => "PM",
            Self::MaximumLikelihood => "ML",
            Self::Reml => "REML",
            Self::SidikJonkman => "SJ",
            Self::Hedges => "HE",
            Self::EmpiricalBayes => "EB",
        }
    }
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

/// Which likelihood is maximised.
#[derive(Clone, Copy)]
enum Likelihood {
    Full,
    Restricted,
}

/// What the likelihood's derivatives are made of; `P` is the matrix that takes the weighted
/// mean off, in the full likelihood's traces the diagonal of the weights.
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
            Method::Fixed => 0.0,
            Method::DerSimonianLaird => self.moment(),
            Method::PauleMandel | Method::EmpiricalBayes => {
                super::heterogeneity::solve(self, self.df())?
            }
            Method::MaximumLikelihood => self.likelihood(Likelihood::Full),
            Method::Reml => self.likelihood(Likelihood::Restricted),
            Method::SidikJonkman => {
                let crude = self.crude();
                crude * self.at(crude).q / self.df()
            }
            Method::Hedges => self.hedges(),
        };
        tau2.is_finite().then_some(tau2)
    }

    fn moment(&self) -> f64 {
        ((self.at(0.0).q - self.df()) / spread(self.weights(0.0))).max(0.0)
    }

    /// The sample variance of the estimates with divisor `k`.
    fn crude(&self) -> f64 {
        let k = self.df() + 1.0;
        let origin = self.yi.first().copied().unwrap_or(0.0);
        let mean = sum_iter(self.yi.iter().map(|y| y - origin)) / k;
        let gap = |y: &f64| y - origin - mean;
        sum_iter(self.yi.iter().map(|y| gap(y) * gap(y))) / k
    }

    /// Fisher scoring from Hedges' estimate, as metafor takes it, then halving of the last
    /// bracket until the score changes sign between neighbouring doubles.
    fn likelihood(&self, of: Likelihood) -> f64 {
        let scale = self.vi.iter().copied().fold(f64::INFINITY, f64::min);
        let mut tau2 = self.hedges();
        let mut settled = false;
        for _ in 0..MOST_STEPS {
            let score = self.score(tau2, of);
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
            // Where one site is far more precise than the rest, zero may be a maximum beside a
            // higher one.
            if tau2 < 1e-13 * scale && self.slope(0.0, of) <= 0.0 {
                return self.scan(scale, of);
            }
            // Below the second term a step is rounding of the score.
            if change <= 1e-12 * tau2 + 1e-14 * scale {
                settled = true;
                break;
            }
        }
        if !settled {
            return self.scan(scale, of);
        }
        // A local maximum below the likelihood at zero is not the estimate.
        if tau2 > 0.0 && self.log_likelihood(0.0, of) > self.log_likelihood(tau2, of) {
            return 0.0;
        }
        self.polish(tau2, of)
    }

    /// The highest maximum on a geometric grid, refined. Scoring oscillates where one site is
    /// a thousand times more precise than the rest, and its information can vanish in rounding;
    /// metafor stops with an error there.
    fn scan(&self, scale: f64, of: Likelihood) -> f64 {
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
        let mut best = (-1, self.log_likelihood(0.0, of));
        for i in 0..=SCAN_POINTS {
            let value = self.log_likelihood(point(i), of);
            if value > best.1 {
                best = (i, value);
            }
        }
        if best.0 < 0 && self.slope(0.0, of) <= 0.0 {
            return 0.0;
        }
        bisect(point(best.0 - 1), point(best.0 + 1), |t| {
            self.slope(t, of) > 0.0
        })
    }

    fn polish(&self, tau2: f64, of: Likelihood) -> f64 {
        let (low, high) = (tau2 * (1.0 - 1e-8), tau2 * (1.0 + 1e-8));
        if self.slope(low, of) > 0.0 && self.slope(high, of) < 0.0 {
            bisect(low, high, |t| self.slope(t, of) > 0.0)
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

    fn score(&self, tau2: f64, of: Likelihood) -> Score {
        let fit = self.at(tau2);
        let w2 = sum_iter(self.weights(tau2).map(|w| w * w));
        let quadratic = sum_iter(self.weights(tau2).zip(self.yi).map(|(w, y)| {
            let scaled = w * (y - fit.mu);
            scaled * scaled
        }));
        match of {
            Likelihood::Full => Score {
                quadratic,
                trace: fit.weight,
                trace2: w2,
            },
            Likelihood::Restricted => {
                let w3 = sum_iter(self.weights(tau2).map(|w| w * w * w));
                let share = w2 / fit.weight;
                Score {
                    quadratic,
                    trace: spread(self.weights(tau2)),
                    trace2: w2 - 2.0 * w3 / fit.weight + share * share,
                }
            }
        }
    }

    /// Twice the derivative of the log likelihood.
    fn slope(&self, tau2: f64, of: Likelihood) -> f64 {
        let score = self.score(tau2, of);
        score.quadratic - score.trace
    }

    /// Log likelihood up to a constant.
    fn log_likelihood(&self, tau2: f64, of: Likelihood) -> f64 {
        let fit = self.at(tau2);
        let logs = sum_iter(self.vi.iter().map(|v| libm::log(v + tau2)));
        let mean = match of {
            Likelihood::Full => 0.0,
            Likelihood::Restricted => libm::log(fit.weight),
        };
        -0.5 * (logs + mean + fit.q)
    }

    /// Large-sample standard error of `tau2` at its estimate.
    pub(super) fn tau2_standard_error(&self, tau2: f64, method: Method) -> Option<f64> {
        let df = self.df();
        let k = df + 1.0;
        let variance = match method {
            Method::Fixed => return None,
            Method::Reml => 2.0 / self.score(tau2, Likelihood::Restricted).trace2,
            Method::MaximumLikelihood => 2.0 / self.score(tau2, Likelihood::Full).trace2,
            Method::PauleMandel | Method::EmpiricalBayes => {
                let weight = self.at(tau2).weight;
                2.0 * k * k / (df * weight * weight)
            }
            Method::DerSimonianLaird => {
                let score = self.score(0.0, Likelihood::Restricted);
                let terms = 2.0 * df + 4.0 * tau2 * score.trace + 2.0 * tau2 * tau2 * score.trace2;
                terms / (score.trace * score.trace)
            }
            Method::Hedges => {
                let total = sum_iter(self.vi.iter().copied());
                let squares = sum_iter(self.vi.iter().map(|v| v * v));
                let noise = squares * (1.0 - 2.0 / k) + total * total / (k * k);
                let terms = 2.0 * noise + 4.0 * tau2 * total * df / k + 2.0 * tau2 * tau2 * df;
                terms / (df * df)
            }
            Method::SidikJonkman => {
                let crude = self.crude();
                crude * crude * self.quadratic_variance(crude, tau2) / (df * df)
            }
        };
        Some(variance.sqrt()).filter(|se| se.is_finite())
    }

    /// Variance of the generalised Q at `at` when the between-site variance is `tau2`:
    /// `2 tr (P (V + tau2))^2`, entry by entry.
    fn quadratic_variance(&self, at: f64, tau2: f64) -> f64 {
        let w: Vec<f64> = self.weights(at).collect();
        let total = sum_iter(w.iter().copied());
        let mut sum = Neumaier::default();
        for (i, a) in w.iter().enumerate() {
            for (j, b) in w.iter().enumerate() {
                let own = if i == j { *a } else { 0.0 };
                let entry = own - a * b / total;
                sum.add(entry * entry * (self.vi[i] + tau2) * (self.vi[j] + tau2));
            }
        }
        2.0 * sum.total()
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
