//! One draw of noise: prio's samplers of the discrete Laplace and the discrete Gaussian
//! distribution, after Canonne, Kamath and Steinke (2020, arXiv:2004.00010), in integers and
//! fractions throughout. The bits are those of the caller's `Entropy`; a node gives its operating
//! system's, and there is no seed.
//!
//! From: `noise`.
//! To: `shared::disclosure::noise`, as integers.

use std::convert::Infallible;

use prio::dp::Rational;
use prio::dp::distributions::{DiscreteGaussian, DiscreteLaplace};
use rand::TryRng;
use rand::distr::Distribution as _;
use shared::disclosure::noise::{Mechanism, NoiseStamp};
use shared::fault::Fault;
use shared::identity::Entropy;

/// Random bytes fetched at once.
const BUFFER: usize = 4096;

/// A source of independent noise of one distribution.
pub struct Noise<E> {
    sampler: Sampler,
    bits: Bits<E>,
}

enum Sampler {
    Laplace(DiscreteLaplace),
    Gaussian(DiscreteGaussian),
}

impl<E: Entropy> Noise<E> {
    /// The noise that `stamp` describes, from the bits of `entropy`.
    ///
    /// # Errors
    /// `FV-INT-001` for a scale that the sampler does not take.
    pub fn new(stamp: &NoiseStamp, entropy: E) -> Result<Self, Fault> {
        let (numer, denom) = stamp.scale.parts();
        let refused =
            |why: String| Fault::internal(format!("noise of scale {}: {why}", stamp.scale));
        let scale =
            Rational::from_unsigned(numer, denom).map_err(|fault| refused(fault.to_string()))?;
        let sampler = match stamp.mechanism {
            Mechanism::DiscreteLaplace => DiscreteLaplace::new(scale).map(Sampler::Laplace),
            Mechanism::DiscreteGaussian => DiscreteGaussian::new(scale).map(Sampler::Gaussian),
        };
        Ok(Self {
            sampler: sampler.map_err(|fault| refused(fault.to_string()))?,
            bits: Bits {
                entropy,
                buffer: vec![0; BUFFER],
                used: BUFFER,
                failed: None,
            },
        })
    }

    /// One number.
    ///
    /// # Errors
    /// `FV-INT-001` when there were no random bits for it.
    pub fn draw(&mut self) -> Result<i64, Fault> {
        let drawn = match &self.sampler {
            Sampler::Laplace(sampler) => i64::try_from(sampler.sample(&mut self.bits)),
            Sampler::Gaussian(sampler) => i64::try_from(sampler.sample(&mut self.bits)),
        };
        if self.bits.failed.is_some() {
            return Err(Fault::internal("this machine gives no random bytes"));
        }
        drawn.map_err(|_| Fault::internal("noise beyond 64 bits"))
    }
}

/// Random bits as the samplers take them.
struct Bits<E> {
    entropy: E,
    buffer: Vec<u8>,
    used: usize,
    /// Once there are none, a counter: the samplers draw again until they accept, and must come
    /// to an end so that the draw can be thrown away.
    failed: Option<u64>,
}

impl<E: Entropy> Bits<E> {
    fn next(&mut self) -> u8 {
        if self.used == self.buffer.len() && self.failed.is_none() {
            self.used = 0;
            if self.entropy.fill(&mut self.buffer).is_err() {
                self.failed = Some(0);
            }
        }
        if let Some(count) = &mut self.failed {
            *count = count.wrapping_add(0x9E37_79B9_7F4A_7C15);
            return (*count >> 56) as u8;
        }
        let byte = std::mem::take(&mut self.buffer[self.used]);
        self.used += 1;
        byte
    }

    fn array<const N: usize>(&mut self) -> [u8; N] {
        std::array::from_fn(|_| self.next())
    }
}

impl<E: Entropy> TryRng for Bits<E> {
    type Error = Infallible;

    fn try_next_u32(&mut self) -> Result<u32, Infallible> {
        Ok(u32::from_le_bytes(self.array()))
    }

    fn try_next_u64(&mut self) -> Result<u64, Infallible> {
        Ok(u64::from_le_bytes(self.array()))
    }

    fn try_fill_bytes(&mut self, bytes: &mut [u8]) -> Result<(), Infallible> {
        bytes.fill_with(|| self.next());
        Ok(())
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use shared::disclosure::noise::{Amount, Scale};
    use shared::identity::NoEntropy;

    struct Empty(u32);

    impl Entropy for Empty {
        fn fill(&mut self, bytes: &mut [u8]) -> Result<(), NoEntropy> {
            self.0 = self.0.checked_sub(1).ok_or(NoEntropy)?;
            bytes.fill(0xA5);
            Ok(())
        }
    }

    fn stamp(mechanism: Mechanism) -> NoiseStamp {
        NoiseStamp {
            mechanism,
            epsilon: Amount::ONE,
            delta: None,
            scale: Scale::of(5, 2).unwrap(),
            rows_per_patient: 1,
            blocks: 32,
        }
    }

    /// Without random bits there is no noise: an end, and a fault instead of a number.
    #[test]
    fn without_random_bits_nothing_is_drawn() {
        for mechanism in [Mechanism::DiscreteLaplace, Mechanism::DiscreteGaussian] {
            let mut noise = Noise::new(&stamp(mechanism), Empty(0)).unwrap();
            assert!(noise.draw().is_err());
            assert!(noise.draw().is_err());
        }
    }

    /// Bits that were used are gone from memory.
    #[test]
    fn used_bits_are_forgotten() {
        let mut bits = Bits {
            entropy: Empty(1),
            buffer: vec![0; 16],
            used: 16,
            failed: None,
        };
        assert_eq!(bits.try_next_u64(), Ok(0xA5A5_A5A5_A5A5_A5A5));
        assert_eq!(bits.buffer[..9], [0, 0, 0, 0, 0, 0, 0, 0, 0xA5]);
    }
}
