//! Sensitivity and specificity over external sites together, per model, endpoint and threshold
//! (decision C16): the binomial-normal model of the 2x2 tables, the normal model of their logits
//! beside it, and the regions where there are enough sites.
//!
//! Tables enter as they were released. Rounded cells enter by their number, and the model is
//! fitted again with every rounded cell at the end that makes both rates smallest and at the one
//! that makes them largest: the summary point lies between as far as rounding goes.
//!
//! From: `statistic::confusion` (disclosed).
//! To: `study`.

use schemars::JsonSchema;
use serde::{Deserialize, Serialize};

use super::binomial_normal::CountsFault;
use super::bivariate::{self, Bivariate, Counts};
use super::result::{Excluded, SiteOutcome, SiteResult};
use crate::numeric::distribution::inverse_logit;
use crate::statistic::Statistic;
use crate::statistic::confusion::Confusion;
use crate::statistic::stage::{Cell, Disclosed};
use crate::study::{EndpointId, ModelId, SiteRole, SiteSlug, StudyProtocol};

/// Fewest sites of a summary point; two say nothing about a covariance.
const LEAST_SITES: usize = 3;

/// Points around a region.
const POINTS: u32 = 72;

/// The summary point at one threshold.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize, JsonSchema)]
pub struct SummaryPoint {
    /// The model.
    pub model: ModelId,
    /// The endpoint.
    pub endpoint: EndpointId,
    /// The threshold.
    pub threshold: f64,
    /// External sites whose table is in it, in the protocol's order.
    pub sites: Vec<SiteSlug>,
    /// External sites that released no usable table, with the reason.
    pub without: Vec<WithoutTable>,
    /// The fit, or why there is none.
    pub outcome: SummaryOutcome,
}

/// A site whose table is not in a summary point.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize, JsonSchema)]
pub struct WithoutTable {
    /// The site.
    pub site: SiteSlug,
    /// Why.
    pub reason: Excluded,
}

/// A summary point, or why there is none.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize, JsonSchema)]
#[serde(tag = "outcome", rename_all = "kebab-case")]
pub enum SummaryOutcome {
    /// Fitted.
    Fitted {
        /// By counts: the primary model.
        counts: Box<SummaryValues>,
        /// By logits: for comparison; absent where it has no maximum.
        logits: Option<Box<SummaryValues>>,
        /// Smallest and largest sensitivity that the rounding of cells allows; absent where
        /// every cell is exact.
        rounded_sensitivity: Option<[f64; 2]>,
        /// The same for specificity.
        rounded_specificity: Option<[f64; 2]>,
    },
    /// Fewer sites with a table than the protocol's minimum, or than three.
    TooFewSites {
        /// Sites with a table.
        sites: usize,
        /// The minimum.
        minimum: usize,
    },
    /// No site has an error of one kind, or none has a success: there is no finite logit.
    OneSided,
    /// The likelihood has no usable maximum.
    Failed,
}

/// Where the between-site covariance lies.
#[derive(Clone, Copy, Debug, Eq, PartialEq, Serialize, Deserialize, JsonSchema)]
#[serde(rename_all = "kebab-case")]
pub enum Boundary {
    /// Inside.
    Inside,
    /// The correlation is 1 or -1: the point stands, the shape of a region does not.
    Correlation,
    /// A variance is 0, so that there is no correlation.
    Variance,
}

/// One fitted model.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize, JsonSchema)]
pub struct SummaryValues {
    /// Sensitivity at the median site, in (0, 1).
    pub sensitivity: f64,
    /// Its interval, logit scale, t(k - 1).
    pub sensitivity_interval: Option<[f64; 2]>,
    /// Specificity at the median site, in (0, 1).
    pub specificity: f64,
    /// Its interval, logit scale, t(k - 1).
    pub specificity_interval: Option<[f64; 2]>,
    /// Means of logit sensitivity and logit false positive rate.
    pub mean: [f64; 2],
    /// Their covariance matrix.
    pub covariance: [[f64; 2]; 2],
    /// Between-site variance of logit sensitivity.
    pub tau2_sensitivity: f64,
    /// Between-site variance of the logit false positive rate.
    pub tau2_fpr: f64,
    /// Between-site correlation of the two logits; absent where a variance is 0.
    pub rho: Option<f64>,
    /// Whether the fit lies on the boundary.
    pub boundary: Boundary,
    /// Maximised log likelihood (restricted for logits, without coefficients for counts).
    pub log_likelihood: f64,
    /// Around the summary point, as (false positive rate, sensitivity); empty below five sites
    /// and on the boundary.
    pub confidence_region: Vec<[f64; 2]>,
    /// Where the next site's point lies; empty likewise.
    pub prediction_region: Vec<[f64; 2]>,
}

/// One per threshold of the protocol for which some site released a table.
pub(super) fn all(protocol: &StudyProtocol, sites: &[SiteResult]) -> Vec<SummaryPoint> {
    let mut points = Vec::new();
    for endpoint in &protocol.endpoint {
        for model in &protocol.model {
            for threshold in protocol.thresholds(&model.id, &endpoint.id) {
                let read = |site: &SiteResult| {
                    let tables = site.statistics.iter().filter_map(Statistic::confusion);
                    let same = |one: &&Confusion<Disclosed>| {
                        one.model == model.id
                            && one.endpoint == endpoint.id
                            && one.threshold.to_bits() == threshold.to_bits()
                    };
                    tables.into_iter().find(same).cloned()
                };
                points.extend(
                    point(protocol, sites, read).map(|(used, without, outcome)| SummaryPoint {
                        model: model.id.clone(),
                        endpoint: endpoint.id.clone(),
                        threshold,
                        sites: used,
                        without,
                        outcome,
                    }),
                );
            }
        }
    }
    points
}

type Found = (Vec<SiteSlug>, Vec<WithoutTable>, SummaryOutcome);

fn point(
    protocol: &StudyProtocol,
    sites: &[SiteResult],
    read: impl Fn(&SiteResult) -> Option<Confusion<Disclosed>>,
) -> Option<Found> {
    let (mut used, mut without, mut tables) = (Vec::new(), Vec::new(), Vec::new());
    let mut any = false;
    for site in sites
        .iter()
        .filter(|site| site.role == SiteRole::External && site.outcome == SiteOutcome::Released)
    {
        let Some(table) = read(site) else { continue };
        any = true;
        match usable(site, &table) {
            Ok(cells) => {
                used.push(site.site.clone());
                tables.push(cells);
            }
            Err(reason) => without.push(WithoutTable {
                site: site.site.clone(),
                reason,
            }),
        }
    }
    let minimum = protocol.pooling.min_sites.max(LEAST_SITES);
    let outcome = if tables.len() < minimum {
        SummaryOutcome::TooFewSites {
            sites: tables.len(),
            minimum,
        }
    } else {
        fitted(&tables, protocol.pooling.level)
    };
    any.then_some((used, without, outcome))
}

/// Smallest, given and largest value of the cells: true positive, false negative, false positive,
/// true negative.
type Cells = [[u64; 3]; 4];

fn usable(site: &SiteResult, table: &Confusion<Disclosed>) -> Result<Cells, Excluded> {
    if site.clustered {
        return Err(Excluded::PatientsRepeat);
    }
    let cell = |cell: &Cell<u64>| {
        let (lo, hi) = cell.bounds().ok_or(Excluded::NotEstimable)?;
        let value = cell.number().ok_or(Excluded::Suppressed)?;
        Ok([lo, value, hi])
    };
    Ok([
        cell(&table.true_positive)?,
        cell(&table.false_negative)?,
        cell(&table.false_positive)?,
        cell(&table.true_negative)?,
    ])
}

fn fitted(tables: &[Cells], level: f64) -> SummaryOutcome {
    // Each index takes the smallest, the given or the largest value of its cell.
    let counts = |pick: [usize; 4]| -> Vec<Counts> {
        tables
            .iter()
            .map(|cells| Counts {
                true_positive: cells[0][pick[0]],
                false_negative: cells[1][pick[1]],
                false_positive: cells[2][pick[2]],
                true_negative: cells[3][pick[3]],
            })
            .collect()
    };
    let given = counts([1; 4]);
    let primary = match bivariate::binomial(&given) {
        Ok(fit) => values(&fit, level),
        Err(CountsFault::OneSided) => return SummaryOutcome::OneSided,
        Err(_) => None,
    };
    let Some(primary) = primary else {
        return SummaryOutcome::Failed;
    };
    let exact = tables.iter().flatten().all(|cell| cell[0] == cell[2]);
    let end = |pick: [usize; 4]| {
        let fit = bivariate::binomial(&counts(pick)).ok()?;
        let fit = values(&fit, level)?;
        Some((fit.sensitivity, fit.specificity))
    };
    let ends = (!exact)
        .then(|| Some((end([0, 2, 2, 0])?, end([2, 0, 0, 2])?)))
        .flatten();
    SummaryOutcome::Fitted {
        counts: Box::new(primary),
        logits: bivariate::normal(&given)
            .ok()
            .and_then(|fit| values(&fit, level))
            .map(Box::new),
        rounded_sensitivity: ends.map(|(low, high)| [low.0, high.0]),
        rounded_specificity: ends.map(|(low, high)| [low.1, high.1]),
    }
}

fn values(fit: &Bivariate, level: f64) -> Option<SummaryValues> {
    let sensitivity_interval = fit
        .interval(0, level)
        .and_then(|found| Some([inverse_logit(found.lower)?, inverse_logit(found.upper)?]));
    // A false positive rate turned round.
    let specificity_interval = fit
        .interval(1, level)
        .and_then(|found| Some([inverse_logit(-found.upper)?, inverse_logit(-found.lower)?]));
    Some(SummaryValues {
        sensitivity: inverse_logit(fit.mean[0])?,
        sensitivity_interval,
        specificity: inverse_logit(-fit.mean[1])?,
        specificity_interval,
        mean: fit.mean,
        covariance: fit.covariance,
        tau2_sensitivity: fit.tau2[0],
        tau2_fpr: fit.tau2[1],
        rho: fit.rho,
        boundary: match fit.boundary {
            bivariate::Boundary::Inside => Boundary::Inside,
            bivariate::Boundary::Correlation => Boundary::Correlation,
            bivariate::Boundary::Variance => Boundary::Variance,
        },
        log_likelihood: fit.log_likelihood,
        confidence_region: fit.confidence_region(level, POINTS).unwrap_or_default(),
        prediction_region: fit.prediction_region(level, POINTS).unwrap_or_default(),
    })
}
