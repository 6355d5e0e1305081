//! What follows from counts with noise (D20): each hospital's area, and its rates and net benefit at
//! the protocol's thresholds; and the same of the counts of external hospitals added. Every
//! interval has the variance of the noise beside that of the sample.
//!
//! From: releases under differential privacy.
//! To: `analysis` (areas), `study`.

use schemars::JsonSchema;
use serde::{Deserialize, Serialize};

use super::estimate::{Band, Reading};
use super::result::{Excluded, Scale, SiteOutcome, SiteResult};
use crate::disclosure::noise::{NoiseStamp, NoisyHistogram, groups};
use crate::disclosure::review::MANY;
use crate::numeric::distribution;
use crate::numeric::noise::{Classes, Estimate};
use crate::statistic::stage::{Cell, Undefined};
use crate::study::{EndpointId, ModelId, SamplingDesign, SiteRole, SiteSlug, StudyProtocol};

/// What follows from the counts with noise of one model and endpoint.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize, JsonSchema)]
pub struct NoisyResult {
    /// The model.
    pub model: ModelId,
    /// The endpoint.
    pub endpoint: EndpointId,
    /// The hospital; absent where counts of several are added.
    pub site: Option<SiteSlug>,
    /// The hospitals whose counts these are.
    pub sites: Vec<SiteSlug>,
    /// Cases with the event, with noise.
    pub events: f64,
    /// Cases without, with noise.
    pub non_events: f64,
    /// Standard deviation of the noise of either.
    pub total_noise: f64,
    /// Area under the ROC curve of the score in blocks.
    pub auc: Option<NoisyEstimate>,
    /// At the protocol's thresholds.
    pub points: Vec<NoisyPoint>,
}

/// A number from counts with noise; absent where a class is not clear of its noise.
#[derive(Clone, Copy, Debug, PartialEq, Serialize, Deserialize, JsonSchema)]
pub struct NoisyEstimate {
    /// The number.
    pub value: f64,
    /// Its standard error over draws of the noise alone.
    pub noise_se: f64,
    /// Its standard error over samples and noise; absent where patients may repeat.
    pub se: Option<f64>,
    /// Its interval at the protocol's level, with the noise; absent likewise.
    pub interval: Option<[f64; 2]>,
}

/// Numbers at one threshold.
#[derive(Clone, Copy, Debug, PartialEq, Serialize, Deserialize, JsonSchema)]
pub struct NoisyPoint {
    /// Positive at or above it.
    pub threshold: f64,
    /// Sensitivity.
    pub sensitivity: Option<NoisyEstimate>,
    /// Specificity.
    pub specificity: Option<NoisyEstimate>,
    /// Net benefit; absent in a sample drawn by outcome.
    pub net_benefit: Option<NoisyEstimate>,
}

/// Every result, by endpoint and model: hospitals in the protocol's order, then their sum.
pub(super) fn all(protocol: &StudyProtocol, sites: &[SiteResult]) -> Vec<NoisyResult> {
    let mut list = Vec::new();
    for endpoint in &protocol.endpoint {
        for model in &protocol.model {
            let found: Vec<_> = sites
                .iter()
                .filter_map(|site| Some((site, Blocks::of(site, &model.id, &endpoint.id)?)))
                .collect();
            let results = found.iter().map(|(site, blocks)| NoisyResult {
                site: Some(site.site.clone()),
                ..result(
                    protocol,
                    (&model.id, &endpoint.id),
                    vec![site.site.clone()],
                    blocks,
                )
            });
            list.extend(results);
            let external = found
                .iter()
                .filter(|(site, _)| site.role == SiteRole::External);
            let (names, all): (Vec<SiteSlug>, Vec<&Blocks>) = external
                .map(|(site, blocks)| (site.site.clone(), blocks))
                .unzip();
            if names.len() >= protocol.pooling.min_sites.max(2)
                && let Some(sum) = Blocks::sum(&all)
            {
                list.push(result(protocol, (&model.id, &endpoint.id), names, &sum));
            }
        }
    }
    list
}

/// The row of a hospital with noise in the pool of areas: its area with the variance of sample and
/// noise. `None` for a hospital without noise.
pub(super) fn area(
    protocol: &StudyProtocol,
    site: &SiteResult,
    model: &ModelId,
    endpoint: &EndpointId,
) -> Option<Reading> {
    let blocks = Blocks::of(site, model, endpoint)?;
    let [events, others] = blocks.classes.totals();
    let area = blocks.classes.area().filter(|_| blocks.fits(protocol));
    let point = area.ok_or(Excluded::NotEstimable).and_then(|area| {
        let yi = distribution::logit(area.value).ok_or(Excluded::NotEstimable)?;
        let slope = area.value * (1.0 - area.value);
        Ok((yi, area.variance() / (slope * slope)))
    });
    Some(Reading {
        n: about(events + others),
        events: about(events),
        estimate: area.map_or(
            Cell::NotComputed {
                reason: Undefined::NoVariance,
            },
            |area| Cell::Rounded {
                value: area.value,
                lo: 0.0,
                hi: 1.0,
            },
        ),
        interval: Band::FromPoint,
        point,
        clustered: Some(Err(Excluded::NoVariance)),
        correction: None,
        counts: None,
    })
}

/// A count with noise as a cell: near the number, and certain of nothing.
#[allow(
    clippy::cast_possible_truncation,
    clippy::cast_sign_loss,
    reason = "not negative, and counts stay far below 2^53"
)]
fn about(total: f64) -> Cell<u64> {
    Cell::Rounded {
        value: libm::round(total.max(0.0)) as u64,
        lo: 0,
        hi: MANY,
    }
}

/// Counts of one model and endpoint, of one hospital or several.
struct Blocks {
    classes: Classes,
    /// The blocks' number in the policy, by which they are cut.
    cut: u32,
    /// Whether patients may repeat.
    repeat: bool,
}

impl Blocks {
    fn of(site: &SiteResult, model: &ModelId, endpoint: &EndpointId) -> Option<Self> {
        let stamp: &NoiseStamp = site.noise.as_ref()?;
        let mut all = site.noisy.iter();
        let same = |one: &&NoisyHistogram| one.model == *model && one.endpoint == *endpoint;
        let one = all
            .find(same)
            .filter(|_| site.outcome == SiteOutcome::Released)?;
        Some(Self {
            classes: Classes {
                events: one.events.iter().copied().map(float).collect(),
                non_events: one.non_events.iter().copied().map(float).collect(),
                variance: stamp.spread().variance,
            },
            cut: stamp.blocks,
            repeat: stamp.rows_per_patient > 1,
        })
    }

    /// The sum of hospitals that cut the grid alike; their noises add.
    fn sum(all: &[&Self]) -> Option<Self> {
        let (first, rest) = all.split_first()?;
        let mut sum = Self {
            classes: first.classes.clone(),
            cut: first.cut,
            repeat: first.repeat,
        };
        for one in rest {
            let alike = one.cut == sum.cut
                && one.classes.events.len() == sum.classes.events.len()
                && one.classes.non_events.len() == sum.classes.non_events.len();
            if !alike {
                return None;
            }
            let add = |mine: &mut Vec<f64>, theirs: &[f64]| {
                mine.iter_mut().zip(theirs).for_each(|(a, b)| *a += b);
            };
            add(&mut sum.classes.events, &one.classes.events);
            add(&mut sum.classes.non_events, &one.classes.non_events);
            sum.classes.variance += one.classes.variance;
            sum.repeat |= one.repeat;
        }
        Some(sum)
    }

    /// Whether there is a count for each block of the protocol's grid.
    fn fits(&self, protocol: &StudyProtocol) -> bool {
        let blocks = groups(protocol, self.cut).len();
        self.classes.events.len() == blocks && self.classes.non_events.len() == blocks
    }

    fn shown(&self, one: Estimate, scale: Scale, level: f64) -> NoisyEstimate {
        let se = (!self.repeat).then(|| libm::sqrt(one.variance()));
        NoisyEstimate {
            value: one.value,
            noise_se: libm::sqrt(one.noise),
            se,
            interval: se.and_then(|se| interval(one.value, se, scale, level)),
        }
    }
}

#[allow(clippy::cast_precision_loss, reason = "counts stay far below 2^53")]
fn float(count: i64) -> f64 {
    count as f64
}

/// A normal interval on `scale`, back-transformed.
fn interval(value: f64, se: f64, scale: Scale, level: f64) -> Option<[f64; 2]> {
    let critical = distribution::normal_critical(level)?;
    let (centre, se) = if scale == Scale::Logit {
        (distribution::logit(value)?, se / (value * (1.0 - value)))
    } else {
        (value, se)
    };
    let low = scale.natural(centre - critical * se)?;
    Some([low, scale.natural(centre + critical * se)?])
}

fn result(
    protocol: &StudyProtocol,
    (model, endpoint): (&ModelId, &EndpointId),
    sites: Vec<SiteSlug>,
    blocks: &Blocks,
) -> NoisyResult {
    let level = protocol.pooling.level;
    let [events, non_events] = blocks.classes.totals();
    let last = groups(protocol, blocks.cut);
    let sampled = protocol.sampling.design != SamplingDesign::OutcomeDependent;
    let point = |threshold: f64| {
        let edges = &protocol.histogram.edges;
        let ends = |end: &u32| {
            let edge = edges.get(*end as usize);
            edge.is_some_and(|edge| edge.to_bits() == threshold.to_bits())
        };
        let from = last.iter().position(ends)? + 1;
        let shares = blocks.classes.shares_from(from);
        let shown = |one: Estimate, scale| blocks.shown(one, scale, level);
        let benefit = blocks.classes.net_benefit(from, threshold);
        Some(NoisyPoint {
            threshold,
            sensitivity: shares.map(|[hits, _]| shown(hits, Scale::Logit)),
            specificity: shares.map(|[_, alarms]| {
                let rest = Estimate {
                    value: 1.0 - alarms.value,
                    ..alarms
                };
                shown(rest, Scale::Logit)
            }),
            net_benefit: benefit
                .filter(|_| sampled)
                .map(|one| shown(one, Scale::Identity)),
        })
    };
    let fits = blocks.fits(protocol);
    let thresholds = protocol.thresholds(model, endpoint).into_iter();
    NoisyResult {
        model: model.clone(),
        endpoint: endpoint.clone(),
        site: None,
        sites,
        events,
        non_events,
        total_noise: blocks.classes.total_noise(),
        auc: blocks
            .classes
            .area()
            .filter(|_| fits)
            .map(|one| blocks.shown(one, Scale::Logit, level)),
        points: thresholds.filter(|_| fits).filter_map(point).collect(),
    }
}
