//! What can be read from a figure, in one or two sentences made from its numbers.
//!
//! From: analyses, curves.
//! To: `document::Figure::reading`.

use super::super::number::{Style, level_words, range, real};
use super::super::view::View;
use super::super::words::{self, join, plural};
use crate::pool::result::{Analysis, MergedCurve, Metric, PoolOutcome, Pooled};
use crate::study::SiteRole;

/// Smallest and largest of named values.
pub(super) struct Ends {
    /// The smallest and whose it is.
    pub(super) low: (f64, String),
    /// The largest and whose it is.
    pub(super) high: (f64, String),
    /// Number of values.
    pub(super) count: usize,
}

impl Ends {
    /// Of `values`; `None` without any.
    pub(super) fn of(values: impl IntoIterator<Item = (f64, String)>) -> Option<Self> {
        let mut values: Vec<(f64, String)> = values.into_iter().collect();
        values.sort_by(|a, b| a.0.total_cmp(&b.0));
        Some(Self {
            count: values.len(),
            low: values.first()?.clone(),
            high: values.last()?.clone(),
        })
    }

    /// `0.711 (VA) to 0.888 (Hungarian)`, or the single value.
    pub(super) fn words(&self, style: Style) -> String {
        let one = |(value, name): &(f64, String)| format!("{} ({name})", real(*value, style));
        if self.count == 1 {
            one(&self.low)
        } else {
            format!("{} to {}", one(&self.low), one(&self.high))
        }
    }
}

/// The external hospitals' values of an analysis.
pub(super) fn ends(view: View<'_>, analysis: &Analysis) -> Option<Ends> {
    let external = analysis
        .sites
        .iter()
        .filter(|site| site.role == SiteRole::External);
    Ends::of(external.filter_map(|site| Some((site.estimate.number()?, view.site(&site.site)))))
}

/// A forest plot of one or several analyses of one metric.
pub(super) fn forest(view: View<'_>, parts: &[(String, &Analysis)]) -> String {
    match parts {
        [] => "There are no values to draw.".to_owned(),
        [(_, analysis)] => one(view, analysis),
        many => levels(many),
    }
}

fn one(view: View<'_>, analysis: &Analysis) -> String {
    let metric = analysis.key.metric;
    let (name, style) = (words::metric(metric), words::style(metric));
    let Some(found) = ends(view, analysis) else {
        return format!("No external hospital released a value of {name}.");
    };
    let mut text = if found.count == 1 {
        format!(
            "{name} is known for one external hospital: {}.",
            found.words(style)
        )
    } else {
        format!(
            "{name} ran from {} over {} external hospitals.",
            found.words(style),
            found.count
        )
    };
    match &analysis.pool {
        PoolOutcome::Pooled(pooled) => {
            text.push_str(&format!(" {}", mean(metric, pooled)));
        }
        PoolOutcome::TooFewSites { .. }
        | PoolOutcome::ConfoundedWithSite
        | PoolOutcome::NotPooled
        | PoolOutcome::Failed => {
            text.push_str(&format!(
                " {}",
                words::no_pool(&analysis.pool).unwrap_or_default()
            ));
        }
    }
    text
}

/// The mean of a pool and its spread.
fn mean(metric: Metric, pooled: &Pooled) -> String {
    let style = words::style(metric);
    let spread = if pooled.tau2 > 0.0 {
        format!(
            "Of the variation between estimates {:.0}% (I²) is more than chance explains.",
            pooled.i2
        )
    } else {
        "No variation beyond chance was found, which does not exclude it.".to_owned()
    };
    format!(
        "The mean over hospitals was {} ({} CI {}). {spread}",
        real(pooled.estimate, style),
        level_words(pooled.level),
        range(pooled.low, pooled.high, style)
    )
}

/// Several levels below each other: which pool lies farthest from no gap.
fn levels(parts: &[(String, &Analysis)]) -> String {
    let mut pooled: Vec<(&str, &Pooled, Metric)> = Vec::new();
    for (level, analysis) in parts {
        if let PoolOutcome::Pooled(pool) = &analysis.pool {
            pooled.push((level, pool, analysis.key.metric));
        }
    }
    pooled.sort_by(|a, b| b.1.mu.abs().total_cmp(&a.1.mu.abs()));
    let Some((level, pool, metric)) = pooled.first() else {
        return format!(
            "None of the {} could be pooled over hospitals.",
            plural(parts.len(), "level", "levels")
        );
    };
    let style = words::style(*metric);
    let apart = pooled
        .iter()
        .filter(|(_, pool, _)| pool.p_value < 1.0 - pool.level)
        .count();
    format!(
        "The largest mean gap was {} ({} CI {}), at the level {level}; {apart} of {} pooled levels \
         had an unadjusted interval without the value of no gap.",
        real(pool.estimate, style),
        level_words(pool.level),
        range(pool.low, pool.high, style),
        pooled.len()
    )
}

/// Areas under curves.
pub(super) fn areas(view: View<'_>, own: &[&MergedCurve], merged: &[&MergedCurve]) -> String {
    let value = |curve: &MergedCurve| curve.exact.then_some(curve.auc);
    let name = |curve: &MergedCurve| {
        curve
            .site
            .as_ref()
            .map_or_else(|| "merged patients".to_owned(), |site| view.site(site))
    };
    let mut out = Vec::new();
    let found = Ends::of(
        own.iter()
            .filter_map(|curve| Some((value(curve)?, name(curve)))),
    );
    if let Some(found) = found {
        out.push(format!(
            "The area under the curve was {} within {}.",
            found.words(Style::Plain(3)),
            plural(found.count, "hospital", "hospitals")
        ));
    }
    for curve in merged {
        if let Some(auc) = value(curve) {
            let what = if out.is_empty() {
                "the area under the curve"
            } else {
                "it"
            };
            let auc = real(auc, Style::Plain(3));
            out.push(format!(
                "Over all patients taken together {what} was {auc}."
            ));
        }
    }
    if out.is_empty() {
        "The blocks of scores that were released are merged or rounded, so the area is known only \
         between bounds, which the table states."
            .to_owned()
    } else {
        out.join(" ")
    }
}

/// Some names, and how many more there are.
pub(super) fn some(mut names: Vec<String>, most: usize) -> String {
    let more = names.len().saturating_sub(most);
    names.truncate(most);
    match more {
        0 => join(&names),
        more => format!("{} and {more} more", names.join(", ")),
    }
}

/// The first sentences of a list that has one per hospital.
pub(super) fn some_sentences(sentences: &[String]) -> String {
    const MOST: usize = 5;
    let more = sentences.len().saturating_sub(MOST);
    let first = sentences.get(..MOST).unwrap_or(sentences).join(" ");
    match more {
        0 => first,
        more => format!("{first} The other {more} stand in the table of data."),
    }
}
