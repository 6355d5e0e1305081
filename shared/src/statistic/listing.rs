//! Every cell of a released statistic with its name, whatever its kind.
//!
//! From: a released statistic.
//! To: `coordinator::intake`, which checks and compares them; `pool::withheld`, which counts them.

use super::auc::Auc;
use super::calibration_bins::{CalibrationBins, PredictionBin};
use super::calibration_block::CalibrationBlock;
use super::characteristics::Characteristics;
use super::confusion::Confusion;
use super::contingency::Contingency;
use super::detection::Detection;
use super::discordance::Discordance;
use super::flow::Flow;
use super::histogram::Histogram;
use super::lesion::Lesions;
use super::missing::Missing;
use super::observed_expected::ObservedExpected;
use super::paired_auc::PairedAuc;
use super::permutation::Permutation;
use super::segmentation::Segmentation;
use super::subgroup::{SubgroupRow, SubgroupTable};
use super::{Cell, Disclosed, Estimate, Statistic};
use crate::study::plan::StatisticKind;

/// A cell of either kind, with its name.
#[derive(Clone, Debug)]
pub enum AnyCell<'a> {
    /// A count of cases, patients or lesions.
    Count(String, &'a Cell<u64>),
    /// A real number on its own scale.
    Real(String, &'a Cell<f64>),
}

/// The kind of a released statistic; an estimate's by its metric, a declared sensitivity
/// analysis by itself.
pub fn kind(statistic: &Statistic<Disclosed>) -> StatisticKind {
    match statistic {
        Statistic::Flow(_) => StatisticKind::Flow,
        Statistic::Characteristics(_) => StatisticKind::Characteristics,
        Statistic::Confusion(_) => StatisticKind::Confusion,
        Statistic::Auc(_) => StatisticKind::Auc,
        Statistic::PairedAuc(_) => StatisticKind::PairedAuc,
        Statistic::Histogram(_) => StatisticKind::Histogram,
        Statistic::ObservedExpected(_) => StatisticKind::ObservedExpected,
        Statistic::Estimate(it) if it.key.is_declared_sensitivity() => StatisticKind::Sensitivity,
        Statistic::Estimate(it) => it.key.metric.entry().kind,
        Statistic::CalibrationBins(_) => StatisticKind::CalibrationBins,
        Statistic::SubgroupTable(_) => StatisticKind::Subgroup,
        Statistic::Contingency(_) => StatisticKind::Contingency,
        Statistic::Discordance(_) => StatisticKind::Discordance,
        Statistic::Permutation(_) => StatisticKind::Permutation,
        Statistic::CalibrationBlock(_) => StatisticKind::CalibrationBlock,
        Statistic::Missing(_) => StatisticKind::Missing,
        Statistic::Segmentation(_) => StatisticKind::Segmentation,
        Statistic::Lesions(_) => StatisticKind::Lesions,
        Statistic::Detection(_) => StatisticKind::Detection,
    }
}

/// Every cell of a statistic with its name.
pub fn cells(statistic: &Statistic<Disclosed>) -> Vec<AnyCell<'_>> {
    let mut out = Vec::new();
    match statistic {
        Statistic::Flow(it) => flow(&mut out, it),
        Statistic::Characteristics(it) => characteristics(&mut out, it),
        Statistic::Confusion(it) => confusion(&mut out, it),
        Statistic::Auc(it) => auc(&mut out, it),
        Statistic::PairedAuc(it) => paired_auc(&mut out, it),
        Statistic::Histogram(it) => histogram(&mut out, it),
        Statistic::ObservedExpected(it) => observed_expected(&mut out, it),
        Statistic::Estimate(it) => estimate(&mut out, it),
        Statistic::CalibrationBins(it) => calibration_bins(&mut out, it),
        Statistic::SubgroupTable(it) => subgroup_table(&mut out, it),
        Statistic::Contingency(it) => contingency(&mut out, it),
        Statistic::Discordance(it) => discordance(&mut out, it),
        Statistic::Permutation(it) => permutation(&mut out, it),
        Statistic::CalibrationBlock(it) => calibration_block(&mut out, it),
        Statistic::Missing(it) => missing(&mut out, it),
        Statistic::Segmentation(it) => segmentation(&mut out, it),
        Statistic::Lesions(it) => lesions(&mut out, it),
        Statistic::Detection(it) => detection(&mut out, it),
    }
    out
}

fn segmentation<'a>(out: &mut Vec<AnyCell<'a>>, it: &'a Segmentation<Disclosed>) {
    let named = [
        ("both", &it.both),
        ("missed", &it.missed),
        ("false_alarm", &it.false_alarm),
        ("neither", &it.neither),
    ];
    counts(out, &named);
    for row in &it.sizes {
        counts(out, &[("size", &row.n)]);
    }
    for block in it.distributions.iter().flat_map(|part| &part.blocks) {
        counts(out, &[("bin", &block.count)]);
    }
}

fn lesions<'a>(out: &mut Vec<AnyCell<'a>>, it: &'a Lesions<Disclosed>) {
    let named = [
        ("scans", &it.scans),
        ("truth", &it.truth),
        ("found", &it.found),
        ("not_found", &it.not_found),
        ("hits", &it.hits),
        ("false_positives", &it.false_positives),
    ];
    counts(out, &named);
    for row in &it.sizes {
        counts(out, &[("found", &row.found), ("not_found", &row.not_found)]);
    }
}

fn detection<'a>(out: &mut Vec<AnyCell<'a>>, it: &'a Detection<Disclosed>) {
    counts(out, &[("scans", &it.scans), ("lesions", &it.lesions)]);
    for at in &it.called {
        for (name, cell) in [
            ("detected", &at.detected),
            ("false_positives", &at.false_positives),
        ] {
            out.push(AnyCell::Count(format!("{name} at {}", at.score), cell));
        }
    }
}

fn auc<'a>(out: &mut Vec<AnyCell<'a>>, it: &'a Auc<Disclosed>) {
    let classes = [("events", &it.events), ("non_events", &it.non_events)];
    counts(out, &classes);
    reals(out, &[("auc", &it.auc), ("variance", &it.variance)]);
}

fn paired_auc<'a>(out: &mut Vec<AnyCell<'a>>, it: &'a PairedAuc<Disclosed>) {
    let classes = [("events", &it.events), ("non_events", &it.non_events)];
    counts(out, &classes);
    let named = [("difference", &it.difference), ("variance", &it.variance)];
    reals(out, &named);
}

fn histogram<'a>(out: &mut Vec<AnyCell<'a>>, it: &'a Histogram<Disclosed>) {
    for (class, blocks) in [("events", &it.events), ("non_events", &it.non_events)] {
        for block in blocks {
            let name = format!("{class} {} to {}", block.first, block.last);
            out.push(AnyCell::Count(name, &block.count));
        }
    }
}

fn observed_expected<'a>(out: &mut Vec<AnyCell<'a>>, it: &'a ObservedExpected<Disclosed>) {
    counts(out, &[("n", &it.n), ("observed", &it.observed)]);
    let named = [
        ("ratio", &it.ratio),
        ("log_variance", &it.log_variance),
        ("mean_prediction", &it.mean_prediction),
    ];
    reals(out, &named);
}

fn estimate<'a>(out: &mut Vec<AnyCell<'a>>, it: &'a Estimate<Disclosed>) {
    counts(out, &[("n", &it.n), ("events", &it.events)]);
    let named = [
        ("value", &it.value),
        ("low", &it.low),
        ("high", &it.high),
        ("variance", &it.variance),
    ];
    reals(out, &named);
}

fn calibration_bins<'a>(out: &mut Vec<AnyCell<'a>>, it: &'a CalibrationBins<Disclosed>) {
    for (part, bins) in [("grid", &it.grid), ("tenths", &it.tenths)] {
        for (place, bin) in bins.iter().enumerate() {
            prediction_bin(out, &format!("{part} {place}"), bin);
        }
    }
}

fn subgroup_table<'a>(out: &mut Vec<AnyCell<'a>>, it: &'a SubgroupTable<Disclosed>) {
    for row in &it.rows {
        subgroup_row(out, row);
    }
    for one in &it.disparities {
        let named = [
            ("range", &one.range),
            ("ratio", &one.ratio),
            ("expected", &one.expected),
            ("low", &one.low),
            ("high", &one.high),
            ("chi_squared", &one.chi_squared),
            ("p_value", &one.p_value),
        ];
        for (name, cell) in named {
            let name = format!("{:?} {name} over levels", one.measure);
            out.push(AnyCell::Real(name, cell));
        }
    }
}

fn discordance<'a>(out: &mut Vec<AnyCell<'a>>, it: &'a Discordance<Disclosed>) {
    for (class, crossed) in [("events", &it.events), ("non_events", &it.non_events)] {
        let names = ["both", "model_only", "comparator_only", "neither"];
        for (name, cell) in names.into_iter().zip(crossed.counts()) {
            out.push(AnyCell::Count(format!("{class} {name}"), cell));
        }
        let tests = [
            ("chi_squared", &crossed.chi_squared),
            ("mid_p", &crossed.mid_p),
        ];
        reals(out, &tests);
    }
}

fn missing<'a>(out: &mut Vec<AnyCell<'a>>, it: &'a Missing<Disclosed>) {
    let named = [
        ("no_prediction_events", &it.no_prediction_events),
        ("no_prediction_non_events", &it.no_prediction_non_events),
        ("neither", &it.neither),
    ];
    counts(out, &named);
    for band in &it.no_reference {
        let name = format!("no_reference {} to {}", band.low, band.high);
        out.push(AnyCell::Count(name, &band.count));
    }
}

fn calibration_block<'a>(out: &mut Vec<AnyCell<'a>>, it: &'a CalibrationBlock<Disclosed>) {
    let named = [
        ("n", &it.n),
        ("events", &it.events),
        ("non_events", &it.non_events),
    ];
    counts(out, &named);
    reals(out, &[("own_intercept", &it.own_intercept)]);
    for sums in [&it.joint, &it.own] {
        let [by_intercept, by_slope] = &sums.score;
        let [aa, ab, bb] = &sums.information;
        let named = [
            ("loglik", &sums.loglik),
            ("score intercept", by_intercept),
            ("score slope", by_slope),
            ("information intercept", aa),
            ("information both", ab),
            ("information slope", bb),
        ];
        reals(out, &named);
    }
}

fn flow<'a>(out: &mut Vec<AnyCell<'a>>, it: &'a Flow<Disclosed>) {
    let named = [
        ("records", &it.records),
        ("eligible", &it.eligible),
        ("without_reference", &it.without_reference),
        ("without_prediction", &it.without_prediction),
        ("analysed", &it.analysed),
        ("patients", &it.patients),
        ("events", &it.events),
        ("non_events", &it.non_events),
    ];
    counts(out, &named);
    for entry in &it.excluded {
        out.push(AnyCell::Count(
            format!("excluded, {}", entry.reason),
            &entry.count,
        ));
    }
}

fn characteristics<'a>(out: &mut Vec<AnyCell<'a>>, it: &'a Characteristics<Disclosed>) {
    counts(out, &[("n", &it.n)]);
    for axis in &it.axes {
        for level in &axis.levels {
            out.push(AnyCell::Count(
                format!("{} {}", axis.axis, level.level),
                &level.n,
            ));
        }
    }
    for moment in &it.moments {
        out.push(AnyCell::Count(format!("{} n", moment.field), &moment.n));
        out.push(AnyCell::Real(
            format!("{} mean", moment.field),
            &moment.mean,
        ));
        out.push(AnyCell::Real(format!("{} sd", moment.field), &moment.sd));
    }
    for axis in &it.axes {
        let target = axis.target.iter();
        for (name, cell) in target.flat_map(|found| {
            [
                ("target chi_squared", &found.chi_squared),
                ("target p_value", &found.p_value),
            ]
        }) {
            out.push(AnyCell::Real(format!("{} {name}", axis.axis), cell));
        }
    }
}

fn permutation<'a>(out: &mut Vec<AnyCell<'a>>, it: &'a Permutation<Disclosed>) {
    counts(
        out,
        &[("events", &it.events), ("non_events", &it.non_events)],
    );
    let named = [
        ("deviation", &it.deviation),
        ("variance", &it.variance),
        ("exact_p", &it.exact_p),
    ];
    reals(out, &named);
    if let Some(found) = &it.shuffled {
        reals(out, &[("shuffled p_value", &found.p_value)]);
    }
}

fn confusion<'a>(out: &mut Vec<AnyCell<'a>>, it: &'a Confusion<Disclosed>) {
    let named = [
        ("true_positive", &it.true_positive),
        ("false_positive", &it.false_positive),
        ("false_negative", &it.false_negative),
        ("true_negative", &it.true_negative),
    ];
    counts(out, &named);
    for rate in &it.rates {
        counts(out, &[("rate n", &rate.n)]);
        reals(
            out,
            &[
                ("rate", &rate.value),
                ("low", &rate.low),
                ("high", &rate.high),
            ],
        );
    }
}

fn subgroup_row<'a>(out: &mut Vec<AnyCell<'a>>, row: &'a SubgroupRow<Disclosed>) {
    let named = [
        ("n", &row.n),
        ("events", &row.events),
        ("non_events", &row.non_events),
        ("true_positive", &row.true_positive),
        ("false_positive", &row.false_positive),
        ("false_negative", &row.false_negative),
        ("true_negative", &row.true_negative),
    ];
    for (name, cell) in named {
        out.push(AnyCell::Count(format!("{} {name}", row.level), cell));
    }
    for measure in &row.measures {
        let named = [
            ("value", &measure.value),
            ("low", &measure.low),
            ("high", &measure.high),
            ("gap", &measure.gap),
            ("gap_low", &measure.gap_low),
            ("gap_high", &measure.gap_high),
            ("gap_variance", &measure.gap_variance),
        ];
        for (name, cell) in named {
            let name = format!("{} {:?} {name}", row.level, measure.measure);
            out.push(AnyCell::Real(name, cell));
        }
    }
}

fn prediction_bin<'a>(out: &mut Vec<AnyCell<'a>>, place: &str, bin: &'a PredictionBin<Disclosed>) {
    for (name, cell) in [("n", &bin.n), ("events", &bin.events)] {
        out.push(AnyCell::Count(format!("{place} {name}"), cell));
    }
    for (name, cell) in [
        ("mean", &bin.mean),
        ("mean_square", &bin.mean_square),
        ("mean_of_events", &bin.mean_of_events),
    ] {
        out.push(AnyCell::Real(format!("{place} {name}"), cell));
    }
}

fn contingency<'a>(out: &mut Vec<AnyCell<'a>>, it: &'a Contingency<Disclosed>) {
    for row in &it.rows {
        for (index, cell) in row.cells.iter().enumerate() {
            out.push(AnyCell::Count(format!("{} {index}", row.level), cell));
        }
    }
    let named = [
        ("chi_squared", &it.chi_squared),
        ("p_value", &it.p_value),
        ("cramers_v", &it.cramers_v),
        ("yates", &it.yates),
        ("yates_p", &it.yates_p),
        ("g2", &it.g2),
        ("g2_p", &it.g2_p),
        ("fisher_p", &it.fisher_p),
    ];
    reals(out, &named);
    if let Some(trend) = &it.trend {
        let named = [
            ("trend chi_squared", &trend.chi_squared),
            ("trend p_value", &trend.p_value),
            ("trend deviation", &trend.deviation),
            ("trend variance", &trend.variance),
        ];
        reals(out, &named);
    }
    if let Some(parts) = &it.two_levels {
        let named = [
            ("deviation", &parts.deviation),
            ("variance", &parts.variance),
            ("r", &parts.r),
            ("s", &parts.s),
            ("p_r", &parts.p_r),
            ("p_s_q_r", &parts.p_s_q_r),
            ("q_s", &parts.q_s),
        ];
        reals(out, &named);
    }
    for cell in it.stratum.difference.iter().chain(&it.stratum.covariance) {
        out.push(AnyCell::Real("stratum".into(), cell));
    }
}

fn counts<'a>(out: &mut Vec<AnyCell<'a>>, named: &[(&str, &'a Cell<u64>)]) {
    for (name, cell) in named {
        out.push(AnyCell::Count((*name).to_owned(), cell));
    }
}

fn reals<'a>(out: &mut Vec<AnyCell<'a>>, named: &[(&str, &'a Cell<f64>)]) {
    for (name, cell) in named {
        out.push(AnyCell::Real((*name).to_owned(), cell));
    }
}
