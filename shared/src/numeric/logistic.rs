//! Logistic recalibration: `logit P(y = 1) = a + b lp`, where `lp` is the clipped logit of a
//! prediction, fitted by Newton-Raphson over sums that add across hospitals.
//!
//! One evaluation at `(a, b)` gives a [`NewtonBlock`]: log-likelihood, score, information. The
//! blocks of several hospitals, added, are the block of all their rows, so the iterations of
//! the sum are those of the concatenated rows, and so is the maximum (Cox 1958,
//! doi:10.1093/biomet/45.3-4.562, for the model; Miller, Hui and Tierney 1991,
//! doi:10.1002/sim.4780100805, for what intercept and slope say about a prediction).
//!
//! A maximum exists if and only if the predictions of events and of non-events overlap
//! (Albert and Anderson 1984, doi:10.1093/biomet/71.1.1); rows in hand are checked for that
//! before the first step, sums of blocks show it by not converging.
//!
//! From: `statistic::calibration` (rows at a site), `pool` (summed blocks).
//! To: `numeric::calibration`, several-step jobs.

use super::distribution::logit;
use super::exponential::exp_negative;
use super::sum::{Neumaier, count, mean};

pub mod site_intercepts;

/// Rows that are added plainly before they enter a compensated sum. Fixed, so that the bytes of
/// a block depend on the rows and their order only.
const RUN: usize = 64;

/// Interleaved partial sums of a run.
const LANES: usize = 4;

/// Most evaluations of a fit on rows in hand.
pub const MOST_STEPS: usize = 50;

/// A step at most this long (per coefficient, relative to its size or 1) ends the iterations:
/// the next one would be of the order of its square.
pub const TOLERANCE: f64 = 1e-10;

/// Below this share of `information_aa information_bb` the determinant counts as zero.
const SINGULAR: f64 = 1e-12;

/// Intercept and slope on the logit scale.
#[derive(Clone, Copy, Debug, PartialEq)]
pub struct Coefficients {
    /// The intercept.
    pub intercept: f64,
    /// The slope.
    pub slope: f64,
}

impl Coefficients {
    /// The start of every fit: a prediction taken as it is.
    pub const START: Self = Self {
        intercept: 0.0,
        slope: 1.0,
    };
}

/// Logits of predictions moved into `[epsilon, 1 - epsilon]`.
#[derive(Clone, Debug, PartialEq)]
pub struct ClippedLogits {
    /// One logit per prediction.
    pub lp: Vec<f64>,
    /// How many predictions were moved.
    pub clipped: usize,
    epsilon: f64,
}

impl ClippedLogits {
    /// The logits of `predictions`, each in `[0, 1]`, clipped at `epsilon` (decision C11: the
    /// protocol's). `None` unless `0 < epsilon < 0.5` and every prediction is in `[0, 1]`.
    ///
    /// By one logarithm of the odds: absolute error below 4e-16, half the time of two.
    pub fn of(predictions: &[f64], epsilon: f64) -> Option<Self> {
        if !(epsilon > 0.0 && epsilon < 0.5) {
            return None;
        }
        let mut clipped = 0;
        let mut lp = Vec::with_capacity(predictions.len());
        for p in predictions {
            if !(0.0..=1.0).contains(p) {
                return None;
            }
            let moved = p.clamp(epsilon, 1.0 - epsilon);
            clipped += usize::from(moved != *p);
            lp.push(libm::log(moved / (1.0 - moved)));
        }
        Some(Self {
            lp,
            clipped,
            epsilon,
        })
    }
}

impl ClippedLogits {
    /// The logits of the same `predictions` clipped at another epsilon.
    pub fn at_epsilon(&self, predictions: &[f64], epsilon: f64) -> Vec<f64> {
        let rows = self.lp.iter().zip(predictions);
        rows.map(|(lp, p)| {
            let moved = p.clamp(epsilon, 1.0 - epsilon);
            let kept = p.clamp(self.epsilon, 1.0 - self.epsilon);
            if moved == kept {
                *lp
            } else {
                libm::log(moved / (1.0 - moved))
            }
        })
        .collect()
    }
}

/// Log-likelihood, score and information of the recalibration model at given coefficients.
/// Blocks at the same coefficients add.
#[derive(Clone, Copy, Debug, Default, PartialEq)]
pub struct NewtonBlock {
    /// Rows.
    pub n: u64,
    /// Rows with the event.
    pub events: u64,
    /// Log-likelihood, at most 0.
    pub loglik: f64,
    /// Derivatives by intercept and by slope.
    pub score: [f64; 2],
    /// Fisher information: intercept-intercept, intercept-slope, slope-slope.
    pub information: [f64; 3],
}

/// Why there are no coefficients.
#[derive(Clone, Copy, Debug, Eq, PartialEq, thiserror::Error)]
pub enum FitFault {
    /// No row.
    #[error("no rows")]
    Empty,
    /// Events only, or non-events only: the intercept is infinite.
    #[error("only one outcome class")]
    OneClass,
    /// The predictions do not vary: the slope has no information.
    #[error("the predictions do not vary")]
    Constant,
    /// The predictions separate events from non-events: the slope is infinite.
    #[error("the predictions separate the outcome classes")]
    Separated,
    /// The iterations ended without a maximum.
    #[error("not converged")]
    NotConverged,
}

impl NewtonBlock {
    /// The block of rows with linear predictors `lp` and outcomes (true: event) at
    /// `coefficients`. Rows beyond the shorter column are not read.
    pub fn of(lp: &[f64], outcome: &[bool], coefficients: Coefficients) -> Self {
        let mut sums = [Neumaier::default(); 6];
        let rows = lp.len().min(outcome.len());
        let (mut start, mut events) = (0, 0_u64);
        while start < rows {
            let end = (start + RUN).min(rows);
            let run = Run::of(&lp[start..end], &outcome[start..end], coefficients);
            for (sum, part) in sums.iter_mut().zip(run.sums) {
                sum.add(part);
            }
            events += run.events;
            start = end;
        }
        let [loglik, by_intercept, by_slope, aa, ab, bb] = sums.map(Neumaier::total);
        Self {
            n: rows as u64,
            events,
            loglik,
            score: [by_intercept, by_slope],
            information: [aa, ab, bb],
        }
    }

    /// The block of both sets of rows. Exact in exact arithmetic; merge in site order.
    #[must_use]
    pub fn merge(self, other: Self) -> Self {
        let add = |a: f64, b: f64| a + b;
        Self {
            n: self.n.saturating_add(other.n),
            events: self.events.saturating_add(other.events),
            loglik: add(self.loglik, other.loglik),
            score: [0, 1].map(|i| add(self.score[i], other.score[i])),
            information: [0, 1, 2].map(|i| add(self.information[i], other.information[i])),
        }
    }

    /// The inverse of the information: variance of the intercept, covariance, variance of the
    /// slope.
    ///
    /// # Errors
    /// [`FitFault::Constant`] where the information is singular, [`FitFault::NotConverged`]
    /// where it is not finite or not positive.
    pub fn covariance(&self) -> Result<[f64; 3], FitFault> {
        let [aa, ab, bb] = self.information;
        let determinant = aa * bb - ab * ab;
        if !(aa > 0.0 && bb >= 0.0 && determinant.is_finite()) {
            return Err(FitFault::NotConverged);
        }
        if determinant <= SINGULAR * aa * bb || bb == 0.0 {
            return Err(FitFault::Constant);
        }
        let covariance = [bb / determinant, -ab / determinant, aa / determinant];
        if covariance.iter().all(|entry| entry.is_finite()) {
            Ok(covariance)
        } else {
            Err(FitFault::NotConverged)
        }
    }

    /// The Newton step for both coefficients: covariance times score.
    ///
    /// # Errors
    /// [`FitFault::Empty`], [`FitFault::OneClass`], and those of [`Self::covariance`].
    pub fn step(&self) -> Result<Coefficients, FitFault> {
        self.usable()?;
        let [aa, ab, bb] = self.covariance()?;
        let [by_intercept, by_slope] = self.score;
        Ok(Coefficients {
            intercept: aa * by_intercept + ab * by_slope,
            slope: ab * by_intercept + bb * by_slope,
        })
    }

    /// The Newton step for the intercept alone, the slope held.
    ///
    /// # Errors
    /// As [`Self::step`].
    pub fn intercept_step(&self) -> Result<Coefficients, FitFault> {
        self.usable()?;
        let intercept = self.score[0] / self.information[0];
        if self.information[0] > 0.0 && intercept.is_finite() {
            Ok(Coefficients {
                intercept,
                slope: 0.0,
            })
        } else {
            Err(FitFault::NotConverged)
        }
    }

    fn usable(&self) -> Result<(), FitFault> {
        if self.n == 0 {
            Err(FitFault::Empty)
        } else if self.events == 0 || self.events >= self.n {
            Err(FitFault::OneClass)
        } else {
            Ok(())
        }
    }
}

/// The sums of at most [`RUN`] rows.
struct Run {
    sums: [f64; 6],
    events: u64,
}

impl Run {
    /// One loop per stage over arrays of one length, which compilers turn into several rows per
    /// instruction. Rows beyond the last carry terms of 0 and factors of 1.
    fn of(lp: &[f64], outcome: &[bool], beta: Coefficients) -> Self {
        let rows = lp.len().min(outcome.len()).min(RUN);
        let (mut x, mut y) = ([0.0_f64; RUN], [0.0_f64; RUN]);
        x[..rows].copy_from_slice(&lp[..rows]);
        let mut events = 0;
        for (y, event) in y.iter_mut().zip(&outcome[..rows]) {
            *y = f64::from(u8::from(*event));
            events += u64::from(*event);
        }
        let mut eta = [0.0_f64; RUN];
        let mut odds = [0.0_f64; RUN];
        for i in 0..RUN {
            eta[i] = beta.intercept + beta.slope * x[i];
            odds[i] = exp_negative(-eta[i].abs());
        }
        let mut linear = [0.0_f64; RUN];
        let mut factor = [1.0_f64; RUN];
        let mut residual = [0.0_f64; RUN];
        let mut weight = [0.0_f64; RUN];
        for i in 0..RUN {
            let above = 1.0 + odds[i];
            let share = 1.0 / above;
            let rest = odds[i] * share;
            factor[i] = above;
            weight[i] = share * rest;
            // 1/2 + (share - rest)/2 with the sign of eta is share or rest, without a branch.
            residual[i] = (y[i] - 0.5) - (0.5 * (share - rest)).copysign(eta[i]);
            linear[i] = y[i] * eta[i] - 0.5 * (eta[i] + eta[i].abs());
        }
        for i in rows..RUN {
            (linear[i], factor[i], residual[i], weight[i]) = (0.0, 1.0, 0.0, 0.0);
        }
        let times = |terms: &[f64; RUN]| {
            let mut product = *terms;
            for (term, x) in product.iter_mut().zip(&x) {
                *term *= x;
            }
            product
        };
        let moment = times(&weight);
        // log(1 + odds) of a run is the logarithm of one product, each factor at most 2.
        let product = lanes(&factor, 1.0, |a, b| a * b);
        let add = |terms: &[f64; RUN]| lanes(terms, 0.0, |a, b| a + b);
        let sums = [
            add(&linear) - libm::log(product),
            add(&residual),
            add(&times(&residual)),
            add(&weight),
            add(&moment),
            add(&times(&moment)),
        ];
        Self { sums, events }
    }
}

/// Combines the terms in [`LANES`] interleaved lanes, then the lanes in order.
#[inline]
fn lanes(terms: &[f64; RUN], empty: f64, combine: impl Fn(f64, f64) -> f64) -> f64 {
    let mut lane = [empty; LANES];
    for terms in terms.chunks_exact(LANES) {
        for (lane, term) in lane.iter_mut().zip(terms) {
            *lane = combine(*lane, *term);
        }
    }
    lane.into_iter().fold(empty, combine)
}

/// Which coefficients a fit moves.
#[derive(Clone, Copy, Debug, Eq, PartialEq)]
pub enum Free {
    /// The intercept; the slope stays where it starts (calibration in the large).
    Intercept,
    /// Intercept and slope.
    Both,
}

/// What the newest block leads to.
#[derive(Clone, Copy, Debug, PartialEq)]
pub enum Progress {
    /// Evaluate the next block at [`Newton::at`].
    Continue,
    /// The maximum is found.
    Converged(Fit),
}

/// A maximum.
#[derive(Clone, Copy, Debug, PartialEq)]
pub struct Fit {
    /// The coefficients.
    pub coefficients: Coefficients,
    /// Variance of the intercept, covariance, variance of the slope; with the slope held, the
    /// last two are 0.
    pub covariance: [f64; 3],
    /// Log-likelihood at the coefficients.
    pub loglik: f64,
    /// Log-likelihood at the start.
    pub start_loglik: f64,
    /// Blocks evaluated.
    pub steps: usize,
}

/// The iterations as a pure state: the same blocks give the same coefficients at every node and
/// at the coordinator, so each can recompute where the next block is due and refuse any other
/// place.
#[derive(Clone, Copy, Debug, PartialEq)]
pub struct Newton {
    free: Free,
    at: Coefficients,
    last: Option<(Coefficients, f64)>,
    start_loglik: Option<f64>,
    steps: usize,
}

impl Newton {
    /// The iterations from `start`.
    pub fn from(start: Coefficients, free: Free) -> Self {
        Self {
            free,
            at: start,
            last: None,
            start_loglik: None,
            steps: 0,
        }
    }

    /// Where the next block is to be evaluated.
    pub fn at(&self) -> Coefficients {
        self.at
    }

    /// Blocks taken so far.
    pub fn steps(&self) -> usize {
        self.steps
    }

    /// Takes the block evaluated at [`Self::at`]. A step that lowered the likelihood is halved.
    ///
    /// # Errors
    /// Why there is no maximum to go to.
    pub fn take(&mut self, block: &NewtonBlock) -> Result<Progress, FitFault> {
        let step = match self.free {
            Free::Intercept => block.intercept_step()?,
            Free::Both => block.step()?,
        };
        self.steps += 1;
        let start_loglik = *self.start_loglik.get_or_insert(block.loglik);
        if let Some((before, loglik)) = self.last
            && block.loglik < loglik - 1e-9 * loglik.abs()
        {
            self.at = middle(before, self.at);
            return Ok(Progress::Continue);
        }
        self.last = Some((self.at, block.loglik));
        let small = |step: f64, at: f64| step.abs() <= TOLERANCE * at.abs().max(1.0);
        let done = small(step.intercept, self.at.intercept) && small(step.slope, self.at.slope);
        self.at.intercept += step.intercept;
        self.at.slope += step.slope;
        if !(self.at.intercept.is_finite() && self.at.slope.is_finite()) {
            return Err(FitFault::NotConverged);
        }
        if !done {
            return Ok(Progress::Continue);
        }
        let covariance = match self.free {
            Free::Intercept => [1.0 / block.information[0], 0.0, 0.0],
            Free::Both => block.covariance()?,
        };
        Ok(Progress::Converged(Fit {
            coefficients: self.at,
            covariance,
            loglik: block.loglik,
            start_loglik,
            steps: self.steps,
        }))
    }
}

/// Runs Newton from `start`, at most `most_steps` evaluations of `block_at`.
///
/// # Errors
/// Why there is no maximum; [`FitFault::NotConverged`] after `most_steps`.
pub fn iterate(
    start: Coefficients,
    free: Free,
    most_steps: usize,
    mut block_at: impl FnMut(Coefficients) -> NewtonBlock,
) -> Result<Fit, FitFault> {
    let mut newton = Newton::from(start, free);
    for _ in 0..most_steps {
        match newton.take(&block_at(newton.at()))? {
            Progress::Converged(fit) => return Ok(fit),
            Progress::Continue => {}
        }
    }
    Err(FitFault::NotConverged)
}

/// The fit of rows in hand from `start`, and where that leads nowhere from a place that does not
/// depend on it.
///
/// # Errors
/// [`FitFault::Empty`], [`FitFault::OneClass`]; with a free slope [`FitFault::Constant`] and
/// [`FitFault::Separated`], found on the rows; [`FitFault::NotConverged`].
pub fn fit(lp: &[f64], outcome: &[bool], free: Free, start: Coefficients) -> Result<Fit, FitFault> {
    if free == Free::Both {
        overlap(lp, outcome)?;
    }
    let block_at = |at| NewtonBlock::of(lp, outcome, at);
    match iterate(start, free, MOST_STEPS, block_at) {
        Err(FitFault::NotConverged | FitFault::Constant) => {
            let start_loglik = block_at(start).loglik;
            let found = iterate(near(lp, outcome, free), free, MOST_STEPS, block_at)?;
            Ok(Fit {
                start_loglik,
                ..found
            })
        }
        found => found,
    }
}

/// Where the likelihood is well curved whatever the predictions are: the prevalence, with slope
/// 0 or, if that is held, with the mean prediction taken off. Predictions far off have no
/// curvature left at [`Coefficients::START`].
fn near(lp: &[f64], outcome: &[bool], free: Free) -> Coefficients {
    let events = outcome.iter().filter(|event| **event).count();
    let share = count(events as u64) / count(outcome.len() as u64);
    let prevalence = logit(share).unwrap_or(0.0);
    match free {
        Free::Both => Coefficients {
            intercept: prevalence,
            slope: 0.0,
        },
        Free::Intercept => Coefficients {
            intercept: prevalence - mean(lp).unwrap_or(0.0),
            slope: 1.0,
        },
    }
}

/// Whether the predictions of the two classes overlap, so that a slope exists.
///
/// # Errors
/// Why it does not exist.
pub fn overlap(lp: &[f64], outcome: &[bool]) -> Result<(), FitFault> {
    let empty = (f64::INFINITY, f64::NEG_INFINITY);
    let widen = |(low, high): (f64, f64), x: f64| {
        (
            if x < low { x } else { low },
            if x > high { x } else { high },
        )
    };
    let (mut events, mut others) = (empty, empty);
    for (x, event) in lp.iter().zip(outcome) {
        if *event {
            events = widen(events, *x);
        } else {
            others = widen(others, *x);
        }
    }
    match (events == empty, others == empty) {
        (true, true) => Err(FitFault::Empty),
        (true, false) | (false, true) => Err(FitFault::OneClass),
        (false, false) if events == others && events.0 == events.1 => Err(FitFault::Constant),
        (false, false) if events.0 >= others.1 || others.0 >= events.1 => Err(FitFault::Separated),
        (false, false) => Ok(()),
    }
}

fn middle(a: Coefficients, b: Coefficients) -> Coefficients {
    Coefficients {
        intercept: f64::midpoint(a.intercept, b.intercept),
        slope: f64::midpoint(a.slope, b.slope),
    }
}

#[cfg(test)]
mod tests;
