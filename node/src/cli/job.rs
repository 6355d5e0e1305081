//! `fedval-node job list | show | preview | approve | reject | retry`.
//!
//! From: the store; decisions go through the running node, or take the state lock.
//! To: approvers.

use std::fmt::Write as _;
use std::io::{BufRead as _, IsTerminal as _, Write as _};
use std::path::{Path, PathBuf};
use std::time::Duration;

use clap::Subcommand;
use serde::Serialize;
use shared::disclosure::{Item, ReceivedRelease};
use shared::fault::{Code, Exit, Fault};
use shared::identity::Digest;
use shared::study::{SiteState, StudyProtocol, StudySlug};

use super::output::Output;
use super::{Cli, Outcome, measure, one, secret};
use crate::approval::key::LockedKey;
use crate::approval::signature::{Signed, Statement};
use crate::approval::{self, Ask};
use crate::cohort::Finding;
use crate::config::{NodeConfig, ReleaseMode};
use crate::daemon::control::{Reply, Request, ask};
use crate::daemon::{Reading, StateLock};
use crate::link::system_now;
use crate::person::Person;
use crate::preview::{self, Difference, Further, Page, Told};
use crate::private::write_new;
use crate::release::{self, Verb};
use crate::store::{Store, StoredJob, StoredPreview, unknown_job};

/// Jobs and decisions.
#[derive(Debug, Subcommand)]
pub(super) enum Job {
    /// Every job, oldest first.
    List,
    /// What a job asks, of whom, under which protocol.
    Show {
        /// Round or job id.
        job: String,
    },
    /// Every item with its verdict, and the exact bytes that would be sent. Sends nothing.
    Preview {
        /// Round or job id.
        job: String,
        /// Write the preview as one page into this file, which must not exist yet.
        #[arg(long, value_name = "FILE")]
        html: Option<PathBuf>,
    },
    /// Release the previewed bytes; asks for the study's name.
    Approve {
        /// Round or job id.
        job: String,
        /// A remark for the ledger; it stays here.
        #[arg(long)]
        note: Option<String>,
        /// Your key file, where this site asks for signatures.
        #[arg(long, value_name = "FILE", env = "FEDVAL_APPROVER_KEY")]
        key: Option<PathBuf>,
    },
    /// Release nothing for this job.
    Reject {
        /// Round or job id.
        job: String,
        /// Why; it stays here.
        #[arg(long)]
        reason: String,
    },
    /// Compute again, after the table or its mapping was mended.
    Retry {
        /// Round or job id.
        job: String,
    },
}

#[derive(Serialize)]
struct Preview {
    job: StoredJob,
    digest: String,
    bytes: usize,
    items: Vec<Item>,
    findings: Vec<Finding>,
    difference: Difference,
    inference: String,
    approval: Ask,
    approved_so_far: Vec<String>,
    document: serde_json::Value,
    #[serde(skip_serializing_if = "Option::is_none")]
    html: Option<String>,
}

/// A preview as it is read from the store.
struct Waiting {
    stored: StoredPreview,
    items: Vec<Item>,
    findings: Vec<Finding>,
    protocol: StudyProtocol,
    release: ReceivedRelease,
    further: Vec<Further>,
    told: Told,
    /// How many people must approve, why, who has.
    asks: Vec<String>,
    ask: Ask,
    so_far: Vec<String>,
}

impl Job {
    pub(super) fn word(&self) -> &'static str {
        match self {
            Self::List => "job list",
            Self::Show { .. } => "job show",
            Self::Preview { .. } => "job preview",
            Self::Approve { .. } => "job approve",
            Self::Reject { .. } => "job reject",
            Self::Retry { .. } => "job retry",
        }
    }

    pub(super) fn run(&self, cli: &Cli, output: &Output) -> Outcome {
        let config = cli.config()?;
        match self {
            Self::List => list(&config, output),
            Self::Show { job } => show(&config, job, output),
            Self::Preview { job, html } => preview(&config, job, html.as_deref(), output),
            Self::Approve { job, note, key } => {
                let key = key.as_deref();
                approve(&config, job, note.clone(), key, output)
            }
            Self::Reject { job, reason } => {
                let found = find(&config, job)?;
                let verb = Verb::Reject {
                    job: found.digest,
                    reason: reason.clone(),
                };
                decide(&config, verb, self.word(), "rejected", output)
            }
            Self::Retry { job } => {
                let found = find(&config, job)?;
                let verb = Verb::Retry { job: found.digest };
                decide(&config, verb, self.word(), "computing again", output)
            }
        }
    }
}

/// `fedval-node ledger rebaseline`.
pub(super) fn rebaseline(cli: &Cli, reason: &str, output: &Output) -> Outcome {
    let verb = Verb::Rebaseline {
        reason: reason.to_owned(),
    };
    decide(
        &cli.config()?,
        verb,
        "ledger rebaseline",
        "re-baselined",
        output,
    )
}

/// `fedval-node pause`.
pub(super) fn pause(cli: &Cli, reason: &str, output: &Output) -> Outcome {
    let verb = Verb::Pause {
        reason: reason.to_owned(),
    };
    decide(&cli.config()?, verb, "pause", "paused", output)
}

/// `fedval-node leave`.
pub(super) fn leave(
    cli: &Cli,
    (study, withdraw): (&StudySlug, bool),
    reason: &str,
    output: &Output,
) -> Outcome {
    let verb = Verb::Leave {
        study: study.clone(),
        reason: reason.to_owned(),
        withdraw,
    };
    decide(&cli.config()?, verb, "leave", "left", output)
}

/// `fedval-node resume`.
pub(super) fn resume(cli: &Cli, output: &Output) -> Outcome {
    decide(&cli.config()?, Verb::Resume, "resume", "resumed", output)
}

fn store(config: &NodeConfig) -> Result<Store, Vec<Fault>> {
    Store::open_read_only(&config.storage.dir).map_err(one)
}

/// The newest job of a round, or the job with this id.
fn find(config: &NodeConfig, name: &str) -> Result<StoredJob, Vec<Fault>> {
    let jobs = store(config)?.jobs().map_err(one)?;
    let hit = |job: &&StoredJob| {
        job.round == name || job.digest.to_string() == name || job.digest.hex() == name
    };
    jobs.iter()
        .rev()
        .find(hit)
        .cloned()
        .ok_or_else(|| one(unknown_job(name)))
}

fn list(config: &NodeConfig, output: &Output) -> Outcome {
    let jobs = store(config)?.jobs().map_err(one)?;
    let computing = jobs.iter().any(|job| job.state == SiteState::Computing);
    let reading = computing.then(|| reading(config)).flatten();
    let mut text = String::new();
    for job in &jobs {
        let _ = writeln!(
            text,
            "{:20} {:16} {:18} {}",
            job.round, job.study, job.state, job.offered_at
        );
        if let Some(Reading { progress, .. }) = reading
            .as_ref()
            .filter(|reading| reading.round == job.round)
        {
            let (done, of) = (progress.done, progress.of);
            let _ = writeln!(text, "    images: {done} of {of} cases read");
        }
        if let Some(why) = &job.local_why {
            let _ = writeln!(text, "    {}", why.replace('\n', "\n    "));
        }
    }
    if jobs.is_empty() {
        text.push_str("no jobs\n");
    }
    output.result("job list", Exit::Done, &jobs, &text, &[])
}

/// The images that the running node reads, if one runs and reads any.
fn reading(config: &NodeConfig) -> Option<Reading> {
    match ask(&config.storage.dir, &Request::Status).ok()?? {
        Reply::Status { view } => view.reading,
        Reply::Done { .. } | Reply::Refused { .. } => None,
    }
}

fn show(config: &NodeConfig, name: &str, output: &Output) -> Outcome {
    let job = find(config, name)?;
    let document: serde_json::Value = serde_json::from_slice(&job.bytes).unwrap_or_default();
    let mut text = format!("round      {}\njob        {}\n", job.round, job.digest);
    let _ = writeln!(
        text,
        "study      {}\nprotocol   {}",
        job.study, job.protocol
    );
    let _ = writeln!(text, "state      {}: {}", job.state, job.state.meaning());
    if let Some(why) = &job.local_why {
        let _ = writeln!(text, "{why}");
    }
    for exchange in release::declared(&job) {
        let steps = store(config)?
            .steps(job.digest, &exchange.id)
            .map_err(one)?;
        let answered = steps.iter().filter(|step| step.delivered).count();
        let end = store(config)?
            .exchange_end(job.digest, &exchange.id)
            .map_err(one)?;
        let end = end.map(|end| match (end.refusal, end.local_why) {
            (Some(word), why) => format!("; {word}: {}", why.unwrap_or_default()),
            (None, _) => "; over".to_owned(),
        });
        let _ = writeln!(
            text,
            "exchange   {}: {answered} of at most {} steps answered{}",
            exchange.id,
            exchange.max_steps,
            end.unwrap_or_default()
        );
    }
    let body = document.get("body").cloned().unwrap_or_default();
    let _ = writeln!(
        text,
        "asks       {}",
        serde_json::to_string_pretty(&body).unwrap_or_default()
    );
    output.result(
        "job show",
        Exit::Done,
        body,
        &text,
        &["fedval-node job preview"],
    )
}

fn previewed(config: &NodeConfig, job: &StoredJob) -> Result<StoredPreview, Vec<Fault>> {
    store(config)?
        .preview(job.digest)
        .map_err(one)?
        .ok_or_else(|| {
            let why = job
                .local_why
                .clone()
                .unwrap_or_else(|| job.state.meaning().to_owned());
            one(Fault::new(
                Code::NotWaiting,
                format!(
                    "round {} has nothing to show: it is {}",
                    job.round, job.state
                ),
                why,
                format!(
                    "mend what the reason names, then: fedval-node job retry {}",
                    job.round
                ),
            ))
        })
}

/// Everything that staff are shown of a job that waits.
fn read_preview(config: &NodeConfig, job: &StoredJob) -> Result<Waiting, Vec<Fault>> {
    let stored = previewed(config, job)?;
    let broken = || one(Fault::internal("a stored preview cannot be read"));
    let items: Vec<Item> = serde_json::from_str(&stored.items).map_err(|_| broken())?;
    let findings = serde_json::from_str(&stored.findings).map_err(|_| broken())?;
    let release = ReceivedRelease::read(&stored.bytes).map_err(|_| broken())?;
    let store = store(config)?;
    let protocol = store.protocol(job.protocol).map_err(one)?;
    let protocol = protocol
        .and_then(|bytes| measure::unverified(&bytes))
        .ok_or_else(|| one(Fault::internal("the job's protocol is not stored")))?;
    let difference = Difference::of(&store, &job.study, stored.digest, &items).map_err(one)?;
    let further: Vec<Further> = release::declared(job)
        .into_iter()
        .map(|exchange| Further::of(exchange, &protocol, config))
        .collect();
    let told = Told::new(&protocol, &release, &items, difference, &further);
    let ask = release::ask(&store, config, &release).map_err(one)?;
    let entries = store.entries().map_err(one)?;
    let so_far = approval::so_far(&entries, job.digest, stored.digest, ask.standing);
    let so_far = so_far.iter().filter(|one| one.counts(&config.access));
    let so_far: Vec<String> = so_far.map(|one| one.approver.clone()).collect();
    Ok(Waiting {
        stored,
        items,
        findings,
        protocol,
        release,
        further,
        told,
        asks: if job.state == SiteState::WaitingApproval {
            ask.words(job.study.as_str(), &so_far)
        } else {
            vec![format!("Nobody any more: it is {}.", job.state)]
        },
        ask,
        so_far,
    })
}

impl Waiting {
    fn text(&self, job: &StoredJob) -> String {
        let heading = format!(
            "release for round {}, study {} {}\nto the coordinator of this consortium; protocol {}",
            job.round,
            self.protocol.slug,
            preview::line(&self.protocol.version),
            job.protocol
        );
        let further = self.further.iter();
        let heading = further.fold(heading, |text, one| format!("{text}\n\n{}", one.text));
        let shown = (self.items.as_slice(), Some(&self.told));
        let asks = self.asks.join("\n  ");
        let heading = format!("{heading}\n\nwho must approve\n  {asks}");
        preview::text(
            &heading,
            &self.protocol,
            shown,
            &self.findings,
            Some(&self.stored.bytes),
        )
    }

    fn page(&self, config: &NodeConfig, job: &StoredJob) -> Result<String, Fault> {
        let bytes = std::str::from_utf8(&self.stored.bytes)
            .map_err(|_| Fault::internal("a stored preview is not text"))?;
        let page = Page {
            site: &config.site.display_name,
            round: &job.round,
            job: job.digest,
            protocol_digest: job.protocol,
            protocol: &self.protocol,
            policy: &self.release.header.policy,
            items: &self.items,
            findings: &self.findings,
            told: &self.told,
            further: &self.further,
            asks: &self.asks,
            bytes,
        };
        page.html()
    }

    fn data(self, job: StoredJob, html: Option<&Path>) -> Result<Preview, Vec<Fault>> {
        let document = serde_json::from_slice(&self.stored.bytes)
            .map_err(|_| one(Fault::internal("a stored preview cannot be read")))?;
        Ok(Preview {
            job,
            digest: self.stored.digest.to_string(),
            bytes: self.stored.bytes.len(),
            items: self.items,
            findings: self.findings,
            difference: self.told.difference,
            inference: self.told.inference,
            approval: self.ask,
            approved_so_far: self.so_far,
            document,
            html: html.map(|path| path.display().to_string()),
        })
    }
}

fn preview(config: &NodeConfig, name: &str, html: Option<&Path>, output: &Output) -> Outcome {
    let job = find(config, name)?;
    let waiting = read_preview(config, &job)?;
    let text = match html {
        None => waiting.text(&job),
        Some(path) => {
            write_new(path, &waiting.page(config, &job).map_err(one)?).map_err(one)?;
            format!(
                "{}: {} items, {} bytes, {}; readable by you alone, and not for sending\n",
                path.display(),
                waiting.items.len(),
                waiting.stored.bytes.len(),
                waiting.stored.digest
            )
        }
    };
    let waits = job.state == SiteState::WaitingApproval;
    let next = waits.then(|| format!("fedval-node job approve {}", job.round));
    let next: Vec<&str> = next.as_deref().into_iter().collect();
    let data = waiting.data(job, html)?;
    output.result("job preview", Exit::Done, data, &text, &next)
}

/// Releasing is never scripted: it needs a terminal and the study's name, typed.
fn approve(
    config: &NodeConfig,
    name: &str,
    note: Option<String>,
    key: Option<&Path>,
    output: &Output,
) -> Outcome {
    let job = find(config, name)?;
    let waiting = read_preview(config, &job)?;
    let seen = waiting.stored.digest;
    if !std::io::stdin().is_terminal() {
        return Err(one(Fault::new(
            Code::ConfirmationNeeded,
            format!("releasing {} needs a person at a terminal", job.round),
            "standard input is not a terminal",
            format!("run it yourself: fedval-node job approve {}", job.round),
        )));
    }
    let key = key.map(LockedKey::read).transpose().map_err(one)?;
    if key.is_none() && !config.access.keys.is_empty() {
        return Err(one(Fault::new(
            Code::ApprovalNotSigned,
            "nothing was released",
            "this site lists keys of its approvers, and no key file was named",
            format!("fedval-node job approve {} --key FILE", job.round),
        )));
    }
    output.words(&waiting.text(&job));
    let _ = write!(
        std::io::stderr(),
        "\n{} bytes will leave. Type the study's name to release, anything else to stop: ",
        waiting.stored.bytes.len()
    );
    let mut typed = String::new();
    let _ = std::io::stdin().lock().read_line(&mut typed);
    if typed.trim() != job.study.as_str() {
        return Err(one(Fault::new(
            Code::ConfirmationNeeded,
            "nothing was released",
            "the study's name was not typed",
            format!("look again: fedval-node job preview {}", job.round),
        )));
    }
    let signature = key.map(|key| sign(&key, &job, seen, waiting.ask.standing));
    let verb = Verb::Approve {
        job: job.digest,
        seen,
        standing: waiting.ask.standing,
        note,
        signature: signature.transpose().map_err(one)?.map(Box::new),
    };
    decide(config, verb, "job approve", "approved", output)
}

/// Signs what was shown, in the name of whoever runs this command.
fn sign(
    key: &LockedKey<'_>,
    job: &StoredJob,
    seen: Digest,
    standing: Option<ReleaseMode>,
) -> Result<Signed, Fault> {
    let passphrase = secret::ask("Passphrase of your key: ")?;
    let me = Person::myself();
    Statement::new(&me.name, job.digest, seen, standing).sign(&key.open(&passphrase)?)
}

#[derive(Serialize)]
struct Decided {
    by: String,
    what: &'static str,
}

/// Who may change the state directory now.
enum Holder {
    /// The running node; it has answered.
    Node(Reply),
    /// This command.
    Nobody(StateLock),
}

/// Asks the running node, or takes its place. A node that starts or stops holds the lock for a
/// moment without listening; it is asked again.
fn node_or_lock(dir: &Path, request: &Request) -> Result<Holder, Fault> {
    const TRIES: u32 = 40;
    const PAUSE: Duration = Duration::from_millis(50);
    for _ in 1..TRIES {
        if let Some(reply) = ask(dir, request)? {
            return Ok(Holder::Node(reply));
        }
        if let Ok(lock) = StateLock::take(dir) {
            return Ok(Holder::Nobody(lock));
        }
        std::thread::sleep(PAUSE);
    }
    StateLock::take(dir).map(Holder::Nobody)
}

/// Whether an approval was one of several that the site's policy asks for.
fn waits_still(config: &NodeConfig, verb: &Verb) -> Result<bool, Vec<Fault>> {
    let Verb::Approve { job, .. } = verb else {
        return Ok(false);
    };
    let found = store(config)?.job(*job).map_err(one)?;
    Ok(found.is_some_and(|job| job.state == SiteState::WaitingApproval))
}

/// Through the running node; without one, under the state lock.
fn decide(
    config: &NodeConfig,
    verb: Verb,
    command: &str,
    what: &'static str,
    output: &Output,
) -> Outcome {
    let dir = &config.storage.dir;
    let request = Request::Decide {
        decision: verb.clone(),
    };
    let by = match node_or_lock(dir, &request).map_err(one)? {
        Holder::Node(Reply::Done { person }) => person,
        Holder::Node(Reply::Status { .. } | Reply::Refused { .. }) => {
            return Err(one(Fault::internal(
                "the running node answered something else",
            )));
        }
        Holder::Nobody(_lock) => {
            let person = Person::myself();
            person.may_decide(&config.access).map_err(one)?;
            let store = Store::open(dir).map_err(one)?;
            release::decide(&store, config, verb.clone(), &person.name, system_now())
                .map_err(one)?;
            person.name
        }
    };
    let text = if waits_still(config, &verb)? {
        format!("{what} by {by}; another person must approve it too\n")
    } else {
        format!("{what} by {by}\n")
    };
    output.result(command, Exit::Done, Decided { by, what }, &text, &[])
}
