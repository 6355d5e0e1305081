//! How long to wait before the next try: doubling, with full jitter, so that many nodes do not
//! return at the same moment after an outage.
//!
//! From: failed dials.
//! To: `dial`, `join`.

use std::time::Duration;

use shared::identity::Entropy;

/// Waiting times between tries.
#[derive(Clone, Debug)]
pub struct Backoff {
    first: Duration,
    most: Duration,
    tries: u32,
}

impl Default for Backoff {
    /// At most 1 s, then 2, 4, ... up to 60 s.
    fn default() -> Self {
        Self::new(Duration::from_secs(1), Duration::from_secs(60))
    }
}

impl Backoff {
    /// At most `first`, doubling up to `most`.
    pub fn new(first: Duration, most: Duration) -> Self {
        Self {
            first,
            most,
            tries: 0,
        }
    }

    /// The next wait: evenly between a tenth of the current bound and the bound; the bound
    /// doubles. Without randomness it is the bound itself.
    pub fn next_wait(&mut self, entropy: &mut dyn Entropy) -> Duration {
        let bound = self
            .first
            .saturating_mul(1 << self.tries.min(20))
            .min(self.most);
        self.tries = self.tries.saturating_add(1);
        let mut bytes = [0; 4];
        if entropy.fill(&mut bytes).is_err() {
            return bound;
        }
        let share = f64::from(u32::from_be_bytes(bytes)) / f64::from(u32::MAX);
        bound.mul_f64(0.1 + 0.9 * share)
    }

    /// Starts over after a success.
    pub fn reset(&mut self) {
        self.tries = 0;
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use shared::identity::CountingEntropy;

    #[test]
    fn waits_grow_to_their_bound_and_differ() {
        let mut entropy = CountingEntropy::new(1);
        let mut backoff = Backoff::default();
        for tries in 0..40 {
            let bound = Duration::from_secs((1_u64 << tries.min(10)).min(60));
            let wait = backoff.next_wait(&mut entropy);
            assert!(wait <= bound && wait >= bound / 10, "{tries}: {wait:?}");
        }
        backoff.reset();
        assert!(backoff.next_wait(&mut entropy) <= Duration::from_secs(1));
        let waits: std::collections::BTreeSet<_> = (0..20)
            .map(|seed| Backoff::default().next_wait(&mut CountingEntropy::new(seed)))
            .collect();
        assert!(waits.len() > 15);
    }
}
