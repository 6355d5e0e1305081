use super::*;

const ALL: [AccuracyMeasure; 9] = [
    AccuracyMeasure::Accuracy,
    AccuracyMeasure::BalancedAccuracy,
    AccuracyMeasure::F1,
    AccuracyMeasure::Mcc,
    AccuracyMeasure::Kappa,
    AccuracyMeasure::YoudenIndex,
    AccuracyMeasure::LikelihoodRatioPositive,
    AccuracyMeasure::LikelihoodRatioNegative,
    AccuracyMeasure::DiagnosticOddsRatio,
];

fn forward(scale: AccuracyScale, x: f64) -> f64 {
    match scale {
        AccuracyScale::Identity => x,
        AccuracyScale::Logit => super::super::distribution::logit(x).unwrap(),
        AccuracyScale::Log => libm::log(x),
    }
}

/// The variance from one-sided differences of large counts, which shows the gradient.
#[test]
fn variances_are_those_of_numerical_derivatives() {
    let scale = 100_000_000;
    let base = [61, 22, 17, 130].map(|n: u64| n * scale);
    let of = |c: [u64; 4]| Calls::of_counts(c[0], c[1], c[2], c[3]);
    for measure in ALL {
        let at = |c: [u64; 4]| {
            let got = of(c).measure(measure, 0.95).unwrap();
            forward(got.scale, got.value)
        };
        let mut expected = 0.0;
        for i in 0..4 {
            let (mut up, mut down) = (base, base);
            up[i] += scale / 100;
            down[i] -= scale / 100;
            let slope = (at(up) - at(down)) / (2.0 * count(scale / 100));
            expected += slope * slope * count(base[i]);
        }
        let got = of(base).measure(measure, 0.95).unwrap().variance.unwrap();
        assert!(
            (got / expected - 1.0).abs() < 1e-6,
            "{measure:?}: {got} {expected}"
        );
    }
}

#[test]
fn patients_who_repeat_do_not_add_information() {
    let called: Vec<bool> = (0..60).map(|i| i % 5 < 2).collect();
    let outcome: Vec<bool> = (0..60).map(|i| i % 3 == 0).collect();
    let patient: Vec<u32> = (0..60).collect();
    let once = Calls::of_rows(&called, &outcome, &patient);
    let twice = Calls::of_rows(
        &[&called[..], &called].concat(),
        &[&outcome[..], &outcome].concat(),
        &[&patient[..], &patient].concat(),
    );
    assert!(!once.clustered() && twice.clustered());
    for measure in ALL {
        let (a, b) = (
            once.measure(measure, 0.95).unwrap(),
            twice.measure(measure, 0.95).unwrap(),
        );
        assert!((a.value - b.value).abs() < 1e-15);
        let ratio = b.variance.unwrap() / a.variance.unwrap();
        assert!((ratio - 60.0 / 59.0).abs() < 1e-12, "{measure:?} {ratio}");
        assert_eq!(b.newcombe, None);
    }
}

#[test]
fn zero_cells_are_corrected_and_flagged_or_on_the_boundary() {
    let calls = Calls::of_counts(10, 0, 5, 20);
    let ratio = calls
        .measure(AccuracyMeasure::LikelihoodRatioPositive, 0.95)
        .unwrap();
    assert!(ratio.corrected);
    assert!((ratio.value - (10.5 / 16.0) / (0.5 / 21.0)).abs() < 1e-12);
    let expected = 1.0 / 10.5 - 1.0 / 16.0 + 1.0 / 0.5 - 1.0 / 21.0;
    assert!((ratio.variance.unwrap() - expected).abs() < 1e-12);
    let rows = |n: usize, called: bool, event: bool| vec![(called, event); n];
    let all = [
        rows(10, true, true),
        rows(5, false, true),
        rows(20, false, false),
    ]
    .concat();
    let (called, outcome): (Vec<bool>, Vec<bool>) = all.into_iter().unzip();
    let patient: Vec<u32> = (0..35).map(|row| row / 2).collect();
    let clustered = Calls::of_rows(&called, &outcome, &patient);
    let same = clustered
        .measure(AccuracyMeasure::LikelihoodRatioPositive, 0.95)
        .unwrap();
    assert_eq!((same.value, same.variance), (ratio.value, None));
    let perfect = Calls::of_counts(7, 0, 0, 9);
    let f1 = perfect.measure(AccuracyMeasure::F1, 0.95).unwrap();
    assert_eq!(
        (f1.value, f1.variance, f1.interval(0.95)),
        (1.0, None, None)
    );
    let index = perfect.measure(AccuracyMeasure::YoudenIndex, 0.95).unwrap();
    assert!(index.interval(0.95).unwrap().lower < 0.9);
}

#[test]
fn tables_without_a_class_or_a_call_say_so() {
    let fault = |c: [u64; 4], m| Calls::of_counts(c[0], c[1], c[2], c[3]).measure(m, 0.95);
    for measure in ALL {
        assert_eq!(fault([0; 4], measure), Err(AccuracyFault::Empty));
    }
    assert_eq!(
        fault([3, 0, 4, 0], AccuracyMeasure::Mcc),
        Err(AccuracyFault::OneClass)
    );
    assert_eq!(
        fault([3, 4, 0, 0], AccuracyMeasure::Mcc),
        Err(AccuracyFault::OneCall)
    );
    assert_eq!(
        fault([0, 0, 0, 9], AccuracyMeasure::F1),
        Err(AccuracyFault::Undefined)
    );
    assert_eq!(
        fault([0, 0, 0, 9], AccuracyMeasure::Kappa),
        Err(AccuracyFault::Undefined)
    );
    assert_eq!(
        fault([3, 4, 0, 0], AccuracyMeasure::Kappa).unwrap().value,
        0.0
    );
    let empty = Calls::of_rows(&[], &[], &[]);
    assert!(empty.predictive_value(true, 0.1).is_err());
}

#[test]
fn predictive_values_at_the_tables_own_prevalence_are_the_plain_ones() {
    let calls = Calls::of_counts(61, 22, 17, 130);
    let own = 78.0 / 230.0;
    let ppv = calls.predictive_value(true, own).unwrap();
    let npv = calls.predictive_value(false, own).unwrap();
    assert!((ppv.value - 61.0 / 83.0).abs() < 1e-14);
    assert!((npv.value - 130.0 / 147.0).abs() < 1e-14);
    let rare = calls.predictive_value(true, 0.01).unwrap();
    let expected = 0.01 * (61.0 / 78.0) / (0.01 * 61.0 / 78.0 + 0.99 * 22.0 / 152.0);
    assert!((rare.value - expected).abs() < 1e-15);
    assert_eq!(rare.variance, ppv.variance);
    assert!(rare.interval(0.95).unwrap().contains(rare.value));
    assert_eq!(
        calls.predictive_value(true, 1.0),
        Err(AccuracyFault::Undefined)
    );
}
