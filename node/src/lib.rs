//! The process inside a hospital.
//!
//! From: `shared`.
//! To: the command `fedval-node`.

pub mod cohort;
pub mod config;
mod suggestion;
