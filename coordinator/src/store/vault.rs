//! What hospitals sent is sealed before it is stored: AES-256-GCM (NIST SP 800-38D), a fresh
//! random nonce for each text, and the row's identity as associated data, so that no text opens in
//! another row than its own. The keys lie in a file beside the database, not in it: a copy of the
//! database alone tells nothing of a result.
//!
//! The file lists several keys, the one in use first. A key's name follows from the key; the
//! database remembers which one is in use, so that a lost or exchanged file is told as that and
//! never as damage, and so that a running server notices a rotation by another process.
//!
//! From: `inbox`, `steps` (what is sealed), the file of keys.
//! To: the same, `proof`, `rotate`.

use std::os::unix::fs::MetadataExt;
use std::path::{Path, PathBuf};
use std::sync::{Mutex, MutexGuard, PoisonError};

use data_encoding::{BASE64, HEXLOWER};
use ring::aead::{AES_256_GCM, Aad, LessSafeKey, NONCE_LEN, Nonce, UnboundKey};
use rusqlite::{Connection, OptionalExtension, Transaction, TransactionBehavior};
use shared::fault::{Code, Fault};
use shared::identity::{Digest, Entropy};

use super::broken;
use crate::consortium::no_entropy;
use crate::link::{SystemEntropy, write_private};

/// First line of the file.
const FORM: &str = "fedval.storage-keys/1";
/// First byte of a sealed text.
const VERSION: u8 = 1;
const KEY_LEN: usize = 32;
const NAME_LEN: usize = 8;
/// Version, key's name, nonce.
const HEAD_LEN: usize = 1 + NAME_LEN + NONCE_LEN;
/// Where the database remembers the name of the key in use.
const IN_USE: &str = "storage-key";

/// A key's name: the first bytes of a digest of the key.
#[derive(Clone, Copy, Debug, Eq, PartialEq)]
pub(super) struct KeyName([u8; NAME_LEN]);

impl std::fmt::Display for KeyName {
    fn fmt(&self, out: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        out.write_str(&HEXLOWER.encode(&self.0))
    }
}

/// One key. No `Debug`.
#[derive(Clone)]
struct StorageKey {
    name: KeyName,
    bytes: [u8; KEY_LEN],
}

impl StorageKey {
    fn of(bytes: [u8; KEY_LEN]) -> Self {
        let digest = Digest::of_list(&[b"fedval.storage-key/1", &bytes]);
        let mut name = [0; NAME_LEN];
        name.copy_from_slice(&digest.as_bytes()[..NAME_LEN]);
        Self {
            name: KeyName(name),
            bytes,
        }
    }

    fn generate() -> Result<Self, Fault> {
        let mut bytes = [0; KEY_LEN];
        SystemEntropy.fill(&mut bytes).map_err(no_entropy)?;
        Ok(Self::of(bytes))
    }

    fn aead(&self) -> Result<LessSafeKey, Fault> {
        UnboundKey::new(&AES_256_GCM, &self.bytes)
            .map(LessSafeKey::new)
            .map_err(|_| Fault::internal("a storage key has the wrong length"))
    }
}

/// What identifies the place of a sealed text: table, column, and the row's key.
pub(super) struct Place<'a>(pub(super) &'a [&'a str]);

impl Place<'_> {
    fn associated(&self) -> Digest {
        let words = self.0.iter().map(|word| word.as_bytes());
        let parts: Vec<&[u8]> = std::iter::once(b"fedval.at-rest/1".as_slice())
            .chain(words)
            .collect();
        Digest::of_list(&parts)
    }
}

/// Why a sealed text does not open.
#[derive(Debug)]
pub(super) enum Unopened {
    /// Its key is not in the file.
    NoKey(Fault),
    /// It was altered, or belongs to another row.
    Altered,
}

impl Unopened {
    /// As a fault about `what`.
    pub(super) fn into_fault(self, what: &str) -> Fault {
        match self {
            Self::NoKey(fault) => fault,
            Self::Altered => Fault::new(
                Code::StoreFailed,
                format!("{what} does not open"),
                "its stored bytes were altered, or moved there from another row",
                "keep the database as evidence; fedval ledger verify names the first such row",
            ),
        }
    }
}

/// The keys. No `Debug`.
pub(super) struct Vault {
    path: PathBuf,
    keys: Mutex<Vec<StorageKey>>,
}

impl Vault {
    /// Reads the keys at `path`; makes the first one for a database that never had any.
    ///
    /// # Errors
    /// [`Code::StorageKeyMissing`] when the file does not hold the key that the database uses.
    pub(super) fn open(connection: &mut Connection, path: &Path) -> Result<Self, Fault> {
        let vault = Self {
            path: path.to_owned(),
            keys: Mutex::new(Vec::new()),
        };
        if in_use(connection)?.is_none() {
            // Two processes that open a new database at once make one key.
            let transaction = connection
                .transaction_with_behavior(TransactionBehavior::Immediate)
                .map_err(|error| broken(&error))?;
            if in_use(&transaction)?.is_none() {
                vault.begin(&transaction)?;
            }
            transaction.commit().map_err(|error| broken(&error))?;
        }
        vault.follow(connection)?;
        Ok(vault)
    }

    fn begin(&self, transaction: &Transaction<'_>) -> Result<(), Fault> {
        let mut keys = read_keys(&self.path)?.unwrap_or_default();
        if keys.is_empty() {
            keys.push(StorageKey::generate()?);
            write_keys(&self.path, &keys)?;
        }
        let first = keys.first().map(|key| key.name);
        first.map_or(Ok(()), |name| set_in_use(transaction, name))
    }

    fn lock(&self) -> MutexGuard<'_, Vec<StorageKey>> {
        self.keys.lock().unwrap_or_else(PoisonError::into_inner)
    }

    /// The key called `name`; the file is read again when it is not known yet.
    fn find(&self, name: KeyName) -> Result<StorageKey, Fault> {
        let mut keys = self.lock();
        if !keys.iter().any(|key| key.name == name) {
            *keys = read_keys(&self.path)?.unwrap_or_default();
        }
        let found = keys.iter().find(|key| key.name == name);
        found.cloned().ok_or_else(|| self.missing(name))
    }

    fn missing(&self, name: KeyName) -> Fault {
        Fault::new(
            Code::StorageKeyMissing,
            "the key of the stored results is missing",
            format!("{} does not hold the key {name}", self.path.display()),
            "restore this file from its backup; without the key what was received cannot be read",
        )
    }

    /// The key that the database uses now.
    fn follow(&self, connection: &Connection) -> Result<StorageKey, Fault> {
        let name = in_use(connection)?
            .ok_or_else(|| Fault::internal("the database names no storage key"))?;
        self.find(name)
    }

    /// Seals `plain` for `place` with the key in use. Inside a transaction that writes it, so that
    /// no rotation comes between.
    pub(super) fn seal(
        &self,
        transaction: &Transaction<'_>,
        place: &Place<'_>,
        plain: &[u8],
    ) -> Result<Vec<u8>, Fault> {
        seal_with(&self.follow(transaction)?, place, plain)
    }

    /// Opens what was sealed for `place`.
    pub(super) fn unseal(&self, place: &Place<'_>, sealed: &[u8]) -> Result<Vec<u8>, Unopened> {
        let head = sealed.get(..HEAD_LEN).ok_or(Unopened::Altered)?;
        let (version, rest) = head.split_first().ok_or(Unopened::Altered)?;
        let (name, nonce) = rest.split_at(NAME_LEN);
        let name = name.try_into().map_err(|_| Unopened::Altered)?;
        let nonce = Nonce::try_assume_unique_for_key(nonce).map_err(|_| Unopened::Altered)?;
        if *version != VERSION {
            return Err(Unopened::Altered);
        }
        let key = self.find(KeyName(name)).map_err(Unopened::NoKey)?;
        let key = key.aead().map_err(Unopened::NoKey)?;
        let mut text = sealed[HEAD_LEN..].to_vec();
        let associated = place.associated();
        let length = key
            .open_in_place(nonce, Aad::from(associated.as_bytes()), &mut text)
            .map_err(|_| Unopened::Altered)?
            .len();
        text.truncate(length);
        Ok(text)
    }

    /// Makes a new key, first in the file, and has the database use it; the old ones stay in the
    /// file. Inside the transaction that seals everything again.
    pub(super) fn renew(&self, transaction: &Transaction<'_>) -> Result<KeyName, Fault> {
        let fresh = StorageKey::generate()?;
        let mut keys = read_keys(&self.path)?.unwrap_or_default();
        keys.insert(0, fresh.clone());
        write_keys(&self.path, &keys)?;
        set_in_use(transaction, fresh.name)?;
        *self.lock() = keys;
        Ok(fresh.name)
    }

    /// Drops every key but the one in use from the file; how many were dropped. Inside a
    /// transaction, so that no other rotation lies between its key and its commit: the key that is
    /// kept is the one of all texts, whoever made it.
    pub(super) fn keep_in_use(&self, transaction: &Transaction<'_>) -> Result<usize, Fault> {
        let name = self.follow(transaction)?.name;
        let keys = read_keys(&self.path)?.unwrap_or_default();
        let all = keys.len();
        let kept: Vec<StorageKey> = keys.into_iter().filter(|key| key.name == name).collect();
        if kept.is_empty() {
            return Err(self.missing(name));
        }
        write_keys(&self.path, &kept)?;
        let dropped = all - kept.len();
        *self.lock() = kept;
        Ok(dropped)
    }
}

fn seal_with(key: &StorageKey, place: &Place<'_>, plain: &[u8]) -> Result<Vec<u8>, Fault> {
    let mut nonce = [0; NONCE_LEN];
    SystemEntropy.fill(&mut nonce).map_err(no_entropy)?;
    let mut text = plain.to_vec();
    let associated = place.associated();
    key.aead()?
        .seal_in_place_append_tag(
            Nonce::assume_unique_for_key(nonce),
            Aad::from(associated.as_bytes()),
            &mut text,
        )
        .map_err(|_| Fault::internal("a text could not be sealed"))?;
    let mut sealed = Vec::with_capacity(HEAD_LEN + text.len());
    sealed.push(VERSION);
    sealed.extend(key.name.0);
    sealed.extend(nonce);
    sealed.append(&mut text);
    Ok(sealed)
}

fn in_use(connection: &Connection) -> Result<Option<KeyName>, Fault> {
    let text: Option<String> = connection
        .query_row("SELECT value FROM meta WHERE key = ?1", [IN_USE], |row| {
            row.get(0)
        })
        .optional()
        .map_err(|error| broken(&error))?;
    let Some(text) = text else { return Ok(None) };
    let name = HEXLOWER.decode(text.as_bytes()).ok();
    let name = name.and_then(|name| name.try_into().ok());
    name.map(|name| Some(KeyName(name)))
        .ok_or_else(|| super::corrupt("name of the storage key"))
}

fn set_in_use(transaction: &Transaction<'_>, name: KeyName) -> Result<(), Fault> {
    transaction
        .execute(
            "INSERT INTO meta (key, value) VALUES (?1, ?2)
             ON CONFLICT (key) DO UPDATE SET value = excluded.value",
            [IN_USE, &name.to_string()],
        )
        .map(|_| ())
        .map_err(|error| broken(&error))
}

/// The keys of a file, the one in use first; `None` when there is no file.
fn read_keys(path: &Path) -> Result<Option<Vec<StorageKey>>, Fault> {
    let unusable = |why: String| {
        Fault::new(
            Code::StorageKeyMissing,
            format!("{} cannot be used", path.display()),
            why,
            "restore this file from its backup, readable by its owner only (chmod 600)",
        )
    };
    let text = match std::fs::read_to_string(path) {
        Ok(text) => text,
        Err(error) if error.kind() == std::io::ErrorKind::NotFound => return Ok(None),
        Err(error) => return Err(unusable(error.to_string())),
    };
    let mode = std::fs::metadata(path).map_err(|error| unusable(error.to_string()))?;
    if mode.mode() & 0o077 != 0 {
        return Err(unusable("other users may read or write it".to_owned()));
    }
    let mut lines = text.lines();
    if lines.next() != Some(FORM) {
        return Err(unusable(format!("its first line is not {FORM}")));
    }
    let key = |line: &str| {
        let bytes = BASE64.decode(line.as_bytes()).ok()?;
        Some(StorageKey::of(bytes.try_into().ok()?))
    };
    let keys: Option<Vec<StorageKey>> = lines.map(key).collect();
    match keys {
        Some(keys) if !keys.is_empty() => Ok(Some(keys)),
        Some(_) | None => Err(unusable("a line of it is no key".to_owned())),
    }
}

fn write_keys(path: &Path, keys: &[StorageKey]) -> Result<(), Fault> {
    let mut text = format!("{FORM}\n");
    for key in keys {
        text.push_str(&BASE64.encode(&key.bytes));
        text.push('\n');
    }
    write_private(path, text.as_bytes())
}
