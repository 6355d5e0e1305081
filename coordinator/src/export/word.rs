//! The report as a Word document: headings, text, every table as printed. Figures are named; their
//! drawings are SVG files that Word places itself.
//!
//! From: `report::export::outline`.
//! To: `report.docx`.

use std::io::Cursor;

use docx_rs::{Docx, Paragraph, Run, Style, StyleType, Table, TableCell, TableRow, WidthType};
use shared::fault::Fault;
use shared::report::export::{Outline, OutlineTable, Part};
use shared::study::Timestamp;

use super::{moment, printable};

/// Size of the text in tables, in half points.
const SMALL: usize = 15;
/// Width of the text, in twentieths of a point.
const WIDTH: usize = 9026;

/// Paragraphs get ids in order: the library's own come from a counter that lives as long as the
/// thread, so that a second document would differ from the first.
struct Writer {
    docx: Docx,
    next: u32,
}

/// The document's bytes.
pub(super) fn document(outline: &Outline, closed: Option<Timestamp>) -> Result<Vec<u8>, Fault> {
    let at = moment(closed);
    let heading = |id: &str, name: &str, size: usize, level: usize| {
        Style::new(id, StyleType::Paragraph)
            .name(name)
            .size(size)
            .bold()
            .outline_lvl(level)
    };
    let docx = Docx::new()
        .created_at(&at)
        .updated_at(&at)
        .add_style(heading("Title", "Title", 40, 0))
        .add_style(heading("Heading1", "heading 1", 30, 0))
        .add_style(heading("Heading2", "heading 2", 24, 1));
    let mut writer = Writer { docx, next: 1 };
    writer.styled("Title", &outline.title);
    for part in &outline.parts {
        writer.part(part);
    }
    let mut bytes = Cursor::new(Vec::new());
    writer
        .docx
        .pack(&mut bytes)
        .map_err(|error| Fault::internal(format!("the document cannot be written: {error}")))?;
    Ok(bytes.into_inner())
}

impl Writer {
    fn paragraph(&mut self) -> Paragraph {
        let id = format!("{:08x}", self.next);
        self.next += 1;
        Paragraph::new().id(id)
    }

    fn push(&mut self, paragraph: Paragraph) {
        self.docx = std::mem::take(&mut self.docx).add_paragraph(paragraph);
    }

    fn styled(&mut self, style: &str, text: &str) {
        let run = Run::new().add_text(printable(text));
        let paragraph = self.paragraph().style(style).add_run(run);
        self.push(paragraph);
    }

    fn runs(&mut self, runs: impl IntoIterator<Item = Run>) {
        let start = self.paragraph();
        let paragraph = runs.into_iter().fold(start, Paragraph::add_run);
        self.push(paragraph);
    }

    fn part(&mut self, part: &Part) {
        let plain = |text: &str| Run::new().add_text(printable(text));
        match part {
            Part::Heading(1, text) => self.styled("Heading1", text),
            Part::Heading(_, text) => self.styled("Heading2", text),
            Part::Text(text) => self.runs([plain(text)]),
            Part::Note(text) => self.runs([plain(text).bold()]),
            Part::List(items) => {
                for item in items {
                    self.runs([plain(&format!("\u{2022} {item}"))]);
                }
            }
            Part::Terms(items) => {
                for (term, text) in items {
                    self.runs([plain(&format!("{term}: ")).bold(), plain(text)]);
                }
            }
            Part::Figure(label, caption) => {
                let file = format!(" (fedval report export --as figures). {caption}");
                self.runs([plain(label).bold(), plain(&file)]);
            }
            Part::Table(table) => self.table(table),
        }
    }

    fn table(&mut self, table: &OutlineTable) {
        let caption = format!(". {}", table.caption);
        self.runs([
            Run::new().add_text(printable(&table.label)).bold(),
            Run::new().add_text(printable(&caption)),
        ]);
        let columns = table.head.len().max(1);
        let mut rows = vec![self.row(table.head.iter().map(|head| (head.as_str(), "head")))];
        for row in &table.rows {
            if !row.group.is_empty() {
                let cell = self.cell(&row.group, "head").grid_span(columns);
                rows.push(TableRow::new(vec![cell]));
            }
            let cells = row.cells.iter().map(|one| (one.text.as_str(), one.state));
            let line = std::iter::once((row.head.as_str(), "words")).chain(cells);
            rows.push(self.row(line));
        }
        let grid = vec![WIDTH / columns; columns];
        let table_ = Table::new(rows).set_grid(grid).width(WIDTH, WidthType::Dxa);
        self.docx = std::mem::take(&mut self.docx).add_table(table_);
        for note in &table.notes {
            let run = Run::new().add_text(printable(note)).size(SMALL);
            self.runs([run]);
        }
        self.runs([]);
    }

    fn row<'a>(&mut self, cells: impl Iterator<Item = (&'a str, &'a str)>) -> TableRow {
        TableRow::new(cells.map(|(text, state)| self.cell(text, state)).collect())
    }

    /// Hidden and absent values stand in italics, beside what they say.
    fn cell(&mut self, text: &str, state: &str) -> TableCell {
        let run = Run::new().add_text(printable(text)).size(SMALL);
        let run = match state {
            "head" => run.bold(),
            "suppressed" | "not-computed" => run.italic(),
            _ => run,
        };
        TableCell::new().add_paragraph(self.paragraph().add_run(run))
    }
}
