//! Whether an odds ratio is the same in all strata.
//!
//! From: `statistic::contingency`, with the strata's tables.
//! To: the report, beside a Mantel-Haenszel odds ratio.

use super::interval::Test;
use super::stratified::MantelHaenszel;
use super::sum::{count, sum_iter};
use super::table::TwoByTwo;

/// Tests of one common odds ratio.
#[derive(Clone, Copy, Debug, PartialEq)]
pub struct Homogeneity {
    /// Breslow and Day's statistic (1980, Statistical Methods in Cancer Research I, IARC,
    /// section 4.4).
    pub breslow_day: Option<Test>,
    /// The same with Tarone's correction (1985, doi:10.1093/biomet/72.1.91), which restores
    /// the chi-squared law.
    pub tarone: Option<Test>,
    /// Woolf's statistic on the strata's log odds ratios; a half is added to every cell of
    /// every stratum if any cell is zero, as vcd does.
    pub woolf: Option<Test>,
    /// Whether that half was added.
    pub half_added: bool,
}

/// Tests of a common odds ratio over strata; strata with an empty margin tell nothing of it
/// and are passed over. Degrees of freedom: strata that remain, less one. All `None` below
/// two such strata, or where the common odds ratio is 0 or infinite.
pub fn homogeneity(strata: &[TwoByTwo]) -> Homogeneity {
    let usable: Vec<[[f64; 2]; 2]> = strata
        .iter()
        .map(|t| t.map(|row| row.map(count)))
        .filter(|[[a, b], [c, d]]| [a + b, c + d, a + c, b + d].iter().all(|m| *m > 0.0))
        .collect();
    let half_added = usable.iter().flatten().flatten().any(|cell| *cell == 0.0);
    let none = Homogeneity {
        breslow_day: None,
        tarone: None,
        woolf: None,
        half_added,
    };
    let Some(df) = u32::try_from(usable.len())
        .ok()
        .and_then(|k| k.checked_sub(1))
        .filter(|df| *df > 0)
    else {
        return none;
    };
    let woolf = woolf(&usable, half_added).and_then(|x| Test::chi2(x, df));
    let common = MantelHaenszel::over(strata)
        .odds_ratio(0.95)
        .estimate
        .filter(|ratio| *ratio > 0.0);
    let Some(gaps) = common.and_then(|ratio| {
        usable
            .iter()
            .map(|t| gap(*t, ratio))
            .collect::<Option<Vec<_>>>()
    }) else {
        return Homogeneity { woolf, ..none };
    };
    let statistic = sum_iter(gaps.iter().map(|(gap, variance)| gap * gap / variance));
    let total = sum_iter(gaps.iter().map(|g| g.0));
    let correction = total * total / sum_iter(gaps.iter().map(|g| g.1));
    Homogeneity {
        breslow_day: Test::chi2(statistic, df),
        tarone: Test::chi2((statistic - correction).max(0.0), df),
        woolf,
        half_added,
    }
}

/// First cell minus its expectation under a common odds ratio with the margins given, and
/// the asymptotic variance of that cell.
fn gap([[a, b], [c, d]]: [[f64; 2]; 2], ratio: f64) -> Option<(f64, f64)> {
    let (row, column, n) = (a + b, a + c, a + b + c + d);
    // x (n - row - column + x) = ratio (row - x)(column - x), solved for x. The root inside
    // the margins, written so that no difference of near equals remains.
    let quadratic = 1.0 - ratio;
    let linear = n - row - column + ratio * (row + column);
    let root = (linear * linear + 4.0 * quadratic * ratio * row * column)
        .max(0.0)
        .sqrt();
    let x = 2.0 * ratio * row * column / (linear + root);
    let cells = [x, row - x, column - x, n - row - column + x];
    let variance = 1.0 / cells.iter().map(|cell| 1.0 / cell).sum::<f64>();
    (cells.iter().all(|cell| *cell > 0.0) && variance > 0.0).then_some((a - x, variance))
}

fn woolf(strata: &[[[f64; 2]; 2]], half_added: bool) -> Option<f64> {
    let half = if half_added { 0.5 } else { 0.0 };
    let each: Vec<(f64, f64)> = strata
        .iter()
        .map(|t| {
            let [[a, b], [c, d]] = t.map(|row| row.map(|cell| cell + half));
            (
                libm::log(a * d / (b * c)),
                1.0 / (1.0 / a + 1.0 / b + 1.0 / c + 1.0 / d),
            )
        })
        .collect();
    let weight = sum_iter(each.iter().map(|e| e.1));
    let mean = sum_iter(each.iter().map(|(y, w)| y * w)) / weight;
    Some(sum_iter(
        each.iter().map(|(y, w)| w * (y - mean) * (y - mean)),
    ))
    .filter(|x| x.is_finite())
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn equal_odds_ratios_are_homogeneous() {
        let h = homogeneity(&[[[10, 20], [30, 15]], [[20, 40], [60, 30]]]);
        assert!(h.breslow_day.unwrap().statistic < 1e-12);
        assert!(h.tarone.unwrap().statistic < 1e-12);
        assert!(h.woolf.unwrap().statistic < 1e-12);
        assert!(!h.half_added);
    }

    #[test]
    fn too_few_strata_have_no_number() {
        let none = homogeneity(&[[[10, 20], [30, 15]], [[0, 0], [60, 30]]]);
        assert_eq!(
            (none.breslow_day, none.tarone, none.woolf),
            (None, None, None)
        );
        assert_eq!(homogeneity(&[]).woolf, None);
        let zero = homogeneity(&[[[0, 20], [30, 15]], [[0, 5], [60, 30]]]);
        assert_eq!(zero.breslow_day, None);
        assert!(zero.woolf.is_some() && zero.half_added);
    }
}
