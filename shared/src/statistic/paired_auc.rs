//! Difference of the AUCs of two models on the same cases, with the paired variance.
//!
//! DeLong et al. (1988, doi 10.2307/2531595); with repeated patients after Obuchowski (1997,
//! doi 10.2307/2533958). Merge class T: the difference is pooled by random effects.
//!
//! From: `cases`.
//! To: report page "comparators".

use schemars::JsonSchema;
use serde::{Deserialize, Serialize};

use super::analysis_set::{AnalysisSet, LEVEL, dominance};
use super::auc::{Areas, VarianceMethod};
use super::stage::{Basis, Exact, ExactReal, Form, Stage, Undefined};
use crate::numeric::delong::Comparison;
use crate::study::{EndpointId, ModelId};

/// Paired comparison of the index model with a comparator at one site.
#[derive_where::derive_where(Clone, Debug, PartialEq; S::Count, S::Real)]
#[derive(Serialize, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields)]
#[serde(bound(
    serialize = "S::Count: Serialize, S::Real: Serialize",
    deserialize = "S::Count: Deserialize<'de>, S::Real: Deserialize<'de>"
))]
#[schemars(bound = "S::Count: JsonSchema, S::Real: JsonSchema")]
pub struct PairedAuc<S: Stage> {
    /// The model under validation.
    pub model: ModelId,
    /// What it is compared with.
    pub comparator: ModelId,
    /// The endpoint.
    pub endpoint: EndpointId,
    /// Events.
    pub events: S::Count,
    /// Non-events.
    pub non_events: S::Count,
    /// AUC of the model minus AUC of the comparator, in [-1, 1].
    pub difference: S::Real,
    /// Variance of the difference.
    pub variance: S::Real,
    /// How the variance was computed.
    pub method: VarianceMethod,
}

impl PairedAuc<Exact> {
    /// The difference of the models with indices `model` and `comparator`.
    pub(crate) fn measure(
        set: &AnalysisSet<'_>,
        areas: &Areas,
        model: usize,
        comparator: usize,
    ) -> Option<Self> {
        let comparison = areas.comparison.as_ref()?;
        let difference = comparison.difference(model, comparator, LEVEL);
        let basis = changed(set, comparison, model, comparator)?;
        // The areas may differ although one patient holds a class, and there is no variance.
        let areas = comparison.areas.as_ref();
        let value = areas
            .and_then(|areas| Some(areas.get(model)? - areas.get(comparator)?))
            .ok_or(Undefined::OneClass);
        let variance = difference
            .as_ref()
            .map(|found| found.variance)
            .filter(|variance| *variance > 0.0)
            .ok_or(Undefined::NoVariance);
        let variance = value.and(variance);
        Some(Self {
            model: set.protocol.model.get(model)?.id.clone(),
            comparator: set.protocol.model.get(comparator)?.id.clone(),
            endpoint: set.endpoint.clone(),
            events: set.count(|row| set.outcome[row]),
            non_events: set.count(|row| !set.outcome[row]),
            difference: ExactReal::new(value, Form::DIFFERENCE, basis),
            variance: ExactReal::new(variance, Form::SPREAD, basis),
            method: Areas::method(set),
        })
    }
}

/// The people behind a difference: patients of each class whose placement changes between the
/// two scores, and the largest share of one of them (decision P3).
pub(crate) fn changed(
    set: &AnalysisSet<'_>,
    comparison: &Comparison,
    model: usize,
    comparator: usize,
) -> Option<Basis> {
    let (first, second) = (
        comparison.placements.get(model)?,
        comparison.placements.get(comparator)?,
    );
    let mut change = vec![0.0; set.len()];
    for place in first.events.iter().chain(&first.non_events) {
        change[place.row] += place.value;
    }
    for place in second.events.iter().chain(&second.non_events) {
        change[place.row] -= place.value;
    }
    let mut basis = Basis::of(u64::MAX);
    for class in [true, false] {
        let moved = |row: usize| set.outcome[row] == class && change[row] != 0.0;
        let rows = (0..set.len()).filter(|row| moved(*row));
        let share = dominance(rows.map(|row| (set.patient[row], change[row])));
        basis = basis.and(Basis::of(set.patients(moved)).dominated(share));
    }
    Some(basis)
}
