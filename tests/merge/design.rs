//! Designs, absent values and sensitivity analyses: what a site releases equals what plain loops
//! over the rows find, and two sets that differ by few patients are never both released.
//!
//! From: `harness::random`.
//! To: nothing.

use harness::path;
use harness::random::{Draw, Row, Shape, area, cases, protocol, rows};
use serde_json::json;
use shared::disclosure::ReceivedRelease;
use shared::disclosure::policy::{Policy, STANDARD};
use shared::statistic::stage::{Cell, Undefined};
use shared::statistic::{Disclosed, Estimate, Metric, Statistic};
use shared::study::{Call, SamplingDesign, SamplingFractions, SensitivityAnalysis, StudyProtocol};

const LEVELS: [usize; 2] = [3, 2];
const CUTS: [f64; 2] = [0.3, 0.5];

fn analysis(value: serde_json::Value) -> SensitivityAnalysis {
    serde_json::from_value(value).unwrap()
}

fn planned() -> StudyProtocol {
    let mut study = protocol(&LEVELS, &CUTS);
    study.missing.default_call = Some(Call::Negative);
    study.verification.fraction_model_positive = 0.8;
    study.verification.fraction_model_negative = 0.5;
    study.sensitivity = [
        "default-action",
        "worst-case",
        "begg-greenes",
        "verification-weights",
        "verification-lowest",
        "verification-highest",
    ]
    .iter()
    .map(|kind| analysis(json!({"id": kind, "label": kind, "kind": kind})))
    .collect();
    study.sensitivity.push(without("less", "axis_0", "level_1"));
    study.sensitivity.push(analysis(
        json!({"id": "other", "label": "other", "kind": "threshold", "threshold": 0.5}),
    ));
    study
}

fn without(id: &str, field: &str, level: &str) -> SensitivityAnalysis {
    analysis(json!({"id": id, "label": id, "kind": "exclude",
        "exclude": [{"field": field, "op": "eq", "value": level}]}))
}

fn release(study: &StudyProtocol, rows: &[Row], policy: &Policy) -> ReceivedRelease {
    path::release(study, &cases(study, rows), policy, "hungarian").unwrap()
}

fn find<'a>(
    release: &'a ReceivedRelease,
    metric: Metric,
    id: Option<&str>,
    threshold: Option<f64>,
) -> Option<&'a Estimate<shared::statistic::Disclosed>> {
    release
        .statistics
        .iter()
        .filter_map(Statistic::estimate)
        .find(|one| {
            one.key.metric == metric
                && one.key.model.as_str() == "p_b"
                && one.key.sensitivity.as_deref() == id
                && one.key.threshold == threshold
        })
}

fn value(release: &ReceivedRelease, metric: Metric, id: Option<&str>, at: Option<f64>) -> f64 {
    let found = find(release, metric, id, at).unwrap_or_else(|| panic!("no {metric:?} {id:?}"));
    found
        .value
        .number()
        .unwrap_or_else(|| panic!("{metric:?} {id:?}: {:?}", found.value))
}

fn close(got: f64, expected: f64, what: &str) {
    assert!(
        (got - expected).abs() <= 1e-12 * expected.abs() + 1e-14,
        "{what}: {got} is not {expected}"
    );
}

/// Share of the rows with this event whose call agrees with it.
fn agreement(rows: &[(bool, bool)], event: bool) -> f64 {
    let class: Vec<bool> = rows
        .iter()
        .filter(|row| row.0 == event)
        .map(|row| row.1 == event)
        .collect();
    class.iter().filter(|agrees| **agrees).count() as f64 / class.len() as f64
}

#[test]
fn sensitivity_analyses_equal_plain_loops() {
    let study = planned();
    for seed in 0..30 {
        let mut draw = Draw(500 + seed);
        let shape = Shape {
            patients: 200,
            prevalence: 0.4,
            repeats: if seed % 3 == 0 { 0.2 } else { 0.0 },
            missing: 0.2,
        };
        let all = rows(&mut draw, &LEVELS, shape);
        let out = release(&study, &all, &path::open_data());
        for at in CUTS {
            let of = |fill: &dyn Fn(bool) -> f64| -> Vec<(bool, bool)> {
                let known = all
                    .iter()
                    .filter_map(|row| Some((row.outcome?, row.score[0])));
                known
                    .map(|(event, score)| (event, score.unwrap_or(fill(event)) >= at))
                    .collect()
            };
            let unverified = |good: bool| -> Vec<(bool, bool)> {
                let seen = all
                    .iter()
                    .filter(|row| row.score.iter().all(Option::is_some));
                seen.map(|row| {
                    let call = row.score(0) >= at;
                    (row.outcome.unwrap_or(call == good), call)
                })
                .collect()
            };
            let sets = [
                ("default-action", of(&|_| 0.0)),
                ("worst-case", of(&|event| if event { 0.0 } else { 1.0 })),
                ("verification-lowest", unverified(false)),
                ("verification-highest", unverified(true)),
            ];
            for (id, set) in sets {
                for (metric, event) in [(Metric::Sensitivity, true), (Metric::Specificity, false)] {
                    let got = value(&out, metric, Some(id), Some(at));
                    close(got, agreement(&set, event), id);
                }
            }
            corrected(&out, &all, at);
        }
        excluded(&out, &all);
    }
}

/// Begg and Greenes by the counts of calls and of verified cases.
fn corrected(out: &ReceivedRelease, all: &[Row], at: f64) {
    let seen = || {
        all.iter()
            .filter(|row| row.score.iter().all(Option::is_some))
    };
    let count = |call: bool, outcome: Option<Option<bool>>| {
        let inside = seen().filter(|row| (row.score(0) >= at) == call);
        inside
            .filter(|row| outcome.is_none_or(|wanted| row.outcome == wanted))
            .count() as f64
    };
    let events = |call: bool| {
        let (yes, no) = (
            count(call, Some(Some(true))),
            count(call, Some(Some(false))),
        );
        count(call, None) * yes / (yes + no)
    };
    let others = |call: bool| count(call, None) - events(call);
    let got = |metric| value(out, metric, Some("begg-greenes"), Some(at));
    let expected = events(true) / (events(true) + events(false));
    close(got(Metric::Sensitivity), expected, "begg-greenes");
    let expected = others(false) / (others(true) + others(false));
    close(got(Metric::Specificity), expected, "begg-greenes");
    let by_weight = count(true, Some(Some(true))) / 0.8;
    let expected = by_weight / (by_weight + count(false, Some(Some(true))) / 0.5);
    let got = value(
        out,
        Metric::Sensitivity,
        Some("verification-weights"),
        Some(at),
    );
    close(got, expected, "verification-weights");
    let one = find(out, Metric::Sensitivity, Some("begg-greenes"), Some(at)).unwrap();
    let low = find(
        out,
        Metric::Sensitivity,
        Some("verification-lowest"),
        Some(at),
    )
    .unwrap();
    let high = find(
        out,
        Metric::Sensitivity,
        Some("verification-highest"),
        Some(at),
    )
    .unwrap();
    assert!(low.value.number() <= one.value.number());
    assert!(one.value.number() <= high.value.number());
    assert!(one.low.number() < one.value.number() && one.value.number() < one.high.number());
}

fn excluded(out: &ReceivedRelease, all: &[Row]) {
    let kept: Vec<&Row> = all
        .iter()
        .filter(|row| row.complete() && row.level[0] != 1)
        .collect();
    let got = value(out, Metric::Auc, Some("less"), None);
    close(got, area(&kept, 0).unwrap(), "AUC without a level");
    let losses = kept.iter().map(|row| {
        let event = f64::from(u8::from(row.event()));
        (row.score(0) - event).powi(2)
    });
    let brier = losses.sum::<f64>() / kept.len() as f64;
    close(
        value(out, Metric::Brier, Some("less"), None),
        brier,
        "Brier",
    );
    let other = value(out, Metric::Ppv, Some("other"), Some(0.5));
    let whole: Vec<&Row> = all.iter().filter(|row| row.complete()).collect();
    let called = || whole.iter().filter(|row| row.score(0) >= 0.5);
    let expected = called().filter(|row| row.event()).count() as f64 / called().count() as f64;
    close(other, expected, "PPV at the other threshold");
    assert!(find(out, Metric::Ppv, Some("other"), Some(0.3)).is_none());
}

#[test]
fn absent_values_are_counted_and_case_mix_needs_no_outcome() {
    let study = protocol(&LEVELS, &CUTS);
    for seed in 0..20 {
        let shape = Shape {
            patients: 120,
            prevalence: 0.4,
            repeats: 0.1,
            missing: 0.3,
        };
        let all = rows(&mut Draw(900 + seed), &LEVELS, shape);
        let out = release(&study, &all, &path::open_data());
        let found = out.statistics.iter().filter_map(Statistic::missing);
        let found = found
            .into_iter()
            .find(|one| one.model.as_str() == "p_b")
            .unwrap();
        let count =
            |holds: &dyn Fn(&Row) -> bool| Some(all.iter().filter(|row| holds(row)).count() as u64);
        let absent = |row: &Row| row.score[0].is_none();
        assert_eq!(
            found.no_prediction_events.exact(),
            count(&|row| absent(row) && row.outcome == Some(true))
        );
        assert_eq!(
            found.neither.exact(),
            count(&|row| absent(row) && row.outcome.is_none())
        );
        let inside = |row: &Row, low: f64, high: f64| {
            row.score[0].is_some_and(|p| p >= low && (p < high || high == 1.0))
        };
        assert_eq!(found.no_reference.len(), 3);
        for band in &found.no_reference {
            let (low, high) = (band.low, band.high);
            let expected = count(&|row| row.outcome.is_none() && inside(row, low, high));
            assert_eq!(band.count.exact(), expected);
        }
        let scores: Vec<f64> = all
            .iter()
            .filter(|row| row.complete())
            .map(|row| row.score(0))
            .collect();
        let (mut up, mut down) = (0.0, 0.0);
        for (i, a) in scores.iter().enumerate() {
            for (j, b) in scores.iter().enumerate().filter(|(j, _)| *j != i) {
                let _ = j;
                let order = f64::from(u8::from(a > b)) + 0.5 * f64::from(u8::from(a == b));
                up += a * (1.0 - b) * order;
                down += a * (1.0 - b);
            }
        }
        let got = value(&out, Metric::ModelConcordance, None, None);
        assert!((got - up / down).abs() < 1e-11, "{got} {}", up / down);
        assert!(value(&out, Metric::PredictorSd, None, None) > 0.0);
    }
}

#[test]
fn a_sample_by_outcome_speaks_about_its_source() {
    let mut study = protocol(&[], &CUTS);
    study.sampling.design = SamplingDesign::OutcomeDependent;
    let shape = Shape {
        patients: 300,
        prevalence: 0.5,
        repeats: 0.0,
        missing: 0.0,
    };
    let all = rows(&mut Draw(77), &[], shape);
    let rate = |out: &ReceivedRelease| {
        let tables = out.statistics.iter().filter_map(Statistic::confusion);
        let mut tables = tables.filter(|one| one.model.as_str() == "p_b" && one.threshold == 0.5);
        tables.next().unwrap().rates[2].clone()
    };
    let forbidden = release(&study, &all, &path::open_data());
    let reason = Undefined::DesignForbids;
    assert_eq!(rate(&forbidden).value, Cell::NotComputed { reason });
    study.sampling.fractions = Some(SamplingFractions {
        events: 0.5,
        non_events: 0.05,
    });
    let out = release(&study, &all, &path::open_data());
    let weight = |row: &&Row| if row.event() { 2.0 } else { 20.0 };
    let called: Vec<&Row> = all.iter().filter(|row| row.score(0) >= 0.5).collect();
    let hits: f64 = called.iter().filter(|row| row.event()).map(weight).sum();
    let total: f64 = called.iter().map(weight).sum();
    // Net benefit at the source: every case stands for those of its class not sampled.
    let source: f64 = all.iter().map(|row| weight(&row)).sum();
    let alarms: f64 = called.iter().filter(|row| !row.event()).map(weight).sum();
    let benefit = value(&out, Metric::NetBenefit, None, Some(0.5));
    close(
        benefit,
        (hits - alarms) / source,
        "net benefit at the source",
    );
    let events: f64 = all
        .iter()
        .filter(|row| row.event())
        .map(|row| weight(&row))
        .sum();
    let standardised = value(&out, Metric::StandardisedNetBenefit, None, Some(0.5));
    close(
        standardised,
        (hits - alarms) / events,
        "standardised at the source",
    );
    let forbidden = find(&forbidden, Metric::NetBenefit, None, Some(0.5)).unwrap();
    assert_eq!(forbidden.value, Cell::NotComputed { reason });
    let ppv = rate(&out);
    close(
        ppv.value.number().unwrap(),
        hits / total,
        "PPV at the source",
    );
    let p = hits / total;
    let influence = called
        .iter()
        .map(|row| (weight(row) * (f64::from(u8::from(row.event())) - p) / total).powi(2));
    let m = called.len() as f64;
    let se = (m / (m - 1.0) * influence.sum::<f64>()).sqrt();
    let logit = |p: f64| (p / (1.0 - p)).ln();
    let high = logit(p) + 1.959_963_984_540_054 * se / (p * (1.0 - p));
    assert!((logit(ppv.high.number().unwrap()) - high).abs() < 1e-9);

    let all: Vec<&Row> = all.iter().collect();
    let mass: f64 = all.iter().map(weight).sum();
    let loss = |row: &&Row| (row.score(0) - f64::from(u8::from(row.event()))).powi(2);
    let brier = all.iter().map(|row| weight(row) * loss(row)).sum::<f64>() / mass;
    close(
        value(&out, Metric::Brier, None, None),
        brier,
        "Brier at the source",
    );
    let ratio = out
        .statistics
        .iter()
        .filter_map(Statistic::observed_expected);
    let ratio = ratio
        .into_iter()
        .find(|one| one.model.as_str() == "p_b")
        .unwrap();
    let observed: f64 = all.iter().filter(|row| row.event()).map(weight).sum();
    let expected: f64 = all.iter().map(|row| weight(row) * row.score(0)).sum();
    close(
        ratio.ratio.number().unwrap(),
        observed / expected,
        "O:E at the source",
    );
}

/// `n` patients of each outcome and call at one level.
fn block(patients: &mut u32, n: u32, level: usize) -> Vec<Row> {
    let mut rows = Vec::new();
    for (event, call) in [(true, true), (true, false), (false, true), (false, false)] {
        for place in 0..n {
            let within = f64::from(place) / f64::from(n.max(1)) * 0.1;
            let score = if call { 0.8 } else { 0.1 } + within;
            rows.push(Row {
                patient: *patients,
                outcome: Some(event),
                score: [Some(score), Some(1.0 - score)],
                level: vec![level, 0],
                number: Some(50.0),
            });
            *patients += 1;
        }
    }
    rows
}

#[test]
fn sets_that_differ_by_few_patients_are_not_both_released() {
    let shown = |less: u32, more: u32| {
        let mut study = protocol(&LEVELS, &[0.5]);
        study.disclosure.min_cell = 10;
        study.sensitivity = vec![
            without("one", "axis_0", "level_1"),
            analysis(
                json!({"id": "two", "label": "two", "kind": "exclude", "exclude": [
                {"field": "axis_0", "op": "eq", "value": "level_1"},
                {"field": "axis_0", "op": "eq", "value": "level_2"}]}),
            ),
        ];
        let mut patients = 0;
        let mut all = block(&mut patients, 60, 0);
        all.extend(block(&mut patients, less, 1));
        all.extend(block(&mut patients, more, 2));
        let out = release(&study, &all, &path::standard());
        ["one", "two"].map(|id| {
            let area = find(&out, Metric::Auc, Some(id), None).unwrap();
            let rate = find(&out, Metric::Sensitivity, Some(id), Some(0.5)).unwrap();
            [area.value.number(), rate.value.number()].map(|number| number.is_some())
        })
    };
    // Levels of 4 x 20 patients: everything may be known.
    assert_eq!(shown(20, 20), [[true, true], [true, true]]);
    // 3 patients in each cell leave: their numbers would follow by subtraction.
    assert_eq!(shown(3, 40)[0], [false, false]);
    // The second set differs from the primary by many, and from the first by few.
    assert_eq!(shown(20, 3), [[true, true], [false, false]]);
    // Nobody leaves: the set is the primary one.
    assert_eq!(shown(0, 20)[0], [true, true]);
}

/// Where cases stand for as many as their class says, it is the weighted sum that leaves, and in it
/// one patient may carry most of what was a small part before.
#[test]
fn a_patient_whom_the_design_weighs_up_may_not_carry_a_sum() {
    let shape = Shape {
        patients: 400,
        prevalence: 0.9,
        repeats: 0.0,
        missing: 0.0,
    };
    let mut all = rows(&mut Draw(8), &LEVELS, shape);
    let mut others = 0;
    for (place, row) in all.iter_mut().enumerate() {
        let step = place as f64;
        row.score[0] = Some(if row.event() {
            0.8 + 0.0002 * step
        } else {
            others += 1;
            if others == 1 {
                0.99
            } else {
                0.002 + 1e-6 * step
            }
        });
    }
    let mut study = protocol(&LEVELS, &CUTS);
    let policy = Policy::parse(STANDARD).unwrap();
    let hidden = |study: &StudyProtocol| {
        let out = release(study, &all, &policy);
        let own = |one: &Statistic<Disclosed>| match one {
            Statistic::ObservedExpected(one) if one.model.as_str() == "p_b" => Some(one.ratio),
            _ => None,
        };
        let estimate = |metric| find(&out, metric, None, None).unwrap().value;
        [
            out.statistics.iter().find_map(own).unwrap(),
            estimate(Metric::Brier),
            estimate(Metric::PredictorSd),
        ]
        .map(|cell| cell.is_suppressed())
    };
    assert_eq!(hidden(&study), [false; 3]);
    study.sampling.design = SamplingDesign::OutcomeDependent;
    study.sampling.fractions = Some(SamplingFractions {
        events: 1.0,
        non_events: 0.001,
    });
    assert_eq!(hidden(&study), [true; 3]);
}
