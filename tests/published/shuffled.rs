//! Permutation of the labels within sites.
//!
//! From: `perm.*`, `pool.permutation_moments`.
//! To: `numeric::permutation`.

use shared::numeric::permutation::{RankSum, exact_p, shuffle};
use shared::numeric::rank::Ascending;

use crate::reference::Entry;
use crate::rows::Rows;

pub fn permutation(entry: &mut Entry) {
    let Some(rows) = Rows::of(&entry.input) else {
        return;
    };
    match entry.input["strata"].as_str().map(str::to_owned) {
        None => one_site(entry, &rows),
        Some(column) => over_sites(entry, &rows, &column),
    }
}

fn one_site(entry: &mut Entry, rows: &Rows) {
    let (outcome, score) = (rows.event("y"), rows.number("p_a"));
    let moments = RankSum::of(&outcome, &Ascending::of(&score)).unwrap();
    let exact = exact_p(&outcome, &score).unwrap();
    entry.check("/exact_p_two", exact);
    entry.check("/asymptotic_p_two", moments.test().map(|t| t.p));
    // The entry ranks the non-events.
    entry.check("/z", moments.test().map(|t| -t.z));
    entry.check("/n_pos", moments.events);
    entry.check("/n_neg", moments.n - moments.events);
    let shuffles = 20_000;
    let drawn = shuffle(&outcome, &score, shuffles, 1).unwrap();
    let tolerance = 4.0 * (exact * (1.0 - exact) / shuffles as f64).sqrt();
    assert!((drawn.p - exact).abs() <= tolerance, "{drawn:?} {exact}");
}

fn over_sites(entry: &mut Entry, rows: &Rows, column: &str) {
    let mut all = RankSum::default();
    for site in rows.levels(column) {
        let here = rows.only(column, &site);
        let moments = RankSum::of(&here.event("y"), &Ascending::of(&here.number("p_a"))).unwrap();
        for (name, value) in [
            ("n", moments.n as f64),
            ("n_pos", moments.events as f64),
            ("rank_sum", moments.rank_sum),
            ("expectation", moments.expectation),
            ("variance", moments.variance),
        ] {
            entry.check(&format!("/sites/{site}/{name}"), value);
        }
        all = all.merge(moments);
    }
    let test = all.test();
    entry.check("/z", test.map(|t| t.z));
    entry.check("/p", test.map(|t| t.p));
    entry.check("/z_within_block_ranks", test.map(|t| t.z));
    entry.check("/p_within_block_ranks", test.map(|t| t.p));
    entry.check("/variance_within_block_ranks", all.variance);
    // Ranks over all sites need rows of all sites in one place.
    entry.describes(&[
        "/equals_fixture",
        "/z_global_ranks",
        "/p_global_ranks",
        "/linear_statistic_global",
        "/expectation_global",
        "/variance_global",
    ]);
}
