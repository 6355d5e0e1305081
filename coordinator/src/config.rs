//! `coordinator.toml` and the state directory: every key has a default, so that `--dir DIR`
//! alone suffices.
//!
//! From: `--dir`, `FEDVAL_DIR`, `DIR/coordinator.toml`.
//! To: every verb.

use std::net::SocketAddr;
use std::path::{Path, PathBuf};

use serde::{Deserialize, Serialize};
use shared::fault::{Code, Fault};
use shared::identity::{Address, InvalidAddress};
use shared::study::source;

use crate::store::Store;

/// The state directory when nothing else is said.
pub const DIR_DEFAULT: &str = "/var/lib/fedval";
/// The port when an address names none that can be listened on.
pub const PORT_DEFAULT: u16 = 443;

/// `coordinator.toml`.
#[derive(Clone, Debug, PartialEq, Deserialize, Serialize)]
#[serde(deny_unknown_fields, default)]
pub struct Config {
    /// Version of this format; 1.
    pub config_version: u32,
    /// Addresses.
    pub server: ServerConfig,
    /// Where the database is.
    pub storage: StorageConfig,
    /// Where the keys are.
    pub tls: TlsConfig,
    /// How rounds run.
    pub round: RoundConfig,
}

impl Default for Config {
    fn default() -> Self {
        Self {
            config_version: 1,
            server: ServerConfig::default(),
            storage: StorageConfig::default(),
            tls: TlsConfig::default(),
            round: RoundConfig::default(),
        }
    }
}

/// Addresses.
#[derive(Clone, Debug, Default, PartialEq, Deserialize, Serialize)]
#[serde(deny_unknown_fields, default)]
pub struct ServerConfig {
    /// `host:port` that nodes dial; stands in every invitation. No default: `init` asks for it.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub public_address: Option<String>,
    /// `IP:port` that QUIC listens on (UDP). Default: every IPv6 and IPv4 address, the port of
    /// `public_address`.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub quic_listen: Option<SocketAddr>,
}

/// Where the database is.
#[derive(Clone, Debug, Default, PartialEq, Deserialize, Serialize)]
#[serde(deny_unknown_fields, default)]
pub struct StorageConfig {
    /// Directory of `fedval.db`; default: the state directory.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub dir: Option<PathBuf>,
    /// File of the keys that received results are stored under; default: `storage.keys` in the
    /// state directory.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub keys: Option<PathBuf>,
}

/// Where the keys are.
#[derive(Clone, Debug, Default, PartialEq, Deserialize, Serialize)]
#[serde(deny_unknown_fields, default)]
pub struct TlsConfig {
    /// Directory of the CA and the signing keys; default: `ca` in the state directory.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub ca_dir: Option<PathBuf>,
}

/// How rounds run.
#[derive(Clone, Debug, PartialEq, Deserialize, Serialize)]
#[serde(deny_unknown_fields, default)]
pub struct RoundConfig {
    /// Seconds between two beats of a node, 1 to 3600. A node counts as silent after four.
    pub heartbeat_s: u32,
}

impl Default for RoundConfig {
    fn default() -> Self {
        Self { heartbeat_s: 15 }
    }
}

/// A state directory with its configuration.
#[derive(Clone, Debug)]
pub struct Home {
    /// The state directory.
    pub dir: PathBuf,
    /// What its `coordinator.toml` says, or the defaults.
    pub config: Config,
}

impl Home {
    /// Reads `DIR/coordinator.toml`; the defaults when there is none.
    ///
    /// # Errors
    /// [`Fault`] when the file is there and not valid.
    pub fn open(dir: impl Into<PathBuf>) -> Result<Self, Fault> {
        let dir = dir.into();
        let file = dir.join("coordinator.toml");
        let config = match std::fs::read_to_string(&file) {
            Ok(text) => parse(&text, &file.display().to_string())?,
            Err(error) if error.kind() == std::io::ErrorKind::NotFound => Config::default(),
            Err(error) => {
                return Err(Fault::new(
                    Code::ConfigUnreadable,
                    format!("{} cannot be read", file.display()),
                    error.to_string(),
                    "check its permissions",
                ));
            }
        };
        Ok(Self { dir, config })
    }

    /// Directory of the keys.
    pub fn ca_dir(&self) -> PathBuf {
        let given = self.config.tls.ca_dir.clone();
        given.unwrap_or_else(|| self.dir.join("ca"))
    }

    /// The database file.
    pub fn database(&self) -> PathBuf {
        let given = self.config.storage.dir.clone();
        given.unwrap_or_else(|| self.dir.clone()).join("fedval.db")
    }

    /// The file of storage keys.
    pub fn storage_keys(&self) -> PathBuf {
        let given = self.config.storage.keys.clone();
        given.unwrap_or_else(|| self.dir.join("storage.keys"))
    }

    /// Opens the database of an initialised directory.
    ///
    /// # Errors
    /// [`Fault`] when there is no consortium here, or the database cannot be used.
    pub fn store(&self) -> Result<Store, Fault> {
        if !crate::consortium::Consortium::exists(&self.ca_dir()) {
            // Says what is missing in the words of the consortium.
            crate::consortium::Consortium::load(&self.ca_dir())?;
        }
        Store::open(&self.database(), &self.storage_keys())
    }

    /// The address nodes dial.
    ///
    /// # Errors
    /// [`Fault`] when none is configured or it is misspelt.
    pub fn address(&self) -> Result<Address, Fault> {
        let text = self.config.server.public_address.as_deref();
        let Some(text) = text else {
            return Err(Fault::new(
                Code::ConfigInvalid,
                "no address is configured",
                "an invitation tells the node where to dial",
                "set public_address = \"host:port\" under [server] in coordinator.toml",
            ));
        };
        parse_address(text)
    }

    /// Where QUIC listens.
    ///
    /// # Errors
    /// [`Fault`] when neither an address to listen on nor a public address is configured.
    pub fn listen(&self) -> Result<SocketAddr, Fault> {
        if let Some(listen) = self.config.server.quic_listen {
            return Ok(listen);
        }
        let port = self.address()?.port;
        Ok(SocketAddr::from((std::net::Ipv6Addr::UNSPECIFIED, port)))
    }
}

/// Reads `host:port`.
///
/// # Errors
/// [`Fault`] when it is something else.
pub fn parse_address(text: &str) -> Result<Address, Fault> {
    text.parse().map_err(|fault: InvalidAddress| {
        Fault::new(
            Code::AddressInvalid,
            format!("\"{text}\" is no address"),
            fault.why,
            "write host:port, such as coord.example.org:443 or [2001:db8::7]:443: the name nodes can resolve and the UDP port they may reach",
        )
    })
}

/// Reads a configuration text.
///
/// # Errors
/// [`Fault`] with line, column and the likely word.
pub fn parse(text: &str, file: &str) -> Result<Config, Fault> {
    let config: Config =
        source::read(text).map_err(|fault| fault.into_fault(Code::ConfigInvalid, file))?;
    let wrong = if config.config_version != 1 {
        Some(("config_version", "this program knows version 1"))
    } else if !(1..=3600).contains(&config.round.heartbeat_s) {
        Some(("round.heartbeat_s", "it is not from 1 to 3600"))
    } else {
        None
    };
    if let Some((key, why)) = wrong {
        return Err(Fault::new(
            Code::ConfigInvalid,
            format!("{file}: {key} is not valid"),
            why,
            "correct the value or remove the line to use the default",
        ));
    }
    if let Some(address) = &config.server.public_address {
        parse_address(address)?;
    }
    Ok(config)
}

/// Writes `coordinator.toml` into `dir`.
///
/// # Errors
/// [`Fault`] when it cannot be written.
pub fn save(config: &Config, dir: &Path) -> Result<(), Fault> {
    let file = dir.join("coordinator.toml");
    let text = toml::to_string(config)
        .map_err(|error| Fault::internal(format!("the configuration has no text: {error}")))?;
    std::fs::write(&file, text).map_err(|error| {
        Fault::new(
            Code::OutputUnwritable,
            format!("{} cannot be written", file.display()),
            error.to_string(),
            "choose a directory you may write to with --dir",
        )
    })
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn an_empty_file_is_a_configuration_and_defaults_survive_their_text() {
        let config = parse("", "x").unwrap();
        assert_eq!(config, Config::default());
        let text = toml::to_string(&config).unwrap();
        assert_eq!(parse(&text, "x").unwrap(), config);
    }

    #[test]
    fn a_misspelt_key_gets_its_line_and_the_likely_word() {
        let fault = parse(
            "config_version = 1\n[server]\nquic_lisen = \"[::]:1\"\n",
            "c.toml",
        );
        let fault = fault.unwrap_err();
        assert_eq!(fault.code, Code::ConfigInvalid);
        assert!(fault.what.contains("line 3"), "{fault}");
        assert!(
            fault.fix.contains("did you mean \"quic_listen\"?"),
            "{fault}"
        );
        for bad in [
            "config_version = 2",
            "[round]\nheartbeat_s = 0",
            "[server]\npublic_address = \"nowhere\"",
        ] {
            assert!(parse(bad, "c.toml").is_err(), "{bad}");
        }
    }

    #[test]
    fn the_sample_is_a_configuration() {
        let text = include_str!("../../configs/coordinator.toml");
        parse(text, "configs/coordinator.toml").unwrap();
    }
}
