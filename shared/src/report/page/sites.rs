//! Hospitals and their data: who took part under which policy, and whom they saw.
//!
//! From: `statistic::characteristics` as released.
//! To: `document::Section`.

use super::super::document::{Block, Row, Section, Table};
use super::super::number::{self, Shown, Style};
use super::super::view::View;
use super::super::words;
use crate::pool::result::SiteResult;
use crate::statistic::characteristics::{Characteristics, FieldMoments};
use crate::statistic::{Cell, Disclosed, Statistic};
use crate::study::{AxisId, EndpointId, FieldName};

/// The page.
pub(super) fn page(view: View<'_>) -> Section {
    let mut blocks = vec![Block::Table(participation(view))];
    for endpoint in view.endpoints() {
        let table = characteristics(view, endpoint);
        if !table.is_empty() {
            blocks.push(Block::Table(table));
        }
    }
    let standard = view.study.protocol.endpoint.iter().map(|endpoint| {
        let read = &endpoint.reference_standard;
        let blind = if read.blinded_to_model {
            "blinded"
        } else {
            "not blinded"
        };
        (
            format!("{}: reference standard", endpoint.label),
            format!(
                "{} {} {}. Assessors were {blind} to the model. Rationale: {}.",
                sentence(&read.definition),
                if endpoint.structure.is_some() {
                    "The structure is"
                } else {
                    "An event is"
                },
                endpoint.event,
                read.rationale.trim_end_matches('.')
            ),
        )
    });
    blocks.push(Block::Terms(standard.collect()));
    Section {
        id: "sites",
        title: "Hospitals and their data",
        blocks,
    }
}

fn sentence(text: &str) -> String {
    let text = text.trim_end_matches('.');
    let mut letters = text.chars();
    let head = letters
        .next()
        .map(|first| first.to_uppercase().collect::<String>());
    format!("{}{}.", head.unwrap_or_default(), letters.as_str())
}

fn participation(view: View<'_>) -> Table {
    let mut table = Table::prose(
        "Invited hospitals, their role and what they released",
        &[
            "Hospital",
            "Role",
            "Outcome",
            "Policy profile",
            "Patients repeat",
            "Statistics",
        ],
    );
    for site in &view.study.sites {
        let released = !site.statistics.is_empty();
        table.push(Row::new(
            &site.display_name,
            vec![
                Shown::words(words::site_role(site.role)),
                Shown::words(words::outcome(site.outcome)),
                site.profile.clone().map_or_else(Shown::none, Shown::words),
                if released {
                    Shown::words(if site.clustered { "yes" } else { "no" })
                } else {
                    Shown::none()
                },
                if released {
                    Shown::number(site.statistics.len().to_string())
                } else {
                    Shown::none()
                },
            ],
        ));
    }
    table
}

fn released<'a>(
    site: &'a SiteResult,
    endpoint: &EndpointId,
) -> Option<&'a Characteristics<Disclosed>> {
    site.statistics
        .iter()
        .filter_map(Statistic::characteristics)
        .find(|found| found.endpoint == *endpoint)
}

fn characteristics(view: View<'_>, endpoint: &EndpointId) -> Table {
    let sites: Vec<_> = view
        .released()
        .into_iter()
        .filter_map(|site| Some((site, released(site, endpoint)?)))
        .collect();
    let mut table = Table::new(
        format!(
            "Characteristics of the analysed cases: {}",
            view.endpoint(endpoint)
        ),
        &[],
    );
    table.head.push("Characteristic".to_owned());
    if !view.many() {
        let names = sites.iter().map(|(site, _)| site.display_name.clone());
        table.head.extend(names);
    }
    if sites.is_empty() {
        return table;
    }
    if view.many() {
        return spreads(view, table, &sites);
    }
    table.group("");
    let cells = sites
        .iter()
        .map(|(_, found)| number::count(&found.n))
        .collect();
    table.push(Row::new("Analysed cases", cells));
    let roles = sites
        .iter()
        .map(|(site, _)| Shown::words(words::site_role(site.role)))
        .collect();
    table.push(Row::new("Role", roles));
    for field in fields(&sites) {
        let unit = view
            .study
            .protocol
            .find_field(&field)
            .and_then(|field| field.unit.clone());
        let head = match unit {
            Some(unit) => format!("{field}, {unit}: mean (SD)"),
            None => format!("{field}: mean (SD)"),
        };
        let cells = sites
            .iter()
            .map(|(_, found)| moments(&found.moments, &field))
            .collect();
        table.push(Row::new(head, cells));
    }
    for (axis, levels) in axes(&sites) {
        table.group(view.axis(&axis).0);
        for level in levels {
            let cells = sites
                .iter()
                .map(|(_, found)| share(found, &axis, &level))
                .collect();
            table.push(Row::new(level, cells));
        }
    }
    table
        .notes
        .push("Counts with share of the analysed cases where both are exact.".to_owned());
    table
}

/// Many hospitals do not fit beside each other: their number and range.
fn spreads(
    view: View<'_>,
    mut table: Table,
    sites: &[(&SiteResult, &Characteristics<Disclosed>)],
) -> Table {
    table
        .head
        .extend(["Hospitals with a number", "Lowest to highest"].map(str::to_owned));
    let cells = |values: Vec<f64>, style| {
        let ends = values.iter().fold(None, |ends: Option<(f64, f64)>, value| {
            let (low, high) = ends.unwrap_or((*value, *value));
            Some((low.min(*value), high.max(*value)))
        });
        let count = Shown::number(values.len().to_string());
        let range = ends.map_or_else(Shown::none, |(low, high)| {
            Shown::number(number::range(low, high, style))
        });
        vec![count, range]
    };
    for field in fields(sites) {
        let means = sites.iter().filter_map(|(_, found)| {
            let moments = found.moments.iter().find(|one| one.field == field)?;
            moments.mean.number()
        });
        let row = cells(means.collect(), Style::Plain(1));
        table.push(Row::new(format!("{field}: mean"), row));
    }
    for (axis, levels) in axes(sites) {
        table.group(view.axis(&axis).0);
        for level in levels {
            let shares = sites.iter().filter_map(|(_, found)| {
                let own = found.axes.iter().find(|counts| counts.axis == axis)?;
                let count = own.levels.iter().find(|count| count.level == level)?;
                let (part, n) = (count.n.number()?, found.n.number()?);
                (n > 0).then(|| ratio(part, n))
            });
            let row = cells(shares.collect(), Style::Percent);
            table.push(Row::new(level, row));
        }
    }
    table.notes.push(
        "Shares of the analysed cases. Each hospital\u{2019}s own numbers are in report.json."
            .to_owned(),
    );
    table
}

fn fields(sites: &[(&SiteResult, &Characteristics<Disclosed>)]) -> Vec<FieldName> {
    let mut out: Vec<FieldName> = Vec::new();
    for moments in sites.iter().flat_map(|(_, found)| &found.moments) {
        if !out.contains(&moments.field) {
            out.push(moments.field.clone());
        }
    }
    out
}

fn axes(sites: &[(&SiteResult, &Characteristics<Disclosed>)]) -> Vec<(AxisId, Vec<String>)> {
    let mut out: Vec<(AxisId, Vec<String>)> = Vec::new();
    for axis in sites.iter().flat_map(|(_, found)| &found.axes) {
        if !out.iter().any(|(id, _)| *id == axis.axis) {
            let levels = axis
                .levels
                .iter()
                .map(|level| level.level.clone())
                .collect();
            out.push((axis.axis.clone(), levels));
        }
    }
    out
}

fn moments(all: &[FieldMoments<Disclosed>], field: &FieldName) -> Shown {
    let Some(found) = all.iter().find(|moments| moments.field == *field) else {
        return Shown::none();
    };
    let mut shown = number::value(&found.mean, Style::Plain(1));
    if found.mean.number().is_some() {
        let sd = number::value(&found.sd, Style::Plain(1));
        shown.text = format!("{} ({})", shown.text, sd.text);
    }
    shown
}

fn share(found: &Characteristics<Disclosed>, axis: &AxisId, level: &str) -> Shown {
    let cell = found
        .axes
        .iter()
        .find(|counts| counts.axis == *axis)
        .and_then(|counts| counts.levels.iter().find(|count| count.level == level))
        .map(|count| count.n);
    let Some(cell) = cell else {
        return Shown::none();
    };
    let shown = number::count(&cell);
    match (cell, found.n.exact()) {
        (Cell::Value { value }, Some(n)) if n > 0 => {
            let percent = number::real(ratio(value, n), Style::Percent);
            shown.with(format!("({percent})"))
        }
        _ => shown,
    }
}

#[allow(clippy::cast_precision_loss)]
fn ratio(part: u64, whole: u64) -> f64 {
    part as f64 / whole as f64
}
