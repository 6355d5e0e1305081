//! How intervals are made and what else a protocol fixes before data are seen: the interval of
//! a proportion, the bootstrap, the range of a partial area, prevalences of target populations.
//!
//! From: `protocol`.
//! To: `statistic`, `report` (methods).

use schemars::JsonSchema;
use serde::{Deserialize, Serialize};

use super::EndpointId;
use crate::numeric::Interval;
use crate::numeric::proportion::{clopper_pearson, wilson};
use crate::numeric::roc::Focus;

/// Fewest resamples: below, the ends of a 95 % interval rest on two resamples.
pub const RESAMPLES_MIN: u32 = 100;
/// Most resamples.
pub const RESAMPLES_MAX: u32 = 100_000;
/// Largest seed: what every JSON reader keeps exactly.
pub const SEED_MAX: u64 = 1 << 53;

/// Choices of intervals.
#[derive(Clone, Copy, Debug, Default, PartialEq, Serialize, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields)]
pub struct Intervals {
    /// Interval of a proportion where every patient has one case.
    #[serde(default)]
    pub proportion: ProportionInterval,
}

/// Intervals of a proportion.
#[derive(Clone, Copy, Debug, Default, Eq, PartialEq, Serialize, Deserialize, JsonSchema)]
#[serde(rename_all = "kebab-case")]
pub enum ProportionInterval {
    /// Wilson's score interval; covers 95 % on average.
    #[default]
    Wilson,
    /// Clopper and Pearson's exact interval; covers at least 95 % everywhere.
    ClopperPearson,
}

impl ProportionInterval {
    /// The interval for `k` of `n` patients; `None` for `n` = 0.
    pub fn of(self, k: u64, n: u64, level: f64) -> Option<Interval> {
        match self {
            Self::Wilson => wilson(k, n, level),
            Self::ClopperPearson => clopper_pearson(k, n, level),
        }
    }

    /// The interval's name in a sentence.
    pub fn words(self) -> &'static str {
        match self {
            Self::Wilson => "Wilson",
            Self::ClopperPearson => "Clopper-Pearson",
        }
    }
}

/// The patient bootstrap.
#[derive(Clone, Copy, Debug, PartialEq, Serialize, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields)]
pub struct BootstrapPlan {
    /// Resamples of patients, 100 to 100,000.
    #[serde(default = "resamples")]
    pub resamples: u32,
    /// Seed, at most 2^53; the same at every site.
    #[serde(default = "seed")]
    pub seed: u64,
}

fn resamples() -> u32 {
    2000
}

fn seed() -> u64 {
    20_260_101
}

impl Default for BootstrapPlan {
    fn default() -> Self {
        Self {
            resamples: resamples(),
            seed: seed(),
        }
    }
}

/// The part of the ROC curve whose area is reported.
#[derive(Clone, Copy, Debug, PartialEq, Serialize, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields)]
pub struct PartialRange {
    /// The axis that is bounded.
    pub over: RangeOver,
    /// Lower bound, at least 0.
    pub lowest: f64,
    /// Upper bound, at most 1.
    pub highest: f64,
}

/// Axes of a partial area.
#[derive(Clone, Copy, Debug, Eq, PartialEq, Serialize, Deserialize, JsonSchema)]
#[serde(rename_all = "kebab-case")]
pub enum RangeOver {
    /// Specificities in the range.
    Specificity,
    /// Sensitivities in the range.
    Sensitivity,
}

impl RangeOver {
    /// The axis for the mathematics.
    pub fn focus(self) -> Focus {
        match self {
            Self::Specificity => Focus::Specificity,
            Self::Sensitivity => Focus::Sensitivity,
        }
    }

    /// The axis in words.
    pub fn words(self) -> &'static str {
        match self {
            Self::Specificity => "specificity",
            Self::Sensitivity => "sensitivity",
        }
    }
}

impl PartialRange {
    /// The range in words: `specificity 0.9 to 1`.
    pub fn words(&self) -> String {
        format!("{} {} to {}", self.over.words(), self.lowest, self.highest)
    }
}

/// The prevalence of a population the model is meant for, at which predictive values are also
/// given.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields)]
pub struct TargetPrevalence {
    /// The endpoint.
    pub endpoint: EndpointId,
    /// The prevalence, strictly between 0 and 1.
    pub value: f64,
    /// The population, and where the figure comes from.
    pub source: String,
}
