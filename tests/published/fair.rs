//! Fairness criteria over groups, and p values adjusted for their number.
//!
//! From: `fair.*`, `multitest.*`.
//! To: `numeric::{disparity, multiplicity}`.

use std::collections::BTreeMap;

use shared::numeric::delong::auc;
use shared::numeric::disparity::{Fairness, GroupCounts};
use shared::numeric::multiplicity::adjust;

use crate::rate::share;
use crate::reference::Entry;
use crate::rows::Rows;

/// Name of every row's group, as the entry names groups.
fn groups(entry: &Entry, rows: &Rows) -> Vec<String> {
    let list = |key: &str| entry.input[key].as_array().cloned().unwrap_or_default();
    let breaks: Vec<f64> = list("age_breaks")
        .iter()
        .filter_map(|v| v.as_f64())
        .collect();
    let band = |age: f64| match breaks.iter().filter(|edge| **edge < age).count() {
        0 | 1 => format!("<{}", breaks[1] + 1.0),
        2 => format!("{}-{}", breaks[1] + 1.0, breaks[2]),
        _ => format!("{}+", breaks[2] + 1.0),
    };
    let column = |name: &str| -> Vec<String> {
        match name {
            "age_band" => rows.number("age").into_iter().map(band).collect(),
            "missing_pattern" => {
                let has = ["has_chol", "has_ca", "has_thal"].map(|name| rows.text(name));
                (0..rows.len())
                    .map(|row| has.iter().map(|column| column[row].as_str()).collect())
                    .collect()
            }
            _ => rows.text(name),
        }
    };
    let columns: Vec<Vec<String>> = list("groups")
        .iter()
        .map(|name| column(name.as_str().unwrap()))
        .collect();
    (0..rows.len())
        .map(|row| {
            let parts: Vec<&str> = columns.iter().map(|c| c[row].as_str()).collect();
            parts.join("|")
        })
        .collect()
}

pub fn criteria(entry: &mut Entry) {
    let Some(rows) = Rows::of(&entry.input) else {
        return;
    };
    let score = rows.number(entry.input["score"].as_str().unwrap());
    let threshold = entry.input["threshold"].as_f64().unwrap();
    let outcome = rows.event("y");
    let mut members: BTreeMap<String, Vec<usize>> = BTreeMap::new();
    for (row, group) in groups(entry, &rows).into_iter().enumerate() {
        members.entry(group).or_default().push(row);
    }
    let mut counts = Vec::new();
    for (group, rows) in &members {
        let mut found = GroupCounts::default();
        for row in rows {
            let cell = match (score[*row] >= threshold, outcome[*row]) {
                (true, true) => &mut found.true_positive,
                (true, false) => &mut found.false_positive,
                (false, true) => &mut found.false_negative,
                (false, false) => &mut found.true_negative,
            };
            *cell += 1;
        }
        one_group(entry, &format!("/by_group/{group}"), found);
        others(entry, &format!("/by_group/{group}"), rows, &outcome, &score);
        counts.push(found);
    }
    let got = Fairness::of(&counts);
    entry.check(
        "/demographic_parity_difference",
        got.demographic_parity_difference,
    );
    entry.check("/demographic_parity_ratio", got.demographic_parity_ratio);
    entry.check("/equalized_odds_difference", got.equalised_odds_difference);
    entry.check(
        "/equalized_odds_difference_mean",
        got.equalised_odds_difference_mean,
    );
    entry.check("/equalized_odds_ratio", got.equalised_odds_ratio);
    entry.check(
        "/equal_opportunity_difference",
        got.equal_opportunity_difference,
    );
    let all = counts
        .iter()
        .fold(GroupCounts::default(), |a, b| GroupCounts {
            true_positive: a.true_positive + b.true_positive,
            false_positive: a.false_positive + b.false_positive,
            false_negative: a.false_negative + b.false_negative,
            true_negative: a.true_negative + b.true_negative,
        });
    let n = all.true_positive + all.false_positive + all.false_negative + all.true_negative;
    entry.check("/overall/n", n);
    for (name, k, n) in shares(all) {
        entry.check(&format!("/overall/{name}"), k as f64 / n as f64);
    }
    let tnr = all.true_negative as f64 / (all.true_negative + all.false_positive) as f64;
    entry.check("/overall/tnr", tnr);
}

/// Name, numerator and denominator of each rate.
fn shares(g: GroupCounts) -> [(&'static str, u64, u64); 4] {
    let positive = g.true_positive + g.false_positive;
    let n = positive + g.false_negative + g.true_negative;
    [
        ("selection_rate", positive, n),
        ("tpr", g.true_positive, g.true_positive + g.false_negative),
        ("fpr", g.false_positive, g.false_positive + g.true_negative),
        ("ppv", g.true_positive, positive),
    ]
}

fn one_group(entry: &mut Entry, at: &str, g: GroupCounts) {
    let n = g.true_positive + g.false_positive + g.false_negative + g.true_negative;
    for (name, value) in [
        ("n", n),
        ("tp", g.true_positive),
        ("fp", g.false_positive),
        ("fn", g.false_negative),
        ("tn", g.true_negative),
    ] {
        entry.check(&format!("{at}/{name}"), value);
    }
    let prevalence = (g.true_positive + g.false_negative) as f64 / n as f64;
    entry.check(&format!("{at}/prevalence"), prevalence);
    for (name, k, n) in shares(g) {
        let at = format!("{at}/{name}");
        if n == 0 {
            entry.check(&at, None::<f64>);
            continue;
        }
        share(entry, &at, k, n);
    }
}

fn others(entry: &mut Entry, at: &str, rows: &[usize], outcome: &[bool], score: &[f64]) {
    let outcome: Vec<bool> = rows.iter().map(|row| outcome[*row]).collect();
    let score: Vec<f64> = rows.iter().map(|row| score[*row]).collect();
    let patient: Vec<u32> = (0..rows.len() as u32).collect();
    let events = outcome.iter().filter(|y| **y).count() as f64;
    let squares = score.iter().zip(&outcome).map(|(p, y)| {
        let gap = p - f64::from(u8::from(*y));
        gap * gap
    });
    let area = auc(&outcome, &score, &patient).unwrap().auc;
    entry.check(&format!("{at}/auc"), area);
    entry.check(&format!("{at}/o_e"), events / score.iter().sum::<f64>());
    entry.check(
        &format!("{at}/brier"),
        squares.sum::<f64>() / rows.len() as f64,
    );
}

pub fn adjusted(entry: &mut Entry) {
    let values = entry.input["p"].as_array().unwrap();
    let p: Vec<f64> = values.iter().map(|v| v.as_f64().unwrap()).collect();
    let got = adjust(&p).unwrap();
    entry.check("/holm", got.holm);
    entry.check("/fdr_bh", got.benjamini_hochberg);
    // Adjustments this project does not offer.
    entry.describes(&["/bonferroni", "/fdr_by", "/hommel"]);
}
