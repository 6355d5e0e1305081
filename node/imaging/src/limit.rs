//! What one case may take. Sizes are checked against these before memory is taken.
//!
//! From: the node's configuration.
//! To: every reader.

/// Limits of one file.
#[derive(Clone, Copy, Debug, Eq, PartialEq)]
pub struct Limits {
    /// Bytes of one file as stored; default 1 GiB.
    pub file_bytes: u64,
    /// Voxels of one volume; default 2^28, a volume of 512x512x1024.
    pub voxels: u64,
    /// Different label values in one volume; default 1024.
    pub labels: usize,
    /// Files of one series; default 4096.
    pub files: usize,
}

impl Default for Limits {
    fn default() -> Self {
        Self {
            file_bytes: 1 << 30,
            voxels: 1 << 28,
            labels: 1024,
            files: 4096,
        }
    }
}
