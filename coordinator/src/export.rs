//! Further formats of a report, made from a bundle's `report.json` alone: no state of the
//! coordinator is read, so anybody who holds a bundle gets the same files.
//!
//! From: a bundle.
//! To: `cli::report`.

mod word;
mod workbook;

use std::path::{Path, PathBuf};

use shared::fault::{Code, Fault};
use shared::report::{self, Report};

use crate::bundle::Files;

/// A format.
#[derive(Clone, Copy, Debug, Eq, PartialEq, clap::ValueEnum)]
pub enum Form {
    /// Every table as printed, as CSV and LaTeX.
    Tables,
    /// Every figure as SVG, with its data.
    Figures,
    /// The report's text and tables for Word.
    Docx,
    /// The data and the tables for Excel.
    Xlsx,
}

/// Reads the report of a bundle: the folder, or its `report.json`.
///
/// # Errors
/// [`Fault`] when there is none, when it is not one of this version, or when its bytes are not
/// those that the bundle's manifest names.
pub fn read(bundle: &Path) -> Result<Report, Fault> {
    let folder = bundle.is_dir();
    let path = if folder {
        bundle.join("report.json")
    } else {
        bundle.to_owned()
    };
    let bytes = std::fs::read(&path).map_err(|error| invalid(&path, error.to_string()))?;
    // A bundle without a manifest can say nothing about it.
    let manifest = std::fs::read(bundle.join("manifest.json")).ok();
    let manifest = manifest.as_deref().filter(|_| folder);
    Report::read(&bytes, manifest).map_err(|why| invalid(&path, why))
}

fn invalid(path: &Path, why: impl Into<String>) -> Fault {
    Fault::new(
        Code::BundleInvalid,
        format!("{} is not a report", path.display()),
        why,
        "name the folder of a bundle, as report build wrote it",
    )
}

/// Makes the files of one format.
///
/// # Errors
/// [`Fault`] when a file cannot be made, which is a defect.
pub fn make(report: &Report, form: Form) -> Result<Files, Fault> {
    let defect = |error: report::ReportFault| Fault::internal(error.to_string());
    let files = match form {
        Form::Tables => report::export::tables(report).map_err(defect)?,
        Form::Figures => report::export::figures(report).map_err(defect)?,
        Form::Docx => {
            let outline = report::export::outline(report).map_err(defect)?;
            let bytes = word::document(&outline, report.study.closed_at)?;
            [("report.docx".to_owned(), bytes)].into()
        }
        Form::Xlsx => [("report.xlsx".to_owned(), workbook::workbook(report)?)].into(),
    };
    Ok(files.into_iter().collect())
}

/// Makes the files of one format and writes them into `out`.
///
/// # Errors
/// [`Fault`] when the bundle does not read or `out` cannot be written.
pub fn export(bundle: &Path, form: Form, out: &Path) -> Result<Vec<PathBuf>, Fault> {
    crate::bundle::write(&make(&read(bundle)?, form)?, out)
}

/// Text as XML 1.0 can hold it.
fn printable(text: &str) -> String {
    let kept = text
        .chars()
        .filter(|letter| !letter.is_control() && !matches!(letter, '\u{fffe}' | '\u{ffff}'));
    kept.collect()
}

/// The moment that stands in a file for the time of its making: the round's close, so that the
/// same report gives the same bytes.
fn moment(closed: Option<shared::study::Timestamp>) -> String {
    closed.map_or_else(|| "1980-01-01T00:00:00Z".to_owned(), |at| at.to_string())
}

#[cfg(test)]
pub(crate) mod tests;
