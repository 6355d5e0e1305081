//! Proportions, their differences, and moments that merge.
//!
//! From: `thr.*`, `prop.*`, `moments.*`.
//! To: `numeric::proportion`, `numeric::sum`.

use shared::numeric::accuracy::{AccuracyMeasure, Calls};
use shared::numeric::proportion::{clopper_pearson, newcombe_difference, wilson};
use shared::numeric::sum::{Moments, sum};

use crate::reference::Entry;
use crate::rows::Rows;

/// One proportion of an entry, with its intervals.
pub fn share(entry: &mut Entry, path: &str, k: u64, n: u64) {
    entry.check(&format!("{path}/k"), k);
    entry.check(&format!("{path}/n"), n);
    entry.check(&format!("{path}/estimate"), k as f64 / n as f64);
    entry.check(&format!("{path}/wilson"), wilson(k, n, 0.95));
    entry.check(
        &format!("{path}/clopper_pearson"),
        clopper_pearson(k, n, 0.95),
    );
    // Not offered: Wilson is the default, Clopper-Pearson the exact one.
    let others = ["agresti_coull", "jeffreys", "wald", "logit"].map(|key| format!("{path}/{key}"));
    entry.describes(&others.each_ref().map(String::as_str));
}

pub fn proportion(entry: &mut Entry) {
    let count = |key: &str| entry.input[key].as_u64().unwrap();
    let (k, n) = (count("k"), count("n"));
    share(entry, "", k, n);
}

pub fn difference(entry: &mut Entry) {
    let count = |key: &str| entry.input[key].as_u64().unwrap();
    let got =
        newcombe_difference(count("k1"), count("n1"), count("k2"), count("n2"), 0.95).unwrap();
    entry.check("/diff", got.difference);
    entry.check("/ci95", got.interval);
}

pub fn confusion(entry: &mut Entry) {
    let Some(rows) = Rows::of(&entry.input) else {
        return;
    };
    let threshold = entry.input["threshold"].as_f64().unwrap();
    let scores = rows.number(entry.input["score"].as_str().unwrap());
    let cases: Vec<(bool, bool)> = rows
        .event("y")
        .into_iter()
        .zip(scores.iter().map(|s| *s >= threshold))
        .collect();
    let count = |y: bool, called: bool| cases.iter().filter(|c| **c == (y, called)).count() as u64;
    let (tp, fp, fn_, tn) = (
        count(true, true),
        count(false, true),
        count(true, false),
        count(false, false),
    );
    entry.check("/tp", tp);
    entry.check("/fp", fp);
    entry.check("/fn", fn_);
    entry.check("/tn", tn);
    share(entry, "/sensitivity", tp, tp + fn_);
    share(entry, "/specificity", tn, tn + fp);
    share(entry, "/ppv", tp, tp + fp);
    share(entry, "/npv", tn, tn + fn_);
    share(entry, "/accuracy", tp + tn, tp + fp + fn_ + tn);
    share(entry, "/prevalence", tp + fn_, tp + fp + fn_ + tn);
    let calls = Calls::of_counts(tp, fp, fn_, tn);
    let of = |measure| calls.measure(measure, 0.95).unwrap();
    let interval = |measure| of(measure).interval(0.95);
    let ratios = [
        ("lr_pos", AccuracyMeasure::LikelihoodRatioPositive),
        ("lr_neg", AccuracyMeasure::LikelihoodRatioNegative),
        ("dor", AccuracyMeasure::DiagnosticOddsRatio),
    ];
    for (name, measure) in ratios {
        assert!(!of(measure).corrected);
        entry.check(&format!("/{name}"), of(measure).value);
        entry.check(&format!("/{name}_ci95"), interval(measure));
    }
    let others = [
        ("balanced_accuracy", AccuracyMeasure::BalancedAccuracy),
        ("f1", AccuracyMeasure::F1),
        ("mcc", AccuracyMeasure::Mcc),
        ("kappa", AccuracyMeasure::Kappa),
        ("youden_j", AccuracyMeasure::YoudenIndex),
    ];
    for (name, measure) in others {
        entry.check(&format!("/{name}"), of(measure).value);
        assert!(interval(measure).unwrap().contains(of(measure).value));
    }
}

pub fn moments(entry: &mut Entry) {
    let Some(rows) = Rows::of(&entry.input) else {
        return;
    };
    let column = entry.input["column"].as_str().unwrap().to_owned();
    let mut pooled = Moments::default();
    for site in rows.levels("site") {
        let values = rows.only("site", &site).number(&column);
        let part = Moments::of(&values).unwrap();
        pooled = pooled.merge(part);
        let at = |key: &str| format!("/per_site/{site}/{key}");
        entry.check(&at("n"), part.n);
        entry.check(&at("sum"), sum(&values));
        entry.check(&at("mean"), part.mean);
        entry.check(&at("m2"), part.m2);
        entry.check(
            &at("min"),
            values.iter().copied().fold(f64::INFINITY, f64::min),
        );
        entry.check(
            &at("max"),
            values.iter().copied().fold(f64::NEG_INFINITY, f64::max),
        );
    }
    entry.check("/pooled/n", pooled.n);
    entry.check("/pooled/mean", pooled.mean);
    entry.check("/pooled/m2", pooled.m2);
    entry.check("/pooled/sd", pooled.standard_deviation());
}
