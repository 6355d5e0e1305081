//! The disclosure rules, one per file. A rule looks at exact numbers and answers; it changes
//! nothing itself.
//!
//! From: `policy`.
//! To: `review`.

use serde::{Deserialize, Serialize};

pub mod admission;
pub mod blocks;
pub mod coefficients;
pub mod complement;
pub mod rounding;
pub mod small_cell;
pub mod support;

/// The rule that decided about an item.
#[derive(Clone, Copy, Debug, Eq, PartialEq, Ord, PartialOrd, Serialize, Deserialize)]
pub enum Rule {
    /// D1: enough patients, and enough in each class.
    #[serde(rename = "D1")]
    Admission,
    /// D2: enough distinct patients in a cell.
    #[serde(rename = "D2")]
    SmallCell,
    /// D3: zeros count as small.
    #[serde(rename = "D3")]
    Zero,
    /// D4: margins and rounding leave hidden cells hidden.
    #[serde(rename = "D4")]
    Margin,
    /// D5: a rate's numerator and complement are both large enough.
    #[serde(rename = "D5")]
    Rate,
    /// D6: histogram blocks are large enough, between thresholds too.
    #[serde(rename = "D6")]
    Histogram,
    /// D7: all four cells at a threshold are large enough.
    #[serde(rename = "D7")]
    OperatingPoint,
    /// D8: classes large enough, no patient dominates, enough patients change.
    #[serde(rename = "D8")]
    Estimate,
    /// D9: a mean over enough patients that no patient dominates.
    #[serde(rename = "D9")]
    Moment,
    /// D19: exact sums of a several-step job, in the clear under `open-data` and `dua` only.
    #[serde(rename = "D19")]
    Block,
    /// D11: values of cases leave as large blocks on fixed edges and as means, lesions as rates.
    #[serde(rename = "D11")]
    CaseValue,
    /// D14: a coefficient is fitted to enough patients.
    #[serde(rename = "D14")]
    Coefficient,
    /// D20: under differential privacy, score histograms with noise and nothing else.
    #[serde(rename = "D20")]
    Noise,
}

impl Rule {
    /// The rule's number in the documentation.
    pub fn id(self) -> &'static str {
        match self {
            Self::Admission => "D1",
            Self::SmallCell => "D2",
            Self::Zero => "D3",
            Self::Margin => "D4",
            Self::Rate => "D5",
            Self::Histogram => "D6",
            Self::OperatingPoint => "D7",
            Self::Estimate => "D8",
            Self::Moment => "D9",
            Self::Block => "D19",
            Self::CaseValue => "D11",
            Self::Coefficient => "D14",
            Self::Noise => "D20",
        }
    }
}
