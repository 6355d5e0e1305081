//! `fedval-node`: see `node`.
//!
//! From: the shell.
//! To: `node::cli`.

fn main() -> std::process::ExitCode {
    node::cli::main()
}
