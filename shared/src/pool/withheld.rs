//! Everything that was withheld or rounded, item by item, and what follows from it for the pools.
//! Sites lose small cells first, so what remains is not a random part of what was asked (decision
//! C1). A release does not say why a number is missing (decision D6): beside an item stand the
//! rules that every number of its kind is under, never the one that held.
//!
//! From: released statistics.
//! To: `study`.

use super::result::{
    About, Analysis, MissingFromPool, PoolOutcome, PoolWithout, Pooled, RoundedNumbers,
    SiteEstimate, SiteOutcome, SiteResult, Withheld,
};
use crate::disclosure::review::MANY;
use crate::statistic::characteristics::Characteristics;
use crate::statistic::confusion::Confusion;
use crate::statistic::contingency::Contingency;
use crate::statistic::discordance::Discordance;
use crate::statistic::flow::Flow;
use crate::statistic::listing::{AnyCell, cells, kind};
use crate::statistic::metric::{Leaves, Pooling};
use crate::statistic::missing::Missing;
use crate::statistic::segmentation::{Distribution, Segmentation};
use crate::statistic::stage::{Cell, Disclosed};
use crate::statistic::subgroup::SubgroupTable;
use crate::statistic::{Estimate, Statistic};
use crate::study::plan::StatisticKind;
use crate::study::{EndpointId, SiteRole};

/// The list, in the protocol's order of sites.
pub(super) fn all(sites: &[SiteResult]) -> Vec<Withheld> {
    let mut list = Vec::new();
    for site in sites {
        match site.outcome {
            SiteOutcome::Released => {
                for statistic in &site.statistics {
                    let mut walk = Walk {
                        site,
                        about: about(statistic),
                        rules: rules(kind(statistic)),
                        list: &mut list,
                    };
                    walk.statistic(statistic);
                }
                list.extend(site.noise.as_ref().map(|noise| {
                    Withheld {
                        site: site.site.clone(),
                        item: Some("everything but the score histograms".to_owned()),
                        about: None,
                        rules: "D20".to_owned(),
                        known: format!("counts with noise ({})", noise.words()),
                        effect:
                            "the site enters pools of AUCs only, by its policy and whatever its \
                             numbers are"
                                .to_owned(),
                    }
                }));
            }
            SiteOutcome::NotReleased
            | SiteOutcome::Refused
            | SiteOutcome::NoAnswer
            | SiteOutcome::Quarantined
            | SiteOutcome::Withdrew => list.push(Withheld {
                site: site.site.clone(),
                item: None,
                about: None,
                rules: String::new(),
                known: outcome_words(site.outcome).to_owned(),
                effect: "the site enters no pooled result; withheld, not at random".to_owned(),
            }),
        }
    }
    list
}

/// How many numbers are rounded, by site and kind of statistic, in the order of the releases.
pub(super) fn rounded(sites: &[SiteResult]) -> Vec<RoundedNumbers> {
    let mut list: Vec<RoundedNumbers> = Vec::new();
    for site in sites {
        for statistic in &site.statistics {
            let word = kind(statistic).as_str();
            let (mut counts, mut widest, mut values) = (0, 0, 0);
            for cell in cells(statistic) {
                match cell {
                    AnyCell::Count(_, Cell::Rounded { lo, hi, .. }) => {
                        counts += 1;
                        widest = widest.max(hi.saturating_sub(*lo).saturating_add(1));
                    }
                    AnyCell::Real(_, Cell::Rounded { .. }) => values += 1,
                    AnyCell::Count(..) | AnyCell::Real(..) => {}
                }
            }
            if counts + values == 0 {
                continue;
            }
            let same = |one: &&mut RoundedNumbers| one.site == site.site && one.statistic == word;
            if let Some(one) = list.iter_mut().find(same) {
                one.counts += counts;
                one.values += values;
                one.widest = one.widest.max(widest);
            } else {
                list.push(RoundedNumbers {
                    site: site.site.clone(),
                    statistic: word.to_owned(),
                    counts,
                    widest,
                    values,
                });
            }
        }
    }
    list
}

/// The pools from which a withheld value is missing, in the order of the analyses.
pub(super) fn missing(sites: &[SiteResult], analyses: &[Analysis]) -> Vec<MissingFromPool> {
    analyses
        .iter()
        .filter_map(|one| of_pool(sites, one))
        .collect()
}

fn of_pool(sites: &[SiteResult], analysis: &Analysis) -> Option<MissingFromPool> {
    let pool = match &analysis.pool {
        PoolOutcome::Pooled(pool) => Some(pool.as_ref()),
        PoolOutcome::TooFewSites { .. } | PoolOutcome::Failed => None,
        PoolOutcome::ConfoundedWithSite | PoolOutcome::NotPooled => return None,
    };
    let mut found = MissingFromPool {
        key: analysis.key.clone(),
        sites: Vec::new(),
        cases: Cell::Zero,
        untold: 0,
        pooled: 0,
        pool: pool.and_then(without),
    };
    for site in sites.iter().filter(|site| site.role == SiteRole::External) {
        let row = analysis.sites.iter().find(|row| row.site == site.site);
        let hidden = match site.outcome {
            SiteOutcome::NotReleased | SiteOutcome::Quarantined | SiteOutcome::Withdrew => true,
            SiteOutcome::Released => row.is_some_and(SiteEstimate::is_withheld),
            SiteOutcome::Refused | SiteOutcome::NoAnswer => false,
        };
        if !hidden {
            let inside = row.is_some_and(|row| row.excluded.is_none() && row.vi.is_some());
            found.pooled += usize::from(inside && site.outcome == SiteOutcome::Released);
            continue;
        }
        found.sites.push(site.site.clone());
        match row.and_then(|row| cases(site, row, analysis)) {
            Some(cases) => found.cases = found.cases.plus(cases),
            None => found.untold += 1,
        }
    }
    (!found.sites.is_empty()).then_some(found)
}

fn without(pool: &Pooled) -> Option<PoolWithout> {
    let bounds = pool.robustness.withheld.as_ref()?;
    Some(PoolWithout {
        estimate: pool.estimate,
        interval: [pool.low, pool.high],
        mean: [bounds.low, bounds.high],
        outermost: [bounds.interval_low, bounds.interval_high],
    })
}

/// The cases behind a withheld value, as far as released: with the value itself, or in the flow
/// when the value is about all of them.
fn cases(site: &SiteResult, row: &SiteEstimate, analysis: &Analysis) -> Option<Cell<u64>> {
    let told = |cell: &Cell<u64>| cell.bounds().is_some_and(|(_, high)| high < MANY);
    if told(&row.n) {
        return Some(row.n);
    }
    let whole = analysis.key.is_whole();
    let mut flows = site.statistics.iter().filter_map(Statistic::flow);
    let of = |flow: &&Flow<Disclosed>| flow.endpoint == analysis.key.endpoint;
    let flow = flows.find(of).filter(|_| whole)?;
    Some(flow.analysed).filter(told)
}

/// The rules that numbers of a kind stand under before they leave, as `docs/explanation/
/// disclosure.md` numbers them.
pub fn rules(kind: StatisticKind) -> &'static str {
    match kind {
        StatisticKind::Flow => "D2 D3 D4 L2 L3",
        StatisticKind::Missing => "D2 D3 D4",
        StatisticKind::Characteristics => "D2 D3 D4 D9 L2 L3",
        StatisticKind::Confusion => "D2 D3 D5 D7 L2 L3",
        StatisticKind::NetBenefit | StatisticKind::Discordance => "D2 D3 D7 L2 L3",
        StatisticKind::Auc
        | StatisticKind::PairedAuc
        | StatisticKind::Brier
        | StatisticKind::Discrimination
        | StatisticKind::CaseMix
        | StatisticKind::Reclassification
        | StatisticKind::Permutation => "D8",
        StatisticKind::Calibration => "D8 D14 L2 L3",
        StatisticKind::ObservedExpected => "D5 D8",
        StatisticKind::Histogram | StatisticKind::CalibrationBins => "D6 L2 L3",
        StatisticKind::Subgroup => "D2 D3 D4 D5 D8 L2 L3",
        StatisticKind::Contingency => "D2 D3 D4 L2 L3",
        StatisticKind::CalibrationBlock => "D19",
        StatisticKind::MaskedSums => "D1 D8 L2",
        StatisticKind::Sensitivity => "D5 D8 L2",
        StatisticKind::Segmentation => "D2 D3 D9 D11",
        StatisticKind::Lesions | StatisticKind::Detection => "D5 D11",
    }
}

/// What a statistic is about.
fn about(statistic: &Statistic<Disclosed>) -> About {
    let of = |endpoint: &EndpointId| About {
        statistic: kind(statistic).as_str().to_owned(),
        endpoint: Some(endpoint.clone()),
        ..About::default()
    };
    let by = |endpoint: &EndpointId, model: &crate::study::ModelId| About {
        model: Some(model.clone()),
        ..of(endpoint)
    };
    match statistic {
        Statistic::Flow(one) => of(&one.endpoint),
        Statistic::Characteristics(one) => of(&one.endpoint),
        Statistic::Confusion(one) => About {
            threshold: Some(one.threshold),
            ..by(&one.endpoint, &one.model)
        },
        Statistic::Auc(one) => by(&one.endpoint, &one.model),
        Statistic::PairedAuc(one) => by(&one.endpoint, &one.model),
        Statistic::Histogram(one) => by(&one.endpoint, &one.model),
        Statistic::ObservedExpected(one) => by(&one.endpoint, &one.model),
        Statistic::Estimate(one) => About {
            threshold: one.key.threshold,
            axis: one.key.axis.clone(),
            level: one.key.level.clone(),
            ..by(&one.key.endpoint, &one.key.model)
        },
        Statistic::CalibrationBins(one) => by(&one.endpoint, &one.model),
        Statistic::SubgroupTable(one) => About {
            axis: Some(one.axis.clone()),
            ..by(&one.endpoint, &one.model)
        },
        Statistic::Contingency(one) => About {
            model: one.model.clone(),
            threshold: one.threshold,
            axis: Some(one.axis.clone()),
            ..of(&one.endpoint)
        },
        Statistic::Discordance(one) => About {
            threshold: Some(one.threshold),
            ..by(&one.endpoint, &one.model)
        },
        Statistic::Permutation(one) => by(&one.endpoint, &one.model),
        Statistic::CalibrationBlock(one) => by(&one.endpoint, &one.model),
        Statistic::Missing(one) => by(&one.endpoint, &one.model),
        Statistic::Segmentation(one) => by(&one.endpoint, &one.model),
        Statistic::Lesions(one) => by(&one.endpoint, &one.model),
        Statistic::Detection(one) => by(&one.endpoint, &one.model),
    }
}

/// What a site did, in words.
pub fn outcome_words(outcome: SiteOutcome) -> &'static str {
    match outcome {
        SiteOutcome::Released => "released",
        SiteOutcome::NotReleased => "not released under its own policy",
        SiteOutcome::Refused => "the site did not accept the job",
        SiteOutcome::NoAnswer => "no answer before the round closed",
        SiteOutcome::Quarantined => "received, but contradicts itself; kept for a person",
        SiteOutcome::Withdrew => "the site left the study and took its release back",
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
    about: About,
    rules: &'static str,
    list: &'a mut Vec<Withheld>,
}

impl Walk<'_> {
    fn push(&mut self, item: String, known: String, effect: &str) {
        let site = self.site.site.clone();
        self.list.push(Withheld {
            site,
            item: Some(item),
            about: Some(self.about.clone()),
            rules: self.rules.to_owned(),
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
            // Its blocks are merged, never missing; what that leaves open stands with the curves.
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
            self.about.axis = Some(axis.axis.clone());
            for level in &axis.levels {
                self.about.level = Some(level.level.clone());
                let item = format!("characteristics: {} = {}", axis.axis, level.level);
                self.count(&item, &level.n, BOUND);
            }
        }
        (self.about.axis, self.about.level) = (None, None);
        for field in &one.moments {
            let item = format!("mean and standard deviation of {}", field.field);
            self.reals(&item, &[&field.mean, &field.sd], "not shown for this site");
        }
    }

    fn subgroups(&mut self, one: &SubgroupTable<Disclosed>) {
        const GAP: &str = "the site does not enter the gaps of this level";
        for row in &one.rows {
            self.about.level = Some(row.level.clone());
            let item = format!("{} = {}: cases and measures", one.axis, row.level);
            self.count(&item, &row.n, GAP);
        }
    }

    fn contingency(&mut self, one: &Contingency<Disclosed>) {
        for row in &one.rows {
            self.about.level = Some(row.level.clone());
            let item = format!("{} by {}: row {}", one.kind.words(), one.axis, row.level);
            if row.cells.iter().any(Cell::is_suppressed) {
                let effect = "the site does not enter the test over sites";
                self.push(item, "no bound".to_owned(), effect);
            }
        }
    }
}
