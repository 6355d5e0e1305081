//! Exact conditional inference on a common odds ratio: Fisher's test for one two-by-two table,
//! the exact Cochran-Mantel-Haenszel test for several.
//!
//! Given all margins, the first cell of each stratum is noncentral hypergeometric and the sum
//! over strata is their convolution. Terms are built by ratio recurrence outward from each
//! mode, so that no factorial is formed, and the convolution is done twice: at odds ratio 1
//! for the p values, and tilted to the Mantel-Haenszel odds ratio for the estimate, so that
//! the terms near the observed sum keep their digits however far it lies in the null's tail.
//!
//! From: `table::fisher_exact`, `stratified`.
//! To: the report's contingency tables.

use super::distribution::bisect;
use super::interval::Interval;
use super::sum::{count, sum_iter};
use super::table::TwoByTwo;

/// Multiplications a convolution may take: about a second.
const MOST_WORK: u64 = 1_000_000_000;

/// Cells beyond this are not exact as doubles once added.
const LARGEST_CELL: u64 = 1 << 50;

/// Tables within this factor of the observed probability count as equally probable, as in R.
const TIE: f64 = 1.0 + 1e-7;

/// Why no exact inference is possible.
#[derive(Clone, Copy, Debug, Eq, PartialEq, thiserror::Error)]
pub enum ConditionalFault {
    /// Every stratum's first cell is fixed by its margins: there is nothing to infer.
    #[error("the margins leave no freedom")]
    NoFreedom,
    /// The counts are so large that the exact law is not computed; the asymptotic test holds.
    #[error("the counts are too large for an exact computation")]
    TooLarge,
    /// The level is not in `(0, 1)`.
    #[error("the level is not between 0 and 1")]
    Level,
}

/// The conditional law of the sum of first cells.
#[derive(Clone, Debug, PartialEq)]
pub struct Conditional {
    /// The observed sum, as an offset from the smallest possible one.
    observed: usize,
    /// Probabilities at odds ratio 1.
    null: Vec<f64>,
    /// Logarithm of the weight of each sum at odds ratio 1, up to a constant; accurate near
    /// the observed sum; minus infinity where the tilted law underflows.
    log_weight: Vec<f64>,
}

/// Exact inference on a common odds ratio.
#[derive(Clone, Copy, Debug, PartialEq)]
pub struct Fisher {
    /// Sum of the probabilities not above the observed one.
    pub two_sided: f64,
    /// Probability of the observed sum or a smaller one: the alternative of an odds ratio
    /// below 1.
    pub less: f64,
    /// Probability of the observed sum or a larger one.
    pub greater: f64,
    /// Conditional maximum-likelihood odds ratio; 0 at the smallest possible sum; `None`
    /// (infinite) at the largest. Not the sample odds ratio.
    pub odds_ratio: Option<f64>,
    /// Lower exact limit; 0 at the smallest possible sum.
    pub lower: Option<f64>,
    /// Upper exact limit; `None` (infinite) at the largest possible sum.
    pub upper: Option<f64>,
}

impl Fisher {
    /// Both limits, where both are finite.
    pub fn interval(&self) -> Option<Interval> {
        Interval::new(self.lower?, self.upper?)
    }
}

impl Conditional {
    /// The law given the margins of `strata`; strata whose margins leave no freedom are
    /// passed over.
    ///
    /// # Errors
    /// [`ConditionalFault::NoFreedom`], [`ConditionalFault::TooLarge`].
    pub fn of(strata: &[TwoByTwo]) -> Result<Self, ConditionalFault> {
        if strata
            .iter()
            .flatten()
            .flatten()
            .any(|cell| *cell > LARGEST_CELL)
        {
            return Err(ConditionalFault::TooLarge);
        }
        let strata: Vec<Stratum> = strata.iter().filter_map(|t| Stratum::of(*t)).collect();
        if strata.is_empty() {
            return Err(ConditionalFault::NoFreedom);
        }
        let mut work = 0_u64;
        let mut width = 1_u64;
        for stratum in &strata {
            work = work.saturating_add(width.saturating_mul(stratum.width()));
            width = width.saturating_add(stratum.width() - 1);
        }
        if work > MOST_WORK {
            return Err(ConditionalFault::TooLarge);
        }
        let observed = strata.iter().map(|s| s.observed - s.lowest).sum::<u64>();
        let observed = usize::try_from(observed).map_err(|_| ConditionalFault::TooLarge)?;
        let tilt = tilt(&strata);
        let log_tilt = libm::log(tilt);
        let null = convolve(&strata, 1.0);
        let log_weight = convolve(&strata, tilt)
            .into_iter()
            .enumerate()
            .map(|(u, p)| {
                if p > 0.0 {
                    libm::log(p) - offset(u) * log_tilt
                } else {
                    f64::NEG_INFINITY
                }
            })
            .collect();
        Ok(Self {
            observed,
            null,
            log_weight,
        })
    }

    /// p values at odds ratio 1, the conditional estimate, and exact limits at `level`
    /// (Fisher 1935; Gart 1970, doi:10.1093/biomet/57.3.471; as R's `fisher.test` and
    /// `mantelhaen.test(exact = TRUE)`).
    ///
    /// # Errors
    /// [`ConditionalFault::Level`].
    pub fn inference(&self, level: f64) -> Result<Fisher, ConditionalFault> {
        if !(level > 0.0 && level < 1.0) {
            return Err(ConditionalFault::Level);
        }
        let tail = 0.5 - level / 2.0;
        let here = self.null.get(self.observed).copied().unwrap_or(0.0) * TIE;
        let last = self.observed + 1 == self.null.len();
        let first = self.observed == 0;
        let solve = |target: f64, of: &dyn Fn(&[f64]) -> f64| self.solve(target, of);
        let from_here = |p: &[f64]| sum_iter(p[self.observed..].iter().copied());
        let to_here = |p: &[f64]| -sum_iter(p[..=self.observed].iter().copied());
        let mean = |p: &[f64]| sum_iter(p.iter().enumerate().map(|(u, p)| offset(u) * p));
        Ok(Fisher {
            two_sided: sum_iter(self.null.iter().copied().filter(|p| *p <= here)).min(1.0),
            less: sum_iter(self.null[..=self.observed].iter().copied()).min(1.0),
            greater: sum_iter(self.null[self.observed..].iter().copied()).min(1.0),
            odds_ratio: match (first, last) {
                (true, _) => Some(0.0),
                (_, true) => None,
                (false, false) => solve(offset(self.observed), &mean),
            },
            lower: if first {
                Some(0.0)
            } else {
                solve(tail, &from_here)
            },
            upper: if last { None } else { solve(-tail, &to_here) },
        })
    }

    /// The odds ratio at which an increasing function of the law reaches `target`.
    fn solve(&self, target: f64, of: &dyn Fn(&[f64]) -> f64) -> Option<f64> {
        let log_ratio = bisect(-700.0, 700.0, |log_ratio| of(&self.at(log_ratio)) < target);
        let ratio = libm::exp(log_ratio);
        (ratio.is_finite() && log_ratio < 700.0).then_some(ratio)
    }

    /// Probabilities at a log odds ratio.
    fn at(&self, log_ratio: f64) -> Vec<f64> {
        let log: Vec<f64> = self
            .log_weight
            .iter()
            .enumerate()
            .map(|(u, w)| w + offset(u) * log_ratio)
            .collect();
        let highest = log.iter().copied().fold(f64::NEG_INFINITY, f64::max);
        normalise(log.into_iter().map(|w| libm::exp(w - highest)).collect())
    }
}

/// One stratum's margins and first cell.
struct Stratum {
    table: TwoByTwo,
    observed: u64,
    /// First column's total.
    events: u64,
    /// Second column's total.
    others: u64,
    /// First row's total.
    drawn: u64,
    lowest: u64,
    highest: u64,
}

impl Stratum {
    /// `None` if the margins fix the first cell.
    fn of(table: TwoByTwo) -> Option<Self> {
        let [[a, b], [c, d]] = table;
        let (events, others, drawn) = (a.checked_add(c)?, b.checked_add(d)?, a.checked_add(b)?);
        let (lowest, highest) = (drawn.saturating_sub(others), drawn.min(events));
        (lowest < highest).then_some(Self {
            table,
            observed: a,
            events,
            others,
            drawn,
            lowest,
            highest,
        })
    }

    fn width(&self) -> u64 {
        (self.highest - self.lowest).saturating_add(1)
    }

    /// Weight at `u` over weight at `u - 1`, at odds ratio 1.
    fn step(&self, u: u64) -> f64 {
        let up = count(self.events - (u - 1)) * count(self.drawn - (u - 1));
        // others - drawn + u, ordered so that no difference of counts is negative.
        let down = count(u) * count(self.others + u - self.drawn);
        up / down
    }

    /// Probabilities of lowest..=highest at an odds ratio. Ratios fall as `u` rises, so the
    /// mode is where they cross 1.
    fn law(&self, ratio: f64) -> Vec<f64> {
        let (mut low, mut high) = (self.lowest, self.highest);
        while low < high {
            let middle = low + (high - low).div_ceil(2);
            if self.step(middle) * ratio >= 1.0 {
                low = middle
            } else {
                high = middle - 1
            }
        }
        let mode = low;
        let mut below: Vec<f64> = Vec::new();
        let mut weight = 1.0;
        for u in (self.lowest + 1..=mode).rev() {
            weight /= self.step(u) * ratio;
            below.push(weight);
        }
        below.reverse();
        below.push(1.0);
        weight = 1.0;
        for u in mode + 1..=self.highest {
            weight *= self.step(u) * ratio;
            below.push(weight);
        }
        normalise(below)
    }
}

/// The Mantel-Haenszel odds ratio with a half added, so that it is positive and finite.
fn tilt(strata: &[Stratum]) -> f64 {
    let part = |pick: fn(&TwoByTwo) -> (u64, u64)| {
        sum_iter(strata.iter().map(|s| {
            let (x, y) = pick(&s.table);
            (count(x) + 0.5) * (count(y) + 0.5) / (count(s.events) + count(s.others) + 2.0)
        }))
    };
    let ratio = part(|t| (t[0][0], t[1][1])) / part(|t| (t[0][1], t[1][0]));
    if ratio.is_finite() && ratio > 0.0 {
        ratio
    } else {
        1.0
    }
}

fn convolve(strata: &[Stratum], ratio: f64) -> Vec<f64> {
    let mut law = vec![1.0];
    for stratum in strata {
        let next = stratum.law(ratio);
        let mut both = vec![0.0; law.len() + next.len() - 1];
        for (i, p) in law.iter().enumerate() {
            for (j, q) in next.iter().enumerate() {
                both[i + j] += p * q;
            }
        }
        law = both;
    }
    normalise(law)
}

fn normalise(weights: Vec<f64>) -> Vec<f64> {
    let total = sum_iter(weights.iter().copied());
    weights.into_iter().map(|w| w / total).collect()
}

fn offset(u: usize) -> f64 {
    count(u as u64)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_tea_tasting_table() {
        // Fisher 1935: eight cups, three of four named rightly.
        let f = Conditional::of(&[[[3, 1], [1, 3]]])
            .unwrap()
            .inference(0.95)
            .unwrap();
        assert!((f.two_sided - 34.0 / 70.0).abs() < 1e-14);
        assert!((f.greater - 17.0 / 70.0).abs() < 1e-14);
        assert!((f.less - 69.0 / 70.0).abs() < 1e-14);
        // The estimate is the positive root of x^4 - 36 x^2 - 32 x - 3. R gives 6.408309, by a
        // root finder of 4 digits, and 0.3135693 as the lower limit with 5 % below it.
        assert!((f.odds_ratio.unwrap() - 6.408_319_658_199_674).abs() < 1e-12);
        let one_sided = Conditional::of(&[[[3, 1], [1, 3]]])
            .unwrap()
            .inference(0.9)
            .unwrap();
        assert!((one_sided.lower.unwrap() - 0.313_569_3).abs() < 1e-4);
    }

    #[test]
    fn the_limits_of_the_support_have_one_sided_intervals() {
        let high = Conditional::of(&[[[4, 0], [1, 3]]])
            .unwrap()
            .inference(0.95)
            .unwrap();
        assert_eq!((high.odds_ratio, high.upper), (None, None));
        assert!(high.lower.unwrap() > 0.0);
        let low = Conditional::of(&[[[0, 4], [3, 1]]])
            .unwrap()
            .inference(0.95)
            .unwrap();
        assert_eq!((low.odds_ratio, low.lower), (Some(0.0), Some(0.0)));
        assert!(low.interval().is_some() && high.interval().is_none());
    }

    #[test]
    fn swapping_rows_inverts_the_ratio_and_order_of_strata_does_not_matter() {
        let strata = [[[12, 5], [7, 20]], [[3, 9], [2, 14]], [[30, 10], [22, 21]]];
        let f = Conditional::of(&strata).unwrap().inference(0.95).unwrap();
        let swapped = strata.map(|[a, b]: TwoByTwo| [b, a]);
        let g = Conditional::of(&swapped).unwrap().inference(0.95).unwrap();
        assert!((f.odds_ratio.unwrap() * g.odds_ratio.unwrap() - 1.0).abs() < 1e-9);
        assert!((f.lower.unwrap() * g.upper.unwrap() - 1.0).abs() < 1e-9);
        assert!((f.less - g.greater).abs() < 1e-13);
        let mut turned = strata;
        turned.rotate_left(1);
        let h = Conditional::of(&turned).unwrap().inference(0.95).unwrap();
        assert!((f.two_sided / h.two_sided - 1.0).abs() < 1e-12);
    }

    #[test]
    fn strong_associations_keep_their_digits() {
        let f = Conditional::of(&[[[2000, 3], [5, 2500]]])
            .unwrap()
            .inference(0.95)
            .unwrap();
        // By bisection on log-gamma weights, an independent computation.
        assert!((f.odds_ratio.unwrap() / 294_359.166_096_502 - 1.0).abs() < 1e-8);
        assert!(f.lower.unwrap() < 294_359.0 && 294_360.0 < f.upper.unwrap());
    }

    #[test]
    fn what_cannot_be_computed_is_an_error() {
        assert_eq!(Conditional::of(&[]), Err(ConditionalFault::NoFreedom));
        assert_eq!(
            Conditional::of(&[[[3, 0], [5, 0]]]),
            Err(ConditionalFault::NoFreedom)
        );
        let huge = [[1 << 40, 1 << 40], [1 << 40, 1 << 40]];
        assert_eq!(Conditional::of(&[huge]), Err(ConditionalFault::TooLarge));
        assert_eq!(
            Conditional::of(&[[[3, 1], [1, 3]]]).unwrap().inference(1.0),
            Err(ConditionalFault::Level)
        );
    }
}
