//! The bundle's tables as CSV (RFC 4180): numbers in their shortest form that reads back the
//! same, `-` as minus, empty where there is no number, and a column that says why.
//!
//! From: `pool::result`.
//! To: `estimates.csv`, `curves.csv`, `counts.csv`, `failures.csv`, `sites.csv`, `tests.csv`,
//! `meta_input.csv`, `robustness.csv`, `summary_points.csv`, `withheld.csv`,
//! `missing_from_pools.csv`; where the protocol asks, `meta_regression.csv`,
//! `masked_sums.csv`, `one_stage.csv`; `checklists/*.csv`.

use std::collections::BTreeMap;

use super::view::View;
use super::words;
use crate::identity::Digest;
use crate::pool::result::{EstimateKey, PooledStudy};
use crate::statistic::Cell;

pub(super) mod checklists;
mod counts;
mod curves;
mod estimates;
mod failures;
mod masked;
mod meta;
mod moderator;
mod noisy;
mod one_stage;
mod robustness;
mod sites;
mod testing;
mod withheld;

/// Every CSV file by name.
pub(super) fn files(view: View<'_>) -> Vec<(&'static str, String)> {
    let mut files = vec![
        ("counts.csv", counts::table(view)),
        ("curves.csv", curves::table(view)),
        ("estimates.csv", estimates::table(view)),
        ("failures.csv", failures::table(view)),
        ("meta_input.csv", meta::table(view)),
        ("robustness.csv", robustness::table(view)),
        ("sites.csv", sites::table(view)),
        ("summary_points.csv", robustness::summary_points(view)),
        ("tests.csv", testing::table(view)),
        ("withheld.csv", withheld::table(view)),
        ("missing_from_pools.csv", withheld::pools(view)),
    ];
    if !view.study.moderators.is_empty() {
        files.push(("meta_regression.csv", moderator::table(view)));
    }
    if let Some(pool) = &view.study.masked {
        files.push(("masked_sums.csv", masked::table(view, pool)));
    }
    if !view.study.one_stage.is_empty() {
        files.push(("one_stage.csv", one_stage::table(view)));
    }
    if !view.study.noisy.is_empty() {
        files.push(("noisy.csv", noisy::table(view)));
    }
    files
}

/// The stable name of an analysis: its key's parts joined by `.`. Two levels that differ only
/// in signs (such as `<50` and `>50`) would share a name; `slugs` keeps them apart.
pub fn slug(key: &EstimateKey) -> String {
    let mut parts = vec![words::metric_slug(key.metric).to_owned()];
    parts.push(match &key.comparator {
        Some(comparator) => format!("{}-vs-{comparator}", key.model),
        None => key.model.to_string(),
    });
    parts.push(key.endpoint.to_string());
    if let Some(axis) = &key.axis {
        parts.push(axis.to_string());
    }
    if let Some(level) = &key.level {
        parts.push(plain(level));
    }
    if let Some(threshold) = key.threshold {
        parts.push(format!("at-{threshold}"));
    }
    if let Some(prevalence) = key.prevalence {
        parts.push(format!("prevalence-{prevalence}"));
    }
    if let Some(tolerance) = key.tolerance_mm {
        parts.push(format!("within-{tolerance}-mm"));
    }
    if let Some(point) = key.false_positives_per_scan {
        parts.push(format!("at-{point}-fp-per-scan"));
    }
    if let Some(sensitivity) = &key.sensitivity {
        parts.push(plain(sensitivity));
    }
    parts.join(".")
}

/// Lower-case letters, digits and single dashes; comparison signs are spelled out.
fn plain(text: &str) -> String {
    let spelled = text
        .replace("<=", " le ")
        .replace(">=", " ge ")
        .replace('\u{2264}', " le ")
        .replace('\u{2265}', " ge ")
        .replace('<', " lt ")
        .replace('>', " gt ")
        .to_lowercase();
    let mut out = String::new();
    for character in spelled.chars() {
        if character.is_alphanumeric() || character == '.' {
            out.push(character);
        } else if !out.ends_with('-') && !out.is_empty() {
            out.push('-');
        }
    }
    out.trim_end_matches('-').to_owned()
}

/// The names of all analyses in their order, each unique.
fn slugs(study: &PooledStudy) -> Vec<String> {
    let mut seen: BTreeMap<String, u32> = BTreeMap::new();
    study
        .analyses
        .iter()
        .map(|analysis| {
            let name = slug(&analysis.key);
            let count = seen.entry(name.clone()).or_insert(0);
            *count += 1;
            if *count == 1 {
                name
            } else {
                format!("{name}~{count}")
            }
        })
        .collect()
}

/// A table under construction; every row has the width of the head.
pub(super) struct Sheet {
    text: String,
    columns: usize,
}

impl Sheet {
    pub(super) fn new(head: &[&str]) -> Self {
        Self {
            text: format!("{}\n", head.join(",")),
            columns: head.len(),
        }
    }

    pub(super) fn push(&mut self, row: &[String]) {
        debug_assert_eq!(row.len(), self.columns, "row and head differ in width");
        self.text.push_str(&row.join(","));
        self.text.push('\n');
    }

    pub(super) fn finish(self) -> String {
        self.text
    }
}

/// A text field. Text that a spreadsheet would run as a formula gets a leading apostrophe.
pub(super) fn text(value: &str) -> String {
    let guarded = if value.starts_with(['=', '+', '-', '@', '\t', '\r']) {
        format!("'{value}")
    } else {
        value.to_owned()
    };
    if guarded.contains([',', '"', '\n', '\r', '\'']) {
        format!("\"{}\"", guarded.replace('"', "\"\""))
    } else {
        guarded
    }
}

/// A number in its shortest form that reads back the same.
fn real(value: f64) -> String {
    let plain = format!("{value}");
    let short = format!("{value:e}");
    if short.len() + 4 < plain.len() {
        short
    } else {
        plain
    }
}

fn real_or_empty(value: Option<f64>) -> String {
    value.map_or_else(String::new, real)
}

fn flag(value: bool) -> String {
    if value { "true" } else { "false" }.to_owned()
}

fn digest_or_empty(value: Option<Digest>) -> String {
    value.map_or_else(String::new, |digest| digest.to_string())
}

/// A count's number; empty when there is none.
fn count(cell: &Cell<u64>) -> String {
    cell.number()
        .map_or_else(String::new, |value| value.to_string())
}

/// A real number's number; empty when there is none.
fn value(cell: &Cell<f64>) -> String {
    real_or_empty(cell.number())
}

/// The state's word, whether it is suppressed, and why there is no number.
fn state<T: Copy + Default>(cell: &Cell<T>) -> (&'static str, bool, &'static str) {
    match cell {
        Cell::Value { .. } => ("number", false, ""),
        Cell::Rounded { .. } => ("rounded", false, "rounded by disclosure rules"),
        Cell::Zero => ("zero", false, ""),
        Cell::Suppressed { .. } => ("suppressed", true, "hidden by disclosure rules"),
        Cell::NotComputed { reason } => ("not-computed", false, reason.words()),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn numbers_read_back_the_same() {
        for value in [
            0.1,
            -1.0 / 3.0,
            1e-300,
            5e300,
            0.812_841_605_641_384_1,
            0.0,
            1e16,
        ] {
            assert_eq!(
                real(value).parse::<f64>().unwrap(),
                value,
                "{}",
                real(value)
            );
        }
        assert_eq!(real(-0.25), "-0.25");
        assert_eq!(real(1e-14), "1e-14");
    }

    #[test]
    fn no_text_is_run_by_a_spreadsheet() {
        assert_eq!(text("=cmd()"), "\"'=cmd()\"");
        assert_eq!(text("a \"b\", c"), "\"a \"\"b\"\", c\"");
        assert_eq!(text("Zurich"), "Zurich");
        assert_eq!(plain("<50"), "lt-50");
        assert_eq!(plain("50 and over"), "50-and-over");
    }
}
