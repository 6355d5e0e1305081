//! What noise costs: the pooled AUC of hospitals that add noise to their counts, against the one of
//! the same counts without, by the product's own sampler and estimator. The table stands in
//! `docs/explanation/noise.md`, beside what `fedval study noise` expects.
//!
//! From: `harness::random`, `node::noise`.
//! To: `docs/explanation/noise.md`.

use harness::random::{self, Draw};
use node::noise::Noise;
use shared::disclosure::Policy;
use shared::disclosure::noise::{Counted, Noisy, NoisyHistogram, groups};
use shared::disclosure::policy::STANDARD;
use shared::identity::{Entropy, NoEntropy};
use shared::numeric::noise::{Classes, Estimate};
use shared::numeric::planning::noise::{Hospitals, mean_absolute};

use crate::{SITES, checked, hospital, study};

const ROUNDS: usize = 60;

struct Seeded(Draw);

impl Entropy for Seeded {
    fn fill(&mut self, bytes: &mut [u8]) -> Result<(), NoEntropy> {
        for part in bytes.chunks_mut(8) {
            part.copy_from_slice(&self.0.next().to_le_bytes()[..part.len()]);
        }
        Ok(())
    }
}

/// Patients of each hospital, share of events in percent, blocks, epsilon.
const LINES: [(usize, u32, u32, &str); 10] = [
    (100, 15, 64, "1"),
    (300, 15, 64, "1"),
    (300, 15, 16, "1"),
    (1000, 15, 64, "1"),
    (1000, 15, 16, "1"),
    (1000, 15, 16, "0.25"),
    (1000, 5, 64, "1"),
    (1000, 5, 16, "1"),
    (5000, 5, 64, "1"),
    (5000, 5, 16, "1"),
];

fn histograms(noisy: &Noisy) -> Vec<NoisyHistogram> {
    let text: serde_json::Value = serde_json::from_slice(&noisy.bytes().unwrap()).unwrap();
    serde_json::from_value(text["histograms"].clone()).unwrap()
}

fn add(sum: &mut Classes, one: &NoisyHistogram, variance: f64) {
    let float = |counts: &[i64]| {
        counts
            .iter()
            .map(|count| *count as f64)
            .collect::<Vec<f64>>()
    };
    let both = [
        (&mut sum.events, float(&one.events)),
        (&mut sum.non_events, float(&one.non_events)),
    ];
    for (all, own) in both {
        all.resize(own.len(), 0.0);
        all.iter_mut().zip(own).for_each(|(all, own)| *all += own);
    }
    sum.variance += variance;
}

fn empty() -> Classes {
    Classes {
        events: Vec::new(),
        non_events: Vec::new(),
        variance: 0.0,
    }
}

/// One line: what is expected, and what five hospitals with noise show.
struct Line {
    text: String,
    expected: Option<f64>,
    errors: Vec<f64>,
    covered: usize,
}

fn line((size, percent, blocks, epsilon): (usize, u32, u32, &str)) -> Line {
    let prevalence = f64::from(percent) / 100.0;
    let mut protocol = study(prevalence);
    // One model, so that a patient stands in one count; and a grid of 64 parts where scores are.
    protocol.model.truncate(1);
    protocol.threshold.clear();
    let edge = |place: i32| 1.0 / (1.0 + (f64::from(32 - place) / 4.0).exp());
    protocol.histogram.edges = (1..64).map(edge).collect();
    let text = format!(
        "{STANDARD}\n[differential_privacy]\nmechanism = \"discrete-laplace\"\n\
         epsilon_per_release = \"{epsilon}\"\nblocks = {blocks}\n"
    );
    let plan = Policy::parse(&text).unwrap().noise().unwrap().clone();
    let stamp = plan.stamp(1).unwrap();
    let spread = stamp.spread();
    let mut noise = Noise::new(&stamp, Seeded(Draw(size as u64))).unwrap();
    let (mut errors, mut covered) = (Vec::new(), 0);
    for round in 0..ROUNDS {
        let mut draw = Draw(round as u64 * 7919 + size as u64);
        let (mut exact, mut noisy) = (empty(), empty());
        for _ in 0..SITES {
            let cases = random::cases(&protocol, &hospital(&mut draw, size, prevalence));
            let count = || Counted::measure(&protocol, &cases, &plan).unwrap();
            let plain = count().with_noise(|| Ok::<i64, ()>(0)).unwrap();
            add(&mut exact, &histograms(&plain)[0], 0.0);
            let drawn = count().with_noise(|| noise.draw()).unwrap();
            add(&mut noisy, &histograms(&drawn)[0], spread.variance);
        }
        let truth = exact.area().unwrap().value;
        if let Some(area) = noisy.area() {
            errors.push((area.value - truth).abs());
            // Of the area of these very counts the noise alone is uncertain.
            covered += usize::from((area.value - truth).abs() < 1.959_964 * area.noise.sqrt());
        }
    }
    let ends = groups(&protocol, blocks);
    let edges: Vec<f64> = ends
        .iter()
        .filter_map(|end| protocol.histogram.edges.get(*end as usize).copied())
        .collect();
    let guess = Hospitals {
        sites: SITES as f64,
        patients: size as f64,
        prevalence,
        auc: 0.85,
    };
    let expected = guess.expected(&edges, spread).unwrap();
    let error = |one: Estimate| mean_absolute(one.noise);
    let shown = |found: Option<Estimate>| {
        found.map_or_else(
            || "not printed".to_owned(),
            |one| format!("{:.3}", error(one)),
        )
    };
    Line {
        text: format!(
            "| {size} | {percent} % | {blocks} | {epsilon} | {:.1} | {} | {} |\n",
            spread.absolute,
            shown(expected.site),
            shown(expected.merged)
        ),
        expected: expected.merged.map(error),
        errors,
        covered,
    }
}

fn lines() -> Vec<Line> {
    std::thread::scope(|scope| {
        let started: Vec<_> = LINES
            .map(|one| scope.spawn(move || line(one)))
            .into_iter()
            .collect();
        started.into_iter().map(|one| one.join().unwrap()).collect()
    })
}

/// The table of the page is the one that the program expects; and what it expects is what five
/// hospitals with the product's own noise show, within what 60 rounds can tell.
#[test]
fn the_documented_cost_of_noise_is_what_it_costs() {
    let lines = lines();
    for one in &lines {
        let shown = one.errors.len();
        let mean = one.errors.iter().sum::<f64>() / shown.max(1) as f64;
        println!(
            "{} mean {mean:.4} in {shown}, interval of the noise holds in {}",
            one.text.trim_end(),
            one.covered
        );
        let Some(expected) = one.expected else {
            assert!(4 * shown < ROUNDS, "{}", one.text);
            continue;
        };
        assert!(10 * shown > 9 * ROUNDS, "{}: {shown}", one.text);
        let ratio = mean / expected;
        assert!((0.6..1.5).contains(&ratio), "{}: {mean}", one.text);
        assert!(
            100 * one.covered > 85 * shown,
            "{}: {}",
            one.text,
            one.covered
        );
    }
    let mut text = String::from(
        "| patients | events | blocks | epsilon | each count | AUC of one hospital | AUC of all five |\n\
         |---|---|---|---|---|---|---|\n",
    );
    lines.iter().for_each(|one| text.push_str(&one.text));
    checked("../docs/explanation/noise.md", &text);
}
