//! `fedval ledger verify`: the audit trail's chain, and every stored release against its receipt.
//! Changes nothing.
//!
//! From: the state directory.
//! To: an auditor; exit code 1 names the first entry or release that proves nothing.

use clap::Subcommand;
use serde_json::json;
use shared::fault::{Code, Fault};

use super::output::Answer;
use crate::config::Home;
use crate::consortium::Consortium;

/// The record of what was received, and who did what.
#[derive(Debug, Subcommand)]
pub(super) enum Ledger {
    /// Hash every entry and every release again and name the first that does not fit.
    Verify,
}

impl Ledger {
    pub(super) fn name(&self) -> &'static str {
        match self {
            Self::Verify => "ledger verify",
        }
    }

    pub(super) fn run(&self, home: &Home) -> Result<Answer, Fault> {
        match self {
            Self::Verify => verify(home),
        }
    }
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
    let text = format!(
        "audit trail: {entries} entries, chain sound\nreceipts: {receipts}, each signed for the \
         release beside it"
    );
    Answer::new(text, &json!({"entries": entries, "receipts": receipts}))
}

fn broken(what: String, why: &str) -> Fault {
    Fault::new(
        Code::LedgerBroken,
        what,
        why,
        "keep the file as evidence and restore the last backup",
    )
}
