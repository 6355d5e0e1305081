//! The coordinator's identity: the consortium's CA and the two keys it certifies, one that
//! signs studies and jobs, one that signs receipts.
//!
//! From: `fedval init`.
//! To: `roster`, `round::launch`, `intake`, the server's TLS identity.

use std::path::{Path, PathBuf};

use shared::fault::{Code, Fault};
use shared::identity::{
    Entropy, KeyCertificate, KeyPurpose, KeyStatement, NoEntropy, Serial, SigningKey, to_canonical,
};
use shared::study::Timestamp;

use crate::link::{ConsortiumCa, certificate_from_pem, key_from_pem, key_to_pem, write_private};

/// Life of the study-signing and receipt keys' certificates.
const KEY_LIFE_S: i64 = 5 * 366 * 86_400;

/// The coordinator's keys. No `Debug`.
pub struct Consortium {
    /// The CA.
    pub ca: ConsortiumCa,
    /// Signs locked protocols and jobs.
    pub signing: CertifiedKey,
    /// Signs receipts.
    pub receipt: CertifiedKey,
}

/// A key with the CA's word for it. No `Debug`.
pub struct CertifiedKey {
    /// The key.
    pub key: SigningKey,
    /// What the CA says about it.
    pub certificate: KeyCertificate,
}

/// The fault for a system without randomness.
pub fn no_entropy(_: NoEntropy) -> Fault {
    Fault::internal("the system gave no randomness")
}

fn unwritable(what: &str) -> Fault {
    Fault::internal(format!("{what} has no canonical form"))
}

struct Files(PathBuf);

impl Files {
    fn key(&self, name: &str) -> PathBuf {
        self.0.join(format!("{name}.key.pem"))
    }

    fn certificate(&self, name: &str) -> PathBuf {
        self.0.join(format!("{name}.certificate.json"))
    }

    fn ca(&self) -> PathBuf {
        self.0.join("ca.pem")
    }
}

impl Consortium {
    /// Whether `dir` holds a consortium.
    pub fn exists(dir: &Path) -> bool {
        Files(dir.to_owned()).ca().exists()
    }

    /// Makes new keys, without writing anything.
    ///
    /// # Errors
    /// [`Fault`] when the system gives no randomness or the name is not usable.
    pub fn create(name: &str, now: Timestamp, entropy: &mut dyn Entropy) -> Result<Self, Fault> {
        let ca_key = SigningKey::generate(entropy).map_err(no_entropy)?;
        let serial = Serial::generate(entropy).map_err(no_entropy)?;
        let ca = ConsortiumCa::create(name, ca_key, serial, now)?;
        let mut certified = |purpose| -> Result<CertifiedKey, Fault> {
            let key = SigningKey::generate(entropy).map_err(no_entropy)?;
            let statement = KeyStatement {
                purpose,
                key: key.public(),
                consortium: name.to_owned(),
                not_before: now,
                not_after: now.plus_seconds(KEY_LIFE_S),
                serial: Serial::generate(entropy).map_err(no_entropy)?,
            };
            let certificate = KeyCertificate::issue(statement, ca.key())
                .map_err(|_| unwritable("a key certificate"))?;
            Ok(CertifiedKey { key, certificate })
        };
        let signing = certified(KeyPurpose::StudySigning)?;
        let receipt = certified(KeyPurpose::Receipt)?;
        Ok(Self {
            ca,
            signing,
            receipt,
        })
    }

    /// Writes the keys into `dir`, private, the CA's certificate last: a directory that has it
    /// is complete.
    ///
    /// # Errors
    /// [`Fault`] when `dir` holds a consortium already or cannot be written.
    pub fn save(&self, dir: &Path) -> Result<(), Fault> {
        if Self::exists(dir) {
            return Err(Fault::new(
                Code::AlreadyInitialised,
                format!("{} already holds a consortium", dir.display()),
                "new keys would lock every enrolled site out",
                "use it as it is, or choose another --dir",
            ));
        }
        std::fs::create_dir_all(dir).map_err(|error| {
            Fault::new(
                Code::StateDirUnusable,
                format!("{} cannot be made", dir.display()),
                error.to_string(),
                "choose a directory you may write to with --dir",
            )
        })?;
        let files = Files(dir.to_owned());
        write_private(&files.key("ca"), key_to_pem(self.ca.key()).as_bytes())?;
        for (name, certified) in [("study-signing", &self.signing), ("receipt", &self.receipt)] {
            write_private(&files.key(name), key_to_pem(&certified.key).as_bytes())?;
            let bytes = to_canonical(&certified.certificate)
                .map_err(|_| unwritable("a key certificate"))?;
            write_private(&files.certificate(name), &bytes)?;
        }
        write_private(&files.ca(), self.ca.certificate_pem().as_bytes())
    }

    /// Reads the keys from `dir`.
    ///
    /// # Errors
    /// [`Fault`] when there are none or a file is damaged.
    pub fn load(dir: &Path) -> Result<Self, Fault> {
        if !Self::exists(dir) {
            return Err(Fault::new(
                Code::NotInitialised,
                "there is no consortium here",
                format!("{} holds no CA", dir.display()),
                "make one with: fedval init --name NAME --address HOST:PORT (or name its --dir)",
            ));
        }
        let files = Files(dir.to_owned());
        let der = certificate_from_pem(&read(&files.ca())?)?;
        let ca = ConsortiumCa::load(read_key(&files.key("ca"))?, &der)?;
        let certified = |name: &str| -> Result<CertifiedKey, Fault> {
            let path = files.certificate(name);
            let certificate = serde_json::from_str(&read(&path)?)
                .map_err(|error| damaged(&path, &error.to_string()))?;
            let key = read_key(&files.key(name))?;
            Ok(CertifiedKey { key, certificate })
        };
        Ok(Self {
            signing: certified("study-signing")?,
            receipt: certified("receipt")?,
            ca,
        })
    }

    /// The key certificates a node pins when it joins, canonical JSON.
    ///
    /// # Errors
    /// [`Fault`] when one cannot be written, which is a defect.
    pub fn signers(&self) -> Result<Vec<Vec<u8>>, Fault> {
        [&self.signing, &self.receipt]
            .into_iter()
            .map(|key| to_canonical(&key.certificate).map_err(|_| unwritable("a key certificate")))
            .collect()
    }
}

fn read(path: &Path) -> Result<String, Fault> {
    std::fs::read_to_string(path).map_err(|error| damaged(path, &error.to_string()))
}

fn read_key(path: &Path) -> Result<SigningKey, Fault> {
    key_from_pem(&read(path)?)
}

fn damaged(path: &Path, why: &str) -> Fault {
    Fault::new(
        Code::StateDirUnusable,
        format!("{} cannot be read", path.display()),
        why,
        "check its permissions, or restore the last backup of the state directory",
    )
}
