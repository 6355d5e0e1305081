//! A masked sum as a job's exchange: six steps, in each of which every site of the round is sent
//! the same signed document and answers with one message. The first asks who takes part; the
//! others are the phases of `site` and `collector`.
//!
//! | step | the coordinator says | the site answers |
//! |---|---|---|
//! | 1 | that the sum begins | its key, with the succession that leads to it |
//! | 2 | who takes part, with their keys | its single-use keys |
//! | 3 | everybody's single-use keys | its shares, sealed for each other site |
//! | 4 | everybody's sealed shares | its masked vector |
//! | 5 | whose vectors came | its signature over them |
//! | 6 | the signatures | one share of each site |
//!
//! From: `coordinator::masked`, `node::masked`.
//! To: the same, at the other end.

use std::collections::{BTreeMap, BTreeSet};

use schemars::JsonSchema;
use serde::{Deserialize, Serialize};

use super::{Advertised, Confirmed, Input, Member, Opened, Roster, RosterFault, Sealed, Shared};
use crate::identity::{
    CanonicalError, Digest, DocumentFault, KeyCertificate, KeyPurpose, PublicKey, SUCCESSIONS_MAX,
    Signed, SigningKey, Succession, from_canonical,
};
use crate::study::masked::Layout;
use crate::study::{RoundId, SiteSlug, StudyProtocol, StudySlug, Timestamp};

/// Name and version of the document; also the signature's domain.
pub const SCHEMA: &str = "fedval.masked-step/1";

/// One step's input.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields)]
pub struct MaskedStep {
    /// The study.
    pub study: StudySlug,
    /// Digest of the locked protocol.
    pub protocol: Digest,
    /// The round.
    pub round: RoundId,
    /// What the sites are told.
    pub relay: Relay,
}

/// What the sites are told, in the order of the steps.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize, JsonSchema)]
#[serde(rename_all = "kebab-case", deny_unknown_fields)]
pub enum Relay {
    /// The sum begins.
    Begin {},
    /// Who takes part, in the order of their positions.
    Roster(Vec<Participant>),
    /// Single-use keys, by position.
    Keys(BTreeMap<u32, Advertised>),
    /// Sealed shares by the recipient's position, then by the sender's.
    Shares(BTreeMap<u32, BTreeMap<u32, Sealed>>),
    /// Whose vectors are in the sum, by position.
    Survivors(BTreeSet<u32>),
    /// Signatures over the survivors, by position.
    Signatures(BTreeMap<u32, Confirmed>),
}

impl Relay {
    /// The number of its step, from 1.
    pub fn step(&self) -> u32 {
        match self {
            Self::Begin {} => 1,
            Self::Roster(_) => 2,
            Self::Keys(_) => 3,
            Self::Shares(_) => 4,
            Self::Survivors(_) => 5,
            Self::Signatures(_) => 6,
        }
    }
}

/// A site that takes part.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields)]
pub struct Participant {
    /// The site.
    pub site: SiteSlug,
    /// The key of its certificate.
    pub key: PublicKey,
    /// Its earlier keys' words for each next one, oldest first; at most 64.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub successions: Vec<Succession>,
}

impl Participant {
    /// Whether the list of successions is short enough to be followed.
    pub fn is_bounded(&self) -> bool {
        self.successions.len() <= SUCCESSIONS_MAX
    }
}

/// What a site answers, in the order of the steps.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize, JsonSchema)]
#[serde(rename_all = "kebab-case", deny_unknown_fields)]
pub enum Answer {
    /// It takes part.
    TakesPart(Participant),
    /// Its single-use keys.
    Keys(Advertised),
    /// Its shares, sealed.
    Shares(Shared),
    /// Its masked vector.
    Vector(Input),
    /// Its signature over the survivors.
    Survivors(Confirmed),
    /// One share of each site.
    Opened(Opened),
}

impl Answer {
    /// The number of the step that it answers, from 1.
    pub fn step(&self) -> u32 {
        match self {
            Self::TakesPart(_) => 1,
            Self::Keys(_) => 2,
            Self::Shares(_) => 3,
            Self::Vector(_) => 4,
            Self::Survivors(_) => 5,
            Self::Opened(_) => 6,
        }
    }
}

/// The roster of a sum: what it is for, who takes part.
///
/// # Errors
/// [`RosterFault`] names what is wrong with the participants.
pub fn roster(
    (protocol, digest): (&StudyProtocol, Digest),
    round: &RoundId,
    participants: &[Participant],
) -> Result<Roster, RosterFault> {
    let length = u64::try_from(Layout::of(protocol).length()).unwrap_or(u64::MAX);
    let context = Digest::of_list(&[
        SCHEMA.as_bytes(),
        protocol.slug.as_str().as_bytes(),
        digest.as_bytes(),
        round.as_str().as_bytes(),
        &length.to_be_bytes(),
    ]);
    let member = |one: &Participant| Member {
        site: one.site.clone(),
        key: one.key,
    };
    Roster::new(context, participants.iter().map(member).collect())
}

/// Reads a step that its maker has kept: without its signature, which is for others.
///
/// # Errors
/// [`CanonicalError`] when the bytes are no such document.
pub fn unverified(bytes: &[u8]) -> Result<MaskedStep, CanonicalError> {
    let signed: Signed<MaskedStep> = from_canonical(bytes)?;
    Ok(signed.body)
}

impl MaskedStep {
    /// Signs the step. Without a moment in it, the same state gives the same bytes.
    ///
    /// # Errors
    /// [`CanonicalError`] when the step has no canonical form, which is a defect.
    pub fn sign(
        self,
        key: &SigningKey,
        certificate: KeyCertificate,
    ) -> Result<Vec<u8>, CanonicalError> {
        Signed::sign(SCHEMA, self, key, certificate)?.to_bytes()
    }

    /// Reads a signed step.
    ///
    /// # Errors
    /// [`DocumentFault`] when signature, signer or form are wrong.
    pub fn open(
        bytes: &[u8],
        ca: &PublicKey,
        pinned: Option<&[PublicKey]>,
        now: Timestamp,
    ) -> Result<Self, DocumentFault> {
        Signed::<Self>::open(bytes, SCHEMA, KeyPurpose::StudySigning, ca, pinned, now)
            .map(|signed| signed.body)
    }
}
