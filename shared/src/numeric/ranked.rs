//! A scored table sorted once, and what its resamples say: the counts at every score, and the
//! area under the ROC curve, as functions of one weight per patient.
//!
//! The area of a resample costs one pass over the rows in order of score, in integers.
//! Patients are numbered in that order, so that with one row per patient weights are read in
//! sequence.
//!
//! From: `statistic::discrimination`, benches.
//! To: `bootstrap` (weights), `roc` (steps).

use std::ops::Range;

use super::bootstrap::{Bootstrap, jackknife, replicate};
use super::delong::DelongFault;
use super::influence::Influence;
use super::rank::Ascending;
use super::roc::Step;
use super::sum::{Neumaier, count};

/// Rows in rising order of score.
#[derive(Clone, Debug)]
pub struct Ranked {
    /// Twice the patient's number, plus 1 for an event; events first among tied rows.
    rows: Vec<u32>,
    /// One past the last row of each distinct score.
    ends: Vec<usize>,
    /// Places in `ends` of the scores that both classes have.
    mixed: Vec<usize>,
    /// The distinct scores, rising.
    scores: Vec<f64>,
    patients: u32,
}

impl Ranked {
    /// Sorts the rows; `outcome` is true for events, equal numbers in `patient` are one
    /// patient.
    ///
    /// # Errors
    /// Columns of different lengths; a NaN score; so many rows (or so many of one patient)
    /// that a resample could hold 2^31 rows.
    pub fn of(outcome: &[bool], score: &[f64], patient: &[u32]) -> Result<Self, DelongFault> {
        if outcome.len() != score.len() || outcome.len() != patient.len() {
            return Err(DelongFault::Length);
        }
        if u32::try_from(score.len()).is_err() {
            return Err(DelongFault::TooMany);
        }
        if score.iter().any(|s| s.is_nan()) {
            return Err(DelongFault::NotANumber);
        }
        Self::in_order(&Ascending::of(score), outcome, score, patient)
    }

    /// As [`Self::of`], of rows whose order is known: that of `score`, or of a finer score that it
    /// rises with.
    ///
    /// # Errors
    /// Columns of different lengths; too many rows.
    pub fn in_order(
        order: &Ascending,
        outcome: &[bool],
        score: &[f64],
        patient: &[u32],
    ) -> Result<Self, DelongFault> {
        let lengths = [order.row.len(), score.len(), patient.len()];
        if lengths.iter().any(|length| *length != outcome.len()) {
            return Err(DelongFault::Length);
        }
        let mut order = order.row.clone();
        let is_tied = |a: &u32, b: &u32| score[*a as usize] == score[*b as usize];
        // A stable sort: patients are numbered by first appearance.
        for tied in order.chunk_by_mut(is_tied).filter(|tied| tied.len() > 1) {
            tied.sort_by_key(|row| !outcome[*row as usize]);
        }
        let (number, patients) = numbered(&order, patient)?;
        let rows = order
            .iter()
            .zip(&number)
            .map(|(row, number)| 2 * number + u32::from(outcome[*row as usize]))
            .collect();
        let mut ranked = Self {
            rows,
            ends: Vec::new(),
            mixed: Vec::new(),
            scores: Vec::new(),
            patients,
        };
        for tied in order.chunk_by(is_tied) {
            let (Some(first), Some(last)) = (tied.first(), tied.last()) else {
                continue;
            };
            if outcome[*first as usize] != outcome[*last as usize] {
                ranked.mixed.push(ranked.ends.len());
            }
            ranked.scores.push(score[*first as usize]);
            let before = ranked.ends.last().copied().unwrap_or(0);
            ranked.ends.push(before + tied.len());
        }
        Ok(ranked)
    }

    /// Distinct patients: the length of a resample's weights.
    pub fn patients(&self) -> u32 {
        self.patients
    }

    /// The distinct scores, rising: one per step.
    pub fn scores(&self) -> &[f64] {
        &self.scores
    }

    /// Half way between the score of `step` and the one below it: the threshold that pROC
    /// names, where scikit-learn names the score of the step itself. `None` for the lowest
    /// step, below which there is no score, and beyond the steps.
    pub fn midpoint(&self, step: usize) -> Option<f64> {
        let below = self.scores.get(step.checked_sub(1)?)?;
        let middle = below + (self.scores.get(step)? - below) / 2.0;
        Some(middle).filter(|middle| middle.is_finite())
    }

    /// The rows as they are: every patient once.
    pub fn once(&self) -> Vec<u32> {
        vec![1; self.patients as usize]
    }

    /// The rows at place `at` of the distinct scores.
    fn tied(&self, at: usize) -> &[u32] {
        let start = at.checked_sub(1).map_or(0, |before| self.ends[before]);
        self.rows.get(start..self.ends[at]).unwrap_or_default()
    }

    fn step(&self, at: usize, weights: &[u32]) -> Step {
        let mut step = Step::default();
        for row in self.tied(at) {
            let weight = weight(*row, weights);
            if row & 1 == 1 {
                step.events += weight;
            } else {
                step.non_events += weight;
            }
        }
        step
    }

    /// Events and non-events at each distinct score, rising, each patient as often as
    /// `weights` says; patients beyond the weights count 0.
    pub fn steps(&self, weights: &[u32]) -> Vec<Step> {
        (0..self.ends.len())
            .map(|at| self.step(at, weights))
            .collect()
    }

    /// The area under the ROC curve with these weights, ties counting half; `None` for one
    /// class.
    pub fn area(&self, weights: &[u32]) -> Option<f64> {
        let (mut events, mut below, mut wins) = (0_u64, 0_u64, 0_u64);
        for row in &self.rows {
            let weight = weight(*row, weights);
            // All ones for an event, all zeros for a non-event: no branch to mispredict.
            let event = weight & u64::from(row & 1).wrapping_neg();
            wins += event * below;
            below += weight ^ event;
            events += event;
        }
        let tied: u64 = self
            .mixed
            .iter()
            .map(|at| self.step(*at, weights))
            .map(|step| step.events * step.non_events)
            .sum();
        let pairs = events * below;
        (pairs > 0).then(|| count(2 * wins + tied) / (2.0 * count(pairs)))
    }

    /// The influences of each patient's rows, summed; one entry per patient. `influence` has
    /// one entry per step.
    pub fn by_patient(&self, influence: &[Influence]) -> Vec<f64> {
        let mut sums = vec![Neumaier::default(); self.patients as usize];
        for (at, one) in influence.iter().enumerate().take(self.ends.len()) {
            for row in self.tied(at) {
                let event = row & 1 == 1;
                if let Some(sum) = sums.get_mut((row >> 1) as usize) {
                    sum.add(if event { one.event } else { one.non_event });
                }
            }
        }
        sums.into_iter().map(Neumaier::total).collect()
    }

    /// Areas of the resamples `numbers` of `seed`, in their order.
    pub fn area_replicates(&self, seed: u64, numbers: Range<u32>) -> Vec<Option<f64>> {
        let [areas] = replicate(self.patients, seed, numbers, |weights| [self.area(weights)]);
        areas
    }

    /// Standard error and intervals of the area from `resamples` resamples of `seed`.
    pub fn bootstrap_area(&self, seed: u64, resamples: u32, level: f64) -> Bootstrap {
        let replicates = self.area_replicates(seed, 0..resamples);
        let [leavings] = jackknife(self.patients, |weights| [self.area(weights)]);
        Bootstrap::of(self.area(&self.once()), &replicates, &leavings, level)
    }
}

fn weight(row: u32, weights: &[u32]) -> u64 {
    u64::from(weights.get((row >> 1) as usize).copied().unwrap_or(0))
}

/// Each row's patient, numbered from 0 by first appearance in `order`, and their number.
fn numbered(order: &[u32], patient: &[u32]) -> Result<(Vec<u32>, u32), DelongFault> {
    if patient.is_sorted_by(|a, b| a < b) {
        let patients = u32::try_from(order.len()).ok().filter(|n| *n < 1 << 31);
        let patients = patients.ok_or(DelongFault::TooMany)?;
        return Ok(((0..patients).collect(), patients));
    }
    let mut first: Vec<(u32, usize)> = order
        .iter()
        .enumerate()
        .map(|(place, row)| (patient[*row as usize], place))
        .collect();
    first.sort_unstable();
    let mut owner = vec![0; order.len()];
    let mut most = 0;
    for rows in first.chunk_by(|a, b| a.0 == b.0) {
        most = most.max(rows.len() as u64);
        rows.iter().for_each(|(_, place)| owner[*place] = rows[0].1);
    }
    let (mut numbers, mut next) = (vec![0_u32; order.len()], 0_u32);
    for place in 0..order.len() {
        if owner[place] == place {
            numbers[place] = next;
            next = next.checked_add(1).ok_or(DelongFault::TooMany)?;
        } else {
            numbers[place] = numbers[owner[place]];
        }
    }
    let largest = u64::from(next).checked_mul(most);
    if largest.is_none_or(|rows| rows >= 1 << 31) {
        return Err(DelongFault::TooMany);
    }
    Ok((numbers, next))
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::numeric::bootstrap::{BootstrapStatus, draw};
    use crate::numeric::delong;
    use crate::numeric::roc::{Focus, partial_area};

    fn table(rows: u32, patients: u32, levels: u32) -> (Vec<bool>, Vec<f64>, Vec<u32>) {
        let noise = |i: u32| i.wrapping_mul(2_654_435_761) >> 8;
        let outcome: Vec<bool> = (0..rows).map(|i| noise(i) % 3 == 0).collect();
        let score = (0..rows)
            .map(|i| f64::from(noise(i + 7919) % levels) + f64::from(u8::from(outcome[i as usize])))
            .collect();
        (
            outcome,
            score,
            (0..rows).map(|i| 1000 - i % patients).collect(),
        )
    }

    #[test]
    fn a_resample_has_the_area_of_its_rows_written_out() {
        for (patients, levels) in [(90, 5), (90, 100_000), (40, 9)] {
            let (outcome, score, patient) = table(90, patients, levels);
            let ranked = Ranked::of(&outcome, &score, &patient).unwrap();
            assert_eq!(ranked.patients(), patients);
            let whole = delong::auc(&outcome, &score, &patient).unwrap();
            assert_eq!(ranked.area(&ranked.once()), whole.auc);
            let mut weights = vec![0; patients as usize];
            draw(3, 1, &mut weights);
            let mut times = vec![0; 90];
            for (packed, row) in ranked.rows.iter().zip(sorted_rows(&outcome, &score)) {
                times[row] = weights[(packed >> 1) as usize];
            }
            let (mut o, mut s) = (Vec::new(), Vec::new());
            for row in 0..90 {
                for _ in 0..times[row] {
                    o.push(outcome[row]);
                    s.push(score[row]);
                }
            }
            let each: Vec<u32> = (0..o.len() as u32).collect();
            let written = delong::auc(&o, &s, &each).unwrap();
            assert_eq!(ranked.area(&weights), written.auc);
            let steps = ranked.steps(&weights);
            let full = partial_area(&steps, Focus::Specificity, 0.0, 1.0);
            assert!((full.unwrap().area - written.auc.unwrap()).abs() < 1e-14);
        }
    }

    fn sorted_rows(outcome: &[bool], score: &[f64]) -> Vec<usize> {
        let mut order: Vec<usize> = (0..score.len()).collect();
        order.sort_by(|a, b| {
            score[*a]
                .total_cmp(&score[*b])
                .then(outcome[*b].cmp(&outcome[*a]))
        });
        order
    }

    #[test]
    fn the_bootstrap_error_is_near_delongs_and_obuchowskis() {
        for patients in [400, 150] {
            let (outcome, score, patient) = table(400, patients, 4);
            let ranked = Ranked::of(&outcome, &score, &patient).unwrap();
            let got = ranked.bootstrap_area(11, 2000, 0.95);
            assert_eq!(got.status, BootstrapStatus::Estimated);
            let closed = delong::auc(&outcome, &score, &patient).unwrap();
            let ratio = got.standard_error.unwrap() / closed.standard_error().unwrap();
            assert!((ratio - 1.0).abs() < 0.08, "{ratio}");
            let (bca, logit) = (got.bca.unwrap(), closed.logit_interval(0.95).unwrap());
            assert!((bca.lower - logit.lower).abs() < 0.01);
            assert!((bca.upper - logit.upper).abs() < 0.01);
        }
    }

    #[test]
    fn tables_that_cannot_be_ranked_are_refused() {
        assert_eq!(
            Ranked::of(&[true], &[0.5, 0.6], &[1, 2]).unwrap_err(),
            DelongFault::Length
        );
        assert_eq!(
            Ranked::of(&[true], &[f64::NAN], &[1]).unwrap_err(),
            DelongFault::NotANumber
        );
        let empty = Ranked::of(&[], &[], &[]).unwrap();
        assert_eq!(empty.area(&[]), None);
        let zeros = Ranked::of(&[true, false], &[0.0, -0.0], &[1, 2]).unwrap();
        assert_eq!(zeros.area(&zeros.once()), Some(0.5));
        assert_eq!(zeros.scores().len(), 1);
        let two = Ranked::of(&[true, false], &[0.75, 0.25], &[1, 2]).unwrap();
        assert_eq!((two.midpoint(0), two.midpoint(1)), (None, Some(0.5)));
    }
}
