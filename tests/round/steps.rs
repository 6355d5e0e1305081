//! The one-stage calibration as a job of several steps, with real processes.
//!
//! From: `harness`.
//! To: nobody.

use std::time::{Duration, Instant};

use coordinator::link::system_now;
use harness::{Federation, Site, Truth};
use node::config::NodeConfig;
use node::release::{Verb, decide};
use node::store::Store;
use rusqlite::Connection;
use serde_json::Value;
use shared::disclosure::policy::DUA;
use shared::fault::Code;
use shared::study::SiteState;

use crate::consortium;

const ALL: [&str; 4] = ["cleveland", "hungarian", "switzerland", "va"];

/// The bundled study over four external hospitals, with the one-stage calibration planned: a
/// fixture for reference values, never a result (decision C9).
fn stepped(change: impl Fn(&mut Site)) -> Federation {
    let federation = consortium(change);
    federation.plan_steps();
    federation
}

fn one_stage(report: &std::path::Path, model: &str) -> Value {
    let bytes = std::fs::read(report.join("report.json")).unwrap();
    let report: Value = serde_json::from_slice(&bytes).unwrap();
    let found = report["study"]["one_stage"].as_array().unwrap();
    let of_model = found.iter().find(|one| one["model"] == model);
    of_model.unwrap().clone()
}

fn expected(file: &str, id: &str) -> Value {
    let path = std::path::Path::new(env!("CARGO_MANIFEST_DIR"))
        .join("fixtures/reference")
        .join(file);
    let entries: Vec<Value> =
        serde_json::from_str(&std::fs::read_to_string(path).unwrap()).unwrap();
    let found = entries.into_iter().find(|entry| entry["id"] == id);
    found.unwrap()["expected"].clone()
}

#[track_caller]
fn close(got: &Value, expected: &Value, tolerance: f64) {
    let (got, expected) = (got.as_f64().unwrap(), expected.as_f64().unwrap());
    let error = (got - expected).abs();
    assert!(
        error <= tolerance * expected.abs() + 1e-12,
        "{got} against {expected}"
    );
}

/// The digests of a site's answers, in the order of the steps.
fn answers(federation: &Federation, site: &str) -> Vec<(u32, String, bool)> {
    let path = federation.path(site).join("state/node.db");
    let connection = Connection::open(path).unwrap();
    let mut found = connection
        .prepare("SELECT step, digest, receipt IS NOT NULL FROM step ORDER BY step")
        .unwrap();
    let rows = found.query_map([], |row| Ok((row.get(0)?, row.get(1)?, row.get(2)?)));
    rows.unwrap().collect::<Result<_, _>>().unwrap()
}

#[test]
fn four_hospitals_reach_the_reference_in_steps() {
    let mut federation = stepped(|_| {});
    federation.start();
    federation.launch();
    let view = federation.wait();
    assert_eq!(
        view["exchanges"][0]["end"], "done",
        "{}",
        view["exchanges"][0]
    );
    let steps = view["exchanges"][0]["steps"].as_u64().unwrap();
    assert!((5..=7).contains(&steps), "{steps}");
    let truth = Truth::settled(&federation);
    truth.assert_exactly_once(&ALL);
    for site in ALL {
        let ledger = truth.ledger(site).iter();
        let stepped: Vec<&Value> = ledger
            .map(|entry| &entry["event"])
            .filter(|event| event["event"] == "step")
            .collect();
        assert_eq!(stepped.len() as u64, steps, "{site}");
        assert!(
            stepped
                .iter()
                .all(|event| { event["approver"] == "automatic, by this site's configuration" })
        );
    }
    federation.close(0);
    let report = federation.report("report");
    let one = one_stage(&report, "p_a");
    let overall = &one["overall"]["fit"];
    let newton = expected("pooling.json", "pool.calibration_newton");
    close(&overall["slope"]["value"], &newton["slope"], 1e-9);
    close(&overall["slope"]["se"], &newton["se_slope"], 1e-9);
    close(&overall["intercept"]["value"], &newton["intercept"], 1e-9);
    close(&overall["intercept"]["se"], &newton["se_intercept"], 1e-9);
    let by_site = &one["by_site"]["fit"];
    let own = expected("calibration.json", "cal.heart.one_stage_site_intercepts");
    close(&by_site["slope"]["value"], &own["slope"], 1e-8);
    close(&by_site["slope"]["se"], &own["se_slope"], 1e-8);
    for entry in by_site["intercepts"].as_array().unwrap() {
        let site = entry["site"].as_str().unwrap();
        close(&entry["intercept"]["value"], &own["intercepts"][site], 1e-8);
    }
    let html = std::fs::read_to_string(report.join("report.html")).unwrap();
    assert!(html.contains("One-stage calibration over the rows of all hospitals"));
    assert!(report.join("one_stage.csv").exists());
}

#[test]
fn a_standard_hospital_ends_the_exchange_and_nothing_else() {
    let mut federation = stepped(|site| {
        if site.slug == "va" {
            *site = site.clone().standard();
        }
    });
    federation.start();
    federation.launch();
    let view = federation.wait();
    let end = view["exchanges"][0]["end"].as_str().unwrap();
    assert!(end.contains("va did not release its blocks"), "{end}");
    Truth::settled(&federation).assert_exactly_once(&ALL);
    for site in ALL {
        assert!(
            answers(&federation, site).is_empty(),
            "{site} sent a block in vain"
        );
    }
    let declined = federation.node("va", &["ledger", "list"]).data();
    let last = declined.as_array().unwrap().last().unwrap()["event"].clone();
    assert_eq!(last["event"], "step-declined");
    assert_eq!(last["refusal"], "not released");
    federation.close(0);
    let one = one_stage(&federation.report("report"), "p_a");
    assert_eq!(one["overall"]["reason"], "not-released");
    assert_eq!(one["overall"]["site"], "va");
}

#[test]
fn a_node_and_a_coordinator_killed_between_steps_go_on_with_the_same_bytes() {
    let mut federation = stepped(|_| {});
    federation.start_serve(Some("coordinator.step.stored#4"));
    for site in ALL {
        let kill_at = (site == "va").then_some("node.delivering#3");
        federation.start_node(site, kill_at);
    }
    federation.launch();
    assert!(
        federation
            .take_node("va")
            .wait_end(Duration::from_secs(60))
            .is_some()
    );
    let before = answers(&federation, "va");
    assert_eq!(before.len(), 2, "{before:?}");
    assert!(!before[1].2, "the second answer was delivered already");
    federation.start_node("va", None);
    assert!(
        federation
            .take_serve()
            .wait_end(Duration::from_secs(60))
            .is_some()
    );
    federation.start_serve(None);
    let view = federation.wait();
    assert_eq!(
        view["exchanges"][0]["end"], "done",
        "{}",
        view["exchanges"][0]
    );
    Truth::settled(&federation).assert_exactly_once(&ALL);
    let after = answers(&federation, "va");
    for (a, b) in before.iter().zip(&after) {
        assert_eq!(
            (a.0, &a.1),
            (b.0, &b.1),
            "a step was answered with other bytes"
        );
    }
    assert!(after.iter().all(|(_, _, delivered)| *delivered));
}

/// The answer that was ready is not sent, the others hear that there will be none, and what left
/// before stands.
#[test]
fn a_study_that_is_left_in_the_middle_of_an_exchange_ends_it() {
    let mut federation = stepped(|_| {});
    federation.start_serve(None);
    for site in ALL {
        let kill_at = (site == "va").then_some("node.delivering#3");
        federation.start_node(site, kill_at);
    }
    federation.launch();
    let ended = federation.take_node("va").wait_end(Duration::from_secs(60));
    assert!(ended.is_some());
    let before = answers(&federation, "va");
    assert_eq!(before.len(), 2, "{before:?}");
    assert!(before[0].2 && !before[1].2, "{before:?}");
    let leave = ["leave", "heart-disease", "--reason", "the agreement ended"];
    federation.node("va", &leave).expect(0);
    federation.start_node("va", None);
    let view = federation.wait();
    let end = view["exchanges"][0]["end"].as_str().unwrap();
    assert!(end.contains("va did not release its blocks"), "{end}");
    assert_eq!(answers(&federation, "va"), before, "nothing more was sent");
    let truth = Truth::of(&federation);
    truth.assert_never_ahead();
    let received: Vec<&str> = truth
        .inbox()
        .iter()
        .map(|(site, ..)| site.as_str())
        .collect();
    assert_eq!(received, ALL, "what left before stands");
    let entries = federation.node("va", &["ledger", "list"]).expect(0).data();
    let entries = entries.as_array().unwrap().iter();
    let events: Vec<&Value> = entries.map(|entry| &entry["event"]).collect();
    let left = events.iter().position(|event| event["event"] == "left");
    let after: Vec<&str> = events[left.unwrap()..]
        .iter()
        .map(|event| event["event"].as_str().unwrap())
        .collect();
    assert_eq!(after, ["left", "step-declined"]);
    federation.close(0);
    let one = one_stage(&federation.report("report"), "p_a");
    assert_eq!(one["overall"]["reason"], "not-released");
    assert_eq!(one["overall"]["site"], "va");
    federation.node("va", &["ledger", "verify"]).expect(0);
    federation.fedval(&["ledger", "verify"]).expect(0);
}

#[test]
fn a_round_closed_between_steps_keeps_everything_else() {
    let mut federation = stepped(|_| {});
    federation.start_serve(None);
    for site in ALL {
        let kill_at = (site == "va").then_some("node.step.ready#2");
        federation.start_node(site, kill_at);
    }
    federation.launch();
    assert!(
        federation
            .take_node("va")
            .wait_end(Duration::from_secs(60))
            .is_some()
    );
    let until = Instant::now() + Duration::from_secs(30);
    let status = || {
        federation
            .fedval(&["round", "status", federation.round()])
            .expect(0)
            .data()
    };
    while status()["exchanges"][0]["answered"]
        .as_array()
        .unwrap()
        .len()
        < 3
    {
        assert!(Instant::now() < until, "{}", status());
        std::thread::sleep(Duration::from_millis(50));
    }
    let view = status();
    assert_eq!(view["exchanges"][0]["steps"], 1);
    assert_eq!(view["exchanges"][0]["waiting"], serde_json::json!(["va"]));
    assert_eq!(view["settled"], false);
    federation.close(0);
    let one = one_stage(&federation.report("report"), "p_a");
    assert_eq!(one["overall"]["reason"], "no-answer");
    assert_eq!(one["overall"]["site"], "va");
}

/// The text of a policy under an agreement that holds until the year 2099.
fn agreement() -> String {
    DUA.replace("2020-01-01", "2099-01-01")
}

#[test]
fn under_an_agreement_two_people_approve_and_the_steps_follow() {
    let mut federation = stepped(|site| {
        if site.slug == "va" {
            site.policy = Some(agreement());
            site.approvers = vec!["anna".to_owned(), "ben".to_owned()];
        }
    });
    federation.start();
    federation.launch();
    // The site's configuration says automatic; a configuration is not two people.
    federation.wait_state("va", "waiting-approval");
    let shown = federation.node("va", &["job", "preview", federation.round()]);
    let preview = shown.expect(0).data();
    let mut text = federation.node_command("va");
    let text = harness::Answer::of(text.args(["job", "preview", federation.round()]));
    assert!(
        text.out.contains("exchange calibration: at most 8 steps"),
        "{}",
        text.out
    );
    federation.take_node("va").stop();
    {
        let config = NodeConfig::load(&federation.path("va/node.toml")).unwrap();
        let store = Store::open(&federation.path("va/state")).unwrap();
        let verb = Verb::Approve {
            job: preview["job"]["digest"].as_str().unwrap().parse().unwrap(),
            seen: preview["digest"].as_str().unwrap().parse().unwrap(),
            standing: serde_json::from_value(preview["approval"]["standing"].clone()).unwrap(),
            note: None,
            signature: None,
        };
        let decide = |person: &str| decide(&store, &config, verb.clone(), person, system_now());
        let state = || store.jobs().unwrap()[0].state;
        decide("anna").unwrap();
        assert_eq!(state(), SiteState::WaitingApproval);
        assert_eq!(decide("anna").unwrap_err().code, Code::SecondApprover);
        decide("ben").unwrap();
        assert_eq!(state(), SiteState::Sending);
    }
    federation.start_node("va", None);
    let view = federation.wait();
    assert_eq!(
        view["exchanges"][0]["end"], "done",
        "{}",
        view["exchanges"][0]
    );
    let truth = Truth::settled(&federation);
    truth.assert_exactly_once(&ALL);
    let events: Vec<&Value> = truth
        .ledger("va")
        .iter()
        .map(|entry| &entry["event"])
        .collect();
    let of = |word: &str| events.iter().filter(|event| event["event"] == word).count();
    assert_eq!((of("endorsed"), of("approved")), (2, 1));
    let by = |event: &&&Value| event["approver"] == "anna and ben";
    assert_eq!(events.iter().filter(by).count(), 1 + of("step"));
    federation.close(0);
}

#[test]
fn an_expired_agreement_computes_and_sends_nothing() {
    let mut federation = stepped(|site| {
        if site.slug == "va" {
            site.policy = Some(DUA.to_owned());
        }
    });
    federation.start();
    federation.launch();
    let job = federation.wait_state("va", "precheck-failed");
    let why = job["local_why"].as_str().unwrap();
    assert!(
        why.contains("FV-POL-007") && why.contains("has expired"),
        "{why}"
    );
    assert!(Truth::of(&federation).ledger("va").is_empty());
}
