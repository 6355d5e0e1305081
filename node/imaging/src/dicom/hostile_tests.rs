//! Files that lie about themselves: refused with the right reason, quickly, and never the end of
//! the process.

use std::io::Write as _;

use super::attribute::{Attribute, Value};
use super::tests::fixtures;
use super::*;

fn sample(name: &str) -> Vec<u8> {
    std::fs::read(fixtures().join(name)).unwrap()
}

fn reason(bytes: &[u8]) -> Option<Reason> {
    let limits = Limits {
        file_bytes: 1 << 20,
        voxels: 1 << 20,
        ..Limits::default()
    };
    read_bytes(bytes, &limits)
        .err()
        .map(|refusal| refusal.reason)
}

/// The place of a tag's `which`th element in explicit little endian.
fn place(bytes: &[u8], (group, element): (u16, u16), which: usize) -> usize {
    let tag = [group.to_le_bytes(), element.to_le_bytes()].concat();
    let mut places = bytes.windows(4).enumerate().skip(132);
    let found = places.by_ref().filter(|(_, window)| *window == tag);
    found.map(|(place, _)| place).nth(which).unwrap()
}

/// A sample with the value of one element replaced, from its start.
fn changed(name: &str, tag: (u16, u16), which: usize, value: &[u8]) -> Option<Reason> {
    let mut bytes = sample(name);
    let at = place(&bytes, tag, which) + 8;
    bytes[at..at + value.len()].copy_from_slice(value);
    reason(&bytes)
}

/// A file of some elements, already encoded.
fn file(syntax: &str, elements: &[u8]) -> Vec<u8> {
    let mut bytes = vec![0; 128];
    bytes.extend(b"DICM");
    bytes.extend([
        2,
        0,
        0x10,
        0,
        b'U',
        b'I',
        u8::try_from(syntax.len()).unwrap(),
        0,
    ]);
    bytes.extend(syntax.as_bytes());
    bytes.extend(elements);
    bytes
}

const EXPLICIT: &str = "1.2.840.10008.1.2.1\0";
/// (0008,1140) SQ of undefined length.
const OPEN_SEQUENCE: [u8; 12] = [8, 0, 0x40, 0x11, b'S', b'Q', 0, 0, 255, 255, 255, 255];
const OPEN_ITEM: [u8; 8] = [0xFE, 0xFF, 0, 0xE0, 255, 255, 255, 255];
const ITEM_END: [u8; 8] = [0xFE, 0xFF, 0x0D, 0xE0, 0, 0, 0, 0];
const SEQUENCE_END: [u8; 8] = [0xFE, 0xFF, 0xDD, 0xE0, 0, 0, 0, 0];

fn explicit(parts: &[&[u8]]) -> Option<Reason> {
    reason(&file(EXPLICIT, &parts.concat()))
}

#[test]
fn nesting_never_exhausts_the_stack() {
    let level = [&OPEN_SEQUENCE[..], &OPEN_ITEM].concat();
    let deep = level.repeat(40_000);
    assert_eq!(explicit(&[&deep]), Some(Reason::Malformed));
    // After the pixels nothing is read.
    let mut bytes = sample("made/series/8.dcm");
    assert_eq!(reason(&bytes), None);
    bytes.extend(&deep);
    assert_eq!(reason(&bytes), None);
    // As deep as is allowed, and closed; the object has no pixels then.
    let end = [&ITEM_END[..], &SEQUENCE_END].concat();
    let closed = |levels: usize| [level.repeat(levels), end.repeat(levels)].concat();
    assert_eq!(explicit(&[&closed(32)]), Some(Reason::WrongObject));
    assert_eq!(explicit(&[&closed(33)]), Some(Reason::Malformed));
    // Lengths that are written are not entered, however deep.
    let mut nested = Vec::new();
    for _ in 0..1000 {
        let length = u32::try_from(nested.len()).unwrap();
        let item = [&[0xFE, 0xFF, 0, 0xE0][..], &length.to_le_bytes(), &nested].concat();
        let length = u32::try_from(item.len()).unwrap();
        let head = [&OPEN_SEQUENCE[..8], &length.to_le_bytes()].concat();
        nested = [head, item].concat();
    }
    assert_eq!(explicit(&[&nested]), Some(Reason::WrongObject));
}

#[test]
fn sequences_and_items_that_do_not_match_are_refused() {
    let inside = [8, 0, 0x60, 0, b'C', b'S', 2, 0, b'C', b'T'];
    let open = [&OPEN_SEQUENCE[..], &OPEN_ITEM, &inside].concat();
    for (parts, expected) in [
        (
            &[&open[..], &ITEM_END, &SEQUENCE_END][..],
            Reason::WrongObject,
        ),
        (&[&open, &ITEM_END], Reason::Truncated),
        (&[&open], Reason::Truncated),
        (&[&open, &SEQUENCE_END], Reason::Malformed),
        (&[&OPEN_SEQUENCE, &inside], Reason::Malformed),
        (&[&OPEN_SEQUENCE, &ITEM_END], Reason::Malformed),
        (&[&ITEM_END], Reason::Malformed),
        (&[&OPEN_ITEM], Reason::Malformed),
        (&[&SEQUENCE_END], Reason::Malformed),
    ] {
        assert_eq!(explicit(parts), Some(expected), "{parts:?}");
    }
    // A delimiter that states a length.
    let mut end = ITEM_END;
    end[4..].fill(255);
    assert_eq!(
        explicit(&[&open, &end, &SEQUENCE_END]),
        Some(Reason::WrongObject)
    );
}

#[test]
fn lengths_beyond_the_file_are_refused_before_memory_is_taken() {
    // A comment of 4,294,967,294 bytes, of a known and of an unknown type.
    for kind in [b"UT", b"ZZ", b"\0\0"] {
        let head = [&[0x10, 0, 0, 0x40][..], kind, &[0, 0, 254, 255, 255, 255]].concat();
        assert_eq!(explicit(&[&head]), Some(Reason::Truncated));
    }
    // The same in the file's head.
    let mut bytes = file(EXPLICIT, &[]);
    bytes.extend([2, 0, 2, 1, b'O', b'B', 0, 0, 254, 255, 255, 255]);
    assert_eq!(reason(&bytes), Some(Reason::Truncated));
    let mut bytes = file(EXPLICIT, &[]);
    bytes.extend([2, 0, 2, 1, b'O', b'B', 0, 0, 255, 255, 255, 255]);
    assert_eq!(reason(&bytes), Some(Reason::Malformed));
    // Every cut of a whole file.
    let bytes = sample("made/map_explicit.dcm");
    for cut in 0..bytes.len() {
        assert!(reason(&bytes[..cut]).is_some(), "{cut}");
    }
}

#[test]
fn heads_that_say_too_little_are_refused() {
    assert_eq!(reason(b""), Some(Reason::UnknownFormat));
    assert_eq!(reason(&[0; 132]), Some(Reason::UnknownFormat));
    let mut bytes = vec![0; 128];
    bytes.extend(b"DICM");
    assert_eq!(reason(&bytes), Some(Reason::Malformed));
    // A syntax that only its vendor knows, and one that a server deflates.
    for syntax in ["1.2.840.113619.5.2", "1.2.840.10008.1.2.4.95"] {
        assert_eq!(reason(&file(syntax, &[])), Some(Reason::TransferSyntax));
    }
    // A program before the DICM word changes nothing.
    let mut bytes = sample("made/series/8.dcm");
    bytes[..4].copy_from_slice(b"\x7fELF");
    assert_eq!(reason(&bytes), None);
}

#[test]
fn deflated_bombs_are_stopped() {
    let deflated = |bytes: &[u8]| {
        let level = flate2::Compression::best();
        let mut out = flate2::write::DeflateEncoder::new(Vec::new(), level);
        out.write_all(bytes).unwrap();
        file("1.2.840.10008.1.2.1.99", &out.finish().unwrap())
    };
    let bomb = deflated(&vec![0; 64 << 20]);
    assert!(bomb.len() < 1 << 17);
    assert_eq!(reason(&bomb), Some(Reason::TooLarge));
    let whole = sample("made/series/5.dcm");
    assert_eq!(reason(&whole), None);
    assert_eq!(reason(&whole[..whole.len() - 20]), Some(Reason::Truncated));
    let mut broken = whole;
    let at = broken.len() - 40;
    broken[at..].fill(0xFF);
    assert!(reason(&broken).is_some());
}

#[test]
fn sizes_that_contradict_each_other_are_refused() {
    use Reason::{Malformed, TooLarge, Truncated};
    const MAP: &str = "made/map_explicit.dcm";
    const FRAMES: (u16, u16) = (0x28, 8);
    const ROWS: (u16, u16) = (0x28, 0x10);
    const COLUMNS: (u16, u16) = (0x28, 0x11);
    const USED: (u16, u16) = (0x28, 0x101);
    const HIGH: (u16, u16) = (0x28, 0x102);
    for (tag, value, expected) in [
        (FRAMES, &b"1A"[..], Malformed),
        (FRAMES, b"9 ", Malformed),
        (FRAMES, b"3 ", Malformed),
        (FRAMES, b"0 ", Malformed),
        (FRAMES, b"-4", Malformed),
        (ROWS, &[0, 0], Malformed),
        (ROWS, &[255, 255], TooLarge),
        (ROWS, &[8, 0], Truncated),
        (COLUMNS, &[255, 255], TooLarge),
        // More pixels than are declared.
        (COLUMNS, &[12, 0], Malformed),
        ((0x28, 0x100), &[12, 0], Malformed),
        ((0x28, 0x100), &[1, 0], Malformed),
        (USED, &[9, 0], Malformed),
        (USED, &[7, 0], Malformed),
        (HIGH, &[8, 0], Malformed),
        ((0x28, 0x103), &[1, 0], Malformed),
        ((0x62, 1), b"LABELMOP", Malformed),
        ((0x62, 1), b"BINARY  ", Malformed),
    ] {
        assert_eq!(
            changed(MAP, tag, 0, value),
            Some(expected),
            "{tag:?} {value:?}"
        );
    }
    let colours = changed(MAP, (0x28, 2), 0, &[3, 0]);
    assert_eq!(colours, Some(Reason::NotLabels));
    const FRACTIONS: &str = "made/fractional_explicit.dcm";
    for most in [0, 99] {
        let refused = changed(FRACTIONS, (0x62, 0x0E), 0, &[most, 0]);
        assert_eq!(refused, Some(Malformed), "{most}");
    }
}

#[test]
fn frames_that_contradict_each_other_are_refused() {
    const BINARY: &str = "made/binary_explicit.dcm";
    const POSITION: (u16, u16) = (0x20, 0x32);
    const NUMBER: (u16, u16) = (0x62, 0x0B);
    // The third of twelve frames, after a mention in the order of dimensions; the fourth is at 100.
    let moved = |to: &[u8]| changed(BINARY, POSITION, 3, to);
    assert_eq!(moved(b"30.0\\-12.5\\102.5"), None);
    assert_eq!(moved(b"30.0\\-12.5\\100.0"), Some(Reason::Dimensions));
    assert_eq!(moved(b"30.0\\-12.5\\103.4"), Some(Reason::IncompleteSeries));
    assert_eq!(moved(b"30.0\\-11.5\\102.5"), Some(Reason::IncompleteSeries));
    assert_eq!(moved(b"30.0\\-12.5\\1.5e9"), Some(Reason::TooLarge));
    assert_eq!(moved(b"30.0\\-12.5\\1,2.5"), Some(Reason::NoGeometry));
    assert_eq!(moved(b"30.0\\-12.5\\     "), Some(Reason::NoGeometry));
    // Its groups: the first mention of a number is in the order of dimensions.
    let named = |to: u8| changed(BINARY, NUMBER, 2, &[to, 0]);
    assert_eq!(named(0), Some(Reason::Malformed));
    assert_eq!(named(9), Some(Reason::Malformed));
    // One frame without a position among others with one.
    let mut bytes = sample(BINARY);
    let at = place(&bytes, (0x20, 0x9113), 2);
    bytes[at + 2] = 0x99;
    assert_eq!(reason(&bytes), Some(Reason::NoGeometry));
    // No frame has one: several of one segment cannot all lie in one plane.
    let mut bytes = sample(BINARY);
    for which in (1..13).rev() {
        let at = place(&bytes, (0x20, 0x9113), which);
        bytes[at + 2] = 0x99;
    }
    assert_eq!(reason(&bytes), Some(Reason::NoGeometry));
    // A label map whose background is another value has no use for 0.
    let map = "made/map_explicit.dcm";
    let background = changed(map, (0x28, 0x120), 0, &[3, 0]);
    assert_eq!(background, Some(Reason::NotLabels));
}

#[test]
fn compressed_pixels_that_lie_are_refused() {
    let bytes = sample("pydicom/MR_small_RLE.dcm");
    let pixels = place(&bytes, (0x7FE0, 0x10), 0) + 12;
    let with = |fragments: &[&[u8]], closed: bool| {
        let mut cut = bytes[..pixels].to_vec();
        for fragment in fragments {
            cut.extend([0xFE, 0xFF, 0, 0xE0]);
            cut.extend(u32::try_from(fragment.len()).unwrap().to_le_bytes());
            cut.extend(*fragment);
        }
        if closed {
            cut.extend(SEQUENCE_END);
        }
        reason(&cut)
    };
    let claims = [255; 64];
    let mut fits = [0; 64];
    fits[0] = 2;
    fits[4] = 64;
    fits[8] = 64;
    assert_eq!(with(&[], true), Some(Reason::Malformed));
    assert_eq!(with(&[&[]], true), Some(Reason::Malformed));
    assert_eq!(with(&[&[], &[1, 1]], true), Some(Reason::Malformed));
    assert_eq!(with(&[&[], &claims], true), Some(Reason::Malformed));
    assert_eq!(with(&[&[], &fits], true), Some(Reason::Truncated));
    assert_eq!(with(&[&[], &fits], false), Some(Reason::Truncated));
    let mut open = bytes[..pixels].to_vec();
    open.extend(OPEN_ITEM);
    assert_eq!(reason(&open), Some(Reason::Malformed));
    // Native where the syntax is a compression, and the other way round.
    let rle = b"1.2.840.10008.1.2.5";
    let at = bytes.windows(rle.len()).position(|window| window == rle);
    let mut other = bytes.clone();
    other[at.unwrap() + 18] = b'1';
    assert_eq!(reason(&other), Some(Reason::Malformed));
    // A lossless syntax around a lossy picture, of fewer bytes than any lossless one has.
    let mut other = sample("pydicom/JPEG-lossy.dcm");
    let lossy = b"1.2.840.10008.1.2.4.51";
    let at = other
        .windows(lossy.len())
        .position(|window| window == lossy);
    other[at.unwrap() + 21] = b'7';
    assert_eq!(reason(&other), Some(Reason::Truncated));
}

/// Links are not followed, and a folder that lists itself has no files.
#[cfg(unix)]
#[test]
fn links_in_a_folder_are_passed_over() {
    let folder = tempfile::tempdir().unwrap();
    let limits = Limits::default();
    std::os::unix::fs::symlink(folder.path(), folder.path().join("loop")).unwrap();
    let target = fixtures().join("made/series/8.dcm");
    std::os::unix::fs::symlink(target, folder.path().join("slice.dcm")).unwrap();
    let refusal = read_series(folder.path(), &limits).unwrap_err();
    assert_eq!(refusal.reason, Reason::Missing);
    let refusal = attribute::read(folder.path(), Attribute::ALL, &limits).unwrap_err();
    assert_eq!(refusal.reason, Reason::Missing);
}

/// What is read first ends between two elements, and an attribute is beyond.
#[test]
fn attributes_beyond_what_is_read_first_are_found() {
    let folder = tempfile::tempdir().unwrap();
    let path = folder.path().join("a.dcm");
    let start = file(EXPLICIT, &[]).len();
    for shift in [0, 6, 8, 100] {
        let length = (HEAD_BYTES - start - 12 + shift) & !1;
        let mut elements = vec![9, 0, 0x10, 0x10, b'U', b'N', 0, 0];
        elements.extend(u32::try_from(length).unwrap().to_le_bytes());
        elements.resize(12 + length, 0);
        elements.extend([0x18, 0, 0x60, 0, b'D', b'S', 4, 0]);
        elements.extend(b"120 ");
        // Pixels, most of which are missing: attributes do not need them.
        elements.extend([0xE0, 0x7F, 0x10, 0, b'O', b'W', 0, 0, 0, 0, 0, 1]);
        std::fs::write(&path, file(EXPLICIT, &elements)).unwrap();
        let found = attribute::read(&path, &[Attribute::Kvp], &Limits::default());
        assert_eq!(found, Ok(vec![Some(Value::Number(120.0))]), "{shift}");
    }
}

/// Bytes of a file cut, changed and lengthened are refused or read, each within a second.
#[test]
fn damaged_files_are_refused() {
    let limits = Limits {
        voxels: 1 << 20,
        ..Limits::default()
    };
    let mut slowest = std::time::Duration::ZERO;
    for name in [
        "highdicom/seg_image_ct_binary.dcm",
        "highdicom/seg_image_sm_control_labelmap.dcm",
        "made/binary_big.dcm",
        "made/fractional_rle.dcm",
        "made/map16_rle.dcm",
        "made/series/4.dcm",
        "made/series/6.dcm",
        "made/tiles_binary.dcm",
        "pydicom/MR_small_RLE.dcm",
        "pydicom/image_dfl.dcm",
    ] {
        let bytes = sample(name);
        let mut seed = 1_u64;
        for round in 0..300 {
            let mut damaged = bytes.clone();
            for _ in 0..=round % 4 {
                seed = seed.wrapping_mul(6_364_136_223_846_793_005).wrapping_add(1);
                let place = usize::try_from(seed >> 33).unwrap() % damaged.len();
                damaged[place] = u8::try_from(seed >> 25 & 255).unwrap();
            }
            damaged.truncate(damaged.len() - round % 97);
            let start = std::time::Instant::now();
            let _ = read_bytes(&damaged, &limits);
            let _ = attribute::read_bytes(&damaged, Attribute::ALL, &limits);
            slowest = slowest.max(start.elapsed());
        }
    }
    assert!(slowest.as_secs() < 1, "{slowest:?}");
}
