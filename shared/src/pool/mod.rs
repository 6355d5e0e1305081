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
mod fairness;
pub mod meta_regression;
mod permutation;
pub mod random_effects;
pub mod result;
mod stratified;
pub mod study;
mod table;
pub mod utility;
mod verdict;
pub mod withheld;

pub use estimate::MIN_GROUP;
