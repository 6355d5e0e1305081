//! Area under the ROC curve: the probability that a random event is scored above a random
//! non-event, ties counted half. A higher score always means more suspicion; direction is never
//! flipped.
//!
//! Variance after DeLong, DeLong, Clarke-Pearson (1988, doi 10.2307/2531595); with repeated
//! patients after Obuchowski (1997, doi 10.2307/2533958).
//!
//! Merge class T: pooled by random effects on the logit scale (decision C7).
//!
//! From: `cases`.
//! To: report page "discrimination".

use std::cell::OnceCell;

use schemars::JsonSchema;
use serde::{Deserialize, Serialize};

use super::analysis_set::{AnalysisSet, dominance};
use super::paired_auc::changed;
use super::stage::{Basis, Exact, ExactReal, Form, Stage, Undefined};
use crate::numeric::delong::{self, AucStatus, Comparison, Placements};
use crate::study::{EndpointId, ModelId, ModelRole};

/// AUC of one model at one site.
#[derive_where::derive_where(Clone, Debug, PartialEq; S::Count, S::Real)]
#[derive(Serialize, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields)]
#[serde(bound(
    serialize = "S::Count: Serialize, S::Real: Serialize",
    deserialize = "S::Count: Deserialize<'de>, S::Real: Deserialize<'de>"
))]
#[schemars(bound = "S::Count: JsonSchema, S::Real: JsonSchema")]
pub struct Auc<S: Stage> {
    /// The model.
    pub model: ModelId,
    /// The endpoint.
    pub endpoint: EndpointId,
    /// Events.
    pub events: S::Count,
    /// Non-events.
    pub non_events: S::Count,
    /// The AUC, in [0, 1].
    pub auc: S::Real,
    /// Its variance.
    pub variance: S::Real,
    /// How the variance was computed.
    pub method: VarianceMethod,
}

/// Estimators of an AUC's variance.
#[derive(Clone, Copy, Debug, Eq, PartialEq, Serialize, Deserialize, JsonSchema)]
#[serde(rename_all = "kebab-case")]
pub enum VarianceMethod {
    /// DeLong 1988: every patient has one case.
    Delong,
    /// Obuchowski 1997: patients repeat.
    Obuchowski,
}

/// Every model's area on the same cases, with what the gate must know of each.
pub(crate) struct Areas {
    pub(crate) comparison: Option<Comparison>,
    /// By model: the people behind its difference from the models that come before it.
    alike: Vec<Basis>,
    /// By model: the people behind its area.
    basis: Vec<OnceCell<Basis>>,
}

impl Areas {
    /// The areas of every model, protocol order.
    pub(crate) fn of(set: &AnalysisSet<'_>) -> Self {
        let scores: Vec<&[f64]> = set.score.iter().map(Vec::as_slice).collect();
        let comparison = Comparison::of(&set.outcome, &scores, &set.patient).ok();
        let alike = alike(set, comparison.as_ref());
        Self {
            comparison,
            alike,
            basis: set.score.iter().map(|_| OnceCell::new()).collect(),
        }
    }

    /// What the gate must know of a number about the model with index `model` beside the
    /// numbers about other models.
    pub(crate) fn beside(&self, model: usize) -> Basis {
        self.alike.get(model).copied().unwrap_or(Basis::of(0))
    }

    /// The people behind the area of the model with index `model` in the same `set`; `None` where
    /// there are no areas.
    pub(crate) fn basis(&self, set: &AnalysisSet<'_>, model: usize) -> Option<Basis> {
        let comparison = self.comparison.as_ref()?;
        let placements = comparison.placements.get(model)?;
        let of = || area_basis(&set.patient, comparison.area(model).sizes, placements);
        Some(*self.basis.get(model)?.get_or_init(of))
    }

    pub(crate) fn method(set: &AnalysisSet<'_>) -> VarianceMethod {
        if set.clustered() {
            VarianceMethod::Obuchowski
        } else {
            VarianceMethod::Delong
        }
    }
}

/// Two scores that differ for a few patients only tell, by subtraction, about these patients
/// (decision P3): at least k patients of each class must change, and none may carry most of the
/// change. The index model comes first; a comparator answers for its likeness to it. Every score
/// answers for its likeness to one number for everybody: a score that tells a few patients from all
/// others asks for the outcomes of these few.
fn alike(set: &AnalysisSet<'_>, comparison: Option<&Comparison>) -> Vec<Basis> {
    let models = set.score.len();
    let role = |model: usize| set.protocol.model.get(model).map(|model| model.role);
    let rank = |model: usize| (role(model) != Some(ModelRole::Index), model);
    (0..models)
        .map(|model| {
            let before = (0..models).filter(|other| rank(*other) < rank(model));
            before
                .map(|other| change_basis(set, comparison, model, other))
                .fold(unlike_one_number(set, model), Basis::and)
        })
        .collect()
}

/// The patients of the smaller class whose score is not the one that more than half of the cases
/// have; no bound where there is none such.
fn unlike_one_number(set: &AnalysisSet<'_>, model: usize) -> Basis {
    let score = &set.score[model];
    let free = Basis::of(u64::MAX);
    if score.is_empty() {
        return free;
    }
    // More than half of the cases: the one in the middle is among them.
    let mut all: Vec<u64> = score.iter().map(|value| value.to_bits()).collect();
    let half = all.len() / 2;
    let middle = *all.select_nth_unstable(half).1;
    let other = |row: usize| score[row].to_bits() != middle;
    let others = all.iter().filter(|bits| **bits != middle).count();
    if others == 0 || 2 * others >= all.len() {
        return free;
    }
    let of = |event: bool| set.patients(|row| set.outcome[row] == event && other(row));
    Basis::of(of(true).min(of(false)))
}

fn change_basis(
    set: &AnalysisSet<'_>,
    comparison: Option<&Comparison>,
    model: usize,
    other: usize,
) -> Basis {
    let (one, two) = (&set.score[model], &set.score[other]);
    let moved = |row: usize| one[row].to_bits() != two[row].to_bits();
    let mut basis = Basis::of(u64::MAX);
    if !(0..set.len()).any(moved) {
        return basis;
    }
    for class in [true, false] {
        let changed = |row: usize| set.outcome[row] == class && moved(row);
        basis = basis.and(Basis::of(set.patients(changed)));
    }
    let Some(comparison) = comparison else {
        return basis;
    };
    match changed(set, comparison, model, other) {
        Some(found) if found.smallest > 0 => basis.and(found),
        Some(_) | None => basis,
    }
}

/// The people behind an area: the smaller class, and the patient who carries the largest share
/// of a class's placement deviation (decision P3).
pub(crate) fn area_basis(patient: &[u32], sizes: delong::Sizes, placements: &Placements) -> Basis {
    let smallest = sizes.event_patients.min(sizes.non_event_patients);
    let repeats = sizes.clustered();
    let row_number = |row: usize| u32::try_from(row).unwrap_or(u32::MAX);
    let share = |class: &[delong::Placement]| {
        let mean = crate::numeric::sum::sum_iter(class.iter().map(|place| place.value));
        #[allow(
            clippy::cast_precision_loss,
            reason = "counts of cases stay far below 2^53"
        )]
        let mean = mean / class.len().max(1) as f64;
        // A row may stand for its patient where none has two: then nothing is to be gathered.
        let owner = |row: usize| {
            if repeats {
                patient[row]
            } else {
                row_number(row)
            }
        };
        dominance(
            class
                .iter()
                .map(|place| (owner(place.row), place.value - mean)),
        )
    };
    Basis::of(smallest).dominated(share(&placements.events).and(share(&placements.non_events)))
}

/// Value and variance of an area, or why there is none.
pub(crate) fn area_values(area: &delong::Auc) -> (Result<f64, Undefined>, Result<f64, Undefined>) {
    let value = area.auc.ok_or(Undefined::OneClass);
    let variance = match area.status {
        AucStatus::Estimated => area.variance.ok_or(Undefined::NoVariance),
        AucStatus::OneClass => Err(Undefined::OneClass),
        AucStatus::Perfect => Err(Undefined::Boundary),
        AucStatus::SingleEvent | AucStatus::SingleNonEvent | AucStatus::ZeroVariance => {
            Err(Undefined::NoVariance)
        }
    };
    (value, variance)
}

impl Auc<Exact> {
    /// The area of the model with index `model`.
    pub(crate) fn measure(set: &AnalysisSet<'_>, areas: &Areas, model: usize) -> Option<Self> {
        let id = set.protocol.model.get(model)?.id.clone();
        let comparison = areas.comparison.as_ref()?;
        let area = comparison.area(model);
        let basis = areas.basis(set, model)?.and(areas.beside(model));
        let (value, variance) = area_values(&area);
        Some(Self {
            model: id,
            endpoint: set.endpoint.clone(),
            events: set.count(|row| set.outcome[row]),
            non_events: set.count(|row| !set.outcome[row]),
            auc: ExactReal::new(value, Form::AREA, basis),
            variance: ExactReal::new(variance, Form::SPREAD, basis),
            method: Areas::method(set),
        })
    }
}
