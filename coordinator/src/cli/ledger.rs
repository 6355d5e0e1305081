//! `fedval ledger list`: who did what, and who was shown the results of which sites.
//! `fedval ledger verify`: the audit trail's chain, every stored release against its receipt, and all
//! of it against the checkpoints of both sides. Neither changes anything.
//! `fedval ledger entry`: one entry of a site's ledger, which the site shows.
//! `fedval ledger rebaseline`: what sites hold against the trail is explained.
//!
//! From: the state directory.
//! To: an auditor; exit code 1 names the first entry or release that proves nothing.

use std::path::PathBuf;

use clap::{Args, Subcommand};
use serde_json::json;
use shared::fault::{Code, Fault};
use shared::study::RoundId;
use shared::wire::EntryProof;

use super::output::{Answer, table};
use crate::config::Home;
use crate::consortium::Consortium;
use crate::link::system_now;
use crate::store::AuditEntry;

/// The record of what was received, and who did what.
#[derive(Debug, Subcommand)]
pub(super) enum Ledger {
    /// List who did what, when, oldest first.
    List(List),
    /// Hash every entry and every release again, compare with all that was signed about them, and name
    /// the first that does not fit.
    Verify,
    /// Check a file by which a site proves one entry of its ledger.
    Entry(File),
    /// Say that what sites hold against the audit trail is explained, such as by a restored backup.
    Rebaseline(Rebaseline),
}

/// Check a file by which a site proves one entry of its ledger.
#[derive(Debug, Args)]
pub(super) struct File {
    /// What `fedval-node ledger prove` wrote.
    file: PathBuf,
}

/// Say that what sites hold against the audit trail is explained.
#[derive(Debug, Args)]
pub(super) struct Rebaseline {
    /// Why, for the audit trail.
    #[arg(long)]
    reason: String,
}

/// List who did what, when, oldest first.
#[derive(Debug, Args)]
pub(super) struct List {
    /// Only entries of commands that showed or wrote out results of sites.
    #[arg(long)]
    shown: bool,
    /// Only entries about this round.
    #[arg(long)]
    round: Option<RoundId>,
}

impl Ledger {
    pub(super) fn name(&self) -> &'static str {
        match self {
            Self::List(_) => "ledger list",
            Self::Verify => "ledger verify",
            Self::Entry(_) => "ledger entry",
            Self::Rebaseline(_) => "ledger rebaseline",
        }
    }

    pub(super) fn run(&self, home: &Home) -> Result<Answer, Fault> {
        match self {
            Self::List(list) => list.run(home),
            Self::Verify => verify(home),
            Self::Entry(file) => file.run(home),
            Self::Rebaseline(wish) => wish.run(home),
        }
    }
}

impl List {
    fn run(&self, home: &Home) -> Result<Answer, Fault> {
        let wanted = |entry: &AuditEntry| {
            let round = self.round.as_ref().map(RoundId::as_str);
            (!self.shown || !entry.shown.is_empty())
                && (round.is_none() || entry.round.as_deref() == round)
        };
        let entries: Vec<(u64, AuditEntry)> = (1..)
            .zip(home.store()?.audit()?)
            .filter(|(_, entry)| wanted(entry))
            .collect();
        let rows: Vec<Vec<String>> = entries
            .iter()
            .map(|(seq, entry)| row(*seq, entry))
            .collect();
        let data: Vec<_> = entries
            .iter()
            .map(|(seq, entry)| json!({"entry": seq, "content": entry}))
            .collect();
        let head = ["entry", "at", "by", "what", "round", "sites", "object"];
        Ok(Answer::new(table(&head, &rows), &data)?.next("fedval ledger verify"))
    }
}

impl File {
    fn run(&self, home: &Home) -> Result<Answer, Fault> {
        let unproved = |why: String| {
            Fault::new(
                Code::LedgerBroken,
                format!("{} proves nothing", self.file.display()),
                why,
                "ask the site for the file of fedval-node ledger prove",
            )
        };
        let bytes = std::fs::read(&self.file).map_err(|error| unproved(error.to_string()))?;
        let proof: EntryProof =
            serde_json::from_slice(&bytes).map_err(|error| unproved(error.to_string()))?;
        let ca = Consortium::load(&home.ca_dir())?.ca.public();
        let checkpoint = proof.verify(&ca).map_err(|why| unproved(why.to_string()))?;
        let entry: serde_json::Value =
            serde_json::from_str(&proof.entry).map_err(|error| unproved(error.to_string()))?;
        let text = format!(
            "entry {} stood in the ledger of {}, which had {} entries, at {}\n{}",
            proof.number,
            checkpoint.site,
            checkpoint.seen.size,
            checkpoint.at,
            serde_json::to_string_pretty(&entry).unwrap_or_default()
        );
        let data = json!({
            "site": checkpoint.site,
            "number": proof.number,
            "entries": checkpoint.seen.size,
            "seen_at": checkpoint.at,
            "entry": entry,
        });
        Answer::new(text, &data)
    }
}

impl Rebaseline {
    fn run(&self, home: &Home) -> Result<Answer, Fault> {
        if self.reason.trim().is_empty() {
            return Err(Fault::new(
                Code::UsageInvalid,
                "a re-baseline needs its reason",
                "the audit trail keeps why it contradicts what was signed",
                "say it with --reason \"...\"",
            ));
        }
        let explained = home.store()?.rebaseline_trail(&self.reason, system_now())?;
        let text = format!(
            "{explained} checkpoints that the audit trail does not match count as explained; each site \
             that refuses takes the trail as it is with: fedval-node ledger rebaseline --reason WHY"
        );
        Answer::new(text, &json!({"explained": explained}))
    }
}

fn row(seq: u64, entry: &AuditEntry) -> Vec<String> {
    let sites = entry.site.iter().chain(&entry.shown);
    let sites: Vec<&str> = sites.map(String::as_str).collect();
    let or_empty = |text: &Option<String>| text.clone().unwrap_or_default();
    vec![
        seq.to_string(),
        entry.at.to_string(),
        or_empty(&entry.by),
        if entry.shown.is_empty() {
            entry.what.clone()
        } else {
            format!("{} (results shown)", entry.what)
        },
        or_empty(&entry.round),
        sites.join(" "),
        match &entry.reason {
            None => or_empty(&entry.object),
            Some(reason) => format!("{}: {reason}", or_empty(&entry.object)),
        },
    ]
}

fn verify(home: &Home) -> Result<Answer, Fault> {
    let store = home.store()?;
    let entries = store.verify_audit()?.map_err(|at| {
        broken(
            format!("audit entry {} does not follow from the one before", at.seq),
            "an entry was changed, removed or inserted",
        )
    })?;
    let consortium = Consortium::load(&home.ca_dir())?;
    let receipts = store
        .verify_receipts(&consortium.ca.public())?
        .map_err(|fault| broken(format!("{} proves nothing", fault.what), &fault.why))?;
    let found = store
        .verify_checkpoints(&consortium.ca.public())?
        .map_err(|fault| broken(format!("{} is not what was signed", fault.what), &fault.why))?;
    let text = format!(
        "audit trail: {entries} entries, chain sound\nreceipts: {receipts}, each signed for the \
         release beside it\ncheckpoints: {} of the trail, {} of sites' ledgers, all fit; {} sites have \
         signed to have seen up to {} entries of the trail",
        found.given, found.held, found.sites, found.seen
    );
    Answer::new(
        text,
        &json!({"entries": entries, "receipts": receipts, "checkpoints": found}),
    )
}

fn broken(what: String, why: &str) -> Fault {
    Fault::new(
        Code::LedgerBroken,
        what,
        why,
        "keep the file as evidence and restore the last backup",
    )
}
