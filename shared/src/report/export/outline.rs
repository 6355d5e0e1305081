//! The report as text and tables, for formats that are written outside this crate.
//!
//! From: `document`.
//! To: `coordinator` (Word, Excel).

use super::super::document::{Block, Document, Table};

/// The whole report.
#[derive(Clone, Debug, PartialEq)]
pub struct Outline {
    /// Title of the study.
    pub title: String,
    /// Its parts in reading order.
    pub parts: Vec<Part>,
}

/// One part.
#[derive(Clone, Debug, PartialEq)]
pub enum Part {
    /// A heading, of a section (1) or inside one (2).
    Heading(u8, String),
    /// A paragraph.
    Text(String),
    /// A remark that must not be overlooked.
    Note(String),
    /// A bulleted list.
    List(Vec<String>),
    /// Terms with their definitions.
    Terms(Vec<(String, String)>),
    /// A table.
    Table(OutlineTable),
    /// A figure's label and caption; its drawing is in `figures`.
    Figure(String, String),
}

/// A table as printed.
#[derive(Clone, Debug, PartialEq)]
pub struct OutlineTable {
    /// `Table 3`.
    pub label: String,
    /// What it shows.
    pub caption: String,
    /// Column headings; the first heads the rows.
    pub head: Vec<String>,
    /// Its rows.
    pub rows: Vec<OutlineRow>,
    /// Remarks below it.
    pub notes: Vec<String>,
}

/// A row of a table.
#[derive(Clone, Debug, PartialEq)]
pub struct OutlineRow {
    /// Heading over this row and those that follow; empty when there is none.
    pub group: String,
    /// Row heading.
    pub head: String,
    /// Its cells.
    pub cells: Vec<OutlineCell>,
}

/// A cell of a table.
#[derive(Clone, Debug, PartialEq)]
pub struct OutlineCell {
    /// As printed.
    pub text: String,
    /// What it is: `num`, `num rounded`, `num zero`, `suppressed`, `not-computed`, `words`.
    pub state: &'static str,
}

/// The document without how it is set.
pub(super) fn of(document: &Document) -> Outline {
    let front = &document.front;
    let mut parts: Vec<Part> = front
        .stamps
        .iter()
        .map(|(head, text)| Part::Note(format!("{head}. {text}")))
        .collect();
    parts.push(Part::Terms(front.imprint.clone()));
    parts.push(Part::Heading(1, front.question.clone()));
    parts.push(Part::Note(front.verdict.clone()));
    parts.extend(front.answer.iter().cloned().map(Part::Text));
    let strip = front.strip.iter();
    let strip = strip.map(|(label, value, remark)| (label.clone(), format!("{value}; {remark}")));
    parts.push(Part::Terms(strip.collect()));
    parts.push(Part::Heading(2, "What this does not show".to_owned()));
    parts.push(Part::List(front.limits.clone()));
    parts.push(Part::Heading(2, "Independence and model facts".to_owned()));
    parts.push(Part::Text(front.independence.clone()));
    parts.extend(front.facts.iter().map(table));
    for section in &document.sections {
        parts.push(Part::Heading(1, section.title.to_owned()));
        parts.extend(section.blocks.iter().map(part));
    }
    Outline {
        title: document.title.clone(),
        parts,
    }
}

fn part(block: &Block) -> Part {
    match block {
        Block::Heading(text) => Part::Heading(2, text.clone()),
        Block::Text(text) | Block::Built(text) => Part::Text(text.clone()),
        Block::Note(text) => Part::Note(text.clone()),
        Block::List(items) => Part::List(items.clone()),
        Block::Terms(items) | Block::Build(items) => Part::Terms(items.clone()),
        Block::Key(items) => {
            let items = items.iter();
            Part::Terms(
                items
                    .map(|(shown, text)| (shown.line(), text.clone()))
                    .collect(),
            )
        }
        Block::Table(one) | Block::Folded { table: one, .. } => table(one),
        Block::Figure(figure) => Part::Figure(figure.label.clone(), figure.said()),
    }
}

fn table(table: &Table) -> Part {
    let mut rows = Vec::new();
    for group in &table.groups {
        for (index, row) in group.rows.iter().enumerate() {
            rows.push(OutlineRow {
                group: if index == 0 {
                    group.title.clone()
                } else {
                    String::new()
                },
                head: row.head.clone(),
                cells: row
                    .cells
                    .iter()
                    .map(|cell| OutlineCell {
                        text: cell.line(),
                        state: cell.class(),
                    })
                    .collect(),
            });
        }
    }
    Part::Table(OutlineTable {
        label: table.label.clone(),
        caption: table.caption.clone(),
        head: table.head.clone(),
        rows,
        notes: table.notes.clone(),
    })
}
