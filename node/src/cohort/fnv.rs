//! FNV-1a, 64 bits: a fast hash that is the same on every machine and for ever. Nobody who could gain
//! from a collision chooses what is hashed with it.
//!
//! Specification: RFC 9923.
//!
//! From: `identifier`, `people`.
//! To: the same.

/// Where a hash starts.
pub(super) const BASIS: u64 = 0xcbf2_9ce4_8422_2325;

/// The state after one more byte.
pub(super) fn step(state: u64, byte: u8) -> u64 {
    const PRIME: u64 = 0x0100_0000_01b3;
    (state ^ u64::from(byte)).wrapping_mul(PRIME)
}

/// The state after more bytes.
pub(super) fn fold(state: u64, bytes: &[u8]) -> u64 {
    bytes.iter().copied().fold(state, step)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn published_values() {
        assert_eq!(fold(BASIS, b"a"), 0xaf63_dc4c_8601_ec8c);
        assert_eq!(fold(BASIS, b"foobar"), 0x8594_4171_f739_67e8);
    }
}
