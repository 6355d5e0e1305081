//! Means over the cases of one structure: the headline, those over cases where both masks have
//! it, by size, by level, gaps to the rest of the site, and differences of two models.
//!
//! From: `cases`, by way of [`MaskSet`].
//! To: `estimate`.

use super::MaskSet;
use crate::numeric::dominance::Dominance;
use crate::numeric::sum::sum;
use crate::statistic::analysis_set::{AnalysisSet, LEVEL, clustered_variance, dominance};
use crate::statistic::estimate::{Estimate, EstimateKey, Found, IntervalMethod};
use crate::statistic::masks::{MaskCase, Pair, Presence};
use crate::statistic::metric::{Metric, Scale};
use crate::statistic::stage::{Basis, Exact, ExactCount, Undefined};
use crate::study::validate::SIZE_AXIS;
use crate::study::{AxisId, BothEmpty, ModelId, ModelRole, ProportionInterval};

/// Every mean of the model with index `model`.
pub(crate) fn estimates(masks: &MaskSet<'_>, model: usize) -> Vec<Estimate<Exact>> {
    let Some(teller) = Teller::of(masks, model) else {
        return Vec::new();
    };
    let mut found = teller.over_all();
    found.extend(teller.with_cap());
    found.extend(teller.shares());
    found.extend(teller.by_size());
    found.extend(teller.by_level());
    found
}

impl<'a> MaskSet<'a> {
    /// The analysed cases for which `value` is something, with it.
    fn column(&self, model: usize, value: impl Fn(&MaskCase) -> Option<f64>) -> Column<'_> {
        let each = (0..self.set.len()).filter_map(|at| {
            let value = value(self.case(model, at)?)?;
            Some((at, value))
        });
        let (place, value) = each.unzip();
        Column {
            set: self.set,
            place,
            value,
        }
    }

    /// What a case counts in a mean of overlaps that punishes misses and false alarms.
    fn headline(&self, case: &MaskCase, overlap: impl Fn(&Pair) -> f64) -> Option<f64> {
        match (case.presence(), &case.pair) {
            (Presence::Both, pair) => pair.as_ref().map(overlap),
            (Presence::Missed | Presence::FalseAlarm, _) => Some(0.0),
            (Presence::Neither, _) => match self.plan.both_empty {
                BothEmpty::Skip => None,
                BothEmpty::One => Some(1.0),
                BothEmpty::Zero => Some(0.0),
            },
        }
    }

    /// Patients at whom a comparator's masks differ from those of the model under validation: two
    /// models that differ at few patients would tell of these (decision P3). Nobody for the
    /// model itself.
    pub(crate) fn apart(&self, model: usize) -> Basis {
        let models = self.set.protocol.model.iter();
        let index = models.clone().position(|one| one.role == ModelRole::Index);
        let Some(index) = index.filter(|index| *index != model) else {
            return Basis::of(u64::MAX);
        };
        let seen = |model: usize, at: usize| {
            let case = self.case(model, at)?;
            Some((case.prediction_ml, case.pair.as_ref().map(|pair| pair.dice)))
        };
        let changed = self.set.patients(|at| seen(index, at) != seen(model, at));
        Basis::of(if changed > 0 { changed } else { u64::MAX })
    }

    /// Patients whose cases count in the headline without both masks having the structure.
    fn punished(&self, model: usize) -> u64 {
        self.set.patients(|at| {
            let case = self.case(model, at);
            case.is_some_and(|case| {
                case.pair.is_none() && self.headline(case, |pair| pair.dice).is_some()
            })
        })
    }
}

/// Values of some of the analysed cases.
pub(super) struct Column<'a> {
    set: &'a AnalysisSet<'a>,
    /// Analysed cases, ascending.
    place: Vec<usize>,
    /// Their values.
    value: Vec<f64>,
}

impl Column<'_> {
    fn patient(&self) -> Vec<u32> {
        self.place.iter().map(|at| self.set.patient[*at]).collect()
    }

    /// Cases behind the mean, and how many patients of the analysis set it leaves out.
    fn n(&self) -> ExactCount {
        self.n_of(|_| true)
    }

    /// The same, of the cases for which `within` holds.
    fn n_of(&self, within: impl Fn(usize) -> bool) -> ExactCount {
        let inside = self.counted();
        let left = |at: usize| within(at) && self.place.binary_search(&at).is_err();
        match self.set.patients(left) {
            0 => inside,
            left => inside.beside(left),
        }
    }

    fn counted(&self) -> ExactCount {
        self.set.count(|at| self.place.binary_search(&at).is_ok())
    }

    /// The same at the cases for which `holds`.
    fn only(&self, holds: impl Fn(usize) -> bool) -> Self {
        let each = self.place.iter().zip(&self.value);
        let kept = each.filter(|(at, _)| holds(**at));
        let (place, value) = kept.map(|(at, value)| (*at, *value)).unzip();
        Self {
            set: self.set,
            place,
            value,
        }
    }

    /// Distinct patients with a value that `holds`.
    fn patients_where(&self, holds: impl Fn(f64) -> bool) -> u64 {
        let each = self.place.iter().zip(&self.value);
        let kept: Vec<usize> = each
            .filter(|(_, value)| holds(**value))
            .map(|(at, _)| *at)
            .collect();
        self.set.patients(|at| kept.binary_search(&at).is_ok())
    }

    /// The difference of two means over different cases, whose patients may be the same.
    fn minus(&self, rest: &Self) -> (Found, Basis) {
        if rest.value.is_empty() {
            return (Found::undefined(Undefined::NoRest), Basis::of(0));
        }
        let (own_mean, own) = mean_and_influence(&self.value);
        let (rest_mean, other) = mean_and_influence(&rest.value);
        let mut patient = self.patient();
        patient.extend(rest.patient());
        let influence: Vec<f64> = own
            .into_iter()
            .chain(other.iter().map(|one| -one))
            .collect();
        let variance = clustered_variance(&influence, &patient)
            .filter(|variance| *variance > 0.0)
            .ok_or(Undefined::NoVariance);
        let smallest = self.counted().patients.min(rest.counted().patients);
        let share = self.share().and(rest.share());
        let found = Found::normal(Scale::Identity, Ok(own_mean - rest_mean), variance);
        (found, Basis::of(smallest).dominated(share))
    }

    /// The largest shares of patients in the sum; a sum of zeros is nobody's.
    fn share(&self) -> Dominance {
        if self.value.iter().all(|value| *value == 0.0) {
            return Dominance::NONE;
        }
        let patient = self.patient();
        dominance(patient.iter().copied().zip(self.value.iter().copied()))
    }

    /// A share of cases: the logit interval and variance summed by patient, Wilson's interval
    /// where every case has a patient of its own.
    fn share_of_cases(&self) -> Found {
        let hits = self.value.iter().filter(|value| **value == 1.0).count() as u64;
        let n = self.value.len() as u64;
        if n == 0 {
            return Found::undefined(Undefined::NoCases);
        }
        let (mean, influence) = mean_and_influence(&self.value);
        let spread = clustered_variance(&influence, &self.patient());
        let slope = mean * (1.0 - mean);
        let variance = match spread {
            _ if slope <= 0.0 => Err(Undefined::Boundary),
            Some(spread) if spread > 0.0 => Ok(spread / (slope * slope)),
            Some(_) | None => Err(Undefined::NoVariance),
        };
        let found = Found::normal(Scale::Logit, Ok(mean), variance);
        if self.set.clustered() {
            return found;
        }
        let wilson = ProportionInterval::Wilson.of(hits, n, LEVEL);
        Found {
            interval: wilson.ok_or(Undefined::NotFinite),
            method: IntervalMethod::Wilson,
            ..found
        }
    }

    /// Mean, its standard error summed by patient, and the normal interval.
    fn mean(&self, scale: Scale) -> (Found, Basis) {
        if self.value.is_empty() {
            return (Found::undefined(Undefined::NoCases), Basis::of(0));
        }
        let patient = self.patient();
        let (mean, influence) = mean_and_influence(&self.value);
        let variance = clustered_variance(&influence, &patient)
            .filter(|variance| *variance > 0.0)
            .ok_or(Undefined::NoVariance);
        let basis = Basis::of(self.counted().patients).dominated(self.share());
        (Found::normal(scale, Ok(mean), variance), basis)
    }
}

/// The mean, and what each value adds to it.
fn mean_and_influence(values: &[f64]) -> (f64, Vec<f64>) {
    #[allow(
        clippy::cast_precision_loss,
        reason = "counts of cases stay far below 2^53"
    )]
    let n = values.len() as f64;
    let mean = sum(values) / n;
    let influence = values.iter().map(|value| (value - mean) / n).collect();
    (mean, influence)
}

/// The means of one model's masks of one structure.
struct Teller<'a> {
    masks: &'a MaskSet<'a>,
    place: usize,
    model: &'a ModelId,
    /// Cases whose truth has the structure.
    present: ExactCount,
    /// Patients in the headline mean who are in no mean over pairs.
    punished: u64,
    /// What tells the model from the one under validation.
    apart: Basis,
}

/// A metric over pairs, and how it is read.
type PairMetric = (Metric, fn(&Pair) -> f64);

/// Metrics over the cases where both have the structure, without a headline of their own.
const PAIRED: [PairMetric; 8] = [
    (Metric::IouPresent, |pair| pair.iou),
    (Metric::VolumeSimilarity, |pair| pair.volume_similarity),
    (Metric::RelativeVolumeError, |pair| {
        pair.relative_volume_error
    }),
    (Metric::Hd, |pair| pair.hd_mm),
    (Metric::Hd95, |pair| pair.hd95_mm),
    (Metric::Assd, |pair| pair.assd_mm),
    (Metric::Masd, |pair| pair.masd_mm),
    (Metric::CentreDistance, |pair| pair.centre_mm),
];

/// Distances with a length in place of a miss or a false alarm.
const CAPPED: [PairMetric; 2] = [
    (Metric::Hd95Capped, |pair| pair.hd95_mm),
    (Metric::AssdCapped, |pair| pair.assd_mm),
];

impl<'a> Teller<'a> {
    fn of(masks: &'a MaskSet<'a>, place: usize) -> Option<Self> {
        let model = &masks.set.protocol.model.get(place)?.id;
        Some(Self {
            masks,
            place,
            model,
            present: masks.set.count(|at| masks.set.outcome[at]),
            punished: masks.punished(place),
            apart: masks.apart(place),
        })
    }

    fn key(&self, metric: Metric) -> EstimateKey {
        EstimateKey::whole(metric, self.model.clone(), self.masks.set.endpoint.clone())
    }

    /// How many cases have the structure follows from the four counts, which have rules of their
    /// own: it leaves with them, not with a mean.
    fn estimate(
        &self,
        key: EstimateKey,
        n: ExactCount,
        (found, basis): (Found, Basis),
    ) -> Estimate<Exact> {
        let present = ExactCount::new(self.present.rows, self.present.patients).beside(0);
        Estimate::new(key, n, present, found, basis.and(self.apart))
    }

    fn mean(&self, key: EstimateKey, column: &Column<'_>) -> Estimate<Exact> {
        let scale = key.metric.entry().scale;
        self.estimate(key, column.n(), column.mean(scale))
    }

    /// One of two means of which one counts the punished cases and the other does not: together
    /// they would tell of these, so they must be nobody or enough patients.
    fn beside(&self, key: EstimateKey, column: &Column<'_>) -> Estimate<Exact> {
        let (found, basis) = column.mean(key.metric.entry().scale);
        let basis = if self.punished > 0 {
            basis.and(Basis::of(self.punished))
        } else {
            basis
        };
        self.estimate(key, column.n(), (found, basis))
    }

    fn pairs(&self, of: impl Fn(&Pair) -> f64) -> Column<'a> {
        self.masks
            .column(self.place, |case| case.pair.as_ref().map(&of))
    }

    fn headline(&self, of: impl Fn(&Pair) -> f64) -> Column<'a> {
        self.masks
            .column(self.place, |case| self.masks.headline(case, &of))
    }

    fn over_all(&self) -> Vec<Estimate<Exact>> {
        let dice = |pair: &Pair| pair.dice;
        let mut found = vec![
            self.mean(self.key(Metric::Dice), &self.headline(dice)),
            self.beside(self.key(Metric::DicePresent), &self.pairs(dice)),
        ];
        for (metric, of) in PAIRED {
            found.push(self.mean(self.key(metric), &self.pairs(of)));
        }
        for (index, tolerance) in self.masks.plan.tolerance_mm.iter().enumerate() {
            let nsd = |pair: &Pair| pair.nsd.get(index).copied().unwrap_or(f64::NAN);
            let key = |metric| self.key(metric).within_tolerance(*tolerance);
            found.push(self.mean(key(Metric::Nsd), &self.headline(nsd)));
            found.push(self.beside(key(Metric::NsdPresent), &self.pairs(nsd)));
        }
        found
    }

    /// A miss and a false alarm count as the cap, and no case as more: a miss is then never
    /// better than a mask that is far away.
    fn with_cap(&self) -> Vec<Estimate<Exact>> {
        let Some(cap) = self.masks.plan.distance_cap_mm else {
            return Vec::new();
        };
        let capped = |(metric, of): PairMetric| {
            let column = self.masks.column(self.place, |case| match case.presence() {
                Presence::Both => case.pair.as_ref().map(|pair| of(pair).min(cap)),
                Presence::Missed | Presence::FalseAlarm => Some(cap),
                Presence::Neither => None,
            });
            self.beside(self.key(metric), &column)
        };
        CAPPED.into_iter().map(capped).collect()
    }

    /// Misses among the cases with the structure, false alarms among those without.
    fn shares(&self) -> Vec<Estimate<Exact>> {
        let share = |metric, present: bool, hit: Presence| {
            let column = self.masks.column(self.place, |case| {
                let inside = (case.truth_ml > 0.0) == present;
                inside.then(|| f64::from(u8::from(case.presence() == hit)))
            });
            let hits = column.patients_where(|value| value == 1.0);
            let others = column.patients_where(|value| value == 0.0);
            let found = column.share_of_cases();
            self.estimate(
                self.key(metric),
                column.n(),
                (found, Basis::of(hits.min(others))),
            )
        };
        vec![
            share(Metric::MissedShare, true, Presence::Missed),
            share(Metric::FalseAlarmShare, false, Presence::FalseAlarm),
        ]
    }

    /// The headline within each size bin of the truth.
    fn by_size(&self) -> Vec<Estimate<Exact>> {
        let structure = self.masks.structure;
        let Ok(axis) = SIZE_AXIS.parse::<AxisId>() else {
            return Vec::new();
        };
        let labels = structure.size_labels().into_iter().enumerate();
        labels
            .map(|(bin, label)| {
                let column = self.masks.column(self.place, |case| {
                    let inside =
                        case.truth_ml > 0.0 && structure.size_bin(case.truth_ml) == Some(bin);
                    let value = self.masks.headline(case, |pair| pair.dice);
                    value.filter(|_| inside)
                });
                let key = self.key(Metric::Dice).within(axis.clone(), label);
                // The bin's own count has its rule; the cases outside it are no complement.
                let n = column.counted();
                self.estimate(key, n, column.mean(Scale::Identity))
            })
            .collect()
    }

    /// The headline at each level of each axis, and its gap to the rest of the site.
    fn by_level(&self) -> Vec<Estimate<Exact>> {
        let protocol = self.masks.set.protocol;
        let headline = self.headline(|pair| pair.dice);
        let mut found = Vec::new();
        for (index, axis) in protocol.subgroup.iter().enumerate() {
            let Some(field) = protocol.find_field(&axis.field) else {
                continue;
            };
            let level_of = &self.masks.set.level[index];
            for (place, level) in axis.levels(field).into_iter().enumerate() {
                let key = |metric| self.key(metric).within(axis.id.clone(), level.clone());
                let own = headline.only(|at| usize::from(level_of[at]) == place);
                let rest = headline.only(|at| usize::from(level_of[at]) != place);
                if own.value.is_empty() {
                    continue;
                }
                let n = || own.n_of(|at| usize::from(level_of[at]) == place);
                found.push(self.estimate(key(Metric::Dice), n(), own.mean(Scale::Identity)));
                found.push(self.estimate(key(Metric::GapDice), n(), own.minus(&rest)));
            }
        }
        found
    }
}

/// Mean difference of the headline Dice of two models on the same cases.
pub(crate) fn differences(
    masks: &MaskSet<'_>,
    index: usize,
    comparator: usize,
) -> Option<Estimate<Exact>> {
    let teller = Teller::of(masks, index)?;
    let other = masks.set.protocol.model.get(comparator)?.id.clone();
    let dice = |model: usize, at: usize| masks.headline(masks.case(model, at)?, |pair| pair.dice);
    let each =
        (0..masks.set.len()).filter_map(|at| Some((at, dice(index, at)? - dice(comparator, at)?)));
    let (place, value) = each.unzip();
    let column = Column {
        set: masks.set,
        place,
        value,
    };
    let changed = column.patients_where(|value| value != 0.0);
    let (found, basis) = column.mean(Scale::Identity);
    // Two models that differ at few patients tell of these patients (decision P3).
    let basis = basis.and(Basis::of(changed));
    let key = teller.key(Metric::DiceDifference).against(other);
    Some(teller.estimate(key, column.n(), (found, basis)))
}
