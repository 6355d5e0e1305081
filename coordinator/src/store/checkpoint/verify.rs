//! Whether the stored checkpoints fit each other and the audit trail, and where not.
//!
//! From: `checkpoint` (rows), the trail.
//! To: `fedval ledger verify`.

use std::collections::{BTreeMap, BTreeSet};

use shared::identity::{Digest, PublicKey, Tree, TreeHead};
use shared::study::SiteSlug;
use shared::wire::{AuditCheckpoint, LedgerCheckpoint};

use super::super::proof::ProofFault;
use super::{Checkpoints, Kind};

/// One stored checkpoint.
pub(super) struct Row {
    pub(super) site: Option<SiteSlug>,
    pub(super) kind: Kind,
    pub(super) document: Vec<u8>,
}

impl Row {
    fn unproved(&self, why: &str) -> ProofFault {
        let site = self.site.as_ref().map_or("nobody", SiteSlug::as_str);
        ProofFault {
            what: format!("checkpoint {} of {site}", Digest::of(&self.document)),
            why: why.to_owned(),
        }
    }
}

/// What sites hold against the audit trail and nobody has explained.
pub(super) fn contradictions(rows: &[Row]) -> Vec<&Row> {
    let explained = rows.iter().rposition(|row| row.kind == Kind::TrailGivenUp);
    rows.iter()
        .skip(explained.map_or(0, |at| at + 1))
        .filter(|row| row.kind == Kind::Contradicted)
        .collect()
}

/// What the rows say, read in their order.
#[derive(Default)]
struct Reading<'a> {
    found: Checkpoints,
    /// Heads of the trail that somebody signed.
    heads: Vec<TreeHead>,
    /// The newest ledger of each site.
    ledgers: BTreeMap<&'a SiteSlug, TreeHead>,
    /// Sites that signed to have seen the trail.
    witnesses: BTreeSet<&'a SiteSlug>,
    /// Sites that contradicted themselves: what they had signed, and what they signed then.
    contested: BTreeMap<&'a SiteSlug, (u64, u64)>,
}

impl<'a> Reading<'a> {
    fn read(&mut self, row: &'a Row, keys: &Keys, ca: &PublicKey) -> Result<(), ProofFault> {
        let Some(site) = &row.site else { return Ok(()) };
        match row.kind {
            Kind::Given | Kind::Contradicted => {
                let checkpoint = AuditCheckpoint::open(&row.document, ca).ok();
                let checkpoint = checkpoint.filter(|one| one.site == *site);
                let checkpoint =
                    checkpoint.ok_or_else(|| row.unproved("the coordinator did not sign it"))?;
                if row.kind == Kind::Given {
                    self.heads.push(checkpoint.tree);
                    self.found.given += 1;
                }
            }
            Kind::Held | Kind::Refused => {
                let opened = LedgerCheckpoint::open(&row.document).ok();
                let known = keys.get(site);
                let opened = opened.filter(|(checkpoint, key)| {
                    checkpoint.site == *site && known.is_some_and(|keys| keys.contains(key))
                });
                let (checkpoint, _) =
                    opened.ok_or_else(|| row.unproved("no key of the site signed it"))?;
                self.ledger(row, site, &checkpoint)?;
            }
            Kind::GivenUp => {
                self.ledgers.remove(site);
                self.contested.remove(site);
            }
            Kind::TrailGivenUp => {}
        }
        Ok(())
    }

    fn ledger(
        &mut self,
        row: &Row,
        site: &'a SiteSlug,
        checkpoint: &LedgerCheckpoint,
    ) -> Result<(), ProofFault> {
        let now = checkpoint.tree;
        let before = self.ledgers.get(site).copied();
        let before = before.unwrap_or_else(TreeHead::empty);
        if row.kind == Kind::Refused {
            self.contested.insert(site, (before.size, now.size));
            return Ok(());
        }
        if now.size < before.size || (now.size == before.size && now != before) {
            return Err(row.unproved("the site had signed another ledger before"));
        }
        self.ledgers.insert(site, now);
        self.heads.push(checkpoint.seen);
        self.witnesses.insert(site);
        self.found.seen = self.found.seen.max(checkpoint.seen.size);
        self.found.held += 1;
        Ok(())
    }
}

/// The keys that were certified for each site.
pub(super) type Keys = BTreeMap<SiteSlug, BTreeSet<PublicKey>>;

pub(super) fn verify(
    tree: &Tree,
    rows: &[Row],
    keys: &Keys,
    ca: &PublicKey,
) -> Result<Checkpoints, ProofFault> {
    let mut reading = Reading::default();
    for row in rows {
        reading.read(row, keys, ca)?;
    }
    if let Some(departure) = tree.departure(&reading.heads) {
        let why = if departure.short {
            "the trail ends before a checkpoint of it that was signed"
        } else {
            "the chain was written anew after a checkpoint of it was signed"
        };
        return Err(ProofFault {
            what: format!("audit trail: {departure}"),
            why: why.to_owned(),
        });
    }
    if let Some(row) = contradictions(rows).first() {
        return Err(shown_by_a_site(tree, row, ca, &reading.heads));
    }
    reading.found.sites = reading.witnesses.len();
    match reading.contested.into_iter().next() {
        None => Ok(reading.found),
        Some((site, (before, now))) => Err(ProofFault {
            what: format!("ledger of {site}"),
            why: format!("the site signed {before} entries and then {now} that do not extend them"),
        }),
    }
}

/// The entries of the trail that differ from what a site keeps of it.
fn shown_by_a_site(tree: &Tree, row: &Row, ca: &PublicKey, heads: &[TreeHead]) -> ProofFault {
    let site = row.site.as_ref().map_or("a site", SiteSlug::as_str);
    let shown = AuditCheckpoint::open(&row.document, ca);
    let shown = shown.ok().map(|checkpoint| checkpoint.tree);
    let heads = [heads, shown.as_slice()].concat();
    let what = tree.departure(&heads).map_or_else(
        || "the audit trail".to_owned(),
        |at| format!("audit trail: {at}"),
    );
    ProofFault {
        what,
        why: format!("{site} keeps a checkpoint, signed here, of another trail"),
    }
}
