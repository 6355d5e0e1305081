//! Failure analysis: where the model under validation is wrong most often.
//!
//! From: `pool::result::Failure`.
//! To: `document::Section`.

use super::super::document::{Block, Row, Section, Table};
use super::super::number::{self, Shown, Style, range, real};
use super::super::view::View;
use crate::pool::MIN_GROUP;
use crate::pool::result::Failure;

/// Levels in the list of the worst.
const WORST: usize = 10;

/// The page.
pub(super) fn page(view: View<'_>) -> Section {
    let failures = &view.study.failures;
    let mut blocks = vec![Block::Text(format!(
        "Cases of the external hospitals that the model calls wrongly at its first threshold, by \
         level of every declared axis and category. The list is ordered by the share of errors; \
         levels with fewer than {MIN_GROUP} cases are not ranked. With many levels some look bad \
         by chance: the list says where to look, not what is proven."
    ))];
    if failures.is_empty() {
        blocks.push(Block::Note(
            "No external hospital released errors by level.".to_owned(),
        ));
    } else {
        let ranked: Vec<&Failure> = failures
            .iter()
            .filter(|one| one.error.is_some() && one.n.number().is_some_and(|n| n >= MIN_GROUP))
            .take(WORST)
            .collect();
        if !ranked.is_empty() {
            let caption = "Levels with the largest share of errors";
            blocks.push(Block::Table(table(view, &ranked, caption, false)));
        }
        let mut all: Vec<&Failure> = failures.iter().collect();
        all.sort_by_key(|one| axis_place(view, one));
        blocks.push(Block::Table(table(
            view,
            &all,
            "Errors by level of every axis",
            true,
        )));
    }
    Section {
        id: "failures",
        title: "Failure analysis",
        blocks,
    }
}

/// Place of the axis and of the level in the protocol.
fn axis_place(view: View<'_>, one: &Failure) -> (usize, usize) {
    let protocol = &view.study.protocol;
    let axes = || protocol.subgroup.iter();
    let axis = axes().position(|axis| axis.id == one.axis);
    let declared = axes().find(|axis| axis.id == one.axis);
    let levels = declared.and_then(|axis| Some(axis.levels(protocol.find_field(&axis.field)?)));
    let level = levels.and_then(|levels| levels.iter().position(|level| *level == one.level));
    (axis.unwrap_or(usize::MAX), level.unwrap_or(usize::MAX))
}

fn table(view: View<'_>, list: &[&Failure], caption: &str, grouped: bool) -> Table {
    let mut table = Table::new(
        caption,
        &[
            "Level",
            "n",
            "Events",
            "Missed events",
            "False alarms",
            "Wrong (95% CI)",
        ],
    );
    let mut group = None;
    for one in list {
        let label = view.axis(&one.axis).0;
        if grouped && group != Some(&one.axis) {
            group = Some(&one.axis);
            table.group(label.clone());
        }
        let head = if grouped {
            one.level.clone()
        } else {
            format!("{label}: {}", one.level)
        };
        let wrong = one.error.map_or_else(Shown::none, |error| {
            let shown = Shown::number(real(error.value, Style::Percent));
            match error.interval {
                Some([low, high]) => shown.with(format!("({})", range(low, high, Style::Percent))),
                None => shown.with("(no interval: patients repeat)"),
            }
        });
        let cells = vec![
            number::count(&one.n),
            number::count(&one.events),
            number::count(&one.false_negative),
            number::count(&one.false_positive),
            wrong,
        ];
        table.push(Row::new(head, cells));
    }
    table
}
