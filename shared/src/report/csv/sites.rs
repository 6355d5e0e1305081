//! `sites.csv`: invited sites, in the protocol's order.
//!
//! From: sites as they ended the round.
//! To: R, Python, spreadsheets.

use super::super::view::{self, View};
use super::super::words;
use super::{Sheet, count, digest_or_empty, flag, text};
use crate::statistic::Cell;
use crate::statistic::Disclosed;
use crate::statistic::flow::Flow;

const HEAD: [&str; 14] = [
    "study",
    "site",
    "display_name",
    "site_role",
    "outcome",
    "profile",
    "clustered",
    "endpoint",
    "n_analysed",
    "n_patients",
    "n_events",
    "n_non_events",
    "release",
    "bytes",
];

/// The file: one row per site and endpoint, one row for a site without a release.
pub(super) fn table(view: View<'_>) -> String {
    let mut sheet = Sheet::new(&HEAD);
    for site in &view.study.sites {
        let start = vec![
            view.study.protocol.slug.to_string(),
            site.site.to_string(),
            text(&site.display_name),
            words::site_role(site.role).to_owned(),
            text(words::outcome(site.outcome)),
            site.profile.as_deref().map_or_else(String::new, text),
            flag(site.clustered),
        ];
        let mut push = |endpoint: String, flow: Option<&Flow<Disclosed>>| {
            let show = |pick: fn(&Flow<Disclosed>) -> &Cell<u64>| {
                flow.map_or_else(String::new, |flow| count(pick(flow)))
            };
            let mut row = start.clone();
            row.extend([
                endpoint,
                show(|flow| &flow.analysed),
                show(|flow| &flow.patients),
                show(|flow| &flow.events),
                show(|flow| &flow.non_events),
                digest_or_empty(site.release),
                digest_or_empty(site.bytes),
            ]);
            sheet.push(&row);
        };
        let mut any = false;
        for endpoint in view.endpoints() {
            if let Some(flow) = view::flow(site, endpoint) {
                push(endpoint.to_string(), Some(flow));
                any = true;
            }
        }
        if !any {
            push(String::new(), None);
        }
    }
    sheet.finish()
}
