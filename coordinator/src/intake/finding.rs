//! What a check found, in words a coordinator can act on.
//!
//! From: the checks of this station.
//! To: the inbox, `fedval round status`, the report's list of what was set aside.

use serde::{Deserialize, Serialize};
use shared::statistic::Cell;

/// One contradiction.
#[derive(Clone, Debug, Eq, PartialEq, Serialize, Deserialize)]
pub struct Finding {
    /// The rule, a short name.
    pub rule: String,
    /// Where in the release, as a path.
    pub place: String,
    /// What is wrong, one sentence.
    pub what: String,
}

impl Finding {
    /// A finding with its three parts.
    pub fn new(rule: &str, place: impl Into<String>, what: impl Into<String>) -> Self {
        Self {
            rule: rule.to_owned(),
            place: place.into(),
            what: what.into(),
        }
    }
}

/// What is known of a number: it lies in `[lo, hi]`.
#[derive(Clone, Copy, Debug, PartialEq)]
pub(super) struct Span {
    pub(super) lo: f64,
    pub(super) hi: f64,
}

impl Span {
    pub(super) const ZERO: Self = Self { lo: 0.0, hi: 0.0 };

    /// The span of a count; `None` when it was not computed.
    #[expect(
        clippy::cast_precision_loss,
        reason = "counts above 2^53 are refused by `cells`"
    )]
    pub(super) fn count(cell: &Cell<u64>) -> Option<Self> {
        cell.bounds().map(|(lo, hi)| Self {
            lo: lo as f64,
            hi: hi as f64,
        })
    }

    /// The span of a real number, widened by `slack`.
    pub(super) fn real(cell: &Cell<f64>, slack: f64) -> Option<Self> {
        cell.bounds().map(|(lo, hi)| Self {
            lo: lo - slack,
            hi: hi + slack,
        })
    }

    pub(super) fn plus(self, other: Self) -> Self {
        Self {
            lo: self.lo + other.lo,
            hi: self.hi + other.hi,
        }
    }

    /// No value fits both.
    pub(super) fn excludes(self, other: Self) -> bool {
        self.lo > other.hi || other.lo > self.hi
    }

    /// The sum of counts; `None` when one of them was not computed.
    pub(super) fn sum<'a>(mut cells: impl Iterator<Item = &'a Cell<u64>>) -> Option<Self> {
        cells.try_fold(Self::ZERO, |sum, cell| Some(sum.plus(Self::count(cell)?)))
    }
}

/// Adds a finding when `parts` cannot sum to `whole`.
pub(super) fn sums_to<'a>(
    findings: &mut Vec<Finding>,
    rule: &str,
    place: &str,
    parts: impl Iterator<Item = &'a Cell<u64>>,
    whole: &Cell<u64>,
) {
    let (Some(sum), Some(whole)) = (Span::sum(parts), Span::count(whole)) else {
        return;
    };
    if sum.excludes(whole) {
        findings.push(Finding::new(
            rule,
            place,
            format!(
                "the parts sum to {}, the whole is {}",
                shown(sum),
                shown(whole)
            ),
        ));
    }
}

/// Adds a finding when two counts cannot be the same number.
pub(super) fn equal(
    findings: &mut Vec<Finding>,
    rule: &str,
    place: &str,
    a: &Cell<u64>,
    b: &Cell<u64>,
) {
    sums_to(findings, rule, place, std::iter::once(a), b);
}

/// Adds a finding when `part` cannot be at most `whole`.
pub(super) fn at_most(
    findings: &mut Vec<Finding>,
    rule: &str,
    place: &str,
    part: &Cell<u64>,
    whole: &Cell<u64>,
) {
    if let (Some(part), Some(whole)) = (Span::count(part), Span::count(whole))
        && part.lo > whole.hi
    {
        findings.push(Finding::new(
            rule,
            place,
            format!("{} is more than {}", shown(part), shown(whole)),
        ));
    }
}

/// Adds a finding when a real number lies outside `[lo, hi]`.
pub(super) fn within(
    findings: &mut Vec<Finding>,
    rule: &str,
    place: &str,
    cell: &Cell<f64>,
    lo: f64,
    hi: f64,
) {
    if let Some(number) = cell.number()
        && !(lo..=hi).contains(&number)
    {
        findings.push(Finding::new(
            rule,
            place,
            format!("{number} lies outside {lo} to {hi}"),
        ));
    }
}

/// Adds a finding when `low <= value <= high` does not hold.
pub(super) fn ordered(
    findings: &mut Vec<Finding>,
    place: &str,
    low: &Cell<f64>,
    value: &Cell<f64>,
    high: &Cell<f64>,
    slack: f64,
) {
    let below = |a: &Cell<f64>, b: &Cell<f64>| match (a.number(), b.number()) {
        (Some(a), Some(b)) => a <= b + slack,
        (None, _) | (_, None) => true,
    };
    if !(below(low, value) && below(value, high) && below(low, high)) {
        findings.push(Finding::new(
            "interval-contains-value",
            place,
            "the interval does not contain its value",
        ));
    }
}

/// Adds a finding when an exact number is not the one its exact sources give. Rounded numbers
/// are held against their bounds elsewhere.
pub(super) fn near(
    findings: &mut Vec<Finding>,
    rule: &str,
    place: &str,
    cell: &Cell<f64>,
    expected: Option<f64>,
) {
    if let (Some(number), Some(expected)) = (cell.exact(), expected)
        && (number - expected).abs() > 1e-9 * (1.0 + expected.abs())
    {
        let what = format!("{number} was released, its sources give {expected}");
        findings.push(Finding::new(rule, place, what));
    }
}

/// A span as text.
pub(super) fn shown(span: Span) -> String {
    #[expect(clippy::float_cmp, reason = "both ends come from the same cell")]
    if span.lo == span.hi {
        format!("{}", span.lo)
    } else {
        format!("{} to {}", span.lo, span.hi)
    }
}

/// How far a released real number may be from the value its counts imply: nothing but the last
/// bits under `open-data`, the third significant digit otherwise (rule D5).
pub(super) fn slack_of(profile: &str) -> f64 {
    if profile == "open-data" { 1e-9 } else { 5e-3 }
}
