//! Station 8, the pool: exact merges where the statistics allow it, random effects elsewhere.
//!
//! From: `disclosure` (released documents, after the coordinator's checks).
//! To: `report`.

mod analysis;
pub mod binomial_normal;
pub mod bivariate;
pub mod calibration;
mod curve;
pub mod detection;
mod estimate;
mod failure;
mod fairness;
pub mod masked;
mod mean;
pub mod meta_regression;
pub mod moderator;
mod noisy;
pub mod one_stage;
mod permutation;
pub mod random_effects;
pub mod result;
pub mod robustness;
mod stratified;
pub mod study;
pub mod summary_point;
mod table;
pub mod utility;
mod verdict;
pub mod withheld;

pub use estimate::MIN_GROUP;
