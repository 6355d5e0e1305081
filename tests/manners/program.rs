//! Running the two programs.
//!
//! From: cargo, which builds them for these tests.
//! To: the tests beside this file.

use std::io::{BufRead, BufReader, Read, Write as _};
use std::net::UdpSocket;
use std::path::Path;
use std::process::{Child, Command, Stdio};

/// What a command said and how it ended.
#[derive(Debug)]
pub(crate) struct Answer {
    pub(crate) code: Option<i32>,
    pub(crate) out: String,
    pub(crate) err: String,
}

impl Answer {
    pub(crate) fn json(&self) -> serde_json::Value {
        serde_json::from_str(&self.out).unwrap_or_else(|fault| panic!("{fault}: {self:?}"))
    }

    /// The code of a process that was interrupted from the keyboard.
    pub(crate) fn interrupted() -> Option<i32> {
        Some(130)
    }
}

/// One of the two programs with its configuration.
pub(crate) type Run = fn(&Desk, &[&str]) -> Answer;

/// A folder with a coordinator's state and a hospital's configuration.
pub(crate) struct Desk {
    folder: tempfile::TempDir,
    port: u16,
}

impl Desk {
    pub(crate) fn new() -> Self {
        let socket = UdpSocket::bind("127.0.0.1:0").unwrap();
        Self {
            folder: tempfile::tempdir().unwrap(),
            port: socket.local_addr().unwrap().port(),
        }
    }

    pub(crate) fn address(&self) -> String {
        format!("127.0.0.1:{}", self.port)
    }

    pub(crate) fn path(&self, name: &str) -> String {
        self.folder.path().join(name).to_str().unwrap().to_owned()
    }

    pub(crate) fn write(&self, name: &str, text: &str) {
        let path = self.folder.path().join(name);
        std::fs::create_dir_all(path.parent().unwrap()).unwrap();
        std::fs::write(path, text).unwrap();
    }

    /// Starts the server and waits until it listens.
    pub(crate) fn serve(&self) -> Running {
        let mut running =
            Running::start(coordinator(self).args(["serve", "--listen", &self.address()]));
        let mut line = String::new();
        let out = running.child.stdout.as_mut().unwrap();
        BufReader::new(out).read_line(&mut line).unwrap();
        assert!(line.contains("listening"), "{line}");
        running
    }

    pub(crate) fn run_node(&self) -> Running {
        Running::start(hospital(self).arg("run"))
    }
}

fn coordinator(desk: &Desk) -> Command {
    let mut command = Command::new(env!("CARGO_BIN_EXE_fedval-under-test"));
    command.arg("--dir").arg(desk.path("state"));
    command
}

fn hospital(desk: &Desk) -> Command {
    let mut command = Command::new(env!("CARGO_BIN_EXE_fedval-node-under-test"));
    command.arg("--config").arg(desk.path("node.toml"));
    command
}

fn finish(command: &mut Command) -> Answer {
    let output = command.stdin(Stdio::null()).output().unwrap();
    Answer {
        code: output.status.code(),
        out: String::from_utf8(output.stdout).unwrap(),
        err: String::from_utf8(output.stderr).unwrap(),
    }
}

pub(crate) fn fedval(desk: &Desk, words: &[&str]) -> Answer {
    finish(coordinator(desk).args(words))
}

pub(crate) fn node(desk: &Desk, words: &[&str]) -> Answer {
    finish(hospital(desk).args(words))
}

/// Runs the node's command at a pseudo-terminal, then `after`; once `prompt` is shown, types `keys`.
pub(crate) fn at_terminal(
    desk: &Desk,
    line: &str,
    after: &str,
    (prompt, keys): (&str, &[u8]),
) -> String {
    let node = env!("CARGO_BIN_EXE_fedval-node-under-test");
    let inner = format!("{node} {line}; {after}");
    let mut child = Command::new("script")
        .args(["-qec", &inner, "/dev/null"])
        .current_dir(desk.path("."))
        .stdin(Stdio::piped())
        .stdout(Stdio::piped())
        .stderr(Stdio::null())
        .spawn()
        .unwrap();
    let mut shown = String::new();
    let mut out = child.stdout.take().unwrap();
    let mut stdin = child.stdin.take().unwrap();
    let mut byte = [0];
    while !shown.contains(prompt) {
        assert_eq!(out.read(&mut byte).unwrap(), 1, "no {prompt:?}: {shown}");
        shown.push(char::from(byte[0]));
    }
    stdin.write_all(keys).unwrap();
    stdin.flush().unwrap();
    out.read_to_string(&mut shown).unwrap();
    child.wait().unwrap();
    shown
}

/// A process that runs until it is told to stop.
pub(crate) struct Running {
    child: Child,
}

impl Running {
    fn start(command: &mut Command) -> Self {
        let child = command
            .stdin(Stdio::null())
            .stdout(Stdio::piped())
            .stderr(Stdio::piped())
            .spawn()
            .unwrap();
        Self { child }
    }

    /// Reads words until a line holds `mark`.
    pub(crate) fn until(&self, mark: &str) {
        let pipe = self.child.stderr.as_ref().unwrap();
        let copy = rustix::io::dup(pipe).unwrap();
        let mut seen = String::new();
        for line in BufReader::new(std::fs::File::from(copy)).lines() {
            seen += &line.unwrap();
            if seen.contains(mark) {
                return;
            }
        }
        panic!("ended before \"{mark}\": {seen}");
    }

    /// Interrupts as Ctrl-C does; how it ended.
    pub(crate) fn interrupt(mut self) -> Option<i32> {
        let id = i32::try_from(self.child.id()).unwrap();
        let id = rustix::process::Pid::from_raw(id).unwrap();
        rustix::process::kill_process(id, rustix::process::Signal::INT).unwrap();
        let mut rest = String::new();
        let err = self.child.stderr.as_mut().unwrap();
        err.read_to_string(&mut rest).unwrap();
        assert!(!rest.contains("panicked"), "{rest}");
        self.child.wait().unwrap().code()
    }
}

impl Drop for Running {
    fn drop(&mut self) {
        // A process that has ended already cannot be killed, which is as well.
        let _ = self.child.kill();
        let _ = self.child.wait();
    }
}

/// True when the repository has this file.
pub(crate) fn documented(page: &str) -> bool {
    Path::new(env!("CARGO_MANIFEST_DIR"))
        .join("..")
        .join(page)
        .is_file()
}
