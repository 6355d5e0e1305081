//! What kind of object a file holds, by its class: a segmentation, perhaps an image of labels, or
//! something that holds no mask, with what to do instead.
//!
//! Specification: PS3.4 section B.5 (storage classes).
//!
//! From: `dataset`.
//! To: `dicom`, `series`.

use crate::refusal::{Reason, Refusal};

/// The kinds that matter here.
#[derive(Clone, Copy, Debug, Eq, PartialEq)]
pub(super) enum Kind {
    /// Segmentation or label map segmentation.
    Segmentation,
    /// An image, whose pixels may be labels.
    Image,
    /// No mask; why, and what to do instead.
    Other(&'static str),
}

pub(super) const SEGMENTATION: &str = "1.2.840.10008.5.1.4.1.1.66.4";
const LABEL_MAP: &str = "1.2.840.10008.5.1.4.1.1.66.7";

/// Starts of classes that hold no mask.
const OTHERS: [(&str, &str); 13] = [
    (
        "1.2.840.10008.5.1.4.1.1.481.3",
        "contours (RTSTRUCT) are not voxels, and tools fill them differently; export the structure \
         as a DICOM segmentation or as NIfTI",
    ),
    (
        "1.2.840.10008.5.1.4.1.1.481.2",
        "doses (RTDOSE) are not labels; threshold them with the tool you trust, and export a DICOM \
         segmentation or NIfTI",
    ),
    (
        "1.2.840.10008.5.1.4.1.1.481.1",
        "an image of a treatment beam (RTIMAGE)",
    ),
    (
        "1.2.840.10008.5.1.4.1.1.481.",
        "an object of radiotherapy without voxels",
    ),
    ("1.2.840.10008.5.1.4.1.1.9.", "a waveform"),
    (
        "1.2.840.10008.5.1.4.1.1.88.",
        "a structured report; export the segmentation that it refers to",
    ),
    ("1.2.840.10008.5.1.4.1.1.11.", "a presentation state"),
    (
        "1.2.840.10008.5.1.4.1.1.66.5",
        "a segmentation as surfaces; export it as voxels",
    ),
    (
        "1.2.840.10008.5.1.4.1.1.66.8",
        "a segmentation as heights; export it as voxels",
    ),
    (
        "1.2.840.10008.5.1.4.1.1.66.",
        "a registration or raw data, not voxels",
    ),
    (
        "1.2.840.10008.5.1.4.1.1.30",
        "a parametric map: its values are measurements, not labels",
    ),
    ("1.2.840.10008.5.1.4.1.1.104.", "an encapsulated document"),
    ("1.2.840.10008.1.3.10", "a directory of files (DICOMDIR)"),
];

impl Kind {
    /// The kind of the class called `class`.
    pub(super) fn of(class: &str) -> Self {
        if class == SEGMENTATION || class == LABEL_MAP {
            return Self::Segmentation;
        }
        // A start that ends with a point names a family, any other a single class.
        let fits = |start: &str| {
            class
                .strip_prefix(start)
                .is_some_and(|rest| start.ends_with('.') || rest.is_empty())
        };
        let other = OTHERS.iter().find(|(start, _)| fits(start));
        other.map_or(Self::Image, |(_, why)| Self::Other(why))
    }

    /// Refuses what holds no mask.
    ///
    /// # Errors
    /// `wrong-object`.
    pub(super) fn refuse_other(self) -> Result<(), Refusal> {
        match self {
            Self::Segmentation | Self::Image => Ok(()),
            Self::Other(why) => Err(Refusal::new(Reason::WrongObject, why)),
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn families_and_single_classes_are_told_apart() {
        let kind = |end: &str| Kind::of(&format!("1.2.840.10008.5.1.4.1.1.{end}"));
        assert_eq!(kind("66.4"), Kind::Segmentation);
        assert_eq!(kind("66.7"), Kind::Segmentation);
        assert_eq!(kind("2"), Kind::Image);
        assert_eq!(kind("7"), Kind::Image);
        // CR is class 1, DX 1.1: neither is the start of another family.
        assert_eq!(kind("1"), Kind::Image);
        assert_eq!(kind("1.1"), Kind::Image);
        for end in [
            "481.3", "481.2", "481.5", "9.1.1", "88.33", "66.5", "66.1", "30", "104.1",
        ] {
            assert!(matches!(kind(end), Kind::Other(_)), "{end}");
        }
    }
}
