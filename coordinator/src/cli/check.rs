//! `fedval check`: configuration, keys, database, audit trail. Changes nothing.
//!
//! From: the state directory.
//! To: a line per check, exit code 1 when one fails.

use std::path::Path;

use serde::Serialize;
use shared::fault::{Code, Fault};
use shared::identity::KeyPurpose;

use super::output::{Answer, table};
use crate::config::Home;
use crate::consortium::Consortium;
use crate::link::system_now;

#[derive(Serialize)]
struct Line {
    check: &'static str,
    pass: bool,
    what: String,
    fix: String,
}

impl Line {
    fn of(check: &'static str, result: Result<String, Fault>) -> Self {
        match result {
            Ok(what) => Self {
                check,
                pass: true,
                what,
                fix: String::new(),
            },
            Err(fault) => Self {
                check,
                pass: false,
                what: format!("{} {}: {}", fault.code.as_str(), fault.what, fault.why),
                fix: fault.fix,
            },
        }
    }
}

pub(super) fn run(dir: &Path) -> Result<Answer, Fault> {
    let home = Home::open(dir)?;
    let lines = [
        Line::of("address", address(&home)),
        Line::of("keys", keys(&home)),
        Line::of("database", database(&home)),
        Line::of("audit", audit(&home)),
    ];
    let rows: Vec<Vec<String>> = lines
        .iter()
        .map(|line| {
            let word = if line.pass { "pass" } else { "fail" };
            vec![
                line.check.into(),
                word.into(),
                line.what.clone(),
                line.fix.clone(),
            ]
        })
        .collect();
    let mut answer = Answer::new(table(&["check", "result", "what", "fix"], &rows), &lines)?;
    let failed: Vec<&str> = lines
        .iter()
        .filter(|line| !line.pass)
        .map(|l| l.check)
        .collect();
    if !failed.is_empty() {
        answer.fault = Some(Fault::new(
            Code::CheckFailed,
            format!("failed: {}", failed.join(", ")),
            "see the table above",
            "follow the fix in each line, then run: fedval check",
        ));
    }
    Ok(answer)
}

fn address(home: &Home) -> Result<String, Fault> {
    Ok(format!(
        "nodes dial {}, QUIC listens on {}",
        home.address()?,
        home.listen()?
    ))
}

fn keys(home: &Home) -> Result<String, Fault> {
    let consortium = Consortium::load(&home.ca_dir())?;
    let now = system_now();
    let pairs = [
        (&consortium.signing, KeyPurpose::StudySigning),
        (&consortium.receipt, KeyPurpose::Receipt),
    ];
    for (key, purpose) in pairs {
        let matches = key.certificate.statement.key == key.key.public();
        let held = key.certificate.check(&consortium.ca.public(), purpose, now);
        if let (true, Ok(())) = (matches, held) {
            continue;
        }
        return Err(Fault::new(
            Code::CertificateRefused,
            format!("the {purpose:?} key is not certified"),
            held.err().map_or_else(
                || "the certificate names another key".to_owned(),
                |fault| fault.to_string(),
            ),
            "restore the ca directory from its backup",
        ));
    }
    Ok(format!(
        "consortium \"{}\", CA {}",
        consortium.ca.consortium(),
        consortium.ca.fingerprint()
    ))
}

fn database(home: &Home) -> Result<String, Fault> {
    let store = home.store()?;
    store.check_integrity()?;
    let (sites, rounds) = (store.sites()?.len(), store.rounds()?.len());
    Ok(format!("sound; sites: {sites}, rounds: {rounds}"))
}

fn audit(home: &Home) -> Result<String, Fault> {
    match home.store()?.verify_audit()? {
        Ok(entries) => Ok(format!("the chain holds over {entries} entries")),
        Err(at) => Err(Fault::new(
            Code::LedgerBroken,
            format!("entry {} does not follow from the one before", at.seq),
            "an entry was changed, removed or inserted",
            "keep the file as evidence and restore the last backup",
        )),
    }
}
