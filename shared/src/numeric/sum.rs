//! Sums that do not depend on how many threads computed them, and moments that merge.
//!
//! From: every estimator that adds more than a handful of numbers.
//! To: `delong`, `proportion`, `pool`.

/// Values per chunk. Fixed, so that a parallel caller who sums chunks and merges them in
/// order gets the bytes of the serial sum.
pub const CHUNK: usize = 4096;

/// A running compensated sum after Neumaier (1974, doi:10.1002/zamm.19740540106): the error
/// of the total is of the order of one rounding, not of `n` roundings.
#[derive(Clone, Copy, Debug, Default, PartialEq)]
pub struct Neumaier {
    sum: f64,
    compensation: f64,
}

impl Neumaier {
    /// Adds one value.
    pub fn add(&mut self, value: f64) {
        let total = self.sum + value;
        let lost = if self.sum.abs() >= value.abs() {
            (self.sum - total) + value
        } else {
            (value - total) + self.sum
        };
        self.compensation += lost;
        self.sum = total;
    }

    /// Adds another sum; the order of merges is part of the result's definition.
    pub fn merge(&mut self, other: Self) {
        self.add(other.sum);
        self.add(other.compensation);
    }

    /// The total.
    pub fn total(self) -> f64 {
        self.sum + self.compensation
    }
}

/// The running form of [`sum`], bit for bit, for values that are not in one slice.
#[derive(Clone, Copy, Debug, Default, PartialEq)]
pub struct Chunked {
    all: Neumaier,
    part: Neumaier,
    filled: usize,
}

impl Chunked {
    /// Adds one value.
    pub fn add(&mut self, value: f64) {
        if self.filled == CHUNK {
            self.all.merge(std::mem::take(&mut self.part));
            self.filled = 0;
        }
        self.part.add(value);
        self.filled += 1;
    }

    /// The total of what was added.
    pub fn total(mut self) -> f64 {
        if self.filled > 0 {
            self.all.merge(self.part);
        }
        self.all.total()
    }
}

/// The sum of `values`: compensated within chunks of [`CHUNK`], chunks merged in order.
/// Finite for finite values whose sum does not overflow; 0 for an empty slice.
pub fn sum(values: &[f64]) -> f64 {
    let mut all = Chunked::default();
    values.iter().for_each(|value| all.add(*value));
    all.total()
}

/// The compensated sum of an iterator, in its order, without chunks.
pub fn sum_iter(values: impl IntoIterator<Item = f64>) -> f64 {
    let mut all = Neumaier::default();
    for value in values {
        all.add(value);
    }
    all.total()
}

/// The arithmetic mean; `None` for an empty slice or a non-finite result.
pub fn mean(values: &[f64]) -> Option<f64> {
    #[expect(clippy::cast_precision_loss, reason = "row counts stay far below 2^53")]
    let mean = sum(values) / values.len() as f64;
    mean.is_finite().then_some(mean)
}

/// Count, mean and centred second moment: what a site returns instead of raw sums, because
/// raw sums of squares cancel.
#[derive(Clone, Copy, Debug, Default, PartialEq)]
pub struct Moments {
    /// Number of values.
    pub n: u64,
    /// Arithmetic mean; 0 if `n` is 0.
    pub mean: f64,
    /// Sum of squared deviations from the mean, at least 0.
    pub m2: f64,
}

impl Moments {
    /// Two passes over `values`. `None` if the result is not finite.
    pub fn of(values: &[f64]) -> Option<Self> {
        if values.is_empty() {
            return Some(Self::default());
        }
        let mean = mean(values)?;
        let m2 = sum_iter(values.iter().map(|v| (v - mean) * (v - mean)));
        m2.is_finite().then_some(Self {
            n: values.len() as u64,
            mean,
            m2,
        })
    }

    /// The moments of both samples together, after Chan, Golub and LeVeque (1983,
    /// doi:10.1080/00031305.1983.10483115). Exact in exact arithmetic; commutative up to
    /// rounding, so merge in site order.
    #[must_use]
    pub fn merge(self, other: Self) -> Self {
        if self.n == 0 {
            return other;
        }
        if other.n == 0 {
            return self;
        }
        let n = self.n + other.n;
        let (n_self, n_other, n_all) = (count(self.n), count(other.n), count(n));
        let step = other.mean - self.mean;
        Self {
            n,
            mean: self.mean + step * n_other / n_all,
            m2: self.m2 + other.m2 + step * step * n_self * n_other / n_all,
        }
    }

    /// The sample variance (divisor `n - 1`); `None` below two values.
    pub fn variance(self) -> Option<f64> {
        (self.n >= 2).then(|| self.m2 / count(self.n - 1))
    }

    /// The sample standard deviation (divisor `n - 1`); `None` below two values.
    pub fn standard_deviation(self) -> Option<f64> {
        self.variance().map(f64::sqrt)
    }
}

/// A count as a double: exact to 2^53.
#[expect(
    clippy::cast_precision_loss,
    reason = "counts of patients and pairs; rounding is the nearest double"
)]
pub(crate) fn count(n: u64) -> f64 {
    n as f64
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn cancellation_keeps_the_small_terms() {
        assert_eq!(sum(&[1.0, 1e100, 1.0, -1e100]), 2.0);
        assert_eq!(sum(&[]), 0.0);
        assert_eq!(mean(&[]), None);
        assert_eq!(mean(&[f64::NAN]), None);
    }

    #[test]
    fn chunks_summed_apart_and_merged_give_the_same_bytes() {
        let values: Vec<f64> = (0..20_000).map(|i| 1.0 / f64::from(i + 1)).collect();
        let mut merged = Neumaier::default();
        for chunk in values.chunks(CHUNK) {
            let mut part = Neumaier::default();
            chunk.iter().for_each(|v| part.add(*v));
            merged.merge(part);
        }
        assert_eq!(merged.total().to_bits(), sum(&values).to_bits());
    }

    #[test]
    fn a_running_sum_ends_like_the_sum_of_the_slice() {
        for n in [0, 1, CHUNK - 1, CHUNK, CHUNK + 1, 3 * CHUNK, 3 * CHUNK + 17] {
            let values: Vec<f64> = (0..n).map(|i| 1.0 / (i as f64 + 0.3)).collect();
            let mut by_slices = Neumaier::default();
            for chunk in values.chunks(CHUNK) {
                let mut part = Neumaier::default();
                chunk.iter().for_each(|value| part.add(*value));
                by_slices.merge(part);
            }
            let mut running = Chunked::default();
            values.iter().for_each(|value| running.add(*value));
            assert_eq!(running.total().to_bits(), by_slices.total().to_bits());
        }
    }

    #[test]
    fn split_moments_merge_to_the_whole() {
        let values: Vec<f64> = (0..500)
            .map(|i| 1e6 + f64::from(i * i % 97) / 7.0)
            .collect();
        let whole = Moments::of(&values).unwrap();
        for cut in [0, 1, 17, 499, 500] {
            let merged = Moments::of(&values[..cut])
                .unwrap()
                .merge(Moments::of(&values[cut..]).unwrap());
            assert_eq!(merged.n, whole.n);
            assert!((merged.mean - whole.mean).abs() <= 1e-14 * whole.mean.abs());
            assert!((merged.m2 - whole.m2).abs() <= 1e-11 * whole.m2);
        }
        assert_eq!(Moments::of(&[3.0]).unwrap().variance(), None);
        assert_eq!(Moments::of(&[1.0, 3.0]).unwrap().variance(), Some(2.0));
    }
}
