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
        assert!(declared.1 <= at(question, 0.2).1 + 1e-15 || question == Question::Standardised);
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
fn rows_and_cells_agree() {
    let rows = [
        (true, true),
        (true, false),
        (false, true),
        (false, false),
        (true, true),
    ];
    let (outcome, score): (Vec<bool>, Vec<f64>) = rows
        .into_iter()
        .map(|(event, called)| (event, if called { 0.7 } else { 0.3 }))
        .unzip();
    let table = Decided::at_each(&outcome, &score, &[0.5])[0];
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

proptest::proptest! {
    #[test]
    fn one_pass_counts_as_one_pass_per_threshold(
        rows in proptest::collection::vec((proptest::bool::ANY, 0_u32..=64), 0..200),
        edges in proptest::collection::vec(1_u32..64, 0..30),
    ) {
        let outcome: Vec<bool> = rows.iter().map(|row| row.0).collect();
        // Many scores are thresholds, and some thresholds stand twice.
        let score: Vec<f64> = rows.iter().map(|row| f64::from(row.1) / 64.0).collect();
        let thresholds: Vec<f64> = edges.iter().map(|edge| f64::from(*edge) / 64.0).collect();
        let found = Decided::at_each(&outcome, &score, &thresholds);
        proptest::prop_assert_eq!(found.len(), thresholds.len());
        for (found, threshold) in found.iter().zip(&thresholds) {
            let count = |event: bool, positive: bool| {
                let rows = outcome.iter().zip(&score);
                rows.filter(|(one, s)| **one == event && (**s >= *threshold) == positive).count() as u64
            };
            let expected = Decided {
                true_positive: count(true, true),
                false_positive: count(false, true),
                false_negative: count(true, false),
                true_negative: count(false, false),
            };
            proptest::prop_assert_eq!(*found, expected);
        }
    }
}

#[test]
fn neighbouring_doubles_lie_on_their_side_of_a_threshold() {
    for percent in 1..100 {
        let threshold = f64::from(percent) / 100.0;
        let below = f64::from_bits(threshold.to_bits() - 1);
        let found = Decided::at_each(&[true, true], &[below, threshold], &[threshold]);
        assert_eq!((found[0].true_positive, found[0].false_negative), (1, 1));
    }
}
