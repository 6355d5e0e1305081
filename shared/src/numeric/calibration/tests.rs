use super::bins::{Decomposition, calibration_error, collect, equal_width};
use super::*;
use crate::numeric::logistic::{ClippedLogits, site_intercepts};

fn close(got: f64, expected: f64, tolerance: f64) {
    assert!(
        (got - expected).abs() <= tolerance * expected.abs() + 1e-12,
        "{got:e} is not {expected:e}"
    );
}

fn rows(n: usize, seed: u64) -> (Vec<f64>, Vec<bool>) {
    let mut state = seed;
    let mut unit = || {
        state = state
            .wrapping_mul(6_364_136_223_846_793_005)
            .wrapping_add(1);
        f64::from(u32::try_from(state >> 32).unwrap()) / f64::from(u32::MAX)
    };
    let p: Vec<f64> = (0..n).map(|_| unit()).collect();
    let outcome = p.iter().map(|p| unit() < 0.1 + 0.7 * p).collect();
    (p, outcome)
}

#[test]
fn parts_of_the_brier_score_add_to_it() {
    let (p, y) = rows(700, 3);
    for bins in [1, 7, 10, 64] {
        let found = collect(&p, &y, bins, |p| equal_width(p, bins));
        let parts = Decomposition::of(&found).unwrap();
        close(parts.brier(), Sums::of(&p, &y).brier().unwrap(), 1e-12);
        let error = calibration_error(&found).unwrap();
        assert!(error.expected <= error.largest);
    }
    assert_eq!(Decomposition::of(&[]), None);
    assert_eq!(calibration_error(&[]), None);
}

#[test]
fn the_last_bin_holds_one() {
    assert_eq!(equal_width(1.0, 10), 9);
    assert_eq!(equal_width(0.0, 10), 0);
    assert_eq!(equal_width(0.999_999, 10), 9);
    assert_eq!(equal_width(0.1, 10), 1);
}

#[test]
fn one_row_per_patient_makes_the_sandwich_near_the_information() {
    let (p, y) = rows(4000, 5);
    let lp = ClippedLogits::of(&p, 1e-6).unwrap().lp;
    // Made logistic by its own fit: the information is then the right spread.
    let owners: Vec<u32> = (0..4000).collect();
    let plain = line(&lp, &y, None).unwrap();
    let robust = line(&lp, &y, Some(&owners)).unwrap();
    assert_eq!(plain.coefficients, robust.coefficients);
    assert!((robust.covariance[2] / plain.covariance[2] - 1.0).abs() < 0.25);
    assert!(plain.likelihood_ratio().is_some() && robust.likelihood_ratio().is_none());
    // Every row three times over one patient: the error stays that of one row.
    let thrice = |rows: &[f64]| [rows, rows, rows].concat();
    let events = [&y[..], &y, &y].concat();
    let owners3 = [&owners[..], &owners, &owners].concat();
    let again = line(&thrice(&lp), &events, Some(&owners3)).unwrap();
    close(again.covariance[2], robust.covariance[2], 1e-9);
    let large = in_the_large(&lp, &y, Some(&owners)).unwrap();
    let large3 = in_the_large(&thrice(&lp), &events, Some(&owners3)).unwrap();
    close(large3.variance, large.variance, 1e-9);
    let one = vec![0; 4000];
    assert_eq!(line(&lp, &y, Some(&one)), Err(FitFault::NotConverged));
}

#[test]
fn wald_and_likelihood_ratio_agree_in_large_samples() {
    let (p, y) = rows(20_000, 9);
    // Outcomes drawn from 0.1 + 0.7 p: shrink towards that, so that both tests see a little.
    let shrunk: Vec<f64> = p.iter().map(|p| 0.1 + 0.7 * p).collect();
    let lp = ClippedLogits::of(&shrunk, 1e-6).unwrap().lp;
    let found = line(&lp, &y, None).unwrap();
    let (wald, ratio) = (found.wald().unwrap(), found.likelihood_ratio().unwrap());
    assert!((wald.statistic - ratio.statistic).abs() < 0.05 * ratio.statistic + 0.05);
}

#[test]
fn sums_of_parts_are_the_sums_of_all() {
    let (p, y) = rows(500, 11);
    let whole = Sums::of(&p, &y);
    let merged = Sums::of(&p[..123], &y[..123]).merge(Sums::of(&p[123..], &y[123..]));
    assert_eq!((merged.n, merged.events), (whole.n, whole.events));
    close(merged.square, whole.square, 1e-13);
    close(
        merged.spiegelhalter().unwrap(),
        whole.spiegelhalter().unwrap(),
        1e-11,
    );
    let half = Sums::of(&[0.5, 0.5], &[true, false]);
    assert_eq!(half.spiegelhalter(), None);
    assert_eq!(Sums::default().brier(), None);
    assert_eq!(Sums::of(&[0.2], &[true]).scaled_brier(), None);
    assert_eq!(Sums::of(&[0.0], &[true]).observed_expected(), None);
}

#[test]
fn one_hospital_with_its_own_intercept_is_the_line() {
    let (p, y) = rows(600, 13);
    let lp = ClippedLogits::of(&p, 1e-6).unwrap().lp;
    let alone = line(&lp, &y, None).unwrap();
    let found = site_intercepts::fit(1, |_, at| NewtonBlock::of(&lp, &y, at)).unwrap();
    close(found.slope, alone.coefficients.slope, 1e-11);
    close(found.intercepts[0], alone.coefficients.intercept, 1e-11);
    close(found.slope_variance, alone.covariance[2], 1e-9);
    close(found.intercept_variances[0], alone.covariance[0], 1e-9);
    let one_class = site_intercepts::fit(2, |site, at| {
        let y = if site == 0 {
            y.clone()
        } else {
            vec![true; 600]
        };
        NewtonBlock::of(&lp, &y, at)
    });
    assert_eq!(one_class, Err(FitFault::OneClass));
}

#[test]
fn the_index_is_zero_where_nothing_moves() {
    let p = [0.1, 0.4, 0.8];
    let lp = ClippedLogits::of(&p, 1e-6).unwrap().lp;
    let found = index(&lp, &p, Coefficients::START).unwrap();
    assert!(found.ici < 1e-15 && found.e90 < 1e-15);
    let shifted = Coefficients {
        intercept: 1.0,
        slope: 1.0,
    };
    let found = index(&lp, &p, shifted).unwrap();
    assert!(found.e50 <= found.e90 && found.ici > 0.05);
    assert_eq!(index(&[], &[], shifted), None);
}
