//! Clinical utility: decision curves, and net benefit at the prespecified thresholds.
//!
//! From: analyses of net benefit, sums over external sites.
//! To: `document::Section`.

use super::super::document::{Block, Figure, Row, Section, Table};
use super::super::figure::decision::{self, Line, Look};
use super::super::number::{self, Shown, Style, real};
use super::super::view::View;
use super::super::words;
use super::estimates::table_where;
use crate::pool::result::{Analysis, Metric, PoolOutcome};
use crate::statistic::metric::Topic;
use crate::study::EndpointId;

const INTRODUCTION: &str = "Net benefit weighs treated patients with the event against needless \
     treatments, at the exchange rate that the threshold implies: at a threshold of 0.1 one \
     treated event is worth nine needless treatments. A model helps at a threshold where its net \
     benefit lies above treating everybody and above treating nobody, whose net benefit is 0.";

/// The page.
pub(super) fn page(view: View<'_>) -> Section {
    let mut blocks = vec![Block::Text(INTRODUCTION.to_owned())];
    for endpoint in view.endpoints() {
        blocks.extend(curve(view, endpoint).map(Block::Figure));
    }
    let mut table = table_where(view, "Net benefit at the prespecified thresholds", |one| {
        one.key.metric.entry().topic == Topic::Utility && prespecified(view, one)
    });
    if !table.is_empty() {
        table.notes.push(NOTE.to_owned());
        blocks.push(Block::Table(table));
    }
    let merged = merged(view);
    if !merged.is_empty() {
        blocks.push(Block::Table(merged));
    }
    if blocks.len() == 1 {
        blocks.push(Block::Note(
            "The protocol declares no threshold, or no hospital released a net benefit.".to_owned(),
        ));
    }
    Section {
        id: "clinical-utility",
        title: "Clinical utility",
        blocks,
    }
}

const NOTE: &str = "Net benefit depends on the hospital's prevalence; the mean over hospitals is \
     not that of any one of them. Interventions avoided: per patient, against treating everybody, \
     without a treated event less. Standardised: over its largest possible value, the prevalence.";

/// Whether the analysis is at a threshold that the protocol declares for its model.
pub(super) fn prespecified(view: View<'_>, one: &Analysis) -> bool {
    let declared = view
        .study
        .protocol
        .thresholds(&one.key.model, &one.key.endpoint);
    let same = |at: f64| declared.iter().any(|value| value.to_bits() == at.to_bits());
    one.key.threshold.is_none_or(same)
}

/// Analyses of one metric of a model at the observed prevalence, by ascending threshold.
fn along<'a>(
    view: View<'a>,
    metric: Metric,
    model: usize,
    endpoint: &EndpointId,
) -> Vec<(f64, &'a Analysis)> {
    let Some(model) = view.study.protocol.model.get(model) else {
        return Vec::new();
    };
    let mut found: Vec<(f64, &Analysis)> = view
        .overall(metric)
        .filter(|one| one.key.model == model.id && one.key.endpoint == *endpoint)
        .filter(|one| one.key.prevalence.is_none())
        .filter_map(|one| Some((one.key.threshold?, one)))
        .collect();
    found.sort_by(|a, b| a.0.total_cmp(&b.0));
    found
}

fn pooled(analyses: &[(f64, &Analysis)]) -> Vec<(f64, f64)> {
    let point = |(at, one): &(f64, &Analysis)| match &one.pool {
        PoolOutcome::Pooled(pool) => Some((*at, pool.estimate)),
        PoolOutcome::TooFewSites { .. }
        | PoolOutcome::ConfoundedWithSite
        | PoolOutcome::NotPooled
        | PoolOutcome::Failed => None,
    };
    analyses.iter().filter_map(point).collect()
}

/// The figure of an endpoint; none with fewer than two thresholds.
fn curve(view: View<'_>, endpoint: &EndpointId) -> Option<Figure> {
    let mut lines = Vec::new();
    let mut data = Table::new(
        "Data",
        &[
            "Threshold",
            "Net benefit",
            "Treating all",
            "Interventions avoided",
        ],
    );
    for (place, model) in view.study.protocol.model.iter().enumerate() {
        let own = along(view, Metric::NetBenefit, place, endpoint);
        if own.len() < 2 {
            continue;
        }
        for site in view.external() {
            let at_site = own.iter().filter_map(|(at, one)| {
                let row = one.sites.iter().find(|row| row.site == site.site)?;
                Some((*at, row.estimate.number()?))
            });
            lines.push(Line {
                label: String::new(),
                points: at_site.collect(),
                look: Look::Site(place),
            });
        }
        lines.push(Line {
            label: format!("{}: mean over hospitals; thin: each hospital", model.name),
            points: pooled(&own),
            look: Look::Model(place),
        });
        push_data(view, &mut data, place, endpoint, &own);
        if lines.iter().all(|line| line.look != Look::All) {
            lines.push(Line {
                label: "Treating everybody: mean over hospitals".to_owned(),
                points: pooled(&along(view, Metric::TreatAll, place, endpoint)),
                look: Look::All,
            });
            lines.push(Line {
                label: "Treating nobody".to_owned(),
                points: own.iter().map(|(at, _)| (*at, 0.0)).collect(),
                look: Look::None,
            });
        }
    }
    if lines.is_empty() {
        return None;
    }
    let label = view.endpoint(endpoint);
    let title = format!("Decision curves for {label}");
    let description = format!(
        "Net benefit by threshold probability for {label}; every number stands in the table of \
         data below the figure."
    );
    let id = format!("decision-{endpoint}");
    Some(Figure {
        label: String::new(),
        caption: format!(
            "Decision curves for {label}: random-effects mean of the hospitals' net benefit at \
             each threshold of the protocol. Nothing is drawn far below 0."
        ),
        svg: decision::draw(&id, &title, &description, &lines),
        data,
        narrow: false,
    })
}

fn push_data(
    view: View<'_>,
    data: &mut Table,
    place: usize,
    endpoint: &EndpointId,
    own: &[(f64, &Analysis)],
) {
    let model = view.study.protocol.model.get(place);
    data.group(model.map_or_else(String::new, |model| model.name.clone()));
    let all = along(view, Metric::TreatAll, place, endpoint);
    let avoided = along(view, Metric::InterventionsAvoided, place, endpoint);
    for (at, one) in own {
        let beside = |found: &[(f64, &Analysis)]| {
            let same = found
                .iter()
                .find(|(other, _)| other.to_bits() == at.to_bits());
            same.map_or_else(Shown::none, |(_, one)| mean(one))
        };
        let cells = vec![mean(one), beside(&all), beside(&avoided)];
        data.push(Row::new(at.to_string(), cells));
    }
}

fn mean(one: &Analysis) -> Shown {
    match &one.pool {
        PoolOutcome::Pooled(pool) => words::pooled_cell(one.key.metric, pool),
        PoolOutcome::TooFewSites { .. }
        | PoolOutcome::ConfoundedWithSite
        | PoolOutcome::NotPooled
        | PoolOutcome::Failed => Shown::not_computed(&words::no_pool_reason(&one.pool)),
    }
}

fn carried(prevalence: Option<f64>) -> String {
    prevalence.map_or_else(
        || "as in these patients".to_owned(),
        |share| real(share, Style::Percent),
    )
}

/// Net benefit of the summed counts, beside the mean over hospitals.
fn merged(view: View<'_>) -> Table {
    let mut table = Table::new(
        "Net benefit of the external hospitals' patients taken together (these sites only)",
        &[
            "Threshold",
            "Prevalence",
            "Net benefit (95% CI)",
            "Treating all",
            "Avoided",
        ],
    );
    for curve in &view.study.benefit {
        table.group(format!(
            "{}, {}",
            view.model(&curve.model),
            view.endpoint(&curve.endpoint)
        ));
        for point in &curve.points {
            let benefit = Shown::number(real(point.net_benefit, Style::Plain(3)));
            let benefit = match point.interval {
                Some([low, high]) => {
                    benefit.with(format!("({})", number::range(low, high, Style::Plain(3))))
                }
                None => benefit,
            };
            let cells = vec![
                Shown::words(carried(curve.prevalence)),
                benefit,
                Shown::number(real(point.treat_all, Style::Plain(3))),
                Shown::number(real(point.avoided, Style::Percent)),
            ];
            table.push(Row::new(point.threshold.to_string(), cells));
        }
    }
    table
}
