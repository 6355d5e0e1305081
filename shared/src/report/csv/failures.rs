//! `failures.csv`: errors of the model under validation by level, over external sites.
//!
//! From: `pool::failure`.
//! To: R, Python, spreadsheets.

use super::super::view::View;
use super::{Sheet, count, real, real_or_empty, state, text};
use crate::pool::result::Failure;
use crate::statistic::Cell;

const HEAD: [&str; 18] = [
    "endpoint",
    "model",
    "threshold",
    "axis",
    "level",
    "n",
    "n_state",
    "events",
    "events_state",
    "false_negative",
    "false_negative_state",
    "false_positive",
    "false_positive_state",
    "errors_low",
    "errors_high",
    "error_share",
    "ci_low",
    "ci_high",
];

/// The file.
pub(super) fn table(view: View<'_>) -> String {
    let mut sheet = Sheet::new(&HEAD);
    for one in &view.study.failures {
        sheet.push(&row(one));
    }
    sheet.finish()
}

fn row(one: &Failure) -> Vec<String> {
    let mut row = vec![
        text(one.endpoint.as_str()),
        text(one.model.as_str()),
        real(one.threshold),
        text(one.axis.as_str()),
        text(&one.level),
    ];
    for cell in [
        &one.n,
        &one.events,
        &one.false_negative,
        &one.false_positive,
    ] {
        row.push(count(cell));
        row.push(state(cell).0.to_owned());
    }
    let errors: Cell<u64> = one.false_negative.plus(one.false_positive);
    let bounds = errors.bounds();
    row.push(bounds.map_or_else(String::new, |(low, _)| low.to_string()));
    row.push(bounds.map_or_else(String::new, |(_, high)| high.to_string()));
    let [low, high] = one
        .error
        .and_then(|error| error.interval)
        .map_or([None, None], |ends| ends.map(Some));
    row.push(real_or_empty(one.error.map(|error| error.value)));
    row.push(real_or_empty(low));
    row.push(real_or_empty(high));
    row
}
