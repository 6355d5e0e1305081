//! Ed25519 signatures (RFC 8032) with a domain: a signature says for what it was made, so that
//! bytes signed as one kind of document never pass as another. Keys come from a seed and
//! randomness is an argument.
//!
//! From: a seed drawn by the caller's [`Entropy`].
//! To: `document`, the consortium's CA, a node's certificate request.

use std::fmt;

use data_encoding::HEXLOWER;
use ring::signature::{ED25519, Ed25519KeyPair, KeyPair, UnparsedPublicKey};
use schemars::JsonSchema;
use serde::{Deserialize, Serialize};

use super::Digest;

/// The system has no randomness to give.
#[derive(Clone, Copy, Debug, Eq, PartialEq, thiserror::Error)]
#[error("the system gives no random bytes")]
pub struct NoEntropy;

/// Where random bytes come from; `node` and `coordinator` pass the system's generator.
pub trait Entropy {
    /// Fills `bytes`.
    ///
    /// # Errors
    /// [`NoEntropy`] when the source fails; `bytes` must not be used then.
    fn fill(&mut self, bytes: &mut [u8]) -> Result<(), NoEntropy>;
}

/// Reproducible bytes from a seed, for tests and simulations. Anyone can compute them.
#[derive(Clone, Debug)]
pub struct CountingEntropy {
    seed: u64,
    drawn: u64,
}

impl CountingEntropy {
    /// The sequence number `seed`.
    pub fn new(seed: u64) -> Self {
        Self { seed, drawn: 0 }
    }
}

impl Entropy for CountingEntropy {
    fn fill(&mut self, bytes: &mut [u8]) -> Result<(), NoEntropy> {
        for chunk in bytes.chunks_mut(32) {
            let block = Digest::of_list(&[
                b"fedval.counting-entropy/1",
                &self.seed.to_be_bytes(),
                &self.drawn.to_be_bytes(),
            ]);
            self.drawn += 1;
            chunk.copy_from_slice(&block.as_bytes()[..chunk.len()]);
        }
        Ok(())
    }
}

/// The text is no key, signature or serial of the expected form.
#[derive(Clone, Copy, Debug, Eq, PartialEq, thiserror::Error)]
#[error("expected {expected}")]
pub struct InvalidKeyText {
    expected: &'static str,
}

macro_rules! hex_text {
    ($name:ident, $length:literal, $prefix:literal, $expected:literal) => {
        impl $name {
            /// From its bytes.
            pub fn from_bytes(bytes: [u8; $length]) -> Self {
                Self(bytes)
            }

            /// Its bytes.
            pub fn as_bytes(&self) -> &[u8; $length] {
                &self.0
            }
        }

        impl fmt::Display for $name {
            fn fmt(&self, out: &mut fmt::Formatter<'_>) -> fmt::Result {
                write!(out, "{}{}", $prefix, HEXLOWER.encode(&self.0))
            }
        }

        impl fmt::Debug for $name {
            fn fmt(&self, out: &mut fmt::Formatter<'_>) -> fmt::Result {
                fmt::Display::fmt(self, out)
            }
        }

        impl std::str::FromStr for $name {
            type Err = InvalidKeyText;
            fn from_str(text: &str) -> Result<Self, InvalidKeyText> {
                let invalid = InvalidKeyText {
                    expected: $expected,
                };
                let hex = text.strip_prefix($prefix).ok_or(invalid)?;
                let bytes = HEXLOWER.decode(hex.as_bytes()).map_err(|_| invalid)?;
                Ok(Self(bytes.try_into().map_err(|_| invalid)?))
            }
        }

        impl TryFrom<String> for $name {
            type Error = InvalidKeyText;
            fn try_from(text: String) -> Result<Self, InvalidKeyText> {
                text.parse()
            }
        }

        impl From<$name> for String {
            fn from(value: $name) -> Self {
                value.to_string()
            }
        }
    };
}

/// An Ed25519 public key, written `ed25519:` and 64 hex digits.
#[derive(Clone, Copy, Eq, PartialEq, Ord, PartialOrd, Hash, Serialize, Deserialize, JsonSchema)]
#[serde(try_from = "String", into = "String")]
#[schemars(with = "String")]
pub struct PublicKey([u8; 32]);
hex_text!(
    PublicKey,
    32,
    "ed25519:",
    "ed25519: and 64 lower-case hex digits"
);

/// An Ed25519 signature, written `ed25519:` and 128 hex digits.
#[derive(Clone, Copy, Eq, PartialEq, Serialize, Deserialize, JsonSchema)]
#[serde(try_from = "String", into = "String")]
#[schemars(with = "String")]
pub struct Signature([u8; 64]);
hex_text!(
    Signature,
    64,
    "ed25519:",
    "ed25519: and 128 lower-case hex digits"
);

/// The serial number of a certificate: 16 bytes, written as 32 hex digits.
#[derive(Clone, Copy, Eq, PartialEq, Ord, PartialOrd, Hash, Serialize, Deserialize, JsonSchema)]
#[serde(try_from = "String", into = "String")]
#[schemars(with = "String")]
pub struct Serial([u8; 16]);
hex_text!(Serial, 16, "", "32 lower-case hex digits");

/// A random part of what is hashed, so that its hash tells nothing of the rest: 16 bytes, written as
/// 32 hex digits.
#[derive(Clone, Copy, Eq, PartialEq, Serialize, Deserialize, JsonSchema)]
#[serde(try_from = "String", into = "String")]
#[schemars(with = "String")]
pub struct Nonce([u8; 16]);
hex_text!(Nonce, 16, "", "32 lower-case hex digits");

impl Nonce {
    /// A fresh one.
    ///
    /// # Errors
    /// [`NoEntropy`] when the source fails.
    pub fn generate(entropy: &mut dyn Entropy) -> Result<Self, NoEntropy> {
        let mut bytes = [0; 16];
        entropy.fill(&mut bytes)?;
        Ok(Self(bytes))
    }
}

impl Serial {
    /// A fresh serial; its first byte is 1 to 127, so that it is a positive integer of 16 bytes
    /// in DER (RFC 5280, 4.1.2.2).
    ///
    /// # Errors
    /// [`NoEntropy`] when the source fails.
    pub fn generate(entropy: &mut dyn Entropy) -> Result<Self, NoEntropy> {
        let mut bytes = [0; 16];
        entropy.fill(&mut bytes)?;
        bytes[0] = (bytes[0] & 0x7f).max(1);
        Ok(Self(bytes))
    }
}

/// What is signed: the domain, a zero byte, then the bytes. A domain never holds a zero byte.
fn message(domain: &str, bytes: &[u8]) -> Vec<u8> {
    let mut message = Vec::with_capacity(domain.len() + 1 + bytes.len());
    message.extend(domain.bytes().filter(|byte| *byte != 0));
    message.push(0);
    message.extend_from_slice(bytes);
    message
}

impl PublicKey {
    /// True when `signature` was made with this key over `bytes` for `domain`.
    pub fn verify(&self, domain: &str, bytes: &[u8], signature: &Signature) -> bool {
        UnparsedPublicKey::new(&ED25519, &self.0)
            .verify(&message(domain, bytes), &signature.0)
            .is_ok()
    }

    /// The digest of the key, for lists that people keep.
    pub fn fingerprint(&self) -> Digest {
        Digest::of(&self.0)
    }
}

/// The bytes before the seed in a PKCS#8 version 1 Ed25519 key (RFC 8410, section 7).
const PKCS8_PREFIX: [u8; 16] = [
    0x30, 0x2e, 0x02, 0x01, 0x00, 0x30, 0x05, 0x06, 0x03, 0x2b, 0x65, 0x70, 0x04, 0x22, 0x04, 0x20,
];

/// A private Ed25519 key. It has no `Debug`, so that no log can hold it.
pub struct SigningKey {
    seed: [u8; 32],
    pair: Ed25519KeyPair,
}

impl SigningKey {
    /// A fresh key.
    ///
    /// # Errors
    /// [`NoEntropy`] when the source fails.
    pub fn generate(entropy: &mut dyn Entropy) -> Result<Self, NoEntropy> {
        let mut seed = [0; 32];
        entropy.fill(&mut seed)?;
        Ok(Self::from_seed(&seed))
    }

    /// The key of a seed.
    pub fn from_seed(seed: &[u8; 32]) -> Self {
        let Ok(pair) = Ed25519KeyPair::from_seed_unchecked(seed) else {
            unreachable!("every seed of 32 bytes is an Ed25519 key (RFC 8032, 5.1.5)")
        };
        Self { seed: *seed, pair }
    }

    /// The key's public half.
    pub fn public(&self) -> PublicKey {
        let mut bytes = [0; 32];
        bytes.copy_from_slice(self.pair.public_key().as_ref());
        PublicKey(bytes)
    }

    /// Signs `bytes` for `domain`.
    pub fn sign(&self, domain: &str, bytes: &[u8]) -> Signature {
        let mut signature = [0; 64];
        signature.copy_from_slice(self.pair.sign(&message(domain, bytes)).as_ref());
        Signature(signature)
    }

    /// The private key as PKCS#8 version 1, DER (RFC 8410): for a key file of mode 0600 and for
    /// the TLS library, nothing else.
    pub fn to_pkcs8(&self) -> Vec<u8> {
        [PKCS8_PREFIX.as_slice(), &self.seed].concat()
    }

    /// Reads what [`SigningKey::to_pkcs8`] wrote; `None` for any other bytes.
    pub fn from_pkcs8(der: &[u8]) -> Option<Self> {
        let seed = der.strip_prefix(&PKCS8_PREFIX)?;
        Some(Self::from_seed(seed.try_into().ok()?))
    }
}

impl Clone for SigningKey {
    fn clone(&self) -> Self {
        Self::from_seed(&self.seed)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_public_key_is_that_of_rfc_8032() {
        // RFC 8032, section 7.1, test 1: seed and public key.
        let seed: [u8; 32] = HEXLOWER
            .decode(b"9d61b19deffd5a60ba844af492ec2cc44449c5697b326919703bac031cae7f60")
            .unwrap()
            .try_into()
            .unwrap();
        assert_eq!(
            SigningKey::from_seed(&seed).public().to_string(),
            "ed25519:d75a980182b10ab7d54bfed3c964073a0ee172f3daa62325af021a68f707511a"
        );
    }

    #[test]
    fn a_signature_holds_for_its_domain_key_and_bytes_only() {
        let key = SigningKey::from_seed(&[7; 32]);
        let signature = key.sign("fedval.job/1", b"bytes");
        let public = key.public();
        assert!(public.verify("fedval.job/1", b"bytes", &signature));
        assert!(!public.verify("fedval.job/2", b"bytes", &signature));
        assert!(!public.verify("fedval.job/1", b"byteS", &signature));
        assert!(!public.verify("fedval.job/", b"1\0bytes", &signature));
        let other = SigningKey::from_seed(&[8; 32]).public();
        assert!(!other.verify("fedval.job/1", b"bytes", &signature));
    }

    #[test]
    fn texts_round_trip_and_other_spellings_are_refused() {
        let key = SigningKey::from_seed(&[1; 32]);
        let text = key.public().to_string();
        assert_eq!(text.parse::<PublicKey>(), Ok(key.public()));
        for bad in [
            text.to_uppercase(),
            text[8..].to_owned(),
            format!("{text}00"),
            String::new(),
        ] {
            assert!(bad.parse::<PublicKey>().is_err(), "{bad}");
        }
        let signature = key.sign("d", b"");
        assert_eq!(signature.to_string().parse(), Ok(signature));
    }

    #[test]
    fn a_key_survives_its_file_form() {
        let key = SigningKey::from_seed(&[9; 32]);
        let der = key.to_pkcs8();
        assert_eq!(der.len(), 48);
        let read = SigningKey::from_pkcs8(&der).unwrap();
        assert_eq!(read.public(), key.public());
        assert!(SigningKey::from_pkcs8(&der[..47]).is_none());
        assert!(SigningKey::from_pkcs8(&[der.as_slice(), &[0]].concat()).is_none());
        assert!(ring::signature::Ed25519KeyPair::from_pkcs8_maybe_unchecked(&der).is_ok());
    }

    #[test]
    fn a_serial_is_positive_and_whole() {
        let mut entropy = CountingEntropy::new(3);
        for _ in 0..1000 {
            let serial = Serial::generate(&mut entropy).unwrap();
            assert!((1..=0x7f).contains(&serial.as_bytes()[0]));
        }
    }
}
