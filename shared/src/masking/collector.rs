//! The coordinator in a masked sum: one state per phase. Each takes one message per site,
//! checked at once, and closes into the next phase with what the sites are sent. A state has
//! nothing that did not come in by a message: fed with the stored ones it is the same again.
//!
//! From: messages of sites, in any order within a phase.
//! To: what is passed on to sites, and at the end the sum.

use std::collections::{BTreeMap, BTreeSet};

use super::derive::{transcript, view};
use super::site::enough;
use super::text::Sealed;
use super::{
    Abort, Advertised, Confirmed, Input, Member, Phase, Refused, Roster, Shared, VECTOR_MAX,
};
use crate::identity::Digest;

/// Messages of one phase, by position.
struct Arrived<T> {
    phase: Phase,
    /// Who is asked.
    asked: BTreeSet<u32>,
    messages: BTreeMap<u32, T>,
}

impl<T> Arrived<T> {
    fn new(phase: Phase, asked: BTreeSet<u32>) -> Self {
        Self {
            phase,
            asked,
            messages: BTreeMap::new(),
        }
    }

    /// The member that `position` claims to be, when it is asked and has not answered yet.
    fn claimed<'a>(&self, roster: &'a Roster, position: u32) -> Result<&'a Member, Refused> {
        let member = roster.claimed(position)?;
        let (site, phase) = (member.site.clone(), self.phase);
        if !self.asked.contains(&position) {
            return Err(Refused::NotExpected { site, phase });
        }
        if self.messages.contains_key(&position) {
            return Err(Refused::Repeated { site, phase });
        }
        Ok(member)
    }

    fn missing(&self) -> BTreeSet<u32> {
        let arrived = self.positions();
        self.asked.difference(&arrived).copied().collect()
    }

    fn positions(&self) -> BTreeSet<u32> {
        self.messages.keys().copied().collect()
    }

    fn enough(&self, roster: &Roster) -> Result<(), Abort> {
        enough(roster, self.phase, self.messages.len())
    }
}

macro_rules! missing {
    () => {
        /// Positions whose message is awaited.
        pub fn missing(&self) -> BTreeSet<u32> {
            self.arrived.missing()
        }
    };
}

mod opening;
pub use opening::{CollectOpenings, Opening};

/// What all states after the first know.
struct Known {
    roster: Roster,
    length: usize,
    keys: BTreeMap<u32, Advertised>,
    transcript: Digest,
}

/// Takes keys.
pub struct CollectKeys {
    roster: Roster,
    length: usize,
    arrived: Arrived<Advertised>,
}

impl CollectKeys {
    /// A run over `roster` for vectors of `length` values.
    ///
    /// # Errors
    /// [`Abort::Vector`] for no value or more than [`VECTOR_MAX`].
    pub fn begin(roster: Roster, length: usize) -> Result<Self, Abort> {
        if length == 0 || length > VECTOR_MAX {
            return Err(Abort::Vector { found: length });
        }
        let asked = roster.positions().collect();
        Ok(Self {
            roster,
            length,
            arrived: Arrived::new(Phase::Keys, asked),
        })
    }

    missing!();

    /// Takes the keys of one site.
    ///
    /// # Errors
    /// [`Refused`] names what is wrong with the message.
    pub fn accept(&mut self, position: u32, message: Advertised) -> Result<(), Refused> {
        self.arrived.claimed(&self.roster, position)?;
        message.check(&self.roster, position, &self.arrived.messages)?;
        self.arrived.messages.insert(position, message);
        Ok(())
    }

    /// Closes the phase: every site that sent keys is sent all of them.
    ///
    /// # Errors
    /// [`Abort::TooFew`].
    pub fn close(self) -> Result<(BTreeMap<u32, Advertised>, CollectShares), Abort> {
        self.arrived.enough(&self.roster)?;
        let asked = self.arrived.positions();
        let keys = self.arrived.messages;
        let next = CollectShares {
            known: Known {
                transcript: transcript(&self.roster, &keys),
                roster: self.roster,
                length: self.length,
                keys: keys.clone(),
            },
            arrived: Arrived::new(Phase::Shares, asked),
        };
        Ok((keys, next))
    }
}

/// Takes sealed shares.
pub struct CollectShares {
    known: Known,
    arrived: Arrived<Shared>,
}

impl CollectShares {
    missing!();

    /// Takes what one site dealt.
    ///
    /// # Errors
    /// [`Refused`] names what is wrong with the message.
    pub fn accept(&mut self, position: u32, message: Shared) -> Result<(), Refused> {
        let member = self.arrived.claimed(&self.known.roster, position)?;
        let others = self.known.keys.keys().filter(|other| **other != position);
        if !message.sealed.keys().eq(others) {
            let site = member.site.clone();
            return Err(Refused::Recipients { site });
        }
        self.arrived.messages.insert(position, message);
        Ok(())
    }

    /// Closes the phase: every dealer is sent the shares sealed for it, by recipient, then by
    /// sender.
    ///
    /// # Errors
    /// [`Abort::TooFew`].
    #[expect(clippy::type_complexity, reason = "positions of two kinds, said above")]
    pub fn close(self) -> Result<(BTreeMap<u32, BTreeMap<u32, Sealed>>, CollectInputs), Abort> {
        self.arrived.enough(&self.known.roster)?;
        let dealers = self.arrived.positions();
        let mut parcels: BTreeMap<u32, BTreeMap<u32, Sealed>> = dealers
            .iter()
            .map(|dealer| (*dealer, BTreeMap::new()))
            .collect();
        for (sender, message) in self.arrived.messages {
            for (recipient, sealed) in message.sealed {
                if let Some(parcel) = parcels.get_mut(&recipient) {
                    parcel.insert(sender, sealed);
                }
            }
        }
        let next = CollectInputs {
            view: view(self.known.transcript, &dealers),
            known: self.known,
            arrived: Arrived::new(Phase::Inputs, dealers),
        };
        Ok((parcels, next))
    }
}

/// Takes masked vectors.
pub struct CollectInputs {
    known: Known,
    view: Digest,
    arrived: Arrived<Input>,
}

impl CollectInputs {
    missing!();

    /// Takes one site's masked vector.
    ///
    /// # Errors
    /// [`Refused`] names what is wrong with the message.
    pub fn accept(&mut self, position: u32, message: Input) -> Result<(), Refused> {
        let member = self.arrived.claimed(&self.known.roster, position)?;
        let (expected, found) = (self.known.length, message.vector.values().len());
        if expected != found {
            return Err(Refused::Length {
                site: member.site.clone(),
                expected,
                found,
            });
        }
        self.arrived.messages.insert(position, message);
        Ok(())
    }

    /// Closes the phase: every survivor is sent the survivor set.
    ///
    /// # Errors
    /// [`Abort::TooFew`].
    pub fn close(self) -> Result<(BTreeSet<u32>, CollectSignatures), Abort> {
        self.arrived.enough(&self.known.roster)?;
        let survivors = self.arrived.positions();
        let mut total = vec![0u64; self.known.length];
        for input in self.arrived.messages.values() {
            for (sum, value) in total.iter_mut().zip(input.vector.values()) {
                *sum = sum.wrapping_add(*value);
            }
        }
        let masked = Masked {
            known: self.known,
            view: self.view,
            dealers: self.arrived.asked,
            survivors: survivors.clone(),
            total,
        };
        let next = CollectSignatures {
            masked,
            arrived: Arrived::new(Phase::Signatures, survivors.clone()),
        };
        Ok((survivors, next))
    }
}

/// The sum of the survivors' masked vectors, and whose masks are in it.
struct Masked {
    known: Known,
    view: Digest,
    dealers: BTreeSet<u32>,
    survivors: BTreeSet<u32>,
    total: Vec<u64>,
}

/// Takes signatures over the survivor set.
pub struct CollectSignatures {
    masked: Masked,
    arrived: Arrived<Confirmed>,
}

impl CollectSignatures {
    missing!();

    /// Takes one survivor's signature.
    ///
    /// # Errors
    /// [`Refused`] names what is wrong with the message.
    pub fn accept(&mut self, position: u32, message: Confirmed) -> Result<(), Refused> {
        let (masked, roster) = (&self.masked, &self.masked.known.roster);
        self.arrived.claimed(roster, position)?;
        message.check(roster, position, masked.view, &masked.survivors)?;
        self.arrived.messages.insert(position, message);
        Ok(())
    }

    /// Closes the phase: every site that signed is sent all signatures.
    ///
    /// # Errors
    /// [`Abort::TooFew`].
    pub fn close(self) -> Result<(BTreeMap<u32, Confirmed>, CollectOpenings), Abort> {
        self.arrived.enough(&self.masked.known.roster)?;
        let asked = self.arrived.positions();
        let next = CollectOpenings::new(self.masked, asked);
        Ok((self.arrived.messages, next))
    }
}
