//! Participant flow: from the rows of the site's table to the analysed cases (TRIPOD+AI 20a, STARD 19).
//!
//! Merge class S: counts add.
//!
//! From: `cases`.
//! To: report page "participant flow".

use schemars::JsonSchema;
use serde::{Deserialize, Serialize};

use super::analysis_set::{AnalysisSet, count};
use super::cases::{Cases, Exclusion};
use super::overlap;
use super::patients::PatientSet;
use super::stage::{Exact, ExactCount, Stage};
use crate::study::{EndpointId, StudyProtocol, Term};

/// Participant flow of one endpoint, in cases.
#[derive_where::derive_where(Clone, Debug, PartialEq; S::Count, S::Real)]
#[derive(Serialize, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields)]
#[serde(bound(
    serialize = "S::Count: Serialize, S::Real: Serialize",
    deserialize = "S::Count: Deserialize<'de>, S::Real: Deserialize<'de>"
))]
#[schemars(bound = "S::Count: JsonSchema, S::Real: JsonSchema")]
pub struct Flow<S: Stage> {
    /// The endpoint.
    pub endpoint: EndpointId,
    /// Rows read.
    pub records: S::Count,
    /// Rows left out before eligibility, by reason, in the order the reasons apply.
    pub excluded: Vec<Excluded<S>>,
    /// Eligible cases.
    pub eligible: S::Count,
    /// Eligible cases without a reference standard.
    pub without_reference: S::Count,
    /// Eligible cases with a reference standard and without a prediction of every model.
    pub without_prediction: S::Count,
    /// Analysed cases.
    pub analysed: S::Count,
    /// Distinct patients among the analysed cases.
    pub patients: S::Count,
    /// Analysed cases with the event.
    pub events: S::Count,
    /// Analysed cases without the event.
    pub non_events: S::Count,
}

/// Rows left out for one reason.
#[derive_where::derive_where(Clone, Debug, PartialEq; S::Count, S::Real)]
#[derive(Serialize, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields)]
#[serde(bound(
    serialize = "S::Count: Serialize, S::Real: Serialize",
    deserialize = "S::Count: Deserialize<'de>, S::Real: Deserialize<'de>"
))]
#[schemars(bound = "S::Count: JsonSchema, S::Real: JsonSchema")]
pub struct Excluded<S: Stage> {
    /// The reason, in the protocol's words.
    pub reason: String,
    /// Rows.
    pub count: S::Count,
}

impl Flow<Exact> {
    /// The flow of the endpoint with index `endpoint`, whose analysis set is `set`.
    pub fn measure(set: &AnalysisSet<'_>, cases: &Cases, endpoint: usize) -> Self {
        let eligible = |holds: &dyn Fn(usize) -> bool| count(&cases.patient, cases.patients, holds);
        let absent = |holds: &dyn Fn(usize) -> bool| {
            let near = overlap::nearest_earlier(&cases.earlier, &patients_of(cases, holds));
            eligible(holds).beside(near)
        };
        let truth = |row: usize| cases.truth(endpoint, row);
        let predicted = |row: usize| cases.is_predicted(endpoint, row);
        let excluded = cases
            .intake
            .excluded
            .iter()
            .enumerate()
            .map(|(index, (reason, tally))| {
                let left = cases.intake.left.get(index);
                let near = left.map_or(u64::MAX, |left| {
                    let left = left.iter().copied().collect();
                    overlap::nearest_earlier(&cases.earlier, &left)
                });
                Excluded {
                    reason: reason_words(set.protocol, *reason),
                    count: ExactCount::new(tally.rows, tally.patients).beside(near),
                }
            })
            .collect();
        let patients = set.count(|_| true).patients;
        Self {
            endpoint: set.endpoint.clone(),
            records: ExactCount::new(cases.intake.records.rows, cases.intake.records.patients),
            excluded,
            eligible: eligible(&|_| true),
            without_reference: absent(&|row| truth(row).is_none()),
            without_prediction: absent(&|row| truth(row).is_some() && !predicted(row)),
            analysed: set
                .count(|_| true)
                .beside(overlap::nearest_endpoint(cases, endpoint))
                .beside(overlap::nearest_earlier_set(set)),
            patients: ExactCount::new(patients, patients),
            events: set.count(|row| set.outcome[row]),
            non_events: set.count(|row| !set.outcome[row]),
        }
    }
}

/// The patients of the eligible rows for which `holds`.
fn patients_of(cases: &Cases, holds: impl Fn(usize) -> bool) -> PatientSet {
    let rows = (0..cases.patient.len()).filter(|row| holds(*row));
    rows.map(|row| cases.patient[row]).collect()
}

/// Who was not analysed: for each reason, in the order of the flow, its words and patients.
pub(crate) fn left_out(
    protocol: &StudyProtocol,
    cases: &Cases,
    endpoint: usize,
) -> Vec<(String, PatientSet)> {
    let reasons = cases.intake.excluded.iter().zip(&cases.intake.left);
    let mut found: Vec<(String, PatientSet)> = reasons
        .map(|((reason, _), left)| {
            (
                reason_words(protocol, *reason),
                left.iter().copied().collect(),
            )
        })
        .collect();
    let truth = |row: usize| cases.truth(endpoint, row);
    let absent = |row: usize| truth(row).is_some() && !cases.is_predicted(endpoint, row);
    found.extend([
        (
            NO_REFERENCE.to_owned(),
            patients_of(cases, |row| truth(row).is_none()),
        ),
        (NO_PREDICTION.to_owned(), patients_of(cases, absent)),
    ]);
    found
}

/// Why an eligible case is not analysed.
pub(crate) const NO_REFERENCE: &str = "eligible, without reference standard";
/// Why one with a reference standard is not.
pub(crate) const NO_PREDICTION: &str = "eligible, without prediction";

/// An exclusion in the protocol's words; never a value of the site's.
fn reason_words(protocol: &StudyProtocol, reason: Exclusion) -> String {
    let describe = |terms: &[Term], index: usize| {
        terms
            .get(index)
            .map_or_else(|| "eligibility term".to_owned(), Term::words)
    };
    match reason {
        Exclusion::Duplicate => "the same case stands twice".to_owned(),
        Exclusion::NotIncluded(index) => {
            format!("not: {}", describe(&protocol.eligibility.include, index))
        }
        Exclusion::Excluded(index) => describe(&protocol.eligibility.exclude, index),
    }
}
