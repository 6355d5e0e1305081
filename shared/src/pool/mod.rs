//! Station 8, the pool: exact merges where the statistics allow it, random effects elsewhere.
//!
//! From: `disclosure` (released documents, after the coordinator's checks).
//! To: `report`.

mod analysis;
pub mod binomial_normal;
pub mod bivariate;
pub mod calibration;
mod curve;
mod estimate;
pub mod meta_regression;
pub mod random_effects;
pub mod result;
pub mod study;
mod table;
mod verdict;
pub mod withheld;

pub use estimate::MIN_GROUP;
