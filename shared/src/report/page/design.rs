//! Sampling and verification, what is missing, and every sensitivity analysis beside the primary
//! one.
//!
//! From: the protocol, `statistic::missing` as released, analyses with a sensitivity key.
//! To: `document::Section`.

use super::super::document::{Block, Row, Section, Table};
use super::super::number::{self, Shown, Style, real};
use super::super::view::{LISTED, View};
use super::super::words;
use crate::pool::result::{Analysis, EstimateKey, PoolOutcome};
use crate::statistic::Statistic;
use crate::study::{SamplingDesign, SiteRole};

/// The page.
pub(super) fn page(view: View<'_>) -> Section {
    let mut blocks = vec![
        Block::Heading("Design".to_owned()),
        Block::List(design(view)),
        Block::Heading("Missing predictions and reference standards".to_owned()),
        Block::Text(
            "The primary analysis takes the cases with a reference standard and a prediction of \
             every model. What is left out is counted here: cases without a prediction by \
             outcome, cases without a reference standard by score."
                .to_owned(),
        ),
    ];
    let table = missing(view);
    blocks.push(if table.is_empty() {
        Block::Note("No hospital released counts of missing values.".to_owned())
    } else {
        Block::Table(table)
    });
    blocks.push(Block::Heading("Sensitivity analyses".to_owned()));
    let table = sensitivities(view);
    if table.is_empty() {
        blocks.push(Block::Note(
            "The protocol prespecifies no sensitivity analysis, or no hospital released one."
                .to_owned(),
        ));
    } else {
        blocks.push(Block::Text(
            "Each was prespecified and computed from the same rows in the same round. A hospital \
             releases one only where enough patients stand elsewhere than in the primary \
             analysis, or none does."
                .to_owned(),
        ));
        blocks.push(Block::Table(table));
    }
    Section {
        id: "design",
        title: "Design, missing data and sensitivity analyses",
        blocks,
    }
}

fn design(view: View<'_>) -> Vec<String> {
    let protocol = &view.study.protocol;
    let sampling = match (protocol.sampling.design, protocol.sampling.fractions) {
        (SamplingDesign::Consecutive, _) => "Cases are all eligible ones in order.".to_owned(),
        (SamplingDesign::Random, _) => "Cases are a random sample of the eligible ones.".to_owned(),
        (SamplingDesign::OutcomeDependent, Some(fractions)) => format!(
            "Cases were sampled by outcome: {} of the events and {} of the non-events. Measures \
             that need the prevalence are weighted by the inverse of these fractions and speak \
             about the source population.",
            real(fractions.events, Style::Percent),
            real(fractions.non_events, Style::Percent)
        ),
        (SamplingDesign::OutcomeDependent, None) => {
            "Cases were sampled by outcome at unknown rates: nothing that needs the prevalence is \
             computed."
                .to_owned()
        }
    };
    let verification = &protocol.verification;
    let shares = [
        verification.fraction_model_positive,
        verification.fraction_model_negative,
    ];
    let verified = if shares.iter().all(|share| *share >= 1.0) {
        "Every case was to get the reference standard.".to_owned()
    } else {
        format!(
            "Not every case got the reference standard: {} of those the model calls positive and \
             {} of those it calls negative. Sensitivity and specificity of the verified cases \
             alone are biased; corrected ones stand below where the protocol asks for them.",
            real(shares[0], Style::Percent),
            real(shares[1], Style::Percent)
        )
    };
    let action = format!("Without a prediction: {}.", protocol.missing.default_action);
    vec![sampling, verified, action]
}

fn missing(view: View<'_>) -> Table {
    let mut table = Table::new(
        "Missing values by hospital",
        &["Hospital and value", "Cases"],
    );
    for endpoint in view.endpoints() {
        for model in &view.study.protocol.model {
            let title = format!("{}, {}", model.name, view.endpoint(endpoint));
            let mut rows = Vec::new();
            for site in view.released() {
                let found = site
                    .statistics
                    .iter()
                    .filter_map(Statistic::missing)
                    .find(|one| one.model == model.id && one.endpoint == *endpoint);
                let Some(found) = found else { continue };
                let external = site.role == SiteRole::External;
                let class = if external { "" } else { "apart" };
                let mut push = |what: String, cell| {
                    let head = format!("{}: {what}", site.display_name);
                    rows.push(Row::new(head, vec![number::count(cell)]).class(class));
                };
                push(
                    "no prediction, event".to_owned(),
                    &found.no_prediction_events,
                );
                push(
                    "no prediction, no event".to_owned(),
                    &found.no_prediction_non_events,
                );
                push("neither".to_owned(), &found.neither);
                for band in &found.no_reference {
                    let what =
                        format!("no reference standard, score {} to {}", band.low, band.high);
                    push(what, &band.count);
                }
            }
            if !rows.is_empty() {
                table.group(title);
                rows.into_iter().for_each(|row| table.push(row));
            }
        }
    }
    // Three values and the bands of each hospital.
    table.cut(4 * LISTED, "report.json");
    table
}

/// One group per measure: the primary analysis first, then every sensitivity analysis.
fn sensitivities(view: View<'_>) -> Table {
    let protocol = &view.study.protocol;
    let mut table = Table::new(
        "Sensitivity analyses: mean over external hospitals, and hospitals with a value",
        &[
            "Analysis",
            "Mean over hospitals",
            "Hospitals",
            "By hospital",
        ],
    );
    let changed = |one: &&Analysis| one.key.is_declared_sensitivity();
    let mut keys: Vec<EstimateKey> = Vec::new();
    for one in view.study.analyses.iter().filter(changed) {
        let key = EstimateKey {
            sensitivity: None,
            ..one.key.clone()
        };
        if !keys.contains(&key) {
            keys.push(key);
        }
    }
    for key in keys {
        let mut title = words::metric(key.metric).to_owned();
        if let Some(threshold) = key.threshold {
            title.push_str(&format!(" at {threshold}"));
        }
        let of = format!(
            "{}, {}",
            view.model(&key.model),
            view.endpoint(&key.endpoint)
        );
        table.group(format!("{title}: {of}"));
        let find = |key: &EstimateKey| view.study.analyses.iter().find(|one| one.key == *key);
        if let Some(primary) = find(&key) {
            table.push(line(view, "Primary analysis", primary).class("pool"));
        }
        for entry in &protocol.sensitivity {
            let key = EstimateKey {
                sensitivity: Some(entry.id.clone()),
                ..key.clone()
            };
            if let Some(found) = find(&key) {
                table.push(line(view, &entry.label, found));
            }
        }
    }
    table
}

fn line(view: View<'_>, name: &str, analysis: &Analysis) -> Row {
    let metric = analysis.key.metric;
    let mean = match &analysis.pool {
        PoolOutcome::Pooled(pooled) => words::pooled_cell(metric, pooled),
        PoolOutcome::NotPooled => Shown::words("not pooled"),
        PoolOutcome::TooFewSites { .. } | PoolOutcome::ConfoundedWithSite | PoolOutcome::Failed => {
            Shown::not_computed(&words::no_pool_reason(&analysis.pool))
        }
    };
    let values: Vec<String> = analysis
        .sites
        .iter()
        .filter(|row| row.role == SiteRole::External)
        .filter_map(|row| {
            let value = row.estimate.number()?;
            let shown = real(value, words::style(metric));
            Some(format!("{} {shown}", view.site(&row.site)))
        })
        .collect();
    let count = Shown::number(values.len().to_string());
    let list = if values.len() > LISTED {
        Shown::words(format!("{} hospitals, in estimates.csv", values.len()))
    } else if values.is_empty() {
        Shown::none()
    } else {
        Shown::words(values.join("; "))
    };
    Row::new(name, vec![mean, count, list])
}
