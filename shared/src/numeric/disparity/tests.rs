//! The laws of ranges against simulation, and the coverage of the interval.

use super::*;
use crate::numeric::proportion::wilson;
use crate::numeric::random::Draws;

fn drawn(draws: &mut Draws, n: u64, share: f64) -> u64 {
    (0..n).filter(|_| draws.unit() < share).count() as u64
}

#[test]
fn the_expected_range_of_two_small_groups_by_hand() {
    // Two coins: the shares differ with probability one half, then by 1.
    assert!((expected_range_of_shares(&[1, 1], 0.5).unwrap() - 0.5).abs() < 1e-15);
    // One coin against a group of two.
    let by_hand = 0.5 * (0.25 * 0.0 + 0.5 * 0.5 + 0.25 * 1.0) * 2.0;
    assert!((expected_range_of_shares(&[1, 2], 0.5).unwrap() - by_hand).abs() < 1e-15);
    assert_eq!(expected_range_of_shares(&[5, 9], 0.0), Some(0.0));
    assert_eq!(expected_range_of_shares(&[5, 9], 1.0), Some(0.0));
}

#[test]
fn the_expected_range_is_that_of_simulated_groups() {
    let sizes = [20, 35, 50, 80, 200];
    let mut draws = Draws::new(5);
    let runs = 20_000;
    let mut sum = 0.0;
    for _ in 0..runs {
        let shares = sizes.map(|n| drawn(&mut draws, n, 0.8) as f64 / n as f64);
        sum += range(&shares).unwrap();
    }
    let expected = expected_range_of_shares(&sizes, 0.8).unwrap();
    assert!((sum / f64::from(runs) / expected - 1.0).abs() < 0.01);
}

#[test]
fn large_groups_are_nearly_normal() {
    let sizes = [40_000, 90_000, 1_000_000];
    let errors = sizes.map(|n| (0.3 * 0.7 / n as f64).sqrt());
    let (exact, normal) = (
        expected_range_of_shares(&sizes, 0.3).unwrap(),
        expected_range_of_estimates(&errors).unwrap(),
    );
    assert!((exact / normal - 1.0).abs() < 1e-4, "{exact} {normal}");
}

#[test]
fn the_expected_range_of_normal_estimates() {
    // Two: the mean absolute difference, sqrt(2 / pi) times its standard deviation. Five equal
    // ones: 2.325929, the d2 of control charts (Tippett 1925, doi:10.2307/2332087).
    let two = expected_range_of_estimates(&[3.0, 4.0]).unwrap();
    assert!((two - 5.0 * (2.0 / std::f64::consts::PI).sqrt()).abs() < 1e-8);
    let five = expected_range_of_estimates(&[1.0; 5]).unwrap();
    assert!((five - 2.325_928_947).abs() < 1e-8, "{five}");
    let uneven = expected_range_of_estimates(&[0.01, 1.0]).unwrap();
    assert!((uneven - (1.0001 * 2.0 / std::f64::consts::PI).sqrt()).abs() < 1e-8);
}

#[test]
fn the_interval_covers_the_range_also_under_equality() {
    let sizes = [30, 45, 60, 80, 120];
    for shares in [[0.8; 5], [0.65, 0.8, 0.8, 0.85, 0.9]] {
        let truth = range(&shares).unwrap();
        let mut draws = Draws::new(17);
        let runs = 1000;
        let mut covered = 0;
        for _ in 0..runs {
            let level = each_level(0.95, 5).unwrap();
            let together: Vec<Interval> = sizes
                .iter()
                .zip(shares)
                .map(|(n, p)| wilson(drawn(&mut draws, *n, p), *n, level).unwrap())
                .collect();
            covered += u32::from(range_interval(&together).unwrap().contains(truth));
        }
        assert!(covered >= 940, "{covered} of {runs}");
    }
}

#[test]
fn unequal_estimates_are_found_and_equal_ones_are_not() {
    let equal = homogeneity_of_estimates(&[(1.0, 0.1), (1.0, 0.2), (1.0, 0.3)]).unwrap();
    assert!(equal.statistic < 1e-20 && equal.df == 2);
    // Two estimates: the square of the standardised difference.
    let two = homogeneity_of_estimates(&[(1.0, 0.1), (2.0, 0.3)]).unwrap();
    assert!((two.statistic - 2.5).abs() < 1e-12);
    assert_eq!(homogeneity_of_estimates(&[(1.0, 0.1)]), None);
    assert_eq!(homogeneity_of_estimates(&[(1.0, 0.1), (1.0, 0.0)]), None);
}

#[test]
fn what_is_not_defined_is_none() {
    assert_eq!(range(&[0.4]), None);
    assert_eq!(ratio(&[0.0, 0.0]), None);
    assert_eq!(ratio(&[0.0, 0.5]), Some(0.0));
    assert_eq!(expected_range_of_shares(&[10, 0], 0.5), None);
    assert_eq!(expected_range_of_shares(&[10, 10], f64::NAN), None);
    assert_eq!(expected_range_of_estimates(&[1.0, 0.0]), None);
    assert_eq!(
        range_interval(&[Interval {
            lower: 0.0,
            upper: 1.0
        }]),
        None
    );
    assert_eq!(each_level(0.95, 0), None);
    let events_only = GroupCounts {
        true_positive: 3,
        ..GroupCounts::default()
    };
    let none = Fairness::of(&[events_only, events_only]);
    assert_eq!(none.equalised_odds_difference, None);
    assert_eq!(none.equal_opportunity_difference, Some(0.0));
}
