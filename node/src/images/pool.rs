//! As many reader processes as the site allows, each with one case at a time. One that ends, or
//! takes too long, costs the case it had, and is replaced. A case that was measured before a stop
//! is not measured again.
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
use shared::identity::Digest;

use super::answer::{Answer, Refused};
use super::digest::Hasher;
use super::journal::{self, Journal};
use super::question::{Files, Plan, Task};
use crate::cohort::{Kept, Means, Progress};

/// The longest answer, in bytes.
const ANSWER: u64 = 1 << 20;
/// The word that makes this program a reader.
pub(crate) const WORD: &str = "read-images";

/// By declared field, the digest of a mask's or a list's bytes.
pub(super) type Digests = Vec<Option<Digest>>;

/// What is known of one case.
#[derive(Clone, Default)]
pub(super) struct Asked {
    pub(super) answer: Answer,
    pub(super) digest: Digests,
}

/// Masks and lists of every case, in their order, and the measurements kept on disk, if any are.
///
/// # Errors
/// When no reader can be started at all.
pub(super) fn measure(
    plan: Plan,
    cases: &[Files],
    means: &Means<'_>,
) -> Result<(Vec<Asked>, Option<Kept>), Fault> {
    let allowance = means.allowance();
    let folder = means.keep().filter(|_| !cases.is_empty());
    let journal = folder.and_then(|folder| Journal::open(folder, &plan, allowance));
    let hasher = Hasher::new(allowance.limits());
    let asked = every(&plan, cases, means, |files, ask| {
        let digest = hasher.of(&plan, files);
        let Some(journal) = &journal else {
            return Some((
                Asked {
                    answer: ask()?,
                    digest,
                },
                false,
            ));
        };
        let key = journal::key(&plan, files, &digest);
        if let Some(answer) = key.and_then(|key| journal.find(key)) {
            let answer = answer.clone();
            return Some((Asked { answer, digest }, true));
        }
        let answer = ask()?;
        if let Some(key) = key {
            journal.keep(key, &answer);
        }
        Some((Asked { answer, digest }, false))
    })?;
    let kept = journal.map(|journal| Kept(journal.path().to_owned()));
    Ok((asked, kept))
}

/// What the images of every case say of their acquisition, in their order.
///
/// # Errors
/// As [`measure`].
pub(super) fn ask(plan: Plan, cases: &[Files], means: &Means<'_>) -> Result<Vec<Answer>, Fault> {
    every(&plan, cases, means, |_, ask| Some((ask()?, false)))
}

/// Gives each case to `one`, with a way to ask a reader about it. `one` says whether the case was
/// known from before; `None` where no reader can be started.
fn every<T: Clone + Default + Send>(
    plan: &Plan,
    cases: &[Files],
    means: &Means<'_>,
    one: impl Fn(&Files, &mut dyn FnMut() -> Option<Answer>) -> Option<(T, bool)> + Sync,
) -> Result<Vec<T>, Fault> {
    let allowance = *means.allowance();
    let task = Task {
        plan: plan.clone(),
        allowance,
    };
    let task = serde_json::to_string(&task)
        .map_err(|error| Fault::internal(format!("the plan cannot be written: {error}")))?;
    let next = AtomicUsize::new(0);
    let answers = Mutex::new((vec![T::default(); cases.len()], Progress::of(cases.len())));
    let failed = Mutex::new(None);
    means.tell(Progress::of(cases.len()));
    std::thread::scope(|scope| {
        for _ in 0..allowance.readers().min(cases.len()) {
            scope.spawn(|| {
                let mut reader: Option<Reader> = None;
                loop {
                    let at = next.fetch_add(1, Ordering::Relaxed);
                    let Some(files) = cases.get(at) else { break };
                    let mut ask = || {
                        let started = reader.take().map_or_else(|| Reader::start(&task), Ok);
                        let one = match started {
                            Ok(one) => reader.insert(one),
                            Err(error) => {
                                set(&failed, Some(error));
                                return None;
                            }
                        };
                        Some(one.ask(files, allowance.case()).unwrap_or_else(|| {
                            reader = None;
                            stopped(files, allowance.case())
                        }))
                    };
                    let Some((answer, known)) = one(files, &mut ask) else {
                        break;
                    };
                    if let Ok(mut held) = answers.lock() {
                        held.0[at] = answer;
                        held.1.add(known);
                        means.tell(held.1);
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
        .map(|(answers, _)| answers)
        .map_err(|_| Fault::internal("a thread that waits for images failed"))
}

fn set<T>(place: &Mutex<T>, value: T) {
    if let Ok(mut place) = place.lock() {
        *place = value;
    }
}

/// What is said of a case whose reader ended.
fn stopped(files: &Files, longest: Duration) -> Answer {
    let why = format!(
        "it ended, took more than {} s, or too much memory",
        longest.as_secs()
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
    fn start(task: &str) -> std::io::Result<Self> {
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
        reader.tell(task)?;
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
    fn ask(&mut self, files: &Files, longest: Duration) -> Option<Answer> {
        self.tell(&serde_json::to_string(files).ok()?).ok()?;
        let line = self.lines.recv_timeout(longest).ok()?;
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
