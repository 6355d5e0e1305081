//! Which statistics a protocol plans. A job names kinds from this closed list; a node refuses
//! a kind it does not know or the protocol does not plan.
//!
//! From: `protocol`.
//! To: `job`, `node::admission`, `statistic::measure`.

use super::{Structure, StudyProtocol};

macro_rules! kinds {
    ($($(#[$doc:meta])* $name:ident = $text:literal, $words:literal;)*) => {
        /// Kinds of statistic.
        #[derive(Clone, Copy, Debug, Eq, PartialEq, Ord, PartialOrd)]
        pub enum StatisticKind { $($(#[$doc])* $name,)* }

        impl StatisticKind {
            /// Every kind, in the order of a release.
            pub const ALL: &'static [Self] = &[$(Self::$name,)*];

            /// The word in jobs and releases.
            pub fn as_str(self) -> &'static str {
                match self { $(Self::$name => $text,)* }
            }

            /// What a site computes and sends, in words.
            pub fn words(self) -> &'static str {
                match self { $(Self::$name => $words,)* }
            }
        }
    };
}

kinds! {
    /// Participant flow.
    Flow = "flow", "how many cases were read, left out by reason, and analysed";
    /// Characteristics.
    Characteristics = "characteristics", "counts by level of each subgroup axis; mean and standard deviation of numeric fields with a declared range";
    /// 2x2 tables.
    Confusion = "confusion", "the 2x2 table at each prespecified threshold, and the rates and ratios that follow, also at declared prevalences";
    /// AUC.
    Auc = "auc", "the area under the ROC curve of each model, and its variance";
    /// Paired AUC difference.
    PairedAuc = "paired-auc", "the difference of the model's AUC to each comparator's, and its paired variance";
    /// Score histogram.
    Histogram = "histogram", "how many events and non-events fall into each block of the prediction grid";
    /// O:E.
    ObservedExpected = "observed-expected", "observed events over the sum of predictions, and the variance of its logarithm";
    /// Brier score.
    Brier = "brier", "the Brier score of each model, and its standard error";
    /// Calibration.
    Calibration = "calibration", "calibration in the large, intercept and slope of a logistic recalibration, log loss, Spiegelhalter's test, calibration error and index; slope and O:E also per subgroup level";
    /// Bins of the calibration curve.
    CalibrationBins = "calibration-bins", "from sites with public data only: cases, events and mean predictions per bin, for the calibration curve";
    /// Discrimination beyond the AUC.
    Discrimination = "discrimination", "average precision, the largest Youden index, and the partial area under the ROC curve where the protocol names a range, with intervals from resampled patients";
    /// Net benefit.
    NetBenefit = "net-benefit", "the net benefit of each model at the thresholds of the decision curve, against treating all and none and between models";
    /// Both models' decisions crossed.
    Discordance = "discordance", "per outcome class and pair of thresholds: how many cases both models, one of them, or neither calls positive, with McNemar's tests";
    /// Reclassification.
    Reclassification = "reclassification", "on request: net reclassification and integrated discrimination improvement over each comparator";
    /// Subgroup bias tables.
    Subgroup = "subgroup", "per subgroup level: cases, events, rates, AUC, O:E, and gaps to the rest of the site";
    /// Contingency tables.
    Contingency = "contingency", "outcome, errors and completeness by subgroup level, with chi-squared and the parts of the CMH statistic";
    /// Label permutation.
    Permutation = "permutation", "how far each model's ranking is from what shuffled outcomes would give, with its variance; for small sites the exact p value";
    /// Newton blocks of the one-stage calibration; in steps of their own.
    CalibrationBlock = "calibration-block", "per step of the one-stage calibration: log-likelihood, score and information of two coefficients";
    /// Masked sums; in steps of their own.
    MaskedSums = "masked-sums", "added to those of at least three other hospitals so that only the sum can be read: score histograms by outcome, of each model and of each subgroup level";
    /// Case mix.
    CaseMix = "case-mix", "the standard deviation of the linear predictor and the c-statistic that the predictions themselves imply";
    /// Absent predictions and reference standards.
    Missing = "missing", "cases without a prediction by outcome, and cases without a reference standard by score band";
    /// Prespecified sensitivity analyses.
    Sensitivity = "sensitivity", "the main measures again under each prespecified sensitivity analysis";
    /// Masks of each structure.
    Segmentation = "segmentation", "per structure: in how many cases truth and prediction have it; mean overlap and surface distances with standard errors by patient, by size of the structure and by subgroup; distributions on fixed edges";
    /// Lesions of each structure.
    Lesions = "lesions", "per structure with a matching rule: lesions of the truth found and not found, false positives, and the rates that follow, with intervals from resampled patients";
    /// Candidates with scores against the lesions of each structure.
    Detection = "detection", "per structure with a plan for candidates: lesions detected and false positives at each score of the grid; the sensitivity at stated false positives per scan, their mean (CPM) and the average precision, with intervals from resampled patients";
}

impl StatisticKind {
    /// The kind called `text`.
    pub fn parse(text: &str) -> Option<Self> {
        Self::ALL.iter().copied().find(|kind| kind.as_str() == text)
    }
}

/// The kinds that `protocol` plans for the one release of the first exchange, in its order.
pub fn kinds(protocol: &StudyProtocol) -> Vec<StatisticKind> {
    if protocol.is_segmentation() {
        return of_masks(protocol);
    }
    StatisticKind::ALL
        .iter()
        .copied()
        .filter(|kind| match kind {
            StatisticKind::Flow
            | StatisticKind::Characteristics
            | StatisticKind::Auc
            | StatisticKind::Histogram
            | StatisticKind::ObservedExpected
            | StatisticKind::Brier
            | StatisticKind::Calibration
            | StatisticKind::CalibrationBins
            | StatisticKind::Discrimination
            | StatisticKind::CaseMix
            | StatisticKind::Missing
            | StatisticKind::Permutation => true,
            StatisticKind::Sensitivity => !protocol.sensitivity.is_empty(),
            StatisticKind::Confusion => !protocol.threshold.is_empty(),
            StatisticKind::NetBenefit => {
                !protocol.threshold.is_empty() || protocol.decision_curve.is_some()
            }
            StatisticKind::Discordance => pairs(protocol),
            StatisticKind::Reclassification => {
                protocol.comparators().next().is_some()
                    && protocol.comparison.is_some_and(|plan| plan.nri)
            }
            StatisticKind::PairedAuc => protocol.comparators().next().is_some(),
            StatisticKind::Subgroup => {
                !protocol.subgroup.is_empty() && !protocol.threshold.is_empty()
            }
            StatisticKind::Contingency => !protocol.subgroup.is_empty(),
            StatisticKind::CalibrationBlock
            | StatisticKind::MaskedSums
            | StatisticKind::Segmentation
            | StatisticKind::Lesions
            | StatisticKind::Detection => false,
        })
        .collect()
}

/// The kinds that a study of masks or candidates plans.
fn of_masks(protocol: &StudyProtocol) -> Vec<StatisticKind> {
    let any = |asks: fn(&Structure) -> bool| {
        let mut structures = protocol.endpoint.iter();
        structures.any(|endpoint| endpoint.structure.as_ref().is_some_and(asks))
    };
    let masks = protocol.has_masks();
    let mut kinds = vec![StatisticKind::Flow, StatisticKind::Characteristics];
    kinds.extend(masks.then_some(StatisticKind::Segmentation));
    let lesions = masks && any(|one| one.lesions.is_some());
    kinds.extend(lesions.then_some(StatisticKind::Lesions));
    let candidates = any(|one| one.candidates.is_some());
    kinds.extend(candidates.then_some(StatisticKind::Detection));
    kinds
}

/// Whether some comparator has a threshold to pair with one of the index model's.
fn pairs(protocol: &StudyProtocol) -> bool {
    let Some(index) = protocol.index_model() else {
        return false;
    };
    protocol.comparators().any(|comparator| {
        let mut endpoints = protocol.endpoint.iter();
        endpoints.any(|endpoint| {
            let pairs = protocol.paired_thresholds(&index.id, &comparator.id, &endpoint.id);
            !pairs.is_empty()
        })
    })
}

/// The kinds that `protocol` asks of external sites step by step, in exchanges of their own.
pub fn stepped(protocol: &StudyProtocol) -> Vec<StatisticKind> {
    let blocks = protocol.one_stage_calibration.is_some();
    let sums = protocol.masked_sums.is_some();
    let kinds = [
        blocks.then_some(StatisticKind::CalibrationBlock),
        sums.then_some(StatisticKind::MaskedSums),
    ];
    kinds.into_iter().flatten().collect()
}
