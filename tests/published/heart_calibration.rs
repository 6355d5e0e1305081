//! Calibration of the bundled study through the public path, against the reference values of
//! its four hospitals.
//!
//! From: `configs/examples/heart`, `tests/fixtures/reference`.
//! To: nothing.

use harness::heart::{self, SITES};
use harness::path;
use serde_json::Value;
use shared::disclosure::ReceivedRelease;
use shared::pool::result::Metric;
use shared::statistic::{Cell, Disclosed, Estimate, Undefined};
use shared::study::SamplingDesign;

use crate::heart_round::{analysis, close, exact, expected, find, number};

fn estimates(release: &ReceivedRelease) -> impl Iterator<Item = &Estimate<Disclosed>> {
    let all = release.statistics.iter();
    all.filter_map(shared::statistic::Statistic::estimate)
}

fn estimate<'a>(
    release: &'a ReceivedRelease,
    metric: Metric,
    model: &str,
) -> &'a Estimate<Disclosed> {
    estimates(release)
        .find(|one| {
            one.key.metric == metric && one.key.model.as_str() == model && one.key.is_whole()
        })
        .unwrap_or_else(|| panic!("no {metric:?} of {model}"))
}

/// Metrics, where the reference has them, and where it has their standard errors.
const ROWS: [(Metric, &str, Option<&str>); 11] = [
    (Metric::Citl, "/citl", Some("/se_citl")),
    (Metric::CalibrationSlope, "/slope", Some("/se_slope")),
    (
        Metric::JointIntercept,
        "/intercept_joint",
        Some("/se_intercept_joint"),
    ),
    (Metric::CalibrationTest, "/lr_calibration_chi2_2df", None),
    (Metric::CalibrationTestP, "/lr_p", None),
    (Metric::LogLoss, "/log_loss", None),
    (Metric::SpiegelhalterZ, "/spiegelhalter_z", None),
    (Metric::SpiegelhalterP, "/spiegelhalter_p", None),
    (Metric::Ici, "/ici_logistic", None),
    (Metric::Brier, "/brier", None),
    (Metric::ScaledBrier, "/brier_scaled", None),
];

#[test]
fn each_site_releases_the_reference_calibration() {
    let releases = heart::releases(&heart::protocol(), &path::open_data());
    for (site, release) in SITES.iter().zip(&releases) {
        for model in ["p_a", "p_b"] {
            let value = expected(&format!("cal.heart.{site}.{model}"));
            for (metric, at, error) in &ROWS {
                let one = estimate(release, *metric, model);
                let what = format!("{site} {model} {metric:?}");
                close(&what, exact(one.value), number(&value, at), 1e-7);
                if let Some(error) = error {
                    let variance: f64 = exact(one.variance);
                    close(&what, variance.sqrt(), number(&value, error), 1e-7);
                }
            }
        }
        let value = expected(&format!("ece.heart.{site}.p_a"));
        for (metric, at) in over_bins() {
            let one = estimate(release, metric, "p_a");
            close(site, exact(one.value), number(&value, at), 1e-9);
        }
    }
}

fn over_bins() -> [(Metric, &'static str); 7] {
    [
        (Metric::Ece, "/ece"),
        (Metric::Mce, "/mce"),
        (Metric::BrierReliability, "/reliability"),
        (Metric::BrierResolution, "/resolution"),
        (Metric::BrierUncertainty, "/uncertainty"),
        (Metric::BrierWithinVariance, "/within_bin_variance"),
        (Metric::BrierWithinCovariance, "/within_bin_covariance"),
    ]
}

#[test]
fn slopes_pool_to_the_reference() {
    let protocol = heart::four_external("p_a");
    let study = path::pooled(&protocol, &heart::releases(&protocol, &path::open_data()));
    let (found, pool) = analysis(&study, Metric::CalibrationSlope, "p_a");
    let value = expected("meta.heart.cal_slope");
    for (place, row) in found.sites.iter().enumerate() {
        let at = |key: &str| number(&value, &format!("/{key}/{place}"));
        close("yi", row.yi.unwrap(), at("yi"), 1e-9);
        // R's `glm` takes its variance one iterate before the last.
        close("vi", row.vi.unwrap(), at("vi"), 1e-7);
        close(
            "weight",
            row.weight.unwrap(),
            at("weights_percent_REML"),
            1e-6,
        );
    }
    let fit = &value["REML_hksj_adhoc"];
    close("mean", pool.mu, number(fit, "/estimate"), 1e-7);
    close("se", pool.se, number(fit, "/se"), 1e-7);
    close("tau2", pool.tau2, number(fit, "/tau2"), 1e-6);
    close("low", pool.low, number(fit, "/ci95/0"), 1e-7);
    close("high", pool.high, number(fit, "/ci95/1"), 1e-7);
    let [low, high] = pool.prediction.unwrap();
    close("prediction", low, number(fit, "/pi95_t_kminus2/0"), 1e-6);
    close("prediction", high, number(fit, "/pi95_t_kminus2/1"), 1e-6);
}

#[test]
fn merged_bins_are_those_of_all_rows() {
    let protocol = heart::four_external("p_a");
    let study = path::pooled(&protocol, &heart::releases(&protocol, &path::open_data()));
    let curve = study
        .calibration
        .iter()
        .find(|curve| curve.model.as_str() == "p_a" && curve.site.is_none())
        .unwrap();
    let value = expected("ece.heart.pooled.p_a");
    assert_eq!(curve.n as f64, number(&value, "/n"));
    for (what, got, at) in [
        ("ECE", curve.ece, "/ece"),
        ("MCE", curve.mce, "/mce"),
        ("Brier", curve.brier, "/brier"),
        ("reliability", curve.reliability, "/reliability"),
        ("resolution", curve.resolution, "/resolution"),
        ("uncertainty", curve.uncertainty, "/uncertainty"),
        (
            "variance within",
            curve.within_variance,
            "/within_bin_variance",
        ),
        (
            "covariance within",
            curve.within_covariance,
            "/within_bin_covariance",
        ),
    ] {
        close(what, got, number(&value, at), 1e-9);
    }
    // The curve follows the merged patients: near its middle it stays within the tenths' reach.
    assert_eq!(curve.knots, 4);
    for bin in curve.tenths.iter().filter(|bin| bin.n > 50) {
        let nearest = curve.points.iter().min_by(|a, b| {
            let far = |x: f64| (x - bin.predicted).abs();
            far(a.predicted).total_cmp(&far(b.predicted))
        });
        let point = nearest.unwrap();
        assert!(point.low.unwrap() <= point.observed && point.observed <= point.high.unwrap());
        assert!(bin.low.unwrap() - 0.05 <= point.observed);
        assert!(point.observed <= bin.high.unwrap() + 0.05);
    }
}

#[test]
fn sampling_by_outcome_leaves_only_the_slope() {
    let mut protocol = heart::protocol();
    protocol.sampling.design = SamplingDesign::OutcomeDependent;
    let open = heart::releases(&protocol, &path::open_data());
    let plain = heart::releases(&heart::protocol(), &path::open_data());
    for (release, plain) in open.iter().zip(&plain) {
        for one in estimates(release).filter(|one| one.key.metric.entry().help != "auc") {
            let forbidden = Cell::NotComputed {
                reason: Undefined::DesignForbids,
            };
            let slope = estimates(plain).find(|other| other.key == one.key).unwrap();
            match one.key.metric {
                Metric::CalibrationSlope | Metric::ClippedShare => {
                    assert_eq!(one.value, slope.value);
                }
                Metric::Citl
                | Metric::JointIntercept
                | Metric::CalibrationTest
                | Metric::LogLoss
                | Metric::SpiegelhalterZ
                | Metric::Ece
                | Metric::Ici
                | Metric::Brier
                | Metric::ScaledBrier => {
                    assert_eq!(one.value, forbidden, "{:?}", one.key);
                }
                _ => {}
            }
        }
    }
}

#[test]
fn under_standard_bins_and_order_statistics_stay() {
    let releases = heart::releases(&heart::protocol(), &path::standard());
    let not_in_policy = Cell::NotComputed {
        reason: Undefined::NotInPolicy,
    };
    for release in &releases {
        let bins = find(release, |one| one.calibration_bins().cloned()).unwrap();
        assert!(bins.grid.is_empty() && bins.tenths.is_empty());
        for metric in [
            Metric::Mce,
            Metric::E50,
            Metric::E90,
            Metric::BrierUncertainty,
            Metric::BrierResolution,
        ] {
            assert_eq!(estimate(release, metric, "p_b").value, not_in_policy);
        }
        let slope = estimate(release, Metric::CalibrationSlope, "p_b");
        assert!(
            matches!(slope.value, Cell::Rounded { .. }),
            "{:?}",
            slope.value
        );
    }
    let study = path::pooled(&heart::protocol(), &releases);
    assert!(study.calibration.is_empty());
}

/// Men and women of a site have their own slope, the same as over their rows alone.
#[test]
fn levels_have_their_own_slope() {
    let protocol = heart::four_external("p_a");
    let releases = heart::releases(&protocol, &path::open_data());
    let mut seen = 0;
    for release in &releases {
        for one in estimates(release).filter(|one| one.key.axis.is_some()) {
            if one.key.metric == Metric::CalibrationSlope && one.value.exact().is_some() {
                let (low, high) = (exact(one.low), exact(one.high));
                assert!(low < exact(one.value) && exact(one.value) < high);
                assert!(exact(one.events) < exact(one.n));
                seen += 1;
            }
        }
    }
    assert!(seen >= 8, "{seen}");
    let number_of = |value: &Value| value.as_f64().unwrap();
    let men = expected("cal.heart.sex.male");
    let total: f64 = releases
        .iter()
        .flat_map(estimates)
        .filter(|one| {
            one.key.metric == Metric::ObservedExpected && one.key.level.as_deref() == Some("male")
        })
        .map(|one| exact(one.n) as f64)
        .sum();
    assert_eq!(total, number_of(&men["n"]));
}
