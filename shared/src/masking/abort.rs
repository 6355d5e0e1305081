//! Why a message is not taken and why a run ends, in words that name the site.
//!
//! From: `site`, `collector`.
//! To: whoever tells a person.

use std::fmt;

use crate::study::SiteSlug;

/// The five messages of a site, in their order.
#[derive(Clone, Copy, Debug, Eq, PartialEq, Ord, PartialOrd)]
pub enum Phase {
    /// Two single-use public keys.
    Keys,
    /// Sealed shares for the other sites.
    Shares,
    /// The masked vector.
    Inputs,
    /// A signature over the survivor set.
    Signatures,
    /// Opened shares.
    Openings,
}

impl fmt::Display for Phase {
    fn fmt(&self, out: &mut fmt::Formatter<'_>) -> fmt::Result {
        out.write_str(match self {
            Self::Keys => "keys",
            Self::Shares => "shares",
            Self::Inputs => "masked vector",
            Self::Signatures => "signature over the survivors",
            Self::Openings => "opened shares",
        })
    }
}

/// The two secrets of a site that are shared among all.
#[derive(Clone, Copy, Debug, Eq, PartialEq)]
pub enum SharedSecret {
    /// The private key of the pairwise masks.
    MaskKey,
    /// The seed of the site's own mask.
    SelfSeed,
}

impl fmt::Display for SharedSecret {
    fn fmt(&self, out: &mut fmt::Formatter<'_>) -> fmt::Result {
        out.write_str(match self {
            Self::MaskKey => "mask key",
            Self::SelfSeed => "self seed",
        })
    }
}

/// Why one message is not accepted. Nothing of it is kept.
#[derive(Clone, Debug, Eq, PartialEq, thiserror::Error)]
pub enum Refused {
    /// No member of the roster has this position.
    #[error("position {position} is not in the roster")]
    Foreign {
        /// The position.
        position: u32,
    },
    /// A member that was not in the phase before, or is not asked in this one.
    #[error("{site} has no part in this phase ({phase})")]
    NotExpected {
        /// The member.
        site: SiteSlug,
        /// The phase.
        phase: Phase,
    },
    /// A second message of one member in one phase, be it the same again.
    #[error("{site} has sent its {phase} already")]
    Repeated {
        /// The member.
        site: SiteSlug,
        /// The phase.
        phase: Phase,
    },
    /// The signature is not the member's over this content: another key, another roster or
    /// context, altered bytes, or, in the phase of signatures, another survivor set.
    #[error("the signature on the {phase} of {site} does not hold for this roster and content")]
    Signature {
        /// The member.
        site: SiteSlug,
        /// [`Phase::Keys`] or [`Phase::Signatures`].
        phase: Phase,
    },
    /// A public key of low order: every agreement with it is known to all.
    #[error("a public key of {site} is of low order")]
    WeakKey {
        /// The member.
        site: SiteSlug,
    },
    /// One public key stands twice.
    #[error("{site} shows a public key that {other} has shown")]
    RepeatedKey {
        /// The member.
        site: SiteSlug,
        /// Who showed it before; the same member where its two keys are one.
        other: SiteSlug,
    },
    /// The sealed shares are not for exactly the other members whose keys are known.
    #[error("{site} has not sealed one pair of shares for each other site")]
    Recipients {
        /// The member.
        site: SiteSlug,
    },
    /// The vector has another length than the others'.
    #[error("the masked vector of {site} has {found} values instead of {expected}")]
    Length {
        /// The member.
        site: SiteSlug,
        /// Values asked for.
        expected: usize,
        /// Values found.
        found: usize,
    },
    /// Shares of both secrets of one member: whoever has them reads that member's vector.
    #[error("{site} opened both secrets of {of}")]
    BothSecrets {
        /// Who opened them.
        site: SiteSlug,
        /// Whose they are.
        of: SiteSlug,
    },
    /// The opened shares are not exactly those that were asked for.
    #[error("{site} has not opened exactly the shares that were asked for")]
    Dealers {
        /// The member.
        site: SiteSlug,
    },
}

/// Why a run ends without a sum. A state that returned one is gone.
#[derive(Clone, Debug, Eq, PartialEq, thiserror::Error)]
pub enum Abort {
    /// One message is not acceptable, and the run cannot go on without it.
    #[error(transparent)]
    Refused(#[from] Refused),
    /// The site's own position is not in the roster.
    #[error("position {position} is not in the roster")]
    NotMember {
        /// The position.
        position: u32,
    },
    /// The roster has another certificate key for this site.
    #[error("the roster has another key for {site} than the one it signs with")]
    ForeignKey {
        /// The site itself.
        site: SiteSlug,
    },
    /// Fewer members than the threshold are left.
    #[error("{found} sites are left in the phase {phase}, and {needed} are needed")]
    TooFew {
        /// The phase.
        phase: Phase,
        /// Members left.
        found: usize,
        /// The roster's threshold.
        needed: usize,
    },
    /// What the site itself said is missing from what came back, or was altered.
    #[error("the site's own {phase} did not come back as it was sent")]
    OwnChanged {
        /// The phase.
        phase: Phase,
    },
    /// The sealed shares of a member cannot be opened: they were altered, are meant for another
    /// site, or that member knows other keys than this site does.
    #[error("the shares from {site} cannot be opened")]
    Unopened {
        /// Who sealed them.
        site: SiteSlug,
    },
    /// A vector without values or with more than [`super::VECTOR_MAX`].
    #[error("a vector of {found} values cannot be masked")]
    Vector {
        /// Values found.
        found: usize,
    },
    /// This site is not among the survivors: its vector is not in the sum, and it signs nothing.
    #[error("this site is not among the survivors")]
    LeftOut,
    /// A secret was recovered only without the share of one member: that share is false.
    #[error("{giver} opened a false share of the {secret} of {of}")]
    FalseShare {
        /// Who opened it.
        giver: SiteSlug,
        /// Whose secret it is.
        of: SiteSlug,
        /// Which secret.
        secret: SharedSecret,
    },
    /// The shares of a secret do not give what its owner committed to: the owner dealt false
    /// shares, or more than one member opened false ones.
    #[error("the {secret} of {of} cannot be recovered from its shares")]
    Unrecoverable {
        /// Whose secret it is.
        of: SiteSlug,
        /// Which secret.
        secret: SharedSecret,
    },
}
