//! Cochran-Mantel-Haenszel inference for larger tables in strata: the general association of
//! two nominal variables, and the linear-by-linear association of two scored ones.
//!
//! As with two-by-two tables the parts add: a vector of observed minus expected counts with
//! its covariance, or one scored sum with its variance.
//!
//! From: `statistic::contingency`.
//! To: the report's contingency tables.

use super::interval::Test;
use super::sum::sum_iter;

/// Why parts cannot be formed or added.
#[derive(Clone, Copy, Debug, Eq, PartialEq, thiserror::Error)]
pub enum GeneralisedFault {
    /// Tables or scores differ in shape, or have fewer than two rows or columns.
    #[error("tables differ in shape")]
    Shape,
    /// A cell is negative or not finite, or a score is not finite.
    #[error("a cell is not a count")]
    NotCounts,
}

/// The additive parts of one or more `r x c` strata.
#[derive(Clone, Debug, PartialEq)]
pub struct GeneralAssociation {
    /// Rows of each table.
    pub rows: usize,
    /// Columns of each table.
    pub columns: usize,
    /// Strata that entered.
    pub strata: u64,
    /// Strata passed over: fewer than two cases.
    pub skipped: u64,
    /// Observed minus expected counts of all cells but the last row's and last column's,
    /// column by column; `(r - 1)(c - 1)` numbers.
    pub deviation: Vec<f64>,
    /// Their conditional covariance, row by row of the square matrix, symmetric.
    pub covariance: Vec<f64>,
}

impl GeneralAssociation {
    /// Parts of no stratum.
    ///
    /// # Errors
    /// [`GeneralisedFault::Shape`] below two rows or two columns.
    pub fn empty(rows: usize, columns: usize) -> Result<Self, GeneralisedFault> {
        if rows < 2 || columns < 2 {
            return Err(GeneralisedFault::Shape);
        }
        let cells = (rows - 1) * (columns - 1);
        Ok(Self {
            rows,
            columns,
            strata: 0,
            skipped: 0,
            deviation: vec![0.0; cells],
            covariance: vec![0.0; cells * cells],
        })
    }

    /// The parts of one stratum (Landis, Heyman and Koch 1978, doi:10.2307/1402373).
    ///
    /// # Errors
    /// [`GeneralisedFault`].
    pub fn of(table: &[Vec<f64>]) -> Result<Self, GeneralisedFault> {
        let margins = Margins::of(table)?;
        let mut parts = Self::empty(margins.rows.len(), margins.columns.len())?;
        let n = margins.n;
        if n < 2.0 {
            parts.skipped = 1;
            return Ok(parts);
        }
        parts.strata = 1;
        let cells: Vec<(usize, usize)> = (0..parts.columns - 1)
            .flat_map(|j| (0..parts.rows - 1).map(move |i| (i, j)))
            .collect();
        // n diag(x) - x x' of one margin, over n: its multinomial spread.
        let spread = |totals: &[f64], a: usize, b: usize| {
            let own = if a == b { totals[a] } else { 0.0 };
            own - totals[a] * totals[b] / n
        };
        for (place, (i, j)) in cells.iter().enumerate() {
            parts.deviation[place] = table[*i][*j] - margins.rows[*i] * margins.columns[*j] / n;
            for (other, (k, l)) in cells.iter().enumerate() {
                parts.covariance[place * cells.len() + other] =
                    spread(&margins.rows, *i, *k) * spread(&margins.columns, *j, *l) / (n - 1.0);
            }
        }
        Ok(parts)
    }

    /// The parts of both sets of strata together.
    ///
    /// # Errors
    /// [`GeneralisedFault::Shape`] for tables of different shape.
    pub fn merge(mut self, other: &Self) -> Result<Self, GeneralisedFault> {
        if (self.rows, self.columns) != (other.rows, other.columns)
            || self.deviation.len() != other.deviation.len()
            || self.covariance.len() != other.covariance.len()
        {
            return Err(GeneralisedFault::Shape);
        }
        self.strata += other.strata;
        self.skipped += other.skipped;
        self.deviation
            .iter_mut()
            .zip(&other.deviation)
            .for_each(|(a, b)| *a += b);
        self.covariance
            .iter_mut()
            .zip(&other.covariance)
            .for_each(|(a, b)| *a += b);
        Ok(self)
    }

    /// Test of no association within strata; the degrees of freedom are the rank of the
    /// covariance, so that rows or columns empty in every stratum cost none. `None` if the
    /// margins leave no freedom.
    pub fn test(&self) -> Option<Test> {
        let (statistic, rank) = quadratic_form(&self.deviation, &self.covariance)?;
        Test::chi2(statistic, rank)
    }
}

/// The additive parts of linear-by-linear association.
#[derive(Clone, Copy, Debug, Default, PartialEq)]
pub struct LinearAssociation {
    /// Strata that entered.
    pub strata: u64,
    /// Strata passed over: fewer than two cases.
    pub skipped: u64,
    /// Sum of row score times column score over cases.
    pub observed: f64,
    /// Its conditional expectation.
    pub expected: f64,
    /// Its conditional variance.
    pub variance: f64,
}

impl LinearAssociation {
    /// The parts of one stratum for given row and column scores (Mantel 1963,
    /// doi:10.1080/01621459.1963.10500879). Scores are the protocol's, the same at all sites.
    ///
    /// # Errors
    /// [`GeneralisedFault`].
    pub fn of(
        table: &[Vec<f64>],
        row_scores: &[f64],
        column_scores: &[f64],
    ) -> Result<Self, GeneralisedFault> {
        let margins = Margins::of(table)?;
        if row_scores.len() != margins.rows.len() || column_scores.len() != margins.columns.len() {
            return Err(GeneralisedFault::Shape);
        }
        if row_scores
            .iter()
            .chain(column_scores)
            .any(|s| !s.is_finite())
        {
            return Err(GeneralisedFault::NotCounts);
        }
        let n = margins.n;
        if n < 2.0 {
            return Ok(Self {
                skipped: 1,
                ..Self::default()
            });
        }
        let mean = |totals: &[f64], scores: &[f64]| {
            sum_iter(totals.iter().zip(scores).map(|(t, s)| t * s)) / n
        };
        let (row_mean, column_mean) = (
            mean(&margins.rows, row_scores),
            mean(&margins.columns, column_scores),
        );
        let squares = |totals: &[f64], scores: &[f64], mean: f64| {
            sum_iter(
                totals
                    .iter()
                    .zip(scores)
                    .map(|(t, s)| t * (s - mean) * (s - mean)),
            )
        };
        let observed = sum_iter(table.iter().zip(row_scores).flat_map(|(row, u)| {
            row.iter()
                .zip(column_scores)
                .map(move |(cell, v)| cell * u * v)
        }));
        Ok(Self {
            strata: 1,
            skipped: 0,
            observed,
            expected: n * row_mean * column_mean,
            variance: squares(&margins.rows, row_scores, row_mean)
                * squares(&margins.columns, column_scores, column_mean)
                / (n - 1.0),
        })
    }

    /// The parts of both sets of strata together.
    #[must_use]
    pub fn merge(self, other: Self) -> Self {
        Self {
            strata: self.strata + other.strata,
            skipped: self.skipped + other.skipped,
            observed: self.observed + other.observed,
            expected: self.expected + other.expected,
            variance: self.variance + other.variance,
        }
    }

    /// Test of no trend within strata, 1 degree of freedom. `None` if the variance is 0.
    pub fn test(&self) -> Option<Test> {
        if self.variance.is_nan() || self.variance <= 0.0 {
            return None;
        }
        let gap = self.observed - self.expected;
        Test::chi2(gap * gap / self.variance, 1)
    }
}

struct Margins {
    rows: Vec<f64>,
    columns: Vec<f64>,
    n: f64,
}

impl Margins {
    fn of(table: &[Vec<f64>]) -> Result<Self, GeneralisedFault> {
        let width = table.first().map_or(0, Vec::len);
        if table.len() < 2 || width < 2 || table.iter().any(|row| row.len() != width) {
            return Err(GeneralisedFault::Shape);
        }
        if table
            .iter()
            .flatten()
            .any(|cell| !(*cell >= 0.0 && cell.is_finite()))
        {
            return Err(GeneralisedFault::NotCounts);
        }
        let rows: Vec<f64> = table
            .iter()
            .map(|row| sum_iter(row.iter().copied()))
            .collect();
        let columns = (0..width)
            .map(|c| sum_iter(table.iter().map(|row| row[c])))
            .collect();
        let n = sum_iter(rows.iter().copied());
        Ok(Self { rows, columns, n })
    }
}

/// `d' V^- d` and the rank of `V`, for a symmetric positive semidefinite `V` (row by row) and
/// a `d` in its range, by Cholesky factorisation with diagonal pivoting. `None` at rank 0 or
/// for a result that is not finite.
fn quadratic_form(d: &[f64], v: &[f64]) -> Option<(f64, u32)> {
    let size = d.len();
    let mut v = v.to_vec();
    let mut d = d.to_vec();
    let largest = (0..size).map(|i| v[i * size + i]).fold(0.0, f64::max);
    let mut open: Vec<usize> = (0..size).collect();
    let (mut statistic, mut rank) = (0.0, 0);
    while let Some((place, pivot)) = open
        .iter()
        .enumerate()
        .map(|(place, i)| (place, v[i * size + i]))
        .max_by(|a, b| a.1.total_cmp(&b.1))
    {
        // Rounding leaves eliminated directions at about 1e-16 of the largest diagonal.
        if pivot.is_nan() || pivot <= 1e-12 * largest {
            break;
        }
        let i = open.swap_remove(place);
        statistic += d[i] * d[i] / pivot;
        rank += 1;
        for k in &open {
            let factor = v[k * size + i] / pivot;
            d[*k] -= factor * d[i];
            for l in &open {
                v[k * size + l] -= factor * v[i * size + l];
            }
        }
    }
    (rank > 0 && statistic.is_finite()).then_some((statistic, rank))
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::numeric::stratified::MantelHaenszel;

    fn table(rows: &[&[f64]]) -> Vec<Vec<f64>> {
        rows.iter().map(|r| r.to_vec()).collect()
    }

    #[test]
    fn two_by_two_is_the_mantel_haenszel_test() {
        let strata = [[[12, 5], [7, 20]], [[3, 9], [2, 14]], [[30, 10], [22, 21]]];
        let mut general = GeneralAssociation::empty(2, 2).unwrap();
        let mut linear = LinearAssociation::default();
        for s in strata {
            let t: Vec<Vec<f64>> = s
                .iter()
                .map(|r| r.iter().map(|c| *c as f64).collect())
                .collect();
            general = general.merge(&GeneralAssociation::of(&t).unwrap()).unwrap();
            linear = linear.merge(LinearAssociation::of(&t, &[0.0, 1.0], &[3.0, 7.0]).unwrap());
        }
        let expected = MantelHaenszel::over(&strata).chi2().unwrap().statistic;
        assert!((general.test().unwrap().statistic - expected).abs() < 1e-10);
        assert!((linear.test().unwrap().statistic - expected).abs() < 1e-10);
    }

    #[test]
    fn lines_empty_everywhere_cost_no_degree_of_freedom() {
        let plain = table(&[&[5.0, 9.0, 4.0], &[7.0, 2.0, 6.0]]);
        let padded = table(&[&[5.0, 0.0, 9.0, 4.0], &[0.0; 4], &[7.0, 0.0, 2.0, 6.0]]);
        let a = GeneralAssociation::of(&plain).unwrap().test().unwrap();
        let b = GeneralAssociation::of(&padded).unwrap().test().unwrap();
        assert_eq!((a.df, b.df), (2, 2));
        assert!((a.statistic - b.statistic).abs() < 1e-10);
        // With one stratum the statistic is (n - 1) / n times Pearson's.
        let pearson = crate::numeric::table::association(&plain)
            .chi2
            .unwrap()
            .statistic;
        assert!((a.statistic - pearson * 32.0 / 33.0).abs() < 1e-10);
    }

    #[test]
    fn degenerate_strata_have_no_number() {
        let lone = GeneralAssociation::of(&table(&[&[1.0, 0.0], &[0.0, 0.0]])).unwrap();
        assert_eq!((lone.strata, lone.skipped, lone.test()), (0, 1, None));
        let fixed = GeneralAssociation::of(&table(&[&[5.0, 0.0], &[9.0, 0.0]])).unwrap();
        assert_eq!(fixed.test(), None);
        assert_eq!(GeneralAssociation::of(&[]), Err(GeneralisedFault::Shape));
        assert_eq!(
            GeneralAssociation::of(&table(&[&[1.0, f64::NAN], &[1.0, 2.0]])),
            Err(GeneralisedFault::NotCounts)
        );
        let a = GeneralAssociation::empty(2, 3).unwrap();
        assert_eq!(
            a.merge(&GeneralAssociation::empty(3, 2).unwrap()),
            Err(GeneralisedFault::Shape)
        );
        let same = LinearAssociation::of(
            &table(&[&[1.0, 2.0], &[3.0, 4.0]]),
            &[1.0, 1.0],
            &[0.0, 1.0],
        )
        .unwrap();
        assert_eq!(same.test(), None);
    }
}
