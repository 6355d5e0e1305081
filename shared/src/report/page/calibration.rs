//! Calibration in the large: observed over expected events, and the Brier score.
//!
//! From: analyses of O:E and Brier, `statistic::brier` as released.
//! To: `document::Section`.

use super::super::document::{Block, Row, Section, Table};
use super::super::number::{self, Shown, Style};
use super::super::view::View;
use super::super::words;
use super::estimates::{forest, heterogeneity, split};
use crate::pool::result::{Analysis, Metric};
use crate::statistic::brier::Brier;
use crate::statistic::observed_expected::ObservedExpected;
use crate::statistic::{Disclosed, Statistic};
use crate::study::{SiteRole, SiteSlug};

/// The page.
pub(super) fn page(view: View<'_>) -> Section {
    let mut blocks = vec![Block::Text(
        "A ratio of observed to expected events (O:E) above 1 means that the model predicted too \
         few events, below 1 too many. It says nothing about calibration across the range of \
         predictions."
            .to_owned(),
    )];
    let analyses: Vec<&Analysis> = view.overall(Metric::ObservedExpected).collect();
    for analysis in &analyses {
        let caption = format!(
            "Observed over expected events of {} for {} by hospital, 95% confidence intervals on \
             the log scale.",
            view.model(&analysis.key.model),
            view.endpoint(&analysis.key.endpoint)
        );
        blocks.push(Block::Figure(forest(view, analysis, &caption)));
    }
    if !analyses.is_empty() {
        let parts: Vec<_> = analyses
            .iter()
            .map(|analysis| (view.model(&analysis.key.model), *analysis))
            .collect();
        blocks.push(Block::Table(heterogeneity(
            &parts,
            "O:E: mean over hospitals and spread between them",
        )));
    }
    let table = brier_table(view);
    if !table.is_empty() {
        blocks.push(Block::Table(table));
    }
    if blocks.len() == 1 {
        blocks.push(Block::Note(
            "No hospital released O:E or a Brier score.".to_owned(),
        ));
    }
    Section {
        id: "calibration",
        title: "Calibration in the large",
        blocks,
    }
}

fn brier_table(view: View<'_>) -> Table {
    let mut table = Table::new(
        "Mean prediction, O:E and Brier score by hospital",
        &[
            "Hospital",
            "n",
            "Observed events",
            "Mean prediction",
            "Brier score",
            "Scaled Brier",
        ],
    );
    for analysis in view.overall(Metric::Brier) {
        table.group(format!(
            "{}, {}",
            view.model(&analysis.key.model),
            view.endpoint(&analysis.key.endpoint)
        ));
        let (external, apart) = split(analysis);
        for site in external.into_iter().chain(apart) {
            let brier = find_brier(view, &site.site, analysis);
            let expected = find_expected(view, &site.site, analysis);
            let cells = vec![
                number::count(&site.n),
                expected.map_or_else(Shown::none, |found| number::count(&found.observed)),
                expected.map_or_else(Shown::none, |found| {
                    number::value(&found.mean_prediction, Style::Percent)
                }),
                words::site_cell(Metric::Brier, site),
                brier.map_or_else(Shown::none, |found| {
                    number::value(&found.scaled, Style::Plain(3))
                }),
            ];
            let class = if site.role == SiteRole::External {
                ""
            } else {
                "apart"
            };
            table.push(Row::new(view.site(&site.site), cells).class(class));
        }
    }
    table.notes.push(
        "Brier score: mean squared difference of prediction and outcome, lower is better; it is \
         described per hospital and not pooled, since it depends on the event rate. Scaled Brier: \
         1 is perfect, 0 is a model that always predicts the event rate. Predictions were not \
         clipped."
            .to_owned(),
    );
    table
}

fn find_brier<'a>(view: View<'a>, site: &SiteSlug, of: &Analysis) -> Option<&'a Brier<Disclosed>> {
    let found = view.study.sites.iter().find(|entry| entry.site == *site)?;
    found
        .statistics
        .iter()
        .find_map(|statistic| match statistic {
            Statistic::Brier(brier)
                if brier.model == of.key.model && brier.endpoint == of.key.endpoint =>
            {
                Some(brier)
            }
            Statistic::Brier(_)
            | Statistic::Flow(_)
            | Statistic::Characteristics(_)
            | Statistic::Confusion(_)
            | Statistic::Auc(_)
            | Statistic::PairedAuc(_)
            | Statistic::Histogram(_)
            | Statistic::ObservedExpected(_)
            | Statistic::SubgroupTable(_)
            | Statistic::Contingency(_) => None,
        })
}

fn find_expected<'a>(
    view: View<'a>,
    site: &SiteSlug,
    of: &Analysis,
) -> Option<&'a ObservedExpected<Disclosed>> {
    let found = view.study.sites.iter().find(|entry| entry.site == *site)?;
    found
        .statistics
        .iter()
        .find_map(|statistic| match statistic {
            Statistic::ObservedExpected(ratio)
                if ratio.model == of.key.model && ratio.endpoint == of.key.endpoint =>
            {
                Some(ratio)
            }
            Statistic::ObservedExpected(_)
            | Statistic::Brier(_)
            | Statistic::Flow(_)
            | Statistic::Characteristics(_)
            | Statistic::Confusion(_)
            | Statistic::Auc(_)
            | Statistic::PairedAuc(_)
            | Statistic::Histogram(_)
            | Statistic::SubgroupTable(_)
            | Statistic::Contingency(_) => None,
        })
}
