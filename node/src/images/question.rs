//! What a reader process is asked. It learns paths and conventions, nothing else of the study.
//!
//! From: the protocol.
//! To: `worker`.

use std::path::PathBuf;

use serde::{Deserialize, Serialize};
use shared::study::{FieldKind, FieldName, SegmentationPlan, Structure, StudyProtocol};

use super::allowance::Allowance;

/// What a reader is told first.
#[derive(Debug, Serialize, Deserialize)]
pub(crate) struct Task {
    pub(crate) plan: Plan,
    pub(crate) allowance: Allowance,
}

/// What is measured on every case.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
pub(crate) struct Plan {
    /// Conventions; absent when only the acquisition is read.
    pub(crate) conventions: Option<SegmentationPlan>,
    /// By endpoint: its structure, and which of a case's files is the truth.
    pub(crate) endpoint: Vec<(Structure, usize)>,
    /// By model: which of a case's files is its mask, or its list of candidates.
    pub(crate) model: Vec<usize>,
    /// By model: which of a case's files is its list of candidates, if it has one.
    pub(crate) candidates: Vec<Option<usize>>,
    /// By declared field: whether its files are lists of places, and no masks.
    pub(crate) listed: Vec<bool>,
    /// Words of the attributes that are read from a case's only file, an image, beside whose it is;
    /// absent when masks are measured.
    pub(crate) attribute: Option<Vec<String>>,
}

/// One case's files, by declared field; `None` where the table names none, and for fields that
/// are no files.
pub(crate) type Files = Vec<Option<PathBuf>>;

impl Plan {
    /// The plan for masks; `None` when the study has none.
    pub(crate) fn of_masks(study: &StudyProtocol) -> Option<Self> {
        let conventions = study.segmentation.clone()?;
        let position = |name: &FieldName| study.field.iter().position(|field| field.name == *name);
        let endpoint = study
            .endpoint
            .iter()
            .map(|endpoint| Some((endpoint.structure.clone()?, position(&endpoint.field)?)))
            .collect::<Option<Vec<_>>>()?;
        let model = study
            .model
            .iter()
            .map(|model| position(model.field.as_ref()?))
            .collect::<Option<Vec<_>>>()?;
        let candidates = study.model.iter();
        let candidates = candidates.map(|model| position(model.candidate_field()?));
        let listed = study.field.iter();
        Some(Self {
            conventions: Some(conventions),
            endpoint,
            model,
            candidates: candidates.collect(),
            listed: listed
                .map(|field| field.kind == FieldKind::Places)
                .collect(),
            attribute: None,
        })
    }

    /// Every field whose files are read, ascending, each once.
    pub(crate) fn needed(&self) -> Vec<usize> {
        let truths = self.endpoint.iter().map(|(_, truth)| *truth);
        let lists = self.candidates.iter().flatten();
        let mut needed: Vec<usize> = truths
            .chain(self.model.iter().copied())
            .chain(lists.copied())
            .collect();
        needed.sort_unstable();
        needed.dedup();
        needed
    }

    /// Whether the files of a field are lists of places.
    pub(crate) fn is_listed(&self, field: usize) -> bool {
        self.listed.get(field).copied().unwrap_or(false)
    }

    /// The plan that reads attributes of the acquisition.
    pub(crate) fn of_acquisition(attribute: Vec<String>) -> Self {
        Self {
            conventions: None,
            endpoint: Vec::new(),
            model: Vec::new(),
            candidates: Vec::new(),
            listed: Vec::new(),
            attribute: Some(attribute),
        }
    }
}
