//! One connection after the other: heartbeats, jobs in, states and releases out. Each has its
//! own loop, so that none can hold up another.
//!
//! From: `link`.
//! To: `admission`, `store`, `outbox`.

use std::time::Duration;

use shared::disclosure::{Profile, ReceivedRelease};
use shared::fault::{Code, Fault};
use shared::identity::{Address, Digest};
use shared::study::SiteState;
use shared::wire::{Delivery, JobOffer, LedgerHead, NodeReply, NodeRequest, Receipt, Refusal};

use super::{Node, renewal, steps, witness};
use crate::approval;
use crate::link::{Backoff, Dialer, Link, LinkFault, SystemEntropy, system_now};
use crate::measure;
use crate::outbox;
use crate::store::{Change, Offered, OutboxRow};
use crate::waypoint;

const BEAT: Duration = Duration::from_secs(15);
pub(super) const PATIENCE: Duration = Duration::from_secs(30);
pub(super) const POLL_MS: u32 = 20_000;
/// A connection that held this long was a good one.
const STEADY: Duration = Duration::from_secs(30);
/// Pause after a reply that brought nothing to do, so that a flood of empty or refused offers
/// fills neither the log nor the ledger.
pub(super) const AFTER_NOTHING: Duration = Duration::from_secs(1);

/// Keeps a connection up for ever; returns only faults that no waiting can mend.
pub(super) async fn keep(node: &Node, address: Address) -> Result<(), Fault> {
    let mut backoff = Backoff::new(Duration::from_millis(200), Duration::from_secs(60));
    loop {
        let dialer = Dialer::new(address.clone(), node.identity());
        let link = dialer
            .connect_patiently(
                || hello(node),
                |fault, wait| {
                    let words = fault.to_fault(&address).to_string();
                    tracing::warn!(wait_ms = wait.as_millis(), "{words}");
                    node.view().last_fault = Some(words);
                },
            )
            .await
            .map_err(|fault| fault.to_fault(&address))?;
        check_receipt(node, link.acknowledged().last_receipt)?;
        {
            let mut view = node.view();
            view.connected = true;
            view.last_fault = None;
            view.skew_s = Some(link.acknowledged().skew_seconds);
            view.told.clear();
        }
        tracing::info!("connected");
        let begun = tokio::time::Instant::now();
        let ended = match witness::first(node, &link).await {
            Ok(()) => session(node, &link).await,
            Err(ended) => ended,
        };
        node.view().connected = false;
        link.close();
        match ended {
            Ended::Lost(fault) => {
                let fault = fault.to_fault(&address);
                tracing::warn!("connection ended: {}; {}", fault.what, fault.why);
                node.view().last_fault = Some(fault.to_string());
            }
            Ended::Renewed => tracing::info!("connecting with the new certificate"),
            Ended::Fault(fault) => return Err(fault),
        }
        // A coordinator that connects and then hangs up or breaks the rules must not be dialled
        // in a tight loop; what it was sent stays in the outbox and is tried again.
        if begun.elapsed() > STEADY {
            backoff.reset();
        }
        tokio::time::sleep(backoff.next_wait(&mut SystemEntropy)).await;
    }
}

pub(super) enum Ended {
    Lost(LinkFault),
    /// There is a new certificate to connect with.
    Renewed,
    Fault(Fault),
}

impl From<LinkFault> for Ended {
    fn from(fault: LinkFault) -> Self {
        Self::Lost(fault)
    }
}

impl From<Fault> for Ended {
    fn from(fault: Fault) -> Self {
        Self::Fault(fault)
    }
}

fn hello(node: &Node) -> NodeRequest {
    NodeRequest::Hello {
        version_min: shared::wire::message::WIRE_VERSION_MIN,
        version_max: shared::wire::message::WIRE_VERSION_MAX,
        software: concat!("fedval-node ", env!("CARGO_PKG_VERSION")).to_owned(),
        ledger: node.store.head().unwrap_or_else(|_| crate::ledger::empty()),
    }
}

/// A node whose ledger is older than the coordinator's last receipt was rolled back: its record
/// of what left is incomplete, and it must not release more (decision P11).
fn check_receipt(node: &Node, receipt: LedgerHead) -> Result<(), Fault> {
    if node.store.hash_at(receipt.entries)? == Some(receipt.hash) {
        return Ok(());
    }
    Err(Fault::new(
        Code::LedgerBehind,
        format!(
            "the coordinator has a receipt for ledger entry {}",
            receipt.entries
        ),
        "this node's ledger does not contain it: the state directory was restored or replaced",
        "restore the newest backup of the state directory; nothing is sent until then",
    ))
}

async fn session(node: &Node, link: &Link) -> Ended {
    tokio::select! {
        fault = link.closed() => Ended::Lost(fault),
        ended = beat(node, link) => ended,
        ended = take_in(node, link) => ended,
        ended = send_out(node, link) => ended,
        ended = steps::keep(node, link) => ended,
        ended = renewal::keep(node, link) => ended,
        ended = witness::keep(node, link) => ended,
    }
}

async fn beat(node: &Node, link: &Link) -> Ended {
    loop {
        let state = current_state(node);
        if let Err(fault) = link.request(&NodeRequest::Beat { state }, PATIENCE).await {
            return fault.into();
        }
        tokio::time::sleep(BEAT).await;
    }
}

/// The state of the newest job that is not finished, or idle.
fn current_state(node: &Node) -> SiteState {
    let jobs = node.store.jobs().unwrap_or_default();
    let open = jobs.iter().rev().find(|job| !job.state.is_terminal());
    open.map_or(SiteState::Idle, |job| job.state.as_seen_outside())
}

async fn take_in(node: &Node, link: &Link) -> Ended {
    loop {
        match take_in_once(node, link).await {
            Ok(()) => {}
            Err(ended) => return ended,
        }
    }
}

async fn take_in_once(node: &Node, link: &Link) -> Result<(), Ended> {
    admit_offered(node, link).await?;
    let known: Vec<Digest> = node
        .store
        .jobs()?
        .iter()
        .rev()
        .take(64)
        .map(|job| job.digest)
        .collect();
    let poll = NodeRequest::Poll {
        wait_ms: POLL_MS,
        known: known.clone(),
    };
    let asked = tokio::time::Instant::now();
    match link.request(&poll, PATIENCE).await? {
        NodeReply::Jobs(offers) => {
            let mut new = false;
            for offer in offers.iter().filter(|offer| !known.contains(&offer.job)) {
                if let Err(refusal) = take_offer(node, offer)? {
                    tracing::warn!(refusal = refusal.as_str(), "a job was refused");
                    let decline = NodeRequest::Decline {
                        job: offer.job,
                        refusal,
                    };
                    link.request(&decline, PATIENCE).await?;
                } else {
                    new = true;
                }
            }
            // An honest coordinator holds a poll until it has a job that may run here.
            if !new && asked.elapsed() < AFTER_NOTHING {
                tokio::time::sleep(AFTER_NOTHING).await;
            }
            Ok(())
        }
        NodeReply::Refused(Refusal::Busy) => {
            tokio::time::sleep(Duration::from_secs(1)).await;
            Ok(())
        }
        NodeReply::Refused(refusal) => Err(Ended::Lost(LinkFault::Refused(refusal))),
        NodeReply::HelloAck { .. }
        | NodeReply::Ack
        | NodeReply::Protocol(_)
        | NodeReply::Receipt { .. }
        | NodeReply::Certificate(_)
        | NodeReply::Step(_)
        | NodeReply::NoStep { .. }
        | NodeReply::Checkpoint { .. } => Err(Ended::Lost(unexpected())),
    }
}

/// Stores an offered job, or records why it may not run here.
fn take_offer(node: &Node, offer: &JobOffer) -> Result<Result<(), Refusal>, Fault> {
    let now = system_now();
    waypoint::pass("node.offer.received");
    let read = node.gate.read_job(offer.job, &offer.document, now);
    let (job, refusal) = match read {
        Ok(job) if node.store.left()?.contains_key(&job.study) => {
            (Some(job), Refusal::StudyNotListed)
        }
        Ok(job) => match node.store.offer(offer.job, &job, &offer.document, now)? {
            Offered::New | Offered::Known => {
                waypoint::pass("node.offer.stored");
                return Ok(Ok(()));
            }
            Offered::SecondOfRound => (Some(job), Refusal::Conflict),
        },
        Err(refusal) => (None, refusal),
    };
    node.store.refuse(offer.job, job.as_ref(), refusal, now)?;
    waypoint::pass("node.refusal.stored");
    Ok(Err(refusal))
}

pub(super) fn unexpected() -> LinkFault {
    LinkFault::Misbehaved {
        why: "the coordinator answered something else than was asked".to_owned(),
    }
}

/// Fetches the protocol of each offered job and hands what may run to the worker.
async fn admit_offered(node: &Node, link: &Link) -> Result<(), Ended> {
    for stored in node
        .store
        .jobs()?
        .iter()
        .filter(|job| job.state == SiteState::JobOffered)
    {
        if node.store.protocol(stored.protocol)?.is_none() {
            let fetch = NodeRequest::FetchProtocol {
                protocol: stored.protocol,
            };
            match link.request(&fetch, PATIENCE).await? {
                NodeReply::Protocol(bytes) if Digest::of(&bytes) == stored.protocol => {
                    waypoint::pass("node.protocol.received");
                    node.store.keep_protocol(stored.protocol, &bytes)?;
                    waypoint::pass("node.protocol.stored");
                }
                NodeReply::Protocol(_) => {
                    let refusal = Refusal::BadSignature;
                    let change = Change::Declined {
                        refusal,
                        by: "admission",
                        reason: None,
                    };
                    unless_decided(node.store.change(stored.digest, system_now(), change))?;
                    node.changed.notify_waiters();
                    continue;
                }
                NodeReply::Refused(refusal) => {
                    return Err(Ended::Lost(LinkFault::Refused(refusal)));
                }
                NodeReply::HelloAck { .. }
                | NodeReply::Ack
                | NodeReply::Jobs(_)
                | NodeReply::Receipt { .. }
                | NodeReply::Certificate(_)
                | NodeReply::Step(_)
                | NodeReply::NoStep { .. }
                | NodeReply::Checkpoint { .. } => return Err(Ended::Lost(unexpected())),
            }
        }
        let admitted = node
            .store
            .change(stored.digest, system_now(), Change::Admitted);
        unless_decided(admitted)?;
        waypoint::pass("node.admitted");
        node.work.notify_one();
        node.changed.notify_waiters();
    }
    Ok(())
}

/// A person may decide about a job while the link works on it; the decision stands.
fn unless_decided(changed: Result<(), Fault>) -> Result<(), Fault> {
    match changed {
        Err(fault) if fault.code == Code::NotWaiting => Ok(()),
        changed => changed,
    }
}

async fn send_out(node: &Node, link: &Link) -> Ended {
    loop {
        // Registered before the store is read, so that no change falls between.
        let changed = node.changed.notified();
        tokio::pin!(changed);
        changed.as_mut().enable();
        if let Err(ended) = send_once(node, link).await {
            return ended;
        }
        changed.await;
    }
}

async fn send_once(node: &Node, link: &Link) -> Result<(), Ended> {
    for (job, refusal) in node.store.untold()? {
        match link
            .request(&NodeRequest::Decline { job, refusal }, PATIENCE)
            .await?
        {
            // Whatever the coordinator makes of it, it has heard.
            answer @ (NodeReply::Ack | NodeReply::Refused(_)) => {
                if let (NodeReply::Refused(why), Refusal::Withdrawn) = (answer, refusal) {
                    tracing::warn!(%job, why = why.as_str(), "a release was not taken back");
                }
                waypoint::pass("node.decline.acknowledged");
                node.store.told(job)?;
                waypoint::pass("node.decline.told");
            }
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
    steps::tell_ends(node, link).await?;
    if node.store.paused()?.is_some() {
        return report_progress(node, link).await;
    }
    for row in node.store.outbox()? {
        if let Some(fault) = held(node, &row) {
            tracing::warn!("held back: {fault}");
            node.view().last_fault = Some(fault.to_string());
            continue;
        }
        let request = outbox::delivery(row.job, &row.bytes, node.store.head()?);
        waypoint::pass("node.delivering");
        match link.request(&request, PATIENCE).await? {
            NodeReply::Receipt { release, receipt } if release == row.bytes.id() => {
                waypoint::pass("node.receipt.received");
                delivered(node, &row, &receipt)?;
            }
            NodeReply::Refused(Refusal::Busy) => {
                tokio::time::sleep(Duration::from_secs(1)).await;
                node.changed.notify_waiters();
            }
            NodeReply::Refused(refusal) => {
                tracing::warn!(
                    refusal = refusal.as_str(),
                    "the coordinator does not take the release"
                );
                undeliverable(node, &row, refusal)?;
            }
            NodeReply::Receipt { .. }
            | NodeReply::HelloAck { .. }
            | NodeReply::Ack
            | NodeReply::Jobs(_)
            | NodeReply::Protocol(_)
            | NodeReply::Certificate(_)
            | NodeReply::Step(_)
            | NodeReply::NoStep { .. }
            | NodeReply::Checkpoint { .. } => return Err(Ended::Lost(unexpected())),
        }
    }
    report_progress(node, link).await
}

/// What was approved under a contract does not leave after its end, nor anything of a study that
/// was left.
fn held(node: &Node, row: &OutboxRow) -> Option<Fault> {
    let release = ReceivedRelease::read(row.bytes.bytes()).ok()?;
    match node.store.left() {
        Ok(left) if left.contains_key(&release.header.study) => {
            let study = &release.header.study;
            return Some(Fault::new(
                Code::NotReleased,
                format!("an answer of the study {study} is not sent"),
                "people of this site have left the study",
                "nothing to do",
            ));
        }
        Ok(_) => {}
        Err(fault) => return Some(fault),
    }
    if let Some(fault) = unsigned(node, row) {
        return Some(fault);
    }
    if release.header.policy.profile != Profile::Dua.as_str() {
        return None;
    }
    measure::policy(node.config.disclosure.policy.as_deref())
        .and_then(|policy| measure::in_force(&policy, system_now()))
        .err()
}

/// What the ledger holds of the approval must be what the site's file asks for, also now.
fn unsigned(node: &Node, row: &OutboxRow) -> Option<Fault> {
    let (access, mode) = (&node.config.access, node.config.release.mode);
    let entries = match node.store.entries() {
        Ok(entries) => entries,
        Err(fault) => return Some(fault),
    };
    let why = approval::objection(&entries, row.job, access, mode)?;
    Some(Fault::new(
        Code::ApprovalNotSigned,
        format!("approved bytes of job {} are not sent", row.job),
        why,
        "if a key was listed or changed since the approval, list the one it was made with; else keep the \
         state directory and ask your security team",
    ))
}

fn undeliverable(node: &Node, row: &OutboxRow, refusal: Refusal) -> Result<(), Ended> {
    if row.step {
        let release = ReceivedRelease::read(row.bytes.bytes())
            .map_err(|_| Fault::internal("approved bytes no longer read"))?;
        return steps::undeliverable(node, row.job, &release, refusal);
    }
    let change = Change::Undeliverable { refusal };
    // Somebody may have left the study while it was sent.
    unless_decided(node.store.change(row.job, system_now(), change))?;
    Ok(())
}

/// A release is delivered when the coordinator's receipt proves that it has exactly these bytes;
/// any other receipt leaves it in the outbox.
fn delivered(node: &Node, row: &OutboxRow, receipt: &[u8]) -> Result<(), Ended> {
    let identity = node.identity();
    let sent = Delivery {
        job: row.job,
        site: &identity.site,
        release: row.bytes.id(),
        bytes: row.bytes.digest(),
    };
    let now = system_now();
    Receipt::verify(receipt, &identity.ca_key, sent, now).map_err(|fault| {
        Ended::Lost(LinkFault::Misbehaved {
            why: format!("{fault}; the release counts as not delivered and is sent again"),
        })
    })?;
    if row.step {
        node.store
            .step_delivered(row.job, row.bytes.id(), receipt, now)?;
    } else {
        node.store
            .change(row.job, now, Change::Delivered { receipt })?;
    }
    // The next step may be asked for.
    node.changed.notify_waiters();
    waypoint::pass("node.receipt.stored");
    tracing::info!("delivered");
    Ok(())
}

/// Tells each job's state once per connection and change.
async fn report_progress(node: &Node, link: &Link) -> Result<(), Ended> {
    for job in node.store.jobs()? {
        let state = job.state.as_seen_outside();
        if job.state.is_terminal() || node.view().told.get(&job.digest) == Some(&state) {
            continue;
        }
        link.request(
            &NodeRequest::Progress {
                job: job.digest,
                state,
            },
            PATIENCE,
        )
        .await?;
        node.view().told.insert(job.digest, state);
    }
    Ok(())
}
