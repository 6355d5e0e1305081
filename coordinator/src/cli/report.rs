//! `fedval report`: the bundle of a closed round.
//!
//! From: a closed round.
//! To: `bundle`.

use std::path::PathBuf;

use clap::{Args, Subcommand};
use serde_json::json;
use shared::fault::{Code, Fault};
use shared::study::RoundId;

use super::output::{Answer, table};
use crate::bundle;
use crate::config::Home;
use crate::consortium::Consortium;
use crate::link::system_now;

/// Build and verify report bundles.
#[derive(Debug, Subcommand)]
pub(super) enum Report {
    /// Pool a closed round and write its report.
    Build(Build),
    /// Rebuild a report and compare it byte for byte.
    Verify(Verify),
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

impl Report {
    pub(super) fn name(&self) -> &'static str {
        match self {
            Self::Build(_) => "report build",
            Self::Verify(_) => "report verify",
        }
    }

    pub(super) fn run(&self, home: &Home) -> Result<Answer, Fault> {
        match self {
            Self::Build(build) => build.run(home),
            Self::Verify(verify) => verify.run(home),
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
