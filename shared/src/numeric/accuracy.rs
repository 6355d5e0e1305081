//! Measures of a 2x2 table of calls against outcomes beyond plain proportions, with their
//! intervals: balanced accuracy, F1, MCC, kappa, Youden's index, likelihood ratios, diagnostic
//! odds ratio, and predictive values at a declared prevalence.
//!
//! Every measure keeps its value if all four counts are multiplied, so its linearised variance
//! is the sum over patients of `(g . t)^2`, `g` the gradient in the counts and `t` the
//! patient's own counts, times `I / (I - 1)` where patients repeat. With one row per patient
//! and no such factor this is the textbook formula of each: `1/TP - 1/n1 + 1/FP - 1/n0` for
//! the log likelihood ratio (Simel, Samsa and Matchar 1991, doi:10.1016/0895-4356(91)90128-V),
//! the sum of reciprocals for the log odds ratio (Glas et al. 2003,
//! doi:10.1016/S0895-4356(03)00177-X), the standard error of kappa (Fleiss, Cohen and Everitt
//! 1969, doi:10.1037/h0028106), that of logit predictive values (Mercaldo, Lau and Zhou 2007,
//! doi:10.1002/sim.2677).
//!
//! From: `statistic::accuracy`.
//! To: `proportion` (Newcombe), `distribution`.

use std::collections::BTreeMap;

use super::distribution::normal_critical;
use super::interval::Interval;
use super::proportion::newcombe_difference;
use super::sum::{count, sum_iter};

/// Counts of a 2x2 table and what its rows owe to patients with several of them.
#[derive(Clone, Debug, PartialEq)]
pub struct Calls {
    /// True positives, false positives, false negatives, true negatives.
    counts: [u64; 4],
    /// One patient's counts each; empty where every row is a patient of its own.
    patients: Vec<[u64; 4]>,
}

/// What a linearised estimate is given on.
#[derive(Clone, Copy, Debug, Eq, PartialEq)]
pub enum AccuracyScale {
    /// The measure itself.
    Identity,
    /// Its logit.
    Logit,
    /// Its logarithm.
    Log,
}

/// A measure with its variance on the scale where it is closest to normal.
#[derive(Clone, Copy, Debug, PartialEq)]
pub struct Measured {
    /// The measure, natural scale.
    pub value: f64,
    /// The scale of `variance`.
    pub scale: AccuracyScale,
    /// Linearised variance on that scale; `None` on a boundary, where it is 0, and for fewer
    /// than two patients.
    pub variance: Option<f64>,
    /// An interval that does not follow from the variance: Newcombe's. `None` where patients
    /// repeat.
    pub newcombe: Option<Interval>,
    /// Whether 0.5 was added to each count because one of them was 0.
    pub corrected: bool,
}

/// Why a measure does not exist.
#[derive(Clone, Copy, Debug, Eq, PartialEq, thiserror::Error)]
pub enum AccuracyFault {
    /// No row.
    #[error("no cases")]
    Empty,
    /// No event or no non-event.
    #[error("only one outcome class")]
    OneClass,
    /// All rows are called alike, and the measure needs both calls.
    #[error("only one call")]
    OneCall,
    /// The measure is 0 over 0.
    #[error("zero over zero")]
    Undefined,
}

/// The measures of this file.
#[derive(Clone, Copy, Debug, Eq, PartialEq)]
pub enum AccuracyMeasure {
    /// Share of rows called rightly.
    Accuracy,
    /// Mean of sensitivity and specificity.
    BalancedAccuracy,
    /// Harmonic mean of sensitivity and positive predictive value (van Rijsbergen 1979):
    /// `2 TP / (2 TP + FP + FN)`.
    F1,
    /// Matthews' correlation coefficient (1975, doi:10.1016/0005-2795(75)90109-9), the phi of
    /// the table.
    Mcc,
    /// Cohen's kappa (1960, doi:10.1177/001316446002000104) of calls and outcomes.
    Kappa,
    /// Sensitivity plus specificity minus 1.
    YoudenIndex,
    /// Sensitivity over false-positive rate.
    LikelihoodRatioPositive,
    /// False-negative rate over specificity.
    LikelihoodRatioNegative,
    /// Odds of a positive call among events over those among non-events.
    DiagnosticOddsRatio,
}

impl Calls {
    /// A table whose every row is one patient.
    pub fn of_counts(tp: u64, fp: u64, fn_: u64, tn: u64) -> Self {
        Self {
            counts: [tp, fp, fn_, tn],
            patients: Vec::new(),
        }
    }

    /// The table of rows with a call, an outcome and a patient each; rows beyond the shortest
    /// column are not read.
    pub fn of_rows(called: &[bool], outcome: &[bool], patient: &[u32]) -> Self {
        let mut each: BTreeMap<u32, [u64; 4]> = BTreeMap::new();
        // Patients that rise from row to row do not repeat.
        let alone = patient.is_sorted_by(|a, b| a < b);
        let mut counts = [0; 4];
        for ((called, event), patient) in called.iter().zip(outcome).zip(patient) {
            let cell = match (*called, *event) {
                (true, true) => 0,
                (true, false) => 1,
                (false, true) => 2,
                (false, false) => 3,
            };
            counts[cell] += 1;
            if !alone {
                each.entry(*patient).or_default()[cell] += 1;
            }
        }
        let rows: u64 = counts.iter().sum();
        let patients = if each.len() as u64 == rows {
            Vec::new()
        } else {
            each.into_values().collect()
        };
        Self { counts, patients }
    }

    /// True positives, false positives, false negatives, true negatives.
    pub fn counts(&self) -> [u64; 4] {
        self.counts
    }

    /// Whether patients have several rows.
    pub fn clustered(&self) -> bool {
        !self.patients.is_empty()
    }

    /// Linearised variance for the gradient `g` in the counts.
    fn variance(&self, gradient: [f64; 4]) -> Option<f64> {
        let dot = |cells: &[u64; 4]| sum_iter((0..4).map(|i| gradient[i] * count(cells[i])));
        let variance = if self.patients.is_empty() {
            sum_iter((0..4).map(|i| gradient[i] * gradient[i] * count(self.counts[i])))
        } else {
            let patients = self.patients.len() as u64;
            if patients < 2 {
                return None;
            }
            let squares = sum_iter(self.patients.iter().map(|cells| dot(cells) * dot(cells)));
            count(patients) / count(patients - 1) * squares
        };
        Some(variance).filter(|v| v.is_finite() && *v > 0.0)
    }

    fn measured(&self, value: f64, scale: AccuracyScale, gradient: [f64; 4]) -> Measured {
        Measured {
            value,
            scale,
            variance: self.variance(gradient),
            newcombe: None,
            corrected: false,
        }
    }

    /// One measure; `level` is that of Newcombe's interval.
    ///
    /// # Errors
    /// Why the measure does not exist.
    pub fn measure(&self, measure: AccuracyMeasure, level: f64) -> Result<Measured, AccuracyFault> {
        let [tp, fp, fn_, tn] = self.counts.map(count);
        if tp + fp + fn_ + tn == 0.0 {
            return Err(AccuracyFault::Empty);
        }
        let one_class = tp + fn_ == 0.0 || fp + tn == 0.0;
        let one_call = tp + fp == 0.0 || fn_ + tn == 0.0;
        match measure {
            AccuracyMeasure::Accuracy => Ok(self.share(tp + tn, fp + fn_, [0, 3], [1, 2])),
            AccuracyMeasure::F1 if tp + fp + fn_ == 0.0 => Err(AccuracyFault::Undefined),
            AccuracyMeasure::F1 => Ok(self.f1()),
            AccuracyMeasure::Kappa if one_class && fp + fn_ == 0.0 => Err(AccuracyFault::Undefined),
            AccuracyMeasure::Kappa => Ok(self.kappa()),
            AccuracyMeasure::BalancedAccuracy
            | AccuracyMeasure::Mcc
            | AccuracyMeasure::YoudenIndex
            | AccuracyMeasure::LikelihoodRatioPositive
            | AccuracyMeasure::LikelihoodRatioNegative
            | AccuracyMeasure::DiagnosticOddsRatio
                if one_class =>
            {
                Err(AccuracyFault::OneClass)
            }
            AccuracyMeasure::Mcc if one_call => Err(AccuracyFault::OneCall),
            AccuracyMeasure::Mcc => Ok(self.mcc()),
            AccuracyMeasure::BalancedAccuracy => Ok(self.informedness(0.5, level)),
            AccuracyMeasure::YoudenIndex => Ok(self.informedness(1.0, level)),
            AccuracyMeasure::LikelihoodRatioPositive => Ok(self.ratio([1, -1, 0, 0], true)),
            AccuracyMeasure::LikelihoodRatioNegative => Ok(self.ratio([0, 0, 1, -1], true)),
            AccuracyMeasure::DiagnosticOddsRatio => Ok(self.ratio([1, -1, -1, 1], false)),
        }
    }

    /// `a / (a + b)` of sums over cells, on the logit scale.
    fn share(&self, a: f64, b: f64, of_a: [usize; 2], of_b: [usize; 2]) -> Measured {
        let mut gradient = [0.0; 4];
        of_a.iter().for_each(|i| gradient[*i] = 1.0 / a);
        of_b.iter().for_each(|i| gradient[*i] = -1.0 / b);
        let inside = a > 0.0 && b > 0.0;
        let gradient = if inside { gradient } else { [0.0; 4] };
        self.measured(a / (a + b), AccuracyScale::Logit, gradient)
    }

    /// F1's odds are `2 TP / (FP + FN)`.
    fn f1(&self) -> Measured {
        let [tp, fp, fn_, _] = self.counts.map(count);
        let wrong = fp + fn_;
        let gradient = if tp > 0.0 && wrong > 0.0 {
            [1.0 / tp, -1.0 / wrong, -1.0 / wrong, 0.0]
        } else {
            [0.0; 4]
        };
        let value = 2.0 * tp / (2.0 * tp + wrong);
        self.measured(value, AccuracyScale::Logit, gradient)
    }

    /// Youden's index times `factor`; balanced accuracy is half of it plus one half. Newcombe's
    /// interval is that of the difference of sensitivity and false-positive rate.
    fn informedness(&self, factor: f64, level: f64) -> Measured {
        let [a, b, c, d] = self.counts;
        let [tp, fp, fn_, tn] = self.counts.map(count);
        let (n1, n0) = (tp + fn_, fp + tn);
        let shift = 1.0 - factor;
        let gradient = [
            fn_ / (n1 * n1),
            -tn / (n0 * n0),
            -tp / (n1 * n1),
            fp / (n0 * n0),
        ];
        let found = newcombe_difference(a, a + c, b, b + d, level);
        let newcombe = found
            .filter(|_| !self.clustered())
            .and_then(|found| found.interval.map(|x| shift + factor * x));
        Measured {
            newcombe,
            ..self.measured(
                shift + factor * (tp / n1 - fp / n0),
                AccuracyScale::Identity,
                gradient.map(|g| factor * g),
            )
        }
    }

    /// `phi = (TP TN - FP FN) / sqrt(n1 n0 m1 m0)`; its logarithmic derivatives are those of
    /// numerator and margins.
    fn mcc(&self) -> Measured {
        let [tp, fp, fn_, tn] = self.counts.map(count);
        let (n1, n0, m1, m0) = (tp + fn_, fp + tn, tp + fp, fn_ + tn);
        let root = n1.sqrt() * n0.sqrt() * m1.sqrt() * m0.sqrt();
        let value = (tp * tn - fp * fn_) / root;
        let half = |class: f64, call: f64| value * 0.5 * (1.0 / class + 1.0 / call);
        let gradient = [
            tn / root - half(n1, m1),
            -fn_ / root - half(n0, m1),
            -fp / root - half(n1, m0),
            tp / root - half(n0, m0),
        ];
        self.measured(value.clamp(-1.0, 1.0), AccuracyScale::Identity, gradient)
    }

    /// `kappa = 2 (TP TN - FP FN) / (m1 n0 + n1 m0)`.
    fn kappa(&self) -> Measured {
        let [tp, fp, fn_, tn] = self.counts.map(count);
        let (n1, n0, m1, m0) = (tp + fn_, fp + tn, tp + fp, fn_ + tn);
        let below = m1 * n0 + n1 * m0;
        let value = 2.0 * (tp * tn - fp * fn_) / below;
        // Derivatives of `below`: TP is in n1 and m1, FP in n0 and m1, FN in n1 and m0.
        let gradient = [
            (2.0 * tn - value * (m0 + n0)) / below,
            (-2.0 * fn_ - value * (m1 + n0)) / below,
            (-2.0 * fp - value * (m0 + n1)) / below,
            (2.0 * tp - value * (m1 + n1)) / below,
        ];
        self.measured(value, AccuracyScale::Identity, gradient)
    }

    /// A product of powers of the cells, over class sizes if `per_class`, on the log scale,
    /// after 0.5 is added to each cell if one is 0. Events are cells 0 and 2, non-events 1
    /// and 3.
    fn ratio(&self, powers: [i8; 4], per_class: bool) -> Measured {
        let corrected = self.counts.contains(&0);
        let add = if corrected { 0.5 } else { 0.0 };
        let cells = self.counts.map(|n| count(n) + add);
        let powers = powers.map(f64::from);
        let logs = sum_iter((0..4).map(|i| powers[i] * libm::log(cells[i])));
        let class = |i: usize| cells[i % 2] + cells[i % 2 + 2];
        let mut gradient = [0, 1, 2, 3].map(|i| powers[i] / cells[i]);
        let mut value = libm::exp(logs);
        if per_class {
            // Both ratios have an event cell above and a non-event cell below.
            value = value * class(1) / class(0);
            (0..4).for_each(|i| {
                gradient[i] += if i % 2 == 0 { -1.0 } else { 1.0 } / class(i);
            });
        }
        let variance = match (corrected, self.clustered()) {
            (false, _) => self.variance(gradient),
            // Added halves belong to nobody, so patients cannot be summed over them.
            (true, true) => None,
            (true, false) => Some(sum_iter(
                (0..4).map(|i| gradient[i] * gradient[i] * cells[i]),
            )),
        };
        Measured {
            variance,
            corrected,
            ..self.measured(value, AccuracyScale::Log, [0.0; 4])
        }
    }

    /// The positive (`positive`) or negative predictive value these calls would have where the
    /// prevalence is `prevalence`: `logit PPV = log LR+ + logit prevalence`,
    /// `logit NPV = -log LR- - logit prevalence`. Halves are added as for the likelihood
    /// ratios.
    ///
    /// # Errors
    /// One class; a prevalence outside (0, 1) gives [`AccuracyFault::Undefined`].
    pub fn predictive_value(
        &self,
        positive: bool,
        prevalence: f64,
    ) -> Result<Measured, AccuracyFault> {
        if !(prevalence > 0.0 && prevalence < 1.0) {
            return Err(AccuracyFault::Undefined);
        }
        let (measure, wanted, other) = if positive {
            (
                AccuracyMeasure::LikelihoodRatioPositive,
                prevalence,
                1.0 - prevalence,
            )
        } else {
            (
                AccuracyMeasure::LikelihoodRatioNegative,
                1.0 - prevalence,
                prevalence,
            )
        };
        let ratio = self.measure(measure, 0.95)?;
        let share = |of: f64, against: f64| of / (of + against);
        let value = if positive {
            share(ratio.value * wanted, other)
        } else {
            share(wanted, ratio.value * other)
        };
        Ok(Measured {
            value,
            scale: AccuracyScale::Logit,
            ..ratio
        })
    }
}

impl Measured {
    /// Newcombe's interval where there is one, else the normal interval on the measure's scale
    /// carried back. `None` without a variance.
    pub fn interval(&self, level: f64) -> Option<Interval> {
        if self.newcombe.is_some() {
            return self.newcombe;
        }
        let half_width = normal_critical(level)? * self.variance?.sqrt();
        let back = |centre: f64, natural: fn(f64) -> f64| {
            Interval::around(centre, half_width)?.map(natural)
        };
        match self.scale {
            AccuracyScale::Identity => Interval::around(self.value, half_width),
            AccuracyScale::Log => back(libm::log(self.value), libm::exp),
            AccuracyScale::Logit => back(super::distribution::logit(self.value)?, |x| {
                super::distribution::inverse_logit(x).unwrap_or(f64::NAN)
            }),
        }
    }
}

#[cfg(test)]
mod tests;
