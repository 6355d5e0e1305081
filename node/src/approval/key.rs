//! An approver's key file: an Ed25519 key under a passphrase, where the approver keeps it.
//!
//! The key is sealed by ChaCha20-Poly1305 (RFC 8439) under a key that PBKDF2 with HMAC-SHA-256
//! (RFC 8018, 5.2) derives from the passphrase.
//!
//! From: `fedval-node approver new`, `job approve`.
//! To: a file of mode 0600.

use std::io::Read as _;
use std::num::NonZeroU32;
use std::os::unix::fs::MetadataExt as _;
use std::path::Path;

use data_encoding::HEXLOWER;
use ring::aead::{Aad, CHACHA20_POLY1305, LessSafeKey, NONCE_LEN, Nonce, UnboundKey};
use ring::pbkdf2;
use serde::{Deserialize, Serialize};
use shared::fault::{Code, Fault};
use shared::identity::{Entropy, PublicKey, SigningKey};

use crate::private::write_new;

const SCHEMA: &str = "fedval.approver-key/1";
/// OWASP's figure for PBKDF2 with HMAC-SHA-256 (Password Storage Cheat Sheet, 2023).
const ITERATIONS: u32 = 600_000;
/// What a file may ask for: fewer are weak, more hold the command up.
const ALLOWED: std::ops::RangeInclusive<u32> = ITERATIONS..=20_000_000;
/// Shortest passphrase, in letters.
pub const PASSPHRASE_MIN: usize = 12;
const FILE_MAX: u64 = 4096;

/// The file, JSON.
#[derive(Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
struct KeyFile {
    schema: String,
    public: PublicKey,
    iterations: u32,
    salt: String,
    nonce: String,
    sealed: String,
}

fn unusable(path: &Path, why: impl Into<String>, fix: &str) -> Fault {
    Fault::new(
        Code::ApprovalNotSigned,
        format!("the approver's key {} cannot be used", path.display()),
        why,
        fix,
    )
}

fn wrapping(passphrase: &str, salt: &[u8], iterations: u32) -> Option<LessSafeKey> {
    let mut key = [0; 32];
    let iterations = NonZeroU32::new(iterations)?;
    let algorithm = pbkdf2::PBKDF2_HMAC_SHA256;
    pbkdf2::derive(algorithm, iterations, salt, passphrase.as_bytes(), &mut key);
    let key = UnboundKey::new(&CHACHA20_POLY1305, &key).ok()?;
    Some(LessSafeKey::new(key))
}

/// Makes a key and writes it into a new file that its owner alone may read; its public half.
///
/// # Errors
/// `FV-POL-010` for a passphrase that is too short, `FV-CONF-005` when the file cannot be made.
pub fn create(
    path: &Path,
    passphrase: &str,
    entropy: &mut dyn Entropy,
) -> Result<PublicKey, Fault> {
    if passphrase.chars().count() < PASSPHRASE_MIN {
        return Err(unusable(
            path,
            format!("a passphrase has at least {PASSPHRASE_MIN} letters"),
            "choose a longer one; several words are easy to keep in mind",
        ));
    }
    let none = |_| Fault::internal("this machine gives no random bytes");
    let key = SigningKey::generate(entropy).map_err(none)?;
    let (mut salt, mut nonce) = ([0; 32], [0; NONCE_LEN]);
    entropy.fill(&mut salt).map_err(none)?;
    entropy.fill(&mut nonce).map_err(none)?;
    let public = key.public();
    let mut sealed = key.to_pkcs8();
    let failed = || Fault::internal("the approver's key cannot be sealed");
    wrapping(passphrase, &salt, ITERATIONS)
        .ok_or_else(failed)?
        .seal_in_place_append_tag(
            Nonce::assume_unique_for_key(nonce),
            Aad::from(public.as_bytes()),
            &mut sealed,
        )
        .map_err(|_| failed())?;
    let file = KeyFile {
        schema: SCHEMA.to_owned(),
        public,
        iterations: ITERATIONS,
        salt: HEXLOWER.encode(&salt),
        nonce: HEXLOWER.encode(&nonce),
        sealed: HEXLOWER.encode(&sealed),
    };
    let text = serde_json::to_string_pretty(&file)
        .map_err(|fault| Fault::internal(format!("the approver's key: {fault}")))?;
    write_new(path, &format!("{text}\n"))?;
    Ok(public)
}

/// A key file that was read, still locked.
pub struct LockedKey<'a> {
    path: &'a Path,
    file: KeyFile,
}

impl<'a> LockedKey<'a> {
    /// Reads a key file.
    ///
    /// # Errors
    /// `FV-POL-010` when it is none, or others may read it.
    pub fn read(path: &'a Path) -> Result<Self, Fault> {
        let failed = |fault: std::io::Error| {
            unusable(
                path,
                fault.to_string(),
                "name the file that approver new wrote",
            )
        };
        let mut source = std::fs::File::open(path).map_err(failed)?;
        let metadata = source.metadata().map_err(failed)?;
        if metadata.mode() & 0o077 != 0 {
            return Err(unusable(
                path,
                "others on this machine may read or change it",
                "chmod 600 the file, and make a new key if somebody may have copied it",
            ));
        }
        let mut text = String::new();
        let mut limited = (&mut source).take(FILE_MAX);
        limited.read_to_string(&mut text).map_err(failed)?;
        let file: KeyFile = serde_json::from_str(&text).map_err(|fault| {
            unusable(
                path,
                fault.to_string(),
                "name the file that approver new wrote",
            )
        })?;
        if file.schema != SCHEMA || !ALLOWED.contains(&file.iterations) {
            let fix = "make a new key: fedval-node approver new";
            return Err(unusable(path, "it is of another form", fix));
        }
        Ok(Self { path, file })
    }

    /// The public half.
    pub fn public(&self) -> PublicKey {
        self.file.public
    }

    /// The key.
    ///
    /// # Errors
    /// `FV-POL-010` for another passphrase, or a file that was altered.
    pub fn open(&self, passphrase: &str) -> Result<SigningKey, Fault> {
        let wrong = || {
            unusable(
                self.path,
                "the passphrase is another one, or the file was altered",
                "type the passphrase again; if it is lost, make a new key and have it listed",
            )
        };
        let bytes = |text: &str| HEXLOWER.decode(text.as_bytes()).map_err(|_| wrong());
        let (salt, nonce) = (bytes(&self.file.salt)?, bytes(&self.file.nonce)?);
        let mut sealed = bytes(&self.file.sealed)?;
        let key = wrapping(passphrase, &salt, self.file.iterations).ok_or_else(wrong)?;
        let nonce = Nonce::try_assume_unique_for_key(&nonce).map_err(|_| wrong())?;
        let associated = Aad::from(self.file.public.as_bytes());
        let opened = key.open_in_place(nonce, associated, &mut sealed);
        let key = opened.ok().and_then(|der| SigningKey::from_pkcs8(der));
        key.filter(|key| key.public() == self.file.public)
            .ok_or_else(wrong)
    }
}

#[cfg(test)]
mod tests {
    use std::os::unix::fs::PermissionsExt as _;

    use shared::identity::CountingEntropy;

    use super::*;

    const WORDS: &str = "copper lantern river";

    #[test]
    fn a_key_opens_with_its_passphrase_only_and_stays_its_owners() {
        let folder = tempfile::tempdir().unwrap();
        let path = folder.path().join("anna.key");
        let mut entropy = CountingEntropy::new(7);
        assert!(create(&path, "short", &mut entropy).is_err() && !path.exists());
        let public = create(&path, WORDS, &mut entropy).unwrap();
        assert!(create(&path, WORDS, &mut entropy).is_err(), "written over");
        let mode = std::fs::metadata(&path).unwrap().permissions().mode();
        assert_eq!(mode & 0o777, 0o600);
        let locked = LockedKey::read(&path).unwrap();
        assert_eq!(locked.public(), public);
        assert_eq!(locked.open(WORDS).unwrap().public(), public);
        let fault = locked.open("copper lantern rivet").err().unwrap();
        assert_eq!(fault.code, Code::ApprovalNotSigned);
        let text = std::fs::read_to_string(&path).unwrap();
        assert!(!text.contains(WORDS));
        // Neither another public half nor another sealed one is believed.
        for field in ["public", "sealed", "salt", "nonce"] {
            let mut altered: serde_json::Value = serde_json::from_str(&text).unwrap();
            let old = altered[field].as_str().unwrap().to_owned();
            let last = if old.ends_with('0') { "1" } else { "0" };
            altered[field] = format!("{}{last}", &old[..old.len() - 1]).into();
            std::fs::write(&path, altered.to_string()).unwrap();
            let opened = LockedKey::read(&path).and_then(|key| key.open(WORDS));
            assert!(opened.is_err(), "{field}");
        }
        let fewer = text.replace("600000", "1");
        assert_ne!(fewer, text);
        std::fs::write(&path, fewer).unwrap();
        assert!(LockedKey::read(&path).is_err());
        std::fs::write(&path, &text).unwrap();
        std::fs::set_permissions(&path, std::fs::Permissions::from_mode(0o640)).unwrap();
        assert!(LockedKey::read(&path).is_err());
    }
}
