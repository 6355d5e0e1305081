//! Sums of real numbers through whole ones: two's complement with a fixed number of binary
//! places, and a bound on each member's value so that no sum can pass the range.
//!
//! With `b` binary places the resolution is 2^-b. A value is rounded to a multiple of it (ties
//! to even), so a sum over `m` members is within m * 2^-(b+1) of the exact one; and each member's
//! value is at most floor((2^63 - 1) / m) * 2^-b in magnitude. With 32 places and 100 members:
//! steps of 2.4e-10, values up to 2.1e7.
//!
//! From: a statistic's sums.
//! To: the vector that is masked; from the opened sum back to real numbers.

/// The bit that would be the sum's sign.
const RANGE: u64 = i64::MAX as u64;

/// Why a number has no fixed-point form.
#[derive(Clone, Copy, Debug, PartialEq, thiserror::Error)]
pub enum FixedFault {
    /// More than [`Fixed::FRACTION_BITS_MAX`] binary places.
    #[error("{found} binary places are more than 62")]
    FractionBits {
        /// Places asked for.
        found: u32,
    },
    /// Nobody adds anything.
    #[error("a sum has at least one member")]
    NoMembers,
    /// NaN or an infinity.
    #[error("{value} has no fixed-point form")]
    NotFinite {
        /// The value.
        value: f64,
    },
    /// With values of this size the sum could pass the range.
    #[error("{value} is beyond {bound}: the sum over all members could overflow")]
    Overflow {
        /// The value.
        value: f64,
        /// The largest magnitude a member may add.
        bound: f64,
    },
}

/// A fixed-point form that all members share.
#[derive(Clone, Copy, Debug, Eq, PartialEq)]
pub struct Fixed {
    fraction_bits: u32,
    members: u32,
    limit: u64,
}

impl Fixed {
    /// Most binary places: one bit for the sign, one for the whole.
    pub const FRACTION_BITS_MAX: u32 = 62;

    /// `fraction_bits` binary places, at most 62, for a sum over up to `members`.
    ///
    /// # Errors
    /// [`FixedFault::FractionBits`], [`FixedFault::NoMembers`].
    pub fn new(fraction_bits: u32, members: u32) -> Result<Self, FixedFault> {
        if fraction_bits > Self::FRACTION_BITS_MAX {
            return Err(FixedFault::FractionBits {
                found: fraction_bits,
            });
        }
        let limit = (RANGE.checked_div(members.into())).ok_or(FixedFault::NoMembers)?;
        Ok(Self {
            fraction_bits,
            members,
            limit,
        })
    }

    /// Counts and other whole numbers: no binary places.
    ///
    /// # Errors
    /// [`FixedFault::NoMembers`].
    pub fn whole(members: u32) -> Result<Self, FixedFault> {
        Self::new(0, members)
    }

    /// The distance between two neighbouring values, 2^-b.
    pub fn resolution(&self) -> f64 {
        1.0 / self.scale()
    }

    /// The largest distance of a sum over all members from the exact one, as far as rounding to
    /// the resolution goes: members * 2^-(b+1).
    pub fn error_bound(&self) -> f64 {
        f64::from(self.members) * self.resolution() / 2.0
    }

    /// The largest magnitude that one member may add: floor((2^63 - 1) / members) * 2^-b,
    /// rounded towards zero to a double.
    pub fn bound(&self) -> f64 {
        self.limit_as_double() / self.scale()
    }

    /// The value's fixed-point form.
    ///
    /// # Errors
    /// [`FixedFault::NotFinite`], [`FixedFault::Overflow`].
    pub fn encode(&self, value: f64) -> Result<u64, FixedFault> {
        if !value.is_finite() {
            return Err(FixedFault::NotFinite { value });
        }
        let scaled = (value * self.scale()).round_ties_even();
        if scaled.abs() > self.limit_as_double() {
            let bound = self.bound();
            return Err(FixedFault::Overflow { value, bound });
        }
        #[expect(
            clippy::cast_possible_truncation,
            reason = "a whole number below 2^63 in magnitude, by the comparison above"
        )]
        let whole = scaled as i64;
        Ok(whole.cast_unsigned())
    }

    /// A count's form, which is the count itself times 2^b.
    ///
    /// # Errors
    /// [`FixedFault::Overflow`].
    pub fn encode_count(&self, count: u64) -> Result<u64, FixedFault> {
        let scaled = count.checked_mul(1 << self.fraction_bits);
        #[expect(clippy::cast_precision_loss, reason = "for the message only")]
        scaled
            .filter(|scaled| *scaled <= self.limit)
            .ok_or(FixedFault::Overflow {
                value: count as f64,
                bound: self.bound(),
            })
    }

    /// The number of which `sum` is the form. Sums of up to 53 significant bits are exact;
    /// longer ones are rounded to the nearest double.
    pub fn decode(&self, sum: u64) -> f64 {
        #[expect(clippy::cast_precision_loss, reason = "said above")]
        let whole = sum.cast_signed() as f64;
        whole / self.scale()
    }

    fn scale(&self) -> f64 {
        #[expect(clippy::cast_precision_loss, reason = "a power of two is exact")]
        let scale = (1u64 << self.fraction_bits) as f64;
        scale
    }

    /// The limit, rounded towards zero where a double has not enough bits for it.
    fn limit_as_double(&self) -> f64 {
        #[expect(clippy::cast_precision_loss, reason = "rounded down below")]
        let nearest = self.limit as f64;
        if nearest as u64 <= self.limit {
            nearest
        } else {
            nearest.next_down()
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn sums_of_fixed_point_numbers_are_within_the_stated_error() {
        let fixed = Fixed::new(32, 100).unwrap();
        let values: Vec<f64> = (0..100)
            .map(|at| f64::from(at) * 1_234.567_8 - 55_000.1)
            .collect();
        let sum = values.iter().fold(0u64, |sum, value| {
            sum.wrapping_add(fixed.encode(*value).unwrap())
        });
        let exact: f64 = values.iter().sum();
        assert!((fixed.decode(sum) - exact).abs() <= fixed.error_bound() + 1e-9);
        assert!(fixed.error_bound() <= 100.0 * fixed.resolution());
    }

    #[test]
    fn no_sum_of_values_within_the_bound_overflows() {
        for (bits, members) in [(0, 4), (0, 7), (20, 30), (32, 100), (62, 1), (61, 4)] {
            let fixed = Fixed::new(bits, members).unwrap();
            for sign in [1.0, -1.0] {
                let most = sign * fixed.bound();
                let one = fixed.encode(most).unwrap().cast_signed();
                let sum = (0..members).try_fold(0i64, |sum, _| sum.checked_add(one));
                let close =
                    fixed.decode(sum.unwrap().cast_unsigned()) / (most * f64::from(members));
                assert!((close - 1.0).abs() < 1e-12, "{bits} {members} {close}");
                let beyond = most * (1.0 + 1e-12);
                assert!(matches!(
                    fixed.encode(beyond),
                    Err(FixedFault::Overflow { .. })
                ));
            }
        }
    }

    #[test]
    fn values_round_to_even_and_keep_their_sign() {
        let fixed = Fixed::new(1, 4).unwrap();
        for (value, kept) in [
            (0.25, 0.0),
            (0.75, 1.0),
            (-0.75, -1.0),
            (-3.5, -3.5),
            (-0.0, 0.0),
        ] {
            assert_eq!(fixed.decode(fixed.encode(value).unwrap()), kept, "{value}");
        }
        assert_eq!(fixed.encode(-0.5), Ok(u64::MAX));
    }

    #[test]
    fn counts_are_whole_and_bounded() {
        let whole = Fixed::whole(100).unwrap();
        assert_eq!(whole.encode_count(12_345), Ok(12_345));
        assert!(whole.encode_count(u64::MAX / 100).is_err());
        let half = Fixed::new(40, 100).unwrap();
        assert_eq!(half.encode_count(3), half.encode(3.0));
        assert!(half.encode_count(u64::MAX).is_err());
        assert!(half.encode_count(1 << 40).is_err());
    }

    #[test]
    fn numbers_without_a_form_are_refused() {
        let fixed = Fixed::new(10, 4).unwrap();
        for value in [f64::NAN, f64::INFINITY, f64::NEG_INFINITY] {
            assert!(matches!(
                fixed.encode(value),
                Err(FixedFault::NotFinite { .. })
            ));
        }
        assert!(matches!(
            fixed.encode(f64::MAX),
            Err(FixedFault::Overflow { .. })
        ));
        assert_eq!(
            Fixed::new(63, 4),
            Err(FixedFault::FractionBits { found: 63 })
        );
        assert_eq!(Fixed::new(10, 0), Err(FixedFault::NoMembers));
    }
}
