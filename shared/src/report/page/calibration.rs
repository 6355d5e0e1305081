//! Calibration in the large: observed over expected events, and the Brier score.
//!
//! From: analyses of O:E and Brier score.
//! To: `document::Section`.

use super::super::document::{Block, Row, Section, Table};
use super::super::number::{self, Shown, Style};
use super::super::view::View;
use super::estimates::{forest, heterogeneity, split, topic_table};
use super::one_stage;
use crate::pool::result::{Analysis, Metric};
use crate::statistic::metric::Topic;
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
    let table = expected_table(view);
    if !table.is_empty() {
        blocks.push(Block::Table(table));
    }
    let mut table = topic_table(
        view,
        Topic::Calibration,
        &[Metric::ObservedExpected],
        "Further calibration measures by hospital",
    );
    if !table.is_empty() {
        table.notes.push(BRIER.to_owned());
        blocks.push(Block::Table(table));
    }
    blocks.extend(one_stage::block(view));
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

const BRIER: &str = "Brier score: mean squared difference of prediction and outcome, lower is \
                     better; it is described per hospital and not pooled, since it depends on the \
                     event rate. Scaled Brier score: 1 is perfect, 0 is a model that always \
                     predicts the event rate. Predictions were not clipped for either.";

fn expected_table(view: View<'_>) -> Table {
    let mut table = Table::new(
        "Observed events and mean prediction by hospital",
        &["Hospital", "n", "Observed events", "Mean prediction"],
    );
    for analysis in view.overall(Metric::ObservedExpected) {
        table.group(format!(
            "{}, {}",
            view.model(&analysis.key.model),
            view.endpoint(&analysis.key.endpoint)
        ));
        let (external, apart) = split(analysis);
        for site in external.into_iter().chain(apart) {
            let expected = find_expected(view, &site.site, analysis);
            let mean = expected.map_or_else(Shown::none, |found| {
                number::value(&found.mean_prediction, Style::Percent)
            });
            let cells = vec![number::count(&site.n), number::count(&site.events), mean];
            let class = if site.role == SiteRole::External {
                ""
            } else {
                "apart"
            };
            table.push(Row::new(view.site(&site.site), cells).class(class));
        }
    }
    table
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
        .filter_map(Statistic::observed_expected)
        .find(|ratio| ratio.model == of.key.model && ratio.endpoint == of.key.endpoint)
}
