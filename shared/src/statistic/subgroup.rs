//! Subgroup bias table: one model, one axis, one threshold. Each level is compared with the
//! rest of the same site (decision C10), so that differences between hospitals do not pose as
//! differences between patients.
//!
//! Differences of proportions: Newcombe's hybrid score interval (1998, doi
//! 10.1002/(SICI)1097-0258(19980430)17:8<873::AID-SIM779>3.0.CO;2-I); of AUCs: independent
//! groups; of O:E: difference of logarithms. Merge class T: gaps are pooled by random effects.
//! How far the levels lie apart among each other: `disparity`.
//!
//! From: `cases`.
//! To: report page "subgroups and fairness".

use std::cell::OnceCell;

use schemars::JsonSchema;
use serde::{Deserialize, Serialize};

use super::analysis_set::{AnalysisSet, BOUND_SUFFICES, LEVEL, clustered_variance, dominance};
use super::auc::{area_basis, area_values};
use super::confusion::{Proportion, RateMeasure, proportion_from};
use super::crossed::{Crossed, Place};
use super::disparity::{Apart, Disparity, Own};
use super::observed_expected::{Expected, Ratio, ratio_from};
use super::overlap::nearest_earlier_part;
use super::stage::{Basis, Exact, ExactReal, Form, Stage, Undefined};
use crate::numeric::delong::{self, BoundedArea, Comparison, LevelAreas};
use crate::numeric::dominance::Dominance;
use crate::numeric::rank::Ascending;
use crate::numeric::sum::{count, mean};
use crate::numeric::{Interval, distribution, proportion};
use crate::study::{AxisId, EndpointId, ModelId, SamplingDesign};

mod columns;

use columns::{Ranked, Swept, loss, pick};

/// Subgroup results of one model on one axis.
#[derive_where::derive_where(Clone, Debug, PartialEq; S::Count, S::Real)]
#[derive(Serialize, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields)]
#[serde(bound(
    serialize = "S::Count: Serialize, S::Real: Serialize",
    deserialize = "S::Count: Deserialize<'de>, S::Real: Deserialize<'de>"
))]
#[schemars(bound = "S::Count: JsonSchema, S::Real: JsonSchema")]
pub struct SubgroupTable<S: Stage> {
    /// The model.
    pub model: ModelId,
    /// The endpoint.
    pub endpoint: EndpointId,
    /// The axis.
    pub axis: AxisId,
    /// The threshold behind rates; the protocol's first for this model.
    pub threshold: f64,
    /// One row per level, `not recorded` last.
    pub rows: Vec<SubgroupRow<S>>,
    /// How far the recorded levels lie apart, in the order of [`Measure::ALL`].
    pub disparities: Vec<Disparity<S>>,
}

/// Results at one level.
#[derive_where::derive_where(Clone, Debug, PartialEq; S::Count, S::Real)]
#[derive(Serialize, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields)]
#[serde(bound(
    serialize = "S::Count: Serialize, S::Real: Serialize",
    deserialize = "S::Count: Deserialize<'de>, S::Real: Deserialize<'de>"
))]
#[schemars(bound = "S::Count: JsonSchema, S::Real: JsonSchema")]
pub struct SubgroupRow<S: Stage> {
    /// The level.
    pub level: String,
    /// Cases.
    pub n: S::Count,
    /// Events.
    pub events: S::Count,
    /// Non-events.
    pub non_events: S::Count,
    /// The measures, in the order of [`Measure::ALL`].
    pub measures: Vec<SubgroupMeasure<S>>,
    /// Events predicted positive.
    pub true_positive: S::Count,
    /// Non-events predicted positive.
    pub false_positive: S::Count,
    /// Events predicted negative.
    pub false_negative: S::Count,
    /// Non-events predicted negative.
    pub true_negative: S::Count,
}

/// One measure at one level, and its gap to the rest of the site.
#[derive_where::derive_where(Clone, Debug, PartialEq; S::Count, S::Real)]
#[derive(Serialize, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields)]
#[serde(bound(
    serialize = "S::Count: Serialize, S::Real: Serialize",
    deserialize = "S::Count: Deserialize<'de>, S::Real: Deserialize<'de>"
))]
#[schemars(bound = "S::Count: JsonSchema, S::Real: JsonSchema")]
pub struct SubgroupMeasure<S: Stage> {
    /// Which measure.
    pub measure: Measure,
    /// Estimate on its natural scale.
    pub value: S::Real,
    /// Lower end of the 95 % interval.
    pub low: S::Real,
    /// Upper end of the 95 % interval.
    pub high: S::Real,
    /// Level minus rest of the site; for O:E the difference of logarithms.
    pub gap: S::Real,
    /// Lower end of the gap's 95 % interval.
    pub gap_low: S::Real,
    /// Upper end of the gap's 95 % interval.
    pub gap_high: S::Real,
    /// Variance of the gap, for pooling.
    pub gap_variance: S::Real,
}

/// Measures of the subgroup table.
#[derive(
    Clone, Copy, Debug, Eq, PartialEq, Ord, PartialOrd, Serialize, Deserialize, JsonSchema,
)]
#[serde(rename_all = "kebab-case")]
pub enum Measure {
    /// Predicted positives among all.
    SelectionRate,
    /// True positive rate (sensitivity).
    Tpr,
    /// False positive rate.
    Fpr,
    /// Positive predictive value.
    Ppv,
    /// Area under the ROC curve.
    Auc,
    /// Observed over expected.
    ObservedExpected,
    /// Negative predictive value.
    Npv,
    /// Brier score.
    Brier,
    /// Cross-group AUC: the level's events against the rest's non-events; its gap is to the
    /// rest's events against the level's non-events (Kallus and Zhou 2019, arXiv:1902.05826).
    Xauc,
}

impl Measure {
    /// Every measure, in the order of the table.
    pub const ALL: &'static [Self] = &[
        Self::SelectionRate,
        Self::Tpr,
        Self::Fpr,
        Self::Ppv,
        Self::Auc,
        Self::ObservedExpected,
        Self::Npv,
        Self::Brier,
        Self::Xauc,
    ];

    /// The measure in words.
    pub fn words(self) -> &'static str {
        match self {
            Self::SelectionRate => "selection rate",
            Self::Tpr => "true positive rate",
            Self::Fpr => "false positive rate",
            Self::Ppv => "positive predictive value",
            Self::Auc => "AUC",
            Self::ObservedExpected => "O:E",
            Self::Npv => "negative predictive value",
            Self::Brier => "Brier score",
            Self::Xauc => "cross-group AUC",
        }
    }

    /// Whether the measure depends on a threshold.
    pub fn needs_threshold(self) -> bool {
        match self {
            Self::SelectionRate | Self::Tpr | Self::Fpr | Self::Ppv | Self::Npv => true,
            Self::Auc | Self::ObservedExpected | Self::Brier | Self::Xauc => false,
        }
    }
}

/// A value, its interval, its gap to the rest, and the people behind both.
struct Found {
    /// What the level alone says, for comparing levels among each other.
    own: Own,
    value: Result<f64, Undefined>,
    interval: Result<Interval, Undefined>,
    gap: Result<f64, Undefined>,
    gap_interval: Result<Interval, Undefined>,
    gap_variance: Result<f64, Undefined>,
    basis: Basis,
    rest: Basis,
}

impl SubgroupTable<Exact> {
    /// The table of the model with index `model` on the axis with index `axis`.
    pub fn measure(
        set: &AnalysisSet<'_>,
        model: usize,
        axis: usize,
        threshold: f64,
    ) -> Option<Self> {
        let declared = set.protocol.subgroup.get(axis)?;
        let field = set.protocol.find_field(&declared.field)?;
        let level = set.level.get(axis)?;
        let score = set.score.get(model)?;
        let levels = declared.levels(field);
        let ranked = OnceCell::new();
        let order = set.ascending(model)?;
        let alone = !set.clustered();
        let swept = alone.then(|| Swept::of(set, (model, axis), levels.len()));
        let swept = swept.flatten();
        let crossed = Crossed::of(set, level, score, threshold);
        let mut apart = Apart::new(set.clustered());
        let rows = levels
            .into_iter()
            .zip(set.nearest(axis).iter().copied())
            .enumerate()
            .map(|(index, (name, near))| {
                let group = Group {
                    set,
                    order,
                    ranked: &ranked,
                    swept: swept.as_ref(),
                    crossed: &crossed,
                    score,
                    threshold,
                    level,
                    index,
                };
                group.row(name, near, &mut apart)
            })
            .collect();
        Some(Self {
            disparities: apart.disparities(),
            model: set.protocol.model.get(model)?.id.clone(),
            endpoint: set.endpoint.clone(),
            axis: declared.id.clone(),
            threshold,
            rows,
        })
    }
}

/// One level of an axis against the rest of the site.
struct Group<'a> {
    set: &'a AnalysisSet<'a>,
    order: &'a Ascending,
    ranked: &'a OnceCell<Ranked>,
    swept: Option<&'a Swept<'a>>,
    crossed: &'a Crossed,
    score: &'a [f64],
    threshold: f64,
    /// Level of every case.
    level: &'a [u16],
    /// The level this is about.
    index: usize,
}

impl Group<'_> {
    fn member(&self, row: usize) -> bool {
        usize::from(self.level[row]) == self.index
    }

    fn row(&self, level: String, near: u64, apart: &mut Apart) -> SubgroupRow<Exact> {
        let count = |holds: &dyn Fn(Place) -> bool| {
            self.crossed
                .count(|place| place.level == self.index && holds(place))
        };
        let cases = count(&|_| true);
        let measures = Measure::ALL
            .iter()
            .map(|measure| {
                let (found, own) = self.measure(*measure);
                apart.add(*measure, &level, cases.rows, own);
                found
            })
            .collect();
        let parted = |event: bool| {
            let class = |row: usize| self.member(row) && self.set.outcome[row] == event;
            nearest_earlier_part(self.set, class, |row| self.score[row] >= self.threshold)
        };
        let (near_event, near_other) = (parted(true), parted(false));
        let cell = |positive, event| {
            count(&|place: Place| place.positive == positive && place.event == event)
                .beside(if event { near_event } else { near_other })
        };
        SubgroupRow {
            true_positive: cell(true, true),
            false_positive: cell(true, false),
            false_negative: cell(false, true),
            true_negative: cell(false, false),
            level,
            n: cases.beside(near),
            events: count(&|place| place.event),
            non_events: count(&|place| !place.event),
            measures,
        }
    }

    fn measure(&self, measure: Measure) -> (SubgroupMeasure<Exact>, Own) {
        let (found, form, gap_form) = match measure {
            Measure::SelectionRate => (
                self.rate(RateMeasure::SelectionRate, false),
                Form::SHARE,
                Form::DIFFERENCE,
            ),
            Measure::Tpr => (
                self.rate(RateMeasure::Sensitivity, false),
                Form::SHARE,
                Form::DIFFERENCE,
            ),
            Measure::Fpr => (
                self.rate(RateMeasure::Specificity, true),
                Form::SHARE,
                Form::DIFFERENCE,
            ),
            Measure::Ppv => (
                self.rate(RateMeasure::Ppv, false),
                Form::SHARE,
                Form::DIFFERENCE,
            ),
            Measure::Auc => (self.area(), Form::AREA, Form::DIFFERENCE),
            Measure::ObservedExpected => (self.ratio(), Form::RATIO, Form::FREE),
            Measure::Npv => (
                self.rate(RateMeasure::Npv, false),
                Form::SHARE,
                Form::DIFFERENCE,
            ),
            Measure::Brier => (self.brier(), Form::AREA, Form::DIFFERENCE),
            Measure::Xauc => (self.cross_area(), Form::AREA, Form::DIFFERENCE),
        };
        let both = found.basis.and(found.rest);
        let own = |value| ExactReal::new(value, form, found.basis);
        let gap = |value| ExactReal::new(value, gap_form, both);
        let measured = SubgroupMeasure {
            measure,
            value: own(found.value),
            low: own(found.interval.map(|interval| interval.lower)),
            high: own(found.interval.map(|interval| interval.upper)),
            gap: gap(found.gap),
            gap_low: gap(found.gap_interval.map(|interval| interval.lower)),
            gap_high: gap(found.gap_interval.map(|interval| interval.upper)),
            gap_variance: ExactReal::new(found.gap_variance, Form::SPREAD, both),
        };
        (measured, found.own)
    }

    /// A rate, or its complement (`1 - specificity` is the false positive rate).
    fn rate(&self, measure: RateMeasure, complement: bool) -> Found {
        let outcome_dependent =
            self.set.protocol.sampling.design == SamplingDesign::OutcomeDependent;
        let hit = |row: usize| {
            let positive = self.score[row] >= self.threshold;
            measure
                .hit(positive, self.set.outcome[row])
                .map(|hit| hit != complement)
        };
        let level_hit = |row: usize| if self.member(row) { hit(row) } else { None };
        let rest_hit = |row: usize| if self.member(row) { None } else { hit(row) };
        let counts = |inside: bool| {
            [None, Some(true), Some(false)].map(|wanted| {
                self.crossed.count(|place| {
                    let hit = measure.hit(place.positive, place.event);
                    let hit = hit.map(|hit| hit != complement);
                    (place.level == self.index) == inside
                        && hit.is_some()
                        && wanted.is_none_or(|wanted| hit == Some(wanted))
                })
            })
        };
        let level = proportion_from(self.set, counts(true), level_hit);
        let rest = proportion_from(self.set, counts(false), rest_hit);
        if outcome_dependent && measure.needs_prevalence() {
            return Found::undefined(Undefined::DesignForbids, level.basis, rest.basis);
        }
        let (gap, gap_variance, gap_interval) = self.rate_gap(&level, &rest, level_hit, rest_hit);
        Found {
            own: Own::share(level.hits, level.n.rows, level.basis),
            value: level.value,
            interval: level.interval,
            gap,
            gap_interval,
            gap_variance,
            basis: level.basis,
            rest: rest.basis,
        }
    }

    #[allow(
        clippy::type_complexity,
        reason = "gap, variance and interval belong together"
    )]
    fn rate_gap(
        &self,
        level: &Proportion,
        rest: &Proportion,
        level_hit: impl Fn(usize) -> Option<bool>,
        rest_hit: impl Fn(usize) -> Option<bool>,
    ) -> (
        Result<f64, Undefined>,
        Result<f64, Undefined>,
        Result<Interval, Undefined>,
    ) {
        let (Ok(p), Ok(q)) = (level.value, rest.value) else {
            return (
                Err(Undefined::NoRest),
                Err(Undefined::NoRest),
                Err(Undefined::NoRest),
            );
        };
        #[allow(
            clippy::cast_precision_loss,
            reason = "counts of cases stay far below 2^53"
        )]
        let (n, m) = (level.n.rows as f64, rest.n.rows as f64);
        if !self.set.clustered() {
            let variance = p * (1.0 - p) / n + q * (1.0 - q) / m;
            let variance = if variance > 0.0 {
                Ok(variance)
            } else {
                Err(Undefined::NoVariance)
            };
            let (n1, n2) = (level.n.rows, rest.n.rows);
            let interval = proportion::newcombe_difference(level.hits, n1, rest.hits, n2, LEVEL)
                .map(|difference| difference.interval)
                .ok_or(Undefined::NotFinite);
            return (Ok(p - q), variance, interval);
        }
        let indicator = |hit: bool| f64::from(u8::from(hit));
        let influence: Vec<f64> = (0..self.set.len())
            .map(|row| match (level_hit(row), rest_hit(row)) {
                (Some(hit), _) => (indicator(hit) - p) / n,
                (None, Some(hit)) => -(indicator(hit) - q) / m,
                (None, None) => 0.0,
            })
            .collect();
        let variance = clustered_variance(&influence, &self.set.patient)
            .filter(|variance| *variance > 0.0)
            .ok_or(Undefined::NoVariance);
        let interval = variance.and_then(|variance| around(p - q, variance, (-1.0, 1.0)));
        (Ok(p - q), variance, interval)
    }

    /// AUC of the level and of the rest; the two are independent groups of patients. Where a
    /// patient has cases in both, no interval of the gap exists here.
    fn area(&self) -> Found {
        let own = self.area_of(|areas| areas.own, &|own, _| own);
        let rest = self.area_of(|areas| areas.rest, &|own, _| !own);
        let shared = self.shares_patients();
        let compared = own.as_level();
        two_areas(own, rest, shared, compared)
    }

    /// Events of the level against the rest's non-events, and the rest's events against the
    /// level's non-events: four groups of different cases.
    fn cross_area(&self) -> Found {
        let own = self.area_of(|areas| areas.events, &|own, event| own == event);
        let rest = self.area_of(|areas| areas.non_events, &|own, event| own != event);
        let shared = self.shares_patients();
        // Every level's comparison holds the others: they are not independent of each other.
        let compared = Own::none(Undefined::Dependent, own.basis);
        two_areas(own, rest, shared, compared)
    }

    fn ranked(&self) -> &Ranked {
        let rank = || Ranked::of(self.set, self.score, self.order, self.level);
        self.ranked.get_or_init(rank)
    }

    /// The area over the cases that `chosen` takes, by whether they are of the level and whether
    /// they have the event: `which` of those that one walk found, or where patients repeat, of
    /// these cases alone.
    fn area_of(
        &self,
        which: impl Fn(&LevelAreas) -> BoundedArea,
        chosen: &dyn Fn(bool, bool) -> bool,
    ) -> Area {
        let chosen = |level: usize, event: bool| chosen(level == self.index, event);
        let (area, basis) = if let Some(swept) = self.swept {
            let Some(found) = swept.areas.get(self.index).map(which) else {
                return Area::none();
            };
            let sizes = found.auc.sizes;
            let basis = Basis::of(sizes.events.min(sizes.non_events));
            let share = if found.dominance_bound <= BOUND_SUFFICES {
                Dominance::at_most(found.dominance_bound)
            } else if found.auc.auc.is_none() {
                Dominance::WHOLE
            } else {
                delong::dominance_of_runs(&self.ranked().runs(chosen))
            };
            (found.auc, basis.dominated(share))
        } else {
            let ranked = self.ranked();
            let rows = ranked.chosen(chosen);
            let outcome = pick(&ranked.outcome, &rows);
            let score = pick(&ranked.score, &rows);
            let patient = pick(&ranked.patient, &rows);
            let found = Comparison::of(&outcome, &[&score], &patient).ok();
            let found = found
                .as_ref()
                .and_then(|found| Some((found.area(0), found.placements.first()?)));
            let Some((area, placements)) = found else {
                return Area::none();
            };
            (area, area_basis(&patient, area.sizes, placements))
        };
        let (value, variance) = area_values(&area);
        let interval = variance.and_then(|_| area.logit_interval(LEVEL).ok_or(Undefined::Boundary));
        Area {
            value,
            variance,
            interval,
            basis,
        }
    }

    /// Mean squared error of the level and of the rest (as `brier`).
    fn brier(&self) -> Found {
        let (own, rest) = (self.mean_loss(true), self.mean_loss(false));
        if self.set.protocol.sampling.design == SamplingDesign::OutcomeDependent {
            return Found::undefined(Undefined::DesignForbids, own.basis, rest.basis);
        }
        let shared = self.shares_patients();
        let compared = own.as_level();
        two_areas(own, rest, shared, compared)
    }

    fn mean_loss(&self, level: bool) -> Area {
        let people = |event| {
            let count = self
                .crossed
                .count(|place| (place.level == self.index) == level && place.event == event);
            count.patients
        };
        let basis = Basis::of(people(true).min(people(false)));
        let (value, variance, share) = match self.swept {
            Some(swept) => {
                let total = swept.losses.of_level(self.index, level);
                let n = count(total.moments.n);
                let variance = total.moments.variance().map(|variance| variance / n);
                let value = (n > 0.0).then_some(total.moments.mean);
                (value, variance, total.dominance())
            }
            None => self.mean_loss_by_patient(level),
        };
        let value = value.ok_or(Undefined::NoCases);
        let variance = variance.filter(|variance| *variance > 0.0);
        let variance = value.and(variance.ok_or(Undefined::NoVariance));
        let interval = value.and_then(|value| around(value, variance?, (0.0, 1.0)));
        Area {
            value,
            variance,
            interval,
            basis: basis.dominated(share),
        }
    }

    /// Mean, its variance over patients, and their largest shares.
    fn mean_loss_by_patient(&self, level: bool) -> (Option<f64>, Option<f64>, Dominance) {
        let rows = (0..self.set.len()).filter(|row| self.member(*row) == level);
        let rows: Vec<usize> = rows.collect();
        let losses = rows.iter().map(|row| loss(self.set, self.score, *row));
        let losses: Vec<f64> = losses.collect();
        let patient = pick(&self.set.patient, &rows);
        let share = dominance(patient.iter().copied().zip(losses.iter().copied()));
        let value = mean(&losses);
        let variance = value.and_then(|mean| {
            let n = count(losses.len() as u64);
            let influence: Vec<f64> = losses.iter().map(|one| (one - mean) / n).collect();
            clustered_variance(&influence, &patient)
        });
        (value, variance, share)
    }

    fn shares_patients(&self) -> bool {
        if !self.set.clustered() {
            return false;
        }
        let inside: std::collections::BTreeSet<u32> = (0..self.set.len())
            .filter(|row| self.member(*row))
            .map(|row| self.set.patient[row])
            .collect();
        (0..self.set.len()).any(|row| !self.member(row) && inside.contains(&self.set.patient[row]))
    }

    fn ratio(&self) -> Found {
        let expected = |inside: bool| match self.swept {
            Some(swept) => swept.expected.of_level(self.index, inside),
            None => {
                let rows = (0..self.set.len()).filter(|row| self.member(*row) == inside);
                Expected::of(self.set, self.score, rows)
            }
        };
        let (own, rest) = (expected(true), expected(false));
        let ratio = |expected: Expected, inside: bool| {
            let classes = [true, false].map(|event| {
                self.crossed
                    .count(|place| (place.level == self.index) == inside && place.event == event)
            });
            ratio_from(self.set, expected, classes, |row| {
                self.member(row) == inside
            })
        };
        let (own, rest) = (ratio(own, true), ratio(rest, false));
        let log = |ratio: &Ratio| {
            ratio.ratio.and_then(|value| {
                if value > 0.0 {
                    Ok(libm::log(value))
                } else {
                    Err(Undefined::Boundary)
                }
            })
        };
        let interval = match (log(&own), own.log_variance) {
            (Ok(centre), Ok(variance)) => around(centre, variance, (f64::MIN, f64::MAX))
                .and_then(|interval| interval.map(libm::exp).ok_or(Undefined::NotFinite)),
            (Err(reason), _) | (_, Err(reason)) => Err(reason),
        };
        let gap = match (log(&own), log(&rest)) {
            (Ok(a), Ok(b)) => Ok(a - b),
            (Err(reason), _) => Err(reason),
            (_, Err(_)) => Err(Undefined::NoRest),
        };
        let gap_variance = match (own.log_variance, rest.log_variance) {
            (Ok(_), Ok(_)) if self.shares_patients() => Err(Undefined::Clustered),
            (Ok(a), Ok(b)) => Ok(a + b),
            (Err(reason), _) | (_, Err(reason)) => Err(reason),
        };
        let gap_interval = match (gap, gap_variance) {
            (Ok(gap), Ok(variance)) => around(gap, variance, (f64::MIN, f64::MAX)),
            (Err(reason), _) | (_, Err(reason)) => Err(reason),
        };
        let compared = match (log(&own), own.log_variance) {
            (Ok(value), Ok(variance)) => Own::estimate(value, Ok(variance), own.basis),
            (Ok(value), Err(reason)) => Own::estimate(value, Err(reason), own.basis),
            (Err(reason), _) => Own::none(reason, own.basis),
        };
        Found {
            own: compared,
            value: own.ratio,
            interval,
            gap,
            gap_interval,
            gap_variance,
            basis: own.basis,
            rest: rest.basis,
        }
    }
}

struct Area {
    value: Result<f64, Undefined>,
    variance: Result<f64, Undefined>,
    interval: Result<Interval, Undefined>,
    basis: Basis,
}

impl Area {
    fn none() -> Self {
        Self {
            value: Err(Undefined::OneClass),
            variance: Err(Undefined::OneClass),
            interval: Err(Undefined::OneClass),
            basis: Basis::of(0),
        }
    }

    fn as_level(&self) -> Own {
        match self.value {
            Ok(value) => Own::estimate(value, self.variance, self.basis),
            Err(reason) => Own::none(reason, self.basis),
        }
    }
}

/// Two estimates of different cases and their difference; `shared` says that patients have cases
/// in both, so that the difference has no interval here.
fn two_areas(own: Area, rest: Area, shared: bool, compared: Own) -> Found {
    let gap = match (own.value, rest.value) {
        (Ok(a), Ok(b)) => Ok(a - b),
        (Err(reason), _) => Err(reason),
        (_, Err(_)) => Err(Undefined::NoRest),
    };
    let gap_variance = match (own.variance, rest.variance) {
        (Ok(_), Ok(_)) if shared => Err(Undefined::Clustered),
        (Ok(a), Ok(b)) => Ok(a + b),
        (Err(reason), _) | (_, Err(reason)) => Err(reason),
    };
    let gap_interval = match (gap, gap_variance) {
        (Ok(gap), Ok(variance)) => around(gap, variance, (-1.0, 1.0)),
        (Err(reason), _) | (_, Err(reason)) => Err(reason),
    };
    Found {
        own: compared,
        value: own.value,
        interval: own.interval,
        gap,
        gap_interval,
        gap_variance,
        basis: own.basis,
        rest: rest.basis,
    }
}

impl Found {
    fn undefined(reason: Undefined, basis: Basis, rest: Basis) -> Self {
        Self {
            own: Own::none(reason, basis),
            value: Err(reason),
            interval: Err(reason),
            gap: Err(reason),
            gap_interval: Err(reason),
            gap_variance: Err(reason),
            basis,
            rest,
        }
    }
}

/// The normal interval around `centre`, kept inside `range`.
fn around(centre: f64, variance: f64, range: (f64, f64)) -> Result<Interval, Undefined> {
    let critical = distribution::normal_critical(LEVEL).ok_or(Undefined::NotFinite)?;
    Interval::around(centre, critical * libm::sqrt(variance))
        .map(|interval| interval.clamp(range.0, range.1))
        .ok_or(Undefined::NotFinite)
}
