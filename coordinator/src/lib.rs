//! The coordinator: sends signed jobs to nodes, pools what they release, writes the report.
//!
//! From: `shared`.
//! To: the `fedval` command.

pub mod bundle;
pub mod cli;
pub mod compare;
pub mod config;
pub mod consortium;
pub mod desk;
pub mod dispatch;
pub mod exchange;
pub mod export;
pub mod intake;
pub mod link;
pub mod masked;
mod person;
pub mod roster;
pub mod round;
pub mod serve;
pub mod sim;
pub mod store;
pub mod waypoint;
mod witness;

/// The whole `fedval` command, with the process' own arguments.
pub fn main() -> std::process::ExitCode {
    let arguments: Vec<std::ffi::OsString> = std::env::args_os().collect();
    cli::run(&arguments)
}
