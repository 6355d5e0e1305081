//! What a site says, in five messages, and what it signs. Every text has its bound; positions
//! are those of the roster.
//!
//! From: `site`, messages that arrived.
//! To: `collector`, `wire`.

use std::collections::{BTreeMap, BTreeSet};
use std::fmt;

use data_encoding::BASE64;
use schemars::JsonSchema;
use serde::{Deserialize, Serialize};

use super::derive::{is_contributory, place};
use super::text::{AgreementKey, InvalidText, Sealed, Share};
use super::{Phase, Refused, Roster};
use crate::identity::{Digest, Signature};

/// Most values of a vector: 4 MiB of them.
pub const VECTOR_MAX: usize = 1 << 19;

const KEYS_DOMAIN: &str = "fedval.masking.keys/1";
const SURVIVORS_DOMAIN: &str = "fedval.masking.survivors/1";

/// Message 1: the site's two single-use X25519 keys and a commitment to its self seed, signed by
/// the key of its certificate.
#[derive(Clone, Debug, Eq, PartialEq, Serialize, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields)]
pub struct Advertised {
    /// Agrees on the keys that seal shares.
    pub cipher: AgreementKey,
    /// Agrees on the pairwise masks.
    pub mask: AgreementKey,
    /// The digest of the self seed, by which a wrong recovery of it is noticed.
    pub seed: Digest,
    /// Over the roster, the site's position and the three above.
    pub signature: Signature,
}

/// Message 2: the site's shares, one pair sealed for each other site whose keys are known.
#[derive(Clone, Debug, Eq, PartialEq, Serialize, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields)]
pub struct Shared {
    /// By the recipient's position.
    pub sealed: BTreeMap<u32, Sealed>,
}

/// Message 3: the masked vector.
#[derive(Clone, Debug, Eq, PartialEq, Serialize, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields)]
pub struct Input {
    /// As long as every other site's.
    pub vector: MaskedVector,
}

/// Message 4: the site's signature over who is in the sum.
#[derive(Clone, Debug, Eq, PartialEq, Serialize, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields)]
pub struct Confirmed {
    /// Over the roster, all keys, who dealt shares, and the survivor set.
    pub signature: Signature,
}

/// Message 5: of each site that dealt shares one share, of one of its two secrets.
#[derive(Clone, Debug, Eq, PartialEq, Serialize, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields)]
pub struct Opened {
    /// Shares of mask keys, of sites that dealt shares and sent no vector; by their position.
    pub mask_shares: BTreeMap<u32, Share>,
    /// Shares of self seeds, of the survivors; by their position.
    pub seed_shares: BTreeMap<u32, Share>,
}

/// A vector that looks uniform: at most [`VECTOR_MAX`] values, written as base64 of their bytes,
/// eight each, little-endian.
#[derive(Clone, Eq, PartialEq, Serialize, Deserialize, JsonSchema)]
#[serde(try_from = "String", into = "String")]
#[schemars(with = "String")]
pub struct MaskedVector(pub(super) Vec<u64>);

impl MaskedVector {
    /// The values.
    pub fn values(&self) -> &[u64] {
        &self.0
    }
}

impl fmt::Debug for MaskedVector {
    fn fmt(&self, out: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(out, "{} masked values", self.0.len())
    }
}

impl TryFrom<String> for MaskedVector {
    type Error = InvalidText;
    fn try_from(text: String) -> Result<Self, InvalidText> {
        let invalid = InvalidText {
            expected: "1 to 524,288 values of 8 bytes",
        };
        if text.len() > BASE64.encode_len(8 * VECTOR_MAX) {
            return Err(invalid);
        }
        let bytes = BASE64.decode(text.as_bytes()).map_err(|_| invalid)?;
        let (values, rest) = bytes.as_chunks::<8>();
        if values.is_empty() || values.len() > VECTOR_MAX || !rest.is_empty() {
            return Err(invalid);
        }
        Ok(Self(
            values.iter().copied().map(u64::from_le_bytes).collect(),
        ))
    }
}

impl From<MaskedVector> for String {
    fn from(vector: MaskedVector) -> Self {
        let bytes: Vec<u8> = vector
            .0
            .iter()
            .flat_map(|value| value.to_le_bytes())
            .collect();
        BASE64.encode(&bytes)
    }
}

/// What stands under the signature of [`Advertised`].
fn advertised_content(
    roster: &Roster,
    position: u32,
    cipher: &AgreementKey,
    mask: &AgreementKey,
    seed: Digest,
) -> Digest {
    Digest::of_list(&[
        roster.digest().as_bytes(),
        &place(position),
        cipher.as_bytes(),
        mask.as_bytes(),
        seed.as_bytes(),
    ])
}

/// Who is in the sum, of whom, and under which keys: what stands under [`Confirmed`]. `view` is
/// the digest of all keys and of who dealt shares.
fn survivors_content(roster: &Roster, view: Digest, survivors: &BTreeSet<u32>) -> Digest {
    let places: Vec<[u8; 4]> = survivors.iter().copied().map(place).collect();
    Digest::of_list(&[
        roster.digest().as_bytes(),
        view.as_bytes(),
        places.as_flattened(),
    ])
}

impl Advertised {
    /// Signed by the member at `position`.
    pub(super) fn signed(
        roster: &Roster,
        position: u32,
        (cipher, mask, seed): (AgreementKey, AgreementKey, Digest),
        key: &crate::identity::SigningKey,
    ) -> Self {
        let content = advertised_content(roster, position, &cipher, &mask, seed);
        Self {
            cipher,
            mask,
            seed,
            signature: key.sign(KEYS_DOMAIN, content.as_bytes()),
        }
    }

    /// Checks the signature, that both keys are of full order, and that neither is known
    /// already from `others`.
    pub(super) fn check(
        &self,
        roster: &Roster,
        position: u32,
        others: &BTreeMap<u32, Self>,
    ) -> Result<(), Refused> {
        let member = roster.claimed(position)?;
        let site = || member.site.clone();
        let content = advertised_content(roster, position, &self.cipher, &self.mask, self.seed);
        let signed = (member.key).verify(KEYS_DOMAIN, content.as_bytes(), &self.signature);
        if !signed {
            return Err(Refused::Signature {
                site: site(),
                phase: Phase::Keys,
            });
        }
        if !is_contributory(&self.cipher) || !is_contributory(&self.mask) {
            return Err(Refused::WeakKey { site: site() });
        }
        let shown = |other: &Self| {
            [other.cipher, other.mask].contains(&self.cipher)
                || [other.cipher, other.mask].contains(&self.mask)
        };
        let repeats = if self.cipher == self.mask {
            Some(position)
        } else {
            let first = others.iter().find(|(_, other)| shown(other));
            first.map(|(other, _)| *other)
        };
        match repeats {
            Some(other) => Err(Refused::RepeatedKey {
                site: site(),
                other: roster.claimed(other)?.site.clone(),
            }),
            None => Ok(()),
        }
    }
}

impl Confirmed {
    /// Signed by the holder of `key`.
    pub(super) fn signed(
        roster: &Roster,
        view: Digest,
        survivors: &BTreeSet<u32>,
        key: &crate::identity::SigningKey,
    ) -> Self {
        let content = survivors_content(roster, view, survivors);
        Self {
            signature: key.sign(SURVIVORS_DOMAIN, content.as_bytes()),
        }
    }

    /// Checks that the member at `position` signed this survivor set.
    pub(super) fn check(
        &self,
        roster: &Roster,
        position: u32,
        view: Digest,
        survivors: &BTreeSet<u32>,
    ) -> Result<(), Refused> {
        let member = roster.claimed(position)?;
        let content = survivors_content(roster, view, survivors);
        let signed = (member.key).verify(SURVIVORS_DOMAIN, content.as_bytes(), &self.signature);
        if signed {
            Ok(())
        } else {
            Err(Refused::Signature {
                site: member.site.clone(),
                phase: Phase::Signatures,
            })
        }
    }
}
