//! Exchanges of several steps over the link: asks for the next step of each, keeps what comes,
//! and ends an exchange whose step may not be answered.
//!
//! From: `session` (the link), `store` (delivered jobs).
//! To: `work`, which answers; `send_out`, which delivers.

use std::time::Duration;

use shared::fault::Fault;
use shared::identity::Digest;
use shared::masking::step::MaskedStep;
use shared::study::job::Job;
use shared::study::lock::LockedProtocol;
use shared::study::masked::EXCHANGE;
use shared::study::step::Step;
use shared::study::{ExchangeId, SiteState, Timestamp};
use shared::wire::message::WIRE_VERSION_STEPS;
use shared::wire::{NodeReply, NodeRequest, Refusal};

use super::Node;
use super::session::{AFTER_NOTHING, Ended, PATIENCE, POLL_MS, unexpected};
use crate::exchange::{self, Declined};
use crate::link::{Link, LinkFault, system_now};
use crate::masked;
use crate::store::{StepKey, StoredJob, StoredStep};
use crate::waypoint;

/// One exchange that goes on.
pub(super) struct Lane {
    pub(super) stored: StoredJob,
    pub(super) job: Job,
    pub(super) locked: LockedProtocol,
    pub(super) id: ExchangeId,
    pub(super) steps: Vec<StoredStep>,
}

impl Lane {
    pub(super) fn key(&self, step: u32) -> StepKey<'_> {
        StepKey {
            job: &self.stored,
            exchange: &self.id,
            step,
        }
    }

    fn is_masked(&self) -> bool {
        self.id.as_str() == EXCHANGE
    }

    /// Whether this site takes part in the exchange at all.
    fn allowed(&self, node: &Node, now: Timestamp) -> Result<(), Declined> {
        if self.is_masked() {
            masked::allowed(&node.config, &self.locked.protocol, now).map(|_| ())
        } else {
            exchange::allowed(&node.config, now)
        }
    }

    /// Whether a step that came fits the ones before.
    fn check(
        &self,
        node: &Node,
        number: u32,
        document: &[u8],
        now: Timestamp,
    ) -> Result<Result<(), Declined>, Fault> {
        let protocol = &self.locked.protocol;
        if self.is_masked() {
            let (identity, successions) = node.own()?;
            let own = masked::Own {
                key: identity.key(),
                successions: &successions,
            };
            let step = node.gate.read_masked_step(document, now).map_err(admission);
            return Ok(step.and_then(|step| {
                masked::check(&node.config, own, (&self.job, protocol), (number, &step))
            }));
        }
        let read = self
            .open_before(node, number, now)
            .and_then(|before| Ok((before, node.gate.read_step(document, now)?)));
        Ok(read.map_err(admission).and_then(|(before, step)| {
            let site = &node.config.site.slug;
            exchange::check(&self.job, protocol, site, (number, &step), &before)
        }))
    }

    /// Answers a step that came, or ends the exchange here.
    fn answer(&self, node: &Node, stored: &StoredStep, now: Timestamp) -> Result<(), Fault> {
        let key = self.key(stored.step);
        let admitted = node.gate.admit(&self.job, &self.locked, now);
        let (store, config, asked) = (&node.store, &node.config, (&self.job, &self.locked));
        let refused = if self.is_masked() {
            let upto = self.steps.iter().filter(|step| step.step <= stored.step);
            let steps: Result<Vec<MaskedStep>, Refusal> = upto
                .map(|step| node.gate.read_masked_step(&step.document, now))
                .collect();
            match admitted.and(steps) {
                Ok(steps) => {
                    let (identity, successions) = node.own()?;
                    let own = masked::Own {
                        key: identity.key(),
                        successions: &successions,
                    };
                    let step = (key, stored, steps.as_slice());
                    return masked::answer(store, config, own, asked, step, now);
                }
                Err(refusal) => refusal,
            }
        } else {
            match admitted.and(node.gate.read_step(&stored.document, now)) {
                Ok(step) => {
                    return exchange::answer(store, config, asked, (key, stored, &step), now);
                }
                Err(refusal) => refusal,
            }
        };
        store.end_exchange(key, Some(admission(refused)), now)
    }

    /// The step to ask for: none while one is being answered or sent.
    fn wanted(&self) -> Option<u32> {
        let done = self.steps.iter().all(|step| step.delivered);
        let last = self.steps.last().map_or(0, |step| step.step);
        last.checked_add(1).filter(|_| done)
    }

    /// The steps before `number`, opened again: what is on disk is believed only as signed.
    pub(super) fn open_before(
        &self,
        node: &Node,
        number: u32,
        now: Timestamp,
    ) -> Result<Vec<Step>, Refusal> {
        let before = self.steps.iter().filter(|step| step.step < number);
        before
            .map(|step| node.gate.read_step(&step.document, now))
            .collect()
    }
}

fn admission(refusal: Refusal) -> Declined {
    (refusal, "admission", refusal.as_str().to_owned())
}

/// Every exchange that goes on here: of jobs whose first release was delivered.
pub(super) fn lanes(node: &Node, now: Timestamp) -> Result<Vec<Lane>, Fault> {
    let mut lanes = Vec::new();
    for stored in node.store.jobs()? {
        if stored.state != SiteState::Delivered {
            continue;
        }
        let Ok(job) = node.gate.read_job(stored.digest, &stored.bytes, now) else {
            continue;
        };
        let bytes = node.store.protocol(job.protocol)?;
        let locked = bytes.and_then(|bytes| node.gate.read_protocol(&job, &bytes, now).ok());
        let Some(locked) = locked else {
            continue;
        };
        let ids: Vec<ExchangeId> = job.in_steps().map(|one| one.id.clone()).collect();
        for id in ids {
            if node.store.exchange_end(stored.digest, &id)?.is_some() {
                continue;
            }
            let steps = node.store.steps(stored.digest, &id)?;
            lanes.push(Lane {
                stored: stored.clone(),
                job: job.clone(),
                locked: locked.clone(),
                id,
                steps,
            });
        }
    }
    Ok(lanes)
}

/// Keeps asking; a coordinator of an older version has no steps.
pub(super) async fn keep(node: &Node, link: &Link) -> Ended {
    if link.acknowledged().version < WIRE_VERSION_STEPS {
        std::future::pending::<()>().await;
    }
    loop {
        // Registered before the store is read, so that no change falls between.
        let changed = node.changed.notified();
        tokio::pin!(changed);
        changed.as_mut().enable();
        match once(node, link).await {
            Ok(true) => {}
            Ok(false) => changed.await,
            Err(ended) => return ended,
        }
    }
}

/// Asks once for each exchange; false when none waits for a step.
async fn once(node: &Node, link: &Link) -> Result<bool, Ended> {
    let lanes: Vec<(Lane, u32)> = lanes(node, system_now())?
        .into_iter()
        .filter_map(|lane| {
            let wanted = lane.wanted()?;
            Some((lane, wanted))
        })
        .collect();
    // Several exchanges take turns: none is held up for long by another hospital's pace.
    let share = u32::try_from(lanes.len()).unwrap_or(u32::MAX).max(1);
    for (lane, number) in &lanes {
        ask(node, link, lane, *number, POLL_MS / share).await?;
    }
    Ok(!lanes.is_empty())
}

async fn ask(
    node: &Node,
    link: &Link,
    lane: &Lane,
    number: u32,
    wait_ms: u32,
) -> Result<(), Ended> {
    if let Some(declined) = left(node, lane)? {
        return end(node, lane, number, Some(declined));
    }
    let declared = lane.job.stepped(&lane.id);
    let declared = declared.map_or(0, |declared| declared.max_steps);
    if system_now().unix() >= lane.job.expires_at.unix() || number > declared {
        return end(node, lane, number, None);
    }
    if let Err(declined) = lane.allowed(node, system_now()) {
        return end(node, lane, number, Some(declined));
    }
    let request = NodeRequest::NextStep {
        job: lane.stored.digest,
        exchange: lane.id.clone(),
        step: number,
        wait_ms,
    };
    let asked = tokio::time::Instant::now();
    match link.request(&request, PATIENCE).await? {
        NodeReply::Step(document) => {
            waypoint::pass("node.step.received");
            take(node, lane, number, &document)
        }
        NodeReply::NoStep { over: true } => end(node, lane, number, None),
        NodeReply::NoStep { over: false } => {
            // An honest coordinator holds the request until the step is due.
            if asked.elapsed() < AFTER_NOTHING {
                tokio::time::sleep(AFTER_NOTHING).await;
            }
            Ok(())
        }
        NodeReply::Refused(Refusal::Busy) => {
            tokio::time::sleep(Duration::from_secs(1)).await;
            Ok(())
        }
        NodeReply::Refused(refusal) => {
            tracing::warn!(refusal = refusal.as_str(), "the coordinator gives no step");
            end(node, lane, number, None)
        }
        NodeReply::HelloAck { .. }
        | NodeReply::Ack
        | NodeReply::Jobs(_)
        | NodeReply::Protocol(_)
        | NodeReply::Receipt { .. }
        | NodeReply::Certificate(_)
        | NodeReply::Checkpoint { .. } => Err(Ended::Lost(unexpected())),
    }
}

/// Nothing more of a study that was left is answered.
fn left(node: &Node, lane: &Lane) -> Result<Option<Declined>, Fault> {
    let left = node.store.left()?;
    let why = "people of this site have left the study".to_owned();
    let found = left.contains_key(&lane.stored.study);
    Ok(found.then_some((Refusal::NotReleased, "site", why)))
}

/// Keeps a step that follows from the ones before; anything else ends the exchange here.
fn take(node: &Node, lane: &Lane, number: u32, document: &[u8]) -> Result<(), Ended> {
    let now = system_now();
    match lane.check(node, number, document, now)? {
        Ok(()) => {
            node.store.keep_step(lane.key(number), document)?;
            waypoint::pass("node.step.kept");
            node.work.notify_one();
            node.changed.notify_waiters();
            Ok(())
        }
        Err(declined) => end(node, lane, number, Some(declined)),
    }
}

fn end(node: &Node, lane: &Lane, number: u32, declined: Option<Declined>) -> Result<(), Ended> {
    if let Some((refusal, _, why)) = &declined {
        tracing::warn!(
            refusal = refusal.as_str(),
            "no further step is answered: {why}"
        );
    }
    node.store
        .end_exchange(lane.key(number), declined, system_now())?;
    waypoint::pass("node.step.declined");
    node.changed.notify_waiters();
    Ok(())
}

/// Tells the coordinator of exchanges that ended here.
pub(super) async fn tell_ends(node: &Node, link: &Link) -> Result<(), Ended> {
    for (job, exchange, step, refusal) in node.store.untold_ends()? {
        let request = NodeRequest::DeclineStep {
            job,
            exchange: exchange.clone(),
            step,
            refusal,
        };
        match link.request(&request, PATIENCE).await? {
            NodeReply::Refused(Refusal::Busy) => {}
            // Whatever the coordinator makes of it, it has heard.
            NodeReply::Ack | NodeReply::Refused(_) => node.store.end_told(job, &exchange)?,
            NodeReply::HelloAck { .. }
            | NodeReply::Jobs(_)
            | NodeReply::Protocol(_)
            | NodeReply::Receipt { .. }
            | NodeReply::Certificate(_)
            | NodeReply::Step(_)
            | NodeReply::NoStep { .. }
            | NodeReply::Checkpoint { .. } => return Err(Ended::Lost(unexpected())),
        }
    }
    Ok(())
}

/// The coordinator will never take this answer: the exchange is over here.
pub(super) fn undeliverable(
    node: &Node,
    job: Digest,
    release: &shared::disclosure::ReceivedRelease,
    refusal: Refusal,
) -> Result<(), Ended> {
    let Some(stored) = node.store.job(job)? else {
        return Err(Ended::Lost(LinkFault::Misbehaved {
            why: "an answer to no job".to_owned(),
        }));
    };
    let key = StepKey {
        job: &stored,
        exchange: &release.header.exchange,
        step: release.header.step,
    };
    let declined = (refusal, "coordinator", refusal.as_str().to_owned());
    node.store.end_exchange(key, Some(declined), system_now())?;
    node.changed.notify_waiters();
    Ok(())
}

/// Answers every step that came and is not answered yet.
pub(super) fn answer_all(node: &Node) -> Result<(), Fault> {
    let now = system_now();
    for lane in lanes(node, now)? {
        if let Some(declined) = left(node, &lane)? {
            let last = lane.steps.last().map_or(1, |step| step.step);
            let key = lane.key(lane.wanted().unwrap_or(last));
            node.store.end_exchange(key, Some(declined), now)?;
            node.changed.notify_waiters();
            continue;
        }
        let Some(stored) = lane.steps.iter().find(|step| !step.answered) else {
            continue;
        };
        tracing::info!(
            round = lane.stored.round,
            exchange = lane.id.as_str(),
            step = stored.step,
            "answering a step"
        );
        lane.answer(node, stored, now)?;
        node.changed.notify_waiters();
    }
    Ok(())
}
