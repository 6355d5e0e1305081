//! Station 5, the statistics: one file each tells what is read, what is kept, how it merges
//! and what it estimates.
//!
//! From: `study` (what is asked), `node::cohort` (cases).
//! To: `disclosure`, which alone makes anything of this leave.

use schemars::JsonSchema;
use serde::{Deserialize, Serialize};

pub mod accuracy;
pub mod analysis_set;
pub mod auc;
pub mod brier;
pub mod calibration;
pub mod calibration_bins;
pub mod calibration_block;
pub mod case_mix;
pub mod cases;
pub mod characteristics;
pub mod confusion;
pub mod contingency;
mod crossed;
pub mod detection;
pub mod discordance;
pub mod discrimination;
pub mod disparity;
pub mod estimate;
pub mod flow;
pub mod histogram;
pub mod known_answer;
pub mod lesion;
mod level_totals;
pub mod listing;
pub mod masked_sums;
pub mod masks;
pub mod measure;
pub mod metric;
pub mod missing;
pub mod mode;
pub mod net_benefit;
pub mod observed_expected;
pub mod overlap;
pub mod paired_auc;
pub mod patients;
pub mod permutation;
pub mod reclassification;
mod resample;
pub mod sampling;
pub mod segmentation;
pub mod sensitivity;
pub mod spoken;
pub mod stage;
pub mod subgroup;
pub mod term;

pub use analysis_set::AnalysisSet;
pub use cases::Cases;
pub use estimate::{Estimate, EstimateKey};
pub use metric::Metric;
pub use stage::{Basis, Cell, Disclosed, Exact, ExactCount, ExactReal, Form, Stage, Undefined};

/// One statistic of a release, whatever its kind.
#[derive_where::derive_where(Clone, Debug, PartialEq; S::Count, S::Real)]
#[derive(Serialize, Deserialize, JsonSchema)]
#[serde(tag = "statistic", rename_all = "kebab-case")]
#[serde(bound(
    serialize = "S::Count: Serialize, S::Real: Serialize",
    deserialize = "S::Count: Deserialize<'de>, S::Real: Deserialize<'de>"
))]
#[schemars(bound = "S::Count: JsonSchema, S::Real: JsonSchema")]
pub enum Statistic<S: Stage> {
    /// Participant flow.
    Flow(flow::Flow<S>),
    /// Characteristics of the analysed cases.
    Characteristics(characteristics::Characteristics<S>),
    /// The 2x2 table at a threshold.
    Confusion(confusion::Confusion<S>),
    /// Area under the ROC curve.
    Auc(auc::Auc<S>),
    /// Paired difference of two AUCs.
    PairedAuc(paired_auc::PairedAuc<S>),
    /// Score histogram by outcome class.
    Histogram(histogram::Histogram<S>),
    /// O:E.
    ObservedExpected(observed_expected::ObservedExpected<S>),
    /// One metric with its interval.
    Estimate(estimate::Estimate<S>),
    /// Bins of the calibration curve.
    CalibrationBins(calibration_bins::CalibrationBins<S>),
    /// Subgroup bias table.
    SubgroupTable(subgroup::SubgroupTable<S>),
    /// Contingency table.
    Contingency(contingency::Contingency<S>),
    /// Both models' decisions crossed.
    Discordance(discordance::Discordance<S>),
    /// Label permutation of a model's scores.
    Permutation(permutation::Permutation<S>),
    /// Newton blocks of the one-stage calibration.
    CalibrationBlock(calibration_block::CalibrationBlock<S>),
    /// Absent predictions and reference standards.
    Missing(missing::Missing<S>),
    /// Masks of one structure.
    Segmentation(segmentation::Segmentation<S>),
    /// Lesions of one structure.
    Lesions(lesion::Lesions<S>),
    /// Candidates with scores against the lesions of one structure.
    Detection(detection::Detection<S>),
}

macro_rules! readers {
    ($($(#[$doc:meta])* $method:ident = $variant:ident, $kind:ty;)*) => {
        impl<S: Stage> Statistic<S> {
            $(
                $(#[$doc])*
                pub fn $method(&self) -> Option<&$kind> {
                    if let Self::$variant(one) = self { Some(one) } else { None }
                }
            )*
        }
    };
}

readers! {
    /// The participant flow, if it is one.
    flow = Flow, flow::Flow<S>;
    /// The characteristics, if they are.
    characteristics = Characteristics, characteristics::Characteristics<S>;
    /// The 2x2 table, if it is one.
    confusion = Confusion, confusion::Confusion<S>;
    /// The AUC, if it is one.
    auc = Auc, auc::Auc<S>;
    /// The paired AUC difference, if it is one.
    paired_auc = PairedAuc, paired_auc::PairedAuc<S>;
    /// The histogram, if it is one.
    histogram = Histogram, histogram::Histogram<S>;
    /// The O:E, if it is one.
    observed_expected = ObservedExpected, observed_expected::ObservedExpected<S>;
    /// The estimate, if it is one.
    estimate = Estimate, estimate::Estimate<S>;
    /// The bins of the calibration curve, if they are.
    calibration_bins = CalibrationBins, calibration_bins::CalibrationBins<S>;
    /// The subgroup table, if it is one.
    subgroup_table = SubgroupTable, subgroup::SubgroupTable<S>;
    /// The contingency table, if it is one.
    contingency = Contingency, contingency::Contingency<S>;
    /// The crossed decisions, if they are.
    discordance = Discordance, discordance::Discordance<S>;
    /// The label permutation, if it is one.
    permutation = Permutation, permutation::Permutation<S>;
    /// The calibration block, if it is one.
    calibration_block = CalibrationBlock, calibration_block::CalibrationBlock<S>;
    /// The counts of what is absent, if it is one.
    missing = Missing, missing::Missing<S>;
    /// The masks of one structure, if they are.
    segmentation = Segmentation, segmentation::Segmentation<S>;
    /// The lesions of one structure, if they are.
    lesions = Lesions, lesion::Lesions<S>;
    /// The candidates against one structure's lesions, if they are.
    detection = Detection, detection::Detection<S>;
}
