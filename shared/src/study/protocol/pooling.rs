//! How results of sites become one.
//!
//! From: `study.toml`.
//! To: `lock`, `plan`, and every reader of the analysis plan.

use schemars::JsonSchema;
use serde::{Deserialize, Serialize};

/// How site results are pooled.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields)]
pub struct Pooling {
    /// `random-effects`.
    pub model: PoolModel,
    /// Estimator of the between-site variance.
    pub tau2: Tau2Estimator,
    /// Interval of the mean.
    pub interval: PoolInterval,
    /// Confidence level, in (0.5, 1).
    pub level: f64,
    /// Fewer external sites than this: no pool. At least 2.
    pub min_sites: usize,
    /// Properties of sites that their results are regressed on, at most three; used from ten
    /// external sites on (decision C16).
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub moderator: Vec<Moderator>,
}

/// A property of sites, a number that each external site declares in `[[site]]`.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields)]
pub struct Moderator {
    /// Id that keys its values: lower-case letters, digits and underscores.
    pub id: String,
    /// Name on the report, with its unit.
    pub label: String,
}

/// Pooling models.
#[derive(Clone, Copy, Debug, Eq, PartialEq, Serialize, Deserialize, JsonSchema)]
#[serde(rename_all = "kebab-case")]
pub enum PoolModel {
    /// Normal-normal random effects.
    RandomEffects,
}

/// Estimators of tau2.
#[derive(Clone, Copy, Debug, Eq, PartialEq, Serialize, Deserialize, JsonSchema)]
pub enum Tau2Estimator {
    /// None: one common value for every site.
    #[serde(rename = "FE")]
    Fixed,
    /// DerSimonian and Laird.
    #[serde(rename = "DL")]
    DerSimonianLaird,
    /// Paule and Mandel.
    #[serde(rename = "PM")]
    PauleMandel,
    /// Maximum likelihood.
    #[serde(rename = "ML")]
    MaximumLikelihood,
    /// Restricted maximum likelihood.
    #[serde(rename = "REML")]
    Reml,
    /// Sidik and Jonkman.
    #[serde(rename = "SJ")]
    SidikJonkman,
    /// Hedges.
    #[serde(rename = "HE")]
    Hedges,
    /// Empirical Bayes.
    #[serde(rename = "EB")]
    EmpiricalBayes,
}

/// Intervals of the pooled mean.
#[derive(Clone, Copy, Debug, Eq, PartialEq, Serialize, Deserialize, JsonSchema)]
pub enum PoolInterval {
    /// Hartung-Knapp-Sidik-Jonkman with the max(1, q) guard.
    #[serde(rename = "HKSJ")]
    Hksj,
    /// The same without the guard.
    #[serde(rename = "HKSJ-unguarded")]
    HksjUnguarded,
    /// Normal law.
    #[serde(rename = "z")]
    Normal,
}

/// Exact Newton over the sums of all external sites (decision P4): released only under the policy
/// profiles `open-data` and `dua`.
#[derive(Clone, Copy, Debug, PartialEq, Serialize, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields)]
pub struct OneStageCalibration {
    /// Intercept and slope at which the first step is evaluated: `[0, 1]`.
    pub start: [f64; 2],
    /// Most steps, 1 to 8.
    pub max_steps: u32,
}

/// Sums over the external sites that the coordinator can read and no site's part of them
/// (`shared::masking`): score histograms, 2x2 tables and subgroup tables at full resolution.
#[derive(Clone, Copy, Debug, PartialEq, Serialize, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields)]
pub struct MaskedSums {
    /// Seconds that each phase of the exchange waits for a site before it goes on without it:
    /// 3 to 604800, a week.
    pub phase_seconds: u32,
}
