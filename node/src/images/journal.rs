//! What was measured of each case, kept until the computation that asked has come to its end, so
//! that a stop repeats no finished case. A line is written for a case at a time, and the last one
//! may be cut short by the stop: it is then left out. A case is known again by its files' bytes
//! under the same conventions, limits and version of this program; paths are not kept.
//!
//! From: `pool`.
//! To: a file in the state directory that the node's user alone may read.

use std::collections::BTreeMap;
use std::fs::{File, OpenOptions};
use std::io::{BufRead, BufReader, Seek, SeekFrom, Write};
use std::os::unix::fs::OpenOptionsExt;
use std::path::{Path, PathBuf};
use std::sync::Mutex;
use std::time::Duration;

use imaging::refusal::Reason;
use rustix::fs::FlockOperation;
use serde::{Deserialize, Serialize};
use shared::identity::Digest;

use super::allowance::Allowance;
use super::answer::Answer;
use super::candidates;
use super::question::{Files, Plan};
use crate::waypoint;

/// Journals that nobody asked for so long are removed.
const KEPT: Duration = Duration::from_secs(30 * 24 * 3600);
/// The longest line, in bytes.
const LINE: u64 = 1 << 21;

/// One case.
#[derive(Serialize, Deserialize)]
struct Line {
    case: Digest,
    answer: Answer,
}

/// Measurements of an unfinished computation.
pub(super) struct Journal {
    path: PathBuf,
    known: BTreeMap<Digest, Answer>,
    /// Absent while another process writes the same journal: this one then only reads.
    file: Option<Mutex<File>>,
}

impl Journal {
    /// The journal of a plan in `folder`; `None` where it cannot be kept, which costs time and
    /// nothing else.
    pub(super) fn open(folder: &Path, plan: &Plan, allowance: &Allowance) -> Option<Self> {
        make(folder)?;
        prune(folder);
        let plan = serde_json::to_vec(&(plan, allowance, env!("CARGO_PKG_VERSION"))).ok()?;
        let path = folder.join(format!("{}.jsonl", Digest::of(&plan).hex()));
        let mut file = OpenOptions::new()
            .read(true)
            .write(true)
            .create(true)
            .truncate(false)
            .mode(0o600)
            .open(&path)
            .ok()?;
        let (known, whole) = lines(&file);
        let alone = rustix::fs::flock(&file, FlockOperation::NonBlockingLockExclusive).is_ok();
        let ready =
            alone && file.set_len(whole).is_ok() && file.seek(SeekFrom::Start(whole)).is_ok();
        Some(Self {
            path,
            known,
            file: ready.then(|| Mutex::new(file)),
        })
    }

    /// What was measured of these bytes before.
    pub(super) fn find(&self, case: Digest) -> Option<&Answer> {
        self.known.get(&case)
    }

    /// Keeps what was measured; a disk that is full costs time after a stop and nothing else.
    pub(super) fn keep(&self, case: Digest, answer: &Answer) {
        let stopped = |refused: &super::answer::Refused| refused.reason() == Reason::Stopped;
        let Some(file) = &self.file else { return };
        if answer.refused.iter().any(stopped) {
            return;
        }
        let line = Line {
            case,
            answer: answer.clone(),
        };
        if let (Ok(mut text), Ok(mut file)) = (serde_json::to_vec(&line), file.lock()) {
            text.push(b'\n');
            let _ = file.write_all(&text);
            waypoint::pass("node.image.kept");
        }
    }

    /// The file, to be removed once its measurements are no longer needed.
    pub(super) fn path(&self) -> &Path {
        &self.path
    }
}

/// What a case is known by: the digests of the files that its plan needs, and which rows of a list
/// are meant; `None` where a named file could not be read.
pub(super) fn key(plan: &Plan, files: &Files, digests: &[Option<Digest>]) -> Option<Digest> {
    let mut parts: Vec<Vec<u8>> = Vec::new();
    for field in plan.needed() {
        let path = files.get(field).and_then(Option::as_ref);
        let mut part = Vec::new();
        if let Some(path) = path {
            part.extend_from_slice(digests.get(field).copied().flatten()?.as_bytes());
            let listed = plan.is_listed(field).then(|| candidates::parts(path));
            if let Some((_, column, name)) = listed.flatten() {
                part.extend_from_slice(format!("{column}={name}").as_bytes());
            }
        }
        parts.push(part);
    }
    let parts: Vec<&[u8]> = parts.iter().map(Vec::as_slice).collect();
    Some(Digest::of_list(&parts))
}

/// Every whole line, and where they end.
fn lines(file: &File) -> (BTreeMap<Digest, Answer>, u64) {
    let mut known = BTreeMap::new();
    let mut whole = 0;
    let mut reader = BufReader::new(file);
    loop {
        let mut text = String::new();
        let read = std::io::Read::take(&mut reader, LINE).read_line(&mut text);
        let line = serde_json::from_str::<Line>(&text);
        let (Ok(length), Ok(line), true) = (read, line, text.ends_with('\n')) else {
            return (known, whole);
        };
        whole += length as u64;
        known.insert(line.case, line.answer);
    }
}

fn make(folder: &Path) -> Option<()> {
    use std::os::unix::fs::DirBuilderExt as _;
    let mut builder = std::fs::DirBuilder::new();
    builder.recursive(true).mode(0o700);
    builder.create(folder).ok()
}

fn prune(folder: &Path) {
    let Ok(entries) = std::fs::read_dir(folder) else {
        return;
    };
    for entry in entries.flatten() {
        let known = entry.metadata().and_then(|known| known.modified());
        let age = known.ok().and_then(|when| when.elapsed().ok());
        if age.is_some_and(|age| age > KEPT) {
            let _ = std::fs::remove_file(entry.path());
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn plan() -> Plan {
        Plan {
            conventions: None,
            endpoint: Vec::new(),
            model: vec![0, 1],
            candidates: Vec::new(),
            listed: vec![false, true],
            attribute: None,
        }
    }

    fn measured(ml: f64) -> Answer {
        Answer {
            truth_ml: vec![Some(ml)],
            ..Answer::default()
        }
    }

    #[test]
    fn what_was_kept_is_found_and_a_line_cut_short_is_not() {
        let folder = tempfile::tempdir().unwrap();
        let allowance = Allowance::default();
        let open = || Journal::open(folder.path(), &plan(), &allowance).unwrap();
        let (one, two) = (Digest::of(b"1"), Digest::of(b"2"));
        let first = open();
        first.keep(one, &measured(0.1 + 0.2));
        first.keep(two, &measured(2.0));
        drop(first);
        let path = open().path().to_owned();
        let text = std::fs::read(&path).unwrap();
        std::fs::write(&path, &text[..text.len() - 3]).unwrap();
        let again = open();
        assert_eq!(
            again.find(one),
            Some(&measured(0.1 + 0.2)),
            "to the last bit"
        );
        assert_eq!(again.find(two), None);
        again.keep(two, &measured(2.0));
        drop(again);
        assert_eq!(std::fs::read(&path).unwrap(), text);
        // Other limits are another journal.
        let narrower = Allowance {
            voxels: 5,
            ..allowance
        };
        let other = Journal::open(folder.path(), &plan(), &narrower).unwrap();
        assert_eq!(other.find(one), None);
    }

    #[test]
    fn two_at_once_do_not_write_into_each_other() {
        let folder = tempfile::tempdir().unwrap();
        let open = || Journal::open(folder.path(), &plan(), &Allowance::default()).unwrap();
        let first = open();
        let second = open();
        second.keep(Digest::of(b"2"), &measured(2.0));
        first.keep(Digest::of(b"1"), &measured(1.0));
        drop((first, second));
        let third = open();
        assert!(third.find(Digest::of(b"1")).is_some());
        assert!(third.find(Digest::of(b"2")).is_none());
    }

    #[test]
    fn cases_that_were_stopped_are_tried_again() {
        use super::super::answer::Refused;
        use imaging::refusal::Refusal;
        let folder = tempfile::tempdir().unwrap();
        let open = || Journal::open(folder.path(), &plan(), &Allowance::default()).unwrap();
        let first = open();
        for (name, reason) in [("s", Reason::Stopped), ("t", Reason::Truncated)] {
            let refused = Refused::new(0, &Refusal::new(reason, "x"));
            let answer = Answer {
                refused: vec![refused],
                ..Answer::default()
            };
            first.keep(Digest::of(name.as_bytes()), &answer);
        }
        drop(first);
        assert!(open().find(Digest::of(b"s")).is_none());
        assert!(open().find(Digest::of(b"t")).is_some());
    }

    #[test]
    fn a_case_is_known_by_bytes_and_by_the_rows_of_its_list() {
        let files = |list: &str| vec![Some(PathBuf::from("a.nii")), Some(PathBuf::from(list))];
        let digests = vec![Some(Digest::of(b"a")), Some(Digest::of(b"l"))];
        let one = key(&plan(), &files("l.csv#scan=1"), &digests);
        assert!(one.is_some());
        assert_ne!(one, key(&plan(), &files("l.csv#scan=2"), &digests));
        assert_eq!(one, key(&plan(), &files("other/l.csv#scan=1"), &digests));
        assert_eq!(key(&plan(), &files("l.csv"), &[None, digests[1]]), None);
        let unnamed = vec![Some(PathBuf::from("a.nii")), None];
        assert!(key(&plan(), &unnamed, &digests).is_some());
    }
}
