//! Keys and certificates as files: PEM text; private files have mode 0600 and appear whole or
//! not at all.
//!
//! From: `ca`.
//! To: the state directory.

use std::fs::{self, File, OpenOptions};
use std::io::{self, Write};
use std::os::unix::fs::{MetadataExt, OpenOptionsExt, fchown};
use std::path::Path;

use rcgen::{KeyPair, PKCS_ED25519};
use rustls::pki_types::pem::PemObject;
use rustls::pki_types::{CertificateDer, PrivatePkcs8KeyDer};
use shared::fault::{Code, Fault};
use shared::identity::SigningKey;

/// Writes `bytes` to `path` with mode 0600: first to a file beside it, then by rename, so that a
/// crash leaves the old file or the new one. Both file and folder are flushed to the disk.
///
/// # Errors
/// [`Code::StateDirUnusable`] when the folder cannot be written.
pub fn write_private(path: &Path, bytes: &[u8]) -> Result<(), Fault> {
    write_whole(path, bytes).map_err(|error| {
        Fault::new(
            Code::StateDirUnusable,
            format!("cannot write {}", path.display()),
            error.to_string(),
            "check that the folder exists and belongs to the user who runs this command",
        )
    })
}

fn write_whole(path: &Path, bytes: &[u8]) -> io::Result<()> {
    let folder = path.parent().unwrap_or_else(|| Path::new("."));
    let mut beside = path.as_os_str().to_owned();
    beside.push(".new");
    let beside = Path::new(&beside);
    match fs::remove_file(beside) {
        Err(error) if error.kind() != io::ErrorKind::NotFound => return Err(error),
        Ok(()) | Err(_) => {}
    }
    let mut file = OpenOptions::new()
        .write(true)
        .create_new(true)
        .mode(0o600)
        .open(beside)?;
    // Whoever runs the command, root included, leaves the file to whom it belongs: the server must
    // read it afterwards.
    if let Ok(before) = fs::metadata(path) {
        let made = file.metadata()?;
        if (made.uid(), made.gid()) != (before.uid(), before.gid()) {
            fchown(&file, Some(before.uid()), Some(before.gid()))?;
        }
    }
    file.write_all(bytes)?;
    file.sync_all()?;
    fs::rename(beside, path)?;
    File::open(folder)?.sync_all()
}

/// PEM text (RFC 7468): lines of 64 characters.
fn pem(label: &str, der: &[u8]) -> String {
    let mut text = format!("-----BEGIN {label}-----\n");
    let coded = data_encoding::BASE64.encode(der);
    let mut rest = coded.as_str();
    while !rest.is_empty() {
        let (line, after) = rest.split_at(rest.len().min(64));
        text.push_str(line);
        text.push('\n');
        rest = after;
    }
    text + &format!("-----END {label}-----\n")
}

/// The key as a PKCS#8 PEM text, for [`write_private`] only.
pub fn key_to_pem(key: &SigningKey) -> String {
    pem("PRIVATE KEY", &key.to_pkcs8())
}

/// A certificate as PEM text.
pub(super) fn certificate_to_pem(der: &[u8]) -> String {
    pem("CERTIFICATE", der)
}

/// The key as the certificate library's own type.
pub(super) fn rcgen_key(key: &SigningKey) -> Result<KeyPair, Fault> {
    let der = PrivatePkcs8KeyDer::from(key.to_pkcs8());
    KeyPair::from_pkcs8_der_and_sign_algo(&der, &PKCS_ED25519)
        .map_err(|error| Fault::internal(format!("an Ed25519 key was not taken: {error}")))
}

fn unreadable(what: &str) -> Fault {
    Fault::new(
        Code::NotInitialised,
        format!("the {what} cannot be read"),
        "the file is damaged, encrypted or of another kind",
        "restore it from a backup; a new CA would lock out every enrolled site",
    )
}

/// Reads what [`key_to_pem`] wrote.
///
/// # Errors
/// [`Code::NotInitialised`] for any other text.
pub fn key_from_pem(text: &str) -> Result<SigningKey, Fault> {
    PrivatePkcs8KeyDer::from_pem_slice(text.as_bytes())
        .ok()
        .and_then(|der| SigningKey::from_pkcs8(der.secret_pkcs8_der()))
        .ok_or_else(|| unreadable("private key"))
}

/// The DER bytes of the one certificate in a PEM text.
///
/// # Errors
/// [`Code::NotInitialised`] when there is none, or more than one.
pub fn certificate_from_pem(text: &str) -> Result<Vec<u8>, Fault> {
    let mut found = CertificateDer::pem_slice_iter(text.as_bytes());
    match (found.next(), found.next()) {
        (Some(Ok(der)), None) => Ok(der.to_vec()),
        (None | Some(_), _) => Err(unreadable("certificate")),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    /// As root the command would else leave the server without its keys.
    #[test]
    fn a_file_that_is_replaced_keeps_its_owner_and_stays_private() {
        let folder = tempfile::tempdir().unwrap();
        let path = folder.path().join("keys");
        write_private(&path, b"one").unwrap();
        let root = rustix::process::getuid().is_root();
        if root {
            std::os::unix::fs::chown(&path, Some(12_345), Some(12_346)).unwrap();
        }
        let before = fs::metadata(&path).unwrap();
        write_private(&path, b"two").unwrap();
        let after = fs::metadata(&path).unwrap();
        assert_eq!((after.uid(), after.gid()), (before.uid(), before.gid()));
        assert_eq!(root, after.uid() == 12_345);
        assert_eq!(after.mode() & 0o777, 0o600);
        assert_eq!(fs::read(&path).unwrap(), b"two");
    }
}
