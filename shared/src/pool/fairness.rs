//! Levels of an axis against each other, over sites.
//!
//! Whether the effect of the level is the same for all within the hospitals (the interaction
//! test) is each site's own test of equality, summed: statistics and degrees of freedom of
//! independent sites add. The usual fairness criteria need one table of counts per level; they
//! are given of the external sites' patients together, where all counts are exact, and carry
//! what lies between the hospitals too.
//!
//! From: `statistic::subgroup` and `statistic::characteristics` (disclosed), `analysis`.
//! To: `study`, then the report page "subgroups".

use schemars::JsonSchema;
use serde::{Deserialize, Serialize};

use super::result::{
    Analysis, AnalysisRole, EstimateKey, Metric, Scale, SiteOutcome, SiteResult, TestResult,
};
use crate::numeric::Test;
use crate::numeric::disparity::{
    Fairness, GroupCounts, expected_range_of_estimates, homogeneity_of_estimates, range,
    range_interval, ratio, together,
};
use crate::numeric::multiplicity::adjust;
use crate::statistic::Statistic;
use crate::statistic::disparity::{Disparity, MIN_GROUP, ShareSpread, recorded};
use crate::statistic::metric::Topic;
use crate::statistic::stage::{Cell, Disclosed};
use crate::statistic::subgroup::{Measure, SubgroupRow, SubgroupTable};
use crate::study::{AxisId, EndpointId, ModelId, SiteRole, SiteSlug};

/// Confidence level of every interval here.
const LEVEL: f64 = 0.95;

/// The levels of one axis against each other, for one model.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize, JsonSchema)]
pub struct AxisFairness {
    /// The model.
    pub model: ModelId,
    /// The endpoint.
    pub endpoint: EndpointId,
    /// The axis.
    pub axis: AxisId,
    /// The threshold behind rates.
    pub threshold: f64,
    /// Each site's ranges over levels.
    pub sites: Vec<SiteDisparities>,
    /// Test of equal levels within external sites, by measure.
    pub interaction: Vec<Interaction>,
    /// External sites' patients together, where every count is exact.
    pub merged: Option<MergedLevels>,
}

/// One site's ranges over levels.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize, JsonSchema)]
pub struct SiteDisparities {
    /// The site.
    pub site: SiteSlug,
    /// Its relation to the model.
    pub role: SiteRole,
    /// By measure.
    pub disparities: Vec<Disparity<Disclosed>>,
}

/// Sites' tests of equal levels, summed.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize, JsonSchema)]
pub struct Interaction {
    /// The measure.
    pub measure: Measure,
    /// Sites in the sum.
    pub sites: Vec<SiteSlug>,
    /// The sum of their statistics with the sum of their degrees of freedom.
    pub test: TestResult,
}

/// Patients of external sites together, by level.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize, JsonSchema)]
pub struct MergedLevels {
    /// Levels with at least ten cases.
    pub levels: Vec<MergedLevel>,
    /// Recorded levels with fewer, which are not compared.
    pub left_out: Vec<String>,
    /// Ranges of the rates.
    pub spreads: Vec<MergedSpread>,
    /// Range of the selection rates.
    pub demographic_parity_difference: Option<f64>,
    /// Smallest over largest selection rate.
    pub demographic_parity_ratio: Option<f64>,
    /// Range of the true positive rates.
    pub equal_opportunity_difference: Option<f64>,
    /// The larger of the ranges of true and false positive rates.
    pub equalised_odds_difference: Option<f64>,
    /// Their mean.
    pub equalised_odds_difference_mean: Option<f64>,
    /// The smaller of the ratios of true and false positive rates.
    pub equalised_odds_ratio: Option<f64>,
}

/// Counts of one level over external sites.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize, JsonSchema)]
pub struct MergedLevel {
    /// The level.
    pub level: String,
    /// Events predicted positive.
    pub true_positive: u64,
    /// Non-events predicted positive.
    pub false_positive: u64,
    /// Events predicted negative.
    pub false_negative: u64,
    /// Non-events predicted negative.
    pub true_negative: u64,
}

/// How far the merged levels lie apart in one rate.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize, JsonSchema)]
pub struct MergedSpread {
    /// The rate.
    pub measure: Measure,
    /// Largest minus smallest.
    pub range: f64,
    /// Smallest over largest.
    pub ratio: Option<f64>,
    /// What the range would be if all levels were equal.
    pub expected: Option<f64>,
    /// Its 95 % interval; absent where patients repeat.
    pub interval: Option<[f64; 2]>,
    /// Test of equal levels; absent where patients repeat.
    pub test: Option<TestResult>,
}

/// One declared gap with its p values.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize, JsonSchema)]
pub struct AdjustedGap {
    /// The gap.
    pub key: EstimateKey,
    /// Its p value, of the pool.
    pub p_value: f64,
    /// Adjusted after Holm.
    pub holm: f64,
    /// Adjusted after Benjamini and Hochberg.
    pub benjamini_hochberg: f64,
    /// Number of gaps in the family.
    pub family: usize,
}

/// Hospitals as the levels of an axis: how far they lie apart in one metric.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize, JsonSchema)]
pub struct BetweenSites {
    /// The metric, model and endpoint.
    pub key: EstimateKey,
    /// External sites with an estimate.
    pub sites: Vec<SiteSlug>,
    /// Largest minus smallest estimate, natural scale; largest over smallest on the log scale.
    pub range: f64,
    /// What the range would be if all sites were equal, same scale.
    pub expected: f64,
    /// Its 95 % interval.
    pub interval: [f64; 2],
    /// Test that all sites are equal.
    pub test: TestResult,
}

/// One axis against the declared target population.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize, JsonSchema)]
pub struct AxisRepresentation {
    /// The endpoint.
    pub endpoint: EndpointId,
    /// The axis.
    pub axis: AxisId,
    /// Recorded levels.
    pub levels: Vec<String>,
    /// Their declared shares.
    pub shares: Vec<f64>,
    /// Each site's counts and test.
    pub sites: Vec<SiteRepresentation>,
    /// Counts of external sites together.
    pub total: Vec<Cell<u64>>,
    /// Sum of external sites' tests.
    pub test: Option<super::result::Combined>,
}

/// One site against the declared target population.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize, JsonSchema)]
pub struct SiteRepresentation {
    /// The site.
    pub site: SiteSlug,
    /// Its relation to the model.
    pub role: SiteRole,
    /// Cases by recorded level.
    pub counts: Vec<Cell<u64>>,
    /// Chi-squared against the shares.
    pub chi_squared: Cell<f64>,
    /// Its degrees of freedom.
    pub degrees_of_freedom: u32,
    /// Its p value.
    pub p_value: Cell<f64>,
}

/// Every axis that some site released a subgroup table of.
pub(super) fn all(sites: &[SiteResult]) -> Vec<AxisFairness> {
    let mut axes: Vec<Vec<(&SiteResult, &SubgroupTable<Disclosed>)>> = Vec::new();
    for site in sites
        .iter()
        .filter(|site| site.outcome == SiteOutcome::Released)
    {
        for table in site.statistics.iter().filter_map(Statistic::subgroup_table) {
            let same = |known: &&mut Vec<(&SiteResult, &SubgroupTable<Disclosed>)>| {
                let first = known[0].1;
                first.model == table.model
                    && first.endpoint == table.endpoint
                    && first.axis == table.axis
            };
            match axes.iter_mut().find(same) {
                Some(known) => known.push((site, table)),
                None => axes.push(vec![(site, table)]),
            }
        }
    }
    axes.iter().map(|tables| over_sites(tables)).collect()
}

fn over_sites(tables: &[(&SiteResult, &SubgroupTable<Disclosed>)]) -> AxisFairness {
    let first = tables[0].1;
    let external: Vec<_> = tables
        .iter()
        .filter(|(site, _)| site.role == SiteRole::External)
        .collect();
    let interaction = Measure::ALL.iter().filter_map(|measure| {
        let tests = external.iter().filter_map(|(site, table)| {
            let found = table
                .disparities
                .iter()
                .find(|one| one.measure == *measure)?;
            let df = Some(found.degrees_of_freedom).filter(|df| *df > 0)?;
            Some((site.site.clone(), found.chi_squared.number()?, df))
        });
        let (sites, test) = summed(tests)?;
        Some(Interaction {
            measure: *measure,
            sites,
            test,
        })
    });
    AxisFairness {
        model: first.model.clone(),
        endpoint: first.endpoint.clone(),
        axis: first.axis.clone(),
        threshold: first.threshold,
        sites: tables
            .iter()
            .map(|(site, table)| SiteDisparities {
                site: site.site.clone(),
                role: site.role,
                disparities: table.disparities.clone(),
            })
            .collect(),
        interaction: interaction.collect(),
        merged: merged(&external),
    }
}

/// Independent chi-squared statistics and their degrees of freedom, summed.
fn summed(
    tests: impl Iterator<Item = (SiteSlug, f64, u32)>,
) -> Option<(Vec<SiteSlug>, TestResult)> {
    let (mut sites, mut statistic, mut df) = (Vec::new(), 0.0, 0_u32);
    for (site, one, freedom) in tests {
        sites.push(site);
        statistic += one;
        df = df.checked_add(freedom)?;
    }
    Test::chi2(statistic, df)
        .filter(|_| df > 0)
        .map(|test| (sites, test.into()))
}

fn counts(row: &SubgroupRow<Disclosed>) -> Option<GroupCounts> {
    Some(GroupCounts {
        true_positive: row.true_positive.exact()?,
        false_positive: row.false_positive.exact()?,
        false_negative: row.false_negative.exact()?,
        true_negative: row.true_negative.exact()?,
    })
}

fn cases(group: &GroupCounts) -> u64 {
    group.true_positive + group.false_positive + group.false_negative + group.true_negative
}

fn merged(external: &[&(&SiteResult, &SubgroupTable<Disclosed>)]) -> Option<MergedLevels> {
    let first = external.first()?.1;
    let clustered = external.iter().any(|(site, _)| site.clustered);
    let mut groups: Vec<(String, GroupCounts)> = Vec::new();
    for (place, row) in first
        .rows
        .iter()
        .enumerate()
        .filter(|(_, row)| recorded(&row.level))
    {
        let mut sum = GroupCounts::default();
        for (_, table) in external {
            let one = counts(table.rows.get(place).filter(|one| one.level == row.level)?)?;
            sum.true_positive += one.true_positive;
            sum.false_positive += one.false_positive;
            sum.false_negative += one.false_negative;
            sum.true_negative += one.true_negative;
        }
        groups.push((row.level.clone(), sum));
    }
    let (large, small): (Vec<_>, Vec<_>) = groups
        .into_iter()
        .partition(|(_, group)| cases(group) >= MIN_GROUP);
    let all: Vec<GroupCounts> = large.iter().map(|(_, group)| *group).collect();
    let criteria = Fairness::of(&all);
    let rates = [
        Measure::SelectionRate,
        Measure::Tpr,
        Measure::Fpr,
        Measure::Ppv,
        Measure::Npv,
    ];
    Some(MergedLevels {
        spreads: rates
            .iter()
            .filter_map(|measure| spread(*measure, &all, clustered))
            .collect(),
        levels: large
            .into_iter()
            .map(|(level, group)| MergedLevel {
                level,
                true_positive: group.true_positive,
                false_positive: group.false_positive,
                false_negative: group.false_negative,
                true_negative: group.true_negative,
            })
            .collect(),
        left_out: small
            .into_iter()
            .filter(|(_, group)| cases(group) > 0)
            .map(|(level, _)| level)
            .collect(),
        demographic_parity_difference: criteria.demographic_parity_difference,
        demographic_parity_ratio: criteria.demographic_parity_ratio,
        equal_opportunity_difference: criteria.equal_opportunity_difference,
        equalised_odds_difference: criteria.equalised_odds_difference,
        equalised_odds_difference_mean: criteria.equalised_odds_difference_mean,
        equalised_odds_ratio: criteria.equalised_odds_ratio,
    })
}

fn spread(measure: Measure, groups: &[GroupCounts], clustered: bool) -> Option<MergedSpread> {
    let share = |g: &GroupCounts| match measure {
        Measure::SelectionRate => Some((g.true_positive + g.false_positive, cases(g))),
        Measure::Tpr => Some((g.true_positive, g.true_positive + g.false_negative)),
        Measure::Fpr => Some((g.false_positive, g.false_positive + g.true_negative)),
        Measure::Ppv => Some((g.true_positive, g.true_positive + g.false_positive)),
        Measure::Npv => Some((g.true_negative, g.true_negative + g.false_negative)),
        Measure::Auc | Measure::ObservedExpected | Measure::Brier | Measure::Xauc => None,
    };
    let shares: Vec<(u64, u64)> = groups
        .iter()
        .filter_map(share)
        .filter(|one| one.1 > 0)
        .collect();
    #[allow(
        clippy::cast_precision_loss,
        reason = "counts of cases stay far below 2^53"
    )]
    let values: Vec<f64> = shares.iter().map(|(k, n)| *k as f64 / *n as f64).collect();
    let found = ShareSpread::of(&shares);
    let independent = !clustered;
    Some(MergedSpread {
        measure,
        range: range(&values)?,
        ratio: ratio(&values),
        expected: found.expected.filter(|_| independent),
        interval: found
            .interval
            .filter(|_| independent)
            .map(|interval| [interval.lower, interval.upper]),
        test: found.test.filter(|_| independent).map(TestResult::from),
    })
}

/// The declared family: every pooled gap on an axis that the protocol prespecifies.
pub(super) fn family(analyses: &[Analysis]) -> Vec<AdjustedGap> {
    let declared = analyses.iter().filter(|one| {
        one.role == AnalysisRole::Secondary
            && one.key.axis.is_some()
            && one.key.sensitivity.is_none()
            && one.key.metric.entry().topic == Topic::Fairness
    });
    let pooled: Vec<(&EstimateKey, f64)> = declared
        .filter_map(|one| Some((&one.key, one.pool.pooled()?.p_value)))
        .collect();
    let p: Vec<f64> = pooled.iter().map(|one| one.1).collect();
    let Some(adjusted) = adjust(&p) else {
        return Vec::new();
    };
    pooled
        .iter()
        .zip(adjusted.holm.iter().zip(&adjusted.benjamini_hochberg))
        .map(|((key, p_value), (holm, benjamini_hochberg))| AdjustedGap {
            key: (*key).clone(),
            p_value: *p_value,
            holm: *holm,
            benjamini_hochberg: *benjamini_hochberg,
            family: p.len(),
        })
        .collect()
}

/// AUC and O:E of every model, hospitals as levels.
pub(super) fn between_sites(analyses: &[Analysis]) -> Vec<BetweenSites> {
    let wanted = [Metric::Auc, Metric::ObservedExpected];
    analyses
        .iter()
        .filter(|one| one.key.is_whole() && wanted.contains(&one.key.metric))
        .filter_map(between)
        .collect()
}

fn between(analysis: &Analysis) -> Option<BetweenSites> {
    let rows: Vec<_> = analysis
        .sites
        .iter()
        .filter(|row| row.excluded.is_none())
        .filter_map(|row| Some((row.site.clone(), row.yi?, row.vi?)))
        .collect();
    let log = analysis.scale == Scale::Log;
    let shown = |value: f64| if log { libm::exp(value) } else { value };
    // Logit areas are compared as areas: the variance follows by the delta method.
    let estimates: Option<Vec<(f64, f64)>> = rows
        .iter()
        .map(|(_, yi, vi)| {
            if log {
                return Some((*yi, *vi));
            }
            let value = analysis.scale.natural(*yi)?;
            let slope = value * (1.0 - value);
            Some((value, vi * slope * slope))
        })
        .collect();
    let estimates = estimates?;
    let values: Vec<f64> = estimates.iter().map(|one| one.0).collect();
    let errors: Vec<f64> = estimates.iter().map(|one| one.1.sqrt()).collect();
    let interval = range_interval(&together(&estimates, LEVEL)?)?;
    let top = if log { f64::MAX } else { 1.0 };
    Some(BetweenSites {
        key: analysis.key.clone(),
        sites: rows.into_iter().map(|row| row.0).collect(),
        range: shown(range(&values)?),
        expected: shown(expected_range_of_estimates(&errors)?),
        interval: [shown(interval.lower), shown(interval.upper).min(top)],
        test: homogeneity_of_estimates(&estimates)?.into(),
    })
}

/// Every axis with declared target shares.
pub(super) fn representation(sites: &[SiteResult]) -> Vec<AxisRepresentation> {
    let mut found: Vec<AxisRepresentation> = Vec::new();
    for site in sites
        .iter()
        .filter(|site| site.outcome == SiteOutcome::Released)
    {
        for one in site
            .statistics
            .iter()
            .filter_map(Statistic::characteristics)
        {
            for axis in &one.axes {
                let Some(target) = &axis.target else { continue };
                let named = axis.levels.iter().take(target.shares.len());
                let entry = SiteRepresentation {
                    site: site.site.clone(),
                    role: site.role,
                    counts: named.clone().map(|level| level.n).collect(),
                    chi_squared: target.chi_squared,
                    degrees_of_freedom: target.degrees_of_freedom,
                    p_value: target.p_value,
                };
                let same = |known: &&mut AxisRepresentation| {
                    known.axis == axis.axis && known.endpoint == one.endpoint
                };
                match found.iter_mut().find(same) {
                    Some(known) => known.sites.push(entry),
                    None => found.push(AxisRepresentation {
                        endpoint: one.endpoint.clone(),
                        axis: axis.axis.clone(),
                        levels: named.map(|level| level.level.clone()).collect(),
                        shares: target.shares.clone(),
                        sites: vec![entry],
                        total: Vec::new(),
                        test: None,
                    }),
                }
            }
        }
    }
    found.iter_mut().for_each(total);
    found
}

fn total(axis: &mut AxisRepresentation) {
    let external = || {
        axis.sites
            .iter()
            .filter(|site| site.role == SiteRole::External)
    };
    let total = (0..axis.levels.len()).map(|level| {
        external()
            .filter_map(|site| site.counts.get(level).copied())
            .fold(Cell::Zero, Cell::plus)
    });
    let total: Vec<Cell<u64>> = total.collect();
    let tests = external().filter_map(|site| {
        let df = Some(site.degrees_of_freedom).filter(|df| *df > 0)?;
        Some((site.site.clone(), site.chi_squared.number()?, df))
    });
    let test = summed(tests).map(|(sites, test)| super::result::Combined { sites, test });
    axis.total = total;
    axis.test = test;
}
