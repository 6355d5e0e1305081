//! Two reports, number by number: what changed and by how much, what appeared or vanished, what
//! became hidden.
//!
//! From: two `Report`s, as read from bundles.
//! To: `cli::report`.

use std::collections::BTreeMap;

use serde::Serialize;
use shared::fault::Fault;
use shared::report::{Report, export};

/// Tables that are compared row by row: the columns that name a row, those that hold numbers.
const TABLES: [(&str, &[&str], &[&str]); 2] = [
    (
        "estimates.csv",
        &["analysis", "scope", "site"],
        &[
            "estimate",
            "se",
            "ci_low",
            "ci_high",
            "pi_low",
            "pi_high",
            "tau2",
            "i2",
            "q",
            "k_sites",
            "weight",
            "n",
            "n_events",
            "p_value",
            "p_adjusted",
            "bound_low",
            "bound_high",
        ],
    ),
    (
        "counts.csv",
        &[
            "table",
            "endpoint",
            "model",
            "threshold",
            "axis",
            "scope",
            "site",
            "row",
            "column",
        ],
        &["count", "count_low", "count_high"],
    ),
];

/// What differs between two reports.
#[derive(Clone, Debug, PartialEq, Serialize)]
pub struct Comparison {
    /// True when everything but the facts about their making is the same.
    pub equal: bool,
    /// Numbers that differ, in the order of the tables.
    pub changes: Vec<Change>,
    /// Parts of the report that differ, as in `report.json`; also those without a number here,
    /// such as curves.
    pub parts: Vec<String>,
}

/// One number that differs.
#[derive(Clone, Debug, PartialEq, Serialize)]
pub struct Change {
    /// `estimates.csv` or `counts.csv`.
    pub table: &'static str,
    /// The row: analysis, scope and site; of a count, its place in its table.
    pub row: String,
    /// The column; `row` when the whole row appeared or vanished.
    pub column: String,
    /// What happened.
    pub kind: Kind,
    /// In the first report: a number, or `hidden`, `none`.
    pub first: String,
    /// In the second.
    pub second: String,
    /// The second less the first, where both are numbers.
    pub difference: Option<f64>,
}

/// What happened to a number.
#[derive(Clone, Copy, Debug, Eq, PartialEq, Serialize)]
#[serde(rename_all = "kebab-case")]
pub enum Kind {
    /// Another number.
    Changed,
    /// Only the second report has it.
    Appeared,
    /// Only the first report has it.
    Vanished,
    /// A hospital's rules hide it now.
    BecameSuppressed,
    /// It was hidden and is a number now.
    BecameKnown,
    /// The same number in another state, such as rounded.
    StateChanged,
}

impl Kind {
    /// The word in tables.
    pub fn words(self) -> &'static str {
        match self {
            Self::Changed => "changed",
            Self::Appeared => "appeared",
            Self::Vanished => "vanished",
            Self::BecameSuppressed => "became suppressed",
            Self::BecameKnown => "became known",
            Self::StateChanged => "state changed",
        }
    }
}

/// Compares two reports; facts about their making are left out.
///
/// # Errors
/// [`Fault`] when a report has no JSON form, which is a defect.
pub fn compare(first: &Report, second: &Report) -> Result<Comparison, Fault> {
    let mut changes = Vec::new();
    for (table, key, columns) in TABLES {
        let (left, right) = (rows(first, table, key)?, rows(second, table, key)?);
        let only = right
            .order
            .iter()
            .filter(|key| !left.rows.contains_key(*key));
        for key in left.order.iter().chain(only) {
            let at = At { table, row: key };
            match (left.rows.get(key), right.rows.get(key)) {
                (Some(one), Some(other)) => at.numbers(one, other, columns, &mut changes),
                (Some(one), None) => changes.push(at.whole(Kind::Vanished, one, columns)),
                (None, Some(other)) => changes.push(at.whole(Kind::Appeared, other, columns)),
                (None, None) => {}
            }
        }
    }
    let parts = parts(first, second)?;
    Ok(Comparison {
        equal: changes.is_empty() && parts.is_empty(),
        changes,
        parts,
    })
}

/// The rows of a table by their key, and their order.
#[derive(Default)]
struct Rows {
    order: Vec<String>,
    rows: BTreeMap<String, Row>,
}

struct Row {
    fields: BTreeMap<String, String>,
}

impl Row {
    fn field(&self, column: &str) -> &str {
        self.fields.get(column).map_or("", String::as_str)
    }

    fn is_suppressed(&self) -> bool {
        self.field("suppressed") == "true"
    }

    /// A number as written; `hidden` where rules hide it, `none` where there is none.
    fn said(&self, column: &str) -> String {
        match (self.field(column), self.is_suppressed()) {
            ("", true) => "hidden".to_owned(),
            ("", false) => "none".to_owned(),
            (number, _) => number.to_owned(),
        }
    }
}

fn rows(report: &Report, table: &str, key: &[&str]) -> Result<Rows, Fault> {
    let defect = |error: csv::Error| Fault::internal(format!("{table} does not read: {error}"));
    let mut out = Rows::default();
    let files = export::data(report);
    let Some((_, text)) = files.iter().find(|(name, _)| *name == table) else {
        return Ok(out);
    };
    let mut reader = csv::Reader::from_reader(text.as_bytes());
    let head = reader.headers().map_err(defect)?.clone();
    for record in reader.records() {
        let record = record.map_err(defect)?;
        let pairs = head.iter().zip(record.iter());
        let row = Row {
            fields: pairs
                .map(|(name, field)| (name.to_owned(), field.to_owned()))
                .collect(),
        };
        let parts = key.iter().map(|name| row.field(name));
        let parts: Vec<&str> = parts.filter(|part| !part.is_empty()).collect();
        let mut name = parts.join(" ");
        while out.rows.contains_key(&name) {
            name.push_str(" (again)");
        }
        out.order.push(name.clone());
        out.rows.insert(name, row);
    }
    Ok(out)
}

/// A row of a table.
#[derive(Clone, Copy)]
struct At<'a> {
    table: &'static str,
    row: &'a str,
}

impl At<'_> {
    fn change(self, column: &str, kind: Kind, first: String, second: String) -> Change {
        let difference = match (first.parse::<f64>(), second.parse::<f64>()) {
            (Ok(first), Ok(second)) => Some(second - first),
            (Ok(_) | Err(_), Ok(_) | Err(_)) => None,
        };
        Change {
            table: self.table,
            row: self.row.to_owned(),
            column: column.to_owned(),
            kind,
            first,
            second,
            difference,
        }
    }

    /// A row that only one report has, with the first of its numbers.
    fn whole(self, kind: Kind, row: &Row, columns: &[&str]) -> Change {
        let said = columns
            .first()
            .map_or_else(String::new, |one| row.said(one));
        let none = || "none".to_owned();
        if kind == Kind::Appeared {
            self.change("row", kind, none(), said)
        } else {
            self.change("row", kind, said, none())
        }
    }

    fn numbers(self, first: &Row, second: &Row, columns: &[&str], changes: &mut Vec<Change>) {
        let before = changes.len();
        for column in columns {
            let (one, other) = (first.said(column), second.said(column));
            if one == other {
                continue;
            }
            let is_absent = |text: &str| text == "none";
            let kind = if other == "hidden" {
                Kind::BecameSuppressed
            } else if one == "hidden" {
                Kind::BecameKnown
            } else if is_absent(&one) {
                Kind::Appeared
            } else if is_absent(&other) {
                Kind::Vanished
            } else {
                Kind::Changed
            };
            changes.push(self.change(column, kind, one, other));
        }
        let (one, other) = (first.field("state"), second.field("state"));
        if one != other && changes.len() == before {
            let [one, other] = [one, other].map(str::to_owned);
            changes.push(self.change("state", Kind::StateChanged, one, other));
        }
    }
}

/// Top-level parts of the pooled study that differ.
fn parts(first: &Report, second: &Report) -> Result<Vec<String>, Fault> {
    let value = |report: &Report| {
        serde_json::to_value(&report.study)
            .map_err(|error| Fault::internal(format!("the report has no JSON: {error}")))
    };
    let (left, right) = (value(first)?, value(second)?);
    let (Some(left), Some(right)) = (left.as_object(), right.as_object()) else {
        return Ok(Vec::new());
    };
    let names: std::collections::BTreeSet<&String> = left.keys().chain(right.keys()).collect();
    let differs = |name: &&&String| left.get(**name) != right.get(**name);
    Ok(names
        .iter()
        .filter(differs)
        .map(|name| (*name).clone())
        .collect())
}

#[cfg(test)]
mod tests;
