//! An exchange of several steps at the site: a step is checked, answered on the site's own rows
//! where the protocol's start and the opened sums lead, reviewed under the site's policy, and
//! released without a new question: whoever approved the job has approved its declared steps.
//!
//! A requester may not choose where a site evaluates its rows (decision P4): the place is
//! recomputed here, sums once sent stay what they were, and each must hold at least what this
//! site sent. What a site cannot check is that the other sites' parts are genuine; that is why
//! steps run in the clear only on public data or under a contract.
//!
//! From: `daemon` (steps that came).
//! To: `measure`, `store`.

use std::collections::BTreeSet;

use shared::disclosure::{Policy, Profile, ReceivedRelease};
use shared::fault::Fault;
use shared::identity::Digest;
use shared::statistic::calibration_block::StepFault;
use shared::study::job::Job;
use shared::study::lock::LockedProtocol;
use shared::study::step::Step;
use shared::study::{SiteRole, SiteSlug, StudyProtocol, Timestamp};
use shared::wire::Refusal;

use crate::cohort::Means;
use crate::config::NodeConfig;
use crate::ledger::Event;
use crate::measure::{self, Question, Stepped};
use crate::release;
use crate::spoken::Past;
use crate::store::{StepKey, Store, StoredStep};
use crate::waypoint;

/// Why an exchange does not go on at this site: what the coordinator is told, who decided, and
/// the reason, which stays here.
pub type Declined = (Refusal, &'static str, String);

pub(crate) fn asked_wrongly(why: impl Into<String>) -> Declined {
    (Refusal::NotAllowed, "admission", why.into())
}

pub(crate) fn withheld(why: impl Into<String>) -> Declined {
    (Refusal::NotReleased, "policy", why.into())
}

/// Whether this site's policy lets blocks leave at all. Asked before the first step is fetched,
/// so that no other site sends a block in vain.
///
/// # Errors
/// What the coordinator is told.
pub fn allowed(config: &NodeConfig, now: Timestamp) -> Result<(), Declined> {
    let policy = policy(config, now)?;
    if policy.allows_blocks() {
        return Ok(());
    }
    let profile = policy.profile().as_str();
    Err(withheld(format!(
        "profile {profile} releases exact sums only once they are masked"
    )))
}

pub(crate) fn policy(config: &NodeConfig, now: Timestamp) -> Result<Policy, Declined> {
    let read = |fault: Fault| withheld(fault.to_string());
    let policy = measure::policy(config.disclosure.policy.as_deref()).map_err(read)?;
    measure::in_force(&policy, now).map_err(read)?;
    Ok(policy)
}

/// Whether a step belongs to its job, and follows from the steps that came before. Nothing of
/// this depends on the site's data.
///
/// # Errors
/// What the coordinator is told.
pub fn check(
    job: &Job,
    protocol: &StudyProtocol,
    site: &SiteSlug,
    (number, step): (u32, &Step),
    before: &[Step],
) -> Result<(), Declined> {
    let Some(declared) = job.stepped(&step.exchange) else {
        return Err(asked_wrongly("the job declares no such exchange"));
    };
    let same = step.study == job.study && step.protocol == job.protocol && step.round == job.round;
    if !same || step.step != number {
        return Err(asked_wrongly("the step belongs to another job or place"));
    }
    if number == 0 || number > declared.max_steps {
        let most = declared.max_steps;
        return Err(asked_wrongly(format!("step {number} of at most {most}")));
    }
    let external = |slug: &SiteSlug| {
        let found = protocol.find_site(slug);
        found.is_some_and(|found| found.role == SiteRole::External)
    };
    let distinct: BTreeSet<&SiteSlug> = step.roster.iter().collect();
    let roster = distinct.len() == step.roster.len()
        && step.roster.contains(site)
        && step.roster.iter().all(external);
    if !roster {
        return Err(asked_wrongly(
            "the roster is not one of external sites, each once",
        ));
    }
    for earlier in before {
        let told = step.opened.get(..earlier.opened.len());
        if earlier.roster != step.roster || told != Some(earlier.opened.as_slice()) {
            return Err(asked_wrongly(
                "the roster or a sum is another one than before",
            ));
        }
    }
    Ok(())
}

/// Answers one step and stores the answer, or ends the exchange at this site.
///
/// # Errors
/// `FV-INT-001`.
pub fn answer(
    store: &Store,
    config: &NodeConfig,
    (job, locked): (&Job, &LockedProtocol),
    (key, stored, step): (StepKey<'_>, &StoredStep, &Step),
    now: Timestamp,
) -> Result<(), Fault> {
    let attempt = approval(store, key.job.digest)?
        .ok_or_else(|| withheld("the job's first release was not approved here"))
        .and_then(|approval| {
            let bytes = attempt(
                store,
                config,
                (job, locked),
                (key, stored, step),
                &approval,
                now,
            )?;
            Ok((bytes, approval))
        });
    match attempt {
        Ok((bytes, approval)) => {
            waypoint::pass("node.step.ready");
            let by = (approval.policy, approval.approver.as_str());
            store.answer_step(key, &bytes, by, now)?;
            waypoint::pass("node.step.stored");
            Ok(())
        }
        Err(declined) => store.end_exchange(key, Some(declined), now),
    }
}

/// What the approver of the job's first release approved.
pub(crate) struct Approval {
    /// Who.
    pub(crate) approver: String,
    /// Digest of the policy file.
    pub(crate) policy: Digest,
    /// The commitment to the table.
    pub(crate) dataset: Digest,
}

/// The approval of a job's first release; none before that.
pub(crate) fn approval(store: &Store, job: Digest) -> Result<Option<Approval>, Fault> {
    let bytes = store.approved_bytes(job)?;
    let release = bytes.and_then(|bytes| ReceivedRelease::read(&bytes).ok());
    let Some(release) = release else {
        return Ok(None);
    };
    let entries = store.entries()?;
    let approver = entries.iter().rev().find_map(|entry| match &entry.event {
        Event::Approved {
            release: id,
            approver,
            ..
        } if entry.job == Some(job) && *id == release.id => Some(approver.clone()),
        Event::Approved { .. }
        | Event::Delivered { .. }
        | Event::Declined { .. }
        | Event::Measured { .. }
        | Event::Endorsed { .. }
        | Event::Step { .. }
        | Event::StepDeclined { .. }
        | Event::Paused { .. }
        | Event::Resumed { .. }
        | Event::Left { .. }
        | Event::Returned {}
        | Event::Spent { .. }
        | Event::Drawn { .. }
        | Event::ModeEnded { .. }
        | Event::Rebaselined { .. } => None,
    });
    Ok(approver.map(|approver| Approval {
        approver,
        policy: release.header.policy.digest,
        dataset: release.header.dataset,
    }))
}

fn attempt(
    store: &Store,
    config: &NodeConfig,
    (job, locked): (&Job, &LockedProtocol),
    (key, stored, step): (StepKey<'_>, &StoredStep, &Step),
    approval: &Approval,
    now: Timestamp,
) -> Result<shared::disclosure::ReleasedBytes, Declined> {
    let read = |fault: Fault| withheld(fault.to_string());
    let policy = policy(config, now)?;
    if policy.stamp().digest != approval.policy {
        return Err(withheld(
            "the policy is another one than the job was approved under",
        ));
    }
    if policy.profile() == Profile::OpenData {
        release::only_public_studies(store).map_err(read)?;
    }
    let source = config.table(&key.job.study).map_err(read)?;
    let salt = release::salt(store).map_err(read)?;
    let question = Question {
        protocol: &locked.protocol,
        digest: job.protocol,
        site: &config.site.slug,
        job: Some((job.round.clone(), key.job.digest)),
        kinds: &[],
        salt: &salt,
        // Steps speak about the sets of the job that was approved.
        past: &Past::default(),
        purse: None,
    };
    // Steps are about scores: they read no masks, and so keep none.
    let means = Means::new(config.imaging.allowance(), None, &|_| ());
    let answer = measure::step(&question, &source, &means, &policy, (step, stored.input));
    match answer {
        Err(faults) => {
            let words: Vec<String> = faults.iter().map(ToString::to_string).collect();
            Err(withheld(words.join("\n")))
        }
        // A place that does not follow from the sums depends on nothing but the step.
        Ok(Stepped::Refused(fault @ StepFault::Place)) => Err(asked_wrongly(fault.to_string())),
        Ok(Stepped::Refused(fault)) => Err(withheld(fault.to_string())),
        Ok(Stepped::Withheld(why)) => Err(withheld(why)),
        Ok(Stepped::Released { dataset, .. }) if dataset != approval.dataset => Err(withheld(
            "the table is another one than the job was approved on",
        )),
        Ok(Stepped::Released { bytes, .. }) => Ok(bytes),
    }
}

#[cfg(test)]
mod tests;
