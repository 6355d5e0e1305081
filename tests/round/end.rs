//! A node restarts in every state of a job, by SIGTERM and by SIGKILL; a person's decision that
//! comes while the node is down or computing stands.

use std::time::Duration;

use harness::{Federation, Mode, Truth};

use crate::consortium;

const SITE: &str = "va";

fn manual() -> Federation {
    consortium(|site| {
        if site.slug == SITE {
            site.mode = Mode::Manual;
        }
    })
}

fn restart(federation: &mut Federation, politely: bool) {
    let node = federation.take_node(SITE);
    if politely {
        node.stop();
    } else {
        node.kill();
    }
    federation.start_node(SITE, None);
}

#[test]
fn a_node_restarts_while_it_waits_for_approval() {
    let mut federation = manual();
    federation.start();
    federation.launch();
    let before = federation.wait_state(SITE, "waiting-approval");
    let shown = federation
        .node(SITE, &["job", "preview", federation.round()])
        .data();
    for politely in [true, false] {
        restart(&mut federation, politely);
        assert_eq!(federation.wait_state(SITE, "waiting-approval"), before);
    }
    let again = federation
        .node(SITE, &["job", "preview", federation.round()])
        .data();
    assert_eq!(shown["digest"], again["digest"]);
    // Computed again by hand: the same bytes, since data, policy and salt are the same.
    federation
        .node(SITE, &["job", "retry", federation.round()])
        .expect(0);
    federation.wait_state(SITE, "waiting-approval");
    let again = federation
        .node(SITE, &["job", "preview", federation.round()])
        .data();
    assert_eq!(shown["digest"], again["digest"]);
}

#[test]
fn a_decision_without_a_running_node_is_sent_when_it_runs() {
    let mut federation = manual();
    federation.start();
    federation.launch();
    federation.wait_state(SITE, "waiting-approval");
    federation.take_node(SITE).stop();
    let words = ["job", "reject", federation.round(), "--reason", "not now"];
    federation.node(SITE, &words).expect(0);
    federation.start_node(SITE, None);
    federation.wait();
    federation.close(1);
    Truth::settled(&federation).assert_exactly_once(&["cleveland", "hungarian", "switzerland"]);
}

#[test]
fn a_failed_data_check_is_mended_and_computed_again() {
    let mut federation = manual();
    let good = std::fs::read(federation.path("va/predictions.csv")).unwrap();
    federation.change_site(SITE, |site| site.table = b"case_id,age\nx,1\n".to_vec());
    federation.start();
    federation.launch();
    federation.wait_state(SITE, "precheck-failed");
    restart(&mut federation, false);
    federation.wait_state(SITE, "precheck-failed");
    federation.change_site(SITE, |site| site.table = good);
    federation
        .node(SITE, &["job", "retry", federation.round()])
        .expect(0);
    federation.wait_state(SITE, "waiting-approval");
    let words = ["job", "reject", federation.round(), "--reason", "enough"];
    federation.node(SITE, &words).expect(0);
    federation.wait();
}

#[test]
fn a_rejection_that_comes_while_the_node_computes_stands() {
    // Released by configuration: the one person who says no in time must win.
    let mut federation = consortium(|_| {});
    federation.start_serve(None);
    for site in ["cleveland", "hungarian", "switzerland"] {
        federation.start_node(site, None);
    }
    let go = federation.start_node_held(SITE, "node.preview.ready");
    federation.launch();
    federation.wait_state(SITE, "computing");
    let words = ["job", "reject", federation.round(), "--reason", "stop"];
    federation.node(SITE, &words).expect(0);
    std::fs::write(go, "").unwrap();
    federation
        .running(SITE)
        .wait_for("decided meanwhile", 1, Duration::from_secs(20));
    federation.wait();
    federation.wait_state(SITE, "rejected-by-site");
    federation.close(1);
    Truth::settled(&federation).assert_exactly_once(&["cleveland", "hungarian", "switzerland"]);
}
