//! One case, from its files to its answer. This runs in the reader process.
//!
//! From: `question`, `imaging`.
//! To: `answer`.

use std::collections::BTreeMap;
use std::path::PathBuf;

use imaging::component::Connectivity;
use imaging::dicom::{attribute, origin};
use imaging::file::read_mask;
use imaging::lesion::{self, MatchRule, Rule};
use imaging::limit::Limits;
use imaging::mask::Region;
use imaging::refusal::{Reason, Refusal};
use imaging::segmentation::Segmentation;
use imaging::surface::{Overlap, Surface, compare};
use shared::identity::Digest;
use shared::study::{Border, Hd95, LesionPlan, LesionRule, SegmentationPlan, Structure};

use super::answer::{Answer, Attribute, Both, Case, Lesions, Origin, Refused};
use super::candidates::{self, CaseList, Lists, Truth, about};
use super::question::{Files, Plan};

/// Reads and measures one case.
pub(super) fn case(plan: &Plan, files: &Files, lists: &mut Lists, limits: &Limits) -> Answer {
    let mut answer = Answer::default();
    if let Some(attributes) = &plan.attribute {
        acquisition(attributes, files, limits, &mut answer);
        return answer;
    }
    let Some(conventions) = &plan.conventions else {
        return answer;
    };
    let found = read(plan, files, lists, limits, &mut answer);
    let scored = Scored {
        plan,
        conventions,
        found: &found,
        limits,
    };
    for (structure, truth) in &plan.endpoint {
        let (volume, present) = found.present(structure, *truth);
        answer.truth_ml.push(volume);
        answer.present.push(present);
        let models = 0..plan.model.len();
        let each = models.map(|model| match scored.model(structure, *truth, model) {
            Ok(case) => case,
            Err(refusal) => {
                let refused = Refused::new(plan.model[model], &refusal);
                if !answer.refused.contains(&refused) {
                    answer.refused.push(refused);
                }
                None
            }
        });
        let each = each.collect();
        answer.case.push(each);
    }
    answer
}

/// The files of a case that could be read, by declared field.
#[derive(Default)]
struct Found {
    masks: BTreeMap<usize, Segmentation>,
    lists: BTreeMap<usize, CaseList>,
}

impl Found {
    /// Volume of a structure in the truth, and whether it is there at all.
    fn present(&self, structure: &Structure, truth: usize) -> (Option<f64>, Option<bool>) {
        if let Some(list) = self.lists.get(&truth) {
            let mut lesions = about(list.rows(), &structure.labels);
            return (Some(0.0), Some(lesions.any(|one| one.counts)));
        }
        let mask = self.masks.get(&truth);
        let volume = mask.map(|mask| volume_ml(mask, &structure.labels));
        (volume, volume.map(|ml| ml > 0.0))
    }
}

/// What the files of a case are scored by.
struct Scored<'a> {
    plan: &'a Plan,
    conventions: &'a SegmentationPlan,
    found: &'a Found,
    limits: &'a Limits,
}

impl Scored<'_> {
    /// One model of one structure; `None` where a file that the protocol plans is not there.
    fn model(
        &self,
        structure: &Structure,
        truth: usize,
        model: usize,
    ) -> Result<Option<Case>, Refusal> {
        let field = self.plan.model[model];
        let masks = (self.found.masks.get(&truth), self.found.masks.get(&field));
        let mut case = if self.plan.is_listed(field) {
            Case::without_masks()
        } else if let (Some(truth), Some(prediction)) = masks {
            compared(self.conventions, structure, truth, prediction, self.limits)?
        } else {
            return Ok(None);
        };
        let list = self.plan.candidates.get(model).copied().flatten();
        if let (Some(plan), Some(list)) = (&structure.candidates, list) {
            let truth = match (self.found.lists.get(&truth), masks.0) {
                (Some(lesions), _) => Truth::List(lesions.rows()),
                (None, Some(mask)) => Truth::Mask(mask),
                (None, None) => return Ok(None),
            };
            let Some(list) = self.found.lists.get(&list) else {
                return Ok(None);
            };
            let counted = candidates::counted(plan, structure, &truth, list.rows())?;
            case.candidates = Some(counted);
        }
        Ok(Some(case))
    }
}

fn acquisition(attributes: &[String], files: &Files, limits: &Limits, answer: &mut Answer) {
    answer.attribute = vec![None; attributes.len()];
    let Some((field, path)) = the_file(files) else {
        return;
    };
    answer.origin = origin::read(path, limits).ok().map(|found| Origin {
        patient: found.patient.map(|text| Digest::of(text.as_bytes())),
        study: found.study.map(|text| Digest::of(text.as_bytes())),
        series: found.series.map(|text| Digest::of(text.as_bytes())),
        series_count: found.series_count,
    });
    // Whose it is, is all that was asked: images of other kinds do not say.
    if attributes.is_empty() {
        return;
    }
    let known = attributes
        .iter()
        .map(|slug| attribute::Attribute::parse(slug));
    let Some(wanted) = known.collect::<Option<Vec<_>>>() else {
        return;
    };
    match attribute::read(path, &wanted, limits) {
        Ok(values) => {
            let each = values.into_iter().map(|value| {
                Some(match value? {
                    attribute::Value::Number(number) => Attribute::Number(number),
                    attribute::Value::Term(term) => Attribute::Term(term),
                })
            });
            answer.attribute = each.collect();
        }
        Err(refusal) => answer.refused.push(Refused::new(field, &refusal)),
    }
}

fn the_file(files: &Files) -> Option<(usize, &PathBuf)> {
    let mut named = files.iter().enumerate();
    named.find_map(|(field, path)| Some((field, path.as_ref()?)))
}

/// Every mask and list that the plan needs, each read once.
fn read(
    plan: &Plan,
    files: &Files,
    lists: &mut Lists,
    limits: &Limits,
    answer: &mut Answer,
) -> Found {
    let mut found = Found::default();
    for field in plan.needed() {
        let Some(Some(path)) = files.get(field) else {
            continue;
        };
        let result = if plan.is_listed(field) {
            lists.read(path, limits).map(|list| {
                answer.unlisted.extend(list.is_unlisted().then_some(field));
                found.lists.insert(field, list);
            })
        } else {
            read_mask(path, limits).map(|mask| {
                found.masks.insert(field, mask);
            })
        };
        if let Err(refusal) = result {
            answer.refused.push(Refused::new(field, &refusal));
        }
    }
    found
}

fn voxel_mm3(mask: &Segmentation) -> f64 {
    mask.geometry.spacing.iter().product()
}

#[allow(
    clippy::cast_precision_loss,
    reason = "counts of voxels stay far below 2^53"
)]
fn millilitres(voxels: u64, mm3: f64) -> f64 {
    voxels as f64 * mm3 / 1000.0
}

fn volume_ml(mask: &Segmentation, labels: &[u16]) -> f64 {
    let voxels = mask
        .extent(labels)
        .map_or(0, |region| mask.structure(labels, region).count());
    millilitres(voxels, voxel_mm3(mask))
}

/// One structure of two masks.
fn compared(
    conventions: &SegmentationPlan,
    structure: &Structure,
    truth: &Segmentation,
    prediction: &Segmentation,
    limits: &Limits,
) -> Result<Case, Refusal> {
    let (truth, prediction) = Segmentation::in_one_space(truth, prediction)?;
    let shape = truth.geometry.shape;
    let voxels = shape
        .iter()
        .try_fold(1_u64, |all, one| all.checked_mul(*one as u64));
    if voxels.is_none_or(|voxels| voxels > limits.voxels) {
        let why = format!("together they reach over {shape:?} voxels");
        return Err(Refusal::new(Reason::TooLarge, why));
    }
    let labels = (&structure.labels, structure.in_predictions());
    let extents = [truth.extent(labels.0), prediction.extent(labels.1)];
    let rule = structure.lesions.as_ref().and_then(rule);
    let Some(region) = extents.into_iter().flatten().reduce(Region::union) else {
        let empty = || Lesions {
            truth: 0,
            found: 0,
            predicted: 0,
            hits: 0,
            iou_sum: rule.and_then(|rule| sums_iou(rule.matching).then_some(0.0)),
            by_size: vec![(0, 0); structure.size_edges_ml.len()],
        };
        return Ok(Case {
            truth_ml: 0.0,
            prediction_ml: 0.0,
            both: None,
            lesions: rule.is_some().then(empty),
            candidates: None,
        });
    };
    let (one, two) = (
        truth.structure(labels.0, region),
        prediction.structure(labels.1, region),
    );
    let overlap = Overlap::of(&one, &two);
    let spacing = truth.geometry.spacing;
    let tolerances = &conventions.tolerance_mm;
    let surface = compare(&one, &two, spacing, truth.geometry.is_plane(), tolerances);
    let mm3 = voxel_mm3(&truth);
    let lesions = match rule {
        None => None,
        Some(rule) => {
            let found = lesion::compare(&one, &two, spacing, &rule, None)?;
            Some(counts(structure, rule.matching, &found))
        }
    };
    Ok(Case {
        truth_ml: millilitres(overlap.truth, mm3),
        prediction_ml: millilitres(overlap.prediction, mm3),
        both: surface.and_then(|surface| both(conventions, overlap, &surface)),
        lesions,
        candidates: None,
    })
}

fn rule(plan: &LesionPlan) -> Option<Rule> {
    Some(Rule {
        matching: match plan.rule {
            LesionRule::Overlap => MatchRule::Overlap,
            LesionRule::IouOneToOne => MatchRule::IouOneToOne {
                threshold: plan.iou?,
            },
            LesionRule::BratsDilation => MatchRule::BratsDilation {
                iterations: u32::from(plan.dilations?),
            },
            LesionRule::CentreDistance => MatchRule::CentreDistance {
                mm: plan.distance_mm?,
            },
        },
        connectivity: Connectivity::parse(plan.connectivity)?,
        min_volume_mm3: plan.min_volume_mm3,
    })
}

/// Whether a rule's pairs have an intersection over union each, as panoptic quality asks.
fn sums_iou(rule: MatchRule) -> bool {
    matches!(rule, MatchRule::IouOneToOne { .. })
}

/// The protocol's conventions, chosen from all that were measured.
fn both(conventions: &SegmentationPlan, overlap: Overlap, surface: &Surface) -> Option<Both> {
    let by_area = conventions.border == Border::AreaWeighted;
    let choose = |voxel: f64, area: f64| if by_area { area } else { voxel };
    Some(Both {
        dice: overlap.dice()?,
        iou: overlap.iou()?,
        volume_similarity: overlap.volume_similarity()?,
        relative_volume_error: overlap.relative_volume_error()?,
        hd_mm: choose(surface.hd, surface.hd_of_area),
        hd95_mm: match conventions.hd95 {
            Hd95::MaxOfDirected => surface.hd95.max_of_directed,
            Hd95::Pooled => surface.hd95.pooled,
            Hd95::AreaWeighted => surface.hd95.of_area,
        },
        assd_mm: choose(surface.assd, surface.assd_of_area),
        masd_mm: choose(surface.masd, surface.masd_of_area),
        nsd: surface
            .nsd
            .iter()
            .map(|share| choose(share.voxel, share.of_area))
            .collect(),
        centre_mm: surface.centre,
    })
}

fn counts(structure: &Structure, rule: MatchRule, found: &lesion::Lesions) -> Lesions {
    let count = |number: u64| u32::try_from(number).unwrap_or(u32::MAX);
    let mut by_size = vec![(0, 0); structure.size_edges_ml.len()];
    for lesion in &found.each {
        if let Some(bin) = structure.size_bin(lesion.volume_mm3 / 1000.0) {
            by_size[bin].0 += 1;
            by_size[bin].1 += u32::from(lesion.is_found());
        }
    }
    Lesions {
        truth: count(found.each.len() as u64),
        found: count(found.found),
        predicted: count(found.right + found.wrong.len() as u64),
        hits: count(found.right),
        iou_sum: sums_iou(rule).then_some(found.iou_sum),
        by_size,
    }
}
