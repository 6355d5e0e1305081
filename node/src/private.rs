//! New files that only their owner may read: what shows more than may leave, and keys.
//!
//! From: places that people name.
//! To: the command line, `approval::key`.

use std::fs::OpenOptions;
use std::io::Write as _;
use std::os::unix::fs::OpenOptionsExt as _;
use std::path::Path;

use shared::fault::{Code, Fault};

/// Writes a file that is not there yet, mode 0600, and has it on the disk.
///
/// # Errors
/// `FV-CONF-005` when it exists or cannot be written.
pub(crate) fn write_new(path: &Path, text: &str) -> Result<(), Fault> {
    let mut options = OpenOptions::new();
    let opened = options.write(true).create_new(true).mode(0o600).open(path);
    opened
        .and_then(|mut file| {
            file.write_all(text.as_bytes())?;
            file.sync_all()
        })
        .map_err(|fault| unwritable(path, &fault))
}

/// Says early that [`write_new`] would refuse, before a person is asked for anything.
///
/// # Errors
/// `FV-CONF-005` when something is there, or the folder is not.
pub(crate) fn may_be_new(path: &Path) -> Result<(), Fault> {
    let folder = path
        .parent()
        .filter(|folder| !folder.as_os_str().is_empty());
    let known = folder.map_or(Ok(()), |folder| std::fs::metadata(folder).map(|_| ()));
    known.map_err(|fault| unwritable(path, &fault))?;
    match path.symlink_metadata() {
        Ok(_) => Err(unwritable(path, &std::io::ErrorKind::AlreadyExists.into())),
        Err(_) => Ok(()),
    }
}

fn unwritable(path: &Path, fault: &std::io::Error) -> Fault {
    Fault::new(
        Code::OutputUnwritable,
        format!("{} cannot be written", path.display()),
        fault.to_string(),
        "name a file that does not exist yet, in a folder you may write",
    )
}
