//! `fedval-node run`.
//!
//! From: systemd, or a shell.
//! To: `daemon`.

use std::sync::atomic::{AtomicBool, Ordering};
use std::time::Duration;

use shared::fault::{Exit, Fault};

use super::{Cli, Outcome, one};
use crate::daemon;

/// What the runtime's tasks get to end when the node stops.
const GRACE: Duration = Duration::from_millis(200);

pub(super) fn run(cli: &Cli) -> Outcome {
    let config = cli.config()?;
    let level = if cli.verbose {
        "debug"
    } else {
        config.logging.level.as_str()
    };
    let _ = tracing_subscriber::fmt()
        .with_writer(std::io::stderr)
        .with_ansi(cli.colours())
        .with_env_filter(format!("warn,node={level}"))
        .try_init();
    let interrupted = AtomicBool::new(false);
    let runtime = runtime()?;
    let ended = runtime.block_on(daemon::run(config, stop_signal(&interrupted)));
    // A computation under way is given up: it is done again at the next start, and stopping
    // must not wait for it.
    runtime.shutdown_timeout(GRACE);
    ended.map_err(one)?;
    Ok(if interrupted.into_inner() {
        Exit::Interrupted
    } else {
        Exit::Done
    })
}

/// The asynchronous runtime of commands that use the link.
pub(super) fn runtime() -> Result<tokio::runtime::Runtime, Vec<Fault>> {
    tokio::runtime::Builder::new_multi_thread()
        .worker_threads(2)
        .enable_all()
        .build()
        .map_err(|fault| one(Fault::internal(format!("no runtime: {fault}"))))
}

/// Resolves at the first request to stop; says when it came from the keyboard.
async fn stop_signal(interrupted: &AtomicBool) {
    use tokio::signal::unix::{SignalKind, signal};
    let Ok(mut terminate) = signal(SignalKind::terminate()) else {
        return;
    };
    tokio::select! {
        _ = terminate.recv() => {}
        _ = tokio::signal::ctrl_c() => interrupted.store(true, Ordering::SeqCst),
    }
}
