//! The register itself: one line for each metric.
//!
//! From: `study::plan` (kinds).
//! To: `metric`, which says what a line means.

use schemars::JsonSchema;
use serde::{Deserialize, Serialize};

use super::common::{CANDIDATES, LESIONS, MASKS};
use super::{Entry, Form, Leaves, Pooling, Scale, Style, Topic};
use crate::study::plan::StatisticKind;

macro_rules! metrics {
    ($($(#[$doc:meta])* $name:ident = $slug:literal { $($field:ident: $value:expr),* $(,)? $(; ..$rest:ident)? })*) => {
        /// Metrics that are estimated per site and compared between sites.
        #[derive(
            Clone, Copy, Debug, Eq, PartialEq, Ord, PartialOrd, Serialize, Deserialize, JsonSchema,
        )]
        pub enum Metric {
            $($(#[$doc])* #[serde(rename = $slug)] $name,)*
        }

        impl Metric {
            /// Every metric, in the order of the register.
            pub const ALL: &'static [Self] = &[$(Self::$name,)*];

            /// Its line in the register.
            pub fn entry(self) -> Entry {
                match self {
                    $(Self::$name => Entry { slug: $slug, $($field: $value,)* $(..$rest)? },)*
                }
            }
        }
    };
}

metrics! {
    /// Area under the ROC curve.
    Auc = "auc" {
        kind: StatisticKind::Auc,
        name: "AUC", topic: Topic::Discrimination, scale: Scale::Logit,
        form: Form::AREA, style: Style::Plain(3), pooling: Pooling::Mean,
        leaves: Leaves::Whole, neutral: Some(0.5), with_events: true,
        method: "Mann-Whitney, DeLong, logit interval", help: "auc",
    }
    /// Difference of two models' AUCs on the same cases.
    AucDifference = "auc-difference" {
        kind: StatisticKind::PairedAuc,
        name: "AUC difference", topic: Topic::Comparison, scale: Scale::Identity,
        form: Form::DIFFERENCE, style: Style::Signed(3), pooling: Pooling::Mean,
        leaves: Leaves::Whole, neutral: Some(0.0), with_events: true,
        method: "paired DeLong", help: "paired-auc",
    }
    /// Observed over expected events.
    ObservedExpected = "observed-expected" {
        kind: StatisticKind::ObservedExpected,
        name: "O:E", topic: Topic::Calibration, scale: Scale::Log,
        form: Form::RATIO, style: Style::Plain(2), pooling: Pooling::Mean,
        leaves: Leaves::Whole, neutral: Some(1.0), with_events: true,
        method: "ratio, log interval", help: "observed-expected",
    }
    /// Brier score.
    Brier = "brier" {
        kind: StatisticKind::Brier,
        name: "Brier score", topic: Topic::Calibration, scale: Scale::Identity,
        form: Form::AREA, style: Style::Plain(3), pooling: Pooling::Described,
        leaves: Leaves::Whole, neutral: None, with_events: true,
        method: "mean squared error", help: "brier",
    }
    /// Brier score relative to that of predicting the prevalence for everybody.
    ScaledBrier = "scaled-brier" {
        kind: StatisticKind::Brier,
        name: "Scaled Brier score", topic: Topic::Calibration, scale: Scale::Identity,
        form: Form::FREE, style: Style::Plain(3), pooling: Pooling::Described,
        leaves: Leaves::Whole, neutral: Some(0.0), with_events: true,
        method: "one minus Brier over its value at the prevalence", help: "brier",
    }
    /// Calibration in the large: the intercept with the slope held at 1.
    Citl = "citl" {
        kind: StatisticKind::Calibration,
        name: "Calibration in the large", topic: Topic::Calibration, scale: Scale::Identity,
        form: Form::FREE, style: Style::Signed(2), pooling: Pooling::Mean,
        leaves: Leaves::Whole, neutral: Some(0.0), with_events: true,
        method: "logistic intercept, slope held at 1", help: "calibration-slope",
    }
    /// Calibration slope.
    CalibrationSlope = "calibration-slope" {
        kind: StatisticKind::Calibration,
        name: "Calibration slope", topic: Topic::Calibration, scale: Scale::Identity,
        form: Form::FREE, style: Style::Plain(2), pooling: Pooling::Mean,
        leaves: Leaves::Whole, neutral: Some(1.0), with_events: true,
        method: "logistic recalibration", help: "calibration-slope",
    }
    /// Intercept fitted together with the slope.
    JointIntercept = "joint-intercept" {
        kind: StatisticKind::Calibration,
        name: "Joint intercept", topic: Topic::Calibration, scale: Scale::Identity,
        form: Form::FREE, style: Style::Signed(2), pooling: Pooling::Described,
        leaves: Leaves::Whole, neutral: Some(0.0), with_events: true,
        method: "logistic recalibration", help: "calibration-slope",
    }
    /// Test of intercept 0 and slope 1 together.
    CalibrationTest = "calibration-chi-squared" {
        kind: StatisticKind::Calibration,
        name: "Test of intercept 0 and slope 1, chi-squared", topic: Topic::Calibration,
        scale: Scale::Identity,
        form: Form::STATISTIC, style: Style::Plain(2), pooling: Pooling::Described,
        leaves: Leaves::Whole, neutral: None, with_events: true,
        method: "likelihood ratio; Wald where patients repeat; 2 degrees of freedom",
        help: "calibration-slope",
    }
    /// Its p value.
    CalibrationTestP = "calibration-p" {
        kind: StatisticKind::Calibration,
        name: "Test of intercept 0 and slope 1, p", topic: Topic::Calibration,
        scale: Scale::Identity,
        form: Form::P_VALUE, style: Style::Plain(3), pooling: Pooling::Described,
        leaves: Leaves::Whole, neutral: None, with_events: true,
        method: "chi-squared with 2 degrees of freedom", help: "calibration-slope",
    }
    /// Share of predictions moved before a logit.
    ClippedShare = "clipped-share" {
        kind: StatisticKind::Calibration,
        name: "Predictions clipped", topic: Topic::Calibration, scale: Scale::Identity,
        form: Form::SHARE, style: Style::Percent, pooling: Pooling::Described,
        leaves: Leaves::Whole, neutral: None, with_events: true,
        method: "share beyond the protocol's epsilon", help: "calibration-slope",
    }
    /// Mean negative log-likelihood.
    LogLoss = "log-loss" {
        kind: StatisticKind::Calibration,
        name: "Log loss", topic: Topic::Calibration, scale: Scale::Identity,
        form: Form::RATIO, style: Style::Plain(3), pooling: Pooling::Described,
        leaves: Leaves::Whole, neutral: None, with_events: true,
        method: "mean of clipped predictions", help: "log-loss",
    }
    /// Spiegelhalter's z.
    SpiegelhalterZ = "spiegelhalter-z" {
        kind: StatisticKind::Calibration,
        name: "Spiegelhalter z", topic: Topic::Calibration, scale: Scale::Identity,
        form: Form::FREE, style: Style::Signed(2), pooling: Pooling::Described,
        leaves: Leaves::Whole, neutral: Some(0.0), with_events: true,
        method: "score test of the predictions", help: "spiegelhalter",
    }
    /// Two-sided p value of Spiegelhalter's z.
    SpiegelhalterP = "spiegelhalter-p" {
        kind: StatisticKind::Calibration,
        name: "Spiegelhalter p", topic: Topic::Calibration, scale: Scale::Identity,
        form: Form::P_VALUE, style: Style::Plain(3), pooling: Pooling::Described,
        leaves: Leaves::Whole, neutral: None, with_events: true,
        method: "normal, two-sided", help: "spiegelhalter",
    }
    /// Expected calibration error.
    Ece = "ece" {
        kind: StatisticKind::Calibration,
        name: "Expected calibration error", topic: Topic::Calibration, scale: Scale::Identity,
        form: Form::AREA, style: Style::Plain(3), pooling: Pooling::Described,
        leaves: Leaves::Whole, neutral: None, with_events: true,
        method: "ten bins of equal width", help: "ece",
    }
    /// Largest calibration error of a bin.
    Mce = "mce" {
        kind: StatisticKind::Calibration,
        name: "Largest calibration error", topic: Topic::Calibration, scale: Scale::Identity,
        form: Form::AREA, style: Style::Plain(3), pooling: Pooling::Described,
        leaves: Leaves::Unprotected, neutral: None, with_events: true,
        method: "ten bins of equal width", help: "ece",
    }
    /// Integrated calibration index.
    Ici = "ici" {
        kind: StatisticKind::Calibration,
        name: "Calibration index (ICI)", topic: Topic::Calibration, scale: Scale::Identity,
        form: Form::AREA, style: Style::Plain(3), pooling: Pooling::Described,
        leaves: Leaves::Whole, neutral: None, with_events: true,
        method: "mean distance to the logistic recalibration", help: "ici",
    }
    /// Median distance to the recalibration.
    E50 = "e50" {
        kind: StatisticKind::Calibration,
        name: "Median calibration distance (E50)", topic: Topic::Calibration, scale: Scale::Identity,
        form: Form::AREA, style: Style::Plain(3), pooling: Pooling::Described,
        leaves: Leaves::Unprotected, neutral: None, with_events: true,
        method: "median distance to the logistic recalibration", help: "ici",
    }
    /// 90th percentile of the distance to the recalibration.
    E90 = "e90" {
        kind: StatisticKind::Calibration,
        name: "90th percentile of the distance (E90)", topic: Topic::Calibration, scale: Scale::Identity,
        form: Form::AREA, style: Style::Plain(3), pooling: Pooling::Described,
        leaves: Leaves::Unprotected, neutral: None, with_events: true,
        method: "90th percentile of the distance", help: "ici",
    }
    /// Brier score, part: miscalibration over bins.
    BrierReliability = "brier-reliability" {
        kind: StatisticKind::Calibration,
        name: "Brier: reliability", topic: Topic::Calibration, scale: Scale::Identity,
        form: Form::AREA, style: Style::Plain(4), pooling: Pooling::Described,
        leaves: Leaves::Unprotected, neutral: None, with_events: true,
        method: "ten bins of equal width", help: "brier",
    }
    /// Brier score, part: spread of the bins' event shares.
    BrierResolution = "brier-resolution" {
        kind: StatisticKind::Calibration,
        name: "Brier: resolution", topic: Topic::Calibration, scale: Scale::Identity,
        form: Form::AREA, style: Style::Plain(4), pooling: Pooling::Described,
        leaves: Leaves::Unprotected, neutral: None, with_events: true,
        method: "ten bins of equal width", help: "brier",
    }
    /// Brier score, part: variance of the outcome.
    BrierUncertainty = "brier-uncertainty" {
        kind: StatisticKind::Calibration,
        name: "Brier: uncertainty", topic: Topic::Calibration, scale: Scale::Identity,
        form: Form::AREA, style: Style::Plain(4), pooling: Pooling::Described,
        leaves: Leaves::Unprotected, neutral: None, with_events: true,
        method: "variance of the outcome", help: "brier",
    }
    /// Brier score, part: variance of predictions within bins.
    BrierWithinVariance = "brier-within-variance" {
        kind: StatisticKind::Calibration,
        name: "Brier: variance within bins", topic: Topic::Calibration, scale: Scale::Identity,
        form: Form::AREA, style: Style::Plain(4), pooling: Pooling::Described,
        leaves: Leaves::Unprotected, neutral: None, with_events: true,
        method: "ten bins of equal width", help: "brier",
    }
    /// Brier score, part: covariance within bins, twice.
    BrierWithinCovariance = "brier-within-covariance" {
        kind: StatisticKind::Calibration,
        name: "Brier: covariance within bins", topic: Topic::Calibration, scale: Scale::Identity,
        form: Form::DIFFERENCE, style: Style::Signed(4), pooling: Pooling::Described,
        leaves: Leaves::Unprotected, neutral: None, with_events: true,
        method: "ten bins of equal width", help: "brier",
    }
    /// Sensitivity at a threshold.
    Sensitivity = "sensitivity" {
        kind: StatisticKind::Confusion,
        name: "Sensitivity", topic: Topic::Threshold, scale: Scale::Logit,
        form: Form::SHARE, style: Style::Percent, pooling: Pooling::Mean,
        leaves: Leaves::WithTable, neutral: None, with_events: false,
        method: "proportion, Wilson", help: "sensitivity-specificity",
    }
    /// Specificity at a threshold.
    Specificity = "specificity" {
        kind: StatisticKind::Confusion,
        name: "Specificity", topic: Topic::Threshold, scale: Scale::Logit,
        form: Form::SHARE, style: Style::Percent, pooling: Pooling::Mean,
        leaves: Leaves::WithTable, neutral: None, with_events: false,
        method: "proportion, Wilson", help: "sensitivity-specificity",
    }
    /// Positive predictive value at a threshold.
    Ppv = "ppv" {
        kind: StatisticKind::Confusion,
        name: "PPV", topic: Topic::Threshold, scale: Scale::Logit,
        form: Form::SHARE, style: Style::Percent, pooling: Pooling::Mean,
        leaves: Leaves::WithTable, neutral: None, with_events: false,
        method: "proportion, Wilson", help: "predictive-values",
    }
    /// Negative predictive value at a threshold.
    Npv = "npv" {
        kind: StatisticKind::Confusion,
        name: "NPV", topic: Topic::Threshold, scale: Scale::Logit,
        form: Form::SHARE, style: Style::Percent, pooling: Pooling::Mean,
        leaves: Leaves::WithTable, neutral: None, with_events: false,
        method: "proportion, Wilson", help: "predictive-values",
    }
    /// Predicted positives among all.
    SelectionRate = "selection-rate" {
        kind: StatisticKind::Confusion,
        name: "Selection rate", topic: Topic::Threshold, scale: Scale::Logit,
        form: Form::SHARE, style: Style::Percent, pooling: Pooling::Mean,
        leaves: Leaves::WithTable, neutral: None, with_events: true,
        method: "proportion, Wilson", help: "sensitivity-specificity",
    }
    /// Events among all.
    Prevalence = "prevalence" {
        kind: StatisticKind::Confusion,
        name: "Prevalence", topic: Topic::Threshold, scale: Scale::Logit,
        form: Form::SHARE, style: Style::Percent, pooling: Pooling::Mean,
        leaves: Leaves::WithTable, neutral: None, with_events: true,
        method: "proportion, Wilson", help: "predictive-values",
    }
    /// Level minus rest of the site: predicted positives among all.
    GapSelectionRate = "gap-selection-rate" {
        kind: StatisticKind::Subgroup,
        name: "Selection rate", topic: Topic::Fairness, scale: Scale::Identity,
        form: Form::DIFFERENCE, style: Style::Points, pooling: Pooling::Mean,
        leaves: Leaves::WithTable, neutral: Some(0.0), with_events: true,
        method: "difference of proportions, Newcombe", help: "subgroup-gaps",
    }
    /// Level minus rest of the site: true positive rate.
    GapTpr = "gap-tpr" {
        kind: StatisticKind::Subgroup,
        name: "True positive rate", topic: Topic::Fairness, scale: Scale::Identity,
        form: Form::DIFFERENCE, style: Style::Points, pooling: Pooling::Mean,
        leaves: Leaves::WithTable, neutral: Some(0.0), with_events: false,
        method: "difference of proportions, Newcombe", help: "subgroup-gaps",
    }
    /// Level minus rest of the site: false positive rate.
    GapFpr = "gap-fpr" {
        kind: StatisticKind::Subgroup,
        name: "False positive rate", topic: Topic::Fairness, scale: Scale::Identity,
        form: Form::DIFFERENCE, style: Style::Points, pooling: Pooling::Mean,
        leaves: Leaves::WithTable, neutral: Some(0.0), with_events: false,
        method: "difference of proportions, Newcombe", help: "subgroup-gaps",
    }
    /// Level minus rest of the site: positive predictive value.
    GapPpv = "gap-ppv" {
        kind: StatisticKind::Subgroup,
        name: "PPV", topic: Topic::Fairness, scale: Scale::Identity,
        form: Form::DIFFERENCE, style: Style::Points, pooling: Pooling::Mean,
        leaves: Leaves::WithTable, neutral: Some(0.0), with_events: false,
        method: "difference of proportions, Newcombe", help: "subgroup-gaps",
    }
    /// Level minus rest of the site: AUC.
    GapAuc = "gap-auc" {
        kind: StatisticKind::Subgroup,
        name: "AUC", topic: Topic::Fairness, scale: Scale::Identity,
        form: Form::DIFFERENCE, style: Style::Signed(3), pooling: Pooling::Mean,
        leaves: Leaves::Whole, neutral: Some(0.0), with_events: true,
        method: "difference of independent AUCs", help: "subgroup-gaps",
    }
    /// Level over rest of the site: ratio of O:E.
    GapObservedExpected = "gap-observed-expected" {
        kind: StatisticKind::Subgroup,
        name: "O:E (ratio of ratios)", topic: Topic::Fairness, scale: Scale::Log,
        form: Form::RATIO, style: Style::Plain(2), pooling: Pooling::Mean,
        leaves: Leaves::Whole, neutral: Some(1.0), with_events: true,
        method: "ratio of ratios, log interval", help: "subgroup-gaps",
    }
    /// Partial area under the ROC curve, McClish's correction.
    PartialAuc = "partial-auc" {
        kind: StatisticKind::Discrimination,
        name: "Partial AUC", topic: Topic::Discrimination, scale: Scale::Logit,
        form: Form::AREA, style: Style::Plain(3), pooling: Pooling::Mean,
        leaves: Leaves::Whole, neutral: Some(0.5), with_events: true,
        method: "partial area, McClish; patient bootstrap, BCa", help: "partial-auc",
    }
    /// Average precision: area under the precision-recall steps.
    AveragePrecision = "average-precision" {
        kind: StatisticKind::Discrimination,
        name: "Average precision", topic: Topic::Discrimination, scale: Scale::Logit,
        form: Form::AREA, style: Style::Plain(3), pooling: Pooling::Described,
        leaves: Leaves::Whole, neutral: None, with_events: true,
        method: "steps without interpolation; patient bootstrap, BCa", help: "average-precision",
    }
    /// Largest Youden index over the edges of the grid.
    YoudenMaximum = "youden-maximum" {
        kind: StatisticKind::Discrimination,
        name: "Largest Youden index", topic: Topic::Discrimination, scale: Scale::Identity,
        form: Form::AREA, style: Style::Plain(3), pooling: Pooling::Described,
        leaves: Leaves::Unprotected, neutral: None, with_events: true,
        method: "maximum over the grid; patient bootstrap, BCa", help: "youden",
    }
    /// The grid's edge with the largest Youden index.
    YoudenThreshold = "youden-threshold" {
        kind: StatisticKind::Discrimination,
        name: "Threshold of the largest Youden index", topic: Topic::Discrimination, scale: Scale::Identity,
        form: Form::AREA, style: Style::Plain(3), pooling: Pooling::Described,
        leaves: Leaves::Unprotected, neutral: None, with_events: true,
        method: "edge of the grid", help: "youden",
    }
    /// Share of cases called rightly.
    Accuracy = "accuracy" {
        kind: StatisticKind::Confusion,
        name: "Accuracy", topic: Topic::Threshold, scale: Scale::Logit,
        form: Form::SHARE, style: Style::Percent, pooling: Pooling::Described,
        leaves: Leaves::WithTable, neutral: None, with_events: true,
        method: "proportion; interval as the protocol chooses", help: "agreement-measures",
    }
    /// Mean of sensitivity and specificity.
    BalancedAccuracy = "balanced-accuracy" {
        kind: StatisticKind::Confusion,
        name: "Balanced accuracy", topic: Topic::Threshold, scale: Scale::Identity,
        form: Form::SHARE, style: Style::Percent, pooling: Pooling::Described,
        leaves: Leaves::WithTable, neutral: Some(0.5), with_events: true,
        method: "mean of two proportions, Newcombe", help: "agreement-measures",
    }
    /// F1 score.
    F1 = "f1" {
        kind: StatisticKind::Confusion,
        name: "F1", topic: Topic::Threshold, scale: Scale::Logit,
        form: Form::AREA, style: Style::Plain(3), pooling: Pooling::Described,
        leaves: Leaves::WithTable, neutral: None, with_events: true,
        method: "harmonic mean, logit interval", help: "agreement-measures",
    }
    /// Matthews correlation coefficient.
    Mcc = "mcc" {
        kind: StatisticKind::Confusion,
        name: "MCC", topic: Topic::Threshold, scale: Scale::Identity,
        form: Form::DIFFERENCE, style: Style::Plain(3), pooling: Pooling::Described,
        leaves: Leaves::WithTable, neutral: Some(0.0), with_events: true,
        method: "phi, delta method", help: "agreement-measures",
    }
    /// Cohen's kappa of calls and outcomes.
    Kappa = "kappa" {
        kind: StatisticKind::Confusion,
        name: "Kappa", topic: Topic::Threshold, scale: Scale::Identity,
        form: Form::DIFFERENCE, style: Style::Plain(3), pooling: Pooling::Described,
        leaves: Leaves::WithTable, neutral: Some(0.0), with_events: true,
        method: "Cohen, delta method", help: "agreement-measures",
    }
    /// Sensitivity plus specificity minus 1.
    YoudenIndex = "youden-index" {
        kind: StatisticKind::Confusion,
        name: "Youden index", topic: Topic::Threshold, scale: Scale::Identity,
        form: Form::DIFFERENCE, style: Style::Plain(3), pooling: Pooling::Described,
        leaves: Leaves::WithTable, neutral: Some(0.0), with_events: true,
        method: "difference of proportions, Newcombe", help: "youden",
    }
    /// Likelihood ratio of a positive call.
    LikelihoodRatioPositive = "likelihood-ratio-positive" {
        kind: StatisticKind::Confusion,
        name: "LR+", topic: Topic::Threshold, scale: Scale::Log,
        form: Form::RATIO, style: Style::Plain(2), pooling: Pooling::Described,
        leaves: Leaves::WithTable, neutral: Some(1.0), with_events: true,
        method: "ratio of proportions, Simel", help: "likelihood-ratios",
    }
    /// Likelihood ratio of a negative call.
    LikelihoodRatioNegative = "likelihood-ratio-negative" {
        kind: StatisticKind::Confusion,
        name: "LR-", topic: Topic::Threshold, scale: Scale::Log,
        form: Form::RATIO, style: Style::Plain(2), pooling: Pooling::Described,
        leaves: Leaves::WithTable, neutral: Some(1.0), with_events: true,
        method: "ratio of proportions, Simel", help: "likelihood-ratios",
    }
    /// Diagnostic odds ratio.
    DiagnosticOddsRatio = "diagnostic-odds-ratio" {
        kind: StatisticKind::Confusion,
        name: "Diagnostic odds ratio", topic: Topic::Threshold, scale: Scale::Log,
        form: Form::RATIO, style: Style::Plain(2), pooling: Pooling::Mean,
        leaves: Leaves::WithTable, neutral: Some(1.0), with_events: true,
        method: "odds ratio, log interval", help: "likelihood-ratios",
    }
    /// PPV at a declared prevalence.
    PpvAtPrevalence = "ppv-at-prevalence" {
        kind: StatisticKind::Confusion,
        name: "PPV at target prevalence", topic: Topic::Threshold, scale: Scale::Logit,
        form: Form::SHARE, style: Style::Percent, pooling: Pooling::Mean,
        leaves: Leaves::WithTable, neutral: None, with_events: true,
        method: "from the likelihood ratio, logit interval", help: "predictive-values",
    }
    /// NPV at a declared prevalence.
    NpvAtPrevalence = "npv-at-prevalence" {
        kind: StatisticKind::Confusion,
        name: "NPV at target prevalence", topic: Topic::Threshold, scale: Scale::Logit,
        form: Form::SHARE, style: Style::Percent, pooling: Pooling::Mean,
        leaves: Leaves::WithTable, neutral: None, with_events: true,
        method: "from the likelihood ratio, logit interval", help: "predictive-values",
    }
    /// Net benefit at a threshold; also its difference to treating nobody.
    NetBenefit = "net-benefit" {
        kind: StatisticKind::NetBenefit,
        name: "Net benefit", topic: Topic::Utility, scale: Scale::Identity,
        form: Form::UTILITY, style: Style::Plain(3), pooling: Pooling::Mean,
        leaves: Leaves::WithTable, neutral: Some(0.0), with_events: true,
        method: "mean utility, normal interval", help: "net-benefit",
    }
    /// Net benefit of treating everybody.
    TreatAll = "net-benefit-treat-all" {
        kind: StatisticKind::NetBenefit,
        name: "Net benefit of treating all", topic: Topic::Utility, scale: Scale::Identity,
        form: Form::UTILITY, style: Style::Plain(3), pooling: Pooling::Mean,
        leaves: Leaves::WithTable, neutral: Some(0.0), with_events: true,
        method: "mean utility, normal interval", help: "net-benefit",
    }
    /// Net benefit minus that of treating everybody.
    OverTreatAll = "net-benefit-over-treat-all" {
        kind: StatisticKind::NetBenefit,
        name: "Net benefit over treating all", topic: Topic::Utility, scale: Scale::Identity,
        form: Form::UTILITY_CHANGE, style: Style::Signed(3), pooling: Pooling::Mean,
        leaves: Leaves::WithTable, neutral: Some(0.0), with_events: true,
        method: "paired mean utility, normal interval", help: "net-benefit",
    }
    /// Needless treatments avoided per patient, against treating everybody.
    InterventionsAvoided = "interventions-avoided" {
        kind: StatisticKind::NetBenefit,
        name: "Interventions avoided", topic: Topic::Utility, scale: Scale::Identity,
        form: Form::UTILITY, style: Style::Percent, pooling: Pooling::Mean,
        leaves: Leaves::WithTable, neutral: Some(0.0), with_events: true,
        method: "paired mean utility over the odds of the threshold", help: "net-benefit",
    }
    /// Net benefit over the prevalence.
    StandardisedNetBenefit = "standardised-net-benefit" {
        kind: StatisticKind::NetBenefit,
        name: "Standardised net benefit", topic: Topic::Utility, scale: Scale::Identity,
        form: Form::UTILITY, style: Style::Plain(3), pooling: Pooling::Mean,
        leaves: Leaves::WithTable, neutral: Some(0.0), with_events: true,
        method: "mean utility over prevalence, linearised", help: "net-benefit",
    }
    /// Net benefit of a model minus that of a comparator, both cut at the same threshold.
    NetBenefitDifference = "net-benefit-difference" {
        kind: StatisticKind::NetBenefit,
        name: "Net benefit difference", topic: Topic::Comparison, scale: Scale::Identity,
        form: Form::UTILITY_CHANGE, style: Style::Signed(3), pooling: Pooling::Mean,
        leaves: Leaves::WithTable, neutral: Some(0.0), with_events: true,
        method: "paired mean utility, normal interval", help: "net-benefit",
    }
    /// Sensitivity of a model minus that of a comparator, each at its own threshold.
    SensitivityDifference = "sensitivity-difference" {
        kind: StatisticKind::Discordance,
        name: "Sensitivity difference", topic: Topic::Comparison, scale: Scale::Identity,
        form: Form::DIFFERENCE, style: Style::Points, pooling: Pooling::Mean,
        leaves: Leaves::WithTable, neutral: Some(0.0), with_events: true,
        method: "paired difference of proportions, normal interval", help: "mcnemar",
    }
    /// Specificity of a model minus that of a comparator, each at its own threshold.
    SpecificityDifference = "specificity-difference" {
        kind: StatisticKind::Discordance,
        name: "Specificity difference", topic: Topic::Comparison, scale: Scale::Identity,
        form: Form::DIFFERENCE, style: Style::Points, pooling: Pooling::Mean,
        leaves: Leaves::WithTable, neutral: Some(0.0), with_events: true,
        method: "paired difference of proportions, normal interval", help: "mcnemar",
    }
    /// Net reclassification improvement by the sign of the change in risk.
    Nri = "nri-continuous" {
        kind: StatisticKind::Reclassification,
        name: "NRI, category-free", topic: Topic::Comparison, scale: Scale::Identity,
        form: Form::RECLASSIFIED, style: Style::Signed(3), pooling: Pooling::Described,
        leaves: Leaves::Whole, neutral: Some(0.0), with_events: true,
        method: "difference of net shares, normal interval", help: "nri-idi",
    }
    /// Net reclassification improvement over the categories that the declared thresholds cut.
    NriCategorical = "nri-categorical" {
        kind: StatisticKind::Reclassification,
        name: "NRI, categorical", topic: Topic::Comparison, scale: Scale::Identity,
        form: Form::RECLASSIFIED, style: Style::Signed(3), pooling: Pooling::Described,
        leaves: Leaves::Unprotected, neutral: Some(0.0), with_events: true,
        method: "difference of net shares, normal interval", help: "nri-idi",
    }
    /// Integrated discrimination improvement.
    Idi = "idi" {
        kind: StatisticKind::Reclassification,
        name: "IDI", topic: Topic::Comparison, scale: Scale::Identity,
        form: Form::RECLASSIFIED, style: Style::Signed(3), pooling: Pooling::Described,
        leaves: Leaves::Whole, neutral: Some(0.0), with_events: true,
        method: "difference of mean changes, normal interval", help: "nri-idi",
    }
    /// Level minus rest of the site: negative predictive value.
    GapNpv = "gap-npv" {
        kind: StatisticKind::Subgroup,
        name: "NPV", topic: Topic::Fairness, scale: Scale::Identity,
        form: Form::DIFFERENCE, style: Style::Points, pooling: Pooling::Mean,
        leaves: Leaves::WithTable, neutral: Some(0.0), with_events: false,
        method: "difference of proportions, Newcombe", help: "subgroup-gaps",
    }
    /// Level minus rest of the site: Brier score.
    GapBrier = "gap-brier" {
        kind: StatisticKind::Subgroup,
        name: "Brier score", topic: Topic::Fairness, scale: Scale::Identity,
        form: Form::DIFFERENCE, style: Style::Signed(3), pooling: Pooling::Mean,
        leaves: Leaves::Whole, neutral: Some(0.0), with_events: true,
        method: "difference of means", help: "subgroup-gaps",
    }
    /// The level's events against the rest's non-events, minus the rest's events against the
    /// level's non-events.
    GapXauc = "gap-xauc" {
        kind: StatisticKind::Subgroup,
        name: "Cross-group AUC", topic: Topic::Fairness, scale: Scale::Identity,
        form: Form::DIFFERENCE, style: Style::Signed(3), pooling: Pooling::Mean,
        leaves: Leaves::Whole, neutral: Some(0.0), with_events: true,
        method: "difference of independent AUCs", help: "subgroup-gaps",
    }
    /// Standard deviation of the linear predictor.
    PredictorSd = "predictor-sd" {
        kind: StatisticKind::CaseMix,
        name: "SD of the linear predictor", topic: Topic::CaseMix, scale: Scale::Log,
        form: Form::RATIO, style: Style::Plain(2), pooling: Pooling::Described,
        leaves: Leaves::Whole, neutral: None, with_events: true,
        method: "sample standard deviation, log interval", help: "case-mix",
    }
    /// The c-statistic that the predictions imply if they are true.
    ModelConcordance = "model-concordance" {
        kind: StatisticKind::CaseMix,
        name: "Model-based c-statistic", topic: Topic::CaseMix, scale: Scale::Logit,
        form: Form::AREA, style: Style::Plain(3), pooling: Pooling::Mean,
        leaves: Leaves::Whole, neutral: None, with_events: true,
        method: "van Klaveren 2016, logit interval", help: "case-mix",
    }
    /// Mean Dice overlap; a miss or a false alarm counts 0.
    Dice = "dice" {
        name: "Dice", scale: Scale::Identity, form: Form::AREA,
        style: Style::Plain(3),
        method: "mean over cases, misses and false alarms 0, by patient";
        ..MASKS
    }
    /// Mean Dice overlap where both have the structure.
    DicePresent = "dice-present" {
        name: "Dice, both present", scale: Scale::Identity, form: Form::AREA,
        style: Style::Plain(3),
        method: "mean over cases with both masks, by patient";
        ..MASKS
    }
    /// Mean intersection over union where both have the structure.
    IouPresent = "iou-present" {
        name: "IoU, both present", scale: Scale::Identity, form: Form::AREA,
        style: Style::Plain(3),
        method: "mean over cases with both masks, by patient";
        ..MASKS
    }
    /// Mean surface Dice at a tolerance; a miss or a false alarm counts 0.
    Nsd = "nsd" {
        name: "Surface Dice", scale: Scale::Identity, form: Form::AREA,
        style: Style::Plain(3),
        method: "mean over cases, misses and false alarms 0, by patient";
        ..MASKS
    }
    /// Mean surface Dice at a tolerance where both have the structure.
    NsdPresent = "nsd-present" {
        name: "Surface Dice, both present", scale: Scale::Identity, form: Form::AREA,
        style: Style::Plain(3),
        method: "mean over cases with both masks, by patient";
        ..MASKS
    }
    /// Mean volume similarity where both have the structure.
    VolumeSimilarity = "volume-similarity" {
        name: "Volume similarity", scale: Scale::Identity, form: Form::AREA,
        style: Style::Plain(3),
        method: "one minus the absolute difference over the sum, by patient";
        ..MASKS
    }
    /// Mean relative error of the volume where both have the structure; positive when too large.
    RelativeVolumeError = "relative-volume-error" {
        name: "Relative volume error", scale: Scale::Identity, form: Form::FREE,
        style: Style::Signed(3),
        neutral: Some(0.0),
        method: "difference over the true volume, by patient";
        ..MASKS
    }
    /// Mean Hausdorff distance where both have the structure.
    Hd = "hausdorff" {
        name: "Hausdorff distance, mm", scale: Scale::Identity, form: Form::RATIO,
        style: Style::Plain(2),
        method: "mean over cases with both masks, by patient";
        ..MASKS
    }
    /// Mean 95 % Hausdorff distance, by the protocol's convention, where both have the structure.
    Hd95 = "hd95" {
        name: "HD95, mm", scale: Scale::Identity, form: Form::RATIO,
        style: Style::Plain(2),
        method: "mean over cases with both masks, by patient";
        ..MASKS
    }
    /// The same with a length of the protocol for a miss or a false alarm.
    Hd95Capped = "hd95-capped" {
        name: "HD95 with cap, mm", scale: Scale::Identity, form: Form::RATIO,
        style: Style::Plain(2),
        method: "mean over cases, at most the cap, by patient";
        ..MASKS
    }
    /// Mean average symmetric surface distance where both have the structure.
    Assd = "assd" {
        name: "ASSD, mm", scale: Scale::Identity, form: Form::RATIO,
        style: Style::Plain(2),
        method: "both directions pooled, by patient";
        ..MASKS
    }
    /// The same with a length of the protocol for a miss or a false alarm.
    AssdCapped = "assd-capped" {
        name: "ASSD with cap, mm", scale: Scale::Identity, form: Form::RATIO,
        style: Style::Plain(2),
        method: "mean over cases, at most the cap, by patient";
        ..MASKS
    }
    /// Mean of the two directed average distances where both have the structure.
    Masd = "masd" {
        name: "MASD, mm", scale: Scale::Identity, form: Form::RATIO,
        style: Style::Plain(2),
        method: "mean of both directions, by patient";
        ..MASKS
    }
    /// Mean distance of the centres of mass where both have the structure.
    CentreDistance = "centre-distance" {
        name: "Centre distance, mm", scale: Scale::Identity, form: Form::RATIO,
        style: Style::Plain(2),
        method: "mean over cases with both masks, by patient";
        ..MASKS
    }
    /// Share of the cases with the structure in which the model has none of it.
    MissedShare = "missed-share" {
        name: "Missed", scale: Scale::Logit, form: Form::SHARE,
        style: Style::Percent,
        method: "proportion, Wilson; by patient where patients repeat";
        ..MASKS
    }
    /// Share of the cases without the structure in which the model has some of it.
    FalseAlarmShare = "false-alarm-share" {
        name: "False alarms", scale: Scale::Logit, form: Form::SHARE,
        style: Style::Percent,
        method: "proportion, Wilson; by patient where patients repeat";
        ..MASKS
    }
    /// Mean Dice of a model minus that of a comparator on the same cases.
    DiceDifference = "dice-difference" {
        name: "Dice difference", scale: Scale::Identity, form: Form::DIFFERENCE,
        style: Style::Signed(3),
        topic: Topic::Comparison,
        neutral: Some(0.0),
        method: "paired difference of means, by patient";
        ..MASKS
    }
    /// Level minus rest of the site: mean Dice.
    GapDice = "gap-dice" {
        name: "Dice", scale: Scale::Identity, form: Form::DIFFERENCE,
        style: Style::Signed(3),
        topic: Topic::Fairness,
        neutral: Some(0.0),
        method: "difference of means, by patient";
        ..MASKS
    }
    /// Share of true lesions found.
    LesionSensitivity = "lesion-sensitivity" {
        name: "Lesion sensitivity", scale: Scale::Logit, form: Form::SHARE,
        style: Style::Percent,
        method: "found over true lesions; patient bootstrap, BCa";
        ..LESIONS
    }
    /// Share of predicted lesions that hit a true one.
    LesionPrecision = "lesion-precision" {
        name: "Lesion precision", scale: Scale::Logit, form: Form::SHARE,
        style: Style::Percent,
        method: "hits over predicted lesions; patient bootstrap, BCa";
        ..LESIONS
    }
    /// Harmonic mean of both.
    LesionF1 = "lesion-f1" {
        name: "Lesion F1", scale: Scale::Logit, form: Form::AREA,
        style: Style::Plain(3),
        method: "harmonic mean; patient bootstrap, BCa";
        ..LESIONS
    }
    /// Predicted lesions that hit none, per scan.
    FalsePositivesPerScan = "false-positives-per-scan" {
        name: "False positives per scan", scale: Scale::Log, form: Form::RATIO,
        style: Style::Plain(2),
        method: "mean per scan; patient bootstrap, BCa";
        ..LESIONS
    }
    /// Panoptic quality of lesions matched one to one.
    PanopticQuality = "panoptic-quality" {
        name: "Panoptic quality", scale: Scale::Logit, form: Form::AREA,
        style: Style::Plain(3),
        method: "sum of IoU over TP + FP/2 + FN/2; patient bootstrap, BCa";
        ..LESIONS
    }
    /// Sensitivity at a number of false positives per scan.
    FrocSensitivity = "froc-sensitivity" {
        name: "Sensitivity at false positives per scan", scale: Scale::Logit, form: Form::SHARE,
        style: Style::Percent,
        method: "read from the FROC curve on the grid of scores; patient bootstrap, BCa";
        ..CANDIDATES
    }
    /// Mean of these sensitivities.
    Cpm = "cpm" {
        name: "CPM", scale: Scale::Logit, form: Form::AREA,
        style: Style::Plain(3),
        method: "mean sensitivity over the stated false positives per scan; patient bootstrap, BCa";
        ..CANDIDATES
    }
    /// Average precision of candidates.
    DetectionAveragePrecision = "detection-average-precision" {
        name: "Average precision of candidates", scale: Scale::Logit, form: Form::AREA,
        style: Style::Plain(3),
        pooling: Pooling::Described,
        method: "precision averaged over recall on the grid of scores; patient bootstrap, BCa";
        ..CANDIDATES
    }
}
