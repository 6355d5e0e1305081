//! An approver's own signature on what they approve: the digest of the bytes, the job, and the mode
//! that comes into force with it. It is made with a key that the node never holds.
//!
//! From: the command line (signs), `release` (checks when it comes).
//! To: the ledger, which checks it whenever it is read.

use serde::{Deserialize, Serialize};
use shared::fault::{Code, Fault};
use shared::identity::{Digest, PublicKey, Signature, SigningKey, to_canonical};

use crate::config::{AccessSection, ReleaseMode};

/// The domain of the signature, and name and version of what is signed.
pub const SCHEMA: &str = "fedval.approval/1";

/// What an approver signs, as canonical JSON.
#[derive(Clone, Debug, Serialize)]
pub struct Statement<'a> {
    /// `fedval.approval/1`.
    schema: &'static str,
    /// Who, as the kernel of the node's machine names them.
    approver: &'a str,
    /// The job.
    job: Digest,
    /// Digest of the bytes, which name site, study, protocol and policy.
    digest: Digest,
    /// The mode that comes into force with this approval, if one does.
    standing: Option<ReleaseMode>,
}

/// A signature and the key it was made with.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Signed {
    /// Who.
    pub approver: String,
    /// Their public key, as the site's file listed it then.
    pub key: PublicKey,
    /// Over the canonical bytes of a [`Statement`].
    pub signature: Signature,
}

impl<'a> Statement<'a> {
    /// What `approver` says of these bytes of a job.
    pub fn new(
        approver: &'a str,
        job: Digest,
        digest: Digest,
        standing: Option<ReleaseMode>,
    ) -> Self {
        Self {
            schema: SCHEMA,
            approver,
            job,
            digest,
            standing,
        }
    }

    /// Signs it.
    ///
    /// # Errors
    /// `FV-INT-002` when it cannot be written.
    pub fn sign(&self, key: &SigningKey) -> Result<Signed, Fault> {
        let bytes = to_canonical(self)
            .map_err(|fault| Fault::internal(format!("an approval's statement: {fault}")))?;
        Ok(Signed {
            approver: self.approver.to_owned(),
            key: key.public(),
            signature: key.sign(SCHEMA, &bytes),
        })
    }

    /// Whether `signed` was made over exactly this.
    pub fn holds(&self, signed: &Signed) -> bool {
        let made = |bytes: Vec<u8>| signed.key.verify(SCHEMA, &bytes, &signed.signature);
        signed.approver == self.approver && to_canonical(self).is_ok_and(made)
    }
}

/// Whether an approval is signed as this site asks: where one key is listed, every approval carries
/// the signature of its approver's key.
///
/// # Errors
/// `FV-POL-010` otherwise.
pub fn check(
    access: &AccessSection,
    statement: &Statement<'_>,
    signed: Option<&Signed>,
) -> Result<(), Fault> {
    let by = statement.approver;
    let listed = access.keys.get(by);
    let refused = |why: String, fix: &str| {
        Err(Fault::new(
            Code::ApprovalNotSigned,
            format!("the approval of {by} is not signed with their own key"),
            why,
            fix,
        ))
    };
    match (listed, signed) {
        (None, None) if access.keys.is_empty() => Ok(()),
        (None, _) => refused(
            format!("[access.keys] of node.toml lists no key of {by}"),
            "make a key: fedval-node approver new; whoever keeps node.toml adds its public half",
        ),
        (Some(_), None) => refused(
            "this site lists a key of theirs, and no signature came".to_owned(),
            "name the key file: fedval-node job approve ROUND --key FILE",
        ),
        (Some(key), Some(signed)) if *key != signed.key => refused(
            format!(
                "it was made with {}, and [access.keys] lists {key}",
                signed.key
            ),
            "use the key that is listed, or have the other one listed",
        ),
        (Some(_), Some(signed)) if statement.holds(signed) => Ok(()),
        (Some(_), Some(_)) => refused(
            "the signature is over something else than what waits here".to_owned(),
            "look again and approve again: fedval-node job preview ROUND",
        ),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_signature_holds_for_one_person_job_release_and_mode() {
        let key = SigningKey::from_seed(&[3; 32]);
        let (job, bytes) = (Digest::of(b"job"), Digest::of(b"bytes"));
        let statement = Statement::new("anna", job, bytes, None);
        let signed = statement.sign(&key).unwrap();
        assert!(statement.holds(&signed));
        for other in [
            Statement::new("ben", job, bytes, None),
            Statement::new("anna", bytes, bytes, None),
            Statement::new("anna", job, job, None),
            Statement::new("anna", job, bytes, Some(ReleaseMode::Automatic)),
        ] {
            assert!(!other.holds(&signed), "{other:?}");
        }
        let mut renamed = signed.clone();
        renamed.approver = "ben".to_owned();
        assert!(!Statement::new("ben", job, bytes, None).holds(&renamed));
    }

    #[test]
    fn one_listed_key_asks_everybody_to_sign() {
        let (own, other) = (
            SigningKey::from_seed(&[1; 32]),
            SigningKey::from_seed(&[2; 32]),
        );
        let digest = Digest::of(b"bytes");
        let statement = Statement::new("anna", digest, digest, None);
        let signed = statement.sign(&own).unwrap();
        let mut access = AccessSection::default();
        assert!(check(&access, &statement, None).is_ok());
        // A signature that nobody could check later is not taken silently.
        assert!(check(&access, &statement, Some(&signed)).is_err());
        access.keys.insert("ben".to_owned(), other.public());
        assert!(check(&access, &statement, None).is_err());
        access.keys.insert("anna".to_owned(), own.public());
        assert!(check(&access, &statement, None).is_err());
        assert!(check(&access, &statement, Some(&signed)).is_ok());
        let foreign = statement.sign(&other).unwrap();
        assert!(check(&access, &statement, Some(&foreign)).is_err());
        let elsewhere = Statement::new("anna", digest, Digest::of(b"other"), None);
        let elsewhere = elsewhere.sign(&own).unwrap();
        assert!(check(&access, &statement, Some(&elsewhere)).is_err());
    }
}
