//! Checkpoints, for life: what each site signed of its ledger, and what the coordinator signed of
//! its audit trail for each site. Rows are only added; what contradicts is kept as evidence.
//!
//! From: `witness` (documents that were opened).
//! To: the same, `fedval ledger verify`.

use rusqlite::{Connection, OptionalExtension as _, Transaction, params};
use shared::fault::{Code, Fault};
use shared::identity::{Digest, PublicKey, Tree, TreeHead};
use shared::study::{SiteSlug, Timestamp};
use shared::wire::{AuditCheckpoint, LedgerCheckpoint, Refusal};

use super::audit::{AuditEntry, append};
use super::proof::ProofFault;
use super::sites::ledger_head;
use super::{Store, broken, corrupt};
use verify::{Keys, Row, contradictions, verify};

mod verify;

/// What a stored checkpoint is.
#[derive(Clone, Copy, Debug, Eq, PartialEq)]
enum Kind {
    /// A site's, checked to extend the one before.
    Held,
    /// A site's, which contradicts what the site signed before.
    Refused,
    /// No document: the site may start from the ledger it has.
    GivenUp,
    /// The coordinator's, for a site.
    Given,
    /// The coordinator's, shown by a site, and not of this trail.
    Contradicted,
    /// No document: contradictions before are explained.
    TrailGivenUp,
}

impl Kind {
    const ALL: [Self; 6] = [
        Self::Held,
        Self::Refused,
        Self::GivenUp,
        Self::Given,
        Self::Contradicted,
        Self::TrailGivenUp,
    ];

    fn as_str(self) -> &'static str {
        match self {
            Self::Held => "held",
            Self::Refused => "refused",
            Self::GivenUp => "given-up",
            Self::Given => "given",
            Self::Contradicted => "contradicted",
            Self::TrailGivenUp => "trail-given-up",
        }
    }
}

/// How the coordinator signs a checkpoint.
pub type Sign<'a> = &'a dyn Fn(AuditCheckpoint) -> Result<Vec<u8>, Fault>;

/// What a site keeps of the audit trail.
#[derive(Clone, Copy, Debug)]
pub struct Shown<'a> {
    /// Size and root; of nothing when it keeps nothing.
    pub tree: TreeHead,
    /// The coordinator's own checkpoint that says so, where the site showed it.
    pub document: Option<&'a [u8]>,
}

/// What a site gets to see of the audit trail.
#[derive(Clone, Debug, Eq, PartialEq)]
pub struct Given {
    /// The signed checkpoint.
    pub document: Vec<u8>,
    /// That the trail extends the one the site keeps; empty when it does not.
    pub proof: Vec<Digest>,
    /// Whether the trail is not the one that was signed for the site before.
    pub contradicted: bool,
}

/// What the stored checkpoints prove.
#[derive(Clone, Copy, Debug, Default, Eq, PartialEq, serde::Serialize)]
pub struct Checkpoints {
    /// Checkpoints of the audit trail, given to sites.
    pub given: usize,
    /// Sites that have signed to have seen it.
    pub sites: usize,
    /// Entries of the trail that at least one site has signed to have seen.
    pub seen: u64,
    /// Checkpoints of sites' ledgers.
    pub held: usize,
}

fn sql<T>(result: rusqlite::Result<T>) -> Result<T, Fault> {
    result.map_err(|error| broken(&error))
}

/// The audit trail as a tree over the bytes of its entries.
fn trail(connection: &Connection) -> rusqlite::Result<Tree> {
    let bodies: Vec<String> = connection
        .prepare_cached("SELECT body FROM audit ORDER BY seq")?
        .query_map([], |row| row.get(0))?
        .collect::<rusqlite::Result<_>>()?;
    Ok(Tree::of(bodies.iter().map(String::as_bytes)))
}

/// The newest document of a site that is one of two kinds.
fn newest(
    connection: &Connection,
    site: &SiteSlug,
    (kind, or): (Kind, Kind),
) -> rusqlite::Result<Option<Vec<u8>>> {
    connection
        .prepare_cached(
            "SELECT document FROM checkpoint WHERE site = ?1 AND kind IN (?2, ?3)
             ORDER BY id DESC LIMIT 1",
        )?
        .query_row(params![site.as_str(), kind.as_str(), or.as_str()], |row| {
            row.get(0)
        })
        .optional()
}

fn insert(
    transaction: &Transaction<'_>,
    site: Option<&SiteSlug>,
    kind: Kind,
    document: &[u8],
    now: Timestamp,
) -> Result<(), Fault> {
    let inserted = transaction.execute(
        "INSERT INTO checkpoint (site, kind, document, at) VALUES (?1, ?2, ?3, ?4)",
        params![
            site.map(SiteSlug::as_str),
            kind.as_str(),
            document,
            now.unix()
        ],
    );
    sql(inserted).map(|_| ())
}

/// The newest checkpoint that a site is held to.
fn held(connection: &Connection, site: &SiteSlug) -> Result<Option<LedgerCheckpoint>, Fault> {
    let document = sql(newest(connection, site, (Kind::Held, Kind::GivenUp)))?;
    let document = document.filter(|document| !document.is_empty());
    document
        .map(|document| LedgerCheckpoint::open(&document))
        .transpose()
        .map(|opened| opened.map(|(checkpoint, _)| checkpoint))
        .map_err(|_| corrupt("checkpoint"))
}

/// From here on a site may start from the ledger it has.
pub(super) fn give_up(
    transaction: &Transaction<'_>,
    site: &SiteSlug,
    now: Timestamp,
) -> Result<(), Fault> {
    insert(transaction, Some(site), Kind::GivenUp, b"", now)
}

impl Store {
    /// The coordinator's word on its audit trail for `site`, which has shown what it keeps of it, with
    /// the proof. What was shown and is not of this trail is kept, and noted in the trail once.
    ///
    /// # Errors
    /// [`Fault`] when the database fails.
    pub fn give_checkpoint(
        &self,
        site: &SiteSlug,
        shown: Shown<'_>,
        ca: &PublicKey,
        sign: Sign<'_>,
        now: Timestamp,
    ) -> Result<Given, Fault> {
        self.change(|transaction| {
            let tree = sql(trail(transaction))?;
            let known = Some(shown.tree).filter(|head| tree.had(head));
            let proof = known.and_then(|head| tree.since(head.size));
            if let (None, Some(document)) = (&proof, shown.document) {
                contradict(transaction, site, document, now)?;
            }
            let seen = held(transaction, site)?.map_or_else(TreeHead::empty, |held| held.tree);
            let before = sql(newest(transaction, site, (Kind::Given, Kind::Given)))?;
            let same = before.filter(|document| {
                AuditCheckpoint::open(document, ca)
                    .is_ok_and(|given| given.tree == tree.head() && given.seen == seen)
            });
            let document = if let Some(document) = same {
                document
            } else {
                let document = sign(AuditCheckpoint {
                    site: site.clone(),
                    tree: tree.head(),
                    seen,
                    at: now,
                })?;
                insert(transaction, Some(site), Kind::Given, &document, now)?;
                document
            };
            Ok(Given {
                document,
                contradicted: proof.is_none(),
                proof: proof.unwrap_or_default(),
            })
        })
    }

    /// Keeps a site's word on its ledger, which its own key has signed: `proof` leads from the first
    /// `from` entries. One that does not extend what the site signed before is kept as evidence and
    /// noted in the trail.
    ///
    /// # Errors
    /// [`Fault`] when the database fails.
    pub fn take_checkpoint(
        &self,
        (checkpoint, document): (&LedgerCheckpoint, &[u8]),
        (from, proof): (u64, &[Digest]),
        now: Timestamp,
    ) -> Result<Result<(), Refusal>, Fault> {
        let site = &checkpoint.site;
        self.change(|transaction| {
            let disputed = sql(newest(transaction, site, (Kind::Refused, Kind::GivenUp)))?;
            if disputed.is_some_and(|document| !document.is_empty()) {
                return Ok(Err(Refusal::LedgerAltered));
            }
            let before = held(transaction, site)?;
            let tree = before
                .as_ref()
                .map_or_else(TreeHead::empty, |held| held.tree);
            if from != tree.size {
                // Made before another one of the same node arrived.
                return Ok(Err(Refusal::Busy));
            }
            if !sql(trail(transaction))?.had(&checkpoint.seen) {
                return Ok(Err(Refusal::NotAllowed));
            }
            let last = sql(ledger_head(transaction, site))?;
            let as_received = last.entries != checkpoint.tree.size || last.hash == checkpoint.head;
            if checkpoint.tree.extends(&tree, proof) && as_received {
                if before.as_ref() != Some(checkpoint) {
                    insert(transaction, Some(site), Kind::Held, document, now)?;
                }
                return Ok(Ok(()));
            }
            insert(transaction, Some(site), Kind::Refused, document, now)?;
            let entry = AuditEntry::new(now, "ledger contradicted").site(site);
            append(transaction, &entry.object(&Digest::of(document)))?;
            Ok(Err(Refusal::LedgerAltered))
        })
    }

    /// Whether a site has signed ledgers that contradict each other, and nobody has re-baselined it.
    ///
    /// # Errors
    /// [`Fault`] when the database fails.
    pub fn contested(&self, site: &SiteSlug) -> Result<bool, Fault> {
        let newest = self.read(|sql| newest(sql, site, (Kind::Refused, Kind::GivenUp)))?;
        Ok(newest.is_some_and(|document| !document.is_empty()))
    }

    /// Whether a site is held to a checkpoint of its ledger.
    ///
    /// # Errors
    /// [`Fault`] when the database fails.
    pub fn has_shown(&self, site: &SiteSlug) -> Result<bool, Fault> {
        let newest = self.read(|sql| newest(sql, site, (Kind::Held, Kind::GivenUp)))?;
        Ok(newest.is_some_and(|document| !document.is_empty()))
    }

    /// Notes that what sites hold against the audit trail is explained.
    ///
    /// # Errors
    /// [`Fault`] when nothing is held against it, or the database fails.
    pub fn rebaseline_trail(&self, reason: &str, now: Timestamp) -> Result<usize, Fault> {
        let open = contradictions(&self.rows()?).len();
        if open == 0 {
            return Err(Fault::new(
                Code::UnknownEntry,
                "there is nothing to re-baseline",
                "no site has shown a checkpoint that the audit trail does not match",
                "to let a site start from the ledger it has: fedval site rebaseline",
            ));
        }
        self.change(|transaction| {
            insert(transaction, None, Kind::TrailGivenUp, b"", now)?;
            let entry = AuditEntry::new(now, "audit trail re-baselined");
            append(transaction, &entry.object(&reason))
        })?;
        Ok(open)
    }

    fn rows(&self) -> Result<Vec<Row>, Fault> {
        let rows: Vec<(Option<String>, String, Vec<u8>)> = self.read(|connection| {
            connection
                .prepare("SELECT site, kind, document FROM checkpoint ORDER BY id")?
                .query_map([], |row| Ok((row.get(0)?, row.get(1)?, row.get(2)?)))?
                .collect()
        })?;
        let read = |(site, kind, document): (Option<String>, String, Vec<u8>)| {
            let kind = Kind::ALL.into_iter().find(|one| one.as_str() == kind)?;
            let site = site.map(|site| site.parse()).transpose().ok()?;
            Some(Row {
                site,
                kind,
                document,
            })
        };
        let rows: Option<Vec<Row>> = rows.into_iter().map(read).collect();
        rows.ok_or_else(|| corrupt("checkpoint"))
    }

    /// Checks the audit trail against every checkpoint of it that was given or that a site has signed
    /// to have seen, and each site's checkpoints against each other.
    ///
    /// # Errors
    /// [`Fault`] when the database fails.
    pub fn verify_checkpoints(
        &self,
        ca: &PublicKey,
    ) -> Result<Result<Checkpoints, ProofFault>, Fault> {
        let tree = self.read(trail)?;
        let rows = self.rows()?;
        let mut keys = Keys::new();
        for site in self.sites()? {
            let of = self.certificates(&site.site)?;
            keys.insert(
                site.site,
                of.into_iter().map(|one| one.public_key).collect(),
            );
        }
        Ok(verify(&tree, &rows, &keys, ca))
    }
}

fn contradict(
    transaction: &Transaction<'_>,
    site: &SiteSlug,
    document: &[u8],
    now: Timestamp,
) -> Result<(), Fault> {
    let known: bool = sql(transaction.query_row(
        "SELECT EXISTS (SELECT 1 FROM checkpoint WHERE site = ?1 AND kind = ?2 AND document = ?3)",
        params![site.as_str(), Kind::Contradicted.as_str(), document],
        |row| row.get(0),
    ))?;
    if known {
        return Ok(());
    }
    insert(transaction, Some(site), Kind::Contradicted, document, now)?;
    let entry = AuditEntry::new(now, "audit trail contradicted").site(site);
    append(transaction, &entry.object(&Digest::of(document)))
}

#[cfg(test)]
mod tests;
