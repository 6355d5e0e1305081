//! A site in a masked sum: one state per message it waits for, used up by that message. An
//! [`Abort`] ends the run for this site; it says nothing more in it.
//!
//! ```text
//! begin -> Advertised    AwaitKeys       <- everyone's Advertised
//!          Shared        AwaitShares     <- sealed shares for this site
//!          Input         AwaitSurvivors  <- who is in the sum
//!          Confirmed     AwaitSignatures <- everyone's Confirmed
//!          Opened
//! ```
//!
//! From: the roster, the site's vector, what the coordinator passes on.
//! To: the coordinator, in five messages.

use std::collections::{BTreeMap, BTreeSet};

use x25519_dalek::StaticSecret;

use super::derive::{
    Direction, Envelope, Key, Own, agree, apply, commitment, pair_mask, public, self_mask,
    transcript, view,
};
use super::sharing::split;
use super::text::{Sealed, Share};
use super::{
    Abort, Advertised, Confirmed, Input, MaskedVector, Opened, Phase, Refused, Roster, Secret,
    Shared, VECTOR_MAX,
};
use crate::identity::{Digest, SigningKey};
use crate::study::SiteSlug;

/// Who this site is.
struct Me {
    roster: Roster,
    position: u32,
    signing: SigningKey,
}

impl Me {
    /// Whether enough members are left.
    fn enough(&self, phase: Phase, found: usize) -> Result<(), Abort> {
        enough(&self.roster, phase, found)
    }

    /// The name of a member that others speak of.
    fn name(&self, position: u32) -> Result<SiteSlug, Refused> {
        Ok(self.roster.claimed(position)?.site.clone())
    }

    /// Refuses whoever was not in the phase before.
    fn known<T>(
        &self,
        phase: Phase,
        position: u32,
        before: &BTreeMap<u32, T>,
    ) -> Result<(), Abort> {
        let site = self.name(position)?;
        if before.contains_key(&position) {
            Ok(())
        } else {
            Err(Refused::NotExpected { site, phase }.into())
        }
    }
}

/// Whether enough members of the roster are left.
pub(super) fn enough(roster: &Roster, phase: Phase, found: usize) -> Result<(), Abort> {
    let needed = roster.threshold();
    if found < needed {
        return Err(Abort::TooFew {
            phase,
            found,
            needed,
        });
    }
    Ok(())
}

/// A site of a masked sum; [`Site::begin`] is the only way in.
pub struct Site;

impl Site {
    /// The site's first message. `secret` is fresh for this run; `signing` is the key of the
    /// site's certificate.
    ///
    /// # Errors
    /// [`Abort::NotMember`] and [`Abort::ForeignKey`] when the roster has no such position or
    /// another key there.
    pub fn begin(
        roster: Roster,
        position: u32,
        secret: Secret,
        signing: &SigningKey,
    ) -> Result<(Advertised, AwaitKeys), Abort> {
        let Some(member) = roster.member(position) else {
            return Err(Abort::NotMember { position });
        };
        if member.key != signing.public() {
            let site = member.site.clone();
            return Err(Abort::ForeignKey { site });
        }
        let own = Own::of(&secret, &roster, position);
        let content = (
            public(&own.cipher),
            public(&own.mask),
            commitment(&roster, position, &own.seed),
        );
        let advertised = Advertised::signed(&roster, position, content, signing);
        let me = Me {
            roster,
            position,
            signing: signing.clone(),
        };
        let waiting = AwaitKeys {
            me,
            own,
            advertised: advertised.clone(),
        };
        Ok((advertised, waiting))
    }
}

/// Waits for the keys of all sites.
pub struct AwaitKeys {
    me: Me,
    own: Own,
    advertised: Advertised,
}

impl AwaitKeys {
    /// Takes the keys by position, this site's own among them, and deals shares to their
    /// owners.
    ///
    /// # Errors
    /// [`Abort`] when the site's own entry is missing or altered, when a signature does not hold
    /// for this roster, a key is weak or stands twice, or fewer than the threshold are there.
    pub fn keys(self, keys: BTreeMap<u32, Advertised>) -> Result<(Shared, AwaitShares), Abort> {
        let Self {
            me,
            own,
            advertised,
        } = self;
        if keys.get(&me.position) != Some(&advertised) {
            let phase = Phase::Keys;
            return Err(Abort::OwnChanged { phase });
        }
        let mut checked = BTreeMap::new();
        for (position, entry) in keys {
            entry.check(&me.roster, position, &checked)?;
            checked.insert(position, entry);
        }
        me.enough(Phase::Keys, checked.len())?;
        let transcript = transcript(&me.roster, &checked);
        let mask_shares = split(own.mask.as_bytes(), &me.roster, &own.mask_coins);
        let seed_shares = split(&own.seed, &me.roster, &own.seed_coins);
        let dealt = me
            .roster
            .positions()
            .zip(mask_shares.into_iter().zip(seed_shares));
        let (mut sealed, mut agreed) = (BTreeMap::new(), BTreeMap::new());
        let mut kept = None;
        for (recipient, shares) in dealt {
            if recipient == me.position {
                kept = Some(shares);
            } else if let Some(other) = checked.get(&recipient) {
                let key = agree(&own.cipher, &other.cipher);
                let pair = (me.position, recipient);
                let envelope = Envelope::new(&key, &me.roster, transcript, pair);
                sealed.insert(recipient, envelope.seal(&shares.0, &shares.1));
                agreed.insert(recipient, key);
            }
        }
        let waiting = AwaitShares {
            held: kept.into_iter().map(|kept| (me.position, kept)).collect(),
            me,
            mask: own.mask,
            seed: own.seed,
            keys: checked,
            transcript,
            agreed,
        };
        Ok((Shared { sealed }, waiting))
    }
}

#[cfg(test)]
impl AwaitKeys {
    /// A site that cheats: it deals a seed or a key that its new first message does not stand
    /// for.
    pub(super) fn deal_another(
        &mut self,
        secret: super::SharedSecret,
        seed: &Digest,
    ) -> Advertised {
        let (mut content, me) = (
            (
                self.advertised.cipher,
                self.advertised.mask,
                self.advertised.seed,
            ),
            &self.me,
        );
        match secret {
            super::SharedSecret::SelfSeed => content.2 = *seed,
            super::SharedSecret::MaskKey => content.1 = public(&StaticSecret::from([7; 32])),
        }
        self.advertised = Advertised::signed(&me.roster, me.position, content, &me.signing);
        self.advertised.clone()
    }
}

/// Waits for the shares that other sites dealt to this one.
pub struct AwaitShares {
    me: Me,
    mask: StaticSecret,
    seed: Key,
    keys: BTreeMap<u32, Advertised>,
    transcript: Digest,
    /// What this site agreed on with each other one, for sealed shares.
    agreed: BTreeMap<u32, Key>,
    /// Shares of mask key and self seed, by dealer: this site's own.
    held: BTreeMap<u32, (Share, Share)>,
}

impl AwaitShares {
    /// Takes the sealed shares for this site, by sender, and masks the vector. Whoever is among
    /// the senders is a dealer, and so is this site itself.
    ///
    /// # Errors
    /// [`Abort`] when a sender's keys are not known, its shares cannot be opened, fewer than the
    /// threshold dealt shares, or the vector is empty or too long.
    pub fn shares(
        self,
        sealed: BTreeMap<u32, Sealed>,
        vector: &[u64],
    ) -> Result<(Input, AwaitSurvivors), Abort> {
        let Self {
            me,
            mask,
            seed,
            keys,
            transcript,
            agreed,
            mut held,
        } = self;
        let phase = Phase::Shares;
        if vector.is_empty() || vector.len() > VECTOR_MAX {
            let found = vector.len();
            return Err(Abort::Vector { found });
        }
        for (sender, sealed) in sealed {
            me.known(phase, sender, &agreed)?;
            let opened = agreed.get(&sender).and_then(|key| {
                Envelope::new(key, &me.roster, transcript, (sender, me.position)).open(&sealed)
            });
            let Some(shares) = opened else {
                let site = me.name(sender)?;
                return Err(Abort::Unopened { site });
            };
            held.insert(sender, shares);
        }
        me.enough(phase, held.len())?;
        let view = view(transcript, &held.keys().copied().collect());
        let mut masked = vector.to_vec();
        let own = self_mask(&seed, view, me.position);
        apply(&mut masked, &own, Direction::Add);
        let others = held.keys().filter(|dealer| **dealer != me.position);
        for (dealer, other) in others.filter_map(|dealer| Some((*dealer, keys.get(dealer)?))) {
            let key = pair_mask(&agree(&mask, &other.mask), view, me.position, dealer);
            apply(&mut masked, &key, Direction::of_pair(me.position, dealer));
        }
        let input = Input {
            vector: MaskedVector(masked),
        };
        Ok((input, AwaitSurvivors { me, view, held }))
    }
}

/// Waits to be told whose vectors are in the sum.
pub struct AwaitSurvivors {
    me: Me,
    view: Digest,
    held: BTreeMap<u32, (Share, Share)>,
}

impl AwaitSurvivors {
    /// Takes the survivor set and signs it.
    ///
    /// # Errors
    /// [`Abort`] when a survivor dealt no shares, this site is not among them, or they are fewer
    /// than the threshold.
    pub fn survivors(
        self,
        survivors: BTreeSet<u32>,
    ) -> Result<(Confirmed, AwaitSignatures), Abort> {
        let Self { me, view, held } = self;
        for survivor in &survivors {
            me.known(Phase::Inputs, *survivor, &held)?;
        }
        if !survivors.contains(&me.position) {
            return Err(Abort::LeftOut);
        }
        me.enough(Phase::Inputs, survivors.len())?;
        let confirmed = Confirmed::signed(&me.roster, view, &survivors, &me.signing);
        let waiting = AwaitSignatures {
            me,
            view,
            held,
            survivors,
            confirmed: confirmed.clone(),
        };
        Ok((confirmed, waiting))
    }
}

/// Waits for the signatures of enough survivors.
pub struct AwaitSignatures {
    me: Me,
    view: Digest,
    held: BTreeMap<u32, (Share, Share)>,
    survivors: BTreeSet<u32>,
    confirmed: Confirmed,
}

impl AwaitSignatures {
    /// Takes the signatures by position, this site's own among them, and opens of each survivor
    /// the share of its self seed and of each other dealer the share of its mask key.
    ///
    /// # Errors
    /// [`Abort`] when a signature is not over the survivor set that this site signed, is of a
    /// site that is no survivor, the site's own is missing, or they are fewer than the
    /// threshold. No share leaves then.
    pub fn signatures(self, signatures: BTreeMap<u32, Confirmed>) -> Result<Opened, Abort> {
        let Self {
            me,
            view,
            held,
            survivors,
            confirmed,
        } = self;
        let phase = Phase::Signatures;
        if signatures.get(&me.position) != Some(&confirmed) {
            return Err(Abort::OwnChanged { phase });
        }
        for (position, signature) in &signatures {
            let site = me.name(*position)?;
            if !survivors.contains(position) {
                return Err(Refused::NotExpected { site, phase }.into());
            }
            signature.check(&me.roster, *position, view, &survivors)?;
        }
        me.enough(phase, signatures.len())?;
        let (mut mask_shares, mut seed_shares) = (BTreeMap::new(), BTreeMap::new());
        for (dealer, (mask, seed)) in held {
            if survivors.contains(&dealer) {
                seed_shares.insert(dealer, seed);
            } else {
                mask_shares.insert(dealer, mask);
            }
        }
        Ok(Opened {
            mask_shares,
            seed_shares,
        })
    }
}
