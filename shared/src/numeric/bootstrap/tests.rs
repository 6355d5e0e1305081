use super::*;

fn mean_of(values: &[f64]) -> impl Fn(&[u32]) -> [Option<f64>; 1] + '_ {
    move |weights| {
        let total: f64 = weights.iter().map(|w| f64::from(*w)).sum();
        let sum: f64 = weights
            .iter()
            .zip(values)
            .map(|(w, v)| f64::from(*w) * v)
            .sum();
        [(total > 0.0).then(|| sum / total)]
    }
}

#[test]
fn a_resample_is_the_same_on_every_machine() {
    // The first output of SplitMix64 seeded with 0.
    assert_eq!(mix(GOLDEN), 0xe220_a839_7b1d_cdaf);
    let mut weights = [0; 10];
    draw(20_260_101, 3, &mut weights);
    assert_eq!(weights, [2, 0, 0, 4, 1, 0, 2, 0, 1, 0]);
    draw(20_260_101, 4, &mut weights);
    assert_eq!(weights.iter().sum::<u32>(), 10);
    draw(1, 0, &mut []);
}

#[test]
fn resamples_do_not_depend_on_how_their_numbers_are_split() {
    let values: Vec<f64> = (0..31).map(|i| f64::from(i * i % 17)).collect();
    let [whole] = replicate(31, 9, 0..100, mean_of(&values));
    let [mut first] = replicate(31, 9, 0..37, mean_of(&values));
    let [second] = replicate(31, 9, 37..100, mean_of(&values));
    first.extend(second);
    assert_eq!(whole, first);
    let [other] = replicate(31, 10, 0..100, mean_of(&values));
    assert_ne!(whole, other);
}

#[test]
fn every_patient_is_drawn_equally_often() {
    let mut totals = [0_u32; 7];
    let mut weights = [0; 7];
    for number in 0..20_000 {
        draw(5, number, &mut weights);
        totals.iter_mut().zip(weights).for_each(|(t, w)| *t += w);
    }
    assert_eq!(totals.iter().sum::<u32>(), 140_000);
    // Standard deviation of each total: sqrt(140000 / 7 * 6 / 7) = 131.
    assert!(
        totals.iter().all(|t| t.abs_diff(20_000) < 600),
        "{totals:?}"
    );
}

#[test]
fn the_mean_of_a_normal_sample_gets_its_textbook_error() {
    let values: Vec<f64> = (1..400)
        .map(|i| normal_quantile(f64::from(i) / 400.0).unwrap())
        .collect();
    let [replicates] = replicate(399, 1, 0..4000, mean_of(&values));
    let [leavings] = jackknife(399, mean_of(&values));
    let got = Bootstrap::of(Some(0.0), &replicates, &leavings, 0.95);
    let expected = (Moments::of(&values).unwrap().m2 / 399.0 / 399.0).sqrt();
    assert_eq!(got.status, BootstrapStatus::Estimated);
    assert!((got.standard_error.unwrap() / expected - 1.0).abs() < 0.05);
    for interval in [got.percentile.unwrap(), got.bca.unwrap()] {
        assert!((interval.lower / (-1.96 * expected) - 1.0).abs() < 0.08);
        assert!((interval.upper / (1.96 * expected) - 1.0).abs() < 0.08);
    }
}

#[test]
fn bca_moves_to_the_long_side_of_a_skewed_mean() {
    let values: Vec<f64> = (0..40).map(|i| libm::exp(f64::from(i) / 8.0)).collect();
    let [replicates] = replicate(40, 4, 0..2000, mean_of(&values));
    let [leavings] = jackknife(40, mean_of(&values));
    let estimate = mean(&values);
    let got = Bootstrap::of(estimate, &replicates, &leavings, 0.95);
    let (percentile, bca) = (got.percentile.unwrap(), got.bca.unwrap());
    assert!(bca.lower > percentile.lower && bca.upper > percentile.upper);
    // A sixth of the skewness of the values over the root of their number, by definition.
    let centre = estimate.unwrap();
    let moment = |p: f64| values.iter().map(|v| libm::pow(v - centre, p)).sum::<f64>();
    let expected = moment(3.0) / (6.0 * libm::pow(moment(2.0), 1.5));
    assert!((acceleration(&leavings).unwrap() / expected - 1.0).abs() < 1e-9);
}

#[test]
fn a_grouped_jackknife_leaves_everybody_out_once() {
    let values = vec![1.0; 2503];
    let mut left_out = vec![0_u32; 2503];
    let mut calls = 0;
    jackknife(2503, |weights| {
        calls += 1;
        for (times, weight) in left_out.iter_mut().zip(weights) {
            *times += 1 - weight;
        }
        mean_of(&values)(weights)
    });
    assert_eq!(calls, JACKKNIFE_GROUPS);
    assert!(left_out.iter().all(|times| *times == 1));
}

#[test]
fn degenerate_resamples_have_a_status() {
    let status = |values: &[Option<f64>]| {
        let got = Bootstrap::of(Some(0.5), values, &[], 0.95);
        (got.status, got.percentile.is_some(), got.bca.is_some())
    };
    let none = |status| (status, false, false);
    assert_eq!(status(&[]), none(BootstrapStatus::TooFewResamples));
    assert_eq!(status(&[Some(0.5); 50]), none(BootstrapStatus::NoSpread));
    let rising: Vec<Option<f64>> = (0..100).map(|i| Some(f64::from(i) / 100.0)).collect();
    assert_eq!(status(&rising), (BootstrapStatus::Estimated, true, false));
    assert_eq!(
        status(&rising[..30]),
        none(BootstrapStatus::TooFewResamples)
    );
    let mut holes = rising.clone();
    holes[..6].fill(None);
    assert_eq!(status(&holes), none(BootstrapStatus::Degenerate));
    let without = Bootstrap::of(None, &rising, &[], 0.95);
    assert_eq!(without.status, BootstrapStatus::NoEstimate);
    // An estimate that no resample reaches has no finite bias correction.
    let far = Bootstrap::of(Some(7.0), &rising, &[Some(0.1), Some(0.4)], 0.95);
    assert!(far.percentile.is_some() && far.bca.is_none());
}

#[test]
fn percentiles_interpolate_between_order_statistics() {
    let sorted: Vec<f64> = (1..=39).map(f64::from).collect();
    assert_eq!(quantile(&sorted, 0.025), Some(1.0));
    assert_eq!(quantile(&sorted, 0.5), Some(20.0));
    assert_eq!(quantile(&sorted, 0.51), Some(20.4));
    assert_eq!(quantile(&sorted, 0.02), None);
}
