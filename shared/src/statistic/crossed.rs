//! Cases and distinct patients by level, prediction at a threshold, and outcome: one pass over
//! the cases answers every count of a subgroup table.
//!
//! From: `analysis_set`.
//! To: `subgroup`.

use std::collections::BTreeMap;

use super::analysis_set::AnalysisSet;
use super::stage::ExactCount;

/// Cells per level: predicted or not, event or not.
const CELLS: usize = 4;

/// The counts of one model, axis and threshold.
pub(crate) struct Crossed {
    /// Cases by cell, level by level.
    cases: Vec<u64>,
    /// Where patients repeat: how many of them stand in exactly these cells.
    patients: Option<BTreeMap<Vec<usize>, u64>>,
}

/// One cell.
#[derive(Clone, Copy)]
pub(crate) struct Place {
    /// Index of the level.
    pub(crate) level: usize,
    /// Whether the prediction is at or above the threshold.
    pub(crate) positive: bool,
    /// Whether the event occurred.
    pub(crate) event: bool,
}

impl Crossed {
    /// Counts the cases of `set`; `level` has one entry per case.
    pub(crate) fn of(set: &AnalysisSet<'_>, level: &[u16], score: &[f64], threshold: f64) -> Self {
        let levels = level
            .iter()
            .max()
            .map_or(0, |highest| usize::from(*highest) + 1);
        let mut cases = vec![0; levels * CELLS];
        let mut owners = Vec::with_capacity(if set.clustered() { set.len() } else { 0 });
        for (row, level) in level.iter().enumerate() {
            let positive = usize::from(score[row] >= threshold);
            let cell = usize::from(*level) * CELLS + 2 * positive + usize::from(set.outcome[row]);
            cases[cell] += 1;
            if set.clustered() {
                owners.push((set.patient[row], cell));
            }
        }
        Self {
            cases,
            patients: set.clustered().then(|| by_cells(owners)),
        }
    }

    /// The counts without levels: all cases are of the one with index 0.
    pub(crate) fn of_all(set: &AnalysisSet<'_>, score: &[f64], threshold: f64) -> Self {
        Self::of(set, &vec![0; set.len()], score, threshold)
    }

    /// Denominator, hits and misses, where `hit` says of a prediction and an outcome whether it counts,
    /// and if so whether it is a hit.
    pub(crate) fn share(&self, hit: impl Fn(bool, bool) -> Option<bool>) -> [ExactCount; 3] {
        [None, Some(true), Some(false)].map(|wanted| {
            self.count(|place| {
                let found = hit(place.positive, place.event);
                found.is_some() && wanted.is_none_or(|wanted| found == Some(wanted))
            })
        })
    }

    /// The cases of all cells for which `holds`, and their distinct patients.
    pub(crate) fn count(&self, holds: impl Fn(Place) -> bool) -> ExactCount {
        let inside: Vec<bool> = (0..self.cases.len())
            .map(|cell| {
                holds(Place {
                    level: cell / CELLS,
                    positive: cell % CELLS >= 2,
                    event: cell % 2 == 1,
                })
            })
            .collect();
        let counted = self.cases.iter().zip(&inside);
        let cases = counted.map(|(count, inside)| if *inside { *count } else { 0 });
        let cases = cases.sum();
        let Some(patients) = &self.patients else {
            return ExactCount::new(cases, cases);
        };
        let found = patients
            .iter()
            .filter(|(cells, _)| cells.iter().any(|cell| inside[*cell]));
        ExactCount::new(cases, found.map(|(_, count)| count).sum())
    }
}

fn by_cells(mut owners: Vec<(u32, usize)>) -> BTreeMap<Vec<usize>, u64> {
    owners.sort_unstable();
    owners.dedup();
    let mut patients = BTreeMap::new();
    let mut cells = Vec::new();
    for run in owners.chunk_by(|a, b| a.0 == b.0) {
        cells.clear();
        cells.extend(run.iter().map(|(_, cell)| *cell));
        if let Some(count) = patients.get_mut(&cells) {
            *count += 1;
        } else {
            patients.insert(cells.clone(), 1);
        }
    }
    patients
}
