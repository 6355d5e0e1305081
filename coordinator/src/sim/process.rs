//! Processes of the simulation: started, listened to, and always ended, by their own id.
//!
//! From: `sim`.
//! To: the operating system.

use std::io::{BufRead as _, BufReader, Read};
use std::path::Path;
use std::process::{Command, Stdio};
use std::sync::mpsc::{Receiver, RecvTimeoutError, channel};
use std::sync::{Arc, Mutex, PoisonError};
use std::time::{Duration, Instant};

use shared::fault::{Code, Fault};

/// How long a process may take to stop before it is killed.
const GRACE: Duration = Duration::from_secs(10);

/// Runs a command of the coordinator's to its end; `also` lists exit codes besides 0 that are
/// answers. Returns its standard output.
pub(super) fn run(
    program: &Path,
    dir: &Path,
    arguments: &[&str],
    also: &[i32],
) -> Result<String, Fault> {
    let output = Command::new(program)
        .args(arguments)
        .env("FEDVAL_DIR", dir)
        .stdin(Stdio::null())
        .output()
        .map_err(|fault| cannot_start(program, &fault))?;
    let code = output.status.code();
    if code == Some(0) || code.is_some_and(|code| also.contains(&code)) {
        return Ok(String::from_utf8_lossy(&output.stdout).into_owned());
    }
    Err(failed(program, &String::from_utf8_lossy(&output.stderr)))
}

fn cannot_start(program: &Path, fault: &std::io::Error) -> Fault {
    Fault::new(
        Code::Internal,
        format!("{} cannot be started", program.display()),
        fault.to_string(),
        "build both programs (cargo build --release), or name the node with --node",
    )
}

fn failed(program: &Path, words: &str) -> Fault {
    let last: Vec<&str> = words.lines().rev().take(12).collect();
    let last: Vec<&str> = last.into_iter().rev().collect();
    Fault::new(
        Code::Internal,
        format!("{} ended with an error", program.display()),
        last.join("\n"),
        "mend what it says, or report it; nothing was left running",
    )
}

/// A running process whose words are listened to.
pub(super) struct Child {
    child: std::process::Child,
    name: String,
    lines: Receiver<String>,
    heard: Arc<Mutex<String>>,
}

impl Child {
    /// Starts a process.
    pub(super) fn spawn(
        program: &Path,
        environment: &[(&str, &str)],
        arguments: &[&str],
    ) -> Result<Self, Fault> {
        let mut child = Command::new(program)
            .args(arguments)
            .envs(environment.iter().copied())
            .stdin(Stdio::null())
            .stdout(Stdio::piped())
            .stderr(Stdio::piped())
            .spawn()
            .map_err(|fault| cannot_start(program, &fault))?;
        let heard = Arc::new(Mutex::new(String::new()));
        let (sender, lines) = channel();
        let streams: [Option<Box<dyn Read + Send>>; 2] = [
            child
                .stdout
                .take()
                .map(|stream| Box::new(stream) as Box<dyn Read + Send>),
            child
                .stderr
                .take()
                .map(|stream| Box::new(stream) as Box<dyn Read + Send>),
        ];
        for stream in streams.into_iter().flatten() {
            let (sender, heard) = (sender.clone(), Arc::clone(&heard));
            std::thread::spawn(move || {
                for line in BufReader::new(stream).lines().map_while(Result::ok) {
                    let mut heard = heard.lock().unwrap_or_else(PoisonError::into_inner);
                    heard.push_str(&line);
                    heard.push('\n');
                    let _ = sender.send(line);
                }
            });
        }
        Ok(Self {
            child,
            name: program.display().to_string(),
            lines,
            heard,
        })
    }

    /// The first line that contains `text`.
    pub(super) fn wait_for(&self, text: &str, patience: Duration) -> Result<String, Fault> {
        let until = Instant::now() + patience;
        loop {
            let left = until.saturating_duration_since(Instant::now());
            match self.lines.recv_timeout(left) {
                Ok(line) if line.contains(text) => return Ok(line),
                Ok(_) => {}
                Err(RecvTimeoutError::Timeout | RecvTimeoutError::Disconnected) => {
                    return Err(failed(Path::new(&self.name), &self.words()));
                }
            }
        }
    }

    fn words(&self) -> String {
        self.heard
            .lock()
            .unwrap_or_else(PoisonError::into_inner)
            .clone()
    }

    /// Waits for a good end.
    pub(super) fn finish(mut self, patience: Duration) -> Result<(), Fault> {
        let until = Instant::now() + patience;
        while Instant::now() < until {
            match self.child.try_wait() {
                Ok(Some(status)) if status.success() => return Ok(()),
                Ok(Some(_)) | Err(_) => break,
                Ok(None) => std::thread::sleep(Duration::from_millis(20)),
            }
        }
        Err(failed(Path::new(&self.name), &self.words()))
    }

    /// Asks it to stop and waits until it has. A process that had ended before says so.
    pub(super) fn stop(mut self) -> Result<(), Fault> {
        if let Ok(Some(_)) = self.child.try_wait() {
            return Err(failed(Path::new(&self.name), &self.words()));
        }
        self.end();
        Ok(())
    }

    fn end(&mut self) {
        let pid = i32::try_from(self.child.id())
            .ok()
            .and_then(rustix::process::Pid::from_raw);
        if let Some(pid) = pid {
            let _ = rustix::process::kill_process(pid, rustix::process::Signal::TERM);
        }
        let until = Instant::now() + GRACE;
        while Instant::now() < until {
            match self.child.try_wait() {
                Ok(Some(_)) | Err(_) => return,
                Ok(None) => std::thread::sleep(Duration::from_millis(10)),
            }
        }
        let _ = self.child.kill();
        let _ = self.child.wait();
    }
}

impl Drop for Child {
    fn drop(&mut self) {
        if let Ok(None) = self.child.try_wait() {
            self.end();
        }
    }
}
