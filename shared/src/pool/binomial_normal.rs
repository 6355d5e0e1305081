//! One proportion over sites, from counts: a binomial count within a site, a normal logit between
//! sites.
//!
//! `x_i ~ Bin(n_i, p_i)`, `logit p_i ~ N(mu, tau2)`, by maximum likelihood; the integral over the
//! site's own logit by adaptive Gauss-Hermite quadrature with 13 nodes (Stijnen, Hamza and Ozdemir
//! 2010, doi:10.1002/sim.4040; Pinheiro and Bates 1995, doi:10.1080/10618600.1995.10474663).
//! Defined as metafor's `rma.glmm(measure = "PLO", nAGQ = 13)`.
//!
//! A site with 0 or `n` events enters as it is: no correction is added, which is why this model
//! answers where proportions are sparse and the pool of corrected logits is biased to one half.
//! The interval is Wald's on the logit scale, normal and with `t(k - 1)`; maximum likelihood
//! makes `tau2` too small with few sites, so both are a little short below ten.
//!
//! Edge cases: no event at any site, or nothing but events, leaves `mu` without an estimate;
//! `tau2 = 0` is a boundary and is said.
//!
//! From: exact counts of sites.
//! To: `analysis`.

use super::random_effects::PoolFault;
use crate::numeric::distribution::{inverse_logit, normal_critical, t_critical};
use crate::numeric::linear::Square;
use crate::numeric::minimise::{curvature, minimise};
use crate::numeric::proportion::logit_with_correction;
use crate::numeric::quadrature::{Node, gauss_hermite};
use crate::numeric::sum::{Neumaier, count, sum_iter};
use crate::numeric::{Interval, Test};

/// Nodes per site.
pub const NODES: usize = 13;

/// A standard deviation of the site logits below this is 0.
const NO_SPREAD: f64 = 1e-4;

/// Events among cases at one site.
#[derive(Clone, Copy, Debug, Eq, PartialEq)]
pub struct Share {
    /// Events.
    pub events: u64,
    /// Cases, at least the events.
    pub n: u64,
}

/// Why counts have no common proportion.
#[derive(Clone, Copy, Debug, Eq, PartialEq, thiserror::Error)]
pub enum CountsFault {
    /// Fewer than two sites with a case.
    #[error("fewer than two sites have a case")]
    TooFewSites,
    /// A site has more events than cases.
    #[error("the counts at place {0} are no proportion")]
    NotCounts(usize),
    /// All sites together have no event, or nothing but events.
    #[error("every case of every site falls on one side")]
    OneSided,
    /// The maximum was not reached, or is flat.
    #[error("the likelihood has no usable maximum")]
    NotConverged,
    /// The level leaves no usable tail.
    #[error("the confidence level is not usable")]
    Level,
}

impl From<CountsFault> for PoolFault {
    fn from(fault: CountsFault) -> Self {
        match fault {
            CountsFault::TooFewSites => Self::SingleSite,
            CountsFault::NotCounts(place) => Self::NotEstimable(place),
            CountsFault::OneSided | CountsFault::NotConverged => Self::NotConverged,
            CountsFault::Level => Self::Level,
        }
    }
}

/// A fitted binomial-normal model, on the logit scale.
#[derive(Clone, Debug, PartialEq)]
pub struct BinomialNormal {
    /// Sites with a case.
    pub k: usize,
    /// Mean of the site logits: the logit of the proportion at the median site.
    pub estimate: f64,
    /// Its standard error from the observed information.
    pub standard_error: f64,
    /// Normal interval, as metafor prints it.
    pub interval: Interval,
    /// Interval with `t(k - 1)`.
    pub interval_t: Interval,
    /// Prediction interval with `t(k - 2)`; `None` at `k = 2`.
    pub prediction: Option<Interval>,
    /// Between-site variance (maximum likelihood).
    pub tau2: f64,
    /// Whether `tau2` lies on its boundary 0.
    pub boundary: bool,
    /// Share of heterogeneity by the typical variance of corrected logits, percent; `None` at
    /// fewer than two sites' worth of weight.
    pub i2: Option<f64>,
    /// Likelihood-ratio test of one common proportion.
    pub q_likelihood: Test,
    /// Wald test of the same over the sites with events and non-events; `None` below two.
    pub q_wald: Option<Test>,
    /// Maximised log likelihood without the binomial coefficients.
    pub log_likelihood: f64,
}

/// Fits the model.
///
/// # Errors
/// [`CountsFault`].
pub fn fit(sites: &[Share], level: f64) -> Result<BinomialNormal, CountsFault> {
    if let Some(place) = sites.iter().position(|site| site.events > site.n) {
        return Err(CountsFault::NotCounts(place));
    }
    let sites: Vec<Share> = sites.iter().copied().filter(|site| site.n > 0).collect();
    let k = sites.len();
    if k < 2 {
        return Err(CountsFault::TooFewSites);
    }
    let events: u64 = sites.iter().map(|site| site.events).sum();
    let n: u64 = sites.iter().map(|site| site.n).sum();
    if events == 0 || events == n {
        return Err(CountsFault::OneSided);
    }
    let normal = normal_critical(level).ok_or(CountsFault::Level)?;
    let df = u32::try_from(k - 1).map_err(|_| CountsFault::TooFewSites)?;
    let student = t_critical(level, f64::from(df)).ok_or(CountsFault::Level)?;
    let rule = gauss_hermite(NODES);
    let (mu, sigma, log_likelihood) = maximum(&sites, &rule)?;
    let standard_error = spread(&sites, &rule, mu, sigma).ok_or(CountsFault::NotConverged)?;
    let around = |critical: f64, se: f64| {
        Interval::around(mu, critical * se).ok_or(CountsFault::NotConverged)
    };
    let tau2 = sigma * sigma;
    let prediction = (df > 1)
        .then(|| t_critical(level, f64::from(df - 1)))
        .flatten()
        .and_then(|critical| {
            Interval::around(
                mu,
                critical * (tau2 + standard_error * standard_error).sqrt(),
            )
        });
    Ok(BinomialNormal {
        k,
        estimate: mu,
        standard_error,
        interval: around(normal, standard_error)?,
        interval_t: around(student, standard_error)?,
        prediction,
        tau2,
        boundary: sigma == 0.0,
        i2: typical_variance(&sites).map(|typical| 100.0 * tau2 / (tau2 + typical)),
        q_likelihood: Test::chi2(deviance(&sites, count(events) / count(n)), df)
            .ok_or(CountsFault::NotConverged)?,
        q_wald: wald(&sites),
        log_likelihood,
    })
}

/// Mean, standard deviation and log likelihood at the maximum.
fn maximum(sites: &[Share], rule: &[Node]) -> Result<(f64, f64, f64), CountsFault> {
    let events: u64 = sites.iter().map(|site| site.events).sum();
    let n: u64 = sites.iter().map(|site| site.n).sum();
    let common = libm::log(count(events) / count(n - events));
    let loss = |p: &[f64]| -log_likelihood(sites, rule, p[0], p[1]);
    let best = [0.3, 1.0]
        .iter()
        .filter_map(|sigma| minimise(loss, &[common, *sigma]))
        .min_by(|a, b| a.value.total_cmp(&b.value))
        .ok_or(CountsFault::NotConverged)?;
    let (mu, sigma) = (best.at[0], best.at[1].abs());
    // Without spread the maximum is known: the proportion of all cases.
    let flat = -log_likelihood(sites, rule, common, 0.0);
    if sigma < NO_SPREAD || flat <= best.value + 1e-9 {
        return Ok((common, 0.0, -flat));
    }
    Ok((mu, sigma, -best.value))
}

/// Standard error of the mean from the curvature of the log likelihood.
fn spread(sites: &[Share], rule: &[Node], mu: f64, sigma: f64) -> Option<f64> {
    let information = if sigma > 0.0 {
        curvature(|p| -log_likelihood(sites, rule, p[0], p[1]), &[mu, sigma])?
    } else {
        let information: f64 = sites
            .iter()
            .map(|site| {
                let p = 1.0 / (1.0 + libm::exp(-mu));
                count(site.n) * p * (1.0 - p)
            })
            .sum();
        Square::from_fn(1, |_, _| information)
    };
    let variance = information.cholesky()?.inverse().at(0, 0);
    Some(variance.sqrt()).filter(|se| se.is_finite() && *se > 0.0)
}

fn log_likelihood(sites: &[Share], rule: &[Node], mu: f64, sigma: f64) -> f64 {
    sum_iter(
        sites
            .iter()
            .map(|site| site_log_likelihood(site, rule, mu, sigma)),
    )
}

fn site_log_likelihood(site: &Share, rule: &[Node], mu: f64, sigma: f64) -> f64 {
    let kernel = |z: f64| kernel(site, mu + sigma * z) - z * z / 2.0;
    let (x, n) = (count(site.events), count(site.n));
    // The kernel is concave: Newton's steps, halved when they overshoot, reach its mode.
    let mut mode = 0.0;
    let mut width = 1.0;
    for _ in 0..100 {
        let p = chance(mu + sigma * mode);
        let slope = sigma * (x - n * p) - mode;
        let bend = sigma * sigma * n * p * (1.0 - p) + 1.0;
        width = 1.0 / bend.sqrt();
        let mut step = slope / bend;
        while kernel(mode + step) < kernel(mode) && step.abs() > 1e-12 {
            step /= 2.0;
        }
        mode += step;
        if step.abs() <= 1e-10 {
            break;
        }
    }
    let top = kernel(mode);
    let mut mass = Neumaier::default();
    for node in rule {
        let height = kernel(mode + width * node.at) - top + node.at * node.at / 2.0;
        mass.add(node.weight * libm::exp(height));
    }
    top + libm::log(width * mass.total())
}

/// The binomial log likelihood of a site at a logit, without its coefficient.
pub(super) fn kernel(site: &Share, logit: f64) -> f64 {
    // log(1 + exp(x)) without overflow.
    let softplus = logit.max(0.0) + libm::log1p(libm::exp(-logit.abs()));
    count(site.events) * logit - count(site.n) * softplus
}

/// The inverse logit; not a number where the logit is none, which no likelihood survives.
pub(super) fn chance(logit: f64) -> f64 {
    inverse_logit(logit).unwrap_or(f64::NAN)
}

/// Twice the log likelihood ratio of each site's own proportion against the common one.
fn deviance(sites: &[Share], common: f64) -> f64 {
    let part = |observed: u64, expected: f64| {
        if observed == 0 {
            0.0
        } else {
            count(observed) * libm::log(count(observed) / expected)
        }
    };
    let total = sum_iter(sites.iter().map(|site| {
        let n = count(site.n);
        part(site.events, n * common) + part(site.n - site.events, n * (1.0 - common))
    }));
    (2.0 * total).max(0.0)
}

/// Cochran's Q of the uncorrected logits, over the sites that have one.
fn wald(sites: &[Share]) -> Option<Test> {
    let logits: Vec<(f64, f64)> = sites
        .iter()
        .filter(|site| site.events > 0 && site.events < site.n)
        .map(|site| {
            let (x, rest) = (count(site.events), count(site.n - site.events));
            (libm::log(x / rest), 1.0 / (1.0 / x + 1.0 / rest))
        })
        .collect();
    let df = u32::try_from(logits.len().checked_sub(1)?).ok()?;
    let weight = sum_iter(logits.iter().map(|(_, w)| *w));
    let mean = sum_iter(logits.iter().map(|(y, w)| y * w)) / weight;
    Test::chi2(
        sum_iter(logits.iter().map(|(y, w)| w * (y - mean) * (y - mean))),
        df,
    )
    .filter(|test| test.df > 0)
}

/// The typical sampling variance of the corrected logits.
fn typical_variance(sites: &[Share]) -> Option<f64> {
    let weights: Vec<f64> = sites
        .iter()
        .filter_map(|site| logit_with_correction(site.events, site.n))
        .map(|(_, variance)| 1.0 / variance)
        .collect();
    let total = sum_iter(weights.iter().copied());
    let squares = sum_iter(weights.iter().map(|w| w * w));
    let df = count(weights.len().checked_sub(1)? as u64);
    Some(df * total / (total * total - squares)).filter(|v| v.is_finite() && *v > 0.0)
}

#[cfg(test)]
mod tests {
    use super::*;

    fn share(events: u64, n: u64) -> Share {
        Share { events, n }
    }

    /// The likelihood by the trapezoid on a dense grid, written out afresh.
    fn dense(sites: &[Share], mu: f64, sigma: f64) -> f64 {
        let height = |site: &Share, z: f64| {
            let logit = mu + sigma * z;
            let p = 1.0 / (1.0 + libm::exp(-logit));
            let (x, n) = (site.events as f64, site.n as f64);
            libm::exp(x * libm::log(p) + (n - x) * libm::log(1.0 - p) - z * z / 2.0)
        };
        let step = 0.002;
        sites
            .iter()
            .map(|site| {
                let total: f64 = (-4500..=4500)
                    .map(|i| height(site, f64::from(i) * step) * step)
                    .sum();
                libm::log(total / (2.0 * std::f64::consts::PI).sqrt())
            })
            .sum()
    }

    #[test]
    fn the_quadrature_equals_a_dense_sum() {
        let sites = [share(0, 12), share(3, 30), share(9, 10), share(5, 5)];
        let rule = gauss_hermite(NODES);
        for (mu, sigma) in [(-1.0, 0.3), (0.4, 1.2), (1.5, 2.5)] {
            let got = log_likelihood(&sites, &rule, mu, sigma);
            assert!(
                (got - dense(&sites, mu, sigma)).abs() < 2e-5,
                "{mu} {sigma}"
            );
        }
    }

    #[test]
    fn the_maximum_is_where_a_dense_likelihood_has_it() {
        let sites = [
            share(0, 20),
            share(2, 25),
            share(9, 30),
            share(1, 40),
            share(14, 22),
        ];
        let found = fit(&sites, 0.95).unwrap();
        let (mu, sigma) = (found.estimate, found.tau2.sqrt());
        let top = dense(&sites, mu, sigma);
        for (a, b) in [(0.02, 0.0), (-0.02, 0.0), (0.0, 0.02), (0.0, -0.02)] {
            assert!(dense(&sites, mu + a, sigma + b) < top);
        }
        assert!(found.interval_t.lower < found.interval.lower && !found.boundary);
        assert!(found.prediction.unwrap().upper > found.interval_t.upper);
    }

    #[test]
    fn alike_sites_have_no_spread_and_the_binomial_error() {
        let found = fit(&[share(10, 40); 4], 0.95).unwrap();
        assert!(found.boundary && found.tau2 == 0.0);
        assert!((found.estimate - libm::log(40.0 / 120.0)).abs() < 1e-12);
        assert!((found.standard_error - (1.0_f64 / 40.0 + 1.0 / 120.0).sqrt()).abs() < 1e-12);
        assert!(found.q_likelihood.statistic.abs() < 1e-10);
    }

    #[test]
    fn what_has_no_common_proportion_is_a_status() {
        assert_eq!(fit(&[share(1, 3)], 0.95), Err(CountsFault::TooFewSites));
        assert_eq!(
            fit(&[share(1, 3), share(0, 0)], 0.95),
            Err(CountsFault::TooFewSites)
        );
        assert_eq!(fit(&[share(0, 3); 3], 0.95), Err(CountsFault::OneSided));
        assert_eq!(fit(&[share(3, 3); 3], 0.95), Err(CountsFault::OneSided));
        assert_eq!(
            fit(&[share(1, 3), share(4, 3)], 0.95),
            Err(CountsFault::NotCounts(1))
        );
        assert_eq!(fit(&[share(1, 3); 2], 1.0), Err(CountsFault::Level));
    }
}
