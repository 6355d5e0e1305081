//! `fedval-node` for tests: cargo builds no other package's programs for this one.
//!
//! From: tests.
//! To: `node`.

fn main() -> std::process::ExitCode {
    node::waypoint::listen(harness::interrupt_at);
    node::cli::main()
}
