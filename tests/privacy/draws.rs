//! The noise itself: draws against the exact probabilities of their distributions, their low bits,
//! and the loss that they allow, measured on two tables that differ by one patient.

use harness::random::{self, Draw, Row};
use node::noise::Noise;
use shared::disclosure::Policy;
use shared::disclosure::noise::{Amount, Counted, Mechanism, NoisePlan, NoiseStamp, Noisy, Scale};
use shared::disclosure::policy::STANDARD;
use shared::identity::{Entropy, NoEntropy};
use shared::study::StudyProtocol;

use crate::is_long;

/// The same bits every time, so that a test that holds holds again.
struct Seeded(Draw);

impl Entropy for Seeded {
    fn fill(&mut self, bytes: &mut [u8]) -> Result<(), NoEntropy> {
        for part in bytes.chunks_mut(8) {
            let word = self.0.next().to_le_bytes();
            part.copy_from_slice(&word[..part.len()]);
        }
        Ok(())
    }
}

fn stamp(mechanism: Mechanism, numer: u64, denom: u64) -> NoiseStamp {
    NoiseStamp {
        mechanism,
        epsilon: Amount::ONE,
        delta: None,
        scale: Scale::of(numer, denom).unwrap(),
        rows_per_patient: 1,
        blocks: 32,
    }
}

/// Unscaled weight of a number.
fn weight(stamp: &NoiseStamp, x: i64) -> f64 {
    let (x, scale) = (x as f64, stamp.scale.to_f64());
    match stamp.mechanism {
        Mechanism::DiscreteLaplace => (-x.abs() / scale).exp(),
        Mechanism::DiscreteGaussian => (-x * x / (2.0 * scale * scale)).exp(),
    }
}

/// Exact probabilities from `-FAR` to `FAR`, beyond which there is nothing.
const FAR: i64 = 2000;

fn probabilities(stamp: &NoiseStamp) -> Vec<f64> {
    let all: Vec<f64> = (-FAR..=FAR).map(|x| weight(stamp, x)).collect();
    let sum: f64 = all.iter().sum();
    all.into_iter().map(|one| one / sum).collect()
}

/// Chi-squared of counts against expected counts, cells of fewer than 10 expected put together;
/// and the degrees of freedom.
fn chi_squared(counts: &[f64], expected: &[f64]) -> (f64, f64) {
    let (mut statistic, mut cells, mut rest) = (0.0, 0.0, (0.0, 0.0));
    for (count, expected) in counts.iter().zip(expected) {
        if *expected < 10.0 {
            rest = (rest.0 + count, rest.1 + expected);
        } else {
            statistic += (count - expected).powi(2) / expected;
            cells += 1.0;
        }
    }
    if rest.1 > 1.0 {
        statistic += (rest.0 - rest.1).powi(2) / rest.1;
        cells += 1.0;
    }
    (statistic, cells - 1.0)
}

fn assert_fits(counts: &[f64], expected: &[f64], what: &str) {
    let (statistic, freedom) = chi_squared(counts, expected);
    // Four standard deviations; for few degrees of freedom as much again.
    let limit = freedom + 4.0 * (2.0 * freedom).sqrt() + 8.0;
    assert!(
        statistic < limit,
        "{what}: {statistic} with {freedom} degrees of freedom"
    );
}

/// Draws follow the exact probabilities, in every place, cumulatively, in their low bits, and one
/// after the other. The long form draws ten million.
#[test]
fn draws_have_the_exact_distribution() {
    let draws = if is_long() { 10_000_000 } else { 120_000 };
    let cases = [
        (Mechanism::DiscreteLaplace, 1, 1),
        (Mechanism::DiscreteLaplace, 20, 3),
        (Mechanism::DiscreteLaplace, 2, 5),
        (Mechanism::DiscreteGaussian, 3, 1),
        (Mechanism::DiscreteGaussian, 7451, 1024),
    ];
    std::thread::scope(|scope| {
        for (seed, (mechanism, numer, denom)) in (11..).zip(cases) {
            scope.spawn(move || {
                let stamp = stamp(mechanism, numer, denom);
                let mut noise = Noise::new(&stamp, Seeded(Draw(seed))).unwrap();
                let drawn: Vec<i64> = (0..draws).map(|_| noise.draw().unwrap()).collect();
                compare(&stamp, &drawn);
            });
        }
    });
}

fn compare(stamp: &NoiseStamp, drawn: &[i64]) {
    let what = format!("{} {}", stamp.mechanism.as_str(), stamp.scale);
    let n = drawn.len() as f64;
    let exact = probabilities(stamp);
    let expected: Vec<f64> = exact.iter().map(|one| n * one).collect();
    let mut counts = vec![0.0; exact.len()];
    drawn.iter().for_each(|x| counts[(x + FAR) as usize] += 1.0);
    assert_fits(&counts, &expected, &what);
    // Kolmogorov and Smirnov: for a discrete law the usual bound is on the safe side.
    let (mut seen, mut all, mut apart) = (0.0, 0.0, 0.0_f64);
    for (count, expected) in counts.iter().zip(&expected) {
        seen += count;
        all += expected;
        apart = apart.max((seen - all).abs() / n);
    }
    assert!(apart * n.sqrt() < 1.95, "{what}: {apart}");
    // Variance and mean absolute value are those that releases and reports name.
    let spread = stamp.spread();
    let square = drawn.iter().map(|x| (x * x) as f64).sum::<f64>() / n;
    let absolute = drawn.iter().map(|x| x.unsigned_abs() as f64).sum::<f64>() / n;
    assert!(
        (square / spread.variance - 1.0).abs() < 30.0 / n.sqrt(),
        "{what}: {square}"
    );
    assert!(
        (absolute / spread.absolute - 1.0).abs() < 15.0 / n.sqrt(),
        "{what}: {absolute}"
    );
    // Low bits of the number as the machine holds it.
    for bits in [1, 2, 3] {
        let groups = 1_i64 << bits;
        let group = |x: i64| x.rem_euclid(groups) as usize;
        let (mut counts, mut expected) = (vec![0.0; groups as usize], vec![0.0; groups as usize]);
        drawn.iter().for_each(|x| counts[group(*x)] += 1.0);
        for (x, share) in (-FAR..).zip(&exact) {
            expected[group(x)] += n * share;
        }
        assert_fits(&counts, &expected, &format!("{what}, low {bits} bits"));
    }
    // Each draw is independent of the one before: both below, at and above zero.
    let sign = |x: i64| x.signum() as usize % 3;
    let sign = |x: i64| if x < 0 { 2 } else { sign(x) };
    let mut single = [0.0; 3];
    for (x, share) in (-FAR..).zip(&exact) {
        single[sign(x)] += share;
    }
    let (mut counts, mut expected) = (vec![0.0; 9], vec![0.0; 9]);
    for pair in drawn.chunks_exact(2) {
        counts[3 * sign(pair[0]) + sign(pair[1])] += 1.0;
    }
    for (place, expected) in expected.iter_mut().enumerate() {
        *expected = (drawn.len() / 2) as f64 * single[place / 3] * single[place % 3];
    }
    assert_fits(&counts, &expected, &format!("{what}, pairs"));
}

fn rows(with: bool) -> Vec<Row> {
    let each = (0..40_u32).map(|place| {
        let event = place % 2 == 0;
        let score = if event { 0.8 } else { 0.2 };
        Row {
            patient: place,
            outcome: Some(event),
            score: [Some(score); 2],
            level: vec![0],
            number: Some(50.0),
        }
    });
    each.take(if with { 40 } else { 39 }).collect()
}

fn plan(epsilon: &str) -> NoisePlan {
    let text = format!(
        "{STANDARD}\n[differential_privacy]\nmechanism = \"discrete-laplace\"\n\
         epsilon_per_release = \"{epsilon}\"\nblocks = 2\n"
    );
    Policy::parse(&text).unwrap().noise().unwrap().clone()
}

fn protocol() -> StudyProtocol {
    let mut protocol = random::protocol(&[1], &[]);
    protocol.histogram.edges = vec![0.5];
    protocol
}

/// Releases of a table by the program's own counts and noise, and how often the counts that one
/// patient changes lie at or below each limit: the likeliest way to tell that patient's presence.
fn below(protocol: &StudyProtocol, with: bool, runs: usize, seed: u64) -> Vec<f64> {
    let cases = random::cases(protocol, &rows(with));
    let plan = plan("1");
    let mut counts = vec![0.0; 81];
    let mut noise = None;
    for _ in 0..runs {
        let counted = Counted::measure(protocol, &cases, &plan).unwrap();
        let noise =
            noise.get_or_insert_with(|| Noise::new(counted.stamp(), Seeded(Draw(seed))).unwrap());
        let noisy: Noisy = counted.with_noise(|| noise.draw()).unwrap();
        let noisy: serde_json::Value = serde_json::from_slice(&noisy.bytes().unwrap()).unwrap();
        // The patient who may be absent has no event and a low score, by both models.
        let changed = |model: usize| {
            noisy["histograms"][model]["non_events"][0]
                .as_i64()
                .unwrap()
        };
        let largest = changed(0).max(changed(1));
        for (limit, count) in (-20..).zip(counts.iter_mut()) {
            *count += f64::from(u8::from(largest <= limit));
        }
    }
    counts
}

/// On two tables that differ by one patient, no answer is more than exp(epsilon) times as likely
/// on the one as on the other; and the bound is reached, so that the test would see a smaller
/// noise. The long form makes a million releases of each.
#[test]
fn one_patient_changes_no_answer_by_more_than_epsilon_says() {
    let runs = if is_long() { 1_000_000 } else { 15_000 };
    let protocol = protocol();
    let [with, without] = std::thread::scope(|scope| {
        [(true, 3), (false, 4)]
            .map(|(with, seed)| {
                let protocol = &protocol;
                scope.spawn(move || below(protocol, with, runs, seed))
            })
            .map(|one| one.join().unwrap())
    });
    let mut most = 0.0_f64;
    for (with, without) in with.iter().zip(&without) {
        if *with < 200.0 {
            continue;
        }
        let ratio = (without / with).ln();
        // Three standard errors of the logarithm of a ratio of shares.
        let error = 3.0 * (1.0 / with + 1.0 / without).sqrt();
        assert!(ratio - error < 1.0, "{ratio} with error {error}");
        most = most.max(ratio);
    }
    assert!(most > 0.9, "far more noise than epsilon asks for: {most}");
}

/// Several rows of a patient move the counts by no more than the policy's number of them.
#[test]
fn further_rows_of_a_patient_are_not_counted() {
    let protocol = protocol();
    let counts = |repeat: usize, most: u32| -> serde_json::Value {
        let mut table = rows(true);
        for _ in 0..repeat {
            table.push(table[0].clone());
        }
        let plan = NoisePlan {
            rows_per_patient: most,
            ..plan("1")
        };
        let cases = random::cases(&protocol, &table);
        let counted = Counted::measure(&protocol, &cases, &plan).unwrap();
        let plain = counted.with_noise(|| Ok::<i64, ()>(0)).unwrap();
        let plain: serde_json::Value = serde_json::from_slice(&plain.bytes().unwrap()).unwrap();
        plain["histograms"][0]["events"].clone()
    };
    assert_eq!(counts(0, 1), serde_json::json!([0, 20]));
    assert_eq!(counts(9, 1), serde_json::json!([0, 20]));
    assert_eq!(counts(9, 3), serde_json::json!([0, 22]));
    assert_eq!(counts(1, 3), serde_json::json!([0, 21]));
}
