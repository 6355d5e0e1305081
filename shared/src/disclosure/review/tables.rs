//! Review of tables over the levels of an axis: characteristics and subgroup tables
//! (contingency tables: `contingency`). Rows are shown or hidden whole, so that neither
//! margins nor the other rows give a hidden one away (decision P5); the audit checks the
//! result.
//!
//! From: `statistic`.
//! To: the release's statistics.

use super::Gate;
use crate::disclosure::rule::Rule;
use crate::statistic::characteristics::{
    AxisCounts, Characteristics, FieldMoments, LevelCount, Representation,
};
use crate::statistic::disparity::Disparity;
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
        let plan = self.axis_plan(endpoint, axis.axis.as_str());
        let (shown, whole) = (plan.cases, plan.cases_whole);
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
        let target = axis.target.map(|target| {
            let what = |what: &str| format!("{name} against its target: {what}");
            let (rule, real) = (Rule::Margin, target.chi_squared);
            let chi_squared = self.real_if(&what("chi-squared"), real, rule, whole);
            let p_value = self.real_if(&what("p value"), target.p_value, rule, whole);
            Representation {
                shares: target.shares,
                degrees_of_freedom: if whole { target.degrees_of_freedom } else { 0 },
                chi_squared,
                p_value,
            }
        });
        AxisCounts {
            axis: axis.axis,
            levels,
            target,
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
    pub(super) fn row_count(&mut self, name: &str, count: &ExactCount, shown: bool) -> Cell<u64> {
        self.count_if(name, count, shown, Rule::Margin)
    }

    /// Counts need events and non-events; threshold measures need all four cells of the level,
    /// and so do the hidden levels together.
    pub(super) fn subgroup(&mut self, one: SubgroupTable<Exact>) -> SubgroupTable<Disclosed> {
        let plan = self.axis_plan(one.endpoint.as_str(), one.axis.as_str());
        let axis = one.axis.clone();
        let (classes_whole, quarters_whole) = (plan.classes_whole, plan.quarters_whole);
        let disparities = one
            .disparities
            .into_iter()
            .map(|found| {
                let whole = if found.measure.needs_threshold() {
                    quarters_whole
                } else {
                    classes_whole
                };
                self.disparity(&axis.to_string(), found, whole)
            })
            .collect();
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
            disparities,
        }
    }

    /// What compares all levels leaves only where all of them are shown.
    fn disparity(
        &mut self,
        axis: &str,
        one: Disparity<Exact>,
        whole: bool,
    ) -> Disparity<Disclosed> {
        let name = format!("{axis}: {} over levels", one.measure.words());
        let mut part = |what: &str, real: ExactReal| {
            self.real_if(&format!("{name}{what}"), real, Rule::Rate, whole)
        };
        let found: Disparity<Disclosed> = Disparity {
            measure: one.measure,
            levels: one.levels,
            range: part(", largest minus smallest", one.range),
            ratio: part(", smallest over largest", one.ratio),
            expected: part(", expected range if equal", one.expected),
            low: part(", range, lower end", one.low),
            high: part(", range, upper end", one.high),
            chi_squared: part(", test of equality", one.chi_squared),
            degrees_of_freedom: one.degrees_of_freedom,
            p_value: part(", test of equality, p value", one.p_value),
        };
        // Which levels were large enough is said only with the numbers.
        if found.range.is_suppressed() {
            return Disparity {
                levels: Vec::new(),
                degrees_of_freedom: 0,
                ..found
            };
        }
        found
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
}
