//! `fedval pool`: release files become a report without a server. The report is marked unsigned,
//! since nobody vouches for where the files came from.
//!
//! From: files of `fedval-node measure`, carried by hand.
//! To: `shared::pool`, `bundle`.

use std::path::{Path, PathBuf};

use clap::Args;
use serde_json::json;
use shared::disclosure::ReceivedRelease;
use shared::fault::{Code, Fault};
use shared::identity::{Digest, to_canonical};
use shared::pool::study::{RoundFacts, SiteAnswer, pool};
use shared::study::lock::{LockedProtocol, SCHEMA};
use shared::study::{SiteSlug, StudyProtocol, validate};

use super::output::Answer;
use crate::{bundle, desk, intake};

/// Pool release files into a report, without a server.
#[derive(Debug, Args)]
pub(super) struct Pool {
    /// Release files, one per site.
    #[arg(required = true)]
    releases: Vec<PathBuf>,
    /// The protocol: the locked document or the TOML source the sites measured with.
    #[arg(long, value_name = "FILE")]
    study: PathBuf,
    /// Where to write the bundle.
    #[arg(long, value_name = "DIR")]
    out: PathBuf,
}

struct Study {
    protocol: StudyProtocol,
    digest: Digest,
    locked: bool,
}

impl Pool {
    pub(super) fn run(&self) -> Result<Answer, Fault> {
        let study = read_study(&self.study)?;
        let mut answers: Vec<(SiteSlug, SiteAnswer)> = Vec::new();
        for path in &self.releases {
            let (release, digest) = read_release(path, &study)?;
            let site = release.header.site.clone();
            if answers.iter().any(|(known, _)| *known == site) {
                return Err(mismatch(
                    path,
                    format!("a release of {site} was given already"),
                    "give one release per site",
                ));
            }
            answers.push((site, SiteAnswer::Released(Box::new(release), digest)));
        }
        let facts = RoundFacts {
            protocol_digest: study.digest,
            locked: study.locked,
            signed: false,
            round: None,
            closed_at: None,
        };
        let pooled = pool(&study.protocol, facts, answers);
        let written = bundle::write(&bundle::files(&pooled)?, &self.out)?;
        let report = self.out.join("report.html");
        let data = json!({"report": report, "files": written, "sites": self.releases.len()});
        Answer::new(format!("report  {}\n", report.display()), &data)
    }
}

fn read(path: &Path, code: Code) -> Result<Vec<u8>, Fault> {
    std::fs::read(path).map_err(|fault| {
        Fault::new(
            code,
            format!("{} cannot be read", path.display()),
            fault.to_string(),
            "name a readable file",
        )
    })
}

fn mismatch(path: &Path, why: String, fix: &str) -> Fault {
    Fault::new(
        Code::ReleaseMismatch,
        format!("{} does not belong into this pool", path.display()),
        why,
        fix,
    )
}

/// A release whose form, id, protocol and own consistency hold.
fn read_release(path: &Path, study: &Study) -> Result<(ReceivedRelease, Digest), Fault> {
    let bytes = read(path, Code::ReleaseInvalid)?;
    let invalid = |why: String| {
        Fault::new(
            Code::ReleaseInvalid,
            format!("{} is not a valid release", path.display()),
            why,
            "use the file as fedval-node measure wrote it",
        )
    };
    let release = ReceivedRelease::read(&bytes).map_err(|fault| invalid(fault.to_string()))?;
    if release.header.protocol != study.digest {
        return Err(mismatch(
            path,
            format!(
                "it was measured under protocol {}, not {}",
                release.header.protocol, study.digest
            ),
            "measure again with the protocol given by --study",
        ));
    }
    let findings = intake::check(&release, &study.protocol);
    if let Some(first) = findings.first() {
        return Err(invalid(format!(
            "it contradicts itself: {}: {}",
            first.place, first.what
        )));
    }
    Ok((release, Digest::of(&bytes)))
}

fn read_study(path: &Path) -> Result<Study, Fault> {
    let bytes = read(path, Code::ProtocolUnreadable)?;
    let name = path.display().to_string();
    if bytes.starts_with(b"{") {
        let locked = || -> Option<LockedProtocol> {
            let document: serde_json::Value = serde_json::from_slice(&bytes).ok()?;
            if document.get("schema")?.as_str()? != SCHEMA {
                return None;
            }
            serde_json::from_value(document.get("body")?.clone()).ok()
        };
        let locked = locked().ok_or_else(|| {
            Fault::new(
                Code::ProtocolInvalid,
                format!("{name} is not a locked protocol"),
                format!("it is JSON, but not a {SCHEMA}"),
                "use the file that fedval study lock wrote",
            )
        })?;
        return Ok(Study {
            protocol: locked.protocol,
            digest: Digest::of(&bytes),
            locked: true,
        });
    }
    let protocol = validate::expand(&desk::read_study(&String::from_utf8_lossy(&bytes), &name)?);
    let canonical = to_canonical(&protocol)
        .map_err(|fault| Fault::internal(format!("the protocol cannot be written: {fault}")))?;
    Ok(Study {
        digest: Digest::of(&canonical),
        protocol,
        locked: false,
    })
}
