//! One slope over hospitals, an intercept for each: `logit y ~ a_site + b lp`, from each
//! hospital's 2x2 block at its own `(a_site, b)`.
//!
//! The information of all parameters is an arrow: site intercepts on the diagonal, the slope
//! along the edge. Taking the intercepts out leaves one equation for the slope (its Schur
//! complement), so nothing larger than 2x2 is ever sent or solved.
//!
//! From: blocks of several hospitals.
//! To: the pooled one-stage slope.

use super::{Coefficients, FitFault, MOST_STEPS, NewtonBlock, TOLERANCE};
use crate::numeric::sum::sum_iter;

/// A common slope with an intercept per hospital.
#[derive(Clone, Debug, PartialEq)]
pub struct SiteIntercepts {
    /// The slope.
    pub slope: f64,
    /// Its variance.
    pub slope_variance: f64,
    /// The intercepts, in the order of the hospitals.
    pub intercepts: Vec<f64>,
    /// Their variances.
    pub intercept_variances: Vec<f64>,
    /// Log-likelihood at the maximum.
    pub loglik: f64,
}

/// The step for slope and intercepts from one round of blocks: change of the slope, changes of
/// the intercepts, and the Schur complement.
fn step(blocks: &[NewtonBlock]) -> Result<(f64, Vec<f64>, f64), FitFault> {
    for block in blocks {
        block.usable()?;
        if block.information[0] <= 0.0 || !block.information.iter().all(|part| part.is_finite()) {
            return Err(FitFault::NotConverged);
        }
    }
    let complement = sum_iter(blocks.iter().map(|block| {
        let [aa, ab, bb] = block.information;
        bb - ab * ab / aa
    }));
    let right = sum_iter(blocks.iter().map(|block| {
        let [aa, ab, _] = block.information;
        block.score[1] - ab / aa * block.score[0]
    }));
    let whole = sum_iter(blocks.iter().map(|block| block.information[2]));
    if complement <= super::SINGULAR * whole || !complement.is_finite() {
        return Err(FitFault::Constant);
    }
    let slope = right / complement;
    let intercepts = blocks
        .iter()
        .map(|block| (block.score[0] - block.information[1] * slope) / block.information[0])
        .collect();
    Ok((slope, intercepts, complement))
}

/// Fits `sites` hospitals from [`Coefficients::START`]; `block_at` gives a hospital's block at
/// its coefficients. A step that lowers the likelihood is halved.
///
/// # Errors
/// [`FitFault::Empty`] without hospitals; [`FitFault::OneClass`] where a hospital has one class:
/// its intercept is infinite, so it is left out beforehand and named; [`FitFault::Constant`]
/// where no hospital's predictions vary; [`FitFault::NotConverged`].
pub fn fit(
    sites: usize,
    mut block_at: impl FnMut(usize, Coefficients) -> NewtonBlock,
) -> Result<SiteIntercepts, FitFault> {
    if sites == 0 {
        return Err(FitFault::Empty);
    }
    let mut slope = 1.0;
    let mut intercepts = vec![0.0; sites];
    let mut last: Option<(f64, Vec<f64>, f64)> = None;
    for _ in 0..MOST_STEPS {
        let blocks: Vec<NewtonBlock> = intercepts
            .iter()
            .enumerate()
            .map(|(site, intercept)| {
                let at = Coefficients {
                    intercept: *intercept,
                    slope,
                };
                block_at(site, at)
            })
            .collect();
        let loglik = sum_iter(blocks.iter().map(|block| block.loglik));
        if let Some((before, held, best)) = &last
            && loglik < best - 1e-9 * best.abs()
        {
            slope = f64::midpoint(*before, slope);
            for (now, held) in intercepts.iter_mut().zip(held) {
                *now = f64::midpoint(*held, *now);
            }
            continue;
        }
        let (by, changes, complement) = step(&blocks)?;
        let small = |change: f64, at: f64| change.abs() <= TOLERANCE * at.abs().max(1.0);
        let done = small(by, slope)
            && changes
                .iter()
                .zip(&intercepts)
                .all(|(change, at)| small(*change, *at));
        last = Some((slope, intercepts.clone(), loglik));
        slope += by;
        for (at, change) in intercepts.iter_mut().zip(&changes) {
            *at += change;
        }
        if done {
            let variance = |block: &NewtonBlock| {
                let [aa, ab, _] = block.information;
                1.0 / aa + (ab / aa) * (ab / aa) / complement
            };
            return Ok(SiteIntercepts {
                slope,
                slope_variance: 1.0 / complement,
                intercepts,
                intercept_variances: blocks.iter().map(variance).collect(),
                loglik,
            });
        }
    }
    Err(FitFault::NotConverged)
}
