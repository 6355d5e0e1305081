//! Calibration across the range of predictions: intercepts and slope of a logistic
//! recalibration, log loss, Spiegelhalter's test, calibration error over bins, the Brier score's
//! parts, and the distance to the recalibration.
//!
//! Definitions and sources stand in `numeric::calibration`. Logits are taken of predictions
//! clipped at the protocol's epsilon (decision C11); everything else reads them as they are.
//! Whether the slope hangs on epsilon is told by the share of clipped predictions and by the
//! slope at a thousandth and a thousandfold of it ([`CLIP_SENSITIVITY`]).
//!
//! Merge class T: slope and calibration in the large are pooled by random effects (decision C7:
//! two stages), the rest is described. Intervals of slope and intercepts are Wald's, by the
//! information or, where patients repeat, by the sandwich over patients. Distances, errors over
//! bins and parts have no interval: their sampling law is not near normal where calibration is
//! good. With sampling by outcome only the slope is defined (decision C3).
//!
//! From: `cases`.
//! To: report page "calibration".

use super::analysis_set::{AnalysisSet, BOUND_SUFFICES, clustered_variance, dominance};
use super::auc::Areas;
use super::estimate::{Estimate, EstimateKey, Found};
use super::metric::{Metric, Scale};
use super::observed_expected::{Expected, ratio_from};
use super::stage::{Basis, Exact, ExactCount, Undefined};
use crate::numeric::calibration::bins::{
    Bin, Decomposition, calibration_error, collect, equal_width,
};
use crate::numeric::calibration::{self, Estimated, Line, Sums};
use crate::numeric::distribution::normal_two_sided;
use crate::numeric::dominance::Dominance;
use crate::numeric::logistic::{Coefficients, FitFault};
use crate::numeric::sum::{count, mean};
use crate::study::SamplingDesign;

/// Bins of the calibration error and of the Brier score's parts: `[0, 0.1)` to `[0.9, 1]`.
pub const TENTHS: usize = 10;

/// Sensitivity analyses of the calibration slope: the key's word, and the factor on epsilon.
pub const CLIP_SENSITIVITY: [(&str, f64); 2] = [
    ("clip-epsilon-times-0.001", 1e-3),
    ("clip-epsilon-times-1000", 1e3),
];

/// Above this share of clipped predictions the slopes at other epsilons are shown.
pub const CLIPPED_MUCH: f64 = 0.01;

/// Largest epsilon of a sensitivity analysis.
const EPSILON_MAX: f64 = 0.25;

/// Every estimate of the model with index `model` over all analysed cases.
pub(crate) fn measure(set: &AnalysisSet<'_>, areas: &Areas, model: usize) -> Vec<Estimate<Exact>> {
    let (Some(declared), Some(score)) = (set.protocol.model.get(model), set.score.get(model))
    else {
        return Vec::new();
    };
    let (Some(logits), Some(fits)) = (set.logits(model), set.recalibration(model)) else {
        return Vec::new();
    };
    let part = Part {
        set,
        score,
        outcome: &set.outcome,
        patient: &set.patient,
        lp: &logits.lp,
        beside: areas.beside(model).and(classes(set, |_| true)),
    };
    let found = part.found(fits);
    let key = |metric| EstimateKey::whole(metric, declared.id.clone(), set.endpoint.clone());
    let mut estimates: Vec<Estimate<Exact>> = found
        .into_iter()
        .map(|(metric, found, basis)| Estimate::whole(set, key(metric), found, basis))
        .collect();
    let (share, basis) = clipped_share(&part);
    estimates.push(Estimate::whole(
        set,
        key(Metric::ClippedShare),
        share,
        basis,
    ));
    for (word, factor) in CLIP_SENSITIVITY {
        let mut key = key(Metric::CalibrationSlope);
        key.sensitivity = Some(word.to_owned());
        let epsilon = (set.protocol.clip_epsilon() * factor).min(EPSILON_MAX);
        let lp = logits.at_epsilon(score, epsilon);
        let part = Part { lp: &lp, ..part };
        // Most predictions are the same, and so nearly is the line.
        let line = match fits.line {
            Ok(line) => part.line_near(line.coefficients),
            Err(_) => part.line(),
        };
        let (found, basis) = part.slope(&line);
        estimates.push(Estimate::whole(set, key, found, basis));
    }
    estimates
}

/// Line and intercept of all analysed cases.
pub(crate) struct Recalibration {
    line: Result<Line, Undefined>,
    large: Result<Estimated, Undefined>,
}

impl Recalibration {
    /// Of the logits `lp` of every case.
    pub(crate) fn of(set: &AnalysisSet<'_>, lp: &[f64]) -> Self {
        let clusters = set.clustered().then_some(&set.patient[..]);
        Self {
            line: calibration::line(lp, &set.outcome, clusters).map_err(why),
            large: calibration::in_the_large(lp, &set.outcome, clusters).map_err(why),
        }
    }
}

/// The cases of one level.
#[derive(Default)]
struct LevelCases {
    row: Vec<usize>,
    score: Vec<f64>,
    lp: Vec<f64>,
    outcome: Vec<bool>,
    patient: Vec<u32>,
}

impl LevelCases {
    /// The cases of each of `levels` levels, in their order.
    fn by_level(
        set: &AnalysisSet<'_>,
        level: &[u16],
        levels: usize,
        (score, lp): (&[f64], &[f64]),
    ) -> Vec<Self> {
        let mut found: Vec<Self> = (0..levels).map(|_| Self::default()).collect();
        for (row, level) in level.iter().enumerate() {
            let Some(cases) = found.get_mut(usize::from(*level)) else {
                continue;
            };
            cases.row.push(row);
            cases.score.push(score[row]);
            cases.lp.push(lp[row]);
            cases.outcome.push(set.outcome[row]);
            cases.patient.push(set.patient[row]);
        }
        found
    }

    /// How many there are, all or of one class.
    fn count(&self, set: &AnalysisSet<'_>, class: Option<bool>) -> ExactCount {
        let holds = |row: usize| class.is_none_or(|class| class == self.outcome[row]);
        set.count_of(&self.patient, holds)
    }
}

/// Slope, calibration in the large and O:E of each level of the axis with index `axis`.
pub(crate) fn by_level(set: &AnalysisSet<'_>, model: usize, axis: usize) -> Vec<Estimate<Exact>> {
    let read = || {
        let declared = set.protocol.subgroup.get(axis)?;
        let levels = declared.levels(set.protocol.find_field(&declared.field)?);
        let id = set.protocol.model.get(model)?.id.clone();
        Some((declared.id.clone(), levels, id, set.score.get(model)?))
    };
    let fits = || Some((set.logits(model)?, set.recalibration(model)?));
    let (Some((axis_id, levels, id, score)), Some((logits, fits))) = (read(), fits()) else {
        return Vec::new();
    };
    let level = &set.level[axis];
    let expected = set.expected(model, axis).filter(|_| !set.clustered());
    let cases = LevelCases::by_level(set, level, levels.len(), (score, &logits.lp));
    let mut estimates = Vec::new();
    let each = levels.iter().zip(set.nearest(axis)).zip(&cases).enumerate();
    for (place, ((level, near), cases)) in each {
        let count = |class| cases.count(set, class);
        let classes = [count(Some(true)), count(Some(false))];
        let part = Part {
            set,
            score: &cases.score,
            outcome: &cases.outcome,
            patient: &cases.patient,
            lp: &cases.lp,
            beside: Basis::of(classes[0].patients.min(classes[1].patients)),
        };
        let line = match fits.line {
            Ok(line) => part.line_near(line.coefficients),
            Err(_) => part.line(),
        };
        let (slope, slope_basis) = part.slope(&line);
        let (large, large_basis) = part.large(part.intercept_near(fits.large));
        let expected = match expected {
            Some(expected) => expected.of_level(place, true),
            None => Expected::of(set, score, cases.row.iter().copied()),
        };
        let member = |row: usize| usize::from(set.level[axis][row]) == place;
        let ratio = ratio_from(set, expected, classes, member);
        let expected = Found::normal(Scale::Log, ratio.ratio, ratio.log_variance);
        for (metric, found, basis) in [
            (Metric::Citl, large, large_basis),
            (Metric::CalibrationSlope, slope, slope_basis),
            (Metric::ObservedExpected, expected, ratio.basis),
        ] {
            let key = EstimateKey::whole(metric, id.clone(), set.endpoint.clone())
                .within(axis_id.clone(), level.clone());
            let n = count(None).beside(*near);
            let events = count(Some(true)).beside(*near);
            estimates.push(Estimate::new(key, n, events, found, basis));
        }
    }
    estimates
}

/// The smaller class of the cases for which `holds`.
fn classes(set: &AnalysisSet<'_>, holds: impl Fn(usize) -> bool) -> Basis {
    let events = set.patients(|row| holds(row) && set.outcome[row]);
    let others = set.patients(|row| holds(row) && !set.outcome[row]);
    Basis::of(events.min(others))
}

/// Share of predictions that the protocol's epsilon moves; the people behind it are those whose
/// predictions are moved, and the others.
fn clipped_share(part: &Part<'_>) -> (Found, Basis) {
    let epsilon = part.set.protocol.clip_epsilon();
    let moved = |row: usize| {
        let p = part.score[row];
        p < epsilon || p > 1.0 - epsilon
    };
    let (all, some) = (part.set.count(|_| true), part.set.count(moved));
    let others = part.set.patients(|row| !moved(row));
    let share = if all.rows == 0 {
        Err(Undefined::NoCases)
    } else {
        Ok(count(some.rows) / count(all.rows))
    };
    let basis = part.beside.and(Basis::of(some.patients.min(others)));
    (Found::bare(share, Undefined::NoVariance), basis)
}

/// Rows under estimation, with the people any number about them speaks about.
#[derive(Clone, Copy)]
struct Part<'a> {
    set: &'a AnalysisSet<'a>,
    score: &'a [f64],
    outcome: &'a [bool],
    patient: &'a [u32],
    lp: &'a [f64],
    beside: Basis,
}

type Row = (Metric, Found, Basis);

impl Part<'_> {
    fn found(&self, fits: &Recalibration) -> Vec<Row> {
        let line = fits.line;
        let (large, large_basis) = self.large(fits.large);
        let (slope, slope_basis) = self.slope(&line);
        let mut rows = vec![
            (Metric::Citl, large, large_basis),
            (Metric::CalibrationSlope, slope, slope_basis),
            self.joint(&line),
            self.log_loss(),
        ];
        rows.extend(self.test(&line));
        rows.extend(self.spiegelhalter());
        rows.extend(self.over_bins());
        rows.extend(self.distance(&line));
        rows
    }

    fn basis(&self, terms: impl Iterator<Item = f64> + Clone) -> Basis {
        let share = dominance(self.patient.iter().copied().zip(terms));
        self.beside.dominated(share)
    }

    /// What sampling by outcome leaves undefined, and an empty set too.
    fn defined(&self) -> Result<(), Undefined> {
        if self.set.protocol.sampling.design == SamplingDesign::OutcomeDependent {
            Err(Undefined::DesignForbids)
        } else if self.score.is_empty() {
            Err(Undefined::NoCases)
        } else {
            Ok(())
        }
    }

    fn clusters(&self) -> Option<&[u32]> {
        self.set.clustered().then_some(self.patient)
    }

    fn line(&self) -> Result<Line, Undefined> {
        calibration::line(self.lp, self.outcome, self.clusters()).map_err(why)
    }

    /// The line of cases most of whom another line was fitted to.
    fn line_near(&self, near: Coefficients) -> Result<Line, Undefined> {
        calibration::line_near(self.lp, self.outcome, self.clusters(), near).map_err(why)
    }

    /// Calibration in the large of some of the cases that `all` is of.
    fn intercept_near(&self, all: Result<Estimated, Undefined>) -> Result<Estimated, Undefined> {
        let near = all.map_or(0.0, |all| all.value);
        let clusters = self.clusters();
        calibration::in_the_large_near(self.lp, self.outcome, clusters, near).map_err(why)
    }

    fn large(&self, fitted: Result<Estimated, Undefined>) -> (Found, Basis) {
        let fitted = self.defined().and(fitted);
        let found = Found::normal(
            Scale::Identity,
            fitted.map(|fit| fit.value),
            fitted.map(|fit| fit.variance),
        );
        if let Ok(fit) = fitted
            && !self.set.clustered()
            && fit.dominance_bound() <= BOUND_SUFFICES
        {
            return (
                found,
                self.beside
                    .dominated(Dominance::at_most(fit.dominance_bound())),
            );
        }
        let at = Coefficients {
            intercept: fitted.map_or(0.0, |fit| fit.value),
            slope: 1.0,
        };
        let terms = calibration::residuals(self.lp, self.outcome, at);
        (found, self.basis(terms.into_iter()))
    }

    fn slope(&self, line: &Result<Line, Undefined>) -> (Found, Basis) {
        let found = Found::normal(
            Scale::Identity,
            line.map(|line| line.coefficients.slope),
            line.map(|line| line.covariance[2]),
        );
        (found, self.line_basis(line, 1))
    }

    fn joint(&self, line: &Result<Line, Undefined>) -> Row {
        let line = self.defined().and(*line);
        let found = Found::normal(
            Scale::Identity,
            line.map(|line| line.coefficients.intercept),
            line.map(|line| line.covariance[0]),
        );
        let basis = self.line_basis(&line, 0);
        (Metric::JointIntercept, found, basis)
    }

    /// Intercept 0 and slope 1 together, by likelihoods, or by Wald where patients repeat.
    fn test(&self, line: &Result<Line, Undefined>) -> [Row; 2] {
        let test = self.defined().and(*line).and_then(|line| {
            let found = line.likelihood_ratio().or_else(|| line.wald());
            found.ok_or(Undefined::NoVariance)
        });
        let (one, two) = (self.line_basis(line, 0), self.line_basis(line, 1));
        let basis = one.and(two);
        let bare = |value| Found::bare(value, Undefined::NoVariance);
        [
            (
                Metric::CalibrationTest,
                bare(test.map(|test| test.statistic)),
                basis,
            ),
            (
                Metric::CalibrationTestP,
                bare(test.map(|test| test.p)),
                basis,
            ),
        ]
    }

    fn line_basis(&self, line: &Result<Line, Undefined>, place: usize) -> Basis {
        let Ok(line) = line else {
            return self.beside;
        };
        if !self.set.clustered() {
            let bound = line.dominance_bounds(self.lp)[place];
            if bound <= BOUND_SUFFICES {
                return self.beside.dominated(Dominance::at_most(bound));
            }
        }
        let influences = line.influences(self.lp, self.outcome);
        self.basis(influences.into_iter().map(|pair| pair[place]))
    }

    fn log_loss(&self) -> Row {
        let losses: Vec<f64> = self
            .lp
            .iter()
            .zip(self.outcome)
            .map(|(x, event)| {
                // log(1 + exp(-x)) of an event, log(1 + exp(x)) of a non-event.
                let towards = if *event { -x } else { *x };
                towards.max(0.0) + libm::log1p(libm::exp(-towards.abs()))
            })
            .collect();
        let value = self
            .defined()
            .and_then(|()| mean(&losses).ok_or(Undefined::NoCases));
        let n = count(losses.len() as u64);
        let centre = value.unwrap_or(0.0);
        let influence: Vec<f64> = losses.iter().map(|loss| (loss - centre) / n).collect();
        let variance = value.and_then(|_| {
            clustered_variance(&influence, self.patient)
                .filter(|variance| *variance > 0.0)
                .ok_or(Undefined::NoVariance)
        });
        let basis = self.basis(losses.iter().copied());
        let found = Found::normal(Scale::Identity, value, variance);
        (Metric::LogLoss, found, basis)
    }

    /// The test takes cases as independent, so there is none where patients repeat.
    fn spiegelhalter(&self) -> [Row; 2] {
        let z = self.defined().and_then(|()| {
            if self.set.clustered() {
                return Err(Undefined::Clustered);
            }
            let sums = Sums::of(self.score, self.outcome);
            sums.spiegelhalter().ok_or(Undefined::NoVariance)
        });
        let p = z.and_then(|z| normal_two_sided(z).ok_or(Undefined::NotFinite));
        let terms = self.score.iter().zip(self.outcome);
        let basis =
            self.basis(terms.map(|(p, event)| (f64::from(u8::from(*event)) - p) * (1.0 - 2.0 * p)));
        let bare = |value| Found::bare(value, Undefined::NoVariance);
        [
            (Metric::SpiegelhalterZ, bare(z), basis),
            (Metric::SpiegelhalterP, bare(p), basis),
        ]
    }

    fn over_bins(&self) -> Vec<Row> {
        let bins = self
            .defined()
            .map(|()| collect(self.score, self.outcome, TENTHS, |p| equal_width(p, TENTHS)));
        let error = bins.as_ref().map_err(|reason| *reason);
        let error = error.and_then(|bins| calibration_error(bins).ok_or(Undefined::NoCases));
        let parts =
            bins.and_then(|bins: Vec<Bin>| Decomposition::of(&bins).ok_or(Undefined::NoCases));
        let gaps = self.score.iter().zip(self.outcome);
        let basis = self.basis(gaps.map(|(p, event)| p - f64::from(u8::from(*event))));
        [
            (Metric::Ece, error.map(|error| error.expected)),
            (Metric::Mce, error.map(|error| error.largest)),
            (
                Metric::BrierReliability,
                parts.map(|parts| parts.reliability),
            ),
            (Metric::BrierResolution, parts.map(|parts| parts.resolution)),
            (
                Metric::BrierUncertainty,
                parts.map(|parts| parts.uncertainty),
            ),
            (
                Metric::BrierWithinVariance,
                parts.map(|parts| parts.within_variance),
            ),
            (
                Metric::BrierWithinCovariance,
                parts.map(|parts| parts.within_covariance),
            ),
        ]
        .into_iter()
        .map(|(metric, value)| (metric, Found::bare(value, Undefined::NoVariance), basis))
        .collect()
    }

    fn distance(&self, line: &Result<Line, Undefined>) -> [Row; 3] {
        let index = self.defined().and(*line).and_then(|line| {
            calibration::index(self.lp, self.score, line.coefficients).ok_or(Undefined::NoCases)
        });
        let basis = match line {
            Ok(line) => {
                let fitted = calibration::residuals(self.lp, self.outcome, line.coefficients);
                let gaps = fitted.into_iter().zip(self.score.iter().zip(self.outcome));
                self.basis(
                    gaps.map(|(residual, (p, event))| f64::from(u8::from(*event)) - residual - p),
                )
            }
            Err(_) => self.beside,
        };
        let bare = |value| Found::bare(value, Undefined::NoVariance);
        [
            (Metric::Ici, bare(index.map(|index| index.ici)), basis),
            (Metric::E50, bare(index.map(|index| index.e50)), basis),
            (Metric::E90, bare(index.map(|index| index.e90)), basis),
        ]
    }
}

fn why(fault: FitFault) -> Undefined {
    match fault {
        FitFault::Empty => Undefined::NoCases,
        FitFault::OneClass => Undefined::OneClass,
        FitFault::Constant => Undefined::NoVariance,
        FitFault::Separated => Undefined::Separated,
        FitFault::NotConverged => Undefined::NotConverged,
    }
}
