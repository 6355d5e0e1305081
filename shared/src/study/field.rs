//! Declared columns, the terms of eligibility over them, and subgroup axes.
//! The language is closed: declared fields, declared levels, declared bands; no
//! expressions, vectors or weights from whoever asks (`docs/explanation/disclosure.md`).
//!
//! From: `protocol`.
//! To: `node::cohort` (reading and filtering), `statistic` (levels as keys).

use std::collections::BTreeMap;

use schemars::JsonSchema;
use serde::{Deserialize, Serialize};

use super::{AxisId, FieldName};

/// One column of the analysis table.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields)]
pub struct Field {
    /// Name in the protocol; a site maps its own column to it.
    pub name: FieldName,
    /// What the values are.
    pub kind: FieldKind,
    /// A case without a value here cannot be analysed.
    #[serde(default)]
    pub required: bool,
    /// Unit of measurement, for people.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub unit: Option<String>,
    /// Levels of a category, in display order.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub levels: Vec<String>,
    /// Smallest and largest plausible value of a number; values outside are an error at the site.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub range: Option<[f64; 2]>,
    /// The DICOM attribute of the case's image that gives the value; the site's table then needs
    /// no column for it. With it the study declares exactly one field of kind `image`.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub tag: Option<AcquisitionTag>,
    /// Edges that cut a number into bands `[edge, next)`; the last band includes its upper edge.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub bands: Vec<f64>,
}

/// The kind of a column's values.
#[derive(Clone, Copy, Debug, Eq, PartialEq, Serialize, Deserialize, JsonSchema)]
#[serde(rename_all = "kebab-case")]
pub enum FieldKind {
    /// A pseudonymous key; stays at the site.
    Identifier,
    /// 0 or 1.
    Binary,
    /// A number from 0 to 1.
    Probability,
    /// A whole number.
    Integer,
    /// A finite number.
    Number,
    /// One of the declared levels.
    Category,
    /// Path of a mask file or folder; stays at the site.
    Mask,
    /// Path of an image file or folder, read for its acquisition only; stays at the site.
    Image,
    /// Path of a list of places in an image, CSV: candidates with scores, or the lesions of a
    /// truth; stays at the site.
    Places,
}

impl FieldKind {
    /// Whether values are paths of files, which never leave.
    pub fn is_path(self) -> bool {
        match self {
            Self::Mask | Self::Image | Self::Places => true,
            Self::Identifier
            | Self::Binary
            | Self::Probability
            | Self::Integer
            | Self::Number
            | Self::Category => false,
        }
    }
}

/// Acquisition attributes that may become an axis: the whole list. All of them are kept by the
/// basic profile of DICOM PS3.15 (annex E); nothing that it removes or empties can be asked for.
#[derive(
    Clone, Copy, Debug, Eq, PartialEq, Ord, PartialOrd, Serialize, Deserialize, JsonSchema,
)]
#[serde(rename_all = "kebab-case")]
pub enum AcquisitionTag {
    /// Modality (0008,0060), such as `CT`.
    Modality,
    /// Manufacturer (0008,0070), its spellings made one.
    Manufacturer,
    /// Manufacturer's model name (0008,1090).
    ModelName,
    /// Slice thickness (0018,0050), millimetres.
    SliceThickness,
    /// Spacing between slices (0018,0088), millimetres.
    SpacingBetweenSlices,
    /// Pixel spacing (0028,0030), the smaller of the two, millimetres.
    PixelSpacing,
    /// Magnetic field strength (0018,0087), tesla.
    MagneticFieldStrength,
    /// Peak kilovoltage (0018,0060).
    Kvp,
    /// Body part examined (0018,0015).
    BodyPart,
    /// View position (0018,5101).
    ViewPosition,
    /// Laterality (0020,0060).
    Laterality,
    /// Convolution kernel (0018,1210).
    ConvolutionKernel,
}

impl AcquisitionTag {
    /// Every attribute.
    pub const ALL: &'static [Self] = &[
        Self::Modality,
        Self::Manufacturer,
        Self::ModelName,
        Self::SliceThickness,
        Self::SpacingBetweenSlices,
        Self::PixelSpacing,
        Self::MagneticFieldStrength,
        Self::Kvp,
        Self::BodyPart,
        Self::ViewPosition,
        Self::Laterality,
        Self::ConvolutionKernel,
    ];

    /// The word in protocols.
    pub fn slug(self) -> &'static str {
        match self {
            Self::Modality => "modality",
            Self::Manufacturer => "manufacturer",
            Self::ModelName => "model-name",
            Self::SliceThickness => "slice-thickness",
            Self::SpacingBetweenSlices => "spacing-between-slices",
            Self::PixelSpacing => "pixel-spacing",
            Self::MagneticFieldStrength => "magnetic-field-strength",
            Self::Kvp => "kvp",
            Self::BodyPart => "body-part",
            Self::ViewPosition => "view-position",
            Self::Laterality => "laterality",
            Self::ConvolutionKernel => "convolution-kernel",
        }
    }

    /// Whether its values are numbers.
    pub fn is_number(self) -> bool {
        match self {
            Self::SliceThickness
            | Self::SpacingBetweenSlices
            | Self::PixelSpacing
            | Self::MagneticFieldStrength
            | Self::Kvp => true,
            Self::Modality
            | Self::Manufacturer
            | Self::ModelName
            | Self::BodyPart
            | Self::ViewPosition
            | Self::Laterality
            | Self::ConvolutionKernel => false,
        }
    }
}

/// One eligibility condition. Constants lie on declared bands or levels.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields)]
pub struct Term {
    /// The declared field.
    pub field: FieldName,
    /// The comparison.
    pub op: Operator,
    /// The constant; absent for `present` and `missing`.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub value: Option<Scalar>,
}

impl Term {
    /// The term in words: `age is at least 18`.
    pub fn words(&self) -> String {
        let op = match self.op {
            Operator::Eq => "is",
            Operator::Ne => "is not",
            Operator::Ge => "is at least",
            Operator::Lt => "is below",
            Operator::Present => "is recorded",
            Operator::Missing => "is not recorded",
        };
        match &self.value {
            Some(Scalar::Number(value)) => format!("{} {op} {value}", self.field),
            Some(Scalar::Text(level)) => format!("{} {op} {level}", self.field),
            None => format!("{} {op}", self.field),
        }
    }
}

/// Comparisons an eligibility term may use.
#[derive(Clone, Copy, Debug, Eq, PartialEq, Serialize, Deserialize, JsonSchema)]
#[serde(rename_all = "kebab-case")]
pub enum Operator {
    /// Equal to a level or number.
    Eq,
    /// Not equal to a level or number.
    Ne,
    /// At least the number.
    Ge,
    /// Below the number.
    Lt,
    /// A value was recorded.
    Present,
    /// No value was recorded.
    Missing,
}

/// A constant in a term.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize, JsonSchema)]
#[serde(untagged)]
pub enum Scalar {
    /// A number.
    Number(f64),
    /// A level.
    Text(String),
}

/// A way to divide patients for subgroup results.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields)]
pub struct Axis {
    /// Name of the axis.
    pub id: AxisId,
    /// Heading in the report.
    pub label: String,
    /// The declared field the axis is made from; a pair has none in the source, and the lock
    /// writes its first axis' field.
    #[serde(default = "FieldName::of_a_pair")]
    pub field: FieldName,
    /// How values become levels.
    pub rule: AxisRule,
    /// Declared before the data were seen.
    #[serde(default)]
    pub prespecified: bool,
    /// For a pair: the two axes it crosses, both declared before it.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub axes: Vec<AxisId>,
    /// For a pair: its levels, written by the lock, level of the first axis by level of the
    /// second.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub levels: Vec<String>,
    /// The levels of a category stand in their order, so that a trend over them is tested;
    /// bands always do.
    #[serde(default, skip_serializing_if = "is_false")]
    pub ordered: bool,
    /// Share of each level in the declared target population; the shares add to 1.
    #[serde(default, skip_serializing_if = "BTreeMap::is_empty")]
    pub target: BTreeMap<String, f64>,
    /// Where the shares come from.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub target_source: Option<String>,
}

fn is_false(value: &bool) -> bool {
    !value
}

/// How a field's values become an axis' levels. `not recorded` is always a level of its own.
#[derive(Clone, Copy, Debug, Eq, PartialEq, Serialize, Deserialize, JsonSchema)]
#[serde(rename_all = "kebab-case")]
pub enum AxisRule {
    /// The field's declared levels.
    Level,
    /// The field's declared bands.
    Band,
    /// A binary field read as availability of a modality: `available`, `not available`.
    Availability,
    /// Every level of one axis with every level of another.
    Pair,
}

/// The level of cases whose value is absent.
pub const NOT_RECORDED: &str = "not recorded";

impl Axis {
    /// The axis' levels in display order, `not recorded` last; those of a pair as the lock wrote
    /// them, where the last is recorded on neither axis.
    pub fn levels(&self, field: &Field) -> Vec<String> {
        let mut levels = match self.rule {
            AxisRule::Pair => return self.levels.clone(),
            AxisRule::Level => field.levels.clone(),
            AxisRule::Band => field.band_labels(),
            AxisRule::Availability => vec!["available".to_owned(), "not available".to_owned()],
        };
        levels.push(NOT_RECORDED.to_owned());
        levels
    }

    /// Number of levels, from the first, that stand in an order: those recorded, of bands or of
    /// a category declared as ordered; 0 otherwise.
    pub fn ordered_levels(&self, field: &Field) -> usize {
        match self.rule {
            AxisRule::Band => self.levels(field).len() - 1,
            AxisRule::Level if self.ordered => self.levels(field).len() - 1,
            AxisRule::Level | AxisRule::Availability | AxisRule::Pair => 0,
        }
    }
}

/// Levels of a pair: every level of the first axis with every level of the second.
pub fn pair_levels(first: &[String], second: &[String]) -> Vec<String> {
    let each = first.iter().flat_map(|one| {
        let named = move |other: &String| format!("{one}, {other}");
        second.iter().map(named)
    });
    each.collect()
}

impl Field {
    /// Labels of the bands: `45 to 54` for integers, `0.5 to <1` for numbers, `65 and over` last.
    pub fn band_labels(&self) -> Vec<String> {
        let count = self.bands.len().saturating_sub(1);
        self.bands
            .windows(2)
            .enumerate()
            .map(|(index, pair)| self.band_label(pair, index, count))
            .collect()
    }

    fn band_label(&self, pair: &[f64], index: usize, count: usize) -> String {
        let (low, high) = (pair[0], pair[1]);
        if index + 1 == count {
            return format!("{low} and over");
        }
        if self.kind == FieldKind::Integer {
            let last = high - 1.0;
            return if index == 0 {
                format!("up to {last}")
            } else {
                format!("{low} to {last}")
            };
        }
        format!("{low} to <{high}")
    }

    /// Index of the band that holds `value`, if any does.
    pub fn band_of(&self, value: f64) -> Option<usize> {
        let count = self.bands.len().checked_sub(1)?;
        (0..count).find(|&index| {
            let last = index + 1 == count;
            value >= self.bands[index]
                && (value < self.bands[index + 1] || (last && value <= self.bands[index + 1]))
        })
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn bands_cover_their_edges_once() {
        let field = Field {
            name: "age".parse().unwrap(),
            kind: FieldKind::Integer,
            required: false,
            unit: None,
            levels: vec![],
            range: None,
            tag: None,
            bands: vec![18.0, 50.0, 60.0, 120.0],
        };
        assert_eq!(field.band_labels(), ["up to 49", "50 to 59", "60 and over"]);
        assert_eq!(field.band_of(17.0), None);
        assert_eq!(field.band_of(18.0), Some(0));
        assert_eq!(field.band_of(50.0), Some(1));
        assert_eq!(field.band_of(120.0), Some(2));
        assert_eq!(field.band_of(121.0), None);
    }
}
