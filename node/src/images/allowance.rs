//! What reading images may take on this machine.
//!
//! From: `config` (`[imaging]`).
//! To: `pool`, `worker`.

use std::time::Duration;

use imaging::limit::Limits;
use serde::{Deserialize, Serialize};

/// Limits of the reader processes. Memory of all of them together: `readers` times
/// `memory_bytes` at the very most.
#[derive(Clone, Copy, Debug, Eq, PartialEq, Serialize, Deserialize)]
pub struct Allowance {
    /// Processes that read at the same time; default: one for each processor.
    pub readers: Option<u16>,
    /// Address space of one process, bytes; default 6 GiB.
    pub memory_bytes: u64,
    /// Longest time for one case, seconds; default 300.
    pub case_seconds: u32,
    /// Largest file, bytes; default 1 GiB.
    pub file_bytes: u64,
    /// Most voxels of one volume; default 2^28, 512x512x1024.
    pub voxels: u64,
}

impl Default for Allowance {
    fn default() -> Self {
        let limits = Limits::default();
        Self {
            readers: None,
            memory_bytes: 6 << 30,
            case_seconds: 300,
            file_bytes: limits.file_bytes,
            voxels: limits.voxels,
        }
    }
}

impl Allowance {
    /// Processes that read at the same time.
    pub(super) fn readers(&self) -> usize {
        let cores = || std::thread::available_parallelism().map_or(1, usize::from);
        self.readers.map_or_else(cores, usize::from).max(1)
    }

    /// Longest time for one case.
    pub(super) fn case(&self) -> Duration {
        Duration::from_secs(self.case_seconds.into())
    }

    /// What the readers check files against.
    pub(super) fn limits(&self) -> Limits {
        Limits {
            file_bytes: self.file_bytes,
            voxels: self.voxels,
            ..Limits::default()
        }
    }
}
