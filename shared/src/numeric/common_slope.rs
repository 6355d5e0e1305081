//! One slope over sites with intercepts of their own, fitted from sums that never name a site.
//!
//! In `logit P(y = 1) = a_j + b lp` each intercept `a_j` meets the rows of its own site only, so
//! a Newton step on all coefficients at once can be solved site by site: the site eliminates
//! its intercept from its 2x2 block (Schur complement), what is left adds over sites and gives
//! the step of `b`, and from that each site computes the step of its own intercept. The
//! iterates are those of the full system (block elimination; e.g. Boyd and Vandenberghe, Convex
//! Optimization, 2004, section C.4).
//!
//! From: `logistic` (blocks).
//! To: `statistic::calibration_block`.

use super::logistic::{FitFault, NewtonBlock, TOLERANCE};

/// What one site, or several, add to the common slope.
#[derive(Clone, Copy, Debug, PartialEq)]
pub struct Reduced {
    /// Log-likelihood, at most 0.
    pub loglik: f64,
    /// Derivative by the slope, the intercept eliminated.
    pub score: f64,
    /// Information on the slope, the intercept eliminated; at least 0.
    pub information: f64,
    /// Squared score of the intercept over its information; 0 at its maximum.
    pub decrement: f64,
}

impl Reduced {
    /// A site's block with its intercept eliminated.
    ///
    /// # Errors
    /// [`FitFault::NotConverged`] where the block has no information on the intercept.
    pub fn of(block: &NewtonBlock) -> Result<Self, FitFault> {
        let ([by_intercept, by_slope], [aa, ab, bb]) = (block.score, block.information);
        let reduced = Self {
            loglik: block.loglik,
            score: by_slope - ab / aa * by_intercept,
            information: bb - ab / aa * ab,
            decrement: by_intercept / aa * by_intercept,
        };
        let parts = [reduced.score, reduced.information, reduced.decrement];
        if aa > 0.0 && parts.iter().all(|part| part.is_finite()) {
            Ok(reduced)
        } else {
            Err(FitFault::NotConverged)
        }
    }

    /// Both; merge in site order.
    #[must_use]
    pub fn merge(self, other: Self) -> Self {
        Self {
            loglik: self.loglik + other.loglik,
            score: self.score + other.score,
            information: self.information + other.information,
            decrement: self.decrement + other.decrement,
        }
    }
}

/// How every coefficient moves after a sum.
#[derive(Clone, Copy, Debug, PartialEq)]
pub enum Move {
    /// The slope grows by this much, each intercept follows.
    Step(f64),
    /// The last step lowered the likelihood: everything goes halfway back.
    Halve,
}

/// The common slope at its maximum.
#[derive(Clone, Copy, Debug, PartialEq)]
pub struct SlopeFit {
    /// The slope.
    pub slope: f64,
    /// Its variance.
    pub variance: f64,
    /// Sums taken.
    pub steps: usize,
}

/// The iterations for the slope, a pure state like `logistic::Newton`.
#[derive(Clone, Copy, Debug, PartialEq)]
pub struct CommonSlope {
    at: f64,
    last: Option<(f64, f64)>,
    steps: usize,
}

impl CommonSlope {
    /// The iterations from `start`.
    pub fn from(start: f64) -> Self {
        Self {
            at: start,
            last: None,
            steps: 0,
        }
    }

    /// The slope at which the next blocks are evaluated.
    pub fn at(&self) -> f64 {
        self.at
    }

    /// Takes the sum of all sites at [`Self::at`]; the fit once it is found.
    ///
    /// # Errors
    /// [`FitFault::Constant`] where no site has information on the slope,
    /// [`FitFault::NotConverged`] where the step is not finite.
    pub fn take(&mut self, sum: &Reduced) -> Result<(Move, Option<SlopeFit>), FitFault> {
        self.steps += 1;
        if let Some((before, loglik)) = self.last
            && sum.loglik < loglik - 1e-9 * loglik.abs()
        {
            self.at = f64::midpoint(before, self.at);
            return Ok((Move::Halve, None));
        }
        if sum.information <= 0.0 {
            return Err(FitFault::Constant);
        }
        let step = sum.score / sum.information;
        if !(step.is_finite() && (self.at + step).is_finite()) {
            return Err(FitFault::NotConverged);
        }
        self.last = Some((self.at, sum.loglik));
        let done = step.abs() <= TOLERANCE * self.at.abs().max(1.0)
            && sum.decrement <= TOLERANCE * TOLERANCE;
        self.at += step;
        let fit = SlopeFit {
            slope: self.at,
            variance: 1.0 / sum.information,
            steps: self.steps,
        };
        Ok((Move::Step(step), done.then_some(fit)))
    }
}

/// A site's own intercept, which follows the common slope.
#[derive(Clone, Copy, Debug, PartialEq)]
pub struct OwnIntercept {
    at: f64,
    before: f64,
}

impl OwnIntercept {
    /// The intercept from `start`.
    pub fn from(start: f64) -> Self {
        Self {
            at: start,
            before: start,
        }
    }

    /// Where the site's next block is evaluated.
    pub fn at(&self) -> f64 {
        self.at
    }

    /// Moves with the slope; `block` is the site's own, evaluated at [`Self::at`].
    pub fn follow(&mut self, block: &NewtonBlock, with: Move) {
        match with {
            Move::Halve => self.at = f64::midpoint(self.before, self.at),
            Move::Step(slope) => {
                let [aa, ab, _] = block.information;
                self.before = self.at;
                self.at += (block.score[0] - ab * slope) / aa;
            }
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::numeric::logistic::Coefficients;

    /// Rows of two sites; the maximum of `glm(y ~ 0 + site + lp)` has scores of zero.
    #[test]
    fn site_by_site_elimination_reaches_the_joint_maximum() {
        let lp = [
            [-1.5, -0.4, 0.3, 0.9, 1.8, 2.5],
            [-2.0, -1.1, -0.2, 0.1, 0.8, 1.4],
        ];
        let outcome = [
            [false, true, false, true, true, true],
            [false, false, true, false, false, true],
        ];
        let mut slope = CommonSlope::from(1.0);
        let mut own = [OwnIntercept::from(0.0); 2];
        let mut found = None;
        while found.is_none() {
            let blocks = [0, 1].map(|site| {
                let at = Coefficients {
                    intercept: own[site].at(),
                    slope: slope.at(),
                };
                NewtonBlock::of(&lp[site], &outcome[site], at)
            });
            let parts = blocks.map(|block| Reduced::of(&block).unwrap());
            let (with, fit) = slope.take(&parts[0].merge(parts[1])).unwrap();
            for (own, block) in own.iter_mut().zip(&blocks) {
                own.follow(block, with);
            }
            found = fit;
        }
        let fit = found.unwrap();
        assert!(fit.steps <= 7, "{}", fit.steps);
        let at = |site: usize| Coefficients {
            intercept: own[site].at(),
            slope: fit.slope,
        };
        let blocks = [0, 1].map(|site| NewtonBlock::of(&lp[site], &outcome[site], at(site)));
        for block in &blocks {
            assert!(block.score[0].abs() < 1e-12, "{block:?}");
        }
        assert!((blocks[0].score[1] + blocks[1].score[1]).abs() < 1e-12);
        // The variance is the slope's entry of the inverse of the 3x3 information.
        let [[a, b, c], [d, e, f]] = blocks.map(|block| block.information);
        let determinant = a * d * (c + f) - a * e * e - d * b * b;
        assert!((fit.variance - a * d / determinant).abs() < 1e-9 * fit.variance);
    }

    #[test]
    fn a_step_that_lowers_the_likelihood_is_halved() {
        let mut slope = CommonSlope::from(1.0);
        let sum = |loglik| Reduced {
            loglik,
            score: 4.0,
            information: 1.0,
            decrement: 1.0,
        };
        assert_eq!(slope.take(&sum(-10.0)), Ok((Move::Step(4.0), None)));
        assert_eq!(slope.take(&sum(-20.0)), Ok((Move::Halve, None)));
        assert_eq!(slope.at(), 3.0);
        let none = Reduced {
            information: 0.0,
            ..sum(-9.0)
        };
        assert_eq!(slope.take(&none), Err(FitFault::Constant));
    }
}
