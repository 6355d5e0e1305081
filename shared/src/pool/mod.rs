//! Station 8, the pool: exact merges where the statistics allow it, random effects elsewhere.
//!
//! From: `disclosure` (released documents, after the coordinator's checks).
//! To: `report`.

pub mod random_effects;
pub mod result;
