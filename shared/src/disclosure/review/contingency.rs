//! Review of contingency tables: rows are shown or hidden whole, as in the other tables of the
//! axis; tests and parts of tests speak about every row, and leave only where none is hidden
//! that holds anybody.
//!
//! From: `statistic::contingency`.
//! To: the release's statistics.

use super::Gate;
use crate::disclosure::rule::Rule;
use crate::statistic::contingency::{
    Contingency, ContingencyKind, ContingencyRow, Stratum, Trend, TwoLevels,
};
use crate::statistic::stage::{Cell, Disclosed, Exact, ExactReal};

impl Gate<'_> {
    pub(super) fn contingency(&mut self, one: Contingency<Exact>) -> Contingency<Disclosed> {
        let plan = self.axis_plan(one.endpoint.as_str(), one.axis.as_str());
        let (shown, whole) = match one.kind {
            ContingencyKind::ErrorBySubgroup => (plan.quarters, plan.quarters_whole),
            ContingencyKind::OutcomeBySubgroup | ContingencyKind::CompletenessByOutcome => {
                (plan.classes, plan.classes_whole)
            }
        };
        let name = format!("{} by {}", one.kind.words(), one.axis);
        let rows = one
            .rows
            .into_iter()
            .zip(shown)
            .map(|(row, shown)| ContingencyRow {
                cells: row
                    .cells
                    .iter()
                    .zip(&one.columns)
                    .map(|(cell, column)| {
                        let name = format!("{name}: {}, {column}", row.level);
                        self.row_count(&name, cell, shown)
                    })
                    .collect(),
                level: row.level,
            })
            .collect();
        let mut test = |what: &str, real| self.table_test(&name, what, real, whole);
        Contingency {
            chi_squared: test("chi-squared", one.chi_squared),
            degrees_of_freedom: if whole { one.degrees_of_freedom } else { 0 },
            p_value: test("p value", one.p_value),
            cramers_v: test("Cramer's V", one.cramers_v),
            yates: test("chi-squared, corrected", one.yates),
            yates_p: test("chi-squared, corrected, p value", one.yates_p),
            g2: test("G2", one.g2),
            g2_p: test("G2, p value", one.g2_p),
            fisher_p: test("Fisher's exact test, p value", one.fisher_p),
            trend: one.trend.map(|trend| self.trend(&name, trend, whole)),
            two_levels: one
                .two_levels
                .map(|parts| self.two_levels(&name, parts, whole)),
            stratum: self.stratum(&name, one.stratum, whole),
            kind: one.kind,
            endpoint: one.endpoint,
            model: one.model,
            threshold: one.threshold,
            axis: one.axis,
            columns: one.columns,
            rows,
        }
    }

    fn table_test(&mut self, name: &str, what: &str, real: ExactReal, whole: bool) -> Cell<f64> {
        self.real_if(&format!("{name}: {what}"), real, Rule::Margin, whole)
    }

    fn trend(&mut self, name: &str, trend: Trend<Exact>, whole: bool) -> Trend<Disclosed> {
        let mut test = |what: &str, real| self.table_test(name, what, real, whole);
        Trend {
            chi_squared: test("trend over levels", trend.chi_squared),
            p_value: test("trend over levels, p value", trend.p_value),
            deviation: test("trend over levels, part over sites", trend.deviation),
            variance: test("trend over levels, variance over sites", trend.variance),
        }
    }

    fn two_levels(
        &mut self,
        name: &str,
        parts: TwoLevels<Exact>,
        whole: bool,
    ) -> TwoLevels<Disclosed> {
        let what = "part of the odds ratio over sites";
        let mut part = |real| self.table_test(name, what, real, whole);
        TwoLevels {
            deviation: part(parts.deviation),
            variance: part(parts.variance),
            r: part(parts.r),
            s: part(parts.s),
            p_r: part(parts.p_r),
            p_s_q_r: part(parts.p_s_q_r),
            q_s: part(parts.q_s),
        }
    }

    /// Staff read one line for the vector and the matrix of the test over sites.
    fn stratum(&mut self, name: &str, one: Stratum<Exact>, whole: bool) -> Stratum<Disclosed> {
        let first = one.difference.first();
        let (rule, smallest) = (Rule::Margin, first.map_or(0, |real| real.basis.smallest));
        let before = self.items.len();
        let mut parts = |reals: Vec<ExactReal>| {
            let each = reals.into_iter();
            each.map(|real| self.real_if("", real, rule, whole))
                .collect::<Vec<_>>()
        };
        let stratum: Stratum<Disclosed> = Stratum {
            difference: parts(one.difference),
            covariance: parts(one.covariance),
        };
        self.items.truncate(before);
        let numbers = stratum.difference.len() + stratum.covariance.len();
        let shown = stratum.difference.iter().any(|cell| !cell.is_suppressed());
        let value = if shown {
            format!("{numbers} numbers")
        } else {
            "withheld".to_owned()
        };
        let name = format!("{name}: parts of the test over sites");
        self.item(&name, smallest, value, rule, shown);
        stratum
    }
}
