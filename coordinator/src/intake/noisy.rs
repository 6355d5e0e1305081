//! A release under differential privacy: counts with noise of every declared histogram and nothing
//! else; any other release has none. The counts themselves are noise to within a few times its
//! size, so little can be said against them.
//!
//! From: a received release.
//! To: findings.

use shared::disclosure::document::ReceivedRelease;
use shared::disclosure::noise::{NoisePlan, NoiseStamp, groups, histograms};
use shared::study::StudyProtocol;

use super::finding::Finding;

/// A count this many times the noise's standard deviation below zero is not one that noise made.
const IMPOSSIBLE: f64 = 60.0;

/// Checks what a release says with noise.
pub(super) fn check(
    release: &ReceivedRelease,
    protocol: &StudyProtocol,
    findings: &mut Vec<Finding>,
) {
    let mut found = |at: &str, why: &str| findings.push(Finding::new("noise", at, why));
    let Some(stamp) = &release.header.policy.noise else {
        if !release.noisy.is_empty() {
            found(
                "noisy",
                "there are counts with noise, and the policy names no noise",
            );
        }
        return;
    };
    if !release.statistics.is_empty() {
        found(
            "statistics",
            "a release with noise says something without noise",
        );
    }
    if release.header.clustered != (stamp.rows_per_patient > 1) {
        found(
            "header",
            "whether patients repeat does not follow from the policy",
        );
    }
    let asked = histograms(protocol);
    if !plausible(stamp, asked.len() as u64) {
        found(
            "header",
            "the noise does not follow from its own epsilon and the protocol",
        );
    }
    let named = release.noisy.iter().map(|one| (&one.model, &one.endpoint));
    if !named.eq(asked.iter().map(|(model, endpoint)| (model, endpoint))) {
        found("noisy", "the histograms are not those of the protocol");
    }
    let blocks = groups(protocol, stamp.blocks).len();
    let least = -IMPOSSIBLE * stamp.spread().variance.sqrt();
    for one in &release.noisy {
        let at = format!("histogram {} {}", one.model, one.endpoint);
        for class in [&one.events, &one.non_events] {
            if class.len() != blocks {
                found(&at, "the blocks are not those of the grid");
            }
            #[allow(clippy::cast_precision_loss, reason = "a bound, not a count")]
            if class.iter().any(|count| (*count as f64) < least) {
                found(
                    &at,
                    "a count lies further below zero than its noise can take it",
                );
            }
        }
    }
}

/// Whether some policy that this program accepts gives this noise.
fn plausible(stamp: &NoiseStamp, histograms: u64) -> bool {
    let plan = NoisePlan {
        mechanism: stamp.mechanism,
        epsilon_per_release: stamp.epsilon,
        epsilon_budget: stamp.epsilon,
        delta: stamp.delta,
        rows_per_patient: stamp.rows_per_patient,
        blocks: stamp.blocks,
    };
    plan.check().is_ok() && plan.stamp(histograms).as_ref() == Some(stamp)
}
