use super::*;

fn table(tp: u64, fn_: u64, fp: u64, tn: u64) -> Counts {
    Counts {
        true_positive: tp,
        false_negative: fn_,
        false_positive: fp,
        true_negative: tn,
    }
}

/// Ten sites along a common curve, with spread of their own.
fn curve() -> Vec<Counts> {
    vec![
        table(45, 5, 30, 90),
        table(38, 12, 12, 110),
        table(27, 3, 25, 55),
        table(60, 15, 20, 130),
        table(19, 6, 4, 60),
        table(70, 10, 55, 95),
        table(33, 17, 9, 141),
        table(52, 8, 28, 72),
        table(24, 6, 18, 62),
        table(80, 40, 31, 200),
    ]
}

/// `rma.mv(yi, vi, mods = ~ 0 + out, random = ~ out | id, struct = "UN", method = "REML")` of
/// metafor 3.8-1 on the same tables.
#[test]
fn the_normal_model_equals_metafor_inside_the_boundary() {
    let fit = normal(&curve()).unwrap();
    let expected = [
        1.37290628177,
        -1.52595799346,
        0.0389430587346,
        0.0345686032122,
        0.0535930699894,
        0.266477604455,
        0.46475502921,
        0.971448470322,
        -14.0889643887,
    ];
    let got = [
        fit.mean[0],
        fit.mean[1],
        fit.covariance[0][0],
        fit.covariance[0][1],
        fit.covariance[1][1],
        fit.tau2[0],
        fit.tau2[1],
        fit.rho.unwrap(),
        fit.log_likelihood,
    ];
    for (got, expected) in got.iter().zip(expected) {
        assert!(
            (got - expected).abs() <= 1e-5 * expected.abs(),
            "{got} {expected}"
        );
    }
    assert_eq!(fit.boundary, Boundary::Inside);
}

/// The likelihood by a plain sum over a grid of both logits, written out afresh.
fn dense(sites: &[Counts], mean: [f64; 2], tau2: [f64; 2], rho: f64) -> f64 {
    let sd = tau2.map(f64::sqrt);
    let step = 0.05;
    let log_p = |x: f64, n: f64, eta: f64| {
        let p = 1.0 / (1.0 + libm::exp(-eta));
        x * libm::log(p) + (n - x) * libm::log(1.0 - p)
    };
    let site = |one: &Counts| {
        let (a, b) = (one.sensitivity(), one.false_positive_rate());
        let mut total = 0.0;
        for i in -140..=140 {
            for j in -140..=140 {
                let (u, v) = (f64::from(i) * step, f64::from(j) * step);
                let w = rho * u + (1.0 - rho * rho).sqrt() * v;
                let height = log_p(a.events as f64, a.n as f64, mean[0] + sd[0] * u)
                    + log_p(b.events as f64, b.n as f64, mean[1] + sd[1] * w);
                total += libm::exp(height - (u * u + v * v) / 2.0) * step * step;
            }
        }
        libm::log(total / (2.0 * std::f64::consts::PI))
    };
    sites.iter().map(site).sum()
}

#[test]
fn the_counts_model_maximises_a_dense_likelihood() {
    let sites = curve();
    let fit = binomial(&sites).unwrap();
    assert_eq!(fit.boundary, Boundary::Inside);
    let rho = fit.rho.unwrap();
    assert!(rho < 0.99, "{rho}");
    let top = dense(&sites, fit.mean, fit.tau2, rho);
    assert!(
        (top - fit.log_likelihood).abs() < 1e-4,
        "{top} {}",
        fit.log_likelihood
    );
    for (i, shift) in [(0, 0.01), (0, -0.01), (1, 0.01), (1, -0.01)] {
        let mut mean = fit.mean;
        mean[i] += shift;
        assert!(dense(&sites, mean, fit.tau2, rho) < top);
        let mut tau2 = fit.tau2;
        tau2[i] *= 1.0 + 2.0 * shift;
        assert!(dense(&sites, fit.mean, tau2, rho) < top);
    }
    assert!(dense(&sites, fit.mean, fit.tau2, rho + 0.005) < top);
    assert!(dense(&sites, fit.mean, fit.tau2, rho - 0.005) < top);
}

#[test]
fn a_region_surrounds_its_point_and_the_prediction_is_wider() {
    let fit = binomial(&curve()).unwrap();
    let inner = fit.confidence_region(0.95, 64).unwrap();
    let outer = fit.prediction_region(0.95, 64).unwrap();
    let reach = |outline: &Outline, i: usize| {
        let values = outline.iter().map(|point| point[i]);
        (
            values.clone().fold(1.0, f64::min),
            values.fold(0.0, f64::max),
        )
    };
    for i in 0..2 {
        let ((a, b), (c, d)) = (reach(&inner, i), reach(&outer, i));
        assert!(c < a && b < d && 0.0 < c && d < 1.0);
    }
    let four = binomial(&curve()[..4]).unwrap();
    assert_eq!(four.confidence_region(0.95, 64), None);
}

#[test]
fn a_correlation_of_one_is_flagged_and_has_no_region() {
    // Sensitivity and false positive rate rise together without noise to speak of.
    let sites: Vec<Counts> = (0..6)
        .map(|i| {
            let odds = |shift: f64| 1.0 / (1.0 + libm::exp(-(f64::from(i) - 2.5 + shift)));
            let x = |p: f64| (p * 4000.0).round() as u64;
            let (s, f) = (x(odds(1.5)), x(odds(-1.5)));
            table(s, 4000 - s, f, 4000 - f)
        })
        .collect();
    for fit in [normal(&sites).unwrap(), binomial(&sites).unwrap()] {
        assert_eq!(fit.boundary, Boundary::Correlation, "{fit:?}");
        assert_eq!(fit.rho, Some(1.0));
        assert_eq!(fit.confidence_region(0.95, 32), None);
        assert_eq!(fit.prediction_region(0.95, 32), None);
        assert!(fit.covariance[0][0] > 0.0 && fit.interval(0, 0.95).is_some());
    }
}

#[test]
fn alike_sites_have_no_between_site_variance() {
    for fit in [
        normal(&[table(40, 10, 20, 80); 6]).unwrap(),
        binomial(&[table(40, 10, 20, 80); 6]).unwrap(),
    ] {
        assert_eq!((fit.boundary, fit.rho), (Boundary::Variance, None));
        assert_eq!(fit.tau2, [0.0, 0.0]);
        let se = (1.0_f64 / 240.0 + 1.0 / 60.0).sqrt();
        assert!((fit.covariance[0][0].sqrt() - se).abs() < 1e-6 * se);
        assert!((fit.mean[0] - libm::log(4.0)).abs() < 1e-7);
    }
}

#[test]
fn too_little_or_one_sided_counts_have_a_status() {
    assert_eq!(
        binomial(&[table(1, 1, 1, 1)]),
        Err(CountsFault::TooFewSites)
    );
    assert_eq!(
        normal(&[table(1, 1, 0, 0); 3]),
        Err(CountsFault::TooFewSites)
    );
    assert_eq!(
        binomial(&[table(5, 0, 1, 4); 3]),
        Err(CountsFault::OneSided)
    );
    assert_eq!(normal(&[table(2, 3, 0, 9); 3]), Err(CountsFault::OneSided));
}
