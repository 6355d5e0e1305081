//! What is made of a report on demand, from its numbers alone: every table as printed, as CSV and
//! LaTeX; every figure as a file; an outline from which other formats are written.
//!
//! From: `Report`, as read from `report.json`.
//! To: `fedval report export`.

mod figures;
mod latex;
mod outline;
mod tables;

#[cfg(test)]
mod tests;

use std::collections::BTreeMap;

pub use outline::{Outline, OutlineCell, OutlineRow, OutlineTable, Part};

use super::document::Document;
use super::{Report, ReportFault, checklist, csv, page, view::View};

/// Files by their path below the folder of the export.
pub type Files = BTreeMap<String, Vec<u8>>;

fn document(report: &Report) -> Result<Document, ReportFault> {
    let view = View::of(&report.study);
    Ok(page::document(view, &report.provenance, checklist::read()?).0)
}

/// Every table as printed: `tables/T01.csv`, `tables/T01.tex`, and `tables/index.csv`.
///
/// # Errors
/// [`ReportFault::Checklist`] when a checklist does not read.
pub fn tables(report: &Report) -> Result<Files, ReportFault> {
    Ok(tables::files(&document(report)?))
}

/// Every figure as a file of its own, with its data: `figures/F01.svg`, `figures/F01.csv`, and
/// `figures/index.csv`.
///
/// # Errors
/// [`ReportFault::Checklist`] when a checklist does not read.
pub fn figures(report: &Report) -> Result<Files, ReportFault> {
    Ok(figures::files(&document(report)?))
}

/// The report as text and tables, without how they are set.
///
/// # Errors
/// [`ReportFault::Checklist`] when a checklist does not read.
pub fn outline(report: &Report) -> Result<Outline, ReportFault> {
    Ok(outline::of(&document(report)?))
}

/// The bundle's data tables as CSV by name.
pub fn data(report: &Report) -> Vec<(&'static str, String)> {
    csv::files(View::of(&report.study))
}

/// `T01`: a label's letter and number in two digits or more.
fn short(label: &str) -> String {
    let letter = label.chars().next().unwrap_or('T');
    let number = label.split_whitespace().last().unwrap_or("0");
    format!("{letter}{number:0>2}")
}
