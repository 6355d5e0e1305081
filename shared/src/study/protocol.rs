//! The study protocol: the question and its frozen analysis plan.
//! TOML is its source; the locked form is canonical JSON (`lock`).
//!
//! From: `fedval study new | check`.
//! To: `lock`, `plan`, and every reader of the analysis plan.

use schemars::JsonSchema;
use serde::{Deserialize, Serialize};

use super::{
    Axis, BootstrapPlan, EndpointId, Field, FieldName, Formula, Intervals, ModelId, PartialRange,
    SiteSlug, StudySlug, TargetPrevalence, Term,
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
    /// The score histogram's grid.
    pub histogram: Grid,
    /// Clipping of probabilities before a logit is taken.
    pub clip: Clip,
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

/// One endpoint with its reference standard.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields)]
pub struct Endpoint {
    /// Id that keys every statistic.
    pub id: EndpointId,
    /// Name for people.
    pub label: String,
    /// The declared binary column.
    pub field: FieldName,
    /// What counts as an event, in words.
    pub event: String,
    /// How the truth was established.
    pub reference_standard: ReferenceStandard,
}

/// How the truth was established (STARD 10, TRIPOD+AI 8).
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields)]
pub struct ReferenceStandard {
    /// Definition.
    pub definition: String,
    /// Why this one.
    pub rationale: String,
    /// Number of readers; 0 when not read by people.
    pub readers: u32,
    /// How readers agree: `majority`, `adjudicated`, `soft`, `single`, `none`.
    pub reader_rule: String,
    /// Whether assessors were blind to the model.
    pub blinded_to_model: bool,
}

/// How cases were sampled (decision C3).
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields)]
pub struct Sampling {
    /// The design.
    pub design: SamplingDesign,
    /// With outcome-dependent sampling: fraction of events and of non-events that were sampled.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub fractions: Option<SamplingFractions>,
}

/// Sampling designs.
#[derive(Clone, Copy, Debug, Eq, PartialEq, Serialize, Deserialize, JsonSchema)]
#[serde(rename_all = "kebab-case")]
pub enum SamplingDesign {
    /// All eligible cases in order.
    Consecutive,
    /// A random sample.
    Random,
    /// Events and non-events were sampled at different rates.
    OutcomeDependent,
}

/// Sampling fractions by outcome, each in (0, 1].
#[derive(Clone, Copy, Debug, PartialEq, Serialize, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields)]
pub struct SamplingFractions {
    /// Fraction of events sampled.
    pub events: f64,
    /// Fraction of non-events sampled.
    pub non_events: f64,
}

/// Verification of the reference standard (decision C3).
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields)]
pub struct Verification {
    /// Methods used.
    pub methods: Vec<String>,
    /// Fraction of model-positive cases verified, in [0, 1].
    pub fraction_model_positive: f64,
    /// Fraction of model-negative cases verified, in [0, 1].
    pub fraction_model_negative: f64,
}

/// Who is eligible.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields)]
pub struct Eligibility {
    /// In words, for the report.
    pub description: String,
    /// Every term must hold.
    #[serde(default)]
    pub include: Vec<Term>,
    /// No term may hold.
    #[serde(default)]
    pub exclude: Vec<Term>,
    /// Unit of analysis: `patient`, `study`, `lesion`.
    pub unit: String,
    /// The identifier field whose distinct values are patients, the clusters of all standard errors.
    pub cluster: FieldName,
}

/// A prespecified threshold: positive if and only if the prediction is at or above it.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields)]
pub struct Threshold {
    /// The model.
    pub model: ModelId,
    /// The endpoint.
    pub endpoint: EndpointId,
    /// Between 0 and 1, both excluded; on the histogram's grid or added to it.
    pub value: f64,
    /// Where it comes from.
    pub source: String,
}

/// Thresholds at which net benefit is computed, for every model and endpoint.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields)]
pub struct DecisionCurve {
    /// Strictly increasing in (0, 1), at most 50; edges of the histogram's grid or prespecified
    /// thresholds. A grid by rule gets them as edges when the protocol is locked.
    pub thresholds: Vec<f64>,
}

/// What is asked of comparisons beyond the usual.
#[derive(Clone, Copy, Debug, Default, PartialEq, Serialize, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields)]
pub struct ComparisonPlan {
    /// Whether net reclassification and integrated discrimination improvement are computed; they
    /// can rise with miscalibration alone and are reported with that warning.
    #[serde(default)]
    pub nri: bool,
}

/// The score histogram's grid, agreed before data are seen. Bin `j` holds `edges[j-1] <= p <
/// edges[j]`; the first bin starts at 0 and the last ends at 1, both included.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields)]
pub struct Grid {
    /// Spacing in TOML source, expanded to `edges` by the lock: `logit` over [-14, 14].
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub spacing: Option<Spacing>,
    /// Number of bins; 128 by default.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub bins: Option<usize>,
    /// The inner edges as numbers, strictly increasing in (0, 1); always present once locked.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub edges: Vec<f64>,
}

/// How edges are spaced.
#[derive(Clone, Copy, Debug, Eq, PartialEq, Serialize, Deserialize, JsonSchema)]
#[serde(rename_all = "kebab-case")]
pub enum Spacing {
    /// Equal steps of the logit over [-14, 14].
    Logit,
    /// Equal steps of the probability.
    Probability,
}

/// Clipping before a logit (decision C11): no default.
#[derive(Clone, Copy, Debug, PartialEq, Serialize, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields)]
pub struct Clip {
    /// Probabilities are moved into [epsilon, 1 - epsilon] before a logit; O:E and Brier are not clipped.
    pub epsilon: f64,
}

/// What is done with missing values (decision C12).
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields)]
pub struct Missing {
    /// The primary analysis set.
    pub primary: MissingRule,
    /// The clinic's default action when there is no prediction, in words.
    pub default_action: String,
}

/// Monte Carlo shuffles of the outcomes within each site.
#[derive(Clone, Copy, Debug, Eq, PartialEq, Serialize, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields)]
pub struct PermutationPlan {
    /// Number of shuffles, 99 to 100000.
    pub shuffles: u32,
    /// Seed of the random stream, recorded with the result.
    pub seed: u32,
}

/// Rules for the primary analysis set.
#[derive(Clone, Copy, Debug, Eq, PartialEq, Serialize, Deserialize, JsonSchema)]
#[serde(rename_all = "kebab-case")]
pub enum MissingRule {
    /// Cases with a reference standard and a prediction of every model of the endpoint.
    CompleteCase,
}

/// The primary analysis.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields)]
pub struct Analysis {
    /// The primary analysis.
    pub primary: PrimaryAnalysis,
}

/// The primary metric with its acceptance bound.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields)]
pub struct PrimaryAnalysis {
    /// The metric.
    pub metric: PrimaryMetric,
    /// The model under validation.
    pub model: ModelId,
    /// The endpoint.
    pub endpoint: EndpointId,
    /// The acceptance bound (decision C6).
    pub acceptance: Acceptance,
}

/// Metrics that may be primary.
#[derive(Clone, Copy, Debug, Eq, PartialEq, Serialize, Deserialize, JsonSchema)]
#[serde(rename_all = "kebab-case")]
pub enum PrimaryMetric {
    /// Area under the ROC curve; higher is better.
    Auc,
}

/// The acceptance bound: met when the interval's lower end is at or above it, refuted when the
/// upper end is below it, inconclusive otherwise.
#[derive(Clone, Copy, Debug, PartialEq, Serialize, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields)]
pub struct Acceptance {
    /// What the bound is about.
    pub estimand: Estimand,
    /// The bound on the metric's natural scale.
    pub at_least: f64,
}

/// What an acceptance bound is about.
#[derive(Clone, Copy, Debug, Eq, PartialEq, Serialize, Deserialize, JsonSchema)]
#[serde(rename_all = "kebab-case")]
pub enum Estimand {
    /// The mean over sites, with its confidence interval.
    Mean,
    /// The next exchangeable site, with the prediction interval (five sites or more).
    NextSite,
}

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

/// What the study asks of a site's policy.
#[derive(Clone, Copy, Debug, PartialEq, Serialize, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields)]
pub struct DisclosureWish {
    /// Smallest number of distinct patients in a released cell the study asks for; a site's own
    /// policy wins when it is stricter.
    pub min_cell: u64,
}

/// How rounds run.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields)]
pub struct RoundPlan {
    /// `once` or `quarterly`.
    pub schedule: String,
    /// Days from launch until jobs expire.
    pub deadline_days: u32,
}

/// Required sign-offs.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields)]
pub struct SignoffPlan {
    /// Roles that must sign off before the lock.
    pub required: Vec<String>,
}

/// An invited site.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields)]
pub struct StudySite {
    /// The site.
    pub slug: SiteSlug,
    /// Name on the report.
    pub display_name: String,
    /// Its relation to the model (decision C9).
    pub role: SiteRole,
}

/// A site's relation to the model (decision C9). Only `external` sites enter a pool.
#[derive(Clone, Copy, Debug, Eq, PartialEq, Serialize, Deserialize, JsonSchema)]
#[serde(rename_all = "kebab-case")]
pub enum SiteRole {
    /// The model was developed on this site's data.
    Development,
    /// The model was tuned on this site's data.
    Tuning,
    /// A threshold was chosen on this site's data.
    ThresholdSelection,
    /// The model was recalibrated on this site's data.
    Recalibration,
    /// The model has not seen this site's data.
    External,
}

/// A public data set that `open-data` may run on.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields)]
pub struct PublicDataset {
    /// The site that holds this copy.
    pub site: SiteSlug,
    /// SHA-256 of the file, 64 hex digits.
    pub sha256: String,
    /// Licence and source.
    pub licence: String,
}

/// What was expected when the study was planned, and who said so (`fedval study power`).
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields)]
pub struct SampleSize {
    /// Share of patients with the event, in (0, 1).
    pub prevalence: f64,
    /// AUC of the typical hospital, in (0.5, 1).
    pub auc: f64,
    /// Standard deviation of the true AUC between hospitals, at least 0.
    pub spread: f64,
    /// Patients of each hospital, at least 2.
    pub patients_per_site: u64,
    /// Who chose these numbers.
    pub chosen_by: String,
    /// Where they come from.
    pub source: String,
    /// The fall of the AUC that later rounds must notice.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub drift: Option<Drift>,
}

/// The fall of the AUC that must be noticed, chosen by a clinician.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields)]
pub struct Drift {
    /// Smallest fall of the AUC that matters, in (0, 0.5).
    pub drop: f64,
    /// Share of such falls that may be missed, in (0, 1).
    pub miss: f64,
    /// Who chose these two numbers.
    pub chosen_by: String,
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
