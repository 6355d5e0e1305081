//! Why one case cannot be measured. The reason is from a closed list and carries no data, so it
//! may be counted; the detail names tags, sizes and codes for the people at the site only.
//!
//! From: every reader.
//! To: `node::imaging`, which counts reasons and shows details.

use std::fmt;

/// One case's refusal.
#[derive(Clone, Debug, Eq, PartialEq)]
pub struct Refusal {
    /// The reason, countable.
    pub reason: Reason,
    /// What exactly, for the people at the site. Never a patient's name, and never a pixel.
    pub detail: String,
}

impl Refusal {
    /// A refusal.
    pub fn new(reason: Reason, detail: impl Into<String>) -> Self {
        Self {
            reason,
            detail: detail.into(),
        }
    }
}

impl fmt::Display for Refusal {
    fn fmt(&self, out: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(out, "{}: {}", self.reason.words(), self.detail)
    }
}

impl std::error::Error for Refusal {}

macro_rules! reasons {
    ($($(#[$doc:meta])* $name:ident = $slug:literal, $words:literal;)*) => {
        /// Why a file or a case is refused.
        #[derive(Clone, Copy, Debug, Eq, PartialEq, Ord, PartialOrd)]
        pub enum Reason { $($(#[$doc])* $name,)* }

        impl Reason {
            /// Every reason, in the order of a case's way through the readers.
            pub const ALL: &'static [Self] = &[$(Self::$name,)*];

            /// The word in files.
            pub fn slug(self) -> &'static str {
                match self { $(Self::$name => $slug,)* }
            }

            /// The reason in words.
            pub fn words(self) -> &'static str {
                match self { $(Self::$name => $words,)* }
            }
        }
    };
}

reasons! {
    /// There is no such file.
    Missing = "missing", "the file is missing";
    /// The file cannot be opened or read.
    Unreadable = "unreadable", "the file cannot be read";
    /// Larger than the site allows.
    TooLarge = "too-large", "larger than this site's limit";
    /// Not a kind of file that is read.
    UnknownFormat = "unknown-format", "not a kind of file that is read here";
    /// Ends before its own header says so.
    Truncated = "truncated", "the file ends too early";
    /// The header contradicts itself or its format.
    Malformed = "malformed", "the file contradicts its own format";
    /// A DICOM transfer syntax without a decoder here.
    TransferSyntax = "transfer-syntax", "stored with a compression that is not read here";
    /// A kind of DICOM object that holds no mask.
    WrongObject = "wrong-object", "a kind of object that holds no mask";
    /// Voxel values that are no labels.
    NotLabels = "not-labels", "voxel values that are no whole, non-negative labels";
    /// More than three dimensions.
    Dimensions = "dimensions", "more than three dimensions";
    /// No usable position in space.
    NoGeometry = "no-geometry", "no usable position in space";
    /// Truth and prediction lie in different spaces.
    GeometryMismatch = "geometry-mismatch", "truth and prediction lie in different spaces";
    /// A series that does not make one volume.
    IncompleteSeries = "incomplete-series", "the files do not make one volume";
    /// The reader took too long or too much memory, or ended.
    Stopped = "stopped", "the reader was stopped";
}

impl Reason {
    /// The reason called `slug`.
    pub fn parse(slug: &str) -> Option<Self> {
        Self::ALL.iter().copied().find(|one| one.slug() == slug)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn every_reason_has_its_own_word() {
        for reason in Reason::ALL {
            assert_eq!(Reason::parse(reason.slug()), Some(*reason));
        }
    }
}
