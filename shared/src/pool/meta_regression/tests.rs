use super::*;

fn sites(k: usize) -> (Vec<f64>, Vec<f64>, Vec<f64>) {
    let x: Vec<f64> = (0..k).map(|i| 2000.0 + i as f64).collect();
    let y = (0..k).map(|i| 0.5 + 0.1 * i as f64 + 0.3 * libm::sin(i as f64 * 2.3));
    let v = (0..k).map(|i| 0.02 + 0.01 * (i % 3) as f64);
    (y.collect(), v.collect(), x)
}

#[test]
fn calendar_years_keep_their_digits() {
    let (y, v, x) = sites(12);
    let shifted: Vec<f64> = x.iter().map(|x| x - 2000.0).collect();
    let a = regress(&y, &v, &[&x], 0.95, Inference::HksjGuarded).unwrap();
    let b = regress(&y, &v, &[&shifted], 0.95, Inference::HksjGuarded).unwrap();
    assert!((a.coefficients[1].estimate - b.coefficients[1].estimate).abs() < 1e-11);
    assert!((a.moderators.p - b.moderators.p).abs() < 1e-11);
    assert!((a.tau2 - b.tau2).abs() < 1e-10);
    assert_eq!(a.moderators.df2, Some(10));
    let reach = a.coefficients[1].interval.unwrap();
    assert!(reach.contains(a.coefficients[1].estimate) && reach.lower > 0.0);
}

#[test]
fn few_sites_and_constant_moderators_have_a_status() {
    let (y, v, x) = sites(9);
    assert_eq!(
        regress(&y, &v, &[&x], 0.95, Inference::Hksj),
        Err(RegressionFault::TooFewSites { sites: 9 })
    );
    let (y, v, x) = sites(12);
    let fit = |moderators: &[&[f64]]| regress(&y, &v, moderators, 0.95, Inference::Hksj);
    assert_eq!(fit(&[&[7.0; 12]]), Err(RegressionFault::Collinear));
    let twice: Vec<f64> = x.iter().map(|x| 2.0 * x + 1.0).collect();
    assert_eq!(fit(&[&x, &twice]), Err(RegressionFault::Collinear));
    assert_eq!(fit(&[]), Err(RegressionFault::Shape));
    assert_eq!(fit(&[&x[1..]]), Err(RegressionFault::Shape));
}
