//! Random-effects pools.
//!
//! From: `meta.*`.
//! To: `pool::random_effects`.

use shared::numeric::delong::auc;
use shared::pool::random_effects::{Mean, Method, RandomEffects};

use crate::reference::Entry;
use crate::rows::Rows;

pub fn random_effects(entry: &mut Entry) {
    let (yi, vi) = (entry.given("/yi"), entry.given("/vi"));
    entry.describes(&["/labels"]);
    from_rows(entry, &yi, &vi);
    entry.check("/k", yi.len() as u64);
    for (name, method) in [("REML", Method::Reml), ("DL", Method::DerSimonianLaird)] {
        let fit = RandomEffects::fit_with(&yi, &vi, 0.95, method).unwrap();
        one(entry, &format!("/{name}_z"), &fit, &fit.mean_normal);
        one(entry, &format!("/{name}_hksj"), &fit, &fit.mean_unguarded);
        one(entry, &format!("/{name}_hksj_adhoc"), &fit, &fit.mean);
        let guarded = format!("/{name}_hksj_adhoc");
        entry.check(&format!("{guarded}/pi95_t_kminus2"), fit.prediction);
        entry.check(
            &format!("{guarded}/pi95_t_kminus1"),
            fit.prediction_t_k_minus_1,
        );
        entry.check(
            &format!("{guarded}/pi95_metafor"),
            fit.prediction_t_k_minus_1,
        );
    }
    let fit = RandomEffects::fit(&yi, &vi, 0.95).unwrap();
    mean(entry, "/FE_z", &fit.fixed);
    entry.check("/FE_z/Q", fit.q.statistic);
    entry.check("/FE_z/Q_df", f64::from(fit.q.df));
    entry.check("/FE_z/Q_p", fit.q.p);
    // The profile's limits are given to 4 digits.
    entry.check_to("/q_profile/tau2_ci95", fit.tau2_interval, 1e-4);
    entry.check_to("/q_profile/I2_ci95", fit.i2_interval, 1e-4);
    entry.check("/weights_percent_REML", fit.weights_percent.clone());
    entry.check("/weights_percent_FE", fit.fixed_weights_percent.clone());
    leave_one_out(entry, &fit);
    cumulative(entry, &yi, &vi);
    // Given by the reference, not reported by us: estimators and laws the protocol does not
    // offer, and intervals other than the two named.
    let others = [
        "PM_z",
        "ML_z",
        "SJ_z",
        "HE_z",
        "EB_z",
        "PM_hksj",
        "PM_hksj_adhoc",
    ]
    .map(|m| format!("/{m}"));
    entry.describes(&others.each_ref().map(String::as_str));
    for fit in [
        "REML_z",
        "DL_z",
        "REML_hksj",
        "DL_hksj",
        "REML_hksj_adhoc",
        "DL_hksj_adhoc",
    ] {
        let laws = [
            "pi95_metafor",
            "pi95_t_kminus1",
            "pi95_t_kminus2",
            "pi95_normal",
        ]
        .map(|law| format!("/{fit}/{law}"));
        entry.describes(&laws.each_ref().map(String::as_str));
    }
    entry.describes(&["/FE_z/I2", "/FE_z/H2", "/FE_z/tau2", "/FE_z/se_tau2"]);
}

fn mean(entry: &mut Entry, path: &str, mean: &Mean) {
    entry.check(&format!("{path}/estimate"), mean.estimate);
    entry.check(&format!("{path}/se"), mean.standard_error);
    entry.check(&format!("{path}/stat"), mean.statistic);
    entry.check(&format!("{path}/p"), mean.p);
    entry.check(&format!("{path}/ci95"), mean.interval);
}

fn one(entry: &mut Entry, path: &str, fit: &RandomEffects, of: &Mean) {
    mean(entry, path, of);
    entry.check(&format!("{path}/tau2"), fit.tau2);
    entry.check_to(&format!("{path}/se_tau2"), fit.tau2_standard_error, 1e-4);
    entry.check(&format!("{path}/I2"), fit.i2);
    entry.check(&format!("{path}/H2"), fit.h2);
    entry.check(&format!("{path}/Q"), fit.q.statistic);
    entry.check(&format!("{path}/Q_df"), f64::from(fit.q.df));
    entry.check(&format!("{path}/Q_p"), fit.q.p);
    entry.check(&format!("{path}/df"), f64::from(fit.q.df));
}

fn leave_one_out(entry: &mut Entry, fit: &RandomEffects) {
    if !entry.has("/leave_one_out") {
        return;
    }
    let column =
        |of: &dyn Fn(usize) -> f64| (0..fit.leave_one_out.len()).map(of).collect::<Vec<_>>();
    let left = &fit.leave_one_out;
    let limit = |i: usize| left[i].mean_unguarded.interval.unwrap();
    entry.check(
        "/leave_one_out/estimate",
        column(&|i| left[i].mean.estimate),
    );
    entry.check(
        "/leave_one_out/se",
        column(&|i| left[i].mean_unguarded.standard_error),
    );
    entry.check("/leave_one_out/ci_lb", column(&|i| limit(i).lower));
    entry.check("/leave_one_out/ci_ub", column(&|i| limit(i).upper));
    entry.check("/leave_one_out/tau2", column(&|i| left[i].tau2));
    // Where tau2 is 0 metafor stops at 1e-14 and prints an I2 of about 1e-11.
    let zeros = entry.given("/leave_one_out/I2");
    if zeros.iter().any(|i2| *i2 > 0.0 && *i2 < 1e-9) {
        zeros
            .iter()
            .zip(left)
            .for_each(|(e, l)| assert!((e - l.i2).abs() <= 1e-9 * e + 1e-10));
    } else {
        entry.check("/leave_one_out/I2", column(&|i| left[i].i2));
    }
    entry.check("/leave_one_out/Q", column(&|i| left[i].q));
}

/// The pool of the first 2, 3, ... sites; the first entry of the reference is the first site.
fn cumulative(entry: &mut Entry, yi: &[f64], vi: &[f64]) {
    if !entry.has("/cumulative_in_given_order") {
        return;
    }
    let (mut estimate, mut lower, mut upper) = (vec![yi[0]], Vec::new(), Vec::new());
    let half_width = shared::numeric::distribution::normal_critical(0.95).unwrap() * vi[0].sqrt();
    lower.push(yi[0] - half_width);
    upper.push(yi[0] + half_width);
    for k in 2..=yi.len() {
        let mean = RandomEffects::fit(&yi[..k], &vi[..k], 0.95)
            .unwrap()
            .mean_unguarded;
        estimate.push(mean.estimate);
        lower.push(mean.interval.unwrap().lower);
        upper.push(mean.interval.unwrap().upper);
    }
    entry.check("/cumulative_in_given_order/estimate", estimate);
    entry.check("/cumulative_in_given_order/ci_lb", lower);
    entry.check("/cumulative_in_given_order/ci_ub", upper);
}

/// Where the sites' estimates are logit areas or calibration slopes: they follow from the rows.
fn from_rows(entry: &mut Entry, yi: &[f64], vi: &[f64]) {
    let Some(rows) = Rows::of(&entry.input) else {
        return;
    };
    if let Some(p) = entry.input["p"].as_str() {
        crate::calibration::slopes(entry, &rows, p, yi, vi);
    }
    let Some(score) = entry.input["score"].as_str() else {
        return;
    };
    for (place, site) in entry.expected["labels"]
        .as_array()
        .unwrap()
        .iter()
        .enumerate()
    {
        let site = rows.only("site", site.as_str().unwrap());
        let area = auc(
            &site.event("y"),
            &site.number(score),
            &site.each_a_patient(),
        )
        .unwrap();
        let (y, v) = area.logit().unwrap();
        assert!(
            (y - yi[place]).abs() <= 1e-12 && (v - vi[place]).abs() <= 1e-12,
            "{} place {place}",
            entry.id
        );
    }
}
