//! The mean over sites: by random effects of their estimates, or, where a proportion is sparse
//! and its counts are exact, by the binomial-normal model of the counts.
//!
//! A proportion is sparse when a site in the pool has fewer than five events or non-events: there
//! the normal law of a corrected logit misstates both the mean and its error (Stijnen, Hamza and
//! Ozdemir 2010, doi:10.1002/sim.4040). The two-stage pool stands beside it in the table of other
//! models. Estimate, interval and prediction interval by the protocol's choices.
//!
//! From: site estimates.
//! To: `analysis`.

use super::binomial_normal::{self, BinomialNormal, Share};
use super::random_effects::{Inference, Method, PredictionLaw, RandomEffects};
use super::result::{OtherPool, Pooled, PoolingModel, SiteEstimate};
use super::robustness::{Input, Robustness};
use crate::numeric::Interval;
use crate::numeric::distribution::{normal_two_sided, t_critical, t_two_sided};
use crate::numeric::sum::count;
use crate::statistic::metric::Scale;
use crate::statistic::stage::Cell;
use crate::study::{PoolInterval, Pooling, SiteSlug, Tau2Estimator};

/// Fewer events or non-events than this at a site: the proportion is sparse.
const SPARSE: u64 = 5;

/// The estimator behind the protocol's word.
pub(super) fn method(estimator: Tau2Estimator) -> Method {
    match estimator {
        Tau2Estimator::Fixed => Method::Fixed,
        Tau2Estimator::DerSimonianLaird => Method::DerSimonianLaird,
        Tau2Estimator::PauleMandel => Method::PauleMandel,
        Tau2Estimator::MaximumLikelihood => Method::MaximumLikelihood,
        Tau2Estimator::Reml => Method::Reml,
        Tau2Estimator::SidikJonkman => Method::SidikJonkman,
        Tau2Estimator::Hedges => Method::Hedges,
        Tau2Estimator::EmpiricalBayes => Method::EmpiricalBayes,
    }
}

/// The interval behind the protocol's word.
pub(super) fn inference(interval: PoolInterval) -> Inference {
    match interval {
        PoolInterval::Hksj => Inference::HksjGuarded,
        PoolInterval::HksjUnguarded => Inference::Hksj,
        PoolInterval::Normal => Inference::Normal,
    }
}

/// Pools `members`, which all have a point on the pooling scale; also their weights, percent.
/// How much the pool hangs on each site and on the model is worked out where `whole`. `None`
/// where the model does not converge or has no interval.
pub(super) fn over(
    pooling: &Pooling,
    scale: Scale,
    members: &[&SiteEstimate],
    whole: bool,
) -> Option<(Pooled, Vec<f64>)> {
    let sites: Vec<SiteSlug> = members.iter().map(|row| row.site.clone()).collect();
    let yi: Vec<f64> = members.iter().filter_map(|row| row.yi).collect();
    let vi: Vec<f64> = members.iter().filter_map(|row| row.vi).collect();
    let fit = RandomEffects::fit_with(&yi, &vi, pooling.level, method(pooling.tau2)).ok()?;
    let input = Input {
        sites: &sites,
        yi: &yi,
        vi: &vi,
        scale,
        pooling,
    };
    let mut pool = two_stage(&fit, pooling, scale, members)?;
    if whole {
        pool.robustness = Robustness::of(&input, &fit);
    }
    if let Some(counts) = counts(pooling, scale, members) {
        let sparse = members
            .iter()
            .filter_map(|row| row.counts)
            .any(|[events, n]| events.min(n - events) < SPARSE);
        pool = with_counts(pool, &counts, pooling, scale, sparse)?;
    }
    Some((pool, fit.weights_percent))
}

fn sum(members: &[&SiteEstimate], pick: fn(&SiteEstimate) -> Cell<u64>) -> Cell<u64> {
    members
        .iter()
        .map(|row| pick(row))
        .fold(Cell::Zero, Cell::plus)
}

fn both(scale: Scale, interval: Option<Interval>) -> Option<[f64; 2]> {
    let found = interval?;
    Some([scale.natural(found.lower)?, scale.natural(found.upper)?])
}

fn two_stage(
    fit: &RandomEffects,
    pooling: &Pooling,
    scale: Scale,
    members: &[&SiteEstimate],
) -> Option<Pooled> {
    let law = inference(pooling.interval);
    let mean = fit.mean_by(law);
    let [low, high] = both(scale, mean.interval)?;
    Some(Pooled {
        k: fit.k,
        estimate: scale.natural(mean.estimate)?,
        low,
        high,
        level: fit.level,
        mu: mean.estimate,
        se: mean.standard_error,
        p_value: mean.p?,
        // Prespecified with the guarded standard error, whatever the interval of the mean.
        prediction: both(
            scale,
            fit.predict(Inference::HksjGuarded, PredictionLaw::StudentK2),
        ),
        prediction_k1: both(
            scale,
            fit.predict(Inference::HksjGuarded, PredictionLaw::StudentK1),
        ),
        tau2: fit.tau2,
        tau2_interval: fit.tau2_interval.map(|found| [found.lower, found.upper]),
        i2: fit.i2,
        q: fit.q.statistic,
        q_df: fit.k - 1,
        q_p: fit.q.p,
        n: sum(members, |row| row.n),
        events: sum(members, |row| row.events),
        model: PoolingModel::TwoStage,
        robustness: Robustness::default(),
    })
}

/// The model of the counts, where every site has exact ones.
fn counts(pooling: &Pooling, scale: Scale, members: &[&SiteEstimate]) -> Option<BinomialNormal> {
    if scale != Scale::Logit {
        return None;
    }
    let shares: Vec<Share> = members
        .iter()
        .map(|row| row.counts.map(|[events, n]| Share { events, n }))
        .collect::<Option<_>>()?;
    binomial_normal::fit(&shares, pooling.level).ok()
}

/// Adds the counts' pool to the table of other models, and leads with it where counts are sparse.
fn with_counts(
    mut pool: Pooled,
    counts: &BinomialNormal,
    pooling: &Pooling,
    scale: Scale,
    lead: bool,
) -> Option<Pooled> {
    let (interval, p) = match pooling.interval {
        PoolInterval::Normal => (
            counts.interval,
            normal_two_sided(counts.estimate / counts.standard_error),
        ),
        PoolInterval::Hksj | PoolInterval::HksjUnguarded => (
            counts.interval_t,
            t_two_sided(
                counts.estimate / counts.standard_error,
                count((counts.k - 1) as u64),
            ),
        ),
    };
    let [low, high] = both(scale, Some(interval))?;
    let estimate = scale.natural(counts.estimate)?;
    if lead {
        pool.robustness
            .others
            .iter_mut()
            .for_each(|other| other.chosen = false);
    }
    pool.robustness.others.push(OtherPool {
        model: PoolingModel::BinomialNormal,
        tau2_estimator: Tau2Estimator::MaximumLikelihood,
        interval_method: pooling.interval,
        estimate,
        interval: Some([low, high]),
        tau2: counts.tau2,
        i2: counts.i2,
        chosen: lead,
    });
    if !lead {
        return Some(pool);
    }
    let spread = (counts.tau2 + counts.standard_error * counts.standard_error).sqrt();
    let wide = t_critical(pooling.level, count((counts.k - 1) as u64))
        .and_then(|critical| Interval::around(counts.estimate, critical * spread));
    Some(Pooled {
        estimate,
        low,
        high,
        mu: counts.estimate,
        se: counts.standard_error,
        p_value: p?,
        prediction: both(scale, counts.prediction),
        prediction_k1: both(scale, wide),
        tau2: counts.tau2,
        tau2_interval: None,
        i2: counts.i2.unwrap_or(0.0),
        q: counts.q_likelihood.statistic,
        q_p: counts.q_likelihood.p,
        model: PoolingModel::BinomialNormal,
        ..pool
    })
}
