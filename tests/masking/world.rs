//! Sites with made-up secrets and vectors, and a coordinator that passes on what they say.
//!
//! From: a seed.
//! To: every test.

use std::collections::{BTreeMap, BTreeSet};

use shared::identity::{Digest, SigningKey};
use shared::masking::collector::{
    CollectInputs, CollectKeys, CollectOpenings, CollectShares, CollectSignatures, Opening,
};
use shared::masking::site::{AwaitKeys, AwaitShares, AwaitSignatures, AwaitSurvivors, Site};
use shared::masking::{
    Abort, Advertised, Confirmed, Input, Member, Opened, Phase, Refused, Roster, Sealed, Secret,
    Shared,
};
use shared::study::SiteSlug;

pub(crate) type Set = BTreeSet<u32>;

/// Numbers from a seed (SplitMix64).
pub(crate) struct Draw(pub(crate) u64);

impl Draw {
    pub(crate) fn next(&mut self) -> u64 {
        self.0 = self.0.wrapping_add(0x9e37_79b9_7f4a_7c15);
        let mut word = self.0;
        word = (word ^ (word >> 30)).wrapping_mul(0xbf58_476d_1ce4_e5b9);
        word = (word ^ (word >> 27)).wrapping_mul(0x94d0_49bb_1331_11eb);
        word ^ (word >> 31)
    }

    pub(crate) fn below(&mut self, end: u64) -> u64 {
        self.next() % end
    }
}

pub(crate) struct World {
    pub(crate) roster: Roster,
    pub(crate) vectors: Vec<Vec<u64>>,
    seed: u64,
}

pub(crate) fn signing(position: u32) -> SigningKey {
    let seed = Digest::of_list(&[b"certificate key", &position.to_be_bytes()]);
    SigningKey::from_seed(seed.as_bytes())
}

pub(crate) fn roster(sites: u32, context: &str) -> Roster {
    let member = |position| Member {
        site: format!("site-{position}").parse().unwrap(),
        key: signing(position).public(),
    };
    let members = (0..sites).map(member).collect();
    Roster::new(Digest::of(context.as_bytes()), members).unwrap()
}

impl World {
    /// Sites with vectors of any numbers up to 2^64.
    pub(crate) fn new(sites: u32, length: usize, seed: u64) -> Self {
        let mut draw = Draw(seed);
        let mut vector = |_| (0..length).map(|_| draw.next()).collect();
        Self {
            roster: roster(sites, "context"),
            vectors: (0..sites).map(&mut vector).collect(),
            seed,
        }
    }

    pub(crate) fn all(&self) -> Set {
        self.roster.positions().collect()
    }

    pub(crate) fn name(&self, position: u32) -> SiteSlug {
        self.roster.member(position).unwrap().site.clone()
    }

    pub(crate) fn bad_signature(&self, position: u32, phase: Phase) -> Refused {
        let site = self.name(position);
        Refused::Signature { site, phase }
    }

    pub(crate) fn secret(&self, position: u32) -> Secret {
        let parts: [&[u8]; 3] = [b"secret", &self.seed.to_be_bytes(), &position.to_be_bytes()];
        Secret::from_bytes(*Digest::of_list(&parts).as_bytes())
    }

    pub(crate) fn begin(&self, position: u32) -> (Advertised, AwaitKeys) {
        let secret = self.secret(position);
        Site::begin(self.roster.clone(), position, secret, &signing(position)).unwrap()
    }

    /// The sum that a run over these survivors must open.
    pub(crate) fn sum(&self, survivors: &Set) -> Vec<u64> {
        let mut sum = vec![0u64; self.vectors[0].len()];
        for survivor in survivors {
            for (total, value) in sum.iter_mut().zip(&self.vectors[*survivor as usize]) {
                *total = total.wrapping_add(*value);
            }
        }
        sum
    }

    pub(crate) fn advertised(&self, set: &Set) -> BTreeMap<u32, Advertised> {
        set.iter()
            .map(|position| (*position, self.begin(*position).0))
            .collect()
    }

    pub(crate) fn collect_keys(&self, keys: &BTreeMap<u32, Advertised>) -> CollectKeys {
        let mut collect = CollectKeys::begin(self.roster.clone(), self.vectors[0].len()).unwrap();
        for (position, message) in keys {
            collect.accept(*position, message.clone()).unwrap();
        }
        collect
    }
}

/// Keys known, shares dealt.
pub(crate) struct Dealt {
    pub(crate) keys: BTreeMap<u32, Advertised>,
    pub(crate) shared: BTreeMap<u32, Shared>,
    pub(crate) sites: BTreeMap<u32, AwaitShares>,
    pub(crate) collect: CollectShares,
}

/// Vectors masked.
pub(crate) struct Masked {
    pub(crate) inputs: BTreeMap<u32, Input>,
    pub(crate) sites: BTreeMap<u32, AwaitSurvivors>,
    pub(crate) collect: CollectInputs,
}

/// Survivors signed.
pub(crate) struct Signed {
    pub(crate) confirmed: BTreeMap<u32, Confirmed>,
    pub(crate) sites: BTreeMap<u32, AwaitSignatures>,
    pub(crate) collect: CollectSignatures,
}

/// Shares opened.
pub(crate) struct Answered {
    pub(crate) opened: BTreeMap<u32, Opened>,
    pub(crate) collect: CollectOpenings,
}

impl World {
    /// Those in `set` send keys, and deal shares.
    pub(crate) fn deal(&self, set: &Set) -> Result<Dealt, Abort> {
        let begun = set
            .iter()
            .map(|position| (*position, self.begin(*position)));
        let (mut keys, mut waiting) = (BTreeMap::new(), BTreeMap::new());
        for (position, (message, site)) in begun {
            keys.insert(position, message);
            waiting.insert(position, site);
        }
        let (keys, collect) = self.collect_keys(&keys).close()?;
        let (mut shared, mut sites) = (BTreeMap::new(), BTreeMap::new());
        for (position, site) in waiting {
            let (message, site) = site.keys(keys.clone())?;
            shared.insert(position, message);
            sites.insert(position, site);
        }
        Ok(Dealt {
            keys,
            shared,
            sites,
            collect,
        })
    }

    /// The shares of those in `dealers` arrive; each of them answers.
    pub(crate) fn mask(&self, dealt: Dealt, dealers: &Set) -> Result<Masked, Abort> {
        let (mut collect, mut waiting) = (dealt.collect, dealt.sites);
        for dealer in dealers {
            collect
                .accept(*dealer, dealt.shared[dealer].clone())
                .unwrap();
        }
        let (mut parcels, collect) = collect.close()?;
        let (mut inputs, mut sites) = (BTreeMap::new(), BTreeMap::new());
        for position in dealers {
            let parcel: BTreeMap<u32, Sealed> = parcels.remove(position).unwrap();
            let site = waiting.remove(position).unwrap();
            let (input, site) = site.shares(parcel, &self.vectors[*position as usize])?;
            inputs.insert(*position, input);
            sites.insert(*position, site);
        }
        Ok(Masked {
            inputs,
            sites,
            collect,
        })
    }
}

/// The vectors of those in `set` arrive; each of them signs the set.
pub(crate) fn sign(masked: Masked, set: &Set) -> Result<Signed, Abort> {
    let (mut collect, mut waiting) = (masked.collect, masked.sites);
    for position in set {
        collect
            .accept(*position, masked.inputs[position].clone())
            .unwrap();
    }
    let (survivors, collect) = collect.close()?;
    let (mut confirmed, mut sites) = (BTreeMap::new(), BTreeMap::new());
    for position in set {
        let site = waiting.remove(position).unwrap();
        let (message, site) = site.survivors(survivors.clone())?;
        confirmed.insert(*position, message);
        sites.insert(*position, site);
    }
    Ok(Signed {
        confirmed,
        sites,
        collect,
    })
}

/// The signatures of those in `set` arrive; each of them opens its shares.
pub(crate) fn answer(signed: Signed, set: &Set) -> Result<Answered, Abort> {
    let (mut collect, mut waiting) = (signed.collect, signed.sites);
    for position in set {
        collect
            .accept(*position, signed.confirmed[position].clone())
            .unwrap();
    }
    let (signatures, collect) = collect.close()?;
    let mut opened = BTreeMap::new();
    for position in set {
        let site = waiting.remove(position).unwrap();
        opened.insert(*position, site.signatures(signatures.clone())?);
    }
    Ok(Answered { opened, collect })
}

/// The opened shares of those in `set` arrive.
pub(crate) fn open(answered: Answered, set: &Set) -> Result<Opening, Abort> {
    let mut collect = answered.collect;
    for position in set {
        collect
            .accept(*position, answered.opened[position].clone())
            .unwrap();
    }
    collect.open()
}

impl World {
    /// A run in which `here` says who still sends each of the five messages.
    pub(crate) fn run(&self, here: &[Set; 5]) -> Result<Opening, Abort> {
        let masked = self.mask(self.deal(&here[0])?, &here[1])?;
        open(answer(sign(masked, &here[2])?, &here[3])?, &here[4])
    }
}

/// Who still sends each message when the site at each position leaves before message `leaves`
/// (0 to 4), or never (5).
pub(crate) fn here(leaves: &[usize]) -> [Set; 5] {
    let stay = |phase: usize| {
        let stays = (0u32..).zip(leaves).filter(|(_, leave)| **leave > phase);
        stays.map(|(position, _)| position).collect()
    };
    std::array::from_fn(stay)
}
