//! D4, second half: shown counts are rounded to multiples of the base, numbers to the digits of
//! their kind, always after the test on the exact value.
//!
//! From: exact values that passed.
//! To: `review`.

use crate::statistic::stage::{Cell, Digits, Form};

/// A count rounded to a multiple of `base`, with the interval that holds the true value; the
/// interval does not reach below `least`, since smaller counts are never shown.
pub fn count(rows: u64, base: u64, least: u64) -> Cell<u64> {
    if base <= 1 {
        return if rows == 0 {
            Cell::Zero
        } else {
            Cell::Value { value: rows }
        };
    }
    let half = base / 2;
    let value = (rows + half) / base * base;
    let lo = value.saturating_sub(half).max(least);
    let hi = value + (base - 1 - half);
    Cell::Rounded { value, lo, hi }
}

/// A number rounded to the digits of its form, and the interval that holds the true value.
pub fn real(value: f64, form: Form) -> Cell<f64> {
    let step = match form.digits {
        Digits::Decimals(digits) => power_of_ten(-digits),
        Digits::Significant(digits) => {
            if value == 0.0 {
                return Cell::Zero;
            }
            let magnitude = libm::floor(libm::log10(libm::fabs(value)));
            #[allow(
                clippy::cast_possible_truncation,
                reason = "exponents of doubles fit i32"
            )]
            let magnitude = magnitude as i32;
            power_of_ten(magnitude + 1 - digits)
        }
    };
    if step <= 0.0 || !step.is_finite() {
        return Cell::Suppressed {
            lo: form.lo,
            hi: form.hi,
        };
    }
    let rounded = clean(libm::round(value / step) * step, step);
    let lo = (rounded - step / 2.0).max(form.lo);
    let hi = (rounded + step / 2.0).min(form.hi);
    let (lo, hi) = (
        clean(lo, step / 10.0).min(rounded),
        clean(hi, step / 10.0).max(rounded),
    );
    Cell::Rounded {
        value: rounded,
        lo,
        hi,
    }
}

fn power_of_ten(exponent: i32) -> f64 {
    format!("1e{exponent}").parse().unwrap_or(0.0)
}

/// The double that prints with the digits of `step` and no tail of binary noise.
fn clean(value: f64, step: f64) -> f64 {
    let decimals = (-libm::floor(libm::log10(step))).clamp(0.0, 300.0);
    #[allow(
        clippy::cast_possible_truncation,
        clippy::cast_sign_loss,
        reason = "clamped to [0, 300]"
    )]
    let decimals = decimals as usize;
    format!("{value:.decimals$}")
        .parse::<f64>()
        .map_or(value, |number| number + 0.0)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn counts_round_to_the_nearest_multiple() {
        assert_eq!(
            count(12, 5, 10),
            Cell::Rounded {
                value: 10,
                lo: 10,
                hi: 12
            }
        );
        assert_eq!(
            count(13, 5, 10),
            Cell::Rounded {
                value: 15,
                lo: 13,
                hi: 17
            }
        );
        assert_eq!(
            count(10, 5, 10),
            Cell::Rounded {
                value: 10,
                lo: 10,
                hi: 12
            }
        );
        assert_eq!(count(7, 1, 1), Cell::Value { value: 7 });
        assert_eq!(count(0, 1, 1), Cell::Zero);
        for rows in 10..200 {
            let (lo, hi) = count(rows, 5, 10).bounds().unwrap();
            assert!(lo <= rows && rows <= hi, "{rows} not in {lo}..{hi}");
        }
    }

    #[test]
    fn numbers_keep_their_digits() {
        let rounded = |value, form| real(value, form).number().unwrap();
        assert_eq!(rounded(0.887_654_321, Form::AREA), 0.8877);
        assert_eq!(rounded(0.887_654_321, Form::SHARE), 0.888);
        assert_eq!(rounded(0.000_455_866, Form::SPREAD), 0.000_456);
        assert_eq!(rounded(-0.123_456, Form::DIFFERENCE), -0.1235);
        assert_eq!(rounded(123_456.0, Form::STATISTIC), 123_500.0);
        for index in 1..2000 {
            let value = f64::from(index) / 1999.0;
            let (lo, hi) = real(value, Form::SHARE).bounds().unwrap();
            assert!(lo <= value + 1e-15 && value <= hi + 1e-15, "{value}");
        }
    }
}
