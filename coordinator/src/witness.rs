//! The coordinator and each node as each other's witness: opens what a node shows and says, and has
//! the store decide.
//!
//! From: `dispatch`.
//! To: `store` (what is kept), the node.

use shared::fault::Fault;
use shared::identity::{Digest, TreeHead};
use shared::study::Timestamp;
use shared::wire::{AuditCheckpoint, LedgerCheckpoint, NodeReply, Refusal};

use crate::consortium::Consortium;
use crate::link::Peer;
use crate::store::{Shown, Store};
use crate::waypoint;

/// The coordinator's word for a node that keeps `held` of it; empty when it keeps nothing.
///
/// # Errors
/// [`Fault`] when the database fails.
pub(crate) fn give(
    (store, consortium): (&Store, &Consortium),
    peer: &Peer,
    held: &[u8],
    now: Timestamp,
) -> Result<NodeReply, Fault> {
    let mut shown = Shown {
        tree: TreeHead::empty(),
        document: None,
    };
    if !held.is_empty() {
        match AuditCheckpoint::open(held, &consortium.ca.public()) {
            Ok(opened) if opened.site == peer.site => {
                (shown.tree, shown.document) = (opened.tree, Some(held));
            }
            Ok(_) => return Ok(NodeReply::Refused(Refusal::WrongSite)),
            Err(fault) => return Ok(NodeReply::Refused(fault.into())),
        }
    }
    answer((store, consortium), peer, shown, now)
}

/// A node's word on its ledger; answered with the coordinator's newest, which names it as seen.
///
/// # Errors
/// [`Fault`] when the database fails.
pub(crate) fn take(
    (store, consortium): (&Store, &Consortium),
    peer: &Peer,
    document: &[u8],
    proof: (u64, &[Digest]),
    now: Timestamp,
) -> Result<NodeReply, Fault> {
    let (checkpoint, key) = match LedgerCheckpoint::open(document) {
        Ok(opened) => opened,
        Err(fault) => return Ok(NodeReply::Refused(fault.into())),
    };
    if checkpoint.site != peer.site {
        return Ok(NodeReply::Refused(Refusal::WrongSite));
    }
    let certificates = store.certificates(&peer.site)?;
    let mut own = certificates.iter().filter(|one| one.serial == peer.serial);
    if own.next().is_none_or(|one| one.public_key != key) {
        return Ok(NodeReply::Refused(Refusal::UnknownSigner));
    }
    let taken = store.take_checkpoint((&checkpoint, document), proof, now)?;
    waypoint::pass("coordinator.checkpoint.stored");
    if let Err(refusal) = taken {
        if refusal == Refusal::LedgerAltered {
            tracing::error!(site = %peer.site, "the node's ledger contradicts what it signed before");
        }
        return Ok(NodeReply::Refused(refusal));
    }
    // The node keeps what it has just signed to have seen.
    let shown = Shown {
        tree: checkpoint.seen,
        document: None,
    };
    answer((store, consortium), peer, shown, now)
}

fn answer(
    (store, consortium): (&Store, &Consortium),
    peer: &Peer,
    shown: Shown<'_>,
    now: Timestamp,
) -> Result<NodeReply, Fault> {
    let signer = &consortium.receipt;
    let sign = |checkpoint: AuditCheckpoint| {
        checkpoint
            .sign(&signer.key, signer.certificate.clone())
            .map_err(|_| Fault::internal("a checkpoint has no canonical form"))
    };
    let ca = consortium.ca.public();
    let given = store.give_checkpoint(&peer.site, shown, &ca, &sign, now)?;
    if given.contradicted {
        tracing::error!(
            site = %peer.site,
            "the audit trail is not the one that was signed for this site: fedval ledger verify"
        );
    }
    Ok(NodeReply::Checkpoint {
        document: given.document,
        proof: given.proof,
    })
}
