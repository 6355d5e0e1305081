//! What travels: messages, frames, and the one module that names bincode.
//!
//! From: `study`, `disclosure` (released bytes).
//! To: `node::link`, `coordinator::link`.

pub mod message;

pub use message::{JobOffer, JoinReply, JoinRequest, LedgerHead, NodeReply, NodeRequest, Refusal};
