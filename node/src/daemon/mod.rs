//! The running node: dials out, takes jobs in, computes, sends what was approved. Everything it
//! must remember is in the store before it is acted on, so a restart at any point goes on.
//!
//! From: `cli::run`.
//! To: `session` (over the link), `work` (on the data), `control` (people).

use std::collections::BTreeMap;
use std::path::{Path, PathBuf};
use std::sync::{Arc, Mutex, PoisonError};
use std::time::{Duration, Instant};

use rustix::fs::FlockOperation;
use shared::fault::{Code, Fault};
use shared::identity::{Digest, Succession};
use shared::study::SiteState;
use tokio::sync::Notify;

use crate::admission::Gatekeeper;
use crate::cohort::Progress;
use crate::config::NodeConfig;
use crate::link::{IdentityDir, NodeIdentity, system_now};
use crate::store::Store;
use crate::waypoint;

pub mod control;
mod renewal;
mod session;
mod steps;
mod witness;
mod work;

/// How long a node that starts waits for a command, such as a decision, that has the state
/// directory.
const LOCK_PATIENCE: Duration = Duration::from_secs(3);

/// What every part of the running node shares.
pub struct Node {
    config: NodeConfig,
    /// Replaced when the certificate is renewed.
    identity: Mutex<Arc<NodeIdentity>>,
    identity_dir: IdentityDir,
    store: Store,
    gate: Gatekeeper,
    /// Something in the store changed.
    changed: Notify,
    /// A job may be computed.
    work: Notify,
    view: Mutex<View>,
}

/// What `status` tells about the link.
#[derive(Clone, Debug, Default, serde::Serialize, serde::Deserialize)]
pub struct View {
    /// Whether the coordinator has accepted the connection.
    pub connected: bool,
    /// The last fault of the link, for people.
    pub last_fault: Option<String>,
    /// The coordinator's clock minus this machine's, seconds.
    pub skew_s: Option<i64>,
    /// The job whose images are being read, if any.
    #[serde(default)]
    pub reading: Option<Reading>,
    /// States the coordinator has been told, by job.
    #[serde(skip)]
    told: BTreeMap<Digest, SiteState>,
}

/// How far the images of a job have been read. It stays on this machine.
#[derive(Clone, Debug, serde::Serialize, serde::Deserialize)]
pub struct Reading {
    /// The job's round.
    pub round: String,
    /// How far.
    #[serde(flatten)]
    pub progress: Progress,
}

impl Node {
    fn identity(&self) -> Arc<NodeIdentity> {
        let current = self.identity.lock();
        Arc::clone(&current.unwrap_or_else(PoisonError::into_inner))
    }

    /// This node as other hospitals know it: its identity, and its earlier keys' words for it.
    fn own(&self) -> Result<(Arc<NodeIdentity>, Vec<Succession>), Fault> {
        let identity = self.identity();
        let successions = self.identity_dir.successions()?;
        Ok((identity, successions))
    }

    /// From the next connection on this identity is used.
    fn adopt(&self, renewed: NodeIdentity) {
        let mut current = self.identity.lock().unwrap_or_else(PoisonError::into_inner);
        *current = Arc::new(renewed);
    }

    fn view(&self) -> std::sync::MutexGuard<'_, View> {
        self.view.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

/// Holds the state directory for one process.
pub struct StateLock {
    _file: std::fs::File,
}

impl StateLock {
    /// Takes the lock of `dir`, waiting for a command that holds it for a moment.
    ///
    /// # Errors
    /// As [`StateLock::take`], once it has waited for `patience`.
    pub fn take_within(dir: &Path, patience: Duration) -> Result<Self, Fault> {
        let begun = Instant::now();
        loop {
            match Self::take(dir) {
                Err(fault) if fault.code == Code::StateDirLocked && begun.elapsed() < patience => {
                    std::thread::sleep(Duration::from_millis(50));
                }
                taken => return taken,
            }
        }
    }

    /// Takes the lock of `dir`.
    ///
    /// # Errors
    /// `FV-CONF-004` when another process has it.
    pub fn take(dir: &Path) -> Result<Self, Fault> {
        let path = dir.join("lock");
        let unusable = |why: String| {
            Fault::new(
                Code::StateDirUnusable,
                format!("the state directory {} cannot be used", dir.display()),
                why,
                "name a folder that this user may write in [storage] dir",
            )
        };
        std::fs::create_dir_all(dir).map_err(|fault| unusable(fault.to_string()))?;
        let file = std::fs::OpenOptions::new()
            .create(true)
            .truncate(false)
            .write(true)
            .open(&path)
            .map_err(|fault| unusable(fault.to_string()))?;
        rustix::fs::flock(&file, FlockOperation::NonBlockingLockExclusive).map_err(|_| {
            Fault::new(
                Code::StateDirLocked,
                format!("another fedval-node uses {}", dir.display()),
                "two processes on one state directory would send twice",
                "stop the other process, or give this one its own [storage] dir",
            )
        })?;
        Ok(Self { _file: file })
    }
}

/// The control socket of a state directory.
pub fn socket_path(dir: &Path) -> PathBuf {
    dir.join("control.sock")
}

/// Runs until `stop` resolves.
///
/// # Errors
/// Faults that no waiting can mend: configuration, identity, a damaged store.
pub async fn run(config: NodeConfig, stop: impl Future<Output = ()>) -> Result<(), Fault> {
    let dir = config.storage.dir.clone();
    let _lock = StateLock::take_within(&dir, LOCK_PATIENCE)?;
    let identity_dir = IdentityDir::new(&config.identity.dir);
    let identity = Arc::new(identity_dir.load()?);
    if identity.site != config.site.slug {
        return Err(Fault::new(
            Code::ConfigInvalid,
            format!(
                "[site] slug is {}, the certificate says {}",
                config.site.slug, identity.site
            ),
            "this node joined under another name",
            format!("write slug = \"{}\", or join again", identity.site),
        ));
    }
    waypoint::pass("node.start.locked");
    let store = Store::open(&dir)?;
    store.entries()?;
    store.take_up_again(&config.access.studies, system_now())?;
    store.end_modes(config.release.mode, system_now())?;
    waypoint::pass("node.start.opened");
    if config.disclosure.policy.is_none() {
        tracing::warn!("no disclosure policy is configured: no job will run");
    }
    let address = crate::cli::coordinator_address(&config)?;
    let gate = Gatekeeper::new(&config, &identity);
    let node = Arc::new(Node {
        config,
        identity: Mutex::new(identity),
        identity_dir,
        store,
        gate,
        changed: Notify::new(),
        work: Notify::new(),
        view: Mutex::new(View::default()),
    });
    let control = control::listen(Arc::clone(&node), &dir)?;
    node.work.notify_one();
    let result = tokio::select! {
        () = stop => Ok(()),
        result = session::keep(&node, address) => result,
        result = work::keep(Arc::clone(&node)) => result,
    };
    control.abort();
    let _ = std::fs::remove_file(socket_path(&dir));
    result
}
