//! `withheld.csv`: every number that was withheld or rounded; `missing_from_pools.csv`: the pools
//! that withheld values are missing from, with and without what is known of them.
//!
//! From: `pool::result` (`withheld`, `rounded`, `missing`).
//! To: R, Python, spreadsheets.

use super::super::view::View;
use super::super::words;
use super::{Sheet, real_or_empty, slug, text};
use crate::pool::result::{About, MissingFromPool, RoundedNumbers, Withheld};
use crate::pool::withheld::rules;
use crate::study::plan::StatisticKind;

const HEAD: [&str; 14] = [
    "site",
    "told",
    "statistic",
    "endpoint",
    "model",
    "threshold",
    "axis",
    "level",
    "item",
    "rules",
    "known",
    "effect",
    "rounded_counts",
    "rounded_values",
];

/// The items: one row each, then one per site and kind of statistic for what was rounded.
pub(super) fn table(view: View<'_>) -> String {
    let mut sheet = Sheet::new(&HEAD);
    for one in &view.study.withheld {
        sheet.push(&withheld(one));
    }
    for one in &view.study.rounded {
        sheet.push(&rounded(one));
    }
    sheet.finish()
}

fn withheld(one: &Withheld) -> Vec<String> {
    let nothing = About::default();
    let about = one.about.as_ref().unwrap_or(&nothing);
    vec![
        one.site.to_string(),
        "withheld".to_owned(),
        about.statistic.clone(),
        name(about.endpoint.as_ref()),
        name(about.model.as_ref()),
        real_or_empty(about.threshold),
        name(about.axis.as_ref()),
        about.level.as_deref().map_or_else(String::new, text),
        text(one.item.as_deref().unwrap_or("the whole release")),
        one.rules.clone(),
        text(&one.known),
        text(&one.effect),
        String::new(),
        String::new(),
    ]
}

fn name(id: Option<&impl ToString>) -> String {
    id.map_or_else(String::new, |id| text(&id.to_string()))
}

fn rounded(one: &RoundedNumbers) -> Vec<String> {
    let known = if one.counts > 0 {
        format!("each count is one of at most {} values", one.widest)
    } else {
        "the digits that are printed".to_owned()
    };
    let rules = StatisticKind::parse(&one.statistic).map_or("", rules);
    let mut row = vec![String::new(); HEAD.len()];
    row[0] = one.site.to_string();
    "rounded".clone_into(&mut row[1]);
    row[2].clone_from(&one.statistic);
    rules.clone_into(&mut row[9]);
    row[10] = text(&known);
    row[11] = text("sums carry the bounds of their terms");
    row[12] = one.counts.to_string();
    row[13] = one.values.to_string();
    row
}

const POOLS: [&str; 18] = [
    "analysis",
    "metric",
    "model",
    "axis",
    "level",
    "threshold",
    "k_sites",
    "sites_missing",
    "cases_missing_low",
    "cases_missing_high",
    "sites_untold",
    "estimate",
    "ci_low",
    "ci_high",
    "mean_at_least",
    "mean_at_most",
    "interval_at_least",
    "interval_at_most",
];

/// The pools: the mean without the withheld values, then bounds of it and of its interval.
pub(super) fn pools(view: View<'_>) -> String {
    let mut sheet = Sheet::new(&POOLS);
    for one in &view.study.missing {
        sheet.push(&pool(one));
    }
    sheet.finish()
}

fn pool(one: &MissingFromPool) -> Vec<String> {
    let sites: Vec<String> = one.sites.iter().map(ToString::to_string).collect();
    let known = one.cases.bounds().filter(|_| one.untold < one.sites.len());
    let at = one.pool.as_ref();
    let high = known.filter(|_| one.untold == 0).map(|(_, high)| high);
    let count = |value: Option<u64>| value.map_or_else(String::new, |value| value.to_string());
    let mut row = vec![
        text(&slug(&one.key)),
        words::metric_slug(one.key.metric).to_owned(),
        name(Some(&one.key.model)),
        name(one.key.axis.as_ref()),
        one.key.level.as_deref().map_or_else(String::new, text),
        real_or_empty(one.key.threshold),
        one.pooled.to_string(),
        text(&sites.join(" ")),
        count(known.map(|(low, _)| low)),
        count(high),
        one.untold.to_string(),
        real_or_empty(at.map(|pool| pool.estimate)),
        real_or_empty(at.map(|pool| pool.interval[0])),
        real_or_empty(at.map(|pool| pool.interval[1])),
    ];
    let [mean, interval] = at.map_or([[None; 2]; 2], |pool| [pool.mean, pool.outermost]);
    row.extend(mean.into_iter().chain(interval).map(real_or_empty));
    row
}
