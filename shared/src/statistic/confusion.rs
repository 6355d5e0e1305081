//! The 2x2 table at a prespecified threshold, positive if and only if the prediction is at or
//! above it, and the rates that follow.
//!
//! Merge class S: the four counts add. Rates and their intervals are computed on exact rows at
//! the site (decision C14): when every patient has one case, Wilson (1927, doi
//! 10.1080/01621459.1927.10502953) or, if the protocol asks for it, Clopper and Pearson (1934,
//! doi 10.1093/biomet/26.4.404), otherwise the logit interval of the ratio estimator linearised by patient.
//!
//! From: `cases`.
//! To: report page "operating point".

use schemars::JsonSchema;
use serde::{Deserialize, Serialize};

use super::analysis_set::{AnalysisSet, LEVEL};
use super::crossed::{Crossed, Place};
use super::overlap::nearest_earlier_part;
use super::sampling::{Weights, weighted_share};
use super::stage::{Basis, Exact, ExactCount, ExactReal, Form, Stage, Undefined};
use crate::numeric::{Interval, proportion};
use crate::study::{EndpointId, ModelId};

/// One 2x2 table.
#[derive_where::derive_where(Clone, Debug, PartialEq; S::Count, S::Real)]
#[derive(Serialize, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields)]
#[serde(bound(
    serialize = "S::Count: Serialize, S::Real: Serialize",
    deserialize = "S::Count: Deserialize<'de>, S::Real: Deserialize<'de>"
))]
#[schemars(bound = "S::Count: JsonSchema, S::Real: JsonSchema")]
pub struct Confusion<S: Stage> {
    /// The model.
    pub model: ModelId,
    /// The endpoint.
    pub endpoint: EndpointId,
    /// The threshold, in (0, 1).
    pub threshold: f64,
    /// Events predicted positive.
    pub true_positive: S::Count,
    /// Non-events predicted positive.
    pub false_positive: S::Count,
    /// Events predicted negative.
    pub false_negative: S::Count,
    /// Non-events predicted negative.
    pub true_negative: S::Count,
    /// Rates with 95 % intervals.
    pub rates: Vec<Rate<S>>,
}

/// One proportion with its interval.
#[derive_where::derive_where(Clone, Debug, PartialEq; S::Count, S::Real)]
#[derive(Serialize, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields)]
#[serde(bound(
    serialize = "S::Count: Serialize, S::Real: Serialize",
    deserialize = "S::Count: Deserialize<'de>, S::Real: Deserialize<'de>"
))]
#[schemars(bound = "S::Count: JsonSchema, S::Real: JsonSchema")]
pub struct Rate<S: Stage> {
    /// Which rate.
    pub measure: RateMeasure,
    /// The cases in the denominator.
    pub n: S::Count,
    /// The proportion, in [0, 1].
    pub value: S::Real,
    /// Lower end of the 95 % interval.
    pub low: S::Real,
    /// Upper end of the 95 % interval.
    pub high: S::Real,
}

/// Rates of a 2x2 table.
#[derive(
    Clone, Copy, Debug, Eq, PartialEq, Ord, PartialOrd, Serialize, Deserialize, JsonSchema,
)]
#[serde(rename_all = "kebab-case")]
pub enum RateMeasure {
    /// True positives among events.
    Sensitivity,
    /// True negatives among non-events.
    Specificity,
    /// Events among predicted positives.
    Ppv,
    /// Non-events among predicted negatives.
    Npv,
    /// Predicted positives among all.
    SelectionRate,
    /// Events among all.
    Prevalence,
}

impl RateMeasure {
    /// Every rate, in the order of the table.
    pub const ALL: &'static [Self] = &[
        Self::Sensitivity,
        Self::Specificity,
        Self::Ppv,
        Self::Npv,
        Self::SelectionRate,
        Self::Prevalence,
    ];

    /// The rate in words.
    pub fn words(self) -> &'static str {
        match self {
            Self::Sensitivity => "sensitivity",
            Self::Specificity => "specificity",
            Self::Ppv => "positive predictive value",
            Self::Npv => "negative predictive value",
            Self::SelectionRate => "selection rate",
            Self::Prevalence => "prevalence",
        }
    }

    /// Whether a case counts in the denominator, and if so whether it is a hit.
    pub(crate) fn hit(self, positive: bool, event: bool) -> Option<bool> {
        match self {
            Self::Sensitivity => event.then_some(positive),
            Self::Specificity => (!event).then_some(!positive),
            Self::Ppv => positive.then_some(event),
            Self::Npv => (!positive).then_some(!event),
            Self::SelectionRate => Some(positive),
            Self::Prevalence => Some(event),
        }
    }

    /// Rates that change with the prevalence; a sample drawn by outcome says nothing about them.
    pub(crate) fn needs_prevalence(self) -> bool {
        match self {
            Self::Sensitivity | Self::Specificity => false,
            Self::Ppv | Self::Npv | Self::SelectionRate | Self::Prevalence => true,
        }
    }
}

/// A proportion of cases with its interval, clustered by patient where patients repeat.
pub(crate) struct Proportion {
    pub(crate) n: ExactCount,
    pub(crate) hits: u64,
    pub(crate) value: Result<f64, Undefined>,
    pub(crate) interval: Result<Interval, Undefined>,
    pub(crate) basis: Basis,
}

/// The proportion of hits among the cases of `set` for which `hit` is `Some`, from its counts:
/// denominator, hits, misses. `hit` is asked only where patients repeat.
pub(crate) fn proportion_from(
    set: &AnalysisSet<'_>,
    [n, hits, misses]: [ExactCount; 3],
    hit: impl Fn(usize) -> Option<bool>,
) -> Proportion {
    let basis = Basis::of(hits.patients.min(misses.patients));
    let (mut value, mut interval) = (Err(Undefined::NoCases), Err(Undefined::NoCases));
    if n.rows > 0 {
        #[allow(
            clippy::cast_precision_loss,
            reason = "counts of cases stay far below 2^53"
        )]
        let share = hits.rows as f64 / n.rows as f64;
        value = Ok(share);
        interval = if n.patients == n.rows {
            set.protocol
                .intervals
                .proportion
                .of(hits.rows, n.rows, LEVEL)
                .ok_or(Undefined::NotFinite)
        } else {
            clustered_interval(set, hit)
        };
    }
    Proportion {
        n,
        hits: hits.rows,
        value,
        interval,
        basis,
    }
}

fn clustered_interval(
    set: &AnalysisSet<'_>,
    hit: impl Fn(usize) -> Option<bool>,
) -> Result<Interval, Undefined> {
    let (mut hits, mut patients) = (Vec::new(), Vec::new());
    for row in 0..set.len() {
        if let Some(is_hit) = hit(row) {
            hits.push(is_hit);
            patients.push(set.patient[row]);
        }
    }
    proportion::clustered(&hits, &patients, LEVEL)
        .interval
        .ok_or(Undefined::Clustered)
}

impl Confusion<Exact> {
    /// The table of the model with index `model` at `threshold`.
    pub fn measure(set: &AnalysisSet<'_>, model: usize, threshold: f64) -> Option<Self> {
        let id = set.protocol.model.get(model)?.id.clone();
        let score = set.score.get(model)?;
        let near = |event: bool| {
            let class = |row: usize| set.outcome[row] == event;
            nearest_earlier_part(set, class, |row| score[row] >= threshold)
        };
        let (near_event, near_other) = (near(true), near(false));
        let crossed = Crossed::of_all(set, score, threshold);
        let cell = |positive: bool, event: bool| {
            let near = if event { near_event } else { near_other };
            let cell = |place: Place| place.positive == positive && place.event == event;
            crossed.count(cell).beside(near)
        };
        let rates = RateMeasure::ALL
            .iter()
            .map(|measure| {
                let hit = |row: usize| measure.hit(score[row] >= threshold, set.outcome[row]);
                let counts = crossed.share(|positive, event| measure.hit(positive, event));
                rate(*measure, source_share(set, *measure, counts, hit))
            })
            .collect();
        Some(Self {
            model: id,
            endpoint: set.endpoint.clone(),
            threshold,
            true_positive: cell(true, true),
            false_positive: cell(true, false),
            false_negative: cell(false, true),
            true_negative: cell(false, false),
            rates,
        })
    }
}

/// The proportion in the source population: weighted where cases were sampled by outcome at
/// known rates, and none where the rates are unknown (decision C3). `counts` as of
/// [`proportion_from`].
pub(crate) fn source_share(
    set: &AnalysisSet<'_>,
    measure: RateMeasure,
    counts: [ExactCount; 3],
    hit: impl Fn(usize) -> Option<bool>,
) -> Proportion {
    let plain = proportion_from(set, counts, &hit);
    if !measure.needs_prevalence() {
        return plain;
    }
    let (value, interval) = match Weights::of(set) {
        Ok(weights) if weights.is_plain() => return plain,
        Ok(weights) => weighted_share(set, weights, hit),
        Err(reason) => (Err(reason), Err(reason)),
    };
    Proportion {
        value,
        interval,
        ..plain
    }
}

fn rate(measure: RateMeasure, share: Proportion) -> Rate<Exact> {
    let real = |value| ExactReal::new(value, Form::SHARE, share.basis);
    Rate {
        measure,
        value: real(share.value),
        low: real(share.interval.map(|interval| interval.lower)),
        high: real(share.interval.map(|interval| interval.upper)),
        n: share.n,
    }
}
