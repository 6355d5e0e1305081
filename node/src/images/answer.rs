//! What a reader process answers about one case. It stays on this machine: it goes through a pipe
//! from child to parent and becomes a `MaskCase`, which cannot be written anywhere.
//!
//! From: `score`.
//! To: `measured`.

use imaging::refusal::{Reason, Refusal};
use serde::{Deserialize, Serialize};
use shared::identity::Digest;
use shared::statistic::masks::{CandidateCounts, LesionCounts, MaskCase, Pair};

/// One case.
#[derive(Clone, Debug, Default, PartialEq, Serialize, Deserialize)]
pub(crate) struct Answer {
    /// Why files could not be used: the field, or the truth's field and the prediction's.
    pub(crate) refused: Vec<Refused>,
    /// By endpoint: volume of the structure in the truth, millilitres; 0 of a truth that is a list.
    pub(crate) truth_ml: Vec<Option<f64>>,
    /// By endpoint: whether the truth has the structure.
    pub(crate) present: Vec<Option<bool>>,
    /// Fields whose list holds the rows of many scans, and none of this one.
    pub(crate) unlisted: Vec<usize>,
    /// By endpoint and model.
    pub(crate) case: Vec<Vec<Option<Case>>>,
    /// By asked attribute.
    pub(crate) attribute: Vec<Option<Attribute>>,
    /// Whose an image is, where one was asked about and is DICOM.
    pub(crate) origin: Option<Origin>,
}

/// Whose an image is: digests of identifiers, which themselves stay in the reader.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
pub(crate) struct Origin {
    pub(crate) patient: Option<Digest>,
    pub(crate) study: Option<Digest>,
    pub(crate) series: Option<Digest>,
    /// Different series among its files.
    pub(crate) series_count: usize,
}

/// A file that could not be used.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
pub(crate) struct Refused {
    /// The declared field whose file it is.
    pub(crate) field: usize,
    /// The reason's word.
    pub(crate) reason: String,
    /// What exactly, for the site.
    pub(crate) detail: String,
}

impl Refused {
    pub(crate) fn new(field: usize, refusal: &Refusal) -> Self {
        Self {
            field,
            reason: refusal.reason.slug().to_owned(),
            detail: refusal.detail.clone(),
        }
    }

    /// The reason, where the word is known.
    pub(crate) fn reason(&self) -> Reason {
        Reason::parse(&self.reason).unwrap_or(Reason::Stopped)
    }
}

/// A value of the acquisition.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
pub(crate) enum Attribute {
    /// A number.
    Number(f64),
    /// A term.
    Term(String),
}

/// One model's mask of one structure against the truth.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
pub(crate) struct Case {
    pub(crate) truth_ml: f64,
    pub(crate) prediction_ml: f64,
    pub(crate) both: Option<Both>,
    pub(crate) lesions: Option<Lesions>,
    pub(crate) candidates: Option<Candidates>,
}

/// Where both have the structure; units as in `Pair`.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
pub(crate) struct Both {
    pub(crate) dice: f64,
    pub(crate) iou: f64,
    pub(crate) volume_similarity: f64,
    pub(crate) relative_volume_error: f64,
    pub(crate) hd_mm: f64,
    pub(crate) hd95_mm: f64,
    pub(crate) assd_mm: f64,
    pub(crate) masd_mm: f64,
    pub(crate) nsd: Vec<f64>,
    pub(crate) centre_mm: f64,
}

/// Lesions, as in `LesionCounts`.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
pub(crate) struct Lesions {
    pub(crate) truth: u32,
    pub(crate) found: u32,
    pub(crate) predicted: u32,
    pub(crate) hits: u32,
    pub(crate) iou_sum: Option<f64>,
    pub(crate) by_size: Vec<(u32, u32)>,
}

/// Candidates, as in `CandidateCounts`.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
pub(crate) struct Candidates {
    pub(crate) lesions: u32,
    pub(crate) at: Vec<(u32, u32)>,
}

impl Case {
    /// Of a model that gives candidates only.
    pub(crate) fn without_masks() -> Self {
        Self {
            truth_ml: 0.0,
            prediction_ml: 0.0,
            both: None,
            lesions: None,
            candidates: None,
        }
    }

    /// The measurement, unless a number in it cannot be one.
    pub(crate) fn into_case(self) -> Option<MaskCase> {
        let volumes = [self.truth_ml, self.prediction_ml];
        let fits = volumes.iter().all(|ml| ml.is_finite() && *ml >= 0.0);
        let fits = fits && self.both.as_ref().is_none_or(Both::is_possible);
        let fits = fits && self.candidates.as_ref().is_none_or(Candidates::is_possible);
        fits.then(|| MaskCase {
            truth_ml: self.truth_ml,
            prediction_ml: self.prediction_ml,
            pair: self.both.map(Both::into_pair),
            lesions: self.lesions.map(|lesions| LesionCounts {
                truth: lesions.truth,
                found: lesions.found,
                predicted: lesions.predicted,
                hits: lesions.hits,
                iou_sum: lesions.iou_sum,
                by_size: lesions.by_size,
            }),
            candidates: self.candidates.map(|candidates| CandidateCounts {
                lesions: candidates.lesions,
                at: candidates.at,
            }),
        })
    }
}

impl Candidates {
    /// A lower score calls no less, and no more is detected than there is.
    fn is_possible(&self) -> bool {
        let nested = |pair: &[(u32, u32)]| pair[0].0 >= pair[1].0 && pair[0].1 >= pair[1].1;
        self.at.windows(2).all(nested) && self.at.iter().all(|(hit, _)| *hit <= self.lesions)
    }
}

impl Both {
    fn is_possible(&self) -> bool {
        let shares = [self.dice, self.iou, self.volume_similarity];
        let lengths = [
            self.hd_mm,
            self.hd95_mm,
            self.assd_mm,
            self.masd_mm,
            self.centre_mm,
        ];
        let share = |value: &f64| (0.0..=1.0).contains(value);
        shares.iter().chain(&self.nsd).all(share)
            && lengths.iter().all(|mm| mm.is_finite() && *mm >= 0.0)
            && self.relative_volume_error.is_finite()
    }

    fn into_pair(self) -> Pair {
        Pair {
            dice: self.dice,
            iou: self.iou,
            volume_similarity: self.volume_similarity,
            relative_volume_error: self.relative_volume_error,
            hd_mm: self.hd_mm,
            hd95_mm: self.hd95_mm,
            assd_mm: self.assd_mm,
            masd_mm: self.masd_mm,
            nsd: self.nsd,
            centre_mm: self.centre_mm,
        }
    }
}
