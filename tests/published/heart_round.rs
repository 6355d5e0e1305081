//! The bundled study through the public path, measured, reviewed, released, read and pooled,
//! against the reference values of its four hospitals.
//!
//! From: `configs/examples/heart`, `tests/fixtures/reference`.
//! To: nothing.

use harness::heart::{self, SITES};
use harness::path;
use serde_json::Value;
use shared::disclosure::ReceivedRelease;
use shared::pool::result::{Analysis, Cmh, Metric, PoolOutcome, Pooled, PooledStudy};
use shared::statistic::contingency::ContingencyKind;
use shared::statistic::subgroup::Measure;
use shared::statistic::{Cell, Disclosed, Statistic};

use crate::reference;

pub fn expected(id: &str) -> Value {
    let entry = reference::entries()
        .into_iter()
        .find(|entry| entry.id == id)
        .unwrap_or_else(|| panic!("no reference value {id}"));
    entry.expected
}

pub fn number(value: &Value, path: &str) -> f64 {
    let found = value.pointer(path).and_then(Value::as_f64);
    found.unwrap_or_else(|| panic!("no number at {path}"))
}

pub fn close(what: &str, got: f64, expected: f64, tolerance: f64) {
    let error = (got - expected).abs();
    assert!(
        error <= tolerance * expected.abs().max(1e-300),
        "{what}: got {got:e}, expected {expected:e}"
    );
}

pub fn exact<T: Copy + Default + std::fmt::Debug>(cell: Cell<T>) -> T {
    cell.exact()
        .unwrap_or_else(|| panic!("{cell:?} is not exact"))
}

pub fn find<T>(
    release: &ReceivedRelease,
    pick: impl Fn(&Statistic<Disclosed>) -> Option<T>,
) -> Option<T> {
    release.statistics.iter().find_map(pick)
}

pub fn analysis<'a>(
    study: &'a PooledStudy,
    metric: Metric,
    model: &str,
) -> (&'a Analysis, &'a Pooled) {
    let found = study
        .analyses
        .iter()
        .find(|one| {
            one.key.metric == metric && one.key.model.as_str() == model && one.key.axis.is_none()
        })
        .unwrap();
    let PoolOutcome::Pooled(pool) = &found.pool else {
        panic!("{metric:?} of {model} is not pooled: {:?}", found.pool)
    };
    (found, pool)
}

#[test]
fn each_site_releases_the_reference_areas() {
    let releases = heart::releases(&heart::protocol(), &path::open_data());
    assert_eq!(releases.len(), SITES.len());
    for (site, release) in SITES.iter().zip(&releases) {
        for model in ["p_a", "p_b"] {
            let one = find(release, |statistic| match statistic {
                Statistic::Auc(one) if one.model.as_str() == model => Some(one.clone()),
                _ => None,
            })
            .unwrap();
            let value = expected(&format!("auc.heart.{site}.{model}"));
            close(site, exact(one.auc), number(&value, "/auc"), 1e-10);
            close(
                site,
                exact(one.variance),
                number(&value, "/var_delong"),
                1e-10,
            );
            assert_eq!(exact(one.events) as f64, number(&value, "/n_pos"));
            assert_eq!(exact(one.non_events) as f64, number(&value, "/n_neg"));
        }
    }
}

fn compare_pool(found: &Analysis, pool: &Pooled, value: &Value, weight_of: usize) {
    let (rows, fit) = (&found.sites, &value["REML_hksj_adhoc"]);
    let rows: Vec<_> = rows.iter().filter(|row| row.weight.is_some()).collect();
    assert_eq!(rows.len(), weight_of);
    for (place, row) in rows.iter().enumerate() {
        let at = |key: &str| number(value, &format!("/{key}/{place}"));
        assert_eq!(row.site.as_str(), value["labels"][place].as_str().unwrap());
        close("yi", row.yi.unwrap(), at("yi"), 1e-10);
        close("vi", row.vi.unwrap(), at("vi"), 1e-10);
        close(
            "weight",
            row.weight.unwrap(),
            at("weights_percent_REML"),
            1e-6,
        );
    }
    close("mean", pool.mu, number(fit, "/estimate"), 1e-8);
    close("se", pool.se, number(fit, "/se"), 1e-8);
    close("tau2", pool.tau2, number(fit, "/tau2"), 1e-8);
    close("I2", pool.i2, number(fit, "/I2"), 1e-8);
    close("Q", pool.q, number(fit, "/Q"), 1e-8);
    close("p", pool.p_value, number(fit, "/p"), 1e-7);
}

fn logistic(x: f64) -> f64 {
    1.0 / (1.0 + (-x).exp())
}

#[test]
fn the_three_external_sites_pool_to_the_reference() {
    let protocol = heart::protocol();
    let releases = heart::releases(&protocol, &path::open_data());
    let study = path::pooled(&protocol, &releases);
    let (found, pool) = analysis(&study, Metric::Auc, "p_b");
    let value = expected("meta.heart_external.logit_auc.p_b");
    compare_pool(found, pool, &value, 3);
    let fit = &value["REML_hksj_adhoc"];
    let natural = |path: &str| logistic(number(fit, path));
    close("AUC", pool.estimate, natural("/estimate"), 1e-8);
    close("lower end", pool.low, natural("/ci95/0"), 1e-8);
    close("upper end", pool.high, natural("/ci95/1"), 1e-8);
    let [low, high] = pool.prediction.unwrap();
    close("prediction", low, natural("/pi95_t_kminus2/0"), 1e-6);
    close("prediction", high, natural("/pi95_t_kminus2/1"), 1e-6);
    let printed = [pool.estimate, pool.low, pool.high].map(|x| format!("{x:.3}"));
    assert_eq!(printed, ["0.813", "0.486", "0.952"]);
    let shown = found
        .sites
        .iter()
        .find(|row| row.site.as_str() == "cleveland")
        .unwrap();
    assert!(
        shown.weight.is_none(),
        "a development site never enters a pool"
    );
}

#[test]
fn four_external_sites_pool_to_the_reference() {
    let protocol = heart::four_external("p_a");
    let study = path::pooled(&protocol, &heart::releases(&protocol, &path::open_data()));
    let (found, pool) = analysis(&study, Metric::Auc, "p_a");
    compare_pool(found, pool, &expected("meta.heart.logit_auc"), 4);
    let (found, pool) = analysis(&study, Metric::ObservedExpected, "p_a");
    compare_pool(found, pool, &expected("meta.heart.log_oe"), 4);
}

/// Counts and tests of the table outcome by sex.
#[test]
fn contingency_tables_equal_the_reference() {
    let protocol = heart::four_external("p_a");
    let releases = heart::releases(&protocol, &path::open_data());
    for (site, release) in SITES.iter().zip(&releases) {
        let value = expected(&format!("ct.heart.sex_y.{site}"));
        let table = find(release, |statistic| match statistic {
            Statistic::Contingency(one)
                if one.kind == ContingencyKind::OutcomeBySubgroup && one.axis.as_str() == "sex" =>
            {
                Some(one.clone())
            }
            _ => None,
        })
        .unwrap();
        for (row, cells) in table.rows.iter().zip(value["table"].as_array().unwrap()) {
            for (cell, count) in row.cells.iter().zip(cells.as_array().unwrap()) {
                assert_eq!(Some(exact(*cell)), count.as_u64(), "{site} {}", row.level);
            }
        }
        close(
            site,
            exact(table.chi_squared),
            number(&value, "/chi2"),
            1e-8,
        );
        close(site, exact(table.p_value), number(&value, "/p"), 1e-8);
        close(
            site,
            exact(table.cramers_v),
            number(&value, "/cramers_v"),
            1e-8,
        );
        assert_eq!(f64::from(table.degrees_of_freedom), number(&value, "/df"));
    }
    let study = path::pooled(&protocol, &releases);
    let table = study
        .tables
        .iter()
        .find(|one| one.kind == ContingencyKind::OutcomeBySubgroup && one.axis.as_str() == "sex")
        .unwrap();
    let all = expected("ct.heart.sex_y");
    for (row, cells) in table.total.iter().zip(all["table"].as_array().unwrap()) {
        for (cell, count) in row.iter().zip(cells.as_array().unwrap()) {
            assert_eq!(Some(exact(*cell)), count.as_u64());
        }
    }
    let value = expected("cmh.heart.sex_y_by_site");
    let Cmh::Computed {
        statistic,
        p_value,
        odds_ratio,
        odds_ratio_interval,
        ..
    } = &table.cmh
    else {
        panic!("{:?}", table.cmh)
    };
    close("CMH", *statistic, number(&value, "/chi2"), 1e-8);
    close("CMH p", *p_value, number(&value, "/p"), 1e-8);
    close(
        "odds ratio",
        odds_ratio.unwrap(),
        number(&value, "/or_mh"),
        1e-8,
    );
    let [low, high] = odds_ratio_interval.unwrap();
    close("odds ratio", low, number(&value, "/or_mh_ci95/0"), 1e-8);
    close("odds ratio", high, number(&value, "/or_mh_ci95/1"), 1e-8);
}

/// The reference has women and men of all four sites together: counts add over the sites.
#[test]
fn subgroup_counts_add_to_the_reference() {
    let protocol = heart::four_external("p_a");
    let value = expected("fair.heart.sex");
    let releases = heart::releases(&protocol, &path::open_data());
    for (place, level) in ["female", "male"].into_iter().enumerate() {
        let mut sum = [0_u64; 5];
        let (mut events, mut expected_events) = (0.0, 0.0);
        for release in &releases {
            let row = find(release, |statistic| match statistic {
                Statistic::SubgroupTable(one) if one.axis.as_str() == "sex" => {
                    Some(one.rows[place].clone())
                }
                _ => None,
            })
            .unwrap();
            assert_eq!(row.level, level);
            let cells = [
                row.n,
                row.true_positive,
                row.false_positive,
                row.false_negative,
                row.true_negative,
            ];
            for (sum, cell) in sum.iter_mut().zip(cells) {
                *sum += exact(cell);
            }
            let ratio = &row.measures[5];
            assert_eq!(ratio.measure, Measure::ObservedExpected);
            let observed = exact(row.events) as f64;
            events += observed;
            expected_events += ratio
                .value
                .exact()
                .filter(|r| *r > 0.0)
                .map_or(0.0, |r| observed / r);
        }
        let group = &value["by_group"][level];
        for (sum, key) in sum.iter().zip(["n", "tp", "fp", "fn", "tn"]) {
            assert_eq!(Some(*sum), group[key].as_u64(), "{level} {key}");
        }
        if level == "male" {
            let ratio = events / expected_events;
            close("O:E of men", ratio, number(group, "/o_e"), 1e-8);
        }
    }
}

/// Switzerland has eight patients without disease: under `standard` it releases nothing, two
/// external sites remain, and the protocol asks for three.
#[test]
fn under_standard_there_is_no_pool() {
    let protocol = heart::protocol();
    let releases = heart::releases(&protocol, &path::standard());
    let sites: Vec<&str> = releases
        .iter()
        .map(|release| release.header.site.as_str())
        .collect();
    assert_eq!(sites, ["cleveland", "hungarian", "va"]);
    let study = path::pooled(&protocol, &releases);
    let primary = &study.analyses[0];
    let outcome = PoolOutcome::TooFewSites {
        sites: 2,
        minimum: 3,
    };
    assert_eq!(primary.pool, outcome);
    let shown = primary.sites.iter().filter(|row| row.yi.is_some()).count();
    assert_eq!(shown, 3, "site estimates are shown");
}
