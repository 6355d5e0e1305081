//! `fedval-node run`.
//!
//! From: systemd, or a shell.
//! To: `daemon`.

use shared::fault::{Exit, Fault};

use super::{Cli, Outcome, one};
use crate::daemon;

pub(super) fn run(cli: &Cli) -> Outcome {
    let config = cli.config()?;
    let level = if cli.verbose {
        "debug"
    } else {
        config.logging.level.as_str()
    };
    let _ = tracing_subscriber::fmt()
        .with_writer(std::io::stderr)
        .with_ansi(false)
        .with_env_filter(format!("warn,node={level}"))
        .try_init();
    runtime()?
        .block_on(daemon::run(config, stop_signal()))
        .map_err(one)?;
    Ok(Exit::Done)
}

/// The asynchronous runtime of commands that use the link.
pub(super) fn runtime() -> Result<tokio::runtime::Runtime, Vec<Fault>> {
    tokio::runtime::Builder::new_multi_thread()
        .worker_threads(2)
        .enable_all()
        .build()
        .map_err(|fault| one(Fault::internal(format!("no runtime: {fault}"))))
}

/// Resolves at the first request to stop.
async fn stop_signal() {
    use tokio::signal::unix::{SignalKind, signal};
    let Ok(mut terminate) = signal(SignalKind::terminate()) else {
        return;
    };
    tokio::select! {
        _ = terminate.recv() => {}
        _ = tokio::signal::ctrl_c() => {}
    }
}
