//! Measures by level, fairness criteria and the declared family of the bundled study through the
//! public path, against the reference values of its four hospitals.
//!
//! From: `configs/examples/heart`, `tests/fixtures/reference`.
//! To: nothing.

use harness::heart::{self, SITES};
use harness::path;
use serde_json::json;
use shared::pool::result::{Metric, PoolOutcome};
use shared::statistic::subgroup::{Measure, SubgroupTable};
use shared::statistic::{Disclosed, Statistic};
use shared::study::{StudyProtocol, validate};

use crate::fair_round::banded;
use crate::heart_round::{close, exact, expected, number};
fn with_pair() -> StudyProtocol {
    let mut protocol = banded(heart::four_external("p_a"), &[18.0, 50.0, 60.0, 120.0]);
    let pair = json!({
        "id": "sex-by-age", "label": "Sex and age", "rule": "pair",
        "axes": ["sex", "age"], "prespecified": true,
    });
    protocol
        .subgroup
        .push(serde_json::from_value(pair).unwrap());
    validate::expand(&protocol)
}

#[test]
fn fairness_criteria_equal_fairlearn() {
    let protocol = with_pair();
    assert_eq!(validate::check(&protocol), []);
    let study = path::pooled(&protocol, &heart::releases(&protocol, &path::open_data()));
    for (axis, id) in [
        ("sex", "fair.heart.sex"),
        ("age", "fair.heart.age_band"),
        ("sex-by-age", "fair.heart.sex_x_age_band"),
    ] {
        let value = expected(id);
        let found = study
            .fairness
            .iter()
            .find(|one| one.axis.as_str() == axis)
            .unwrap();
        let merged = found.merged.as_ref().unwrap();
        assert!(merged.left_out.is_empty());
        let groups = value["by_group"].as_object().unwrap();
        assert_eq!(merged.levels.len(), groups.len(), "{axis}");
        for level in &merged.levels {
            let name = level
                .level
                .replace("up to 49", "<50")
                .replace("50 to 59", "50-59")
                .replace("60 and over", "60+")
                .replace(", ", "|");
            let group = &groups[&name];
            for (count, key) in [
                (level.true_positive, "tp"),
                (level.false_positive, "fp"),
                (level.false_negative, "fn"),
                (level.true_negative, "tn"),
            ] {
                assert_eq!(Some(count), group[key].as_u64(), "{axis} {name} {key}");
            }
        }
        for (got, key) in [
            (
                merged.demographic_parity_difference,
                "demographic_parity_difference",
            ),
            (merged.demographic_parity_ratio, "demographic_parity_ratio"),
            (
                merged.equal_opportunity_difference,
                "equal_opportunity_difference",
            ),
            (
                merged.equalised_odds_difference,
                "equalized_odds_difference",
            ),
            (
                merged.equalised_odds_difference_mean,
                "equalized_odds_difference_mean",
            ),
            (merged.equalised_odds_ratio, "equalized_odds_ratio"),
        ] {
            close(key, got.unwrap(), number(&value, &format!("/{key}")), 1e-10);
        }
        // A range stands beside what equality alone would give, inside its interval.
        for spread in &merged.spreads {
            let [low, high] = spread.interval.unwrap();
            assert!(low <= spread.range && spread.range <= high);
            assert!(spread.expected.unwrap() > 0.0);
        }
    }
}

/// All patients at one site: values by level and the cross-group areas are the reference's.
#[test]
fn measures_by_sex_equal_the_reference() {
    let protocol = heart::four_external("p_a");
    let mut all = heart::cases(&protocol, SITES[0]);
    for site in &SITES[1..] {
        harness::random::join(&mut all, heart::cases(&protocol, site));
    }
    let release = path::release(&protocol, &all, &path::open_data(), "va").unwrap();
    let mut tables = release
        .statistics
        .iter()
        .filter_map(Statistic::subgroup_table);
    let table: &SubgroupTable<Disclosed> = tables.find(|one| one.axis.as_str() == "sex").unwrap();
    let value = expected("fair.heart.sex");
    for row in table.rows.iter().filter(|row| row.level != "not recorded") {
        for (measure, path) in [
            (Measure::SelectionRate, "selection_rate/estimate"),
            (Measure::Tpr, "tpr/estimate"),
            (Measure::Fpr, "fpr/estimate"),
            (Measure::Ppv, "ppv/estimate"),
            (Measure::Auc, "auc"),
            (Measure::ObservedExpected, "o_e"),
            (Measure::Brier, "brier"),
        ] {
            let found = row
                .measures
                .iter()
                .find(|one| one.measure == measure)
                .unwrap();
            let wanted = number(&value, &format!("/by_group/{}/{path}", row.level));
            close(path, exact(found.value), wanted, 1e-10);
        }
    }
    let pairs = expected("fair.heart.xauc_sex");
    let cross = |positives: &str, negatives: &str| {
        let each = pairs["pairs"].as_array().unwrap().iter();
        let mut wanted = each.filter(|pair| {
            pair["positives_from"] == positives && pair["negatives_from"] == negatives
        });
        wanted.next().unwrap()["xauc"].as_f64().unwrap()
    };
    for (level, other) in [("female", "male"), ("male", "female")] {
        let row = table.rows.iter().find(|row| row.level == level).unwrap();
        let found = row
            .measures
            .iter()
            .find(|one| one.measure == Measure::Xauc)
            .unwrap();
        close("xAUC", exact(found.value), cross(level, other), 1e-12);
        let gap = cross(level, other) - cross(other, level);
        close("xAUC gap", exact(found.gap), gap, 1e-12);
    }
}

#[test]
fn the_declared_family_is_adjusted() {
    let protocol = heart::four_external("p_a");
    let study = path::pooled(&protocol, &heart::releases(&protocol, &path::open_data()));
    assert!(study.family.len() > 5, "{}", study.family.len());
    for one in &study.family {
        assert_eq!(one.family, study.family.len());
        assert!(
            one.p_value <= one.benjamini_hochberg && one.benjamini_hochberg <= one.holm + 1e-15
        );
        let analysis = study
            .analyses
            .iter()
            .find(|found| found.key == one.key)
            .unwrap();
        let PoolOutcome::Pooled(pool) = &analysis.pool else {
            panic!("a gap that is not pooled")
        };
        assert_eq!(pool.p_value, one.p_value);
    }
    let smallest = study
        .family
        .iter()
        .map(|one| one.p_value)
        .fold(1.0, f64::min);
    let holm = study.family.iter().map(|one| one.holm).fold(1.0, f64::min);
    close(
        "Holm",
        holm,
        (smallest * study.family.len() as f64).min(1.0),
        1e-12,
    );
    let mut undeclared = protocol.clone();
    undeclared
        .subgroup
        .iter_mut()
        .for_each(|axis| axis.prespecified = false);
    let study = path::pooled(
        &undeclared,
        &heart::releases(&undeclared, &path::open_data()),
    );
    assert!(study.family.is_empty(), "undeclared axes are exploratory");
}

#[test]
fn hospitals_stand_as_an_axis_and_levels_against_their_target() {
    let mut protocol = heart::four_external("p_a");
    let sex = protocol
        .subgroup
        .iter_mut()
        .find(|axis| axis.id.as_str() == "sex")
        .unwrap();
    sex.target = [("female".to_owned(), 0.5), ("male".to_owned(), 0.5)].into();
    sex.target_source = Some("census".to_owned());
    assert_eq!(validate::check(&protocol), []);
    let study = path::pooled(&protocol, &heart::releases(&protocol, &path::open_data()));
    let between = |one: &&shared::pool::result::BetweenSites| {
        one.key.metric == Metric::Auc && one.key.model.as_str() == "p_a"
    };
    let found = study.between_sites.iter().find(between).unwrap();
    // The four areas of the reference.
    close(
        "range",
        found.range,
        0.878_261_742_271_179_9 - 0.732_065_217_391_304_3,
        5e-2,
    );
    assert!(found.expected > 0.0 && found.interval[0] <= found.range);
    assert_eq!(found.test.degrees_of_freedom, 3);
    let [sex] = study.representation.as_slice() else {
        panic!("one axis has a target")
    };
    let totals: Vec<u64> = sex.total.iter().map(|cell| exact(*cell)).collect();
    assert_eq!(totals, [194, 726]);
    let test = sex.test.as_ref().unwrap();
    assert_eq!((test.sites.len(), test.test.degrees_of_freedom), (4, 4));
    let by_hand = [(97.0, 206.0), (81.0, 213.0), (10.0, 113.0), (6.0, 194.0)];
    let sum: f64 = by_hand
        .iter()
        .map(|(a, b): &(f64, f64)| (a - b).powi(2) / (a + b))
        .sum();
    close("target", test.test.statistic, sum, 1e-12);
}
