//! Exchanges checkpoints with the coordinator: before anything else on a connection, after every
//! change of the ledger, and every hour.
//!
//! From: `session` (the link), the ledger.
//! To: the coordinator, which keeps this node's word; the store, which keeps the coordinator's.

use std::time::Duration;

use shared::fault::Fault;
use shared::identity::Digest;
use shared::wire::message::WIRE_VERSION_CHECKPOINTS;
use shared::wire::{AuditCheckpoint, LedgerCheckpoint, NodeReply, NodeRequest, Refusal};

use super::Node;
use super::session::{Ended, PATIENCE, unexpected};
use crate::link::{Link, LinkFault, system_now};
use crate::store::CheckpointKind;
use crate::waypoint;
use crate::witness::{self, Rejected};

const BETWEEN: Duration = Duration::from_secs(3600);

/// Goes on exchanging; a coordinator of an older version has no checkpoints.
pub(super) async fn keep(node: &Node, link: &Link) -> Ended {
    if link.acknowledged().version < WIRE_VERSION_CHECKPOINTS {
        std::future::pending::<()>().await;
    }
    loop {
        match once(node, link).await {
            Ok(()) => {}
            Err(ended) => return ended,
        }
    }
}

/// Waits for a longer ledger or for an hour, then exchanges.
async fn once(node: &Node, link: &Link) -> Result<(), Ended> {
    let told = witness::held(&node.store, &node.identity())?.map_or(0, |held| held.seen.size);
    let until = tokio::time::Instant::now() + BETWEEN;
    loop {
        // Registered before the store is read, so that no change falls between.
        let changed = node.changed.notified();
        tokio::pin!(changed);
        changed.as_mut().enable();
        if node.store.head()?.entries > told {
            break;
        }
        if tokio::time::timeout_at(until, changed).await.is_err() {
            break;
        }
    }
    exchange(node, link).await.map(|_| ())
}

/// The exchange before anything else on a connection: whoever does not show the record gets
/// nothing. A coordinator that has never shown one may be of an older version.
pub(super) async fn first(node: &Node, link: &Link) -> Result<(), Ended> {
    if link.acknowledged().version >= WIRE_VERSION_CHECKPOINTS {
        let shown = exchange(node, link).await?;
        return if shown {
            Ok(())
        } else {
            Err(Ended::Lost(LinkFault::Busy))
        };
    }
    match witness::held(&node.store, &node.identity())? {
        None => Ok(()),
        Some(held) => Err(Ended::Fault(witness::no_longer_shown(&held))),
    }
}

/// One exchange: the coordinator's word, this node's word, the coordinator's word on it. `false`
/// when the coordinator had no time.
async fn exchange(node: &Node, link: &Link) -> Result<bool, Ended> {
    let fetch = NodeRequest::FetchCheckpoint {
        held: node.store.held_checkpoint()?.unwrap_or_default(),
    };
    let Some((document, proof)) = ask(link, &fetch).await? else {
        return Ok(false);
    };
    let theirs = take(node, &document, &proof)?;
    let Some((request, told)) = own(node, &theirs)? else {
        return Ok(true);
    };
    waypoint::pass("node.checkpoint.signed");
    let Some((document, proof)) = ask(link, &request).await? else {
        return Ok(false);
    };
    let theirs = take(node, &document, &proof)?;
    waypoint::pass("node.checkpoint.kept");
    if theirs.seen.size < told {
        return Err(Ended::Lost(LinkFault::Misbehaved {
            why: "the coordinator's checkpoint does not name the ledger it was shown".to_owned(),
        }));
    }
    tracing::debug!(
        ledger = theirs.seen.size,
        trail = theirs.tree.size,
        "checkpoints exchanged"
    );
    Ok(true)
}

/// The coordinator's checkpoint and its proof; `None` when it has no time now.
async fn ask(link: &Link, request: &NodeRequest) -> Result<Option<(Vec<u8>, Vec<Digest>)>, Ended> {
    match link.request(request, PATIENCE).await? {
        NodeReply::Checkpoint { document, proof } => Ok(Some((document, proof))),
        NodeReply::Refused(Refusal::Busy) => {
            tokio::time::sleep(Duration::from_secs(1)).await;
            Ok(None)
        }
        NodeReply::Refused(refusal) => Err(Ended::Lost(LinkFault::Refused(refusal))),
        NodeReply::HelloAck { .. }
        | NodeReply::Ack
        | NodeReply::Jobs(_)
        | NodeReply::Protocol(_)
        | NodeReply::Receipt { .. }
        | NodeReply::Certificate(_)
        | NodeReply::Step(_)
        | NodeReply::NoStep { .. } => Err(Ended::Lost(unexpected())),
    }
}

/// Checks and keeps a checkpoint of the coordinator's; one that contradicts what it signed before
/// is kept as evidence, beside the other.
fn take(node: &Node, document: &[u8], proof: &[Digest]) -> Result<AuditCheckpoint, Ended> {
    let identity = node.identity();
    let held = witness::held(&node.store, &identity)?;
    let (tree, _) = node.store.tree()?;
    let signed = witness::signed(&node.store.checkpoints()?, &identity);
    let checked = witness::check(
        &identity,
        (&tree, &signed),
        held.as_ref(),
        (document, proof),
    );
    match checked {
        Ok(checkpoint) => {
            node.store
                .keep_checkpoint(CheckpointKind::Held, document, &[])?;
            Ok(checkpoint)
        }
        Err(Rejected::Form(why)) => Err(Ended::Lost(LinkFault::Misbehaved {
            why: why.to_owned(),
        })),
        Err(Rejected::Contradicts(fault)) => {
            node.store
                .keep_checkpoint(CheckpointKind::Refused, document, &[])?;
            Err(Ended::Fault(fault))
        }
        Err(Rejected::Ledger(fault)) => Err(Ended::Fault(fault)),
    }
}

/// This node's checkpoint with the proof from what the coordinator has seen, and its size; `None`
/// when both have said all of it already.
fn own(node: &Node, theirs: &AuditCheckpoint) -> Result<Option<(NodeRequest, u64)>, Fault> {
    let identity = node.identity();
    let (tree, head) = node.store.tree()?;
    let before = node.store.own_checkpoint()?;
    let opened = before.as_deref().map(LedgerCheckpoint::open);
    let same = opened.is_some_and(|opened| {
        opened.is_ok_and(|(own, key)| {
            own.tree == tree.head() && own.seen == theirs.tree && key == identity.key().public()
        })
    });
    if same && theirs.seen == tree.head() {
        return Ok(None);
    }
    let document = match before {
        Some(document) if same => document,
        Some(_) | None => {
            let checkpoint = LedgerCheckpoint {
                site: identity.site.clone(),
                tree: tree.head(),
                head: head.hash,
                seen: theirs.tree,
                at: system_now(),
            };
            let document = checkpoint
                .sign(identity.key())
                .map_err(|fault| Fault::internal(format!("a checkpoint: {fault}")))?;
            let certificate = identity.certificate_der();
            node.store
                .keep_checkpoint(CheckpointKind::Own, &document, certificate)?;
            document
        }
    };
    let proof = tree.since(theirs.seen.size);
    let proof = proof.ok_or_else(|| Fault::internal("the ledger became shorter"))?;
    let request = NodeRequest::Checkpoint {
        document,
        from: theirs.seen.size,
        proof,
    };
    Ok(Some((request, tree.size())))
}
