//! A passphrase from the person at the terminal, without showing it; from standard input where
//! that is none.
//!
//! From: the keyboard.
//! To: `approver`, `job approve`.

use std::io::{BufRead as _, IsTerminal as _, Write as _};

use rustix::termios::{LocalModes, OptionalActions, Termios, tcgetattr, tcsetattr};
use shared::fault::{Code, Fault};

/// Restores the terminal whatever happens.
struct Quiet(Termios);

impl Quiet {
    fn begin() -> Option<Self> {
        let stdin = std::io::stdin();
        let before = tcgetattr(&stdin).ok()?;
        let mut quiet = before.clone();
        quiet.local_modes.remove(LocalModes::ECHO);
        tcsetattr(&stdin, OptionalActions::Now, &quiet).ok()?;
        Some(Self(before))
    }
}

impl Drop for Quiet {
    fn drop(&mut self) {
        let _ = tcsetattr(std::io::stdin(), OptionalActions::Now, &self.0);
        let _ = writeln!(std::io::stderr());
    }
}

/// Asks for one line.
///
/// # Errors
/// `FV-POL-005` when nothing comes.
pub(super) fn ask(prompt: &str) -> Result<String, Fault> {
    let terminal = std::io::stdin().is_terminal();
    let _ = write!(std::io::stderr(), "{prompt}");
    let _ = std::io::stderr().flush();
    let mut line = String::new();
    let quiet = if terminal { Quiet::begin() } else { None };
    let read = std::io::stdin().lock().read_line(&mut line);
    drop(quiet);
    let text = line.trim_end_matches(['\r', '\n']);
    if read.is_err() || text.is_empty() {
        return Err(Fault::new(
            Code::ConfirmationNeeded,
            "no passphrase was typed",
            "the key stays locked",
            "run it again at a terminal",
        ));
    }
    Ok(text.to_owned())
}
