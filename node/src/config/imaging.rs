//! `[imaging]`: what reading images may take on this machine.
//!
//! From: `config`.
//! To: `cohort::Allowance`.

use std::path::Path;

use serde::{Deserialize, Serialize};
use shared::fault::Fault;

use super::explain;
use crate::cohort::Allowance;

/// Least memory of a reader, MiB: below it the program itself does not start.
const MEMORY_MB_MIN: u32 = 256;

/// `[imaging]`.
#[derive(Clone, Copy, Debug, PartialEq, Serialize, Deserialize)]
#[serde(deny_unknown_fields, default)]
pub struct ImagingSection {
    /// Processes that read at the same time; default: one for each processor.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub readers: Option<u16>,
    /// Most memory of one of them, MiB of address space; default 6144.
    pub memory_mb: u32,
    /// Longest time for one case, seconds; default 300.
    pub case_seconds: u32,
    /// Largest image file, MiB; default 1024.
    pub max_mb: u32,
    /// Most voxels of one volume; default 268435456, which is 512x512x1024.
    pub max_voxels: u64,
}

impl Default for ImagingSection {
    fn default() -> Self {
        let allowance = Allowance::default();
        let mb = |bytes: u64| u32::try_from(bytes >> 20).unwrap_or(u32::MAX);
        Self {
            readers: allowance.readers,
            memory_mb: mb(allowance.memory_bytes),
            case_seconds: allowance.case_seconds,
            max_mb: mb(allowance.file_bytes),
            max_voxels: allowance.voxels,
        }
    }
}

impl ImagingSection {
    /// Values with which no image could be read.
    pub(super) fn check(&self, file: &Path) -> Result<(), Fault> {
        let wrong = |key: &str, value: u64, least: u64| {
            let what = format!("[imaging] {key} is {value}");
            let why = format!("no image could be read with less than {least}");
            let fix = "write a larger number, or leave the key out for its default";
            Err(explain::invalid(file, what, why, fix))
        };
        let readers = self.readers.unwrap_or(1);
        for (key, value, least) in [
            ("readers", u64::from(readers), 1),
            ("memory_mb", self.memory_mb.into(), MEMORY_MB_MIN.into()),
            ("case_seconds", self.case_seconds.into(), 1),
            ("max_mb", self.max_mb.into(), 1),
            ("max_voxels", self.max_voxels, 1),
        ] {
            if value < least {
                return wrong(key, value, least);
            }
        }
        Ok(())
    }

    /// The limits as readers take them.
    pub fn allowance(&self) -> Allowance {
        Allowance {
            readers: self.readers,
            memory_bytes: u64::from(self.memory_mb) << 20,
            case_seconds: self.case_seconds,
            file_bytes: u64::from(self.max_mb) << 20,
            voxels: self.max_voxels,
        }
    }
}
