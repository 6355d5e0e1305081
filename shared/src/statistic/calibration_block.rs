//! One-stage calibration: Newton blocks of the recalibration model, one step at a time.
//!
//! Read: outcome and clipped logit of the prediction. Kept: per model and endpoint the block
//! (log-likelihood, score, information; `numeric::logistic`) at the intercept and slope over
//! all rows, and a second one at the site's own intercept and the common slope
//! (`numeric::common_slope`). Merge class N: blocks at the same place add, so that the
//! iterates, and the maximum, are those of the concatenated rows. The start is the protocol's;
//! every later place follows from the sums of the steps before, and a site that finds another
//! one in a step refuses it (decision P4).
//!
//! Edge cases: one outcome class, constant or separated predictions have no maximum; the sums
//! show it, and the figure is not computed with that reason. Miller, Hui and Tierney 1991,
//! doi:10.1002/sim.4780100805.
//!
//! From: `cases`, `study::step`.
//! To: `disclosure`, `pool::one_stage`.

use schemars::JsonSchema;
use serde::{Deserialize, Serialize};

use super::analysis_set::{AnalysisSet, dominance};
use super::stage::{Basis, Disclosed, Exact, ExactReal, Form, Stage, Undefined};
use super::{Cases, Statistic};
use crate::numeric::common_slope::{CommonSlope, Move, OwnIntercept, Reduced, SlopeFit};
use crate::numeric::logistic::{
    ClippedLogits, Coefficients, Fit, FitFault, Newton, NewtonBlock, Progress,
};
use crate::study::step::{Point, ReducedSum, Step, Sum};
use crate::study::{EndpointId, ModelId, StudyProtocol};

/// A block's sums.
#[derive_where::derive_where(Clone, Debug, PartialEq; S::Count, S::Real)]
#[derive(Serialize, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields)]
#[serde(bound(
    serialize = "S::Count: Serialize, S::Real: Serialize",
    deserialize = "S::Count: Deserialize<'de>, S::Real: Deserialize<'de>"
))]
#[schemars(bound = "S::Count: JsonSchema, S::Real: JsonSchema")]
pub struct Sums<S: Stage> {
    /// Log-likelihood, at most 0.
    pub loglik: S::Real,
    /// Derivatives by intercept and by slope.
    pub score: [S::Real; 2],
    /// Information: intercept-intercept, intercept-slope, slope-slope.
    pub information: [S::Real; 3],
}

/// One site's blocks of one model at one step.
#[derive_where::derive_where(Clone, Debug, PartialEq; S::Count, S::Real)]
#[derive(Serialize, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields)]
#[serde(bound(
    serialize = "S::Count: Serialize, S::Real: Serialize",
    deserialize = "S::Count: Deserialize<'de>, S::Real: Deserialize<'de>"
))]
#[schemars(bound = "S::Count: JsonSchema, S::Real: JsonSchema")]
pub struct CalibrationBlock<S: Stage> {
    /// The model.
    pub model: ModelId,
    /// The endpoint.
    pub endpoint: EndpointId,
    /// Cases.
    pub n: S::Count,
    /// Cases with the event.
    pub events: S::Count,
    /// Cases without it.
    pub non_events: S::Count,
    /// Intercept over all rows at which `joint` is evaluated; every site has the same.
    pub intercept: f64,
    /// Slope over all rows; every site has the same.
    pub slope: f64,
    /// The block there.
    pub joint: Sums<S>,
    /// The site's own intercept at which `own` is evaluated.
    pub own_intercept: S::Real,
    /// The common slope; every site has the same.
    pub common_slope: f64,
    /// The block there.
    pub own: Sums<S>,
}

/// Why a site does not answer a step.
#[derive(Clone, Copy, Debug, Eq, PartialEq, thiserror::Error)]
pub enum StepFault {
    /// The places, models or steps are not those that follow from the sums and the protocol.
    #[error("the step asks for a block at another place than its sums lead to")]
    Place,
    /// A sum cannot contain what this site sent.
    #[error("a sum of an earlier step does not contain this site's own block")]
    Sum,
    /// The site's own rows have no block.
    #[error("the site's own rows give no block")]
    Rows,
}

/// The iterations of one model and endpoint, recomputed from sums alone.
#[derive(Clone, Debug)]
pub struct Track {
    model: ModelId,
    endpoint: EndpointId,
    joint: Newton,
    joint_end: Option<Result<Fit, FitFault>>,
    slope: CommonSlope,
    slope_end: Option<Result<SlopeFit, FitFault>>,
    /// How everything moved, by step, while there was a move.
    moves: Vec<Move>,
}

impl Track {
    /// The start of every model and endpoint of `protocol`, endpoints first; none when the
    /// protocol plans no one-stage calibration.
    pub fn start(protocol: &StudyProtocol) -> Vec<Self> {
        let Some(plan) = protocol.one_stage_calibration else {
            return Vec::new();
        };
        let [intercept, slope] = plan.start;
        let pairs = protocol
            .endpoint
            .iter()
            .flat_map(|endpoint| protocol.model.iter().map(move |model| (endpoint, model)));
        pairs
            .map(|(endpoint, model)| Self {
                model: model.id.clone(),
                endpoint: endpoint.id.clone(),
                joint: Newton::from(
                    Coefficients { intercept, slope },
                    crate::numeric::logistic::Free::Both,
                ),
                joint_end: None,
                slope: CommonSlope::from(slope),
                slope_end: None,
                moves: Vec::new(),
            })
            .collect()
    }

    /// The iterations after every step of `opened`; `None` when a step does not name each model
    /// and endpoint once, in order.
    pub fn replay(protocol: &StudyProtocol, opened: &[Vec<Sum>]) -> Option<Vec<Self>> {
        let mut tracks = Self::start(protocol);
        for sums in opened {
            if sums.len() != tracks.len() {
                return None;
            }
            for (track, sum) in tracks.iter_mut().zip(sums) {
                if track.model != sum.model || track.endpoint != sum.endpoint {
                    return None;
                }
                track.take(sum);
            }
        }
        Some(tracks)
    }

    fn take(&mut self, sum: &Sum) {
        if !matches!(self.joint_end, Some(Err(_))) {
            let block = NewtonBlock {
                n: sum.n,
                events: sum.events,
                loglik: sum.loglik,
                score: sum.score,
                information: sum.information,
            };
            let end = match self.joint.take(&block) {
                Ok(Progress::Continue) => None,
                Ok(Progress::Converged(fit)) => Some(Ok(fit)),
                Err(fault) => Some(Err(fault)),
            };
            // A maximum once found stays; the point itself may still move by rounding.
            self.joint_end = self.joint_end.or(end);
        }
        if matches!(self.slope_end, Some(Err(_))) {
            return;
        }
        let taken = sum
            .reduced
            .as_ref()
            .ok_or(FitFault::NotConverged)
            .and_then(|reduced| self.slope.take(&reduced.into()));
        match taken {
            Ok((with, fit)) => {
                self.moves.push(with);
                self.slope_end = self.slope_end.or(fit.map(Ok));
            }
            Err(fault) => self.slope_end = Some(self.slope_end.unwrap_or(Err(fault))),
        }
    }

    /// Where the next block is evaluated.
    pub fn point(&self) -> Point {
        let at = self.joint.at();
        Point {
            model: self.model.clone(),
            endpoint: self.endpoint.clone(),
            intercept: at.intercept,
            slope: at.slope,
            common_slope: self.slope.at(),
        }
    }

    /// Both models have their maximum, or none to go to: no further step helps.
    pub fn ended(&self) -> bool {
        self.joint_end.is_some() && self.slope_end.is_some()
    }

    /// Intercept and slope over all rows, once that is settled.
    pub fn joint(&self) -> Option<Result<Fit, FitFault>> {
        self.joint_end
    }

    /// The slope common to sites with intercepts of their own, once that is settled.
    pub fn common_slope(&self) -> Option<Result<SlopeFit, FitFault>> {
        self.slope_end
    }

    /// A site's own intercept after the blocks it sent, in the order of the steps.
    pub fn own_intercept(&self, blocks: &[NewtonBlock]) -> f64 {
        let mut own = OwnIntercept::from(0.0);
        for (block, with) in blocks.iter().zip(&self.moves) {
            own.follow(block, *with);
        }
        own.at()
    }
}

impl From<&ReducedSum> for Reduced {
    fn from(sum: &ReducedSum) -> Self {
        Self {
            loglik: sum.loglik,
            score: sum.score,
            information: sum.information,
            decrement: sum.decrement,
        }
    }
}

impl CalibrationBlock<Disclosed> {
    /// The block over all rows; `None` unless every part is exact.
    pub fn joint_block(&self) -> Option<NewtonBlock> {
        self.block(&self.joint)
    }

    /// The block at the site's own intercept; `None` unless every part is exact.
    pub fn own_block(&self) -> Option<NewtonBlock> {
        self.block(&self.own)
    }

    fn block(&self, sums: &Sums<Disclosed>) -> Option<NewtonBlock> {
        let [by_intercept, by_slope] = &sums.score;
        let [aa, ab, bb] = &sums.information;
        Some(NewtonBlock {
            n: self.n.exact()?,
            events: self.events.exact()?,
            loglik: sums.loglik.exact()?,
            score: [by_intercept.exact()?, by_slope.exact()?],
            information: [aa.exact()?, ab.exact()?, bb.exact()?],
        })
    }
}

/// The sums of one step over the roster, whose released blocks come in its order; `None` when a
/// site lacks a model or an endpoint, or a block is not exact.
pub fn sums(protocol: &StudyProtocol, released: &[&[Statistic<Disclosed>]]) -> Option<Vec<Sum>> {
    let points = Track::start(protocol);
    points
        .iter()
        .map(|track| {
            let mut joint = NewtonBlock::default();
            let mut reduced: Option<Result<Reduced, FitFault>> = None;
            for statistics in released {
                let block = find(statistics, &track.model, &track.endpoint)?;
                joint = joint.merge(block.joint_block()?);
                let own = Reduced::of(&block.own_block()?);
                reduced = Some(match reduced {
                    None => own,
                    Some(before) => before.and_then(|before| Ok(before.merge(own?))),
                });
            }
            // No negative zero enters a document.
            let plain = |value: f64| value + 0.0;
            Some(Sum {
                model: track.model.clone(),
                endpoint: track.endpoint.clone(),
                n: joint.n,
                events: joint.events,
                loglik: plain(joint.loglik),
                score: joint.score.map(plain),
                information: joint.information.map(plain),
                reduced: reduced.and_then(Result::ok).map(|sum| ReducedSum {
                    loglik: plain(sum.loglik),
                    score: plain(sum.score),
                    information: plain(sum.information),
                    decrement: plain(sum.decrement),
                }),
            })
        })
        .collect()
}

/// The block of one model and endpoint among released statistics.
pub fn find<'a>(
    statistics: &'a [Statistic<Disclosed>],
    model: &ModelId,
    endpoint: &EndpointId,
) -> Option<&'a CalibrationBlock<Disclosed>> {
    statistics
        .iter()
        .filter_map(Statistic::calibration_block)
        .find(|block| block.model == *model && block.endpoint == *endpoint)
}

/// One model's rows at a site.
struct Rows<'a> {
    set: &'a AnalysisSet<'a>,
    lp: Vec<f64>,
}

impl Rows<'_> {
    fn block(&self, intercept: f64, slope: f64) -> NewtonBlock {
        NewtonBlock::of(
            &self.lp,
            &self.set.outcome,
            Coefficients { intercept, slope },
        )
    }
}

/// This site's blocks for `step`. Everything the step claims is recomputed first: the places of
/// this and of every earlier step from the protocol's start and the sums, and that each sum
/// holds at least what this site sent. The protocol must be expanded.
///
/// # Errors
/// [`StepFault`]; only [`StepFault::Place`] is independent of the site's data.
pub fn measure(
    protocol: &StudyProtocol,
    cases: &Cases,
    step: &Step,
) -> Result<Vec<Statistic<Exact>>, StepFault> {
    let tracks = Track::replay(protocol, &step.opened).ok_or(StepFault::Place)?;
    let points: Vec<Point> = tracks.iter().map(Track::point).collect();
    let next = u32::try_from(step.opened.len())
        .ok()
        .and_then(|n| n.checked_add(1));
    if tracks.is_empty() || next != Some(step.step) || !same_points(&points, &step.at) {
        return Err(StepFault::Place);
    }
    let mut blocks = Vec::new();
    for endpoint in 0..protocol.endpoint.len() {
        let set = AnalysisSet::of(protocol, cases, endpoint).ok_or(StepFault::Rows)?;
        for model in 0..protocol.model.len() {
            let place = blocks.len();
            let score = set.score.get(model).ok_or(StepFault::Rows)?;
            let logits = ClippedLogits::of(score, protocol.clip_epsilon());
            let rows = Rows {
                lp: logits.ok_or(StepFault::Rows)?.lp,
                set: &set,
            };
            let point = points.get(place).ok_or(StepFault::Place)?;
            let own = retrace(protocol, step, place, &rows)?;
            blocks.push(Statistic::CalibrationBlock(rows.measure(point, own)));
        }
    }
    Ok(blocks)
}

/// Bit for bit: a place that differs in the last digit was not computed from these sums.
fn same_points(ours: &[Point], theirs: &[Point]) -> bool {
    let bits = |point: &Point| [point.intercept, point.slope, point.common_slope].map(f64::to_bits);
    ours.len() == theirs.len()
        && ours
            .iter()
            .zip(theirs)
            .all(|(a, b)| a.model == b.model && a.endpoint == b.endpoint && bits(a) == bits(b))
}

/// The site's own intercept at `step`, its blocks at every earlier step recomputed on the way
/// and held against the sums.
fn retrace(
    protocol: &StudyProtocol,
    step: &Step,
    place: usize,
    rows: &Rows<'_>,
) -> Result<f64, StepFault> {
    let alone = step.roster.len() == 1;
    let mut track = Track::start(protocol)
        .into_iter()
        .nth(place)
        .ok_or(StepFault::Place)?;
    let mut own = OwnIntercept::from(0.0);
    for sums in &step.opened {
        let sum = sums.get(place).ok_or(StepFault::Place)?;
        let at = track.point();
        let joint = rows.block(at.intercept, at.slope);
        let block = rows.block(own.at(), at.common_slope);
        if !holds(sum, &joint, &block, alone) {
            return Err(StepFault::Sum);
        }
        let moved = track.moves.len();
        track.take(sum);
        if let Some(with) = track.moves.get(moved) {
            own.follow(&block, *with);
        }
    }
    Ok(own.at())
}

/// Whether `sum` can be this site's blocks and those of others: counts, information and the
/// negative log-likelihood only grow. Of a roster of one it must be the block itself.
fn holds(sum: &Sum, joint: &NewtonBlock, own: &NewtonBlock, alone: bool) -> bool {
    const ROUNDING: f64 = 1e-9;
    if alone {
        return sum.n == joint.n
            && sum.score == joint.score.map(|value| value + 0.0)
            && sum.information == joint.information;
    }
    let within = |part: f64, whole: f64| part <= whole + ROUNDING * whole.abs().max(1.0);
    let [aa, _, bb] = joint.information;
    let [all_aa, _, all_bb] = sum.information;
    let reduced = match (&sum.reduced, Reduced::of(own)) {
        (Some(sum), Ok(own)) => {
            within(own.information, sum.information)
                && within(own.decrement, sum.decrement)
                && within(-own.loglik, -sum.loglik)
        }
        (Some(_), Err(_)) => false,
        (None, _) => true,
    };
    let others = |n: u64, events: u64| n.checked_sub(events);
    let rest = others(sum.n, sum.events) >= others(joint.n, joint.events);
    joint.events <= sum.events
        && rest
        && within(aa, all_aa)
        && within(bb, all_bb)
        && within(-joint.loglik, -sum.loglik)
        && reduced
}

impl Rows<'_> {
    fn measure(&self, point: &Point, own_intercept: f64) -> CalibrationBlock<Exact> {
        let set = self.set;
        let joint = self.block(point.intercept, point.slope);
        let own = self.block(own_intercept, point.common_slope);
        let events = set.patients(|row| set.outcome[row]);
        let others = set.patients(|row| !set.outcome[row]);
        // What a row adds to the information grows with its distance from zero.
        let share = dominance(
            self.lp
                .iter()
                .zip(&set.patient)
                .map(|(lp, patient)| (*patient, 1.0 + lp * lp)),
        );
        let basis = Basis::of(events.min(others)).dominated(share);
        let real = |value: f64| ExactReal::new(Ok::<f64, Undefined>(value), Form::FREE, basis);
        let sums = |block: NewtonBlock| Sums {
            loglik: real(block.loglik),
            score: block.score.map(real),
            information: block.information.map(real),
        };
        CalibrationBlock {
            model: point.model.clone(),
            endpoint: point.endpoint.clone(),
            n: set.count(|_| true),
            events: set.count(|row| set.outcome[row]),
            non_events: set.count(|row| !set.outcome[row]),
            intercept: point.intercept,
            slope: point.slope,
            joint: sums(joint),
            own_intercept: real(own_intercept),
            common_slope: point.common_slope,
            own: sums(own),
        }
    }
}

#[cfg(test)]
mod tests;
