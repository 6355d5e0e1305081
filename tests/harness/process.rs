//! Processes of a test: started, listened to through their log, killed by their own id, and
//! always ended.
//!
//! From: `federation`, tests.
//! To: the operating system.

use std::fs::File;
use std::path::{Path, PathBuf};
use std::process::{Child, Command, ExitStatus, Stdio};
use std::sync::atomic::{AtomicU32, Ordering};
use std::time::{Duration, Instant};

use rustix::process::{Pid, Signal, kill_process};
use serde_json::Value;

/// Names the moment at which a process under test ends itself: `NAME`, or `NAME#N` for the
/// N-th time it comes.
pub const KILL_AT: &str = "FEDVAL_TEST_KILL_AT";

/// Names the moment at which a process under test waits, and after an `=` the file that it waits
/// for.
pub const HOLD_AT: &str = "FEDVAL_TEST_HOLD_AT";

/// How often a condition is looked at.
const LOOK: Duration = Duration::from_millis(10);

/// Ends this process with SIGKILL, or holds it, when the environment names this moment. Only the
/// programs of this package listen with it; the shipped ones have no such code.
pub fn interrupt_at(moment: &str) {
    hold_at(moment);
    kill_at(moment);
}

fn hold_at(moment: &str) {
    let wanted = std::env::var(HOLD_AT).unwrap_or_default();
    let Some((name, file)) = wanted.split_once('=') else {
        return;
    };
    while name == moment && !Path::new(file).exists() {
        std::thread::sleep(LOOK);
    }
}

fn kill_at(moment: &str) {
    static MET: AtomicU32 = AtomicU32::new(0);
    let Ok(wanted) = std::env::var(KILL_AT) else {
        return;
    };
    let (name, nth) = match wanted.split_once('#') {
        Some((name, nth)) => (name, nth.parse().unwrap()),
        None => (wanted.as_str(), 1),
    };
    if name == moment && MET.fetch_add(1, Ordering::SeqCst) + 1 == nth {
        let _ = kill_process(rustix::process::getpid(), Signal::KILL);
        loop {
            std::thread::park();
        }
    }
}

/// The two programs.
#[derive(Clone, Debug)]
pub struct Programs {
    /// `fedval`.
    pub fedval: PathBuf,
    /// `fedval-node`.
    pub node: PathBuf,
}

/// What a command answered.
#[derive(Debug)]
pub struct Answer {
    /// Exit code; absent when a signal ended it.
    pub code: Option<i32>,
    /// Standard output.
    pub out: String,
    /// Standard error.
    pub err: String,
}

impl Answer {
    /// Runs a command to its end.
    pub fn of(command: &mut Command) -> Self {
        let output = command.stdin(Stdio::null()).output().unwrap();
        Self {
            code: output.status.code(),
            out: String::from_utf8_lossy(&output.stdout).into_owned(),
            err: String::from_utf8_lossy(&output.stderr).into_owned(),
        }
    }

    /// The one JSON envelope on standard output.
    pub fn json(&self) -> Value {
        serde_json::from_str(&self.out)
            .unwrap_or_else(|error| panic!("no envelope: {error}\n{}\n{}", self.out, self.err))
    }

    /// The envelope's data.
    pub fn data(&self) -> Value {
        self.json()["data"].clone()
    }

    /// Demands an exit code.
    #[track_caller]
    pub fn expect(self, code: i32) -> Self {
        assert_eq!(self.code, Some(code), "{}\n{}", self.out, self.err);
        self
    }
}

/// A running process; its words go to a file.
pub struct Process {
    child: Child,
    log: PathBuf,
}

impl Process {
    /// Starts `command`, its words appended to `log`.
    pub fn start(command: &mut Command, log: &Path) -> Self {
        let file = File::options().create(true).append(true).open(log).unwrap();
        let child = command
            .stdin(Stdio::null())
            .stdout(file.try_clone().unwrap())
            .stderr(file)
            .spawn()
            .unwrap();
        Self {
            child,
            log: log.to_owned(),
        }
    }

    /// Its id.
    pub fn pid(&self) -> Pid {
        Pid::from_child(&self.child)
    }

    /// Everything it and its predecessors of the same log have said.
    pub fn words(&self) -> String {
        std::fs::read_to_string(&self.log).unwrap_or_default()
    }

    /// Waits until its log has a line with `text` for the `nth` time; the line.
    #[track_caller]
    pub fn wait_for(&mut self, text: &str, nth: usize, patience: Duration) -> String {
        let until = Instant::now() + patience;
        loop {
            let words = self.words();
            if let Some(line) = words
                .lines()
                .filter(|line| line.contains(text))
                .nth(nth - 1)
            {
                return line.to_owned();
            }
            let ended = self.ended();
            assert!(
                ended.is_none() && Instant::now() < until,
                "no \"{text}\" (ended: {ended:?}) in:\n{words}"
            );
            std::thread::sleep(LOOK);
        }
    }

    /// How it ended, if it has.
    pub fn ended(&mut self) -> Option<ExitStatus> {
        self.child.try_wait().unwrap()
    }

    /// Waits for its end.
    pub fn wait_end(&mut self, patience: Duration) -> Option<ExitStatus> {
        let until = Instant::now() + patience;
        while Instant::now() < until {
            if let Some(status) = self.ended() {
                return Some(status);
            }
            std::thread::sleep(LOOK);
        }
        self.ended()
    }

    /// SIGKILL, as a power cut would.
    pub fn kill(mut self) {
        let _ = self.child.kill();
        let _ = self.child.wait();
    }

    /// SIGTERM; how long it took to end, and how it ended.
    #[track_caller]
    pub fn stop(mut self) -> (Duration, ExitStatus) {
        let begun = Instant::now();
        kill_process(self.pid(), Signal::TERM).unwrap();
        let status = self.wait_end(Duration::from_secs(20));
        let status = status.unwrap_or_else(|| panic!("it does not stop:\n{}", self.words()));
        (begun.elapsed(), status)
    }
}

impl Drop for Process {
    fn drop(&mut self) {
        let _ = self.child.kill();
        let _ = self.child.wait();
    }
}
