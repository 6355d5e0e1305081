//! As many reader processes as the machine has cores, each with one case at a time. One that
//! ends, or takes too long, costs the case it had, and is replaced.
//!
//! From: `measured`.
//! To: `worker`.

use std::io::{BufRead, BufReader, Read, Write};
use std::process::{Child, ChildStdin, Command, Stdio};
use std::sync::Mutex;
use std::sync::atomic::{AtomicUsize, Ordering};
use std::sync::mpsc::{Receiver, channel};
use std::time::Duration;

use imaging::refusal::{Reason, Refusal};
use shared::fault::Fault;

use super::answer::{Answer, Refused};
use super::question::{Files, Plan};

/// The longest that one case may take.
const CASE: Duration = Duration::from_secs(300);
/// The longest answer, in bytes.
const ANSWER: u64 = 1 << 20;
/// The word that makes this program a reader.
pub(crate) const WORD: &str = "read-images";

/// Answers about every case, in their order.
///
/// # Errors
/// When no reader can be started at all.
pub(super) fn ask(plan: &Plan, cases: &[Files]) -> Result<Vec<Answer>, Fault> {
    let plan = serde_json::to_string(plan)
        .map_err(|error| Fault::internal(format!("the plan cannot be written: {error}")))?;
    let cores = std::thread::available_parallelism().map_or(1, usize::from);
    let next = AtomicUsize::new(0);
    let answers = Mutex::new(vec![Answer::default(); cases.len()]);
    let failed = Mutex::new(None);
    std::thread::scope(|scope| {
        for _ in 0..cores.min(cases.len()) {
            scope.spawn(|| {
                let mut reader: Option<Reader> = None;
                loop {
                    let at = next.fetch_add(1, Ordering::Relaxed);
                    let Some(files) = cases.get(at) else { break };
                    let one = match reader.take().map_or_else(|| Reader::start(&plan), Ok) {
                        Ok(one) => reader.insert(one),
                        Err(error) => {
                            set(&failed, Some(error));
                            break;
                        }
                    };
                    let answer = one.ask(files).unwrap_or_else(|| {
                        reader = None;
                        stopped(files)
                    });
                    if let Ok(mut answers) = answers.lock() {
                        answers[at] = answer;
                    }
                }
            });
        }
    });
    if let Ok(Some(error)) = failed.into_inner() {
        return Err(Fault::internal(format!(
            "the process that reads images cannot be started: {error}"
        )));
    }
    answers
        .into_inner()
        .map_err(|_| Fault::internal("a thread that waits for images failed"))
}

fn set<T>(place: &Mutex<T>, value: T) {
    if let Ok(mut place) = place.lock() {
        *place = value;
    }
}

/// What is said of a case whose reader ended.
fn stopped(files: &Files) -> Answer {
    let why = format!(
        "it ended, took more than {} s, or too much memory",
        CASE.as_secs()
    );
    let refusal = Refusal::new(Reason::Stopped, why);
    let named = files.iter().position(Option::is_some).unwrap_or_default();
    Answer {
        refused: vec![Refused::new(named, &refusal)],
        ..Answer::default()
    }
}

/// A running reader.
struct Reader {
    child: Child,
    input: Option<ChildStdin>,
    lines: Receiver<String>,
}

impl Reader {
    fn start(plan: &str) -> std::io::Result<Self> {
        let mut child = Command::new(std::env::current_exe()?)
            .arg(WORD)
            .env_clear()
            .stdin(Stdio::piped())
            .stdout(Stdio::piped())
            .stderr(Stdio::null())
            .spawn()?;
        let (sender, lines) = channel();
        if let Some(output) = child.stdout.take() {
            std::thread::spawn(move || {
                let mut output = BufReader::new(output);
                loop {
                    let mut line = String::new();
                    let read = output.by_ref().take(ANSWER).read_line(&mut line);
                    let whole = read.is_ok() && line.ends_with('\n');
                    if !whole || sender.send(line).is_err() {
                        break;
                    }
                }
            });
        }
        let mut reader = Self {
            input: child.stdin.take(),
            child,
            lines,
        };
        reader.tell(plan)?;
        Ok(reader)
    }

    fn tell(&mut self, line: &str) -> std::io::Result<()> {
        let Some(input) = &mut self.input else {
            return Err(std::io::ErrorKind::BrokenPipe.into());
        };
        writeln!(input, "{line}")?;
        input.flush()
    }

    /// The answer about one case; `None` when there will be none from this reader.
    fn ask(&mut self, files: &Files) -> Option<Answer> {
        self.tell(&serde_json::to_string(files).ok()?).ok()?;
        let line = self.lines.recv_timeout(CASE).ok()?;
        serde_json::from_str(&line).ok()
    }
}

impl Drop for Reader {
    fn drop(&mut self) {
        // Its input ends, so it ends; a reader that is stuck is stopped.
        drop(self.input.take());
        let _ = self.child.kill();
        let _ = self.child.wait();
    }
}
