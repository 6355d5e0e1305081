//! Canonical JSON (RFC 8785): the bytes that are hashed, signed, shown, approved and sent.
//!
//! From: locked protocols, jobs, releases, ledger entries.
//! To: digests and signatures over exactly these bytes.

use serde::Serialize;
use serde::de::DeserializeOwned;

/// Why a value has no canonical bytes, or bytes are not canonical.
#[derive(Debug, thiserror::Error)]
pub enum CanonicalError {
    /// The value holds what JSON cannot say (NaN, infinity) or its form is wrong.
    #[error("not a valid document: {0}")]
    Form(#[from] serde_json::Error),
    /// The bytes are valid JSON, but not the canonical bytes of their content.
    #[error("the bytes are not canonical JSON (RFC 8785)")]
    NotCanonical,
}

/// The canonical bytes of `value`.
///
/// # Errors
/// [`CanonicalError::Form`] for NaN, infinities and map keys that are no strings.
pub fn to_canonical<T: Serialize>(value: &T) -> Result<Vec<u8>, CanonicalError> {
    Ok(serde_json_canonicalizer::to_vec(value)?)
}

/// Whether `bytes` are the canonical bytes of their content: no other order, spaces, duplicate
/// keys or spellings of a number.
///
/// # Errors
/// [`CanonicalError`] when the bytes are no JSON or not canonical.
pub fn check_canonical(bytes: &[u8]) -> Result<(), CanonicalError> {
    let value: serde_json::Value = serde_json::from_slice(bytes)?;
    if to_canonical(&value)? == bytes {
        Ok(())
    } else {
        Err(CanonicalError::NotCanonical)
    }
}

/// Reads a document and demands that its canonical bytes are `bytes` themselves, so that no
/// two texts mean one document: unknown keys, other orders, spaces and other spellings of a
/// number are all refused.
///
/// # Errors
/// [`CanonicalError`] when the form is wrong or the bytes are not canonical.
pub fn from_canonical<T: Serialize + DeserializeOwned>(bytes: &[u8]) -> Result<T, CanonicalError> {
    let value: T = serde_json::from_slice(bytes)?;
    if to_canonical(&value)? == bytes {
        Ok(value)
    } else {
        Err(CanonicalError::NotCanonical)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn only_canonical_bytes_are_read() {
        let value = serde_json::json!({"b": 1.0, "a": 0.1});
        let bytes = to_canonical(&value).unwrap();
        assert_eq!(bytes, br#"{"a":0.1,"b":1}"#);
        assert!(from_canonical::<serde_json::Value>(&bytes).is_ok());
        for other in [
            r#"{"b":1,"a":0.1}"#,
            r#"{"a":0.10,"b":1}"#,
            r#"{ "a":0.1,"b":1}"#,
        ] {
            assert!(
                from_canonical::<serde_json::Value>(other.as_bytes()).is_err(),
                "{other}"
            );
        }
    }

    #[test]
    fn no_number_that_json_cannot_say() {
        assert!(to_canonical(&f64::NAN).is_err() || to_canonical(&f64::NAN).unwrap() == b"null");
    }
}
