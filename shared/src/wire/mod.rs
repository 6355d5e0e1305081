//! What travels: messages, frames, and the one module that names bincode.
//!
//! From: `study`, `disclosure` (released bytes).
//! To: `node::link`, `coordinator::link`.

mod checkpoint;
pub mod close;
pub mod codec;
pub mod frame;
pub mod message;
mod receipt;

pub use checkpoint::{
    AUDIT_SCHEMA, AuditCheckpoint, ENTRY_SCHEMA, EntryFault, EntryProof, LEDGER_SCHEMA,
    LedgerCheckpoint,
};
pub use close::Close;
pub use codec::{CodecFault, Message};
pub use message::{JobOffer, JoinReply, JoinRequest, LedgerHead, NodeReply, NodeRequest, Refusal};
pub use receipt::{Delivery, RECEIPT_SCHEMA, Receipt, ReceiptFault};

/// The TLS application protocol of enrolled nodes; a certificate is required.
pub const ALPN_NODE: &[u8] = b"fedval/1";
/// The TLS application protocol of joining processes; the only one without a certificate.
pub const ALPN_JOIN: &[u8] = b"fedval-join/1";

use crate::disclosure::{Released, ReleasedBytes};
use crate::identity::CanonicalError;

/// The only encoder of results: a reviewed release becomes the bytes that may travel.
///
/// # Errors
/// [`CanonicalError`] when the release holds a number that JSON cannot say.
pub fn encode(released: &Released) -> Result<ReleasedBytes, CanonicalError> {
    released.encode()
}
