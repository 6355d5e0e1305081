//! A coordinator's address, and words for a text that is none.
//!
//! From: configurations, invitations.
//! To: whoever dials or invites.

use std::fmt;
use std::net::Ipv6Addr;
use std::str::FromStr;

use serde::{Deserialize, Serialize};

/// Where a coordinator listens: `coord.example.org:443`, `192.0.2.7:443`, `[2001:db8::7]:443`.
#[derive(Clone, Debug, Eq, PartialEq, Serialize, Deserialize)]
#[serde(try_from = "String", into = "String")]
pub struct Address {
    /// DNS name, IPv4 or IPv6 address, without brackets.
    pub host: String,
    /// UDP port, 1 to 65,535.
    pub port: u16,
}

/// Why a text is no address.
#[derive(Clone, Debug, Eq, PartialEq, thiserror::Error)]
#[error("address {text:?} is not valid: {why}")]
pub struct InvalidAddress {
    /// The text.
    pub text: String,
    /// What is wrong with it.
    pub why: &'static str,
}

impl Address {
    /// From a host (DNS name or IP address, without brackets) and a port.
    ///
    /// # Errors
    /// [`InvalidAddress`] for an empty or misspelt host and for port 0.
    pub fn new(host: &str, port: u16) -> Result<Self, InvalidAddress> {
        let wrong = |why| InvalidAddress {
            text: format!("{host}:{port}"),
            why,
        };
        if port == 0 {
            return Err(wrong(PORT));
        }
        if host.parse::<Ipv6Addr>().is_err() {
            check_name(host).map_err(wrong)?;
        }
        Ok(Self {
            host: host.to_owned(),
            port,
        })
    }

    /// The address at the beginning of `text`, and what follows its port's digits.
    ///
    /// # Errors
    /// [`InvalidAddress`] when `text` does not begin with one.
    pub(super) fn take(text: &str) -> Result<(Self, &str), InvalidAddress> {
        let wrong = |why| InvalidAddress {
            text: text.to_owned(),
            why,
        };
        if text.contains("://") {
            return Err(wrong("it is host:port, without a scheme such as https://"));
        }
        let (host, rest) = split_host(text).map_err(wrong)?;
        let digits = rest
            .bytes()
            .position(|byte| !byte.is_ascii_digit())
            .unwrap_or(rest.len());
        let (port, rest) = rest.split_at(digits);
        if port.starts_with('0') {
            return Err(wrong(PORT));
        }
        let port = port.parse().map_err(|_| wrong(PORT))?;
        let address = Self::new(host, port).map_err(|fault| wrong(fault.why))?;
        Ok((address, rest))
    }
}

const PORT: &str = "the port is a number from 1 to 65535";

/// The host without brackets, and what follows its colon.
fn split_host(text: &str) -> Result<(&str, &str), &'static str> {
    let Some(inner) = text.strip_prefix('[') else {
        let (host, rest) = text
            .split_once(':')
            .ok_or("the port is missing; write host:port")?;
        if rest.contains(':') {
            return Err("an IPv6 address stands in brackets: [2001:db8::1]:443");
        }
        return Ok((host, rest));
    };
    let (host, rest) = inner.split_once(']').ok_or("the bracket is not closed")?;
    if host.contains('%') {
        return Err("an IPv6 zone (%...) names an interface of one machine only");
    }
    host.parse::<Ipv6Addr>()
        .map_err(|_| "there is no IPv6 address in the brackets")?;
    let rest = rest
        .strip_prefix(':')
        .ok_or("the port is missing; write [host]:port")?;
    Ok((host, rest))
}

impl FromStr for Address {
    type Err = InvalidAddress;

    fn from_str(text: &str) -> Result<Self, InvalidAddress> {
        let (address, rest) = Self::take(text)?;
        if rest.is_empty() {
            Ok(address)
        } else {
            Err(InvalidAddress {
                text: text.to_owned(),
                why: PORT,
            })
        }
    }
}

/// A host name (RFC 1123) or IPv4 address.
fn check_name(host: &str) -> Result<(), &'static str> {
    if host.ends_with('.') {
        return Err("leave out the last dot: certificates name hosts without it");
    }
    let label = |label: &str| {
        let plain = |byte: u8| byte.is_ascii_alphanumeric() || byte == b'-' || byte == b'_';
        (1..=63).contains(&label.len())
            && label.bytes().all(plain)
            && !label.starts_with('-')
            && !label.ends_with('-')
    };
    if host.len() <= 253 && host.split('.').all(label) {
        Ok(())
    } else {
        Err("a host name has letters, digits, hyphens and dots")
    }
}

impl fmt::Display for Address {
    fn fmt(&self, out: &mut fmt::Formatter<'_>) -> fmt::Result {
        if self.host.contains(':') {
            write!(out, "[{}]:{}", self.host, self.port)
        } else {
            write!(out, "{}:{}", self.host, self.port)
        }
    }
}

impl TryFrom<String> for Address {
    type Error = InvalidAddress;

    fn try_from(text: String) -> Result<Self, InvalidAddress> {
        text.parse()
    }
}

impl From<Address> for String {
    fn from(address: Address) -> Self {
        address.to_string()
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn addresses_round_trip() {
        for text in [
            "coord.example.org:443",
            "127.0.0.1:65535",
            "[2001:db8::1]:1",
            "localhost:8443",
        ] {
            assert_eq!(text.parse::<Address>().unwrap().to_string(), text);
        }
    }

    #[test]
    fn odd_addresses_are_refused() {
        for text in [
            "",
            "coord.example.org",
            "coord.example.org:0",
            "coord.example.org:65536",
            "coord.example.org:-1",
            "coord.example.org:+443",
            "coord.example.org:0443",
            "coord.example.org:443x",
            "[2001:db8::1]",
            "coord.example.org.:443",
            "https://coord.example.org:443",
            "[fe80::1%eth0]:443",
            "[::1:443",
            "2001:db8::1:443",
            "a b:443",
            "-a.example:443",
            "a..b:443",
            ":443",
            "exa\nmple:443",
            "exämple.org:443",
        ] {
            assert!(text.parse::<Address>().is_err(), "{text}");
        }
    }
}
