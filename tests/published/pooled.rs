//! Random-effects pools.
//!
//! From: `meta.*`.
//! To: `pool::random_effects`.

use shared::numeric::delong::auc;
use shared::pool::binomial_normal::{self, Share};
use shared::pool::bivariate::{self, Boundary, Counts};
use shared::pool::meta_regression::regress;
use shared::pool::random_effects::{
    Inference, Mean, Method, PredictionLaw, RandomEffects, cumulative as steps, shrunken,
};

use crate::reference::Entry;
use crate::rows::Rows;

const LAWS: [(&str, Inference); 3] = [
    ("z", Inference::Normal),
    ("hksj", Inference::Hksj),
    ("hksj_adhoc", Inference::HksjGuarded),
];

/// The pools over data that may not stand in the repository, each in full.
#[test]
fn pools_beside_the_repository() {
    for mut entry in crate::reference::entries_beside("meta_analysis.json") {
        let one = &mut entry;
        match one.metric.as_str() {
            "random_effects_meta" => random_effects(one),
            "binomial_normal_glmm" => binomial_normal(one),
            "meta_regression" => meta_regression(one),
            _ => continue,
        }
        assert!(
            entry.failures().is_empty() && entry.left().is_empty() && entry.any_compared(),
            "{}: {:?} left {:?}",
            entry.id,
            entry.failures(),
            entry.left()
        );
    }
}

pub fn random_effects(entry: &mut Entry) {
    let (yi, vi) = (entry.given("/yi"), entry.given("/vi"));
    entry.describes(&["/labels"]);
    from_rows(entry, &yi, &vi);
    entry.check("/k", yi.len() as u64);
    for method in Method::ALL {
        let fit = RandomEffects::fit_with(&yi, &vi, 0.95, method).unwrap();
        for (law, inference) in LAWS {
            let path = format!("/{}_{law}", method.slug());
            one(entry, &path, &fit, fit.mean_by(inference));
            predictions(entry, &path, &fit, inference);
        }
    }
    let fit = RandomEffects::fit(&yi, &vi, 0.95).unwrap();
    // The profile's limits are given to 4 digits.
    entry.check_to("/q_profile/tau2_ci95", fit.tau2_interval, 1e-4);
    entry.check_to("/q_profile/I2_ci95", fit.i2_interval, 1e-4);
    entry.check("/weights_percent_REML", fit.weights_percent.clone());
    entry.check("/weights_percent_FE", fit.fixed_weights_percent.clone());
    leave_one_out(entry, &fit);
    cumulative(entry, &yi, &vi);
    let drawn = shrunken(&yi, &vi, 0.95, Method::Reml, Inference::Hksj).unwrap();
    entry.check(
        "/blup/pred",
        drawn.iter().map(|site| site.estimate).collect::<Vec<_>>(),
    );
    entry.check(
        "/blup/se",
        drawn
            .iter()
            .map(|site| site.standard_error)
            .collect::<Vec<_>>(),
    );
}

fn predictions(entry: &mut Entry, path: &str, fit: &RandomEffects, inference: Inference) {
    let given = |law| fit.predict(inference, law);
    entry.check(
        &format!("{path}/pi95_t_kminus2"),
        given(PredictionLaw::StudentK2),
    );
    entry.check(
        &format!("{path}/pi95_t_kminus1"),
        given(PredictionLaw::StudentK1),
    );
    entry.check(&format!("{path}/pi95_normal"), given(PredictionLaw::Normal));
    let same_law_as_the_test = match inference {
        Inference::Normal => PredictionLaw::Normal,
        Inference::Hksj | Inference::HksjGuarded => PredictionLaw::StudentK1,
    };
    entry.check(&format!("{path}/pi95_metafor"), given(same_law_as_the_test));
}

pub fn bivariate(entry: &mut Entry) {
    let tables: Vec<Counts> = entry.input["tables"]
        .as_array()
        .unwrap()
        .iter()
        .map(|table| {
            let cell = |name: &str| table[name].as_u64().unwrap();
            Counts {
                true_positive: cell("tp"),
                false_negative: cell("fn"),
                false_positive: cell("fp"),
                true_negative: cell("tn"),
            }
        })
        .collect();
    let fit = bivariate::normal(&tables).unwrap();
    entry.check("/k", fit.k as u64);
    entry.check("/logit_sens", fit.mean[0]);
    entry.check("/logit_fpr", fit.mean[1]);
    for (i, row) in fit.covariance.iter().enumerate() {
        entry.check(&format!("/vcov/{i}"), row.to_vec());
    }
    entry.describes(&["/vcov"]);
    entry.check("/tau2_sens", fit.tau2[0]);
    entry.check("/tau2_fpr", fit.tau2[1]);
    entry.check("/rho", fit.rho);
    entry.check("/reml_loglik", fit.log_likelihood);
    let natural = |x: f64| shared::numeric::distribution::inverse_logit(x).unwrap();
    entry.check("/sens", natural(fit.mean[0]));
    entry.check("/spec", 1.0 - natural(fit.mean[1]));
    // The reference lies on the boundary, and an implementation must say so.
    assert_eq!(fit.boundary, Boundary::Correlation);
    assert_eq!(fit.confidence_region(0.95, 64), None);
}

pub fn binomial_normal(entry: &mut Entry) {
    let list = |name: &str| -> Vec<u64> {
        let values = entry.input[name].as_array().unwrap();
        values.iter().map(|v| v.as_u64().unwrap()).collect()
    };
    let sites: Vec<Share> = list("events")
        .into_iter()
        .zip(list("n"))
        .map(|(events, n)| Share { events, n })
        .collect();
    let fit = binomial_normal::fit(&sites, 0.95).unwrap();
    entry.check("/estimate_logit", fit.estimate);
    entry.check("/se", fit.standard_error);
    entry.check("/ci95", fit.interval);
    entry.check("/tau2", fit.tau2);
    entry.check("/I2", fit.i2);
    entry.check("/wald_Q", fit.q_wald.map(|test| test.statistic));
    entry.check("/lrt_Q", fit.q_likelihood.statistic);
    // A transformation no pool of ours uses: its way back depends on a made-up sample size.
    entry.describes(&["/freeman_tukey_yi", "/freeman_tukey_vi"]);
}

pub fn meta_regression(entry: &mut Entry) {
    let list = |name: &str| -> Vec<f64> {
        let values = entry.input[name].as_array().unwrap();
        values.iter().map(|v| v.as_f64().unwrap()).collect()
    };
    let (yi, vi, n) = (list("yi"), list("vi"), list("moderator_n"));
    let fit = regress(&yi, &vi, &[&n], 0.95, Inference::Hksj).unwrap();
    let column = |of: fn(&shared::pool::meta_regression::Coefficient) -> f64| {
        fit.coefficients.iter().map(of).collect::<Vec<_>>()
    };
    entry.check("/beta", column(|one| one.estimate));
    entry.check("/se", column(|one| one.standard_error));
    entry.check("/ci_lb", column(|one| one.interval.unwrap().lower));
    entry.check("/ci_ub", column(|one| one.interval.unwrap().upper));
    entry.check("/tau2", fit.tau2);
    entry.check("/R2_percent", fit.r2);
    entry.check("/QM", fit.moderators.statistic);
    entry.check("/QM_p", fit.moderators.p);
    entry.check("/QE", fit.residual.statistic);
    entry.check("/QE_p", fit.residual.p);
    // No test of small-study effects is offered: the roster of a study is closed.
    entry.describes(&["/egger_t", "/egger_p"]);
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

/// The pool of the first 1, 2, 3, ... sites.
fn cumulative(entry: &mut Entry, yi: &[f64], vi: &[f64]) {
    if !entry.has("/cumulative_in_given_order") {
        return;
    }
    let steps = steps(yi, vi, 0.95, Method::Reml, Inference::Hksj).unwrap();
    let column = |of: fn(&Mean) -> f64| steps.iter().map(|s| of(&s.mean)).collect::<Vec<_>>();
    let path = |name: &str| format!("/cumulative_in_given_order/{name}");
    entry.check(&path("estimate"), column(|mean| mean.estimate));
    entry.check(&path("ci_lb"), column(|mean| mean.interval.unwrap().lower));
    entry.check(&path("ci_ub"), column(|mean| mean.interval.unwrap().upper));
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
