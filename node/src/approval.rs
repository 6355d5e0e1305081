//! Who must approve a release: nobody, because an earlier approval stands for it, one person, or
//! two different ones. The site's own file says so; what was approved before stands in the ledger.
//!
//! A standing approval is never a line of a file alone: where four eyes are asked for, the mode
//! `same-shape` or `automatic` comes into force with the first release that two people approve
//! while it is written there, for this study and this policy.
//!
//! From: `config`, the ledger's entries, the reviewed release.
//! To: `release` (decides), the preview (says it).

use std::collections::BTreeSet;

use serde::Serialize;
use shared::disclosure::policy::DUA_APPROVERS as FOUR_EYES;
use shared::disclosure::{Profile, ReceivedRelease};
use shared::fault::Fault;
use shared::identity::Digest;
use shared::study::job::Exchange;
use shared::study::{StudyProtocol, StudySlug};

use crate::config::{AccessSection, FourEyes, NodeConfig, ReleaseMode, ReleaseSection};
use crate::ledger::{AND, Entry, Event};
use crate::person::{self, Person};
use signature::Signed;

pub mod key;
pub mod shape;
pub mod signature;

/// The name of the approver when the site's configuration says `automatic`.
pub const AUTOMATIC: &str = "automatic, by this site's configuration";
/// The same for `same-shape`.
pub const SAME_SHAPE: &str = "same shape as before, by this site's configuration";

/// What a release must wait for.
#[derive(Clone, Debug, Eq, PartialEq, Serialize)]
pub struct Ask {
    /// How many different people must approve it; at least 1.
    pub people: usize,
    /// Why it is more than one.
    pub why: Option<Reason>,
    /// The release's shape ([`shape`]).
    pub shape: Digest,
    /// The mode that comes into force for this study with this approval.
    pub standing: Option<ReleaseMode>,
    /// Whether it may leave without a person, and why.
    pub alone: Option<Alone>,
}

/// Why more than one person must approve.
#[derive(Clone, Copy, Debug, Eq, PartialEq, Serialize)]
#[serde(rename_all = "kebab-case")]
pub enum Reason {
    /// The policy rests on a contract (`dua`).
    Contract,
    /// The site asks for two people every time.
    Always,
    /// No release of the study was approved by two people here; what one person approved of public
    /// data, or while the site asked for one, is no such.
    First,
    /// The mode comes into force with it.
    Standing,
}

/// A release that leaves without a person.
#[derive(Clone, Copy, Debug, Eq, PartialEq, Serialize)]
pub struct Alone {
    /// What the ledger names as approver.
    pub approver: &'static str,
    /// Ledger entry of the approval that stands for it; absent where the site's file alone does.
    pub follows: Option<u64>,
}

impl Ask {
    /// Asks the site's file and ledger about a release that was reviewed; `needs_person` says that
    /// a budget does not cover it.
    ///
    /// # Errors
    /// `FV-INT-002` when the shape cannot be computed.
    pub fn of(
        config: &NodeConfig,
        entries: &[Entry],
        protocol: &StudyProtocol,
        (release, declared): (&ReceivedRelease, &[Exchange]),
        needs_person: bool,
    ) -> Result<Self, Fault> {
        let shape = shape::shape(release, protocol, declared)?;
        let access = &config.access;
        let header = &release.header;
        let profile = Profile::parse(&header.policy.profile);
        let before = since_left(entries, header.study.as_str());
        let ReleaseSection { mode, four_eyes } = config.release;
        // Public data have nobody to protect, and a site may have one approver only.
        let relaxed = profile == Some(Profile::OpenData) || four_eyes == FourEyes::Never;
        let sets_up = |event: &Event| {
            matches!(event, Event::Approved { standing, policy, .. }
                if *standing == Some(mode) && *policy == header.policy.digest)
                && is_signed(event, access)
        };
        let ended = before.iter().rposition(|entry| ends(&entry.event));
        let mut in_force = before.iter().skip(ended.map_or(0, |at| at + 1));
        let set_up = in_force.find(|entry| sets_up(&entry.event));
        let why = if profile == Some(Profile::Dua) {
            Some(Reason::Contract)
        } else if four_eyes == FourEyes::Always {
            Some(Reason::Always)
        } else if relaxed {
            None
        } else if !before.iter().any(|entry| by_two(&entry.event, access)) {
            Some(Reason::First)
        } else if mode != ReleaseMode::Manual && set_up.is_none() {
            Some(Reason::Standing)
        } else {
            None
        };
        let eyes = why.map_or(1, |_| FOUR_EYES);
        let fits = |event: &Event| {
            matches!(event, Event::Approved { shape: Some(then), .. } if *then == shape)
                && is_signed(event, access)
        };
        let known = before.iter().rev().find(|entry| fits(&entry.event));
        let alone = match mode {
            ReleaseMode::Manual => None,
            ReleaseMode::SameShape | ReleaseMode::Automatic if needs_person || eyes > 1 => None,
            ReleaseMode::SameShape => known.map(|entry| Alone {
                approver: SAME_SHAPE,
                follows: Some(entry.seq),
            }),
            ReleaseMode::Automatic => Some(Alone {
                approver: AUTOMATIC,
                follows: set_up.map(|entry| entry.seq),
            }),
        };
        let standing = (mode != ReleaseMode::Manual && profile != Some(Profile::Dua) && eyes > 1)
            .then_some(mode);
        Ok(Self {
            people: eyes,
            why,
            shape,
            standing,
            alone,
        })
    }

    /// For staff: how many people, why, and what their approval means beyond this release.
    pub fn words(&self, study: &str, so_far: &[String]) -> Vec<String> {
        let mut said = Vec::new();
        said.push(match self.why {
            None => "One person approves it.".to_owned(),
            Some(Reason::Contract) => {
                "Two different people must approve it: the policy rests on a contract.".to_owned()
            }
            Some(Reason::Always) => {
                "Two different people must approve it: this site asks for four eyes every time."
                    .to_owned()
            }
            Some(Reason::First) => format!(
                "Two different people must approve it: no two people have approved a release of \
                 {study} here yet."
            ),
            Some(Reason::Standing) => {
                "Two different people must approve it: a mode comes into force with it.".to_owned()
            }
        });
        match self.standing {
            None | Some(ReleaseMode::Manual) => {}
            Some(ReleaseMode::SameShape) => said.push(format!(
                "node.toml says same-shape: from then on a release of {study} that asks and shows the \
                 same as one that a person approved leaves without a person, under this policy."
            )),
            Some(ReleaseMode::Automatic) => said.push(format!(
                "node.toml says automatic: from then on whatever this policy allows of {study} leaves \
                 without a person."
            )),
        }
        if !so_far.is_empty() {
            said.push(format!("Approved so far by {}.", so_far.join(" and ")));
        }
        said
    }
}

/// One person's approval, of several that are asked for.
#[derive(Clone, Debug)]
pub struct Endorsement {
    /// Who.
    pub approver: String,
    /// Their signature, where the site asks for one.
    pub signature: Option<Signed>,
}

impl Endorsement {
    /// Whether it counts now: the person may still decide, and the key is still theirs.
    pub fn counts(&self, access: &AccessSection) -> bool {
        let listed = access.keys.get(&self.approver);
        let signed = self.signature.as_ref().map(|signed| &signed.key);
        (access.keys.is_empty() || (listed.is_some() && listed == signed))
            && Person::named(&self.approver).may_decide(access).is_ok()
    }
}

/// Who has approved these bytes of a job so far, with what else comes into force, in order. An
/// approval is of bytes: it stays when they are computed again and are the same to the last one,
/// policy and groups of patients included.
pub fn so_far(
    entries: &[Entry],
    job: Digest,
    seen: Digest,
    mode: Option<ReleaseMode>,
) -> Vec<Endorsement> {
    let own = entries.iter().filter(|entry| entry.job == Some(job));
    let all = own.filter_map(|entry| {
        let Event::Endorsed {
            digest,
            approver,
            standing,
            signature,
            ..
        } = &entry.event
        else {
            return None;
        };
        (*digest == seen && *standing == mode).then(|| Endorsement {
            approver: approver.clone(),
            signature: signature.clone(),
        })
    });
    all.collect()
}

/// Whether these approvals are enough where `people` different people must approve: those that
/// count, and of two lists one of each.
pub fn suffice(access: &AccessSection, people: usize, approvals: &[Endorsement]) -> bool {
    let names: BTreeSet<&str> = approvals
        .iter()
        .filter(|one| one.counts(access))
        .map(|one| one.approver.as_str())
        .collect();
    names.len() >= people && person::of_each_list(access, &names)
}

fn ends(event: &Event) -> bool {
    matches!(event, Event::ModeEnded { .. })
}

/// The studies for which a mode is in force that the site's file does not name, with the mode.
pub fn ended_modes(entries: &[Entry], now: ReleaseMode) -> Vec<(StudySlug, ReleaseMode)> {
    let studies: BTreeSet<&StudySlug> = entries
        .iter()
        .filter_map(|entry| entry.study.as_ref())
        .collect();
    let in_force = |study: &&StudySlug| {
        let own = since_left(entries, study.as_str());
        let newest = own.iter().rev().find_map(|entry| {
            if ends(&entry.event) {
                return Some(None);
            }
            let Event::Approved {
                standing: Some(mode),
                ..
            } = &entry.event
            else {
                return None;
            };
            Some(Some(*mode))
        });
        newest.flatten().filter(|mode| *mode != now)
    };
    let ended = studies
        .iter()
        .filter_map(|study| Some(((*study).clone(), in_force(study)?)));
    ended.collect()
}

/// A study's entries; after it was left it begins anew.
fn since_left<'a>(entries: &'a [Entry], study: &str) -> Vec<&'a Entry> {
    let of = |entry: &&Entry| {
        let own = entry.study.as_ref();
        own.is_some_and(|one| one.as_str() == study)
    };
    let own: Vec<&Entry> = entries.iter().filter(of).collect();
    let left = |entry: &&Entry| matches!(entry.event, Event::Left { .. });
    let begin = own.iter().rposition(left).map_or(0, |place| place + 1);
    own.into_iter().skip(begin).collect()
}

/// Whether an approval carries what the site asks for: where keys are listed, the signature of each
/// approver with the key that is listed as theirs now. That each signature is over what the entry
/// says is checked whenever the ledger is read.
pub fn is_signed(event: &Event, access: &AccessSection) -> bool {
    let Event::Approved {
        approver,
        signatures,
        ..
    } = event
    else {
        return false;
    };
    let own = |name: &str| {
        let listed = access.keys.get(name);
        let signed = signatures.iter().find(|signed| signed.approver == name);
        listed.is_some() && listed == signed.map(|signed| &signed.key)
    };
    access.keys.is_empty() || approver.split(AND).all(own)
}

/// Whether two people approved it, as the site asks for it.
fn by_two(event: &Event, access: &AccessSection) -> bool {
    let two = matches!(event, Event::Approved { approver, .. } if approver.contains(AND));
    two && is_signed(event, access)
}

/// Why approved bytes may not leave now, if they may not: what the ledger holds of their approval is
/// less than the site's file asks for. Whoever can write the database can write an approval into it,
/// and cannot sign for an approver.
pub fn objection(
    entries: &[Entry],
    job: Digest,
    access: &AccessSection,
    mode: ReleaseMode,
) -> Option<&'static str> {
    if access.keys.is_empty() {
        return None;
    }
    let of_job = |entry: &&Entry| entry.job == Some(job);
    let approved = entries.iter().filter(of_job).rev().find_map(|entry| {
        let Event::Approved {
            approver, follows, ..
        } = &entry.event
        else {
            return None;
        };
        Some((&entry.event, approver.as_str(), *follows))
    });
    let Some((event, approver, follows)) = approved else {
        return Some("the ledger has no approval of it");
    };
    let alone = match approver {
        AUTOMATIC => mode == ReleaseMode::Automatic,
        SAME_SHAPE => mode == ReleaseMode::SameShape && follows.is_some(),
        _ => {
            let missing = "its approval is not signed with the keys that [access.keys] lists now";
            return (!is_signed(event, access)).then_some(missing);
        }
    };
    if !alone {
        return Some("it left without a person, and the site's file does not say so");
    }
    let stands = follows.is_none_or(|seq| {
        let mut entry = entries.iter().filter(|entry| entry.seq == seq);
        entry
            .next()
            .is_some_and(|entry| is_signed(&entry.event, access))
    });
    (!stands).then_some("the approval that stands for it is not signed with the keys listed now")
}

#[cfg(test)]
mod tests;
