//! Trend of a proportion over ordered groups (Cochran 1954, doi:10.2307/3001616; Armitage
//! 1955, doi:10.2307/3001775).
//!
//! From: `statistic::contingency`, where the axis is ordered.
//! To: the report's contingency tables. In strata: `generalised::LinearAssociation`.

use super::interval::Test;
use super::sum::sum_iter;

/// The test of no linear trend over groups with `scores`: `counts` has one pair of events and
/// cases without the event per group. As R's `prop.trend.test`; 1 degree of freedom. It is
/// `n / (n - 1)` times the linear-by-linear statistic of one stratum.
///
/// `None` for lists of different length, negative counts, or where everybody has one score or
/// one response.
pub fn cochran_armitage(counts: &[[f64; 2]], scores: &[f64]) -> Option<Test> {
    let proper = |c: &f64| *c >= 0.0 && c.is_finite();
    if counts.len() != scores.len()
        || !counts.iter().flatten().all(proper)
        || !scores.iter().all(|s| s.is_finite())
    {
        return None;
    }
    let size = |pair: &[f64; 2]| pair[0] + pair[1];
    let n = sum_iter(counts.iter().map(size));
    let events = sum_iter(counts.iter().map(|pair| pair[0]));
    let share = events / n;
    let mean = sum_iter(counts.iter().zip(scores).map(|(c, s)| size(c) * s)) / n;
    let gap = sum_iter(
        counts
            .iter()
            .zip(scores)
            .map(|(c, s)| (c[0] - size(c) * share) * (s - mean)),
    );
    let squares = sum_iter(
        counts
            .iter()
            .zip(scores)
            .map(|(c, s)| size(c) * (s - mean) * (s - mean)),
    );
    let variance = share * (1.0 - share) * squares;
    (variance > 0.0)
        .then(|| gap * gap / variance)
        .and_then(|statistic| Test::chi2(statistic, 1))
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::numeric::generalised::LinearAssociation;

    const COUNTS: [[f64; 2]; 4] = [[58.0, 120.0], [139.0, 155.0], [240.0, 105.0], [72.0, 31.0]];

    #[test]
    fn the_trend_over_age_bands_equals_r() {
        let test = cochran_armitage(&COUNTS, &[1.0, 2.0, 3.0, 4.0]).unwrap();
        assert!((test.statistic / 73.881_020_593_386_1 - 1.0).abs() < 1e-9);
        assert!((test.p / 8.297_023_444_477_28e-18 - 1.0).abs() < 1e-6);
    }

    #[test]
    fn it_is_the_linear_association_of_one_stratum() {
        let table: Vec<Vec<f64>> = COUNTS.iter().map(|row| row.to_vec()).collect();
        let scores = [0.0, 1.0, 5.0, 6.5];
        let linear = LinearAssociation::of(&table, &scores, &[1.0, 0.0]).unwrap();
        let expected = linear.test().unwrap().statistic * 920.0 / 919.0;
        let got = cochran_armitage(&COUNTS, &scores).unwrap().statistic;
        assert!((got - expected).abs() < 1e-10);
    }

    #[test]
    fn nothing_to_compare_is_no_test() {
        assert_eq!(cochran_armitage(&COUNTS, &[1.0; 4]), None);
        assert_eq!(cochran_armitage(&COUNTS, &[1.0]), None);
        assert_eq!(
            cochran_armitage(&[[3.0, 0.0], [4.0, 0.0]], &[1.0, 2.0]),
            None
        );
        assert_eq!(cochran_armitage(&[], &[]), None);
        assert_eq!(
            cochran_armitage(&[[-1.0, 2.0], [1.0, 2.0]], &[1.0, 2.0]),
            None
        );
    }
}
