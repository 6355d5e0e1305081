//! Every sample file is read, or refused for the right reason; counts are those that pydicom and
//! nibabel find.

use std::path::{Path, PathBuf};

use super::attribute::{Attribute, Value};
use super::*;
use crate::file::read_mask;
use crate::geometry::Geometry;
use crate::mask::{Mask, Region};
use crate::nifti;
use crate::segmentation::Voxels;

pub(super) fn fixtures() -> PathBuf {
    Path::new(env!("CARGO_MANIFEST_DIR")).join("../../tests/fixtures/imaging")
}

/// What a file gives, in one line: shape, labels and set voxels, or why it is refused.
fn outcome(path: &Path) -> String {
    match read_mask(path, &Limits::default()) {
        Err(refusal) => refusal.reason.slug().to_owned(),
        Ok(mask) => {
            let labels = mask.labels();
            let total: u64 = labels.values().sum();
            let [x, y, z] = mask.geometry.shape;
            format!("{x}x{y}x{z} {} {total}", labels.len())
        }
    }
}

fn files(folder: &Path, found: &mut Vec<PathBuf>) {
    let entries = std::fs::read_dir(folder).unwrap();
    for path in entries.map(|entry| entry.unwrap().path()) {
        if path.is_dir() {
            files(&path, found);
        } else {
            found.push(path);
        }
    }
}

#[test]
fn every_sample_is_read_or_refused_with_its_reason() {
    let mut found = Vec::new();
    files(&fixtures(), &mut found);
    let table = std::fs::read_to_string(fixtures().join("samples.csv")).unwrap();
    let mut expected: std::collections::BTreeMap<&str, &str> = table
        .lines()
        .skip(1)
        .map(|line| line.split_once(',').unwrap())
        .collect();
    for path in found {
        let name = path
            .strip_prefix(fixtures())
            .unwrap()
            .to_str()
            .unwrap()
            .to_owned();
        let text = [".md", ".txt", ".json", ".csv", ".py"]
            .iter()
            .any(|end| name.ends_with(end));
        if !text {
            let expected = expected.remove(name.as_str());
            assert_eq!(Some(outcome(&path).as_str()), expected, "{name}");
        }
    }
    assert!(
        expected.is_empty(),
        "files that are not there: {expected:?}"
    );
}

/// A value as the table has it.
fn cell(value: &Option<Value>) -> String {
    match value {
        None => String::new(),
        Some(Value::Number(number)) => number.to_string(),
        Some(Value::Term(term)) => term.clone(),
    }
}

/// Every attribute of every sample is what pydicom reads, manufacturers by hand.
#[test]
fn acquisition_is_read_from_every_sample() {
    let table = std::fs::read_to_string(fixtures().join("attributes.csv")).unwrap();
    let mut lines = table.lines();
    let head = lines.next().unwrap().split(',').skip(1);
    let wanted: Vec<Attribute> = head.map(|slug| Attribute::parse(slug).unwrap()).collect();
    assert_eq!(wanted, Attribute::ALL);
    let mut images = 0;
    for line in lines {
        let (name, expected) = line.split_once(',').unwrap();
        let found = attribute::read(&fixtures().join(name), &wanted, &Limits::default()).unwrap();
        let cells: Vec<String> = found.iter().map(cell).collect();
        assert_eq!(cells.join(","), expected, "{name}");
        images += 1;
    }
    assert_eq!(images, 82);
    for (name, reason) in [
        ("pydicom/no_meta.dcm", Reason::UnknownFormat),
        ("pydicom/meta_missing_tsyntax.dcm", Reason::Malformed),
        ("pydicom/rtstruct.dcm", Reason::WrongObject),
    ] {
        let found = attribute::read(&fixtures().join(name), &wanted, &Limits::default());
        assert_eq!(found.unwrap_err().reason, reason, "{name}");
    }
    // A folder says what its first file says.
    let folder = fixtures().join("pydicom/series_77654033/CT2");
    let found = attribute::read(&folder, &[Attribute::Kvp], &Limits::default());
    assert_eq!(found, Ok(vec![Some(Value::Number(140.0))]));
}

#[test]
fn contours_are_refused_with_what_to_do_instead() {
    let path = fixtures().join("pydicom/rtstruct.dcm");
    let refusal = read_mask(&path, &Limits::default()).unwrap_err();
    assert_eq!(refusal.reason, Reason::WrongObject);
    assert!(
        refusal.detail.contains("export the structure as"),
        "{refusal}"
    );
}

/// Labels 0 to 3 by a seed.
pub(super) fn seeded(shape: [usize; 3]) -> Segmentation {
    let mut seed = 7_u64;
    let voxels = shape.iter().product();
    let mut labels = vec![0; voxels];
    for (place, label) in labels.iter_mut().enumerate() {
        seed = seed
            .wrapping_mul(6_364_136_223_846_793_005)
            .wrapping_add(1_442_695_040_888_963_407);
        let slice = place / (shape[0] * shape[1]);
        // Some slices stay empty, one in the middle and the last.
        if slice != 2 && slice + 1 != shape[2] {
            *label = u16::try_from(seed >> 61).unwrap() % 4;
        }
    }
    Segmentation {
        is_open: false,
        geometry: Geometry {
            shape,
            spacing: [0.7, 0.9, 2.5],
            affine: Some([
                [0.7, 0.0, 0.0, -30.0],
                [0.0, 0.9, 0.0, 12.5],
                [0.0, 0.0, 2.5, 100.0],
            ]),
        },
        voxels: Voxels::Labels(labels),
    }
}

pub(super) const UIDS: Uids<'_> = Uids {
    study: "1.2.826.0.1.3680043.8.498.1",
    series: "1.2.826.0.1.3680043.8.498.2",
    object: "1.2.826.0.1.3680043.8.498.3",
    frame_of_reference: "1.2.826.0.1.3680043.8.498.4",
};

#[test]
fn a_segmentation_written_as_dicom_and_as_nifti_is_the_same() {
    let folder = tempfile::tempdir().unwrap();
    // Frames of 13 x 7 pixels start at every bit of a byte.
    let original = seeded([13, 7, 6]);
    let (dicom, packed) = (folder.path().join("a.dcm"), folder.path().join("a.nii.gz"));
    write(&dicom, &original, &UIDS).unwrap();
    nifti::write(&packed, &original).unwrap();
    let limits = Limits::default();
    let from_nifti = read_mask(&packed, &limits).unwrap();
    assert_eq!(from_nifti, original);
    let from_dicom = read_mask(&dicom, &limits).unwrap();
    assert!(from_dicom.is_open && from_dicom.geometry.shape == [13, 7, 5]);
    let (truth, prediction) = Segmentation::in_one_space(&from_nifti, &from_dicom).unwrap();
    let whole = Region::whole([13, 7, 6]);
    for label in 1..4 {
        let masks: [Mask; 2] = [&truth, &prediction].map(|one| one.structure(&[label], whole));
        assert_eq!(masks[0], masks[1], "label {label}");
    }
    let bytes = std::fs::read(&dicom).unwrap();
    write(&dicom, &original, &UIDS).unwrap();
    assert_eq!(
        std::fs::read(&dicom).unwrap(),
        bytes,
        "the same bytes again"
    );
}

/// One sagittal slice lies as a plane until it meets the volume that it is a part of.
#[test]
fn one_slice_is_found_in_its_volume() {
    let folder = tempfile::tempdir().unwrap();
    let limits = Limits::default();
    let mut volume = seeded([5, 7, 6]);
    // Slices along the axis that points right: columns to anterior, rows down.
    volume.geometry.affine = Some([
        [0.0, 0.0, 2.5, -30.0],
        [0.7, 0.0, 0.0, 12.5],
        [0.0, -0.9, 0.0, 100.0],
    ]);
    if let Voxels::Labels(labels) = &mut volume.voxels {
        let one_slice = labels.iter_mut().enumerate();
        one_slice
            .filter(|(place, _)| place / 35 != 3)
            .for_each(|(_, label)| *label = 0);
    }
    let (dicom, packed) = (folder.path().join("a.dcm"), folder.path().join("a.nii"));
    write(&dicom, &volume, &UIDS).unwrap();
    nifti::write(&packed, &volume).unwrap();
    let slice = read_mask(&dicom, &limits).unwrap();
    assert_eq!(slice.geometry.shape, [5, 7, 1]);
    let whole = read_mask(&packed, &limits).unwrap();
    assert_eq!(whole.geometry.shape, [6, 5, 7]);
    for (a, b) in [(&whole, &slice), (&slice, &whole)] {
        let (a, b) = Segmentation::in_one_space(a, b).unwrap();
        assert_eq!(a.geometry, b.geometry);
        let region = Region::whole(whole.geometry.shape);
        for label in 1..4 {
            assert_eq!(a.structure(&[label], region), b.structure(&[label], region));
            assert!(!a.structure(&[label], region).is_empty());
        }
    }
}

#[test]
fn another_place_is_refused() {
    let folder = tempfile::tempdir().unwrap();
    let original = seeded([13, 7, 6]);
    let mut moved = original.clone();
    moved.geometry.affine.as_mut().unwrap()[0][3] += 0.3;
    let path = folder.path().join("a.dcm");
    write(&path, &moved, &UIDS).unwrap();
    let moved = read_mask(&path, &Limits::default()).unwrap();
    let refusal = Segmentation::in_one_space(&original, &moved).unwrap_err();
    assert_eq!(refusal.reason, Reason::GeometryMismatch);
}
