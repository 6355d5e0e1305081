//! `fedval serve`: answer nodes until stopped.
//!
//! From: systemd, or a person at a terminal.
//! To: `serve`.

use std::net::SocketAddr;
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, Ordering};

use clap::Args;
use serde_json::json;
use shared::fault::{Exit, Fault};
use tokio::signal::unix::{SignalKind, signal};

use super::output::{Answer, Format, Manners, print, print_json};
use crate::config::Home;
use crate::serve;

/// Answer nodes until stopped.
#[derive(Debug, Args)]
pub(super) struct Serve {
    /// Where QUIC listens, instead of what is configured; port 0 takes a free one.
    #[arg(long, value_name = "IP:PORT")]
    listen: Option<SocketAddr>,
}

impl Serve {
    pub(super) fn run(&self, home: &Home, manners: Manners) -> Result<Answer, Fault> {
        let runtime = tokio::runtime::Builder::new_multi_thread()
            .enable_all()
            .build()
            .map_err(|error| Fault::internal(format!("no runtime: {error}")))?;
        runtime.block_on(async {
            let interrupted = Arc::new(AtomicBool::new(false));
            let stop = stopped(Arc::clone(&interrupted))?;
            let listening = serve::listen(home, self.listen)?;
            let address = listening.local_addr()?;
            // One line as soon as nodes can dial, so that scripts need not guess.
            match manners.format {
                Format::Text => print(&format!("listening on {address} (UDP)")),
                Format::Json | Format::Jsonl => print_json(&json!({
                    "schema": "fedval.cli/1",
                    "command": "serve",
                    "ok": true,
                    "data": {"listening": address},
                    "terminal": false,
                })),
            }
            listening.run(stop).await?;
            let mut answer = Answer::new("", &json!({"stopped": true, "terminal": true}))?;
            if interrupted.load(Ordering::SeqCst) {
                answer.exit = Some(Exit::Interrupted);
            }
            Ok(answer)
        })
    }
}

/// Resolves at the first SIGTERM or SIGINT; says when it was the keyboard's.
fn stopped(interrupted: Arc<AtomicBool>) -> Result<impl Future<Output = ()> + Send, Fault> {
    let watch = |kind| {
        signal(kind).map_err(|error| Fault::internal(format!("signals cannot be read: {error}")))
    };
    let mut terminate = watch(SignalKind::terminate())?;
    let mut interrupt = watch(SignalKind::interrupt())?;
    Ok(async move {
        tokio::select! {
            _ = terminate.recv() => {}
            _ = interrupt.recv() => interrupted.store(true, Ordering::SeqCst),
        }
    })
}
