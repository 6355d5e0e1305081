//! The bivariate model of counts, by maximum likelihood.
//!
//! Each site's likelihood is an integral over its own two logits, taken by adaptive
//! Gauss-Hermite quadrature with 7 x 7 nodes around the integrand's mode. A site without events
//! or without non-events enters with the half it has.
//!
//! From: `bivariate`.
//! To: `bivariate`.

use super::{Bivariate, Boundary, Counts, NO_SPREAD, admit, covariance_of, normal, plain};
use crate::numeric::linear::Square;
use crate::numeric::minimise::{Minimum, curvature, minimise};
use crate::numeric::quadrature::{Node, gauss_hermite};
use crate::numeric::sum::{Neumaier, count, sum_iter};
use crate::pool::binomial_normal::{CountsFault, Share, chance, kernel};

/// Nodes per dimension.
const NODES: usize = 7;

/// Fits the model to the sites that have a case.
///
/// # Errors
/// [`CountsFault`]: fewer than two sites, one-sided counts, no maximum.
pub fn binomial(sites: &[Counts]) -> Result<Bivariate, CountsFault> {
    let sites = admit(sites, |site| {
        site.sensitivity().n + site.false_positive_rate().n > 0
    })?;
    let rule = gauss_hermite(NODES);
    let halves: Vec<[Share; 2]> = sites
        .iter()
        .map(|site| [site.sensitivity(), site.false_positive_rate()])
        .collect();
    let loss = |p: &[f64]| -log_likelihood(&halves, &rule, p);
    let best = search(loss, &sites)?;
    let triangle = plain([best.at[2], best.at[3], best.at[4]]);
    let at = [
        best.at[0],
        best.at[1],
        triangle[0],
        triangle[1],
        triangle[2],
    ];
    let at = settle(loss, at);
    let triangle = [at[2], at[3], at[4]];
    let covariance = covariance(loss, at).ok_or(CountsFault::NotConverged)?;
    let (tau2, rho, boundary) = covariance_of(triangle);
    Ok(Bivariate {
        k: sites.len(),
        mean: [at[0], at[1]],
        covariance,
        tau2,
        rho,
        boundary,
        log_likelihood: -loss(&at),
    })
}

/// The best of a few searches, and of those along the boundary.
fn search(loss: impl Fn(&[f64]) -> f64 + Copy, sites: &[Counts]) -> Result<Minimum, CountsFault> {
    let mut starts = vec![[common(sites, 0), common(sites, 1), 0.5, 0.0, 0.5]];
    if let Ok(near) = normal(sites) {
        let [first, second] = near.tau2.map(|tau2| tau2.sqrt().max(0.1));
        let rho = near.rho.unwrap_or(0.0).clamp(-0.9, 0.9);
        let inside = (1.0 - rho * rho).sqrt();
        starts.insert(
            0,
            [
                near.mean[0],
                near.mean[1],
                first,
                second * rho,
                second * inside,
            ],
        );
    }
    let best = starts
        .iter()
        .filter_map(|start| minimise(loss, start))
        .min_by(|a, b| a.value.total_cmp(&b.value))
        .ok_or(CountsFault::NotConverged)?;
    // Next to the boundary, a search along it ends on it exactly.
    let second = (best.at[3] * best.at[3] + best.at[4] * best.at[4]).sqrt();
    if best.at[4].abs() > 0.3 * second.max(NO_SPREAD) {
        return Ok(best);
    }
    let along = |p: &[f64]| loss(&[p[0], p[1], p[2], p[3], 0.0]);
    match minimise(along, &best.at[..4]) {
        Some(mut edge) if edge.value <= best.value + 1e-8 => {
            edge.at.push(0.0);
            Ok(edge)
        }
        Some(_) | None => Ok(best),
    }
}

/// The logit of a half's proportion over all sites.
fn common(sites: &[Counts], half: usize) -> f64 {
    let share = |site: &Counts| [site.sensitivity(), site.false_positive_rate()][half];
    let events: u64 = sites.iter().map(|site| share(site).events).sum();
    let n: u64 = sites.iter().map(|site| share(site).n).sum();
    libm::log(count(events) / count(n - events))
}

/// The parameters that are not held by the boundary.
fn free(at: [f64; 5]) -> Vec<usize> {
    let (_, _, boundary) = covariance_of([at[2], at[3], at[4]]);
    match boundary {
        Boundary::Inside => vec![0, 1, 2, 3, 4],
        Boundary::Correlation => vec![0, 1, 2, 3],
        Boundary::Variance => (0..5).filter(|i| *i < 2 || at[*i] != 0.0).collect(),
    }
}

fn placed(at: [f64; 5], free: &[usize], values: &[f64]) -> [f64; 5] {
    let mut point = at;
    free.iter().zip(values).for_each(|(i, x)| point[*i] = *x);
    point
}

/// The maximum again, with what the boundary holds held.
fn settle(loss: impl Fn(&[f64]) -> f64, at: [f64; 5]) -> [f64; 5] {
    let free = free(at);
    if free.len() == at.len() {
        return at;
    }
    let start: Vec<f64> = free.iter().map(|i| at[*i]).collect();
    minimise(|p| loss(&placed(at, &free, p)), &start)
        .map_or(at, |found| placed(at, &free, &found.at))
}

/// Covariance of the means from the curvature, over the free parameters.
fn covariance(loss: impl Fn(&[f64]) -> f64, at: [f64; 5]) -> Option<[[f64; 2]; 2]> {
    let free = free(at);
    let start: Vec<f64> = free.iter().map(|i| at[*i]).collect();
    let information: Square = curvature(|p| loss(&placed(at, &free, p)), &start)?;
    let inverse = information.cholesky()?.inverse();
    Some([0, 1].map(|i| [inverse.at(i, 0), inverse.at(i, 1)]))
}

fn log_likelihood(sites: &[[Share; 2]], rule: &[Node], p: &[f64]) -> f64 {
    sum_iter(sites.iter().map(|site| site_log_likelihood(site, rule, p)))
}

/// A site's integral. `p` is the two means and the triangle `a`, `b`, `c`.
fn site_log_likelihood(site: &[Share; 2], rule: &[Node], p: &[f64]) -> f64 {
    let logits = |z: [f64; 2]| [p[0] + p[2] * z[0], p[1] + p[3] * z[0] + p[4] * z[1]];
    let height = |z: [f64; 2]| {
        let [first, second] = logits(z);
        kernel(&site[0], first) + kernel(&site[1], second) - (z[0] * z[0] + z[1] * z[1]) / 2.0
    };
    let (mode, bend) = mode(site, p, &logits, &height);
    // The inverse of the bend, as a triangle: the width of the integrand.
    let determinant = bend[0] * bend[2] - bend[1] * bend[1];
    let first = (bend[2] / determinant).sqrt();
    let cross = -bend[1] / determinant / first;
    let second = (1.0 / bend[2]).sqrt();
    let top = height(mode);
    let mut mass = Neumaier::default();
    for a in rule {
        for b in rule {
            let z = [
                mode[0] + first * a.at,
                mode[1] + cross * a.at + second * b.at,
            ];
            let rise = height(z) - top + (a.at * a.at + b.at * b.at) / 2.0;
            mass.add(a.weight * b.weight * libm::exp(rise));
        }
    }
    top + libm::log(first * second * mass.total())
}

/// Where the concave integrand is highest, and its negative second derivatives there (first,
/// mixed, second).
fn mode(
    site: &[Share; 2],
    p: &[f64],
    logits: &impl Fn([f64; 2]) -> [f64; 2],
    height: &impl Fn([f64; 2]) -> f64,
) -> ([f64; 2], [f64; 3]) {
    let mut z = [0.0, 0.0];
    let mut bend = [1.0, 0.0, 1.0];
    for _ in 0..100 {
        let chances = logits(z).map(chance);
        let part = |i: usize| {
            let n = count(site[i].n);
            let slope = count(site[i].events) - n * chances[i];
            (slope, n * chances[i] * (1.0 - chances[i]))
        };
        let ((s0, w0), (s1, w1)) = (part(0), part(1));
        let slope = [p[2] * s0 + p[3] * s1 - z[0], p[4] * s1 - z[1]];
        bend = [
            p[2] * p[2] * w0 + p[3] * p[3] * w1 + 1.0,
            p[3] * p[4] * w1,
            p[4] * p[4] * w1 + 1.0,
        ];
        let determinant = bend[0] * bend[2] - bend[1] * bend[1];
        let step = [
            (bend[2] * slope[0] - bend[1] * slope[1]) / determinant,
            (bend[0] * slope[1] - bend[1] * slope[0]) / determinant,
        ];
        let reach = step[0].abs().max(step[1].abs());
        let mut length = 1.0;
        let moved = |length: f64| [z[0] + length * step[0], z[1] + length * step[1]];
        while height(moved(length)) < height(z) && length * reach > 1e-12 {
            length /= 2.0;
        }
        z = moved(length);
        if reach <= 1e-10 {
            break;
        }
    }
    (z, bend)
}
