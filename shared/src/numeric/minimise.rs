//! The minimum of a smooth function of a few parameters, without derivatives from the caller.
//!
//! Broyden-Fletcher-Goldfarb-Shanno (Nocedal and Wright 2006, doi:10.1007/978-0-387-40065-5,
//! chapter 6) with a gradient from five-point differences, halving the step until the function
//! falls. Deterministic: the same input gives the same bytes everywhere.
//!
//! From: `pool` (bivariate and binomial models).
//! To: plain numbers.

use super::linear::Square;

/// Where a function is smallest.
#[derive(Clone, Debug, PartialEq)]
pub struct Minimum {
    /// The parameters.
    pub at: Vec<f64>,
    /// The function there.
    pub value: f64,
}

const MOST_STEPS: usize = 500;
const MOST_HALVINGS: usize = 60;
/// Width of the differences, times the larger of 1 and the parameter.
const WIDTH: f64 = 1e-3;
/// A gradient this small, beside the function's own size, is rounding.
const FLAT: f64 = 1e-9;

/// The minimum reached from `start`; `None` where the function is not finite at the start or the
/// steps run out before it is flat.
///
/// `value` may return an infinity to refuse a point; it is never asked for a gradient there.
pub fn minimise(value: impl Fn(&[f64]) -> f64, start: &[f64]) -> Option<Minimum> {
    let n = start.len();
    let mut at = start.to_vec();
    let mut now = Some(value(&at)).filter(|v| v.is_finite())?;
    let mut slope = gradient(&value, &at)?;
    let mut inverse = identity(n);
    for _ in 0..MOST_STEPS {
        if flat(&slope, now) {
            return Some(Minimum { at, value: now });
        }
        let mut step: Vec<f64> = inverse.apply(&slope).iter().map(|s| -s).collect();
        if dot(&step, &slope) >= 0.0 {
            inverse = identity(n);
            step = slope.iter().map(|s| -s).collect();
        }
        let Some((next, reached)) = descend(&value, &at, now, &step, &slope) else {
            // No step falls: rounding of the function hides what is left of the slope.
            let small = slope.iter().all(|s| s.abs() <= 1e-4 * (1.0 + now.abs()));
            return small.then_some(Minimum { at, value: now });
        };
        let slope_next = gradient(&value, &next)?;
        let moved: Vec<f64> = next.iter().zip(&at).map(|(a, b)| a - b).collect();
        let turned: Vec<f64> = slope_next.iter().zip(&slope).map(|(a, b)| a - b).collect();
        update(&mut inverse, &moved, &turned);
        (at, now, slope) = (next, reached, slope_next);
    }
    None
}

fn flat(slope: &[f64], value: f64) -> bool {
    slope.iter().all(|s| s.abs() <= FLAT * (1.0 + value.abs()))
}

/// The longest of the halved steps along which the function falls enough.
fn descend(
    value: &impl Fn(&[f64]) -> f64,
    at: &[f64],
    now: f64,
    step: &[f64],
    slope: &[f64],
) -> Option<(Vec<f64>, f64)> {
    let fall = dot(step, slope);
    let mut length = (5.0 / dot(step, step).sqrt()).min(1.0);
    for _ in 0..MOST_HALVINGS {
        let next: Vec<f64> = at.iter().zip(step).map(|(x, s)| x + length * s).collect();
        let reached = value(&next);
        if reached.is_finite() && reached < now && reached <= now + 1e-4 * length * fall {
            return Some((next, reached));
        }
        length /= 2.0;
    }
    None
}

/// The rank-two update of the inverse curvature; skipped where the function curves the other way.
fn update(inverse: &mut Square, moved: &[f64], turned: &[f64]) {
    let curvature = dot(moved, turned);
    if curvature <= 1e-14 * (dot(moved, moved) * dot(turned, turned)).sqrt() {
        return;
    }
    let image = inverse.apply(turned);
    let scale = (1.0 + dot(turned, &image) / curvature) / curvature;
    let old = inverse.clone();
    *inverse = Square::from_fn(old.size(), |i, j| {
        old.at(i, j) + scale * moved[i] * moved[j]
            - (image[i] * moved[j] + moved[i] * image[j]) / curvature
    });
}

fn identity(n: usize) -> Square {
    Square::from_fn(n, |i, j| if i == j { 1.0 } else { 0.0 })
}

fn dot(a: &[f64], b: &[f64]) -> f64 {
    a.iter().zip(b).map(|(a, b)| a * b).sum()
}

fn width(x: f64) -> f64 {
    WIDTH * x.abs().max(1.0)
}

/// Five-point differences; `None` where the function is not finite beside `at`.
fn gradient(value: &impl Fn(&[f64]) -> f64, at: &[f64]) -> Option<Vec<f64>> {
    (0..at.len())
        .map(|i| {
            let h = width(at[i]);
            let beside = |steps: f64| {
                let mut point = at.to_vec();
                point[i] += steps * h;
                value(&point)
            };
            let near = 8.0 * (beside(1.0) - beside(-1.0));
            let slope = (near - (beside(2.0) - beside(-2.0))) / (12.0 * h);
            Some(slope).filter(|s| s.is_finite())
        })
        .collect()
}

/// The matrix of second derivatives at `at`, by differences of the gradient, made symmetric;
/// `None` where the function is not finite beside `at`.
pub fn curvature(value: impl Fn(&[f64]) -> f64, at: &[f64]) -> Option<Square> {
    let rows: Vec<Vec<f64>> = (0..at.len())
        .map(|i| {
            let h = width(at[i]);
            let beside = |steps: f64| {
                let mut point = at.to_vec();
                point[i] += steps * h;
                gradient(&value, &point)
            };
            let (far_up, up, down, far_down) =
                (beside(2.0)?, beside(1.0)?, beside(-1.0)?, beside(-2.0)?);
            let entry =
                |j: usize| (8.0 * (up[j] - down[j]) - (far_up[j] - far_down[j])) / (12.0 * h);
            Some((0..at.len()).map(entry).collect())
        })
        .collect::<Option<_>>()?;
    Some(Square::from_fn(at.len(), |i, j| {
        f64::midpoint(rows[i][j], rows[j][i])
    }))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn rosenbrocks_valley_is_followed_to_its_end() {
        let valley = |p: &[f64]| {
            let (a, b) = (1.0 - p[0], p[1] - p[0] * p[0]);
            a * a + 100.0 * b * b
        };
        let found = minimise(valley, &[-1.2, 1.0]).unwrap();
        assert!((found.at[0] - 1.0).abs() < 1e-7 && (found.at[1] - 1.0).abs() < 1e-7);
        let second = curvature(valley, &found.at).unwrap();
        assert!((second.at(0, 0) - 802.0).abs() < 1e-4);
        assert!((second.at(0, 1) + 400.0).abs() < 1e-4);
    }

    #[test]
    fn what_has_no_minimum_or_no_value_is_none() {
        assert_eq!(minimise(|_: &[f64]| f64::NAN, &[0.0]), None);
        assert_eq!(minimise(|p: &[f64]| p[0], &[0.0]), None);
    }
}
