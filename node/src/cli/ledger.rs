//! `fedval-node ledger list | show | verify`.
//!
//! From: the store, read-only.
//! To: hospital IT, the data-protection officer.

use std::fmt::Write as _;

use clap::Subcommand;
use serde::Serialize;
use shared::fault::{Code, Exit, Fault};

use super::output::Output;
use super::{Cli, Outcome, one};
use crate::ledger::{Entry, Event};
use crate::store::Store;

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
    /// Hash every entry again and name the first that does not fit.
    Verify,
}

#[derive(Serialize)]
struct Verified {
    entries: u64,
    head: String,
}

impl Ledger {
    pub(super) fn word(&self) -> &'static str {
        match self {
            Self::List => "ledger list",
            Self::Show { .. } => "ledger show",
            Self::Verify => "ledger verify",
        }
    }

    pub(super) fn run(&self, cli: &Cli, output: &Output) -> Outcome {
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
                let head = store.head().map_err(one)?;
                let data = Verified {
                    entries: head.entries,
                    head: head.hash.to_string(),
                };
                let text = format!(
                    "{} entries, chain sound, head {}\n",
                    data.entries, data.head
                );
                output.result(self.word(), Exit::Done, data, &text, &[])
            }
        }
    }
}

fn line(entry: &Entry) -> String {
    let what = match &entry.event {
        Event::Approved {
            digest,
            size,
            approver,
            ..
        } => {
            format!("{size} bytes {digest} by {approver}")
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
            ..
        } => format!("{exchange} {step} {digest} by {approver}"),
        Event::StepDeclined {
            exchange,
            step,
            refusal,
            by,
            ..
        } => format!("{exchange} {step} \"{refusal}\" by {by}"),
        Event::Measured { digest, .. } => format!("file {digest}"),
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
