//! The `fedval` command.
//!
//! From: people and scripts.
//! To: `coordinator::main`.

fn main() -> std::process::ExitCode {
    coordinator::main()
}
