//! The coordinator: sends signed jobs to nodes, pools what they release, writes the report.
//!
//! From: `shared`.
//! To: the `fedval` command.

pub mod link;
