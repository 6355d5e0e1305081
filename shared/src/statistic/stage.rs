//! The two lives of a statistic: `Exact` inside the hospital, `Disclosed` outside.
//! Exact numbers have no `Serialize`, no `Debug` and no public reader; only the disclosure
//! gate, inside this crate, sees them.
//!
//! From: every statistic's `measure`.
//! To: `disclosure::review`, then `wire` and `pool`.

use schemars::JsonSchema;
use serde::{Deserialize, Serialize};

use crate::numeric::dominance::Dominance;

mod sealed {
    pub trait Sealed {}
}

/// The stage of a statistic's life; sealed.
pub trait Stage: sealed::Sealed {
    /// A count of patients or cases.
    type Count;
    /// A real number.
    type Real;
}

/// Inside the hospital.
pub enum Exact {}

/// After the disclosure gate.
#[derive(Clone, Debug, PartialEq)]
pub enum Disclosed {}

impl sealed::Sealed for Exact {}
impl sealed::Sealed for Disclosed {}

impl Stage for Exact {
    type Count = ExactCount;
    type Real = ExactReal;
}

impl Stage for Disclosed {
    type Count = Cell<u64>;
    type Real = Cell<f64>;
}

/// A count as measured: rows, and the distinct patients behind them. Thresholds apply to patients.
pub struct ExactCount {
    pub(crate) rows: u64,
    pub(crate) patients: u64,
    /// Distinct patients by which this group differs from the nearest other group that the same
    /// release speaks about; `u64::MAX` where it equals it or nobody has compared them.
    pub(crate) nearest: u64,
}

impl ExactCount {
    /// A count of `rows` cases that belong to `patients` distinct patients.
    pub fn new(rows: u64, patients: u64) -> Self {
        Self {
            rows,
            patients,
            nearest: u64::MAX,
        }
    }

    /// The same group, which differs from another one by `patients` distinct patients.
    #[must_use]
    pub fn beside(self, patients: u64) -> Self {
        Self {
            nearest: self.nearest.min(patients),
            ..self
        }
    }
}

/// A real number as measured, or why there is none, with what the gate must know of it.
pub struct ExactReal {
    pub(crate) value: Result<f64, Undefined>,
    pub(crate) form: Form,
    pub(crate) basis: Basis,
}

/// The people behind a number.
#[derive(Clone, Copy)]
pub struct Basis {
    /// Distinct patients in the smallest group that the number speaks about, complement included.
    pub(crate) smallest: u64,
    /// Largest shares of one patient and of two in what the number sums.
    pub(crate) dominance: Dominance,
}

impl Basis {
    /// A number about groups of at least `smallest` distinct patients.
    pub fn of(smallest: u64) -> Self {
        Self {
            smallest,
            dominance: Dominance::NONE,
        }
    }

    /// The same, where single patients carry these shares of the sum.
    #[must_use]
    pub fn dominated(self, share: Dominance) -> Self {
        Self {
            dominance: self.dominance.and(share),
            ..self
        }
    }

    /// The people behind a number that needs both.
    #[must_use]
    pub fn and(self, other: Self) -> Self {
        Self {
            smallest: self.smallest.min(other.smallest),
            dominance: self.dominance.and(other.dominance),
        }
    }
}

/// How a kind of number is bounded and rounded when rounding applies.
#[derive(Clone, Copy)]
pub struct Form {
    pub(crate) lo: f64,
    pub(crate) hi: f64,
    pub(crate) digits: Digits,
}

/// Digits that a released number keeps.
#[derive(Clone, Copy)]
pub(crate) enum Digits {
    Decimals(i32),
    Significant(i32),
}

impl Form {
    /// A proportion.
    pub const SHARE: Self = Self {
        lo: 0.0,
        hi: 1.0,
        digits: Digits::Significant(3),
    };
    /// An area, a score, a mean of proportions.
    pub const AREA: Self = Self {
        lo: 0.0,
        hi: 1.0,
        digits: Digits::Decimals(4),
    };
    /// A difference of proportions or areas.
    pub const DIFFERENCE: Self = Self {
        lo: -1.0,
        hi: 1.0,
        digits: Digits::Decimals(4),
    };
    /// A variance or standard error.
    pub const SPREAD: Self = Self {
        lo: 0.0,
        hi: f64::MAX,
        digits: Digits::Significant(3),
    };
    /// A ratio.
    pub const RATIO: Self = Self {
        lo: 0.0,
        hi: f64::MAX,
        digits: Digits::Decimals(4),
    };
    /// A number without bounds.
    pub const FREE: Self = Self {
        lo: f64::MIN,
        hi: f64::MAX,
        digits: Digits::Significant(4),
    };
    /// A utility per patient: at most 1, without a lower bound.
    pub const UTILITY: Self = Self {
        lo: f64::MIN,
        hi: 1.0,
        digits: Digits::Decimals(4),
    };
    /// A difference of utilities.
    pub const UTILITY_CHANGE: Self = Self {
        lo: f64::MIN,
        hi: f64::MAX,
        digits: Digits::Decimals(4),
    };
    /// A difference of two classes' net shares, each from -1 to 1.
    pub const RECLASSIFIED: Self = Self {
        lo: -2.0,
        hi: 2.0,
        digits: Digits::Decimals(4),
    };
    /// A test statistic.
    pub const STATISTIC: Self = Self {
        lo: 0.0,
        hi: f64::MAX,
        digits: Digits::Significant(4),
    };
    /// A p value.
    pub const P_VALUE: Self = Self {
        lo: 0.0,
        hi: 1.0,
        digits: Digits::Significant(3),
    };
}

impl Form {
    /// Smallest and largest possible value.
    pub fn bounds(self) -> (f64, f64) {
        (self.lo, self.hi)
    }

    /// True when both ends of the scale are near 0, as those of shares and their differences are.
    pub fn is_bounded(self) -> bool {
        self.lo >= -1.0 && self.hi <= 1.0
    }
}

impl ExactReal {
    /// A measured value; anything not finite is no value.
    pub fn new(value: impl Into<Result<f64, Undefined>>, form: Form, basis: Basis) -> Self {
        let value = value.into().and_then(|number| {
            if number.is_finite() {
                Ok(number + 0.0)
            } else {
                Err(Undefined::NotFinite)
            }
        });
        Self { value, form, basis }
    }
}

/// Why a number does not exist.
#[derive(
    Clone, Copy, Debug, Eq, PartialEq, Ord, PartialOrd, Serialize, Deserialize, JsonSchema,
)]
#[serde(rename_all = "kebab-case")]
pub enum Undefined {
    /// Only one outcome class is present.
    OneClass,
    /// No case is in the denominator.
    NoCases,
    /// The variance is zero or cannot be estimated.
    NoVariance,
    /// The estimate lies on the boundary of its scale (AUC of 0 or 1, no events).
    Boundary,
    /// Patients repeat and no cluster-robust interval exists for this quantity.
    Clustered,
    /// The sampling design forbids it (decision C3).
    DesignForbids,
    /// The policy profile of this site never releases it.
    NotInPolicy,
    /// The level and the rest of the site cannot be compared.
    NoRest,
    /// The computation gave no finite number.
    NotFinite,
    /// The predictions separate events from non-events: a slope is infinite.
    Separated,
    /// The iterations ended without a maximum.
    NotConverged,
    /// The counts are too large for an exact law.
    TooLarge,
    /// The test is defined for two by two tables only.
    NotTwoByTwo,
    /// The parts are not independent of each other, and their covariance is not known.
    Dependent,
}

impl Undefined {
    /// A sentence part for reports: `not computed: ...`.
    pub fn words(self) -> &'static str {
        match self {
            Self::OneClass => "only one outcome class",
            Self::NoCases => "no cases",
            Self::NoVariance => "no variance",
            Self::Boundary => "on the boundary of its scale",
            Self::Clustered => "patients repeat; no cluster-robust interval",
            Self::DesignForbids => "the sampling design forbids it",
            Self::NotInPolicy => "never released under this site's policy",
            Self::NoRest => "no rest of the site to compare with",
            Self::NotFinite => "not a finite number",
            Self::Separated => "the predictions separate the outcome classes",
            Self::NotConverged => "the iterations found no maximum",
            Self::TooLarge => "too large for an exact computation",
            Self::NotTwoByTwo => "for two by two tables only",
            Self::Dependent => "levels are not independent of each other",
        }
    }
}

/// A released value in one of its four states: number, suppressed, zero, not computed.
/// A number may be rounded; then the interval that holds the true value comes with it.
#[derive(Clone, Copy, Debug, PartialEq, Serialize, Deserialize, JsonSchema)]
#[serde(tag = "state", rename_all = "kebab-case", deny_unknown_fields)]
pub enum Cell<T> {
    /// A number, exact.
    Value {
        /// The number.
        value: T,
    },
    /// A number rounded by the disclosure rules; the true value lies in `[lo, hi]`.
    Rounded {
        /// The rounded number.
        value: T,
        /// Smallest possible true value.
        lo: T,
        /// Largest possible true value.
        hi: T,
    },
    /// Zero, and disclosed as such.
    Zero,
    /// Hidden by the disclosure rules; all that is said is `[lo, hi]`.
    Suppressed {
        /// Smallest possible true value.
        lo: T,
        /// Largest possible true value.
        hi: T,
    },
    /// There is no such number.
    NotComputed {
        /// Why.
        reason: Undefined,
    },
}

impl<T: Copy + Default> Cell<T> {
    /// The number to print: exact, rounded, or zero; `None` for suppressed and not computed.
    pub fn number(&self) -> Option<T> {
        match self {
            Self::Value { value } | Self::Rounded { value, .. } => Some(*value),
            Self::Zero => Some(T::default()),
            Self::Suppressed { .. } | Self::NotComputed { .. } => None,
        }
    }

    /// The number when it is exact.
    pub fn exact(&self) -> Option<T> {
        match self {
            Self::Value { value } => Some(*value),
            Self::Zero => Some(T::default()),
            Self::Rounded { .. } | Self::Suppressed { .. } | Self::NotComputed { .. } => None,
        }
    }

    /// What is known of the true value.
    pub fn bounds(&self) -> Option<(T, T)> {
        match self {
            Self::Value { value } => Some((*value, *value)),
            Self::Zero => Some((T::default(), T::default())),
            Self::Rounded { lo, hi, .. } | Self::Suppressed { lo, hi } => Some((*lo, *hi)),
            Self::NotComputed { .. } => None,
        }
    }

    /// True when the disclosure rules hide the number.
    pub fn is_suppressed(&self) -> bool {
        matches!(self, Self::Suppressed { .. })
    }
}

impl Cell<u64> {
    /// The sum of disclosed counts: intervals add; it is exact only if every term is.
    #[must_use]
    pub fn plus(self, other: Self) -> Self {
        let (Some((a, b)), Some((c, d))) = (self.bounds(), other.bounds()) else {
            return Self::NotComputed {
                reason: Undefined::NoCases,
            };
        };
        let (lo, hi) = (a.saturating_add(c), b.saturating_add(d));
        match (self.number(), other.number()) {
            (Some(x), Some(y)) if lo == hi && x.saturating_add(y) == 0 => Self::Zero,
            (Some(x), Some(y)) if lo == hi => Self::Value {
                value: x.saturating_add(y),
            },
            (Some(x), Some(y)) => Self::Rounded {
                value: x.saturating_add(y),
                lo,
                hi,
            },
            (None, _) | (_, None) => Self::Suppressed { lo, hi },
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn sums_are_exact_only_when_every_term_is() {
        let exact = Cell::Value { value: 7 };
        let rounded = Cell::Rounded {
            value: 10,
            lo: 8,
            hi: 12,
        };
        let hidden = Cell::Suppressed { lo: 0, hi: 9 };
        assert_eq!(exact.plus(Cell::Zero), Cell::Value { value: 7 });
        assert_eq!(Cell::Zero.plus(Cell::Zero), Cell::Zero);
        assert_eq!(
            exact.plus(rounded),
            Cell::Rounded {
                value: 17,
                lo: 15,
                hi: 19
            }
        );
        assert_eq!(rounded.plus(hidden), Cell::Suppressed { lo: 8, hi: 21 });
        assert_eq!(
            hidden
                .plus(Cell::NotComputed {
                    reason: Undefined::OneClass
                })
                .number(),
            None
        );
    }

    #[test]
    fn the_four_states_look_different_in_json() {
        let states = [
            Cell::Value { value: 3_u64 },
            Cell::Zero,
            Cell::Suppressed { lo: 0, hi: 9 },
            Cell::NotComputed {
                reason: Undefined::OneClass,
            },
        ];
        let texts: Vec<String> = states
            .iter()
            .map(|cell| serde_json::to_string(cell).unwrap())
            .collect();
        assert_eq!(texts[0], r#"{"state":"value","value":3}"#);
        assert_eq!(texts[1], r#"{"state":"zero"}"#);
        assert_eq!(texts[2], r#"{"state":"suppressed","lo":0,"hi":9}"#);
        assert_eq!(texts[3], r#"{"state":"not-computed","reason":"one-class"}"#);
    }
}
