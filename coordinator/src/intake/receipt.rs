//! The receipt: the coordinator's signed word that these bytes are stored. The node keeps it in
//! its ledger, so that both sides can prove the same.
//!
//! From: a delivery that is about to be stored.
//! To: the node's ledger; `fedval-node ledger verify`.

use serde::{Deserialize, Serialize};
use shared::fault::Fault;
use shared::identity::{Digest, Signed};
use shared::study::{RoundId, SiteSlug, Timestamp};
use shared::wire::LedgerHead;

use crate::consortium::CertifiedKey;

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

/// Signs a receipt.
///
/// # Errors
/// [`Fault`] when it cannot be written, which is a defect.
pub fn sign_receipt(receipt: Receipt, key: &CertifiedKey) -> Result<Vec<u8>, Fault> {
    Signed::sign(RECEIPT_SCHEMA, receipt, &key.key, key.certificate.clone())
        .and_then(|signed| signed.to_bytes())
        .map_err(|_| Fault::internal("a receipt has no canonical form"))
}
