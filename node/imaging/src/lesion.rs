//! Lesions of a truth matched with lesions of a prediction, under the rules in use.
//!
//! Definitions: BraTS 2023 (LaBella et al. 2023, doi:10.48550/arXiv.2305.07642), one partner each
//! (Kirillov et al. 2019, doi:10.1109/CVPR.2019.00963), centres and overlap (Maier-Hein et al.
//! 2024, doi:10.1038/s41592-023-02151-z). Small true lesions are left out after matching, and
//! with them the predicted lesions that met nothing else; predicted lesions are never left out
//! for their size.
//!
//! From: `mask`, `component`.
//! To: `node::imaging`.

use std::collections::BTreeSet;

use crate::component::{Components, Connectivity};
use crate::mask::Mask;

/// When a predicted lesion is a hit.
#[derive(Clone, Copy, Debug, PartialEq)]
pub enum Rule {
    /// It shares a voxel with a true lesion.
    Overlap,
    /// It is the one partner of a true lesion, with at least this intersection over union; the
    /// best pairs are made first.
    IouOneToOne(f64),
    /// It touches a true lesion dilated this often by faces and edges; true lesions whose dilated
    /// forms touch are one.
    BratsDilation(u8),
    /// It is the one partner of a true lesion whose centre of mass is at most this far from its
    /// own, millimetres; the nearest pairs are made first.
    CentreDistance(f64),
}

impl Rule {
    /// Voxels around the masks that the rule looks at: the region must reach so far, within the
    /// volume.
    pub fn margin(self) -> usize {
        match self {
            Self::BratsDilation(times) => usize::from(times),
            Self::Overlap | Self::IouOneToOne(_) | Self::CentreDistance(_) => 0,
        }
    }
}

/// Lesions of one case.
#[derive(Clone, Debug, PartialEq)]
pub struct Lesions {
    /// True lesions that count: volume in cubic millimetres, and whether it was found.
    pub truth: Vec<(f64, bool)>,
    /// Predicted lesions that are hits.
    pub hits: u32,
    /// Predicted lesions that are false positives.
    pub false_positives: u32,
    /// Sum of the intersection over union of the pairs, where lesions have one partner each.
    pub iou_sum: f64,
}

/// Matches the lesions of two masks over the same region; voxels are `spacing` millimetres
/// apart, and true lesions below `min_volume_mm3` are left out.
pub fn matched(
    truth: &Mask,
    prediction: &Mask,
    spacing: [f64; 3],
    connectivity: Connectivity,
    rule: Rule,
    min_volume_mm3: f64,
) -> Lesions {
    let voxel_mm3: f64 = spacing.iter().product();
    let predicted = Components::of(prediction, connectivity);
    let apart = || Components::of(truth, connectivity);
    let (sizes, pairs) = match rule {
        Rule::BratsDilation(times) => dilated(truth, &predicted, connectivity, times),
        Rule::Overlap => {
            let lesions = apart();
            let shared = lesions.shared(&predicted).into_keys();
            (
                lesions.voxels().to_vec(),
                shared.map(|pair| (pair, 0.0)).collect(),
            )
        }
        Rule::IouOneToOne(least) => {
            let lesions = apart();
            let pairs = by_iou(&lesions, &predicted, least);
            (lesions.voxels().to_vec(), pairs)
        }
        Rule::CentreDistance(most) => {
            let lesions = apart();
            let pairs = by_centre(&lesions, &predicted, spacing, most);
            (lesions.voxels().to_vec(), pairs)
        }
    };
    #[allow(
        clippy::cast_precision_loss,
        reason = "counts of voxels stay far below 2^53"
    )]
    let volumes: Vec<f64> = sizes.iter().map(|size| *size as f64 * voxel_mm3).collect();
    count(&volumes, predicted.count(), &pairs, min_volume_mm3)
}

/// A pair of lesions, truth and prediction, with its intersection over union or 0.
type Pair = ((usize, usize), f64);

fn count(volumes: &[f64], predicted: usize, pairs: &[Pair], min_volume_mm3: f64) -> Lesions {
    // The rounding of a spacing does not decide whether a lesion counts.
    let counts = |volume: f64| volume >= min_volume_mm3 * (1.0 - 1e-9);
    let mut found = vec![false; volumes.len()];
    let mut met = vec![None; predicted];
    let mut iou_sum = 0.0;
    for ((lesion, hit), iou) in pairs {
        found[*lesion] = true;
        let kept = counts(volumes[*lesion]);
        met[*hit] = Some(met[*hit].unwrap_or(false) || kept);
        if kept {
            iou_sum += iou;
        }
    }
    let number = |wanted: Option<bool>| {
        let count = met.iter().filter(|met| **met == wanted).count();
        u32::try_from(count).unwrap_or(u32::MAX)
    };
    Lesions {
        truth: volumes
            .iter()
            .copied()
            .zip(found)
            .filter(|(volume, _)| counts(*volume))
            .collect(),
        hits: number(Some(true)),
        false_positives: number(None),
        iou_sum,
    }
}

/// Keeps the pairs in which neither has a better one, best first; ties go to the lower numbers.
fn one_to_one(mut pairs: Vec<Pair>, worth: impl Fn(&Pair) -> f64) -> Vec<Pair> {
    pairs.sort_by(|a, b| worth(b).total_cmp(&worth(a)).then(a.0.cmp(&b.0)));
    let (mut lesions, mut hits) = (BTreeSet::new(), BTreeSet::new());
    pairs.retain(|((lesion, hit), _)| {
        let free = !lesions.contains(lesion) && !hits.contains(hit);
        if free {
            lesions.insert(*lesion);
            hits.insert(*hit);
        }
        free
    });
    pairs
}

#[allow(
    clippy::cast_precision_loss,
    reason = "counts of voxels stay far below 2^53"
)]
fn by_iou(lesions: &Components, predicted: &Components, least: f64) -> Vec<Pair> {
    let pairs = lesions.shared(predicted).into_iter().map(|((a, b), both)| {
        let either = lesions.voxels()[a] + predicted.voxels()[b] - both;
        ((a, b), both as f64 / either as f64)
    });
    one_to_one(pairs.filter(|(_, iou)| *iou >= least).collect(), |pair| {
        pair.1
    })
}

fn by_centre(
    lesions: &Components,
    predicted: &Components,
    spacing: [f64; 3],
    most: f64,
) -> Vec<Pair> {
    let (centres, others) = (lesions.centres(), predicted.centres());
    let mut pairs = Vec::new();
    for (lesion, a) in centres.iter().enumerate() {
        for (hit, b) in others.iter().enumerate() {
            let steps = [0, 1, 2].map(|axis| (a[axis] - b[axis]) * spacing[axis]);
            let distance = steps.iter().map(|step| step * step).sum::<f64>().sqrt();
            if distance <= most + 1e-6 * most.max(1.0) {
                pairs.push(((lesion, hit), distance));
            }
        }
    }
    let nearest = one_to_one(pairs, |pair| -pair.1);
    nearest.into_iter().map(|(pair, _)| (pair, 0.0)).collect()
}

/// Sizes of the true lesions, those whose dilated forms touch taken together, and the pairs.
fn dilated(
    truth: &Mask,
    predicted: &Components,
    connectivity: Connectivity,
    times: u8,
) -> (Vec<u64>, Vec<Pair>) {
    let mut grown = truth.clone();
    for _ in 0..times {
        grown = grown.dilated();
    }
    let grown = Components::of(&grown, connectivity);
    let mut sizes = vec![0; grown.count()];
    for ((lesion, _), voxels) in grown.shared(&Components::of(truth, connectivity)) {
        sizes[lesion] += voxels;
    }
    let touched = grown.shared(predicted);
    (sizes, touched.into_keys().map(|pair| (pair, 0.0)).collect())
}

#[cfg(test)]
mod tests {
    use std::path::Path;

    use serde_json::Value;

    use super::*;
    use crate::file::read_mask;
    use crate::limit::Limits;
    use crate::mask::Region;
    use crate::segmentation::Segmentation;

    fn fixtures() -> std::path::PathBuf {
        Path::new(env!("CARGO_MANIFEST_DIR")).join("../../tests/fixtures/imaging")
    }

    fn reference() -> Value {
        let text = std::fs::read_to_string(fixtures().join("segmentation.json")).unwrap();
        serde_json::from_str(&text).unwrap()
    }

    fn masks(case: &str, labels: &[u16]) -> (Mask, Mask, [f64; 3]) {
        let read = |which: &str| -> Segmentation {
            let path = fixtures().join(format!("synthetic/{case}_{which}.nii.gz"));
            read_mask(&path, &Limits::default()).unwrap()
        };
        let (truth, prediction) = (read("truth"), read("prediction"));
        let whole = Region::whole(truth.geometry.shape);
        let spacing = truth.geometry.spacing;
        (
            truth.structure(labels, whole),
            prediction.structure(labels, whole),
            spacing,
        )
    }

    fn counts(lesions: &Lesions) -> [u32; 3] {
        let found = lesions.truth.iter().filter(|(_, found)| *found).count();
        let missed = lesions.truth.len() - found;
        [found, lesions.false_positives as usize, missed].map(|n| u32::try_from(n).unwrap())
    }

    #[test]
    fn components_are_those_of_scipy() {
        let reference = reference();
        for case in ["lesions80", "noprediction40", "notruth40"] {
            let (truth, prediction, _) = masks(case, &[1, 2, 3]);
            for (which, mask) in [("truth", truth), ("prediction", prediction)] {
                let expected = &reference["lesionwise"]["values"][case]["components"][which];
                for neighbours in [6, 18, 26] {
                    let found = Components::of(&mask, Connectivity::of(neighbours).unwrap());
                    let key = format!("components_{neighbours}");
                    assert_eq!(expected[key].as_u64(), Some(found.count() as u64), "{case}");
                }
            }
        }
    }

    #[test]
    fn lesions_are_counted_as_in_brats_2023() {
        let reference = reference();
        // Whole tumour, tumour core, enhancing tumour; lesions of at most 50 or 2 voxels left out.
        let regions = [("WT", &[1, 2, 3][..]), ("TC", &[1, 3]), ("ET", &[3])];
        for case in ["lesions80", "noprediction40", "notruth40"] {
            for (challenge, times, least) in [("BraTS-GLI", 3, 51.0), ("BraTS-MET", 1, 3.0)] {
                for (name, labels) in regions {
                    let (truth, prediction, spacing) = masks(case, labels);
                    let rule = Rule::BratsDilation(times);
                    let corners = Connectivity::Corners;
                    let found = matched(&truth, &prediction, spacing, corners, rule, least);
                    let expected =
                        &reference["lesionwise"]["values"][case]["brats2023"][challenge][name];
                    let expected = ["Num_TP", "Num_FP", "Num_FN"]
                        .map(|key| expected[key].as_f64().unwrap().to_string());
                    let found = counts(&found).map(|count| count.to_string());
                    assert_eq!(found, expected, "{case} {challenge} {name}");
                }
            }
        }
    }

    #[test]
    fn pairs_are_those_of_panoptica() {
        let reference = reference();
        for case in ["lesions80", "noprediction40", "notruth40"] {
            for (key, least) in [("iou_0.5", 0.5), ("iou_0.1", 0.1)] {
                let (truth, prediction, spacing) = masks(case, &[1, 2, 3]);
                let rule = Rule::IouOneToOne(least);
                let corners = Connectivity::Corners;
                let found = matched(&truth, &prediction, spacing, corners, rule, 0.0);
                let expected = &reference["lesionwise"]["values"][case]["panoptica"][key];
                let number = |key: &str| expected[key].as_u64().unwrap();
                let whole = ["tp", "fp", "fn"].map(number);
                assert_eq!(counts(&found).map(u64::from), whole, "{case} {key}");
                let quality = expected["sq"].as_f64().unwrap();
                let mean = found.iou_sum / f64::from(counts(&found)[0]).max(1.0);
                assert!((mean - quality).abs() < 1e-11, "{mean} against {quality}");
            }
        }
    }

    #[test]
    fn small_lesions_take_their_hits_with_them() {
        let mut truth = Mask::empty(Region::whole([30, 1, 1]));
        let mut prediction = truth.clone();
        for x in [0, 1, 2, 10, 20, 21] {
            truth.insert([x, 0, 0]);
        }
        for x in [1, 10, 28] {
            prediction.insert([x, 0, 0]);
        }
        let count = |rule: Rule, least: f64| {
            let faces = Connectivity::Faces;
            matched(&truth, &prediction, [1.0, 2.0, 1.0], faces, rule, least)
        };
        let all = count(Rule::Overlap, 0.0);
        assert_eq!((counts(&all), all.hits), ([2, 1, 1], 2));
        // The lesion of one voxel, 2 mm3, goes, and its hit is neither right nor wrong.
        let large = count(Rule::Overlap, 4.0);
        assert_eq!((counts(&large), large.hits), ([1, 1, 1], 1));
        assert_eq!(large.truth, [(6.0, true), (4.0, false)]);
        // 28 is 7.5 mm from the centre of 20 and 21, and no other partner is free.
        let near = count(Rule::CentreDistance(7.0), 0.0);
        assert_eq!(counts(&near), [2, 1, 1]);
        let far = count(Rule::CentreDistance(7.5), 0.0);
        assert_eq!(counts(&far), [3, 0, 0]);
    }
}
