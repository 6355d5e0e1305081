//! Review of tables over the levels of an axis: characteristics, subgroup bias tables,
//! contingency tables. Rows are shown or hidden whole, so that neither margins nor the other
//! rows give a hidden one away (decision P5); the audit checks the result.
//!
//! From: `statistic`.
//! To: the release's statistics.

use super::Gate;
use crate::disclosure::rule::Rule;
use crate::statistic::characteristics::{AxisCounts, Characteristics, FieldMoments, LevelCount};
use crate::statistic::contingency::{Contingency, ContingencyKind, ContingencyRow, Stratum};
use crate::statistic::stage::{Cell, Disclosed, Exact, ExactCount, ExactReal};
use crate::statistic::subgroup::{SubgroupMeasure, SubgroupRow, SubgroupTable};

impl Gate<'_> {
    pub(super) fn characteristics(
        &mut self,
        one: Characteristics<Exact>,
    ) -> Characteristics<Disclosed> {
        let n = self.count("characteristics: cases", &one.n);
        let endpoint = one.endpoint.to_string();
        let axes = one
            .axes
            .into_iter()
            .map(|axis| self.axis(&endpoint, axis))
            .collect();
        let moments = one
            .moments
            .into_iter()
            .map(|field| self.moments(&one.n, field))
            .collect();
        Characteristics {
            endpoint: one.endpoint,
            n,
            axes,
            moments,
        }
    }

    fn axis(&mut self, endpoint: &str, axis: AxisCounts<Exact>) -> AxisCounts<Disclosed> {
        let shown = self.axis_plan(endpoint, axis.axis.as_str()).cases;
        let name = &axis.axis;
        let levels = axis
            .levels
            .into_iter()
            .zip(shown)
            .map(|(level, shown)| LevelCount {
                n: self.row_count(&format!("{name} = {}", level.level), &level.n, shown),
                level: level.level,
            })
            .collect();
        AxisCounts {
            axis: axis.axis,
            levels,
        }
    }

    /// Cases with a value and those without one are told apart only if both are enough, or if
    /// nobody is without (decision P5). A field that never varies says everybody's value.
    fn moments(&mut self, all: &ExactCount, field: FieldMoments<Exact>) -> FieldMoments<Disclosed> {
        let name = field.field.to_string();
        let k = self.policy.min_cell();
        let missing = all.patients.saturating_sub(field.n.patients);
        let counted = field.n.rows == all.rows || missing >= k;
        let varies = field.sd.value.is_ok();
        let shown = !self.policy.protects() || (counted && field.n.patients >= k);
        let told = !self.policy.protects() || (shown && varies);
        let rule = Rule::Moment;
        FieldMoments {
            n: self.row_count(&format!("{name}: cases with a value"), &field.n, shown),
            mean: self.real_if(&format!("{name}: mean"), field.mean, rule, told),
            sd: self.real_if(&format!("{name}: standard deviation"), field.sd, rule, told),
            field: field.field,
        }
    }

    /// A cell of a row that is shown or hidden whole.
    fn row_count(&mut self, name: &str, count: &ExactCount, shown: bool) -> Cell<u64> {
        self.count_if(name, count, shown, Rule::Margin)
    }

    /// Counts need events and non-events; threshold measures need all four cells of the level,
    /// and so do the hidden levels together.
    pub(super) fn subgroup(&mut self, one: SubgroupTable<Exact>) -> SubgroupTable<Disclosed> {
        let plan = self.axis_plan(one.endpoint.as_str(), one.axis.as_str());
        let axis = one.axis.clone();
        let rows = one
            .rows
            .into_iter()
            .zip(plan.classes.into_iter().zip(plan.quarters))
            .map(|(row, (shown, rates))| self.subgroup_row(&axis.to_string(), row, shown, rates))
            .collect();
        SubgroupTable {
            model: one.model,
            endpoint: one.endpoint,
            axis: one.axis,
            threshold: one.threshold,
            rows,
        }
    }

    fn subgroup_row(
        &mut self,
        axis: &str,
        row: SubgroupRow<Exact>,
        shown: bool,
        rates: bool,
    ) -> SubgroupRow<Disclosed> {
        let name = format!("{axis} = {}", row.level);
        let measures = row
            .measures
            .into_iter()
            .map(|measure| {
                let allowed = if measure.measure.needs_threshold() {
                    rates
                } else {
                    shown
                };
                self.subgroup_measure(&name, measure, allowed)
            })
            .collect();
        SubgroupRow {
            n: self.row_count(&format!("{name}: cases"), &row.n, shown),
            events: self.row_count(&format!("{name}: events"), &row.events, shown),
            non_events: self.row_count(&format!("{name}: non-events"), &row.non_events, shown),
            level: row.level,
            true_positive: self.row_count(
                &format!("{name}: true positives"),
                &row.true_positive,
                rates,
            ),
            false_positive: self.row_count(
                &format!("{name}: false positives"),
                &row.false_positive,
                rates,
            ),
            false_negative: self.row_count(
                &format!("{name}: false negatives"),
                &row.false_negative,
                rates,
            ),
            true_negative: self.row_count(
                &format!("{name}: true negatives"),
                &row.true_negative,
                rates,
            ),
            measures,
        }
    }

    fn subgroup_measure(
        &mut self,
        name: &str,
        one: SubgroupMeasure<Exact>,
        allowed: bool,
    ) -> SubgroupMeasure<Disclosed> {
        let name = format!("{name}: {}", one.measure.words());
        let mut part = |what: &str, real: ExactReal| {
            self.real_if(&format!("{name}{what}"), real, Rule::Rate, allowed)
        };
        SubgroupMeasure {
            value: part("", one.value),
            low: part(", lower end", one.low),
            high: part(", upper end", one.high),
            gap: part(", gap to the rest", one.gap),
            gap_low: part(", gap, lower end", one.gap_low),
            gap_high: part(", gap, upper end", one.gap_high),
            gap_variance: part(", gap, variance", one.gap_variance),
            measure: one.measure,
        }
    }

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
        let mut test = |what: &str, real: ExactReal| {
            self.real_if(&format!("{name}: {what}"), real, Rule::Margin, whole)
        };
        let chi_squared = test("chi-squared", one.chi_squared);
        let p_value = test("p value", one.p_value);
        let cramers_v = test("Cramer's V", one.cramers_v);
        let first = one.stratum.difference.first();
        let (rule, smallest) = (Rule::Margin, first.map_or(0, |real| real.basis.smallest));
        let before = self.items.len();
        let mut parts = |reals: Vec<ExactReal>| {
            let each = reals.into_iter();
            each.map(|real| self.real_if("", real, rule, whole))
                .collect::<Vec<_>>()
        };
        let stratum: Stratum<Disclosed> = Stratum {
            difference: parts(one.stratum.difference),
            covariance: parts(one.stratum.covariance),
        };
        // Staff read one line for the vector and the matrix of the test over sites.
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
        Contingency {
            kind: one.kind,
            endpoint: one.endpoint,
            model: one.model,
            threshold: one.threshold,
            axis: one.axis,
            columns: one.columns,
            rows,
            chi_squared,
            degrees_of_freedom: if whole { one.degrees_of_freedom } else { 0 },
            p_value,
            cramers_v,
            stratum,
        }
    }
}
