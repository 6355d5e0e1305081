//! Attacks on releases. An outsider who knows the policy, and to whom every shown count is
//! granted exactly (rates with three digits give it away), combines all the sums of the release
//! by interval propagation. He must pin no hidden cell of 1 to k - 1 patients. Sites are random,
//! from a seed. `sequence` attacks by several releases of one hospital.
//!
//! From: `harness::random`.
//! To: nothing.

mod adaptive;
mod attack;
mod bound;
mod draws;
mod effect;
mod hospital;
mod named;
mod neighbour;
mod noise;
mod question;
mod said;
mod seam;
mod sequence;
mod solver;
mod sybil;

/// Whether the long forms are asked for: 10^5 attackers, 10^4 neighbours, 10^3 repetitions.
fn is_long() -> bool {
    std::env::var_os("FEDVAL_LONG").is_some()
}
