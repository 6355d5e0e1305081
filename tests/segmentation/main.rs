//! Studies of masks through the public path: files in, aggregates out.

mod faults;
mod scores;
mod study;
