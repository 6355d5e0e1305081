//! The receipt: the coordinator's signed word that it has stored these bytes. The node keeps it
//! beside its ledger, so that both sides can prove the same; a reply that is no such word ends
//! nothing, and the release stays in the outbox.
//!
//! From: a delivery that is about to be stored (coordinator).
//! To: the node's outbox and ledger.

use serde::{Deserialize, Serialize};

use super::LedgerHead;
use crate::identity::{
    CanonicalError, Digest, DocumentFault, KeyCertificate, KeyPurpose, PublicKey, Signed,
    SigningKey,
};
use crate::study::{RoundId, SiteSlug, Timestamp};

/// Name and version of the document; also the signature's domain.
pub const RECEIPT_SCHEMA: &str = "fedval.receipt/1";

/// What a receipt says.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Receipt {
    /// The round.
    pub round: RoundId,
    /// The job.
    pub job: Digest,
    /// The site.
    pub site: SiteSlug,
    /// The release's content-derived id.
    pub release: Digest,
    /// Digest of the stored bytes.
    pub bytes: Digest,
    /// The node's ledger as told with the delivery.
    pub ledger: LedgerHead,
    /// When they were stored.
    pub received_at: Timestamp,
}

/// What a node has delivered and expects a receipt for.
#[derive(Clone, Copy, Debug)]
pub struct Delivery<'a> {
    /// The job.
    pub job: Digest,
    /// The site.
    pub site: &'a SiteSlug,
    /// The release's content-derived id.
    pub release: Digest,
    /// Digest of the bytes that were sent.
    pub bytes: Digest,
}

/// Why a receipt proves nothing.
#[derive(Clone, Copy, Debug, Eq, PartialEq, thiserror::Error)]
pub enum ReceiptFault {
    /// It is not a document signed by the consortium's receipt key.
    #[error("the receipt does not verify: {0}")]
    Document(#[from] DocumentFault),
    /// It is a true receipt for something else.
    #[error("the receipt names another {0} than the one delivered")]
    Names(&'static str),
}

impl Receipt {
    /// Signs this receipt; `certificate` is the CA's word for `key` with [`KeyPurpose::Receipt`].
    ///
    /// # Errors
    /// [`CanonicalError`] when it has no canonical bytes, which is a defect.
    pub fn sign(
        self,
        key: &SigningKey,
        certificate: KeyCertificate,
    ) -> Result<Vec<u8>, CanonicalError> {
        Signed::sign(RECEIPT_SCHEMA, self, key, certificate)?.to_bytes()
    }

    /// Opens a receipt: canonical bytes of [`RECEIPT_SCHEMA`], signed by a key that `ca`
    /// certifies for receipts at `now`.
    ///
    /// # Errors
    /// [`DocumentFault`] names the first check that fails.
    pub fn open(bytes: &[u8], ca: &PublicKey, now: Timestamp) -> Result<Self, DocumentFault> {
        let signed = Signed::open(bytes, RECEIPT_SCHEMA, KeyPurpose::Receipt, ca, None, now)?;
        Ok(signed.body)
    }

    /// Opens a receipt and demands that it names exactly what was delivered.
    ///
    /// # Errors
    /// [`ReceiptFault`] names the first check that fails.
    pub fn verify(
        bytes: &[u8],
        ca: &PublicKey,
        delivered: Delivery<'_>,
        now: Timestamp,
    ) -> Result<Self, ReceiptFault> {
        let receipt = Self::open(bytes, ca, now)?;
        let named = [
            ("job", receipt.job == delivered.job),
            ("site", receipt.site == *delivered.site),
            ("release", receipt.release == delivered.release),
            ("document", receipt.bytes == delivered.bytes),
        ];
        match named.iter().find(|(_, same)| !same) {
            Some((what, _)) => Err(ReceiptFault::Names(what)),
            None => Ok(receipt),
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::identity::{KeyStatement, Serial};

    fn now() -> Timestamp {
        Timestamp::from_unix(1_800_000_000).unwrap()
    }

    fn ca() -> SigningKey {
        SigningKey::from_seed(&[1; 32])
    }

    fn signer() -> SigningKey {
        SigningKey::from_seed(&[2; 32])
    }

    fn certificate(purpose: KeyPurpose, ca: &SigningKey) -> KeyCertificate {
        let statement = KeyStatement {
            purpose,
            key: signer().public(),
            consortium: "Heart".to_owned(),
            not_before: now(),
            not_after: now().plus_seconds(3600),
            serial: Serial::from_bytes([7; 16]),
        };
        KeyCertificate::issue(statement, ca).unwrap()
    }

    fn receipt() -> Receipt {
        Receipt {
            round: "heart-01".parse().unwrap(),
            job: Digest::of(b"job"),
            site: "hungarian".parse().unwrap(),
            release: Digest::of(b"release"),
            bytes: Digest::of(b"bytes"),
            ledger: LedgerHead {
                entries: 3,
                hash: Digest::of(b"ledger"),
            },
            received_at: now(),
        }
    }

    fn verify(bytes: &[u8], at: Timestamp) -> Result<Receipt, ReceiptFault> {
        let site = "hungarian".parse().unwrap();
        let delivered = Delivery {
            job: Digest::of(b"job"),
            site: &site,
            release: Digest::of(b"release"),
            bytes: Digest::of(b"bytes"),
        };
        Receipt::verify(bytes, &ca().public(), delivered, at)
    }

    fn signed(receipt: Receipt) -> Vec<u8> {
        let certificate = certificate(KeyPurpose::Receipt, &ca());
        receipt.sign(&signer(), certificate).unwrap()
    }

    type Change = fn(&mut Receipt, Digest);

    #[test]
    fn a_receipt_names_exactly_what_was_delivered() {
        assert_eq!(verify(&signed(receipt()), now()), Ok(receipt()));
        let other = Digest::of(b"other");
        let changes: [(&str, Change); 4] = [
            ("job", |receipt, other| receipt.job = other),
            ("site", |receipt, _| {
                receipt.site = "cleveland".parse().unwrap();
            }),
            ("release", |receipt, other| receipt.release = other),
            ("document", |receipt, other| receipt.bytes = other),
        ];
        for (what, change) in changes {
            let mut altered = receipt();
            change(&mut altered, other);
            let found = verify(&signed(altered), now());
            assert_eq!(found, Err(ReceiptFault::Names(what)));
        }
    }

    #[test]
    fn only_a_certified_receipt_key_signs_receipts() {
        let foreign = SigningKey::from_seed(&[9; 32]);
        let sign = |certificate| receipt().sign(&signer(), certificate).unwrap();
        let cases = [
            (
                sign(certificate(KeyPurpose::StudySigning, &ca())),
                DocumentFault::WrongPurpose,
            ),
            (
                sign(certificate(KeyPurpose::Receipt, &foreign)),
                DocumentFault::UnknownSigner,
            ),
            (b"{}".to_vec(), DocumentFault::Form),
        ];
        for (bytes, fault) in cases {
            assert_eq!(verify(&bytes, now()), Err(fault.into()));
        }
        let mut altered = signed(receipt());
        let at = altered.windows(9).position(|w| w == b"hungarian").unwrap();
        altered[at] = b'H';
        assert!(verify(&altered, now()).is_err());
        let late = now().plus_seconds(3600 + 301);
        assert_eq!(
            verify(&signed(receipt()), late),
            Err(DocumentFault::Expired.into())
        );
    }
}
