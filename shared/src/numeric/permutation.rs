//! Target shuffling: could the ranking of a score have come about if outcomes had nothing to
//! do with it? Labels are permuted among the cases of one site; the statistic is the rank sum
//! of the events, which is the AUC up to constants.
//!
//! A site's rank sum, its expectation and its variance given the ties add over sites (van
//! Elteren's stratified test with equal weights), so that the test over all sites needs no
//! rank across them. For small sites the law is exact: the number of subsets of each rank sum
//! is counted, on ranks doubled to integers. Every case is a unit of its own: where patients
//! repeat, labels are not exchangeable and the caller must not ask.
//!
//! From: `statistic::permutation`.
//! To: `pool`, the report.

use super::distribution::normal_two_sided;
use super::random::Draws;
use super::rank::{Ascending, doubled_midranks, doubled_rank};
use super::sum::{count, sum_iter};

/// Additions that counting subsets may take: some milliseconds.
const MOST_WORK: u64 = 4_000_000;

/// The rank sum of the events with its moments under permutation; sums over sites are of the
/// same kind.
#[derive(Clone, Copy, Debug, Default, PartialEq)]
pub struct RankSum {
    /// Sites, or other strata.
    pub strata: u64,
    /// Cases.
    pub n: u64,
    /// Events.
    pub events: u64,
    /// Sum of the events' midranks within each stratum.
    pub rank_sum: f64,
    /// Its expectation, `n1 (n + 1) / 2`.
    pub expectation: f64,
    /// Its variance with ties, at least 0.
    pub variance: f64,
}

impl RankSum {
    /// The moments of one stratum (Wilcoxon 1945, doi:10.2307/3001968, with the variance of
    /// tied ranks) of cases in the order of their score. `None` for one class only, and for
    /// columns of different length.
    pub fn of(outcome: &[bool], order: &Ascending) -> Option<Self> {
        let n = outcome.len();
        let events = outcome.iter().filter(|event| **event).count();
        if n != order.row.len() || events == 0 || events == n {
            return None;
        }
        // Squares of doubled ranks' deviations from their mean, n + 1, are 4 times the ranks'.
        let (mut first, mut event_sum, mut squares) = (0, 0_u64, 0_u128);
        for run in order.runs() {
            let twice = doubled_rank(first, run);
            let inside = run.iter().filter(|row| outcome[**row as usize]);
            event_sum += twice * inside.count() as u64;
            let gap = u128::from(twice.abs_diff(n as u64 + 1));
            squares += gap * gap * run.len() as u128;
            first += run.len();
        }
        let all = count(n as u64);
        let (of_events, others) = (count(events as u64), count((n - events) as u64));
        #[expect(clippy::cast_precision_loss, reason = "to the nearest double")]
        let squares = squares as f64 / 4.0;
        Some(Self {
            strata: 1,
            n: n as u64,
            events: events as u64,
            rank_sum: count(event_sum) / 2.0,
            expectation: of_events * (all + 1.0) / 2.0,
            variance: of_events * others / all * squares / (all - 1.0),
        })
    }

    /// Both together (van Elteren 1960); the ranks of one never meet those of the other.
    #[must_use]
    pub fn merge(self, other: Self) -> Self {
        Self {
            strata: self.strata + other.strata,
            n: self.n + other.n,
            events: self.events + other.events,
            rank_sum: self.rank_sum + other.rank_sum,
            expectation: self.expectation + other.expectation,
            variance: self.variance + other.variance,
        }
    }

    /// The normal test of no association.
    pub fn test(&self) -> Option<RankTest> {
        RankTest::of(self.rank_sum - self.expectation, self.variance)
    }
}

/// A standardised rank sum.
#[derive(Clone, Copy, Debug, PartialEq)]
pub struct RankTest {
    /// Deviation over its standard deviation; positive if events rank higher.
    pub z: f64,
    /// Two-sided p value of the normal law.
    pub p: f64,
}

impl RankTest {
    /// From a sum of deviations and the sum of their variances. `None` if the variance is 0,
    /// as for a constant score.
    pub fn of(deviation: f64, variance: f64) -> Option<Self> {
        if !(variance > 0.0 && variance.is_finite()) {
            return None;
        }
        let z = deviation / variance.sqrt();
        Some(Self {
            z,
            p: normal_two_sided(z).filter(|_| z.is_finite())?,
        })
    }
}

/// Why there is no exact law.
#[derive(Clone, Copy, Debug, Eq, PartialEq, thiserror::Error)]
pub enum PermutationFault {
    /// One class only, columns of different length, or a NaN.
    #[error("there is nothing to permute")]
    Nothing,
    /// More subsets than are counted; shuffle or use the normal law.
    #[error("too many cases for the exact law")]
    TooLarge,
}

/// The exact two-sided p value: the share of all assignments of the labels whose rank sum is
/// at least as far from its expectation as the one observed (as coin's exact `wilcox_test`).
///
/// # Errors
/// [`PermutationFault`].
pub fn exact_p(outcome: &[bool], score: &[f64]) -> Result<f64, PermutationFault> {
    if outcome.len() != score.len() || score.iter().any(|score| score.is_nan()) {
        return Err(PermutationFault::Nothing);
    }
    let events = outcome.iter().filter(|event| **event).count();
    let smaller = events.min(outcome.len() - events) as u64;
    // The largest rank sum is above the number of cases, so that this is a lower bound of the
    // work, and spares the ranks of many.
    let least = (outcome.len() as u64).saturating_mul(outcome.len() as u64);
    if least.saturating_mul(smaller) > MOST_WORK {
        return Err(PermutationFault::TooLarge);
    }
    let ranks = Ranks::of(outcome, score).ok_or(PermutationFault::Nothing)?;
    let n = ranks.doubled.len() as u64;
    // The smaller class has fewer subsets; its distance to its expectation is the same.
    let chosen = ranks.events.min(n - ranks.events);
    let distance = ranks.event_sum.abs_diff(ranks.events * (n + 1));
    let largest: u64 = {
        let mut sorted = ranks.doubled.clone();
        sorted.sort_unstable_by(|a, b| b.cmp(a));
        let top = usize::try_from(chosen).unwrap_or(usize::MAX);
        sorted.iter().take(top).sum()
    };
    let work = n.saturating_mul(chosen).saturating_mul(largest + 1);
    if work > MOST_WORK {
        return Err(PermutationFault::TooLarge);
    }
    let law = subset_sums(&ranks.doubled, chosen, largest);
    let centre = chosen * (n + 1);
    let far = law.iter().enumerate();
    let far = far.filter(|(sum, _)| (*sum as u64).abs_diff(centre) >= distance);
    let total = sum_iter(law.iter().copied());
    let p = sum_iter(far.map(|(_, weight)| *weight)) / total;
    if p.is_finite() {
        Ok(p.min(1.0))
    } else {
        Err(PermutationFault::TooLarge)
    }
}

/// Number of subsets of `chosen` values by their sum, up to one factor.
fn subset_sums(values: &[u64], chosen: u64, largest: u64) -> Vec<f64> {
    let width = usize::try_from(largest).unwrap_or(0) + 1;
    let size = usize::try_from(chosen).unwrap_or(0);
    let mut ways = vec![vec![0.0_f64; width]; size + 1];
    ways[0][0] = 1.0;
    for (seen, value) in values.iter().enumerate() {
        let step = usize::try_from(*value).unwrap_or(width);
        for taken in (1..=size.min(seen + 1)).rev() {
            let (fewer, more) = ways.split_at_mut(taken);
            let (from, to) = (&fewer[taken - 1], &mut more[0]);
            for (old, new) in from.iter().zip(to.iter_mut().skip(step)) {
                *new += old;
            }
        }
        // Counts would overflow beyond about a thousand cases: one factor for all of them.
        let highest = ways.iter().flatten().copied().fold(0.0, f64::max);
        if highest > 1e250 {
            ways.iter_mut().flatten().for_each(|way| *way /= highest);
        }
    }
    ways.pop().unwrap_or_default()
}

/// Shuffled labels against the observed ones.
#[derive(Clone, Copy, Debug, PartialEq)]
pub struct Shuffled {
    /// Number of shuffles.
    pub shuffles: u64,
    /// Seed of the stream they were drawn from.
    pub seed: u64,
    /// Shuffles at least as far from the expectation as the observed labels.
    pub as_extreme: u64,
    /// `(1 + as_extreme) / (shuffles + 1)`: never 0.
    pub p: f64,
}

/// The Monte Carlo test: labels are shuffled `shuffles` times from `seed`. `None` as
/// [`RankSum::of`], or for no shuffle. The plus ones count the observed labels themselves
/// (Phipson and Smyth 2010, doi:10.2202/1544-6115.1585).
pub fn shuffle(outcome: &[bool], score: &[f64], shuffles: u64, seed: u64) -> Option<Shuffled> {
    let mut ranks = Ranks::of(outcome, score)?;
    if shuffles == 0 {
        return None;
    }
    let n = ranks.doubled.len();
    let chosen = usize::try_from(ranks.events.min(n as u64 - ranks.events)).ok()?;
    let centre = chosen as u64 * (n as u64 + 1);
    let distance = ranks.event_sum.abs_diff(ranks.events * (n as u64 + 1));
    let mut draws = Draws::new(seed);
    let mut as_extreme = 0;
    for _ in 0..shuffles {
        // The first places of a Fisher-Yates shuffle are a random subset.
        for place in 0..chosen {
            let step = usize::try_from(draws.below((n - place) as u64)).unwrap_or(0);
            ranks.doubled.swap(place, place + step);
        }
        let sum: u64 = ranks.doubled[..chosen].iter().sum();
        as_extreme += u64::from(sum.abs_diff(centre) >= distance);
    }
    Some(Shuffled {
        shuffles,
        seed,
        as_extreme,
        p: count(1 + as_extreme) / count(shuffles + 1),
    })
}

struct Ranks {
    doubled: Vec<u64>,
    events: u64,
    /// Sum of the events' doubled ranks.
    event_sum: u64,
}

impl Ranks {
    fn of(outcome: &[bool], score: &[f64]) -> Option<Self> {
        if outcome.len() != score.len() || u32::try_from(score.len()).is_err() {
            return None;
        }
        let doubled = doubled_midranks(score)?;
        let events = outcome.iter().filter(|event| **event).count();
        if events == 0 || events == outcome.len() {
            return None;
        }
        let paired = doubled.iter().zip(outcome);
        let event_sum = paired.filter(|(_, event)| **event).map(|(twice, _)| twice);
        let event_sum = event_sum.sum();
        Some(Self {
            doubled,
            events: events as u64,
            event_sum,
        })
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    const SCORE: [f64; 9] = [0.1, 0.4, 0.4, 0.7, 0.9, 0.2, 0.4, 0.8, 0.3];
    const OUTCOME: [bool; 9] = [false, false, true, true, true, false, true, false, false];

    /// Every assignment of the labels, by brute force.
    fn brute(outcome: &[bool], score: &[f64]) -> (f64, f64, f64) {
        let ranks = super::super::rank::midranks(score).unwrap();
        let n1 = outcome.iter().filter(|y| **y).count() as u32;
        let sum = |labels: u32| -> f64 {
            let chosen = ranks
                .iter()
                .enumerate()
                .filter(|(i, _)| labels >> i & 1 == 1);
            chosen.map(|(_, r)| r).sum()
        };
        let observed = sum(outcome
            .iter()
            .enumerate()
            .map(|(i, y)| u32::from(*y) << i)
            .sum());
        let all: Vec<f64> = (0..1_u32 << score.len())
            .filter(|labels| labels.count_ones() == n1)
            .map(sum)
            .collect();
        let mean = all.iter().sum::<f64>() / all.len() as f64;
        let spread = all.iter().map(|t| (t - mean) * (t - mean)).sum::<f64>() / all.len() as f64;
        let far = all
            .iter()
            .filter(|t| (*t - mean).abs() >= (observed - mean).abs() - 1e-9);
        (far.count() as f64 / all.len() as f64, mean, spread)
    }

    #[test]
    fn moments_and_law_are_those_of_all_assignments() {
        let (p, mean, variance) = brute(&OUTCOME, &SCORE);
        let sums = RankSum::of(&OUTCOME, &Ascending::of(&SCORE)).unwrap();
        assert!((sums.expectation - mean).abs() < 1e-12);
        assert!((sums.variance - variance).abs() < 1e-12);
        assert!((exact_p(&OUTCOME, &SCORE).unwrap() - p).abs() < 1e-14);
        let flipped = OUTCOME.map(|y| !y);
        assert!((exact_p(&flipped, &SCORE).unwrap() - p).abs() < 1e-14);
    }

    /// However many there are: what cannot be ranked is never called too large.
    #[test]
    fn a_score_that_is_no_number_is_nothing_to_permute() {
        for cases in [4, 4_000, 400_000] {
            let outcome: Vec<bool> = (0..cases).map(|case| case % 2 == 0).collect();
            let mut score = vec![0.5; cases];
            score[cases - 1] = f64::NAN;
            assert_eq!(exact_p(&outcome, &score), Err(PermutationFault::Nothing));
            assert_eq!(
                exact_p(&outcome, &score[1..]),
                Err(PermutationFault::Nothing)
            );
        }
    }

    #[test]
    fn shuffling_agrees_with_the_exact_law() {
        let exact = exact_p(&OUTCOME, &SCORE).unwrap();
        let found = shuffle(&OUTCOME, &SCORE, 20_000, 11).unwrap();
        assert!((found.p - exact).abs() <= 4.0 * (exact * (1.0 - exact) / 20_000.0).sqrt());
        assert_eq!(found, shuffle(&OUTCOME, &SCORE, 20_000, 11).unwrap());
        let best = shuffle(&[false, false, true], &[0.0, 0.1, 0.2], 10, 3).unwrap();
        assert!(best.p > 0.0);
    }

    #[test]
    fn the_exact_law_holds_for_many_cases_and_is_refused_for_too_many() {
        let score: Vec<f64> = (0..300).map(|i| f64::from(i % 5)).collect();
        let outcome: Vec<bool> = (0..300).map(|i| i % 100 == 9).collect();
        // All three events in the highest fifth: as far out as all three in the lowest.
        let exact = exact_p(&outcome, &score).unwrap();
        assert!(
            (exact - 2.0 * 34_220.0 / 4_455_100.0).abs() < 1e-12,
            "{exact}"
        );
        let normal = RankSum::of(&outcome, &Ascending::of(&score))
            .unwrap()
            .test()
            .unwrap()
            .p;
        assert!((exact - normal).abs() < 0.01, "{exact} {normal}");
        let half: Vec<bool> = (0..300).map(|i| i % 2 == 0).collect();
        assert_eq!(exact_p(&half, &score), Err(PermutationFault::TooLarge));
    }

    #[test]
    fn nothing_to_permute_is_no_number() {
        assert_eq!(
            RankSum::of(&[true, true], &Ascending::of(&[0.1, 0.2])),
            None
        );
        assert_eq!(RankSum::of(&[true], &Ascending::of(&[0.1, 0.2])), None);
        assert_eq!(
            exact_p(&[true, false], &[0.1, f64::NAN]),
            Err(PermutationFault::Nothing)
        );
        let constant = RankSum::of(&[true, false, true], &Ascending::of(&[0.5; 3])).unwrap();
        assert_eq!((constant.variance, constant.test()), (0.0, None));
        assert_eq!(exact_p(&[], &[]), Err(PermutationFault::Nothing));
        assert_eq!(exact_p(&[true, false], &[0.5; 2]), Ok(1.0));
        assert_eq!(shuffle(&OUTCOME, &SCORE, 0, 1), None);
        assert_eq!(RankTest::of(1.0, 0.0), None);
    }
}
