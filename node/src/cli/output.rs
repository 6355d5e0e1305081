//! How a command speaks: text or one JSON envelope on standard output, words on standard error.
//!
//! From: every verb.
//! To: the terminal.

use std::io::{IsTerminal as _, Write as _};
use std::process::ExitCode;
use std::sync::Mutex;
use std::time::{Duration, Instant};

use clap::ValueEnum;
use serde::Serialize;
use shared::fault::{Envelope, Exit, Fault};

use super::Outcome;
use crate::cohort::Progress;

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

    /// Says on standard error, now and then, how far reading images has come.
    pub(super) fn watch(&self) -> Watch {
        Watch {
            quiet: self.quiet,
            terminal: std::io::stderr().is_terminal(),
            last: Mutex::new(None),
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

/// Who waits for images.
pub(super) struct Watch {
    quiet: bool,
    terminal: bool,
    /// When reading began, and when something was last said.
    last: Mutex<Option<(Instant, Instant)>>,
}

impl Watch {
    /// A line every half minute; on a terminal one that is written anew each second.
    pub(super) fn tell(&self, progress: Progress) {
        let now = Instant::now();
        let Ok(mut last) = self.last.lock() else {
            return;
        };
        let (began, said) = match *last {
            Some(last) if progress.done > 0 => last,
            Some(_) | None => (now, now),
        };
        let pause = Duration::from_secs(if self.terminal { 1 } else { 30 });
        let over = progress.done == progress.of;
        // What is soon over is not talked about, unless it was taken up again.
        let is_due = now.duration_since(said) >= pause;
        let is_end = over && (progress.known > 0 || said > began);
        *last = Some((began, if is_due { now } else { said }));
        if self.quiet || !(is_due || is_end) {
            return;
        }
        let words = words(progress, now.duration_since(began));
        let (start, end) = match (self.terminal, over) {
            (true, false) => ("\r\x1b[K", ""),
            (true, true) => ("\r\x1b[K", "\n"),
            (false, _) => ("", "\n"),
        };
        let mut out = std::io::stderr().lock();
        let _ = write!(out, "{start}{words}{end}");
        let _ = out.flush();
    }
}

/// "images: 30 of 120 cases, 10 of them from before the last stop; about 2 min left".
fn words(progress: Progress, taken: Duration) -> String {
    let mut text = format!("images: {} of {} cases", progress.done, progress.of);
    if progress.known > 0 {
        text += &format!(", {} of them from before the last stop", progress.known);
    }
    let read = progress.done.saturating_sub(progress.known);
    let left = progress.of.saturating_sub(progress.done);
    if read > 0 && left > 0 {
        let seconds = taken.as_secs_f64() / read as f64 * left as f64;
        text += &format!("; about {} left", about(seconds));
    }
    text
}

fn about(seconds: f64) -> String {
    if seconds < 60.0 {
        "a minute".to_owned()
    } else if seconds < 7200.0 {
        format!("{:.0} min", seconds / 60.0)
    } else {
        format!("{:.0} h", seconds / 3600.0)
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

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn progress_says_what_is_left() {
        let progress = |done, known| Progress {
            done,
            known,
            of: 120,
        };
        let minute = Duration::from_secs(60);
        assert_eq!(
            words(progress(30, 10), minute),
            "images: 30 of 120 cases, 10 of them from before the last stop; about 4 min left"
        );
        assert_eq!(words(progress(120, 0), minute), "images: 120 of 120 cases");
        assert_eq!(
            words(progress(1, 0), 10 * minute),
            "images: 1 of 120 cases; about 20 h left"
        );
    }
}
