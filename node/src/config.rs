//! The node's configuration, `node.toml`: written by the site alone, never by a coordinator.
//! An unknown key is an error, every default can be printed, and relative paths start at the
//! file's folder. Environment variables change nothing here.
//!
//! From: `/etc/fedval-node/node.toml`, or `--config`.
//! To: every verb of `fedval-node`.

mod explain;
mod imaging;
mod table;

use std::collections::BTreeMap;
use std::os::unix::fs::MetadataExt;
use std::path::{Path, PathBuf};

use serde::{Deserialize, Serialize};
use shared::fault::{Code, Fault};
use shared::identity::{Address, Digest, PublicKey};
use shared::study::{SiteSlug, StudySlug};

pub use imaging::ImagingSection;
pub use table::{LocalCode, MaskedSection, StudySection, TableSection};

use crate::cohort::TableSource;

/// Largest configuration file, in bytes.
pub const FILE_MAX: u64 = 1 << 20;
/// Where the configuration is looked for when none is named.
pub const DEFAULT_FILE: &str = "/etc/fedval-node/node.toml";
/// The one version of this format.
const VERSION: u32 = 1;

/// `node.toml` with every default filled in and every path absolute.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct NodeConfig {
    /// Version of this format; 1.
    pub config_version: u32,
    /// Which site this is.
    pub site: SiteSection,
    /// The coordinator; absent: the one this node joined.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub coordinator: Option<CoordinatorSection>,
    /// Keys and certificates.
    #[serde(default)]
    pub identity: IdentitySection,
    /// Database, outbox, ledger.
    #[serde(default)]
    pub storage: StorageSection,
    /// What may run here.
    #[serde(default)]
    pub access: AccessSection,
    /// How results leave.
    #[serde(default)]
    pub release: ReleaseSection,
    /// The disclosure policy.
    #[serde(default)]
    pub disclosure: DisclosureSection,
    /// What reading images may take.
    #[serde(default)]
    pub imaging: ImagingSection,
    /// What is logged.
    #[serde(default)]
    pub logging: LoggingSection,
    /// Public keys of other hospitals' nodes, as their own people gave them: with these alone this
    /// site shares a mask.
    #[serde(default, skip_serializing_if = "BTreeMap::is_empty")]
    pub peers: BTreeMap<SiteSlug, PublicKey>,
    /// By study, where its table is and how it reads.
    #[serde(default)]
    pub study: BTreeMap<StudySlug, StudySection>,
    /// The file this was read from.
    #[serde(skip)]
    pub file: PathBuf,
}

/// `[site]`.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct SiteSection {
    /// The site's short name, as the consortium knows it.
    pub slug: SiteSlug,
    /// Its name for people; default: the slug.
    #[serde(default)]
    pub display_name: String,
}

/// `[coordinator]`.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct CoordinatorSection {
    /// `host:port`.
    pub address: Address,
}

/// `[identity]`.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct IdentitySection {
    /// Folder written by `join`; default `/var/lib/fedval-node/identity`.
    pub dir: PathBuf,
}

impl Default for IdentitySection {
    fn default() -> Self {
        Self {
            dir: PathBuf::from("/var/lib/fedval-node/identity"),
        }
    }
}

/// `[storage]`.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct StorageSection {
    /// State directory; default `/var/lib/fedval-node`.
    pub dir: PathBuf,
}

impl Default for StorageSection {
    fn default() -> Self {
        Self {
            dir: PathBuf::from("/var/lib/fedval-node"),
        }
    }
}

/// `[access]`: what is not listed cannot run.
#[derive(Clone, Debug, Default, PartialEq, Serialize, Deserialize)]
#[serde(deny_unknown_fields, default)]
pub struct AccessSection {
    /// Studies that may run here; default none.
    pub studies: Vec<StudySlug>,
    /// Study-signing keys this site accepts, beside those pinned at join.
    pub protocol_signers: Vec<Digest>,
    /// Who may approve a release; default: the user that runs the node.
    pub approvers: Vec<Approver>,
    /// Others who may. Where two people must approve and this list is given, one of them stands in
    /// it and the other in `approvers`.
    #[serde(skip_serializing_if = "Vec::is_empty")]
    pub second_approvers: Vec<Approver>,
    /// Public keys of approvers, by name. Where one is listed, every approval is signed.
    #[serde(skip_serializing_if = "BTreeMap::is_empty")]
    pub keys: BTreeMap<String, PublicKey>,
}

impl AccessSection {
    /// One key is one person: whoever holds it could sign as two.
    fn check(&self, file: &Path) -> Result<(), Fault> {
        let mut owner: BTreeMap<String, &str> = BTreeMap::new();
        for (name, key) in &self.keys {
            if let Some(other) = owner.insert(key.to_string(), name) {
                return Err(explain::invalid(
                    file,
                    format!("[access.keys] lists one key for {other} and for {name}"),
                    "a key belongs to one person; with one key, one person could approve as two",
                    "list each person's own key: fedval-node approver new",
                ));
            }
        }
        Ok(())
    }
}

/// A person, or the members of a group, of this machine.
#[derive(Clone, Debug, Eq, PartialEq, Ord, PartialOrd, Serialize, Deserialize)]
#[serde(try_from = "String", into = "String")]
pub enum Approver {
    /// `name` or `unix-user:name`.
    User(String),
    /// `unix-group:name`.
    Group(String),
}

impl TryFrom<String> for Approver {
    type Error = &'static str;

    fn try_from(text: String) -> Result<Self, Self::Error> {
        let (group, name) = match text.split_once(':') {
            Some(("unix-group", name)) => (true, name),
            Some(("unix-user", name)) => (false, name),
            Some(_) => return Err("an approver is a user name, unix-user:NAME or unix-group:NAME"),
            None => (false, text.as_str()),
        };
        let plain = |byte: u8| byte.is_ascii_alphanumeric() || b"-_.@\\$".contains(&byte);
        if name.is_empty() || !name.bytes().all(plain) {
            return Err("an approver's name has letters, digits and - _ . @ only");
        }
        let name = name.to_owned();
        Ok(if group {
            Self::Group(name)
        } else {
            Self::User(name)
        })
    }
}

impl From<Approver> for String {
    fn from(approver: Approver) -> Self {
        match approver {
            Approver::User(name) => format!("unix-user:{name}"),
            Approver::Group(name) => format!("unix-group:{name}"),
        }
    }
}

/// `[release]`.
#[derive(Clone, Copy, Debug, Default, PartialEq, Serialize, Deserialize)]
#[serde(deny_unknown_fields, default)]
pub struct ReleaseSection {
    /// Default `manual`.
    pub mode: ReleaseMode,
    /// Default `first`.
    pub four_eyes: FourEyes,
}

/// Whether a person looks before anything leaves.
#[derive(Clone, Copy, Debug, Default, Eq, PartialEq, Serialize, Deserialize)]
#[serde(rename_all = "kebab-case")]
pub enum ReleaseMode {
    /// A person approves the computed bytes.
    #[default]
    Manual,
    /// What asks and shows the same as a release that a person approved leaves by itself.
    SameShape,
    /// What the policy allows leaves by itself.
    Automatic,
}

impl ReleaseMode {
    /// The word in the file.
    pub fn as_str(self) -> &'static str {
        match self {
            Self::Manual => "manual",
            Self::SameShape => "same-shape",
            Self::Automatic => "automatic",
        }
    }
}

/// When two different people must approve; under `dua` they always must.
#[derive(Clone, Copy, Debug, Default, Eq, PartialEq, Serialize, Deserialize)]
#[serde(rename_all = "kebab-case")]
pub enum FourEyes {
    /// Every release of a study until two people have approved one, and the one with which a mode
    /// comes into force; not under `open-data`.
    #[default]
    First,
    /// Every release.
    Always,
    /// One person suffices: for a site that has one approver.
    Never,
}

/// `[disclosure]`.
#[derive(Clone, Debug, Default, PartialEq, Serialize, Deserialize)]
#[serde(deny_unknown_fields, default)]
pub struct DisclosureSection {
    /// The policy's own file; absent: no job runs.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub policy: Option<PathBuf>,
}

/// `[logging]`.
#[derive(Clone, Copy, Debug, Default, PartialEq, Serialize, Deserialize)]
#[serde(deny_unknown_fields, default)]
pub struct LoggingSection {
    /// Default `info`.
    pub level: LogLevel,
}

/// How much is logged.
#[derive(Clone, Copy, Debug, Default, Eq, PartialEq, Serialize, Deserialize)]
#[serde(rename_all = "kebab-case")]
pub enum LogLevel {
    /// Failures.
    Error,
    /// And what may become one.
    Warn,
    /// And what is done.
    #[default]
    Info,
    /// And how.
    Debug,
    /// Everything.
    Trace,
}

impl LogLevel {
    /// The level as the log filter writes it.
    pub fn as_str(self) -> &'static str {
        match self {
            Self::Error => "error",
            Self::Warn => "warn",
            Self::Info => "info",
            Self::Debug => "debug",
            Self::Trace => "trace",
        }
    }
}

impl NodeConfig {
    /// Reads and checks the file at `path`.
    ///
    /// # Errors
    /// `FV-CONF-001` when it cannot be read or is larger than [`FILE_MAX`]; `FV-CONF-002` when
    /// it is not valid or everyone may change it; `FV-NET-002` for an address.
    pub fn load(path: &Path) -> Result<Self, Fault> {
        let unreadable = |why: String| {
            Fault::new(
                Code::ConfigUnreadable,
                format!("cannot read {}", path.display()),
                why,
                "check the path and that this user may read it, or name another file with --config",
            )
        };
        let failed = |error: std::io::Error| unreadable(error.to_string());
        let path = std::path::absolute(path).map_err(failed)?;
        let metadata = std::fs::metadata(&path).map_err(failed)?;
        if !metadata.is_file() {
            return Err(unreadable("it is not a file".to_owned()));
        }
        if metadata.len() > FILE_MAX {
            return Err(unreadable(format!(
                "it has {} bytes; the limit is {FILE_MAX}",
                metadata.len()
            )));
        }
        if metadata.mode() & 0o002 != 0 {
            return Err(explain::invalid(
                &path,
                "everyone on this machine may change it",
                "whoever can write this file can make results leave without approval",
                format!("chmod o-w {}", path.display()),
            ));
        }
        let bytes = std::fs::read(&path).map_err(failed)?;
        let text =
            String::from_utf8(bytes).map_err(|_| unreadable("it is not UTF-8 text".to_owned()))?;
        Self::parse(&text, &path)
    }

    /// Checks `text` as the content of `file`, whose folder relative paths start from.
    ///
    /// # Errors
    /// As [`NodeConfig::load`].
    pub fn parse(text: &str, file: &Path) -> Result<Self, Fault> {
        let text = text.strip_prefix('\u{feff}').unwrap_or(text);
        let mut config: Self =
            toml::from_str(text).map_err(|error| explain::toml_fault(file, text, &error))?;
        if config.config_version != VERSION {
            return Err(explain::invalid(
                file,
                format!("config_version is {}", config.config_version),
                format!("this program reads version {VERSION}"),
                format!("set config_version = {VERSION} and check the keys against the reference"),
            ));
        }
        config.file = file.to_owned();
        if config.site.display_name.is_empty() {
            config.site.display_name = config.site.slug.to_string();
        }
        config.resolve()?;
        let ReleaseSection { mode, four_eyes } = config.release;
        if four_eyes == FourEyes::Always && mode != ReleaseMode::Manual {
            return Err(explain::invalid(
                file,
                format!(
                    "[release] says mode = \"{}\" and four_eyes = \"always\"",
                    mode.as_str()
                ),
                "two people cannot approve what leaves without a person",
                "write mode = \"manual\", or four_eyes = \"first\"",
            ));
        }
        config.access.check(file)?;
        config.imaging.check(file)?;
        for (slug, study) in &config.study {
            study.check(file, slug)?;
        }
        Ok(config)
    }

    /// Makes every path absolute.
    fn resolve(&mut self) -> Result<(), Fault> {
        let file = self.file.clone();
        let folder = file.parent().unwrap_or(Path::new("/"));
        let tables = self
            .study
            .values_mut()
            .filter_map(|study| study.table.as_mut());
        let paths = [&mut self.identity.dir, &mut self.storage.dir]
            .into_iter()
            .chain(self.disclosure.policy.as_mut())
            .chain(tables.map(|table| &mut table.path));
        for path in paths {
            let text = path.to_string_lossy();
            if text.is_empty() || text.chars().any(char::is_control) {
                return Err(explain::invalid(
                    &file,
                    format!("{text:?} is not a path"),
                    "a path is not empty and has no line breaks or other control characters",
                    "mend the path",
                ));
            }
            *path = folder.join(&*path);
        }
        Ok(())
    }

    /// The configuration as it is in force, as TOML. It holds no secrets.
    pub fn effective(&self) -> String {
        let head = format!("# in force, from {}\n", self.file.display());
        match toml::to_string(self) {
            Ok(text) => head + &text,
            Err(error) => format!("{head}# cannot be shown: {error}\n"),
        }
    }

    /// Whether `study` may run here.
    pub fn allows(&self, study: &StudySlug) -> bool {
        self.access.studies.contains(study)
    }

    /// Where the table of `study` is and how it reads.
    ///
    /// # Errors
    /// `FV-CONF-002` when there is no `[study.<slug>.table]`.
    pub fn table(&self, study: &StudySlug) -> Result<TableSource, Fault> {
        self.study
            .get(study)
            .and_then(|section| section.source(&self.file, study))
            .ok_or_else(|| {
                explain::invalid(
                    &self.file,
                    format!("no table is configured for the study {study}"),
                    "a site names its own data; nothing is looked for",
                    format!("add [study.{study}.table] with path = \"...\""),
                )
            })
    }
}

#[cfg(test)]
mod tests;
