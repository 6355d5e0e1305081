//! The process inside a hospital: computes, reviews, shows, releases. Dials out only.
//!
//! From: `shared`.
//! To: the `fedval-node` command.

pub mod link;
//! The process inside a hospital.
//!
//! From: `shared`.
//! To: the command `fedval-node`.

pub mod cohort;
pub mod config;
mod suggestion;
