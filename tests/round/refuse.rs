//! Nodes that do not run a job, and what the others learn of it.

use harness::Truth;
use serde_json::Value;

use crate::consortium;

#[test]
fn without_a_policy_file_no_job_runs_and_outside_it_waits() {
    let mut federation = consortium(|site| {
        if site.slug == "va" {
            site.policy = None;
        }
    });
    federation.start();
    federation.launch();
    let job = federation.wait_state("va", "precheck-failed");
    assert!(
        job["local_why"].as_str().unwrap().contains("FV-POL-001"),
        "{job}"
    );
    let answer = federation.fedval(&["round", "wait", federation.round(), "--timeout", "3s"]);
    let answer = answer.expect(3);
    let why = answer.json()["error"]["why"].clone();
    assert_eq!(why, "still missing: va (waiting-approval)");
    let view = answer.data();
    let va = view["sites"]
        .as_array()
        .unwrap()
        .iter()
        .find(|row| row["site"] == "va")
        .unwrap();
    assert_eq!(va["state"], "waiting-approval");

    // Closing names it; the report does too.
    let closed = federation.close(1);
    assert_eq!(closed["missing"][0], "va (waiting-approval)");
    let report = federation.report("report");
    let text = std::fs::read(report.join("report.json")).unwrap();
    let report: Value = serde_json::from_slice(&text).unwrap();
    let sites = report["study"]["sites"].as_array().unwrap();
    let va = sites.iter().find(|site| site["site"] == "va").unwrap();
    assert_eq!(va["outcome"], "no-answer");
    Truth::settled(&federation).assert_exactly_once(&["cleveland", "hungarian", "switzerland"]);
}

#[test]
fn an_unlisted_study_is_refused_and_the_ledger_says_why() {
    let mut federation = consortium(|site| {
        if site.slug == "va" {
            site.studies = vec!["another-study".to_owned()];
        }
    });
    federation.start();
    federation.launch();
    let view = federation.wait();
    let va = view["sites"]
        .as_array()
        .unwrap()
        .iter()
        .find(|row| row["site"] == "va")
        .unwrap();
    assert_eq!(va["refusal"], "study not listed");
    assert_eq!(va["outcome"], "refused");
    federation.close(1);
    let truth = Truth::settled(&federation);
    truth.assert_exactly_once(&["cleveland", "hungarian", "switzerland"]);
    let [entry] = truth.ledger("va") else {
        panic!("one entry: {:?}", truth.ledger("va"));
    };
    assert_eq!(entry["event"]["event"], "declined");
    assert_eq!(entry["event"]["refusal"], "study not listed");
    assert_eq!(entry["event"]["by"], "admission");
    assert_eq!(
        federation.node("va", &["job", "list"]).data(),
        Value::Array(vec![])
    );
}

#[test]
fn a_closed_round_takes_nothing_and_the_site_learns_it() {
    let mut federation = consortium(|site| {
        if site.slug == "va" {
            site.mode = harness::Mode::Manual;
        }
    });
    federation.start();
    federation.launch();
    federation.wait_state("va", "waiting-approval");
    for site in ["cleveland", "hungarian", "switzerland"] {
        federation.wait_state(site, "delivered");
    }
    federation.close(1);
    let preview = federation
        .node("va", &["job", "preview", federation.round()])
        .data();
    let decision = node::release::Verb::Approve {
        job: preview["job"]["digest"].as_str().unwrap().parse().unwrap(),
        seen: preview["digest"].as_str().unwrap().parse().unwrap(),
        standing: serde_json::from_value(preview["approval"]["standing"].clone()).unwrap(),
        note: None,
        signature: None,
    };
    let request = node::daemon::control::Request::Decide { decision };
    node::daemon::control::ask(&federation.path("va").join("state"), &request).unwrap();
    federation.wait_state("va", "rejected-by-site");
    let truth = Truth::of(&federation);
    let events: Vec<&str> = truth
        .ledger("va")
        .iter()
        .map(|entry| entry["event"]["event"].as_str().unwrap())
        .collect();
    assert_eq!(events, ["approved", "declined"]);
    assert_eq!(truth.ledger("va")[1]["event"]["refusal"], "round closed");
    assert_eq!(truth.inbox().len(), 3);
}
