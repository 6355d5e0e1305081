//! Sums of predictions per bin: what a calibration curve over hospitals, its error over bins and
//! the Brier score's parts are made of.
//!
//! Merge class S: cases and events of a bin add, and so do the sums that its means stand for;
//! the merged bins are exactly those of the concatenated rows. A mean prediction within a bin
//! says more than the histogram does, and tenths cut across the histogram's blocks: where a
//! policy protects, none of it leaves.
//!
//! From: `cases`.
//! To: `pool::calibration`, report page "calibration".

use schemars::JsonSchema;
use serde::{Deserialize, Serialize};

use super::analysis_set::AnalysisSet;
use super::calibration::TENTHS;
use super::histogram::bin_of;
use super::stage::{Basis, Exact, ExactCount, ExactReal, Form, Stage, Undefined};
use crate::numeric::calibration::bins::{Bin, collect, equal_width};
use crate::numeric::sum::count;
use crate::study::{EndpointId, ModelId};

/// The bins of one model at one site; empty where the policy protects.
#[derive_where::derive_where(Clone, Debug, PartialEq; S::Count, S::Real)]
#[derive(Serialize, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields)]
#[serde(bound(
    serialize = "S::Count: Serialize, S::Real: Serialize",
    deserialize = "S::Count: Deserialize<'de>, S::Real: Deserialize<'de>"
))]
#[schemars(bound = "S::Count: JsonSchema, S::Real: JsonSchema")]
pub struct CalibrationBins<S: Stage> {
    /// The model.
    pub model: ModelId,
    /// The endpoint.
    pub endpoint: EndpointId,
    /// One per bin of the protocol's prediction grid, ascending.
    pub grid: Vec<PredictionBin<S>>,
    /// One per tenth of [0, 1]: `[0, 0.1)` to `[0.9, 1]`.
    pub tenths: Vec<PredictionBin<S>>,
}

/// Cases whose prediction falls into one bin.
#[derive_where::derive_where(Clone, Debug, PartialEq; S::Count, S::Real)]
#[derive(Serialize, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields)]
#[serde(bound(
    serialize = "S::Count: Serialize, S::Real: Serialize",
    deserialize = "S::Count: Deserialize<'de>, S::Real: Deserialize<'de>"
))]
#[schemars(bound = "S::Count: JsonSchema, S::Real: JsonSchema")]
pub struct PredictionBin<S: Stage> {
    /// Cases.
    pub n: S::Count,
    /// Events among them.
    pub events: S::Count,
    /// Mean prediction, in [0, 1].
    pub mean: S::Real,
    /// Mean squared prediction.
    pub mean_square: S::Real,
    /// Mean prediction of the events.
    pub mean_of_events: S::Real,
}

impl CalibrationBins<Exact> {
    /// The bins of the model with index `model`.
    pub(crate) fn measure(set: &AnalysisSet<'_>, model: usize) -> Option<Self> {
        let id = set.protocol.model.get(model)?.id.clone();
        let score = set.score.get(model)?;
        let edges = &set.protocol.histogram.edges;
        let place = |p: f64| bin_of(edges, p);
        let tenth = |p: f64| equal_width(p, TENTHS);
        let grid = collect(score, &set.outcome, edges.len() + 1, place);
        let tenths = collect(score, &set.outcome, TENTHS, tenth);
        Some(Self {
            model: id,
            endpoint: set.endpoint.clone(),
            grid: bins(set, &grid, |row| place(score[row])),
            tenths: bins(set, &tenths, |row| tenth(score[row])),
        })
    }
}

fn bins(
    set: &AnalysisSet<'_>,
    sums: &[Bin],
    place: impl Fn(usize) -> usize,
) -> Vec<PredictionBin<Exact>> {
    if !set.clustered() {
        let one_each = |rows: u64| ExactCount::new(rows, rows);
        let bins = sums.iter();
        return bins
            .map(|bin| prediction_bin(bin, one_each(bin.n), one_each(bin.events)))
            .collect();
    }
    let all = set.counts(sums.len(), &place);
    let beyond = sums.len();
    let with = |row: usize| if set.outcome[row] { place(row) } else { beyond };
    let events = set.counts(sums.len(), with);
    sums.iter()
        .zip(all.into_iter().zip(events))
        .map(|(bin, (n, events))| prediction_bin(bin, n, events))
        .collect()
}

fn prediction_bin(bin: &Bin, n: ExactCount, events: ExactCount) -> PredictionBin<Exact> {
    let basis = Basis::of(
        events
            .patients
            .min(n.patients.saturating_sub(events.patients)),
    );
    let mean = |sum: f64, rows: u64| {
        let value = if rows == 0 {
            Err(Undefined::NoCases)
        } else {
            Ok(sum / count(rows))
        };
        ExactReal::new(value, Form::AREA, basis)
    };
    PredictionBin {
        mean: mean(bin.p, bin.n),
        mean_square: mean(bin.p2, bin.n),
        mean_of_events: mean(bin.py, bin.events),
        n,
        events,
    }
}

impl PredictionBin<super::stage::Disclosed> {
    /// The sums that the means stand for; `None` unless every count and mean of a case is exact.
    pub fn sums(&self) -> Option<Bin> {
        let (n, events) = (self.n.exact()?, self.events.exact()?);
        let sum = |mean: &super::stage::Cell<f64>, rows: u64| {
            if rows == 0 {
                Some(0.0)
            } else {
                Some(mean.exact()? * count(rows))
            }
        };
        Some(Bin {
            n,
            events,
            p: sum(&self.mean, n)?,
            p2: sum(&self.mean_square, n)?,
            py: sum(&self.mean_of_events, events)?,
        })
    }
}
