//! Datatypes, byte orders and forms that mean the same, and headers that mean nothing.

use super::*;

fn fixtures() -> PathBuf {
    Path::new(env!("CARGO_MANIFEST_DIR")).join("../../tests/fixtures/imaging")
}

fn sample(name: &str) -> Segmentation {
    read(&fixtures().join(name), &Limits::default()).unwrap()
}

#[test]
fn other_ways_to_store_a_mask_give_the_same_voxels() {
    let plain = sample("synthetic/organ128aniso_prediction.nii.gz");
    let truth = sample("synthetic/organ128aniso_truth.nii.gz");
    for other in ["int16_LPS", "float32_permuted", "nifti2_uint8"] {
        let other = sample(&format!(
            "synthetic/organ128aniso_prediction_{other}.nii.gz"
        ));
        assert_eq!(other.voxels, plain.voxels);
        assert_eq!(truth.geometry.agree(&other.geometry), Ok(()));
    }
    let moved = sample("synthetic/organ128aniso_prediction_pair.hdr");
    assert_eq!(moved.voxels, plain.voxels);
    let refusal = truth.geometry.agree(&moved.geometry).unwrap_err();
    assert_eq!(refusal.reason, Reason::GeometryMismatch);
}

/// A NIfTI-1 file of 2 x 2 x 1 voxels, with one place of its header changed.
fn changed(at: usize, bytes: &[u8]) -> Result<Segmentation, Reason> {
    let mut file = vec![0_u8; 352];
    let mut put = |at: usize, bytes: &[u8]| file[at..at + bytes.len()].copy_from_slice(bytes);
    put(0, &348_i32.to_le_bytes());
    for (place, size) in [3_i16, 2, 2, 1, 1, 1, 1, 1].into_iter().enumerate() {
        put(40 + 2 * place, &size.to_le_bytes());
    }
    put(70, &16_i16.to_le_bytes());
    for axis in 1..4 {
        put(76 + 4 * axis, &1_f32.to_le_bytes());
    }
    put(108, &352_f32.to_le_bytes());
    put(344, b"n+1\0");
    put(at, bytes);
    file.extend(
        [0_f32, 1.0, 2.0, 3.0]
            .iter()
            .flat_map(|value| value.to_le_bytes()),
    );
    read_bytes(&file, &Limits::default()).map_err(|refusal| refusal.reason)
}

#[test]
fn headers_that_contradict_themselves_are_refused() {
    assert!(changed(0, &348_i32.to_le_bytes()).is_ok());
    let short = |value: i16| value.to_le_bytes();
    let single = |value: f32| value.to_le_bytes();
    for axes in [0, 8, -1] {
        assert_eq!(changed(40, &short(axes)), Err(Reason::Malformed));
    }
    assert_eq!(changed(42, &short(-3)), Err(Reason::Malformed));
    assert_eq!(changed(42, &short(30_000)), Err(Reason::Truncated));
    // 32,767 voxels along each of three axes ask for 140 terabytes.
    let huge: Vec<u8> = [32_767_i16; 3]
        .iter()
        .flat_map(|size| size.to_le_bytes())
        .collect();
    assert_eq!(changed(42, &huge), Err(Reason::TooLarge));
    for offset in [f32::NAN, f32::INFINITY, -1.0, 1e30] {
        assert_eq!(changed(108, &single(offset)), Err(Reason::Malformed));
    }
    assert_eq!(changed(108, &single(1e6)), Err(Reason::Truncated));
    assert_eq!(changed(70, &short(999)), Err(Reason::Malformed));
    for colour in [32, 128, 1536, 1792, 2304] {
        assert_eq!(changed(70, &short(colour)), Err(Reason::NotLabels));
    }
    assert_eq!(changed(80, &single(0.0)), Err(Reason::NoGeometry));
    for spacing in [f32::NAN, f32::INFINITY, 1e-30, 1e30] {
        assert_eq!(changed(80, &single(spacing)), Err(Reason::NoGeometry));
    }
    assert_eq!(changed(344, b"xyz\0"), Err(Reason::UnknownFormat));
}

#[test]
fn values_that_are_no_labels_are_refused() {
    let voxel = |value: f32| {
        changed(352 - 4, &[0; 4]).and_then(|_| {
            let mut bytes = Vec::new();
            bytes.extend(value.to_le_bytes());
            with_first(&bytes)
        })
    };
    for value in [0.9999, -1.0, f32::NAN, f32::INFINITY, 65_536.0, 0.5] {
        assert_eq!(voxel(value), Err(Reason::NotLabels), "{value}");
    }
    assert!(voxel(65_535.0).is_ok());
    // A factor makes labels of other numbers; 0 means no factor.
    let slope = changed(112, &0.5_f32.to_le_bytes());
    assert_eq!(slope, Err(Reason::NotLabels), "1 becomes 0.5");
    assert!(changed(112, &2_f32.to_le_bytes()).is_ok());
    assert!(changed(112, &0_f32.to_le_bytes()).is_ok());
    assert!(changed(112, &f32::NAN.to_le_bytes()).is_ok());
}

fn with_first(value: &[u8]) -> Result<Segmentation, Reason> {
    let folder = tempfile::tempdir().unwrap();
    let path = folder.path().join("a.nii");
    let one = Segmentation {
        is_open: false,
        geometry: Geometry {
            shape: [2, 2, 1],
            spacing: [1.0; 3],
            affine: None,
        },
        voxels: Voxels::Labels(vec![0, 1, 2, 3]),
    };
    write(&path, &one).unwrap();
    let mut bytes = std::fs::read(&path).unwrap();
    bytes[70..72].copy_from_slice(&16_i16.to_le_bytes());
    bytes.truncate(352);
    bytes.extend(value);
    bytes.extend([0; 12]);
    read_bytes(&bytes, &Limits::default()).map_err(|refusal| refusal.reason)
}

#[test]
fn a_packed_file_that_ends_early_or_swells_is_refused() {
    let bytes = std::fs::read(fixtures().join("synthetic/organ64_truth.nii.gz")).unwrap();
    for length in [1, 20, 400, bytes.len() / 2, bytes.len() - 20] {
        assert!(
            read_bytes(&bytes[..length], &Limits::default()).is_err(),
            "{length}"
        );
    }
    // What follows the voxels is not unpacked: the header says how much is wanted.
    let mut swollen = bytes.clone();
    let zeros = vec![0_u8; 1 << 20];
    let mut packer = flate2::write::GzEncoder::new(Vec::new(), flate2::Compression::best());
    for _ in 0..64 {
        std::io::Write::write_all(&mut packer, &zeros).unwrap();
    }
    swollen.extend(packer.finish().unwrap());
    let plain = read_bytes(&bytes, &Limits::default()).unwrap();
    assert_eq!(read_bytes(&swollen, &Limits::default()).unwrap(), plain);
    let few = Limits {
        voxels: 1000,
        ..Limits::default()
    };
    assert_eq!(
        read_bytes(&bytes, &few).unwrap_err().reason,
        Reason::TooLarge
    );
}

#[test]
fn damaged_files_are_refused_or_read() {
    let bytes = std::fs::read(fixtures().join("nifti-rs/27_int16.nii")).unwrap();
    let limits = Limits {
        voxels: 1 << 16,
        ..Limits::default()
    };
    for place in 0..bytes.len() {
        for value in [0, 1, 127, 128, 255] {
            let mut damaged = bytes.clone();
            damaged[place] = value;
            let _ = read_bytes(&damaged, &limits);
        }
    }
}
