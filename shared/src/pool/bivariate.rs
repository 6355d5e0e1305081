//! Sensitivity and specificity over sites together: they move against each other along the ROC
//! curve, so pooling one without the other misstates both.
//!
//! Two models of the same pair, logit sensitivity and logit false positive rate, with a normal
//! law of three parameters between sites:
//!
//! * [`binomial`], primary (decision C16): binomial counts within sites, maximum likelihood
//!   (Chu and Cole 2006, doi:10.1016/j.jclinepi.2006.06.011), adaptive Gauss-Hermite quadrature;
//! * [`normal`], for comparison: corrected logits with their variances, restricted maximum
//!   likelihood (Reitsma et al. 2005, doi:10.1016/j.jclinepi.2005.02.022), as metafor's
//!   `rma.mv(yi, vi, mods = ~ 0 + out, random = ~ out | id, struct = "UN")`.
//!
//! The covariance between sites is written `L L'`, so that its boundary is an ordinary point of
//! the search. With few sites the maximum often lies on that boundary, `|rho| = 1` or a variance
//! of 0: the summary point stands, the shape of a region does not, and none is drawn. Below five
//! sites none is drawn either (decision C16).
//!
//! Regions after Harbord et al. (2007, doi:10.1093/biostatistics/kxl004): the ellipse of logits
//! with the bound `2 F(2, k - 2)`; for the next site with the between-site covariance added.
//!
//! From: exact 2x2 tables of sites.
//! To: `analysis`.

use super::binomial_normal::{CountsFault, Share};
use crate::numeric::Interval;
use crate::numeric::distribution::t_critical;

mod binomial;
mod normal;

pub use binomial::binomial;
pub use normal::normal;

/// Fewest sites for a region (decision C16).
pub const REGION_SITES: usize = 5;

/// A correlation this close to 1, either way, lies on the boundary.
const EDGE: f64 = 1e-6;

/// A between-site standard deviation below this is 0.
const NO_SPREAD: f64 = 1e-4;

/// A site's 2x2 table at a threshold.
#[derive(Clone, Copy, Debug, Eq, PartialEq)]
pub struct Counts {
    /// Events at or above the threshold.
    pub true_positive: u64,
    /// Events below it.
    pub false_negative: u64,
    /// Non-events at or above it.
    pub false_positive: u64,
    /// Non-events below it.
    pub true_negative: u64,
}

impl Counts {
    /// True positives among events.
    pub fn sensitivity(&self) -> Share {
        Share {
            events: self.true_positive,
            n: self.true_positive + self.false_negative,
        }
    }

    /// False positives among non-events.
    pub fn false_positive_rate(&self) -> Share {
        Share {
            events: self.false_positive,
            n: self.false_positive + self.true_negative,
        }
    }
}

/// Whether the between-site covariance is on the edge of what a covariance can be.
#[derive(Clone, Copy, Debug, Eq, PartialEq)]
pub enum Boundary {
    /// It is not.
    Inside,
    /// The correlation is 1 or -1.
    Correlation,
    /// A variance is 0, so that there is no correlation.
    Variance,
}

/// A fitted pair. Index 0 is logit sensitivity, index 1 logit false positive rate.
#[derive(Clone, Debug, PartialEq)]
pub struct Bivariate {
    /// Sites with a case in the model.
    pub k: usize,
    /// Means of the logits.
    pub mean: [f64; 2],
    /// Covariance matrix of the means.
    pub covariance: [[f64; 2]; 2],
    /// Between-site variances.
    pub tau2: [f64; 2],
    /// Between-site correlation; `None` where a variance is 0.
    pub rho: Option<f64>,
    /// Whether the fit lies on the boundary.
    pub boundary: Boundary,
    /// Maximised log likelihood (restricted for [`normal`]; without coefficients for
    /// [`binomial`]).
    pub log_likelihood: f64,
}

/// A region around the summary point, as `(false positive rate, sensitivity)` on the natural
/// scale, in order around the ellipse.
pub type Outline = Vec<[f64; 2]>;

impl Bivariate {
    /// Interval of one mean with `t(k - 1)`, logit scale; index 0 is sensitivity.
    pub fn interval(&self, index: usize, level: f64) -> Option<Interval> {
        let df = u32::try_from(self.k.checked_sub(1)?).ok()?;
        let critical = t_critical(level, f64::from(df))?;
        let variance = self.covariance.get(index)?.get(index)?;
        Interval::around(*self.mean.get(index)?, critical * variance.sqrt())
    }

    /// Where the mean point lies at confidence `level`; `None` below [`REGION_SITES`] sites and
    /// on the boundary.
    pub fn confidence_region(&self, level: f64, points: u32) -> Option<Outline> {
        self.outline(self.covariance, level, points)
    }

    /// Where the next site's true point lies; `None` as for [`Bivariate::confidence_region`].
    pub fn prediction_region(&self, level: f64, points: u32) -> Option<Outline> {
        let rho = self.rho?;
        let both = rho * (self.tau2[0] * self.tau2[1]).sqrt();
        let c = self.covariance;
        let total = [
            [c[0][0] + self.tau2[0], c[0][1] + both],
            [c[1][0] + both, c[1][1] + self.tau2[1]],
        ];
        self.outline(total, level, points)
    }

    fn outline(&self, covariance: [[f64; 2]; 2], level: f64, points: u32) -> Option<Outline> {
        if self.k < REGION_SITES || self.boundary != Boundary::Inside || points == 0 {
            return None;
        }
        if !(level > 0.0 && level < 1.0) {
            return None;
        }
        // The quantile of F with 2 and d degrees of freedom has a closed form.
        let d = crate::numeric::sum::count((self.k - 2) as u64);
        let radius = (d * (libm::pow(1.0 - level, -2.0 / d) - 1.0)).sqrt();
        let a = covariance[0][0].sqrt();
        let b = covariance[0][1] / a;
        let c = (covariance[1][1] - b * b).sqrt();
        let point = |i: u32| {
            let angle = 2.0 * core::f64::consts::PI * f64::from(i) / f64::from(points);
            let (x, y) = (radius * libm::cos(angle), radius * libm::sin(angle));
            let sensitivity = super::binomial_normal::chance(self.mean[0] + a * x);
            let rate = super::binomial_normal::chance(self.mean[1] + b * x + c * y);
            [rate, sensitivity]
        };
        let outline: Outline = (0..points).map(point).collect();
        let finite = outline.iter().flatten().all(|value| value.is_finite());
        finite.then_some(outline)
    }
}

/// The lower triangle `[a, b, c]` of `L` in its plain form: no negative diagonal, and rows of
/// zeros where a variance is 0.
fn plain([a, b, c]: [f64; 3]) -> [f64; 3] {
    let second = (b * b + c * c).sqrt();
    match (a.abs() < NO_SPREAD, second < NO_SPREAD) {
        (true, true) => [0.0; 3],
        (true, false) => [0.0, 0.0, second],
        (false, true) => [a.abs(), 0.0, 0.0],
        (false, false) => {
            let rho = b / second;
            let b = if a < 0.0 { -b } else { b };
            if rho.abs() >= 1.0 - EDGE {
                [a.abs(), if b < 0.0 { -second } else { second }, 0.0]
            } else {
                [a.abs(), b, c.abs()]
            }
        }
    }
}

/// Variances, correlation and boundary of a plain triangle.
fn covariance_of([a, b, c]: [f64; 3]) -> ([f64; 2], Option<f64>, Boundary) {
    let second = b * b + c * c;
    if a == 0.0 || second == 0.0 {
        return ([a * a, second], None, Boundary::Variance);
    }
    let rho = (b / second.sqrt()).clamp(-1.0, 1.0);
    let boundary = if c == 0.0 {
        Boundary::Correlation
    } else {
        Boundary::Inside
    };
    ([a * a, second], Some(rho), boundary)
}

/// Sites with a case in the model, or why there are too few.
fn admit(sites: &[Counts], usable: impl Fn(&Counts) -> bool) -> Result<Vec<Counts>, CountsFault> {
    let sites: Vec<Counts> = sites.iter().copied().filter(usable).collect();
    let sum = |of: fn(&Counts) -> Share| {
        sites
            .iter()
            .map(of)
            .fold(Share { events: 0, n: 0 }, |a, b| Share {
                events: a.events + b.events,
                n: a.n + b.n,
            })
    };
    let (events, non_events) = (sum(Counts::sensitivity), sum(Counts::false_positive_rate));
    if sites.len() < 2 || events.n == 0 || non_events.n == 0 {
        return Err(CountsFault::TooFewSites);
    }
    let one_sided = |share: Share| share.events == 0 || share.events == share.n;
    if one_sided(events) || one_sided(non_events) {
        return Err(CountsFault::OneSided);
    }
    Ok(sites)
}

#[cfg(test)]
mod tests;
