//! Signed documents: canonical JSON that names its form, its signer and the consortium's word
//! for that signer. What was signed is every byte but the signature itself, and the signature's
//! domain is the document's schema string.
//!
//! From: locked protocols, jobs, receipts.
//! To: whoever opens them: nodes, the coordinator, a reader in ten years.

use schemars::JsonSchema;
use serde::de::DeserializeOwned;
use serde::{Deserialize, Serialize};

use super::{
    CanonicalError, PublicKey, Serial, Signature, SigningKey, from_canonical, to_canonical,
};
use crate::study::Timestamp;

/// Clocks of two institutions may differ by this much, seconds.
pub const CLOCK_SKEW_SECONDS: i64 = 300;

/// The form of a [`KeyCertificate`], and the domain of its signature.
pub const KEY_CERTIFICATE_SCHEMA: &str = "fedval.key-certificate/1";

/// Longest name of a consortium in a certificate, bytes.
pub const CONSORTIUM_NAME_MAX: usize = 128;

/// Why a signed document is refused. What crosses the wire is `wire::Refusal`.
#[derive(Clone, Copy, Debug, Eq, PartialEq, thiserror::Error)]
pub enum DocumentFault {
    /// The bytes are no document of the expected form.
    #[error("the bytes are not a document of the expected form")]
    Form,
    /// The document names another form or version than the expected one.
    #[error("the document is of another form or version")]
    Schema,
    /// The content may be right, but the bytes are not the canonical ones.
    #[error("the bytes are not canonical: they are not what was signed")]
    NotCanonical,
    /// The signature does not hold over these bytes.
    #[error("the signature does not hold: the document was altered or never signed")]
    BadSignature,
    /// The consortium's CA does not vouch for the signer, or the signer is not pinned here.
    #[error("the signer is not one that is accepted here")]
    UnknownSigner,
    /// The signer's key is certified, for something else.
    #[error("the signer's key is certified for another purpose")]
    WrongPurpose,
    /// The signer's certificate is not valid yet.
    #[error("the signer's certificate is not valid yet")]
    NotYetValid,
    /// The signer's certificate has expired.
    #[error("the signer's certificate has expired")]
    Expired,
}

impl From<CanonicalError> for DocumentFault {
    fn from(error: CanonicalError) -> Self {
        match error {
            CanonicalError::Form(_) => Self::Form,
            CanonicalError::NotCanonical => Self::NotCanonical,
        }
    }
}

/// What a certified key may sign.
#[derive(
    Clone, Copy, Debug, Eq, PartialEq, Ord, PartialOrd, Serialize, Deserialize, JsonSchema,
)]
#[serde(rename_all = "kebab-case")]
pub enum KeyPurpose {
    /// Locked protocols and jobs.
    StudySigning,
    /// Receipts for releases that the coordinator has stored, and checkpoints of its audit trail.
    Receipt,
}

/// What the consortium's CA says about a key.
#[derive(Clone, Debug, Eq, PartialEq, Serialize, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields)]
pub struct KeyStatement {
    /// What the key may sign.
    pub purpose: KeyPurpose,
    /// The key.
    pub key: PublicKey,
    /// The consortium's name, at most [`CONSORTIUM_NAME_MAX`] bytes.
    pub consortium: String,
    /// First moment of validity.
    pub not_before: Timestamp,
    /// Last moment of validity.
    pub not_after: Timestamp,
    /// The statement's number, for revocation.
    pub serial: Serial,
}

/// A [`KeyStatement`] with the signature of the consortium's CA.
#[derive(Clone, Debug, Eq, PartialEq, Serialize, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields)]
pub struct KeyCertificate {
    /// [`KEY_CERTIFICATE_SCHEMA`].
    pub schema: String,
    /// The statement.
    pub statement: KeyStatement,
    /// The CA's signature over the statement's canonical bytes.
    pub signature: Signature,
}

impl KeyCertificate {
    /// Signs `statement` with the CA's key.
    ///
    /// # Errors
    /// [`CanonicalError`] when the statement has no canonical bytes.
    pub fn issue(statement: KeyStatement, ca: &SigningKey) -> Result<Self, CanonicalError> {
        let signature = ca.sign(KEY_CERTIFICATE_SCHEMA, &to_canonical(&statement)?);
        Ok(Self {
            schema: KEY_CERTIFICATE_SCHEMA.to_owned(),
            statement,
            signature,
        })
    }

    /// Reads a certificate's canonical bytes and checks everything but its purpose.
    ///
    /// # Errors
    /// [`DocumentFault`], as for a document.
    pub fn open(bytes: &[u8], ca: &PublicKey, now: Timestamp) -> Result<Self, DocumentFault> {
        let certificate: Self = from_canonical(bytes)?;
        certificate.check(ca, certificate.statement.purpose, now)?;
        Ok(certificate)
    }

    /// Checks the CA's signature, the purpose and the validity at `now`, with
    /// [`CLOCK_SKEW_SECONDS`] of tolerance at both ends.
    ///
    /// # Errors
    /// [`DocumentFault`] names the first check that fails.
    pub fn check(
        &self,
        ca: &PublicKey,
        purpose: KeyPurpose,
        now: Timestamp,
    ) -> Result<(), DocumentFault> {
        if self.schema != KEY_CERTIFICATE_SCHEMA
            || self.statement.consortium.len() > CONSORTIUM_NAME_MAX
        {
            return Err(DocumentFault::Schema);
        }
        let bytes = to_canonical(&self.statement)?;
        if !ca.verify(KEY_CERTIFICATE_SCHEMA, &bytes, &self.signature) {
            return Err(DocumentFault::UnknownSigner);
        }
        if self.statement.purpose != purpose {
            return Err(DocumentFault::WrongPurpose);
        }
        if now.plus_seconds(CLOCK_SKEW_SECONDS) < self.statement.not_before {
            return Err(DocumentFault::NotYetValid);
        }
        if now.plus_seconds(-CLOCK_SKEW_SECONDS) > self.statement.not_after {
            return Err(DocumentFault::Expired);
        }
        Ok(())
    }
}

/// A document with its signer and signature; the canonical JSON of this is what is hashed, sent
/// and kept.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields)]
pub struct Signed<T> {
    /// Form and version, such as `fedval.job/1`; the domain of the signature.
    pub schema: String,
    /// The content.
    pub body: T,
    /// The signer's key and the CA's word for it.
    pub signer: KeyCertificate,
    /// Over the canonical bytes of the other three.
    pub signature: Signature,
}

/// What is signed: everything but the signature.
#[derive(Serialize)]
struct Unsigned<'a, T> {
    schema: &'a str,
    body: &'a T,
    signer: &'a KeyCertificate,
}

impl<T: Serialize + DeserializeOwned> Signed<T> {
    /// Signs `body` as a document of the form `schema`. The caller holds the key that `signer`
    /// certifies; a document signed with another key opens nowhere.
    ///
    /// # Errors
    /// [`CanonicalError`] when the body has no canonical bytes.
    pub fn sign(
        schema: &str,
        body: T,
        key: &SigningKey,
        signer: KeyCertificate,
    ) -> Result<Self, CanonicalError> {
        let bytes = to_canonical(&Unsigned {
            schema,
            body: &body,
            signer: &signer,
        })?;
        Ok(Self {
            schema: schema.to_owned(),
            signature: key.sign(schema, &bytes),
            body,
            signer,
        })
    }

    /// The document's canonical bytes.
    ///
    /// # Errors
    /// [`CanonicalError`] when the body has no canonical bytes.
    pub fn to_bytes(&self) -> Result<Vec<u8>, CanonicalError> {
        to_canonical(self)
    }

    /// Opens a document: canonical bytes of the form `schema`, signed by a key that `ca`
    /// certifies for `purpose` at `now` and, with `pinned`, that is one of the keys pinned here.
    ///
    /// # Errors
    /// [`DocumentFault`] names the first check that fails; one changed byte anywhere is enough.
    pub fn open(
        bytes: &[u8],
        schema: &str,
        purpose: KeyPurpose,
        ca: &PublicKey,
        pinned: Option<&[PublicKey]>,
        now: Timestamp,
    ) -> Result<Self, DocumentFault> {
        let document: Self = from_canonical(bytes)?;
        if document.schema != schema {
            return Err(DocumentFault::Schema);
        }
        document.signer.check(ca, purpose, now)?;
        let key = document.signer.statement.key;
        if pinned.is_some_and(|pinned| !pinned.contains(&key)) {
            return Err(DocumentFault::UnknownSigner);
        }
        let signed = to_canonical(&Unsigned {
            schema,
            body: &document.body,
            signer: &document.signer,
        })?;
        if !key.verify(schema, &signed, &document.signature) {
            return Err(DocumentFault::BadSignature);
        }
        Ok(document)
    }
}

#[cfg(test)]
mod tests;
