//! The columns of a subgroup table as its levels share them.
//!
//! From: `analysis_set`.
//! To: `subgroup`.

use super::super::analysis_set::AnalysisSet;
use super::super::level_totals::LevelTotals;
use super::super::observed_expected::ExpectedByLevel;
use crate::numeric::delong::{ByScore, LevelAreas, Run, areas_by_level};
use crate::numeric::rank::Ascending;

/// What all levels of an axis need, where every patient has one case: found in a few passes over
/// the cases for all of them together.
pub(super) struct Swept<'a> {
    pub(super) areas: Vec<LevelAreas>,
    pub(super) losses: LevelTotals,
    pub(super) expected: &'a ExpectedByLevel,
}

impl<'a> Swept<'a> {
    /// Of the model and the axis with these indices; `None` for no such model or axis.
    pub(super) fn of(
        set: &'a AnalysisSet<'_>,
        (model, axis): (usize, usize),
        levels: usize,
    ) -> Option<Self> {
        let (score, level) = (set.score.get(model)?, set.level.get(axis)?);
        let order = set.ascending(model)?;
        let by_score: Vec<u16> = order.row.iter().map(|row| level[*row as usize]).collect();
        Some(Self {
            areas: areas_by_level(
                ByScore {
                    outcome: set.outcome_by_score(model)?,
                    tied: &order.tied,
                    level: &by_score,
                },
                levels,
            ),
            losses: LevelTotals::of(level, levels, |row| loss(set, score, row)),
            expected: set.expected(model, axis)?,
        })
    }
}

/// Squared distance of a prediction from the outcome.
pub(super) fn loss(set: &AnalysisSet<'_>, score: &[f64], row: usize) -> f64 {
    let gap = score[row] - f64::from(u8::from(set.outcome[row]));
    gap * gap
}

/// The columns by rising score: sorting once spares every level and its rest a sort of their own.
pub(super) struct Ranked {
    pub(super) score: Vec<f64>,
    pub(super) outcome: Vec<bool>,
    pub(super) patient: Vec<u32>,
    level: Vec<u16>,
}

impl Ranked {
    pub(super) fn of(
        set: &AnalysisSet<'_>,
        score: &[f64],
        order: &Ascending,
        level: &[u16],
    ) -> Self {
        let rows = || order.row.iter().map(|row| *row as usize);
        Self {
            score: rows().map(|row| score[row]).collect(),
            outcome: rows().map(|row| set.outcome[row]).collect(),
            patient: rows().map(|row| set.patient[row]).collect(),
            level: rows().map(|row| level[row]).collect(),
        }
    }

    /// The cases that `chosen` takes by level and outcome, counted by score.
    pub(super) fn runs(&self, chosen: impl Fn(usize, bool) -> bool) -> Vec<Run> {
        let mut runs = Vec::new();
        let (mut run, mut last) = (Run::default(), f64::NAN);
        let rows = self.level.iter().zip(&self.outcome).zip(&self.score);
        let rows = rows.filter(|((level, event), _)| chosen(usize::from(**level), **event));
        for ((_, event), score) in rows {
            if *score != last && run != Run::default() {
                runs.push(std::mem::take(&mut run));
            }
            last = *score;
            run.events += u32::from(*event);
            run.non_events += u32::from(!*event);
        }
        if run != Run::default() {
            runs.push(run);
        }
        runs
    }

    /// Places of the cases that `chosen` takes, by level and outcome.
    pub(super) fn chosen(&self, chosen: impl Fn(usize, bool) -> bool) -> Vec<usize> {
        let rows = self.level.iter().zip(&self.outcome).enumerate();
        rows.filter(|(_, (level, event))| chosen(usize::from(**level), **event))
            .map(|(row, _)| row)
            .collect()
    }
}

pub(super) fn pick<T: Copy>(column: &[T], rows: &[usize]) -> Vec<T> {
    rows.iter().map(|row| column[*row]).collect()
}
