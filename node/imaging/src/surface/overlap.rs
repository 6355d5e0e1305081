//! What the counts of two masks say: overlap and volume.
//!
//! From: [`Mask`].
//! To: `node::imaging`.

use crate::mask::Mask;

/// Voxels of two masks over the same region.
#[derive(Clone, Copy, Debug, Eq, PartialEq)]
pub struct Overlap {
    /// Voxels of the truth.
    pub truth: u64,
    /// Voxels of the prediction.
    pub prediction: u64,
    /// Voxels of both.
    pub both: u64,
}

impl Overlap {
    /// Counts the voxels of two masks over the same region.
    pub fn of(truth: &Mask, prediction: &Mask) -> Self {
        Self {
            truth: truth.count(),
            prediction: prediction.count(),
            both: truth.overlap(prediction),
        }
    }

    /// `2 TP / (2 TP + FP + FN)`, in [0, 1] (Dice 1945, doi:10.2307/1932409); `None` when both are
    /// empty.
    pub fn dice(self) -> Option<f64> {
        ratio(2 * self.both, self.truth + self.prediction)
    }

    /// `TP / (TP + FP + FN)`, in [0, 1] (Jaccard 1912, doi:10.1111/j.1469-8137.1912.tb05611.x);
    /// `None` when both are empty.
    pub fn iou(self) -> Option<f64> {
        ratio(self.both, self.truth + self.prediction - self.both)
    }

    /// `1 - |P - G| / (P + G)`, in [0, 1] (Taha and Hanbury 2015, doi:10.1186/s12880-015-0068-x);
    /// `None` when both are empty. Other programs call `2 (P - G) / (P + G)` or its negative by
    /// the same name.
    pub fn volume_similarity(self) -> Option<f64> {
        let apart = self.truth.abs_diff(self.prediction);
        ratio(apart, self.truth + self.prediction).map(|share| 1.0 - share)
    }

    /// `(P - G) / G`, at least -1, negative when too little is predicted; `None` without a truth.
    pub fn relative_volume_error(self) -> Option<f64> {
        let size = ratio(self.prediction.abs_diff(self.truth), self.truth)?;
        Some(if self.prediction < self.truth {
            -size
        } else {
            size
        })
    }
}

#[allow(
    clippy::cast_precision_loss,
    reason = "counts of voxels stay far below 2^53"
)]
fn ratio(part: u64, whole: u64) -> Option<f64> {
    (whole > 0).then(|| part as f64 / whole as f64)
}
