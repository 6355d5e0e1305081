//! The lock: a protocol becomes canonical JSON, signed by a study-signing key that the
//! consortium CA has certified. One changed byte and every node refuses.
//!
//! From: `protocol`, sign-offs, the coordinator's key.
//! To: `job` (which names the digest), `node::admission`, the report's provenance.

use schemars::JsonSchema;
use serde::{Deserialize, Serialize};

use super::validate::{self, Problem};
use super::{StudyProtocol, Timestamp};
use crate::identity::{
    CanonicalError, Digest, DocumentFault, KeyCertificate, KeyPurpose, PublicKey, Signed,
    SigningKey,
};

/// Name and version of the locked document; also the signature's domain.
pub const SCHEMA: &str = "fedval.locked-protocol/1";

/// A locked protocol.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields)]
pub struct LockedProtocol {
    /// The protocol, with the histogram's edges as numbers.
    pub protocol: StudyProtocol,
    /// When it was locked.
    pub locked_at: Timestamp,
    /// Who signed off, in the order of `signoff.required`.
    pub signoffs: Vec<Signoff>,
}

/// One sign-off.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields)]
pub struct Signoff {
    /// The required role.
    pub role: String,
    /// Who signed off.
    pub name: String,
}

/// Why a protocol cannot be locked.
#[derive(Debug, thiserror::Error)]
pub enum LockFault {
    /// The protocol is not valid.
    #[error("the protocol is not valid")]
    Invalid(Vec<Problem>),
    /// A required role has not signed off.
    #[error("sign-off missing: {0}")]
    SignoffMissing(String),
    /// The protocol cannot be written as canonical JSON.
    #[error(transparent)]
    Canonical(#[from] CanonicalError),
}

/// Locks `source`: checks it, expands the histogram's edges, orders the sign-offs and signs.
///
/// # Errors
/// [`LockFault`] when the protocol is invalid or a required sign-off is missing.
pub fn lock(
    source: &StudyProtocol,
    signoffs: &[Signoff],
    now: Timestamp,
    key: &SigningKey,
    certificate: KeyCertificate,
) -> Result<Vec<u8>, LockFault> {
    let problems = validate::check(source);
    if !problems.is_empty() {
        return Err(LockFault::Invalid(problems));
    }
    let signoffs = source
        .signoff
        .required
        .iter()
        .map(|role| {
            let given = signoffs.iter().find(|signoff| signoff.role == *role);
            given
                .cloned()
                .ok_or_else(|| LockFault::SignoffMissing(role.clone()))
        })
        .collect::<Result<Vec<_>, _>>()?;
    let body = LockedProtocol {
        protocol: validate::expand(source),
        locked_at: now,
        signoffs,
    };
    Ok(Signed::sign(SCHEMA, body, key, certificate)?.to_bytes()?)
}

/// Reads a locked protocol: canonical bytes, a signature by a key certified by `ca` for study
/// signing and, when `pinned` is given, among the pinned keys. The digest is of `bytes`.
///
/// # Errors
/// [`DocumentFault`] names what is wrong; nothing of the document may then be used.
pub fn open(
    bytes: &[u8],
    ca: &PublicKey,
    pinned: Option<&[PublicKey]>,
    now: Timestamp,
) -> Result<(LockedProtocol, Digest), DocumentFault> {
    let signed =
        Signed::<LockedProtocol>::open(bytes, SCHEMA, KeyPurpose::StudySigning, ca, pinned, now)?;
    if validate::check(&signed.body.protocol).is_empty() {
        Ok((signed.body, Digest::of(bytes)))
    } else {
        Err(DocumentFault::Form)
    }
}
