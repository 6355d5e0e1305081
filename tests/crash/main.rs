//! Node and coordinator are ended with SIGKILL at named moments of a round and at random ones.
//! Whatever was running is started again, and the round must end as if nothing had happened: one
//! accepted release per site, none lost, none doubled, each in its site's ledger before it left,
//! and the report the same.
//!
//! From: `harness`.
//! To: `.ci/run crash`; the long form runs with `--include-ignored`.

mod points;
mod random;

use std::path::Path;
use std::sync::{Arc, OnceLock};
use std::time::Duration;

use harness::{Federation, Mode, Site, Template, Truth, comparable};
use node::daemon::control::{Request, ask};
use node::release::Verb;
use serde_json::Value;
use shared::disclosure::policy::STANDARD;

/// How the hospitals of a round behave.
#[derive(Clone, Copy, Debug, Eq, PartialEq)]
enum Cast {
    /// Everyone releases by configuration.
    Automatic,
    /// At `va` a person approves.
    Approver,
    /// `switzerland` withholds under the standard policy.
    Withholding,
    /// Everyone releases by configuration, and answers the steps of a second exchange.
    Stepping,
    /// The same, but the standard policy of `va` lets no step leave.
    Unstepping,
    /// `va` releases counts with noise.
    Noisy,
}

/// The site at which a person approves, and at which nodes are ended.
const SITE: &str = "va";
/// The section with which `va` adds noise.
const NOISE: &str = "\n[differential_privacy]\nmechanism = \"discrete-laplace\"\n\
                     epsilon_per_release = \"1\"\nblocks = 8\n";
/// The site that withholds.
const WITHHOLDS: &str = "switzerland";

impl Cast {
    fn apply(self, site: &mut Site) {
        match self {
            Self::Approver if site.slug == SITE => site.mode = Mode::Manual,
            Self::Withholding if site.slug == WITHHOLDS => site.policy = Some(STANDARD.to_owned()),
            Self::Unstepping if site.slug == SITE => site.policy = Some(STANDARD.to_owned()),
            Self::Noisy if site.slug == SITE => site.policy = Some(format!("{STANDARD}{NOISE}")),
            Self::Automatic
            | Self::Approver
            | Self::Withholding
            | Self::Stepping
            | Self::Unstepping
            | Self::Noisy => {}
        }
    }

    fn released(self) -> &'static [&'static str] {
        match self {
            Self::Automatic | Self::Approver | Self::Stepping | Self::Unstepping | Self::Noisy => {
                &["cleveland", "hungarian", "switzerland", "va"]
            }
            Self::Withholding => &["cleveland", "hungarian", "va"],
        }
    }

    /// Below the minimum of three external releases closing answers no.
    fn close_code(self) -> i32 {
        match self {
            Self::Automatic | Self::Approver | Self::Stepping | Self::Unstepping | Self::Noisy => 0,
            Self::Withholding => 1,
        }
    }
}

/// An enrolled consortium and the reports of undisturbed rounds.
struct Stage {
    template: Arc<Template>,
    quiet: OnceLock<Value>,
    withheld: OnceLock<Value>,
    stepped: OnceLock<Value>,
    unstepped: OnceLock<Value>,
    noisy: OnceLock<Value>,
}

impl Stage {
    fn new() -> Self {
        let federation = Federation::enrolled(harness::programs!(), Site::all());
        Self {
            template: federation.into_template(),
            quiet: OnceLock::new(),
            withheld: OnceLock::new(),
            stepped: OnceLock::new(),
            unstepped: OnceLock::new(),
            noisy: OnceLock::new(),
        }
    }

    fn federation(&self, cast: Cast) -> Federation {
        let federation = self.template.copy(|site| cast.apply(site));
        if matches!(cast, Cast::Stepping | Cast::Unstepping) {
            federation.plan_steps();
        }
        federation
    }

    /// The report of a round in which nothing was ended.
    fn undisturbed(&self, cast: Cast) -> &Value {
        let (cell, cast) = match cast {
            Cast::Automatic | Cast::Approver => (&self.quiet, Cast::Automatic),
            Cast::Withholding => (&self.withheld, Cast::Withholding),
            Cast::Stepping => (&self.stepped, Cast::Stepping),
            Cast::Unstepping => (&self.unstepped, Cast::Unstepping),
            Cast::Noisy => (&self.noisy, Cast::Noisy),
        };
        cell.get_or_init(|| {
            let mut federation = self.federation(cast);
            federation.start();
            federation.launch();
            let report = finish(&mut federation, cast);
            if cast == Cast::Noisy {
                paid_once(&federation);
                return Value::Null;
            }
            report
        })
    }

    /// Ends a disturbed round and compares it with an undisturbed one.
    fn assert_as_undisturbed(&self, federation: &mut Federation, cast: Cast) {
        let mut report = finish(federation, cast);
        if cast == Cast::Noisy {
            // Noise is drawn anew in every consortium; within one, once.
            paid_once(federation);
            report = Value::Null;
        }
        assert!(report == *self.undisturbed(cast), "the report differs");
    }
}

/// How many entries of `va`'s ledger record this event.
fn noted(federation: &Federation, word: &str) -> usize {
    let truth = Truth::of(federation);
    let entries = truth.ledger(SITE).iter();
    entries
        .filter(|entry| entry["event"]["event"] == word)
        .count()
}

/// However often the node was ended: one loss of the budget in ledger and status, one draw.
fn paid_once(federation: &Federation) {
    let counts = ["spent", "drawn"].map(|word| noted(federation, word));
    assert_eq!(counts, [1, 1]);
    let status = federation.node(SITE, &["status"]).expect(0).data();
    assert_eq!(status["privacy"]["spent"], "1");
}

/// Waits, closes, builds the report, looks into both databases.
fn finish(federation: &mut Federation, cast: Cast) -> Value {
    if cast == Cast::Approver {
        approve_if_waiting(federation);
    }
    federation.wait();
    // The receipt reaches the coordinator's view a moment before the node's own.
    for site in cast.released() {
        federation.wait_state(site, "delivered");
    }
    federation.close(cast.close_code());
    let report = federation.report("report");
    let truth = Truth::of(federation);
    truth.assert_exactly_once(cast.released());
    federation.fedval(&["check"]).expect(0);
    for site in federation.slugs() {
        federation.node(&site, &["ledger", "verify"]).expect(0);
    }
    comparable(&report)
}

/// The person at `va`: looks, and approves what the preview shows.
fn approve(federation: &Federation) -> Result<(), shared::fault::Fault> {
    let preview = federation
        .node(SITE, &["job", "preview", federation.round()])
        .expect(0)
        .data();
    let decision = Verb::Approve {
        job: preview["job"]["digest"].as_str().unwrap().parse().unwrap(),
        seen: preview["digest"].as_str().unwrap().parse().unwrap(),
        standing: serde_json::from_value(preview["approval"]["standing"].clone()).unwrap(),
        note: None,
        signature: None,
    };
    let state = federation.path(SITE).join("state");
    ask(Path::new(&state), &Request::Decide { decision }).map(|_| ())
}

/// Approves unless an approval before the crash already counts.
fn approve_if_waiting(federation: &Federation) {
    let decided = |job: &Value| job["state"] == "sending" || job["state"] == "delivered";
    loop {
        let jobs = federation.node(SITE, &["job", "list"]).data();
        match jobs.as_array().and_then(|jobs| jobs.first()) {
            Some(job) if decided(job) => return,
            Some(job) if job["state"] == "waiting-approval" => {
                // The node may be starting: asked again until it has decided.
                let _ = approve(federation);
            }
            _ => {}
        }
        std::thread::sleep(Duration::from_millis(30));
    }
}
