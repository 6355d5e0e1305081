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
const ROUNDS: [&str; 2] = ["heart-disease.r1", "heart-disease.r2"];

/// Waits until the job of a round waits for approval; its preview.
fn waiting(federation: &Federation, round: &str) -> Value {
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

fn approve(federation: &Federation, preview: &Value) -> Result<(), Fault> {
    let digest = |value: &Value| value.as_str().unwrap().parse().unwrap();
    let decision = Verb::Approve {
        job: digest(&preview["job"]["digest"]),
        seen: digest(&preview["digest"]),
        note: None,
    };
    let state = federation.path(SITE).join("state");
    ask(&state, &Request::Decide { decision }).map(drop)
}

fn launch(federation: &Federation, round: &str) {
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
    let previews = ROUNDS.map(|round| {
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
    assert_eq!(again["items"], previews[1]["items"]);
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
