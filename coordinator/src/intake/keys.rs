//! Every key of a release exists in the protocol, and each statistic comes at most once; the
//! policy profile is one the protocol allows for this site.
//!
//! From: a received release.
//! To: findings.

use std::collections::BTreeSet;

use shared::disclosure::document::ReceivedRelease;
use shared::statistic::contingency::{Contingency, ContingencyKind};
use shared::statistic::metric::Topic;
use shared::statistic::{Disclosed, EstimateKey, Metric, Statistic, missing};
use shared::study::plan::{self, StatisticKind};
use shared::study::{AxisId, EndpointId, ModelId, ModelRole, StudyProtocol, Visibility};

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

fn kind(statistic: &Statistic<Disclosed>) -> StatisticKind {
    match statistic {
        Statistic::Flow(_) => StatisticKind::Flow,
        Statistic::Characteristics(_) => StatisticKind::Characteristics,
        Statistic::Confusion(_) => StatisticKind::Confusion,
        Statistic::Auc(_) => StatisticKind::Auc,
        Statistic::PairedAuc(_) => StatisticKind::PairedAuc,
        Statistic::Histogram(_) => StatisticKind::Histogram,
        Statistic::ObservedExpected(_) => StatisticKind::ObservedExpected,
        Statistic::Estimate(it) if it.key.is_declared_sensitivity() => StatisticKind::Sensitivity,
        Statistic::Estimate(it) => it.key.metric.entry().kind,
        Statistic::CalibrationBins(_) => StatisticKind::CalibrationBins,
        Statistic::SubgroupTable(_) => StatisticKind::Subgroup,
        Statistic::Contingency(_) => StatisticKind::Contingency,
        Statistic::Discordance(_) => StatisticKind::Discordance,
        Statistic::Permutation(_) => StatisticKind::Permutation,
        Statistic::CalibrationBlock(_) => StatisticKind::CalibrationBlock,
        Statistic::Missing(_) => StatisticKind::Missing,
    }
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
            threshold: it.key.threshold.map(f64::to_bits),
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
        for what in unknown(statistic, protocol) {
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
    let policy = &header.policy;
    if policy.profile == "open-data" {
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
    if policy.rounding == 0 || policy.rounding > 1000 {
        findings.push(Finding::new(
            "declared",
            "header.policy.rounding",
            "it is no rounding base",
        ));
    }
}

/// Names in a statistic that the protocol does not declare.
fn unknown(statistic: &Statistic<Disclosed>, protocol: &StudyProtocol) -> Vec<String> {
    let mut wrong = Vec::new();
    match statistic {
        Statistic::Flow(it) => endpoint(protocol, &it.endpoint, &mut wrong),
        Statistic::Characteristics(it) => endpoint(protocol, &it.endpoint, &mut wrong),
        Statistic::Confusion(it) => {
            endpoint(protocol, &it.endpoint, &mut wrong);
            model(protocol, &it.model, &mut wrong);
            threshold(protocol, &it.model, &it.endpoint, it.threshold, &mut wrong);
        }
        Statistic::Auc(it) => {
            endpoint(protocol, &it.endpoint, &mut wrong);
            model(protocol, &it.model, &mut wrong);
        }
        Statistic::PairedAuc(it) => {
            endpoint(protocol, &it.endpoint, &mut wrong);
            role(protocol, &it.model, ModelRole::Index, &mut wrong);
            role(protocol, &it.comparator, ModelRole::Comparator, &mut wrong);
        }
        Statistic::Histogram(it) => {
            endpoint(protocol, &it.endpoint, &mut wrong);
            model(protocol, &it.model, &mut wrong);
        }
        Statistic::ObservedExpected(it) => {
            endpoint(protocol, &it.endpoint, &mut wrong);
            model(protocol, &it.model, &mut wrong);
        }
        Statistic::Estimate(it) => estimate(protocol, &it.key, &mut wrong),
        Statistic::CalibrationBins(it) => {
            endpoint(protocol, &it.endpoint, &mut wrong);
            model(protocol, &it.model, &mut wrong);
        }
        Statistic::CalibrationBlock(it) => {
            endpoint(protocol, &it.endpoint, &mut wrong);
            model(protocol, &it.model, &mut wrong);
        }
        Statistic::SubgroupTable(it) => {
            endpoint(protocol, &it.endpoint, &mut wrong);
            model(protocol, &it.model, &mut wrong);
            axis(protocol, &it.axis, &mut wrong);
            let first = protocol
                .thresholds(&it.model, &it.endpoint)
                .first()
                .copied();
            if first.map(f64::to_bits) != Some(it.threshold.to_bits()) {
                wrong.push("its threshold is not the protocol's first for this model".into());
            }
        }
        Statistic::Missing(it) => {
            endpoint(protocol, &it.endpoint, &mut wrong);
            model(protocol, &it.model, &mut wrong);
            let edges = missing::edges(protocol, &it.model, &it.endpoint);
            let bands = it.no_reference.iter().map(|band| [band.low, band.high]);
            if !bands.eq(edges.windows(2).map(|ends| [ends[0], ends[1]])) {
                wrong.push("its bands are not cut at the declared thresholds".into());
            }
        }
        Statistic::Contingency(it) => {
            endpoint(protocol, &it.endpoint, &mut wrong);
            axis(protocol, &it.axis, &mut wrong);
            contingency(protocol, it, &mut wrong);
        }
        Statistic::Discordance(it) => {
            endpoint(protocol, &it.endpoint, &mut wrong);
            role(protocol, &it.model, ModelRole::Index, &mut wrong);
            role(protocol, &it.comparator, ModelRole::Comparator, &mut wrong);
            let bits = |pair: (f64, f64)| (pair.0.to_bits(), pair.1.to_bits());
            let pairs = protocol.paired_thresholds(&it.model, &it.comparator, &it.endpoint);
            let found = bits((it.threshold, it.comparator_threshold));
            if !pairs.into_iter().any(|pair| bits(pair) == found) {
                wrong.push("the protocol does not pair these thresholds".into());
            }
        }
        Statistic::Permutation(it) => {
            endpoint(protocol, &it.endpoint, &mut wrong);
            model(protocol, &it.model, &mut wrong);
            if it.shuffled.as_ref().map(|found| found.plan) != protocol.permutation {
                wrong.push("its shuffles are not those the protocol asks for".into());
            }
        }
    }
    wrong
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

fn estimate(protocol: &StudyProtocol, key: &EstimateKey, wrong: &mut Vec<String>) {
    endpoint(protocol, &key.endpoint, wrong);
    model(protocol, &key.model, wrong);
    if let Some(comparator) = &key.comparator {
        role(protocol, comparator, ModelRole::Comparator, wrong);
    }
    if let Some(value) = key.threshold {
        if key.metric.entry().kind == StatisticKind::NetBenefit {
            let curve = protocol.curve_thresholds(&key.model, &key.endpoint);
            among(&curve, value, wrong);
        } else {
            threshold(protocol, &key.model, &key.endpoint, value, wrong);
        }
    }
    match (&key.axis, &key.level) {
        (None, None) => {}
        (Some(id), Some(level)) => {
            axis(protocol, id, wrong);
            if !levels(protocol, id).contains(level) {
                wrong.push(format!("level \"{level}\" is not declared"));
            }
        }
        (Some(_), None) | (None, Some(_)) => {
            wrong.push("an axis and a level go together".into());
        }
    }
    let at_prevalence = matches!(
        key.metric,
        Metric::PpvAtPrevalence | Metric::NpvAtPrevalence
    );
    let declared = key
        .prevalence
        .is_none_or(|share| protocol.target_prevalences(&key.endpoint).contains(&share));
    if !declared || (at_prevalence && key.prevalence.is_none()) {
        wrong.push("its prevalence is not one that the protocol declares".into());
    }
    if key.metric.entry().topic == Topic::Threshold && key.threshold.is_none() {
        wrong.push("it names no threshold".into());
    }
    let clip = key.metric == Metric::CalibrationSlope && key.is_clip_sensitivity();
    let listed = |id: &String| protocol.sensitivity.iter().any(|one| one.id == *id);
    if !clip && key.sensitivity.as_ref().is_some_and(|id| !listed(id)) {
        wrong.push("the protocol declares no such analysis".into());
    }
}

fn endpoint(protocol: &StudyProtocol, id: &EndpointId, wrong: &mut Vec<String>) {
    if protocol.find_endpoint(id).is_none() {
        wrong.push(format!("endpoint \"{id}\" is not declared"));
    }
}

fn model(protocol: &StudyProtocol, id: &ModelId, wrong: &mut Vec<String>) {
    if protocol.find_model(id).is_none() {
        wrong.push(format!("model \"{id}\" is not declared"));
    }
}

fn role(protocol: &StudyProtocol, id: &ModelId, role: ModelRole, wrong: &mut Vec<String>) {
    if protocol
        .find_model(id)
        .is_none_or(|model| model.role != role)
    {
        wrong.push(format!("model \"{id}\" does not have this role"));
    }
}

fn axis(protocol: &StudyProtocol, id: &AxisId, wrong: &mut Vec<String>) {
    if protocol.subgroup.iter().all(|axis| axis.id != *id) {
        wrong.push(format!("axis \"{id}\" is not declared"));
    }
}

fn threshold(
    protocol: &StudyProtocol,
    model: &ModelId,
    endpoint: &EndpointId,
    value: f64,
    wrong: &mut Vec<String>,
) {
    among(&protocol.thresholds(model, endpoint), value, wrong);
}

fn among(declared: &[f64], value: f64, wrong: &mut Vec<String>) {
    if declared
        .iter()
        .all(|known| known.to_bits() != value.to_bits())
    {
        wrong.push(format!("threshold {value} is not declared"));
    }
}

fn contingency(protocol: &StudyProtocol, it: &Contingency<Disclosed>, wrong: &mut Vec<String>) {
    match (it.kind, &it.model, it.threshold) {
        (ContingencyKind::ErrorBySubgroup, Some(id), Some(value)) => {
            model(protocol, id, wrong);
            threshold(protocol, id, &it.endpoint, value, wrong);
        }
        (ContingencyKind::ErrorBySubgroup, _, _) => {
            wrong.push("errors need a model and a threshold".into());
        }
        (
            ContingencyKind::OutcomeBySubgroup | ContingencyKind::CompletenessByOutcome,
            None,
            None,
        ) => {}
        (ContingencyKind::OutcomeBySubgroup | ContingencyKind::CompletenessByOutcome, _, _) => {
            wrong.push("only errors have a model and a threshold".into());
        }
    }
}

/// The declared levels of an axis, `not recorded` last.
pub(super) fn levels(protocol: &StudyProtocol, id: &AxisId) -> Vec<String> {
    let axis = protocol.subgroup.iter().find(|axis| axis.id == *id);
    axis.and_then(|axis| Some(axis.levels(protocol.find_field(&axis.field)?)))
        .unwrap_or_default()
}
