//! The control socket: people's decisions reach the running node through a Unix socket whose
//! peer credentials, given by the kernel, name the approver (decision A4).
//!
//! From: `cli` of the same machine.
//! To: `release::decide`.

use std::path::Path;
use std::sync::Arc;

use serde::{Deserialize, Serialize};
use shared::fault::{Code, Fault};
use tokio::io::{AsyncBufReadExt, AsyncReadExt, AsyncWriteExt, BufReader};
use tokio::net::{UnixListener, UnixStream};
use tokio::task::JoinHandle;

use super::{Node, View, socket_path};
use crate::link::system_now;
use crate::person::Person;
use crate::release::{self, Verb};
use crate::waypoint;

/// Longest request, bytes.
const REQUEST_MAX: u64 = 64 * 1024;

/// What is asked over the socket.
#[derive(Debug, Serialize, Deserialize)]
#[serde(tag = "ask", rename_all = "kebab-case")]
pub enum Request {
    /// A person's decision.
    Decide {
        /// The decision.
        decision: Verb,
    },
    /// How the link is.
    Status,
}

/// What is answered.
#[derive(Debug, Serialize, Deserialize)]
#[serde(tag = "answer", rename_all = "kebab-case")]
pub enum Reply {
    /// Done, and in whose name.
    Done {
        /// The person.
        person: String,
    },
    /// How the link is.
    Status {
        /// The link.
        view: View,
    },
    /// Not done.
    Refused {
        /// The code.
        code: String,
        /// What happened.
        what: String,
        /// Why.
        why: String,
        /// How to mend it.
        fix: String,
    },
}

/// Listens on the state directory's socket, open to its owner and group only.
///
/// # Errors
/// `FV-CONF-003` when the socket cannot be made.
pub(super) fn listen(node: Arc<Node>, dir: &Path) -> Result<JoinHandle<()>, Fault> {
    use std::os::unix::fs::PermissionsExt as _;
    let path = socket_path(dir);
    let unusable = |fault: std::io::Error| {
        Fault::new(
            Code::StateDirUnusable,
            format!("the control socket {} cannot be made", path.display()),
            fault.to_string(),
            "use a shorter path (at most 100 bytes) on a local disk for [storage] dir",
        )
    };
    match std::fs::remove_file(&path) {
        Ok(()) => {}
        Err(fault) if fault.kind() == std::io::ErrorKind::NotFound => {}
        Err(fault) => return Err(unusable(fault)),
    }
    let listener = UnixListener::bind(&path).map_err(unusable)?;
    std::fs::set_permissions(&path, std::fs::Permissions::from_mode(0o660)).map_err(unusable)?;
    Ok(tokio::spawn(async move {
        while let Ok((stream, _)) = listener.accept().await {
            let node = Arc::clone(&node);
            tokio::spawn(async move {
                if let Err(fault) = serve(&node, stream).await {
                    tracing::warn!("control socket: {fault}");
                }
            });
        }
    }))
}

async fn serve(node: &Node, stream: UnixStream) -> std::io::Result<()> {
    let credentials = stream.peer_cred()?;
    let person = Person::new(credentials.uid(), credentials.gid());
    let mut line = String::new();
    let mut stream = BufReader::new(stream);
    (&mut stream).take(REQUEST_MAX).read_line(&mut line).await?;
    let reply = match serde_json::from_str::<Request>(&line) {
        Ok(Request::Status) => Reply::Status {
            view: node.view().clone(),
        },
        Ok(Request::Decide { decision }) => decide(node, &person, decision),
        Err(_) => refused(&Fault::internal("the control request cannot be read")),
    };
    let mut bytes = serde_json::to_vec(&reply)?;
    bytes.push(b'\n');
    stream.write_all(&bytes).await?;
    stream.flush().await
}

fn decide(node: &Node, person: &Person, decision: Verb) -> Reply {
    let done = person.may_decide(&node.config.access).and_then(|()| {
        let (store, config) = (&node.store, &node.config);
        release::decide(store, config, decision, &person.name, system_now())
    });
    match done {
        Ok(()) => {
            waypoint::pass("node.decided");
            node.work.notify_one();
            node.changed.notify_waiters();
            Reply::Done {
                person: person.name.clone(),
            }
        }
        Err(fault) => refused(&fault),
    }
}

fn refused(fault: &Fault) -> Reply {
    Reply::Refused {
        code: fault.code.as_str().to_owned(),
        what: fault.what.clone(),
        why: fault.why.clone(),
        fix: fault.fix.clone(),
    }
}

/// Asks the running node of `dir`; `None` when none is running.
///
/// # Errors
/// The node's answer when it refuses.
pub fn ask(dir: &Path, request: &Request) -> Result<Option<Reply>, Fault> {
    use std::io::{BufRead as _, Write as _};
    let Ok(mut stream) = std::os::unix::net::UnixStream::connect(socket_path(dir)) else {
        return Ok(None);
    };
    let broken = |why: String| {
        Fault::new(
            Code::Internal,
            "the running node did not answer",
            why,
            "it may have been carried out all the same: look at fedval-node job list and ledger list, and at its log",
        )
    };
    let mut bytes = serde_json::to_vec(request).map_err(|fault| broken(fault.to_string()))?;
    bytes.push(b'\n');
    stream
        .write_all(&bytes)
        .map_err(|fault| broken(fault.to_string()))?;
    let mut line = String::new();
    std::io::BufReader::new(stream)
        .read_line(&mut line)
        .map_err(|fault| broken(fault.to_string()))?;
    let reply: Reply = serde_json::from_str(&line).map_err(|fault| broken(fault.to_string()))?;
    match reply {
        Reply::Refused {
            code,
            what,
            why,
            fix,
        } => {
            let known = Code::ALL
                .iter()
                .copied()
                .find(|known| known.as_str() == code);
            Err(Fault::new(known.unwrap_or(Code::Internal), what, why, fix))
        }
        Reply::Done { .. } | Reply::Status { .. } => Ok(Some(reply)),
    }
}
