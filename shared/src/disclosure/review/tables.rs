//! Review of tables over the levels of an axis: characteristics, subgroup bias tables,
//! contingency tables. Rows are shown or hidden whole, so that neither margins nor the other
//! rows give a hidden one away (rulings D5); the audit checks the result.
//!
//! From: `statistic`.
//! To: the release's statistics.

use super::{Gate, MANY};
use crate::disclosure::audit::Audit;
use crate::disclosure::rule::{Rule, complement};
use crate::statistic::characteristics::{AxisCounts, Characteristics, FieldMoments, LevelCount};
use crate::statistic::contingency::{Contingency, ContingencyRow, Stratum};
use crate::statistic::stage::{Cell, Disclosed, Exact, ExactCount, ExactReal};
use crate::statistic::subgroup::{SubgroupMeasure, SubgroupRow, SubgroupTable};

impl Gate<'_> {
    /// Which rows are shown: the complement rule, then the audit over what would be released.
    fn visible_rows(&self, rows: &[Vec<u64>]) -> Vec<bool> {
        let shown = complement::visible(self.policy, rows);
        if !self.policy.protects() || self.survives_audit(rows, &shown) {
            return shown;
        }
        vec![false; rows.len()]
    }

    /// Column totals are known up to rounding, shown cells likewise; hidden cells are anything.
    fn survives_audit(&self, rows: &[Vec<u64>], shown: &[bool]) -> bool {
        let (k, base) = (self.policy.min_cell(), self.policy.rounding());
        let slack = |count: u64| (count.saturating_sub(base / 2), count + base / 2);
        let mut audit = Audit::default();
        for column in 0..rows.first().map_or(0, Vec::len) {
            let total: u64 = rows.iter().map(|row| row[column]).sum();
            let (lo, hi) = slack(total);
            let whole = audit.cell(lo, hi, false);
            let empty = rows
                .iter()
                .zip(shown)
                .all(|(row, shown)| *shown || row.iter().all(|c| *c == 0));
            let parts = rows
                .iter()
                .zip(shown)
                .map(|(row, shown)| {
                    let count = row[column];
                    if *shown {
                        let (lo, hi) = slack(count);
                        audit.cell(lo, hi, false)
                    } else {
                        // Levels that hold nobody at all are no secret of any patient.
                        audit.cell(0, MANY, count < k && !empty)
                    }
                })
                .collect();
            audit.sum(whole, parts);
        }
        audit.violations(k, base) == 0
    }

    pub(super) fn characteristics(
        &mut self,
        one: Characteristics<Exact>,
    ) -> Characteristics<Disclosed> {
        let n = self.count("characteristics: cases", &one.n);
        let axes = one.axes.into_iter().map(|axis| self.axis(axis)).collect();
        let moments = one
            .moments
            .into_iter()
            .map(|field| self.moments(field))
            .collect();
        Characteristics {
            endpoint: one.endpoint,
            n,
            axes,
            moments,
        }
    }

    fn axis(&mut self, axis: AxisCounts<Exact>) -> AxisCounts<Disclosed> {
        let rows: Vec<Vec<u64>> = axis
            .levels
            .iter()
            .map(|level| vec![level.n.patients])
            .collect();
        let shown = self.visible_rows(&rows);
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

    fn moments(&mut self, field: FieldMoments<Exact>) -> FieldMoments<Disclosed> {
        let name = field.field.to_string();
        FieldMoments {
            n: self.count(&format!("{name}: cases with a value"), &field.n),
            mean: self.real(&format!("{name}: mean"), field.mean, Rule::Moment),
            sd: self.real(
                &format!("{name}: standard deviation"),
                field.sd,
                Rule::Moment,
            ),
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
        let classes: Vec<Vec<u64>> = one
            .rows
            .iter()
            .map(|row| vec![row.events.patients, row.non_events.patients])
            .collect();
        let shown = self.visible_rows(&classes);
        let quarters: Vec<Vec<u64>> = one.rows.iter().map(quarters).collect();
        let both = self.visible_rows(&quarters);
        let rates: Vec<bool> = both
            .iter()
            .zip(&shown)
            .map(|(rates, shown)| *rates && *shown)
            .collect();
        let axis = one.axis.clone();
        let rows = one
            .rows
            .into_iter()
            .zip(shown.into_iter().zip(rates))
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
        let counts: Vec<Vec<u64>> = one
            .rows
            .iter()
            .map(|row| row.cells.iter().map(|cell| cell.patients).collect())
            .collect();
        let shown = self.visible_rows(&counts);
        let whole = counts
            .iter()
            .zip(&shown)
            .all(|(row, shown)| *shown || row.iter().all(|cell| *cell == 0));
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
        let (rule, smallest) = (Rule::Margin, counts.iter().flatten().min().copied());
        let before = self.items.len();
        let mut parts = |reals: Vec<ExactReal>| {
            let each = reals.into_iter();
            each.map(|real| self.real_if("", real, rule, whole))
                .collect::<Vec<_>>()
        };
        let stratum = Stratum {
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
        self.item(&name, smallest.unwrap_or(0), value, rule, shown);
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

/// Distinct patients of a level by predicted and true class.
fn quarters(row: &SubgroupRow<Exact>) -> Vec<u64> {
    [
        &row.true_positive,
        &row.false_positive,
        &row.false_negative,
        &row.true_negative,
    ]
    .iter()
    .map(|count| count.patients)
    .collect()
}
