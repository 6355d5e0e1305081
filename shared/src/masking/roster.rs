//! Who takes part: sites in a fixed order with the keys that people confirmed, and what the sum
//! is for. Everything signed, sealed or derived in a run is bound to the roster's digest.
//!
//! From: the protocol, and keys that each hospital's approver confirmed.
//! To: `site`, `collector`.

use std::collections::BTreeSet;

use schemars::JsonSchema;
use serde::{Deserialize, Serialize};

use super::Refused;
use crate::identity::{Digest, PublicKey};
use crate::study::SiteSlug;

pub use crate::study::masked::{HOSPITALS_MAX as MEMBERS_MAX, HOSPITALS_MIN as MEMBERS_MIN};

/// A site and the certificate key by which it signs.
#[derive(Clone, Debug, Eq, PartialEq, Serialize, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields)]
pub struct Member {
    /// The site.
    pub site: SiteSlug,
    /// The Ed25519 key of its certificate.
    pub key: PublicKey,
}

/// Why members are no roster.
#[derive(Clone, Debug, Eq, PartialEq, thiserror::Error)]
pub enum RosterFault {
    /// Fewer than [`MEMBERS_MIN`] or more than [`MEMBERS_MAX`].
    #[error("a masked sum needs {MEMBERS_MIN} to {MEMBERS_MAX} sites and there are {found}")]
    Size {
        /// Members given.
        found: usize,
    },
    /// One site stands twice.
    #[error("{site} stands twice in the roster")]
    Site {
        /// The site.
        site: SiteSlug,
    },
    /// Two sites have one key.
    #[error("{site} has the key of another site")]
    Key {
        /// The second of them.
        site: SiteSlug,
    },
}

/// The members of one masked sum; a member's position is its place in the list, from 0.
#[derive(Clone, Debug, Eq, PartialEq)]
pub struct Roster {
    context: Digest,
    members: Vec<Member>,
    digest: Digest,
}

impl Roster {
    /// A roster of 4 to 100 members whose sites and keys are all different. `context` stands for
    /// study, protocol, round, exchange and the meaning and length of the vector: members that
    /// differ in it cannot add their vectors.
    ///
    /// # Errors
    /// [`RosterFault`] names what is wrong with the members.
    pub fn new(context: Digest, members: Vec<Member>) -> Result<Self, RosterFault> {
        let found = members.len();
        if !(MEMBERS_MIN..=MEMBERS_MAX).contains(&found) {
            return Err(RosterFault::Size { found });
        }
        let (mut sites, mut keys) = (BTreeSet::new(), BTreeSet::new());
        for member in &members {
            let site = || member.site.clone();
            if !sites.insert(&member.site) {
                return Err(RosterFault::Site { site: site() });
            }
            if !keys.insert(member.key) {
                return Err(RosterFault::Key { site: site() });
            }
        }
        let mut parts: Vec<&[u8]> = vec![b"fedval.masking.roster/1", context.as_bytes()];
        for member in &members {
            parts.push(member.site.as_str().as_bytes());
            parts.push(member.key.as_bytes());
        }
        let digest = Digest::of_list(&parts);
        Ok(Self {
            context,
            members,
            digest,
        })
    }

    /// What the sum is for.
    pub fn context(&self) -> Digest {
        self.context
    }

    /// The members, in the order of their positions.
    pub fn members(&self) -> &[Member] {
        &self.members
    }

    /// How many members must be left in every phase: floor(2n/3) + 1 of n.
    pub fn threshold(&self) -> usize {
        2 * self.members.len() / 3 + 1
    }

    /// How many members may side with the coordinator without learning more than the sum over
    /// the others: 2t - n - 1 with t the threshold. With one more they could show two survivor
    /// sets to two halves of the rest and find t signatures for each.
    pub fn colluders_borne(&self) -> usize {
        2 * self.threshold() - self.members.len() - 1
    }

    /// The digest of the context and of every member in its place.
    pub fn digest(&self) -> Digest {
        self.digest
    }

    /// The member at a position.
    pub fn member(&self, position: u32) -> Option<&Member> {
        self.members.get(usize::try_from(position).ok()?)
    }

    /// The position of a site.
    pub fn position(&self, site: &SiteSlug) -> Option<u32> {
        self.positions()
            .zip(&self.members)
            .find(|(_, member)| member.site == *site)
            .map(|(position, _)| position)
    }

    /// Every position.
    pub fn positions(&self) -> impl Iterator<Item = u32> + use<> {
        (0u32..).take(self.members.len())
    }

    /// The member at a position, for a message that claims to be from it.
    pub(super) fn claimed(&self, position: u32) -> Result<&Member, Refused> {
        self.member(position).ok_or(Refused::Foreign { position })
    }
}
