//! Station 2 and 7 at the wire: answers nodes and joining processes. Decisions are made
//! elsewhere; this file only asks the right one.
//!
//! From: `link`.
//! To: `roster`, `store`, `intake`.

use std::collections::BTreeMap;
use std::net::SocketAddr;
use std::sync::atomic::{AtomicBool, Ordering};
use std::sync::{Arc, Mutex, OnceLock};
use std::time::Duration;

use shared::disclosure::document::ReceivedRelease;
use shared::fault::Fault;
use shared::identity::{Digest, Serial};
use shared::study::job::Job;
use shared::study::step::Step;
use shared::study::{ExchangeId, SiteSlug, SiteState, StudyProtocol, Timestamp, lock};
use shared::wire::message::{WIRE_VERSION_CHECKPOINTS, WIRE_VERSION_MAX, WIRE_VERSION_MIN};
use shared::wire::{JoinReply, JoinRequest, LedgerHead, NodeReply, NodeRequest, Receipt, Refusal};
use tokio::sync::Notify;
use tokio::time::Instant;

use crate::consortium::Consortium;
use crate::exchange;
use crate::intake::{self, Received};
use crate::link::{Handler, Peer, ServerHandle, SystemEntropy, system_now};
use crate::masked;
use crate::roster;
use crate::store::{InboxItem, InboxStatus, JobRow, RoundRow, Store, Stored};
use crate::waypoint;
use crate::witness;

/// Longest a poll is held open.
const WAIT_MAX: Duration = Duration::from_millis(25_000);
/// Most jobs in one reply.
const OFFERS_MAX: usize = 16;

/// Reads the clock; tests and the simulation put their own.
pub type Clock = Arc<dyn Fn() -> Timestamp + Send + Sync>;

/// The coordinator's side of every connection.
pub struct Dispatch {
    store: Arc<Store>,
    consortium: Arc<Consortium>,
    clock: Clock,
    work: Notify,
    stopping: AtomicBool,
    server: OnceLock<ServerHandle>,
    protocols: Mutex<BTreeMap<Digest, Arc<StudyProtocol>>>,
}

impl Dispatch {
    /// A dispatcher over a store and the consortium's keys.
    pub fn new(store: Arc<Store>, consortium: Arc<Consortium>) -> Self {
        Self::with_clock(store, consortium, Arc::new(system_now))
    }

    /// A dispatcher with a clock of its own.
    pub fn with_clock(store: Arc<Store>, consortium: Arc<Consortium>, clock: Clock) -> Self {
        Self {
            store,
            consortium,
            clock,
            work: Notify::new(),
            stopping: AtomicBool::new(false),
            server: OnceLock::new(),
            protocols: Mutex::new(BTreeMap::new()),
        }
    }

    /// Lets this dispatcher close connections of withdrawn certificates.
    pub fn attach(&self, server: ServerHandle) {
        // A second server would be a defect of the caller; the first stays in charge.
        let _ = self.server.set(server);
    }

    /// Another process has changed the database: wakes every waiting poll, and closes
    /// connections whose certificates no longer hold.
    pub fn changed_elsewhere(&self) {
        self.work.notify_waiters();
        let Some(server) = self.server.get() else {
            return;
        };
        for peer in server.connected() {
            if self.may_connect(&peer.site, &peer.serial).is_err() {
                server.close_serial(&peer.serial);
            }
        }
    }

    fn now(&self) -> Timestamp {
        (self.clock)()
    }

    fn hello(
        &self,
        peer: &Peer,
        (version_min, version_max): (u16, u16),
        software: &str,
        ledger: &LedgerHead,
    ) -> Result<NodeReply, Fault> {
        let version = version_max.min(WIRE_VERSION_MAX);
        if version < version_min.max(WIRE_VERSION_MIN) {
            return Ok(NodeReply::Refused(Refusal::VersionUnsupported));
        }
        let now = self.now();
        for serial in self.store.certificate_used(&peer.site, &peer.serial, now)? {
            if let Some(server) = self.server.get() {
                server.close_serial(&serial);
            }
        }
        let last = self.store.ledger_head(&peer.site)?;
        if is_behind(ledger, &last) {
            tracing::warn!(site = %peer.site, "the node's ledger is behind the last receipt");
            return Ok(NodeReply::Refused(Refusal::LedgerBehind));
        }
        if self.store.contested(&peer.site)? {
            tracing::warn!(site = %peer.site, "the node's ledger contradicts an earlier checkpoint");
            let known = version >= WIRE_VERSION_CHECKPOINTS;
            return Ok(NodeReply::Refused(if known {
                Refusal::LedgerAltered
            } else {
                Refusal::LedgerBehind
            }));
        }
        // A node that has shown its ledger goes on showing it.
        if version < WIRE_VERSION_CHECKPOINTS && self.store.has_shown(&peer.site)? {
            return Ok(NodeReply::Refused(Refusal::VersionUnsupported));
        }
        self.store
            .heard(&peer.site, SiteState::Idle, Some(software), now)?;
        waypoint::pass("coordinator.hello.stored");
        tracing::info!(site = %peer.site, remote = %peer.remote, "node connected");
        Ok(NodeReply::HelloAck {
            version,
            now,
            last_receipt: last,
        })
    }

    async fn poll(&self, peer: &Peer, wait_ms: u32, known: &[Digest]) -> Result<NodeReply, Fault> {
        let wait = Duration::from_millis(u64::from(wait_ms)).min(WAIT_MAX);
        let until = Instant::now() + wait;
        loop {
            // Registered before the look, so that work arriving in between is not slept through.
            let woken = self.work.notified();
            tokio::pin!(woken);
            woken.as_mut().enable();
            let offers = self
                .store
                .offers(&peer.site, known, OFFERS_MAX, self.now())?;
            if !offers.is_empty() {
                waypoint::pass("coordinator.offer.stored");
            }
            let over = Instant::now() >= until || self.stopping.load(Ordering::Acquire);
            if !offers.is_empty() || over {
                return Ok(NodeReply::Jobs(offers));
            }
            // The time-out is not an error: the last look above answers it.
            let _ = tokio::time::timeout_at(until, woken).await;
        }
    }

    fn fetch(&self, peer: &Peer, protocol: &Digest) -> Result<NodeReply, Fault> {
        waypoint::pass("coordinator.protocol.asked");
        if !self.store.takes_part(protocol, &peer.site)? {
            return Ok(NodeReply::Refused(Refusal::StudyNotListed));
        }
        let bytes = self.store.protocol(protocol)?;
        Ok(bytes.map_or(
            NodeReply::Refused(Refusal::StudyNotListed),
            NodeReply::Protocol,
        ))
    }

    fn progress(&self, peer: &Peer, job: &Digest, state: SiteState) -> Result<NodeReply, Fault> {
        let told = matches!(
            state,
            SiteState::JobOffered
                | SiteState::PrecheckFailed
                | SiteState::WaitingApproval
                | SiteState::Computing
                | SiteState::Sending
                | SiteState::Paused
        );
        if !told {
            return Ok(NodeReply::Refused(Refusal::NotAllowed));
        }
        let state = state.as_seen_outside();
        let noted = self.store.progress(&peer.site, job, state, self.now())?;
        waypoint::pass("coordinator.progress.stored");
        Ok(noted.map_or_else(NodeReply::Refused, |()| NodeReply::Ack))
    }

    /// The protocol of a job, opened once and kept.
    fn protocol(&self, digest: &Digest, at: Timestamp) -> Result<Arc<StudyProtocol>, Fault> {
        let mut known = self
            .protocols
            .lock()
            .unwrap_or_else(std::sync::PoisonError::into_inner);
        if let Some(protocol) = known.get(digest) {
            return Ok(Arc::clone(protocol));
        }
        let bytes = self.store.protocol(digest)?;
        let bytes = bytes.ok_or_else(|| Fault::internal("a job's protocol is not stored"))?;
        let (locked, _) =
            lock::open(&bytes, &self.consortium.ca.public(), None, at).map_err(|fault| {
                Fault::internal(format!("a stored protocol does not open: {fault}"))
            })?;
        let protocol = Arc::new(locked.protocol);
        known.insert(*digest, Arc::clone(&protocol));
        Ok(protocol)
    }

    fn deliver(
        &self,
        peer: &Peer,
        job: &Digest,
        claimed: &Digest,
        document: Vec<u8>,
        ledger: &LedgerHead,
    ) -> Result<NodeReply, Fault> {
        let now = self.now();
        let Some(row) = self.store.job(job)? else {
            return Ok(NodeReply::Refused(Refusal::NotAllowed));
        };
        if row.site != peer.site {
            return Ok(NodeReply::Refused(Refusal::WrongSite));
        }
        waypoint::pass("coordinator.deliver.received");
        // A step once answered is answered again with the same receipt.
        if let Some(receipt) = self.store.receipt(claimed, &Digest::of(&document))? {
            return Ok(NodeReply::Receipt {
                release: *claimed,
                receipt,
            });
        }
        let Some(round) = self.store.round(&row.round)? else {
            return Err(Fault::internal("a job's round is not stored"));
        };
        let protocol = self.protocol(&round.protocol, round.launched_at)?;
        let exchange = shared::study::job::MEASURE
            .parse()
            .map_err(|_| Fault::internal("the exchange's name is not a name"))?;
        let asked = Job::measure(
            &protocol,
            round.protocol,
            row.round.clone(),
            row.site,
            round.launched_at,
            exchange,
        );
        let received = match intake::receive(&document, claimed, &asked, job) {
            Ok(received) => received,
            Err(refusal) => {
                tracing::warn!(site = %peer.site, refusal = refusal.as_str(), "delivery refused");
                return Ok(NodeReply::Refused(refusal));
            }
        };
        let item = match self.item(&received, document, job, &round, &protocol)? {
            Ok(item) => item,
            Err(refusal) => return Ok(NodeReply::Refused(refusal)),
        };
        let receipt = Receipt {
            round: row.round,
            job: *job,
            site: peer.site.clone(),
            release: *claimed,
            bytes: received.digest,
            ledger: *ledger,
            received_at: now,
        };
        let signer = &self.consortium.receipt;
        let receipt = receipt
            .sign(&signer.key, signer.certificate.clone())
            .map_err(|_| Fault::internal("a receipt has no canonical form"))?;
        tracing::info!(site = %peer.site, status = item.status.as_str(), "release received");
        waypoint::pass("coordinator.deliver.checked");
        let stored = self.store.deliver(&item, &receipt, ledger, now)?;
        waypoint::pass("coordinator.deliver.stored");
        // Another site may wait for the step that this answer completes.
        self.work.notify_waiters();
        Ok(match stored {
            Stored::Receipt(receipt) => NodeReply::Receipt {
                release: *claimed,
                receipt,
            },
            Stored::Refused(refusal) => NodeReply::Refused(refusal),
        })
    }

    /// The inbox row of a received release: of the first exchange, or of a step that was sent.
    fn item(
        &self,
        received: &Received,
        document: Vec<u8>,
        job: &Digest,
        round: &RoundRow,
        protocol: &StudyProtocol,
    ) -> Result<Result<InboxItem, Refusal>, Fault> {
        let (header, now) = (&received.release.header, self.now());
        let is_masked = header.exchange.as_str() == shared::study::masked::EXCHANGE;
        if received.release.masked.is_some() != is_masked {
            return Ok(Err(Refusal::UnknownForm));
        }
        if header.exchange.as_str() == shared::study::job::MEASURE {
            if header.input.is_some() {
                return Ok(Err(Refusal::UnknownForm));
            }
            return intake::admit(received, document, job, protocol, now).map(Ok);
        }
        if is_masked {
            return self.masked_item(received, document, job, round, protocol);
        }
        let step = self.store.step(&round.id, &header.exchange, header.step)?;
        let Some((_, bytes)) = step.filter(|(digest, _)| header.input == Some(*digest)) else {
            return Ok(Err(Refusal::UnknownForm));
        };
        let step = Step::open(
            &bytes,
            &self.consortium.ca.public(),
            None,
            round.launched_at,
        )
        .map_err(|fault| Fault::internal(format!("a stored step does not open: {fault}")))?;
        let before: Result<Vec<ReceivedRelease>, _> = self
            .store
            .step_inbox(&round.id)?
            .iter()
            .filter(|item| item.site == header.site && item.step < header.step)
            .filter(|item| item.status == InboxStatus::Accepted)
            .map(|item| ReceivedRelease::read(&item.bytes))
            .collect();
        let before = before.map_err(|_| Fault::internal("an accepted release no longer reads"))?;
        intake::admit_step(received, document, job, (protocol, &step, &before), now).map(Ok)
    }

    /// The inbox row of a message of a masked sum. One that comes after its phase has closed is
    /// refused and not kept: whoever was left behind stays so.
    fn masked_item(
        &self,
        received: &Received,
        document: Vec<u8>,
        job: &Digest,
        round: &RoundRow,
        protocol: &StudyProtocol,
    ) -> Result<Result<InboxItem, Refusal>, Fault> {
        let (release, now) = (&received.release, self.now());
        let header = &release.header;
        let step = self.store.step(&round.id, &header.exchange, header.step)?;
        let answers = step.is_some_and(|(digest, _)| header.input == Some(digest));
        let next = header.step.saturating_add(1);
        let late = self.store.step(&round.id, &header.exchange, next)?;
        if !answers || late.is_some() {
            return Ok(Err(Refusal::NotAllowed));
        }
        let objection = masked::objection(&self.store, round, protocol, release, now)?;
        intake::admit_message(received, document, job, objection, now).map(Ok)
    }

    /// Whether a step is there, or will ever be.
    fn step(&self, row: &JobRow, exchange: &ExchangeId, step: u32) -> Result<NodeReply, Fault> {
        let Some(round) = self.store.round(&row.round)? else {
            return Err(Fault::internal("a job's round is not stored"));
        };
        let protocol = self.protocol(&round.protocol, round.launched_at)?;
        let now = self.now();
        let (store, consortium) = (&self.store, &self.consortium);
        let found = if exchange.as_str() == shared::study::masked::EXCHANGE {
            let look = masked::forward(store, consortium, &round, &protocol, now)?;
            look.map(|look| (look.id, look.roster, look.end.is_some()))
        } else {
            let look = exchange::forward(store, consortium, &round, &protocol, now)?;
            look.map(|look| (look.id, look.exchange.roster, look.end.is_some()))
        };
        let Some((_, roster, ended)) = found.filter(|(id, _, _)| id == exchange) else {
            return Ok(NodeReply::Refused(Refusal::NotAllowed));
        };
        if !roster.contains(&row.site) || step == 0 {
            return Ok(NodeReply::Refused(Refusal::NotAllowed));
        }
        if let Some((_, bytes)) = self.store.step(&round.id, exchange, step)? {
            return Ok(NodeReply::Step(bytes));
        }
        let over = ended || !round.state.is_open() || now >= round.expires_at;
        Ok(NodeReply::NoStep { over })
    }

    async fn next_step(
        &self,
        peer: &Peer,
        job: &Digest,
        (exchange, step): (&ExchangeId, u32),
        wait_ms: u32,
    ) -> Result<NodeReply, Fault> {
        let wait = Duration::from_millis(u64::from(wait_ms)).min(WAIT_MAX);
        let until = Instant::now() + wait;
        loop {
            // Registered before the look, as in `poll`.
            let woken = self.work.notified();
            tokio::pin!(woken);
            woken.as_mut().enable();
            let row = match self.store.job(job)? {
                None => return Ok(NodeReply::Refused(Refusal::NotAllowed)),
                Some(row) if row.site != peer.site => {
                    return Ok(NodeReply::Refused(Refusal::WrongSite));
                }
                Some(row) => row,
            };
            let reply = self.step(&row, exchange, step)?;
            let open = matches!(reply, NodeReply::NoStep { over: false });
            if !open || Instant::now() >= until || self.stopping.load(Ordering::Acquire) {
                return Ok(reply);
            }
            // The time-out is not an error: the last look above answers it.
            let _ = tokio::time::timeout_at(until, woken).await;
        }
    }

    async fn answer(&self, peer: &Peer, request: NodeRequest) -> Result<NodeReply, Fault> {
        match request {
            NodeRequest::Hello {
                version_min,
                version_max,
                software,
                ledger,
            } => self.hello(peer, (version_min, version_max), &software, &ledger),
            NodeRequest::Beat { state } => {
                let state = state.as_seen_outside();
                self.store.heard(&peer.site, state, None, self.now())?;
                Ok(NodeReply::Ack)
            }
            NodeRequest::Poll { wait_ms, known } => self.poll(peer, wait_ms, &known).await,
            NodeRequest::FetchProtocol { protocol } => self.fetch(peer, &protocol),
            NodeRequest::Progress { job, state } => self.progress(peer, &job, state),
            NodeRequest::Deliver {
                job,
                release,
                document,
                ledger,
            } => self.deliver(peer, &job, &release, document, &ledger),
            NodeRequest::Decline { job, refusal } => {
                waypoint::pass("coordinator.decline.received");
                let noted = self.store.decline(&peer.site, &job, refusal, self.now())?;
                waypoint::pass("coordinator.decline.stored");
                Ok(noted.map_or_else(NodeReply::Refused, |()| NodeReply::Ack))
            }
            NodeRequest::NextStep {
                job,
                exchange,
                step,
                wait_ms,
            } => self.next_step(peer, &job, (&exchange, step), wait_ms).await,
            NodeRequest::DeclineStep {
                job,
                exchange,
                step,
                refusal,
            } => {
                let (site, why, now) = (&peer.site, (step, refusal), self.now());
                let noted = self.store.decline_step(site, &job, &exchange, why, now)?;
                waypoint::pass("coordinator.step.declined");
                self.work.notify_waiters();
                Ok(noted.map_or_else(NodeReply::Refused, |()| NodeReply::Ack))
            }
            NodeRequest::FetchCheckpoint { held } => {
                witness::give((&self.store, &self.consortium), peer, &held, self.now())
            }
            NodeRequest::Checkpoint {
                document,
                from,
                proof,
            } => witness::take(
                (&self.store, &self.consortium),
                peer,
                &document,
                (from, &proof),
                self.now(),
            ),
            NodeRequest::Renew { csr } => roster::renew(
                &self.store,
                &self.consortium,
                (&peer.site, &peer.serial),
                &csr,
                self.now(),
                &mut SystemEntropy,
            ),
        }
    }
}

/// Whether a ledger is older than, or another one than, the one of the last receipt.
fn is_behind(ledger: &LedgerHead, last: &LedgerHead) -> bool {
    ledger.entries < last.entries || (ledger.entries == last.entries && ledger.hash != last.hash)
}

/// A node cannot mend the coordinator's defects; it tries again.
fn busy(fault: &Fault) -> Refusal {
    tracing::error!(code = fault.code.as_str(), what = %fault.what, why = %fault.why, "request failed");
    Refusal::Busy
}

impl Handler for Dispatch {
    fn may_connect(&self, site: &SiteSlug, serial: &Serial) -> Result<(), Refusal> {
        self.store
            .admit(site, serial, self.now())
            .unwrap_or_else(|fault| Err(busy(&fault)))
    }

    async fn join(&self, remote: SocketAddr, request: JoinRequest) -> JoinReply {
        let remote = remote.ip().to_string();
        roster::join(&self.store, &self.consortium, &remote, &request, self.now())
            .unwrap_or_else(|fault| JoinReply::Refused(busy(&fault)))
    }

    async fn node(&self, peer: &Peer, request: NodeRequest) -> NodeReply {
        self.answer(peer, request)
            .await
            .unwrap_or_else(|fault| NodeReply::Refused(busy(&fault)))
    }

    fn stopping(&self) {
        self.stopping.store(true, Ordering::Release);
        self.work.notify_waiters();
    }

    fn gone(&self, peer: &Peer) {
        tracing::info!(site = %peer.site, "node disconnected");
    }
}

#[cfg(test)]
#[path = "dispatch_tests.rs"]
mod tests;
