//! The one-stage calibration: intercept and slope over the rows of every rostered site, and one
//! slope with site intercepts, from the sums of an exchange of several steps. It stands beside
//! the two-stage slope, which stays the headline (decision C7), and speaks about these sites
//! only: no spread between hospitals enters its intervals.
//!
//! Intervals: Wald, from the inverse information at the maximum; none where patients repeat
//! (decision C2), since the blocks carry no sums by patient.
//!
//! From: `statistic::calibration_block`, the coordinator's exchange.
//! To: `study`, the report's calibration page, `one_stage.csv`.

use schemars::JsonSchema;
use serde::{Deserialize, Serialize};

use crate::disclosure::ReceivedRelease;
use crate::numeric::distribution::normal_critical;
use crate::numeric::logistic::{FitFault, NewtonBlock};
use crate::statistic::calibration_block::{self, Track};
use crate::study::step::Sum;
use crate::study::{EndpointId, ModelId, SiteSlug, StudyProtocol};

/// The exchange as the coordinator has it.
#[derive(Clone, Debug, Default)]
pub struct Exchange {
    /// Sites whose blocks are summed, in the protocol's order.
    pub roster: Vec<SiteSlug>,
    /// Complete steps: each site's release, in the order of the roster.
    pub steps: Vec<Vec<ReceivedRelease>>,
    /// The first site that ended the exchange, and why.
    pub broken: Option<(SiteSlug, Broken)>,
}

/// What a site did to an exchange.
#[derive(Clone, Copy, Debug, Eq, PartialEq, Serialize, Deserialize, JsonSchema)]
#[serde(rename_all = "kebab-case")]
pub enum Broken {
    /// Not released under its own policy.
    NotReleased,
    /// It refused for a reason that does not depend on data.
    Refused,
    /// It had not answered when the round closed.
    NoAnswer,
    /// Its block contradicts itself or came twice; kept for a person.
    Quarantined,
}

impl Broken {
    /// A sentence part: `va ...`.
    pub fn words(self) -> &'static str {
        match self {
            Self::NotReleased => "did not release its blocks under its own policy",
            Self::Refused => "refused a step",
            Self::NoAnswer => "had not answered when the round closed",
            Self::Quarantined => "sent a block that contradicts itself",
        }
    }
}

/// The one-stage calibration of one model and endpoint.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize, JsonSchema)]
pub struct OneStage {
    /// The model.
    pub model: ModelId,
    /// The endpoint.
    pub endpoint: EndpointId,
    /// Sites whose blocks are summed.
    pub sites: Vec<SiteSlug>,
    /// Steps that every site answered.
    pub steps: u32,
    /// Intercept and slope over all rows.
    pub overall: OneStageOutcome<OverallFit>,
    /// One slope, an intercept per site.
    pub by_site: OneStageOutcome<BySiteFit>,
}

/// A fit, or why there is none.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize, JsonSchema)]
#[serde(tag = "outcome", rename_all = "kebab-case")]
pub enum OneStageOutcome<T> {
    /// Computed.
    Computed {
        /// The fit.
        fit: T,
    },
    /// Not computed.
    NotComputed {
        /// Why.
        reason: NoOneStage,
        /// The site it is about, where it is about one.
        site: Option<SiteSlug>,
    },
}

/// Why there is no one-stage figure.
#[derive(Clone, Copy, Debug, Eq, PartialEq, Serialize, Deserialize, JsonSchema)]
#[serde(rename_all = "kebab-case")]
pub enum NoOneStage {
    /// The releases were pooled without a round, which alone has steps.
    NoRound,
    /// Fewer sites than the protocol's minimum.
    TooFewSites,
    /// Not released under its own policy.
    NotReleased,
    /// A site refused a step.
    Refused,
    /// A site had not answered when the round closed.
    NoAnswer,
    /// A site's block contradicts itself.
    Quarantined,
    /// Only one outcome class over all sites.
    OneClass,
    /// The predictions do not vary.
    Constant,
    /// No maximum within the protocol's steps.
    NotConverged,
}

impl NoOneStage {
    /// A sentence part: `not computed: ...`.
    pub fn words(self) -> &'static str {
        match self {
            Self::NoRound => "it needs a round with steps",
            Self::TooFewSites => "fewer sites than the protocol's minimum",
            Self::NotReleased => Broken::NotReleased.words(),
            Self::Refused => Broken::Refused.words(),
            Self::NoAnswer => Broken::NoAnswer.words(),
            Self::Quarantined => Broken::Quarantined.words(),
            Self::OneClass => "only one outcome class",
            Self::Constant => "the predictions do not vary",
            Self::NotConverged => "no maximum within the protocol's steps",
        }
    }
}

impl From<Broken> for NoOneStage {
    fn from(broken: Broken) -> Self {
        match broken {
            Broken::NotReleased => Self::NotReleased,
            Broken::Refused => Self::Refused,
            Broken::NoAnswer => Self::NoAnswer,
            Broken::Quarantined => Self::Quarantined,
        }
    }
}

impl From<FitFault> for NoOneStage {
    fn from(fault: FitFault) -> Self {
        match fault {
            FitFault::Empty | FitFault::OneClass => Self::OneClass,
            FitFault::Constant => Self::Constant,
            FitFault::Separated | FitFault::NotConverged => Self::NotConverged,
        }
    }
}

/// A coefficient; its interval speaks about these sites only.
#[derive(Clone, Copy, Debug, PartialEq, Serialize, Deserialize, JsonSchema)]
pub struct Coefficient {
    /// The estimate, logit scale.
    pub value: f64,
    /// Its standard error; absent where patients repeat.
    pub se: Option<f64>,
    /// Its interval at the protocol's level; absent where patients repeat.
    pub interval: Option<[f64; 2]>,
}

/// `logit P(y = 1) = a + b lp` over all rows.
#[derive(Clone, Copy, Debug, PartialEq, Serialize, Deserialize, JsonSchema)]
pub struct OverallFit {
    /// Cases.
    pub n: u64,
    /// Cases with the event.
    pub events: u64,
    /// `a`.
    pub intercept: Coefficient,
    /// `b`.
    pub slope: Coefficient,
}

/// `logit P(y = 1) = a_j + b lp` with an intercept per site.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize, JsonSchema)]
pub struct BySiteFit {
    /// `b`.
    pub slope: Coefficient,
    /// `a_j`, in the order of the sites.
    pub intercepts: Vec<SiteIntercept>,
}

/// One site's intercept.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize, JsonSchema)]
pub struct SiteIntercept {
    /// The site.
    pub site: SiteSlug,
    /// Its intercept.
    pub intercept: Coefficient,
}

/// The sums of complete steps; `None` when a block is missing or not exact.
pub fn sums(protocol: &StudyProtocol, steps: &[Vec<ReceivedRelease>]) -> Option<Vec<Vec<Sum>>> {
    steps
        .iter()
        .map(|releases| {
            let parts: Vec<_> = releases
                .iter()
                .map(|release| release.statistics.as_slice())
                .collect();
            calibration_block::sums(protocol, &parts)
        })
        .collect()
}

/// Every model and endpoint, endpoints first; empty when the protocol does not plan it.
pub(super) fn all(protocol: &StudyProtocol, exchange: Option<&Exchange>) -> Vec<OneStage> {
    let start = Track::start(protocol);
    let none = |reason: NoOneStage, site: Option<SiteSlug>| -> Vec<OneStage> {
        let sites = exchange.map_or_else(Vec::new, |exchange| exchange.roster.clone());
        start
            .iter()
            .map(|track| {
                let point = track.point();
                OneStage {
                    model: point.model,
                    endpoint: point.endpoint,
                    sites: sites.clone(),
                    steps: exchange.map_or(0, steps_of),
                    overall: OneStageOutcome::NotComputed {
                        reason,
                        site: site.clone(),
                    },
                    by_site: OneStageOutcome::NotComputed {
                        reason,
                        site: site.clone(),
                    },
                }
            })
            .collect()
    };
    let Some(found) = exchange else {
        return none(NoOneStage::NoRound, None);
    };
    if found.roster.len() < protocol.pooling.min_sites {
        return none(NoOneStage::TooFewSites, None);
    }
    if let Some((site, broken)) = &found.broken {
        return none((*broken).into(), Some(site.clone()));
    }
    let tracks = sums(protocol, &found.steps).and_then(|sums| Track::replay(protocol, &sums));
    match tracks {
        None => none(NoOneStage::Quarantined, None),
        Some(tracks) => tracks
            .iter()
            .map(|track| one(protocol, found, track))
            .collect(),
    }
}

fn steps_of(exchange: &Exchange) -> u32 {
    u32::try_from(exchange.steps.len()).unwrap_or(u32::MAX)
}

fn one(protocol: &StudyProtocol, exchange: &Exchange, track: &Track) -> OneStage {
    let point = track.point();
    let clustered = exchange
        .steps
        .iter()
        .flatten()
        .any(|release| release.header.clustered);
    let critical = normal_critical(protocol.pooling.level).filter(|_| !clustered);
    let coefficient = |value: f64, variance: f64| {
        let se = critical.map(|_| variance.sqrt());
        Coefficient {
            value,
            se,
            interval: critical
                .zip(se)
                .map(|(z, se)| [value - z * se, value + z * se]),
        }
    };
    let not = |fault: Option<FitFault>| {
        let reason = fault.map_or(NoOneStage::NotConverged, NoOneStage::from);
        (reason, None)
    };
    OneStage {
        sites: exchange.roster.clone(),
        steps: steps_of(exchange),
        overall: match track.joint() {
            Some(Ok(fit)) => {
                let (n, events) = counts(exchange, track);
                let [aa, _, bb] = fit.covariance;
                OneStageOutcome::Computed {
                    fit: OverallFit {
                        n,
                        events,
                        intercept: coefficient(fit.coefficients.intercept, aa),
                        slope: coefficient(fit.coefficients.slope, bb),
                    },
                }
            }
            failed => {
                let (reason, site) = not(failed.and_then(Result::err));
                OneStageOutcome::NotComputed { reason, site }
            }
        },
        by_site: match track.common_slope() {
            Some(Ok(fit)) => OneStageOutcome::Computed {
                fit: BySiteFit {
                    slope: coefficient(fit.slope, fit.variance),
                    intercepts: intercepts(exchange, track, fit.variance, &coefficient),
                },
            },
            failed => {
                let (reason, site) = not(failed.and_then(Result::err));
                OneStageOutcome::NotComputed { reason, site }
            }
        },
        model: point.model,
        endpoint: point.endpoint,
    }
}

/// Cases and events of the newest step.
fn counts(exchange: &Exchange, track: &Track) -> (u64, u64) {
    let newest = exchange.steps.last().map_or(&[][..], Vec::as_slice);
    let point = track.point();
    let blocks = newest.iter().filter_map(|release| {
        calibration_block::find(&release.statistics, &point.model, &point.endpoint)?.joint_block()
    });
    blocks.fold((0, 0), |(n, events), block| {
        (n + block.n, events + block.events)
    })
}

/// Each site's intercept at the maximum. Its variance is that of its own rows and, through the
/// slope, of all others: `1 / aa + (ab / aa)^2 var(b)`.
fn intercepts(
    exchange: &Exchange,
    track: &Track,
    slope_variance: f64,
    coefficient: &impl Fn(f64, f64) -> Coefficient,
) -> Vec<SiteIntercept> {
    let point = track.point();
    exchange
        .roster
        .iter()
        .enumerate()
        .filter_map(|(place, site)| {
            let blocks: Vec<NewtonBlock> = exchange
                .steps
                .iter()
                .filter_map(|step| {
                    let statistics = &step.get(place)?.statistics;
                    calibration_block::find(statistics, &point.model, &point.endpoint)?.own_block()
                })
                .collect();
            let [aa, ab, _] = blocks.last()?.information;
            let variance = 1.0 / aa + ab / aa * (ab / aa) * slope_variance;
            Some(SiteIntercept {
                site: site.clone(),
                intercept: coefficient(track.own_intercept(&blocks), variance),
            })
        })
        .collect()
}
