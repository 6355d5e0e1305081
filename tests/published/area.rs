//! Areas under the ROC curve.
//!
//! From: `auc.*`, `edge.auc.*`, `delong.*`, `hist.*`, `pool.hist_delong.*`, `pool.rare.*`.
//! To: `numeric::delong`.

use shared::numeric::delong::{
    Comparison, HistogramAuc, auc, from_histogram, hanley_mcneil_variance,
};
use shared::numeric::distribution::logit;

use crate::reference::Entry;
use crate::rows::Rows;

fn numbers(entry: &Entry, key: &str) -> Vec<f64> {
    entry.input[key]
        .as_array()
        .unwrap()
        .iter()
        .map(|v| v.as_f64().unwrap())
        .collect()
}

fn name(entry: &Entry, key: &str) -> String {
    entry.input[key].as_str().unwrap().to_owned()
}

pub fn area(entry: &mut Entry) {
    let (outcome, score) = if entry.input["y"].is_array() {
        (
            numbers(entry, "y").into_iter().map(|y| y == 1.0).collect(),
            numbers(entry, "score"),
        )
    } else {
        let Some(rows) = Rows::of(&entry.input) else {
            return;
        };
        let rows = rows.complete(&[&name(entry, "score")]);
        (
            rows.event(&name(entry, "y")),
            rows.number(&name(entry, "score")),
        )
    };
    let patient: Vec<u32> = (0..outcome.len() as u32).collect();
    let got = auc(&outcome, &score, &patient).unwrap();
    let sizes = got.sizes;
    entry.check("/n", outcome.len() as u64);
    entry.check("/n_pos", sizes.events);
    entry.check("/n_neg", sizes.non_events);
    entry.describes(&["/n_dropped_missing"]);
    let Some(area) = got.auc else {
        entry.check("/auc", got.auc);
        entry.describes(&["/status"]);
        return;
    };
    entry.check("/auc", got.auc);
    entry.check("/var_delong", got.variance);
    entry.check("/se_delong", got.standard_error());
    entry.check("/ci95_wald", got.wald_interval(0.95));
    entry.check("/logit_auc", got.logit().map(|l| l.0));
    entry.check("/se_logit_auc", got.logit().map(|l| l.1.sqrt()));
    entry.check("/ci95_logit", got.logit_interval(0.95));
    entry.check(
        "/var_hanley_mcneil",
        hanley_mcneil_variance(area, sizes.events, sizes.non_events),
    );
    entry.check(
        "/mann_whitney_u",
        area * (sizes.events * sizes.non_events) as f64,
    );
    entry.check("/somers_dxy", 2.0 * area - 1.0);
}

pub fn paired(entry: &mut Entry) {
    let Some(rows) = Rows::of(&entry.input) else {
        return;
    };
    let rows = rows.complete(&[&name(entry, "score_1"), &name(entry, "score_2")]);
    let (first, second) = (
        rows.number(&name(entry, "score_1")),
        rows.number(&name(entry, "score_2")),
    );
    let outcome = rows.event(&name(entry, "y"));
    let set = Comparison::of(&outcome, &[&first, &second], &rows.each_a_patient()).unwrap();
    let difference = set.difference(0, 1, 0.95).unwrap();
    let covariance = set.covariance.as_ref().unwrap();
    entry.check("/n", rows.len() as u64);
    entry.check("/auc_1", set.area(0).auc);
    entry.check("/auc_2", set.area(1).auc);
    entry.check("/diff", difference.difference);
    entry.check("/var_1", covariance[0][0]);
    entry.check("/var_2", covariance[1][1]);
    entry.check("/cov_12", covariance[0][1]);
    entry.check("/se_diff", difference.standard_error);
    entry.check("/ci95_diff", difference.interval);
    entry.check("/z", difference.z);
    entry.check("/p", difference.p);
}

/// The bin of a score under an entry's rule.
fn bin(entry: &Entry, score: f64) -> usize {
    let bins = entry.input["bins"].as_f64().unwrap();
    let place = if entry.input["bin_rule"].as_str().unwrap().contains("logit") {
        ((logit(score).unwrap() + 14.0) / 28.0 * bins).floor()
    } else {
        (score * bins).floor()
    };
    place.clamp(0.0, bins - 1.0) as usize
}

fn histograms(entry: &Entry, rows: &Rows) -> (Vec<u64>, Vec<u64>) {
    let bins = entry.input["bins"].as_u64().unwrap() as usize;
    let (mut events, mut non_events) = (vec![0; bins], vec![0; bins]);
    for (y, score) in rows
        .event(&name(entry, "y"))
        .iter()
        .zip(rows.number(&name(entry, "score")))
    {
        let class = if *y { &mut events } else { &mut non_events };
        class[bin(entry, score)] += 1;
    }
    (events, non_events)
}

pub fn histogram(entry: &mut Entry) {
    let Some(rows) = Rows::of(&entry.input) else {
        return;
    };
    let mut merged: Option<(Vec<u64>, Vec<u64>)> = None;
    let sites = if entry.has("/per_site") || entry.has("/per_site_auc_hist") {
        rows.levels("site")
    } else {
        Vec::new()
    };
    for site in &sites {
        let (events, non_events) = histograms(entry, &rows.only("site", site));
        let got = from_histogram(&events, &non_events).unwrap().binned;
        entry.check(&format!("/per_site/{site}/auc"), got.auc);
        entry.check(&format!("/per_site/{site}/var"), got.variance);
        entry.check(&format!("/per_site_auc_hist/{site}"), got.auc);
        let as_numbers = |counts: &[u64]| counts.iter().map(|n| *n as f64).collect::<Vec<_>>();
        entry.check(&format!("/site_histograms/{site}/pos"), as_numbers(&events));
        entry.check(
            &format!("/site_histograms/{site}/neg"),
            as_numbers(&non_events),
        );
        let add = |a: Vec<u64>, b: &[u64]| a.iter().zip(b).map(|(a, b)| a + b).collect();
        merged = Some(match merged {
            Some((e, n)) => (add(e, &events), add(n, &non_events)),
            None => (events, non_events),
        });
    }
    let (events, non_events) = merged.unwrap_or_else(|| histograms(entry, &rows));
    assert_eq!(
        (&events, &non_events),
        (&histograms(entry, &rows).0, &histograms(entry, &rows).1)
    );
    let got = from_histogram(&events, &non_events).unwrap();
    let outcome = rows.event(&name(entry, "y"));
    let exact = auc(
        &outcome,
        &rows.number(&name(entry, "score")),
        &rows.each_a_patient(),
    )
    .unwrap();
    values(entry, &got, exact.auc.unwrap());
    entry.check("/auc_exact", exact.auc);
    entry.check("/auc_exact_rows", exact.auc);
    entry.check("/se_exact_rows", exact.standard_error());
    entry.check("/counts_pos_sum", events.iter().sum::<u64>());
    entry.check("/counts_neg_sum", non_events.iter().sum::<u64>());
    entry.describes(&[
        "/nonempty_bins",
        "/min_nonzero_cell",
        "/cells_equal_1_share",
        "/cells_1_to_4_share",
    ]);
}

fn values(entry: &mut Entry, got: &HistogramAuc, exact: f64) {
    let area = got.binned.auc.unwrap();
    entry.check("/auc", area);
    entry.check("/auc_hist", area);
    entry.check("/var_delong", got.binned.variance);
    entry.check("/se", got.binned.standard_error());
    entry.check("/half_tie_mass_bound", got.error_bound);
    entry.check("/auc_lower_bound", got.lowest);
    entry.check("/auc_upper_bound", got.highest);
    entry.check("/abs_error", (area - exact).abs());
}

/// Events of one group against non-events of another.
fn across(rows: &Rows, column: &str, events_of: &str, non_events_of: &str, score: &str) -> f64 {
    let (a, b) = (
        rows.only(column, events_of).only("y", "1"),
        rows.only(column, non_events_of).only("y", "0"),
    );
    let outcome: Vec<bool> = [vec![true; a.len()], vec![false; b.len()]].concat();
    let scores = [a.number(score), b.number(score)].concat();
    let patient: Vec<u32> = (0..outcome.len() as u32).collect();
    auc(&outcome, &scores, &patient).unwrap().auc.unwrap()
}

pub fn cross_group(entry: &mut Entry) {
    let Some(rows) = Rows::of(&entry.input) else {
        return;
    };
    let (column, score) = (name(entry, "group"), name(entry, "score"));
    for (i, pair) in entry.expected["pairs"]
        .as_array()
        .unwrap()
        .clone()
        .iter()
        .enumerate()
    {
        let group = |key: &str| pair[key].as_str().unwrap();
        let got = across(
            &rows,
            &column,
            group("positives_from"),
            group("negatives_from"),
            &score,
        );
        entry.check(&format!("/pairs/{i}/xauc"), got);
        let labels = ["positives_from", "negatives_from"].map(|key| format!("/pairs/{i}/{key}"));
        entry.describes(&[&labels[0], &labels[1]]);
    }
}

pub fn concordance(entry: &mut Entry) {
    let Some(rows) = Rows::of(&entry.input) else {
        return;
    };
    let score = name(entry, "score");
    let (mut within, mut pairs_within, mut pairs_all) = (0.0, 0.0, 0.0);
    for (i, cell) in entry.expected["matrix"]
        .as_array()
        .unwrap()
        .clone()
        .iter()
        .enumerate()
    {
        let (a, b) = (
            cell["pos_site"].as_str().unwrap(),
            cell["neg_site"].as_str().unwrap(),
        );
        let got = across(&rows, "site", a, b, &score);
        let count = |site: &str, y: &str| rows.only("site", site).only("y", y).len() as f64;
        let pairs = count(a, "1") * count(b, "0");
        entry.check(&format!("/matrix/{i}/auc_rows"), got);
        entry.check(&format!("/matrix/{i}/pairs"), pairs);
        let bins = |site: &str, y: &str| {
            let mut counts = vec![0_u64; 128];
            let scores = rows.only("site", site).only("y", y).number(&score);
            scores
                .iter()
                .for_each(|s| counts[((s * 128.0).floor() as usize).min(127)] += 1);
            counts
        };
        let binned = from_histogram(&bins(a, "1"), &bins(b, "0"))
            .unwrap()
            .binned
            .auc;
        entry.check(&format!("/matrix/{i}/auc_hist128"), binned);
        let labels = ["pos_site", "neg_site"].map(|key| format!("/matrix/{i}/{key}"));
        entry.describes(&[&labels[0], &labels[1]]);
        pairs_all += pairs;
        if a == b {
            within += got * pairs;
            pairs_within += pairs;
        }
    }
    let outcome = rows.event("y");
    entry.check(
        "/pooled_auc",
        auc(&outcome, &rows.number(&score), &rows.each_a_patient())
            .unwrap()
            .auc,
    );
    entry.check("/within_site_auc_pair_weighted", within / pairs_within);
    entry.check("/within_site_pairs", pairs_within);
    entry.check("/between_site_pairs", pairs_all - pairs_within);
}
