//! Clinical utility and paired decisions over sites: McNemar's tests on the sums of discordant
//! pairs, decision curves from summed counts of external sites.
//!
//! Sums speak about these sites' patients together. The headline stands among the analyses: the
//! random-effects mean of each site's net benefit. Where a count is rounded or hidden nothing is
//! summed, and where patients repeat nothing has an interval (decision C2).
//!
//! From: `statistic::{discordance, histogram}` (disclosed).
//! To: `study`.

use schemars::JsonSchema;
use serde::{Deserialize, Serialize};

use super::result::{SiteOutcome, SiteResult};
use crate::numeric::distribution::normal_critical;
use crate::numeric::mcnemar::Discordant;
use crate::numeric::net_benefit::{Decided, Prevalence, Question};
use crate::statistic::Statistic;
use crate::statistic::discordance::Discordance;
use crate::statistic::histogram::{Block, bin_of};
use crate::statistic::stage::{Cell, Disclosed, Undefined};
use crate::study::{EndpointId, ModelId, SiteRole, SiteSlug, StudyProtocol};

/// Confidence level of the intervals from sums.
const LEVEL: f64 = 0.95;

/// Both models' decisions crossed, per site and over external sites.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize, JsonSchema)]
pub struct PooledCrossed {
    /// The model under validation.
    pub model: ModelId,
    /// What it is compared with.
    pub comparator: ModelId,
    /// The endpoint.
    pub endpoint: EndpointId,
    /// The model's threshold.
    pub threshold: f64,
    /// The comparator's threshold.
    pub comparator_threshold: f64,
    /// Per site: the eight groups and its own tests.
    pub sites: Vec<SiteCrossed>,
    /// Events of external sites: both positive, only the model, only the comparator, neither.
    pub events: [Cell<u64>; 4],
    /// Non-events, in the same order.
    pub non_events: [Cell<u64>; 4],
    /// McNemar's test within events, stratified by site.
    pub event_test: McNemar,
    /// Within non-events.
    pub non_event_test: McNemar,
    /// Over both classes: right against wrong decisions.
    pub overall_test: McNemar,
}

/// One site's crossed decisions.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize, JsonSchema)]
pub struct SiteCrossed {
    /// The site.
    pub site: SiteSlug,
    /// Its relation to the model.
    pub role: SiteRole,
    /// Events: both positive, only the model, only the comparator, neither.
    pub events: [Cell<u64>; 4],
    /// Non-events, in the same order.
    pub non_events: [Cell<u64>; 4],
    /// Mid-p value within events, as the site computed it.
    pub event_p: Cell<f64>,
    /// Mid-p value within non-events.
    pub non_event_p: Cell<f64>,
}

/// McNemar's tests on summed discordant pairs.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize, JsonSchema)]
#[serde(tag = "outcome", rename_all = "kebab-case")]
pub enum McNemar {
    /// Computed.
    Computed {
        /// Sites in the sums.
        sites: Vec<SiteSlug>,
        /// Pairs in which only the model is right.
        model_right: u64,
        /// Pairs in which only the comparator is right.
        comparator_right: u64,
        /// Chi-squared on one degree of freedom.
        chi_squared: f64,
        /// Its p value.
        p_value: f64,
        /// Chi-squared with continuity correction.
        corrected: f64,
        /// Its p value.
        corrected_p: f64,
        /// Exact binomial p value.
        exact_p: f64,
        /// Mid-p value, the one to read.
        mid_p: f64,
    },
    /// Not computed.
    NotComputed {
        /// Why.
        reason: Undefined,
    },
}

/// Net benefit over thresholds from summed counts of external sites.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize, JsonSchema)]
pub struct MergedBenefit {
    /// The model.
    pub model: ModelId,
    /// The endpoint.
    pub endpoint: EndpointId,
    /// The declared prevalence; absent for that of the merged patients.
    pub prevalence: Option<f64>,
    /// Sites in the sums.
    pub sites: Vec<SiteSlug>,
    /// By ascending threshold.
    pub points: Vec<BenefitPoint>,
}

/// Net benefit at one threshold.
#[derive(Clone, Copy, Debug, PartialEq, Serialize, Deserialize, JsonSchema)]
pub struct BenefitPoint {
    /// The threshold.
    pub threshold: f64,
    /// Net benefit of treating by the model; of treating nobody it is 0.
    pub net_benefit: f64,
    /// Its 95 % interval, for these sites only; absent where patients repeat.
    pub interval: Option<[f64; 2]>,
    /// Net benefit of treating everybody.
    pub treat_all: f64,
    /// Needless treatments avoided per patient, against treating everybody.
    pub avoided: f64,
}

fn released(sites: &[SiteResult]) -> impl Iterator<Item = &SiteResult> {
    let mut all = sites.iter();
    std::iter::from_fn(move || {
        all.by_ref()
            .find(|one| one.outcome == SiteOutcome::Released)
    })
}

/// Crossed decisions in the protocol's order.
pub(super) fn crossed(protocol: &StudyProtocol, sites: &[SiteResult]) -> Vec<PooledCrossed> {
    let Some(index) = protocol.index_model() else {
        return Vec::new();
    };
    let mut found = Vec::new();
    for endpoint in &protocol.endpoint {
        for comparator in protocol.comparators() {
            let pairs = protocol.paired_thresholds(&index.id, &comparator.id, &endpoint.id);
            for (first, second) in pairs {
                let wanted = |one: &&Discordance<Disclosed>| {
                    one.model == index.id
                        && one.comparator == comparator.id
                        && one.endpoint == endpoint.id
                        && one.threshold.to_bits() == first.to_bits()
                        && one.comparator_threshold.to_bits() == second.to_bits()
                };
                let members: Vec<(&SiteResult, &Discordance<Disclosed>)> = released(sites)
                    .filter_map(|site| {
                        let mut tables = site.statistics.iter().filter_map(Statistic::discordance);
                        Some((site, tables.find(wanted)?))
                    })
                    .collect();
                found.extend(over_sites(&members));
            }
        }
    }
    found
}

fn over_sites(members: &[(&SiteResult, &Discordance<Disclosed>)]) -> Option<PooledCrossed> {
    let (_, first) = members.first()?;
    let external: Vec<_> = members
        .iter()
        .filter(|(site, _)| site.role == SiteRole::External)
        .collect();
    let total = |pick: fn(&Discordance<Disclosed>) -> [Cell<u64>; 4]| {
        external.iter().fold([Cell::Zero; 4], |mut sum, (_, one)| {
            let add = |(sum, cell): (&mut Cell<u64>, Cell<u64>)| *sum = sum.plus(cell);
            sum.iter_mut().zip(pick(one)).for_each(add);
            sum
        })
    };
    let test = |pairs: fn(&Discordance<Disclosed>) -> Option<Discordant>| {
        let mut sum = Discordant::default();
        let mut named = Vec::new();
        let single = external.iter().filter(|(site, _)| !site.clustered);
        for (site, one) in single {
            if let Some(found) = pairs(one) {
                sum = sum.merge(found);
                named.push(site.site.clone());
            }
        }
        let repeats = external.iter().any(|(site, _)| site.clustered);
        mcnemar(sum, named, repeats)
    };
    Some(PooledCrossed {
        model: first.model.clone(),
        comparator: first.comparator.clone(),
        endpoint: first.endpoint.clone(),
        threshold: first.threshold,
        comparator_threshold: first.comparator_threshold,
        events: total(events),
        non_events: total(non_events),
        event_test: test(event_pairs),
        non_event_test: test(non_event_pairs),
        overall_test: test(|one| Some(event_pairs(one)?.merge(non_event_pairs(one)?))),
        sites: members
            .iter()
            .map(|(site, one)| SiteCrossed {
                site: site.site.clone(),
                role: site.role,
                events: events(one),
                non_events: non_events(one),
                event_p: one.events.mid_p,
                non_event_p: one.non_events.mid_p,
            })
            .collect(),
    })
}

fn events(one: &Discordance<Disclosed>) -> [Cell<u64>; 4] {
    one.events.counts().map(|cell| *cell)
}

fn non_events(one: &Discordance<Disclosed>) -> [Cell<u64>; 4] {
    one.non_events.counts().map(|cell| *cell)
}

/// Among events a positive decision is right.
fn event_pairs(one: &Discordance<Disclosed>) -> Option<Discordant> {
    Some(Discordant {
        first: one.events.model_only.exact()?,
        second: one.events.comparator_only.exact()?,
    })
}

fn non_event_pairs(one: &Discordance<Disclosed>) -> Option<Discordant> {
    Some(Discordant {
        first: one.non_events.comparator_only.exact()?,
        second: one.non_events.model_only.exact()?,
    })
}

fn mcnemar(pairs: Discordant, sites: Vec<SiteSlug>, repeats: bool) -> McNemar {
    let tests = || {
        Some((
            pairs.chi2()?,
            pairs.chi2_corrected()?,
            pairs.exact_p()?,
            pairs.mid_p()?,
        ))
    };
    match tests() {
        Some((plain, corrected, exact_p, mid_p)) => McNemar::Computed {
            sites,
            model_right: pairs.first,
            comparator_right: pairs.second,
            chi_squared: plain.statistic,
            p_value: plain.p,
            corrected: corrected.statistic,
            corrected_p: corrected.p,
            exact_p,
            mid_p,
        },
        None => McNemar::NotComputed {
            reason: match (sites.is_empty(), repeats) {
                (true, true) => Undefined::Clustered,
                (true, false) => Undefined::NotInPolicy,
                (false, _) => Undefined::NoVariance,
            },
        },
    }
}

/// Where sums are stated: observed, then each declared prevalence.
fn prevalences(protocol: &StudyProtocol, endpoint: &EndpointId) -> Vec<Option<f64>> {
    let declared = protocol.target_prevalences(endpoint);
    let mut all = vec![None];
    all.extend(declared.into_iter().map(Some));
    all
}

fn stated(prevalence: Option<f64>) -> Prevalence {
    prevalence.map_or(Prevalence::Observed, Prevalence::Declared)
}

/// Decision curves from exact histograms of all external sites, from the protocol's minimum of
/// sites on.
pub(super) fn curves(protocol: &StudyProtocol, sites: &[SiteResult]) -> Vec<MergedBenefit> {
    let mut found = Vec::new();
    for endpoint in &protocol.endpoint {
        for model in &protocol.model {
            let read = |site: &SiteResult| {
                let mut all = site.statistics.iter().filter_map(Statistic::histogram);
                all.find(|one| one.model == model.id && one.endpoint == endpoint.id)
                    .cloned()
            };
            let Some(members) = external(protocol, sites, read) else {
                continue;
            };
            let edges = &protocol.histogram.edges;
            let table = |threshold: f64| {
                let first = bin_of(edges, threshold);
                let on_grid = edges
                    .iter()
                    .any(|edge| edge.to_bits() == threshold.to_bits());
                let each = members.iter().map(|(_, one)| {
                    let (hit, miss) = cut(&one.events, first)?;
                    let (alarm, spared) = cut(&one.non_events, first)?;
                    Some(Decided {
                        true_positive: hit,
                        false_positive: alarm,
                        false_negative: miss,
                        true_negative: spared,
                    })
                });
                on_grid.then(|| summed(each)).flatten()
            };
            let clustered = members.iter().any(|(site, _)| site.clustered);
            let thresholds = protocol.curve_thresholds(&model.id, &endpoint.id);
            for prevalence in prevalences(protocol, &endpoint.id) {
                let points: Vec<BenefitPoint> = thresholds
                    .iter()
                    .filter_map(|at| point(table(*at)?, *at, stated(prevalence), clustered))
                    .collect();
                if points.is_empty() {
                    continue;
                }
                found.push(MergedBenefit {
                    model: model.id.clone(),
                    endpoint: endpoint.id.clone(),
                    prevalence,
                    sites: members.iter().map(|(site, _)| site.site.clone()).collect(),
                    points,
                });
            }
        }
    }
    found
}

/// What every external site released; `None` below the protocol's minimum of sites.
fn external<'a, T>(
    protocol: &StudyProtocol,
    sites: &'a [SiteResult],
    read: impl Fn(&'a SiteResult) -> Option<T>,
) -> Option<Vec<(&'a SiteResult, T)>> {
    let members: Vec<(&SiteResult, T)> = released(sites)
        .filter(|site| site.role == SiteRole::External)
        .filter_map(|site| Some((site, read(site)?)))
        .collect();
    (members.len() >= protocol.pooling.min_sites.max(1)).then_some(members)
}

fn summed(each: impl Iterator<Item = Option<Decided>>) -> Option<Decided> {
    let mut sum = Decided::default();
    for table in each {
        sum = sum.merge(table?);
    }
    Some(sum)
}

/// Cases at or above the bin, and below it; `None` unless a block ends there and all are exact.
fn cut(blocks: &[Block<Disclosed>], first: usize) -> Option<(u64, u64)> {
    let first = u32::try_from(first).ok()?;
    let (mut above, mut below) = (0_u64, 0_u64);
    for block in blocks {
        let count = block.count.exact()?;
        if block.first >= first {
            above = above.checked_add(count)?;
        } else if block.last < first {
            below = below.checked_add(count)?;
        } else {
            return None;
        }
    }
    Some((above, below))
}

fn point(
    table: Decided,
    threshold: f64,
    prevalence: Prevalence,
    clustered: bool,
) -> Option<BenefitPoint> {
    let ask = |question| table.estimate(question, threshold, prevalence);
    let (net_benefit, variance) = ask(Question::NetBenefit)?;
    let half = normal_critical(LEVEL).map(|critical| critical * variance.sqrt());
    let usable = !clustered && variance > 0.0;
    Some(BenefitPoint {
        threshold,
        net_benefit,
        interval: half
            .filter(|_| usable)
            .map(|half| [net_benefit - half, net_benefit + half]),
        treat_all: ask(Question::TreatAll)?.0,
        avoided: ask(Question::Avoided)?.0,
    })
}
