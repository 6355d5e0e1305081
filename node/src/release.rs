//! Station 6, the release: what staff see before they approve, and what approving, rejecting
//! and computing again do. Used by the running node and by the command line alike.
//!
//! From: `measure` (reviewed bytes), `store`.
//! To: `control`, `cli`, the daemon in automatic mode.

use std::fmt::Write as _;

use shared::disclosure::{Item, Policy, Profile, ReceivedRelease};
use shared::fault::{Code, Fault};
use shared::identity::Digest;
use shared::study::job::Exchange;
use shared::study::lock::LockedProtocol;
use shared::study::plan::StatisticKind;
use shared::study::{ModelRun, StudyProtocol, Timestamp, Visibility};
use shared::wire::Refusal;

use crate::cohort::Finding;
use crate::config::{NodeConfig, ReleaseMode};
use crate::measure::{self, Measured, Question};
use crate::store::{Automatic, Change, Store, StoredJob};
use crate::waypoint;

/// The name of the approver when the site's configuration says `automatic`.
pub const AUTOMATIC: &str = "automatic, by this site's configuration";

/// Computes one admitted job, reviews it and stores what waits for approval. In automatic mode
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
    now: Timestamp,
) -> Result<(), Fault> {
    match attempt(store, config, job, locked, kinds, now) {
        Err(faults) => {
            let words: Vec<String> = faults.iter().map(ToString::to_string).collect();
            store.change(job.digest, now, Change::PrecheckFailed(&words.join("\n")))
        }
        Ok((policy, measured)) => settle(store, config, job, &policy, measured, now),
    }
}

fn attempt(
    store: &Store,
    config: &NodeConfig,
    job: &StoredJob,
    locked: &LockedProtocol,
    kinds: &[StatisticKind],
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
    let question = Question {
        protocol: &locked.protocol,
        digest: job.protocol,
        site: &config.site.slug,
        job: Some((round, job.digest)),
        kinds,
        salt: &salt,
    };
    let measured = measure::run(&question, &source, &policy)?;
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
    job: &StoredJob,
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
    let automatic = match config.release.mode {
        ReleaseMode::Manual => None,
        // A configuration is not two people.
        ReleaseMode::Automatic if policy.approvers() > 1 => None,
        ReleaseMode::Automatic => Some(Automatic {
            approver: AUTOMATIC,
            policy: policy.stamp().digest,
        }),
    };
    let preview = Change::Preview {
        bytes: &bytes,
        items: &items,
        findings: &findings,
        automatic,
    };
    waypoint::pass("node.preview.ready");
    store.change(job.digest, now, preview)?;
    waypoint::pass("node.preview.stored");
    Ok(())
}

fn json<T: serde::Serialize>(value: &T) -> Result<String, Fault> {
    serde_json::to_string(value).map_err(|fault| Fault::internal(format!("preview: {fault}")))
}

/// A person's decision about a job.
#[derive(Clone, Debug, serde::Serialize, serde::Deserialize)]
#[serde(tag = "verb", rename_all = "kebab-case")]
pub enum Verb {
    /// Release the bytes with this digest.
    Approve {
        /// The job.
        job: Digest,
        /// Digest of the bytes the person has seen.
        seen: Digest,
        /// A remark; stays here.
        note: Option<String>,
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
}

/// Carries out a decision in the name of `person`.
///
/// # Errors
/// `FV-JOB-001`, `FV-POL-006`, `FV-POL-007`, `FV-POL-008`, `FV-INT-001`.
pub fn decide(
    store: &Store,
    config: &NodeConfig,
    verb: Verb,
    person: &str,
    now: Timestamp,
) -> Result<(), Fault> {
    match verb {
        Verb::Approve { job, seen, note } => {
            let (policy, people) = previewed_policy(store, config, job, now)?;
            waypoint::pass("node.approve.asked");
            store.change(
                job,
                now,
                Change::Approved {
                    approver: person,
                    note,
                    policy,
                    seen,
                    people,
                },
            )
        }
        Verb::Reject { job, reason } => {
            let (refusal, reason) = (Refusal::NotReleased, Some(reason));
            store.change(
                job,
                now,
                Change::Declined {
                    refusal,
                    by: person,
                    reason,
                },
            )
        }
        Verb::Retry { job } => store.change(job, now, Change::Again),
    }
}

/// The policy that a preview was reviewed under, and how many people must approve under it. One
/// that rests on a contract must still be the site's own, and the contract must hold.
fn previewed_policy(
    store: &Store,
    config: &NodeConfig,
    job: Digest,
    now: Timestamp,
) -> Result<(Digest, usize), Fault> {
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
    let stamp = release.header.policy;
    if stamp.profile != Profile::Dua.as_str() {
        return Ok((stamp.digest, 1));
    }
    let policy = measure::policy(config.disclosure.policy.as_deref())?;
    measure::in_force(&policy, now)?;
    if policy.stamp().digest == stamp.digest {
        return Ok((stamp.digest, policy.approvers()));
    }
    Err(Fault::new(
        Code::NotWaiting,
        format!("job {job} was reviewed under another policy"),
        "the policy file was changed after the preview",
        "compute it again: fedval-node job retry ROUND",
    ))
}

/// The preview as text: who asks, what is read, every item with its verdict, and the exact bytes.
pub fn preview_text(
    heading: &str,
    protocol: &StudyProtocol,
    items: &[Item],
    findings: &[Finding],
    bytes: Option<&[u8]>,
) -> String {
    let mut text = format!("{heading}\n\nwhat is asked\n  {}\n", protocol.question);
    let fields: Vec<&str> = protocol
        .field
        .iter()
        .map(|field| field.name.as_str())
        .collect();
    let _ = writeln!(text, "what is read\n  columns for: {}", fields.join(", "));
    text.push_str(&models_text(protocol));
    text.push_str("what never leaves\n  keys, rows, images, file names, log lines\n\n");
    if !findings.is_empty() {
        text.push_str("data check\n");
        for finding in findings {
            let field = finding
                .field
                .as_ref()
                .map_or("table", |field| field.as_str());
            let _ = writeln!(
                text,
                "  {field}: {} ({} rows); {}",
                finding.what, finding.rows, finding.hint
            );
        }
        text.push('\n');
    }
    if !items.is_empty() {
        item_table(&mut text, items);
    }
    if let Some(bytes) = bytes {
        let digest = Digest::of(bytes);
        let _ = writeln!(
            text,
            "\nexactly these {} bytes, {digest}, and nothing else:\n",
            bytes.len()
        );
        text.push_str(&String::from_utf8_lossy(bytes));
        text.push('\n');
    }
    text
}

/// Each model as staff approve it: what it is, and the digest of its file or its formula. A
/// formula is computed here, from the site's rows, so it is shown whole.
fn models_text(protocol: &StudyProtocol) -> String {
    let mut text = String::from("what is compared with the outcome\n");
    for model in &protocol.model {
        let digest = match (&model.sha256, &model.formula) {
            (_, Some(formula)) => formula.sha256().ok(),
            (sha256, None) => sha256.clone(),
        };
        let digest = digest.map_or_else(
            || "no digest declared".to_owned(),
            |digest| format!("sha256 {digest}"),
        );
        let how = match model.run {
            ModelRun::PredictionsTable => "predictions of the site's table",
            ModelRun::Formula => "formula computed here",
        };
        let _ = writeln!(
            text,
            "  model {} ({}, {}): {how}, {digest}",
            model.id, model.name, model.version
        );
        if let Some(formula) = &model.formula {
            let _ = writeln!(text, "    {}", formula.words());
        }
    }
    text
}

/// What approving a job covers beyond the bytes that are shown: the declared shape of its steps
/// and their greatest number. Each step is reviewed and kept in the ledger when it comes.
pub fn exchange_text(exchange: &Exchange) -> String {
    format!(
        "what follows, approved together with this\n  exchange {}: at most {} steps, without \
         another question\n  each step: per model and endpoint the cases, the events, and at two \
         places log-likelihood,\n  score (2 numbers) and information (3 numbers); the places \
         follow from the protocol's start and\n  the sums of all hospitals; nothing under the \
         profile standard",
        exchange.id, exchange.max_steps
    )
}

fn item_table(text: &mut String, items: &[Item]) {
    use shared::disclosure::Verdict;
    let count = |verdict| items.iter().filter(|item| item.verdict == verdict).count();
    let _ = writeln!(
        text,
        "{} items: {} pass, {} to look at, {} withheld",
        items.len(),
        count(Verdict::Pass),
        count(Verdict::Review),
        count(Verdict::Fail)
    );
    let width = items
        .iter()
        .map(|item| item.name.chars().count())
        .max()
        .unwrap_or(4)
        .min(72);
    let _ = writeln!(
        text,
        "  {:width$}  {:>8}  {:4} {:8} {:10} value",
        "item", "patients", "rule", "verdict", "action"
    );
    for item in items {
        let verdict = match item.verdict {
            Verdict::Pass => "pass",
            Verdict::Review => "review",
            Verdict::Fail => "fail",
        };
        let patients = if item.patients == u64::MAX {
            "-".to_owned()
        } else {
            item.patients.to_string()
        };
        let _ = writeln!(
            text,
            "  {:width$}  {patients:>8}  {:4} {verdict:8} {:10} {}",
            item.name,
            item.rule.id(),
            item.action,
            item.value
        );
    }
}
