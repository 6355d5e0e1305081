//! Case mix, and development performance beside what was found outside.
//!
//! From: analyses of case mix, the protocol's model cards.
//! To: `document::Section`.

use super::super::document::{Block, Row, Section, Table};
use super::super::number::{Shown, range, real};
use super::super::view::View;
use super::super::words;
use super::estimates::topic_table;
use crate::pool::result::{Metric, PoolOutcome};
use crate::statistic::metric::Topic;
use crate::study::{Development, EndpointId, Model};

/// The page.
pub(super) fn page(view: View<'_>) -> Section {
    let mut blocks = vec![Block::Text(
        "Where patients resemble each other no model ranks them well. The standard deviation of \
         the linear predictor says how widely predictions spread at a hospital; the model-based \
         c-statistic is the AUC that would be seen there if every prediction were true. An AUC \
         near it speaks for case mix, an AUC well below it for a model that fits less well."
            .to_owned(),
    )];
    let table = topic_table(view, Topic::CaseMix, &[], "Case mix by hospital");
    if table.is_empty() {
        blocks.push(Block::Note(
            "No hospital released measures of case mix.".to_owned(),
        ));
    } else {
        blocks.push(Block::Table(table));
    }
    let models = &view.study.protocol.model;
    let mut reported = false;
    for model in models {
        let Some(card) = &model.development else {
            continue;
        };
        reported = true;
        for endpoint in view.endpoints() {
            blocks.push(Block::Table(beside(view, model, card, endpoint)));
        }
    }
    if !reported {
        blocks.push(Block::Note(
            "The protocol gives no development performance of any model.".to_owned(),
        ));
    }
    Section {
        id: "case-mix",
        title: "Case mix and development performance",
        blocks,
    }
}

fn beside(view: View<'_>, model: &Model, card: &Development, endpoint: &EndpointId) -> Table {
    let caption = format!(
        "{}: reported by its developers, and found at external hospitals, {}",
        model.name,
        view.endpoint(endpoint)
    );
    let mut table = Table::new(
        caption,
        &["Measure", "Development", "External, mean", "Hospitals"],
    );
    let plain = |value: f64, style| Shown::number(real(value, style));
    let auc = plain(card.auc, words::style(Metric::Auc));
    let auc = match card.auc_low.zip(card.auc_high) {
        Some((low, high)) => auc.with(format!("({})", range(low, high, words::style(Metric::Auc)))),
        None => auc,
    };
    let given = |value: Option<f64>, metric| {
        value.map_or_else(Shown::none, |value| plain(value, words::style(metric)))
    };
    for (metric, reported) in [
        (Metric::Auc, auc),
        (
            Metric::ObservedExpected,
            given(card.oe, Metric::ObservedExpected),
        ),
        (
            Metric::CalibrationSlope,
            given(card.slope, Metric::CalibrationSlope),
        ),
        (
            Metric::PredictorSd,
            given(card.predictor_sd, Metric::PredictorSd),
        ),
    ] {
        let found = view
            .overall(metric)
            .find(|one| one.key.model == model.id && one.key.endpoint == *endpoint);
        let (mean, sites) = match found.map(|one| &one.pool) {
            Some(PoolOutcome::Pooled(pooled)) => (
                words::pooled_cell(metric, pooled),
                Shown::number(pooled.k.to_string()),
            ),
            Some(PoolOutcome::NotPooled) => (Shown::words("by hospital"), Shown::none()),
            Some(other) => (
                Shown::not_computed(&words::no_pool_reason(other)),
                Shown::none(),
            ),
            None => (Shown::none(), Shown::none()),
        };
        table.push(Row::new(words::metric(metric), vec![reported, mean, sites]));
    }
    table.notes.push(format!(
        "Development: {} patients, {} with the event. {} As a rule performance falls outside; \
         whether by case mix or by the model is what the table above helps to tell.",
        card.n, card.events, card.source
    ));
    table
}
