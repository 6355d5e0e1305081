//! How answers look: data on standard output, words on standard error, one envelope for JSON.
//!
//! From: every verb.
//! To: the terminal, scripts.

use std::io::Write;
use std::process::ExitCode;

use clap::ValueEnum;
use serde::Serialize;
use serde_json::Value;
use shared::fault::{Envelope, Exit, Fault, FaultView};
use tracing_subscriber::EnvFilter;

/// Form of an answer.
#[derive(Clone, Copy, Debug, Eq, PartialEq, ValueEnum)]
pub(crate) enum Format {
    /// For people.
    Text,
    /// One envelope.
    Json,
    /// One line per event.
    Jsonl,
}

/// How to answer.
#[derive(Clone, Copy, Debug)]
pub(crate) struct Manners {
    pub(crate) format: Format,
    pub(crate) quiet: bool,
}

/// What a verb says.
#[derive(Debug, Default)]
pub(crate) struct Answer {
    /// For people, on standard output.
    pub(crate) text: String,
    /// For scripts.
    pub(crate) data: Value,
    /// Remarks that do not change the result.
    pub(crate) warnings: Vec<String>,
    /// Commands that make sense now.
    pub(crate) next: Vec<String>,
    /// It ran, and the answer is no for this reason.
    pub(crate) fault: Option<Fault>,
    /// It was done, and ends with another exit code than 0.
    pub(crate) exit: Option<Exit>,
}

impl Answer {
    /// An answer for people and the same as data.
    pub(crate) fn new(text: impl Into<String>, data: &impl Serialize) -> Result<Self, Fault> {
        let data = serde_json::to_value(data)
            .map_err(|error| Fault::internal(format!("the answer has no JSON: {error}")))?;
        Ok(Self {
            text: text.into(),
            data,
            ..Self::default()
        })
    }

    pub(crate) fn next(mut self, command: impl Into<String>) -> Self {
        self.next.push(command.into());
        self
    }

    pub(crate) fn warn(mut self, remark: impl Into<String>) -> Self {
        self.warnings.push(remark.into());
        self
    }
}

/// Starts logging to standard error: warnings, or what a server does.
pub(crate) fn start_log(verbose: u8, serving: bool, quiet: bool, colours: bool) {
    let ours = match (verbose, serving, quiet) {
        (_, _, true) => "error",
        (0, false, false) => "warn",
        (0, true, false) => "info",
        (1, _, false) => "debug",
        (_, _, false) => "trace",
    };
    let others = if verbose > 1 { "debug" } else { "warn" };
    let filter = EnvFilter::new(format!("{others},coordinator={ours}"));
    // Several commands of one test process share the first subscriber.
    let _ = tracing_subscriber::fmt()
        .with_env_filter(filter)
        .with_writer(std::io::stderr)
        .with_ansi(colours && std::io::IsTerminal::is_terminal(&std::io::stderr()))
        .try_init();
}

/// Prints data. A closed pipe ends the output, not the command.
pub(crate) fn print(text: &str) {
    let mut out = std::io::stdout().lock();
    let _ = writeln!(out, "{text}").and_then(|()| out.flush());
}

/// Prints words.
pub(crate) fn say(text: &str) {
    let _ = writeln!(std::io::stderr().lock(), "{text}");
}

/// Prints one value as a line of JSON.
pub(crate) fn print_json(value: &impl Serialize) {
    match serde_json::to_string(value) {
        Ok(line) => print(&line),
        Err(error) => say(&Fault::internal(error.to_string()).to_string()),
    }
}

/// Prints the answer and gives the process' exit code.
pub(crate) fn finish(command: &str, answer: Result<Answer, Fault>, manners: Manners) -> ExitCode {
    let fault = match &answer {
        Ok(answer) => answer.fault.clone(),
        Err(fault) => Some(fault.clone()),
    };
    let done = answer.as_ref().ok().and_then(|answer| answer.exit);
    let exit = fault
        .as_ref()
        .map_or(done.unwrap_or(Exit::Done), |fault| fault.code.exit());
    match manners.format {
        Format::Text => finish_text(answer.ok(), fault.as_ref(), manners.quiet),
        Format::Json | Format::Jsonl => finish_json(command, answer.ok(), fault.as_ref()),
    }
    ExitCode::from(exit as u8)
}

fn finish_text(answer: Option<Answer>, fault: Option<&Fault>, quiet: bool) {
    if let Some(answer) = answer {
        if !answer.text.is_empty() {
            print(answer.text.trim_end());
        }
        if !quiet {
            for warning in &answer.warnings {
                say(&format!("note  {warning}"));
            }
            for command in &answer.next {
                say(&format!("next  {command}"));
            }
        }
    }
    if let Some(fault) = fault {
        say(&fault.to_string());
    }
}

fn finish_json(command: &str, answer: Option<Answer>, fault: Option<&Fault>) {
    let answer = answer.unwrap_or_default();
    let data = (!answer.data.is_null()).then_some(answer.data);
    print_json(&Envelope {
        schema: "fedval.cli/1",
        command: command.to_owned(),
        ok: fault.is_none(),
        data,
        error: fault.map(FaultView::from),
        warnings: answer.warnings,
        next: answer.next,
    });
}

/// Columns aligned by spaces, headings first.
pub(crate) fn table(headings: &[&str], rows: &[Vec<String>]) -> String {
    let mut widths: Vec<usize> = headings.iter().map(|word| word.chars().count()).collect();
    for row in rows {
        for (width, cell) in widths.iter_mut().zip(row) {
            *width = (*width).max(cell.chars().count());
        }
    }
    let line = |cells: Vec<&str>| {
        let padded: Vec<String> = cells
            .iter()
            .zip(&widths)
            .map(|(cell, width)| format!("{cell:<width$}"))
            .collect();
        padded.join("  ").trim_end().to_owned()
    };
    let mut lines = vec![line(headings.to_vec())];
    lines.extend(
        rows.iter()
            .map(|row| line(row.iter().map(String::as_str).collect())),
    );
    lines.join("\n")
}
