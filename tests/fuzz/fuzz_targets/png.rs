//! PNG masks: one plane, its pixels within the limits.
#![no_main]

use imaging::limit::Limits;
use imaging::png;
use libfuzzer_sys::fuzz_target;

const LIMITS: Limits = Limits {
    file_bytes: 1 << 22,
    voxels: 1 << 20,
    labels: 64,
    files: 4,
};

fuzz_target!(|bytes: &[u8]| {
    if let Ok(mask) = png::read_bytes(bytes, &LIMITS) {
        assert!(mask.geometry.is_plane());
        assert!(mask.geometry.voxels() as u64 <= LIMITS.voxels);
        let counted: u64 = mask.labels().values().sum();
        assert!(counted <= mask.geometry.voxels() as u64);
    }
});
