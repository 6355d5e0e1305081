//! The counts that get noise: of each model and endpoint, cases by outcome class and block of the
//! prediction grid. The exact ones have no form in which they could leave; adding noise is the
//! only thing that can be done with them.
//!
//! From: `statistic::Cases`, the policy's plan.
//! To: `review`, `document`; `node::store` keeps what was drawn.

use schemars::JsonSchema;
use serde::{Deserialize, Serialize};

use super::{NoisePlan, NoiseStamp};
use crate::identity::{CanonicalError, Digest, to_canonical};
use crate::statistic::histogram::bin_of;
use crate::statistic::{AnalysisSet, Cases};
use crate::study::{EndpointId, ModelId, StudyProtocol};

/// Largest count with noise that is written: integers of JSON are exact to here.
const LARGEST: i64 = (1 << 53) - 1;

/// The last bin of each block: the protocol's grid cut into about `blocks` parts of equally many
/// bins, and at every declared threshold. It follows from protocol and policy alone.
pub fn groups(protocol: &StudyProtocol, blocks: u32) -> Vec<u32> {
    let edges = &protocol.histogram.edges;
    let bins = edges.len() + 1;
    let width = bins.div_ceil(blocks.max(1) as usize).max(1);
    let at_threshold = |edge: f64| {
        let mut thresholds = protocol.threshold.iter();
        thresholds.any(|one| one.value.to_bits() == edge.to_bits())
    };
    let ends = (0..bins).filter(|bin| {
        let cut = edges.get(*bin).copied();
        (bin + 1) % width == 0 || cut.is_none_or(at_threshold)
    });
    ends.filter_map(|bin| u32::try_from(bin).ok()).collect()
}

/// The histograms of a release with noise: every model with every endpoint, in the protocol's order;
/// none in a study of masks.
pub fn histograms(protocol: &StudyProtocol) -> Vec<(ModelId, EndpointId)> {
    if protocol.is_segmentation() || protocol.histogram.edges.is_empty() {
        return Vec::new();
    }
    let endpoints = protocol.endpoint.iter();
    let each = endpoints.flat_map(|endpoint| {
        let models = protocol.model.iter();
        models.map(|model| (model.id.clone(), endpoint.id.clone()))
    });
    each.collect()
}

/// Exact counts that wait for noise. They cannot be printed, written or read.
pub struct Counted {
    stamp: NoiseStamp,
    histograms: Vec<Exact>,
}

struct Exact {
    model: ModelId,
    endpoint: EndpointId,
    /// Events and non-events by block.
    counts: [Vec<u64>; 2],
}

/// Counts with noise of one model and endpoint. They may be negative: cutting them off at zero
/// would move every sum over blocks upwards.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields)]
pub struct NoisyHistogram {
    /// The model.
    pub model: ModelId,
    /// The endpoint.
    pub endpoint: EndpointId,
    /// Cases with the event by block, each with noise of its own.
    pub events: Vec<i64>,
    /// Cases without, likewise.
    pub non_events: Vec<i64>,
}

/// What a release with noise says.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Noisy {
    pub(crate) stamp: NoiseStamp,
    pub(crate) histograms: Vec<NoisyHistogram>,
}

impl Counted {
    /// Counts the first rows of each patient, as many as the plan says; `None` where the protocol has
    /// no histogram that the plan covers.
    pub fn measure(protocol: &StudyProtocol, cases: &Cases, plan: &NoisePlan) -> Option<Self> {
        let asked = histograms(protocol);
        let stamp = plan.stamp(asked.len() as u64)?;
        let last = groups(protocol, stamp.blocks);
        let mut found = Vec::with_capacity(asked.len());
        for (index, endpoint) in protocol.endpoint.iter().enumerate() {
            let set = AnalysisSet::of(protocol, cases, index)?;
            let kept = first_rows(&set.patient, stamp.rows_per_patient);
            for (place, model) in protocol.model.iter().enumerate() {
                let score = set.score.get(place)?;
                let mut counts = [vec![0_u64; last.len()], vec![0_u64; last.len()]];
                for row in kept.iter().copied() {
                    let bin = bin_of(&protocol.histogram.edges, score[row]);
                    let block = last.partition_point(|end| (*end as usize) < bin);
                    *counts[usize::from(!set.outcome[row])].get_mut(block)? += 1;
                }
                found.push(Exact {
                    model: model.id.clone(),
                    endpoint: endpoint.id.clone(),
                    counts,
                });
            }
        }
        Some(Self {
            stamp,
            histograms: found,
        })
    }

    /// The noise that each count gets.
    pub fn stamp(&self) -> &NoiseStamp {
        &self.stamp
    }

    /// The counts with noise: `draw` gives an independent draw at each call.
    ///
    /// # Errors
    /// What `draw` says.
    pub fn with_noise<F>(self, mut draw: impl FnMut() -> Result<i64, F>) -> Result<Noisy, F> {
        let mut histograms = Vec::with_capacity(self.histograms.len());
        for one in self.histograms {
            let mut class = |counts: Vec<u64>| -> Result<Vec<i64>, F> {
                let each = counts.into_iter().map(|count| {
                    let count = i64::try_from(count).unwrap_or(LARGEST);
                    Ok(count.saturating_add(draw()?).clamp(-LARGEST, LARGEST))
                });
                each.collect()
            };
            let [events, non_events] = one.counts;
            histograms.push(NoisyHistogram {
                model: one.model,
                endpoint: one.endpoint,
                events: class(events)?,
                non_events: class(non_events)?,
            });
        }
        Ok(Noisy {
            stamp: self.stamp,
            histograms,
        })
    }
}

/// The first rows of each patient, at most `most`, in the table's order.
fn first_rows(patient: &[u32], most: u32) -> Vec<usize> {
    let patients = patient.iter().max().map_or(0, |last| *last as usize + 1);
    let mut seen = vec![0_u32; patients];
    let rows = patient.iter().enumerate().filter(|(_, owner)| {
        let seen = &mut seen[**owner as usize];
        *seen = seen.saturating_add(1);
        *seen <= most
    });
    rows.map(|(row, _)| row).collect()
}

impl Noisy {
    /// Its canonical bytes, for the node's database.
    ///
    /// # Errors
    /// [`CanonicalError`], which is a defect.
    pub fn bytes(&self) -> Result<Vec<u8>, CanonicalError> {
        to_canonical(self)
    }

    /// What was drawn before, if it is still what the ledger names, in the order of `protocol`:
    /// the same question gets the same answer. `None` where the bytes are others.
    pub fn reload(bytes: &[u8], ledger: Digest, protocol: &StudyProtocol) -> Option<Self> {
        if Digest::of(bytes) != ledger {
            return None;
        }
        let mut noisy: Self = serde_json::from_slice(bytes).ok()?;
        let asked = histograms(protocol);
        let place = |one: &NoisyHistogram| {
            let mut asked = asked.iter();
            asked.position(|(model, endpoint)| *model == one.model && *endpoint == one.endpoint)
        };
        if noisy.histograms.len() != asked.len() {
            return None;
        }
        noisy.histograms.sort_by_key(&place);
        let placed = noisy.histograms.iter().map(place);
        placed.eq((0..asked.len()).map(Some)).then_some(noisy)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn only_the_first_rows_of_a_patient_count() {
        let patient = [3, 1, 3, 3, 0, 1];
        assert_eq!(first_rows(&patient, 1), [0, 1, 4]);
        assert_eq!(first_rows(&patient, 2), [0, 1, 2, 4, 5]);
        assert_eq!(first_rows(&[], 1), Vec::<usize>::new());
    }

    #[test]
    fn blocks_cover_the_grid_and_end_at_every_threshold() {
        let text = include_str!("../../../../tests/fixtures/heart_study.toml");
        let protocol = crate::study::source::parse(text).unwrap();
        let protocol = crate::study::validate::expand(&protocol);
        let edges = &protocol.histogram.edges;
        for blocks in [2, 16, 32, 256] {
            let last = groups(&protocol, blocks);
            assert!(last.windows(2).all(|pair| pair[0] < pair[1]));
            assert_eq!(last.last().copied(), u32::try_from(edges.len()).ok());
            for threshold in &protocol.threshold {
                let ends = last.iter().filter_map(|end| edges.get(*end as usize));
                assert!(ends.into_iter().any(|edge| *edge == threshold.value));
            }
        }
        assert_eq!(groups(&protocol, u32::MAX).len(), edges.len() + 1);
    }
}
