//! What follows from detections counted on a grid of scores: the free-response curve, its
//! sensitivities at given false positives per scan, and the average precision.
//!
//! The curve's points are the grid's thresholds, from the highest to the lowest, after a point
//! where nothing is called. Counts of hospitals add, and the points of the sum are those of all
//! scans together; between two thresholds a curve is read by a stated rule, the same for all.
//! Beyond the lowest threshold nothing is known: the last sensitivity is kept.
//!
//! [`Patients`] holds the counts of each patient, so that resamples are sums with weights.
//!
//! From: detections of a site (`node::imaging`), sums of sites.
//! To: `bootstrap` (weights), plain numbers.

use super::bootstrap::{self, Bootstrap};
use super::sum::{count, mean, sum_iter};

/// False positives per scan at which the competition performance metric averages the
/// sensitivity (LUNA16: Setio et al. 2017, doi:10.1016/j.media.2017.06.015). Some libraries
/// leave out the first.
pub const CPM_POINTS: [f64; 7] = [0.125, 0.25, 0.5, 1.0, 2.0, 4.0, 8.0];

/// How a curve is read between its points.
#[derive(Clone, Copy, Debug, Eq, PartialEq)]
pub enum Reading {
    /// On the straight line from point to point, as LUNA16 and nnDetection read it.
    Linear,
    /// At the last point with no more false positives: what some threshold of the grid reaches.
    Step,
}

/// How precision is averaged over recall.
#[derive(Clone, Copy, Debug, Eq, PartialEq)]
pub enum Average {
    /// Each point's own precision, by the recall it adds, as scikit-learn does.
    Points,
    /// The largest precision at this recall or beyond, by the recall each point adds (PASCAL
    /// VOC 2010: Everingham et al. 2010, doi:10.1007/s11263-009-0275-4).
    Envelope,
    /// The same at recalls 0, 0.01, ..., 1 (COCO: Lin et al. 2014,
    /// doi:10.1007/978-3-319-10602-1_48).
    Recalls101,
    /// The same at recalls 0, 0.1, ..., 1 (PASCAL VOC 2007).
    Recalls11,
}

/// What is called at one threshold.
#[derive(Clone, Copy, Debug, Default, Eq, PartialEq)]
pub struct Called {
    /// Lesions detected by candidates that score at least the threshold.
    pub detected: u64,
    /// False candidates that score at least the threshold.
    pub false_positives: u64,
}

/// A point of the free-response curve.
#[derive(Clone, Copy, Debug, PartialEq)]
pub struct Point {
    /// Place of the threshold in the grid.
    pub threshold: usize,
    /// False candidates per scan, at least 0.
    pub false_positives_per_scan: f64,
    /// Detected lesions among all, in `[0, 1]`.
    pub sensitivity: f64,
    /// Detected lesions among what is called, in `[0, 1]`; `None` where nothing is.
    pub precision: Option<f64>,
}

/// Added counts of scans on a grid.
#[derive(Clone, Debug, Eq, PartialEq)]
pub struct Curve {
    scans: u64,
    lesions: u64,
    /// From the highest threshold to the lowest.
    called: Vec<Called>,
}

impl Curve {
    /// From the counts at each threshold, thresholds rising. `None` unless there are scans and
    /// lesions, and each threshold calls at most what the one below it calls, and detects at
    /// most all lesions.
    pub fn of(scans: u64, lesions: u64, rising: &[Called]) -> Option<Self> {
        let mut called = rising.to_vec();
        called.reverse();
        let nested = called.windows(2).all(|pair| {
            let (above, below) = (pair[0], pair[1]);
            above.detected <= below.detected && above.false_positives <= below.false_positives
        });
        let most = called.last().map_or(0, |last| last.detected);
        (scans > 0 && lesions > 0 && nested && most <= lesions).then_some(Self {
            scans,
            lesions,
            called,
        })
    }

    /// The curve's points, thresholds falling.
    pub fn points(&self) -> Vec<Point> {
        let thresholds = (0..self.called.len()).rev();
        let point = |(threshold, called): (usize, &Called)| Point {
            threshold,
            false_positives_per_scan: count(called.false_positives) / count(self.scans),
            sensitivity: count(called.detected) / count(self.lesions),
            precision: precision(*called),
        };
        thresholds.zip(&self.called).map(point).collect()
    }

    /// The sensitivity at so many false positives per scan, in `[0, 1]`; `None` unless these are
    /// a finite number of at least 0. Where several points have as many, the most sensitive one.
    pub fn sensitivity_at(&self, per_scan: f64, reading: Reading) -> Option<f64> {
        if !(per_scan >= 0.0 && per_scan.is_finite()) {
            return None;
        }
        let budget = whole(per_scan * count(self.scans));
        let beyond = self.within(budget);
        let last = beyond.checked_sub(1).and_then(|at| self.called.get(at));
        let last = last.copied().unwrap_or_default();
        let gained = match (reading, self.called.get(beyond)) {
            (Reading::Step, _) | (Reading::Linear, None) => 0.0,
            (Reading::Linear, Some(next)) => {
                let width = count(next.false_positives - last.false_positives);
                let share = (budget - count(last.false_positives)) / width;
                count(next.detected - last.detected) * share
            }
        };
        Some((count(last.detected) + gained) / count(self.lesions))
    }

    /// The places in the grid of the two thresholds around so many false positives per scan: the
    /// lowest threshold with no more, and the next below it, which has more. `None` where there
    /// is no such threshold.
    pub fn around(&self, per_scan: f64) -> (Option<usize>, Option<usize>) {
        let beyond = self.within(whole(per_scan * count(self.scans)));
        let place = |from_highest: usize| self.called.len().checked_sub(from_highest + 1);
        (beyond.checked_sub(1).and_then(place), place(beyond))
    }

    /// How many thresholds, from the highest on, call at most so many false candidates.
    fn within(&self, budget: f64) -> usize {
        let within = |called: &Called| count(called.false_positives) <= budget;
        self.called.partition_point(within)
    }

    /// The mean sensitivity at these false positives per scan ([`CPM_POINTS`] for the CPM).
    /// `None` without any, or for one that is not a finite number of at least 0.
    pub fn mean_sensitivity(&self, per_scan: &[f64], reading: Reading) -> Option<f64> {
        let each = per_scan.iter().map(|at| self.sensitivity_at(*at, reading));
        mean(&each.collect::<Option<Vec<f64>>>()?)
    }

    /// The average precision, in `[0, 1]`: 0 where nothing is detected. On a grid coarser than
    /// the scores it is that of the grid's points.
    pub fn average_precision(&self, average: Average) -> f64 {
        let envelope = self.envelope();
        match average {
            Average::Points => {
                let own = self.called.iter().map(|called| precision(*called));
                self.by_recall_gained(own.map(Option::unwrap_or_default))
            }
            Average::Envelope => self.by_recall_gained(envelope.iter().copied()),
            Average::Recalls101 => self.at_recalls(100, &envelope),
            Average::Recalls11 => self.at_recalls(10, &envelope),
        }
    }

    /// At each point the largest precision there or at a lower threshold.
    fn envelope(&self) -> Vec<f64> {
        let mut most = 0.0_f64;
        let mut envelope: Vec<f64> = self
            .called
            .iter()
            .rev()
            .map(|called| {
                most = most.max(precision(*called).unwrap_or_default());
                most
            })
            .collect();
        envelope.reverse();
        envelope
    }

    fn by_recall_gained(&self, precisions: impl Iterator<Item = f64>) -> f64 {
        let mut before = 0;
        let terms = self
            .called
            .iter()
            .zip(precisions)
            .map(|(called, precision)| {
                let gained = called.detected - before;
                before = called.detected;
                count(gained) * precision
            });
        (sum_iter(terms) / count(self.lesions)).min(1.0)
    }

    /// The mean over recalls 0, 1 / steps, ..., 1, compared as integers.
    fn at_recalls(&self, steps: u64, envelope: &[f64]) -> f64 {
        let at = |step: u64| {
            let wanted = u128::from(step) * u128::from(self.lesions);
            let reached = self
                .called
                .partition_point(|called| u128::from(called.detected) * u128::from(steps) < wanted);
            envelope.get(reached).copied().unwrap_or(0.0)
        };
        sum_iter((0..=steps).map(at)) / count(steps + 1)
    }
}

fn precision(called: Called) -> Option<f64> {
    let all = count(called.detected) + count(called.false_positives);
    (all > 0.0).then(|| count(called.detected) / all)
}

/// A number of false positives that is whole but for rounding, whole: 0.29 per scan in 100
/// scans are 29.
fn whole(number: f64) -> f64 {
    let nearest = number.round();
    if (number - nearest).abs() <= 1e-9 * nearest {
        nearest
    } else {
        number
    }
}

/// Counts of each patient's scans on one grid.
#[derive(Clone, Debug, PartialEq)]
pub struct Patients {
    thresholds: usize,
    /// For each patient: scans, lesions, then detected and false positives of each threshold.
    counts: Vec<u32>,
    patients: u32,
}

impl Patients {
    /// No patient yet, on a grid of so many thresholds.
    pub fn new(thresholds: usize) -> Self {
        Self {
            thresholds,
            counts: Vec::new(),
            patients: 0,
        }
    }

    /// Adds a patient's counts over all of their scans, thresholds rising. False, and nothing is
    /// added, for another number of thresholds or the 2^32nd patient.
    #[must_use]
    pub fn add(&mut self, scans: u32, lesions: u32, rising: &[(u32, u32)]) -> bool {
        if rising.len() != self.thresholds || self.patients == u32::MAX {
            return false;
        }
        self.counts.extend([scans, lesions]);
        let called = rising
            .iter()
            .flat_map(|(detected, wrong)| [*detected, *wrong]);
        self.counts.extend(called);
        self.patients += 1;
        true
    }

    /// Patients: the length of a resample's weights.
    pub fn patients(&self) -> u32 {
        self.patients
    }

    /// The curve in which each patient counts as often as `weights` says; patients beyond the
    /// weights count 0. `None` as for [`Curve::of`].
    pub fn curve(&self, weights: &[u32]) -> Option<Curve> {
        let mut sums = vec![0_u64; 2 + 2 * self.thresholds];
        let each = self.counts.chunks_exact(sums.len()).zip(weights);
        for (counts, weight) in each.filter(|(_, weight)| **weight > 0) {
            for (sum, one) in sums.iter_mut().zip(counts) {
                *sum = sum.saturating_add(u64::from(*one) * u64::from(*weight));
            }
        }
        let (whole, called) = sums.split_at(2);
        let called: Vec<Called> = called
            .chunks_exact(2)
            .map(|pair| Called {
                detected: pair[0],
                false_positives: pair[1],
            })
            .collect();
        Curve::of(whole[0], whole[1], &called)
    }

    /// The curve of every patient once.
    pub fn whole(&self) -> Option<Curve> {
        self.curve(&vec![1; self.patients as usize])
    }

    /// Standard errors and intervals of `K` statistics of the curve, from `resamples` resamples
    /// of patients and `seed`, at a two-sided `level` in (0, 1).
    pub fn bootstrap<const K: usize>(
        &self,
        seed: u64,
        resamples: u32,
        level: f64,
        statistics: impl Fn(&Curve) -> [Option<f64>; K],
    ) -> [Bootstrap; K] {
        bootstrap::intervals(self.patients, seed, resamples, level, |weights| {
            self.curve(weights)
                .map_or([None; K], |curve| statistics(&curve))
        })
    }
}

#[cfg(test)]
mod tests;
