//! The methods page as Markdown, to start a manuscript's methods from.
//!
//! From: `document`.
//! To: `methods.md`.

use std::fmt::Write as _;

use super::super::document::{Block, Document, Row, Section, Table};

/// `methods.md`; empty when the report has no such page.
pub(in crate::report) fn methods(document: &Document) -> String {
    let mut sections = document.sections.iter();
    sections
        .find(|section| section.id == "methods")
        .map_or_else(String::new, |one| section(&document.title, one))
}

fn section(title: &str, section: &Section) -> String {
    let mut out = format!("# {}: {}\n", section.title, escape(title));
    for block in &section.blocks {
        out.push('\n');
        match block {
            Block::Heading(text) => {
                let _ = writeln!(out, "## {}", escape(text));
            }
            Block::Text(text) | Block::Built(text) => {
                let _ = writeln!(out, "{}", escape(text));
            }
            Block::Note(text) => {
                let _ = writeln!(out, "> {}", escape(text));
            }
            Block::List(items) => {
                for item in items {
                    let _ = writeln!(out, "- {}", escape(item));
                }
            }
            Block::Terms(items) | Block::Build(items) => {
                for (term, text) in items {
                    let _ = writeln!(out, "- **{}**: {}", escape(term), escape(text));
                }
            }
            Block::Table(one) | Block::Folded { table: one, .. } => table(&mut out, one),
            Block::Figure(figure) => {
                let _ = writeln!(out, "{}. {}", figure.label, escape(&figure.said()));
            }
            Block::Key(items) => {
                for (shown, text) in items {
                    let _ = writeln!(out, "- {}: {}", escape(&shown.line()), escape(text));
                }
            }
        }
    }
    out
}

fn table(out: &mut String, table: &Table) {
    let _ = writeln!(out, "{}. {}\n", table.label, escape(&table.caption));
    line(out, table.head.iter().map(String::as_str));
    line(out, table.head.iter().map(|_| "---"));
    for group in &table.groups {
        if !group.title.is_empty() {
            let blank = table.head.iter().skip(1).map(|_| "");
            line(out, std::iter::once(group.title.as_str()).chain(blank));
        }
        for Row { head, cells, .. } in &group.rows {
            let cells: Vec<String> = cells.iter().map(|cell| cell.line()).collect();
            line(
                out,
                std::iter::once(head.as_str()).chain(cells.iter().map(String::as_str)),
            );
        }
    }
    for note in &table.notes {
        let _ = writeln!(out, "\n{}", escape(note));
    }
}

fn line<'a>(out: &mut String, cells: impl Iterator<Item = &'a str>) {
    let cells: Vec<String> = cells.map(escape).collect();
    let _ = writeln!(out, "| {} |", cells.join(" | "));
}

/// Text in which nothing is markup, on one line.
fn escape(text: &str) -> String {
    let mut out = String::with_capacity(text.len() + 8);
    for letter in text.chars() {
        match letter {
            '\\' | '`' | '*' | '_' | '[' | ']' | '<' | '>' | '|' | '#' | '~' => {
                out.push('\\');
                out.push(letter);
            }
            '\n' | '\r' => out.push(' '),
            other => out.push(other),
        }
    }
    out
}
