//! `fedval-node ledger list | show | verify | export`.
//!
//! From: the store, read-only.
//! To: hospital IT, the data-protection officer.

use std::fmt::Write as _;
use std::path::{Path, PathBuf};

use clap::Subcommand;
use serde::Serialize;
use shared::fault::{Code, Exit, Fault};
use shared::study::SiteSlug;
use shared::wire::{EntryProof, LedgerHead};

use super::output::Output;
use super::{Cli, Outcome, job, one};
use crate::approval::signature::Signed;
use crate::approval::{AUTOMATIC, SAME_SHAPE};
use crate::config::{AccessSection, NodeConfig};
use crate::ledger::export::Export;
use crate::ledger::{AND, Entry, Event, Masked};
use crate::link::IdentityDir;
use crate::private::write_new;
use crate::store::Store;
use crate::witness::{self, Witnessed};

/// The record of what was asked, refused and released.
#[derive(Debug, Subcommand)]
pub(super) enum Ledger {
    /// Every entry, one line each.
    List,
    /// One entry, whole.
    Show {
        /// Its number.
        number: u64,
    },
    /// Hash every entry again, compare with all that was signed about it, and name the first that
    /// does not fit.
    Verify,
    /// Write one entry with the proof that it stood in this ledger when the coordinator saw it; the
    /// file shows this entry, with its remark, and no other.
    Prove {
        /// Its number.
        number: u64,
        /// The file; it must not exist yet.
        #[arg(long, value_name = "FILE")]
        out: PathBuf,
    },
    /// Take the coordinator's record as it is now, although it signed another one before.
    Rebaseline {
        /// Why; it stays here.
        #[arg(long)]
        reason: String,
    },
    /// Write the ledger and what was released into a new folder: CSV, HTML, Five Safes RO-Crate.
    Export {
        /// The folder; it must not exist yet.
        #[arg(long, value_name = "DIR")]
        out: PathBuf,
        /// Include remarks and reasons, which are meant to stay at this hospital.
        #[arg(long)]
        remarks: bool,
    },
}

#[derive(Serialize)]
struct Exported {
    out: String,
    entries: usize,
    releases: usize,
    remarks: bool,
}

#[derive(Serialize)]
struct Verified {
    entries: u64,
    head: String,
    /// Approvals that carry the signature of every approver.
    signed: usize,
    /// Approvals by people of whom at least one has not signed.
    unsigned: usize,
    /// Entries signed with a key that the site's file does not list, or no longer.
    unlisted: Vec<u64>,
    /// What both sides signed; absent before this node has joined.
    #[serde(skip_serializing_if = "Option::is_none")]
    witnessed: Option<Witnessed>,
}

impl Verified {
    fn of(entries: &[Entry], head: &LedgerHead, access: &AccessSection) -> Self {
        let mut found = Self {
            entries: head.entries,
            head: head.hash.to_string(),
            signed: 0,
            unsigned: 0,
            unlisted: Vec::new(),
            witnessed: None,
        };
        for entry in entries {
            let signatures = entry.event.signatures();
            let listed = |one: &Signed| access.keys.get(&one.approver) == Some(&one.key);
            if !signatures.iter().all(listed) {
                found.unlisted.push(entry.seq);
            }
            if let Event::Approved { approver, .. } = &entry.event
                && ![AUTOMATIC, SAME_SHAPE].contains(&approver.as_str())
            {
                let signs = |name: &str| signatures.iter().any(|one| one.approver == name);
                let count = if approver.split(AND).all(signs) {
                    &mut found.signed
                } else {
                    &mut found.unsigned
                };
                *count += 1;
            }
        }
        found
    }

    fn text(&self) -> String {
        let mut text = format!(
            "{} entries, chain sound, head {}\n{} approvals signed by all their approvers, {} not\n",
            self.entries, self.head, self.signed, self.unsigned
        );
        if let Some(found) = &self.witnessed {
            let _ = writeln!(
                text,
                "{} checkpoints signed here and {} receipts fit; the coordinator has signed to have seen \
                 {} entries\n{} checkpoints of the coordinator's record, each extending the one before, \
                 the newest of {} entries",
                found.own, found.receipts, found.seen, found.coordinator, found.trail
            );
        }
        for seq in &self.unlisted {
            let _ = writeln!(
                text,
                "entry {seq}: signed with a key that [access.keys] does not list, or no longer"
            );
        }
        text
    }
}

impl Ledger {
    pub(super) fn word(&self) -> &'static str {
        match self {
            Self::List => "ledger list",
            Self::Show { .. } => "ledger show",
            Self::Verify => "ledger verify",
            Self::Prove { .. } => "ledger prove",
            Self::Rebaseline { .. } => "ledger rebaseline",
            Self::Export { .. } => "ledger export",
        }
    }

    pub(super) fn run(&self, cli: &Cli, output: &Output) -> Outcome {
        if let Self::Rebaseline { reason } = self {
            return job::rebaseline(cli, reason, output);
        }
        let config = cli.config()?;
        let store = Store::open_read_only(&config.storage.dir).map_err(one)?;
        let entries = store.entries().map_err(one)?;
        match self {
            Self::List => {
                let text: String = entries.iter().map(line).collect();
                output.result(self.word(), Exit::Done, &entries, &text, &[])
            }
            Self::Show { number } => {
                let entry = entries
                    .iter()
                    .find(|entry| entry.seq == *number)
                    .ok_or_else(|| {
                        one(Fault::new(
                            Code::UnknownEntry,
                            format!("there is no ledger entry {number}"),
                            format!("the ledger has {} entries", entries.len()),
                            "list them: fedval-node ledger list",
                        ))
                    })?;
                let text = serde_json::to_string_pretty(entry).unwrap_or_default() + "\n";
                output.result(self.word(), Exit::Done, entry, &text, &[])
            }
            Self::Verify => {
                // The groups of patients that it speaks about are compared on the way.
                store.past().map_err(one)?;
                store.spent().map_err(one)?;
                let head = store.head().map_err(one)?;
                let mut data = Verified::of(&entries, &head, &config.access);
                let identity = IdentityDir::new(&config.identity.dir);
                if identity.has_joined() {
                    let identity = identity.load().map_err(one)?;
                    let found = witness::verify(&store, &identity, &entries);
                    data.witnessed = Some(found.map_err(one)?);
                }
                let text = data.text();
                output.result(self.word(), Exit::Done, data, &text, &[])
            }
            Self::Prove { number, out } => {
                let (data, text) = prove(&config, &store, *number, out).map_err(one)?;
                output.result(self.word(), Exit::Done, data, &text, &[])
            }
            Self::Rebaseline { .. } => Ok(Exit::Done),
            Self::Export { out, remarks } => {
                let (data, text) = export(&config, &store, &entries, (out, *remarks))?;
                output.result(self.word(), Exit::Done, data, &text, &[])
            }
        }
    }
}

/// Writes the proof of one entry; what there is to say of it.
fn prove(
    config: &NodeConfig,
    store: &Store,
    number: u64,
    out: &Path,
) -> Result<(EntryProof, String), Fault> {
    let identity = IdentityDir::new(&config.identity.dir).load()?;
    let proof = witness::prove(store, &identity, number)?;
    let text = serde_json::to_string_pretty(&proof)
        .map_err(|fault| Fault::internal(format!("a proof: {fault}")))?;
    write_new(out, &(text + "\n"))?;
    let text = format!(
        "{}: entry {number} with its proof; whoever gets it reads the whole entry\n",
        out.display()
    );
    Ok((proof, text))
}

/// Writes the folder; what there is to say of it.
fn export(
    config: &NodeConfig,
    store: &Store,
    entries: &[Entry],
    (out, remarks): (&Path, bool),
) -> Result<(Exported, String), Vec<Fault>> {
    store.past().map_err(one)?;
    let released = store.released().map_err(one)?;
    let export = Export {
        site: &config.site.slug,
        name: &config.site.display_name,
        entries,
        head: store.head().map_err(one)?,
        released: &released,
        remarks,
    };
    write(out, &export.files().map_err(one)?).map_err(one)?;
    let data = Exported {
        out: out.display().to_string(),
        entries: entries.len(),
        releases: released.len(),
        remarks,
    };
    let text = format!(
        "{}: {} entries and {} releases; {}\n",
        data.out,
        data.entries,
        data.releases,
        if remarks {
            "with the remarks of this hospital's staff: keep it here"
        } else {
            "remarks and reasons are left out"
        }
    );
    Ok((data, text))
}

/// Writes the files of a folder that did not exist.
fn write(out: &Path, files: &[(String, Vec<u8>)]) -> Result<(), Fault> {
    let unwritable = |path: &Path, fault: &std::io::Error| {
        Fault::new(
            Code::OutputUnwritable,
            format!("{} cannot be written", path.display()),
            fault.to_string(),
            "name a folder that does not exist yet, where you may write",
        )
    };
    std::fs::create_dir(out).map_err(|fault| unwritable(out, &fault))?;
    for (name, bytes) in files {
        let path = out.join(name);
        let folder = path.parent().map_or(Ok(()), std::fs::create_dir_all);
        let written = folder.and_then(|()| std::fs::write(&path, bytes));
        written.map_err(|fault| unwritable(&path, &fault))?;
    }
    Ok(())
}

fn line(entry: &Entry) -> String {
    let what = match &entry.event {
        Event::Approved {
            digest,
            size,
            approver,
            follows,
            ..
        } => {
            let follows = follows.map_or_else(String::new, |entry| format!(" (entry {entry})"));
            format!("{size} bytes {digest} by {approver}{follows}")
        }
        Event::Delivered { release, .. } => format!("release {release}"),
        Event::Declined { refusal, by, .. } => format!("\"{refusal}\" by {by}"),
        Event::Endorsed {
            digest, approver, ..
        } => format!("{digest} by {approver}, one of several"),
        Event::Step {
            exchange,
            step,
            digest,
            approver,
            masked,
            ..
        } => {
            let about = masked.as_ref().map_or_else(String::new, about_mask);
            format!("{exchange} {step} {digest} by {approver}{about}")
        }
        Event::StepDeclined {
            exchange,
            step,
            refusal,
            by,
            ..
        } => format!("{exchange} {step} \"{refusal}\" by {by}"),
        Event::Measured { digest, .. } => format!("file {digest}"),
        Event::Spent {
            question,
            epsilon,
            mechanism,
            ..
        } => format!(
            "epsilon {epsilon} ({}) on question {question}",
            mechanism.as_str()
        ),
        Event::Drawn { digest, .. } => format!("counts with noise {digest}"),
        Event::Paused { by, reason }
        | Event::Left { by, reason }
        | Event::Rebaselined { by, reason, .. } => format!("by {by}: {reason}"),
        Event::ModeEnded { mode } => format!("{} is no longer in force", mode.as_str()),
        Event::Resumed { by } => format!("by {by}"),
        Event::Returned {} => "on the site's list again".to_owned(),
    };
    let round = entry.round.as_ref().map_or("-", |round| round.as_str());
    let mut text = String::new();
    let _ = writeln!(
        text,
        "{:>4}  {}  {:12} {:16} {:10} {what}",
        entry.seq,
        entry.at,
        entry.study.as_ref().map_or("-", |study| study.as_str()),
        round,
        entry.event.word()
    );
    text
}

/// What a step of a masked sum was about.
fn about_mask(masked: &Masked) -> String {
    let names = |sites: &[SiteSlug]| {
        let names: Vec<&str> = sites.iter().map(|site| site.as_str()).collect();
        names.join(", ")
    };
    if let Some(survivors) = &masked.survivors {
        return format!("; the sum of {} may be opened", names(survivors));
    }
    if let (Some(plain), Some(numbers)) = (&masked.plain, masked.numbers) {
        return format!("; {numbers} numbers masked, in plain {plain}");
    }
    match masked.roster.as_slice() {
        [] => String::new(),
        roster => format!("; with {}", names(roster)),
    }
}
