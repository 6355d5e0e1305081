//! The curve of merged scans: counts on the protocol's grid of scores add over the hospitals that
//! released them, and the sum is the curve of all their scans at the grid's scores. It speaks
//! about these hospitals together, with no interval; the means over hospitals are the analyses.
//!
//! From: `statistic::detection` as released.
//! To: `report`.

use super::result::{SiteOutcome, SiteResult};
use crate::numeric::froc::{Called, Curve, Point};
use crate::statistic::Statistic;
use crate::statistic::detection::Detection;
use crate::statistic::stage::Disclosed;
use crate::study::{CandidatePlan, EndpointId, ModelId, SiteRole, SiteSlug};

/// Candidates of one model against the lesions of one structure over several hospitals.
#[derive(Clone, Debug, PartialEq)]
pub struct MergedDetection {
    /// The external hospitals whose counts are in it.
    pub sites: Vec<SiteSlug>,
    /// External hospitals that released, and whose counts are hidden.
    pub hidden: usize,
    /// Scans.
    pub scans: u64,
    /// Lesions.
    pub lesions: u64,
    /// The curve, scores falling.
    pub points: Vec<Point>,
    /// The sensitivity at each of the protocol's false positives per scan.
    pub sensitivity: Vec<Option<f64>>,
    /// Their mean.
    pub cpm: Option<f64>,
    /// The average precision.
    pub average_precision: f64,
}

/// The merged curve of the external hospitals with exact counts; `None` where there is none.
pub fn merged(
    plan: &CandidatePlan,
    sites: &[SiteResult],
    model: &ModelId,
    endpoint: &EndpointId,
) -> Option<MergedDetection> {
    let released = sites
        .iter()
        .filter(|site| site.outcome == SiteOutcome::Released && site.role == SiteRole::External);
    let mut sum = Sum::default();
    let (mut inside, mut hidden) = (Vec::new(), 0);
    for site in released {
        let mut all = site.statistics.iter().filter_map(Statistic::detection);
        let Some(one) = all.find(|one| one.model == *model && one.endpoint == *endpoint) else {
            continue;
        };
        if sum.add(one) {
            inside.push(site.site.clone());
        } else {
            hidden += 1;
        }
    }
    let curve = Curve::of(sum.scans, sum.lesions, &sum.called)?;
    let reading = plan.between.reading();
    let points = &plan.false_positives_per_scan;
    Some(MergedDetection {
        sites: inside,
        hidden,
        scans: sum.scans,
        lesions: sum.lesions,
        points: curve.points(),
        sensitivity: points
            .iter()
            .map(|point| curve.sensitivity_at(*point, reading))
            .collect(),
        cpm: curve.mean_sensitivity(points, reading),
        average_precision: curve.average_precision(plan.average_precision.average()),
    })
}

#[derive(Default)]
struct Sum {
    scans: u64,
    lesions: u64,
    called: Vec<Called>,
}

impl Sum {
    /// Adds the counts of one hospital; false, and nothing is added, where one is not exact.
    fn add(&mut self, one: &Detection<Disclosed>) -> bool {
        let exact = one.called.iter().map(|at| {
            Some(Called {
                detected: at.detected.exact()?,
                false_positives: at.false_positives.exact()?,
            })
        });
        let parts = one.scans.exact().zip(one.lesions.exact());
        let (Some((scans, lesions)), Some(called)) = (parts, exact.collect::<Option<Vec<_>>>())
        else {
            return false;
        };
        if self.called.is_empty() {
            self.called = vec![Called::default(); called.len()];
        }
        if self.called.len() != called.len() {
            return false;
        }
        self.scans = self.scans.saturating_add(scans);
        self.lesions = self.lesions.saturating_add(lesions);
        for (sum, one) in self.called.iter_mut().zip(called) {
            sum.detected = sum.detected.saturating_add(one.detected);
            sum.false_positives = sum.false_positives.saturating_add(one.false_positives);
        }
        true
    }
}
