//! Review of masks and lesions: which counts of cases leave, and which distributions (rules D9
//! and D11). Cases, their values and their files have no form in which they could stand here.
//!
//! From: `statistic::segmentation`, `statistic::lesion` (exact).
//! To: the release's statistics.

use std::collections::BTreeMap;

use super::{Gate, MANY};
use crate::disclosure::rule::{Rule, complement, small_cell};
use crate::statistic::Statistic;
use crate::statistic::histogram::Block;
use crate::statistic::lesion::{LesionSize, Lesions};
use crate::statistic::segmentation::{Distribution, Segmentation, SizeCount};
use crate::statistic::stage::{Cell, Disclosed, Exact, ExactCount};
use crate::study::EndpointId;
use crate::study::validate::SIZE_AXIS;

/// Which of a structure's counts may be shown, for every model alike.
#[derive(Clone, Copy)]
pub(super) struct Presences {
    /// Both present, missed, false alarm, neither.
    shown: [bool; 4],
    /// The hidden ones hold nobody, so that sums over them say nothing new.
    whole: bool,
}

impl Gate<'_> {
    /// Decides about the four counts of every structure before any of them is shown. All models
    /// share the truth, so what one model's counts show the others' must not hide: a count is
    /// shown for every model or for none, and how many cases have the structure, at all or by
    /// size, is shown only where nobody is hidden.
    pub(super) fn note_masks(&mut self, statistics: &[Statistic<Exact>]) {
        let mut rows: BTreeMap<String, Vec<[u64; 4]>> = BTreeMap::new();
        for one in statistics.iter().filter_map(Statistic::segmentation) {
            let counts = [&one.both, &one.missed, &one.false_alarm, &one.neither];
            let known = rows.entry(one.endpoint.to_string()).or_default();
            known.push(counts.map(|count| count.patients));
        }
        for (endpoint, models) in rows {
            let mut shown = [true; 4];
            for counts in &models {
                let table: Vec<Vec<u64>> = counts.iter().map(|count| vec![*count]).collect();
                let visible = complement::visible(self.policy, &table, &[true; 4], self.clustered);
                for (shown, visible) in shown.iter_mut().zip(visible) {
                    *shown &= visible;
                }
            }
            let nobody = |counts: &[u64; 4]| (0..4).all(|at| shown[at] || counts[at] == 0);
            let whole = !self.policy.protects() || models.iter().all(nobody);
            if let Some(sizes) = self.axes.get_mut(&(endpoint.clone(), SIZE_AXIS.to_owned())) {
                sizes.keep_if(whole);
            }
            self.presences.insert(endpoint, Presences { shown, whole });
        }
    }

    /// Cases with and without the structure, in a study of masks.
    pub(super) fn classes_of_masks(
        &mut self,
        endpoint: &EndpointId,
        counts: [&ExactCount; 2],
    ) -> [Cell<u64>; 2] {
        let known = self.presences.get(endpoint.as_str());
        let shown = !self.policy.protects() || known.is_some_and(|known| known.whole);
        let mut count = |name: &str, count: &ExactCount| {
            let large = shown && small_cell::shows(self.policy, count.patients);
            self.count_if(name, count, large, Rule::Margin)
        };
        [
            count("analysed cases with the structure", counts[0]),
            count("analysed cases without the structure", counts[1]),
        ]
    }

    pub(super) fn segmentation(&mut self, one: Segmentation<Exact>) -> Segmentation<Disclosed> {
        let known = self.presences.get(one.endpoint.as_str());
        let shown = known.map_or([false; 4], |known| known.shown);
        let name = format!("{} of {}", one.endpoint, one.model);
        let mut count = |what: &str, count: &ExactCount, shown: bool| {
            self.count_if(&format!("{name}: {what}"), count, shown, Rule::SmallCell)
        };
        let both = count("both have it", &one.both, shown[0]);
        let missed = count("missed", &one.missed, shown[1]);
        let false_alarm = count("false alarm", &one.false_alarm, shown[2]);
        let neither = count("neither has it", &one.neither, shown[3]);
        let plan = self.axis_plan(one.endpoint.as_str(), SIZE_AXIS);
        let sizes = one.sizes.into_iter().enumerate().map(|(place, row)| {
            let visible = plan.cases.get(place).copied().unwrap_or(false);
            SizeCount {
                n: self.count_if(
                    &format!("{name}: {}", row.level),
                    &row.n,
                    visible || !self.policy.protects(),
                    Rule::SmallCell,
                ),
                level: row.level,
            }
        });
        let sizes = sizes.collect();
        let distributions = one
            .distributions
            .into_iter()
            .map(|part| self.distribution(&name, part, shown[0]))
            .collect();
        Segmentation {
            model: one.model,
            endpoint: one.endpoint,
            both,
            missed,
            false_alarm,
            neither,
            sizes,
            distributions,
        }
    }

    /// The blocks add to the cases that both have the structure, so they leave only where that
    /// count does.
    fn distribution(
        &mut self,
        name: &str,
        one: Distribution<Exact>,
        shown: bool,
    ) -> Distribution<Disclosed> {
        let name = format!("{name}: distribution of {}", one.quantity.words());
        let total: u64 = one.blocks.iter().map(|block| block.count.rows).sum();
        let before = self.items.len();
        let blocks = if self.policy.protects() && (!shown || total == 0) {
            Vec::new()
        } else {
            let bins = if self.policy.protects() {
                one.blocks
            } else {
                without_runs_of_zero(one.blocks)
            };
            self.class("", bins, Some(&[]))
        };
        self.items.truncate(before);
        let words = format!("{} blocks", blocks.len());
        self.item(&name, total, words, Rule::CaseValue, !blocks.is_empty());
        Distribution {
            quantity: one.quantity,
            blocks,
        }
    }

    /// Lesions are not patients: one patient may have most of them. A protecting policy lets the
    /// rates leave and no count of lesions.
    pub(super) fn lesions(&mut self, one: Lesions<Exact>) -> Lesions<Disclosed> {
        let name = format!("lesions, {} of {}", one.endpoint, one.model);
        let open = !self.policy.protects();
        let before = self.items.len();
        let mut count = |count: &ExactCount| self.count_if("", count, open, Rule::CaseValue);
        let (truth, found) = (count(&one.truth), count(&one.found));
        let not_found = count(&one.not_found);
        let (hits, false_positives) = (count(&one.hits), count(&one.false_positives));
        let sizes = one.sizes.into_iter().map(|row| LesionSize {
            found: count(&row.found),
            not_found: count(&row.not_found),
            level: row.level,
        });
        let sizes = sizes.collect();
        self.items.truncate(before);
        let words = if open { "every count" } else { "withheld" };
        self.item(
            &format!("{name}: counts"),
            one.truth.patients,
            words.to_owned(),
            Rule::CaseValue,
            open,
        );
        Lesions {
            scans: self.count(&format!("{name}: scans"), &one.scans),
            model: one.model,
            endpoint: one.endpoint,
            truth,
            found,
            not_found,
            hits,
            false_positives,
            sizes,
        }
    }
}

/// Neighbouring empty bins as one block, so that public data do not fill a file with zeros.
fn without_runs_of_zero(bins: Vec<Block<Exact>>) -> Vec<Block<Exact>> {
    let mut blocks: Vec<Block<Exact>> = Vec::new();
    for bin in bins {
        match blocks.last_mut() {
            Some(last) if last.count.rows == 0 && bin.count.rows == 0 => last.last = bin.last,
            Some(_) | None => blocks.push(bin),
        }
    }
    blocks
}

/// Patients by size bin as rows of a table; the last row is everybody in no bin.
pub(super) fn size_rows(one: &Segmentation<Exact>) -> Vec<u64> {
    let all = [&one.both, &one.missed, &one.false_alarm, &one.neither];
    let total: u64 = all.iter().map(|count| count.patients).sum();
    let mut rows: Vec<u64> = one.sizes.iter().map(|row| row.n.patients).collect();
    let inside: u64 = rows.iter().sum();
    rows.push(total.saturating_sub(inside).min(MANY));
    rows
}
