//! A flexible calibration curve: logistic regression of the outcome on a restricted cubic spline
//! of the logit of the prediction, over groups of cases.
//!
//! Four knots at the 5th, 35th, 65th and 95th percentile of the logits (Harrell 2015,
//! Regression Modeling Strategies, section 2.4.6, doi:10.1007/978-3-319-19425-7); linear beyond
//! the outer ones. Splines and loess make much the same curve (Austin and Steyerberg 2014,
//! doi:10.1002/sim.5941); a spline needs no single case, only cases and events at each of a
//! hundred or so predictions, and those add across hospitals. The pointwise band is normal on
//! the logit scale.
//!
//! From: `pool::calibration`.
//! To: the calibration figure.

use super::distribution::{inverse_logit, logit, normal_critical};
use super::exponential::exp_negative;
use super::logistic::FitFault;
use super::sum::sum_iter;

/// Where the knots stand among the cases.
const KNOTS: [f64; 4] = [0.05, 0.35, 0.65, 0.95];

/// Most iterations.
const MOST_STEPS: usize = 50;

/// Cases that share one value of the predictor.
#[derive(Clone, Copy, Debug, PartialEq)]
pub struct Group {
    /// The predictor, a finite number.
    pub x: f64,
    /// Cases, at least 0.
    pub n: f64,
    /// Events among them.
    pub events: f64,
}

/// A fitted curve.
#[derive(Clone, Debug, PartialEq)]
pub struct Spline {
    /// The knots, ascending; none for a straight line.
    pub knots: Vec<f64>,
    coefficients: Vec<f64>,
    /// Row by row, symmetric.
    covariance: Vec<f64>,
}

/// A point of the curve: the fitted probability and its pointwise interval.
#[derive(Clone, Copy, Debug, PartialEq)]
pub struct Point {
    /// The probability, in [0, 1].
    pub value: f64,
    /// Lower end of the band.
    pub low: f64,
    /// Upper end of the band.
    pub high: f64,
}

impl Spline {
    /// The curve of `groups`. Where the predictor has too few values for the knots, or the
    /// spline finds no maximum, a straight line on the logit scale.
    ///
    /// # Errors
    /// Why there is not even a line.
    pub fn fit(groups: &[Group]) -> Result<Self, FitFault> {
        let mut groups: Vec<Group> = groups.iter().copied().filter(|g| g.n > 0.0).collect();
        groups.sort_by(|a, b| a.x.total_cmp(&b.x));
        let n = sum_iter(groups.iter().map(|g| g.n));
        let events = sum_iter(groups.iter().map(|g| g.events));
        if groups.is_empty() {
            return Err(FitFault::Empty);
        }
        if events <= 0.0 || events >= n {
            return Err(FitFault::OneClass);
        }
        let knots = knots(&groups, n);
        let start = logit(events / n).ok_or(FitFault::OneClass)?;
        if knots.len() >= 3
            && let Ok(curve) = maximise(&groups, knots, start)
        {
            return Ok(curve);
        }
        maximise(&groups, Vec::new(), start)
    }

    /// The curve at `x` with its band at `level`; `None` where it is not finite.
    pub fn at(&self, x: f64, level: f64) -> Option<Point> {
        let basis = basis(&self.knots, x);
        let eta = sum_iter(basis.iter().zip(&self.coefficients).map(|(b, c)| b * c));
        let width = basis.len();
        let variance = sum_iter(
            (0..width * width)
                .map(|cell| basis[cell / width] * self.covariance[cell] * basis[cell % width]),
        );
        let half = normal_critical(level)? * variance.max(0.0).sqrt();
        let value = |eta: f64| inverse_logit(eta).filter(|_| eta.is_finite());
        Some(Point {
            value: value(eta)?,
            low: value(eta - half)?,
            high: value(eta + half)?,
        })
    }
}

/// The percentiles of [`KNOTS`] among the cases, each once; none if fewer than three differ.
fn knots(groups: &[Group], n: f64) -> Vec<f64> {
    let mut knots = Vec::new();
    for share in KNOTS {
        let mut below = 0.0;
        for group in groups {
            below += group.n;
            if below >= share * n {
                knots.push(group.x);
                break;
            }
        }
    }
    knots.dedup();
    if knots.len() < 3 {
        knots.clear();
    }
    knots
}

/// `1, x`, and a truncated cubic for each knot but the last two, scaled by the squared range.
fn basis(knots: &[f64], x: f64) -> Vec<f64> {
    let mut basis = vec![1.0, x];
    let [.., before, last] = knots else {
        return basis;
    };
    let Some(first) = knots.first() else {
        return basis;
    };
    let cube = |knot: f64| {
        let above = (x - knot).max(0.0);
        above * above * above
    };
    let scale = (last - first) * (last - first);
    for knot in &knots[..knots.len() - 2] {
        let gap = last - before;
        let bent =
            cube(*knot) - cube(*before) * (last - knot) / gap + cube(*last) * (before - knot) / gap;
        basis.push(bent / scale);
    }
    basis
}

/// Newton-Raphson from the prevalence; a step that lowers the likelihood is halved.
fn maximise(groups: &[Group], knots: Vec<f64>, start: f64) -> Result<Spline, FitFault> {
    let rows: Vec<Vec<f64>> = groups.iter().map(|g| basis(&knots, g.x)).collect();
    let width = rows.first().map_or(0, Vec::len);
    let mut at = vec![0.0; width];
    at[0] = start;
    let mut last: Option<(Vec<f64>, f64)> = None;
    for _ in 0..MOST_STEPS {
        let (loglik, score, information) = evaluate(groups, &rows, &at);
        if let Some((held, best)) = &last
            && loglik < best - 1e-10 * best.abs()
        {
            for (now, held) in at.iter_mut().zip(held) {
                *now = f64::midpoint(*now, *held);
            }
            continue;
        }
        let covariance = inverse(&information, width).ok_or(FitFault::Constant)?;
        let step: Vec<f64> = (0..width)
            .map(|i| sum_iter((0..width).map(|j| covariance[i * width + j] * score[j])))
            .collect();
        let done = step
            .iter()
            .zip(&at)
            .all(|(step, at)| step.abs() <= 1e-9 * at.abs().max(1.0));
        last = Some((at.clone(), loglik));
        for (at, step) in at.iter_mut().zip(&step) {
            *at += step;
        }
        if at.iter().any(|part| !part.is_finite()) {
            return Err(FitFault::NotConverged);
        }
        if done {
            return Ok(Spline {
                knots,
                coefficients: at,
                covariance,
            });
        }
    }
    Err(FitFault::NotConverged)
}

fn evaluate(groups: &[Group], rows: &[Vec<f64>], at: &[f64]) -> (f64, Vec<f64>, Vec<f64>) {
    let width = at.len();
    let (mut loglik, mut score) = (0.0, vec![0.0; width]);
    let mut information = vec![0.0; width * width];
    for (group, row) in groups.iter().zip(rows) {
        let eta = sum_iter(row.iter().zip(at).map(|(b, c)| b * c));
        let odds = exp_negative(-eta.abs());
        let share = 1.0 / (1.0 + odds);
        let fitted = if eta >= 0.0 { share } else { odds * share };
        loglik += group.events * eta - group.n * (eta.max(0.0) + libm::log1p(odds));
        let residual = group.events - group.n * fitted;
        let weight = group.n * share * odds * share;
        for i in 0..width {
            score[i] += residual * row[i];
            for j in 0..width {
                information[i * width + j] += weight * row[i] * row[j];
            }
        }
    }
    (loglik, score, information)
}

/// The inverse of a symmetric positive definite matrix, row by row, by elimination; `None`
/// where a pivot is no more than rounding.
fn inverse(matrix: &[f64], width: usize) -> Option<Vec<f64>> {
    let mut left = matrix.to_vec();
    let mut right = vec![0.0; width * width];
    for i in 0..width {
        right[i * width + i] = 1.0;
    }
    for i in 0..width {
        let pivot = left[i * width + i];
        if !(pivot.is_finite() && pivot > 1e-12 * matrix[i * width + i]) {
            return None;
        }
        for k in 0..width {
            left[i * width + k] /= pivot;
            right[i * width + k] /= pivot;
        }
        for row in (0..width).filter(|row| *row != i) {
            let factor = left[row * width + i];
            for k in 0..width {
                left[row * width + k] -= factor * left[i * width + k];
                right[row * width + k] -= factor * right[i * width + k];
            }
        }
    }
    right.iter().all(|cell| cell.is_finite()).then_some(right)
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::numeric::logistic::{Coefficients, Free, fit};

    fn groups(truth: impl Fn(f64) -> f64) -> Vec<Group> {
        (-30..=30)
            .map(|step| {
                let x = f64::from(step) / 10.0;
                let n = 200.0;
                Group {
                    x,
                    n,
                    events: n * inverse_logit(truth(x)).unwrap(),
                }
            })
            .collect()
    }

    #[test]
    fn a_straight_truth_is_found_exactly() {
        let curve = Spline::fit(&groups(|x| 0.3 + 0.7 * x)).unwrap();
        assert_eq!(curve.knots.len(), 4);
        for x in [-3.0, -1.0, 0.0, 2.5] {
            let point = curve.at(x, 0.95).unwrap();
            let truth = inverse_logit(0.3 + 0.7 * x).unwrap();
            assert!((point.value - truth).abs() < 1e-9);
            assert!(point.low < truth && truth < point.high);
        }
    }

    #[test]
    fn a_bent_truth_is_followed() {
        let truth = |x: f64| if x < 0.0 { 0.3 * x } else { 1.5 * x };
        let curve = Spline::fit(&groups(truth)).unwrap();
        for x in [-2.0, -1.0, 1.0, 2.0] {
            let point = curve.at(x, 0.95).unwrap();
            assert!((point.value - inverse_logit(truth(x)).unwrap()).abs() < 0.05);
        }
    }

    #[test]
    fn two_values_give_the_logistic_line() {
        let (lp, outcome): (Vec<f64>, Vec<bool>) = (0..200)
            .map(|row| (f64::from(row % 2), row % 5 == 0 || row % 3 == 0))
            .unzip();
        let line = fit(&lp, &outcome, Free::Both, Coefficients::START).unwrap();
        let count = |x: f64, event: bool| {
            let same = |(a, y): &(&f64, &bool)| **a == x && (**y || !event);
            lp.iter().zip(&outcome).filter(same).count() as f64
        };
        let groups = [0.0, 1.0].map(|x| Group {
            x,
            n: count(x, false),
            events: count(x, true),
        });
        let curve = Spline::fit(&groups).unwrap();
        assert!(curve.knots.is_empty());
        let value = curve.at(1.0, 0.95).unwrap().value;
        let at = line.coefficients;
        let expected = inverse_logit(at.intercept + at.slope).unwrap();
        assert!((value - expected).abs() < 1e-9);
    }

    #[test]
    fn what_has_no_curve_says_why() {
        assert_eq!(Spline::fit(&[]), Err(FitFault::Empty));
        let one = Group {
            x: 0.0,
            n: 10.0,
            events: 10.0,
        };
        assert_eq!(Spline::fit(&[one]), Err(FitFault::OneClass));
        let half = Group { events: 5.0, ..one };
        assert_eq!(Spline::fit(&[half]), Err(FitFault::Constant));
        let apart = [
            Group {
                x: -1.0,
                events: 0.0,
                ..one
            },
            one,
        ];
        assert!(Spline::fit(&apart).is_err());
    }
}
