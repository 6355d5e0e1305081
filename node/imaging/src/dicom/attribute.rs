//! What an image says of its acquisition: a closed list of attributes, each of which the basic
//! profile of PS3.15 (table E.1-1) keeps. Names, dates, identifiers, institutions, devices' serial
//! numbers and free text are not on the list, so that nothing can ask for them.
//!
//! Pixels are not read, nor is the file beyond them. In an object of many frames, what all frames
//! share counts as what the object says.
//!
//! From: images of one hospital.
//! To: `node::imaging`, by way of fields that the protocol declares.

use std::path::Path;

use dicom_core::Tag;
use dicom_dictionary_std::tags;

use super::dataset::File;
use super::element::Object;
use super::head_of;
use super::series::files;
use crate::limit::Limits;
use crate::refusal::{Reason, Refusal};

/// Letters of a text that are kept.
const TEXT_MAX: usize = 64;

macro_rules! attributes {
    ($($(#[$doc:meta])* $name:ident = $slug:literal, $tag:ident, $kind:ident;)*) => {
        /// An attribute of the acquisition.
        #[derive(Clone, Copy, Debug, Eq, PartialEq, Ord, PartialOrd)]
        pub enum Attribute { $($(#[$doc])* $name,)* }

        impl Attribute {
            /// Every attribute.
            pub const ALL: &'static [Self] = &[$(Self::$name,)*];

            /// The word in protocols.
            pub fn slug(self) -> &'static str {
                match self { $(Self::$name => $slug,)* }
            }

            /// The attribute called `slug`.
            pub fn parse(slug: &str) -> Option<Self> {
                Self::ALL.iter().copied().find(|one| one.slug() == slug)
            }

            fn tag(self) -> Tag {
                match self { $(Self::$name => tags::$tag,)* }
            }

            fn kind(self) -> Kind {
                match self { $(Self::$name => Kind::$kind,)* }
            }
        }
    };
}

/// How a value is read.
#[derive(Clone, Copy, Eq, PartialEq)]
enum Kind {
    /// Upper-case terms of the standard.
    Term,
    /// As it is written, without padding.
    Text,
    /// The smallest of some numbers.
    Number,
    /// A manufacturer, its spellings made one.
    Manufacturer,
    /// Tesla; some write gauss.
    Field,
}

attributes! {
    /// Modality, such as `CT`.
    Modality = "modality", MODALITY, Term;
    /// Manufacturer.
    Manufacturer = "manufacturer", MANUFACTURER, Manufacturer;
    /// Manufacturer's model name.
    ModelName = "model-name", MANUFACTURER_MODEL_NAME, Text;
    /// Slice thickness, millimetres.
    SliceThickness = "slice-thickness", SLICE_THICKNESS, Number;
    /// Spacing between slices, millimetres.
    SpacingBetweenSlices = "spacing-between-slices", SPACING_BETWEEN_SLICES, Number;
    /// Pixel spacing, millimetres.
    PixelSpacing = "pixel-spacing", PIXEL_SPACING, Number;
    /// Magnetic field strength, tesla.
    MagneticFieldStrength = "magnetic-field-strength", MAGNETIC_FIELD_STRENGTH, Field;
    /// Peak kilovoltage.
    Kvp = "kvp", KVP, Number;
    /// Body part examined.
    BodyPart = "body-part", BODY_PART_EXAMINED, Term;
    /// View position.
    ViewPosition = "view-position", VIEW_POSITION, Term;
    /// Laterality.
    Laterality = "laterality", LATERALITY, Term;
    /// Convolution kernel.
    ConvolutionKernel = "convolution-kernel", CONVOLUTION_KERNEL, Text;
}

/// A value of an attribute.
#[derive(Clone, Debug, PartialEq)]
pub enum Value {
    /// A number.
    Number(f64),
    /// A term.
    Term(String),
}

/// Manufacturers by how a word of their names starts, a space where it also ends; the first that
/// fits. What a bought company made keeps its own name where it is still in use.
const MANUFACTURERS: [(&str, &str); 23] = [
    ("siemens", "Siemens Healthineers"),
    ("philips", "Philips"),
    ("toshiba", "Canon"),
    ("canon ", "Canon"),
    ("hitachi", "Hitachi"),
    ("fuji", "Fujifilm"),
    ("hologic", "Hologic"),
    ("lorad", "Hologic"),
    ("agfa", "Agfa"),
    ("carestream", "Carestream"),
    ("kodak", "Carestream"),
    ("konica", "Konica Minolta"),
    ("samsung", "Samsung"),
    ("united imaging", "United Imaging"),
    ("uih ", "United Imaging"),
    ("shimadzu", "Shimadzu"),
    ("varian ", "Varian"),
    ("bruker", "Bruker"),
    ("imaging dynamics", "Imaging Dynamics"),
    ("neusoft", "Neusoft"),
    ("esaote", "Esaote"),
    ("mindray", "Mindray"),
    ("elekta", "Elekta"),
];

/// The name that a manufacturer goes by, whatever the spelling; `other` for one not known.
pub fn manufacturer(text: &str) -> &'static str {
    let words: String = text
        .to_lowercase()
        .chars()
        .map(|letter| {
            if letter.is_alphanumeric() {
                letter
            } else {
                ' '
            }
        })
        .collect();
    let words: Vec<&str> = words.split_whitespace().collect();
    // "GE" also stands within other words and is spelled with points.
    let ge = matches!(
        words.as_slice(),
        ["ge", ..] | ["g", "e", ..] | ["gehc", ..] | ["general", "electric", ..]
    );
    if ge {
        return "GE HealthCare";
    }
    let joined = format!(" {} ", words.join(" "));
    let starts = |start: &str| {
        joined
            .match_indices(start)
            .any(|(at, _)| joined[..at].ends_with(' '))
    };
    let known = MANUFACTURERS.iter().find(|(start, _)| starts(start));
    known.map_or("other", |(_, name)| name)
}

/// Reads some attributes of an image, or of the first file of a folder; those that are absent,
/// empty or no number are `None`.
///
/// # Errors
/// A [`Refusal`] where there is no DICOM file.
pub fn read(
    path: &Path,
    wanted: &[Attribute],
    limits: &Limits,
) -> Result<Vec<Option<Value>>, Refusal> {
    if path.is_dir() {
        let first = files(path, limits)?.into_iter().next();
        let missing = || Refusal::new(Reason::Missing, "the folder holds no files");
        return read(&first.ok_or_else(missing)?, wanted, limits);
    }
    head_of(path, limits, |dataset| Ok(found(&dataset.object, wanted)))
}

/// The same from bytes, which may end with the pixels or before them.
///
/// # Errors
/// As [`read`].
pub fn read_bytes(
    bytes: &[u8],
    wanted: &[Attribute],
    limits: &Limits,
) -> Result<Vec<Option<Value>>, Refusal> {
    let file = File::of(bytes, limits)?;
    Ok(found(&file.dataset()?.object, wanted))
}

fn found(object: &Object<'_>, wanted: &[Attribute]) -> Vec<Option<Value>> {
    let shared = object.first(tags::SHARED_FUNCTIONAL_GROUPS_SEQUENCE);
    let groups = shared.ok().flatten().map(groups).unwrap_or_default();
    let places: Vec<&Object<'_>> = std::iter::once(object).chain(&groups).collect();
    let each = wanted.iter().map(|one| {
        let tags = [Some(one.tag()), one.instead()];
        let mut tags = tags.into_iter().flatten();
        tags.find_map(|tag| places.iter().find_map(|place| one.value(place, tag)))
    });
    each.collect()
}

/// What all frames share, group by group.
fn groups(shared: Object<'_>) -> Vec<Object<'_>> {
    let first = shared
        .sequences()
        .filter_map(|items| items.first()?.open().ok());
    first.collect()
}

impl Attribute {
    /// Where images of some kinds have it instead.
    fn instead(self) -> Option<Tag> {
        match self {
            Self::Laterality => Some(tags::IMAGE_LATERALITY),
            Self::Modality
            | Self::Manufacturer
            | Self::ModelName
            | Self::SliceThickness
            | Self::SpacingBetweenSlices
            | Self::PixelSpacing
            | Self::MagneticFieldStrength
            | Self::Kvp
            | Self::BodyPart
            | Self::ViewPosition
            | Self::ConvolutionKernel => None,
        }
    }

    fn value(self, object: &Object<'_>, tag: Tag) -> Option<Value> {
        let text = || plain(&object.text(tag)?);
        let number = || {
            let values = object.reals(tag)?;
            let least = values.into_iter().fold(f64::INFINITY, f64::min);
            (least > 0.0).then_some(least)
        };
        match self.kind() {
            Kind::Term => text().map(|text| Value::Term(text.to_uppercase())),
            Kind::Text => text().map(Value::Term),
            Kind::Number => number().map(Value::Number),
            Kind::Manufacturer => text().map(|text| Value::Term(manufacturer(&text).to_owned())),
            // No magnet of 100 tesla images patients: the number is in gauss.
            Kind::Field => number()
                .map(|field| {
                    if field > 100.0 {
                        field / 10_000.0
                    } else {
                        field
                    }
                })
                .map(Value::Number),
        }
    }
}

/// The first of several values, without padding or characters that steer a terminal.
fn plain(text: &str) -> Option<String> {
    let first = text.split('\\').next()?;
    let kept = first.chars().filter(|letter| !letter.is_control());
    let kept: String = kept.take(TEXT_MAX).collect();
    let kept = kept.trim();
    (!kept.is_empty()).then(|| kept.to_owned())
}

#[cfg(test)]
mod tests;
