//! Contingency tables and permutation of the bundled study through the public path,
//! against the reference values of its four hospitals.
//!
//! From: `configs/examples/heart`, `tests/fixtures/reference`.
//! To: nothing.

use harness::heart::{self, SITES};
use harness::path;
use serde_json::Value;
use shared::disclosure::ReceivedRelease;
use shared::pool::result::{PooledStudy, PooledTable, Ratio, TestResult};
use shared::statistic::contingency::{Contingency, ContingencyKind};
use shared::statistic::{Disclosed, Statistic};
use shared::study::{PermutationPlan, StudyProtocol};

use crate::heart_round::{close, exact, expected, number};

/// p values below 1e-9 by their logarithm; a package's 0 is below 1e-15.
fn close_p(what: &str, got: f64, expected: f64) {
    if expected == 0.0 {
        assert!((0.0..1e-15).contains(&got), "{what}: {got:e}");
    } else if expected < 1e-9 {
        close(what, got.ln(), expected.ln(), 1e-6);
    } else {
        close(what, got, expected, 1e-8);
    }
}

fn outcome_table(release: &ReceivedRelease, axis: &str) -> Contingency<Disclosed> {
    let mut tables = release.statistics.iter().filter_map(Statistic::contingency);
    let wanted = |one: &&Contingency<Disclosed>| {
        one.kind == ContingencyKind::OutcomeBySubgroup && one.axis.as_str() == axis
    };
    tables.find(wanted).unwrap().clone()
}

fn pooled_table<'a>(study: &'a PooledStudy, axis: &str) -> &'a PooledTable {
    let wanted = |one: &&PooledTable| {
        one.kind == ContingencyKind::OutcomeBySubgroup && one.axis.as_str() == axis
    };
    study.tables.iter().find(wanted).unwrap()
}

/// Bands of the field `age`.
pub fn banded(mut protocol: StudyProtocol, bands: &[f64]) -> StudyProtocol {
    let age = protocol
        .field
        .iter_mut()
        .find(|field| field.name.as_str() == "age");
    age.unwrap().bands = bands.to_vec();
    // An exclusion may name no age but a band's edge.
    protocol.sensitivity.retain(|one| one.exclude.is_empty());
    protocol
}

#[test]
fn tests_of_each_site_equal_the_reference() {
    let protocol = heart::four_external("p_a");
    for (site, release) in SITES
        .iter()
        .zip(heart::releases(&protocol, &path::open_data()))
    {
        let value = expected(&format!("ct.heart.sex_y.{site}"));
        let table = outcome_table(&release, "sex");
        close(
            site,
            exact(table.yates),
            number(&value, "/chi2_yates"),
            1e-8,
        );
        close_p(site, exact(table.yates_p), number(&value, "/p_yates"));
        close(site, exact(table.g2), number(&value, "/g2"), 1e-8);
        close_p(site, exact(table.g2_p), number(&value, "/g2_p"));
        close_p(site, exact(table.fisher_p), number(&value, "/fisher_p_two"));
    }
}

fn same(what: &str, got: Option<TestResult>, value: &Value, statistic: &str, p: &str) {
    let got = got.unwrap_or_else(|| panic!("no {what}"));
    close(what, got.statistic, number(value, statistic), 1e-8);
    // statsmodels loses digits in p, as 1 - cdf.
    close(what, got.p_value, number(value, p), 1e-5);
}

fn ratio(what: &str, got: Option<Ratio>, value: &Value, estimate: &str, ends: &str, rel_tol: f64) {
    let got = got.unwrap_or_else(|| panic!("no {what}"));
    close(what, got.estimate, number(value, estimate), rel_tol);
    let [low, high] = got.interval.unwrap();
    close(what, low, number(value, &format!("{ends}/0")), rel_tol);
    close(what, high, number(value, &format!("{ends}/1")), rel_tol);
}

#[test]
fn strata_of_sites_equal_the_reference() {
    let protocol = heart::four_external("p_a");
    let study = path::pooled(&protocol, &heart::releases(&protocol, &path::open_data()));
    let found = pooled_table(&study, "sex").two_levels.as_ref().unwrap();
    assert_eq!(found.levels, ["female", "male"]);
    assert_eq!(found.sites.len(), 4);
    let value = expected("cmh.heart.sex_y_by_site");
    same("CMH", found.cmh, &value, "/chi2", "/p");
    same(
        "corrected",
        found.corrected,
        &value,
        "/chi2_corrected",
        "/p_corrected",
    );
    ratio(
        "odds",
        found.odds_ratio,
        &value,
        "/or_mh",
        "/or_mh_ci95",
        1e-8,
    );
    let tables = found.exact.as_ref().unwrap();
    close_p("exact", tables.p_value.unwrap(), number(&value, "/exact_p"));
    let (estimate, ends) = ("/or_conditional_mle", "/or_conditional_ci95");
    ratio(
        "conditional",
        tables.odds_ratio,
        &value,
        estimate,
        ends,
        1e-3,
    );
    same("Woolf", tables.woolf, &value, "/woolf_chi2", "/woolf_p");
    let value = expected("bd.heart.sex_y_by_site");
    same(
        "Breslow-Day",
        tables.breslow_day,
        &value,
        "/breslow_day_chi2",
        "/breslow_day_p",
    );
    same("Tarone", tables.tarone, &value, "/tarone_chi2", "/tarone_p");
}

/// The reference merges the four sites; its trend statistic is that of one stratum. One site
/// that holds everybody gives it.
#[test]
fn the_trend_over_age_equals_the_reference() {
    let protocol = banded(
        heart::four_external("p_a"),
        &[18.0, 45.0, 55.0, 65.0, 120.0],
    );
    let value = expected("trend.heart.age_band");
    let mut all = heart::cases(&protocol, SITES[0]);
    for site in &SITES[1..] {
        harness::random::join(&mut all, heart::cases(&protocol, site));
    }
    let release = path::release(&protocol, &all, &path::open_data(), "va").unwrap();
    let trend = outcome_table(&release, "age").trend.unwrap();
    close(
        "trend",
        exact(trend.chi_squared),
        number(&value, "/chi2"),
        1e-9,
    );
    close_p("trend", exact(trend.p_value), number(&value, "/p"));
    let study = path::pooled(&protocol, &[release]);
    let pooled = pooled_table(&study, "age").trend.clone().unwrap();
    close(
        "ordinal",
        pooled.test.statistic,
        number(&value, "/chi2") * 919.0 / 920.0,
        1e-9,
    );
}

#[test]
fn shuffled_outcomes_equal_the_reference() {
    let mut protocol = heart::four_external("p_a");
    protocol.permutation = Some(PermutationPlan {
        shuffles: 9999,
        seed: 1,
    });
    let study = path::pooled(&protocol, &heart::releases(&protocol, &path::open_data()));
    let of_model = |one: &&shared::pool::result::PooledPermutation| one.model.as_str() == "p_a";
    let found = study.permutation.iter().find(of_model).unwrap();
    let value = expected("pool.permutation_moments");
    close("z", found.z.unwrap(), number(&value, "/z"), 1e-10);
    close_p("p", found.p_value.unwrap(), number(&value, "/p"));
    for site in &found.sites {
        let at = |name: &str| number(&value, &format!("/sites/{}/{name}", site.site));
        let deviation = at("rank_sum") - at("expectation");
        close("deviation", exact(site.deviation), deviation, 1e-10);
        close("variance", exact(site.variance), at("variance"), 1e-10);
    }
    let swiss = found
        .sites
        .iter()
        .find(|one| one.site.as_str() == "switzerland")
        .unwrap();
    let value = expected("perm.heart.switzerland.exact");
    let p = number(&value, "/exact_p_two");
    close("exact", exact(swiss.exact_p), p, 1e-8);
    close(
        "normal",
        swiss.p_value.unwrap(),
        number(&value, "/asymptotic_p_two"),
        1e-8,
    );
    let (plan, drawn) = swiss.shuffled.unwrap();
    assert_eq!((plan.shuffles, plan.seed), (9999, 1));
    assert!((exact(drawn) - p).abs() <= 4.0 * (p * (1.0 - p) / 9999.0).sqrt());
}
