//! An estimate: one metric of one site with its interval and its variance on the metric's
//! scale. Most statistics are lists of these; whatever treats one of them treats all alike.
//!
//! Merge class T: sites' estimates are pooled by random effects where the register says so,
//! and described otherwise.
//!
//! From: every statistic that needs no counts of its own.
//! To: `disclosure::review`, `pool`.

use schemars::JsonSchema;
use serde::{Deserialize, Serialize};

use super::analysis_set::{AnalysisSet, LEVEL};
use super::calibration::CLIP_SENSITIVITY;
use super::metric::{Metric, Scale};
use super::stage::{Basis, Exact, ExactCount, ExactReal, Form, Stage, Undefined};
use crate::numeric::{Interval, distribution};
use crate::study::{AxisId, EndpointId, ModelId};

/// What is estimated. Keys are equal only if every part is, thresholds bit by bit.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields)]
pub struct EstimateKey {
    /// The metric.
    pub metric: Metric,
    /// The model.
    pub model: ModelId,
    /// The comparator, for differences.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub comparator: Option<ModelId>,
    /// The endpoint.
    pub endpoint: EndpointId,
    /// The subgroup axis; absent for all cases.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub axis: Option<AxisId>,
    /// The level within the axis.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub level: Option<String>,
    /// The threshold, where the metric has one.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub threshold: Option<f64>,
    /// The declared prevalence of a target population, in (0, 1), where it replaces the site's.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub prevalence: Option<f64>,
    /// The tolerance of a surface Dice, millimetres.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub tolerance_mm: Option<f64>,
    /// The false positives per scan at which a sensitivity is read.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub false_positives_per_scan: Option<f64>,
    /// The prespecified sensitivity analysis; absent for the primary analysis set.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub sensitivity: Option<String>,
}

impl EstimateKey {
    /// A metric of a model over all analysed cases of an endpoint.
    pub fn whole(metric: Metric, model: ModelId, endpoint: EndpointId) -> Self {
        Self {
            metric,
            model,
            comparator: None,
            endpoint,
            axis: None,
            level: None,
            threshold: None,
            prevalence: None,
            tolerance_mm: None,
            false_positives_per_scan: None,
            sensitivity: None,
        }
    }

    /// The same against a comparator.
    #[must_use]
    pub fn against(self, comparator: ModelId) -> Self {
        Self {
            comparator: Some(comparator),
            ..self
        }
    }

    /// The same at a threshold.
    #[must_use]
    pub fn at(self, threshold: f64) -> Self {
        Self {
            threshold: Some(threshold),
            ..self
        }
    }

    /// The same at a tolerance of the surface Dice, millimetres.
    #[must_use]
    pub fn within_tolerance(self, tolerance_mm: f64) -> Self {
        Self {
            tolerance_mm: Some(tolerance_mm),
            ..self
        }
    }

    /// The same at a number of false positives per scan.
    #[must_use]
    pub fn at_false_positives(self, per_scan: f64) -> Self {
        Self {
            false_positives_per_scan: Some(per_scan),
            ..self
        }
    }

    /// The same at a level of an axis.
    #[must_use]
    pub fn within(self, axis: AxisId, level: String) -> Self {
        Self {
            axis: Some(axis),
            level: Some(level),
            ..self
        }
    }

    /// True for an estimate at another clipping epsilon than the protocol's.
    pub fn is_clip_sensitivity(&self) -> bool {
        let known = |word: &String| CLIP_SENSITIVITY.iter().any(|(name, _)| word == name);
        self.sensitivity.as_ref().is_some_and(known)
    }

    /// True for an analysis that the protocol lists as `[[sensitivity]]`.
    pub fn is_declared_sensitivity(&self) -> bool {
        self.sensitivity.is_some() && !self.is_clip_sensitivity()
    }

    /// True for all analysed cases of the primary analysis set.
    pub fn is_whole(&self) -> bool {
        self.axis.is_none() && self.level.is_none() && self.sensitivity.is_none()
    }
}

/// One metric of one site.
#[derive_where::derive_where(Clone, Debug, PartialEq; S::Count, S::Real)]
#[derive(Serialize, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields)]
#[serde(bound(
    serialize = "S::Count: Serialize, S::Real: Serialize",
    deserialize = "S::Count: Deserialize<'de>, S::Real: Deserialize<'de>"
))]
#[schemars(bound = "S::Count: JsonSchema, S::Real: JsonSchema")]
pub struct Estimate<S: Stage> {
    /// What is estimated.
    pub key: EstimateKey,
    /// Cases behind it.
    pub n: S::Count,
    /// Events among them.
    pub events: S::Count,
    /// The estimate, natural scale.
    pub value: S::Real,
    /// Lower end of its 95 % interval, natural scale.
    pub low: S::Real,
    /// Upper end of its 95 % interval, natural scale.
    pub high: S::Real,
    /// Variance on the metric's scale.
    pub variance: S::Real,
    /// How the interval was made.
    pub interval: IntervalMethod,
}

/// How an interval was made.
#[derive(Clone, Copy, Debug, Eq, PartialEq, Serialize, Deserialize, JsonSchema)]
#[serde(tag = "method", rename_all = "kebab-case", deny_unknown_fields)]
pub enum IntervalMethod {
    /// Normal, on the metric's scale, from the variance that comes with it.
    Normal,
    /// Normal, on the logit scale of a share, whatever scale the variance is on.
    Logit,
    /// Wilson's score interval of a proportion.
    Wilson,
    /// Clopper and Pearson's exact interval of a proportion.
    ClopperPearson,
    /// Newcombe's hybrid score interval of a difference of proportions.
    Newcombe,
    /// Simel's log interval of a ratio of proportions.
    Simel,
    /// Normal, on the metric's scale, after 0.5 was added to each cell of a 2x2 table with an
    /// empty one.
    Corrected,
    /// Percentiles of the patient bootstrap.
    Bootstrap {
        /// Resamples.
        resamples: u32,
        /// Seed, as the protocol records it.
        seed: u64,
    },
    /// Bias-corrected and accelerated patient bootstrap.
    Bca {
        /// Resamples.
        resamples: u32,
        /// Seed, as the protocol records it.
        seed: u64,
    },
    /// None exists.
    None,
}

/// What a statistic found, before it becomes an [`Estimate`].
pub(crate) struct Found {
    /// The estimate, natural scale.
    pub(crate) value: Result<f64, Undefined>,
    /// Its 95 % interval, natural scale.
    pub(crate) interval: Result<Interval, Undefined>,
    /// Its variance on the metric's scale.
    pub(crate) variance: Result<f64, Undefined>,
    /// How the interval was made.
    pub(crate) method: IntervalMethod,
}

impl Found {
    /// A value with its variance on `scale`, and the normal interval that follows.
    pub(crate) fn normal(
        scale: Scale,
        value: Result<f64, Undefined>,
        variance: Result<f64, Undefined>,
    ) -> Self {
        let interval = value.and_then(|value| {
            let variance = variance?;
            let centre = scale.forward(value).ok_or(Undefined::Boundary)?;
            let critical = distribution::normal_critical(LEVEL).ok_or(Undefined::NotFinite)?;
            Interval::around(centre, critical * variance.sqrt())
                .and_then(|found| {
                    Interval::new(scale.natural(found.lower)?, scale.natural(found.upper)?)
                })
                .ok_or(Undefined::NotFinite)
        });
        Self {
            value,
            interval,
            variance,
            method: IntervalMethod::Normal,
        }
    }

    /// A value that has no interval, for `why`.
    pub(crate) fn bare(value: Result<f64, Undefined>, why: Undefined) -> Self {
        let none = value.map_or_else(|reason| reason, |_| why);
        Self {
            value,
            interval: Err(none),
            variance: Err(none),
            method: IntervalMethod::None,
        }
    }

    /// Nothing, for one reason.
    pub(crate) fn undefined(why: Undefined) -> Self {
        Self::bare(Err(why), why)
    }
}

impl Estimate<Exact> {
    /// An estimate about `n` cases with `events` events, whose smallest group is `basis`.
    pub(crate) fn new(
        key: EstimateKey,
        n: ExactCount,
        events: ExactCount,
        found: Found,
        basis: Basis,
    ) -> Self {
        let entry = key.metric.entry();
        let real = |value| ExactReal::new(value, entry.form, basis);
        let interval = found
            .interval
            .map(|interval| interval.clamp(entry.form.lo, entry.form.hi));
        let found = Found { interval, ..found };
        Self {
            n,
            events,
            value: real(found.value),
            low: real(found.interval.map(|interval| interval.lower)),
            high: real(found.interval.map(|interval| interval.upper)),
            variance: ExactReal::new(found.variance, Form::SPREAD, basis),
            interval: found.method,
            key,
        }
    }

    /// An estimate about all analysed cases.
    pub(crate) fn whole(
        set: &AnalysisSet<'_>,
        key: EstimateKey,
        found: Found,
        basis: Basis,
    ) -> Self {
        let [n, events] = set.sizes();
        Self::new(key, n, events, found, basis)
    }
}
