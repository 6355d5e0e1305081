//! What one side answers when it does not do what was asked: words, never text.
//!
//! From: `study::job`, the node's admission and release, the coordinator's intake.
//! To: `wire::message`, both stores, the report's list of sites.

use serde::{Deserialize, Serialize};

use crate::identity::DocumentFault;

/// Why something is not done: a closed list without text, since text can carry patient data.
/// Whatever depends on a hospital's data is one word, [`Refusal::NotReleased`]. It travels by
/// position, so that new ones are added at the end.
#[derive(Clone, Copy, Debug, Eq, PartialEq, Ord, PartialOrd, Serialize, Deserialize)]
pub enum Refusal {
    /// The site does not release; policy, small numbers and a person's no look the same.
    NotReleased,
    /// A signature is missing or wrong, or the bytes are not what was signed.
    BadSignature,
    /// The signer is not one this site has pinned.
    UnknownSigner,
    /// The document has expired or is not valid yet.
    Expired,
    /// The site does not take part in this study.
    StudyNotListed,
    /// The document is not of a known form or version.
    UnknownForm,
    /// The job asks for a statistic that this node does not know or the protocol does not plan.
    UnknownStatistic,
    /// The job is addressed to another site.
    WrongSite,
    /// The round is not collecting.
    RoundClosed,
    /// No common wire version.
    VersionUnsupported,
    /// The invitation is unknown, used or expired.
    InvitationInvalid,
    /// The certificate is unknown, superseded or revoked.
    CertificateInvalid,
    /// The same id arrived with other bytes; both are kept for a person.
    Conflict,
    /// The requester is not allowed this.
    NotAllowed,
    /// Try again later.
    Busy,
    /// The node's ledger is older than the last receipt; a person must re-baseline it.
    LedgerBehind,
    /// The node's ledger contradicts what it signed of it before; a person must look.
    LedgerAltered,
    /// The site has left the study and takes back what it released in this round.
    Withdrawn,
}

impl Refusal {
    /// Every refusal.
    pub const ALL: &'static [Self] = &[
        Self::NotReleased,
        Self::BadSignature,
        Self::UnknownSigner,
        Self::Expired,
        Self::StudyNotListed,
        Self::UnknownForm,
        Self::UnknownStatistic,
        Self::WrongSite,
        Self::RoundClosed,
        Self::VersionUnsupported,
        Self::InvitationInvalid,
        Self::CertificateInvalid,
        Self::Conflict,
        Self::NotAllowed,
        Self::Busy,
        Self::LedgerBehind,
        Self::LedgerAltered,
        Self::Withdrawn,
    ];

    /// The word used in storage and reports.
    pub fn as_str(self) -> &'static str {
        match self {
            Self::NotReleased => "not released",
            Self::BadSignature => "bad signature",
            Self::UnknownSigner => "unknown signer",
            Self::Expired => "expired",
            Self::StudyNotListed => "study not listed",
            Self::UnknownForm => "unknown form",
            Self::UnknownStatistic => "unknown statistic",
            Self::WrongSite => "wrong site",
            Self::RoundClosed => "round closed",
            Self::VersionUnsupported => "version unsupported",
            Self::InvitationInvalid => "invitation invalid",
            Self::CertificateInvalid => "certificate invalid",
            Self::Conflict => "conflict",
            Self::NotAllowed => "not allowed",
            Self::Busy => "busy",
            Self::LedgerBehind => "ledger behind",
            Self::LedgerAltered => "ledger altered",
            Self::Withdrawn => "withdrawn",
        }
    }

    /// The refusal called `text`.
    pub fn parse(text: &str) -> Option<Self> {
        Self::ALL
            .iter()
            .copied()
            .find(|refusal| refusal.as_str() == text)
    }
}

impl From<DocumentFault> for Refusal {
    fn from(fault: DocumentFault) -> Self {
        match fault {
            DocumentFault::Form | DocumentFault::Schema => Self::UnknownForm,
            DocumentFault::NotCanonical | DocumentFault::BadSignature => Self::BadSignature,
            DocumentFault::UnknownSigner | DocumentFault::WrongPurpose => Self::UnknownSigner,
            DocumentFault::NotYetValid | DocumentFault::Expired => Self::Expired,
        }
    }
}
