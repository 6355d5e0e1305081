//! Brier score: mean squared difference of prediction and outcome (Brier 1950, doi
//! 10.1175/1520-0493(1950)078<0001:VOFEIT>2.0.CO;2), and its scaled form
//! `1 - B / (pi (1 - pi))`.
//!
//! Merge class T here; predictions are not clipped (decision C11). The standard error is that of
//! a mean, summed by patient where patients repeat.
//!
//! From: `cases`.
//! To: report page "calibration".

use schemars::JsonSchema;
use serde::{Deserialize, Serialize};

use super::analysis_set::{AnalysisSet, clustered_variance, dominance};
use super::auc::Areas;
use super::stage::{Basis, Exact, ExactReal, Form, Stage, Undefined};
use crate::numeric::sum::sum;
use crate::study::{EndpointId, ModelId, SamplingDesign};

/// Brier score of one model at one site.
#[derive_where::derive_where(Clone, Debug, PartialEq; S::Count, S::Real)]
#[derive(Serialize, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields)]
#[serde(bound(
    serialize = "S::Count: Serialize, S::Real: Serialize",
    deserialize = "S::Count: Deserialize<'de>, S::Real: Deserialize<'de>"
))]
#[schemars(bound = "S::Count: JsonSchema, S::Real: JsonSchema")]
pub struct Brier<S: Stage> {
    /// The model.
    pub model: ModelId,
    /// The endpoint.
    pub endpoint: EndpointId,
    /// Cases.
    pub n: S::Count,
    /// The score, in [0, 1]; lower is better.
    pub brier: S::Real,
    /// Its standard error.
    pub se: S::Real,
    /// Scaled Brier score, at most 1; 0 is a model that always predicts the prevalence.
    pub scaled: S::Real,
}

impl Brier<Exact> {
    /// The Brier score of the model with index `model`.
    pub(crate) fn measure(set: &AnalysisSet<'_>, areas: &Areas, model: usize) -> Option<Self> {
        let id = set.protocol.model.get(model)?.id.clone();
        let score = set.score.get(model)?;
        let event = |row: usize| f64::from(u8::from(set.outcome[row]));
        let squares: Vec<f64> = (0..set.len())
            .map(|row| (score[row] - event(row)) * (score[row] - event(row)))
            .collect();
        #[allow(
            clippy::cast_precision_loss,
            reason = "counts of cases stay far below 2^53"
        )]
        let n = squares.len() as f64;
        let mean = sum(&squares) / n;
        let influence: Vec<f64> = squares.iter().map(|square| (square - mean) / n).collect();
        let events = set.patients(|row| set.outcome[row]);
        let others = set.patients(|row| !set.outcome[row]);
        let share = dominance(set.patient.iter().copied().zip(squares.iter().copied()));
        let basis = Basis::of(events.min(others))
            .dominated(share)
            .and(areas.beside(model));
        let forbidden = set.protocol.sampling.design == SamplingDesign::OutcomeDependent;
        let allow = |value: Result<f64, Undefined>| match value {
            Ok(_) | Err(_) if forbidden => Err(Undefined::DesignForbids),
            Ok(_) if set.is_empty() => Err(Undefined::NoCases),
            value => value,
        };
        let prevalence = (0..set.len()).map(event).sum::<f64>() / n;
        let uncertainty = prevalence * (1.0 - prevalence);
        let scaled = if uncertainty > 0.0 {
            Ok(1.0 - mean / uncertainty)
        } else {
            Err(Undefined::OneClass)
        };
        let se = clustered_variance(&influence, &set.patient)
            .map(libm::sqrt)
            .ok_or(Undefined::NoVariance);
        Some(Self {
            model: id,
            endpoint: set.endpoint.clone(),
            n: set.count(|_| true),
            brier: ExactReal::new(allow(Ok(mean)), Form::AREA, basis),
            se: ExactReal::new(allow(se), Form::SPREAD, basis),
            scaled: ExactReal::new(allow(scaled), Form::FREE, basis),
        })
    }
}
