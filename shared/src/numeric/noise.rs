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
mod tests {
    use super::*;
    use crate::numeric::delong;
    use crate::numeric::random::Draws;

    fn close(a: f64, b: f64) {
        assert!((a - b).abs() < 1e-9 * b.abs().max(1.0), "{a} {b}");
    }

    #[test]
    fn the_size_of_noise_is_that_of_its_distribution() {
        for scale in [0.5, 1.0, 2.0, 20.0 / 3.0] {
            let p = libm::exp(-1.0 / scale);
            let norm = (1.0 - p) / (1.0 + p);
            let sum = |power: f64| -> f64 {
                (1..2000)
                    .map(|x| {
                        2.0 * norm * libm::pow(p, f64::from(x)) * libm::pow(f64::from(x), power)
                    })
                    .sum()
            };
            let spread = laplace(scale);
            close(spread.variance, sum(2.0));
            close(spread.absolute, sum(1.0));
        }
        let (below, above) = (gaussian(19.999_999_9), gaussian(20.000_000_1));
        assert!((below.variance - above.variance).abs() < 1e-4);
        assert!((below.absolute - above.absolute).abs() < 1e-2);
        // Sigma 1 over the integers has nearly variance 1 (Canonne and others, section 2).
        assert!((gaussian(1.0).variance - 1.0).abs() < 1e-6);
    }

    #[test]
    fn without_noise_the_area_is_that_of_the_histogram() {
        let events = [1_u64, 4, 6, 20];
        let others = [30_u64, 20, 8, 2];
        let float = |counts: &[u64]| counts.iter().map(|one| *one as f64).collect::<Vec<f64>>();
        let classes = Classes {
            events: float(&events),
            non_events: float(&others),
            variance: 0.0,
        };
        let area = classes.area().unwrap();
        let exact = delong::from_histogram(&events, &others).unwrap();
        close(area.value, exact.binned.auc.unwrap());
        close(
            area.sampling,
            delong::hanley_mcneil_variance(area.value, 31, 60).unwrap(),
        );
        assert_eq!(area.noise, 0.0);
        let [sensitivity, false_alarms] = classes.shares_from(2).unwrap();
        close(sensitivity.value, 26.0 / 31.0);
        close(false_alarms.value, 10.0 / 60.0);
        let benefit = classes.net_benefit(2, 0.2).unwrap();
        close(benefit.value, (26.0 - 0.25 * 10.0) / 91.0);
    }

    /// A geometric number by inversion, so that differences are discrete Laplace.
    fn geometric(draws: &mut Draws, scale: f64) -> f64 {
        let unit = 1.0 - draws.unit();
        libm::floor(-libm::log(unit) * scale)
    }

    fn drawn(expected: &[f64], draws: &mut Draws, scale: f64) -> Vec<f64> {
        let each = expected
            .iter()
            .map(|count| count + geometric(draws, scale) - geometric(draws, scale));
        each.collect()
    }

    /// The variance over noise is what repeated draws show, for areas, shares and net benefit, and
    /// what is shown is nearly unbiased.
    #[test]
    fn variances_over_noise_are_those_of_repeated_draws() {
        let mut draws = Draws::new(7);
        let events = [5.0, 10.0, 20.0, 30.0, 40.0, 35.0, 15.0, 5.0];
        let others = [60.0, 150.0, 200.0, 120.0, 40.0, 20.0, 8.0, 2.0];
        let truth = Classes {
            events: events.to_vec(),
            non_events: others.to_vec(),
            variance: 0.0,
        };
        let exact = [
            truth.area().unwrap().value,
            truth.shares_from(4).unwrap()[0].value,
            truth.net_benefit(4, 0.3).unwrap().value,
        ];
        for scale in [1.0, 3.0] {
            let variance = laplace(scale).variance;
            let expected = Classes {
                variance,
                ..truth.clone()
            };
            let said = [
                expected.area().unwrap().noise,
                expected.shares_from(4).unwrap()[0].noise,
                expected.net_benefit(4, 0.3).unwrap().noise,
            ];
            let (mut first, mut second) = ([0.0; 3], [0.0; 3]);
            let rounds = 20_000;
            for _ in 0..rounds {
                let one = Classes {
                    events: drawn(&events, &mut draws, scale),
                    non_events: drawn(&others, &mut draws, scale),
                    variance,
                };
                let values = [
                    one.area().unwrap().value,
                    one.shares_from(4).unwrap()[0].value,
                    one.net_benefit(4, 0.3).unwrap().value,
                ];
                for place in 0..3 {
                    let off = values[place] - exact[place];
                    first[place] += off / f64::from(rounds);
                    second[place] += off * off / f64::from(rounds);
                }
            }
            for place in 0..3 {
                let ratio = second[place] / said[place];
                assert!((0.93..1.12).contains(&ratio), "{scale} {place}: {ratio}");
                let bias = first[place].abs() / libm::sqrt(said[place]);
                assert!(bias < 0.06, "{scale} {place}: bias {bias}");
            }
        }
    }

    /// A 95 % interval on the logit scale, with both variances, holds the true area of the blocks in
    /// about 95 of 100 samples with noise.
    #[test]
    fn intervals_with_both_variances_hold_the_truth() {
        let mut draws = Draws::new(31);
        let (blocks, scale) = (16_usize, 2.0);
        let block = |value: f64| -> usize {
            (0..blocks - 1)
                .filter(|edge| value >= -3.0 + 0.5 * crate::numeric::sum::count(*edge as u64))
                .count()
        };
        let mut normal = || {
            let length = libm::sqrt(-2.0 * libm::log(1.0 - draws.unit()));
            length * libm::cos(2.0 * std::f64::consts::PI * draws.unit())
        };
        let mut class = |cases: u32, shift: f64| -> Vec<f64> {
            let mut counts = vec![0.0; blocks];
            (0..cases).for_each(|_| counts[block(shift + normal())] += 1.0);
            counts
        };
        let truth = Classes {
            events: class(400_000, 1.4),
            non_events: class(400_000, 0.0),
            variance: 0.0,
        };
        let truth = truth.area().unwrap().value;
        let samples: Vec<[Vec<f64>; 2]> = (0..400)
            .map(|_| [class(150, 1.4), class(850, 0.0)])
            .collect();
        let mut noise = Draws::new(32);
        let mut held = 0;
        for [events, others] in &samples {
            let noisy = Classes {
                events: drawn(events, &mut noise, scale),
                non_events: drawn(others, &mut noise, scale),
                variance: laplace(scale).variance,
            };
            let area = noisy.area().unwrap();
            let slope = area.value * (1.0 - area.value);
            let se = libm::sqrt(area.variance()) / slope;
            let logit = |value: f64| libm::log(value / (1.0 - value));
            held += u32::from((logit(area.value) - logit(truth)).abs() <= 1.959_964 * se);
        }
        assert!((372..=396).contains(&held), "{held} of 400");
    }

    #[test]
    fn totals_that_drown_in_noise_divide_nothing() {
        let classes = Classes {
            events: vec![3.0, 2.0, 4.0, 6.0],
            non_events: vec![100.0, 80.0, 30.0, 9.0],
            variance: 4.0,
        };
        // The noise of a total of 15 has standard deviation 4.
        assert_eq!(classes.area(), None);
        assert_eq!(classes.shares_from(1), None);
        assert_eq!(classes.net_benefit(1, 0.2), None);
        let clear = Classes {
            variance: 1.0,
            ..classes
        };
        assert!(clear.area().is_some());
        assert_eq!(clear.net_benefit(1, 1.0), None);
    }
}
