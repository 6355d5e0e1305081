//! Which levels of an axis may be shown, decided once for every table of the release that has
//! this axis. Tables that choose their hidden levels alone give each other away: what one hides
//! as a partner another shows.
//!
//! From: `statistic` (exact tables of one release).
//! To: `tables`.

use std::collections::BTreeMap;

use super::masks::size_rows;
use super::{Gate, MANY};
use crate::disclosure::audit::{Audit, CellIndex};
use crate::disclosure::policy::Policy;
use crate::disclosure::rule::complement;
use crate::statistic::Statistic;
use crate::statistic::characteristics::Characteristics;
use crate::statistic::contingency::{Contingency, ContingencyKind};
use crate::statistic::stage::{Exact, ExactCount};
use crate::statistic::subgroup::SubgroupTable;
use crate::study::AxisRule;
use crate::study::validate::SIZE_AXIS;

/// What may be shown of each level; each part lies within the one before it.
#[derive(Clone, Default)]
pub(super) struct Visible {
    /// Its cases.
    pub(super) cases: Vec<bool>,
    /// Its events and non-events, its AUC and O:E.
    pub(super) classes: Vec<bool>,
    /// Its four cells by predicted and true class, its rates and errors.
    pub(super) quarters: Vec<bool>,
    /// The levels that are not shown hold nobody.
    pub(super) cases_whole: bool,
    /// The levels that are not shown by class hold nobody.
    pub(super) classes_whole: bool,
    /// The levels that are not shown by quarter hold nobody.
    pub(super) quarters_whole: bool,
}

impl Visible {
    /// Hides every level unless `holds`.
    pub(super) fn keep_if(&mut self, holds: bool) {
        if !holds {
            let parts = [&mut self.cases, &mut self.classes, &mut self.quarters];
            parts.into_iter().for_each(|shown| shown.fill(false));
            self.cases_whole = false;
            self.classes_whole = false;
            self.quarters_whole = false;
        }
    }

    /// Shows no level by predicted class.
    pub(super) fn hide_quarters(&mut self) {
        self.quarters.fill(false);
        self.quarters_whole = false;
    }

    fn all_or_nothing(&mut self, parents: &[Visible]) {
        let every = |whole: fn(&Visible) -> bool| parents.iter().all(whole);
        self.cases_whole &= every(|axis| axis.cases_whole);
        self.classes_whole &= self.cases_whole && every(|axis| axis.classes_whole);
        self.quarters_whole &= self.classes_whole && every(|axis| axis.quarters_whole);
        for (shown, whole) in [
            (&mut self.cases, self.cases_whole),
            (&mut self.classes, self.classes_whole),
            (&mut self.quarters, self.quarters_whole),
        ] {
            if !whole {
                shown.fill(false);
            }
        }
    }
}

/// Distinct patients by level, as far as the release's tables say; columns as in [`Visible`].
#[derive(Default)]
struct Known {
    cases: Vec<Vec<u64>>,
    classes: Vec<Vec<u64>>,
    quarters: Vec<Vec<u64>>,
    errors: Vec<Vec<u64>>,
    /// Whether the level differs from every other group by nobody or by enough patients.
    apart: Vec<bool>,
    /// Whether each of its four cells does.
    quarters_apart: Vec<bool>,
}

impl Gate<'_> {
    /// Decides about every axis before any table is reviewed.
    pub(super) fn note_axes(&mut self, statistics: &[Statistic<Exact>]) {
        let mut axes: BTreeMap<(String, String), Known> = BTreeMap::new();
        for statistic in statistics {
            if let Some(one) = statistic.characteristics() {
                self.know_cases(&mut axes, one);
            } else if let Some(one) = statistic.subgroup_table() {
                self.know_rows(&mut axes, one);
            } else if let Some(one) = statistic.contingency() {
                self.know_table(&mut axes, one);
            } else if let Some(one) = statistic.segmentation() {
                let key = (one.endpoint.to_string(), SIZE_AXIS.to_owned());
                let rows = size_rows(one).into_iter().map(|row| vec![row]);
                axes.entry(key).or_default().cases = rows.collect();
            }
        }
        self.axes = axes
            .into_iter()
            .map(|(key, known)| (key, known.visible(self.policy, self.clustered)))
            .collect();
        self.guard_pairs();
    }

    /// A pair shares its margins with both its axes, so that one hidden cell of it follows from
    /// the others: a pair is shown, by case, class or quarter, only if every cell that holds
    /// anybody is, and every level of both axes.
    fn guard_pairs(&mut self) {
        let pairs = self.protocol.subgroup.iter();
        for pair in pairs.filter(|axis| axis.rule == AxisRule::Pair) {
            let same = |key: &&(String, String)| key.1 == pair.id.as_str();
            let keys: Vec<(String, String)> = self.axes.keys().filter(same).cloned().collect();
            for key in keys {
                let parents: Vec<Visible> = pair
                    .axes
                    .iter()
                    .map(|axis| self.axis_plan(&key.0, axis.as_str()))
                    .collect();
                if let Some(found) = self.axes.get_mut(&key) {
                    found.all_or_nothing(&parents);
                }
            }
        }
    }

    pub(super) fn axis_plan(&self, endpoint: &str, axis: &str) -> Visible {
        let key = (endpoint.to_owned(), axis.to_owned());
        self.axes.get(&key).cloned().unwrap_or_default()
    }

    fn know_cases(
        &self,
        axes: &mut BTreeMap<(String, String), Known>,
        one: &Characteristics<Exact>,
    ) {
        for axis in &one.axes {
            let known = axes
                .entry((one.endpoint.to_string(), axis.axis.to_string()))
                .or_default();
            known.cases = axis.levels.iter().map(|row| vec![row.n.patients]).collect();
            known.compare(self.policy, axis.levels.iter().map(|row| &row.n));
        }
    }

    fn know_rows(&self, axes: &mut BTreeMap<(String, String), Known>, one: &SubgroupTable<Exact>) {
        let known = axes
            .entry((one.endpoint.to_string(), one.axis.to_string()))
            .or_default();
        let people = |counts: &[&ExactCount]| counts.iter().map(|count| count.patients).collect();
        known.cases = one.rows.iter().map(|row| vec![row.n.patients]).collect();
        known.classes = one
            .rows
            .iter()
            .map(|row| people(&[&row.events, &row.non_events]))
            .collect();
        known.quarters = one
            .rows
            .iter()
            .map(|row| {
                people(&[
                    &row.true_positive,
                    &row.false_negative,
                    &row.false_positive,
                    &row.true_negative,
                ])
            })
            .collect();
        let k = self.policy.min_cell();
        let apart = one.rows.iter().map(|row| {
            let near = row.true_positive.nearest.min(row.false_positive.nearest);
            near >= k
        });
        known.quarters_apart = apart.collect();
        known.compare(self.policy, one.rows.iter().map(|row| &row.n));
    }

    fn know_table(&self, axes: &mut BTreeMap<(String, String), Known>, one: &Contingency<Exact>) {
        let known = axes
            .entry((one.endpoint.to_string(), one.axis.to_string()))
            .or_default();
        let cells: Vec<Vec<u64>> = one
            .rows
            .iter()
            .map(|row| row.cells.iter().map(|cell| cell.patients).collect())
            .collect();
        match one.kind {
            ContingencyKind::ErrorBySubgroup => known.errors = cells,
            ContingencyKind::OutcomeBySubgroup | ContingencyKind::CompletenessByOutcome => {
                // Events first, as in the subgroup table.
                known.classes = cells
                    .into_iter()
                    .map(|row| row.into_iter().rev().collect())
                    .collect();
            }
        }
        known.compare(
            self.policy,
            one.rows.iter().filter_map(|row| row.cells.first()),
        );
    }
}

impl Known {
    fn compare<'a>(&mut self, policy: &Policy, counts: impl Iterator<Item = &'a ExactCount>) {
        let apart: Vec<bool> = counts
            .map(|count| count.nearest >= policy.min_cell())
            .collect();
        if self.apart.is_empty() {
            self.apart = apart;
            return;
        }
        for (known, found) in self.apart.iter_mut().zip(apart) {
            *known &= found;
        }
    }

    fn levels(&self) -> usize {
        [&self.cases, &self.classes, &self.quarters, &self.errors]
            .iter()
            .map(|table| table.len())
            .max()
            .unwrap_or(0)
    }

    fn visible(&self, policy: &Policy, clustered: bool) -> Visible {
        let levels = self.levels();
        let step = |table: &[Vec<u64>], within: &[bool]| {
            if table.len() == levels {
                complement::visible(policy, table, within, clustered)
            } else {
                within.to_vec()
            }
        };
        let mut apart = self.apart.clone();
        apart.resize(levels, true);
        if !policy.protects() {
            apart = vec![true; levels];
        }
        let cases = step(&self.cases, &apart);
        let classes = step(&self.classes, &cases);
        let mut quarters_apart = self.quarters_apart.clone();
        quarters_apart.resize(levels, true);
        let protects = policy.protects();
        let within: Vec<bool> = classes
            .iter()
            .zip(quarters_apart)
            .map(|(shown, apart)| *shown && (apart || !protects))
            .collect();
        let quarters = step(&self.errors, &step(&self.quarters, &within));
        let mut found = Visible {
            cases,
            classes,
            quarters,
            cases_whole: false,
            classes_whole: false,
            quarters_whole: false,
        };
        // Distinct patients of a level are no sum of its cells' where patients repeat; there
        // the complement rule counts only what is certain.
        if policy.protects() && !clustered {
            self.withhold_until_safe(policy, &mut found);
        }
        found.cases_whole = self.whole(&found.cases);
        found.classes_whole = self.whole(&found.classes);
        found.quarters_whole = self.whole(&found.quarters);
        found
    }

    /// Withholds the finest part first, until the audit finds no hidden cell too narrow.
    fn withhold_until_safe(&self, policy: &Policy, found: &mut Visible) {
        if self.survives(policy, found) {
            return;
        }
        found.quarters.fill(false);
        if self.survives(policy, found) {
            return;
        }
        found.classes.fill(false);
        if !self.survives(policy, found) {
            found.cases.fill(false);
        }
    }

    /// Rates, areas and their variances give shown counts away exactly, and so the totals: the
    /// audit takes both as known, and every sum among them.
    fn survives(&self, policy: &Policy, found: &Visible) -> bool {
        let k = policy.min_cell();
        let mut audit = Audit::default();
        let parts = [
            (&self.cases, &found.cases),
            (&self.classes, &found.classes),
            (&self.quarters, &found.quarters),
            (&self.errors, &found.quarters),
        ];
        let mut cells: Vec<Vec<Vec<CellIndex>>> = Vec::new();
        for (table, shown) in parts {
            let indices: Vec<Vec<CellIndex>> = table
                .iter()
                .zip(shown)
                .map(|(row, shown)| {
                    // Levels that hold nobody at all are no secret of any patient.
                    let empty = row.iter().all(|count| *count == 0);
                    row.iter()
                        .map(|count| match shown {
                            true => audit.cell(*count, *count, false),
                            false => audit.cell(0, MANY, *count < k && !empty),
                        })
                        .collect()
                })
                .collect();
            for column in 0..table.first().map_or(0, Vec::len) {
                let total = table.iter().map(|row| row[column]).sum();
                let whole = audit.cell(total, total, false);
                audit.sum(whole, indices.iter().map(|row| row[column]).collect());
            }
            cells.push(indices);
        }
        let [cases, classes, quarters, errors] = cells.as_slice() else {
            return false;
        };
        for level in 0..self.levels() {
            let at = |table: &Vec<Vec<CellIndex>>| table.get(level).cloned().unwrap_or_default();
            let (cases, classes) = (at(cases), at(classes));
            let (quarters, errors) = (at(quarters), at(errors));
            if let ([all], [_, _]) = (cases.as_slice(), classes.as_slice()) {
                audit.sum(*all, classes.clone());
            }
            if let ([events, others], [tp, fn_, fp, tn]) = (classes.as_slice(), quarters.as_slice())
            {
                audit.sum(*events, vec![*tp, *fn_]);
                audit.sum(*others, vec![*fp, *tn]);
                if let [correct, _, _] = errors.as_slice() {
                    audit.sum(*correct, vec![*tp, *tn]);
                }
            }
            if let ([all], [_, _, _]) = (cases.as_slice(), errors.as_slice()) {
                audit.sum(*all, errors.clone());
            }
        }
        audit.violations(k, policy.rounding()) == 0
    }

    fn whole(&self, shown: &[bool]) -> bool {
        let tables = [&self.cases, &self.classes, &self.quarters, &self.errors];
        shown.iter().enumerate().all(|(level, shown)| {
            let mut rows = tables.iter().filter_map(|table| table.get(level));
            *shown || rows.all(|row| row.iter().all(|count| *count == 0))
        })
    }
}
