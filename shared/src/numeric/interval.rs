//! The two small shapes every estimator returns: an interval and a test.
//!
//! From: the estimators of this folder and of `pool`.
//! To: `statistic`, `report`.

/// A two-sided interval on the scale its owner names; `lower <= upper`, both finite.
#[derive(Clone, Copy, Debug, PartialEq)]
pub struct Interval {
    /// Lower limit.
    pub lower: f64,
    /// Upper limit.
    pub upper: f64,
}

impl Interval {
    /// `estimate - half_width` to `estimate + half_width`; `None` unless both limits are
    /// finite and `half_width` is not negative.
    pub fn around(estimate: f64, half_width: f64) -> Option<Self> {
        Self::new(estimate - half_width, estimate + half_width)
    }

    /// `None` unless both limits are finite and in order.
    pub fn new(lower: f64, upper: f64) -> Option<Self> {
        (lower.is_finite() && upper.is_finite() && lower <= upper).then_some(Self { lower, upper })
    }

    /// The interval cut to `[lowest, highest]`.
    pub fn clamp(self, lowest: f64, highest: f64) -> Self {
        Self {
            lower: self.lower.clamp(lowest, highest),
            upper: self.upper.clamp(lowest, highest),
        }
    }

    /// Both limits carried through an increasing function; `None` if a limit leaves the
    /// finite numbers.
    pub fn map(self, increasing: impl Fn(f64) -> f64) -> Option<Self> {
        Self::new(increasing(self.lower), increasing(self.upper))
    }

    /// Whether `value` lies in the closed interval.
    pub fn contains(self, value: f64) -> bool {
        self.lower <= value && value <= self.upper
    }
}

/// A test statistic referred to a chi-squared law.
#[derive(Clone, Copy, Debug, PartialEq)]
pub struct Test {
    /// The statistic, at least 0.
    pub statistic: f64,
    /// Degrees of freedom, at least 1.
    pub df: u32,
    /// Upper-tail probability, in `[0, 1]`, computed by the survival function.
    pub p: f64,
}

impl Test {
    /// The upper tail of chi-squared with `df` degrees of freedom at `statistic`; `None` if
    /// the statistic is not a finite number at least 0 or `df` is 0.
    pub fn chi2(statistic: f64, df: u32) -> Option<Self> {
        let p = super::distribution::chi2_sf(statistic, f64::from(df))?;
        Some(Self { statistic, df, p })
    }
}
