//! `noisy.csv`: one row per number from counts with noise; written only where a hospital used noise.
//!
//! From: `pool::noisy`.
//! To: R, Python, spreadsheets.

use super::super::view::View;
use super::{Sheet, real, real_or_empty};
use crate::pool::result::NoisyEstimate;

const HEAD: [&str; 13] = [
    "study",
    "model",
    "endpoint",
    "site",
    "metric",
    "threshold",
    "estimate",
    "se",
    "noise_se",
    "ci_low",
    "ci_high",
    "epsilon",
    "mechanism",
];

/// The file.
pub(super) fn table(view: View<'_>) -> String {
    let mut sheet = Sheet::new(&HEAD);
    for one in &view.study.noisy {
        let site = one.site.as_ref();
        let noise = view
            .study
            .sites
            .iter()
            .find(|known| Some(&known.site) == site)
            .and_then(|known| known.noise.as_ref());
        let mut push = |metric: &str, threshold: Option<f64>, found: Option<NoisyEstimate>| {
            let Some(found) = found else { return };
            sheet.push(&[
                view.study.protocol.slug.to_string(),
                one.model.to_string(),
                one.endpoint.to_string(),
                site.map_or_else(|| "merged".to_owned(), ToString::to_string),
                metric.to_owned(),
                real_or_empty(threshold),
                real(found.value),
                real_or_empty(found.se),
                real(found.noise_se),
                real_or_empty(found.interval.map(|ends| ends[0])),
                real_or_empty(found.interval.map(|ends| ends[1])),
                noise.map_or_else(String::new, |noise| noise.epsilon.to_string()),
                noise.map_or_else(String::new, |noise| noise.mechanism.as_str().to_owned()),
            ]);
        };
        let total = |value: f64| {
            Some(NoisyEstimate {
                value,
                noise_se: one.total_noise,
                se: None,
                interval: None,
            })
        };
        push("events", None, total(one.events));
        push("non-events", None, total(one.non_events));
        push("auc", None, one.auc);
        for point in &one.points {
            let at = Some(point.threshold);
            push("sensitivity", at, point.sensitivity);
            push("specificity", at, point.specificity);
            push("net-benefit", at, point.net_benefit);
        }
    }
    sheet.finish()
}
