//! A masked sum at the site: what this hospital adds is counted, reviewed and kept here; what
//! leaves is a vector that says nothing by itself. With whom it shares a mask is this site's own
//! word: the keys in its configuration, never the coordinator's list.
//!
//! Every answer follows from the kept secret and the steps as they came, so that a restarted node
//! says the same bytes again. Each step is answered once.
//!
//! From: `daemon` (steps that came).
//! To: `measure` (what is added), `store`.

use std::collections::BTreeSet;

use shared::disclosure::masked::Message;
use shared::disclosure::{Header, Policy, ReleasedBytes};
use shared::fault::Fault;
use shared::identity::{Digest, PublicKey, SigningKey, Succession, succeeds};
use shared::masking::site::{AwaitKeys, AwaitShares, AwaitSignatures, AwaitSurvivors};
use shared::masking::step::{self, MaskedStep, Participant, Relay};
use shared::masking::{Abort, Roster, Secret};
use shared::statistic::known_answer;
use shared::statistic::masked_sums::PlainVector;
use shared::study::job::Job;
use shared::study::lock::LockedProtocol;
use shared::study::masked::EXCHANGE;
use shared::study::{SiteRole, SiteSlug, StudyProtocol, Timestamp};

use crate::cohort::Means;
use crate::config::{MaskedSection, NodeConfig};
use crate::exchange::{Approval, Declined, approval, asked_wrongly, policy, withheld};
use crate::ledger::Masked;
use crate::link::SystemEntropy;
use crate::measure::{self, Question};
use crate::release;
use crate::store::{KeptPart, StepKey, Store, StoredStep};
use crate::waypoint;

/// Sums over hospitals that are neither the same nor so many apart say too much of those in one
/// and not in the other.
const APART: usize = 3;

/// This node, as other hospitals know it.
#[derive(Clone, Copy)]
pub struct Own<'a> {
    /// The key of its certificate.
    pub key: &'a SigningKey,
    /// Its earlier keys' words for each next one.
    pub successions: &'a [Succession],
}

/// Whether this site adds to sums of the study at all. Asked before the first step is fetched.
///
/// # Errors
/// What the coordinator is told.
pub fn allowed(
    config: &NodeConfig,
    protocol: &StudyProtocol,
    now: Timestamp,
) -> Result<MaskedSection, Declined> {
    policy(config, now)?;
    let section = config.study.get(&protocol.slug);
    section.and_then(|study| study.masked_sums).ok_or_else(|| {
        let slug = &protocol.slug;
        withheld(format!(
            "[study.{slug}.masked_sums] is not in the configuration: this site sends its own release \
             and adds to no sum"
        ))
    })
}

/// Whether a step belongs to its job and follows the steps before it. Nothing of this depends on
/// the site's data. With the roster comes the question with whom a mask is shared: only with
/// hospitals whose key this site's people have listed.
///
/// # Errors
/// What the coordinator is told.
pub fn check(
    config: &NodeConfig,
    own: Own<'_>,
    (job, protocol): (&Job, &StudyProtocol),
    (number, step): (u32, &MaskedStep),
) -> Result<(), Declined> {
    let same = step.study == job.study && step.protocol == job.protocol && step.round == job.round;
    if !same || step.relay.step() != number {
        return Err(asked_wrongly("the step belongs to another job or place"));
    }
    let Relay::Roster(participants) = &step.relay else {
        return Ok(());
    };
    let external = |slug: &SiteSlug| {
        let found = protocol.find_site(slug);
        found.is_some_and(|found| found.role == SiteRole::External)
    };
    if !participants
        .iter()
        .all(|one| external(&one.site) && one.is_bounded())
    {
        return Err(asked_wrongly("the roster is not one of external sites"));
    }
    step::roster((protocol, job.protocol), &job.round, participants)
        .map_err(|fault| asked_wrongly(fault.to_string()))?;
    let me = &config.site.slug;
    let mine = participants.iter().find(|one| one.site == *me);
    if mine.map(|one| one.key) != Some(own.key.public()) {
        return Err(asked_wrongly("the roster has another key for this site"));
    }
    let strange: Vec<String> = participants
        .iter()
        .filter(|one| one.site != *me && !is_confirmed(config, one))
        .map(|one| format!("{} {}", one.site, one.key))
        .collect();
    if strange.is_empty() {
        return Ok(());
    }
    Err(withheld(format!(
        "no mask is shared with a key that nobody here has confirmed: {}. Ask these hospitals for \
         the line that `fedval-node peer own` prints there, by telephone or on paper, never by way \
         of the coordinator, and write it under [peers]",
        strange.join(", ")
    )))
}

fn is_confirmed(config: &NodeConfig, one: &Participant) -> bool {
    let confirmed: Option<&PublicKey> = config.peers.get(&one.site);
    confirmed.is_some_and(|key| succeeds(*key, &one.successions, one.key))
}

/// Answers one step and stores the answer, or ends the exchange at this site. `before` are the
/// steps that came earlier, in order.
///
/// # Errors
/// `FV-INT-001`.
pub fn answer(
    store: &Store,
    config: &NodeConfig,
    own: Own<'_>,
    (job, locked): (&Job, &LockedProtocol),
    (key, stored, steps): (StepKey<'_>, &StoredStep, &[MaskedStep]),
    now: Timestamp,
) -> Result<(), Fault> {
    store.forget_masked_parts(now)?;
    let approval = approval(store, key.job.digest)?;
    let one = Sum {
        store,
        config,
        own,
        job,
        locked,
        digest: key.job.digest,
        now,
    };
    let attempt = approval
        .ok_or_else(|| withheld("the job's first release was not approved here"))
        .and_then(|approval| {
            let (bytes, masked) = one.attempt(&approval, stored, steps)?;
            Ok((bytes, masked, approval))
        });
    match attempt {
        Ok((bytes, masked, approval)) => {
            waypoint::pass("node.step.ready");
            let by = (approval.policy, approval.approver.as_str());
            store.answer_masked(key, &bytes, by, masked, now)?;
            waypoint::pass("node.step.stored");
            Ok(())
        }
        Err(declined) => store.end_exchange(key, Some(declined), now),
    }
}

/// Whether a sum over `survivors` may be opened after the sums `opened`.
fn apart(survivors: &[SiteSlug], opened: &[Vec<SiteSlug>]) -> Result<(), Declined> {
    let now: BTreeSet<&SiteSlug> = survivors.iter().collect();
    for earlier in opened {
        let before: BTreeSet<&SiteSlug> = earlier.iter().collect();
        let apart: Vec<&str> = now
            .symmetric_difference(&before)
            .map(|site| site.as_str())
            .collect();
        if !apart.is_empty() && apart.len() < APART {
            return Err(withheld(format!(
                "an earlier sum that this site was in differs from this one by {} alone: both \
                 together would show their numbers",
                apart.join(" and ")
            )));
        }
    }
    Ok(())
}

struct Sum<'a> {
    store: &'a Store,
    config: &'a NodeConfig,
    own: Own<'a>,
    job: &'a Job,
    locked: &'a LockedProtocol,
    digest: Digest,
    now: Timestamp,
}

/// Where the mask's states stand after the steps before.
enum Reached {
    Keys(AwaitKeys),
    Shares(AwaitShares),
    Survivors(AwaitSurvivors),
    Signatures(AwaitSignatures),
}

fn aborted(abort: Abort) -> Declined {
    asked_wrongly(abort.to_string())
}

fn out_of_place() -> Declined {
    asked_wrongly("the step does not follow from the one before")
}

impl Sum<'_> {
    fn attempt(
        &self,
        approval: &Approval,
        stored: &StoredStep,
        steps: &[MaskedStep],
    ) -> Result<(ReleasedBytes, Masked), Declined> {
        let read = |fault: Fault| withheld(fault.to_string());
        let section = allowed(self.config, &self.locked.protocol, self.now)?;
        let policy = policy(self.config, self.now)?;
        if policy.stamp().digest != approval.policy {
            return Err(withheld(
                "the policy is another one than the job was approved under",
            ));
        }
        let kept = match self.store.masked_part(self.digest).map_err(read)? {
            Some(kept) => kept,
            None if stored.step == 1 => self.count(&policy, section)?,
            None => return Err(withheld("what this site adds is no longer kept here")),
        };
        if kept.dataset != approval.dataset {
            return Err(withheld(
                "the table is another one than the job was approved on",
            ));
        }
        let (message, masked) = self.message(&kept, steps)?;
        let header = self.header(approval, stored, &policy)?;
        let released = message.release(&policy, header);
        let bytes = shared::wire::encode(&released)
            .map_err(|fault| withheld(format!("a message cannot be written: {fault}")))?;
        Ok((bytes, masked))
    }

    /// Counts what this site adds, reviews it, and keeps it with a fresh secret.
    fn count(&self, policy: &Policy, section: MaskedSection) -> Result<KeptPart, Declined> {
        let read = |fault: Fault| withheld(fault.to_string());
        let source = self.config.table(&self.job.study).map_err(read)?;
        let salt = release::salt(self.store).map_err(read)?;
        let past = self.store.past().map_err(read)?;
        let question = Question {
            protocol: &self.locked.protocol,
            digest: self.job.protocol,
            site: &self.config.site.slug,
            job: Some((self.job.round.clone(), self.digest)),
            kinds: &[],
            salt: &salt,
            past: &past,
            purse: None,
        };
        // Masked sums are about scores: they read no masks of images, and so keep none.
        let means = Means::new(self.config.imaging.allowance(), None, &|_| ());
        let counted = measure::masked(&question, &source, &means, policy);
        let counted = counted.map_err(|faults| {
            let words: Vec<String> = faults.iter().map(ToString::to_string).collect();
            withheld(words.join("\n"))
        })?;
        let (part, dataset) = counted.map_err(withheld)?;
        let mut secret = [0; 32];
        shared::identity::Entropy::fill(&mut SystemEntropy, &mut secret)
            .map_err(|fault| withheld(format!("no secret could be drawn: {fault}")))?;
        let kept = KeptPart {
            secret,
            vector: part.vector.to_bytes(),
            dataset,
        };
        let keep_until = self
            .now
            .plus_seconds(i64::from(section.keep_days).saturating_mul(86_400));
        self.store
            .keep_masked_part(self.digest, &kept, keep_until)
            .map_err(read)?;
        Ok(kept)
    }

    /// What is said to the last of `steps`.
    fn message(
        &self,
        kept: &KeptPart,
        steps: &[MaskedStep],
    ) -> Result<(Message, Masked), Declined> {
        let mut relays = steps.iter().map(|step| &step.relay);
        let Some(Relay::Begin {}) = relays.next() else {
            return Err(out_of_place());
        };
        let Some(roster) = relays.next() else {
            let participant = Participant {
                site: self.config.site.slug.clone(),
                key: self.own.key.public(),
                successions: self.own.successions.to_vec(),
            };
            return Ok((Message::takes_part(participant), Masked::default()));
        };
        let Relay::Roster(participants) = roster else {
            return Err(out_of_place());
        };
        let sites: Vec<SiteSlug> = participants.iter().map(|one| one.site.clone()).collect();
        let mut about = Masked {
            roster: sites,
            ..Masked::default()
        };
        let (roster, position) = self.roster(participants)?;
        let secret = Secret::from_bytes(kept.secret);
        let signing = self.own.key;
        let (mut message, state) =
            Message::keys(roster, position, secret, signing).map_err(aborted)?;
        let mut state = Some(Reached::Keys(state));
        for relay in relays {
            let last = state.take().ok_or_else(out_of_place)?;
            (message, state) = self.follow((last, relay), kept, position, &mut about)?;
        }
        Ok((message, about))
    }

    fn roster(&self, participants: &[Participant]) -> Result<(Roster, u32), Declined> {
        let protocol = (&self.locked.protocol, self.job.protocol);
        let roster = step::roster(protocol, &self.job.round, participants)
            .map_err(|fault| asked_wrongly(fault.to_string()))?;
        let position = roster.position(&self.config.site.slug);
        let position = position.ok_or_else(|| asked_wrongly("this site is not in the roster"))?;
        Ok((roster, position))
    }

    /// One phase further.
    fn follow(
        &self,
        (state, relay): (Reached, &Relay),
        kept: &KeptPart,
        position: u32,
        about: &mut Masked,
    ) -> Result<(Message, Option<Reached>), Declined> {
        about.plain = None;
        about.numbers = None;
        about.survivors = None;
        Ok(match (state, relay) {
            (Reached::Keys(state), Relay::Keys(keys)) => {
                let (said, next) = Message::shares(state, keys.clone()).map_err(aborted)?;
                (said, Some(Reached::Shares(next)))
            }
            (Reached::Shares(state), Relay::Shares(sealed)) => {
                let part = PlainVector::from_bytes(&kept.vector)
                    .ok_or_else(|| withheld("what this site adds is damaged on disk"))?;
                let own = sealed.get(&position).cloned().unwrap_or_default();
                about.plain = Some(self.salted(&kept.vector)?);
                about.numbers = u64::try_from(kept.vector.len() / 8).ok();
                let (said, next) = Message::vector(state, own, &part).map_err(aborted)?;
                (said, Some(Reached::Survivors(next)))
            }
            (Reached::Survivors(state), Relay::Survivors(positions)) => {
                let survivors = self.survivors(positions, &about.roster)?;
                about.survivors = Some(survivors);
                let (said, next) = Message::survivors(state, positions.clone()).map_err(aborted)?;
                (said, Some(Reached::Signatures(next)))
            }
            (Reached::Signatures(state), Relay::Signatures(signatures)) => {
                let said = Message::opened(state, signatures.clone()).map_err(aborted)?;
                (said, None)
            }
            (
                Reached::Keys(_)
                | Reached::Shares(_)
                | Reached::Survivors(_)
                | Reached::Signatures(_),
                _,
            ) => return Err(out_of_place()),
        })
    }

    fn salted(&self, vector: &[u8]) -> Result<Digest, Declined> {
        let salt = release::salt(self.store).map_err(|fault| withheld(fault.to_string()))?;
        Ok(Digest::of_list(&[
            b"fedval.masked-part/1",
            salt.as_slice(),
            self.digest.as_bytes(),
            vector,
        ]))
    }

    /// Who is in the sum, if it may be opened after every sum that was (decision P9): the
    /// same hospitals, or at least three more or fewer, since the difference of two sums is a sum
    /// over those in one and not in the other.
    fn survivors(
        &self,
        positions: &BTreeSet<u32>,
        roster: &[SiteSlug],
    ) -> Result<Vec<SiteSlug>, Declined> {
        let find = |position: &u32| {
            let place = usize::try_from(*position).ok()?;
            roster.get(place).cloned()
        };
        let survivors: Vec<SiteSlug> = positions.iter().filter_map(find).collect();
        let opened = self
            .store
            .opened_sums(self.digest)
            .map_err(|fault| withheld(fault.to_string()))?;
        apart(&survivors, &opened)?;
        Ok(survivors)
    }

    fn header(
        &self,
        approval: &Approval,
        stored: &StoredStep,
        policy: &Policy,
    ) -> Result<Header, Declined> {
        let exchange = EXCHANGE
            .parse()
            .map_err(|_| withheld("the exchange's name is not a name"))?;
        Ok(Header {
            schema: shared::disclosure::document::SCHEMA.to_owned(),
            study: self.locked.protocol.slug.clone(),
            study_version: self.locked.protocol.version.clone(),
            protocol: self.job.protocol,
            round: Some(self.job.round.clone()),
            job: Some(self.digest),
            exchange,
            step: stored.step,
            input: Some(stored.input),
            site: self.config.site.slug.clone(),
            dataset: approval.dataset,
            policy: policy.stamp(),
            clustered: false,
            software: measure::SOFTWARE.to_owned(),
            known_answer: known_answer::answer(),
        })
    }
}

#[cfg(test)]
mod tests;
