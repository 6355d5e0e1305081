//! The report as an Excel workbook: one sheet per data file with numbers as numbers, and one with
//! every table as printed. No formula, no macro.
//!
//! From: `report::export`.
//! To: `report.xlsx`.

use rust_xlsxwriter::{DocProperties, ExcelDateTime, Format, Workbook, Worksheet, XlsxError};
use shared::fault::Fault;
use shared::report::Report;
use shared::report::export::{self, Outline, Part};

use super::{moment, printable};

/// Most characters of a cell that Excel reads.
const CELL_MAX: usize = 32_000;

/// Columns whose text may look like a number.
const WORDS: [&str; 10] = [
    "study",
    "study_version",
    "model",
    "model_version",
    "endpoint",
    "axis",
    "level",
    "site",
    "row",
    "column",
];

/// Columns in which a hidden number would stand.
const HIDDEN: [&str; 3] = ["estimate", "count", "value"];

/// What the first sheet says.
const README: [&str; 6] = [
    "Each sheet named after a data file holds that file, one number per cell; the last holds every \
     table as the report prints it.",
    "A number that a hospital's disclosure rules hide is not 0 and not missing: its cell says \
     \"hidden\", and the columns state, suppressed and reason say more.",
    "A 0 is a zero that was released. An empty cell is a column that does not apply, or a number \
     that does not exist; reason says which.",
    "A rounded count says so in the column state and has bounds beside it.",
    "What the columns mean: docs/how-to/read-the-bundle.md of Fedval.",
    "This workbook holds no formula and no macro.",
];

/// The workbook's bytes.
pub(super) fn workbook(report: &Report) -> Result<Vec<u8>, Fault> {
    let outline = export::outline(report).map_err(|error| Fault::internal(error.to_string()))?;
    write(report, &outline)
        .map_err(|error| Fault::internal(format!("the workbook cannot be written: {error}")))
}

fn write(report: &Report, outline: &Outline) -> Result<Vec<u8>, XlsxError> {
    let mut book = Workbook::new();
    let at = ExcelDateTime::parse_from_str(moment(report.study.closed_at).trim_end_matches('Z'))?;
    let properties = DocProperties::new()
        .set_title(printable(&outline.title))
        .set_creation_datetime(&at);
    book.set_properties(&properties);
    let bold = Format::new().set_bold();
    readme(book.add_worksheet().set_name("README")?, report, &bold)?;
    for (name, text) in export::data(report) {
        let sheet = book.add_worksheet();
        sheet.set_name(name.trim_end_matches(".csv"))?;
        data(sheet, &text, &bold)?;
    }
    printed(book.add_worksheet().set_name("tables")?, outline, &bold)?;
    book.save_to_buffer()
}

fn readme(sheet: &mut Worksheet, report: &Report, bold: &Format) -> Result<(), XlsxError> {
    let protocol = &report.study.protocol;
    sheet.write_string_with_format(0, 0, cut(&protocol.title), bold)?;
    sheet.write_string(1, 0, cut(&protocol.question))?;
    sheet.write_string(2, 0, report.study.protocol_digest.to_string())?;
    for (row, line) in (4_u32..).zip(README) {
        sheet.write_string(row, 0, line)?;
    }
    sheet.set_column_width(0, 110)?;
    Ok(())
}

fn data(sheet: &mut Worksheet, text: &str, bold: &Format) -> Result<(), XlsxError> {
    let mut reader = csv::Reader::from_reader(text.as_bytes());
    let head: Vec<String> = match reader.headers() {
        Ok(head) => head.iter().map(str::to_owned).collect(),
        Err(error) => return Err(XlsxError::ParameterError(error.to_string())),
    };
    for (column, name) in (0_u16..).zip(&head) {
        sheet.write_string_with_format(0, column, name, bold)?;
    }
    let place = |name: &str| head.iter().position(|column| column == name);
    let suppressed = place("suppressed");
    let hidden = HIDDEN.iter().find_map(|name| place(name));
    for (row, record) in (1_u32..).zip(reader.records()) {
        let record = record.map_err(|error| XlsxError::ParameterError(error.to_string()))?;
        let is_hidden = suppressed.is_some_and(|at| record.get(at) == Some("true"));
        for ((column, index), field) in (0_u16..).zip(0_usize..).zip(record.iter()) {
            if field.is_empty() {
                if is_hidden && hidden == Some(index) {
                    sheet.write_string(row, column, "hidden")?;
                }
            } else if let Some(number) = number(&head[index], field) {
                sheet.write_number(row, column, number)?;
            } else {
                sheet.write_string(row, column, cut(unguarded(field)))?;
            }
        }
    }
    sheet.set_freeze_panes(1, 0)?;
    Ok(())
}

/// A field that is a number: in a column of numbers, and written as one.
fn number(column: &str, field: &str) -> Option<f64> {
    let digits = field.strip_prefix('-').unwrap_or(field);
    let starts = digits.starts_with(|letter: char| letter.is_ascii_digit());
    if WORDS.contains(&column) || !starts {
        return None;
    }
    field.parse().ok().filter(|value: &f64| value.is_finite())
}

/// In a workbook text cannot be taken for a formula, so the apostrophe that guards it in CSV goes.
fn unguarded(field: &str) -> &str {
    match field.strip_prefix('\'') {
        Some(rest) if rest.starts_with(['=', '+', '-', '@']) => rest,
        Some(_) | None => field,
    }
}

fn cut(text: &str) -> String {
    printable(text).chars().take(CELL_MAX).collect()
}

/// Every table as printed, one below the other.
fn printed(sheet: &mut Worksheet, outline: &Outline, bold: &Format) -> Result<(), XlsxError> {
    let mut row = 0_u32;
    let tables = outline.parts.iter().filter_map(|part| match part {
        Part::Table(table) => Some(table),
        Part::Heading(..)
        | Part::Text(_)
        | Part::Note(_)
        | Part::List(_)
        | Part::Terms(_)
        | Part::Figure(..) => None,
    });
    for table in tables {
        let caption = format!("{}. {}", table.label, table.caption);
        sheet.write_string_with_format(row, 0, cut(&caption), bold)?;
        row += 1;
        for (column, head) in (0_u16..).zip(&table.head) {
            sheet.write_string_with_format(row, column, cut(head), bold)?;
        }
        row += 1;
        for line in &table.rows {
            if !line.group.is_empty() {
                sheet.write_string_with_format(row, 0, cut(&line.group), bold)?;
                row += 1;
            }
            sheet.write_string(row, 0, cut(&line.head))?;
            for (column, cell) in (1_u16..).zip(&line.cells) {
                sheet.write_string(row, column, cut(&cell.text))?;
            }
            row += 1;
        }
        for note in &table.notes {
            sheet.write_string(row, 0, cut(note))?;
            row += 1;
        }
        row += 1;
    }
    Ok(())
}
