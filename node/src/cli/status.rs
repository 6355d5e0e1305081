//! `fedval-node status`: one screen.
//!
//! From: the store, the running node.
//! To: hospital IT.

use std::collections::BTreeMap;
use std::fmt::Write as _;

use serde::Serialize;
use shared::disclosure::Policy;
use shared::disclosure::noise::Amount;
use shared::fault::{Exit, Fault};
use shared::study::SiteState;

use super::output::Output;
use super::{Cli, Outcome, one, site};
use crate::config::NodeConfig;
use crate::daemon::Reading;
use crate::daemon::control::{Reply, Request, ask};
use crate::link::{IdentityDir, system_now};
use crate::measure;
use crate::store::{Pause, Spent, Store};

#[derive(Serialize)]
struct Status {
    site: String,
    running: bool,
    connected: bool,
    link_fault: Option<String>,
    clock_skew_s: Option<i64>,
    certificate_until: Option<String>,
    certificate_days_left: Option<i64>,
    paused: Option<Pause>,
    reading: Option<Reading>,
    studies: Vec<String>,
    left: Vec<String>,
    waiting_approval: Vec<String>,
    jobs: usize,
    ledger_entries: u64,
    /// What is spent of the privacy budget, and the budget where the policy has one.
    privacy: Option<Privacy>,
}

#[derive(Serialize)]
struct Privacy {
    spent: Amount,
    spent_delta: Amount,
    budget: Option<Amount>,
    questions: usize,
    patients: usize,
}

pub(super) fn run(cli: &Cli, output: &Output) -> Outcome {
    let config = cli.config()?;
    let dir = &config.storage.dir;
    let view = match ask(dir, &Request::Status).map_err(one)? {
        Some(Reply::Status { view }) => Some(view),
        Some(Reply::Done { .. } | Reply::Refused { .. }) | None => None,
    };
    let store = Store::open_read_only(dir).ok();
    let jobs = store
        .as_ref()
        .map_or_else(|| Ok(Vec::new()), Store::jobs)
        .map_err(one)?;
    let paused = store
        .as_ref()
        .map_or(Ok(None), Store::paused)
        .map_err(one)?;
    let head = store.as_ref().map(Store::head).transpose().map_err(one)?;
    let identity = IdentityDir::new(&config.identity.dir).load().ok();
    let status = Status {
        site: site(&config).to_string(),
        running: view.is_some(),
        connected: view.as_ref().is_some_and(|view| view.connected),
        link_fault: view.as_ref().and_then(|view| view.last_fault.clone()),
        clock_skew_s: view.as_ref().and_then(|view| view.skew_s),
        certificate_until: identity
            .as_ref()
            .map(|identity| identity.not_after.to_string()),
        certificate_days_left: identity.map(|identity| identity.days_left(system_now())),
        paused,
        reading: view.and_then(|view| view.reading),
        studies: config
            .access
            .studies
            .iter()
            .map(ToString::to_string)
            .collect(),
        left: store
            .as_ref()
            .map_or_else(|| Ok(BTreeMap::new()), Store::left)
            .map_err(one)?
            .keys()
            .map(ToString::to_string)
            .collect(),
        waiting_approval: jobs
            .iter()
            .filter(|job| job.state == SiteState::WaitingApproval)
            .map(|job| job.round.clone())
            .collect(),
        jobs: jobs.len(),
        ledger_entries: head.map_or(0, |head| head.entries),
        privacy: privacy(&config, store.as_ref()).map_err(one)?,
    };
    let text = words(&status);
    output.result("status", Exit::Done, status, &text, &[])
}

/// The privacy budget; absent where nothing was spent and the policy has none.
fn privacy(config: &NodeConfig, store: Option<&Store>) -> Result<Option<Privacy>, Fault> {
    let spent = store.map_or_else(|| Ok(Spent::default()), Store::spent)?;
    let policy = measure::policy(config.disclosure.policy.as_deref()).ok();
    let plan = policy.as_ref().and_then(Policy::noise);
    Ok((plan.is_some() || spent.questions > 0).then(|| Privacy {
        spent: spent.most,
        spent_delta: spent.most_delta,
        budget: plan.map(|plan| plan.epsilon_budget),
        questions: spent.questions,
        patients: spent.patients,
    }))
}

fn privacy_words(privacy: &Privacy) -> String {
    let budget = match privacy.budget {
        Some(budget) => format!("of {budget} "),
        None => String::new(),
    };
    let delta = if privacy.spent_delta == Amount::ZERO {
        String::new()
    } else {
        format!(", delta {}", privacy.spent_delta)
    };
    format!(
        "privacy       epsilon {} {budget}spent on the patient with the most{delta}; {} questions about \
         {} patients\n",
        privacy.spent, privacy.questions, privacy.patients
    )
}

fn words(status: &Status) -> String {
    let mut text = String::new();
    let link = match (status.running, status.connected) {
        (false, _) => "not running",
        (true, true) => "connected by QUIC",
        (true, false) => "running, not connected",
    };
    let none = || "none".to_owned();
    let list = |items: &[String]| {
        if items.is_empty() {
            none()
        } else {
            items.join(", ")
        }
    };
    let _ = writeln!(text, "site          {}", status.site);
    let _ = writeln!(text, "link          {link}");
    if let Some(fault) = &status.link_fault {
        let _ = writeln!(
            text,
            "last fault    {}",
            fault.replace('\n', "\n              ")
        );
    }
    if let Some(skew) = status.clock_skew_s {
        let _ = writeln!(text, "clock skew    {skew} s");
    }
    let until = match (&status.certificate_until, status.certificate_days_left) {
        (Some(until), Some(days)) => format!("until {until} ({days} days left)"),
        (Some(_) | None, _) => "not joined".to_owned(),
    };
    let _ = writeln!(text, "certificate   {until}");
    if let Some(Pause { by, at, reason }) = &status.paused {
        let _ = writeln!(text, "paused        by {by} at {at}: {reason}");
    }
    if let Some(Reading { round, progress }) = &status.reading {
        let (done, of) = (progress.done, progress.of);
        let _ = writeln!(text, "images        {done} of {of} cases read for {round}");
    }
    let _ = writeln!(text, "studies       {}", list(&status.studies));
    if !status.left.is_empty() {
        let _ = writeln!(text, "left          {}", list(&status.left));
    }
    text.push_str(
        &status
            .privacy
            .as_ref()
            .map_or_else(String::new, privacy_words),
    );
    let _ = writeln!(
        text,
        "waiting for approval  {}",
        list(&status.waiting_approval)
    );
    let _ = writeln!(
        text,
        "jobs {}, ledger entries {}",
        status.jobs, status.ledger_entries
    );
    text
}
