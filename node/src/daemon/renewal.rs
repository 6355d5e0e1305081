//! Keeps the certificate fresh: looked at when a connection opens and every hour, renewed when
//! two thirds of its validity have passed.
//!
//! From: the identity in use.
//! To: `link`, then a connection with the new certificate.

use std::time::Duration;

use shared::wire::{NodeReply, Refusal};

use super::Node;
use super::session::{Ended, PATIENCE, unexpected};
use crate::link::{
    Link, LinkFault, NodeIdentity, Renewal, RenewalFault, SystemEntropy, system_now,
};

const BETWEEN_LOOKS: Duration = Duration::from_secs(3600);

/// Ends only with a new certificate, or with the connection.
pub(super) async fn keep(node: &Node, link: &Link) -> Ended {
    let current = node.identity();
    // The coordinator has accepted this certificate, so the ones before it are of no more use.
    if let Err(fault) = node.identity_dir.forget_superseded() {
        tracing::warn!("{fault}");
    }
    loop {
        if current.renewal_due(system_now()) {
            match renew(node, link, &current).await {
                Ok(true) => return Ended::Renewed,
                Ok(false) => {}
                Err(ended) => return ended,
            }
        }
        tokio::time::sleep(BETWEEN_LOOKS).await;
    }
}

/// One try; `false` when it must be repeated later, which a third of the validity allows.
async fn renew(node: &Node, link: &Link, current: &NodeIdentity) -> Result<bool, Ended> {
    let renewal = match Renewal::prepare(&node.identity_dir, &mut SystemEntropy) {
        Ok(renewal) => renewal,
        Err(fault) => {
            tracing::warn!("{fault}");
            return Ok(false);
        }
    };
    let now = system_now();
    match link.request(&renewal.request(), PATIENCE).await? {
        NodeReply::Certificate(certificate) => match renewal.keep(current, certificate, now) {
            Ok(renewed) => {
                tracing::info!(until = %renewed.not_after, "certificate renewed");
                node.adopt(renewed);
                Ok(true)
            }
            Err(RenewalFault::Misfit(why)) => Err(Ended::Lost(LinkFault::Misbehaved {
                why: why.to_owned(),
            })),
            Err(RenewalFault::Disk(fault)) => {
                tracing::warn!("{fault}");
                Ok(false)
            }
        },
        NodeReply::Refused(refusal) => {
            tracing::warn!(
                refusal = refusal.as_str(),
                days_left = current.days_left(now),
                "the coordinator does not renew the certificate"
            );
            if refusal == Refusal::NotAllowed
                && let Err(fault) = renewal.discard()
            {
                tracing::warn!("{fault}");
            }
            Ok(false)
        }
        NodeReply::HelloAck { .. }
        | NodeReply::Ack
        | NodeReply::Jobs(_)
        | NodeReply::Protocol(_)
        | NodeReply::Receipt { .. }
        | NodeReply::Step(_)
        | NodeReply::NoStep { .. }
        | NodeReply::Checkpoint { .. } => Err(Ended::Lost(unexpected())),
    }
}
