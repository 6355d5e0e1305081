//! Every analysis of a study: which site rows it has, and the pool of the external ones.
//! Sites are taken in the protocol's order, never in the order of arrival.
//!
//! From: `estimate`, `random_effects`.
//! To: `study`.

use super::estimate::{self, Reading};
use super::result::{
    Analysis, AnalysisRole, Bounds, EstimateKey, Excluded, Metric, PoolOutcome, Pooled, Scale,
    SiteEstimate, SiteOutcome, SiteResult,
};
use super::robustness::HiddenValue;
use super::{mean, noisy};
use crate::statistic::Statistic;
use crate::statistic::confusion::RateMeasure;
use crate::statistic::metric::Pooling;
use crate::statistic::stage::{Cell, Disclosed};
use crate::statistic::subgroup::{Measure, SubgroupTable};
use crate::study::{AxisId, Endpoint, Model, ModelRole, SiteRole, StudyProtocol};

/// Sites whose level and rest both hold enough cases, below which a gap would compare hospitals.
const CONFOUNDED_BELOW: usize = 2;

/// An end of a metric's range this far out bounds nothing.
const OPEN_END: f64 = 1e6;

/// Every analysis the protocol plans, the primary first.
pub(super) fn all(protocol: &StudyProtocol, sites: &[SiteResult]) -> Vec<Analysis> {
    let all = Builder { protocol, sites };
    let mut analyses = Vec::new();
    let predicted = protocol.endpoint.iter();
    for endpoint in predicted.filter(|endpoint| endpoint.structure.is_none()) {
        for model in &protocol.model {
            analyses.extend(all.model(endpoint, model));
        }
        analyses.extend(all.differences(endpoint));
        for model in &protocol.model {
            analyses.extend(all.rates(endpoint, model));
        }
        analyses.extend(all.gaps(endpoint));
    }
    analyses.extend(all.estimates());
    analyses.sort_by_key(|analysis| analysis.role != AnalysisRole::Primary);
    analyses
}

struct Builder<'a> {
    protocol: &'a StudyProtocol,
    sites: &'a [SiteResult],
}

impl<'a> Builder<'a> {
    fn model(&self, endpoint: &Endpoint, model: &Model) -> Vec<Analysis> {
        let same = |m: &_, e: &_| *m == model.id && *e == endpoint.id;
        let key = |metric| self.key(metric, endpoint, model);
        let area = |statistic: &Statistic<Disclosed>| {
            let found = statistic
                .auc()
                .filter(|one| same(&one.model, &one.endpoint));
            found.map(estimate::area)
        };
        let ratio = |statistic: &Statistic<Disclosed>| {
            let found = statistic.observed_expected();
            found
                .filter(|one| same(&one.model, &one.endpoint))
                .map(estimate::ratio)
        };
        // A site with noise has no statistic but its counts, from which an area follows.
        let level = self.protocol.pooling.level;
        let areas = self.released().filter_map(|site| {
            let reading = noisy::area(self.protocol, site, &model.id, &endpoint.id);
            let reading = reading.or_else(|| site.statistics.iter().find_map(&area))?;
            Some(reading.row(site, Scale::Logit, level))
        });
        vec![
            self.finish(key(Metric::Auc), Scale::Logit, areas.collect()),
            self.pooled(key(Metric::ObservedExpected), Scale::Log, ratio),
        ]
    }

    fn differences(&self, endpoint: &Endpoint) -> Vec<Analysis> {
        let Some(index) = self.protocol.index_model() else {
            return Vec::new();
        };
        self.protocol
            .comparators()
            .map(|comparator| {
                let mut key = self.key(Metric::AucDifference, endpoint, index);
                key.comparator = Some(comparator.id.clone());
                self.pooled(key, Scale::Identity, |statistic| {
                    let found = statistic.paired_auc().filter(|one| {
                        one.model == index.id
                            && one.comparator == comparator.id
                            && one.endpoint == endpoint.id
                    });
                    found.map(estimate::difference)
                })
            })
            .collect()
    }

    fn rates(&self, endpoint: &Endpoint, model: &Model) -> Vec<Analysis> {
        let mut analyses = Vec::new();
        for threshold in self.protocol.thresholds(&model.id, &endpoint.id) {
            for measure in RateMeasure::ALL {
                let metric = estimate::rate_metric(*measure);
                let mut key = self.key(metric, endpoint, model);
                key.threshold = Some(threshold);
                analyses.push(self.pooled(key, metric.entry().scale, |statistic| {
                    let found = statistic.confusion().filter(|one| {
                        one.model == model.id
                            && one.endpoint == endpoint.id
                            && one.threshold.to_bits() == threshold.to_bits()
                    });
                    estimate::rate(found?, *measure)
                }));
            }
        }
        analyses
    }

    fn gaps(&self, endpoint: &Endpoint) -> Vec<Analysis> {
        let Some(index) = self.protocol.index_model() else {
            return Vec::new();
        };
        let mut analyses = Vec::new();
        for axis in &self.protocol.subgroup {
            let Some(field) = self.protocol.find_field(&axis.field) else {
                continue;
            };
            for level in axis.levels(field) {
                for measure in Measure::ALL {
                    let mut key = self.key(estimate::gap_metric(*measure), endpoint, index);
                    key.axis = Some(axis.id.clone());
                    key.level = Some(level.clone());
                    let role = if axis.prespecified {
                        AnalysisRole::Secondary
                    } else {
                        AnalysisRole::Exploratory
                    };
                    let gap = self.gap(key, role, *measure);
                    // A level that no hospital has is no comparison.
                    if gap.sites.iter().any(|row| row.n != Cell::Zero) {
                        analyses.push(gap);
                    }
                }
            }
        }
        analyses
    }

    fn gap(&self, key: EstimateKey, role: AnalysisRole, measure: Measure) -> Analysis {
        let log = measure == Measure::ObservedExpected;
        let scale = if log { Scale::Log } else { Scale::Identity };
        if measure.needs_threshold() {
            let threshold = self.protocol.thresholds(&key.model, &key.endpoint);
            let key = EstimateKey {
                threshold: threshold.first().copied(),
                ..key
            };
            return self.gap_pool(key, role, scale, measure);
        }
        self.gap_pool(key, role, scale, measure)
    }

    fn gap_pool(
        &self,
        key: EstimateKey,
        role: AnalysisRole,
        scale: Scale,
        measure: Measure,
    ) -> Analysis {
        let read = |statistic: &Statistic<Disclosed>| {
            let table = statistic.subgroup_table().filter(|table| {
                table.model == key.model
                    && table.endpoint == key.endpoint
                    && Some(&table.axis) == key.axis.as_ref()
            })?;
            let row = table
                .rows
                .iter()
                .find(|row| Some(&row.level) == key.level.as_ref())?;
            estimate::gap(row, measure, total(table))
        };
        let sites = self.rows(scale, read);
        let comparable = sites
            .iter()
            .filter(|row| {
                !matches!(
                    row.excluded,
                    Some(Excluded::SmallGroup | Excluded::NotExternal)
                )
            })
            .filter(|row| row.n.number().is_some())
            .count();
        let known = sites.iter().any(|row| row.n.number().is_some());
        if known && comparable < CONFOUNDED_BELOW {
            return Analysis {
                key,
                role,
                scale,
                sites,
                pool: PoolOutcome::ConfoundedWithSite,
            };
        }
        let mut analysis = self.finish(key, scale, sites);
        analysis.role = role;
        analysis
    }

    /// One analysis for each key that some site released, in the order of the first to do so;
    /// the register says on which scale, and whether sites are pooled.
    fn estimates(&self) -> Vec<Analysis> {
        let mut keys: Vec<&EstimateKey> = Vec::new();
        let statistics = self.released().flat_map(|site| &site.statistics);
        for one in statistics.filter_map(Statistic::estimate) {
            if !keys.contains(&&one.key) {
                keys.push(&one.key);
            }
        }
        keys.into_iter().map(|key| self.estimated(key)).collect()
    }

    fn estimated(&self, key: &EstimateKey) -> Analysis {
        let entry = key.metric.entry();
        let read = |statistic: &Statistic<Disclosed>| {
            let found = statistic.estimate().filter(|one| one.key == *key);
            found.map(estimate::released)
        };
        let mut analysis = match entry.pooling {
            Pooling::Mean => self.pooled(key.clone(), entry.scale, read),
            Pooling::Described => self.described(key.clone(), entry.scale, read),
        };
        let axis = |id: &AxisId| self.protocol.subgroup.iter().find(|axis| axis.id == *id);
        let declared = key.axis.as_ref().and_then(axis);
        if declared.is_some_and(|axis| !axis.prespecified) {
            analysis.role = AnalysisRole::Exploratory;
        }
        analysis
    }

    fn key(&self, metric: Metric, endpoint: &Endpoint, model: &Model) -> EstimateKey {
        EstimateKey::whole(metric, model.id.clone(), endpoint.id.clone())
    }

    fn released(&self) -> impl Iterator<Item = &'a SiteResult> {
        let sites = self.sites.iter();
        sites.filter(|site| site.outcome == SiteOutcome::Released)
    }

    fn rows(
        &self,
        scale: Scale,
        read: impl Fn(&'a Statistic<Disclosed>) -> Option<Reading>,
    ) -> Vec<SiteEstimate> {
        self.released()
            .filter_map(|site| {
                let reading = site.statistics.iter().find_map(&read)?;
                Some(reading.row(site, scale, self.protocol.pooling.level))
            })
            .collect()
    }

    fn pooled(
        &self,
        key: EstimateKey,
        scale: Scale,
        read: impl Fn(&'a Statistic<Disclosed>) -> Option<Reading>,
    ) -> Analysis {
        let sites = self.rows(scale, read);
        self.finish(key, scale, sites)
    }

    fn described(
        &self,
        key: EstimateKey,
        scale: Scale,
        read: impl Fn(&'a Statistic<Disclosed>) -> Option<Reading>,
    ) -> Analysis {
        let sites = self.rows(scale, read);
        let role = self.role(&key);
        Analysis {
            key,
            role,
            scale,
            sites,
            pool: PoolOutcome::NotPooled,
        }
    }

    fn role(&self, key: &EstimateKey) -> AnalysisRole {
        let primary = &self.protocol.analysis.primary;
        let metric = Metric::of_primary(primary.metric);
        let index = self.protocol.find_model(&key.model).map(|model| model.role);
        let first_tolerance = || {
            let plan = self.protocol.segmentation.as_ref()?;
            plan.tolerance_mm.first().copied()
        };
        let same = key.is_whole()
            && key.metric == metric
            && (key.tolerance_mm.is_none() || key.tolerance_mm == first_tolerance())
            && key.model == primary.model
            && key.endpoint == primary.endpoint
            && index == Some(ModelRole::Index);
        if same {
            AnalysisRole::Primary
        } else {
            AnalysisRole::Secondary
        }
    }

    /// Pools the external sites that have a point, and gives them their weights.
    fn finish(&self, key: EstimateKey, scale: Scale, mut sites: Vec<SiteEstimate>) -> Analysis {
        let inside =
            |row: &SiteEstimate| row.excluded.is_none() && row.yi.is_some() && row.vi.is_some();
        let members: Vec<&SiteEstimate> = sites.iter().filter(|row| inside(row)).collect();
        let minimum = self.protocol.pooling.min_sites;
        let found = mean::over(&self.protocol.pooling, scale, &members, key.is_whole());
        let pool = if members.len() < minimum {
            PoolOutcome::TooFewSites {
                sites: members.len(),
                minimum,
            }
        } else {
            match found {
                None => PoolOutcome::Failed,
                Some((mut pool, weights)) => {
                    pool.robustness.withheld = self.withheld(&key, &sites, &pool);
                    let rows = sites.iter_mut().filter(|row| inside(row));
                    rows.zip(weights)
                        .for_each(|(row, weight)| row.weight = Some(weight));
                    PoolOutcome::Pooled(Box::new(pool))
                }
            }
        };
        Analysis {
            role: self.role(&key),
            key,
            scale,
            sites,
            pool,
        }
    }

    /// What the mean would be with every withheld value at either end of what is known of it:
    /// values that a release hides, and, for all cases, sites whose whole release is withheld.
    fn withheld(&self, key: &EstimateKey, rows: &[SiteEstimate], pool: &Pooled) -> Option<Bounds> {
        let (lowest, highest) = key.metric.entry().form.bounds();
        let bounded = |value: f64| Some(value).filter(|value| value.abs() < OPEN_END);
        let end = |value: f64| bounded(value.clamp(lowest, highest));
        let hidden = self.sites.iter().filter_map(|site| {
            if site.role != SiteRole::External {
                return None;
            }
            let row = rows.iter().find(|row| row.site == site.site);
            match (site.outcome, row) {
                (SiteOutcome::Released, Some(row))
                    if row.excluded == Some(Excluded::Suppressed) =>
                {
                    let (low, high) = row.estimate.bounds().unwrap_or((lowest, highest));
                    Some(HiddenValue {
                        site: site.site.clone(),
                        low: end(low),
                        high: end(high),
                    })
                }
                (
                    SiteOutcome::NotReleased | SiteOutcome::Quarantined | SiteOutcome::Withdrew,
                    _,
                ) => Some(HiddenValue {
                    site: site.site.clone(),
                    low: bounded(lowest),
                    high: bounded(highest),
                }),
                (SiteOutcome::Released | SiteOutcome::Refused | SiteOutcome::NoAnswer, _) => None,
            }
        });
        let mean = [pool.low, pool.estimate, pool.high];
        Bounds::of(mean, pool.k, &hidden.collect::<Vec<_>>())
    }
}

/// Cases at the site, as far as the axis' rows say.
fn total(table: &SubgroupTable<Disclosed>) -> Cell<u64> {
    let cells = table.rows.iter().map(|row| row.n);
    cells
        .filter(|cell| cell.number().is_some())
        .fold(Cell::Zero, Cell::plus)
}
