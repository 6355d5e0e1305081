//! Noise on counts: how large it is, and what it does to what is computed from a class-conditional
//! histogram. An area from counts with noise has two sources of error, the sample and the noise;
//! both enter its variance.
//!
//! From: counts with noise, or expected counts without.
//! To: `pool::noisy`, `disclosure::noise`, planning.

use super::sum::sum_iter;

/// Size of the noise of one count.
#[derive(Clone, Copy, Debug, PartialEq)]
pub struct Spread {
    /// Variance.
    pub variance: f64,
    /// Expected absolute value.
    pub absolute: f64,
}

/// Discrete Laplace noise: weight `p^|x|` with `p = exp(-1 / scale)`, so that the variance is
/// `2 p / (1 - p)^2` and the mean absolute value `2 p / (1 - p^2)`.
pub fn laplace(scale: f64) -> Spread {
    let p = libm::exp(-1.0 / scale);
    // 1 - p without cancellation for large scales.
    let rest = -libm::expm1(-1.0 / scale);
    Spread {
        variance: 2.0 * p / (rest * rest),
        absolute: 2.0 * p / (rest * (1.0 + p)),
    }
}

/// Discrete Gaussian noise: weight `exp(-x^2 / (2 sigma^2))` over the integers, summed to where
/// nothing is left. From `sigma` 20 on the continuous values hold to all digits.
pub fn gaussian(sigma: f64) -> Spread {
    if sigma >= 20.0 {
        return Spread {
            variance: sigma * sigma,
            absolute: sigma * libm::sqrt(2.0 / std::f64::consts::PI),
        };
    }
    let weight = |x: u32| libm::exp(-f64::from(x) * f64::from(x) / (2.0 * sigma * sigma));
    let (mut all, mut first, mut second) = (1.0, 0.0, 0.0);
    for x in 1..=1000_u32 {
        let both = 2.0 * weight(x);
        all += both;
        first += both * f64::from(x);
        second += both * f64::from(x) * f64::from(x);
    }
    Spread {
        variance: second / all,
        absolute: first / all,
    }
}

/// Events and non-events by ascending block of the score, each count with independent noise of
/// this variance.
#[derive(Clone, Debug, PartialEq)]
pub struct Classes {
    /// Events.
    pub events: Vec<f64>,
    /// Non-events; as many blocks.
    pub non_events: Vec<f64>,
    /// Variance of the noise of each count; sums of several hospitals add theirs.
    pub variance: f64,
}

/// An estimate with its two variances.
#[derive(Clone, Copy, Debug, PartialEq)]
pub struct Estimate {
    /// The estimate.
    pub value: f64,
    /// Its variance over samples of patients.
    pub sampling: f64,
    /// Its variance over draws of the noise.
    pub noise: f64,
}

impl Estimate {
    /// Both together: they are independent.
    pub fn variance(&self) -> f64 {
        self.sampling + self.noise
    }
}

/// A class total below this many standard deviations of its own noise divides nothing.
const TELLING: f64 = 5.0;

impl Classes {
    /// Sums of the classes.
    pub fn totals(&self) -> [f64; 2] {
        [&self.events, &self.non_events].map(|class| sum_iter(class.iter().copied()))
    }

    /// Standard deviation of the noise of a class total.
    pub fn total_noise(&self) -> f64 {
        libm::sqrt(self.blocks() * self.variance)
    }

    #[allow(clippy::cast_precision_loss, reason = "a few hundred blocks")]
    fn blocks(&self) -> f64 {
        self.events.len() as f64
    }

    /// The totals, where each is clear of its noise and holds at least one case.
    fn telling(&self) -> Option<[f64; 2]> {
        let least = (TELLING * self.total_noise()).max(1.0);
        let totals = self.totals();
        (self.events.len() == self.non_events.len() && totals.iter().all(|one| *one >= least))
            .then_some(totals)
    }

    /// The area under the ROC curve of the binned score, ties by half.
    ///
    /// Noise enters `sum w_ij e_i f_j / (E F)`, with `w_ij` the order of blocks i and j, in two
    /// ways: each count alone, with weight `(p_i - A) / E` or `(q_j - A) / F` for placements p and
    /// q, and in pairs, with weight `(w_ij - p_i - q_j + A) / (E F)`. The sampling variance is
    /// Hanley and McNeil's (1982, doi:10.1148/radiology.143.1.7063747), which needs the area and the
    /// class sizes only, and so nothing that noise blows up. `None` when a total is not clear of
    /// its noise, or the area lies outside (0, 1).
    pub fn area(&self) -> Option<Estimate> {
        let [events, others] = self.telling()?;
        let below = placements(&self.non_events, others);
        let above: Vec<f64> = placements(&self.events, events)
            .into_iter()
            .map(|share| 1.0 - share)
            .collect();
        let pairs = self
            .events
            .iter()
            .zip(&below)
            .map(|(count, share)| count * share);
        let area = sum_iter(pairs) / events;
        if !(area > 0.0 && area < 1.0) {
            return None;
        }
        let square =
            |shares: &[f64]| sum_iter(shares.iter().map(|share| (share - area) * (share - area)));
        let alone = square(&below) / (events * events) + square(&above) / (others * others);
        let mut both = 0.0;
        for (i, below) in below.iter().enumerate() {
            for (j, above) in above.iter().enumerate() {
                let order = match i.cmp(&j) {
                    std::cmp::Ordering::Greater => 1.0,
                    std::cmp::Ordering::Equal => 0.5,
                    std::cmp::Ordering::Less => 0.0,
                };
                let weight = order - below - above + area;
                both += weight * weight;
            }
        }
        let scale = self.variance / (events * others);
        Some(Estimate {
            value: area,
            sampling: hanley_mcneil(area, events, others),
            noise: self.variance * alone + scale * scale * both,
        })
    }

    /// Shares of events and of non-events in the blocks from `from` on; `None` as in
    /// [`Self::area`].
    pub fn shares_from(&self, from: usize) -> Option<[Estimate; 2]> {
        let totals = self.telling()?;
        let share = |class: &[f64], total: f64| {
            let value = sum_iter(class.iter().skip(from).copied()) / total;
            #[allow(clippy::cast_precision_loss, reason = "a few hundred blocks")]
            let inside = class.len().saturating_sub(from) as f64;
            let outside = self.blocks() - inside;
            let inner = value.clamp(0.0, 1.0);
            Estimate {
                value,
                sampling: inner * (1.0 - inner) / total,
                noise: self.variance
                    * (inside * (1.0 - value) * (1.0 - value) + outside * value * value)
                    / (total * total),
            }
        };
        Some([
            share(&self.events, totals[0]),
            share(&self.non_events, totals[1]),
        ])
    }

    /// Net benefit of treating from block `from` on, at decision threshold `threshold`:
    /// `(TP - FP t / (1 - t)) / n`, with the variance of a mean of patients' values (Vickers and
    /// Elkin 2006, doi:10.1177/0272989X06295361). `None` as in [`Self::area`], and for a threshold
    /// outside (0, 1).
    pub fn net_benefit(&self, from: usize, threshold: f64) -> Option<Estimate> {
        let [events, others] = self.telling()?;
        if !(threshold > 0.0 && threshold < 1.0) {
            return None;
        }
        let odds = threshold / (1.0 - threshold);
        let n = events + others;
        let sum = |class: &[f64]| sum_iter(class.iter().skip(from).copied());
        let (hits, alarms) = (sum(&self.events), sum(&self.non_events));
        let value = (hits - odds * alarms) / n;
        let square = ((hits + odds * odds * alarms) / n - value * value).max(0.0);
        #[allow(clippy::cast_precision_loss, reason = "a few hundred blocks")]
        let inside = self.events.len().saturating_sub(from) as f64;
        let outside = self.blocks() - inside;
        let weight = |gain: f64| (gain - value) * (gain - value);
        let noise = inside * (weight(1.0) + weight(-odds)) + 2.0 * outside * value * value;
        Some(Estimate {
            value,
            sampling: square / n,
            noise: self.variance * noise / (n * n),
        })
    }
}

/// The share of a class below each block, half of the block's own included.
fn placements(class: &[f64], total: f64) -> Vec<f64> {
    let mut below = 0.0;
    let each = class.iter().map(|count| {
        let share = (below + count / 2.0) / total;
        below += count;
        share
    });
    each.collect()
}

fn hanley_mcneil(area: f64, events: f64, others: f64) -> f64 {
    let square = area * area;
    let (q1, q2) = (area / (2.0 - area), 2.0 * square / (1.0 + area));
    let total =
        area * (1.0 - area) + (events - 1.0) * (q1 - square) + (others - 1.0) * (q2 - square);
    (total / events / others).max(0.0)
}

#[cfg(test)]
mod tests;
