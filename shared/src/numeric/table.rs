//! Tests and measures of association of one table of counts.
//!
//! Rows and columns whose total is zero are dropped before anything is computed, and named:
//! they carry no information, and an expected count of zero would divide by zero. Degrees of
//! freedom follow from what remains.
//!
//! From: `statistic::contingency` (a site's table or the merged one).
//! To: the report's contingency tables.

use super::conditional::{Conditional, ConditionalFault, Fisher};
use super::distribution::normal_critical;
use super::interval::{Interval, Test};
use super::sum::sum_iter;

/// What can be said about a table.
#[derive(Clone, Copy, Debug, Eq, PartialEq)]
pub enum TableStatus {
    /// At least two rows and two columns hold counts.
    Estimated,
    /// Every cell is zero, or there is no cell.
    Empty,
    /// Fewer than two rows, or fewer than two columns, hold counts: no association can be
    /// measured.
    OneLine,
    /// A cell is negative or not finite, or rows differ in length: nothing was computed.
    NotCounts,
}

/// Association in an `r x c` table.
#[derive(Clone, Debug, PartialEq)]
pub struct Association {
    /// What is defined.
    pub status: TableStatus,
    /// Sum of the cells.
    pub n: f64,
    /// Rows without counts, by index in the table given.
    pub dropped_rows: Vec<usize>,
    /// Columns without counts, by index in the table given.
    pub dropped_columns: Vec<usize>,
    /// The smallest expected count; chi-squared is an approximation below about 5.
    pub smallest_expected: Option<f64>,
    /// Pearson's chi-squared without correction.
    pub chi2: Option<Test>,
    /// Pearson's chi-squared with Yates' correction, capped at the smallest deviation as R
    /// does; 2 x 2 only.
    pub yates: Option<Test>,
    /// Likelihood-ratio chi-squared.
    pub g2: Option<Test>,
    /// Cramer's V, `sqrt(chi2 / (n min(r - 1, c - 1)))`, without bias correction, in `[0, 1]`.
    pub cramers_v: Option<f64>,
    /// Pearson's contingency coefficient, `sqrt(chi2 / (chi2 + n))`.
    pub contingency_coefficient: Option<f64>,
    /// `sqrt(chi2 / n)`; 2 x 2 only.
    pub phi: Option<f64>,
}

/// Pearson's chi-squared (1900), `G2`, Yates (1934, doi:10.2307/2983604) and Cramer's V of a
/// table, as R's `chisq.test` and vcd's `assocstats` define them.
pub fn association(table: &[Vec<f64>]) -> Association {
    let mut result = Association {
        status: TableStatus::NotCounts,
        n: 0.0,
        dropped_rows: Vec::new(),
        dropped_columns: Vec::new(),
        smallest_expected: None,
        chi2: None,
        yates: None,
        g2: None,
        cramers_v: None,
        contingency_coefficient: None,
        phi: None,
    };
    let Some(kept) = Kept::of(table, &mut result) else {
        return result;
    };
    result.status = match (kept.rows.len(), kept.columns.len()) {
        (0, _) | (_, 0) => TableStatus::Empty,
        (1, _) | (_, 1) => TableStatus::OneLine,
        (_, _) => TableStatus::Estimated,
    };
    if result.status == TableStatus::Estimated {
        kept.measure(&mut result);
    }
    result
}

/// The part of a table that holds counts.
struct Kept {
    cells: Vec<Vec<f64>>,
    rows: Vec<f64>,
    columns: Vec<f64>,
    n: f64,
}

impl Kept {
    fn of(table: &[Vec<f64>], result: &mut Association) -> Option<Self> {
        let width = table.first().map_or(0, Vec::len);
        if table
            .iter()
            .any(|row| row.len() != width || row.iter().any(|c| !(*c >= 0.0 && c.is_finite())))
        {
            return None;
        }
        let column_total = |c: usize| sum_iter(table.iter().map(|row| row[c]));
        let (columns, no_columns): (Vec<_>, Vec<_>) =
            (0..width).partition(|c| column_total(*c) > 0.0);
        let (rows, no_rows): (Vec<_>, Vec<_>) =
            (0..table.len()).partition(|r| table[*r].iter().any(|c| *c > 0.0));
        result.dropped_rows = no_rows;
        result.dropped_columns = no_columns;
        let cells: Vec<Vec<f64>> = rows
            .iter()
            .map(|r| columns.iter().map(|c| table[*r][*c]).collect())
            .collect();
        let row_totals: Vec<f64> = cells
            .iter()
            .map(|row| sum_iter(row.iter().copied()))
            .collect();
        let n = sum_iter(row_totals.iter().copied());
        if !n.is_finite() {
            return None;
        }
        result.n = n;
        let columns = columns.iter().map(|c| column_total(*c)).collect();
        Some(Self {
            cells,
            rows: row_totals,
            columns,
            n,
        })
    }

    /// Observed and expected count of every cell.
    fn pairs(&self) -> impl Iterator<Item = (f64, f64)> {
        self.cells
            .iter()
            .zip(&self.rows)
            .flat_map(move |(row, total)| {
                row.iter()
                    .zip(&self.columns)
                    .map(move |(cell, column)| (*cell, total * column / self.n))
            })
    }

    fn chi2(&self, correction: f64) -> f64 {
        sum_iter(self.pairs().map(|(observed, expected)| {
            let gap = (observed - expected).abs() - correction;
            gap * gap / expected
        }))
    }

    fn measure(&self, result: &mut Association) {
        let (r, c) = (self.rows.len(), self.columns.len());
        let Ok(df) = u32::try_from((r - 1) * (c - 1)) else {
            return;
        };
        let chi2 = self.chi2(0.0);
        let g2 = 2.0
            * sum_iter(
                self.pairs()
                    .map(|(o, e)| if o > 0.0 { o * libm::log(o / e) } else { 0.0 }),
            );
        result.smallest_expected = self.pairs().map(|(_, e)| e).reduce(f64::min);
        result.chi2 = Test::chi2(chi2, df);
        result.g2 = Test::chi2(g2.max(0.0), df);
        #[expect(clippy::cast_precision_loss, reason = "number of rows or columns")]
        let lines = (r.min(c) - 1) as f64;
        result.cramers_v = Some((chi2 / self.n / lines).sqrt().min(1.0));
        result.contingency_coefficient = Some((chi2 / (chi2 + self.n)).sqrt());
        if r == 2 && c == 2 {
            let smallest = self.pairs().map(|(o, e)| (o - e).abs()).fold(0.5, f64::min);
            result.yates = Test::chi2(self.chi2(smallest), 1);
            result.phi = Some((chi2 / self.n).sqrt());
        }
    }
}

/// Pearson's chi-squared of counts against given shares, `k - 1` degrees of freedom. `None` for
/// fewer than two counts, nobody, negative counts, or shares that are not positive and add to 1
/// within 1e-6 (they are divided by their sum).
pub fn goodness_of_fit(counts: &[f64], shares: &[f64]) -> Option<Test> {
    let n = sum_iter(counts.iter().copied());
    let total = sum_iter(shares.iter().copied());
    let proper = counts.iter().all(|c| *c >= 0.0 && c.is_finite())
        && shares.iter().all(|s| *s > 0.0)
        && (total - 1.0).abs() < 1e-6;
    if counts.len() != shares.len() || counts.len() < 2 || !proper || n <= 0.0 {
        return None;
    }
    let statistic = sum_iter(counts.iter().zip(shares).map(|(observed, share)| {
        let expected = n * share / total;
        (observed - expected) * (observed - expected) / expected
    }));
    Test::chi2(statistic, u32::try_from(counts.len() - 1).ok()?)
}

/// A two-by-two table of counts, `[[a, b], [c, d]]`: rows are the groups, columns the two
/// levels of the response.
pub type TwoByTwo = [[u64; 2]; 2];

/// An odds ratio with the interval of its logarithm.
#[derive(Clone, Copy, Debug, PartialEq)]
pub struct OddsRatio {
    /// `a d / (b c)`; 0 if only `a d` is 0; `None` if `b c` is 0.
    pub estimate: Option<f64>,
    /// Standard error of the logarithm, `sqrt(1/a + 1/b + 1/c + 1/d)`; `None` with a zero cell.
    pub log_standard_error: Option<f64>,
    /// Woolf's interval; `None` with a zero cell (no half is ever added silently).
    pub interval: Option<Interval>,
}

/// The sample odds ratio with Woolf's interval (1955, doi:10.1111/j.1469-1809.1955.tb01348.x).
pub fn odds_ratio(table: TwoByTwo, level: f64) -> OddsRatio {
    let [[a, b], [c, d]] = table.map(|row| row.map(super::sum::count));
    let estimate = (b * c > 0.0)
        .then(|| a * d / (b * c))
        .filter(|r| r.is_finite());
    let log_standard_error =
        (a * b * c * d > 0.0).then(|| (1.0 / a + 1.0 / b + 1.0 / c + 1.0 / d).sqrt());
    let interval = estimate.zip(log_standard_error).and_then(|(ratio, error)| {
        Interval::around(libm::log(ratio), normal_critical(level)? * error)?.map(libm::exp)
    });
    OddsRatio {
        estimate,
        log_standard_error,
        interval,
    }
}

/// Fisher's exact test of a two-by-two table, with the conditional maximum-likelihood odds
/// ratio and its exact interval: a stratified exact test of one stratum.
///
/// # Errors
/// As [`Conditional::of`].
pub fn fisher_exact(table: TwoByTwo, level: f64) -> Result<Fisher, ConditionalFault> {
    Conditional::of(&[table])?.inference(level)
}

#[cfg(test)]
mod tests {
    use super::*;

    fn measured(rows: &[&[f64]]) -> Association {
        association(&rows.iter().map(|r| r.to_vec()).collect::<Vec<_>>())
    }

    #[test]
    fn empty_lines_are_dropped_and_named() {
        let whole = measured(&[&[10.0, 20.0], &[30.0, 5.0]]);
        let padded = measured(&[&[10.0, 0.0, 20.0], &[0.0; 3], &[30.0, 0.0, 5.0]]);
        assert_eq!(
            (&padded.dropped_rows[..], &padded.dropped_columns[..]),
            (&[1][..], &[1][..])
        );
        assert_eq!(padded.chi2, whole.chi2);
        assert_eq!(padded.yates, whole.yates);
        assert_eq!(padded.chi2.unwrap().df, 1);
    }

    #[test]
    fn degenerate_tables_have_a_status() {
        assert_eq!(measured(&[]).status, TableStatus::Empty);
        assert_eq!(
            measured(&[&[0.0, 0.0], &[0.0, 0.0]]).status,
            TableStatus::Empty
        );
        assert_eq!(
            measured(&[&[3.0, 4.0], &[0.0, 0.0]]).status,
            TableStatus::OneLine
        );
        assert_eq!(
            measured(&[&[3.0, 0.0], &[1.0, 0.0]]).status,
            TableStatus::OneLine
        );
        assert_eq!(
            measured(&[&[3.0, -1.0], &[1.0, 0.0]]).status,
            TableStatus::NotCounts
        );
        assert_eq!(
            measured(&[&[3.0], &[1.0, 0.0]]).status,
            TableStatus::NotCounts
        );
        assert_eq!(
            measured(&[&[f64::NAN, 1.0], &[1.0, 1.0]]).status,
            TableStatus::NotCounts
        );
        assert_eq!(measured(&[&[3.0, 4.0], &[0.0, 0.0]]).chi2, None);
    }

    #[test]
    fn transposing_changes_nothing() {
        let a = measured(&[&[3.0, 7.0, 2.0], &[9.0, 1.0, 4.0]]);
        let b = measured(&[&[3.0, 9.0], &[7.0, 1.0], &[2.0, 4.0]]);
        assert!((a.chi2.unwrap().statistic - b.chi2.unwrap().statistic).abs() < 1e-12);
        assert!((a.cramers_v.unwrap() - b.cramers_v.unwrap()).abs() < 1e-14);
    }

    #[test]
    fn independence_is_zero_and_identity_is_one() {
        let none = measured(&[&[10.0, 20.0], &[30.0, 60.0]]);
        assert!(none.chi2.unwrap().statistic < 1e-20 && none.yates.unwrap().statistic < 1e-20);
        let all = measured(&[&[10.0, 0.0, 0.0], &[0.0, 5.0, 0.0], &[0.0, 0.0, 7.0]]);
        assert!((all.cramers_v.unwrap() - 1.0).abs() < 1e-15);
    }

    #[test]
    fn goodness_of_fit_equals_r() {
        // chisq.test(c(194, 726), p = c(.5, .5)) and chisq.test(c(20, 30, 50), p = c(.2, .3, .5)).
        let test = goodness_of_fit(&[194.0, 726.0], &[0.5, 0.5]).unwrap();
        assert!((test.statistic - 307.634_782_608_695_7).abs() < 1e-9 && test.df == 1);
        let fits = goodness_of_fit(&[20.0, 30.0, 50.0], &[0.2, 0.3, 0.5]).unwrap();
        assert!(fits.statistic < 1e-20 && fits.df == 2);
        assert_eq!(goodness_of_fit(&[1.0, 2.0], &[0.5, 0.6]), None);
        assert_eq!(goodness_of_fit(&[0.0, 0.0], &[0.5, 0.5]), None);
        assert_eq!(goodness_of_fit(&[3.0], &[1.0]), None);
    }

    #[test]
    fn zero_cells_leave_the_odds_ratio_without_interval() {
        let zero = odds_ratio([[0, 12], [7, 9]], 0.95);
        assert_eq!((zero.estimate, zero.interval), (Some(0.0), None));
        assert_eq!(odds_ratio([[5, 0], [7, 9]], 0.95).estimate, None);
        assert_eq!(odds_ratio([[0, 0], [0, 0]], 0.95).estimate, None);
    }
}
