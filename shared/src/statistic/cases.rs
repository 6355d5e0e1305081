//! The analysis table of one site as the statistics read it: columns, indexed by the
//! protocol's order of endpoints, models, fields and axes. It lives inside the node only and
//! can neither be printed nor serialised.
//!
//! From: `node::cohort`.
//! To: every statistic's `measure`.

/// Eligible cases, one element per row in every column.
pub struct Cases {
    /// Patient index of each row, `0..patients`; patients are the clusters of standard errors.
    pub patient: Vec<u32>,
    /// Number of distinct patients.
    pub patients: u32,
    /// Outcome by endpoint (protocol order) and row; `None` without a reference standard.
    pub outcome: Vec<Vec<Option<bool>>>,
    /// Prediction by model (protocol order) and row, in [0, 1]; `None` when there is none.
    pub score: Vec<Vec<Option<f64>>>,
    /// Level index by axis (protocol order) and row, in the order of `Axis::levels`.
    pub level: Vec<Vec<usize>>,
    /// Values by declared field (protocol order).
    pub column: Vec<Column>,
    /// What happened before eligibility was complete.
    pub intake: Intake,
}

/// The values of one declared field.
pub enum Column {
    /// Finite numbers, also for binary (0, 1) and probability fields.
    Number(Vec<Option<f64>>),
    /// Index into the field's declared levels.
    Category(Vec<Option<usize>>),
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
