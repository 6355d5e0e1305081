//! Calibration: intercepts and slope, sums, bins, and what hospitals' blocks add to.
//!
//! From: `cal.*`, `ece.*`, `pool.calibration_newton`, `pool.one_pass`.
//! To: `numeric::calibration`, `numeric::logistic`.

use shared::numeric::calibration::bins::{Decomposition, calibration_error, collect, equal_width};
use shared::numeric::calibration::{Sums, in_the_large, index, line, log_loss};
use shared::numeric::distribution::normal_two_sided;
use shared::numeric::logistic::{
    ClippedLogits, Coefficients, Free, Newton, NewtonBlock, Progress, site_intercepts,
};
use shared::numeric::sum::Moments;

use crate::reference::Entry;
use crate::rows::Rows;

/// No prediction of the reference tables is clipped at this.
const EPSILON: f64 = 1e-9;

/// R's `glm` takes its covariance at the iterate before the last, where the step is still about
/// 1e-8; ours is that of the maximum, as more iterations of either show.
const GLM_ERRORS: f64 = 1e-7;

struct Table {
    rows: Rows,
    p: Vec<f64>,
    lp: Vec<f64>,
    y: Vec<bool>,
}

fn table(rows: Rows, p: &str) -> Table {
    let p = rows.number(p);
    let logits = ClippedLogits::of(&p, EPSILON).unwrap();
    assert_eq!(logits.clipped, 0);
    Table {
        y: rows.event("y"),
        lp: logits.lp,
        p,
        rows,
    }
}

fn read(entry: &Entry) -> Option<Table> {
    let rows = Rows::of(&entry.input)?;
    Some(table(rows, entry.input["p"].as_str().unwrap()))
}

pub fn site(entry: &mut Entry) {
    let Some(Table { p, lp, y, .. }) = read(entry) else {
        return;
    };
    let sums = Sums::of(&p, &y);
    entry.check("/n", sums.n);
    entry.check("/events", sums.events);
    entry.check("/expected_events", sums.p);
    entry.check("/o_e", sums.observed_expected());
    let ratio = sums.observed_expected().unwrap();
    let se = (1.0 / sums.events as f64 - 1.0 / sums.n as f64).sqrt();
    let half = shared::numeric::distribution::normal_critical(0.95).unwrap() * se;
    entry.check("/log_o_e", ratio.ln());
    entry.check("/se_log_o_e", se);
    let ends = vec![(ratio.ln() - half).exp(), (ratio.ln() + half).exp()];
    entry.check("/ci95_o_e", ends);
    entry.check("/se_log_o_e_poissonbinomial", sums.poisson_binomial_error());
    let large = in_the_large(&lp, &y, None).unwrap();
    entry.check("/citl", large.value);
    entry.check_to("/se_citl", large.variance.sqrt(), GLM_ERRORS);
    let fitted = line(&lp, &y, None).unwrap();
    entry.check("/slope", fitted.coefficients.slope);
    entry.check("/intercept_joint", fitted.coefficients.intercept);
    entry.check_to(
        "/se_intercept_joint",
        fitted.covariance[0].sqrt(),
        GLM_ERRORS,
    );
    entry.check_to("/cov_intercept_slope", fitted.covariance[1], GLM_ERRORS);
    entry.check_to("/se_slope", fitted.covariance[2].sqrt(), GLM_ERRORS);
    let test = fitted.likelihood_ratio().unwrap();
    entry.check("/lr_calibration_chi2_2df", test.statistic);
    entry.check("/lr_p", test.p);
    entry.check("/brier", sums.brier());
    entry.check("/brier_scaled", sums.scaled_brier());
    let block = NewtonBlock::of(&lp, &y, Coefficients::START);
    entry.check("/log_loss", log_loss(&block));
    entry.check("/spiegelhalter_z", sums.spiegelhalter());
    let p_value = normal_two_sided(sums.spiegelhalter().unwrap());
    entry.check("/spiegelhalter_p", p_value);
    let distance = index(&lp, &p, fitted.coefficients).unwrap();
    entry.check("/ici_logistic", distance.ici);
    let spread = Moments::of(&lp).unwrap();
    entry.check("/mean_lp", spread.mean);
    entry.check("/sd_lp", spread.standard_deviation());
    entry.describes(&["/newton_block_at_0_1/beta"]);
    entry.check("/newton_block_at_0_1/loglik", block.loglik);
    entry.check("/newton_block_at_0_1/score", block.score.to_vec());
    entry.check("/newton_block_at_0_1/info", block.information.to_vec());
}

fn sites(entry: &Entry, column: &str) -> Vec<(String, Table)> {
    let Some(rows) = Rows::of(&entry.input) else {
        return Vec::new();
    };
    let p = entry.input["p"].as_str().unwrap();
    rows.levels(entry.input[column].as_str().unwrap())
        .into_iter()
        .map(|site| (site.clone(), table(rows.only("site", &site), p)))
        .collect()
}

pub fn site_intercepts(entry: &mut Entry) {
    let parts = sites(entry, "strata");
    if parts.is_empty() {
        return;
    }
    let found = site_intercepts::fit(parts.len(), |site, at| {
        NewtonBlock::of(&parts[site].1.lp, &parts[site].1.y, at)
    })
    .unwrap();
    entry.check("/slope", found.slope);
    entry.check("/se_slope", found.slope_variance.sqrt());
    for ((site, _), intercept) in parts.iter().zip(&found.intercepts) {
        entry.check(&format!("/intercepts/{site}"), *intercept);
    }
}

/// The iterations of summed blocks, step by step.
pub fn newton(entry: &mut Entry) {
    let parts = sites(entry, "sites");
    let mut state = Newton::from(Coefficients::START, Free::Both);
    let steps = entry.expected["trace"].as_array().unwrap().len();
    let full = |information: [f64; 3]| {
        let [aa, ab, bb] = information;
        vec![aa, ab, ab, bb]
    };
    for step in 0..steps {
        let at = state.at();
        let path = format!("/trace/{step}");
        entry.describes(&[&format!("{path}/iteration")]);
        entry.check(&format!("{path}/beta"), vec![at.intercept, at.slope]);
        let blocks: Vec<NewtonBlock> = parts
            .iter()
            .map(|(_, part)| NewtonBlock::of(&part.lp, &part.y, at))
            .collect();
        for ((site, _), block) in parts.iter().zip(&blocks) {
            let path = format!("{path}/site_blocks/{site}");
            entry.check(&format!("{path}/score"), block.score.to_vec());
            entry.check(&format!("{path}/information"), full(block.information));
            entry.check(&format!("{path}/loglik"), block.loglik);
        }
        let merged = blocks
            .into_iter()
            .fold(NewtonBlock::default(), NewtonBlock::merge);
        // At the maximum the score is rounding alone: it is held to its size at the start.
        let score = entry.given(&format!("{path}/score"));
        for (got, expected) in merged.score.iter().zip(score) {
            assert!((got - expected).abs() <= 1e-7, "{got:e} {expected:e}");
        }
        entry.check(&format!("{path}/information"), full(merged.information));
        entry.check(&format!("{path}/loglik"), merged.loglik);
        match state.take(&merged).unwrap() {
            Progress::Continue => assert!(step + 1 < steps, "more steps than the reference"),
            Progress::Converged(fit) => {
                assert_eq!(step + 1, steps, "fewer steps than the reference");
                entry.check("/intercept", fit.coefficients.intercept);
                entry.check("/slope", fit.coefficients.slope);
                entry.check("/se_intercept", fit.covariance[0].sqrt());
                entry.check("/se_slope", fit.covariance[2].sqrt());
            }
        }
    }
    entry.describes(&["/equals_fixture"]);
}

pub fn sums(entry: &mut Entry) {
    let parts = sites(entry, "sites");
    let mut total = Sums::default();
    let mut loss = NewtonBlock::default();
    for (site, part) in &parts {
        let sums = Sums::of(&part.p, &part.y);
        let block = NewtonBlock::of(&part.lp, &part.y, Coefficients::START);
        one_sum(entry, &format!("/sites/{site}"), &sums, &block);
        total = total.merge(sums);
        loss = loss.merge(block);
    }
    one_sum(entry, "/total", &total, &loss);
    entry.check("/o_e", total.observed_expected());
    entry.check("/brier", total.brier());
    let n = total.n as f64;
    let identity = (total.p2 - 2.0 * total.py + total.events as f64) / n;
    entry.check("/brier_identity", identity);
    entry.check("/log_loss", log_loss(&loss));
    entry.check("/spiegelhalter_z", total.spiegelhalter());
}

fn one_sum(entry: &mut Entry, path: &str, sums: &Sums, block: &NewtonBlock) {
    let mut check = |name: &str, value: f64| entry.check(&format!("{path}/{name}"), value);
    check("n", sums.n as f64);
    check("events", sums.events as f64);
    check("sum_p", sums.p);
    check("sum_p2", sums.p2);
    check("sum_py", sums.py);
    check("sum_sq", sums.square);
    check("sum_logloss", -block.loglik);
    check("sum_p_1mp", sums.spread);
    check("sum_sp_num", sums.numerator);
    check("sum_sp_den", sums.denominator);
}

pub fn bins(entry: &mut Entry) {
    let Some(part) = read(entry) else {
        return;
    };
    let count = usize::try_from(entry.input["bins"].as_u64().unwrap()).unwrap();
    let bins = collect(&part.p, &part.y, count, |p| equal_width(p, count));
    entry.check("/n", part.rows.len() as u64);
    let error = calibration_error(&bins).unwrap();
    entry.check("/ece", error.expected);
    entry.check("/mce", error.largest);
    let parts = Decomposition::of(&bins).unwrap();
    entry.check("/brier", parts.brier());
    entry.check("/reliability", parts.reliability);
    entry.check("/resolution", parts.resolution);
    entry.check("/uncertainty", parts.uncertainty);
    entry.check("/within_bin_variance", parts.within_variance);
    entry.check("/within_bin_covariance", parts.within_covariance);
    let shown = entry.expected["bins"].as_array().unwrap().len();
    for place in 0..shown {
        let path = format!("/bins/{place}");
        let which = entry.expected.pointer(&format!("{path}/bin")).unwrap();
        let bin = bins[usize::try_from(which.as_u64().unwrap()).unwrap()];
        entry.describes(&[&format!("{path}/bin")]);
        entry.check(&format!("{path}/n"), bin.n);
        entry.check(&format!("{path}/sum_y"), bin.events);
        entry.check(&format!("{path}/sum_p"), bin.p);
        entry.check(&format!("{path}/sum_p2"), bin.p2);
        entry.check(&format!("{path}/sum_py"), bin.py);
    }
}

/// The sites' slopes of a random-effects entry.
pub fn slopes(entry: &Entry, rows: &Rows, p: &str, yi: &[f64], vi: &[f64]) {
    let sites = entry.expected["labels"].as_array().unwrap();
    let slope = entry.input["per_site"]
        .as_str()
        .is_some_and(|words| words.contains("slope"));
    for (place, site) in sites.iter().enumerate().filter(|_| slope) {
        let part = table(rows.only("site", site.as_str().unwrap()), p);
        let found = line(&part.lp, &part.y, None).unwrap();
        let (y, v) = (found.coefficients.slope, found.covariance[2]);
        assert!((y - yi[place]).abs() <= 1e-9 && (v - vi[place]).abs() <= 1e-9);
    }
}
