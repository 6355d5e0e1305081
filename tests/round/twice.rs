//! Two jobs at one hospital: what both together say is compared, whichever is approved first, and
//! what the site's budget does not cover waits for a person.

use std::time::{Duration, Instant};

use harness::Federation;
use node::daemon::control::{Request, ask};
use node::release::Verb;
use serde_json::Value;
use shared::disclosure::policy::STANDARD;
use shared::fault::{Code, Fault};

use crate::consortium;

const SITE: &str = "cleveland";
pub(crate) const ROUNDS: [&str; 3] = ["heart-disease.r1", "heart-disease.r2", "heart-disease.r3"];

/// Waits until the job of a round waits for approval; its preview.
pub(crate) fn waiting(federation: &Federation, round: &str) -> Value {
    let until = Instant::now() + Duration::from_secs(60);
    loop {
        let answer = federation.node(SITE, &["job", "preview", round]);
        if answer.code == Some(0) {
            return answer.data();
        }
        assert!(Instant::now() < until, "{}", answer.out);
        std::thread::sleep(Duration::from_millis(30));
    }
}

pub(crate) fn approve(federation: &Federation, preview: &Value) -> Result<(), Fault> {
    let digest = |value: &Value| value.as_str().unwrap().parse().unwrap();
    let decision = Verb::Approve {
        job: digest(&preview["job"]["digest"]),
        seen: digest(&preview["digest"]),
        standing: serde_json::from_value(preview["approval"]["standing"].clone()).unwrap(),
        note: None,
        signature: None,
    };
    let state = federation.path(SITE).join("state");
    ask(&state, &Request::Decide { decision }).map(drop)
}

pub(crate) fn launch(federation: &Federation, round: &str) {
    let locked = federation.path("study.locked.json");
    let locked = locked.to_str().unwrap();
    federation
        .fedval(&["round", "launch", locked, "--round", round])
        .expect(0);
}

#[test]
fn of_two_previews_the_second_is_computed_again_before_it_may_leave() {
    let mut federation = consortium(|site| {
        if site.slug == SITE {
            *site = site.clone().standard().manual();
        }
    });
    federation.start();
    let previews = [ROUNDS[0], ROUNDS[1]].map(|round| {
        launch(&federation, round);
        waiting(&federation, round)
    });
    approve(&federation, &previews[0]).unwrap();
    let fault = approve(&federation, &previews[1]).unwrap_err();
    assert_eq!(fault.code, Code::PreviewStale);
    assert!(fault.fix.contains("job retry"), "{fault}");
    federation
        .node(SITE, &["job", "retry", ROUNDS[1]])
        .expect(0);
    // The same patients, asked the same: now it has been compared.
    let again = waiting(&federation, ROUNDS[1]);
    let said = |preview: &Value| -> Vec<[Value; 2]> {
        let items = preview["items"].as_array().unwrap().iter();
        items
            .map(|item| ["name", "value"].map(|key| item[key].clone()))
            .collect()
    };
    assert_eq!(said(&again), said(&previews[1]));
    approve(&federation, &again).unwrap();
    federation.node(SITE, &["ledger", "verify"]).expect(0);
}

#[test]
fn beyond_its_budget_a_site_that_is_automatic_waits_for_a_person() {
    let mut federation = consortium(|site| {
        if site.slug == SITE {
            site.policy = Some(STANDARD.replace("cohorts = 25", "cohorts = 0"));
        }
    });
    federation.start();
    launch(&federation, ROUNDS[0]);
    let preview = waiting(&federation, ROUNDS[0]);
    let findings = preview["findings"].to_string();
    assert!(findings.contains("rule L4"), "{findings}");
    approve(&federation, &preview).unwrap();
}

#[test]
fn a_paused_node_computes_and_sends_nothing_until_it_is_resumed() {
    let mut federation = consortium(|_| ());
    federation.start();
    let pause = ["pause", "--reason", "the server is moved"];
    federation.node(SITE, &pause).expect(0);
    launch(&federation, ROUNDS[0]);
    // The others are done, and this one has begun nothing.
    federation.wait_state("va", "delivered");
    federation.wait_state(SITE, "computing");
    federation.take_node(SITE).stop();
    federation.start_node(SITE, None);
    federation.wait_state(SITE, "computing");
    let status = federation.node(SITE, &["status"]).expect(0).data();
    assert_eq!(status["paused"]["reason"], "the server is moved");
    federation.node(SITE, &["resume"]).expect(0);
    federation.wait_state(SITE, "delivered");
    let entries = federation.node(SITE, &["ledger", "list"]).expect(0).data();
    let entries = entries.as_array().unwrap().iter();
    let words: Vec<&str> = entries
        .map(|entry| entry["event"]["event"].as_str().unwrap())
        .collect();
    assert_eq!(words, ["paused", "resumed", "approved", "delivered"]);
}

#[test]
fn what_was_approved_does_not_leave_a_paused_node() {
    let mut federation = consortium(|site| {
        if site.slug == SITE {
            *site = site.clone().manual();
        }
    });
    federation.start();
    launch(&federation, ROUNDS[0]);
    let preview = waiting(&federation, ROUNDS[0]);
    federation.node(SITE, &["pause", "--reason", "x"]).expect(0);
    approve(&federation, &preview).unwrap();
    federation.wait_state("va", "delivered");
    federation.wait_state(SITE, "sending");
    federation.node(SITE, &["resume"]).expect(0);
    federation.wait_state(SITE, "delivered");
}
