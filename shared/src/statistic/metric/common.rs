//! What families of metrics have in common, and which metric a protocol's primary analysis is.
//!
//! From: `study::protocol`.
//! To: `register`, `pool`.

use super::{Entry, Form, Leaves, Metric, Pooling, Scale, Style, Topic};
use crate::study::PrimaryMetric;
use crate::study::plan::StatisticKind;

/// What metrics of masks have in common.
pub(super) const MASKS: Entry = Entry {
    slug: "",
    kind: StatisticKind::Segmentation,
    name: "",
    topic: Topic::Segmentation,
    scale: Scale::Identity,
    form: Form::AREA,
    style: Style::Plain(3),
    pooling: Pooling::Mean,
    leaves: Leaves::Whole,
    neutral: None,
    with_events: false,
    method: "",
    help: "segmentation",
};

/// What metrics of lesions have in common.
pub(super) const LESIONS: Entry = Entry {
    kind: StatisticKind::Lesions,
    topic: Topic::Lesions,
    help: "lesions",
    ..MASKS
};

/// What metrics of candidates have in common.
pub(super) const CANDIDATES: Entry = Entry {
    kind: StatisticKind::Detection,
    topic: Topic::Detection,
    help: "detection",
    ..MASKS
};

impl Metric {
    /// The metric of a protocol's primary analysis.
    pub fn of_primary(metric: PrimaryMetric) -> Self {
        match metric {
            PrimaryMetric::Auc => Self::Auc,
            PrimaryMetric::Dice => Self::Dice,
            PrimaryMetric::Nsd => Self::Nsd,
            PrimaryMetric::LesionSensitivity => Self::LesionSensitivity,
            PrimaryMetric::Cpm => Self::Cpm,
        }
    }
}
