//! Starting, stopping and what must not run beside each other.

use std::os::unix::process::ExitStatusExt as _;
use std::time::{Duration, Instant};

use harness::Truth;

use crate::consortium;

const ALL: [&str; 4] = ["cleveland", "hungarian", "switzerland", "va"];

#[test]
fn both_ends_stop_cleanly_within_two_seconds_and_go_on() {
    let mut federation = consortium(|_| {});
    federation.start();
    for site in ALL {
        federation
            .running(site)
            .wait_for("connected", 1, Duration::from_secs(20));
    }
    // With four polls held open.
    let (took, status) = federation.take_serve().stop();
    assert!(
        status.success() && took < Duration::from_secs(2),
        "{status} {took:?}"
    );
    federation.start_serve(None);
    for site in ALL {
        let begun = Instant::now();
        // A polite stop is noticed at once; the wait between tries is short.
        federation
            .running(site)
            .wait_for("connected", 2, Duration::from_secs(10));
        assert!(begun.elapsed() < Duration::from_secs(8));
    }
    federation.launch();
    federation.wait();
    for site in ALL {
        let (took, status) = federation.take_node(site).stop();
        assert!(
            status.success() && took < Duration::from_secs(2),
            "{status} {took:?}"
        );
        assert!(!federation.path(site).join("state/control.sock").exists());
        federation.start_node(site, None);
    }
    for site in ALL {
        federation.wait_state(site, "delivered");
    }
    Truth::settled(&federation).assert_exactly_once(&ALL);
}

#[test]
fn nodes_notice_a_killed_coordinator_soon_after_it_is_back() {
    let mut federation = consortium(|_| {});
    federation.start();
    for site in ALL {
        federation
            .running(site)
            .wait_for("connected", 1, Duration::from_secs(20));
    }
    federation.take_serve().kill();
    federation.start_serve(None);
    let begun = Instant::now();
    federation.launch();
    federation.wait();
    // The next beat, at most 15 s later, is answered by a reset (RFC 9000, 10.3).
    assert!(
        begun.elapsed() < Duration::from_secs(22),
        "{:?}",
        begun.elapsed()
    );
}

#[test]
fn one_process_per_state_directory() {
    let mut federation = consortium(|_| {});
    federation.start();
    federation
        .running("va")
        .wait_for("connected", 1, Duration::from_secs(20));
    let second = harness::Answer::of(federation.node_command("va").arg("run"));
    assert!(second.err.contains("FV-CONF-004"), "{}", second.err);
    let second = federation.fedval(&["serve", "--listen", "127.0.0.1:0"]);
    assert_eq!(second.json()["error"]["code"], "FV-CONF-004");
    // The first ones were not disturbed.
    federation.launch();
    federation.wait();
}

#[test]
fn a_socket_path_that_is_too_long_is_told() {
    let federation = consortium(|site| {
        if site.slug == "va" {
            let long = "a-folder-with-a-long-name/".repeat(5);
            site.more = format!("[logging]\nlevel = \"info\"\n# {long}\n");
        }
    });
    let config = federation.path("va/node.toml");
    let text = std::fs::read_to_string(&config).unwrap();
    let long = format!("dir = \"{}state\"", "a-folder-with-a-long-name/".repeat(5));
    std::fs::write(&config, text.replace("dir = \"state\"", &long)).unwrap();
    let answer = harness::Answer::of(federation.node_command("va").arg("run"));
    assert_eq!(answer.code, Some(78), "{}", answer.err);
    assert!(answer.err.contains("FV-CONF-003"), "{}", answer.err);
    assert!(answer.err.contains("shorter path"), "{}", answer.err);
}

#[test]
fn a_restored_state_directory_sends_nothing_until_it_is_explained() {
    let mut federation = consortium(|_| {});
    federation.start();
    federation.launch();
    federation.wait();
    federation.wait_state("va", "delivered");
    federation.take_node("va").stop();
    // The ledger of before the round: an empty one.
    std::fs::remove_dir_all(federation.path("va/state")).unwrap();
    federation.start_node("va", None);
    let node = federation.running("va");
    let status = node.wait_end(Duration::from_secs(20)).unwrap();
    assert!(node.words().contains("FV-LEDGER-002"), "{}", node.words());
    assert_eq!((status.signal(), status.success()), (None, false));
    let words = ["site", "rebaseline", "va", "--reason", "disk replaced"];
    federation.fedval(&words).expect(0);
    federation.start_node("va", None);
    federation
        .running("va")
        .wait_for("connected", 2, Duration::from_secs(20));
}
