//! Detection: candidates with scores against the lesions of one structure, over the scans of one
//! site, counted on the protocol's grid of scores.
//!
//! The free-response curve (FROC) is the sensitivity over lesions against the false positives per
//! scan; the CPM is its mean at seven points (LUNA16: Setio et al. 2017,
//! doi:10.1016/j.media.2017.06.015); the average precision is that of all candidates of all scans
//! ranked together. How candidates hit, what a second hit is and how a curve is read between two
//! scores are fields of the protocol.
//!
//! Merge class H for counts: on one grid they add, and the curve of the sums is that of all scans
//! at the grid's scores. Class T for estimates. Lesions of one patient are alike, so intervals are
//! by patient: the bias-corrected and accelerated bootstrap with the protocol's seed, whose
//! standard error is the variance for pooling; above the bootstrap's limit of patients the
//! jackknife gives it, and the interval is normal on the logit scale.
//!
//! Disclosure: one patient may have most of the lesions, so no count leaves a site that protects.
//! The sensitivities leave all together or not at all: enough patients have a found and enough a
//! missed lesion at each point, and enough or none change between two points, so that no
//! difference of two speaks about few (decision D3). Their mean needs the first of these, the
//! average precision needs it at the lowest score.
//!
//! From: `cases`.
//! To: report page "segmentation".

use schemars::JsonSchema;
use serde::{Deserialize, Serialize};

use super::analysis_set::dominance;
use super::estimate::{Estimate, EstimateKey, Found};
use super::masks::CandidateCounts;
use super::metric::{Metric, Scale};
use super::resample::{interval, of_patients, spread_without_bootstrap};
use super::segmentation::MaskSet;
use super::stage::{Basis, Exact, ExactCount, Stage, Undefined};
use crate::numeric::dominance::Dominance;
use crate::numeric::froc::{Curve, Patients, Reading};
use crate::study::{BootstrapPlan, CandidatePlan, EndpointId, FROC_POINTS_MAX, ModelId, ModelRole};

/// Candidates of one model against the lesions of one structure at one site.
#[derive_where::derive_where(Clone, Debug, PartialEq; S::Count, S::Real)]
#[derive(Serialize, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields)]
#[serde(bound(
    serialize = "S::Count: Serialize, S::Real: Serialize",
    deserialize = "S::Count: Deserialize<'de>, S::Real: Deserialize<'de>"
))]
#[schemars(bound = "S::Count: JsonSchema, S::Real: JsonSchema")]
pub struct Detection<S: Stage> {
    /// The model.
    pub model: ModelId,
    /// The endpoint: the structure.
    pub endpoint: EndpointId,
    /// Scans.
    pub scans: S::Count,
    /// Lesions of the truth that count.
    pub lesions: S::Count,
    /// What is called at each score of the protocol's grid, rising.
    pub called: Vec<CalledAt<S>>,
}

/// What candidates with at least a score find.
#[derive_where::derive_where(Clone, Debug, PartialEq; S::Count, S::Real)]
#[derive(Serialize, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields)]
#[serde(bound(
    serialize = "S::Count: Serialize, S::Real: Serialize",
    deserialize = "S::Count: Deserialize<'de>, S::Real: Deserialize<'de>"
))]
#[schemars(bound = "S::Count: JsonSchema, S::Real: JsonSchema")]
pub struct CalledAt<S: Stage> {
    /// The score.
    pub score: f64,
    /// Lesions detected.
    pub detected: S::Count,
    /// False candidates.
    pub false_positives: S::Count,
}

/// Estimates of one model: the points, their mean, the average precision.
const ESTIMATES: usize = FROC_POINTS_MAX + 2;

/// Counts and estimates of the model with index `model`; `None` where the protocol plans none.
pub(crate) fn measure(
    masks: &MaskSet<'_>,
    model: usize,
) -> Option<(Detection<Exact>, Vec<Estimate<Exact>>)> {
    let plan = masks.structure.candidates.as_ref()?;
    let declared = masks.set.protocol.model.get(model)?;
    declared.candidate_field()?;
    let scans = Scans::of(masks, model);
    let counts = Detection {
        model: declared.id.clone(),
        endpoint: masks.set.endpoint.clone(),
        scans: scans.count(|_| 1),
        lesions: scans.count(|one| one.lesions),
        called: plan
            .score_edges
            .iter()
            .enumerate()
            .map(|(at, score)| CalledAt {
                score: *score,
                detected: scans.count(|one| detected(one, Some(at))),
                false_positives: scans.count(|one| wrong(one, at)),
            })
            .collect(),
    };
    Some((counts, estimates(masks, model, plan, &scans)))
}

/// Lesions detected at a place of the grid; none where nothing is called.
fn detected(one: &CandidateCounts, at: Option<usize>) -> u32 {
    let called = at.and_then(|at| one.at.get(at));
    called.map_or(0, |(detected, _)| *detected)
}

fn wrong(one: &CandidateCounts, at: usize) -> u32 {
    one.at.get(at).map_or(0, |(_, wrong)| *wrong)
}

/// The analysed scans with candidates counted, each with its patient.
struct Scans<'a> {
    each: Vec<(u32, &'a CandidateCounts)>,
}

impl<'a> Scans<'a> {
    fn of(masks: &MaskSet<'a>, model: usize) -> Self {
        let each = (0..masks.set.len()).filter_map(|at| {
            let counts = masks.case(model, at)?.candidates.as_ref()?;
            Some((masks.set.patient[at], counts))
        });
        let mut each: Vec<_> = each.collect();
        each.sort_by_key(|(patient, _)| *patient);
        Self { each }
    }

    /// Distinct patients with a scan for which `holds`.
    fn patients(&self, holds: impl Fn(&CandidateCounts) -> bool) -> u64 {
        let runs = self.each.chunk_by(|a, b| a.0 == b.0);
        runs.filter(|run| run.iter().any(|(_, one)| holds(one)))
            .count() as u64
    }

    /// What `of` counts, and the patients who have any of it.
    fn count(&self, of: impl Fn(&CandidateCounts) -> u32) -> ExactCount {
        let all = self.each.iter().map(|(_, one)| u64::from(of(one))).sum();
        ExactCount::new(all, self.patients(|one| of(one) > 0))
    }

    /// Largest shares of patients in what `of` counts; none where there is nothing.
    fn dominance(&self, of: impl Fn(&CandidateCounts) -> u32) -> Dominance {
        if self.each.iter().all(|(_, one)| of(one) == 0) {
            return Dominance::NONE;
        }
        let each = self.each.iter();
        dominance(each.map(|(patient, one)| (*patient, f64::from(of(one)))))
    }

    /// Patients whose detected lesions differ between two places of the grid; everybody where
    /// nobody's do, since the two then say the same.
    fn changed(&self, one: Option<usize>, two: Option<usize>) -> u64 {
        match self.patients(|scan| detected(scan, one) != detected(scan, two)) {
            0 => u64::MAX,
            changed => changed,
        }
    }

    /// The counts of each patient's scans together.
    fn by_patient(&self, thresholds: usize) -> Patients {
        let mut patients = Patients::new(thresholds);
        for run in self.each.chunk_by(|a, b| a.0 == b.0) {
            let mut lesions = 0_u32;
            let mut rising = vec![(0_u32, 0_u32); thresholds];
            for (_, one) in run {
                lesions = lesions.saturating_add(one.lesions);
                for (sum, (hit, wrong)) in rising.iter_mut().zip(&one.at) {
                    sum.0 = sum.0.saturating_add(*hit);
                    sum.1 = sum.1.saturating_add(*wrong);
                }
            }
            let scans = u32::try_from(run.len()).unwrap_or(u32::MAX);
            // The grid is the one that the patients are counted on.
            let _ = patients.add(scans, lesions, &rising);
        }
        patients
    }
}

/// The sensitivity at each point, their mean, and the average precision.
fn read(curve: &Curve, plan: &CandidatePlan) -> [Option<f64>; ESTIMATES] {
    let reading = plan.between.reading();
    let points = &plan.false_positives_per_scan;
    let mut values = [None; ESTIMATES];
    for (value, point) in values.iter_mut().zip(points).take(FROC_POINTS_MAX) {
        *value = curve.sensitivity_at(*point, reading);
    }
    values[FROC_POINTS_MAX] = curve.mean_sensitivity(points, reading);
    let average = plan.average_precision.average();
    values[FROC_POINTS_MAX + 1] = Some(curve.average_precision(average));
    values
}

fn estimates(
    masks: &MaskSet<'_>,
    model: usize,
    plan: &CandidatePlan,
    scans: &Scans<'_>,
) -> Vec<Estimate<Exact>> {
    let Some(id) = masks.set.protocol.model.get(model).map(|model| &model.id) else {
        return Vec::new();
    };
    let patients = scans.by_patient(plan.score_edges.len());
    let whole = patients.whole();
    let values = whole
        .as_ref()
        .map_or([None; ESTIMATES], |curve| read(curve, plan));
    let mut found = with_spread(&patients, values, plan, masks.set.protocol.bootstrap).into_iter();
    let apart = apart(masks, model);
    let places = whole.as_ref().map(|curve| places(curve, plan));
    let each = places
        .as_ref()
        .map_or(Basis::of(0), |places| point_basis(scans, places).and(apart));
    let all_points = places
        .as_ref()
        .map_or(each, |places| each.and(between_points(scans, places)));
    let present = || masks.set.count(|at| masks.set.outcome[at]).beside(0);
    let estimate = |metric, point: Option<f64>, found, basis| {
        let key = EstimateKey::whole(metric, id.clone(), masks.set.endpoint.clone());
        let key = match point {
            Some(point) => key.at_false_positives(point),
            None => key,
        };
        Estimate::new(key, scans.count(|_| 1), present(), found, basis)
    };
    let mut all = Vec::new();
    let points = plan.false_positives_per_scan.iter().map(Some);
    let padded = points.chain(std::iter::repeat(None)).take(FROC_POINTS_MAX);
    for (point, found) in padded.zip(found.by_ref()) {
        let Some(point) = point else { continue };
        let metric = Metric::FrocSensitivity;
        all.push(estimate(metric, Some(*point), found, all_points));
    }
    let of_curve = [
        (Metric::Cpm, each.and(curve_basis(scans))),
        (
            Metric::DetectionAveragePrecision,
            curve_basis(scans).and(apart),
        ),
    ];
    for ((metric, basis), found) in of_curve.into_iter().zip(found) {
        all.push(estimate(metric, None, found, basis));
    }
    all
}

/// Values with their intervals, and their variances on the logit scale.
fn with_spread(
    patients: &Patients,
    values: [Option<f64>; ESTIMATES],
    plan: &CandidatePlan,
    bootstrap: BootstrapPlan,
) -> [Found; ESTIMATES] {
    let number = patients.patients();
    let statistics = |weights: &[u32]| {
        let curve = patients.curve(weights);
        curve.map_or([None; ESTIMATES], |curve| read(&curve, plan))
    };
    let mut resampled = of_patients(number, &bootstrap, values, statistics).into_iter();
    let without = if resampled.as_slice().iter().any(Option::is_none) {
        spread_without_bootstrap(number, statistics)
    } else {
        [None; ESTIMATES]
    };
    let mut without = without.into_iter();
    values.map(|value| {
        let (resampled, jackknife) = (resampled.next().flatten(), without.next().flatten());
        let Some(value) = value else {
            return Found::undefined(Undefined::NoCases);
        };
        let error = resampled.map_or(jackknife, |one| one.standard_error);
        let variance = on_logit(value, error);
        match resampled {
            None => Found::normal(Scale::Logit, Ok(value), variance),
            Some(resampled) => Found {
                value: Ok(value),
                variance,
                ..interval(&resampled, &bootstrap)
            },
        }
    })
}

/// The square of a standard error, on the logit scale.
fn on_logit(value: f64, error: Option<f64>) -> Result<f64, Undefined> {
    let stretch = value * (1.0 - value);
    if stretch <= 0.0 {
        return Err(Undefined::Boundary);
    }
    let error = error.ok_or(Undefined::NoVariance)? / stretch;
    Some(error * error)
        .filter(|variance| variance.is_finite() && *variance > 0.0)
        .ok_or(Undefined::NoVariance)
}

/// The places of the grid between which the curve is read at each point, the fewer false positives
/// first.
fn places(curve: &Curve, plan: &CandidatePlan) -> Vec<[Option<usize>; 2]> {
    let points = plan.false_positives_per_scan.iter();
    let between = points.map(|point| {
        let (above, below) = curve.around(*point);
        match plan.between.reading() {
            Reading::Linear => [above, below.or(above)],
            Reading::Step => [above, above],
        }
    });
    between.collect()
}

/// The people behind each sensitivity alone: enough with a found and enough with a missed lesion.
/// The mean rests on it too, since points may be one, or lie so close that their mean is one.
fn point_basis(scans: &Scans<'_>, places: &[[Option<usize>; 2]]) -> Basis {
    let lesions = Basis::of(u64::MAX).dominated(scans.dominance(|one| one.lesions));
    places.iter().fold(lesions, |basis, [few, many]| {
        let found = scans.patients(|one| detected(one, few.or(*many)) > 0);
        let missed = scans.patients(|one| detected(one, *many) < one.lesions);
        let alarms = many.map_or(Dominance::NONE, |at| scans.dominance(|one| wrong(one, at)));
        basis.and(Basis::of(found.min(missed)).dominated(alarms))
    })
}

/// The people behind the differences of the sensitivities.
fn between_points(scans: &Scans<'_>, places: &[[Option<usize>; 2]]) -> Basis {
    let changed = places.windows(2).map(|pair| {
        let [[few_before, many_before], [few, many]] = [pair[0], pair[1]];
        let both = scans
            .changed(few_before, few)
            .min(scans.changed(many_before, many));
        if few_before == few {
            both.min(scans.changed(few, many))
        } else {
            both
        }
    });
    Basis::of(changed.min().unwrap_or(u64::MAX))
}

/// The people behind what sums over the whole curve, down to the lowest score of the grid, which
/// may be the only one.
fn curve_basis(scans: &Scans<'_>) -> Basis {
    let with_alarms = scans.patients(|one| wrong(one, 0) > 0);
    let alarms = scans.dominance(|one| wrong(one, 0));
    let lowest = point_basis(scans, &[[Some(0), Some(0)]]);
    lowest.and(Basis::of(with_alarms).dominated(alarms))
}

/// Patients at whom a comparator's candidates count otherwise than those of the model under
/// validation (decision P3). Nobody for the model itself.
fn apart(masks: &MaskSet<'_>, model: usize) -> Basis {
    let mut models = masks.set.protocol.model.iter();
    let index = models.position(|one| one.role == ModelRole::Index);
    let Some(index) = index.filter(|index| *index != model) else {
        return Basis::of(u64::MAX);
    };
    let counts = |model: usize, at: usize| masks.case(model, at)?.candidates.as_ref();
    let changed = masks
        .set
        .patients(|at| counts(index, at) != counts(model, at));
    Basis::of(if changed > 0 { changed } else { u64::MAX })
}
