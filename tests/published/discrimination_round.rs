//! Discrimination and threshold measures through the public path: tables in, released values
//! out, against the reference values.
//!
//! From: `configs/examples/heart`, `tests/fixtures/reference`.
//! To: nothing.

use harness::heart::{self, SITES};
use harness::{path, random};
use serde_json::Value;
use shared::disclosure::ReceivedRelease;
use shared::pool::result::PoolOutcome;
use shared::statistic::cases::{Column, Intake};
use shared::statistic::confusion::RateMeasure;
use shared::statistic::estimate::IntervalMethod;
use shared::statistic::{Cases, Cell, Disclosed, Estimate, Metric, Statistic};
use shared::study::{
    PartialRange, ProportionInterval, RangeOver, StudyProtocol, TargetPrevalence, validate,
};

use crate::reference::{self, Entry};
use crate::rows::Rows;

fn entry(id: &str) -> Option<Entry> {
    reference::entries()
        .into_iter()
        .find(|entry| entry.id == id)
}

fn exact(cell: &Cell<f64>) -> f64 {
    cell.exact()
        .unwrap_or_else(|| panic!("{cell:?} is not exact"))
}

fn estimate<'a>(
    release: &'a ReceivedRelease,
    metric: Metric,
    model: &str,
) -> &'a Estimate<Disclosed> {
    let mut estimates = release.statistics.iter().filter_map(Statistic::estimate);
    estimates
        .find(|one| one.key.metric == metric && one.key.model.as_str() == model)
        .unwrap_or_else(|| panic!("no {metric:?} of {model}"))
}

fn ends(one: &Estimate<Disclosed>) -> Vec<f64> {
    vec![exact(&one.low), exact(&one.high)]
}

/// The cases of all hospitals as those of one.
fn together(protocol: &StudyProtocol) -> Cases {
    let mut parts = SITES.iter().map(|site| heart::cases(protocol, site));
    let mut all = parts.next().unwrap();
    for part in parts {
        let before = all.patients;
        all.patient.extend(part.patient.iter().map(|p| p + before));
        all.patients += part.patients;
        let join = |mine: &mut Vec<_>, other: Vec<_>| mine.extend(other);
        all.outcome
            .iter_mut()
            .zip(part.outcome)
            .for_each(|(a, b)| join(a, b));
        all.score
            .iter_mut()
            .zip(part.score)
            .for_each(|(a, b)| a.extend(b));
        all.level
            .iter_mut()
            .zip(part.level)
            .for_each(|(a, b)| a.extend(b));
        for (mine, other) in all.column.iter_mut().zip(part.column) {
            match (mine, other) {
                (Column::Number(a), Column::Number(b)) => a.extend(b),
                (Column::Category(a), Column::Category(b)) => a.extend(b),
                _ => {}
            }
        }
    }
    all.intake = Intake::default();
    all
}

fn cases(protocol: &StudyProtocol, site: &str) -> Cases {
    if site == "pooled" {
        together(protocol)
    } else {
        heart::cases(protocol, site)
    }
}

fn protocol(proportion: ProportionInterval) -> StudyProtocol {
    let mut protocol = heart::four_external("p_a");
    protocol.intervals.proportion = proportion;
    protocol.bootstrap.resamples = 200;
    assert_eq!(validate::check(&protocol), []);
    protocol
}

const RATIOS: [(&str, Metric); 3] = [
    ("lr_pos", Metric::LikelihoodRatioPositive),
    ("lr_neg", Metric::LikelihoodRatioNegative),
    ("dor", Metric::DiagnosticOddsRatio),
];
const PLAIN: [(&str, Metric); 5] = [
    ("balanced_accuracy", Metric::BalancedAccuracy),
    ("f1", Metric::F1),
    ("mcc", Metric::Mcc),
    ("kappa", Metric::Kappa),
    ("youden_j", Metric::YoudenIndex),
];
const RATES: [(&str, RateMeasure); 5] = [
    ("sensitivity", RateMeasure::Sensitivity),
    ("specificity", RateMeasure::Specificity),
    ("ppv", RateMeasure::Ppv),
    ("npv", RateMeasure::Npv),
    ("prevalence", RateMeasure::Prevalence),
];

#[test]
fn each_site_releases_the_reference_threshold_measures() {
    for (word, proportion) in [
        ("wilson", ProportionInterval::Wilson),
        ("clopper_pearson", ProportionInterval::ClopperPearson),
    ] {
        let protocol = protocol(proportion);
        for site in SITES.into_iter().chain(["pooled"]) {
            let mut entry = entry(&format!("thr.heart.{site}.p_a.0.5")).unwrap();
            let cases = cases(&protocol, site);
            let name = if site == "pooled" { "cleveland" } else { site };
            let release = path::release(&protocol, &cases, &path::open_data(), name).unwrap();
            let of = |metric| estimate(&release, metric, "p_a");
            for (key, metric) in RATIOS {
                entry.check(&format!("/{key}"), exact(&of(metric).value));
                entry.check(&format!("/{key}_ci95"), ends(of(metric)));
            }
            for (key, metric) in PLAIN {
                entry.check(&format!("/{key}"), exact(&of(metric).value));
            }
            let accuracy = of(Metric::Accuracy);
            entry.check("/accuracy/estimate", exact(&accuracy.value));
            entry.check(&format!("/accuracy/{word}"), ends(accuracy));
            let mut tables = release.statistics.iter().filter_map(Statistic::confusion);
            let table = tables
                .find(|table| table.model.as_str() == "p_a" && table.threshold == 0.5)
                .unwrap();
            for (key, measure) in RATES {
                let rate = table.rates.iter().find(|rate| rate.measure == measure);
                let rate = rate.unwrap();
                entry.check(&format!("/{key}/estimate"), exact(&rate.value));
                let ends = vec![exact(&rate.low), exact(&rate.high)];
                entry.check(&format!("/{key}/{word}"), ends);
            }
            assert_eq!(entry.failures(), [""; 0], "{site}");
        }
    }
}

#[test]
fn average_precision_is_that_of_the_reference_with_a_seeded_interval() {
    let protocol = protocol(ProportionInterval::Wilson);
    let cases = together(&protocol);
    let bytes = || path::bytes(&protocol, &cases, &path::open_data(), "cleveland").unwrap();
    let first = bytes();
    assert_eq!(first, bytes(), "the same table gives the same bytes");
    let release = ReceivedRelease::read(&first).unwrap();
    let one = estimate(&release, Metric::AveragePrecision, "p_a");
    let mut entry = entry("ap.heart.p_a").unwrap();
    entry.check("/average_precision", exact(&one.value));
    assert_eq!(entry.failures(), [""; 0]);
    let plan = protocol.bootstrap;
    let (resamples, seed) = (plan.resamples, plan.seed);
    assert_eq!(one.interval, IntervalMethod::Bca { resamples, seed });
    // The linearised standard error and the bootstrap's interval tell the same story.
    let value = exact(&one.value);
    let logit = |x: f64| (x / (1.0 - x)).ln();
    let half = 1.96 * exact(&one.variance).sqrt();
    let [low, high] = [exact(&one.low), exact(&one.high)].map(logit);
    assert!(low < logit(value) && logit(value) < high);
    assert!(((high - low) / (2.0 * half) - 1.0).abs() < 0.15);
}

#[test]
fn predictive_values_at_a_target_prevalence_are_pooled_and_follow_bayes_rule() {
    let mut protocol = protocol(ProportionInterval::Wilson);
    let prevalence = 0.2;
    protocol.target_prevalence = vec![TargetPrevalence {
        endpoint: "disease".parse().unwrap(),
        value: prevalence,
        source: "test".to_owned(),
    }];
    let releases = heart::releases(&protocol, &path::open_data());
    for (site, release) in SITES.iter().zip(&releases) {
        let value = |id: &str, path: &str| -> f64 {
            let found: Value = entry(id).unwrap().expected;
            found.pointer(path).unwrap().as_f64().unwrap()
        };
        let id = format!("thr.heart.{site}.p_a.0.5");
        let odds = value(&id, "/lr_pos") * prevalence / (1.0 - prevalence);
        let got = exact(&estimate(release, Metric::PpvAtPrevalence, "p_a").value);
        assert!((got - odds / (1.0 + odds)).abs() < 1e-12, "{site}");
    }
    let study = path::pooled(&protocol, &releases);
    let pooled = study.analyses.iter().find(|analysis| {
        analysis.key.metric == Metric::PpvAtPrevalence
            && analysis.key.model.as_str() == "p_a"
            && analysis.key.prevalence == Some(prevalence)
    });
    assert!(matches!(pooled.unwrap().pool, PoolOutcome::Pooled(_)));
    // Curves of exact blocks carry bands around their points.
    let merged = study.merged.iter().find(|curve| curve.site.is_none());
    let merged = merged.unwrap();
    assert!(!merged.precision_recall.is_empty());
    for point in &merged.precision_recall {
        let [low, high] = point.band.unwrap();
        assert!(low <= point.precision && point.precision <= high);
    }
}

/// The table that may not be bundled, if a folder with it is named.
#[test]
fn partial_area_and_youden_of_a_table_that_may_not_be_bundled() {
    let (Some(mut area), Some(mut youden)) = (
        entry("pauc.picai.p_model.spec90_100"),
        entry("youden.picai.p_model"),
    ) else {
        return;
    };
    let rows = Rows::of(&area.input).unwrap();
    let score = rows.number("p_model");
    let mut edges = score.clone();
    edges.sort_by(f64::total_cmp);
    edges.dedup();
    let mut protocol = random::protocol(&[], &[0.5]);
    protocol.histogram.edges = edges
        .windows(2)
        .map(|pair| (pair[0] + pair[1]) / 2.0)
        .collect();
    protocol.partial_auc = Some(PartialRange {
        over: RangeOver::Specificity,
        lowest: 0.9,
        highest: 1.0,
    });
    let outcome = rows.event("y").into_iter().map(Some).collect();
    let scores: Vec<Option<f64>> = score.into_iter().map(Some).collect();
    let column = protocol.field.iter().map(|_| Column::Withheld).collect();
    let cases = Cases {
        masks: Vec::new(),
        earlier: std::sync::Arc::default(),
        patients: rows.len() as u32,
        patient: rows.each_a_patient(),
        outcome: vec![outcome],
        score: vec![scores.clone(), scores],
        level: Vec::new(),
        column,
        intake: Intake::default(),
    };
    let release = path::release(&protocol, &cases, &path::open_data(), "a").unwrap();
    let of = |metric| exact(&estimate(&release, metric, "p_b").value);
    area.check("/pauc_mcclish", of(Metric::PartialAuc));
    youden.check("/youden_j", of(Metric::YoudenMaximum));
    youden.check("/threshold_midpoint", of(Metric::YoudenThreshold));
    assert_eq!(area.failures(), [""; 0]);
    assert_eq!(youden.failures(), [""; 0]);
}
