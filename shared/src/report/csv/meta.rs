//! `meta_input.csv`: what `rma` of the R package metafor needs to reproduce every pool
//! (decision C8). The rows of one pool are those of its `analysis` with `in_pool` true.
//!
//! From: analyses, 2x2 tables.
//! To: R.

use super::super::view::{self, View};
use super::super::words;
use super::{Sheet, count, flag, real_or_empty, slugs, text};
use crate::pool::result::{Analysis, PoolOutcome, SiteEstimate};
use crate::statistic::Disclosed;
use crate::statistic::confusion::Confusion;

const HEAD: [&str; 21] = [
    "slab",
    "yi",
    "vi",
    "metric",
    "scale",
    "model",
    "comparator",
    "endpoint",
    "analysis",
    "axis",
    "level",
    "threshold",
    "tp",
    "fp",
    "fn",
    "tn",
    "n",
    "role",
    "in_pool",
    "site",
    "correction",
];

/// The file.
pub(super) fn table(view: View<'_>) -> String {
    let mut sheet = Sheet::new(&HEAD);
    for (analysis, name) in view.study.analyses.iter().zip(slugs(view.study)) {
        for site in &analysis.sites {
            sheet.push(&row(view, analysis, site, &name));
        }
    }
    sheet.finish()
}

fn row(view: View<'_>, analysis: &Analysis, site: &SiteEstimate, name: &str) -> Vec<String> {
    let key = &analysis.key;
    let overall = || "overall".to_owned();
    let cells = confusion(view, analysis, site).map_or_else(Default::default, |found| {
        [
            &found.true_positive,
            &found.false_positive,
            &found.false_negative,
            &found.true_negative,
        ]
        .map(count)
    });
    let pooled = matches!(analysis.pool, PoolOutcome::Pooled(_));
    let mut row = vec![
        text(&view.site(&site.site)),
        real_or_empty(site.yi),
        real_or_empty(site.vi),
        words::metric_slug(key.metric).to_owned(),
        words::scale_slug(analysis.scale).to_owned(),
        key.model.to_string(),
        key.comparator
            .as_ref()
            .map_or_else(String::new, ToString::to_string),
        key.endpoint.to_string(),
        text(name),
        key.axis.as_ref().map_or_else(overall, ToString::to_string),
        key.level.as_deref().map_or_else(overall, text),
        real_or_empty(key.threshold),
    ];
    row.extend(cells);
    row.extend([
        count(&site.n),
        words::site_role(site.role).to_owned(),
        flag(pooled && site.excluded.is_none()),
        site.site.to_string(),
        site.correction
            .map_or("", words::correction_slug)
            .to_owned(),
    ]);
    row
}

/// The 2x2 table behind a rate over all cases.
fn confusion<'a>(
    view: View<'a>,
    analysis: &Analysis,
    site: &SiteEstimate,
) -> Option<&'a Confusion<Disclosed>> {
    let threshold = analysis.key.threshold?;
    if analysis.key.axis.is_some() {
        return None;
    }
    let found = view
        .study
        .sites
        .iter()
        .find(|entry| entry.site == site.site)?;
    view::confusions(found).find(|table| {
        table.model == analysis.key.model
            && table.endpoint == analysis.key.endpoint
            && table.threshold == threshold
    })
}
