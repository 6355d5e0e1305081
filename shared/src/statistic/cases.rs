//! The analysis table of one site as the statistics read it: columns, indexed by the
//! protocol's order of endpoints, models, fields and axes. It lives inside the node only and
//! can neither be printed nor serialised.
//!
//! From: `node::cohort`.
//! To: every statistic's `measure`.

use std::sync::Arc;

use super::masks::MaskEndpoint;
use super::patients::PatientSet;

/// Eligible cases, one element per row in every column.
pub struct Cases {
    /// Patient index of each row, `0..patients`; patients are the clusters of standard errors.
    pub patient: Vec<u32>,
    /// Number of distinct patients.
    pub patients: u32,
    /// Outcome by endpoint (protocol order) and row; `None` without a reference standard.
    pub outcome: Vec<Vec<Option<bool>>>,
    /// Prediction by model (protocol order) and row, in [0, 1]; `None` when there is none. In a
    /// study of masks one empty column per model.
    pub score: Vec<Vec<Option<f64>>>,
    /// By endpoint (protocol order), what its masks say; `None` where a column gives the outcome.
    /// Empty in a study of probabilities.
    pub masks: Vec<Option<MaskEndpoint>>,
    /// Groups that earlier releases of this site spoke about, whatever the study.
    pub earlier: Arc<[Earlier]>,
    /// Level index by axis (protocol order) and row, in the order of `Axis::levels`.
    pub level: Vec<Vec<u16>>,
    /// Values by declared field (protocol order).
    pub column: Vec<Column>,
    /// What happened before eligibility was complete.
    pub intake: Intake,
}

impl Cases {
    /// Whether the event occurred, or the structure is in the truth, at a row; `None` without a
    /// reference standard.
    pub fn truth(&self, endpoint: usize, row: usize) -> Option<bool> {
        match self.masks.get(endpoint) {
            Some(Some(masks)) => masks.present(row),
            Some(None) | None => self.outcome.get(endpoint)?.get(row).copied()?,
        }
    }

    /// The prediction of a model at a row: a probability, or of a mask the structure's volume in
    /// millilitres; `None` when there is none.
    pub fn prediction(&self, endpoint: usize, model: usize, row: usize) -> Option<f64> {
        match self.masks.get(endpoint) {
            Some(Some(masks)) => masks.case(model, row).map(|case| case.prediction_ml),
            Some(None) | None => self.score.get(model)?.get(row).copied()?,
        }
    }

    /// Whether every model has a prediction at a row.
    pub fn is_predicted(&self, endpoint: usize, row: usize) -> bool {
        (0..self.score.len()).all(|model| self.prediction(endpoint, model, row).is_some())
    }
}

/// A group that an earlier release spoke about, as far as this table has its patients.
pub struct Earlier {
    /// Its patients in this table.
    pub inside: PatientSet,
    /// Patients of the group that this table has not.
    pub outside: u64,
}

impl Earlier {
    /// Patients of the whole group.
    pub(crate) fn patients(&self) -> u64 {
        self.inside.len() + self.outside
    }
}

/// The values of one declared field.
pub enum Column {
    /// Finite numbers, also for binary (0, 1) and probability fields.
    Number(Vec<Option<f64>>),
    /// Index into the field's declared levels.
    Category(Vec<Option<u16>>),
    /// Identifiers are never kept here.
    Withheld,
}

/// From the rows of the site's table to the eligible cases.
#[derive(Default)]
pub struct Intake {
    /// Rows read, and their distinct patients.
    pub records: Tally,
    /// Rows left out, in the order the reasons apply; each row counts once.
    pub excluded: Vec<(Exclusion, Tally)>,
    /// For each of them the distinct patients, ascending: a patient of eligible rows as these number
    /// them, others beyond. Empty where nobody keeps who was left out.
    pub left: Vec<Vec<u32>>,
}

/// Rows and the distinct patients they belong to.
#[derive(Clone, Copy, Default, Eq, PartialEq)]
pub struct Tally {
    /// Rows.
    pub rows: u64,
    /// Distinct patients.
    pub patients: u64,
}

/// Why a row does not become a case. Reasons are the protocol's, so they carry no data.
#[derive(Clone, Copy, Debug, Eq, PartialEq, Ord, PartialOrd)]
pub enum Exclusion {
    /// The same case stands in the table again, with the same values.
    Duplicate,
    /// The inclusion term with this index (protocol order) does not hold.
    NotIncluded(usize),
    /// The exclusion term with this index (protocol order) holds.
    Excluded(usize),
}
