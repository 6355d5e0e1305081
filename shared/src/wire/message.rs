//! What is said between a node and the coordinator, grouped by who may receive it.
//! A node always speaks first: one request, one reply, one stream each. Enums only grow at
//! their end; a changed message is a new variant (`docs/wire.md`).
//!
//! Documents travel inside as bytes of canonical JSON: they are hashed and signed as received,
//! never re-encoded.
//!
//! From: `node::link`, `coordinator::link`.
//! To: `codec`, which turns them into frames.

use serde::{Deserialize, Serialize};

use crate::identity::Digest;
pub use crate::study::Refusal;
use crate::study::{ExchangeId, SiteSlug, SiteState, Timestamp};

/// Oldest wire version this build speaks.
pub const WIRE_VERSION_MIN: u16 = 1;
/// Newest wire version this build speaks.
pub const WIRE_VERSION_MAX: u16 = 3;
/// The first wire version with exchanges of several steps.
pub const WIRE_VERSION_STEPS: u16 = 2;
/// The first wire version in which both sides exchange checkpoints of their records.
pub const WIRE_VERSION_CHECKPOINTS: u16 = 3;

/// Requests of a joining process that has no certificate yet (ALPN `fedval-join/1`).
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
pub enum JoinRequest {
    /// Present an invitation and ask for a certificate.
    Enrol {
        /// The site named in the invitation.
        site: SiteSlug,
        /// The one-use secret of the invitation.
        secret: Vec<u8>,
        /// Certificate signing request, DER.
        csr: Vec<u8>,
    },
    /// Ask whether the certificate has been issued.
    Collect {
        /// The site named in the invitation.
        site: SiteSlug,
        /// The one-use secret of the invitation.
        secret: Vec<u8>,
    },
}

/// Replies to a joining process.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
pub enum JoinReply {
    /// The request is stored; people compare words now.
    Pending,
    /// The certificate was issued.
    Issued {
        /// The node's certificate, DER.
        certificate: Vec<u8>,
        /// The consortium CA's certificate, DER.
        ca: Vec<u8>,
        /// The study-signing key certificates (canonical JSON) to pin.
        signers: Vec<Vec<u8>>,
    },
    /// Not accepted.
    Refused(Refusal),
}

/// Requests of an enrolled node (ALPN `fedval/1`, client certificate required).
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
pub enum NodeRequest {
    /// First request on every connection.
    Hello {
        /// Oldest wire version the node speaks.
        version_min: u16,
        /// Newest wire version the node speaks.
        version_max: u16,
        /// Software version, at most 32 bytes.
        software: String,
        /// Length and head of the node's ledger, which the coordinator compares with its receipts.
        ledger: LedgerHead,
    },
    /// I am alive; answered at once.
    Beat {
        /// Where the node stands.
        state: SiteState,
    },
    /// Is there work? Held open until there is, or until `wait_ms` have passed.
    Poll {
        /// Longest wait, milliseconds, at most 25,000.
        wait_ms: u32,
        /// Jobs the node already holds, at most 64.
        known: Vec<Digest>,
    },
    /// Send me this locked protocol.
    FetchProtocol {
        /// Its digest.
        protocol: Digest,
    },
    /// Where one job stands.
    Progress {
        /// The job.
        job: Digest,
        /// Its state.
        state: SiteState,
    },
    /// The approved bytes.
    Deliver {
        /// The job.
        job: Digest,
        /// The release's content-derived id.
        release: Digest,
        /// The release document, canonical JSON.
        document: Vec<u8>,
        /// The node's ledger after this release.
        ledger: LedgerHead,
    },
    /// Nothing will be released for this job.
    Decline {
        /// The job.
        job: Digest,
        /// The reason, from the closed list.
        refusal: Refusal,
    },
    /// A fresh certificate for a new key.
    Renew {
        /// Certificate signing request, DER.
        csr: Vec<u8>,
    },
    /// Send me this step of an exchange. Held open until every site of the roster has answered
    /// the step before, or until `wait_ms` have passed. Version 2.
    NextStep {
        /// The job.
        job: Digest,
        /// The exchange.
        exchange: ExchangeId,
        /// The step, from 1.
        step: u32,
        /// Longest wait, milliseconds, at most 25,000.
        wait_ms: u32,
    },
    /// No further step of this exchange will be answered; the rest of the job stands. Version 2.
    DeclineStep {
        /// The job.
        job: Digest,
        /// The exchange.
        exchange: ExchangeId,
        /// The step that is not answered.
        step: u32,
        /// The reason, from the closed list.
        refusal: Refusal,
    },
    /// Show me that your audit trail extends what I hold of it. Version 3.
    FetchCheckpoint {
        /// The newest checkpoint of it that this node has checked and keeps, canonical JSON; empty
        /// when it has none.
        held: Vec<u8>,
    },
    /// My ledger now. Version 3.
    Checkpoint {
        /// The node's signed checkpoint, canonical JSON.
        document: Vec<u8>,
        /// The size from which the proof leads: that of the checkpoint the coordinator keeps.
        from: u64,
        /// That the ledger extends its first `from` entries; at most 64 hashes.
        proof: Vec<Digest>,
    },
}

/// Replies to an enrolled node.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
pub enum NodeReply {
    /// The connection is accepted.
    HelloAck {
        /// The version both speak.
        version: u16,
        /// The coordinator's clock, to show skew.
        now: Timestamp,
        /// The node's ledger as of the coordinator's last receipt.
        last_receipt: LedgerHead,
    },
    /// Noted.
    Ack,
    /// Jobs for this site, at most 16.
    Jobs(Vec<JobOffer>),
    /// A locked protocol, canonical JSON.
    Protocol(Vec<u8>),
    /// The release is stored durably.
    Receipt {
        /// The release.
        release: Digest,
        /// Signed receipt document, canonical JSON.
        receipt: Vec<u8>,
    },
    /// A new certificate, DER.
    Certificate(Vec<u8>),
    /// Not accepted.
    Refused(Refusal),
    /// The signed input of a step, canonical JSON. Version 2.
    Step(Vec<u8>),
    /// There is no such step. Version 2.
    NoStep {
        /// The exchange is over: it will never come.
        over: bool,
    },
    /// The audit trail now. Version 3.
    Checkpoint {
        /// The coordinator's signed checkpoint, canonical JSON.
        document: Vec<u8>,
        /// That the trail extends the one the node keeps; at most 64 hashes.
        proof: Vec<Digest>,
    },
}

/// One job on offer.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
pub struct JobOffer {
    /// Digest of `document`.
    pub job: Digest,
    /// The signed job, canonical JSON.
    pub document: Vec<u8>,
}

/// Length and last hash of a node's ledger.
#[derive(Clone, Copy, Debug, Eq, PartialEq, Serialize, Deserialize)]
pub struct LedgerHead {
    /// Number of entries.
    pub entries: u64,
    /// Hash of the last entry; the digest of nothing when empty.
    pub hash: Digest,
}
