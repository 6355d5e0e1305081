//! `fedval completion` and `fedval man`: made from the same grammar that reads the commands.
//!
//! From: `Cli`.
//! To: shells, `man`.

use std::path::PathBuf;

use clap::{Args, CommandFactory};
use clap_complete::Shell;
use serde_json::json;
use shared::fault::{Code, Fault};

use super::Cli;
use super::output::Answer;

/// Print the completion script of a shell.
#[derive(Debug, Args)]
pub(super) struct Completion {
    /// The shell.
    #[arg(value_enum)]
    shell: Shell,
}

/// Write the manual pages.
#[derive(Debug, Args)]
pub(super) struct Man {
    /// Where to.
    #[arg(long, value_name = "DIR")]
    out: PathBuf,
}

impl Completion {
    pub(super) fn run(&self) -> Result<Answer, Fault> {
        let mut script = Vec::new();
        clap_complete::generate(self.shell, &mut Cli::command(), "fedval", &mut script);
        let script = String::from_utf8(script)
            .map_err(|_| Fault::internal("the completion script is not text"))?;
        let data = json!({"shell": self.shell.to_string(), "script": script});
        Answer::new(script, &data)
    }
}

impl Man {
    pub(super) fn run(&self) -> Result<Answer, Fault> {
        let unwritable = |error: std::io::Error| {
            Fault::new(
                Code::OutputUnwritable,
                format!("{} cannot be written", self.out.display()),
                error.to_string(),
                "choose another --out",
            )
        };
        std::fs::create_dir_all(&self.out).map_err(unwritable)?;
        clap_mangen::generate_to(Cli::command(), &self.out).map_err(unwritable)?;
        let text = format!("wrote the manual pages to {}", self.out.display());
        Answer::new(text, &json!({"out": self.out}))
    }
}
