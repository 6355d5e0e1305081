//! Prespecified sensitivity analyses: the model under validation again, with one choice made
//! otherwise, in the same round and from the same rows.
//!
//! | kind | cases | measures |
//! |---|---|---|
//! | default-action | with a reference standard; no prediction counts as the default action's call | rates at thresholds |
//! | worst-case | the same; no prediction ranks events lowest and non-events highest | AUC, sensitivity, specificity |
//! | exclude | the primary set without those whom a term excludes | AUC, O:E, Brier score, rates |
//! | threshold | the primary set | rates at that threshold |
//! | begg-greenes and others | with a prediction, also without a reference standard | sensitivity, specificity (see `verification`) |
//!
//! Each result is an estimate whose key names the analysis; nothing is estimated here by another
//! formula than in the primary analysis. Merge class T.
//!
//! Two sets that differ by few patients tell about these, by subtraction (decision P5, rule L2
//! within one release): for each result the cases that stand elsewhere than in the primary
//! analysis, or than in an earlier sensitivity analysis, are counted by where they stand in
//! both; the smallest of these groups is the basis of the result.
//!
//! From: `cases`.
//! To: report page "design, missing data and sensitivity analyses".

use std::collections::BTreeMap;

use super::auc::{Areas, area_values};
use super::brier;
use super::confusion::{RateMeasure, source_share};
use super::crossed::Crossed;
use super::estimate::{Estimate, EstimateKey, Found, IntervalMethod};
use super::metric::{Metric, Scale};
use super::observed_expected::ratio_of;
use super::sampling::Weights;
use super::stage::{Basis, Exact, Undefined};
use super::{AnalysisSet, Cases, analysis_set, overlap, term};
use crate::study::{
    Call, ModelRole, ProportionInterval, SensitivityAnalysis, SensitivityKind, StudyProtocol,
};

mod verification;

/// Where each case of the table stands in one set: 0 outside, else its cell; and its score.
type Places = Vec<(u8, u64)>;

const UNVERIFIED_NEGATIVE: u8 = 5;
const UNVERIFIED_POSITIVE: u8 = 6;

/// Every prespecified sensitivity analysis of one endpoint.
pub(crate) fn measure(
    protocol: &StudyProtocol,
    cases: &Cases,
    endpoint: usize,
    primary: &AnalysisSet<'_>,
) -> Vec<Estimate<Exact>> {
    let index = protocol
        .model
        .iter()
        .position(|model| model.role == ModelRole::Index);
    let Some(model) = index else {
        return Vec::new();
    };
    let thresholds = protocol.thresholds(&protocol.model[model].id, &primary.endpoint);
    let study = Study {
        protocol,
        cases,
        endpoint,
        model,
    };
    let mut found: Vec<(usize, Estimate<Exact>)> = Vec::new();
    let views = std::iter::once(None).chain(thresholds.into_iter().map(Some));
    for view in views {
        let mut seen = vec![study.places(primary, &[], view)];
        for (place, entry) in protocol.sensitivity.iter().enumerate() {
            let (places, estimates) = study.one(entry, view, &seen);
            seen.extend(places);
            found.extend(estimates.into_iter().map(|estimate| (place, estimate)));
        }
    }
    found.sort_by_key(|(place, _)| *place);
    found.into_iter().map(|(_, estimate)| estimate).collect()
}

/// The sets of the analyses over all cases that differ by at least `min_cell` patients from the
/// primary set, from each other and from every earlier release: those that are spoken about.
pub(crate) fn spoken<'a>(
    protocol: &'a StudyProtocol,
    cases: &'a Cases,
    endpoint: usize,
    primary: &AnalysisSet<'_>,
    min_cell: u64,
) -> Vec<(&'a SensitivityAnalysis, AnalysisSet<'a>)> {
    let mut models = protocol.model.iter();
    let Some(model) = models.position(|model| model.role == ModelRole::Index) else {
        return Vec::new();
    };
    let study = Study {
        protocol,
        cases,
        endpoint,
        model,
    };
    let mut seen = vec![study.places(primary, &[], None)];
    let mut found = Vec::new();
    for entry in &protocol.sensitivity {
        let Some(set) = study.set(entry, None) else {
            continue;
        };
        let places = study.places(&set, &[], None);
        let apart = seen.iter().map(|other| study.apart(other, &places));
        let apart = apart.min().unwrap_or(u64::MAX);
        let apart = apart.min(overlap::nearest_earlier_set(&set));
        seen.push(places);
        if apart >= min_cell {
            found.push((entry, set));
        }
    }
    found
}

/// The sets of the analyses at `thresholds` that differ, cell by cell of the 2x2 table, by at least
/// `min_cell` patients from the primary set, from each other and from every earlier release: those
/// whose rates are spoken about.
pub(crate) fn spoken_at<'a>(
    protocol: &'a StudyProtocol,
    cases: &'a Cases,
    endpoint: usize,
    primary: &AnalysisSet<'_>,
    (model, thresholds, min_cell): (usize, &[f64], u64),
) -> Vec<(&'a SensitivityAnalysis, AnalysisSet<'a>, f64)> {
    let study = Study {
        protocol,
        cases,
        endpoint,
        model,
    };
    let mut found = Vec::new();
    for threshold in thresholds {
        let view = Some(*threshold);
        let mut seen = vec![study.places(primary, &[], view)];
        for entry in &protocol.sensitivity {
            let here = entry
                .threshold
                .is_none_or(|one| one.to_bits() == threshold.to_bits());
            let Some(set) = study.set(entry, view).filter(|_| here) else {
                continue;
            };
            let places = study.places(&set, &study.unverified(entry.kind), view);
            let apart = seen.iter().map(|other| study.apart(other, &places));
            let apart = apart.min().unwrap_or(u64::MAX);
            let apart = apart
                .min(overlap::nearest_earlier_set(&set))
                .min(study.nearest_earlier_cut(&set, view));
            seen.push(places);
            if apart >= min_cell {
                found.push((entry, set, *threshold));
            }
        }
    }
    found
}

struct Study<'a> {
    protocol: &'a StudyProtocol,
    cases: &'a Cases,
    endpoint: usize,
    model: usize,
}

/// One result before it knows how far its set is from others.
type Measured = (Metric, Found, Basis);

impl<'a> Study<'a> {
    /// What one analysis says over all cases (`view` none) or at a threshold, and where its cases
    /// stand.
    fn one(
        &self,
        entry: &SensitivityAnalysis,
        view: Option<f64>,
        seen: &[Places],
    ) -> (Option<Places>, Vec<Estimate<Exact>>) {
        if entry
            .threshold
            .is_some_and(|one| view.map(f64::to_bits) != Some(one.to_bits()))
        {
            return (None, Vec::new());
        }
        let unverified = self.unverified(entry.kind);
        let Some(set) = self.set(entry, view) else {
            return (None, Vec::new());
        };
        let measured = match view {
            None => self.whole(entry.kind, &set),
            Some(threshold) => self.at(entry.kind, &set, &unverified, threshold),
        };
        if measured.is_empty() {
            return (None, Vec::new());
        }
        let places = self.places(&set, &unverified, view);
        let apart = seen
            .iter()
            .map(|earlier| self.apart(earlier, &places))
            .min()
            .unwrap_or(u64::MAX)
            .min(overlap::nearest_earlier_set(&set))
            .min(self.nearest_earlier_cut(&set, view));
        let estimates = measured
            .into_iter()
            .map(|(metric, found, basis)| {
                let id = self.protocol.model[self.model].id.clone();
                let mut key = EstimateKey::whole(metric, id, set.endpoint.clone());
                key.threshold = view;
                key.sensitivity = Some(entry.id.clone());
                let n = self.count(&set, &unverified, |_| true).beside(apart);
                let events = set.count(|row| set.outcome[row]).beside(apart);
                Estimate::new(key, n, events, found, basis.and(Basis::of(apart)))
            })
            .collect();
        (Some(places), estimates)
    }

    /// The fewest patients by which a cell of the set's 2x2 table differs from a group of an earlier
    /// release.
    fn nearest_earlier_cut(&self, set: &AnalysisSet<'_>, view: Option<f64>) -> u64 {
        let (Some(threshold), Some(score)) = (view, set.score.get(self.model)) else {
            return u64::MAX;
        };
        let near = |event: bool| {
            let class = |row: usize| set.outcome[row] == event;
            overlap::nearest_earlier_part(set, class, |row| score[row] >= threshold)
        };
        near(true).min(near(false))
    }

    fn count(
        &self,
        set: &AnalysisSet<'_>,
        unverified: &[usize],
        holds: impl Fn(usize) -> bool,
    ) -> super::ExactCount {
        let mut inside = vec![false; self.cases.patient.len()];
        for row in set.row.iter().chain(unverified) {
            inside[*row] = holds(*row);
        }
        analysis_set::count(&self.cases.patient, self.cases.patients, |row| inside[row])
    }

    /// Cases with a prediction and without a reference standard, where the analysis is about them.
    fn unverified(&self, kind: SensitivityKind) -> Vec<usize> {
        let corrects = matches!(
            kind,
            SensitivityKind::BeggGreenes | SensitivityKind::VerificationWeights
        );
        let outcome = self.cases.outcome.get(self.endpoint);
        let (Some(outcome), true) = (outcome, corrects) else {
            return Vec::new();
        };
        (0..outcome.len())
            .filter(|row| outcome[*row].is_none() && self.complete(*row))
            .collect()
    }

    fn complete(&self, row: usize) -> bool {
        self.cases.score.iter().all(|score| score[row].is_some())
    }

    fn score(&self, row: usize) -> Option<f64> {
        self.cases.score.get(self.model)?.get(row).copied()?
    }

    /// The cases of an analysis; at a threshold where the bounds of verification need one.
    fn set(&self, entry: &SensitivityAnalysis, view: Option<f64>) -> Option<AnalysisSet<'a>> {
        let outcomes = self.cases.outcome.get(self.endpoint)?;
        let recorded = |model: usize, row: usize| self.cases.score.get(model)?.get(row).copied()?;
        // Models that the analysis does not look at take no part in who is complete.
        let filled = |value: &dyn Fn(usize) -> Option<f64>, model: usize, row: usize| {
            if model == self.model {
                recorded(model, row).or_else(|| value(row))
            } else {
                Some(recorded(model, row).unwrap_or(0.0))
            }
        };
        let build = |outcome: &dyn Fn(usize) -> Option<bool>,
                     score: &dyn Fn(usize, usize) -> Option<f64>| {
            AnalysisSet::altered(self.protocol, self.cases, self.endpoint, outcome, score)
        };
        let own = |row: usize| outcomes[row];
        match entry.kind {
            SensitivityKind::DefaultAction => {
                let call = match self.protocol.missing.default_call? {
                    Call::Positive => 1.0,
                    Call::Negative => 0.0,
                };
                build(&own, &|model, row| filled(&|_| Some(call), model, row))
            }
            SensitivityKind::WorstCase => {
                let worst = |row: usize| outcomes[row].map(|event| if event { 0.0 } else { 1.0 });
                build(&own, &|model, row| filled(&worst, model, row))
            }
            SensitivityKind::Exclude => {
                let mut leaves = vec![false; outcomes.len()];
                for term in &entry.exclude {
                    let holds = term::holds(self.protocol, self.cases, term)?;
                    leaves
                        .iter_mut()
                        .zip(holds)
                        .for_each(|(leaves, holds)| *leaves |= holds);
                }
                build(&|row| outcomes[row].filter(|_| !leaves[row]), &recorded)
            }
            SensitivityKind::Threshold
            | SensitivityKind::BeggGreenes
            | SensitivityKind::VerificationWeights => build(&own, &recorded),
            SensitivityKind::VerificationLowest | SensitivityKind::VerificationHighest => {
                let threshold = view?;
                let good = entry.kind == SensitivityKind::VerificationHighest;
                let guess = |row: usize| self.score(row).map(|p| (p >= threshold) == good);
                build(&|row| outcomes[row].or_else(|| guess(row)), &recorded)
            }
        }
    }

    /// Where every case of the table stands: outside, in an outcome class with its score, or at a
    /// threshold in a cell of the 2x2 table.
    fn places(&self, set: &AnalysisSet<'_>, unverified: &[usize], view: Option<f64>) -> Places {
        let mut places = vec![(0, 0); self.cases.patient.len()];
        for (place, row) in set.row.iter().enumerate() {
            let score = set.score[self.model][place];
            let event = u8::from(set.outcome[place]);
            places[*row] = match view {
                Some(threshold) => (1 + 2 * event + u8::from(score >= threshold), 0),
                None => (1 + event, score.to_bits()),
            };
        }
        for row in unverified {
            let positive = view.is_some_and(|threshold| self.score(*row) >= Some(threshold));
            places[*row].0 = if positive {
                UNVERIFIED_POSITIVE
            } else {
                UNVERIFIED_NEGATIVE
            };
        }
        places
    }

    /// Distinct patients in the smallest group of cases that stand elsewhere, by where they stand
    /// in both; `u64::MAX` when the sets are equal.
    fn apart(&self, one: &Places, two: &Places) -> u64 {
        let mut groups: BTreeMap<(u8, u8), Vec<u32>> = BTreeMap::new();
        for (row, (a, b)) in one.iter().zip(two).enumerate() {
            if a != b {
                let group = groups.entry((a.0, b.0)).or_default();
                group.push(self.cases.patient[row]);
            }
        }
        let distinct = |mut owners: Vec<u32>| {
            owners.sort_unstable();
            owners.dedup();
            owners.len() as u64
        };
        groups.into_values().map(distinct).min().unwrap_or(u64::MAX)
    }

    /// Measures without a threshold.
    fn whole(&self, kind: SensitivityKind, set: &AnalysisSet<'_>) -> Vec<Measured> {
        let (area, rest) = match kind {
            SensitivityKind::WorstCase => (true, false),
            SensitivityKind::Exclude => (true, true),
            SensitivityKind::DefaultAction
            | SensitivityKind::Threshold
            | SensitivityKind::BeggGreenes
            | SensitivityKind::VerificationWeights
            | SensitivityKind::VerificationLowest
            | SensitivityKind::VerificationHighest => (false, false),
        };
        if !area {
            return Vec::new();
        }
        let areas = Areas::of(set);
        let mut measured: Vec<Measured> = auc(set, &areas, self.model).into_iter().collect();
        if rest {
            let ratio = ratio_of(set, &set.score[self.model], |_| true);
            let found = Found::normal(Scale::Log, ratio.ratio, ratio.log_variance);
            measured.push((Metric::ObservedExpected, found, ratio.basis));
            let scores = brier::measure(set, &areas, self.model);
            measured.extend(scores.into_iter().flatten().map(again));
        }
        measured
    }

    /// Measures at a threshold.
    fn at(
        &self,
        kind: SensitivityKind,
        set: &AnalysisSet<'_>,
        unverified: &[usize],
        threshold: f64,
    ) -> Vec<Measured> {
        let two = [RateMeasure::Sensitivity, RateMeasure::Specificity];
        let measures: &[RateMeasure] = match kind {
            SensitivityKind::DefaultAction
            | SensitivityKind::Exclude
            | SensitivityKind::Threshold => &RateMeasure::ALL[..4],
            SensitivityKind::WorstCase
            | SensitivityKind::VerificationLowest
            | SensitivityKind::VerificationHighest => &two,
            SensitivityKind::BeggGreenes | SensitivityKind::VerificationWeights => {
                let called: Vec<(u32, bool)> = unverified
                    .iter()
                    .map(|row| {
                        (
                            self.cases.patient[*row],
                            self.score(*row) >= Some(threshold),
                        )
                    })
                    .collect();
                let by_fraction = kind == SensitivityKind::VerificationWeights;
                return verification::corrected(set, self.model, threshold, &called, by_fraction);
            }
        };
        let score = &set.score[self.model];
        let crossed = Crossed::of_all(set, score, threshold);
        measures
            .iter()
            .map(|measure| {
                let hit = |row: usize| measure.hit(score[row] >= threshold, set.outcome[row]);
                let counts = crossed.share(|positive, event| measure.hit(positive, event));
                rate(set, *measure, counts, hit)
            })
            .collect()
    }
}

fn auc(set: &AnalysisSet<'_>, areas: &Areas, model: usize) -> Option<Measured> {
    let comparison = areas.comparison.as_ref()?;
    let area = comparison.area(model);
    let (value, variance) = area_values(&area);
    let basis = areas.basis(set, model)?;
    let variance = value.and_then(|value| {
        let slope = value * (1.0 - value);
        Ok(variance? / (slope * slope))
    });
    let scale = Metric::Auc.entry().scale;
    Some((Metric::Auc, Found::normal(scale, value, variance), basis))
}

/// An estimate of the ordinary measure, to be given another key.
fn again(one: Estimate<Exact>) -> Measured {
    let found = Found {
        value: one.value.value,
        interval: one.low.value.and_then(|low| {
            crate::numeric::Interval::new(low, one.high.value?).ok_or(Undefined::NotFinite)
        }),
        variance: one.variance.value,
        method: one.interval,
    };
    (one.key.metric, found, one.value.basis)
}

fn rate(
    set: &AnalysisSet<'_>,
    measure: RateMeasure,
    counts: [super::ExactCount; 3],
    hit: impl Fn(usize) -> Option<bool>,
) -> Measured {
    let share = source_share(set, measure, counts, &hit);
    let metric = match measure {
        RateMeasure::Sensitivity => Metric::Sensitivity,
        RateMeasure::Specificity => Metric::Specificity,
        RateMeasure::Ppv => Metric::Ppv,
        RateMeasure::Npv => Metric::Npv,
        RateMeasure::SelectionRate => Metric::SelectionRate,
        RateMeasure::Prevalence => Metric::Prevalence,
    };
    // The interval of a share is the one that the primary analysis prints.
    let plain = share.n.patients == share.n.rows;
    let weighted = measure.needs_prevalence() && Weights::of(set).is_ok_and(|one| !one.is_plain());
    let method = if share.interval.is_err() {
        IntervalMethod::None
    } else if weighted || !plain {
        IntervalMethod::Logit
    } else {
        match set.protocol.intervals.proportion {
            ProportionInterval::Wilson => IntervalMethod::Wilson,
            ProportionInterval::ClopperPearson => IntervalMethod::ClopperPearson,
        }
    };
    let found = Found {
        value: share.value,
        interval: share.interval,
        variance: share
            .value
            .and_then(|value| share_variance(metric.entry().scale, value, &share)),
        method,
    };
    (metric, found, share.basis)
}

/// Variance on the metric's scale, of cases that are one patient each.
fn share_variance(
    scale: Scale,
    value: f64,
    share: &super::confusion::Proportion,
) -> Result<f64, Undefined> {
    if share.n.patients < share.n.rows {
        return Err(Undefined::Clustered);
    }
    #[allow(
        clippy::cast_precision_loss,
        reason = "counts of cases stay far below 2^53"
    )]
    let n = share.n.rows as f64;
    let spread = value * (1.0 - value);
    if spread <= 0.0 {
        return Err(Undefined::NoVariance);
    }
    match scale {
        Scale::Identity => Ok(spread / n),
        Scale::Logit => Ok(1.0 / (n * spread)),
        Scale::Log => Ok((1.0 - value) / (n * value)),
    }
}
