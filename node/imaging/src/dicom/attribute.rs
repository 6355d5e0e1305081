//! What an image says of its acquisition: a closed list of attributes, each of which the basic
//! profile of PS3.15 (table E.1-1) keeps. Names, dates, identifiers, institutions, devices' serial
//! numbers and free text are not on the list, so that nothing can ask for them.
//!
//! From: images of one hospital.
//! To: `node::imaging`, by way of fields that the protocol declares.

use std::path::{Path, PathBuf};

use dicom_core::Tag;
use dicom_dictionary_std::tags;

use super::bytes_of;
use super::dataset::{Dataset, reals};
use crate::limit::Limits;
use crate::refusal::{Reason, Refusal};

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

/// Manufacturers by the words that their names hold; the first that fits.
const MANUFACTURERS: [(&str, &str); 19] = [
    ("siemens", "Siemens Healthineers"),
    ("philips", "Philips"),
    ("toshiba", "Canon"),
    ("canon", "Canon"),
    ("hitachi", "Fujifilm"),
    ("fuji", "Fujifilm"),
    ("hologic", "Hologic"),
    ("lorad", "Hologic"),
    ("agfa", "Agfa"),
    ("carestream", "Carestream"),
    ("kodak", "Carestream"),
    ("konica", "Konica Minolta"),
    ("samsung", "Samsung"),
    ("united imaging", "United Imaging"),
    ("uih", "United Imaging"),
    ("shimadzu", "Shimadzu"),
    ("varian", "Varian"),
    ("bruker", "Bruker"),
    ("imaging dynamics", "Imaging Dynamics"),
];

/// The name that a manufacturer goes by, whatever the spelling; `other` for one not known.
pub fn manufacturer(text: &str) -> &'static str {
    let plain: String = text
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
    let words: Vec<&str> = plain.split_whitespace().collect();
    // "GE" also stands within other words and is spelled with points.
    let ge = matches!(
        words.as_slice(),
        ["ge", ..] | ["g", "e", ..] | ["general", "electric", ..]
    );
    if ge {
        return "GE HealthCare";
    }
    let joined = words.join(" ");
    let known = MANUFACTURERS.iter().find(|(part, _)| joined.contains(part));
    known.map_or("other", |(_, name)| name)
}

/// Reads some attributes of an image, or of the first file of a folder; those that are absent,
/// empty or no number are `None`. Pixels are not read.
///
/// # Errors
/// A [`Refusal`] where there is no DICOM file.
pub fn read(
    path: &Path,
    wanted: &[Attribute],
    limits: &Limits,
) -> Result<Vec<Option<Value>>, Refusal> {
    let path = if path.is_dir() {
        first_file(path)?
    } else {
        path.to_owned()
    };
    read_bytes(&bytes_of(&path, limits)?, wanted, limits)
}

/// The same from bytes.
///
/// # Errors
/// As [`read`].
pub fn read_bytes(
    bytes: &[u8],
    wanted: &[Attribute],
    limits: &Limits,
) -> Result<Vec<Option<Value>>, Refusal> {
    let dataset = Dataset::of(bytes, limits)?;
    Ok(wanted.iter().map(|one| value(&dataset, *one)).collect())
}

fn first_file(folder: &Path) -> Result<PathBuf, Refusal> {
    let unreadable = |error: std::io::Error| crate::nifti::unreadable(&error);
    let mut found: Vec<PathBuf> = Vec::new();
    for entry in std::fs::read_dir(folder).map_err(unreadable)? {
        let entry = entry.map_err(unreadable)?;
        if entry.file_type().map_err(unreadable)?.is_file() {
            found.push(entry.path());
        }
    }
    let first = found.into_iter().min();
    first.ok_or_else(|| Refusal::new(Reason::Missing, "the folder holds no files"))
}

fn value(dataset: &Dataset<'_>, wanted: Attribute) -> Option<Value> {
    let text = || dataset.text(wanted.tag());
    let number = || {
        let values = reals(&dataset.header, wanted.tag())?;
        let least = values.into_iter().fold(f64::INFINITY, f64::min);
        (least.is_finite() && least > 0.0).then_some(least)
    };
    match wanted.kind() {
        Kind::Term => text().map(|text| Value::Term(text.to_uppercase())),
        Kind::Text => text().map(Value::Term),
        Kind::Number => number().map(Value::Number),
        Kind::Manufacturer => text().map(|text| Value::Term(manufacturer(&text).to_owned())),
        // No magnet of 100 tesla images patients: the number is in gauss.
        Kind::Field => number()
            .map(|strength| {
                if strength > 100.0 {
                    strength / 10_000.0
                } else {
                    strength
                }
            })
            .map(Value::Number),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn spellings_of_a_manufacturer_are_one() {
        for text in [
            "GE MEDICAL SYSTEMS",
            "G.E. Medical Systems",
            "GE Medical Systems ",
            "General Electric",
        ] {
            assert_eq!(manufacturer(text), "GE HealthCare", "{text}");
        }
        assert_eq!(manufacturer("SIEMENS"), "Siemens Healthineers");
        assert_eq!(manufacturer("Philips Medical Systems"), "Philips");
        assert_eq!(manufacturer("TOSHIBA_MEC"), "Canon");
        assert_eq!(manufacturer("Agency of imagery"), "other");
    }

    /// Attributes that PS3.15 table E.1-1 removes, empties or replaces can never be asked for.
    #[test]
    fn nothing_that_identifies_is_on_the_list() {
        let identifying = [
            tags::PATIENT_NAME,
            tags::PATIENT_ID,
            tags::PATIENT_BIRTH_DATE,
            tags::PATIENT_SEX,
            tags::PATIENT_AGE,
            tags::PATIENT_SIZE,
            tags::PATIENT_WEIGHT,
            tags::PATIENT_ADDRESS,
            tags::SMOKING_STATUS,
            tags::PREGNANCY_STATUS,
            tags::ACCESSION_NUMBER,
            tags::STUDY_ID,
            tags::STUDY_DATE,
            tags::STUDY_TIME,
            tags::SERIES_DATE,
            tags::ACQUISITION_DATE,
            tags::CONTENT_DATE,
            tags::STUDY_DESCRIPTION,
            tags::SERIES_DESCRIPTION,
            tags::PROTOCOL_NAME,
            tags::INSTITUTION_NAME,
            tags::INSTITUTION_ADDRESS,
            tags::INSTITUTIONAL_DEPARTMENT_NAME,
            tags::STATION_NAME,
            tags::DEVICE_SERIAL_NUMBER,
            tags::OPERATORS_NAME,
            tags::REFERRING_PHYSICIAN_NAME,
            tags::PERFORMING_PHYSICIAN_NAME,
            tags::STUDY_INSTANCE_UID,
            tags::SERIES_INSTANCE_UID,
            tags::SOP_INSTANCE_UID,
            tags::FRAME_OF_REFERENCE_UID,
            tags::CONTRAST_BOLUS_AGENT,
            tags::IMAGE_COMMENTS,
            tags::PATIENT_COMMENTS,
        ];
        for attribute in Attribute::ALL {
            assert!(
                !identifying.contains(&attribute.tag()),
                "{}",
                attribute.slug()
            );
            assert_eq!(Attribute::parse(attribute.slug()), Some(*attribute));
        }
        assert_eq!(Attribute::parse("patient-id"), None);
    }
}
