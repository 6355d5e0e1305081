//! The ledger: an append-only, hash-chained record of what was asked, refused and released.
//! An entry's hash covers its canonical bytes, which contain the hash of the entry before. An
//! approval may carry the signatures of its approvers, which are checked with the chain.
//!
//! From: `store` (rows), the daemon and `measure` (entries).
//! To: `fedval-node ledger`, the heads that node and coordinator compare.

pub(crate) mod export;

use serde::{Deserialize, Serialize};
use shared::disclosure::ReleasedBytes;
use shared::disclosure::noise::{Amount, Mechanism, Scale};
use shared::identity::{CanonicalError, Digest, Nonce, TreeHead, check_canonical, to_canonical};
use shared::study::{ExchangeId, RoundId, SiteSlug, StudySlug, Timestamp};
use shared::wire::{LedgerHead, Refusal};

use crate::approval::signature::{Signed, Statement};
use crate::config::ReleaseMode;

/// Name and version of an entry.
pub const SCHEMA: &str = "fedval.ledger-entry/1";
/// Between the names of several approvers.
pub(crate) const AND: &str = " and ";

/// One entry.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Entry {
    /// `fedval.ledger-entry/1`.
    pub schema: String,
    /// Number, from 1.
    pub seq: u64,
    /// Hash of the entry before; of nothing for the first.
    pub previous: Digest,
    /// A random part, without which the hash of an entry would tell whoever guesses its content that
    /// the guess is right; absent in entries of versions that had none.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub nonce: Option<Nonce>,
    /// When.
    pub at: Timestamp,
    /// The study; absent when a job was refused whose word on it is not believed.
    pub study: Option<StudySlug>,
    /// Digest of the protocol; absent likewise.
    pub protocol: Option<Digest>,
    /// The round; absent for a measurement without a coordinator.
    pub round: Option<RoundId>,
    /// The job; absent for a measurement without a coordinator.
    pub job: Option<Digest>,
    /// What happened.
    pub event: Event,
}

/// What an entry records.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
#[serde(tag = "event", rename_all = "kebab-case", deny_unknown_fields)]
pub enum Event {
    /// These bytes may leave.
    Approved {
        /// Content-derived id of the release.
        release: Digest,
        /// Digest of its bytes.
        digest: Digest,
        /// How many bytes.
        size: u64,
        /// Digest of the policy file.
        policy: Digest,
        /// Who approved: a user of this machine, or `automatic` by the site's configuration.
        approver: String,
        /// A remark of the approver's; stays here.
        note: Option<String>,
        /// Digest of the groups of patients that they speak about; absent in entries of versions
        /// that did not keep them.
        #[serde(default, skip_serializing_if = "Option::is_none")]
        groups: Option<Digest>,
        /// The release's shape, where a person looked at it.
        #[serde(default, skip_serializing_if = "Option::is_none")]
        shape: Option<Digest>,
        /// The mode that came into force for the study with this approval.
        #[serde(default, skip_serializing_if = "Option::is_none")]
        standing: Option<ReleaseMode>,
        /// The entry of the approval that stands for this one, where nobody looked.
        #[serde(default, skip_serializing_if = "Option::is_none")]
        follows: Option<u64>,
        /// The approvers' own signatures, where the site asks for them.
        #[serde(default, skip_serializing_if = "Vec::is_empty")]
        signatures: Vec<Signed>,
    },
    /// The coordinator has confirmed the bytes.
    Delivered {
        /// Content-derived id of the release.
        release: Digest,
        /// Digest of the coordinator's signed receipt.
        receipt: Digest,
    },
    /// Nothing leaves for this job.
    Declined {
        /// What the coordinator is told.
        refusal: String,
        /// Who decided: a user, `policy`, or `admission`.
        by: String,
        /// The reason; stays here.
        reason: Option<String>,
    },
    /// One of several people approved these bytes; they leave once the policy's number has.
    Endorsed {
        /// Digest of the bytes.
        digest: Digest,
        /// Who.
        approver: String,
        /// A remark; stays here.
        note: Option<String>,
        /// The mode that comes into force with the approval.
        #[serde(default, skip_serializing_if = "Option::is_none")]
        standing: Option<ReleaseMode>,
        /// Their own signature, where the site asks for one.
        #[serde(default, skip_serializing_if = "Option::is_none")]
        signature: Option<Signed>,
    },
    /// The answer to one step may leave.
    Step {
        /// The exchange.
        exchange: ExchangeId,
        /// The step.
        step: u32,
        /// Digest of the coordinator's document that it answers.
        input: Digest,
        /// Content-derived id of the release.
        release: Digest,
        /// Digest of its bytes.
        digest: Digest,
        /// How many bytes.
        size: u64,
        /// Digest of the policy file.
        policy: Digest,
        /// Who approved the job with its declared steps.
        approver: String,
        /// Of a step of a masked sum, what it was about.
        #[serde(default, skip_serializing_if = "Option::is_none")]
        masked: Option<Masked>,
    },
    /// No further step of an exchange is answered.
    StepDeclined {
        /// The exchange.
        exchange: ExchangeId,
        /// The step that is not answered.
        step: u32,
        /// What the coordinator is told.
        refusal: String,
        /// Who decided.
        by: String,
        /// The reason; stays here.
        reason: Option<String>,
    },
    /// Nothing is computed or sent until somebody resumes.
    Paused {
        /// Who.
        by: String,
        /// Why; stays here.
        reason: String,
    },
    /// Jobs are computed and releases sent again.
    Resumed {
        /// Who.
        by: String,
    },
    /// Nothing more of the study is computed, approved or sent.
    Left {
        /// Who.
        by: String,
        /// Why; stays here.
        reason: String,
    },
    /// The study is on the site's list again.
    Returned {},
    /// A question under differential privacy was paid for; no noise had been drawn yet.
    Spent {
        /// Digest of the canonical question.
        question: Digest,
        /// The distribution of the noise.
        mechanism: Mechanism,
        /// What it spent on every patient of the table.
        epsilon: Amount,
        /// The delta, of the discrete Gaussian.
        #[serde(default, skip_serializing_if = "Option::is_none")]
        delta: Option<Amount>,
        /// The scale of the noise.
        scale: Scale,
        /// Digest of the patients' tags.
        patients: Digest,
    },
    /// Noise was drawn for a question; it gets this answer for ever.
    Drawn {
        /// Digest of the canonical question.
        question: Digest,
        /// Digest of the counts with noise.
        digest: Digest,
    },
    /// The site's file no longer names the mode that was in force for the study: named again, it asks
    /// people again.
    ModeEnded {
        /// The mode.
        mode: ReleaseMode,
    },
    /// The coordinator's record is taken as it is now: what it signed of it before is kept, and no
    /// longer demanded.
    Rebaselined {
        /// Who.
        by: String,
        /// Why; stays here.
        reason: String,
        /// The audit trail as the coordinator last proved it.
        given_up: TreeHead,
    },
    /// A release file was written without a coordinator.
    Measured {
        /// Content-derived id of the release.
        release: Digest,
        /// Digest of its bytes.
        digest: Digest,
        /// Digest of the policy file.
        policy: Digest,
        /// Digest of the groups of patients that it speaks about; absent as above.
        #[serde(default, skip_serializing_if = "Option::is_none")]
        groups: Option<Digest>,
    },
}

/// What one step of a masked sum was about. The masked bytes are what left; the plain numbers
/// stay here and are named by their digest.
#[derive(Clone, Debug, Default, PartialEq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Masked {
    /// Hospitals of the roster, whose keys were confirmed here; from the second step on.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub roster: Vec<SiteSlug>,
    /// With the masked vector: digest of the plain numbers, salted with this site's secret.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub plain: Option<Digest>,
    /// How many numbers.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub numbers: Option<u64>,
    /// The hospitals whose sum may be opened: this site signed that these and no others are in it.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub survivors: Option<Vec<SiteSlug>>,
}

/// How bytes came to be approved.
#[derive(Clone, Debug)]
pub struct Approval {
    /// Digest of the policy file.
    pub policy: Digest,
    /// Who approved.
    pub approver: String,
    /// A remark; stays here.
    pub note: Option<String>,
    /// The release's shape, where a person looked at it.
    pub shape: Option<Digest>,
    /// The mode that comes into force for the study.
    pub standing: Option<ReleaseMode>,
    /// The entry of the approval that stands for this one.
    pub follows: Option<u64>,
    /// The approvers' own signatures.
    pub signatures: Vec<Signed>,
}

impl Event {
    /// One word for lists.
    pub fn word(&self) -> &'static str {
        match self {
            Self::Approved { .. } => "approved",
            Self::Delivered { .. } => "delivered",
            Self::Declined { .. } => "declined",
            Self::Endorsed { .. } => "endorsed",
            Self::Step { .. } => "step",
            Self::StepDeclined { .. } => "step-declined",
            Self::Paused { .. } => "paused",
            Self::Resumed { .. } => "resumed",
            Self::Left { .. } => "left",
            Self::Returned {} => "returned",
            Self::ModeEnded { .. } => "mode-ended",
            Self::Rebaselined { .. } => "rebaselined",
            Self::Measured { .. } => "measured",
            Self::Spent { .. } => "spent",
            Self::Drawn { .. } => "drawn",
        }
    }

    /// Who decided: a person, or the rule's name.
    fn by(&self) -> Option<&str> {
        match self {
            Self::Approved { approver, .. }
            | Self::Step { approver, .. }
            | Self::Endorsed { approver, .. } => Some(approver),
            Self::Declined { by, .. }
            | Self::StepDeclined { by, .. }
            | Self::Paused { by, .. }
            | Self::Left { by, .. }
            | Self::Rebaselined { by, .. }
            | Self::Resumed { by } => Some(by),
            Self::Delivered { .. }
            | Self::Measured { .. }
            | Self::Returned {}
            | Self::Spent { .. }
            | Self::Drawn { .. }
            | Self::ModeEnded { .. } => None,
        }
    }

    /// What the coordinator is told of a refusal.
    fn outside(&self) -> Option<&str> {
        match self {
            Self::Declined { refusal, .. } | Self::StepDeclined { refusal, .. } => Some(refusal),
            Self::Approved { .. }
            | Self::Step { .. }
            | Self::Endorsed { .. }
            | Self::Delivered { .. }
            | Self::Paused { .. }
            | Self::Resumed { .. }
            | Self::Left { .. }
            | Self::Returned {}
            | Self::Spent { .. }
            | Self::Drawn { .. }
            | Self::ModeEnded { .. }
            | Self::Rebaselined { .. }
            | Self::Measured { .. } => None,
        }
    }

    /// How many bytes.
    fn size(&self) -> Option<u64> {
        match self {
            Self::Approved { size, .. } | Self::Step { size, .. } => Some(*size),
            Self::Declined { .. }
            | Self::StepDeclined { .. }
            | Self::Endorsed { .. }
            | Self::Delivered { .. }
            | Self::Paused { .. }
            | Self::Resumed { .. }
            | Self::Left { .. }
            | Self::Returned {}
            | Self::Spent { .. }
            | Self::Drawn { .. }
            | Self::ModeEnded { .. }
            | Self::Rebaselined { .. }
            | Self::Measured { .. } => None,
        }
    }

    /// Digest of the bytes.
    fn digest(&self) -> Option<Digest> {
        match self {
            Self::Approved { digest, .. }
            | Self::Step { digest, .. }
            | Self::Endorsed { digest, .. }
            | Self::Measured { digest, .. } => Some(*digest),
            Self::Declined { .. }
            | Self::StepDeclined { .. }
            | Self::Paused { .. }
            | Self::Resumed { .. }
            | Self::Left { .. }
            | Self::Returned {}
            | Self::Spent { .. }
            | Self::Drawn { .. }
            | Self::ModeEnded { .. }
            | Self::Rebaselined { .. }
            | Self::Delivered { .. } => None,
        }
    }

    /// Digest of the policy file.
    fn policy(&self) -> Option<Digest> {
        match self {
            Self::Approved { policy, .. }
            | Self::Step { policy, .. }
            | Self::Measured { policy, .. } => Some(*policy),
            Self::Declined { .. }
            | Self::StepDeclined { .. }
            | Self::Endorsed { .. }
            | Self::Paused { .. }
            | Self::Resumed { .. }
            | Self::Left { .. }
            | Self::Returned {}
            | Self::Spent { .. }
            | Self::Drawn { .. }
            | Self::ModeEnded { .. }
            | Self::Rebaselined { .. }
            | Self::Delivered { .. } => None,
        }
    }

    /// What somebody wrote about it; it stays here.
    fn remark(&self) -> Option<&str> {
        match self {
            Self::Approved { note, .. } | Self::Endorsed { note, .. } => note.as_deref(),
            Self::Declined { reason, .. } | Self::StepDeclined { reason, .. } => reason.as_deref(),
            Self::Paused { reason, .. }
            | Self::Left { reason, .. }
            | Self::Rebaselined { reason, .. } => Some(reason),
            Self::Step { .. }
            | Self::Delivered { .. }
            | Self::Resumed { .. }
            | Self::Returned {}
            | Self::Spent { .. }
            | Self::Drawn { .. }
            | Self::ModeEnded { .. }
            | Self::Measured { .. } => None,
        }
    }

    /// The release's shape, where a person looked at it.
    fn shape(&self) -> Option<Digest> {
        let Self::Approved { shape, .. } = self else {
            return None;
        };
        *shape
    }

    /// The mode that came into force.
    fn standing(&self) -> Option<ReleaseMode> {
        let (Self::Approved { standing, .. } | Self::Endorsed { standing, .. }) = self else {
            return None;
        };
        *standing
    }

    /// The entry of the approval that stands for this one.
    fn follows(&self) -> Option<u64> {
        let Self::Approved { follows, .. } = self else {
            return None;
        };
        *follows
    }

    /// What was spent of the privacy budget.
    fn epsilon(&self) -> Option<Amount> {
        let Self::Spent { epsilon, .. } = self else {
            return None;
        };
        Some(*epsilon)
    }

    /// The signatures of an approval.
    pub fn signatures(&self) -> &[Signed] {
        match self {
            Self::Approved { signatures, .. } => signatures,
            Self::Endorsed { signature, .. } => signature.as_slice(),
            Self::Delivered { .. }
            | Self::Declined { .. }
            | Self::Step { .. }
            | Self::StepDeclined { .. }
            | Self::Paused { .. }
            | Self::Resumed { .. }
            | Self::Left { .. }
            | Self::Returned {}
            | Self::Spent { .. }
            | Self::Drawn { .. }
            | Self::ModeEnded { .. }
            | Self::Rebaselined { .. }
            | Self::Measured { .. } => &[],
        }
    }

    /// The approval of `bytes`.
    pub fn approved(bytes: &ReleasedBytes, approval: Approval, groups: Option<Digest>) -> Self {
        Self::Approved {
            release: bytes.id(),
            digest: bytes.digest(),
            size: bytes.bytes().len() as u64,
            policy: approval.policy,
            approver: approval.approver,
            note: approval.note,
            groups,
            shape: approval.shape,
            standing: approval.standing,
            follows: approval.follows,
            signatures: approval.signatures,
        }
    }

    /// A refusal.
    pub fn declined(refusal: Refusal, by: &str, reason: Option<String>) -> Self {
        Self::Declined {
            refusal: refusal.as_str().to_owned(),
            by: by.to_owned(),
            reason,
        }
    }
}

/// The head of an empty ledger.
pub fn empty() -> LedgerHead {
    LedgerHead {
        entries: 0,
        hash: Digest::of(b""),
    }
}

/// The bytes and the hash of an entry.
///
/// # Errors
/// [`CanonicalError`] when the entry cannot be written.
pub fn seal(entry: &Entry) -> Result<(Digest, Vec<u8>), CanonicalError> {
    let bytes = to_canonical(entry)?;
    Ok((Digest::of(&bytes), bytes))
}

/// Reads a chain of stored entries and says which is the first that does not fit.
///
/// # Errors
/// The number of the first bad entry.
pub fn verify(rows: &[(u64, Digest, Vec<u8>)]) -> Result<Vec<Entry>, u64> {
    let mut previous = empty().hash;
    let mut entries = Vec::with_capacity(rows.len());
    for (expected, (seq, hash, body)) in (1_u64..).zip(rows) {
        let entry: Entry = serde_json::from_slice(body).map_err(|_| expected)?;
        let sound = *seq == expected
            && entry.seq == expected
            && entry.previous == previous
            && Digest::of(body) == *hash
            && check_canonical(body).is_ok()
            && signatures_hold(&entry);
        if !sound {
            return Err(expected);
        }
        previous = *hash;
        entries.push(entry);
    }
    Ok(entries)
}

/// Whether each signature of an entry is over what the entry says, and of somebody whom it names as
/// approver. Whose keys they are is the site's file to say.
fn signatures_hold(entry: &Entry) -> bool {
    let (Event::Approved {
        digest,
        standing,
        approver,
        ..
    }
    | Event::Endorsed {
        digest,
        standing,
        approver,
        ..
    }) = &entry.event
    else {
        return true;
    };
    entry.event.signatures().iter().all(|signed| {
        let named = approver.split(AND).any(|one| one == signed.approver);
        let job = entry.job.as_ref().filter(|_| named);
        job.is_some_and(|job| {
            Statement::new(&signed.approver, *job, *digest, *standing).holds(signed)
        })
    })
}

#[cfg(test)]
mod tests {
    use shared::identity::SigningKey;

    use super::*;

    fn chain(length: u64) -> Vec<(u64, Digest, Vec<u8>)> {
        let mut previous = empty().hash;
        let mut rows = Vec::new();
        for seq in 1..=length {
            let entry = Entry {
                schema: SCHEMA.to_owned(),
                seq,
                previous,
                nonce: None,
                at: Timestamp::from_unix(1_800_000_000).unwrap(),
                study: Some("heart".parse().unwrap()),
                protocol: Some(Digest::of(b"p")),
                round: None,
                job: None,
                event: Event::declined(Refusal::NotReleased, "policy", None),
            };
            let (hash, bytes) = seal(&entry).unwrap();
            previous = hash;
            rows.push((seq, hash, bytes));
        }
        rows
    }

    #[test]
    fn every_altered_byte_is_found_and_named() {
        let rows = chain(4);
        assert_eq!(verify(&rows).map(|entries| entries.len()), Ok(4));
        for index in 0..rows[2].2.len() {
            let mut altered = rows.clone();
            altered[2].2[index] ^= 1;
            assert_eq!(verify(&altered).map(|_| ()), Err(3), "byte {index}");
        }
        let mut dropped = rows.clone();
        dropped.remove(1);
        assert_eq!(verify(&dropped).map(|_| ()), Err(2));
        let mut swapped = rows;
        swapped.swap(0, 1);
        assert_eq!(verify(&swapped).map(|_| ()), Err(1));
    }

    #[test]
    fn whoever_writes_the_chain_anew_cannot_sign_for_an_approver() {
        let key = SigningKey::from_seed(&[5; 32]);
        let (job, bytes) = (Digest::of(b"job"), Digest::of(b"bytes"));
        let signed = Statement::new("anna", job, bytes, None).sign(&key).unwrap();
        let event =
            |digest: Digest, signed: &Signed, standing: Option<ReleaseMode>| Event::Approved {
                release: Digest::of(b"release"),
                digest,
                size: 5,
                policy: Digest::of(b"policy"),
                approver: "anna and dora".to_owned(),
                note: None,
                groups: None,
                shape: None,
                standing,
                follows: None,
                signatures: vec![signed.clone()],
            };
        let endorsed = |approver: &str| Event::Endorsed {
            digest: bytes,
            approver: approver.to_owned(),
            note: None,
            standing: None,
            signature: Some(signed.clone()),
        };
        let sealed = |event: Event| {
            let mut rows = chain(2);
            let mut entry: Entry = serde_json::from_slice(&rows[1].2).unwrap();
            entry.job = Some(job);
            entry.event = event;
            let (hash, body) = seal(&entry).unwrap();
            rows[1] = (2, hash, body);
            verify(&rows).map(|entries| entries.len())
        };
        assert_eq!(sealed(event(bytes, &signed, None)), Ok(2));
        let ben = Signed {
            approver: "ben".to_owned(),
            ..signed.clone()
        };
        assert_eq!(
            sealed(event(Digest::of(b"other bytes"), &signed, None)),
            Err(2)
        );
        assert_eq!(sealed(event(bytes, &ben, None)), Err(2));
        // A true signature of somebody else's stands for nobody who is named.
        let ben = Statement::new("ben", job, bytes, None).sign(&key).unwrap();
        assert_eq!(sealed(event(bytes, &ben, None)), Err(2));
        assert_eq!(sealed(endorsed("anna")), Ok(2));
        assert_eq!(sealed(endorsed("ben")), Err(2));
        let mode = Some(ReleaseMode::Automatic);
        assert_eq!(sealed(event(bytes, &signed, mode)), Err(2));
    }
}
