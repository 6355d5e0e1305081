//! What acting on a prediction is worth: net benefit of treating whoever is at or above a
//! threshold, against treating all and treating none, and of one model against another.
//!
//! Each patient has a utility, 1 for a treated event, `-w` for a treated non-event, 0 for who
//! is not treated, with `w = t / (1 - t)` the harm of one needless treatment in units of one
//! needed treatment at the threshold `t` (Vickers and Elkin 2006,
//! doi:10.1177/0272989X06295361). Net benefit is the mean utility, `TP/n - w FP/n`. Every
//! number of this file is a mean of such a value over patients, or a ratio of two, so all of
//! them come from counts by outcome and decision, add over sites, and share one variance: the
//! sum of squared influence values, which for the net benefit is
//! `[a (1 - a) + w^2 b (1 - b) + 2 w a b] / n`, `a = TP/n`, `b = FP/n`.
//!
//! At a declared prevalence the classes are weighted to it and their sizes are taken as fixed;
//! at the observed one the prevalence is an estimate too, also where cases were sampled by
//! outcome at known rates and are weighted back to their source. Thresholds 0 and 1 have no harm to
//! weigh and are refused, never moved to the next number.
//!
//! From: `statistic::net_benefit` (rows at a site), `pool` (summed counts).
//! To: the same, and `statistic::analysis_set::clustered_variance` where patients repeat.

use super::sum::{count, sum_iter};

/// The harm of a needless treatment over the benefit of a needed one at a threshold,
/// `t / (1 - t)`; `None` unless `0 < t < 1`.
pub fn harm(threshold: f64) -> Option<f64> {
    (threshold > 0.0 && threshold < 1.0).then(|| threshold / (1.0 - threshold))
}

/// The share of events for which a number is stated.
#[derive(Clone, Copy, Debug, PartialEq)]
pub enum Prevalence {
    /// As in the patients counted.
    Observed,
    /// As declared, strictly between 0 and 1: classes are weighted to it.
    Declared(f64),
    /// As in the source of a sample drawn by outcome: each patient stands for this many of the
    /// class, both above 0.
    Sampled {
        /// Weight of an event.
        event: f64,
        /// Weight of a non-event.
        non_event: f64,
    },
}

/// Patients with the same outcome and the same decisions, and what is counted for each.
#[derive(Clone, Copy, Debug, PartialEq)]
pub struct Cell {
    /// Whether they have the event.
    pub event: bool,
    /// How many.
    pub count: u64,
    /// The value of one of them.
    pub utility: f64,
}

/// A mean with what each patient of a cell contributes to its error.
#[derive(Clone, Debug, PartialEq)]
pub struct Linearised {
    /// The mean, or a ratio of two.
    pub value: f64,
    /// Influence of one patient of each cell, in the cells' order; a sample's influence values
    /// add to 0.
    pub influence: Vec<f64>,
}

impl Linearised {
    /// The variance when every patient stands in one row: the sum of squared influence values.
    /// 0 where nobody differs from the mean.
    pub fn variance(&self, cells: &[Cell]) -> f64 {
        let squares = self.influence.iter().zip(cells);
        sum_iter(squares.map(|(psi, cell)| count(cell.count) * psi * psi))
    }
}

fn patients(cells: &[Cell], event: bool) -> f64 {
    let class = cells.iter().filter(|cell| cell.event == event);
    sum_iter(class.map(|cell| count(cell.count)))
}

fn total(cells: &[Cell], event: bool) -> f64 {
    let class = cells.iter().filter(|cell| cell.event == event);
    sum_iter(class.map(|cell| count(cell.count) * cell.utility))
}

/// Sum of the values and of their squares over all patients: what a site sends so that a mean
/// and its variance add over sites.
pub fn totals(cells: &[Cell]) -> (f64, f64) {
    let square = |cell: &Cell| count(cell.count) * cell.utility * cell.utility;
    (
        sum_iter([total(cells, true), total(cells, false)]),
        sum_iter(cells.iter().map(square)),
    )
}

/// The mean value of a patient at a prevalence. `None` without patients; at a declared
/// prevalence also without an event or a non-event, or if it is not in (0, 1).
pub fn mean(cells: &[Cell], prevalence: Prevalence) -> Option<Linearised> {
    let (n1, n0) = (patients(cells, true), patients(cells, false));
    let (sum1, sum0) = (total(cells, true), total(cells, false));
    match prevalence {
        Prevalence::Observed => {
            let n = n1 + n0;
            (n > 0.0).then_some(())?;
            let value = (sum1 + sum0) / n;
            linearised(cells, value, |cell| (cell.utility - value) / n)
        }
        Prevalence::Sampled { event, non_event } => {
            let n = event * n1 + non_event * n0;
            (n > 0.0).then_some(())?;
            let value = (event * sum1 + non_event * sum0) / n;
            linearised(cells, value, |cell| {
                let weight = if cell.event { event } else { non_event };
                weight * (cell.utility - value) / n
            })
        }
        Prevalence::Declared(share) => {
            (share > 0.0 && share < 1.0 && n1 > 0.0 && n0 > 0.0).then_some(())?;
            let (mean1, mean0) = (sum1 / n1, sum0 / n0);
            let value = share * mean1 + (1.0 - share) * mean0;
            linearised(cells, value, |cell| {
                if cell.event {
                    share * (cell.utility - mean1) / n1
                } else {
                    (1.0 - share) * (cell.utility - mean0) / n0
                }
            })
        }
    }
}

/// The mean value over the prevalence: standardised net benefit, 1 for a model that treats
/// every event and nobody else. `None` as [`mean`], and without an event.
pub fn standardised(cells: &[Cell], prevalence: Prevalence) -> Option<Linearised> {
    match prevalence {
        Prevalence::Observed => {
            let events = patients(cells, true);
            (events > 0.0).then_some(())?;
            let value = (total(cells, true) + total(cells, false)) / events;
            linearised(cells, value, |cell| {
                let share = if cell.event { value } else { 0.0 };
                (cell.utility - share) / events
            })
        }
        Prevalence::Sampled { event, non_event } => {
            let events = event * patients(cells, true);
            (events > 0.0).then_some(())?;
            let value = (event * total(cells, true) + non_event * total(cells, false)) / events;
            linearised(cells, value, |cell| {
                let weighted = if cell.event {
                    event * (cell.utility - value)
                } else {
                    non_event * cell.utility
                };
                weighted / events
            })
        }
        Prevalence::Declared(share) => {
            let found = mean(cells, prevalence)?;
            linearised(cells, found.value / share, |_| 0.0).map(|scaled| Linearised {
                influence: found.influence.iter().map(|psi| psi / share).collect(),
                ..scaled
            })
        }
    }
}

fn linearised(cells: &[Cell], value: f64, influence: impl Fn(&Cell) -> f64) -> Option<Linearised> {
    value.is_finite().then(|| Linearised {
        value,
        influence: cells.iter().map(influence).collect(),
    })
}

/// Counts by outcome and decision of one model at one threshold.
#[derive(Clone, Copy, Debug, Default, Eq, PartialEq)]
pub struct Decided {
    /// Events at or above the threshold.
    pub true_positive: u64,
    /// Non-events at or above it.
    pub false_positive: u64,
    /// Events below it.
    pub false_negative: u64,
    /// Non-events below it.
    pub true_negative: u64,
}

fn add(a: [u64; 2], b: [u64; 2]) -> [u64; 2] {
    [a[0] + b[0], a[1] + b[1]]
}

/// Where numbers lie between rising edges in [0, 1]: a table by even steps narrows it down to the
/// edges of one step.
struct Between<'a> {
    edges: &'a [f64],
    /// Edges at or below the start of each step.
    table: Vec<u32>,
}

impl<'a> Between<'a> {
    const STEPS: u32 = 1024;

    fn new(edges: &'a [f64]) -> Self {
        let start = |step: u32| f64::from(step) / f64::from(Self::STEPS);
        let reached = |step| edges.partition_point(|edge| *edge <= start(step));
        let table = (0..=Self::STEPS).map(|step| u32::try_from(reached(step)).unwrap_or(u32::MAX));
        Self {
            edges,
            table: table.collect(),
        }
    }

    /// How many edges are at or below `value`.
    fn reached(&self, value: f64) -> usize {
        #[expect(
            clippy::cast_possible_truncation,
            clippy::cast_sign_loss,
            reason = "the cast saturates; a step below the value's is as good a start"
        )]
        let step = ((value * f64::from(Self::STEPS)) as usize).min(Self::STEPS as usize);
        // The product may round up to the next step, whose start is then above the value.
        let mut reached = self.table.get(step.saturating_sub(1)).copied().unwrap_or(0) as usize;
        while self.edges.get(reached).is_some_and(|edge| *edge <= value) {
            reached += 1;
        }
        reached
    }
}

/// What is asked of a 2x2 table.
#[derive(Clone, Copy, Debug, Eq, PartialEq)]
pub enum Question {
    /// The net benefit of treating by the model; also its difference to treating none, whose
    /// net benefit is 0.
    NetBenefit,
    /// The net benefit of treating everyone.
    TreatAll,
    /// The model's net benefit minus that of treating everyone, with their covariance.
    OverTreatAll,
    /// Treatments that the model spares per patient, at no loss of treated events, against
    /// treating everyone: the difference to treating everyone over the harm.
    Avoided,
    /// The net benefit over the prevalence.
    Standardised,
}

impl Decided {
    /// Index in [`Decided::cells`] of a patient with this outcome and decision.
    pub fn place(event: bool, positive: bool) -> usize {
        match (event, positive) {
            (true, true) => 0,
            (false, true) => 1,
            (true, false) => 2,
            (false, false) => 3,
        }
    }

    /// The smallest of the four counts.
    pub fn smallest(self) -> u64 {
        let positive = self.true_positive.min(self.false_positive);
        positive.min(self.false_negative).min(self.true_negative)
    }

    /// The counts at each of `thresholds`, in their order, in one pass over the cases: each is
    /// counted where it lies between the thresholds, and those above are added up. `outcome` and
    /// `score` have one entry per case; a score that is NaN is below every threshold.
    pub fn at_each(outcome: &[bool], score: &[f64], thresholds: &[f64]) -> Vec<Self> {
        let mut rising: Vec<usize> = (0..thresholds.len()).collect();
        rising.sort_by(|a, b| thresholds[*a].total_cmp(&thresholds[*b]));
        let edges: Vec<f64> = rising.iter().map(|place| thresholds[*place]).collect();
        let between = Between::new(&edges);
        // By how many thresholds a case reaches, and outcome.
        let mut counts = vec![[0_u64; 2]; edges.len() + 1];
        for (event, score) in outcome.iter().zip(score) {
            counts[between.reached(*score)][usize::from(*event)] += 1;
        }
        let all = counts.iter().fold([0, 0], |sum, one| add(sum, *one));
        let (mut found, mut below) = (vec![Self::default(); thresholds.len()], [0, 0]);
        for (counts, place) in counts.iter().zip(rising) {
            below = add(below, *counts);
            found[place] = Self {
                true_positive: all[1] - below[1],
                false_positive: all[0] - below[0],
                false_negative: below[1],
                true_negative: below[0],
            };
        }
        found
    }

    /// The counts of two sites together.
    #[must_use]
    pub fn merge(self, other: Self) -> Self {
        Self {
            true_positive: self.true_positive + other.true_positive,
            false_positive: self.false_positive + other.false_positive,
            false_negative: self.false_negative + other.false_negative,
            true_negative: self.true_negative + other.true_negative,
        }
    }

    /// The four cells with the value that `question` gives a patient of each, in the order true
    /// positive, false positive, false negative, true negative; `None` unless `0 < t < 1`.
    pub fn cells(self, question: Question, threshold: f64) -> Option<[Cell; 4]> {
        let w = harm(threshold)?;
        let values = match question {
            Question::NetBenefit | Question::Standardised => [1.0, -w, 0.0, 0.0],
            Question::TreatAll => [1.0, -w, 1.0, -w],
            Question::OverTreatAll => [0.0, 0.0, -1.0, w],
            Question::Avoided => [0.0, 0.0, -1.0 / w, 1.0],
        };
        let counts = [
            (true, self.true_positive),
            (false, self.false_positive),
            (true, self.false_negative),
            (false, self.true_negative),
        ];
        let mut cells = counts.map(|(event, count)| Cell {
            event,
            count,
            utility: 0.0,
        });
        for (cell, utility) in cells.iter_mut().zip(values) {
            cell.utility = utility;
        }
        Some(cells)
    }

    /// The answer with the influence of a patient of each cell. `None` unless `0 < t < 1`;
    /// without patients; where the prevalence is needed and a class is empty.
    pub fn answer(
        self,
        question: Question,
        threshold: f64,
        prevalence: Prevalence,
    ) -> Option<Linearised> {
        let cells = self.cells(question, threshold)?;
        match question {
            Question::Standardised => standardised(&cells, prevalence),
            Question::NetBenefit
            | Question::TreatAll
            | Question::OverTreatAll
            | Question::Avoided => mean(&cells, prevalence),
        }
    }

    /// Value and variance of the answer when every patient stands in one row.
    pub fn estimate(
        self,
        question: Question,
        threshold: f64,
        prevalence: Prevalence,
    ) -> Option<(f64, f64)> {
        let found = self.answer(question, threshold, prevalence)?;
        let variance = found.variance(&self.cells(question, threshold)?);
        Some((found.value, variance))
    }
}

/// Counts by outcome and by both models' decisions, each model at its own threshold.
#[derive(Clone, Copy, Debug, Default, Eq, PartialEq)]
pub struct BothDecided {
    /// Events: both positive, only the first, only the second, neither.
    pub events: [u64; 4],
    /// Non-events, in the same order.
    pub non_events: [u64; 4],
}

impl BothDecided {
    /// Index within a class of a patient with these decisions.
    pub fn place(first: bool, second: bool) -> usize {
        match (first, second) {
            (true, true) => 0,
            (true, false) => 1,
            (false, true) => 2,
            (false, false) => 3,
        }
    }

    /// The counts of patients one by one: event, first positive, second positive.
    pub fn of(rows: impl Iterator<Item = (bool, bool, bool)>) -> Self {
        let mut counts = Self::default();
        for (event, first, second) in rows {
            let class = if event {
                &mut counts.events
            } else {
                &mut counts.non_events
            };
            class[Self::place(first, second)] += 1;
        }
        counts
    }

    /// The counts of two sites together.
    #[must_use]
    pub fn merge(self, other: Self) -> Self {
        let add = |a: [u64; 4], b: [u64; 4]| {
            let mut sum = a;
            sum.iter_mut().zip(b).for_each(|(sum, b)| *sum += b);
            sum
        };
        Self {
            events: add(self.events, other.events),
            non_events: add(self.non_events, other.non_events),
        }
    }

    /// The eight cells, events first, with the value of a patient of each: net benefit of the
    /// first decision minus that of the second, both weighed at one threshold. `None` unless
    /// `0 < t < 1`.
    pub fn cells(self, threshold: f64) -> Option<[Cell; 8]> {
        let w = harm(threshold)?;
        let change = [0.0, 1.0, -1.0, 0.0];
        let mut cells = [Cell {
            event: false,
            count: 0,
            utility: 0.0,
        }; 8];
        for (index, cell) in cells.iter_mut().enumerate() {
            let (event, place) = (index < 4, index % 4);
            cell.event = event;
            cell.count = if event {
                self.events[place]
            } else {
                self.non_events[place]
            };
            cell.utility = if event { 1.0 } else { -w } * change[place];
        }
        Some(cells)
    }

    /// Net benefit of the first model minus that of the second on the same patients. `None` as
    /// [`mean`].
    pub fn difference(self, threshold: f64, prevalence: Prevalence) -> Option<Linearised> {
        mean(&self.cells(threshold)?, prevalence)
    }
}

#[cfg(test)]
mod tests;
