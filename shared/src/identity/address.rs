//! A coordinator's address.
//!
//! From: `config`, join tokens.
//! To: whoever dials.

use std::fmt;
use std::net::Ipv6Addr;
use std::str::FromStr;

use serde::{Deserialize, Serialize};

/// `host:port`, or `[ipv6]:port`.
#[derive(Clone, Debug, Eq, PartialEq, Serialize, Deserialize)]
#[serde(try_from = "String", into = "String")]
pub struct Address {
    /// A name, an IPv4 address, or an IPv6 address without brackets.
    pub host: String,
    /// 1 to 65535.
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

impl FromStr for Address {
    type Err = InvalidAddress;

    fn from_str(text: &str) -> Result<Self, InvalidAddress> {
        let wrong = |why| InvalidAddress {
            text: text.to_owned(),
            why,
        };
        if text.contains("://") {
            return Err(wrong("it is host:port, without a scheme such as https://"));
        }
        let (host, port) = text
            .rsplit_once(':')
            .ok_or_else(|| wrong("the port is missing; write host:port"))?;
        let port = match port.parse::<u16>() {
            Ok(port) if port > 0 && !text.ends_with(&format!("+{port}")) => port,
            Ok(_) | Err(_) => return Err(wrong("the port is a number from 1 to 65535")),
        };
        let host = match host.strip_prefix('[') {
            Some(inner) => {
                let inner = inner
                    .strip_suffix(']')
                    .ok_or_else(|| wrong("the bracket is not closed"))?;
                if inner.contains('%') {
                    return Err(wrong(
                        "an IPv6 zone (%...) names an interface of one machine only",
                    ));
                }
                inner
                    .parse::<Ipv6Addr>()
                    .map_err(|_| wrong("there is no IPv6 address in the brackets"))?;
                inner
            }
            None => name(host).map_err(wrong)?,
        };
        Ok(Self {
            host: host.to_owned(),
            port,
        })
    }
}

/// A host name (RFC 1123) or IPv4 address.
fn name(host: &str) -> Result<&str, &'static str> {
    if host.contains(':') {
        return Err("an IPv6 address stands in brackets: [2001:db8::1]:443");
    }
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
        Ok(host)
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
