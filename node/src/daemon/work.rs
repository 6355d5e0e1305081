//! Computes admitted jobs, one after the other, away from the link: a long computation never
//! delays a heartbeat.
//!
//! From: `store` (jobs in state `computing`).
//! To: `release`.

use std::sync::{Arc, Mutex};
use std::time::{Duration, Instant};

use shared::fault::{Code, Fault};
use shared::study::job::Job;
use shared::study::{SiteState, Timestamp};
use shared::wire::Refusal;

use super::{Node, Reading, steps};
use crate::cohort::Progress;
use crate::link::system_now;
use crate::release;
use crate::store::{Change, StoredJob};
use crate::waypoint;

/// How often the log says how far reading images has come.
const LOG_EVERY: Duration = Duration::from_secs(30);

/// Computes whatever is admitted, for ever.
pub(super) async fn keep(node: Arc<Node>) -> Result<(), Fault> {
    loop {
        let shared = Arc::clone(&node);
        let done = tokio::task::spawn_blocking(move || pass(&shared)).await;
        done.map_err(|fault| Fault::internal(format!("a computation ended badly: {fault}")))??;
        node.changed.notify_waiters();
        node.work.notified().await;
    }
}

fn pass(node: &Node) -> Result<(), Fault> {
    if node.store.paused()?.is_some() {
        return Ok(());
    }
    let jobs = node.store.jobs()?;
    for job in jobs.iter().filter(|job| job.state == SiteState::Computing) {
        tracing::info!(round = job.round, "computing");
        waypoint::pass("node.computing");
        let done = one(node, job, system_now());
        node.view().reading = None;
        match done {
            // Another release left while it was computed: it is compared with that one too.
            Err(fault) if fault.code == Code::PreviewStale => node.work.notify_one(),
            Err(fault) if fault.code == Code::NotWaiting => {
                // A person decided while it was computed; the decision stands.
                tracing::info!(round = job.round, "decided meanwhile");
            }
            done => done?,
        }
        node.changed.notify_waiters();
    }
    steps::answer_all(node)
}

/// A job is admitted anew before it is computed: the site's list, the pins or the clock may have
/// changed since.
fn one(node: &Node, stored: &StoredJob, now: Timestamp) -> Result<(), Fault> {
    let admitted = admit(node, stored, now);
    let (job, locked) = match admitted {
        Ok(found) => found,
        Err(refusal) => {
            let change = Change::Declined {
                refusal,
                by: "admission",
                reason: None,
            };
            return node.store.change(stored.digest, now, change);
        }
    };
    let admitted = match node.store.left()?.contains_key(&stored.study) {
        true => Err(Refusal::StudyNotListed),
        false => node.gate.admit(&job, &locked, now),
    };
    match admitted {
        Ok(kinds) => {
            let log = Mutex::new(Instant::now());
            let tell = |progress| told(node, &stored.round, progress, &log);
            let (store, config) = (&node.store, &node.config);
            release::compute(store, config, stored, &locked, &kinds, &tell, now)
        }
        Err(refusal) => {
            let change = Change::Declined {
                refusal,
                by: "admission",
                reason: None,
            };
            node.store.change(stored.digest, now, change)
        }
    }
}

/// Shows people of this site how far reading images has come.
fn told(node: &Node, round: &str, progress: Progress, log: &Mutex<Instant>) {
    node.view().reading = Some(Reading {
        round: round.to_owned(),
        progress,
    });
    if let Ok(mut last) = log.lock()
        && last.elapsed() >= LOG_EVERY
    {
        *last = Instant::now();
        let Progress { done, known, of } = progress;
        tracing::info!(round, done, known, of, "reading images");
    }
    waypoint::pass("node.image.read");
}

fn admit(
    node: &Node,
    stored: &StoredJob,
    now: Timestamp,
) -> Result<(Job, shared::study::lock::LockedProtocol), Refusal> {
    let job = node.gate.read_job(stored.digest, &stored.bytes, now)?;
    let bytes = node
        .store
        .protocol(job.protocol)
        .ok()
        .flatten()
        .ok_or(Refusal::UnknownForm)?;
    let locked = node.gate.read_protocol(&job, &bytes, now)?;
    Ok((job, locked))
}
