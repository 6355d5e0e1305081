//! The process inside a hospital: computes, reviews, shows, releases. Dials out only.
//!
//! From: `shared`.
//! To: the `fedval-node` command.

pub mod link;
