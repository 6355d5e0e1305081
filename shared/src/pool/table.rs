//! Contingency tables over sites: cells add with their intervals; the Cochran-Mantel-Haenszel
//! statistic is summed from the parts that sites computed on exact rows (decision C14).
//!
//! From: `statistic::contingency` (disclosed).
//! To: `study`.

use super::result::{Cmh, PooledTable, SiteOutcome, SiteResult, SiteTable};
use super::stratified;
use crate::numeric::generalised::GeneralAssociation;
use crate::numeric::stratified::MantelHaenszel;
use crate::numeric::table::TwoByTwo;
use crate::statistic::Statistic;
use crate::statistic::contingency::Contingency;
use crate::statistic::stage::{Cell, Disclosed, Undefined};
use crate::study::{SiteRole, SiteSlug};

/// Confidence level of the odds ratio's interval.
const LEVEL: f64 = 0.95;

/// Every table that some site released, in the order of the first site's release.
pub(super) fn all(sites: &[SiteResult]) -> Vec<PooledTable> {
    let mut tables: Vec<Vec<(&SiteResult, &Contingency<Disclosed>)>> = Vec::new();
    for site in sites
        .iter()
        .filter(|site| site.outcome == SiteOutcome::Released)
    {
        for statistic in &site.statistics {
            let Statistic::Contingency(one) = statistic else {
                continue;
            };
            match tables.iter_mut().find(|members| same(members[0].1, one)) {
                Some(members) => members.push((site, one)),
                None => tables.push(vec![(site, one)]),
            }
        }
    }
    tables.iter().map(|members| over_sites(members)).collect()
}

fn same(a: &Contingency<Disclosed>, b: &Contingency<Disclosed>) -> bool {
    a.kind == b.kind
        && a.endpoint == b.endpoint
        && a.model == b.model
        && a.threshold == b.threshold
        && a.axis == b.axis
        && a.columns == b.columns
        && a.rows.len() == b.rows.len()
}

fn over_sites(members: &[(&SiteResult, &Contingency<Disclosed>)]) -> PooledTable {
    let first = members[0].1;
    let external: Vec<_> = members
        .iter()
        .filter(|(site, _)| site.role == SiteRole::External)
        .collect();
    let total = (0..first.rows.len())
        .map(|row| {
            (0..first.columns.len())
                .map(|column| {
                    external
                        .iter()
                        .filter_map(|(_, table)| table.rows[row].cells.get(column).copied())
                        .fold(Cell::Zero, Cell::plus)
                })
                .collect()
        })
        .collect();
    PooledTable {
        kind: first.kind,
        endpoint: first.endpoint.clone(),
        model: first.model.clone(),
        threshold: first.threshold,
        axis: first.axis.clone(),
        levels: first.rows.iter().map(|row| row.level.clone()).collect(),
        columns: first.columns.clone(),
        sites: members
            .iter()
            .map(|(site, table)| site_table(site, table))
            .collect(),
        total,
        cmh: cmh(&external),
        two_levels: stratified::two_levels(&external),
        trend: stratified::trend(&external),
    }
}

fn site_table(site: &SiteResult, table: &Contingency<Disclosed>) -> SiteTable {
    SiteTable {
        site: site.site.clone(),
        role: site.role,
        cells: table.rows.iter().map(|row| row.cells.clone()).collect(),
        chi_squared: table.chi_squared,
        degrees_of_freedom: table.degrees_of_freedom,
        p_value: table.p_value,
        cramers_v: table.cramers_v,
        yates_p: table.yates_p,
        g2: table.g2,
        g2_p: table.g2_p,
        fisher_p: table.fisher_p,
        trend_p: table.trend.as_ref().map(|trend| trend.p_value),
    }
}

fn cmh(external: &[&(&SiteResult, &Contingency<Disclosed>)]) -> Cmh {
    let none = Cmh::NotComputed {
        reason: Undefined::NoVariance,
    };
    let mut sites: Vec<SiteSlug> = Vec::new();
    let mut sum: Option<GeneralAssociation> = None;
    for (site, table) in external {
        let Some(part) = stratum(table) else { continue };
        sites.push(site.site.clone());
        sum = match sum {
            None => Some(part),
            Some(before) => before.merge(&part).ok(),
        };
    }
    let Some(test) = sum.and_then(|sum| sum.test()) else {
        return none;
    };
    let odds = odds_ratio(external);
    Cmh::Computed {
        sites,
        statistic: test.statistic,
        degrees_of_freedom: test.df,
        p_value: test.p,
        odds_ratio: odds.map(|found| found.0),
        odds_ratio_interval: odds.map(|found| found.1),
    }
}

/// A site's part of the sum, when all of it was released.
fn stratum(table: &Contingency<Disclosed>) -> Option<GeneralAssociation> {
    let numbers =
        |cells: &[Cell<f64>]| -> Option<Vec<f64>> { cells.iter().map(Cell::number).collect() };
    let mut part = GeneralAssociation::empty(table.rows.len(), table.columns.len()).ok()?;
    let deviation = numbers(&table.stratum.difference)?;
    let covariance = numbers(&table.stratum.covariance)?;
    if deviation.len() != part.deviation.len() || covariance.len() != part.covariance.len() {
        return None;
    }
    part.deviation = deviation;
    part.covariance = covariance;
    part.strata = 1;
    Some(part)
}

/// Mantel-Haenszel odds ratio with the Robins-Breslow-Greenland interval, when the sites'
/// tables are exact and exactly two rows and columns hold anybody.
fn odds_ratio(external: &[&(&SiteResult, &Contingency<Disclosed>)]) -> Option<(f64, [f64; 2])> {
    let first = external.first()?.1;
    if first.columns.len() != 2 {
        return None;
    }
    let exact: Vec<Vec<[u64; 2]>> = external
        .iter()
        .map(|(_, table)| {
            let rows = table.rows.iter();
            rows.map(|row| Some([row.cells[0].exact()?, row.cells[1].exact()?]))
                .collect()
        })
        .collect::<Option<_>>()?;
    let used: Vec<usize> = (0..first.rows.len())
        .filter(|row| exact.iter().any(|table| table[*row] != [0, 0]))
        .collect();
    let [top, bottom] = used.as_slice() else {
        return None;
    };
    let strata: Vec<TwoByTwo> = exact
        .iter()
        .map(|table| [table[*top], table[*bottom]])
        .collect();
    let odds = MantelHaenszel::over(&strata).odds_ratio(LEVEL);
    let interval = odds.interval?;
    Some((odds.estimate?, [interval.lower, interval.upper]))
}
