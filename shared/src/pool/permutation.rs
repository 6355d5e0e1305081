//! Label permutation within sites, over sites: deviations and variances add, so that the test
//! over all external sites needs no rank across them (van Elteren 1960).
//!
//! From: `statistic::permutation` (disclosed).
//! To: `study`.

use schemars::JsonSchema;
use serde::{Deserialize, Serialize};

use super::result::{SiteOutcome, SiteResult};
use crate::numeric::permutation::RankTest;
use crate::statistic::stage::{Cell, Disclosed};
use crate::statistic::{Statistic, permutation::Permutation};
use crate::study::{EndpointId, ModelId, PermutationPlan, SiteRole, SiteSlug};

/// One model's permutation test over sites.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize, JsonSchema)]
pub struct PooledPermutation {
    /// The model.
    pub model: ModelId,
    /// The endpoint.
    pub endpoint: EndpointId,
    /// Each site that released.
    pub sites: Vec<SitePermutation>,
    /// External sites in the sums.
    pub summed: Vec<SiteSlug>,
    /// Sum of deviations over the root of the sum of variances.
    pub z: Option<f64>,
    /// Its two-sided p value.
    pub p_value: Option<f64>,
}

/// One site's permutation test.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize, JsonSchema)]
pub struct SitePermutation {
    /// The site.
    pub site: SiteSlug,
    /// Its relation to the model.
    pub role: SiteRole,
    /// Rank sum of the events minus its expectation.
    pub deviation: Cell<f64>,
    /// Its variance under permutation.
    pub variance: Cell<f64>,
    /// Deviation over its standard deviation.
    pub z: Option<f64>,
    /// Its two-sided p value by the normal law.
    pub p_value: Option<f64>,
    /// Exact two-sided p value, for small sites.
    pub exact_p: Cell<f64>,
    /// Shuffles asked for, and their p value.
    pub shuffled: Option<(PermutationPlan, Cell<f64>)>,
}

/// Every model that some site released a permutation test of.
pub(super) fn all(sites: &[SiteResult]) -> Vec<PooledPermutation> {
    let mut found: Vec<PooledPermutation> = Vec::new();
    let released = sites
        .iter()
        .filter(|site| site.outcome == SiteOutcome::Released);
    for site in released {
        for one in site.statistics.iter().filter_map(Statistic::permutation) {
            let same = |pooled: &&mut PooledPermutation| {
                pooled.model == one.model && pooled.endpoint == one.endpoint
            };
            let entry = of_site(site, one);
            match found.iter_mut().find(same) {
                Some(pooled) => pooled.sites.push(entry),
                None => found.push(PooledPermutation {
                    model: one.model.clone(),
                    endpoint: one.endpoint.clone(),
                    sites: vec![entry],
                    summed: Vec::new(),
                    z: None,
                    p_value: None,
                }),
            }
        }
    }
    found.iter_mut().for_each(sum);
    found
}

fn of_site(site: &SiteResult, one: &Permutation<Disclosed>) -> SitePermutation {
    let test = one
        .deviation
        .number()
        .zip(one.variance.number())
        .and_then(|(deviation, variance)| RankTest::of(deviation, variance));
    SitePermutation {
        site: site.site.clone(),
        role: site.role,
        deviation: one.deviation,
        variance: one.variance,
        z: test.map(|test| test.z),
        p_value: test.map(|test| test.p),
        exact_p: one.exact_p,
        shuffled: one
            .shuffled
            .as_ref()
            .map(|shuffled| (shuffled.plan, shuffled.p_value)),
    }
}

fn sum(pooled: &mut PooledPermutation) {
    let (mut deviation, mut variance) = (0.0, 0.0);
    for site in &pooled.sites {
        let numbers = site.deviation.number().zip(site.variance.number());
        if let (SiteRole::External, Some((one, spread))) = (site.role, numbers) {
            deviation += one;
            variance += spread;
            pooled.summed.push(site.site.clone());
        }
    }
    let test = RankTest::of(deviation, variance);
    pooled.z = test.map(|test| test.z);
    pooled.p_value = test.map(|test| test.p);
}
