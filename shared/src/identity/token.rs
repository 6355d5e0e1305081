//! The invitation a site pastes once: where the coordinator is, which consortium CA to expect
//! there, for which site, and a one-use secret.
//!
//! Text: `fvj1.<host>:<port>.<site>.<base32>`. It is read from both ends: base32 has no point,
//! a host ends at its first colon (or at `]` for IPv6), a port at its first point; the site's
//! name may hold points. The base32 part is the CA certificate's SHA-256 (32 bytes), the secret
//! (16 bytes) and two bytes of checksum over all that stands before.
//!
//! From: `fedval site invite`.
//! To: `fedval-node join`.

use std::fmt;

use data_encoding::BASE32_NOPAD;

use super::{Address, Digest, Entropy, NoEntropy};
use crate::study::SiteSlug;

/// Length of an invitation's secret, bytes.
pub const SECRET_BYTES: usize = 16;

const PREFIX: &str = "fvj1.";
const CHECKSUM_BYTES: usize = 2;

/// What is wrong with an invitation.
#[derive(Clone, Copy, Debug, Eq, PartialEq, thiserror::Error)]
pub enum TokenFault {
    /// It does not begin with `fvj1.`.
    #[error("an invitation starts with fvj1.")]
    Prefix,
    /// The address part is not `host:port`.
    #[error("the address is not host:port, or [IPv6 address]:port")]
    Address,
    /// The site part is not a site's name.
    #[error("the site's name is not valid")]
    Site,
    /// The last part is damaged: a character is missing, added or changed.
    #[error("a character is missing, added or changed; copy the whole invitation again")]
    Damaged,
}

/// The one-use secret of an invitation. No `Debug`; the coordinator keeps only its digest.
#[derive(Clone, Eq, PartialEq)]
pub struct InvitationSecret([u8; SECRET_BYTES]);

impl InvitationSecret {
    /// A fresh secret.
    ///
    /// # Errors
    /// [`NoEntropy`] when the source fails.
    pub fn generate(entropy: &mut dyn Entropy) -> Result<Self, NoEntropy> {
        let mut bytes = [0; SECRET_BYTES];
        entropy.fill(&mut bytes)?;
        Ok(Self(bytes))
    }

    /// From the bytes of a join request; `None` when they are not [`SECRET_BYTES`].
    pub fn from_bytes(bytes: &[u8]) -> Option<Self> {
        Some(Self(bytes.try_into().ok()?))
    }

    /// The bytes, for the join request.
    pub fn as_bytes(&self) -> &[u8; SECRET_BYTES] {
        &self.0
    }

    /// What is stored and compared instead of the secret.
    pub fn digest(&self) -> Digest {
        Digest::of_list(&[b"fedval.invitation-secret/1", &self.0])
    }
}

/// An invitation. Its text holds the secret, so it has no `Debug`.
#[derive(Clone, Eq, PartialEq)]
pub struct JoinToken {
    /// Where the coordinator listens.
    pub address: Address,
    /// The invited site.
    pub site: SiteSlug,
    /// SHA-256 of the consortium CA's certificate, DER.
    pub ca: Digest,
    /// The one-use secret.
    pub secret: InvitationSecret,
}

fn checksum(before: &str, ca: &Digest, secret: &InvitationSecret) -> [u8; CHECKSUM_BYTES] {
    let digest = Digest::of_list(&[before.as_bytes(), ca.as_bytes(), secret.as_bytes()]);
    [digest.as_bytes()[0], digest.as_bytes()[1]]
}

impl fmt::Display for JoinToken {
    fn fmt(&self, out: &mut fmt::Formatter<'_>) -> fmt::Result {
        let before = format!("{PREFIX}{}.{}", self.address, self.site);
        let sum = checksum(&before, &self.ca, &self.secret);
        let bytes = [&self.ca.as_bytes()[..], self.secret.as_bytes(), &sum].concat();
        write!(out, "{before}.{}", BASE32_NOPAD.encode(&bytes))
    }
}

impl std::str::FromStr for JoinToken {
    type Err = TokenFault;
    fn from_str(text: &str) -> Result<Self, TokenFault> {
        let text = text.trim();
        let body = text.strip_prefix(PREFIX).ok_or(TokenFault::Prefix)?;
        let (address, rest) = Address::take(body).map_err(|_| TokenFault::Address)?;
        let rest = rest.strip_prefix('.').ok_or(TokenFault::Address)?;
        let (site, coded) = rest.rsplit_once('.').ok_or(TokenFault::Damaged)?;
        let site: SiteSlug = site.parse().map_err(|_| TokenFault::Site)?;
        let bytes = BASE32_NOPAD
            .decode(coded.to_ascii_uppercase().as_bytes())
            .map_err(|_| TokenFault::Damaged)?;
        if bytes.len() != 32 + SECRET_BYTES + CHECKSUM_BYTES {
            return Err(TokenFault::Damaged);
        }
        let (ca, rest) = bytes.split_at(32);
        let (secret, sum) = rest.split_at(SECRET_BYTES);
        let ca = Digest::from_bytes(ca.try_into().map_err(|_| TokenFault::Damaged)?);
        let secret = InvitationSecret::from_bytes(secret).ok_or(TokenFault::Damaged)?;
        let before = format!("{PREFIX}{address}.{site}");
        if sum != checksum(&before, &ca, &secret) {
            return Err(TokenFault::Damaged);
        }
        Ok(Self {
            address,
            site,
            ca,
            secret,
        })
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::identity::CountingEntropy;

    fn token(host: &str, port: u16, site: &str) -> JoinToken {
        JoinToken {
            address: Address::new(host, port).unwrap(),
            site: site.parse().unwrap(),
            ca: Digest::of(b"ca"),
            secret: InvitationSecret::generate(&mut CountingEntropy::new(1)).unwrap(),
        }
    }

    #[test]
    fn a_token_survives_its_text_whatever_the_host_and_site() {
        for host in ["coord.example.org", "localhost", "192.0.2.7", "2001:db8::7"] {
            for site in ["st-olav", "a", "st.olav.no", "1.2.3", "443.x"] {
                for port in [1, 443, 65_535] {
                    let token = token(host, port, site);
                    let text = token.to_string();
                    assert!(text.parse::<JoinToken>().unwrap() == token, "{text}");
                    assert!(format!(" {text}\n").parse::<JoinToken>().is_ok());
                }
            }
        }
    }

    #[test]
    fn a_damaged_token_is_refused_before_anything_is_dialled() {
        let text = token("coord.example.org", 443, "st-olav").to_string();
        for at in 0..text.len() {
            let mut bytes = text.clone().into_bytes();
            bytes[at] = if bytes[at] == b'x' { b'y' } else { b'x' };
            let changed = String::from_utf8(bytes).unwrap();
            if changed.eq_ignore_ascii_case(&text) {
                continue;
            }
            assert!(changed.parse::<JoinToken>().is_err(), "{changed}");
            let mut shorter = text.clone();
            shorter.remove(at);
            assert!(shorter.parse::<JoinToken>().is_err(), "{shorter}");
        }
    }

    #[test]
    fn bad_addresses_are_refused() {
        for bad in [
            "",
            "host",
            "host:",
            ":443",
            "host:0",
            "host:65536",
            "host:+1",
            "host:0443",
            "host.:443",
            "-host:443",
            "ho st:443",
            "2001:db8::7:443",
            "[2001:db8::7]",
            "[fe80::1%eth0]:443",
            "[host]:443",
            "host:443/x",
        ] {
            assert!(bad.parse::<Address>().is_err(), "{bad}");
        }
        assert_eq!("[::1]:4433".parse::<Address>().unwrap().host, "::1");
    }

    #[test]
    fn the_stored_digest_is_not_the_secret() {
        let secret = InvitationSecret::from_bytes(&[4; SECRET_BYTES]).unwrap();
        assert_ne!(secret.digest(), Digest::of(&[4; SECRET_BYTES]));
        assert!(InvitationSecret::from_bytes(&[4; SECRET_BYTES - 1]).is_none());
    }
}
