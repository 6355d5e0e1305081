//! Class-conditional histogram of the predictions on the protocol's grid: three of the four
//! essentials of a validation (ROC, calibration, distributions) follow from it.
//!
//! Merge class H: blocks add where their edges agree; exact for the binned score, with a
//! computable bound (half the tie mass) for the raw one.
//!
//! From: `cases`.
//! To: report pages "discrimination" and "score distribution".

use schemars::JsonSchema;
use serde::{Deserialize, Serialize};

use super::analysis_set::AnalysisSet;
use super::overlap::nearest_earlier_edges;
use super::stage::{Disclosed, Exact, ExactCount, Stage};
use crate::numeric::area_bounds::ScoreBlock;
use crate::study::{EndpointId, ModelId};

/// Histogram of one model's predictions, by outcome class.
#[derive_where::derive_where(Clone, Debug, PartialEq; S::Count, S::Real)]
#[derive(Serialize, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields)]
#[serde(bound(
    serialize = "S::Count: Serialize, S::Real: Serialize",
    deserialize = "S::Count: Deserialize<'de>, S::Real: Deserialize<'de>"
))]
#[schemars(bound = "S::Count: JsonSchema, S::Real: JsonSchema")]
pub struct Histogram<S: Stage> {
    /// The model.
    pub model: ModelId,
    /// The endpoint.
    pub endpoint: EndpointId,
    /// Blocks of events, ascending and contiguous from the first bin to the last.
    pub events: Vec<Block<S>>,
    /// Blocks of non-events, likewise.
    pub non_events: Vec<Block<S>>,
}

/// Cases whose prediction falls into the bins `first..=last` of the grid. Bin 0 starts at 0,
/// bin `j` at `edges[j - 1]`.
#[derive_where::derive_where(Clone, Debug, PartialEq; S::Count, S::Real)]
#[derive(Serialize, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields)]
#[serde(bound(
    serialize = "S::Count: Serialize, S::Real: Serialize",
    deserialize = "S::Count: Deserialize<'de>, S::Real: Deserialize<'de>"
))]
#[schemars(bound = "S::Count: JsonSchema, S::Real: JsonSchema")]
pub struct Block<S: Stage> {
    /// First bin.
    pub first: u32,
    /// Last bin.
    pub last: u32,
    /// Cases.
    pub count: S::Count,
}

impl Block<Disclosed> {
    /// What is known of the block's count; `None` when it was not computed.
    pub fn score_block(&self) -> Option<ScoreBlock> {
        let (low, high) = self.count.bounds()?;
        Some(ScoreBlock {
            first: self.first,
            last: self.last,
            low,
            high,
        })
    }
}

/// The bin of `score` on a grid with these inner edges.
pub fn bin_of(edges: &[f64], score: f64) -> usize {
    edges.partition_point(|edge| *edge <= score)
}

impl Histogram<Exact> {
    /// The histogram of the model with index `model`, one block per bin.
    pub fn measure(set: &AnalysisSet<'_>, model: usize) -> Option<Self> {
        let id = set.protocol.model.get(model)?.id.clone();
        let edges = &set.protocol.histogram.edges;
        let score = set.score.get(model)?;
        let bins = edges.len() + 1;
        let group =
            |row: usize| bin_of(edges, score[row]) + if set.outcome[row] { bins } else { 0 };
        let mut non_events = set.counts(2 * bins, group);
        let events = non_events.split_off(bins);
        Some(Self {
            model: id,
            endpoint: set.endpoint.clone(),
            events: blocks(events, nearest_earlier_edges(set, model, true))?,
            non_events: blocks(non_events, nearest_earlier_edges(set, model, false))?,
        })
    }
}

/// One block per bin. What its count says of other groups, `nearest`, is about the class from the
/// bin's lower edge upwards: that is what an edge between two blocks would tell.
fn blocks(counts: Vec<ExactCount>, nearest: Vec<u64>) -> Option<Vec<Block<Exact>>> {
    let block = |(bin, (count, nearest)): (usize, (ExactCount, u64))| {
        let number = u32::try_from(bin).ok()?;
        Some(Block {
            first: number,
            last: number,
            count: count.beside(nearest),
        })
    };
    let each = counts.into_iter().zip(nearest);
    each.enumerate().map(block).collect()
}
