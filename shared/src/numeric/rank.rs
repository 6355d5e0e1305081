//! Midranks.
//!
//! Ties are found by equality of the sorted values themselves, never by comparing recomputed
//! averages, and ranks are kept doubled, as integers: a midrank is a half-integer, so twice
//! it is exact.
//!
//! From: `statistic`.
//! To: rank statistics.

/// Twice the midrank of each value, in the order given; ranks run from 1 to `n`, so that
/// doubled ranks run from 2 to `2 n` and add to `n (n + 1)`. `None` if a value is NaN.
pub fn doubled_midranks(values: &[f64]) -> Option<Vec<u64>> {
    if values.iter().any(|v| v.is_nan()) {
        return None;
    }
    let mut order: Vec<usize> = (0..values.len()).collect();
    order.sort_by(|a, b| values[*a].total_cmp(&values[*b]));
    let mut doubled = vec![0; values.len()];
    let mut first = 0;
    while first < order.len() {
        let value = values[order[first]];
        let ties = order[first..]
            .iter()
            .take_while(|row| values[**row] == value)
            .count();
        // Ranks first+1 ..= first+ties; twice their mean is the sum of the two ends.
        let twice = (2 * first + ties + 1) as u64;
        for row in &order[first..first + ties] {
            doubled[*row] = twice;
        }
        first += ties;
    }
    Some(doubled)
}

/// The midrank of each value, in the order given, from 1 to `n`. `None` if a value is NaN.
pub fn midranks(values: &[f64]) -> Option<Vec<f64>> {
    let doubled = doubled_midranks(values)?;
    Some(
        doubled
            .into_iter()
            .map(|twice| super::sum::count(twice) / 2.0)
            .collect(),
    )
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn ties_share_the_mean_of_their_ranks() {
        assert_eq!(
            midranks(&[3.0, 1.0, 3.0, 2.0]),
            Some(vec![3.5, 1.0, 3.5, 2.0])
        );
        assert_eq!(midranks(&[0.0, -0.0, 0.0]), Some(vec![2.0; 3]));
        assert_eq!(midranks(&[]), Some(vec![]));
        assert_eq!(midranks(&[1.0, f64::NAN]), None);
    }

    #[test]
    fn doubled_ranks_add_to_n_times_n_plus_one() {
        let values: Vec<f64> = (0..101).map(|i| f64::from(i * i % 13)).collect();
        assert_eq!(
            doubled_midranks(&values).unwrap().iter().sum::<u64>(),
            101 * 102
        );
    }
}
