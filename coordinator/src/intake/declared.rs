//! Declared names: endpoints, models, axes, levels and thresholds of a statistic's key are the
//! protocol's.
//!
//! From: a received release.
//! To: `keys`, which turns them into findings.

use shared::statistic::contingency::{Contingency, ContingencyKind};
use shared::statistic::detection::Detection;
use shared::statistic::discordance::Discordance;
use shared::statistic::metric::Topic;
use shared::statistic::missing::{self, Missing};
use shared::statistic::permutation::Permutation;
use shared::statistic::subgroup::SubgroupTable;
use shared::statistic::{Disclosed, EstimateKey, Metric, Statistic};
use shared::study::plan::StatisticKind;
use shared::study::validate::SIZE_AXIS;
use shared::study::{AxisId, CandidatePlan, EndpointId, ModelId, ModelRole, StudyProtocol};

use super::keys::levels;

/// Names in a statistic that the protocol does not declare.
pub(super) fn unknown(statistic: &Statistic<Disclosed>, protocol: &StudyProtocol) -> Vec<String> {
    let mut wrong = Vec::new();
    match statistic {
        Statistic::Flow(it) => endpoint(protocol, &it.endpoint, &mut wrong),
        Statistic::Characteristics(it) => endpoint(protocol, &it.endpoint, &mut wrong),
        Statistic::Confusion(it) => {
            scored(protocol, &it.endpoint, &it.model, &mut wrong);
            threshold(protocol, &it.model, &it.endpoint, it.threshold, &mut wrong);
        }
        Statistic::Auc(it) => scored(protocol, &it.endpoint, &it.model, &mut wrong),
        Statistic::PairedAuc(it) => {
            endpoint(protocol, &it.endpoint, &mut wrong);
            pair(protocol, &it.model, &it.comparator, &mut wrong);
        }
        Statistic::Histogram(it) => scored(protocol, &it.endpoint, &it.model, &mut wrong),
        Statistic::ObservedExpected(it) => scored(protocol, &it.endpoint, &it.model, &mut wrong),
        Statistic::Estimate(it) => estimate(protocol, &it.key, &mut wrong),
        Statistic::CalibrationBins(it) => scored(protocol, &it.endpoint, &it.model, &mut wrong),
        Statistic::CalibrationBlock(it) => scored(protocol, &it.endpoint, &it.model, &mut wrong),
        Statistic::SubgroupTable(it) => subgroup_table(protocol, it, &mut wrong),
        Statistic::Missing(it) => absent(protocol, it, &mut wrong),
        Statistic::Contingency(it) => contingency(protocol, it, &mut wrong),
        Statistic::Discordance(it) => discordance(protocol, it, &mut wrong),
        Statistic::Permutation(it) => permutation(protocol, it, &mut wrong),
        Statistic::Segmentation(it) => scored(protocol, &it.endpoint, &it.model, &mut wrong),
        Statistic::Lesions(it) => scored(protocol, &it.endpoint, &it.model, &mut wrong),
        Statistic::Detection(it) => detection(protocol, it, &mut wrong),
    }
    wrong
}

fn candidates<'a>(protocol: &'a StudyProtocol, id: &EndpointId) -> Option<&'a CandidatePlan> {
    let structure = protocol.find_endpoint(id)?.structure.as_ref()?;
    structure.candidates.as_ref()
}

fn detection(protocol: &StudyProtocol, it: &Detection<Disclosed>, wrong: &mut Vec<String>) {
    scored(protocol, &it.endpoint, &it.model, wrong);
    let edges = candidates(protocol, &it.endpoint).map(|plan| plan.score_edges.iter());
    let edges = edges.into_iter().flatten().map(|edge| edge.to_bits());
    if !edges.eq(it.called.iter().map(|at| at.score.to_bits())) {
        wrong.push("its scores are not the protocol's grid".into());
    }
}

/// A model's scores for an endpoint.
fn scored(
    protocol: &StudyProtocol,
    for_endpoint: &EndpointId,
    by_model: &ModelId,
    wrong: &mut Vec<String>,
) {
    endpoint(protocol, for_endpoint, wrong);
    model(protocol, by_model, wrong);
}

/// An index model and a comparator.
fn pair(protocol: &StudyProtocol, index: &ModelId, comparator: &ModelId, wrong: &mut Vec<String>) {
    role(protocol, index, ModelRole::Index, wrong);
    role(protocol, comparator, ModelRole::Comparator, wrong);
}

fn subgroup_table(
    protocol: &StudyProtocol,
    it: &SubgroupTable<Disclosed>,
    wrong: &mut Vec<String>,
) {
    scored(protocol, &it.endpoint, &it.model, wrong);
    axis(protocol, &it.axis, wrong);
    let first = protocol
        .thresholds(&it.model, &it.endpoint)
        .first()
        .copied();
    if first.map(f64::to_bits) != Some(it.threshold.to_bits()) {
        wrong.push("its threshold is not the protocol's first for this model".into());
    }
}

fn absent(protocol: &StudyProtocol, it: &Missing<Disclosed>, wrong: &mut Vec<String>) {
    scored(protocol, &it.endpoint, &it.model, wrong);
    let edges = missing::edges(protocol, &it.model, &it.endpoint);
    let bands = it.no_reference.iter().map(|band| [band.low, band.high]);
    if !bands.eq(edges.windows(2).map(|ends| [ends[0], ends[1]])) {
        wrong.push("its bands are not cut at the declared thresholds".into());
    }
}

fn discordance(protocol: &StudyProtocol, it: &Discordance<Disclosed>, wrong: &mut Vec<String>) {
    endpoint(protocol, &it.endpoint, wrong);
    pair(protocol, &it.model, &it.comparator, wrong);
    let bits = |pair: (f64, f64)| (pair.0.to_bits(), pair.1.to_bits());
    let pairs = protocol.paired_thresholds(&it.model, &it.comparator, &it.endpoint);
    let found = bits((it.threshold, it.comparator_threshold));
    if !pairs.into_iter().any(|pair| bits(pair) == found) {
        wrong.push("the protocol does not pair these thresholds".into());
    }
}

fn permutation(protocol: &StudyProtocol, it: &Permutation<Disclosed>, wrong: &mut Vec<String>) {
    scored(protocol, &it.endpoint, &it.model, wrong);
    if it.shuffled.as_ref().map(|found| found.plan) != protocol.permutation {
        wrong.push("its shuffles are not those the protocol asks for".into());
    }
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
        (Some(id), Some(level)) if protocol.is_segmentation() && id.as_str() == SIZE_AXIS => {
            let endpoint = protocol.find_endpoint(&key.endpoint);
            let structure = endpoint.and_then(|endpoint| endpoint.structure.as_ref());
            if !structure.is_some_and(|one| one.size_labels().contains(level)) {
                wrong.push(format!("size bin \"{level}\" is not declared"));
            }
        }
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
    let tolerances = protocol.segmentation.as_ref();
    let tolerances = tolerances.map_or(&[][..], |plan| plan.tolerance_mm.as_slice());
    let at_tolerance = matches!(key.metric, Metric::Nsd | Metric::NsdPresent);
    if at_tolerance != key.tolerance_mm.is_some_and(|mm| tolerances.contains(&mm)) {
        wrong.push("its tolerance is not one that the protocol declares".into());
    }
    let points = candidates(protocol, &key.endpoint).map(|plan| &plan.false_positives_per_scan);
    let at_point = key.metric == Metric::FrocSensitivity;
    let declared = |point| points.is_some_and(|points| points.contains(&point));
    if at_point != key.false_positives_per_scan.is_some_and(declared) {
        wrong.push("its false positives per scan are not among the protocol's".into());
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
    endpoint(protocol, &it.endpoint, wrong);
    axis(protocol, &it.axis, wrong);
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
