//! What a reader process is asked. It learns paths and conventions, nothing else of the study.
//!
//! From: the protocol.
//! To: `worker`.

use std::path::PathBuf;

use serde::{Deserialize, Serialize};
use shared::study::{FieldName, SegmentationPlan, Structure, StudyProtocol};

/// What is measured on every case; told once.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
pub(crate) struct Plan {
    /// Conventions; absent when only the acquisition is read.
    pub(crate) conventions: Option<SegmentationPlan>,
    /// By endpoint: its structure, and which of a case's files is the truth.
    pub(crate) endpoint: Vec<(Structure, usize)>,
    /// By model: which of a case's files is its mask.
    pub(crate) model: Vec<usize>,
    /// Words of the attributes that are read from a case's only file.
    pub(crate) attribute: Vec<String>,
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
        Some(Self {
            conventions: Some(conventions),
            endpoint,
            model,
            attribute: Vec::new(),
        })
    }

    /// The plan that reads attributes of the acquisition.
    pub(crate) fn of_acquisition(attribute: Vec<String>) -> Self {
        Self {
            conventions: None,
            endpoint: Vec::new(),
            model: Vec::new(),
            attribute,
        }
    }
}
