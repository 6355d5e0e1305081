//! Clinical utility: decision curves, and net benefit at the prespecified thresholds.
//!
//! From: analyses of net benefit, sums over external sites.
//! To: `document::Section`.

use super::super::document::{Block, Figure, Row, Section, Source, Table};
use super::super::figure::decision::{self, Decision, Line, Look};
use super::super::number::{self, Shown, Style, real};
use super::super::view::View;
use super::estimates::{mean_cell, table_where};
use crate::pool::result::{Analysis, Metric};
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

/// Mean over hospitals at each threshold.
fn pooled(analyses: &[(f64, &Analysis)]) -> Vec<(f64, f64)> {
    let means = banded(analyses).into_iter();
    means.map(|(at, [estimate, _, _])| (at, estimate)).collect()
}

/// Mean over hospitals with the ends of its interval, at each threshold.
fn banded(analyses: &[(f64, &Analysis)]) -> Vec<(f64, [f64; 3])> {
    let point = |(at, one): &(f64, &Analysis)| {
        let pool = one.pool.pooled()?;
        Some((*at, [pool.estimate, pool.low, pool.high]))
    };
    analyses.iter().filter_map(point).collect()
}

/// The lines of one model, its hospitals' first.
fn lines(view: View<'_>, place: usize, name: &str, own: &[(f64, &Analysis)]) -> Vec<Line> {
    let mut lines: Vec<Line> = Vec::new();
    for site in view.external() {
        let at_site = own.iter().filter_map(|(at, one)| {
            let row = one.sites.iter().find(|row| row.site == site.site)?;
            Some((*at, row.estimate.number()?))
        });
        lines.push(Line {
            label: String::new(),
            site: site.display_name.clone(),
            points: at_site.collect(),
            band: Vec::new(),
            look: Look::Site(place),
        });
    }
    let means = banded(own).into_iter();
    let band = means.map(|(at, [_, low, high])| (at, low, high));
    lines.push(Line {
        label: format!("{name}, mean"),
        site: String::new(),
        points: pooled(own),
        band: if place == 0 {
            band.collect()
        } else {
            Vec::new()
        },
        look: Look::Model(place),
    });
    lines
}

/// The figure of an endpoint; none with fewer than two thresholds.
fn curve(view: View<'_>, endpoint: &EndpointId) -> Option<Figure> {
    let (mut benefit, mut avoided) = (Vec::new(), Vec::new());
    let mut data = Table::new(
        "Data",
        &[
            "Threshold",
            "Net benefit",
            "Treating all",
            "Interventions avoided",
        ],
    );
    let mut readings = Vec::new();
    for (place, model) in view.study.protocol.model.iter().enumerate() {
        let own = along(view, Metric::NetBenefit, place, endpoint);
        if own.len() < 2 {
            continue;
        }
        benefit.extend(lines(view, place, &model.name, &own));
        push_data(view, &mut data, place, endpoint, &own);
        let all = pooled(&along(view, Metric::TreatAll, place, endpoint));
        let less = along(view, Metric::InterventionsAvoided, place, endpoint);
        readings.push(reading(&model.name, &pooled(&own), &all, &pooled(&less)));
        if less.len() > 1 {
            let mut drawn = lines(view, place, &model.name, &less);
            drawn.retain(|line| line.look == Look::Model(place));
            avoided.extend(drawn);
        }
        if benefit.iter().all(|line| line.look != Look::All) {
            let none = own.iter().map(|(at, _)| (*at, 0.0)).collect();
            for (label, points, look) in [
                ("Treating everybody, mean", all, Look::All),
                ("Treating nobody", none, Look::None),
            ] {
                benefit.push(Line {
                    label: label.to_owned(),
                    site: String::new(),
                    points,
                    band: Vec::new(),
                    look,
                });
            }
        }
    }
    if benefit.is_empty() {
        return None;
    }
    let label = view.endpoint(endpoint);
    let title = format!("Decision curves for {label}");
    let reading = readings.join(" ");
    let index = view.study.protocol.index_model();
    let plot = Decision {
        benefit,
        avoided,
        thresholds: index.map_or_else(Vec::new, |model| {
            view.study.protocol.thresholds(&model.id, endpoint)
        }),
    };
    Some(Figure {
        label: String::new(),
        caption: caption(&label, &plot),
        svg: decision::draw(&format!("decision-{endpoint}"), &title, &reading, &plot),
        reading,
        data,
        narrow: false,
        source: Source::Estimates,
    })
}

fn caption(label: &str, plot: &Decision) -> String {
    let mut text = format!(
        "Decision curves for {label}. Above: net benefit, the random-effects mean of the \
         hospitals at each threshold of the protocol; thin dotted: single hospitals. Nothing is \
         drawn far below 0."
    );
    if plot.benefit.iter().any(|line| !line.band.is_empty()) {
        text.push_str(
            " Grey area: 95% confidence intervals of the mean of the model under validation, \
             threshold by threshold.",
        );
    }
    if !plot.avoided.is_empty() {
        text.push_str(
            " Below: interventions avoided per 100 patients, against treating everybody, without \
             a treated event less.",
        );
    }
    if !plot.thresholds.is_empty() {
        text.push_str(" Dashed upright line: prespecified threshold.");
    }
    text
}

/// Where a model helps, by its means, and what it spares at most.
fn reading(name: &str, own: &[(f64, f64)], all: &[(f64, f64)], avoided: &[(f64, f64)]) -> String {
    let other = |at: f64| {
        let found = all.iter().find(|point| point.0.to_bits() == at.to_bits());
        found.map_or(0.0, |point| point.1).max(0.0)
    };
    let better: Vec<f64> = own
        .iter()
        .filter(|(at, benefit)| *benefit > other(*at))
        .map(|(at, _)| *at)
        .collect();
    if own.is_empty() {
        return format!(
            "The net benefit of {name} could not be pooled; single hospitals are drawn."
        );
    }
    let at: Vec<String> = better.iter().map(f64::to_string).collect();
    let mut text = if better.is_empty() {
        format!(
            "At none of {} thresholds was the mean net benefit of {name} above both treating \
             everybody and treating nobody.",
            own.len()
        )
    } else {
        format!(
            "The mean net benefit of {name} was above both treating everybody and treating nobody \
             at {} of {} ({}).",
            better.len(),
            super::super::words::plural(own.len(), "pooled threshold", "pooled thresholds"),
            super::reading::some(at, 6)
        )
    };
    let most = avoided
        .iter()
        .filter(|(at, _)| better.contains(at))
        .max_by(|a, b| a.1.total_cmp(&b.1));
    if let Some((at, share)) = most.filter(|(_, share)| *share > 0.0) {
        text.push_str(&format!(
            " There it avoided at most {:.0} interventions per 100 patients, at {at}.",
            100.0 * share
        ));
    }
    text
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
            same.map_or_else(Shown::none, |(_, one)| mean_cell(one))
        };
        let cells = vec![mean_cell(one), beside(&all), beside(&avoided)];
        data.push(Row::new(at.to_string(), cells));
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
