//! The coordinator and this node as each other's witness: each keeps what the other signed of its
//! record, and takes a newer word only with the proof that the record only grew. What travels is
//! sizes, roots and hashes of entries that hold a random part; no entry does.
//!
//! From: the ledger, the coordinator's checkpoints.
//! To: `daemon::witness` (exchange), `fedval-node ledger verify`.

use std::collections::BTreeMap;

use serde::Deserialize;
use shared::fault::{Code, Fault};
use shared::identity::{Departure, Digest, Tree, TreeHead};
use shared::study::Timestamp;
use shared::wire::{
    AuditCheckpoint, ENTRY_SCHEMA, EntryProof, LedgerCheckpoint, LedgerHead, Receipt,
};

use crate::ledger::{Entry, Event};
use crate::link::NodeIdentity;
use crate::store::{CheckpointKind, Store, StoredCheckpoint};

/// Why a checkpoint of the coordinator's is not taken.
#[derive(Debug)]
pub(crate) enum Rejected {
    /// It is none, or not one for this site.
    Form(&'static str),
    /// It contradicts what the coordinator signed before.
    Contradicts(Fault),
    /// It names a ledger that this node does not have.
    Ledger(Fault),
}

/// The newest checkpoint of the coordinator's that it is held to.
///
/// # Errors
/// `FV-INT-001`, `FV-INT-002` when it does not open.
pub(crate) fn held(
    store: &Store,
    identity: &NodeIdentity,
) -> Result<Option<AuditCheckpoint>, Fault> {
    let held = store.held_checkpoint()?;
    let held = held.map(|held| AuditCheckpoint::open(&held, &identity.ca_key));
    held.transpose().map_err(|fault| {
        Fault::internal(format!("a checkpoint that was kept does not open: {fault}"))
    })
}

/// Opens a checkpoint of the coordinator's and demands the proof that its audit trail extends the
/// one of `held`, and that what it has seen of this ledger is this ledger.
///
/// # Errors
/// [`Rejected`].
pub(crate) fn check(
    identity: &NodeIdentity,
    (tree, signed): (&Tree, &[TreeHead]),
    held: Option<&AuditCheckpoint>,
    (document, proof): (&[u8], &[Digest]),
) -> Result<AuditCheckpoint, Rejected> {
    let checkpoint = AuditCheckpoint::open(document, &identity.ca_key)
        .map_err(|_| Rejected::Form("the coordinator's checkpoint does not verify"))?;
    if checkpoint.site != identity.site {
        return Err(Rejected::Form(
            "the coordinator's checkpoint is for another site",
        ));
    }
    let before = held.map_or_else(TreeHead::empty, |held| held.tree);
    if !checkpoint.tree.extends(&before, proof) {
        return Err(Rejected::Contradicts(contradiction(
            &before,
            &checkpoint.tree,
        )));
    }
    if !tree.had(&checkpoint.seen) {
        let fault = if checkpoint.seen.size > tree.size() {
            behind(checkpoint.seen.size, tree.size())
        } else {
            let heads = [signed, &[checkpoint.seen]].concat();
            let departure = tree.departure(&heads);
            departure.map_or_else(|| behind(checkpoint.seen.size, tree.size()), altered)
        };
        return Err(Rejected::Ledger(fault));
    }
    Ok(checkpoint)
}

/// The coordinator has signed its record before and speaks an older version now.
pub(crate) fn no_longer_shown(held: &AuditCheckpoint) -> Fault {
    Fault::new(
        Code::CoordinatorAltered,
        format!(
            "the coordinator does not show its record of {} entries any more",
            held.tree.size
        ),
        "it answers in an older version of the wire, in which there are no checkpoints",
        "nothing is sent. Ask the coordinator; once it is explained: \
         fedval-node ledger rebaseline --reason WHY",
    )
}

/// What the coordinator signed of its trail does not go together.
fn contradiction(before: &TreeHead, now: &TreeHead) -> Fault {
    let why = if now.size < before.size {
        format!(
            "it has {} entries now; entries {} to {} are gone",
            now.size,
            now.size + 1,
            before.size
        )
    } else {
        format!(
            "an entry up to number {} was altered, dropped or put in since; it has {} entries now",
            before.size, now.size
        )
    };
    Fault::new(
        Code::CoordinatorAltered,
        format!(
            "the coordinator's record is not the one of {} entries that it signed before",
            before.size
        ),
        why,
        "nothing is sent; both signed checkpoints are kept. Ask the coordinator; once it is explained: \
         fedval-node ledger rebaseline --reason WHY",
    )
}

fn behind(signed: u64, has: u64) -> Fault {
    Fault::new(
        Code::LedgerBehind,
        format!("the coordinator keeps a checkpoint of this ledger with {signed} entries"),
        format!(
            "the ledger has {has}: the state directory was restored or replaced, and entries from {} on \
             are missing",
            has + 1
        ),
        "restore the newest backup of the state directory; nothing is sent until then",
    )
}

fn altered(departure: Departure) -> Fault {
    let why = if departure.short {
        "the ledger ends before it: entries are missing at its end"
    } else {
        "the chain was written anew after a checkpoint of it was signed"
    };
    Fault::new(
        Code::LedgerBroken,
        format!("ledger: {departure} is not what was signed"),
        why,
        "this node sends nothing until it is explained; restore the state directory from its backup",
    )
}

/// The heads of this ledger that stored checkpoints name: of this node, and of the coordinator as
/// having seen them. Those that do not open are left out; `verify` names them.
pub(crate) fn signed(checkpoints: &[StoredCheckpoint], identity: &NodeIdentity) -> Vec<TreeHead> {
    let named = checkpoints.iter().filter_map(|one| match one.kind {
        CheckpointKind::Own => LedgerCheckpoint::open(&one.document)
            .ok()
            .map(|(checkpoint, _)| checkpoint.tree),
        CheckpointKind::Held => AuditCheckpoint::open(&one.document, &identity.ca_key)
            .ok()
            .map(|checkpoint| checkpoint.seen),
        CheckpointKind::Refused | CheckpointKind::GivenUp => None,
    });
    named.collect()
}

/// The proof that entry `number` stood in this ledger when the coordinator last signed to have seen
/// it.
///
/// # Errors
/// `FV-LEDGER-003` when there is no such entry, or the coordinator has not seen it yet.
pub(crate) fn prove(
    store: &Store,
    identity: &NodeIdentity,
    number: u64,
) -> Result<EntryProof, Fault> {
    let unseen = |why: String| {
        Fault::new(
            Code::UnknownEntry,
            format!("entry {number} cannot be proved"),
            why,
            "list the entries: fedval-node ledger list; a running node tells the coordinator of each",
        )
    };
    let entry = store.entry(number)?;
    let entry = entry.ok_or_else(|| unseen("there is no such entry".to_owned()))?;
    let stored = store.checkpoints()?;
    let newest = stored.iter().rev().find_map(|one| {
        let held = one.kind == CheckpointKind::Held;
        let opened = AuditCheckpoint::open(&one.document, &identity.ca_key);
        let seen = opened.ok().filter(|_| held)?.seen;
        (seen.size >= number).then_some((one, seen))
    });
    let (checkpoint, seen) = newest
        .ok_or_else(|| unseen("the coordinator has not signed to have seen it".to_owned()))?;
    let (tree, _) = store.tree()?;
    let proof = tree.inclusion(number, seen.size);
    let text = |bytes: &[u8]| String::from_utf8_lossy(bytes).into_owned();
    let proof = EntryProof {
        schema: ENTRY_SCHEMA.to_owned(),
        number,
        entry: text(&entry),
        proof: proof.ok_or_else(|| unseen("the ledger is shorter".to_owned()))?,
        checkpoint: text(&checkpoint.document),
    };
    // Whoever gets it would find the same.
    let checked = proof.verify(&identity.ca_key);
    checked.map_err(|why| unseen(why.to_string()))?;
    Ok(proof)
}

/// What the stored checkpoints and receipts prove.
#[derive(Debug, Default, serde::Serialize)]
pub(crate) struct Witnessed {
    /// Checkpoints of this ledger that this node signed.
    pub(crate) own: usize,
    /// Checkpoints of its audit trail that the coordinator signed for this site.
    pub(crate) coordinator: usize,
    /// Entries of this ledger that the coordinator has signed to have seen.
    pub(crate) seen: u64,
    /// Entries of the audit trail in the newest of the coordinator's checkpoints.
    pub(crate) trail: u64,
    /// Receipts that name this ledger.
    pub(crate) receipts: usize,
}

/// Checks the ledger against every checkpoint and receipt that is kept, and the coordinator's
/// checkpoints against each other.
///
/// # Errors
/// `FV-LEDGER-001` naming the first bad entry, `FV-LEDGER-004` when what the coordinator signed
/// contradicts itself and nobody has re-baselined since, `FV-INT-001`.
pub(crate) fn verify(
    store: &Store,
    identity: &NodeIdentity,
    entries: &[Entry],
) -> Result<Witnessed, Fault> {
    let (tree, _) = store.tree()?;
    let stored = store.checkpoints()?;
    if let Some(departure) = tree.departure(&signed(&stored, identity)) {
        return Err(altered(departure));
    }
    let mut found = Witnessed::default();
    let mut before = TreeHead::empty();
    let mut open_contradiction = None;
    for (number, one) in (1_u64..).zip(&stored) {
        match one.kind {
            CheckpointKind::Own => {
                own(store, identity, one).map_err(|why| unproved(number, why))?;
                found.own += 1;
            }
            CheckpointKind::Held | CheckpointKind::Refused => {
                let checkpoint = AuditCheckpoint::open(&one.document, &identity.ca_key)
                    .ok()
                    .filter(|checkpoint| checkpoint.site == identity.site)
                    .ok_or_else(|| unproved(number, "the coordinator did not sign it"))?;
                let grew = checkpoint.tree.size > before.size || checkpoint.tree == before;
                if one.kind == CheckpointKind::Refused || !grew {
                    open_contradiction = Some(contradiction(&before, &checkpoint.tree));
                    continue;
                }
                before = checkpoint.tree;
                found.coordinator += 1;
                found.seen = found.seen.max(checkpoint.seen.size);
                found.trail = before.size;
            }
            CheckpointKind::GivenUp => (before, open_contradiction) = (TreeHead::empty(), None),
        }
    }
    found.receipts = receipts(store, identity, entries)?;
    open_contradiction.map_or(Ok(found), Err)
}

/// A checkpoint of this node's: signed with a key that the consortium certified for this site, and
/// naming the entry it should.
fn own(
    store: &Store,
    identity: &NodeIdentity,
    stored: &StoredCheckpoint,
) -> Result<(), &'static str> {
    let (checkpoint, key) =
        LedgerCheckpoint::open(&stored.document).map_err(|_| "its signature does not hold")?;
    if identity.key_of(&stored.certificate) != Some(key) || checkpoint.site != identity.site {
        return Err("it is not signed with a key of this site");
    }
    let LedgerHead { entries, hash } = checkpoint.ledger_head();
    match store.hash_at(entries) {
        Ok(Some(here)) if here == hash => Ok(()),
        Ok(_) | Err(_) => Err("the ledger's hash there is another one"),
    }
}

fn unproved(number: u64, why: &str) -> Fault {
    Fault::new(
        Code::LedgerBroken,
        format!("checkpoint {number} that is kept here proves nothing"),
        why,
        "it was put there or altered; keep the state directory and ask your security team",
    )
}

/// Every delivery in the ledger has its receipt, and each receipt names an entry of this chain.
fn receipts(store: &Store, identity: &NodeIdentity, entries: &[Entry]) -> Result<usize, Fault> {
    let stored: BTreeMap<Digest, Vec<u8>> = store.receipts()?.into_iter().collect();
    let mut named = Vec::new();
    for entry in entries {
        let Event::Delivered { receipt, .. } = &entry.event else {
            continue;
        };
        let bytes = stored.get(receipt).ok_or_else(|| {
            not_as_received(entry.seq, "the receipt that it names is not stored here")
        })?;
        let receipt = opened(bytes, identity)
            .ok_or_else(|| not_as_received(entry.seq, "the receipt that it names is not signed"))?;
        named.push((receipt.ledger, entry.seq));
    }
    named.sort_by_key(|(head, _)| head.entries);
    for (head, seq) in &named {
        if store.hash_at(head.entries)? != Some(head.hash) {
            return Err(not_as_received(
                head.entries,
                &format!("the receipt of entry {seq} names another chain up to there"),
            ));
        }
    }
    Ok(named.len())
}

/// A receipt that was signed by a key certified at the moment the receipt names.
fn opened(bytes: &[u8], identity: &NodeIdentity) -> Option<Receipt> {
    #[derive(Deserialize)]
    struct Dated {
        body: At,
    }
    #[derive(Deserialize)]
    struct At {
        received_at: Timestamp,
    }
    let dated: Dated = serde_json::from_slice(bytes).ok()?;
    Receipt::open(bytes, &identity.ca_key, dated.body.received_at).ok()
}

fn not_as_received(seq: u64, why: &str) -> Fault {
    Fault::new(
        Code::LedgerBroken,
        format!("ledger entry {seq} is not what the coordinator's receipt names"),
        why,
        "this node sends nothing until it is explained; restore the state directory from its backup",
    )
}
