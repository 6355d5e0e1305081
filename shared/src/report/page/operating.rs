//! Operating point: the 2x2 table and its rates at each prespecified threshold.
//!
//! From: `statistic::confusion` as released, analyses of sensitivity and specificity.
//! To: `document::Section`.

use super::super::document::{Block, Row, Section, Table};
use super::super::number::{self, Shown, Style};
use super::super::view::{self, LISTED, View, sum};
use super::super::words;
use super::card;
use super::estimates::{heterogeneity, topic_table};
use super::{robustness, summary};
use crate::pool::result::{Analysis, Metric, PoolOutcome};
use crate::statistic::Disclosed;
use crate::statistic::confusion::{Confusion, RateMeasure};
use crate::statistic::metric::Topic;
use crate::study::{SiteRole, Threshold};

const RATES: [RateMeasure; 6] = [
    RateMeasure::Sensitivity,
    RateMeasure::Specificity,
    RateMeasure::Ppv,
    RateMeasure::Npv,
    RateMeasure::SelectionRate,
    RateMeasure::Prevalence,
];

/// The page.
pub(super) fn page(view: View<'_>) -> Section {
    let mut blocks = Vec::new();
    for threshold in &view.study.protocol.threshold {
        blocks.extend(at_threshold(view, threshold));
    }
    blocks.extend(measures(view));
    if blocks.is_empty() {
        blocks.push(Block::Note(
            "The protocol declares no threshold, or no hospital released a 2x2 table.".to_owned(),
        ));
    }
    Section {
        id: "operating-point",
        title: "Operating point",
        blocks,
    }
}

/// What is shown of one threshold; nothing when no hospital released its table.
fn at_threshold(view: View<'_>, threshold: &Threshold) -> Vec<Block> {
    let tables = found(view, threshold);
    if tables.is_empty() {
        return Vec::new();
    }
    let heading = format!("{} at {}", view.model(&threshold.model), threshold.value);
    let rule = format!(
        "Positive if and only if the prediction is at or above {}. Source of the threshold: {}.",
        threshold.value,
        threshold.source.trim_end_matches('.')
    );
    let mut blocks = vec![
        Block::Heading(heading),
        Block::Text(rule),
        Block::Table(counts(view, threshold, &tables)),
        Block::Table(rates(view, threshold, &tables)),
    ];
    let card = card::table(view, threshold, &tables);
    if !card.is_empty() {
        blocks.push(Block::Table(card));
    }
    blocks.extend(pools(view, threshold, &tables));
    let points = view.study.bivariate.iter().filter(|point| {
        point.model == threshold.model
            && point.endpoint == threshold.endpoint
            && point.threshold == threshold.value
    });
    points.for_each(|point| blocks.extend(summary::summary(view, point)));
    blocks
}

/// Sensitivity and specificity at a threshold over hospitals: forest plot and heterogeneity.
fn pools(view: View<'_>, threshold: &Threshold, tables: &Found<'_>) -> Vec<Block> {
    let mut blocks = Vec::new();
    let pooled: Vec<&Analysis> = [Metric::Sensitivity, Metric::Specificity]
        .into_iter()
        .flat_map(|metric| view.overall(metric))
        .filter(|analysis| {
            analysis.key.model == threshold.model
                && analysis.key.endpoint == threshold.endpoint
                && analysis.key.threshold == Some(threshold.value)
                && !matches!(analysis.pool, PoolOutcome::NotPooled)
        })
        .collect();
    let of = |metric: Metric| pooled.iter().find(|one| one.key.metric == metric);
    if let (Some(one), Some(other)) = (of(Metric::Sensitivity), of(Metric::Specificity)) {
        let figure = summary::paired(view, threshold, (one, other), tables);
        blocks.push(Block::Figure(figure));
    }
    if !pooled.is_empty() {
        let parts: Vec<_> = pooled
            .iter()
            .map(|analysis| (words::metric(analysis.key.metric).to_owned(), *analysis))
            .collect();
        let caption = "Sensitivity and specificity: mean over hospitals and spread between them";
        blocks.push(Block::Table(heterogeneity(&parts, caption)));
        for (name, analysis) in &parts {
            blocks.extend(robustness::withheld_note(view, name, analysis).map(Block::Note));
        }
    }
    blocks
}

/// Everything else that follows from the tables.
fn measures(view: View<'_>) -> Option<Block> {
    let mut table = topic_table(
        view,
        Topic::Threshold,
        &RATES.map(rate_metric),
        "Further measures at the prespecified thresholds",
    );
    if table.is_empty() {
        return None;
    }
    table.notes.push(
        "Accuracy, F1, MCC and kappa depend on the event rate and weigh both kinds of error as \
         it happens to fall; they are given because readers ask for them, and no threshold \
         should be chosen by them. A likelihood ratio or odds ratio with an empty cell in its \
         2×2 table has 0.5 added to each cell. Predictive values at a target prevalence take \
         sensitivity and specificity as they are."
            .to_owned(),
    );
    Some(Block::Table(table))
}

fn rate_metric(rate: RateMeasure) -> Metric {
    match rate {
        RateMeasure::Sensitivity => Metric::Sensitivity,
        RateMeasure::Specificity => Metric::Specificity,
        RateMeasure::Ppv => Metric::Ppv,
        RateMeasure::Npv => Metric::Npv,
        RateMeasure::SelectionRate => Metric::SelectionRate,
        RateMeasure::Prevalence => Metric::Prevalence,
    }
}

/// The tables at one threshold with the name and role of their hospital.
pub(super) type Found<'a> = Vec<(String, SiteRole, &'a Confusion<Disclosed>)>;

fn found<'a>(view: View<'a>, threshold: &Threshold) -> Found<'a> {
    let mut out = Vec::new();
    for site in view.released() {
        let table = view::confusions(site).find(|table| {
            table.model == threshold.model
                && table.endpoint == threshold.endpoint
                && table.threshold == threshold.value
        });
        if let Some(table) = table {
            out.push((site.display_name.clone(), site.role, table));
        }
    }
    out
}

pub(super) fn class(role: SiteRole) -> &'static str {
    if role == SiteRole::External {
        ""
    } else {
        "apart"
    }
}

fn counts(view: View<'_>, threshold: &Threshold, tables: &Found<'_>) -> Table {
    let mut table = Table::new(
        format!(
            "2×2 tables of {} at {}",
            view.model(&threshold.model),
            threshold.value
        ),
        &[
            "Hospital",
            "True positive",
            "False positive",
            "False negative",
            "True negative",
        ],
    );
    let cells = |found: &Confusion<Disclosed>| {
        [
            found.true_positive,
            found.false_positive,
            found.false_negative,
            found.true_negative,
        ]
    };
    let (external, apart): (Vec<_>, Vec<_>) = tables
        .iter()
        .partition(|(_, role, _)| *role == SiteRole::External);
    let row = |(name, role, found): &(String, SiteRole, &Confusion<Disclosed>)| {
        Row::new(name, cells(found).iter().map(number::count).collect()).class(class(*role))
    };
    external.iter().for_each(|entry| table.push(row(entry)));
    if external.len() > 1 {
        let total = (0..4)
            .map(|index| {
                number::count(&sum(external
                    .iter()
                    .map(|(_, _, found)| cells(found)[index])))
            })
            .collect();
        table.push(Row::new("Sum of external hospitals", total).class("pool"));
    }
    apart.iter().for_each(|entry| table.push(row(entry)));
    table.cut(view::DRAWN, "counts.csv");
    table
}

fn rates(view: View<'_>, threshold: &Threshold, tables: &Found<'_>) -> Table {
    let mut head = vec!["Hospital"];
    head.extend(RATES.map(words::rate));
    let mut table = Table::new(
        format!(
            "Rates of {} at {} with 95% intervals",
            view.model(&threshold.model),
            threshold.value
        ),
        &head,
    );
    for (name, role, found) in tables {
        let cells = RATES
            .iter()
            .map(|wanted| {
                let rate = found.rates.iter().find(|rate| rate.measure == *wanted);
                rate.map_or_else(Shown::none, |rate| {
                    number::estimate(&rate.value, &rate.low, &rate.high, Style::Percent)
                })
            })
            .collect();
        table.push(Row::new(name, cells).class(class(*role)));
    }
    table.cut(LISTED, "estimates.csv");
    table.notes.push(format!(
        "Computed on exact rows at each hospital, {} intervals (normal on the logit scale where \
         patients repeat). PPV, NPV and selection rate hold at the hospital's own prevalence.",
        view.study.protocol.intervals.proportion.words()
    ));
    table
}
