//! Leaving a study: what waits is dropped, what comes is refused, what was released stays in the
//! ledger, and only the site's own list brings the study back.

use std::time::{Duration, Instant};

use harness::{Federation, Truth};
use serde_json::Value;
use shared::fault::Code;

use crate::consortium;
use crate::twice::{ROUNDS, approve, launch, waiting};

const SITE: &str = "cleveland";
const REASON: &str = "the-agreement-ended-4711";

/// Waits until the coordinator has an answer of the site; its word.
pub(crate) fn told(federation: &Federation, (site, round): (&str, &str)) -> String {
    let until = Instant::now() + Duration::from_secs(60);
    loop {
        let view = federation
            .fedval(&["round", "status", round])
            .expect(0)
            .data();
        let mut rows = view["sites"].as_array().unwrap().iter();
        let row = rows.find(|row| row["site"] == site).unwrap();
        if let Some(word) = row["refusal"].as_str() {
            return word.to_owned();
        }
        assert!(Instant::now() < until, "{view}");
        std::thread::sleep(Duration::from_millis(50));
    }
}

fn events(federation: &Federation) -> Vec<Value> {
    let entries = federation.node(SITE, &["ledger", "list"]).expect(0).data();
    let entries = entries.as_array().unwrap().iter();
    entries.map(|entry| entry["event"].clone()).collect()
}

fn words(events: &[Value]) -> Vec<&str> {
    events
        .iter()
        .map(|event| event["event"].as_str().unwrap())
        .collect()
}

fn leave(federation: &Federation) {
    federation
        .node(SITE, &["leave", "heart-disease", "--reason", REASON])
        .expect(0);
}

#[test]
fn a_study_that_was_left_is_not_computed_until_it_is_listed_anew() {
    let mut federation = consortium(|site| {
        if site.slug == SITE {
            *site = site.clone().standard().manual();
            site.four_eyes = "first";
        }
    });
    federation.start();
    launch(&federation, ROUNDS[0]);
    let preview = waiting(&federation, ROUNDS[0]);
    let blank = federation.node(SITE, &["leave", "heart-disease", "--reason", " "]);
    assert_eq!(blank.expect(2).json()["error"]["code"], "FV-CLI-001");
    let unknown = federation.node(SITE, &["leave", "another", "--reason", "x"]);
    assert_eq!(unknown.expect(1).json()["error"]["code"], "FV-STUDY-006");
    leave(&federation);
    assert_eq!(told(&federation, (SITE, ROUNDS[0])), "not released");
    assert_eq!(
        approve(&federation, &preview).unwrap_err().code,
        Code::NotWaiting
    );
    // A new job is refused, now and after a restart.
    launch(&federation, ROUNDS[1]);
    assert_eq!(told(&federation, (SITE, ROUNDS[1])), "study not listed");
    federation.take_node(SITE).stop();
    federation.start_node(SITE, None);
    launch(&federation, ROUNDS[2]);
    assert_eq!(told(&federation, (SITE, ROUNDS[2])), "study not listed");
    let status = federation.node(SITE, &["status"]).expect(0).data();
    assert_eq!(status["left"], serde_json::json!(["heart-disease"]));
    let all = events(&federation);
    assert_eq!(words(&all), ["left", "declined", "declined", "declined"]);
    assert_eq!(
        (&all[0]["reason"], &all[1]["reason"]),
        (&REASON.into(), &REASON.into())
    );
    for (name, bytes) in federation.outside() {
        let own = name.ends_with("cleveland.log");
        let found = bytes
            .windows(REASON.len())
            .any(|part| part == REASON.as_bytes());
        assert!(own || !found, "{name} has the reason");
    }
    // Off the list, then on it again: the study begins anew, with two people.
    for listed in [vec![], vec!["heart-disease".to_owned()]] {
        federation.take_node(SITE).stop();
        federation.change_site(SITE, |site| site.studies = listed);
        let nth = 1 + std::fs::read_to_string(federation.path("cleveland.log"))
            .unwrap()
            .matches("connected")
            .count();
        federation.start_node(SITE, None);
        let wait = Duration::from_secs(30);
        federation.running(SITE).wait_for("connected", nth, wait);
    }
    launch(&federation, "heart-disease.r4");
    let preview = waiting(&federation, "heart-disease.r4");
    assert_eq!(preview["approval"]["why"], "first");
    assert_eq!(words(&events(&federation)).last(), Some(&"returned"));
    federation.node(SITE, &["ledger", "verify"]).expect(0);
}

#[test]
fn what_was_approved_and_not_sent_is_dropped_and_what_was_sent_stays() {
    let mut federation = consortium(|site| {
        if site.slug == SITE {
            *site = site.clone().manual();
        }
    });
    federation.start();
    launch(&federation, ROUNDS[0]);
    approve(&federation, &waiting(&federation, ROUNDS[0])).unwrap();
    federation.wait_state(SITE, "delivered");
    launch(&federation, ROUNDS[1]);
    let second = waiting(&federation, ROUNDS[1]);
    federation.node(SITE, &["pause", "--reason", "x"]).expect(0);
    approve(&federation, &second).unwrap();
    leave(&federation);
    federation.node(SITE, &["resume"]).expect(0);
    assert_eq!(told(&federation, (SITE, ROUNDS[1])), "not released");
    let all = events(&federation);
    assert_eq!(
        words(&all),
        [
            "approved",
            "delivered",
            "paused",
            "approved",
            "left",
            "declined",
            "resumed"
        ]
    );
    let truth = Truth::of(&federation);
    let sent = truth.inbox().iter().filter(|(site, ..)| site == SITE);
    let digests: Vec<&String> = sent.map(|(_, digest, ..)| digest).collect();
    assert_eq!(digests, [all[0]["digest"].as_str().unwrap()]);
}

pub(crate) fn take_back(federation: &Federation, site: &str) {
    let command = ["leave", "heart-disease", "--reason", REASON, "--withdraw"];
    federation.node(site, &command).expect(0);
}

#[test]
fn a_release_that_is_taken_back_is_in_no_pool() {
    let mut federation = consortium(|_| {});
    federation.start();
    launch(&federation, ROUNDS[0]);
    launch(&federation, ROUNDS[1]);
    for round in [ROUNDS[0], ROUNDS[1]] {
        let wait = ["round", "wait", round, "--timeout", "60s"];
        federation.fedval(&wait).expect(0);
    }
    let close = ["round", "close", ROUNDS[0]];
    federation.fedval(&close).expect(0);
    take_back(&federation, SITE);
    assert_eq!(told(&federation, (SITE, ROUNDS[1])), "withdrawn");
    // A second wish changes nothing.
    take_back(&federation, SITE);
    let accept = [
        &["round", "accept", ROUNDS[1], "--site", SITE][..],
        &["--reason", "x"],
    ]
    .concat();
    let refused = federation.fedval(&accept).expect(1).json();
    assert_eq!(refused["error"]["code"], "FV-CLI-002");
    federation.fedval(&["round", "close", ROUNDS[1]]).expect(0);
    for (round, outcome) in [(ROUNDS[0], "released"), (ROUNDS[1], "withdrew")] {
        let folder = federation.path(round);
        let folder = folder.to_str().unwrap();
        federation
            .fedval(&["report", "build", round, "--out", folder])
            .expect(0);
        let text = std::fs::read(federation.path(round).join("report.json")).unwrap();
        let report: Value = serde_json::from_slice(&text).unwrap();
        let mut sites = report["study"]["sites"].as_array().unwrap().iter();
        let site = sites.find(|one| one["site"] == SITE).unwrap();
        assert_eq!(site["outcome"], outcome);
        assert_eq!(
            site["statistics"].as_array().unwrap().is_empty(),
            outcome == "withdrew"
        );
        // The hospitals' own page of sites says it, too.
        let rows = std::fs::read_to_string(federation.path(round).join("sites.csv")).unwrap();
        assert_eq!(
            rows.contains("took its release back"),
            outcome == "withdrew"
        );
    }
    let trail = federation.fedval(&["ledger", "list"]).expect(0).data();
    let what = |word: &str| {
        let entries = trail.as_array().unwrap().iter();
        entries
            .filter(|entry| entry["content"]["what"] == word)
            .count()
    };
    assert_eq!(what("release withdrawn"), 1);
    assert_eq!(what("withdrawal after the close"), 1);
    federation.fedval(&["ledger", "verify"]).expect(0);
    let all = events(&federation);
    assert_eq!(
        &words(&all)[all.len() - 3..],
        ["left", "declined", "declined"]
    );
    federation.node(SITE, &["ledger", "verify"]).expect(0);
}

/// The node ended between the coordinator's receipt and its own note of it.
#[test]
fn a_release_that_arrived_unconfirmed_is_taken_back_too() {
    let mut federation = consortium(|_| {});
    federation.start_serve(None);
    for slug in federation.slugs() {
        let moment = (slug == SITE).then_some("node.receipt.received");
        federation.start_node(&slug, moment);
    }
    launch(&federation, ROUNDS[0]);
    let ended = federation.take_node(SITE).wait_end(Duration::from_secs(60));
    assert!(ended.is_some());
    take_back(&federation, SITE);
    federation.start_node(SITE, None);
    assert_eq!(told(&federation, (SITE, ROUNDS[0])), "withdrawn");
    let status = ["round", "status", ROUNDS[0]];
    let view = federation.fedval(&status).expect(0).data();
    let mut sites = view["sites"].as_array().unwrap().iter();
    let site = sites.find(|one| one["site"] == SITE).unwrap();
    assert_eq!(site["outcome"], "withdrew", "{view}");
}
