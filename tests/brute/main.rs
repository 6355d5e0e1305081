//! Discrimination and threshold measures against their definitions: pairs, cuts and rows
//! counted one by one, on small random tables with ties, single classes, empty cells, missing
//! values and repeated patients.
//!
//! From: `harness::random`.
//! To: nothing.

mod definition;
mod released;
mod table;
