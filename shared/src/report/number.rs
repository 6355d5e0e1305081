//! How a number looks: its four states (number, suppressed, zero, not computed), decimals,
//! signs, intervals, p values.
//!
//! From: cells and estimates of a pooled study.
//! To: every page, every figure.

pub(super) use crate::statistic::metric::Style;
use crate::statistic::stage::{Cell, Undefined};

/// The state of a shown value; each looks different on paper, on screen and in the markup.
#[derive(Clone, Copy, Debug, Eq, PartialEq)]
pub(super) enum State {
    /// A number.
    Number,
    /// A rounded number; its bounds are printed with it.
    Rounded,
    /// Zero, and disclosed as such.
    Zero,
    /// Hidden by disclosure rules.
    Suppressed,
    /// Does not exist; the reason is printed.
    NotComputed,
    /// No number at all: a name, a remark.
    Words,
}

/// A value as printed.
#[derive(Clone, Debug, PartialEq)]
pub(super) struct Shown {
    /// The text.
    pub(super) text: String,
    /// A second line in smaller type, such as an interval.
    pub(super) sub: Option<String>,
    /// Anchors and titles of sections of the report that show more.
    pub(super) links: Vec<(&'static str, &'static str)>,
    /// What it is.
    pub(super) state: State,
}

impl Shown {
    /// Words instead of a number.
    pub(super) fn words(text: impl Into<String>) -> Self {
        Self::of(State::Words, text)
    }

    /// A number that carries no disclosure state of its own.
    pub(super) fn number(text: impl Into<String>) -> Self {
        Self::of(State::Number, text)
    }

    /// A dash: the column does not apply to this row.
    pub(super) fn none() -> Self {
        Self::words("–")
    }

    /// No value, with the reason.
    pub(super) fn not_computed(reason: &str) -> Self {
        Self::of(State::NotComputed, format!("not computed: {reason}"))
    }

    fn of(state: State, text: impl Into<String>) -> Self {
        Self {
            text: text.into(),
            sub: None,
            links: Vec::new(),
            state,
        }
    }

    /// The same with a second line.
    #[must_use]
    pub(super) fn with(mut self, sub: impl Into<String>) -> Self {
        self.sub = Some(sub.into());
        self
    }

    /// The class in the markup.
    pub(super) fn class(&self) -> &'static str {
        match self.state {
            State::Number => "num",
            State::Rounded => "num rounded",
            State::Zero => "num zero",
            State::Suppressed => "suppressed",
            State::NotComputed => "not-computed",
            State::Words => "words",
        }
    }

    /// Text and second line in one.
    pub(super) fn line(&self) -> String {
        match &self.sub {
            Some(sub) => format!("{} {sub}", self.text),
            None => self.text.clone(),
        }
    }
}

/// `value` in the given style, with U+2212 as minus and no negative zero.
pub(super) fn real(value: f64, style: Style) -> String {
    let (text, suffix, signed) = match style {
        Style::Plain(digits) => (format!("{value:.digits$}"), "", false),
        Style::Signed(digits) => (format!("{value:.digits$}"), "", true),
        Style::Percent => (format!("{:.1}", 100.0 * value), "%", false),
        Style::Points => (format!("{:.1}", 100.0 * value), "", true),
    };
    let zero = text.bytes().all(|byte| matches!(byte, b'-' | b'0' | b'.'));
    let (sign, digits) = match text.strip_prefix('-') {
        Some(digits) if zero => ("", digits),
        Some(digits) => ("\u{2212}", digits),
        None if signed && !zero => ("+", text.as_str()),
        None => ("", text.as_str()),
    };
    format!("{sign}{digits}{suffix}")
}

/// A whole number with thin spaces between thousands.
pub(super) fn whole(value: u64) -> String {
    let digits = value.to_string();
    let mut text = String::with_capacity(digits.len() + digits.len() / 3);
    for (index, digit) in digits.chars().enumerate() {
        if index > 0 && (digits.len() - index).is_multiple_of(3) && digits.len() > 4 {
            text.push('\u{2009}');
        }
        text.push(digit);
    }
    text
}

/// `0.03`, `0.004`, `<0.001`.
pub(super) fn p_value(p: f64) -> String {
    if p < 0.001 {
        "<0.001".to_owned()
    } else if p < 0.01 {
        format!("{p:.3}")
    } else if p > 0.99 {
        ">0.99".to_owned()
    } else {
        format!("{p:.2}")
    }
}

/// `0.80 to 0.87`.
///
/// A percent sign stands once, at the end.
pub(super) fn range(low: f64, high: f64, style: Style) -> String {
    let low = real(low, style);
    format!("{} to {}", low.trim_end_matches('%'), real(high, style))
}

/// `between 0.80 and 0.87`: two decimals, the lower end rounded down and the upper one up, so that
/// no value of the region lies outside what is printed.
pub(super) fn region(low: f64, high: f64) -> String {
    let (low, high) = ((low * 100.0).floor() / 100.0, (high * 100.0).ceil() / 100.0);
    let end = |value: f64| real(value, Style::Plain(2));
    format!("between {} and {}", end(low), end(high))
}

/// `0.84 (95% CI 0.80 to 0.87)`.
pub(super) fn with_interval(value: f64, low: f64, high: f64, level: f64, style: Style) -> String {
    format!(
        "{} ({} CI {})",
        real(value, style),
        level_words(level),
        range(low, high, style)
    )
}

/// `95%`.
pub(super) fn level_words(level: f64) -> String {
    let text = format!("{:.1}", 100.0 * level);
    format!("{}%", text.strip_suffix(".0").unwrap_or(&text))
}

/// A count that is exact by its making.
pub(super) fn plain_count(value: u64) -> Shown {
    count(&if value == 0 {
        Cell::Zero
    } else {
        Cell::Value { value }
    })
}

/// A count in its state.
pub(super) fn count(cell: &Cell<u64>) -> Shown {
    match cell {
        Cell::Value { value } => Shown::number(whole(*value)),
        Cell::Rounded { value, lo, hi } => {
            Shown::of(State::Rounded, format!("about {}", whole(*value))).with(bounds(*lo, *hi))
        }
        Cell::Zero => Shown::of(State::Zero, "0"),
        Cell::Suppressed { lo, hi } => Shown::of(State::Suppressed, hidden_count(*lo, *hi)),
        Cell::NotComputed { reason } => undefined(*reason),
    }
}

/// A count in few characters, for figures: `≈130`, `<10`, `–`.
pub(super) fn short_count(cell: &Cell<u64>) -> String {
    match cell {
        Cell::Rounded { value, .. } => format!("\u{2248}{}", whole(*value)),
        Cell::NotComputed { .. } => "–".to_owned(),
        Cell::Value { .. } | Cell::Zero | Cell::Suppressed { .. } => count(cell).text,
    }
}

/// A bound from here on says nothing: part of a sum is not known.
const TELLING: u64 = 1 << 40;

/// `(118 to 122)`, or `(118 or more)`.
fn bounds(lo: u64, hi: u64) -> String {
    if hi >= TELLING {
        format!("({} or more)", whole(lo))
    } else {
        format!("({} to {})", whole(lo), whole(hi))
    }
}

/// `<10`, `150 to 159`, or `withheld` when the bounds say next to nothing.
fn hidden_count(lo: u64, hi: u64) -> String {
    if hi >= TELLING {
        "withheld".to_owned()
    } else if lo == 0 {
        format!("<{}", whole(hi + 1))
    } else {
        format!("{} to {}", whole(lo), whole(hi))
    }
}

/// A real number in its state.
pub(super) fn value(cell: &Cell<f64>, style: Style) -> Shown {
    match cell {
        Cell::Value { value } => Shown::number(real(*value, style)),
        // Rounding finer than what is printed changes nothing that a reader could see.
        Cell::Rounded { value, lo, hi } if is_finer(*lo, *hi, style) => {
            Shown::number(real(*value, style))
        }
        Cell::Rounded { value, lo, hi } => {
            Shown::of(State::Rounded, format!("about {}", real(*value, style)))
                .with(format!("({})", range(*lo, *hi, style)))
        }
        Cell::Zero => Shown::of(State::Zero, real(0.0, style)),
        Cell::Suppressed { lo, hi } => Shown::of(State::Suppressed, hidden_value(*lo, *hi, style)),
        Cell::NotComputed { reason } => undefined(*reason),
    }
}

/// `withheld`, or for a share that is known on one side `withheld, at least 91.0%`.
fn hidden_value(lo: f64, hi: f64, style: Style) -> String {
    if style != Style::Percent {
        return "withheld".to_owned();
    }
    match (lo > 0.0, hi < 1.0) {
        (false, false) => "withheld".to_owned(),
        (true, false) => format!("withheld, at least {}", real(lo, style)),
        (false, true) => format!("withheld, at most {}", real(hi, style)),
        (true, true) => format!("withheld, {}", range(lo, hi, style)),
    }
}

/// True when the bounds lie within one unit of the last printed digit.
fn is_finer(lo: f64, hi: f64, style: Style) -> bool {
    let unit = match style {
        Style::Plain(digits) | Style::Signed(digits) => {
            libm::pow(10.0, -f64::from(u32::try_from(digits).unwrap_or(0)))
        }
        Style::Percent | Style::Points => 1e-3,
    };
    hi - lo <= unit * (1.0 + 1e-9)
}

/// An estimate with its interval in the second line; the interval's own state when it has none.
pub(super) fn estimate(
    point: &Cell<f64>,
    low: &Cell<f64>,
    high: &Cell<f64>,
    style: Style,
) -> Shown {
    let mut shown = value(point, style);
    if !matches!(shown.state, State::Number | State::Rounded | State::Zero) {
        return shown;
    }
    let interval = match (low.number(), high.number()) {
        (Some(low), Some(high)) => format!("({})", range(low, high, style)),
        (None, _) | (_, None) => match (low, high) {
            (Cell::NotComputed { reason }, _) | (_, Cell::NotComputed { reason }) => {
                format!("(no interval: {})", reason.words())
            }
            _ => "(interval withheld)".to_owned(),
        },
    };
    shown.sub = Some(match shown.sub {
        Some(bounds) => format!("{bounds} {interval}"),
        None => interval,
    });
    shown
}

/// A p value in its state.
pub(super) fn p_cell(cell: &Cell<f64>) -> Shown {
    match cell.number() {
        Some(p) => Shown::number(p_value(p)),
        None => value(cell, Style::Plain(3)),
    }
}

fn undefined(reason: Undefined) -> Shown {
    Shown::not_computed(reason.words())
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_region_is_never_printed_narrower_than_it_is() {
        assert_eq!(region(0.8374, 0.9012), "between 0.83 and 0.91");
        assert_eq!(region(0.0, 1.0), "between 0.00 and 1.00");
        for (low, high) in [(0.123_f64, 0.456_f64), (0.29, 0.58), (0.995, 0.999)] {
            let text = region(low, high);
            let ends: Vec<f64> = text
                .split(' ')
                .filter_map(|word| word.parse().ok())
                .collect();
            assert!(ends[0] <= low && ends[1] >= high, "{text}");
        }
    }

    #[test]
    fn the_four_states_differ_in_text_and_class() {
        let shown = [
            count(&Cell::Value { value: 7 }),
            count(&Cell::Rounded {
                value: 130,
                lo: 128,
                hi: 132,
            }),
            count(&Cell::Zero),
            count(&Cell::Suppressed { lo: 0, hi: 9 }),
            count(&Cell::NotComputed {
                reason: Undefined::OneClass,
            }),
        ];
        let lines: Vec<String> = shown.iter().map(Shown::line).collect();
        assert_eq!(
            lines,
            [
                "7",
                "about 130 (128 to 132)",
                "0",
                "<10",
                "not computed: only one outcome class"
            ]
        );
        let classes: std::collections::BTreeSet<_> = shown.iter().map(Shown::class).collect();
        assert_eq!(classes.len(), shown.len());
        let zero = value(&Cell::Zero, Style::Plain(3));
        assert_eq!((zero.text.as_str(), zero.state), ("0.000", State::Zero));
        let hidden = value(&Cell::Suppressed { lo: 0.0, hi: 1.0 }, Style::Plain(3));
        assert_eq!(
            (hidden.text.as_str(), hidden.state),
            ("withheld", State::Suppressed)
        );
    }

    #[test]
    fn signs_and_decimals() {
        assert_eq!(real(-0.0312, Style::Signed(3)), "\u{2212}0.031");
        assert_eq!(real(-0.0001, Style::Signed(3)), "0.000");
        assert_eq!(real(0.0312, Style::Points), "+3.1");
        assert_eq!(real(0.5, Style::Percent), "50.0%");
        assert_eq!(p_value(0.0004), "<0.001");
        assert_eq!(p_value(0.0312), "0.03");
        assert_eq!(p_value(0.0044), "0.004");
        assert_eq!(whole(12_345), "12\u{2009}345");
        assert_eq!(
            with_interval(0.84, 0.8, 0.87, 0.95, Style::Plain(2)),
            "0.84 (95% CI 0.80 to 0.87)"
        );
    }

    #[test]
    fn suppression_prints_bounds_or_says_withheld() {
        assert_eq!(bounds(118, 122), "(118 to 122)");
        assert_eq!(bounds(118, TELLING), "(118 or more)");
        assert_eq!(
            count(&Cell::Suppressed { lo: 140, hi: 149 }).text,
            "140 to 149"
        );
        assert_eq!(
            count(&Cell::Suppressed {
                lo: 0,
                hi: u64::MAX
            })
            .text,
            "withheld"
        );
    }
}
