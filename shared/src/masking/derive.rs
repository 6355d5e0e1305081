//! Everything a site would otherwise draw, derived from one secret by HKDF (RFC 5869) with
//! SHA-256, and what two sites derive from their agreement. Each key is for one purpose, one
//! roster, one place and one view of who takes part.
//!
//! From: the caller's [`Secret`], keys of other sites.
//! To: `site`, `collector`.

use std::collections::{BTreeMap, BTreeSet};

use chacha20::ChaCha20Rng;
use chacha20::rand_core::{Rng as _, SeedableRng as _};
use ring::aead::{Aad, CHACHA20_POLY1305, LessSafeKey, Nonce, UnboundKey};
use ring::hkdf::{HKDF_SHA256, Salt};
use x25519_dalek::{PublicKey, StaticSecret};
use zeroize::Zeroizing;

use super::text::{AgreementKey, Sealed, Share};
use super::{Advertised, Roster};
use crate::identity::Digest;

const SALT: &[u8] = b"fedval.masking/1";

/// 32 bytes that are cleared when they go.
pub(super) type Key = Zeroizing<[u8; 32]>;

/// What all randomness of one site in one run follows from. It is drawn for this run and used
/// for no other; it has no `Debug` and no written form, and is cleared when it goes.
pub struct Secret(Key);

impl Secret {
    /// From 32 fresh random bytes, which the caller keeps as long as the run may be resumed and
    /// erases with it.
    pub fn from_bytes(bytes: [u8; 32]) -> Self {
        Self(Zeroizing::new(bytes))
    }
}

/// A position as it stands in what is hashed.
pub(super) fn place(position: u32) -> [u8; 4] {
    position.to_be_bytes()
}

/// A key of `secret` for `purpose` and nothing else that has other `parts`.
fn derive(secret: &[u8; 32], purpose: &str, parts: &[&[u8]]) -> Key {
    let named = [&[purpose.as_bytes()], parts].concat();
    let digest = Digest::of_list(&named);
    let info = [digest.as_bytes().as_slice()];
    let extracted = Salt::new(HKDF_SHA256, SALT).extract(secret);
    let mut key = Zeroizing::new([0; 32]);
    let filled = extracted
        .expand(&info, HKDF_SHA256)
        .and_then(|bytes| bytes.fill(key.as_mut()));
    match filled {
        Ok(()) => key,
        Err(ring::error::Unspecified) => unreachable!("HKDF gives up to 255 blocks of 32 bytes"),
    }
}

/// The secrets of one site in one run.
pub(super) struct Own {
    pub(super) cipher: StaticSecret,
    pub(super) mask: StaticSecret,
    pub(super) seed: Key,
    pub(super) mask_coins: Key,
    pub(super) seed_coins: Key,
}

impl Own {
    pub(super) fn of(secret: &Secret, roster: &Roster, position: u32) -> Self {
        let (digest, place) = (roster.digest(), place(position));
        let one = |purpose| derive(&secret.0, purpose, &[digest.as_bytes(), &place]);
        Self {
            cipher: StaticSecret::from(*one("cipher key")),
            mask: StaticSecret::from(*one("mask key")),
            seed: one("self seed"),
            mask_coins: one("coefficients of the mask key"),
            seed_coins: one("coefficients of the self seed"),
        }
    }
}

/// The public half of a private key.
pub(super) fn public(secret: &StaticSecret) -> AgreementKey {
    AgreementKey::from_bytes(PublicKey::from(secret).to_bytes())
}

/// What two sites agree on.
pub(super) fn agree(own: &StaticSecret, other: &AgreementKey) -> Key {
    let agreed = own.diffie_hellman(&PublicKey::from(*other.as_bytes()));
    Zeroizing::new(agreed.to_bytes())
}

/// Whether agreements with this key depend on the other side: false for points of low order
/// (RFC 7748, section 6.1).
pub(super) fn is_contributory(key: &AgreementKey) -> bool {
    let any = StaticSecret::from([1; 32]);
    any.diffie_hellman(&PublicKey::from(*key.as_bytes()))
        .was_contributory()
}

/// The commitment to a self seed. The seed has 256 random bits, so its digest hides it.
pub(super) fn commitment(roster: &Roster, position: u32, seed: &[u8; 32]) -> Digest {
    Digest::of_list(&[
        b"fedval.masking.seed/1",
        roster.digest().as_bytes(),
        &place(position),
        seed,
    ])
}

/// The digest of whose keys are known, and of the keys.
pub(super) fn transcript(roster: &Roster, keys: &BTreeMap<u32, Advertised>) -> Digest {
    let places: Vec<[u8; 4]> = keys.keys().copied().map(place).collect();
    let mut parts: Vec<&[u8]> = vec![b"fedval.masking.transcript/1"];
    let digest = roster.digest();
    parts.push(digest.as_bytes());
    for (place, advertised) in places.iter().zip(keys.values()) {
        parts.push(place);
        parts.push(advertised.cipher.as_bytes());
        parts.push(advertised.mask.as_bytes());
        parts.push(advertised.seed.as_bytes());
    }
    Digest::of_list(&parts)
}

/// The digest of the keys and of who dealt shares. Masks are bound to it, so that a site that
/// is shown two sets of dealers gives no two vectors under one mask.
pub(super) fn view(transcript: Digest, dealers: &BTreeSet<u32>) -> Digest {
    let places: Vec<[u8; 4]> = dealers.iter().copied().map(place).collect();
    Digest::of_list(&[
        b"fedval.masking.view/1",
        transcript.as_bytes(),
        places.as_flattened(),
    ])
}

/// The mask of a site alone.
pub(super) fn self_mask(seed: &[u8; 32], view: Digest, position: u32) -> Key {
    derive(seed, "self mask", &[view.as_bytes(), &place(position)])
}

/// The mask of a pair, which the lower position adds and the higher takes away.
pub(super) fn pair_mask(agreed: &[u8; 32], view: Digest, one: u32, other: u32) -> Key {
    let (low, high) = (place(one.min(other)), place(one.max(other)));
    derive(agreed, "pair mask", &[view.as_bytes(), &low, &high])
}

/// Whether a mask is added or taken away.
#[derive(Clone, Copy, Debug, Eq, PartialEq)]
pub(super) enum Direction {
    Add,
    Subtract,
}

impl Direction {
    /// How the site at `own` applies the mask that it has with `other`.
    pub(super) fn of_pair(own: u32, other: u32) -> Self {
        if own < other {
            Self::Add
        } else {
            Self::Subtract
        }
    }

    pub(super) fn reversed(self) -> Self {
        match self {
            Self::Add => Self::Subtract,
            Self::Subtract => Self::Add,
        }
    }
}

/// Adds to the vector, or takes from it, the ChaCha20 stream of `key` (D. J. Bernstein's, block
/// counter from 0, nonce 0; the key is used once), eight bytes a value, little-endian.
pub(super) fn apply(vector: &mut [u64], key: &Key, direction: Direction) {
    let mut stream = ChaCha20Rng::from_seed(**key);
    for value in vector {
        let mask = stream.next_u64();
        *value = match direction {
            Direction::Add => value.wrapping_add(mask),
            Direction::Subtract => value.wrapping_sub(mask),
        };
    }
}

/// Seals and opens the shares of one sender for one recipient. The key is bound to both, to the
/// roster and to all keys, and seals one message only, so the nonce is constant.
pub(super) struct Envelope {
    key: LessSafeKey,
    bound: [u8; 40],
}

impl Envelope {
    pub(super) fn new(
        agreed: &[u8; 32],
        roster: &Roster,
        transcript: Digest,
        (sender, recipient): (u32, u32),
    ) -> Self {
        let (from, to) = (place(sender), place(recipient));
        let key = derive(
            agreed,
            "sealed shares",
            &[transcript.as_bytes(), &from, &to],
        );
        let Ok(key) = UnboundKey::new(&CHACHA20_POLY1305, key.as_slice()) else {
            unreachable!("the key has 32 bytes (RFC 8439, 2.8)")
        };
        let mut bound = [0; 40];
        bound[..32].copy_from_slice(roster.digest().as_bytes());
        bound[32..36].copy_from_slice(&from);
        bound[36..].copy_from_slice(&to);
        Self {
            key: LessSafeKey::new(key),
            bound,
        }
    }

    pub(super) fn seal(self, mask: &Share, seed: &Share) -> Sealed {
        let mut bytes = [0; 80];
        bytes[..32].copy_from_slice(mask.as_bytes());
        bytes[32..64].copy_from_slice(seed.as_bytes());
        let nonce = Nonce::assume_unique_for_key([0; 12]);
        let bound = Aad::from(self.bound);
        let sealed = (self.key).seal_in_place_separate_tag(nonce, bound, &mut bytes[..64]);
        let Ok(tag) = sealed else {
            unreachable!("64 bytes are below the limit of RFC 8439, 2.8")
        };
        bytes[64..].copy_from_slice(tag.as_ref());
        Sealed::from_bytes(bytes)
    }

    pub(super) fn open(self, sealed: &Sealed) -> Option<(Share, Share)> {
        let mut bytes = Zeroizing::new(*sealed.as_bytes());
        let nonce = Nonce::assume_unique_for_key([0; 12]);
        let bound = Aad::from(self.bound);
        let plain = (self.key).open_in_place(nonce, bound, bytes.as_mut());
        let (mask, seed) = plain.ok()?.split_at(32);
        let share = |bytes: &[u8]| bytes.try_into().ok().map(Share::from_bytes);
        Some((share(mask)?, share(seed)?))
    }
}
