//! Studies of masks and candidates: structures, conventions, lesions, and what such a study may
//! not ask, since it has no probabilities.
//!
//! From: `protocol`.
//! To: the list of problems.

use super::{FieldKind, Found, StudyProtocol, detection, kind_of};
use crate::study::{
    AcquisitionTag, Endpoint, Field, LesionPlan, LesionRule, Model, ModelOutput, ModelRun,
    PrimaryMetric, SegmentationPlan, Structure,
};

/// Most tolerances of the surface Dice.
const TOLERANCES_MAX: usize = 5;
/// Most labels that make one structure.
const LABELS_MAX: usize = 256;
/// Most size bins.
const SIZES_MAX: usize = 8;
/// Most endpoints of one study of masks.
const STRUCTURES_MAX: usize = 200;

pub(super) fn check(protocol: &StudyProtocol, found: &mut Found) {
    tags(protocol, found);
    let Some(plan) = &protocol.segmentation else {
        tabular(protocol, found);
        return;
    };
    conventions(plan, found);
    without_probabilities(protocol, found);
    found.unless(
        protocol.endpoint.len() <= STRUCTURES_MAX,
        "endpoint",
        "more than 200 structures",
        "keep those whose result would be read",
    );
    for endpoint in &protocol.endpoint {
        let place = format!("endpoint \"{}\"", endpoint.id);
        structure_of(protocol, endpoint, &place, found);
    }
    let primary = &protocol.analysis.primary;
    let endpoint = protocol.find_endpoint(&primary.endpoint);
    let structure = endpoint.and_then(|endpoint| endpoint.structure.as_ref());
    let answered = match primary.metric {
        PrimaryMetric::Auc => false,
        PrimaryMetric::Dice => protocol.has_masks(),
        PrimaryMetric::Nsd => protocol.has_masks() && !plan.tolerance_mm.is_empty(),
        PrimaryMetric::LesionSensitivity => structure.is_some_and(|one| one.lesions.is_some()),
        PrimaryMetric::Cpm => detection::is_planned(protocol, structure),
    };
    found.unless(
        answered,
        "analysis.primary.metric",
        "this study of masks does not measure it",
        "write dice; nsd needs tolerance_mm, lesion-sensitivity [endpoint.structure.lesions], cpm [endpoint.structure.candidates] and a model with candidates",
    );
}

/// What only a study of masks may say.
fn tabular(protocol: &StudyProtocol, found: &mut Found) {
    let fix = "add [segmentation], or remove it";
    for endpoint in &protocol.endpoint {
        found.unless(
            endpoint.structure.is_none(),
            &format!("endpoint \"{}\"", endpoint.id),
            "it names a structure, but the study has no [segmentation]",
            fix,
        );
    }
    found.unless(
        protocol.analysis.primary.metric == PrimaryMetric::Auc,
        "analysis.primary.metric",
        "it is measured on masks, but the study has no [segmentation]",
        fix,
    );
}

fn tags(protocol: &StudyProtocol, found: &mut Found) {
    let images = protocol.field.iter();
    let images = images
        .filter(|field| field.kind == FieldKind::Image)
        .count();
    found.unless(
        images <= 1,
        "field",
        "more than one field of kind \"image\"",
        "keep the image that the acquisition is read from",
    );
    for field in &protocol.field {
        let Some(tag) = field.tag else { continue };
        let place = format!("field \"{}\"", field.name);
        found.unless(
            images == 1,
            &place,
            "it is read from an image, but no field of kind \"image\" is declared",
            "declare [[field]] kind = \"image\"; sites map it to the path of an image",
        );
        found.unless(
            fits(field, tag),
            &place,
            "the attribute does not fit the field's kind",
            "numbers need kind = \"number\" with bands, terms need kind = \"category\" with levels",
        );
    }
}

fn fits(field: &Field, tag: AcquisitionTag) -> bool {
    match field.kind {
        FieldKind::Number => tag.is_number(),
        FieldKind::Category => !tag.is_number(),
        FieldKind::Identifier
        | FieldKind::Binary
        | FieldKind::Probability
        | FieldKind::Integer
        | FieldKind::Mask
        | FieldKind::Image
        | FieldKind::Places => false,
    }
}

pub(super) fn ascending(values: &[f64]) -> bool {
    values.iter().all(|value| value.is_finite()) && values.windows(2).all(|pair| pair[0] < pair[1])
}

fn conventions(plan: &SegmentationPlan, found: &mut Found) {
    let tolerances = &plan.tolerance_mm;
    found.unless(
        tolerances.len() <= TOLERANCES_MAX
            && ascending(tolerances)
            && tolerances.iter().all(|value| *value >= 0.0),
        "segmentation.tolerance_mm",
        "tolerances are not at most five increasing lengths",
        "write for example tolerance_mm = [1, 2]",
    );
    found.unless(
        plan.distance_cap_mm
            .is_none_or(|cap| cap > 0.0 && cap <= 10_000.0),
        "segmentation.distance_cap_mm",
        "the cap is not a length in (0, 10000] mm",
        "write one length for the whole study, such as 100",
    );
}

/// Sections that speak about probabilities.
fn without_probabilities(protocol: &StudyProtocol, found: &mut Found) {
    for (absent, place) in [
        (protocol.histogram.is_empty(), "histogram"),
        (protocol.clip.is_none(), "clip"),
        (protocol.threshold.is_empty(), "threshold"),
        (protocol.decision_curve.is_none(), "decision_curve"),
        (protocol.partial_auc.is_none(), "partial_auc"),
        (protocol.comparison.is_none(), "comparison"),
        (protocol.target_prevalence.is_empty(), "target_prevalence"),
        (
            protocol.one_stage_calibration.is_none(),
            "one_stage_calibration",
        ),
        (protocol.masked_sums.is_none(), "masked_sums"),
        (protocol.permutation.is_none(), "permutation"),
        (protocol.sensitivity.is_empty(), "sensitivity"),
        (protocol.failure.is_none(), "failure"),
        (protocol.sample_size.is_none(), "sample_size"),
    ] {
        found.unless(
            absent,
            place,
            "a study of masks has no probabilities to apply it to",
            "remove this section, or write a second study for the probabilities",
        );
    }
}

/// A model of a study of masks.
pub(super) fn model(protocol: &StudyProtocol, model: &Model, place: &str, found: &mut Found) {
    let kind = |name: &Option<crate::study::FieldName>| {
        name.as_ref().and_then(|name| kind_of(protocol, name))
    };
    found.unless(
        model.output != ModelOutput::Probability && model.run == ModelRun::PredictionsTable,
        place,
        "a study of masks compares masks or candidates made beforehand",
        "write output = \"mask\" or \"candidates\" and run = \"predictions-table\"",
    );
    let masks = model.output == ModelOutput::Mask;
    found.unless(
        masks == protocol.has_masks(),
        place,
        "some models give masks and others candidates only",
        "give every model the same output; one that gives both has output = \"mask\" and candidates",
    );
    found.unless(
        kind(&model.field)
            == Some(if masks {
                FieldKind::Mask
            } else {
                FieldKind::Places
            }),
        place,
        "its field is not a declared mask, or list of places",
        "declare [[field]] with this name and kind = \"mask\", of candidates kind = \"places\"",
    );
    found.unless(
        model.candidates.is_none() || (masks && kind(&model.candidates) == Some(FieldKind::Places)),
        place,
        "its candidates are not a declared list of places beside its masks",
        "declare [[field]] with this name and kind = \"places\"",
    );
}

fn structure_of(protocol: &StudyProtocol, endpoint: &Endpoint, place: &str, found: &mut Found) {
    let truth = kind_of(protocol, &endpoint.field);
    let listed = truth == Some(FieldKind::Places);
    found.unless(
        truth == Some(FieldKind::Mask) || (listed && !protocol.has_masks()),
        place,
        "its field is not a declared mask; a list of lesions serves where models give candidates only",
        "declare [[field]] with this name and kind = \"mask\", of lists of lesions kind = \"places\"",
    );
    let Some(structure) = &endpoint.structure else {
        found.add(
            place,
            "a study of masks needs the structure that the endpoint is about",
            "add [endpoint.structure] with labels = [...]",
        );
        return;
    };
    if !(listed && structure.labels.is_empty() && structure.prediction_labels.is_empty()) {
        labels(structure, place, found);
    }
    found.unless(
        endpoint.id.as_str() != SIZE_AXIS,
        place,
        "\"size\" is the name of the size bins",
        "choose another id",
    );
    let edges = &structure.size_edges_ml;
    found.unless(
        edges.len() <= SIZES_MAX && ascending(edges) && edges.iter().all(|edge| *edge >= 0.0),
        place,
        "size_edges_ml are not at most eight increasing volumes",
        "write for example size_edges_ml = [0, 5, 50]",
    );
    if let Some(plan) = &structure.lesions {
        lesions(plan, place, found);
    }
    detection::check(protocol, structure, listed, place, found);
}

/// The axis of a structure's size bins.
pub const SIZE_AXIS: &str = "size";

fn labels(structure: &Structure, place: &str, found: &mut Found) {
    for labels in [structure.labels.as_slice(), structure.in_predictions()] {
        let mut sorted = labels.to_vec();
        sorted.sort_unstable();
        let distinct = sorted.windows(2).all(|pair| pair[0] != pair[1]);
        found.unless(
            !labels.is_empty() && labels.len() <= LABELS_MAX && distinct && !labels.contains(&0),
            place,
            "labels are not 1 to 256 different values above 0",
            "name the voxel values of the structure; 0 is background",
        );
    }
}

fn lesions(plan: &LesionPlan, place: &str, found: &mut Found) {
    let place = format!("{place}, lesions");
    connectivity(plan.connectivity, &place, found);
    let asked = [
        (LesionRule::IouOneToOne, plan.iou.is_some(), "iou"),
        (
            LesionRule::BratsDilation,
            plan.dilations.is_some(),
            "dilations",
        ),
        (
            LesionRule::CentreDistance,
            plan.distance_mm.is_some(),
            "distance_mm",
        ),
    ];
    for (rule, given, key) in asked {
        found.unless(
            (plan.rule == rule) == given,
            &place,
            &format!("{key} and its rule do not go together"),
            "iou goes with iou-one-to-one, dilations with brats-dilation, distance_mm with centre-distance",
        );
    }
    found.unless(
        plan.iou.is_none_or(|iou| iou > 0.0 && iou <= 1.0)
            && plan.dilations.is_none_or(|count| (1..=10).contains(&count))
            && plan.distance_mm.is_none_or(|mm| mm > 0.0 && mm <= 1000.0)
            && plan.min_volume_mm3 >= 0.0
            && plan.min_volume_mm3.is_finite(),
        &place,
        "a number of the rule is out of its range",
        "iou in (0, 1], dilations 1 to 10, distance_mm in (0, 1000], min_volume_mm3 at least 0",
    );
}

pub(super) fn connectivity(value: u8, place: &str, found: &mut Found) {
    found.unless(
        [6, 18, 26].contains(&value),
        place,
        "connectivity is not 6, 18 or 26",
        "write 26 for faces, edges and corners, 6 for faces only",
    );
}
