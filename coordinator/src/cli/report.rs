//! `fedval report`: the bundle of a closed round; its further formats, and two of them compared.
//!
//! From: a closed round, bundles.
//! To: `bundle`, `export`, `compare`.

use std::path::{Path, PathBuf};

use clap::{Args, Subcommand};
use serde_json::json;
use shared::fault::{Code, Fault};
use shared::study::RoundId;

use super::output::{Answer, table};
use crate::config::Home;
use crate::consortium::Consortium;
use crate::export::Form;
use crate::link::system_now;
use crate::{bundle, compare, export};

/// Build, verify, export and compare report bundles.
#[derive(Debug, Subcommand)]
pub(super) enum Report {
    /// Pool a closed round and write its report.
    Build(Build),
    /// Rebuild a report and compare it byte for byte.
    Verify(Verify),
    /// Make further formats from a bundle; needs no coordinator.
    Export(Export),
    /// Compare two bundles number by number; ends with 1 when they differ.
    Diff(Diff),
}

/// Pool a closed round and write its report.
#[derive(Debug, Args)]
pub(super) struct Build {
    /// The round.
    round: RoundId,
    /// Where to write the bundle.
    #[arg(long, value_name = "DIR")]
    out: PathBuf,
}

/// Rebuild a report and compare it byte for byte.
#[derive(Debug, Args)]
pub(super) struct Verify {
    /// The bundle.
    bundle: PathBuf,
    /// The round it was built from.
    #[arg(long)]
    round: RoundId,
}

/// Make further formats from a bundle; needs no coordinator.
#[derive(Debug, Args)]
pub(super) struct Export {
    /// The bundle, or its report.json.
    bundle: PathBuf,
    /// The format.
    #[arg(long = "as", value_enum, value_name = "FORMAT")]
    form: Form,
    /// Where to write the files.
    #[arg(long, value_name = "DIR")]
    out: PathBuf,
}

/// Compare two bundles number by number; ends with 1 when they differ.
#[derive(Debug, Args)]
pub(super) struct Diff {
    /// The first bundle, or its report.json.
    first: PathBuf,
    /// The second.
    second: PathBuf,
}

impl Report {
    pub(super) fn name(&self) -> &'static str {
        match self {
            Self::Build(_) => "report build",
            Self::Verify(_) => "report verify",
            Self::Export(_) => "report export",
            Self::Diff(_) => "report diff",
        }
    }

    pub(super) fn run(&self, dir: &Path) -> Result<Answer, Fault> {
        match self {
            Self::Build(build) => build.run(&Home::open(dir)?),
            Self::Verify(verify) => verify.run(&Home::open(dir)?),
            Self::Export(export) => export.run(),
            Self::Diff(diff) => diff.run(),
        }
    }
}

impl Build {
    fn run(&self, home: &Home) -> Result<Answer, Fault> {
        let store = home.store()?;
        let consortium = Consortium::load(&home.ca_dir())?;
        let built = bundle::build(
            home,
            &store,
            &consortium,
            &self.round,
            &self.out,
            system_now(),
        )?;
        let names: Vec<String> = built
            .files
            .iter()
            .map(|f| f.display().to_string())
            .collect();
        let data = json!({"round": self.round, "files": names, "report": built.report});
        Ok(Answer::new(names.join("\n"), &data)?.next(format!(
            "fedval report verify {} --round {}",
            self.out.display(),
            self.round
        )))
    }
}

impl Verify {
    fn run(&self, home: &Home) -> Result<Answer, Fault> {
        let store = home.store()?;
        let consortium = Consortium::load(&home.ca_dir())?;
        let now = system_now();
        let frozen = bundle::freeze(home, &store, &consortium, &self.round, now)?;
        let files = bundle::make(&frozen)?;
        let report = bundle::report_digest(&files);
        bundle::note_shown(&store, &frozen, "report verify", &report, now)?;
        let results: Vec<(String, bool)> = files
            .into_iter()
            .map(|(name, bytes)| {
                let same = std::fs::read(self.bundle.join(&name)).is_ok_and(|read| read == bytes);
                (name, same)
            })
            .collect();
        let word = |same: bool| if same { "same" } else { "differs" };
        let rows: Vec<Vec<String>> = results
            .iter()
            .map(|(name, same)| vec![name.clone(), word(*same).to_owned()])
            .collect();
        let data: Vec<_> = results
            .iter()
            .map(|(name, same)| json!({"file": name, "same": same}))
            .collect();
        let mut answer = Answer::new(table(&["file", "rebuilt"], &rows), &data)?;
        if results.iter().any(|(_, same)| !same) {
            answer.fault = Some(Fault::new(
                Code::ReleaseMismatch,
                format!("{} is not what this round gives", self.bundle.display()),
                "a file was changed, is missing, or was built by another version",
                format!(
                    "build it again: fedval report build {} --out DIR",
                    self.round
                ),
            ));
        }
        Ok(answer)
    }
}

impl Export {
    fn run(&self) -> Result<Answer, Fault> {
        let written = export::export(&self.bundle, self.form, &self.out)?;
        let names: Vec<String> = written.iter().map(|f| f.display().to_string()).collect();
        Answer::new(names.join("\n"), &json!({ "files": names }))
    }
}

impl Diff {
    fn run(&self) -> Result<Answer, Fault> {
        let (first, second) = (export::read(&self.first)?, export::read(&self.second)?);
        let found = compare::compare(&first, &second)?;
        let rows: Vec<Vec<String>> = found.changes.iter().map(line).collect();
        let mut lines = Vec::new();
        if found.equal {
            lines.push("the reports say the same".to_owned());
        }
        if !rows.is_empty() {
            let head = ["row", "column", "what", "first", "second", "difference"];
            lines.push(table(&head, &rows));
        }
        if !found.parts.is_empty() {
            lines.push(format!("parts that differ: {}", found.parts.join(", ")));
        }
        let mut answer = Answer::new(lines.join("\n"), &found)?;
        if !found.equal {
            answer.fault = Some(Fault::new(
                Code::ReportsDiffer,
                format!(
                    "{} and {} differ",
                    self.first.display(),
                    self.second.display()
                ),
                "they rest on other releases, another protocol, or another version of the program",
                "compare sites.csv of both for the digests of what was released",
            ));
        }
        Ok(answer)
    }
}

/// One change as a row.
fn line(change: &compare::Change) -> Vec<String> {
    vec![
        change.row.clone(),
        change.column.clone(),
        change.kind.words().to_owned(),
        change.first.clone(),
        change.second.clone(),
        change
            .difference
            .map_or_else(String::new, |difference| format!("{difference:+.6}")),
    ]
}
