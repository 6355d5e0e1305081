//! Writes a binary DICOM segmentation: frames packed back to back as one stream of bits, empty
//! frames left out. The same segments and identifiers give the same bytes; dates are fixed, and
//! nobody's name is in it. Segment numbers run from 1 without a gap, as the standard asks, so that
//! a label that does not occur is described too, without frames.
//!
//! Specification: PS3.3 sections A.51 (segmentation), C.7.6.17 (dimensions) and C.8.20, PS3.5
//! section 8.1.1.
//!
//! From: [`Segmentation`].
//! To: the simulator's hospitals, tests.

use std::io::Write as _;
use std::path::Path;

use dicom_core::value::{DataSetSequence, PrimitiveValue, Value};
use dicom_core::{DataElement, VR};
use dicom_dictionary_std::tags;
use dicom_object::{FileMetaTableBuilder, InMemDicomObject};

use super::kind::SEGMENTATION;
use crate::geometry::Geometry;
use crate::mask::Region;
use crate::segmentation::Segmentation;

/// Identifiers of the object, unique by the caller's promise.
pub struct Uids<'a> {
    /// Of the study.
    pub study: &'a str,
    /// Of the series.
    pub series: &'a str,
    /// Of the object.
    pub object: &'a str,
    /// Of the space that images and segmentation share.
    pub frame_of_reference: &'a str,
}

/// Writes every label of `segmentation` as a segment of its number.
///
/// # Errors
/// What the file system says; `InvalidInput` for a volume without a position, without labels, or
/// of more than 65,535 columns or rows.
pub fn write(path: &Path, segmentation: &Segmentation, uids: &Uids<'_>) -> std::io::Result<()> {
    let written = bytes(segmentation, uids)?;
    let mut out = std::fs::File::create(path)?;
    out.write_all(&written)?;
    out.sync_all()
}

/// The bytes of the file.
fn bytes(segmentation: &Segmentation, uids: &Uids<'_>) -> std::io::Result<Vec<u8>> {
    let geometry = &segmentation.geometry;
    let labels = segmentation.labels();
    let invalid = |why: &str| std::io::Error::new(std::io::ErrorKind::InvalidInput, why);
    let affine = geometry
        .affine
        .ok_or_else(|| invalid("a volume without a position"))?;
    let [columns, rows, slices] = geometry.shape;
    let most = usize::from(u16::MAX);
    if columns > most || rows > most {
        return Err(invalid("a volume of too many columns or rows"));
    }
    let (Some(last), false) = (labels.keys().last(), columns * rows == 0) else {
        return Err(invalid("a segmentation without labels"));
    };
    let mut bits = Bits::default();
    let mut frames = Vec::new();
    for label in labels.keys() {
        let mask = segmentation.structure(&[*label], Region::whole(geometry.shape));
        for slice in 0..slices {
            if (0..rows).all(|row| mask.row(row, slice).iter().all(|word| *word == 0)) {
                continue;
            }
            for row in 0..rows {
                let words = mask.row(row, slice);
                (0..columns).for_each(|x| bits.push(words[x / 64] >> (x % 64) & 1 == 1));
            }
            frames.push(frame(*label, slice, position(&affine, slice)));
        }
    }
    let mut object = InMemDicomObject::new_empty();
    head(&mut object, geometry, uids, frames.len());
    dimensions(&mut object, uids);
    object.put(sequence(tags::SEGMENT_SEQUENCE, (1..=*last).map(segment)));
    let shared = shared(geometry, &affine);
    object.put(sequence(tags::SHARED_FUNCTIONAL_GROUPS_SEQUENCE, [shared]));
    object.put(sequence(tags::PER_FRAME_FUNCTIONAL_GROUPS_SEQUENCE, frames));
    let pixels = PrimitiveValue::from(bits.finish());
    object.put(DataElement::new(tags::PIXEL_DATA, VR::OB, pixels));
    let meta = FileMetaTableBuilder::new()
        .media_storage_sop_class_uid(SEGMENTATION)
        .media_storage_sop_instance_uid(uids.object)
        .transfer_syntax("1.2.840.10008.1.2.1");
    let failed = |fault: &dyn std::error::Error| std::io::Error::other(chain(fault));
    let file = object.with_meta(meta).map_err(|fault| failed(&fault))?;
    let mut written = Vec::new();
    file.write_all(&mut written)
        .map_err(|fault| failed(&fault))?;
    Ok(written)
}

/// A stream of bits, the first in the lowest place of the first byte.
#[derive(Default)]
struct Bits {
    bytes: Vec<u8>,
    used: u32,
}

impl Bits {
    fn push(&mut self, bit: bool) {
        if self.used == 0 {
            self.bytes.push(0);
        }
        if let Some(last) = self.bytes.last_mut() {
            *last |= u8::from(bit) << self.used;
        }
        self.used = (self.used + 1) % 8;
    }

    /// The bytes, an even number of them.
    fn finish(mut self) -> Vec<u8> {
        if self.bytes.len() % 2 == 1 {
            self.bytes.push(0);
        }
        self.bytes
    }
}

fn sequence(
    tag: dicom_core::Tag,
    items: impl IntoIterator<Item = InMemDicomObject>,
) -> DataElement<InMemDicomObject> {
    let items: Vec<InMemDicomObject> = items.into_iter().collect();
    DataElement::new(tag, VR::SQ, Value::from(DataSetSequence::from(items)))
}

fn text(object: &mut InMemDicomObject, tag: dicom_core::Tag, vr: VR, value: &str) {
    object.put(DataElement::new(tag, vr, PrimitiveValue::from(value)));
}

fn short(object: &mut InMemDicomObject, tag: dicom_core::Tag, value: usize) {
    let value = u16::try_from(value).unwrap_or(u16::MAX);
    object.put(DataElement::new(tag, VR::US, PrimitiveValue::from(value)));
}

fn decimals(values: &[f64]) -> String {
    // A decimal string has at most sixteen characters.
    let one = |value: &f64| {
        let plain = format!("{value}");
        if plain.len() <= 16 {
            plain
        } else {
            format!("{value:.9}")
        }
    };
    values.iter().map(one).collect::<Vec<_>>().join("\\")
}

/// What describes the object as a whole, and nobody.
fn head(object: &mut InMemDicomObject, geometry: &Geometry, uids: &Uids<'_>, frames: usize) {
    let frames = frames.to_string();
    for (tag, vr, value) in [
        (tags::IMAGE_TYPE, VR::CS, "DERIVED\\PRIMARY"),
        (tags::SOP_CLASS_UID, VR::UI, SEGMENTATION),
        (tags::SOP_INSTANCE_UID, VR::UI, uids.object),
        (tags::STUDY_DATE, VR::DA, ""),
        (tags::CONTENT_DATE, VR::DA, "20000101"),
        (tags::STUDY_TIME, VR::TM, ""),
        (tags::CONTENT_TIME, VR::TM, "000000"),
        (tags::ACCESSION_NUMBER, VR::SH, ""),
        (tags::MODALITY, VR::CS, "SEG"),
        (tags::MANUFACTURER, VR::LO, "Fedval"),
        (tags::REFERRING_PHYSICIAN_NAME, VR::PN, ""),
        (tags::MANUFACTURER_MODEL_NAME, VR::LO, "fedval"),
        (tags::PATIENT_NAME, VR::PN, ""),
        (tags::PATIENT_ID, VR::LO, ""),
        (tags::PATIENT_BIRTH_DATE, VR::DA, ""),
        (tags::PATIENT_SEX, VR::CS, ""),
        (tags::DEVICE_SERIAL_NUMBER, VR::LO, "0"),
        (tags::SOFTWARE_VERSIONS, VR::LO, "1"),
        (tags::STUDY_INSTANCE_UID, VR::UI, uids.study),
        (tags::SERIES_INSTANCE_UID, VR::UI, uids.series),
        (tags::STUDY_ID, VR::SH, ""),
        (tags::SERIES_NUMBER, VR::IS, "1"),
        (tags::INSTANCE_NUMBER, VR::IS, "1"),
        (
            tags::FRAME_OF_REFERENCE_UID,
            VR::UI,
            uids.frame_of_reference,
        ),
        (tags::POSITION_REFERENCE_INDICATOR, VR::LO, ""),
        (tags::PHOTOMETRIC_INTERPRETATION, VR::CS, "MONOCHROME2"),
        (tags::NUMBER_OF_FRAMES, VR::IS, &frames),
        (tags::LOSSY_IMAGE_COMPRESSION, VR::CS, "00"),
        (tags::SEGMENTATION_TYPE, VR::CS, "BINARY"),
        (tags::CONTENT_LABEL, VR::CS, "SEGMENTATION"),
        (tags::CONTENT_DESCRIPTION, VR::LO, ""),
        (tags::CONTENT_CREATOR_NAME, VR::PN, ""),
    ] {
        text(object, tag, vr, value);
    }
    for (tag, value) in [
        (tags::ROWS, geometry.shape[1]),
        (tags::COLUMNS, geometry.shape[0]),
        (tags::SAMPLES_PER_PIXEL, 1),
        (tags::BITS_ALLOCATED, 1),
        (tags::BITS_STORED, 1),
        (tags::HIGH_BIT, 0),
        (tags::PIXEL_REPRESENTATION, 0),
    ] {
        short(object, tag, value);
    }
}

/// What frames are ordered by: their segment, then their position.
fn dimensions(object: &mut InMemDicomObject, uids: &Uids<'_>) {
    // The frame of reference gives its identifier to the order of frames, which needs one.
    let mut organised = InMemDicomObject::new_empty();
    text(
        &mut organised,
        tags::DIMENSION_ORGANIZATION_UID,
        VR::UI,
        uids.frame_of_reference,
    );
    let index = |pointer, group| {
        let mut item = organised.clone();
        for (tag, value) in [
            (tags::DIMENSION_INDEX_POINTER, pointer),
            (tags::FUNCTIONAL_GROUP_POINTER, group),
        ] {
            let value = PrimitiveValue::from(value);
            item.put(DataElement::new(tag, VR::AT, value));
        }
        item
    };
    let indices = [
        index(
            tags::REFERENCED_SEGMENT_NUMBER,
            tags::SEGMENT_IDENTIFICATION_SEQUENCE,
        ),
        index(tags::IMAGE_POSITION_PATIENT, tags::PLANE_POSITION_SEQUENCE),
    ];
    object.put(sequence(tags::DIMENSION_INDEX_SEQUENCE, indices));
    object.put(sequence(tags::DIMENSION_ORGANIZATION_SEQUENCE, [organised]));
}

fn segment(label: u16) -> InMemDicomObject {
    let mut item = InMemDicomObject::new_empty();
    short(&mut item, tags::SEGMENT_NUMBER, usize::from(label));
    let name = format!("label {label}");
    for (tag, vr, value) in [
        (tags::SEGMENT_LABEL, VR::LO, name.as_str()),
        (tags::SEGMENT_ALGORITHM_TYPE, VR::CS, "AUTOMATIC"),
        (tags::SEGMENT_ALGORITHM_NAME, VR::LO, "fedval"),
    ] {
        text(&mut item, tag, vr, value);
    }
    let mut tissue = InMemDicomObject::new_empty();
    for (tag, vr, value) in [
        (tags::CODE_VALUE, VR::SH, "85756007"),
        (tags::CODING_SCHEME_DESIGNATOR, VR::SH, "SCT"),
        (tags::CODE_MEANING, VR::LO, "Tissue"),
    ] {
        text(&mut tissue, tag, vr, value);
    }
    for tag in [
        tags::SEGMENTED_PROPERTY_CATEGORY_CODE_SEQUENCE,
        tags::SEGMENTED_PROPERTY_TYPE_CODE_SEQUENCE,
    ] {
        item.put(sequence(tag, [tissue.clone()]));
    }
    item
}

/// Position of a slice's first voxel: left, posterior, superior.
fn position(affine: &[[f64; 4]; 3], slice: usize) -> [f64; 3] {
    std::array::from_fn(|row| {
        #[allow(clippy::cast_precision_loss, reason = "slices stay far below 2^53")]
        let place = affine[row][3] + affine[row][2] * slice as f64;
        if row < 2 { -place } else { place }
    })
}

fn frame(label: u16, slice: usize, position: [f64; 3]) -> InMemDicomObject {
    let slice = u32::try_from(slice + 1).unwrap_or(u32::MAX);
    let indices = PrimitiveValue::U32([u32::from(label), slice].into_iter().collect());
    let mut content = InMemDicomObject::new_empty();
    content.put(DataElement::new(
        tags::DIMENSION_INDEX_VALUES,
        VR::UL,
        indices,
    ));
    let mut segment = InMemDicomObject::new_empty();
    short(
        &mut segment,
        tags::REFERENCED_SEGMENT_NUMBER,
        usize::from(label),
    );
    let mut place = InMemDicomObject::new_empty();
    text(
        &mut place,
        tags::IMAGE_POSITION_PATIENT,
        VR::DS,
        &decimals(&position),
    );
    let mut item = InMemDicomObject::new_empty();
    item.put(sequence(tags::FRAME_CONTENT_SEQUENCE, [content]));
    item.put(sequence(tags::SEGMENT_IDENTIFICATION_SEQUENCE, [segment]));
    item.put(sequence(tags::PLANE_POSITION_SEQUENCE, [place]));
    item
}

fn shared(geometry: &Geometry, affine: &[[f64; 4]; 3]) -> InMemDicomObject {
    let direction = |axis: usize| -> [f64; 3] {
        std::array::from_fn(|row| {
            let part = affine[row][axis] / geometry.spacing[axis];
            if row < 2 { -part } else { part }
        })
    };
    let mut directions = direction(0).to_vec();
    directions.extend(direction(1));
    let mut orientation = InMemDicomObject::new_empty();
    text(
        &mut orientation,
        tags::IMAGE_ORIENTATION_PATIENT,
        VR::DS,
        &decimals(&directions),
    );
    let mut measures = InMemDicomObject::new_empty();
    let spacing = [geometry.spacing[1], geometry.spacing[0]];
    text(
        &mut measures,
        tags::PIXEL_SPACING,
        VR::DS,
        &decimals(&spacing),
    );
    for tag in [tags::SLICE_THICKNESS, tags::SPACING_BETWEEN_SLICES] {
        let between = decimals(&geometry.spacing[2..]);
        text(&mut measures, tag, VR::DS, &between);
    }
    let mut item = InMemDicomObject::new_empty();
    item.put(sequence(tags::PLANE_ORIENTATION_SEQUENCE, [orientation]));
    item.put(sequence(tags::PIXEL_MEASURES_SEQUENCE, [measures]));
    item
}

/// An error with its causes, one line.
fn chain(fault: &dyn std::error::Error) -> String {
    let mut text = fault.to_string();
    let mut cause = fault.source();
    while let Some(next) = cause {
        text.push_str(&format!(": {next}"));
        cause = next.source();
    }
    text
}
