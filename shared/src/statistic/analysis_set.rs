//! The analysis set of one endpoint: eligible cases with a reference standard and a prediction
//! of every model (decision C12: one set per endpoint, so that comparisons are paired).
//!
//! From: `cases`.
//! To: every statistic's `measure`.

use std::cell::OnceCell;
use std::sync::Arc;

use super::Cases;
use super::calibration::Recalibration;
use super::cases::Earlier;
use super::observed_expected::ExpectedByLevel;
use super::overlap;
use super::stage::ExactCount;
use crate::numeric::dominance::{Contributions, Dominance};
use crate::numeric::logistic::ClippedLogits;
use crate::numeric::rank::Ascending;
use crate::numeric::sum::{Chunked, sum_iter};
use crate::study::{EndpointId, StudyProtocol};

/// Confidence level of every interval a site computes.
pub const LEVEL: f64 = 0.95;

/// A bound on one patient's share that is no larger settles the rule of dominance without the
/// share itself: policies allow half, and two patients two thirds.
pub(crate) const BOUND_SUFFICES: f64 = 0.05;

/// Complete cases of one endpoint, column by column.
pub struct AnalysisSet<'a> {
    /// The protocol.
    pub protocol: &'a StudyProtocol,
    /// The endpoint.
    pub endpoint: EndpointId,
    /// Index of each analysed case in `Cases`.
    pub row: Vec<usize>,
    /// Patient of each analysed case.
    pub patient: Vec<u32>,
    /// Whether the event occurred.
    pub outcome: Vec<bool>,
    /// Predictions by model, protocol order; of masks, volumes in millilitres.
    pub score: Vec<Vec<f64>>,
    /// Level index by axis, protocol order.
    pub level: Vec<Vec<u16>>,
    pub(crate) earlier: Arc<[Earlier]>,
    patients: u32,
    clustered: bool,
    /// What several statistics ask for, found once: cases by rising score, logits and their
    /// recalibration by model, and the nearest groups by axis.
    ascending: Vec<OnceCell<Ascending>>,
    outcome_by_score: Vec<OnceCell<Vec<bool>>>,
    logits: Vec<OnceCell<Option<ClippedLogits>>>,
    recalibration: Vec<OnceCell<Option<Recalibration>>>,
    nearest: Vec<OnceCell<Vec<u64>>>,
    /// All cases, and those with the event.
    sizes: OnceCell<[ExactCount; 2]>,
    /// Expected events by level, by model and axis.
    expected: Vec<OnceCell<ExpectedByLevel>>,
}

impl<'a> AnalysisSet<'a> {
    /// The analysis set of the endpoint with index `endpoint` in the protocol.
    pub fn of(protocol: &'a StudyProtocol, cases: &Cases, endpoint: usize) -> Option<Self> {
        let outcome = |row| cases.truth(endpoint, row);
        let score = |model, row| cases.prediction(endpoint, model, row);
        Self::altered(protocol, cases, endpoint, outcome, score)
    }

    /// The set of a sensitivity analysis: cases whose `outcome` is some, with the predictions
    /// that `score` gives for a model and a row.
    pub(crate) fn altered(
        protocol: &'a StudyProtocol,
        cases: &Cases,
        endpoint: usize,
        outcome: impl Fn(usize) -> Option<bool>,
        score: impl Fn(usize, usize) -> Option<f64>,
    ) -> Option<Self> {
        let id = protocol.endpoint.get(endpoint)?.id.clone();
        let models = 0..cases.score.len();
        let complete = |row: &usize| models.clone().all(|model| score(model, *row).is_some());
        let rows = 0..cases.patient.len();
        let mut row: Vec<usize> = Vec::with_capacity(rows.len());
        row.extend(rows.filter(|row| outcome(*row).is_some()).filter(complete));
        // Each of these has them all.
        let predicted = |model, row: &usize| score(model, *row).unwrap_or_default();
        let score = models.clone();
        let score = score.map(|model| row.iter().map(|row| predicted(model, row)).collect());
        let score = score.collect();
        let patient: Vec<u32> = row.iter().map(|row| cases.patient[*row]).collect();
        let all = count(&patient, cases.patients, |_| true);
        Some(Self {
            protocol,
            endpoint: id,
            patient,
            outcome: row.iter().map(|row| outcome(*row) == Some(true)).collect(),
            score,
            level: cases
                .level
                .iter()
                .map(|level| row.iter().map(|row| level[*row]).collect())
                .collect(),
            row,
            earlier: Arc::clone(&cases.earlier),
            patients: cases.patients,
            clustered: all.patients < all.rows,
            ascending: vec![OnceCell::new(); cases.score.len()],
            outcome_by_score: vec![OnceCell::new(); cases.score.len()],
            logits: vec![OnceCell::new(); cases.score.len()],
            recalibration: cases.score.iter().map(|_| OnceCell::new()).collect(),
            nearest: vec![OnceCell::new(); cases.level.len()],
            sizes: OnceCell::new(),
            expected: (0..cases.score.len() * cases.level.len())
                .map(|_| OnceCell::new())
                .collect(),
        })
    }

    /// Number of analysed cases.
    pub fn len(&self) -> usize {
        self.outcome.len()
    }

    /// True when nothing is left to analyse.
    pub fn is_empty(&self) -> bool {
        self.outcome.is_empty()
    }

    /// The cases for which `holds`, and their distinct patients.
    pub fn count(&self, holds: impl Fn(usize) -> bool) -> ExactCount {
        self.count_of(&self.patient, holds)
    }

    /// The same among some of the cases, whose patients are `patient`, by their places there.
    pub(crate) fn count_of(&self, patient: &[u32], holds: impl Fn(usize) -> bool) -> ExactCount {
        if self.clustered {
            return count(patient, self.patients, holds);
        }
        let rows = (0..patient.len()).filter(|row| holds(*row)).count() as u64;
        ExactCount::new(rows, rows)
    }

    /// The cases of each of `groups` groups, in one pass; `group_of` names a case's group.
    pub fn counts(&self, groups: usize, group_of: impl Fn(usize) -> usize) -> Vec<ExactCount> {
        let mut rows = vec![0_u64; groups];
        let mut owners = Vec::with_capacity(if self.clustered { self.len() } else { 0 });
        for row in 0..self.len() {
            let group = group_of(row);
            let Some(count) = rows.get_mut(group) else {
                continue;
            };
            *count += 1;
            if self.clustered {
                owners.push((group, self.patient[row]));
            }
        }
        let mut patients = rows.clone();
        if self.clustered {
            patients.fill(0);
            owners.sort_unstable();
            owners.dedup();
            owners.iter().for_each(|(group, _)| patients[*group] += 1);
        }
        rows.into_iter()
            .zip(patients)
            .map(|(rows, patients)| ExactCount::new(rows, patients))
            .collect()
    }

    /// All cases, and those with the event.
    pub(crate) fn sizes(&self) -> [ExactCount; 2] {
        let sizes = || [self.count(|_| true), self.count(|row| self.outcome[row])];
        let [all, events] = self.sizes.get_or_init(sizes);
        [all, events].map(|one| ExactCount::new(one.rows, one.patients))
    }

    /// What the model with index `model` expects of each level of an axis and of its rest, where every
    /// patient has one case; `None` for no such model or axis.
    pub(crate) fn expected(&self, model: usize, axis: usize) -> Option<&ExpectedByLevel> {
        let (score, level) = (self.score.get(model)?, self.level.get(axis)?);
        let cell = self.expected.get(model * self.level.len() + axis)?;
        let of = || ExpectedByLevel::of(self, score, level, overlap::levels_of(self, axis));
        Some(cell.get_or_init(of))
    }

    /// Distinct patients among the cases for which `holds`.
    pub fn patients(&self, holds: impl Fn(usize) -> bool) -> u64 {
        self.count(holds).patients
    }

    /// Cases by rising score of the model with index `model`; `None` for no such model.
    pub fn ascending(&self, model: usize) -> Option<&Ascending> {
        let (cell, score) = (self.ascending.get(model)?, self.score.get(model)?);
        Some(cell.get_or_init(|| Ascending::of(score)))
    }

    /// Outcomes in that order.
    pub(crate) fn outcome_by_score(&self, model: usize) -> Option<&[bool]> {
        let (cell, order) = (self.outcome_by_score.get(model)?, self.ascending(model)?);
        let rows = || order.row.iter().map(|row| self.outcome[*row as usize]);
        Some(cell.get_or_init(|| rows().collect()))
    }

    /// Logits of the model's predictions, clipped at the protocol's epsilon; `None` for no such
    /// model, and for predictions that are no probabilities.
    pub(crate) fn logits(&self, model: usize) -> Option<&ClippedLogits> {
        let (cell, score) = (self.logits.get(model)?, self.score.get(model)?);
        let epsilon = self.protocol.clip_epsilon();
        cell.get_or_init(|| ClippedLogits::of(score, epsilon))
            .as_ref()
    }

    /// Line and intercept of the model's logits; `None` as [`Self::logits`].
    pub(crate) fn recalibration(&self, model: usize) -> Option<&Recalibration> {
        let fit = || Some(Recalibration::of(self, &self.logits(model)?.lp));
        self.recalibration.get(model)?.get_or_init(fit).as_ref()
    }

    /// For each level of the axis with index `axis`, how few patients tell it or its rest from a
    /// group of an earlier axis or of an earlier release; see [`overlap`].
    pub(crate) fn nearest(&self, axis: usize) -> &[u64] {
        let cell = self.nearest.get(axis);
        cell.map_or(&[], |cell| {
            cell.get_or_init(|| {
                let now = overlap::nearest(self, axis);
                let before = overlap::nearest_earlier_level(self, axis);
                now.into_iter().zip(before).map(|(a, b)| a.min(b)).collect()
            })
        })
    }

    /// True when patients contribute several cases.
    pub fn clustered(&self) -> bool {
        self.clustered
    }
}

/// Cases of `patient` for which `holds`, and their distinct patients among `patients`.
pub fn count(patient: &[u32], patients: u32, holds: impl Fn(usize) -> bool) -> ExactCount {
    let mut seen = vec![false; patients as usize];
    let mut rows = 0_u64;
    let mut distinct = 0_u64;
    for (index, owner) in patient.iter().enumerate() {
        if !holds(index) {
            continue;
        }
        rows += 1;
        if let Some(mark) = seen.get_mut(*owner as usize)
            && !std::mem::replace(mark, true)
        {
            distinct += 1;
        }
    }
    ExactCount::new(rows, distinct)
}

/// Variance of a sum of influence values, summed by patient:
/// `m / (m - 1) * sum over patients of (sum of their values)^2`, m patients. With one value per
/// patient this is the usual linearised variance.
pub fn clustered_variance(influence: &[f64], patient: &[u32]) -> Option<f64> {
    let mut squares = Chunked::default();
    let mut patients = 0_u32;
    by_patient(
        patient.iter().copied().zip(influence.iter().copied()),
        |total| {
            squares.add(total * total);
            patients = patients.saturating_add(1);
        },
    );
    let patients = f64::from(Some(patients).filter(|count| *count > 1)?);
    Some(patients / (patients - 1.0) * squares.total())
}

/// Largest shares of patients in the sum of absolute values; all of it when the sum is 0.
pub fn dominance(values: impl Iterator<Item = (u32, f64)> + Clone) -> Dominance {
    let mut sums = Contributions::default();
    by_patient(values.map(|(owner, value)| (owner, value.abs())), |total| {
        sums.add(total);
    });
    sums.dominance()
}

/// Calls `each` with the sum of every patient's values, patients in rising order. Where rows
/// come in that order, as they often do, nothing is gathered or sorted.
fn by_patient(values: impl Iterator<Item = (u32, f64)> + Clone, mut each: impl FnMut(f64)) {
    let owners = values.clone().map(|(owner, _)| owner);
    if owners.is_sorted_by(|a, b| a < b) {
        values.for_each(|(_, value)| each(value));
        return;
    }
    let mut pairs: Vec<(u32, f64)> = values.collect();
    pairs.sort_by_key(|pair| pair.0);
    pairs
        .chunk_by(|a, b| a.0 == b.0)
        .for_each(|run| each(sum_iter(run.iter().map(|pair| pair.1))));
}
