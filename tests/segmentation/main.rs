//! Studies of masks and candidates through the public path: files in, aggregates out.

mod acquisition;
mod detection;
mod faults;
mod recipes;
mod reconcile;
mod resume;
mod scores;
mod study;
