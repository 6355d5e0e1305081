//! Shamir's secret sharing (CACM 22(11), 1979, doi 10.1145/359168.359176), byte by byte in
//! GF(2^8); the site at position p holds the values at the point p + 1.
//!
//! From: `site`, shares that were opened.
//! To: `site`, `collector`.

use std::collections::BTreeMap;

use chacha20::ChaCha20Rng;
use chacha20::rand_core::SeedableRng as _;
use vsss_rs::{Gf256, IdentifierGf256};
use zeroize::{Zeroize as _, Zeroizing};

use super::Roster;
use super::derive::Key;
use super::text::Share;

/// The point of a position; rosters end far below 255.
fn point(position: u32) -> u8 {
    u8::try_from(position + 1).unwrap_or(0)
}

/// One share per member of the roster, any threshold of which give the secret. The coefficients
/// follow from `coins`.
pub(super) fn split(secret: &[u8; 32], roster: &Roster, coins: &Key) -> Vec<Share> {
    let points = roster
        .positions()
        .map(|position| IdentifierGf256(Gf256(point(position))));
    let mut dealt = Gf256::split_bytes_with_participant_ids_iter(
        roster.threshold(),
        roster.members().len(),
        secret,
        ChaCha20Rng::from_seed(**coins),
        points,
    )
    .unwrap_or_default();
    let share = |bytes: &mut Vec<u8>| {
        let mut values = [0; 32];
        if let Some(dealt) = bytes.get(1..33) {
            values.copy_from_slice(dealt);
        }
        bytes.zeroize();
        Share::from_bytes(values)
    };
    let shares: Vec<Share> = dealt.iter_mut().map(share).collect();
    if shares.len() != roster.members().len() {
        unreachable!("a roster has 4 to 100 members and a threshold between 2 and their number")
    }
    shares
}

/// The secret of exactly these shares, right or wrong.
fn combine<'a>(shares: impl Iterator<Item = (u32, &'a Share)>) -> Option<Key> {
    let points = shares.map(|(position, share)| {
        let mut bytes = vec![point(position)];
        bytes.extend_from_slice(share.as_bytes());
        bytes
    });
    let mut points: Vec<Vec<u8>> = points.collect();
    let combined = Gf256::combine_bytes(&points);
    points.zeroize();
    let mut secret = combined.ok()?;
    let key = secret.as_slice().try_into().ok().map(Zeroizing::new);
    secret.zeroize();
    key
}

/// Why no secret was recovered.
pub(super) enum Unrecovered {
    /// The secret is that of the other shares: this one is false.
    False(u32),
    /// No single share is to blame.
    All,
}

/// The secret that `holds` recognises, from at least a threshold of shares by the positions of
/// those who gave them. When it does not come out and there are shares to spare, each giver is
/// left out in turn, to name the one that gave a false share.
pub(super) fn recover(
    shares: &BTreeMap<u32, &Share>,
    threshold: usize,
    holds: impl Fn(&[u8; 32]) -> bool,
) -> Result<Key, Unrecovered> {
    let without = |left_out: Option<u32>| {
        let kept = shares.iter().filter(|(giver, _)| Some(**giver) != left_out);
        let kept = kept.map(|(giver, share)| (*giver, *share)).take(threshold);
        combine(kept).filter(|secret| holds(secret))
    };
    if let Some(secret) = without(None) {
        return Ok(secret);
    }
    let spare = shares.len() > threshold;
    let suspects = shares
        .keys()
        .copied()
        .take(if spare { threshold } else { 0 });
    let found = suspects
        .into_iter()
        .find(|giver| without(Some(*giver)).is_some());
    Err(found.map_or(Unrecovered::All, Unrecovered::False))
}
