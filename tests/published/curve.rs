//! Partial areas, average precision, Youden's index, clustered areas.
//!
//! From: `pauc.*`, `ap.*`, `youden.*`, `auc.picai.clustered`.
//! To: `numeric::roc`, `numeric::ranked`, `numeric::delong`.

use shared::numeric::delong::auc;
use shared::numeric::ranked::Ranked;
use shared::numeric::roc::{self, Focus, Step};

use crate::reference::Entry;
use crate::rows::Rows;

fn text<'a>(entry: &'a Entry, key: &str) -> &'a str {
    entry.input[key].as_str().unwrap()
}

/// The table of an entry, its score ranked, and the counts at each score.
fn ranked(entry: &Entry) -> Option<(Rows, Ranked, Vec<Step>)> {
    let score = text(entry, "score");
    let rows = Rows::of(&entry.input)?.complete(&[score]);
    let (outcome, scores) = (rows.event(text(entry, "y")), rows.number(score));
    let ranked = Ranked::of(&outcome, &scores, &rows.each_a_patient()).unwrap();
    let steps = ranked.steps(&ranked.once());
    Some((rows, ranked, steps))
}

pub fn average_precision(entry: &mut Entry) {
    let Some((_, ranked, steps)) = ranked(entry) else {
        return;
    };
    entry.check("/average_precision", roc::average_precision(&steps));
    entry.check("/auc", ranked.area(&ranked.once()));
    entry.check("/n_distinct_thresholds", ranked.scores().len() as u64);
    // Calibration's, compared there.
    entry.describes(&["/brier", "/log_loss"]);
}

pub fn partial_area(entry: &mut Entry) {
    let Some((_, _, steps)) = ranked(entry) else {
        return;
    };
    let range = entry.input["specificity"].as_array().unwrap();
    let (lowest, highest) = (range[0].as_f64().unwrap(), range[1].as_f64().unwrap());
    let of = |focus| roc::partial_area(&steps, focus, lowest, highest).unwrap();
    entry.check("/pauc", of(Focus::Specificity).area);
    entry.check("/pauc_mcclish", of(Focus::Specificity).corrected);
    entry.check("/pauc_sens", of(Focus::Sensitivity).area);
}

pub fn youden(entry: &mut Entry) {
    let Some((_, ranked, steps)) = ranked(entry) else {
        return;
    };
    let best = roc::youden(&steps).unwrap();
    let midpoint = ranked.midpoint(best.step);
    assert_ne!(midpoint, Some(ranked.scores()[best.step]));
    entry.check("/threshold_midpoint", midpoint);
    entry.check("/sensitivity", best.sensitivity);
    entry.check("/specificity", best.specificity);
    entry.check("/youden_j", best.index);
}

pub fn clustered(entry: &mut Entry) {
    let Some(rows) = Rows::of(&entry.input) else {
        return;
    };
    let names = rows.text(text(entry, "cluster"));
    let mut distinct = names.clone();
    distinct.sort();
    distinct.dedup();
    let number = |name: &String| distinct.binary_search(name).unwrap() as u32;
    let patient: Vec<u32> = names.iter().map(number).collect();
    let (outcome, score) = (
        rows.event(text(entry, "y")),
        rows.number(text(entry, "score")),
    );
    let got = auc(&outcome, &score, &patient).unwrap();
    entry.check("/auc", got.auc);
    entry.check("/var_clustered", got.variance);
    entry.check("/clusters", got.sizes.patients);
    entry.check("/clusters_pos", got.sizes.event_patients);
    entry.check("/clusters_neg", got.sizes.non_event_patients);
}
