//! Studies of masks through the public path: files in, aggregates out.

mod acquisition;
mod faults;
mod recipes;
mod scores;
mod study;
