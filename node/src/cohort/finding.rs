//! Remarks about a table that do not stop a job.
//!
//! From: `precheck`, `adequacy`.
//! To: the people at the site; never sent.

use serde::Serialize;
use shared::study::FieldName;

/// One remark, with what it means or what could be done.
#[derive(Clone, Debug, Eq, PartialEq, Serialize)]
pub struct Finding {
    /// The declared field it is about; `None` when it is about the table.
    pub field: Option<FieldName>,
    /// What was found.
    pub what: String,
    /// How many rows.
    pub rows: u64,
    /// What it means, or what to do.
    pub hint: String,
}

impl Finding {
    /// A remark about `field`.
    pub(crate) fn field(
        field: &FieldName,
        what: impl Into<String>,
        rows: u64,
        hint: impl Into<String>,
    ) -> Self {
        Self {
            field: Some(field.clone()),
            what: what.into(),
            rows,
            hint: hint.into(),
        }
    }

    /// A remark about the table.
    pub(crate) fn table(what: impl Into<String>, rows: u64, hint: impl Into<String>) -> Self {
        Self {
            field: None,
            what: what.into(),
            rows,
            hint: hint.into(),
        }
    }
}
