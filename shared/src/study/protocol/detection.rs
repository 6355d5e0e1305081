//! What a study of candidates measures: findings with scores against the lesions of a truth, under
//! conventions that tools disagree about (`docs/reference/statistics/detection.md`). Each is a
//! field here, so that it is hashed into every job and printed in the report.
//!
//! From: `study.toml`.
//! To: `node::images`, `statistic::detection`, `report`.

use schemars::JsonSchema;
use serde::{Deserialize, Serialize};

use crate::numeric::froc::{Average, CPM_POINTS, Reading};

/// How candidates with scores are compared with the lesions of a truth.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields)]
pub struct CandidatePlan {
    /// When a candidate hits a lesion.
    pub hit: CandidateHit,
    /// With `iou`: the least intersection over union of two boxes, in (0, 1].
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub iou: Option<f64>,
    /// What a second hit on one lesion is.
    pub duplicates: Duplicates,
    /// What the positions in the lists count.
    pub coordinates: Coordinates,
    /// Where the truth is a mask: neighbours that make voxels one lesion, 6, 18 or 26.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub connectivity: Option<u8>,
    /// Where the truth is a mask: lesions below this volume are left out, cubic millimetres, and
    /// with them the candidates that hit nothing else.
    #[serde(default, skip_serializing_if = "is_zero")]
    pub min_volume_mm3: f64,
    /// Scores at and above which candidates are called, increasing, at most 200: the grid on
    /// which hospitals' curves add. A candidate below the first is never called.
    pub score_edges: Vec<f64>,
    /// False positives per scan at which the sensitivity is read, increasing, 1 to 8; the seven
    /// points of the CPM when left out.
    #[serde(default = "cpm_points", skip_serializing_if = "is_cpm")]
    pub false_positives_per_scan: Vec<f64>,
    /// How the curve is read between two scores of the grid.
    #[serde(default)]
    pub between: BetweenScores,
    /// How precision is averaged over recall.
    #[serde(default)]
    pub average_precision: PrecisionAverage,
}

/// Most points at which the curve is read.
pub const FROC_POINTS_MAX: usize = 8;

fn cpm_points() -> Vec<f64> {
    CPM_POINTS.to_vec()
}

fn is_cpm(points: &[f64]) -> bool {
    points == CPM_POINTS
}

fn is_zero(value: &f64) -> bool {
    *value == 0.0
}

/// When a candidate hits a lesion.
#[derive(Clone, Copy, Debug, Eq, PartialEq, Serialize, Deserialize, JsonSchema)]
#[serde(rename_all = "kebab-case")]
pub enum CandidateHit {
    /// Its centre is no farther from the lesion's centre than the lesion's radius (LUNA16). The
    /// truth is a list with radii or diameters.
    Radius,
    /// Its box and the lesion's have at least so much intersection over union (nnDetection,
    /// COCO). Both are lists of boxes.
    Iou,
    /// Its centre lies in the lesion: a voxel of a mask, a ball, a box.
    Inside,
}

/// A second hit on a lesion that is found already.
#[derive(Clone, Copy, Debug, Eq, PartialEq, Serialize, Deserialize, JsonSchema)]
#[serde(rename_all = "kebab-case")]
pub enum Duplicates {
    /// It counts for nothing (LUNA16).
    Ignored,
    /// It counts as a false positive (nnDetection, COCO).
    FalsePositives,
}

/// What the positions in a list count.
#[derive(Clone, Copy, Debug, Eq, PartialEq, Serialize, Deserialize, JsonSchema)]
#[serde(rename_all = "kebab-case")]
pub enum Coordinates {
    /// Millimetres to the left, posterior and superior: DICOM, ITK.
    Lps,
    /// Millimetres to the right, anterior and superior: NIfTI.
    Ras,
    /// Voxels of the image, from 0. Of a truth that is a mask only where its format has no
    /// position in space, such as PNG.
    Voxel,
}

/// How the curve is read between two scores of the grid.
#[derive(Clone, Copy, Debug, Default, Eq, PartialEq, Serialize, Deserialize, JsonSchema)]
#[serde(rename_all = "kebab-case")]
pub enum BetweenScores {
    /// On the straight line (LUNA16, nnDetection).
    #[default]
    Linear,
    /// At the last score with no more false positives.
    Step,
}

/// How precision is averaged over recall.
#[derive(Clone, Copy, Debug, Default, Eq, PartialEq, Serialize, Deserialize, JsonSchema)]
#[serde(rename_all = "kebab-case")]
pub enum PrecisionAverage {
    /// Each score's own precision, by the recall it adds (scikit-learn).
    #[default]
    Points,
    /// The largest precision at this recall or beyond, by the recall each score adds (PASCAL VOC
    /// 2010).
    Envelope,
    /// The same at recalls 0, 0.01, ..., 1 (COCO).
    #[serde(rename = "recalls-101")]
    Recalls101,
    /// The same at recalls 0, 0.1, ..., 1 (PASCAL VOC 2007).
    #[serde(rename = "recalls-11")]
    Recalls11,
}

impl BetweenScores {
    /// The reading of a curve that it means.
    pub fn reading(self) -> Reading {
        match self {
            Self::Linear => Reading::Linear,
            Self::Step => Reading::Step,
        }
    }
}

impl PrecisionAverage {
    /// The average over a curve that it means.
    pub fn average(self) -> Average {
        match self {
            Self::Points => Average::Points,
            Self::Envelope => Average::Envelope,
            Self::Recalls101 => Average::Recalls101,
            Self::Recalls11 => Average::Recalls11,
        }
    }
}

impl CandidatePlan {
    /// The conventions in words, for the report.
    pub fn words(&self) -> String {
        let hit = match self.hit {
            CandidateHit::Radius => {
                "a candidate within a lesion's radius of its centre is a hit".to_owned()
            }
            CandidateHit::Iou => format!(
                "boxes with an intersection over union of at least {} are a hit",
                self.iou.unwrap_or_default()
            ),
            CandidateHit::Inside => "a candidate whose centre lies in a lesion is a hit".to_owned(),
        };
        let again = match self.duplicates {
            Duplicates::Ignored => "further hits on a lesion count for nothing",
            Duplicates::FalsePositives => {
                "each candidate takes the nearest free lesion by falling score, and further hits \
                 on a lesion are false positives"
            }
        };
        let between = match self.between {
            BetweenScores::Linear => "on the straight line",
            BetweenScores::Step => "at the last score with no more false positives",
        };
        let average = match self.average_precision {
            PrecisionAverage::Points => "each score's own precision by the recall it adds",
            PrecisionAverage::Envelope => "the largest precision beyond, by the recall added",
            PrecisionAverage::Recalls101 => "the largest precision beyond, at 101 recalls",
            PrecisionAverage::Recalls11 => "the largest precision beyond, at 11 recalls",
        };
        let lesions = match (self.connectivity, self.min_volume_mm3 > 0.0) {
            (None, _) => String::new(),
            (Some(neighbours), false) => format!("lesions are {neighbours}-connected; "),
            (Some(neighbours), true) => format!(
                "lesions are {neighbours}-connected, those below {} mm3 left out; ",
                self.min_volume_mm3
            ),
        };
        format!(
            "{lesions}{hit}; {again}; equal scores are called together; {} scores from {} to {}, \
             between which the curve is read {between}; average precision: {average}",
            self.score_edges.len(),
            self.score_edges.first().copied().unwrap_or_default(),
            self.score_edges.last().copied().unwrap_or_default(),
        )
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn what_is_left_out_is_the_usual_and_stays_left_out() {
        let text = r#"{"hit":"radius","duplicates":"ignored","coordinates":"lps","score_edges":[0.1,0.5]}"#;
        let plan: CandidatePlan = serde_json::from_str(text).unwrap();
        assert_eq!(
            plan.false_positives_per_scan,
            [0.125, 0.25, 0.5, 1.0, 2.0, 4.0, 8.0]
        );
        assert_eq!(plan.between, BetweenScores::Linear);
        let again = serde_json::to_value(&plan).unwrap();
        assert!(again.get("false_positives_per_scan").is_none());
        assert!(again.get("min_volume_mm3").is_none());
        assert_eq!(
            serde_json::from_value::<CandidatePlan>(again).unwrap(),
            plan
        );
    }
}
