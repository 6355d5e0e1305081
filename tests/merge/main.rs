//! What sites measure apart and a pool adds equals what brute force finds on the rows put
//! together. Everything goes the public way, under `open-data`, on random rows from a seed.
//!
//! From: `harness::random`.
//! To: nothing.

mod brute;
mod degenerate;
mod design;
mod paired;
mod parts;
mod sums;
mod value;
