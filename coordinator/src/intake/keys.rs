//! Every key of a release exists in the protocol, and each statistic comes at most once; the
//! policy profile is one the protocol allows for this site.
//!
//! From: a received release.
//! To: findings.

use std::collections::BTreeSet;

use shared::disclosure::Profile;
use shared::disclosure::document::ReceivedRelease;
use shared::statistic::contingency::ContingencyKind;
use shared::statistic::listing::kind;
use shared::statistic::{Disclosed, EstimateKey, Statistic, known_answer};
use shared::study::plan;
use shared::study::{AxisId, EndpointId, ModelId, StudyProtocol, Visibility};

use super::declared;
use super::finding::Finding;

/// What tells one statistic from another of its kind.
#[derive(Clone, Debug, Default, Eq, Ord, PartialEq, PartialOrd)]
pub(super) struct Key {
    kind: &'static str,
    sub: &'static str,
    endpoint: String,
    model: String,
    other: String,
    threshold: Option<u64>,
}

/// A statistic's key as a path: `confusion p_b disease 0.5`.
pub(super) fn place(statistic: &Statistic<Disclosed>) -> String {
    let key = key(statistic);
    let mut words = vec![kind(statistic).as_str().to_owned()];
    let threshold = key
        .threshold
        .map(|bits| f64::from_bits(bits).to_string())
        .unwrap_or_default();
    let parts = [
        key.sub.to_owned(),
        key.model,
        key.other,
        key.endpoint,
        threshold,
    ];
    words.extend(parts.into_iter().filter(|word| !word.is_empty()));
    words.join(" ")
}

fn key(statistic: &Statistic<Disclosed>) -> Key {
    let base = |endpoint: &EndpointId| Key {
        kind: kind(statistic).as_str(),
        endpoint: endpoint.to_string(),
        ..Key::default()
    };
    let scored = |endpoint: &EndpointId, model: &ModelId| Key {
        model: model.to_string(),
        ..base(endpoint)
    };
    match statistic {
        Statistic::Flow(it) => base(&it.endpoint),
        Statistic::Characteristics(it) => base(&it.endpoint),
        Statistic::Confusion(it) => Key {
            threshold: Some(it.threshold.to_bits()),
            ..scored(&it.endpoint, &it.model)
        },
        Statistic::Auc(it) => scored(&it.endpoint, &it.model),
        Statistic::PairedAuc(it) => Key {
            other: it.comparator.to_string(),
            ..scored(&it.endpoint, &it.model)
        },
        Statistic::Histogram(it) => scored(&it.endpoint, &it.model),
        Statistic::ObservedExpected(it) => scored(&it.endpoint, &it.model),
        Statistic::Estimate(it) => Key {
            sub: it.key.metric.entry().slug,
            other: estimate_other(&it.key),
            threshold: it
                .key
                .threshold
                .or(it.key.tolerance_mm)
                .or(it.key.false_positives_per_scan)
                .map(f64::to_bits),
            ..scored(&it.key.endpoint, &it.key.model)
        },
        Statistic::CalibrationBins(it) => scored(&it.endpoint, &it.model),
        Statistic::CalibrationBlock(it) => scored(&it.endpoint, &it.model),
        Statistic::SubgroupTable(it) => Key {
            other: it.axis.to_string(),
            ..scored(&it.endpoint, &it.model)
        },
        Statistic::Missing(it) => scored(&it.endpoint, &it.model),
        Statistic::Contingency(it) => Key {
            sub: contingency_word(it.kind),
            other: it.axis.to_string(),
            model: it
                .model
                .as_ref()
                .map(ToString::to_string)
                .unwrap_or_default(),
            threshold: it.threshold.map(f64::to_bits),
            ..base(&it.endpoint)
        },
        Statistic::Discordance(it) => Key {
            other: it.comparator.to_string(),
            threshold: Some(it.threshold.to_bits()),
            ..scored(&it.endpoint, &it.model)
        },
        Statistic::Permutation(it) => scored(&it.endpoint, &it.model),
        Statistic::Segmentation(it) => scored(&it.endpoint, &it.model),
        Statistic::Lesions(it) => scored(&it.endpoint, &it.model),
        Statistic::Detection(it) => scored(&it.endpoint, &it.model),
    }
}

fn contingency_word(kind: ContingencyKind) -> &'static str {
    match kind {
        ContingencyKind::OutcomeBySubgroup => "outcome-by-subgroup",
        ContingencyKind::ErrorBySubgroup => "error-by-subgroup",
        ContingencyKind::CompletenessByOutcome => "completeness-by-outcome",
    }
}

/// Checks keys and profile.
pub(super) fn check(
    release: &ReceivedRelease,
    protocol: &StudyProtocol,
    findings: &mut Vec<Finding>,
) {
    header(release, protocol, findings);
    let planned = plan::kinds(protocol);
    let mut seen = BTreeSet::new();
    for statistic in &release.statistics {
        let place = place(statistic);
        if !planned.contains(&kind(statistic)) {
            findings.push(Finding::new(
                "planned",
                &place,
                "the protocol does not plan it",
            ));
        }
        if !seen.insert(key(statistic)) {
            findings.push(Finding::new("once", &place, "it comes twice"));
        }
        for what in declared::unknown(statistic, protocol) {
            findings.push(Finding::new("declared", &place, what));
        }
    }
}

/// Checks what the header says about version, program and policy.
pub(super) fn header(
    release: &ReceivedRelease,
    protocol: &StudyProtocol,
    findings: &mut Vec<Finding>,
) {
    let header = &release.header;
    if header.study_version != protocol.version {
        findings.push(Finding::new(
            "declared",
            "header.study_version",
            "it is not the locked protocol's version",
        ));
    }
    if header.software.is_empty() || header.software.len() > 64 {
        findings.push(Finding::new(
            "declared",
            "header.software",
            "it does not name a program",
        ));
    }
    if let Some(number) = known_answer::differs(&header.known_answer) {
        findings.push(Finding::new(
            "known-answer",
            "header.known_answer",
            format!(
                "{} makes something else of a table whose answer is known: {number}",
                header.software
            ),
        ));
    }
    let policy = &header.policy;
    if policy.profile == Profile::OpenData.as_str() {
        let listed = protocol
            .public_dataset
            .iter()
            .any(|data| data.site == header.site);
        if protocol.visibility != Visibility::Public || !listed {
            findings.push(Finding::new(
                "open-data",
                "header.policy.profile",
                "the protocol lists no public data set for this site",
            ));
        }
    } else if policy.min_cell < protocol.disclosure.min_cell {
        findings.push(Finding::new(
            "min-cell",
            "header.policy.min_cell",
            "it is below what the protocol asks for",
        ));
    }
    // A name that is not known promises nothing.
    let profile = Profile::parse(&policy.profile);
    let least = profile.map(|profile| (profile.least_cell(), profile.least_rounding()));
    match least {
        None => findings.push(Finding::new(
            "declared",
            "header.policy.profile",
            "it is no profile",
        )),
        Some((cell, _)) if policy.min_cell < cell => findings.push(Finding::new(
            "min-cell",
            "header.policy.min_cell",
            "it is below what the profile's name promises",
        )),
        Some(_) => {}
    }
    if policy.rounding < least.map_or(1, |least| least.1) || policy.rounding > 1000 {
        findings.push(Finding::new(
            "declared",
            "header.policy.rounding",
            "it is no rounding base",
        ));
    }
}

/// The rest of an estimate's key in one word.
fn estimate_other(key: &EstimateKey) -> String {
    let parts = [
        key.comparator.as_ref().map(ToString::to_string),
        key.axis.as_ref().map(ToString::to_string),
        key.level.clone(),
        key.prevalence.map(|share| share.to_string()),
        key.sensitivity.clone(),
    ];
    let parts: Vec<String> = parts.into_iter().flatten().collect();
    parts.join(" ")
}

/// The declared levels of an axis, `not recorded` last.
pub(super) fn levels(protocol: &StudyProtocol, id: &AxisId) -> Vec<String> {
    let axis = protocol.subgroup.iter().find(|axis| axis.id == *id);
    axis.and_then(|axis| Some(axis.levels(protocol.find_field(&axis.field)?)))
        .unwrap_or_default()
}
