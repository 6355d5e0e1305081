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
//! at the observed one the prevalence is an estimate too. Thresholds 0 and 1 have no harm to
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

    /// The counts of patients one by one.
    pub fn of(rows: impl Iterator<Item = (bool, bool)>) -> Self {
        let mut counts = [0_u64; 4];
        for (event, positive) in rows {
            counts[Self::place(event, positive)] += 1;
        }
        let [true_positive, false_positive, false_negative, true_negative] = counts;
        Self {
            true_positive,
            false_positive,
            false_negative,
            true_negative,
        }
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

    /// What the model does to 1000 patients of a prevalence: true positives, false positives,
    /// false negatives, true negatives. `None` as [`mean`].
    pub fn per_thousand(self, prevalence: Prevalence) -> Option<[f64; 4]> {
        let counts = [
            self.true_positive,
            self.false_positive,
            self.false_negative,
            self.true_negative,
        ];
        let only = |place: usize| {
            let cells: Vec<Cell> = [true, false, true, false]
                .into_iter()
                .zip(counts)
                .enumerate()
                .map(|(index, (event, count))| Cell {
                    event,
                    count,
                    utility: if index == place { 1000.0 } else { 0.0 },
                })
                .collect();
            mean(&cells, prevalence).map(|found| found.value)
        };
        Some([only(0)?, only(1)?, only(2)?, only(3)?])
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
mod tests {
    use super::*;

    const TABLE: Decided = Decided {
        true_positive: 406,
        false_positive: 93,
        false_negative: 103,
        true_negative: 318,
    };

    fn close(got: f64, expected: f64) {
        assert!((got - expected).abs() <= 1e-12, "{got} is not {expected}");
    }

    fn at(question: Question, threshold: f64) -> (f64, f64) {
        TABLE
            .estimate(question, threshold, Prevalence::Observed)
            .unwrap()
    }

    #[test]
    fn the_multinomial_formula_is_the_sum_of_influences() {
        let (value, variance) = at(Question::NetBenefit, 0.3);
        let (n, w) = (920.0, 0.3 / 0.7);
        let (a, b) = (406.0 / n, 93.0 / n);
        close(value, a - w * b);
        let formula = (a * (1.0 - a) + w * w * b * (1.0 - b) + 2.0 * w * a * b) / n;
        close(variance, formula);
    }

    #[test]
    fn differences_carry_the_covariance() {
        let t = 0.3;
        let w = harm(t).unwrap();
        let (model, all) = (at(Question::NetBenefit, t), at(Question::TreatAll, t));
        let (over, avoided) = (at(Question::OverTreatAll, t), at(Question::Avoided, t));
        close(over.0, model.0 - all.0);
        close(avoided.0, over.0 / w);
        close(avoided.1, over.1 / (w * w));
        // The covariance of two means over the same patients is that of their values.
        let cells = TABLE.cells(Question::NetBenefit, t).unwrap();
        let all_cells = TABLE.cells(Question::TreatAll, t).unwrap();
        let products = cells
            .iter()
            .zip(&all_cells)
            .map(|(a, b)| a.count as f64 * a.utility * b.utility);
        let covariance = (products.sum::<f64>() / 920.0 - model.0 * all.0) / 920.0;
        close(over.1, model.1 + all.1 - 2.0 * covariance);
    }

    #[test]
    fn a_declared_prevalence_equal_to_the_observed_keeps_the_value() {
        let share = 509.0 / 920.0;
        for question in [
            Question::NetBenefit,
            Question::TreatAll,
            Question::OverTreatAll,
            Question::Avoided,
            Question::Standardised,
        ] {
            let declared = TABLE
                .estimate(question, 0.2, Prevalence::Declared(share))
                .unwrap();
            close(declared.0, at(question, 0.2).0);
            assert!(
                declared.1 <= at(question, 0.2).1 + 1e-15 || question == Question::Standardised
            );
        }
        let rare = TABLE
            .estimate(Question::NetBenefit, 0.1, Prevalence::Declared(0.02))
            .unwrap();
        let (sensitivity, false_alarms) = (406.0 / 509.0, 93.0 / 411.0);
        close(rare.0, 0.02 * sensitivity - 0.98 * false_alarms / 9.0);
        let spread = |p: f64, n: f64| p * (1.0 - p) / n;
        close(
            rare.1,
            0.02 * 0.02 * spread(sensitivity, 509.0)
                + (0.98 / 9.0) * (0.98 / 9.0) * spread(false_alarms, 411.0),
        );
        let all = TABLE.estimate(Question::TreatAll, 0.1, Prevalence::Declared(0.02));
        close(all.unwrap().1, 0.0);
    }

    #[test]
    fn thresholds_0_and_1_are_refused_and_so_is_an_empty_class() {
        for threshold in [0.0, 1.0, -0.1, 1.5, f64::NAN] {
            assert_eq!(harm(threshold), None);
            assert_eq!(TABLE.cells(Question::NetBenefit, threshold), None);
            assert_eq!(BothDecided::default().cells(threshold), None);
        }
        let nobody = Decided::default();
        assert_eq!(
            nobody.answer(Question::NetBenefit, 0.5, Prevalence::Observed),
            None
        );
        let well = Decided {
            true_negative: 5,
            false_positive: 1,
            ..nobody
        };
        let ask = |question, prevalence| well.answer(question, 0.5, prevalence);
        assert_eq!(ask(Question::Standardised, Prevalence::Observed), None);
        assert_eq!(ask(Question::NetBenefit, Prevalence::Declared(0.1)), None);
        let value = ask(Question::NetBenefit, Prevalence::Observed).unwrap();
        close(value.value, -1.0 / 6.0);
        assert_eq!(
            TABLE.answer(Question::NetBenefit, 0.5, Prevalence::Declared(1.0)),
            None
        );
    }

    #[test]
    fn a_paired_difference_is_the_difference_of_the_models() {
        let both = BothDecided {
            events: [380, 26, 40, 63],
            non_events: [60, 33, 11, 307],
        };
        let first = Decided {
            true_positive: 406,
            false_positive: 93,
            false_negative: 103,
            true_negative: 318,
        };
        let second = Decided {
            true_positive: 420,
            false_positive: 71,
            false_negative: 89,
            true_negative: 340,
        };
        for prevalence in [Prevalence::Observed, Prevalence::Declared(0.1)] {
            let of = |table: Decided| {
                let found = table.estimate(Question::NetBenefit, 0.2, prevalence);
                found.unwrap().0
            };
            let found = both.difference(0.2, prevalence).unwrap();
            close(found.value, of(first) - of(second));
        }
        let merged = both.merge(BothDecided::default());
        assert_eq!(merged, both);
    }

    #[test]
    fn per_thousand_adds_to_1000() {
        for prevalence in [Prevalence::Observed, Prevalence::Declared(0.03)] {
            let card = TABLE.per_thousand(prevalence).unwrap();
            close(card.iter().sum::<f64>() / 1000.0, 1.0);
        }
        let card = TABLE.per_thousand(Prevalence::Declared(0.03)).unwrap();
        close(card[0] + card[2], 30.0);
        close(card[0], 30.0 * 406.0 / 509.0);
    }

    #[test]
    fn rows_and_cells_agree() {
        let rows = [
            (true, true),
            (true, false),
            (false, true),
            (false, false),
            (true, true),
        ];
        let table = Decided::of(rows.into_iter());
        assert_eq!((table.true_positive, table.false_positive), (2, 1));
        assert_eq!((table.false_negative, table.true_negative), (1, 1));
        let found = table
            .answer(Question::NetBenefit, 0.2, Prevalence::Observed)
            .unwrap();
        let sum: f64 = rows
            .iter()
            .map(|(event, positive)| found.influence[Decided::place(*event, *positive)])
            .sum();
        close(sum, 0.0);
    }
}
