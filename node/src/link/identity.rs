//! The identity folder: this node's key, its certificate, the consortium's root and the keys
//! that may sign studies.
//!
//! | file | content | written |
//! |---|---|---|
//! | `pair-<n>/key.pem` | private key, PKCS#8, mode 0600 | by `join` or a renewal, before anything is sent |
//! | `ca.pem` | the consortium's root certificate | when the first certificate arrives |
//! | `signers/<n>.json` | key certificates to pin, canonical JSON | when the first certificate arrives |
//! | `pair-<n>/node.pem` | the certificate of that key | when it arrives |
//! | `pair-<n>/successions.json` | the earlier keys' words for each next one | with a renewal |
//! | `current` | a symbolic link to the pair in use | last: with it the node has joined, or renewed |
//!
//! Two files cannot be replaced in one step, a link can: whoever follows `current` finds a key
//! and the certificate of that key, before and after a renewal and a crash within it.
//!
//! From: `join`, `renewal`.
//! To: `dial`, admission (which pins the signers).

use std::fs::{self, DirBuilder, File, OpenOptions};
use std::io::{self, Read, Write};
use std::os::unix::fs::{DirBuilderExt, OpenOptionsExt, PermissionsExt};
use std::path::{Path, PathBuf};

use rustls::pki_types::pem::PemObject;
use rustls::pki_types::{CertificateDer, PrivatePkcs8KeyDer};
use shared::fault::{Code, Fault};
use shared::identity::{
    Digest, Entropy, KeyCertificate, KeyPurpose, PublicKey, SUCCESSIONS_MAX, Serial, SigningKey,
    Succession, from_canonical, to_canonical,
};
use shared::study::{SiteSlug, Timestamp};
use x509_parser::extensions::GeneralName;
use x509_parser::prelude::{FromDer, X509Certificate};

/// What a node's certificate names: this, then the site's slug.
const SITE_URI: &str = "fedval://site/";
/// No file of the folder is larger than this, bytes.
const FILE_MAX: u64 = 64 * 1024;
/// More signers than this are not read.
const SIGNERS_MAX: usize = 64;

/// The earlier keys' words for each next one.
const SUCCESSIONS: &str = "successions.json";
/// The link to the pair in use.
const CURRENT: &str = "current";
/// The pair that `join` makes.
const FIRST: u32 = 1;
const DAY_SECONDS: i64 = 86_400;

/// Where the identity lies.
#[derive(Clone, Debug)]
pub struct IdentityDir(PathBuf);

/// A joined node's identity. No `Debug`, since it holds the private key.
pub struct NodeIdentity {
    /// The site its certificate names.
    pub site: SiteSlug,
    /// The certificate's serial.
    pub serial: Serial,
    /// First moment of the certificate's validity.
    pub not_before: Timestamp,
    /// Last moment of the certificate's validity.
    pub not_after: Timestamp,
    /// The consortium's public key.
    pub ca_key: PublicKey,
    /// SHA-256 of the consortium's root certificate.
    pub ca_fingerprint: Digest,
    /// The key certificates pinned at join; each is checked for validity when it is used.
    pub signers: Vec<KeyCertificate>,
    certificate_der: Vec<u8>,
    pub(super) ca_der: Vec<u8>,
    key: SigningKey,
}

impl NodeIdentity {
    /// This node's private key.
    pub fn key(&self) -> &SigningKey {
        &self.key
    }

    /// This node's certificate, DER.
    pub fn certificate_der(&self) -> &[u8] {
        &self.certificate_der
    }

    /// Whether two thirds of the certificate's validity have passed.
    pub fn renewal_due(&self, now: Timestamp) -> bool {
        let validity = self.not_after.unix() - self.not_before.unix();
        now >= self.not_before.plus_seconds(validity / 3 * 2)
    }

    /// Whole days until the certificate ends; negative when it has ended.
    pub fn days_left(&self, now: Timestamp) -> i64 {
        (self.not_after.unix() - now.unix()).div_euclid(DAY_SECONDS)
    }

    /// The pinned keys that may sign for `purpose`.
    pub fn signer_keys(&self, purpose: KeyPurpose) -> Vec<PublicKey> {
        self.signers
            .iter()
            .map(|certificate| &certificate.statement)
            .filter(|statement| statement.purpose == purpose)
            .map(|statement| statement.key)
            .collect()
    }

    /// The key of a certificate that this consortium issued to this site, whatever its dates.
    pub fn key_of(&self, certificate: &[u8]) -> Option<PublicKey> {
        let (_, leaf) = X509Certificate::from_der(certificate).ok()?;
        let (site, _) = name_of(&leaf).filter(|_| is_signed_by(&leaf, &self.ca_key))?;
        ed25519_of(&leaf).filter(|_| site == self.site)
    }

    /// Puts the parts together and checks that they belong together: the consortium's root
    /// signed the certificate, the certificate names this key and one site, and the consortium
    /// vouches for each signer.
    pub(super) fn assemble(
        key: SigningKey,
        certificate: Vec<u8>,
        ca: Vec<u8>,
        signers: Vec<KeyCertificate>,
    ) -> Result<Self, &'static str> {
        let root =
            X509Certificate::from_der(&ca).map_err(|_| "the consortium's root is damaged")?;
        let ca_key = ed25519_of(&root.1).ok_or("the consortium's root has no Ed25519 key")?;
        let leaf = X509Certificate::from_der(&certificate)
            .map_err(|_| "this node's certificate is damaged")?;
        let leaf = leaf.1;
        if !is_signed_by(&leaf, &ca_key) {
            return Err("this node's certificate is not of this consortium");
        }
        if ed25519_of(&leaf) != Some(key.public()) {
            return Err("this node's certificate belongs to another key");
        }
        let (site, serial) = name_of(&leaf).ok_or("this node's certificate names no site")?;
        for signer in &signers {
            let statement = &signer.statement;
            signer
                .check(&ca_key, statement.purpose, statement.not_before)
                .map_err(|_| "a study signer is not certified by this consortium")?;
        }
        let moment = |at: i64| Timestamp::from_unix(at).ok_or("a certificate's date is no date");
        let not_before = moment(leaf.validity().not_before.timestamp())?;
        let not_after = moment(leaf.validity().not_after.timestamp())?;
        Ok(Self {
            site,
            serial,
            not_before,
            not_after,
            ca_key,
            ca_fingerprint: Digest::of(&ca),
            signers,
            certificate_der: certificate,
            ca_der: ca,
            key,
        })
    }
}

fn is_signed_by(leaf: &X509Certificate<'_>, ca: &PublicKey) -> bool {
    ring::signature::UnparsedPublicKey::new(&ring::signature::ED25519, ca.as_bytes())
        .verify(leaf.tbs_certificate.as_ref(), &leaf.signature_value.data)
        .is_ok()
}

fn ed25519_of(certificate: &X509Certificate<'_>) -> Option<PublicKey> {
    let info = certificate.public_key();
    if info.algorithm.algorithm != x509_parser::oid_registry::OID_SIG_ED25519 {
        return None;
    }
    let bytes = info.subject_public_key.data.as_ref().try_into().ok()?;
    Some(PublicKey::from_bytes(bytes))
}

/// The public key of the consortium's root certificate.
pub(super) fn root_key(ca: &[u8]) -> Option<PublicKey> {
    ed25519_of(&X509Certificate::from_der(ca).ok()?.1)
}

fn name_of(certificate: &X509Certificate<'_>) -> Option<(SiteSlug, Serial)> {
    let names = certificate.subject_alternative_name().ok()??;
    let [GeneralName::URI(uri)] = names.value.general_names.as_slice() else {
        return None;
    };
    let site = uri.strip_prefix(SITE_URI)?.parse().ok()?;
    let serial = certificate.raw_serial().try_into().ok()?;
    Some((site, Serial::from_bytes(serial)))
}

impl IdentityDir {
    /// The folder at `path`; it need not exist yet.
    pub fn new(path: impl Into<PathBuf>) -> Self {
        Self(path.into())
    }

    /// The private key's file.
    pub fn key_path(&self) -> PathBuf {
        self.key_of(self.current().unwrap_or(FIRST))
    }

    /// True when `join` has finished here.
    pub fn has_joined(&self) -> bool {
        self.current().is_some()
    }

    /// The number of the pair in use.
    fn current(&self) -> Option<u32> {
        let target = fs::read_link(self.0.join(CURRENT)).ok()?;
        target.to_str()?.strip_prefix("pair-")?.parse().ok()
    }

    fn pair(&self, number: u32) -> PathBuf {
        self.0.join(format!("pair-{number}"))
    }

    fn key_of(&self, number: u32) -> PathBuf {
        self.pair(number).join("key.pem")
    }

    /// The identity, checked.
    ///
    /// # Errors
    /// [`Code::NotJoined`] when there is none, [`Code::StateDirUnusable`] when a file is damaged
    /// or others may read the key.
    pub fn load(&self) -> Result<NodeIdentity, Fault> {
        let number = self.current().ok_or_else(|| {
            Fault::new(
                Code::NotJoined,
                "this node has not joined a consortium",
                format!("there is no certificate in {}", self.0.display()),
                "ask the coordinator for an invitation, then: fedval-node join TOKEN",
            )
        })?;
        self.load_pair(number).or_else(|fault| {
            // A running node may have renewed and removed the pair between two reads.
            match self.current() {
                Some(newer) if newer != number => self.load_pair(newer),
                Some(_) | None => Err(fault),
            }
        })
    }

    fn load_pair(&self, number: u32) -> Result<NodeIdentity, Fault> {
        let key = self
            .key(number)?
            .ok_or_else(|| self.damaged(format!("pair-{number}/key.pem is missing")))?;
        let certificate = self.certificate(&format!("pair-{number}/node.pem"))?;
        let ca = self.certificate("ca.pem")?;
        NodeIdentity::assemble(key, certificate, ca, self.signers()?)
            .map_err(|why| self.damaged(why))
    }

    fn damaged(&self, why: impl Into<String>) -> Fault {
        Fault::new(
            Code::StateDirUnusable,
            format!("the identity in {} cannot be used", self.0.display()),
            why,
            "restore the folder from a backup, or empty it and join again with a new invitation",
        )
    }

    fn unreadable(&self, path: &Path, error: &io::Error) -> Fault {
        self.damaged(format!("{}: {error}", path.display()))
    }

    /// The private key of a pair; `None` when there is none yet. Read through one handle, so that the
    /// file whose mode is checked is the file that is read.
    fn key(&self, number: u32) -> Result<Option<SigningKey>, Fault> {
        let path = self.key_of(number);
        let nofollow = rustix::fs::OFlags::NOFOLLOW.bits();
        let opened = OpenOptions::new()
            .read(true)
            .custom_flags(i32::try_from(nofollow).unwrap_or(0))
            .open(&path);
        let mut file = match opened {
            Ok(file) => file,
            Err(error) if error.kind() == io::ErrorKind::NotFound => return Ok(None),
            Err(error) => return Err(self.unreadable(&path, &error)),
        };
        let about = file.metadata().map_err(|e| self.unreadable(&path, &e))?;
        if !about.is_file() {
            return Err(self.damaged("key.pem is not a file"));
        }
        if about.permissions().mode() & 0o077 != 0 {
            return Err(Fault::new(
                Code::StateDirUnusable,
                format!("the private key {} is readable by others", path.display()),
                "whoever copied it can speak for this site",
                format!(
                    "chmod 600 {}; if others had access, join anew",
                    path.display()
                ),
            ));
        }
        let text = read_text(&mut file).map_err(|error| self.unreadable(&path, &error))?;
        PrivatePkcs8KeyDer::from_pem_slice(text.as_bytes())
            .ok()
            .and_then(|der| SigningKey::from_pkcs8(der.secret_pkcs8_der()))
            .map(Some)
            .ok_or_else(|| self.damaged("key.pem holds no Ed25519 key, or is encrypted"))
    }

    fn certificate(&self, name: &str) -> Result<Vec<u8>, Fault> {
        let path = self.0.join(name);
        let text = File::open(&path)
            .and_then(|mut file| read_text(&mut file))
            .map_err(|error| self.unreadable(&path, &error))?;
        let mut found = CertificateDer::pem_slice_iter(text.as_bytes());
        match (found.next(), found.next()) {
            (Some(Ok(der)), None) => Ok(der.to_vec()),
            (None | Some(_), _) => Err(self.damaged(format!("{name} holds no certificate"))),
        }
    }

    fn signers(&self) -> Result<Vec<KeyCertificate>, Fault> {
        let folder = self.0.join("signers");
        let mut paths: Vec<PathBuf> = fs::read_dir(&folder)
            .and_then(|entries| entries.map(|entry| Ok(entry?.path())).collect())
            .map_err(|error| self.unreadable(&folder, &error))?;
        paths.retain(|path| path.extension().is_some_and(|end| end == "json"));
        paths.sort();
        let read = |path: &PathBuf| {
            let text = File::open(path)
                .and_then(|mut file| read_text(&mut file))
                .map_err(|error| self.unreadable(path, &error))?;
            from_canonical(text.as_bytes())
                .map_err(|error| self.damaged(format!("{}: {error}", path.display())))
        };
        paths.iter().take(SIGNERS_MAX).map(read).collect()
    }

    /// Makes the folder (mode 0700) and a key in it, or reads the key of an unfinished join.
    pub(super) fn key_for_joining(&self, entropy: &mut dyn Entropy) -> Result<SigningKey, Fault> {
        if self.has_joined() {
            return Err(Fault::new(
                Code::AlreadyJoined,
                "this node has already joined",
                format!("{} holds a certificate", self.0.display()),
                "nothing to do; to join another consortium, use another identity folder",
            ));
        }
        self.kept_or_new_key(FIRST, entropy)
    }

    /// Makes the key that follows the current one, or reads the key of an unfinished renewal.
    pub(super) fn key_for_renewal(&self, entropy: &mut dyn Entropy) -> Result<SigningKey, Fault> {
        self.kept_or_new_key(self.next()?, entropy)
    }

    fn next(&self) -> Result<u32, Fault> {
        self.current()
            .and_then(|number| number.checked_add(1))
            .ok_or_else(|| self.damaged("there is no certificate to renew"))
    }

    fn kept_or_new_key(&self, number: u32, entropy: &mut dyn Entropy) -> Result<SigningKey, Fault> {
        self.make_folder(&self.pair(number))?;
        if let Some(key) = self.key(number)? {
            return Ok(key);
        }
        let key = SigningKey::generate(entropy)
            .map_err(|error| Fault::internal(format!("no key could be made: {error}")))?;
        let text = pem("PRIVATE KEY", &key.to_pkcs8());
        self.write(&format!("pair-{number}/key.pem"), text.as_bytes())?;
        Ok(key)
    }

    fn make_folder(&self, folder: &Path) -> Result<(), Fault> {
        DirBuilder::new()
            .recursive(true)
            .mode(0o700)
            .create(folder)
            .map_err(|error| self.unreadable(folder, &error))
    }

    /// Keeps what was issued; the link comes last, since it says that the rest is there.
    pub(super) fn keep(&self, identity: &NodeIdentity, signers: &[Vec<u8>]) -> Result<(), Fault> {
        self.write("ca.pem", pem("CERTIFICATE", &identity.ca_der).as_bytes())?;
        self.make_folder(&self.0.join("signers"))?;
        for (number, signer) in signers.iter().enumerate() {
            self.write(&format!("signers/{number}.json"), signer)?;
        }
        self.write_certificate(FIRST, identity)?;
        self.switch(FIRST)
    }

    /// Keeps a renewed certificate beside its key, then switches to both at once.
    pub(super) fn keep_renewed(
        &self,
        before: &NodeIdentity,
        identity: &NodeIdentity,
    ) -> Result<(), Fault> {
        let number = self.next()?;
        let mut chain = self.successions()?;
        chain.push(Succession::sign(&before.key, identity.key.public()));
        // A chain too long to be followed is of no use: its first keys must be confirmed anew.
        let from = chain.len().saturating_sub(SUCCESSIONS_MAX);
        let text = to_canonical(&chain.split_off(from))
            .map_err(|error| Fault::internal(format!("a key's successions: {error}")))?;
        self.write(&format!("pair-{number}/{SUCCESSIONS}"), &text)?;
        self.write_certificate(number, identity)?;
        self.switch(number)
    }

    /// This site's earlier keys' words for each next one, oldest first, up to the key in use.
    ///
    /// # Errors
    /// [`Code::StateDirUnusable`] when the file is damaged.
    pub fn successions(&self) -> Result<Vec<Succession>, Fault> {
        let Some(number) = self.current() else {
            return Ok(Vec::new());
        };
        let path = self.pair(number).join(SUCCESSIONS);
        let text = match File::open(&path).and_then(|mut file| read_text(&mut file)) {
            Ok(text) => text,
            Err(error) if error.kind() == io::ErrorKind::NotFound => return Ok(Vec::new()),
            Err(error) => return Err(self.unreadable(&path, &error)),
        };
        from_canonical(text.as_bytes())
            .map_err(|error| self.damaged(format!("{}: {error}", path.display())))
    }

    fn write_certificate(&self, number: u32, identity: &NodeIdentity) -> Result<(), Fault> {
        let certificate = pem("CERTIFICATE", &identity.certificate_der);
        self.write(&format!("pair-{number}/node.pem"), certificate.as_bytes())
    }

    fn switch(&self, number: u32) -> Result<(), Fault> {
        let link = self.0.join(CURRENT);
        switch_link(&self.0, &link, &format!("pair-{number}"))
            .map_err(|error| self.unreadable(&link, &error))
    }

    /// Removes the key of a renewal that will not be finished.
    pub(super) fn forget_renewal(&self) -> Result<(), Fault> {
        let folder = self.pair(self.next()?);
        fs::remove_dir_all(&folder).map_err(|error| self.unreadable(&folder, &error))
    }

    /// Removes the pairs before the current one: a key that is no longer used must not be found
    /// in a backup.
    ///
    /// # Errors
    /// [`Code::StateDirUnusable`] when the folder cannot be read or written.
    pub fn forget_superseded(&self) -> Result<(), Fault> {
        let current = self.current().unwrap_or(0);
        let names = fs::read_dir(&self.0)
            .and_then(|entries| {
                entries
                    .map(|entry| Ok(entry?.file_name()))
                    .collect::<io::Result<Vec<_>>>()
            })
            .map_err(|error| self.unreadable(&self.0, &error))?;
        let number = |name: &std::ffi::OsString| name.to_str()?.strip_prefix("pair-")?.parse().ok();
        for old in names.iter().filter_map(number).filter(|old| *old < current) {
            let folder = self.pair(old);
            fs::remove_dir_all(&folder).map_err(|error| self.unreadable(&folder, &error))?;
        }
        Ok(())
    }

    fn write(&self, name: &str, bytes: &[u8]) -> Result<(), Fault> {
        let path = self.0.join(name);
        write_whole(&path, bytes).map_err(|error| self.unreadable(&path, &error))
    }
}

/// The whole of a small text file.
fn read_text(file: &mut File) -> io::Result<String> {
    let mut text = String::new();
    file.take(FILE_MAX).read_to_string(&mut text)?;
    Ok(text)
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

/// Writes a file of mode 0600 beside `path` and renames it, so that a crash leaves the old file
/// or the new one; both file and folder are flushed to the disk.
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
    file.write_all(bytes)?;
    file.sync_all()?;
    fs::rename(beside, path)?;
    File::open(folder)?.sync_all()
}

/// Makes `link` point to `target`, by renaming a new link over the old one.
fn switch_link(folder: &Path, link: &Path, target: &str) -> io::Result<()> {
    let mut beside = link.as_os_str().to_owned();
    beside.push(".new");
    let beside = Path::new(&beside);
    match fs::remove_file(beside) {
        Err(error) if error.kind() != io::ErrorKind::NotFound => return Err(error),
        Ok(()) | Err(_) => {}
    }
    std::os::unix::fs::symlink(target, beside)?;
    fs::rename(beside, link)?;
    File::open(folder)?.sync_all()
}

#[cfg(test)]
mod tests {
    use super::*;
    use shared::identity::CountingEntropy;

    #[test]
    fn a_key_is_made_once_and_kept_from_others() {
        let folder = tempfile::tempdir().unwrap();
        let dir = IdentityDir::new(folder.path().join("identity"));
        let key = dir.key_for_joining(&mut CountingEntropy::new(1)).unwrap();
        let mode = fs::metadata(dir.key_path()).unwrap().permissions().mode();
        assert_eq!(mode & 0o777, 0o600);
        let again = dir.key_for_joining(&mut CountingEntropy::new(2)).unwrap();
        assert_eq!(again.public(), key.public());
        for mode in [0o640, 0o604, 0o660] {
            fs::set_permissions(dir.key_path(), fs::Permissions::from_mode(mode)).unwrap();
            let fault = dir.key(FIRST).err().unwrap();
            assert_eq!(fault.code, Code::StateDirUnusable);
            assert!(fault.what.contains("readable by others"));
        }
    }

    #[test]
    fn a_link_or_damaged_key_is_refused() {
        let folder = tempfile::tempdir().unwrap();
        let dir = IdentityDir::new(folder.path());
        dir.key_for_joining(&mut CountingEntropy::new(1)).unwrap();
        let elsewhere = folder.path().join("elsewhere");
        fs::rename(dir.key_path(), &elsewhere).unwrap();
        std::os::unix::fs::symlink(&elsewhere, dir.key_path()).unwrap();
        assert!(dir.key(FIRST).is_err());
        fs::remove_file(dir.key_path()).unwrap();
        dir.write("pair-1/key.pem", b"-----BEGIN ENCRYPTED PRIVATE KEY-----\n")
            .unwrap();
        assert!(dir.key(FIRST).is_err());
    }

    #[test]
    fn without_a_certificate_the_node_has_not_joined() {
        let folder = tempfile::tempdir().unwrap();
        let fault = IdentityDir::new(folder.path()).load().err().unwrap();
        assert_eq!(fault.code, Code::NotJoined);
    }
}
