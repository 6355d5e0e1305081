//! Intervals of one site, the way a reader gets them: rows in, released, pooled, read off the
//! site's line.
//!
//! From: `law`.
//! To: `main`.

use std::collections::BTreeMap;

use harness::path;
use harness::random::{self, Draw};
use shared::disclosure::ReceivedRelease;
use shared::study::plan::{self, StatisticKind};
use shared::study::{DecisionCurve, SiteRole, StudyProtocol, StudySite};

use crate::law::Law;
use crate::table::Line;

/// Predictions at or above these are positive.
const THRESHOLDS: [f64; 2] = [0.2, 0.5];

/// A threshold of the decision curve that few predictions lie below.
const LOW_THRESHOLD: f64 = 0.1;

/// A population, and where theory promises the nominal level.
#[derive(Clone, Debug)]
pub struct Scenario {
    pub name: &'static str,
    pub law: Law,
    /// Metrics whose coverage is described and not promised, with any reason in the help page.
    pub described: &'static [&'static str],
    pub short: bool,
    /// Whether this one is about intervals from resamples, which take their time.
    resampled: bool,
    seed: u64,
}

const AMPLE: Law = Law {
    prevalence: 0.3,
    separation: [1.2, 0.8],
    intercept: 0.0,
    slope: 1.0,
    patients: 400,
    most_rows: 1,
    alike: 0.0,
};

/// Every population, with what its size takes from the promise.
pub fn scenarios() -> Vec<Scenario> {
    let scenario = |name, law, seed| Scenario {
        name,
        law,
        described: &[],
        short: false,
        resampled: false,
        seed,
    };
    vec![
        Scenario {
            short: true,
            ..scenario("1 ample: 400 patients, 120 events", AMPLE, 101)
        },
        Scenario {
            short: true,
            ..scenario(
                "2 clustered: 200 patients, 1 to 4 rows, alike 0.4",
                Law {
                    patients: 200,
                    most_rows: 4,
                    alike: 0.4,
                    ..AMPLE
                },
                102,
            )
        },
        Scenario {
            described: &["citl"],
            ..scenario(
                "3 miscalibrated: intercept -0.4, slope 0.7",
                Law {
                    intercept: -0.4,
                    slope: 0.7,
                    ..AMPLE
                },
                103,
            )
        },
        Scenario {
            described: SMALL,
            ..scenario(
                "4 small: 100 patients, 30 events",
                Law {
                    patients: 100,
                    ..AMPLE
                },
                104,
            )
        },
        Scenario {
            described: RARE,
            ..scenario(
                "5 rare: 400 patients, 12 events",
                Law {
                    prevalence: 0.03,
                    ..AMPLE
                },
                105,
            )
        },
        Scenario {
            described: RARE,
            ..scenario(
                "6 clustered, few: 40 patients, 1 to 4 rows, alike 0.4",
                Law {
                    patients: 40,
                    most_rows: 4,
                    alike: 0.4,
                    ..AMPLE
                },
                106,
            )
        },
        Scenario {
            described: RARE,
            ..scenario(
                "7 near perfect: AUC 0.98, 100 patients",
                Law {
                    separation: [2.9, 2.2],
                    patients: 100,
                    ..AMPLE
                },
                107,
            )
        },
        Scenario {
            resampled: true,
            ..scenario("8 resampled: 400 patients, 120 events", AMPLE, 108)
        },
        Scenario {
            resampled: true,
            ..scenario(
                "9 resampled, clustered: 200 patients, 1 to 4 rows, alike 0.4",
                Law {
                    patients: 200,
                    most_rows: 4,
                    alike: 0.4,
                    ..AMPLE
                },
                109,
            )
        },
    ]
}

/// Normal intervals of bounded, skewed measures of agreement: thirty events are too few; and of
/// what a low threshold gains over treating everybody, which rests on the few below it.
const SMALL: &[&str] = &[
    "f1",
    "interventions-avoided",
    "kappa",
    "mcc",
    "net-benefit-over-treat-all",
];

/// What few predictions lie below: the gain over treating everybody rests on these few.
const SPARSE: &[&str] = &[
    "interventions-avoided at 0.1",
    "net-benefit-over-treat-all at 0.1",
];

/// With a dozen events, or forty patients who repeat, no interval here has its level for sure.
const RARE: &[&str] = &[
    "accuracy",
    "auc",
    "auc-difference",
    "average-precision",
    "balanced-accuracy",
    "brier",
    "calibration-slope",
    "citl",
    "diagnostic-odds-ratio",
    "f1",
    "interventions-avoided",
    "joint-intercept",
    "kappa",
    "likelihood-ratio-negative",
    "likelihood-ratio-positive",
    "log-loss",
    "mcc",
    "net-benefit",
    "net-benefit-over-treat-all",
    "net-benefit-treat-all",
    "npv",
    "observed-expected",
    "ppv",
    "prevalence",
    "scaled-brier",
    "selection-rate",
    "sensitivity",
    "specificity",
    "standardised-net-benefit",
    "youden-index",
];

fn protocol() -> StudyProtocol {
    let mut protocol = random::protocol(&[], &THRESHOLDS);
    protocol.site = vec![StudySite {
        moderators: Default::default(),
        slug: "a".parse().unwrap(),
        display_name: "a".to_owned(),
        role: SiteRole::External,
    }];
    protocol.decision_curve = Some(DecisionCurve {
        thresholds: vec![LOW_THRESHOLD],
    });
    // No interval reads the histogram; the fewer bins, the quicker a replicate.
    protocol.histogram.edges.truncate(1);
    protocol
}

/// The coverage of every interval whose truth is known.
pub fn simulate(scenario: &Scenario, replicates: usize) -> Vec<Line> {
    let mut protocol = protocol();
    protocol.bootstrap.resamples = 400;
    let kinds: Vec<StatisticKind> = plan::kinds(&protocol)
        .into_iter()
        .filter(|kind| (*kind == StatisticKind::Discrimination) == scenario.resampled)
        .collect();
    let replicates = if scenario.resampled {
        replicates / 8
    } else {
        replicates
    };
    let mut lines: BTreeMap<String, (Line, f64)> = BTreeMap::new();
    let mut draw = Draw(scenario.seed);
    for _ in 0..replicates {
        let rows = scenario.law.rows(&mut draw);
        let cases = random::cases(&protocol, &rows);
        let bytes = path::bytes_of(&protocol, &cases, &path::open_data(), "a", &kinds).unwrap();
        let release = ReceivedRelease::read(&bytes).unwrap();
        let study = path::pooled(&protocol, &[release]);
        for analysis in &study.analyses {
            let key = &analysis.key;
            let metric = key.metric.entry().slug;
            let whole = key.is_whole() && key.prevalence.is_none();
            let (true, Some(row)) = (whole, analysis.sites.first()) else {
                continue;
            };
            // The index model speaks for both, and the prevalence is the same at any threshold.
            let again = metric == "prevalence" && key.threshold != Some(THRESHOLDS[0]);
            if key.model.as_str() != "p_b" || again {
                continue;
            }
            let at = key
                .threshold
                .map_or(String::new(), |at| format!(" at {at}"));
            let name = format!("{metric}{at}");
            if !lines.contains_key(&name) {
                let Some(truth) = scenario.law.truth(metric, 0, key.threshold) else {
                    continue;
                };
                let described = scenario.described.contains(&metric);
                let promised = !described && !SPARSE.contains(&name.as_str());
                let line = Line::new(scenario.name, &name, promised);
                lines.insert(name.clone(), (line, truth));
            }
            let (line, truth) = lines.get_mut(&name).unwrap();
            line.enter(row.low.number().zip(row.high.number()), *truth);
        }
    }
    lines.into_values().map(|(line, _)| line).collect()
}
