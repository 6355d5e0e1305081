//! Digests of files as they are stored: they go into the fingerprint of a dataset, and tell
//! whether a case was measured before. They are taken here and not in the reader process, whose
//! word about a file would be no better than the file.
//!
//! From: paths of a table.
//! To: `pool`, `journal`, `measured`.

use std::collections::BTreeMap;
use std::io::Read;
use std::path::{Path, PathBuf};
use std::sync::Mutex;

use imaging::file::stored_in;
use imaging::limit::Limits;
use shared::identity::Digest;

use super::candidates;
use super::question::{Files, Plan};

/// Takes digests; those of lists that many cases share are taken once.
pub(super) struct Hasher {
    limits: Limits,
    shared: Mutex<BTreeMap<PathBuf, Option<Digest>>>,
}

impl Hasher {
    pub(super) fn new(limits: Limits) -> Self {
        Self {
            limits,
            shared: Mutex::new(BTreeMap::new()),
        }
    }

    /// By declared field, the SHA-256 of the file that the plan needs; `None` of a file that is
    /// not named or cannot be read within the limits.
    pub(super) fn of(&self, plan: &Plan, files: &Files) -> Vec<Option<Digest>> {
        let mut digests = vec![None; files.len()];
        for field in plan.needed() {
            let Some(Some(path)) = files.get(field) else {
                continue;
            };
            digests[field] = match candidates::parts(path) {
                Some((list, ..)) if plan.is_listed(field) => self.of_shared(list),
                Some(_) | None => self.of_file(path),
            };
        }
        digests
    }

    fn of_shared(&self, list: PathBuf) -> Option<Digest> {
        let mut shared = self.shared.lock().ok()?;
        *shared
            .entry(list)
            .or_insert_with_key(|list| self.of_file(list))
    }

    /// Of one file's bytes; of a folder or of a pair of files, of each one's in the order of
    /// their names.
    fn of_file(&self, path: &Path) -> Option<Digest> {
        let files = stored_in(path, &self.limits)?;
        if let [file] = files.as_slice() {
            return self.of_bytes(file);
        }
        let digests = files.iter().map(|file| self.of_bytes(file));
        let digests = digests.collect::<Option<Vec<_>>>()?;
        let parts: Vec<&[u8]> = digests.iter().map(|one| &one.as_bytes()[..]).collect();
        Some(Digest::of_list(&parts))
    }

    fn of_bytes(&self, path: &Path) -> Option<Digest> {
        let known = std::fs::metadata(path).ok()?;
        if !known.is_file() || known.len() > self.limits.file_bytes {
            return None;
        }
        let mut file = std::fs::File::open(path).ok()?.take(self.limits.file_bytes);
        crate::cohort::Sha256::of(&mut file).ok()
    }
}
