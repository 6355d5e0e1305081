//! Two levels, or ordered levels, over sites as strata: statistics summed from parts that sites
//! computed on exact rows (decision C14), and what needs the sites' tables themselves where
//! all of them are exact.
//!
//! From: `statistic::contingency` (disclosed).
//! To: `table`.

use schemars::JsonSchema;
use serde::{Deserialize, Serialize};

use super::result::SiteResult;
use crate::numeric::conditional::Conditional;
use crate::numeric::generalised::LinearAssociation;
use crate::numeric::homogeneity::homogeneity;
use crate::numeric::stratified::{CommonOddsRatio, MantelHaenszel, RiskParts};
use crate::numeric::table::TwoByTwo;
use crate::numeric::{Interval, Test};
use crate::statistic::contingency::{Contingency, TwoLevels};
use crate::statistic::stage::{Cell, Disclosed};
use crate::study::SiteSlug;

/// Confidence level of every interval here.
const LEVEL: f64 = 0.95;

type Member<'a> = &'a (&'a SiteResult, &'a Contingency<Disclosed>);

/// A test referred to chi-squared.
#[derive(Clone, Copy, Debug, PartialEq, Serialize, Deserialize, JsonSchema)]
pub struct TestResult {
    /// The statistic.
    pub statistic: f64,
    /// Its degrees of freedom.
    pub degrees_of_freedom: u32,
    /// Its p value.
    pub p_value: f64,
}

impl From<Test> for TestResult {
    fn from(test: Test) -> Self {
        Self {
            statistic: test.statistic,
            degrees_of_freedom: test.df,
            p_value: test.p,
        }
    }
}

/// A test over the sites named.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize, JsonSchema)]
pub struct Combined {
    /// Sites in the statistic.
    pub sites: Vec<SiteSlug>,
    /// The test.
    pub test: TestResult,
}

/// A common ratio over sites.
#[derive(Clone, Copy, Debug, PartialEq, Serialize, Deserialize, JsonSchema)]
pub struct Ratio {
    /// The estimate.
    pub estimate: f64,
    /// Its 95 % interval, where it exists.
    pub interval: Option<[f64; 2]>,
}

/// The two levels of an axis over external sites.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize, JsonSchema)]
pub struct TwoLevelsOverSites {
    /// The levels compared; cases that are not recorded do not count.
    pub levels: [String; 2],
    /// Sites in the statistics.
    pub sites: Vec<SiteSlug>,
    /// Cochran-Mantel-Haenszel without correction.
    pub cmh: Option<TestResult>,
    /// With the continuity correction of one half.
    pub corrected: Option<TestResult>,
    /// Mantel-Haenszel odds ratio of the first level and column (Robins, Breslow, Greenland).
    pub odds_ratio: Option<Ratio>,
    /// What the sites' exact tables give; absent where one of them is not exact.
    pub exact: Option<ExactOverSites>,
}

/// What needs every site's table exactly.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize, JsonSchema)]
pub struct ExactOverSites {
    /// Two-sided p value of the exact conditional test; absent if the counts are too large.
    pub p_value: Option<f64>,
    /// Conditional maximum-likelihood odds ratio with its exact interval.
    pub odds_ratio: Option<Ratio>,
    /// Mantel-Haenszel risk ratio of the first column, first level over second.
    pub risk_ratio: Option<Ratio>,
    /// Mantel-Haenszel risk difference.
    pub risk_difference: Option<Ratio>,
    /// Breslow and Day: one odds ratio at all sites.
    pub breslow_day: Option<TestResult>,
    /// The same with Tarone's correction.
    pub tarone: Option<TestResult>,
    /// Woolf's test of the same.
    pub woolf: Option<TestResult>,
    /// Whether Woolf's test added one half to every cell because one was zero.
    pub half_added: bool,
}

/// The two levels over these sites; `None` if no site sent parts.
pub(super) fn two_levels(external: &[Member<'_>]) -> Option<TwoLevelsOverSites> {
    let mut sites = Vec::new();
    let mut sum = MantelHaenszel::default();
    let mut tables: Option<Vec<TwoByTwo>> = Some(Vec::new());
    let mut levels = None;
    for (site, table) in external {
        let Some(parts) = table.two_levels.as_ref().and_then(part) else {
            continue;
        };
        sum = sum.merge(parts);
        sites.push(site.site.clone());
        let names = table.rows.iter().map(|row| row.level.clone());
        levels = levels.or_else(|| names.take(2).collect::<Vec<_>>().try_into().ok());
        tables = tables.zip(exact(table)).map(|(mut all, one)| {
            all.push(one);
            all
        });
    }
    let odds = sum.odds_ratio(LEVEL);
    Some(TwoLevelsOverSites {
        levels: levels?,
        sites,
        cmh: sum.chi2().map(TestResult::from),
        corrected: sum.chi2_corrected().map(TestResult::from),
        odds_ratio: ratio(odds),
        exact: tables.map(|tables| over_tables(&tables)),
    })
}

fn part(parts: &TwoLevels<Disclosed>) -> Option<MantelHaenszel> {
    Some(MantelHaenszel {
        strata: 1,
        skipped: 0,
        observed: parts.deviation.number()?,
        expected: 0.0,
        variance: parts.variance.number()?,
        r: parts.r.number()?,
        s: parts.s.number()?,
        p_r: parts.p_r.number()?,
        p_s_q_r: parts.p_s_q_r.number()?,
        q_s: parts.q_s.number()?,
    })
}

fn exact(table: &Contingency<Disclosed>) -> Option<TwoByTwo> {
    let row = |place: usize| -> Option<[u64; 2]> {
        let cells: Option<Vec<u64>> = table
            .rows
            .get(place)?
            .cells
            .iter()
            .map(Cell::exact)
            .collect();
        cells?.try_into().ok()
    };
    Some([row(0)?, row(1)?])
}

fn ends(interval: Option<Interval>) -> Option<[f64; 2]> {
    interval.map(|found| [found.lower, found.upper])
}

fn ratio(found: CommonOddsRatio) -> Option<Ratio> {
    found.estimate.map(|estimate| Ratio {
        estimate,
        interval: ends(found.interval),
    })
}

fn over_tables(tables: &[TwoByTwo]) -> ExactOverSites {
    let conditional = Conditional::of(tables)
        .and_then(|law| law.inference(LEVEL))
        .ok();
    let risks = tables
        .iter()
        .map(|table| RiskParts::of(*table))
        .fold(RiskParts::default(), RiskParts::merge);
    let same = homogeneity(tables);
    ExactOverSites {
        p_value: conditional.map(|found| found.two_sided),
        odds_ratio: conditional.and_then(|found| {
            Some(Ratio {
                estimate: found.odds_ratio?,
                interval: ends(found.interval()),
            })
        }),
        risk_ratio: ratio(risks.ratio(LEVEL)),
        risk_difference: risks.difference(LEVEL).map(|(estimate, interval)| Ratio {
            estimate,
            interval: ends(interval),
        }),
        breslow_day: same.breslow_day.map(TestResult::from),
        tarone: same.tarone.map(TestResult::from),
        woolf: same.woolf.map(TestResult::from),
        half_added: same.half_added,
    }
}

/// Linear-by-linear association within sites, over ordered levels; `None` without parts.
pub(super) fn trend(external: &[Member<'_>]) -> Option<Combined> {
    let mut sites = Vec::new();
    let mut sum = LinearAssociation::default();
    for (site, table) in external {
        let Some(trend) = &table.trend else { continue };
        let (Some(observed), Some(variance)) = (trend.deviation.number(), trend.variance.number())
        else {
            continue;
        };
        sites.push(site.site.clone());
        sum = sum.merge(LinearAssociation {
            strata: 1,
            skipped: 0,
            observed,
            expected: 0.0,
            variance,
        });
    }
    let test = sum.test()?.into();
    Some(Combined { sites, test })
}
