//! Masked sums through the public path: four hospitals' parts masked, opened, reviewed. What a
//! histogram can give equals the reference exactly; what depends on scores within a bin lies as
//! near as the help page says.
//!
//! From: `pool.hist_delong.*`, `pool.one_pass`, `pool.calibration_newton`.
//! To: `statistic::masked_sums`, `disclosure::masked`.

use harness::heart::{self, SITES};
use harness::masked::{pool, reviewed};
use harness::path;
use serde_json::Value;
use shared::disclosure::Policy;
use shared::disclosure::masked::ReviewedSum;
use shared::pool::masked::OpenedPool;
use shared::statistic::discordance::Crossed;
use shared::statistic::{Cases, Disclosed, Metric, Statistic};
use shared::study::{ModelId, StudyProtocol};

use crate::heart_round::{close, expected, number};

/// Four external hospitals on a grid of equal bins.
fn study(bins: u32) -> (StudyProtocol, Vec<(&'static str, Cases)>) {
    let mut protocol = heart::four_external("p_a");
    let edge = |place: u32| f64::from(place) / f64::from(bins);
    protocol.histogram.edges = (1..bins).map(edge).collect();
    protocol.decision_curve = None;
    let sites = SITES.map(|site| (site, heart::cases(&protocol, site)));
    (protocol, sites.into())
}

fn estimate(pool: &OpenedPool, metric: Metric) -> f64 {
    let mut found = pool.analyses.iter().filter(|one| {
        one.key.metric == metric && one.key.model.as_str() == "p_a" && one.key.axis.is_none()
    });
    found.next().unwrap().sites[0].estimate.number().unwrap()
}

fn area(sum: &ReviewedSum) -> (f64, f64) {
    let mut areas = sum.statistics.iter().filter_map(Statistic::auc);
    let area = areas.find(|area| area.model.as_str() == "p_a").unwrap();
    (area.auc.number().unwrap(), area.variance.number().unwrap())
}

/// Without rounding, so that every digit is compared.
#[test]
fn masked_sums_give_the_reference_of_the_binned_score() {
    for bins in [32, 64, 100, 128, 256, 1000] {
        let (protocol, sites) = study(bins);
        let sum = reviewed(&protocol, &sites, &path::open_data());
        let reference = expected(&format!("pool.hist_delong.{bins}"));
        let (auc, variance) = area(&sum);
        close("AUC", auc, number(&reference, "/auc"), 1e-12);
        close(
            "variance",
            variance,
            number(&reference, "/var_delong"),
            1e-14,
        );
        let rows = number(&reference, "/auc_exact_rows");
        let pool = pool(&protocol, sum);
        let curve = pool
            .curves
            .iter()
            .find(|curve| curve.model.as_str() == "p_a");
        let bound = curve.unwrap().error_bound;
        assert!((auc - rows).abs() <= bound, "{bins} bins: {auc} {rows}");
    }
}

/// Observed over expected, net benefit and counts are those of the rows; the slope is near.
#[test]
fn masked_sums_are_as_near_to_the_rows_as_the_help_page_says() {
    let (protocol, sites) = study(256);
    let sum = reviewed(&protocol, &sites, &path::open_data());
    let pool = pool(&protocol, sum);
    let one_pass = expected("pool.one_pass");
    let total = |what: &str| -> f64 {
        let sites = one_pass["sites"].as_object().unwrap();
        sites
            .values()
            .map(|site: &Value| site[what].as_f64().unwrap())
            .sum()
    };
    let ratio = total("events") / total("sum_p");
    close(
        "O:E",
        estimate(&pool, Metric::ObservedExpected),
        ratio,
        1e-9,
    );
    let newton = expected("pool.calibration_newton");
    let slope = estimate(&pool, Metric::CalibrationSlope);
    close("slope", slope, number(&newton, "/slope"), 2e-3);
    let (mut true_positive, mut false_positive, mut n) = (0.0, 0.0, 0.0);
    for (_, cases) in &sites {
        let model = protocol
            .model
            .iter()
            .position(|one| one.id.as_str() == "p_a");
        let scores = &cases.score[model.unwrap()];
        for (score, outcome) in scores.iter().zip(&cases.outcome[0]) {
            n += 1.0;
            if score.unwrap() >= 0.5 {
                true_positive += f64::from(u8::from(outcome.unwrap()));
                false_positive += f64::from(u8::from(!outcome.unwrap()));
            }
        }
    }
    let benefit = (true_positive - false_positive) / n;
    close(
        "net benefit",
        estimate(&pool, Metric::NetBenefit),
        benefit,
        1e-12,
    );
}

/// Under the rules of a sum the same figures, to the digits that they keep.
#[test]
fn a_reviewed_sum_keeps_four_decimals_and_exact_counts() {
    let (protocol, sites) = study(128);
    let policy = Policy::over_hospitals(10).unwrap();
    let sum = reviewed(&protocol, &sites, &policy);
    let reference = expected("pool.hist_delong.128");
    let (auc, _) = area(&sum);
    close("AUC", auc, number(&reference, "/auc"), 5e-5);
    for table in sum.statistics.iter().filter_map(Statistic::confusion) {
        let cells = [&table.true_positive, &table.false_positive];
        assert!(cells.iter().all(|cell| cell.exact().is_some()), "{table:?}");
    }
    let histogram = sum
        .statistics
        .iter()
        .filter_map(Statistic::histogram)
        .next();
    for block in histogram.unwrap().events.iter() {
        assert!(block.count.exact().unwrap() >= 10);
    }
}

/// Crossed decisions add to those of the hospitals one by one; differences are those of the two
/// models' own figures; the areas of joined scores lie near those of the full grid.
#[test]
fn two_models_are_compared_over_all_patients() {
    let (protocol, sites) = study(256);
    let sum = reviewed(&protocol, &sites, &path::open_data());
    let releases: Vec<_> = sites
        .iter()
        .filter_map(|(site, cases)| path::release(&protocol, cases, &path::open_data(), site))
        .collect();
    assert_eq!(releases.len(), 4);
    let cells = |statistics: &[Statistic<Disclosed>]| -> Vec<[u64; 8]> {
        let crossed = statistics.iter().filter_map(Statistic::discordance);
        crossed
            .map(|one| {
                let of = |class: &Crossed<Disclosed>| {
                    [
                        &class.both,
                        &class.model_only,
                        &class.comparator_only,
                        &class.neither,
                    ]
                    .map(|cell| cell.number().unwrap())
                };
                let (events, others) = (of(&one.events), of(&one.non_events));
                std::array::from_fn(|at| if at < 4 { events[at] } else { others[at - 4] })
            })
            .collect()
    };
    let together = cells(&sum.statistics);
    assert!(!together.is_empty());
    let mut added = vec![[0; 8]; together.len()];
    for release in &releases {
        for (sum, own) in added.iter_mut().zip(cells(&release.statistics)) {
            sum.iter_mut().zip(own).for_each(|(sum, own)| *sum += own);
        }
    }
    assert_eq!(together, added);

    let area = |model: &str| {
        let mut areas = sum.statistics.iter().filter_map(Statistic::auc);
        let area = areas.find(|area| area.model.as_str() == model).unwrap();
        area.auc.number().unwrap()
    };
    let pairs: Vec<_> = sum
        .statistics
        .iter()
        .filter_map(Statistic::paired_auc)
        .collect();
    assert_eq!(pairs.len(), protocol.model.len() - 1);
    for pair in pairs {
        let full = area(pair.model.as_str()) - area(pair.comparator.as_str());
        let found = pair.difference.number().unwrap();
        assert!((found - full).abs() < 1e-3, "{found} {full}");
        assert!(pair.variance.number().unwrap() > 0.0);
    }

    let pool = pool(&protocol, sum);
    let differences: Vec<_> = pool
        .analyses
        .iter()
        .filter(|one| one.key.metric == Metric::NetBenefitDifference)
        .collect();
    assert!(!differences.is_empty());
    for one in differences {
        let benefit = |model: &ModelId| {
            let mut own = pool.analyses.iter().filter(|other| {
                other.key.metric == Metric::NetBenefit
                    && other.key.model == *model
                    && other.key.threshold == one.key.threshold
                    && other.key.prevalence == one.key.prevalence
            });
            own.next()
                .map(|other| other.sites[0].estimate.number().unwrap())
        };
        let comparator = one.key.comparator.as_ref().unwrap();
        let (Some(first), Some(second)) = (benefit(&one.key.model), benefit(comparator)) else {
            continue;
        };
        let found = one.sites[0].estimate.number().unwrap();
        close("net benefit", found, first - second, 1e-12);
    }
}
