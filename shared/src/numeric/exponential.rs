//! The exponential of many numbers at once, for loops that spend their time in it.
//!
//! Plain additions and multiplications without a branch, so that compilers take several
//! numbers per instruction and every machine gives the same bytes. Argument reduction after
//! Cody and Waite (Software Manual for the Elementary Functions, 1980, chapter 6), then the
//! Taylor polynomial of degree 13, whose first term left out is below 2^-57 there.
//!
//! From: `numeric::logistic`, `numeric::calibration`.
//! To: nothing.

/// Numbers below this give 0 to within the smallest normal double; they are taken as it.
const LOWEST: f64 = -708.0;

/// `1.5 * 2^52`: adding it rounds to an integer that then stands in the low bits.
const ROUND: f64 = 6_755_399_441_055_744.0;

/// The leading bits of `log 2`, so few that a product with an exponent is exact.
const LN2_HIGH: f64 = f64::from_bits(0x3fe6_2e42_fee0_0000);

/// `log 2` less [`LN2_HIGH`].
const LN2_LOW: f64 = f64::from_bits(0x3dea_39ef_3579_3c76);

/// `1 / k!` for k = 0 to 13.
const TAYLOR: [f64; 14] = [
    1.0,
    1.0,
    0.5,
    1.0 / 6.0,
    1.0 / 24.0,
    1.0 / 120.0,
    1.0 / 720.0,
    1.0 / 5_040.0,
    1.0 / 40_320.0,
    1.0 / 362_880.0,
    1.0 / 3_628_800.0,
    1.0 / 39_916_800.0,
    1.0 / 479_001_600.0,
    1.0 / 6_227_020_800.0,
];

/// `exp(x)` for `x` at most 0, relative error below 5e-16; below -708 the value there, 3e-308.
/// NaN stays NaN.
#[inline]
pub fn exp_negative(x: f64) -> f64 {
    let x = if x < LOWEST { LOWEST } else { x };
    let shifted = x * core::f64::consts::LOG2_E + ROUND;
    let power = shifted - ROUND;
    let rest = (x - power * LN2_HIGH) - power * LN2_LOW;
    let (square, fourth) = (rest * rest, (rest * rest) * (rest * rest));
    // Pairs, then pairs of pairs: a third of the waiting that one chain of terms has.
    let pair = |k: usize| TAYLOR[k] + TAYLOR[k + 1] * rest;
    let four = |k: usize| pair(k) + pair(k + 2) * square;
    let tail = four(8) + pair(12) * fourth;
    let value = (four(0) + four(4) * fourth) + tail * (fourth * fourth);
    // The integer in the low bits of `shifted`, moved to the exponent's place: times 2^power.
    value * f64::from_bits((shifted.to_bits() << 52).wrapping_add(0x3ff0_0000_0000_0000))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn it_is_the_exponential_to_two_units_in_the_last_place() {
        let mut worst = 0.0_f64;
        for step in 0..=1_400_000_u32 {
            let x = -f64::from(step) * 5.000_3e-4;
            let expected = libm::exp(x);
            worst = worst.max(((exp_negative(x) - expected) / expected).abs());
        }
        assert!(worst < 5e-16, "{worst:e}");
        assert_eq!(exp_negative(0.0), 1.0);
        assert_eq!(exp_negative(-0.0), 1.0);
    }

    #[test]
    fn far_out_it_stays_a_small_positive_number() {
        for x in [-709.0, -1e4, f64::NEG_INFINITY] {
            assert_eq!(exp_negative(x), exp_negative(LOWEST));
        }
        assert!((0.0..1e-300).contains(&exp_negative(-1e4)));
        assert!(exp_negative(f64::NAN).is_nan());
    }
}
