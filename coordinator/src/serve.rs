//! The server process: listens, answers, and notices what other processes change.
//!
//! From: `fedval serve`, the simulator.
//! To: `link` with `dispatch` as its handler.

use std::fs::File;
use std::future::Future;
use std::net::SocketAddr;
use std::path::Path;
use std::sync::Arc;
use std::time::Duration;

use shared::fault::{Code, Fault};
use shared::identity::{Entropy as _, Serial, SigningKey};

use crate::config::Home;
use crate::consortium::{Consortium, no_entropy};
use crate::dispatch::Dispatch;
use crate::link::{Limits, Server, ServerHandle, ServerIdentity, SystemEntropy, system_now};
use crate::store::Store;
use crate::waypoint;

/// How often another process' commits are looked for.
const WATCH: Duration = Duration::from_millis(100);
/// How often the server's own certificate is renewed.
const RENEWAL: Duration = Duration::from_secs(86_400);

/// A server that listens and does not answer yet.
pub struct Listening {
    server: Server,
    dispatch: Arc<Dispatch>,
    store: Arc<Store>,
    consortium: Arc<Consortium>,
    host: String,
    _lock: File,
}

/// Takes the directory, checks the database after an unclean end, and listens. Inside a tokio
/// runtime.
///
/// # Errors
/// [`Fault`] when the directory is in use or not initialised, or the address cannot be used.
pub fn listen(home: &Home, listen: Option<SocketAddr>) -> Result<Listening, Fault> {
    let consortium = Arc::new(Consortium::load(&home.ca_dir())?);
    let lock = take(&home.dir)?;
    waypoint::pass("coordinator.serve.locked");
    let store = Arc::new(home.store()?);
    if !store.begin_service()? {
        tracing::warn!(
            "the last server did not end cleanly; the database was checked and is sound"
        );
    }
    let address = listen.map_or_else(|| home.listen(), Ok)?;
    let host = home.address().map(|address| address.host)?;
    let identity = new_identity(&consortium, &host)?;
    let ca = consortium.ca.certificate_der();
    let mut fresh = [0; 32];
    SystemEntropy.fill(&mut fresh).map_err(no_entropy)?;
    let secret = store.reset_secret(fresh)?;
    let server = Server::bind_again(address, &identity, ca, Limits::default(), &secret)?;
    let dispatch = Arc::new(Dispatch::new(Arc::clone(&store), Arc::clone(&consortium)));
    dispatch.attach(server.handle());
    waypoint::pass("coordinator.serve.bound");
    Ok(Listening {
        server,
        dispatch,
        store,
        consortium,
        host,
        _lock: lock,
    })
}

/// A certificate for a key that lives in memory only.
fn new_identity(consortium: &Consortium, host: &str) -> Result<ServerIdentity, Fault> {
    let key = SigningKey::generate(&mut SystemEntropy).map_err(no_entropy)?;
    let serial = Serial::generate(&mut SystemEntropy).map_err(no_entropy)?;
    consortium
        .ca
        .server_identity(&[host.to_owned()], key, serial, system_now())
}

/// One server per directory.
fn take(dir: &Path) -> Result<File, Fault> {
    let path = dir.join("serve.lock");
    let file = File::create(&path).map_err(|error| {
        Fault::new(
            Code::StateDirUnusable,
            format!("{} cannot be written", path.display()),
            error.to_string(),
            "check the directory's permissions",
        )
    })?;
    rustix::fs::flock(&file, rustix::fs::FlockOperation::NonBlockingLockExclusive).map_err(
        |_| {
            Fault::new(
                Code::StateDirLocked,
                format!("another fedval serve runs on {}", dir.display()),
                "two servers on one state directory would answer nodes differently",
                "stop the other one, or name another --dir",
            )
        },
    )?;
    Ok(file)
}

impl Listening {
    /// The address, with the port the system chose when 0 was asked for.
    ///
    /// # Errors
    /// [`Fault`] when the socket is gone.
    pub fn local_addr(&self) -> Result<SocketAddr, Fault> {
        self.server.local_addr()
    }

    /// Answers until `stop`, then ends cleanly.
    ///
    /// # Errors
    /// [`Fault`] when the database fails at the end.
    pub async fn run(self, stop: impl Future<Output = ()> + Send) -> Result<(), Fault> {
        let watched = Arc::clone(&self.dispatch);
        let store = Arc::clone(&self.store);
        let watch = tokio::spawn(async move { watch(&store, &watched).await });
        let handle = self.server.handle();
        let renewal = tokio::spawn(async move {
            renew_daily(&handle, &self.consortium, &self.host).await;
        });
        self.server.serve(self.dispatch, stop).await;
        watch.abort();
        renewal.abort();
        self.store.end_service()
    }
}

/// A server that runs for months never shows an expired certificate.
async fn renew_daily(server: &ServerHandle, consortium: &Consortium, host: &str) {
    let mut tick = tokio::time::interval(RENEWAL);
    tick.tick().await;
    loop {
        tick.tick().await;
        let renewed = new_identity(consortium, host)
            .and_then(|identity| server.renew_identity(&identity, consortium.ca.certificate_der()));
        if let Err(fault) = renewed {
            tracing::error!(code = fault.code.as_str(), what = %fault.what, "certificate not renewed");
        }
    }
}

/// Wakes the dispatcher when another process or store has committed.
async fn watch(store: &Store, dispatch: &Dispatch) {
    let mut known = store.data_version().ok();
    let mut tick = tokio::time::interval(WATCH);
    tick.set_missed_tick_behavior(tokio::time::MissedTickBehavior::Delay);
    loop {
        tick.tick().await;
        let now = store.data_version().ok();
        if now != known {
            known = now;
            dispatch.changed_elsewhere();
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::desk;

    #[tokio::test]
    async fn one_server_per_directory_and_a_clean_end_is_remembered() {
        let dir = tempfile::tempdir().unwrap();
        let any: SocketAddr = "127.0.0.1:0".parse().unwrap();
        let missing = listen(&Home::open(dir.path()).unwrap(), Some(any));
        assert_eq!(missing.err().unwrap().code, Code::NotInitialised);
        let (home, _) =
            desk::initialise(dir.path(), "test", "localhost:4433", None, system_now()).unwrap();
        let first = listen(&home, Some(any)).unwrap();
        assert_ne!(first.local_addr().unwrap().port(), 0);
        let second = listen(&home, Some(any));
        assert_eq!(second.err().unwrap().code, Code::StateDirLocked);
        first.run(std::future::ready(())).await.unwrap();
        assert!(home.store().unwrap().begin_service().unwrap());
    }
}
