//! What was withheld: every item, what is known of it, and what follows.
//!
//! From: `pool::result::Withheld`.
//! To: `document::Section`.

use super::super::document::{Block, Row, Section, Table};
use super::super::number::Shown;
use super::super::view::View;
use super::super::words;
use crate::pool::result::{SiteOutcome, Withheld};

/// The page.
pub(super) fn page(view: View<'_>) -> Section {
    let mut blocks = Vec::new();
    let unnamed: Vec<_> = view
        .study
        .sites
        .iter()
        .filter(|site| site.outcome != SiteOutcome::Released)
        .filter(|site| {
            !view
                .study
                .withheld
                .iter()
                .any(|item| item.site == site.site)
        })
        .collect();
    if view.study.withheld.is_empty() && unnamed.is_empty() {
        let text = if view.open_data() {
            "Nothing was withheld: disclosure control was off, since the data are public."
        } else {
            "Nothing was withheld."
        };
        blocks.push(Block::Text(text.to_owned()));
    } else {
        blocks.push(Block::Note(
            "Withheld, not at random. A hospital loses a number when few patients stand behind \
             it, and that depends on how well the model did there: hospitals with few errors \
             drop out first, so pools over the remaining ones are biased towards worse results. \
             Bounds with the hidden numbers at both extremes are printed where they exist."
                .to_owned(),
        ));
        let mut table = Table::prose(
            "Withheld items by hospital",
            &["Hospital", "Item", "What is known", "What follows"],
        );
        for group in grouped(&view.study.withheld) {
            let items: Vec<&str> = group
                .iter()
                .map(|one| one.item.as_deref().unwrap_or("the whole release"))
                .collect();
            let first = group[0];
            table.push(Row::new(
                view.site(&first.site),
                vec![
                    Shown::words(items.join("; ")),
                    Shown::words(&first.known),
                    Shown::words(&first.effect),
                ],
            ));
        }
        for site in unnamed {
            table.push(Row::new(
                &site.display_name,
                vec![
                    Shown::words("the whole release"),
                    Shown::words(words::outcome(site.outcome)),
                    Shown::words("the hospital is in no result"),
                ],
            ));
        }
        blocks.push(Block::Table(table));
    }
    Section {
        id: "withheld",
        title: "What was withheld",
        blocks,
    }
}

/// Items of one hospital about which the same is known and from which the same follows, in the
/// order of the first of them.
fn grouped(items: &[Withheld]) -> Vec<Vec<&Withheld>> {
    let mut groups: Vec<Vec<&Withheld>> = Vec::new();
    for item in items {
        let alike = |group: &&mut Vec<&Withheld>| {
            let first = group[0];
            first.site == item.site && first.known == item.known && first.effect == item.effect
        };
        match groups.iter_mut().find(alike) {
            Some(group) => group.push(item),
            None => groups.push(vec![item]),
        }
    }
    groups
}
