use super::*;
use crate::numeric::delong;
use crate::numeric::random::Draws;

fn close(a: f64, b: f64) {
    assert!((a - b).abs() < 1e-9 * b.abs().max(1.0), "{a} {b}");
}

#[test]
fn the_size_of_noise_is_that_of_its_distribution() {
    for scale in [0.5, 1.0, 2.0, 20.0 / 3.0] {
        let p = libm::exp(-1.0 / scale);
        let norm = (1.0 - p) / (1.0 + p);
        let sum = |power: f64| -> f64 {
            (1..2000)
                .map(|x| 2.0 * norm * libm::pow(p, f64::from(x)) * libm::pow(f64::from(x), power))
                .sum()
        };
        let spread = laplace(scale);
        close(spread.variance, sum(2.0));
        close(spread.absolute, sum(1.0));
    }
    let (below, above) = (gaussian(19.999_999_9), gaussian(20.000_000_1));
    assert!((below.variance - above.variance).abs() < 1e-4);
    assert!((below.absolute - above.absolute).abs() < 1e-2);
    // Sigma 1 over the integers has nearly variance 1 (Canonne and others, section 2).
    assert!((gaussian(1.0).variance - 1.0).abs() < 1e-6);
}

#[test]
fn without_noise_the_area_is_that_of_the_histogram() {
    let events = [1_u64, 4, 6, 20];
    let others = [30_u64, 20, 8, 2];
    let float = |counts: &[u64]| counts.iter().map(|one| *one as f64).collect::<Vec<f64>>();
    let classes = Classes {
        events: float(&events),
        non_events: float(&others),
        variance: 0.0,
    };
    let area = classes.area().unwrap();
    let exact = delong::from_histogram(&events, &others).unwrap();
    close(area.value, exact.binned.auc.unwrap());
    close(
        area.sampling,
        delong::hanley_mcneil_variance(area.value, 31, 60).unwrap(),
    );
    assert_eq!(area.noise, 0.0);
    let [sensitivity, false_alarms] = classes.shares_from(2).unwrap();
    close(sensitivity.value, 26.0 / 31.0);
    close(false_alarms.value, 10.0 / 60.0);
    let benefit = classes.net_benefit(2, 0.2).unwrap();
    close(benefit.value, (26.0 - 0.25 * 10.0) / 91.0);
}

/// A geometric number by inversion, so that differences are discrete Laplace.
fn geometric(draws: &mut Draws, scale: f64) -> f64 {
    let unit = 1.0 - draws.unit();
    libm::floor(-libm::log(unit) * scale)
}

fn drawn(expected: &[f64], draws: &mut Draws, scale: f64) -> Vec<f64> {
    let each = expected
        .iter()
        .map(|count| count + geometric(draws, scale) - geometric(draws, scale));
    each.collect()
}

/// The variance over noise is what repeated draws show, for areas, shares and net benefit, and
/// what is shown is nearly unbiased.
#[test]
fn variances_over_noise_are_those_of_repeated_draws() {
    let mut draws = Draws::new(7);
    let events = [5.0, 10.0, 20.0, 30.0, 40.0, 35.0, 15.0, 5.0];
    let others = [60.0, 150.0, 200.0, 120.0, 40.0, 20.0, 8.0, 2.0];
    let truth = Classes {
        events: events.to_vec(),
        non_events: others.to_vec(),
        variance: 0.0,
    };
    let exact = [
        truth.area().unwrap().value,
        truth.shares_from(4).unwrap()[0].value,
        truth.net_benefit(4, 0.3).unwrap().value,
    ];
    for scale in [1.0, 3.0] {
        let variance = laplace(scale).variance;
        let expected = Classes {
            variance,
            ..truth.clone()
        };
        let said = [
            expected.area().unwrap().noise,
            expected.shares_from(4).unwrap()[0].noise,
            expected.net_benefit(4, 0.3).unwrap().noise,
        ];
        let (mut first, mut second) = ([0.0; 3], [0.0; 3]);
        let rounds = 20_000;
        for _ in 0..rounds {
            let one = Classes {
                events: drawn(&events, &mut draws, scale),
                non_events: drawn(&others, &mut draws, scale),
                variance,
            };
            let values = [
                one.area().unwrap().value,
                one.shares_from(4).unwrap()[0].value,
                one.net_benefit(4, 0.3).unwrap().value,
            ];
            for place in 0..3 {
                let off = values[place] - exact[place];
                first[place] += off / f64::from(rounds);
                second[place] += off * off / f64::from(rounds);
            }
        }
        for place in 0..3 {
            let ratio = second[place] / said[place];
            assert!((0.93..1.12).contains(&ratio), "{scale} {place}: {ratio}");
            let bias = first[place].abs() / libm::sqrt(said[place]);
            assert!(bias < 0.06, "{scale} {place}: bias {bias}");
        }
    }
}

/// A 95 % interval on the logit scale, with both variances, holds the true area of the blocks in
/// about 95 of 100 samples with noise.
#[test]
fn intervals_with_both_variances_hold_the_truth() {
    let mut draws = Draws::new(31);
    let (blocks, scale) = (16_usize, 2.0);
    let block = |value: f64| -> usize {
        (0..blocks - 1)
            .filter(|edge| value >= -3.0 + 0.5 * crate::numeric::sum::count(*edge as u64))
            .count()
    };
    let mut normal = || {
        let length = libm::sqrt(-2.0 * libm::log(1.0 - draws.unit()));
        length * libm::cos(2.0 * std::f64::consts::PI * draws.unit())
    };
    let mut class = |cases: u32, shift: f64| -> Vec<f64> {
        let mut counts = vec![0.0; blocks];
        (0..cases).for_each(|_| counts[block(shift + normal())] += 1.0);
        counts
    };
    let truth = Classes {
        events: class(400_000, 1.4),
        non_events: class(400_000, 0.0),
        variance: 0.0,
    };
    let truth = truth.area().unwrap().value;
    let samples: Vec<[Vec<f64>; 2]> = (0..400)
        .map(|_| [class(150, 1.4), class(850, 0.0)])
        .collect();
    let mut noise = Draws::new(32);
    let mut held = 0;
    for [events, others] in &samples {
        let noisy = Classes {
            events: drawn(events, &mut noise, scale),
            non_events: drawn(others, &mut noise, scale),
            variance: laplace(scale).variance,
        };
        let area = noisy.area().unwrap();
        let slope = area.value * (1.0 - area.value);
        let se = libm::sqrt(area.variance()) / slope;
        let logit = |value: f64| libm::log(value / (1.0 - value));
        held += u32::from((logit(area.value) - logit(truth)).abs() <= 1.959_964 * se);
    }
    assert!((372..=396).contains(&held), "{held} of 400");
}

#[test]
fn totals_that_drown_in_noise_divide_nothing() {
    let classes = Classes {
        events: vec![3.0, 2.0, 4.0, 6.0],
        non_events: vec![100.0, 80.0, 30.0, 9.0],
        variance: 4.0,
    };
    // The noise of a total of 15 has standard deviation 4.
    assert_eq!(classes.area(), None);
    assert_eq!(classes.shares_from(1), None);
    assert_eq!(classes.net_benefit(1, 0.2), None);
    let clear = Classes {
        variance: 1.0,
        ..classes
    };
    assert!(clear.area().is_some());
    assert_eq!(clear.net_benefit(1, 1.0), None);
}
