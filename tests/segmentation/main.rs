//! Studies of masks and candidates through the public path: files in, aggregates out.

mod acquisition;
mod detection;
mod faults;
mod recipes;
mod scores;
mod study;
