//! `fedval-node approver new | list`.
//!
//! From: the person who approves; the configuration.
//! To: a key file of theirs; whoever keeps `node.toml`.

use std::fmt::Write as _;
use std::io::IsTerminal as _;
use std::path::PathBuf;

use clap::Subcommand;
use serde::Serialize;
use shared::fault::{Code, Exit, Fault};

use super::output::Output;
use super::{Cli, Outcome, one, secret};
use crate::approval::key;
use crate::config::AccessSection;
use crate::link::SystemEntropy;
use crate::person::Person;
use crate::private::may_be_new;

/// The people who approve.
#[derive(Debug, Subcommand)]
pub(super) enum Approver {
    /// Make your own key, under a passphrase; it stays where you put it.
    New {
        /// The key file; it must not exist yet.
        #[arg(long, value_name = "FILE")]
        out: PathBuf,
    },
    /// Who may approve, and whose keys are listed.
    List,
}

#[derive(Serialize)]
struct New {
    approver: String,
    key: String,
    out: String,
}

impl Approver {
    pub(super) fn word(&self) -> &'static str {
        match self {
            Self::New { .. } => "approver new",
            Self::List => "approver list",
        }
    }

    pub(super) fn run(&self, cli: &Cli, output: &Output) -> Outcome {
        match self {
            Self::New { out } => {
                may_be_new(out).map_err(one)?;
                let passphrase = chosen().map_err(one)?;
                let public = key::create(out, &passphrase, &mut SystemEntropy).map_err(one)?;
                let data = New {
                    approver: Person::myself().name,
                    key: public.to_string(),
                    out: out.display().to_string(),
                };
                output.words(
                    "written; whoever keeps node.toml adds this, and starts the node again:",
                );
                let text = format!("[access.keys]\n{:?} = \"{}\"\n", data.approver, data.key);
                output.result(self.word(), Exit::Done, data, &text, &[])
            }
            Self::List => {
                let access = cli.config()?.access;
                let text = words(&access);
                output.result(self.word(), Exit::Done, access, &text, &[])
            }
        }
    }
}

/// A new passphrase; at a terminal typed twice.
fn chosen() -> Result<String, Fault> {
    let least = key::PASSPHRASE_MIN;
    let first = secret::ask(&format!("A passphrase of {least} letters or more: "))?;
    if std::io::stdin().is_terminal() && secret::ask("The same again: ")? != first {
        return Err(Fault::new(
            Code::ConfirmationNeeded,
            "no key was made",
            "the two passphrases differ",
            "run it again",
        ));
    }
    Ok(first)
}

fn words(access: &AccessSection) -> String {
    let mut text = String::new();
    let lists = [
        ("approvers", &access.approvers),
        ("second_approvers", &access.second_approvers),
    ];
    for (name, list) in lists {
        for approver in list {
            let _ = writeln!(text, "{name:18} {}", String::from(approver.clone()));
        }
    }
    if access.approvers.is_empty() {
        text.push_str("approvers          the user that runs the node\n");
    }
    for (name, key) in &access.keys {
        let _ = writeln!(text, "key                {name} {key}");
    }
    if access.keys.is_empty() {
        text.push_str("no keys are listed: approvals are not signed\n");
    }
    text
}
