//! NIfTI masks, packed or not. What is read stays within the limits, and lies in its own space.
#![no_main]

use imaging::limit::Limits;
use imaging::nifti;
use imaging::segmentation::Segmentation;
use libfuzzer_sys::fuzz_target;

const LIMITS: Limits = Limits {
    file_bytes: 1 << 22,
    voxels: 1 << 20,
    labels: 64,
    files: 4,
};

fuzz_target!(|bytes: &[u8]| {
    let Ok(mask) = nifti::read_bytes(bytes, &LIMITS) else {
        return;
    };
    assert!(mask.geometry.voxels() as u64 <= LIMITS.voxels);
    assert!(mask.geometry.spacing.iter().all(|spacing| *spacing > 0.0));
    let counted: u64 = mask.labels().values().sum();
    assert!(counted <= mask.geometry.voxels() as u64);
    let (one, other) = Segmentation::in_one_space(&mask, &mask).expect("it lies where it lies");
    assert_eq!(one.labels(), other.labels());
});
