//! Paths that a table names, row by row. A path that is not absolute starts at the table's folder.
//!
//! From: `map` (which columns or patterns), the table.
//! To: `images`.

use std::path::{Path, PathBuf};

use shared::study::StudyProtocol;

use super::map::{Piece, Selection};
use super::raw::RawTable;
use super::source::TableSource;
use super::value::Markers;
use crate::images::Files;

/// By row and declared field, the file that the table names; no rows in a study without files.
pub(crate) fn files(
    study: &StudyProtocol,
    source: &TableSource,
    table: &RawTable,
    selection: &Selection,
) -> Vec<Files> {
    if !study.field.iter().any(|field| field.kind.is_path()) {
        return Vec::new();
    }
    let folder = source.path.parent().unwrap_or(Path::new(""));
    let markers = Markers::new(&source.missing);
    let cell = |column: usize, row: usize| {
        let cell = table.column.get(column)?.cell(row);
        let cell = cell.trim();
        (!markers.contain(cell)).then(|| cell.to_owned())
    };
    let path = |field: usize, row: usize| -> Option<PathBuf> {
        if let Some(Some(pieces)) = selection.pattern.get(field) {
            let mut text = String::new();
            for piece in pieces {
                match piece {
                    Piece::Text(plain) => text.push_str(plain),
                    Piece::Cell(column) => text.push_str(&cell(*column, row)?),
                }
            }
            return Some(folder.join(text));
        }
        let column = selection.field.get(field).copied().flatten()?;
        Some(folder.join(cell(column, row)?))
    };
    let of_row = |row: usize| -> Files {
        let each = study.field.iter().enumerate();
        each.map(|(at, field)| path(at, row).filter(|_| field.kind.is_path()))
            .collect()
    };
    (0..table.rows()).map(of_row).collect()
}
