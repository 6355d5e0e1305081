use super::*;

fn close(got: f64, expected: f64, tolerance: f64) {
    assert!(
        (got - expected).abs() <= tolerance * expected.abs() + 1e-12,
        "{got:e} is not {expected:e}"
    );
}

/// Made by a linear congruence: no structure, no seed to lose.
fn rows(n: usize) -> (Vec<f64>, Vec<bool>) {
    let mut state = 12_345_u64;
    let mut unit = || {
        state = state
            .wrapping_mul(6_364_136_223_846_793_005)
            .wrapping_add(1);
        f64::from(u32::try_from(state >> 32).unwrap()) / f64::from(u32::MAX)
    };
    let lp: Vec<f64> = (0..n).map(|_| 5.0 * unit() - 3.0).collect();
    let outcome = lp
        .iter()
        .map(|x| unit() < 1.0 / (1.0 + libm::exp(-0.3 - 0.7 * x)))
        .collect();
    (lp, outcome)
}

#[test]
fn a_block_is_the_derivatives_of_the_likelihood() {
    let (lp, outcome) = rows(300);
    let at = |intercept, slope| NewtonBlock::of(&lp, &outcome, Coefficients { intercept, slope });
    let (block, h) = (at(0.2, 0.8), 1e-5);
    let direct: f64 = lp
        .iter()
        .zip(&outcome)
        .map(|(x, y)| {
            let p = 1.0 / (1.0 + libm::exp(-0.2 - 0.8 * x));
            libm::log(if *y { p } else { 1.0 - p })
        })
        .sum();
    close(block.loglik, direct, 1e-13);
    let by_intercept = (at(0.2 + h, 0.8).loglik - at(0.2 - h, 0.8).loglik) / (2.0 * h);
    let by_slope = (at(0.2, 0.8 + h).loglik - at(0.2, 0.8 - h).loglik) / (2.0 * h);
    close(block.score[0], by_intercept, 1e-6);
    close(block.score[1], by_slope, 1e-6);
    let second = |i: usize, a: NewtonBlock, b: NewtonBlock| (b.score[i] - a.score[i]) / (2.0 * h);
    close(
        block.information[0],
        second(0, at(0.2 + h, 0.8), at(0.2 - h, 0.8)),
        1e-6,
    );
    close(
        block.information[1],
        second(1, at(0.2 + h, 0.8), at(0.2 - h, 0.8)),
        1e-6,
    );
    close(
        block.information[2],
        second(1, at(0.2, 0.8 + h), at(0.2, 0.8 - h)),
        1e-6,
    );
}

#[test]
fn merged_blocks_fit_as_the_rows_do() {
    let (lp, outcome) = rows(997);
    let whole = fit(&lp, &outcome, Free::Both, Coefficients::START).unwrap();
    for cut in [1, 64, 200, 996] {
        let merged = iterate(Coefficients::START, Free::Both, 8, |at| {
            NewtonBlock::of(&lp[..cut], &outcome[..cut], at).merge(NewtonBlock::of(
                &lp[cut..],
                &outcome[cut..],
                at,
            ))
        })
        .unwrap();
        close(merged.coefficients.slope, whole.coefficients.slope, 1e-12);
        close(
            merged.coefficients.intercept,
            whole.coefficients.intercept,
            1e-12,
        );
        close(merged.covariance[2], whole.covariance[2], 1e-12);
        close(merged.loglik, whole.loglik, 1e-13);
    }
    let gradient = NewtonBlock::of(&lp, &outcome, whole.coefficients).score;
    assert!(
        gradient.iter().all(|part| part.abs() < 1e-9),
        "{gradient:?}"
    );
}

#[test]
fn calibration_in_the_large_matches_observed_and_expected() {
    let (lp, outcome) = rows(400);
    let found = fit(&lp, &outcome, Free::Intercept, Coefficients::START).unwrap();
    assert_eq!(found.coefficients.slope, 1.0);
    let block = NewtonBlock::of(&lp, &outcome, found.coefficients);
    assert!(block.score[0].abs() < 1e-9);
    close(found.covariance[0], 1.0 / block.information[0], 1e-9);
}

#[test]
fn what_has_no_maximum_says_why() {
    let both = |lp: &[f64], outcome: &[bool]| fit(lp, outcome, Free::Both, Coefficients::START);
    assert_eq!(both(&[], &[]), Err(FitFault::Empty));
    assert_eq!(both(&[0.1, 0.4], &[true, true]), Err(FitFault::OneClass));
    assert_eq!(
        fit(&[0.1], &[false], Free::Intercept, Coefficients::START),
        Err(FitFault::OneClass)
    );
    assert_eq!(both(&[0.3, 0.3], &[true, false]), Err(FitFault::Constant));
    let mixed = [false, false, true, true];
    assert_eq!(
        both(&[-1.0, 0.0, 1.0, 2.0], &mixed),
        Err(FitFault::Separated)
    );
    assert_eq!(
        both(&[2.0, 1.0, 0.0, -1.0], &mixed),
        Err(FitFault::Separated)
    );
    assert_eq!(
        both(&[-1.0, 0.5, 0.5, 2.0], &mixed),
        Err(FitFault::Separated)
    );
    assert!(both(&[-1.0, 0.6, 0.5, 2.0], &mixed).is_ok());
    // Sums of separated blocks do not converge in eight steps.
    let lp = [-1.0, 0.0, 1.0, 2.0];
    let sums = iterate(Coefficients::START, Free::Both, 8, |at| {
        NewtonBlock::of(&lp, &mixed, at)
    });
    assert!(sums.is_err());
}

#[test]
fn far_off_predictions_still_converge() {
    // Ten times too confident, and shifted: plain Newton overshoots from the start.
    let (lp, outcome) = rows(500);
    let wild: Vec<f64> = lp.iter().map(|x| 10.0 * x - 25.0).collect();
    let found = fit(&wild, &outcome, Free::Both, Coefficients::START).unwrap();
    let plain = fit(&lp, &outcome, Free::Both, Coefficients::START).unwrap();
    close(
        found.coefficients.slope * 10.0,
        plain.coefficients.slope,
        1e-9,
    );
    close(found.loglik, plain.loglik, 1e-12);
    let large = fit(&wild, &outcome, Free::Intercept, Coefficients::START).unwrap();
    let score = NewtonBlock::of(&wild, &outcome, large.coefficients).score[0];
    assert!(score.abs() < 1e-8, "{score}");
}

#[test]
fn clipping_moves_and_counts() {
    let found = ClippedLogits::of(&[0.0, 1e-7, 0.5, 1.0], 1e-6).unwrap();
    assert_eq!(found.clipped, 3);
    assert_eq!(found.lp[2], 0.0);
    close(found.lp[0], libm::log(1e-6 / (1.0 - 1e-6)), 1e-14);
    assert_eq!(found.lp[0], found.lp[1]);
    assert!((found.lp[3] + found.lp[0]).abs() < 1e-9);
    assert_eq!(ClippedLogits::of(&[0.5], 0.5), None);
    assert_eq!(ClippedLogits::of(&[1.5], 1e-6), None);
    assert_eq!(ClippedLogits::of(&[f64::NAN], 1e-6), None);
}
