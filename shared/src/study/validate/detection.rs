//! Candidates of a study: which hit rule goes with which truth, the grid of scores, and the points
//! at which the curve is read.
//!
//! From: `segmentation`.
//! To: the list of problems.

use super::segmentation::{ascending, connectivity};
use super::{Found, StudyProtocol};
use crate::study::{CandidateHit, CandidatePlan, Coordinates, FROC_POINTS_MAX, Structure};

/// Most scores of a grid.
const SCORES_MAX: usize = 200;

/// Whether candidates are compared with the lesions of a structure.
pub(super) fn is_planned(protocol: &StudyProtocol, structure: Option<&Structure>) -> bool {
    let planned = structure.is_some_and(|one| one.candidates.is_some());
    planned && !without_lists(protocol)
}

/// Whether no model has lists of candidates.
fn without_lists(protocol: &StudyProtocol) -> bool {
    let mut models = protocol.model.iter();
    models.all(|model| model.candidate_field().is_none())
}

/// Checks the candidates of a structure, whose truth is a list where `listed` holds.
pub(super) fn check(
    protocol: &StudyProtocol,
    structure: &Structure,
    listed: bool,
    place: &str,
    found: &mut Found,
) {
    let Some(plan) = &structure.candidates else {
        found.unless(
            protocol.has_masks(),
            place,
            "its models give candidates, but nothing says what a hit is",
            "add [endpoint.structure.candidates]",
        );
        return;
    };
    let place = format!("{place}, candidates");
    found.unless(
        !without_lists(protocol),
        &place,
        "no model has lists of candidates",
        "write output = \"candidates\", or candidates = \"...\" beside the masks of a model",
    );
    found.unless(
        protocol.has_masks() || (structure.lesions.is_none() && structure.size_edges_ml.is_empty()),
        &place,
        "lesions of masks or sizes are asked for, but the models give no masks",
        "remove lesions and size_edges_ml",
    );
    truth(plan, listed, &place, found);
    grids(plan, &place, found);
}

fn truth(plan: &CandidatePlan, listed: bool, place: &str, found: &mut Found) {
    if let Some(neighbours) = plan.connectivity {
        connectivity(neighbours, place, found);
    }
    found.unless(
        plan.connectivity.is_some() != listed && (!listed || plan.min_volume_mm3 == 0.0),
        place,
        "connectivity and min_volume_mm3 are about a truth that is a mask",
        "of a mask give connectivity = 26, of a list of lesions neither",
    );
    found.unless(
        plan.min_volume_mm3 >= 0.0 && plan.min_volume_mm3.is_finite(),
        place,
        "min_volume_mm3 is not a volume",
        "write 0 or leave it out to keep every lesion",
    );
    let fits = match plan.hit {
        CandidateHit::Inside => true,
        CandidateHit::Radius => listed && plan.coordinates != Coordinates::Voxel,
        CandidateHit::Iou => listed,
    };
    found.unless(
        fits,
        place,
        "the hit rule needs a list of lesions: radii in millimetres, or boxes",
        "write hit = \"inside\" for a mask",
    );
    found.unless(
        (plan.hit == CandidateHit::Iou) == plan.iou.is_some()
            && plan.iou.is_none_or(|iou| iou > 0.0 && iou <= 1.0),
        place,
        "iou and its rule do not go together, or it is not in (0, 1]",
        "write for example hit = \"iou\" and iou = 0.1",
    );
}

fn grids(plan: &CandidatePlan, place: &str, found: &mut Found) {
    let edges = &plan.score_edges;
    found.unless(
        !edges.is_empty() && edges.len() <= SCORES_MAX && ascending(edges),
        place,
        "score_edges are not 1 to 200 increasing numbers",
        "write the scores at which candidates are called, such as 0.05 to 0.95",
    );
    let points = &plan.false_positives_per_scan;
    found.unless(
        !points.is_empty()
            && points.len() <= FROC_POINTS_MAX
            && ascending(points)
            && points.iter().all(|point| *point > 0.0),
        place,
        "false_positives_per_scan are not 1 to 8 increasing numbers above 0",
        "leave it out for 1/8, 1/4, 1/2, 1, 2, 4 and 8",
    );
}
