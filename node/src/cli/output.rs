//! How a command speaks: text or one JSON envelope on standard output, words on standard error.
//!
//! From: every verb.
//! To: the terminal.

use std::io::Write as _;
use std::process::ExitCode;

use clap::ValueEnum;
use serde::Serialize;
use shared::fault::{Envelope, Exit, Fault};

use super::Outcome;

/// How results are printed.
#[derive(Clone, Copy, Debug, Eq, PartialEq, ValueEnum)]
pub(super) enum Format {
    /// For people.
    Text,
    /// One JSON envelope.
    Json,
}

/// Where and how results go.
pub(super) struct Output {
    format: Format,
    quiet: bool,
}

impl Output {
    pub(super) fn new(format: Format, quiet: bool) -> Self {
        Self { format, quiet }
    }

    /// A result: `text` for people, `data` in the envelope.
    pub(super) fn result<T: Serialize>(
        &self,
        command: &str,
        exit: Exit,
        data: T,
        text: &str,
        next: &[&str],
    ) -> Outcome {
        match self.format {
            Format::Text => {
                let _ = write!(std::io::stdout(), "{text}");
                for command in next {
                    self.words(&format!("next: {command}"));
                }
            }
            Format::Json => {
                let next = next.iter().map(|text| (*text).to_owned()).collect();
                let mut envelope = Envelope::success(command, data, next);
                envelope.ok = exit == Exit::Done;
                let _ = writeln!(std::io::stdout(), "{}", json(&envelope));
            }
        }
        Ok(exit)
    }

    /// Words for people on standard error.
    pub(super) fn words(&self, text: &str) {
        if !self.quiet {
            // A closed pipe is the reader's choice; the command goes on.
            let _ = writeln!(std::io::stderr(), "{text}");
        }
    }

    /// Faults: four parts each; the first one decides the exit code.
    pub(super) fn faults(&self, command: &str, faults: &[Fault]) -> ExitCode {
        for fault in faults {
            let _ = writeln!(std::io::stderr(), "{fault}");
        }
        let Some(first) = faults.first() else {
            return code(Exit::Internal);
        };
        if self.format == Format::Json {
            let mut envelope = Envelope::failure(command, first);
            envelope.warnings = faults.iter().skip(1).map(ToString::to_string).collect();
            let _ = writeln!(std::io::stdout(), "{}", json(&envelope));
        }
        code(first.code.exit())
    }
}

fn json<T: Serialize>(value: &T) -> String {
    serde_json::to_string(value).unwrap_or_else(|fault| {
        format!("{{\"schema\":\"fedval.cli/1\",\"ok\":false,\"error\":{{\"what\":\"{fault}\"}}}}")
    })
}

/// The process' exit code.
pub(super) fn code(exit: Exit) -> ExitCode {
    ExitCode::from(exit as u8)
}

/// A wrong use of the command, or a request for help.
pub(super) fn usage(fault: &clap::Error) -> ExitCode {
    let _ = fault.print();
    let json_asked = std::env::args().any(|word| word == "--format=json" || word == "json");
    if fault.use_stderr() && json_asked {
        let fault = Fault::new(
            shared::fault::Code::UsageInvalid,
            "the command was used wrongly",
            fault.kind().to_string(),
            "see: fedval-node --help",
        );
        let failure = Envelope::failure("fedval-node", &fault);
        let _ = writeln!(std::io::stdout(), "{}", json(&failure));
    }
    if fault.use_stderr() {
        code(Exit::Usage)
    } else {
        code(Exit::Done)
    }
}
