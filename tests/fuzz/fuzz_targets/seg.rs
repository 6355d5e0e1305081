//! DICOM segmentations: bytes that get past the head by themselves, and elements behind a right
//! head in each encoding. Every mask lies within its volume.
#![no_main]

use std::sync::LazyLock;

use imaging::dicom;
use imaging::limit::Limits;
use imaging::mask::Region;
use imaging::segmentation::{Segmentation, Voxels};
use libfuzzer_sys::fuzz_target;

const LIMITS: Limits = Limits {
    file_bytes: 1 << 22,
    voxels: 1 << 20,
    labels: 64,
    files: 4,
};

/// The head of a file in each encoding.
static HEADS: LazyLock<Vec<Vec<u8>>> = LazyLock::new(|| {
    let syntaxes = [
        "1.2.840.10008.1.2",
        "1.2.840.10008.1.2.1",
        "1.2.840.10008.1.2.2",
        "1.2.840.10008.1.2.5",
        "1.2.840.10008.1.2.1.99",
        "1.2.840.10008.1.2.4.70",
    ];
    let head = |syntax: &&str| {
        let mut head = vec![0; 128];
        head.extend(b"DICM\x02\x00\x02\x00UI\x1a\x001.2.840.10008.5.1.4.1.1.66.4");
        head.extend(b"\x02\x00\x10\x00UI");
        head.extend((syntax.len() as u16).to_le_bytes());
        head.extend(syntax.bytes());
        head
    };
    syntaxes.iter().map(head).collect()
});

fn read(bytes: &[u8]) {
    let Ok(mask) = dicom::read_bytes(bytes, &LIMITS) else {
        return;
    };
    let shape = mask.geometry.shape;
    assert!(mask.geometry.voxels() as u64 <= LIMITS.voxels);
    if let Voxels::Segments(segments) = &mask.voxels {
        assert!(segments.len() <= LIMITS.labels);
        for segment in segments.values() {
            let Region { origin, shape: box_ } = segment.region();
            assert!((0..3).all(|axis| origin[axis] + box_[axis] <= shape[axis]));
            assert!(!segment.is_empty());
        }
    }
    let (one, other) = Segmentation::in_one_space(&mask, &mask).expect("it lies where it lies");
    assert_eq!(one.labels(), other.labels());
}

fuzz_target!(|bytes: &[u8]| {
    if bytes.get(128..132) == Some(b"DICM") {
        read(bytes);
    } else if let Some((first, rest)) = bytes.split_first() {
        let head = &HEADS[usize::from(*first) % HEADS.len()];
        read(&[head, rest].concat());
    }
});
