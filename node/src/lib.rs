//! `fedval-node`: the process inside a hospital. It computes on its own data, applies its own
//! disclosure policy, shows staff what would leave, and dials out only.
//!
//! Read in the order of a job: [`link`] (offered), [`admission`] (admitted), [`cohort`] and
//! [`measure`] (computing), [`release`] (waiting for approval), [`outbox`] (sending),
//! [`ledger`] (what was asked, refused, released).
//!
//! From: `shared`.
//! To: the command `fedval-node`.

pub mod cohort;
pub mod config;
pub mod link;
mod suggestion;
