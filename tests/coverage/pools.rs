//! Intervals of a pool: normal site estimates around site truths around a mean, k sites, from no
//! heterogeneity to much; and AUCs of simulated rows.
//!
//! From: laws with a known mean.
//! To: `main`.

use harness::random::Draw;
use shared::numeric::delong;
use shared::numeric::distribution::{logit, normal_sf};
use shared::pool::random_effects::RandomEffects;

use crate::law::normal;
use crate::table::Line;

/// What a site contributes.
#[derive(Clone, Copy, Debug)]
enum Source {
    /// A normal estimate whose variance is known, as the model assumes.
    Normal,
    /// The logit AUC of rows, with DeLong's variance.
    Rows,
}

/// Sites and their heterogeneity.
#[derive(Clone, Debug)]
pub struct Scenario {
    source: Source,
    k: usize,
    tau2: f64,
    pub short: bool,
    seed: u64,
}

const MEAN: f64 = 1.4;
/// Beside sampling variances of 0.02 to 0.10: none, as much as a third of them, three times them.
const TAU2: [f64; 3] = [0.0, 0.02, 0.18];

/// Every k with every heterogeneity.
pub fn scenarios() -> Vec<Scenario> {
    let mut all = Vec::new();
    for (place, k) in [4, 5, 10, 20].into_iter().enumerate() {
        for (step, tau2) in TAU2.into_iter().enumerate() {
            let seed = 200 + 10 * place as u64 + step as u64;
            all.push(Scenario {
                source: Source::Normal,
                k,
                tau2,
                short: k <= 10,
                seed,
            });
        }
    }
    for (k, seed) in [(5, 301), (10, 302)] {
        all.push(Scenario {
            source: Source::Rows,
            k,
            tau2: 0.1,
            short: false,
            seed,
        });
    }
    all
}

fn estimate(source: Source, truth: f64, draw: &mut Draw) -> Option<(f64, f64)> {
    match source {
        Source::Normal => {
            let variance = 0.02 + 0.08 * draw.unit();
            Some((truth + variance.sqrt() * normal(draw), variance))
        }
        Source::Rows => {
            let n = draw.within(80, 300);
            let separation = separation(truth);
            let outcome: Vec<bool> = (0..n).map(|_| draw.unit() < 0.3).collect();
            let score: Vec<f64> = outcome
                .iter()
                .map(|event| normal(draw) + if *event { separation } else { 0.0 })
                .collect();
            let patient: Vec<u32> = (0..n as u32).collect();
            delong::auc(&outcome, &score, &patient).ok()?.logit()
        }
    }
}

/// The distance of two normal classes whose AUC has this logit.
fn separation(logit_area: f64) -> f64 {
    let (mut low, mut high) = (-8.0, 8.0);
    for _ in 0..60 {
        let middle = (low + high) / 2.0;
        let area = normal_sf(-middle * std::f64::consts::FRAC_1_SQRT_2).unwrap();
        if logit(area).unwrap_or(40.0) < logit_area {
            low = middle;
        } else {
            high = middle;
        }
    }
    (low + high) / 2.0
}

/// The guarded mean, and both prediction intervals for a hospital that was not asked.
pub fn simulate(scenario: &Scenario, replicates: usize) -> Vec<Line> {
    let k = scenario.k;
    let source = match scenario.source {
        Source::Normal => "estimates",
        Source::Rows => "AUCs of rows",
    };
    let name = format!("pool of {k:2} {source}, tau2 {:.2}", scenario.tau2);
    let line = |quantity, promised| Line::new(&name, quantity, promised);
    let mut mean = line("mean, guarded HKSJ", true);
    let mut plain = line("mean, HKSJ without the guard", false);
    let mut classical = line("mean, normal law (for comparison)", false);
    let mut next = line("prediction, t(k-2)", false);
    let mut other = line("prediction, t(k-1)", false);
    let mut tau2 = line("tau2, Q-profile", matches!(scenario.source, Source::Normal));
    let mut draw = Draw(scenario.seed);
    for _ in 0..replicates {
        let spread = scenario.tau2.sqrt();
        let mut truth = || MEAN + spread * normal(&mut draw);
        let truths: Vec<f64> = (0..=k).map(|_| truth()).collect();
        let found: Vec<(f64, f64)> = truths[..k]
            .iter()
            .filter_map(|truth| estimate(scenario.source, *truth, &mut draw))
            .collect();
        let (yi, vi): (Vec<f64>, Vec<f64>) = found.into_iter().unzip();
        let fit = RandomEffects::fit(&yi, &vi, 0.95).unwrap();
        let ends = |interval: Option<shared::numeric::Interval>| {
            interval.map(|found| (found.lower, found.upper))
        };
        mean.enter(ends(fit.mean.interval), MEAN);
        plain.enter(ends(fit.mean_unguarded.interval), MEAN);
        classical.enter(ends(fit.mean_normal.interval), MEAN);
        next.enter(ends(fit.prediction), truths[k]);
        other.enter(ends(fit.prediction_t_k_minus_1), truths[k]);
        tau2.enter(ends(fit.tau2_interval), scenario.tau2);
    }
    vec![mean, plain, classical, next, other, tau2]
}

/// Intervals that claim 95 % and are of 80 %.
pub fn too_narrow(replicates: usize) -> Vec<Line> {
    let mut line = Line::new("too narrow", "mean of ten", true);
    let mut draw = Draw(9);
    for _ in 0..replicates {
        let yi: Vec<f64> = (0..10).map(|_| MEAN + 0.3 * normal(&mut draw)).collect();
        let fit = RandomEffects::fit(&yi, &[0.04; 10], 0.8).unwrap();
        let interval = fit.mean_normal.interval.unwrap();
        line.enter(Some((interval.lower, interval.upper)), MEAN);
    }
    vec![line]
}
