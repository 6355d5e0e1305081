//! The connection of an enrolled node. TLS 1.3 lets the client finish first, so a connection
//! counts as accepted only when the coordinator has answered `Hello` with `HelloAck`.
//!
//! From: `identity`, the configured address.
//! To: the node's work loop, the outbox.

use std::sync::Arc;
use std::time::Duration;

use shared::identity::Address;
use shared::study::Timestamp;
use shared::wire::message::{LedgerHead, WIRE_VERSION_MAX, WIRE_VERSION_MIN};
use shared::wire::{ALPN_NODE, Close, NodeReply, NodeRequest};

use super::backoff::Backoff;
use super::fault::LinkFault;
use super::identity::NodeIdentity;
use super::stream::{Line, dial};
use super::tls::{Root, Verifier};
use super::{SystemEntropy, system_now};

/// The coordinator gets this long to answer `Hello`.
const GREETING: Duration = Duration::from_secs(15);

/// Dials the coordinator with this node's identity.
#[derive(Clone)]
pub struct Dialer {
    address: Address,
    identity: Arc<NodeIdentity>,
}

/// What the coordinator said to `Hello`.
#[derive(Clone, Copy, Debug, Eq, PartialEq)]
pub struct Acknowledged {
    /// The wire version of this connection.
    pub version: u16,
    /// The coordinator's clock.
    pub now: Timestamp,
    /// The coordinator's clock less this machine's, seconds.
    pub skew_seconds: i64,
    /// This node's ledger as of the coordinator's last receipt.
    pub last_receipt: LedgerHead,
}

/// An accepted connection. Several requests may run at once.
pub struct Link {
    line: Line,
    acknowledged: Acknowledged,
}

impl Dialer {
    /// For the coordinator at `address`.
    pub fn new(address: Address, identity: Arc<NodeIdentity>) -> Self {
        Self { address, identity }
    }

    /// Where this dials.
    pub fn address(&self) -> &Address {
        &self.address
    }

    /// One try: QUIC, TLS with both certificates, `hello`, `HelloAck`.
    ///
    /// # Errors
    /// [`LinkFault`]; [`LinkFault::Refused`] holds the coordinator's answer to `hello`.
    pub async fn connect(&self, hello: &NodeRequest) -> Result<Link, LinkFault> {
        let identity = &self.identity;
        let verifier = Verifier::new(Root::Certificate(identity.ca_der.clone()));
        let own = Some((identity.certificate_der(), identity.key()));
        let line = dial(&self.address, ALPN_NODE, &verifier, own).await?;
        let reply = line.ask::<NodeRequest, NodeReply>(hello, GREETING).await?;
        let acknowledged = match reply {
            NodeReply::HelloAck {
                version,
                now,
                last_receipt,
            } if (WIRE_VERSION_MIN..=WIRE_VERSION_MAX).contains(&version) => Acknowledged {
                version,
                now,
                skew_seconds: now.unix() - system_now().unix(),
                last_receipt,
            },
            NodeReply::HelloAck { .. } => return Err(LinkFault::Version),
            NodeReply::Refused(refusal) => return Err(LinkFault::Refused(refusal)),
            NodeReply::Ack
            | NodeReply::Jobs(_)
            | NodeReply::Protocol(_)
            | NodeReply::Receipt { .. }
            | NodeReply::Certificate(_)
            | NodeReply::Step(_)
            | NodeReply::NoStep { .. }
            | NodeReply::Checkpoint { .. } => {
                return Err(LinkFault::Misbehaved {
                    why: "the coordinator's answer to the greeting is another message".to_owned(),
                });
            }
        };
        Ok(Link { line, acknowledged })
    }

    /// Tries until it is connected, with growing waits. Before each wait `on_wait` gets the
    /// fault and the wait; `hello` is made anew for each try, since the ledger may have grown.
    ///
    /// # Errors
    /// The first [`LinkFault`] that no waiting can mend.
    pub async fn connect_patiently(
        &self,
        mut hello: impl FnMut() -> NodeRequest,
        mut on_wait: impl FnMut(&LinkFault, Duration),
    ) -> Result<Link, LinkFault> {
        let mut backoff = Backoff::default();
        loop {
            let fault = match self.connect(&hello()).await {
                Ok(link) => return Ok(link),
                Err(fault) => fault,
            };
            if !fault.is_transient() {
                return Err(fault);
            }
            let wait = backoff.next_wait(&mut SystemEntropy);
            on_wait(&fault, wait);
            tokio::time::sleep(wait).await;
        }
    }
}

impl Link {
    /// What the coordinator said to `Hello`.
    pub fn acknowledged(&self) -> &Acknowledged {
        &self.acknowledged
    }

    /// Asks and waits at most `patience` for the reply; a poll needs more than its `wait_ms`.
    /// After [`LinkFault::Lost`] or [`LinkFault::TimedOut`] the request may have been carried
    /// out: every request can be repeated.
    ///
    /// # Errors
    /// [`LinkFault`]; a [`NodeReply::Refused`] is a reply, not an error.
    pub async fn request(
        &self,
        request: &NodeRequest,
        patience: Duration,
    ) -> Result<NodeReply, LinkFault> {
        self.line.ask(request, patience).await
    }

    /// Waits until the connection has ended; says why.
    pub async fn closed(&self) -> LinkFault {
        self.line.connection.closed().await.into()
    }

    /// True while neither side has ended the connection.
    pub fn is_open(&self) -> bool {
        self.line.connection.close_reason().is_none()
    }

    /// Ends the connection and waits, shortly, until the coordinator can know.
    pub async fn hang_up(self) {
        self.line.hang_up().await;
    }

    /// Ends the connection at once.
    pub fn close(&self) {
        let done = quinn::VarInt::from_u32(Close::Done.code());
        self.line.connection.close(done, b"");
    }
}
