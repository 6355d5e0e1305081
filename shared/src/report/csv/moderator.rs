//! `meta_regression.csv`: coefficients of the protocol's moderators over hospitals.
//!
//! From: `pool::moderator`.
//! To: R, Python, spreadsheets.

use super::super::view::View;
use super::super::words;
use super::{Sheet, real_or_empty, slug, text};
use crate::pool::moderator::{ModeratorAnalysis, ModeratorOutcome, Regression};

const HEAD: [&str; 18] = [
    "analysis",
    "metric",
    "scale",
    "term",
    "k_sites",
    "estimate",
    "se",
    "ci_low",
    "ci_high",
    "p",
    "tau2",
    "tau2_without",
    "r2_percent",
    "qm",
    "qm_p",
    "qe",
    "qe_p",
    "status",
];

/// The file.
pub(super) fn table(view: View<'_>) -> String {
    let mut sheet = Sheet::new(&HEAD);
    for one in &view.study.moderators {
        match &one.outcome {
            ModeratorOutcome::Fitted(fit) => fitted(&mut sheet, one, fit),
            ModeratorOutcome::TooFewSites { .. } => without(&mut sheet, one, "too-few-sites"),
            ModeratorOutcome::Collinear => without(&mut sheet, one, "collinear"),
            ModeratorOutcome::Failed => without(&mut sheet, one, "not-converged"),
        }
    }
    sheet.finish()
}

fn start(one: &ModeratorAnalysis) -> Vec<String> {
    vec![
        text(&slug(&one.key)),
        words::metric_slug(one.key.metric).to_owned(),
        words::scale_slug(one.scale).to_owned(),
    ]
}

fn without(sheet: &mut Sheet, one: &ModeratorAnalysis, status: &str) {
    let mut row = start(one);
    row.resize(HEAD.len() - 1, String::new());
    row.push(status.to_owned());
    sheet.push(&row);
}

fn fitted(sheet: &mut Sheet, one: &ModeratorAnalysis, fit: &Regression) {
    let terms = std::iter::once("intercept").chain(one.moderators.iter().map(String::as_str));
    for (term, coefficient) in terms.zip(&fit.coefficients) {
        let mut row = start(one);
        row.push(text(term));
        row.push(fit.k.to_string());
        let [low, high] = coefficient
            .interval
            .map_or([None, None], |ends| ends.map(Some));
        let numbers = [
            Some(coefficient.estimate),
            Some(coefficient.se),
            low,
            high,
            coefficient.p,
            Some(fit.tau2),
            Some(fit.tau2_without),
            fit.r2,
            Some(fit.moderators_statistic),
            Some(fit.moderators_p),
            Some(fit.residual_q),
            Some(fit.residual_p),
        ];
        row.extend(numbers.map(real_or_empty));
        row.push("fitted".to_owned());
        sheet.push(&row);
    }
}
