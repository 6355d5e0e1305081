//! One case, from its files to its answer. This runs in the reader process.
//!
//! From: `question`, `imaging`.
//! To: `answer`.

use std::collections::BTreeMap;
use std::io::Read;
use std::path::{Path, PathBuf};

use imaging::component::Connectivity;
use imaging::dicom::attribute;
use imaging::file::read_mask;
use imaging::lesion::{self, Rule};
use imaging::limit::Limits;
use imaging::mask::Region;
use imaging::refusal::{Reason, Refusal};
use imaging::segmentation::Segmentation;
use imaging::surface::{Overlap, Surface, compare};
use shared::identity::Digest;
use shared::study::{Border, Hd95, LesionPlan, LesionRule, SegmentationPlan, Structure};

use super::answer::{Answer, Attribute, Both, Case, Lesions, Refused};
use super::question::{Files, Plan};

/// Reads and measures one case.
pub(super) fn case(plan: &Plan, files: &Files, limits: &Limits) -> Answer {
    let mut answer = Answer::default();
    if !plan.attribute.is_empty() {
        acquisition(plan, files, limits, &mut answer);
        return answer;
    }
    let Some(conventions) = &plan.conventions else {
        return answer;
    };
    let masks = read(plan, files, limits, &mut answer);
    for (structure, truth) in &plan.endpoint {
        let truth_mask = masks.get(truth);
        answer
            .truth_ml
            .push(truth_mask.map(|mask| volume_ml(mask, &structure.labels)));
        let each = plan.model.iter().map(|model| {
            let (truth_mask, prediction) = (truth_mask?, masks.get(model)?);
            match compared(conventions, structure, truth_mask, prediction, limits) {
                Ok(case) => Some(case),
                Err(refusal) => {
                    let refused = Refused::new(*model, &refusal);
                    if !answer.refused.contains(&refused) {
                        answer.refused.push(refused);
                    }
                    None
                }
            }
        });
        let each = each.collect();
        answer.case.push(each);
    }
    answer
}

fn acquisition(plan: &Plan, files: &Files, limits: &Limits, answer: &mut Answer) {
    answer.attribute = vec![None; plan.attribute.len()];
    let Some((field, path)) = the_file(files) else {
        return;
    };
    let known = plan
        .attribute
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

/// Every mask that the plan needs, each read once, by its field.
fn read(
    plan: &Plan,
    files: &Files,
    limits: &Limits,
    answer: &mut Answer,
) -> BTreeMap<usize, Segmentation> {
    answer.digest = vec![None; files.len()];
    let truths = plan.endpoint.iter().map(|(_, truth)| *truth);
    let mut needed: Vec<usize> = truths.chain(plan.model.iter().copied()).collect();
    needed.sort_unstable();
    needed.dedup();
    let mut masks = BTreeMap::new();
    for field in needed {
        let Some(Some(path)) = files.get(field) else {
            continue;
        };
        match read_mask(path, limits) {
            Ok(mask) => {
                masks.insert(field, mask);
                answer.digest[field] = digest(path).ok();
            }
            Err(refusal) => answer.refused.push(Refused::new(field, &refusal)),
        }
    }
    masks
}

/// The digest of a file's bytes; of a folder, of its files' in the order of their names.
fn digest(path: &Path) -> std::io::Result<Digest> {
    if path.is_dir() {
        let mut files = Vec::new();
        for entry in std::fs::read_dir(path)? {
            files.push(entry?.path());
        }
        files.sort();
        let digests = files.iter().map(|file| digest(file));
        let digests = digests.collect::<std::io::Result<Vec<_>>>()?;
        let parts: Vec<&[u8]> = digests
            .iter()
            .map(|one| one.as_bytes().as_slice())
            .collect();
        return Ok(Digest::of_list(&parts));
    }
    let mut file = std::fs::File::open(path)?;
    let mut sha256 = crate::cohort::Sha256::default();
    let mut buffer = vec![0; 256 << 10];
    loop {
        let length = file.read(&mut buffer)?;
        if length == 0 {
            return Ok(sha256.finish());
        }
        sha256.update(&buffer[..length]);
    }
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
    let rule = structure.lesions.as_ref().map(|plan| (plan, rule(plan)));
    let Some(region) = extents.into_iter().flatten().reduce(Region::union) else {
        let empty = || Lesions {
            truth: 0,
            found: 0,
            predicted: 0,
            hits: 0,
            iou_sum: matches!(rule, Some((_, Rule::IouOneToOne(_)))).then_some(0.0),
            by_size: vec![(0, 0); structure.size_edges_ml.len()],
        };
        return Ok(Case {
            truth_ml: 0.0,
            prediction_ml: 0.0,
            both: None,
            lesions: rule.is_some().then(empty),
        });
    };
    let margin = rule.as_ref().map_or(0, |(_, rule)| rule.margin());
    let region = region.grown(margin, shape);
    let (one, two) = (
        truth.structure(labels.0, region),
        prediction.structure(labels.1, region),
    );
    let overlap = Overlap::of(&one, &two);
    let spacing = truth.geometry.spacing;
    let tolerances = &conventions.tolerance_mm;
    let surface = compare(&one, &two, spacing, truth.geometry.is_plane(), tolerances);
    let mm3 = voxel_mm3(&truth);
    let lesions = rule.and_then(|(plan, rule)| {
        let connectivity = Connectivity::of(plan.connectivity)?;
        let least = plan.min_volume_mm3;
        let found = lesion::matched(&one, &two, spacing, connectivity, rule, least);
        Some(counts(structure, rule, &found))
    });
    Ok(Case {
        truth_ml: millilitres(overlap.truth, mm3),
        prediction_ml: millilitres(overlap.prediction, mm3),
        both: surface.and_then(|surface| both(conventions, overlap, &surface)),
        lesions,
    })
}

fn rule(plan: &LesionPlan) -> Rule {
    match plan.rule {
        LesionRule::Overlap => Rule::Overlap,
        LesionRule::IouOneToOne => Rule::IouOneToOne(plan.iou.unwrap_or(0.5)),
        LesionRule::BratsDilation => Rule::BratsDilation(plan.dilations.unwrap_or(3)),
        LesionRule::CentreDistance => Rule::CentreDistance(plan.distance_mm.unwrap_or(0.0)),
    }
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

fn counts(structure: &Structure, rule: Rule, found: &lesion::Lesions) -> Lesions {
    let count = |number: usize| u32::try_from(number).unwrap_or(u32::MAX);
    let hit = found.truth.iter().filter(|(_, is_found)| *is_found).count();
    let mut by_size = vec![(0, 0); structure.size_edges_ml.len()];
    for (mm3, is_found) in &found.truth {
        if let Some(bin) = structure.size_bin(mm3 / 1000.0) {
            by_size[bin].0 += 1;
            by_size[bin].1 += u32::from(*is_found);
        }
    }
    Lesions {
        truth: count(found.truth.len()),
        found: count(hit),
        predicted: found.hits + found.false_positives,
        hits: found.hits,
        iou_sum: matches!(rule, Rule::IouOneToOne(_)).then_some(found.iou_sum),
        by_size,
    }
}
