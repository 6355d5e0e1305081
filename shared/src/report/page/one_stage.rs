//! The one-stage calibration beside the two-stage one: a small table on the calibration page.
//!
//! From: `pool::one_stage`.
//! To: `calibration`.

use super::super::document::{Block, Row, Table};
use super::super::number::{self, Shown, Style};
use super::super::view::View;
use crate::pool::one_stage::{Coefficient, OneStageOutcome};
use crate::study::SiteSlug;

const NOTE: &str = "Intercept and slope of the logit of the prediction over the rows of all \
                    hospitals named, by Newton steps over sums. The intervals speak about these \
                    hospitals only: no spread between hospitals enters them. The mean of the \
                    hospitals' slopes (two stages) answers for the next hospital.";

/// The table; nothing when the protocol does not plan it.
pub(super) fn block(view: View<'_>) -> Option<Block> {
    let level = number::level_words(view.study.protocol.pooling.level);
    let head = format!("Estimate ({level} CI, these sites only)");
    let mut table = Table::new(
        "One-stage calibration over the rows of all hospitals",
        &["Coefficient", &head, "Steps"],
    );
    for one in &view.study.one_stage {
        table.group(format!(
            "{}, {}",
            view.model(&one.model),
            view.endpoint(&one.endpoint)
        ));
        let steps = || Shown::number(one.steps.to_string());
        let mut push = |name: String, shown: Shown| {
            table.push(Row::new(name, vec![shown, steps()]));
        };
        match &one.overall {
            OneStageOutcome::Computed { fit } => {
                push(
                    "Intercept, all rows".to_owned(),
                    coefficient(&fit.intercept),
                );
                push("Slope, all rows".to_owned(), coefficient(&fit.slope));
            }
            OneStageOutcome::NotComputed { reason, site } => {
                let shown = absent(view, reason.words(), site.as_ref());
                push("Intercept and slope, all rows".to_owned(), shown);
            }
        }
        match &one.by_site {
            OneStageOutcome::Computed { fit } => {
                push(
                    "Slope, intercept per hospital".to_owned(),
                    coefficient(&fit.slope),
                );
                for entry in &fit.intercepts {
                    let name = format!("Intercept, {}", view.site(&entry.site));
                    push(name, coefficient(&entry.intercept));
                }
            }
            OneStageOutcome::NotComputed { reason, site } => {
                let shown = absent(view, reason.words(), site.as_ref());
                push("Slope, intercept per hospital".to_owned(), shown);
            }
        }
    }
    table.notes.push(NOTE.to_owned());
    (!view.study.one_stage.is_empty()).then_some(Block::Table(table))
}

fn coefficient(one: &Coefficient) -> Shown {
    let style = Style::Plain(2);
    let shown = Shown::number(number::real(one.value, style));
    match one.interval {
        Some([low, high]) => shown.with(format!("({})", number::range(low, high, style))),
        None => shown.with("(no interval: patients repeat)"),
    }
}

fn absent(view: View<'_>, words: &str, site: Option<&SiteSlug>) -> Shown {
    let reason = site.map_or_else(
        || words.to_owned(),
        |site| format!("{} {words}", view.site(site)),
    );
    Shown::not_computed(&reason)
}
