//! What a masked sum carries, as it follows from the protocol: which histograms and crossed
//! tables, in which order. Hospitals and coordinator must agree on every place of the vector before
//! anything is added.
//!
//! From: `protocol`.
//! To: `statistic::masked_sums` (what stands there), `masking` (how it travels), `validate`.

use super::{ModelRole, StudyProtocol};

/// The name of the exchange.
pub const EXCHANGE: &str = "masked-sums";

/// Its steps: who takes part, keys, shares, masked vectors, survivors, shares opened.
pub const STEPS: u32 = 6;

/// Fewest hospitals of a roster: with two each reads the other's part off the sum, and with three
/// one that drops out leaves two.
pub const HOSPITALS_MIN: usize = 4;

/// Most hospitals of a roster.
pub const HOSPITALS_MAX: usize = 100;

/// Most numbers of one vector: two mebibytes.
pub const LENGTH_MAX: usize = 1 << 18;

/// Whose cases one block of the vector counts.
#[derive(Clone, Copy, Debug, Eq, PartialEq)]
pub struct Part {
    /// Index of the endpoint.
    pub endpoint: usize,
    /// Index of the model.
    pub model: usize,
    /// Indices of axis and level; absent for all analysed cases.
    pub level: Option<(usize, usize)>,
}

/// Two models whose scores are crossed.
#[derive(Clone, Copy, Debug, Eq, PartialEq)]
pub struct Pair {
    /// Index of the endpoint.
    pub endpoint: usize,
    /// Index of the model under validation.
    pub model: usize,
    /// Index of what it is compared with.
    pub comparator: usize,
}

/// Blocks into which the grid is joined where two scores are crossed, before thresholds cut some of
/// them.
const JOINED: usize = 32;

/// Where in the vector each number stands: one for the number of hospitals; for each part its
/// non-events by bin, its events by bin, and the sum of the scores by bin; for each pair its
/// non-events by block of the first score and block of the second, then its events.
#[derive(Clone, Debug, Eq, PartialEq)]
pub struct Layout {
    bins: usize,
    parts: Vec<Part>,
    pairs: Vec<Pair>,
    /// The bin that each block begins with, ascending from 0.
    blocks: Vec<usize>,
}

impl Layout {
    /// The layout that follows from an expanded protocol.
    pub fn of(protocol: &StudyProtocol) -> Self {
        let mut parts = Vec::new();
        for endpoint in 0..protocol.endpoint.len() {
            for (model, entry) in protocol.model.iter().enumerate() {
                parts.push(Part {
                    endpoint,
                    model,
                    level: None,
                });
                if entry.role != ModelRole::Index {
                    continue;
                }
                for axis in 0..protocol.subgroup.len() {
                    let levels = 0..levels(protocol, axis);
                    parts.extend(levels.map(|level| Part {
                        endpoint,
                        model,
                        level: Some((axis, level)),
                    }));
                }
            }
        }
        Self {
            bins: protocol.histogram.edges.len() + 1,
            parts,
            pairs: pairs(protocol),
            blocks: blocks(protocol),
        }
    }

    /// Numbers of one vector.
    pub fn length(&self) -> usize {
        let crossed = self.pairs.len().saturating_mul(self.crossed());
        self.histograms().saturating_add(crossed)
    }

    /// Numbers before the first crossed table.
    pub fn histograms(&self) -> usize {
        self.parts
            .len()
            .saturating_mul(self.block())
            .saturating_add(1)
    }

    /// Which scores are crossed, in order.
    pub fn pairs(&self) -> &[Pair] {
        &self.pairs
    }

    /// The bin that each block of a crossed table begins with; the first is 0.
    pub fn blocks(&self) -> &[usize] {
        &self.blocks
    }

    /// Numbers of one crossed table.
    pub fn crossed(&self) -> usize {
        let blocks = self.blocks.len();
        blocks.saturating_mul(blocks).saturating_mul(2)
    }

    /// What its blocks count, in order.
    pub fn parts(&self) -> &[Part] {
        &self.parts
    }

    /// Bins of each histogram.
    pub fn bins(&self) -> usize {
        self.bins
    }

    /// Numbers of one block.
    pub fn block(&self) -> usize {
        self.bins.saturating_mul(3)
    }
}

/// The model under validation with each comparator.
fn pairs(protocol: &StudyProtocol) -> Vec<Pair> {
    let of_role = |role: ModelRole| {
        let models = protocol.model.iter().enumerate();
        models.filter(move |(_, model)| model.role == role)
    };
    let mut found = Vec::new();
    for endpoint in 0..protocol.endpoint.len() {
        for (model, _) in of_role(ModelRole::Index) {
            found.extend(of_role(ModelRole::Comparator).map(|(comparator, _)| Pair {
                endpoint,
                model,
                comparator,
            }));
        }
    }
    found
}

/// Joins neighbouring bins, but none across a prespecified threshold.
fn blocks(protocol: &StudyProtocol) -> Vec<usize> {
    let edges = &protocol.histogram.edges;
    let step = (edges.len() + 1).div_ceil(JOINED).max(1);
    let threshold = |edge: f64| {
        let mut declared = protocol.threshold.iter();
        declared.any(|entry| entry.value.to_bits() == edge.to_bits())
    };
    let above = edges.iter().enumerate();
    let above = above.filter(|(place, edge)| (place + 1).is_multiple_of(step) || threshold(**edge));
    std::iter::once(0)
        .chain(above.map(|(place, _)| place + 1))
        .collect()
}

fn levels(protocol: &StudyProtocol, axis: usize) -> usize {
    let Some(axis) = protocol.subgroup.get(axis) else {
        return 0;
    };
    let field = protocol.find_field(&axis.field);
    field.map_or(0, |field| axis.levels(field).len())
}
