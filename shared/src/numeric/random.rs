//! Random numbers that are the same on every machine, from a recorded seed: SplitMix64
//! (Steele, Lea and Flood 2014, doi:10.1145/2660193.2660195). For simulation and
//! permutation, never for secrets.
//!
//! From: a seed that stands in the result.
//! To: `permutation`, `bootstrap`.

/// Step of the generator's state.
pub(super) const GOLDEN: u64 = 0x9E37_79B9_7F4A_7C15;

/// The output function of `SplitMix64`.
pub(super) fn mix(word: u64) -> u64 {
    let word = (word ^ (word >> 30)).wrapping_mul(0xBF58_476D_1CE4_E5B9);
    let word = (word ^ (word >> 27)).wrapping_mul(0x94D0_49BB_1331_11EB);
    word ^ (word >> 31)
}

/// A stream of random numbers.
#[derive(Clone, Debug)]
pub struct Draws(u64);

impl Draws {
    /// The stream of `seed`.
    pub fn new(seed: u64) -> Self {
        Self(seed)
    }

    /// Uniform over all 64-bit numbers.
    pub fn bits(&mut self) -> u64 {
        self.0 = self.0.wrapping_add(GOLDEN);
        mix(self.0)
    }

    /// Uniform in `[0, 1)`, a multiple of 2^-53.
    pub fn unit(&mut self) -> f64 {
        super::sum::count(self.bits() >> 11) / super::sum::count(1 << 53)
    }

    /// Uniform in `0..below`, without bias; 0 if `below` is 0.
    pub fn below(&mut self, below: u64) -> u64 {
        if below == 0 {
            return 0;
        }
        // Numbers past the last whole multiple of `below` are drawn again.
        let last = u64::MAX - (u64::MAX % below + 1) % below;
        loop {
            let drawn = self.bits();
            if drawn <= last {
                return drawn % below;
            }
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_published_stream_of_the_generator() {
        // First outputs for the seed 1234567, from the authors' reference code.
        let mut draws = Draws::new(1_234_567);
        assert_eq!(draws.bits(), 6_457_827_717_110_365_317);
        assert_eq!(draws.bits(), 3_203_168_211_198_807_973);
    }

    #[test]
    fn draws_stay_in_their_range_and_reach_all_of_it() {
        let mut draws = Draws::new(7);
        let mut seen = [0_u32; 6];
        for _ in 0..6000 {
            seen[usize::try_from(draws.below(6)).unwrap()] += 1;
            assert!((0.0..1.0).contains(&draws.unit()));
        }
        assert!(seen.iter().all(|n| (850..1150).contains(n)), "{seen:?}");
        assert_eq!(draws.below(0), 0);
        assert_eq!(draws.below(1), 0);
    }
}
