//! The `fedval` command.

fn main() -> std::process::ExitCode {
    coordinator::main()
}
