//! Failure analysis: errors of the model under validation by level of each axis, summed over
//! external sites. The level tables say how many cases were called wrongly; no site is asked
//! again.
//!
//! The share of errors has Wilson's interval over all counts that the released cells leave
//! possible (decision C14); where patients repeat, or cases were sampled by outcome, there is
//! none, and with sampling by outcome no share either: it needs the prevalence.
//!
//! From: `statistic::subgroup` as released.
//! To: report page "failure analysis", `failures.csv`.

use super::estimate::MIN_GROUP;
use super::result::{ErrorShare, Failure, SiteOutcome, SiteResult};
use crate::numeric::proportion::wilson;
use crate::statistic::Statistic;
use crate::statistic::stage::{Cell, Disclosed};
use crate::statistic::subgroup::{SubgroupRow, SubgroupTable};
use crate::study::{SamplingDesign, SiteRole, StudyProtocol};

/// Errors by level, those with the largest share first; levels below the minimum group size and
/// levels without a share come last.
pub(super) fn all(protocol: &StudyProtocol, sites: &[SiteResult]) -> Vec<Failure> {
    let external: Vec<&SiteResult> = sites
        .iter()
        .filter(|site| site.outcome == SiteOutcome::Released && site.role == SiteRole::External)
        .collect();
    let by_outcome = protocol.sampling.design == SamplingDesign::OutcomeDependent;
    let clustered = external.iter().any(|site| site.clustered);
    let mut found: Vec<Failure> = Vec::new();
    for site in &external {
        for table in site.statistics.iter().filter_map(Statistic::subgroup_table) {
            for row in &table.rows {
                add(&mut found, table, row);
            }
        }
    }
    for one in &mut found {
        if !by_outcome {
            one.error = share(one, protocol.pooling.level, clustered);
        }
    }
    found.retain(|one| one.n != Cell::Zero);
    let rank = |one: &Failure| {
        let large = one.n.number().is_some_and(|n| n >= MIN_GROUP);
        one.error.filter(|_| large).map(|error| error.value)
    };
    found.sort_by(|a, b| match (rank(a), rank(b)) {
        (Some(a), Some(b)) => b.total_cmp(&a),
        (Some(_), None) => std::cmp::Ordering::Less,
        (None, Some(_)) => std::cmp::Ordering::Greater,
        (None, None) => std::cmp::Ordering::Equal,
    });
    found
}

fn add(found: &mut Vec<Failure>, table: &SubgroupTable<Disclosed>, row: &SubgroupRow<Disclosed>) {
    let same = |one: &&mut Failure| {
        one.model == table.model
            && one.endpoint == table.endpoint
            && one.axis == table.axis
            && one.level == row.level
    };
    if let Some(one) = found.iter_mut().find(same) {
        one.n = one.n.plus(row.n);
        one.events = one.events.plus(row.events);
        one.false_negative = one.false_negative.plus(row.false_negative);
        one.false_positive = one.false_positive.plus(row.false_positive);
        return;
    }
    found.push(Failure {
        model: table.model.clone(),
        endpoint: table.endpoint.clone(),
        axis: table.axis.clone(),
        level: row.level.clone(),
        threshold: table.threshold,
        n: row.n,
        events: row.events,
        false_negative: row.false_negative,
        false_positive: row.false_positive,
        error: None,
    });
}

fn share(one: &Failure, level: f64, clustered: bool) -> Option<ErrorShare> {
    let errors = one.false_negative.plus(one.false_positive);
    let (hits, cases) = (errors.number()?, one.n.number()?);
    if cases == 0 {
        return None;
    }
    #[allow(
        clippy::cast_precision_loss,
        reason = "counts of cases stay far below 2^53"
    )]
    let value = (hits as f64 / cases as f64).min(1.0);
    let ((few, many), (fewest, most)) = (errors.bounds()?, one.n.bounds()?);
    let low = wilson(few.min(most), most, level).map(|interval| interval.lower);
    let high = wilson(many.min(fewest), fewest, level).map(|interval| interval.upper);
    let interval = low.zip(high).filter(|_| !clustered);
    Some(ErrorShare {
        value,
        interval: interval.map(|(low, high)| [low.min(value), high.max(value)]),
    })
}
