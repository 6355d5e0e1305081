//! Two-stage random-effects pooling of site estimates by inverse variance.
//!
//! Site `i` reports `y_i` with variance `v_i` on the scale pooled (logit area, log O:E, a
//! difference). The model is `y_i ~ N(mu, v_i + tau2)`.
//!
//! * `tau2` by restricted or full maximum likelihood or Hedges' moments (all in Viechtbauer
//!   2005, doi:10.3102/10769986030003261), DerSimonian and Laird (1986,
//!   doi:10.1016/0197-2456(86)90046-2), Paule and Mandel (1982, doi:10.6028/jres.087.022),
//!   empirical Bayes (Morris 1983, doi:10.1080/01621459.1983.10477920), or Sidik and Jonkman
//!   (2005, doi:10.1111/j.1467-9876.2005.00489.x); never negative; or fixed at 0.
//! * The mean's standard error after Hartung, Knapp, Sidik and Jonkman (2001,
//!   doi:10.1002/sim.791): `sqrt(q / sum w)`, `q = sum w (y - mu)^2 / (k - 1)`, referred to
//!   `t(k - 1)`. The headline uses `max(1, q)` (metafor's `test = "adhoc"`): without it the
//!   interval of homogeneous sites is narrower than the fixed-effect one.
//! * `I2` and `H2` by the typical sampling variance (Higgins and Thompson 2002,
//!   doi:10.1002/sim.1186), in percent and as a ratio, not `(Q - df) / Q`.
//! * Intervals of `tau2` and `I2` by the Q-profile (Viechtbauer 2007, doi:10.1002/sim.2514).
//! * The prediction interval `mu +- t(k - 2) sqrt(tau2 + se^2)` with the guarded standard
//!   error is the prespecified one; the one with `t(k - 1)` has its own name.
//!
//! Defined as metafor's `rma(yi, vi, test = "adhoc", control = list(threshold = 1e-14))`.
//! Sums run in the order of the sites given: callers sort by site.
//!
//! From: checked site estimates.
//! To: `analysis`.

use crate::numeric::distribution::{
    chi2_quantile, normal_critical, normal_two_sided, t_critical, t_two_sided,
};
use crate::numeric::{Interval, Test};

mod heterogeneity;
mod influence;
mod model;
mod sequence;

pub use influence::{Influence, ShrunkenSite, influence, shrunken};
pub use model::Method;
use model::Model;
pub use sequence::{Step, cumulative};

/// Beyond this (or, for a variance, below its inverse) squares leave the range of a double; no
/// estimate on a scale of ours comes near.
const LARGEST: f64 = 1e60;

/// Why site estimates cannot be pooled.
#[derive(Clone, Copy, Debug, Eq, PartialEq, thiserror::Error)]
pub enum PoolFault {
    /// There is no estimate.
    #[error("no site has an estimate")]
    NoSite,
    /// There is one estimate: the site's own interval is the answer.
    #[error("a single site is not pooled")]
    SingleSite,
    /// As many variances as estimates are needed.
    #[error("estimates and variances differ in number")]
    Length,
    /// The estimate at this place is not finite, or its variance is not finite and positive
    /// (or either is beyond 1e60): the caller lists the site with its reason and leaves it out.
    #[error("the estimate at place {0} cannot enter a pool")]
    NotEstimable(usize),
    /// The level leaves no usable tail: it must lie in `(0, 0.9998]`.
    #[error("the confidence level is not usable")]
    Level,
    /// The iteration for tau2 did not settle, or a result overflowed.
    #[error("the heterogeneity estimate did not converge")]
    NotConverged,
}

/// How the mean's standard error and interval are made.
#[derive(Clone, Copy, Debug, Eq, PartialEq)]
pub enum Inference {
    /// `1 / sqrt(sum w)`, normal law: too narrow with few sites.
    Normal,
    /// Hartung, Knapp, Sidik and Jonkman, `t(k - 1)`.
    Hksj,
    /// The same, never narrower than with the factor 1; the default.
    HksjGuarded,
}

/// The law a prediction interval refers to.
#[derive(Clone, Copy, Debug, Eq, PartialEq)]
pub enum PredictionLaw {
    /// `t(k - 2)`: the prespecified one (decision C5).
    StudentK2,
    /// `t(k - 1)`, as metafor prints it with the HKSJ standard error.
    StudentK1,
    /// Normal, as metafor prints it with the classical standard error.
    Normal,
}

/// A mean with its standard error, test of zero and interval.
#[derive(Clone, Copy, Debug, PartialEq)]
pub struct Mean {
    /// The estimate, on the scale pooled.
    pub estimate: f64,
    /// Its standard error.
    pub standard_error: f64,
    /// Estimate over standard error; `None` if the standard error is 0.
    pub statistic: Option<f64>,
    /// Two-sided p value of the mean being 0; `None` if the standard error is 0.
    pub p: Option<f64>,
    /// Interval at the level of the fit; `None` if the standard error is 0 (identical sites
    /// without the guard): no information about width.
    pub interval: Option<Interval>,
}

/// The pool with one site left out.
#[derive(Clone, Copy, Debug, PartialEq)]
pub struct LeftOut {
    /// The place of the site left out.
    pub omitted: usize,
    /// Mean of the others, guarded as the headline.
    pub mean: Mean,
    /// The same mean without the guard.
    pub mean_unguarded: Mean,
    /// The same mean with the classical standard error, normal law.
    pub mean_normal: Mean,
    /// Between-site variance of the others.
    pub tau2: f64,
    /// In percent.
    pub i2: f64,
    /// Cochran's Q of the others.
    pub q: f64,
}

/// A fitted random-effects model.
#[derive(Clone, Debug, PartialEq)]
pub struct RandomEffects {
    /// Number of sites.
    pub k: usize,
    /// Confidence level of every interval.
    pub level: f64,
    /// Estimator of `tau2`.
    pub method: Method,
    /// Between-site variance, at least 0, on the squared scale.
    pub tau2: f64,
    /// Its large-sample standard error.
    pub tau2_standard_error: Option<f64>,
    /// Q-profile interval of `tau2`; `[0, 0]` where the set of values is empty (sites more
    /// alike than chance allows).
    pub tau2_interval: Option<Interval>,
    /// Share of heterogeneity in the total variance, in percent.
    pub i2: f64,
    /// Q-profile interval of `I2`, in percent.
    pub i2_interval: Option<Interval>,
    /// Total over typical sampling variance, at least 1.
    pub h2: f64,
    /// Cochran's Q with its `k - 1` degrees of freedom.
    pub q: Test,
    /// The headline: mean with the guarded HKSJ standard error, `t(k - 1)`.
    pub mean: Mean,
    /// The same mean with the plain HKSJ standard error, `t(k - 1)`.
    pub mean_unguarded: Mean,
    /// The same mean with the classical standard error `1 / sqrt(sum w)`, normal law.
    pub mean_normal: Mean,
    /// The fixed-effect (inverse-variance) mean, normal law.
    pub fixed: Mean,
    /// The HKSJ factor `q` before the guard.
    pub hksj_factor: f64,
    /// Prediction interval, `t(k - 2)` and guarded standard error: the prespecified one.
    /// `None` at `k = 2`.
    pub prediction: Option<Interval>,
    /// The same with `t(k - 1)`, as metafor prints it; for the methods section.
    pub prediction_t_k_minus_1: Option<Interval>,
    /// Share of each site in the mean, in percent; adds to 100.
    pub weights_percent: Vec<f64>,
    /// Share of each site in the fixed-effect mean, in percent.
    pub fixed_weights_percent: Vec<f64>,
    /// The pool without each site in turn; empty at `k = 2`.
    pub leave_one_out: Vec<LeftOut>,
}

impl LeftOut {
    /// The mean with the standard error and interval of `inference`.
    pub fn mean_by(&self, inference: Inference) -> &Mean {
        match inference {
            Inference::Normal => &self.mean_normal,
            Inference::Hksj => &self.mean_unguarded,
            Inference::HksjGuarded => &self.mean,
        }
    }
}

impl RandomEffects {
    /// Pools estimates `yi` with sampling variances `vi` by restricted maximum likelihood.
    ///
    /// # Errors
    /// [`PoolFault`]: no site, one site, unequal lengths, an estimate that cannot enter, an
    /// unusable level, no convergence.
    pub fn fit(yi: &[f64], vi: &[f64], level: f64) -> Result<Self, PoolFault> {
        Self::fit_with(yi, vi, level, Method::Reml)
    }

    /// The same with a chosen estimator of `tau2`.
    ///
    /// # Errors
    /// As [`RandomEffects::fit`].
    pub fn fit_with(yi: &[f64], vi: &[f64], level: f64, method: Method) -> Result<Self, PoolFault> {
        admit(yi, vi)?;
        let core = Core::of(yi, vi, level, method)?;
        let leave_one_out = if yi.len() < 3 {
            Vec::new()
        } else {
            (0..yi.len())
                .map(|i| left_out(yi, vi, level, method, i))
                .collect::<Result<_, _>>()?
        };
        let model = Model { yi, vi };
        let df = core.df();
        let tau2_interval =
            heterogeneity::q_profile(&model, level, |p| chi2_quantile(p, f64::from(df)));
        let i2_interval = tau2_interval.and_then(|t| t.map(|tau2| percent(tau2, core.typical)));
        let mut fit = Self {
            k: yi.len(),
            level,
            method,
            tau2: core.tau2,
            tau2_standard_error: model.tau2_standard_error(core.tau2, method),
            tau2_interval,
            i2: core.i2(method),
            i2_interval,
            h2: core.h2(method),
            q: Test::chi2(core.q, df).ok_or(PoolFault::NotConverged)?,
            mean: core.mean,
            mean_unguarded: core.mean_unguarded,
            mean_normal: normal_mean(&model, core.tau2, level)?,
            fixed: normal_mean(&model, 0.0, level)?,
            hksj_factor: core.hksj_factor,
            prediction: None,
            prediction_t_k_minus_1: None,
            weights_percent: model.weights_percent(core.tau2),
            fixed_weights_percent: model.weights_percent(0.0),
            leave_one_out,
        };
        fit.prediction = fit.predict(Inference::HksjGuarded, PredictionLaw::StudentK2);
        fit.prediction_t_k_minus_1 = fit.predict(Inference::HksjGuarded, PredictionLaw::StudentK1);
        Ok(fit)
    }

    /// The mean with the standard error and interval of `inference`.
    pub fn mean_by(&self, inference: Inference) -> &Mean {
        match inference {
            Inference::Normal => &self.mean_normal,
            Inference::Hksj => &self.mean_unguarded,
            Inference::HksjGuarded => &self.mean,
        }
    }

    /// `mu +- critical * sqrt(tau2 + se^2)`: where the true value of another site of the same
    /// population lies. `None` where `tau2` is fixed at 0, and for `t(k - 2)` at `k = 2`.
    pub fn predict(&self, inference: Inference, law: PredictionLaw) -> Option<Interval> {
        if self.method == Method::Fixed {
            return None;
        }
        let student = |df: usize| {
            let df = u32::try_from(df).ok().filter(|df| *df > 0)?;
            t_critical(self.level, f64::from(df))
        };
        let critical = match law {
            PredictionLaw::StudentK2 => student(self.k.checked_sub(2)?)?,
            PredictionLaw::StudentK1 => student(self.k.checked_sub(1)?)?,
            PredictionLaw::Normal => normal_critical(self.level)?,
        };
        let mean = self.mean_by(inference);
        let spread = (self.tau2 + mean.standard_error * mean.standard_error).sqrt();
        Interval::around(mean.estimate, critical * spread)
    }
}

/// What the whole pool and each leave-one-out pool share.
struct Core {
    k: usize,
    tau2: f64,
    typical: f64,
    q: f64,
    hksj_factor: f64,
    mean: Mean,
    mean_unguarded: Mean,
}

impl Core {
    fn of(yi: &[f64], vi: &[f64], level: f64, method: Method) -> Result<Self, PoolFault> {
        let model = Model { yi, vi };
        let tau2 = model.tau2(method).ok_or(PoolFault::NotConverged)?;
        let fit = model.at(tau2);
        let df = model.df();
        let hksj_factor = fit.q / df;
        let critical = t_critical(level, df).ok_or(PoolFault::Level)?;
        let mean = |factor: f64| {
            Mean::of(fit.mu, (factor / fit.weight).sqrt(), critical, |t| {
                t_two_sided(t, df)
            })
        };
        Ok(Self {
            k: yi.len(),
            tau2,
            typical: model.typical_variance(),
            q: model.at(0.0).q,
            hksj_factor,
            mean: mean(hksj_factor.max(1.0)).ok_or(PoolFault::NotConverged)?,
            mean_unguarded: mean(hksj_factor).ok_or(PoolFault::NotConverged)?,
        })
    }

    fn df(&self) -> u32 {
        u32::try_from(self.k - 1).unwrap_or(u32::MAX)
    }

    /// By the typical variance; with `tau2` fixed at 0 from Cochran's Q instead.
    fn i2(&self, method: Method) -> f64 {
        if method == Method::Fixed {
            let excess = self.q - f64::from(self.df());
            return if excess > 0.0 {
                100.0 * excess / self.q
            } else {
                0.0
            };
        }
        percent(self.tau2, self.typical)
    }

    fn h2(&self, method: Method) -> f64 {
        if method == Method::Fixed {
            return self.q / f64::from(self.df());
        }
        1.0 + self.tau2 / self.typical
    }

    fn mean_by(&self, inference: Inference, normal: &Mean) -> Mean {
        match inference {
            Inference::Normal => *normal,
            Inference::Hksj => self.mean_unguarded,
            Inference::HksjGuarded => self.mean,
        }
    }
}

impl Mean {
    fn of(
        estimate: f64,
        standard_error: f64,
        critical: f64,
        p: impl Fn(f64) -> Option<f64>,
    ) -> Option<Self> {
        if !(estimate.is_finite() && standard_error.is_finite()) {
            return None;
        }
        let statistic = (standard_error > 0.0)
            .then(|| estimate / standard_error)
            .filter(|t| t.is_finite());
        Some(Self {
            estimate,
            standard_error,
            statistic,
            p: statistic.and_then(p),
            interval: statistic.and_then(|_| Interval::around(estimate, critical * standard_error)),
        })
    }
}

fn normal_mean(model: &Model<'_>, tau2: f64, level: f64) -> Result<Mean, PoolFault> {
    let fit = model.at(tau2);
    let critical = normal_critical(level).ok_or(PoolFault::Level)?;
    Mean::of(
        fit.mu,
        (1.0 / fit.weight).sqrt(),
        critical,
        normal_two_sided,
    )
    .ok_or(PoolFault::NotConverged)
}

fn left_out(
    yi: &[f64],
    vi: &[f64],
    level: f64,
    method: Method,
    omitted: usize,
) -> Result<LeftOut, PoolFault> {
    let (yi, vi) = (without(yi, omitted), without(vi, omitted));
    let core = Core::of(&yi, &vi, level, method)?;
    Ok(LeftOut {
        omitted,
        mean: core.mean,
        mean_unguarded: core.mean_unguarded,
        mean_normal: normal_mean(&Model { yi: &yi, vi: &vi }, core.tau2, level)?,
        tau2: core.tau2,
        i2: core.i2(method),
        q: core.q,
    })
}

/// The values but the one at place `omitted`.
fn without(values: &[f64], omitted: usize) -> Vec<f64> {
    values
        .iter()
        .enumerate()
        .filter(|(i, _)| *i != omitted)
        .map(|(_, v)| *v)
        .collect()
}

fn admit(yi: &[f64], vi: &[f64]) -> Result<(), PoolFault> {
    if yi.len() != vi.len() {
        return Err(PoolFault::Length);
    }
    let bad = |(y, v): (&f64, &f64)| {
        !(y.is_finite() && y.abs() <= LARGEST && (1.0 / LARGEST..=LARGEST).contains(v))
    };
    if let Some(place) = yi.iter().zip(vi).position(bad) {
        return Err(PoolFault::NotEstimable(place));
    }
    match yi.len() {
        0 => Err(PoolFault::NoSite),
        1 => Err(PoolFault::SingleSite),
        _ => Ok(()),
    }
}

fn percent(tau2: f64, typical: f64) -> f64 {
    100.0 * tau2 / (tau2 + typical)
}

#[cfg(test)]
mod tests;
