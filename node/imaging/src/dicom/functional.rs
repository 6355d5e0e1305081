//! Functional groups: where each frame of a multi-frame object lies and which segment it shows.
//!
//! Specification: PS3.3 sections C.7.6.16 (multi-frame functional groups) and C.8.20 (segmentation).
//!
//! From: `dataset`.
//! To: `seg`.

use dicom_core::Tag;
use dicom_dictionary_std::tags;
use dicom_object::InMemDicomObject;

use super::dataset::{Dataset, reals, whole};
use crate::refusal::{Reason, Refusal};

/// One frame.
pub(super) struct Frame {
    /// The segment; `None` in a label map, whose pixels are segments.
    pub(super) segment: Option<u16>,
    /// Where it lies.
    pub(super) place: Place,
}

/// Where a frame lies.
#[derive(Clone, Copy)]
pub(super) enum Place {
    /// In the patient: position of the first pixel, directions of rows and columns, spacing of
    /// columns and rows, and the distance of slices as far as the object says it.
    Patient(Plane),
    /// On a slide: first column and row in the total matrix, from 0.
    Slide([usize; 2]),
    /// Nowhere: the object refers to one plain image.
    Unknown,
}

/// A plane in the patient, millimetres, left, posterior, superior.
#[derive(Clone, Copy, Debug, PartialEq)]
pub(super) struct Plane {
    pub(super) position: [f64; 3],
    pub(super) along_row: [f64; 3],
    pub(super) along_column: [f64; 3],
    /// Between columns, between rows.
    pub(super) spacing: [f64; 2],
    /// Between slices, if stated.
    pub(super) between: Option<f64>,
}

fn items(object: &InMemDicomObject, tag: Tag) -> Vec<&InMemDicomObject> {
    let found = object.get(tag).and_then(|element| element.items());
    found.map_or_else(Vec::new, |items| items.iter().collect())
}

/// The first item of a group, of the frame or of all frames.
struct Groups<'a> {
    own: Option<&'a InMemDicomObject>,
    shared: Option<&'a InMemDicomObject>,
}

impl<'a> Groups<'a> {
    fn group(&self, tag: Tag) -> Option<&'a InMemDicomObject> {
        let first = |object: Option<&'a InMemDicomObject>| items(object?, tag).into_iter().next();
        first(self.own).or_else(|| first(self.shared))
    }

    fn plane(&self) -> Option<Plane> {
        let position = self.group(tags::PLANE_POSITION_SEQUENCE)?;
        let position = triple(&reals(position, tags::IMAGE_POSITION_PATIENT)?)?;
        let orientation = self.group(tags::PLANE_ORIENTATION_SEQUENCE)?;
        let directions = reals(orientation, tags::IMAGE_ORIENTATION_PATIENT)?;
        let measures = self.group(tags::PIXEL_MEASURES_SEQUENCE)?;
        plane(
            position,
            &directions,
            &reals(measures, tags::PIXEL_SPACING)?,
            between(measures),
        )
    }
}

/// The distance of slices that an object states; its thickness says nothing where slices leave
/// gaps or overlap, so that it counts only where the distance is absent.
pub(super) fn between(object: &InMemDicomObject) -> Option<f64> {
    let first = |tag| reals(object, tag).and_then(|values| values.first().copied());
    first(tags::SPACING_BETWEEN_SLICES)
        .or_else(|| first(tags::SLICE_THICKNESS))
        .map(f64::abs)
        .filter(|value| *value > 0.0)
}

/// A plane from its parts; `None` where a part is no direction or no length.
pub(super) fn plane(
    position: [f64; 3],
    directions: &[f64],
    spacing: &[f64],
    between: Option<f64>,
) -> Option<Plane> {
    let along_row = triple(directions.get(..3)?)?;
    let along_column = triple(directions.get(3..6)?)?;
    let unit = |one: [f64; 3]| (dot(one, one) - 1.0).abs() < 1e-2;
    let square = dot(along_row, along_column).abs() < 1e-2;
    // The standard's first spacing is between rows.
    let (rows, columns) = (*spacing.first()?, *spacing.get(1)?);
    (unit(along_row) && unit(along_column) && square && rows > 0.0 && columns > 0.0).then_some(
        Plane {
            position,
            along_row,
            along_column,
            spacing: [columns, rows],
            between,
        },
    )
}

pub(super) fn triple(values: &[f64]) -> Option<[f64; 3]> {
    values.get(..3)?.try_into().ok()
}

pub(super) fn dot(a: [f64; 3], b: [f64; 3]) -> f64 {
    a[0] * b[0] + a[1] * b[1] + a[2] * b[2]
}

pub(super) fn cross(a: [f64; 3], b: [f64; 3]) -> [f64; 3] {
    [
        a[1] * b[2] - a[2] * b[1],
        a[2] * b[0] - a[0] * b[2],
        a[0] * b[1] - a[1] * b[0],
    ]
}

/// The frames of a segmentation, `count` of them.
///
/// # Errors
/// `malformed` where frames and functional groups do not match.
pub(super) fn frames(dataset: &Dataset<'_>, count: usize) -> Result<Vec<Frame>, Refusal> {
    let shared = items(&dataset.header, tags::SHARED_FUNCTIONAL_GROUPS_SEQUENCE);
    let own = items(&dataset.header, tags::PER_FRAME_FUNCTIONAL_GROUPS_SEQUENCE);
    if own.len() != count && !(own.is_empty() && count == 1) {
        let why = format!("{count} frames and {} functional groups", own.len());
        return Err(Refusal::new(Reason::Malformed, why));
    }
    let each = (0..count).map(|at| {
        let groups = Groups {
            own: own.get(at).copied(),
            shared: shared.first().copied(),
        };
        Ok(Frame {
            segment: segment(&groups)?,
            place: place(&groups),
        })
    });
    each.collect()
}

fn segment(groups: &Groups<'_>) -> Result<Option<u16>, Refusal> {
    let Some(group) = groups.group(tags::SEGMENT_IDENTIFICATION_SEQUENCE) else {
        return Ok(None);
    };
    let number = whole(group, tags::REFERENCED_SEGMENT_NUMBER);
    let number = number.and_then(|number| u16::try_from(number).ok());
    number
        .filter(|number| *number > 0)
        .map(Some)
        .ok_or_else(|| Refusal::new(Reason::Malformed, "a frame names no segment"))
}

fn place(groups: &Groups<'_>) -> Place {
    if let Some(group) = groups.group(tags::PLANE_POSITION_SLIDE_SEQUENCE) {
        let at = |tag| whole(group, tag).and_then(|place| place.checked_sub(1));
        let column = at(tags::COLUMN_POSITION_IN_TOTAL_IMAGE_PIXEL_MATRIX);
        let row = at(tags::ROW_POSITION_IN_TOTAL_IMAGE_PIXEL_MATRIX);
        if let (Some(column), Some(row)) = (column, row) {
            return Place::Slide([column as usize, row as usize]);
        }
    }
    groups.plane().map_or(Place::Unknown, Place::Patient)
}
