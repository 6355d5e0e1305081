//! Masked sums as a whole: exact whoever drops out, aborted by name when somebody cheats, and
//! nothing to read in what one site sends. The short form takes seconds; `FEDVAL_LONG=1` asks for
//! more random runs and more seeds.
//!
//! From: `shared::masking`.
//! To: nothing.

#![allow(
    clippy::unwrap_used,
    clippy::cast_precision_loss,
    clippy::cast_possible_truncation,
    reason = "a failed expectation must panic, and numbers are small"
)]

mod aborts;
mod dropout;
mod example;
mod keys;
mod openings;
mod property;
mod uniform;
mod world;

/// Whether the long forms are asked for.
#[expect(
    clippy::disallowed_methods,
    reason = "tests may read their surroundings"
)]
fn is_long() -> bool {
    std::env::var("FEDVAL_LONG").is_ok()
}
