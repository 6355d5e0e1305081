//! A coordinator that lies about its record, or about what it has seen of the node's: with its own
//! true key, or without. It gets no release before the node believes it.

use std::time::Duration;

use coordinator::link::system_now;
use shared::identity::{Digest, TreeHead};
use shared::wire::{AuditCheckpoint, NodeReply, NodeRequest, Refusal};

use crate::{Lair, SITE};

fn head(size: u64) -> TreeHead {
    TreeHead {
        size,
        root: Digest::of(&size.to_be_bytes()),
    }
}

/// A checkpoint that the coordinator's own key has signed.
fn said(lair: &Lair, change: impl FnOnce(&mut AuditCheckpoint)) -> NodeReply {
    let mut checkpoint = AuditCheckpoint {
        site: SITE.parse().unwrap(),
        tree: head(9),
        seen: TreeHead::empty(),
        at: system_now(),
    };
    change(&mut checkpoint);
    let key = &lair.hostile.consortium.receipt;
    let document = checkpoint.sign(&key.key, key.certificate.clone()).unwrap();
    NodeReply::Checkpoint {
        document,
        proof: Vec::new(),
    }
}

/// The same acknowledgement from a coordinator that has no checkpoints.
pub(crate) fn in_version_2(reply: NodeReply) -> NodeReply {
    match reply {
        NodeReply::HelloAck {
            now, last_receipt, ..
        } => NodeReply::HelloAck {
            version: 2,
            now,
            last_receipt,
        },
        reply => reply,
    }
}

/// How often the node began anew.
fn greetings(heard: &[NodeRequest]) -> usize {
    let hello = |request: &&NodeRequest| matches!(request, NodeRequest::Hello { .. });
    heard.iter().filter(hello).count()
}

fn greeted(heard: &[NodeRequest]) -> bool {
    let asks = |request: &&NodeRequest| matches!(request, NodeRequest::Poll { .. });
    heard.iter().any(|request| asks(&request))
}

#[tokio::test(flavor = "multi_thread")]
async fn what_the_coordinator_did_not_sign_for_this_site_ends_the_connection() {
    let mut lair = Lair::open().await;
    let other = said(&lair, |checkpoint| {
        checkpoint.site = "cleveland".parse().unwrap();
    });
    let key = &lair.hostile.consortium.signing;
    let wrong_key = AuditCheckpoint {
        site: SITE.parse().unwrap(),
        tree: head(9),
        seen: TreeHead::empty(),
        at: system_now(),
    };
    let wrong_key = NodeReply::Checkpoint {
        document: wrong_key.sign(&key.key, key.certificate.clone()).unwrap(),
        proof: Vec::new(),
    };
    let nonsense = NodeReply::Checkpoint {
        document: b"{}".to_vec(),
        proof: vec![Digest::of(b"x"); 64],
    };
    let busy = NodeReply::Refused(Refusal::Busy);
    let lies = vec![other, wrong_key, nonsense, NodeReply::Ack, busy];
    let count = lies.len();
    *lair.hostile.checkpoints.lock().unwrap() = lies;
    lair.start();
    // Nothing but greetings and questions for the record, until the record is shown.
    lair.until("work", greeted).await;
    let heard = lair.heard();
    assert!(greetings(&heard) > count, "{heard:?}");
    let first = heard
        .iter()
        .position(|one| matches!(one, NodeRequest::Poll { .. }));
    for request in &heard[..first.unwrap()] {
        let harmless = matches!(
            request,
            NodeRequest::Hello { .. }
                | NodeRequest::Beat { .. }
                | NodeRequest::FetchCheckpoint { .. }
                | NodeRequest::Checkpoint { .. }
        );
        assert!(harmless, "{request:?}");
    }
}

async fn ends_with(lair: &mut Lair, lies: Vec<NodeReply>, code: &str) {
    *lair.hostile.checkpoints.lock().unwrap() = lies;
    lair.start();
    let mut node = lair.node.take().unwrap();
    for _ in 0..3_000 {
        if node.ended().is_some() {
            break;
        }
        tokio::time::sleep(Duration::from_millis(10)).await;
    }
    let words = node.words();
    assert!(words.contains(code), "{words}");
    assert_eq!(node.ended().map(|status| status.success()), Some(false));
}

#[tokio::test(flavor = "multi_thread")]
async fn a_true_signature_on_a_false_record_ends_the_node() {
    let mut lair = Lair::open().await;
    // A ledger that this node never had; one it never signed.
    let longer = said(&lair, |checkpoint| checkpoint.seen = head(3));
    ends_with(&mut lair, vec![longer], "FV-LEDGER-002").await;

    // Nine entries; then eight, nine others, and ten without a proof.
    for (size, root) in [(8, 8_u64), (9, 7), (10, 10)] {
        let nine = said(&lair, |_| {});
        let then = said(&lair, |checkpoint| {
            checkpoint.tree = TreeHead {
                size,
                root: head(root).root,
            };
        });
        ends_with(&mut lair, vec![nine, then], "FV-LEDGER-004").await;
        let mut command = lair.command();
        let words = ["ledger", "rebaseline", "--reason", "tried"];
        let done = harness::Answer::of(command.args(words));
        assert_eq!(done.code, Some(0), "{}", done.err);
        std::fs::remove_file(lair.path("node.log")).unwrap();
    }
    // Nine entries; then of a version in which nothing need be shown.
    let nine = said(&lair, |_| {});
    let busy = NodeReply::Refused(Refusal::Busy);
    *lair.hostile.older.lock().unwrap() = true;
    ends_with(&mut lair, vec![nine, busy], "does not show its record").await;
    let heard = lair.heard();
    let delivered = |request: &&NodeRequest| matches!(request, NodeRequest::Deliver { .. });
    assert_eq!(heard.iter().filter(delivered).count(), 0);
}
