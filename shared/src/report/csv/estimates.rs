//! `estimates.csv`: tidy and long, one row per estimate.
//!
//! From: analyses.
//! To: R, Python, spreadsheets.

use super::super::view::View;
use super::super::words;
use super::{Sheet, count, flag, real, real_or_empty, slugs, state, text, value};
use crate::identity::Digest;
use crate::pool::result::{Analysis, PoolOutcome, SiteEstimate};
use crate::study::{PoolInterval, SiteRole};

const HEAD: [&str; 53] = [
    "schema_version",
    "study",
    "study_version",
    "study_hash",
    "round",
    "model",
    "model_version",
    "comparator",
    "endpoint",
    "analysis",
    "role",
    "scope",
    "site",
    "site_role",
    "axis",
    "level",
    "threshold",
    "prevalence",
    "sensitivity",
    "metric",
    "scale",
    "estimate",
    "se",
    "ci_low",
    "ci_high",
    "ci_level",
    "pi_low",
    "pi_high",
    "tau2",
    "tau2_low",
    "tau2_high",
    "i2",
    "q",
    "q_df",
    "q_p",
    "k_sites",
    "weight",
    "n",
    "n_events",
    "n_clusters",
    "n_missing",
    "p_value",
    "p_adjusted",
    "test",
    "state",
    "suppressed",
    "reason",
    "method",
    "method_version",
    "source",
    "withheld_sites",
    "bound_low",
    "bound_high",
];

/// The file.
pub(super) fn table(view: View<'_>) -> String {
    let mut sheet = Sheet::new(&HEAD);
    for (analysis, name) in view.study.analyses.iter().zip(slugs(view.study)) {
        let start = identity(view, analysis, &name);
        let metric = [
            words::metric_slug(analysis.key.metric).to_owned(),
            words::scale_slug(analysis.scale).to_owned(),
        ];
        sheet.push(&pooled(view, analysis, &start, &metric));
        for site in &analysis.sites {
            sheet.push(&of_site(view, analysis, site, &start, &metric));
        }
    }
    sheet.finish()
}

/// Columns `schema_version` to `role`, and `axis` to `sensitivity`.
struct Identity {
    head: Vec<String>,
    place: [String; 5],
}

fn identity(view: View<'_>, analysis: &Analysis, name: &str) -> Identity {
    let study = view.study;
    let key = &analysis.key;
    let overall = || "overall".to_owned();
    Identity {
        head: vec![
            "fedval.estimates/1".to_owned(),
            study.protocol.slug.to_string(),
            text(&study.protocol.version),
            study.protocol_digest.to_string(),
            study
                .round
                .as_ref()
                .map_or_else(String::new, ToString::to_string),
            key.model.to_string(),
            text(view.model_version(&key.model)),
            key.comparator
                .as_ref()
                .map_or_else(String::new, ToString::to_string),
            key.endpoint.to_string(),
            text(name),
            words::analysis_role(analysis.role).to_owned(),
        ],
        place: [
            key.axis.as_ref().map_or_else(overall, ToString::to_string),
            key.level.as_deref().map_or_else(overall, text),
            real_or_empty(key.threshold),
            real_or_empty(key.prevalence),
            key.sensitivity.as_deref().map_or_else(String::new, text),
        ],
    }
}

fn pooled(
    view: View<'_>,
    analysis: &Analysis,
    start: &Identity,
    metric: &[String; 2],
) -> Vec<String> {
    let empty = String::new;
    let mut row = start.head.clone();
    row.extend(["pooled".to_owned(), empty(), empty()]);
    row.extend(start.place.clone());
    row.extend(metric.clone());
    let (method, reason) = match &analysis.pool {
        PoolOutcome::Pooled(pool) => {
            let [pi_low, pi_high] = pool.prediction.map_or([None, None], |ends| ends.map(Some));
            let [tau_low, tau_high] = pool
                .tau2_interval
                .map_or([None, None], |ends| ends.map(Some));
            row.extend([pool.estimate, pool.se, pool.low, pool.high, pool.level].map(real));
            row.extend([pi_low, pi_high, Some(pool.tau2), tau_low, tau_high].map(real_or_empty));
            row.extend([
                real(pool.i2),
                real(pool.q),
                pool.q_df.to_string(),
                real(pool.q_p),
                pool.k.to_string(),
                "100".to_owned(),
                count(&pool.n),
                count(&pool.events),
                empty(),
                empty(),
                real(pool.p_value),
                real_or_empty(
                    view.study
                        .family
                        .iter()
                        .find(|one| one.key == analysis.key)
                        .map(|one| one.holm),
                ),
                text(match view.study.protocol.pooling.interval {
                    PoolInterval::Normal => "z, mean on the scale equals 0",
                    PoolInterval::Hksj | PoolInterval::HksjUnguarded => {
                        "t, mean on the scale equals 0"
                    }
                }),
            ]);
            let method = words::pool_method(&view.study.protocol.pooling, pool);
            (method, None)
        }
        PoolOutcome::TooFewSites { .. }
        | PoolOutcome::ConfoundedWithSite
        | PoolOutcome::NotPooled
        | PoolOutcome::Failed => {
            row.extend((0..23).map(|_| empty()));
            (String::new(), words::no_pool(&analysis.pool))
        }
    };
    row.extend([
        if reason.is_none() {
            "number"
        } else {
            "not-computed"
        }
        .to_owned(),
        flag(false),
        text(&reason.unwrap_or_default()),
        text(&method),
        "1".to_owned(),
        source(view),
    ]);
    row.extend(withheld(analysis));
    row
}

/// Sites withheld from a pool, and the bounds that they leave open.
fn withheld(analysis: &Analysis) -> [String; 3] {
    let pool = analysis.pool.pooled();
    let bounds = pool.and_then(|pool| pool.robustness.withheld.as_ref());
    bounds.map_or_else(Default::default, |bounds| {
        let sites: Vec<String> = bounds.sites.iter().map(ToString::to_string).collect();
        [
            text(&sites.join(" ")),
            real_or_empty(bounds.low),
            real_or_empty(bounds.high),
        ]
    })
}

/// Digest over the releases behind a pool, in the order of the sites.
fn source(view: View<'_>) -> String {
    let releases: Vec<Digest> = view
        .external()
        .iter()
        .filter_map(|site| site.release)
        .collect();
    let parts: Vec<&[u8]> = releases
        .iter()
        .map(|digest| digest.as_bytes().as_slice())
        .collect();
    Digest::of_list(&parts).to_string()
}

fn of_site(
    view: View<'_>,
    analysis: &Analysis,
    site: &SiteEstimate,
    start: &Identity,
    metric: &[String; 2],
) -> Vec<String> {
    let empty = String::new;
    let scope = if site.role == SiteRole::External {
        "site"
    } else {
        "development"
    };
    let mut row = start.head.clone();
    row.extend([
        scope.to_owned(),
        site.site.to_string(),
        words::site_role(site.role).to_owned(),
    ]);
    row.extend(start.place.clone());
    row.extend(metric.clone());
    row.extend([
        value(&site.estimate),
        real_or_empty(site.vi.map(f64::sqrt)),
        value(&site.low),
        value(&site.high),
        "0.95".to_owned(),
    ]);
    row.extend((0..10).map(|_| empty()));
    row.extend([
        real_or_empty(site.weight),
        count(&site.n),
        count(&site.events),
        empty(),
        empty(),
        empty(),
        empty(),
        empty(),
    ]);
    let (word, suppressed, reason) = state(&site.estimate);
    let release = view
        .study
        .sites
        .iter()
        .find(|entry| entry.site == site.site);
    row.extend([
        word.to_owned(),
        flag(suppressed),
        text(reason),
        text(analysis.key.metric.entry().method),
        "1".to_owned(),
        super::digest_or_empty(release.and_then(|entry| entry.release)),
    ]);
    row.extend((0..3).map(|_| empty()));
    row
}
