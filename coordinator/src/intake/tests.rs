use std::collections::BTreeMap;

use serde::Deserialize;
use serde_json::Value;
use shared::disclosure::document::{Header, SCHEMA};
use shared::disclosure::{Axes, Policy, ReceivedRelease, review};
use shared::identity::Digest;
use shared::statistic::cases::{Cases, Column, Intake, Tally};
use shared::statistic::measure::measure;
use shared::study::job::{Job, MEASURE};
use shared::study::{AxisRule, FieldKind, StudyProtocol, Timestamp, plan, source, validate};
use shared::wire::{Refusal, encode};

use super::*;

mod images;
mod twins;

const OPEN: &str = include_str!("../../../configs/policy.open-data.toml");
const STANDARD: &str = include_str!("../../../configs/policy.standard.toml");

fn now() -> Timestamp {
    Timestamp::from_unix(1_800_000_000).unwrap()
}

pub(crate) fn protocol() -> StudyProtocol {
    let text = include_str!("../../../configs/examples/heart/study.toml");
    validate::expand(&source::parse(text).unwrap())
}

fn table(site: &str) -> &'static str {
    match site {
        "cleveland" => include_str!("../../../configs/examples/heart/data/cleveland.csv"),
        "hungarian" => include_str!("../../../configs/examples/heart/data/hungarian.csv"),
        "switzerland" => include_str!("../../../configs/examples/heart/data/switzerland.csv"),
        _ => include_str!("../../../configs/examples/heart/data/va.csv"),
    }
}

/// The bundled table of a site as cases; every column is named as in the protocol.
fn cases(protocol: &StudyProtocol, site: &str) -> Cases {
    let mut reader = csv::Reader::from_reader(table(site).as_bytes());
    let rows: Vec<BTreeMap<String, String>> =
        reader.deserialize().collect::<Result<_, _>>().unwrap();
    let number = |name: &str| -> Vec<Option<f64>> {
        rows.iter().map(|row| row[name].parse().ok()).collect()
    };
    let level = |field: &str, rule: AxisRule| -> Vec<usize> {
        let declared = protocol.find_field(&field.parse().unwrap()).unwrap();
        rows.iter()
            .map(|row| match rule {
                AxisRule::Level => declared
                    .levels
                    .iter()
                    .position(|l| *l == row[field])
                    .unwrap(),
                AxisRule::Band => declared.band_of(row[field].parse().unwrap()).unwrap(),
                AxisRule::Availability => usize::from(row[field] != "1"),
                AxisRule::Pair => panic!("the study has no pair"),
            })
            .collect()
    };
    let count = u32::try_from(rows.len()).unwrap();
    let tally = Tally {
        rows: u64::from(count),
        patients: u64::from(count),
    };
    Cases {
        masks: Vec::new(),
        earlier: std::sync::Arc::default(),
        patient: (0..count).collect(),
        patients: count,
        outcome: vec![rows.iter().map(|row| Some(row["y"] == "1")).collect()],
        score: protocol
            .model
            .iter()
            .map(|model| number(model.field.as_ref().unwrap().as_str()))
            .collect(),
        level: protocol
            .subgroup
            .iter()
            .map(|axis| level(axis.field.as_str(), axis.rule))
            .map(|levels| levels.into_iter().map(|level| level as u16).collect())
            .collect(),
        column: protocol
            .field
            .iter()
            .map(|field| match field.kind {
                FieldKind::Identifier | FieldKind::Mask | FieldKind::Image | FieldKind::Places => {
                    Column::Withheld
                }
                FieldKind::Category => Column::Category(
                    level(field.name.as_str(), AxisRule::Level)
                        .into_iter()
                        .map(|level| Some(level as u16))
                        .collect(),
                ),
                FieldKind::Binary
                | FieldKind::Probability
                | FieldKind::Integer
                | FieldKind::Number => Column::Number(number(field.name.as_str())),
            })
            .collect(),
        intake: Intake {
            records: tally,
            excluded: Vec::new(),
            left: Vec::new(),
        },
    }
}

pub(crate) fn job(protocol: &StudyProtocol, site: &str) -> Job {
    Job::measure(
        protocol,
        Digest::of(b"locked"),
        "heart.r1".parse().unwrap(),
        site.parse().unwrap(),
        now(),
        MEASURE.parse().unwrap(),
    )
}

/// The bytes a site's node would deliver; `None` when its policy withholds the release.
pub(crate) fn delivered(job: &Job, job_digest: Digest, policy: &str) -> Option<Vec<u8>> {
    let protocol = protocol();
    let cases = cases(&protocol, job.site.as_str());
    delivered_of((&protocol, &cases), false, job, job_digest, policy)
}

fn delivered_of(
    data: (&StudyProtocol, &Cases),
    clustered: bool,
    job: &Job,
    job_digest: Digest,
    policy: &str,
) -> Option<Vec<u8>> {
    let (protocol, cases) = data;
    let policy = Policy::parse(policy)
        .unwrap()
        .tightened(protocol.disclosure.min_cell);
    let exact = measure(protocol, cases, &plan::kinds(protocol));
    let header = Header {
        schema: SCHEMA.into(),
        study: protocol.slug.clone(),
        study_version: protocol.version.clone(),
        protocol: job.protocol,
        round: Some(job.round.clone()),
        job: Some(job_digest),
        exchange: MEASURE.parse().unwrap(),
        step: 1,
        input: None,
        site: job.site.clone(),
        dataset: Digest::of(job.site.as_str().as_bytes()),
        policy: policy.stamp(),
        clustered,
        software: "fedval-node 0.1.0".into(),
        known_answer: shared::statistic::known_answer::answer(),
    };
    let released = review(&policy, protocol, exact, (clustered, Axes::BY_RULE)).release(header)?;
    Some(encode(&released).unwrap().bytes().to_vec())
}

pub(crate) fn open_data(site: &str) -> (Job, Digest, Vec<u8>) {
    let job = job(&protocol(), site);
    let digest = Digest::of(site.as_bytes());
    let bytes = delivered(&job, digest, OPEN).unwrap();
    (job, digest, bytes)
}

/// The sketch of a release; empty for other bytes.
pub(crate) fn sketch(bytes: &[u8]) -> Sketch {
    let release = ReceivedRelease::read(bytes).ok();
    let found = release.as_ref().map(Sketch::of).unwrap_or_default();
    assert_eq!(Sketch::from_bytes(&found.to_bytes()), Some(found.clone()));
    found
}

/// The same table under a policy that rounds and hides.
pub(crate) fn guarded(job: &Job, digest: Digest) -> Vec<u8> {
    delivered(job, digest, STANDARD).unwrap()
}

fn findings(bytes: &[u8]) -> Vec<Finding> {
    check(&ReceivedRelease::read(bytes).unwrap(), &protocol())
}

#[test]
fn what_honest_nodes_release_passes_under_both_policies() {
    let mut released = Vec::new();
    for site in ["cleveland", "hungarian", "switzerland", "va"] {
        let job = job(&protocol(), site);
        for (name, policy) in [("open-data", OPEN), ("standard", STANDARD)] {
            if let Some(bytes) = delivered(&job, Digest::of(b"job"), policy) {
                let found = findings(&bytes);
                assert!(
                    found.is_empty(),
                    "{site} {name}: {:#?}",
                    &found[..found.len().min(8)]
                );
                released.push(format!("{site} {name}"));
            }
        }
    }
    assert!(!released.contains(&"switzerland standard".to_owned()));
    assert_eq!(released.len(), 7, "{released:?}");
}

/// A table as hospitals have it: patients with two cases, and values missing everywhere.
#[test]
fn repeated_patients_and_missing_values_pass_too() {
    let protocol = protocol();
    for (site, repeats) in [("hungarian", true), ("hungarian", false), ("va", true)] {
        let mut cases = cases(&protocol, site);
        if repeats {
            cases.patient = cases.patient.iter().map(|patient| patient / 2).collect();
            cases.patients = cases.patients.div_ceil(2);
            cases.intake.records.patients = u64::from(cases.patients);
        }
        for row in (0..cases.patient.len()).step_by(7) {
            cases.outcome[0][row] = None;
        }
        for row in (0..cases.patient.len()).step_by(5) {
            cases.score[0][row] = None;
        }
        for (axis, level) in cases.level.iter_mut().enumerate() {
            let field = protocol.find_field(&protocol.subgroup[axis].field).unwrap();
            let last = protocol.subgroup[axis].levels(field).len() - 1;
            for row in (axis..level.len()).step_by(6) {
                level[row] = last as u16;
            }
        }
        for (name, policy) in [("open-data", OPEN), ("standard", STANDARD)] {
            let job = job(&protocol, site);
            let bytes = delivered_of(
                (&protocol, &cases),
                repeats,
                &job,
                Digest::of(b"job"),
                policy,
            )
            .unwrap();
            let found = findings(&bytes);
            let shown = &found[..found.len().min(6)];
            assert!(
                found.is_empty(),
                "{site} {name} repeats {repeats}: {shown:#?}"
            );
        }
    }
}

/// Every number of `value`, as a path and what it is replaced with.
fn mutations(value: &Value, path: &str, out: &mut Vec<(String, Value)>) {
    match value {
        Value::Number(number) => {
            let float = number.as_f64().unwrap();
            let count = number.is_u64() && float.fract() == 0.0;
            if count {
                let old = number.as_u64().unwrap();
                out.push((path.to_owned(), Value::from(old + 1)));
                out.push((path.to_owned(), Value::from(old * 10 + 10)));
                if old > 0 {
                    out.push((path.to_owned(), Value::from(old - 1)));
                }
            } else {
                out.push((path.to_owned(), Value::from(float * 10.0 + 0.1)));
                out.push((path.to_owned(), Value::from(-float)));
                out.push((path.to_owned(), Value::from(float * 1.01 + 1e-6)));
            }
        }
        Value::Array(items) => {
            for (index, item) in items.iter().enumerate() {
                mutations(item, &format!("{path}/{index}"), out);
            }
        }
        Value::Object(map) => {
            for (key, item) in map {
                mutations(item, &format!("{path}/{key}"), out);
            }
        }
        Value::Null | Value::Bool(_) | Value::String(_) => {}
    }
}

/// What nobody can recompute without the rows, or only in minutes: ends of bootstrap intervals,
/// exact tests of larger tables.
const ROWS_ONLY: [&str; 5] = [
    "\"average-precision\" high",
    "\"average-precision\" low",
    "\"youden-maximum\" high",
    "\"youden-maximum\" low",
    "\"contingency\" fisher_p",
];

/// Changes every `step`th number of the statistics that are `mutated`, one at a time, and counts by what and where the changes
/// that nothing notices, beside all changes.
fn missed(
    protocol: &StudyProtocol,
    valid: &Value,
    step: usize,
    mutated: impl Fn(&Value) -> bool,
) -> (BTreeMap<String, usize>, usize) {
    let honest = ReceivedRelease::deserialize(valid).unwrap();
    assert_eq!(check(&honest, protocol), []);
    let mut changes = Vec::new();
    for (index, one) in valid["statistics"].as_array().unwrap().iter().enumerate() {
        if mutated(one) {
            mutations(one, &format!("/statistics/{index}"), &mut changes);
        }
    }
    let mut missed: BTreeMap<String, usize> = BTreeMap::new();
    let mut changed = valid.clone();
    let mut total = 0;
    for (path, new) in changes.into_iter().step_by(step) {
        total += 1;
        let place = changed.pointer_mut(&path).unwrap();
        let old = std::mem::replace(place, new);
        let read = ReceivedRelease::deserialize(&changed);
        *changed.pointer_mut(&path).unwrap() = old;
        let Ok(release) = read else {
            continue;
        };
        if check(&release, protocol).is_empty() {
            let index = path.split('/').nth(2).unwrap();
            let statistic = &valid["statistics"][index.parse::<usize>().unwrap()];
            let metric = statistic.pointer("/key/metric");
            let kind = metric.unwrap_or(&statistic["statistic"]);
            let field = path.split('/').rfind(|word| {
                !matches!(*word, "value" | "state") && word.parse::<usize>().is_err()
            });
            let what = format!("{kind} {}", field.unwrap());
            *missed.entry(what).or_default() += 1;
        }
    }
    (missed, total)
}

#[test]
fn a_changed_number_is_found() {
    let (_, _, bytes) = open_data("va");
    let valid: Value = serde_json::from_slice(&bytes).unwrap();
    let (mut missed, total) = missed(&protocol(), &valid, 3, |_| true);
    missed.retain(|what, _| !ROWS_ONLY.contains(&what.as_str()));
    let count: usize = missed.values().sum();
    #[expect(clippy::cast_precision_loss, reason = "a few thousand changes")]
    let share = count as f64 / total as f64;
    assert!(
        share < 0.01,
        "{count} of {total} changes were missed: {missed:#?}"
    );
}

/// Its numbers may agree with each other all the same.
#[test]
fn a_program_that_computes_otherwise_is_set_aside() {
    let (_, _, bytes) = open_data("va");
    let valid: Value = serde_json::from_slice(&bytes).unwrap();
    let found = |change: &dyn Fn(&mut Vec<Value>)| {
        let mut value = valid.clone();
        change(value["header"]["known_answer"].as_array_mut().unwrap());
        let release = ReceivedRelease::deserialize(&value).unwrap();
        let found = check(&release, &protocol());
        found
            .iter()
            .filter(|one| one.rule == "known-answer")
            .count()
    };
    assert_eq!(found(&|_| {}), 0);
    let times = |factor: f64| {
        move |answer: &mut Vec<Value>| {
            answer[5] = (answer[5].as_f64().unwrap() * factor).into();
        }
    };
    assert_eq!(found(&times(1.0 + 1e-14)), 0);
    assert_eq!(found(&times(1.0 + 1e-11)), 1);
    assert_eq!(found(&|answer| drop(answer.pop())), 1);
    assert_eq!(found(&Vec::clear), 1);
}

/// A sensitivity analysis agrees with itself and is about more cases than the hospital has.
#[test]
fn an_analysis_of_more_cases_than_there_are_is_found() {
    let (_, _, bytes) = open_data("va");
    let mut value: Value = serde_json::from_slice(&bytes).unwrap();
    let mut changed = 0;
    for one in value["statistics"].as_array_mut().unwrap() {
        let declared = one
            .pointer("/key/sensitivity")
            .is_some_and(|id| id == "from-45");
        if declared {
            changed += 1;
            let n = one.pointer_mut("/n/value").unwrap();
            *n = Value::from(n.as_u64().unwrap() + 1000);
        }
    }
    assert!(changed > 0);
    let found = check(&ReceivedRelease::deserialize(&value).unwrap(), &protocol());
    let inside = found.iter().filter(|one| one.rule == "cases-inside");
    assert_eq!(inside.count(), changed);
}

/// A standard deviation that fits the declared range and not its own mean.
#[test]
fn a_spread_that_its_mean_does_not_allow_is_found() {
    let (_, _, bytes) = open_data("va");
    let mut value: Value = serde_json::from_slice(&bytes).unwrap();
    let list = value["statistics"].as_array_mut().unwrap();
    let of = list
        .iter_mut()
        .find(|one| one["statistic"] == "characteristics");
    let moment = &mut of.unwrap()["moments"][0];
    let range = protocol()
        .find_field(&moment["field"].as_str().unwrap().parse().unwrap())
        .and_then(|field| field.range)
        .unwrap();
    // Close to the upper end there is little room for spread.
    moment["mean"]["value"] = Value::from(range[1] - 0.01 * (range[1] - range[0]));
    moment["sd"]["value"] = Value::from(0.4 * (range[1] - range[0]));
    let found = check(&ReceivedRelease::deserialize(&value).unwrap(), &protocol());
    let rules: Vec<&str> = found.iter().map(|one| one.rule.as_str()).collect();
    assert_eq!(rules, ["sd-in-range"]);
}

#[test]
fn only_bytes_that_answer_the_job_are_received() {
    let (job, digest, bytes) = open_data("va");
    let id = ReceivedRelease::read(&bytes).unwrap().id;
    assert!(receive(&bytes, &id, &job, &digest).is_ok());

    let other = Digest::of(b"other");
    let refused = |job: &Job, digest: &Digest, id: &Digest| receive(&bytes, id, job, digest).err();
    assert_eq!(refused(&job, &digest, &other), Some(Refusal::UnknownForm));
    assert_eq!(refused(&job, &other, &id), Some(Refusal::UnknownForm));
    let mut elsewhere = job.clone();
    elsewhere.site = "hungarian".parse().unwrap();
    assert_eq!(refused(&elsewhere, &digest, &id), Some(Refusal::WrongSite));
    let mut later = job.clone();
    later.round = "heart.r2".parse().unwrap();
    assert_eq!(refused(&later, &digest, &id), Some(Refusal::UnknownForm));

    let spaced = [b" ".as_slice(), &bytes].concat();
    for bad in [&bytes[1..], &bytes[..bytes.len() - 1], b"", b"{}", &spaced] {
        assert_eq!(
            receive(bad, &id, &job, &digest).err(),
            Some(Refusal::UnknownForm)
        );
    }
}

#[test]
fn a_profile_keys_and_levels_outside_the_protocol_are_found() {
    let (_, _, bytes) = open_data("va");
    let release = ReceivedRelease::read(&bytes).unwrap();
    let rules = |release: &ReceivedRelease, protocol: &StudyProtocol| {
        let found = check(release, protocol);
        found.iter().map(|f| f.rule.clone()).collect::<Vec<_>>()
    };

    let mut private = protocol();
    private.visibility = shared::study::Visibility::Private;
    assert!(rules(&release, &private).contains(&"open-data".to_owned()));
    let mut unlisted = protocol();
    unlisted
        .public_dataset
        .retain(|data| data.site.as_str() != "va");
    assert!(rules(&release, &unlisted).contains(&"open-data".to_owned()));

    // A name promises a threshold; one that is not known promises nothing.
    let stamped = |profile: &str, min_cell, rounding| {
        let mut release = release.clone();
        let policy = &mut release.header.policy;
        policy.profile = profile.to_owned();
        (policy.min_cell, policy.rounding) = (min_cell, rounding);
        rules(&release, &protocol())
    };
    let knows = |found: &[String], rule: &str| found.iter().any(|one| one == rule);
    for (profile, cell) in [("standard", 10), ("strict", 11), ("nhs", 8), ("network", 5)] {
        assert!(
            knows(&stamped(profile, cell - 1, 5), "min-cell"),
            "{profile}"
        );
        assert!(knows(&stamped(profile, cell, 1), "declared"), "{profile}");
        assert!(!knows(&stamped(profile, cell, 5), "declared"), "{profile}");
    }
    assert!(knows(&stamped("trust-me", 100, 5), "declared"));

    let mut twice = release.clone();
    twice.statistics.push(release.statistics[0].clone());
    assert_eq!(rules(&twice, &protocol()), ["once"]);

    let mut fewer = protocol();
    fewer.subgroup.pop();
    assert!(rules(&release, &fewer).contains(&"declared".to_owned()));
    let mut renamed = protocol();
    let sex = renamed
        .field
        .iter_mut()
        .find(|field| field.name.as_str() == "sex");
    sex.unwrap().levels.reverse();
    assert!(rules(&release, &renamed).contains(&"levels".to_owned()));
    let mut other = protocol();
    other.threshold[0].value = 0.4;
    assert!(rules(&release, &other).contains(&"declared".to_owned()));
}
