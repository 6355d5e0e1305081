//! Candidates of one case against the lesions of its truth, and the lists that both may be in.
//!
//! A list belongs to one case, or holds the rows of many: `list.csv#column=name` are the rows of
//! `list.csv` whose `column` holds `name`. Lists of many are read once in a reader process.
//!
//! From: `imaging::{places, detection}`.
//! To: `score`.

use std::collections::BTreeMap;
use std::path::{Path, PathBuf};
use std::rc::Rc;

use imaging::component::{Components, Connectivity};
use imaging::detection::{self, Bounds, Candidate, DetectionFault, Duplicates, HitRule, Place};
use imaging::detection::{Rule, Shapes, Sphere};
use imaging::lesion;
use imaging::limit::Limits;
use imaging::places::{self, Listed, Places};
use imaging::refusal::{Reason, Refusal};
use imaging::segmentation::Segmentation;
use shared::study::{self, CandidateHit, CandidatePlan, Coordinates, Structure};

use super::answer::Candidates;

/// What a list says.
type Kept = Result<Rc<Places>, Refusal>;

/// Lists of many cases that were read before, by path and column.
#[derive(Default)]
pub(super) struct Lists {
    kept: BTreeMap<(PathBuf, String), Kept>,
}

/// The list of one case.
pub(super) struct CaseList {
    list: Rc<Places>,
    key: String,
}

impl CaseList {
    pub(super) fn rows(&self) -> &[Listed] {
        self.list.of(&self.key)
    }

    /// Whether it is a part of a list of many cases that has no row of this one.
    pub(super) fn is_unlisted(&self) -> bool {
        !self.key.is_empty() && !self.list.knows(&self.key)
    }
}

impl Lists {
    /// The list that a path names.
    pub(super) fn read(&mut self, path: &Path, limits: &Limits) -> Result<CaseList, Refusal> {
        let Some((file, column, key)) = parts(path) else {
            let list = fresh(path, None, limits)?;
            let key = String::new();
            return Ok(CaseList { list, key });
        };
        let place = (file, column);
        let kept = match self.kept.get(&place) {
            Some(kept) => kept.clone(),
            None => {
                let kept = fresh(&place.0, Some(&place.1), limits);
                self.kept.insert(place, kept.clone());
                kept
            }
        };
        Ok(CaseList { list: kept?, key })
    }
}

/// File, column and name of `list.csv#column=name`.
pub(super) fn parts(path: &Path) -> Option<(PathBuf, String, String)> {
    let (file, fragment) = path.to_str()?.rsplit_once('#')?;
    let (column, name) = fragment.split_once('=')?;
    let usable = !column.is_empty() && !name.is_empty();
    usable.then(|| (PathBuf::from(file), column.to_owned(), name.to_owned()))
}

fn fresh(path: &Path, column: Option<&str>, limits: &Limits) -> Kept {
    places::read(path, column, limits).map(Rc::new)
}

/// Rows of a list that are about a structure: those with one of its labels, and those without.
pub(super) fn about<'a>(rows: &'a [Listed], labels: &'a [u16]) -> impl Iterator<Item = &'a Listed> {
    rows.iter().filter(|row| {
        let of_it = |label| labels.contains(&label);
        labels.is_empty() || row.label.is_none_or(of_it)
    })
}

/// The lesions of a case.
pub(super) enum Truth<'a> {
    /// The connected parts of a mask.
    Mask(&'a Segmentation),
    /// The rows of a list.
    List(&'a [Listed]),
}

/// Counts the rows of a list of candidates against the lesions of one structure.
pub(super) fn counted(
    plan: &CandidatePlan,
    structure: &Structure,
    truth: &Truth<'_>,
    rows: &[Listed],
) -> Result<Candidates, Refusal> {
    let to_world = world(plan.coordinates, truth)?;
    let candidates = about(rows, structure.in_predictions()).map(|row| {
        let place = to_world(row.place);
        let score = row.score;
        score.map(|score| Candidate { score, place })
    });
    let candidates: Option<Vec<Candidate>> = candidates.collect();
    let candidates =
        candidates.ok_or_else(|| Refusal::new(Reason::Malformed, "a candidate without a score"))?;
    let rule = Rule {
        hit: hit_rule(plan)?,
        duplicates: match plan.duplicates {
            study::Duplicates::Ignored => Duplicates::Ignored,
            study::Duplicates::FalsePositives => Duplicates::FalsePositives,
        },
    };
    let count = |shapes: Shapes<'_>, dropped: &[bool], rule: Rule| {
        let found = detection::detect(shapes, dropped, &candidates, rule, &plan.score_edges);
        found.map_err(|fault| refused(&fault))
    };
    let nothing = Rule {
        hit: HitRule::Inside,
        ..rule
    };
    let found = match truth {
        Truth::Mask(mask) => match mask.extent(&structure.labels) {
            None => count(Shapes::Spheres(&[]), &[], nothing)?,
            Some(region) => {
                let connectivity = plan.connectivity.and_then(Connectivity::parse);
                let connectivity = connectivity.unwrap_or(Connectivity::Corners);
                let lesions = mask.structure(&structure.labels, region);
                let parts = Components::of(&lesions, connectivity)?;
                let mm3 = mask.geometry.spacing.iter().product();
                let small = |voxels| !lesion::counts(voxels, mm3, plan.min_volume_mm3);
                let dropped: Vec<bool> = parts.each().iter().map(|one| small(one.voxels)).collect();
                count(Shapes::Parts(&parts, &mask.geometry), &dropped, rule)?
            }
        },
        Truth::List(lesions) => {
            let lesions: Vec<Listed> = about(lesions, &structure.labels).copied().collect();
            let dropped: Vec<bool> = lesions.iter().map(|one| !one.counts).collect();
            if lesions.is_empty() {
                count(Shapes::Spheres(&[]), &[], nothing)?
            } else if let Some(boxes) = boxes(&lesions, &to_world) {
                count(Shapes::Boxes(&boxes), &dropped, rule)?
            } else if let Some(spheres) = spheres(&lesions, &to_world) {
                count(Shapes::Spheres(&spheres), &dropped, rule)?
            } else {
                let why = "lesions that are neither all boxes nor all balls with a radius";
                return Err(Refusal::new(Reason::Malformed, why));
            }
        }
    };
    let small = |number: u64| u32::try_from(number).unwrap_or(u32::MAX);
    let at = found.detected.into_iter().zip(found.false_positives);
    Ok(Candidates {
        lesions: small(found.lesions),
        at: at.map(|(hit, wrong)| (small(hit), small(wrong))).collect(),
    })
}

fn hit_rule(plan: &CandidatePlan) -> Result<HitRule, Refusal> {
    match (plan.hit, plan.iou) {
        (CandidateHit::Radius, _) => Ok(HitRule::Radius),
        (CandidateHit::Inside, _) => Ok(HitRule::Inside),
        (CandidateHit::Iou, Some(threshold)) => Ok(HitRule::Iou { threshold }),
        (CandidateHit::Iou, None) => Err(refused(&DetectionFault::Shapes)),
    }
}

fn refused(fault: &DetectionFault) -> Refusal {
    let reason = match fault {
        DetectionFault::Shapes | DetectionFault::Score | DetectionFault::Grid => Reason::Malformed,
        DetectionFault::TooMany => Reason::TooLarge,
        DetectionFault::Position => Reason::NoGeometry,
    };
    Refusal::new(reason, fault.to_string())
}

fn spheres(lesions: &[Listed], to_world: &dyn Fn(Place) -> Place) -> Option<Vec<Sphere>> {
    let sphere = |one: &Listed| match to_world(one.place) {
        Place::Point(centre) => Some(Sphere {
            centre,
            radius: one.radius?,
        }),
        Place::Box(_) => None,
    };
    lesions.iter().map(sphere).collect()
}

fn boxes(lesions: &[Listed], to_world: &dyn Fn(Place) -> Place) -> Option<Vec<Bounds>> {
    let bounds = |one: &Listed| match to_world(one.place) {
        Place::Box(bounds) => Some(bounds),
        Place::Point(_) => None,
    };
    lesions.iter().map(bounds).collect()
}

/// From a list's coordinates to the truth's.
fn world(
    coordinates: Coordinates,
    truth: &Truth<'_>,
) -> Result<Box<dyn Fn(Place) -> Place>, Refusal> {
    let no_geometry = |why: &str| Err(Refusal::new(Reason::NoGeometry, why));
    let (positioned, spacing) = match truth {
        Truth::Mask(mask) => (Some(mask.geometry.affine.is_some()), mask.geometry.spacing),
        Truth::List(_) => (None, [1.0; 3]),
    };
    let factor = match (coordinates, positioned) {
        (Coordinates::Voxel, Some(true)) => {
            return no_geometry("the lists count voxels, but the mask has a position in space");
        }
        (Coordinates::Lps | Coordinates::Ras, Some(false)) => {
            return no_geometry("the lists have millimetres, but the mask no position in space");
        }
        (Coordinates::Voxel, Some(false) | None) => spacing,
        (Coordinates::Lps, _) => [-1.0, -1.0, 1.0],
        (Coordinates::Ras, _) => [1.0; 3],
    };
    Ok(Box::new(move |place| match place {
        Place::Point(point) => Place::Point(scaled(point, factor)),
        Place::Box(bounds) => {
            let (a, b) = (scaled(bounds.low, factor), scaled(bounds.high, factor));
            Place::Box(Bounds {
                low: std::array::from_fn(|axis| a[axis].min(b[axis])),
                high: std::array::from_fn(|axis| a[axis].max(b[axis])),
            })
        }
    }))
}

fn scaled(point: [f64; 3], factor: [f64; 3]) -> [f64; 3] {
    std::array::from_fn(|axis| point[axis] * factor[axis])
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_path_names_a_column_and_a_case_of_a_list_of_many() {
        let split = |text: &str| parts(Path::new(text));
        let found = split("a/list.csv#seriesuid=1.2=3").unwrap();
        assert_eq!(found.0, PathBuf::from("a/list.csv"));
        assert_eq!((found.1.as_str(), found.2.as_str()), ("seriesuid", "1.2=3"));
        for whole in [
            "a/list.csv",
            "a/#1/list.csv",
            "list.csv#scan=",
            "list.csv#=x",
        ] {
            assert_eq!(split(whole), None, "{whole}");
        }
    }
}
