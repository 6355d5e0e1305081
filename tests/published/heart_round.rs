//! The bundled study through the public path, measured, reviewed, released, read and pooled,
//! against the reference values of its four hospitals.
//!
//! From: `configs/examples/heart`, `tests/fixtures/reference`.
//! To: nothing.

use harness::heart::{self, SITES};
use harness::path;
use serde_json::Value;
use shared::disclosure::ReceivedRelease;
use shared::pool::result::{
    Analysis, Excluded, Metric, PoolOutcome, Pooled, PooledStudy, Scale, SummaryOutcome, Withheld,
};
use shared::statistic::{Cell, Disclosed, Statistic};
use shared::study::PoolInterval;

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

/// Estimators, intervals, leave-one-out, cumulative pools and shrunken sites, on the natural
/// scale of an AUC.
#[test]
fn every_way_of_pooling_equals_the_reference() {
    let mut protocol = heart::four_external("p_a");
    protocol.pooling.interval = PoolInterval::HksjUnguarded;
    let releases = heart::releases(&protocol, &path::open_data());
    let study = path::pooled(&protocol, &releases);
    let (_, pool) = analysis(&study, Metric::Auc, "p_a");
    let value = expected("meta.heart.logit_auc");
    close("se", pool.se, number(&value, "/REML_hksj/se"), 1e-8);
    let natural = |path: &str| logistic(number(&value, path));
    let both = |what: &str, got: Option<[f64; 2]>, low: &str, high: &str| {
        let got = got.unwrap();
        close(what, got[0], natural(low), 1e-8);
        close(what, got[1], natural(high), 1e-8);
    };
    let found = &pool.robustness;
    assert_eq!(found.leave_one_out.len(), 4);
    for (i, one) in found.leave_one_out.iter().enumerate() {
        let at = |column: &str| format!("/leave_one_out/{column}/{i}");
        close("left out", one.estimate, natural(&at("estimate")), 1e-8);
        both("left out", one.interval, &at("ci_lb"), &at("ci_ub"));
        let tau2 = number(&value, &at("tau2"));
        assert!((one.tau2 - tau2).abs() <= 1e-8 * tau2 + 1e-12);
        close("Q", one.q, number(&value, &at("Q")), 1e-8);
    }
    for (i, step) in found.cumulative.iter().enumerate() {
        let at = |column: &str| format!("/cumulative_in_given_order/{column}/{i}");
        close("cumulative", step.estimate, natural(&at("estimate")), 1e-8);
        both("cumulative", step.interval, &at("ci_lb"), &at("ci_ub"));
    }
    for (i, drawn) in found.shrunken.iter().enumerate() {
        let at = format!("/blup/pred/{i}");
        close("shrunken", drawn.estimate, natural(&at), 1e-8);
    }
    for other in &found.others {
        let law = match other.interval_method {
            PoolInterval::Hksj => "hksj_adhoc",
            PoolInterval::HksjUnguarded => "hksj",
            PoolInterval::Normal => "z",
        };
        let name = serde_json::to_value(other.tau2_estimator).unwrap();
        let name = name.as_str().unwrap();
        close(
            "tau2",
            other.tau2,
            number(&value, &format!("/{name}_z/tau2")).max(0.0),
            1e-8,
        );
        let fit = format!("/{name}_{law}");
        if value.pointer(&fit).is_some() {
            close(
                name,
                other.estimate,
                natural(&format!("{fit}/estimate")),
                1e-8,
            );
            both(
                name,
                other.interval,
                &format!("{fit}/ci95/0"),
                &format!("{fit}/ci95/1"),
            );
        }
    }
    assert_eq!(found.others.iter().filter(|other| other.chosen).count(), 1);
}

/// Under `standard` small cells are hidden: pools say what that leaves open.
#[test]
fn pools_with_withheld_sites_carry_bounds_and_names() {
    let mut protocol = heart::four_external("p_a");
    protocol.pooling.min_sites = 2;
    let study = path::pooled(&protocol, &heart::releases(&protocol, &path::standard()));
    let mut seen = 0;
    for one in &study.analyses {
        let hidden = one
            .sites
            .iter()
            .filter(|row| row.excluded == Some(Excluded::Suppressed))
            .count();
        let PoolOutcome::Pooled(pool) = &one.pool else {
            continue;
        };
        let bounds = pool.robustness.withheld.as_ref();
        assert_eq!(bounds.map_or(0, |bounds| bounds.sites.len()), hidden);
        if let Some(bounds) = bounds {
            seen += 1;
            let inside = bounds.low.is_none_or(|low| low <= pool.estimate)
                && bounds.high.is_none_or(|high| high >= pool.estimate);
            assert!(inside, "{:?}", one.key);
        }
    }
    assert!(seen > 0, "no pool has a withheld site");
}

/// Every pool that lacks a withheld value is listed with who and how many are missing, and the
/// interval with them holds the one without; every withheld item names the rules of its kind.
#[test]
fn what_is_withheld_is_listed_with_its_effect_on_every_pool() {
    let mut protocol = heart::four_external("p_a");
    protocol.pooling.min_sites = 2;
    let study = path::pooled(&protocol, &heart::releases(&protocol, &path::standard()));
    let mut listed = study.missing.iter();
    for one in &study.analyses {
        let compared = !matches!(
            one.pool,
            PoolOutcome::ConfoundedWithSite | PoolOutcome::NotPooled
        );
        let hidden: Vec<_> = one
            .sites
            .iter()
            .filter(|row| compared && row.excluded == Some(Excluded::Suppressed))
            .map(|row| row.site.clone())
            .collect();
        if hidden.is_empty() {
            continue;
        }
        let found = listed.next().expect("a pool is not listed");
        assert_eq!((&found.key, &found.sites), (&one.key, &hidden));
        let usable = one
            .sites
            .iter()
            .filter(|row| row.excluded.is_none() && row.vi.is_some());
        assert_eq!(found.pooled, usable.count(), "{:?}", one.key);
        if one.key.is_whole() {
            assert_eq!(found.untold, 0, "the flow tells the cases");
            let told = found.cases.bounds().unwrap();
            assert!(
                told.0 >= 45 * hidden.len() as u64 && told.1 < 1000,
                "{told:?}"
            );
        }
        if let (PoolOutcome::Pooled(pool), Some(without)) = (&one.pool, &found.pool) {
            assert_eq!(without.interval, [pool.low, pool.high]);
            let [low, high] = without.outermost;
            let [mean_low, mean_high] = without.mean;
            assert!(low.zip(mean_low).is_none_or(|(end, mean)| end <= mean));
            assert!(high.zip(mean_high).is_none_or(|(end, mean)| end >= mean));
        }
    }
    assert!(listed.next().is_none(), "a pool is listed without a reason");
    assert!(study.missing.len() > 5 && !study.withheld.is_empty());
    for one in &study.withheld {
        let about = one.about.as_ref().map(|about| about.statistic.as_str());
        assert_eq!(about.is_some(), !one.rules.is_empty(), "{one:?}");
    }
    assert!(study.rounded.iter().all(|one| one.widest <= 40));
    assert!(
        study
            .rounded
            .iter()
            .any(|one| one.statistic == "flow" && one.counts >= 5)
    );
}

/// A hospital with few errors says so by a one-sided bound, and that bound, not the end of the scale,
/// bounds the pool and is printed.
#[test]
fn one_sided_bounds_of_hospitals_enter_the_bounds_of_the_pool() {
    let mut protocol = heart::four_external("p_a");
    protocol.pooling.min_sites = 2;
    let study = path::pooled(&protocol, &heart::releases(&protocol, &path::standard()));
    let mut seen = 0;
    for found in &study.missing {
        let one = study.analyses.iter().find(|one| one.key == found.key);
        let (one, Some(pool)) = (one.unwrap(), &found.pool) else {
            continue;
        };
        let ends: Vec<f64> = one
            .sites
            .iter()
            .filter(|row| row.excluded == Some(Excluded::Suppressed))
            .map(|row| row.estimate.bounds().unwrap().0)
            .collect();
        let share = one.key.metric.entry().scale == Scale::Logit;
        if !share || !ends.iter().any(|low| *low > 0.0 && *low < 1.0) {
            continue;
        }
        seen += 1;
        let k = found.pooled as f64;
        let low = (k * pool.estimate + ends.iter().sum::<f64>()) / (k + ends.len() as f64);
        assert!((pool.mean[0].unwrap() - low).abs() < 1e-12, "{:?}", one.key);
    }
    let told = |one: &&Withheld| one.known.contains("at least 0.");
    assert!(seen > 0 && study.withheld.iter().any(|one| told(&one)));
}

/// From merged and rounded blocks no AUC is printed as a point: the region holds the AUC of the
/// exact rows, at each hospital and over merged patients, and has a width.
#[test]
fn blocks_that_are_not_exact_give_a_region_that_holds_the_area() {
    let mut protocol = heart::four_external("p_a");
    protocol.pooling.min_sites = 2;
    let guarded = path::pooled(&protocol, &heart::releases(&protocol, &path::standard()));
    let open = path::pooled(&protocol, &heart::releases(&protocol, &path::open_data()));
    assert!(open.area_bounds.is_empty());
    let (mut own, mut merged) = (0, 0);
    for region in &guarded.area_bounds {
        assert!(0.0 <= region.low && region.low < region.high && region.high <= 1.0);
        let raw = open
            .merged
            .iter()
            .find(|curve| (&curve.model, &curve.site) == (&region.model, &region.site));
        match &region.site {
            Some(_) => own += 1,
            None => merged += 1,
        }
        // The merged curve of the exact round has more hospitals: one withholds its release here.
        if let (Some(curve), true) = (raw, region.site.is_some()) {
            let ends = region.low - curve.error_bound..=region.high + curve.error_bound;
            assert!(ends.contains(&curve.auc), "{region:?}");
        }
    }
    assert!(own >= 2 && merged >= 1, "{own} {merged}");
    assert!(guarded.merged.iter().all(|curve| curve.site.is_some()));
}

/// The summary point of three hospitals through the public path: by counts at the median
/// hospital, on its boundary or inside it, and never with a region below five.
#[test]
fn three_hospitals_have_a_summary_point_and_no_region() {
    let protocol = heart::protocol();
    let study = path::pooled(&protocol, &heart::releases(&protocol, &path::open_data()));
    assert_eq!(study.bivariate.len(), 2);
    for point in &study.bivariate {
        assert_eq!(point.sites.len(), 3);
        let SummaryOutcome::Fitted { counts, logits, .. } = &point.outcome else {
            panic!("{point:?}")
        };
        assert!(counts.confidence_region.is_empty() && counts.prediction_region.is_empty());
        let logits = logits.as_ref().unwrap();
        assert!((counts.sensitivity - logits.sensitivity).abs() < 0.05);
        let [low, high] = counts.sensitivity_interval.unwrap();
        assert!(low < counts.sensitivity && counts.sensitivity < high);
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
