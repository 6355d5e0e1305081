//! Target shuffling: is the model's ranking better than chance, by permuting the outcomes among
//! the cases of the site?
//!
//! What leaves is the rank sum of the events as its deviation from what shuffling expects, and
//! its variance with ties; both add over sites (merge class P), so that the pool tests all
//! sites without ranks across them. For small sites the exact two-sided p value comes with it,
//! and where the protocol asks for shuffles, their Monte Carlo p value with number and seed.
//! Where patients repeat, labels are not exchangeable between rows and nothing is computed
//! (decision C2). Interval: none, it is a test. Sources: `numeric::permutation`.
//!
//! From: `cases`.
//! To: `pool::permutation`, report page "contingency".

use schemars::JsonSchema;
use serde::{Deserialize, Serialize};

use super::analysis_set::AnalysisSet;
use super::auc::Areas;
use super::stage::{Exact, ExactReal, Form, Stage, Undefined};
use crate::numeric::permutation::{PermutationFault, RankSum, exact_p, shuffle};
use crate::study::{EndpointId, ModelId, PermutationPlan};

/// Shuffled places that a site draws at most: some seconds.
const MOST_DRAWS: u64 = 1_000_000_000;

/// Label permutation of one model's scores.
#[derive_where::derive_where(Clone, Debug, PartialEq; S::Count, S::Real)]
#[derive(Serialize, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields)]
#[serde(bound(
    serialize = "S::Count: Serialize, S::Real: Serialize",
    deserialize = "S::Count: Deserialize<'de>, S::Real: Deserialize<'de>"
))]
#[schemars(bound = "S::Count: JsonSchema, S::Real: JsonSchema")]
pub struct Permutation<S: Stage> {
    /// The model.
    pub model: ModelId,
    /// The endpoint.
    pub endpoint: EndpointId,
    /// Cases with the event.
    pub events: S::Count,
    /// Cases without it.
    pub non_events: S::Count,
    /// Rank sum of the events minus its expectation `n1 (n + 1) / 2`.
    pub deviation: S::Real,
    /// Variance of the rank sum under permutation, with ties.
    pub variance: S::Real,
    /// Exact two-sided p value, for small sites.
    pub exact_p: S::Real,
    /// Monte Carlo shuffles, where the protocol asks for them.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub shuffled: Option<ShuffledLabels<S>>,
}

/// Shuffles drawn from a recorded seed.
#[derive_where::derive_where(Clone, Debug, PartialEq; S::Count, S::Real)]
#[derive(Serialize, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields)]
#[serde(bound(
    serialize = "S::Count: Serialize, S::Real: Serialize",
    deserialize = "S::Count: Deserialize<'de>, S::Real: Deserialize<'de>"
))]
#[schemars(bound = "S::Count: JsonSchema, S::Real: JsonSchema")]
pub struct ShuffledLabels<S: Stage> {
    /// What the protocol asked for.
    pub plan: PermutationPlan,
    /// `(1 + shuffles at least as extreme) / (shuffles + 1)`.
    pub p_value: S::Real,
}

impl Permutation<Exact> {
    /// The permutation test of the model with index `model`.
    pub(crate) fn measure(set: &AnalysisSet<'_>, areas: &Areas, model: usize) -> Option<Self> {
        let id = set.protocol.model.get(model)?.id.clone();
        let score = set.score.get(model)?;
        let basis = areas.basis(set, model)?.and(areas.beside(model));
        let clustered = set.clustered();
        let sums = RankSum::of(&set.outcome, set.ascending(model)?);
        let sums = sums.filter(|_| !clustered).ok_or(if clustered {
            Undefined::Clustered
        } else {
            Undefined::OneClass
        });
        let real = |value, form| ExactReal::new(value, form, basis);
        let exact = sums.and_then(|_| {
            exact_p(&set.outcome, score).map_err(|fault| match fault {
                PermutationFault::Nothing => Undefined::OneClass,
                PermutationFault::TooLarge => Undefined::TooLarge,
            })
        });
        let shuffled = set.protocol.permutation.map(|plan| ShuffledLabels {
            p_value: real(
                sums.and_then(|sums| shuffles(set, score, sums, plan)),
                Form::P_VALUE,
            ),
            plan,
        });
        Some(Self {
            model: id,
            endpoint: set.endpoint.clone(),
            events: set.count(|row| set.outcome[row]),
            non_events: set.count(|row| !set.outcome[row]),
            deviation: real(sums.map(|one| one.rank_sum - one.expectation), Form::FREE),
            variance: real(sums.map(|one| one.variance), Form::SPREAD),
            exact_p: real(exact, Form::P_VALUE),
            shuffled,
        })
    }
}

fn shuffles(
    set: &AnalysisSet<'_>,
    score: &[f64],
    sums: RankSum,
    plan: PermutationPlan,
) -> Result<f64, Undefined> {
    let places = sums.events.min(sums.n - sums.events);
    if u64::from(plan.shuffles).saturating_mul(places) > MOST_DRAWS {
        return Err(Undefined::TooLarge);
    }
    shuffle(
        &set.outcome,
        score,
        u64::from(plan.shuffles),
        u64::from(plan.seed),
    )
    .map(|found| found.p)
    .ok_or(Undefined::OneClass)
}
