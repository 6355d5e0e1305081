//! `fedval-node data check STUDY`: the pre-check on the site's own table. Rows and values are
//! shown here and nowhere else.
//!
//! From: `cohort`.
//! To: data stewards.

use std::fmt::Write as _;
use std::path::PathBuf;

use clap::Subcommand;
use serde::Serialize;
use shared::fault::{Code, Exit, Fault};
use shared::study::{StudyProtocol, StudySlug};

use super::output::Output;
use super::{Cli, Outcome, measure, one};
use crate::cohort::{self, FileCount, Finding, Means};
use crate::store::Store;

/// This site's tables.
#[derive(Debug, Subcommand)]
pub(super) enum Data {
    /// Check the table that the configuration maps for a study.
    Check {
        /// The study.
        study: StudySlug,
        /// The protocol, when this node has not met it yet: locked document or TOML source.
        #[arg(long)]
        protocol: Option<PathBuf>,
    },
}

#[derive(Serialize)]
struct Checked {
    study: String,
    fingerprint: String,
    rows: u64,
    cases: usize,
    patients: u32,
    files: Vec<FileCount>,
    findings: Vec<Finding>,
}

impl Data {
    pub(super) fn run(&self, cli: &Cli, output: &Output) -> Outcome {
        let Self::Check { study, protocol } = self;
        let config = cli.config()?;
        let protocol = match protocol {
            Some(path) => measure::read_study(path)?.protocol,
            None => known(&config.storage.dir, study)?,
        };
        let source = config.table(study).map_err(one)?;
        let watch = output.watch();
        let tell = |progress| watch.tell(progress);
        // What is measured here is kept: the job that follows takes it from there.
        let allowance = config.imaging.allowance();
        let means = Means::new(allowance, Some(&config.storage.dir), &tell);
        let loaded = cohort::load(&protocol, &source, &means)?;
        let mut text = format!(
            "{study}: the table can be analysed; {}\n",
            loaded.fingerprint
        );
        let (rows, cases) = (loaded.cases.intake.records.rows, loaded.cases.patient.len());
        let patients = loaded.cases.patients;
        let _ = writeln!(
            text,
            "  {rows} rows, {cases} eligible cases of {patients} patients"
        );
        for FileCount {
            field,
            named,
            usable,
        } in &loaded.files
        {
            let _ = writeln!(text, "  {field}: {named} files named, {usable} usable");
        }
        for finding in &loaded.findings {
            let field = finding
                .field
                .as_ref()
                .map_or("table", |field| field.as_str());
            let _ = writeln!(
                text,
                "  {field}: {} ({} row{})\n      {}",
                finding.what,
                finding.rows,
                if finding.rows == 1 { "" } else { "s" },
                finding.hint
            );
        }
        let data = Checked {
            study: study.to_string(),
            fingerprint: loaded.fingerprint.to_string(),
            rows,
            cases,
            patients,
            files: loaded.files,
            findings: loaded.findings,
        };
        output.result("data check", Exit::Done, data, &text, &[])
    }
}

/// The newest protocol of `study` that a job has brought.
fn known(dir: &std::path::Path, study: &StudySlug) -> Result<StudyProtocol, Vec<Fault>> {
    let missing = || {
        one(Fault::new(
            Code::UnknownStudy,
            format!("this node has not met the protocol of {study}"),
            "no job of this study has arrived yet",
            "name the file you were sent: --protocol study.locked.json",
        ))
    };
    let store = Store::open_read_only(dir).map_err(|_| missing())?;
    let protocols = store.protocols().map_err(one)?;
    protocols
        .iter()
        .filter_map(|bytes| measure::unverified(bytes))
        .find(|protocol| protocol.slug == *study)
        .ok_or_else(missing)
}
