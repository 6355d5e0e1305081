//! An exchange of several steps inside one process: every site's blocks go through review,
//! release, encoding and reading, and the sums lead to the next step, as in a round.
//!
//! From: cases by site, a policy.
//! To: tests that compare with reference values, and tests that alter a step.

use shared::disclosure::{Axes, Policy, ReceivedRelease, review};
use shared::identity::Digest;
use shared::pool::one_stage::{self, Exchange};
use shared::statistic::Cases;
use shared::statistic::calibration_block::{StepFault, Track, measure};
use shared::study::step::{CALIBRATION, Step};
use shared::study::{OneStageCalibration, StudyProtocol};
use shared::wire;

use crate::path;

/// The protocol with the one-stage calibration planned.
pub fn planned(mut protocol: StudyProtocol) -> StudyProtocol {
    protocol.one_stage_calibration = Some(OneStageCalibration {
        start: [0.0, 1.0],
        max_steps: 8,
    });
    protocol
}

/// The step that is due after the complete steps of `exchange`.
pub fn next(protocol: &StudyProtocol, exchange: &Exchange) -> Step {
    let opened = one_stage::sums(protocol, &exchange.steps).unwrap();
    let tracks = Track::replay(protocol, &opened).unwrap();
    Step {
        study: protocol.slug.clone(),
        protocol: Digest::of(b"protocol"),
        round: "test.r1".parse().unwrap(),
        exchange: CALIBRATION.parse().unwrap(),
        step: u32::try_from(opened.len()).unwrap() + 1,
        roster: exchange.roster.clone(),
        at: tracks.iter().map(Track::point).collect(),
        opened,
    }
}

/// What a site answers: a release, nothing under its policy, or a refusal of the step.
pub fn answer(
    protocol: &StudyProtocol,
    cases: &Cases,
    policy: &Policy,
    site: &str,
    step: &Step,
) -> Result<Option<ReceivedRelease>, StepFault> {
    let blocks = measure(protocol, cases, step)?;
    let mut header = path::header(policy, site);
    header.exchange = step.exchange.clone();
    header.step = step.step;
    header.input = Some(Digest::of(format!("step {}", step.step).as_bytes()));
    let released = review(policy, protocol, blocks, (false, Axes::BY_RULE)).release(header);
    Ok(released
        .map(|released| ReceivedRelease::read(wire::encode(&released).unwrap().bytes()).unwrap()))
}

/// The whole exchange of `sites`, until every model has its maximum or the steps are used up.
pub fn run(protocol: &StudyProtocol, sites: &[(&str, Cases)], policy: &Policy) -> Exchange {
    let mut exchange = Exchange {
        roster: sites
            .iter()
            .map(|(site, _)| site.parse().unwrap())
            .collect(),
        ..Exchange::default()
    };
    let most = protocol.one_stage_calibration.unwrap().max_steps;
    for _ in 0..most {
        let step = next(protocol, &exchange);
        let answers = sites.iter().map(|(site, cases)| {
            let answer = answer(protocol, cases, policy, site, &step);
            answer.unwrap().unwrap()
        });
        exchange.steps.push(answers.collect());
        let opened = one_stage::sums(protocol, &exchange.steps).unwrap();
        let tracks = Track::replay(protocol, &opened).unwrap();
        if tracks.iter().all(Track::ended) {
            break;
        }
    }
    exchange
}
