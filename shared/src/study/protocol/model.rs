//! The models of a study, how their predictions come about, and what their developers reported.
//!
//! From: `study.toml`.
//! To: `lock`, `plan`, and every reader of the analysis plan.

use schemars::JsonSchema;
use serde::{Deserialize, Serialize};

use crate::study::{FieldName, Formula, ModelId};

/// One model.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields)]
pub struct Model {
    /// Id that keys every statistic.
    pub id: ModelId,
    /// Name.
    pub name: String,
    /// Version.
    pub version: String,
    /// The model under validation, or what it is compared with.
    pub role: ModelRole,
    /// The declared column with its predictions; absent where a formula computes them.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub field: Option<FieldName>,
    /// The declared column with the lists of its candidates, of a model that gives masks too.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub candidates: Option<FieldName>,
    /// SHA-256 of the model file, 64 hex digits, when there is one; of a formula, the digest of
    /// its canonical form, which the lock fills in.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub sha256: Option<String>,
    /// Kind of output.
    pub output: ModelOutput,
    /// How predictions reach the analysis.
    pub run: ModelRun,
    /// The formula, of a model with `run = "formula"`.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub formula: Option<Formula>,
    /// What the model does when an input is missing (decision C4), in words.
    pub missing_inputs: String,
    /// One sentence on how it was developed.
    pub description: String,
    /// What its developers reported, from the model card.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub development: Option<Development>,
}

/// Performance as the developers reported it, to stand beside what was found outside.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields)]
pub struct Development {
    /// Patients.
    pub n: u64,
    /// Patients with the event.
    pub events: u64,
    /// AUC, in [0, 1].
    pub auc: f64,
    /// Lower end of its interval.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub auc_low: Option<f64>,
    /// Upper end of its interval.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub auc_high: Option<f64>,
    /// Observed over expected events, when reported.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub oe: Option<f64>,
    /// Calibration slope, when reported.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub slope: Option<f64>,
    /// Standard deviation of the linear predictor, when reported.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub predictor_sd: Option<f64>,
    /// Where the numbers stand, and how they were validated.
    pub source: String,
}

/// A model's place in the comparison.
#[derive(Clone, Copy, Debug, Eq, PartialEq, Serialize, Deserialize, JsonSchema)]
#[serde(rename_all = "kebab-case")]
pub enum ModelRole {
    /// The model under validation.
    Index,
    /// What it is compared with, such as a clinical nomogram.
    Comparator,
}

/// Kind of output of a model.
#[derive(Clone, Copy, Debug, Eq, PartialEq, Serialize, Deserialize, JsonSchema)]
#[serde(rename_all = "kebab-case")]
pub enum ModelOutput {
    /// A probability from 0 to 1.
    Probability,
    /// A mask of voxel labels.
    Mask,
    /// A list of candidates with scores.
    Candidates,
}

impl Model {
    /// The declared column with the lists of its candidates, if it gives any.
    pub fn candidate_field(&self) -> Option<&FieldName> {
        match self.output {
            ModelOutput::Candidates => self.field.as_ref(),
            ModelOutput::Mask | ModelOutput::Probability => self.candidates.as_ref(),
        }
    }
}

/// How predictions reach the analysis.
#[derive(Clone, Copy, Debug, Eq, PartialEq, Serialize, Deserialize, JsonSchema)]
#[serde(rename_all = "kebab-case")]
pub enum ModelRun {
    /// A table of predictions made beforehand at the site.
    PredictionsTable,
    /// A logistic formula on declared columns, computed at the site.
    Formula,
}
