//! Calibration curves from bins: per site, and over all external sites, whose bins add. A merged
//! curve mixes the hospitals' case mixes; the headline of calibration is the slope pooled in two
//! stages (decision C7).
//!
//! From: `statistic::calibration_bins` (disclosed).
//! To: `study`.

use schemars::JsonSchema;
use serde::{Deserialize, Serialize};

use super::result::{SiteOutcome, SiteResult};
use crate::numeric::calibration::bins::{Bin, Decomposition, calibration_error};
use crate::numeric::distribution::inverse_logit;
use crate::numeric::logistic::ClippedLogits;
use crate::numeric::proportion::wilson;
use crate::numeric::spline::{Group, Spline};
use crate::numeric::sum::count;
use crate::statistic::Statistic;
use crate::statistic::calibration_bins::{CalibrationBins, PredictionBin};
use crate::statistic::stage::Disclosed;
use crate::study::{EndpointId, ModelId, SiteRole, SiteSlug, StudyProtocol};

/// Points of a drawn curve.
const POINTS: u32 = 61;

/// A flexible calibration curve with the calibration over tenths.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize, JsonSchema)]
pub struct CalibrationCurve {
    /// The model.
    pub model: ModelId,
    /// The endpoint.
    pub endpoint: EndpointId,
    /// The site, or absent for the merged patients of all external sites.
    pub site: Option<SiteSlug>,
    /// Sites in the curve.
    pub sites: Vec<SiteSlug>,
    /// Cases.
    pub n: u64,
    /// Events.
    pub events: u64,
    /// Points by ascending prediction, over the range of the predictions.
    pub points: Vec<CurvePoint>,
    /// Knots of the spline; 0 for a straight line on the logit scale.
    pub knots: usize,
    /// Tenths of the predictions that hold a case.
    pub tenths: Vec<ObservedBin>,
    /// Expected calibration error over tenths.
    pub ece: f64,
    /// Largest calibration error of a tenth.
    pub mce: f64,
    /// Brier score, the sum of its parts.
    pub brier: f64,
    /// Part: miscalibration over tenths.
    pub reliability: f64,
    /// Part: spread of the tenths' event shares.
    pub resolution: f64,
    /// Part: variance of the outcome.
    pub uncertainty: f64,
    /// Part: variance of the predictions within tenths.
    pub within_variance: f64,
    /// Part: twice the covariance of prediction and outcome within tenths.
    pub within_covariance: f64,
}

/// A point of a calibration curve. Its band is absent where patients repeat (decision C2).
#[derive(Clone, Copy, Debug, PartialEq, Serialize, Deserialize, JsonSchema)]
pub struct CurvePoint {
    /// The prediction.
    pub predicted: f64,
    /// The smoothed share of events.
    pub observed: f64,
    /// Lower end of the pointwise 95 % band.
    pub low: Option<f64>,
    /// Upper end of the pointwise 95 % band.
    pub high: Option<f64>,
}

/// Cases whose predictions fall into one tenth.
#[derive(Clone, Copy, Debug, PartialEq, Serialize, Deserialize, JsonSchema)]
pub struct ObservedBin {
    /// Cases.
    pub n: u64,
    /// Events.
    pub events: u64,
    /// Mean prediction.
    pub predicted: f64,
    /// Share of events.
    pub observed: f64,
    /// Lower end of its 95 % interval (Wilson); absent where patients repeat.
    pub low: Option<f64>,
    /// Upper end.
    pub high: Option<f64>,
}

/// Curves per model and endpoint: each site's, then the merged one.
pub(super) fn all(protocol: &StudyProtocol, sites: &[SiteResult]) -> Vec<CalibrationCurve> {
    let mut curves = Vec::new();
    for endpoint in &protocol.endpoint {
        for model in &protocol.model {
            let found = released(sites, &model.id, &endpoint.id);
            for (site, sums) in &found {
                let mut curve = sums.as_ref().and_then(|sums| curve(protocol, sums));
                if let Some(curve) = &mut curve {
                    curve.site = Some(site.site.clone());
                    curve.sites = vec![site.site.clone()];
                }
                curves.extend(curve);
            }
            curves.extend(merged(protocol, &found));
        }
    }
    curves
}

/// Bins of one or several sites as sums.
#[derive(Clone)]
struct Sums {
    model: ModelId,
    endpoint: EndpointId,
    grid: Vec<Bin>,
    tenths: Vec<Bin>,
    clustered: bool,
}

impl Sums {
    fn of(bins: &CalibrationBins<Disclosed>, clustered: bool) -> Option<Self> {
        let sums = |bins: &[PredictionBin<Disclosed>]| -> Option<Vec<Bin>> {
            bins.iter().map(PredictionBin::sums).collect()
        };
        let found = Self {
            model: bins.model.clone(),
            endpoint: bins.endpoint.clone(),
            grid: sums(&bins.grid)?,
            tenths: sums(&bins.tenths)?,
            clustered,
        };
        (!found.grid.is_empty() && !found.tenths.is_empty()).then_some(found)
    }

    fn merge(self, other: &Self) -> Option<Self> {
        let add = |a: Vec<Bin>, b: &[Bin]| -> Option<Vec<Bin>> {
            let same = a.len() == b.len();
            same.then(|| a.into_iter().zip(b).map(|(a, b)| a.merge(*b)).collect())
        };
        Some(Self {
            grid: add(self.grid, &other.grid)?,
            tenths: add(self.tenths, &other.tenths)?,
            clustered: self.clustered || other.clustered,
            ..self
        })
    }
}

type Found<'a> = Vec<(&'a SiteResult, Option<Sums>)>;

/// Every site that released, with its bins where its policy let them leave.
fn released<'a>(sites: &'a [SiteResult], model: &ModelId, endpoint: &EndpointId) -> Found<'a> {
    sites
        .iter()
        .filter(|site| site.outcome == SiteOutcome::Released)
        .map(|site| {
            let bins = site
                .statistics
                .iter()
                .filter_map(Statistic::calibration_bins);
            let mut own = bins.filter(|one| one.model == *model && one.endpoint == *endpoint);
            let sums = own.next().and_then(|one| Sums::of(one, site.clustered));
            (site, sums)
        })
        .collect()
}

/// The curve of all external sites; none if one of them withholds its bins, since the others
/// would not speak for it, and none below the protocol's minimum of sites.
fn merged(protocol: &StudyProtocol, found: &Found<'_>) -> Option<CalibrationCurve> {
    let external = || {
        found
            .iter()
            .filter(|(site, _)| site.role == SiteRole::External)
    };
    let members: Vec<SiteSlug> = external().map(|(site, _)| site.site.clone()).collect();
    if members.len() < protocol.pooling.min_sites {
        return None;
    }
    let mut total: Option<Sums> = None;
    for (_, sums) in external() {
        let sums = sums.as_ref()?;
        total = match total {
            None => Some(sums.clone()),
            Some(total) => Some(total.merge(sums)?),
        };
    }
    let mut curve = curve(protocol, &total?)?;
    curve.sites = members;
    Some(curve)
}

fn curve(protocol: &StudyProtocol, sums: &Sums) -> Option<CalibrationCurve> {
    let all = sums.grid.iter().copied().fold(Bin::default(), Bin::merge);
    let error = calibration_error(&sums.tenths)?;
    let parts = Decomposition::of(&sums.tenths)?;
    let (points, knots) = points(protocol, sums).unwrap_or_default();
    Some(CalibrationCurve {
        model: sums.model.clone(),
        endpoint: sums.endpoint.clone(),
        site: None,
        sites: Vec::new(),
        n: all.n,
        events: all.events,
        points,
        knots,
        tenths: observed(sums),
        ece: error.expected,
        mce: error.largest,
        brier: parts.brier(),
        reliability: parts.reliability,
        resolution: parts.resolution,
        uncertainty: parts.uncertainty,
        within_variance: parts.within_variance,
        within_covariance: parts.within_covariance,
    })
}

/// The spline over the grid's bins, each at its mean prediction; `None` where no curve exists.
fn points(protocol: &StudyProtocol, sums: &Sums) -> Option<(Vec<CurvePoint>, usize)> {
    let used: Vec<&Bin> = sums.grid.iter().filter(|bin| bin.n > 0).collect();
    let means: Vec<f64> = used
        .iter()
        .map(|bin| (bin.p / count(bin.n)).clamp(0.0, 1.0))
        .collect();
    let logits = ClippedLogits::of(&means, protocol.clip_epsilon())?.lp;
    let groups: Vec<Group> = used
        .iter()
        .zip(&logits)
        .map(|(bin, x)| Group {
            x: *x,
            n: count(bin.n),
            events: count(bin.events),
        })
        .collect();
    let spline = Spline::fit(&groups).ok()?;
    let (low, high) = (
        inverse_logit(*logits.first()?)?,
        inverse_logit(*logits.last()?)?,
    );
    let places: Vec<f64> = (0..POINTS)
        .map(|step| low + (high - low) * f64::from(step) / f64::from(POINTS - 1))
        .collect();
    let at = ClippedLogits::of(&places, protocol.clip_epsilon())?.lp;
    let mut points = Vec::with_capacity(places.len());
    for (predicted, x) in places.into_iter().zip(at) {
        let point = spline.at(x, 0.95)?;
        let band = |end: f64| (!sums.clustered).then_some(end);
        points.push(CurvePoint {
            predicted,
            observed: point.value,
            low: band(point.low),
            high: band(point.high),
        });
    }
    Some((points, spline.knots.len()))
}

fn observed(sums: &Sums) -> Vec<ObservedBin> {
    sums.tenths
        .iter()
        .filter(|bin| bin.n > 0)
        .map(|bin| {
            let interval = wilson(bin.events, bin.n, 0.95).filter(|_| !sums.clustered);
            ObservedBin {
                n: bin.n,
                events: bin.events,
                predicted: bin.p / count(bin.n),
                observed: count(bin.events) / count(bin.n),
                low: interval.map(|found| found.lower),
                high: interval.map(|found| found.upper),
            }
        })
        .collect()
}
