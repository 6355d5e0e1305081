//! `fedval` for whole-round tests: the same library as the shipped command.
//!
//! From: tests that start real processes.
//! To: `coordinator::main`.

fn main() -> std::process::ExitCode {
    coordinator::waypoint::listen(harness::interrupt_at);
    coordinator::main()
}
