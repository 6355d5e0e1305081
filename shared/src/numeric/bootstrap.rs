//! Bootstrap by patient: resamples that any machine draws alike, and the intervals made of
//! them.
//!
//! A resample is one weight per patient, how often the patient was drawn; a statistic is a
//! function of those weights, so a table is sorted once and never copied. Patients are drawn
//! with replacement, all of a patient's rows together (Davison and Hinkley 1997, section 3.8,
//! doi:10.1017/CBO9780511802843). Resample `number` of a seed depends on nothing but seed,
//! number and patients: whoever splits the numbers over threads gets the same values.
//!
//! Numbers are those of `SplitMix64` (Steele, Lea and Flood 2014, doi:10.1145/2660193.2660195)
//! reduced to a range without bias (Lemire 2019, doi:10.1145/3230636).
//!
//! Intervals: percentile, and bias-corrected and accelerated (Efron 1987,
//! doi:10.1080/01621459.1987.10478410) with the acceleration from a jackknife by patient.
//! A resample in which the statistic does not exist (one class only) is counted; above
//! [`MOST_UNDEFINED`] of them no interval is given, as what is left is no longer a sample of
//! the statistic's law.
//!
//! From: `ranked`, `froc`, `lesion`, `statistic` for quantities without a closed form.
//! To: `distribution` (the normal law), plain intervals.

use std::ops::Range;

use super::distribution::{normal_quantile, normal_sf};
use super::interval::Interval;
use super::random::{Draws, GOLDEN, mix};
use super::sum::{Moments, count, mean, sum_iter};

/// The largest share of resamples without a value that an interval tolerates.
pub const MOST_UNDEFINED: f64 = 0.05;

/// Patients up to which the jackknife leaves out one at a time; above, it leaves out one of as
/// many equal groups, whose skewness has the same expectation.
pub const JACKKNIFE_GROUPS: u32 = 1000;

/// The random words of one resample.
struct Stream(Draws);

impl Stream {
    fn of(seed: u64, number: u32) -> Self {
        let place = u64::from(number).wrapping_add(1).wrapping_mul(GOLDEN);
        Self(Draws::new(mix(mix(seed).wrapping_add(place))))
    }

    fn word(&mut self) -> u64 {
        self.0.bits()
    }
}

#[expect(clippy::cast_possible_truncation, reason = "the low half is meant")]
fn low(word: u64) -> u32 {
    word as u32
}

fn high(word: u64) -> u32 {
    low(word >> 32)
}

/// Fills `weights` (one per patient) with how often resample `number` of `seed` draws each;
/// they add to the number of patients. With 2^32 patients or more nobody is drawn.
pub fn draw(seed: u64, number: u32, weights: &mut [u32]) {
    weights.fill(0);
    let Ok(patients) = u32::try_from(weights.len()) else {
        return;
    };
    if patients == 0 {
        return;
    }
    // Products whose low half is below this would favour some patients.
    let biased = patients.wrapping_neg() % patients;
    let mut stream = Stream::of(seed, number);
    let take = |half: u32| {
        let product = u64::from(half) * u64::from(patients);
        (low(product) >= biased).then(|| high(product) as usize)
    };
    let mut left = patients;
    while left >= 2 {
        let word = stream.word();
        for half in [low(word), high(word)] {
            if let Some(weight) = take(half).and_then(|place| weights.get_mut(place)) {
                *weight += 1;
                left -= 1;
            }
        }
    }
    while left > 0 {
        let half = low(stream.word());
        if let Some(weight) = take(half).and_then(|place| weights.get_mut(place)) {
            *weight += 1;
            left -= 1;
        }
    }
}

/// `K` statistics of the resamples `numbers`, in their order; each is `None` where the
/// statistic does not exist. The statistics of one resample share its weights.
pub fn replicate<const K: usize>(
    patients: u32,
    seed: u64,
    numbers: Range<u32>,
    mut statistic: impl FnMut(&[u32]) -> [Option<f64>; K],
) -> [Vec<Option<f64>>; K] {
    let mut weights = vec![0; patients as usize];
    let mut columns = [const { Vec::new() }; K];
    for number in numbers {
        draw(seed, number, &mut weights);
        push(&mut columns, statistic(&weights));
    }
    columns
}

/// `K` statistics without one patient (or one group of patients) at a time. Patients beyond
/// [`JACKKNIFE_GROUPS`] fall into that many groups by their number's remainder.
pub fn jackknife<const K: usize>(
    patients: u32,
    mut statistic: impl FnMut(&[u32]) -> [Option<f64>; K],
) -> [Vec<Option<f64>>; K] {
    let groups = patients.min(JACKKNIFE_GROUPS);
    let mut weights = vec![1; patients as usize];
    let mut columns = [const { Vec::new() }; K];
    for group in 0..groups as usize {
        let members = |weights: &mut [u32], weight| {
            let group = weights.iter_mut().skip(group);
            group.step_by(groups as usize).for_each(|w| *w = weight);
        };
        members(&mut weights, 0);
        push(&mut columns, statistic(&weights));
        members(&mut weights, 1);
    }
    columns
}

/// Standard errors and intervals of `K` statistics, functions of one weight per patient, from
/// `resamples` resamples of `seed` and the jackknife, at a two-sided `level` in (0, 1).
pub fn intervals<const K: usize>(
    patients: u32,
    seed: u64,
    resamples: u32,
    level: f64,
    statistics: impl Fn(&[u32]) -> [Option<f64>; K],
) -> [Bootstrap; K] {
    let replicates = replicate(patients, seed, 0..resamples, &statistics);
    let leavings = jackknife(patients, &statistics);
    let values = statistics(&vec![1; patients as usize]);
    std::array::from_fn(|at| Bootstrap::of(values[at], &replicates[at], &leavings[at], level))
}

fn push<const K: usize>(columns: &mut [Vec<Option<f64>>; K], values: [Option<f64>; K]) {
    for (column, value) in columns.iter_mut().zip(values) {
        column.push(value.filter(|number| number.is_finite()));
    }
}

/// What resamples say about an estimate.
#[derive(Clone, Copy, Debug, Eq, PartialEq)]
pub enum BootstrapStatus {
    /// Standard error and percentile interval are defined.
    Estimated,
    /// The statistic does not exist on the patients themselves.
    NoEstimate,
    /// Too few resamples for the tails the level asks for.
    TooFewResamples,
    /// More than [`MOST_UNDEFINED`] of the resamples have no value.
    Degenerate,
    /// Every resample has the same value.
    NoSpread,
}

/// Standard error and intervals of an estimate from its resamples.
#[derive(Clone, Copy, Debug, PartialEq)]
pub struct Bootstrap {
    /// What is defined.
    pub status: BootstrapStatus,
    /// Resamples drawn.
    pub resamples: u64,
    /// Those without a value.
    pub undefined: u64,
    /// Standard deviation of the resamples' values; `None` unless `Estimated`.
    pub standard_error: Option<f64>,
    /// Percentile interval; `None` unless `Estimated`.
    pub percentile: Option<Interval>,
    /// Bias-corrected and accelerated interval. `None` unless `Estimated`, and where it does
    /// not exist: the estimate outside of the resamples' values, a jackknife without spread
    /// or with an undefined value, corrected tails beyond the resamples.
    pub bca: Option<Interval>,
}

impl Bootstrap {
    /// From the statistic on all patients, on resamples and on the jackknife's leavings
    /// ([`jackknife`]; empty for no BCa interval), at a two-sided `level` in (0, 1).
    pub fn of(
        estimate: Option<f64>,
        replicates: &[Option<f64>],
        leavings: &[Option<f64>],
        level: f64,
    ) -> Self {
        let mut values: Vec<f64> = replicates.iter().copied().flatten().collect();
        values.sort_by(f64::total_cmp);
        let mut result = Self {
            status: BootstrapStatus::NoEstimate,
            resamples: replicates.len() as u64,
            undefined: (replicates.len() - values.len()) as u64,
            standard_error: None,
            percentile: None,
            bca: None,
        };
        let Some(estimate) = estimate else {
            return result;
        };
        let tail = 0.5 - level / 2.0;
        let ends = (quantile(&values, tail), quantile(&values, 1.0 - tail));
        let missing = count(result.undefined);
        result.status = if missing > MOST_UNDEFINED * count(result.resamples) {
            BootstrapStatus::Degenerate
        } else if values.first() == values.last() && !values.is_empty() {
            BootstrapStatus::NoSpread
        } else if ends.0.is_none() || ends.1.is_none() {
            BootstrapStatus::TooFewResamples
        } else {
            BootstrapStatus::Estimated
        };
        if result.status != BootstrapStatus::Estimated {
            return result;
        }
        result.standard_error = Moments::of(&values).and_then(Moments::standard_deviation);
        result.percentile = ends.0.zip(ends.1).and_then(|(a, b)| Interval::new(a, b));
        result.bca = bca(estimate, &values, leavings, tail);
        result
    }
}

/// The quantile at `p` of sorted values, at place `(n + 1) p` with linear interpolation
/// (Hyndman and Fan 1996, type 6, doi:10.1080/00031305.1996.10473566). `None` where the place
/// lies outside of the values.
fn quantile(sorted: &[f64], p: f64) -> Option<f64> {
    let place = (count(sorted.len() as u64) + 1.0) * p;
    if !(place >= 1.0 && place <= count(sorted.len() as u64)) {
        return None;
    }
    let whole = place.floor();
    #[expect(
        clippy::cast_possible_truncation,
        clippy::cast_sign_loss,
        reason = "between 1 and the number of values"
    )]
    let below = whole as usize;
    let first = *sorted.get(below - 1)?;
    let next = sorted.get(below).copied().unwrap_or(first);
    Some(first + (place - whole) * (next - first))
}

/// The BCa interval: tails moved by the bias `z0` (the share of resamples below the estimate,
/// ties half) and the acceleration (a sixth of the jackknife's skewness).
fn bca(estimate: f64, sorted: &[f64], leavings: &[Option<f64>], tail: f64) -> Option<Interval> {
    let below = sorted.partition_point(|value| *value < estimate) as u64;
    let not_above = sorted.partition_point(|value| *value <= estimate) as u64;
    let share = count(below + not_above) / (2.0 * count(sorted.len() as u64));
    let bias = normal_quantile(share)?;
    let acceleration = acceleration(leavings)?;
    let end = |p: f64| {
        let sum = bias + normal_quantile(p)?;
        let stretch = 1.0 - acceleration * sum;
        let moved = bias + sum / stretch;
        (stretch > 0.0)
            .then(|| normal_sf(-moved))
            .flatten()
            .and_then(|p| quantile(sorted, p))
    };
    Interval::new(end(tail)?, end(1.0 - tail)?)
}

/// A sixth of the skewness of what leaving a patient out takes away.
fn acceleration(leavings: &[Option<f64>]) -> Option<f64> {
    let values: Vec<f64> = leavings.iter().copied().collect::<Option<_>>()?;
    let centre = mean(&values)?;
    let steps = || values.iter().map(|value| centre - value);
    let spread = sum_iter(steps().map(|step| step * step));
    let skew = sum_iter(steps().map(|step| step * step * step));
    let acceleration = skew / (6.0 * spread * spread.sqrt());
    acceleration.is_finite().then_some(acceleration)
}

#[cfg(test)]
mod tests;
