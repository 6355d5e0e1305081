//! What was withheld: every item, what is known of it, and what follows.
//!
//! From: `pool::result::Withheld`.
//! To: `document::Section`.

use super::super::document::{Block, Row, Section, Table};
use super::super::number::Shown;
use super::super::view::View;
use super::super::words;
use crate::pool::result::SiteOutcome;

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
        for item in &view.study.withheld {
            table.push(Row::new(
                view.site(&item.site),
                vec![
                    Shown::words(
                        item.item
                            .clone()
                            .unwrap_or_else(|| "the whole release".to_owned()),
                    ),
                    Shown::words(&item.known),
                    Shown::words(&item.effect),
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
