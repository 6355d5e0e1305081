//! DICOM images: attributes of the acquisition and, where pixels may be labels, the mask. What is
//! read stays within the limits.
#![no_main]

use imaging::dicom;
use imaging::dicom::attribute::{self, Attribute};
use imaging::limit::Limits;
use libfuzzer_sys::fuzz_target;

const LIMITS: Limits = Limits {
    file_bytes: 1 << 22,
    voxels: 1 << 20,
    labels: 64,
    files: 4,
};

fuzz_target!(|bytes: &[u8]| {
    if let Ok(found) = attribute::read_bytes(bytes, Attribute::ALL, &LIMITS) {
        assert_eq!(found.len(), Attribute::ALL.len());
    }
    if let Ok(mask) = dicom::read_bytes(bytes, &LIMITS) {
        assert!(mask.geometry.voxels() as u64 <= LIMITS.voxels);
        assert!(mask.geometry.spacing.iter().all(|spacing| *spacing > 0.0));
    }
});
