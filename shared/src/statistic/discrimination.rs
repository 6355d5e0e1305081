//! Discrimination beyond the AUC: the partial area in the protocol's range with McClish's
//! correction (1989, doi 10.1177/0272989X8900900307), the average precision, and the largest
//! Youden index on the protocol's grid with the edge where it lies.
//!
//! Merge class T. The partial area is pooled on the logit scale; the average precision depends
//! on the prevalence and is only described; the largest Youden index is a maximum, optimistic
//! by construction, and only described.
//!
//! Intervals come from the patient bootstrap with the protocol's seed, bias-corrected and
//! accelerated (Efron 1987, doi 10.1080/01621459.1987.10478410), the percentile interval where
//! that has no ends; above 5,000 patients they are normal on the logit scale.
//! The variance of pooling is linearised by patient. One class only, or a score without
//! overlap of the classes, is no value or no variance.
//!
//! Disclosure: a partial area speaks about the class whose range it covers only within that
//! range, so its smallest group is the range's share of that class; the largest Youden index
//! names a cut that the table may not show, so it leaves only public data.
//!
//! From: `cases`.
//! To: report page "discrimination".

use super::analysis_set::AnalysisSet;
use super::auc::Areas;
use super::estimate::{Estimate, EstimateKey, Found};
use super::histogram::bin_of;
use super::metric::{Metric, Scale};
use super::resample::{interval, of_patients};
use super::stage::{Basis, Exact, Undefined};
use crate::numeric::bootstrap::Bootstrap;
use crate::numeric::dominance::{Contributions, Dominance};
use crate::numeric::influence::{self, Influence};
use crate::numeric::rank::Ascending;
use crate::numeric::ranked::Ranked;
use crate::numeric::roc::{self, Focus, Step};
use crate::numeric::sum::sum_iter;
use crate::study::{BootstrapPlan, PartialRange, SamplingDesign};

/// Partial area (if the protocol has a range), average precision, largest Youden index and
/// where it lies, for the model with index `model`.
pub(crate) fn measure(
    set: &AnalysisSet<'_>,
    areas: &Areas,
    model: usize,
) -> Option<Vec<Estimate<Exact>>> {
    let id = set.protocol.model.get(model)?.id.clone();
    let score = set.score.get(model)?;
    let order = set.ascending(model)?;
    let ranked = Ranked::in_order(order, &set.outcome, score, &set.patient).ok()?;
    let basis = areas.basis(set, model)?.and(areas.beside(model));
    let one = Curve {
        set,
        steps: ranked.steps(&ranked.once()),
        ranked,
        plan: set.protocol.bootstrap,
        range: set.protocol.partial_auc,
    };
    let key = |metric| EstimateKey::whole(metric, id.clone(), set.endpoint.clone());
    let whole = |metric, (found, own): (Found, Basis)| {
        Estimate::whole(set, key(metric), found, own.and(basis))
    };
    let [precision, partial] = one.areas();
    let mut estimates = Vec::new();
    estimates.extend(partial.map(|found| whole(Metric::PartialAuc, found)));
    estimates.extend(precision.map(|found| whole(Metric::AveragePrecision, found)));
    let [maximum, edge] = one.youden(order, score)?;
    estimates.push(whole(Metric::YoudenMaximum, (maximum, basis)));
    estimates.push(whole(Metric::YoudenThreshold, (edge, basis)));
    Some(estimates)
}

struct Curve<'a> {
    set: &'a AnalysisSet<'a>,
    ranked: Ranked,
    steps: Vec<Step>,
    plan: BootstrapPlan,
    range: Option<PartialRange>,
}

impl Curve<'_> {
    fn partial(&self, steps: &[Step]) -> Option<f64> {
        let range = self.range?;
        let (lowest, highest) = (range.lowest, range.highest);
        roc::partial_area(steps, range.over.focus(), lowest, highest).map(|area| area.corrected)
    }

    /// Average precision and partial area, each with the people behind it.
    fn areas(&self) -> [Option<(Found, Basis)>; 2] {
        let statistics = |weights: &[u32]| {
            let steps = self.ranked.steps(weights);
            [roc::average_precision(&steps), self.partial(&steps)]
        };
        let values = [
            roc::average_precision(&self.steps),
            self.partial(&self.steps),
        ];
        let [precision, partial] =
            of_patients(self.ranked.patients(), &self.plan, values, statistics);
        let forbidden = self.set.protocol.sampling.design == SamplingDesign::OutcomeDependent;
        let precision = if forbidden {
            let found = Found::undefined(Undefined::DesignForbids);
            (found, Basis::of(u64::MAX))
        } else {
            let influence = influence::average_precision(&self.steps);
            self.found(values[0], influence.as_deref(), 1.0, precision)
        };
        let partial = self.range.map(|range| {
            let (lowest, highest) = (range.lowest, range.highest);
            let focus = range.over.focus();
            let influence = influence::partial_area(&self.steps, focus, lowest, highest);
            // The corrected area is the plain one, stretched: `max - min` of McClish.
            let (near, far) = (1.0 - highest, 1.0 - lowest);
            let stretch = 0.5 / (highest - lowest - (far * far - near * near) / 2.0);
            let (found, basis) = self.found(values[1], influence.as_deref(), stretch, partial);
            (found, basis.and(self.strip(focus, highest - lowest)))
        });
        [Some(precision), partial]
    }

    /// The share of a class that a partial area speaks about.
    fn strip(&self, focus: Focus, width: f64) -> Basis {
        let event = focus == Focus::Sensitivity;
        let patients = self.set.patients(|row| self.set.outcome[row] == event);
        #[allow(
            clippy::cast_precision_loss,
            clippy::cast_possible_truncation,
            clippy::cast_sign_loss,
            reason = "a share of a count of patients, below 2^53"
        )]
        let inside = (patients as f64 * width) as u64;
        Basis::of(inside)
    }

    /// Value, linearised variance on the logit scale, and interval; with the largest share of
    /// one patient in the influences.
    fn found(
        &self,
        value: Option<f64>,
        influence: Option<&[Influence]>,
        stretch: f64,
        resamples: Option<Bootstrap>,
    ) -> (Found, Basis) {
        let (Some(value), Some(influence)) = (value, influence) else {
            return (Found::undefined(Undefined::OneClass), Basis::of(u64::MAX));
        };
        let sums = self.ranked.by_patient(influence);
        let (variance, share) = spread(&sums);
        let slope = stretch / (value * (1.0 - value));
        let variance = if value <= 0.0 || value >= 1.0 {
            Err(Undefined::Boundary)
        } else {
            Some(variance * slope * slope)
                .filter(|variance| variance.is_finite() && *variance > 0.0)
                .ok_or(Undefined::NoVariance)
        };
        let found = match resamples {
            None => Found::normal(Scale::Logit, Ok(value), variance),
            Some(bootstrap) => Found {
                value: Ok(value),
                variance,
                ..interval(&bootstrap, &self.plan)
            },
        };
        (found, Basis::of(u64::MAX).dominated(share))
    }

    /// The largest Youden index over the grid's edges, and the edge.
    fn youden(&self, order: &Ascending, score: &[f64]) -> Option<[Found; 2]> {
        let edges = &self.set.protocol.histogram.edges;
        let bins: Vec<f64> = score
            .iter()
            .map(|score| u32::try_from(bin_of(edges, *score)).map(f64::from))
            .collect::<Result<_, _>>()
            .ok()?;
        let (outcome, patient) = (&self.set.outcome, &self.set.patient);
        let ranked = Ranked::in_order(order, outcome, &bins, patient).ok()?;
        let Some(best) = roc::youden(&ranked.steps(&ranked.once())) else {
            let none = || Found::undefined(Undefined::OneClass);
            return Some([none(), none()]);
        };
        let index = |weights: &[u32]| {
            let steps = ranked.steps(weights);
            [roc::youden(&steps).map(|best| best.index)]
        };
        let [resamples] = of_patients(ranked.patients(), &self.plan, [Some(best.index)], index);
        let maximum = match resamples {
            None => Found::bare(Ok(best.index), Undefined::NoVariance),
            Some(bootstrap) => Found {
                value: Ok(best.index),
                variance: Err(Undefined::NoVariance),
                ..interval(&bootstrap, &self.plan)
            },
        };
        // Bin `j` starts at edge `j - 1`; nobody is positive above the last step.
        let edge = ranked.scores().get(best.step).map_or(1.0, |bin| {
            let below = edges.iter().zip(1_u32..);
            let mut starts = below.filter(|(_, number)| f64::from(*number) == *bin);
            starts.next().map_or(0.0, |(edge, _)| *edge)
        });
        Some([maximum, Found::bare(Ok(edge), Undefined::NoVariance)])
    }
}

/// The variance `m / (m - 1) sum t^2` of patient sums, and the largest shares of patients in the
/// sum of their absolute values.
fn spread(sums: &[f64]) -> (f64, Dominance) {
    let mut each = Contributions::default();
    sums.iter().for_each(|sum| each.add(*sum));
    let share = each.dominance();
    let Some(patients) = u32::try_from(sums.len()).ok().filter(|count| *count > 1) else {
        return (0.0, share);
    };
    let patients = f64::from(patients);
    let squares = sum_iter(sums.iter().map(|sum| sum * sum));
    (patients / (patients - 1.0) * squares, share)
}
