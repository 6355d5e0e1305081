//! What two masks, or a truth and a list of candidates, say about one case, under the protocol's
//! conventions: the measurements that every statistic of a study of masks reads. They are made by the node's parser process and
//! live inside the node only; like `Cases` they can neither be printed nor serialised.
//!
//! From: `node::imaging`.
//! To: `segmentation`, `lesion`, `detection`, by way of `Cases`.

/// The cases of one endpoint of masks, rows in the order of `Cases`.
pub struct MaskEndpoint {
    /// By row, whether the truth has the structure; `None` where no truth could be read.
    pub present: Vec<Option<bool>>,
    /// By model (protocol order) and row: the comparison; `None` where there is none, for want
    /// of a readable truth, a readable prediction, or a common space.
    pub model: Vec<Vec<Option<MaskCase>>>,
}

impl MaskEndpoint {
    /// Whether the structure is in the truth; `None` without a readable truth.
    pub fn present(&self, row: usize) -> Option<bool> {
        self.present.get(row).copied()?
    }

    /// The comparison of one model at one row.
    pub fn case(&self, model: usize, row: usize) -> Option<&MaskCase> {
        self.model.get(model)?.get(row)?.as_ref()
    }
}

/// One model's mask, or candidates, of one case against the truth.
pub struct MaskCase {
    /// Volume of the structure in the truth, millilitres, at least 0; 0 of a truth without voxels.
    pub truth_ml: f64,
    /// Volume of the structure in the prediction, millilitres, at least 0; 0 of a model that gives
    /// candidates only.
    pub prediction_ml: f64,
    /// Overlap and distances, where both have the structure.
    pub pair: Option<Pair>,
    /// Lesions, where the protocol plans them.
    pub lesions: Option<LesionCounts>,
    /// Candidates, where the protocol plans them and the model has lists.
    pub candidates: Option<CandidateCounts>,
}

/// Which of truth and prediction have the structure.
#[derive(Clone, Copy, Debug, Eq, PartialEq, Ord, PartialOrd)]
pub enum Presence {
    /// Both.
    Both,
    /// Neither.
    Neither,
    /// The truth alone.
    Missed,
    /// The prediction alone.
    FalseAlarm,
}

impl MaskCase {
    /// Which of truth and prediction have the structure.
    pub fn presence(&self) -> Presence {
        match (self.truth_ml > 0.0, self.prediction_ml > 0.0) {
            (true, true) => Presence::Both,
            (false, false) => Presence::Neither,
            (true, false) => Presence::Missed,
            (false, true) => Presence::FalseAlarm,
        }
    }
}

/// Overlap and distances of two masks that both have the structure.
#[derive(Clone)]
pub struct Pair {
    /// Dice overlap, in [0, 1].
    pub dice: f64,
    /// Intersection over union, in [0, 1].
    pub iou: f64,
    /// `1 - |P - G| / (P + G)` of the volumes, in [0, 1].
    pub volume_similarity: f64,
    /// `(P - G) / G` of the volumes, at least -1.
    pub relative_volume_error: f64,
    /// Hausdorff distance, millimetres.
    pub hd_mm: f64,
    /// Its 95th percentile by the protocol's convention, millimetres.
    pub hd95_mm: f64,
    /// Average symmetric surface distance, both directions pooled, millimetres.
    pub assd_mm: f64,
    /// Mean of the two directed average distances, millimetres.
    pub masd_mm: f64,
    /// Surface Dice at each of the protocol's tolerances, in [0, 1].
    pub nsd: Vec<f64>,
    /// Distance of the centres of mass, millimetres.
    pub centre_mm: f64,
}

/// Lesions of one case under the protocol's matching rule.
#[derive(Clone)]
pub struct LesionCounts {
    /// Lesions of the truth that count.
    pub truth: u32,
    /// Of these, found.
    pub found: u32,
    /// Lesions of the prediction that count: hits and false positives.
    pub predicted: u32,
    /// Of these, hits.
    pub hits: u32,
    /// Sum of the IoU of matched pairs, where the rule pairs lesions one to one; else absent.
    pub iou_sum: Option<f64>,
    /// Lesions of the truth by the protocol's size bins: how many, and how many found.
    pub by_size: Vec<(u32, u32)>,
}

/// Candidates of one case, counted on the protocol's grid of scores.
#[derive(Clone, Eq, PartialEq)]
pub struct CandidateCounts {
    /// Lesions of the truth that count.
    pub lesions: u32,
    /// At each score of the grid, rising: lesions that candidates with at least that score
    /// detect, and the false ones among these candidates.
    pub at: Vec<(u32, u32)>,
}
