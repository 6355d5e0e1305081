//! Whether what is stored is still what was received: everything sealed opens in its own row, every
//! release under its digest, every receipt signed by this consortium for exactly that release, every
//! site's ledger head out of one of its receipts, every release that the audit trail names still
//! there, and none accepted that was set aside.
//!
//! From: the database, the CA's key.
//! To: `fedval ledger verify`.

use std::collections::{BTreeMap, BTreeSet};

use shared::fault::Fault;
use shared::identity::{Digest, PublicKey};
use shared::study::SiteSlug;
use shared::wire::{Delivery, LedgerHead, Receipt};

use super::accept::ACCEPTED;
use super::inbox::{self, SealedItem};
use super::steps::{self, Kept};
use super::vault::Unopened;
use super::{InboxItem, InboxStatus, Store};

/// What the audit trail calls the arrival of a document.
const RECEIVED: [&str; 3] = [
    "release accepted",
    "release quarantined",
    "release conflict",
];

/// What it calls a document that is not to be pooled.
const ASIDE: [&str; 3] = [
    "release quarantined",
    "release conflict",
    "release set aside",
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
    item: InboxItem,
    receipt: Option<Vec<u8>>,
}

impl Row {
    /// The ledger head that this row's receipt names; none for a second, other answer to a job,
    /// which is kept as evidence and gets no receipt.
    fn head(&self, ca: &PublicKey) -> Result<Option<LedgerHead>, String> {
        let item = &self.item;
        if Digest::of(&item.bytes) != item.digest {
            return Err("its bytes are not those that were received".to_owned());
        }
        let Some(receipt) = &self.receipt else {
            return match item.status {
                InboxStatus::Quarantined => Ok(None),
                InboxStatus::Accepted => Err("it has no receipt".to_owned()),
            };
        };
        let delivered = Delivery {
            job: item.job,
            site: &item.site,
            release: item.release,
            bytes: item.digest,
        };
        // The key was certified when the receipt was made; it may have been replaced since.
        Receipt::verify(receipt, ca, delivered, item.received_at)
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
        let rows = match self.received()? {
            Ok(rows) => rows,
            Err(fault) => return Ok(Err(fault)),
        };
        if let Some(fault) = self.accepted_again(&rows)? {
            return Ok(Err(fault));
        }
        for row in rows {
            stored.insert(row.item.digest.to_string());
            match row.head(ca) {
                Ok(None) => {}
                Ok(Some(head)) => {
                    heads.entry(row.item.site).or_default().push(head);
                    receipts += 1;
                }
                Err(why) => {
                    let what = format!("release {} of {}", row.item.release, row.item.site);
                    return Ok(Err(ProofFault { what, why }));
                }
            }
        }
        if let Some(fault) = self.altered_step()? {
            return Ok(Err(fault));
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

    /// Every row with its receipt, as far as it opens.
    fn received(&self) -> Result<Result<Vec<Row>, ProofFault>, Fault> {
        let rows: Vec<(SealedItem, Option<Vec<u8>>)> = self.read(|connection| {
            connection
                .prepare(
                    "SELECT inbox.*, receipt.bytes AS receipt
                     FROM inbox LEFT JOIN receipt
                          ON receipt.release = inbox.release AND receipt.digest = inbox.digest
                     ORDER BY inbox.received_at, inbox.release, inbox.digest",
                )?
                .query_map([], |row| Ok((inbox::sealed(row)?, row.get("receipt")?)))?
                .collect()
        })?;
        let mut opened = Vec::with_capacity(rows.len());
        for (sealed, receipt) in rows {
            let (release, site) = sealed.named();
            match sealed.try_open(&self.vault) {
                Ok(item) => opened.push(Row { item, receipt }),
                Err(Unopened::NoKey(fault)) => return Err(fault),
                Err(Unopened::Altered) => {
                    return Ok(Err(altered(format!("release {release} of {site}"))));
                }
            }
        }
        Ok(Ok(opened))
    }

    /// The first document that the audit trail says was set aside and that is stored as accepted:
    /// its row was put back as it was before, which opens like any other.
    fn accepted_again(&self, rows: &[Row]) -> Result<Option<ProofFault>, Fault> {
        let accepted: BTreeSet<String> = rows
            .iter()
            .filter(|row| row.item.status == InboxStatus::Accepted)
            .map(|row| row.item.digest.to_string())
            .collect();
        // What a person accepted afterwards is no longer set aside.
        let mut aside = BTreeMap::new();
        for (entry, number) in self.audit()?.into_iter().zip(1_u64..) {
            let Some(digest) = entry.object.filter(|digest| accepted.contains(digest)) else {
                continue;
            };
            if ASIDE.contains(&entry.what.as_str()) {
                aside.entry(digest).or_insert(number);
            } else if entry.what == ACCEPTED {
                aside.remove(&digest);
            }
        }
        let first = aside.into_iter().min_by_key(|(_, number)| *number);
        Ok(first.map(|(digest, number)| ProofFault {
            what: format!("document {digest}"),
            why: format!(
                "audit entry {number} says that it was set aside, and it is stored as accepted"
            ),
        }))
    }

    /// The first kept step that does not open in its row.
    fn altered_step(&self) -> Result<Option<ProofFault>, Fault> {
        let kept: Vec<Kept> = self.read(|connection| {
            connection
                .prepare("SELECT * FROM step ORDER BY round, exchange, step")?
                .query_map([], steps::kept)?
                .collect()
        })?;
        for step in kept {
            let what = format!("{} step {} of {}", step.exchange, step.step, step.round);
            match step.try_open(&self.vault) {
                Ok(bytes) if step.is(&bytes) => {}
                Ok(_) | Err(Unopened::Altered) => return Ok(Some(altered(what))),
                Err(Unopened::NoKey(fault)) => return Err(fault),
            }
        }
        Ok(None)
    }
}

fn altered(what: String) -> ProofFault {
    ProofFault {
        what,
        why: "its stored bytes were altered, or moved there from another row".to_owned(),
    }
}
