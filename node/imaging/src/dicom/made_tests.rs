//! The same labels stored in every way that is read: what `made/make.py` wrote with pydicom and
//! highdicom, and what is made of it here.

use super::tests::{fixtures, seeded};
use super::*;
use crate::mask::Region;

fn made(name: &str) -> std::path::PathBuf {
    fixtures().join("made").join(name)
}

#[test]
fn every_way_of_storing_a_segmentation_gives_the_same_voxels() {
    let original = seeded([13, 7, 6]);
    let whole = Region::whole([13, 7, 6]);
    for (name, third) in [
        ("binary_explicit", 3),
        ("binary_implicit", 3),
        ("binary_deflated", 3),
        ("binary_big", 3),
        ("fractional_explicit", 3),
        ("fractional_rle", 3),
        ("map_explicit", 3),
        ("map_rle", 3),
        ("map16_explicit", 300),
        ("map16_rle", 300),
        ("map16_big", 300),
    ] {
        let found = read(&made(&format!("{name}.dcm")), &Limits::default()).unwrap();
        assert!(found.is_open, "{name}");
        assert_eq!(found.labels().len(), 3, "{name}");
        let (truth, found) = Segmentation::in_one_space(&original, &found).unwrap();
        for (label, stored) in [(1, 1), (2, 2), (3, third)] {
            let expected = truth.structure(&[label], whole);
            assert_eq!(
                found.structure(&[stored], whole),
                expected,
                "{name} {label}"
            );
        }
    }
}

/// Slices in six ways of storing them, in files whose names sort from the last slice to the first.
#[test]
fn a_series_of_labels_is_one_volume() {
    let folder = made("series");
    let found = read_series(&folder, &Limits::default()).unwrap();
    let original = seeded([13, 7, 6]);
    original.geometry.agree(&found.geometry).unwrap();
    assert_eq!(found.voxels, original.voxels);
    assert!(!found.is_open);
}

#[test]
fn a_series_that_makes_no_volume_is_refused() {
    let folder = tempfile::tempdir().unwrap();
    let limits = Limits::default();
    let refused = || {
        let refusal = read_series(folder.path(), &limits).unwrap_err();
        (refusal.reason, refusal.detail)
    };
    assert_eq!(refused().0, Reason::Missing);
    let copy = |name: &str| {
        let target = folder.path().join(name.replace('/', "_"));
        std::fs::copy(made(name), &target).unwrap();
        target
    };
    for name in [
        "series/9.dcm",
        "series/8.dcm",
        "series/7.dcm",
        "series/6.dcm",
    ] {
        copy(name);
    }
    // Hidden files and a directory of the files are none of the slices.
    std::fs::write(folder.path().join(".DS_Store"), b"x").unwrap();
    std::fs::write(folder.path().join("DICOMDIR"), b"x").unwrap();
    assert_eq!(
        read_series(folder.path(), &limits).unwrap().geometry.shape,
        [13, 7, 4]
    );
    let few = Limits { files: 5, ..limits };
    let refusal = read_series(folder.path(), &few).unwrap_err();
    assert_eq!(refusal.reason, Reason::TooLarge);
    // One slice is missing.
    let fourth = copy("series/4.dcm");
    assert_eq!(refused().0, Reason::IncompleteSeries);
    // One slice lies there twice.
    std::fs::copy(made("series/6.dcm"), &fourth).unwrap();
    assert_eq!(refused().0, Reason::IncompleteSeries);
    // Two series, counted.
    std::fs::copy(fixtures().join("pydicom/CT_small.dcm"), &fourth).unwrap();
    let (reason, detail) = refused();
    assert_eq!(reason, Reason::IncompleteSeries);
    assert!(detail.contains("2 series") && detail.contains("4") && detail.contains('1'));
    // A segmentation is no slice.
    std::fs::copy(made("map_explicit.dcm"), &fourth).unwrap();
    assert_eq!(refused().0, Reason::WrongObject);
    std::fs::write(&fourth, b"not a DICOM file").unwrap();
    assert_eq!(refused().0, Reason::UnknownFormat);
}

/// A folder with one segmentation in it is that segmentation.
#[test]
fn a_folder_with_one_file_is_that_file() {
    let folder = tempfile::tempdir().unwrap();
    std::fs::copy(made("binary_big.dcm"), folder.path().join("a.dcm")).unwrap();
    let limits = Limits::default();
    let found = read_series(folder.path(), &limits).unwrap();
    assert_eq!(Ok(found), read(&made("binary_big.dcm"), &limits));
}

/// Tiles that cover a slide need no groups of their own. Diagonals of the labels 0, 1 and 2.
#[test]
fn complete_tiles_are_put_in_their_order() {
    for name in ["tiles_binary.dcm", "tiles_labelmap.dcm"] {
        let found = read(&made(name), &Limits::default()).unwrap();
        assert_eq!(found.geometry.shape, [50, 50, 1]);
        assert_eq!(found.geometry.affine, None);
        assert!((found.geometry.spacing[0] - 0.000_499).abs() < 1e-9);
        for label in [1, 2] {
            let mask = found.structure(&[label], Region::whole([50, 50, 1]));
            for (x, y) in (0..50).flat_map(|y| (0..50).map(move |x| (x, y))) {
                let drawn = (7..44).contains(&x) && (3..48).contains(&y);
                let expected = drawn && (x - 7 + y - 3) % 3 == usize::from(label);
                assert_eq!(mask.contains([x, y, 0]), expected, "{name} {label} {x} {y}");
            }
        }
    }
}
