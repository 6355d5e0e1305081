//! What a study of masks measures: structures, their conventions, lesions. A
//! convention is a field here, so that it is hashed into every job and printed in the report:
//! a bare "HD95" has five meanings (`docs/reference/statistics/segmentation.md`).
//!
//! From: `study.toml`.
//! To: `lock`, `plan`, `statistic::segmentation`, `node::imaging`.

use schemars::JsonSchema;
use serde::{Deserialize, Serialize};

use super::CandidatePlan;

/// Conventions that hold for every structure of the study. The defaults are Metrics Reloaded's
/// (Maier-Hein et al. 2024, doi:10.1038/s41592-023-02151-z).
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields)]
pub struct SegmentationPlan {
    /// How the 95th percentile of the surface distance is taken.
    #[serde(default)]
    pub hd95: Hd95,
    /// What the average distances and the surface Dice are counted on.
    #[serde(default)]
    pub border: Border,
    /// Tolerances of the surface Dice in millimetres, ascending, at most five.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub tolerance_mm: Vec<f64>,
    /// What a case counts where neither truth nor prediction has the structure.
    #[serde(default)]
    pub both_empty: BothEmpty,
    /// Millimetres that a missed structure or a false alarm counts in the capped distances; a
    /// length of the study, never the diagonal of an image. Without it there are none.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub distance_cap_mm: Option<f64>,
}

/// The 95 % Hausdorff distance.
#[derive(Clone, Copy, Debug, Default, Eq, PartialEq, Serialize, Deserialize, JsonSchema)]
#[serde(rename_all = "kebab-case")]
pub enum Hd95 {
    /// The larger of the two directed 95th percentiles, voxel borders (Metrics Reloaded, MONAI).
    #[default]
    MaxOfDirected,
    /// The 95th percentile of both directed sets together, voxel borders (medpy, panoptica).
    Pooled,
    /// The larger of the two directed percentiles weighted by surface area (surface-distance).
    AreaWeighted,
}

impl Hd95 {
    /// The convention in words, for the report.
    pub fn words(self) -> &'static str {
        match self {
            Self::MaxOfDirected => {
                "larger of the two directed 95th percentiles between border voxels"
            }
            Self::Pooled => "95th percentile of both directed sets of border voxels together",
            Self::AreaWeighted => {
                "larger of the two directed 95th percentiles, weighted by surface area"
            }
        }
    }
}

/// What a surface is made of.
#[derive(Clone, Copy, Debug, Default, Eq, PartialEq, Serialize, Deserialize, JsonSchema)]
#[serde(rename_all = "kebab-case")]
pub enum Border {
    /// Voxels of the structure with a face neighbour outside it.
    #[default]
    Voxel,
    /// Surface elements between voxel centres, weighted by their area.
    AreaWeighted,
}

impl Border {
    /// The convention in words, for the report.
    pub fn words(self) -> &'static str {
        match self {
            Self::Voxel => "border voxels, each counted once",
            Self::AreaWeighted => "surface elements, weighted by their area",
        }
    }
}

/// A case in which neither truth nor prediction has the structure.
#[derive(Clone, Copy, Debug, Default, Eq, PartialEq, Serialize, Deserialize, JsonSchema)]
#[serde(rename_all = "kebab-case")]
pub enum BothEmpty {
    /// It is left out of the mean.
    #[default]
    Skip,
    /// It counts as a perfect overlap, 1.
    One,
    /// It counts as 0.
    Zero,
}

impl BothEmpty {
    /// The convention in words, for the report.
    pub fn words(self) -> &'static str {
        match self {
            Self::Skip => "cases in which neither has the structure are left out of the means",
            Self::One => "cases in which neither has the structure count as 1",
            Self::Zero => "cases in which neither has the structure count as 0",
        }
    }
}

/// The structure that an endpoint of masks is about.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields)]
pub struct Structure {
    /// Voxel values of the truth, or segment numbers, that together are the structure. Of a truth
    /// that is a list: the values of its column `label`, or nothing for every row.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub labels: Vec<u16>,
    /// The same in predictions and lists of candidates, where they differ.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub prediction_labels: Vec<u16>,
    /// Edges of the structure's volume in the truth, millilitres, ascending, by which results are
    /// also given: `[0, 5, 50]` makes three bins, the last open.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub size_edges_ml: Vec<f64>,
    /// Whether and how single lesions are matched.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub lesions: Option<LesionPlan>,
    /// Whether and how candidates with scores are compared with its lesions.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub candidates: Option<CandidatePlan>,
}

impl Structure {
    /// Voxel values of predictions that together are the structure.
    pub fn in_predictions(&self) -> &[u16] {
        if self.prediction_labels.is_empty() {
            &self.labels
        } else {
            &self.prediction_labels
        }
    }

    /// Labels of the size bins, smallest first; empty without edges.
    pub fn size_labels(&self) -> Vec<String> {
        let edges = &self.size_edges_ml;
        let ends = edges.iter().skip(1).map(Some).chain([None]);
        let each = edges.iter().zip(ends);
        each.map(|(low, high)| match high {
            Some(high) => format!("{low} to <{high} ml"),
            None => format!("{low} ml and over"),
        })
        .collect()
    }

    /// The size bin of a volume in millilitres; `None` below the first edge or without edges.
    pub fn size_bin(&self, volume_ml: f64) -> Option<usize> {
        let reached = self.size_edges_ml.iter().filter(|edge| volume_ml >= **edge);
        reached.count().checked_sub(1)
    }
}

/// How lesions are told apart and matched.
#[derive(Clone, Copy, Debug, PartialEq, Serialize, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields)]
pub struct LesionPlan {
    /// Neighbours that make voxels one lesion: 6, 18 or 26.
    pub connectivity: u8,
    /// When a predicted lesion is a hit.
    pub rule: LesionRule,
    /// With `iou-one-to-one`: the least IoU, in (0, 1].
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub iou: Option<f64>,
    /// With `brats-dilation`: dilations of a true lesion, 1 to 10.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub dilations: Option<u8>,
    /// With `centre-distance`: the largest distance of centres, millimetres.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub distance_mm: Option<f64>,
    /// True lesions below this volume are left out, cubic millimetres.
    #[serde(default)]
    pub min_volume_mm3: f64,
}

/// When a predicted lesion is a hit.
#[derive(Clone, Copy, Debug, Eq, PartialEq, Serialize, Deserialize, JsonSchema)]
#[serde(rename_all = "kebab-case")]
pub enum LesionRule {
    /// It shares a voxel with a true lesion.
    Overlap,
    /// It is the one partner of a true lesion, with at least this IoU.
    IouOneToOne,
    /// It touches a true lesion dilated as in BraTS 2023.
    BratsDilation,
    /// Its centre is near a true lesion's.
    CentreDistance,
}

impl LesionPlan {
    /// The rule in words, for the report.
    pub fn words(&self) -> String {
        let rule = match self.rule {
            LesionRule::Overlap => "a shared voxel is a hit".to_owned(),
            LesionRule::IouOneToOne => format!(
                "one partner each, IoU at least {}",
                self.iou.unwrap_or_default()
            ),
            LesionRule::BratsDilation => format!(
                "as in BraTS 2023, {} dilations",
                self.dilations.unwrap_or_default()
            ),
            LesionRule::CentreDistance => format!(
                "centres at most {} mm apart",
                self.distance_mm.unwrap_or_default()
            ),
        };
        let kept = if self.min_volume_mm3 > 0.0 {
            format!("; true lesions below {} mm3 left out", self.min_volume_mm3)
        } else {
            String::new()
        };
        format!("{}-connected; {rule}{kept}", self.connectivity)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn volumes_fall_into_bins_with_an_open_end() {
        let structure = Structure {
            labels: vec![1],
            prediction_labels: vec![],
            size_edges_ml: vec![1.0, 5.0, 50.0],
            lesions: None,
            candidates: None,
        };
        assert_eq!(
            structure.size_labels(),
            ["1 to <5 ml", "5 to <50 ml", "50 ml and over"]
        );
        let bins = [0.5, 1.0, 4.9, 5.0, 900.0].map(|volume| structure.size_bin(volume));
        assert_eq!(bins, [None, Some(0), Some(0), Some(1), Some(2)]);
    }
}
