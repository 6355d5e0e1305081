//! Sources about one hospital, for lists that are filled once per hospital.
//!
//! From: `pool::result`.
//! To: `source`.

use super::super::super::words;
use super::result::{has_characteristics, has_flow, has_missing};
use super::{Entry, Found, Subject, entry};
use crate::pool::result::SiteResult;

pub(super) const ALL: &[Entry] = &[
    entry(
        "site.role",
        &["sites"],
        role,
        "the hospital's relation to the model",
    ),
    entry(
        "site.flow",
        &["flow"],
        |s| released(s, has_flow, "flow of participants released"),
        "the hospital's flow of participants, which it did not release",
    ),
    entry(
        "site.characteristics",
        &["sites"],
        |s| released(s, has_characteristics, "characteristics released"),
        "the hospital's characteristics of patients, which it did not release",
    ),
    entry(
        "site.missing",
        &["design"],
        |s| released(s, has_missing, "counts of missing values released"),
        "the hospital's missing values, of which it released no counts",
    ),
    entry(
        "site.primary",
        &["discrimination", "segmentation", "detection"],
        primary,
        "a result of the primary analysis: this hospital's is not in the report",
    ),
    entry(
        "site.withheld",
        &["withheld"],
        withheld,
        "what the hospital withheld",
    ),
];

fn role(subject: &Subject<'_>) -> Found {
    subject.site.map_or(Found::Absent, |site| {
        Found::Given(words::site_role(site.role).to_owned())
    })
}

fn released(subject: &Subject<'_>, has: fn(&SiteResult) -> bool, words: &str) -> Found {
    match subject.site {
        Some(site) if has(site) => Found::Given(words.to_owned()),
        Some(_) | None => Found::Absent,
    }
}

fn primary(subject: &Subject<'_>) -> Found {
    let (Some(site), Some(analysis)) = (subject.site, subject.view.primary()) else {
        return Found::Absent;
    };
    let found = analysis.sites.iter().find(|one| one.site == site.site);
    match found {
        Some(one) if one.estimate.number().is_some() => Found::Given(format!(
            "{} {}",
            words::metric(analysis.key.metric),
            words::site_cell(analysis.key.metric, one).line()
        )),
        Some(_) | None => Found::Absent,
    }
}

fn withheld(subject: &Subject<'_>) -> Found {
    let Some(site) = subject.site else {
        return Found::Absent;
    };
    let items = subject.view.study.withheld.iter();
    let count = items.filter(|one| one.site == site.site).count();
    Found::Given(if count == 0 {
        "nothing withheld".to_owned()
    } else {
        format!("{} withheld", words::plural(count, "item", "items"))
    })
}
