//! A step's release answers its step: each model and endpoint once, evaluated where the sums
//! lead, with the counts of the steps before, and with sums that a block can have.
//!
//! From: a received release, the step it names.
//! To: findings.

use shared::disclosure::document::ReceivedRelease;
use shared::disclosure::policy::Profile;
use shared::numeric::logistic::NewtonBlock;
use shared::statistic::Disclosed;
use shared::statistic::calibration_block::{CalibrationBlock, Track, find};
use shared::study::StudyProtocol;
use shared::study::step::{Point, Step};

use super::finding::Finding;
use super::{cells, keys};

/// Everything the release contradicts; `before` are the site's releases of the earlier steps.
pub(super) fn check(
    release: &ReceivedRelease,
    protocol: &StudyProtocol,
    step: &Step,
    before: &[ReceivedRelease],
) -> Vec<Finding> {
    let mut findings = Vec::new();
    let profile = release.header.policy.profile.as_str();
    if ![Profile::OpenData, Profile::Dua]
        .map(Profile::as_str)
        .contains(&profile)
    {
        let what = "no other profile than open-data and dua releases blocks";
        findings.push(Finding::new("step-profile", "policy", what));
    }
    keys::header(release, protocol, &mut findings);
    cells::check(release, &mut findings);
    let Some(tracks) = Track::replay(protocol, &step.opened) else {
        return findings;
    };
    if release.statistics.len() != tracks.len() {
        let what = "a step holds one block for each model and endpoint";
        findings.push(Finding::new("step-keys", "statistics", what));
    }
    for (track, point) in tracks.iter().zip(&step.at) {
        let place = format!("{} {} step {}", point.model, point.endpoint, step.step);
        let mut add = |rule, what: &str| findings.push(Finding::new(rule, place.as_str(), what));
        let Some(block) = find(&release.statistics, &point.model, &point.endpoint) else {
            add("step-keys", "the block is missing");
            continue;
        };
        if !is_at(block, point) {
            add("step-place", "the block is evaluated at another place");
        }
        let (Some(joint), Some(own)) = (block.joint_block(), block.own_block()) else {
            add("step-exact", "a part of the block is not exact");
            continue;
        };
        if !(possible(&joint) && possible(&own)) {
            add("step-sums", "no rows have such sums");
        }
        let earlier: Vec<NewtonBlock> = before
            .iter()
            .filter_map(|release| find(&release.statistics, &point.model, &point.endpoint))
            .filter_map(CalibrationBlock::own_block)
            .collect();
        let same = |block: &NewtonBlock| (block.n, block.events) == (joint.n, joint.events);
        if !earlier.iter().all(same) {
            add(
                "step-counts",
                "the counts differ from those of an earlier step",
            );
        }
        let own_at = track.own_intercept(&earlier);
        if block.own_intercept.exact().map(f64::to_bits) != Some((own_at + 0.0).to_bits()) {
            let what = "its own intercept does not follow from its earlier blocks";
            add("step-place", what);
        }
    }
    findings
}

fn is_at(block: &CalibrationBlock<Disclosed>, point: &Point) -> bool {
    let bits = |values: [f64; 3]| values.map(f64::to_bits);
    bits([block.intercept, block.slope, block.common_slope])
        == bits([point.intercept, point.slope, point.common_slope])
}

/// A log-likelihood is not positive, a weight at most a quarter, an information matrix has no
/// negative determinant.
fn possible(block: &NewtonBlock) -> bool {
    const ROUNDING: f64 = 1e-9;
    let [aa, ab, bb] = block.information;
    #[expect(
        clippy::cast_precision_loss,
        reason = "counts above 2^53 are refused by `cells`"
    )]
    let most = block.n as f64 / 4.0;
    block.events <= block.n
        && block.loglik <= ROUNDING
        && (0.0..=most * (1.0 + ROUNDING)).contains(&aa)
        && bb >= 0.0
        && ab * ab <= aa * bb * (1.0 + ROUNDING) + ROUNDING
}
