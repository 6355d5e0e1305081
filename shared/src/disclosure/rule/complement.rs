//! D4, first half, and rulings D5: hiding a row of a table hides nothing when the other rows and
//! the total are known. Rows are shown or hidden whole; the hidden rows together are nobody, or
//! at least k patients in every column.
//!
//! From: exact tables, one row per level, missing levels included.
//! To: `review` (contingency and subgroup tables, characteristics).

use crate::disclosure::policy::Policy;

/// Which rows may be shown. `rows[r][c]` is the number of distinct patients at level `r` in
/// column `c`; every column's total counts as known.
pub fn visible(policy: &Policy, rows: &[Vec<u64>]) -> Vec<bool> {
    if !policy.protects() {
        return vec![true; rows.len()];
    }
    let k = policy.min_cell();
    let mut shown: Vec<bool> = rows
        .iter()
        .map(|row| row.iter().all(|cell| *cell >= k))
        .collect();
    while !hidden_is_safe(rows, &shown, k) {
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
fn hidden_is_safe(rows: &[Vec<u64>], shown: &[bool], k: u64) -> bool {
    let hidden = || {
        rows.iter()
            .zip(shown)
            .filter(|(_, shown)| !**shown)
            .map(|(row, _)| row)
    };
    let empty = hidden().all(|row| row.iter().all(|cell| *cell == 0));
    let columns = rows.first().map_or(0, Vec::len);
    empty || (0..columns).all(|column| hidden().map(|row| row[column]).sum::<u64>() >= k)
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::disclosure::policy::STANDARD;

    fn shown(rows: &[Vec<u64>]) -> Vec<bool> {
        visible(&Policy::parse(STANDARD).unwrap(), rows)
    }

    #[test]
    fn one_hidden_row_takes_another_with_it() {
        assert_eq!(
            shown(&[vec![40, 50], vec![3, 20], vec![30, 60]]),
            [true, false, false]
        );
        assert_eq!(shown(&[vec![40, 50], vec![3, 20]]), [false, false]);
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
