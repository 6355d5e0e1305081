//! The pool as sites are added in a declared order.
//!
//! Cumulative meta-analysis (Lau et al. 1992, doi:10.1056/NEJM199207233270406). The first step
//! is the first site alone with its normal interval, as metafor's `cumul` gives it.
//!
//! From: `random_effects`.
//! To: `analysis`.

use super::model::Model;
use super::{Core, Inference, Mean, Method, PoolFault, admit, normal_mean};
use crate::numeric::distribution::{normal_critical, normal_two_sided};

/// The pool of the first sites.
#[derive(Clone, Copy, Debug, PartialEq)]
pub struct Step {
    /// Number of sites in it.
    pub k: usize,
    /// Their mean.
    pub mean: Mean,
    /// Their between-site variance; `None` for one site.
    pub tau2: Option<f64>,
    /// In percent; `None` for one site.
    pub i2: Option<f64>,
}

/// One step per site, in the order given.
///
/// # Errors
/// As [`super::RandomEffects::fit`].
pub fn cumulative(
    yi: &[f64],
    vi: &[f64],
    level: f64,
    method: Method,
    inference: Inference,
) -> Result<Vec<Step>, PoolFault> {
    admit(yi, vi)?;
    let (Some(y), Some(v)) = (yi.first(), vi.first()) else {
        return Err(PoolFault::NoSite);
    };
    let critical = normal_critical(level).ok_or(PoolFault::Level)?;
    let alone = Mean::of(*y, v.sqrt(), critical, normal_two_sided);
    let mut steps = vec![Step {
        k: 1,
        mean: alone.ok_or(PoolFault::NotEstimable(0))?,
        tau2: None,
        i2: None,
    }];
    for k in 2..=yi.len() {
        let (Some(yi), Some(vi)) = (yi.get(..k), vi.get(..k)) else {
            return Err(PoolFault::Length);
        };
        let core = Core::of(yi, vi, level, method)?;
        let normal = normal_mean(&Model { yi, vi }, core.tau2, level)?;
        steps.push(Step {
            k,
            mean: core.mean_by(inference, &normal),
            tau2: Some(core.tau2),
            i2: Some(core.i2(method)),
        });
    }
    Ok(steps)
}
