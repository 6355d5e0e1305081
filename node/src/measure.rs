//! Stations 4 to 6 in one call: the site's table becomes reviewed bytes. Nothing is sent here.
//!
//! From: `cohort`, the site's policy, the protocol.
//! To: `release` (preview and approval), `fedval-node measure`.

mod noisy;

use std::path::Path;

use shared::disclosure::masked::admit;
use shared::disclosure::{
    Axes, Decision, Header, Item, Policy, PolicyStamp, ReleasedBytes, Reviewed, review,
};
use shared::fault::{Code, Fault};
use shared::identity::Digest;
use shared::statistic::calibration_block::{self, StepFault};
use shared::statistic::masked_sums::Contribution;
use shared::statistic::{AnalysisSet, known_answer, measure, spoken};
use shared::study::plan::StatisticKind;
use shared::study::step::Step;
use shared::study::{ExchangeId, RoundId, SiteSlug, StudyProtocol, Timestamp, job};

use crate::cohort::{self, Finding, Kept, Means, TableSource};
use crate::noise::Purse;
use crate::spoken::{NO_LEVEL, Past, Spoken};

/// Name and version of this program, as releases state it.
pub const SOFTWARE: &str = concat!("fedval-node ", env!("CARGO_PKG_VERSION"));

/// What is measured, for whom.
pub struct Question<'a> {
    /// The protocol, expanded.
    pub protocol: &'a StudyProtocol,
    /// Its digest.
    pub digest: Digest,
    /// The site.
    pub site: &'a SiteSlug,
    /// Round and job, when a coordinator asks.
    pub job: Option<(RoundId, Digest)>,
    /// The statistics.
    pub kinds: &'a [StatisticKind],
    /// The site's secret, for the commitment to its data and the tags of its patients.
    pub salt: &'a [u8],
    /// What earlier releases of this site spoke about.
    pub past: &'a Past,
    /// What pays under differential privacy; absent where nothing is remembered.
    pub purse: Option<Purse<'a>>,
}

/// What came of it.
pub struct Measured {
    /// What the data check found.
    pub findings: Vec<Finding>,
    /// Every item with its verdict.
    pub items: Vec<Item>,
    /// The reviewed bytes, or why nothing may be released.
    pub outcome: Result<ReleasedBytes, String>,
    /// The groups of patients it speaks about.
    pub spoken: Spoken,
    /// Whether a person must approve, whatever the site's configuration says.
    pub needs_person: bool,
    /// Measurements of images, to be removed once the outcome is safe.
    pub kept: Option<Kept>,
}

/// Reads the policy file; no file means that nothing runs.
///
/// # Errors
/// `FV-POL-001` without a file, `FV-POL-002` when it is not valid.
pub fn policy(path: Option<&Path>) -> Result<Policy, Fault> {
    let Some(path) = path else {
        return Err(Fault::new(
            Code::PolicyMissing,
            "no disclosure policy is configured",
            "a node without a policy of its own computes and releases nothing",
            "copy policy.standard.toml to this machine and name it in [disclosure] policy",
        ));
    };
    let text = std::fs::read_to_string(path).map_err(|fault| {
        Fault::new(
            Code::PolicyMissing,
            format!("the disclosure policy {} cannot be read", path.display()),
            fault.to_string(),
            "name a readable policy file in [disclosure] policy",
        )
    })?;
    parse_policy(&text, &path.display().to_string())
}

/// Reads a policy's text.
///
/// # Errors
/// `FV-POL-002` when it is not valid.
pub fn parse_policy(text: &str, name: &str) -> Result<Policy, Fault> {
    Policy::parse(text).map_err(|fault| {
        Fault::new(
            Code::PolicyInvalid,
            format!("the disclosure policy {name} is not valid"),
            fault.to_string(),
            "compare it with the sample of its profile, configs/policy.<profile>.toml",
        )
    })
}

/// Whether the contract behind a `dua` policy still holds; other policies rest on none.
///
/// # Errors
/// `FV-POL-007` once it has expired.
pub fn in_force(policy: &Policy, now: Timestamp) -> Result<(), Fault> {
    let Some(contract) = policy.expired(now) else {
        return Ok(());
    };
    Err(Fault::new(
        Code::ContractExpired,
        format!("the contract \"{}\" has expired", contract.reference),
        format!(
            "the policy has profile dua, which rests on it; it ended at {}",
            contract.expires
        ),
        "name the renewed contract in the policy file, or use profile = \"standard\"",
    ))
}

/// Measures and reviews.
///
/// # Errors
/// Every problem of the table at once, or why the policy may not be used here.
pub fn run(
    question: &Question<'_>,
    source: &TableSource,
    means: &Means<'_>,
    policy: &Policy,
) -> Result<Measured, Vec<Fault>> {
    let protocol = question.protocol;
    let policy = policy.clone().tightened(protocol.disclosure.min_cell);
    if let Some(plan) = policy.noise() {
        return noisy::run(question, source, means, (&policy, plan));
    }
    let (mut loaded, clustered) = load(question, source, means, &policy)?;
    loaded.cases.earlier = question.past.within(&loaded.people);
    let (past, people) = (question.past, &loaded.people);
    let changed = past.changed(people, &policy);
    let ask = |axes: Axes| {
        let exact = measure::measure(protocol, &loaded.cases, question.kinds);
        let reviewed = review(&policy, protocol, exact, (clustered, axes));
        let groups = spoken::groups(protocol, &loaded.cases, &reviewed, policy.min_cell());
        let follows = past.follows(people, &groups, &policy);
        (reviewed, groups, follows)
    };
    let mut remarks: Vec<(&str, String)> = Vec::new();
    let mut shown = Axes::BY_RULE;
    if let Some(why) = changed.levels {
        let (hidden, what) = NO_LEVEL;
        remarks.push((what, why));
        shown = shown.and(hidden);
    }
    let (mut reviewed, mut groups, mut follows) = ask(shown);
    // Parts would say too much: the sets as a whole may still be spoken about.
    while let Some(found) = follows.take() {
        let mut more = found
            .hide
            .iter()
            .map(|(hide, what)| (shown.and(*hide), *what));
        let Some((next, what)) = more.find(|(next, _)| *next != shown) else {
            follows = Some(found);
            break;
        };
        remarks.push((what, found.why));
        shown = next;
        (reviewed, groups, follows) = ask(shown);
    }
    let remarks = remarks.into_iter();
    let remarks = remarks.map(|(what, why)| Finding::table(what, 0, why));
    loaded.findings.extend(remarks);
    let objection = changed.sets.or(follows.map(|follows| follows.why));
    let items = std::mem::take(&mut reviewed.items);
    let header = header(question, policy.stamp(), clustered, loaded.fingerprint)?;
    let outcome = match (outcome(reviewed, header)?, objection) {
        (Ok(_), Some(objection)) => Err(objection),
        (outcome, _) => outcome,
    };
    Ok(Measured {
        findings: loaded.findings,
        items,
        outcome,
        spoken: Spoken {
            people: loaded.people,
            groups,
            after: past.after(&policy),
        },
        needs_person: false,
        kept: loaded.kept,
    })
}

/// The bytes of what was reviewed, or why there are none.
fn outcome(
    reviewed: Reviewed,
    header: Header,
) -> Result<Result<ReleasedBytes, String>, Vec<Fault>> {
    let decision = reviewed.decision.clone();
    Ok(match (decision, reviewed.release(header)) {
        (Decision::Withhold { rule, why }, _) => Err(format!("rule {}: {why}", rule.id())),
        (Decision::Release, None) => Err("the review released nothing".to_owned()),
        (Decision::Release, Some(released)) => {
            Ok(shared::wire::encode(&released).map_err(|fault| {
                vec![Fault::internal(format!(
                    "the release cannot be written: {fault}"
                ))]
            })?)
        }
    })
}

/// What came of one step.
pub enum Stepped {
    /// The reviewed bytes, and the commitment to the data they speak about.
    Released {
        /// The bytes.
        bytes: ReleasedBytes,
        /// The commitment.
        dataset: Digest,
    },
    /// The review lets nothing leave.
    Withheld(String),
    /// The step is not one that this site answers.
    Refused(StepFault),
}

/// Measures and reviews one step of several; `input` is the digest of its document.
///
/// # Errors
/// Every problem of the table at once, or why the policy may not be used here.
pub fn step(
    question: &Question<'_>,
    source: &TableSource,
    means: &Means<'_>,
    policy: &Policy,
    (step, input): (&Step, Digest),
) -> Result<Stepped, Vec<Fault>> {
    let protocol = question.protocol;
    let policy = policy.clone().tightened(protocol.disclosure.min_cell);
    if policy.noise().is_some() {
        let why = "rule D20: differential privacy covers no step";
        return Ok(Stepped::Withheld(why.to_owned()));
    }
    let (loaded, clustered) = load(question, source, means, &policy)?;
    let blocks = match calibration_block::measure(protocol, &loaded.cases, step) {
        Ok(blocks) => blocks,
        Err(fault) => return Ok(Stepped::Refused(fault)),
    };
    let reviewed = review(&policy, protocol, blocks, (clustered, Axes::BY_RULE));
    let decision = reviewed.decision.clone();
    let mut header = header(question, policy.stamp(), clustered, loaded.fingerprint)?;
    header.exchange = step.exchange.clone();
    header.step = step.step;
    header.input = Some(input);
    let dataset = header.dataset;
    match (decision, reviewed.release(header)) {
        (Decision::Withhold { rule, why }, _) => {
            Ok(Stepped::Withheld(format!("rule {}: {why}", rule.id())))
        }
        (Decision::Release, None) => Ok(Stepped::Withheld("nothing was released".to_owned())),
        (Decision::Release, Some(released)) => shared::wire::encode(&released)
            .map(|bytes| Stepped::Released { bytes, dataset })
            .map_err(|fault| {
                vec![Fault::internal(format!(
                    "a step cannot be written: {fault}"
                ))]
            }),
    }
}

/// What this site adds to a masked sum and the commitment to the data it was counted on, or the
/// rule that forbids it.
///
/// # Errors
/// Every problem of the table at once, or why the policy may not be used here.
pub fn masked(
    question: &Question<'_>,
    source: &TableSource,
    means: &Means<'_>,
    policy: &Policy,
) -> Result<Result<(Contribution, Digest), String>, Vec<Fault>> {
    let protocol = question.protocol;
    let policy = policy.clone().tightened(protocol.disclosure.min_cell);
    let (loaded, _) = load(question, source, means, &policy)?;
    // A sum has every level, and nobody hides one of them in it.
    let changed = question.past.changed(&loaded.people, &policy);
    if let Some(why) = changed.sets.or(changed.levels) {
        return Ok(Err(why));
    }
    let part = match Contribution::measure(protocol, &loaded.cases) {
        Ok(part) => part,
        Err(fault) => return Ok(Err(fault.to_string())),
    };
    let dataset = commitment(question, loaded.fingerprint);
    Ok(match admit(&policy, protocol, &part) {
        Ok(()) => Ok((part, dataset)),
        Err((rule, why)) => Err(format!("rule {}: {why}", rule.id())),
    })
}

/// The salted commitment to a table.
fn commitment(question: &Question<'_>, fingerprint: Digest) -> Digest {
    Digest::of_list(&[question.salt, fingerprint.as_bytes()])
}

/// The site's cases, if the policy may be used on them, and whether patients repeat.
fn load(
    question: &Question<'_>,
    source: &TableSource,
    means: &Means<'_>,
    policy: &Policy,
) -> Result<(cohort::Loaded, bool), Vec<Fault>> {
    let protocol = question.protocol;
    let loaded = cohort::load(protocol, source, means)?;
    policy
        .allow(protocol, question.site, loaded.fingerprint)
        .map_err(|fault| {
            vec![Fault::new(
                Code::OpenDataRefused,
                "the policy profile open-data may not be used on this table",
                format!("{fault}; its digest is {}", loaded.fingerprint.hex()),
                "use a policy with profile = \"standard\"; open-data is for published data only",
            )]
        })?;
    let clustered = (0..protocol.endpoint.len())
        .filter_map(|endpoint| AnalysisSet::of(protocol, &loaded.cases, endpoint))
        .any(|set| set.clustered());
    Ok((loaded, clustered))
}

fn header(
    question: &Question<'_>,
    policy: PolicyStamp,
    clustered: bool,
    fingerprint: Digest,
) -> Result<Header, Vec<Fault>> {
    let exchange: ExchangeId = job::MEASURE
        .parse()
        .map_err(|_| vec![Fault::internal("the exchange's name is not valid")])?;
    let (round, job) = question.job.clone().unzip();
    Ok(Header {
        schema: shared::disclosure::document::SCHEMA.to_owned(),
        study: question.protocol.slug.clone(),
        study_version: question.protocol.version.clone(),
        protocol: question.digest,
        round,
        job,
        exchange,
        step: 1,
        input: None,
        site: question.site.clone(),
        dataset: commitment(question, fingerprint),
        policy,
        clustered,
        software: SOFTWARE.to_owned(),
        known_answer: known_answer::answer(),
    })
}
