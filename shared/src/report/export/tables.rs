//! Tables as printed. A hidden value is what the page shows for it, such as `<10`; it is never a
//! zero and never empty.
//!
//! From: `document`.
//! To: `tables/*.csv`, `tables/*.tex`.

use super::super::csv::{Sheet, text};
use super::super::document::{Block, Document, Table};
use super::super::number::{Shown, State};
use super::{Files, latex, short};

/// Every table of the document.
pub(super) fn files(document: &Document) -> Files {
    let mut files = Files::new();
    let mut index = Sheet::new(&["table", "section", "caption"]);
    for (section, table) in every(document) {
        let name = short(&table.label);
        index.push(&[name.clone(), text(section), text(&table.caption)]);
        files.insert(format!("tables/{name}.csv"), csv(table).into_bytes());
        files.insert(
            format!("tables/{name}.tex"),
            latex::table(&name, table).into_bytes(),
        );
    }
    files.insert("tables/index.csv".to_owned(), index.finish().into_bytes());
    files
}

/// Tables in reading order with the section they stand in.
fn every(document: &Document) -> impl Iterator<Item = (&'static str, &Table)> {
    let front = document.front.facts.iter().map(|table| ("front", table));
    let numbered = document.sections.iter().flat_map(|section| {
        section.blocks.iter().filter_map(|block| match block {
            Block::Table(table) | Block::Folded { table, .. } => Some((section.id, table)),
            Block::Heading(_)
            | Block::Text(_)
            | Block::Built(_)
            | Block::Note(_)
            | Block::List(_)
            | Block::Terms(_)
            | Block::Figure(_)
            | Block::Build(_)
            | Block::Key(_) => None,
        })
    });
    front.chain(numbered)
}

/// One table: rows with their group, cells as printed.
pub(super) fn csv(table: &Table) -> String {
    let head: Vec<String> = std::iter::once("group".to_owned())
        .chain(table.head.iter().map(|head| text(&plain(head))))
        .collect();
    let head: Vec<&str> = head.iter().map(String::as_str).collect();
    let mut sheet = Sheet::new(&head);
    for group in &table.groups {
        for row in &group.rows {
            let mut line = vec![text(&group.title), text(&row.head)];
            line.extend(row.cells.iter().map(cell));
            line.resize(head.len(), String::new());
            sheet.push(&line);
        }
    }
    sheet.finish()
}

/// A sign before a number is no formula; words are guarded as everywhere.
fn cell(shown: &Shown) -> String {
    let line = plain(&shown.line());
    match shown.state {
        State::Number | State::Rounded | State::Zero if !line.contains([',', '"', '\'', '\n']) => {
            line
        }
        State::Number
        | State::Rounded
        | State::Zero
        | State::Suppressed
        | State::NotComputed
        | State::Words => text(&line),
    }
}

/// Signs of the page as a data file writes them.
fn plain(text: &str) -> String {
    text.replace('\u{2212}', "-")
        .replace(['\u{2009}', '\u{a0}'], " ")
}
