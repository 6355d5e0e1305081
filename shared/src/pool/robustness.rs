//! How much a pool hangs on one site, on one model, and on what was withheld.
//!
//! Leave-one-out, cumulative in the protocol's order of sites, deletion diagnostics, shrunken
//! site estimates, and the pool by every other estimator and interval; all on the natural scale
//! where they are estimates, on the pooling scale where they are variances. Where sites are
//! withheld, bounds of the mean over all sites with each withheld value at either end of what is
//! known of it: sites lose small cells first, so the released ones are no random part (decision
//! C1).
//!
//! From: `random_effects`, site estimates.
//! To: `result`.

use schemars::JsonSchema;
use serde::{Deserialize, Serialize};

use super::mean::{inference, method};
use super::random_effects::{
    Inference, Influence, Mean, Method, RandomEffects, Step, cumulative, influence, shrunken,
};
use super::result::PoolingModel;
use crate::statistic::metric::Scale;
use crate::study::{PoolInterval, Pooling, SiteSlug, Tau2Estimator};

/// What other models, fewer sites and withheld sites do to a pool.
#[derive(Clone, Debug, Default, PartialEq, Serialize, Deserialize, JsonSchema)]
pub struct Robustness {
    /// The pool without each site in turn; empty below three sites.
    pub leave_one_out: Vec<LeftOutSite>,
    /// The pool of the first 1, 2, 3, ... sites, in the protocol's order.
    pub cumulative: Vec<CumulativeStep>,
    /// Deletion diagnostics per site; empty below three sites.
    pub influence: Vec<SiteInfluence>,
    /// Every site's estimate drawn to the mean (best linear unbiased prediction).
    pub shrunken: Vec<ShrunkenEstimate>,
    /// The same pool by other models, estimators and intervals; the protocol's own is among
    /// them.
    pub others: Vec<OtherPool>,
    /// Bounds over the withheld sites; absent when none is.
    pub withheld: Option<Bounds>,
}

/// The pool without one site.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize, JsonSchema)]
pub struct LeftOutSite {
    /// The site left out.
    pub site: SiteSlug,
    /// Mean of the others.
    pub estimate: f64,
    /// Its interval.
    pub interval: Option<[f64; 2]>,
    /// Between-site variance of the others.
    pub tau2: f64,
    /// In percent.
    pub i2: f64,
    /// Cochran's Q of the others.
    pub q: f64,
}

/// The pool of the first sites.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize, JsonSchema)]
pub struct CumulativeStep {
    /// The site added last.
    pub site: SiteSlug,
    /// Number of sites.
    pub k: usize,
    /// Their mean.
    pub estimate: f64,
    /// Its interval; the first site's own normal interval at the first step.
    pub interval: Option<[f64; 2]>,
    /// Their between-site variance; absent at the first step.
    pub tau2: Option<f64>,
    /// In percent; absent at the first step.
    pub i2: Option<f64>,
}

/// What the pool loses or gains without a site, as metafor's `influence` defines it.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize, JsonSchema)]
pub struct SiteInfluence {
    /// The site.
    pub site: SiteSlug,
    /// Studentised deleted residual.
    pub studentised: f64,
    /// DFFITS.
    pub dffits: f64,
    /// Cook's distance.
    pub cooks_distance: f64,
    /// Variance of the mean without the site over that with it.
    pub covariance_ratio: f64,
    /// DFBETAS of the mean.
    pub dfbetas: f64,
    /// Share of the site in the mean, in [0, 1].
    pub hat: f64,
    /// Between-site variance without the site.
    pub tau2: f64,
    /// Cochran's Q without the site.
    pub q: f64,
    /// Whether a diagnostic passes its customary bound.
    pub influential: bool,
    /// Standardised residual of the model with one common value, the site's part of Cochran's Q.
    #[serde(default)]
    pub q_residual: f64,
    /// How the site stands out; empty for most.
    #[serde(default)]
    pub flags: Vec<Flag>,
}

/// How a site stands out in a pool: a reason to look at it, never one to leave it out.
#[derive(Clone, Copy, Debug, Eq, PartialEq, Serialize, Deserialize, JsonSchema)]
#[serde(rename_all = "kebab-case")]
pub enum Flag {
    /// Its studentised deleted residual is beyond 3.
    Outlying,
    /// Its residual of Cochran's Q is beyond 3: further from one common value than chance explains.
    OffCommonValue,
    /// Without it the mean would lie outside the mean's own interval.
    MovesMean,
    /// DFFITS, Cook's distance, its share or DFBETAS is beyond its customary bound.
    Influential,
}

impl Flag {
    /// In words.
    pub fn words(self) -> &'static str {
        match self {
            Self::Outlying => "studentised residual beyond 3",
            Self::OffCommonValue => "residual of Cochran's Q beyond 3",
            Self::MovesMean => "the mean without it lies outside the interval of the mean",
            Self::Influential => "influential",
        }
    }
}

/// A residual beyond this many standard errors is flagged.
const RESIDUAL_MAX: f64 = 3.0;

/// A site's estimate drawn to the mean.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize, JsonSchema)]
pub struct ShrunkenEstimate {
    /// The site.
    pub site: SiteSlug,
    /// The estimate.
    pub estimate: f64,
    /// Its interval.
    pub interval: Option<[f64; 2]>,
    /// Weight of the site's own estimate in it, in [0, 1).
    pub own_share: f64,
}

/// The pool by another model.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize, JsonSchema)]
pub struct OtherPool {
    /// The model.
    pub model: PoolingModel,
    /// Estimator of the between-site variance; the binomial-normal model's is maximum
    /// likelihood.
    pub tau2_estimator: Tau2Estimator,
    /// How the interval was made.
    pub interval_method: PoolInterval,
    /// Mean over sites.
    pub estimate: f64,
    /// Its interval.
    pub interval: Option<[f64; 2]>,
    /// Between-site variance.
    pub tau2: f64,
    /// In percent; absent where it has no meaning.
    pub i2: Option<f64>,
    /// Whether this is the pool that the report leads with.
    pub chosen: bool,
}

/// Bounds of the mean over all external sites, withheld ones included.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize, JsonSchema)]
pub struct Bounds {
    /// The sites whose value is withheld.
    pub sites: Vec<SiteSlug>,
    /// The mean with every withheld value at the lower end of what is known of it; absent where
    /// nothing bounds it.
    pub low: Option<f64>,
    /// The same at the upper end.
    pub high: Option<f64>,
    /// Lower end of the mean's interval with every withheld value at its lower end.
    #[serde(default)]
    pub interval_low: Option<f64>,
    /// Upper end of the mean's interval with every withheld value at its upper end.
    #[serde(default)]
    pub interval_high: Option<f64>,
}

/// A site whose value is withheld, with what is known of the value on the natural scale; an end
/// is absent where nothing bounds it.
pub(super) struct HiddenValue {
    pub(super) site: SiteSlug,
    pub(super) low: Option<f64>,
    pub(super) high: Option<f64>,
}

impl Bounds {
    /// Bounds of the mean of `k` sites, `[lower end, estimate, upper end]`, when `withheld` sites
    /// with these ends join it, each with the mean weight of the released ones, on the natural
    /// scale. A withheld value is fixed and not known, so the interval's ends move with it and its
    /// length is that of the released sites' share. `None` when no site is withheld.
    pub(super) fn of(mean: [f64; 3], k: usize, withheld: &[HiddenValue]) -> Option<Self> {
        if withheld.is_empty() {
            return None;
        }
        let count = |n: usize| crate::numeric::sum::count(n as u64);
        let joined = |released: f64, end: fn(&HiddenValue) -> Option<f64>| {
            let ends: Vec<f64> = withheld.iter().map(end).collect::<Option<_>>()?;
            let total = count(k) * released + ends.iter().sum::<f64>();
            Some(total / count(k + ends.len())).filter(|value| value.is_finite())
        };
        let [lowest, estimate, highest] = mean;
        Some(Self {
            low: joined(estimate, |one| one.low),
            high: joined(estimate, |one| one.high),
            interval_low: joined(lowest, |one| one.low),
            interval_high: joined(highest, |one| one.high),
            sites: withheld.iter().map(|one| one.site.clone()).collect(),
        })
    }
}

/// Estimates of the pooled sites, in the protocol's order.
pub(super) struct Input<'a> {
    pub(super) sites: &'a [SiteSlug],
    pub(super) yi: &'a [f64],
    pub(super) vi: &'a [f64],
    pub(super) scale: Scale,
    pub(super) pooling: &'a Pooling,
}

impl Robustness {
    /// Everything that follows from the two-stage model; a part that does not converge is
    /// empty.
    pub(super) fn of(input: &Input<'_>, fit: &RandomEffects) -> Self {
        let (yi, vi, level) = (input.yi, input.vi, input.pooling.level);
        let (method, law) = (
            method(input.pooling.tau2),
            inference(input.pooling.interval),
        );
        let steps = cumulative(yi, vi, level, method, law).unwrap_or_default();
        let deleted = influence(yi, vi, level, method, law).unwrap_or_default();
        let drawn = shrunken(yi, vi, level, method, law).unwrap_or_default();
        Self {
            leave_one_out: fit
                .leave_one_out
                .iter()
                .filter_map(|one| {
                    let mean = one.mean_by(law);
                    Some(LeftOutSite {
                        site: input.sites.get(one.omitted)?.clone(),
                        estimate: input.scale.natural(mean.estimate)?,
                        interval: input.interval(mean),
                        tau2: one.tau2,
                        i2: one.i2,
                        q: one.q,
                    })
                })
                .collect(),
            cumulative: steps.iter().filter_map(|step| input.step(step)).collect(),
            influence: deleted
                .iter()
                .filter_map(|one| {
                    Some(SiteInfluence {
                        site: input.sites.get(one.site)?.clone(),
                        studentised: one.studentised,
                        dffits: one.dffits,
                        cooks_distance: one.cooks_distance,
                        covariance_ratio: one.covariance_ratio,
                        dfbetas: one.dfbetas,
                        hat: one.hat,
                        tau2: one.tau2,
                        q: one.q,
                        influential: one.influential,
                        q_residual: one.q_residual,
                        flags: flags(one, fit, law),
                    })
                })
                .collect(),
            shrunken: drawn
                .iter()
                .filter_map(|one| {
                    Some(ShrunkenEstimate {
                        site: input.sites.get(one.site)?.clone(),
                        estimate: input.scale.natural(one.estimate)?,
                        interval: one.interval.and_then(|found| input.both(found)),
                        own_share: one.own_share,
                    })
                })
                .collect(),
            others: input.others(),
            withheld: None,
        }
    }
}

fn flags(one: &Influence, fit: &RandomEffects, law: Inference) -> Vec<Flag> {
    let without = fit
        .leave_one_out
        .iter()
        .find(|left| left.omitted == one.site);
    let outside = without
        .map(|left| left.mean_by(law).estimate)
        .zip(fit.mean_by(law).interval)
        .is_some_and(|(mean, interval)| mean < interval.lower || mean > interval.upper);
    [
        (one.studentised.abs() > RESIDUAL_MAX, Flag::Outlying),
        (one.q_residual.abs() > RESIDUAL_MAX, Flag::OffCommonValue),
        (outside, Flag::MovesMean),
        (one.influential, Flag::Influential),
    ]
    .into_iter()
    .filter_map(|(holds, flag)| holds.then_some(flag))
    .collect()
}

const ESTIMATORS: [Tau2Estimator; 8] = [
    Tau2Estimator::Reml,
    Tau2Estimator::DerSimonianLaird,
    Tau2Estimator::PauleMandel,
    Tau2Estimator::MaximumLikelihood,
    Tau2Estimator::SidikJonkman,
    Tau2Estimator::Hedges,
    Tau2Estimator::EmpiricalBayes,
    Tau2Estimator::Fixed,
];

const INTERVALS: [PoolInterval; 3] = [
    PoolInterval::Hksj,
    PoolInterval::HksjUnguarded,
    PoolInterval::Normal,
];

impl Input<'_> {
    fn both(&self, found: crate::numeric::Interval) -> Option<[f64; 2]> {
        Some([
            self.scale.natural(found.lower)?,
            self.scale.natural(found.upper)?,
        ])
    }

    fn interval(&self, mean: &Mean) -> Option<[f64; 2]> {
        mean.interval.and_then(|found| self.both(found))
    }

    fn step(&self, step: &Step) -> Option<CumulativeStep> {
        Some(CumulativeStep {
            site: self.sites.get(step.k.checked_sub(1)?)?.clone(),
            k: step.k,
            estimate: self.scale.natural(step.mean.estimate)?,
            interval: self.interval(&step.mean),
            tau2: step.tau2,
            i2: step.i2,
        })
    }

    /// Every estimator with the protocol's interval, then the protocol's estimator with every
    /// other interval.
    fn others(&self) -> Vec<OtherPool> {
        let own = (self.pooling.tau2, self.pooling.interval);
        let by_estimator = ESTIMATORS.iter().map(|estimator| (*estimator, own.1));
        let by_interval = INTERVALS
            .iter()
            .filter(|interval| **interval != own.1)
            .map(|interval| (own.0, *interval));
        by_estimator
            .chain(by_interval)
            .filter_map(|(estimator, interval)| self.other(estimator, interval, own))
            .collect()
    }

    fn other(
        &self,
        estimator: Tau2Estimator,
        interval: PoolInterval,
        own: (Tau2Estimator, PoolInterval),
    ) -> Option<OtherPool> {
        let method: Method = method(estimator);
        let law: Inference = inference(interval);
        let fit = RandomEffects::fit_with(self.yi, self.vi, self.pooling.level, method).ok()?;
        let mean = fit.mean_by(law);
        Some(OtherPool {
            model: PoolingModel::TwoStage,
            tau2_estimator: estimator,
            interval_method: interval,
            estimate: self.scale.natural(mean.estimate)?,
            interval: self.interval(mean),
            tau2: fit.tau2,
            i2: Some(fit.i2),
            chosen: (estimator, interval) == own,
        })
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    /// Of seven equal hospitals none is flagged; of six and one that is far off, that one is, and
    /// it stays in the pool.
    #[test]
    fn a_site_far_from_the_others_is_flagged_and_kept() {
        let sites: Vec<SiteSlug> = ["a", "b", "c", "d", "e", "f", "g"]
            .map(|name| name.parse().unwrap())
            .to_vec();
        let text = include_str!("../../../configs/examples/heart/study.toml");
        let pooling = crate::study::source::parse(text).unwrap().pooling;
        let of = |yi: &[f64]| {
            let vi = vec![0.04; yi.len()];
            let (method, level) = (method(pooling.tau2), pooling.level);
            let fit = RandomEffects::fit_with(yi, &vi, level, method).unwrap();
            let input = Input {
                sites: &sites,
                yi,
                vi: &vi,
                scale: Scale::Identity,
                pooling: &pooling,
            };
            (Robustness::of(&input, &fit), fit.mean.estimate)
        };
        let near = [1.0, 1.1, 0.9, 1.05, 0.95, 1.02, 0.98];
        let (found, _) = of(&near);
        assert!(found.influence.iter().all(|one| one.flags.is_empty()));
        let mut far = near;
        far[6] = 3.0;
        let (found, mean) = of(&far);
        assert_eq!(found.influence.len(), 7);
        for one in &found.influence {
            let last = one.site == sites[6];
            for flag in [Flag::Outlying, Flag::OffCommonValue] {
                assert_eq!(one.flags.contains(&flag), last, "{} {flag:?}", one.site);
            }
        }
        // With equal variances the common value is the plain mean: (3 - m) / sqrt(0.04 * 6 / 7).
        let common = far.iter().sum::<f64>() / 7.0;
        let residual = (3.0 - common) / (0.04_f64 * 6.0 / 7.0).sqrt();
        assert!((found.influence[6].q_residual - residual).abs() < 1e-12);
        assert!(mean > 1.2, "the site was left out: {mean}");
    }

    #[test]
    fn withheld_sites_bound_the_mean_and_name_themselves() {
        let site = |name: &str, low, high| HiddenValue {
            site: name.parse().unwrap(),
            low,
            high,
        };
        assert_eq!(Bounds::of([0.7, 0.8, 0.9], 3, &[]), None);
        let one = Bounds::of([0.7, 0.8, 0.9], 3, &[site("a", Some(0.0), Some(1.0))]).unwrap();
        assert!((one.interval_low.unwrap() - 0.525).abs() < 1e-15);
        assert!((one.interval_high.unwrap() - 0.925).abs() < 1e-15);
        assert!((one.low.unwrap() - 0.6).abs() < 1e-15);
        assert!((one.high.unwrap() - 0.85).abs() < 1e-15);
        let open = [site("a", Some(0.0), Some(1.0)), site("b", Some(0.0), None)];
        let two = Bounds::of([1.0, 1.2, 1.4], 2, &open).unwrap();
        assert_eq!((two.high, two.interval_high), (None, None));
        assert!((two.low.unwrap() - 0.6).abs() < 1e-15);
        assert_eq!(two.sites.len(), 2);
    }
}
