//! Attacks on releases. An outsider who knows the policy, and to whom every shown count is
//! granted exactly (rates with three digits give it away), combines all the sums of the release
//! by interval propagation. He must pin no hidden cell of 1 to k - 1 patients. Sites are random,
//! from a seed. `sequence` attacks by several releases of one hospital.
//!
//! From: `harness::random`.
//! To: nothing.

mod attack;
mod bound;
mod effect;
mod said;
mod seam;
mod sequence;
