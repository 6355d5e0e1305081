//! Model against comparator: the paired difference of AUCs, of net benefit, sensitivity and
//! specificity, both models' decisions crossed, and reclassification where it was asked for.
//!
//! From: analyses of differences, crossed decisions.
//! To: `document::Section`.

use super::super::document::{Block, Row, Section, Table};
use super::super::number::{self, Shown, Style, level_words, range, real};
use super::super::view::{LISTED, View};
use super::super::words::{self, plural};
use super::estimates::{equals, forest, heterogeneity, table_where};
use super::utility::prespecified;
use crate::pool::result::{Analysis, McNemar, Metric, PoolOutcome, PooledCrossed};
use crate::statistic::Cell;
use crate::statistic::metric::Topic;
use crate::study::SiteRole;

/// The page.
pub(super) fn page(view: View<'_>) -> Section {
    let analyses: Vec<&Analysis> = view.overall(Metric::AucDifference).collect();
    let mut blocks = Vec::new();
    for analysis in &analyses {
        let pair = pair(view, analysis);
        let caption = format!(
            "Difference of AUCs, {pair}, on the same cases of each hospital. Right of zero the \
             model under validation discriminates better."
        );
        if let PoolOutcome::Pooled(pooled) = &analysis.pool {
            let style = words::style(Metric::AucDifference);
            let reading = if pooled.low > 0.0 {
                "the interval lies above zero"
            } else if pooled.high < 0.0 {
                "the interval lies below zero"
            } else {
                "the interval contains zero, so neither model is shown to discriminate better"
            };
            blocks.push(Block::Text(format!(
                "Over {} the mean paired difference ({pair}) was {} ({} CI {}): {reading}.",
                plural(pooled.k, "external hospital", "external hospitals"),
                real(pooled.estimate, style),
                level_words(pooled.level),
                range(pooled.low, pooled.high, style)
            )));
        } else if let Some(reason) = words::no_pool(&analysis.pool) {
            blocks.push(Block::Note(reason));
        }
        blocks.push(Block::Figure(forest(view, analysis, &caption)));
    }
    if analyses.is_empty() {
        blocks.push(Block::Note(
            "The protocol names no comparator, or no hospital released a comparison.".to_owned(),
        ));
    } else {
        let parts: Vec<_> = analyses
            .iter()
            .map(|analysis| (pair(view, analysis), *analysis))
            .collect();
        blocks.push(Block::Table(heterogeneity(
            &parts,
            "AUC difference: mean over hospitals and spread between them",
        )));
    }
    let mut table = table_where(view, "Further comparisons on the same cases", |one| {
        let metric = one.key.metric;
        metric.entry().topic == Topic::Comparison
            && metric != Metric::AucDifference
            && prespecified(view, one)
    });
    if !table.is_empty() {
        if view.study.protocol.comparison.is_some_and(|plan| plan.nri) {
            blocks.push(Block::Note(NRI_WARNING.to_owned()));
        }
        table.notes.push(DIFFERENCES.to_owned());
        blocks.push(Block::Table(table));
    }
    blocks.extend(
        view.study
            .crossed
            .iter()
            .map(|one| Block::Table(decisions(view, one))),
    );
    Section {
        id: "comparison",
        title: "Model against comparator",
        blocks,
    }
}

const DIFFERENCES: &str = "Sensitivity and specificity are those of each model at its own \
     threshold; net benefit cuts both models at the same threshold. NRI and IDI are described per \
     hospital and never pooled.";

const NRI_WARNING: &str = "Net reclassification (NRI) and integrated discrimination improvement \
     (IDI) were asked for by the protocol. They can rise because a model is badly calibrated, or \
     by noise, without predicting better, and their tests reject too often: they are no ground \
     to prefer a model. Read the differences of AUC and net benefit instead.";

/// Both models' decisions by hospital, with McNemar's tests.
fn decisions(view: View<'_>, one: &PooledCrossed) -> Table {
    let mut table = Table::new(
        format!(
            "Decisions of {} at {} by those of {} at {}",
            view.model(&one.model),
            one.threshold,
            view.model(&one.comparator),
            one.comparator_threshold
        ),
        &[
            "Hospital",
            "Both positive",
            "Only the model",
            "Only the comparator",
            "Neither",
            "McNemar, mid-p",
        ],
    );
    let row = |head: String, cells: &[Cell<u64>; 4], p: Shown, class| {
        let mut shown: Vec<Shown> = cells.iter().map(number::count).collect();
        shown.push(p);
        Row::new(head, shown).class(class)
    };
    for events in [true, false] {
        table.group(if events {
            "With the event"
        } else {
            "Without the event"
        });
        for site in &one.sites {
            let (cells, p) = if events {
                (&site.events, &site.event_p)
            } else {
                (&site.non_events, &site.non_event_p)
            };
            let external = site.role == SiteRole::External;
            let class = if external { "" } else { "apart" };
            let name = view.site(&site.site);
            table.push(row(name, cells, number::p_cell(p), class));
        }
        let (cells, test) = if events {
            (&one.events, &one.event_test)
        } else {
            (&one.non_events, &one.non_event_test)
        };
        let head = "External hospitals, stratified".to_owned();
        table.push(row(head, cells, test_cell(test), "pool"));
    }
    table.cut(LISTED, "counts.csv");
    let overall = match &one.overall_test {
        McNemar::Computed {
            model_right,
            comparator_right,
            mid_p,
            ..
        } => format!(
            "Over both classes the model alone was right {model_right} times, the comparator \
             alone {comparator_right} times (mid-p {}); errors of both kinds count the same here.",
            equals(&number::p_value(*mid_p))
        ),
        McNemar::NotComputed { reason } => {
            format!("No test over both classes: {}.", reason.words())
        }
    };
    table.notes.push(overall);
    table
}

fn test_cell(test: &McNemar) -> Shown {
    match test {
        McNemar::Computed {
            mid_p,
            chi_squared,
            exact_p,
            ..
        } => Shown::number(number::p_value(*mid_p)).with(format!(
            "chi-squared {}, exact p {}",
            real(*chi_squared, Style::Plain(2)),
            equals(&number::p_value(*exact_p))
        )),
        McNemar::NotComputed { reason } => Shown::not_computed(reason.words()),
    }
}

fn pair(view: View<'_>, analysis: &Analysis) -> String {
    let comparator = analysis
        .key
        .comparator
        .as_ref()
        .map_or_else(|| "comparator".to_owned(), |id| view.model(id));
    format!("{} minus {comparator}", view.model(&analysis.key.model))
}
