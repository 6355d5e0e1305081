//! `curves.csv`: ROC and precision-recall curves with pointwise bands, distributions of
//! predictions and decision curves, point by point.
//!
//! From: merged curves.
//! To: R, Python, spreadsheets.

use super::super::view::View;
use super::{Sheet, real, real_or_empty};
use crate::pool::result::{BenefitPoint, BlockShare, CalibrationCurve, MergedBenefit};
use crate::study::{EndpointId, ModelId, SiteRole, SiteSlug};

const HEAD: [&str; 16] = [
    "study",
    "model",
    "endpoint",
    "scope",
    "site",
    "axis",
    "level",
    "curve",
    "outcome",
    "threshold",
    "x",
    "x_high",
    "y",
    "y_low",
    "y_high",
    "n",
];

/// The file.
pub(super) fn table(view: View<'_>) -> String {
    let mut sheet = Sheet::new(&HEAD);
    for curve in &view.study.merged {
        let start = start(view, &curve.model, &curve.endpoint, curve.site.as_ref());
        for point in &curve.points {
            let mut row = start.clone();
            row.extend([
                "roc".to_owned(),
                String::new(),
                real_or_empty(point.threshold),
            ]);
            row.extend([real(point.fpr), String::new(), real(point.tpr)]);
            row.extend(band(point.band));
            sheet.push(&row);
        }
        for point in &curve.precision_recall {
            let mut row = start.clone();
            row.extend(["pr".to_owned(), String::new(), real(point.threshold)]);
            row.extend([real(point.recall), String::new(), real(point.precision)]);
            row.extend(band(point.band));
            sheet.push(&row);
        }
        for (outcome, blocks) in [("event", &curve.events), ("non-event", &curve.non_events)] {
            for block in blocks {
                sheet.push(&density(&start, outcome, block));
            }
        }
    }
    for curve in view
        .study
        .benefit
        .iter()
        .filter(|one| one.prevalence.is_none())
    {
        for point in &curve.points {
            benefit(view, &mut sheet, curve, point);
        }
    }
    for curve in &view.study.calibration {
        let start = start(view, &curve.model, &curve.endpoint, curve.site.as_ref());
        calibration(&mut sheet, &start, curve);
    }
    sheet.finish()
}

/// The flexible curve, and the shares of events in tenths of the predictions.
fn calibration(sheet: &mut Sheet, start: &[String], curve: &CalibrationCurve) {
    let mut push = |word: &str, at: [f64; 2], ends: [Option<f64>; 2], n: String| {
        let mut row = start.to_vec();
        row.extend([word.to_owned(), String::new(), String::new()]);
        row.extend([real(at[0]), String::new(), real(at[1])]);
        row.extend(ends.map(real_or_empty));
        row.push(n);
        sheet.push(&row);
    };
    for point in &curve.points {
        let at = [point.predicted, point.observed];
        push("calibration", at, [point.low, point.high], String::new());
    }
    for bin in &curve.tenths {
        let at = [bin.predicted, bin.observed];
        push(
            "calibration-tenth",
            at,
            [bin.low, bin.high],
            bin.n.to_string(),
        );
    }
}

fn start(
    view: View<'_>,
    model: &ModelId,
    endpoint: &EndpointId,
    site: Option<&SiteSlug>,
) -> Vec<String> {
    let scope = match site.and_then(|site| view.role(site)) {
        None => "merged",
        Some(SiteRole::External) => "site",
        Some(
            SiteRole::Development
            | SiteRole::Tuning
            | SiteRole::ThresholdSelection
            | SiteRole::Recalibration,
        ) => "development",
    };
    vec![
        view.study.protocol.slug.to_string(),
        model.to_string(),
        endpoint.to_string(),
        scope.to_owned(),
        site.map_or_else(String::new, ToString::to_string),
        "overall".to_owned(),
        "overall".to_owned(),
    ]
}

/// The columns `y_low`, `y_high` and `n`.
fn band(ends: Option<[f64; 2]>) -> [String; 3] {
    let end = |place: usize| real_or_empty(ends.map(|ends| ends[place]));
    [end(0), end(1), String::new()]
}

/// Net benefit of merged patients: the model's, and that of treating everybody.
fn benefit(view: View<'_>, sheet: &mut Sheet, curve: &MergedBenefit, point: &BenefitPoint) {
    let [low, high] = point.interval.map_or([None, None], |ends| ends.map(Some));
    let lines = [
        ("net-benefit", point.net_benefit, low, high),
        ("net-benefit-treat-all", point.treat_all, None, None),
    ];
    for (name, value, low, high) in lines {
        let mut row = vec![
            view.study.protocol.slug.to_string(),
            curve.model.to_string(),
            curve.endpoint.to_string(),
            "merged".to_owned(),
            String::new(),
            "overall".to_owned(),
            "overall".to_owned(),
            name.to_owned(),
            String::new(),
        ];
        row.extend([real(point.threshold), real(point.threshold), String::new()]);
        row.extend([real(value), real_or_empty(low), real_or_empty(high)]);
        row.push(String::new());
        sheet.push(&row);
    }
}

fn density(start: &[String], outcome: &str, block: &BlockShare) -> Vec<String> {
    let mut row = start.to_vec();
    row.extend(["density".to_owned(), outcome.to_owned(), String::new()]);
    row.extend([real(block.from), real(block.to), real(block.share)]);
    row.extend([String::new(), String::new(), String::new()]);
    row
}
