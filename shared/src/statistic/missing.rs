//! What is absent (decision C12): cases without a prediction by outcome, and cases without a
//! reference standard by score band. "No prediction" is an outcome of a model in the clinic, and
//! whether the reference standard was sought often depends on the prediction.
//!
//! Bands are cut at the protocol's thresholds of the model: `[low, high)`, the last closed.
//!
//! Merge class S: counts add. Under a protecting policy the parts of a count leave together or
//! not at all, so that none follows from the participant flow.
//!
//! From: `cases`.
//! To: report page "design, missing data and sensitivity analyses".

use schemars::JsonSchema;
use serde::{Deserialize, Serialize};

use super::Cases;
use super::analysis_set::count;
use super::stage::{Exact, Stage};
use crate::study::{EndpointId, ModelId, StudyProtocol};

/// What is absent for one model and endpoint, among eligible cases.
#[derive_where::derive_where(Clone, Debug, PartialEq; S::Count, S::Real)]
#[derive(Serialize, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields)]
#[serde(bound(
    serialize = "S::Count: Serialize, S::Real: Serialize",
    deserialize = "S::Count: Deserialize<'de>, S::Real: Deserialize<'de>"
))]
#[schemars(bound = "S::Count: JsonSchema, S::Real: JsonSchema")]
pub struct Missing<S: Stage> {
    /// The model.
    pub model: ModelId,
    /// The endpoint.
    pub endpoint: EndpointId,
    /// Events without a prediction of this model.
    pub no_prediction_events: S::Count,
    /// Non-events without one.
    pub no_prediction_non_events: S::Count,
    /// Cases with neither a prediction nor a reference standard.
    pub neither: S::Count,
    /// Cases with a prediction and without a reference standard, by ascending band.
    pub no_reference: Vec<Band<S>>,
}

/// Cases in one score band.
#[derive_where::derive_where(Clone, Debug, PartialEq; S::Count, S::Real)]
#[derive(Serialize, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields)]
#[serde(bound(
    serialize = "S::Count: Serialize, S::Real: Serialize",
    deserialize = "S::Count: Deserialize<'de>, S::Real: Deserialize<'de>"
))]
#[schemars(bound = "S::Count: JsonSchema, S::Real: JsonSchema")]
pub struct Band<S: Stage> {
    /// Lower end of the band, in [0, 1).
    pub low: f64,
    /// Upper end, in (0, 1].
    pub high: f64,
    /// Cases.
    pub count: S::Count,
}

impl Missing<Exact> {
    /// What is absent for the model and the endpoint with these indices.
    pub fn measure(
        protocol: &StudyProtocol,
        cases: &Cases,
        endpoint: usize,
        model: usize,
    ) -> Option<Self> {
        let outcome = cases.outcome.get(endpoint)?;
        let score = cases.score.get(model)?;
        let id = &protocol.model.get(model)?.id;
        let target = &protocol.endpoint.get(endpoint)?.id;
        let tally = |holds: &dyn Fn(usize) -> bool| count(&cases.patient, cases.patients, holds);
        let absent =
            |found: Option<bool>| tally(&|row| score[row].is_none() && outcome[row] == found);
        let no_reference = edges(protocol, id, target)
            .windows(2)
            .map(|ends| {
                let (low, high) = (ends[0], ends[1]);
                let inside = |p: f64| p >= low && (p < high || high >= 1.0);
                Band {
                    low,
                    high,
                    count: tally(&|row| outcome[row].is_none() && score[row].is_some_and(inside)),
                }
            })
            .collect();
        Some(Self {
            model: id.clone(),
            endpoint: target.clone(),
            no_prediction_events: absent(Some(true)),
            no_prediction_non_events: absent(Some(false)),
            neither: absent(None),
            no_reference,
        })
    }
}

/// The ends of the bands: 0, the thresholds ascending, 1.
pub fn edges(protocol: &StudyProtocol, model: &ModelId, endpoint: &EndpointId) -> Vec<f64> {
    let mut edges = vec![0.0];
    edges.extend(protocol.thresholds(model, endpoint));
    edges.push(1.0);
    edges
}
