//! Spellings, odd values, and what can never be asked for.

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
    for (text, name) in [
        ("Agency of imagery", "other"),
        ("Variant Imaging", "other"),
        ("Canon Medical Systems", "Canon"),
        ("Hitachi Medical Corporation", "Hitachi"),
        ("FUJI PHOTO FILM Co., ltd.", "Fujifilm"),
        ("Fujifilm Healthcare", "Fujifilm"),
        ("KODAK", "Carestream"),
        ("Lorad, A Hologic Company", "Hologic"),
        ("UIH", "United Imaging"),
        ("Shanghai United Imaging Healthcare", "United Imaging"),
        ("VARIAN Medical Systems", "Varian"),
        ("Agfa-Gevaert AG", "Agfa"),
        ("", "other"),
    ] {
        assert_eq!(manufacturer(text), name, "{text}");
    }
}

/// A data set of some texts, with types, in a file.
fn with(elements: &[(Tag, &str)]) -> Vec<Option<Value>> {
    let mut bytes = vec![0; 128];
    bytes.extend(b"DICM");
    bytes.extend([2, 0, 0x10, 0, b'U', b'I', 20, 0]);
    bytes.extend(b"1.2.840.10008.1.2.1\0");
    for (tag, text) in elements {
        bytes.extend(tag.0.to_le_bytes());
        bytes.extend(tag.1.to_le_bytes());
        bytes.extend([b'L', b'O']);
        bytes.extend(u16::try_from(text.len()).unwrap().to_le_bytes());
        bytes.extend(text.as_bytes());
    }
    read_bytes(&bytes, Attribute::ALL, &Limits::default()).unwrap()
}

#[test]
fn odd_values_are_put_right_or_left_out() {
    let one = |tag, text| with(&[(tag, text)]).into_iter().flatten().next();
    let number = |value| Some(Value::Number(value));
    let term = |text: &str| Some(Value::Term(text.to_owned()));
    for (text, tesla) in [
        ("1.5", 1.5),
        ("15000", 1.5),
        ("30000 ", 3.0),
        ("0.35", 0.35),
    ] {
        assert_eq!(
            one(tags::MAGNETIC_FIELD_STRENGTH, text),
            number(tesla),
            "{text}"
        );
    }
    assert_eq!(one(tags::SLICE_THICKNESS, " 5.000000 "), number(5.0));
    for text in ["", "  ", "0", "-1", "thick", "NaN", "inf", "1,25", "\0"] {
        assert_eq!(one(tags::SLICE_THICKNESS, text), None, "{text:?}");
    }
    assert_eq!(one(tags::PIXEL_SPACING, "0.7\\0.5"), number(0.5));
    assert_eq!(one(tags::BODY_PART_EXAMINED, " chest\0"), term("CHEST"));
    assert_eq!(one(tags::CONVOLUTION_KERNEL, "Br40d\\3"), term("Br40d"));
    assert_eq!(one(tags::IMAGE_LATERALITY, "l "), term("L"));
    let both = with(&[(tags::LATERALITY, ""), (tags::IMAGE_LATERALITY, "R")]);
    assert_eq!(both.into_iter().flatten().next(), term("R"));
    assert_eq!(
        one(tags::MANUFACTURER_MODEL_NAME, "a\x1b[2Jb"),
        term("a[2Jb")
    );
    let long = "x".repeat(500);
    assert_eq!(
        one(tags::MANUFACTURER_MODEL_NAME, &long),
        term(&long[..TEXT_MAX])
    );
    // Whatever else the file says is not looked at.
    assert_eq!(one(tags::PATIENT_AGE, "000Y"), None);
    assert_eq!(one(tags::PATIENT_SEX, "M "), None);
}

/// What may be asked for, written out once more, so that a new attribute is a decision.
const ALLOWED: &[Tag] = &[
    tags::MODALITY,
    tags::MANUFACTURER,
    tags::MANUFACTURER_MODEL_NAME,
    tags::SLICE_THICKNESS,
    tags::SPACING_BETWEEN_SLICES,
    tags::PIXEL_SPACING,
    tags::MAGNETIC_FIELD_STRENGTH,
    tags::KVP,
    tags::BODY_PART_EXAMINED,
    tags::VIEW_POSITION,
    tags::LATERALITY,
    tags::IMAGE_LATERALITY,
    tags::CONVOLUTION_KERNEL,
];

/// Some of what the basic profile removes, empties or replaces (PS3.15 table E.1-1).
const IDENTIFYING: &[Tag] = &[
    tags::OTHER_PATIENT_NAMES,
    tags::PATIENT_BIRTH_TIME,
    tags::PATIENT_TELEPHONE_NUMBERS,
    tags::OCCUPATION,
    tags::ADDITIONAL_PATIENT_HISTORY,
    tags::ADMISSION_ID,
    tags::REQUESTING_PHYSICIAN,
    tags::PHYSICIANS_OF_RECORD,
    tags::NAME_OF_PHYSICIANS_READING_STUDY,
    tags::ACQUISITION_TIME,
    tags::ACQUISITION_DATE_TIME,
    tags::SERIES_TIME,
    tags::CONTENT_TIME,
    tags::ACQUISITION_DEVICE_PROCESSING_DESCRIPTION,
    tags::ACQUISITION_PROTOCOL_DESCRIPTION,
    tags::DERIVATION_DESCRIPTION,
    tags::REQUESTED_PROCEDURE_DESCRIPTION,
    tags::PERFORMED_PROCEDURE_STEP_DESCRIPTION,
    tags::DETECTOR_ID,
    tags::PLATE_ID,
    tags::CASSETTE_ID,
    tags::GANTRY_ID,
    tags::DEVICE_UID,
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

/// Attributes that PS3.15 table E.1-1 removes, empties or replaces can never be asked for.
#[test]
fn nothing_that_identifies_is_on_the_list() {
    for attribute in Attribute::ALL {
        assert_eq!(Attribute::parse(attribute.slug()), Some(*attribute));
        for tag in std::iter::once(attribute.tag()).chain(attribute.instead()) {
            assert!(
                ALLOWED.contains(&tag) && !IDENTIFYING.contains(&tag),
                "{tag}"
            );
        }
    }
    assert_eq!(Attribute::parse("patient-id"), None);
}
