//! What has gone wrong in programs that compute the same statistics, each mistake pinned by a
//! test: overflow, single precision, ties, turned scores, lost tails, wrong quantiles, order of
//! addition, and the rules for bins and thresholds.
//!
//! From: constructed rows; 40-digit values of mpmath.
//! To: nothing.

mod ranks;
mod rules;
mod tails;
