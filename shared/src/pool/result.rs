//! What pooling says: sites as released, estimates per site with their pool, merged curves,
//! tables over sites, the verdict, and what was withheld. The report is made from this alone.
//!
//! From: `pool::study`.
//! To: `report`, which adds words and pictures and no number of its own.

use schemars::JsonSchema;
use serde::{Deserialize, Serialize};

pub use super::calibration::{CalibrationCurve, CurvePoint, ObservedBin};
pub use super::fairness::{
    AdjustedGap, AxisFairness, AxisRepresentation, BetweenSites, Interaction, MergedLevel,
    MergedLevels, MergedSpread, SiteDisparities, SiteRepresentation,
};
use super::masked::MaskedPool;
use super::moderator::ModeratorAnalysis;
pub use super::noisy::{NoisyEstimate, NoisyPoint, NoisyResult};
use super::one_stage::OneStage;
pub use super::permutation::{PooledPermutation, SitePermutation};
pub use super::robustness::{
    Bounds, CumulativeStep, Flag, LeftOutSite, OtherPool, Robustness, ShrunkenEstimate,
    SiteInfluence,
};
pub use super::stratified::{Combined, ExactOverSites, Ratio, TestResult, TwoLevelsOverSites};
pub use super::summary_point::{
    Boundary, SummaryOutcome, SummaryPoint, SummaryValues, WithoutTable,
};
pub use super::utility::{BenefitPoint, McNemar, MergedBenefit, PooledCrossed};
use crate::disclosure::noise::{NoiseStamp, NoisyHistogram};
use crate::identity::Digest;
use crate::statistic::contingency::ContingencyKind;
pub use crate::statistic::estimate::EstimateKey;
pub use crate::statistic::metric::{Metric, Scale};
use crate::statistic::stage::{Cell, Disclosed};
use crate::statistic::{Statistic, Undefined};
use crate::study::{
    AxisId, EndpointId, ModelId, RoundId, SiteRole, SiteSlug, StudyProtocol, Timestamp,
};

/// Everything a report is made from.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize, JsonSchema)]
pub struct PooledStudy {
    /// The protocol.
    pub protocol: StudyProtocol,
    /// Digest of the locked protocol, or of the unlocked source.
    pub protocol_digest: Digest,
    /// Whether the protocol was locked and signed.
    pub locked: bool,
    /// Whether every release came over an authenticated channel; false for pooled files.
    pub signed: bool,
    /// The round; absent for pooled files.
    pub round: Option<RoundId>,
    /// When the round was closed; the report's date.
    pub closed_at: Option<Timestamp>,
    /// Policy profiles in use, each once, sorted; `open-data` must be stamped on the report.
    pub profiles: Vec<String>,
    /// Every invited site, in the protocol's order, released or not.
    pub sites: Vec<SiteResult>,
    /// Estimates per site with their pool; the primary analysis first.
    pub analyses: Vec<Analysis>,
    /// ROC curves from summed histograms of external sites, where histograms allow it.
    pub merged: Vec<MergedCurve>,
    /// Calibration curves from the bins of sites whose policy lets them leave.
    #[serde(default)]
    pub calibration: Vec<CalibrationCurve>,
    /// Contingency tables over external sites.
    pub tables: Vec<PooledTable>,
    /// Both models' decisions crossed, with McNemar's tests over external sites.
    pub crossed: Vec<PooledCrossed>,
    /// Decision curves from summed counts of external sites.
    pub benefit: Vec<MergedBenefit>,
    /// Levels against each other, by model, endpoint and axis.
    #[serde(default)]
    pub fairness: Vec<AxisFairness>,
    /// P values of the declared gaps, adjusted for their number.
    #[serde(default)]
    pub family: Vec<AdjustedGap>,
    /// Hospitals as the levels of an axis.
    #[serde(default)]
    pub between_sites: Vec<BetweenSites>,
    /// Levels against the declared target population.
    #[serde(default)]
    pub representation: Vec<AxisRepresentation>,
    /// Label permutation within sites.
    #[serde(default)]
    pub permutation: Vec<PooledPermutation>,
    /// Calibration over the rows of all sites, by steps; empty when the protocol does not plan it.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub one_stage: Vec<OneStage>,
    /// The masked sum over hospitals; absent when the protocol plans none.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub masked: Option<MaskedPool>,
    /// Sensitivity and specificity over external sites together, per model and threshold.
    #[serde(default)]
    pub bivariate: Vec<SummaryPoint>,
    /// The answer to the protocol's question.
    pub verdict: Verdict,
    /// Everything that was withheld, item by item.
    pub withheld: Vec<Withheld>,
    /// Numbers that were rounded, by site and kind of statistic.
    #[serde(default)]
    pub rounded: Vec<RoundedNumbers>,
    /// Pools from which withheld values are missing.
    #[serde(default)]
    pub missing: Vec<MissingFromPool>,
    /// AUCs of histograms whose blocks are not all exact.
    #[serde(default)]
    pub area_bounds: Vec<AreaBounds>,
    /// Errors of the model under validation by level, over external sites, the worst first.
    #[serde(default)]
    pub failures: Vec<Failure>,
    /// Analyses against the protocol's properties of sites; empty when it declares none.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub moderators: Vec<ModeratorAnalysis>,
    /// What follows from counts with noise; empty where no site's policy asks for noise.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub noisy: Vec<NoisyResult>,
}

/// Errors at one level of an axis, summed over external sites.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize, JsonSchema)]
pub struct Failure {
    /// The model.
    pub model: ModelId,
    /// The endpoint.
    pub endpoint: EndpointId,
    /// The axis.
    pub axis: AxisId,
    /// The level.
    pub level: String,
    /// The threshold; the protocol's first for this model.
    pub threshold: f64,
    /// Cases.
    pub n: Cell<u64>,
    /// Events among them.
    pub events: Cell<u64>,
    /// Events called negative.
    pub false_negative: Cell<u64>,
    /// Non-events called positive.
    pub false_positive: Cell<u64>,
    /// Share of cases called wrongly; absent when a count is hidden or the sampling forbids it.
    pub error: Option<ErrorShare>,
}

/// A share of errors.
#[derive(Clone, Copy, Debug, PartialEq, Serialize, Deserialize, JsonSchema)]
pub struct ErrorShare {
    /// Errors over cases, in [0, 1].
    pub value: f64,
    /// Its interval; absent where patients repeat.
    pub interval: Option<[f64; 2]>,
}

/// One invited site.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize, JsonSchema)]
pub struct SiteResult {
    /// The site.
    pub site: SiteSlug,
    /// Its name on the report.
    pub display_name: String,
    /// Its relation to the model; only external sites enter a pool.
    pub role: SiteRole,
    /// What it did.
    pub outcome: SiteOutcome,
    /// Its policy profile, when it released.
    pub profile: Option<String>,
    /// Smallest number of patients behind a released number, by its policy, when it released.
    #[serde(default)]
    pub min_cell: Option<u64>,
    /// Rounding base of its counts, 1 for none, when it released.
    #[serde(default)]
    pub rounding: Option<u64>,
    /// The release's id, when it released.
    pub release: Option<Digest>,
    /// Digest of the release's bytes, when it released.
    pub bytes: Option<Digest>,
    /// Whether patients contribute several cases.
    pub clustered: bool,
    /// Its statistics as released.
    pub statistics: Vec<Statistic<Disclosed>>,
    /// The noise of its release under differential privacy.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub noise: Option<NoiseStamp>,
    /// Its counts with noise, which are then all that it released.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub noisy: Vec<NoisyHistogram>,
}

/// What a site did in the round.
#[derive(Clone, Copy, Debug, Eq, PartialEq, Serialize, Deserialize, JsonSchema)]
#[serde(rename_all = "kebab-case")]
pub enum SiteOutcome {
    /// It released, and the coordinator's checks passed.
    Released,
    /// Not released under its own policy.
    NotReleased,
    /// It refused the job for a reason that does not depend on data.
    Refused,
    /// Nothing was heard before the round closed.
    NoAnswer,
    /// It released, and the coordinator's checks found a contradiction; kept for a person.
    Quarantined,
    /// It released, and took that back before the round closed.
    Withdrew,
}

/// One metric over sites: the rows of a forest plot.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize, JsonSchema)]
pub struct Analysis {
    /// What is estimated.
    pub key: EstimateKey,
    /// From the lock: primary, secondary, or exploratory.
    pub role: AnalysisRole,
    /// Scale on which sites are pooled.
    pub scale: Scale,
    /// One entry per site that released, in the protocol's order.
    pub sites: Vec<SiteEstimate>,
    /// The pool of the external sites, or why there is none.
    pub pool: PoolOutcome,
}

/// From the lock.
#[derive(Clone, Copy, Debug, Eq, PartialEq, Serialize, Deserialize, JsonSchema)]
#[serde(rename_all = "kebab-case")]
pub enum AnalysisRole {
    /// The primary analysis.
    Primary,
    /// Declared in the protocol.
    Secondary,
    /// Not declared beforehand.
    Exploratory,
}

/// One site's estimate of one metric.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize, JsonSchema)]
pub struct SiteEstimate {
    /// The site.
    pub site: SiteSlug,
    /// Its relation to the model.
    pub role: SiteRole,
    /// Cases behind the estimate.
    pub n: Cell<u64>,
    /// Events behind the estimate.
    pub events: Cell<u64>,
    /// Estimate on the natural scale.
    pub estimate: Cell<f64>,
    /// Lower end of the confidence interval, natural scale.
    pub low: Cell<f64>,
    /// Upper end of the confidence interval, natural scale.
    pub high: Cell<f64>,
    /// Estimate on the pooling scale; absent when it does not exist or is not disclosed.
    pub yi: Option<f64>,
    /// Its variance on the pooling scale.
    pub vi: Option<f64>,
    /// Weight in the pool, percent; absent when the site is not in the pool.
    pub weight: Option<f64>,
    /// Why the site is not in the pool.
    pub excluded: Option<Excluded>,
    /// What was done to an estimate at the end of its scale so that it has a place on the
    /// pooling scale; absent for most.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub correction: Option<Correction>,
    /// Events and cases of a proportion whose counts are exact and whose cases are patients.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub counts: Option<[u64; 2]>,
}

impl SiteEstimate {
    /// Whether disclosure rules hide the value.
    pub fn is_withheld(&self) -> bool {
        self.excluded == Some(Excluded::Suppressed)
    }
}

/// How an estimate at the end of its scale was given a place on the pooling scale. The estimate
/// printed for the site is as it was.
#[derive(Clone, Copy, Debug, Eq, PartialEq, Serialize, Deserialize, JsonSchema)]
#[serde(rename_all = "kebab-case")]
pub enum Correction {
    /// A proportion of 0 or 1: one half added to both cells.
    HalfAdded,
    /// An AUC of 0 or 1: one event and one non-event added that tie with everybody.
    TiedPairAdded,
    /// A single event or non-event: the variance of Hanley and McNeil.
    HanleyMcNeil,
}

/// Why a site's estimate does not enter a pool.
#[derive(Clone, Copy, Debug, Eq, PartialEq, Serialize, Deserialize, JsonSchema)]
#[serde(rename_all = "kebab-case")]
pub enum Excluded {
    /// The site is not external.
    NotExternal,
    /// The value is withheld.
    Suppressed,
    /// The value does not exist.
    NotEstimable,
    /// The variance is zero or missing.
    NoVariance,
    /// The level or the rest of the site has fewer than ten cases.
    SmallGroup,
    /// Patients contribute several cases, and the model takes cases for independent.
    PatientsRepeat,
}

/// A pool, or why there is none.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize, JsonSchema)]
#[serde(tag = "outcome", rename_all = "kebab-case")]
pub enum PoolOutcome {
    /// Pooled by random effects.
    Pooled(Box<Pooled>),
    /// Fewer external sites than the protocol's minimum.
    TooFewSites {
        /// External sites with a usable estimate.
        sites: usize,
        /// The protocol's minimum.
        minimum: usize,
    },
    /// Only one level of the axis occurs at some sites: a gap would compare hospitals (decision C4).
    ConfoundedWithSite,
    /// The metric is described per site and not pooled.
    NotPooled,
    /// The estimator did not converge.
    Failed,
}

impl PoolOutcome {
    /// The pool, where there is one.
    pub fn pooled(&self) -> Option<&Pooled> {
        match self {
            Self::Pooled(pooled) => Some(pooled),
            Self::TooFewSites { .. }
            | Self::ConfoundedWithSite
            | Self::NotPooled
            | Self::Failed => None,
        }
    }
}

/// The model of a pool.
#[derive(Clone, Copy, Debug, Default, Eq, PartialEq, Serialize, Deserialize, JsonSchema)]
#[serde(rename_all = "kebab-case")]
pub enum PoolingModel {
    /// Estimates and variances of the sites, in two stages.
    #[default]
    TwoStage,
    /// Counts of the sites, in one: a binomial law within sites and a normal one between them.
    BinomialNormal,
}

/// A random-effects pool. Natural-scale values are back-transformed from the pooling scale.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize, JsonSchema)]
pub struct Pooled {
    /// Number of sites.
    pub k: usize,
    /// Mean over sites, natural scale.
    pub estimate: f64,
    /// Lower end of its interval, natural scale.
    pub low: f64,
    /// Upper end of its interval, natural scale.
    pub high: f64,
    /// Confidence level.
    pub level: f64,
    /// Mean on the pooling scale.
    pub mu: f64,
    /// Its standard error by the protocol's interval, pooling scale.
    pub se: f64,
    /// p value of `mu = 0` on the pooling scale.
    pub p_value: f64,
    /// Prespecified prediction interval, t(k - 2) (decision C5), natural scale; absent for k below 3.
    pub prediction: Option<[f64; 2]>,
    /// The other prediction interval, t(k - 1), for Methods, natural scale.
    pub prediction_k1: Option<[f64; 2]>,
    /// Between-site variance by the protocol's estimator, pooling scale.
    pub tau2: f64,
    /// Its Q-profile interval.
    pub tau2_interval: Option<[f64; 2]>,
    /// I2 by metafor's definition, percent.
    pub i2: f64,
    /// Cochran's Q.
    pub q: f64,
    /// Its degrees of freedom.
    pub q_df: usize,
    /// Its p value.
    pub q_p: f64,
    /// Sum of the sites' cases, as far as disclosed.
    pub n: Cell<u64>,
    /// Sum of the sites' events, as far as disclosed.
    pub events: Cell<u64>,
    /// The model.
    #[serde(default)]
    pub model: PoolingModel,
    /// What other models, fewer sites and withheld sites do to it.
    #[serde(default)]
    pub robustness: Robustness,
}

/// A ROC curve with its AUC from histograms.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize, JsonSchema)]
pub struct MergedCurve {
    /// The model.
    pub model: ModelId,
    /// The endpoint.
    pub endpoint: EndpointId,
    /// The site, or absent for the merged curve of all external sites.
    pub site: Option<SiteSlug>,
    /// Points by descending threshold, from (0, 0) to (1, 1).
    pub points: Vec<RocPoint>,
    /// The same thresholds as precision and recall; without the first, where nobody is positive.
    #[serde(default)]
    pub precision_recall: Vec<PrPoint>,
    /// Density of events over the grid: fraction of events per bin.
    pub events: Vec<BlockShare>,
    /// Density of non-events over the grid.
    pub non_events: Vec<BlockShare>,
    /// AUC of the binned score.
    pub auc: f64,
    /// Its DeLong variance.
    pub variance: Option<f64>,
    /// Bound on the distance to the AUC of the raw score (half the tie mass).
    pub error_bound: f64,
    /// Whether every block is exact. From merged and rounded blocks the AUC is known only to lie
    /// between two values, and no point is printed.
    #[serde(default)]
    pub exact: bool,
    /// Sites in the curve.
    pub sites: Vec<SiteSlug>,
}

/// One point of a ROC curve.
#[derive(Clone, Copy, Debug, PartialEq, Serialize, Deserialize, JsonSchema)]
pub struct RocPoint {
    /// Threshold: positive at or above it; 0 at the last point, absent at the first.
    pub threshold: Option<f64>,
    /// False positive rate.
    pub fpr: f64,
    /// True positive rate.
    pub tpr: f64,
    /// Pointwise interval of the true positive rate, at the protocol's level and of its kind;
    /// only from exact blocks of patients with one case each.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub band: Option<[f64; 2]>,
}

/// One point of a precision-recall curve.
#[derive(Clone, Copy, Debug, PartialEq, Serialize, Deserialize, JsonSchema)]
pub struct PrPoint {
    /// Threshold: positive at or above it.
    pub threshold: f64,
    /// Recall: true positives among events.
    pub recall: f64,
    /// Precision: true positives among all positives.
    pub precision: f64,
    /// Pointwise interval of the precision, as that of [`RocPoint`].
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub band: Option<[f64; 2]>,
}

/// Share of a class between two predictions.
#[derive(Clone, Copy, Debug, PartialEq, Serialize, Deserialize, JsonSchema)]
pub struct BlockShare {
    /// Lower edge of the predictions.
    pub from: f64,
    /// Upper edge.
    pub to: f64,
    /// Share of the class, in [0, 1].
    pub share: f64,
}

/// One contingency table over sites.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize, JsonSchema)]
pub struct PooledTable {
    /// What is crossed.
    pub kind: ContingencyKind,
    /// The endpoint.
    pub endpoint: EndpointId,
    /// The model, for errors.
    pub model: Option<ModelId>,
    /// The threshold, for errors.
    pub threshold: Option<f64>,
    /// The axis.
    pub axis: AxisId,
    /// Row headings.
    pub levels: Vec<String>,
    /// Column headings.
    pub columns: Vec<String>,
    /// Per site: the table and its tests.
    pub sites: Vec<SiteTable>,
    /// Cells summed over external sites; intervals add.
    pub total: Vec<Vec<Cell<u64>>>,
    /// Cochran-Mantel-Haenszel over external sites.
    pub cmh: Cmh,
    /// The first two levels over external sites, where the axis has two and the table two
    /// columns.
    #[serde(default)]
    pub two_levels: Option<TwoLevelsOverSites>,
    /// Trend over ordered levels within external sites.
    #[serde(default)]
    pub trend: Option<Combined>,
}

/// One site's contingency table.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize, JsonSchema)]
pub struct SiteTable {
    /// The site.
    pub site: SiteSlug,
    /// Its relation to the model.
    pub role: SiteRole,
    /// Cells by row and column.
    pub cells: Vec<Vec<Cell<u64>>>,
    /// Pearson's chi-squared.
    pub chi_squared: Cell<f64>,
    /// Degrees of freedom.
    pub degrees_of_freedom: u32,
    /// p value.
    pub p_value: Cell<f64>,
    /// Cramer's V.
    pub cramers_v: Cell<f64>,
    /// p value of chi-squared with Yates' correction.
    pub yates_p: Cell<f64>,
    /// Likelihood-ratio chi-squared.
    pub g2: Cell<f64>,
    /// Its p value.
    pub g2_p: Cell<f64>,
    /// Two-sided p value of Fisher's exact test.
    pub fisher_p: Cell<f64>,
    /// p value of the trend over ordered levels.
    pub trend_p: Option<Cell<f64>>,
}

/// The Cochran-Mantel-Haenszel test over sites.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize, JsonSchema)]
#[serde(tag = "outcome", rename_all = "kebab-case")]
pub enum Cmh {
    /// Computed.
    Computed {
        /// Sites in the statistic.
        sites: Vec<SiteSlug>,
        /// The statistic (generalised; for 2x2 tables the uncorrected CMH).
        statistic: f64,
        /// Degrees of freedom.
        degrees_of_freedom: u32,
        /// p value.
        p_value: f64,
        /// Mantel-Haenszel odds ratio of the first row and column, for 2x2 tables of exact cells.
        odds_ratio: Option<f64>,
        /// Its 95 % interval (Robins, Breslow, Greenland).
        odds_ratio_interval: Option<[f64; 2]>,
    },
    /// Not computed.
    NotComputed {
        /// Why.
        reason: Undefined,
    },
}

/// The answer to the protocol's question (decision C6).
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize, JsonSchema)]
pub struct Verdict {
    /// The answer.
    pub answer: Answer,
    /// External sites with a usable estimate of the primary metric.
    pub sites: usize,
    /// The bound.
    pub at_least: f64,
    /// The interval that was held against the bound, natural scale.
    pub interval: Option<[f64; 2]>,
}

/// Answers to the protocol's question.
#[derive(Clone, Copy, Debug, Eq, PartialEq, Serialize, Deserialize, JsonSchema)]
#[serde(rename_all = "kebab-case")]
pub enum Answer {
    /// The interval's lower end is at or above the bound.
    Met,
    /// The interval's upper end is below the bound.
    Refuted,
    /// The interval contains the bound.
    Inconclusive,
    /// Too few sites for a pool, or for the prespecified interval.
    NotAnswered,
}

/// One withheld item.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize, JsonSchema)]
pub struct Withheld {
    /// The site; its whole release when `item` is absent.
    pub site: SiteSlug,
    /// The item, in words: `subgroup sex, level female, O:E`.
    pub item: Option<String>,
    /// What it is about; absent for a whole release.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub about: Option<About>,
    /// The disclosure rules that such a number stands under, `D4 D7`; empty where the site gave
    /// none. Which of them held, or whether a person did, stays at the site (decision D6).
    #[serde(default)]
    pub rules: String,
    /// What is known instead, in words: `between 0 and 9`.
    pub known: String,
    /// What follows for the pooled results, in words.
    pub effect: String,
}

/// What a number is about.
#[derive(Clone, Debug, Default, PartialEq, Serialize, Deserialize, JsonSchema)]
pub struct About {
    /// The kind of statistic, as in jobs: `confusion`.
    pub statistic: String,
    /// The endpoint.
    pub endpoint: Option<EndpointId>,
    /// The model.
    pub model: Option<ModelId>,
    /// The threshold.
    pub threshold: Option<f64>,
    /// The axis.
    pub axis: Option<AxisId>,
    /// The level.
    pub level: Option<String>,
}

/// The rounded numbers of one site and kind of statistic.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize, JsonSchema)]
pub struct RoundedNumbers {
    /// The site.
    pub site: SiteSlug,
    /// The kind of statistic, as in jobs.
    pub statistic: String,
    /// Rounded counts.
    pub counts: u64,
    /// Most values that one of these counts can have.
    pub widest: u64,
    /// Rounded values of other kinds.
    pub values: u64,
}

/// External sites that are not in a pool because their value is withheld.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize, JsonSchema)]
pub struct MissingFromPool {
    /// The analysis.
    pub key: EstimateKey,
    /// The sites.
    pub sites: Vec<SiteSlug>,
    /// Their cases behind the value, as far as released.
    pub cases: Cell<u64>,
    /// Sites among them of which not even that is known.
    pub untold: usize,
    /// Sites in the pool.
    pub pooled: usize,
    /// The pool without them, natural scale; absent where there is none.
    pub pool: Option<PoolWithout>,
}

/// A pool without the withheld values, and what it can be with them.
#[derive(Clone, Copy, Debug, PartialEq, Serialize, Deserialize, JsonSchema)]
pub struct PoolWithout {
    /// Mean over the sites that released, natural scale.
    pub estimate: f64,
    /// Its interval.
    pub interval: [f64; 2],
    /// Least and largest mean with each withheld value at either end of what is known of it; an end
    /// is absent where nothing bounds it.
    pub mean: [Option<f64>; 2],
    /// Outermost ends of the interval, likewise.
    pub outermost: [Option<f64>; 2],
}

/// Where the AUC lies when only merged, rounded or hidden blocks of scores are released: an
/// identification region, no interval of chance and no point.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize, JsonSchema)]
pub struct AreaBounds {
    /// The model.
    pub model: ModelId,
    /// The endpoint.
    pub endpoint: EndpointId,
    /// The site, or absent for the merged patients of all external sites.
    pub site: Option<SiteSlug>,
    /// Sites in it.
    pub sites: Vec<SiteSlug>,
    /// Lower end, in [0, 1].
    pub low: f64,
    /// Upper end, in [0, 1].
    pub high: f64,
}
