//! People at a site: they see the exact bytes, and nothing leaves without their word.

use std::process::{Command, Stdio};

use harness::{Federation, Mode, Truth};
use node::daemon::control::{Reply, Request, ask};
use node::release::Verb;
use serde_json::Value;
use shared::identity::Digest;

use crate::consortium;

const SITE: &str = "hungarian";

/// A round in which `hungarian` decides by hand, up to its preview.
fn previewed() -> Federation {
    let mut federation = consortium(|site| {
        if site.slug == SITE {
            site.mode = Mode::Manual;
        }
    });
    federation.start();
    federation.launch();
    federation.wait_state(SITE, "waiting-approval");
    federation
}

fn preview(federation: &Federation) -> Value {
    federation
        .node(SITE, &["job", "preview", federation.round()])
        .expect(0)
        .data()
}

/// The exact bytes, as the text form prints them.
fn shown_bytes(federation: &Federation) -> String {
    let mut command = federation.node_command(SITE);
    let answer = harness::Answer::of(command.args(["job", "preview", federation.round()]));
    let answer = answer.expect(0);
    let bytes = answer
        .out
        .lines()
        .find(|line| line.starts_with("{\"header\""));
    bytes.unwrap_or_else(|| panic!("{}", answer.out)).to_owned()
}

/// Ends the round and demands that what was shown is what was approved, sent and stored.
fn assert_sent_as_shown(federation: &mut Federation, shown: &str) {
    federation.wait();
    federation.wait_state(SITE, "delivered");
    let digest = Digest::of(shown.as_bytes()).to_string();
    let truth = Truth::of(federation);
    truth.assert_exactly_once(&["cleveland", "hungarian", "switzerland", "va"]);
    let stored = truth
        .inbox()
        .iter()
        .find(|(site, ..)| site == SITE)
        .unwrap();
    assert_eq!(stored.1, digest);
    let approved = &truth.ledger(SITE)[0]["event"];
    assert_eq!(approved["digest"], digest.as_str());
    assert_eq!(approved["size"], shown.len());
    federation.close(0);
}

#[test]
fn what_the_preview_shows_is_what_is_approved_and_sent() {
    let mut federation = previewed();
    let preview = preview(&federation);
    let shown = shown_bytes(&federation);
    assert_eq!(preview["digest"], Digest::of(shown.as_bytes()).to_string());
    assert_eq!(preview["bytes"], shown.len());
    let document: Value = serde_json::from_str(&shown).unwrap();
    assert_eq!(preview["document"], document);

    // Not scripted: without a terminal nothing is released.
    let answer = federation.node(SITE, &["job", "approve", federation.round()]);
    assert_eq!(answer.expect(7).json()["error"]["code"], "FV-POL-005");
    assert!(Truth::of(&federation).ledger(SITE).is_empty());

    let job: Digest = preview["job"]["digest"].as_str().unwrap().parse().unwrap();
    let decide = |seen: Digest| {
        let decision = Verb::Approve {
            job,
            seen,
            standing: serde_json::from_value(preview["approval"]["standing"].clone()).unwrap(),
            note: None,
            signature: None,
        };
        ask(
            &federation.path(SITE).join("state"),
            &Request::Decide { decision },
        )
    };
    // Approving other bytes than the ones that wait is refused.
    assert!(decide(Digest::of(b"other bytes")).is_err());
    let done = decide(Digest::of(shown.as_bytes())).unwrap();
    assert!(matches!(done, Some(Reply::Done { .. })));
    assert!(
        decide(Digest::of(shown.as_bytes())).is_err(),
        "approved twice"
    );
    assert_sent_as_shown(&mut federation, &shown);
}

/// Types lines at a pseudo-terminal in which a command of the site runs.
pub(crate) fn type_at_terminal(
    command: &Command,
    words: &str,
    lines: &[&str],
) -> (Option<i32>, String) {
    use std::io::Write as _;
    let program = command.get_program().to_str().unwrap().to_owned();
    let start: Vec<&str> = command
        .get_args()
        .map(|word| word.to_str().unwrap())
        .collect();
    let line = format!("{program} {} {words}", start.join(" "));
    let mut script = Command::new("script")
        .args(["-qefc", &line, "/dev/null"])
        .stdin(Stdio::piped())
        .stdout(Stdio::piped())
        .stderr(Stdio::null())
        .spawn()
        .unwrap();
    let mut keyboard = script.stdin.take().unwrap();
    for line in lines {
        writeln!(keyboard, "{line}").unwrap();
    }
    let output = script.wait_with_output().unwrap();
    drop(keyboard);
    let text = String::from_utf8_lossy(&output.stdout).into_owned();
    (output.status.code(), text)
}

/// Whether tests can type at a terminal here.
pub(crate) fn has_terminal() -> bool {
    let found = Command::new("script").arg("--version").output().is_ok();
    if !found {
        println!("skipped: no `script` (util-linux) on this machine");
    }
    found
}

#[test]
fn a_person_at_a_terminal_types_the_studys_name() {
    if !has_terminal() {
        return;
    }
    let mut federation = previewed();
    let shown = shown_bytes(&federation);
    let approve = format!("job approve {}", federation.round());
    let command = federation.node_command(SITE);
    let (code, text) = type_at_terminal(&command, &approve, &["yes"]);
    assert_eq!(code, Some(7), "{text}");
    assert!(Truth::of(&federation).ledger(SITE).is_empty());
    let (code, text) = type_at_terminal(&command, &approve, &["heart-disease"]);
    assert_eq!(code, Some(0), "{text}");
    assert!(text.contains(&shown), "the terminal shows the exact bytes");
    assert_sent_as_shown(&mut federation, &shown);
}

#[test]
fn a_rejection_is_told_as_not_released_and_named_in_the_report() {
    let mut federation = previewed();
    let reason = "the-reason-stays-here-4711";
    let words = ["job", "reject", federation.round(), "--reason", reason];
    federation.node(SITE, &words).expect(0);
    let view = federation.wait();
    let row = view["sites"]
        .as_array()
        .unwrap()
        .iter()
        .find(|row| row["site"] == SITE);
    assert_eq!(row.unwrap()["refusal"], "not released");
    let closed = federation.close(1);
    assert_eq!(
        closed["without_result"][0],
        "hungarian (not released under its own policy)"
    );
    let report = federation.report("report");
    let html = std::fs::read_to_string(report.join("report.html")).unwrap();
    assert!(html.contains("not released under its own policy"));
    let truth = Truth::settled(&federation);
    truth.assert_exactly_once(&["cleveland", "switzerland", "va"]);
    assert_eq!(truth.ledger(SITE)[0]["event"]["reason"], reason);
    for (name, bytes) in federation
        .outside()
        .into_iter()
        .chain(harness::files(&report))
    {
        let own = name.ends_with("hungarian.log");
        let found = bytes
            .windows(reason.len())
            .any(|part| part == reason.as_bytes());
        assert!(own || !found, "{name} has the reason");
    }
    // What was rejected stays rejected.
    let again = federation.node(SITE, &["job", "retry", federation.round()]);
    assert_eq!(again.expect(1).json()["error"]["code"], "FV-POL-006");
}
