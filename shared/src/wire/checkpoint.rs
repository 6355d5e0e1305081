//! Checkpoints: each side's signed word on its own record, and on what it has seen of the other's.
//! The node signs size and root of its ledger, the coordinator of its audit trail; each names the
//! newest head of the other that it has checked and keeps. So each holds the other's signature on
//! the other's record, and the other's signature on having seen its own.
//!
//! The node signs with the key of its certificate, in a domain of its own; the coordinator with its
//! receipt key.
//!
//! From: the ledger, the audit trail.
//! To: the other side, which keeps what extends what it has, and refuses what does not.

use serde::{Deserialize, Serialize};

use super::LedgerHead;
use crate::identity::{
    CanonicalError, Digest, DocumentFault, KeyCertificate, KeyPurpose, PublicKey, Signature,
    Signed, SigningKey, TreeHead, from_canonical, to_canonical,
};
use crate::study::{SiteSlug, Timestamp};

/// Name and version of a node's checkpoint; also its signature's domain.
pub const LEDGER_SCHEMA: &str = "fedval.ledger-checkpoint/1";
/// Name and version of the coordinator's checkpoint; also its signature's domain.
pub const AUDIT_SCHEMA: &str = "fedval.audit-checkpoint/1";

/// What a node says of its ledger.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct LedgerCheckpoint {
    /// The site.
    pub site: SiteSlug,
    /// Its ledger: number of entries, and the root of the tree over their bytes.
    pub tree: TreeHead,
    /// Hash of the last entry, as receipts name it; the digest of nothing when there is none.
    pub head: Digest,
    /// The coordinator's audit trail, as far as this node has checked it.
    pub seen: TreeHead,
    /// When.
    pub at: Timestamp,
}

/// What the coordinator says of its audit trail to one site.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct AuditCheckpoint {
    /// The site to which it is said.
    pub site: SiteSlug,
    /// The audit trail: number of entries, and the root of the tree over their bytes.
    pub tree: TreeHead,
    /// The site's ledger, as far as the coordinator has checked it.
    pub seen: TreeHead,
    /// When.
    pub at: Timestamp,
}

/// Name and version of a proof that a ledger holds an entry.
pub const ENTRY_SCHEMA: &str = "fedval.entry-proof/1";

/// One entry of a site's ledger, with the proof that it stood there when the coordinator signed to
/// have seen the ledger. Whoever gets it learns this entry and no other.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct EntryProof {
    /// [`ENTRY_SCHEMA`].
    pub schema: String,
    /// The entry's number, from 1.
    pub number: u64,
    /// The entry's bytes, canonical JSON.
    pub entry: String,
    /// That the entry stands at its number in the tree that `checkpoint` names as seen.
    pub proof: Vec<Digest>,
    /// The coordinator's checkpoint, canonical JSON.
    pub checkpoint: String,
}

/// Why an entry is not proved.
#[derive(Clone, Copy, Debug, Eq, PartialEq, thiserror::Error)]
pub enum EntryFault {
    /// Another form or version.
    #[error("the file is of another form or version")]
    Schema,
    /// The coordinator of this consortium did not sign the checkpoint.
    #[error("the checkpoint is not signed by this consortium: {0}")]
    Checkpoint(#[from] DocumentFault),
    /// The entry does not stand there.
    #[error("the entry does not stand in the ledger that the coordinator has seen")]
    NotThere,
}

impl EntryProof {
    /// Checks the proof against the consortium's key; the checkpoint that names site and moment.
    ///
    /// # Errors
    /// [`EntryFault`] names the first check that fails.
    pub fn verify(&self, ca: &PublicKey) -> Result<AuditCheckpoint, EntryFault> {
        if self.schema != ENTRY_SCHEMA {
            return Err(EntryFault::Schema);
        }
        let checkpoint = AuditCheckpoint::open(self.checkpoint.as_bytes(), ca)?;
        let entry = self.entry.as_bytes();
        if checkpoint.seen.includes(self.number, entry, &self.proof) {
            Ok(checkpoint)
        } else {
            Err(EntryFault::NotThere)
        }
    }
}

/// A node's checkpoint as it travels and is kept.
#[derive(Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
struct SignedByNode {
    schema: String,
    body: LedgerCheckpoint,
    key: PublicKey,
    signature: Signature,
}

/// What the node signs: everything but the signature.
#[derive(Serialize)]
struct Unsigned<'a> {
    schema: &'a str,
    body: &'a LedgerCheckpoint,
    key: &'a PublicKey,
}

impl LedgerCheckpoint {
    /// Size of the ledger and hash of its last entry, as receipts have them.
    pub fn ledger_head(&self) -> LedgerHead {
        LedgerHead {
            entries: self.tree.size,
            hash: self.head,
        }
    }

    /// Signs this checkpoint with the key of the node's certificate.
    ///
    /// # Errors
    /// [`CanonicalError`] when it has no canonical bytes, which is a defect.
    pub fn sign(self, key: &SigningKey) -> Result<Vec<u8>, CanonicalError> {
        let public = key.public();
        let bytes = to_canonical(&Unsigned {
            schema: LEDGER_SCHEMA,
            body: &self,
            key: &public,
        })?;
        to_canonical(&SignedByNode {
            schema: LEDGER_SCHEMA.to_owned(),
            signature: key.sign(LEDGER_SCHEMA, &bytes),
            body: self,
            key: public,
        })
    }

    /// Opens a checkpoint; with it the key that signed it, which the caller knows or does not.
    ///
    /// # Errors
    /// [`DocumentFault`] names the first check that fails.
    pub fn open(bytes: &[u8]) -> Result<(Self, PublicKey), DocumentFault> {
        let document: SignedByNode = from_canonical(bytes)?;
        if document.schema != LEDGER_SCHEMA {
            return Err(DocumentFault::Schema);
        }
        let signed = to_canonical(&Unsigned {
            schema: LEDGER_SCHEMA,
            body: &document.body,
            key: &document.key,
        })?;
        let key = document.key;
        if !key.verify(LEDGER_SCHEMA, &signed, &document.signature) {
            return Err(DocumentFault::BadSignature);
        }
        Ok((document.body, key))
    }
}

impl AuditCheckpoint {
    /// Signs this checkpoint; `certificate` is the CA's word for `key` with [`KeyPurpose::Receipt`].
    ///
    /// # Errors
    /// [`CanonicalError`] when it has no canonical bytes, which is a defect.
    pub fn sign(
        self,
        key: &SigningKey,
        certificate: KeyCertificate,
    ) -> Result<Vec<u8>, CanonicalError> {
        Signed::sign(AUDIT_SCHEMA, self, key, certificate)?.to_bytes()
    }

    /// Opens a checkpoint: canonical bytes of [`AUDIT_SCHEMA`], signed by a key that `ca` certifies
    /// for receipts at the moment the checkpoint names, so that it still opens after years.
    ///
    /// # Errors
    /// [`DocumentFault`] names the first check that fails.
    pub fn open(bytes: &[u8], ca: &PublicKey) -> Result<Self, DocumentFault> {
        /// The moment alone; nothing of it is believed before the signature is checked.
        #[derive(Deserialize)]
        struct Dated {
            body: At,
        }
        #[derive(Deserialize)]
        struct At {
            at: Timestamp,
        }
        let dated: Dated = serde_json::from_slice(bytes).map_err(|_| DocumentFault::Form)?;
        let purpose = KeyPurpose::Receipt;
        let signed: Signed<Self> =
            Signed::open(bytes, AUDIT_SCHEMA, purpose, ca, None, dated.body.at)?;
        Ok(signed.body)
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::identity::{KeyStatement, Serial};
    use crate::wire::codec::CHECKPOINT_MAX;

    fn now() -> Timestamp {
        Timestamp::from_unix(1_800_000_000).unwrap()
    }

    fn key(seed: u8) -> SigningKey {
        SigningKey::from_seed(&[seed; 32])
    }

    fn head(size: u64) -> TreeHead {
        TreeHead {
            size,
            root: Digest::of(&size.to_be_bytes()),
        }
    }

    fn ledger() -> LedgerCheckpoint {
        LedgerCheckpoint {
            site: "va".parse().unwrap(),
            tree: head(7),
            head: Digest::of(b"seven"),
            seen: head(12),
            at: now(),
        }
    }

    fn audit() -> AuditCheckpoint {
        AuditCheckpoint {
            site: "va".parse().unwrap(),
            tree: head(12),
            seen: head(7),
            at: now(),
        }
    }

    fn certificate(purpose: KeyPurpose) -> KeyCertificate {
        let statement = KeyStatement {
            purpose,
            key: key(2).public(),
            consortium: "x".repeat(crate::identity::CONSORTIUM_NAME_MAX),
            not_before: now(),
            not_after: now().plus_seconds(3600),
            serial: Serial::from_bytes([7; 16]),
        };
        KeyCertificate::issue(statement, &key(1)).unwrap()
    }

    #[test]
    fn one_changed_byte_of_either_checkpoint_is_refused() {
        let mine = ledger().sign(&key(3)).unwrap();
        assert_eq!(
            LedgerCheckpoint::open(&mine).unwrap(),
            (ledger(), key(3).public())
        );
        let ca = key(1).public();
        let theirs = audit().sign(&key(2), certificate(KeyPurpose::Receipt));
        let theirs = theirs.unwrap();
        assert_eq!(AuditCheckpoint::open(&theirs, &ca).unwrap(), audit());
        assert!(mine.len() < CHECKPOINT_MAX && theirs.len() < CHECKPOINT_MAX);
        for at in 0..mine.len() {
            let mut altered = mine.clone();
            altered[at] ^= 1;
            assert!(LedgerCheckpoint::open(&altered).is_err(), "byte {at}");
        }
        for at in 0..theirs.len() {
            let mut altered = theirs.clone();
            altered[at] ^= 1;
            assert!(AuditCheckpoint::open(&altered, &ca).is_err(), "byte {at}");
        }
    }

    #[test]
    fn one_entry_is_proved_without_the_others() {
        let entries: [&[u8]; 3] = [b"{\"a\":1}", b"{\"b\":2}", b"{\"c\":3}"];
        let tree = crate::identity::Tree::of(entries);
        let mut seen = audit();
        seen.seen = tree.head();
        let checkpoint = seen.sign(&key(2), certificate(KeyPurpose::Receipt));
        let proof = EntryProof {
            schema: ENTRY_SCHEMA.to_owned(),
            number: 2,
            entry: "{\"b\":2}".to_owned(),
            proof: tree.inclusion(2, 3).unwrap(),
            checkpoint: String::from_utf8(checkpoint.unwrap()).unwrap(),
        };
        let ca = key(1).public();
        assert_eq!(proof.verify(&ca).unwrap().seen, tree.head());
        let not = |change: &dyn Fn(&mut EntryProof)| {
            let mut other = proof.clone();
            change(&mut other);
            other.verify(&ca).unwrap_err()
        };
        assert_eq!(not(&|one| one.number = 3), EntryFault::NotThere);
        assert_eq!(not(&|one| one.entry.push(' ')), EntryFault::NotThere);
        assert_eq!(not(&|one| one.proof.clear()), EntryFault::NotThere);
        assert_eq!(not(&|one| one.schema.push('2')), EntryFault::Schema);
        let altered = not(&|one| one.checkpoint = one.checkpoint.replace("\"va\"", "\"vb\""));
        assert!(matches!(altered, EntryFault::Checkpoint(_)));
        let stranger = key(9).public();
        assert!(proof.verify(&stranger).is_err());
    }

    #[test]
    fn only_a_certified_receipt_key_speaks_for_the_coordinator() {
        let ca = key(1).public();
        let study = audit().sign(&key(2), certificate(KeyPurpose::StudySigning));
        assert_eq!(
            AuditCheckpoint::open(&study.unwrap(), &ca),
            Err(DocumentFault::WrongPurpose)
        );
        let node = ledger().sign(&key(2)).unwrap();
        assert!(AuditCheckpoint::open(&node, &ca).is_err());
        let right = certificate(KeyPurpose::Receipt);
        let foreign = audit().sign(&key(9), right.clone()).unwrap();
        assert_eq!(
            AuditCheckpoint::open(&foreign, &ca),
            Err(DocumentFault::BadSignature)
        );
        let mut late = audit();
        late.at = now().plus_seconds(3600 + 301);
        let late = late.sign(&key(2), right).unwrap();
        assert_eq!(
            AuditCheckpoint::open(&late, &ca),
            Err(DocumentFault::Expired)
        );
    }
}
