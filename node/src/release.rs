//! Station 6, the release: what computing, approving, rejecting and computing again do. Used by
//! the running node and by the command line alike.
//!
//! From: `measure` (reviewed bytes), `store`.
//! To: `control`, `cli`, the daemon in automatic mode.

use shared::disclosure::{Policy, Profile, ReceivedRelease};
use shared::fault::{Code, Fault};
use shared::identity::{Digest, TreeHead};
use shared::study::job::{Exchange, Job};
use shared::study::lock::LockedProtocol;
use shared::study::plan::StatisticKind;
use shared::study::{StudyProtocol, StudySlug, Timestamp, Visibility};
use shared::wire::Refusal;

use crate::approval::Ask;
use crate::approval::signature::{self, Signed, Statement};
use crate::cohort::{Finding, Means, Progress};
use crate::config::{NodeConfig, ReleaseMode};
use crate::ledger::Approval;
use crate::link::IdentityDir;
use crate::measure::{self, Measured, Question};
use crate::noise::Purse;
use crate::store::{Change, Eyes, Left, Pause, Store, StoredJob};
use crate::waypoint;
use crate::witness;

/// Computes one admitted job, reviews it and stores what waits for approval; `tell` hears how far
/// reading images has come. In automatic mode
/// it is approved at once; what the policy withholds is declined at once.
///
/// # Errors
/// `FV-INT-001`; everything that is wrong with data or policy is stored with the job.
pub fn compute(
    store: &Store,
    config: &NodeConfig,
    job: &StoredJob,
    locked: &LockedProtocol,
    kinds: &[StatisticKind],
    tell: &(dyn Fn(Progress) + Sync),
    now: Timestamp,
) -> Result<(), Fault> {
    match attempt(store, config, job, locked, kinds, tell, now) {
        Err(faults) => {
            let words: Vec<String> = faults.iter().map(ToString::to_string).collect();
            store.change(job.digest, now, Change::PrecheckFailed(&words.join("\n")))
        }
        Ok((policy, mut measured)) => {
            let kept = measured.kept.take();
            let protocol = &locked.protocol;
            settle(store, config, (job, protocol), &policy, measured, now)?;
            if let Some(kept) = kept {
                kept.done();
            }
            Ok(())
        }
    }
}

fn attempt(
    store: &Store,
    config: &NodeConfig,
    job: &StoredJob,
    locked: &LockedProtocol,
    kinds: &[StatisticKind],
    tell: &(dyn Fn(Progress) + Sync),
    now: Timestamp,
) -> Result<(Policy, Measured), Vec<Fault>> {
    let one = |fault: Fault| vec![fault];
    let policy = measure::policy(config.disclosure.policy.as_deref()).map_err(one)?;
    measure::in_force(&policy, now).map_err(one)?;
    if policy.profile() == Profile::OpenData {
        only_public_studies(store).map_err(one)?;
    }
    let source = config.table(&job.study).map_err(one)?;
    let salt = salt(store).map_err(one)?;
    let round = job
        .round
        .parse()
        .map_err(|_| one(Fault::internal("a stored round's name")))?;
    let past = store.past().map_err(one)?;
    let question = Question {
        protocol: &locked.protocol,
        digest: job.protocol,
        site: &config.site.slug,
        job: Some((round, job.digest)),
        kinds,
        salt: &salt,
        past: &past,
        purse: Some(Purse { store, now }),
    };
    let allowance = config.imaging.allowance();
    let means = Means::new(allowance, Some(&config.storage.dir), tell).salted(&salt);
    let mut measured = measure::run(&question, &source, &means, &policy)?;
    let budget = past.over_budget(&policy, &locked.protocol, &measured.spoken, now);
    if let Some(why) = budget {
        let what = "a person must approve this release";
        measured.findings.push(Finding::table(what, 0, why));
        measured.needs_person = true;
    }
    Ok((policy, measured))
}

/// A node that takes part in any study with private data never runs `open-data` (decision P8).
///
/// # Errors
/// `FV-POL-004`, `FV-INT-001`.
pub(crate) fn only_public_studies(store: &Store) -> Result<(), Fault> {
    let private = |bytes: &Vec<u8>| {
        serde_json::from_slice::<serde_json::Value>(bytes).map_or(true, |document| {
            let visibility = document.pointer("/body/protocol/visibility");
            let public = serde_json::to_value(Visibility::Public).ok();
            visibility != public.as_ref()
        })
    };
    if store.protocols()?.iter().any(private) {
        return Err(Fault::new(
            Code::OpenDataRefused,
            "the policy profile open-data may not be used on this node",
            "this node has met a study whose protocol is not public",
            "use a policy with profile = \"standard\", or a node of its own for public data",
        ));
    }
    Ok(())
}

/// The site's secret salt.
///
/// # Errors
/// `FV-INT-001`, or a machine without randomness.
pub fn salt(store: &Store) -> Result<Vec<u8>, Fault> {
    use shared::identity::Entropy as _;
    let mut fresh = [0; 32];
    crate::link::SystemEntropy
        .fill(&mut fresh)
        .map_err(|_| Fault::internal("this machine gives no random bytes"))?;
    store.salt(fresh)
}

fn settle(
    store: &Store,
    config: &NodeConfig,
    (job, protocol): (&StoredJob, &StudyProtocol),
    policy: &Policy,
    measured: Measured,
    now: Timestamp,
) -> Result<(), Fault> {
    let bytes = match measured.outcome {
        Ok(bytes) => bytes,
        Err(why) => {
            let reason = Some(why);
            let refusal = Refusal::NotReleased;
            return store.change(
                job.digest,
                now,
                Change::Declined {
                    refusal,
                    by: "policy",
                    reason,
                },
            );
        }
    };
    let items = json(&measured.items)?;
    let findings = json(&measured.findings)?;
    let release = ReceivedRelease::read(bytes.bytes())
        .map_err(|fault| Fault::internal(format!("a reviewed release: {fault}")))?;
    let entries = store.entries()?;
    let declared = declared(job);
    let asked = (&release, declared.as_slice());
    let ask = Ask::of(config, &entries, protocol, asked, measured.needs_person)?;
    let standing = ask.alone.map(|alone| Approval {
        policy: policy.stamp().digest,
        approver: alone.approver.to_owned(),
        note: None,
        // Nobody looked: this one allows no other.
        shape: None,
        standing: None,
        follows: alone.follows,
        signatures: Vec::new(),
    });
    let preview = Change::Preview {
        bytes: &bytes,
        items: &items,
        findings: &findings,
        spoken: &measured.spoken,
        standing,
    };
    waypoint::pass("node.preview.ready");
    store.change(job.digest, now, preview)?;
    waypoint::pass("node.preview.stored");
    Ok(())
}

/// The exchanges of several steps that a job declares. Its signature was checked when it came.
pub(crate) fn declared(job: &StoredJob) -> Vec<Exchange> {
    let document: Option<serde_json::Value> = serde_json::from_slice(&job.bytes).ok();
    let body = document.and_then(|document| document.get("body").cloned());
    let body: Option<Job> = body.and_then(|body| serde_json::from_value(body).ok());
    body.map_or_else(Vec::new, |body| body.in_steps().cloned().collect())
}

fn json<T: serde::Serialize>(value: &T) -> Result<String, Fault> {
    serde_json::to_string(value).map_err(|fault| Fault::internal(format!("preview: {fault}")))
}

/// A person's decision about a job, or about all of them.
#[derive(Clone, Debug, serde::Serialize, serde::Deserialize)]
#[serde(tag = "verb", rename_all = "kebab-case")]
pub enum Verb {
    /// Release the bytes with this digest.
    Approve {
        /// The job.
        job: Digest,
        /// Digest of the bytes the person has seen.
        seen: Digest,
        /// The mode that they were told comes into force with it.
        #[serde(default)]
        standing: Option<ReleaseMode>,
        /// A remark; stays here.
        note: Option<String>,
        /// The person's own signature.
        #[serde(default)]
        signature: Option<Box<Signed>>,
    },
    /// Release nothing.
    Reject {
        /// The job.
        job: Digest,
        /// The reason; stays here.
        reason: String,
    },
    /// Compute again, after the table or its mapping was mended.
    Retry {
        /// The job.
        job: Digest,
    },
    /// Leave a study: nothing more of it is computed, approved or sent.
    Leave {
        /// The study.
        study: StudySlug,
        /// Why; stays here.
        reason: String,
        /// Whether the coordinator is asked to drop what was released in rounds still open.
        #[serde(default)]
        withdraw: bool,
    },
    /// Compute and send nothing until somebody resumes.
    Pause {
        /// Why; stays here.
        reason: String,
    },
    /// Go on.
    Resume,
    /// Take the coordinator's record as it is now, whatever it signed of it before.
    Rebaseline {
        /// Why; stays here.
        reason: String,
    },
}

/// Carries out a decision in the name of the person `by`.
///
/// # Errors
/// `FV-CLI-001`, `FV-STUDY-006`, `FV-JOB-001`, `FV-POL-006`, `FV-POL-007`, `FV-POL-008`, `FV-POL-010`,
/// `FV-LEDGER-003`, `FV-INT-001`.
pub fn decide(
    store: &Store,
    config: &NodeConfig,
    verb: Verb,
    by: &str,
    now: Timestamp,
) -> Result<(), Fault> {
    match verb {
        Verb::Approve {
            job,
            seen,
            standing,
            note,
            signature,
        } => {
            let seen = Seen {
                job,
                digest: seen,
                standing,
            };
            approve(store, config, seen, by, (note, signature), now)
        }
        Verb::Reject { job, reason } => {
            let (refusal, reason) = (Refusal::NotReleased, Some(given(reason)?));
            store.change(
                job,
                now,
                Change::Declined {
                    refusal,
                    by,
                    reason,
                },
            )
        }
        Verb::Retry { job } => store.change(job, now, Change::Again),
        Verb::Leave {
            study,
            reason,
            withdraw,
        } => {
            let known = store.jobs()?.iter().any(|job| job.study == study);
            if !known && !config.allows(&study) {
                return Err(Fault::new(
                    Code::UnknownStudy,
                    format!("there is no study {study} here"),
                    "it is not on this site's list, and no job of it ever came",
                    "see the list: fedval-node status",
                ));
            }
            let left = Left {
                by: by.to_owned(),
                at: now,
                reason: given(reason)?,
                unlisted: false,
            };
            store.leave(&study, &left, withdraw)
        }
        Verb::Pause { reason } => store.pause(&Pause {
            by: by.to_owned(),
            at: now,
            reason: given(reason)?,
        }),
        Verb::Resume => store.resume(by, now),
        Verb::Rebaseline { reason } => {
            let reason = given(reason)?;
            let identity = IdentityDir::new(&config.identity.dir).load()?;
            let given_up = witness::held(store, &identity)?;
            let tree = given_up.map_or_else(TreeHead::empty, |held| held.tree);
            store.rebaseline(by, reason, tree, now)
        }
    }
}

/// What a person has looked at.
struct Seen {
    job: Digest,
    /// Digest of the bytes.
    digest: Digest,
    /// What else they were told comes into force.
    standing: Option<ReleaseMode>,
}

/// Approves what a person has seen, and nothing else: neither other bytes nor another mode.
fn approve(
    store: &Store,
    config: &NodeConfig,
    seen: Seen,
    by: &str,
    (note, signature): (Option<String>, Option<Box<Signed>>),
    now: Timestamp,
) -> Result<(), Fault> {
    // Whoever altered what is kept of earlier releases gets nothing approved.
    store.past()?;
    let (job, digest) = (seen.job, seen.digest);
    let (policy, ask) = asked(store, config, job, now)?;
    if ask.standing != seen.standing {
        return Err(another_mode(seen.standing, ask.standing));
    }
    let statement = Statement::new(by, job, digest, ask.standing);
    signature::check(&config.access, &statement, signature.as_deref())?;
    waypoint::pass("node.approve.asked");
    let approval = Approval {
        policy,
        approver: by.to_owned(),
        note,
        shape: Some(ask.shape),
        standing: ask.standing,
        follows: None,
        signatures: signature.map(|signed| *signed).into_iter().collect(),
    };
    let eyes = Eyes {
        people: ask.people,
        access: &config.access,
    };
    let change = Change::Approved {
        approval,
        seen: digest,
        eyes,
    };
    store.change(job, now, change)
}

/// The running node reads its file when it starts, a command whenever it is typed.
fn another_mode(shown: Option<ReleaseMode>, now: Option<ReleaseMode>) -> Fault {
    let word = |mode: Option<ReleaseMode>| mode.map_or("no mode", ReleaseMode::as_str);
    Fault::new(
        Code::NotWaiting,
        format!(
            "{} would come into force with this approval, and {} was shown",
            word(now),
            word(shown)
        ),
        "node.toml was changed after the node was started",
        "start the node again, then look again: fedval-node job preview ROUND",
    )
}

/// A reason that says something.
fn given(reason: String) -> Result<String, Fault> {
    if reason.trim().is_empty() {
        return Err(Fault::new(
            Code::UsageInvalid,
            "a reason is needed",
            "the ledger is read by people who were not there",
            "say why in --reason; it stays at this hospital",
        ));
    }
    Ok(reason)
}

/// The policy that a preview was reviewed under, and what the site asks before it may leave. The
/// policy must still be the site's own, and a contract that it rests on must hold.
fn asked(
    store: &Store,
    config: &NodeConfig,
    job: Digest,
    now: Timestamp,
) -> Result<(Digest, Ask), Fault> {
    let nothing = || {
        Fault::new(
            Code::NotWaiting,
            format!("job {job} has nothing to approve"),
            "it was not computed, or it was decided already",
            "list the jobs: fedval-node job list",
        )
    };
    let preview = store.preview(job)?.ok_or_else(nothing)?;
    let release = ReceivedRelease::read(&preview.bytes).map_err(|_| nothing())?;
    let ask = ask(store, config, &release)?;
    let stamp = release.header.policy;
    let policy = measure::policy(config.disclosure.policy.as_deref())?;
    measure::in_force(&policy, now)?;
    if policy.stamp().digest != stamp.digest {
        return Err(Fault::new(
            Code::NotWaiting,
            format!("job {job} was reviewed under another policy"),
            "the policy file was changed after the preview",
            "compute it again: fedval-node job retry ROUND",
        ));
    }
    Ok((stamp.digest, ask))
}

/// What the site asks of people before a release that waits may leave.
///
/// # Errors
/// `FV-LEDGER-001`, `FV-INT-001`.
pub(crate) fn ask(
    store: &Store,
    config: &NodeConfig,
    release: &ReceivedRelease,
) -> Result<Ask, Fault> {
    let protocol = store.study_protocol(release.header.protocol)?;
    let protocol = protocol.ok_or_else(|| Fault::internal("the job's protocol is not stored"))?;
    let job = release.header.job.map(|job| store.job(job)).transpose()?;
    let declared = job.flatten().as_ref().map_or_else(Vec::new, declared);
    let asked = (release, declared.as_slice());
    Ask::of(config, &store.entries()?, &protocol, asked, true)
}
