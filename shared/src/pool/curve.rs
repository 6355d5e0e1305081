//! ROC and precision-recall curves and score distributions from class histograms: per site, and over all external
//! sites where every block is exact. A merged curve counts pairs between hospitals; the
//! headline does not (decision C7).
//!
//! From: `statistic::histogram` (disclosed).
//! To: `study`.

use super::result::{
    AreaBounds, BlockShare, MergedCurve, PrPoint, RocPoint, SiteOutcome, SiteResult,
};
use crate::numeric::area_bounds;
use crate::numeric::roc::{self, Step};
use crate::numeric::{Interval, delong};
use crate::statistic::Statistic;
use crate::statistic::histogram::{Block, Histogram};
use crate::statistic::stage::Disclosed;
use crate::study::{EndpointId, ModelId, SamplingDesign, SiteRole, SiteSlug, StudyProtocol};

/// Curves per model and endpoint: each site's, then the merged one.
pub(super) fn all(protocol: &StudyProtocol, sites: &[SiteResult]) -> Vec<MergedCurve> {
    let mut curves = Vec::new();
    for endpoint in &protocol.endpoint {
        for model in &protocol.model {
            let found = histograms(sites, &model.id, &endpoint.id);
            for (site, histogram) in &found {
                let counts = Counts::of(histogram, site.clustered);
                let members = vec![site.site.clone()];
                curves.extend(counts.and_then(|counts| {
                    curve(
                        protocol,
                        &model.id,
                        &endpoint.id,
                        Some(site.site.clone()),
                        members,
                        &counts,
                    )
                }));
            }
            curves.extend(merged(protocol, &model.id, &endpoint.id, &found));
        }
    }
    curves
}

/// Where the AUC lies, per model and endpoint: at each site whose blocks are not all exact, and over
/// the merged patients of the external sites when one of them is such a site.
pub(super) fn area_bounds(protocol: &StudyProtocol, sites: &[SiteResult]) -> Vec<AreaBounds> {
    let mut list = Vec::new();
    for endpoint in &protocol.endpoint {
        for model in &protocol.model {
            let found = histograms(sites, &model.id, &endpoint.id);
            let open: Vec<_> = found
                .iter()
                .filter(|(_, one)| blocks(one).any(|block| block.count.exact().is_none()))
                .collect();
            let mut push = |site: Option<&SiteSlug>, of: &[&Histogram<Disclosed>], sites| {
                let class = |pick: fn(&Histogram<Disclosed>) -> &Vec<Block<Disclosed>>| {
                    of.iter()
                        .flat_map(|one| pick(one))
                        .map(Block::score_block)
                        .collect::<Option<Vec<_>>>()
                };
                let classes = class(|one| &one.events).zip(class(|one| &one.non_events));
                let region =
                    classes.and_then(|(events, rest)| area_bounds::area_bounds(&events, &rest));
                list.extend(region.map(|region| AreaBounds {
                    model: model.id.clone(),
                    endpoint: endpoint.id.clone(),
                    site: site.cloned(),
                    sites,
                    low: region.lower,
                    high: region.upper,
                }));
            };
            for (site, histogram) in &open {
                push(Some(&site.site), &[histogram], vec![site.site.clone()]);
            }
            let external = |(site, _): &&(&SiteResult, _)| site.role == SiteRole::External;
            let members: Vec<_> = found.iter().filter(external).collect();
            let any = open.iter().any(|one| one.0.role == SiteRole::External);
            if any && members.len() >= protocol.pooling.min_sites {
                let names = members.iter().map(|(site, _)| site.site.clone()).collect();
                let all: Vec<_> = members.iter().map(|(_, one)| *one).collect();
                push(None, &all, names);
            }
        }
    }
    list
}

fn blocks(one: &Histogram<Disclosed>) -> impl Iterator<Item = &Block<Disclosed>> {
    one.events.iter().chain(&one.non_events)
}

fn histograms<'a>(
    sites: &'a [SiteResult],
    model: &ModelId,
    endpoint: &EndpointId,
) -> Vec<(&'a SiteResult, &'a Histogram<Disclosed>)> {
    sites
        .iter()
        .filter(|site| site.outcome == SiteOutcome::Released)
        .filter_map(|site| {
            let histogram = site
                .statistics
                .iter()
                .filter_map(Statistic::histogram)
                .find(|one| one.model == *model && one.endpoint == *endpoint)?;
            Some((site, histogram))
        })
        .collect()
}

/// Counts of both classes on common blocks: last bin of each block, events, non-events.
struct Counts {
    last: Vec<u32>,
    events: Vec<u64>,
    non_events: Vec<u64>,
    exact: bool,
    clustered: bool,
}

impl Counts {
    /// Both classes on the edges they share; `None` when a block has no number.
    fn of(histogram: &Histogram<Disclosed>, clustered: bool) -> Option<Self> {
        let last: Vec<u32> = histogram
            .events
            .iter()
            .map(|block| block.last)
            .filter(|last| histogram.non_events.iter().any(|block| block.last == *last))
            .collect();
        let blocks = || histogram.events.iter().chain(&histogram.non_events);
        Some(Self {
            events: coarsen(&histogram.events, &last)?,
            non_events: coarsen(&histogram.non_events, &last)?,
            exact: blocks().all(|block| block.count.exact().is_some()),
            clustered,
            last,
        })
    }

    fn merge(mut self, other: &Self) -> Option<Self> {
        if self.last != other.last {
            return None;
        }
        for (mine, theirs) in self.events.iter_mut().zip(&other.events) {
            *mine = mine.checked_add(*theirs)?;
        }
        for (mine, theirs) in self.non_events.iter_mut().zip(&other.non_events) {
            *mine = mine.checked_add(*theirs)?;
        }
        self.clustered |= other.clustered;
        Some(self)
    }
}

fn coarsen(blocks: &[Block<Disclosed>], last: &[u32]) -> Option<Vec<u64>> {
    let mut counts = Vec::with_capacity(last.len());
    let mut sum = 0_u64;
    for block in blocks {
        sum = sum.checked_add(block.count.number()?)?;
        if last.contains(&block.last) {
            counts.push(std::mem::take(&mut sum));
        }
    }
    Some(counts)
}

/// The merged curve of external sites: only from exact blocks, and only from the protocol's
/// minimum of sites on, since no point is printed from rounded or hidden blocks.
fn merged(
    protocol: &StudyProtocol,
    model: &ModelId,
    endpoint: &EndpointId,
    found: &[(&SiteResult, &Histogram<Disclosed>)],
) -> Option<MergedCurve> {
    let external: Vec<_> = found
        .iter()
        .filter(|(site, _)| site.role == SiteRole::External)
        .collect();
    if external.len() < protocol.pooling.min_sites {
        return None;
    }
    let mut total: Option<Counts> = None;
    let mut members = Vec::new();
    for (site, histogram) in external {
        let counts = Counts::of(histogram, site.clustered).filter(|counts| counts.exact)?;
        total = match total {
            None => Some(counts),
            Some(sum) => Some(sum.merge(&counts)?),
        };
        members.push(site.site.clone());
    }
    curve(protocol, model, endpoint, None, members, &total?)
}

fn curve(
    protocol: &StudyProtocol,
    model: &ModelId,
    endpoint: &EndpointId,
    site: Option<SiteSlug>,
    sites: Vec<SiteSlug>,
    counts: &Counts,
) -> Option<MergedCurve> {
    let area = delong::from_histogram(&counts.events, &counts.non_events).ok()?;
    let edges = &protocol.histogram.edges;
    let upper = |last: u32| edges.get(last as usize).copied().unwrap_or(1.0);
    // From rounded counts there is no variance; where patients repeat, it would be too small (decision C2).
    let variance = if counts.clustered || !counts.exact {
        None
    } else {
        area.binned.variance
    };
    let (points, precision_recall) = points(protocol, counts, &upper)?;
    Some(MergedCurve {
        model: model.clone(),
        endpoint: endpoint.clone(),
        site,
        points,
        precision_recall,
        events: shares(&counts.last, &counts.events, &upper),
        non_events: shares(&counts.last, &counts.non_events, &upper),
        auc: area.binned.auc?,
        variance,
        error_bound: area.error_bound?,
        exact: counts.exact,
        sites,
    })
}

/// Both curves, point by point, with pointwise intervals where the counts allow them.
fn points(
    protocol: &StudyProtocol,
    counts: &Counts,
    upper: &dyn Fn(u32) -> f64,
) -> Option<(Vec<RocPoint>, Vec<PrPoint>)> {
    let steps: Vec<Step> = counts
        .events
        .iter()
        .zip(&counts.non_events)
        .map(|(events, non_events)| Step {
            events: *events,
            non_events: *non_events,
        })
        .collect();
    let (method, level) = (protocol.intervals.proportion, protocol.pooling.level);
    // From rounded counts, and where patients repeat, an interval would be too narrow.
    let sharp = counts.exact && !counts.clustered;
    let ends = |found: Interval| [found.lower, found.upper];
    // Precision says nothing in a sample drawn by outcome (decision C3).
    let sampled = protocol.sampling.design != SamplingDesign::OutcomeDependent;
    let (mut roc, mut precision_recall) = (Vec::new(), Vec::new());
    for point in roc::points(&steps)? {
        let band = point
            .band(&steps, |k, n| method.of(k, n, level))
            .filter(|_| sharp);
        let below = point.step.checked_sub(1);
        let lower = below.map_or(0.0, |before| {
            counts.last.get(before).map_or(1.0, |last| upper(*last))
        });
        let threshold = (point.step < steps.len()).then_some(lower);
        roc.push(RocPoint {
            threshold,
            fpr: point.false_positive_rate,
            tpr: point.sensitivity,
            band: band.map(|band| ends(band.sensitivity)),
        });
        if let (Some(threshold), Some(precision), true) = (threshold, point.precision, sampled) {
            precision_recall.push(PrPoint {
                threshold,
                recall: point.sensitivity,
                precision,
                band: band.and_then(|band| band.precision).map(ends),
            });
        }
    }
    Some((roc, precision_recall))
}

#[allow(
    clippy::cast_precision_loss,
    reason = "counts of cases stay far below 2^53"
)]
fn shares(last: &[u32], counts: &[u64], upper: &dyn Fn(u32) -> f64) -> Vec<BlockShare> {
    let total = counts.iter().sum::<u64>() as f64;
    let mut from = 0.0;
    last.iter()
        .zip(counts)
        .map(|(last, count)| {
            let to = upper(*last);
            let share = BlockShare {
                from,
                to,
                share: *count as f64 / total,
            };
            from = to;
            share
        })
        .collect()
}
