//! A step that does not fit its job or the steps before it is refused without a look at data.
//!
//! From: `exchange::check`.
//! To: the test run.

use shared::study::step::{CALIBRATION, Sum};
use shared::study::{OneStageCalibration, source, validate};

use super::*;

const SITE: &str = "va";

fn protocol() -> StudyProtocol {
    let text = include_str!("../../../configs/examples/heart/study.toml");
    let mut protocol = source::parse(text).unwrap();
    protocol.one_stage_calibration = Some(OneStageCalibration {
        start: [0.0, 1.0],
        max_steps: 8,
    });
    validate::expand(&protocol)
}

fn job(protocol: &StudyProtocol, site: &str) -> Job {
    Job::measure(
        protocol,
        Digest::of(b"protocol"),
        "heart-disease.r1".parse().unwrap(),
        site.parse().unwrap(),
        Timestamp::from_unix(1_800_000_000).unwrap(),
        "measure".parse().unwrap(),
    )
}

fn sum(loglik: f64) -> Sum {
    Sum {
        model: "p_a".parse().unwrap(),
        endpoint: "disease".parse().unwrap(),
        n: 100,
        events: 40,
        loglik,
        score: [0.0, 0.0],
        information: [20.0, 0.0, 30.0],
        reduced: None,
    }
}

/// The step after `opened` earlier ones.
fn step(job: &Job, opened: u32) -> Step {
    let slugs = ["hungarian", "switzerland", "va"];
    Step {
        study: job.study.clone(),
        protocol: job.protocol,
        round: job.round.clone(),
        exchange: CALIBRATION.parse().unwrap(),
        step: opened + 1,
        roster: slugs.iter().map(|slug| slug.parse().unwrap()).collect(),
        at: Vec::new(),
        opened: (0..opened)
            .map(|step| vec![sum(-f64::from(step))])
            .collect(),
    }
}

#[test]
fn only_external_sites_are_asked_for_steps() {
    let protocol = protocol();
    assert_eq!(job(&protocol, SITE).exchanges.len(), 2);
    let id = CALIBRATION.parse().unwrap();
    assert_eq!(job(&protocol, SITE).stepped(&id).unwrap().max_steps, 8);
    assert!(job(&protocol, "cleveland").stepped(&id).is_none());
}

#[test]
fn a_job_with_more_steps_or_another_shape_is_not_admitted() {
    let protocol = protocol();
    let site = SITE.parse().unwrap();
    let honest = job(&protocol, SITE);
    let now = honest.issued_at;
    assert!(honest.admit(&protocol, &site, now).is_ok());
    type Change = fn(&mut Job);
    let altered: [Change; 5] = [
        |job| job.exchanges[1].max_steps = 9,
        |job| job.exchanges[1].max_steps = 4,
        |job| job.exchanges[1].statistics.push("auc".to_owned()),
        |job| job.exchanges[1].id = "more".parse().unwrap(),
        |job| {
            let again = job.exchanges[1].clone();
            job.exchanges.push(again);
        },
    ];
    for change in altered {
        let mut job = honest.clone();
        change(&mut job);
        assert_eq!(job.admit(&protocol, &site, now), Err(Refusal::UnknownForm));
    }
    let mut unplanned = protocol.clone();
    unplanned.one_stage_calibration = None;
    assert_eq!(
        honest.admit(&unplanned, &site, now),
        Err(Refusal::UnknownForm)
    );
}

#[test]
fn a_step_that_does_not_fit_is_not_allowed() {
    let protocol = protocol();
    let site = SITE.parse().unwrap();
    let job = job(&protocol, SITE);
    let before: Vec<Step> = (0..2).map(|opened| step(&job, opened)).collect();
    let honest = step(&job, 2);
    assert_eq!(check(&job, &protocol, &site, (3, &honest), &before), Ok(()));
    type Change = fn(&mut Step);
    let altered: [(&str, Change); 9] = [
        ("another round", |step| {
            step.round = "other.r1".parse().unwrap()
        }),
        ("another protocol", |step| {
            step.protocol = Digest::of(b"other")
        }),
        ("another exchange", |step| {
            step.exchange = "more".parse().unwrap()
        }),
        ("another number", |step| step.step = 4),
        ("a sum of the past", |step| step.opened[0][0].loglik = -9.0),
        ("a forgotten sum", |step| {
            step.opened.clear();
        }),
        ("a roster without this site", |step| {
            step.roster.pop();
        }),
        ("a site twice", |step| {
            step.roster.push("va".parse().unwrap())
        }),
        ("a site that helped to build the model", |step| {
            step.roster.push("cleveland".parse().unwrap());
        }),
    ];
    for (name, change) in altered {
        let mut step = honest.clone();
        change(&mut step);
        let found = check(&job, &protocol, &site, (3, &step), &before);
        let refusal = found.map_err(|(refusal, by, _)| (refusal, by));
        assert_eq!(refusal, Err((Refusal::NotAllowed, "admission")), "{name}");
    }
    let ninth = step(&job, 8);
    let found = check(&job, &protocol, &site, (9, &ninth), &[]);
    assert_eq!(found.map_err(|found| found.0), Err(Refusal::NotAllowed));
}
