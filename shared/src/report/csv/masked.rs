//! `masked_sums.csv`: one row per number of the masked sum, over the patients of all hospitals in
//! it; written only where the protocol plans one.
//!
//! From: `pool::masked`.
//! To: R, Python, spreadsheets.

use super::super::view::View;
use super::super::words;
use super::{Sheet, count, real_or_empty, state, text, value};
use crate::pool::masked::{MaskedPool, OpenedPool};
use crate::statistic::Cell;
use crate::statistic::confusion::RateMeasure;

const HEAD: [&str; 15] = [
    "study",
    "model",
    "endpoint",
    "axis",
    "level",
    "threshold",
    "metric",
    "estimate",
    "ci_low",
    "ci_high",
    "n",
    "n_events",
    "state",
    "reason",
    "sites",
];

/// The file.
pub(super) fn table(view: View<'_>, pool: &MaskedPool) -> String {
    let mut sheet = Sheet::new(&HEAD);
    match pool {
        MaskedPool::Opened(pool) => opened(view, pool, &mut sheet),
        MaskedPool::NotOpened { reason } => {
            let mut row = vec![String::new(); HEAD.len()];
            row[0] = view.study.protocol.slug.to_string();
            row[12] = "not-computed".to_owned();
            row[13] = text(reason.words());
            sheet.push(&row);
        }
    }
    sheet.finish()
}

fn opened(view: View<'_>, pool: &OpenedPool, sheet: &mut Sheet) {
    let study = view.study.protocol.slug.to_string();
    let names: Vec<&str> = pool.survivors.iter().map(|site| site.as_str()).collect();
    let sites = names.join(" ");
    for analysis in &pool.analyses {
        let (key, Some(own)) = (&analysis.key, analysis.sites.first()) else {
            continue;
        };
        let (word, _, reason) = state(&own.estimate);
        sheet.push(&[
            study.clone(),
            key.model.to_string(),
            key.endpoint.to_string(),
            key.axis
                .as_ref()
                .map_or_else(String::new, ToString::to_string),
            text(key.level.as_deref().unwrap_or_default()),
            real_or_empty(key.threshold),
            words::metric_slug(key.metric).to_owned(),
            value(&own.estimate),
            value(&own.low),
            value(&own.high),
            count(&own.n),
            count(&own.events),
            word.to_owned(),
            text(reason),
            sites.clone(),
        ]);
    }
    for table in &pool.tables {
        let cells: [(&str, &Cell<u64>); 4] = [
            ("true-positives", &table.true_positive),
            ("false-positives", &table.false_positive),
            ("false-negatives", &table.false_negative),
            ("true-negatives", &table.true_negative),
        ];
        let rates = table.rates.iter();
        let all = rates
            .clone()
            .find(|rate| rate.measure == RateMeasure::Prevalence);
        for (name, cell) in cells {
            let (word, _, reason) = state(cell);
            sheet.push(&[
                study.clone(),
                table.model.to_string(),
                table.endpoint.to_string(),
                String::new(),
                String::new(),
                real_or_empty(Some(table.threshold)),
                name.to_owned(),
                count(cell),
                String::new(),
                String::new(),
                all.map_or_else(String::new, |rate| count(&rate.n)),
                String::new(),
                word.to_owned(),
                text(reason),
                sites.clone(),
            ]);
        }
    }
}
