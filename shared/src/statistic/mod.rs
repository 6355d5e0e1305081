//! Station 5, the statistics: one file each tells what is read, what is kept, how it merges
//! and what it estimates.
//!
//! From: `study` (what is asked), `node::cohort` (cases).
//! To: `disclosure`, which alone makes anything of this leave.

pub mod cases;
