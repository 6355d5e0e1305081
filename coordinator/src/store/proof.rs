//! Whether what is stored is still what was received: every release under its digest, every
//! receipt signed by this consortium for exactly that release, every site's ledger head out of
//! one of its receipts, and every release that the audit trail names still there.
//!
//! From: the database, the CA's key.
//! To: `fedval ledger verify`.

use std::collections::{BTreeMap, BTreeSet};

use shared::fault::Fault;
use shared::identity::{Digest, PublicKey};
use shared::study::{SiteSlug, Timestamp};
use shared::wire::{Delivery, LedgerHead, Receipt};

use super::{InboxStatus, Store, corrupt};

/// What the audit trail calls the arrival of a document.
const RECEIVED: [&str; 3] = [
    "release accepted",
    "release quarantined",
    "release conflict",
];

/// The first stored thing that proves nothing.
#[derive(Clone, Debug, Eq, PartialEq)]
pub struct ProofFault {
    /// What it is: `release sha256:...` or `ledger head of SITE`.
    pub what: String,
    /// Why it proves nothing.
    pub why: String,
}

struct Row {
    release: Digest,
    digest: Digest,
    job: Digest,
    site: SiteSlug,
    bytes: Vec<u8>,
    received_at: Timestamp,
    status: InboxStatus,
    receipt: Option<Vec<u8>>,
}

impl Row {
    /// The ledger head that this row's receipt names; none for a second, other answer to a job,
    /// which is kept as evidence and gets no receipt.
    fn head(&self, ca: &PublicKey) -> Result<Option<LedgerHead>, String> {
        if Digest::of(&self.bytes) != self.digest {
            return Err("its bytes are not those that were received".to_owned());
        }
        let Some(receipt) = &self.receipt else {
            return match self.status {
                InboxStatus::Quarantined => Ok(None),
                InboxStatus::Accepted => Err("it has no receipt".to_owned()),
            };
        };
        let delivered = Delivery {
            job: self.job,
            site: &self.site,
            release: self.release,
            bytes: self.digest,
        };
        // The key was certified when the receipt was made; it may have been replaced since.
        Receipt::verify(receipt, ca, delivered, self.received_at)
            .map(|receipt| Some(receipt.ledger))
            .map_err(|fault| fault.to_string())
    }
}

impl Store {
    /// Checks every stored release against its receipt; the number of receipts, or the first
    /// thing that proves nothing.
    ///
    /// # Errors
    /// [`Fault`] when the database fails.
    pub fn verify_receipts(&self, ca: &PublicKey) -> Result<Result<u64, ProofFault>, Fault> {
        let mut heads: BTreeMap<SiteSlug, Vec<LedgerHead>> = BTreeMap::new();
        let mut stored = BTreeSet::new();
        let mut receipts = 0;
        for row in self.received()? {
            stored.insert(row.digest.to_string());
            match row.head(ca) {
                Ok(None) => {}
                Ok(Some(head)) => {
                    heads.entry(row.site).or_default().push(head);
                    receipts += 1;
                }
                Err(why) => {
                    let what = format!("release {} of {}", row.release, row.site);
                    return Ok(Err(ProofFault { what, why }));
                }
            }
        }
        for (entry, number) in self.audit()?.into_iter().zip(1_u64..) {
            let named = entry
                .object
                .filter(|_| RECEIVED.contains(&entry.what.as_str()));
            if let Some(digest) = named.filter(|digest| !stored.contains(digest)) {
                return Ok(Err(ProofFault {
                    what: format!("document {digest}"),
                    why: format!("audit entry {number} names it, and it is not stored"),
                }));
            }
        }
        for site in self.sites()? {
            let head = self.ledger_head(&site.site)?;
            let known = heads.get(&site.site).is_some_and(|all| all.contains(&head));
            if head.entries > 0 && !known {
                return Ok(Err(ProofFault {
                    what: format!("ledger head of {}", site.site),
                    why: "no receipt names it".to_owned(),
                }));
            }
        }
        Ok(Ok(receipts))
    }

    fn received(&self) -> Result<Vec<Row>, Fault> {
        type Raw = (
            String,
            String,
            String,
            String,
            Vec<u8>,
            i64,
            String,
            Option<Vec<u8>>,
        );
        let rows: Vec<Raw> = self.read(|connection| {
            connection
                .prepare(
                    "SELECT inbox.release, inbox.digest, inbox.job, inbox.site, inbox.bytes,
                            inbox.received_at, inbox.status, receipt.bytes
                     FROM inbox LEFT JOIN receipt
                          ON receipt.release = inbox.release AND receipt.digest = inbox.digest
                     ORDER BY inbox.received_at, inbox.release, inbox.digest",
                )?
                .query_map([], |row| {
                    Ok((
                        row.get(0)?,
                        row.get(1)?,
                        row.get(2)?,
                        row.get(3)?,
                        row.get(4)?,
                        row.get(5)?,
                        row.get(6)?,
                        row.get(7)?,
                    ))
                })?
                .collect()
        })?;
        rows.into_iter()
            .map(|(release, digest, job, site, bytes, at, status, receipt)| {
                let bad = || corrupt("release");
                Ok(Row {
                    release: release.parse().map_err(|_| bad())?,
                    digest: digest.parse().map_err(|_| bad())?,
                    job: job.parse().map_err(|_| bad())?,
                    site: site.parse().map_err(|_| bad())?,
                    bytes,
                    received_at: Timestamp::from_unix(at).ok_or_else(bad)?,
                    status: match status.as_str() {
                        "accepted" => InboxStatus::Accepted,
                        "quarantined" => InboxStatus::Quarantined,
                        _ => return Err(bad()),
                    },
                    receipt,
                })
            })
            .collect()
    }
}
