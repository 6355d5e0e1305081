//! `one_stage.csv`: one row per coefficient of the one-stage calibration; written only where
//! the protocol plans it.
//!
//! From: `pool::one_stage`.
//! To: R, Python, spreadsheets.

use super::super::view::View;
use super::{Sheet, real, real_or_empty, text};
use crate::pool::one_stage::{Coefficient, NoOneStage, OneStage, OneStageOutcome};
use crate::study::SiteSlug;

const HEAD: [&str; 13] = [
    "study",
    "model",
    "endpoint",
    "fit",
    "coefficient",
    "site",
    "estimate",
    "se",
    "ci_low",
    "ci_high",
    "steps",
    "sites",
    "reason",
];

/// The file.
pub(super) fn table(view: View<'_>) -> String {
    let mut sheet = Sheet::new(&HEAD);
    for one in &view.study.one_stage {
        let mut push = |fit: &str, name: &str, site: &str, found: Result<&Coefficient, String>| {
            let (one_c, why) = match found {
                Ok(coefficient) => (Some(coefficient), String::new()),
                Err(why) => (None, text(&why)),
            };
            let end = |place: usize| one_c.and_then(|c| c.interval).map(|ends| ends[place]);
            sheet.push(&[
                view.study.protocol.slug.to_string(),
                one.model.to_string(),
                one.endpoint.to_string(),
                fit.to_owned(),
                name.to_owned(),
                site.to_owned(),
                one_c.map_or_else(String::new, |c| real(c.value)),
                real_or_empty(one_c.and_then(|c| c.se)),
                real_or_empty(end(0)),
                real_or_empty(end(1)),
                one.steps.to_string(),
                sites(one),
                why,
            ]);
        };
        match &one.overall {
            OneStageOutcome::Computed { fit } => {
                push("all-rows", "intercept", "", Ok(&fit.intercept));
                push("all-rows", "slope", "", Ok(&fit.slope));
            }
            OneStageOutcome::NotComputed { reason, site } => {
                push("all-rows", "slope", "", Err(why(*reason, site.as_ref())));
            }
        }
        match &one.by_site {
            OneStageOutcome::Computed { fit } => {
                push("site-intercepts", "slope", "", Ok(&fit.slope));
                for entry in &fit.intercepts {
                    let site = entry.site.as_str();
                    push("site-intercepts", "intercept", site, Ok(&entry.intercept));
                }
            }
            OneStageOutcome::NotComputed { reason, site } => {
                let why = why(*reason, site.as_ref());
                push("site-intercepts", "slope", "", Err(why));
            }
        }
    }
    sheet.finish()
}

fn sites(one: &OneStage) -> String {
    one.sites
        .iter()
        .map(SiteSlug::as_str)
        .collect::<Vec<_>>()
        .join(" ")
}

fn why(reason: NoOneStage, site: Option<&SiteSlug>) -> String {
    site.map_or_else(
        || reason.words().to_owned(),
        |site| format!("{site} {}", reason.words()),
    )
}
