//! Everything that was withheld, item by item, and what follows from it. Sites lose small cells
//! first, so what remains is not a random part of what was asked (decision C1).
//!
//! From: released statistics.
//! To: `study`.

use super::result::{SiteOutcome, SiteResult, Withheld};
use crate::disclosure::review::MANY;
use crate::statistic::characteristics::Characteristics;
use crate::statistic::confusion::Confusion;
use crate::statistic::contingency::Contingency;
use crate::statistic::discordance::Discordance;
use crate::statistic::metric::{Leaves, Pooling};
use crate::statistic::missing::Missing;
use crate::statistic::segmentation::{Distribution, Segmentation};
use crate::statistic::stage::{Cell, Disclosed};
use crate::statistic::subgroup::SubgroupTable;
use crate::statistic::{Estimate, Statistic};

/// The list, in the protocol's order of sites.
pub(super) fn all(sites: &[SiteResult]) -> Vec<Withheld> {
    let mut list = Vec::new();
    for site in sites {
        match site.outcome {
            SiteOutcome::Released => {
                let mut walk = Walk {
                    site,
                    list: &mut list,
                };
                for statistic in &site.statistics {
                    walk.statistic(statistic);
                }
            }
            SiteOutcome::NotReleased
            | SiteOutcome::Refused
            | SiteOutcome::NoAnswer
            | SiteOutcome::Quarantined => list.push(Withheld {
                site: site.site.clone(),
                item: None,
                known: outcome_words(site.outcome).to_owned(),
                effect: "the site enters no pooled result; withheld, not at random".to_owned(),
            }),
        }
    }
    list
}

/// What a site did, in words.
pub fn outcome_words(outcome: SiteOutcome) -> &'static str {
    match outcome {
        SiteOutcome::Released => "released",
        SiteOutcome::NotReleased => "not released under its own policy",
        SiteOutcome::Refused => "the site did not accept the job",
        SiteOutcome::NoAnswer => "no answer before the round closed",
        SiteOutcome::Quarantined => "received, but contradicts itself; kept for a person",
    }
}

/// What a hidden 2x2 table still says: one-sided bounds of its rates.
fn bounds_of_rates(one: &Confusion<Disclosed>) -> String {
    let known = one.rates.iter().filter_map(|rate| match rate.value {
        Cell::Suppressed { lo, .. } if lo > 0.0 => {
            Some(format!("{} at least {lo:.3}", rate.measure.words()))
        }
        Cell::Suppressed { hi, .. } if hi < 1.0 => {
            Some(format!("{} at most {hi:.3}", rate.measure.words()))
        }
        Cell::Suppressed { .. }
        | Cell::Value { .. }
        | Cell::Rounded { .. }
        | Cell::Zero
        | Cell::NotComputed { .. } => None,
    });
    let known: Vec<String> = known.collect();
    if known.is_empty() {
        "no bound".to_owned()
    } else {
        known.join(", ")
    }
}

struct Walk<'a> {
    site: &'a SiteResult,
    list: &'a mut Vec<Withheld>,
}

impl Walk<'_> {
    fn push(&mut self, item: String, known: String, effect: &str) {
        let site = self.site.site.clone();
        self.list.push(Withheld {
            site,
            item: Some(item),
            known,
            effect: effect.to_owned(),
        });
    }

    fn count(&mut self, item: &str, cell: &Cell<u64>, effect: &str) {
        if let Cell::Suppressed { lo, hi } = cell {
            let known = if *hi < MANY {
                format!("between {lo} and {hi}")
            } else {
                "no bound".to_owned()
            };
            self.push(item.to_owned(), known, effect);
        }
    }

    fn reals(&mut self, item: &str, cells: &[&Cell<f64>], effect: &str) {
        if cells.iter().any(|cell| cell.is_suppressed()) {
            self.push(item.to_owned(), "no bound".to_owned(), effect);
        }
    }

    fn statistic(&mut self, statistic: &Statistic<Disclosed>) {
        const POOL: &str = "the site does not enter this pool";
        match statistic {
            Statistic::Flow(one) => {
                const FLOW: &str = "the flow shows a bound instead of a count";
                for entry in &one.excluded {
                    self.count(&format!("left out: {}", entry.reason), &entry.count, FLOW);
                }
                self.count("without reference standard", &one.without_reference, FLOW);
                self.count("without prediction", &one.without_prediction, FLOW);
            }
            Statistic::Characteristics(one) => self.characteristics(one),
            Statistic::Confusion(one) => {
                let item = format!("2x2 table of {} at {}", one.model, one.threshold);
                let effect = "no rate of this site at this threshold; sites with few errors are \
                              hidden first, so the others look worse than all would";
                if one.true_positive.is_suppressed() {
                    self.push(item, bounds_of_rates(one), effect);
                }
            }
            Statistic::Auc(one) => {
                self.reals(
                    &format!("AUC of {}", one.model),
                    &[&one.auc, &one.variance],
                    POOL,
                );
            }
            Statistic::PairedAuc(one) => {
                let item = format!("AUC of {} minus {}", one.model, one.comparator);
                self.reals(&item, &[&one.difference, &one.variance], POOL);
            }
            Statistic::Histogram(_) => {}
            Statistic::CalibrationBins(one) => {
                if one.grid.is_empty() {
                    let item = format!("bins of the calibration curve of {}", one.model);
                    let effect = "no flexible calibration curve with this site";
                    self.push(item, "no bound".to_owned(), effect);
                }
            }
            Statistic::ObservedExpected(one) => {
                self.reals(&format!("O:E of {}", one.model), &[&one.ratio], POOL);
            }
            // A hidden 2x2 table has a line of its own, for all that follows from it.
            Statistic::Estimate(one) if self.table_hidden(one) => {}
            Statistic::Estimate(one) => self.estimate(one, POOL),
            Statistic::SubgroupTable(one) => self.subgroups(one),
            Statistic::Contingency(one) => self.contingency(one),
            Statistic::Discordance(one) => self.crossed(one),
            Statistic::Permutation(one) => {
                let item = format!("shuffled outcomes of {}", one.model);
                let effect = "this site is not in the test by permutation";
                self.reals(&item, &[&one.deviation, &one.variance], effect);
            }
            Statistic::Segmentation(one) => self.masks(one),
            Statistic::Lesions(one) => {
                let item = format!("lesions, {} of {}", one.endpoint, one.model);
                self.count(&item, &one.truth, "this site's lesions are in no sum");
            }
            Statistic::Detection(one) => {
                let item = format!("candidates, {} of {}", one.endpoint, one.model);
                let effect = "this site is not in the curve of merged scans";
                self.count(&item, &one.lesions, effect);
            }
            // A step is withheld as a whole; the exchange names the site.
            Statistic::CalibrationBlock(_) => {}
            Statistic::Missing(one) => self.missing(one),
        }
    }

    fn missing(&mut self, one: &Missing<Disclosed>) {
        const ABSENT: &str = "the table of absent values has a gap";
        let model = &one.model;
        let item = format!("no prediction of {model}, by outcome");
        self.count(&item, &one.no_prediction_events, ABSENT);
        if let Some(band) = one.no_reference.first() {
            let item = format!("no reference standard, by score of {model}");
            self.count(&item, &band.count, ABSENT);
        }
    }

    fn masks(&mut self, one: &Segmentation<Disclosed>) {
        const COUNT: &str = "the table of present and empty masks shows a bound";
        let name = format!("{} of {}", one.endpoint, one.model);
        for (what, cell) in [
            ("both have it", &one.both),
            ("missed", &one.missed),
            ("false alarm", &one.false_alarm),
            ("neither has it", &one.neither),
        ] {
            self.count(&format!("{name}: {what}"), cell, COUNT);
        }
        for row in &one.sizes {
            self.count(&format!("{name}: {}", row.level), &row.n, COUNT);
        }
        let empty = |part: &&Distribution<Disclosed>| part.blocks.is_empty();
        if let Some(part) = one.distributions.iter().find(empty) {
            let item = format!("{name}: distribution of {}", part.quantity.words());
            let effect = "this site is not in the merged distribution";
            self.push(item, "no bound".to_owned(), effect);
        }
    }

    fn estimate(&mut self, one: &Estimate<Disclosed>, pool: &str) {
        let mut item = format!("{} of {}", one.key.metric.entry().name, one.key.model);
        if let (Some(axis), Some(level)) = (&one.key.axis, &one.key.level) {
            item.push_str(&format!(", {axis} = {level}"));
        }
        if let Some(comparator) = &one.key.comparator {
            item.push_str(&format!(" against {comparator}"));
        }
        if let Some(threshold) = one.key.threshold {
            item.push_str(&format!(", at {threshold}"));
        }
        if let Some(sensitivity) = &one.key.sensitivity {
            item.push_str(&format!(", {sensitivity}"));
        }
        let pooled = one.key.metric.entry().pooling == Pooling::Mean;
        let effect = if pooled {
            pool
        } else {
            "not shown for this site"
        };
        self.reals(&item, &[&one.value], effect);
    }

    fn table_hidden(&self, one: &Estimate<Disclosed>) -> bool {
        let with_table = one.key.metric.entry().leaves == Leaves::WithTable;
        let mut tables = self.site.statistics.iter().filter_map(Statistic::confusion);
        with_table
            && tables.any(|table| {
                table.model == one.key.model
                    && table.endpoint == one.key.endpoint
                    && Some(table.threshold) == one.key.threshold
                    && table.true_positive.is_suppressed()
            })
    }

    fn crossed(&mut self, one: &Discordance<Disclosed>) {
        let item = format!(
            "decisions of {} at {} by {} at {}",
            one.model, one.threshold, one.comparator, one.comparator_threshold
        );
        if one.events.both.is_suppressed() {
            let effect = "the site does not enter McNemar's test over sites";
            self.push(item, "no bound".to_owned(), effect);
        }
    }

    fn characteristics(&mut self, one: &Characteristics<Disclosed>) {
        const BOUND: &str = "the table shows a bound instead of a count";
        for axis in &one.axes {
            for level in &axis.levels {
                let item = format!("characteristics: {} = {}", axis.axis, level.level);
                self.count(&item, &level.n, BOUND);
            }
        }
        for field in &one.moments {
            let item = format!("mean and standard deviation of {}", field.field);
            self.reals(&item, &[&field.mean, &field.sd], "not shown for this site");
        }
    }

    fn subgroups(&mut self, one: &SubgroupTable<Disclosed>) {
        const GAP: &str = "the site does not enter the gaps of this level";
        for row in &one.rows {
            let item = format!("{} = {}: cases and measures", one.axis, row.level);
            self.count(&item, &row.n, GAP);
        }
    }

    fn contingency(&mut self, one: &Contingency<Disclosed>) {
        for row in &one.rows {
            let item = format!("{} by {}: row {}", one.kind.words(), one.axis, row.level);
            if row.cells.iter().any(Cell::is_suppressed) {
                let effect = "the site does not enter the test over sites";
                self.push(item, "no bound".to_owned(), effect);
            }
        }
    }
}
