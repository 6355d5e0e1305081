//! Privacy losses and scales of noise as exact numbers: decimals with at most twelve places, and
//! fractions. No floating-point number takes part, so sums of losses are exact.
//!
//! From: the policy file, releases, the ledger.
//! To: `noise`, the node's budget.

use schemars::JsonSchema;
use serde::{Deserialize, Serialize};

/// One, in units of the last decimal place.
const ONE: u64 = 1_000_000_000_000;
/// Decimal places.
const PLACES: usize = 12;

/// A non-negative decimal number with at most twelve places, at most 1,000,000: an epsilon or a
/// delta. Written as text, `"0.5"`.
#[derive(
    Clone, Copy, Debug, Default, Eq, PartialEq, Ord, PartialOrd, Serialize, Deserialize, JsonSchema,
)]
#[serde(try_from = "String", into = "String")]
#[schemars(with = "String")]
pub struct Amount(u64);

/// A text that is no such number.
#[derive(Clone, Debug, Eq, PartialEq, thiserror::Error)]
#[error("\"{0}\" is not a decimal number such as \"0.5\", with at most twelve decimal places")]
pub struct InvalidAmount(String);

impl Amount {
    /// Nothing.
    pub const ZERO: Self = Self(0);
    /// One.
    pub const ONE: Self = Self(ONE);

    /// In units of 10^-12.
    pub fn units(self) -> u64 {
        self.0
    }

    /// So many units of 10^-12.
    pub fn of_units(units: u64) -> Self {
        Self(units)
    }

    /// The sum; `None` beyond what can be written.
    #[must_use]
    pub fn plus(self, other: Self) -> Option<Self> {
        self.0.checked_add(other.0).map(Self)
    }

    /// The rest; nothing where the other is larger.
    #[must_use]
    pub fn minus(self, other: Self) -> Self {
        Self(self.0.saturating_sub(other.0))
    }

    /// The nearest floating-point number, for scales and figures.
    #[allow(
        clippy::cast_precision_loss,
        reason = "amounts of budgets have few digits; the nearest number is meant"
    )]
    pub fn to_f64(self) -> f64 {
        self.0 as f64 / ONE as f64
    }
}

impl std::fmt::Display for Amount {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        let (whole, part) = (self.0 / ONE, self.0 % ONE);
        if part == 0 {
            return write!(f, "{whole}");
        }
        let part = format!("{part:0PLACES$}");
        write!(f, "{whole}.{}", part.trim_end_matches('0'))
    }
}

impl std::str::FromStr for Amount {
    type Err = InvalidAmount;

    fn from_str(text: &str) -> Result<Self, InvalidAmount> {
        let fault = || InvalidAmount(text.chars().take(40).collect());
        let (whole, part) = text.split_once('.').unwrap_or((text, "0"));
        let digits = |text: &str| !text.is_empty() && text.bytes().all(|one| one.is_ascii_digit());
        if !digits(whole) || !digits(part) || part.len() > PLACES || whole.len() > 7 {
            return Err(fault());
        }
        let whole: u64 = whole.parse().map_err(|_| fault())?;
        let part: u64 = format!("{part:0<PLACES$}").parse().map_err(|_| fault())?;
        if whole > 1_000_000 {
            return Err(fault());
        }
        Ok(Self(whole * ONE + part))
    }
}

impl TryFrom<String> for Amount {
    type Error = InvalidAmount;

    fn try_from(text: String) -> Result<Self, InvalidAmount> {
        text.parse()
    }
}

impl From<Amount> for String {
    fn from(amount: Amount) -> Self {
        amount.to_string()
    }
}

/// A positive fraction in lowest terms: the scale of a distribution. Written as text, `"20/3"`.
#[derive(Clone, Copy, Debug, Eq, PartialEq, Serialize, Deserialize, JsonSchema)]
#[serde(try_from = "String", into = "String")]
#[schemars(with = "String")]
pub struct Scale {
    numer: u64,
    denom: u64,
}

/// A text that is no positive fraction.
#[derive(Clone, Debug, Eq, PartialEq, thiserror::Error)]
#[error("not a positive fraction such as \"20/3\"")]
pub struct InvalidScale;

impl Scale {
    /// The fraction; `None` where a part is zero.
    pub fn of(numer: u64, denom: u64) -> Option<Self> {
        let (mut a, mut b) = (numer, denom);
        while b > 0 {
            (a, b) = (b, a % b);
        }
        (numer > 0 && denom > 0).then(|| Self {
            numer: numer / a,
            denom: denom / a,
        })
    }

    /// Numerator and denominator.
    pub fn parts(self) -> (u64, u64) {
        (self.numer, self.denom)
    }

    /// The nearest floating-point number, for figures.
    #[allow(
        clippy::cast_precision_loss,
        reason = "the nearest number is meant; samplers take the fraction"
    )]
    pub fn to_f64(self) -> f64 {
        self.numer as f64 / self.denom as f64
    }
}

impl std::fmt::Display for Scale {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        if self.denom == 1 {
            write!(f, "{}", self.numer)
        } else {
            write!(f, "{}/{}", self.numer, self.denom)
        }
    }
}

impl TryFrom<String> for Scale {
    type Error = InvalidScale;

    fn try_from(text: String) -> Result<Self, InvalidScale> {
        let (numer, denom) = text.split_once('/').unwrap_or((&text, "1"));
        let number = |text: &str| text.parse::<u64>().map_err(|_| InvalidScale);
        let scale = Self::of(number(numer)?, number(denom)?).ok_or(InvalidScale)?;
        // One number has one text, so that bytes agree.
        (scale.to_string() == text)
            .then_some(scale)
            .ok_or(InvalidScale)
    }
}

impl From<Scale> for String {
    fn from(scale: Scale) -> Self {
        scale.to_string()
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn amounts_are_exact_and_have_one_text() {
        for (text, units) in [
            ("0", 0),
            ("1", ONE),
            ("0.5", ONE / 2),
            ("0.000000000001", 1),
            ("3.25", 3 * ONE + ONE / 4),
        ] {
            let amount: Amount = text.parse().unwrap();
            assert_eq!(
                (amount.units(), amount.to_string()),
                (units, text.to_owned())
            );
        }
        for text in [
            "",
            "-1",
            ".5",
            "1.",
            "1e3",
            "0.0000000000001",
            "nan",
            "1 ",
            "+1",
            "99999999",
        ] {
            assert!(text.parse::<Amount>().is_err(), "{text}");
        }
        // Ten tenths are one, which they are not in floating point.
        let tenth: Amount = "0.1".parse().unwrap();
        let sum = (0..10).try_fold(Amount::ZERO, |sum, _| sum.plus(tenth));
        assert_eq!(sum, Some(Amount::ONE));
        assert_eq!(tenth.minus(Amount::ONE), Amount::ZERO);
        assert_eq!(Amount::of_units(u64::MAX).plus(tenth), None);
    }

    #[test]
    fn scales_are_fractions_in_lowest_terms() {
        let scale = Scale::of(40, 6).unwrap();
        assert_eq!(
            (scale.to_string(), scale.parts()),
            ("20/3".to_owned(), (20, 3))
        );
        assert_eq!(Scale::of(4, 2).unwrap().to_string(), "2");
        assert_eq!(Scale::of(0, 1).or(Scale::of(1, 0)), None);
        assert_eq!(Scale::try_from("20/3".to_owned()), Ok(scale));
        for text in ["40/6", "0", "1/0", "2/1", "a", "1/2/3", "-1", "+1"] {
            assert!(Scale::try_from(text.to_owned()).is_err(), "{text}");
        }
    }
}
