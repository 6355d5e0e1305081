//! Clinical utility and comparison through the public path: the four hospitals' tables in,
//! released and pooled values out, against the reference values.
//!
//! From: `configs/examples/heart`, `tests/fixtures/reference`.
//! To: nothing.

use harness::heart::{self, SITES};
use harness::path;
use serde_json::Value;
use shared::disclosure::ReceivedRelease;
use shared::pool::result::{McNemar, PoolOutcome};
use shared::statistic::discordance::Discordance;
use shared::statistic::{Cell, Disclosed, Estimate, Metric, Statistic, Undefined};
use shared::study::{
    ComparisonPlan, DecisionCurve, SamplingDesign, StudyProtocol, TargetPrevalence, validate,
};

use crate::reference;

const CURVE: [f64; 6] = [0.05, 0.1, 0.2, 0.3, 0.5, 0.7];

fn expected(id: &str) -> Value {
    let mut entries = reference::entries().into_iter();
    let entry = entries.find(|entry| entry.id == id);
    entry
        .unwrap_or_else(|| panic!("no reference value {id}"))
        .expected
}

fn close(what: &str, got: f64, expected: f64) {
    let error = (got - expected).abs();
    assert!(
        error <= 1e-10 * expected.abs() + 1e-12,
        "{what}: got {got:e}, expected {expected:e}"
    );
}

/// The bundled study with every hospital external, `p_a` as the model, the reference's
/// thresholds, one declared prevalence and reclassification.
fn protocol() -> StudyProtocol {
    let mut protocol = heart::four_external("p_a");
    protocol.histogram = heart::written().histogram;
    protocol.decision_curve = Some(DecisionCurve {
        thresholds: CURVE.to_vec(),
    });
    protocol.target_prevalence = vec![TargetPrevalence {
        endpoint: "disease".parse().unwrap(),
        value: 0.2,
        source: "test".to_owned(),
    }];
    protocol.comparison = Some(ComparisonPlan { nri: true });
    assert_eq!(validate::check(&protocol), []);
    let expanded = validate::expand(&protocol);
    assert_eq!(validate::check(&expanded), []);
    expanded
}

fn estimate<'a>(
    release: &'a ReceivedRelease,
    metric: Metric,
    model: &str,
    threshold: Option<f64>,
    prevalence: Option<f64>,
) -> &'a Estimate<Disclosed> {
    let mut all = release.statistics.iter().filter_map(Statistic::estimate);
    all.find(|one| {
        one.key.metric == metric
            && one.key.model.as_str() == model
            && one.key.threshold == threshold
            && one.key.prevalence == prevalence
    })
    .unwrap_or_else(|| panic!("no {metric:?} of {model} at {threshold:?}"))
}

fn exact(cell: &Cell<f64>) -> f64 {
    cell.exact().unwrap_or_else(|| panic!("{cell:?}"))
}

#[test]
fn each_site_releases_the_reference_net_benefit() {
    let releases = heart::releases(&protocol(), &path::open_data());
    for (site, release) in SITES.iter().zip(&releases) {
        let all = expected(&format!("nb.heart.{site}"));
        for model in ["p_a", "p_b"] {
            for (threshold, value) in CURVE.iter().zip(all[model].as_array().unwrap()) {
                let find = |metric| estimate(release, metric, model, Some(*threshold), None);
                let number = |key: &str| value[key].as_f64().unwrap();
                let own = find(Metric::NetBenefit);
                close(site, exact(&own.value), number("net_benefit"));
                close(site, exact(&own.variance).sqrt(), number("se_net_benefit"));
                let all = exact(&find(Metric::TreatAll).value);
                close(site, all, number("treat_all"));
                let over = exact(&find(Metric::OverTreatAll).value);
                close(site, over, number("net_benefit") - number("treat_all"));
                let avoided = exact(&find(Metric::InterventionsAvoided).value);
                close(site, avoided, number("interventions_avoided_per_patient"));
                let standardised = exact(&find(Metric::StandardisedNetBenefit).value);
                close(site, standardised, number("standardized"));
            }
        }
        let differences = all["difference_p_a_minus_p_b"].as_array().unwrap();
        for (threshold, value) in CURVE.iter().zip(differences) {
            let metric = Metric::NetBenefitDifference;
            let found = estimate(release, metric, "p_a", Some(*threshold), None);
            close(site, exact(&found.value), value["delta"].as_f64().unwrap());
            let se = value["se"].as_f64().unwrap();
            // Nobody is decided differently: the reference's error is 0, ours does not exist.
            if se > 0.0 {
                close(site, exact(&found.variance).sqrt(), se);
            } else {
                let reason = Undefined::NoVariance;
                assert_eq!(found.variance, Cell::NotComputed { reason });
            }
        }
    }
}

/// The sum of the hospitals' counts is the table of all rows.
#[test]
fn the_merged_curve_equals_the_reference_of_all_rows() {
    let protocol = protocol();
    let study = path::pooled(&protocol, &heart::releases(&protocol, &path::open_data()));
    let all = expected("nb.heart.pooled");
    for model in ["p_a", "p_b"] {
        let mut curves = study.benefit.iter();
        let curve = curves
            .find(|one| one.model.as_str() == model && one.prevalence.is_none())
            .unwrap();
        assert_eq!(curve.sites.len(), 4);
        let values = all[model].as_array().unwrap();
        assert_eq!(curve.points.len(), values.len());
        for (point, value) in curve.points.iter().zip(values) {
            let number = |key: &str| value[key].as_f64().unwrap();
            close(model, point.net_benefit, number("net_benefit"));
            close(model, point.treat_all, number("treat_all"));
            let [low, high] = point.interval.unwrap();
            let half = 1.959_963_984_540_054 * number("se_net_benefit");
            close(model, (high - low) / 2.0, half);
        }
    }
    let pools = study
        .analyses
        .iter()
        .filter(|one| one.key.metric == Metric::NetBenefit);
    let pooled = pools.filter(|one| matches!(one.pool, PoolOutcome::Pooled(_)));
    assert!(
        pooled.count() >= 20,
        "two models, six thresholds, two prevalences"
    );
}

/// A declared prevalence weighs the classes: `0.2 sens - 0.8 w (1 - spec)`.
#[test]
fn a_declared_prevalence_weighs_the_classes() {
    let releases = heart::releases(&protocol(), &path::open_data());
    let find = |metric, prevalence| {
        let found = estimate(&releases[1], metric, "p_a", Some(0.5), prevalence);
        exact(&found.value)
    };
    let table = releases[1].statistics.iter().find_map(|one| {
        let table = one.confusion().filter(|one| one.model.as_str() == "p_a")?;
        let count = |cell: &Cell<u64>| cell.exact().unwrap() as f64;
        Some([
            count(&table.true_positive),
            count(&table.false_positive),
            count(&table.false_negative),
            count(&table.true_negative),
        ])
    });
    let [tp, fp, fneg, tn] = table.unwrap();
    let by_hand = 0.2 * tp / (tp + fneg) - 0.8 * fp / (fp + tn);
    close("declared", find(Metric::NetBenefit, Some(0.2)), by_hand);
    close("all", find(Metric::TreatAll, Some(0.2)), 0.2 - 0.8);
}

fn tables(release: &ReceivedRelease) -> Vec<&Discordance<Disclosed>> {
    let all = release.statistics.iter();
    all.filter_map(Statistic::discordance).collect()
}

/// The reference crosses right and wrong over both classes.
#[test]
fn discordant_pairs_and_their_tests_equal_the_reference() {
    let protocol = protocol();
    let releases = heart::releases(&protocol, &path::open_data());
    for (site, release) in SITES.iter().zip(&releases) {
        let value = expected(&format!("mcnemar.heart.{site}"));
        let found = tables(release);
        assert_eq!(found.len(), 1);
        let count = |cell: &Cell<u64>| cell.exact().unwrap();
        let (events, rest) = (&found[0].events, &found[0].non_events);
        let first = count(&events.model_only) + count(&rest.comparator_only);
        let second = count(&events.comparator_only) + count(&rest.model_only);
        assert_eq!(Some(first), value["only_1_correct"].as_u64(), "{site}");
        assert_eq!(Some(second), value["only_2_correct"].as_u64(), "{site}");
    }
    let study = path::pooled(&protocol, &releases);
    let value = expected("mcnemar.heart.pooled");
    let McNemar::Computed {
        sites,
        model_right,
        comparator_right,
        chi_squared,
        p_value,
        corrected,
        corrected_p,
        exact_p,
        mid_p,
    } = &study.crossed[0].overall_test
    else {
        panic!("{:?}", study.crossed[0].overall_test)
    };
    assert_eq!(sites.len(), 4);
    assert_eq!(Some(*model_right), value["only_1_correct"].as_u64());
    assert_eq!(Some(*comparator_right), value["only_2_correct"].as_u64());
    for (got, key) in [
        (chi_squared, "chi2"),
        (p_value, "p"),
        (corrected, "chi2_corrected"),
        (corrected_p, "p_corrected"),
        (exact_p, "exact_p"),
        (mid_p, "midp"),
    ] {
        let want = value[key].as_f64().unwrap();
        assert!((got - want).abs() <= 1e-9 * want, "{key}: {got} {want}");
    }
}

#[test]
fn the_paired_differences_are_those_of_the_rates() {
    let releases = heart::releases(&protocol(), &path::open_data());
    for release in &releases {
        let rate = |model: &str, events: bool| {
            let mut all = release.statistics.iter().filter_map(Statistic::confusion);
            let table = all.find(|one| one.model.as_str() == model).unwrap();
            exact(&table.rates[usize::from(!events)].value)
        };
        for (metric, events) in [
            (Metric::SensitivityDifference, true),
            (Metric::SpecificityDifference, false),
        ] {
            let found = estimate(release, metric, "p_a", Some(0.5), None);
            let difference = rate("p_a", events) - rate("p_b", events);
            close("difference", exact(&found.value), difference);
        }
    }
}

/// One hospital with everybody, so that the reference over all rows is one release. The old
/// model is the comparator.
#[test]
fn reclassification_equals_the_reference() {
    let protocol = validate::expand(&StudyProtocol {
        comparison: Some(ComparisonPlan { nri: true }),
        ..heart::protocol()
    });
    let mut rows = Vec::new();
    let data =
        std::path::Path::new(env!("CARGO_MANIFEST_DIR")).join("../configs/examples/heart/data");
    for site in SITES {
        let text = std::fs::read_to_string(data.join(format!("{site}.csv"))).unwrap();
        let skip = usize::from(!rows.is_empty());
        rows.extend(text.lines().skip(skip).map(str::to_owned));
    }
    let folder = tempfile::tempdir().unwrap();
    let path = folder.path().join("all.csv");
    std::fs::write(&path, rows.join("\n")).unwrap();
    let loaded = harness::load(&protocol, &node::cohort::TableSource::new(path));
    let cases = loaded.unwrap_or_else(|faults| panic!("{faults:?}")).cases;
    let release = path::release(&protocol, &cases, &path::open_data(), "va").unwrap();
    let value = expected("nri_idi.heart");
    for (metric, key) in [(Metric::Nri, "nri"), (Metric::Idi, "idi")] {
        let found = estimate(&release, metric, "p_b", None, None);
        let number = |key: &str| value[key].as_f64().unwrap();
        let near = |got: f64, want: f64| assert!((got - want).abs() <= 1e-9 * want.abs(), "{key}");
        near(exact(&found.value), number(key));
        near(exact(&found.variance).sqrt(), number(&format!("se_{key}")));
    }
    // Not asked for, not computed.
    let plain = path::release(&heart::protocol(), &cases, &path::open_data(), "va").unwrap();
    let mut all = plain.statistics.iter().filter_map(Statistic::estimate);
    assert!(all.all(|one| one.key.metric != Metric::Idi));
}

/// A protecting hospital says nothing between the prespecified thresholds, and at them only
/// where the 2x2 table is shown; a difference only where the crossed decisions are.
#[test]
fn under_standard_nothing_finer_than_the_tables_leaves() {
    let protocol = protocol();
    let releases = heart::releases(&protocol, &path::standard());
    let mut shown = 0;
    for release in &releases {
        let mut tables_shown = Vec::new();
        for table in release.statistics.iter().filter_map(Statistic::confusion) {
            if table.true_positive.number().is_some() {
                tables_shown.push((table.model.clone(), table.threshold));
            }
        }
        let crossed = tables(release);
        for one in release.statistics.iter().filter_map(Statistic::estimate) {
            let Some(threshold) = one.key.threshold else {
                continue;
            };
            if one.value.number().is_none() {
                continue;
            }
            shown += 1;
            assert!((threshold - 0.5).abs() < 1e-12, "{:?}", one.key);
            assert!(tables_shown.contains(&(one.key.model.clone(), threshold)));
            if one.key.comparator.is_some() {
                assert!(crossed[0].events.both.number().is_some(), "{:?}", one.key);
            }
        }
        for table in crossed {
            let cells = table.counts();
            let hidden = cells.iter().filter(|cell| cell.is_suppressed()).count();
            assert!(hidden == 0 || hidden == 8, "shown whole or not at all");
        }
        let curve = estimate(release, Metric::NetBenefit, "p_a", Some(0.1), None);
        let reason = Undefined::NotInPolicy;
        assert_eq!(curve.value, Cell::NotComputed { reason });
    }
    assert!(shown > 0, "the test must see a shown net benefit");
}

/// With sampling by outcome only a declared prevalence has a net benefit (decision C3).
#[test]
fn sampling_by_outcome_leaves_the_declared_prevalence() {
    let mut protocol = protocol();
    protocol.sampling.design = SamplingDesign::OutcomeDependent;
    let releases = heart::releases(&protocol, &path::open_data());
    let find = |prevalence| {
        let metric = Metric::NetBenefit;
        estimate(&releases[0], metric, "p_a", Some(0.5), prevalence).value
    };
    let reason = Undefined::DesignForbids;
    assert_eq!(find(None), Cell::NotComputed { reason });
    assert!(find(Some(0.2)).exact().is_some());
}

#[test]
fn thresholds_outside_the_grid_are_told_with_a_mend() {
    let mut protocol = heart::protocol();
    let mut told = |thresholds: &[f64]| {
        protocol.decision_curve = Some(DecisionCurve {
            thresholds: thresholds.to_vec(),
        });
        validate::check(&protocol).len()
    };
    assert_eq!(told(&[0.5]), 0, "a declared threshold");
    assert_eq!(told(&[0.123]), 1, "no edge of a locked grid");
    assert_eq!(told(&[]), 1);
    assert_eq!(told(&[0.0, 0.5]), 2, "0 has no odds and is no edge");
    assert_eq!(told(&[0.5, 0.5]), 1);
    assert_eq!(told(&[0.5; 51]), 2);
}
