//! What one site does to the pool, and what the pool does to one site.
//!
//! Deletion diagnostics after Viechtbauer and Cheung (2010, doi:10.1002/jrsm.11): every site is
//! left out in turn and the model refitted, between-site variance included. The shrunken
//! (empirical Bayes) estimate of a site after Raudenbush and Bryk (1985,
//! doi:10.3102/10769986010002075): `l y + (1 - l) mu` with `l = tau2 / (tau2 + v)`, variance
//! `l v + (1 - l)^2 se^2`. Both as metafor's `influence` and `blup` define them.
//!
//! From: `random_effects`.
//! To: `analysis`.

use super::model::Model;
use super::{Core, Inference, Mean, Method, PoolFault, admit, normal_mean, without};
use crate::numeric::Interval;
use crate::numeric::distribution::{chi2_sf, normal_critical, t_critical};

/// What the pool loses or gains without one site.
#[derive(Clone, Copy, Debug, PartialEq)]
pub struct Influence {
    /// The place of the site.
    pub site: usize,
    /// Externally standardised (studentised) deleted residual; about standard normal where the
    /// site belongs to the others.
    pub studentised: f64,
    /// Standardised residual of the model with one common value, whose squares make up Cochran's
    /// Q: `(y - m) / sqrt(v - 1 / sum(1 / v))` with `m` the mean weighted by `1 / v`; metafor's
    /// `rstandard` of `rma(method = "EE")`.
    pub q_residual: f64,
    /// Change of the fitted value in its standard errors.
    pub dffits: f64,
    /// Squared change of the mean in its variances.
    pub cooks_distance: f64,
    /// Variance of the mean without the site over the variance with it; below 1 the site costs
    /// precision.
    pub covariance_ratio: f64,
    /// Change of the mean in its standard errors.
    pub dfbetas: f64,
    /// Share of the site in the mean, in `[0, 1]`.
    pub hat: f64,
    /// Between-site variance without the site.
    pub tau2: f64,
    /// Cochran's Q without the site.
    pub q: f64,
    /// Whether one of the diagnostics passes its customary bound: `|DFFITS| > 3 sqrt(1/(k-1))`,
    /// a Cook's distance beyond the median of chi-squared(1), a share above `3 / k`, or
    /// `|DFBETAS| > 1`.
    pub influential: bool,
}

/// A site's estimate drawn to the mean.
#[derive(Clone, Copy, Debug, PartialEq)]
pub struct ShrunkenSite {
    /// The place of the site.
    pub site: usize,
    /// The shrunken estimate, on the scale pooled.
    pub estimate: f64,
    /// Its standard error.
    pub standard_error: f64,
    /// Its interval at the level asked for.
    pub interval: Option<Interval>,
    /// Weight of the site's own estimate in it, in `[0, 1)`.
    pub own_share: f64,
}

/// A fitted mean with the factor on its variance.
struct Fitted {
    core: Core,
    mean: Mean,
    factor: f64,
}

fn fitted(
    yi: &[f64],
    vi: &[f64],
    level: f64,
    method: Method,
    inference: Inference,
) -> Result<Fitted, PoolFault> {
    let core = Core::of(yi, vi, level, method)?;
    let normal = normal_mean(&Model { yi, vi }, core.tau2, level)?;
    let mean = core.mean_by(inference, &normal);
    let factor = match inference {
        Inference::Normal => 1.0,
        Inference::Hksj => core.hksj_factor,
        Inference::HksjGuarded => core.hksj_factor.max(1.0),
    };
    Ok(Fitted { core, mean, factor })
}

/// The deletion diagnostics of every site, in the order given; empty below three sites.
///
/// A site whose deletion leaves identical estimates and an unguarded inference has no
/// diagnostics (its denominators are 0) and is left out of the list.
///
/// # Errors
/// As [`super::RandomEffects::fit`].
pub fn influence(
    yi: &[f64],
    vi: &[f64],
    level: f64,
    method: Method,
    inference: Inference,
) -> Result<Vec<Influence>, PoolFault> {
    admit(yi, vi)?;
    if yi.len() < 3 {
        return Ok(Vec::new());
    }
    let all = fitted(yi, vi, level, method, inference)?;
    let model = Model { yi, vi };
    let hats = model.weights_percent(all.core.tau2);
    let mut list = Vec::new();
    for (site, hat) in hats.iter().enumerate() {
        let rest = fitted(
            &without(yi, site),
            &without(vi, site),
            level,
            method,
            inference,
        )?;
        list.extend(one(&model, &all, &rest, site, hat / 100.0));
    }
    Ok(list)
}

fn one(model: &Model<'_>, all: &Fitted, rest: &Fitted, site: usize, hat: f64) -> Option<Influence> {
    let (y, v) = (model.yi.get(site)?, model.vi.get(site)?);
    let k = model.df() + 1.0;
    let shift = all.mean.estimate - rest.mean.estimate;
    let variance = |mean: &Mean| mean.standard_error * mean.standard_error;
    let own = (v + rest.core.tau2) * rest.factor;
    let studentised = (y - rest.mean.estimate) / (own + variance(&rest.mean)).sqrt();
    let dffits = shift / (own * hat).sqrt();
    let cooks_distance = shift * shift / variance(&all.mean);
    let dfbetas = shift / (rest.factor / model.at(rest.core.tau2).weight).sqrt();
    let covariance_ratio = variance(&rest.mean) / variance(&all.mean);
    let common = model.at(0.0);
    let q_residual = (y - common.mu) / (v - 1.0 / common.weight).sqrt();
    let finite = [
        studentised,
        q_residual,
        dffits,
        cooks_distance,
        dfbetas,
        covariance_ratio,
    ]
    .iter()
    .all(|value| value.is_finite());
    finite.then(|| Influence {
        site,
        studentised,
        q_residual,
        dffits,
        cooks_distance,
        covariance_ratio,
        dfbetas,
        hat,
        tau2: rest.core.tau2,
        q: rest.core.q,
        influential: dffits.abs() > 3.0 / (k - 1.0).sqrt()
            || chi2_sf(cooks_distance, 1.0).is_some_and(|tail| tail < 0.5)
            || hat > 3.0 / k
            || dfbetas.abs() > 1.0,
    })
}

/// Every site's shrunken estimate, in the order given.
///
/// # Errors
/// As [`super::RandomEffects::fit`].
pub fn shrunken(
    yi: &[f64],
    vi: &[f64],
    level: f64,
    method: Method,
    inference: Inference,
) -> Result<Vec<ShrunkenSite>, PoolFault> {
    admit(yi, vi)?;
    let all = fitted(yi, vi, level, method, inference)?;
    let critical = match inference {
        Inference::Normal => normal_critical(level),
        Inference::Hksj | Inference::HksjGuarded => t_critical(level, f64::from(all.core.df())),
    }
    .ok_or(PoolFault::Level)?;
    let tau2 = all.core.tau2;
    let pooled = all.mean.standard_error * all.mean.standard_error;
    let site = |(site, (y, v)): (usize, (&f64, &f64))| {
        let own_share = tau2 / (tau2 + v);
        let estimate = own_share * y + (1.0 - own_share) * all.mean.estimate;
        let variance = own_share * v + (1.0 - own_share) * (1.0 - own_share) * pooled;
        let standard_error = variance.sqrt();
        ShrunkenSite {
            site,
            estimate,
            standard_error,
            interval: (standard_error > 0.0)
                .then(|| Interval::around(estimate, critical * standard_error))
                .flatten(),
            own_share,
        }
    };
    Ok(yi.iter().zip(vi).enumerate().map(site).collect())
}
