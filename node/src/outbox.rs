//! The durable queue outward. Its only item is [`ReleasedBytes`]: what was approved, checked
//! against the ledger when it is read back. A row stays until the coordinator's signed receipt
//! is stored, so a crash can repeat a delivery and never lose or change one.
//!
//! From: `store`.
//! To: `link`.

use shared::disclosure::ReleasedBytes;
use shared::identity::Digest;
use shared::wire::{LedgerHead, NodeRequest};

/// The delivery of approved bytes.
pub fn delivery(job: Digest, bytes: &ReleasedBytes, ledger: LedgerHead) -> NodeRequest {
    NodeRequest::Deliver {
        job,
        release: bytes.id(),
        document: bytes.bytes().to_vec(),
        ledger,
    }
}
