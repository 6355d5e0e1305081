//! What several test targets share: the bundled study, and random sites with a known truth.
//!
//! From: `configs/examples/heart`, a seed.
//! To: `tests/published`, `tests/privacy`, `tests/merge`.

pub mod heart;
pub mod path;
pub mod random;
