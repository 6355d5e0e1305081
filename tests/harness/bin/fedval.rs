//! `fedval` for tests: cargo builds no other package's programs for this one.
//!
//! From: tests.
//! To: `coordinator`.

fn main() -> std::process::ExitCode {
    coordinator::main()
}
