//! How far predicted probabilities are from observed frequencies: sums that add across
//! hospitals, intercept and slope of a logistic recalibration with their errors and tests, and
//! the distance between a prediction and its recalibration.
//!
//! Two intercepts have two names. Calibration in the large ([`in_the_large`], CITL) is the
//! intercept with the slope held at 1; the joint intercept is the one fitted beside a slope
//! ([`line()`]), which `rms::val.prob` prints as "Intercept" (Van Calster et al. 2019,
//! doi:10.1186/s12916-019-1466-7, on what each says).
//!
//! From: `statistic::calibration`.
//! To: nothing but numbers; bins and their decomposition in `bins`.

use super::exponential::exp_negative;
use super::interval::Test;
use super::logistic::{Coefficients, Fit, FitFault, Free, NewtonBlock, fit};
use super::sum::{Neumaier, count, mean};

pub mod bins;

/// Sums over rows from which O:E, Brier score, log loss and Spiegelhalter's z follow.
#[derive(Clone, Copy, Debug, Default, PartialEq)]
pub struct Sums {
    /// Rows.
    pub n: u64,
    /// Rows with the event.
    pub events: u64,
    /// Sum of predictions: expected events.
    pub p: f64,
    /// Sum of squared predictions.
    pub p2: f64,
    /// Sum of predictions of events.
    pub py: f64,
    /// Sum of `(p - y)^2`.
    pub square: f64,
    /// Sum of `p (1 - p)`: variance of the number of events if the predictions hold.
    pub spread: f64,
    /// Sum of `(y - p)(1 - 2p)`.
    pub numerator: f64,
    /// Sum of `(1 - 2p)^2 p (1 - p)`: its variance if the predictions hold.
    pub denominator: f64,
}

impl Sums {
    /// The sums of `predictions` and outcomes (true: event); unclipped (decision C11).
    pub fn of(predictions: &[f64], outcome: &[bool]) -> Self {
        let mut sums = [Neumaier::default(); 7];
        let mut events = 0_u64;
        for (p, event) in predictions.iter().zip(outcome) {
            let y = f64::from(u8::from(*event));
            let (spread, turn) = (p * (1.0 - p), 1.0 - 2.0 * p);
            let gap = y - p;
            let terms = [
                *p,
                p * p,
                p * y,
                gap * gap,
                spread,
                gap * turn,
                turn * turn * spread,
            ];
            for (sum, term) in sums.iter_mut().zip(terms) {
                sum.add(term);
            }
            events += u64::from(*event);
        }
        let [p, p2, py, square, spread, numerator, denominator] = sums.map(Neumaier::total);
        Self {
            n: predictions.len().min(outcome.len()) as u64,
            events,
            p,
            p2,
            py,
            square,
            spread,
            numerator,
            denominator,
        }
    }

    /// The sums of both sets of rows; merge in site order.
    #[must_use]
    pub fn merge(self, other: Self) -> Self {
        Self {
            n: self.n.saturating_add(other.n),
            events: self.events.saturating_add(other.events),
            p: self.p + other.p,
            p2: self.p2 + other.p2,
            py: self.py + other.py,
            square: self.square + other.square,
            spread: self.spread + other.spread,
            numerator: self.numerator + other.numerator,
            denominator: self.denominator + other.denominator,
        }
    }

    /// Observed over expected events; `None` without an expected event.
    pub fn observed_expected(&self) -> Option<f64> {
        (self.p > 0.0).then(|| count(self.events) / self.p)
    }

    /// Standard error of `log(O:E)` if the predictions hold: that of a Poisson-binomial count
    /// over the count. `None` without an event.
    pub fn poisson_binomial_error(&self) -> Option<f64> {
        (self.events > 0).then(|| self.spread.sqrt() / count(self.events))
    }

    /// Mean squared difference of prediction and outcome (Brier 1950); `None` without rows.
    pub fn brier(&self) -> Option<f64> {
        (self.n > 0).then(|| self.square / count(self.n))
    }

    /// `1 - B / (pi (1 - pi))`; `None` unless both classes are present.
    pub fn scaled_brier(&self) -> Option<f64> {
        let share = count(self.events) / count(self.n);
        let uncertainty = share * (1.0 - share);
        (uncertainty > 0.0).then(|| Some(1.0 - self.brier()? / uncertainty))?
    }

    /// Spiegelhalter's z (1986, doi:10.1002/sim.4780050506): standard normal if every
    /// prediction is the probability of its event. `None` where every prediction is 0, 1/2 or
    /// 1, which leaves it no variance.
    pub fn spiegelhalter(&self) -> Option<f64> {
        let z = self.numerator / self.denominator.sqrt();
        (self.denominator > 0.0 && z.is_finite()).then_some(z)
    }
}

/// Mean negative log-likelihood of clipped predictions, from the block at
/// [`Coefficients::START`]; `None` without rows.
pub fn log_loss(at_start: &NewtonBlock) -> Option<f64> {
    (at_start.n > 0).then(|| -at_start.loglik / count(at_start.n))
}

/// An estimate and its variance.
#[derive(Clone, Copy, Debug, PartialEq)]
pub struct Estimated {
    /// The estimate.
    pub value: f64,
    /// Its variance, above 0.
    pub variance: f64,
}

/// Calibration in the large: the intercept with the slope held at 1 (Cox 1958). With `patient`
/// the variance is the sandwich over patients, else that of the information.
///
/// # Errors
/// Why there is none.
pub fn in_the_large(
    lp: &[f64],
    outcome: &[bool],
    patient: Option<&[u32]>,
) -> Result<Estimated, FitFault> {
    in_the_large_near(lp, outcome, patient, Coefficients::START.intercept)
}

/// The same, looked for from an intercept that is near it.
///
/// # Errors
/// Why there is none.
pub fn in_the_large_near(
    lp: &[f64],
    outcome: &[bool],
    patient: Option<&[u32]>,
    near: f64,
) -> Result<Estimated, FitFault> {
    let start = Coefficients {
        intercept: near,
        ..Coefficients::START
    };
    let found = fit(lp, outcome, Free::Intercept, start)?;
    let covariance = robust(lp, outcome, patient, &found)?;
    Ok(Estimated {
        value: found.coefficients.intercept,
        variance: covariance[0],
    })
}

impl Estimated {
    /// Where every row is a patient of its own and the variance is that of the information, no
    /// row has a larger share in the sum of absolute residuals: each residual is below 1, and at
    /// least `p (1 - p)`, whose sum is the information.
    pub fn dominance_bound(&self) -> f64 {
        self.variance
    }
}

/// Joint intercept and slope at one site.
#[derive(Clone, Copy, Debug, PartialEq)]
pub struct Line {
    /// Both coefficients.
    pub coefficients: Coefficients,
    /// Variance of the intercept, covariance, variance of the slope.
    pub covariance: [f64; 3],
    /// Whether the covariance is the sandwich over patients.
    pub robust: bool,
    bread: [f64; 3],
    loglik: f64,
    /// At [`Coefficients::START`]; `None` for a line that was looked for from elsewhere.
    start_loglik: Option<f64>,
}

/// Joint intercept and slope of `logit y ~ a + b lp`. With `patient` the covariance is the
/// sandwich `A^-1 B A^-1` with `B = m / (m - 1) sum u u'` over the m patients' scores (Liang and
/// Zeger 1986, doi:10.1093/biomet/73.1.13, independence working correlation).
///
/// # Errors
/// Why there is none; [`FitFault::NotConverged`] also where all rows are one patient's.
pub fn line(lp: &[f64], outcome: &[bool], patient: Option<&[u32]>) -> Result<Line, FitFault> {
    line_from(lp, outcome, patient, Coefficients::START)
}

/// The same, looked for from a line that is near it; without a likelihood-ratio test.
///
/// # Errors
/// As [`line()`].
pub fn line_near(
    lp: &[f64],
    outcome: &[bool],
    patient: Option<&[u32]>,
    near: Coefficients,
) -> Result<Line, FitFault> {
    let found = line_from(lp, outcome, patient, near)?;
    Ok(Line {
        start_loglik: None,
        ..found
    })
}

fn line_from(
    lp: &[f64],
    outcome: &[bool],
    patient: Option<&[u32]>,
    start: Coefficients,
) -> Result<Line, FitFault> {
    let found = fit(lp, outcome, Free::Both, start)?;
    Ok(Line {
        coefficients: found.coefficients,
        covariance: robust(lp, outcome, patient, &found)?,
        robust: patient.is_some(),
        bread: found.covariance,
        loglik: found.loglik,
        start_loglik: Some(found.start_loglik),
    })
}

impl Line {
    /// What each row adds to intercept and slope: the inverse information times its score.
    pub fn influences(&self, lp: &[f64], outcome: &[bool]) -> Vec<[f64; 2]> {
        let [aa, ab, bb] = self.bread;
        let residual = residuals(lp, outcome, self.coefficients);
        lp.iter()
            .zip(residual)
            .map(|(x, r)| [(aa + ab * x) * r, (ab + bb * x) * r])
            .collect()
    }

    /// No row has a larger share than this in the sum of absolute [`Self::influences`], by
    /// intercept and by slope, where every row is a patient of its own: an influence is
    /// `(c0 + c1 x) r`, c a row of the inverse information, `|r|` between `p (1 - p)` and 1, so
    /// with `M` the largest `|c0 + c1 x|` one is at most `M` and their sum at least
    /// `sum p (1 - p) (c0 + c1 x)^2 / M`, which is that row's diagonal entry over `M`.
    pub fn dominance_bounds(&self, lp: &[f64]) -> [f64; 2] {
        let empty = (f64::INFINITY, f64::NEG_INFINITY);
        let (low, high) = lp
            .iter()
            .fold(empty, |(low, high), x| (low.min(*x), high.max(*x)));
        let [aa, ab, bb] = self.bread;
        [(aa, ab, aa), (ab, bb, bb)].map(|(c0, c1, diagonal)| {
            let most = (c0 + c1 * low).abs().max((c0 + c1 * high).abs());
            most * most / diagonal
        })
    }

    /// Wald test of intercept 0 and slope 1 together, 2 degrees of freedom; valid with repeats.
    pub fn wald(&self) -> Option<Test> {
        let [aa, ab, bb] = self.covariance;
        let determinant = aa * bb - ab * ab;
        let (a, b) = (self.coefficients.intercept, self.coefficients.slope - 1.0);
        let form = (bb * a * a - 2.0 * ab * a * b + aa * b * b) / determinant;
        Test::chi2(form, 2)
    }

    /// Likelihood-ratio test of the same; `None` where patients repeat, since the likelihood
    /// takes rows as independent, and for a line found by [`line_near`].
    pub fn likelihood_ratio(&self) -> Option<Test> {
        let start = self.start_loglik.filter(|_| !self.robust)?;
        Test::chi2((2.0 * (self.loglik - start)).max(0.0), 2)
    }
}

/// Outcome less fitted probability, row by row.
pub fn residuals(lp: &[f64], outcome: &[bool], coefficients: Coefficients) -> Vec<f64> {
    let fitted = fitted(lp, coefficients);
    let rows = fitted.zip(outcome);
    rows.map(|(p, event)| f64::from(u8::from(*event)) - p)
        .collect()
}

/// Fitted probabilities, row by row.
fn fitted(lp: &[f64], coefficients: Coefficients) -> impl Iterator<Item = f64> {
    lp.iter().map(move |x| {
        let eta = coefficients.intercept + coefficients.slope * x;
        let odds = exp_negative(-eta.abs());
        let share = 1.0 / (1.0 + odds);
        if eta < 0.0 { odds * share } else { share }
    })
}

/// The covariance of a fit, as information says or over patients.
fn robust(
    lp: &[f64],
    outcome: &[bool],
    patient: Option<&[u32]>,
    found: &Fit,
) -> Result<[f64; 3], FitFault> {
    let Some(patient) = patient else {
        return Ok(found.covariance);
    };
    let residual = residuals(lp, outcome, found.coefficients);
    let mut rows: Vec<(u32, f64, f64)> = patient
        .iter()
        .zip(lp)
        .zip(residual)
        .map(|((owner, x), r)| (*owner, r, r * x))
        .collect();
    rows.sort_by_key(|row| row.0);
    let (mut patients, mut meat) = (0_u64, [Neumaier::default(); 3]);
    for run in rows.chunk_by(|a, b| a.0 == b.0) {
        let (mut a, mut b) = (Neumaier::default(), Neumaier::default());
        for row in run {
            a.add(row.1);
            b.add(row.2);
        }
        let (a, b) = (a.total(), b.total());
        for (sum, term) in meat.iter_mut().zip([a * a, a * b, b * b]) {
            sum.add(term);
        }
        patients += 1;
    }
    if patients < 2 {
        return Err(FitFault::NotConverged);
    }
    let spread = count(patients) / count(patients - 1);
    let [maa, mab, mbb] = meat.map(|sum| spread * sum.total());
    let [caa, cab, cbb] = found.covariance;
    // C M C for symmetric 2 x 2 matrices.
    let (r0, r1) = (caa * maa + cab * mab, caa * mab + cab * mbb);
    let (s0, s1) = (cab * maa + cbb * mab, cab * mab + cbb * mbb);
    Ok([
        r0 * caa + r1 * cab,
        r0 * cab + r1 * cbb,
        s0 * cab + s1 * cbb,
    ])
}

/// Distance between each prediction and its recalibration.
#[derive(Clone, Copy, Debug, PartialEq)]
pub struct Index {
    /// Integrated calibration index: the mean distance.
    pub ici: f64,
    /// The median distance.
    pub e50: f64,
    /// The 90th percentile of the distance.
    pub e90: f64,
}

/// The index of Austin and Steyerberg (2019, doi:10.1002/sim.8281) with the logistic
/// recalibration at `coefficients` in place of their loess curve, so that it needs two numbers
/// and not a smoother; it sees no miscalibration that the line cannot follow. Quantiles of type
/// 7 (Hyndman and Fan 1996, doi:10.1080/00031305.1996.10473566). `None` without rows.
pub fn index(lp: &[f64], predictions: &[f64], coefficients: Coefficients) -> Option<Index> {
    let rows = fitted(lp, coefficients).zip(predictions);
    let mut gaps: Vec<f64> = rows.map(|(fitted, p)| (fitted - p).abs()).collect();
    Some(Index {
        ici: mean(&gaps)?,
        e50: quantile(&mut gaps, 0.5)?,
        e90: quantile(&mut gaps, 0.9)?,
    })
}

/// The quantile of values in any order, which it changes.
#[expect(
    clippy::cast_possible_truncation,
    clippy::cast_sign_loss,
    reason = "a place within the slice"
)]
fn quantile(values: &mut [f64], share: f64) -> Option<f64> {
    let place = share * count(values.len().checked_sub(1)? as u64);
    let below = place.floor();
    let (_, low, above) = values.select_nth_unstable_by(below as usize, f64::total_cmp);
    let high = above.iter().copied().min_by(f64::total_cmp).unwrap_or(*low);
    Some(*low + (place - below) * (high - *low))
}

#[cfg(test)]
mod tests;
