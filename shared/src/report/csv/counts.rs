//! `counts.csv`: counts after disclosure control, with the bounds of hidden ones.
//!
//! From: flow, 2x2 tables and contingency tables as released, and sums over external sites.
//! To: R, Python, spreadsheets.

use super::super::view::{self, View};
use super::super::words;
use super::{Sheet, count, flag, real_or_empty, state, text};
use crate::pool::result::{PooledCrossed, PooledTable, SiteResult};
use crate::statistic::Cell;

const HEAD: [&str; 17] = [
    "study",
    "table",
    "endpoint",
    "model",
    "threshold",
    "axis",
    "scope",
    "site",
    "site_role",
    "row",
    "column",
    "count",
    "count_low",
    "count_high",
    "state",
    "suppressed",
    "reason",
];

/// The file.
pub(super) fn table(view: View<'_>) -> String {
    let mut sheet = Sheet::new(&HEAD);
    for site in view.released() {
        let place = ["site", site.site.as_str(), words::site_role(site.role)].map(str::to_owned);
        for endpoint in view.endpoints() {
            let Some(flow) = view::flow(site, endpoint) else {
                continue;
            };
            let about = about(view, "flow", endpoint.as_str(), "", None, "");
            for excluded in &flow.excluded {
                push(
                    &mut sheet,
                    &about,
                    &place,
                    "excluded",
                    &excluded.reason,
                    &excluded.count,
                );
            }
            for (row, cell) in [
                ("records", &flow.records),
                ("eligible", &flow.eligible),
                ("without_reference", &flow.without_reference),
                ("without_prediction", &flow.without_prediction),
                ("analysed", &flow.analysed),
                ("patients", &flow.patients),
                ("events", &flow.events),
                ("non_events", &flow.non_events),
            ] {
                push(&mut sheet, &about, &place, row, "", cell);
            }
        }
        confusions(view, &mut sheet, site, &place);
    }
    for pooled in &view.study.crossed {
        crossed(view, &mut sheet, pooled);
    }
    for pooled in &view.study.tables {
        contingency(view, &mut sheet, pooled);
    }
    sheet.finish()
}

fn confusions(view: View<'_>, sheet: &mut Sheet, site: &SiteResult, place: &[String; 3]) {
    for found in view::confusions(site) {
        let (endpoint, model) = (found.endpoint.as_str(), found.model.as_str());
        let about = about(
            view,
            "confusion",
            endpoint,
            model,
            Some(found.threshold),
            "",
        );
        push(
            sheet,
            &about,
            place,
            "positive",
            "event",
            &found.true_positive,
        );
        push(
            sheet,
            &about,
            place,
            "positive",
            "no event",
            &found.false_positive,
        );
        push(
            sheet,
            &about,
            place,
            "negative",
            "event",
            &found.false_negative,
        );
        push(
            sheet,
            &about,
            place,
            "negative",
            "no event",
            &found.true_negative,
        );
    }
}

fn about(
    view: View<'_>,
    table: &str,
    endpoint: &str,
    model: &str,
    threshold: Option<f64>,
    axis: &str,
) -> Vec<String> {
    vec![
        view.study.protocol.slug.to_string(),
        table.to_owned(),
        endpoint.to_owned(),
        model.to_owned(),
        real_or_empty(threshold),
        axis.to_owned(),
    ]
}

fn contingency(view: View<'_>, sheet: &mut Sheet, pooled: &PooledTable) {
    let model = pooled.model.as_ref().map_or("", |model| model.as_str());
    let about = about(
        view,
        words::kind_slug(pooled.kind),
        pooled.endpoint.as_str(),
        model,
        pooled.threshold,
        pooled.axis.as_str(),
    );
    let mut cells = |place: &[String; 3], all: &[Vec<Cell<u64>>]| {
        for (level, row) in pooled.levels.iter().zip(all) {
            for (column, cell) in pooled.columns.iter().zip(row) {
                push(sheet, &about, place, level, column, cell);
            }
        }
    };
    for site in &pooled.sites {
        let place = ["site", site.site.as_str(), words::site_role(site.role)].map(str::to_owned);
        cells(&place, &site.cells);
    }
    cells(&["sum", "", "external"].map(str::to_owned), &pooled.total);
}

fn crossed(view: View<'_>, sheet: &mut Sheet, pooled: &PooledCrossed) {
    let about = about(
        view,
        "decisions-crossed",
        pooled.endpoint.as_str(),
        &format!("{}-vs-{}", pooled.model, pooled.comparator),
        Some(pooled.threshold),
        "",
    );
    let mut cells = |place: &[String; 3], classes: [&[Cell<u64>; 4]; 2]| {
        for (class, all) in ["event", "no event"].into_iter().zip(classes) {
            let columns = ["both", "model only", "comparator only", "neither"];
            for (column, cell) in columns.into_iter().zip(all) {
                push(sheet, &about, place, class, column, cell);
            }
        }
    };
    for site in &pooled.sites {
        let place = ["site", site.site.as_str(), words::site_role(site.role)].map(str::to_owned);
        cells(&place, [&site.events, &site.non_events]);
    }
    let place = ["sum", "", "external"].map(str::to_owned);
    cells(&place, [&pooled.events, &pooled.non_events]);
}

fn push(
    sheet: &mut Sheet,
    about: &[String],
    place: &[String; 3],
    row: &str,
    column: &str,
    cell: &Cell<u64>,
) {
    let mut line = about.to_vec();
    line.extend(place.clone());
    let (word, suppressed, reason) = state(cell);
    let bound = |pick: fn((u64, u64)) -> u64| {
        cell.bounds()
            .map_or_else(String::new, |ends| pick(ends).to_string())
    };
    line.extend([
        text(row),
        text(column),
        count(cell),
        bound(|ends| ends.0),
        bound(|ends| ends.1),
        word.to_owned(),
        flag(suppressed),
        text(reason),
    ]);
    sheet.push(&line);
}
