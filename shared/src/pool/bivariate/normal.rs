//! The bivariate model of corrected logits, by restricted maximum likelihood.
//!
//! The means have a closed form at every between-site covariance, so the search runs over the
//! three entries of `L` alone. Where any site has an empty cell, one half is added to every cell
//! of every site, as the bivariate packages of R do by default.
//!
//! From: `bivariate`.
//! To: `bivariate`.

use super::{Bivariate, Counts, admit, covariance_of, plain};
use crate::numeric::minimise::minimise;
use crate::numeric::sum::count;
use crate::pool::binomial_normal::CountsFault;
use crate::pool::random_effects::RandomEffects;

/// A site's pair of logits and their variances.
struct Pair {
    y: [f64; 2],
    v: [f64; 2],
}

/// Fits the model to the sites that have events and non-events.
///
/// # Errors
/// [`CountsFault`]: fewer than two such sites, one-sided counts, no maximum.
pub fn normal(sites: &[Counts]) -> Result<Bivariate, CountsFault> {
    let sites = admit(sites, |site| {
        site.sensitivity().n > 0 && site.false_positive_rate().n > 0
    })?;
    let pairs = corrected(&sites);
    let k = pairs.len();
    let loss =
        |p: &[f64]| -restricted(&pairs, [p[0], p[1], p[2]]).map_or(f64::NEG_INFINITY, |f| f.0);
    let [first, second] = [0, 1].map(|which| spread(&pairs, which));
    let start = |rho: f64| {
        let inside = (1.0 - rho * rho).sqrt();
        [first, second * rho, second * inside]
    };
    let best = [0.0, 0.7, -0.7]
        .iter()
        .filter_map(|rho| minimise(loss, &start(*rho)))
        .min_by(|a, b| a.value.total_cmp(&b.value))
        .ok_or(CountsFault::NotConverged)?;
    // The boundary by itself: a search over both entries alone ends on it exactly.
    let edge = minimise(|p| loss(&[p[0], p[1], 0.0]), &[best.at[0], best.at[1]]);
    let triangle = match edge {
        Some(edge) if edge.value <= best.value + 1e-8 => [edge.at[0], edge.at[1], 0.0],
        Some(_) | None => [best.at[0], best.at[1], best.at[2]],
    };
    let triangle = plain(triangle);
    let (log_likelihood, mean, covariance) =
        restricted(&pairs, triangle).ok_or(CountsFault::NotConverged)?;
    let (tau2, rho, boundary) = covariance_of(triangle);
    Ok(Bivariate {
        k,
        mean,
        covariance,
        tau2,
        rho,
        boundary,
        log_likelihood,
    })
}

fn corrected(sites: &[Counts]) -> Vec<Pair> {
    let empty = sites.iter().any(|site| {
        [
            site.true_positive,
            site.false_negative,
            site.false_positive,
            site.true_negative,
        ]
        .contains(&0)
    });
    let extra = if empty { 0.5 } else { 0.0 };
    let logit = |x: u64, rest: u64| {
        let (x, rest) = (count(x) + extra, count(rest) + extra);
        (libm::log(x / rest), 1.0 / x + 1.0 / rest)
    };
    sites
        .iter()
        .map(|site| {
            let (y0, v0) = logit(site.true_positive, site.false_negative);
            let (y1, v1) = logit(site.false_positive, site.true_negative);
            Pair {
                y: [y0, y1],
                v: [v0, v1],
            }
        })
        .collect()
}

/// Where the search for a between-site standard deviation starts: one margin by itself.
fn spread(pairs: &[Pair], which: usize) -> f64 {
    let yi: Vec<f64> = pairs.iter().map(|pair| pair.y[which]).collect();
    let vi: Vec<f64> = pairs.iter().map(|pair| pair.v[which]).collect();
    let tau2 = RandomEffects::fit(&yi, &vi, 0.95).map_or(0.1, |fit| fit.tau2);
    tau2.max(0.01).sqrt()
}

type Fit = (f64, [f64; 2], [[f64; 2]; 2]);

/// Restricted log likelihood, means and their covariance at one `L`.
fn restricted(pairs: &[Pair], [a, b, c]: [f64; 3]) -> Option<Fit> {
    let between = [[a * a, a * b], [a * b, b * b + c * c]];
    let (mut information, mut right, mut logs) = ([[0.0; 2]; 2], [0.0; 2], 0.0);
    let mut weights = Vec::with_capacity(pairs.len());
    for pair in pairs {
        let total = [
            [pair.v[0] + between[0][0], between[0][1]],
            [between[1][0], pair.v[1] + between[1][1]],
        ];
        let (weight, determinant) = invert(total)?;
        logs += libm::log(determinant);
        for i in 0..2 {
            for j in 0..2 {
                information[i][j] += weight[i][j];
                right[i] += weight[i][j] * pair.y[j];
            }
        }
        weights.push(weight);
    }
    let (covariance, determinant) = invert(information)?;
    let mean = [0, 1].map(|i| covariance[i][0] * right[0] + covariance[i][1] * right[1]);
    let mut q = 0.0;
    for (pair, weight) in pairs.iter().zip(&weights) {
        let gap = [pair.y[0] - mean[0], pair.y[1] - mean[1]];
        q += gap[0] * (weight[0][0] * gap[0] + weight[0][1] * gap[1])
            + gap[1] * (weight[1][0] * gap[0] + weight[1][1] * gap[1]);
    }
    let k = count(pairs.len() as u64);
    let constant = (k - 1.0) * libm::log(2.0 * core::f64::consts::PI) - libm::log(k);
    let value = -constant - 0.5 * (logs + libm::log(determinant) + q);
    value.is_finite().then_some((value, mean, covariance))
}

/// Inverse and determinant of a positive definite matrix of two rows.
fn invert(m: [[f64; 2]; 2]) -> Option<([[f64; 2]; 2], f64)> {
    let determinant = m[0][0] * m[1][1] - m[0][1] * m[1][0];
    let usable = determinant > 0.0 && determinant.is_finite() && m[0][0] > 0.0;
    usable.then(|| {
        let inverse = [
            [m[1][1] / determinant, -m[0][1] / determinant],
            [-m[1][0] / determinant, m[0][0] / determinant],
        ];
        (inverse, determinant)
    })
}
