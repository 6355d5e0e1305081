//! What a masked sum carries, as it follows from the protocol: which histograms, in which order.
//! Hospitals and coordinator must agree on every place of the vector before anything is added.
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

/// Where in the vector each number stands: one for the number of hospitals, then for each part
/// its non-events by bin, its events by bin, and the sum of the scores by bin.
#[derive(Clone, Debug, Eq, PartialEq)]
pub struct Layout {
    bins: usize,
    parts: Vec<Part>,
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
        }
    }

    /// Numbers of one vector.
    pub fn length(&self) -> usize {
        self.parts
            .len()
            .saturating_mul(self.block())
            .saturating_add(1)
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

fn levels(protocol: &StudyProtocol, axis: usize) -> usize {
    let Some(axis) = protocol.subgroup.get(axis) else {
        return 0;
    };
    let field = protocol.find_field(&axis.field);
    field.map_or(0, |field| axis.levels(field).len())
}
