//! Midranks.
//!
//! Ties are found by equality of the sorted values themselves, never by comparing recomputed
//! averages, and ranks are kept doubled, as integers: a midrank is a half-integer, so twice
//! it is exact.
//!
//! From: `statistic`.
//! To: rank statistics, `delong`, `ranked`, `permutation`.

/// Rows by rising value, ties in the order given.
#[derive(Clone, Debug, Default, PartialEq)]
pub struct Ascending {
    /// The rows.
    pub row: Vec<u32>,
    /// For each whether its value is that of the row before it.
    pub tied: Vec<bool>,
}

impl Ascending {
    /// Sorts `values`, fewer than 2^32 and none of them NaN; zero and minus zero are one value.
    pub fn of(values: &[f64]) -> Self {
        let sorted = sorted(values.iter().copied().enumerate());
        let tied = std::iter::once(false).chain(
            sorted
                .windows(2)
                .map(|pair| value_bits(pair[0]) == value_bits(pair[1])),
        );
        Self {
            row: sorted.iter().map(|packed| row_of(*packed)).collect(),
            tied: tied.take(sorted.len()).collect(),
        }
    }

    /// The rows of each distinct value.
    pub fn runs(&self) -> impl Iterator<Item = &[u32]> {
        let mut start = 0;
        std::iter::from_fn(move || {
            let rest = self.tied.get(start + 1..)?;
            let ties = rest.iter().take_while(|tied| **tied).count();
            let run = self.row.get(start..=start + ties)?;
            start += run.len();
            Some(run)
        })
    }
}

/// Rows by rising value, ties in the order given: the value's bits as an integer that sorts
/// alike, above the row's number. Integers sort faster than doubles by comparison, and in one
/// pass where the rows come sorted.
pub(super) fn sorted(rows: impl Iterator<Item = (usize, f64)>) -> Vec<u128> {
    let packed = rows.map(|(row, value)| (u128::from(sortable(value)) << ROW_BITS) | row as u128);
    let mut sorted: Vec<u128> = packed.collect();
    sorted.sort_unstable();
    sorted
}

/// Bits that hold a row's number.
const ROW_BITS: u32 = 32;

/// The value of a packed row, as bits that are equal for equal values and rise with them.
pub(super) fn value_bits(packed: u128) -> u128 {
    packed >> ROW_BITS
}

/// The row of a packed row.
pub(super) fn row_of(packed: u128) -> u32 {
    u32::try_from(packed & u128::from(u32::MAX)).unwrap_or(u32::MAX)
}

/// The bits of a value, turned so that their order as integers is that of the values.
fn sortable(value: f64) -> u64 {
    const SIGN: u64 = 1 << 63;
    let bits = (value + 0.0).to_bits();
    if bits & SIGN == 0 { bits | SIGN } else { !bits }
}

/// Twice the midrank of each value, in the order given; ranks run from 1 to `n`, so that
/// doubled ranks run from 2 to `2 n` and add to `n (n + 1)`. `None` if a value is NaN.
pub fn doubled_midranks(values: &[f64]) -> Option<Vec<u64>> {
    if values.iter().any(|v| v.is_nan()) {
        return None;
    }
    let mut doubled = vec![0; values.len()];
    let mut first = 0;
    for run in Ascending::of(values).runs() {
        let twice = doubled_rank(first, run);
        for row in run {
            doubled[*row as usize] = twice;
        }
        first += run.len();
    }
    Some(doubled)
}

/// Twice the midrank of rows of one value, above `first` rows of lower ones: of ranks `first + 1`
/// to `first + ties` twice the mean is the sum of the two ends.
pub(super) fn doubled_rank(first: usize, run: &[u32]) -> u64 {
    (2 * first + run.len() + 1) as u64
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
