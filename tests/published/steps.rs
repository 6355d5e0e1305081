//! The one-stage calibration, step by step through the public path.
//!
//! From: `pool.calibration_newton`, `cal.heart.one_stage_site_intercepts`.
//! To: `statistic::calibration_block`, `pool::one_stage`.

use harness::heart::{self, SITES};
use harness::{path, steps};
use shared::disclosure::policy::{DUA, Policy};
use shared::pool::one_stage::{BySiteFit, Exchange, OneStage, OneStageOutcome, OverallFit};
use shared::pool::study::{RoundFacts, Steps, pool_with_steps};
use shared::statistic::Cases;
use shared::statistic::calibration_block::{StepFault, find, measure};
use shared::study::StudyProtocol;
use shared::study::step::Step;

use crate::reference::Entry;

fn study() -> (StudyProtocol, Vec<(&'static str, Cases)>) {
    let protocol = steps::planned(heart::four_external("p_a"));
    let sites = SITES.map(|site| (site, heart::cases(&protocol, site)));
    (protocol, sites.into())
}

fn exchange() -> (StudyProtocol, Exchange) {
    let (protocol, sites) = study();
    let exchange = steps::run(&protocol, &sites, &path::open_data());
    (protocol, exchange)
}

fn pooled(protocol: &StudyProtocol, exchange: &Exchange) -> OneStage {
    let facts = RoundFacts {
        protocol_digest: shared::identity::Digest::of(b"protocol"),
        locked: true,
        signed: true,
        round: None,
        closed_at: None,
    };
    let steps = Steps {
        exchange: Some(exchange),
        masked: None,
    };
    let study = pool_with_steps(protocol, facts, Vec::new(), steps);
    let found = study
        .one_stage
        .into_iter()
        .find(|one| one.model.as_str() == "p_a");
    found.unwrap()
}

fn overall(one: &OneStage) -> OverallFit {
    match &one.overall {
        OneStageOutcome::Computed { fit } => *fit,
        OneStageOutcome::NotComputed { reason, .. } => panic!("{reason:?}"),
    }
}

fn by_site(one: &OneStage) -> BySiteFit {
    match &one.by_site {
        OneStageOutcome::Computed { fit } => fit.clone(),
        OneStageOutcome::NotComputed { reason, .. } => panic!("{reason:?}"),
    }
}

/// The trace, the blocks of each hospital at the start, and the maximum.
pub fn pooled_newton(entry: &mut Entry) {
    let (protocol, exchange) = exchange();
    let opened = shared::pool::one_stage::sums(&protocol, &exchange.steps).unwrap();
    let id = "p_a".parse().unwrap();
    for (place, (sums, releases)) in opened.iter().zip(&exchange.steps).enumerate() {
        let at = format!("/trace/{place}");
        let sum = sums.iter().find(|sum| sum.model == id).unwrap();
        let block = find(&releases[0].statistics, &id, &sum.endpoint).unwrap();
        let [aa, ab, bb] = sum.information;
        entry.describes(&[&format!("{at}/iteration")]);
        entry.check(&format!("{at}/beta"), vec![block.intercept, block.slope]);
        // At the maximum a score is rounding.
        if place < 4 {
            entry.check_to(&format!("{at}/score"), sum.score.to_vec(), 1e-8);
        } else {
            assert!(sum.score.iter().all(|score| score.abs() < 1e-11));
            entry.describes(&[&format!("{at}/score")]);
        }
        entry.check(&format!("{at}/information"), vec![aa, ab, ab, bb]);
        entry.check(&format!("{at}/loglik"), sum.loglik);
    }
    for (site, release) in SITES.iter().zip(&exchange.steps[0]) {
        let at = format!("/trace/0/site_blocks/{site}");
        let endpoint = opened[0][0].endpoint.clone();
        let block = find(&release.statistics, &id, &endpoint).unwrap();
        let block = block.joint_block().unwrap();
        let [aa, ab, bb] = block.information;
        entry.check(&format!("{at}/score"), block.score.to_vec());
        entry.check(&format!("{at}/information"), vec![aa, ab, ab, bb]);
        entry.check(&format!("{at}/loglik"), block.loglik);
    }
    let one = pooled(&protocol, &exchange);
    let fit = overall(&one);
    entry.describes(&["/equals_fixture"]);
    entry.check("/intercept", fit.intercept.value);
    entry.check("/slope", fit.slope.value);
    entry.check("/se_intercept", fit.intercept.se);
    entry.check("/se_slope", fit.slope.se);
}

/// One slope, an intercept per hospital.
pub fn site_intercepts(entry: &mut Entry) {
    let (protocol, exchange) = exchange();
    let fit = by_site(&pooled(&protocol, &exchange));
    entry.check("/slope", fit.slope.value);
    entry.check("/se_slope", fit.slope.se);
    for found in &fit.intercepts {
        let at = format!("/intercepts/{}", found.site);
        entry.check(&at, found.intercept.value);
    }
}

#[test]
fn five_steps_reach_the_maximum_and_a_sixth_is_not_asked_for() {
    let (protocol, exchange) = exchange();
    let one = pooled(&protocol, &exchange);
    // The comparator and the slope with site intercepts may take another step.
    assert!((5..=7).contains(&one.steps), "{}", one.steps);
    let mut short = exchange.clone();
    short.steps.truncate(5);
    let fit = overall(&pooled(&protocol, &short));
    assert!((fit.slope.value - overall(&one).slope.value).abs() < 1e-14);
    short.steps.truncate(3);
    let one = pooled(&protocol, &short);
    assert!(matches!(one.overall, OneStageOutcome::NotComputed { .. }));
}

/// What a site refuses, each altered in one place of an otherwise honest third step.
#[test]
fn a_step_that_does_not_follow_from_its_sums_is_refused_by_every_site() {
    let (protocol, sites) = study();
    let mut exchange = steps::run(&protocol, &sites, &path::open_data());
    exchange.steps.truncate(2);
    let honest = steps::next(&protocol, &exchange);
    type Change = fn(&mut Step);
    let altered: [(&str, StepFault, Change); 9] = [
        ("the slope's last digit", StepFault::Place, |step| {
            step.at[0].slope = step.at[0].slope.next_up();
        }),
        ("the intercept", StepFault::Place, |step| {
            step.at[1].intercept = 3.0
        }),
        ("the common slope", StepFault::Place, |step| {
            step.at[0].common_slope = 1.0
        }),
        ("another start", StepFault::Place, |step| {
            step.opened.clear();
            step.step = 1;
        }),
        ("a step left out", StepFault::Place, |step| step.step = 4),
        ("a model left out", StepFault::Place, |step| {
            step.at.pop();
        }),
        ("a model's sums left out", StepFault::Place, |step| {
            step.opened[1].pop();
        }),
        ("models in another order", StepFault::Place, |step| {
            step.opened[0].reverse()
        }),
        ("sums without this site", StepFault::Sum, |step| {
            for sum in step.opened.iter_mut().flatten() {
                sum.information = sum.information.map(|value| value / 1e3);
                sum.score = sum.score.map(|value| value / 1e3);
            }
        }),
    ];
    for (site, cases) in &sites {
        assert!(measure(&protocol, cases, &honest).is_ok(), "{site}");
        for (name, fault, change) in &altered {
            let mut step = honest.clone();
            change(&mut step);
            if *fault == StepFault::Sum {
                // The places follow from the false sums; only the site's own blocks tell.
                let tracks =
                    shared::statistic::calibration_block::Track::replay(&protocol, &step.opened);
                step.at = tracks.unwrap().iter().map(|track| track.point()).collect();
            }
            let found = measure(&protocol, cases, &step).map(|_| ());
            assert_eq!(found, Err(*fault), "{site}: {name}");
        }
    }
}

#[test]
fn blocks_leave_under_open_data_and_dua_only() {
    let (protocol, sites) = study();
    let exchange = steps::run(&protocol, &sites, &path::open_data());
    let dua = Policy::parse(DUA).unwrap();
    let under_contract = steps::run(&protocol, &sites[..2], &dua);
    for (a, b) in exchange.steps[0].iter().zip(&under_contract.steps[0]) {
        assert_eq!(a.statistics, b.statistics, "dua rounds no block");
    }
    let mut first = exchange.clone();
    first.steps.clear();
    let step = steps::next(&protocol, &first);
    let (site, cases) = &sites[0];
    let standard = steps::answer(&protocol, cases, &path::standard(), site, &step);
    assert!(standard.unwrap().is_none());
    let strict = DUA
        .replace("min_class = 5", "min_class = 160")
        .replace("min_patients = 20", "min_patients = 320");
    let strict = Policy::parse(&strict).unwrap();
    let withheld = steps::answer(&protocol, cases, &strict, site, &step);
    assert!(
        withheld.unwrap().is_none(),
        "too few patients for the contract"
    );
}
