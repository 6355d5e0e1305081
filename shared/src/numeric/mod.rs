//! The mathematics below the statistics: sums, ranks, distributions, and the estimators that
//! need nothing but numbers. A leaf: it knows no study, no site and no wire.
//!
//! Nothing here panics on any input, and nothing returns NaN or an infinity: what is not
//! defined is `None` or a status that says why. Functions that could overflow on values
//! near the limits of a double check their result.
//!
//! From: `statistic`, `pool`, `disclosure`.
//! To: plain structs of numbers.

pub mod accuracy;
pub mod area_bounds;
pub mod bootstrap;
pub mod calibration;
pub mod common_slope;
pub mod conditional;
pub mod delong;
pub mod disparity;
pub mod distribution;
pub mod dominance;
pub mod exponential;
pub mod fisher;
pub mod froc;
pub mod generalised;
pub mod homogeneity;
pub mod influence;
pub mod interval;
pub mod lesion;
pub mod linear;
pub mod logistic;
pub mod mcnemar;
pub mod minimise;
pub mod multiplicity;
pub mod net_benefit;
pub mod noise;
pub mod permutation;
pub mod planning;
pub mod proportion;
pub mod quadrature;
pub mod random;
pub mod rank;
pub mod ranked;
pub mod reclassification;
pub mod roc;
pub mod spline;
pub mod stratified;
pub mod sum;
pub mod table;
pub mod trend;

pub use interval::{Interval, Test};
