//! Lesions: how many of the truth's lesions one model's masks find, and how many it finds where
//! there is none, over the cases of one site, under the protocol's matching rule.
//!
//! Sensitivity is found over true lesions, precision hits over predicted lesions, F1 their
//! harmonic mean; false positives are given per scan; panoptic quality (Kirillov et al. 2019,
//! doi:10.1109/CVPR.2019.00963) is the sum of the IoU of matched pairs over
//! `TP + FP / 2 + FN / 2`, and exists where the rule pairs lesions one to one.
//!
//! Merge class S for counts, T for the ratios. Lesions of one patient are alike, so every
//! interval is by patient: the bias-corrected and accelerated bootstrap with the protocol's seed,
//! and for pooling the linearised variance of the ratio, summed by patient.
//!
//! Disclosure: a ratio leaves only where enough patients stand on both its sides (decision P5)
//! and no patient has more than half of the lesions behind it.
//!
//! From: `cases`.
//! To: report page "segmentation".

use schemars::JsonSchema;
use serde::{Deserialize, Serialize};

use super::analysis_set::dominance;
use super::estimate::{Estimate, EstimateKey, Found};
use super::masks::LesionCounts;
use super::metric::{Metric, Scale};
use super::resample::{interval, of_patients};
use super::segmentation::MaskSet;
use super::stage::{Basis, Exact, ExactCount, Stage, Undefined};
use crate::numeric::bootstrap::Bootstrap;
use crate::numeric::sum::sum_iter;
use crate::study::{BootstrapPlan, EndpointId, ModelId};

/// Lesions of one model's masks of one structure at one site.
#[derive_where::derive_where(Clone, Debug, PartialEq; S::Count, S::Real)]
#[derive(Serialize, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields)]
#[serde(bound(
    serialize = "S::Count: Serialize, S::Real: Serialize",
    deserialize = "S::Count: Deserialize<'de>, S::Real: Deserialize<'de>"
))]
#[schemars(bound = "S::Count: JsonSchema, S::Real: JsonSchema")]
pub struct Lesions<S: Stage> {
    /// The model.
    pub model: ModelId,
    /// The endpoint: the structure.
    pub endpoint: EndpointId,
    /// Scans.
    pub scans: S::Count,
    /// Lesions of the truth, and the patients who have any.
    pub truth: S::Count,
    /// Of these, found.
    pub found: S::Count,
    /// Of these, not found.
    pub not_found: S::Count,
    /// Lesions of the prediction that hit one of the truth.
    pub hits: S::Count,
    /// Lesions of the prediction that hit none.
    pub false_positives: S::Count,
    /// Found lesions by size of the lesion, one row per size bin of the protocol.
    pub sizes: Vec<LesionSize<S>>,
}

/// Lesions of one size bin.
#[derive_where::derive_where(Clone, Debug, PartialEq; S::Count, S::Real)]
#[derive(Serialize, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields)]
#[serde(bound(
    serialize = "S::Count: Serialize, S::Real: Serialize",
    deserialize = "S::Count: Deserialize<'de>, S::Real: Deserialize<'de>"
))]
#[schemars(bound = "S::Count: JsonSchema, S::Real: JsonSchema")]
pub struct LesionSize<S: Stage> {
    /// The bin, such as `5 to <50 ml`.
    pub level: String,
    /// Its lesions found.
    pub found: S::Count,
    /// Its lesions not found.
    pub not_found: S::Count,
}

/// The analysed cases with lesions counted: their place in the set, and the counts.
struct Scans<'a> {
    masks: &'a MaskSet<'a>,
    each: Vec<(usize, &'a LesionCounts)>,
}

impl<'a> Scans<'a> {
    fn of(masks: &'a MaskSet<'a>, model: usize) -> Option<Self> {
        masks.structure.lesions?;
        let each = (0..masks.set.len()).filter_map(|at| {
            let case = masks.case(model, at)?;
            Some((at, case.lesions.as_ref()?))
        });
        Some(Self {
            masks,
            each: each.collect(),
        })
    }

    /// Lesions that `of` counts, and the patients who have any of them.
    fn count(&self, of: impl Fn(&LesionCounts) -> u32) -> ExactCount {
        let lesions = self.each.iter().map(|(_, one)| u64::from(of(one))).sum();
        ExactCount::new(lesions, self.patients(|one| of(one) > 0))
    }

    fn patients(&self, holds: impl Fn(&LesionCounts) -> bool) -> u64 {
        let kept = self.each.iter().filter(|(_, one)| holds(one));
        let places: Vec<usize> = kept.map(|(at, _)| *at).collect();
        self.masks
            .set
            .patients(|at| places.binary_search(&at).is_ok())
    }

    fn scans(&self) -> ExactCount {
        let places: Vec<usize> = self.each.iter().map(|(at, _)| *at).collect();
        self.masks.set.count(|at| places.binary_search(&at).is_ok())
    }
}

/// Counts of the model with index `model`; `None` where the protocol plans none.
pub(crate) fn measure(masks: &MaskSet<'_>, model: usize) -> Option<Lesions<Exact>> {
    let id = masks.set.protocol.model.get(model)?.id.clone();
    let scans = Scans::of(masks, model)?;
    let labels = masks.structure.size_labels().into_iter().enumerate();
    let bin = |one: &LesionCounts, bin: usize| one.by_size.get(bin).copied().unwrap_or((0, 0));
    let sizes = labels.map(|(place, level)| LesionSize {
        level,
        found: scans.count(|one| bin(one, place).1),
        not_found: scans.count(|one| {
            let (truth, found) = bin(one, place);
            truth.saturating_sub(found)
        }),
    });
    Some(Lesions {
        model: id,
        endpoint: masks.set.endpoint.clone(),
        sizes: sizes.collect(),
        scans: scans.scans(),
        truth: scans.count(|one| one.truth),
        found: scans.count(|one| one.found),
        not_found: scans.count(|one| one.truth.saturating_sub(one.found)),
        hits: scans.count(|one| one.hits),
        false_positives: scans.count(|one| one.predicted.saturating_sub(one.hits)),
    })
}

/// Sums over scans: what every ratio is made of.
#[derive(Clone, Copy, Default)]
struct Sums {
    scans: f64,
    truth: f64,
    found: f64,
    predicted: f64,
    hits: f64,
    iou: f64,
}

impl Sums {
    fn of(one: &LesionCounts) -> Self {
        Self {
            scans: 1.0,
            truth: f64::from(one.truth),
            found: f64::from(one.found),
            predicted: f64::from(one.predicted),
            hits: f64::from(one.hits),
            iou: one.iou_sum.unwrap_or_default(),
        }
    }

    fn parts(self) -> [f64; 6] {
        [
            self.scans,
            self.truth,
            self.found,
            self.predicted,
            self.hits,
            self.iou,
        ]
    }

    fn plus(&mut self, other: Self, weight: f64) {
        self.scans += weight * other.scans;
        self.truth += weight * other.truth;
        self.found += weight * other.found;
        self.predicted += weight * other.predicted;
        self.hits += weight * other.hits;
        self.iou += weight * other.iou;
    }
}

/// The ratios, in the order of a release.
#[derive(Clone, Copy)]
enum Ratio {
    Sensitivity,
    Precision,
    F1,
    FalsePositives,
    PanopticQuality,
}

const RATIOS: [(Metric, Ratio); 5] = [
    (Metric::LesionSensitivity, Ratio::Sensitivity),
    (Metric::LesionPrecision, Ratio::Precision),
    (Metric::LesionF1, Ratio::F1),
    (Metric::FalsePositivesPerScan, Ratio::FalsePositives),
    (Metric::PanopticQuality, Ratio::PanopticQuality),
];

fn over(numerator: f64, denominator: f64) -> Option<f64> {
    (denominator > 0.0).then(|| numerator / denominator)
}

impl Ratio {
    fn value(self, s: Sums) -> Option<f64> {
        match self {
            Self::Sensitivity => over(s.found, s.truth),
            Self::Precision => over(s.hits, s.predicted),
            Self::F1 => {
                let (recall, precision) = (over(s.found, s.truth)?, over(s.hits, s.predicted)?);
                // Nothing found and nothing hit is no overlap at all.
                Some(over(2.0 * recall * precision, recall + precision).unwrap_or(0.0))
            }
            Self::FalsePositives => over(s.predicted - s.hits, s.scans),
            Self::PanopticQuality => over(s.iou, quality_base(s)),
        }
    }

    /// Derivatives in the parts of [`Sums`]; each ratio is homogeneous of degree 0, so that a
    /// patient's influence is the product with the patient's own sums.
    fn gradient(self, s: Sums) -> Option<[f64; 6]> {
        let mut slope = [0.0; 6];
        let [scans, truth, found, predicted, hits, iou] = [0, 1, 2, 3, 4, 5];
        match self {
            Self::Sensitivity => {
                slope[found] = over(1.0, s.truth)?;
                slope[truth] = -over(s.found, s.truth * s.truth)?;
            }
            Self::Precision => {
                slope[hits] = over(1.0, s.predicted)?;
                slope[predicted] = -over(s.hits, s.predicted * s.predicted)?;
            }
            Self::F1 => {
                let (recall, precision) = (over(s.found, s.truth)?, over(s.hits, s.predicted)?);
                let both = (recall + precision) * (recall + precision);
                let by_recall = over(2.0 * precision * precision, both)?;
                let by_precision = over(2.0 * recall * recall, both)?;
                slope[found] = by_recall / s.truth;
                slope[truth] = -by_recall * s.found / (s.truth * s.truth);
                slope[hits] = by_precision / s.predicted;
                slope[predicted] = -by_precision * s.hits / (s.predicted * s.predicted);
            }
            Self::FalsePositives => {
                slope[predicted] = over(1.0, s.scans)?;
                slope[hits] = -slope[predicted];
                slope[scans] = -over(s.predicted - s.hits, s.scans * s.scans)?;
            }
            Self::PanopticQuality => {
                let base = quality_base(s);
                let half = over(s.iou, base * base)? / 2.0;
                slope[iou] = over(1.0, base)?;
                slope[truth] = -half;
                slope[predicted] = -half;
                slope[found] = -half;
                slope[hits] = half;
            }
        }
        Some(slope)
    }

    /// What stands on the two sides of the ratio: a patient must be on either with others.
    fn sides(self, one: &LesionCounts) -> [bool; 2] {
        let missed = one.truth > one.found;
        let false_positive = one.predicted > one.hits;
        match self {
            Self::Sensitivity => [one.found > 0, missed],
            Self::Precision => [one.hits > 0, false_positive],
            Self::FalsePositives => [false_positive, !false_positive],
            Self::F1 | Self::PanopticQuality => [one.hits > 0, missed || false_positive],
        }
    }

    /// What the ratio sums, of which one patient may have at most half.
    fn weight(self, one: &LesionCounts) -> f64 {
        match self {
            Self::Sensitivity => f64::from(one.truth),
            Self::Precision => f64::from(one.predicted),
            Self::FalsePositives => f64::from(one.predicted.saturating_sub(one.hits)),
            Self::F1 | Self::PanopticQuality => f64::from(one.truth) + f64::from(one.predicted),
        }
    }
}

/// `TP + FP / 2 + FN / 2` of found lesions, hits and misses.
fn quality_base(s: Sums) -> f64 {
    s.found + (s.predicted - s.hits) / 2.0 + (s.truth - s.found) / 2.0
}

/// Every ratio of the model with index `model`.
pub(crate) fn estimates(masks: &MaskSet<'_>, model: usize) -> Vec<Estimate<Exact>> {
    let id = masks.set.protocol.model.get(model).map(|model| &model.id);
    let (Some(id), Some(scans)) = (id, Scans::of(masks, model)) else {
        return Vec::new();
    };
    let patients = by_patient(&scans);
    let mut total = Sums::default();
    for sums in &patients {
        total.plus(*sums, 1.0);
    }
    let paired = scans.each.iter().any(|(_, one)| one.iou_sum.is_some());
    let plan = masks.set.protocol.bootstrap;
    let resampled = resample(&patients, total, plan);
    let ratios = RATIOS.iter().zip(resampled);
    ratios
        .filter(|((_, ratio), _)| paired || !matches!(ratio, Ratio::PanopticQuality))
        .map(|((metric, ratio), bootstrap)| {
            let found = found(*metric, *ratio, &patients, total, (bootstrap, plan));
            let key = EstimateKey::whole(*metric, id.clone(), masks.set.endpoint.clone());
            let present = masks.set.count(|at| masks.set.outcome[at]).beside(0);
            Estimate::new(
                key,
                scans.scans(),
                present,
                found,
                basis(&scans, *ratio).and(masks.apart(model)),
            )
        })
        .collect()
}

fn basis(scans: &Scans<'_>, ratio: Ratio) -> Basis {
    let side = |which: usize| scans.patients(|one| ratio.sides(one)[which]);
    let patient = &scans.masks.set.patient;
    let weights = scans
        .each
        .iter()
        .map(|(at, one)| (patient[*at], ratio.weight(one)));
    Basis::of(side(0).min(side(1))).dominated(dominance(weights))
}

/// Sums of each patient with a scan, patients ascending.
fn by_patient(scans: &Scans<'_>) -> Vec<Sums> {
    let patient = &scans.masks.set.patient;
    let mut rows: Vec<(u32, Sums)> = scans
        .each
        .iter()
        .map(|(at, one)| (patient[*at], Sums::of(one)))
        .collect();
    rows.sort_by_key(|(owner, _)| *owner);
    let runs = rows.chunk_by(|a, b| a.0 == b.0);
    runs.map(|run| {
        let mut sums = Sums::default();
        run.iter().for_each(|(_, one)| sums.plus(*one, 1.0));
        sums
    })
    .collect()
}

fn resample(patients: &[Sums], total: Sums, plan: BootstrapPlan) -> [Option<Bootstrap>; 5] {
    let number = u32::try_from(patients.len()).unwrap_or(u32::MAX);
    let statistics = |weights: &[u32]| {
        let mut sums = Sums::default();
        for (one, weight) in patients.iter().zip(weights) {
            sums.plus(*one, f64::from(*weight));
        }
        RATIOS.map(|(_, ratio)| ratio.value(sums))
    };
    let values = RATIOS.map(|(_, ratio)| ratio.value(total));
    of_patients(number, &plan, values, statistics)
}

fn found(
    metric: Metric,
    ratio: Ratio,
    patients: &[Sums],
    total: Sums,
    (bootstrap, plan): (Option<Bootstrap>, BootstrapPlan),
) -> Found {
    let Some(value) = ratio.value(total) else {
        return Found::undefined(Undefined::NoCases);
    };
    let scale = metric.entry().scale;
    let variance = variance(scale, ratio, value, patients, total);
    match bootstrap {
        None => Found::normal(scale, Ok(value), variance),
        Some(bootstrap) => Found {
            value: Ok(value),
            variance,
            ..interval(&bootstrap, &plan)
        },
    }
}

/// The linearised variance on the metric's scale, summed by patient.
fn variance(
    scale: Scale,
    ratio: Ratio,
    value: f64,
    patients: &[Sums],
    total: Sums,
) -> Result<f64, Undefined> {
    let slope = ratio.gradient(total).ok_or(Undefined::Boundary)?;
    let stretch = match scale {
        Scale::Identity => 1.0,
        Scale::Logit => value * (1.0 - value),
        Scale::Log => value,
    };
    if stretch <= 0.0 {
        return Err(Undefined::Boundary);
    }
    let influence = patients.iter().map(|one| {
        let terms = slope.iter().zip(one.parts());
        sum_iter(terms.map(|(slope, part)| slope * part)) / stretch
    });
    let squares = sum_iter(influence.map(|one| one * one));
    #[allow(
        clippy::cast_precision_loss,
        reason = "counts of patients stay far below 2^53"
    )]
    let count = patients.len() as f64;
    if count < 2.0 {
        return Err(Undefined::NoVariance);
    }
    Some(count / (count - 1.0) * squares)
        .filter(|variance| variance.is_finite() && *variance > 0.0)
        .ok_or(Undefined::NoVariance)
}
