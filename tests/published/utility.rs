//! Net benefit, McNemar's tests, reclassification.
//!
//! From: `nb.*`, `mcnemar.*`, `nri_idi.*`.
//! To: `numeric::{net_benefit, mcnemar, reclassification}`.

use shared::numeric::mcnemar::Discordant;
use shared::numeric::net_benefit::{BothDecided, Decided, Prevalence, Question, totals};
use shared::numeric::reclassification::{Improvement, Moves};
use shared::numeric::sum::Moments;

use crate::reference::Entry;
use crate::rows::Rows;

fn text(entry: &Entry, key: &str) -> String {
    entry.input[key].as_str().unwrap().to_owned()
}

pub fn net_benefit(entry: &mut Entry) {
    let Some(rows) = Rows::of(&entry.input) else {
        return;
    };
    let list = |key: &str| entry.input[key].as_array().unwrap().clone();
    let models: Vec<String> = list("models")
        .iter()
        .map(|m| m.as_str().unwrap().to_owned())
        .collect();
    let thresholds: Vec<f64> = list("thresholds")
        .iter()
        .map(|t| t.as_f64().unwrap())
        .collect();
    let outcome = rows.event("y");
    for (place, threshold) in thresholds.into_iter().enumerate() {
        let called = |model: &String| -> Vec<bool> {
            let scores = rows.number(model);
            scores.into_iter().map(|s| s >= threshold).collect()
        };
        let calls: Vec<Vec<bool>> = models.iter().map(called).collect();
        for model in &models {
            let table = Decided::at_each(&outcome, &rows.number(model), &[threshold]);
            let table = table[0];
            let at = |key: &str| format!("/{model}/{place}/{key}");
            let ask = |question| {
                let found = table.estimate(question, threshold, Prevalence::Observed);
                found.unwrap()
            };
            let (value, variance) = ask(Question::NetBenefit);
            entry.check(&at("tp"), table.true_positive);
            entry.check(&at("fp"), table.false_positive);
            entry.check(&at("net_benefit"), value);
            entry.check(&at("se_net_benefit"), variance.sqrt());
            entry.check(&at("treat_all"), ask(Question::TreatAll).0);
            entry.check(&at("standardized"), ask(Question::Standardised).0);
            entry.check(
                &at("interventions_avoided_per_patient"),
                ask(Question::Avoided).0,
            );
            entry.describes(&[&at("threshold")]);
        }
        let pairs = calls[0].iter().zip(&calls[1]);
        let decided = outcome.iter().zip(pairs).map(|(y, (a, b))| (*y, *a, *b));
        let both = BothDecided::of(decided);
        let cells = both.cells(threshold).unwrap();
        let found = both.difference(threshold, Prevalence::Observed).unwrap();
        let (sum, squares) = totals(&cells);
        let at = |key: &str| {
            format!(
                "/difference_{}_minus_{}/{place}/{key}",
                models[0], models[1]
            )
        };
        entry.check(&at("delta"), found.value);
        entry.check(&at("se"), found.variance(&cells).sqrt());
        entry.check(&at("sum_u"), sum);
        entry.check(&at("sum_u2"), squares);
        entry.describes(&[&at("threshold")]);
    }
}

pub fn mcnemar(entry: &mut Entry) {
    let Some(rows) = Rows::of(&entry.input) else {
        return;
    };
    let right = |model: &str| -> Vec<bool> {
        let calls = rows.number(model).into_iter().map(|p| p >= 0.5);
        rows.event("y")
            .into_iter()
            .zip(calls)
            .map(|(y, called)| y == called)
            .collect()
    };
    let pairs: Vec<(bool, bool)> = right("p_a").into_iter().zip(right("p_b")).collect();
    let count = |pair| pairs.iter().filter(|one| **one == pair).count() as u64;
    entry.check("/both_wrong", count((false, false)));
    entry.check("/both_correct", count((true, true)));
    let discordant = Discordant {
        first: count((true, false)),
        second: count((false, true)),
    };
    entry.check("/only_1_correct", discordant.first);
    entry.check("/only_2_correct", discordant.second);
    let (plain, corrected) = (discordant.chi2(), discordant.chi2_corrected());
    entry.check("/chi2", plain.map(|test| test.statistic));
    entry.check("/p", plain.map(|test| test.p));
    entry.check("/chi2_corrected", corrected.map(|test| test.statistic));
    entry.check("/p_corrected", corrected.map(|test| test.p));
    entry.check("/exact_p", discordant.exact_p());
    entry.check("/midp", discordant.mid_p());
}

pub fn reclassification(entry: &mut Entry) {
    let Some(rows) = Rows::of(&entry.input) else {
        return;
    };
    let class = |event: &str| {
        let only = rows.only("y", event);
        let (old, new) = (
            only.number(&text(entry, "old")),
            only.number(&text(entry, "new")),
        );
        let pairs: Vec<(f64, f64)> = old.into_iter().zip(new).collect();
        let change: Vec<f64> = pairs.iter().map(|(old, new)| new - old).collect();
        (Moves::of(pairs.into_iter()), Moments::of(&change).unwrap())
    };
    let ((events, change1), (non_events, change0)) = (class("1"), class("0"));
    entry.check("/n", events.total + non_events.total);
    entry.check("/n_event", events.total);
    entry.check("/n_nonevent", non_events.total);
    for (name, moves) in [("event", events), ("nonevent", non_events)] {
        let share = |n: u64| n as f64 / moves.total as f64;
        entry.check(&format!("/pup_{name}"), share(moves.up));
        entry.check(&format!("/pdown_{name}"), share(moves.down));
    }
    let nri = Improvement::nri(events, non_events).unwrap();
    entry.check("/nri", nri.total);
    entry.check("/nri_event", nri.event);
    entry.check("/nri_nonevent", nri.non_event);
    entry.check("/se_nri", nri.variance.sqrt());
    entry.check("/z_nri", nri.z());
    let idi = Improvement::idi(change1, change0).unwrap();
    entry.check("/idi", idi.total);
    entry.check("/se_idi", idi.variance.sqrt());
    entry.check("/z_idi", idi.z());
}
