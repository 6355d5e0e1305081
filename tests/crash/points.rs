//! Every named moment at which something is about to become, or has become, durable.
//!
//! From: `waypoint::pass` in node and coordinator.
//! To: `main`.

use std::collections::BTreeSet;
use std::os::unix::process::ExitStatusExt as _;
use std::sync::Mutex;
use std::time::{Duration, Instant};

use harness::{Federation, Process, Truth};

use crate::{Cast, SITE, Stage, WITHHOLDS, approve};

/// What is ended.
#[derive(Clone, Copy, Debug, Eq, PartialEq)]
enum Victim {
    /// The node of this site.
    Node(&'static str),
    /// The coordinator.
    Serve,
    /// A command of the coordinator's staff.
    Launch,
    Close,
    Report,
}

/// One moment, and a second one during the restart.
#[derive(Clone, Copy, Debug)]
struct Point {
    victim: Victim,
    at: &'static str,
    then: Option<&'static str>,
    cast: Cast,
}

const NODE: Victim = Victim::Node(SITE);
const DECLINER: Victim = Victim::Node(WITHHOLDS);

const fn point(victim: Victim, at: &'static str, cast: Cast) -> Point {
    Point {
        victim,
        at,
        then: None,
        cast,
    }
}

const fn twice(victim: Victim, at: &'static str, then: &'static str) -> Point {
    Point {
        victim,
        at,
        then: Some(then),
        cast: Cast::Automatic,
    }
}

const POINTS: &[Point] = &[
    point(NODE, "node.offer.received", Cast::Automatic),
    point(NODE, "node.offer.stored", Cast::Automatic),
    point(NODE, "node.protocol.received", Cast::Automatic),
    point(NODE, "node.protocol.stored", Cast::Automatic),
    point(NODE, "node.admitted", Cast::Automatic),
    point(NODE, "node.computing", Cast::Automatic),
    point(NODE, "node.preview.ready", Cast::Automatic),
    point(NODE, "node.preview.inside", Cast::Automatic),
    point(NODE, "node.approve.inside", Cast::Automatic),
    point(NODE, "node.preview.stored", Cast::Automatic),
    point(NODE, "node.delivering", Cast::Automatic),
    point(NODE, "node.receipt.received", Cast::Automatic),
    point(NODE, "node.receipt.stored", Cast::Automatic),
    point(NODE, "node.preview.stored", Cast::Approver),
    point(NODE, "node.approve.asked", Cast::Approver),
    point(NODE, "node.approve.inside", Cast::Approver),
    point(NODE, "node.decided", Cast::Approver),
    point(NODE, "node.checkpoint.signed", Cast::Automatic),
    point(NODE, "node.checkpoint.kept#2", Cast::Automatic),
    point(DECLINER, "node.decline.acknowledged", Cast::Withholding),
    point(DECLINER, "node.decline.told", Cast::Withholding),
    twice(NODE, "node.computing", "node.start.locked"),
    twice(NODE, "node.delivering", "node.start.opened"),
    twice(NODE, "node.delivering", "node.receipt.received"),
    point(Victim::Serve, "coordinator.hello.stored", Cast::Automatic),
    point(
        Victim::Serve,
        "coordinator.checkpoint.stored#3",
        Cast::Automatic,
    ),
    point(Victim::Serve, "coordinator.offer.stored", Cast::Automatic),
    point(Victim::Serve, "coordinator.protocol.asked", Cast::Automatic),
    point(
        Victim::Serve,
        "coordinator.progress.stored",
        Cast::Automatic,
    ),
    point(
        Victim::Serve,
        "coordinator.deliver.received",
        Cast::Automatic,
    ),
    point(
        Victim::Serve,
        "coordinator.deliver.checked",
        Cast::Automatic,
    ),
    point(Victim::Serve, "coordinator.deliver.inside", Cast::Automatic),
    point(Victim::Serve, "coordinator.deliver.stored", Cast::Automatic),
    point(
        Victim::Serve,
        "coordinator.deliver.stored#4",
        Cast::Automatic,
    ),
    point(
        Victim::Serve,
        "coordinator.decline.received",
        Cast::Withholding,
    ),
    point(
        Victim::Serve,
        "coordinator.decline.stored",
        Cast::Withholding,
    ),
    twice(
        Victim::Serve,
        "coordinator.deliver.inside",
        "coordinator.serve.locked",
    ),
    twice(
        Victim::Serve,
        "coordinator.deliver.stored",
        "coordinator.serve.bound",
    ),
    point(NODE, "node.noise.spent", Cast::Noisy),
    point(NODE, "node.noise.drawn", Cast::Noisy),
    point(NODE, "node.noise.stored", Cast::Noisy),
    Point {
        victim: NODE,
        at: "node.noise.spent",
        then: Some("node.noise.drawn"),
        cast: Cast::Noisy,
    },
    point(NODE, "node.step.received#2", Cast::Stepping),
    point(NODE, "node.step.kept#2", Cast::Stepping),
    point(NODE, "node.step.ready#3", Cast::Stepping),
    point(NODE, "node.step.inside#3", Cast::Stepping),
    point(NODE, "node.step.stored#5", Cast::Stepping),
    point(NODE, "node.receipt.received#4", Cast::Stepping),
    point(NODE, "node.step.declined", Cast::Unstepping),
    point(Victim::Serve, "coordinator.step.inside", Cast::Stepping),
    point(Victim::Serve, "coordinator.step.stored#3", Cast::Stepping),
    point(
        Victim::Serve,
        "coordinator.deliver.stored#10",
        Cast::Stepping,
    ),
    point(Victim::Serve, "coordinator.step.declined", Cast::Unstepping),
    point(Victim::Launch, "coordinator.launch.inside", Cast::Automatic),
    point(Victim::Launch, "coordinator.launch.stored", Cast::Automatic),
    point(Victim::Close, "coordinator.close.asked", Cast::Automatic),
    point(Victim::Close, "coordinator.close.stored", Cast::Automatic),
    point(Victim::Report, "coordinator.pool.stored", Cast::Automatic),
    point(
        Victim::Report,
        "coordinator.report.written",
        Cast::Automatic,
    ),
];

/// Rounds that run beside each other; most of their time they wait for one another.
const BESIDE: usize = 6;

#[test]
fn a_round_survives_a_kill_at_every_named_moment() {
    let begun = Instant::now();
    let stage = Stage::new();
    stage.undisturbed(Cast::Automatic);
    stage.undisturbed(Cast::Withholding);
    stage.undisturbed(Cast::Stepping);
    stage.undisturbed(Cast::Unstepping);
    stage.undisturbed(Cast::Noisy);
    let next = Mutex::new(POINTS.iter());
    std::thread::scope(|scope| {
        for _ in 0..BESIDE {
            scope.spawn(|| {
                while let Some(point) = { next.lock().unwrap().next() } {
                    let began = begun.elapsed();
                    run(&stage, *point);
                    let took = (begun.elapsed() - began).as_secs_f32();
                    println!("{took:5.1} s  {point:?}");
                }
            });
        }
    });
    println!(
        "{} points in {:.0} s",
        POINTS.len(),
        begun.elapsed().as_secs_f32()
    );
}

fn run(stage: &Stage, point: Point) {
    let mut federation = stage.federation(point.cast);
    begin(&mut federation, point);
    Truth::of(&federation).assert_never_ahead();
    stage.assert_as_undisturbed(&mut federation, point.cast);
}

/// A round up to and including the crash and the restart.
fn begin(federation: &mut Federation, point: Point) {
    match point.victim {
        Victim::Node(site) => {
            federation.start_serve(None);
            for other in federation.slugs() {
                let kill_at = (other == site).then_some(point.at);
                federation.start_node(&other, kill_at);
            }
            federation.launch();
            if point.at == "node.decided" || point.at.starts_with("node.approve") {
                approve_when_asked(federation, point);
            }
            died(federation.take_node(site), point);
            Truth::of(federation).assert_never_ahead();
            if point.cast == Cast::Noisy {
                // Whatever was drawn by now is paid for.
                assert_eq!(crate::noted(federation, "spent"), 1, "{point:?}");
            }
            if point.then.is_some() {
                federation.start_node(site, point.then);
                died(federation.take_node(site), point);
            }
            federation.start_node(site, None);
        }
        Victim::Serve => {
            federation.start_serve(Some(point.at));
            for site in federation.slugs() {
                federation.start_node(&site, None);
            }
            federation.launch();
            died(federation.take_serve(), point);
            Truth::of(federation).assert_never_ahead();
            if point.then.is_some() {
                federation.start_serve(point.then);
                died(federation.take_serve(), point);
            }
            federation.start_serve(None);
        }
        Victim::Launch | Victim::Close | Victim::Report => command(federation, point),
    }
}

/// In automatic mode the moment comes by itself.
fn approve_when_asked(federation: &Federation, point: Point) {
    if point.cast == Cast::Approver {
        federation.wait_state(SITE, "waiting-approval");
        assert!(
            approve(federation).is_err(),
            "the node answered after {}",
            point.at
        );
    }
}

/// A command ends in its middle and is typed again by `finish`.
fn command(federation: &mut Federation, point: Point) {
    federation.start();
    let round = federation.round();
    let locked = federation.path("study.locked.json").display().to_string();
    let out = federation.path("report").display().to_string();
    if point.victim == Victim::Launch {
        let killed = federation.fedval_killed_at(&["round", "launch", &locked], Some(point.at));
        assert_eq!(killed.code, None, "{point:?}: {}", killed.err);
        federation.launch();
        return;
    }
    federation.launch();
    federation.wait();
    let words: &[&str] = if point.victim == Victim::Close {
        &["round", "close", round]
    } else {
        federation.close(0);
        &["report", "build", round, "--out", &out]
    };
    let killed = federation.fedval_killed_at(words, Some(point.at));
    assert_eq!(killed.code, None, "{point:?}: {}", killed.err);
}

/// The process must have ended itself at the moment, by SIGKILL.
fn died(mut process: Process, point: Point) {
    let status = process.wait_end(Duration::from_secs(60));
    let signal = status.and_then(|status| status.signal());
    assert_eq!(
        signal,
        Some(9),
        "{point:?} did not come:\n{}",
        process.words()
    );
}

/// Every moment the programs name is ended at, and every moment named here exists.
#[test]
fn every_named_moment_is_tried() {
    let mut named = BTreeSet::new();
    for member in ["node/src", "coordinator/src"] {
        let root = std::path::Path::new(env!("CARGO_MANIFEST_DIR"))
            .parent()
            .unwrap();
        for (_, bytes) in harness::files(&root.join(member)) {
            let text = String::from_utf8_lossy(&bytes).into_owned();
            let calls = text.split("waypoint::pass(\"").skip(1);
            named.extend(calls.filter_map(|rest| rest.split('"').next().map(str::to_owned)));
            assert!(
                !text.contains("FEDVAL_TEST_KILL_AT"),
                "a shipped program can be told to end"
            );
        }
    }
    let tried: BTreeSet<String> = POINTS
        .iter()
        .flat_map(|point| [Some(point.at), point.then])
        .flatten()
        .map(|at| at.split('#').next().unwrap().to_owned())
        .collect();
    // A refused job never becomes a release; `malicious` tries that.
    named.remove("node.refusal.stored");
    // Between two images nothing is durable that a round needs; `segmentation` tries the one, and
    // `round` waits at the other.
    named.remove("node.image.kept");
    named.remove("node.image.read");
    assert_eq!(named, tried);
    assert!(POINTS.len() >= 20);
}
