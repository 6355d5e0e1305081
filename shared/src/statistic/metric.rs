//! The register of metrics: one line for each thing that is estimated per site and compared
//! between sites. A new metric is a line here, its code in its statistic's file, its help page
//! and its test; review, intake, pooling, files and report tables follow from the line.
//!
//! From: `study::plan` (kinds).
//! To: `estimate`, `disclosure::review`, `pool`, `report`, `docs/reference/statistics`.

use schemars::JsonSchema;
use serde::{Deserialize, Serialize};

use super::stage::Form;
use crate::numeric::distribution;
use crate::study::plan::StatisticKind;

/// Scale on which estimates are pooled; estimates and intervals are shown on the natural scale.
#[derive(Clone, Copy, Debug, Eq, PartialEq, Serialize, Deserialize, JsonSchema)]
#[serde(rename_all = "kebab-case")]
pub enum Scale {
    /// As it is.
    Identity,
    /// log(x / (1 - x)).
    Logit,
    /// log(x).
    Log,
}

impl Scale {
    /// The scale in one word.
    pub fn words(self) -> &'static str {
        match self {
            Self::Identity => "natural",
            Self::Logit => "logit",
            Self::Log => "log",
        }
    }

    /// `value` on this scale; `None` where the scale has no such point.
    pub fn forward(self, value: f64) -> Option<f64> {
        match self {
            Self::Identity => Some(value).filter(|value| value.is_finite()),
            Self::Logit => distribution::logit(value),
            Self::Log if value > 0.0 => Some(libm::log(value)).filter(|value| value.is_finite()),
            Self::Log => None,
        }
    }

    /// Back to the natural scale; `None` when the result is not finite.
    pub fn natural(self, value: f64) -> Option<f64> {
        match self {
            Self::Identity => Some(value).filter(|value| value.is_finite()),
            Self::Logit => distribution::inverse_logit(value),
            Self::Log => Some(libm::exp(value)).filter(|value| value.is_finite()),
        }
    }
}

/// Decimals and sign of a quantity in print.
#[derive(Clone, Copy, Debug, Eq, PartialEq)]
pub enum Style {
    /// A plain number with this many decimals.
    Plain(usize),
    /// A plain number that always carries its sign.
    Signed(usize),
    /// A share, printed as a percentage with one decimal.
    Percent,
    /// A difference of shares, in percentage points with one decimal and a sign.
    Points,
}

/// The part of the report a metric belongs to.
#[derive(Clone, Copy, Debug, Eq, PartialEq, Ord, PartialOrd)]
pub enum Topic {
    /// Discrimination: ranking of events above non-events.
    Discrimination,
    /// Calibration: agreement of predicted and observed risk.
    Calibration,
    /// Classification at a threshold.
    Threshold,
    /// Clinical utility.
    Utility,
    /// Two models on the same cases.
    Comparison,
    /// Differences between a level and the rest of the same site.
    Fairness,
    /// What the sites' patients are like.
    CaseMix,
    /// Masks against masks.
    Segmentation,
    /// Lesions found and not found.
    Lesions,
    /// Candidates with scores.
    Detection,
}

impl Topic {
    /// The topic as a heading.
    pub fn words(self) -> &'static str {
        match self {
            Self::Discrimination => "Discrimination",
            Self::Calibration => "Calibration",
            Self::Threshold => "Classification at thresholds",
            Self::Utility => "Clinical utility",
            Self::Comparison => "Model comparison",
            Self::Fairness => "Subgroups and fairness",
            Self::CaseMix => "Case mix",
            Self::Segmentation => "Segmentation",
            Self::Lesions => "Lesions",
            Self::Detection => "Detection",
        }
    }
}

/// What becomes of a metric over sites.
#[derive(Clone, Copy, Debug, Eq, PartialEq)]
pub enum Pooling {
    /// A random-effects mean of the sites' estimates on the metric's scale.
    Mean,
    /// Described per site: a mean over sites would have no meaning.
    Described,
}

/// Under which conditions a policy that protects lets an estimate leave, beside the size of the
/// groups behind it. A level's estimate leaves only where the level is shown.
#[derive(Clone, Copy, Debug, Eq, PartialEq)]
pub enum Leaves {
    /// It speaks about all analysed cases, or all of a level.
    Whole,
    /// It follows from the 2x2 table at its threshold, and leaves only where that is shown.
    WithTable,
    /// Only where the policy does not protect: public data.
    Unprotected,
}

impl Leaves {
    /// What a protecting site lets leave, in words.
    pub fn words(self) -> &'static str {
        match self {
            Self::Whole => "estimate, interval and variance, where the groups are large enough",
            Self::WithTable => {
                "estimate, interval and variance, at thresholds whose 2x2 table is shown"
            }
            Self::Unprotected => "nothing",
        }
    }
}

/// One line of the register.
#[derive(Clone, Copy)]
pub struct Entry {
    /// The word in files and releases.
    pub slug: &'static str,
    /// The statistic of the job that it belongs to.
    pub kind: StatisticKind,
    /// The name in print.
    pub name: &'static str,
    /// The part of the report.
    pub topic: Topic,
    /// The scale of pooling and of the normal interval.
    pub scale: Scale,
    /// Bounds and released digits.
    pub form: Form,
    /// Digits in print.
    pub style: Style,
    /// What becomes of it over sites.
    pub pooling: Pooling,
    /// When it leaves a protecting site.
    pub leaves: Leaves,
    /// The value of no effect, natural scale; drawn as a line, tested against.
    pub neutral: Option<f64>,
    /// Whether events are a part of the cases behind it, so that `events / n` is printed.
    pub with_events: bool,
    /// How a site estimates it, for files.
    pub method: &'static str,
    /// Its help page, `docs/reference/statistics/<help>.md`.
    pub help: &'static str,
}

mod common;
mod register;

pub use register::Metric;

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn slugs_are_unique_and_are_what_releases_say() {
        let mut seen = std::collections::BTreeSet::new();
        for metric in Metric::ALL {
            let slug = metric.entry().slug;
            assert!(seen.insert(slug), "{slug} stands twice");
            assert_eq!(serde_json::to_value(metric).unwrap(), slug);
        }
    }

    #[test]
    fn scales_go_there_and_back() {
        for scale in [Scale::Identity, Scale::Logit, Scale::Log] {
            let there = scale.forward(0.3).unwrap();
            assert!((scale.natural(there).unwrap() - 0.3).abs() < 1e-15);
        }
        assert_eq!(Scale::Log.forward(0.0), None);
        assert_eq!(Scale::Logit.forward(1.0), None);
    }
}
