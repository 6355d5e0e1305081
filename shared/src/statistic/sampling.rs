//! Sampling designs (decision C3): what a sample drawn by outcome can say of the source
//! population.
//!
//! Where events and non-events were sampled at declared rates `f1` and `f0`, each case stands for
//! `1 / f` of its class (Horvitz and Thompson 1952, doi:10.1080/01621459.1952.10483446): measures
//! that need the prevalence are computed with these weights and speak about the source, with
//! standard errors by the weighted influence of each case. Without the rates they are not
//! computed. Measures within one class (sensitivity, specificity, AUC) need no weights.
//!
//! From: the protocol.
//! To: every statistic that needs the prevalence.

use super::analysis_set::{AnalysisSet, clustered_variance};
use super::stage::Undefined;
use crate::numeric::sum::sum_iter;
use crate::numeric::{Interval, proportion};
use crate::study::{SamplingDesign, StudyProtocol};

use super::analysis_set::LEVEL;

/// What one case of each class stands for.
#[derive(Clone, Copy, Debug, PartialEq)]
pub struct Weights {
    /// Weight of an event, at least 1.
    pub event: f64,
    /// Weight of a non-event, at least 1.
    pub non_event: f64,
}

impl Weights {
    /// Every case stands for itself.
    pub const PLAIN: Self = Self {
        event: 1.0,
        non_event: 1.0,
    };

    /// The weights of the design; 1 each unless cases were sampled by outcome.
    ///
    /// # Errors
    /// [`Undefined::DesignForbids`] where they were and the fractions are unknown.
    pub fn of_design(protocol: &StudyProtocol) -> Result<Self, Undefined> {
        match (protocol.sampling.design, protocol.sampling.fractions) {
            (SamplingDesign::Consecutive | SamplingDesign::Random, _) => Ok(Self::PLAIN),
            (SamplingDesign::OutcomeDependent, Some(fractions)) => {
                let inside = |share: f64| share > 0.0 && share <= 1.0;
                if !(inside(fractions.events) && inside(fractions.non_events)) {
                    return Err(Undefined::DesignForbids);
                }
                Ok(Self {
                    event: 1.0 / fractions.events,
                    non_event: 1.0 / fractions.non_events,
                })
            }
            (SamplingDesign::OutcomeDependent, None) => Err(Undefined::DesignForbids),
        }
    }

    pub(crate) fn of(set: &AnalysisSet<'_>) -> Result<Self, Undefined> {
        Self::of_design(set.protocol)
    }

    /// Whether every case stands for itself only.
    pub fn is_plain(self) -> bool {
        self == Self::PLAIN
    }

    pub(crate) fn of_row(self, set: &AnalysisSet<'_>, row: usize) -> f64 {
        if set.outcome[row] {
            self.event
        } else {
            self.non_event
        }
    }
}

/// A weighted proportion of hits among the cases for which `hit` is `Some`, and its interval on
/// the logit scale; with weight 1 the ratio estimator of `proportion::clustered`.
pub(crate) fn weighted_share(
    set: &AnalysisSet<'_>,
    weights: Weights,
    hit: impl Fn(usize) -> Option<bool>,
) -> (Result<f64, Undefined>, Result<Interval, Undefined>) {
    let weight = |row: usize| weights.of_row(set, row);
    let rows: Vec<(usize, bool)> = (0..set.len())
        .filter_map(|row| Some((row, hit(row)?)))
        .collect();
    let total = sum_iter(rows.iter().map(|(row, _)| weight(*row)));
    if total <= 0.0 {
        return (Err(Undefined::NoCases), Err(Undefined::NoCases));
    }
    let hits = rows.iter().filter(|(_, hit)| *hit);
    let share = sum_iter(hits.map(|(row, _)| weight(*row))) / total;
    let influence: Vec<f64> = rows
        .iter()
        .map(|(row, hit)| weight(*row) * (f64::from(u8::from(*hit)) - share) / total)
        .collect();
    let owners: Vec<u32> = rows.iter().map(|(row, _)| set.patient[*row]).collect();
    let interval = clustered_variance(&influence, &owners)
        .and_then(|variance| proportion::logit_interval(share, variance.sqrt(), LEVEL))
        .ok_or(if share <= 0.0 || share >= 1.0 {
            Undefined::Boundary
        } else {
            Undefined::NoVariance
        });
    (Ok(share), interval)
}
