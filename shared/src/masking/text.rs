//! Values of fixed length as text: base64 (RFC 4648, section 4), which neither JSON nor the
//! binary codec can stretch.
//!
//! From: `derive`, `sharing`, messages that arrived.
//! To: `message`.

use std::fmt;

use data_encoding::BASE64;
use schemars::JsonSchema;
use serde::{Deserialize, Serialize};
use zeroize::Zeroize;

/// The text is not base64 of the expected length.
#[derive(Clone, Copy, Debug, Eq, PartialEq, thiserror::Error)]
#[error("expected {expected} in base64")]
pub struct InvalidText {
    /// What should stand there.
    pub(super) expected: &'static str,
}

macro_rules! base64_text {
    ($name:ident, $length:literal, $expected:literal) => {
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

        impl TryFrom<String> for $name {
            type Error = InvalidText;
            fn try_from(text: String) -> Result<Self, InvalidText> {
                let invalid = InvalidText {
                    expected: $expected,
                };
                if text.len() != BASE64.encode_len($length) {
                    return Err(invalid);
                }
                let bytes = BASE64.decode(text.as_bytes()).map_err(|_| invalid)?;
                Ok(Self(bytes.try_into().map_err(|_| invalid)?))
            }
        }

        impl From<$name> for String {
            fn from(value: $name) -> Self {
                BASE64.encode(&value.0)
            }
        }
    };
}

/// A single-use X25519 public key (RFC 7748), 32 bytes.
#[derive(Clone, Copy, Eq, PartialEq, Serialize, Deserialize, JsonSchema)]
#[serde(try_from = "String", into = "String")]
#[schemars(with = "String")]
pub struct AgreementKey([u8; 32]);
base64_text!(AgreementKey, 32, "a key of 32 bytes");

/// Two shares, encrypted for one site: 64 bytes and a tag of 16.
#[derive(Clone, Eq, PartialEq, Serialize, Deserialize, JsonSchema)]
#[serde(try_from = "String", into = "String")]
#[schemars(with = "String")]
pub struct Sealed([u8; 80]);
base64_text!(Sealed, 80, "sealed shares of 80 bytes");

/// One site's share of a secret of 32 bytes. Its `Debug` does not show it, and its memory is
/// cleared when it goes.
#[derive(Clone, Eq, PartialEq, Serialize, Deserialize, JsonSchema)]
#[serde(try_from = "String", into = "String")]
#[schemars(with = "String")]
pub struct Share([u8; 32]);
base64_text!(Share, 32, "a share of 32 bytes");

impl fmt::Debug for AgreementKey {
    fn fmt(&self, out: &mut fmt::Formatter<'_>) -> fmt::Result {
        out.write_str(&BASE64.encode(&self.0))
    }
}

impl fmt::Debug for Sealed {
    fn fmt(&self, out: &mut fmt::Formatter<'_>) -> fmt::Result {
        out.write_str("sealed shares")
    }
}

impl fmt::Debug for Share {
    fn fmt(&self, out: &mut fmt::Formatter<'_>) -> fmt::Result {
        out.write_str("a share")
    }
}

impl Drop for Share {
    fn drop(&mut self) {
        self.0.zeroize();
    }
}
