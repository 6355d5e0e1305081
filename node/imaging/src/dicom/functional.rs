//! Functional groups: where each frame of a multi-frame object lies and which segment it shows.
//!
//! Specification: PS3.3 sections C.7.6.16 (multi-frame functional groups), C.7.6.17 (dimensions,
//! tiles) and C.8.20 (segmentation).
//!
//! From: `element`, `dataset`.
//! To: `seg`.

use std::collections::BTreeSet;

use dicom_core::Tag;
use dicom_dictionary_std::tags;

use super::dataset::Dataset;
use super::element::{Item, Object};
use super::grid::Plane;
use crate::refusal::{Reason, Refusal};

/// One frame.
#[derive(Clone, Copy)]
pub(super) struct Frame {
    /// The segment; `None` in a label map, whose pixels are segments.
    pub(super) segment: Option<u16>,
    /// Where it lies.
    pub(super) place: Place,
}

/// Where a frame lies.
#[derive(Clone, Copy)]
pub(super) enum Place {
    /// In the patient.
    Patient(Plane),
    /// On a slide: first column and row in the total matrix, from 0.
    Slide([usize; 2]),
    /// In the plane of the one image that the object refers to.
    Plane,
}

/// The frames of an object.
pub(super) struct Frames {
    pub(super) each: Vec<Frame>,
    /// Millimetres between columns, between rows and between planes, of frames that lie in no
    /// patient; 1 where nothing is stated.
    pub(super) spacing: [f64; 3],
}

/// The groups of one frame, and those of all.
struct Groups<'a, 'b> {
    own: Option<Object<'a>>,
    shared: &'b Option<Object<'a>>,
}

impl<'a> Groups<'a, '_> {
    /// The first item of a group.
    fn group(&self, tag: Tag) -> Result<Option<Object<'a>>, Refusal> {
        for groups in [&self.own, self.shared].into_iter().flatten() {
            if let Some(group) = groups.first(tag)? {
                return Ok(Some(group));
            }
        }
        Ok(None)
    }

    fn segment(&self) -> Result<Option<u16>, Refusal> {
        let Some(group) = self.group(tags::SEGMENT_IDENTIFICATION_SEQUENCE)? else {
            return Ok(None);
        };
        let number = group.whole(tags::REFERENCED_SEGMENT_NUMBER);
        let number = number.and_then(|number| u16::try_from(number).ok());
        number
            .filter(|number| *number > 0)
            .map(Some)
            .ok_or_else(|| Refusal::new(Reason::Malformed, "a frame names no segment"))
    }

    fn place(&self) -> Result<Place, Refusal> {
        if let Some(position) = self.group(tags::PLANE_POSITION_SEQUENCE)? {
            return self.plane(&position);
        }
        let Some(group) = self.group(tags::PLANE_POSITION_SLIDE_SEQUENCE)? else {
            return Ok(Place::Plane);
        };
        let at = |tag| group.whole(tag).and_then(|place| place.checked_sub(1));
        let column = at(tags::COLUMN_POSITION_IN_TOTAL_IMAGE_PIXEL_MATRIX);
        let row = at(tags::ROW_POSITION_IN_TOTAL_IMAGE_PIXEL_MATRIX);
        match (column, row) {
            (Some(column), Some(row)) => Ok(Place::Slide([column as usize, row as usize])),
            _ => Err(Refusal::new(
                Reason::NoGeometry,
                "a frame on a slide without column and row",
            )),
        }
    }

    fn plane(&self, position: &Object<'a>) -> Result<Place, Refusal> {
        let orientation = self.group(tags::PLANE_ORIENTATION_SEQUENCE)?;
        let measures = self.group(tags::PIXEL_MEASURES_SEQUENCE)?;
        let plane = || {
            let measures = measures.as_ref()?;
            let plane = Plane::of(
                &position.reals(tags::IMAGE_POSITION_PATIENT)?,
                &orientation?.reals(tags::IMAGE_ORIENTATION_PATIENT)?,
                &measures.reals(tags::PIXEL_SPACING)?,
            )?;
            Some(Plane {
                between: measures.length(tags::SPACING_BETWEEN_SLICES),
                thickness: measures.length(tags::SLICE_THICKNESS),
                ..plane
            })
        };
        plane().map(Place::Patient).ok_or_else(|| {
            let why = "a frame's position, orientation or pixel spacing is missing or no number";
            Refusal::new(Reason::NoGeometry, why)
        })
    }
}

/// The frames of a segmentation, `count` of them.
///
/// # Errors
/// `malformed` where frames and functional groups do not match, `no-geometry` where a frame's
/// place cannot be known, `dimensions` for several planes of one slide.
pub(super) fn frames(dataset: &Dataset<'_>, count: usize) -> Result<Frames, Refusal> {
    let object = &dataset.object;
    let shared = object.first(tags::SHARED_FUNCTIONAL_GROUPS_SEQUENCE)?;
    let own = object.items(tags::PER_FRAME_FUNCTIONAL_GROUPS_SEQUENCE)?;
    let spacing = spacing(&shared)?;
    let organised = object.text(tags::DIMENSION_ORGANIZATION_TYPE);
    if own.is_empty() && organised.as_deref() == Some("TILED_FULL") {
        let each = tiles(dataset, count)?;
        return Ok(Frames { each, spacing });
    }
    if own.len() != count {
        let why = format!("{count} frames and {} functional groups", own.len());
        return Err(Refusal::new(Reason::Malformed, why));
    }
    let mut each = Vec::with_capacity(count);
    for item in &own {
        let groups = Groups {
            own: Some(item.open()?),
            shared: &shared,
        };
        each.push(Frame {
            segment: groups.segment()?,
            place: groups.place()?,
        });
    }
    if each.iter().any(|frame| matches!(frame.place, Place::Plane)) {
        one_image(&own)?;
    }
    Ok(Frames { each, spacing })
}

fn spacing(shared: &Option<Object<'_>>) -> Result<[f64; 3], Refusal> {
    let Some(shared) = shared else {
        return Ok([1.0; 3]);
    };
    let measures = shared.first(tags::PIXEL_MEASURES_SEQUENCE)?;
    let stated = || {
        let measures = measures?;
        let spacing = measures.reals(tags::PIXEL_SPACING)?;
        let (rows, columns) = (*spacing.first()?, *spacing.get(1)?);
        let thickness = measures.length(tags::SLICE_THICKNESS).unwrap_or(1.0);
        (rows > 0.0 && columns > 0.0).then_some([columns, rows, thickness])
    };
    Ok(stated().unwrap_or([1.0; 3]))
}

/// Frames without groups of their own that cover a slide: tile after tile along its rows, then
/// segment after segment.
fn tiles(dataset: &Dataset<'_>, count: usize) -> Result<Vec<Frame>, Refusal> {
    let malformed = |why: &str| Refusal::new(Reason::Malformed, why);
    let size = |tag| dataset.size(tag).filter(|size| *size > 0);
    let sizes = [
        size(tags::TOTAL_PIXEL_MATRIX_COLUMNS),
        size(tags::COLUMNS),
        size(tags::TOTAL_PIXEL_MATRIX_ROWS),
        size(tags::ROWS),
    ];
    let [Some(width), Some(columns), Some(height), Some(rows)] = sizes else {
        return Err(malformed("tiles of a slide whose size is not given"));
    };
    if dataset
        .size(tags::TOTAL_PIXEL_MATRIX_FOCAL_PLANES)
        .unwrap_or(1)
        != 1
    {
        let why = "a slide with several focal planes";
        return Err(Refusal::new(Reason::Dimensions, why));
    }
    let (across, down) = (width.div_ceil(columns), height.div_ceil(rows));
    let plane = across.checked_mul(down).filter(|plane| *plane <= count);
    let plane = plane.ok_or_else(|| malformed("fewer frames than a slide has tiles"))?;
    let is_map = dataset.text(tags::SEGMENTATION_TYPE).as_deref() == Some("LABELMAP");
    let segments = if is_map {
        vec![None]
    } else {
        declared(dataset)?.into_iter().map(Some).collect()
    };
    if plane.checked_mul(segments.len()) != Some(count) {
        let why = format!(
            "{count} frames for {plane} tiles of {} segments",
            segments.len()
        );
        return Err(malformed(&why));
    }
    let each = (0..count).map(|at| Frame {
        segment: segments.get(at / plane).copied().flatten(),
        place: Place::Slide([at % plane % across * columns, at % plane / across * rows]),
    });
    Ok(each.collect())
}

/// The numbers of the segments that an object describes, in its order.
///
/// # Errors
/// `malformed`.
pub(super) fn declared(dataset: &Dataset<'_>) -> Result<Vec<u16>, Refusal> {
    let items = dataset.object.items(tags::SEGMENT_SEQUENCE)?;
    let numbers = items.iter().map(|item| {
        let number = item.open()?.whole(tags::SEGMENT_NUMBER);
        let number = number.and_then(|number| u16::try_from(number).ok());
        number.ok_or_else(|| Refusal::new(Reason::Malformed, "a segment without a number"))
    });
    numbers.collect()
}

/// Frames without a position lie in one plane only where they were drawn on one image.
fn one_image(own: &[Item<'_>]) -> Result<(), Refusal> {
    let mut images = BTreeSet::new();
    for item in own {
        let derived = item.open()?.first(tags::DERIVATION_IMAGE_SEQUENCE)?;
        let source = match derived {
            Some(derived) => derived.first(tags::SOURCE_IMAGE_SEQUENCE)?,
            None => None,
        };
        if let Some(source) = source {
            images.insert((
                source.text(tags::REFERENCED_SOP_INSTANCE_UID),
                source.text(tags::REFERENCED_FRAME_NUMBER),
            ));
        }
    }
    if images.len() > 1 {
        let why = format!(
            "frames without a position that were drawn on {} images",
            images.len()
        );
        return Err(Refusal::new(Reason::NoGeometry, why));
    }
    Ok(())
}
