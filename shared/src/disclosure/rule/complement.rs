//! D4, first half, and decision P5: hiding a row of a table hides nothing when the other rows and
//! the total are known. Rows are shown or hidden whole; the hidden rows together are nobody, or
//! at least k patients in every column.
//!
//! From: exact tables, one row per level, missing levels included.
//! To: `review` (contingency and subgroup tables, characteristics).

use crate::disclosure::policy::Policy;

/// Which rows may be shown, of those in `within`. `rows[r][c]` is the number of distinct patients
/// at level `r` in column `c`; every column's total counts as known. `clustered` says that a
/// patient may stand in several rows.
pub fn visible(policy: &Policy, rows: &[Vec<u64>], within: &[bool], clustered: bool) -> Vec<bool> {
    if !policy.protects() {
        return vec![true; rows.len()];
    }
    let k = policy.min_cell();
    let mut shown: Vec<bool> = rows
        .iter()
        .zip(within)
        .map(|(row, within)| *within && row.iter().all(|cell| *cell >= k))
        .collect();
    while !hidden_is_safe(rows, &shown, k, clustered) {
        let smallest = (0..rows.len())
            .filter(|row| shown[*row])
            .min_by_key(|row| (rows[*row].iter().sum::<u64>(), *row));
        match smallest {
            Some(row) => shown[row] = false,
            None => break,
        }
    }
    shown
}

/// Patients may stand in two rows, so the sum over hidden rows can exceed the number of hidden
/// patients; with one row per patient it is exact. Where patients repeat, the largest hidden
/// row is what is certain.
fn hidden_is_safe(rows: &[Vec<u64>], shown: &[bool], k: u64, clustered: bool) -> bool {
    let hidden = || {
        rows.iter()
            .zip(shown)
            .filter(|(_, shown)| !**shown)
            .map(|(row, _)| row)
    };
    let empty = hidden().all(|row| row.iter().all(|cell| *cell == 0));
    let columns = rows.first().map_or(0, Vec::len);
    let people = |column: usize| {
        let cells = hidden().map(|row| row[column]);
        if clustered {
            cells.max().unwrap_or(0)
        } else {
            cells.sum()
        }
    };
    empty || (0..columns).all(|column| people(column) >= k)
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::disclosure::policy::STANDARD;

    fn shown(rows: &[Vec<u64>]) -> Vec<bool> {
        let within = vec![true; rows.len()];
        visible(&Policy::parse(STANDARD).unwrap(), rows, &within, false)
    }

    #[test]
    fn one_hidden_row_takes_another_with_it() {
        assert_eq!(
            shown(&[vec![40, 70], vec![3, 20], vec![30, 60]]),
            [true, false, false]
        );
        assert_eq!(shown(&[vec![40, 50], vec![3, 20]]), [false, false]);
    }

    #[test]
    fn patients_in_two_rows_are_not_counted_twice() {
        // The same six patients may stand in both hidden rows.
        let rows = [vec![40, 50], vec![6, 20], vec![6, 20]];
        let policy = Policy::parse(STANDARD).unwrap();
        let shown = visible(&policy, &rows, &[true; 3], true);
        assert_eq!(shown, [false, false, false]);
    }

    #[test]
    fn an_empty_level_hides_alone() {
        assert_eq!(
            shown(&[vec![40, 50], vec![30, 20], vec![0, 0]]),
            [true, true, false]
        );
    }

    #[test]
    fn a_hidden_zero_is_not_given_away() {
        // Only the second row is small; alone it would be known to hold nobody in column two.
        assert_eq!(shown(&[vec![105, 80], vec![10, 0]]), [false, false]);
    }

    #[test]
    fn enough_hidden_patients_stay_alone() {
        let rows = [vec![40, 50], vec![6, 20], vec![7, 20]];
        assert_eq!(shown(&rows), [true, false, false]);
    }
}
