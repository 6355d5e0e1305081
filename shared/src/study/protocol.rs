//! The study protocol: the question and its frozen analysis plan.
//! TOML is its source; the locked form is canonical JSON (`lock`).
//!
//! From: `fedval study new | check`.
//! To: `lock`, `plan`, and every reader of the analysis plan.

mod analysis;
mod cases;
mod conduct;
mod detection;
mod model;
mod pooling;
mod segmentation;

pub use analysis::*;
pub use cases::*;
pub use conduct::*;
pub use detection::*;
pub use model::*;
pub use pooling::*;
pub use segmentation::*;

use schemars::JsonSchema;
use serde::{Deserialize, Serialize};

use super::{
    Axis, BootstrapPlan, EndpointId, Field, FieldName, Intervals, ModelId, PartialRange, SiteSlug,
    StudySlug, TargetPrevalence,
};

/// The whole protocol, as written in `study.toml`.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields)]
pub struct StudyProtocol {
    /// Version of this format; 1.
    pub protocol_version: u32,
    /// Short name of the study.
    pub slug: StudySlug,
    /// Version of this protocol; an amendment is a new version.
    pub version: String,
    /// Title of the study.
    pub title: String,
    /// The clinical question, one sentence, answered on the report's first page.
    pub question: String,
    /// Retrospective or prospective.
    pub design: Design,
    /// What the study is for: `external testing`.
    pub purpose: String,
    /// `public` only when every data set named in `public_dataset` may be published row by row.
    #[serde(default)]
    pub visibility: Visibility,
    /// Registration, ethics, funding.
    pub registration: Registration,
    /// What the model is meant to do, for whom.
    pub intended_use: IntendedUse,
    /// The models: exactly one with role `index`.
    pub model: Vec<Model>,
    /// The endpoints.
    pub endpoint: Vec<Endpoint>,
    /// How cases were sampled.
    pub sampling: Sampling,
    /// How the reference standard was verified.
    pub verification: Verification,
    /// Who is eligible.
    pub eligibility: Eligibility,
    /// The declared columns.
    pub field: Vec<Field>,
    /// Prespecified decision thresholds, at most five per model and endpoint.
    #[serde(default)]
    pub threshold: Vec<Threshold>,
    /// Prevalences of target populations, at most five per endpoint.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub target_prevalence: Vec<TargetPrevalence>,
    /// Choices of intervals.
    #[serde(default)]
    pub intervals: Intervals,
    /// The patient bootstrap, where no closed interval exists.
    #[serde(default)]
    pub bootstrap: BootstrapPlan,
    /// The partial area under the ROC curve, if one is wanted.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub partial_auc: Option<PartialRange>,
    /// Thresholds of the decision curve beside the prespecified ones.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub decision_curve: Option<DecisionCurve>,
    /// What is asked of comparisons beyond the usual.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub comparison: Option<ComparisonPlan>,
    /// The score histogram's grid; left out of a study of masks.
    #[serde(default, skip_serializing_if = "Grid::is_empty")]
    pub histogram: Grid,
    /// Clipping of probabilities before a logit is taken; left out of a study of masks.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub clip: Option<Clip>,
    /// Conventions of a study of masks.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub segmentation: Option<SegmentationPlan>,
    /// What is done with missing values.
    pub missing: Missing,
    /// Subgroup axes.
    #[serde(default)]
    pub subgroup: Vec<Axis>,
    /// The primary analysis and its acceptance bound.
    pub analysis: Analysis,
    /// How site results are pooled.
    pub pooling: Pooling,
    /// Calibration intercept and slope over all rows, by several exchanges; absent when it is
    /// not asked for.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub one_stage_calibration: Option<OneStageCalibration>,
    /// Masked sums over external sites; absent when they are not asked for.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub masked_sums: Option<MaskedSums>,
    /// What the study asks of a site's disclosure policy; a site may only be stricter.
    pub disclosure: DisclosureWish,
    /// How rounds run.
    pub rounds: RoundPlan,
    /// Who must sign off before the lock.
    pub signoff: SignoffPlan,
    /// The invited sites with their roles.
    pub site: Vec<StudySite>,
    /// Shuffles of the outcomes at each site; without it only their moments and, for small
    /// sites, the exact law.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub permutation: Option<PermutationPlan>,
    /// Public data sets, by hash, on which the policy profile `open-data` may run.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub public_dataset: Vec<PublicDataset>,
    /// Prespecified sensitivity analyses, run in the same round.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub sensitivity: Vec<SensitivityAnalysis>,
    /// The categories that errors are counted by, beside the subgroup axes.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub failure: Option<FailureAnalysis>,
    /// The guesses behind the number of hospitals and patients.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub sample_size: Option<SampleSize>,
}

/// Time direction of the study.
#[derive(Clone, Copy, Debug, Eq, PartialEq, Serialize, Deserialize, JsonSchema)]
#[serde(rename_all = "kebab-case")]
pub enum Design {
    /// Cases were collected before the protocol.
    Retrospective,
    /// Cases are collected after the protocol.
    Prospective,
}

/// Whether the study's data are public.
#[derive(Clone, Copy, Debug, Default, Eq, PartialEq, Serialize, Deserialize, JsonSchema)]
#[serde(rename_all = "kebab-case")]
pub enum Visibility {
    /// Ordinary hospital data.
    #[default]
    Private,
    /// Published data sets only.
    Public,
}

/// Registration and funding.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields)]
pub struct Registration {
    /// Register: `OSF`, `ClinicalTrials.gov`, or `none`.
    pub register: String,
    /// Identifier in the register.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub id: Option<String>,
    /// Whether each site needs an ethics approval.
    pub ethics_required: bool,
    /// Funding statement.
    pub funding: String,
    /// Patient involvement statement.
    pub patient_involvement: String,
}

/// Intended use, in the sense of TRIPOD+AI items 3a to 3c.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields)]
pub struct IntendedUse {
    /// Target population.
    pub population: String,
    /// Who uses the output.
    pub user: String,
    /// Care setting.
    pub setting: String,
    /// Risk tier: `low`, `medium`, `high`.
    pub risk_tier: String,
    /// Known health inequalities.
    pub known_inequalities: String,
}

impl StudyProtocol {
    /// The declared field called `name`.
    pub fn find_field(&self, name: &FieldName) -> Option<&Field> {
        self.field.iter().find(|field| field.name == *name)
    }

    /// The model called `id`.
    pub fn find_model(&self, id: &ModelId) -> Option<&Model> {
        self.model.iter().find(|model| model.id == *id)
    }

    /// The endpoint called `id`.
    pub fn find_endpoint(&self, id: &EndpointId) -> Option<&Endpoint> {
        self.endpoint.iter().find(|endpoint| endpoint.id == *id)
    }

    /// The invited site called `slug`.
    pub fn find_site(&self, slug: &SiteSlug) -> Option<&StudySite> {
        self.site.iter().find(|site| site.slug == *slug)
    }

    /// The model under validation.
    pub fn index_model(&self) -> Option<&Model> {
        self.model
            .iter()
            .find(|model| model.role == ModelRole::Index)
    }

    /// Whether the study is about masks or candidates instead of probabilities.
    pub fn is_segmentation(&self) -> bool {
        self.segmentation.is_some()
    }

    /// Whether its models outline: false where they give candidates only.
    pub fn has_masks(&self) -> bool {
        self.model.iter().any(|one| one.output == ModelOutput::Mask)
    }

    /// Probabilities are moved into `[epsilon, 1 - epsilon]` before a logit; 0 in a study of
    /// masks, which takes none.
    pub fn clip_epsilon(&self) -> f64 {
        self.clip.map_or(0.0, |clip| clip.epsilon)
    }

    /// Models the index model is compared with.
    pub fn comparators(&self) -> impl Iterator<Item = &Model> {
        self.model
            .iter()
            .filter(|model| model.role == ModelRole::Comparator)
    }

    /// Thresholds of one model and endpoint, ascending.
    pub fn thresholds(&self, model: &ModelId, endpoint: &EndpointId) -> Vec<f64> {
        let mut values: Vec<f64> = self
            .threshold
            .iter()
            .filter(|entry| entry.model == *model && entry.endpoint == *endpoint)
            .map(|entry| entry.value)
            .collect();
        values.sort_by(f64::total_cmp);
        values
    }

    /// Thresholds of the decision curve of one model and endpoint, ascending: those of the
    /// section and the prespecified ones.
    pub fn curve_thresholds(&self, model: &ModelId, endpoint: &EndpointId) -> Vec<f64> {
        let mut values = self.thresholds(model, endpoint);
        let section = self.decision_curve.iter();
        values.extend(section.flat_map(|curve| curve.thresholds.iter().copied()));
        values.sort_by(f64::total_cmp);
        values.dedup_by(|a, b| a.to_bits() == b.to_bits());
        values
    }

    /// Declared prevalences of an endpoint, in the protocol's order.
    pub fn target_prevalences(&self, endpoint: &EndpointId) -> Vec<f64> {
        let declared = self.target_prevalence.iter();
        declared
            .filter(|entry| entry.endpoint == *endpoint)
            .map(|entry| entry.value)
            .collect()
    }

    /// The thresholds at which the decisions of two models are crossed, the first model's first:
    /// every threshold both declare, and otherwise each model's in their order, one by one.
    pub fn paired_thresholds(
        &self,
        model: &ModelId,
        comparator: &ModelId,
        endpoint: &EndpointId,
    ) -> Vec<(f64, f64)> {
        let first = self.thresholds(model, endpoint);
        let second = self.thresholds(comparator, endpoint);
        let within = |values: &[f64], value: f64| {
            values
                .iter()
                .any(|other| other.to_bits() == value.to_bits())
        };
        let same = first.iter().filter(|value| within(&second, **value));
        let mut pairs: Vec<(f64, f64)> = same.map(|value| (*value, *value)).collect();
        let own = first.iter().filter(|value| !within(&second, **value));
        let other = second.iter().filter(|value| !within(&first, **value));
        pairs.extend(own.copied().zip(other.copied()));
        pairs.sort_by(|a, b| a.0.total_cmp(&b.0));
        pairs
    }
}
