//! Segmentation: how well one model's masks of one structure overlap the truth and how far their
//! surfaces lie apart, over the cases of one site.
//!
//! Four counts say which of truth and prediction have the structure; nothing is imputed for a
//! case with an empty mask (decision C15). Means over the cases where both have it are moments;
//! the headline means of Dice and surface Dice count a miss and a false alarm as 0, and a case
//! in which neither has the structure as the protocol says; a capped distance counts a miss and a
//! false alarm as a length of the protocol, never as an image's diagonal. Definitions follow
//! Metrics Reloaded (Maier-Hein et al. 2024, doi:10.1038/s41592-023-02151-z) under the
//! conventions of the protocol, which the report prints.
//!
//! Merge class S for counts and bins, T for means: a site's mean has a standard error summed by
//! patient, and sites are pooled by random effects.
//!
//! Disclosure: rules D9 and D11. Histograms have fixed edges that no site chooses, at most one
//! patient's share of a mean is bounded, and no case's value, file name or picture has a form in
//! which it could leave. A mean over some of the analysed cases leaves only if those left out
//! are nobody or enough patients.
//!
//! From: `cases`.
//! To: report page "segmentation".

use schemars::JsonSchema;
use serde::{Deserialize, Serialize};

use super::analysis_set::AnalysisSet;
use super::cases::Cases;
use super::histogram::{Block, bin_of};
use super::masks::{MaskCase, MaskEndpoint, Pair, Presence};
use super::stage::{Exact, Stage};
use crate::study::{EndpointId, ModelId, SegmentationPlan, Structure};

mod means;

pub(crate) use means::{differences, estimates};

/// Bins of a quantity from 0 to 1: a thousandth each.
const SHARE_BINS: u32 = 1000;
/// Ratio of two neighbouring edges of a distance: 1 % apart, so that a quantile read from the
/// bins is known to half a percent (Masson et al. 2019, doi:10.14778/3352063.3352135).
const DISTANCE_RATIO: f64 = 1.01;
/// First and last edge of a distance, millimetres.
const DISTANCE_EDGES_MM: (f64, f64) = (0.01, 2000.0);

/// What one model's masks of one structure are like at one site.
#[derive_where::derive_where(Clone, Debug, PartialEq; S::Count, S::Real)]
#[derive(Serialize, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields)]
#[serde(bound(
    serialize = "S::Count: Serialize, S::Real: Serialize",
    deserialize = "S::Count: Deserialize<'de>, S::Real: Deserialize<'de>"
))]
#[schemars(bound = "S::Count: JsonSchema, S::Real: JsonSchema")]
pub struct Segmentation<S: Stage> {
    /// The model.
    pub model: ModelId,
    /// The endpoint: the structure.
    pub endpoint: EndpointId,
    /// Cases in which truth and prediction have the structure.
    pub both: S::Count,
    /// Cases in which the truth alone has it.
    pub missed: S::Count,
    /// Cases in which the prediction alone has it.
    pub false_alarm: S::Count,
    /// Cases in which neither has it.
    pub neither: S::Count,
    /// Cases by the structure's volume in the truth, one row per size bin of the protocol.
    pub sizes: Vec<SizeCount<S>>,
    /// Distributions over the cases in which both have it.
    pub distributions: Vec<Distribution<S>>,
}

/// Cases of one size bin.
#[derive_where::derive_where(Clone, Debug, PartialEq; S::Count, S::Real)]
#[derive(Serialize, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields)]
#[serde(bound(
    serialize = "S::Count: Serialize, S::Real: Serialize",
    deserialize = "S::Count: Deserialize<'de>, S::Real: Deserialize<'de>"
))]
#[schemars(bound = "S::Count: JsonSchema, S::Real: JsonSchema")]
pub struct SizeCount<S: Stage> {
    /// The bin, such as `5 to <50 ml`.
    pub level: String,
    /// Its cases.
    pub n: S::Count,
}

/// How one quantity is distributed over cases, on edges that are the same everywhere
/// ([`edges`]).
#[derive_where::derive_where(Clone, Debug, PartialEq; S::Count, S::Real)]
#[derive(Serialize, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields)]
#[serde(bound(
    serialize = "S::Count: Serialize, S::Real: Serialize",
    deserialize = "S::Count: Deserialize<'de>, S::Real: Deserialize<'de>"
))]
#[schemars(bound = "S::Count: JsonSchema, S::Real: JsonSchema")]
pub struct Distribution<S: Stage> {
    /// The quantity.
    pub quantity: Quantity,
    /// Blocks of bins, ascending and contiguous; empty where none may be shown.
    pub blocks: Vec<Block<S>>,
}

/// Quantities whose distribution is kept.
#[derive(
    Clone, Copy, Debug, Eq, PartialEq, Ord, PartialOrd, Serialize, Deserialize, JsonSchema,
)]
#[serde(rename_all = "kebab-case")]
pub enum Quantity {
    /// Dice overlap.
    Dice,
    /// 95 % Hausdorff distance, millimetres.
    Hd95,
    /// Average symmetric surface distance, millimetres.
    Assd,
}

impl Quantity {
    /// Every quantity.
    pub const ALL: &'static [Self] = &[Self::Dice, Self::Hd95, Self::Assd];

    /// The name in print.
    pub fn words(self) -> &'static str {
        match self {
            Self::Dice => "Dice",
            Self::Hd95 => "HD95 (mm)",
            Self::Assd => "ASSD (mm)",
        }
    }

    fn of(self, pair: &Pair) -> f64 {
        match self {
            Self::Dice => pair.dice,
            Self::Hd95 => pair.hd95_mm,
            Self::Assd => pair.assd_mm,
        }
    }
}

/// Inner edges of the bins of `quantity`: thousandths for a share, and for a distance lengths
/// that rise by one percent from 0.01 to 2,000 mm.
pub fn edges(quantity: Quantity) -> Vec<f64> {
    match quantity {
        Quantity::Dice => (1..SHARE_BINS)
            .map(|bin| f64::from(bin) / f64::from(SHARE_BINS))
            .collect(),
        Quantity::Hd95 | Quantity::Assd => {
            let (first, last) = DISTANCE_EDGES_MM;
            let mut edges = vec![first];
            let mut edge = first;
            while edge < last {
                edge *= DISTANCE_RATIO;
                edges.push(edge);
            }
            edges
        }
    }
}

/// The masks of one analysis set, row by row.
pub(crate) struct MaskSet<'a> {
    pub(crate) set: &'a AnalysisSet<'a>,
    pub(crate) masks: &'a MaskEndpoint,
    pub(crate) plan: &'a SegmentationPlan,
    pub(crate) structure: &'a Structure,
}

impl<'a> MaskSet<'a> {
    /// The masks behind `set`, in a study of masks.
    pub(crate) fn of(set: &'a AnalysisSet<'a>, cases: &'a Cases, endpoint: usize) -> Option<Self> {
        Some(Self {
            set,
            masks: cases.masks.get(endpoint)?.as_ref()?,
            plan: set.protocol.segmentation.as_ref()?,
            structure: set.protocol.endpoint.get(endpoint)?.structure.as_ref()?,
        })
    }

    /// The comparison of one model at the analysed case `at`.
    pub(crate) fn case(&self, model: usize, at: usize) -> Option<&'a MaskCase> {
        self.masks.case(model, *self.set.row.get(at)?)
    }
}

/// Counts and distributions of the model with index `model`.
pub(crate) fn measure(masks: &MaskSet<'_>, model: usize) -> Option<Segmentation<Exact>> {
    let set = masks.set;
    let id = set.protocol.model.get(model)?.id.clone();
    let is = |wanted| set.count(|at| masks.case(model, at).map(MaskCase::presence) == Some(wanted));
    let labels = masks.structure.size_labels();
    let bin = |at: usize| {
        let case = masks.case(model, at)?;
        masks
            .structure
            .size_bin(case.truth_ml)
            .filter(|_| case.truth_ml > 0.0)
    };
    let counts = set.counts(labels.len(), |at| bin(at).unwrap_or(labels.len()));
    let sizes = labels.into_iter().zip(counts);
    Some(Segmentation {
        endpoint: set.endpoint.clone(),
        both: is(Presence::Both),
        missed: is(Presence::Missed),
        false_alarm: is(Presence::FalseAlarm),
        neither: is(Presence::Neither),
        sizes: sizes.map(|(level, n)| SizeCount { level, n }).collect(),
        distributions: Quantity::ALL
            .iter()
            .map(|quantity| distribution(masks, model, *quantity))
            .collect(),
        model: id,
    })
}

fn distribution(masks: &MaskSet<'_>, model: usize, quantity: Quantity) -> Distribution<Exact> {
    let edges = edges(quantity);
    let bins = edges.len() + 1;
    let group = |at: usize| {
        let pair = masks.case(model, at).and_then(|case| case.pair.as_ref());
        pair.map_or(bins, |pair| bin_of(&edges, quantity.of(pair)))
    };
    let counts = masks.set.counts(bins, group);
    let blocks = (0_u32..).zip(counts).map(|(bin, count)| Block {
        first: bin,
        last: bin,
        count,
    });
    Distribution {
        quantity,
        blocks: blocks.collect(),
    }
}
