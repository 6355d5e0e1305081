//! A passphrase from the person at the terminal, without showing it; from standard input where
//! that is none.
//!
//! From: the keyboard.
//! To: `approver`, `job approve`.

use std::io::{BufRead as _, IsTerminal as _, Write as _};

use rustix::termios::{
    LocalModes, OptionalActions, SpecialCodeIndex, Termios, tcgetattr, tcsetattr,
};
use shared::fault::{Code, Exit, Fault};

const INTERRUPT: u8 = 0x03;
const END: u8 = 0x04;
const BACKSPACE: u8 = 0x08;
const KILL_LINE: u8 = 0x15;
const QUIT: u8 = 0x1c;
const DELETE: u8 = 0x7f;

/// A terminal that shows nothing and hands over every key, also Ctrl-C: as a signal it would end
/// this process with the terminal still silent. Restores the terminal whatever happens.
struct Quiet(Termios);

impl Quiet {
    fn begin() -> Option<Self> {
        let stdin = std::io::stdin();
        let before = tcgetattr(&stdin).ok()?;
        let mut quiet = before.clone();
        let modes = LocalModes::ECHO | LocalModes::ISIG | LocalModes::ICANON;
        quiet.local_modes.remove(modes);
        quiet.special_codes[SpecialCodeIndex::VMIN] = 1;
        quiet.special_codes[SpecialCodeIndex::VTIME] = 0;
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

/// How a line that was typed ended.
#[derive(Debug, Eq, PartialEq)]
enum Typed {
    /// With this text.
    Line(String),
    /// By Ctrl-C.
    Interrupted,
}

/// Reads keys up to the end of the line.
fn keys(from: &mut dyn std::io::Read) -> std::io::Result<Typed> {
    let mut text = Vec::new();
    let mut key = [0];
    while from.read(&mut key)? == 1 {
        match key[0] {
            INTERRUPT | QUIT => return Ok(Typed::Interrupted),
            b'\n' | b'\r' | END => break,
            BACKSPACE | DELETE => {
                // A letter of several bytes goes as one.
                while text.pop().is_some_and(|byte| byte & 0xc0 == 0x80) {}
            }
            KILL_LINE => text.clear(),
            byte => text.push(byte),
        }
    }
    Ok(Typed::Line(String::from_utf8_lossy(&text).into_owned()))
}

/// Asks for one line. Ctrl-C ends the process as anywhere else, with the terminal as it was.
///
/// # Errors
/// `FV-POL-005` when nothing comes.
pub(super) fn ask(prompt: &str) -> Result<String, Fault> {
    let quiet = Some(std::io::stdin()).filter(|stdin| stdin.is_terminal());
    let quiet = quiet.and_then(|_| Quiet::begin());
    let _ = write!(std::io::stderr(), "{prompt}");
    let _ = std::io::stderr().flush();
    let typed = if quiet.is_some() {
        keys(&mut std::io::stdin().lock())
    } else {
        let mut line = String::new();
        let read = std::io::stdin().lock().read_line(&mut line);
        read.map(|_| Typed::Line(line))
    };
    drop(quiet);
    let line = match typed {
        Ok(Typed::Interrupted) => std::process::exit(Exit::Interrupted as i32),
        Ok(Typed::Line(line)) => line,
        Err(_) => String::new(),
    };
    let text = line.trim_end_matches(['\r', '\n']);
    if text.is_empty() {
        return Err(Fault::new(
            Code::ConfirmationNeeded,
            "no passphrase was typed",
            "the key stays locked",
            "run it again at a terminal",
        ));
    }
    Ok(text.to_owned())
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn keys_are_read_as_a_terminal_would() {
        let typed = |mut bytes: &[u8]| keys(&mut bytes).unwrap();
        let line = |text: &str| Typed::Line(text.to_owned());
        assert_eq!(typed(b"copper lantern\nriver"), line("copper lantern"));
        assert_eq!(typed(b"copper\r"), line("copper"));
        assert_eq!(
            typed("k\u{e4}\u{7f}\u{7f}\u{7f}\u{7f}ab\n".as_bytes()),
            line("ab")
        );
        assert_eq!(typed("wrong\u{15}river\n".as_bytes()), line("river"));
        assert_eq!(typed(b"cut off"), line("cut off"));
        assert_eq!(typed(b"copper\x03"), Typed::Interrupted);
        assert_eq!(typed(b"\x1c"), Typed::Interrupted);
    }
}
