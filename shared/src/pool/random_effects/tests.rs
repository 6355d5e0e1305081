use proptest::prelude::*;

use super::*;

fn close(got: f64, expected: f64, tolerance: f64) {
    assert!(
        (got - expected).abs() <= tolerance * expected.abs() + 1e-12,
        "{got} is not {expected}"
    );
}

#[test]
fn homogeneous_sites_are_not_narrower_than_the_fixed_effect() {
    let fit = RandomEffects::fit(
        &[0.50, 0.52, 0.49, 0.51, 0.505],
        &[0.04, 0.05, 0.03, 0.06, 0.02],
        0.95,
    )
    .unwrap();
    assert_eq!((fit.tau2, fit.i2, fit.h2), (0.0, 0.0, 1.0));
    close(fit.mean.standard_error, fit.fixed.standard_error, 1e-14);
    assert!(fit.mean_unguarded.standard_error < fit.fixed.standard_error / 10.0);
    assert_eq!(
        fit.tau2_interval,
        Some(Interval {
            lower: 0.0,
            upper: 0.0
        })
    );
}

#[test]
fn equal_variances_make_every_estimator_agree() {
    let (y, v) = ([0.1, 0.4, 0.9, -0.2, 0.7, 0.3], [0.05; 6]);
    let reml = RandomEffects::fit(&y, &v, 0.95).unwrap();
    let dl = RandomEffects::fit_with(&y, &v, 0.95, Method::DerSimonianLaird).unwrap();
    close(reml.tau2, 0.163 / 1.5, 1e-13);
    close(dl.tau2, reml.tau2, 1e-13);
    close(reml.weights_percent.iter().sum(), 100.0, 1e-14);
}

#[test]
fn two_sites_have_no_prespecified_prediction_interval() {
    let fit = RandomEffects::fit(&[1.2, 2.4], &[0.02, 0.03], 0.95).unwrap();
    assert_eq!(fit.prediction, None);
    assert!(fit.prediction_t_k_minus_1.is_some());
    assert!(fit.leave_one_out.is_empty());
    assert!(fit.mean.interval.unwrap().lower < -5.0);
}

#[test]
fn identical_sites_have_a_mean_and_a_guarded_interval_only() {
    let fit = RandomEffects::fit(&[0.7; 3], &[0.1, 0.2, 0.3], 0.95).unwrap();
    assert_eq!((fit.tau2, fit.q.statistic), (0.0, 0.0));
    assert_eq!(fit.mean_unguarded.interval, None);
    assert!(fit.mean.interval.unwrap().contains(0.7));
}

#[test]
fn what_cannot_be_pooled_is_an_error() {
    let fit = |y: &[f64], v: &[f64]| RandomEffects::fit(y, v, 0.95).map(|f| f.k);
    assert_eq!(fit(&[], &[]), Err(PoolFault::NoSite));
    assert_eq!(fit(&[1.0], &[0.1]), Err(PoolFault::SingleSite));
    assert_eq!(fit(&[1.0, 2.0], &[0.1]), Err(PoolFault::Length));
    assert_eq!(
        fit(&[1.0, f64::INFINITY], &[0.1, 0.1]),
        Err(PoolFault::NotEstimable(1))
    );
    assert_eq!(
        fit(&[1.0, 2.0], &[0.0, 0.1]),
        Err(PoolFault::NotEstimable(0))
    );
    for level in [0.0, 1.0, f64::NAN, 0.99999] {
        assert_eq!(
            RandomEffects::fit(&[1.0, 2.0], &[0.1, 0.1], level),
            Err(PoolFault::Level)
        );
    }
}

/// A diagnostic, and its values at seven sites.
type Column = (fn(&Influence) -> f64, [f64; 7]);

/// The columns of metafor's `influence` that are compared.
const DIAGNOSTICS: [Column; 7] = [
    (
        |one| one.studentised,
        [
            0.675791017924,
            1.18569458909,
            -1.21670405407,
            -1.6138927727,
            1.27914659523,
            -0.0407551288969,
            -0.42000830575,
        ],
    ),
    (
        |one| one.dffits,
        [
            0.372801535993,
            0.494840318476,
            -0.298191413537,
            -0.658682684951,
            0.232005015335,
            0.0279657093608,
            -0.131636763351,
        ],
    ),
    (
        |one| one.cooks_distance,
        [
            0.172896161267,
            0.220181923076,
            0.0845880477139,
            0.312034078759,
            0.0484840083796,
            0.00132099922258,
            0.0202334220615,
        ],
    ),
    (
        |one| one.covariance_ratio,
        [
            1.51605285932,
            1.05649482594,
            0.938060705848,
            0.665650436486,
            0.936787207817,
            1.83586761688,
            1.42079031751,
        ],
    ),
    (
        |one| one.q,
        [
            9.15043975374,
            8.02576112412,
            8.29459459459,
            6.82046317388,
            8.46,
            10.2879310345,
            9.96862745098,
        ],
    ),
    (
        |one| one.hat,
        [
            0.221266988721,
            0.166083446865,
            0.0578590210215,
            0.147669241042,
            0.0309599285712,
            0.265350129643,
            0.110811244136,
        ],
    ),
    (
        |one| one.dfbetas,
        [
            0.380520074954,
            0.499075442841,
            -0.308736189644,
            -0.729954711616,
            0.231132181347,
            0.0304479168088,
            -0.12712641879,
        ],
    ),
];

/// `influence(rma(yi, vi, test = "adhoc"))` and `blup(...)` of metafor 3.8-1.
#[test]
fn influence_and_shrunken_sites_equal_metafor() {
    let yi = [1.9, 2.05, 1.1, 1.3, 2.6, 1.7, 1.55];
    let vi = [0.03, 0.05, 0.2, 0.06, 0.4, 0.02, 0.09];
    let of = |law| influence(&yi, &vi, 0.95, Method::Reml, law).unwrap();
    let guarded = of(Inference::HksjGuarded);
    for (value, expected) in DIAGNOSTICS {
        for (one, expected) in guarded.iter().zip(expected) {
            close(value(one), expected, 1e-8);
        }
    }
    assert!(guarded.iter().all(|one| !one.influential));
    // Under the normal law the factor on the variance is 1.
    close(of(Inference::Normal)[3].studentised, -1.88493599889, 1e-8);
    close(of(Inference::Normal)[3].dffits, -0.769304334036, 1e-8);
    let drawn = shrunken(&yi, &vi, 0.95, Method::Reml, Inference::HksjGuarded).unwrap();
    close(drawn[2].interval.unwrap().lower, 1.15581976605, 1e-8);
    close(drawn[4].interval.unwrap().lower, 1.27656232561, 1e-8);
}

#[test]
fn one_site_far_off_is_influential_and_two_sites_have_no_diagnostics() {
    let yi = [1.0, 1.1, 0.9, 1.05, 0.95, 4.0];
    let list = influence(&yi, &[0.02; 6], 0.95, Method::Reml, Inference::HksjGuarded).unwrap();
    assert!(list[5].influential && !list[0].influential);
    assert!(list[5].studentised > 10.0);
    let two = influence(&yi[..2], &[0.02; 2], 0.95, Method::Reml, Inference::Hksj);
    assert_eq!(two, Ok(Vec::new()));
    let step = cumulative(&yi, &[0.02; 6], 0.95, Method::Reml, Inference::Normal).unwrap();
    assert_eq!((step.len(), step[0].tau2, step[5].k), (6, None, 6));
}

#[test]
fn zero_is_not_taken_for_the_maximum_beside_a_higher_one() {
    // One site is twenty times more precise than the next: the likelihood falls from zero, and
    // rises again to its maximum near 0.58.
    let y = [1.522, 1.978, 0.0, -0.281, 1.528, 1.633, 1.554];
    let v = [1.371, 0.529, 0.167, 0.006_65, 1.534, 1.946, 1.703];
    let found = RandomEffects::fit_with(&y, &v, 0.95, Method::MaximumLikelihood).unwrap();
    assert!((0.5..0.7).contains(&found.tau2), "{}", found.tau2);
}

fn sites() -> impl Strategy<Value = (Vec<f64>, Vec<f64>)> {
    proptest::collection::vec((-3.0_f64..3.0, 0.001_f64..2.0), 2..9)
        .prop_map(|s| s.into_iter().unzip())
}

proptest! {
    #[test]
    fn order_and_origin_of_the_sites_do_not_matter((y, v) in sites(), shift in -5.0_f64..5.0) {
        let a = RandomEffects::fit(&y, &v, 0.95).unwrap();
        let (y2, v2): (Vec<f64>, Vec<f64>) =
            y.iter().rev().map(|y| y + shift).zip(v.iter().rev().copied()).unzip();
        let b = RandomEffects::fit(&y2, &v2, 0.95).unwrap();
        prop_assert!((a.tau2 - b.tau2).abs() <= 1e-9 * a.tau2.max(0.01));
        prop_assert!((a.mean.estimate + shift - b.mean.estimate).abs() < 1e-9);
        prop_assert!((a.mean.standard_error - b.mean.standard_error).abs() < 1e-9);
    }

    #[test]
    fn nothing_is_nan_and_intervals_are_ordered((y, v) in sites()) {
        let f = RandomEffects::fit(&y, &v, 0.95).unwrap();
        prop_assert!(f.tau2 >= 0.0 && (0.0..100.0).contains(&f.i2) && f.h2 >= 1.0);
        prop_assert!(f.mean.standard_error >= f.mean_normal.standard_error * (1.0 - 1e-12));
        prop_assert!(f.mean.interval.unwrap().contains(f.mean.estimate));
        let t = f.tau2_interval.unwrap();
        prop_assert!(t.lower >= 0.0 && t.lower <= t.upper);
        prop_assert_eq!(f.prediction.is_some(), f.k > 2);
        prop_assert_eq!(f.leave_one_out.len(), if f.k > 2 { f.k } else { 0 });
    }

    #[test]
    fn any_magnitude_gives_numbers_or_a_fault(
        sites in proptest::collection::vec((-300_i32..300, -300_i32..300, -9.0_f64..9.0), 2..6),
    ) {
        let y: Vec<f64> = sites.iter().map(|s| s.2 * libm::exp10(f64::from(s.0))).collect();
        let v: Vec<f64> = sites.iter().map(|s| libm::exp10(f64::from(s.1))).collect();
        if let Ok(f) = RandomEffects::fit(&y, &v, 0.95) {
            let numbers = [f.tau2, f.i2, f.h2, f.q.statistic, f.q.p, f.mean.estimate, f.mean.standard_error];
            prop_assert!(numbers.iter().chain(&f.weights_percent).all(|x| x.is_finite()), "{f:?}");
        }
    }

    #[test]
    fn every_estimator_gives_numbers_and_two_of_them_are_one((y, v) in sites()) {
        for method in Method::ALL {
            let f = RandomEffects::fit_with(&y, &v, 0.95, method).unwrap();
            prop_assert!(f.tau2 >= 0.0 && f.tau2.is_finite());
            prop_assert!((0.0..=100.0).contains(&f.i2) && f.h2.is_finite());
            prop_assert!(f.mean.interval.unwrap().contains(f.mean.estimate));
        }
        let tau2 = |method| RandomEffects::fit_with(&y, &v, 0.95, method).unwrap().tau2;
        prop_assert_eq!(tau2(Method::PauleMandel), tau2(Method::EmpiricalBayes));
        prop_assert_eq!(tau2(Method::Fixed), 0.0);
        // The maximum of the full likelihood, on a grid around it.
        let likelihood = |t: f64| {
            let w: Vec<f64> = v.iter().map(|v| 1.0 / (v + t)).collect();
            let mu = w.iter().zip(&y).map(|(w, y)| w * y).sum::<f64>() / w.iter().sum::<f64>();
            w.iter().zip(&y).map(|(w, y)| libm::log(*w) - w * (y - mu) * (y - mu)).sum::<f64>()
        };
        let top = tau2(Method::MaximumLikelihood);
        for other in [top * 0.99, top * 1.01, top + 0.01] {
            prop_assert!(likelihood(top) >= likelihood(other) - 1e-9);
        }
    }

    #[test]
    fn tau2_is_a_stationary_point_or_zero((y, v) in sites()) {
        let tau2 = RandomEffects::fit(&y, &v, 0.95).unwrap().tau2;
        // The restricted likelihood's derivative, written out afresh.
        let w: Vec<f64> = v.iter().map(|v| 1.0 / (v + tau2)).collect();
        let s = w.iter().sum::<f64>();
        let mu = w.iter().zip(&y).map(|(w, y)| w * y).sum::<f64>() / s;
        let quadratic = w.iter().zip(&y).map(|(w, y)| w * w * (y - mu) * (y - mu)).sum::<f64>();
        let trace = s - w.iter().map(|w| w * w).sum::<f64>() / s;
        if tau2 > 0.0 {
            prop_assert!((quadratic - trace).abs() <= 1e-8 * trace);
        }
    }
}
