//! To whom an image belongs: the identifiers of patient, study and series. They are compared with
//! those of other images of the same table, so that mix-ups are found before anything is counted.
//! They identify a patient: whoever reads them keeps digests at most, and lets none leave.
//!
//! Specification: PS3.3 sections C.7.1.1 (patient), C.7.2.1 (study), C.7.3.1 (series).
//!
//! From: images of one hospital.
//! To: `node::images`.

use std::collections::BTreeSet;
use std::path::Path;

use dicom_dictionary_std::tags;

use super::head_of;
use super::series::files;
use crate::limit::Limits;
use crate::refusal::Refusal;

/// Identifiers of an image; those that are absent or empty are `None`.
#[derive(Clone, Debug, Default, Eq, PartialEq)]
pub struct Origin {
    /// The patient's identifier.
    pub patient: Option<String>,
    /// The study's unique identifier.
    pub study: Option<String>,
    /// The series' unique identifier.
    pub series: Option<String>,
    /// Different series among the files of a folder; 1 for one file.
    pub series_count: usize,
}

/// Reads the heads of a file, or of every file of a folder; the identifiers are the first file's.
///
/// # Errors
/// A [`Refusal`] where a file is no DICOM file.
pub fn read(path: &Path, limits: &Limits) -> Result<Origin, Refusal> {
    if !path.is_dir() {
        return one(path, limits);
    }
    let mut first = None;
    let mut series = BTreeSet::new();
    for file in files(path, limits)? {
        let origin = one(&file, limits)?;
        series.insert(origin.series.clone());
        first.get_or_insert(origin);
    }
    Ok(Origin {
        series_count: series.len(),
        ..first.unwrap_or_default()
    })
}

fn one(path: &Path, limits: &Limits) -> Result<Origin, Refusal> {
    head_of(path, limits, |dataset| {
        Ok(Origin {
            patient: dataset.text(tags::PATIENT_ID),
            study: dataset.text(tags::STUDY_INSTANCE_UID),
            series: dataset.text(tags::SERIES_INSTANCE_UID),
            series_count: 1,
        })
    })
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_file_says_whose_it_is_and_a_folder_how_many_series_it_holds() {
        let fixtures = Path::new(concat!(
            env!("CARGO_MANIFEST_DIR"),
            "/../../tests/fixtures/imaging"
        ));
        let limits = Limits::default();
        let ct = read(&fixtures.join("pydicom/CT_small.dcm"), &limits).unwrap();
        assert_eq!(ct.patient.as_deref(), Some("1CT1"));
        assert!(ct.study.is_some() && ct.series.is_some());
        assert_eq!(ct.series_count, 1);
        let folder = tempfile::tempdir().unwrap();
        for name in ["CT_small.dcm", "MR_small.dcm"] {
            let from = fixtures.join("pydicom").join(name);
            std::fs::copy(from, folder.path().join(name)).unwrap();
        }
        let both = read(folder.path(), &limits).unwrap();
        assert_eq!((both.patient, both.series_count), (ct.patient, 2));
        assert!(read(&fixtures.join("segmentation.json"), &limits).is_err());
    }
}
