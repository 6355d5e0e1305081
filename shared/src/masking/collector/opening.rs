//! The last phase: shares are opened, secrets recovered and compared, masks taken off the sum.
//!
//! From: `collector`, opened shares.
//! To: the sum.

use std::collections::{BTreeMap, BTreeSet};

use x25519_dalek::StaticSecret;

use super::super::derive::{
    Direction, Key, agree, apply, commitment, pair_mask, public, self_mask,
};
use super::super::sharing::{Unrecovered, recover};
use super::super::text::Share;
use super::super::{Abort, Opened, Phase, Refused, SharedSecret};
use super::{Arrived, Known, Masked};

/// Takes opened shares.
pub struct CollectOpenings {
    masked: Masked,
    arrived: Arrived<Opened>,
}

/// What a run ends with.
#[derive(Clone, Debug, Eq, PartialEq)]
pub struct Opening {
    /// The sum of the survivors' vectors, modulo 2^64.
    pub sum: Vec<u64>,
    /// Positions of the sites whose vectors are in it.
    pub survivors: BTreeSet<u32>,
}

impl CollectOpenings {
    pub(super) fn new(masked: Masked, asked: BTreeSet<u32>) -> Self {
        Self {
            masked,
            arrived: Arrived::new(Phase::Openings, asked),
        }
    }

    missing!();

    /// Takes the shares that one site opened.
    ///
    /// # Errors
    /// [`Refused`] names what is wrong with the message.
    pub fn accept(&mut self, position: u32, message: Opened) -> Result<(), Refused> {
        let masked = &self.masked;
        let roster = &masked.known.roster;
        let site = || roster.claimed(position).map(|member| member.site.clone());
        self.arrived.claimed(roster, position)?;
        let both = |of: &&u32| message.seed_shares.contains_key(*of);
        if let Some(of) = message.mask_shares.keys().find(both) {
            return Err(Refused::BothSecrets {
                site: site()?,
                of: roster.claimed(*of)?.site.clone(),
            });
        }
        let gone = masked.dealers.difference(&masked.survivors);
        let asked =
            message.seed_shares.keys().eq(&masked.survivors) && message.mask_shares.keys().eq(gone);
        if !asked {
            return Err(Refused::Dealers { site: site()? });
        }
        self.arrived.messages.insert(position, message);
        Ok(())
    }

    /// Recovers the self seeds of the survivors and the mask keys of the dealers that sent no
    /// vector, compares each with what its owner advertised, and takes their masks off the sum.
    ///
    /// # Errors
    /// [`Abort::TooFew`]; [`Abort::FalseShare`] and [`Abort::Unrecoverable`] when a secret is not
    /// the one that its owner committed to.
    pub fn open(self) -> Result<Opening, Abort> {
        self.arrived.enough(&self.masked.known.roster)?;
        let Self { masked, arrived } = self;
        let (mut sum, known) = (masked.total.clone(), &masked.known);
        for (of, advertised) in &known.keys {
            if masked.survivors.contains(of) {
                let shares = opened(&arrived.messages, |message| message.seed_shares.get(of));
                let seed = recovered(known, &shares, *of, SharedSecret::SelfSeed, |seed| {
                    commitment(&known.roster, *of, seed) == advertised.seed
                })?;
                let key = self_mask(&seed, masked.view, *of);
                apply(&mut sum, &key, Direction::Subtract);
            } else if masked.dealers.contains(of) {
                let shares = opened(&arrived.messages, |message| message.mask_shares.get(of));
                let secret = recovered(known, &shares, *of, SharedSecret::MaskKey, |secret| {
                    public(&StaticSecret::from(*secret)) == advertised.mask
                })?;
                let secret = StaticSecret::from(*secret);
                for survivor in &masked.survivors {
                    let Some(other) = known.keys.get(survivor) else {
                        continue;
                    };
                    let agreed = agree(&secret, &other.mask);
                    let key = pair_mask(&agreed, masked.view, *survivor, *of);
                    apply(
                        &mut sum,
                        &key,
                        Direction::of_pair(*survivor, *of).reversed(),
                    );
                }
            }
        }
        Ok(Opening {
            sum,
            survivors: masked.survivors,
        })
    }
}

/// One share of one secret from each who opened one.
fn opened<'a>(
    messages: &'a BTreeMap<u32, Opened>,
    share: impl Fn(&'a Opened) -> Option<&'a Share>,
) -> BTreeMap<u32, &'a Share> {
    let found = messages
        .iter()
        .map(|(giver, message)| (*giver, share(message)));
    found
        .filter_map(|(giver, share)| Some((giver, share?)))
        .collect()
}

fn recovered(
    known: &Known,
    shares: &BTreeMap<u32, &Share>,
    of: u32,
    secret: SharedSecret,
    holds: impl Fn(&[u8; 32]) -> bool,
) -> Result<Key, Abort> {
    let name =
        |position| -> Result<_, Refused> { Ok(known.roster.claimed(position)?.site.clone()) };
    match recover(shares, known.roster.threshold(), holds) {
        Ok(key) => Ok(key),
        Err(Unrecovered::False(giver)) => Err(Abort::FalseShare {
            giver: name(giver)?,
            of: name(of)?,
            secret,
        }),
        Err(Unrecovered::All) => Err(Abort::Unrecoverable {
            of: name(of)?,
            secret,
        }),
    }
}
