//! Random-effects regression of site estimates on what differs between sites.
//!
//! `y_i ~ N(x_i' beta, v_i + tau2)`, `tau2` by restricted maximum likelihood (Thompson and Sharp
//! 1999, doi:10.1002/(SICI)1097-0258(19991030)18:20<2693::AID-SIM235>3.0.CO;2-V), standard
//! errors and the moderators' test after Knapp and Hartung (2003, doi:10.1002/sim.1482): the
//! factor `q = sum w (y - x' beta)^2 / (k - p)` on the covariance, `t(k - p)` and `F(m, k - p)`.
//! Defined as metafor's `rma(yi, vi, mods = ~ ..., test = "knha")`.
//!
//! Edge cases: below ten sites no regression (decision C16), since a handful of sites fit any
//! line; collinear or constant moderators are a status; moderators of a site describe the site,
//! never its patients (ecological bias: Berlin et al. 2002, doi:10.1002/sim.1023).
//!
//! From: checked site estimates, sites' declared properties.
//! To: `analysis`.

use super::random_effects::{Inference, Method, PoolFault, RandomEffects};
use crate::numeric::distribution::{
    bisect, f_sf, normal_critical, normal_two_sided, t_critical, t_two_sided,
};
use crate::numeric::linear::{Cholesky, Square};
use crate::numeric::sum::{Neumaier, count, sum_iter};
use crate::numeric::{Interval, Test};

/// Fewest sites of a regression (decision C16).
pub const LEAST_SITES: usize = 10;

/// Why there is no regression.
#[derive(Clone, Copy, Debug, Eq, PartialEq, thiserror::Error)]
pub enum RegressionFault {
    /// Fewer than [`LEAST_SITES`], or no degree of freedom left beside the moderators.
    #[error("{sites} sites are too few for a regression over sites")]
    TooFewSites {
        /// The sites there are.
        sites: usize,
    },
    /// A moderator is constant, or follows from the others, or is not a finite number.
    #[error("a moderator does not differ between sites beside the others")]
    Collinear,
    /// No moderator was named, or one has another number of values than there are sites.
    #[error("moderators and sites do not match")]
    Shape,
    /// The site estimates cannot be pooled.
    #[error(transparent)]
    Pool(#[from] PoolFault),
}

/// One coefficient.
#[derive(Clone, Copy, Debug, PartialEq)]
pub struct Coefficient {
    /// The estimate, on the pooling scale per unit of the moderator.
    pub estimate: f64,
    /// Its standard error.
    pub standard_error: f64,
    /// Two-sided p value of 0; `None` if the standard error is 0.
    pub p: Option<f64>,
    /// Its interval; `None` if the standard error is 0.
    pub interval: Option<Interval>,
}

/// The test that no moderator matters.
#[derive(Clone, Copy, Debug, PartialEq)]
pub struct ModeratorTest {
    /// F, or chi-squared under the normal law.
    pub statistic: f64,
    /// Number of moderators.
    pub df1: u32,
    /// `k - p`; `None` under the normal law.
    pub df2: Option<u32>,
    /// Its p value.
    pub p: f64,
}

/// A fitted regression.
#[derive(Clone, Debug, PartialEq)]
pub struct MetaRegression {
    /// Sites.
    pub k: usize,
    /// Intercept first, then the moderators in the order given.
    pub coefficients: Vec<Coefficient>,
    /// Between-site variance left beside the moderators (REML).
    pub tau2: f64,
    /// The same without moderators.
    pub tau2_without: f64,
    /// Share of the between-site variance that goes with the moderators, percent, cut at 0;
    /// `None` where there was none to begin with.
    pub r2: Option<f64>,
    /// The test of the moderators.
    pub moderators: ModeratorTest,
    /// Test of heterogeneity left beside the moderators.
    pub residual: Test,
}

/// Regresses estimates `yi` with variances `vi` on `moderators` (one slice of `k` values each),
/// an intercept included.
///
/// # Errors
/// [`RegressionFault`].
pub fn regress(
    yi: &[f64],
    vi: &[f64],
    moderators: &[&[f64]],
    level: f64,
    inference: Inference,
) -> Result<MetaRegression, RegressionFault> {
    let k = yi.len();
    if moderators.is_empty() || moderators.iter().any(|values| values.len() != k) {
        return Err(RegressionFault::Shape);
    }
    let p = moderators.len() + 1;
    if k < LEAST_SITES || k <= p + 1 {
        return Err(RegressionFault::TooFewSites { sites: k });
    }
    let without = RandomEffects::fit_with(yi, vi, level, Method::Reml)?;
    let columns = moderators
        .iter()
        .map(|values| Column::of(values))
        .collect::<Option<Vec<_>>>()
        .ok_or(RegressionFault::Collinear)?;
    let model = Model {
        yi,
        vi,
        columns: &columns,
    };
    let tau2 = model.tau2()?;
    let fit = model.at(tau2).ok_or(RegressionFault::Collinear)?;
    let df = k - p;
    let factor = fit.q / count(df as u64);
    let factor = match inference {
        Inference::Normal => 1.0,
        Inference::Hksj => factor,
        Inference::HksjGuarded => factor.max(1.0),
    };
    let law = Law::of(inference, df, level)?;
    let residual = model.at(0.0).ok_or(RegressionFault::Collinear)?.q;
    let df = u32::try_from(df).map_err(|_| RegressionFault::Shape)?;
    Ok(MetaRegression {
        k,
        coefficients: model.coefficients(&fit, factor, &law),
        tau2,
        tau2_without: without.tau2,
        r2: (without.tau2 > 0.0).then(|| (100.0 * (without.tau2 - tau2) / without.tau2).max(0.0)),
        moderators: model.moderator_test(&fit, factor, &law)?,
        residual: Test::chi2(residual, df).ok_or(PoolFault::NotConverged)?,
    })
}

/// A moderator brought to mean 0 and standard deviation 1, so that years and shares alike keep
/// their digits.
struct Column {
    mean: f64,
    sd: f64,
    scaled: Vec<f64>,
}

impl Column {
    fn of(values: &[f64]) -> Option<Self> {
        let moments = crate::numeric::sum::Moments::of(values)?;
        let sd = moments.standard_deviation()?;
        let usable = sd.is_finite() && sd > 1e-12 * moments.mean.abs();
        usable.then(|| Self {
            mean: moments.mean,
            sd,
            scaled: values.iter().map(|x| (x - moments.mean) / sd).collect(),
        })
    }
}

/// The law that coefficients refer to.
enum Law {
    Normal { critical: f64 },
    Student { critical: f64, df: f64 },
}

impl Law {
    fn of(inference: Inference, df: usize, level: f64) -> Result<Self, PoolFault> {
        let df = count(df as u64);
        let law = match inference {
            Inference::Normal => normal_critical(level).map(|critical| Self::Normal { critical }),
            Inference::Hksj | Inference::HksjGuarded => {
                t_critical(level, df).map(|critical| Self::Student { critical, df })
            }
        };
        law.ok_or(PoolFault::Level)
    }

    fn coefficient(&self, estimate: f64, variance: f64) -> Coefficient {
        let standard_error = variance.max(0.0).sqrt();
        let usable = standard_error > 0.0;
        let statistic = usable.then(|| estimate / standard_error);
        let (p, critical) = match self {
            Self::Normal { critical } => (statistic.and_then(normal_two_sided), critical),
            Self::Student { critical, df } => {
                (statistic.and_then(|t| t_two_sided(t, *df)), critical)
            }
        };
        let interval = usable
            .then(|| Interval::around(estimate, critical * standard_error))
            .flatten();
        Coefficient {
            estimate,
            standard_error,
            p,
            interval,
        }
    }
}

struct Model<'a> {
    yi: &'a [f64],
    vi: &'a [f64],
    columns: &'a [Column],
}

/// The weighted least-squares fit at one between-site variance, in scaled moderators.
struct Fit {
    beta: Vec<f64>,
    factor: Cholesky,
    q: f64,
    /// Twice the derivative of the restricted log likelihood.
    slope: f64,
    log_likelihood: f64,
}

/// Points of the scan for the highest likelihood.
const SCAN_POINTS: u32 = 400;

impl Model<'_> {
    fn row(&self, site: usize, column: usize) -> f64 {
        column
            .checked_sub(1)
            .map_or(1.0, |moderator| self.columns[moderator].scaled[site])
    }

    /// `X' W^power X`.
    fn cross(&self, tau2: f64, power: i32) -> Square {
        let p = self.columns.len() + 1;
        let weight = |v: &f64| (0..power).fold(1.0, |w, _| w / (v + tau2));
        Square::from_fn(p, |i, j| {
            sum_iter(
                self.vi
                    .iter()
                    .enumerate()
                    .map(|(site, v)| weight(v) * self.row(site, i) * self.row(site, j)),
            )
        })
    }

    fn at(&self, tau2: f64) -> Option<Fit> {
        let p = self.columns.len() + 1;
        let information = self.cross(tau2, 1);
        let factor = information.cholesky()?;
        let right: Vec<f64> = (0..p)
            .map(|i| {
                let terms = self.vi.iter().zip(self.yi).enumerate();
                sum_iter(terms.map(|(site, (v, y))| self.row(site, i) * y / (v + tau2)))
            })
            .collect();
        let beta = factor.solve(&right);
        let (mut q, mut quadratic, mut logs) = (
            Neumaier::default(),
            Neumaier::default(),
            Neumaier::default(),
        );
        let mut weights = Neumaier::default();
        for (site, (v, y)) in self.vi.iter().zip(self.yi).enumerate() {
            let w = 1.0 / (v + tau2);
            let fitted: f64 = beta
                .iter()
                .enumerate()
                .map(|(i, b)| b * self.row(site, i))
                .sum();
            let gap = y - fitted;
            q.add(w * gap * gap);
            quadratic.add(w * w * gap * gap);
            weights.add(w);
            logs.add(libm::log(v + tau2));
        }
        let inverse = factor.inverse();
        let trace = weights.total() - inverse.times(&self.cross(tau2, 2)).trace();
        let q = q.total();
        Some(Fit {
            slope: quadratic.total() - trace,
            log_likelihood: -0.5 * (logs.total() + factor.log_determinant() + q),
            beta,
            factor,
            q,
        })
    }

    /// The highest restricted likelihood on a geometric grid, halved to the last bit.
    fn tau2(&self) -> Result<f64, RegressionFault> {
        let origin = self.at(0.0).ok_or(RegressionFault::Collinear)?;
        let smallest = self.vi.iter().copied().fold(f64::INFINITY, f64::min);
        let first = self.yi.first().copied().unwrap_or(0.0);
        let gap = |y: &f64| (y - first) * (y - first);
        let reach = self.yi.iter().map(gap).fold(0.0, f64::max);
        let (lowest, highest) = (1e-6 * smallest, 10.0 * reach + smallest);
        let ratio = libm::log(highest / lowest) / f64::from(SCAN_POINTS);
        // Place 0 is the origin itself.
        let point = |place: u32| match place.checked_sub(1) {
            None => 0.0,
            Some(place) => lowest * libm::exp(ratio * f64::from(place)),
        };
        let mut best = (0, origin.log_likelihood);
        for place in 1..=SCAN_POINTS + 1 {
            let fit = self.at(point(place)).ok_or(RegressionFault::Collinear)?;
            if fit.log_likelihood > best.1 {
                best = (place, fit.log_likelihood);
            }
        }
        if best.0 == 0 && origin.slope <= 0.0 {
            return Ok(0.0);
        }
        let rising = |tau2: f64| self.at(tau2).is_some_and(|fit| fit.slope > 0.0);
        Ok(bisect(
            point(best.0.saturating_sub(1)),
            point(best.0 + 1),
            rising,
        ))
    }

    /// Coefficients per unit of the moderators as given.
    fn coefficients(&self, fit: &Fit, factor: f64, law: &Law) -> Vec<Coefficient> {
        let p = self.columns.len() + 1;
        let covariance = fit.factor.inverse();
        // Row of the transformation back to the moderators' own units.
        let row = |out: usize| -> Vec<f64> {
            (0..p)
                .map(|from| match (out, from.checked_sub(1)) {
                    (0, None) => 1.0,
                    (0, Some(moderator)) => {
                        -self.columns[moderator].mean / self.columns[moderator].sd
                    }
                    (_, Some(moderator)) if out == from => 1.0 / self.columns[moderator].sd,
                    (_, _) => 0.0,
                })
                .collect()
        };
        (0..p)
            .map(|out| {
                let row = row(out);
                let dot =
                    |values: &[f64]| -> f64 { row.iter().zip(values).map(|(a, b)| a * b).sum() };
                law.coefficient(dot(&fit.beta), factor * dot(&covariance.apply(&row)))
            })
            .collect()
    }

    /// Wald's test of all moderators; it does not depend on their units.
    fn moderator_test(
        &self,
        fit: &Fit,
        factor: f64,
        law: &Law,
    ) -> Result<ModeratorTest, RegressionFault> {
        let m = self.columns.len();
        let covariance = fit.factor.inverse();
        let block = Square::from_fn(m, |i, j| covariance.at(i + 1, j + 1));
        let beta = &fit.beta[1..];
        let solved = block
            .cholesky()
            .ok_or(RegressionFault::Collinear)?
            .solve(beta);
        let wald: f64 = beta.iter().zip(&solved).map(|(a, b)| a * b).sum();
        let df1 = u32::try_from(m).map_err(|_| RegressionFault::Shape)?;
        if factor <= 0.0 {
            return Err(PoolFault::NotConverged.into());
        }
        let found = match law {
            Law::Normal { .. } => Test::chi2(wald, df1).map(|test| ModeratorTest {
                statistic: test.statistic,
                df1,
                df2: None,
                p: test.p,
            }),
            Law::Student { df, .. } => {
                let statistic = wald / (factor * f64::from(df1));
                f_sf(statistic, f64::from(df1), *df).map(|p| ModeratorTest {
                    statistic,
                    df1,
                    df2: u32::try_from(self.yi.len() - m - 1).ok(),
                    p,
                })
            }
        };
        found.ok_or_else(|| PoolFault::NotConverged.into())
    }
}

#[cfg(test)]
mod tests;
