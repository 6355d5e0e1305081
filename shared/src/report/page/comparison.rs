//! Model against comparator: the paired difference of AUCs.
//!
//! From: analyses of the AUC difference.
//! To: `document::Section`.

use super::super::document::{Block, Section};
use super::super::number::{level_words, range, real};
use super::super::view::View;
use super::super::words::{self, plural};
use super::estimates::{forest, heterogeneity};
use crate::pool::result::{Analysis, Metric, PoolOutcome};

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
    Section {
        id: "comparison",
        title: "Model against comparator",
        blocks,
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
