//! Keys, repeated cases, and one truth per case.
//!
//! From: `identifier`.
//! To: `precheck`.

use shared::fault::{Code, Fault};
use shared::statistic::cases::Column;
use shared::study::StudyProtocol;

use super::{Checker, Typed};
use crate::cohort::finding::Finding;
use crate::cohort::identifier::{Groups, group};
use crate::cohort::raw::{Examples, quote};
use crate::cohort::value::Markers;

impl Checker<'_> {
    /// Groups the rows by a column of keys.
    pub(super) fn keys(&mut self, position: usize, markers: &Markers) -> Groups {
        let cells = &self.table.column[position];
        let groups = group(cells, markers);
        let column = quote(&cells.name);
        let mut fault = |examples: &Examples, text: &str, why: &str, fix: &str| {
            if !examples.is_empty() {
                self.faults.push(Fault::new(
                    Code::IdentifierInvalid,
                    format!("column {column}: {} {text}", examples.describe(self.table)),
                    why,
                    fix,
                ));
            }
        };
        fault(
            &groups.empty,
            "without a key",
            "a row without a key cannot be told from a duplicate",
            "give every row its pseudonymous key",
        );
        fault(
            &groups.similar,
            "that differ from another key only by white space or letter case",
            "it cannot be known whether they are one patient or two",
            "write each key the same way in every row",
        );
        fault(
            &groups.strange,
            "that begin like a spreadsheet formula or hold control characters",
            "such keys come from a damaged export",
            "export the keys as plain text",
        );
        groups
    }

    /// Marks rows that repeat an earlier row; rows that contradict one are faults.
    pub(super) fn repeats(
        &mut self,
        typed: &Typed,
        (case, cases): (&[u32], u32),
        key: usize,
    ) -> Vec<bool> {
        let cells = &self.table.column[key];
        let mut duplicate = vec![false; case.len()];
        if cases as usize == case.len() {
            return duplicate;
        }
        let mut first: Vec<Option<usize>> = vec![None; case.len()];
        let (mut labels, mut values) = (Examples::default(), Examples::default());
        for (row, case) in case.iter().enumerate() {
            let slot = &mut first[*case as usize];
            let Some(earlier) = *slot else {
                *slot = Some(row);
                continue;
            };
            if self.labels_contradict(typed, earlier, row) {
                labels.add(row, &cells.cell(row));
            } else if typed.patient[earlier] != typed.patient[row]
                || !typed.column.iter().all(|column| same(column, earlier, row))
            {
                values.add(row, &cells.cell(row));
            } else {
                duplicate[row] = true;
            }
        }
        if !labels.is_empty() {
            self.faults.push(self.conflict(&cells.name, &labels));
        }
        if !values.is_empty() {
            self.faults.push(Fault::new(
                Code::CaseConflict,
                format!(
                    "column {}: {} stand again with other values",
                    quote(&cells.name),
                    values.describe(self.table)
                ),
                "it cannot be known which of the rows is right",
                "keep one row per case; if one patient has several cases, name the case's own key column",
            ));
        }
        let count = duplicate.iter().filter(|one| **one).count() as u64;
        if count > 0 {
            self.findings.push(Finding::table(
                "rows repeat an earlier row word for word",
                count,
                "counted as duplicates and left out",
            ));
        }
        duplicate
    }

    fn conflict(&self, column: &str, examples: &Examples) -> Fault {
        Fault::new(
            Code::OutcomeConflict,
            format!(
                "column {}: {} with two different labels",
                quote(column),
                examples.describe(self.table)
            ),
            "the reference standard gives one truth per case",
            "find out which label is right; remove the other row",
        )
    }

    fn labels_contradict(&self, typed: &Typed, earlier: usize, row: usize) -> bool {
        outcomes(self.study, typed).any(|values| {
            matches!((values[earlier], values[row]), (Some(left), Some(right)) if left != right)
        })
    }

    /// With the patient as the unit of analysis, all rows of a patient carry the same label.
    pub(super) fn one_truth_per_patient(&mut self, typed: &Typed, cluster: usize) {
        if !self.faults.is_empty() || typed.patients as usize == typed.patient.len() {
            return;
        }
        let cells = &self.table.column[cluster];
        let mut conflicts = Examples::default();
        for values in outcomes(self.study, typed) {
            let mut truth: Vec<Option<f64>> = vec![None; typed.patients as usize];
            for (row, value) in values.iter().enumerate() {
                let known = &mut truth[typed.patient[row] as usize];
                match (*known, value) {
                    (None, Some(value)) => *known = Some(*value),
                    (Some(known), Some(value)) if known != *value => {
                        conflicts.add(row, &cells.cell(row));
                    }
                    (Some(_) | None, Some(_) | None) => {}
                }
            }
        }
        if !conflicts.is_empty() {
            self.faults.push(self.conflict(&cells.name, &conflicts));
        }
        let kept = typed.duplicate.iter().filter(|one| !**one).count() as u64;
        let more = kept.saturating_sub(u64::from(typed.patients));
        if more > 0 {
            self.findings.push(Finding::table(
                "rows belong to a patient who has an earlier row",
                more,
                "the protocol's unit is the patient; standard errors count patients, not rows",
            ));
        }
    }
}

impl Checker<'_> {
    /// Patients of several rows that stand under two labels, or under two levels of a field.
    pub(super) fn two_levels_of_a_patient(&mut self, typed: &Typed) {
        let rows = typed.patient.len();
        if typed.patients as usize == rows {
            return;
        }
        for (field, column) in self.study.field.iter().zip(&typed.column) {
            let is_outcome = self
                .study
                .endpoint
                .iter()
                .any(|one| one.field == field.name);
            let value = |row: usize| -> Option<u64> {
                match column {
                    Column::Number(values) if is_outcome => values[row].map(f64::to_bits),
                    Column::Category(levels) => levels[row].map(u64::from),
                    Column::Number(_) | Column::Withheld => None,
                }
            };
            let mut known: Vec<Option<u64>> = vec![None; typed.patients as usize];
            let mut several = vec![false; typed.patients as usize];
            for row in 0..rows {
                let patient = typed.patient[row] as usize;
                if let Some(value) = value(row) {
                    several[patient] |= *known[patient].get_or_insert(value) != value;
                }
            }
            let patients = several.iter().filter(|one| **one).count();
            if patients == 0 {
                continue;
            }
            let patient = |row: &usize| several[typed.patient[*row] as usize];
            let (what, noun) = if is_outcome {
                ("rows of patients with two labels", "label")
            } else {
                ("rows of patients with two levels", "level")
            };
            let of = if patients == 1 {
                "1 patient".to_owned()
            } else {
                format!("{patients} patients")
            };
            self.findings.push(Finding::field(
                &field.name,
                what,
                (0..rows).filter(patient).count() as u64,
                format!(
                    "{of}; right where the {noun} can change from case to case, otherwise mend the table"
                ),
            ));
        }
    }
}

/// The outcome columns.
fn outcomes<'a>(
    study: &'a StudyProtocol,
    typed: &'a Typed,
) -> impl Iterator<Item = &'a [Option<f64>]> {
    study
        .field
        .iter()
        .zip(&typed.column)
        .filter(|(field, _)| study.endpoint.iter().any(|one| one.field == field.name))
        .filter_map(|(_, column)| match column {
            Column::Number(values) => Some(values.as_slice()),
            Column::Category(_) | Column::Withheld => None,
        })
}

fn same(column: &Column, left: usize, right: usize) -> bool {
    match column {
        Column::Number(values) => values[left] == values[right],
        Column::Category(levels) => levels[left] == levels[right],
        Column::Withheld => true,
    }
}
